# %% [markdown] lang="en" telling=["plain_20.training_accuracy", "normalised_20.training_accuracy", "residual_20.training_accuracy"]
# # 2a Deeper networks: normalisation, residuals, augmentation
#
# If a few layers read digits, will many layers read better? For years the answer was no: beyond some depth, networks got
# *worse, even on the digits they were trained on*. Two small ideas changed that, each a single line of code. Both are
# taken apart here, and a third one, augmentation, makes few labelled examples go further.
#
# **At the end you can**
#
# - write batch normalisation forward and backward, and say what differs between training and prediction;
# - measure why plain deep networks stop learning, and why residual ones go on;
# - build cheap convolutions (1 × 1, depthwise separable) and WaveNet's causal block, and prove that they are what they
#   claim to be;
# - measure what augmentation brings, with several seeds, and notice when it harms.
#
# **To know before:** chapter 2. Time and memory, measured, stand below the imports.

# %% [markdown] lang="zh" of="ffdc21fc"
# # 2a 更深的网络：归一化、残差、数据增强
#
# 几层网络就能读数字，那层数多了会读得更好吗？有好些年答案是否定的：深到一定程度，网络反而*更差，连训练过的数字都读不好*。
# 后来两个小想法改变了局面，每个只要一行代码。这一章把它们拆开来看；第三个办法，数据增强，则让少量的标注样本发挥更大作用。
#
# **学完这一章，你能够**
#
# - 写出批量归一化的前向和反向，说清训练与预测时有何不同；
# - 用测量说明：普通的深网络为什么学不动，残差网络为什么能继续学；
# - 搭出省计算的卷积（1 × 1、深度可分离）和 WaveNet 的因果模块，并证明它们名副其实；
# - 用多个随机种子测量数据增强的收益，也能看出它什么时候有害。
#
# **预备知识：** 第 2 章。实测的时间和内存写在导入语句之后。

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
import functools

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.models import vision
from course_utils.profiles import choose
from course_utils.reference import activations, convolution, normalization

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("02a")

# %% [markdown] lang="en"
# ## The idea: keep the signal alive
#
# A deep network is a long game of whispers. Every layer rewrites the message; after forty layers little of it is left,
# and on the way back the gradient suffers the same. Two remedies:
#
# - **normalise**: after each layer, bring the numbers back to mean 0 and deviation 1;
# - **add, do not replace**: a layer computes a *change* $F(x)$, and the next one gets $x + F(x)$.
#
# The figure sends one digit through forty random, untrained layers. Above: each layer replaces. Below: each adds a
# little. **Which row could a last layer still read?**

# %% [markdown] lang="zh" of="35b56db4"
# ## 想法：别让信号消失
#
# 深网络像一场很长的传话游戏。每一层都把消息改写一遍，四十层之后所剩无几；反过来，梯度往回传时也有同样的遭遇。办法有两个：
#
# - **归一化**：每一层之后，把数值拉回到均值 0、标准差 1；
# - **做加法，不做替换**：一层只计算*改变量* $F(x)$，下一层得到的是 $x + F(x)$。
#
# 下图让一个数字穿过四十个未经训练的随机层。上排：每层都替换；下排：每层只加上一点点。**最后一层还能读懂哪一排？**

# %%
digits = datasets.mnist()
random = np.random.default_rng(0)
start = datasets.as_images(digits.x_train[7:8]) * np.ones(8, "float32")  # (1, 28, 28, 8)
replaced, added, shown = start, start, {}
for depth in range(1, 41):
    kernel = random.normal(0, np.sqrt(2 / 72), (3, 3, 8, 8)).astype("float32")  # He: variance 2 / (3·3·8)
    replaced = activations.relu(convolution.cross_correlate2d(replaced, kernel, padding="same"))
    change = activations.relu(convolution.cross_correlate2d(added, kernel, padding="same"))
    added = added + 0.1 * change
    if depth in (1, 5, 10, 20, 40):
        shown[depth] = replaced[0].mean(axis=-1), added[0].mean(axis=-1)
titles = [f"replaced, layer {depth}" for depth in shown] + [f"added, layer {depth}" for depth in shown]
plots.show(
    plots.grid([pair[row] for row in (0, 1) for pair in shown.values()], titles, columns=5, size=1.5),
    alt="A handwritten 3 after 1, 5, 10, 20 and 40 random layers. Replaced by each layer it dissolves; added to, it "
    "stays readable.",
    alt_zh="手写数字 3 经过 1、5、10、20、40 个随机层之后的样子：每层替换时它逐渐消散，每层相加时仍可辨认。",
)

# %% [markdown] lang="en"
# ## Batch normalisation, forward
#
# For each channel $c$, over all images of the batch and all places, with mean $\mu_c$ and variance $\sigma_c^2$:
#
# $$ \hat x = \frac{x - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}}, \qquad y = \gamma_c\, \hat x + \beta_c $$
#
# $\gamma, \beta$ are learned, so the layer can undo itself; $\epsilon$ avoids a division by zero. In **training** the mean
# and variance are those of the batch. In **prediction** an image must not depend on its neighbours in the batch, so the
# layer uses averages that it collected on the way, $m \leftarrow \rho\, m + (1 - \rho)\, \mu$ ($\rho$ is Keras'
# `momentum`, 0.99 by default). One layer, two functions: remember this for the clinic.

# %% [markdown] lang="zh" of="dbcca204"
# ## 批量归一化：前向
#
# 对每个通道 $c$，在这一批的所有图像、所有位置上求均值 $\mu_c$ 和方差 $\sigma_c^2$：
#
# $$ \hat x = \frac{x - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}}, \qquad y = \gamma_c\, \hat x + \beta_c $$
#
# $\gamma, \beta$ 是学出来的，所以这一层可以把自己抵消掉；$\epsilon$ 用来避免除以零。**训练**时，均值和方差取自当前这一批。
# **预测**时，一张图的结果不该受同批其他图影响，于是改用训练途中积累的平均值 $m \leftarrow \rho\, m + (1 - \rho)\, \mu$
# （$\rho$ 就是 Keras 的 `momentum`，默认 0.99）。同一层，两个函数：请记住这一点，后面的门诊要用。

# %%
def batch_norm(x, gamma, beta, epsilon=1e-3):
    """Batch normalisation in training: x (batch, height, width, channels), gamma and beta (channels,)."""
    mean = x.mean(axis=(0, 1, 2))
    variance = ((x - mean) ** 2).mean(axis=(0, 1, 2))
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


x = np.random.default_rng(1).normal(3, 2, (4, 5, 5, 3))
gamma, beta = np.array([1.0, 0.5, 2.0]), np.array([0.0, 1.0, -1.0])
y = batch_norm(x, gamma, beta)
print("before · 之前: mean", x.mean(axis=(0, 1, 2)).round(1), "deviation", x.std(axis=(0, 1, 2)).round(1))
print("after · 之后:  mean", y.mean(axis=(0, 1, 2)).round(1), "deviation", y.std(axis=(0, 1, 2)).round(1))

