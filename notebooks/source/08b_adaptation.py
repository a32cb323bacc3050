# %% [markdown] lang="en" telling=["from_scratch.new_accuracy_10_labels", "fine_tuning.new_accuracy_10_labels", "lora.new_accuracy_10_labels"]
# # 8b Adaptation: fine-tuning, LoRA, and what is forgotten
#
# A network has learned the digits 0 to 4 from thousands of labels. Now it must learn 5 to 9, and you have ten
# labelled examples of each. What can it take along, what must it learn anew, and what does it lose on the way?
#
# Every large language model that follows instructions was adapted in this way: a body trained on a great deal of
# data, then tuned with little. On digits you can do it in seconds, and check every claim. In the picture, watch the
# left-hand side, where labels are few, and the green line, which is the recipe of most tutorials.

# %% [markdown] lang="zh" of="afffc234"
# # 8b 小数据改造网络：微调、LoRA 与遗忘
#
# 一个网络看过几千个标签，学会了数字 0 到 4。现在要它学 5 到 9，每个数字却只有十个带标签的样本。它能带走什么，
# 必须重学什么，一路上又会丢掉什么？
#
# 会听指令的大语言模型，都是这样改造出来的：主体用海量数据训练，再用很少的数据调整。拿手写数字来做，几秒钟就能做一遍，
# 每个说法都可以核对。看下图时，请留意标签很少的左端，还有那条绿线（features frozen），它正是多数教程教的做法。

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - adapt a trained network in four ways (from scratch, features frozen, fine-tuned, LoRA) and say when each one wins;
# - write LoRA out, $W + \frac{\alpha}{r} A B$, with its gradients, and check that Keras gives the same numbers, for
#   dense layers and convolutions;
# - measure forgetting, verify that a switched-off adapter gives the old network back bit for bit, and soften
#   forgetting in other ways;
# - recognise transfer that harms, and a baseline that was not trained with enough care.
#
# **Before you start:** convolutions (chapter 2), training in Keras; batch normalisation (chapter 2a) helps.

# %% [markdown] lang="zh" of="e9832534"
# **学完这一章，你能够**
#
# - 用四种方式改造训练好的网络（从零训练、冻结特征、微调、LoRA），并说出各自什么时候占优；
# - 把 LoRA 写出来：$W + \frac{\alpha}{r} A B$，连同它的梯度，并核对全连接层和卷积层的结果都与 Keras 一致；
# - 测量遗忘，验证关掉适配器就能逐位找回旧网络，并用别的办法减轻遗忘；
# - 认出帮倒忙的迁移，也认出没有用心训练的基线。
#
# **预备知识：** 卷积（第 2 章），用 Keras 训练；学过批量归一化（第 2a 章）更好。

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
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.topics import adaptation
from course_utils.profiles import choose

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("08b")

# %% [markdown] lang="en"
# ## The idea: which weights may move?
#
# The network consists of the convolutions of the course's fast CNN, a dense layer of 64 **features** (the numbers on
# which the decision is based), and two **heads**: dense layers of five scores each, one for the old digits, one for
# the new. The ways to adapt it differ only in what may move, and from where it starts:
#
# - **from scratch**: everything moves, from random weights. What the old digits taught is thrown away.
# - **features frozen** (feature extraction): only the new head moves.
# - **fine-tuning**: everything moves, from the trained weights.
# - **LoRA**, low-rank adaptation ([Hu et al. 2021](https://arxiv.org/abs/2106.09685)): the weights stay fixed, and
#   thin additions to them move.
#
# Where we start from trained weights, batch normalisation is frozen, too: with 50 images its averages would be noise.

# %% [markdown] lang="zh" of="44de1ef1"
# ## 核心思想：哪些权重可以动？
#
# 网络是这样的：课程里快速 CNN 的卷积部分，接一个全连接层，输出 64 个**特征**（feature，判断所依据的数），
# 再接两个**头**（head），各是一个输出五个分数的全连接层，一个管旧数字，一个管新数字。各种改造方式，区别只在于从哪里出发、哪些权重可以动：
#
# - **从零训练**（from scratch）：从随机权重出发，什么都能动；旧数字教给它的全部丢掉。
# - **冻结特征**（features frozen，也叫 feature extraction）：只有新头能动。
# - **微调**（fine-tuning）：从训练好的权重出发，什么都能动。
# - **LoRA**，低秩适配（low-rank adaptation，[Hu 等，2021](https://arxiv.org/abs/2106.09685)）：原权重不动，
#   动的是加在上面的薄薄一层。
#
# 凡是从训练好的权重出发，批量归一化（batch normalisation）也保持不动：只有 50 张图像时，它统计出的平均值不过是噪声。

# %%
parts = ["conv_1", "conv_2", "conv_3", "features", "new head", "old head"]
moves = {  # 2: moves, 1: has an adapter that moves, 0: stands still
    "from scratch": [2, 2, 2, 2, 2, 0], "features frozen": [0, 0, 0, 0, 2, 0],
    "fine-tuning": [2, 2, 2, 2, 2, 0], "LoRA": [1, 1, 1, 1, 2, 0],
}
starts = {"from scratch": "random"}
figure, axis = plt.subplots(figsize=(8.5, 2.6))
axis.imshow(np.array(list(moves.values())), cmap="Blues", vmax=3, aspect="auto")
for row, states in enumerate(moves.values()):
    for column, state in enumerate(states):
        axis.text(column, row, ["frozen", "adapter", "trained"][state], ha="center", va="center", fontsize=9.5)
axis.set(xticks=range(6), xticklabels=parts, yticks=range(4), title="What moves (dark), by method")
axis.set_yticklabels([f"{name}, starts {starts.get(name, 'trained')}" for name in moves])
axis.grid(visible=False)
plots.show(
    figure,
    alt="A table of four methods by six parts of the network; from scratch and fine-tuning train all but the old head, frozen "
    "features train the new head only, LoRA trains adapters and the new head.",
    alt_zh="四种方法乘六个部分的表格：从零训练和微调动除旧头以外的一切，冻结特征只动新头，LoRA 动适配器和新头。",
)

# %% [markdown] lang="en"
# The old head is frozen in all four. So an old digit can be lost only because the features below the head change.
#
# ## Two tasks from one set of digits
#
# **Old task**: digits 0 to 4, with all their labels. **New task**: digits 5 to 9, with 10, 50 or 500 labels of each,
# drawn anew for every seed. The number of training steps is the same for every number of labels. Accuracy is measured
# on the test digits of each half.
#
# One loss serves both tasks: an example sees only the head that its label belongs to. Minus a billion is added to the
# scores of the other head, so their probabilities and gradients are *exactly* zero, and the old head keeps its
# weights while the new digits are learned. The cell checks it.

# %% [markdown] lang="zh" of="0f8f8512"
# 四种方式里，旧头都是冻住的。所以旧数字要是认不出来了，只能是因为旧头下面的特征变了。
#
# ## 一套手写数字，两个任务
#
# **旧任务**：数字 0 到 4，标签全部可用。**新任务**：数字 5 到 9，每个数字有 10、50 或 500 个标签，每个种子重新抽取；
# 不管标签多少，训练步数都一样。准确率分别在测试集的两半上测量。
#
# 一个损失兼管两边：每个样本只看自己标签所属的那个头。另一个头的分数都减去十亿，于是它们的概率和梯度恰好为零；
# 学新数字的时候，旧头的权重纹丝不动。下面的单元来核对。

