# %% [markdown] lang="en" telling=["cross_entropy.ece", "cross_entropy.ece_scaled", "softmax_twice_hidden.fault_accuracy"]
# # 4 Softmax and loss
#
# A network ends in numbers. Softmax turns them into probabilities; the loss says how wrong they are, and its gradient is
# the only thing the network ever learns from. Choose the loss badly and a good network stands still.
#
# **At the end you can**
#
# - compute softmax, its Jacobian and seven losses with their gradients by hand, and show that Keras has the same numbers;
# - say what a loss assumes about the data, and what it asks the network to predict;
# - measure why squared error behind a softmax learns slowly, and when it does not learn at all;
# - look beyond accuracy: confusion matrix, precision, recall, and whether "nine tenths sure" means right nine times in ten;
# - recognise the label and `from_logits` mistakes, both the loud one and the quiet ones.
#
# **To know before:** gradients and the chain rule, a small network in Keras (chapter 1). Time and memory, measured, stand
# below the imports.
# %% [markdown] lang="zh" of="bccb8817"
# # 4 Softmax 与损失函数
#
# 网络的末端是一串数。softmax 把它们变成概率，损失函数说出错了多少；而损失的梯度，是网络唯一的老师。损失选得不好，
# 再好的网络也只能原地踏步。
#
# **学完这一章，你能够**
#
# - 手算 softmax、它的雅可比矩阵和七种损失及其梯度，并证明与 Keras 的数相同；
# - 说出一种损失对数据作了什么假设，又要求网络预测什么；
# - 用实验说明 softmax 之后接平方误差为什么学得慢，什么时候干脆学不动；
# - 不止看准确率：混淆矩阵、精确率、召回率，以及网络自称 “九成把握” 时，十次里是不是真对九次；
# - 认出标签编码和 `from_logits` 的错误：会报错的那一种，和不声不响的那几种。
#
# **预备知识：** 梯度与链式法则，会用 Keras 写一个小网络（第 1 章）。实测的时间和内存写在导入语句之后。
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
# %% [markdown] lang="en"
# ## The idea: scores, then shares, then a price
#
# The last layer gives each class a **score** (a *logit*): any number, negative ones too. To read the scores as
# probabilities, two steps are enough: make them positive ($e^{z}$), then divide by the sum.
#
# A **loss** puts a price on the result: what did the model say about the class that turned out to be right? Sure and
# right costs almost nothing, sure and wrong costs much.
#
# **Before you run:** one score is higher than the next by 1, each time. By what do the probabilities differ?
# %% [markdown] lang="zh" of="ef2cc9ce"
# ## 想法：先打分，再分份额，最后定代价
#
# 最后一层给每个类别打一个**分数**（logit）：可以是任意实数，也可以是负数。想把分数当成概率来读，两步就够：
# 先变成正数（$e^{z}$），再除以总和。
#
# **损失**（loss）则给结果定一个代价：真正的类别揭晓之后，回头看模型当初给了它多少概率。有把握又说对，几乎不罚；
# 有把握却说错，重罚。
#
# **运行之前先猜一猜：** 下面的分数依次相差 1，概率之间又是怎样的关系？
# %%
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
# %% [markdown] lang="en"
# ## Softmax: formula, NumPy, Keras
#
# $$ p_i = \frac{e^{z_i}}{\sum_j e^{z_j}} $$
#
# $z$: scores, one for each class; $p$: probabilities. Dividing two of them, $p_i / p_j = e^{z_i - z_j}$: **only
# differences of scores count**. So 100 may be added to all scores, and nothing changes. And with two classes there is
# one difference left, which makes softmax the **sigmoid**:
#
# $$ p_1 = \frac{e^{z_1}}{e^{z_1} + e^{z_2}} = \frac{1}{1 + e^{-(z_1 - z_2)}} = \sigma(z_1 - z_2) $$
# %% [markdown] lang="zh" of="717c39c9"
# ## Softmax：公式、NumPy、Keras
#
# $$ p_i = \frac{e^{z_i}}{\sum_j e^{z_j}} $$
#
# $z$ 是各类别的分数，$p$ 是概率。两个概率相除，$p_i / p_j = e^{z_i - z_j}$：**起作用的只有分数之差**。
# 所以给所有分数都加上 100，结果不变。若只有两类，就只剩一个差，softmax 也就成了 **sigmoid**：
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
# Raise one score, and its probability grows, at the cost of all the others. With the quotient rule
#
# $$ J_{ij} = \frac{\partial p_i}{\partial z_j} = p_i\,(\delta_{ij} - p_j) $$
#
# where $\delta_{ij}$ is 1 if $i = j$, and 0 else. Each row adds up to 0 (adding a constant to all scores changes
# nothing). And where one $p_i$ is nearly 1, *all* entries are nearly 0: a sure softmax hardly moves. Remember this,
# it returns below. Who agrees with our derivation? `GradientTape`, and finite differences, which know nothing of it.
# %% [markdown] lang="zh" of="00c44e9a"
# ## 雅可比矩阵：每个分数都牵动每个概率
#
# 抬高一个分数，它自己的概率变大，代价由其他各类分摊。由商的求导法则得
#
# $$ J_{ij} = \frac{\partial p_i}{\partial z_j} = p_i\,(\delta_{ij} - p_j) $$
#
# 其中当 $i = j$ 时 $\delta_{ij} = 1$，否则为 0。这就是**雅可比矩阵**（Jacobian）。每行之和为 0（所有分数同加一个常数，
# 概率不变）。如果某个 $p_i$ 接近 1，*所有*元素就都接近 0：
# softmax 一旦有了十足的把握，就几乎推不动了。请记住这一点，后面还会遇到。推导对不对？
# 请 `GradientTape` 和有限差分来作证，后者对我们的推导一无所知。
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
# %% [markdown] lang="en"
# ## Temperature: how sure, without changing the order
#
# Divide all scores by $T$ before the softmax: $p = \mathrm{softmax}(z / T)$. $T < 1$ sharpens, $T > 1$ flattens. The
# order of the classes stays, and so does the accuracy. Language models sample with it (chapter 7b), distillation
# teaches with it (8a), and below it repairs a network that is too sure of itself. **Predict** the two ends: $T \to 0$
# and $T \to \infty$?
#
# The slider under the picture needs a running notebook; the four panels show the same without one.
# %% [markdown] lang="zh" of="6bbd2910"
# ## 温度：只改把握大小，不改名次
#
# 在 softmax 之前把所有分数都除以 $T$：$p = \mathrm{softmax}(z / T)$，$T$ 叫**温度**（temperature）。
# $T < 1$ 使分布更尖，$T > 1$ 使它更平。
# 各类的名次不变，准确率也就不变。语言模型靠它采样（第 7b 章），知识蒸馏靠它教学（第 8a 章），
# 本章后面还要用它来治网络的过度自信。
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
# %% [markdown] lang="en"
# ## Cross entropy: the price of what happened
#
# Let $y$ be the right class. The model gave it the probability $p_y$. For independent examples, the probability of *all*
# labels is the product of these, the **likelihood**. Making it as large as possible is the maximum-likelihood
# principle. A product of thousands of small numbers underflows, so take the logarithm, change the sign, and average:
#
# $$ L = -\frac{1}{n} \sum_{k=1}^{n} \log p_{y_k}, \qquad \prod_k p_{y_k} = e^{-nL}, \qquad
#    \frac{\partial L}{\partial z_i} = \frac{1}{n}\,(p_i - \delta_{iy}) $$
#
# The gradient, derived: $\partial L / \partial p_y = -1/p_y$, times the row $J_{yi} = p_y(\delta_{yi} - p_i)$. The
# factor $p_y$ **cancels**: however sure the softmax is, the gradient is *prediction minus truth*. That is why the two
# belong together.
# %% [markdown] lang="zh" of="92f90f64"
# ## 交叉熵：为已经发生的事付出的代价
#
# 设正确的类别为 $y$，模型给它的概率是 $p_y$。样本相互独立时，*全部*标签同时出现的概率就是这些概率的乘积，
# 称为**似然**（likelihood）；
# 让它尽可能大，就是最大似然原则。成千上万个小数相乘会下溢成 0，所以取对数、变号、再平均，得到**交叉熵**（cross entropy）：
#
# $$ L = -\frac{1}{n} \sum_{k=1}^{n} \log p_{y_k}, \qquad \prod_k p_{y_k} = e^{-nL}, \qquad
#    \frac{\partial L}{\partial z_i} = \frac{1}{n}\,(p_i - \delta_{iy}) $$
#
# 梯度是这样来的：$\partial L / \partial p_y = -1/p_y$，乘上雅可比矩阵的那一行 $J_{yi} = p_y(\delta_{yi} - p_i)$，
# 因子 $p_y$ 正好**约掉**。
# 于是不管 softmax 多有把握，梯度总是*预测减去真相*。这两者是天生的一对。
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
# %% [markdown] lang="en"
# ## When the formula overflows: log-sum-exp and `from_logits`
#
# A score of 1000 is a legal score, but $e^{1000}$ is no number of the computer's; single precision ends before
# $e^{89}$. Only differences count, so subtract the largest score $m$ first. Then no exponential exceeds 1. The same
# trick gives the logarithm without ever forming $p$:
#
# $$ \log \sum_j e^{z_j} = m + \log \sum_j e^{z_j - m}, \qquad \log p_i = z_i - \log \sum_j e^{z_j} $$
#
# This is why Keras wants the scores themselves. `from_logits=True` says "these are scores, do softmax and logarithm
# together". Keras remembers the scores behind its own softmax; given probabilities from elsewhere (here TensorFlow's
# function), it must clip them at $10^{-7}$ so that the logarithm stays finite. **What does clipping do to the
# gradient?** In the second cell a model prefers the wrong class by 5, 15, 20 and 50.
# %% [markdown] lang="zh" of="d9d7cc42"
# ## 公式溢出的时候：log-sum-exp 与 `from_logits`
#
# 1000 是合法的分数，可 $e^{1000}$ 超出了计算机的浮点范围；单精度连 $e^{89}$ 都装不下。既然起作用的只有差，
# 那就先减去最大的分数 $m$，
# 所有指数都不会超过 1。同一个技巧还能绕开 $p$，直接算出它的对数，这就是 **log-sum-exp**：
#
# $$ \log \sum_j e^{z_j} = m + \log \sum_j e^{z_j - m}, \qquad \log p_i = z_i - \log \sum_j e^{z_j} $$
#
# 所以 Keras 更愿意直接拿到分数。`from_logits=True` 的意思是 “这些是分数，请把 softmax 和对数合在一起算”。
# Keras 记得自己的 softmax 背后的分数；如果概率来自别处（这里用 TensorFlow 的函数），它只好把概率截断在 $10^{-7}$，
# 免得对数变成无穷。**截断之后，梯度会怎样？** 第二个单元格里，模型对错误类别的偏爱分别是 5、15、20 和 50。
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
# %% [markdown] lang="en"
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
# The gradient is the *pull* of one example. In MSE an outlier pulls as hard as it is far. In MAE everyone pulls
# alike. Huber ([1964](https://doi.org/10.1214/aoms/1177703732)) joins the two: gentle near zero, limited far out.
# %% [markdown] lang="zh" of="46828f4b"
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
# 梯度就是一个样本的*拉力*。在 MSE 里，离群点离得多远，就拉得多狠；在 MAE 里，人人拉力相同；Huber 损失
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
# - **Hinge** ([Cortes and Vapnik 1995](https://doi.org/10.1007/BF00994018)): $\max(0, 1 - y s)$ for a score $s$ and
#   $y = \pm 1$. Right by a margin of 1 is enough; beyond it the gradient is 0. It asks for no probabilities.
# - **Focal** ([Lin et al. 2017](https://arxiv.org/abs/1708.02002)): $-\alpha\,(1 - p_y)^\gamma \log p_y$. Easy
#   examples count less, made for detectors that see thousands of background patches for one object. Gradient:
#   $\alpha\big[(1-p_y)^\gamma - \gamma\,p_y (1-p_y)^{\gamma-1} \log p_y\big]\,(p_i - \delta_{iy})$.
# - **Label smoothing** ([Szegedy et al. 2015](https://arxiv.org/abs/1512.00567)): cross entropy with the target
#   $q_i = (1-a)\,\delta_{iy} + a/K$ for $K$ classes. Gradient: $p_i - q_i$, so being too sure is pulled *back*.
# %% [markdown] lang="zh" of="cad374ee"
# ## 分类的其他损失：合页、焦点、标签平滑
#
# - **合页损失**（hinge，[Cortes 与 Vapnik，1995](https://doi.org/10.1007/BF00994018)）：分数为 $s$、$y = \pm 1$ 时，
#   取 $\max(0, 1 - y s)$。
#   只要说对，且余量达到 1，就不再追究，梯度为 0。它不要求输出概率。
# - **焦点损失**（focal，[Lin 等，2017](https://arxiv.org/abs/1708.02002)）：$-\alpha\,(1 - p_y)^\gamma \log p_y$。
#   容易的样本少算一些；它本是为目标检测设计的，
#   那里每见到一个物体，就要看上千块背景。
#   梯度为 $\alpha\big[(1-p_y)^\gamma - \gamma\,p_y (1-p_y)^{\gamma-1} \log p_y\big]\,(p_i - \delta_{iy})$。
# - **标签平滑**（label smoothing，[Szegedy 等，2015](https://arxiv.org/abs/1512.00567)）：仍用交叉熵，
#   目标换成 $q_i = (1-a)\,\delta_{iy} + a/K$，$K$ 为类别数。
#   梯度为 $p_i - q_i$，太有把握反而会被*拉回来*。
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
# %% [markdown] lang="en"
# One picture answers what a loss does to training: **how hard does one example pull?** On the left the pull against
# the error. On the right, for two classes, the push on the right class's score against the probability it has now.
# **Find the place** where a loss should push hardest, and look which one does not push there at all.
# %% [markdown] lang="zh" of="e16f46a5"
# 一种损失对训练有什么影响，一张图就能说清：**一个样本拉得有多用力？** 左图是拉力随误差的变化；右图以两类为例，
# 横轴是正确类别现在的概率，纵轴是把它的分数往上推的力。
# **找一找：** 哪里最该用力？哪种损失偏偏在那里一点力气也没有？
# %%
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
# %% [markdown] lang="en"
# ## What a loss asks for: maximum likelihood
#
# A loss is a claim about the noise. Suppose the data are the prediction plus random errors. Minus the logarithm of the
# probability is then, but for constants:
#
# | if the noise is | minus log-likelihood | so the loss is | best constant answer |
# |---|---|---|---|
# | Gaussian | $e^2 / 2\sigma^2$ | MSE | the mean |
# | Laplace (rare large errors are normal) | $\lvert e \rvert / b$ | MAE | the median |
# | a class drawn with probabilities $p$ | $-\log p_y$ | cross entropy | the frequencies |
#
# Seven people waited for the bus, one of them for very long (invented data). Ask each loss for its best single answer. Then
# ask cross entropy about MNIST's 60,000 labels, without looking at an image. **Guess first.**
# %% [markdown] lang="zh" of="93cbf01a"
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
# 七个人等公交车，其中一个等了格外久（数据是编的，见下面的代码）。问问每种损失：只准报一个数，它报多少？
# 再拿 MNIST 的 60,000 个标签去问交叉熵，一张图也不给看。**先猜。**
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
# %% [markdown] lang="en"
# ## Experiment: squared error behind a softmax
#
# Put squared error behind the softmax, and its gradient must pass through the Jacobian:
# $\partial L/\partial z = J\,\cdot\,\tfrac{2}{K}(p - y)$. Nothing cancels. A network that is *surely wrong* has
# $J \approx 0$: it makes the largest error and gets the smallest gradient.
#
# On MNIST, one perceptron, plain gradient descent, and as baseline always the commonest digit. Keras' mean over ten
# classes makes squared error's gradient ten times smaller, so for fairness it also gets ten times the learning rate.
# *Ablation*: the bad start. One bias is set to 10, as if the network had seen only threes before. Three seeds each.
# **Predict** which curves stay flat.
# %% [markdown] lang="zh" of="343cac23"
# ## 实验：softmax 之后接平方误差
#
# softmax 之后若接平方误差，梯度就得穿过雅可比矩阵：$\partial L/\partial z = J\,\cdot\,\tfrac{2}{K}(p - y)$，什么也约不掉。
# 网络若是*很有把握地错了*，$J \approx 0$：错得最离谱，得到的梯度却最小。
#
# 在 MNIST 上，用同一个感知机和最普通的梯度下降，基线是永远猜最常见的数字。Keras 对十个类别取平均，
# 平方误差的梯度因此小了十倍；为公平起见，再让它用十倍的学习率跑一次。
# *消融*是糟糕的开局：把一个偏置设为 10，好像网络以前只见过 3。每种设置各用三个随机种子。**先猜：** 哪几条曲线会躺平？
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
# %% tags=["nbval-ignore-output"]
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
# %% [markdown] lang="en"
# With ten times the rate squared error comes near, *from an ordinary start*. Surely wrong at the start, it does not
# move for epochs; cross entropy hardly minds.
#
# ## Beyond accuracy: which mistakes?
#
# Accuracy is one number for ten kinds of error. A **confusion matrix** has a row for each true digit and a column for
# each reading. Two questions: of all that the network *called* an 8, how many were (**precision**, down the column)?
# Of all true eights, how many did it *find* (**recall**, along the row)?
#
# We train three networks on 3,000 digits only, far too long, with three losses. They serve the rest of the chapter.
# %% [markdown] lang="zh" of="f6a18ac9"
# 学习率乘以十之后，平方误差追得上来，*前提是开局正常*。若一开局就很有把握地错了，它好几轮都动不了；交叉熵则几乎不受影响。
#
# ## 不止看准确率：错的是哪些？
#
# 准确率用一个数概括了十个数字各自的错误。**混淆矩阵**（confusion matrix）每行是一个真实数字，每列是一种读法。
# 由此有两个问题：
# 网络*说是* 8 的里面，多少真是 8（**精确率**，precision，竖着看）？真正的 8 里面，它*找出*了多少（**召回率**，recall，
# 横着看）？
#
# 我们只用 3,000 个数字、训练得远远超过需要，用三种损失各训练一个网络，本章余下部分都用它们。
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
# %% [markdown] lang="en"
# The last line is why accuracy alone is not enough: a detector that finds nothing is right in nine cases of ten.
#
# ## Calibration: does "sure" mean right?
#
# Collect all test digits about which the network is between 0.8 and 0.9 sure. If it is **calibrated**, it is right on
# 80 to 90 of 100. Do so for $M$ bins $B_m$ of confidence; the **expected calibration error** is the mean gap
# ([Guo et al. 2017](https://arxiv.org/abs/1706.04599)):
#
# $$ \mathrm{ECE} = \sum_{m=1}^{M} \frac{|B_m|}{n}\; \big|\,\mathrm{acc}(B_m) - \mathrm{conf}(B_m)\,\big| $$
#
# The cure is one number. **Temperature scaling**: find the $T$ that minimises the cross entropy of
# $\mathrm{softmax}(z/T)$ on the *validation* digits, never on the test digits. Then measure on the test digits.
# **Predict**: is $T$ above or below 1? For which loss?
# %% [markdown] lang="zh" of="2aff3beb"
# 最后一行说明了为什么不能只看准确率：一个什么也找不到的检测器，十次里有九次 “正确”。
#
# ## 校准：有把握就等于对吗？
#
# 把网络把握在 0.8 到 0.9 之间的测试数字都挑出来。如果它是**校准**（calibration）良好的，
# 那么每 100 个里应有 80 到 90 个是对的。把把握分成 $M$ 个区间 $B_m$，
# 逐个比较，平均的差距就是**期望校准误差**（expected calibration error，[Guo 等，2017](https://arxiv.org/abs/1706.04599)）：
#
# $$ \mathrm{ECE} = \sum_{m=1}^{M} \frac{|B_m|}{n}\; \big|\,\mathrm{acc}(B_m) - \mathrm{conf}(B_m)\,\big| $$
#
# 治法只需要一个数，叫**温度缩放**（temperature scaling）：
# 在*验证*数字上找到使 $\mathrm{softmax}(z/T)$ 交叉熵最小的 $T$，绝不碰测试数字；
# 然后才在测试数字上测量。**先猜：** $T$ 会大于 1 还是小于 1？三种损失都一样吗？
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
# %%
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
# %% [markdown] lang="en"
# Cross entropy, trained too long, is too sure: $T$ above 1. Label smoothing is not sure enough: $T$ below 1, and the
# widest gap of the three before scaling, although it reads the most digits rightly. Focal loss needs hardly any
# correction here. One number brings all three near the diagonal, and changes not one reading.
#
# ## Formula clinic: how are the labels encoded?
#
# A common beginner's recipe ends in `Dense(10, activation="softmax")` and `loss="categorical_crossentropy"`, and does
# not say what the labels look like. MNIST's are integers: 0, 7, 3. The formula behind that loss is
# $-\sum_i y_i \log p_i$ with $y$ a whole row, 1 at the label and 0 elsewhere (**one-hot**). An integer is not such a
# row. Two fixes: turn the labels into rows, or take the *sparse* loss, which reads $-\log p_y$ directly and needs no
# rows. **Predict** what each line prints.
# %% [markdown] lang="zh" of="fcc484cb"
# 训练过头的交叉熵太自信：$T$ 大于 1。标签平滑不够自信：$T$ 小于 1，缩放之前的差距是三者中最大的，尽管它认对的数字最多。焦点损失在这里几乎不用校正。
# 只用一个数，三者就都靠近对角线，而读数一个也没有变。
#
# ## 公式门诊：标签是怎么编码的？
#
# 常见的入门配方以 `Dense(10, activation="softmax")` 和 `loss="categorical_crossentropy"` 收尾，却不交代标签长什么样。
# MNIST 的标签是整数：0、7、3。而这种损失的公式是 $-\sum_i y_i \log p_i$，其中 $y$ 是一整行数，标签处为 1，其余为 0，
# 即**独热编码**（one-hot）。
# 一个整数并不是这样的一行。修法有两个：把标签变成行；或者改用 *sparse* 版的损失，它直接取 $-\log p_y$，
# 不需要行。**先猜**每一行会打印什么。
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
# **Diagnosis.** The error is loud, which is lucky. Both fixes have the same value; sparse needs a tenth of the
# memory, rows are needed when the target is soft (smoothing, distillation). These mistakes are *quiet*:
#
# - **Scores read as probabilities**: no softmax, and `from_logits` forgotten.
# - **Softmax twice**: a softmax layer, and `from_logits=True`. The second softmax sees numbers from 0 to 1 only, so
#   the loss cannot fall below $\log(e + K - 1) - 1$, even when all is right. Keras on TensorFlow recognises a softmax
#   as the very last operation, warns and repairs it. A `Reshape` behind the softmax hides it; other libraries do not
#   look at all.
# - **One output**: softmax over a single class is 1, always. Loss 0, nothing learned.
#
# Same network, same digits, same seed. **Predict**: which one would you not notice?
# %% [markdown] lang="zh" of="c945e692"
# **诊断。** 这个错误会大声报出来，算是运气好。两种修法的值相同；sparse 只要十分之一的内存，目标是软标签时（标签平滑、
# 知识蒸馏）则必须用行。下面这些错误却*不声不响*：
#
# - **把分数当概率**：没有 softmax，又忘了 `from_logits`。
# - **softmax 做了两次**：最后一层是 softmax，又写 `from_logits=True`。第二个 softmax 看到的只是 0 到 1 的数，就算全对，
#   损失也降不到
#   $\log(e + K - 1) - 1$ 以下。如果 softmax 恰好是最后一个运算，TensorFlow 后端的 Keras 能认出来，给出警告并自动纠正；
#   后面只要跟一个 `Reshape`，它就看不见了。别的库则根本不检查。
# - **只有一个输出**：单独一个类别的 softmax 永远是 1。损失为 0，什么也没学到。
#
# 同样的网络、同样的数字、同样的种子。**先猜：** 哪一种你会察觉不到？
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
# %% [markdown] lang="en"
# Scores read as probabilities give themselves away: the accuracy is near guessing. The softmax that Keras sees is
# repaired. The hidden one is the dangerous one: no warning, the loss falls, the accuracy is respectable, and it is
# clearly worse than it should be. Compare the loss with its floor.
#
# ### Exercise 1 · easy — precision and recall
#
# Write `precision_and_recall(confusion, digit)`: two numbers from a confusion matrix whose rows are the true digits and
# whose columns are the readings.
# %% [markdown] lang="zh" of="1af271a1"
# 把分数当概率，自己会露馅：准确率接近瞎猜。Keras 看得见的那个 softmax 会被纠正。危险的是藏起来的那个：没有警告，损失也在降，准确率也像样，
# 却明显不如应有的水平。拿损失与它的下限比一比。
#
# ### 练习 1 · 易 —— 精确率与召回率
#
# 写出 `precision_and_recall(confusion, digit)`：由混淆矩阵算出两个数。矩阵的行是真实数字，列是读法。
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
# Both divide the same number, the one on the diagonal. "Of all it called an 8" is a column: fix the second index. "Of
# all true eights" is a row.
# %% [markdown] lang="zh" of="9f66f7d9" tags=["hint"]
# 两者的分子相同，都是对角线上的那个数。“说是 8 的” 是一列，固定第二个下标；“真正的 8” 是一行。
# %% [markdown] lang="en"
# ### Exercise 2 · medium — the gradient of the temperature
#
# Temperature scaling can follow a gradient instead of a grid. For
# $L(T) = -\frac1n \sum_k \log \mathrm{softmax}(z_k / T)_{y_k}$, derive $dL/dT$ and write
# `temperature_gradient(scores, labels, T)`, a number. You may call `activations.softmax`.
# %% [markdown] lang="zh" of="8659b633"
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
# Call $u = z / T$. The loss's gradient with respect to $u$ is "prediction minus truth". The chain rule needs $du/dT$ as
# well: how does $z/T$ change with $T$? Then add up over the classes and average over the examples.
# %% [markdown] lang="zh" of="cdb9e200" tags=["hint"]
# 令 $u = z / T$。损失对 $u$ 的梯度是 “预测减去真相”；链式法则还需要 $du/dT$：$z/T$ 随 $T$ 怎样变化？最后对类别求和、
# 对样本取平均。
# %% [markdown] lang="en"
# ### Exercise 3 · hard — expected calibration error
#
# Write `calibration_error(confidence, right, bins)`: `confidence` *(examples,)* from 0 to 1, `right` *(examples,)* of
# `True` and `False`, and `bins`, the number of equal parts into which (0, 1] is cut, each closed on the right: for 2 they are
# (0, 0.5] and (0.5, 1]. No loop over examples.
# %% [markdown] lang="zh" of="8d1823d3"
# ### 练习 3 · 难 —— 期望校准误差
#
# 写出 `calibration_error(confidence, right, bins)`：`confidence` *（样本，）* 在 0 到 1 之间，`right` *（样本，）* 是
# `True` 或 `False`；把 (0, 1] 等分为 `bins` 个区间，每个区间右端闭合，例如 2 个就是 (0, 0.5] 和 (0.5, 1]。不要逐个样本循环。
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
# Bin by bin: how many examples fall in it, how many of them are right, what is their mean confidence? An empty bin
# adds nothing. The gap's sign is dropped *within* each bin, before adding.
# %% [markdown] lang="zh" of="9b7f4013" tags=["hint"]
# 一个区间一个区间地来：落进多少样本，其中多少是对的，平均把握是多少？空区间什么也不加。
# 差距的正负号要在*每个区间内*先去掉，再相加。
# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("04")
# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Softmax and cross entropy end almost every classifier and every language model; there, a token is a class (chapter 7b).
# Focal loss trains detectors, Huber loss tames outliers and rewards, hinge loss is the support-vector machine. Calibration
# decides whether a doctor may read a confidence as a probability.
#
# - Bridle, [*Probabilistic interpretation of feedforward classification network
#   outputs*](https://doi.org/10.1007/978-3-642-76153-9_28), 1990: where softmax got its name.
# - Goodfellow, Bengio and Courville, [*Deep Learning*, section
#   6.2](https://www.deeplearningbook.org/contents/mlp.html): losses from maximum likelihood.
# - Guo, Pleiss, Sun and Weinberger, [*On calibration of modern neural networks*](https://arxiv.org/abs/1706.04599),
#   2017: temperature scaling.
# - Müller, Kornblith and Hinton, [*When does label smoothing help?*](https://arxiv.org/abs/1906.02629), 2019.
#
# **What the full profile changes.** The loss experiment sees 50,000 digits for more epochs, and the overtrained networks are
# trained longer. In the stored full run (one seed, `notebooks/results/full-04.json`; a few minutes) squared error comes nearer,
# and not level: at the same rate it still makes three times as many errors as cross entropy, at ten times the rate a few more.
# The surprise is the bad start. At the high rate squared error hardly recovered from it here; given time, it does, almost
# completely. A flat place costs time, not the result, if you have the time. Longer overtraining makes the network surer (its best
# temperature rises) and hardly more often right; one number mends that as well as before.
#
# Next: chapter 5 looks at who walks down the gradient: the optimisers.
# %% [markdown] lang="zh" of="1ca1ae57"
# ## 用在哪里，读些什么
#
# 几乎所有分类器、所有语言模型的末端都是 softmax 加交叉熵；在语言模型里，一个词元就是一个类别（第 7b 章）。
# 焦点损失用于目标检测，Huber 损失用来驯服离群点和奖励信号，合页损失就是支持向量机的损失。
# 医生能不能把网络的把握当概率来读，则要看校准。
#
# - Bridle，[*Probabilistic interpretation of feedforward classification network outputs*](https://doi.org/10.1007/978-3-642-76153-9_28)，
#   1990：softmax 的名字由此而来。
# - Goodfellow、Bengio 与 Courville，[*Deep Learning* 第 6.2 节](https://www.deeplearningbook.org/contents/mlp.html)：
#   由最大似然导出损失。
# - Guo、Pleiss、Sun 与 Weinberger，[*On calibration of modern neural networks*](https://arxiv.org/abs/1706.04599)，
#   2017：温度缩放。
# - Müller、Kornblith 与 Hinton，[*When does label smoothing help?*](https://arxiv.org/abs/1906.02629)，2019。
#
# **换成 full 配置会怎样。** 损失实验用 50,000 个数字、更多轮数，过度训练的网络也训练得更久。在保存的 full 运行里（一个种子，见
# `notebooks/results/full-04.json`，只要几分钟），平方误差追近了，但没有追平：学习率相同时，错误仍是交叉熵的三倍；学习率取十倍时，
# 只多一点。出人意料的是坏的起点：平方误差用高学习率，在本页几乎没能爬出来；时间给够，它差不多完全恢复了。平坦的地方费的是时间，
# 只要有时间，结果并不差。过度训练得越久，网络越自信（最佳温度升高），答对的却几乎没有增加；而补救它，仍然只需要一个数。
#
# 接下来：第 5 章看看是谁在沿着梯度往下走 —— 优化器。
