# %% [markdown] lang="en" telling=["baseline.test_accuracy", "mlp.test_accuracy", "noise.random_labels_training_accuracy"]
# # 1 A network from scratch
#
# *Deep Learning, Measured.* In this course you do not have to believe what is written: you compute it, measure it and
# compare.
#
# Nobody can write down the rules by which you recognise a handwritten 4. In this chapter you write a program that finds
# such rules by itself: about fifty lines of NumPy that start from random numbers, are shown digits with their labels, and
# in the end recognise digits they have never seen. You write three of its steps yourself. Then Keras builds the same
# network in five lines, and arrives at the same numbers.

# %% [markdown] lang="zh" of="c2df143c"
# # 1 从零写一个神经网络
#
# 《实测深度学习》：在这门课里，书上写的话不必相信。自己算一遍，测一遍，比一比。
#
# 你是凭什么认出一个手写的 4 的？没有人能把规则写下来。这一章要写一个程序，让它自己把规则找出来：五十行左右的 NumPy，
# 从一堆随机数开始，看着带标签的数字图片一步步改进，最后能认出从没见过的手写数字。其中三步由你亲手来写。
# 然后用 Keras 只写五行，搭出同一个网络，得到同样的结果。

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - say what it means that a program *learns*: a loss, its slope, a step downhill;
# - compute the slope of a loss by the chain rule, and check it without trusting anybody;
# - write a network in NumPy: forward pass, loss, gradients, update;
# - build, train and judge the same network in Keras;
# - tell learning from memorising, and know what a test set is for.
#
# **Before you start:** Python, a little NumPy (arrays, `@`, `axis`), and what a derivative is. Nothing else.

# %% [markdown] lang="zh" of="a21f1a6d"
# **学完这一章，你能够**
#
# - 说清楚程序怎样才算“学习”：有损失，有斜率，朝下坡走一步；
# - 用链式法则求损失的斜率，并且不靠别人就能核对；
# - 用 NumPy 写一个网络：前向、损失、梯度、更新；
# - 在 Keras 里搭建、训练、评价同一个网络；
# - 分清“学会”与“背下来”，知道测试集是做什么用的。
#
# **预备知识：** Python，一点 NumPy（数组、`@`、`axis`），知道什么是导数。别的都不需要。

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
import numpy as np
import tensorflow as tf
from keras import layers

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results
from course_utils.profiles import choose
from course_utils.topics import digit_pad, first_figures, first_network

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("01")

# %% [markdown] lang="en"
# ## The task: 784 numbers in, one digit out
#
# MNIST is a set of handwritten digits from American forms. Each picture has 28 × 28 pixels, and each pixel is a number
# from 0 (black) to 255 (white). Each picture comes with the right answer, its **label**. We divide the pixels by 255, so
# that they lie between 0 and 1, and write the 28 rows one after the other: a picture becomes 784 numbers.
#
# We cut the digits into three sets, and each has its own use:
#
# - the **training set**: the program learns from it;
# - the **validation set**: we look at it as often as we like, to see how well the program does on digits it did not learn
#   from, and to make decisions;
# - the **test set** (`digits.x_test`): we do not touch it before the end, and then *once*.
#
# The **profile**, printed above, says how large this run is: *smoke* takes seconds, *laptop* minutes at most (the stored
# outputs), *full* longer; `choose` picks the number that belongs to it.
#
# The black square below the digits is a pad. If this notebook is running, **draw a digit on it** with mouse or finger.
# At the end, your network will say what it is. (If you draw nothing, it gets a prepared 5.)

# %% [markdown] lang="zh" of="0a2ee7c5"
# ## 任务：输入 784 个数，输出一个数字
#
# MNIST 是一批手写数字图片，取自美国人填写的表格。每张图有 28 × 28 个像素，每个像素是 0（黑）到 255（白）之间的一个数。
# 每张图都附有正确答案，称为**标签**（label）。把像素除以 255，使它们落在 0 与 1 之间，再把 28 行首尾相接，一张图就成了 784 个数。
#
# 全部样本（一个样本就是一张手写数字图）分成三份，各有各的用处：
#
# - **训练集**（training set）：程序从中学习；
# - **验证集**（validation set）：程序没有学过，我们可以随时拿来看它做得怎么样，并据此做决定；
# - **测试集**（test set，即 `digits.x_test`）：最后才用，而且只用一次。
#
# 上面打印的**配置**（profile）决定这次运行的规模：smoke 几秒，laptop 至多几分钟（保存的输出就是它），full 更久；
# `choose` 按配置选出相应的数。
#
# 数字图片下面的黑色方块是一块画板。如果 notebook 正在运行，请用鼠标或手指**在上面画一个数字**，
# 到了最后，由你的网络来认。（什么都不画，就用事先准备好的一个 5。）

# %% tags=["nbval-ignore-output"]
digits = datasets.mnist()
count = choose(smoke=4_000, laptop=15_000, full=55_000)

def prepare(pictures):
    return pictures.reshape(-1, 784).astype("float32") / 255  # (n, 784), 0 to 1

x_train, y_train = prepare(digits.x_train[:count]), digits.y_train[:count]
x_valid, y_valid = prepare(digits.x_train[-5_000:]), digits.y_train[-5_000:]

print(digits.x_train[0, 5:10, 12:22])  # a corner of the first digit
print(f"{y_train[0] = :d}, {x_train.shape = }, {x_valid.shape = }")
first_figures.digits(x_train[:16], y_train[:16])
pad = digit_pad.DrawingPad()
pad

# %% [markdown] lang="en"
# ## One weight, one loss
#
# Before ten digits and thousands of numbers, learn something with a single one. The task: from the amount of ink in the *upper* half of
# a digit (the mean of its pixels, here from 0 to 10; the ink is white), guess the amount in its *lower* half. The rule is as small as a rule can be,
#
# $$ \text{lower} \approx w \cdot \text{upper}, $$
#
# with one number to be found, the **weight** $w$. How good is a weight? We need one number that says how wrong it is on all
# examples together, and call it the **loss**. Here we take the mean of the squared errors over the $m$ digits (squared, so that
# errors above and below do not cancel):
#
# $$ L(w) = \frac{1}{m} \sum_{i=1}^{m} \left(w\, x_i - y_i\right)^2 $$

# %% [markdown] lang="zh" of="e3b7d0bd"
# ## 一个权重，一个损失
#
# 先不管十个类别、784 个像素，只用一个数来学点东西。任务是：已知一张图上半部分的墨量（像素的平均值；笔迹是白的，所以越大墨越多），猜下半部分的墨量。规则简单到不能再简单：
#
# $$ \text{下半} \approx w \cdot \text{上半}, $$
#
# 要找的只有一个数，就是**权重**（weight）$w$。一个权重好不好，怎么说？需要用一个数来概括它在所有样本上总的来说错了多少，
# 这个数叫**损失**（loss）。这里取 $m$ 个样本误差平方的平均值（取平方，偏高和偏低的误差才不会互相抵消）：
#
# $$ L(w) = \frac{1}{m} \sum_{i=1}^{m} \left(w\, x_i - y_i\right)^2 $$

# %%
# Mean of the pixels: 0 is all black, 10 all white.
upper = digits.x_train[:1000, :14].mean(axis=(1, 2)) / 25.5
lower = digits.x_train[:1000, 14:].mean(axis=(1, 2)) / 25.5


def loss(weight):
    return np.mean((weight * upper - lower) ** 2)


print(f"{loss(0.5) = :.3f}, {loss(1.0) = :.3f}, {loss(2.0) = :.3f}")
first_figures.one_weight(upper, lower, loss)

# %% [markdown] lang="en" tags=["predict"]
# Every weight has its loss, and the loss is a bowl. Its lowest point, a little above 1, is the weight we want: the lower
# halves hold slightly more ink than the upper ones.
#
# ## Downhill
#
# With one weight you can *see* the bottom. With a hundred thousand you cannot, so we need a way that works in the dark.
# The derivative $\frac{dL}{dw}$, the **slope**, tells us what we need: where it is positive, the loss rises to the right, so
# go left; where it is negative, go right; where it is steep, go far. Written as one line,
#
# $$ w \leftarrow w - \eta\, \frac{dL}{dw}, \qquad \frac{dL}{dw} = \frac{1}{m} \sum_{i=1}^{m} 2\,(w\, x_i - y_i)\, x_i $$
#
# This is **gradient descent**. The number $\eta$ ("eta") is the **learning rate**: we choose it, and it stays the same. To check
# the formula for the slope, **nudge** the weight by 0.001 in both directions and look at how much the loss changes.
#
# **Predict:** we start at $w = 0$ and take eight steps with $\eta = 0.03$, $0.3$ and $0.65$. Where does each one end?

# %% [markdown] lang="zh" of="bb14c7bf" tags=["predict"]
# 每个权重有一个损失，画出来像一只碗。碗底在 1 的右边一点，那就是我们要找的权重：下半部分的墨比上半部分稍多。
#
# ## 朝下坡走
#
# 只有一个权重时，碗底在哪里一眼就能看见；有十万个权重就看不见了，需要一个摸黑也能走的办法。导数 $\frac{dL}{dw}$，
# 也就是**斜率**，正好告诉我们该怎么走：斜率为正，说明越往右损失越大，那就往左；斜率为负，就往右；坡越陡，步子越大。写成一行：
#
# $$ w \leftarrow w - \eta\, \frac{dL}{dw}, \qquad \frac{dL}{dw} = \frac{1}{m} \sum_{i=1}^{m} 2\,(w\, x_i - y_i)\, x_i $$
#
# 这就是**梯度下降**（gradient descent）。$\eta$（读作 eta）叫**学习率**（learning rate），由我们选定，中途不变。斜率的公式对不对？
# 把权重往两边各**拨动**（nudge）0.001，看损失变了多少，一比便知。
#
# **先猜：** 从 $w = 0$ 出发走八步，学习率分别取 $0.03$、$0.3$、$0.65$，各会走到哪里？

