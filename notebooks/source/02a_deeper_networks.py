# %% [markdown] lang="en" telling=["plain_20.training_accuracy", "normalised_20.training_accuracy", "residual_20.training_accuracy"]
# # 2a Deeper networks: normalisation, residuals, augmentation
#
# If four layers learn to recognise digits, do twenty learn it better? In this chapter you stack 20 convolutions, train them on
# the same digits for the same number of steps, and see them end *behind* the stack of 4, even on the digits they were
# trained on. With a large learning rate they do no better than guessing. Then one line of code, an addition, puts that right.
#
# You will take this line apart, together with its companion, batch normalisation, and find out what each of them does and what
# it does not do. A third idea, augmentation, makes a few labelled digits go further, or ruins them.
#
# **By the end you will be able to**
#
# - write batch normalisation forward and backward, and say what differs between training and prediction;
# - measure how gradients change with depth in plain, normalised and residual networks;
# - build a deep network that is as good as a shallow one by construction, and say why training does not start there;
# - build cheap convolutions (1 × 1, depthwise separable) and WaveNet's causal block, and check that they do what they claim;
# - measure what augmentation brings, with several seeds, and notice when it harms.
#
# **Before you start:** chapter 2. Measured time and memory are printed below the imports.

# %% [markdown] lang="zh" of="14473023"
# # 2a 更深的网络：归一化、残差、数据增强
#
# 四层网络能学会识别手写数字，二十层会学得更好吗？这一章里你把 20 层卷积堆起来，用同样的样本、同样的步数来训练，
# 结果它反而不如只有 4 层的网络，连训练过的样本都认不好；学习率一大，就和瞎猜没有两样。然后只用一行代码，一次加法，问题就解决了。
#
# 你会把这一行代码和它的搭档批量归一化拆开来看，弄清楚它们各起什么作用、又有什么做不到。第三个办法是数据增强，它能让少量的标注样本发挥更大的作用，
# 也可能帮倒忙。
#
# **学完这一章，你能够**
#
# - 写出批量归一化的前向和反向，说清训练与预测时有何不同；
# - 测出梯度怎样随深度变化：普通的、归一化的、残差的网络各是什么样；
# - 亲手搭出一个不比浅层网络差的深层网络，并说明训练为什么没有走到那里；
# - 搭出省计算的卷积（1 × 1、深度可分离）和 WaveNet 的因果模块，并验证它们名副其实；
# - 用多个随机种子测量数据增强的收益，也能看出它什么时候有害。
#
# **预备知识：** 第 2 章。实测的时间和内存打印在导入语句之后。

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

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: keep the signal alive
#
# A deep network is a long game of whispers. Every layer rewrites the message. After forty layers little of it may be left, and
# the gradient has to travel the same way back. There are two remedies:
#
# - **normalise**: after each layer, bring the numbers back to mean 0 and standard deviation 1;
# - **add, do not replace**: a layer computes a *change* $F(x)$, and the next one gets $x + F(x)$.
#
# The figure sends one digit through forty random, untrained layers. In the upper row each layer replaces its input. In the lower
# row each layer adds a *tenth* of its output, $x + 0.1\,F(x)$. **Predict:** in which row can you still recognise the digit at
# the end? And how much of that is due to the factor 0.1?

# %% [markdown] lang="zh" of="5d8d8f05" tags=["predict"]
# ## 核心思想：别让信号消失
#
# 深层网络像一场很长的传话游戏：每一层都把消息改写一遍，四十层之后可能所剩无几，而梯度还要沿原路走回来。办法有两个：
#
# - **归一化**：每一层之后，把数值拉回到均值 0、标准差 1；
# - **做加法，不做替换**：一层只计算改变量 $F(x)$，下一层得到的是 $x + F(x)$。
#
# 下图让一个数字穿过四十个未经训练的随机层。上排（replaced）每层都替换；下排（added）每层只加上输出的十分之一，即 $x + 0.1\,F(x)$。
# **先猜：** 到最后，哪一排还认得出这个数字？这里面有多少要归功于 0.1？

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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** In the lower row, and the 0.1 has a large part in it. Replace it by 1 in the cell above and run it again: after forty
# layers the 3 is a blob that hardly anybody would recognise. So adding is not enough. What keeps the digit is that every layer
# changes the stream *only a little*. Real networks get there in two ways: normalisation keeps the change small compared with
# the growing stream ([De and Smith 2020](https://arxiv.org/abs/2002.10444)), and some start every change at zero. The residual blocks
# below add at full weight, with normalisation.
#
# ## Batch normalisation, forward
#
# For each channel $c$, take the mean $\mu_c$ and the variance $\sigma_c^2$ over all images of the batch and all positions:
#
# $$ \hat x = \frac{x - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}}, \qquad y = \gamma_c\, \hat x + \beta_c $$
#
# $\gamma$ and $\beta$ are learned, so the layer can undo itself; $\epsilon$ avoids a division by zero. In **training** the mean and
# the variance are those of the batch. In **prediction** an image must not depend on its neighbours in the batch, so the layer
# uses averages that it collected on the way, $m \leftarrow \rho\, m + (1 - \rho)\, \mu$ ($\rho$ is Keras' `momentum`, 0.99 by
# default). One layer, two functions: remember this for the clinic.

