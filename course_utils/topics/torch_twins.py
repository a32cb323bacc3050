"""The PyTorch half of chapter 10: two networks of beginners, their training loop, and what single layers compute.

This is the only module that needs PyTorch (an optional install: `pip install torch`). Everything it computes is recorded in
`data/pytorch_twins.npz`, so that a reader without PyTorch sees the same comparison. To make that file again:

    python -m course_utils.topics.torch_twins
"""

import inspect
import json

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from course_utils import datasets
from course_utils.topics import pytorch_twins


class Perceptron(nn.Module):
    """784-128-10, as in the common beginner's listing; returns logits."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(28 * 28, 128)
        self.output = nn.Linear(128, 10)

    def forward(self, images):  # (batch, 1, 28, 28)
        x = torch.flatten(images, 1)  # (batch, 784)
        x = functional.relu(self.hidden(x))  # (batch, 128)
        return self.output(x)  # (batch, 10)


class PaddedCNN(nn.Module):
    """Two padded convolutions, 32 and 64 channels, and a dense layer of 128; returns logits."""

    def __init__(self):
        super().__init__()
        self.conv_1 = nn.Conv2d(1, 32, kernel_size=3, padding=1)
        self.conv_2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(64 * 7 * 7, 128)
        self.output = nn.Linear(128, 10)

    def forward(self, images):  # (batch, 1, 28, 28)
        x = self.pool(functional.relu(self.conv_1(images)))  # (batch, 32, 14, 14)
        x = self.pool(functional.relu(self.conv_2(x)))  # (batch, 64, 7, 7)
        x = torch.flatten(x, 1)  # (batch, 3136): channel by channel
        x = functional.relu(self.hidden(x))  # (batch, 128)
        return self.output(x)  # (batch, 10)


NETWORKS = {"perceptron": Perceptron, "padded_cnn": PaddedCNN}
OPTIMIZERS = {
    "perceptron": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9),
    "padded_cnn": lambda parameters: torch.optim.Adam(parameters, lr=0.001),
}


def train(model, optimizer, batches):
    """Take one step for each batch; return the losses."""
    criterion = nn.CrossEntropyLoss()  # takes logits
    losses = []
    model.train()
    for images, labels in batches:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def network(name, state):
    """Return the network `name` in float64 with the weights of `state`, {name: NumPy array}."""
    model = NETWORKS[name]().double()
    model.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    return model


def twin(name):
    """Return what a twin must reproduce: logits before the training, losses, and the weights after it.

    Of each parameter are kept the norm, and the part that belongs to the first two outputs.
    """
    model = network(name, pytorch_twins.starting_state(name))
    batches = [
        (torch.from_numpy(images), torch.from_numpy(labels)) for images, labels in pytorch_twins.batches()
    ]
    with torch.no_grad():
        logits = model(batches[0][0][:8])
    losses = train(model, OPTIMIZERS[name](model.parameters()), batches)
    result = {f"{name}.logits": logits.numpy(), f"{name}.losses": np.array(losses)}
    for key, value in model.state_dict().items():
        result[f"{name}.after.{key}"] = value[:2].numpy()
        result[f"{name}.norm.{key}"] = value.norm().numpy()
    return result


def layers():
    """Return what single layers and the loss compute on `pytorch_twins.small_arrays`."""
    small = {key: torch.from_numpy(value) for key, value in pytorch_twins.small_arrays().items()}
    norm = nn.BatchNorm1d(3).double()
    with torch.no_grad():
        result = {
            "conv.stride_2": functional.conv2d(small["image"], small["kernel"], stride=2, padding=1),
            "average_pool.padded": functional.avg_pool2d(torch.ones(1, 1, 4, 4), 3, stride=1, padding=1),
            "cross_entropy": functional.cross_entropy(small["logits"], small["labels"]),
            "cross_entropy.of_probabilities": functional.cross_entropy(
                small["logits"].softmax(1), small["labels"]
            ),
            "batch_norm.training": norm(small["rows"]),  # and renews the running statistics
            "batch_norm.running_mean": norm.running_mean,
            "batch_norm.running_var": norm.running_var,
            "batch_norm.evaluation": norm.eval()(small["rows"]),
        }
        for kind, layer in {
            "lstm": nn.LSTM(3, 4, batch_first=True),
            "gru": nn.GRU(3, 4, batch_first=True),
        }.items():
            state = {key.split(".")[1]: value for key, value in small.items() if key.startswith(kind)}
            layer.double().load_state_dict(state)
            result[f"{kind}.outputs"] = layer(small["sequence"])[0]
    return {key: value.numpy() for key, value in result.items()}


def optimizers():
    """Return where SGD's momentum goes when the rate drops, Adam at tiny gradients, AdamW without a gradient."""
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.02, momentum=0.9)
    path = [weight.item()]
    for step in range(40):
        optimizer.param_groups[0]["lr"] = 0.02 if step < 10 else 0.002
        optimizer.zero_grad()
        (weight**2 / 2).sum().backward()
        optimizer.step()
        path.append(weight.item())

    gradient = torch.from_numpy(pytorch_twins.small_arrays()["gradient"])
    moved = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([moved])
    for _ in range(3):
        moved.grad = gradient.clone()
        adam.step()

    decayed = torch.ones(1, dtype=torch.float64, requires_grad=True)
    adamw = torch.optim.AdamW([decayed])
    decayed.grad = torch.zeros_like(decayed)
    adamw.step()
    found = {"adam.moved": moved, "adamw.decayed": decayed}
    return {"sgd.path": np.array(path)} | {key: value.detach().numpy() for key, value in found.items()}


