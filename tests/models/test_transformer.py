"""The course's Transformers: masks that hide what they should, counts, saving, and one position at a time."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from course_utils.models import attention_lstm, transformer

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"size": 16, "heads": 2, "hidden": 32, "dropout": 0.3}


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture(scope="module")
def models():
    with_seed = keras.utils.set_random_seed
    with_seed(5)
    built = {
        "decoder_only": transformer.decoder_only(11, 12, blocks=2, **SMALL),
        "decoder_post": transformer.decoder_only(11, 12, blocks=2, normalise_first=False, **SMALL),
        "encoder_only": transformer.encoder_only(11, 12, blocks=2, **SMALL),
        "encoder_decoder": transformer.encoder_decoder(
            9, 11, 12, 12, encoder_blocks=2, decoder_blocks=2, **SMALL
        ),
        "attention_lstm": attention_lstm.encoder_decoder(9, 11, size=16, units=16),
    }
    generator = np.random.default_rng(3)
    for model in built.values():  # biases and normalisations start at 0 and 1: give each its own value
        model.set_weights([w + generator.normal(0, 0.1, w.shape).astype("float32") if w.dtype == "float32" else w
                           for w in model.get_weights()])  # fmt: skip
    return built


@pytest.fixture
def tokens():
    return np.random.default_rng(0).integers(1, 9, (3, 7)).astype("int32")


@pytest.mark.parametrize("name", ["decoder_only", "decoder_post"])
def test_future_tokens_change_nothing(models, tokens, name):
    changed = tokens.copy()
    changed[:, 4:] = (changed[:, 4:] + 3) % 8 + 1
    one, other = numbers(models[name](tokens)), numbers(models[name](changed))
    np.testing.assert_allclose(one[:, :4], other[:, :4], atol=1e-6)
    assert np.abs(one[:, 4:] - other[:, 4:]).max(axis=(1, 2)).min() > 1e-3


@pytest.mark.parametrize("name", ["encoder_decoder", "attention_lstm"])
def test_future_targets_and_padding_change_nothing(models, tokens, name):
    model, source = models[name], tokens.copy()
    source[0, 5:] = 0
    changed = tokens.copy()
    changed[:, 4:] = (changed[:, 4:] + 3) % 8 + 1
    one = numbers(model({"source": source, "target": tokens}))
    np.testing.assert_allclose(
        one[:, :4], numbers(model({"source": source, "target": changed}))[:, :4], atol=1e-6
    )
    longer = np.pad(source, ((0, 0), (0, 4)))
    np.testing.assert_allclose(one, numbers(model({"source": longer, "target": tokens})), atol=1e-6)
    source[0, 4] = source[0, 4] % 8 + 1  # a real letter does change something, everywhere in its row only
    other = numbers(model({"source": source, "target": tokens}))
    assert np.abs(one[0] - other[0]).max(axis=-1).min() > 1e-6
    np.testing.assert_array_equal(one[1:], other[1:])


def test_encoder_reads_both_ways_and_ignores_padding(models, tokens):
    model = models["encoder_only"]
    one = numbers(model(tokens))
    longer = numbers(model(np.pad(tokens, ((0, 0), (0, 5)))))
    np.testing.assert_allclose(one, longer[:, :7], atol=1e-6)
    changed = tokens.copy()
    changed[:, 6] = changed[:, 6] % 8 + 1
    assert np.abs(one[:, 0] - numbers(model(changed))[:, 0]).max() > 1e-4


def test_parameters_by_formula():
    """Attention 4 (d² + d), dense 2 d h + h + d, normalisations 2 d each; embeddings and logits beside them."""
    d, h, vocabulary, length = 16, 32, 11, 12
    block = 4 * (d * d + d) + 2 * d * h + h + d + 2 * 2 * d
    model = transformer.decoder_only(vocabulary, length, blocks=3, **SMALL)
    assert (
        model.count_params() == vocabulary * d + length * d + 3 * block + 2 * d + d * vocabulary + vocabulary
    )
    model = transformer.encoder_decoder(
        9, vocabulary, length, length, encoder_blocks=2, decoder_blocks=1, **SMALL
    )
    crossed = block + 4 * (d * d + d) + 2 * d
    embeddings = 9 * d + vocabulary * d  # sinusoidal positions have no parameters
    assert model.count_params() == embeddings + 2 * block + crossed + 2 * 2 * d + d * vocabulary + vocabulary
    assert len(model.trainable_variables) == len(model.weights)


@pytest.mark.parametrize("name", ["decoder_only", "encoder_decoder", "attention_lstm"])
def test_stepping_gives_the_whole_models_numbers(models, tokens, name):
    model = models[name]
    source = tokens.copy()
    source[0, 5:] = 0
    whole = numbers(model(tokens if name == "decoder_only" else {"source": source, "target": tokens}))
    stepper = (attention_lstm if name == "attention_lstm" else transformer).Stepper(model)
    state = stepper.start(batch=3) if name == "decoder_only" else stepper.start(source=source)
    for time in range(tokens.shape[1]):
        logits, state = stepper.step(tokens[:, time], state)
        np.testing.assert_allclose(numbers(logits), whole[:, time], atol=2e-6)


@pytest.mark.parametrize("name", ["decoder_only", "encoder_decoder", "attention_lstm"])
def test_reordered_state_goes_on_as_its_row_would(models, tokens, name):
    model = models[name]
    stepper = (attention_lstm if name == "attention_lstm" else transformer).Stepper(model)
    state = stepper.start(batch=3) if name == "decoder_only" else stepper.start(source=tokens)
    for time in range(3):
        _, state = stepper.step(tokens[:, time], state)
    rows = np.array([2, 0, 0, 1])
    kept, _ = stepper.step(tokens[:, 3], state)
    moved, _ = stepper.step(tokens[rows, 3], stepper.reorder(state, rows))
    np.testing.assert_allclose(numbers(moved), numbers(kept)[rows], atol=1e-6)


def test_stepper_wants_a_decoder_that_normalises_first(models):
    for name in ("encoder_only", "decoder_post"):
        with pytest.raises(ValueError, match="expected a model of decoder_only"):
            transformer.Stepper(models[name])


def test_saved_models_reload_in_a_new_process(models, tokens, tmp_path):
    names = ["decoder_only", "decoder_post", "encoder_only", "encoder_decoder"]
    expected = {}
    for name in names:
        models[name].save(tmp_path / f"{name}.keras")
        inputs = {"source": tokens, "target": tokens} if name == "encoder_decoder" else tokens
        expected[name] = numbers(models[name](inputs))
    np.savez(tmp_path / "numbers.npz", tokens=tokens, **expected)
    script = (
        "import keras, numpy as np\n"
        "from course_utils.models import transformer\n"
        f"stored = np.load({str(tmp_path / 'numbers.npz')!r})\n"
        "tokens = stored['tokens']\n"
        f"for name in {names}:\n"
        f"    model = keras.models.load_model({str(tmp_path)!r} + '/' + name + '.keras')\n"
        "    inputs = dict(source=tokens, target=tokens) if name == 'encoder_decoder' else tokens\n"
        "    np.testing.assert_allclose(np.asarray(model(inputs)), stored[name], atol=1e-6)\n"
    )
    finished = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert finished.returncode == 0, finished.stderr[-2000:]


def test_attention_lstm_reloads_without_the_course(models, tokens, tmp_path):
    """Keras' own layers only: a process that never heard of the course can load it."""
    path = tmp_path / "model.keras"
    models["attention_lstm"].save(path)
    script = f"import keras\nprint(keras.models.load_model({str(path)!r}).count_params())"
    finished = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert finished.stdout.split()[-1:] == [str(models["attention_lstm"].count_params())], finished.stderr[
        -2000:
    ]