# %%
digits = datasets.mnist()
pool = choose(smoke=4_000, laptop=20_000, full=60_000)
x_train, y_train = datasets.as_images(digits.x_train[:pool]), digits.y_train[:pool].astype(int)
every = choose(smoke=10, laptop=2, full=1)
x_test, y_test = datasets.as_images(digits.x_test[::every]), digits.y_test[::every].astype(int)
old_rows = np.flatnonzero(y_train < 5)[: choose(smoke=2_000, laptop=10_000, full=30_000)]
del digits  # the chapter must fit into a small machine's memory

example = np.random.default_rng(0).normal(size=(4, 10)).astype("float32")
with tf.GradientTape() as tape:
    watched = tf.Variable(example)
    loss = tf.reduce_sum(adaptation.own_head_loss(np.array([5, 9, 7, 6]), watched))
gradient = tape.gradient(loss, watched).numpy()  # (4, 10)
shares = keras.ops.softmax(example[:, 5:])
proofs.equal({"∂L/∂ new scores": gradient[:, 5:], "softmax of five − truth": shares - np.eye(5)[[0, 4, 2, 1]]})
print("old head's gradient exactly zero · 旧头的梯度恰为零:", not gradient[:, :5].any())

# %% [markdown] lang="en"
# Every kind of network is compiled once and gets new weights for each run. Note how few numbers LoRA and the frozen
# features train.

# %% [markdown] lang="zh" of="56de6ffa"
# 每种网络只编译一次，每次训练换上新的权重。请留意，LoRA 和冻结特征要训练的数少得多。

# %%
seeds = [SEED + 100 * number for number in range(choose(smoke=1, laptop=3, full=3))]
adapted_parts = ["conv_1", "conv_2", "conv_3", "features"]


def network(kind):
    """A compiled network: "all" moves, "tuned" without normalisation, "frozen" but the new head, or "lora"."""
    with strategy.scope():
        model = adaptation.two_heads()
        if kind == "tuned":
            adaptation.freeze_normalisation(model)
        elif kind == "lora":
            adaptation.add_lora(model, adapted_parts, rank=4)
        elif kind != "all":
            adaptation.train_only(model, kind)
        model.compile(keras.optimizers.Adam(), adaptation.own_head_loss, steps_per_execution=choose(smoke=1, laptop=8, full=8))
    return model


networks = {kind: network(kind) for kind in ("all", "tuned", "lora")} | {"frozen": network(["new_head"])}
for kind, model in networks.items():
    print(f"{kind:7} {adaptation.trained_parameters(model):7,} numbers are trained · 个数参与训练")

# %%
few_steps = choose(smoke=40, laptop=240, full=1_000)


def train(model, rows, seed, name, *, steps=few_steps, learning_rate=0.001, batch_size=32):
    """Train from the model's present weights with an optimiser that remembers nothing."""
    keras.utils.set_random_seed(seed)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    model.optimizer.learning_rate = learning_rate
    repeated = np.resize(rows, steps * batch_size)  # few rows come again and again: the same number of steps for all
    for part, some in enumerate(np.split(repeated, range(80 * batch_size, len(repeated), 80 * batch_size))):
        # 80 steps at a time: the images of all steps together would fill the memory of a small machine
        training.fit(model, x_train[some], y_train[some], name=f"{name} {seed} {part}", epochs=1, batch_size=batch_size)


def random_weights(seed):
    """Starting weights of a network that has seen nothing."""
    keras.utils.set_random_seed(seed)
    return adaptation.two_heads().get_weights()


def with_new_head(weights, seed):
    """The same body and old head, a new head without any knowledge."""
    return [*weights[:-2], *random_weights(seed)[-2:]]

# %% tags=["nbval-ignore-output"]
source, before = [], []
old_steps = choose(smoke=40, laptop=240, full=1_500)
for seed in seeds:
    networks["all"].set_weights(random_weights(seed))
    train(networks["all"], np.random.default_rng(seed).permutation(old_rows), seed, "source", steps=old_steps,
          learning_rate=0.003, batch_size=128)
    source.append(networks["all"].get_weights())
    before.append(adaptation.accuracies(adaptation.scores(networks["all"], x_test), y_test)["old"])
results.record("source.old_accuracy", np.mean(before), band=choose(smoke=(0.966, 0.997), laptop=(0.980, 1.000), full=None))

# %% [markdown] lang="en" tags=["predict"]
# The source networks classify {{source.old_accuracy:.1%}} of the old digits correctly.
#
# ## LoRA, written out
#
# The kernel $W$ of a dense layer has as many numbers as inputs times outputs. LoRA freezes it and adds the product of
# two thin matrices:
#
# $$ y = x \Big( W + \frac{\alpha}{r}\, A B \Big), \qquad W: n \times m, \quad A: n \times r, \quad B: r \times m, \qquad
#    r\,(n + m) \text{ numbers instead of } n\,m $$
#
# $r$ is the **rank**. $\alpha$ is a scale: dividing by $r$ keeps the size of the addition similar when you change the
# rank, so that $\alpha$ and the learning rate need not be tuned again. $A$ starts at random and $B$ at zero, so the
# network starts as what it was. (Here examples are rows. In the paper they are columns, and it writes $W + BA$.) For
# a convolution, $A$ is a convolution with $r$ channels and $B$ a 1 × 1 convolution behind it.
#
# With the gradient $g = \partial L / \partial y$, the chain rule gives
#
# $$ \frac{\partial L}{\partial A} = \frac{\alpha}{r}\, x^\top g\, B^\top, \qquad
#    \frac{\partial L}{\partial B} = \frac{\alpha}{r}\, A^\top x^\top g $$
#
# **Predict:** which of the two gradients is zero at the very first step?

# %% [markdown] lang="zh" of="e7ae7a5b" tags=["predict"]
# 源网络在旧数字上的准确率是 {{source.old_accuracy:.1%}}。
#
# ## 把 LoRA 写出来
#
# 全连接层的权重矩阵 $W$，个数是输入数乘输出数。LoRA 把它冻住，另加两个瘦长矩阵的乘积：
#
# $$ y = x \Big( W + \frac{\alpha}{r}\, A B \Big), \qquad W: n \times m, \quad A: n \times r, \quad B: r \times m, \qquad
#    \text{要训练的数由 } n\,m \text{ 个变为 } r\,(n + m) \text{ 个} $$
#
# $r$ 叫**秩**（rank）。$\alpha$ 是缩放系数：除以 $r$，是为了换一个秩的时候，加上去的那一项大小相近，$\alpha$ 和学习率就不必重新调。
# $A$ 随机初始化，$B$ 从零开始，所以一开始网络还是原来的样子。（这里一个样本占一行；论文里一个样本占一列，
# 所以写作 $W + BA$。）对卷积层来说，$A$ 是一个 $r$ 通道的卷积，$B$ 是接在后面的 1 × 1 卷积。
#
# 设 $g = \partial L / \partial y$，由链式法则：
#
# $$ \frac{\partial L}{\partial A} = \frac{\alpha}{r}\, x^\top g\, B^\top, \qquad
#    \frac{\partial L}{\partial B} = \frac{\alpha}{r}\, A^\top x^\top g $$
#
# **先猜：** 第一步时，两个梯度里哪一个为零？

# %%
random = np.random.default_rng(0)
x, g = random.normal(size=(2, 6, 5))  # a batch of 6 with 5 inputs; and for 5 outputs the gradient from above
W, A, B, alpha, rank = random.normal(size=(5, 5)), random.normal(size=(5, 2)), random.normal(size=(2, 5)), 8.0, 2
layer = keras.layers.Dense(5, use_bias=False, dtype="float64")
layer.build((None, 5))
layer.enable_lora(rank, lora_alpha=alpha)
for variable, array in ((layer._kernel, W), (layer.lora_kernel_a, A), (layer.lora_kernel_b, B)):
    variable.assign(array)
