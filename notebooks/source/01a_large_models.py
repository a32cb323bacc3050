# %% [markdown] lang="en" telling=["machine.numpy_training_share"]
# # 1a Large models: how large, what they cost, where they are used
#
# Your network of chapter 1 has a hundred thousand parameters. GPT-3 has 175 billion
# ([Brown et al. 2020](https://arxiv.org/abs/2005.14165)). In this chapter you count both by hand, put your own networks and the
# published ones into one picture, and compute how many years this machine would need to train GPT-3.
#
# **By the end you will be able to**
#
# - say what AI, machine learning, deep learning and large models are, and tell five kinds of learning apart;
# - compare four activations and their slopes;
# - count a model's parameters and FLOPs, and estimate what its training costs;
# - choose an architecture for a kind of data, and name what large models are used for;
# - spot a claim that promises too much, and a listing that cannot run.
#
# **Before you start:** chapter 1. Some networks below belong to later chapters; here we only count them.

# %% [markdown] lang="zh" of="a0150359"
# # 1a 大模型：有多大，要花多少，用在哪里
#
# 第 1 章的网络有十万个参数，GPT-3 有 1750 亿个（[Brown 等，2020](https://arxiv.org/abs/2005.14165)）。这一章要亲手把两者都数一遍，
# 把你的网络和已发表的模型画进同一张图，再算一算：用这台机器训练 GPT-3 要多少年。
#
# **学完这一章，你能够**
#
# - 说清人工智能、机器学习、深度学习和大模型各指什么，分清五种学习方式；
# - 比较四种激活函数和它们的斜率；
# - 数出一个模型的参数量和浮点运算次数（FLOPs），估算训练它要花多少；
# - 按数据选择架构，知道大模型用在哪里；
# - 看出哪些说法言过其实，哪些代码根本跑不起来。
#
# **预备知识：** 第 1 章。下面有些网络要到后面几章才讲，这里只数它们的大小。

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
import builtins
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results
from course_utils.models import vision
from course_utils.profiles import choose
from course_utils.reference import activations
from course_utils.topics import first_network, flops, published_models

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)

# %% tags=["cost", "nbval-ignore-output"]
results.cost("01a")

# %% [markdown] lang="en"
# ## Four words, one inside the other
#
# - **Artificial intelligence** (AI): programs that do what we would call intelligent in a person. A chess program with
#   rules written by hand belongs here, and learns nothing.
# - **Machine learning**: the rules are not written, they are *fitted to data*. A line through points is the smallest case.
# - **Deep learning**: what is fitted is a network of several layers. Each layer makes new features out of those below.
# - **Large models**: deep networks with so many parameters, so much data and so much computation that one training serves
#   many tasks. There is no fixed limit; further down you measure how large the published ones are.

# %% [markdown] lang="zh" of="e2611904"
# ## 四个词，一个套一个
#
# - **人工智能**（AI）：如果换成人来做，我们会称之为“聪明”的程序。规则全由人手写的下棋程序也算，尽管它什么也没学。
# - **机器学习**：规则不靠手写，而是用数据拟合出来。过几个点画一条直线，就是最小的例子。
# - **深度学习**：拟合的是一个多层网络，每一层用下面一层的特征做出新的特征。
# - **大模型**：参数、数据、计算都多到一定程度的深度网络，训练一次，可以服务许多任务。没有一条固定的界线；
#   已发表的模型究竟有多大，后面你会亲手量一量。

# %%
circles = [  # words, example, radius
    ("artificial intelligence", "a chess program with hand-written rules", 4.0),
    ("machine learning", "a line through points, a decision tree", 3.0),
    ("deep learning", "a small one: your network of chapter 1", 2.0),
    ("large models", "BERT, GPT-3", 1.0),
]
figure, axis = plt.subplots(figsize=(8, 4.4))
for (words, example, radius), color in zip(circles, plots.COLORS, strict=False):
    axis.add_patch(plt.matplotlib.patches.Ellipse((0, radius), 4.4 * radius, 2 * radius, color=color, alpha=0.18))
    axis.add_patch(plt.matplotlib.patches.Ellipse((0, radius), 4.4 * radius, 2 * radius, fill=False, color=color))
    top = 2 * radius - (0.55 if radius > 1 else 0.75)
    axis.text(0, top, words, ha="center", fontsize=13)
    axis.text(0, top - 0.42, example, ha="center", fontsize=9.5)
axis.set(xlim=(-9, 9), ylim=(-0.1, 8.1))
axis.axis("off")
plots.show(
    figure,
    alt="Four nested ellipses, from outside: artificial intelligence, machine learning, deep learning, large models, each "
    "with an example.",
    alt_zh="四个嵌套的椭圆，由外到内：人工智能、机器学习、深度学习、大模型，各附一个例子。",
)

# %% [markdown] lang="en"
# ## Five kinds of learning: who is the teacher?
#
# The same digits can teach in five ways. What differs is where the *signal* comes from, that tells the program how wrong
# it is.
#
# | kind | the signal | example |
# |---|---|---|
# | supervised | the right answer, given with each example | digit → which one it is |
# | unsupervised | none: find structure | sort digits into groups |
# | semi-supervised | labels for a few | ten labelled digits, thousands without |
# | self-supervised | a hidden part of the data itself | upper half → lower half; text → next word |
# | reinforcement | a reward for what was done | guess, then hear "right" or "wrong" |
#
# **Why the last two matter now.** Large language models are pre-trained *self-supervised*, by predicting hidden or next
# words ([BERT](https://arxiv.org/abs/1810.04805), [GPT-3](https://arxiv.org/abs/2005.14165)): nobody could label so much
# text. Many are then tuned with *reinforcement* from people's preferences
# ([InstructGPT](https://arxiv.org/abs/2203.02155)). A reward says how good an answer was, and never which one was right.