# %%
layer = layers.BatchNormalization(dtype="float64")
layer.build(x.shape)
layer.set_weights([gamma, beta, np.zeros(3), np.ones(3)])  # the last two: moving mean, moving variance
proofs.equal({
    "written out": y,
    "reference": normalization.batch_norm(x, gamma, beta),
    "Keras, training=True": layer(x, training=True),
})
moving_mean, moving_variance = layer.get_weights()[2:]
proofs.equal({"0.99 · 0 + 0.01 · μ": 0.01 * x.mean(axis=(0, 1, 2)), "Keras' moving mean": moving_mean})
proofs.equal({
    "prediction": normalization.batch_norm_inference(x, gamma, beta, moving_mean, moving_variance),
    "Keras, training=False": layer(x, training=False),
})

# %% [markdown] lang="en"
# ## Batch normalisation, backward
#
# The mean and the variance depend on every $x$, so a change of one number moves all outputs of its channel. With $g$ the
# gradient from above, $h = g\,\gamma$, and a bar for the mean over batch and places:
#
# $$ \frac{\partial L}{\partial x} = \frac{h - \overline{h} - \hat x\, \overline{h \hat x}}{\sqrt{\sigma^2 + \epsilon}},
#    \qquad \frac{\partial L}{\partial \gamma} = \sum g\, \hat x, \qquad \frac{\partial L}{\partial \beta} = \sum g $$
#
# The two subtracted terms say: whatever would shift or stretch the whole channel is taken back by the normalisation, so
# it gets no gradient.

# %% [markdown] lang="zh" of="557f138c"
# ## 批量归一化：反向
#
# 均值和方差与每一个 $x$ 都有关，所以动一个数，整个通道的输出都会动。设 $g$ 是上面传回的梯度，$h = g\,\gamma$，
# 横线表示对批量和位置取平均：
#
# $$ \frac{\partial L}{\partial x} = \frac{h - \overline{h} - \hat x\, \overline{h \hat x}}{\sqrt{\sigma^2 + \epsilon}},
#    \qquad \frac{\partial L}{\partial \gamma} = \sum g\, \hat x, \qquad \frac{\partial L}{\partial \beta} = \sum g $$
#
# 减去的两项意思是：凡是把整个通道一起平移或拉伸的改动，都会被归一化抵消，所以得不到梯度。

# %%
def batch_norm_backward(upstream, x, gamma, epsilon=1e-3):
    """The gradient of x; shapes as in batch_norm."""
    axes = (0, 1, 2)
    deviation = np.sqrt(x.var(axis=axes) + epsilon)
    standardised = (x - x.mean(axis=axes)) / deviation
    slope = upstream * gamma
    return (slope - slope.mean(axis=axes) - standardised * (slope * standardised).mean(axis=axes)) / deviation


few, upstream = x[:2, :3, :3], np.random.default_rng(2).normal(size=(2, 3, 3, 3))
tensor = tf.constant(few)
with tf.GradientTape() as tape:
    tape.watch(tensor)
    loss = tf.reduce_sum(upstream * layer(tensor, training=True))
proofs.equal({
    "by hand": batch_norm_backward(upstream, few, gamma),
    "reference": normalization.batch_norm_backward(upstream, few, gamma, beta)[0],
    "GradientTape": tape.gradient(loss, tensor),
    "finite differences": proofs.finite_differences(lambda x: np.sum(upstream * batch_norm(x, gamma, beta)), few),
})

# %% [markdown] lang="en"
# ## What it buys: a wide range of learning rates
#
# The paper promised "much higher learning rates" ([Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)). That can
# be measured: one small network, with and without normalisation, the same digits, the same start, five learning
# rates, each about three times the one before. **Predict:** where does each curve rise, and where does it fall?
#
# *Why* it helps is still discussed. The paper's reason, steadier distributions inside the network, was tested and
# doubted; a smoother loss surface fits the measurements better
# ([Santurkar et al. 2018](https://arxiv.org/abs/1805.11604)).

# %% [markdown] lang="zh" of="92273aef"
# ## 有什么用：可用的学习率范围变宽
#
# 原论文说它允许 “高得多的学习率”（[Ioffe 与 Szegedy，2015](https://arxiv.org/abs/1502.03167)）。这可以测量：
# 一个小网络，有归一化和没有归一化各训练一次，
# 数字相同，起点相同，五种学习率，每种约为前一种的三倍。**先猜：** 两条曲线各在哪里升上来，又在哪里掉下去？
#
# *为什么*有用，至今仍有讨论。论文给出的理由是网络内部的分布更稳定，后来有人做实验提出了质疑；
# “损失曲面更平滑” 更符合测量结果
# （[Santurkar 等，2018](https://arxiv.org/abs/1805.11604)）。

# %%
def small_cnn(normalise):
    """Two strided convolutions and a dense layer, with or without batch normalisation; logits."""
    images = keras.Input((28, 28, 1))
    maps = images
    for channels in (16, 32):
        maps = layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=not normalise)(maps)
        if normalise:
            maps = layers.BatchNormalization(momentum=0.9)(maps)
        maps = layers.ReLU()(maps)  # (batch, 14, 14, 16), then (batch, 7, 7, 32)
    return keras.Model(images, layers.Dense(10)(layers.Flatten()(maps)))


def compiled(build, optimizer):
    """A new model under the machine's strategy, ready to train."""
    keras.utils.clear_session()  # many models follow one another: let go of the last one's memory
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        model = build()
        model.compile(optimizer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


print("parameters · 参数:", {normalise: small_cnn(normalise).count_params() for normalise in (False, True)})

# %% tags=["nbval-ignore-output"]
count = choose(smoke=1_280, laptop=6_400, full=60_000)
x_train, y_train = datasets.as_images(digits.x_train[:count]), digits.y_train[:count]
tested = choose(smoke=1_000, laptop=5_000, full=10_000)
x_test, y_test = datasets.as_images(digits.x_test[:tested]), digits.y_test[:tested]

rates = choose(smoke=[0.1], laptop=[0.01, 0.03, 0.1, 0.3, 1.0], full=[0.003, 0.01, 0.03, 0.1, 0.3, 1.0])
bands = {  # best test accuracy, and how many of the rates reach 0.8 (one of them lies close to it: a count of ± 1)
    "plain": choose(smoke=[(0.03, 0.80), None], laptop=[(0.85, 0.91), (1, 3)], full=[(0.5, 1), None]),
    "normalised": choose(smoke=[(0.58, 0.87), None], laptop=[(0.84, 0.97), (2, 5)], full=[(0.5, 1), None]),
}
by_rate = {}
for key, normalise in [("plain", False), ("normalised", True)]:
    model = compiled(functools.partial(small_cnn, normalise), keras.optimizers.SGD)
    start = model.get_weights()
    for rate in rates:
        model.set_weights(start)
        model.optimizer.learning_rate = rate
        epochs = choose(smoke=1, laptop=1, full=2)
        training.fit(model, x_train, y_train, name=f"{key} {rate}", epochs=epochs, batch_size=64)
        by_rate[key, rate] = training.accuracy(model, x_test, y_test)
    accuracies = [by_rate[key, rate] for rate in rates]
    best, usable = bands[key]
    results.record(f"{key}.best_accuracy_of_all_rates", max(accuracies), band=best)
    results.record(f"{key}.rates_above_80_percent", sum(value > 0.8 for value in accuracies), band=usable, digits=0)

# %%
figure, axis = plt.subplots(figsize=(6.5, 3.4))
for key, color, marker, line in zip(["plain", "normalised"], plots.COLORS, plots.MARKERS, plots.LINES, strict=False):
    axis.plot(rates, [by_rate[key, rate] for rate in rates], line, marker=marker, color=color, label=key)
axis.set(xscale="log", xlabel="learning rate (SGD)", ylabel="test accuracy", ylim=(0, 1), title="Accuracy after one short training")
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure,
    alt="Test accuracy against learning rate on a logarithmic axis: with normalisation the curve is high over a wider range.",
    alt_zh="测试准确率随学习率（对数轴）的变化：有归一化时，曲线在更宽的范围内保持高位。",
)

