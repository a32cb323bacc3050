# %% [markdown] lang="en" reads=["seeds-10"] telling=["faithful.test_accuracy", "no_logits.test_accuracy", "flatten_naive.accuracy"]
# # 10 From PyTorch to Keras
#
# Most of what you will want to read is written in PyTorch, and this course is written in Keras. When the two disagree
# loudly, with an error, you lose ten minutes. This chapter is about the quiet disagreements: programs that run,
# train, and give wrong numbers.
#
# The picture shows one of them. Both curves are SGD with momentum, on the same function, from the same start, with
# the same learning rate. For ten steps they are one curve. Then the learning rate drops, and the two frameworks go
# different ways. You will find the one line in the formula that does it.
#
# **By the end you will be able to**
#
# - carry weights of dense, convolutional, normalising and recurrent layers from PyTorch to Keras, and check that they
#   arrived;
# - name the differences that raise no error: axis order, `Flatten`, padding, defaults, momentum, epsilon;
# - reproduce PyTorch's SGD and Adam step by step, and say where Keras's optimisers differ;
# - measure what a forgotten default costs;
# - translate a training loop, and look names up in a phrase book that is checked each time it runs.
#
# **Before you start:** convolution (chapter 2), logits and losses (4), optimisers (5), batch normalisation (2a), LSTM
# and GRU (6). You do not need PyTorch: what it computes is recorded in a small file. If it is installed
# (`pip install torch`), the notebook computes everything anew, and needs more memory than stated.

# %% [markdown] lang="zh" of="8d9ddbd7"
# # 10 从 PyTorch 到 Keras
#
# 你将来想读的代码，多半是用 PyTorch 写的，而这门课用的是 Keras。两边不合时如果报错，不过耽误你十分钟。
# 这一章讲的是不报错的那些：程序照样运行，照样训练，只是结果不对。
#
# 下图就是一例。两条曲线都是带动量的 SGD，函数相同，起点相同，学习率也相同。前十步完全重合；学习率一降，
# 两个框架就各走各的了。原因就在公式的一行里，你会亲手把它找出来。
#
# **学完这一章，你能够**
#
# - 把全连接层、卷积层、归一化层和循环层的权重从 PyTorch 搬到 Keras，并核对它们确实搬到了；
# - 说出那些不报错的差别：轴的顺序、`Flatten`、填充、默认值、动量、epsilon；
# - 一步一步复现 PyTorch 的 SGD 和 Adam，并说清 Keras 的优化器与它们差在哪里；
# - 测出忘掉一个默认值要付出多大代价；
# - 翻译一个训练循环，会查一本每次运行都重新核对的对照表。
#
# **预备知识：** 卷积（第 2 章）、logits 与损失（第 4 章）、优化器（第 5 章）、批量归一化（第 2a 章）、LSTM 与 GRU（第 6 章）。
# 不必安装 PyTorch，它的计算结果已经记录在一个小文件里；如果装了（`pip install torch`），就会当场重算一遍，
# 所需内存也比标出的多。

# %% tags=["setup"]
# Finds the course: installed, in the repository, beside a learner's copy, on Binder, Colab or Kaggle.
import sys
from pathlib import Path

unpacked = [*Path("/content").glob("*"), *Path("/kaggle/input").glob("*"), *Path("/kaggle/input").glob("*/*")]
places = [*map(Path, sys.path), Path.cwd(), *Path.cwd().parents, *unpacked]
course = next((place for place in places if (place / "course_utils" / "profiles.py").exists()), None)
if course is None:
    raise ModuleNotFoundError(
        "找不到 course_utils：请上传并解压课程的 ZIP 包 · course_utils not found: upload and unzip the course's ZIP file"
    )
sys.path.insert(0, str(course))
from course_utils import quiet  # noqa: F401 - TensorFlow, without its start-up lines

# %%
import ast
import importlib.util
import inspect
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.topics import pytorch_twins
from course_utils.profiles import choose
from course_utils.reference import normalization, optimizers

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("10")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: same numbers, different order
#
# A colour image has a height, a width and channels. PyTorch stores it as (channels, height, width), Keras on
# TensorFlow as (height, width, channels). With N for the batch, these two layouts are called NCHW and NHWC. The
# numbers are the same; only their order in memory differs.
#
# As long as a program asks for a number by its three coordinates, nothing can go wrong. `Flatten`, however, throws
# the coordinates away, and the dense layer behind it knows its inputs by their position alone.
#
# **Predict:** a feature map of 2 × 2 positions and two channels is flattened. In which order do the eight numbers
# come out, in each framework?

# %% [markdown] lang="zh" of="d0c9cd69" tags=["predict"]
# ## 核心思想：数相同，次序不同
#
# 一幅彩色图像有高、宽和通道。PyTorch 存成（通道，高，宽），TensorFlow 上的 Keras 存成（高，宽，通道）。
# 加上代表批的 N，这两种排法分别叫 NCHW 和 NHWC。数一个也没变，变的只是它们在内存里的次序。
#
# 只要程序用三个坐标去取数，就不会出错。可是 `Flatten` 把坐标扔掉了，后面的全连接层只认位置。
#
# **先猜：** 一张 2 × 2、两个通道的特征图展平之后，八个数在两个框架里各按什么次序排列？

# %%
letters = np.array([["a", "b", "c", "d"], ["A", "B", "C", "D"]]).reshape(2, 2, 2)  # (channels, height, width)
orders = {"channel 0": letters[0], "channel 1": letters[1], "PyTorch: channel by channel": letters.reshape(1, 8),
          "Keras: place by place": np.moveaxis(letters, 0, -1).reshape(1, 8)}
figure, axes = plt.subplots(1, 4, figsize=(10, 1.7), width_ratios=[2, 2, 8, 8])
for axis, (title, picture) in zip(axes, orders.items(), strict=True):
    second = np.char.isupper(picture)  # the second channel is dark and in capitals
    axis.imshow(second, cmap="Blues", vmin=-0.4, vmax=1.3)
    axis.set(title=title, xticks=[], yticks=[])
    axis.grid(visible=False)
    for (row, column), letter in np.ndenumerate(picture):
        axis.text(column, row, letter, ha="center", va="center", fontsize=14, color="w" if second[row, column] else "k")
plots.show(
    figure,
    alt="Two channels of two by two letters, a to d and A to D. PyTorch flattens to a b c d A B C D, Keras to "
    "a A b B c C d D.",
    alt_zh="两个通道，各为 2×2 的字母：a 到 d 和 A 到 D。PyTorch 展平为 a b c d A B C D，Keras 展平为 a A b B c C d D。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** PyTorch writes out one channel after the other; Keras writes out one position after the other, all
# channels of it together. Both have eight numbers, so no shape will ever tell you that they are mixed up.
#
# ## Two networks of the common listings
#
# If you learned PyTorch from a tutorial, you have written these two networks: a perceptron 784-128-10, trained by SGD
# with a momentum of 0.9, and a padded CNN with 32 and 64 channels and a dense layer of 128, trained by Adam.
#
# To compare frameworks, share **numbers, not seeds**: in another library, the same seed gives different numbers. So
# NumPy draws the initial weights, from PyTorch's distribution, and both sides load them. What PyTorch computes from
# there has been recorded in the arrays of `pytorch`; the first cell says whether it was also computed anew.
#
# Then come both sides of the networks, PyTorch's printed from the file that ran. A PyTorch module declares its layers
# in `__init__` and uses them in `forward`. In Keras, the order of the list *is* the forward pass, and each layer
# finds out its input size by itself. The layers carry the same names on both sides; that is how the weights will find
# their layer.

# %% [markdown] lang="zh" of="b48fcf57" tags=["answer"]
# **答案。** PyTorch 一个通道接一个通道地写；Keras 一个位置接一个位置地写，同一位置的各个通道排在一起。
# 两边都是八个数，所以次序乱了，从形状上永远看不出来。
#
# ## 常见入门代码里的两个网络
#
# 照教程学过 PyTorch 的人都写过这两个网络：一个是 784-128-10 的感知机，用动量 0.9 的 SGD 训练；另一个是带填充的 CNN，
# 通道数 32 和 64，后接 128 个单元的全连接层，用 Adam 训练。
#
# 要比较两个框架，该共用的是**数值，而不是随机种子**，因为同一个种子换一个库就会给出不同的数。所以初始权重由 NumPy 按 PyTorch 的分布抽取，
# 两边各自载入。PyTorch 从这里算出的一切都记录在 `pytorch` 的各个数组里；下面第一个单元会说明这次有没有当场重算。
#
# 接着是两边的网络，PyTorch 的代码直接取自运行过的文件。PyTorch 的模块在 `__init__` 里声明各层，在 `forward` 里使用它们；
# Keras 里列表的顺序就是前向计算，每一层的输入有多大也由它自己弄清楚。两边的层取了相同的名字，权重就凭名字对号入座。

# %% tags=["nbval-ignore-output"]
recorded = pytorch_twins.recorded()
pytorch, has_pytorch = recorded.arrays, importlib.util.find_spec("torch") is not None
if has_pytorch:
    from course_utils.topics import torch_twins

    live = torch_twins.everything()
    for name, array in recorded.arrays.items():
        assert np.allclose(live[name], array, rtol=1e-5, atol=1e-6), f"{name}: 与记录不同 · differs from the record"
    pytorch = {name: live[name] for name in recorded.arrays}
    print(f"PyTorch {live['version']}: 当场重算，{len(pytorch)} 个数组与记录相等 · computed anew, equal to the record")
else:
    print(f"没有安装 PyTorch，使用 PyTorch {recorded.version} 的记录 · PyTorch is not installed: its record is used")

# %%
torch_side = ast.parse(text := (course / "course_utils" / "topics" / "torch_twins.py").read_text(encoding="utf-8"))
torch_code = {node.name: ast.get_source_segment(text, node) for node in torch_side.body if hasattr(node, "name")}
print(torch_code["Perceptron"], torch_code["PaddedCNN"], sep="\n\n\n")

# %%
def keras_twin(name, dtype="float64"):
    """The Keras twin of one of the two PyTorch networks; images (batch, 28, 28, 1) in, logits (batch, 10) out."""
    body = {
        "perceptron": [],
        "padded_cnn": [
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv_1", dtype=dtype),
            layers.MaxPooling2D(2, dtype=dtype),  # (batch, 14, 14, 32)
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv_2", dtype=dtype),
            layers.MaxPooling2D(2, dtype=dtype),  # (batch, 7, 7, 64)
        ],
    }[name]
    head = [
        layers.Flatten(dtype=dtype),
        layers.Dense(128, activation="relu", name="hidden", dtype=dtype),
        layers.Dense(10, name="output", dtype=dtype),
    ]
    return keras.Sequential([keras.Input((28, 28, 1), dtype=dtype), *body, *head])


for name in pytorch_twins.SHAPES:
    counted = sum(array.size for array in pytorch_twins.starting_state(name).values())
    print(f"{name:10} PyTorch {counted:,} parameters · 参数   Keras {keras_twin(name).count_params():,}")

# %% [markdown] lang="en"
# The two sides have the same number of parameters. That is necessary, and it proves nothing yet: a wrong order has
# the same number, too.
#
# ## Carrying weights: three rules
#
# **Dense.** PyTorch stores $W$ as (out, in) and computes $y = x W^{\mathsf T} + b$; Keras stores (in, out) and
# computes $y = x W + b$. So transpose.
#
# **Convolution.** PyTorch's kernel is (out, in, height, width), Keras's is (height, width, in, out): OIHW becomes
# HWIO. Both slide the kernel without flipping it (chapter 2).
#
# **Dense after Flatten.** Entry $(c, h, w)$ of a map with $C$ channels, height $H$ and width $W$ moves to position
#
# $$ \text{PyTorch:}\quad c\,H\,W + h\,W + w \qquad\qquad \text{Keras:}\quad h\,W\,C + w\,C + c $$
#
# So the columns of the PyTorch weight have to be permuted: give them back their three axes, move the channels to the
# end, flatten again. With one channel both orders agree, which is why the perceptron never needs this and the CNN
# does.
#
# The converter below is a table from layer type to rule. It refuses what is not in the table: a converter that
# guesses is worse than none.

# %% [markdown] lang="zh" of="0eeb0190"
# 两边的参数个数相同。这是必要条件，但还什么都说明不了：次序错了，参数个数也照样相同。
#
# ## 搬运权重：三条规则
#
# **全连接层。** PyTorch 把 $W$ 存成（输出，输入），计算 $y = x W^{\mathsf T} + b$；Keras 存成（输入，输出），
# 计算 $y = x W + b$。转置即可。
#
# **卷积。** PyTorch 的卷积核是（输出，输入，高，宽），Keras 的是（高，宽，输入，输出），即 OIHW 变成 HWIO。
# 两边滑动卷积核时都不翻转（第 2 章）。
#
# **Flatten 之后的全连接层。** 设特征图有 $C$ 个通道，高 $H$，宽 $W$，元素 $(c, h, w)$ 展平后的位置是
#
# $$ \text{PyTorch：}\quad c\,H\,W + h\,W + w \qquad\qquad \text{Keras：}\quad h\,W\,C + w\,C + c $$
#
# 所以 PyTorch 权重的各列要重新排列：先恢复三条轴，把通道移到最后，再展平。只有一个通道时两种次序相同，
# 因此感知机用不着这一步，CNN 却少不了。
#
# 下面的转换器是一张“层的类型 → 规则”的表。表里没有的，它一概拒绝：会瞎猜的转换器还不如没有。

# %%
def dense(state, maps):
    """`maps`: (height, width, channels) of the feature map that was flattened right before, or None."""
    weight = state["weight"]  # (out, in)
    if maps is not None:
        height, width, channels = maps
        weight = weight.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)  # (out, height, width, channels)
        weight = weight.reshape(len(weight), -1)  # (out, in), in Keras' order
    return [weight.T, state["bias"]]