# %% [markdown] lang="zh" of="d729979a"
# ## 五种学习方式：谁是老师？
#
# 同样的数字图片可以用五种方式来教。区别在于：告诉程序“错了多少”的那个信号从哪里来。
#
# | 方式 | 信号 | 例子 |
# |---|---|---|
# | 监督学习（supervised） | 每个样本都附有正确答案 | 图片 → 它是几 |
# | 无监督学习（unsupervised） | 没有，自己找结构 | 把数字分成几堆 |
# | 半监督学习（semi-supervised） | 少数样本有标签 | 十张有标签，几千张没有 |
# | 自监督学习（self-supervised） | 数据自己被遮住的部分 | 上半张 → 下半张；上文 → 下一个词 |
# | 强化学习（reinforcement） | 对行动的奖励 | 先猜，再听到“对”或“错” |
#
# **后两种为什么重要？** 大语言模型的预训练是自监督的：预测被遮住的词或下一个词
# （[BERT](https://arxiv.org/abs/1810.04805)、[GPT-3](https://arxiv.org/abs/2005.14165)），这么多文本，没有人标得完。
# 许多模型随后还要按人的偏好做强化学习（[InstructGPT](https://arxiv.org/abs/2203.02155)）。
# 奖励只说这个回答有多好，从不说哪个回答才对。

# %%
digits = datasets.mnist()
pictures, names = digits.x_train[:5], digits.y_train[:5]  # 5, 0, 4, 1, 9
upper, lower = pictures.copy(), pictures.copy()
upper[:, 14:], lower[:, :14] = 0, 0
alike = digits.x_train[np.flatnonzero(np.isin(digits.y_train, [1, 0]))[:10]]
groups = alike[np.argsort(alike.mean(axis=(1, 2)))][[0, 1, 2, -2, -1]]  # by amount of ink alone, no label used
rows = {
    "supervised": (pictures, [f"label {name}" for name in names]),
    "unsupervised": (groups, ["group A"] * 3 + ["group B"] * 2),
    "semi-supervised": (pictures, ["label 5", "?", "?", "?", "?"]),
    "self-supervised": ([upper[0], lower[0], upper[1], lower[1], upper[2]], ["given", "answer", "given", "answer", "given …"]),
    "reinforcement": (pictures, ["“3”: −1", "“0”: +1", "“9”: −1", "“1”: +1", "“4”: −1"]),
}
figure, axes = plt.subplots(5, 5, figsize=(6.4, 6.6))
for line, (kind, (shown, captions)) in zip(axes, rows.items(), strict=True):
    for axis, image, caption in zip(line, shown, captions, strict=True):
        axis.imshow(image)
        axis.set(xticks=[], yticks=[], title=caption)
    line[0].set_ylabel(kind, rotation=0, ha="right", va="center", labelpad=10)
plots.show(
    figure,
    alt="Five rows of digits, a row for each kind of learning; the captions show the signal: labels, groups, one label and "
    "question marks, hidden halves, rewards.",
    alt_zh="五行数字，每行对应一种学习方式；图上的小标题就是信号：标签、分组、一个标签加问号、被遮住的一半、奖励。",
)

# %% [markdown] lang="en"
# ## One neuron, four activations
#
# A neuron multiplies each input by a weight, adds a bias, and bends the sum by an **activation** $f$:
#
# $$ y = f(z), \qquad z = \sum_i x_i\, w_i + b $$
#
# | | formula | slope $f'(z)$ |
# |---|---|---|
# | ReLU | $\max(0, z)$ | $0$ or $1$ |
# | sigmoid | $\sigma(z) = 1 / (1 + e^{-z})$ | $\sigma(z)\,(1 - \sigma(z))$ |
# | tanh | $(e^z - e^{-z}) / (e^z + e^{-z})$ | $1 - \tanh^2 z$ |
# | GELU | $z\,\Phi(z)$ | $\Phi(z) + z\,\varphi(z)$ |
#
# $\Phi$ and $\varphi$: distribution and density of the standard normal variable. GELU
# ([Hendrycks and Gimpel 2016](https://arxiv.org/abs/1606.08415)) is what BERT and GPT use.
#
# The name "neuron" is history: the formal neuron is by [McCulloch and Pitts 1943](https://doi.org/10.1007/BF02478259), the perceptron, which
# learns, by [Rosenblatt 1958](https://doi.org/10.1037/h0042519). It is a weighted sum, not a model of a nerve cell.
#
# Are the slopes in the table right? We check them in two independent ways: by `GradientTape`, which follows the calculation, and by **finite
# differences**, the nudges of chapter 1. (ReLU has a kink at 0, where no slope exists; we keep away from it.)

# %% [markdown] lang="zh" of="7b0582d9"
# ## 一个神经元，四种激活函数
#
# 神经元把输入加权求和，加上偏置，再用**激活函数**（activation）$f$ 把结果“弯”一下：
#
# $$ y = f(z), \qquad z = \sum_i x_i\, w_i + b $$
#
# | | 公式 | 斜率 $f'(z)$ |
# |---|---|---|
# | ReLU | $\max(0, z)$ | $0$ 或 $1$ |
# | sigmoid | $\sigma(z) = 1 / (1 + e^{-z})$ | $\sigma(z)\,(1 - \sigma(z))$ |
# | tanh | $(e^z - e^{-z}) / (e^z + e^{-z})$ | $1 - \tanh^2 z$ |
# | GELU | $z\,\Phi(z)$ | $\Phi(z) + z\,\varphi(z)$ |
#
# $\Phi$ 和 $\varphi$ 是标准正态分布的分布函数和密度函数。BERT 和 GPT 用的就是 GELU
# （[Hendrycks 与 Gimpel，2016](https://arxiv.org/abs/1606.08415)）。
#
# “神经元”这个名字是历史遗留：形式神经元出自 [McCulloch 与 Pitts，1943](https://doi.org/10.1007/BF02478259)，
# 会学习的感知机出自 [Rosenblatt，1958](https://doi.org/10.1037/h0042519)。它是一个加权和，并不是神经细胞的模型。
#
# 表里的斜率对不对？用两种独立的办法核对：`GradientTape` 沿着计算过程求导；**有限差分**（finite differences）就是第 1 章的“拨动”。（ReLU 在 0 处有一个折角，那里没有斜率，我们避开它。）

# %%
random = np.random.default_rng(0)
inputs, weights, bias = random.normal(size=5), random.normal(size=5), 0.3
neuron = layers.Dense(1, activation="relu", dtype="float64")
neuron.build((None, 5))
neuron.set_weights([weights[:, None], np.array([bias])])
proofs.equal({
    "neuron: NumPy": activations.relu(inputs @ weights + bias),
    "Keras": neuron(inputs[None])[0, 0],
})

