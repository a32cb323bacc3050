# %% [markdown] lang="en" telling=["original.test_accuracy", "int4.test_accuracy", "int4.compressed_size"]
# # 8a Compression: pruning, quantisation, distillation
#
# A trained network is larger than it needs to be. In this chapter you shrink one network in three ways: delete weights, store them
# with fewer bits, or let it teach a small network. In the picture, every point is a version of it; the further left, the smaller its file. One has a twentieth of
# the original's bytes, and another keeps the full accuracy with a seventh of the bytes.
#
# Then you put a clock on all of them. What it says is not what the words "smaller" and "fewer" suggest.

# %% [markdown] lang="zh" of="cfdc0e8e"
# # 8a 模型压缩：剪枝、量化、知识蒸馏
#
# 训练好的网络，往往比实际需要的大。这一章用三种办法压缩同一个网络：删掉一部分权重；用更少的比特存权重；或者让它去教一个小网络。
# 下图每个点是它的一个版本，越靠左文件越小：有一个只剩原来的二十分之一，另一个只用七分之一的字节，准确率却一点没降。
#
# 然后给它们逐个计时。结果和“更小”“更少”这些字眼给人的印象，并不一样。

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - prune by magnitude, at once and gradually, and keep the zeros while the rest goes on learning (Keras has no function for it);
# - round weights to 8 or 4 bits by hand, get the very integers that Keras stores, and say how large the error is;
# - derive the gradient of distillation with its factor $T^2$, and notice when a library's default does not distil at all;
# - measure what a method saves: bytes on disk, bytes after compression, time; and where it saves nothing.
#
# **Before you start:** a perceptron in Keras (chapter 1), softmax and temperature (chapter 4). Measured time and memory are
# printed below.

# %% [markdown] lang="zh" of="11f5e18b"
# **学完这一章，你能够**
#
# - 按绝对值大小剪枝，一次剪完或者逐步剪，并让剪掉的权重在后续训练中一直为零（Keras 没有现成的函数）；
# - 手工把权重舍入到 8 位或 4 位，得到与 Keras 所存完全相同的整数，并说出误差有多大；
# - 推导蒸馏损失的梯度和其中的因子 $T^2$，并能察觉某个库的默认设置其实根本没有在蒸馏；
# - 测量一种方法到底省了什么：磁盘字节、压缩后的字节、时间；以及它在哪里什么也没省。
#
# **预备知识：** 会用 Keras 写感知机（第 1 章）；softmax 与温度（第 4 章）。用时与内存见下方第一段输出。

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
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.topics import compression
from course_utils.models import vision
from course_utils.profiles import choose
from course_utils.reference import activations

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("08a")

# %% [markdown] lang="en"
# ## The idea: three ways to shrink
#
# A dense layer is a table of numbers. There are three places to save:
#
# - **Pruning**: most numbers are near zero. Delete them, keep the few large ones *and their positions*.
# - **Quantisation**: a weight does not need 32 bits. Keep all of them, rounded to a few evenly spaced values.
# - **Distillation**: take a smaller table from the start, and let the large network teach it.
#
# Which of the three makes a network *faster*? Write your guess down; near the end a clock decides.
#
# ## The network to compress, and the rules of the comparison
#
# A perceptron 784-300-10 on handwritten digits, roomy on purpose. So that the table at the end is fair:
#
# - All networks see the same digits for the same number of epochs **in all**: pruning starts from a network that has done
#   two thirds of its epochs and spends the last third on being pruned.
# - Three seeds each; a seed decides the initial weights and the order of the digits.
# - A **baseline** that is too often left out: a *small* network with a tenth of the parameters from the start, trained in the ordinary way
#   ([Zhu and Gupta 2017](https://arxiv.org/abs/1710.01878) ask for it). What pruning and distillation must beat is
#   this network, not zero.

# %% [markdown] lang="zh" of="a2df8a92"
# ## 核心思想：压缩的三条路
#
# 全连接层就是一张数表。能省的地方有三处：
#
# - **剪枝**（pruning）：大多数权重都接近零，删掉它们，只留下少数大的，还要记住它们的位置。
# - **量化**（quantisation）：一个权重用不着 32 位。一个也不删，但都舍入到少数几个等距的值上。
# - **知识蒸馏**（knowledge distillation）：一开始就用一张小表，让大网络来教它。
#
# 三种办法里，哪一种能让网络变快？先把猜测写下来，到章末用计时来回答。
#
# ## 要压缩的网络，和比较的规则
#
# 一个认手写数字的感知机 784-300-10，故意做得宽裕。为了让最后那张表公平，先定规则：
#
# - 各个网络看同样的样本，总轮数相同：剪枝从一个已经训练了三分之二轮数的网络出发，边剪边练，用掉剩下的三分之一。
# - 每种设置各用三个随机种子；种子决定初始权重和样本出现的次序。
# - 还有一个常被漏掉的**基线**：从一开始就只有十分之一参数的**小**网络，照常训练
#   （[Zhu 与 Gupta，2017](https://arxiv.org/abs/1710.01878) 要求有它）。剪枝和蒸馏要胜过的是这个网络，而不是零。

# %% tags=["plot"]
random = np.random.default_rng(0)
table = random.normal(size=(16, 16))
integers, step = compression.quantize(table, bits=3)
panels = {
    "original\n256 numbers, 32 bits each": table,
    "pruned\n26 numbers and their places": table * compression.magnitude_mask(table, 0.9),
    "quantised\n256 numbers, 3 bits each": compression.dequantize(integers, step),
    "student\n25 numbers": random.normal(size=(5, 5)),
}
figure, axes = plt.subplots(1, 4, figsize=(10, 3))
for axis, (title, values) in zip(axes, panels.items(), strict=True):
    axis.imshow(values, cmap="RdBu_r", vmin=-2.5, vmax=2.5)
    axis.set(title=title, xlim=(-0.5, 15.5), ylim=(15.5, -0.5))
    axis.axis("off")
plots.show(
    figure,
    alt="Four tables of coloured cells: one full of many shades, one almost empty with a few strong cells, one full but with "
    "seven shades only, and one much smaller.",
    alt_zh="四张彩色数表：一张填满了各种深浅；一张几乎是空的，只剩少数深色格子；一张填满了，但只有七种颜色；还有一张小得多。",
)

# %%
digits = datasets.mnist()
seeds = [SEED + 100 * number for number in range(choose(smoke=1, laptop=3, full=3))]
count, tested = choose(smoke=2_000, laptop=10_000, full=60_000), choose(smoke=2_000, laptop=10_000, full=10_000)
x_train, y_train = datasets.as_images(digits.x_train[:count]), digits.y_train[:count].astype(int)
x_test, y_test = datasets.as_images(digits.x_test[:tested]), digits.y_test[:tested].astype(int)


def perceptron(hidden):
    """784-hidden-10, ending in scores: distillation needs them, and a softmax would hide them."""
    model = vision.perceptron(hidden)
    model.get_layer("digits").activation = keras.activations.linear
    return model


hard_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
with strategy.scope():
    large, small = perceptron(300), perceptron(30)
    for model in (large, small):
        model.compile(keras.optimizers.Adam(), hard_loss, metrics=["accuracy"], steps_per_execution=8)
compression.attach_masks(large)  # masks of ones: nothing changes until something is pruned
print(f"large · 大 {large.count_params():,} parameters · 参数, small · 小 {small.count_params():,}: "
      f"{small.count_params() / large.count_params():.3f}")

# %%
early, late = choose(smoke=4, laptop=6, full=20), choose(smoke=2, laptop=3, full=10)  # epochs


def train(network, weights, epochs, seed, name, *, through=None, rows=slice(None), callbacks=()):
    """Train from these weights with an optimiser that remembers nothing; `through`: a distiller around the network."""
    trained = through or network
    keras.utils.set_random_seed(seed)
    network.set_weights(weights)
    for variable in trained.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    trained.optimizer.learning_rate = 0.001
    training.fit(trained, x_train[rows], y_train[rows], name=f"{name} {seed}", epochs=epochs, callbacks=callbacks)
    return network.get_weights()


def new_weights(hidden, seed):
    """Random starting weights of a perceptron."""
    keras.utils.set_random_seed(seed)
    return perceptron(hidden).get_weights()


def accuracy(network, weights):
    """Share of the test digits that the network reads rightly with these weights."""
    network.set_weights(weights)
    return training.accuracy(network, x_test, y_test)

# %% tags=["nbval-ignore-output"]
def report(name, values, band):
    """Record the mean over the seeds, and print the range."""
    results.record(f"{name}.test_accuracy", np.mean(values), band=band)
    print(f"    lowest · 最低 {min(values):.4f}, highest · 最高 {max(values):.4f}")


def draw_range(axis, places, runs, number, label):
    """A line through the means and a shade over the range; runs: (seeds, places)."""
    color, marker, line = plots.COLORS[number], plots.MARKERS[number], plots.LINES[number]
    axis.plot(places, np.mean(runs, axis=0), color=color, marker=marker, linestyle=line, label=label)
    axis.fill_between(places, np.min(runs, axis=0), np.max(runs, axis=0), color=color, alpha=0.2, linewidth=0)


half_way, original, small_alone, reached = [], [], [], {}
for seed in seeds:
    half_way.append(train(large, new_weights(300, seed), early, seed, "large"))
    original.append(train(large, half_way[-1], late, seed, "large, last third"))
    small_alone.append(train(small, new_weights(30, seed), early + late, seed, "small"))
reached["original"] = [accuracy(large, weights) for weights in original]
reached["small, alone"] = [accuracy(small, weights) for weights in small_alone]
report("original", reached["original"], choose(smoke=(0.836, 0.872), laptop=(0.941, 0.956), full=(0.95, 1)))
report("small_alone", reached["small, alone"], choose(smoke=(0.769, 0.847), laptop=(0.915, 0.931), full=(0.9, 1)))

# %% [markdown] lang="en"
# Those are the two marks to remember: {{original.test_accuracy:.1%}} for the large network, {{small_alone.test_accuracy:.1%}} for the small one.
#
# ## Pruning: which weights may go?
#
# The simplest rule is hard to beat: drop the weights with the smallest magnitude. With a threshold $\theta$ such
# that a share $s$ of the weights lies below it,
#
# $$ m_i = \begin{cases} 0 & |w_i| \le \theta \\ 1 & \text{else} \end{cases} \qquad\qquad w_i \leftarrow m_i\, w_i $$
#
# $s$ is the **sparsity**, $m$ the **mask**. In NumPy it is two lines. The course's function sorts instead of comparing, so it
# drops the exact number even when magnitudes tie.
#
# Why the smallest? Because they change the output least, *if all inputs are about equally large*. Pixels are not: the middle of the picture is often inked,
# the border never. So for today's language models the score is $|w|$ times the size of its input (Wanda, [Sun et al. 2023](https://arxiv.org/abs/2306.11695)). We stay with $|w|$ and have not
# compared the two; it is one line, if you want to.

