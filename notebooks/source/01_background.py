# %% [markdown] lang="en" reads=["seeds-01"] telling=["baseline.test_accuracy", "mlp.test_accuracy", "noise.random_labels_training_accuracy"]
# # 1 Background
#
# *Deep Learning, Measured.* In this course nothing is true because it is printed. You compute it, measure it, and compare.
#
# Start here: about sixty lines of NumPy, no library of networks, and a program that reads handwriting it has never seen.
# You write each of its seven steps. Then Keras does the same, from the same weights, and arrives at the same numbers.
# And then the question behind the headlines: what makes a model *large*, and how large are yours beside GPT-3?
#
# **At the end you can**
#
# - say what AI, machine learning, deep learning and large models are, and tell five kinds of learning apart;
# - compute a neuron, its activation and its gradients, with two witnesses that agree with you;
# - train a network from scratch in seven steps, and test it without fooling yourself;
# - count a model's parameters and FLOPs, and estimate what its training costs;
# - spot a claim that promises too much, and a listing that cannot run.
#
# **To know before:** Python, a little NumPy, what a derivative is. Time and memory, measured, stand below the imports.

# %% [markdown] lang="zh" of="17178872"
# # 1 背景
#
# 《实测深度学习》：在这门课里，印出来的话不算数，算出来、测出来、对得上的才算数。
#
# 从这里开始：大约六十行 NumPy，不用任何神经网络库，写出一个程序，让它认出从没见过的手写数字。七个步骤，每一步都由你亲手写。
# 然后让 Keras 从同样的权重出发做同样的事，看它得到的数是不是一样。
# 最后回到新闻标题背后的问题：模型怎样才算*大*？你的模型和 GPT-3 差多远？
#
# **学完这一章，你能够**
#
# - 说清人工智能、机器学习、深度学习和大模型各指什么，分清五种学习方式；
# - 手算一个神经元、它的激活函数和梯度，并请两位 “证人” 来核对；
# - 用七个步骤从零训练一个网络，测试时不自欺；
# - 数出一个模型的参数量和浮点运算次数（FLOPs），估算训练它要花多少；
# - 看出哪些说法许诺得太多，哪些代码根本跑不起来。
#
# **预备知识：** Python，一点 NumPy，知道什么是导数。实测的时间和内存写在导入语句之后。

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
from course_utils.topics import flops, published_models
from course_utils.models import vision
from course_utils.profiles import choose
from course_utils.reference import activations

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("01")

# %% [markdown] lang="en"
# ## Four words, one inside the other
#
# - **Artificial intelligence** (AI): programs that do what we would call intelligent in a person. A chess program with
#   rules written by hand belongs here, and learns nothing.
# - **Machine learning**: the rules are not written, they are *fitted to data*. A line through points is the smallest case.
# - **Deep learning**: what is fitted is a network of several layers. Each layer makes new features out of those below.
# - **Large models**: deep networks with so many parameters, so much data and so much computation that one training serves
#   many tasks. There is no fixed limit; further down you measure where the published ones stand.

# %% [markdown] lang="zh" of="003abbae"
# ## 四个词，一个套一个
#
# - **人工智能**（AI）：如果换成人来做，我们会称之为 “聪明” 的程序。规则全由人手写的下棋程序也算，而它什么也没学。
# - **机器学习**：规则不靠手写，而是*用数据拟合*出来。过几个点画一条直线，就是最小的例子。
# - **深度学习**：拟合的是一个多层网络，每一层用下面一层的特征做出新的特征。
# - **大模型**：参数、数据、计算都多到一定程度的深度网络，训练一次，可以服务许多任务。没有一条固定的界线；
#   已发表的模型究竟有多大，后面你会亲手量一量。