def convolution(state, maps):
    return [state["weight"].transpose(2, 3, 1, 0), state["bias"]]  # OIHW -> HWIO


def batch_norm(state, maps):
    return [state["weight"], state["bias"], state["running_mean"], state["running_var"]]


def lstm(state, maps):  # both order the gates i, f, candidate, o; PyTorch adds two biases where Keras has one
    bias = state["bias_ih_l0"] + state["bias_hh_l0"]
    return [state["weight_ih_l0"].T, state["weight_hh_l0"].T, bias]


RULES = {layers.Dense: dense, layers.Conv2D: convolution, layers.BatchNormalization: batch_norm, layers.LSTM: lstm}

# %%
def carry_over(model, state):
    """Give a Keras model the weights of a PyTorch state {"layer.parameter": array}; layers are matched by name."""
    left, maps = dict(state), None
    for layer in model.layers:
        if isinstance(layer, layers.Flatten):
            maps = layer.input.shape[1:]
        if not layer.weights:
            continue  # pooling, dropout, activations
        if type(layer) not in RULES:
            raise TypeError(f"没有转换规则 · no rule for {type(layer).__name__}; known: {[k.__name__ for k in RULES]}")
        part = {key.split(".")[1]: left.pop(key) for key in state if key.split(".")[0] == layer.name}
        layer.set_weights(RULES[type(layer)](part, maps))
        maps = None  # only the first layer after Flatten sees its order
    if left:
        raise ValueError(f"没有用到的权重 · weights that found no layer: {', '.join(left)}")


strange = keras.Sequential([keras.Input((8, 4)), layers.Conv1D(2, 3, name="conv_1")])
try:
    carry_over(strange, {"conv_1.weight": np.zeros((2, 4, 3)), "conv_1.bias": np.zeros(2)})
except TypeError as error:
    print(error)

# %%
ten_batches = pytorch_twins.batches()  # ten times images (16, 1, 28, 28) and labels (16,)
for name in pytorch_twins.SHAPES:
    twin = keras_twin(name)
    carry_over(twin, pytorch_twins.starting_state(name))
    logits = twin(np.moveaxis(ten_batches[0][0][:8], 1, -1))  # NCHW -> NHWC
    proofs.equal({f"{name}: PyTorch's logits": pytorch[f"{name}.logits"], "Keras'": logits}, tolerance=1e-6)

# %% [markdown] lang="en" tags=["predict"]
# `Conv1D` is refused, and for both networks the logits agree.
#
# ## Ten steps of training
#
# Equal logits check the forward pass. Ten equal training steps check the loss, the gradients and the optimiser as
# well, and they catch what a forward pass cannot, such as a mean where a sum should be. Here is the loop in both
# frameworks.
#
# | PyTorch | Keras on TensorFlow |
# |---|---|
# | `optimizer.zero_grad()`: gradients add up until they are cleared | a `GradientTape` starts empty |
# | `loss.backward()` writes into `parameter.grad` | `tape.gradient(loss, variables)` returns the gradients |
# | `optimizer.step()` | `optimizer.apply(gradients, variables)` |
# | `model.train()`, `model.eval()`: a switch that stays set | `training=True`: an argument of each call |
# | `with torch.no_grad():` | no tape, no gradient |
#
# In daily work, `model.fit` does all of this. Everything here runs in float64, so that any difference left is one of
# method and not of rounding.
#
# First the perceptron with SGD: its ten losses, then its weights. (Of each parameter, the record keeps the norm and
# the part that belongs to the first two outputs; this part must equal the first two columns of Keras's kernel.) Then
# the CNN with Adam.
#
# **Predict:** with the same learning rate and the same epsilon, $10^{-8}$, will ten steps of `keras.optimizers.Adam`
# end where PyTorch's Adam ends?

# %% [markdown] lang="zh" of="fb1c1676" tags=["predict"]
# `Conv1D` 被拒绝了；两个网络的 logits 都对得上。
#
# ## 训练十步
#
# logits 一致，说明前向计算没错。十步训练都一致，才说明损失、梯度和优化器也没错；有些毛病前向计算看不出来，
# 例如该求和处求了平均，到这里也会现形。下面是同一个循环的两种写法。
#
# | PyTorch | TensorFlow 上的 Keras |
# |---|---|
# | `optimizer.zero_grad()`：梯度会一直累加，直到清零 | `GradientTape` 每次从空白开始 |
# | `loss.backward()` 把梯度写进 `parameter.grad` | `tape.gradient(loss, variables)` 把梯度作为结果返回 |
# | `optimizer.step()` | `optimizer.apply(gradients, variables)` |
# | `model.train()`、`model.eval()`：拨过去就一直有效的开关 | `training=True`：每次调用时的参数 |
# | `with torch.no_grad():` | 不开 tape，就没有梯度 |
#
# 平时这些全由 `model.fit` 代劳。这里一律用 float64，剩下的差别就只能来自方法，而不是舍入。
#
# 先看用 SGD 的感知机：先比十个损失，再比权重。（每个参数只记录了范数，以及属于前两个输出的那一部分；后者应当正好等于 Keras 权重的前两列。
# ）然后看用 Adam 的 CNN。
#
# **先猜：** 学习率相同，epsilon 也同为 $10^{-8}$，`keras.optimizers.Adam` 走十步，会停在 PyTorch 的 Adam 停下的地方吗？

# %%
print(torch_code["train"])  # PyTorch's loop; below, the same in Keras