# %% [markdown] lang="zh" of="92095c90"
# 记住这两个结果：大网络 {{original.test_accuracy:.1%}}，小网络 {{small_alone.test_accuracy:.1%}}。
#
# ## 剪枝：哪些权重可以不要？
#
# 最简单、却也很难胜过的规则：丢掉绝对值最小的权重。取阈值 $\theta$，使得占比为 $s$ 的权重落在它以下：
#
# $$ m_i = \begin{cases} 0 & |w_i| \le \theta \\ 1 & \text{其他} \end{cases} \qquad\qquad w_i \leftarrow m_i\, w_i $$
#
# $s$ 叫**稀疏度**（sparsity），$m$ 叫**掩码**（mask）。用 NumPy 写只要两行。课程里的函数用排序代替比较，所以即使绝对值有相等的，
# 丢掉的个数也分毫不差。
#
# 为什么丢最小的？因为它们对输出影响最小，但前提是各个输入的大小差不多。像素并不满足这一点：图片中间常有墨迹，边缘从来没有。
# 所以如今给语言模型剪枝，打分用的是 $|w|$ 乘以输入的大小（Wanda，[Sun 等，2023](https://arxiv.org/abs/2306.11695)）。
# 这里仍用 $|w|$，没有比较过两者；只要改一行，你可以试试。

# %%
def pruned_by_threshold(weights, sparsity):
    """Zero the share `sparsity` of the weights that are nearest to zero."""
    threshold = np.quantile(np.abs(weights), sparsity)
    return np.where(np.abs(weights) <= threshold, 0, weights)


kernel = original[0][0].astype("float64")  # (784, 300): of the first seed's hidden layer
proofs.equal({
    "two lines": pruned_by_threshold(kernel, 0.9),
    "reference": kernel * compression.magnitude_mask(kernel, 0.9),
})
ties = np.full(10, 0.5)
print("ten equal weights, half to go · 十个相等的权重，剪一半:",
      int((pruned_by_threshold(ties, 0.5) == 0).sum()), "or · 或", int((~compression.magnitude_mask(ties, 0.5)).sum()))

# %% [markdown] lang="en"
# ### Keep the mask, and take your time
#
# A pruned network has lost something, so let it train on ([Han et al. 2015](https://arxiv.org/abs/1506.02626)). But the
# gradient knows nothing of the mask: the first step moves every weight again. So the mask must be applied after every
# update. Keras has no pruning, but it has the right hook: a weight **constraint** is called after each
# update of the optimiser. Ours multiplies by the mask. The next cell trains one epoch without and with it.
#
# Also, a network that loses nine tenths in one cut may never recover. Zhu and Gupta raise the sparsity
# during training, fast at first, when nearly all that goes is superfluous, then slower and slower
# ([2017, equation 1](https://arxiv.org/abs/1710.01878)):
#
# $$ s(t) = s_f + (s_i - s_f)\left(1 - \frac{t - t_0}{t_1 - t_0}\right)^3, \qquad t_0 \le t \le t_1 $$
#
# $s_i, s_f$: sparsity before and after, $t$: step. Keras has this formula under another name: a *polynomial decay of the
# learning rate* with power 3. The callback `compression.GradualPruning` reads it and renews the masks while `fit` runs.

# %% [markdown] lang="zh" of="5c2ccb27"
# ### 掩码要一直留着，剪也不必急
#
# 剪过的网络有所损失，于是让它接着训练（[Han 等，2015](https://arxiv.org/abs/1506.02626)）。可梯度并不知道掩码的存在：
# 走一步，所有权重又都动了起来。所以每次更新之后都要重新乘上掩码。Keras 没有剪枝功能，却有合适的挂钩：
# 权重的**约束**（constraint）会在优化器每次更新之后被调用，我们的约束就是乘以掩码。下面先不带它、再带着它，各训练一轮。
#
# 再说，一刀剪掉九成，网络也许再也恢复不了。Zhu 与 Gupta 的办法是在训练过程中逐步提高稀疏度：起初很快，因为剪掉的几乎都是多余的；
# 然后越来越慢（[2017，式 1](https://arxiv.org/abs/1710.01878)）：
#
# $$ s(t) = s_f + (s_i - s_f)\left(1 - \frac{t - t_0}{t_1 - t_0}\right)^3, \qquad t_0 \le t \le t_1 $$
#
# $s_i, s_f$ 是前后的稀疏度，$t$ 是步数。这个式子 Keras 倒是有，只是换了名字：指数为 3 的“学习率多项式衰减”。
# 回调 `compression.GradualPruning` 按它在 `fit` 运行时不断更新掩码。

# %%
class KeepZeros(keras.constraints.Constraint):
    """Multiply by a mask after every update; compression.PruningMask is the same with a mask that can change."""

    def __init__(self, mask):
        self.mask = mask.astype("float32")

    def __call__(self, weights):
        return weights * self.mask


example = perceptron(30)
for constrained in (False, True):
    example.set_weights([pruned_by_threshold(weights, 0.9) if weights.ndim == 2 else weights for weights in small_alone[0]])
    for kernel_variable in compression.kernels(example):
        kernel_variable.constraint = KeepZeros(kernel_variable.numpy() != 0) if constrained else None
    example.compile(keras.optimizers.Adam(), hard_loss)  # a graph is traced once: compile after changing constraints
    before = compression.sparsity(example)
    training.fit(example, x_train[:1000], y_train[:1000], name=f"constraint {constrained}", epochs=1)
    print(f"constraint · 约束 {constrained!s:5}: zeros still nine tenths · 零仍占九成: {compression.sparsity(example) == before}")

# %%
def cubic(t, start, stop, s_initial, s_final):
    return s_final + (s_initial - s_final) * (1 - (t - start) / (stop - start)) ** 3


steps = np.arange(100, 301, 20)
decay = keras.optimizers.schedules.PolynomialDecay(0.0, decay_steps=200, end_learning_rate=0.9, power=3)
proofs.equal({
    "formula": cubic(steps, 100, 300, 0.0, 0.9),
    "reference": compression.cubic_sparsity(steps, 100, 300, final=0.9),
    "Keras' PolynomialDecay": [decay(step - 100) for step in steps],
})
print("half of the time, share of the way · 时间过半，路程:", cubic(200, 100, 300, 0.0, 0.9) / 0.9)

# %% [markdown] lang="en" tags=["predict"]
# Without the constraint, zeros fill up within the epoch; with it, exactly nine tenths stay zero. And the cubic schedule has gone seven eighths of its way
# when half of the time is over.
#
# ### Experiment: how much can go?
#
# Four ways to each sparsity, always from the same networks, always with the same number of epochs:
#
# - **not trained on**: the finished network is cut, and that is it;
# - **at once**: cut after two thirds of the epochs, then trained on with the mask;
# - **gradually**: the cubic schedule over the first half of the last third;
# - **at random** (*ablation*): like *at once*, but chance chooses the weights. If magnitude says nothing, this is as good.
#
# **Predict:** put the four curves in order at a sparsity of nine tenths. Which of them stay above the small network? (A second picture asks *which* weights stayed: nobody told the network which
# pixels ever hold ink.)

# %% [markdown] lang="zh" of="da3a9863" tags=["predict"]
# 不带约束，一轮之内零就被填上了；带着它，零始终正好占九成。三次曲线则在时间过半时已经走完八分之七的路程。
#
# ### 实验：能剪掉多少？
#
# 每个稀疏度都用四种方式得到，出发的网络相同，总轮数也相同（括号里是图例）：
#
# - **剪完不再训练**（not trained on）：把训练好的网络一剪了事；
# - **一次剪完**（at once）：训练到三分之二时剪，然后带着掩码接着训练；
# - **逐步剪**（gradually）：在最后三分之一的前一半时间里，按三次曲线提高稀疏度；
# - **随机剪**（at random，消融）：与“一次剪完”相同，只是剪谁由随机数决定。如果绝对值大小毫无意义，它就该一样好。
#
# **先猜：** 剪去九成时，四条曲线从高到低怎么排？哪些仍高于小网络？（第二张图要问：留下的是哪些权重？没有人告诉网络哪些像素会有墨迹。）

# %%
sparsities = choose(smoke=[0.9], laptop=[0.8, 0.9, 0.95, 0.98], full=[0.5, 0.8, 0.9, 0.95, 0.98, 0.99])
everything = [np.ones(variable.shape) for variable in compression.kernels(large)]


