# %% [markdown] lang="en" telling=["cross_entropy.ece", "cross_entropy.ece_scaled", "softmax_twice_hidden.fault_accuracy"]
# # 4 Softmax and loss
#
# Take a network that is confidently wrong: shown any digit, it answers "3". Train it with squared error, and in this chapter you
# will watch it stay at guessing for several epochs. Train the same network with cross entropy, and it is repaired within the
# first one. Both losses know how wrong the answers are. Only one of them passes that on.
#
# A network ends in scores. Softmax turns them into probabilities, a loss says how wrong they are, and the gradient of the loss is
# all that the network ever learns from. Then comes a question that accuracy cannot answer: when a network says "90 per cent",
# is it right nine times in ten?
#
# **By the end you will be able to**
#
# - compute softmax, its Jacobian and seven losses with their gradients by hand, and check them against Keras;
# - say what a loss assumes about the data, and what it asks the network to predict;
# - measure why squared error behind a softmax learns slowly, and when it stands still for a long time;
# - look beyond accuracy: confusion matrix, precision, recall, calibration;
# - recognise mistakes with labels and `from_logits`, the loud one and the quiet ones.
#
# **Before you start:** gradients, the chain rule and a small network in Keras (chapter 1). Measured time and memory are printed
# below the imports.

# %% [markdown] lang="zh" of="3b07311f"
# # 4 Softmax 与损失函数
#
# 设想一个网络错得理直气壮：不管看到什么数字，都说是 3。用平方误差训练它，这一章里你会看到，它好几轮都停在瞎猜的水平上；
# 换成交叉熵，同样的网络第一轮就改过来了。两种损失都知道答案错得有多离谱，但只有一种把这个消息传了下去。
#
# 网络的末端是一串分数。softmax 把它们变成概率，损失函数说出错了多少，而损失的梯度是网络唯一的老师。随后还有一个准确率回答不了的问题：
# 网络说“九成”的时候，十次里真能对九次吗？
#
# **学完这一章，你能够**
#
# - 手算 softmax、它的雅可比矩阵和七种损失及其梯度，并用 Keras 验证；
# - 说出一种损失对数据作了什么假设，又要求网络预测什么；
# - 用实验说明 softmax 之后接平方误差为什么学得慢，什么时候会长时间原地不动；
# - 不止看准确率：混淆矩阵、精确率、召回率、校准；
# - 认出标签编码和 `from_logits` 的错误：会报错的那一种，和不声不响的那几种。
#
# **预备知识：** 梯度与链式法则，会用 Keras 写一个小网络（第 1 章）。实测的时间和内存打印在导入语句之后。

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

import ipywidgets as widgets
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, sliders, training
from course_utils.profiles import choose
from course_utils.reference import activations, losses

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("04")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: scores, then shares, then a cost
#
# The last layer gives each class a **score** (a *logit*): any number, negative ones too. Two steps turn scores into
# probabilities: make them positive ($e^{z}$), then divide by the sum.
#
# A **loss** then puts a cost on the result. It asks how much probability the model gave to the class that turned out to be
# right. Confident and right costs almost nothing, confident and wrong costs a lot.
#
# **Predict:** below, each score is lower than the one before by 1. How do the probabilities of neighbours compare?

# %% [markdown] lang="zh" of="2e36dd18" tags=["predict"]
# ## 核心思想：先打分，再分份额，最后定代价
#
# 最后一层给每个类别打一个**分数**（logit，《动手学深度学习》称为未规范化的预测）：可以是任意实数，也可以是负数。想把分数变成概率，
# 两步就够：先变成正数（$e^{z}$），再除以总和。
#
# **损失**（loss）则给结果定一个代价：真正的类别揭晓之后，回头看模型当初给了它多少概率。说得肯定又说对了，几乎不罚；说得肯定却说错了，重罚。
#
# **先猜：** 下面的分数依次低 1，相邻两个概率之间是什么关系？

# %% tags=["plot"]
scores = np.array([2.0, 1.0, 0.0, -1.0])
steps = {"scores z": scores, "powers $e^z$": np.exp(scores), "shares p": np.exp(scores) / np.exp(scores).sum()}
figure, axes = plt.subplots(1, 3, figsize=(9, 2.7))
for axis, color, (title, values) in zip(axes, plots.COLORS, steps.items(), strict=False):
    bars = axis.bar(["A", "B", "C", "D"], values, color=color)
    axis.bar_label(bars, fmt="%.2f", padding=2)
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.margins(y=0.18)
    axis.set(title=title, xlabel="class")