# %% [markdown] lang="en"
# The range is wider, above all at the low end: with normalisation a *low* rate learns in one short training, where the
# plain network has barely begun. The promise named the high end, and there this run is no proof: at the highest rate
# the plain network falls far, often to guessing, and the normalised one holds or falls with it, depending on the seed.
#
# ## The order of layers, and a free lunch at prediction time
#
# Usual order: convolution, normalisation, activation. Two facts follow from the formula, and both can be shown:
#
# 1. A bias in front of the normalisation is useless: it moves the mean, and the mean is subtracted. Hence
#    `use_bias=False`.
# 2. In prediction the layer is a fixed scale and shift per channel, so it can be **folded** into the convolution and
#    costs nothing: $\; w' = w \dfrac{\gamma}{\sqrt{v + \epsilon}}, \quad b' = \beta - \dfrac{\gamma\, m}{\sqrt{v + \epsilon}}$.

# %% [markdown] lang="zh" of="e9d57969"
# 范围确实变宽了，主要是在低的那一头：有归一化时，*较低*的学习率在一次短训练里就能学会，普通网络此时才刚起步。承诺里说的是高的那一头，而在那里，
# 这次运行证明不了什么：学习率最高时，普通网络跌得很惨，常常只剩瞎猜；归一化的网络有时撑得住，有时一起跌下去，要看随机种子。
#
# ## 层的次序，以及预测时的免费午餐
#
# 常用的次序是：卷积、归一化、激活。由公式可得两个结论，都能当场验证：
#
# 1. 归一化前面的偏置没有用：它只会改变均值，而均值马上被减掉。所以写 `use_bias=False`。
# 2. 预测时，这一层对每个通道只是固定的缩放和平移，因此可以**折叠**（fold）进卷积里，不花一点计算：
#    $\; w' = w \dfrac{\gamma}{\sqrt{v + \epsilon}}, \quad b' = \beta - \dfrac{\gamma\, m}{\sqrt{v + \epsilon}}$。

# %%
kernel = np.random.default_rng(3).normal(size=(3, 3, 3, 3))
maps = convolution.cross_correlate2d(x, kernel)
proofs.equal({"no bias": batch_norm(maps, gamma, beta), "bias 7": batch_norm(maps + 7, gamma, beta)})

scale = gamma / np.sqrt(moving_variance + 1e-3)  # (channels out,), the kernel's last axis
proofs.equal({
    "convolve, then normalise": normalization.batch_norm_inference(maps, gamma, beta, moving_mean, moving_variance),
    "folded into one": convolution.cross_correlate2d(x, kernel * scale, beta - moving_mean * scale),
})

# %% [markdown] lang="en"
# ## Depth: why plain networks stop and residual ones go on
#
# VGG stacked 3 × 3 convolutions up to 19 layers and stopped there
# ([Simonyan and Zisserman 2014](https://arxiv.org/abs/1409.1556)); its deeper versions were started from the weights of
# a shallower one. In 2015 a plain network of 56 layers, batch-normalised, had a higher *training* error than one of 20;
# the same network with shortcuts did not, and with 152 layers it won ImageNet
# ([He, Zhang, Ren and Sun 2015](https://arxiv.org/abs/1512.03385)).
#
# We repeat the story in small: maps of 7 × 7, 16 channels, three ways to stack, 4 or 20 convolutions. A residual block
# is $\;y = \text{ReLU}\big(x + F(x)\big)$ with two convolutions in $F$. Wherever the ReLU is open, $\;\partial y /
# \partial x = I + \partial F / \partial x$: the gradient has a path, the $I$, that does not pass through the weights.
#
# First the gradients **before any training**, layer by layer, in a network of 20 convolutions.

# %% [markdown] lang="zh" of="98e577b5"
# ## 深度：普通网络为什么停下，残差网络为什么能继续
#
# VGG 把 3 × 3 卷积叠到 19 层，就停住了（[Simonyan 与 Zisserman，2014](https://arxiv.org/abs/1409.1556)）；
# 其中较深的几个还要用较浅网络的权重来起步。
# 2015 年人们发现：56 层的普通网络，即使用了批量归一化，*训练*误差仍比 20 层的高，而同样的网络加上捷径就没有这个问题；叠到 152 层，
# 赢得了 ImageNet 竞赛
# （[何恺明、张祥雨、任少卿、孙剑，2015](https://arxiv.org/abs/1512.03385)）。
#
# 我们在小尺度上重演一遍：7 × 7 的特征图，16 个通道，三种叠法，4 层或 20 层卷积。
# 残差块是 $\;y = \text{ReLU}\big(x + F(x)\big)$，其中 $F$ 含两层卷积。凡是 ReLU 打开的地方，$\;\partial y / \partial x = I + \partial F / \partial x$：
# 梯度多了一条不经过权重的路，就是那个 $I$。
#
# 先看**训练之前**的梯度：在一个有 20 层卷积的网络里，逐层来看。