def prune_and_train(way, sparsity, row):
    """Weights at this sparsity, from the networks of one seed."""
    compression.set_masks(large, everything)
    large.set_weights(original[row] if way == "not trained on" else half_way[row])
    if way == "at random":
        dice = np.random.default_rng(seeds[row])
        compression.set_masks(large, [compression.magnitude_mask(dice.normal(size=ones.shape), sparsity) for ones in everything])
    elif way != "gradually":
        compression.prune(large, sparsity)
    if way == "not trained on":
        return large.get_weights()
    half_time = late * -(-count // 128) // 2
    slowly = [compression.GradualPruning(sparsity, half_time)] if way == "gradually" else []
    return train(large, large.get_weights(), late, seeds[row], f"{way} {sparsity}", callbacks=slowly)

# %% tags=["nbval-ignore-output"]
# Bands here and below: three seeds; at least 0.006 wide on each side (smoke 0.01), for other numbers of threads.
ways = ["not trained on", "at once", "gradually", "at random"]
curves = {way: np.zeros((len(seeds), len(sparsities))) for way in ways}
pruned = {}  # (way, row): weights at nine tenths
for way in ways:
    for row, column in np.ndindex(len(seeds), len(sparsities)):
        weights = prune_and_train(way, sparsities[column], row)
        curves[way][row, column] = accuracy(large, weights)
        if sparsities[column] == 0.9:
            pruned[way, row] = weights
    band = choose(
        smoke={"not trained on": None, "at once": (0.686, 0.895), "gradually": (0.341, 1), "at random": (0.502, 0.822)},
        laptop={"not trained on": (0.263, 0.897), "at once": (0.925, 0.938), "gradually": (0.924, 0.94), "at random": (0.87, 0.885)},
        full=dict.fromkeys(ways))[way]
    report(f"pruned_90.{way.replace(' ', '_')}", curves[way][:, sparsities.index(0.9)], band)
    reached[f"pruned 90 %, {way}"] = curves[way][:, sparsities.index(0.9)]

# %% tags=["plot", "nbval-ignore-output"]
figure, axis = plt.subplots(figsize=(7.5, 4))
for number, (way, runs) in enumerate(curves.items()):
    draw_range(axis, sparsities, runs, number, way)
for name, place in (("original", 0.02), ("small, alone", -0.055)):
    axis.axhline(np.mean(reached[name]), color="0.5", linewidth=1)
    axis.text(0.825, np.mean(reached[name]) + place, name, color="0.35", fontsize=9)
axis.set(xlabel="share of the weights that are zero", ylabel="test accuracy", ylim=(0, 1.05), xticks=sparsities,
         title="What is left after pruning: mean and range of the seeds")
axis.legend(loc="lower left")
plots.show(
    figure,
    alt="Test accuracy against sparsity. Without further training the curve collapses; pruned at once it falls late, gradually "
    "later still; random pruning lies well below both.",
    alt_zh="测试准确率随稀疏度的变化：剪完不再训练的曲线直接垮掉；一次剪完的掉得晚；逐步剪的掉得更晚；随机剪明显低于这两条。",
)

# %%
left = np.count_nonzero(pruned["gradually", 0][0], axis=1).reshape(28, 28)  # of 300 weights a pixel
ink = x_train.mean(axis=0)[..., 0]
never = ink == 0
figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.4))
for axis, picture, title in zip(axes, [ink, left], ["mean training digit", "weights left, of 300"], strict=True):
    drawn = axis.imshow(picture, cmap="viridis")
    figure.colorbar(drawn, ax=axis, shrink=0.8)
    axis.set_title(title)
    axis.axis("off")
plots.show(
    figure,
    alt="Left the mean of all training digits, a bright blob in the middle. Right the number of weights left for each pixel: "
    "many in a ring around the blob and inside it, almost none along the border.",
    alt_zh="左图是所有训练数字的平均，中间一团亮；右图是每个像素剩下的权重个数：亮团内部及其周围一圈最多，四周边缘几乎没有。",
)
print("pixels that never hold ink keep fewer weights · 从无墨迹的像素留得更少:", left[never].mean() < left[~never].mean())

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** *At once* ({{pruned_90.at_once.test_accuracy:.1%}}) and *gradually* ({{pruned_90.gradually.test_accuracy:.1%}}) are level at nine tenths, and stay above the
# small network ({{small_alone.test_accuracy:.1%}}), which has equally many parameters. *At random* falls below it ({{pruned_90.at_random.test_accuracy:.1%}}): so magnitude does say
# something. Without further training the network is ruined ({{pruned_90.not_trained_on.test_accuracy:.1%}}). Training on is worth more than the choice of the
# schedule; the schedule counts where the cut is deep, at the right end of the figure.
#
# In the second picture the survivors are where there is ever ink, most densely on the rim. It is tempting to say: ink is rare there, so it tells much. But there is a duller
# explanation: Adam divides each gradient by its own typical size, so the weights of rarely inked pixels take full-size steps and grow large. This picture cannot
# tell which it is. (The same run with SGD could.)
#
# ## Quantisation: fewer bits for each weight
#
# Let $b$ bits be given. Symmetric around zero, that makes the whole numbers from $-(2^{b-1}-1)$ to $2^{b-1}-1$: 255 of
# them for 8 bits, 15 for 4. Choose the **step** $\Delta$ so that the largest weight fits exactly:
#
# $$ \Delta = \frac{\max |w|}{2^{b-1}-1}, \qquad q = \mathrm{round}\!\left(\frac{w}{\Delta}\right), \qquad \hat w = \Delta\, q,
#    \qquad |w - \hat w| \le \frac{\Delta}{2} $$
#
# Stored are $q$ and $\Delta$. One $\Delta$ for the whole tensor, or one for each output column (**per channel**)? A single large weight
# anywhere makes the one step coarse for all. If the rounding errors are spread evenly between $-\Delta/2$ and $\Delta/2$, their root mean square
# must be $\Delta / \sqrt{12}$. Is it, for 100,000 Gaussian numbers? And with how few bits does the trained network still work, rounded
# and not trained on?

# %% [markdown] lang="zh" of="b78d3b91" tags=["answer"]
# **答案。** 剪去九成时，一次剪完（{{pruned_90.at_once.test_accuracy:.1%}}）与逐步剪（{{pruned_90.gradually.test_accuracy:.1%}}）不相上下，
# 都高于参数一样多的小网络（{{small_alone.test_accuracy:.1%}}）。随机剪低于它（{{pruned_90.at_random.test_accuracy:.1%}}），
# 可见绝对值大小确实说明问题。剪完不再训练，网络就毁了（{{pruned_90.not_trained_on.test_accuracy:.1%}}）。
# “接着训练”比用哪种调度更要紧；剪得深的时候，也就是图的右端，调度才显出差别。
#
# 第二张图里，留下的权重都在会有墨迹的地方，边缘一圈最密。很容易想到一个理由：那里难得有墨迹，一旦有，就很能说明问题。
# 可还有一个平淡得多的解释：Adam 把每个梯度除以它自己通常的大小，所以难得有墨迹的像素，权重照样迈着整步走，于是长得大。
# 单凭这张图，分不出是哪一个。（用 SGD 重做一遍就能分出来。）
#
# ## 量化：每个权重少用几个比特
#
# 设有 $b$ 个比特。关于零对称，就得到从 $-(2^{b-1}-1)$ 到 $2^{b-1}-1$ 的整数：8 位有 255 个，4 位有 15 个。
# 选取**步长** $\Delta$，让最大的权重刚好放得下：
#
# $$ \Delta = \frac{\max |w|}{2^{b-1}-1}, \qquad q = \mathrm{round}\!\left(\frac{w}{\Delta}\right), \qquad \hat w = \Delta\, q,
#    \qquad |w - \hat w| \le \frac{\Delta}{2} $$
#
# 存下来的是 $q$ 和 $\Delta$。整个张量共用一个 $\Delta$（per tensor），还是每个输出列各用一个（**逐通道**，per channel）？
# 只要某处有一个很大的权重，共用的步长就会变粗，连累所有人。如果舍入误差在 $-\Delta/2$ 到 $\Delta/2$ 之间均匀分布，
# 它的均方根应为 $\Delta / \sqrt{12}$。拿十万个高斯随机数试试，是这样吗？再看训练好的网络，只舍入权重，不再训练：少到几位，它还认得出数字？

# %%
def rounded(weights, bits, axis=None):
    """Quantise and come back: three lines."""
    step = (np.max(np.abs(weights), axis=axis, keepdims=True) + 1e-7) / (2 ** (bits - 1) - 1)  # Keras adds 1e-7: no division by 0
    integers = np.round(weights / step)
    return step * integers


for axis in (None, 0):
    proofs.equal({
        f"three lines, axis={axis}": rounded(kernel, 4, axis),
        "reference": compression.dequantize(*compression.quantize(kernel, 4, axis)),
    })
gaussian = np.random.default_rng(0).normal(size=100_000)
for bits in (8, 6, 4, 2):
    step = compression.quantize(gaussian, bits)[1]
    ratio = np.std(rounded(gaussian, bits) - gaussian) / (step / np.sqrt(12))
    print(f"{bits} bits · 位: error / (Δ/√12) = {ratio:.2f}")

# %% tags=["nbval-ignore-output"]
bit_numbers, kinds = list(range(2, 9)), {"per tensor": None, "per channel": 0}
three_bits = {"per tensor": ((0.824, 0.872), (0.917, 0.96)), "per channel": ((0.831, 0.867), (0.937, 0.951))}  # bands of smoke, laptop
errors = {kind: [] for kind in kinds}
bit_accuracy = {kind: np.zeros((len(seeds), len(bit_numbers))) for kind in kinds}
for kind, axis in kinds.items():
    for column, bits in enumerate(bit_numbers):
        errors[kind].append(np.std(rounded(kernel, bits, axis) - kernel) / np.std(kernel))
        for row, weights in enumerate(original):
            coarse = [rounded(array, bits, axis) if array.ndim == 2 else array for array in weights]
            bit_accuracy[kind][row, column] = accuracy(large, coarse)
    results.record(f"quantised_3_bits.{kind.replace(' ', '_')}_accuracy", bit_accuracy[kind][:, 1].mean(), band=choose(smoke=three_bits[kind][0], laptop=three_bits[kind][1], full=None))

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
for number, kind in enumerate(kinds):
    draw_range(axes[0], bit_numbers, [errors[kind]], number, kind)
    draw_range(axes[1], bit_numbers, bit_accuracy[kind], number, kind)
axes[0].set(xlabel="bits a weight", ylabel="error / spread of the weights", yscale="log", title="Rounding error, hidden layer")
axes[1].set(xlabel="bits a weight", ylabel="test accuracy", ylim=(0, 1.05), title="Accuracy: mean and range of the seeds")
axes[0].legend()
plots.show(
    figure,
    alt="Left: the rounding error halves with every bit, per channel below per tensor. Right: accuracy stays level from many "
    "bits down to few and then falls, later per channel.",
    alt_zh="左图：每多一位，舍入误差大约减半，逐通道低于共用步长；右图：位数由多减少，准确率起初几乎不变，到很少时才下降，逐通道降得更晚。",
)

# %% [markdown] lang="en"
# With many steps the rule holds to two digits; with three values (2 bits) rounding is no longer noise but destruction: most
# weights become 0. The network forgives a lot. With 3 bits it still reaches {{quantised_3_bits.per_channel_accuracy:.1%}} per channel and
# {{quantised_3_bits.per_tensor_accuracy:.1%}} per tensor. A step for each channel costs a few floats and makes smaller errors.
#
# ### What Keras stores, and what it computes
#
# `model.quantize("int8")` takes a step for each column and keeps its reciprocal as `kernel_scale`. In the forward pass it
# rounds the **inputs** too, each row with its own step $\Delta_x$, multiplies whole numbers, and only then returns to floats:
#
# $$ y = \Delta_x\, \Delta_w\, (q_x\, q_w) + b $$
#
# For 4 bits Keras has two recipes. `Int4QuantizationConfig(block_size=-1)` is our symmetric formula, two numbers packed
# into a byte. The default, `quantize("int4")`, cuts each column into blocks of 128 rows and gives every block a step and a
# **zero point** $z$, so that a block whose weights lie to one side of zero wastes nothing:
#
# $$ \Delta = \frac{\max w - \min w}{2^b - 1}, \qquad z = \mathrm{round}\!\left(\frac{-\min w}{\Delta}\right) - 2^{b-1}, \qquad
#    q = \mathrm{round}\!\left(\frac{w}{\Delta}\right) + z, \qquad \hat w = \Delta\,(q - z) $$
#
# The first cell below rebuilds the 8-bit layer, the second both 4-bit ones. The third asks *which layers* Keras quantises: only those with
# a `quantize` method; the others get a warning. We ask the course's convolutional network.