functions = {"relu": activations.relu, "sigmoid": activations.sigmoid, "tanh": activations.tanh, "gelu": activations.gelu}
z = np.linspace(-3.1, 3, 30)  # 0 is not among them
for name, function in functions.items():
    point = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(point)  # a constant is followed only if asked
        by_keras = getattr(keras.activations, name)(point)
    proofs.equal({f"{name}: NumPy": function(z), "Keras": by_keras}, tolerance=1e-7)
    proofs.equal({
        "    slope · 斜率": getattr(activations, f"{name}_backward")(np.ones_like(z), z),  # upstream 1: the slope itself
        "GradientTape": tape.gradient(by_keras, point),
        "finite differences": proofs.finite_differences(lambda x, f=function: f(x).sum(), z),
    }, tolerance=1e-7)

# %%
wide = np.linspace(-5, 5, 400)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharex=True)
for (name, function), line in zip(functions.items(), plots.LINES, strict=False):
    axes[0].plot(wide, function(wide), linestyle=line, label=name)
    axes[1].plot(wide, getattr(activations, f"{name}_backward")(np.ones_like(wide), wide), linestyle=line)
axes[0].set(title="activation", xlabel="z", ylabel="f(z)", ylim=(-1.2, 3))
axes[1].set(title="slope", xlabel="z", ylabel="f′(z)")
axes[0].legend()
plots.show(
    figure,
    alt="Left the four activation functions, right their slopes: sigmoid and tanh flatten on both sides, ReLU and GELU only "
    "on the left; the sigmoid's slope is a quarter at most.",
    alt_zh="左图是四种激活函数，右图是斜率：sigmoid 和 tanh 两头都变平，ReLU 和 GELU 只有左边变平；sigmoid 的斜率最大也只有四分之一。",
)

# %% [markdown] lang="en"
# Look at the right picture. Where a slope is near zero, the chain rule multiplies the error by nearly
# zero, and the weights before it hardly move. The sigmoid's is a quarter at best, and each further layer multiplies by it again: one reason why deep networks use ReLU or GELU inside.
#
# ## What makes a model large?
#
# Three numbers: **parameters** $N$, **data** $D$, **compute** $C$. Parameters can be counted by hand, a weight for each
# pair and a bias for each neuron:
#
# $$ N = (784 \cdot 128 + 128) + (128 \cdot 10 + 10) $$
#
# Compute is counted in **FLOPs**, floating-point operations; here *one multiply-add is 2 FLOPs* (many papers on image
# networks count it as 1: look before you compare). `course_utils.flops` counts layer by layer, tested against counts by
# hand and TensorFlow's profiler. **Predict** before you run: which model has the most parameters, and which the most
# FLOPs?

# %% [markdown] lang="zh" of="7b4fcd41"
# 看右图：斜率接近零的地方，链式法则就把误差乘上一个接近零的数，前面的权重几乎不动。sigmoid 的斜率最多四分之一，每多一层就再乘一次。深层网络内部改用 ReLU 或 GELU，
# 这是原因之一。
#
# ## 模型怎样才算大？
#
# 看三个数：**参数量** $N$、**数据量** $D$、**计算量** $C$。参数量可以手算，每一对之间一个权重，每个神经元一个偏置：
#
# $$ N = (784 \cdot 128 + 128) + (128 \cdot 10 + 10) $$
#
# 计算量用 **FLOPs**（浮点运算次数）来数。这里一次乘加算 2 FLOPs（许多图像网络的论文只算 1，比较之前先看清楚）。
# `course_utils.flops` 逐层计数，并与手算和 TensorFlow 的性能分析器（profiler）核对过。
# 运行之前**先猜**：哪个模型参数最多，哪个计算量最大？

# %%
rows_lstm = keras.Sequential([  # chapter 6: an image row by row
    keras.Input((28, 28)), layers.LSTM(128, return_sequences=True), layers.LSTM(128), layers.Dense(10)])
text_lstm = keras.Sequential([  # chapter 6a: reviews of 80 tokens
    keras.Input((80,)), layers.Embedding(4000, 32), layers.LSTM(64, return_sequences=True), layers.LSTM(64), layers.Dense(1)])
tokens = keras.Input((32,))
x = layers.Embedding(2500, 128)(tokens)
for _ in range(2):  # chapter 7b: two Transformer blocks, 32 signs; without the positions' own vectors
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 32)(x, x, use_causal_mask=True))
    x = layers.LayerNormalization()(x + layers.Dense(128)(layers.Dense(256, activation="gelu")(x)))
small_gpt = keras.Model(tokens, layers.Dense(2500)(layers.LayerNormalization()(x)))

course = {"perceptron": vision.perceptron(), "beginner's CNN": vision.beginner_cnn(), "deeper CNN": vision.deeper_beginner_cnn(),
          "fast CNN": vision.fast_cnn(), "LSTM on rows": rows_lstm, "LSTM on text": text_lstm, "small GPT": small_gpt}
sizes = {name: flops.total(flops.count(model)) for name, model in course.items()}
print("                 parameters          FLOPs   FLOPs ÷ 2N")
for name, size in sizes.items():
    assert size.parameters == course[name].count_params()
    print(f"{name:15} {size.parameters:12,} {size.flops:14,} {size.flops / 2 / size.parameters:12.1f}")
print("by hand · 手算:", f"{(784 * 128 + 128) + (128 * 10 + 10):,}")

# %% [markdown] lang="en"
# The last column tells two families apart. In the perceptron each weight is used *once* per example. A convolution uses
# its few weights at hundreds of places; an LSTM and a Transformer use theirs at every time step. Parameters alone do not
# tell the cost.
#
# Now the famous models. Nobody needs to build GPT-3 to count it: a Transformer's size follows from its shape. A block of
# width $d$ with a feed-forward part four times as wide holds $12\,d^2 + 13\,d$ parameters; with $\ell$ blocks,
# vocabulary $V$ and context $T$,
#
# $$ N = \ell\,(12\,d^2 + 13\,d) + (V + T)\,d + 2\,d \qquad\text{(GPT-2, GPT-3)} $$
#
# Published sizes are listed in `course_utils.topics.published_models`, each with its source. (ResNet-50's paper gives only its multiply-adds;
# its parameters are counted with `keras.applications`.) Does the formula give them?