with tf.GradientTape() as tape:
    y = layer(x)
    loss = tf.reduce_sum(g * y)
taped = tape.gradient(loss, layer.trainable_variables)  # of A and of B
proofs.equal({
    "x (W + α/r A B)": x @ (W + alpha / rank * A @ B),
    "reference": x @ adaptation.low_rank_kernel(W, A, B, alpha),
    "Keras": y,
})
proofs.equal({
    "∂L/∂A by hand": alpha / rank * x.T @ g @ B.T,
    "reference": adaptation.low_rank_backward(g, x, A, B, alpha)[0],
    "GradientTape": taped[0],
    "finite differences": proofs.finite_differences(lambda A: np.sum(g * (x @ (W + alpha / rank * A @ B))), A),
})

# %%
proofs.equal({
    "∂L/∂B by hand": alpha / rank * A.T @ x.T @ g,
    "GradientTape": taped[1],
    "finite differences": proofs.finite_differences(lambda B: np.sum(g * (x @ (W + alpha / rank * A @ B))), B),
})
print("at B = 0 · B = 0 时: ∂L/∂A = 0", not (alpha / rank * x.T @ g @ (0 * B).T).any())

convolution = keras.layers.Conv2D(8, 3, use_bias=False)
convolution.build((None, 9, 9, 4))
convolution.enable_lora(2, lora_alpha=alpha)
convolution.lora_kernel_b.assign(random.normal(size=(2, 8)))
pictures = random.normal(size=(3, 9, 9, 4)).astype("float32")
thin = keras.ops.conv(pictures, convolution.lora_kernel_a)  # (3, 7, 7, 2): A, two channels
proofs.equal({
    "W, and A then B": keras.ops.conv(pictures, convolution._kernel) + alpha / 2 * thin @ convolution.lora_kernel_b,
    "Keras": convolution(pictures),
}, tolerance=1e-4)
print("layer     full kernel · 全部    rank 1    rank 4   r(n + m)")
for layer in adaptation.adapted_layers(networks["lora"]):
    *window, outputs = layer._kernel.shape
    inputs = int(np.prod(window))
    print(f"{layer.name:9} {inputs * outputs:12,} {inputs + outputs:16,} {4 * (inputs + outputs):9,}")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** That of $A$: it contains $B$, and $B$ is zero. In the first step only $B$ moves; from the second step
# on, both do. (If both started at zero, neither would ever move.)
#
# Our formulas, Keras and finite differences agree. The last table shows what LoRA saves: at rank 4, most where the
# kernel is largest.

# %% [markdown] lang="zh" of="005d58f3" tags=["answer"]
# **答案。** $A$ 的梯度为零，因为里面有 $B$，而 $B$ 是零。第一步只有 $B$ 动，从第二步起两个都动。（如果两个都从零开始，
# 就永远动不了。）
#
# 我们的公式、Keras 和有限差分三者一致。最后的表是 LoRA 省下了多少：秩为 4 时，权重矩阵越大，省得越多。

# %% [markdown] lang="en" tags=["predict"]
# ## Experiment: ten, fifty, five hundred labels
#
# We add a **baseline** without any training: the nearest neighbour, on pixels. And *from scratch* gets a fair chance:
# batch normalisation can hurt when there are only 50 images, so it runs twice, the second time with normalisation
# frozen (`norm. fixed`).
#
# All methods take 240 steps with Adam at a rate of 0.001, LoRA at 0.003. It needs a higher rate, since $B$ starts at
# zero and the first steps are slow. (Three times is modest: [Schulman et al.
# 2025](https://thinkingmachines.ai/blog/lora/) find about ten times best for language models.)
#
# **Predict:** with ten labels of each new digit, which order do you expect? And with five hundred?

# %% [markdown] lang="zh" of="96f4f75e" tags=["predict"]
# ## 实验：十个、五十个、五百个标签
#
# **基线**不做任何训练：在像素上找最近邻（nearest neighbour）。从零训练也要公平：只有 50 张图像时，批量归一化可能帮倒忙，
# 所以从零训练跑两遍，第二遍让归一化保持不动（norm. fixed）。
#
# 所有方法都用 Adam 走 240 步，学习率 0.001，只有 LoRA 用 0.003。它需要大一些的学习率，因为 $B$ 从零开始，
# 头几步走得慢。（三倍还算保守：[Schulman 等，2025](https://thinkingmachines.ai/blog/lora/) 发现，对语言模型，
# 十倍左右最好。）
#
# **先猜：** 每个新数字只有十个标签时，名次如何？五百个呢？

# %%
def adapt(method, rows, row, learning_rate=0.001):
    """Adapt the source of one seed to the new digits; returns what `accuracies` finds and the adapted model."""
    seed = seeds[row]
    if method == "nearest neighbour":
        flat, unknown = x_train[rows].reshape(len(rows), -1), x_test[y_test >= 5].reshape(-1, 784)
        return {"new": np.mean(adaptation.nearest_neighbour(flat, y_train[rows], unknown) == y_test[y_test >= 5])}, None
    kind = {"from scratch": "all", "features frozen": "frozen", "LoRA": "lora"}.get(method, "tuned")
    start = random_weights(seed + 1) if method.startswith("from scratch") else with_new_head(source[row], seed)
    if kind == "lora":
        adaptation.load_weights(networks[kind], start, seed)
    else:
        networks[kind].set_weights(start)
    train(networks[kind], rows, seed, f"{method} {len(rows)}", learning_rate=0.003 if kind == "lora" else learning_rate)
    return adaptation.accuracies(adaptation.scores(networks[kind], x_test), y_test), networks[kind]

# %%
# Bands here and below: three seeds; at least 0.01 wide on each side.
laptop_bands = {
    10: {"fine-tuning": (0.875, 0.899), "LoRA": (0.845, 0.903), "features frozen": (0.571, 0.849),
         "from scratch": (0.770, 0.839), "from scratch, norm. fixed": (0.755, 0.924), "nearest neighbour": (0.678, 0.897)},
    500: {"fine-tuning": (0.952, 0.997), "LoRA": (0.944, 0.982), "features frozen": (0.626, 0.876),
          "from scratch": (0.951, 0.980), "from scratch, norm. fixed": (0.940, 0.979), "nearest neighbour": (0.948, 0.970)},
}
smoke_bands = {
    10: {"fine-tuning": (0.695, 0.982), "LoRA": (0.671, 0.917), "features frozen": (0.289, 0.433),
         "from scratch": (0.526, 0.945), "from scratch, norm. fixed": (0.626, 0.954), "nearest neighbour": (0.540, 0.990)},
    50: {"fine-tuning": (0.863, 0.935), "LoRA": (0.802, 0.874), "features frozen": (0.228, 0.545),
         "from scratch": (0.769, 0.954), "from scratch, norm. fixed": (0.722, 0.988), "nearest neighbour": (0.802, 0.976)},
}
bands = choose(smoke=smoke_bands, laptop=laptop_bands, full={10: {}, 2_000: {}})

# %% tags=["nbval-ignore-output"]
counts = choose(smoke=[10, 50], laptop=[10, 50, 500], full=[10, 50, 500, 2_000])
methods = ["fine-tuning", "LoRA", "features frozen", "from scratch", "from scratch, norm. fixed", "nearest neighbour"]
found = {}  # (method, labels, row): accuracies
for method in methods:
    for count in counts:
        for row, seed in enumerate(seeds):
            rows = adaptation.few_examples(y_train, range(5, 10), count, seed)
            found[method, count, row], _ = adapt(method, rows, row)