def train(model, optimizer, batches):
    """One step for each batch of (images in PyTorch's layout, labels); returns the losses."""
    criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")
    losses = []
    for images, labels in batches:
        with tf.GradientTape() as tape:
            loss = criterion(labels, model(np.moveaxis(images, 1, -1), training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        losses.append(float(loss))
    return losses


def trained_twin(name, optimizer):
    model = keras_twin(name)
    carry_over(model, pytorch_twins.starting_state(name))
    return model, train(model, optimizer, ten_batches)


model, losses = trained_twin("perceptron", keras.optimizers.SGD(0.01, momentum=0.9))
print("losses · 损失:", np.round(losses, 4))
proofs.equal({"PyTorch's ten losses": pytorch["perceptron.losses"], "Keras'": losses}, tolerance=1e-6)

# %%
def differences(model, name):
    """{parameter: (largest difference of a weight, difference of the norms) from PyTorch's after ten steps}."""
    found, maps = {}, None
    for layer in model.layers:
        maps = layer.input.shape[1:] if isinstance(layer, layers.Flatten) else maps
        if layer.weights:
            key = f"{name}.after.{layer.name}"
            expected = RULES[type(layer)]({"weight": pytorch[f"{key}.weight"], "bias": pytorch[f"{key}.bias"]}, maps)
            for part, values, first in zip(("weight", "bias"), layer.get_weights(), expected, strict=True):
                norm = np.linalg.norm(values) - pytorch[f"{name}.norm.{layer.name}.{part}"]
                found[f"{layer.name}.{part}"] = np.max(np.abs(values[..., :2] - first)), abs(norm)
            maps = None
    return found


for parameter, both in differences(model, "perceptron").items():
    print(f"{parameter:13} differences · 差 < 1e-6: {max(both) < 1e-6}")

# %%
class AdamOfAlgorithm1(keras.optimizers.Adam):
    """Adam with epsilon where the paper's Algorithm 1 and PyTorch have it: beside the corrected root."""

    def update_step(self, gradient, variable, learning_rate):
        step, epsilon = ops.cast(self.iterations + 1, variable.dtype), self.epsilon
        self.epsilon = epsilon * ops.sqrt(1 - ops.power(ops.cast(self.beta_2, variable.dtype), step))
        super().update_step(gradient, variable, learning_rate)
        self.epsilon = epsilon


for optimizer in (keras.optimizers.Adam(0.001), keras.optimizers.Adam(0.001, epsilon=1e-8),
                  AdamOfAlgorithm1(0.001, epsilon=1e-8)):
    model, losses = trained_twin("padded_cnn", optimizer)
    weights, norms = np.max(list(differences(model, "padded_cnn").values()), axis=0)
    print(f"{type(optimizer).__name__:17} epsilon {optimizer.epsilon:g}: one weight is off by · 一个权重相差 "
          f"{weights / 0.001:.1f} × learning rate · 学习率;  all equal · 全部相等: {max(weights, norms) < 1e-5}")
proofs.equal({"PyTorch's ten losses": pytorch["padded_cnn.losses"], "AdamOfAlgorithm1's": losses})

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** No. SGD agrees to the last digit, but after ten steps of Adam some weight is off by more than a whole
# learning rate, even with the same epsilon. With Keras's own default epsilon it is off by several. A subclass that
# moves epsilon to where PyTorch has it makes all weights equal.
#
# ## Adam: one name, two positions of epsilon
#
# With $\hat m = m / (1 - \beta_1^t)$ and $\hat v = v / (1 - \beta_2^t)$, step $t$ is
#
# $$ \text{PyTorch:}\quad w \leftarrow w - \eta \frac{\hat m}{\sqrt{\hat v} + \epsilon} \qquad\qquad
#    \text{Keras:}\quad w \leftarrow w - \eta \frac{\hat m}{\sqrt{\hat v} + \epsilon / \sqrt{1 - \beta_2^t}} $$
#
# Both forms are in [the paper](https://arxiv.org/abs/1412.6980): PyTorch's is Algorithm 1, Keras's is the
# rearrangement printed right before section 2.1. At the first step, Keras's epsilon counts about 32 times as much,
# and its default, $10^{-7}$, is ten times PyTorch's.
#
# Where gradients are large, you will not notice. Where they are as small as epsilon, one optimiser moves and the
# other stays put. The cell takes three steps with constant gradients of four sizes. (AdamW's decay is alike in both,
# $w \leftarrow (1 - \eta \lambda)\, w$; only the default of $\lambda$ differs.)

# %% [markdown] lang="zh" of="aaf5e6ca" tags=["answer"]
# **答案。** 不会。SGD 连末位都一致；Adam 走十步之后，即使 epsilon 相同，也有权重相差不止一个学习率；若用 Keras 自己的默认 epsilon，
# 相差就有好几个。写个子类，把 epsilon 挪到 PyTorch 的位置上，所有权重就都对上了。
#
# ## Adam：同一个名字，epsilon 放在两个地方
#
# 记 $\hat m = m / (1 - \beta_1^t)$，$\hat v = v / (1 - \beta_2^t)$，第 $t$ 步是
#
# $$ \text{PyTorch：}\quad w \leftarrow w - \eta \frac{\hat m}{\sqrt{\hat v} + \epsilon} \qquad\qquad
#    \text{Keras：}\quad w \leftarrow w - \eta \frac{\hat m}{\sqrt{\hat v} + \epsilon / \sqrt{1 - \beta_2^t}} $$
#
# 两种形式都出自[原论文](https://arxiv.org/abs/1412.6980)：PyTorch 用的是算法 1，Keras 用的是 2.1 节之前给出的变形。
# 第一步时，Keras 的 epsilon 相当于放大到约 32 倍，而它的默认值 $10^{-7}$ 又是 PyTorch 的十倍。
#
# 梯度大的时候，你察觉不到。梯度小到与 epsilon 相当时，一个在走，另一个几乎原地不动。下面用四种大小的恒定梯度各走三步。
# （AdamW 的衰减两边一样，都是 $w \leftarrow (1 - \eta \lambda)\, w$，只是 $\lambda$ 的默认值不同。）

# %%
gradient, learning_rate = pytorch_twins.small_arrays()["gradient"], 0.001
algorithm_1, m, v = np.zeros(4), np.zeros(4), np.zeros(4)
for step in (1, 2, 3):
    m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
    algorithm_1 -= learning_rate * m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
reference, moved = optimizers.Adam(), [np.zeros(4)]  # Keras' defaults
variable, adam = keras.Variable(np.zeros(4), dtype="float64"), keras.optimizers.Adam()
for _ in range(3):
    moved = reference.update(moved, [gradient])
    adam.apply([ops.convert_to_tensor(gradient)], [variable])
proofs.equal({"PyTorch's Adam": pytorch["adam.moved"] / 0.003, "NumPy, Algorithm 1": algorithm_1 / 0.003})
proofs.equal({"Keras' Adam": variable.value / 0.003, "reference": moved[0] / 0.003})
decayed, adamw = keras.Variable(np.ones(1), dtype="float64"), keras.optimizers.AdamW(weight_decay=0.01)
adamw.apply([ops.zeros(1, dtype="float64")], [decayed])  # no gradient: all that happens is decay
proofs.equal({"PyTorch's AdamW lost": (1 - pytorch["adamw.decayed"]) / 1e-5, "Keras' lost": (1 - decayed.value) / 1e-5})
for size, one, other in zip(gradient, algorithm_1 / -0.003, moved[0] / -0.003, strict=True):
    print(f"gradient · 梯度 {size:.0e}:  share of a full step · 占整步的比例  PyTorch {one:.3f}   Keras {other:.3f}")

# %% [markdown] lang="en" tags=["predict"]
# The four last lines tell the story: with large gradients both take full steps; as the gradient approaches epsilon,
# Keras stops moving long before PyTorch does.
#
# ## Momentum: equal until the learning rate changes
#
# $$ \text{PyTorch:}\quad v \leftarrow \mu v + g, \quad w \leftarrow w - \eta\, v \qquad\qquad
#    \text{Keras:}\quad v \leftarrow \mu v - \eta\, g, \quad w \leftarrow w + v $$
#
# With a constant $\eta$, Keras's $v$ is $-\eta$ times PyTorch's at every step, so the paths agree, as they did for
# the perceptron above. Now let $\eta$ fall to a tenth. PyTorch's velocity holds bare gradients, and the *whole* of it
# is scaled by the new rate. Keras's velocity holds steps that were already scaled by the old rate.
#
# **Predict:** we minimise $L = w^2 / 2$, and $\eta$ falls from 0.02 to 0.002 after ten steps. Which of the two brakes
# hard?

# %% [markdown] lang="zh" of="d5bdfb7f" tags=["predict"]
# 最后四行说明了一切：梯度大时，两边都迈整步；梯度一接近 epsilon，Keras 早早就不动了，PyTorch 还在走。
#
# ## 动量：学习率一变，两家就分道扬镳
#
# $$ \text{PyTorch：}\quad v \leftarrow \mu v + g, \quad w \leftarrow w - \eta\, v \qquad\qquad
#    \text{Keras：}\quad v \leftarrow \mu v - \eta\, g, \quad w \leftarrow w + v $$
#
# $\eta$ 不变时，Keras 的 $v$ 每一步都等于 PyTorch 的 $v$ 乘 $-\eta$，所以两条路径相同，上面的感知机就是这样。
# 现在让 $\eta$ 降到十分之一。PyTorch 的速度里存的是梯度本身，新学习率一来，整个速度都按它缩小；Keras 的速度里存的，
# 却是已经乘过旧学习率的步子。
#
# **先猜：** 求 $L = w^2 / 2$ 的最小值，$\eta$ 在十步之后从 0.02 降到 0.002。急刹车的是哪一个？

# %%
rates = [0.02] * 10 + [0.002] * 30
paths = {"NumPy, PyTorch's rule": [1.0], "NumPy, Keras' rule": [1.0], "Keras": [1.0]}
torch_velocity, keras_velocity = 0.0, 0.0
weight, sgd = keras.Variable([1.0], dtype="float64"), keras.optimizers.SGD(0.02, momentum=0.9)
for rate in rates:
    w = paths["NumPy, PyTorch's rule"][-1]
    torch_velocity = 0.9 * torch_velocity + w  # the gradient of w²/2 is w
    paths["NumPy, PyTorch's rule"].append(w - rate * torch_velocity)
    w = paths["NumPy, Keras' rule"][-1]
    keras_velocity = 0.9 * keras_velocity - rate * w
    paths["NumPy, Keras' rule"].append(w + keras_velocity)
    sgd.learning_rate = rate
    sgd.apply([ops.convert_to_tensor(weight.value)], [weight])
    paths["Keras"].append(float(weight.value[0]))
proofs.equal({"PyTorch": pytorch["sgd.path"], "NumPy": paths["NumPy, PyTorch's rule"]})
proofs.equal({"Keras": paths["Keras"], "NumPy": paths["NumPy, Keras' rule"]})
proofs.equal({"the first ten steps of PyTorch": pytorch["sgd.path"][:11], "and of Keras": paths["Keras"][:11]})

# %% tags=["hero"]
figure, axis = plt.subplots(figsize=(7, 3.2))
axis.plot(pytorch["sgd.path"], plots.LINES[0], marker=plots.MARKERS[0], markersize=4, label="PyTorch")
axis.plot(paths["Keras"], plots.LINES[1], marker=plots.MARKERS[1], markersize=4, label="Keras")
axis.axvline(10, color="0.6", linewidth=1)
axis.text(10.4, 0.9, "learning rate / 10", color="0.35")
axis.set(xlabel="step", ylabel="w", title="SGD with momentum on w²/2")
axis.legend()
plots.show(
    figure,
    alt="Both paths fall together for ten steps. Then PyTorch's turns almost level at once, while Keras' goes on falling, "
    "below zero, and slowly turns level there.",
    alt_zh="前十步两条路径重合下降。此后 PyTorch 的几乎立刻变平，Keras 的继续下降，越过零，慢慢才变平。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** PyTorch brakes at once. Keras coasts on, past the minimum at $w = 0$, and then, with its small new
# learning rate, takes a long time to come back.
#
# Neither is wrong; they are two definitions. (PyTorch's documentation of `SGD` says that its form differs from that
# of [Sutskever et al. 2013](https://proceedings.mlr.press/v28/sutskever13.html).) But a recipe with a stepwise
# learning-rate schedule behaves differently in the two, because Keras's velocity remembers the old rate for about
# $1/(1-\mu)$ steps after each drop.
#
# ## Padding: same size, different position
#
# PyTorch pads both sides alike: think of a 3 × 3 kernel with `padding=1` and stride 2. Keras's `"same"` pads as
# little as needed, and when the number of padded rows is odd, the extra one goes to the end. On a map of 6 × 6, both
# give 3 × 3 outputs. Are they the same nine numbers? The cell compares them. It also asks a second question, about
# average pooling: which numbers count at the border?

# %% [markdown] lang="zh" of="ef3bd818" tags=["answer"]
# **答案。** PyTorch 立刻刹住。Keras 继续滑行，越过了 $w = 0$ 处的最小值；而这时学习率已经很小，要花很久才能退回来。
#
# 两者都没有错，只是定义不同。（PyTorch 的 `SGD` 文档也说明，它的形式与 [Sutskever 等，2013](https://proceedings.mlr.press/v28/sutskever13.html) 不同。
# ）不过，同一份阶梯式学习率调度的配方，放到两个框架里走法就不一样：每次下降之后，大约有 $1/(1-\mu)$ 步，
# Keras 的速度还记着旧学习率。
#
# ## 填充：大小相同，位置不同
#
# PyTorch 两侧补得一样多，例如 3 × 3 的卷积核、`padding=1`、步幅 2。Keras 的 `"same"` 能少补就少补，要补的行数是奇数时，
# 多出的一行放在末尾。对 6 × 6 的图，两边都得到 3 × 3 的输出。这九个数相同吗？下面来比一比。顺便再看平均池化的一个问题：
# 在边缘处，哪些数算进平均？

# %%
small = pytorch_twins.small_arrays()
image, kernel = small["image"].transpose(0, 2, 3, 1), small["kernel"].transpose(2, 3, 1, 0)  # NHWC, HWIO
expected = pytorch["conv.stride_2"].transpose(0, 2, 3, 1)  # (1, 3, 3, 1)
same = ops.conv(image, kernel, strides=2, padding="same")
padded = ops.conv(layers.ZeroPadding2D(1, dtype="float64")(image), kernel, strides=2, padding="valid")
print("shapes · 形状:", expected.shape, same.shape, "  equal · 相等:", np.allclose(expected, same))
proofs.equal({"PyTorch, padding=1": expected, "Keras, ZeroPadding2D(1) and 'valid'": padded})
later = np.pad(image, ((0, 0), (0, 1), (0, 1), (0, 0)))  # Keras' "same": nothing before, one row and column after
proofs.equal({"Keras, 'same'": same, "a row and a column at the end": ops.conv(later, kernel, strides=2)})
pooled = layers.AveragePooling2D(3, strides=1, padding="same")(np.ones((1, 4, 4, 1)))
print("average of ones, corner · 全 1 的平均，角上:  PyTorch", np.round(pytorch["average_pool.padded"][0, 0, 0, 0], 4),
      "  Keras", np.round(pooled[0, 0, 0, 0], 4))

# %% [markdown] lang="en"
# The shapes agree, the numbers do not: the nine windows start at different pixels. `ZeroPadding2D(1)` followed by
# `"valid"` gives PyTorch's numbers. (With stride 1 and an odd kernel the two agree anyway.) In average pooling,
# PyTorch counts the padded zeros, so in the corner only four of nine ones remain; `count_include_pad=False` switches
# that off. Keras never counts them.
#
# ## Batch normalisation: same word, opposite number
#
# Both frameworks keep a running mean and a running variance, $r$, of the batches' values, $s$:
#
# $$ \text{PyTorch:}\quad r \leftarrow (1 - \alpha)\, r + \alpha\, s, \quad \alpha = 0.1 \qquad\qquad
#    \text{Keras:}\quad r \leftarrow \mu\, r + (1 - \mu)\, s, \quad \mu = 0.99 $$
#
# Both call their number *momentum*. PyTorch's 0.1 is Keras's 0.9, and Keras's default remembers ten times as long.
# Epsilon is $10^{-5}$ against $10^{-3}$. And PyTorch's running variance divides by $n - 1$, while the batch itself is
# normalised with $n$. The cell shows all three.

# %% [markdown] lang="zh" of="f5159b56"
# 形状一致，数却不同，因为九个窗口的起点不同。先用 `ZeroPadding2D(1)`，再用 `"valid"`，就得到 PyTorch 的结果。
# （步幅为 1、卷积核边长为奇数时，两边本来就一致。）平均池化时，PyTorch 把补的零也算进平均，所以角上九个数里只有四个是 1；
# 设 `count_include_pad=False` 就不算。Keras 从来不算。
#
# ## 批量归一化：词相同，数相反
#
# 批量归一化（batch normalisation，D2L 作批量规范化）在两边都为每批的统计量 $s$（均值和方差）维护一个滑动值 $r$：
#
# $$ \text{PyTorch：}\quad r \leftarrow (1 - \alpha)\, r + \alpha\, s, \quad \alpha = 0.1 \qquad\qquad
#    \text{Keras：}\quad r \leftarrow \mu\, r + (1 - \mu)\, s, \quad \mu = 0.99 $$
#
# 两边都把自己的这个数叫作 momentum。PyTorch 的 0.1 相当于 Keras 的 0.9，而 Keras 的默认值记得更久，是它的十倍。
# epsilon 一边是 $10^{-5}$，一边是 $10^{-3}$。另外，PyTorch 的滑动方差除以 $n - 1$，归一化这一批本身时却除以 $n$。
# 下面一一核对。

# %%
rows, count = small["rows"], len(small["rows"])  # (8, 3)
norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype="float64")
proofs.equal({
    "PyTorch, train()": pytorch["batch_norm.training"],
    "Keras, training=True": norm(rows, training=True),
    "reference": normalization.batch_norm(rows, np.ones(3), np.zeros(3), epsilon=1e-5),
})
mean, variance = norm.get_weights()[2:]
proofs.equal({"PyTorch's running mean": pytorch["batch_norm.running_mean"], "Keras'": mean})
print("running variance · 滑动方差:  PyTorch", np.round(pytorch["batch_norm.running_var"], 4), "  Keras", np.round(variance, 4))
proofs.equal({
    "PyTorch's running variance": pytorch["batch_norm.running_var"],
    "Keras', corrected": 0.9 + (variance - 0.9) * count / (count - 1),
})
carried = [np.ones(3), np.zeros(3), pytorch["batch_norm.running_mean"], pytorch["batch_norm.running_var"]]
norm.set_weights(carried)
proofs.equal({"PyTorch, eval()": pytorch["batch_norm.evaluation"], "Keras, weights carried over": norm(rows, training=False)})

# %% [markdown] lang="en"
# In a batch of 8 the difference in the running variance is visible; in batches of hundreds it does not matter. A
# trained network takes its running values along and gives the same answers. There is one more trap if you fine-tune:
# in Keras, a batch normalisation layer with `trainable = False` also runs in inference mode; in PyTorch,
# `requires_grad = False` leaves its running values moving.
#
# ## Recurrent layers: gates, biases, and where reset acts
#
# PyTorch's `LSTM` orders its gates *i, f, g, o*. Keras's *i, f, c, o* is the same order, since *g* and *c* are two
# letters for the candidate. PyTorch adds two biases where one would do, so carry their sum.
#
# `GRU` is different. Its gates are *r, z, n* in PyTorch and *z, r, h* in Keras, and its two biases do **not** add up,
# because one of them is inside the product with the reset gate. Keras keeps both if `reset_after=True`, its default.
# The GRU is exercise 3; here is the LSTM.

# %% [markdown] lang="zh" of="04831d7e"
# 一批只有 8 个样本时，滑动方差的差别看得见；一批几百个时就无关紧要了。训练好的网络把滑动值一起搬过来，
# 给出的答案就完全相同。微调时还要当心一个坑：在 Keras 里，批量归一化层设 `trainable = False` 之后会同时进入推断模式；
# 在 PyTorch 里，`requires_grad = False` 并不会让滑动值停下来。
#
# ## 循环层：门的顺序、偏置，以及重置门的位置
#
# PyTorch 的 `LSTM` 按 i, f, g, o 排列各门；Keras 的 i, f, c, o 其实是同一个顺序，g 和 c 只是候选值的两种记法。
# PyTorch 在一个偏置就够的地方放了两个，搬运时取它们的和。
#
# `GRU` 就不同了。PyTorch 的门是 r, z, n，Keras 是 z, r, h；而且两个偏置**不能**相加，因为其中一个在与重置门相乘的括号里面。
# Keras 默认的 `reset_after=True` 会把两个都保留。GRU 留作练习 3，这里先看 LSTM。

# %%
state = {key.split(".")[1]: value for key, value in small.items() if key.startswith("lstm")}
print("PyTorch:", {key: value.shape for key, value in state.items()})
recurrent = layers.LSTM(4, return_sequences=True, dtype="float64")
recurrent.build(small["sequence"].shape)
recurrent.set_weights(lstm(state, None))
print("Keras:  ", {weight.name: tuple(weight.shape) for weight in recurrent.weights})
proofs.equal({"PyTorch's LSTM": pytorch["lstm.outputs"], "Keras'": recurrent(small["sequence"])})

# %% [markdown] lang="en"
# Four arrays became three, and the outputs agree at every time step.
#
# ## Defaults, read from the signatures
#
# The largest differences are in what nobody writes down. First the initial weights. PyTorch's dense and convolutional
# layers call `kaiming_uniform_(a=√5)`. The √5 makes it uniform in $\pm 1/\sqrt{\text{fan in}}$, and the biases get
# the same range. Keras's Glorot uniform is $\pm\sqrt{6/(\text{fan in} + \text{fan out})}$, with biases of zero. A
# uniform variable in $\pm a$ has the standard deviation $a/\sqrt 3$, so the first cell can compare what was drawn
# with the formula. The second cell reads twelve defaults out of the function signatures.

# %% [markdown] lang="zh" of="995eb2b7"
# 四个数组变成了三个，每个时间步的输出都一致。
#
# ## 默认值：从函数签名里查出来
#
# 差别最大的，往往是谁也没写出来的东西。先看初始权重。PyTorch 的全连接层和卷积层调用 `kaiming_uniform_(a=√5)`，
# 这个 √5 使它成为 $\pm 1/\sqrt{\text{输入数}}$ 内的均匀分布，偏置也取同样的范围。Keras 的 Glorot 均匀分布是 $\pm\sqrt{6/(\text{输入数} + \text{输出数})}$，
# 偏置为零。$\pm a$ 内均匀分布的标准差是 $a/\sqrt 3$，所以第一个单元可以拿实际抽到的权重与公式核对。第二个单元从函数签名里查出十二个默认值。

# %%
for name, fan_in, fan_out, layer in [("linear", 784, 128, layers.Dense(128)), ("conv", 9 * 32, 9 * 64, layers.Conv2D(64, 3))]:
    layer.build((None, 784) if name == "linear" else (None, 7, 7, 32))
    measured = {"PyTorch": pytorch[f"initial.{name}"][0], "Keras": layer.get_weights()[0].std()}
    formula = {"PyTorch": 1 / np.sqrt(3 * fan_in), "Keras": np.sqrt(2 / (fan_in + fan_out))}
    for framework, deviation in measured.items():
        agrees = abs(deviation / formula[framework] - 1) < 0.02
        print(f"{name:6} {framework:8} formula · 公式 {formula[framework]:.4f}   drawn, within 2 % · 抽样相符: {agrees}")
bias = type(layers.Dense(1).bias_initializer).__name__
print("bias · 偏置:      PyTorch up to · 最大", np.round(pytorch["initial.linear_bias"][1], 4), "  Keras", bias)
uniform = layers.Embedding(1, 1).embeddings_initializer
print("embedding · 嵌入: PyTorch std", np.round(pytorch["initial.embedding"][0], 1), "  Keras uniform ±", uniform.maxval)

# %%
PAIRS = {
    "Adam lr": (keras.optimizers.Adam, "learning_rate"), "Adam eps": (keras.optimizers.Adam, "epsilon"),
    "AdamW weight_decay": (keras.optimizers.AdamW, "weight_decay"), "SGD lr": (keras.optimizers.SGD, "learning_rate"),
    "RMSprop lr": (keras.optimizers.RMSprop, "learning_rate"), "RMSprop alpha": (keras.optimizers.RMSprop, "rho"),
    "Adagrad initial_accumulator_value": (keras.optimizers.Adagrad, "initial_accumulator_value"),
    "BatchNorm2d momentum": (layers.BatchNormalization, "momentum"),
    "BatchNorm2d eps": (layers.BatchNormalization, "epsilon"), "LayerNorm eps": (layers.LayerNormalization, "epsilon"),
    "GroupNorm eps": (layers.GroupNormalization, "epsilon"), "LeakyReLU negative_slope": (layers.LeakyReLU, "negative_slope"),
}
print(f"{'PyTorch':34}{'':>8}   {'Keras':26}")
for name, (kind, argument) in PAIRS.items():
    default = inspect.signature(kind.__init__).parameters[argument].default
    mark = "  same · 相同" if default == recorded.defaults[name] else ""
    print(f"{name:34}{recorded.defaults[name]:>8g}   {kind.__name__ + ' ' + argument:36}{default:>8g}{mark}")

# %% [markdown] lang="en" tags=["predict"]
# Of twelve lines, one agrees. (Dropout, which many people worry about, is harmless: `p` and `rate` both mean the
# share that is dropped.)
#
# ## Experiment: what does a forgotten default cost?
#
# We train a perceptron with batch normalisation by SGD with momentum, on 6,000 digits. The baseline, `as in PyTorch`,
# is the faithful translation. Each of the four others forgets one thing:
#
# - `Keras' start`: Glorot weights and biases of zero instead of PyTorch's;
# - `momentum 0.99`: Keras's default in batch normalisation;
# - `momentum 0.1`: PyTorch's number, copied as it is;
# - `from_logits forgotten`: logits go into Keras's loss, which by default expects probabilities.
#
# Test accuracy is measured after each epoch; nothing is chosen by it.
#
# **Predict:** which mistake costs most after one epoch, and which is repaired by training longer?

# %% [markdown] lang="zh" of="8301662f" tags=["predict"]
# 十二行里只有一行相同。（Dropout 常让人担心，其实没有问题：`p` 与 `rate` 都是丢弃的比例。）
#
# ## 实验：忘掉一个默认值，代价多大？
#
# 用 6,000 个手写数字，以带动量的 SGD 训练一个带批量归一化的感知机。基线是忠实的译本，图例里叫 `as in PyTorch`；
# 另外四个各忘了一件事：
#
# - `Keras' start`：用 Glorot 权重和零偏置，而不是 PyTorch 的初始化；
# - `momentum 0.99`：批量归一化用 Keras 的默认值；
# - `momentum 0.1`：把 PyTorch 的数原样抄过来；
# - `from_logits forgotten`：把 logits 交给 Keras 的损失，而它默认要的是概率。
#
# 每轮之后都测一次测试准确率，但不用它作任何选择。
#
# **先猜：** 一轮之后，哪个错误代价最大？哪个错误练久一点就自己好了？

# %%
VARIANTS = {
    "as in PyTorch": {},
    "Keras' start": {"start": "keras"},
    "momentum 0.99": {"momentum": 0.99},
    "momentum 0.1": {"momentum": 0.1},
    "from_logits forgotten": {},  # the loss's mistake, not the network's
}


def normalised_perceptron(start="pytorch", momentum=0.9):
    """784-128-10 with batch normalisation, (batch, 28, 28, 1) -> (batch, 10); each argument is one thing to forget."""
    def linear(units, fan_in):
        uniform = keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5)
        given = {"kernel_initializer": uniform, "bias_initializer": uniform.clone()} if start == "pytorch" else {}
        return layers.Dense(units, **given)

    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), linear(128, 784),
                             layers.BatchNormalization(momentum=momentum, epsilon=1e-5), layers.ReLU(), linear(10, 128)])