# %% [markdown] lang="zh" of="09f2eb54" tags=["answer"]
# **答案。** 下排，而且 0.1 功劳很大。把上面单元格里的 0.1 改成 1，再运行一次：四十层之后，那个 3 成了一团，几乎没有人认得出来。
# 可见光做加法还不够，数字能留下来，是因为每一层只改动一点点。实际的网络靠两种办法做到这一点：归一化使改变量相对于越来越大的主干保持很小
# （[De 与 Smith，2020](https://arxiv.org/abs/2002.10444)）；还有的网络让每个改变量从零开始。后面的残差块按全权重相加，并且带归一化。
#
# ## 批量归一化：前向
#
# **批量归一化**（batch normalisation，《动手学深度学习》称为批量规范化）对每个通道 $c$，在这一批的所有图像、所有位置上求均值 $\mu_c$
# 和方差 $\sigma_c^2$：
#
# $$ \hat x = \frac{x - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}}, \qquad y = \gamma_c\, \hat x + \beta_c $$
#
# $\gamma$、$\beta$ 是学出来的，所以这一层可以把自己抵消掉；$\epsilon$ 用来避免除以零。**训练**时，均值和方差取自当前这一批。
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
# Before, the channels have a mean near 3 and a standard deviation near 2; afterwards exactly the $\beta$ and $\gamma$ that we
# gave. Keras agrees, in both modes, and also about the moving mean.
#
# ## Batch normalisation, backward
#
# The mean and the variance depend on every $x$, so a change of one number moves all outputs of its channel. With $g$ the
# gradient that arrives, $h = g\,\gamma$, and a bar for the mean over batch and positions:
#
# $$ \frac{\partial L}{\partial x} = \frac{h - \overline{h} - \hat x\, \overline{h \hat x}}{\sqrt{\sigma^2 + \epsilon}},
#    \qquad \frac{\partial L}{\partial \gamma} = \sum g\, \hat x, \qquad \frac{\partial L}{\partial \beta} = \sum g $$
#
# Where do the two subtracted terms come from? Shift all numbers of a channel by the same amount, and the output does not change:
# the mean takes the shift out again. Stretch them all by the same factor, and the standard deviation takes that out. A direction that
# does not change the output gets no gradient, and the two terms remove exactly these two directions.

# %% [markdown] lang="zh" of="164ad097"
# 归一化之前，各通道的均值在 3 左右，标准差在 2 左右；之后恰好就是我们给的 $\beta$ 和 $\gamma$。两种模式下都与 Keras 一致，滑动均值也一致。
#
# ## 批量归一化：反向
#
# 均值和方差与每一个 $x$ 都有关，所以动一个数，整个通道的输出都会动。设传回来的梯度是 $g$，$h = g\,\gamma$，横线表示对批量和位置取平均：
#
# $$ \frac{\partial L}{\partial x} = \frac{h - \overline{h} - \hat x\, \overline{h \hat x}}{\sqrt{\sigma^2 + \epsilon}},
#    \qquad \frac{\partial L}{\partial \gamma} = \sum g\, \hat x, \qquad \frac{\partial L}{\partial \beta} = \sum g $$
#
# 减去的两项从哪里来？把一个通道的数全部平移同样多，输出不变，因为平移又被均值减掉了；把它们全部放大同样的倍数，输出也不变，因为又被标准差除掉了。
# 不改变输出的方向，梯度必定为零，这两项去掉的正是这两个方向。

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

# %% [markdown] lang="en" tags=["predict"]
# Four ways of computing it, one gradient.
#
# ## What it buys: a wide range of learning rates
#
# The paper promised "much higher learning rates" ([Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)). That can be
# measured. We train one small network with and without normalisation, on the same digits, from the same initial kernels, at five
# learning rates, each about three times the one before. A run is short: 6,400 digits, once, in batches of 64, so 100 steps.
#
# **Predict:** at which learning rates does normalisation help, at the low ones or at the high ones?
#
# *Why* it helps is still discussed. The paper's reason, steadier distributions inside the network, was tested and doubted; a
# smoother loss surface fits the measurements better ([Santurkar et al. 2018](https://arxiv.org/abs/1805.11604)).

# %% [markdown] lang="zh" of="8e1fc68e" tags=["predict"]
# 四种算法，同一个梯度。
#
# ## 有什么用：可用的学习率范围变宽
#
# 原论文说它允许“高得多的学习率”（[Ioffe 与 Szegedy，2015](https://arxiv.org/abs/1502.03167)）。这可以测量：
# 一个小网络，有归一化和没有归一化各训练一次，样本相同，卷积核的初始值相同，五种学习率，每种约为前一种的三倍。每次训练都很短：
# 6,400 个样本过一遍，每批 64 个，只有 100 步。
#
# **先猜：** 归一化在哪一头有帮助，是学习率低的时候，还是高的时候？
#
# 它**为什么**有用，至今仍有讨论。论文给出的理由是网络内部的分布更稳定，后来有人做实验提出了质疑；“损失曲面更平滑”更符合测量结果
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

# %% tags=["plot"]
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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** At the low ones. With normalisation {{normalised.rates_above_80_percent:d}} of the five rates reach an
# accuracy of 0.8, without it {{plain.rates_above_80_percent:d}}; and at the lowest rate the plain network has
# barely begun. The promise named the high end, and there this experiment does not support it: at 0.3 the plain network is ahead in
# this run, and at 1.0 both are down to guessing. (In other seeds the normalised one sometimes holds at 1.0:
# {{seeds:normalised.rates_above_80_percent:d}} rates over three seeds.) The best accuracies are close,
# {{normalised.best_accuracy_of_all_rates:.1%}} and {{plain.best_accuracy_of_all_rates:.1%}}. So after 100 steps, normalisation
# mainly makes the choice of the learning rate matter less.
#
# ## The order of layers, and a free lunch at prediction time
#
# The usual order is convolution, normalisation, activation. Two facts follow from the formula:
#
# 1. A bias in front of the normalisation is useless: it moves the mean, and the mean is subtracted. Hence `use_bias=False`.
# 2. In prediction the layer is a fixed scale and shift per channel, so it can be **folded** into the convolution and costs
#    nothing: $\; w' = w \dfrac{\gamma}{\sqrt{v + \epsilon}}, \quad b' = \beta - \dfrac{\gamma\, m}{\sqrt{v + \epsilon}}$.