def test_dropout_acts_while_training_only(models, tokens):
    model = models["decoder_only"]
    np.testing.assert_array_equal(numbers(model(tokens)), numbers(model(tokens, training=False)))
    assert np.abs(numbers(model(tokens, training=True)) - numbers(model(tokens))).max() > 1e-3


def test_attention_weights_are_those_of_the_block(models, tokens):
    """Weights sum to 1, never look ahead or at padding, and average the values into the layer's own output."""
    block = models["encoder_decoder"].get_layer("decoder_block_1")
    generator = np.random.default_rng(1)
    x, memory = (
        generator.normal(size=(2, 5, 16)).astype("float32"),
        generator.normal(size=(2, 6, 16)).astype("float32"),
    )
    memory_mask = np.ones((2, 6), bool)
    memory_mask[0, 4:] = False
    own, cross = (numbers(w) for w in block.attention_weights(x, None, memory, memory_mask))
    assert own.shape == (2, 2, 5, 5) and cross.shape == (2, 2, 5, 6)
    np.testing.assert_allclose(own.sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(cross.sum(-1), 1, atol=1e-6)
    assert np.abs(np.triu(own, 1)).max() == 0 and np.abs(cross[0, :, :, 4:]).max() < 1e-8
    y = block.attention_norm(x)
    values = numbers(block.attention.value_dense(y))  # (batch, time, heads, size)
    by_hand = block.attention.output_dense(np.einsum("bhqk,bkhd->bqhd", own, values))
    np.testing.assert_allclose(
        numbers(block.attention(y, y, use_causal_mask=True)), numbers(by_hand), atol=1e-5
    )


def test_positions_matter_unless_there_are_none(tokens):
    keras.utils.set_random_seed(0)
    turned = tokens[:, ::-1].copy()
    for positions, differs in [("none", False), ("learned", True), ("sinusoidal", True)]:
        model = transformer.encoder_only(11, 12, blocks=1, positions=positions, **SMALL)
        gap = np.abs(numbers(model(tokens))[:, ::-1] - numbers(model(turned))).max()
        assert (gap > 1e-3) == differs, positions


def test_the_type_asked_for_reaches_every_weight():
    embedding = transformer.TokensAndPositions(11, 12, 8, positions="learned", dtype="float64")
    x = embedding(np.array([[1, 2, 3]]))
    block = transformer.Block(8, 2, 16, cross=True, dtype="float64")
    y = block(x, memory=x)
    assert {weight.dtype for weight in embedding.weights + block.weights} == {"float64"}
    assert keras.backend.standardize_dtype(y.dtype) == "float64"
    again = transformer.Block.from_config(block.get_config())  # the type is kept in a saved model
    again(x, memory=x)
    assert again.expand.kernel.dtype == "float64"


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="size: .*a multiple of 4; found 10"):
        transformer.Block(10, 4, 8)
    with pytest.raises(ValueError, match="found 'rotary'"):
        transformer.TokensAndPositions(5, 5, 8, positions="rotary")
    with pytest.raises(ValueError, match="found 7"):
        attention_lstm.encoder_decoder(9, 9, units=7)
