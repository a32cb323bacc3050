r"""How large is a model? Parameters as Keras counts them, and arithmetic counted layer by layer.

    table = flops.count(model)
    print(flops.total(table).flops)

**Convention.** One FLOP is one floating-point addition, multiplication, comparison, division or call of an elementary
function (exp, tanh, erf, a square root). One multiply-add therefore is **2 FLOPs**; many papers on image networks call it
one, so their "FLOPs" are half of these: compare with `multiply_adds` instead.

Counted is one forward pass of one example, in inference. Not counted: moving numbers (reshape, padding, look-ups, dropout
in inference). Padding counts as if its zeros were multiplied: the hardware does that. A backward pass needs about twice
the forward pass (one product for the gradient of the input, one for that of the weights), a training step about three times.
"""

import inspect
import math
from dataclasses import dataclass

import keras
from keras import layers

from course_utils.checking import expect, one_of

# FLOPs for one number, from the formula as it is written; softmax: largest, subtract, exp, add up, divide.
ACTIVATIONS = {
    "linear": 0,
    "relu": 1,
    "leaky_relu": 2,
    "tanh": 1,
    "sigmoid": 4,
    "hard_sigmoid": 4,
    "silu": 5,
    "swish": 5,
    "elu": 3,
    "softplus": 3,
    "gelu": 5,
    "softmax": 5,
    "log_softmax": 5,
}


@dataclass(frozen=True)
class Cost:
    """One use of a layer, for one example.

    parameters: all weights, trained or not; 0 when the same layer was listed before (shared weights).
    multiply_adds: products that are added up (matrix products, convolutions).
    other: FLOPs of everything else (biases, activations, normalisation, pooling).
    """

    name: str
    kind: str
    output_shape: tuple
    parameters: int
    multiply_adds: int
    other: int

    @property
    def flops(self):
        """2 FLOPs per multiply-add, and the rest."""
        return 2 * self.multiply_adds + self.other


def count(model, length=None):
    """Return a list of `Cost`, one for each use of a layer in a built Keras model, in order.

    Args:
        model: a `keras.Sequential` or functional `keras.Model`; models inside it are opened.
        length: what an axis of unknown size (a sequence's time) is taken to be.

    Raises:
        ValueError: the model is not built, an axis is unknown and no `length` is given, or a layer's kind is not known
            here (`register` one).
    """
    if not hasattr(model, "_nodes_by_depth") and isinstance(model, keras.Sequential) and model.built:
        model = model._functional
    nodes = getattr(model, "_nodes_by_depth", None)
    if nodes is None and getattr(model, "_functional", None) is not None:
        nodes = model._functional._nodes_by_depth
    wanted = (
        "应为已经建好的 Sequential 或函数式模型",
        "a built Sequential or functional model, begun with keras.Input(shape)",
    )
    expect(nodes, "model", *wanted, type(model).__name__)
    listed, seen = [], set()
    for depth in sorted(nodes, reverse=True):  # the inputs have the greatest depth
        for node in nodes[depth]:
            operation = node.operation
            if isinstance(operation, layers.InputLayer):
                continue
            if isinstance(operation, keras.Model):
                listed += count(operation, length)
                continue
            shapes = [_known(tensor.shape, operation, length) for tensor in node.input_tensors]
            output = _known(node.output_tensors[0].shape, operation, length)
            multiply_adds, other = _find(operation)(operation, shapes, output, node.arguments)
            parameters = operation.count_params() if isinstance(operation, layers.Layer) else 0
            new = id(operation) not in seen
            seen.add(id(operation))
            cost = (parameters if new else 0, multiply_adds, other)
            listed.append(Cost(operation.name, type(operation).__name__, output, *map(int, cost)))
    return listed


def total(table, name="total"):
    """Return the sum of a list of `Cost` as one `Cost`; its output shape is the last one's."""
    sums = (sum(getattr(cost, field) for cost in table) for field in ("parameters", "multiply_adds", "other"))
    return Cost(name, "total", table[-1].output_shape if table else (), *sums)


def register(*kinds):
    """Teach `count` a layer class: decorate `function(layer, input_shapes, output_shape, arguments)`.

    Shapes come without the batch axis. The function returns (multiply-adds, other FLOPs) of one example.
    """

    def remember(function):
        _HANDLERS.update(dict.fromkeys(kinds, function))
        return function

    return remember