# %% [markdown] lang="zh" of="a64b3b04"
# 最后一列把模型分成两类。在感知机里，每个权重处理一个样本时只用一次；卷积的那几个权重要用在几百个位置上，LSTM 和 Transformer
# 的权重每个时间步都要用。只看参数量，看不出计算量。
#
# 再看那些有名的模型。不必真的造一个 GPT-3 才能数它：Transformer 的大小由形状决定。宽度为 $d$、前馈部分宽四倍的一个块有
# $12\,d^2 + 13\,d$ 个参数；设有 $\ell$ 个块、词表大小 $V$、上下文长度 $T$，则
#
# $$ N = \ell\,(12\,d^2 + 13\,d) + (V + T)\,d + 2\,d \qquad\text{（GPT-2、GPT-3）} $$
#
# 公布的大小写在 `course_utils.topics.published_models` 里，每个都有出处。（ResNet-50 的论文只给了乘加次数，参数量是用 `keras.applications`
# 数出来的。）公式算出来的对得上吗？

# %%
blocks, width, vocabulary, context = 96, 12288, 50257, 2048  # GPT-3, table 2.1 of its paper
by_hand = blocks * (12 * width**2 + 13 * width) + (vocabulary + context) * width + 2 * width
assert by_hand == flops.transformer_parameters(blocks, width, vocabulary, context)
print(f"GPT-3 by hand · 手算: {by_hand:,}")
for model in published_models.MODELS:
    computed = f"{flops.transformer_parameters(**model.shape) / 1e6:12,.1f}" if model.shape else " " * 12
    print(f"{model.year}  {model.name:17} {model.maker:10} {model.parameters / 1e6:12,.2f} M {computed}  {model.source}")

entries = [(f"{model.name}, {model.year}", model.kind, model.parameters, model.forward_flops) for model in published_models.MODELS]
items = {"LSTM on rows": 28, "LSTM on text": 80, "small GPT": 32}  # time steps; an image is one item
entries += [(name, "ours", size.parameters, size.flops / items.get(name, 1)) for name, size in sizes.items()]
entries.sort(key=lambda entry: entry[2])

# %%
kinds = {"image": "o", "text": "s", "ours": "*"}
figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 5.4))
right.axline((1e5, 2e5), (1e11, 2e11), color="0.6", linewidth=1)
right.text(2e10, 1e10, "2N", color="0.4")
for place, (name, kind, parameters, computed) in enumerate(entries):
    look = dict(marker=kinds[kind], color=plots.COLORS[list(kinds).index(kind)], linestyle="", markersize=9 if kind == "ours" else 6)
    left.plot(parameters, place, **look)
    if computed and name != "deeper CNN":
        right.plot(parameters, computed, **look)
        above = "BERT" not in name and parameters > 1e7
        right.annotate(name.split(",")[0], (parameters, computed), xytext=(-7, 5) if above else (7, -4),
                       textcoords="offset points", fontsize=8, ha="right" if above else "left")
left.set(xscale="log", xlabel="parameters N", title="Parameters", yticks=range(len(entries)))
left.set_yticklabels([name for name, *_ in entries], fontsize=8)
shown = zip(kinds.items(), plots.COLORS, strict=False)
left.legend(handles=[plt.Line2D([], [], marker=marker, color=color, linestyle="", label=kind) for (kind, marker), color in shown], loc="lower right")
right.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="FLOPs, forward", title="FLOPs for one image or token")
plots.show(
    figure,
    alt="Left: models in order of their parameters on a log axis, this course's (stars) at the bottom, Llama 3.1 on top. Right: "
    "forward FLOPs against parameters; text models (squares) lie on the line 2N, image models (circles) far above it.",
    alt_zh="左图：各模型按参数量排列（对数轴），本课程的模型（星号）在底部，Llama 3.1 在顶端。"
    "右图：前向计算量与参数量；文本模型（方块）落在直线 2N 上，图像模型（圆点）远在其上。",
)

# %% [markdown] lang="en"
# ## What training costs: $6ND$, and where it holds
#
# If each weight is used once for each token, a token costs $2N$ FLOPs forward. Backward costs twice that: one product for
# the gradient of the weights, one for that of the inputs. So for $D$ tokens
# ([Kaplan et al. 2020](https://arxiv.org/abs/2001.08361)),
#
# $$ C \approx 6\,N\,D $$
#
# The rule leaves out attention between tokens, and it is about *dense* Transformers: all weights used, each once per token.
# The first list below counts layer by layer, for both kinds of network: that is the test. The second puts $6ND$ beside
# published training costs, and there a ratio near 1 proves little: such costs are mostly computed, not measured, and often
# by this very rule. The table in the appendix of GPT-3's paper, from which BERT's costs come too, is 6 × parameters ×
# tokens, without attention. So the second list checks $N$ and $D$, not the rule. Then your machine: how long would it need?

# %% [markdown] lang="zh" of="eb7c0dbd"
# ## 训练的代价：$6ND$，以及它何时成立
#
# 如果每个权重对每个词元只用一次，一个词元的前向就要 $2N$ FLOPs。反向是它的两倍：一次乘法求权重的梯度，一次求输入的梯度。
# 所以 $D$ 个词元要（[Kaplan 等，2020](https://arxiv.org/abs/2001.08361)）
#
# $$ C \approx 6\,N\,D $$
#
# 这条规则没有算词元之间的注意力，而且说的是稠密 Transformer：全部权重都用到，每个词元各用一次。下面第一组数逐层计数，
# 两类网络都数，这才是检验。第二组数把 $6ND$ 与公布的训练计算量放在一起，那里的比值接近 1 说明不了多少：公布值大多是算出来的，
# 不是测出来的，用的又常常就是这条规则。GPT-3 论文附录里的表（BERT 的数也出自那里）就是 6 × 参数量 × 词元数，不计注意力。
# 所以第二组数核对的是 $N$ 和 $D$，不是规则本身。最后问问你的机器要算多久。

# %%
print("forward FLOPs ÷ 2N, counted · 前向计算量与 2N 之比")
for model in published_models.MODELS:
    if model.context and model.maker == "OpenAI":
        ratio = model.forward_flops / 2 / flops.transformer_parameters(**model.shape)
        print(f"  {model.name:17} {ratio:8.2f}")
for name in ["perceptron", "beginner's CNN", "fast CNN"]:
    print(f"  {name:17} {sizes[name].flops / 2 / sizes[name].parameters:8.2f}")