def new_accuracy(method, count):
    """Accuracy on the new digits, one number a seed."""
    return [found[method, count, row]["new"] for row in range(len(seeds))]


for count, band in bands.items():
    for method in methods:
        topic = method.replace(", ", "_").replace(".", "").replace(" ", "_").replace("-", "_").lower()
        results.record(f"{topic}.new_accuracy_{count}_labels", np.mean(new_accuracy(method, count)), band=band.get(method))

# %% tags=["hero"]
figure, axis = plt.subplots(figsize=(8, 4.2))
for method, color, marker, line in zip(methods, plots.COLORS, plots.MARKERS, plots.LINES, strict=False):
    runs = np.array([new_accuracy(method, count) for count in counts])  # (counts, seeds)
    axis.plot(counts, runs.mean(axis=1), color=color, marker=marker, linestyle=line, label=method)
    axis.fill_between(counts, runs.min(axis=1), runs.max(axis=1), color=color, alpha=0.15, linewidth=0)
axis.set(xscale="log", xlabel="labels of each new digit", ylabel="accuracy on new test digits", xticks=counts, xticklabels=counts,
         title="Learning 5 to 9 after 0 to 4: mean and range of the seeds")
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure,
    alt="Accuracy on the new digits against the number of labels: fine-tuning and LoRA lead with few labels, from scratch "
    "nearly catches up with many; frozen features stay behind and end lowest.",
    alt_zh="新数字上的准确率随标签个数的变化：标签少时微调和 LoRA 领先；标签多时从零训练差不多追上来；冻结特征落在后面，最后垫底。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.**
#
# - **Ten labels**: what the old digits taught is worth most. Fine-tuning reaches
#   {{fine_tuning.new_accuracy_10_labels:.1%}}, LoRA {{lora.new_accuracy_10_labels:.1%}} with a fraction of the
#   numbers.
# - **Five hundred labels**: from scratch nearly catches up, {{from_scratch.new_accuracy_500_labels:.1%}} against
#   {{fine_tuning.new_accuracy_500_labels:.1%}}. Transfer is a way to save labels, and the more there are, the less it
#   saves.
# - **Frozen features** end lowest, {{features_frozen.new_accuracy_10_labels:.1%}} and
#   {{features_frozen.new_accuracy_500_labels:.1%}}, below even the nearest neighbour on raw pixels, which learned
#   nothing ({{nearest_neighbour.new_accuracy_10_labels:.1%}} and {{nearest_neighbour.new_accuracy_500_labels:.1%}}).
# - **Mind the baseline**: with ten labels, from scratch rises from {{from_scratch.new_accuracy_10_labels:.1%}} to
#   {{from_scratch_norm_fixed.new_accuracy_10_labels:.1%}} when normalisation is frozen; with five hundred it gains
#   nothing. A weak baseline makes any method look good.
#
# Be careful with the third line. It is tempting to say that the frozen features have dropped what separates 5 to 9,
# because the source knew five digits only. But there is a second explanation: the head has 325 numbers, and 240 steps
# of Adam at 0.001 can move each of them by about a quarter at most. A head that has not arrived looks the same. We
# show no training accuracy and did not train it to convergence, so what was measured is *this head, trained for this
# long*, and no more.

# %% [markdown] lang="zh" of="bc9dc295" tags=["answer"]
# **答案。**
#
# - **十个标签**：旧数字教过的东西最值钱。微调达到 {{fine_tuning.new_accuracy_10_labels:.1%}}；LoRA 只训练一小部分数，
#   也有 {{lora.new_accuracy_10_labels:.1%}}。
# - **五百个标签**：从零训练差不多追了上来，{{from_scratch.new_accuracy_500_labels:.1%}}，微调是 {{fine_tuning.new_accuracy_500_labels:.1%}}。
#   迁移相当于省标签；标签越多，省下的就越少。
# - **冻结特征**垫底，分别是 {{features_frozen.new_accuracy_10_labels:.1%}} 和 {{features_frozen.new_accuracy_500_labels:.1%}}，
#   连在原始像素上找最近邻都不如，而后者什么也没学过（{{nearest_neighbour.new_accuracy_10_labels:.1%}} 和 {{nearest_neighbour.new_accuracy_500_labels:.1%}}）。
# - **留意基线**：只有十个标签时，让归一化保持不动，从零训练就从 {{from_scratch.new_accuracy_10_labels:.1%}} 升到 {{from_scratch_norm_fixed.new_accuracy_10_labels:.1%}}；
#   有五百个时，却没有好处。基线太弱，什么方法都显得好。
#
# 第三条要小心。我们很想说：源网络只认识五个数字，所以冻住的特征已经丢掉了区分 5 到 9 的信息。可是还有另一种解释：
# 头只有 325 个数，Adam 以 0.001 走 240 步，每个数至多移动四分之一左右。头还没有走到位，看上去也是这个样子。
# 我们没有给出训练准确率，也没有把头训练到收敛，所以这里测到的只是“这样一个头，训练这么久”的成绩，再多就不能说了。

# %% [markdown] lang="en" tags=["predict"]
# ## How deep does it fit?
#
# The first layers of a network are general, the last ones belong to their task ([Yosinski et al.
# 2014](https://arxiv.org/abs/1411.1792)). So do not ask "freeze or not", ask **how far**. We freeze the first 0, 1,
# 2, 3 or 4 layers and train the rest, with fifty labels of each new digit.
#
# **Predict:** where does the accuracy begin to fall?

# %% [markdown] lang="zh" of="2864b4f0" tags=["predict"]
# ## 能沿用到多深？
#
# 网络的前几层比较通用，后几层则专属于它的任务（[Yosinski 等，2014](https://arxiv.org/abs/1411.1792)）。
# 所以该问的不是“冻还是不冻”，而是**冻到哪里**。依次冻住前 0、1、2、3、4 层，训练其余各层，每个新数字五十个标签。
#
# **先猜：** 准确率从哪里开始下降？

# %% tags=["nbval-ignore-output"]
middle_count = 50
depths = {0: new_accuracy("fine-tuning", middle_count), 4: new_accuracy("features frozen", middle_count)}
for depth in choose(smoke=[3], laptop=[1, 2, 3], full=[1, 2, 3]):
    partly = network([*adapted_parts[depth:], "new_head"])
    depths[depth] = []
    for row, seed in enumerate(seeds):
        partly.set_weights(with_new_head(source[row], seed))
        train(partly, adaptation.few_examples(y_train, range(5, 10), middle_count, seed), seed, f"depth {depth}")
        depths[depth].append(adaptation.accuracies(adaptation.scores(partly, x_test), y_test)["new"])
places = sorted(depths)
figure, axis = plt.subplots(figsize=(6.5, 3.4))
runs = np.array([depths[depth] for depth in places])
axis.errorbar(places, runs.mean(axis=1), yerr=[runs.mean(axis=1) - runs.min(axis=1), runs.max(axis=1) - runs.mean(axis=1)],
              marker="o", capsize=4)