print({name: normalised_perceptron(**choices).count_params() for name, choices in VARIANTS.items()})

# %% tags=["nbval-ignore-output"]
digits, epochs = datasets.mnist(), choose(smoke=1, laptop=6, full=20)
count, every = choose(smoke=1_000, laptop=6_000, full=60_000), choose(smoke=10, laptop=2, full=1)
x_train, y_train = datasets.as_images(digits.x_train[:count]), digits.y_train[:count]
x_test, y_test = datasets.as_images(digits.x_test[::every]), digits.y_test[::every]  # its second half is easier
del digits  # memory
# First and last epoch. Bands reach twice the range of three seeds beyond it, and at least three standard errors of a share.
bands = {
    "faithful": choose(smoke=[(0.697, 0.796)] * 2, laptop=[(0.885, 0.915), (0.913, 0.94)], full=[None] * 2),
    "keras_start": choose(smoke=[(0.682, 0.778)] * 2, laptop=[(0.871, 0.921), (0.899, 0.959)], full=[None] * 2),
    "momentum_99": choose(smoke=[(0.523, 0.838)] * 2, laptop=[(0.831, 0.949), (0.91, 0.94)], full=[None] * 2),
    "momentum_01": choose(smoke=[(0.672, 0.852)] * 2, laptop=[(0.883, 0.915), (0.89, 0.958)], full=[None] * 2),
    "no_logits": choose(smoke=[(0, 1)] * 2, laptop=[(0, 0.831), (0, 0.646)], full=[None] * 2),
}
curves = {}
for (name, choices), (key, band) in zip(VARIANTS.items(), bands.items(), strict=True):
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        model = normalised_perceptron(**choices)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=name != "from_logits forgotten")
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss, metrics=["accuracy"], steps_per_execution=choose(smoke=1, laptop=8, full=8))
    history = training.fit(model, x_train, y_train, name=name, epochs=epochs, batch_size=64, validation_data=(x_test, y_test))
    curves[name] = history["val_accuracy"]
    results.record(f"{key}.first_epoch_accuracy", curves[name][0], band=band[0])
    results.record(f"{key}.test_accuracy", curves[name][-1], band=band[1])