_HANDLERS = {}


def _find(operation):
    for kind in type(operation).__mro__:
        if kind in _HANDLERS:
            return _HANDLERS[kind]
    named = _OPERATIONS.get(type(operation).__name__)
    if named and not isinstance(operation, layers.Layer):
        return named
    wanted = (
        "应为已知的层（用 flops.register 教它）",
        "a layer of a known kind (teach it with flops.register)",
    )
    expect(False, operation.name, *wanted, type(operation).__name__)


def _known(shape, operation, length):
    """Return a shape without its batch axis; unknown sizes become `length`."""
    shape = tuple(length if size is None else size for size in shape[1:])
    wanted = "长度应为已知（给出 length=）", "known sizes (give length=, for instance the number of tokens)"
    expect(None not in shape, operation.name, *wanted, f"{shape}")
    return shape


def activation_flops(activation, numbers):
    """Return the FLOPs of an activation (function, name, or None) on so many numbers.

    Raises ValueError for one that `ACTIVATIONS` does not list.
    """
    name = getattr(activation, "__name__", activation) or "linear"
    one_of(tuple(ACTIVATIONS), activation=name)
    return ACTIVATIONS[name] * numbers


# ---- Layers that multiply ----------------------------------------------------------------------------------


def _finish(layer, multiply_adds, output):
    """Count the bias and activation that follow a product."""
    numbers = math.prod(output)
    bias = numbers if getattr(layer, "use_bias", False) else 0
    return multiply_adds, bias + activation_flops(getattr(layer, "activation", None), numbers)


@register(layers.Dense)
def _dense(layer, inputs, output, _):
    return _finish(layer, math.prod(inputs[0]) * layer.units, output)


def _split_channels(layer, shape):
    """Return (positions of an image or sequence, channels)."""
    if layer.data_format == "channels_first":
        return math.prod(shape[1:]), shape[0]
    return math.prod(shape[:-1]), shape[-1]