axis.set(xticks=places, xlabel="layers frozen, from the image on", ylabel="accuracy on new digits", title="Fifty labels of each new digit")
plots.show(
    figure,
    alt="Accuracy against the number of frozen layers: nearly level for the first layers, then a steep fall when the last layer "
    "before the head is frozen.",
    alt_zh="准确率随冻结层数的变化：冻结前几层几乎没有影响，一旦连头前面的最后一层也冻住，就陡然下降。",
)
results.record("three_layers_frozen.new_accuracy_50_labels", np.mean(depths[3]),
               band=choose(smoke=(0.859, 0.911), laptop=(0.916, 0.975), full=None))

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Only at the fourth. With three layers frozen the accuracy is still
# {{three_layers_frozen.new_accuracy_50_labels:.1%}}, about as high as with none. So the convolutions of the old task
# serve the new one. When the dense layer of features is frozen as well, the accuracy drops steeply. (The caution from
# above applies to this last point: it is the head alone, trained for 240 steps.)

# %% [markdown] lang="zh" of="0bb842ef" tags=["answer"]
# **答案。** 到第四层才降。冻住三层，准确率还有 {{three_layers_frozen.new_accuracy_50_labels:.1%}}，与一层不冻差不多，
# 可见旧任务的卷积对新任务也管用。连输出特征的全连接层也冻住，准确率就陡然下降。（上面说的那条小心，对这最后一个点同样适用：
# 它就是单独一个头，训练 240 步。）

# %% [markdown] lang="en" tags=["predict"]
# ## What is forgotten
#
# The old head was never touched. But fine-tuning moved the features that it uses. That a network loses an old task
# while it learns a new one has been known since [McCloskey and Cohen
# 1989](https://doi.org/10.1016/S0079-7421(08)60536-8) as *catastrophic interference*, or catastrophic forgetting. We
# measure it on the old test digits, with the old head, after training on 500 labels of each new digit. Four remedies:
#
# - **a lower rate**: a tenth;
# - **rehearsal**: ten kept examples of each old digit, mixed into the new ones, half of every batch;
# - **LoRA, switched off**: take the adapters away when an old digit comes;
# - **features frozen**: nothing moves, nothing is lost.
#
# The last two promise *exactly* the old network, and the first cell holds them to it, bit for bit. It checks a second
# promise, too: merge the adapters into the kernels, $W + \frac{\alpha}{r} A B$, and a plain network without LoRA
# gives the same outputs.
#
# **Predict:** which of the remedies costs accuracy on the new digits?

# %% [markdown] lang="zh" of="d17c3e01" tags=["predict"]
# ## 忘掉了什么
#
# 旧头从来没有被碰过。可它要用特征，而微调把特征挪动了。网络学新任务时丢掉旧任务，这一现象从 [McCloskey 与 Cohen，1989](https://doi.org/10.1016/S0079-7421(08)60536-8) 起就叫灾难性干扰（catastrophic interference），
# 也叫**灾难性遗忘**。下面用每个新数字 500 个标签训练之后，在旧数字的测试集上、用旧头来测。四种补救：
#
# - **降低学习率**（a tenth of the rate）：十分之一；
# - **复习**（rehearsal）：每个旧数字留十个样本，混进新样本里，每批各占一半；
# - **关掉 LoRA**（LoRA, switched off）：遇到旧数字时，把适配器拿走；
# - **冻结特征**（features frozen）：什么都不动，什么都不丢。
#
# 后两种承诺的是与旧网络完全一样，第一个单元就来逐位核对。还核对另一条承诺：把适配器并进权重，$W + \frac{\alpha}{r} A B$，
# 不带 LoRA 的普通网络会给出同样的输出。
#
# **先猜：** 哪几种补救，要在新数字上付出准确率？

# %%
last = counts[-1]
rows = adaptation.few_examples(y_train, range(5, 10), last, seeds[0])
few_images = x_test[:200]
networks["tuned"].set_weights(source[0])
old_answers = networks["tuned"](few_images)[:, :5].numpy()  # (200, 5), before anything new was learned
adapt("LoRA", rows, 0)
lora = networks["lora"]
with adaptation.without_lora(lora):
    off = lora(few_images)[:, :5].numpy()
adapt("features frozen", rows, 0)
frozen = networks["frozen"](few_images)[:, :5].numpy()
print("bit for bit the old answers · 与旧答案逐位相同:  LoRA off · 关:", np.array_equal(off, old_answers),
      " LoRA on · 开:", np.array_equal(lora(few_images)[:, :5], old_answers), " frozen · 冻结:", np.array_equal(frozen, old_answers))

plain = adaptation.two_heads()
plain.set_weights(adaptation.merged_weights(lora))
proofs.equal({"adapters beside": lora(few_images), "merged": plain(few_images)}, tolerance=1e-4)
print("parameters · 参数: beside · 并列", f"{lora.count_params():,}", " merged · 合并", f"{plain.count_params():,}")

# %% tags=["nbval-ignore-output"]
after = {method: [found[method, last, row] for row in range(len(seeds))] for method in ("fine-tuning", "LoRA", "features frozen")}
after["LoRA, switched off"] = [{**found["LoRA", last, row], "old": before[row]} for row in range(len(seeds))]
after["fine-tuning, a tenth of the rate"], after["fine-tuning with rehearsal"] = [], []
for row, seed in enumerate(seeds):
    rows = adaptation.few_examples(y_train, range(5, 10), last, seed)
    after["fine-tuning, a tenth of the rate"].append(adapt("fine-tuning", rows, row, learning_rate=0.0001)[0])
    kept = np.resize(adaptation.few_examples(y_train, range(5), 10, seed), len(rows))
    mixed = np.stack([rows, kept], axis=1).ravel()  # new, old, new, old, ...
    networks["tuned"].set_weights(with_new_head(source[row], seed))
    train(networks["tuned"], mixed, seed, "rehearsal", batch_size=64)  # 32 new and 32 old ones a step
    after["fine-tuning with rehearsal"].append(adaptation.accuracies(adaptation.scores(networks["tuned"], x_test), y_test))
bands = choose(
    smoke=[(0.131, 1.000), (0.643, 1.000), (0.966, 0.997), (0.966, 0.997), (0.945, 1.000), (0.954, 0.979)],
    laptop=[(0.539, 1.000), (0.667, 1.000), (0.980, 1.000), (0.980, 1.000), (0.731, 1.000), (0.975, 0.996)],
    full=[None] * 6)
for (method, values), band in zip(after.items(), bands, strict=True):
    topic = method.replace(", ", "_").replace(" ", "_").replace("-", "_").lower()
    results.record(f"{topic}.old_accuracy", np.mean([value["old"] for value in values]), band=band)

# %%
figure, axes = plt.subplots(1, 2, figsize=(10.5, 4), sharex=True)
for axis, suffix, title in zip(axes, ("", "_unaided"), ("told which half", "ten digits, not told which half"), strict=True):
    for (method, values), color, marker in zip(after.items(), plots.COLORS, plots.MARKERS, strict=False):
        new, old = (np.array([value[key + suffix] for value in values]) for key in ("new", "old"))
        if method != "LoRA, switched off" or not suffix:
            axis.plot(new, old, marker, color=color, markersize=8, label=method, linestyle="none")
    axis.set(xlabel="accuracy on new digits", ylabel="accuracy on old digits", title=title)
