"""What two frameworks must share to be compared: starting weights, digits and small arrays, made by NumPy alone.

Everything here is in PyTorch's names and layouts, because that is where the reader of chapter 10 comes from: a "state" is a dict
like `model.state_dict()`, with NumPy arrays. `topics/torch_twins.py` loads it in PyTorch, the chapter carries it to Keras.
"""

import io
import json
from dataclasses import dataclass, field

import numpy as np

from course_utils import datasets
from course_utils.checking import expect, one_of

# name of the network -> name of the parameter -> shape: dense (out, in), convolution (out, in, height, width)
SHAPES = {
    "perceptron": {
        "hidden.weight": (128, 784),
        "hidden.bias": (128,),
        "output.weight": (10, 128),
        "output.bias": (10,),
    },
    "padded_cnn": {
        "conv_1.weight": (32, 1, 3, 3),
        "conv_1.bias": (32,),
        "conv_2.weight": (64, 32, 3, 3),
        "conv_2.bias": (64,),
        "hidden.weight": (128, 64 * 7 * 7),
        "hidden.bias": (128,),
        "output.weight": (10, 128),
        "output.bias": (10,),
    },
}


def starting_state(name, seed=0):
    r"""Return starting weights as PyTorch draws them, uniform in $\pm 1 / \sqrt{\text{fan in}}$, in float64.

    The distribution is that of `torch.nn.Linear` and `torch.nn.Conv2d` (weights and biases); the numbers come from NumPy.

    Args:
        name: "perceptron" (784-128-10) or "padded_cnn" (convolutions 32 and 64, dense 128).
        seed: a whole number; the recorded file belongs to seed 0.

    Returns: {"hidden.weight": (out, in) array, "hidden.bias": (out,) array, ...} in the network's order.
    Raises: ValueError for another name.
    """
    one_of(tuple(SHAPES), name=name)
    random, state = np.random.default_rng(seed), {}
    for parameter, shape in SHAPES[name].items():
        layer = parameter.split(".")[0]
        fan_in = np.prod(SHAPES[name][f"{layer}.weight"][1:])
        state[parameter] = random.uniform(-1, 1, size=shape) / np.sqrt(fan_in)
    return state


def batches(steps=10, size=16):
    """Return the first training digits as `steps` pairs: images (size, 1, 28, 28) in float64, 0 to 1, and labels (size,).

    Raises: ValueError if MNIST has fewer digits than asked for.
    """
    digits = datasets.mnist()
    most = len(digits.x_train)
    wanted = f"总数应为 1 到 {most:,}", f"1 to {most:,} digits in all"
    expect(0 < steps * size <= most, "steps, size", *wanted, f"{steps} × {size}")
    images = digits.x_train[: steps * size, np.newaxis] / 255  # (steps * size, 1, 28, 28)
    labels = digits.y_train[: steps * size].astype("int64")
    return [
        (images[start : start + size], labels[start : start + size]) for start in range(0, steps * size, size)
    ]


def small_arrays():
    """Return the small arrays of the single-layer comparisons, from a fixed seed, in PyTorch's layouts (float64)."""
    random = np.random.default_rng(10)
    bound = 0.5
    return {
        "image": random.normal(size=(1, 1, 6, 6)),
        "kernel": random.normal(size=(1, 1, 3, 3)),
        "rows": random.normal(2.0, 3.0, size=(8, 3)),  # for batch normalisation: (batch, features)
        "logits": random.normal(0.0, 3.0, size=(4, 3)),
        "labels": np.array([0, 2, 1, 2]),
        "gradient": np.array([1e-2, 1e-5, 1e-7, 1e-9]),  # for Adam
        "sequence": random.normal(size=(2, 5, 3)),  # (batch, time, features)
        "lstm.weight_ih_l0": random.uniform(-bound, bound, size=(4 * 4, 3)),  # gates i, f, g, o; 4 units each
        "lstm.weight_hh_l0": random.uniform(-bound, bound, size=(4 * 4, 4)),
        "lstm.bias_ih_l0": random.uniform(-bound, bound, size=4 * 4),
        "lstm.bias_hh_l0": random.uniform(-bound, bound, size=4 * 4),
        "gru.weight_ih_l0": random.uniform(-bound, bound, size=(3 * 4, 3)),  # gates r, z, n
        "gru.weight_hh_l0": random.uniform(-bound, bound, size=(3 * 4, 4)),
        "gru.bias_ih_l0": random.uniform(-bound, bound, size=3 * 4),
        "gru.bias_hh_l0": random.uniform(-bound, bound, size=3 * 4),
    }


# ---------------------------------------------------------------- what PyTorch computed


@dataclass(frozen=True)
class PyTorchTwins:
    """What PyTorch computed for chapter 10: `arrays["perceptron.losses"]` and others, and some of its `defaults`."""

    arrays: dict = field(repr=False)  # name -> array, see topics/torch_twins.py, which made them
    defaults: dict = field(repr=False)  # "Adam eps" -> 1e-08
    version: str  # of the PyTorch that computed them
    description: str


def recorded():
    """Return what `python -m course_utils.topics.torch_twins` recorded, for readers without PyTorch."""
    with np.load(io.BytesIO(datasets.read("pytorch_twins.npz")), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    defaults, version = json.loads(str(arrays.pop("defaults"))), str(arrays.pop("version"))
    return PyTorchTwins(
        arrays=arrays,
        defaults=defaults,
        version=version,
        description=f"what PyTorch {version} computed for chapter 10, 51 kB · PyTorch 的计算结果\n"
        "source · 来源: course_utils/topics/torch_twins.py\n"
        "licence · 许可: the course's own, Apache-2.0",
    )