# %%
circles = [  # words, example, radius
    ("artificial intelligence", "a chess program with hand-written rules", 4.0),
    ("machine learning", "a line through points, a decision tree", 3.0),
    ("deep learning", "the network you train below", 2.0),
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
# | supervised | a label by a person | digit → which one it is |
# | unsupervised | none: find structure | sort digits into groups |
# | semi-supervised | labels for a few | ten labelled digits, thousands without |
# | self-supervised | a hidden part of the data itself | upper half → lower half; text → next word |
# | reinforcement | a reward for what was done | guess, then hear "right" or "wrong" |
#
# **Why the last two matter now.** Large language models are pre-trained *self-supervised*, by predicting hidden or next
# words ([BERT](https://arxiv.org/abs/1810.04805), [GPT-3](https://arxiv.org/abs/2005.14165)): nobody could label so much
# text. Many are then tuned with *reinforcement* from people's preferences
# ([InstructGPT](https://arxiv.org/abs/2203.02155)). A reward says how good an answer was, and never which one was right.

# %% [markdown] lang="zh" of="ce99a027"
# ## 五种学习方式：谁是老师？
#
# 同样的数字图片可以用五种方式来教。区别在于：告诉程序 “错了多少” 的那个*信号*从哪里来。
#
# | 方式 | 信号 | 例子 |
# |---|---|---|
# | 监督学习（supervised） | 人给的标签 | 图片 → 它是几 |
# | 无监督学习（unsupervised） | 没有，自己找结构 | 把数字分成几堆 |
# | 半监督学习（semi-supervised） | 少数样本有标签 | 十张有标签，几千张没有 |
# | 自监督学习（self-supervised） | 数据自己被遮住的部分 | 上半张 → 下半张；上文 → 下一个词 |
# | 强化学习（reinforcement） | 对行动的奖励 | 先猜，再听到 “对” 或 “错” |
#
# **后两种为什么重要？** 大语言模型的预训练是*自监督*的：预测被遮住的词或下一个词
# （[BERT](https://arxiv.org/abs/1810.04805)、[GPT-3](https://arxiv.org/abs/2005.14165)），这么多文本，没有人标得完。
# 许多模型随后还要按人的偏好做*强化学习*（[InstructGPT](https://arxiv.org/abs/2203.02155)）。
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
# A neuron weighs its inputs, adds a bias, and bends the sum by an **activation** $f$:
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
# The name "neuron" is history ([Rosenblatt 1958](https://doi.org/10.1037/h0042519)). It is a weighted sum, not a model of
# a nerve cell.
#
# Are the slopes in the table right? We ask two witnesses: `GradientTape`, which follows the calculation, and **finite
# differences**, which nudge $z$ and look. (ReLU has a kink at 0, where no slope exists; we keep away from it.)

# %% [markdown] lang="zh" of="33a311f0"
# ## 一个神经元，四种激活函数
#
# 神经元把输入加权求和，加上偏置，再用**激活函数**（activation）$f$ 把结果 “弯” 一下：
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
# “神经元” 这个名字是历史遗留（[Rosenblatt，1958](https://doi.org/10.1037/h0042519)）：它是一个加权和，并不是神经细胞的模型。
#
# 表里的斜率对不对？请两位证人：`GradientTape` 沿着计算过程求导；**有限差分**（finite differences）则把 $z$ 拨动一点点，
# 看结果变多少。（ReLU 在 0 处有一个折角，那里没有斜率，我们避开它。）

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
        tape.watch(point)
        by_keras = getattr(keras.activations, name)(point)
    proofs.equal({f"{name}: NumPy": function(z), "Keras": by_keras}, tolerance=1e-7)
    proofs.equal({
        "    slope · 斜率": getattr(activations, f"{name}_backward")(np.ones_like(z), z),
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
# Look at the right picture. Where a slope is near zero, nothing is learned. The sigmoid's is a quarter at best, and each
# further layer multiplies by it again: one reason why deep networks use ReLU or GELU inside.
#
# ## Why bend at all?
#
# A **layer** is many neurons side by side: $y = f(xW + b)$. Put two layers on top of each other *without* an activation.
# **Predict:** what can the two do that one cannot?

# %% [markdown] lang="zh" of="dbaac2be"
# 看右图：斜率接近零的地方，什么也学不到。sigmoid 的斜率最多四分之一，每多一层就再乘一次。深层网络内部改用 ReLU 或 GELU，
# 这是原因之一。
#
# ## 为什么非要 “弯” 一下？
#
# **层**（layer）就是并排的许多神经元：$y = f(xW + b)$。把两层*不带*激活函数地叠起来。**先猜：** 两层能做到哪些一层做不到的事？

# %%
x = random.normal(size=(6, 8))
first, first_bias = random.normal(size=(8, 5)), random.normal(size=5)
second, second_bias = random.normal(size=(5, 3)), random.normal(size=3)
proofs.equal({
    "two layers": (x @ first + first_bias) @ second + second_bias,
    "one layer": x @ (first @ second) + (first_bias @ second + second_bias),
}, tolerance=1e-12)
bent = activations.relu(x @ first + first_bias) @ second + second_bias
best_line = np.linalg.lstsq(np.c_[x, np.ones(6)], bent, rcond=None)[0]
more = random.normal(size=(1000, 8))
difference = np.c_[more, np.ones(1000)] @ best_line - (activations.relu(more @ first + first_bias) @ second + second_bias)
print("with ReLU, a single layer can do it · 加上 ReLU 后单层还能做到吗:", bool(np.abs(difference).max() < 1e-3))

# %% [markdown] lang="en"
# Nothing. Two products in a row are one product. The bend between them is what makes a second layer worth having.
#
# ## Seven steps
#
# 1. **Initialise**: small random weights. (All zero? Then all neurons stay the same for ever.)
# 2. **Forward**: compute the answers of a batch.
# 3. **Loss**: one number that says how wrong they are.
# 4. **Gradient**: how would the loss change with each weight? Backpropagation.
# 5. **Update**: move every weight a little against its gradient.
# 6. **Repeat** 2 to 5 with the next batch, until a *validation* set says stop.
# 7. **Test**, once, on data that played no part in any decision.
#
# First the data. Pixels come as whole numbers from 0 to 255; divided by 255 they suit weights of ordinary size. The
# training file is cut in two, most for steps 2 to 5, some to validate. The test file waits for step 7. **Who chooses the
# number of epochs by the test set has trained on the test set**, only slowly.
#
# Three words that this course's outputs use. The **profile**, printed at the top, says how large a run is: *smoke*
# (seconds), *laptop* (minutes; what you see here), *full* (long); `choose` picks the number for it. A **band** beside a
# result is what three seeds reached, widened; ✓ means inside. Losses are in **nats**: natural logarithms, as bits are those to
# the base 2.

# %% [markdown] lang="zh" of="94ab11d2"
# 什么也没有：连着两次矩阵乘法还是一次矩阵乘法。正因为中间弯了一下，第二层才有意义。
#
# ## 七个步骤
#
# 1. **初始化**：取小的随机权重。（全取零会怎样？所有神经元将永远一模一样。）
# 2. **前向**：算出一批样本的答案。
# 3. **损失**：用一个数说明错了多少。
# 4. **梯度**：每个权重动一点，损失会怎么变？这就是反向传播（backpropagation）。
# 5. **更新**：每个权重都逆着梯度走一小步。
# 6. **重复** 2 至 5，换下一批，直到*验证集*说可以停了。
# 7. **测试**：只做一次，用从未参与过任何决定的数据。
#
# 先准备数据。像素是 0 到 255 的整数，除以 255 之后，大小正好与权重相配。训练文件切成两份：大部分用于第 2 至 5 步，
# 小部分用来验证。测试文件留到第 7 步。**谁用测试集来挑训练轮数，谁就是在测试集上训练**，只不过慢一些。
#
# 输出里有三个词先说明一下。开头打印的**配置**（profile）决定这次运行的规模：*smoke*（几秒）、*laptop*（几分钟，就是你现在看到的）、
# *full*（很久）；`choose` 按它选出相应的数。结果旁边的**区间**（band）是三个随机种子达到的范围，再放宽一些；✓ 表示落在里面。
# 损失的单位是**奈特**（nat）：取自然对数；取以 2 为底的对数，单位就是比特。

# %%
count = choose(smoke=4_000, laptop=15_000, full=55_000)
images = digits.x_train.reshape(-1, 784)  # (60000, 784), uint8


def prepare(pixels):
    """uint8 0…255 → float32 0…1."""
    return pixels.astype("float32") / 255


x_train, y_train = prepare(images[:count]), digits.y_train[:count].astype("int64")
x_valid, y_valid = prepare(images[-5_000:]), digits.y_train[-5_000:].astype("int64")
x_test, y_test = prepare(digits.x_test.reshape(-1, 784)), digits.y_test.astype("int64")
print("validation · 验证:", x_valid.shape, " test · 测试:", x_test.shape, x_test.dtype, x_test.min(), "…", x_test.max())
plots.show(
    plots.grid(x_train[:16].reshape(-1, 28, 28), y_train[:16], size=0.8),
    alt="Sixteen handwritten digits of the training set with their labels.",
    alt_zh="训练集中的十六个手写数字及其标签。",
)

# %% [markdown] lang="en"
# ### Steps 1 to 4, with our own backpropagation
#
# The network: 784 pixels → 128 neurons with ReLU → 10 scores, one a digit. In rows, a batch of $n$ images at a time:
#
# $$ Z = XW_1 + b_1, \quad H = \max(0, Z), \quad S = HW_2 + b_2, \quad P = \operatorname{softmax}(S), \quad
#    L = -\frac{1}{n} \sum_i \log P_{i, y_i} $$
#
# Softmax turns scores into probabilities, and cross entropy $L$ is the price of a small probability for the truth
# (chapter 4 derives both). Backwards, from the loss to the pixels, $G$ standing for $\partial L / \partial$:
#
# $$ G_S = \frac{P - Y}{n}, \quad G_{W_2} = H^\top G_S, \quad G_{b_2} = \sum_i G_{S,i}, \quad
#    G_Z = (G_S W_2^\top) \odot [Z > 0], \quad G_{W_1} = X^\top G_Z, \quad G_{b_1} = \sum_i G_{Z,i} $$
#
# $Y$: a one at the right digit. Read it as a sentence: *the error goes back along the same wires, and each weight gets
# error times input.* ([Rumelhart, Hinton and Williams 1986](https://doi.org/10.1038/323533a0))
#
# Before anything is trained with it: is it right? `GradientTape` checks every number. Finite differences would take two
# forward passes for each of the weights, so they check a smaller network, in double precision.

# %% [markdown] lang="zh" of="9828a8ed"
# ### 第 1 至 4 步：自己写反向传播
#
# 网络是：784 个像素 → 128 个带 ReLU 的神经元 → 10 个得分，每个数字一个。每次一批 $n$ 张图，一行一张：
#
# $$ Z = XW_1 + b_1, \quad H = \max(0, Z), \quad S = HW_2 + b_2, \quad P = \operatorname{softmax}(S), \quad
#    L = -\frac{1}{n} \sum_i \log P_{i, y_i} $$
#
# softmax 把得分变成概率；交叉熵（cross entropy）$L$ 是给正确答案的概率太小时要付的代价（两者的推导在第 4 章）。
# 反过来，从损失走回像素，用 $G$ 表示 $\partial L / \partial$：
#
# $$ G_S = \frac{P - Y}{n}, \quad G_{W_2} = H^\top G_S, \quad G_{b_2} = \sum_i G_{S,i}, \quad
#    G_Z = (G_S W_2^\top) \odot [Z > 0], \quad G_{W_1} = X^\top G_Z, \quad G_{b_1} = \sum_i G_{Z,i} $$
#
# $Y$ 在正确的数字处为 1，其余为 0。读成一句话就是：*误差沿原路返回，每个权重得到 “误差乘以输入”。*
# （[Rumelhart、Hinton 与 Williams，1986](https://doi.org/10.1038/323533a0)）
#
# 先别急着训练：它对吗？`GradientTape` 核对每一个数。有限差分要为每个权重做两次前向，所以只用它核对一个小一点的网络，
# 并且用双精度。

# %%
def initialise(seed, hidden=128):
    """Step 1. [784 × hidden, hidden, hidden × 10, 10]; the spread √(2 / inputs) keeps ReLU layers at one scale."""
    generator = np.random.default_rng(seed)
    kernels = [generator.normal(size=shape) * np.sqrt(2 / shape[0]) for shape in [(784, hidden), (hidden, 10)]]
    return [array.astype("float32") for array in (kernels[0], np.zeros(hidden), kernels[1], np.zeros(10))]


def forward(parameters, x):
    """Step 2. Returns sums before ReLU (n, hidden), hidden layer (n, hidden), scores (n, 10)."""
    first, first_bias, second, second_bias = parameters
    sums = x @ first + first_bias
    hidden = np.maximum(sums, 0)
    return sums, hidden, hidden @ second + second_bias


def cross_entropy(scores, labels):
    """Step 3. Mean of −log probability of the right digit."""
    return -activations.log_softmax(scores)[np.arange(len(labels)), labels].mean()


fresh = initialise(SEED)
print("parameters · 参数:", [array.shape for array in fresh], "=", f"{sum(array.size for array in fresh):,}")
untrained = cross_entropy(forward(fresh, x_valid)[-1], y_valid)
print("loss of ten equal guesses · 十个数平均猜的损失: ln 10 =", np.log(10).round(3))

# %%
def gradients(parameters, x, labels):
    """Steps 2 to 4. Returns the loss and one gradient for each parameter array."""
    sums, hidden, scores = forward(parameters, x)
    error = activations.softmax(scores)  # (n, 10)
    error[np.arange(len(labels)), labels] -= 1
    error /= len(labels)
    hidden_error = (error @ parameters[2].T) * (sums > 0)  # (n, hidden)
    return cross_entropy(scores, labels), [
        x.T @ hidden_error, hidden_error.sum(axis=0), hidden.T @ error, error.sum(axis=0)]


loss, computed = gradients(fresh, x_train[:64], y_train[:64])
print("gradients · 梯度:", [array.shape for array in computed])

# %%
variables = [tf.Variable(array) for array in fresh]
with tf.GradientTape() as tape:
    scores = tf.nn.relu(x_train[:64] @ variables[0] + variables[1]) @ variables[2] + variables[3]
    tape_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y_train[:64], scores)
proofs.equal({"loss: NumPy": loss, "Keras": tape_loss})
for name, ours, theirs in zip(["W₁", "b₁", "W₂", "b₂"], computed, tape.gradient(tape_loss, variables), strict=True):
    proofs.equal({f"{name} by hand": ours, "GradientTape": theirs})

small = [random.normal(size=shape) for shape in [(9, 7), 7, (7, 10), 10]]
nine, labels = random.normal(size=(4, 9)), np.array([3, 1, 4, 1])
for place, name in enumerate(["W₁", "b₁", "W₂", "b₂"]):
    def loss_of(array, place=place):
        return cross_entropy(forward([*small[:place], array, *small[place + 1 :]], nine)[-1], labels)

    proofs.equal({f"small {name}": gradients(small, nine, labels)[1][place],
                  "finite differences": proofs.finite_differences(loss_of, small[place])}, tolerance=1e-7)

# %% [markdown] lang="en"
# ### Steps 5 to 7
#
# **Momentum**: keep a velocity $v$ that remembers the last gradients, $v \leftarrow \mu v - \eta\, G$, then
# $W \leftarrow W + v$; learning rate $\eta = 0.01$, momentum $\mu = 0.9$. Chapter 5 compares nine such rules.
#
# Beside the network stands a **baseline**: the mean image of each digit; a test image gets the label of the nearest mean.
# A network that does not beat this has learned nothing worth its name.

# %% [markdown] lang="zh" of="d09e4ab0"
# ### 第 5 至 7 步
#
# **动量**（momentum）：保留一个记住以往梯度的速度 $v$，先 $v \leftarrow \mu v - \eta\, G$，再 $W \leftarrow W + v$；
# 学习率 $\eta = 0.01$，动量 $\mu = 0.9$。第 5 章会比较九种更新规则。
#
# 网络旁边放一个**基线**（baseline）：算出每个数字的平均图，测试图离哪张平均图最近，就判为哪个数字。
# 连它都赢不了的网络，不能算学到了东西。

# %%
def update(parameters, velocity, gradient, learning_rate, momentum=0.9):
    """Step 5."""
    velocity = [momentum * v - learning_rate * g for v, g in zip(velocity, gradient, strict=True)]
    return [array + v for array, v in zip(parameters, velocity, strict=True)], velocity


def accuracy(parameters, x, labels):
    """Step 7."""
    return float((forward(parameters, x)[-1].argmax(axis=1) == labels).mean())


def train(parameters, x, labels, order, learning_rate=0.01, batch_size=64, validation=None):
    """Step 6. `order`: (epochs, examples), which example comes when. Returns parameters, losses an epoch, validation's."""
    velocity, losses, validation_losses = [np.zeros_like(array) for array in parameters], [], []
    for epoch in order:
        batch_losses = []
        for start in range(0, len(epoch), batch_size):
            chosen = epoch[start : start + batch_size]
            loss, gradient = gradients(parameters, x[chosen], labels[chosen])
            parameters, velocity = update(parameters, velocity, gradient, learning_rate)
            batch_losses.append(loss)
        losses.append(float(np.mean(batch_losses)))
        if validation is not None:
            validation_losses.append(float(cross_entropy(forward(parameters, validation[0])[-1], validation[1])))
    return parameters, losses, validation_losses

# %% tags=["nbval-ignore-output"]
epochs = choose(smoke=3, laptop=6, full=20)
shuffler = np.random.default_rng(SEED)
order = np.stack([shuffler.permutation(count) for _ in range(epochs)])
begin = time.perf_counter()
trained, losses, validation_losses = train(fresh, x_train, y_train, order, validation=(x_valid, y_valid))
numpy_seconds = time.perf_counter() - begin

means = np.stack([x_train[y_train == digit].mean(axis=0) for digit in range(10)])
distance = (means**2).sum(axis=1) - 2 * x_test @ means.T  # (10000, 10), without the term that all share
results.record("mlp.untrained_loss", untrained, band=(2.13, 2.74))
results.record("baseline.test_accuracy", (distance.argmin(axis=1) == y_test).mean(), band=choose(smoke=(0.80, 0.82), laptop=(0.80, 0.82), full=(0.80, 0.83)))
results.record("mlp.validation_accuracy", accuracy(trained, x_valid, y_valid), band=choose(smoke=(0.908, 0.916), laptop=(0.949, 0.962), full=(0.96, 0.99)))
results.record("mlp.test_accuracy", accuracy(trained, x_test, y_test), band=choose(smoke=(0.873, 0.907), laptop=(0.939, 0.949), full=(0.96, 0.99)))
results.record("mlp.numpy_seconds", numpy_seconds, unit="s", digits=1)

# %% tags=["nbval-ignore-output"]
seen = forward(trained, x_test[:2000])[-1]
wrong = np.flatnonzero(seen.argmax(axis=1) != y_test[:2000])[:6]
figure, axes = plt.subplots(1, 8, figsize=(10.5, 3), width_ratios=[8, 0.4, *[2.2] * 6])
axes[0].plot(range(1, epochs + 1), losses, marker="o", label="training")
axes[0].plot(range(1, epochs + 1), validation_losses, linestyle="--", marker="s", label="validation")
axes[0].set(xlabel="epoch", ylabel="cross entropy (nats)", title="Loss", ylim=(0, None), xticks=range(1, epochs + 1))
axes[0].legend()
axes[1].axis("off")
for axis, place in zip(axes[2:], wrong, strict=False):
    axis.imshow(x_test[place].reshape(28, 28))
    axis.set_title(f"{y_test[place]}, read {seen[place].argmax()}", fontsize=9)
for axis in axes[2:]:
    axis.axis("off")
plots.show(
    figure,
    alt="Training and validation loss fall from epoch to epoch; beside them six test digits that the network misreads.",
    alt_zh="训练损失和验证损失逐轮下降；旁边是网络读错的六个测试数字。",
)

# %% [markdown] lang="en"
# Both curves fall together: so far the network learns what also holds for images it has not seen. (The training curve
# lies higher at first because it is the mean over an epoch, in which the weights were still worse.)
#
# ## The same network in Keras
#
# What you wrote is `perceptron` in `course_utils.models.vision`: three lines of layers. `SGD(0.01, momentum=0.9)` is our
# step 5, and sparse categorical cross entropy our step 3. If that is true, then from the same weights, with the same
# batches in the same order, Keras must produce the same numbers, step after step. Not similar: the same.

# %% [markdown] lang="zh" of="580d876c"
# 两条曲线一起下降：到目前为止，网络学到的东西对没见过的图也管用。（训练曲线开头偏高，是因为它取的是整轮的平均，
# 而那一轮里权重还没有现在这么好。）
#
# ## 用 Keras 写同一个网络
#
# 你写的网络就是 `course_utils.models.vision` 里的 `perceptron`：三行网络层。`SGD(0.01, momentum=0.9)` 是我们的第 5 步，
# 稀疏分类交叉熵是第 3 步。果真如此的话，从同样的权重出发，用同样次序的同样批次，Keras 每一步都必须给出相同的数。
# 不是相近，是相同。

# %%
with strategy.scope():
    perceptron = vision.perceptron()
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    perceptron.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=16)
perceptron.set_weights(fresh)
ours, velocity, our_losses, keras_losses = fresh, [np.zeros_like(array) for array in fresh], [], []
for start in range(0, 20 * 64, 64):
    chosen = order[0][start : start + 64]
    our_loss, gradient = gradients(ours, x_train[chosen], y_train[chosen])
    ours, velocity = update(ours, velocity, gradient, learning_rate=0.01)
    with tf.GradientTape() as tape:
        probabilities = perceptron(x_train[chosen].reshape(-1, 28, 28, 1), training=True)
        loss = keras.losses.SparseCategoricalCrossentropy()(y_train[chosen], probabilities)
    optimizer.apply(tape.gradient(loss, perceptron.trainable_variables), perceptron.trainable_variables)
    our_losses.append(our_loss)
    keras_losses.append(loss)
proofs.equal({"20 losses: NumPy": our_losses, "Keras": keras_losses})
for name, array, weights in zip(["W₁", "b₁", "W₂", "b₂"], ours, perceptron.get_weights(), strict=True):
    proofs.equal({f"{name} after 20 steps: NumPy": array, "Keras": weights})

# %% tags=["nbval-ignore-output"]
with strategy.scope():
    perceptron.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy", steps_per_execution=16)
perceptron.set_weights(fresh)
begin = time.perf_counter()
for epoch in order:  # the same order as above; a reader's own program would call fit once, with shuffle=True
    perceptron.fit(x_train[epoch].reshape(-1, 28, 28, 1), y_train[epoch], batch_size=64, shuffle=False, verbose=0)
keras_seconds = time.perf_counter() - begin
apart = max(np.abs(a - b).max() for a, b in zip(trained, perceptron.get_weights(), strict=True))
agree = (forward(trained, x_test)[-1].argmax(1) == forward(perceptron.get_weights(), x_test)[-1].argmax(1)).mean()
results.record("mlp.keras_test_accuracy", accuracy(perceptron.get_weights(), x_test, y_test), band=choose(smoke=(0.873, 0.907), laptop=(0.939, 0.949), full=(0.96, 0.99)))
results.record("mlp.same_answers", agree, band=choose(smoke=(0.995, 1), laptop=(0.995, 1), full=(0.98, 1)))
results.record("mlp.largest_weight_difference", apart, digits=8)
results.record("mlp.keras_seconds", keras_seconds, unit="s", digits=1)

# %% [markdown] lang="en"
# The last digits drift apart over a whole training, since a computer's additions round, and Keras adds in another order.
# The answers stay the same. From here on we may use Keras and know what it does.
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

# %% [markdown] lang="zh" of="f8ae5747"
# 训练到最后，末几位数字会慢慢分开：计算机做加法要舍入，而 Keras 相加的次序与我们不同。但给出的答案仍然一样。
# 从现在起可以放心用 Keras 了，因为你知道它在做什么。
#
# ## 模型怎样才算大？
#
# 看三个数：**参数量** $N$、**数据量** $D$、**计算量** $C$。参数量可以手算，每一对之间一个权重，每个神经元一个偏置：
#
# $$ N = (784 \cdot 128 + 128) + (128 \cdot 10 + 10) $$
#
# 计算量用 **FLOPs**（浮点运算次数）来数。这里*一次乘加算 2 FLOPs*（许多图像网络的论文只算 1，比较之前先看清楚）。
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

course = {"perceptron": perceptron, "beginner's CNN": vision.beginner_cnn(), "deeper CNN": vision.deeper_beginner_cnn(),
          "fast CNN": vision.fast_cnn(), "LSTM on rows": rows_lstm, "LSTM on text": text_lstm, "small GPT": small_gpt}
sizes = {name: flops.total(flops.count(model)) for name, model in course.items()}
print("                 parameters          FLOPs   FLOPs ÷ 2N")
for name, size in sizes.items():
    assert size.parameters == course[name].count_params()
    print(f"{name:15} {size.parameters:12,} {size.flops:14,} {size.flops / 2 / size.parameters:12.1f}")
print("by hand · 手算:", f"{(784 * 128 + 128) + (128 * 10 + 10):,}")

# %% [markdown] lang="en"
# The last column tells two families apart. In the perceptron each weight is used *once* an example. A convolution uses
# its few weights at hundreds of places; an LSTM and a Transformer use theirs at every time step. Parameters alone do not
# tell the cost.
#
# Now the famous ones. Nobody needs to build GPT-3 to count it: a Transformer's size follows from its shape. A block of
# width $d$ with a feed-forward part four times as wide holds $12\,d^2 + 13\,d$ parameters; with $\ell$ blocks,
# vocabulary $V$ and context $T$,
#
# $$ N = \ell\,(12\,d^2 + 13\,d) + (V + T)\,d + 2\,d \qquad\text{(GPT-2, GPT-3)} $$
#
# Published sizes stand in `course_utils.published`, each with its source. (ResNet-50's paper prints only its multiply-adds;
# its parameters are counted with `keras.applications`.) Does the formula give them?

# %% [markdown] lang="zh" of="d9d7596a"
# 最后一列把模型分成两类。在感知机里，每个权重处理一个样本时只用*一次*；卷积的那几个权重要用在几百个位置上，LSTM 和 Transformer
# 的权重每个时间步都要用。只看参数量，看不出计算量。
#
# 再看那些有名的模型。不必真的造一个 GPT-3 才能数它：Transformer 的大小由形状决定。宽度为 $d$、前馈部分宽四倍的一个块有
# $12\,d^2 + 13\,d$ 个参数；设有 $\ell$ 个块、词表大小 $V$、上下文长度 $T$，则
#
# $$ N = \ell\,(12\,d^2 + 13\,d) + (V + T)\,d + 2\,d \qquad\text{（GPT-2、GPT-3）} $$
#
# 公布的大小写在 `course_utils.published` 里，每个都有出处。（ResNet-50 的论文只给了乘加次数，参数量是用 `keras.applications`
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
# The rule leaves out attention between tokens, and it is about *dense* Transformers: all weights used, each once a token.
# The first list below counts layer by layer, for both kinds of network: that is the test. The second puts $6ND$ beside
# published training costs, and there a ratio near 1 proves little: such costs are mostly computed, not measured, and often
# by this very rule. The table in the appendix of GPT-3's paper, from which BERT's costs come too, is 6 × parameters ×
# tokens, without attention. So the second list checks $N$ and $D$, not the rule. Then your machine: how long would it need?

# %% [markdown] lang="zh" of="a213a6fe"
# ## 训练的代价：$6ND$，以及它何时成立
#
# 如果每个权重对每个词元只用一次，一个词元的前向就要 $2N$ FLOPs。反向是它的两倍：一次乘法求权重的梯度，一次求输入的梯度。
# 所以 $D$ 个词元要（[Kaplan 等，2020](https://arxiv.org/abs/2001.08361)）
#
# $$ C \approx 6\,N\,D $$
#
# 这条规则没有算词元之间的注意力，而且说的是*稠密* Transformer：全部权重都用到，每个词元各用一次。下面第一组数逐层计数，
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
trained_flops = 3 * sizes["perceptron"].flops * count * epochs  # forward, and backward at twice the cost
results.record("machine.matrix_product_speed", speed / 1e9, unit="GFLOP/s", digits=1)
results.record("machine.numpy_training_share", trained_flops / numpy_seconds / speed, digits=3)
print(f"the perceptron, {epochs} epochs · 感知机训练: {trained_flops:.1e} FLOPs")
for model in published_models.MODELS:
    if model.training_flops:
        years = model.training_flops / speed / (365 * 86400)
        print(f"{model.name:12} {model.training_flops:.1e} FLOPs → {years:14,.1f} years on this machine · 年")

# %% [markdown] lang="en"
# (`numpy_training_share` is the part of the measured speed that your NumPy training reached; the rest of its time went into
# everything that is not one large matrix product.)
#
# For GPT-3 the rule is off by a few parts in a hundred. For convolutional networks it is wrong by a factor of fifteen to
# more than a hundred: count their layers instead. (Two more exceptions: an embedding's rows are looked up and not multiplied, and a
# mixture of experts uses only part of its weights for a token.)
#
# ## Where large models are used
#
# **Language.** *Classification* and *sentiment* (is this review pleased?), *named entities* (which words are a person, a
# place?), *semantic role labelling* (who did what to whom?): here encoders in the manner of
# [BERT](https://arxiv.org/abs/1810.04805), made at Google, are fine-tuned. They need few labels, and inherit the slant of
# the text they read. For sorting short texts, word counts with logistic regression are a strong rival (chapter 6a
# measures it). *Generation* and *dialogue* belong to decoders like OpenAI's [GPT](https://arxiv.org/abs/2005.14165)
# (often printed as Google's, which is wrong). They write fluently and state false things as fluently: nothing in next-word prediction
# rewards truth.
#
# **Vision.** *Recognition*: [AlexNet](https://doi.org/10.1145/3065386) (Toronto, 2012), [VGG](https://arxiv.org/abs/1409.1556)
# (Oxford, 2014), [ResNet](https://arxiv.org/abs/1512.03385) (Microsoft, 2015). *Detection*, several things and their places:
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
# networks within few years. Good between languages with much parallel text, weaker for the others, and over whole documents.
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
# this kind of data (then fine-tune, chapter 8b)? If not: what *structure* has the data?
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

# %% [markdown] lang="zh" of="18753ac4"
# （`numpy_training_share` 是你的 NumPy 训练达到了所测速度的几分之几；其余时间花在了大矩阵乘法以外的事情上。）
#
# 对 GPT-3，这条规则只差百分之几；对卷积网络，却要差十几倍到上百倍：那就老老实实逐层数。（还有两个例外：嵌入表是查表，不做乘法；
# 混合专家模型处理一个词元时只用到一部分权重。）
#
# ## 大模型用在哪里
#
# **语言。** *文本分类*与*情感分析*（这条评论满意吗？）、*命名实体识别*（哪些词是人名、地名？）、*语义角色标注*（谁对谁做了什么？）：
# 这类任务通常微调 Google 的 [BERT](https://arxiv.org/abs/1810.04805) 一类的编码器。所需标签不多，但会继承所读文本里的偏见。
# 给短文本分类时，词频加逻辑回归是个很强的对手（第 6a 章实测）。*文本生成*和*对话*则是解码器的天下，
# 例如 OpenAI 的 [GPT](https://arxiv.org/abs/2005.14165)（常有人误印成 Google 的）。它们写得流畅，说错话时也一样流畅：
# 预测下一个词，本来就没有奖励真实。
#
# **视觉。** *识别*：[AlexNet](https://doi.org/10.1145/3065386)（多伦多大学，2012）、[VGG](https://arxiv.org/abs/1409.1556)
# （牛津大学，2014）、[ResNet](https://arxiv.org/abs/1512.03385)（微软，2015）。*检测*（有哪些东西，各在哪里）：
# [R-CNN](https://arxiv.org/abs/1311.2524) 和 [YOLO](https://arxiv.org/abs/1506.02640)。*图像生成*：
# 早先是[对抗网络](https://arxiv.org/abs/1406.2661)，如今多用[扩散模型](https://arxiv.org/abs/2006.11239)。
# 即使是按与原测试集相同的办法新收集的照片，分类网络的准确率也会下降（[Recht 等，2019](https://arxiv.org/abs/1902.10811)）。
#
# **语音。** *识别*：[Deep Speech](https://arxiv.org/abs/1412.5567)（百度，循环网络），后来有
# [Whisper](https://arxiv.org/abs/2212.04356)（OpenAI，Transformer）。*合成*：[WaveNet](https://arxiv.org/abs/1609.03499)
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
# 网速和工作流程：在泰国的诊所里，许多真实病人的照片被系统判为 “无法评级”
# （[Beede 等，2020](https://doi.org/10.1145/3313831.3376718)）。
#
# ## 怎样选，用什么，到哪里学
#
# **怎样选择架构。** 按这个次序问：一个简单的基线能做到多好？这类数据有没有预训练模型（有就微调，见第 8b 章）？
# 没有的话：数据有什么样的*结构*？
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
# 《[动手学深度学习](https://zh.d2l.ai)》；[arXiv](https://arxiv.org) 上的论文（未经评审：看看是否正式发表，别人能否得到同样的数）。
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
# *“卷积神经网络始于 2006 年，由 Hinton 提出。”* 其实早了四分之一个世纪：福岛邦彦的新认知机，
# [1980 年](https://doi.org/10.1007/BF00344251)；LeCun 等人用反向传播训练卷积网络读邮政编码，
# [1989 年](https://doi.org/10.1162/neco.1989.1.4.541)；LeNet-5，[1998 年](https://doi.org/10.1109/5.726791)。
# Hinton、Osindero 与 Teh 在 [2006 年](https://doi.org/10.1162/neco.2006.18.7.1527) 发表的是深度*信念*网络：全连接，
# 不用标签，一层一层地训练。让卷积网络出名的，是 2012 年的 AlexNet。
#
# *“大模型有数百乃至数千万个参数。”* 拿本章出现的所有模型来检验：按这个定义，你的感知机算大模型，GPT-3 反而不算，
# 那它等于什么都没定义。

# %%
everything = {name: size.parameters for name, size in sizes.items()}
everything |= {model.name: model.parameters for model in published_models.MODELS}
claimed = [name for name, parameters in everything.items() if 1e2 <= parameters < 1e8]
print("“large” · 按此说法算大:", ", ".join(claimed))
print("not “large” · 按此说法不算:", ", ".join(name for name in everything if name not in claimed))
print(f"GPT-3 ÷ perceptron · 倍数: {everything['GPT-3'] / everything['perceptron']:,.0f}")

# %% [markdown] lang="en"
# ## Clinic 2: training on noise
#
# A common beginner's listing trains on random numbers: it makes a hundred random "images" to show that the loss goes
# down. It does. What does that show? We train *your* network three times on 500 examples: real digits with real labels,
# real digits with **random labels**, and **random pixels** with random labels. **Predict** the training loss and the test
# accuracy of each. (The idea: [Zhang et al. 2017](https://arxiv.org/abs/1611.03530).)

# %% [markdown] lang="zh" of="fb4d8636"
# ## 公式门诊之二：拿噪声来训练
#
# 常见的入门代码用随机数训练：造一百张随机 “图像”，好让人看到损失下降。损失确实会降，可这说明了什么？
# 我们用 500 个样本把*你的*网络训练三次：真图配真标签；真图配**随机标签**；**随机像素**配随机标签。
# **先猜**每一次的训练损失和测试准确率。（这个想法来自 [Zhang 等，2017](https://arxiv.org/abs/1611.03530)。）

# %% tags=["nbval-ignore-output"]
dice = np.random.default_rng([SEED, 1])
few, rounds = 500, choose(smoke=40, laptop=150, full=200)
noise, new_noise = (dice.normal(size=(rows, 784)).astype("float32") for rows in (few, 2_000))
cases = {  # training images and labels, test images and labels
    "real": (x_train[:few], y_train[:few], x_test, y_test),
    "random_labels": (x_train[:few], dice.integers(0, 10, few), x_test, y_test),
    "random_pixels": (noise, dice.integers(0, 10, few), new_noise, dice.integers(0, 10, 2_000)),
}
bands = {  # of the training loss, of the test accuracy
    "real": (choose(smoke=(0.019, 0.023), laptop=(0.0034, 0.0039), full=(0, 0.01)),
             choose(smoke=(0.828, 0.855), laptop=(0.834, 0.855), full=(0.82, 0.86))),
    "random_labels": (choose(smoke=(0.24, 0.42), laptop=(0.018, 0.028), full=(0, 0.03)),
                      choose(smoke=(0, 0.21), laptop=(0.019, 0.179), full=(0, 0.2))),
    "random_pixels": (choose(smoke=(0.004, 0.005), laptop=(0.0009, 0.0012), full=(0, 0.005)),
                      choose(smoke=(0.075, 0.127), laptop=(0.071, 0.133), full=(0.07, 0.135))),
}
memory_order, memory = np.stack([dice.permutation(few) for _ in range(rounds)]), {}
for name, (images_, labels_, test_images, test_labels) in cases.items():
    result, curve, _ = train(fresh, images_, labels_, memory_order, learning_rate=0.02)
    memory[name] = curve, accuracy(result, images_, labels_), accuracy(result, test_images, test_labels)
    left_over = cross_entropy(forward(result, images_)[-1], labels_)
    results.record(f"noise.{name}_training_loss", left_over, band=bands[name][0])
    results.record(f"noise.{name}_training_accuracy", memory[name][1], band=choose(smoke=(0.96, 1), laptop=(0.99, 1), full=(0.99, 1)))
    results.record(f"noise.{name}_test_accuracy", memory[name][2], band=bands[name][1])

# %% tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.5))
for place, (name, (curve, _, _)) in enumerate(memory.items()):
    words = name.replace("_", " ")
    left.plot(range(1, rounds + 1), curve, linestyle=plots.LINES[place], color=plots.COLORS[place], label=words)
    for shift, key, shade in [(-0.2, "training", 0.45), (0.2, "test", 1.0)]:
        value = memory[name][1 if key == "training" else 2]
        right.bar(place + shift, value, width=0.38, color=plots.COLORS[place], alpha=shade)
        right.text(place + shift, value + (0.02 if key == "training" else 0.06), key, ha="center", fontsize=8)
    spread = results.spread("01", f"noise.{name}_test_accuracy")
    if spread and profiles.name() == "laptop":
        right.plot([place + 0.2] * 2, [spread["lowest"], spread["highest"]], color="k", linewidth=3)
right.axhline(0.1, color="0.4", linewidth=1, linestyle=":")
left.set(xlabel="epoch", ylabel="training loss (nats)", title="Training loss", ylim=(0, None))
right.set(ylabel="accuracy", title="Accuracy (dotted: guessing, black: three seeds)", xticks=range(3), xticklabels=["real", "random\nlabels", "random\npixels"], ylim=(0, 1.1))
left.legend()
plots.show(
    figure,
    alt="Left: all three training losses fall to zero. Right: training accuracy is one in all three cases; test accuracy is high "
    "for real data and at guessing level for both random cases.",
    alt_zh="左图：三条训练损失都降到零。右图：三种情况的训练准确率都是一；测试准确率只有真实数据高，两种随机情况都停在瞎猜的水平。",
)

# %% [markdown] lang="en"
# All three learn their training set by heart. Only one learned anything about digits. **A falling training loss shows that
# the code runs, and nothing more.** Test data that was not trained on is what tells the three apart.
#
# ## Clinic 3: listings that cannot run
#
# Four faults from common beginners' listings, each in small: a name never imported, labels never made, a loader never
# defined, and an LSTM built for 100 features that is fed one. The first three can be found *without running*: collect the
# names that are read, subtract those that are written. (`ruff` and `pyflakes` do this for you. A shape needs a run: one
# batch, before the long one. The message then names both widths, 1 and 100.)

# %% [markdown] lang="zh" of="17b86e5a"
# 三次都把训练集背了下来，只有一次学到了关于数字的东西。**训练损失下降，只说明代码能跑，别的什么也没说明。**
# 能把三者区分开的，是没有参与训练的测试数据。
#
# ## 公式门诊之三：跑不起来的代码
#
# 常见入门代码里的四种毛病，各缩成一小段：用了从未导入的名字；标签从未生成；数据加载器从未定义；LSTM 按 100 个特征建好，
# 喂进来的却只有 1 个。前三种*不用运行*就能发现：收集所有被读取的名字，减去被赋值的名字。
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
# ## Clinic 4: words that promise too much
#
# *"Human-level."* Compared with which people, on which data, by which measure? In 2018 machine translation of news was
# reported at [human parity](https://arxiv.org/abs/1803.05567); judged by whole documents instead of single sentences,
# raters [preferred the people](https://arxiv.org/abs/1808.07048). Other such words: *understands, knows, solves, is robust,
# without bias, learns by itself*. Replace each by what was measured.
#
# Try it on your own network. It reads most of the test digits rightly. Now print the same digits black on white, which
# you read as well as before. **Predict** its accuracy.

# %% [markdown] lang="zh" of="45cdc244"
# ## 公式门诊之四：许诺过多的词
#
# *“达到人类水平。”* 和哪些人比？用什么数据？按什么标准？2018 年有报告说新闻的机器翻译已[与人相当](https://arxiv.org/abs/1803.05567)；
# 改为整篇评价而不是逐句评价之后，评审[更喜欢人的译文](https://arxiv.org/abs/1808.07048)。类似的词还有：*理解、知道、解决了、鲁棒、
# 没有偏见、自己学会*。见到它们，都换成实际测了什么。
#
# 拿你自己的网络试试。测试数字它大多读得对。现在把同样的数字印成白底黑字，你读起来毫无困难。**先猜它的准确率。**

# %% tags=["nbval-ignore-output"]
inverted = accuracy(trained, 1 - x_test, y_test)
results.record("mlp.inverted_accuracy", inverted, band=choose(smoke=(0, 0.022), laptop=(0, 0.043), full=(0, 0.15)))
plots.show(
    plots.grid([*x_test[:8].reshape(-1, 28, 28), *(1 - x_test[:8]).reshape(-1, 28, 28)],
               [f"read {read}" for images_ in (x_test[:8], 1 - x_test[:8]) for read in forward(trained, images_)[-1].argmax(1)],
               size=1.0, vmin=0, vmax=1),
    alt="Eight test digits white on black, and the same black on white; above each what the network reads: the upper row is "
    "mostly right, the lower mostly wrong.",
    alt_zh="八个黑底白字的测试数字，下面是同样的白底黑字；每张图上方写着网络读出的数字：上排大多正确，下排大多错误。",
)

# %% [markdown] lang="en"
# ### Exercise 1 · easy — count parameters
#
# Write `count_parameters(sizes)` for a stack of dense layers with biases. `sizes` lists the numbers from input to output,
# `[784, 128, 10]` for the perceptron.

# %% [markdown] lang="zh" of="cf59c7d0"
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
exercises.check("01.count_parameters", count_parameters)

# %% [markdown] lang="en" tags=["hint"]
# Go through neighbouring pairs. Each pair needs a weight for every combination, and a bias for every *output*. The input
# has no biases.

# %% [markdown] lang="zh" of="99ec1b2a" tags=["hint"]
# 逐对看相邻的两个大小：每种组合一个权重，每个*输出*一个偏置。输入没有偏置。

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
exercises.check("01.training_days", training_days)

# %% [markdown] lang="en" tags=["hint"]
# Work ÷ speed = time. Forward costs 2 FLOPs a parameter and token; backward twice that. The speed that is really reached
# is *less* than the peak. A day has $24 \cdot 60 \cdot 60$ seconds.

# %% [markdown] lang="zh" of="ba69ebe9" tags=["hint"]
# 时间 = 工作量 ÷ 速度。每个参数、每个词元，前向要 2 FLOPs，反向是它的两倍。实际速度*低于*峰值。一天有 $24 \cdot 60 \cdot 60$ 秒。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — a dense layer backwards
#
# For $Y = XW + b$ with $X$ of shape (n, inputs), write `dense_backward(upstream, x, weights)`. `upstream` is
# $\partial L/\partial Y$. Return the gradients of $X$, of $W$ and of $b$, as a tuple.

# %% [markdown] lang="zh" of="d00f6154"
# ### 练习 3 · 难 —— 全连接层的反向
#
# 设 $Y = XW + b$，$X$ 的形状为 (n, inputs)。写出 `dense_backward(upstream, x, weights)`，其中 `upstream` 是
# $\partial L/\partial Y$。以元组返回 $X$、$W$ 和 $b$ 的梯度。

# %% tags=["exercise"]
def dense_backward(upstream, x, weights):
    """Gradients (of x, of weights, of the bias)."""
    ### BEGIN SOLUTION
    return upstream @ weights.T, x.T @ upstream, upstream.sum(axis=0)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("01.dense_backward", dense_backward)

# %% [markdown] lang="en" tags=["hint"]
# A gradient has the shape of the thing it belongs to. Write down the three shapes; only one way of multiplying fits each.
# Every example added the same bias, so their errors add up (they are not averaged: the mean is already inside `upstream`).

# %% [markdown] lang="zh" of="e147a154" tags=["hint"]
# 梯度的形状与它所属的量相同。先写下三个形状，每个都只有一种乘法配得上。所有样本加的是同一个偏置，所以它们的误差要相加
# （不是取平均：平均已经在 `upstream` 里了）。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("01")

# %% [markdown] lang="en"
# ## What to read
#
# - Goodfellow, Bengio and Courville, [*Deep Learning*](https://www.deeplearningbook.org), chapters 1 and 6.
# - LeCun, Bengio and Hinton, [*Deep learning*](https://doi.org/10.1038/nature14539), 2015: the field on nine pages.
# - Rumelhart, Hinton and Williams, [*Learning representations by back-propagating errors*](https://doi.org/10.1038/323533a0),
#   1986: four pages; you have now programmed them.
# - Zhang et al., [*Understanding deep learning requires rethinking generalization*](https://arxiv.org/abs/1611.03530): random
#   labels, at full size.
# - Kaplan et al., [*Scaling laws for neural language models*](https://arxiv.org/abs/2001.08361), and Hoffmann et al.,
#   [*Training compute-optimal large language models*](https://arxiv.org/abs/2203.15556): where $6ND$ is used (chapter 8).
# - Geirhos et al., [*Shortcut learning in deep neural networks*](https://arxiv.org/abs/2004.07780): why networks are right for
#   the wrong reasons.
#
# **What the full profile changes.** The perceptron sees all training digits but those for validation, for more epochs, and the
# noise is trained longer. In the stored full run (one seed, `notebooks/results/full-01.json`; it takes a minute) the errors on
# test digits fall to less than half. The noise is learned by heart as before, and on test digits the random cases stay at
# guessing: longer training does not find what is not there. One thing is new. NumPy's network and Keras', equal after twenty
# steps, have drifted apart after thousands: rounding differs in the last digit, each step starts from what the last one left, and
# in the end single weights differ in the second decimal and two digits in a thousand get another answer. Both read equally well;
# neither is the right one.
#
# Next: chapter 2 lets the network see that neighbouring pixels are neighbours.

# %% [markdown] lang="zh" of="f2be0a7f"
# ## 读些什么
#
# - Goodfellow、Bengio 与 Courville，[*Deep Learning*](https://www.deeplearningbook.org)，第 1 章和第 6 章。
# - LeCun、Bengio 与 Hinton，[*Deep learning*](https://doi.org/10.1038/nature14539)，2015：用九页讲完这个领域。
# - Rumelhart、Hinton 与 Williams，
#   [*Learning representations by back-propagating errors*](https://doi.org/10.1038/323533a0)，1986：只有四页，你刚刚把它写成了程序。
# - Zhang 等，[*Understanding deep learning requires rethinking generalization*](https://arxiv.org/abs/1611.03530)：
#   完整规模的随机标签实验。
# - Kaplan 等，[*Scaling laws for neural language models*](https://arxiv.org/abs/2001.08361)；Hoffmann 等，
#   [*Training compute-optimal large language models*](https://arxiv.org/abs/2203.15556)：$6ND$ 就用在这里（第 8 章）。
# - Geirhos 等，[*Shortcut learning in deep neural networks*](https://arxiv.org/abs/2004.07780)：网络为什么会 “因为错误的理由答对”。
#
# **换成 full 配置会怎样。** 除验证集之外的全部训练数字都用上，轮数更多，噪声实验也训练得更久。在保存下来的那次完整运行里（一个种子，
# 见 `notebooks/results/full-01.json`，只要一分钟），测试数字上的错误降到不足一半。噪声照样背得一字不差，而在测试数字上，
# 两种随机情况仍停在瞎猜的水平：本来没有的规律，训练再久也找不出来。新发现有一个：NumPy 与 Keras 的网络，二十步之后还相等，几千步之后却分开了。
# 两边的舍入在最后一位上不同，每一步又都从上一步的结果出发，最后个别权重在小数第二位上就不一样，一千个数字里有两个答案不同。
# 两者读得一样好，谈不上谁才是对的。
#
# 接下来：第 2 章让网络看见，相邻的像素是邻居。