plots.show(
    figure,
    alt="Three bar charts of four classes: scores from 2 down to −1, their powers of e, and the shares of the sum; each "
    "share is the next one times e.",
    alt_zh="四个类别的三张柱形图：从 2 到 −1 的分数、e 的相应次幂、各自占总和的份额；每个份额都是后一个的 e 倍。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Each probability is $e \approx 2.7$ times the next one. Equal *differences* of scores become equal *ratios* of
# probabilities.
#
# ## Softmax: formula, NumPy, Keras
#
# $$ p_i = \frac{e^{z_i}}{\sum_j e^{z_j}} $$
#
# $z$ are the scores, one per class, and $p$ the probabilities. Divide two of them, and the sum cancels: $p_i / p_j = e^{z_i - z_j}$.
# So **only differences of scores count**: add 100 to all scores, and nothing changes. With two classes there is one difference
# left, and softmax becomes the **sigmoid**:
#
# $$ p_1 = \frac{e^{z_1}}{e^{z_1} + e^{z_2}} = \frac{1}{1 + e^{-(z_1 - z_2)}} = \sigma(z_1 - z_2) $$

# %% [markdown] lang="zh" of="3035684e" tags=["answer"]
# **答案。** 每个概率都是后一个的 $e \approx 2.7$ 倍：分数之差相等，概率之比就相等。
#
# ## Softmax：公式、NumPy、Keras
#
# $$ p_i = \frac{e^{z_i}}{\sum_j e^{z_j}} $$
#
# $z$ 是各类别的分数，$p$ 是概率。两个概率相除，总和约掉了：$p_i / p_j = e^{z_i - z_j}$，可见**起作用的只有分数之差**，
# 给所有分数都加上 100，结果不变。若只有两类，就只剩一个差，softmax 也就成了 **sigmoid**：
#
# $$ p_1 = \frac{e^{z_1}}{e^{z_1} + e^{z_2}} = \frac{1}{1 + e^{-(z_1 - z_2)}} = \sigma(z_1 - z_2) $$

# %%
def softmax_naive(scores):
    """The formula as it stands: (classes,) -> (classes,)."""
    powers = np.exp(scores)
    return powers / powers.sum()


proofs.equal({
    "naive": softmax_naive(scores),
    "reference": activations.softmax(scores),
    "Keras": keras.ops.softmax(scores),
    "softmax(z + 100)": softmax_naive(scores + 100),
})
difference = scores[0] - scores[1]
proofs.equal({
    "two classes": softmax_naive(scores[:2])[0],
    "σ(z₁ − z₂)": activations.sigmoid(difference),
    "Keras": keras.ops.sigmoid(difference),
})

# %% [markdown] lang="en"
# ## The Jacobian: every score moves every probability
#
# Raise one score, and its probability grows at the expense of all the others. By the quotient rule
#
# $$ J_{ij} = \frac{\partial p_i}{\partial z_j} = p_i\,(\delta_{ij} - p_j) $$
#
# where $\delta_{ij}$ is 1 if $i = j$, and 0 otherwise. Each row adds up to 0, since adding a constant to all scores changes nothing.
# And where one $p_i$ is nearly 1, *all* entries are nearly 0: **a confident softmax hardly moves.** Keep this in mind, it
# comes back below. We check the formula with `GradientTape` and with finite differences, which know nothing of our derivation.

# %% [markdown] lang="zh" of="457aabbc"
# ## 雅可比矩阵：每个分数都牵动每个概率
#
# 抬高一个分数，它自己的概率变大，其他各类一起变小。由商的求导法则得
#
# $$ J_{ij} = \frac{\partial p_i}{\partial z_j} = p_i\,(\delta_{ij} - p_j) $$
#
# 其中当 $i = j$ 时 $\delta_{ij} = 1$，否则为 0。这就是**雅可比矩阵**（Jacobian）。每行之和为 0，因为所有分数同加一个常数，概率不变。
# 如果某个 $p_i$ 接近 1，所有元素就都接近 0：**softmax 一旦十分肯定，就几乎推不动了。** 请记住这一点，后面还会遇到。推导对不对，
# 用 `GradientTape` 和有限差分来核对，它们对我们的推导一无所知。

# %%
def jacobian_by_hand(scores):
    """J[i, j] = dp_i / dz_j: (classes,) -> (classes, classes)."""
    p = softmax_naive(scores)
    jacobian = np.zeros((len(p), len(p)))
    for i, j in np.ndindex(jacobian.shape):
        jacobian[i, j] = p[i] * ((i == j) - p[j])
    return jacobian


scores_tensor = tf.constant(scores)
with tf.GradientTape() as tape:
    tape.watch(scores_tensor)
    probabilities = keras.ops.softmax(scores_tensor)
proofs.equal({
    "J by hand": jacobian_by_hand(scores),
    "reference": activations.softmax_jacobian(scores),
    "GradientTape": tape.jacobian(probabilities, scores_tensor),
    "finite differences": np.stack([
        proofs.finite_differences(lambda z, i=i: softmax_naive(z)[i], scores) for i in range(4)]),
})
print("rows add up to 0 · 每行之和为 0:", exercises.close(jacobian_by_hand(scores).sum(axis=1), np.zeros(4)))
print("largest entry if sure · 十足把握时的最大元素:", f"{jacobian_by_hand(10 * scores).max():.6f}")

# %% [markdown] lang="en" tags=["predict"]
# All four agree, and with ten times the scores the largest entry is tiny.
#
# ## Temperature: how confident, without changing the order
#
# Divide all scores by $T$ before the softmax: $p = \mathrm{softmax}(z / T)$. $T < 1$ makes the distribution sharper, $T > 1$ flatter.
# The order of the classes stays, and so does the accuracy. Language models sample with a temperature (chapter 7b), distillation
# teaches with it (8a), and below it repairs an overconfident network.
#
# **Predict** the two ends: what happens for $T \to 0$, and for $T \to \infty$?
#
# The slider below the figure needs a running notebook; the four panels show the same without one.

# %% [markdown] lang="zh" of="88169663" tags=["predict"]
# 四种算法一致；把分数放大到十倍，最大的元素就变得很小。
#
# ## 温度：只改肯定的程度，不改名次
#
# 在 softmax 之前把所有分数都除以 $T$：$p = \mathrm{softmax}(z / T)$，$T$ 叫**温度**（temperature）。$T < 1$ 使分布更尖，$T > 1$ 使它更平。
# 各类的名次不变，准确率也就不变。语言模型靠它采样（第 7b 章），知识蒸馏靠它教学（第 8a 章），本章后面还要用它来治网络的过度自信。
#
# **先猜**两个极端：$T \to 0$ 和 $T \to \infty$ 时会怎样？
#
# 图下方的滑块要在运行中的 notebook 里才能拖动；不运行也没关系，四张小图讲的是同一件事。

# %%
def draw_temperatures(*temperatures):
    """Bars of softmax(scores / T), one panel a temperature."""
    figure, axes = plt.subplots(1, len(temperatures), figsize=(2.3 * len(temperatures), 2.6), sharey=True, squeeze=False)
    for axis, temperature in zip(axes[0], temperatures, strict=True):
        bars = axis.bar(["A", "B", "C", "D"], activations.softmax(scores / temperature), color=plots.COLORS[0])
        axis.bar_label(bars, fmt="%.2f", padding=2, fontsize=9)
        axis.set(title=f"T = {temperature:.2f}", xlabel="class", ylim=(0, 1.1))
    axes[0, 0].set_ylabel("probability")
    return figure


plots.show(
    draw_temperatures(0.25, 1, 2, 10),
    alt="Softmax of the same four scores at rising temperature: from almost all on one class to nearly equal bars.",
    alt_zh="同样四个分数在温度逐渐升高时的 softmax：从几乎全在一个类别上，到四根柱子差不多一样高。",
)

# %% tags=["nbval-ignore-output"]
slider = widgets.FloatLogSlider(value=1, base=10, min=-1, max=1.5, step=0.05, description="T")
sliders.picture(lambda T: draw_temperatures(T), alt="Softmax of four scores at temperature T", alt_zh="温度 T 下四个分数的 softmax", T=slider)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** For $T \to 0$ everything goes to the class with the highest score; for $T \to \infty$ all classes become equally likely.
#
# ## Cross entropy: the cost of what happened
#
# Let $y$ be the right class; the model gave it the probability $p_y$. If the examples are independent, the probability of *all* labels
# together is the product of these, the **likelihood**. To make it as large as possible is the maximum-likelihood principle. A product of
# thousands of small numbers underflows, so we take the logarithm, change the sign, and average:
#
# $$ L = -\frac{1}{n} \sum_{k=1}^{n} \log p_{y_k}, \qquad \prod_k p_{y_k} = e^{-nL}, \qquad
#    \frac{\partial L}{\partial z_i} = \frac{1}{n}\,(p_i - \delta_{iy}) $$
#
# Where does the gradient come from? It is $\partial L / \partial p_y = -1/p_y$, times the row $J_{yi} = p_y(\delta_{yi} - p_i)$ of the
# Jacobian. The factor $p_y$ **cancels**. However confident the softmax is, the gradient is *prediction minus truth*, and that is why the
# two belong together.

# %% [markdown] lang="zh" of="36fedcf7" tags=["answer"]
# **答案。** $T \to 0$ 时，概率全部集中到分数最高的类别；$T \to \infty$ 时，各类的概率都相等。
#
# ## 交叉熵：为已经发生的事付出的代价
#
# 设正确的类别为 $y$，模型给它的概率是 $p_y$。样本相互独立时，**全部**标签同时出现的概率就是这些概率的乘积，称为**似然**（likelihood）；
# 让它尽可能大，就是最大似然原则。成千上万个小数相乘会下溢成 0，所以取对数、变号、再平均，得到**交叉熵**（cross entropy）：
#
# $$ L = -\frac{1}{n} \sum_{k=1}^{n} \log p_{y_k}, \qquad \prod_k p_{y_k} = e^{-nL}, \qquad
#    \frac{\partial L}{\partial z_i} = \frac{1}{n}\,(p_i - \delta_{iy}) $$
#
# 梯度是这样来的：$\partial L / \partial p_y = -1/p_y$，乘上雅可比矩阵的那一行 $J_{yi} = p_y(\delta_{yi} - p_i)$，因子 $p_y$ 正好**约掉**。
# 于是不管 softmax 多么肯定，梯度总是“预测减去真相”。这两者是天生的一对。

# %%
def taped(loss, prediction):
    """Gradient of a Keras loss with respect to one array."""
    prediction = tf.constant(prediction)
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        value = loss(prediction)
    return tape.gradient(value, prediction)


def compare(name, value, gradient, reference, keras_loss, prediction, target, keras_target=None):
    """Our loss and gradient beside the reference's, Keras', the tape's, and finite differences."""
    keras_target = target if keras_target is None else keras_target
    backward = getattr(losses, f"{reference.__name__}_backward")
    proofs.equal({name: value, "reference": reference(prediction, target), "Keras": keras_loss(keras_target, prediction)})
    proofs.equal({
        f"  ∂ {name}": gradient,
        "reference": backward(1.0, prediction, target),
        "GradientTape": taped(lambda x: keras_loss(keras_target, x), prediction),
        "finite differences": proofs.finite_differences(lambda x: reference(x, target), prediction),
    })

# %%
random = np.random.default_rng(0)
logits, labels = random.normal(scale=2, size=(6, 4)), np.array([0, 3, 1, 1, 2, 0])
one_hot = np.eye(4)[labels]  # (6, 4): 1 at the label
p = np.apply_along_axis(softmax_naive, 1, logits)  # (6, 4)
p_right = p[np.arange(6), labels]  # (6,): what the model gave to the label

cross_entropy = -np.mean(np.log(p_right))
compare("cross entropy", cross_entropy, (p - one_hot) / 6, losses.cross_entropy,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True), logits, labels)
proofs.equal({"likelihood": np.prod(p_right), "exp(−n L)": np.exp(-6 * cross_entropy)}, tolerance=1e-12)
print("10,000 factors of 0.5 · 一万个 0.5 相乘:", np.prod(np.full(10_000, 0.5)))

# %% [markdown] lang="en" tags=["predict"]
# Loss and gradient agree with Keras, and the last line shows the underflow: ten thousand factors of a half are, for the computer, 0.
#
# ## When the formula overflows: log-sum-exp and `from_logits`
#
# A score of 1000 is a legal score, but $e^{1000}$ is too large for floating point; in single precision $e^{89}$ already is. Only
# differences count, so we first subtract the largest score $m$. Then no exponential exceeds 1. The same trick gives the logarithm
# without ever forming $p$:
#
# $$ \log \sum_j e^{z_j} = m + \log \sum_j e^{z_j - m}, \qquad \log p_i = z_i - \log \sum_j e^{z_j} $$
#
# This is why Keras prefers to get the scores themselves: `from_logits=True` says "these are scores, do softmax and logarithm together".
# Keras remembers the scores behind its own softmax. If probabilities come from elsewhere (here from TensorFlow's function), it must
# clip them at $10^{-7}$, so that the logarithm stays finite. In the second cell the wrong class is ahead by 5, 15, 20 and 50.
# **Predict:** what does clipping do to the loss, and to the gradient?

# %% [markdown] lang="zh" of="eeb49b77" tags=["predict"]
# 损失和梯度都与 Keras 一致；最后一行就是下溢：一万个二分之一相乘，在计算机里等于 0。
#
# ## 公式溢出的时候：log-sum-exp 与 `from_logits`
#
# 1000 是合法的分数，可 $e^{1000}$ 超出了浮点数的范围；单精度连 $e^{89}$ 都装不下。既然起作用的只有差，那就先减去最大的分数 $m$，
# 所有指数都不会超过 1。同一个技巧还能绕开 $p$，直接算出它的对数，这就是 **log-sum-exp**：
#
# $$ \log \sum_j e^{z_j} = m + \log \sum_j e^{z_j - m}, \qquad \log p_i = z_i - \log \sum_j e^{z_j} $$
#
# 所以 Keras 更愿意直接拿到分数。`from_logits=True` 的意思是“这些是分数，请把 softmax 和对数合在一起算”。Keras 记得自己的 softmax 背后的分数；
# 如果概率来自别处（这里用 TensorFlow 的函数），它只好把概率截断在 $10^{-7}$，免得对数变成无穷。第二个单元格里，错误类别的分数分别高出 5、15、20 和 50。
# **先猜：** 截断之后，损失会怎样，梯度又会怎样？