axes[0].axhline(np.mean(before), color="0.5", linewidth=1)
axes[0].legend(fontsize=8.5, loc="lower left")
plots.show(
    figure,
    alt="Accuracy on old digits against accuracy on new ones, one marker a seed. Told the half, rehearsal is high on both; "
    "fine-tuning loses old digits; frozen features and switched-off LoRA stay on the line of the old network. Not told, all are lower.",
    alt_zh="旧数字准确率对新数字准确率，每个种子一个标记。告诉是哪一半时，复习两头都高，微调丢掉一些旧数字，冻结特征和关掉的 LoRA 停在旧网络的线上；不告诉时全都更低。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Frozen features pay most. The lower rate pays, too: it forgets less because it learns less. Rehearsal
# pays nothing that we could see.
#
# - Fine-tuning loses some of the old digits, {{fine_tuning.old_accuracy:.1%}} instead of {{source.old_accuracy:.1%}}.
#   How much differs widely between runs: {{seeds:fine_tuning.old_accuracy:.1%}}.
# - **Fifty kept examples** bring most of it back, to {{fine_tuning_with_rehearsal.old_accuracy:.1%}}. As long as one
#   network must do both, rehearsal is the best value.
# - If you know which half a digit comes from, you can **switch LoRA off**: the old accuracy is exactly the old one,
#   you need no kept examples, and you pay about a point on the new digits.
#
# In the right-hand figure nobody tells the network which half a digit comes from, so all ten scores must compete. Two
# heads that were never compared in training cannot be expected to agree on a scale, and everything gets worse.

# %% [markdown] lang="zh" of="446e7f02" tags=["answer"]
# **答案。** 冻结特征付出得最多。降低学习率也要付出：忘得少，是因为学得也少。复习则看不出有什么代价。
#
# - 微调会丢掉一些旧数字，准确率从 {{source.old_accuracy:.1%}} 降到 {{fine_tuning.old_accuracy:.1%}}。丢多丢少，
#   各次训练相差很大，从 {{seeds:fine_tuning.old_accuracy:.1%}}。
# - **留下五十个样本**来复习，就能挽回大半，回到 {{fine_tuning_with_rehearsal.old_accuracy:.1%}}。如果一个网络要兼顾两头，
#   复习最划算。
# - 如果知道一个数字来自哪一半，可以**关掉 LoRA**：旧数字的准确率与原来完全一样，也不用留样本，代价是新数字上大约低一个百分点。
#
# 右图（not told which half）里，没有人告诉网络数字来自哪一半，十个分数要同场竞争。训练时从未比较过的两个头，
# 不能指望它们的刻度正好一致，结果全都变差了。

# %% [markdown] lang="en" tags=["predict"]
# ## Formula clinic: "fine-tuning always beats training from scratch"
#
# You saw one limit: with many labels the advantage nearly disappears. Here is a second. Take sources that learned
# something else:
#
# - **shuffled pixels**: digits 0 to 4, with the pixels of all images in one and the same random order. A real task,
#   but without strokes.
# - **shuffled labels**: real digits with random labels. There is nothing to learn but noise.
#
# Fine-tune both on the new digits, exactly as before.
#
# **Predict:** as good as from scratch, or worse?

# %% [markdown] lang="zh" of="af00b16c" tags=["predict"]
# ## 公式门诊：“微调总比从零训练好”
#
# 你已经看到它的一处局限：标签多的时候，优势几乎消失。这里是第二处。换成学过别的东西的源网络：
#
# - **打乱像素**（shuffled pixels）：数字 0 到 4，所有图像的像素都按同一个随机次序打乱。任务是真的，只是没有笔画。
# - **打乱标签**（shuffled labels）：数字是真的，标签是随机的。除了噪声，没有什么可学。
#
# 用与前面完全相同的方式，在新数字上微调。
#
# **先猜：** 与从零训练一样好，还是更差？

# %% tags=["nbval-ignore-output"]
pixel_order, dice = np.random.default_rng(0).permutation(784), np.random.default_rng(0).integers(0, 5, len(old_rows))
orders = {"shuffled pixels": pixel_order, "shuffled labels": np.arange(784)}
unrelated = {"shuffled pixels": y_train[old_rows], "shuffled labels": dice}
model = networks["all"]
for name, labels in unrelated.items():
    images = x_train[old_rows].reshape(-1, 784)[:, orders[name]].reshape(-1, 28, 28, 1)
    model.set_weights(random_weights(SEED))
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    model.optimizer.learning_rate = 0.001
    history = training.fit(model, images, labels, name=name, epochs=choose(smoke=2, laptop=4, full=20), batch_size=128)
    unrelated[name] = model.get_weights()
    del images
    features = keras.Model(model.input, model.get_layer("features").output)(x_test[:500])
    print(f"{name}: loss · 损失 {history['loss'][0]:.2f} → {history['loss'][-1]:.2f}, dead features · 失活的特征 "
          f"{np.sum(np.max(features, axis=0) == 0)} of 64")

# %% tags=["nbval-ignore-output"]
bands = choose(
    smoke={"shuffled pixels": (0.755, 0.990), "shuffled labels": (0.832, 0.925)},
    laptop={"shuffled pixels": (0.932, 0.991), "shuffled labels": (0.939, 0.974)},
    full={"shuffled pixels": None, "shuffled labels": None})
harm = {"source: digits 0 to 4": {count: new_accuracy("fine-tuning", count) for count in counts}}
for name, weights in unrelated.items():
    harm[f"source: {name}"] = {count: [] for count in counts}
    for count in counts:
        for seed in seeds:
            networks["tuned"].set_weights(with_new_head(weights, seed))
            train(networks["tuned"], adaptation.few_examples(y_train, range(5, 10), count, seed), seed, f"{name} {count}")
            outputs = adaptation.scores(networks["tuned"], x_test)
            harm[f"source: {name}"][count].append(adaptation.accuracies(outputs, y_test)["new"])
    results.record(f"{name.replace(' ', '_')}.new_accuracy_{last}_labels", np.mean(harm[f"source: {name}"][last]), band=bands[name])
harm["from scratch"] = {count: new_accuracy("from scratch", count) for count in counts}
harm["from scratch, norm. fixed"] = {count: new_accuracy("from scratch, norm. fixed", count) for count in counts}

# %%
figure, axis = plt.subplots(figsize=(8, 3.8))
for number, (name, by_count) in enumerate(harm.items()):
    runs = np.array([by_count[count] for count in counts])
    where = np.arange(len(counts)) + 0.15 * (number - 2)
    spread = [runs.mean(axis=1) - runs.min(axis=1), runs.max(axis=1) - runs.mean(axis=1)]
    axis.bar(where, runs.mean(axis=1), 0.14, color=plots.COLORS[number], label=name, yerr=spread, capsize=2,
             hatch=["", "//", "..", "xx", "--"][number], edgecolor="white")
axis.set(xticks=range(len(counts)), xticklabels=counts, xlabel="labels of each new digit", ylabel="accuracy on new digits",
         ylim=(0, 1), title="Fine-tuning from three sources, and from scratch")
axis.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure,
    alt="Bars of accuracy for each number of labels: the related source leads, most of all with few labels; the two unrelated sources lie near "
    "from scratch, with few labels below the better of its two versions.",
    alt_zh="各种标签数下准确率的柱形图：相关的源领先，标签少时尤其明显；两个不相关的源与从零训练相近，标签少时低于从零训练两种做法中较好的一种。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** With few labels, worse than from scratch at its best; with many, about level
# ({{shuffled_pixels.new_accuracy_500_labels:.1%}} and {{shuffled_labels.new_accuracy_500_labels:.1%}}, from scratch
# {{from_scratch.new_accuracy_500_labels:.1%}}).
#
# **Diagnosis.** Transfer helps as far as the two tasks share what the layers compute. A source without strokes, or
# one trained on random labels, brings nothing. Noise did not ruin the network, though: about half of its features no
# longer respond to anything, and the rest still learn the new digits.
#
# *"Freezing is safer"* is true of the old digits: there it guarantees that nothing changes. On the new digits it did
# worst here, with the caution above. The rule that remains: always train the baseline from scratch, too, and with as
# much care as your own method. Against the careless one, even random labels look harmless.

# %% [markdown] lang="zh" of="8b57aa98" tags=["answer"]
# **答案。** 标签少时，不如从零训练的较好的那种做法；标签多时不相上下（{{shuffled_pixels.new_accuracy_500_labels:.1%}} 和 {{shuffled_labels.new_accuracy_500_labels:.1%}}，
# 从零训练是 {{from_scratch.new_accuracy_500_labels:.1%}}）。
#
# **诊断。** 各层算的东西，两个任务用得上多少，迁移就有多大用处。没有笔画的源、用随机标签练出来的源，什么也带不来。
# 不过噪声并没有毁掉这个网络：它有一半左右的特征已经毫无反应，剩下的照样学得会新数字。
#
# “冻结更保险”这句话，对旧数字是对的：什么都保证不变。在新数字上，它在这里成绩最差（上面那条小心同样适用）。
# 剩下的规矩只有一条：从零训练的基线一定要跑，而且要像对自己的方法一样用心。跟不用心的基线相比，连随机标签都显得无害。

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - Ten labels of each new digit: fine-tuning {{fine_tuning.new_accuracy_10_labels:.1%}}, LoRA
#   {{lora.new_accuracy_10_labels:.1%}}, from scratch {{from_scratch.new_accuracy_10_labels:.1%}}, or
#   {{from_scratch_norm_fixed.new_accuracy_10_labels:.1%}} with care.
# - Five hundred labels: {{fine_tuning.new_accuracy_500_labels:.1%}}, {{lora.new_accuracy_500_labels:.1%}} and
#   {{from_scratch.new_accuracy_500_labels:.1%}}. Transfer saves labels.
# - A head alone on frozen features, 240 steps: {{features_frozen.new_accuracy_500_labels:.1%}}. With three layers
#   frozen and fifty labels: {{three_layers_frozen.new_accuracy_50_labels:.1%}}.
# - Old digits after fine-tuning: {{fine_tuning.old_accuracy:.1%}} of {{source.old_accuracy:.1%}}; with rehearsal
#   {{fine_tuning_with_rehearsal.old_accuracy:.1%}}; with LoRA switched off, bit for bit the old network.
# - Sources that learned something unrelated bring nothing: {{shuffled_pixels.new_accuracy_500_labels:.1%}} and
#   {{shuffled_labels.new_accuracy_500_labels:.1%}} with five hundred labels.
#
# | | formula | Keras |
# |---|---|---|
# | LoRA | $y = x (W + \frac{\alpha}{r} A B)$ | `layer.enable_lora(rank, lora_alpha=…)` |
# | its size | $r\,(n + m)$ instead of $n\,m$ | |
# | its gradients | $\frac{\alpha}{r} x^\top g\, B^\top$ and $\frac{\alpha}{r} A^\top x^\top g$ | |
# | merged | $W \leftarrow W + \frac{\alpha}{r} A B$ | |
# | frozen | no gradient step | `layer.trainable = False` |

# %% [markdown] lang="zh" of="c97c487c" tags=["summary"]
# ## 你测到了什么
#
# - 每个新数字十个标签：微调 {{fine_tuning.new_accuracy_10_labels:.1%}}，LoRA {{lora.new_accuracy_10_labels:.1%}}，
#   从零训练 {{from_scratch.new_accuracy_10_labels:.1%}}，用心做是 {{from_scratch_norm_fixed.new_accuracy_10_labels:.1%}}。
# - 五百个标签：依次是 {{fine_tuning.new_accuracy_500_labels:.1%}}、{{lora.new_accuracy_500_labels:.1%}}、{{from_scratch.new_accuracy_500_labels:.1%}}。
#   迁移省的是标签。
# - 冻结特征、只训练头 240 步：{{features_frozen.new_accuracy_500_labels:.1%}}。冻住三层、五十个标签：{{three_layers_frozen.new_accuracy_50_labels:.1%}}。
# - 微调之后，旧数字的准确率从 {{source.old_accuracy:.1%}} 降到 {{fine_tuning.old_accuracy:.1%}}；加上复习是 {{fine_tuning_with_rehearsal.old_accuracy:.1%}}；
#   关掉 LoRA，与旧网络逐位相同。
# - 学过不相干的东西，什么也带不来：五百个标签时是 {{shuffled_pixels.new_accuracy_500_labels:.1%}} 和 {{shuffled_labels.new_accuracy_500_labels:.1%}}。
#
# | | 公式 | Keras |
# |---|---|---|
# | LoRA | $y = x (W + \frac{\alpha}{r} A B)$ | `layer.enable_lora(rank, lora_alpha=…)` |
# | 要训练的个数 | $r\,(n + m)$，而不是 $n\,m$ | |
# | 梯度 | $\frac{\alpha}{r} x^\top g\, B^\top$ 与 $\frac{\alpha}{r} A^\top x^\top g$ | |
# | 合并 | $W \leftarrow W + \frac{\alpha}{r} A B$ | |
# | 冻结 | 不做梯度更新 | `layer.trainable = False` |

# %% [markdown] lang="en"
# ### Exercise 1 · easy — how many numbers does LoRA train?
#
# Write `lora_parameters(kernel_shape, rank)` for any kernel of Keras: `(in, out)` of a dense layer,
# `(height, width, in, out)` of a convolution. Then think: from which rank on does LoRA train *more* numbers than the
# kernel holds?

# %% [markdown] lang="zh" of="fcf7f569"
# ### 练习 1 · 易 —— LoRA 要训练多少个数？
#
# 对 Keras 的任意权重形状写出 `lora_parameters(kernel_shape, rank)`：全连接层是 `(in, out)`，卷积层是 `(height, width, in, out)`。
# 再想一想：秩大到多少，LoRA 训练的数反而比原来的权重还多？

# %% tags=["exercise"]
def lora_parameters(kernel_shape, rank):
    """Numbers in A and B together."""
    ### BEGIN SOLUTION
    *window, outputs = kernel_shape
    return rank * (int(np.prod(window)) + outputs)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08b.lora_parameters", lora_parameters)

# %% [markdown] lang="en" tags=["hint"]
# B goes from `rank` to the outputs. A takes everything that one output of the kernel looks at: for a convolution, the
# whole window. (The question at the end: $r\,(n + m)$ exceeds $n\,m$ once $r > n\,m / (n + m)$.)

# %% [markdown] lang="zh" of="b1e6f974" tags=["hint"]
# B 从 `rank` 通到输出。A 接住的，是权重的一个输出所看到的全部：对卷积来说就是整个窗口。（最后那个问题：
# $r > n\,m / (n + m)$ 时，$r\,(n + m)$ 就超过 $n\,m$。）

# %% [markdown] lang="en"
# ### Exercise 2 · medium — draw few labels fairly
#
# Write `draw(labels, classes, count, random)`. Return the positions in `labels` of `count` examples of each class,
# without replacement, in mixed order. `random` is a NumPy generator (`random.permutation`, `random.choice`). With ten
# labels, a careless draw ruins an experiment.

# %% [markdown] lang="zh" of="08737483"
# ### 练习 2 · 中 —— 公平地抽取少量标签
#
# 写出 `draw(labels, classes, count, random)`：每个类别抽 `count` 个样本，不放回，次序打乱，返回它们的下标。
# `random` 是 NumPy 的随机数生成器（`random.permutation`、`random.choice`）。只有十个标签时，随手一抽就可能毁掉整个实验。

# %% tags=["exercise"]
def draw(labels, classes, count, random):
    """Places (len(classes) * count,) in labels."""
    ### BEGIN SOLUTION
    places = [random.choice(np.flatnonzero(labels == label), count, replace=False) for label in classes]
    return random.permutation(np.concatenate(places))
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08b.draw", draw)

# %% [markdown] lang="en" tags=["hint"]
# Go class by class: `np.flatnonzero(labels == label)` gives the positions. `random.choice` draws *with* replacement
# unless you tell it otherwise. And at the end the classes still come one after the other.

# %% [markdown] lang="zh" of="b18b4d82" tags=["hint"]
# 一类一类地来：`np.flatnonzero(labels == label)` 给出下标。`random.choice` 默认是放回的，要明确告诉它不放回。
# 最后别忘了，各类还是一类接一类地排着。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — LoRA's backward pass
#
# Write `lora_backward(W, x, g, A, B, alpha)` for $y = x (W + \frac{\alpha}{r} A B)$. Return the gradients of
# $\sum g \odot y$ for $A$, for $B$, **and for** $x$; the layer below needs the last one.

# %% [markdown] lang="zh" of="935bc797"
# ### 练习 3 · 难 —— LoRA 的反向传播
#
# 对 $y = x (W + \frac{\alpha}{r} A B)$ 写出 `lora_backward(W, x, g, A, B, alpha)`：$\sum g \odot y$ 对 $A$、对 $B$、**以及对** $x$ 的梯度；
# 下面一层需要最后这一个。

# %% tags=["exercise"]
def lora_backward(W, x, g, A, B, alpha):
    """Return the gradients for A (in, r), B (r, out) and x (batch, in)."""
    ### BEGIN SOLUTION
    scale = alpha / len(B)
    kernel_gradient = x.T @ g  # (in, out)
    return scale * kernel_gradient @ B.T, scale * A.T @ kernel_gradient, g @ (W + scale * A @ B).T
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08b.lora_backward", lora_backward)

# %% [markdown] lang="en" tags=["hint"]
# Begin with the gradient of the whole kernel, $x^\top g$. $A$ and $B$ share it: each gets it times the other,
# transposed, and times the scale. For $x$, the frozen $W$ counts as well: frozen means not trained, not absent.

# %% [markdown] lang="zh" of="11678667" tags=["hint"]
# 先求整个权重矩阵的梯度 $x^\top g$。$A$ 和 $B$ 分享它：各自乘上对方的转置，再乘缩放系数。至于 $x$，冻住的 $W$ 也要算进去：
# 冻住是指不训练，不是指不存在。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("08b")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Nearly every model in use was adapted: a body trained by somebody with a lot of data, tuned by somebody with little.
# Adapters made that cheap for language models: one frozen body in memory, and a small file for each task (with the
# body rounded to 4 bits: [QLoRA, 2023](https://arxiv.org/abs/2305.14314)). Chapter 7c fine-tunes a language model
# that was trained to fill gaps.
#
# - Yosinski, Clune, Bengio and Lipson, [*How transferable are features in deep neural
#   networks?*](https://arxiv.org/abs/1411.1792), 2014: the experiment with the depth.
# - Hu et al., [*LoRA: low-rank adaptation of large language models*](https://arxiv.org/abs/2106.09685), 2021.
# - McCloskey and Cohen, [*Catastrophic interference in connectionist
#   networks*](https://doi.org/10.1016/S0079-7421(08)60536-8), 1989: a network that learns addition and forgets it.
# - Kirkpatrick et al., [*Overcoming catastrophic forgetting in neural networks*](https://arxiv.org/abs/1612.00796),
#   2016: no kept examples; weights that mattered are held back.
# - [*Dive into Deep Learning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html): fine-tuning on photographs.
#
# **What the full profile changes.** All source digits, four times the steps, and two thousand labels of each class.
# It was run once; the numbers are in `notebooks/results/full-08b.json`. Does from scratch close the gap? Nearly: with
# two thousand labels it reaches {{full:from_scratch.new_accuracy_2000_labels:.1%}}, LoRA
# {{full:lora.new_accuracy_2000_labels:.1%}} and fine-tuning {{full:fine_tuning.new_accuracy_2000_labels:.1%}}. With
# ten labels fine-tuning is still far ahead, {{full:fine_tuning.new_accuracy_10_labels:.1%}} against
# {{full:from_scratch.new_accuracy_10_labels:.1%}}. Frozen features gain most: with ten labels they now reach
# {{full:features_frozen.new_accuracy_10_labels:.1%}}, more than the nearest neighbour
# ({{full:nearest_neighbour.new_accuracy_10_labels:.1%}}). But two things changed at once, the source (1,500 steps
# instead of 240) and the head (1,000 instead of 240), so this run cannot say which of them helped. The longer
# fine-tuning forgets more of the old digits ({{full:fine_tuning.old_accuracy:.1%}}), while rehearsal keeps
# {{full:fine_tuning_with_rehearsal.old_accuracy:.1%}}.
#
# Next: chapter 8c asks what a network looks at when it decides.

# %% [markdown] lang="zh" of="d375f70e"
# ## 应用与延伸阅读
#
# 今天用着的模型，几乎都是改造来的：主体由数据多的人训练，再由数据少的人调整。有了适配器，语言模型的改造变得很便宜：
# 内存里放一个冻住的主体，每个任务只配一个小文件（主体还可以舍入到 4 位：[QLoRA，2023](https://arxiv.org/abs/2305.14314)）。
# 第 7c 章微调的，是一个靠填空训练出来的语言模型。
#
# - Yosinski、Clune、Bengio 与 Lipson，[How transferable are features in deep neural networks?](https://arxiv.org/abs/1411.1792)，
#   2014：逐层冻结的实验。
# - Hu 等，[LoRA: low-rank adaptation of large language models](https://arxiv.org/abs/2106.09685)，2021。
# - McCloskey 与 Cohen，[Catastrophic interference in connectionist networks](https://doi.org/10.1016/S0079-7421(08)60536-8)，
#   1989：一个网络学会了加法，又把它忘了。
# - Kirkpatrick 等，[Overcoming catastrophic forgetting in neural networks](https://arxiv.org/abs/1612.00796)，
#   2016：不留旧样本，而是拉住那些重要的权重。
# - 中文：[《动手学深度学习》的“微调”一节](https://zh.d2l.ai/chapter_computer-vision/fine-tuning.html)，
#   用照片来做微调。
#
# **换成 full 配置会怎样。** 用源任务的全部样本，步数是四倍，每类标签多到两千个。只跑过一次，结果在 `notebooks/results/full-08b.json` 里。
# 从零训练补上差距了吗？差一点：两千个标签时它是 {{full:from_scratch.new_accuracy_2000_labels:.1%}}，LoRA 是 {{full:lora.new_accuracy_2000_labels:.1%}}，
# 微调是 {{full:fine_tuning.new_accuracy_2000_labels:.1%}}。只有十个标签时，微调仍遥遥领先，{{full:fine_tuning.new_accuracy_10_labels:.1%}}，
# 从零训练是 {{full:from_scratch.new_accuracy_10_labels:.1%}}。得益最多的是冻结特征：十个标签时达到 {{full:features_frozen.new_accuracy_10_labels:.1%}}，
# 超过了最近邻（{{full:nearest_neighbour.new_accuracy_10_labels:.1%}}）。不过有两样东西同时变了：源网络从 240 步变为 1,500 步，
# 头从 240 步变为 1,000 步，所以从这次结果看不出是哪一样起了作用。微调得越久，旧数字忘得越多（{{full:fine_tuning.old_accuracy:.1%}}），
# 而复习还保得住 {{full:fine_tuning_with_rehearsal.old_accuracy:.1%}}。
#
# 接下来：第 8c 章问网络做决定时看的是什么。