# %% [markdown] lang="zh" of="22cbcb61" tags=["answer"]
# **答案。** 是学习率低的时候。五种学习率里，有归一化时（normalised）有 {{normalised.rates_above_80_percent:d}} 种的准确率达到 0.8，
# 没有时（plain）有 {{plain.rates_above_80_percent:d}} 种；学习率最低时，普通网络才刚起步。
# 原论文承诺的是高的那一头，这个实验却不支持：学习率 0.3 时，这一次是普通网络领先；到 1.0，两者都只剩瞎猜。
# （换别的随机种子，归一化的网络在 1.0 处有时撑得住：三个种子达标的学习率个数是 {{seeds:normalised.rates_above_80_percent:d}}。）
# 最好的准确率相差不大，分别是 {{normalised.best_accuracy_of_all_rates:.1%}} 和 {{plain.best_accuracy_of_all_rates:.1%}}。
# 可见在这 100 步里，归一化的好处主要是：学习率选得不那么准也没有关系。
#
# ## 层的次序，以及预测时的免费午餐
#
# 常用的次序是卷积、归一化、激活。由公式可得两个结论：
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
# Both hold: a bias of 7 changed nothing, and one folded convolution does the work of two layers.
#
# ## Depth: plain and residual networks
#
# VGG stacked 3 × 3 convolutions up to 19 layers and stopped there
# ([Simonyan and Zisserman 2014](https://arxiv.org/abs/1409.1556)); its deeper versions were initialised with weights of a shallower
# one. In 2015 a plain, batch-normalised network of 56 layers ended a long training on CIFAR-10 with a higher *training* error than one
# of 20 layers. With shortcuts, the deeper one was better; and residual networks of up to 152 layers, as an ensemble, won ImageNet
# that year ([He, Zhang, Ren and Sun 2015](https://arxiv.org/abs/1512.03385)).
#
# We repeat the story in miniature: maps of 7 × 7 with 16 channels, three ways to stack, 4 or 20 convolutions. A residual block
# is $\;y = \text{ReLU}\big(x + F(x)\big)$ with two convolutions in $F$. Wherever the ReLU is open, $\;\partial y /
# \partial x = I + \partial F / \partial x$: the gradient has a path, the $I$, that does not pass through any weights.
#
# First we look at the gradients **before any training**, layer by layer, in a stack of 20 convolutions.

# %% [markdown] lang="zh" of="84082367"
# 两个结论都成立：加上偏置 7，结果一点没变；折叠之后，一个卷积就做完了两层的事。
#
# ## 深度：普通网络与残差网络
#
# VGG 把 3 × 3 卷积叠到 19 层，就停住了（[Simonyan 与 Zisserman，2014](https://arxiv.org/abs/1409.1556)）；
# 其中较深的几个，还要用较浅网络的权重来初始化。2015 年人们发现：56 层的普通网络，即使用了批量归一化，在 CIFAR-10 上训练到最后，
# **训练**误差仍比 20 层的高；加上**跨层连接**（shortcut，又称直连边），深的反而更好。当年赢得 ImageNet 竞赛的，是最深达 152 层的几个残差网络的集成
# （[何恺明、张祥雨、任少卿、孙剑，2015](https://arxiv.org/abs/1512.03385)）。
#
# 我们把这个故事缩小了重演一遍：7 × 7 的特征图，16 个通道，4 层或 20 层卷积，三种堆叠方式，图例中的英文名写在括号里：普通（plain）、
# 普通加归一化（plain + normalisation）、残差加归一化（residual + normalisation）。残差块是 $\;y = \text{ReLU}\big(x + F(x)\big)$，
# 其中 $F$ 含两层卷积。凡是 ReLU 打开的地方，$\;\partial y / \partial x = I + \partial F / \partial x$：
# 梯度多了一条不经过任何权重的路，就是那个 $I$。
#
# 先看**训练之前**的梯度：在有 20 层卷积的网络里，逐层来看。

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

# %% tags=["plot"]
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

# %% [markdown] lang="en" tags=["predict"]
# Four lines, and each says something ("start" in the legend means initialisation):
#
# - **plain, Keras' default start**: the gradients are tiny, and yet the line is flat. Why does it not fall towards the input? A
#   kernel's gradient is the product of the *signal* that comes up to it and the *error* that comes down. Here every layer shrinks
#   both: early kernels see a strong signal and a faint error, late ones the reverse, and the product is equally small everywhere.
# - **plain**: an initialisation made for ReLU ([He et al. 2015](https://arxiv.org/abs/1502.01852)) doubles the variance that each
#   ReLU halves. At initialisation that repairs it.
# - **plain + normalisation**: from the last layer to the first the gradients *grow*, to more than ten. Batch normalisation without
#   a shortcut makes gradients explode with depth ([Yang et al. 2019](https://arxiv.org/abs/1902.08129)).
# - **residual + normalisation**: all of them stay near 1.
#
# What happens once the weights move? We train all three stacks, shallow and deep, on the same digits for 100 steps, and look at
# the accuracy on **training** digits. If that falls with depth, the cause is not overfitting. A deep stack may want a different
# learning rate, so each gets three and is judged by its best. **Predict:** which stack learns at every rate?