print(f"  {'ResNet-50':17} {3.8e9 / 25.6e6:8.2f}   multiply-adds ÷ N, published · 论文值")
print("training, 6ND ÷ published · 训练计算量，6ND 与公布值之比")
for model in published_models.MODELS:
    if model.training_flops:
        print(f"  {model.name:17} {6 * model.parameters * model.tokens / model.training_flops:8.2f}")

# %% tags=["nbval-ignore-output"]
devices.describe()
size = choose(smoke=512, laptop=1536, full=4096)
matrix = tf.random.normal((size, size))
multiply = tf.function(lambda a: tf.linalg.matmul(a, a))
multiply(matrix).numpy()  # the first call prepares the graph
times = []
for _ in range(5):
    begin = time.perf_counter()
    multiply(matrix).numpy()
    times.append(time.perf_counter() - begin)
speed = 2 * size**3 / min(times)  # size³ multiply-adds

# %% tags=["nbval-ignore-output"]
digits_seen = 15_000
x, labels = digits.x_train[:digits_seen].reshape(-1, 784).astype("float32") / 255, digits.y_train[:digits_seen]
begin = time.perf_counter()
first_network.one_epoch(first_network.initialise(SEED), x, labels)  # chapter 1's own network and training
numpy_seconds = time.perf_counter() - begin
step_flops = 2 * (2 * 784 * 128 + 3 * 128 * 10)  # one example; the first layer needs no gradient of the pixels
results.record("machine.matrix_product_speed", speed / 1e9, unit="GFLOP/s", digits=1)
results.record("machine.numpy_training_share", digits_seen * step_flops / numpy_seconds / speed, digits=3)
for model in published_models.MODELS:
    if model.training_flops:
        years = model.training_flops / speed / (365 * 86400)
        print(f"{model.name:12} {model.training_flops:.1e} FLOPs → {years:14,.1f} years on this machine · 年")

# %% [markdown] lang="en"
# (`numpy_training_share` is the part of the measured speed that chapter 1's NumPy training reached; the rest of its time went into
# everything that is not one large matrix product.)
#
# For GPT-3 the rule is off by a few parts in a hundred. For convolutional networks it is wrong by a factor of fifteen to
# more than a hundred: count their layers instead. (Three more exceptions: an embedding's rows are looked up and not multiplied; a mixture
# of experts uses only part of its weights for a token; and the *first* layer needs no gradient of its input, since nothing before it is trained. That
# is negligible in GPT-3, but the perceptron holds nearly all of its weights there, so its training costs about $4ND$.)
#
# ## Where large models are used
#
# **Language.** *Classification* and *sentiment* (is this review pleased?), *named entities* (which words are a person, a
# place?), *semantic role labelling* (who did what to whom?): here encoders in the manner of
# [BERT](https://arxiv.org/abs/1810.04805), made at Google, are fine-tuned. They need few labels, and inherit the slant of
# the text they read. For sorting short texts, word counts with logistic regression are a strong rival (chapter 6a
# measures it). *Generation* and *dialogue* belong to decoders like OpenAI's [GPT](https://arxiv.org/abs/2005.14165)
# (often said to be Google's, which is wrong). They write fluently and state false things as fluently: nothing in next-word prediction
# rewards truth.
#
# **Vision.** *Recognition*: [AlexNet](https://doi.org/10.1145/3065386) (Toronto, 2012), [VGG](https://arxiv.org/abs/1409.1556)
# (Oxford, 2014), [ResNet](https://arxiv.org/abs/1512.03385) (Microsoft, 2015). *Detection*, several things and their positions:
# [R-CNN](https://arxiv.org/abs/1311.2524) and [YOLO](https://arxiv.org/abs/1506.02640). *Image generation*:
# [adversarial networks](https://arxiv.org/abs/1406.2661), now mostly [diffusion](https://arxiv.org/abs/2006.11239).
# Classifiers lose accuracy even on new photographs that were collected by the same recipe as the old test set ([Recht
# et al. 2019](https://arxiv.org/abs/1902.10811)).
#
# **Speech.** *Recognition*: [Deep Speech](https://arxiv.org/abs/1412.5567) (Baidu, recurrent), later
# [Whisper](https://arxiv.org/abs/2212.04356) (OpenAI, a Transformer). *Synthesis*: [WaveNet](https://arxiv.org/abs/1609.03499)
# (DeepMind), dilated convolutions that produce one sample of sound after the other. Noise, accents and rare names still hurt.
#
# **Translation.** The [Transformer](https://arxiv.org/abs/1706.03762) (Google, 2017) was invented for it, and replaced recurrent
# networks within a few years. Good between languages with much parallel text, weaker for the others, and over whole documents.
#
# **Driving.** Networks find lanes, people and signs; some steer directly
# ([Bojarski et al. 2016](https://arxiv.org/abs/1604.07316), NVIDIA). The rare event decides, and rare events are what data
# lacks. Most systems sold need a driver who watches.
#
# **Medicine.** Networks grade eye photographs ([Gulshan et al. 2016](https://doi.org/10.1001/jama.2016.17216)) and predict the
# shape of proteins ([AlphaFold](https://doi.org/10.1038/s41586-021-03819-2), DeepMind). Between a good score in a paper and use
# in a clinic lie light, network and workflow: in Thai clinics many images of real patients were rejected as ungradable
# ([Beede et al. 2020](https://doi.org/10.1145/3313831.3376718)).
#
# ## Choosing, tools, data, places to learn
#
# **How to choose an architecture.** Ask in this order. What does a simple baseline reach? Is there a pre-trained model for
# this kind of data (then fine-tune, chapter 8b)? If not: what *structure* does the data have?
#
# | data | first try | in this course |
# |---|---|---|
# | a table of numbers | boosted trees, logistic regression; then a perceptron | 1 |
# | images, sound as a picture | convolutions | 2, 3 |
# | short series, little data | linear models, then GRU or LSTM | 6 |
# | text, long sequences, much data | Transformer, pre-trained | 7 |
#
# Then size: as small as reaches the goal on validation data, within the memory and time you have. Take more data before
# more layers.
#
# **Tools.** [Keras](https://keras.io) on [TensorFlow](https://www.tensorflow.org) here; [PyTorch](https://pytorch.org) (chapter 10) and
# [JAX](https://docs.jax.dev) elsewhere; [scikit-learn](https://scikit-learn.org) for baselines. **Data.**
# [MNIST](https://doi.org/10.1109/5.726791), CIFAR-10 and [ImageNet](https://doi.org/10.1007/s11263-015-0816-y) for images, the
# [UCI repository](https://archive.ics.uci.edu) for tables. Read the licence, and how it was collected.
# **Places to learn.** Stanford's [CS231n](https://cs231n.stanford.edu) and [CS230](https://cs230.stanford.edu);
# [*Dive into Deep Learning*](https://d2l.ai), also in Chinese; papers on [arXiv](https://arxiv.org) (not reviewed: look whether it was
# published, and whether others got the same numbers). Questions: [Stack Overflow](https://stackoverflow.com), and a project's
# own issues on GitHub.