# %% [markdown] lang="zh" of="97ae3a90"
# 台阶多的时候，这条规则准到两位；只剩三个值（2 位）时，舍入不再像噪声，而是破坏：大多数权重都变成了 0。
# 网络相当宽容：3 位时，逐通道还有 {{quantised_3_bits.per_channel_accuracy:.1%}}，整个张量共用一个步长也有
# {{quantised_3_bits.per_tensor_accuracy:.1%}}。每个通道各用一个步长，只多存几个浮点数，误差却更小。
#
# ### Keras 存了什么，又算了什么
#
# `model.quantize("int8")` 每列取一个步长，把它的倒数存在 `kernel_scale` 里。前向计算时，它把**输入**也舍入，
# 每行用自己的步长 $\Delta_x$，先做整数乘法，最后才回到浮点数：
#
# $$ y = \Delta_x\, \Delta_w\, (q_x\, q_w) + b $$
#
# 4 位时，Keras 有两种做法。`Int4QuantizationConfig(block_size=-1)` 就是我们的对称公式，两个数挤进一个字节。
# 默认的 `quantize("int4")` 则把每列切成 128 行一块，每块有自己的步长，还有一个**零点**（zero point）$z$；
# 这样，如果一块权重偏在零的一侧，也不会浪费台阶：
#
# $$ \Delta = \frac{\max w - \min w}{2^b - 1}, \qquad z = \mathrm{round}\!\left(\frac{-\min w}{\Delta}\right) - 2^{b-1}, \qquad
#    q = \mathrm{round}\!\left(\frac{w}{\Delta}\right) + z, \qquad \hat w = \Delta\,(q - z) $$
#
# 下面第一格重做 8 位的层，第二格重做两种 4 位的层。第三格问：Keras 会量化**哪些**层？只有带 `quantize` 方法的层；对其余的层只给一句警告。
# 我们拿课程的卷积网络问一问。