# %% [markdown] lang="zh" of="d95a2eb1" tags=["predict"]
# 四条线，各有各的意思（图例里的 start 指初始化）：
#
# - **普通，Keras 默认初始化**（plain, Keras' default start）：梯度极小，线却是平的。为什么不是越靠近输入越小？一个卷积核的梯度，
#   是传上来的信号与传回来的误差的乘积。这里每一层都把两者缩小：前面的卷积核信号强、误差弱，后面的正相反，乘积于是处处一样小。
# - **普通**（plain）：每个 ReLU 使方差减半，而为 ReLU 设计的初始化（[何恺明等，2015](https://arxiv.org/abs/1502.01852)）事先把方差加倍，
#   让起步时的方差恢复正常。
# - **普通加归一化**（plain + normalisation）：从最后一层往前，梯度越来越大，超过了 10。没有跨层连接时，批量归一化会使梯度随深度爆炸
#   （[Yang 等，2019](https://arxiv.org/abs/1902.08129)）。
# - **残差加归一化**（residual + normalisation）：全都在 1 附近。
#
# 权重一动起来会怎样？三种网络各取浅、深两种深度，用同样的样本训练 100 步，然后看**训练**样本上的准确率。如果它随深度下降，
# 那就不是过拟合。深层网络想要的学习率也许不同，所以每个网络都试三种学习率，取最好的一次来评判。**先猜：** 哪种网络用哪个学习率都学得会？

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

# %% tags=["plot", "hero"]
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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The residual one. With 4 convolutions, all three stacks learn at every rate. With 20, the plain stack is worse than its
# shallow version at every rate, even though its gradients looked healthy at initialisation, and at the highest rate it is no
# better than guessing. Its best is {{plain_20.training_accuracy:.1%}} instead of {{plain_4.training_accuracy:.1%}}.
# Normalisation alone does not cure this: {{normalised_20.training_accuracy:.1%}} instead of {{normalised_4.training_accuracy:.1%}}
# in this run, and over three seeds ({{seeds:normalised_20.training_accuracy:.0%}}) it is not reliably better than the plain stack
# ({{seeds:plain_20.training_accuracy:.0%}}). The residual stack reaches {{residual_20.training_accuracy:.1%}}, nearly what its shallow version
# does ({{residual_4.training_accuracy:.1%}}), and hardly depends on the rate.
#
# **What this does not show.** These are 100 steps. The deep plain stack has not learned *in the time in which the shallow one
# has*; whether it would get there later, this run does not say. (In the paper, plain networks of 20 layers do train, and the trouble at
# 56 is still there at the end.) And the accuracy is measured in prediction mode, so a part of the loss of the normalised
# stack may come from moving averages that lag behind; the first clinic shows how to find out.
#
# ## Cheap blocks: 1 × 1 and depthwise separable
#
# ResNet's deeper versions squeeze channels with **1 × 1** convolutions: no neighbours, only a matrix product over the channels
# at each pixel. A **depthwise** convolution does the opposite: neighbours, but each channel on its own. One after the other is a
# **depthwise separable** convolution (MobileNet, Xception), with $K^2 C_{\text{in}} + C_{\text{in}} C_{\text{out}}$ weights instead
# of $K^2 C_{\text{in}} C_{\text{out}}$.

# %% [markdown] lang="zh" of="f3875c7b" tags=["answer"]
# **答案。** 残差网络。只有 4 层卷积时，三种网络用哪种学习率都学得会。到了 20 层，普通网络无论用哪种学习率都不如它的浅层版本，
# 尽管初始化时梯度看上去很正常；学习率最高时，它和瞎猜没有两样。它最好的一次是 {{plain_20.training_accuracy:.1%}}，而浅层版本是
# {{plain_4.training_accuracy:.1%}}。光加归一化治不了这个病：这一次是 {{normalised_20.training_accuracy:.1%}}，浅层版本是
# {{normalised_4.training_accuracy:.1%}}；三个随机种子是 {{seeds:normalised_20.training_accuracy:.0%}}，并不总比普通网络
# （{{seeds:plain_20.training_accuracy:.0%}}）好。残差网络达到 {{residual_20.training_accuracy:.1%}}，与浅层版本的
# {{residual_4.training_accuracy:.1%}} 相差不多，而且几乎不挑学习率。样本相同，步数相同，卷积核个数相同，可见问题出在训练上。
#
# **它没有说明什么。** 这里只训练了 100 步。浅层网络在这段时间里已经学会，深层的普通网络还没有；再训练下去能不能学会，这次实验没有回答。
# （在原论文里，20 层的普通网络是训练得出来的，56 层的到最后仍有问题。）另外，准确率是在预测模式下测的，归一化网络丢掉的准确率里，
# 也许有一部分要怪滑动平均没有跟上；第一个门诊会讲怎样查清楚。
#
# ## 省计算的模块：1 × 1 与深度可分离
#
# 较深的 ResNet 用 **1 × 1** 卷积压缩通道：不看邻居，只在每个像素上对通道做一次矩阵乘法。**逐通道卷积**（depthwise）正相反：
# 看邻居，但各通道互不相干。两者前后相接，就是**深度可分离卷积**（depthwise separable；见 MobileNet、Xception），
# 权重从 $K^2 C_{\text{in}} C_{\text{out}}$ 个减少到 $K^2 C_{\text{in}} + C_{\text{in}} C_{\text{out}}$ 个。

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