# %%
def deep_cnn(depth, normalise, shortcut, start="he_normal", momentum=0.9):
    """`depth` convolutions: one that shrinks the image to 7 × 7, then blocks of two; logits."""

    def convolve(maps, size, stride=1):
        maps = layers.Conv2D(16, size, strides=stride, padding="same", use_bias=False, kernel_initializer=start)(maps)
        return layers.BatchNormalization(momentum=momentum)(maps) if normalise else maps

    images = keras.Input((28, 28, 1))
    maps = layers.ReLU()(convolve(images, 5, stride=4))  # (batch, 7, 7, 16)
    for _ in range((depth - 2) // 2):
        change = convolve(layers.ReLU()(convolve(maps, 3)), 3)
        maps = layers.ReLU()(layers.Add()([maps, change]) if shortcut else change)
    maps = layers.ReLU()(convolve(maps, 3))
    return keras.Model(images, layers.Dense(10)(layers.Flatten()(maps)))


stacks = {  # normalise, shortcut
    "plain": (False, False),
    "plain + normalisation": (True, False),
    "residual + normalisation": (True, True),
}
for name, choice in stacks.items():
    print(f"{name:25}", [deep_cnn(depth, *choice).count_params() for depth in (4, 20)], "parameters · 参数")

# %% tags=["nbval-ignore-output"]
def gradient_norms(model):
    """Length of the loss gradient of each convolution's kernel, first layer first, for 64 digits."""
    kernels = [layer.kernel for layer in model.layers if isinstance(layer, layers.Conv2D)]
    loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with tf.GradientTape() as tape:
        loss = loss_function(y_train[:64], model(x_train[:64], training=True))
    return [float(tf.norm(gradient)) for gradient in tape.gradient(loss, [kernel.value for kernel in kernels])]


deepest = choose(smoke=8, laptop=20, full=56)
keras.utils.set_random_seed(SEED)
norms = {"plain, Keras' default start": gradient_norms(deep_cnn(deepest, False, False, "glorot_uniform"))}
norms |= {name: gradient_norms(deep_cnn(deepest, *choice)) for name, choice in stacks.items()}
bands = {  # powers of ten
    "glorot": choose(smoke=(-2.7, -0.9), laptop=(-5.1, -2.8), full=(-20, 3)),
    "plain": choose(smoke=(-2.0, 0.6), laptop=(-2.0, -0.3), full=(-20, 3)),
    "normalised": choose(smoke=(-0.2, 0.6), laptop=(0.5, 1.7), full=(-20, 3)),
    "residual": choose(smoke=(-0.6, 0.6), laptop=(-0.1, 0.2), full=(-20, 3)),
}
for (key, band), curve in zip(bands.items(), norms.values(), strict=True):
    results.record(f"{key}.log10_gradient_of_first_kernel", np.log10(curve[0]), band=band, digits=1)

# %%
figure, axis = plt.subplots(figsize=(9, 3.4))
for (name, curve), color, marker, line in zip(norms.items(), plots.COLORS, plots.MARKERS, plots.LINES, strict=False):
    axis.plot(range(1, len(curve) + 1), curve, line, marker=marker, markersize=4, color=color, label=name)
axis.set(yscale="log", xlabel="convolution, counted from the input", ylabel="length of the kernel's gradient")
axis.set(title="Gradients before training", xticks=range(2, deepest + 1, 2))
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure,
    alt="Gradient length of each layer on a logarithmic axis, four stacks. With Keras' default start the plain stack's "
    "gradients are the smallest by far, by several powers of ten.",
    alt_zh="四种叠法各层的梯度长度（对数轴）。采用 Keras 默认初始化的普通叠法，梯度比其他几种小许多个数量级。",
)

# %% [markdown] lang="en"
# The first line is a network that stands still: with Keras' default start each ReLU layer halves the signal's variance.
# A start made for ReLU ([He et al. 2015](https://arxiv.org/abs/1502.01852)) repairs that *at the start*. What happens
# once the weights move?
#
# We train all three stacks, shallow and deep, with the same digits and the same number of steps, and look at the accuracy
# on the **training** digits. If it falls with depth, the trouble is not overfitting: the network cannot even learn what it
# is shown. A deep stack may want another learning rate than a shallow one. To be fair, each gets three, and is judged by
# its best. **Predict:** which stack does not mind the rate?

# %% [markdown] lang="zh" of="339aab6c"
# 第一条线的网络几乎一动不动：用 Keras 的默认初始化，每过一层 ReLU，信号的方差就减半。为 ReLU 设计的初始化
# （[何恺明等，2015](https://arxiv.org/abs/1502.01852)）能让*起点*恢复正常。可权重一动起来会怎样？
#
# 我们让三种叠法各在浅、深两种深度上训练，数字相同，步数相同，然后看**训练**数字上的准确率。如果它随深度下降，
# 那就不是过拟合：网络连给它看的东西都没学会。深网络想要的学习率也许与浅网络不同，为公平起见，每个网络都试三种学习率，
# 取最好的一次来评判。**先猜：** 哪种叠法对学习率不挑剔？

# %%
def restart(model, weights):
    """Back to the start, with an optimiser that has seen nothing. The compiled graph is kept: it costs time and memory."""
    model.set_weights(weights)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))


def train_at_each_rate(name, depth, rates):
    """Train one stack from the same start at each rate: its accuracies on training digits, and the best weights."""
    optimizer = functools.partial(keras.optimizers.SGD, momentum=0.9)
    model = compiled(functools.partial(deep_cnn, depth, *stacks[name]), optimizer)
    start, accuracies, best = model.get_weights(), [], None
    for rate in rates:
        restart(model, start)
        model.optimizer.learning_rate = rate
        epochs = choose(smoke=1, laptop=1, full=3)
        training.fit(model, x_train, y_train, name=f"{name} {depth} {rate}", epochs=epochs, batch_size=64)
        accuracies.append(training.accuracy(model, x_train[:2_000], y_train[:2_000]))
        best = model.get_weights() if accuracies[-1] == max(accuracies) else best
    return accuracies, best

# %% tags=["nbval-ignore-output"]
depths = choose(smoke=[4], laptop=[4, 20], full=[4, 20, 56])
stack_rates = choose(smoke=[0.05], laptop=[0.005, 0.02, 0.1], full=[0.005, 0.02, 0.1])
bands = {  # the best of the rates: one band a depth; the two deep ones without shortcuts must stay below the shallow ones
    "plain": choose(smoke=[(0.65, 0.86)], laptop=[(0.88, 0.95), (0.29, 0.88)], full=[None] * 3),
    "normalised": choose(smoke=[(0.84, 0.90)], laptop=[(0.91, 0.99), (0.52, 0.91)], full=[None] * 3),
    "residual": choose(smoke=[(0.79, 0.94)], laptop=[(0.89, 1), (0.89, 0.99)], full=[None] * 3),
}
by_depth = {}
for depth in reversed(depths):  # large graphs first: what smaller ones leave in memory would come on top
    for name in reversed(stacks):
        by_depth[name, depth], shallow_weights = train_at_each_rate(name, depth, stack_rates)  # the last: plain, shallow
for key, name in zip(bands, stacks, strict=True):
    for depth, band in zip(depths, bands[key], strict=True):
        results.record(f"{key}_{depth}.training_accuracy", max(by_depth[name, depth]), band=band)

# %%
figure, axes = plt.subplots(1, len(depths), figsize=(9, 3.4), sharey=True, squeeze=False)
for axis, depth in zip(axes[0], depths, strict=True):
    for name, color, marker, line in zip(stacks, plots.COLORS, plots.MARKERS, plots.LINES, strict=False):
        axis.plot(stack_rates, by_depth[name, depth], line, marker=marker, color=color, label=name)
    axis.axhline(0.1, color="0.5", linewidth=1)
    axis.text(stack_rates[0], 0.03, "guessing", color="0.4")
    axis.set(xscale="log", xlabel="learning rate (SGD, momentum 0.9)", ylim=(0, 1), title=f"{depth} convolutions")
axes[0, 0].set_ylabel("accuracy on training digits")
axes[0, -1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure,
    alt="Accuracy on the training digits against the learning rate, one panel a depth, one line a stack. Shallow, all lines "
    "are high. Deep, the plain stack is lower and falls to guessing at higher rates; the residual one stays high.",
    alt_zh="训练数字上的准确率随学习率的变化，每种深度一幅图，每种叠法一条线。浅时三条线都高；深时普通叠法较低，"
    "学习率一大就跌到瞎猜，残差叠法始终保持高位。",
)