# %%
def quantized(weights, mode, **settings):
    """A new perceptron with these weights, quantised by Keras."""
    model = perceptron(weights[1].size)
    model.set_weights(weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Flatten and the input have nothing to quantise
        model.quantize(mode, **settings)
    return model


kernel, bias = original[0][:2]  # float32, as Keras computes
hidden = quantized(original[0], "int8").get_layer("hidden")
integers, step = compression.quantize(kernel, 8, axis=0)  # (784, 300), (1, 300)
print("the same integers · 整数相同:", np.array_equal(integers, hidden._kernel))
proofs.equal({"1 / Δ": 1 / step[0], "Keras' kernel_scale": hidden.kernel_scale})

pixels = x_test[:100].reshape(100, 784)
pixel_integers, pixel_step = compression.quantize(pixels, 8, axis=1)  # (100, 784), (100, 1)
products = pixel_integers.astype("int32") @ integers.astype("int32")  # (100, 300)
proofs.equal({
    "Δx Δw (qx qw) + b": np.maximum(products * pixel_step * step + bias, 0),
    "Keras' int8 layer": hidden(pixels),
})

# %%
symmetric = quantized(original[0], "int4", config=keras.quantizers.Int4QuantizationConfig(block_size=-1)).get_layer("hidden")
packed = compression.pack_int4(compression.quantize(kernel, 4, axis=0)[0])  # (784, 150)
print("symmetric, packed · 对称，打包:", packed.shape, np.array_equal(packed, symmetric._kernel))

blocks = quantized(original[0], "int4").get_layer("hidden")
integers, step, zero = compression.quantize_groups(kernel, 128)  # (784, 300), (7, 300), (7, 300)
print("blocks of 128, packed · 分块，打包:", np.array_equal(compression.pack_int4(integers), blocks._kernel),
      "zero points · 零点:", np.array_equal(zero, blocks.kernel_zero))
rebuilt = compression.dequantize_groups(integers, step, zero, 128)
proofs.equal({"x Δ(q − z) + b": np.maximum(pixels @ rebuilt + bias, 0), "Keras' int4 layer": blocks(pixels)})

# %%
cnn = vision.fast_cnn()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    cnn.quantize("int8")
untouched = sorted({word for warning in caught for word in str(warning.message).split()[1:2] if hasattr(keras.layers, word)})
numbers = {layer.name: layer.count_params() for layer in cnn.layers if layer.count_params()}
quantised = [layer.name for layer in cnn.layers if getattr(layer, "quantization_mode", None)]
print("left alone · 未动:", ", ".join(untouched))
print("quantised · 已量化:", quantised, "of · 于", list(numbers))

# %% [markdown] lang="en" tags=["predict"]
# Our integers are Keras' integers, in all three cases. But in the convolutional network only the last layer was quantised. The three convolutions, two thirds of the parameters, stay
# floats (Keras quantises `Dense`, `EinsumDense` and embeddings, the bulk of a *Transformer*). Believe the bytes, not a call that returned without an error.
#
# ## Distillation: learning from the teacher's doubts
#
# A label says "3". The teacher says "3, perhaps an 8, certainly no 1". Raise the temperature (chapter 4), and those small
# probabilities become large enough to learn from ([Hinton, Vinyals and Dean 2015](https://arxiv.org/abs/1503.02531)).
# With the scores $z^t$ of the teacher and $z^s$ of the student,
#
# $$ p = \mathrm{softmax}(z^t / T), \quad q = \mathrm{softmax}(z^s / T), \qquad
#    L = \alpha\, L_{\text{labels}} + (1 - \alpha)\; T^2 \cdot \frac1n \sum_k \sum_i p_{ki} \log \frac{p_{ki}}{q_{ki}} $$
#
# Why $T^2$? Differentiate the second part. Softmax with cross entropy gives $q - p$, the inner derivative $1/T$, and together
#
# $$ \frac{\partial L_{\text{soft}}}{\partial z^s_i} = T^2 \cdot \frac{1}{T} \cdot \frac{q_i - p_i}{n} = \frac{T}{n}\,(q_i - p_i) $$
#
# At high temperature $q - p$ itself shrinks like $1/T$, so without the factor the gradient would fall like $1/T^2$,
# and a change of $T$ would silently change the weight of the teacher. In the limit the student is asked to copy the teacher's
# *scores*, up to an additive constant.
#
# The first cell below checks loss and gradient, the second the limit. The third looks at a default: Keras' documentation names `"kl_divergence"` as the default loss; the
# first cell nevertheless writes `keras.losses.KLDivergence()`.
#
# **Predict:** a divergence of probabilities cannot change when a constant is added to all scores. What will the third cell print for the default?

# %% [markdown] lang="zh" of="66c31ed9" tags=["predict"]
# 三种情形下，我们的整数都与 Keras 的相同。但卷积网络里被量化的只有最后一层：三个卷积层占了三分之二的参数，却仍是浮点数
# （Keras 量化的是 `Dense`、`EinsumDense` 和嵌入层，那是 Transformer 的主体）。函数没有报错，不等于真的压缩了，要看字节数。
#
# ## 知识蒸馏：向老师的犹豫学习
#
# 标签只说“3”。老师却说：“3，也有点像 8，绝不是 1。”把温度调高（第 4 章），那些很小的概率就大到可以学习了
# （[Hinton、Vinyals 与 Dean，2015](https://arxiv.org/abs/1503.02531)）。记教师（teacher）的分数为 $z^t$，学生（student）的分数为 $z^s$：
#
# $$ p = \mathrm{softmax}(z^t / T), \quad q = \mathrm{softmax}(z^s / T), \qquad
#    L = \alpha\, L_{\text{标签}} + (1 - \alpha)\; T^2 \cdot \frac1n \sum_k \sum_i p_{ki} \log \frac{p_{ki}}{q_{ki}} $$
#
# 为什么要乘 $T^2$？对第二部分求导。softmax 加交叉熵给出 $q - p$，内层导数是 $1/T$，合起来：
#
# $$ \frac{\partial L_{\text{soft}}}{\partial z^s_i} = T^2 \cdot \frac{1}{T} \cdot \frac{q_i - p_i}{n} = \frac{T}{n}\,(q_i - p_i) $$
#
# 温度高时，$q - p$ 本身还会像 $1/T$ 那样缩小。没有这个因子，梯度就会像 $1/T^2$ 那样下降；
# 于是只要改一下 $T$，老师的话语权就悄悄变了。温度趋于无穷时，学生要做的就是照抄老师的分数（可以差一个公共的常数）。
#
# 下面第一格核对损失和梯度，第二格核对极限，第三格看一个默认值：Keras 的文档说默认损失是 `"kl_divergence"`，第一格却写成
# `keras.losses.KLDivergence()`。
#
# **先猜：** 概率之间的散度，不会因为给所有分数加上同一个常数而改变。第三格会给默认值打印出什么？

# %%
random = np.random.default_rng(0)
teacher_scores, student_scores = random.normal(size=(2, 6, 10)) * 3  # (6, 10) each
T = 4.0
p, q = activations.softmax(teacher_scores / T), activations.softmax(student_scores / T)
soft_loss = keras.distillation.LogitsDistillation(T, loss=keras.losses.KLDivergence())
tensor = tf.constant(student_scores)
with tf.GradientTape() as tape:
    tape.watch(tensor)
    value = soft_loss.compute_loss(tf.constant(teacher_scores), tensor)
proofs.equal({
    "by hand": T**2 * np.sum(p * np.log(p / q)) / 6,
    "reference": compression.distillation_loss(student_scores, teacher_scores, T),
    "Keras": value,
})
proofs.equal({
    "T (q − p) / n": T * (q - p) / 6,
    "reference": compression.distillation_loss_backward(1.0, student_scores, teacher_scores, T),
    "GradientTape": tape.gradient(value, tensor),
    "finite differences": proofs.finite_differences(
        lambda scores: compression.distillation_loss(scores, teacher_scores, T), student_scores),
})

# %%
print("   T   |gradient| without T²   with T²")
for T in (1.0, 3.0, 10.0, 30.0, 100.0):
    size = np.linalg.norm(compression.distillation_loss_backward(1.0, student_scores, teacher_scores, T))
    print(f"{T:4.0f}   {size / T**2:12.6f}          {size:7.4f}")
difference = student_scores - teacher_scores
difference -= difference.mean(axis=1, keepdims=True)
proofs.equal({
    "gradient at T = 10⁵": compression.distillation_loss_backward(1.0, student_scores, teacher_scores, 1e5),
    "centred difference of the scores / (10 n)": difference / (10 * 6),
})

# %%
default, chosen = keras.distillation.LogitsDistillation(4.0), keras.distillation.LogitsDistillation(4.0, keras.losses.KLDivergence())
print("Keras", keras.__version__)
print(f"formula · 公式             {compression.distillation_loss(student_scores, teacher_scores, 4.0):8.4f}")
for name, loss in (("loss=KLDivergence()", chosen), ("default · 默认", default)):
    values = [float(loss.compute_loss(teacher_scores, student_scores + shift)) for shift in (0, 100)]
    print(f"{name:20} {values[0]:12.4f}    scores + 100 · 分数加 100: {values[1]:8.4f}")
raw = keras.losses.kl_divergence(teacher_scores / 4, student_scores / 4)
proofs.equal({"default": default.compute_loss(teacher_scores, student_scores), "divergence of raw scores": np.mean(raw)})

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The default gives another value than the formula, and a different one, even a *negative* one, when a hundred is added to all scores. No divergence of probabilities can do that.
#
# ### Clinic: a default that does not distil
#
# **Diagnosis.** The text `"kl_divergence"` becomes Keras' *function* of that name, while the code that applies softmax and
# $T^2$ waits for an object of the *class* `KLDivergence`. So the default takes the logarithm of raw scores, clipped at
# $10^{-7}$: negative ones all count the same, and nothing is softened. No error, no warning. (Keras 3.15.1; the API is from
# [2025](https://github.com/keras-team/keras/pull/21572). If the two lines above agree in your version, it has been repaired.)
# Training with it is one of the rows below.
#
# ### Experiment: does the student gain?
#
# The 30-unit perceptron, with the same digits and the same number of epochs: alone, with the teacher ($T = 4$, $\alpha = 0.1$), and with the
# broken default. And a pair of short runs: three epochs, $T = 10$, $\alpha = 0.1$. That is the
# recipe of [Keras' own example](https://keras.io/examples/vision/knowledge_distillation/) of 2020, whose text promises the
# distilled student a gain, while the output printed on the same page reads
# 97.78 % alone, 96.92 % distilled ([stored output](https://github.com/keras-team/keras-io/blob/master/examples/vision/md/knowledge_distillation.md)).

# %% [markdown] lang="zh" of="ed0c77c4" tags=["answer"]
# **答案。** 默认值给出的结果与公式不同；所有分数加上一百之后又变了，甚至变成负的。概率之间的散度绝不会这样。
#
# ### 公式门诊：一个并不蒸馏的默认值
#
# **诊断。** 字符串 `"kl_divergence"` 会变成 Keras 里同名的**函数**，而负责做 softmax、乘 $T^2$ 的代码等的却是**类** `KLDivergence` 的对象。
# 于是默认值直接对原始分数取对数，并截断在 $10^{-7}$：负分数全都一样，什么也没有被“软化”。不报错，也不警告。
# （Keras 3.15.1；这个接口是 [2025 年](https://github.com/keras-team/keras/pull/21572) 加入的。如果你的版本里上面两行一致，说明已经修好了。）
# 下面有一行就是用它训练的结果。
#
# ### 实验：学生真的占到便宜了吗？
#
# 还是那个 30 个单元的感知机，同样的样本、同样的轮数：自学（alone）；跟老师学（distilled，$T = 4$，$\alpha = 0.1$）；用那个坏掉的默认值（default）。
# 再来一对“速成”（hasty）的：只练三轮，$T = 10$，$\alpha = 0.1$。这是 [Keras 官方示例](https://keras.io/examples/vision/knowledge_distillation/)（2020）的配方：
# 它的正文说蒸馏后的学生会更好，可同一页上打印出来的结果却是
# 自学 97.78%、蒸馏 96.92%（[保存的输出](https://github.com/keras-team/keras-io/blob/master/examples/vision/md/knowledge_distillation.md)）。

# %% tags=["nbval-ignore-output"]
def distiller(temperature, loss):
    """The small network as a student of a large one; weights are put in before each run."""
    with strategy.scope():
        soft = keras.distillation.LogitsDistillation(temperature, loss)
        pair = keras.distillation.Distiller(perceptron(300), small, soft, student_loss_weight=0.1)
        pair.compile(keras.optimizers.Adam(), hard_loss, steps_per_execution=8)
    return pair


right, student = distiller(4.0, keras.losses.KLDivergence()), {}
plans = {  # name: distiller or None, epochs, number of seeds, band
    "distilled": (right, early + late, len(seeds), choose(smoke=(0.747, 0.82), laptop=(0.906, 0.921), full=None)),
    "default": (distiller(4.0, "kl_divergence"), early + late, 1, choose(smoke=(0, 0.562), laptop=(0.654, 0.966), full=None)),
    "hasty_alone": (None, 3, len(seeds), choose(smoke=(0.681, 0.794), laptop=(0.895, 0.911), full=None)),
    "hasty_distilled": (distiller(10.0, keras.losses.KLDivergence()), 3, len(seeds), choose(smoke=(0.143, 1), laptop=(0.874, 0.889), full=None)),
}
for name, (through, epochs, runs, band) in plans.items():
    for row, seed in enumerate(seeds[:runs]):
        if through:
            through.teacher.set_weights(original[row])
        student[name, row] = train(small, new_weights(30, seed), epochs, seed, name, through=through)
    reached[name] = [accuracy(small, student[name, row]) for row in range(runs)]
    report(f"student.{name}", reached[name], band)

# %% [markdown] lang="en"
# With all digits and equal budgets, the teacher's doubts buy nothing here: {{student.distilled.test_accuracy:.1%}} against {{small_alone.test_accuracy:.1%}} alone. In
# the short runs they cost more: {{student.hasty_distilled.test_accuracy:.1%}} against {{student.hasty_alone.test_accuracy:.1%}}. Soft targets may be a harder task that needs
# patience; but the short recipe changed the temperature as well, so this pair of runs cannot tell which of the two it was. The broken default ruins the student ({{student.default.test_accuracy:.1%}}).
#
# So why is distillation famous? Look at the case of **few labelled digits**. The teacher has seen all of them, the
# student only some; we repeat those, so that every student makes the same number of steps.

# %% [markdown] lang="zh" of="0603b1ee"
# 样本齐全、预算相同时，老师的犹豫在这里没帮上忙：蒸馏 {{student.distilled.test_accuracy:.1%}}，自学 {{small_alone.test_accuracy:.1%}}。
# 速成时代价更大：{{student.hasty_distilled.test_accuracy:.1%}} 对 {{student.hasty_alone.test_accuracy:.1%}}。也许软目标是更难的作业，
# 学生得有耐心；但速成的配方连温度也换了，究竟是哪一个原因，这几次训练分不出来。坏掉的默认值则毁了学生（{{student.default.test_accuracy:.1%}}）。
#
# 那蒸馏何以出名？因为**带标签的样本很少**的情形。让老师见过全部样本，学生只见其中一部分；把这部分重复多遍，使每个学生走的步数一样多。

# %% tags=["nbval-ignore-output"]
shares = choose(smoke=[300], laptop=[300, 2_000], full=[300, 1_000, 3_000, 10_000])
gain = {"alone": [], "distilled": []}
for share in shares:
    repeated = np.resize(np.arange(share), count)  # 0, 1, ..., share - 1, 0, 1, ...
    for name, through in (("alone", None), ("distilled", right)):
        column = []
        for row, seed in enumerate(seeds):
            right.teacher.set_weights(original[row])
            weights = train(small, new_weights(30, seed), early + late, seed, f"{name} {share}", through=through, rows=repeated)
            column.append(accuracy(small, weights))
        gain[name].append(column)
bands = choose(smoke=[(0.669, 0.773), (0.73, 0.768)], laptop=[(0.782, 0.813), (0.86, 0.875)], full=[None, None])
for (name, columns), band in zip(gain.items(), bands, strict=True):
    report(f"student_300_digits.{name}", columns[0], band)
    columns.append(reached["small, alone" if name == "alone" else "distilled"])

# %% tags=["plot", "nbval-ignore-output"]
figure, axis = plt.subplots(figsize=(7, 3.8))
for number, (name, columns) in enumerate(gain.items()):
    draw_range(axis, [*shares, count], np.transpose(columns), number, f"student, {name}")
axis.axhline(np.mean(reached["original"]), color="0.5", linewidth=1)
axis.text(shares[0], np.mean(reached["original"]) + 0.004, "teacher, all digits", color="0.35", fontsize=9)
axis.set(xscale="log", xlabel="different digits that the student sees", ylabel="test accuracy",
         title="Same number of steps: mean and range of the seeds")
axis.legend(loc="lower right")
plots.show(
    figure,
    alt="Test accuracy of the student against the number of digits it sees: distilled lies clearly above alone when there are "
    "few, and the two curves cross when there are many.",
    alt_zh="学生的测试准确率随所见数字个数的变化：数字少时，蒸馏明显高于自学；数字多时，两条曲线交叉。",
)

# %% [markdown] lang="en" tags=["predict"]
# Here the teacher pays: with 300 different digits the student reaches {{student_300_digits.distilled.test_accuracy:.1%}} instead of
# {{student_300_digits.alone.test_accuracy:.1%}}. Each soft target carries what the teacher learned from thousands of others. With more digits of its own the student needs
# that less and less, and the curves cross.
#
# ## The bill: bytes, accuracy, time
#
# **Bytes** are those of the saved `.keras` file, and of that file after compression by `xz` (the LZMA algorithm, a relative of zip), as it would travel
# through a network. **Time** is a forward pass on this machine, divided by the original's in the same run, the networks
# taking turns. For the pruned network there is a second way to compute: TensorFlow's product of a *sparse* matrix, which
# stores and multiplies the survivors only.
#
# **Predict:** how much smaller is the pruned network's file before it is compressed? And which networks are faster than the original?

# %% [markdown] lang="zh" of="6941b5f1" tags=["predict"]
# 这里老师就值了：只有 300 个不同的样本时，学生从 {{student_300_digits.alone.test_accuracy:.1%}} 提高到
# {{student_300_digits.distilled.test_accuracy:.1%}}。每个软目标都带着老师从另外几千个样本学来的东西。学生自己的样本多了，就越来越用不着，两条曲线于是交叉。
#
# ## 结账：字节、准确率、时间
#
# **字节**有两种：保存的 `.keras` 文件，以及这个文件再用 `xz`（LZMA 算法，与 zip 同类）压缩之后的大小，也就是在网上传输时的样子。
# **时间**是本机上的一次前向计算，除以同一次运行中原网络的时间，各个网络轮流计时。
# 对剪枝后的网络还有第二种算法：TensorFlow 的稀疏矩阵乘法，只存、只乘留下来的权重。
#
# **先猜：** 压缩之前，剪枝网络的文件小了多少？哪些网络比原网络快？

# %%
def with_weights(weights):
    """A new perceptron that was never compiled: its file holds layers and weights, and no optimiser's memories."""
    model = perceptron(weights[1].size)
    model.set_weights(weights)
    return model


sparse_weights = [pruned["gradually", row] for row in range(len(seeds))]
models = {
    "original": with_weights(original[0]),
    "pruned 90 %, not trained on": with_weights(pruned["not trained on", 0]),
    "pruned 90 %, gradually": with_weights(sparse_weights[0]),
    "int8": quantized(original[0], "int8"),
    "int4": quantized(original[0], "int4"),
    "pruned 90 % + int8": quantized(sparse_weights[0], "int8"),
    "small, alone": with_weights(small_alone[0]),
    "small, distilled": with_weights(student["distilled", 0]),
}
sizes = {name: compression.file_bytes(model) for name, model in models.items()}
first, gone = sizes["original"], sizes["pruned 90 %, gradually"]
print("saved after training, the optimiser's memories included · 训练后直接保存，连同优化器的记忆:",
      f"× {compression.file_bytes(large)['keras'] / first['keras']:.1f}")
print(f"pruned · 剪枝后: .keras × {gone['keras'] / first['keras']:.2f}")

# %% tags=["nbval-ignore-output"]
for mode, starts in (("int8", original), ("int4", original), ("pruned 90 % + int8", sparse_weights)):
    reached[mode] = [training.accuracy(quantized(w, mode.split()[-1]), x_test, y_test) for w in starts]
reached["small, distilled"] = reached.pop("distilled")

survivors = [tf.sparse.from_dense(w.T) for w in sparse_weights[0][::2]]  # (300, 784), (10, 300)


def sparse_forward(images):
    """The pruned network, multiplying survivors only: (batch, 28, 28, 1) -> (batch, 10)."""
    columns = tf.transpose(tf.reshape(images, (-1, 784)))  # (784, batch)
    hidden = tf.nn.relu(tf.sparse.sparse_dense_matmul(survivors[0], columns) + sparse_weights[0][1][:, None])
    return tf.transpose(tf.sparse.sparse_dense_matmul(survivors[1], hidden) + sparse_weights[0][3][:, None])


proofs.equal({"sparse": sparse_forward(x_test[:50]), "dense": models["pruned 90 %, gradually"](x_test[:50])}, tolerance=1e-4)
functions = {name: tf.function(model) for name, model in models.items()}
functions["pruned 90 %, sparse product"] = tf.function(sparse_forward)
repeats = choose(smoke=5, laptop=40, full=200)
ratios = {batch: compression.latency_ratios(functions, tf.constant(x_test[:batch]), repeats) for batch in (1, 1000)}

# %% tags=["nbval-ignore-output"]
print(f"{'':30}{'.keras kB':>10}{'.xz kB':>8}   {'accuracy: mean, range':26}{'time, batch 1':>14}{'1000':>7}")
for name, size in sizes.items():
    values, times = np.array(reached[name]), (ratios[batch][name] for batch in (1, 1000))
    measured = f"{values.mean():.4f}  {values.min():.4f} - {values.max():.4f}"
    print(f"{name:30}{size['keras'] / 1000:10.0f}{size['xz'] / 1000:8.0f}   {measured:26}" + "".join(f"{t:10.2f}" for t in times))
name = "pruned 90 %, sparse product"
print(f"{name:30}{'':47}" + "".join(f"{ratios[batch][name]:10.2f}" for batch in (1, 1000)))
size_bands = {"pruned_90": ((0.152, 0.164), (0.154, 0.166)), "int8": ((0.265, 0.276), (0.252, 0.264)), "int4": ((0.141, 0.152), (0.136, 0.147)), "pruned_90_int8": ((0.044, 0.055), (0.043, 0.055)), "small": ((0.097, 0.108), (0.097, 0.108))}  # smoke, laptop
for topic, name in (("pruned_90", "pruned 90 %, gradually"), ("int8", "int8"), ("int4", "int4"),
                    ("pruned_90_int8", "pruned 90 % + int8"), ("small", "small, distilled")):
    band = choose(smoke=size_bands[topic][0], laptop=size_bands[topic][1], full=None)
    results.record(f"{topic}.compressed_size", sizes[name]["xz"] / sizes["original"]["xz"], band=band, unit="of the original's", digits=3)
    results.record(f"{topic}.time_ratio", ratios[1000][name], unit="of the original's, batch 1000", digits=2)
rounded_bands = {"int8": ((0.84, 0.869), (0.941, 0.956)), "int4": ((0.845, 0.869), (0.941, 0.956)), "pruned 90 % + int8": ((0.345, 1), (0.924, 0.941))}
for topic in ("int8", "int4", "pruned 90 % + int8"):
    values = choose(smoke=rounded_bands[topic][0], laptop=rounded_bands[topic][1], full=(0.9, 1))
    results.record(f"{topic.replace(' %', '').replace(' + ', '_').replace(' ', '_')}.test_accuracy", np.mean(reached[topic]), band=values)

# %% tags=["hero", "plot", "nbval-ignore-output"]
figure, axis = plt.subplots(figsize=(7.5, 4))
for name, color, marker in zip(sizes, plots.COLORS, plots.MARKERS, strict=False):
    values = np.array(reached[name])
    if values.mean() > 0.8:  # the one that was cut and left alone lies far below
        middle, size = values.mean(), sizes[name]["xz"] / 1000
        spread = [[middle - values.min()], [values.max() - middle]]
        axis.errorbar(size, middle, yerr=spread, fmt=marker, color=color, markersize=8, capsize=4, label=name)
axis.set(xscale="log", xlabel="compressed file (kB)", ylabel="test accuracy", title="Accuracy against bytes: mean and range of the seeds")
axis.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure,
    alt="Test accuracy against the size of the compressed file: int8 and int4 lie as high as the original, further left; the gradually "
    "pruned networks are lower, smallest together with int8; the two small networks are lowest.",
    alt_zh="测试准确率随压缩后文件大小的变化：int8 和 int4 与原网络一样高，位置更靠左；逐步剪枝的网络稍低，与 int8 合用时最小；两个小网络最低。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The file is as large as before, and only the small network is faster. Read the table by columns.
#
# - **Bytes.** Zeros are numbers like any others: four bytes each. The pruned file shrinks only
#   when something *looks* for the zeros. Whole numbers of 8 or 4 bits are small at once. Both together are smaller than each: {{pruned_90_int8.compressed_size:.1%}} of
#   the original (the recipe of [Han, Mao and Dally 2015](https://arxiv.org/abs/1510.00149)).
# - **Accuracy.** Rounding to 8 or to 4 bits costs nothing that can be seen ({{int8.test_accuracy:.1%}} and {{int4.test_accuracy:.1%}}; original {{original.test_accuracy:.1%}}).
#   *So int4 alone beats pruning alone in both columns*: fewer bytes than the pruned file, and more accuracy.
# - **Is the small network beaten?** With equally many *parameters*, yes. With equally many *bytes* we cannot say: the pruned file
#   ({{pruned_90.compressed_size:.1%}}) is larger than the small network's ({{small.compressed_size:.1%}}), because positions cost bytes, and for those bytes one could have a
#   small network with half as many units again. That rival was not trained. Pruned *and* in int8 the large one does win: fewer bytes and more accuracy.
# - **Time.** On the CPU that ran the stored outputs, only the small network is clearly faster, in large batches. A dense product multiplies
#   zeros like any others. (So the pruned network's ratio should be 1, and what it differs from 1 is timing noise.) The sparse product follows indices through memory: in large
#   batches it is far slower, and for a single image it gains nothing. Whole numbers are slower, too ({{int8.time_ratio:.1f}} times the original's time), since TensorFlow
#   has no fast product of 8-bit matrices here. *Smaller is not faster; measure.*
#
# Why, then, does everybody run language models with 4-bit weights? Because their bottleneck is a different one. To write one token, a model of seven billion
# weights must *read all of them* from memory. At 16 bits that is $7\cdot10^9 \cdot 2 = 14\cdot10^9$ bytes; a memory that delivers $10^{11}$ bytes per second allows seven tokens per second. At 4
# bits it is a quarter of the bytes, and 28 tokens, even if every weight is turned back into a float before it is multiplied.
#
# ## Formula clinic: clipping is not pruning
#
# Texts that list ways of compressing sometimes write *weight clipping* where *pruning* is meant. The operations are opposites: pruning removes the **smallest**
# weights; clipping cuts the **largest** down to a limit $c$, $w \leftarrow \max(-c, \min(c, w))$, and removes nothing. (It has its uses, such as limiting the
# range before quantisation.) We touch the same share of weights by each. Which one hurts more, and how many zeros does each make?
#
# ### Two more claims
#
# *"Nine tenths of the weights are zero, so the network is ten times smaller and ten times faster."* The table has the numbers;
# the second cell adds what a format for sparse matrices would need: for every survivor its value (4 bytes) and its column (2 bytes),
# for every row a counter (4 bytes).
#
# *"Pruning and distillation make a model interpretable."* Fewer numbers are not an explanation. Count how many you would have
# to follow to work through the pruned network by hand. The student, too, is a network of the same kind. What explanations
# need, and how they are checked, is chapter 8c.

# %% [markdown] lang="zh" of="defc4e35" tags=["answer"]
# **答案。** 文件和原来一样大；变快的只有小网络。竖着读这张表。
#
# - **字节。** 零也是数，同样占四个字节。剪枝后的文件，只有用某种办法专门**去找**零，才会变小。8 位、4 位的整数则立刻就小。
#   两者合用，比任何一个单用都小，只有原来的 {{pruned_90_int8.compressed_size:.1%}}（[Han、Mao 与 Dally，2015](https://arxiv.org/abs/1510.00149) 的做法）。
# - **准确率。** 舍入到 8 位、4 位，看不出损失（{{int8.test_accuracy:.1%}} 和 {{int4.test_accuracy:.1%}}，原网络 {{original.test_accuracy:.1%}}）。
#   **所以单用 int4，两栏都胜过单用剪枝**：字节更少，准确率更高。
# - **小网络输了吗？** 参数一样多时，是的。字节一样多时就不好说：剪枝后的文件（{{pruned_90.compressed_size:.1%}}）比小网络的（{{small.compressed_size:.1%}}）大，
#   因为位置也要占字节；用这么多字节，小网络的单元还可以再多一半，而这个对手我们没有训练过。剪枝再加 int8，大网络才是真的赢：字节更少，准确率更高。
# - **时间。** 在跑出这些输出的 CPU 上，明显变快的只有小网络，而且是在大批量时。稠密乘法对零一视同仁，照乘不误
#   （所以剪枝网络的比值本应是 1，它与 1 的差就是计时的误差）。稀疏乘法要跟着下标在内存里跳来跳去：大批量时慢得多，单张图时也没有变快。
#   整数也更慢（用时是原来的 {{int8.time_ratio:.1f}} 倍），因为 TensorFlow 在这里没有快速的 8 位矩阵乘法。**变小不等于变快，要测。**
#
# 那么，为什么人人都用 4 位权重来跑语言模型？因为它的瓶颈不在这里。每写一个词元，七十亿权重的模型都要把全部权重从内存里读一遍：
# 16 位时是 $7\cdot10^9 \cdot 2 = 14\cdot10^9$ 字节，内存每秒供得上 $10^{11}$ 字节的话，一秒最多写七个词元；4 位时字节数只有四分之一，一秒就能写 28 个，
# 哪怕每个权重都要先变回浮点数再去乘。
#
# ## 公式门诊：裁剪不是剪枝
#
# 列举压缩方法的中文资料里，有时把“剪枝”写成“权重裁剪”（weight clipping）。两个词很像，做的事却正相反：
# 剪枝去掉**最小**的权重；裁剪是把**最大**的权重压到上限 $c$，即 $w \leftarrow \max(-c, \min(c, w))$，一个也不去掉。
# （裁剪自有用处，比如在量化之前缩小取值范围。）让两者碰到同样比例的权重：哪一个更伤准确率？各产生多少个零？
#
# ### 再看两个说法
#
# “九成权重为零，所以网络的大小和用时都只剩十分之一。”数据都在上面的表里；第二格再算一算稀疏格式要多少字节：
# 每个留下的权重要存它的值（4 字节）和列号（2 字节），每行还要一个计数（4 字节）。
#
# “剪枝和蒸馏能让模型变得可解释。”参数少了，不等于有了解释。想靠手工弄懂剪枝后的网络，要跟踪多少个数？算算看。
# 至于学生，它仍是同一类网络。解释需要什么、又怎样检验，见第 8c 章。

# %% tags=["nbval-ignore-output"]
touched = [0.1, 0.3, 0.5, 0.7, 0.9]
half_bands = choose(smoke={"prune": (0.834, 0.862), "clip": (0.771, 0.912)}, laptop={"prune": (0.913, 0.97), "clip": (0.925, 0.938)},
                    full={"prune": None, "clip": None})
operations = {
    "prune the smallest": lambda w, share: np.where(np.abs(w) <= np.quantile(np.abs(w), share), 0, w),
    "clip the largest": lambda w, share: np.clip(w, *(np.quantile(np.abs(w), 1 - share) * np.array([-1, 1]))),
}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
for (name, operation), color, marker, line in zip(operations.items(), plots.COLORS, plots.MARKERS, plots.LINES, strict=False):
    curve = [np.mean([accuracy(large, [operation(w, share) if w.ndim == 2 else w for w in weights]) for weights in original])
             for share in touched]
    changed = operation(kernel, 0.5)
    axes[0].hist(changed[changed != 0], bins=np.linspace(-0.2, 0.2, 81), histtype="step", color=color, linestyle=line, label=name)
    axes[1].plot(touched, curve, color=color, marker=marker, linestyle=line, label=name)
    results.record(f"half_touched.{name.split()[0]}_accuracy", curve[2], band=half_bands[name.split()[0]])
    print(f"    zeros · 零: {np.mean(changed == 0):.2f}, largest weight · 最大权重: {np.abs(changed).max():.2f} of · 于 {np.abs(kernel).max():.2f}")
axes[0].set(xlabel="weight (those that are not zero)", ylabel="number", yscale="log", title="Half of the weights touched")
axes[1].set(xlabel="share of the weights touched", ylabel="test accuracy", ylim=(0, 1.05), title="No training afterwards")
axes[1].legend(loc="lower left")
plots.show(
    figure,
    alt="Left: pruned weights have a gap around zero and long tails; clipped weights fill the middle and stand in two towers at the "
    "limits. Right: accuracy against the share touched, one curve for each operation.",
    alt_zh="左图：剪枝后的权重在零附近留出空隙，两边尾巴很长；裁剪后的权重填满中间，在两个上限处各立起一座塔。右图：两种操作下准确率随所碰权重比例的变化。",
)

# %%
masks = [compression.magnitude_mask(w, 0.9) for w in original[0][::2]]
dense_bytes = sum(4 * mask.size for mask in masks)
sparse_bytes = sum(6 * mask.sum() + 4 * len(mask) for mask in masks)
print(f"dense · 稠密 {dense_bytes:,} bytes, sparse · 稀疏 {sparse_bytes:,}: {dense_bytes / sparse_bytes:.1f} times smaller, not 10 · 倍，不是 10 倍")
followed = masks[0].sum(axis=0).mean() * 300 + masks[1].sum()
print(f"weights to follow for one digit · 解释一个数字要跟踪的权重: {followed:,.0f}")

# %% [markdown] lang="en"
# **Diagnosis.** With half of the weights touched neither hurts much ({{half_touched.prune_accuracy:.1%}} pruned, {{half_touched.clip_accuracy:.1%}} clipped); at nine tenths pruning
# hurts more, since clipping leaves every weight its sign. But clipping made not one zero, so there is nothing to leave out: it is no compression. And no sparse format makes nine
# tenths of zeros ten times smaller, because a position costs bytes, too. Nor does anybody work through tens of thousands of weights by hand.
#
# ### Exercise 1 · easy — bytes of a sparse matrix
#
# Write `sparse_bytes(kernel, value_bytes, index_bytes)`: for a matrix with zeros in it, the bytes of the survivors' values, of their
# column numbers, and of one 4-byte counter per row. Then find out: from which sparsity on does the format pay, with 4 and 2
# bytes? And for 8-bit values?

# %% [markdown] lang="zh" of="9effc6bd"
# **诊断。** 碰到一半时，两者都不太伤（剪枝 {{half_touched.prune_accuracy:.1%}}，裁剪 {{half_touched.clip_accuracy:.1%}}）；到九成时，剪枝更伤，
# 因为裁剪还给每个权重留着正负号。可是裁剪一个零也没有产生，没有什么可以不存，所以它根本不是压缩。
# 九成的零，也没有哪种稀疏格式能压到十分之一，因为位置也要占字节。至于几万个权重，没有人能靠手工弄懂。
#
# ### 练习 1 · 易 —— 稀疏矩阵占多少字节
#
# 写出 `sparse_bytes(kernel, value_bytes, index_bytes)`：对一个含零的矩阵，算出非零值、它们的列号，以及每行一个 4 字节计数，一共多少字节。
# 然后想一想：值占 4 字节、列号占 2 字节时，稀疏度达到多少这种格式才划算？如果值只占 1 字节呢？

# %% tags=["exercise"]
def sparse_bytes(kernel, value_bytes=4, index_bytes=2):
    """Bytes of a matrix (rows, columns) that stores what is not zero."""
    ### BEGIN SOLUTION
    survivors = np.count_nonzero(kernel)
    return survivors * (value_bytes + index_bytes) + 4 * len(kernel)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08a.sparse_bytes", sparse_bytes)

# %% [markdown] lang="en" tags=["hint"]
# `np.count_nonzero` counts the survivors. Each brings two things along: its value and its position in the row. The counters are there
# even for an empty row. When does it pay? Divide the bytes by those of the dense matrix, and look where the ratio passes 1.

# %% [markdown] lang="zh" of="7b2c0154" tags=["hint"]
# `np.count_nonzero` 可以数出留下的个数。每一个都带着两样东西：值，和它在行里的位置。哪怕一行是空的，也要有计数。
# 什么时候划算？除以稠密矩阵的字节数，看比值在哪里越过 1。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — rounding per channel
#
# Write `quantize_columns(kernel, bits)`: return the whole numbers (int8, same shape) and the steps (one for each column),
# symmetric around zero. It is the first step of most quantisation libraries, and there are at least four ways to get it wrong.

# %% [markdown] lang="zh" of="b929597c"
# ### 练习 2 · 中 —— 逐通道舍入
#
# 写出 `quantize_columns(kernel, bits)`：返回整数（int8，形状不变）和步长（每列一个），关于零对称。量化库都从这里开始，而出错的方式至少有四种。

# %% tags=["exercise"]
def quantize_columns(kernel, bits):
    """Return (integers (in, out) int8, steps (out,))."""
    ### BEGIN SOLUTION
    steps = np.abs(kernel).max(axis=0) / (2 ** (bits - 1) - 1)
    return np.round(kernel / steps).astype(np.int8), steps
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08a.quantize_columns", quantize_columns)

# %% [markdown] lang="en" tags=["hint"]
# A column is what feeds one output: take the largest magnitude over axis 0. One bit is the sign, so 8 bits reach 127. `astype` cuts digits off; round first.

# %% [markdown] lang="zh" of="022abc02" tags=["hint"]
# 一列对应一个输出：沿 axis 0 取最大绝对值。有一位用作符号，所以 8 位最大到 127。`astype` 只会砍掉小数，要先舍入。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — the gradient of both losses
#
# Write `student_gradient(student_scores, teacher_scores, labels, T, alpha)`, the gradient of
# $\alpha L_{\text{labels}} + (1-\alpha)\, T^2\, \overline{\mathrm{KL}}$ for the student's scores, means over the examples. You may
# call `activations.softmax`.

# %% [markdown] lang="zh" of="78074d78"
# ### 练习 3 · 难 —— 两种损失合在一起的梯度
#
# 写出 `student_gradient(student_scores, teacher_scores, labels, T, alpha)`，即 $\alpha L_{\text{标签}} + (1-\alpha)\, T^2\, \overline{\mathrm{KL}}$
# 对学生分数的梯度，两项都对样本取平均。可以调用 `activations.softmax`。

# %% tags=["exercise"]
def student_gradient(student_scores, teacher_scores, labels, T, alpha):
    """Scores (examples, classes), labels (examples,) integers; returns (examples, classes)."""
    ### BEGIN SOLUTION
    truth = np.eye(student_scores.shape[1])[labels]  # (examples, classes)
    hard = activations.softmax(student_scores) - truth
    soft = T * (activations.softmax(student_scores / T) - activations.softmax(teacher_scores / T))
    return (alpha * hard + (1 - alpha) * soft) / len(labels)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08a.student_gradient", student_gradient)

# %% [markdown] lang="en" tags=["hint"]
# Each part is "prediction minus truth". The labels are learned at temperature 1. In the soft part, $T^2$ in front meets $1/T$ from inside.

# %% [markdown] lang="zh" of="d71e6dc2" tags=["hint"]
# 两部分都是“预测减去真相”。标签那一项的温度是 1。软目标那一项，外面的 $T^2$ 碰上里面的 $1/T$。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("08a")

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - Nine tenths of the weights removed, then trained on: {{pruned_90.at_once.test_accuracy:.1%}}; chosen at random: {{pruned_90.at_random.test_accuracy:.1%}}; a small network with as many parameters: {{small_alone.test_accuracy:.1%}}.
# - Rounded to 4 bits: {{int4.test_accuracy:.1%}} with {{int4.compressed_size:.1%}} of the compressed bytes, as good as the original ({{original.test_accuracy:.1%}}).
# - Pruned and in int8: {{pruned_90_int8.compressed_size:.1%}} of the bytes, {{pruned_90_int8.test_accuracy:.1%}}.
# - Distilled with all digits {{student.distilled.test_accuracy:.1%}} (alone {{small_alone.test_accuracy:.1%}}), with 300 digits {{student_300_digits.distilled.test_accuracy:.1%}} (alone {{student_300_digits.alone.test_accuracy:.1%}}).
# - In batches of 1,000 the small network takes {{small.time_ratio:.2f}} of the original's time, int8 {{int8.time_ratio:.1f}} times as long, on this CPU.
#
# | | formula card |
# |---|---|
# | mask | $m_i = [\,\lvert w_i \rvert > \theta\,]$, applied after every update |
# | cubic schedule | $s(t) = s_f + (s_i - s_f)\left(1 - \frac{t - t_0}{t_1 - t_0}\right)^3$ |
# | quantise | $\Delta = \max \lvert w \rvert / (2^{b-1}-1)$, $\hat w = \Delta\,\mathrm{round}(w / \Delta)$, error $\Delta / \sqrt{12}$ |
# | distil | gradient $\frac{T}{n}(q - p)$ of $T^2\,\overline{\mathrm{KL}}$ |
# | one token | reads all weights: time at least bytes / memory bandwidth |
#
# ## Where it is used, and what to read
#
# Language models run on your own computer because of 4-bit weights. They are rounded block by block, as here, and better still with calibration data
# ([GPTQ, 2022](https://arxiv.org/abs/2210.17323); Keras has it as `quantize("gptq")`). Fine-tuning on top of 4-bit weights is QLoRA (chapter 8b has LoRA). Distilled students serve where
# the teacher is too slow ([DistilBERT, 2019](https://arxiv.org/abs/1910.01108)). Pruning pays in time where whole
# rows, channels or patterns go that the hardware knows.
#
# | to read | what for |
# |---|---|
# | Han, Pool, Tran and Dally, [*Learning both weights and connections*](https://arxiv.org/abs/1506.02626), 2015 | prune, then train on |
# | Zhu and Gupta, [*To prune, or not to prune*](https://arxiv.org/abs/1710.01878), 2017 | the cubic schedule, and large-sparse against small-dense |
# | Hinton, Vinyals and Dean, [*Distilling the knowledge in a neural network*](https://arxiv.org/abs/1503.02531), 2015 | where distillation comes from |
# | Jacob et al., [*Quantization and training of neural networks for integer-arithmetic-only inference*](https://arxiv.org/abs/1712.05877), 2017 | whole numbers throughout |
# | Frankle and Carbin, [*The lottery ticket hypothesis*](https://arxiv.org/abs/1803.03635), 2018 | do the survivors, put back to their first values, train as well as the large network? You have all the tools to try |
#
# **What the full profile changes.** All 60,000 digits, three times the epochs, two more sparsities. It was run once; the numbers are in
# `notebooks/results/full-08a.json`. The small network comes nearer ({{full:small_alone.test_accuracy:.1%}} against {{full:original.test_accuracy:.1%}}) and does not catch up.
# Two verdicts change. At nine tenths, *gradually* now beats *at once* ({{full:pruned_90.gradually.test_accuracy:.1%}} against {{full:pruned_90.at_once.test_accuracy:.1%}}): the slow schedule
# needs the time that it is given there. And distillation no longer costs anything with all digits ({{full:student.distilled.test_accuracy:.1%}} against
# {{full:small_alone.test_accuracy:.1%}}, the means of three seeds each), while with 300 digits it gains less than here ({{full:student_300_digits.distilled.test_accuracy:.1%}} against
# {{full:student_300_digits.alone.test_accuracy:.1%}}). The short recipe and Keras' default loss still lose. 4 bits still cost next to nothing, and int8 saves bytes but no time.
#
# Next: chapter 8b keeps a network's size and changes its task.

# %% [markdown] lang="zh" of="b7eb8509" tags=["summary"]
# ## 你测到了什么
#
# - 去掉九成权重再接着训练：{{pruned_90.at_once.test_accuracy:.1%}}；随机去掉：{{pruned_90.at_random.test_accuracy:.1%}}；参数一样多的小网络：{{small_alone.test_accuracy:.1%}}。
# - 舍入到 4 位：{{int4.test_accuracy:.1%}}，压缩后只有原来的 {{int4.compressed_size:.1%}}，与原网络（{{original.test_accuracy:.1%}}）一样好。
# - 剪枝再加 int8：字节只有原来的 {{pruned_90_int8.compressed_size:.1%}}，准确率 {{pruned_90_int8.test_accuracy:.1%}}。
# - 蒸馏：样本齐全时 {{student.distilled.test_accuracy:.1%}}（自学 {{small_alone.test_accuracy:.1%}}），只有 300 个时 {{student_300_digits.distilled.test_accuracy:.1%}}（自学 {{student_300_digits.alone.test_accuracy:.1%}}）。
# - 一批 1,000 张图，在这个 CPU 上，小网络的用时是原网络的 {{small.time_ratio:.2f}}，int8 是 {{int8.time_ratio:.1f}} 倍。
#
# | | 公式卡 |
# |---|---|
# | 掩码 | $m_i = [\,\lvert w_i \rvert > \theta\,]$，每次更新之后都要乘 |
# | 三次曲线 | $s(t) = s_f + (s_i - s_f)\left(1 - \frac{t - t_0}{t_1 - t_0}\right)^3$ |
# | 量化 | $\Delta = \max \lvert w \rvert / (2^{b-1}-1)$，$\hat w = \Delta\,\mathrm{round}(w / \Delta)$，误差 $\Delta / \sqrt{12}$ |
# | 蒸馏 | $T^2\,\overline{\mathrm{KL}}$ 的梯度是 $\frac{T}{n}(q - p)$ |
# | 写一个词元 | 要读全部权重：用时至少是字节数除以内存带宽 |
#
# ## 应用与延伸阅读
#
# 语言模型能在个人电脑上跑起来，靠的就是 4 位权重。它们像这里一样逐块舍入，再借助一点校准数据还会更好
# （[GPTQ，2022](https://arxiv.org/abs/2210.17323)；在 Keras 里是 `quantize("gptq")`）。在 4 位权重之上微调，就是 QLoRA（LoRA 见第 8b 章）。
# 老师太慢的地方，就由蒸馏出的学生上场（[DistilBERT，2019](https://arxiv.org/abs/1910.01108)）。剪枝要想省时间，就得整行、整通道地剪，或者剪成硬件认得的图样。
#
# | 读什么 | 为什么 |
# |---|---|
# | Han、Pool、Tran 与 Dally，[*Learning both weights and connections*](https://arxiv.org/abs/1506.02626)，2015 | 先剪，再接着训练 |
# | Zhu 与 Gupta，[*To prune, or not to prune*](https://arxiv.org/abs/1710.01878)，2017 | 三次曲线的调度，以及大而稀疏对小而稠密 |
# | Hinton、Vinyals 与 Dean，[*Distilling the knowledge in a neural network*](https://arxiv.org/abs/1503.02531)，2015 | 蒸馏的出处 |
# | Jacob 等，[*Quantization and training of neural networks for integer-arithmetic-only inference*](https://arxiv.org/abs/1712.05877)，2017 | 从头到尾都用整数 |
# | Frankle 与 Carbin，[*The lottery ticket hypothesis*](https://arxiv.org/abs/1803.03635)，2018（彩票假说） | 把剪枝后留下的权重恢复成最初的值，单独训练，能不能和大网络一样好？工具你已经齐了，不妨试试 |
#
# **换成 full 配置会怎样。** 用全部 60,000 个样本，轮数是三倍，多两种稀疏度。它跑过一次，结果在 `notebooks/results/full-08a.json` 里。
# 小网络近了一些（{{full:small_alone.test_accuracy:.1%}} 对 {{full:original.test_accuracy:.1%}}），但没有追上。有两个结论变了。
# 剪去九成时，逐步剪现在胜过一次剪完（{{full:pruned_90.gradually.test_accuracy:.1%}} 对 {{full:pruned_90.at_once.test_accuracy:.1%}}）：慢的做法需要时间，
# 那次训练给了它时间。蒸馏在样本齐全时也不再吃亏（{{full:student.distilled.test_accuracy:.1%}} 对 {{full:small_alone.test_accuracy:.1%}}，各是三个种子的平均），
# 只有 300 个样本时，收益却比这里小（{{full:student_300_digits.distilled.test_accuracy:.1%}} 对 {{full:student_300_digits.alone.test_accuracy:.1%}}）。
# 速成的配方和 Keras 的默认损失仍然吃亏；4 位仍然几乎不损失准确率，int8 仍然省字节、不省时间。
#
# 接下来：第 8b 章保持网络的大小不变，换掉它的任务。