# %% [markdown] lang="en" tags=["predict"]
# Both equal what Keras computes, and the separable version needs about a seventh of the weights. (It is a different function, of
# course: it can mix neighbours and channels only one after the other.)
#
# ## Residual blocks in time: WaveNet
#
# Sound is one-dimensional, and to *generate* it an output must never look at a later sample. A **causal** convolution therefore puts
# all its zeros in front. **Dilation rates** of 1, 2, 4, 8 double the view with each layer, where ordinary layers add one step only.
# WaveNet's block ([van den Oord et al. 2016](https://arxiv.org/abs/1609.03499)) has a gate and a residual path:
#
# $$ z = \tanh(W_f * x) \odot \sigma(W_g * x), \qquad y = x + W_{1 \times 1}\, z $$
#
# ($*$ is the causal, dilated convolution, $\odot$ multiplies number by number.) First we write the block in NumPy and in Keras.
# Then we ask the gradients whether it is causal. In the figure each row is one output in time and each column one input; a dark
# field means "a change here is felt there". Four blocks with kernels of 2 and dilation rates 1, 2, 4, 8, once causal, once with zeros on
# both sides (`"same"`). **Predict:** how many inputs does the last output see?

# %% [markdown] lang="zh" of="88e1b111" tags=["predict"]
# 两者都与 Keras 的结果一致，而深度可分离卷积的权重只有大约七分之一。（它当然是另一个函数：邻居和通道只能先后混合，不能同时混合。）
#
# ## 时间上的残差块：WaveNet
#
# 声音是一维的；要生成声音，输出就绝不能看到后面的样本。**因果**（causal）卷积因此把零全部补在前面。**空洞率**（dilation rate，又称膨胀率）
# 依次取 1、2、4、8，每加一层视野就翻倍，而普通的层每次只多看一步。WaveNet 的模块
# （[van den Oord 等，2016](https://arxiv.org/abs/1609.03499)）带一个门和一条残差路径：
#
# $$ z = \tanh(W_f * x) \odot \sigma(W_g * x), \qquad y = x + W_{1 \times 1}\, z $$
#
# （$*$ 是因果的空洞卷积，$\odot$ 是逐个元素相乘。）先分别用 NumPy 和 Keras 写出这个模块，再用梯度来查它是不是真的因果。
# 图中每一行是某一时刻的输出，每一列是某一时刻的输入；深色表示“这里一动，那里就有变化”。四个模块，卷积核宽 2，空洞率依次为 1、2、4、8，
# 一次用因果填充，一次两边补零（`"same"`）。**先猜：** 最后一个输出能看到几个输入？

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

# %% tags=["plot"]
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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Sixteen: itself and 1 + 2 + 4 + 8 = 15 steps back. With causal padding no output depends on a later input: there is nothing above
# the diagonal. With `"same"` half of the view lies in the future, and the model would be looking at what it is to predict.
#
# ## Augmentation: more digits from the same digits
#
# Chapter 2 ended with a weakness: move a digit, and the network stumbles. So train it on moved digits. **Augmentation** changes each
# image at random, anew in every epoch, in ways that keep its label: a small shift, rotation or zoom. Which changes keep the label is
# knowledge about the task, not about the network. As an *ablation* we add a change that a digit does not survive: the mirror. (Would
# a mirror harm a photograph of a cat?)
#
# We use few labels, so that it matters, and several seeds, so that we may say "better". The figure shows eight versions of one 3 with
# shift, rotation and zoom, and below eight with the mirror, which strikes at random.

# %% [markdown] lang="zh" of="4b95bae0" tags=["answer"]
# **答案。** 十六个：它自己，加上往前 1 + 2 + 4 + 8 = 15 步。用因果填充时，没有一个输出依赖后面的输入：对角线上方什么也没有。用 `"same"` 时，
# 视野有一半在未来，等于让模型偷看要预测的内容。
#
# ## 数据增强：用同样的数字造出更多数字
#
# 第 2 章留下一个弱点：把数字挪一挪，网络就出错。那就用挪过的数字来训练。**数据增强**（augmentation）在每一轮里重新随机改动每张图，
# 改动要保证标签不变：稍微平移、旋转、缩放。哪些改动不影响标签，取决于对任务的了解，与网络无关。作为消融，我们再加一种数字经不起的改动：
# 左右镜像。（换成猫的照片，镜像有害吗？）
#
# 标注样本取得少，差别才显得出来；用几个随机种子，才有资格说“更好”。下图上排是同一个 3 平移、旋转、缩放后的八个变体（shift, turn, zoom），
# 下排是镜像（mirror），随机地翻或不翻。

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

# %% tags=["plot"]
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

# %% [markdown] lang="en" tags=["predict"]
# Shift, rotation and zoom help with every seed: {{augmented.test_accuracy:.1%}} instead of {{unchanged.test_accuracy:.1%}}, and on
# moved digits {{augmented.moved_accuracy:.1%}} instead of {{unchanged.moved_accuracy:.1%}}, since the network has met such positions in
# training. The mirror harms on the test digits, {{mirrored.test_accuracy:.1%}}: half of what it shows is mirrored, and a mirrored 2, 4 or
# 7 is no digit any more. On the moved digits its mean is a little higher, {{mirrored.moved_accuracy:.1%}}, but the markers overlap, so we
# cannot call it better. An augmentation is judged on the digits that you care about.
#
# ## Clinic: "good in training, bad in the test, so it is overfitting"
#
# Two numbers are often read this way, and with batch normalisation it is often wrong. The network below trains for ten steps with Keras' default `momentum=0.99`. Then it classifies **the very digits it was trained on**, in both modes. If prediction mode
# is bad even there, it cannot be overfitting. **Predict:** which part of the layer is to blame?