# %% [markdown] lang="en"
# Shallow, all three learn, whatever the rate. Deep, the plain stack is worse than the shallow one *at every rate*, although
# its gradients were fine at the start; the higher the rate, the worse, down to guessing. Normalisation softens that fall, yet even
# its best stays clearly below the shallow stack, and is not always better than the plain one's best: it does not cure depth. Only the
# residual stack is about as good as a shallow one, and does not mind the rate. Same digits, same steps, same
# number of kernels: what failed was the training.
#
# ## Cheap blocks: 1 × 1 and depthwise separable
#
# ResNet's deeper versions squeeze channels with **1 × 1** convolutions: no neighbours, only a matrix product over the
# channels at each pixel. A **depthwise** convolution is the opposite: neighbours, but each channel on its own. One after
# the other is a **depthwise separable** convolution (MobileNet, Xception), with
# $K^2 C_{\text{in}} + C_{\text{in}} C_{\text{out}}$ weights instead of $K^2 C_{\text{in}} C_{\text{out}}$.

# %% [markdown] lang="zh" of="926a990c"
# 浅的时候，三种叠法用哪种学习率都学得会。深的时候，普通叠法*无论用哪种学习率*都不如浅网络，尽管它起步时梯度是正常的；
# 学习率越高就越差，直到瞎猜。归一化让它跌得缓一些，可就算取最好的一次，仍明显不如浅网络，也不一定胜过普通叠法最好的一次：
# 它治不了 “深” 这个病。
# 只有残差叠法与浅网络差不多一样好，而且不挑学习率。
# 数字相同，步数相同，卷积核个数相同：失败的是训练。
#
# ## 省计算的模块：1 × 1 与深度可分离
#
# 较深的 ResNet 用 **1 × 1** 卷积压缩通道：不看邻居，只在每个像素上对通道做一次矩阵乘法。**逐通道卷积**（depthwise）
# 正相反：看邻居，但各通道互不相干。
# 两者前后相接，就是**深度可分离卷积**（depthwise separable；见 MobileNet、Xception），
# 权重从 $K^2 C_{\text{in}} C_{\text{out}}$ 个减少到
# $K^2 C_{\text{in}} + C_{\text{in}} C_{\text{out}}$ 个。

# %%
random = np.random.default_rng(4)
images = random.normal(size=(2, 8, 8, 16))
mix = random.normal(size=(1, 1, 16, 32))
proofs.equal({
    "matrix product": images @ mix[0, 0],
    "reference": convolution.cross_correlate2d(images, mix),
    "Keras, 1 × 1": keras.ops.conv(images, mix),
})
each = random.normal(size=(3, 3, 16, 1))
proofs.equal({
    "depthwise, then 1 × 1": convolution.cross_correlate2d(convolution.depthwise_cross_correlate2d(images, each), mix),
    "Keras, separable": keras.ops.separable_conv(images, each, mix),
})
print("weights · 权重: full", 3 * 3 * 16 * 32, " separable", each.size + mix.size)

# %% [markdown] lang="en"
# ## Residual blocks in time: WaveNet
#
# Sound is one-dimensional, and to *generate* it an output must never look at a later sample. **Causal** convolution puts
# all zeros in front. **Dilations** 1, 2, 4, 8 double the view with each layer, where ordinary layers add a step only.
# WaveNet's block ([van den Oord et al. 2016](https://arxiv.org/abs/1609.03499)) has a gate and a residual path:
#
# $$ z = \tanh(W_f * x) \odot \sigma(W_g * x), \qquad y = x + W_{1 \times 1}\, z $$
#
# ($*$ is the causal, dilated layer, $\odot$ a product number by number.) First: the block in NumPy and in Keras.
#
# Then: is it causal? Ask the gradients. In the picture each row is one output in time, each column one input; a dark
# field means "a change here is felt there". Four blocks, dilations 1, 2, 4, 8, once causal, once with zeros on both sides
# (`"same"`). **Predict:** how many steps back does an output see?

# %% [markdown] lang="zh" of="e4252dbf"
# ## 时间上的残差块：WaveNet
#
# 声音是一维的；要*生成*声音，输出就绝不能看到后面的样本。**因果**卷积把零全部补在前面。**空洞**取 1、2、4、8，
# 每加一层视野就翻倍，而普通的层每次只多看一步。
# WaveNet 的模块（[van den Oord 等，2016](https://arxiv.org/abs/1609.03499)）带一个门和一条残差路径：
#
# $$ z = \tanh(W_f * x) \odot \sigma(W_g * x), \qquad y = x + W_{1 \times 1}\, z $$
#
# （$*$ 是因果的空洞卷积层，$\odot$ 是逐元素相乘。）先分别用 NumPy 和 Keras 写出这个模块。
#
# 再看它是不是真的因果：去问梯度。图中每一行是某一时刻的输出，每一列是某一时刻的输入；深色表示 “这里一动，那里有感觉”。
# 四个模块，空洞为 1、2、4、8，一次用因果填充，一次两边补零（`"same"`）。**先猜：** 一个输出能看到多少步以前？

# %%
def wavenet_block(sound, dilation, padding="causal"):
    """Keras: gate and residual path; sound (batch, time, channels)."""
    filtered = layers.Conv1D(4, 2, padding=padding, dilation_rate=dilation, activation="tanh")(sound)
    gate = layers.Conv1D(4, 2, padding=padding, dilation_rate=dilation, activation="sigmoid")(sound)
    return layers.Add()([sound, layers.Conv1D(4, 1)(layers.Multiply()([filtered, gate]))])


sound = np.random.default_rng(5).normal(size=(1, 32, 4)).astype("float32")
inputs = keras.Input((32, 4))
block = keras.Model(inputs, wavenet_block(inputs, dilation=4))
filter_kernel, filter_bias, gate_kernel, gate_bias, mix_kernel, mix_bias = block.get_weights()
causal = {"padding": "causal", "dilation": 4}
filtered = np.tanh(convolution.cross_correlate1d(sound, filter_kernel, filter_bias, **causal))
gate = activations.sigmoid(convolution.cross_correlate1d(sound, gate_kernel, gate_bias, **causal))
by_hand = sound + convolution.cross_correlate1d(filtered * gate, mix_kernel, mix_bias)
proofs.equal({"NumPy": by_hand, "Keras": block(sound)})

# %%
def influence(padding):
    """True where output (row) depends on input (column), measured by gradients: (32, 32)."""
    keras.utils.set_random_seed(0)
    outputs = inputs = keras.Input((32, 4))
    for dilation in (1, 2, 4, 8):
        outputs = wavenet_block(outputs, dilation, padding)
    model, copies = keras.Model(inputs, outputs), tf.repeat(sound, 32, axis=0)  # copy t is asked about output t only
    with tf.GradientTape() as tape:
        tape.watch(copies)
        heard = tf.linalg.trace(tf.reduce_sum(model(copies), axis=-1))  # the sum over t of output t of copy t
    return np.abs(tape.gradient(heard, copies)).sum(axis=-1) > 0