# %%
large = np.array([1000.0, 999.0, 0.0])
with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
    print("naive · 照公式算:          ", softmax_naive(large).tolist())
    print("float32 e^88, e^89:       ", np.exp(np.float32([88, 89])).tolist())
    print("log(softmax) · 先算再取对数:", np.log(activations.softmax(large)).round(4).tolist())
print("m subtracted · 先减 m:      ", activations.softmax(large).round(4).tolist())
print("log_softmax:              ", activations.log_softmax(large).round(4).tolist())
m = large.max()
proofs.equal({"m + log Σ e^(z − m)": m + np.log(np.exp(large - m).sum()), "Keras": keras.ops.logsumexp(large)})

# %%
from_scores = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
from_probabilities = keras.losses.SparseCategoricalCrossentropy()
right_class = np.array([0])
ways = [
    lambda z: from_scores(right_class, z),
    lambda z: from_probabilities(right_class, tf.nn.softmax(z)),
]
print("  gap   from scores · 用分数      from probabilities · 用概率")
for gap in (5.0, 15.0, 20.0, 50.0):
    pair = np.array([[0, gap]], dtype="float32")
    cells = [f"loss {float(way(pair)):6.3f}, gradient {taped(way, pair)[0, 0]:6.3f}" for way in ways]
    print(f"{gap:5.0f}   {cells[0]}   {cells[1]}")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Up to a lead of 15 the two ways agree. Beyond it the clipped loss stays at $-\log 10^{-7} \approx 16.1$, and its gradient is
# exactly **0**: where the network is most wrong, it learns nothing. From scores, the gradient stays at −1. So give a loss the scores
# whenever you have them.
#
# ## Losses for numbers: MSE, MAE, Huber
#
# With the error $e = \hat y - y$, averaged over $n$ numbers:
#
# | loss | for one number | gradient for one number ($\times 1/n$) |
# |---|---|---|
# | MSE, mean squared error | $e^2$ | $2e$ |
# | MAE, mean absolute error | $\lvert e \rvert$ | $\operatorname{sign} e$ |
# | Huber, $\delta = 1$ | $\frac12 e^2$ if $\lvert e \rvert \le 1$, else $\lvert e \rvert - \frac12$ | $e$, clipped to $[-1, 1]$ |
#
# The gradient is the *pull* of one example. In MSE an outlier pulls the harder the farther away it is. In MAE every example pulls with the
# same force. Huber ([1964](https://doi.org/10.1214/aoms/1177703732)) joins the two: gentle near zero, limited far out.

# %% [markdown] lang="zh" of="1ce102fa" tags=["answer"]
# **答案。** 高出不超过 15 时，两种算法一致。再高，截断后的损失就停在 $-\log 10^{-7} \approx 16.1$，梯度恰好是 **0**：网络错得最离谱的地方，
# 反而什么也学不到。直接用分数来算，梯度始终是 −1。所以只要手里有分数，就把分数交给损失函数。
#
# ## 预测数值的损失：MSE、MAE、Huber
#
# 记误差 $e = \hat y - y$，对 $n$ 个数取平均：
#
# | 损失 | 单个数的损失 | 单个数的梯度（再乘 $1/n$） |
# |---|---|---|
# | 均方误差 MSE | $e^2$ | $2e$ |
# | 平均绝对误差 MAE | $\lvert e \rvert$ | $\operatorname{sign} e$ |
# | Huber，$\delta = 1$ | $\lvert e \rvert \le 1$ 时为 $\frac12 e^2$，否则为 $\lvert e \rvert - \frac12$ | 把 $e$ 截到 $[-1, 1]$ |
#
# 梯度就是一个样本的拉力。在 MSE 里，离群点离得越远，拉得越狠；在 MAE 里，每个样本的拉力都相同；Huber 损失
# （[1964](https://doi.org/10.1214/aoms/1177703732)）取两者之长：近处温和，远处有上限。

# %%
targets = random.normal(size=8)
predictions = targets + np.array([0.2, -0.4, 0.7, -0.9, 1.5, -2.0, 3.0, -5.0])
error = predictions - targets
far = np.abs(error) > 1
compare("MSE", np.mean(error**2), 2 * error / 8,
        losses.mean_squared_error, keras.losses.MeanSquaredError(), predictions, targets)
compare("MAE", np.mean(np.abs(error)), np.sign(error) / 8,
        losses.mean_absolute_error, keras.losses.MeanAbsoluteError(), predictions, targets)
compare("Huber", np.mean(np.where(far, np.abs(error) - 0.5, error**2 / 2)), np.clip(error, -1, 1) / 8,
        losses.huber, keras.losses.Huber(), predictions, targets)

# %% [markdown] lang="en"
# ## Other losses for classes: hinge, focal, label smoothing
#
# - **Hinge** ([Cortes and Vapnik 1995](https://doi.org/10.1007/BF00994018)): $\max(0, 1 - y s)$ for a score $s$ and $y = \pm 1$. To be
#   right by a margin of 1 is enough; beyond it the gradient is 0. It asks for no probabilities.
# - **Focal** ([Lin et al. 2017](https://arxiv.org/abs/1708.02002)): $-\alpha\,(1 - p_y)^\gamma \log p_y$. Easy examples count less. It was
#   made for detectors, which see thousands of background patches for every object. Gradient:
#   $\alpha\big[(1-p_y)^\gamma - \gamma\,p_y (1-p_y)^{\gamma-1} \log p_y\big]\,(p_i - \delta_{iy})$.
# - **Label smoothing** ([Szegedy et al. 2015](https://arxiv.org/abs/1512.00567)): cross entropy with the target
#   $q_i = (1-a)\,\delta_{iy} + a/K$ for $K$ classes. Gradient: $p_i - q_i$, so a network that is too confident is pulled *back*.

# %% [markdown] lang="zh" of="5406af94"
# ## 分类的其他损失：合页、焦点、标签平滑
#
# - **合页损失**（hinge，[Cortes 与 Vapnik，1995](https://doi.org/10.1007/BF00994018)）：分数为 $s$、$y = \pm 1$ 时，取 $\max(0, 1 - y s)$。
#   只要说对，且余量达到 1，就不再追究，梯度为 0。它不要求输出概率。
# - **焦点损失**（focal，[Lin 等，2017](https://arxiv.org/abs/1708.02002)）：$-\alpha\,(1 - p_y)^\gamma \log p_y$。容易的样本少算一些；
#   它本是为目标检测设计的，那里每见到一个物体，就要看上千块背景。梯度为
#   $\alpha\big[(1-p_y)^\gamma - \gamma\,p_y (1-p_y)^{\gamma-1} \log p_y\big]\,(p_i - \delta_{iy})$。
# - **标签平滑**（label smoothing，[Szegedy 等，2015](https://arxiv.org/abs/1512.00567)）：仍用交叉熵，目标换成
#   $q_i = (1-a)\,\delta_{iy} + a/K$，$K$ 为类别数。梯度为 $p_i - q_i$，网络太自信，反而会被**拉回来**。

# %%
margins, signs = np.array([-2.0, -0.3, 0.4, 0.8, 1.6, 3.0]), np.array([1.0, -1, 1, -1, 1, -1])
compare("hinge", np.mean(np.maximum(0, 1 - signs * margins)), -signs * (signs * margins < 1) / 6,
        losses.hinge, keras.losses.Hinge(), margins, signs)

alpha, gamma, miss = 0.25, 2, 1 - p_right
slope = alpha * (miss**gamma - gamma * p_right * miss ** (gamma - 1) * np.log(p_right))  # (6,)
compare("focal", -np.mean(alpha * miss**gamma * np.log(p_right)), slope[:, None] * (p - one_hot) / 6,
        losses.focal, keras.losses.CategoricalFocalCrossentropy(from_logits=True), logits, labels, one_hot)

smooth = 0.9 * one_hot + 0.1 / 4  # q, with a = 0.1
compare("label smoothing", -np.mean(np.sum(smooth * np.log(p), axis=1)), (p - smooth) / 6,
        losses.label_smoothed_cross_entropy,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), logits, labels, one_hot)

# %% [markdown] lang="en" tags=["predict"]
# All seven losses and their gradients agree with Keras. One figure now says what a loss does to training: **how hard does one example
# pull?** On the left, the pull against the error. On the right, for two classes, the push on the right class's score against the
# probability that it has now.
#
# **Predict:** where should a loss push hardest? Which of the four does not push there at all?

# %% [markdown] lang="zh" of="180988ed" tags=["predict"]
# 七种损失和它们的梯度都与 Keras 一致。一种损失对训练有什么影响，一张图就能说清：**一个样本拉得有多用力？** 左图是拉力随误差的变化；
# 右图以两类为例，横轴是正确类别现在的概率，纵轴是把它的分数往上推的力。
#
# **先猜：** 哪里最该用力？四种损失里，哪一种偏偏在那里一点力气也没有？