# %% [markdown] lang="zh" of="4da0c377" tags=["predict"]
# 平移、旋转、缩放在每个种子上都有帮助：准确率从 {{unchanged.test_accuracy:.1%}} 提高到 {{augmented.test_accuracy:.1%}}，
# 在移动过的样本上从 {{unchanged.moved_accuracy:.1%}} 提高到 {{augmented.moved_accuracy:.1%}}，因为训练时网络已经见过这样的位置。
# 镜像在测试样本上有害，只有 {{mirrored.test_accuracy:.1%}}：它给网络看的有一半是镜像，而镜像后的 2、4、7 已经不是数字了。在移动过的样本上，
# 它的均值略高，是 {{mirrored.moved_accuracy:.1%}}，但标记相互重叠，不能说“更好”。一种增强好不好，要看你关心的是哪些样本。
#
# ## 门诊：“训练好、测试差，就是过拟合”
#
# 看到这样两个数，人们常下这个结论；用了批量归一化，它却常常是错的。下面的网络用 Keras 默认的 `momentum=0.99` 只训练十步，然后以两种模式去识别**它训练过的那些样本**。如果连这些样本在预测模式下都认不好，就不可能是过拟合。**先猜：** 问题出在这一层的哪一部分？

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

# %% [markdown] lang="en" tags=["answer"]
# **Diagnosis.** The moving averages. In training mode {{same_digits.training_mode:.1%}} are right, in prediction mode
# {{same_digits.prediction_mode:.1%}}; once the averages are renewed, without any change of a weight, prediction mode reaches
# {{same_digits.prediction_mode_after_renewal:.1%}}. The weights were good, and the averages still remembered their initial values 0 and
# 1: after $n$ steps a share of $0.99^n$ of them is left. The cure is a smaller momentum for short training runs (the course's models use
# 0.9), or a few passes that renew the averages.
#
# ## Clinic: "more layers are always at least as good, since extra layers could do nothing"
#
# The first half was measured above. The second half is true, and it is the interesting one: below, a deep plain network is *built* from the
# trained shallow one with kernels that copy. If both give the same answers, a good deep network exists, and the short training
# above did not find it. A residual block hands it over: $F = 0$ is the copy.

# %% [markdown] lang="zh" of="d0a234a1" tags=["answer"]
# **诊断。** 问题出在滑动平均。训练模式下识别对 {{same_digits.training_mode:.1%}}，预测模式下只有 {{same_digits.prediction_mode:.1%}}；
# 一个权重也不动，只把平均值更新一遍，预测模式就达到 {{same_digits.prediction_mode_after_renewal:.1%}}。权重是好的，
# 只是滑动平均还记着它的初值 0 和 1：训练 $n$ 步之后，初值还剩 $0.99^n$。办法是：训练步数少时，用小一些的 momentum（本课程的模型用 0.9），
# 或者再前向几遍，把平均值更新一下。
#
# ## 门诊：“层数越多至少不会更差，因为多出来的层可以什么都不做”
#
# 前半句上面已经测过了。后半句是对的，而有意思的正是这一半：下面用“照抄”的卷积核，从训练好的浅层网络搭出一个很深的普通网络。如果两者的答案相同，
# 那么好的深层网络就是存在的，只是上面那么短的训练没有找到它。残差块则把它直接送到手上：$F = 0$ 就是照抄。

# %%
copy_kernel = np.zeros((3, 3, 16, 16), "float32")
copy_kernel[1, 1] = np.eye(16)  # each channel passes through; after ReLU nothing is negative, so ReLU passes it too
shallow, deep = (deep_cnn(depth, normalise=False, shortcut=False) for depth in (4, 20))
shallow.set_weights(shallow_weights)
deep.set_weights(shallow_weights[:-3] + 16 * [copy_kernel] + shallow_weights[-3:])  # last convolution, dense layer
proofs.equal({"shallow, trained": shallow(x_test[:100]), "20 convolutions, 16 of them copy": deep(x_test[:100])})

# %% [markdown] lang="en" tags=["summary"]
# The answers are equal: 16 of the 20 convolutions do nothing, and do no harm.
#
# ## What you measured
#
# - Normalisation makes the learning rate less critical: {{normalised.rates_above_80_percent:d}} of five rates were good enough, without it
#   {{plain.rates_above_80_percent:d}}; at the high end it brought nothing in this run.
# - Depth hurts the plain stack: after 100 steps {{plain_20.training_accuracy:.1%}} with 20 convolutions,
#   {{plain_4.training_accuracy:.1%}} with 4, on the training digits.
# - Normalisation alone does not cure it ({{normalised_20.training_accuracy:.1%}}); with a shortcut it is
#   {{residual_20.training_accuracy:.1%}} (three seeds: {{seeds:residual_20.training_accuracy:.1%}}).
# - Augmentation that keeps the label: {{augmented.test_accuracy:.1%}} instead of {{unchanged.test_accuracy:.1%}}; the mirror:
#   {{mirrored.test_accuracy:.1%}}.
# - Bad in prediction mode need not be overfitting: {{same_digits.prediction_mode:.1%}} became
#   {{same_digits.prediction_mode_after_renewal:.1%}} by renewing the averages.
#
# **Formula card**
#
# | | formula |
# |---|---|
# | batch normalisation | $y = \gamma\, (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta$; in prediction with moving averages |
# | folded | $w' = w\, \gamma / \sqrt{v + \epsilon}, \quad b' = \beta - \gamma\, m / \sqrt{v + \epsilon}$ |
# | residual block | $y = \text{ReLU}(x + F(x)), \quad \partial y / \partial x = I + \partial F / \partial x$ where the ReLU is open |
# | depthwise separable | $K^2 C_{\text{in}} + C_{\text{in}} C_{\text{out}}$ weights |
# | view of causal layers, kernel $K$ | $1 + (K - 1) \sum d$ steps |
#
# ### Exercise 1 · easy — how much does separating save?
#
# Write `separable_weights(kernel, inputs, outputs)`: the number of weights of a depthwise separable convolution, without biases. Then
# compare it with the full convolution for 3 × 3 and 256 → 256 channels.