# %%
def slope(weight):
    return np.mean(2 * (weight * upper - lower) * upper)


def descend(learning_rate, steps=8):
    weights = [0.0]
    for _ in range(steps):
        weights.append(weights[-1] - learning_rate * slope(weights[-1]))
    return weights


nudged = (loss(0.501) - loss(0.499)) / 0.002
print(f"{slope(0.5) = :.4f}, {nudged = :.4f}")
first_figures.steps(loss, {rate: descend(rate) for rate in [0.03, 0.3, 0.65]})
first_figures.rate_slider(loss, descend)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** With 0.03 the steps are so short that eight of them end half-way; they also get shorter by themselves, since the
# slope does. With 0.3 the first step all but lands at the bottom. With 0.65 each step lands on the other
# side of the valley, *higher* than before: the loss grows without end. A loss that rises or turns into `nan` is the usual
# sign of a learning rate that is too large. (The slider tries other rates. Somewhere between 0.3 and 0.65 the steps begin to climb;
# find the place.)
#
# ## The chain rule, by hand
#
# A network is a longer calculation than $w\,x - y$, but every calculation is a chain of small steps, and each small step
# has a slope that you know from school. Take one example with $x = 2$, $y = 3$ and the weight $w = 0.5$, and write each
# step down:
#
# $$ z = w\,x, \qquad e = z - y, \qquad L = e^2 $$
#
# If $w$ moves a little, $z$ moves $x$ times as much; $e$ moves as much as $z$; and $L$ moves $2e$ times as much as $e$. So
# the slopes *multiply*. That is the **chain rule**:
#
# $$ \frac{dL}{dw} = \frac{dL}{de} \cdot \frac{de}{dz} \cdot \frac{dz}{dw} = 2e \cdot 1 \cdot x $$
#
# The values are computed from left to right (**forward**), the slopes from right to left (**backward**): each slope is the
# one to its right times the slope of the step in between. Try it on paper first.

# %% [markdown] lang="zh" of="9371e5c3" tags=["answer"]
# **答案。** 学习率 0.03 时步子太短，八步只走了半程；步子自己还会越来越短，因为斜率越来越小。0.3 时第一步就差不多到了碗底。
# 0.65 时每一步都跨到对面更高的地方，损失无止境地增大。训练时如果损失上升，或者变成 `nan`，多半就是学习率太大了。
# （拖动滑块试试别的学习率：从 0.3 到 0.65 之间的某处开始，就会越走越高，把它找出来。）
#
# ## 链式法则，手算一遍
#
# 网络的计算比 $w\,x - y$ 长，但再长的计算也是一小步接一小步，而每一小步的斜率在中学就学过。取一个样本 $x = 2$，$y = 3$，
# 权重 $w = 0.5$，一步一步写下来：
#
# $$ z = w\,x, \qquad e = z - y, \qquad L = e^2 $$
#
# $w$ 动一点，$z$ 的变动是它的 $x$ 倍；$z$ 动多少，$e$ 就动多少；$L$ 的变动又是 $e$ 的变动的 $2e$ 倍。所以各步的斜率要相乘，
# 这就是**链式法则**（chain rule）：
#
# $$ \frac{dL}{dw} = \frac{dL}{de} \cdot \frac{de}{dz} \cdot \frac{dz}{dw} = 2e \cdot 1 \cdot x $$
#
# 数值从左往右算，叫**前向**（forward）；斜率从右往左算，叫**反向**（backward）：每个斜率等于它右边那个，乘以中间那一步自己的斜率。
# 先在纸上算一算。

# %%
x, y, w = 2.0, 3.0, 0.5
z = w * x  # forward
e = z - y
L = e**2

slope_e = 2 * e  # backward
slope_z = slope_e * 1
slope_w = slope_z * x

nudged = (((w + 0.001) * x - y) ** 2 - L) / 0.001
print(f"{slope_w = }, {nudged = :.3f}")
first_figures.chain(w=(w, slope_w), z=(z, slope_z), e=(e, slope_e), L=(L, 1))

# %% [markdown] lang="en" tags=["predict"]
# The nudge gives almost the same number. (Almost, since this time the weight was nudged to one side only, and the curve bends on the
# way; nudged to both sides, as before, the errors would cancel.) The slope is negative: a larger weight would make the loss smaller.
#
# ## Two weights and a bend
#
# Now the smallest calculation that deserves the name *network*: two weights, and between them the function
# $\text{ReLU}(z) = \max(0, z)$, which lets positive numbers through and turns negative ones into 0. (Why a network needs such a
# bend, called an **activation**, you will see below.)
#
# $$ z = w_1 x, \qquad h = \max(0, z), \qquad s = w_2 h, \qquad L = (s - y)^2 $$
#
# Backward, the slope travels along the same path: from $s$ through $w_2$ to $h$, through the bend to $z$, then to $w_1$. At
# each weight it is multiplied by what went *into* that weight, $h$ or $x$, exactly as in the last cell $\frac{dz}{dw}$ was $x$.
# The slope of the bend itself is 1 where $z > 0$ and 0 elsewhere. (At $z = 0$ there is no slope; one takes 0.)
#
# **Predict:** what is the slope of $w_1$ when $z$ is negative?

# %% [markdown] lang="zh" of="86605ccd" tags=["predict"]
# 拨动得到的数几乎一样。（之所以是“几乎”，是因为这次只往一边拨，而曲线是弯的；像前面那样两边都拨，误差就会抵消。）
# 斜率是负的：权重再大一点，损失就会小一点。
#
# ## 两个权重，中间弯一下
#
# 再来看可以称作“网络”的最小的计算：两个权重，中间夹着一个函数 $\text{ReLU}(z) = \max(0, z)$，正数原样通过，负数变成 0。
# （这种“弯一下”的函数叫**激活函数**（activation），网络为什么少不了它，后面会看到。）
#
# $$ z = w_1 x, \qquad h = \max(0, z), \qquad s = w_2 h, \qquad L = (s - y)^2 $$
#
# 反向时，斜率沿原路返回：从 $s$ 经过 $w_2$ 到 $h$，经过弯折处到 $z$，再到 $w_1$。求某个权重的斜率，就用传到那里的斜率，
# 乘以当初输入这个权重的数（$h$ 或 $x$），正如上一格里 $\frac{dz}{dw}$ 就是 $x$。弯折本身的斜率，在 $z > 0$ 处是 1，
# $z < 0$ 处是 0（$z = 0$ 处没有斜率，习惯上取 0）。
#
# **先猜：** 如果 $z$ 是负数，$w_1$ 的斜率是多少？

# %%
def two_weights(w1, w2=3.0, x=2.0, y=-1.0):
    z = w1 * x
    h = max(0.0, z)
    s = w2 * h
    slope_s = 2 * (s - y)
    slope_h = slope_s * w2
    slope_z = slope_h * (z > 0)  # times 1 or 0
    return (s - y) ** 2, slope_z * x, slope_s * h  # loss, slope of w1, slope of w2


for w1 in [0.5, -0.5]:
    L, slope_w1, slope_w2 = two_weights(w1)
    nudged = (two_weights(w1 + 1e-6)[0] - L) / 1e-6
    print(f"{w1 = }: {L = }, {slope_w1 = }, {slope_w2 = }, {nudged = :.2f}")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** It is 0: the ReLU lets nothing through, forward or backward, so this example cannot change $w_1$. For positive $z$ the
# slope is $2(s-y) \cdot w_2 \cdot 1 \cdot x = 8 \cdot 3 \cdot 1 \cdot 2 = 48$.
#
# That is **backpropagation** along one path: *the error goes back along the same connections, and each weight gets the error that
# arrives at it times its own input.* ("Error" is short for: the slope of the loss with respect to the number at that point.
# [Rumelhart, Hinton and Williams 1986](https://doi.org/10.1038/323533a0)) What remains is to do it for many numbers, and for
# several paths at once.
#
# ## Ten answers instead of one: softmax
#
# A digit is not an amount, so the network should not output one number. It outputs ten, one **score** per class (a score
# is also called a *logit*): the higher, the more the picture looks like that class. **Softmax** turns scores into
# probabilities. The exponential makes every score positive, and dividing by the sum makes them add up to 1:
#
# $$ P_k = \frac{e^{s_k}}{\sum_j e^{s_j}} $$
#
# The loss looks at one of them, the probability $P_y$ of the right class $y$. It is the **cross entropy**
# $L = -\log P_y$: zero if the network gave probability 1 to the truth, and it grows without limit as $P_y$ goes to 0, so being
# confidently wrong is very expensive. $\log$ is the natural logarithm here, and the unit of the loss is then called the **nat**.
#
# (In the code, the largest score is subtracted first. Numerator and denominator then shrink by the same factor, and no exponential
# gets too large for the computer.)