@register(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def _convolution(layer, inputs, output, _):
    _, channels = _split_channels(layer, inputs[0])
    places, filters = _split_channels(layer, output)
    return _finish(layer, places * filters * math.prod(layer.kernel_size) * channels // layer.groups, output)


@register(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
def _transposed(layer, inputs, output, _):
    places, channels = _split_channels(layer, inputs[0])  # each input number is spread by one kernel
    return _finish(layer, places * channels * math.prod(layer.kernel_size) * layer.filters, output)


@register(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def _depthwise(layer, inputs, output, _):
    return _finish(layer, math.prod(output) * math.prod(layer.kernel_size), output)  # one channel in, one out


@register(layers.SeparableConv1D, layers.SeparableConv2D)
def _separable(layer, inputs, output, _):
    _, channels = _split_channels(layer, inputs[0])
    places, filters = _split_channels(layer, output)
    deep = channels * layer.depth_multiplier
    return _finish(layer, places * deep * (math.prod(layer.kernel_size) + filters), output)


# ---- Recurrent layers: per time step, from the formulas of chapter 6 ---------------------------------------


def _gates(layer, inputs, gates):
    """Return (time steps, products per step) of a recurrent layer with so many gates."""
    time, features = inputs[0]
    return time, (features + layer.units) * gates * layer.units


@register(layers.SimpleRNN)
def _simple_rnn(layer, inputs, output, _):
    time, products = _gates(layer, inputs, 1)
    added = layer.units * (1 + layer.use_bias)  # input part + recurrent part (+ bias)
    return time * products, time * (added + activation_flops(layer.activation, layer.units))


@register(layers.LSTM)
def _lstm(layer, inputs, output, _):
    time, products = _gates(layer, inputs, 4)
    added = 4 * layer.units * (1 + layer.use_bias)
    gates = activation_flops(layer.recurrent_activation, 3 * layer.units)
    states = activation_flops(layer.activation, 2 * layer.units)  # the candidate and the new cell
    # f*c, i*g, their sum, o*tanh(c)
    return time * products, time * (added + gates + states + 4 * layer.units)


@register(layers.GRU)
def _gru(layer, inputs, output, _):
    time, products = _gates(layer, inputs, 3)
    biases = 3 * layer.units * layer.use_bias * (2 if layer.reset_after else 1)
    added = 3 * layer.units + biases
    gates = activation_flops(layer.recurrent_activation, 2 * layer.units)
    state = activation_flops(layer.activation, layer.units)
    # r*h, 1-z, z*h, (1-z)*g, their sum
    return time * products, time * (added + gates + state + 5 * layer.units)


@register(layers.Bidirectional)
def _bidirectional(layer, inputs, output, arguments):
    forward = _find(layer.forward_layer)(layer.forward_layer, inputs, output, arguments)
    backward = _find(layer.backward_layer)(layer.backward_layer, inputs, output, arguments)
    merge = math.prod(output) * {"sum": 1, "mul": 1, "ave": 2}.get(layer.merge_mode, 0)
    return forward[0] + backward[0], forward[1] + backward[1] + merge


@register(layers.TimeDistributed)
def _time_distributed(layer, inputs, output, arguments):
    one = _find(layer.layer)(layer.layer, [inputs[0][1:]], output[1:], arguments)
    return inputs[0][0] * one[0], inputs[0][0] * one[1]


# ---- Attention ---------------------------------------------------------------------------------------------


@register(layers.MultiHeadAttention)
def _attention(layer, inputs, output, arguments):
    """Count four projections, scores and weighted sums; a mask saves nothing, Keras computes all pairs."""
    given = inspect.signature(layer.call).bind_partial(*arguments.args, **arguments.kwargs).arguments
    query, value = tuple(given["query"].shape[1:]), tuple(given["value"].shape[1:])
    key = value if given.get("key") is None else tuple(given["key"].shape[1:])
    # Unknown lengths were replaced in `inputs`, which come in the order of the call.
    query = inputs[0] if None in query else query
    value = inputs[1] if None in value and len(inputs) > 1 else query if None in value else value
    key = value[:-1] + key[-1:]
    heads, key_size, value_size = layer.num_heads, layer.key_dim, layer.value_dim
    asked, known = math.prod(query[:-1]), math.prod(key[:-1])
    projections = heads * (
        asked * query[-1] * key_size
        + known * (key[-1] * key_size + value[-1] * value_size)
        + asked * value_size * output[-1]
    )
    pairs = heads * asked * known
    biases = heads * (asked * key_size + known * (key_size + value_size)) + math.prod(output)
    # 1/√d scales queries
    other = layer.use_bias * biases + heads * asked * key_size + ACTIVATIONS["softmax"] * pairs
    return projections + pairs * (key_size + value_size), other


# ---- Normalisation, pooling, merging, activations ----------------------------------------------------------


@register(layers.BatchNormalization)
def _batch_norm(layer, inputs, output, _):
    # in inference mean, variance, scale and shift fold into one product and one sum
    return 0, 2 * math.prod(output)


@register(layers.LayerNormalization)
def _layer_norm(layer, inputs, output, _):
    numbers = math.prod(output)
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    group = math.prod(output[axis if axis < 0 else axis - 1] for axis in axes)
    # Each number: add up, subtract, square, add up, multiply (scale, shift); each group: two divisions, epsilon, root.
    return 0, numbers * (5 + bool(layer.scale) + bool(layer.center)) + 4 * numbers // group


@register(layers.RMSNormalization)
def _rms_norm(layer, inputs, output, _):
    numbers = math.prod(output)
    # square, add up, multiply, scale; divide, epsilon, root
    return 0, 4 * numbers + 3 * numbers // output[-1]


@register(layers.GroupNormalization)
def _group_norm(layer, inputs, output, _):
    return 0, math.prod(output) * (5 + bool(layer.scale) + bool(layer.center)) + 4 * layer.groups


def _window(layer, inputs, output, _):
    return 0, math.prod(output) * math.prod(_tuple(layer.pool_size))  # an addition or comparison a number


def _whole_map(layer, inputs, output, _):
    return 0, math.prod(inputs[0])


def _tuple(value):
    return value if isinstance(value, list | tuple) else (value,)


for _kind in ("MaxPooling", "AveragePooling"):
    for _rank in ("1D", "2D", "3D"):
        register(getattr(layers, _kind + _rank))(_window)
        register(getattr(layers, "Global" + _kind + _rank))(_whole_map)


@register(layers.Add, layers.Subtract, layers.Multiply, layers.Maximum, layers.Minimum)
def _merge(layer, inputs, output, _):
    return 0, (len(inputs) - 1) * math.prod(output)


@register(layers.Average)
def _average(layer, inputs, output, _):
    return 0, len(inputs) * math.prod(output)


@register(layers.Activation)
def _activation(layer, inputs, output, _):
    return 0, activation_flops(layer.activation, math.prod(output))


def _each(flops):
    """Count so many FLOPs per number of the output."""
    return lambda layer, inputs, output, _: (0, flops * math.prod(output))


register(layers.ReLU)(_each(ACTIVATIONS["relu"]))
register(layers.LeakyReLU, layers.PReLU)(_each(ACTIVATIONS["leaky_relu"]))
register(layers.ELU)(_each(ACTIVATIONS["elu"]))
register(layers.Softmax)(_each(ACTIVATIONS["softmax"]))
register(layers.Rescaling, layers.Normalization)(_each(2))

# These move or choose numbers. An embedding looks up a row; as a product with a one-hot row nobody computes it.
_MOVING = """Embedding Flatten Reshape Permute RepeatVector Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D
GaussianNoise GaussianDropout AlphaDropout ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D
UpSampling1D UpSampling2D UpSampling3D Concatenate Masking Identity ActivityRegularization"""
register(*(getattr(layers, name) for name in _MOVING.split()))(_each(0))

# keras.ops called between layers of a functional model, by name.
_OPERATIONS = {
    **dict.fromkeys("Add Subtract Multiply Divide TrueDivide Maximum Minimum Negative".split(), _each(1)),
    **dict.fromkeys(
        "GetItem Reshape Transpose ExpandDims Squeeze Concatenate Cast NotEqual Equal".split(), _each(0)
    ),
    "Relu": _each(ACTIVATIONS["relu"]),
    "Softmax": _each(ACTIVATIONS["softmax"]),
}


# ---- Transformers that are too large to build: the same count in closed form ------------------------------


def transformer_block(width, hidden, cross=False):
    """Return the parameters of one Transformer block with biases: attention, feed-forward, two normalisations.

    4 (d^2 + d) for an attention (twice with cross attention), 2 d h + h + d for the feed-forward part, 2 d a normalisation.
    Source: Vaswani et al. 2017, arXiv:1706.03762, sections 3.2 and 3.3.
    """
    attentions = 2 if cross else 1
    return (
        attentions * 4 * (width**2 + width)
        + 2 * width * hidden
        + hidden
        + width
        + 2 * width * (attentions + 1)
    )


def transformer_parameters(blocks, width, vocabulary, positions=0, decoder_blocks=0, hidden=None, bert=False):
    """Return the parameters of a Transformer, output weights shared with the token embedding.

    Args:
        blocks: of the one stack (GPT, BERT), or of the encoder.
        width: d_model.
        hidden: width of the feed-forward part, 4 d_model when None.
        vocabulary, positions: rows of the token embedding and of a learned position embedding (0:
            sinusoidal).
        decoder_blocks: blocks with cross attention (an encoder-decoder).
        bert: adds the two segment vectors and the pooler, and normalises the embeddings instead of the end.

    GPT-2's and BERT's stacks end (or begin) with one more layer normalisation; the encoder-decoder of 2017 has none.
    """
    hidden = 4 * width if hidden is None else hidden
    parameters = (vocabulary + positions) * width + blocks * transformer_block(width, hidden)
    if decoder_blocks:
        return parameters + decoder_blocks * transformer_block(width, hidden, cross=True)
    return parameters + 2 * width + (2 * width + width**2 + width if bert else 0)


def transformer_products(blocks, width, vocabulary, context, hidden=None):
    """Return the multiply-adds per token of a one-stack Transformer that sees `context` tokens, logits included.

    Every weight matrix once, 4 d^2 + 2 d h a block and V d for the logits; scores and weighted sums, 2 d a token seen.
    A causal mask saves nothing here: all pairs are computed, as Keras does.
    """
    hidden = 4 * width if hidden is None else hidden
    return blocks * (4 * width**2 + 2 * width * hidden + 2 * context * width) + vocabulary * width