# %% [markdown] lang="zh" of="ea1a8876" tags=["summary"]
# 答案完全相同：20 层卷积里有 16 层什么也不做，也不碍事。
#
# ## 你测到了什么
#
# - 归一化使学习率不那么难选：五种学习率里有 {{normalised.rates_above_80_percent:d}} 种够好，没有归一化时是
#   {{plain.rates_above_80_percent:d}} 种；学习率高的那一头，这一次它没有带来好处。
# - 普通网络越深越差：训练 100 步之后，在训练样本上，20 层卷积是 {{plain_20.training_accuracy:.1%}}，4 层是
#   {{plain_4.training_accuracy:.1%}}。
# - 光有归一化治不好（{{normalised_20.training_accuracy:.1%}}）；再加跨层连接，就是 {{residual_20.training_accuracy:.1%}}
#   （三个随机种子：{{seeds:residual_20.training_accuracy:.1%}}）。
# - 不改变标签的增强，使准确率从 {{unchanged.test_accuracy:.1%}} 提高到 {{augmented.test_accuracy:.1%}}；镜像则使它变成
#   {{mirrored.test_accuracy:.1%}}。
# - 预测模式下结果差，不一定是过拟合：更新一遍滑动平均，{{same_digits.prediction_mode:.1%}} 就变成了
#   {{same_digits.prediction_mode_after_renewal:.1%}}。
#
# **公式卡**
#
# | | 公式 |
# |---|---|
# | 批量归一化 | $y = \gamma\, (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta$；预测时用滑动平均 |
# | 折叠之后 | $w' = w\, \gamma / \sqrt{v + \epsilon}, \quad b' = \beta - \gamma\, m / \sqrt{v + \epsilon}$ |
# | 残差块 | $y = \text{ReLU}(x + F(x))$；ReLU 打开处 $\partial y / \partial x = I + \partial F / \partial x$ |
# | 深度可分离卷积 | $K^2 C_{\text{in}} + C_{\text{in}} C_{\text{out}}$ 个权重 |
# | 因果卷积的视野，核宽 $K$ | $1 + (K - 1) \sum d$ 步 |
#
# ### 练习 1 · 易 —— 拆开能省多少？
#
# 写出 `separable_weights(kernel, inputs, outputs)`：深度可分离卷积的权重个数，不计偏置。再与 3 × 3、256 → 256 通道的普通卷积比一比。

# %% tags=["exercise"]
def separable_weights(kernel, inputs, outputs):
    """Weights of a depthwise convolution and the 1 × 1 convolution after it."""
    ### BEGIN SOLUTION
    return kernel * kernel * inputs + inputs * outputs
    ### END SOLUTION

# %% tags=["check"]
exercises.check("02a.separable_weights", separable_weights)

# %% [markdown] lang="en" tags=["hint"]
# There are two layers, so two counts, added. The first has one small kernel for each *input* channel; the second looks at no
# neighbours.

# %% [markdown] lang="zh" of="72d93663" tags=["hint"]
# 两层，就数两次，再相加。第一层给每个**输入**通道一个小核；第二层不看邻居。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — batch normalisation from memory
#
# Write `normalise(x, gamma, beta, epsilon)` as in training, with x of shape (batch, height, width, channels). Try it without looking at the
# cell above.

# %% [markdown] lang="zh" of="947e1064"
# ### 练习 2 · 中 —— 默写批量归一化
#
# 写出训练时的 `normalise(x, gamma, beta, epsilon)`，x 的形状是（批量，高，宽，通道）。不要偷看上面的单元格。

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
# There is one mean per channel: average over everything that is not the channel axis. `var` divides by n, as it should here.
# Epsilon belongs to the variance, under the root.

# %% [markdown] lang="zh" of="45f5aefa" tags=["hint"]
# 每个通道一个均值：除了通道轴，其余各轴都要平均。`var` 除以 n，这里正该如此。ε 与方差相加，放在根号里面。

# %% [markdown] lang="en"
# ### Exercise 3 · medium — never look ahead
#
# Write `causal(sequence, kernel, dilation)` for one channel in NumPy. The output is as long as the input, with zeros in front of it:
# $y_t = \sum_u x_{t - (K-1-u)\,d}\; w_u$. The last weight belongs to the present.

# %% [markdown] lang="zh" of="5a8a34c9"
# ### 练习 3 · 中 —— 不许偷看未来
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
# How many zeros are needed in front, so that the first output sees the first input and zeros only? Then every weight meets a
# shifted copy of the padded sequence.

# %% [markdown] lang="zh" of="9d8b2c72" tags=["hint"]
# 前面要补几个零，第一个输出才只看到第一个输入和零？补好之后，每个权重各乘一份错开的序列。