# %% [markdown] lang="zh" of="894335f4" tags=["answer"]
# **答案。** 是 0：ReLU 把路断了，前向不通，反向也不通，所以这个样本改变不了 $w_1$。$z$ 为正时，斜率是
# $2(s-y) \cdot w_2 \cdot 1 \cdot x = 8 \cdot 3 \cdot 1 \cdot 2 = 48$。
#
# 沿着一条路的**反向传播**（backpropagation）就是这么回事：误差沿原路返回，每个权重得到“传到它这里的误差，乘以它自己的输入”
# （“误差”是简称，指损失对那一处的数的斜率；[Rumelhart、Hinton 与 Williams，1986](https://doi.org/10.1038/323533a0)）。
# 剩下的事，是一次算许多个数，并且同时走许多条路。
#
# ## 答案有十个：softmax
#
# 数字是类别，不是数量，所以网络不该只输出一个数。它输出十个，每个类别一个**得分**（score，也叫 logit，《动手学深度学习》
# 称为未规范化的预测）：得分越高，就越像这个类别。**softmax** 把得分变成概率：取指数，得分就都成了正数；再除以总和，加起来就等于 1。
#
# $$ P_k = \frac{e^{s_k}}{\sum_j e^{s_j}} $$
#
# 损失只看其中一个，即正确类别 $y$ 的概率 $P_y$。这个损失叫**交叉熵**（cross entropy），$L = -\log P_y$：如果网络给正确答案的概率是 1，
# 损失就是 0；$P_y$ 越接近 0，损失越大，没有上限，所以“错得很有把握”代价极高。这里的 $\log$ 是自然对数，损失的单位于是叫**奈特**（nat）。
#
# （代码里先减去了最大的得分。这样分子和分母缩小同样的倍数，结果不变，而指数不会大到计算机装不下。）

# %%
def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


scores = np.array([2.0, 1.0, 0.0])
probabilities = softmax(scores)
print("P =", probabilities.round(3), " sum =", probabilities.sum().round(6))
print("-log P =", (-np.log(probabilities)).round(3), " ln 10 =", np.log(10).round(3))
proofs.equal({"NumPy": probabilities, "Keras": keras.ops.softmax(scores)})

# %% [markdown] lang="en"
# The second line holds the loss for each case: small if class 0 is right, large if class 2 is. A network that knows nothing and gives
# each of ten digits a tenth has a loss of $\ln 10$; keep that number in mind.
#
# ## Why the slope is *prediction minus truth*
#
# How should each score change? Put softmax into the loss, and the logarithm takes the fraction apart:
#
# $$ L = -\log \frac{e^{s_y}}{\sum_j e^{s_j}} = -s_y + \log \sum_j e^{s_j} $$
#
# Now differentiate with respect to one score $s_k$. The first term gives $-1$ if $k$ is the right class and 0 otherwise. The second
# is the logarithm of a sum; its slope is, by the chain rule, 1 over the sum, times the slope of the sum, $e^{s_k}$. The quotient
# $e^{s_k} / \sum_j e^{s_j}$ is $P_k$ again:
#
# $$ \frac{\partial L}{\partial s_k} = P_k - Y_k, \qquad Y_k = 1 \text{ for the right class, } 0 \text{ for the others} $$
#
# (The round $\partial$ says: only this score moves, the others stay.) Two lines, and the start of the backward
# pass of every classifier with this loss.

# %% [markdown] lang="zh" of="10cbab2c"
# 第二行是三种情况下的损失：正确答案若是类别 0，损失就小；若是类别 2，损失就大。什么都不懂的网络给十个数字各十分之一的概率，
# 损失是 $\ln 10$，请记住这个数。
#
# ## 斜率为什么是“预测减真值”
#
# 每个得分该往哪边动？把 softmax 代入损失，对数把分数拆成两项：
#
# $$ L = -\log \frac{e^{s_y}}{\sum_j e^{s_j}} = -s_y + \log \sum_j e^{s_j} $$
#
# 再对某一个得分 $s_k$ 求导。第一项：如果 $k$ 就是正确类别，得 $-1$，否则得 0。第二项是“和的对数”，按链式法则，它的斜率等于和的倒数，
# 乘以和对 $s_k$ 的斜率 $e^{s_k}$，也就是 $e^{s_k} / \sum_j e^{s_j}$，这不就是 $P_k$ 吗？
#
# $$ \frac{\partial L}{\partial s_k} = P_k - Y_k, \qquad \text{正确类别处 } Y_k = 1 \text{，其余 } Y_k = 0 $$
#
# （圆体的 $\partial$ 表示只动这一个得分，其余不动。）只用两行就推出来了。凡是用这个损失的分类器，
# 反向传播都从这里开始。

# %%
truth = np.array([0.0, 1.0, 0.0])  # class 1 is right


def loss_of(scores):
    return -np.log(softmax(scores)[1])


by_nudges = proofs.finite_differences(loss_of, scores)  # one score after the other
print("P - Y =", (probabilities - truth).round(3))
proofs.equal({"P - Y": probabilities - truth, "by_nudges": by_nudges}, tolerance=1e-7)
first_figures.score_bars(scores, probabilities, truth)

# %% [markdown] lang="en"
# In the right panel (it shows the slopes; the step goes the other way), the slope is negative for the right class and positive for the others. Gradient descent moves *against* the
# slope: the right score rises, the others sink, each in proportion to how much probability it wrongly holds. When the
# prediction comes close to the truth, all slopes come close to 0 and the learning fades out.
#
# ## The whole network, in seven steps
#
# A **neuron** multiplies each input by a weight, adds them up and adds one more number, its **bias**. A **layer** is many neurons
# side by side: their weights are the columns of a matrix, and one `@` computes them all. We take a handful of $n$ pictures at
# a time, a **batch**, one per row. Under each factor stands its shape:
#
# $$ \underset{n \times 128}{Z} = \underset{n \times 784}{X}\;\underset{784 \times 128}{W_1} + \underset{128}{b_1}, \qquad
#    \underset{n \times 128}{H} = \max(0, Z), \qquad
#    \underset{n \times 10}{S} = \underset{n \times 128}{H}\;\underset{128 \times 10}{W_2} + \underset{10}{b_2}, \qquad
#    \underset{n \times 10}{P} = \operatorname{softmax}(S) $$
#
# The 128 neurons between the input and the ten scores are called **hidden**: nobody tells them what to compute. (128 is our choice.)
#
# 1. **Initialise** the weights with small random numbers.
# 2. **Forward**: compute the scores of a batch.
# 3. **Loss**: how wrong are they?
# 4. **Gradient**: the slopes of all weights together, each taken as if only that weight moved.
# 5. **Update**: move every weight a step downhill, all at the same time.
# 6. **Repeat** 2 to 5 with the next batch.
# 7. **Test**, once, on digits that played no part in any decision.
#
# Why may all weights move at once, if each slope was measured alone? For small steps the changes of the loss add up: weight $w_i$ moves
# by $-\eta\, g_i$, where $g_i$ is its slope, and changes the loss by about $g_i$ times that. Together the loss changes by about
# $-\eta \sum_i g_i^2$, which is never positive. So a small enough step makes the loss on that batch smaller, however many weights there are.
#
# Here are the first two steps. Why random, and not all equal? Then all 128 neurons would compute the same, get the same slopes and stay the same
# forever: one neuron, 128 times. Why times $\sqrt{2 / \text{inputs}}$? That keeps the numbers after a ReLU layer about as large
# as those before it ([He et al. 2015](https://arxiv.org/abs/1502.01852)).

# %% [markdown] lang="zh" of="71ed6a3b"
# 右图画的是斜率（更新时往反方向走）：正确类别的斜率是负的，其余是正的。梯度下降逆着斜率走：正确类别的得分上升，其余下降，谁错占的概率多，谁就降得多。预测越接近真值，斜率就越接近 0，学习也就慢慢停了。
#
# ## 整个网络，七个步骤
#
# **神经元**（neuron）把每个输入乘以一个权重，全部加起来，再加一个数，叫**偏置**（bias）。**层**（layer）就是并排的许多神经元：
# 它们的权重各占矩阵的一列，一个 `@` 就能全部算完。每次取 $n$ 张图一起算，称为一个**批次**（batch），一行一张。
# 每个因子下面标着它的形状：
#
# $$ \underset{n \times 128}{Z} = \underset{n \times 784}{X}\;\underset{784 \times 128}{W_1} + \underset{128}{b_1}, \qquad
#    \underset{n \times 128}{H} = \max(0, Z), \qquad
#    \underset{n \times 10}{S} = \underset{n \times 128}{H}\;\underset{128 \times 10}{W_2} + \underset{10}{b_2}, \qquad
#    \underset{n \times 10}{P} = \operatorname{softmax}(S) $$
#
# 输入与十个得分之间的 128 个神经元称为**隐藏**（hidden）神经元：没有人告诉它们该算什么。（128 这个数是我们选的。）
#
# 1. **初始化**：权重取小的随机数。
# 2. **前向**：算出一批样本的得分。
# 3. **损失**：错了多少？
# 4. **梯度**（gradient）：所有权重的斜率，合在一起；求每个斜率时，都当作只有这一个权重在动。
# 5. **更新**：所有权重同时朝下坡走一步。
# 6. **重复**：换下一批，重复第 2 至 5 步。
# 7. **测试**：只做一次，用没有参与过任何决定的样本。
#
# 斜率是一个一个单独求的，为什么可以让所有权重一起动？因为步子很小时，各个权重引起的变化可以相加：权重 $w_i$ 的斜率是 $g_i$，
# 它移动 $-\eta\, g_i$，损失约变化 $g_i$ 乘以这个数。全部加起来，损失约变化 $-\eta \sum_i g_i^2$，绝不会是正的。
# 所以只要步子够小，不管有多少个权重，这一批样本上的损失都会变小。
#
# 先写前两步。为什么要随机，不能全取一样的数？那样 128 个神经元算出的结果一样，斜率也一样，永远不会有区别，等于把一个神经元抄了 128 遍。
# 为什么要乘 $\sqrt{2 / \text{输入个数}}$？这样，经过 ReLU 层之后的数，与之前的数差不多一样大（[He 等，2015](https://arxiv.org/abs/1502.01852)）。

