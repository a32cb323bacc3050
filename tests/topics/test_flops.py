"""FLOPs against counts by hand, against loops that count themselves, and against TensorFlow's profiler."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from course_utils.models import vision
from course_utils.topics import flops, published_models


def one(layer, *shapes):
    """The cost of a layer on inputs of these shapes (without batch)."""
    inputs = [keras.Input(shape) for shape in shapes]
    model = keras.Model(inputs, layer(*inputs))
    (cost,) = flops.count(model)
    assert cost.parameters == model.count_params()
    return cost


def profiled(layer, *shapes):
    """FLOPs that TensorFlow's profiler counts in the layer's graph, for a batch of one."""
    inputs = [keras.Input(shape) for shape in shapes]
    model = keras.Model(inputs, layer(*inputs))
    specifications = [tf.TensorSpec((1, *shape)) for shape in shapes]
    function = tf.function(lambda *x: model(list(x) if len(x) > 1 else x[0], training=False))
    graph = convert_variables_to_constants_v2(function.get_concrete_function(*specifications)).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops


def test_two_flops_a_multiply_add():
    assert flops.Cost("x", "X", (), 0, 3, 4).flops == 10


# ---- By hand ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer, shapes, multiply_adds, other",
    [
        (layers.Dense(10), [(784,)], 7840, 10),
        (layers.Dense(10, use_bias=False), [(784,)], 7840, 0),
        (layers.Dense(10, activation="relu"), [(784,)], 7840, 20),
        (layers.Dense(10, activation="softmax"), [(784,)], 7840, 60),
        (layers.Dense(5), [(7, 3)], 7 * 3 * 5, 35),  # at each of seven places
        (layers.Conv2D(32, 3), [(28, 28, 1)], 26 * 26 * 32 * 9, 26 * 26 * 32),
        (layers.Conv2D(4, 3, padding="same"), [(5, 5, 2)], 25 * 4 * 18, 100),
        (layers.Conv2D(4, 3, strides=2, use_bias=False), [(9, 9, 2)], 16 * 4 * 18, 0),
        (layers.Conv2D(4, (1, 5), strides=(2, 1), use_bias=False), [(9, 9, 2)], 5 * 5 * 4 * 10, 0),
        (layers.Conv2D(4, 3, dilation_rate=2, use_bias=False), [(9, 9, 2)], 25 * 4 * 18, 0),
        (layers.Conv2D(8, 3, groups=2, use_bias=False), [(9, 9, 4)], 49 * 8 * 9 * 2, 0),
        (layers.Conv1D(6, 3, padding="causal", use_bias=False), [(10, 2)], 10 * 6 * 6, 0),
        (layers.Conv3D(2, 2, use_bias=False), [(3, 3, 3, 1)], 8 * 2 * 8, 0),
        (layers.Conv2DTranspose(3, 3, strides=2, use_bias=False), [(4, 4, 2)], 16 * 2 * 9 * 3, 0),
        (layers.DepthwiseConv2D(3, use_bias=False), [(6, 6, 5)], 16 * 5 * 9, 0),
        (layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False), [(6, 6, 5)], 16 * 10 * 9, 0),
        (layers.SeparableConv2D(7, 3, use_bias=False), [(6, 6, 5)], 16 * (5 * 9 + 5 * 7), 0),
        (layers.SeparableConv2D(7, 3, depth_multiplier=2), [(6, 6, 5)], 16 * (10 * 9 + 10 * 7), 16 * 7),
        (layers.MaxPooling2D(2), [(6, 6, 5)], 0, 3 * 3 * 5 * 4),
        (layers.MaxPooling2D(3, strides=1), [(6, 6, 5)], 0, 4 * 4 * 5 * 9),
        (layers.AveragePooling1D(2), [(6, 5)], 0, 3 * 5 * 2),
        (layers.GlobalAveragePooling2D(), [(6, 6, 5)], 0, 180),
        (layers.GlobalMaxPooling1D(), [(6, 5)], 0, 30),
        (layers.SimpleRNN(4), [(7, 3)], 7 * (3 * 4 + 4 * 4), 7 * (4 + 4 + 4)),
        (layers.LSTM(4), [(7, 3)], 7 * 4 * (3 * 4 + 4 * 4), 7 * (16 + 16 + 12 * 4 + 8 + 16)),
        (layers.GRU(4), [(7, 3)], 7 * 3 * (3 * 4 + 4 * 4), 7 * (12 + 24 + 8 * 4 + 4 + 20)),
        (layers.GRU(4, reset_after=False), [(7, 3)], 7 * 3 * (3 * 4 + 4 * 4), 7 * (12 + 12 + 8 * 4 + 4 + 20)),
        (layers.Bidirectional(layers.SimpleRNN(4)), [(7, 3)], 2 * 7 * 28, 2 * 7 * 12),
        (layers.TimeDistributed(layers.Dense(5)), [(7, 3)], 7 * 15, 35),
        (layers.BatchNormalization(), [(6, 6, 5)], 0, 360),
        (layers.LayerNormalization(), [(7, 3)], 0, 7 * 3 * 7 + 4 * 7),
        (layers.LayerNormalization(scale=False, center=False), [(7, 3)], 0, 7 * 3 * 5 + 4 * 7),
        (layers.LayerNormalization(axis=[1, 2]), [(7, 3)], 0, 21 * 7 + 4),
        (layers.RMSNormalization(), [(7, 3)], 0, 21 * 4 + 3 * 7),
        (layers.GroupNormalization(2), [(7, 4)], 0, 28 * 7 + 8),
        (layers.ReLU(), [(4,)], 0, 4),
        (layers.Activation("gelu"), [(4,)], 0, 20),
        (layers.Softmax(), [(4,)], 0, 20),
        (layers.Dropout(0.5), [(4,)], 0, 0),
        (layers.Flatten(), [(4, 4)], 0, 0),
        (layers.Rescaling(2.0), [(4,)], 0, 8),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, layers.Layer) else "",
)
def test_counts_by_hand(layer, shapes, multiply_adds, other):
    cost = one(layer, *shapes)
    assert (cost.multiply_adds, cost.other) == (multiply_adds, other)


def test_embedding_is_a_look_up():
    cost = flops.total(flops.count(keras.Sequential([keras.Input((9,)), layers.Embedding(100, 8)])))
    assert (cost.parameters, cost.flops) == (800, 0)


def attention_by_loops(query, value, heads, key_size, value_size, out):
    """Multiply-adds of attention, one at a time: (time, features) of query and value."""
    products = 0
    for _ in range(heads):
        for time, features, size in [(query[0], query[1], key_size), (value[0], value[1], key_size)]:
            products += time * features * size  # query, key
        products += value[0] * value[1] * value_size
        for _ in range(query[0]):
            for _ in range(value[0]):
                products += key_size + value_size  # one score, one weighted value
        products += query[0] * value_size * out
    return products


@pytest.mark.parametrize("query, value, value_size", [((8, 6), (8, 6), 3), ((8, 6), (5, 7), 4)])
def test_attention(query, value, value_size):
    cost = one(layers.MultiHeadAttention(2, 3, value_dim=value_size), query, value)
    assert cost.multiply_adds == attention_by_loops(query, value, 2, 3, value_size, 6)
    biases = 2 * (query[0] * 3 + value[0] * (3 + value_size)) + query[0] * 6
    assert cost.other == biases + 2 * query[0] * 3 + 5 * 2 * query[0] * value[0]


def test_attention_takes_arguments_by_name_and_unknown_lengths():
    known, unknown = keras.Input((8, 6)), keras.Input((None, 6))
    attend = [layers.MultiHeadAttention(2, 3) for _ in range(3)]
    by_place = flops.count(keras.Model(known, attend[0](known, known, known)))
    by_name = flops.count(keras.Model(known, attend[1](value=known, query=known, use_causal_mask=True)))
    later = flops.count(keras.Model(unknown, attend[2](unknown, unknown)), length=8)
    assert by_place[0].flops == by_name[0].flops == later[0].flops


def test_convolution_equals_a_loop_that_counts():
    """Lay a 3 x 2 kernel on every place of a 7 x 8 image with stride 2 and count the products."""
    products = 0
    for _row in range(0, 7 - 3 + 1, 2):
        for _column in range(0, 8 - 2 + 1, 2):
            products += 4 * 3 * 2 * 5  # filters, kernel, channels
    assert one(layers.Conv2D(4, (3, 2), strides=2), (7, 8, 5)).multiply_adds == products


# ---- TensorFlow's profiler, which knows nothing of Keras' layers -------------------------------------------


@pytest.mark.parametrize(
    "layer, shapes",
    [
        (layers.Dense(10, activation="softmax"), [(784,)]),
        (layers.Conv2D(8, 3), [(12, 12, 3)]),
        (layers.Conv2D(8, 5, strides=2, padding="same"), [(13, 13, 3)]),
        (layers.DepthwiseConv2D(3), [(12, 12, 4)]),
        (layers.SeparableConv2D(8, 3), [(12, 12, 4)]),
        (layers.MaxPooling2D(2), [(12, 12, 3)]),
        (layers.AveragePooling2D(2), [(12, 12, 3)]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, layers.Layer) else "",
)
def test_equal_to_tensorflows_profiler(layer, shapes):
    assert one(layer, *shapes).flops == profiled(layer, *shapes)


def test_attention_is_near_tensorflows_profiler():
    """The profiler does not know products of batches, scores and weighted values: added here by hand."""
    layer, shapes = layers.MultiHeadAttention(4, 32), [(64, 128), (64, 128)]
    batched = 2 * 4 * 64 * 64 * (32 + 32)
    assert one(layer, *shapes).flops == pytest.approx(profiled(layer, *shapes) + batched, rel=0.01)


@pytest.mark.parametrize("build", [vision.perceptron, vision.beginner_cnn, vision.deeper_beginner_cnn])
def test_whole_models_equal_the_profiler_but_for_relu(build):
    """The profiler does not count ReLU: one FLOP a number here."""
    model = build()
    table = flops.count(model)
    relu = sum(
        math.prod(model.get_layer(cost.name).output.shape[1:])
        for cost in table
        if getattr(getattr(model.get_layer(cost.name), "activation", None), "__name__", "") == "relu"
    )
    assert flops.total(table).flops - relu == profiled(model, (28, 28, 1))


# ---- Whole models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "build", [vision.perceptron, vision.beginner_cnn, vision.deeper_beginner_cnn, vision.fast_cnn]
)
def test_parameters_are_keras(build):
    model = build()
    assert flops.total(flops.count(model)).parameters == model.count_params()


def test_multiplications_of_the_vision_models():
    assert flops.total(flops.count(vision.perceptron())).multiply_adds == 784 * 128 + 128 * 10
    assert (
        flops.total(flops.count(vision.beginner_cnn())).multiply_adds
        == 2_528_000
        == (26 * 26 * 32 * 9 + 11 * 11 * 64 * 9 * 32 + 1600 * 64 + 640)
    )
    assert flops.total(flops.count(vision.fast_cnn())).multiply_adds == 521_216


def test_shared_layers_compute_twice_and_count_parameters_once():
    left, right = keras.Input((4,)), keras.Input((4,))
    shared = layers.Dense(3, use_bias=False)
    cost = flops.total(flops.count(keras.Model([left, right], layers.Add()([shared(left), shared(right)]))))
    assert (cost.parameters, cost.multiply_adds, cost.other) == (12, 24, 3)


def test_models_inside_models():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    images = keras.Input((4,))
    cost = flops.total(flops.count(keras.Model(images, layers.Dense(2)(inner(images)))))
    assert (cost.parameters, cost.multiply_adds) == (15 + 8, 12 + 6)


def test_operations_between_layers():
    numbers = keras.Input((4,))
    assert flops.total(flops.count(keras.Model(numbers, numbers * 2.0 + numbers))).flops == 8


def test_published_resnet_50():
    """3.8e9 multiply-adds are printed in He et al. 2015, table 1; 25.6 million parameters by Keras."""
    cost = flops.total(flops.count(keras.applications.ResNet50(weights=None)))
    assert cost.parameters == 25_636_712
    assert cost.multiply_adds == pytest.approx(3.8e9, rel=0.03)
    keras.backend.clear_session()


@pytest.mark.parametrize(
    "shape, expected",
    [
        (dict(blocks=12, width=768, vocabulary=50257, positions=1024), 124_439_808),  # GPT-2, small
        (dict(blocks=48, width=1600, vocabulary=50257, positions=1024), 1_557_611_200),  # GPT-2 XL
        (dict(blocks=12, width=768, vocabulary=30522, positions=512, bert=True), 109_482_240),  # BERT base
        (dict(blocks=24, width=1024, vocabulary=30522, positions=512, bert=True), 335_141_888),  # BERT large
    ],
)
def test_transformers_of_known_size(shape, expected):
    """The numbers of weights in the files that OpenAI and Google released."""
    assert flops.transformer_parameters(**shape) == expected


def test_transformer_block_is_what_keras_builds():
    width, hidden, time = 12, 48, 5
    x, memory = keras.Input((time, width)), keras.Input((time, width))
    y = layers.LayerNormalization()(x + layers.MultiHeadAttention(3, width // 3)(x, x))
    encoder = layers.LayerNormalization()(y + layers.Dense(width)(layers.Dense(hidden, "gelu")(y)))
    assert keras.Model(x, encoder).count_params() == flops.transformer_block(width, hidden)
    z = layers.LayerNormalization()(y + layers.MultiHeadAttention(3, width // 3)(y, memory))
    decoder = layers.LayerNormalization()(z + layers.Dense(width)(layers.Dense(hidden, "gelu")(z)))
    assert keras.Model([x, memory], decoder).count_params() == flops.transformer_block(
        width, hidden, cross=True
    )


def test_transformer_products_are_what_the_layers_count():
    width, hidden, context, vocabulary = 12, 48, 5, 20
    tokens = keras.Input((context,))
    x = layers.Embedding(vocabulary, width)(tokens)
    for _ in range(2):
        x = layers.LayerNormalization()(
            x + layers.MultiHeadAttention(3, width // 3)(x, x, use_causal_mask=True)
        )
        x = layers.LayerNormalization()(x + layers.Dense(width)(layers.Dense(hidden, "gelu")(x)))
    model = keras.Model(tokens, layers.Dense(vocabulary)(x))
    counted = flops.total(flops.count(model)).multiply_adds
    assert counted == context * flops.transformer_products(2, width, vocabulary, context)


def test_published_table():
    """Names once, plausible numbers, a source each; sizes that follow from a shape agree with the printed ones."""
    names = [model.name for model in published_models.MODELS]
    assert len(set(names)) == len(names) >= 12
    for model in published_models.MODELS:
        assert 1e4 < model.parameters < 1e12 and 1980 < model.year < 2026
        assert model.source.startswith("https://")
        if model.shape:
            assert flops.transformer_parameters(**model.shape) == pytest.approx(model.parameters, rel=0.04)
        if model.training_flops and model.tokens:
            assert 6 * model.parameters * model.tokens == pytest.approx(model.training_flops, rel=0.05)


# ---- Errors ------------------------------------------------------------------------------------------------


def test_unknown_layer_is_named_and_can_be_taught():
    class Strange(layers.Layer):
        def call(self, inputs):
            return inputs

    model = keras.Sequential([keras.Input((4,)), Strange()])
    with pytest.raises(ValueError, match="flops.register.*found Strange"):
        flops.count(model)
    flops.register(Strange)(lambda layer, inputs, output, arguments: (7, 1))
    assert flops.total(flops.count(model)).flops == 15
    del flops._HANDLERS[Strange]


def test_unbuilt_model_unknown_length_and_unknown_activation():
    with pytest.raises(ValueError, match="keras.Input"):
        flops.count(keras.Sequential([layers.Dense(3)]))
    with pytest.raises(ValueError, match="length="):
        flops.count(keras.Sequential([keras.Input((None, 3)), layers.LSTM(2)]))
    with pytest.raises(ValueError, match="activation: .*found 'cos'"):
        flops.activation_flops(np.cos, 3)
    with pytest.raises(ValueError, match="activation: .*found"):
        one(layers.Dense(3, activation=keras.ops.cos), (4,))
