# %% [markdown] lang="en" telling=["from_scratch.new_accuracy_10_labels", "fine_tuning.new_accuracy_10_labels", "lora.new_accuracy_10_labels"]
# # 8b Adaptation: fine-tuning, LoRA, and what is forgotten
#
# A network has learned the digits 0 to 4 from thousands of labels. Now it shall read 5 to 9, and you have ten labelled
# examples of each. What can it take along, what must it learn anew, and what does it lose on the way?
#
# **At the end you can**
#
# - adapt a trained network in four ways (from scratch, features frozen, fine-tuned, LoRA) and say when each one wins;
# - write LoRA out, $W + \frac{\alpha}{r} A B$, with its gradients, and show that Keras has the same numbers, for dense layers and convolutions;
# - measure forgetting, prove that a switched-off adapter gives the old network back bit for bit, and soften forgetting otherwise;
# - recognise transfer that harms.
#
# **To know before:** convolutions (chapter 2), batch normalisation (chapter 2a helps), training in Keras. Time and memory, measured, stand below
# the imports.
# %% [markdown] lang="zh" of="56f91d07"
# # 8b 模型适配：微调、LoRA 与遗忘
#
# 一个网络用成千上万个标签学会了数字 0 到 4。现在要它读 5 到 9，而每个数字你只有十个带标签的样本。
# 它能带走什么，必须重学什么，一路上又会丢掉什么？
#
# **学完这一章，你能够**
#
# - 用四种方式改造训练好的网络（从零训练、冻结特征、微调、LoRA），并说出各自什么时候占优；
# - 把 LoRA 完整写出来：$W + \frac{\alpha}{r} A B$ 及其梯度，并证明 Keras 的数与之相同，全连接层和卷积层都行；
# - 测量遗忘；证明关掉适配器之后，旧网络一个比特也没变；再用别的办法减轻遗忘；
# - 认出有害的迁移。
#
# **预备知识：** 卷积（第 2 章）；批量归一化（第 2a 章，有帮助）；会用 Keras 训练。实测的时间和内存写在导入语句之后。
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
# The network: the convolutions of the course's fast CNN, a dense layer of 64 **features**, and two **heads** of five scores each, one for
# the old digits, one for the new. All ways to adapt it differ only in what may move, and from where it starts:
#
# - **from scratch**: everything moves, from random weights. What the old digits taught is thrown away.
# - **features frozen** (feature extraction): only the new head moves.
# - **fine-tuning**: everything moves, from the trained weights.
# - **LoRA**, low-rank adaptation ([Hu et al. 2021](https://arxiv.org/abs/2106.09685)): the weights stand still, and thin
#   additions to them move.
#
# In the adapted networks batch normalisation stands still as well: with 50 images its averages would be noise.
#
# **Predict**, for ten labels of each new digit: which order? And for five hundred?
# %% [markdown] lang="zh" of="6a8178a0"
# ## 想法：哪些权重可以动？
#
# 网络是这样的：课程里快速 CNN 的卷积部分，接一个 64 维**特征**（features）的全连接层，再接两个**头**（head），各输出五个分数，一个管旧数字，一个管新数字。
# 各种改造方式，区别只在于从哪里出发、哪些权重可以动：
#
# - **从零训练**（from scratch）：从随机权重出发，什么都能动；旧数字教给它的全部丢掉。
# - **冻结特征**（feature extraction）：只有新头能动。
# - **微调**（fine-tuning）：从训练好的权重出发，什么都能动。
# - **LoRA**，低秩适配（low-rank adaptation，[Hu 等，2021](https://arxiv.org/abs/2106.09685)）：原权重不动，动的是加在上面的薄薄一层。
#
# 改造时，批量归一化也保持不动：只有 50 张图像时，它统计出的平均值不过是噪声。
#
# **先猜：** 每个新数字只有十个标签时，名次如何？五百个呢？
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
# ## Two tasks from one set of digits
#
# **Old task**: digits 0 to 4, all their labels. **New task**: digits 5 to 9, with 10, 50 or 500 labels of each, drawn anew for
# every seed, and the same number of training steps whatever the number of labels. Accuracy is measured on test digits of
# either half.
#
# One loss serves both: an example sees only the head that its label belongs to. The other head's scores get minus a billion, so their
# probabilities and gradients are *exactly* zero, and the old head keeps its weights while the new digits are learned.
# %% [markdown] lang="zh" of="f0228c76"
# ## 一套数字，两个任务
#
# **旧任务**：数字 0 到 4，标签全部可用。**新任务**：数字 5 到 9，每个数字有 10、50 或 500 个标签，每个种子重新抽取；
# 不管标签多少，训练步数都一样。准确率分别在两半测试数字上测量。
#
# 一个损失兼管两边：每个样本只看自己标签所属的那个头。另一个头的分数都减去十亿，于是它们的概率和梯度*恰好*为零；
# 学新数字的时候，旧头的权重纹丝不动。
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
# Every kind of network is compiled once and gets new weights for each run.
# %% [markdown] lang="zh" of="7a5058a9"
# 每种网络只编译一次，每次运行换上新的权重。
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
# %% [markdown] lang="en"
# ## LoRA, written out
#
# A dense layer's kernel $W$ has as many numbers as inputs times outputs. LoRA freezes it and adds the product of two thin matrices:
#
# $$ y = x \Big( W + \frac{\alpha}{r}\, A B \Big), \qquad W: n \times m, \quad A: n \times r, \quad B: r \times m, \qquad
#    r\,(n + m) \text{ numbers instead of } n\,m $$
#
# $r$ is the **rank**, $\alpha$ a scale. $A$ starts at random and $B$ at zero, so the network starts as what it was. For a convolution
# $A$ is a convolution with $r$ channels and $B$ a 1 × 1 convolution behind it. With the gradient $g = \partial L / \partial y$, the chain rule gives
#
# $$ \frac{\partial L}{\partial A} = \frac{\alpha}{r}\, x^\top g\, B^\top, \qquad
#    \frac{\partial L}{\partial B} = \frac{\alpha}{r}\, A^\top x^\top g $$
#
# **Predict**: which of the two gradients is zero at the very first step?
# %% [markdown] lang="zh" of="b73e3cd2"
# ## 把 LoRA 写出来
#
# 全连接层的权重矩阵 $W$，个数是输入数乘输出数。LoRA 把它冻住，另加两个瘦长矩阵的乘积：
#
# $$ y = x \Big( W + \frac{\alpha}{r}\, A B \Big), \qquad W: n \times m, \quad A: n \times r, \quad B: r \times m, \qquad
#    \text{要训练的数由 } n\,m \text{ 个变为 } r\,(n + m) \text{ 个} $$
#
# $r$ 叫**秩**（rank），$\alpha$ 是缩放系数。$A$ 随机初始化，$B$ 从零开始，所以一开始网络还是原来的样子。对卷积层来说，$A$ 是一个 $r$ 通道的卷积，
# $B$ 是接在后面的 1 × 1 卷积。设 $g = \partial L / \partial y$，由链式法则：
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
# %% [markdown] lang="en"
# ## Experiment: ten, fifty, five hundred labels
#
# A **baseline** without any training: the nearest neighbour, on pixels. And a fair *from scratch*: batch normalisation can
# hurt when there are 50 images, so from scratch runs twice, the second time with normalisation standing still. LoRA's rate
# is 0.003, three times that of the others: its matrices start small.
#
# One line each, mean and range over the seeds. What did you predict?
# %% [markdown] lang="zh" of="fc777c50"
# ## 实验：十个、五十个、五百个标签
#
# **基线**不做任何训练：在像素上找最近邻（nearest neighbour）。*从零训练*也要公平：只有 50 张图像时，批量归一化可能帮倒忙，
# 所以从零训练跑两遍，第二遍让归一化保持不动。LoRA 的学习率取 0.003，是其他方法的三倍，因为它的矩阵起步很小。
#
# 每种方法一条线，画出各种子的均值和范围。你当初是怎么猜的？
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
# %%
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
# %% [markdown] lang="en"
# - **Few labels**: what the old digits taught is worth most. LoRA trains a fraction of the numbers and comes close.
# - **Many labels**: from scratch nearly catches up. Transfer is a way to save labels, and the more there are, the less it saves.
# - **Frozen features** lose, even to the nearest neighbour on raw pixels, which learned nothing. Yet "freeze and train the head" is
#   the recipe of most tutorials. There it works because the source was *large and general*. Ours knew five digits.
# - Mind the baseline: with ten labels, from scratch gains some points when normalisation stands still; with five
#   hundred it gains nothing. A weak baseline makes any method look good.
#
# ## How deep does it fit?
#
# The first layers of a network are general, the last ones belong to their task ([Yosinski et al. 2014](https://arxiv.org/abs/1411.1792)).
# So do not ask "freeze or not", ask **how far**. Freeze the first 0, 1, 2, 3, 4 layers, and train the rest.
# %% [markdown] lang="zh" of="dcd69c2f"
# - **标签少**：旧数字教过的东西最值钱。LoRA 只训练一小部分数，成绩却很接近。
# - **标签多**：从零训练差不多追了上来。迁移相当于省标签；标签越多，省下的就越少。
# - **冻结特征**输了，甚至输给在原始像素上找最近邻 —— 后者什么也没学过。可是 “冻住特征、只训练头” 正是多数教程的配方。
#   那里行得通，是因为源网络*又大又通用*；而我们的源网络只认识五个数字。
# - 留意基线：只有十个标签时，让归一化保持不动，从零训练能高出几个百分点；有五百个时，却没有好处。基线太弱，什么方法都显得好。
#
# ## 能沿用到多深？
#
# 网络的前几层比较通用，后几层则专属于它的任务（[Yosinski 等，2014](https://arxiv.org/abs/1411.1792)）。
# 所以该问的不是 “冻还是不冻”，而是**冻到哪里**。依次冻住前 0、1、2、3、4 层，训练其余各层。
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
# %% [markdown] lang="en"
# ## What is forgotten
#
# The old head was never touched. But it reads features, and fine-tuning moved them under its feet. That a network loses an old
# task while it learns a new one has been known since [McCloskey and Cohen 1989](https://doi.org/10.1016/S0079-7421(08)60536-8) as
# *catastrophic interference*. Measured here on the old test digits, old head, after 500 labels of each new digit. Four remedies:
#
# - a **lower rate**: a tenth;
# - **rehearsal**: ten kept examples of each old digit, mixed into the new ones, half of every batch;
# - **LoRA, switched off**: take the adapters away when an old digit comes;
# - **features frozen**: nothing moves, nothing is lost.
#
# The last two promise *exactly* the old network. A promise of equality can be proved. So can a second one: merge the
# adapters into the kernels, $W + \frac{\alpha}{r} A B$, and a plain network without LoRA gives the same outputs.
# %% [markdown] lang="zh" of="029f9ed8"
# ## 忘掉了什么
#
# 旧头从来没有被碰过。可它读的是特征，而微调把它脚下的特征挪走了。网络学新任务时丢掉旧任务，这一现象从
# [McCloskey 与 Cohen，1989](https://doi.org/10.1016/S0079-7421(08)60536-8) 起就叫*灾难性干扰*（catastrophic interference），也叫**灾难性遗忘**。
# 下面用每个新数字 500 个标签训练之后，在旧数字的测试集上、用旧头来测。四种补救：
#
# - **降低学习率**：十分之一；
# - **复习**（rehearsal）：每个旧数字留十个样本，混进新样本里，每批各占一半；
# - **关掉 LoRA**：遇到旧数字时，把适配器拿走；
# - **冻结特征**：什么都不动，什么都不丢。
#
# 后两种承诺的是与旧网络*完全*一样。既然承诺相等，就可以证明。还有一条也能证明：把适配器并进权重，$W + \frac{\alpha}{r} A B$，
# 不带 LoRA 的普通网络会给出同样的输出。
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
# %% [markdown] lang="en"
# Told which half a digit comes from, the old head loses some, how much differs widely between seeds, and fifty kept examples bring most of it back while the
# new digits lose nothing: rehearsal is the best value as long as one network must do both. Who knows the half can
# switch LoRA off, loses nothing old, needs no kept examples, and pays about a point on the new digits. A lower rate
# forgets less because it learns less. When nobody tells the half, all ten scores must compete, and two
# heads that were never compared in training cannot be expected to agree on a scale.
#
# ## Formula clinic: "fine-tuning always beats training from scratch"
#
# You saw two limits: many labels, and a frozen layer too many. Here is a third. Take sources that learned something else:
#
# - **shuffled pixels**: digits 0 to 4, all with their pixels in one random order. A real task, but no strokes.
# - **shuffled labels**: real digits, dice for labels. Nothing to learn but noise.
#
# Fine-tune both on the new digits, exactly as before. **Predict**: as good as from scratch, or worse?
# %% [markdown] lang="zh" of="82f7630d"
# 如果告诉网络一个数字来自哪一半，旧头会丢掉一些，丢多丢少，各个种子相差很大；只要留下五十个旧样本来复习，就能挽回大半，而新数字毫不吃亏：
# 如果一个网络要兼顾两头，复习最划算；如果知道是哪一半，关掉 LoRA 就一点旧的也不丢，也不用留样本，代价是新数字上大约低一个百分点。
# 学习率低，忘得少，是因为学得也少。如果不告诉是哪一半，十个分数就要同场竞争；训练时从未比较过的两个头，不能指望它们的刻度正好一致。
#
# ## 公式门诊：“微调总比从零训练好”
#
# 你已经看到它的两处局限：标签多的时候优势几乎消失，多冻一层则会变差。这里是第三处。换成学过别的东西的源网络：
#
# - **打乱像素**：数字 0 到 4，像素全按同一个随机次序打乱。任务是真的，只是没有笔画。
# - **打乱标签**：数字是真的，标签靠掷骰子。除了噪声，没有什么可学。
#
# 用与前面完全相同的方式，在新数字上微调。**先猜**：与从零训练一样好，还是更差？
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
# %% [markdown] lang="en"
# **Diagnosis.** Transfer is no free gift. It helps as far as the tasks share what the layers compute. A source without strokes, or
# one that was trained on dice, brings nothing: with few labels it ends below the better of the two baselines from scratch, with many
# about level with them. What noise did *not* do is ruin the network: many of its features have stopped answering at all, and the rest
# still learn the new digits. *"Freezing is safer"* is right about the old digits and wrong about the new ones. The rule
# that remains: always train the baseline from scratch, too, and with as much care. Against the careless one, even the dice look
# harmless.
# %% [markdown] lang="zh" of="348a41fb"
# **诊断。** 迁移不是白送的礼物。各层算的东西，两个任务用得上多少，它就有多大用处。没有笔画的源、拿骰子练出来的源，什么也带不来：
# 标签少时，不如从零训练的两种做法中较好的那一种；标签多时，与它们不相上下。噪声*没有*做到的，是毁掉这个网络：它有许多特征已经毫无反应，剩下的照样学得会新数字。
# “冻结更保险” 这句话，对旧数字是对的，对新数字是错的。剩下的规矩只有一条：从零训练的基线一定要跑，而且要同样用心地跑。跟不用心的基线相比，
# 连骰子都显得无害。
# %% [markdown] lang="en"
# ### Exercise 1 · easy: how many numbers does LoRA train?
#
# Write `lora_parameters(kernel_shape, rank)` for any kernel of Keras: `(in, out)` of a dense layer, `(height, width, in, out)` of a
# convolution. Then: from which rank on does LoRA train *more* than the kernel holds?
# %% [markdown] lang="zh" of="0bcc6baa"
# ### 练习 1 · 易：LoRA 要训练多少个数？
#
# 对 Keras 的任意权重形状写出 `lora_parameters(kernel_shape, rank)`：全连接层是 `(in, out)`，卷积层是 `(height, width, in, out)`。
# 再想一想：秩大到多少，LoRA 训练的数反而比原来的权重*还多*？
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
# B goes from `rank` to the outputs. A takes everything that one output of the kernel looks at: for a convolution the whole window.
# %% [markdown] lang="zh" of="7d1cfd83" tags=["hint"]
# B 从 `rank` 通到输出。A 接住的，是权重的一个输出所看到的全部：对卷积来说就是整个窗口。
# %% [markdown] lang="en"
# ### Exercise 2 · medium: draw few labels fairly
#
# Write `draw(labels, classes, count, random)`: the places of `count` examples of each class, without replacement, in mixed order.
# `random` is a NumPy generator (`random.permutation`, `random.choice`). With ten labels a careless draw ruins an experiment.
# %% [markdown] lang="zh" of="a12adead"
# ### 练习 2 · 中：公平地抽取少量标签
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
# Class by class: `np.flatnonzero(labels == label)` gives the places. `random.choice` draws *with* replacement unless told otherwise. At the end the classes still stand one after the other.
# %% [markdown] lang="zh" of="6bc022df" tags=["hint"]
# 一类一类地来：`np.flatnonzero(labels == label)` 给出下标。`random.choice` 默认是*放回*的，要明确告诉它不放回。最后别忘了，各类还是一类接一类地排着。
# %% [markdown] lang="en"
# ### Exercise 3 · hard: LoRA's backward pass
#
# Write `lora_backward(W, x, g, A, B, alpha)` for $y = x (W + \frac{\alpha}{r} A B)$: the gradients of $\sum g \odot y$ for $A$, for $B$, **and for**
# $x$; the layer below needs the last one.
# %% [markdown] lang="zh" of="c020615c"
# ### 练习 3 · 难：LoRA 的反向传播
#
# 对 $y = x (W + \frac{\alpha}{r} A B)$ 写出 `lora_backward(W, x, g, A, B, alpha)`：$\sum g \odot y$ 对 $A$、对 $B$、**以及对** $x$ 的梯度；下面一层需要最后这一个。
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
# First the gradient of the whole kernel, $x^\top g$. $A$ and $B$ share it: each gets it times the other, transposed, and the scale. For $x$ the frozen $W$ counts as well:
# frozen means not trained, not absent.
# %% [markdown] lang="zh" of="8e15c897" tags=["hint"]
# 先求整个权重矩阵的梯度 $x^\top g$。$A$ 和 $B$ 分享它：各自乘上对方的转置，再乘缩放系数。至于 $x$，冻住的 $W$ 也要算进去：冻住是指不训练，不是指不存在。
# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("08b")
# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Nearly every model in use was adapted: a body trained by somebody with much data, tuned by somebody with little. Adapters made that
# cheap for language models: one frozen body in memory, a small file for each task (with the body rounded to 4 bits:
# [QLoRA, 2023](https://arxiv.org/abs/2305.14314)). Chapter 7c fine-tunes a language model that was trained to fill gaps.
#
# - Yosinski, Clune, Bengio and Lipson, [*How transferable are features in deep neural networks?*](https://arxiv.org/abs/1411.1792), 2014: the experiment with the depth.
# - Hu et al., [*LoRA: low-rank adaptation of large language models*](https://arxiv.org/abs/2106.09685), 2021.
# - McCloskey and Cohen, [*Catastrophic interference in connectionist networks*](https://doi.org/10.1016/S0079-7421(08)60536-8), 1989: a network that learns addition and forgets it.
# - Kirkpatrick et al., [*Overcoming catastrophic forgetting in neural networks*](https://arxiv.org/abs/1612.00796), 2016: no kept examples; weights that mattered are held back.
#
# **What the full profile changes.** All source digits, four times the steps, and two thousand labels a class. It was run once, in
# half an hour; the numbers are in `notebooks/results/full-08b.json`. Does from scratch close the gap? Nearly: half a point
# remains, which is still a third of all errors, and LoRA now stands between the two. With ten labels nothing has changed: the old
# digits are worth as much as before. Frozen features gain most from a better source: with ten labels they now beat the nearest
# neighbour and from scratch, with fifty they are level with the neighbour, and beyond that they fall behind, because they stop
# learning. And the longer fine-tuning forgets more of the old digits, while rehearsal and the switched-off LoRA keep them.
#
# Next: chapter 8c asks what a network looks at when it decides.
# %% [markdown] lang="zh" of="165e48e5"
# ## 用在哪里，读些什么
#
# 今天用着的模型，几乎都是改造来的：主体由数据多的人训练，再由数据少的人调整。有了适配器，语言模型的改造变得很便宜：
# 内存里放一个冻住的主体，每个任务只配一个小文件（主体还可以舍入到 4 位：[QLoRA，2023](https://arxiv.org/abs/2305.14314)）。
# 第 7c 章微调的，是一个靠填空训练出来的语言模型。
#
# - Yosinski、Clune、Bengio 与 Lipson，[*How transferable are features in deep neural networks?*](https://arxiv.org/abs/1411.1792)，2014：逐层冻结的实验。
# - Hu 等，[*LoRA: low-rank adaptation of large language models*](https://arxiv.org/abs/2106.09685)，2021。
# - McCloskey 与 Cohen，[*Catastrophic interference in connectionist networks*](https://doi.org/10.1016/S0079-7421(08)60536-8)，1989：一个网络学会了加法，又把它忘了。
# - Kirkpatrick 等，[*Overcoming catastrophic forgetting in neural networks*](https://arxiv.org/abs/1612.00796)，2016：不留旧样本，而是拉住那些重要的权重。
#
# **换成 full 配置会怎样。** 用全部源数字，步数是四倍，每类标签多到两千个。它跑过一次，用了半小时，数字在
# `notebooks/results/full-08b.json` 里。从零训练补上差距了吗？差一点：还差半个百分点，但那仍是全部错误的三分之一，LoRA 这时落在两者之间。
# 只有十个标签时，情形没有变：旧数字的价值和原来一样大。源网络更好，得益最多的是冻结的特征：十个标签时它们胜过最近邻和从零训练，
# 五十个时与最近邻打平，再多就落在后面，因为它们不再学了。微调得越久，旧数字忘得越多；而用旧样本复习，或者关掉 LoRA，
# 旧数字都保得住。
#
# 接下来：第 8c 章问网络做决定时看的是什么。