felt = {padding: influence(padding) for padding in ("causal", "same")}
for padding, field in felt.items():
    later = np.triu(field, 1).sum()
    print(f"{padding:6}: future inputs felt · 未来: {later:3}   seen by the last output · 可见: {field[-1].sum()}")
assert felt["causal"][-1].sum() == convolution.receptive_field([(2, 1, 1), (2, 1, 2), (2, 1, 4), (2, 1, 8)])

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), sharey=True)
for axis, (padding, field) in zip(axes, felt.items(), strict=True):
    axis.imshow(field, cmap="Blues", vmax=1.4)
    axis.plot([-0.5, 31.5], [-0.5, 31.5], "--", color=plots.COLORS[1], label="now")
    axis.set(title=f'padding "{padding}"', xlabel="input (time step)", xlim=(-0.5, 31.5), ylim=(31.5, -0.5))
    axis.grid(visible=False)
axes[0].set_ylabel("output (time step)")
axes[0].legend(loc="upper right")
plots.show(
    figure,
    alt="Two square maps of which input each output depends on. Causal: a band below the diagonal only. Same: a band on "
    "both sides, so outputs see the future.",
    alt_zh="两幅方图，显示每个输出依赖哪些输入。因果填充：只有对角线下方的一条带；same 填充：对角线两侧都有，输出看到了未来。",
)

# %% [markdown] lang="en"
# ## Augmentation: more digits from the same digits
#
# Chapter 2 ended with a weakness: move a digit, and the network stumbles. So train on moved digits. **Augmentation**
# changes each image at random, anew in each epoch, in ways that keep its label: a little shift, turn, zoom. Which changes
# keep the label is knowledge about the task, not about the network. As an *ablation* we add a change that a digit does
# not survive: the mirror. (Would a mirror harm a photograph of a cat?)
#
# Few labels, so that it matters. Several seeds, run live, so that we may say "better".

# %% [markdown] lang="zh" of="4c97ab1c"
# ## 数据增强：用同样的数字造出更多数字
#
# 第 2 章留下一个弱点：把数字挪一挪，网络就出错。那就用挪过的数字来训练。**数据增强**（augmentation）
# 在每一轮里重新随机改动每张图，改动要保证标签不变：
# 稍微平移、旋转、缩放。哪些改动不影响标签，取决于对任务的了解，与网络无关。作为*消融*，我们再加一种数字经不起的改动：
# 左右镜像。
# （换成猫的照片，镜像有害吗？）
#
# 标注样本取得少，差别才显得出来；当场跑几个随机种子，才有资格说 “更好”。

# %%
def augmentation(kind):
    """Layers that change images at random while training, and pass them on unchanged afterwards."""
    black = {"fill_mode": "constant", "fill_value": 0.0}
    gentle = [
        layers.RandomTranslation(0.12, 0.12, **black),  # share of the image's size, up to 3 pixels
        layers.RandomRotation(0.03, **black),  # share of a full turn, up to 11 degrees
        layers.RandomZoom(0.1, **black),
    ]
    return {"none": [], "shift, turn, zoom": gentle, "mirror": [layers.RandomFlip("horizontal")]}[kind]


keras.utils.set_random_seed(1)
three = np.repeat(x_train[7:8], 8, axis=0)
rows = [keras.Sequential(augmentation(kind))(three, training=True) for kind in ("shift, turn, zoom", "mirror")]
plots.show(
    plots.grid(np.concatenate(rows), size=1.0),
    alt="Eight versions of one handwritten 3: shifted, turned, zoomed; below, some of eight copies are mirrored.",
    alt_zh="同一个手写数字 3 的八个变体：平移、旋转、缩放；下排八个中有几个被左右镜像。",
)

# %%
def augmented_digits(images, labels, kind, seed):
    """Batches of 64 for `fit`: shuffled and changed at random, anew in every epoch."""
    change = keras.Sequential([keras.Input((28, 28, 1)), *augmentation(kind)])
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(len(images), seed=seed).batch(64)
    return batches.map(lambda images, labels: (change(images, training=True), labels))


first_images, first_labels = next(iter(augmented_digits(x_train[:256], y_train[:256], "mirror", 0)))
print("a batch · 一批:", first_images.shape, first_labels.shape)