# %%
def initialise(seed, hidden=128):
    generator = np.random.default_rng(seed)
    first = generator.normal(size=(784, hidden)) * np.sqrt(2 / 784)  # suits ReLU
    second = generator.normal(size=(hidden, 10)) * np.sqrt(2 / hidden)
    arrays = first, np.zeros(hidden), second, np.zeros(10)
    return [array.astype("float32") for array in arrays]

def forward(parameters, x):
    first, first_bias, second, second_bias = parameters
    sums = x @ first + first_bias  # Z, (n, 128)
    hidden = np.maximum(sums, 0)  # H, (n, 128)
    return sums, hidden, hidden @ second + second_bias  # S, (n, 10)

fresh = initialise(SEED)
print([array.shape for array in fresh], sum(array.size for array in fresh))

# %% [markdown] lang="en"
# More than a hundred thousand **parameters** (weights and biases), where the first example had one.
#
# ### Exercise 1 · easy — step 3, the loss
#
# Write `cross_entropy(scores, labels)`. `scores` has the shape (n, 10), `labels` holds the n right classes as whole numbers. Return the
# *mean* over the batch of $-\log P_y$. You may use `softmax` from above.
#
# (If you leave an exercise out, or it is not right yet, the chapter goes on with its own version. If your check says ✓, it
# goes on with *yours*.)

# %% [markdown] lang="zh" of="1f09bc35"
# 最初的例子只有一个参数，这里有十万多个**参数**（parameter，即权重和偏置）。
#
# ### 练习 1 · 易 —— 第 3 步：损失
#
# 写出 `cross_entropy(scores, labels)`。`scores` 的形状是 (n, 10)，`labels` 是 n 个正确类别（整数）。返回这一批 $-\log P_y$ 的平均值。
# 可以使用上面的 `softmax`。
#
# （练习没做，或者还没做对，后面就用教材的版本；检查显示 ✓ 之后，后面用的就是你写的。）

# %% tags=["exercise"]
def cross_entropy(scores, labels):
    """Mean of -log(probability of the right class)."""
    ### BEGIN SOLUTION
    probabilities = softmax(scores)
    return -np.log(probabilities[np.arange(len(labels)), labels]).mean()
    ### END SOLUTION

# %% tags=["check"]
exercises.check("01.cross_entropy", cross_entropy)
loss_function = first_network.yours_or_ours("01.cross_entropy", cross_entropy)

# %% [markdown] lang="en" tags=["hint"]
# `probabilities[np.arange(len(labels)), labels]` picks one number from each row: row 0 with `labels[0]`, row 1 with `labels[1]`,
# and so on.

# %% [markdown] lang="zh" of="33622124" tags=["hint"]
# `probabilities[np.arange(len(labels)), labels]` 从每一行各取一个数：第 0 行取第 `labels[0]` 个，第 1 行取第 `labels[1]` 个，依此类推。

# %% [markdown] lang="en"
# ### Many paths: their slopes add up
#
# The chain had one path. In a layer $o = xW + b$ every input feeds every output, so a nudge of one input reaches the loss
# along several paths at the same time, and the loss changes by the *sum*. Say there are two inputs and two outputs, and the
# errors that have come back to the outputs are 0.5 and 4. Input $x_1$ feeds the first output with weight 3 and the second with
# weight −1. Its slope is
#
# $$ \frac{\partial L}{\partial x_1} = 0.5 \cdot 3 + 4 \cdot (-1) = -2.5 $$
#
# A single weight lies on one path only, from its input to its output: error times input, as before. The cell computes both by hand and
# by nudges, with a loss that has these slopes, $L = 0.5\, o_1 + 4\, o_2$.

# %% [markdown] lang="zh" of="918d1d8d"
# ### 路不止一条：斜率相加
#
# 前面的链只有一条路。而在一层 $o = xW + b$ 里，每个输入都通向每个输出，所以拨动一个输入，会沿着几条路同时影响损失，
# 损失的变化等于各条路之和。假设有两个输入、两个输出，传回到两个输出的误差分别是 0.5 和 4。输入 $x_1$ 到第一个输出的权重是 3，
# 到第二个输出的权重是 −1，那么它的斜率是
#
# $$ \frac{\partial L}{\partial x_1} = 0.5 \cdot 3 + 4 \cdot (-1) = -2.5 $$
#
# 单个权重只在一条路上，从它的输入到它的输出：仍是误差乘以输入。下面这一格取一个斜率正好如此的损失 $L = 0.5\, o_1 + 4\, o_2$，
# 先手算，再用拨动来核对。

# %%
x, errors = np.array([2.0, 1.0]), np.array([0.5, 4.0])
weights = np.array([[3.0, -1.0], [0.5, 2.0]])  # a row per input, a column per output


def small_loss(x, weights):
    return (x @ weights) @ errors  # 0.5 o1 + 4 o2


of_x = [0.5 * 3 + 4 * -1, 0.5 * 0.5 + 4 * 2]  # each input: two paths
of_weights = [[2 * 0.5, 2 * 4], [1 * 0.5, 1 * 4]]  # each weight: input times error
nudged_x = proofs.finite_differences(lambda x: small_loss(x, weights), x)
nudged_weights = proofs.finite_differences(lambda w: small_loss(x, w), weights)
proofs.equal({"of_x": of_x, "nudged_x": nudged_x})
proofs.equal({"of_weights": of_weights, "nudged_weights": nudged_weights})

# %% [markdown] lang="en"
# ### Exercise 2 · medium — step 4, one layer backward
#
# Sums of products, a row with a column: that is what a matrix product is. So the rules of the last cell can be written for all numbers at
# once, and for a whole batch. Every example of the batch uses the same weight, so its paths add up once more, over the examples $i$:
#
# $$ (G_X)_{ij} = \sum_k (G_O)_{ik}\, W_{jk}, \qquad (G_W)_{jk} = \sum_i X_{ij}\, (G_O)_{ik} $$
#
# The first is an input's paths to all outputs $k$; the second is *error times input*, for all examples. The bias has the input 1 in every
# example, so it collects the errors themselves.
#
# Here $G_A$ stands for "the slopes of the loss with respect to every number in $A$", its **gradient**; $G_A$ has the shape of $A$. For one
# layer $O = XW + b$, we know $G_O$ and want the other three. Written as matrix products, with $G_{O,i}$ for row $i$ of $G_O$:
#
# $$ \underset{\text{in} \times \text{out}}{G_W} = \underset{\text{in} \times n}{X^\top}\;\underset{n \times \text{out}}{G_O}, \qquad
#    \underset{n \times \text{in}}{G_X} = \underset{n \times \text{out}}{G_O}\;\underset{\text{out} \times \text{in}}{W^\top}, \qquad
#    \underset{\text{out}}{G_b} = \sum_{i=1}^{n} G_{O,i} $$
#
# ($^\top$ swaps rows and columns, in NumPy `.T`.) Write `dense_backward(upstream, x, weights)`, where `upstream` is $G_O$.
# Return the gradients of `x`, of `weights` and of the bias, in this order. (Nothing is averaged here: the $1/n$ of the mean loss comes in
# with the first error, below.)

# %% [markdown] lang="zh" of="446298bf"
# ### 练习 2 · 中 —— 第 4 步：一层的反向
#
# 一行与一列对应相乘再相加，正是矩阵乘法。所以上一格的规则可以写成矩阵，一次算完所有的数、整批的样本。
# 同一个权重，这一批里的每个样本都要用到，所以它的路还要再对样本 $i$ 求和：
#
# $$ (G_X)_{ij} = \sum_k (G_O)_{ik}\, W_{jk}, \qquad (G_W)_{jk} = \sum_i X_{ij}\, (G_O)_{ik} $$
#
# 第一个式子是一个输入通往所有输出 $k$ 的路；第二个式子就是“误差乘以输入”，再对所有样本相加。偏置在每个样本里的输入都是 1，
# 所以把误差本身加起来就行。
#
# 这里 $G_A$ 表示“损失对 $A$ 中每个数的斜率”，也就是 $A$ 的**梯度**，形状与 $A$ 相同。对一层 $O = XW + b$，已知 $G_O$，求另外三个。
# 写成矩阵乘法（$G_{O,i}$ 是 $G_O$ 的第 $i$ 行）：
#
# $$ \underset{\text{in} \times \text{out}}{G_W} = \underset{\text{in} \times n}{X^\top}\;\underset{n \times \text{out}}{G_O}, \qquad
#    \underset{n \times \text{in}}{G_X} = \underset{n \times \text{out}}{G_O}\;\underset{\text{out} \times \text{in}}{W^\top}, \qquad
#    \underset{\text{out}}{G_b} = \sum_{i=1}^{n} G_{O,i} $$
#
# （$^\top$ 表示转置，即行列互换，NumPy 里写 `.T`；in 和 out 是输入、输出的个数。）写出 `dense_backward(upstream, x, weights)`，
# 其中 `upstream` 就是 $G_O$。依次返回 `x`、`weights` 和偏置的梯度。
# （这里不取平均：平均损失的 $1/n$ 已经放进最初的误差里，见下文。）