# %% [markdown] lang="zh" of="c1528e53"
# （`numpy_training_share` 是第 1 章的 NumPy 训练达到了所测速度的几分之几；其余时间花在了大矩阵乘法以外的事情上。）
#
# 对 GPT-3，这条规则只差百分之几；对卷积网络，却要差十几倍到上百倍：那就老老实实逐层数。（还有三个例外：嵌入表是查表，不做乘法；
# 混合专家模型处理一个词元时只用到一部分权重；第一层不必求输入的梯度，因为它前面没有要训练的东西。最后一条对 GPT-3 微不足道，
# 可感知机几乎所有的权重都在第一层，所以训练它只要大约 $4ND$。）
#
# ## 大模型用在哪里
#
# **语言。** 文本分类与情感分析（这条评论满意吗？）、命名实体识别（哪些词是人名、地名？）、语义角色标注（谁对谁做了什么？）：
# 这类任务通常微调 Google 的 [BERT](https://arxiv.org/abs/1810.04805) 一类的编码器。所需标签不多，但会继承所读文本里的偏见。
# 给短文本分类时，词频加逻辑回归是个很强的对手（第 6a 章实测）。文本生成和对话则是解码器的天下，
# 例如 OpenAI 的 [GPT](https://arxiv.org/abs/2005.14165)（常被误作 Google 的）。它们写得流畅，说错话时也一样流畅：
# 预测下一个词这个任务，本来就不奖励说真话。
#
# **视觉。** 识别：[AlexNet](https://doi.org/10.1145/3065386)（多伦多大学，2012）、[VGG](https://arxiv.org/abs/1409.1556)
# （牛津大学，2014）、[ResNet](https://arxiv.org/abs/1512.03385)（微软，2015）。检测（有哪些东西，各在哪里）：
# [R-CNN](https://arxiv.org/abs/1311.2524) 和 [YOLO](https://arxiv.org/abs/1506.02640)。图像生成：
# 早先是[生成对抗网络](https://arxiv.org/abs/1406.2661)，如今多用[扩散模型](https://arxiv.org/abs/2006.11239)。
# 即使是按与原测试集相同的办法新收集的照片，分类网络的准确率也会下降（[Recht 等，2019](https://arxiv.org/abs/1902.10811)）。
#
# **语音。** 识别：[Deep Speech](https://arxiv.org/abs/1412.5567)（百度，循环网络），后来有
# [Whisper](https://arxiv.org/abs/2212.04356)（OpenAI，Transformer）。合成：[WaveNet](https://arxiv.org/abs/1609.03499)
# （DeepMind），用空洞卷积一个采样点接一个采样点地生成声音。噪声、口音和生僻的名字至今仍是难题。
#
# **翻译。** [Transformer](https://arxiv.org/abs/1706.03762)（Google，2017）就是为翻译发明的，几年之内取代了循环网络。
# 平行语料多的语言之间译得好，其他语言差一些，整篇文档也差一些。
#
# **自动驾驶。** 网络负责找车道、行人和标志，有的直接输出方向盘转角（[Bojarski 等，2016](https://arxiv.org/abs/1604.07316)，
# NVIDIA）。成败取决于罕见情况，而数据里缺的正是罕见情况。市面上多数系统仍要驾驶员时刻盯着。
#
# **医学。** 网络给眼底照片分级（[Gulshan 等，2016](https://doi.org/10.1001/jama.2016.17216)），预测蛋白质的形状
# （[AlphaFold](https://doi.org/10.1038/s41586-021-03819-2)，DeepMind）。从论文里的好成绩到诊所里真正可用，中间还隔着光线、
# 网速和工作流程：在泰国的诊所里，许多真实病人的照片被系统判为“无法评级”
# （[Beede 等，2020](https://doi.org/10.1145/3313831.3376718)）。
#
# ## 怎样选，用什么，到哪里学
#
# **怎样选择架构。** 按这个次序问：一个简单的基线能做到多好？这类数据有没有预训练模型（有就微调，见第 8b 章）？
# 没有的话：数据有什么样的结构？
#
# | 数据 | 先试什么 | 本课程 |
# |---|---|---|
# | 数值表格 | 提升树、逻辑回归，然后是感知机 | 1 |
# | 图像、画成图的声音 | 卷积网络 | 2、3 |
# | 较短的序列，数据少 | 线性模型，然后是 GRU 或 LSTM | 6 |
# | 文本、长序列，数据多 | 预训练的 Transformer | 7 |
#
# 再定大小：在验证集上够用的前提下越小越好，还要装得进你的内存、赶得上你的时间。先想办法加数据，再想加层数。
#
# **工具。** 本课程用 [Keras](https://keras.io) 和 [TensorFlow](https://www.tensorflow.org)；别处常见
# [PyTorch](https://pytorch.org)（第 10 章）和 [JAX](https://docs.jax.dev)；基线用 [scikit-learn](https://scikit-learn.org)。
# **数据。** 图像有 [MNIST](https://doi.org/10.1109/5.726791)、CIFAR-10 和 [ImageNet](https://doi.org/10.1007/s11263-015-0816-y)，
# 表格有 [UCI 数据库](https://archive.ics.uci.edu)。用之前读一读许可，再看它是怎样收集的。
# **学习。** 斯坦福的 [CS231n](https://cs231n.stanford.edu) 与 [CS230](https://cs230.stanford.edu)；
# 《[动手学深度学习](https://zh.d2l.ai)》；[arXiv](https://arxiv.org) 上的论文（未经评审：看看是否正式发表，别人能否得到同样的结果）。
# 提问可去 [Stack Overflow](https://stackoverflow.com)，或该项目在 GitHub 上的 issues。