# %% [markdown] lang="en"
# ### Exercise 4 · medium — fold the normalisation away
#
# Write `fold(kernel, gamma, beta, mean, variance, epsilon)`. It returns the `(kernel, bias)` of one convolution that does what a
# convolution (without bias) and the normalisation after it do in prediction. The kernel has the shape (height, width, in, out), all the
# others (out,).

# %% [markdown] lang="zh" of="8ab73daa"
# ### 练习 4 · 中 —— 把归一化折叠掉
#
# 写出 `fold(kernel, gamma, beta, mean, variance, epsilon)`，返回 `(核, 偏置)`，使这一个卷积等于预测时的“卷积（无偏置）加归一化”。
# 卷积核的形状是（高，宽，输入，输出），其余都是（输出，）。

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
# Write the normalised output as (a number) · convolution + (another number), for one output channel. The first number goes into the
# kernel, along its last axis; the second is the bias.

# %% [markdown] lang="zh" of="b0c26445" tags=["hint"]
# 对某一个输出通道，把归一化后的输出写成“一个数 × 卷积 + 另一个数”。前一个数乘进核里（沿最后一条轴），后一个数就是偏置。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("02a")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Nearly every deep network since then has residual connections: Transformers (chapter 7) around every attention and feed-forward layer,
# diffusion models, AlphaGo Zero. Where the shape changes inside a network, the shortcut needs a 1 × 1 convolution of its own (a *projection
# shortcut*); here all maps are 7 × 7 × 16, so we did not need one. Batch normalisation is standard in networks for images; where batches are
# small or sequences long, layer normalisation takes its place (chapter 7). Augmentation is standard wherever labels are expensive.
#
# - [*Dive into Deep Learning*, sections 8.5 and 8.6](https://d2l.ai/chapter_convolutional-modern/resnet.html): batch normalisation and
#   ResNet, with projection shortcuts, in code.
# - He, Zhang, Ren and Sun 2015, [*Deep residual learning for image recognition*](https://arxiv.org/abs/1512.03385); and 2016,
#   [*Identity mappings in deep residual networks*](https://arxiv.org/abs/1603.05027), on the order of layers in a block.
# - Ioffe and Szegedy 2015, [*Batch normalization*](https://arxiv.org/abs/1502.03167), and the doubt: Santurkar et al. 2018,
#   [*How does batch normalization help optimization?*](https://arxiv.org/abs/1805.11604)
# - Simonyan and Zisserman 2014, [*Very deep convolutional networks*](https://arxiv.org/abs/1409.1556) (VGG).
# - Howard et al. 2017, [*MobileNets*](https://arxiv.org/abs/1704.04861); Chollet 2016, [*Xception*](https://arxiv.org/abs/1610.02357).
# - Shorten and Khoshgoftaar 2019, [*A survey on image data augmentation*](https://doi.org/10.1186/s40537-019-0197-0).
#
# **What the full profile changes.** It takes all 60,000 digits, three epochs and a third depth of 56, and five seeds and longer training
# for augmentation. No full run of this chapter is stored yet, so the question it would answer is open here: does the plain but
# normalised stack catch up with the residual one when it gets more steps?

# %% [markdown] lang="zh" of="ed6587cd"
# ## 应用与延伸阅读
#
# 此后几乎所有的深层网络都有残差连接：Transformer（第 7 章）的每个注意力层和前馈层都被它环绕，扩散模型、AlphaGo Zero 里也有。
# 网络中途形状改变的地方，跨层连接自己也要带一个 1 × 1 卷积（投影连接，projection shortcut）；这里的特征图全是 7 × 7 × 16，所以没有用到。
# 批量归一化是图像网络的标准配置；批量小或序列长时，由层归一化来代替（第 7 章）。凡是标注昂贵的地方，数据增强都是标准做法。
#
# - 《动手学深度学习》[7.5 节“批量规范化”和 7.6 节“残差网络”](https://zh.d2l.ai/chapter_convolutional-modern/resnet.html)，
#   有带投影连接的代码；邱锡鹏《神经网络与深度学习》第 5 章讲残差网络，第 7 章讲逐层归一化。
# - 何恺明、张祥雨、任少卿、孙剑，2015，[*Deep residual learning for image recognition*](https://arxiv.org/abs/1512.03385)；
#   2016，[*Identity mappings in deep residual networks*](https://arxiv.org/abs/1603.05027)，讨论残差块内各层的次序。
# - Ioffe 与 Szegedy，2015，[*Batch normalization*](https://arxiv.org/abs/1502.03167)；提出质疑的是 Santurkar 等，2018，
#   [*How does batch normalization help optimization?*](https://arxiv.org/abs/1805.11604)
# - Simonyan 与 Zisserman，2014，[*Very deep convolutional networks*](https://arxiv.org/abs/1409.1556)（VGG）。
# - Howard 等，2017，[*MobileNets*](https://arxiv.org/abs/1704.04861)；Chollet，2016，
#   [*Xception*](https://arxiv.org/abs/1610.02357)。
# - Shorten 与 Khoshgoftaar，2019，[*A survey on image data augmentation*](https://doi.org/10.1186/s40537-019-0197-0)。
#
# **换成 full 配置会怎样。** 用全部 60,000 个样本训练三轮，再加一种深度 56，数据增强用五个种子、训练更久。这一章还没有保存 full 的结果，
# 所以有一个问题在这里仍没有答案：步数多了，带归一化的普通网络能不能追上残差网络？