# %% tags=["nbval-ignore-output"]
figure, axis = plt.subplots(figsize=(8.5, 3.8))
for index, (name, curve) in enumerate(curves.items()):
    color, marker, line = plots.COLORS[index], plots.MARKERS[index], plots.LINES[index]
    errors = [100 * (1 - value) for value in curve]
    axis.plot(range(1, epochs + 1), errors, marker=marker, linestyle=line, color=color, label=name)
    stored = results.spread("10", f"{list(bands)[index]}.test_accuracy")
    if stored and profiles.name() == "laptop":  # three seeds, after the last epoch
        ends = [100 - 100 * stored["highest"], 100 - 100 * stored["lowest"]]
        axis.plot([epochs + 0.25 + 0.12 * index] * 2, ends, color=color, linewidth=4, solid_capstyle="butt")
axis.set(xlabel="epoch", ylabel="test error (%)", title="What one forgotten default costs (bars: three seeds)", yscale="log")
axis.set_yticks([5, 10, 20, 40, 80], labels=["5", "10", "20", "40", "80"])
axis.minorticks_off()
axis.set_xticks(range(1, epochs + 1))
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure,
    alt="Test error by epoch for five networks, on a logarithmic axis. Four lie close together, momentum 0.99 highest of them "
    "after the first epoch and momentum 0.1 after the last. The network with from_logits forgotten stays flat, far above.",
    alt_zh="五个网络每轮之后的测试错误率，对数坐标。四条曲线挨得很近：第一轮之后 momentum 0.99 最高，最后一轮之后 momentum 0.1 最高。"
    "忘了 from_logits 的网络远在上方，一直是平的。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer. One mistake of four is fatal, and it is the one in the loss.** The network with `from_logits` forgotten