# %% tags=["exercise"]
def dense_backward(upstream, x, weights):
    """Gradients (of x, of weights, of the bias)."""
    ### BEGIN SOLUTION
    return upstream @ weights.T, x.T @ upstream, upstream.sum(axis=0)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("01.dense_backward", dense_backward)
backward = first_network.yours_or_ours("01.dense_backward", dense_backward)

# %% [markdown] lang="en" tags=["hint"]
# A gradient has the shape of the thing it belongs to. Write down the three shapes; only one way of multiplying fits each.
# Every example added the same bias, so their errors add up, over the rows: `axis=0`.

# %% [markdown] lang="zh" of="4a7fd987" tags=["hint"]
# 梯度的形状与它所属的量相同。先写下三个形状，每个形状只有一种乘法对得上。所有样本加的是同一个偏置，所以它们的误差要按列相加，
# 即 `axis=0`。

# %% [markdown] lang="en"
# Now the whole way back. The batch's loss is a mean, so the first error is divided by $n$. Then comes one layer backward, the
# bend, and another layer backward:
#
# $$ \underset{n \times 10}{G_S} = \frac{P - Y}{n} \;\longrightarrow\; G_H,\, G_{W_2},\, G_{b_2}, \qquad
#    \underset{n \times 128}{G_Z} = \underset{n \times 128}{G_H} \odot \underset{n \times 128}{[Z > 0]} \;\longrightarrow\; G_{W_1},\, G_{b_1} $$
#
# $[Z > 0]$ is a matrix with a 1 wherever $Z$ is positive and a 0 elsewhere; $\odot$ multiplies number by number (NumPy's `*`). That is the
# ReLU that lets an error through or stops it. Before anything is trained with this: is it right? `proofs.finite_differences` does for every number of an
# array what we did with `nudged`. We let it nudge each of the 128 first biases,
# because the error has to travel all the way back to reach them. (In `float64`, since a nudge is small and a computer rounds.)

# %% [markdown] lang="zh" of="a70a577b"
# 现在把反向的全程接起来。一批的损失是平均值，所以最初的误差要除以 $n$。然后是一层反向，经过 ReLU，再一层反向：
#
# $$ \underset{n \times 10}{G_S} = \frac{P - Y}{n} \;\longrightarrow\; G_H,\, G_{W_2},\, G_{b_2}, \qquad
#    \underset{n \times 128}{G_Z} = \underset{n \times 128}{G_H} \odot \underset{n \times 128}{[Z > 0]} \;\longrightarrow\; G_{W_1},\, G_{b_1} $$
#
# $[Z > 0]$ 是一个矩阵，$Z$ 为正的地方是 1，其余是 0；$\odot$ 是逐个相乘（NumPy 的 `*`）。ReLU 放行误差，还是把它拦下，就看这一项。
# 先别急着训练：它对吗？`proofs.finite_differences` 把前面的 `nudged` 对数组里的每个数各做一遍。误差要一路传到底，才能到达第一层的偏置，所以把这 128 个偏置逐个拨动一下，看结果是否一致。
# （这里用 `float64`：拨动很小，而计算机会舍入。）

# %%
def gradients(parameters, x, labels):
    sums, hidden, scores = forward(parameters, x)
    truth = np.eye(10, dtype="float32")[labels]  # Y, (n, 10): a 1 in each row
    error = (softmax(scores) - truth) / len(labels)
    hidden_error, *of_second = backward(error, hidden, parameters[2])
    _, *of_first = backward(hidden_error * (sums > 0), x, parameters[0])
    return loss_function(scores, labels), [*of_first, *of_second]

precise, x, names = [a.astype("float64") for a in fresh], x_train[:50], y_train[:50]
def loss_with(bias):
    return loss_function(forward([precise[0], bias, *precise[2:]], x)[-1], names)

by_nudges = proofs.finite_differences(loss_with, precise[1])
by_chain_rule = gradients(precise, x, names)[1][1]
proofs.equal({"by_chain_rule": by_chain_rule, "by_nudges": by_nudges}, tolerance=1e-6)

# %% [markdown] lang="en"
# All 128 agree. (The nudges needed 256 forward passes for 128 slopes. The backward pass computes all slopes of the network, more than a
# hundred thousand, at the cost of about two. That is why everybody uses it.)
#
# ### Exercise 3 · easy — step 5, the update
#
# Write `update(parameters, slopes, learning_rate)`. Both are lists of arrays of the same shapes. Return a *list of new arrays*, each moved by
# one step of gradient descent; leave the given arrays as they are.

# %% [markdown] lang="zh" of="eb71b1b0"
# 128 个全都一致。（用拨动的办法，128 个斜率要做 256 次前向；而反向传播只花大约两次前向的代价，就把全网络十万多个斜率一次算完。
# 人人都用它，原因就在这里。）
#
# ### 练习 3 · 易 —— 第 5 步：更新
#
# 写出 `update(parameters, slopes, learning_rate)`。前两个都是数组的列表，形状一一对应。返回由新数组组成的列表，
# 每个数组都按梯度下降走一步；传进来的数组不要改动。

# %% tags=["exercise"]
def update(parameters, slopes, learning_rate):
    """New arrays, one step downhill."""
    ### BEGIN SOLUTION
    pairs = zip(parameters, slopes, strict=True)
    return [array - learning_rate * slope for array, slope in pairs]
    ### END SOLUTION

# %% tags=["check"]
exercises.check("01.update", update)
step = first_network.yours_or_ours("01.update", update)

# %% [markdown] lang="en" tags=["hint"]
# It is the line $w \leftarrow w - \eta\,\frac{dL}{dw}$ for four arrays instead of one number. `array -= …` would change the given
# array; `array - …` makes a new one.

# %% [markdown] lang="zh" of="a197aed6" tags=["hint"]
# 还是 $w \leftarrow w - \eta\,\frac{dL}{dw}$ 那一行，只是一个数换成了四个数组。`array -= …` 会改动传进来的数组，`array - …` 则得到一个新数组。

# %% [markdown] lang="en"
# ### Step 6: repeat
#
# Take the first 50 digits, do steps 2 to 5, take the next 50. One pass through all training digits is an **epoch**. Why batches, and
# not all digits at once? A rough direction after 50 digits costs little and comes soon; the exact one takes thousands.
# (This is called *stochastic* gradient descent, SGD. Our digits already come in mixed order; usually one shuffles
# them before each epoch.)
#
# After every epoch we look at the validation set: its digits were not learned from, so their loss says whether what was
# learned holds for new digits too.
#
# From here on, `results.record` prints and stores each number. The **band** behind it is where the number should lie, made from
# runs with several random seeds; ✓ says that yours does.

# %% [markdown] lang="zh" of="b5447fc1"
# ### 第 6 步：重复
#
# 取前 50 个样本，做第 2 至 5 步，再取下 50 个。把全部训练样本过一遍，叫一**轮**（epoch）。为什么分批，不一次用上全部样本？
# 因为看 50 个样本就能得到大致的方向，又快又省；要得到精确的方向，却得看完几千上万个。
# （这叫随机梯度下降，SGD。这里的样本本来就是混着排的；通常每一轮开始前都要重新打乱。）
#
# 每轮结束后看一次验证集：这些样本没有用来学习，它们的损失能告诉我们，学到的东西对新样本管不管用。
#
# 从这里开始，`results.record` 会打印并保存每个结果。后面的**区间**（band）是这个数应在的范围，由几个随机种子的结果定出；✓ 表示你的结果在区间内。

# %%
def one_epoch(parameters, x, labels, learning_rate=0.1, batch_size=50):
    batch_losses = []
    for start in range(0, len(labels), batch_size):
        batch = slice(start, start + batch_size)
        loss_here, slopes = gradients(parameters, x[batch], labels[batch])
        parameters = step(parameters, slopes, learning_rate)
        batch_losses.append(loss_here)
    return parameters, np.mean(batch_losses)


def accuracy(parameters, x, labels):
    return (forward(parameters, x)[-1].argmax(axis=1) == labels).mean()

# %% tags=["nbval-ignore-output"]
untrained_loss = loss_function(forward(fresh, x_valid)[-1], y_valid)
results.record("mlp.untrained_loss", untrained_loss)
epochs = choose(smoke=3, laptop=6, full=20)
trained, losses = fresh, []
for _ in range(epochs):
    trained, training_loss = one_epoch(trained, x_train, y_train)
    validation_loss = loss_function(forward(trained, x_valid)[-1], y_valid)
    losses.append((training_loss, validation_loss))
print(np.round(losses, 3))  # a row per epoch: training loss, validation loss
results.record("mlp.validation_accuracy", accuracy(trained, x_valid, y_valid))