# %% tags=["plot"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
errors, chance = np.linspace(-4, 4, 401), np.linspace(0.001, 0.999, 400)
pulls = {"MSE": 2 * errors, "MAE": np.sign(errors), "Huber, δ = 1": np.clip(errors, -1, 1)}
pushes = {  # minus the derivative by the right class's score, two classes
    "cross entropy": 1 - chance,
    "squared error + softmax": 2 * chance * (1 - chance) ** 2,  # through the Jacobian
    "focal, γ = 2, α = 1": ((1 - chance) ** 2 - 2 * chance * (1 - chance) * np.log(chance)) * (1 - chance),
    "label smoothing, a = 0.2": 0.9 - chance,
}
for axis, curves, places in ((left, pulls, errors), (right, pushes, chance)):
    for (name, curve), color, line in zip(curves.items(), plots.COLORS, plots.LINES, strict=False):
        axis.plot(places, curve, color=color, linestyle=line, label=name)
    axis.axhline(0, color="0.5", linewidth=0.8)
    axis.legend(fontsize=9)
left.set(xlabel="error e", ylabel="gradient", title="Pull of one number", ylim=(-4, 4))
right.set(xlabel="probability of the right class", ylabel="−∂L/∂z of the right class", title="Push on the right class")
plots.show(
    figure,
    alt="Left: the gradients of MSE (a straight line), MAE (a step) and Huber (a clipped line). Right: at probability 0 "
    "cross entropy, focal and smoothed losses push hard, squared error behind softmax pushes with force 0.",
    alt_zh="左：MSE（直线）、MAE（阶跃）和 Huber（截断的直线）的梯度。"
    "右：正确类别的概率接近 0 时，交叉熵、焦点损失和标签平滑都推得很用力，softmax 之后的平方误差推力为 0。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** On the far left of the right panel, where the right class has a probability near 0. Cross entropy pushes with full force
# there, focal loss and smoothing with nearly as much. Squared error behind a softmax pushes with force 0: its gradient has to pass through
# the Jacobian of a confident softmax. (At the other end smoothing becomes negative: it pulls back.)
#
# ## What a loss asks for: maximum likelihood
#
# A loss is a claim about the noise. Suppose the data are the prediction plus random errors. Then minus the logarithm of their
# probability is, up to constants:
#
# | if the noise is | minus log-likelihood | so the loss is | best constant answer |
# |---|---|---|---|
# | Gaussian | $e^2 / 2\sigma^2$ | MSE | the mean |
# | Laplace (rare large errors are normal) | $\lvert e \rvert / b$ | MAE | the median |
# | a class drawn with probabilities $p$ | $-\log p_y$ | cross entropy | the frequencies |
#
# Seven people waited for the bus, one of them for very long (invented data). We ask each loss for its best single answer. Then we ask
# cross entropy about MNIST's 60,000 labels, without showing it an image. What would you answer?

# %% [markdown] lang="zh" of="ad80ec13" tags=["answer"]
# **答案。** 最该用力的是右图的最左边，那里正确类别的概率接近 0。交叉熵（cross entropy）在那里使足了力气，焦点损失（focal）和标签平滑
# （label smoothing）也差不多。softmax 之后的平方误差（squared error + softmax）推力却是 0，因为它的梯度要穿过一个十分肯定的
# softmax 的雅可比矩阵。（在另一头，标签平滑变成负的：它在往回拉。）
#
# ## 损失在要什么：最大似然
#
# 选一种损失，就是对噪声下一个断言。设数据等于预测加上随机误差，那么概率的负对数，除常数外是：
#
# | 噪声服从 | 负对数似然 | 于是损失为 | 最好的常数答案 |
# |---|---|---|---|
# | 高斯分布 | $e^2 / 2\sigma^2$ | MSE | 均值 |
# | 拉普拉斯分布（偶尔的大误差也算正常） | $\lvert e \rvert / b$ | MAE | 中位数 |
# | 按概率 $p$ 抽出的一个类别 | $-\log p_y$ | 交叉熵 | 各类频率 |
#
# 七个人等公交车，其中一个等了格外久（数据是编的）。问问每种损失：只准报一个数，它报多少？再拿 MNIST 的 60,000 个标签去问交叉熵，
# 一张图也不给看。换了你，会怎么答？

# %%
waits = np.array([2.0, 3, 3, 4, 5, 6, 40])  # minutes
answers = np.linspace(0, 40, 4001)
for name, loss in {
    "MSE": losses.mean_squared_error,
    "MAE": losses.mean_absolute_error,
    "Huber, δ = 5": lambda answer, waits: losses.huber(answer, waits, delta=5.0),
}.items():
    prices = [loss(np.full(7, answer), waits) for answer in answers]
    print(f"{name:12} best answer · 最佳答案 {answers[np.argmin(prices)]:5.2f} min")
print(f"mean · 均值 {waits.mean():.2f}, median · 中位数 {np.median(waits):.2f}")

digits = datasets.mnist()
frequency = np.bincount(digits.y_train) / 60_000
always = np.tile(np.log(frequency), (60_000, 1))  # (60000, 10): the same scores for every image
proofs.equal({
    "cross entropy of the frequencies": losses.cross_entropy(always, digits.y_train.astype(int)),
    "entropy −Σ f log f": -np.sum(frequency * np.log(frequency)),
})
pull = losses.cross_entropy_backward(1.0, always, digits.y_train.astype(int)).sum(axis=0)
print("nothing left to gain · 无可改进:", exercises.close(pull, np.zeros(10), 1e-12))

# %% [markdown] lang="en" tags=["predict"]
# MSE answers with the mean, which the one long wait pulls upwards; MAE with the median; Huber lies in between. Cross entropy answers with the
# frequencies of the digits, and its cost is then their entropy. If these answers differ, so do networks that are trained with these losses.
#
# ## Experiment: squared error behind a softmax
#
# Put squared error behind the softmax, and its gradient has to pass through the Jacobian:
# $\partial L/\partial z = J\,\cdot\,\tfrac{2}{K}(p - y)$. Nothing cancels. A network that is *confidently wrong* has $J \approx 0$: it makes
# the largest error and gets the smallest gradient.
#
# We test it on MNIST with one perceptron and plain gradient descent; the baseline always answers with the most common digit. Keras takes
# the mean over ten classes, so squared error's gradient is only a tenth; to be fair, it also gets ten times the learning rate. The
# *ablation* is the bad start: one bias is set to 10, as if the network had seen nothing but threes. Three seeds each.
# **Predict** which curves stay flat.

# %% [markdown] lang="zh" of="134edc58" tags=["predict"]
# MSE 报的是均值，被那个等得特别久的人拉高了；MAE 报的是中位数；Huber 介于两者之间。交叉熵报的是各个数字的频率，这时的代价就是它们的熵。
# 答案既然不同，用这些损失训练出来的网络也就不同。
#
# ## 实验：softmax 之后接平方误差
#
# softmax 之后若接平方误差，梯度就得穿过雅可比矩阵：$\partial L/\partial z = J\,\cdot\,\tfrac{2}{K}(p - y)$，什么也约不掉。
# 网络若是**十分肯定地错了**，$J \approx 0$：错得最离谱，得到的梯度却最小。
#
# 在 MNIST 上，用同一个感知机和最普通的梯度下降，基线是永远猜最常见的数字。Keras 对十个类别取平均，平方误差的梯度因此只有十分之一；
# 为公平起见，再让它用十倍的学习率跑一次（rate × 10）。消融是糟糕的初始值（bad start）：把一个偏置设为 10，好像网络以前只见过 3。
# 每种设置各用三个随机种子。**先猜：** 哪几条曲线会躺平？

# %%
count = choose(smoke=2_000, laptop=8_000, full=50_000)
x_train, y_train = datasets.as_images(digits.x_train[:count]), digits.y_train[:count].astype(int)
x_validation, y_validation = datasets.as_images(digits.x_train[55_000:]), digits.y_train[55_000:].astype(int)
x_test, y_test = datasets.as_images(digits.x_test), digits.y_test.astype(int)


def perceptron(hidden=128, ending=()):
    """784-hidden-10, ending in scores; `ending` adds layers after them."""
    first = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(hidden, activation="relu")]
    return keras.Sequential([*first, keras.layers.Dense(10, name="scores"), *ending])


def squared_error(targets, scores):
    """Mean over the classes of (softmax(scores) - targets)², one number for each example."""
    return keras.ops.mean((keras.ops.softmax(scores) - targets) ** 2, axis=-1)


print("parameters · 参数量:", f"{perceptron().count_params():,}")
print("validation, test · 验证、测试:", len(x_validation), len(x_test))

# %%
def cross_entropy_of_scores(targets, scores):
    return keras.losses.categorical_crossentropy(targets, scores, from_logits=True)


models = {}
for loss in (cross_entropy_of_scores, squared_error):
    with strategy.scope():
        models[loss] = perceptron()
        models[loss].compile(keras.optimizers.SGD(), loss, metrics=["accuracy"], steps_per_execution=8)


def accuracy_curve(loss, learning_rate, surely_wrong, seed):
    """Validation accuracy after each epoch, from new random weights."""
    keras.utils.set_random_seed(seed)
    model = models[loss]  # compiled once: Keras need not trace it again for every run
    model.set_weights(perceptron().get_weights())
    model.optimizer.learning_rate = learning_rate
    if surely_wrong:
        model.get_layer("scores").bias.assign(10 * np.eye(10)[3])
    name = f"{loss.__name__} {learning_rate} {surely_wrong} {seed}"
    history = training.fit(model, x_train, np.eye(10)[y_train], name=name, epochs=choose(smoke=2, laptop=5, full=20),
                           validation_data=(x_validation, np.eye(10)[y_validation]))
    return history["val_accuracy"]