def initial_weights():
    """Return the standard deviation and the largest size of freshly made weights."""
    torch.manual_seed(0)
    made = {
        "linear": nn.Linear(784, 128).weight,
        "linear_bias": nn.Linear(784, 1280).bias,
        "conv": nn.Conv2d(32, 64, 3).weight,
        "embedding": nn.Embedding(1000, 64).weight,
    }
    return {
        f"initial.{name}": np.array([weight.std().item(), weight.abs().max().item()])
        for name, weight in made.items()
    }


DEFAULTS = {
    "Adam lr": (torch.optim.Adam, "lr"),
    "Adam eps": (torch.optim.Adam, "eps"),
    "AdamW weight_decay": (torch.optim.AdamW, "weight_decay"),
    "SGD lr": (torch.optim.SGD, "lr"),
    "RMSprop lr": (torch.optim.RMSprop, "lr"),
    "RMSprop alpha": (torch.optim.RMSprop, "alpha"),
    "Adagrad initial_accumulator_value": (torch.optim.Adagrad, "initial_accumulator_value"),
    "BatchNorm2d momentum": (nn.BatchNorm2d, "momentum"),
    "BatchNorm2d eps": (nn.BatchNorm2d, "eps"),
    "LayerNorm eps": (nn.LayerNorm, "eps"),
    "GroupNorm eps": (nn.GroupNorm, "eps"),
    "LeakyReLU negative_slope": (nn.LeakyReLU, "negative_slope"),
    "Dropout p": (nn.Dropout, "p"),
}


def defaults():
    """Return the defaults of this PyTorch, read from its signatures: {"Adam eps": 1e-08, ...}."""
    return {
        name: float(inspect.signature(kind.__init__).parameters[argument].default)
        for name, (kind, argument) in DEFAULTS.items()
    }


def everything():
    """Return all that the chapter compares with: {name: array}, and the defaults as JSON."""
    result = {}
    for part in (twin("perceptron"), twin("padded_cnn"), layers(), optimizers(), initial_weights()):
        result |= part
    return result | {
        "defaults": np.array(json.dumps(defaults())),
        "version": np.array(torch.__version__.split("+")[0]),
    }


if __name__ == "__main__":
    path = datasets.DATA_DIRECTORY / "pytorch_twins.npz"
    found = everything()
    large = {key for key, value in found.items() if value.size > 1_000}  # six digits are enough for these
    np.savez_compressed(
        path, **{key: np.float32(value) if key in large else value for key, value in found.items()}
    )
    print(
        f"{path.name}: {path.stat().st_size:,} bytes, PyTorch {found['version']}; renew its line in SHA256SUMS"
    )