# %% [markdown] lang="en"
# ## Clinic 1: a date, and a size
#
# *"Convolutional networks began in 2006 with Hinton."* They are older by a quarter of a century: Fukushima's neocognitron,
# [1980](https://doi.org/10.1007/BF00344251); a convolutional network trained by backpropagation to read postal codes,
# by LeCun and colleagues,
# [1989](https://doi.org/10.1162/neco.1989.1.4.541); LeNet-5, [1998](https://doi.org/10.1109/5.726791). What Hinton, Osindero and
# Teh published in [2006](https://doi.org/10.1162/neco.2006.18.7.1527) were deep *belief* nets: fully connected, trained layer by
# layer without labels. In 2012 AlexNet made convolutions famous.
#
# *"A large model has hundreds to tens of millions of parameters."* Test it on everything in this chapter: a definition
# that calls your perceptron large and GPT-3 not large defines nothing.

# %% [markdown] lang="zh" of="d2fa7dda"
# ## 公式门诊之一：一个年份，一个大小
#
# “卷积神经网络始于 2006 年，由 Hinton 提出。”其实早了四分之一个世纪：福岛邦彦的新认知机，
# [1980 年](https://doi.org/10.1007/BF00344251)；LeCun 等人用反向传播训练卷积网络读邮政编码，
# [1989 年](https://doi.org/10.1162/neco.1989.1.4.541)；LeNet-5，[1998 年](https://doi.org/10.1109/5.726791)。
# Hinton、Osindero 与 Teh 在 [2006 年](https://doi.org/10.1162/neco.2006.18.7.1527) 发表的是深度信念网络：全连接，
# 不用标签，一层一层地训练。让卷积网络出名的，是 2012 年的 AlexNet。
#
# “大模型有数百乃至数千万个参数。”拿本章出现的所有模型来检验：按这个定义，你的感知机算大模型，GPT-3 反而不算，
# 那它等于什么都没定义。

# %%
everything = {name: size.parameters for name, size in sizes.items()}
everything |= {model.name: model.parameters for model in published_models.MODELS}
claimed = [name for name, parameters in everything.items() if 1e2 <= parameters < 1e8]
print("“large” · 按此说法算大:", ", ".join(claimed))
print("not “large” · 按此说法不算:", ", ".join(name for name in everything if name not in claimed))
print(f"GPT-3 ÷ perceptron · 倍数: {everything['GPT-3'] / everything['perceptron']:,.0f}")

# %% [markdown] lang="en"
# ## Clinic 2: listings that cannot run
#
# Four faults from common beginners' listings, each in miniature: a name never imported, labels never made, a loader never
# defined, and an LSTM built for 100 features that is fed one. The first three can be found *without running*: collect the
# names that are used, subtract those that are defined. (`ruff` and `pyflakes` do this for you. A shape needs a run: one
# batch, before the long one. The message then names both widths, 1 and 100.)

# %% [markdown] lang="zh" of="1a474656"
# ## 公式门诊之二：跑不起来的代码
#
# 常见入门代码里的四种毛病，各缩成一小段：用了从未导入的名字；标签从未生成；数据加载器从未定义；LSTM 按 100 个特征建好，
# 喂进来的却只有 1 个。前三种不用运行就能发现：收集所有被读取的名字，减去被赋值的名字。
# （`ruff` 和 `pyflakes` 会替你做这件事。形状错误则要运行才知道：正式训练之前，先跑一个批次，
# 报错信息里会写着两个宽度：1 和 100。）