# %% tags=["nbval-ignore-output"]
settings = {  # name: loss, learning rate, surely wrong at the start
    "cross_entropy": (cross_entropy_of_scores, 0.1, False),
    "squared_error": (squared_error, 0.1, False),
    "squared_error_rate_10": (squared_error, 1.0, False),
    "cross_entropy_bad_start": (cross_entropy_of_scores, 0.1, True),
    "squared_error_rate_10_bad_start": (squared_error, 1.0, True),
}
bands = {
    "cross_entropy": choose(smoke=(0.777, 0.906), laptop=(0.916, 0.933), full=(0.95, 1)),
    "squared_error": choose(smoke=(0, 0.412), laptop=(0.491, 0.648), full=(0.6, 1)),
    "squared_error_rate_10": choose(smoke=(0.384, 0.789), laptop=(0.91, 0.918), full=(0.95, 1)),
    "cross_entropy_bad_start": choose(smoke=(0.714, 0.86), laptop=(0.913, 0.925), full=(0.95, 1)),
    "squared_error_rate_10_bad_start": choose(smoke=(0.09, 0.2), laptop=(0.09, 0.9), full=(0.09, 1)),  # wide: when it wakes up is luck
}
seeds = [SEED + 100 * number for number in range(choose(smoke=1, laptop=3, full=3))]
curves = {}
for name, setting in settings.items():
    curves[name] = np.array([accuracy_curve(*setting, seed) for seed in seeds])  # (seeds, epochs)
    results.record(f"{name}.validation_accuracy", curves[name][:, -1].mean(), band=bands[name])
commonest = np.bincount(y_train).argmax()
results.record("commonest_digit.validation_accuracy", np.mean(y_validation == commonest))

# %% tags=["plot", "hero", "nbval-ignore-output"]
figure, axis = plt.subplots(figsize=(7.5, 4))
for (name, values), color, marker, line in zip(curves.items(), plots.COLORS, plots.MARKERS, plots.LINES, strict=False):
    epochs = np.arange(1, values.shape[1] + 1)
    label = name.replace("_rate_10", ", rate × 10").replace("_bad_start", ", bad start").replace("_", " ")
    axis.plot(epochs, values.mean(axis=0), color=color, marker=marker, linestyle=line, label=label)
    axis.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=color, alpha=0.2, linewidth=0)
axis.axhline(np.mean(y_validation == commonest), color="0.5", linewidth=1)
axis.text(1, 0.04, "line: always the commonest digit", color="0.4", fontsize=9)
axis.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1), xticks=epochs, title="Learning to read digits: mean and range of the seeds")
axis.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure,
    alt="Validation accuracy over the epochs: cross entropy rises at once from both starts; squared error lags, and from "
    "the bad start stays on the line of the commonest digit for epochs.",
    alt_zh="验证准确率随轮数的变化：交叉熵从两种开局都立刻上升；平方误差落在后面，"
    "遇到糟糕的开局时，好几轮都停在 “永远猜最常见数字” 的线上。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Only squared error from the bad start. At the common learning rate squared error lags far behind,
# {{squared_error.validation_accuracy:.1%}} against {{cross_entropy.validation_accuracy:.1%}}. Ten times the rate brings it near,
# {{squared_error_rate_10.validation_accuracy:.1%}}, *from an ordinary start*. From the bad one it stays at guessing for several epochs; when
# it wakes up differs from seed to seed, and the mean of three is {{squared_error_rate_10_bad_start.validation_accuracy:.1%}} after the
# last epoch here. Cross entropy hardly minds: {{cross_entropy_bad_start.validation_accuracy:.1%}}.
#
# ## Beyond accuracy: which mistakes?
#
# Accuracy is one number for ten kinds of error. A **confusion matrix** has a row for each true digit and a column for each prediction. It
# answers two questions. Of all that the network *called* an 8, how many were (**precision**, down the column)? Of all true eights, how
# many did it *find* (**recall**, along the row)?
#
# We train three networks with three losses on 3,000 digits only (in the laptop profile), and for far too long. They serve this section
# and the next.

# %% [markdown] lang="zh" of="f1e44b08" tags=["answer"]
# **答案。** 只有初始值糟糕的平方误差。学习率相同时，平方误差（squared error）远远落后，准确率是 {{squared_error.validation_accuracy:.1%}}，
# 交叉熵（cross entropy）是 {{cross_entropy.validation_accuracy:.1%}}。学习率乘以十，它追到 {{squared_error_rate_10.validation_accuracy:.1%}}，
# 前提是初始值正常。初始值糟糕时，它好几轮都停在瞎猜的水平；什么时候醒过来，每个种子都不一样，最后一轮之后三个种子的平均值是
# {{squared_error_rate_10_bad_start.validation_accuracy:.1%}}。交叉熵则几乎不受影响：{{cross_entropy_bad_start.validation_accuracy:.1%}}。
#
# ## 不止看准确率：错的是哪些？
#
# 准确率用一个数概括了十个数字各自的错误。**混淆矩阵**（confusion matrix）每行是一个真实数字，每列是网络的预测。由此可以回答两个问题：
# 网络**说是** 8 的里面，多少真是 8（**精确率**，precision，竖着看）？真正的 8 里面，它**找出**了多少（**召回率**，recall，横着看）？
#
# 我们只用 3,000 个样本（laptop 配置），训练得远远超过需要，用三种损失各训练一个网络，供这一节和下一节使用。

# %% tags=["nbval-ignore-output"]
overtrained = {  # name: loss, band of the test accuracy
    "cross entropy": (keras.losses.CategoricalCrossentropy(from_logits=True), choose(smoke=(0.879, 0.891), laptop=(0.925, 0.934), full=(0.91, 0.97))),
    "label smoothing": (keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), choose(smoke=(0.879, 0.901), laptop=(0.935, 0.951), full=(0.91, 0.97))),
    "focal": (keras.losses.CategoricalFocalCrossentropy(from_logits=True), choose(smoke=(0.87, 0.887), laptop=(0.923, 0.931), full=(0.91, 0.97))),
}
few = choose(smoke=1_000, laptop=3_000, full=3_000)
validation_scores, test_scores = {}, {}
for name, (loss, band) in overtrained.items():
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        model = perceptron(hidden=256)
        model.compile(keras.optimizers.Adam(0.001), loss, steps_per_execution=8)
    training.fit(model, x_train[:few], np.eye(10)[y_train[:few]], name=name, batch_size=64, epochs=choose(smoke=15, laptop=50, full=100))
    validation_scores[name] = keras.ops.convert_to_numpy(model(x_validation)).astype("float64")  # (5000, 10)
    test_scores[name] = keras.ops.convert_to_numpy(model(x_test)).astype("float64")  # (10000, 10)
    topic, reached = name.replace(" ", "_"), np.mean(test_scores[name].argmax(axis=1) == y_test)
    results.record(f"{topic}.test_accuracy", reached, band=band)

# %%
read = test_scores["cross entropy"].argmax(axis=1)
confusion = np.zeros((10, 10), dtype=int)
np.add.at(confusion, (y_test, read), 1)  # row: true digit, column: reading
proofs.equal({"by counting": confusion, "TensorFlow": tf.math.confusion_matrix(y_test, read)})

mistakes = confusion * (1 - np.eye(10, dtype=int))
figure, axis = plt.subplots(figsize=(6, 5.2))
picture = axis.imshow(mistakes, cmap="Blues")
for (row, column), number in np.ndenumerate(confusion):
    dark = mistakes[row, column] > 0.6 * mistakes.max()
    axis.text(column, row, number or "", ha="center", va="center", fontsize=8.5, color="white" if dark else "0.2")
axis.set(xlabel="reading", ylabel="true digit", xticks=range(10), yticks=range(10), title="Test digits; colour: mistakes")
axis.grid(visible=False)
figure.colorbar(picture, label="mistakes")
plots.show(
    figure,
    alt="Ten by ten counts: large numbers on the diagonal, and darker cells off it for pairs of digits that look alike.",
    alt_zh="10×10 的计数表：对角线上的数很大；对角线以外，形状相近的数字对颜色较深。",
)

# %%
by_keras = {"precision": [], "recall": []}
for digit in range(10):
    for metric in (keras.metrics.Precision(top_k=1, class_id=digit), keras.metrics.Recall(top_k=1, class_id=digit)):
        metric.update_state(np.eye(10)[y_test], activations.softmax(test_scores["cross entropy"]))
        by_keras["precision" if isinstance(metric, keras.metrics.Precision) else "recall"].append(float(metric.result()))
proofs.equal({"precision": np.diag(confusion) / confusion.sum(axis=0), "Keras": by_keras["precision"]})
proofs.equal({"recall": np.diag(confusion) / confusion.sum(axis=1), "Keras": by_keras["recall"]})

never = np.zeros(10_000, dtype=bool)  # a detector of eights that never says yes
print(f'"never an 8" · “从不说是 8”: accuracy · 准确率 {np.mean(never == (y_test == 8)):.4f}, '
      f"recall · 召回率 {never[y_test == 8].mean():.0f}")