# %% tags=["plot", "hero", "nbval-ignore-output"]
stages = {0: fresh, epochs * count // 50: trained}
for steps in [10, 100]:
    stages[steps] = one_epoch(fresh, x_train[: 50 * steps], y_train[: 50 * steps])[0]
answers = {steps: softmax(forward(stages[steps], x_valid[:6])[-1]) for steps in sorted(stages)}
plots.show(
    first_figures.learning(x_valid[:6], y_valid[:6], answers),
    alt="Six handwritten digits, one per row, and beside each the probabilities of the ten classes at four moments. Before "
    "training they are spread over several classes; after a hundred steps the right class leads for most; at the end "
    "nearly all of the probability lies on the right class.",
    alt_zh="六个手写数字，一行一个，旁边是四个时刻网络给十个类别的概率。训练之前概率散在好几个类别上；一百步之后，多数已由正确类别领先；"
    "训练结束时，概率几乎全在正确类别上。",
)

# %% [markdown] lang="en"
# The loss begins near $\ln 10$, as it must for a network that knows nothing, and falls from epoch to epoch on both sets:
# what is learned holds for new digits too. (The training loss lies higher at first, since it is the mean over an epoch
# in which the weights were still worse.) In the end {{mlp.validation_accuracy:.1%}} of the validation digits are classified
# correctly. The picture shows the first six of them, not a selection.
#
# Why did it learn? Nobody told it what a 4 looks like. Each step moved every weight a little in the direction in which the loss on 50
# digits falls. What helps many digits, because they have it in common, adds up over the steps; what helps one odd digit only has to
# compete with the next batches. With many digits and a few epochs, what adds up is mostly the rule. (With few digits and many
# epochs there is time to learn each one by itself. You will see that below.)
#
# ## The same network in Keras
#
# From now on you know what happens inside, so you may leave it to a library. **Keras** describes networks; **TensorFlow**, beneath it,
# computes them and their gradients. A `Sequential` model is a list of layers; `Dense` is our
# $XW + b$, with its activation. `compile` names the update rule (`SGD`, our step 5), the loss (our cross entropy, for labels that
# are whole numbers: "sparse") and what else to report. `strategy`, made and described at the top, holds the devices of this machine.
#
# If it really is the same network, then from the same weights the slopes must be the same as ours. `GradientTape` is
# TensorFlow's own chain rule: it records a calculation and goes through it backward.

# %% [markdown] lang="zh" of="0c957c33"
# 损失从 $\ln 10$ 附近开始（什么都不懂的网络本该如此），在两个集合上都逐轮下降：学到的东西对新样本也管用。
# （训练损失开头偏高，因为它是整轮的平均，而那一轮前面几步的权重，还不如轮末的好。）最后，验证集上有 {{mlp.validation_accuracy:.1%}} 的样本识别正确。
# 图里画的就是验证集的前六个样本，没有挑选过。
#
# 它为什么能学会？没有人告诉它 4 长什么样。每一步只是把所有权重朝着“这 50 个样本的损失会下降”的方向挪一点。
# 对许多样本都有用的改动，因为它们有共同之处，会一步步积累起来；只对个别怪字有用的改动，则要跟后面的批次相争。
# 样本多、轮数少时，积累下来的主要就是规则。（样本少、轮数多时，也来得及把每个样本单独背下来，下面就会看到。）
#
# ## 用 Keras 写同一个网络
#
# 里面在做什么，你已经清楚，从现在起可以交给库了：**Keras** 用来描述网络，底下的 **TensorFlow** 负责计算网络和梯度。`Sequential` 模型就是一串层；`Dense` 就是我们的 $XW + b$ 加上激活函数。
# `compile` 指定更新规则（`SGD`，即第 5 步）、损失（就是我们的交叉熵，sparse 表示标签是整数），以及另外要报告什么。
# 开头创建并打印出来的 `strategy` 管着这台机器上的设备。
#
# 如果真是同一个网络，那么从同样的权重出发，斜率也必须与我们的相同。`GradientTape` 是 TensorFlow 自己的链式法则：
# 把计算过程录下来，再倒着走一遍。

# %%
with strategy.scope():
    model = keras.Sequential([
        keras.Input((784,)),
        layers.Dense(128, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
model.summary()

# %%
model.set_weights(fresh)
cross_entropy_of_keras = keras.losses.SparseCategoricalCrossentropy()
with tf.GradientTape() as tape:
    loss_of_keras = cross_entropy_of_keras(y_train[:50], model(x_train[:50]))
theirs = tape.gradient(loss_of_keras, model.trainable_variables)
ours = gradients(fresh, x_train[:50], y_train[:50])[1]
for name, a, b in zip(["W1", "b1", "W2", "b2"], ours, theirs, strict=True):
    proofs.equal({f"{name} NumPy": a, "GradientTape": b})

# %% [markdown] lang="en"
# The slopes agree, and `summary` counts the same parameters as we did. (`None` in its shapes stands for any batch size.)
#
# `fit` is our step 6: all epochs, all batches. It returns a history with one number per epoch. We switch its shuffling off,
# so that Keras sees the digits in the same order as our loop did.

# %% [markdown] lang="zh" of="f6dc8d4c"
# 斜率一致，`summary` 数出的参数个数也与我们的相同。（形状里的 `None` 表示批量大小可以任意。）
#
# `fit` 就是第 6 步：所有的轮，所有的批次。它返回训练历史，每轮一个数。这里关掉它的打乱，让 Keras 看样本的次序与我们的循环一样。

# %% tags=["nbval-ignore-output"]
history = model.fit(
    x_train, y_train, batch_size=50, epochs=epochs, shuffle=False,
    validation_data=(x_valid, y_valid), verbose=0,
).history
first_figures.losses(np.transpose(losses), (history["loss"], history["val_loss"]))
results.record("mlp.keras_validation_accuracy", history["val_accuracy"][-1])
keras_weights = model.get_weights()
pairs = zip(trained, keras_weights, strict=True)
apart = max(np.abs(ours - theirs).max() for ours, theirs in pairs)
results.record("mlp.largest_weight_difference", apart, digits=6)
our_answers = forward(trained, x_valid)[-1].argmax(axis=1)
their_answers = forward(keras_weights, x_valid)[-1].argmax(axis=1)
results.record("mlp.same_answers", (our_answers == their_answers).mean())

# %% [markdown] lang="en" tags=["predict"]
# They are the same network. After all these steps the largest difference between any two weights is
# {{mlp.largest_weight_difference:.3f}}: a computer rounds, Keras adds up in a different order, and each step starts from what the last one left.
#
# ## What does the ReLU add?
#
# A network with two numbers as input can be drawn whole. (The question is what it *can* draw, so the accuracies below are those on the points
# it was trained on.) The task: points in a square, and the answer is whether a point
# lies inside a disc. Three networks, all trained the same way (by Adam, a relative of SGD, see chapter 5): 16 hidden neurons *without* an
# activation, 4 with ReLU, and 16 with ReLU.
#
# **Predict:** what borders can each of the three draw? (For the first one, put one layer into the other:
# $(XW_1 + b_1)\,W_2 + b_2 = X\,(W_1 W_2) + (b_1 W_2 + b_2)$.)

# %% [markdown] lang="zh" of="04e5cd5b" tags=["predict"]
# 两个网络其实是同一个。走了这么多步之后，任意两个对应权重之差最大只有 {{mlp.largest_weight_difference:.3f}}：计算机要舍入，Keras 做加法的次序不同，
# 而每一步又都从上一步的结果出发。
#
# ## ReLU 带来了什么？
#
# 输入只有两个数的网络，可以整个画出来。（这里只看它画不画得出来，所以准确率就在训练用的点上算。）任务是：给出正方形里的一个点，判断它是不是在圆内。三个网络，训练方法完全相同
# （优化器用 Adam，它是 SGD 的亲戚，见第 5 章）：
# 16 个隐藏神经元，不带激活函数；4 个带 ReLU；16 个带 ReLU。
#
# **先猜：** 三个网络各能画出什么样的边界？（想第一个时，不妨把一层代入另一层：
# $(XW_1 + b_1)\,W_2 + b_2 = X\,(W_1 W_2) + (b_1 W_2 + b_2)$。）

# %% tags=["nbval-ignore-output"]
points = np.random.default_rng(0).uniform(-1, 1, (4_000, 2)).astype("float32")
inside = (np.hypot(points[:, 0], points[:, 1]) < 0.7).astype("int64")
networks = {"linear_16": (16, None), "relu_4": (4, "relu"), "relu_16": (16, "relu")}
for name, (neurons, activation) in networks.items():
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        network = keras.Sequential([keras.Input((2,)),
            layers.Dense(neurons, activation), layers.Dense(2, "softmax")])
        network.compile(keras.optimizers.Adam(0.02), metrics=["accuracy"],
                        loss="sparse_categorical_crossentropy")
    network.fit(points, inside, epochs=choose(smoke=5, laptop=20, full=40), verbose=0)
    right = network.evaluate(points, inside, verbose=0)[1]
    results.record(f"disc.{name}_accuracy", right)
    networks[name] = network
first_figures.regions(networks, points, inside)

# %% [markdown] lang="en" tags=["answer", "predict"]
# **Answer.** Without an activation the two layers are one layer, $X\,W + b$, and its border is at best a straight line. That does not help with a
# disc, so the network answers "outside" nearly everywhere and is right about as often as that answer alone would be. Each ReLU neuron
# adds one fold line, and a border that crosses it gets a corner there: four neurons enclose the disc in a rough polygon, sixteen come close to the
# circle. **The bend between the layers is what makes a second layer worth having.** (ReLU's relatives, the sigmoid, tanh and GELU, are compared in
# chapter 1a.)
#
# ## Does a falling loss show that something was learned?
#
# Many beginners' programs train on random numbers, to show that the loss goes down. It does. What does that show? We train your network three
# times on 500 examples: real digits with their labels; real digits with **random labels**; and **random pixels** with random labels.
# ([Zhang et al. 2017](https://arxiv.org/abs/1611.03530) did this with large networks.)
#
# **Predict** for each of the three: what accuracy does it reach on its 500 examples, and on new ones?

# %% [markdown] lang="zh" of="5872d9de" tags=["answer", "predict"]
# **答案。** 不带激活函数时，两层合起来还是一层 $X\,W + b$，边界至多是一条直线。直线对圆毫无用处，所以这个网络几乎处处回答“圆外”，
# 准确率也就跟一律答“圆外”差不多。每个 ReLU 神经元能添一道折痕，
# 边界穿过折痕就拐一个弯：四个神经元围出一个粗糙的多边形，十六个就很接近圆了。
# **正因为层与层之间弯了一下，第二层才有意义。**（ReLU 的几个亲戚 sigmoid、tanh 和 GELU，在第 1a 章比较。）
#
# ## 损失下降，就说明学到东西了吗？
#
# 许多入门程序用随机数来训练，好让人看到损失下降。损失确实会降，可这说明了什么？用 500 个样本把你的网络训练三次：
# 真图配真标签（real）；真图配**随机标签**（random labels）；**随机像素**配随机标签（random pixels）。
# （[Zhang 等，2017](https://arxiv.org/abs/1611.03530) 在大网络上做过这个实验。）
#
# **先猜：** 三次训练在自己那 500 个样本上的准确率各是多少？在新样本上呢？

# %%
generator = np.random.default_rng([SEED, 1])
noise = generator.normal(size=(2_500, 784)).astype("float32")
chance = generator.integers(0, 10, 2_500)  # labels drawn at random
cases = {  # pictures and labels to train on, and new ones
    "real": (x_train[:500], y_train[:500], x_valid, y_valid),
    "random_labels": (x_train[:500], chance[:500], x_valid, y_valid),
    "random_pixels": (noise[:500], chance[:500], noise[500:], chance[500:]),
}

# %% tags=["nbval-ignore-output"]
seen_and_new = {}
for name, (x, labels, new_x, new_labels) in cases.items():
    memory = fresh
    for _ in range(choose(smoke=40, laptop=150, full=200)):
        memory, training_loss = one_epoch(memory, x, labels, learning_rate=0.2)
    seen, new = accuracy(memory, x, labels), accuracy(memory, new_x, new_labels)
    seen_and_new[name] = seen, new
    results.record(f"noise.{name}_training_loss", training_loss)
    results.record(f"noise.{name}_training_accuracy", seen)
    results.record(f"noise.{name}_validation_accuracy", new)
first_figures.memory(seen_and_new)

# %% [markdown] lang="en" tags=["answer", "predict"]
# **Answer.** All three memorise their training set; only one learned anything about digits. **A falling training loss shows that
# the code runs, and nothing more.** Only new examples tell the three apart: with random labels or random pixels the
# network is at guessing, because there is nothing to find.
#
# ## What did it learn? Black on white
#
# Now your own digit from the top (the first picture below; it has been scaled and centred as MNIST's makers did), followed by
# seven validation digits. In the second row are the same digits, *black on white*. You recognise them as well as before.
#
# **Predict:** how many does the network recognise?

# %% [markdown] lang="zh" of="fdc6b842" tags=["answer", "predict"]
# **答案。** 三次都把训练集背了下来，只有一次学到了关于数字的东西。**训练损失下降，只说明代码能跑，别的什么也没说明。**
# 要把第一个与后两个区分开，得看新样本：标签随机，或者像素随机，都没有规律可找，网络只能瞎猜。
#
# ## 它学到的是什么？换成白底黑字
#
# 下面第一张是你在开头画的数字（已经按 MNIST 作者的办法缩放、居中），旁边是七个验证样本。第二行还是这些数字，
# 只是换成白底黑字，你认起来毫无困难。
#
# **先猜：** 网络能认出几个？

# %% tags=["nbval-ignore-output"]
yours = prepare(digit_pad.to_mnist(pad.picture()))  # (1, 784)
white_on_black = np.concatenate([yours, x_valid[:7]])
both = np.concatenate([white_on_black, 1 - white_on_black])
first_figures.answers(both, forward(trained, both)[-1].argmax(axis=1))

inverted = accuracy(trained, 1 - x_valid, y_valid)
results.record("mlp.inverted_accuracy", inverted)
always_black = (x_train.max(axis=0) == 0).sum()
unmoved = (trained[0] == fresh[0]).all(axis=1).sum()  # pixels whose weights never moved
print(f"{always_black = :d}, {unmoved = :d}")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Hardly any: {{mlp.inverted_accuracy:.1%}}, *less* than guessing. Remember *error times input*. A pixel that was black in every
# training picture had the input 0, so its weights never got a slope: the last line counts them, and they are still the random numbers
# of step 1. On white paper all those pixels are suddenly 1. And where the ink of a 5 used to speak for a 5, there is now
# nothing, so the right answer is even less likely than the others. (How much each of the two contributes, this experiment does not say.
# Setting the pixels that were always black back to 0 would tell.)
#
# The network never learned what a digit is. It learned which pixels go with which label *in pictures like these*. Ask of every accuracy:
# on which data?
#
# ## Step 7: the test, once
#
# All decisions are made. One question is left: compared with what? We compare with a **baseline**, the dullest program that could
# work: average all training pictures of each digit, and give a new picture the label of the nearest average. A network
# that does not beat this has learned nothing worth the name.

# %% [markdown] lang="zh" of="6b3f19f9" tags=["answer"]
# **答案。** 几乎一个也认不出：准确率 {{mlp.inverted_accuracy:.1%}}，比瞎猜还低。回想一下“误差乘以输入”：如果一个像素在所有训练图片里都是黑的，
# 它的输入就总是 0，它的权重也就从来得不到斜率。最后一行数的正是这些像素，它们的权重至今仍是第 1 步的随机数。
# 换成白底，这些像素突然都变成了 1。而 5 的笔画原来所在的地方，现在什么也没有，所以正确答案反而比别的更不可能。
# （两个原因各占多少，这个实验没有回答；把那些一直是黑的像素恢复成 0，再测一次就知道了。）
#
# 网络从来没有学过“数字是什么”，它学到的只是：在这一类图片里，哪些像素对应哪个标签。以后见到一个准确率，先问一句：是在什么数据上测的？
#
# ## 第 7 步：测试，只做一次
#
# 该做的决定都做完了，只剩一个问题：跟谁比？我们跟**基线**（baseline）比，也就是最简单、却未必没用的办法：把训练集里每个数字的图片取平均，
# 新图片离哪张平均图最近，就判为哪个数字。连它都赢不了的网络，不能算学到了东西。

# %% tags=["nbval-ignore-output"]
x_test, y_test = prepare(digits.x_test), digits.y_test
means = [x_train[y_train == digit].mean(axis=0) for digit in range(10)]
squares = [((x_test - mean) ** 2).sum(axis=1) for mean in means]
distances = np.stack(squares, axis=1)  # (10000, 10)
nearest = distances.argmin(axis=1)
results.record("baseline.test_accuracy", (nearest == y_test).mean())
results.record("mlp.test_accuracy", accuracy(trained, x_test, y_test))
results.record("mlp.keras_test_accuracy", accuracy(keras_weights, x_test, y_test))

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - Fifty lines of NumPy classify {{mlp.test_accuracy:.1%}} of the test digits correctly; the nearest average reaches {{baseline.test_accuracy:.1%}}.
#   (Stored beside the course: with three random seeds, {{seeds:mlp.test_accuracy:.1%}}. The test digits turn out a little harder than the
#   validation digits.)
# - Your slopes, nudges and `GradientTape` agree; after the whole training, NumPy and Keras give the same answer on {{mlp.same_answers:.2%}} of the
#   validation digits.
# - Without an activation, 16 hidden neurons get {{disc.linear_16_accuracy:.0%}} of the points right, as does the answer "outside"; with ReLU, {{disc.relu_16_accuracy:.0%}}.
# - The network memorises {{noise.random_labels_training_accuracy:.0%}} of 500 random labels, and gets
#   {{noise.random_labels_validation_accuracy:.0%}} on new digits: it is guessing.
# - Black on white, the same network recognises {{mlp.inverted_accuracy:.1%}}.
#
# | | formula | code |
# |---|---|---|
# | gradient descent | $w \leftarrow w - \eta\, \frac{dL}{dw}$ | `array - learning_rate * slope` |
# | chain rule | $\frac{dL}{dw} = \frac{dL}{dz} \cdot \frac{dz}{dw}$ | multiply, from the loss backward |
# | softmax, cross entropy | $P_k = e^{s_k} / \sum_j e^{s_j}$, $\;L = -\log P_y$ | `sparse_categorical_crossentropy` |
# | slope of the scores | $P - Y$ | `softmax(scores) - truth` |
# | layer $O = XW + b$ backward | $G_W = X^\top G_O$, $\;G_X = G_O W^\top$, $\;G_b = \sum_i G_{O,i}$ | `dense_backward` |
# | ReLU backward | $G_Z = G_H \odot [Z > 0]$ | `hidden_error * (sums > 0)` |

# %% [markdown] lang="zh" of="15b64f31" tags=["summary"]
# ## 你测到了什么
#
# - 五十行 NumPy 认对了测试集的 {{mlp.test_accuracy:.1%}}，最近平均图只有 {{baseline.test_accuracy:.1%}}。（课程还存有三个随机种子的结果：{{seeds:mlp.test_accuracy:.1%}}。
#   测试样本比验证样本稍难一点。）
# - 你的斜率、拨动的结果、`GradientTape` 三者一致；整个训练结束后，NumPy 与 Keras 在验证集上有 {{mlp.same_answers:.2%}} 的答案相同。
# - 没有激活函数，16 个隐藏神经元在圆的任务上只对了 {{disc.linear_16_accuracy:.0%}}，跟一律答“圆外”一样；有了 ReLU，对了 {{disc.relu_16_accuracy:.0%}}。
# - 500 个随机标签，网络背下了 {{noise.random_labels_training_accuracy:.0%}}；可到了新样本上，准确率只有 {{noise.random_labels_validation_accuracy:.0%}}，等于乱猜。
# - 换成白底黑字，同一个网络只认对 {{mlp.inverted_accuracy:.1%}}。
#
# | | 公式 | 代码 |
# |---|---|---|
# | 梯度下降 | $w \leftarrow w - \eta\, \frac{dL}{dw}$ | `array - learning_rate * slope` |
# | 链式法则 | $\frac{dL}{dw} = \frac{dL}{dz} \cdot \frac{dz}{dw}$ | 从损失往回，逐步相乘 |
# | softmax 与交叉熵 | $P_k = e^{s_k} / \sum_j e^{s_j}$，$\;L = -\log P_y$ | `sparse_categorical_crossentropy` |
# | 得分的斜率 | $P - Y$ | `softmax(scores) - truth` |
# | 一层 $O = XW + b$ 的反向 | $G_W = X^\top G_O$，$\;G_X = G_O W^\top$，$\;G_b = \sum_i G_{O,i}$ | `dense_backward` |
# | ReLU 的反向 | $G_Z = G_H \odot [Z > 0]$ | `hidden_error * (sums > 0)` |

# %% [markdown] lang="en"
# ### Exercise 4 · medium — measure it: a small budget
#
# You have only 5,000 digits, and may look at 20,000 in all: 4 epochs of 5,000. With the chapter's settings,
# `{"learning_rate": 0.1, "batch_size": 50, "hidden": 128, "epochs": 4}`, that does not reach a validation accuracy of 0.94. Find settings that do
# (at most 256 hidden neurons). Write `recipe()`, which returns such a dictionary. The check trains with it, with our own
# `one_epoch`, and judges what it measures; run it as often as you like.

# %% [markdown] lang="zh" of="53e0f78f"
# ### 练习 4 · 中 —— 测一测：预算很小
#
# 只有 5,000 个训练样本，总共只许看 20,000 次：也就是 4 轮，每轮 5,000 个。用本章的设置
# `{"learning_rate": 0.1, "batch_size": 50, "hidden": 128, "epochs": 4}`，验证准确率到不了 0.94。请找出能到的设置
# （隐藏神经元最多 256 个）。写出 `recipe()`，返回这样一个字典。检查程序会用 `one_epoch` 按你的设置训练，再看实测结果；想跑几次就跑几次。

# %% tags=["exercise"]
def recipe():
    """Settings for 20,000 looks at a digit."""
    ### BEGIN SOLUTION
    return {"learning_rate": 0.3, "batch_size": 25, "hidden": 256, "epochs": 4}
    ### END SOLUTION

# %% tags=["check", "nbval-ignore-output"]
exercises.check("01.recipe", recipe)

# %% [markdown] lang="en" tags=["hint"]
# Change one thing at a time. The number of *steps* is 20,000 divided by the batch size: smaller batches mean more steps.
# And each step may be longer than 0.1, as long as the loss still falls.

# %% [markdown] lang="zh" of="0e23c88d" tags=["hint"]
# 一次只改一样。步数等于 20,000 除以批量大小：批次越小，步数越多。每一步也可以比 0.1 长，只要损失还在下降。

# %% [markdown] lang="en"
# ### Exercise 5 · medium — find the bug
#
# A friend adds shuffling. Since then the loss stays near 2.3 ($= \ln 10$) and the accuracy near a tenth, whatever the learning rate. The
# gradients were checked and are right. Here is the new code; find what is wrong and write the repaired `batches`.
#
# ```python
# def batches(pictures, labels, size, generator):
#     order = generator.permutation(len(labels))
#     for start in range(0, len(labels), size):
#         yield pictures[order[start : start + size]], labels[start : start + size]
# ```

# %% [markdown] lang="zh" of="95f99eca"
# ### 练习 5 · 中 —— 找出错误
#
# 一位同学给训练加上了“打乱样本”。从那以后，无论学习率取多少，损失总停在 2.3（即 $\ln 10$）附近，准确率总在十分之一左右。
# 梯度核对过，没有问题。下面是新加的代码，请找出毛病，写出改正后的 `batches`。
#
# ```python
# def batches(pictures, labels, size, generator):
#     order = generator.permutation(len(labels))
#     for start in range(0, len(labels), size):
#         yield pictures[order[start : start + size]], labels[start : start + size]
# ```

# %% tags=["exercise"]
def batches(pictures, labels, size, generator):
    """Yield (pictures, labels) of one shuffled epoch, `size` at a time."""
    ### BEGIN SOLUTION
    order = generator.permutation(len(labels))
    for start in range(0, len(labels), size):
        chosen = order[start : start + size]
        yield pictures[chosen], labels[chosen]
    ### END SOLUTION

# %% tags=["check"]
exercises.check("01.batches", batches)

# %% [markdown] lang="en" tags=["hint"]
# A loss of $\ln 10$ means: the network has found nothing that connects pictures and labels. Print one batch, and compare the pictures with their labels.

# %% [markdown] lang="zh" of="8441149f" tags=["hint"]
# 损失停在 $\ln 10$，说明网络在图片和标签之间找不到任何联系。打印一个批次，把图片和标签对着看一看。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("01")

# %% [markdown] lang="en"
# ## Where to go from here
#
# - Nielsen, [*Neural Networks and Deep Learning*](http://neuralnetworksanddeeplearning.com), chapters 1 and 2: the same network, told at
#   greater length.
# - Karpathy, [*micrograd*](https://github.com/karpathy/micrograd): the chain rule on a graph of numbers, in a hundred lines.
# - Rumelhart, Hinton and Williams, [*Learning representations by back-propagating errors*](https://doi.org/10.1038/323533a0),
#   1986: four pages; you have now programmed them.
# - Goodfellow, Bengio and Courville, [*Deep Learning*](https://www.deeplearningbook.org), chapter 6.
# - LeCun, Bengio and Hinton, [*Deep learning*](https://doi.org/10.1038/nature14539), 2015: the field in nine pages.
# - Zhang et al., [*Understanding deep learning requires rethinking generalization*](https://arxiv.org/abs/1611.03530): random
#   labels, at full size.
# - Geirhos et al., [*Shortcut learning in deep neural networks*](https://arxiv.org/abs/2004.07780): networks that are right for
#   the wrong reasons, as on black and white.
#
# **What the full profile changes.** The network sees all training digits except those for validation, for more epochs. In the stored
# full run it classifies {{full:mlp.test_accuracy:.1%}} of the test digits correctly. The noise is memorised as before, and new digits
# stay at guessing: longer training does not find what is not there. And NumPy's and Keras' weights have drifted further
# apart, to {{full:mlp.largest_weight_difference:.3f}}, with the same answer on {{full:mlp.same_answers:.2%}} of the validation digits. Neither of the two is
# the right one.
#
# Next: chapter 1a asks what makes a model *large*, and what that costs. Chapter 2 lets the network see that neighbouring pixels are
# neighbours; chapter 4 says more about losses; chapter 5 about better steps than ours.

# %% [markdown] lang="zh" of="a55ceb72"
# ## 应用与延伸阅读
#
# - 邱锡鹏，[《神经网络与深度学习》](https://nndl.github.io)，第 4 章“前馈神经网络”；阿斯顿·张等，[《动手学深度学习》](https://zh.d2l.ai)，第 3、4 章；
#   周志华《机器学习》，第 5 章。
# - Nielsen，[*Neural Networks and Deep Learning*](http://neuralnetworksanddeeplearning.com)，第 1、2 章：同一个网络，讲得更细。
# - Karpathy，[*micrograd*](https://github.com/karpathy/micrograd)：一百行代码，对一个个数逐步求导。
# - Rumelhart、Hinton 与 Williams，
#   [*Learning representations by back-propagating errors*](https://doi.org/10.1038/323533a0)，1986：只有四页，你刚刚把它写成了程序。
# - Goodfellow、Bengio 与 Courville，[《深度学习》](https://www.deeplearningbook.org)（“花书”，有中译本），第 6 章。
# - LeCun、Bengio 与 Hinton，[*Deep learning*](https://doi.org/10.1038/nature14539)，2015：用九页讲完这个领域。
# - Zhang 等，[*Understanding deep learning requires rethinking generalization*](https://arxiv.org/abs/1611.03530)：
#   完整规模的随机标签实验。
# - Geirhos 等，[*Shortcut learning in deep neural networks*](https://arxiv.org/abs/2004.07780)：网络为什么答案对了，理由却是错的，
#   就像上面的黑与白。
#
# **换成 full 配置会怎样。** 除验证集之外的训练样本全都用上，轮数也更多。在保存下来的那次完整运行里，测试集上有 {{full:mlp.test_accuracy:.1%}} 识别正确。
# 噪声照样背得下来，新样本仍停在瞎猜的水平：本来没有的规律，训练再久也找不出来。NumPy 与 Keras 的权重则分开得更远，
# 最大相差 {{full:mlp.largest_weight_difference:.3f}}，而在验证集上仍有 {{full:mlp.same_answers:.2%}} 的答案相同。两者无所谓谁对谁错。
#
# 接下来：第 1a 章要问，模型多大才算大，代价又是多少。第 2 章让网络看见相邻的像素是邻居；第 4 章细讲损失；第 5 章讲更好的下坡办法。