# %% tags=["nbval-ignore-output"]
few, epochs = choose(smoke=256, laptop=600, full=600), choose(smoke=3, laptop=30, full=150)
seeds = [SEED + 10 * repeat for repeat in range(choose(smoke=1, laptop=3, full=5))]
moved = np.pad(x_test, ((0, 0), (0, 0), (3, 0), (0, 0)))[:, :, :28]  # 3 pixels to the right
bands = {  # test accuracy, and accuracy on moved digits: means over the seeds
    "none": choose(smoke=[(0.05, 1), (0, 0.71)], laptop=[(0.83, 0.90), (0.45, 0.61)], full=[None] * 2),
    "shift, turn, zoom": choose(smoke=[(0.32, 0.71), (0.03, 0.82)], laptop=[(0.90, 0.96), (0.90, 0.93)], full=[None] * 2),
    "mirror": choose(smoke=[(0.21, 0.85), (0, 0.57)], laptop=[(0.81, 0.86), (0.51, 0.59)], full=[None] * 2),
}
augmented, rate = {}, training.OneCycle(0.01, steps=epochs * -(-few // 64))
model = compiled(vision.fast_cnn, functools.partial(keras.optimizers.Adam, rate))
for key, kind in zip(["unchanged", "augmented", "mirrored"], bands, strict=True):
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        restart(model, vision.fast_cnn().get_weights())
        batches = augmented_digits(x_train[:few], y_train[:few], kind, seed)
        training.fit(model, batches, None, name=f"{key} {seed}", epochs=epochs)
        augmented[kind, seed] = [training.accuracy(model, images, y_test) for images in (x_test, moved)]
    means = np.mean([augmented[kind, seed] for seed in seeds], axis=0)
    for what, mean, band in zip(["test", "moved"], means, bands[kind], strict=True):
        results.record(f"{key}.{what}_accuracy", mean, band=band)

# %%
figure, axis = plt.subplots(figsize=(7, 3.2))
for which, what in enumerate(["test digits", "test digits moved by 3 pixels"]):
    for row, kind in enumerate(bands):
        values = [augmented[kind, seed][which] for seed in seeds]
        height = np.full(len(values), row + 0.24 * which - 0.12)
        style = {"marker": plots.MARKERS[which], "color": plots.COLORS[which], "linestyle": "none"}
        axis.plot(values, height, **style, alpha=0.8, label=None if row else what)
axis.set(yticks=range(3), yticklabels=bands, xlabel="accuracy", title="One marker a seed", ylim=(2.5, -0.5))
axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
plots.show(
    figure,
    alt="Accuracy of three ways to augment, one marker a seed. Gentle shifts, turns and zooms lie to the right of no "
    "augmentation, above all on moved digits; mirroring lies to the left on the test digits and overlaps with none on the moved ones.",
    alt_zh="三种增强方式的准确率，每个种子一个标记。轻微的平移、旋转、缩放在不增强的右边，在平移过的数字上尤其明显；"
    "镜像在测试数字上偏左，在平移过的数字上与不增强相互重叠。",
)

# %% [markdown] lang="en"
# Shift, turn, zoom: better with every seed, and on the moved digits by far, since the network has met such places in
# training. The mirror is a lesson too: on the test digits it harms, because half of what it shows is mirrored, and a
# mirrored 2, 4 or 7 is no digit any more. On
# the moved digits its mean lies a little higher, but the markers overlap: do not say "better". (A guess at why it does not
# harm there: a mirrored stroke stands in another place, a crude kind of shift.) An augmentation is judged by the digits that
# you care about.
#
# ## Clinic: "good in training, bad in the test, so it is overfitting"
#
# A common reading of two numbers, and with batch normalisation often a wrong one. Below a network trains for a few steps
# with Keras' default `momentum=0.99`. Then it reads **the very digits it was trained on**, in both modes. If prediction
# is bad even there, it cannot be overfitting. **Predict:** which part of the layer is to blame?

# %% [markdown] lang="zh" of="94f3e25c"
# 平移、旋转、缩放：每个种子都变好，在平移过的数字上好得尤其多，因为训练时网络已经见过这样的位置。镜像也给人启发：在测试数字上它有害，
# 因为它给网络看的有一半是镜像，而镜像后的 2、4、7 已经不是数字；在平移过的数字上，它的均值略高，但标记相互重叠，不能说 “更好”。
# （它在那里为什么无害，这是一种猜测：镜像后的笔画换了位置，算是一种粗糙的平移。）一种增强好不好，要看你关心的是哪些数字。
#
# ## 门诊：“训练好、测试差，就是过拟合”
#
# 看到这样两个数，人们常下这个结论；有了批量归一化，它却常常是错的。
# 下面的网络用 Keras 默认的 `momentum=0.99` 只训练几步，然后以两种模式去读**它训练过的那些数字**。如果连这些数字都预测不好，就不可能是过拟合。**先猜：** 问题出在这一层的哪一部分？

# %% tags=["nbval-ignore-output"]
build = functools.partial(deep_cnn, choose(smoke=4, laptop=6, full=6), normalise=True, shortcut=False, momentum=0.99)
model = compiled(build, lambda: keras.optimizers.Adam(0.01))
training.fit(model, x_train[:640], y_train[:640], name="ten steps", epochs=1, batch_size=64)


def accuracy_in_mode(training_mode):
    return np.mean(np.argmax(model(x_train[:320], training=training_mode), axis=1) == y_train[:320])


below = choose(smoke=(0.36, 1), laptop=(0, 0.79), full=None)  # laptop: worse than in training mode, by whatever the seed
good = choose(smoke=(0.59, 1), laptop=(0.80, 0.87), full=None)
results.record("same_digits.prediction_mode", accuracy_in_mode(False), band=below)
results.record("same_digits.training_mode", accuracy_in_mode(True), band=good)
for layer in model.layers:
    if isinstance(layer, layers.BatchNormalization):
        layer.momentum = 0.0  # the next pass in training mode replaces the averages; no weight changes
accuracy_in_mode(True)
results.record("same_digits.prediction_mode_after_renewal", accuracy_in_mode(False), band=good)

# %% [markdown] lang="en"
# **Diagnosis.** The weights were good; the moving averages still remembered their starting values 0 and 1. After $n$
# steps a share $0.99^n$ of the start is left. Cure: a smaller momentum for short trainings (the course's models use 0.9),
# or a few passes to renew the averages.
#
# ## Clinic: "more layers are always at least as good, since extra layers could do nothing"
#
# The first half was measured above. The second half is true, and that is the point: below, a deep plain network is
# *built* from the trained shallow one with kernels that copy. It gives the same answers. So a good deep network exists.
# Training does not find it, and a shortcut is the way to hand it over: $F = 0$ is the copy.

# %% [markdown] lang="zh" of="6913ae81"
# **诊断。** 权重是好的，只是滑动平均还记着它的初值 0 和 1：训练 $n$ 步之后，初值还剩 $0.99^n$。办法：
# 训练步数少时用小一些的 momentum
# （本课程的模型用 0.9），或者再前向几遍，把平均值更新一下。
#
# ## 门诊：“层数越多至少不会更差，因为多出来的层可以什么都不做”
#
# 前半句上面已经测过了。后半句是对的，而关键正在这里：下面用 “照抄” 的卷积核，从训练好的浅网络*搭*出一个很深的普通网络，
# 两者的答案完全相同。
# 可见好的深网络是存在的，只是训练找不到它；捷径则把它直接送到手上：$F = 0$ 就是照抄。

# %%
copy_kernel = np.zeros((3, 3, 16, 16), "float32")
copy_kernel[1, 1] = np.eye(16)  # each channel passes through; after ReLU nothing is negative, so ReLU passes it too
shallow, deep = (deep_cnn(depth, normalise=False, shortcut=False) for depth in (4, 20))
shallow.set_weights(shallow_weights)
deep.set_weights(shallow_weights[:-3] + 16 * [copy_kernel] + shallow_weights[-3:])  # last convolution, dense layer
proofs.equal({"shallow, trained": shallow(x_test[:100]), "20 convolutions, 16 of them copy": deep(x_test[:100])})

# %% [markdown] lang="en"
# ### Exercise 1 · easy — how much does separating save?
#
# Write `separable_weights(kernel, inputs, outputs)`: the number of weights of a depthwise separable convolution, without
# biases. Then compare it with the full convolution for 3 × 3 and 256 → 256 channels.

# %% [markdown] lang="zh" of="d17e572b"
# ### 练习 1 · 易 —— 拆开能省多少？
#
# 写出 `separable_weights(kernel, inputs, outputs)`：深度可分离卷积的权重个数，不计偏置。再与 3 × 3、
# 256 → 256 通道的普通卷积比一比。

# %% tags=["exercise"]
def separable_weights(kernel, inputs, outputs):
    """Weights of a depthwise convolution and the 1 × 1 convolution after it."""
    ### BEGIN SOLUTION
    return kernel * kernel * inputs + inputs * outputs
    ### END SOLUTION

# %% tags=["check"]
exercises.check("02a.separable_weights", separable_weights)

# %% [markdown] lang="en" tags=["hint"]
# Two layers, so two counts, added. The first has one small kernel for each *input* channel; the second has no
# neighbours.

# %% [markdown] lang="zh" of="32593cc2" tags=["hint"]
# 两层，就数两次，再相加。第一层给每个*输入*通道一个小核；第二层不看邻居。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — batch normalisation from memory
#
# Write `normalise(x, gamma, beta, epsilon)` for training, with x as *(batch, height, width, channels)*. No peeking at the
# cell above.

# %% [markdown] lang="zh" of="b8f71f60"
# ### 练习 2 · 中 —— 默写批量归一化
#
# 写出训练时的 `normalise(x, gamma, beta, epsilon)`，x 的形状是 *（批量，高，宽，通道）*。不要偷看上面的单元格。

# %% tags=["exercise"]
def normalise(x, gamma, beta, epsilon):
    """Batch normalisation as in training."""
    ### BEGIN SOLUTION
    mean = x.mean(axis=(0, 1, 2))
    variance = x.var(axis=(0, 1, 2))
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    ### END SOLUTION

# %% tags=["check"]
exercises.check("02a.normalise", normalise)

# %% [markdown] lang="en" tags=["hint"]
# One mean for each channel: average over everything that is not the channel axis. `var` divides by n, as it should here.
# Epsilon belongs to the variance, under the root.

# %% [markdown] lang="zh" of="60e54b42" tags=["hint"]
# 每个通道一个均值：除了通道轴，其余各轴都要平均。`var` 除以 n，这里正该如此。ε 与方差相加，放在根号里面。

# %% [markdown] lang="en"
# ### Exercise 3 · medium — never look ahead
#
# Write `causal(sequence, kernel, dilation)` for one channel in NumPy: as long as the input, zeros in front,
# $y_t = \sum_u x_{t - (K-1-u)\,d}\; w_u$. The last weight belongs to the present.

# %% [markdown] lang="zh" of="eea7120b"
# ### 练习 3 · 中 —— 不许往前看
#
# 用 NumPy 写出单通道的 `causal(sequence, kernel, dilation)`：输出与输入等长，零补在前面，
# $y_t = \sum_u x_{t - (K-1-u)\,d}\; w_u$。最后一个权重对应当前时刻。

# %% tags=["exercise"]
def causal(sequence, kernel, dilation):
    """Dilated cross-correlation that sees only the present and the past; 1-D arrays."""
    ### BEGIN SOLUTION
    padded = np.concatenate([np.zeros((len(kernel) - 1) * dilation), sequence])
    return sum(weight * padded[u * dilation :][: len(sequence)] for u, weight in enumerate(kernel))
    ### END SOLUTION

# %% tags=["check"]
exercises.check("02a.causal", causal)

# %% [markdown] lang="en" tags=["hint"]
# How many zeros must stand in front so that the first output sees the first input and zeros only? Then every weight
# meets a shifted copy of the padded sequence.

# %% [markdown] lang="zh" of="b22b6fe6" tags=["hint"]
# 前面要补几个零，第一个输出才只看到第一个输入和零？补好之后，每个权重各乘一份错开的序列。

# %% [markdown] lang="en"
# ### Exercise 4 · hard — fold the normalisation away
#
# Write `fold(kernel, gamma, beta, mean, variance, epsilon)` that returns `(kernel, bias)` of one convolution that does
# what convolution (without bias) and normalisation do in prediction. Kernel: *(height, width, in, out)*, the rest
# *(out,)*.

# %% [markdown] lang="zh" of="cc36658e"
# ### 练习 4 · 难 —— 把归一化折叠掉
#
# 写出 `fold(kernel, gamma, beta, mean, variance, epsilon)`，返回 `(核, 偏置)`，使这一个卷积等于预测时的 “卷积（无偏置）
# 加归一化”。
# 核的形状是 *（高，宽，输入，输出）*，其余都是 *（输出，）*。

# %% tags=["exercise"]
def fold(kernel, gamma, beta, mean, variance, epsilon):
    """One convolution instead of convolution and normalisation: (kernel, bias)."""
    ### BEGIN SOLUTION
    scale = gamma / np.sqrt(variance + epsilon)
    return kernel * scale, beta - mean * scale
    ### END SOLUTION

# %% tags=["check"]
exercises.check("02a.fold", fold)

# %% [markdown] lang="en" tags=["hint"]
# Write the normalised output as (a number) · convolution + (another number), for one output channel. The first number
# goes into the kernel, along its last axis, the second is the bias.

# %% [markdown] lang="zh" of="f470f853" tags=["hint"]
# 对某一个输出通道，把归一化后的输出写成 “一个数 × 卷积 + 另一个数”。前一个数乘进核里（沿最后一条轴），后一个数就是偏置。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("02a")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Residual connections are in nearly every deep network since: in Transformers (chapter 7) around every attention and
# feed-forward layer, in diffusion models, in AlphaGo Zero. Batch normalisation is standard in networks for images; where
# batches are small or sequences long, layer normalisation takes its place. Augmentation is standard wherever labels are dear.
#
# - He, Zhang, Ren and Sun 2015, [*Deep residual learning for image recognition*](https://arxiv.org/abs/1512.03385); and 2016,
#   [*Identity mappings in deep residual networks*](https://arxiv.org/abs/1603.05027), on the order of layers in a block.
# - Ioffe and Szegedy 2015, [*Batch normalization*](https://arxiv.org/abs/1502.03167), and the doubt: Santurkar et al. 2018,
#   [*How does batch normalization help optimization?*](https://arxiv.org/abs/1805.11604)
# - Simonyan and Zisserman 2014, [*Very deep convolutional networks*](https://arxiv.org/abs/1409.1556) (VGG).
# - Howard et al. 2017, [*MobileNets*](https://arxiv.org/abs/1704.04861); Chollet 2016, [*Xception*](https://arxiv.org/abs/1610.02357).
# - Shorten and Khoshgoftaar 2019, [*A survey on image data augmentation*](https://doi.org/10.1186/s40537-019-0197-0).
#
# **What the full profile changes.** All 60,000 digits, a third depth of 56, five seeds and longer training for
# augmentation. Does the plain but normalised stack catch up with the residual one when it gets more steps? Look.

# %% [markdown] lang="zh" of="3ef22adb"
# ## 用在哪里，读些什么
#
# 此后几乎所有的深网络都有残差连接：Transformer（第 7 章）的每个注意力层和前馈层都被它环绕，扩散模型、AlphaGo Zero 里也有。
# 批量归一化是图像网络的标准配置；批量小或序列长时，由层归一化来代替。凡是标注昂贵的地方，数据增强都是标准做法。
#
# - 何恺明、张祥雨、任少卿、孙剑，2015，[*Deep residual learning for image recognition*](https://arxiv.org/abs/1512.03385)；
#   2016，[*Identity mappings in deep residual networks*](https://arxiv.org/abs/1603.05027)，讨论残差块内各层的次序。
# - Ioffe 与 Szegedy，2015，[*Batch normalization*](https://arxiv.org/abs/1502.03167)；提出质疑的是 Santurkar 等，2018，
#   [*How does batch normalization help optimization?*](https://arxiv.org/abs/1805.11604)
# - Simonyan 与 Zisserman，2014，[*Very deep convolutional networks*](https://arxiv.org/abs/1409.1556)（VGG）。
# - Howard 等，2017，[*MobileNets*](https://arxiv.org/abs/1704.04861)；Chollet，2016，
#   [*Xception*](https://arxiv.org/abs/1610.02357)。
# - Shorten 与 Khoshgoftaar，2019，[*A survey on image data augmentation*](https://doi.org/10.1186/s40537-019-0197-0)。
#
# **换成 full 配置会怎样。** 用全部 60,000 个数字，再加一种深度 56，数据增强用五个种子、训练更久。
# 步数多了，带归一化的普通叠法能不能追上残差叠法？请你自己看。