# %% [markdown] lang="en" tags=["predict"]
# The dark cells are pairs that look alike: in the stored run the most common mistakes are a 7 taken for a 9, a 9 for a 4 and a 4 for a 9.
# The matrix is not symmetric, so precision and recall of a digit differ. And the last line is why accuracy alone is not enough: a detector
# that finds no 8 at all is right in nine cases of ten.
#
# ## Calibration: does "confident" mean right?
#
# Collect all test digits for which the network's **confidence**, its largest probability, lies between 0.8 and 0.9. If the network is
# **calibrated**, 80 to 90 of 100 such answers are right. Do so for $M$ bins $B_m$; the **expected calibration error** is the mean gap
# (Naeini, Cooper and Hauskrecht 2015; [Guo et al. 2017](https://arxiv.org/abs/1706.04599)):
#
# $$ \mathrm{ECE} = \sum_{m=1}^{M} \frac{|B_m|}{n}\; \big|\,\mathrm{acc}(B_m) - \mathrm{conf}(B_m)\,\big| $$
#
# The cure is one number. **Temperature scaling** looks for the $T$ that minimises the cross entropy of $\mathrm{softmax}(z/T)$ on the
# *validation* digits. Only then do we measure on the test digits. **Predict:** is $T$ above or below 1? Is it the same for all three losses?

# %% [markdown] lang="zh" of="acb86169" tags=["predict"]
# 颜色深的都是形状相近的数字对：在保存的结果里，最常见的错误是把 7 认成 9、把 9 认成 4、把 4 认成 9。矩阵并不对称，所以同一个数字的精确率与召回率不同。
# 最后一行则说明了为什么不能只看准确率：一个什么 8 也找不到的检测器，十次里有九次“正确”。
#
# ## 校准：说得肯定，就等于对吗？
#
# **置信度**（confidence）是网络给出的最大概率，也就是它对自己的答案有多肯定。把置信度在 0.8 到 0.9 之间的测试样本都挑出来，如果网络是**校准**（calibration）
# 良好的，那么每 100 个里应有 80 到 90 个是对的。把置信度分成 $M$ 个区间 $B_m$，逐个比较，平均的差距就是**期望校准误差**
# （expected calibration error，Naeini、Cooper 与 Hauskrecht，2015；[Guo 等，2017](https://arxiv.org/abs/1706.04599)）：
#
# $$ \mathrm{ECE} = \sum_{m=1}^{M} \frac{|B_m|}{n}\; \big|\,\mathrm{acc}(B_m) - \mathrm{conf}(B_m)\,\big| $$
#
# 治法只需要一个数，叫**温度缩放**（temperature scaling）：在**验证**样本上找到使 $\mathrm{softmax}(z/T)$ 交叉熵最小的 $T$，
# 然后才在测试样本上测量。**先猜：** $T$ 会大于 1 还是小于 1？三种损失都一样吗？

# %% tags=["nbval-ignore-output"]
def fit_temperature(scores, labels):
    """The T with the smallest cross entropy; for a single number a grid is enough."""
    temperatures = np.geomspace(0.2, 8, 240)
    return temperatures[np.argmin([losses.cross_entropy(scores / T, labels) for T in temperatures])]


bands = {  # expected calibration error, T, expected calibration error with T
    "cross_entropy": choose(smoke=[(0.011, 0.017), (1.03, 1.14), (0, 0.012)],
        laptop=[(0.034, 0.042), (1.62, 2.05), (0, 0.017)], full=[(0, 0.3), (0.2, 8), (0, 0.05)]),
    "label_smoothing": choose(smoke=[(0.13, 0.16), (0.52, 0.58), (0.005, 0.012)],
        laptop=[(0.146, 0.174), (0.42, 0.55), (0.004, 0.008)], full=[(0, 0.3), (0.2, 8), (0, 0.05)]),
    "focal": choose(smoke=[(0.062, 0.091), (0.67, 0.73), (0.003, 0.013)],
        laptop=[(0.001, 0.016), (0.86, 1.09), (0, 0.022)], full=[(0, 0.3), (0.2, 8), (0, 0.05)]),
}
temperature = {}
for (topic, (band, temperature_band, scaled_band)), name in zip(bands.items(), overtrained, strict=True):
    T = temperature[name] = fit_temperature(validation_scores[name], y_validation)
    before, after = (activations.softmax(test_scores[name] / divisor) for divisor in (1, T))
    results.record(f"{topic}.ece", losses.expected_calibration_error(before, y_test), band=band)
    results.record(f"{topic}.temperature", T, band=temperature_band, digits=2)
    results.record(f"{topic}.ece_scaled", losses.expected_calibration_error(after, y_test), band=scaled_band)
    prices = [losses.cross_entropy(test_scores[name] / divisor, y_test) for divisor in (1, T)]
    same = np.array_equal(before.argmax(axis=1), after.argmax(axis=1))
    print(f"  cross entropy · 交叉熵 {prices[0]:.3f} → {prices[1]:.3f}, same readings · 读数不变: {same}")

# %% tags=["plot"]
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.7), sharex=True, sharey=True)
panels = [("cross entropy", 1.0), ("cross entropy", temperature["cross entropy"]), ("label smoothing", 1.0)]
for axis, (name, T) in zip(axes, panels, strict=True):
    chances = activations.softmax(test_scores[name] / T)
    confidence, accuracy, number = losses.calibration_curve(chances, y_test, bins=10)
    filled = number >= 20  # fewer say little
    axis.plot([0, 1], [0, 1], color="0.5", linestyle="--", linewidth=1, label="calibrated")
    axis.plot(confidence[filled], accuracy[filled], "o-", color=plots.COLORS[0], label="measured")
    axis.bar(np.arange(0.05, 1, 0.1), number / number.sum(), width=0.09, color="0.8", label="share of digits")
    error = losses.expected_calibration_error(chances, y_test)
    axis.set(title=f"{name}, T = {T:.2f}\nECE {error:.3f}", xlabel="confidence", xlim=(0, 1), ylim=(0, 1))