# ends at {{no_logits.test_accuracy:.1%}} (three seeds: {{seeds:no_logits.test_accuracy:.1%}}), the faithful one at
# {{faithful.test_accuracy:.1%}}. It raises no error and trains to the end; why it learns so little, the clinic below
# shows.
#
# **The other three cannot be told from the faithful port by three seeds**: their ranges overlap at the end. Two
# tendencies show in two seeds of three. Momentum 0.99 starts behind: after the 94 batches of an epoch,
# $0.99^{94} \approx 0.39$ of the initial values, mean 0 and variance 1, is still in its running values; training
# longer repairs that. With momentum 0.1 the running values are little more than those of the last batch, and the
# network ends a little lower. Keras's initial weights are not a mistake at all, only a different choice.
#
# Do defaults not matter, then? They do, but **accuracy does not show it**. You cannot recognise a port with a wrong
# default by its accuracy; its logits give it away at once. That is why this chapter compares numbers and not scores.
#
# ## Clinic: "a softmax at the end, then cross entropy"
#
# You will meet this in many PyTorch listings: a network that ends in `nn.Softmax` and is trained with
# `nn.CrossEntropyLoss`. That loss applies the (log-)softmax itself, so it is applied twice. What is then the smallest
# loss that such a network can reach with ten classes, if it is right *and* certain? And what does Keras say to this
# mistake, and to the opposite one, logits given to a loss that expects probabilities? (Chapter 4 trains networks with
# these mistakes; here we ask the two frameworks what they make of them.)

# %% [markdown] lang="zh" of="c92c8db1" tags=["answer"]
# **答案：四个错误里只有一个是致命的，就是损失里的那个。** 忘了 `from_logits` 的网络最后的准确率是 {{no_logits.test_accuracy:.1%}}（三个种子：
# {{seeds:no_logits.test_accuracy:.1%}}），忠实的译本是 {{faithful.test_accuracy:.1%}}。它不报错，照样训练到底；
# 为什么几乎什么也没学到，下面的门诊会说明。
#
# **另外三个，三个种子分不出它们与忠实的译本孰高孰低**，最后的范围互相重叠。有两种倾向在三个种子里出现了两次。
# momentum 0.99 起步落后：一轮 94 批之后，滑动值里还剩 $0.99^{94} \approx 0.39$ 的初始值（均值 0、方差 1），
# 练久了自然就好。用 momentum 0.1 时，滑动值几乎就是最后一批的值，最终略低一点。Keras 的初始化根本不算错误，
# 只是另一种选择。
#
# 那么默认值就不重要了吗？重要，只是**从准确率看不出来**。移植时错了一个默认值，准确率说明不了什么，logits 却一眼就能看穿。
# 所以本章比较的是数值，而不是分数。
#
# ## 门诊：“最后加 softmax，再用交叉熵”
#
# PyTorch 代码里常见这样的写法：网络以 `nn.Softmax` 结尾，损失用 `nn.CrossEntropyLoss`。可是这个损失自己就要做（对数）softmax，
# 于是做了两次。那么十个类别时，这样的网络即使答对了，而且十分确信，损失最小能到多少？同样的错误，Keras 会怎样处理？相反的错误，
# 即把 logits 交给要求概率的损失，又会怎样？（第 4 章用这些错误训练过网络，这里只问两个框架怎样对待它们。
# ）

# %%
logits, labels = small["logits"], small["labels"]
probabilities = layers.Softmax(dtype="float64")(logits)
right = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")
default = keras.losses.SparseCategoricalCrossentropy(dtype="float64")  # expects probabilities
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    rescued = float(right(labels, probabilities))
proofs.equal({"PyTorch, logits": pytorch["cross_entropy"], "Keras, from_logits=True": right(labels, logits),
              "Keras, probabilities and its default": default(labels, probabilities)})
plain = np.array(probabilities)  # the same numbers, without the memory of where they came from
proofs.equal({"PyTorch, softmax twice": pytorch["cross_entropy.of_probabilities"], "Keras": right(labels, plain)})
print(f"right · 正确 {float(right(labels, logits)):.4f}   softmax twice · 两次 softmax: PyTorch "
      f"{pytorch['cross_entropy.of_probabilities']:.4f}, Keras {rescued:.4f} (warnings · 警告: {len(said)})")
print(f"logits given to Keras' default · logits 交给 Keras 的默认损失: {float(default(labels, logits)):.4f}")
certain = np.eye(10)[[3]]  # probability 1 for the right one of ten
print(f"softmax twice, right and certain · 两次 softmax，答对且确信: {float(right(np.array([3]), certain)):.4f} = ln(e + 9) - 1 =",
      np.round(np.log(np.e + 9) - 1, 4))

# %% [markdown] lang="en" tags=["predict"]
# **Diagnosis.** PyTorch takes the probabilities for logits and says nothing. The loss has a floor of
# $\ln(e + 9) - 1$, the last line, and the gradients are weak, because every "logit" lies between 0 and 1. Such a
# network learns, slowly, which is why the mistake survives in tutorials. Keras remembers which tensor came out of a
# softmax, goes back to its logits, and warns. If you hand it the same numbers as a plain array, it cannot help
# either.
#
# Against the opposite mistake, logits without `from_logits=True`, there is no protection. The logits are clipped to
# between 0 and 1 as if they were probabilities, and a clipped number passes no gradient back: once most logits lie
# outside, training stops. (Documented in `torch.nn.CrossEntropyLoss` and
# `keras.losses.SparseCategoricalCrossentropy`.)
#
# ## Clinic: "to convert a model, transpose its weights"
#
# This advice is given often, and it is right for two of our three rules. What happens if you forget the third? Below,
# a network that flattens as PyTorch does (`Permute` puts the channels first) is trained on digits. Then its weights
# go to the ordinary Keras twin, once with transposes only (`naive`), once by `carry_over` (`repaired`). No shape is
# wrong, and nothing complains.
#
# **Predict:** what accuracy does the naive twin have, and how confident is it in its answers?

# %% [markdown] lang="zh" of="6f444855" tags=["predict"]
# **诊断。** PyTorch 把概率当成 logits，一声不响。损失的下限是 $\ln(e + 9) - 1$（最后一行），而且每个“logit”都在 0 和 1 之间，
# 梯度很弱。这样的网络照样会学，只是慢，所以这个错误才会在教程里一直流传下来。Keras 记得哪个张量是 softmax 的输出，
# 会退回到它的 logits，并发出警告；如果把同样的数当作普通数组给它，它也无能为力。
#
# 对相反的错误，即给了 logits 却没写 `from_logits=True`，就没有任何保护了。它们被当作概率，截断到 0 和 1 之间；
# 被截断的数传不回梯度，大多数 logit 一旦落在范围之外，训练就停住了。（见 `torch.nn.CrossEntropyLoss` 与 `keras.losses.SparseCategoricalCrossentropy` 的文档。
# ）
#
# ## 门诊：“转换模型，把权重转置一下就行”
#
# 常有人这样建议，对三条规则中的两条也确实成立。忘了第三条会怎样？下面训练一个像 PyTorch 那样展平的网络（`Permute` 把通道放到最前），
# 然后把它的权重搬到普通的 Keras 孪生网络里：一次只做转置（naive，搬错的），一次用 `carry_over`（repaired，
# 搬对的）。形状没有一处不对，也没有任何报错。
#
# **先猜：** 搬错的网络准确率是多少？它对自己的答案，置信度（confidence）有多高？