# %%
def undefined(source):
    """Names that are read somewhere and defined nowhere."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    defined = {node.id for node in names if isinstance(node.ctx, ast.Store)} | set(dir(builtins))
    defined |= {(alias.asname or alias.name).split(".")[0] for node in nodes
                if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names}
    return sorted({node.id for node in names} - defined)


start = "import keras, numpy as np\nimages = np.zeros((4, 100, 1), 'float32')\n"
listings = {
    "import": start + "F.relu(images)",
    "labels": start + "loss = keras.losses.sparse_categorical_crossentropy(train_labels, images[:, :10, 0])",
    "loader": start + "for batch in train_loader: print(batch.shape)",
    "width": start + "model = keras.Sequential([keras.Input((None, 100)), keras.layers.LSTM(128)])\nmodel(images)",
}
for name, source in listings.items():
    try:
        exec(source, {})
    except Exception as error:
        lines = str(error).splitlines()
        message = next((line for line in lines if "size" in line), lines[0]).split("}} ")[-1].split(" [Op")[0]
        print(f"{name:7} before running · 运行前: {undefined(source)}   running · 运行: {type(error).__name__}: {message}")

# %% [markdown] lang="en"
# ## Clinic 3: words that promise too much
#
# *"Human-level."* Compared with which people, on which data, by which measure? In 2018 machine translation of news was
# reported at [human parity](https://arxiv.org/abs/1803.05567); judged by whole documents instead of single sentences,
# raters [preferred the people](https://arxiv.org/abs/1808.07048). Other such words: *understands, knows, solves, is robust,
# without bias, learns by itself*. Replace each by what was measured. Chapter 1 did it
# with one number: its network reads digits, but only white on black.
#
# ### Exercise 1 · easy — count parameters
#
# Write `count_parameters(sizes)` for a stack of dense layers with biases. `sizes` lists the numbers from input to output,
# `[784, 128, 10]` for the perceptron.

# %% [markdown] lang="zh" of="2733c6b8"
# ## 公式门诊之三：言过其实的词
#
# “达到人类水平。”和哪些人比？用什么数据？按什么标准？2018 年有报告说新闻的机器翻译已[与人相当](https://arxiv.org/abs/1803.05567)；
# 改为整篇评价而不是逐句评价之后，评审[更喜欢人的译文](https://arxiv.org/abs/1808.07048)。类似的词还有：*理解、知道、解决了、鲁棒、
# 没有偏见、自己学会*。见到这些词，就换成“实际测了什么、测得多少”。
# 第 1 章就做过一次：网络会认数字，不过仅限于黑底白字。
#
# ### 练习 1 · 易 —— 数参数
#
# 写出 `count_parameters(sizes)`：一叠带偏置的全连接层有多少参数。`sizes` 从输入到输出列出各层的大小，
# 感知机就是 `[784, 128, 10]`。

# %% tags=["exercise"]
def count_parameters(sizes):
    """Weights and biases of dense layers between these sizes."""
    ### BEGIN SOLUTION
    return sum(inputs * outputs + outputs for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True))
    ### END SOLUTION

# %% tags=["check"]
exercises.check("01a.count_parameters", count_parameters)

# %% [markdown] lang="en" tags=["hint"]
# Go through neighbouring pairs. Each pair needs a weight for every combination, and a bias for every *output*. The input
# has no biases.

# %% [markdown] lang="zh" of="99ec1b2a" tags=["hint"]
# 逐对看相邻的两个大小：每种组合一个权重，每个输出一个偏置。输入没有偏置。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — how many days?
#
# Write `training_days(parameters, tokens, devices, flops_per_second, utilisation)`: how long does a dense Transformer train
# by the rule $6ND$, on so many devices, each with a peak speed of which only the share `utilisation` (0 to 1) is reached?
# Then try GPT-3 ($N = 1.75 \cdot 10^{11}$, $D = 3 \cdot 10^{11}$) on your machine (`speed` from above: it was measured, so the
# utilisation is 1), and on a thousand devices of $3 \cdot 10^{14}$ FLOP/s at a utilisation of 0.4.

# %% [markdown] lang="zh" of="0bd92afb"
# ### 练习 2 · 中 —— 要训练多少天？
#
# 写出 `training_days(parameters, tokens, devices, flops_per_second, utilisation)`：按 $6ND$，一个稠密 Transformer 在这么多台设备上要训练几天？
# 每台设备的峰值速度已知，但实际只达到其中 `utilisation`（0 到 1）这个比例。
# 然后用它算一算 GPT-3（$N = 1.75 \cdot 10^{11}$，$D = 3 \cdot 10^{11}$）：在你的机器上要多久（速度用上面的 `speed`，它是实测值，
# 利用率取 1）？在一千台 $3 \cdot 10^{14}$ FLOP/s、利用率 0.4 的设备上呢？

# %% tags=["exercise"]
def training_days(parameters, tokens, devices, flops_per_second, utilisation):
    """Days of training by 6ND."""
    ### BEGIN SOLUTION
    seconds = 6 * parameters * tokens / (devices * flops_per_second * utilisation)
    return seconds / 86_400
    ### END SOLUTION

# %% tags=["check"]
exercises.check("01a.training_days", training_days)

# %% [markdown] lang="en" tags=["hint"]
# Work ÷ speed = time. Forward costs 2 FLOPs per parameter and token; backward twice that. The speed that is really reached
# is *less* than the peak. A day has $24 \cdot 60 \cdot 60$ seconds.

# %% [markdown] lang="zh" of="7c0960c5" tags=["hint"]
# 时间 = 工作量 ÷ 速度。每个参数、每个词元，前向要 2 FLOPs，反向是它的两倍。实际速度低于峰值。一天有 $24 \cdot 60 \cdot 60$ 秒。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — what a training step costs
#
# $6ND$ forgets that the first layer needs no gradient of its input. Write `training_flops(sizes)`: the FLOPs of the matrix products for
# *one* example, forward and backward, in a stack of dense layers (biases and activations left out). Then compare with $6N$ for
# `[784, 128, 10]`.

# %% [markdown] lang="zh" of="d49b2051"
# ### 练习 3 · 难 —— 训练一步要多少运算
#
# $6ND$ 忘了一件事：第一层不必求输入的梯度。写出 `training_flops(sizes)`：一叠全连接层处理一个样本，前向加反向，
# 所有矩阵乘法一共多少 FLOPs（偏置和激活函数不计）。再对 `[784, 128, 10]` 与 $6N$ 比一比。

# %% tags=["exercise"]
def training_flops(sizes):
    """FLOPs of the matrix products for one example, forward and backward."""
    ### BEGIN SOLUTION
    weights = [inputs * outputs for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True)]
    return 2 * (3 * sum(weights) - weights[0])
    ### END SOLUTION

# %% tags=["check"]
exercises.check("01a.training_flops", training_flops)

# %% [markdown] lang="en" tags=["hint"]
# One multiply-add is 2 FLOPs, and every weight takes part in one product forward, one for its own gradient, and one for the gradient
# of the layer's input. Which layer can leave out which of the three?

# %% [markdown] lang="zh" of="a9c53e6a" tags=["hint"]
# 一次乘加算 2 FLOPs。每个权重参与三次乘法：前向一次，求它自己的梯度一次，求这一层输入的梯度一次。哪一层可以省掉哪一次？

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("01a")

# %% [markdown] lang="en"
# ## What to read
#
# - Goodfellow, Bengio and Courville, [*Deep Learning*](https://www.deeplearningbook.org), chapter 1.
# - LeCun, Bengio and Hinton, [*Deep learning*](https://doi.org/10.1038/nature14539), 2015: the field on nine pages.
# - Kaplan et al., [*Scaling laws for neural language models*](https://arxiv.org/abs/2001.08361), and Hoffmann et al.,
#   [*Training compute-optimal large language models*](https://arxiv.org/abs/2203.15556): where $6ND$ is used (chapter 8).
#
# **What the full profile changes.** Only the matrix whose product is timed: it is larger, so that a fast machine shows its speed.
#
# Next: chapter 2 lets the network see that neighbouring pixels are neighbours.

# %% [markdown] lang="zh" of="c21adaa8"
# ## 应用与延伸阅读
#
# - Goodfellow、Bengio 与 Courville，[《深度学习》](https://www.deeplearningbook.org)（“花书”，有中译本），第 1 章；
#   邱锡鹏，[《神经网络与深度学习》](https://nndl.github.io)，第 1 章。
# - LeCun、Bengio 与 Hinton，[*Deep learning*](https://doi.org/10.1038/nature14539)，2015：用九页讲完这个领域。
# - Kaplan 等，[*Scaling laws for neural language models*](https://arxiv.org/abs/2001.08361)；Hoffmann 等，
#   [*Training compute-optimal large language models*](https://arxiv.org/abs/2203.15556)：$6ND$ 就用在这里（第 8 章）。
#
# **换成 full 配置会怎样。** 只有测速用的矩阵变大，好让快的机器显出本事。
#
# 接下来：第 2 章让网络看见，相邻的像素是邻居。