axes[0].set_ylabel("accuracy")
axes[0].legend(fontsize=9, loc="upper left")
plots.show(
    figure,
    alt="Accuracy against confidence: with cross entropy below the diagonal (too sure), after temperature scaling near it, "
    "with label smoothing above it (not sure enough).",
    alt_zh="准确率随把握的变化：交叉熵在对角线下方（太自信），温度缩放之后贴近对角线，标签平滑则在对角线上方（不够自信）。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** It differs. Cross entropy, trained too long, is overconfident: $T = $ {{cross_entropy.temperature:.2f}}, ECE
# {{cross_entropy.ece:.3f}}. Label smoothing is not confident enough: $T = $ {{label_smoothing.temperature:.2f}}, and the largest ECE of the
# three, {{label_smoothing.ece:.3f}}, although it has the highest accuracy ({{label_smoothing.test_accuracy:.1%}} against
# {{cross_entropy.test_accuracy:.1%}}). Focal loss needs hardly any correction here ({{focal.temperature:.2f}}). One number per network
# brings the ECE down to {{cross_entropy.ece_scaled:.3f}}, {{label_smoothing.ece_scaled:.3f}} and {{focal.ece_scaled:.3f}}, and changes
# not a single prediction.
#
# Careful: the paper in the reading list finds that label smoothing *improves* calibration
# ([Müller, Kornblith and Hinton 2019](https://arxiv.org/abs/1906.02629)). Its networks were strongly overconfident before. Ours was only a
# little so, and smoothing with $a = 0.1$ pushed it past the diagonal. We measured this one $a$; a smaller one may well calibrate better.
#
# ## Formula clinic: how are the labels encoded?
#
# A common beginner's recipe ends in `Dense(10, activation="softmax")` and `loss="categorical_crossentropy"`, and does not say what the labels
# look like. MNIST's are integers: 0, 7, 3. The formula behind that loss is $-\sum_i y_i \log p_i$ with $y$ a whole row, 1 at the label
# and 0 elsewhere (**one-hot**). An integer is not such a row. There are two ways out: turn the labels into rows, or take the *sparse* loss,
# which computes $-\log p_y$ directly. Decide for each of the four lines, before you look, whether it runs.

# %% [markdown] lang="zh" of="28bbc106" tags=["answer"]
# **答案。** 不一样。训练过头的交叉熵太自信，$T = $ {{cross_entropy.temperature:.2f}}，ECE 是 {{cross_entropy.ece:.3f}}。标签平滑不够自信，
# $T = $ {{label_smoothing.temperature:.2f}}，ECE 在三者中最大，是 {{label_smoothing.ece:.3f}}，尽管它的准确率最高
# （{{label_smoothing.test_accuracy:.1%}}，交叉熵是 {{cross_entropy.test_accuracy:.1%}}）。焦点损失在这里几乎不用校正
# （{{focal.temperature:.2f}}）。每个网络只用一个数，ECE 就降到 {{cross_entropy.ece_scaled:.3f}}、{{label_smoothing.ece_scaled:.3f}}
# 和 {{focal.ece_scaled:.3f}}，而预测结果一个也没有变。
#
# 当心：书单里的那篇论文发现，标签平滑会**改善**校准（[Müller、Kornblith 与 Hinton，2019](https://arxiv.org/abs/1906.02629)）。
# 他们的网络原本过度自信得厉害；我们的只是略微自信过头，$a = 0.1$ 的平滑就把它推过了对角线。这里只测了这一个 $a$，取小一些，校准也许会更好。
#
# ## 公式门诊：标签是怎么编码的？
#
# 常见的入门配方以 `Dense(10, activation="softmax")` 和 `loss="categorical_crossentropy"` 收尾，却不交代标签长什么样。
# MNIST 的标签是整数：0、7、3。而这种损失的公式是 $-\sum_i y_i \log p_i$，其中 $y$ 是一整行数，标签处为 1，其余为 0，即**独热编码**（one-hot）。
# 一个整数并不是这样的一行。修法有两个：把标签变成行；或者改用 sparse 版的损失，它直接计算 $-\log p_y$。先别看结果，下面四行，哪几行能运行？

# %%
integers, rows = y_train[:256], keras.utils.to_categorical(y_train[:256], 10)  # (256,), (256, 10)
for name, targets, loss in [
    ("integers, categorical", integers, "categorical_crossentropy"),
    ("fix 1: one-hot rows, categorical", rows, "categorical_crossentropy"),
    ("fix 2: integers, sparse", integers, "sparse_categorical_crossentropy"),
    ("one-hot rows, sparse", rows, "sparse_categorical_crossentropy"),
]:
    keras.utils.set_random_seed(0)
    model = perceptron(ending=[keras.layers.Softmax()])
    model.compile(loss=loss)
    try:
        print(f"✓ {name}: loss {model.evaluate(x_train[:256], targets, verbose=0):.3f}")
    except ValueError as error:
        print(f"✗ {name}:\n    {str(error).splitlines()[0][:160]}")

# %% [markdown] lang="en"
# **Diagnosis.** The error is loud, which is lucky. Both ways out have the same value. The sparse loss needs a tenth of the memory for labels;
# rows are needed when the target is soft (smoothing, distillation). These mistakes are *quiet*:
#
# - **Scores taken for probabilities**: no softmax, and `from_logits` forgotten.
# - **Softmax twice**: a softmax layer, and `from_logits=True`. The second softmax sees only numbers from 0 to 1, so the loss cannot
#   fall below $\log(e + K - 1) - 1$, even when everything is right. Keras on TensorFlow recognises a softmax as the very last operation, warns
#   and repairs it. A `Reshape` behind the softmax hides it; other libraries do not check at all.
# - **One output**: softmax over a single class is always 1. The loss is 0, and nothing is learned.
#
# Now the same network with each mistake: same digits, same seed. Which one would you not notice?

# %% [markdown] lang="zh" of="542228b6"
# **诊断。** 这个错误会大声报出来，算是运气好。两种修法的值相同。sparse 版的标签只占十分之一的内存；目标是软标签时（标签平滑、知识蒸馏），
# 则必须用行。下面这些错误却**不声不响**：
#
# - **把分数当概率**：没有 softmax，又忘了 `from_logits`。
# - **softmax 做了两次**：最后一层是 softmax，又写 `from_logits=True`。第二个 softmax 看到的只是 0 到 1 的数，就算全对，损失也降不到
#   $\log(e + K - 1) - 1$ 以下。如果 softmax 恰好是最后一个运算，TensorFlow 后端的 Keras 能认出来，给出警告并自动纠正；
#   后面只要跟一个 `Reshape`，它就看不见了。别的库则根本不检查。
# - **只有一个输出**：单独一个类别的 softmax 永远是 1。损失为 0，什么也没学到。
#
# 下面让同一个网络各犯一次错，样本相同，种子相同。哪一种你会察觉不到？

# %%
print(f"softmax twice, loss never below · 两次 softmax，损失的下限: {np.log(np.e + 9) - 1:.4f}")
print("softmax of one output · 单个输出的 softmax:", activations.softmax(np.array([[-3.0], [0.0], [8.0]])).ravel())

# %% tags=["nbval-ignore-output"]
softmax, reshape = keras.layers.Softmax, keras.layers.Reshape
faults = {  # name: layers after the scores, from_logits, band
    "right": ([], True, choose(smoke=(0.754, 0.858), laptop=(0.883, 0.918), full=(0.9, 1))),
    "softmax_twice_seen": ([softmax()], True, choose(smoke=(0.754, 0.858), laptop=(0.883, 0.918), full=(0.9, 1))),
    "softmax_twice_hidden": ([softmax(), reshape((10,))], True, choose(smoke=(0.198, 0.422), laptop=(0.573, 0.977), full=(0.5, 1))),
    "scores_as_probabilities": ([], False, choose(smoke=(0, 0.469), laptop=(0, 0.251), full=(0, 0.6))),
}
for name, (ending, from_logits, band) in faults.items():
    keras.utils.set_random_seed(SEED)
    with warnings.catch_warnings(record=True) as caught, strategy.scope():
        warnings.simplefilter("always")
        model = perceptron(ending=ending)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
        model.compile(keras.optimizers.SGD(0.1), loss, steps_per_execution=choose(smoke=1, laptop=8, full=8))
        history = training.fit(model, x_train, y_train, name=name, epochs=choose(smoke=2, laptop=4, full=10))
    results.record(f"{name}.fault_accuracy", training.accuracy(model, x_test, y_test), band=band)
    print(f"  last loss · 最后的损失 {history['loss'][-1]:.3f}, Keras warned · 警告: {any('Softmax' in str(w.message) for w in caught)}")

# %% [markdown] lang="en" tags=["summary"]
# Scores taken for probabilities give themselves away: {{scores_as_probabilities.fault_accuracy:.1%}} is guessing. The softmax that Keras sees
# is repaired. The hidden one is dangerous: no warning, the loss falls, and the network ends at {{softmax_twice_hidden.fault_accuracy:.1%}}
# instead of {{right.fault_accuracy:.1%}}. What gives it away is a loss that stops above its floor.
#
# ## What you measured
#
# - Squared error behind a softmax is slow: {{squared_error.validation_accuracy:.1%}} where cross entropy has
#   {{cross_entropy.validation_accuracy:.1%}}; with ten times the rate {{squared_error_rate_10.validation_accuracy:.1%}}.
# - Confidently wrong at the start, it reaches {{squared_error_rate_10_bad_start.validation_accuracy:.1%}} in the same time, cross entropy
#   {{cross_entropy_bad_start.validation_accuracy:.1%}}.
# - An overtrained network is overconfident: ECE {{cross_entropy.ece:.3f}}, after temperature scaling {{cross_entropy.ece_scaled:.3f}}.
# - Label smoothing with $a = 0.1$ was the most accurate and the worst calibrated: {{label_smoothing.test_accuracy:.1%}}, ECE
#   {{label_smoothing.ece:.3f}}.
# - A hidden second softmax costs accuracy without a warning: {{softmax_twice_hidden.fault_accuracy:.1%}} instead of
#   {{right.fault_accuracy:.1%}} (three seeds: {{seeds:softmax_twice_hidden.fault_accuracy:.1%}}).
#
# **Formula card**
#
# | | value | gradient with respect to the scores |
# |---|---|---|
# | softmax | $p_i = e^{z_i} / \sum_j e^{z_j}$ | $J_{ij} = p_i (\delta_{ij} - p_j)$ |
# | cross entropy | $-\log p_y$ | $p_i - \delta_{iy}$ |
# | label smoothing | $-\sum_i q_i \log p_i$ | $p_i - q_i$ |
# | squared error + softmax | $\frac1K \sum_i (p_i - y_i)^2$ | $J \cdot \frac2K (p - y)$ |
# | log-sum-exp | $m + \log \sum_j e^{z_j - m}$ | $p_i$ |
#
# ### Exercise 1 · easy — precision and recall
#
# Write `precision_and_recall(confusion, digit)`: two numbers from a confusion matrix whose rows are the true digits and whose columns
# are the predictions.

# %% [markdown] lang="zh" of="4107d71d" tags=["summary"]
# 把分数当概率，自己会露馅：{{scores_as_probabilities.fault_accuracy:.1%}} 就是瞎猜。Keras 看得见的那个 softmax 会被纠正。危险的是藏起来的那个：
# 没有警告，损失也在降，最后却只有 {{softmax_twice_hidden.fault_accuracy:.1%}}，本该是 {{right.fault_accuracy:.1%}}。唯一的破绽是：损失停在下限之上，
# 再也降不下去。
#
# ## 你测到了什么
#
# - softmax 之后接平方误差，学得慢：{{squared_error.validation_accuracy:.1%}}，而交叉熵是 {{cross_entropy.validation_accuracy:.1%}}；
#   学习率乘以十，则是 {{squared_error_rate_10.validation_accuracy:.1%}}。
# - 如果一开始就十分肯定地错了，同样的时间里它只达到 {{squared_error_rate_10_bad_start.validation_accuracy:.1%}}，交叉熵达到
#   {{cross_entropy_bad_start.validation_accuracy:.1%}}。
# - 训练过头的网络太自信：ECE 是 {{cross_entropy.ece:.3f}}，温度缩放之后是 {{cross_entropy.ece_scaled:.3f}}。
# - $a = 0.1$ 的标签平滑最准确，校准却最差：准确率 {{label_smoothing.test_accuracy:.1%}}，ECE {{label_smoothing.ece:.3f}}。
# - 藏起来的第二个 softmax 没有警告，却损失准确率：只有 {{softmax_twice_hidden.fault_accuracy:.1%}}，本该是
#   {{right.fault_accuracy:.1%}}（三个随机种子：{{seeds:softmax_twice_hidden.fault_accuracy:.1%}}）。
#
# **公式卡**
#
# | | 值 | 对分数的梯度 |
# |---|---|---|
# | softmax | $p_i = e^{z_i} / \sum_j e^{z_j}$ | $J_{ij} = p_i (\delta_{ij} - p_j)$ |
# | 交叉熵 | $-\log p_y$ | $p_i - \delta_{iy}$ |
# | 标签平滑 | $-\sum_i q_i \log p_i$ | $p_i - q_i$ |
# | 平方误差 + softmax | $\frac1K \sum_i (p_i - y_i)^2$ | $J \cdot \frac2K (p - y)$ |
# | log-sum-exp | $m + \log \sum_j e^{z_j - m}$ | $p_i$ |
#
# ### 练习 1 · 易 —— 精确率与召回率
#
# 写出 `precision_and_recall(confusion, digit)`：由混淆矩阵算出两个数。矩阵的行是真实数字，列是网络的预测。

# %% tags=["exercise"]
def precision_and_recall(confusion, digit):
    """Return (precision, recall) of one digit; confusion is (10, 10)."""
    ### BEGIN SOLUTION
    found = confusion[digit, digit]
    return found / confusion[:, digit].sum(), found / confusion[digit].sum()
    ### END SOLUTION

# %% tags=["check"]
exercises.check("04.precision_and_recall", precision_and_recall)

# %% [markdown] lang="en" tags=["hint"]
# Both divide the same number, the one on the diagonal. "Of all it called an 8" is a column: fix the second index. "Of all true eights" is
# a row.

# %% [markdown] lang="zh" of="82f9a816" tags=["hint"]
# 两者的分子相同，都是对角线上的那个数。“说是 8 的”是一列，固定第二个下标；“真正的 8”是一行。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — the gradient of the temperature
#
# Temperature scaling can follow a gradient instead of a grid. For $L(T) = -\frac1n \sum_k \log \mathrm{softmax}(z_k / T)_{y_k}$, derive
# $dL/dT$ and write `temperature_gradient(scores, labels, T)`, which returns one number. You may call `activations.softmax`.

# %% [markdown] lang="zh" of="079cb909"
# ### 练习 2 · 中 —— 温度的梯度
#
# 温度缩放不必用网格，也可以沿梯度走。对 $L(T) = -\frac1n \sum_k \log \mathrm{softmax}(z_k / T)_{y_k}$，推导 $dL/dT$，
# 写出 `temperature_gradient(scores, labels, T)`，结果是一个数。可以调用 `activations.softmax`。

# %% tags=["exercise"]
def temperature_gradient(scores, labels, T):
    """dL/dT: scores (examples, classes), labels (examples,) integers."""
    ### BEGIN SOLUTION
    difference = activations.softmax(scores / T) - np.eye(scores.shape[1])[labels]  # (examples, classes)
    return -np.sum(difference * scores) / (len(labels) * T**2)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("04.temperature_gradient", temperature_gradient)

# %% [markdown] lang="en" tags=["hint"]
# Write $u = z / T$. The gradient of the loss with respect to $u$ is "prediction minus truth". The chain rule needs $du/dT$ as well: how does
# $z/T$ change with $T$? Then add up over the classes and average over the examples.

# %% [markdown] lang="zh" of="6b3ad716" tags=["hint"]
# 令 $u = z / T$。损失对 $u$ 的梯度是“预测减去真相”；链式法则还需要 $du/dT$：$z/T$ 随 $T$ 怎样变化？最后对类别求和、对样本取平均。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — expected calibration error
#
# Write `calibration_error(confidence, right, bins)`. `confidence` has the shape (examples,), with values from 0 to 1; `right` has the same
# shape, with `True` and `False`; `bins` is the number of equal parts into which (0, 1] is cut, each closed on the right. For two, they are
# (0, 0.5] and (0.5, 1]. Do not loop over examples.

# %% [markdown] lang="zh" of="a3bded71"
# ### 练习 3 · 难 —— 期望校准误差
#
# 写出 `calibration_error(confidence, right, bins)`：`confidence` 的形状是（样本，），值在 0 到 1 之间；`right` 形状相同，是 `True` 或 `False`；
# 把 (0, 1] 等分为 `bins` 个区间，每个区间右端闭合，例如 2 个就是 (0, 0.5] 和 (0.5, 1]。不要逐个样本循环。

# %% tags=["exercise"]
def calibration_error(confidence, right, bins):
    """The mean gap between accuracy and confidence, weighted by the bins' numbers of examples."""
    ### BEGIN SOLUTION
    place = np.ceil(confidence * bins).astype(int) - 1  # (examples,): which bin
    total = 0.0
    for number in range(bins):
        members = place == number
        if members.any():
            total += members.mean() * abs(right[members].mean() - confidence[members].mean())
    return total
    ### END SOLUTION

# %% tags=["check"]
exercises.check("04.calibration_error", calibration_error)

# %% [markdown] lang="en" tags=["hint"]
# Go bin by bin: how many examples fall into it, how many of them are right, what is their mean confidence? An empty bin adds nothing. The
# sign of the gap is dropped *within* each bin, before adding.

# %% [markdown] lang="zh" of="9df080c2" tags=["hint"]
# 一个区间一个区间地来：落进多少样本，其中多少是对的，平均置信度是多少？空区间什么也不加。差距的正负号要在**每个区间内**先去掉，再相加。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("04")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Softmax and cross entropy end almost every classifier and every language model; there, a token is a class (chapter 7b). Focal loss trains
# detectors, Huber loss tames outliers and rewards, hinge loss is the support-vector machine. Calibration decides whether a doctor may take
# a confidence for a probability.
#
# - [*Dive into Deep Learning*, section 4.1](https://d2l.ai/chapter_linear-classification/softmax-regression.html): softmax
#   regression, and cross entropy from information theory.
# - Bridle, [*Probabilistic interpretation of feedforward classification network
#   outputs*](https://doi.org/10.1007/978-3-642-76153-9_28), 1990: where softmax got its name.
# - Goodfellow, Bengio and Courville, [*Deep Learning*, section 6.2](https://www.deeplearningbook.org/contents/mlp.html): losses from maximum
#   likelihood.
# - Guo, Pleiss, Sun and Weinberger, [*On calibration of modern neural networks*](https://arxiv.org/abs/1706.04599), 2017: temperature scaling.
# - Müller, Kornblith and Hinton, [*When does label smoothing help?*](https://arxiv.org/abs/1906.02629), 2019.
#
# **What the full profile changes.** The loss experiment sees 50,000 digits for more epochs, and the overtrained networks are trained longer.
# In the stored full run (one run, `notebooks/results/full-04.json`) squared error comes nearer and does not draw level: at the same rate it
# reaches {{full:squared_error.validation_accuracy:.1%}}, at ten times the rate {{full:squared_error_rate_10.validation_accuracy:.1%}}, cross
# entropy {{full:cross_entropy.validation_accuracy:.1%}}. The surprise is the bad start. Given time, squared error recovers from it almost
# completely, to {{full:squared_error_rate_10_bad_start.validation_accuracy:.1%}}: a flat region costs time, and not the result, if you have the
# time. Longer overtraining makes the network more confident (its best temperature rises to {{full:cross_entropy.temperature:.2f}}) and hardly
# more often right, {{full:cross_entropy.test_accuracy:.1%}}; one number mends that as well as before.
#
# Next: chapter 5 looks at how one walks down the gradient, and compares the optimisers.

# %% [markdown] lang="zh" of="ef81420d"
# ## 应用与延伸阅读
#
# 几乎所有分类器、所有语言模型的末端都是 softmax 加交叉熵；在语言模型里，一个词元就是一个类别（第 7b 章）。焦点损失用于目标检测，
# Huber 损失用来驯服离群点和奖励信号，合页损失就是支持向量机的损失。医生能不能把网络的置信度当作概率，则要看校准。
#
# - 《动手学深度学习》[3.4 节“softmax 回归”](https://zh.d2l.ai/chapter_linear-networks/softmax-regression.html)，
#   其中用信息论解释了交叉熵；周志华《机器学习》第 2 章讲混淆矩阵、查准率（精确率）与查全率（召回率）。
# - Bridle，[*Probabilistic interpretation of feedforward classification network outputs*](https://doi.org/10.1007/978-3-642-76153-9_28)，
#   1990：softmax 的名字由此而来。
# - Goodfellow、Bengio 与 Courville，[*Deep Learning* 第 6.2 节](https://www.deeplearningbook.org/contents/mlp.html)（有中译本《深度学习》）：
#   由最大似然导出损失。
# - Guo、Pleiss、Sun 与 Weinberger，[*On calibration of modern neural networks*](https://arxiv.org/abs/1706.04599)，2017：温度缩放。
# - Müller、Kornblith 与 Hinton，[*When does label smoothing help?*](https://arxiv.org/abs/1906.02629)，2019。
#
# **换成 full 配置会怎样。** 损失实验用 50,000 个样本、更多轮数，过度训练的网络也训练得更久。在保存的 full 结果里（只跑了一次，见
# `notebooks/results/full-04.json`），平方误差追近了，但没有追平：学习率相同时是 {{full:squared_error.validation_accuracy:.1%}}，
# 十倍时是 {{full:squared_error_rate_10.validation_accuracy:.1%}}，交叉熵是 {{full:cross_entropy.validation_accuracy:.1%}}。
# 出人意料的是糟糕的初始值：时间给够，平方误差差不多完全恢复了，达到 {{full:squared_error_rate_10_bad_start.validation_accuracy:.1%}}。
# 平坦的地方费的是时间，只要有时间，结果并不差。过度训练得越久，网络越自信（最佳温度升到 {{full:cross_entropy.temperature:.2f}}），
# 答对的却几乎没有增加（{{full:cross_entropy.test_accuracy:.1%}}）；而补救它，仍然只需要一个数。
#
# 接下来：第 5 章看看怎样沿着梯度往下走，并比较各种优化器。