# %% tags=["nbval-ignore-output"]
keras.utils.clear_session()
keras.utils.set_random_seed(SEED)
few, passes = choose(smoke=1_000, laptop=4_000, full=60_000), choose(smoke=1, laptop=2, full=5)
with strategy.scope():
    parts = keras_twin("padded_cnn", dtype="float32").layers
    torch_order = keras.Sequential([keras.Input((28, 28, 1)), *parts[:4], layers.Permute((3, 1, 2)), *parts[4:]])
    torch_order.compile(keras.optimizers.Adam(0.001), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
training.fit(torch_order, x_train[:few], y_train[:few], name="channels first", epochs=passes, batch_size=64)
state = {}  # what model.state_dict() would hold
for layer in torch_order.layers:
    if layer.weights:
        kernel, bias = layer.get_weights()
        state[f"{layer.name}.weight"] = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        state[f"{layer.name}.bias"] = bias
naive, repaired = keras_twin("padded_cnn", dtype="float32"), keras_twin("padded_cnn", dtype="float32")
carry_over(repaired, state)
for layer in naive.layers:
    if layer.weights:  # the rules, but no word of the map that was flattened
        part = {key.split(".")[1]: value for key, value in state.items() if key.split(".")[0] == layer.name}
        layer.set_weights(RULES[type(layer)](part, None))
proofs.equal({"trained, channel by channel": torch_order(x_test[:20]), "carried over": repaired(x_test[:20])})

# %% tags=["nbval-ignore-output"]
answers = {}
for name, network in {"repaired": repaired, "naive": naive}.items():
    logits = np.concatenate([network(x_test[start : start + 250]) for start in range(0, min(len(x_test), 2_000), 250)])
    probability = np.asarray(ops.softmax(logits))  # (digits, 10)
    answers[name] = probability.argmax(axis=1), probability.max(axis=1)
# Accuracy and mean confidence. In smoke the naive network may say one digit only: any digit's share is in its band.
bands = {
    "repaired": choose(smoke=[(0.565, 0.87), (0.315, 0.74)], laptop=[(0.901, 0.945), (0.887, 0.934)], full=[None] * 2),
    "naive": choose(smoke=[(0.05, 0.16), (0, 1)], laptop=[(0.056, 0.172), (0.196, 0.881)], full=[None] * 2),
}
for name, (answer, confidence) in answers.items():
    results.record(f"flatten_{name}.accuracy", np.mean(answer == y_test[: len(answer)]), band=bands[name][0])
    results.record(f"flatten_{name}.mean_confidence", np.mean(confidence), band=bands[name][1])

# %% tags=["nbval-ignore-output"]
shown = np.argsort(-answers["naive"][1] * (answers["naive"][0] != y_test[: len(answers["naive"][0])]))[:8]
titles = [f"naive: {answers['naive'][0][i]}, {100 * answers['naive'][1][i]:.0f} %\nrepaired: {answers['repaired'][0][i]}" for i in shown]
plots.show(
    plots.grid(x_test[shown], titles, columns=8, size=1.5),
    alt="Eight clearly written test digits. The naive network names another digit for each, nearly certain; the repaired one "
    "reads them right.",
    alt_zh="八个写得清清楚楚的测试数字。搬错的网络把每个都认成别的数字，而且几乎十拿九稳；修好的网络读对了。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The naive twin gets {{flatten_naive.accuracy:.1%}} right, about what guessing would give, and claims a
# mean confidence of {{flatten_naive.mean_confidence:.0%}}. A network that guesses among ten classes should be
# confident to one tenth; this one claims several times that. Since $64 \cdot 7 \cdot 7 = 7 \cdot 7 \cdot 64$, every
# shape fits, but each weight meets a number of a different channel and position. With the columns permuted, the twin
# gives the logits of the trained network again, and {{flatten_repaired.accuracy:.1%}}. (A network that ends in global
# pooling has nothing to flatten and needs no permutation.)
#
# ## A phrase book, checked
#
# Every name below is looked up when the cell runs; PyTorch's too, where it is installed. A `!` marks the pairs for
# which this chapter has found a difference that raises no error. (`BinaryCrossentropy` is marked for the same reason
# as its sparse relative: by default it, too, expects probabilities.)

# %% [markdown] lang="zh" of="558bb0d6" tags=["answer"]
# **答案。** 搬错的网络只对了 {{flatten_naive.accuracy:.1%}}，与瞎猜差不多，自称的平均置信度却有 {{flatten_naive.mean_confidence:.0%}}。
# 在十个类别里瞎猜，置信度只该有十分之一，它自称的却是这个数的好几倍，真是信心十足的胡说。因为 $64 \cdot 7 \cdot 7 = 7 \cdot 7 \cdot 64$，
# 形状全都吻合，可是每个权重遇到的都是另一个通道、另一个位置的数。把各列重新排好，孪生网络就又给出训练好的网络的 logits，
# 准确率是 {{flatten_repaired.accuracy:.1%}}。（以全局池化收尾的网络没有东西要展平，也就不需要重排。）
#
# ## 一本核对过的对照表
#
# 下面的每个名字，运行这个单元时都会去查一遍；装了 PyTorch 的话，它的名字也查。带 `!` 的，是本章发现了“不报错的差别”的那些。
# （`BinaryCrossentropy` 也带 `!`，原因与上面那个交叉熵一样：它默认要的也是概率。）

# %%
PHRASES = """
nn.Module keras.Model | nn.Linear ! keras.layers.Dense | nn.Conv2d ! keras.layers.Conv2D
nn.AvgPool2d ! keras.layers.AveragePooling2D | nn.AdaptiveAvgPool2d keras.layers.GlobalAveragePooling2D
nn.Flatten ! keras.layers.Flatten | nn.Dropout keras.layers.Dropout | nn.Embedding ! keras.layers.Embedding
nn.BatchNorm2d ! keras.layers.BatchNormalization | nn.LayerNorm ! keras.layers.LayerNormalization
nn.LSTM ! keras.layers.LSTM | nn.GRU ! keras.layers.GRU | nn.LeakyReLU ! keras.layers.LeakyReLU
nn.CrossEntropyLoss ! keras.losses.SparseCategoricalCrossentropy | optim.SGD ! keras.optimizers.SGD
nn.BCEWithLogitsLoss ! keras.losses.BinaryCrossentropy | optim.Adam ! keras.optimizers.Adam
optim.AdamW ! keras.optimizers.AdamW | optim.lr_scheduler.CosineAnnealingLR keras.optimizers.schedules.CosineDecay
Tensor.backward tf.GradientTape.gradient | Tensor.detach keras.ops.stop_gradient | utils.data.DataLoader tf.data.Dataset
Tensor.permute keras.ops.transpose | cat keras.ops.concatenate | nn.utils.clip_grad_norm_ tf.clip_by_global_norm
save keras.Model.save | nn.Module.load_state_dict keras.Model.load_weights | compile tf.function
manual_seed keras.utils.set_random_seed | nn.parallel.DistributedDataParallel tf.distribute.MultiWorkerMirroredStrategy
"""
sides = [{"keras": keras, "tf": tf}] + ([{"torch": importlib.import_module("torch")}] if has_pytorch else [])
for words in map(str.split, PHRASES.strip().replace("|", "\n").splitlines()):
    for name, known in zip([words[-1], f"torch.{words[0]}"], sides, strict=False):
        found = known[name.split(".")[0]]
        for part in name.split(".")[1:]:
            found = getattr(found, part)  # an AttributeError here: the phrase book is out of date
    print(f"torch.{words[0]:36}{'!' if len(words) == 3 else ' '} {words[-1]}")

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - PyTorch and Keras agree number for number, in float64: logits of two networks, ten steps of SGD, an LSTM. Adam
#   agrees once epsilon is moved.
# - The faithful translation reaches {{faithful.test_accuracy:.1%}} (three seeds:
#   {{seeds:faithful.test_accuracy:.1%}}).
# - With batch normalisation's momentum copied wrongly it is {{momentum_01.test_accuracy:.1%}} (three seeds:
#   {{seeds:momentum_01.test_accuracy:.1%}}): accuracy cannot tell the two apart, logits can.
# - With `from_logits` forgotten it is {{no_logits.test_accuracy:.1%}} (three seeds:
#   {{seeds:no_logits.test_accuracy:.1%}}), without any error.
# - Transposed but not permuted, a trained CNN falls from {{flatten_repaired.accuracy:.1%}} to
#   {{flatten_naive.accuracy:.1%}} and still claims {{flatten_naive.mean_confidence:.0%}} confidence.
#
# | | PyTorch | Keras |
# |---|---|---|
# | dense layer | $x W^{\mathsf T} + b$, $W$ (out, in) | $x W + b$, $W$ (in, out) |
# | kernel of a convolution | OIHW | HWIO |
# | flattened position of $(c, h, w)$ | $cHW + hW + w$ | $hWC + wC + c$ |
# | momentum | $v \leftarrow \mu v + g$, $\;w \leftarrow w - \eta v$ | $v \leftarrow \mu v - \eta g$, $\;w \leftarrow w + v$ |
# | Adam's denominator | $\sqrt{\hat v} + \epsilon$ | $\sqrt{\hat v} + \epsilon / \sqrt{1 - \beta_2^t}$ |
# | running statistics | $(1 - \alpha)\, r + \alpha s$ | $\mu r + (1 - \mu)\, s$, with $\mu = 1 - \alpha$ |
#
# ### Exercise 1 · easy — where "same" pads
#
# Write `same_padding(size, kernel, stride)`: how many rows does Keras's `padding="same"` add before and after an axis
# of length `size`? The output has $\lceil \text{size} / \text{stride} \rceil$ positions. Pad as little as is needed,
# and let an odd row go after.

# %% [markdown] lang="zh" of="ba71379d" tags=["summary"]
# ## 你测到了什么
#
# - 用 float64，PyTorch 与 Keras 的每个数都一致：两个网络的 logits、十步 SGD、一个 LSTM。Adam 要把 epsilon 挪个位置，
#   才一致。
# - 忠实的译本准确率是 {{faithful.test_accuracy:.1%}}（三个种子：{{seeds:faithful.test_accuracy:.1%}}）。
# - 批量归一化的 momentum 抄错了，准确率是 {{momentum_01.test_accuracy:.1%}}（三个种子：{{seeds:momentum_01.test_accuracy:.1%}}）。
#   从准确率分不出两者，从 logits 可以。
# - 忘了 `from_logits`，准确率是 {{no_logits.test_accuracy:.1%}}（三个种子：{{seeds:no_logits.test_accuracy:.1%}}），
#   一个错也不报。
# - 训练好的 CNN 只转置、不重排，准确率就从 {{flatten_repaired.accuracy:.1%}} 跌到 {{flatten_naive.accuracy:.1%}}，
#   自称的置信度却还有 {{flatten_naive.mean_confidence:.0%}}。
#
# | | PyTorch | Keras |
# |---|---|---|
# | 全连接层 | $x W^{\mathsf T} + b$，$W$（输出，输入） | $x W + b$，$W$（输入，输出） |
# | 卷积核 | OIHW | HWIO |
# | $(c, h, w)$ 展平后的位置 | $cHW + hW + w$ | $hWC + wC + c$ |
# | 动量 | $v \leftarrow \mu v + g$，$\;w \leftarrow w - \eta v$ | $v \leftarrow \mu v - \eta g$，$\;w \leftarrow w + v$ |
# | Adam 的分母 | $\sqrt{\hat v} + \epsilon$ | $\sqrt{\hat v} + \epsilon / \sqrt{1 - \beta_2^t}$ |
# | 滑动统计量 | $(1 - \alpha)\, r + \alpha s$ | $\mu r + (1 - \mu)\, s$，其中 $\mu = 1 - \alpha$ |
#
# ### 练习 1 · 易 —— “same” 补在哪里
#
# 写出 `same_padding(size, kernel, stride)`：Keras 的 `padding="same"` 在长度为 `size` 的轴前、后各补几行？返回（前，
# 后）。输出有 $\lceil \text{size} / \text{stride} \rceil$ 个位置；能少补就少补，总数为奇数时，多出的一行补在后面。

# %% tags=["exercise"]
def same_padding(size, kernel, stride):
    """(rows before, rows after) that padding="same" adds."""
    ### BEGIN SOLUTION
    places = -(-size // stride)
    total = max((places - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
    ### END SOLUTION

# %% tags=["check"]
exercises.check("10.same_padding", same_padding)

# %% [markdown] lang="en" tags=["hint"]
# The last window begins at `(places - 1) * stride` and needs `kernel` rows from there. How many are missing? It can be none: never
# pad a negative number.

# %% [markdown] lang="zh" of="2b1a95b3" tags=["hint"]
# 最后一个窗口从 `(places - 1) * stride` 开始，从那里起需要 `kernel` 行。还缺几行？也可能一行不缺：补的行数不能是负数。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — the way back
#
# A colleague wants to use your Keras network in PyTorch. Write `to_linear(kernel, maps)`. `kernel` is the Keras
# kernel (in, out) of the dense layer after `Flatten`, and `maps` is the shape (height, width, channels) of what was
# flattened. Return the weight (out, in) of the `nn.Linear` that follows a channels-first flatten.

# %% [markdown] lang="zh" of="409bad55"
# ### 练习 2 · 中 —— 原路返回
#
# 同事想在 PyTorch 里用你的 Keras 网络。写出 `to_linear(kernel, maps)`：`kernel` 是 `Flatten` 之后那个全连接层的 Keras 权重（输入，
# 输出），`maps` 是展平前特征图的形状（高，宽，通道）。返回通道在前展平时，接在后面的 `nn.Linear` 的权重（输出，
# 输入）。

# %% tags=["exercise"]
def to_linear(kernel, maps):
    """PyTorch's weight (out, in) from a Keras kernel (in, out) behind Flatten."""
    ### BEGIN SOLUTION
    height, width, channels = maps
    units = kernel.shape[1]
    return kernel.reshape(height, width, channels, units).transpose(3, 2, 0, 1).reshape(units, -1)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("10.to_linear", to_linear)

# %% [markdown] lang="en" tags=["hint"]
# Give the inputs back their three axes, in the order in which Keras flattened them. Then move the axes to where
# PyTorch wants them: out first, then channels, height, width. Flatten the last three. The converter's `dense` will
# not do: it starts from the other order.

# %% [markdown] lang="zh" of="dd60e316" tags=["hint"]
# 先按 Keras 展平时的次序，把输入的三条轴恢复出来。再把各轴移到 PyTorch 要的位置：输出在最前，然后是通道、高、宽。
# 最后把后三条轴展平。转换器里的 `dense` 不能直接拿来用：它是从另一种次序出发的。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — the GRU
#
# Write `gru(state)`. The state holds `weight_ih_l0` (3 units, features), `weight_hh_l0` (3 units, units), and
# `bias_ih_l0` and `bias_hh_l0` (3 units each). Return Keras's list: kernel (features, 3 units), recurrent kernel
# (units, 3 units), bias (2, 3 units). PyTorch orders the gates *r, z, n*, Keras *z, r, h*.

# %% [markdown] lang="zh" of="f9567375"
# ### 练习 3 · 难 —— GRU
#
# 写出 `gru(state)`。`state` 里有 `weight_ih_l0`（3 units，features）、`weight_hh_l0`（3 units，units），
# 以及 `bias_ih_l0` 和 `bias_hh_l0`（各 3 units）。返回 Keras 要的列表：输入权重（features，3 units）、循环权重（units，
# 3 units）、偏置（2，3 units）。门的顺序，PyTorch 是 r, z, n，Keras 是 z, r, h。

# %% tags=["exercise"]
def gru(state):
    """Keras' [kernel, recurrent kernel, bias] from the state of a PyTorch GRU."""
    ### BEGIN SOLUTION
    def reorder(rows):
        reset, update, candidate = np.split(rows, 3)  # along the gates
        return np.concatenate([update, reset, candidate])

    bias = np.stack([reorder(state["bias_ih_l0"]), reorder(state["bias_hh_l0"])])  # (2, 3 units)
    return [reorder(state["weight_ih_l0"]).T, reorder(state["weight_hh_l0"]).T, bias]
    ### END SOLUTION

# %% tags=["check"]
exercises.check("10.gru", gru)

# %% [markdown] lang="en" tags=["hint"]
# `np.split(rows, 3)` cuts the first axis into the three gates. Put them together in the new order, and only then
# transpose. Do this to all four arrays. The biases stay apart: stack them, the inputs' bias first.

# %% [markdown] lang="zh" of="417927de" tags=["hint"]
# `np.split(rows, 3)` 沿第一条轴切成三个门；换个顺序拼回去，然后才转置。四个数组都要这样处理。两个偏置不能合并：
# 叠在一起，输入的偏置在前。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("10")

# %% [markdown] lang="en"
# ## What no table says
#
# - **Loaders.** `DataLoader(shuffle=True)` and `fit(shuffle=True)` both reshuffle every epoch, in orders that no seed
#   makes equal. To compare runs, fix the order of the batches, as `pytorch_twins.batches` does; to compare recipes,
#   use several seeds and look at the spread.
# - **Remainders.** Both keep a smaller last batch unless told otherwise (`drop_last`, `drop_remainder`).
# - **Modes.** If you forget `model.eval()`, dropout stays on and batch normalisation keeps moving. Keras's `predict`
#   and `evaluate` never forget, and a bare `model(images)` runs in inference mode.
# - **Backends.** Keras 3 also runs *on* PyTorch or JAX: set `KERAS_BACKEND=torch` before the first import. What is
#   written in `keras.layers` and `keras.ops` moves along. What this course writes in TensorFlow would have to change:
#   `tf.GradientTape`, `tf.data`, `tf.distribute`, the custom loops. The course has not been run on other backends.
#   And a backend does not translate anybody's PyTorch code: axis order and defaults remain Keras's.
#
# ## Where it is used, and what to read
#
# Papers are reproduced across frameworks, pretrained weights travel from one to the other (KerasHub does for many
# models what `carry_over` does for four layers), and old projects are moved. The rule of this chapter helps with all
# of them: **the same numbers in, the same numbers out, layer by layer, before anybody trains.** When two networks
# disagree, compare them after the first layer, then after the second; the trap is where they part.
#
# - [PyTorch's SGD](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html) and
#   [GRU](https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html): both pages state the difference from
#   other definitions.
# - [Keras's BatchNormalization](https://keras.io/api/layers/normalization_layers/batch_normalization/): on `training`
#   and `trainable`.
# - Paszke et al. 2019, [*PyTorch: an imperative style, high-performance deep learning
#   library*](https://arxiv.org/abs/1912.01703).
# - Glorot and Bengio 2010, [on initialisation](https://proceedings.mlr.press/v9/glorot10a.html); He et al. 2015,
#   [*Delving deep into rectifiers*](https://arxiv.org/abs/1502.01852); Ioffe and Szegedy 2015, [*Batch
#   normalization*](https://arxiv.org/abs/1502.03167).
# - [*Dive into Deep Learning*](https://d2l.ai/) shows most of its code in PyTorch, TensorFlow and JAX side by side:
#   good material for a first translation of your own.
#
# **What the full profile changes.** The experiment takes all 60,000 digits and twenty epochs, the flatten clinic all
# digits and five epochs. The comparisons number for number stay as they are: ten steps in float64 say all they can
# say. In the stored full run (one seed, `notebooks/results/full-10.json`) the faithful port ends at
# {{full:faithful.test_accuracy:.1%}}, Keras's start at {{full:keras_start.test_accuracy:.1%}}, momentum 0.99 at
# {{full:momentum_99.test_accuracy:.1%}} and momentum 0.1 at {{full:momentum_01.test_accuracy:.1%}}. The fatal mistake
# gets no better with time: {{full:no_logits.first_epoch_accuracy:.1%}} after the first epoch,
# {{full:no_logits.test_accuracy:.1%}} after twenty. And the longer training of the wrongly converted network makes it
# more confident ({{full:flatten_naive.mean_confidence:.0%}}), not better ({{full:flatten_naive.accuracy:.1%}}).
#
# There is no next chapter. You have measured most of what this course claimed, and some of it came out differently
# than expected. Take a problem of your own, with data of your own. Start with a baseline, use three seeds, and write
# your prediction down before you run. When the number is not what you thought, be glad: that is where the learning
# is.

# %% [markdown] lang="zh" of="bdbb5845"
# ## 表里没有的事
#
# - **数据加载。** `DataLoader(shuffle=True)` 和 `fit(shuffle=True)` 都在每轮重新打乱，而任何种子都不能让两边的顺序相同。
#   要比较两次训练，就像 `pytorch_twins.batches` 那样固定批的顺序；要比较两种配方，就用多个种子，看结果的范围。
# - **余数。** 不另外说明时，两边都保留最后那个较小的批（`drop_last`、`drop_remainder`）。
# - **模式。** 忘了 `model.eval()`，随机失活（dropout，D2L 作暂退法）就一直开着，批量归一化也一直在变。
#   Keras 的 `predict` 和 `evaluate` 不会忘；直接调用 `model(images)` 就是推断模式。
# - **后端。** Keras 3 也可以运行在 PyTorch 或 JAX **之上**：在第一次导入之前设 `KERAS_BACKEND=torch`。
#   用 `keras.layers` 和 `keras.ops` 写的部分跟着走；本课程里用 TensorFlow 写的部分则要改：`tf.GradientTape`、`tf.data`、`tf.distribute`、自己写的训练循环。
#   本课程没有在别的后端上运行过。还要记住，换后端并不会替你翻译别人的 PyTorch 代码，轴的顺序和默认值仍然是 Keras 的。
#
# ## 应用与延伸阅读
#
# 论文要跨框架复现，预训练权重要从一家搬到另一家（`carry_over` 对四种层做的事，KerasHub 对许多模型都做好了），
# 老项目也要搬家。本章的规矩在这些地方同样管用：**先别训练；给同样的数，一层一层看，出来的也要是同样的数。** 两个网络对不上时，
# 先比第一层之后，再比第二层之后；它们在哪里分开，坑就在哪里。
#
# - [PyTorch 的 SGD](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html) 和 [GRU](https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html)：
#   两篇文档都说明了与其他定义的差别。
# - [Keras 的 BatchNormalization](https://keras.io/api/layers/normalization_layers/batch_normalization/)：
#   讲 `training` 与 `trainable`。
# - Paszke 等，2019，[PyTorch: an imperative style, high-performance deep learning library](https://arxiv.org/abs/1912.01703)。
# - Glorot 与 Bengio，2010，[论初始化](https://proceedings.mlr.press/v9/glorot10a.html)；He 等，2015，[Delving deep into rectifiers](https://arxiv.org/abs/1502.01852)；
#   Ioffe 与 Szegedy，2015，[Batch normalization](https://arxiv.org/abs/1502.03167)。
# - 中文：[《动手学深度学习》](https://zh.d2l.ai/)的大部分代码有 PyTorch、TensorFlow 等几种写法，并排对照，
#   正好拿来练习自己翻译。
#
# **换成 full 配置会怎样。** 实验用全部 60,000 个样本训练二十轮，Flatten 门诊用全部样本训练五轮。逐个数核对的单元不变：
# float64 下的十步，能说明的已经全说明了。在保存的 full 结果里（一个种子，见 `notebooks/results/full-10.json`），
# 忠实的译本最后是 {{full:faithful.test_accuracy:.1%}}，Keras' start 是 {{full:keras_start.test_accuracy:.1%}}，
# momentum 0.99 是 {{full:momentum_99.test_accuracy:.1%}}，momentum 0.1 是 {{full:momentum_01.test_accuracy:.1%}}。
# 致命的那个错误，时间再多也没有好转：第一轮之后 {{full:no_logits.first_epoch_accuracy:.1%}}，二十轮之后 {{full:no_logits.test_accuracy:.1%}}。
# 而权重搬错了的网络，练得越久只是越自信（置信度 {{full:flatten_naive.mean_confidence:.0%}}），并没有更准（准确率 {{full:flatten_naive.accuracy:.1%}}）。
#
# 后面没有下一章了。这门课说过的话，你大多亲手量过一遍，有些结果还出乎意料。现在，找一个自己的问题，用自己的数据。
# 先做基线，用三个种子，运行之前写下你的猜测。如果结果与你想的不一样，那就恭喜你：真正的学习就从这里开始。
