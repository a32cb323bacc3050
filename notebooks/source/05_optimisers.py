# %% [markdown] lang="en" telling=["sgd.test_accuracy", "adam.test_accuracy", "default_gap.sgd_adam"]
# # 5 Optimisers
#
# "Adam beats SGD": you will find this sentence everywhere. In this chapter you run the race yourself, nine optimisers on the same
# network and the same digits. With the learning rates that Keras suggests, plain gradient descent is far behind. Give every
# optimiser six learning rates to choose from, and the gap is gone. What remains is a lesson about defaults, about luck, and
# about how to compare.
#
# Before the race you write everything that runs in it: backpropagation in some thirty lines, and the nine rules, first for single
# numbers, then for arrays.
#
# **By the end you will be able to**
#
# - predict for which learning rates gradient descent converges, swings or explodes;
# - write backpropagation in some thirty lines, and check a gradient independently of your own derivation;
# - measure what a mini-batch costs and what it buys;
# - write nine optimisers, a few lines each, that agree with Keras step by step;
# - compare optimisers so that the result means something, and say when there is no winner.
#
# **Before you start:** layers and losses (chapters 1 and 4). Measured time and memory are printed below the imports.

# %% [markdown] lang="zh" of="95438860"
# # 5 优化算法
#
# “Adam 比 SGD 好”，这话到处都能看到。这一章你亲自来办这场比赛：九种优化器，同一个网络，同样的样本。用 Keras 给的默认学习率，
# 最普通的梯度下降远远落后；让每种优化器都从六个学习率里挑一个，差距就不见了。剩下的，是关于默认值、关于运气、关于怎样比较的一课。
#
# 比赛之前，参赛的一切都由你写出来：三十来行的反向传播，九条更新规则，先写单个数的，再写数组的。
#
# **学完这一章，你能够**
#
# - 预测学习率取多大时，梯度下降会收敛、来回摆动或者发散；
# - 用三十来行代码写出反向传播，并且不依赖自己的推导来核对梯度；
# - 测出小批量付出了什么，换来了什么；
# - 写出九种优化器，每种只有几行，每一步的结果都与 Keras 一致；
# - 做一次有意义的优化器比较，并在分不出胜负时如实说分不出。
#
# **预备知识：** 层与损失函数（第 1 章和第 4 章）。实测的时间和内存打印在导入语句之后。

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
import time
import types

import ipywidgets
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from threadpoolctl import threadpool_limits

from course_utils import datasets, exercises, plots, profiles, proofs, results, sliders
from course_utils.profiles import choose
from course_utils.reference import autodiff, optimizers

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
one_thread = threadpool_limits(1)  # NumPy's matrices here are small: a second thread costs more than it brings

# %% tags=["cost", "nbval-ignore-output"]
results.cost("05")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: feel the slope, take a step
#
# You stand on a hillside in fog. You cannot see the valley, but your feet feel the slope. So you step downhill, feel again, and step
# again. The slope is the **gradient** $g$ of the loss $L$ at the weights $w$; the size of the step is set by the **learning
# rate** $\eta$:
#
# $$ w \leftarrow w - \eta\, g, \qquad g = \nabla L(w) $$
#
# How large may it be? In a valley, look along one direction in which the loss bends with curvature $\lambda$ (its second
# derivative). There the gradient is $\lambda$ times the distance $w$ to the lowest point, so one step multiplies this distance by
# $1 - \eta\lambda$. It shrinks if and only if that factor lies between −1 and 1:
#
# $$ w \leftarrow w - \eta\,\lambda\,w = (1 - \eta\lambda)\,w \qquad\Rightarrow\qquad 0 < \eta < \frac{2}{\lambda_{\max}} $$
#
# The steepest direction sets the limit; the flattest one decides how long it takes. Their ratio
# $\kappa = \lambda_{\max} / \lambda_{\min}$ is the **condition number**.
#
# The valley below has the curvatures 1 along and 12 across. The first cell tries learning rates at 0.9, 1 and 1.1 times the limit
# $2/12$; the figure shows $\eta = 0.01$, $0.14$ and $0.17$. **Predict:** which of these three arrives within 40 steps, which is
# late, and which never arrives? (With a running kernel, move the slider across the limit.)

# %% [markdown] lang="zh" of="6f78c35e" tags=["predict"]
# ## 核心思想：探一探坡度，迈一步
#
# 你站在大雾中的山坡上，看不见谷底，脚下却能感到坡度。于是朝下坡方向迈一步，再探，再迈。坡度就是损失 $L$ 在权重 $w$ 处的**梯度**（gradient）$g$，
# 步子的大小由**学习率**（learning rate）$\eta$ 决定：
#
# $$ w \leftarrow w - \eta\, g, \qquad g = \nabla L(w) $$
#
# 学习率最大能取多少？在一条山谷里，沿某个方向看，损失弯曲的程度是曲率（二阶导数）$\lambda$。那里的梯度等于 $\lambda$ 乘以到最低点的距离 $w$，
# 所以每走一步，这个距离就乘上 $1 - \eta\lambda$。当且仅当这个因子在 −1 与 1 之间，距离才会缩短：
#
# $$ w \leftarrow w - \eta\,\lambda\,w = (1 - \eta\lambda)\,w \qquad\Rightarrow\qquad 0 < \eta < \frac{2}{\lambda_{\max}} $$
#
# 最陡的方向定上限，最平的方向决定要走多久。两者之比 $\kappa = \lambda_{\max} / \lambda_{\min}$ 叫**条件数**（condition number）。
#
# 下面这条山谷，顺着走曲率是 1，横着走是 12。第一个单元格把学习率取为上限 $2/12$ 的 0.9、1 和 1.1 倍；图里画的是 $\eta = 0.01$、$0.14$ 和 $0.17$。
# **先猜：** 这三个学习率，哪个在 40 步之内走得到，哪个太慢，哪个永远走不到？（内核在运行时，可以拖动滑块，越过上限试试。）

# %%
curvatures = np.array([1.0, 12.0])


def valley(point):
    """The loss ½ (w₁² + 12 w₂²) at points (..., 2)."""
    return 0.5 * np.sum(curvatures * point**2, axis=-1)


def walk(learning_rate, steps=40):
    """The points that gradient descent visits in the valley: (steps + 1, 2)."""
    path = [np.array([-2.0, 1.0])]
    for _ in range(steps):
        path.append(path[-1] - learning_rate * curvatures * path[-1])  # the valley's gradient is λ w
    return np.array(path)


for name, rate in {"0.9 · 2/λ": 1.8 / 12, "2/λ": 2 / 12, "1.1 · 2/λ": 2.2 / 12}.items():
    distance = np.linalg.norm(walk(rate, steps=200)[-1])
    verdict = "shrinks · 缩小" if distance < 1e-6 else "grows · 增大" if distance > 1e6 else "swings · 摆动"
    print(f"η = {name:10} factors 1 − ηλ · 因子: {1 - rate * curvatures[0]:+.2f}, {1 - rate * curvatures[1]:+.2f}   {verdict}")

# %% tags=["plot"]
def draw_path(axis, surface, path, title, lowest=(0, 0), x=(-2.3, 2.3), y=(-1.5, 1.5), color=plots.COLORS[1]):
    """Contour lines of a loss and a path on it: square = start, star = lowest point."""
    points = np.stack(np.meshgrid(np.linspace(*x, 120), np.linspace(*y, 120)), axis=-1)  # (120, 120, 2)
    axis.contour(points[..., 0], points[..., 1], np.log(surface(points) + 0.05), 14, colors="0.75", linewidths=0.8,
                 linestyles="solid")  # fmt: skip
    axis.plot(*path.T, "-o", color=color, markersize=2.5, linewidth=1)
    axis.plot(*path[0], "s", color="k", markersize=6)
    axis.plot(*lowest, "*", color=plots.COLORS[2], markersize=13)
    axis.set(xlim=x, ylim=y, title=title, xlabel="$w_1$", ylabel="$w_2$")


figure, axes = plt.subplots(1, 3, figsize=(10.5, 3), sharey=True)
for axis, learning_rate in zip(axes, [0.01, 0.14, 0.17], strict=True):
    path = walk(learning_rate)
    draw_path(axis, valley, path, rf"$\eta$ = {learning_rate}, loss {valley(path[0]):.1f} → {valley(path[-1]):.2g}")
plots.show(
    figure,
    alt="Three paths in an oval valley: with a small learning rate the path ends half-way; with a medium one it zigzags "
    "to the lowest point; with a large one it swings across the valley, ever wider.",
    alt_zh="椭圆形山谷里的三条路径：学习率小，半路就停了；学习率适中，折线走到最低点；学习率大，在山谷两侧来回跳，越跳越远。",
)

# %% tags=["nbval-ignore-output"]
def one_path(learning_rate):
    """The path for one learning rate."""
    figure, axis = plt.subplots(figsize=(5.5, 3.2))
    path = walk(learning_rate)
    draw_path(axis, valley, path, rf"$\eta$ = {learning_rate:.3f}, limit {2 / 12:.3f}: loss → {valley(path[-1]):.2g}")
    return figure


slider = ipywidgets.FloatLogSlider(value=0.1, min=-2.3, max=-0.72, step=0.02, description="η")
sliders.picture(one_path, alt="the path for this learning rate", alt_zh="这个学习率走出的路径", learning_rate=slider)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** 0.14 zigzags and arrives. With 0.01 the walk ends half-way along the valley. And 0.17 lies above the limit of $2/12 \approx 0.167$:
# every step lands a little higher on the other side.
#
# ## Backpropagation from scratch: one number at a time
#
# A formula as long as a network is built from small steps: add, multiply, tanh. Each step knows its own **local derivative**, and the
# chain rule joins them. Along a path from $\theta$ to $J$ the local derivatives are *multiplied*; if several paths lead there, the
# products are *added*. Written for one number and those that use it directly, its **children**:
#
# $$ \frac{\partial J}{\partial \theta} = \sum_{z\,\in\,\text{children}(\theta)} \frac{\partial J}{\partial z}\;
#    \frac{\partial z}{\partial \theta}\bigg|_{\text{direct}} $$
#
# This is the whole of **backpropagation** ([Rumelhart, Hinton and Williams 1986](https://doi.org/10.1038/323533a0)): walk from $J$
# backwards, and let every number hand its gradient to those it was made from. A number that is used twice is handed two gradients: hence
# `+=`. In the code below, the class remembers and the function walks.
#
# ### A graph with branches
#
# $J = \tanh(z_1)\,z_3 + z_1$ with $z_1 = \theta x$ and $z_3 = z_1 x$. Three paths lead from $z_1$ to $J$, and one of them goes straight
# past the middle, like the shortcut of a residual network. Add up the products along the three paths, then compare with the box in the figure.
#
# Do not trust a gradient that you derived yourself before independent checks agree with it. We use three: pencil and paper, `GradientTape`, and
# **finite differences** (nudge the number, see how far $J$ moves, divide). And a question of speed: if every step adds a number to itself,
# the number of paths doubles each time. Does an engine have to walk them all?

# %% [markdown] lang="zh" of="237e345f" tags=["answer"]
# **答案。** 0.14 来回折着走，走到了。0.01 只走到半路。0.17 超过了上限 $2/12 \approx 0.167$：每一步都落到对面更高一点的地方，永远走不到。
#
# ## 从零写反向传播：先写单个数的
#
# 一个网络的公式再长，也是由加、乘、tanh 这样的小步拼成的。每一步只知道自己的**局部导数**（local derivative），链式法则把它们接起来：
# 从 $\theta$ 到 $J$ 的一条路径上，局部导数要**相乘**；有几条路径，就把几个乘积**相加**。换成一个数和直接用到它的那些数（它的**子节点**，children）来写：
#
# $$ \frac{\partial J}{\partial \theta} = \sum_{z\,\in\,\text{children}(\theta)} \frac{\partial J}{\partial z}\;
#    \frac{\partial z}{\partial \theta}\bigg|_{\text{直接}} $$
#
# **反向传播**（backpropagation，[Rumelhart、Hinton 与 Williams，1986](https://doi.org/10.1038/323533a0)）就是这一个式子：
# 从 $J$ 往回走，每个数把自己收到的梯度交给造出它的那些数。一个数被用了两次，就收到两份梯度，所以代码里是 `+=`。
# 下面的类负责记住来历，函数负责往回走。
#
# ### 一个有分支的计算图
#
# $J = \tanh(z_1)\,z_3 + z_1$，其中 $z_1 = \theta x$，$z_3 = z_1 x$。从 $z_1$ 到 $J$ 有三条路径，其中一条绕过中间直达终点，
# 就像残差网络里的跨层连接。先把三条路径各自的乘积加起来，再与图中框里的数比一比。
#
# 自己推出来的梯度先别信，要等独立的核对都通过。这里核对三次：纸笔、`GradientTape` 和**有限差分**（finite differences：把数拨动一点点，
# 看 $J$ 变了多少，再相除）。还有一个速度问题：如果每一步都把数与它自己相加，路径的条数就每步翻一番。引擎非得逐条走完不可吗？

# %%
class Scalar:
    """A number that remembers its parents: pairs (number it was made from, local derivative)."""

    def __init__(self, value, parents=()):
        self.value, self.parents, self.gradient = value, parents, 0.0

    def __add__(self, other):
        return Scalar(self.value + other.value, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Scalar(self.value * other.value, [(self, other.value), (other, self.value)])

    def tanh(self):
        result = np.tanh(self.value)
        return Scalar(result, [(self, 1 - result**2)])


print("2 · 3 + 2 =", (Scalar(2.0) * Scalar(3.0) + Scalar(2.0)).value)

# %%
def in_order(result):
    """All numbers behind `result`, each after its parents."""
    order = []

    def visit(node):
        if node not in order:
            for parent, _ in node.parents:
                visit(parent)
            order.append(node)

    visit(result)
    return order


def backward(result):
    """Fill in d result / d number for every number behind `result`."""
    for node in in_order(result):
        node.gradient = 0.0
    result.gradient = 1.0
    for node in reversed(in_order(result)):  # a number is complete before it hands anything on
        for parent, local_derivative in node.parents:
            parent.gradient += node.gradient * local_derivative

# %%
theta, x = Scalar(0.5), Scalar(2.0)
z1 = theta * x
z2, z3 = z1.tanh(), z1 * x
product = z2 * z3
J = product + z1
backward(J)

places = {theta: (r"$\theta$", 0, 1), x: ("$x$", 0, -1), z1: ("$z_1$", 1.3, 0.6), z2: ("$z_2$", 2.6, 1),
          z3: ("$z_3$", 2.6, -0.6), product: ("$z_2 z_3$", 3.9, 0), J: ("$J$", 5.2, 0.6)}  # fmt: skip
figure, axis = plt.subplots(figsize=(9.5, 4))
for node, (name, *end) in places.items():
    axis.text(*end, f"{name} = {node.value:.3g}\n∂J/∂{name} = {node.gradient:.3g}", ha="center", va="center", zorder=3,
              bbox={"boxstyle": "round", "fc": "w", "ec": plots.COLORS[0]})  # fmt: skip
    for parent, local in node.parents:
        start, white = np.array(places[parent][1:]), {"fc": "w", "ec": "none", "pad": 1}
        axis.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "0.5", "shrinkA": 34, "shrinkB": 36})
        axis.text(*(0.45 * start + 0.55 * np.array(end)), f"{local:.3g}", color=plots.COLORS[1], ha="center", bbox=white)
axis.set(xlim=(-0.6, 5.8), ylim=(-1.5, 1.5), title="values, gradients (boxes) and local derivatives (arrows)")
axis.axis("off")
plots.show(
    figure,
    alt="A graph from theta and x to J: a value and a gradient in each box, a local derivative on each arrow; z1 has three.",
    alt_zh="从 θ 和 x 到 J 的计算图：每个框里是数值和梯度，每个箭头上是局部导数；z1 发出三个箭头，其中一个直达 J。",
)

# %%
def by_numpy(theta_and_x):
    z1 = theta_and_x[0] * theta_and_x[1]
    return np.tanh(z1) * (z1 * theta_and_x[1]) + z1


by_hand = (1 - np.tanh(1.0) ** 2) * 2.0 + np.tanh(1.0) * 2.0 + 1.0  # ∂J/∂z1: one summand for each path
point = tf.Variable([0.5, 2.0], dtype="float64")
with tf.GradientTape() as tape:
    first = point[0] * point[1]
    loss = tf.tanh(first) * (first * point[1]) + first
proofs.equal({
    "engine": [theta.gradient, x.gradient],
    "by hand": [by_hand * 2.0, by_hand * 0.5 + np.tanh(1.0)],
    "GradientTape": tape.gradient(loss, point),
    "finite differences": proofs.finite_differences(by_numpy, [0.5, 2.0]),
})

doubled = start = Scalar(1.0)
for _ in range(50):
    doubled = doubled + doubled
backward(doubled)
print(f"{len(in_order(doubled))} numbers visited · 访问的数    {start.gradient:,.0f} paths · 路径")

# %% [markdown] lang="en"
# The engine agrees with all three. And it need not walk every path: it visits each *number* once, because it adds up before it hands on. 51
# numbers stand for a million billion paths.
#
# ## The same, for arrays
#
# One Python object per number is slow. The course's `autodiff.Tensor` is the same engine with arrays inside, and each operation carries its
# rule. For a matrix product $Y = XW$ the rule is the one from chapter 1: with $G$ the gradient of $Y$, the gradient of $X$ is $G W^\top$,
# and that of $W$ is $X^\top G$. (Check the shapes: there is no other way to multiply them.) One thing is new, **broadcasting**: a bias $b$ of
# shape (2,) is added to *every* row of a batch. It is used once per row, so by the sum over children its gradient is the sum over the rows:
#
# $$ y_{n,j} = \sum_i x_{n,i}\, w_{i,j} + b_j \qquad\Rightarrow\qquad
#    \frac{\partial J}{\partial b_j} = \sum_n \frac{\partial J}{\partial y_{n,j}} $$
#
# The scalar engine needs no new rule for that, so it can check the array engine.
#
# ## A network on real digits
#
# 784 pixels → 32 ReLU units → 10 classes, cross entropy: a perceptron so small that more than a hundred training runs fit into this chapter. The
# digits are split in three, and each part has one job: *training* digits give gradients, *validation* digits choose learning rates, *test*
# digits give the numbers that are reported.

# %% [markdown] lang="zh" of="4c797502"
# 引擎与三种核对都一致。路径也不必逐条走完：它先汇总再往下交，每个**数**只经过一次，51 个数就代表了一千万亿条路径。
#
# ## 换成数组
#
# 每个数都建一个 Python 对象太慢。课程的 `autodiff.Tensor` 是同一个引擎，只是里面装的是数组，每种运算都带着自己的求导规则。矩阵乘法 $Y = XW$
# 的规则就是第 1 章的那一条：设 $Y$ 的梯度是 $G$，则 $X$ 的梯度是 $G W^\top$，$W$ 的梯度是 $X^\top G$（看看形状，没有第二种乘法配得上）。
# 只有一件事是新的：**广播**（broadcasting）。形状为 (2,) 的偏置 $b$ 要加到批量的**每一行**上，每行用它一次，所以按“对子节点求和”，
# 它的梯度就是各行梯度之和：
#
# $$ y_{n,j} = \sum_i x_{n,i}\, w_{i,j} + b_j \qquad\Rightarrow\qquad
#    \frac{\partial J}{\partial b_j} = \sum_n \frac{\partial J}{\partial y_{n,j}} $$
#
# 标量引擎不需要任何新规则就能算对，所以正好拿它来核对数组引擎。
#
# ## 用真实样本训练一个网络
#
# 784 个像素 → 32 个 ReLU 单元 → 10 类，用交叉熵：感知机这么小，这一章才装得下上百次训练。样本分成三份，各司其职：**训练**集用来求梯度，
# **验证**集用来挑学习率，**测试**集只用来报告结果。

# %%
random = np.random.default_rng(0)
rows, kernel, bias = random.normal(size=(3, 4)), random.normal(size=(4, 2)), random.normal(size=2)

scalar_bias = [Scalar(value) for value in bias]
total = Scalar(0.0)
for row, column in np.ndindex(3, 2):
    output = scalar_bias[column]  # the same object in every row
    for feature in range(4):
        output = output + Scalar(rows[row, feature]) * Scalar(kernel[feature, column])
    total = total + output.tanh()
backward(total)

bias_tensor, bias_variable = autodiff.Tensor(bias), tf.Variable(bias)
(autodiff.Tensor(rows) @ kernel + bias_tensor).tanh().sum().backward()
with tf.GradientTape() as tape:
    loss = tf.reduce_sum(tf.tanh(rows @ kernel + bias_variable))
proofs.equal({
    "scalars": [entry.gradient for entry in scalar_bias],
    "Tensor": bias_tensor.gradient,
    "GradientTape": tape.gradient(loss, bias_variable),
})

# %%
digits = datasets.mnist()
count, tested = choose(smoke=640, laptop=12_800, full=48_000), choose(smoke=2_000, laptop=10_000, full=10_000)


def as_rows(images):
    return (images.reshape(len(images), 784) / 255).astype("float32")


x_train, y_train = as_rows(digits.x_train[:count]), digits.y_train[:count].astype(int)
held_out = slice(50_000, 50_000 + tested)
x_validation, y_validation = as_rows(digits.x_train[held_out]), digits.y_train[held_out].astype(int)
x_test, y_test = as_rows(digits.x_test[:tested]), digits.y_test[:tested].astype(int)


def new_network(seed, dtype="float32"):
    """[kernel (784, 32), bias (32,), kernel (32, 10), bias (10,)], kernels by He's rule."""
    random = np.random.default_rng(seed)
    kernels = [random.normal(size=shape) * np.sqrt(2 / shape[0]) for shape in [(784, 32), (32, 10)]]
    return [array.astype(dtype) for array in (kernels[0], np.zeros(32), kernels[1], np.zeros(10))]


print("parameters · 参数:", sum(array.size for array in new_network(0)))

# %%
def loss_and_gradients(parameters, images, labels):
    """Mean cross entropy of images (batch, 784), and its gradient for each parameter."""
    tensors = [autodiff.Tensor(array) for array in parameters]
    hidden = (autodiff.Tensor(images, needs_gradient=False) @ tensors[0] + tensors[1]).relu()  # (batch, 32)
    loss = autodiff.cross_entropy(hidden @ tensors[2] + tensors[3], labels)  # of (batch, 10)
    loss.backward()
    return float(loss.data), [tensor.gradient for tensor in tensors]


def logits_of(parameters, images):
    hidden = np.maximum(images @ parameters[0] + parameters[1], 0)  # (count, 32)
    return hidden @ parameters[2] + parameters[3]  # (count, 10)


def loss_of(parameters, images, labels):
    logits = logits_of(parameters, images).astype("float64")
    logits = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]))


print(f"loss of guessing · 瞎猜的损失: ln 10 = {np.log(10):.4f}")

# %% [markdown] lang="en"
# ### The gradient check
#
# We take the whole network and eight digits, in float64. `GradientTape` must agree for all parameters. Finite differences need two losses
# for *each* number: fine for the 320 weights of the second kernel, tedious for all of them. A cheaper check covers everything at
# once: nudge *all* parameters along one random direction $d$; the loss must change at the rate $g \cdot d$.
#
# This count is the reason for going backwards: however many parameters there are, one backward pass costs a small multiple of a forward
# pass ([Baydin et al., arXiv:1502.05767](https://arxiv.org/abs/1502.05767)).
#
# ### Training
#
# One function trains for the rest of the chapter: shuffle, cut into batches, gradient, update. Only the optimiser, the seed and the batch
# size change.

# %% [markdown] lang="zh" of="7344ab89"
# ### 梯度检验
#
# 用完整的网络、八个样本、float64。`GradientTape` 必须在所有参数上都一致。有限差分对**每个**数都要算两次损失：第二个权重矩阵只有 320 个数，
# 没有问题；全部都算就太久了。有个便宜的办法可以一次核对全部：让**所有**参数沿一个随机方向 $d$ 动一点点，损失的变化率必须等于 $g \cdot d$。
#
# 这笔账正是要“反着走”的理由：不论参数有多少，一次反向传播的代价只是前向的几倍
# （[Baydin 等，arXiv:1502.05767](https://arxiv.org/abs/1502.05767)）。
#
# ### 训练
#
# 本章余下部分都用这一个训练函数：打乱次序，切成小批，求梯度，更新。变的只有优化器、随机种子和批量大小。

# %%
parameters, images, labels = new_network(0, "float64"), as_rows(digits.x_train[:8]).astype("float64"), digits.y_train[:8].astype(int)
gradients = loss_and_gradients(parameters, images, labels)[1]

variables = [tf.Variable(array) for array in parameters]
with tf.GradientTape() as tape:
    hidden = tf.nn.relu(images @ variables[0] + variables[1])
    scores = hidden @ variables[2] + variables[3]
    loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, scores, from_logits=True))
flat = np.concatenate([gradient.ravel() for gradient in gradients])
proofs.equal({"Tensor": flat, "GradientTape": np.concatenate([np.ravel(part) for part in tape.gradient(loss, variables)])})
proofs.equal({
    "second kernel": gradients[2],
    "finite differences": proofs.finite_differences(
        lambda kernel: loss_of([*parameters[:2], kernel, parameters[3]], images, labels), parameters[2]),
})
direction = [np.random.default_rng(1).normal(size=array.shape) for array in parameters]
proofs.equal({
    "g · d": sum(np.sum(gradient * part) for gradient, part in zip(gradients, direction, strict=True)),
    "along d": proofs.finite_differences(
        lambda t: loss_of([p + t * d for p, d in zip(parameters, direction, strict=True)], images, labels), 0.0, 1e-6),
})

# %% tags=["nbval-ignore-output"]
def train(optimizer, seed, passes, batch_size=64, watch=None):
    """Train a new network on the training digits and return its parameters."""
    random, parameters = np.random.default_rng(seed), new_network(seed)
    with np.errstate(over="ignore", invalid="ignore"):  # too large a learning rate may explode: that is a result
        for _ in range(passes):
            order = random.permutation(count)
            for start in range(0, count, batch_size):
                chosen = order[start : start + batch_size]
                gradients = loss_and_gradients(parameters, x_train[chosen], y_train[chosen])[1]
                parameters = optimizer.update(parameters, gradients)
                if watch is not None:
                    watch(parameters, len(chosen))
    return parameters


def accuracy(parameters, images, labels):
    return float(np.mean(logits_of(parameters, images).argmax(axis=1) == labels))


trained = train(optimizers.GradientDescent(0.1), SEED, passes=choose(smoke=2, laptop=6, full=10))
# Wider than three seeds ask for, which agree to half a thousandth: another machine rounds differently.
band = choose(smoke=(0.31, 0.81), laptop=(0.921, 0.932), full=(0.93, 0.98))
results.record("tensor_network.test_accuracy", accuracy(trained, x_test, y_test), band=band)

# %% [markdown] lang="en" tags=["predict"]
# The gradients agree, and the engine that you now know trains a network to {{tensor_network.test_accuracy:.1%}} of the test digits.
#
# ## Batch, stochastic, mini-batch
#
# The loss is a mean over all $N$ training digits, and so is its gradient. Must we look at all of them before every step?
#
# $$ g = \frac{1}{N} \sum_{n=1}^{N} \nabla L_n(w) \qquad\qquad
#    g_B = \frac{1}{B} \sum_{n \in \text{a random batch}} \nabla L_n(w), \qquad \mathbb{E}[g_B] = g $$
#
# **Batch** gradient descent uses all: $B = N$. **Stochastic** gradient descent uses one: $B = 1$
# ([Robbins and Monro 1951](https://doi.org/10.1214/aoms/1177729586) proved that noisy steps can converge). A **mini-batch** lies between. Two
# facts to check: cut the digits into equal batches, and the mean of the batch gradients is *exactly* $g$; and the error of a single
# $g_B$ falls like $1/\sqrt{B}$, so four times the work halves the noise.
#
# Now we train all three from the same weights, each with a learning rate that did well in short trials (try others). The larger the batch, the
# more passes it is given, so that none stops too early. **Predict:** which one has the lowest loss after the same number of *examples*? And
# after the same *time*?

# %% [markdown] lang="zh" of="7901d1f2" tags=["predict"]
# 梯度一致；你现在已经熟悉的这个引擎，把网络训练到了 {{tensor_network.test_accuracy:.1%}} 的测试准确率。
#
# ## 批量、随机、小批量
#
# 损失是全部 $N$ 个训练样本的平均，梯度也是。难道每走一步都要把所有样本看一遍？
#
# $$ g = \frac{1}{N} \sum_{n=1}^{N} \nabla L_n(w) \qquad\qquad
#    g_B = \frac{1}{B} \sum_{n \in \text{随机的一批}} \nabla L_n(w), \qquad \mathbb{E}[g_B] = g $$
#
# **批量**（batch）梯度下降用全部样本：$B = N$。**随机**（stochastic）梯度下降只用一个：$B = 1$
# （[Robbins 与 Monro，1951](https://doi.org/10.1214/aoms/1177729586) 证明了带噪声的步子也能收敛）。**小批量**（mini-batch）介于两者之间。
# 有两件事可以检验：把样本等分成若干批，各批梯度的平均**恰好**等于 $g$；单独一个 $g_B$ 的误差按 $1/\sqrt{B}$ 下降，
# 也就是说，计算量变成四倍，噪声才减半。
#
# 现在来训练：三者从同样的权重出发，学习率各取短时试验中表现好的一个（也可以换几个试试）。批量越大，给的遍数越多，免得停得太早。
# **先猜：** 看过同样多的**样本**之后，谁的损失最低？花同样多的**时间**呢？

# %% tags=["nbval-ignore-output"]
parameters = new_network(0, "float64")
images, labels = as_rows(digits.x_train[:512]).astype("float64"), digits.y_train[:512].astype(int)


def flat_gradient(chosen):
    return np.concatenate([part.ravel() for part in loss_and_gradients(parameters, images[chosen], labels[chosen])[1]])


whole = flat_gradient(np.arange(512))
proofs.equal({"mean of 16 batches of 32": np.mean([flat_gradient(part) for part in np.split(np.arange(512), 16)], axis=0),
              "all 512": whole}, tolerance=1e-12)  # fmt: skip

random, sizes = np.random.default_rng(SEED), np.array([1, 2, 4, 8, 16, 32, 64])
noise = []
for size in sizes:
    draws = [flat_gradient(random.choice(512, size)) - whole for _ in range(60)]
    noise.append(np.sqrt(np.mean(np.sum(np.square(draws), axis=1)) / np.sum(whole**2)))
slope = np.polyfit(np.log(sizes), np.log(noise), 1)[0]
band = choose(smoke=(-0.53, -0.47), laptop=(-0.53, -0.47), full=(-0.53, -0.47))
results.record("gradient_noise.slope", slope, band=band)

# %% tags=["nbval-ignore-output"]
def curve(batch_size, learning_rate, passes):
    """Train; from time to time note (examples seen, seconds, loss of a fixed 500 digits); noting is not timed."""
    rows, seen, seconds, since = [], 0, 0.0, time.perf_counter()

    def watch(parameters, examples):
        nonlocal seen, seconds, since
        seen += examples
        if seen % max(count // 16, 1) < examples:
            seconds += time.perf_counter() - since
            rows.append((seen, seconds, loss_of(parameters, x_train[:500], y_train[:500])))
            since = time.perf_counter()

    train(optimizers.GradientDescent(learning_rate), SEED, passes, batch_size, watch)
    return np.array(rows)


ways = {"batch": (count, 0.3, choose(smoke=20, laptop=60, full=60)), "mini_batch": (32, 0.3, choose(smoke=6, laptop=12, full=12)),
        "stochastic": (1, 0.01, 2)}  # batch size, learning rate, passes  # fmt: skip
curves = {name: curve(*way) for name, way in ways.items()}
bands = choose(smoke=[(1.38, 2.52), (0.23, 0.66), (0.290, 0.375)], laptop=[(1.48, 2.47), (0.155, 0.219), (0.118, 0.244)],
               full=[(1.38, 2.6), (0, 0.25), (0, 0.5)])  # fmt: skip
for (name, rows), band in zip(curves.items(), bands, strict=True):
    after_two_passes = rows[rows[:, 0] <= 2 * count][-1]
    results.record(f"{name}.training_loss", after_two_passes[2], band=band)
    results.record(f"{name}.seconds", after_two_passes[1], unit="s", digits=2)

# %% tags=["plot"]
figure, axes = plt.subplots(1, 3, figsize=(12, 3.5))
axes[0].loglog(sizes, noise, "o-", color=plots.COLORS[3], label="measured")
axes[0].loglog(sizes, noise[0] / np.sqrt(sizes), ":", color="0.4", label=r"$\propto 1/\sqrt{B}$")
axes[0].set(xlabel="batch size B (examples)", ylabel=r"$\|g_B - g\| \,/\, \|g\|$", title="Noise of one batch's gradient")
for (name, rows), color, line, marker in zip(curves.items(), plots.COLORS, plots.LINES, plots.MARKERS, strict=False):
    for axis, across in [(axes[1], rows[:, 0] / 1000), (axes[2], rows[:, 1])]:
        axis.plot(across, rows[:, 2], linestyle=line, marker=marker, markersize=3, color=color, label=name.replace("_", "-"))
axes[1].set(xlabel="training examples seen (thousands)", xlim=(0, 2 * count / 1000), title="Loss against examples")
axes[2].set(xlabel="time (s)", xscale="log", title="Loss against time")
for axis in axes[1:]:
    axis.set(ylabel="training loss", yscale="log")
axes[0].legend()
axes[2].legend()
plots.show(
    figure,
    alt="Three panels: the noise of a batch's gradient falls along a straight line of slope minus one half; the training "
    "loss against examples seen and against time for batch, mini-batch and stochastic gradient descent.",
    alt_zh="三幅图：单批梯度的噪声沿斜率为负二分之一的直线下降；批量、小批量、随机梯度下降的训练损失，分别对样本数和时间作图。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Counted in examples, the full batch is far behind, because it steps once per pass: after two passes its loss is
# {{batch.training_loss:.2f}}, with mini-batches {{mini_batch.training_loss:.2f}}, with single examples {{stochastic.training_loss:.2f}}. The last two
# are close, and over three seeds they overlap ({{seeds:mini_batch.training_loss:.2f}} and {{seeds:stochastic.training_loss:.2f}}): single
# examples step 32 times as often, but with a rate thirty times smaller, which their noise demanded. Counted in time they part,
# {{mini_batch.seconds:.2f}} seconds against {{stochastic.seconds:.1f}}. Every step pays for a whole round of Python and memory traffic, whether it looks
# at one digit or at 32. The mini-batch is a compromise with the *machine*, and a GPU, which multiplies large matrices at
# little extra cost, prefers larger ones. (The noise falls with a slope of {{gradient_noise.slope:.2f}}, where the formula says −½.)
#
# ## Momentum: remember where you were going
#
# In a long valley, gradient descent zigzags across and creeps along. **Momentum**
# ([Polyak 1964](https://doi.org/10.1016/0041-5553%2864%2990137-5)) keeps a velocity $v$. Parts of the gradient that change sign cancel, parts
# that agree add up, to as much as $1/(1-\mu)$ times the step. **Nesterov** (1983;
# [Sutskever et al. 2013](https://proceedings.mlr.press/v28/sutskever13.html)) takes the gradient a little ahead, where momentum is about to
# carry us; in the form that Keras uses:
#
# $$ v \leftarrow \mu v - \eta g, \qquad w \leftarrow w + v \quad\text{(momentum)}, \qquad
#    w \leftarrow w + \mu v - \eta g \quad\text{(Nesterov)} $$
#
# Theory promises: with the best settings, gradient descent needs a number of steps that grows like the condition number $\kappa$, these two
# like $\sqrt{\kappa}$. We count.

# %% [markdown] lang="zh" of="1d9bd4bb" tags=["answer"]
# **答案。** 按样本数算，全批量远远落后，因为一遍只走一步：两遍之后，它的损失是 {{batch.training_loss:.2f}}，小批量是
# {{mini_batch.training_loss:.2f}}，逐个样本是 {{stochastic.training_loss:.2f}}。后两者相差很小，三个随机种子的范围也重叠
# （{{seeds:mini_batch.training_loss:.2f}} 和 {{seeds:stochastic.training_loss:.2f}}）：逐个样本的步数是 32 倍，可噪声大，学习率只能取三十分之一。
# 按时间算，两者就分开了：{{mini_batch.seconds:.2f}} 秒与 {{stochastic.seconds:.1f}} 秒。每走一步都要付一整套 Python 调用和内存搬运的代价，
# 不管这一步看的是 1 个样本还是 32 个。小批量其实是与**机器**的妥协：GPU 做大矩阵乘法几乎不多花时间，所以喜欢更大的批量。
# （噪声下降的斜率是 {{gradient_noise.slope:.2f}}，公式给出的是 −½。）
#
# ## 动量：记住刚才往哪走
#
# 在狭长的山谷里，梯度下降横向来回折，纵向慢慢挪。**动量**（momentum，[Polyak，1964](https://doi.org/10.1016/0041-5553%2864%2990137-5)）
# 记着一个速度 $v$：方向总变的分量互相抵消，方向一致的分量累积起来，最多放大到 $1/(1-\mu)$ 倍。**Nesterov**（1983；
# [Sutskever 等，2013](https://proceedings.mlr.press/v28/sutskever13.html)）则先往前看一点，在动量将要带我们去的地方取梯度。Keras 采用的形式是：
#
# $$ v \leftarrow \mu v - \eta g, \qquad w \leftarrow w + v \quad\text{（动量）}, \qquad
#    w \leftarrow w + \mu v - \eta g \quad\text{（Nesterov）} $$
#
# 理论上，各取最佳参数时，梯度下降所需的步数与条件数 $\kappa$ 成正比，后两者与 $\sqrt{\kappa}$ 成正比。数一数就知道。

# %%
def steps_needed(optimizer, condition):
    """Updates until the distance to the lowest point has fallen from √2 below 0.001."""
    point, number = np.ones(2), 0
    while np.linalg.norm(point) > 1e-3:
        point = optimizer.update([point], [np.array([1.0, condition]) * point])[0]
        number += 1
    return number


print("    κ   gradient descent   momentum   Nesterov   (steps · 步)")
for condition in (10, 100, 1_000):
    root = np.sqrt(condition)
    print(f"{condition:5,} {steps_needed(optimizers.GradientDescent(2 / (1 + condition)), condition):18,}"
          f" {steps_needed(optimizers.Momentum(4 / (1 + root) ** 2, ((root - 1) / (root + 1)) ** 2), condition):10,}"
          f" {steps_needed(optimizers.Nesterov(1 / condition, (root - 1) / (root + 1)), condition):10,}")

# %% [markdown] lang="en"
# The count agrees: with ten times the condition number, gradient descent needs ten times the steps, the other two between three and four
# times, which is about $\sqrt{10}$.
#
# ## A step of its own for every weight
#
# One learning rate for all weights is a poor fit when some gradients are large and others tiny. The next methods divide each weight's gradient
# by its own usual size. All operations are element by element; $t$ counts updates from 1.
#
# - **Adagrad** ([Duchi, Hazan and Singer 2011](https://jmlr.org/papers/v12/duchi11a.html)) adds up all squares:
#   $a \leftarrow a + g^2$, $\;w \leftarrow w - \eta\, g / \sqrt{a + \epsilon}$. The learning rate of each weight can only shrink.
# - **RMSprop** ([Tieleman and Hinton, lecture of 2012](https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf)) forgets:
#   $s \leftarrow \rho s + (1-\rho) g^2$, $\;w \leftarrow w - \eta\, g/\sqrt{s+\epsilon}$.
#
# Momentum, Nesterov and these two are the functions in the next cell; `memory` keeps what a rule remembers.

# %% [markdown] lang="zh" of="3d582936"
# 数出来的与理论相符：条件数变成十倍，梯度下降的步数也变成十倍，另外两种只变成三到四倍，大约是 $\sqrt{10}$ 倍。
#
# ## 每个权重都有自己的步长
#
# 有的梯度大，有的梯度极小，所有权重共用一个学习率就不合适了。下面几种方法把每个权重的梯度除以它自己平常的大小。
# 所有运算都逐元素进行，$t$ 是更新的次数，从 1 数起。
#
# - **Adagrad**（[Duchi、Hazan 与 Singer，2011](https://jmlr.org/papers/v12/duchi11a.html)）把历次平方全部累加：
#   $a \leftarrow a + g^2$，$\;w \leftarrow w - \eta\, g / \sqrt{a + \epsilon}$。每个权重的学习率只会越来越小。
# - **RMSprop**（[Tieleman 与 Hinton，2012 年的课堂讲义](https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf)）
#   会遗忘：$s \leftarrow \rho s + (1-\rho) g^2$，$\;w \leftarrow w - \eta\, g/\sqrt{s+\epsilon}$。
#
# 动量、Nesterov 和这两种，就是下一格里的几个函数；`memory` 保存一条规则要记住的东西。

# %%
def gradient_descent(weight, gradient, memory, number, rate):
    return weight - rate * gradient


def momentum(weight, gradient, memory, number, rate, mu=0.9):
    memory.velocity = mu * memory.velocity - rate * gradient
    return weight + memory.velocity


def nesterov(weight, gradient, memory, number, rate, mu=0.9):
    memory.velocity = mu * memory.velocity - rate * gradient
    return weight + mu * memory.velocity - rate * gradient


def adagrad(weight, gradient, memory, number, rate, epsilon=1e-4):
    memory.squares = memory.squares + gradient**2  # starts from 0.1, as in Keras
    return weight - rate * gradient / np.sqrt(memory.squares + epsilon)


def rmsprop(weight, gradient, memory, number, rate, rho=0.9, epsilon=1e-4):
    memory.velocity = rho * memory.velocity + (1 - rho) * gradient**2
    return weight - rate * gradient / np.sqrt(memory.velocity + epsilon)

# %% [markdown] lang="en"
# ### Adam and after
#
# - **Adam** ([Kingma and Ba, arXiv:1412.6980](https://arxiv.org/abs/1412.6980)) averages the gradient too. Both averages start from 0 and are
#   therefore too small at first; the last formula corrects this: $m \leftarrow \beta_1 m + (1-\beta_1) g$,
#   $\;v \leftarrow \beta_2 v + (1-\beta_2) g^2$, $\;w \leftarrow w - \eta\, \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t}\, \frac{m}{\sqrt{v} + \epsilon}$.
#   (The paper's Algorithm 1 corrects $v$ before it adds $\epsilon$; this is the other form that the paper gives, and the one in Keras. Mind where $\epsilon$
#   is: here outside the root, in Adagrad and RMSprop inside.)
# - **AdamW** ([Loshchilov and Hutter, arXiv:1711.05101](https://arxiv.org/abs/1711.05101)) keeps **weight decay** apart from the gradient: first
#   $w \leftarrow w - \eta \lambda w$, then Adam's step. As an L2 term in the loss, the decay would be divided by $\sqrt{v}$ like everything else.
# - **Lion** ([Chen et al., arXiv:2302.06675](https://arxiv.org/abs/2302.06675)), found by program search, keeps only signs:
#   $w \leftarrow w - \eta\, \mathrm{sign}(\beta_1 m + (1-\beta_1) g)$, then $m \leftarrow \beta_2 m + (1-\beta_2) g$.
# - **Muon** ([Jordan et al. 2024](https://kellerjordan.github.io/posts/muon/)) treats a weight matrix as a *matrix*. A matrix stretches different
#   directions by different factors, its singular values; Muon brings all singular values of the momentum near 1, so that no direction dominates. With
#   $m \leftarrow \mu m + g$ and $G = g + \mu m$, start from $X = G / \lVert G \rVert_F$ (transposed if it is tall); five rounds of
#   $X \leftarrow aX + (bA + cA^2)X$ with $A = XX^\top$ and $(a, b, c) = (3.4445, -4.7750, 2.0315)$ (Jordan et al. 2024) do that by products
#   alone; they are `orthogonalize` in the course's reference. Then
#   $w \leftarrow w - \eta\lambda w - 0.2\,\eta\sqrt{\max(\text{rows}, \text{columns})}\,X$: the factor brings the step to the usual size of
#   Adam's ([Liu et al. 2025](https://arxiv.org/abs/2502.16982)). Vectors and the output layer stay with AdamW.
#
# ### Twenty steps on real digits: NumPy = reference = Keras
#
# The next cell has these four in NumPy. Then each of the nine walks 20 steps on the digit network (float64, mini-batches of 32), three
# times: by the lines of the two cells, by `course_utils.reference.optimizers`, by Keras. Each takes its gradients at *its own* weights, so a difference would
# grow. Weight decay and $\epsilon$ are larger than usual: with the defaults, a forgotten one would hide below the tolerance. And since an
# equality that cannot fail proves nothing, we leave out one part at a time: does the comparison notice?

# %% [markdown] lang="zh" of="df016749"
# ### Adam 及以后
#
# - **Adam**（[Kingma 与 Ba，arXiv:1412.6980](https://arxiv.org/abs/1412.6980)）对梯度本身也取平均。两个平均都从 0 开始，起初偏小，
#   最后一个式子负责校正：$m \leftarrow \beta_1 m + (1-\beta_1) g$，$\;v \leftarrow \beta_2 v + (1-\beta_2) g^2$，
#   $\;w \leftarrow w - \eta\, \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t}\, \frac{m}{\sqrt{v} + \epsilon}$。
#   （论文的算法 1 先校正 $v$ 再加 $\epsilon$；这里是论文给出的另一种形式，Keras 用的也是它。注意 $\epsilon$ 的位置：
#   这里在根号外面，Adagrad 和 RMSprop 则在里面。）
# - **AdamW**（[Loshchilov 与 Hutter，arXiv:1711.05101](https://arxiv.org/abs/1711.05101)）：**权重衰减**（weight decay）与梯度分开，
#   先 $w \leftarrow w - \eta \lambda w$，再走 Adam 的一步。如果写成损失里的 L2 项，衰减也会跟着被 $\sqrt{v}$ 除掉。
# - **Lion**（[Chen 等，arXiv:2302.06675](https://arxiv.org/abs/2302.06675)）由程序搜索得到，只保留符号：
#   $w \leftarrow w - \eta\, \mathrm{sign}(\beta_1 m + (1-\beta_1) g)$，然后 $m \leftarrow \beta_2 m + (1-\beta_2) g$。
# - **Muon**（[Jordan 等，2024](https://kellerjordan.github.io/posts/muon/)）把权重矩阵当**矩阵**看待。矩阵在不同方向上的伸缩倍数不同，
#   这些倍数叫奇异值；Muon 让动量的所有奇异值都靠近 1，不让少数方向独大。记 $m \leftarrow \mu m + g$，$G = g + \mu m$，
#   从 $X = G / \lVert G \rVert_F$ 出发（行多于列时先转置），令 $A = XX^\top$，$(a, b, c) = (3.4445, -4.7750, 2.0315)$（Jordan 等，2024），
#   把 $X \leftarrow aX + (bA + cA^2)X$ 做五轮，只用矩阵乘法，这就是课程参考实现里的 `orthogonalize`。然后
#   $w \leftarrow w - \eta\lambda w - 0.2\,\eta\sqrt{\max(\text{行数}, \text{列数})}\,X$，这个系数使步长与 Adam 通常的大小相当
#   （[Liu 等，2025](https://arxiv.org/abs/2502.16982)）。向量和输出层仍用 AdamW。
#
# ### 在真实样本上走二十步：NumPy = 参考实现 = Keras
#
# 下一格把这四种写成 NumPy。然后九种优化器各在网络上走 20 步（float64，每批 32 个），每种走三遍：用这两格里的代码，
# 用 `course_utils.reference.optimizers`，用 Keras。每一遍都在**自己的**权重处求梯度，所以只要有差别，就会越滚越大。权重衰减和 $\epsilon$
# 特意取得比平常大：若用默认值，漏掉一项也会藏在容许误差以下。永远不会失败的等式什么也说明不了，所以再每次去掉一个部分，看这个比较能不能发现。

# %%
def adam(weight, gradient, memory, number, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-4):
    memory.mean = beta_1 * memory.mean + (1 - beta_1) * gradient
    memory.velocity = beta_2 * memory.velocity + (1 - beta_2) * gradient**2
    correction = np.sqrt(1 - beta_2**number) / (1 - beta_1**number)
    return weight - rate * correction * memory.mean / (np.sqrt(memory.velocity) + epsilon)


def adamw(weight, gradient, memory, number, rate, decay=0.1):
    return adam(weight - rate * decay * weight, gradient, memory, number, rate)


def lion(weight, gradient, memory, number, rate, beta_1=0.9, beta_2=0.99):
    direction = np.sign(beta_1 * memory.mean + (1 - beta_1) * gradient)
    memory.mean = beta_2 * memory.mean + (1 - beta_2) * gradient
    return weight - rate * direction


def muon(weight, gradient, memory, number, rate, mu=0.95, decay=0.1):
    if weight.shape != (784, 32):  # only the hidden kernel; orthogonalize is the reference's
        return adamw(weight, gradient, memory, number, rate)
    memory.velocity = mu * memory.velocity + gradient
    direction = optimizers.orthogonalize(gradient + mu * memory.velocity)
    return weight - rate * decay * weight - rate * 0.2 * np.sqrt(784) * direction

# %%
keras.config.set_floatx("float64")  # else Keras keeps its learning rate in float32
DECAY, EPSILON = {"weight_decay": 0.1}, {"epsilon": 1e-4}
BOTH, MUON = DECAY | EPSILON, {"adam_weight_decay": 0.1}
contestants = {  # name: lines above, reference, Keras
    "SGD": (gradient_descent, optimizers.GradientDescent(0.01), keras.optimizers.SGD(0.01)),
    "Momentum": (momentum, optimizers.Momentum(0.01), keras.optimizers.SGD(0.01, momentum=0.9)),
    "Nesterov": (nesterov, optimizers.Nesterov(0.01), keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)),
    "Adagrad": (adagrad, optimizers.Adagrad(0.01, **EPSILON), keras.optimizers.Adagrad(0.01, **EPSILON)),
    "RMSprop": (rmsprop, optimizers.RMSprop(0.01, **EPSILON), keras.optimizers.RMSprop(0.01, **EPSILON)),
    "Adam": (adam, optimizers.Adam(0.01, **EPSILON), keras.optimizers.Adam(0.01, **EPSILON)),
    "AdamW": (adamw, optimizers.AdamW(0.01, **BOTH), keras.optimizers.AdamW(0.01, **BOTH)),
    "Lion": (lion, optimizers.Lion(0.01), keras.optimizers.Lion(0.01)),
    "Muon": (muon, optimizers.Muon(0.01, exclude=(2,), **BOTH, **MUON),
             keras.optimizers.Muon(0.01, exclude_layers=["output"], **BOTH, **MUON)),
}  # fmt: skip


def by_numpy_rule(rule, start_squares=0.1):
    """A function (parameters, gradients, number) -> parameters that keeps one memory for each parameter."""
    memories = [types.SimpleNamespace(mean=0.0, velocity=0.0, squares=start_squares) for _ in range(4)]
    return lambda parameters, gradients, number: [
        rule(*three, number, 0.01) for three in zip(parameters, gradients, memories, strict=True)]

# %%
def by_keras(optimizer):
    """The same for a Keras optimiser, which changes variables in place."""
    variables = []

    def update(parameters, gradients, number):
        if not variables:
            names = ["hidden", "hidden_bias", "output", "output_bias"]
            variables.extend(keras.Variable(p, dtype="float64", name=n) for p, n in zip(parameters, names, strict=True))
        optimizer.apply([tf.constant(gradient) for gradient in gradients], variables)
        return [variable.numpy() for variable in variables]

    return update


def walk_digits(update, steps=20):
    """All parameters after each step: (steps, 25450)."""
    parameters, path = new_network(0, "float64"), []
    for number in range(1, steps + 1):
        chosen = slice(32 * (number % 16), 32 * (number % 16) + 32)
        parameters = update(parameters, loss_and_gradients(parameters, images[chosen], labels[chosen])[1], number)
        path.append(np.concatenate([array.ravel() for array in parameters]))
    return np.array(path)

# %%
for name, (rule, reference, in_keras) in contestants.items():
    proofs.equal({
        f"{name:8} NumPy": walk_digits(by_numpy_rule(rule)),
        "reference": walk_digits(lambda parameters, gradients, _, made=reference: made.update(parameters, gradients)),
        "Keras": walk_digits(by_keras(in_keras)),
    })
keras.config.set_floatx("float32")  # as it was

spoiled = {
    "Adam without bias correction · 不校正偏差": ("Adam", lambda w, g, memory, _, rate: adam(w, g, memory, 10**9, rate)),
    "Adam with epsilon of 1e-7 · ε 取 1e-7": ("Adam", lambda *given: adam(*given, epsilon=1e-7)),
    "RMSprop with epsilon of 1e-7 · ε 取 1e-7": ("RMSprop", lambda *given: rmsprop(*given, epsilon=1e-7)),
    "AdamW without decay · 不衰减": ("AdamW", lambda *given: adamw(*given, decay=0)),
    "Muon without decay · 不衰减": ("Muon", lambda *given: muon(*given, decay=0)),
    "Nesterov as plain momentum · 当成普通动量": ("Nesterov", momentum),
}
right = {name: walk_digits(by_numpy_rule(contestants[name][0])) for name, _ in spoiled.values()}
for name, (original, rule) in spoiled.items():
    difference = np.max(np.abs(walk_digits(by_numpy_rule(rule)) - right[original]))
    print(f"{'noticed ✓ · 发现' if difference > 1e-5 else 'hidden ✗ · 没发现'}   {name}")

# %% [markdown] lang="en"
# All nine agree at every step, and every omission is noticed.
#
# ## On a curved valley
#
# Rosenbrock's valley bends: $L = (1-w_1)^2 + 10\,(w_2 - w_1^2)^2$, lowest at (1, 1). Every optimiser gets 150 steps and the best of 19 learning
# rates. Watch the shapes: momentum overshoots and returns, Lion walks in steps of one size along diagonals. (Muon is missing: it needs a
# matrix.) Two weights are not a network, whose loss has flat regions and saddle points in thousands of dimensions: the figure shows *how* the
# optimisers move, not which one wins.
#
# What Muon does is seen on a matrix, in the last panel: the singular values of a real gradient, of the digit network's first kernel.

# %% [markdown] lang="zh" of="ba640adf"
# 九种优化器每一步都一致；去掉任何一个部分，都被发现了。
#
# ## 在弯曲的山谷里
#
# Rosenbrock 山谷是弯的：$L = (1-w_1)^2 + 10\,(w_2 - w_1^2)^2$，最低点在 (1, 1)。每种优化器走 150 步，学习率从 19 个候选中取最好的一个。
# 留意路径的形状：动量会冲过头再折回来，Lion 每步长度相同，沿对角线走。（Muon 没有上场，它需要矩阵。）两个权重代表不了一个网络，
# 网络的损失在成千上万维里有平地、有鞍点：这幅图说明它们**怎样**走，不说明谁会赢。
#
# Muon 的作用要在矩阵上看，见最后一格：取网络第一个权重矩阵的真实梯度，看它的奇异值。

# %%
def bend(point):
    return (1 - point[..., 0]) ** 2 + 10 * (point[..., 1] - point[..., 0] ** 2) ** 2


def bend_gradient(point):
    across = point[1] - point[0] ** 2
    return np.array([-2 * (1 - point[0]) - 40 * point[0] * across, 20 * across])


def descend(optimizer, gradient, start, steps=150):
    """The points that an optimiser visits: (steps + 1, 2); it stays where it is once it leaves the map."""
    path = [np.array(start)]
    for _ in range(steps):
        path += optimizer.update([path[-1]], [gradient(path[-1]) if np.all(abs(path[-1]) < 1e3) else np.zeros(2)])
    return np.array(path)


print("gradient · 梯度:", np.allclose(bend_gradient(np.array([-1.0, 2.0])), proofs.finite_differences(bend, [-1.0, 2.0])))

# %% tags=["plot"]
names = ["GradientDescent", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam", "AdamW", "Lion"]
figure, axes = plt.subplots(3, 3, figsize=(10.5, 8.4))
for axis, name, color in zip(axes.flat, names, plots.COLORS[:7] + plots.COLORS[:1], strict=False):
    paths = {rate: descend(getattr(optimizers, name)(rate), bend_gradient, [-1.2, 1.8]) for rate in np.geomspace(1e-3, 1, 19)}
    rate = min(paths, key=lambda rate: bend(paths[rate][-1]))
    title = rf"{name}, $\eta$ = {rate:.2g}" + f"\nloss → {bend(paths[rate][-1]):.1e}"
    draw_path(axis, bend, paths[rate], title, (1, 1), (-1.8, 1.8), (-0.6, 2.6), color)

gradient = loss_and_gradients(new_network(0, "float64"), images, labels)[1][0]  # (784, 32)
updates = {"gradient": gradient, "Adam, 1st step": gradient / (abs(gradient) + 1e-7), "Muon": optimizers.orthogonalize(gradient)}
for (name, matrix), color, line in zip(updates.items(), plots.COLORS, plots.LINES, strict=False):
    singular = np.linalg.svd(matrix, compute_uv=False)  # (32,)
    axes[2, 2].semilogy(range(1, 33), singular / singular[0], linestyle=line, color=color, label=name)
axes[2, 2].set(xlabel="number of the singular value", ylabel="share of the largest", title="One update of the first kernel")
axes[2, 2].legend()
plots.show(
    figure,
    alt="Eight paths in a horseshoe valley, one for each optimiser; and a panel of singular values: those of a gradient "
    "fall fast, Adam's slower, Muon's are level.",
    alt_zh="马蹄形山谷里的八条路径，每种优化器一条；最后一格是奇异值：梯度的下降很快，Adam 的较慢，Muon 的几乎持平。",
)

# %% [markdown] lang="en" tags=["predict"]
# In the gradient a few directions carry almost everything. Adam's division lifts the small ones; Muon brings all of them to nearly the
# same level.
#
# ## A fair comparison
#
# "Optimiser X beats Y" often means that X was lucky with a default. Rules for a race that means something:
#
# 1. the same network, digits and number of updates for all nine;
# 2. the same effort of tuning: six learning rates each, chosen by accuracy on *validation* digits, with a seed that is not used again;
# 3. three new seeds for the result (new weights *and* new order), reported on *test* digits with their spread;
# 4. the baseline is plain SGD, tuned with the same care; the ablation is no tuning at all: Keras' default learning rates.
#
# **Predict:** how large is the gap between SGD and Adam with default rates, and how large when both are tuned?

# %% [markdown] lang="zh" of="005a4555" tags=["predict"]
# 梯度里，几乎全部的量都集中在少数几个方向上。Adam 的除法把小的抬高了一些，Muon 则把它们拉到几乎一样高。
#
# ## 公平的比较
#
# “X 优化器胜过 Y”常常只说明 X 的默认值碰巧合适。要让比赛有意义，得有规矩：
#
# 1. 九种优化器用同样的网络、同样的样本、同样的更新次数；
# 2. 调参下同样的功夫：各试六个学习率，按**验证**集上的准确率挑选，调参用的随机种子之后不再用；
# 3. 结果用三个新种子（新的初始权重，新的样本次序），在**测试**集上报告，并给出范围；
# 4. 基线是同样认真调过的普通 SGD；消融则是完全不调，直接用 Keras 的默认学习率。
#
# **先猜：** 都用默认学习率，SGD 与 Adam 差多少？都调过之后呢？

# %% tags=["nbval-ignore-output"]
candidates = {  # name: how to make it, the lowest of six learning rates, each about three times the one before
    "SGD": (optimizers.GradientDescent, 0.01), "Momentum": (optimizers.Momentum, 0.001),
    "Nesterov": (optimizers.Nesterov, 0.001), "Adagrad": (optimizers.Adagrad, 0.003),
    "RMSprop": (optimizers.RMSprop, 0.0001), "Adam": (optimizers.Adam, 0.0001),
    "AdamW": (optimizers.AdamW, 0.0001), "Lion": (optimizers.Lion, 0.00003),
    "Muon": (lambda *rate: optimizers.Muon(*rate, exclude=(2,)), 0.0003),
}  # fmt: skip
passes = choose(smoke=2, laptop=6, full=12)
tuning, best_rate = {}, {}
for name, (make, lowest) in candidates.items():
    rates = lowest * np.array([1, 3, 10, 30, 100, 300])
    scores = [accuracy(train(make(rate), 1000 + SEED, passes), x_validation, y_validation) for rate in rates]
    tuning[name] = rates, np.array(scores)
    best_rate[name] = rates[np.argmax(scores)]
    at_edge = "  at the edge · 在边上" if best_rate[name] in (rates[0], rates[-1]) else ""
    print(f"{name:9} best learning rate · 最佳学习率 {best_rate[name]:.4g}{at_edge}")

# %% tags=["nbval-ignore-output"]
seeds = [3 * SEED, 3 * SEED + 1, 3 * SEED + 2]  # another SEED gives three other seeds
bands = dict(zip(candidates, choose(
    smoke=[(0.527, 0.789), (0.614, 0.789), (0.651, 0.823), (0.467, 0.843), (0.515, 0.907), (0.673, 0.817),
           (0.673, 0.816), (0.684, 0.846), (0.775, 0.791)],
    laptop=[(0.935, 0.947), (0.918, 0.952), (0.933, 0.944), (0.937, 0.944), (0.934, 0.951), (0.927, 0.943),
            (0.922, 0.949), (0.928, 0.946), (0.936, 0.960)],
    full=[(0.93, 0.99)] * 9,  # guards, from the course's shorter runs
), strict=True))  # fmt: skip
spread_of = "[{0[0]:.4f}, {0[2]:.4f}]".format
tuned, default = {}, {}
for name, (make, _) in candidates.items():
    tuned[name] = sorted(accuracy(train(make(best_rate[name]), seed, passes), x_test, y_test) for seed in seeds)
    default[name] = sorted(accuracy(train(make(), seed, passes), x_test, y_test) for seed in seeds)
    results.record(f"{name.lower()}.test_accuracy", np.mean(tuned[name]), band=bands[name])
    print(f"    tuned · 调过 {spread_of(tuned[name])}   default · 默认 {np.mean(default[name]):.4f} {spread_of(default[name])}")

best = max(tuned, key=lambda name: np.mean(tuned[name]))
for one in (best, "SGD"):
    overlapping = [name for name in tuned if tuned[name][2] >= tuned[one][0] and tuned[name][0] <= tuned[one][2]]
    print(f"{one}{' (highest mean · 平均最高)' if one == best else ''} overlaps with · 重叠: {', '.join(name for name in overlapping if name != one) or '—'}")
gaps = choose(smoke=[(0.19, 0.45), (0.30, 0.47)], laptop=[(0.036, 0.065), (0.043, 0.310)], full=[(0, 0.1), (0, 0.3)])
for name, band in zip(("SGD", "Adagrad"), gaps, strict=True):
    results.record(f"default_gap.{name.lower()}_adam", np.mean(default["Adam"]) - np.mean(default[name]), band=band)

# %% tags=["plot", "hero"]
figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.4), width_ratios=[1, 1.25])
for place, (name, (rates, scores)) in enumerate(tuning.items()):
    style = {"color": [*plots.COLORS, "0.5"][place], "marker": [*plots.MARKERS, "h"][place], "linestyle": [*plots.LINES, "-"][place]}
    left.loglog(rates, 100 - 100 * scores, markersize=5, label=name, **style)
    for found, shift, color, marker, label in [(tuned[name], -0.13, plots.COLORS[0], "o", "tuned"),
                                               (default[name], 0.13, plots.COLORS[1], "s", "Keras' default rate")]:  # fmt: skip
        error = 100 - 100 * np.array(found)
        right.plot([place + shift] * 2, [min(error), max(error)], color=color, linewidth=5, alpha=0.35)
        right.plot(place + shift, np.mean(error), marker, color=color, markersize=7, label=label if place == 0 else None)
left.set(xlabel=r"learning rate $\eta$", title="Validation error: six learning rates each")
right.axhspan(*(100 - 100 * np.array([max(tuned["SGD"]), min(tuned["SGD"])])), color="0.9", zorder=0)
right.set(xticks=range(len(candidates)), yscale="log", title="Test error, three seeds each (grey: tuned SGD)")
right.set_xticklabels(list(candidates), rotation=25)
for axis, columns in [(left, 2), (right, 1)]:
    axis.legend(ncols=columns, fontsize=8.5)
    axis.set_yticks([], minor=True)
    axis.set_yticks(ticks := [2, 3, 4, 5, 6, 7, 10, 15, 20, 30, 50, 90], ticks)
    axis.set(ylabel="error (%)", ylim=(choose(smoke=15, laptop=4, full=1.5), 95))
plots.show(
    figure,
    alt="Left: validation error against learning rate, a valley for each of nine optimisers, at very different rates. Right: "
    "test errors over three seeds: tuned, close together; with default rates SGD and Adagrad lie far above.",
    alt_zh="左：验证错误率随学习率的变化，九条曲线各有低谷，位置相差很大。右：三个种子的测试错误率，"
    "调过之后彼此接近；用默认学习率时，SGD 和 Adagrad 高出许多。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** With default rates Adam leads by {{default_gap.sgd_adam:.1%}} (as a difference of accuracies). Tuned, it does not lead at all:
# SGD {{sgd.test_accuracy:.1%}}, Adam {{adam.test_accuracy:.1%}}. The largest effect in this experiment is the *default*: Adam's is near its best
# on many tasks, and those of SGD and Adagrad are not. Six trials made up for it.
#
# **Is there a winner?** Look at the spreads first. Two lines above the figure name the optimisers whose range overlaps the best one's,
# and those that overlap tuned SGD's; inside such a group the experiment sees *no* difference. Muon has the highest mean,
# {{muon.test_accuracy:.1%}}, and its range stands apart. How much does that say? If two optimisers were equal, three seeds each would still give
# disjoint ranges in 2 of 20 cases, that is one in ten, and eight rivals make it likely to happen to somebody. The stored run contains such a
# case: Muon's tuned rate, 0.0009, and its default, 0.001, are practically the same, and yet their ranges do not overlap. What makes
# Muon's lead credible is something else: it had the highest mean in all three repeats of the whole race, each with new seeds
# ({{seeds:muon.test_accuracy:.1%}}; the second, RMSprop, {{seeds:rmsprop.test_accuracy:.1%}}). A fair objection remains: the race counts
# updates, and each of Muon's costs several matrix products more.
#
# All this is a small perceptron, a short run and a constant learning rate. On Transformers Adam's family keeps a real lead. Why is disputed:
# [Zhang et al. 2020](https://arxiv.org/abs/1912.03194) point to gradient noise with heavy tails,
# [Kunstner et al. 2023](https://arxiv.org/abs/2304.13960) find the gap even without noise. And where training runs are too expensive to
# repeat, a method that works untuned is worth a lot. Chapter 5a adds schedules.
#
# ## Formula clinic
#
# ### "Batch gradient descent uses one batch of data for each update"
#
# Under this name one finds
# $\theta \leftarrow \theta - \alpha \frac{1}{m} \sum_{i=1}^{m} \nabla J(\theta; x_i, y_i)$, with $m$ "one batch", praised for a *steadier
# direction* than gradient descent. Test it: is the direction of a batch steadier than that of all data? Does it depend on the order of the digits?
#
# ### "Adagrad and Adam are gradient descent with a dynamic learning rate"
#
# Is it *change over time* that sets them apart? Multiply the loss by 100 and look at the path. A learning rate that changes with time but is
# the same for all weights passes the factor on. A method that divides by the size of each weight's own gradients does not feel it.

# %% [markdown] lang="zh" of="d38c0a6b" tags=["answer"]
# **答案。** 都用默认学习率，Adam 的准确率高出 {{default_gap.sgd_adam:.1%}}；都调过之后，Adam 一点也不领先：SGD 是
# {{sgd.test_accuracy:.1%}}，Adam 是 {{adam.test_accuracy:.1%}}。这个实验里最大的差别来自**默认值**：Adam 的默认值在许多任务上已接近最佳，
# SGD 和 Adagrad 的则不然，而试六次就补上了。
#
# **有没有赢家？** 先看范围。图上方有两行，列出与最好者范围重叠的优化器，以及与调过的 SGD 重叠的优化器；同一组之内，这个实验看不出差别。
# Muon 的平均最高，{{muon.test_accuracy:.1%}}，范围也与别人分开。这能说明多少？假如两种优化器其实一样好，各跑三个种子，20 次里仍有 2 次范围不重叠，
# 也就是十分之一；对手有八个，总有一个会碰上。保存的这次运行里就有现成的例子：Muon 调出来的学习率是 0.0009，默认值是 0.001，几乎是同一个实验，
# 两者的范围却不重叠。Muon 的领先之所以可信，另有理由：整场比赛重复了三次，每次都换新种子，平均最高的都是它
# （{{seeds:muon.test_accuracy:.1%}}；第二名 RMSprop 是 {{seeds:rmsprop.test_accuracy:.1%}}）。不过也有一点说不过去的地方：
# 这里比的是更新次数，而 Muon 每次更新要多做好几次矩阵乘法。
#
# 这一切都只是一个小感知机、一次短训练，学习率也始终不变。在 Transformer 上，Adam 一族的优势是实在的；原因还有争论：
# [Zhang 等（2020）](https://arxiv.org/abs/1912.03194) 认为是梯度噪声重尾（偶尔大得出奇），
# [Kunstner 等（2023）](https://arxiv.org/abs/2304.13960) 则发现没有噪声时差距依然存在。训练贵得没法重来时，不调也能用的方法就很值钱。
# 学习率调度见第 5a 章。
#
# ## 公式门诊
#
# ### “批量梯度下降每次更新用一批数据”
#
# 常有资料在这个名字下写 $\theta \leftarrow \theta - \alpha \frac{1}{m} \sum_{i=1}^{m} \nabla J(\theta; x_i, y_i)$，说 $m$ 是“一批”，
# 还称赞它比梯度下降“方向更稳定”。来检验一下：一批数据的方向真的比全部数据更稳定吗？它是否取决于样本的次序？
#
# ### 两个中文名：Adagrad 叫“动态梯度下降”，Adam 叫“动态学习率梯度下降”
#
# 它们的与众不同之处，真的是“随时间变化”吗？检验的办法：把损失乘以 100，看路径变不变。如果学习率只随时间变化，对所有权重都一样，
# 这个倍数会原样传到步子里；如果每个权重都除以自己梯度的大小，就根本感觉不到。

# %%
def angle(one, other):
    """Degrees between two gradients."""
    return np.degrees(np.arccos(np.clip(one @ other / np.linalg.norm(one) / np.linalg.norm(other), -1, 1)))


print("examples m · 样本数   updates a pass · 每遍更新   angle between two orders · 两种次序的夹角")
orders = [np.random.default_rng(seed).permutation(512) for seed in (1, 2)]
for size in (1, 32, 512):
    print(f"{size:6} {512 // size:18} {angle(*(flat_gradient(order[:size]) for order in orders)):24.0f}°")

for name, make in {
    "Adagrad": lambda: optimizers.Adagrad(0.1, initial_accumulator_value=0, epsilon=1e-12),
    "Adam": lambda: optimizers.Adam(0.1, epsilon=1e-12),
    "SGD, rate 0.1 / (1 + t)": lambda: optimizers.GradientDescent(lambda number: 0.1 / (1 + number)),
}.items():
    plain, scaled = (
        descend(make(), lambda point, factor=factor: factor * curvatures * point, [-2.0, 1.0], 20) for factor in (1, 100))
    print(f"loss × 100, {name:24} {'same path · 路径相同' if exercises.close(plain, scaled) else 'another path · 路径不同'}")

# %% [markdown] lang="en"
# **Diagnosis.** With all data ($m = N$) the direction is always the same; nothing is steadier. A batch of 32 is steadier than *one*
# example, and noisier than all. The formula is **mini-batch** gradient descent when $m < N$; **batch** gradient descent is the name for $m = N$.
# (In code, `batch_size` means the mini-batch. The words are unfortunate; the counts above are clear.)
#
# **Diagnosis.** A schedule is "dynamic", too, and it behaves differently. The papers' word is **adaptive**: Adagrad is "adaptive (sub)gradient"
# ([Duchi et al. 2011](https://jmlr.org/papers/v12/duchi11a.html)), and the name Adam "is derived from adaptive moment estimation"
# ([arXiv:1412.6980](https://arxiv.org/abs/1412.6980)): the step adapts to *each weight's* gradients.
#
# ### Two sums for backpropagation
#
# $$ \text{A:}\quad \frac{\partial J}{\partial \theta_l} = \sum_{i\,\in\,\text{next}(l)}
#    \frac{\partial J}{\partial z_i}\,\frac{\partial z_i}{\partial \theta_l}
#    \qquad\qquad \text{B:}\quad \frac{\partial J}{\partial \theta} = \sum_{i=1}^{n}
#    \frac{\partial J}{\partial z_i}\,\frac{\partial z_i}{\partial \theta} $$
#
# In A, $\text{next}(l)$ is the layer after layer $l$; in B, $z_i$ is "the output of each layer", of $n$ layers. Both look like the chain rule.
# Four small graphs decide: a chain, a branch, a skip connection, and a weight used twice (as in every recurrent network). We compute
# each sum with *total* derivatives, and the sum over direct users. 1.00 is right.

# %% [markdown] lang="zh" of="c00ca553"
# **诊断。** 用全部数据（$m = N$）时方向永远相同，没有比这更稳定的了。32 个一批比**单个**样本稳定，却比全部数据更嘈杂。
# $m < N$ 时，这个式子是**小批量**梯度下降（mini-batch）；$m = N$ 才叫**批量**梯度下降（batch）。（代码里的 `batch_size` 指的是小批量，
# 名字确实起得不巧，上面的数可不含糊。）
#
# **诊断。** 学习率调度也是“动态”的，表现却不一样。论文里的词是 **adaptive**，自适应：Adagrad 是自适应次梯度法（adaptive subgradient，
# [Duchi 等，2011](https://jmlr.org/papers/v12/duchi11a.html)）；Adam 这个名字取自 adaptive moment estimation，即自适应矩估计
# （[arXiv:1412.6980](https://arxiv.org/abs/1412.6980)）。自适应的意思是：步长随**每个权重自己的**梯度而定。
# 那两个中文名也不通行，直接说 Adagrad 和 Adam 就好。
#
# ### 反向传播的两个求和式
#
# $$ \text{A:}\quad \frac{\partial J}{\partial \theta_l} = \sum_{i\,\in\,\text{next}(l)}
#    \frac{\partial J}{\partial z_i}\,\frac{\partial z_i}{\partial \theta_l}
#    \qquad\qquad \text{B:}\quad \frac{\partial J}{\partial \theta} = \sum_{i=1}^{n}
#    \frac{\partial J}{\partial z_i}\,\frac{\partial z_i}{\partial \theta} $$
#
# 式 A 中 $\text{next}(l)$ 是第 $l$ 层的下一层；式 B 中 $z_i$ 是“每个层次的输出”，共 $n$ 层。看上去都像链式法则。
# 用四个小图来裁定：一条链，一个分支，一个跳跃连接，还有一个用了两次的权重（循环网络都是这样）。两个式子都按**全导数**来算，
# 再算对“直接使用者”的求和。得 1.00 才对。

# %%
def layers_of(kind, theta, x):
    """Four graphs as lists of layers; the last layer holds J."""
    z1 = theta * x
    z2, z3 = (theta * z1 if kind == "shared" else z1.tanh()), z1 * x
    if kind in ("chain", "shared"):
        return [[z1], [z2], [z2.tanh()]]
    return [[z1], [z2, z3], [z2 * z3 + z1 if kind == "skip" else z2 * z3]]


def total(result, node):
    node.gradient = 0.0  # for a node that the result does not depend on
    backward(result)
    return node.gradient


print("sum / true derivative · 和 / 真导数   A next layer · 下一层   B every layer · 每一层   direct users · 直接使用者")
for kind in ("chain", "branch", "skip", "shared"):
    layers = layers_of(kind, theta := Scalar(0.5), Scalar(2.0))
    loss = layers[-1][0]
    users = [(node, local) for node in in_order(loss) for parent, local in node.parents if parent is theta]
    sums = [sum(total(loss, node) * total(node, theta) for node in chosen) for chosen in (layers[1], sum(layers, []))]
    sums.append(sum(total(loss, node) * local for node, local in users))
    truth = proofs.finite_differences(lambda v, kind=kind: layers_of(kind, Scalar(float(v)), Scalar(2.0))[-1][0].value, 0.5)
    print(f"{kind:8}", *(f"{found / truth:24.2f} {'✓' if abs(found / truth - 1) < 1e-6 else '✗'}" for found in sums))

# %% [markdown] lang="en" tags=["summary"]
# **Diagnosis.** B counts every path once for *each layer* that it crosses: with three layers, the result is three times as large as it should be.
# It could be saved by reading $\partial z_i/\partial\theta$ as the *direct* derivative, which is zero except where $\theta$ is used; but then
# it is not a sum over layers. A is right as long as every path crosses the next layer exactly once, and it loses whatever skips that layer;
# every residual network has such paths. And strictly read, $\theta_l$ acts on the outputs of its *own* layer, not of the next. The form
# that always holds is the sum over the direct users from which our engine was built.
#
# ## What you measured
#
# - Mini-batches and single examples learn alike per example ({{mini_batch.training_loss:.2f}} and {{stochastic.training_loss:.2f}} after two passes),
#   the full batch far less ({{batch.training_loss:.2f}}).
# - Per second, mini-batches are ahead: {{mini_batch.seconds:.2f}} seconds for these two passes, single examples {{stochastic.seconds:.1f}}.
# - The noise of a batch's gradient falls like the batch size to the power of {{gradient_noise.slope:.2f}}; theory says −½.
# - With default rates SGD is {{default_gap.sgd_adam:.1%}} behind Adam, Adagrad {{default_gap.adagrad_adam:.1%}} (three seeds:
#   {{seeds:default_gap.sgd_adam:.1%}} and {{seeds:default_gap.adagrad_adam:.1%}}).
# - Tuned, SGD has {{sgd.test_accuracy:.1%}} and Adam {{adam.test_accuracy:.1%}}; Muon's {{muon.test_accuracy:.1%}} was the highest mean in all three
#   repeats.
#
# **Formula card**
#
# | | formula |
# |---|---|
# | stable | $0 < \eta < 2 / \lambda_{\max}$, factor per step $1 - \eta\lambda$ |
# | backpropagation | $\partial J/\partial \theta = \sum_{\text{children } z} \partial J/\partial z \cdot \partial z/\partial\theta$ (direct) |
# | $Y = XW + b$ | $G_X = G W^\top, \quad G_W = X^\top G, \quad G_b = \sum_n G_n$ |
# | momentum | $v \leftarrow \mu v - \eta g, \quad w \leftarrow w + v$ |
# | Adam | $w \leftarrow w - \eta\, \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t}\, \frac{m}{\sqrt{v} + \epsilon}$ |
#
# ### Exercise 1 · easy — the largest stable learning rate
#
# Write `stability_limit(curvatures)`: the learning rate below which gradient descent converges on a loss whose curvatures are given as a list of
# positive numbers.

# %% [markdown] lang="zh" of="79e3698c" tags=["summary"]
# **诊断。** B 把每条路径按它穿过的**层数**重复计算：有三层，结果就成了三倍。除非把 $\partial z_i/\partial\theta$ 理解为**直接**的偏导数，
# 它在用到 $\theta$ 的地方之外全为零，B 才成立；可那样就不再是对各层求和了。A 在每条路径都恰好穿过下一层一次时是对的，
# 凡是绕过那一层的都会漏掉，而残差网络里处处有这样的路径。再严格一点说，$\theta_l$ 作用于**本层**的输出，而不是下一层的。
# 永远成立的写法，是对直接使用者求和，也就是我们的引擎所依据的那个式子。
#
# ## 你测到了什么
#
# - 按样本数算，小批量与逐个样本学得差不多（两遍之后损失是 {{mini_batch.training_loss:.2f}} 和 {{stochastic.training_loss:.2f}}），
#   全批量差得多（{{batch.training_loss:.2f}}）。
# - 按时间算，小批量领先：这两遍它用了 {{mini_batch.seconds:.2f}} 秒，逐个样本用了 {{stochastic.seconds:.1f}} 秒。
# - 一批样本的梯度噪声与批量大小的 {{gradient_noise.slope:.2f}} 次方成正比，理论值是 −½。
# - 用默认学习率，SGD 比 Adam 低 {{default_gap.sgd_adam:.1%}}，Adagrad 低 {{default_gap.adagrad_adam:.1%}}（三个随机种子：
#   {{seeds:default_gap.sgd_adam:.1%}} 和 {{seeds:default_gap.adagrad_adam:.1%}}）。
# - 都调过之后，SGD 是 {{sgd.test_accuracy:.1%}}，Adam 是 {{adam.test_accuracy:.1%}}；三次重复中平均最高的都是 Muon，
#   这一次是 {{muon.test_accuracy:.1%}}。
#
# **公式卡**
#
# | | 公式 |
# |---|---|
# | 稳定 | $0 < \eta < 2 / \lambda_{\max}$，每步的因子是 $1 - \eta\lambda$ |
# | 反向传播 | $\partial J/\partial \theta = \sum_{\text{子节点 } z} \partial J/\partial z \cdot \partial z/\partial\theta$（直接） |
# | $Y = XW + b$ | $G_X = G W^\top, \quad G_W = X^\top G, \quad G_b = \sum_n G_n$ |
# | 动量 | $v \leftarrow \mu v - \eta g, \quad w \leftarrow w + v$ |
# | Adam | $w \leftarrow w - \eta\, \frac{\sqrt{1-\beta_2^t}}{1-\beta_1^t}\, \frac{m}{\sqrt{v} + \epsilon}$ |
#
# ### 练习 1 · 易 —— 学习率的上限
#
# 写出 `stability_limit(curvatures)`：给定损失在各方向上的曲率（一列正数），返回学习率的上限，低于它，梯度下降就收敛。

# %% tags=["exercise"]
def stability_limit(curvatures):
    """The learning rate at which the steepest direction begins to swing for ever."""
    ### BEGIN SOLUTION
    return 2 / max(curvatures)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("05.stability_limit", stability_limit)

# %% [markdown] lang="en" tags=["hint"]
# Each direction has its own factor $1 - \eta\lambda$. Which direction leaves the interval from −1 to 1 first, and at which $\eta$?

# %% [markdown] lang="zh" of="69d076ce" tags=["hint"]
# 每个方向有自己的因子 $1 - \eta\lambda$。哪个方向最先跑出 −1 到 1 的范围？那时 $\eta$ 是多少？

# %% [markdown] lang="en"
# ### Exercise 2 · medium — one step of Adam
#
# Write Adam's step for arrays; `number` is 1 at the first update. Return `(weight, mean, square)`, all new. Use the form of this chapter
# ($\epsilon$ outside the root, added to the uncorrected $\sqrt{v}$). No loop is needed.

# %% [markdown] lang="zh" of="8c95ccfb"
# ### 练习 2 · 中 —— Adam 走一步
#
# 写出 Adam 对数组的一步更新；第一次更新时 `number` 为 1。返回新的 `(weight, mean, square)`。采用本章的形式
# （$\epsilon$ 在根号外，加在未校正的 $\sqrt{v}$ 上）。不需要循环。

# %% tags=["exercise"]
def adam_step(weight, gradient, mean, square, number, rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """One update; mean and square start from 0."""
    ### BEGIN SOLUTION
    mean = beta_1 * mean + (1 - beta_1) * gradient
    square = beta_2 * square + (1 - beta_2) * gradient**2
    correction = np.sqrt(1 - beta_2**number) / (1 - beta_1**number)
    return weight - rate * correction * mean / (np.sqrt(square) + epsilon), mean, square
    ### END SOLUTION

# %% tags=["check"]
exercises.check("05.adam_step", adam_step)

# %% [markdown] lang="en" tags=["hint"]
# Test yourself on the first step: after the correction it must be close to `rate` for every weight, whatever the size of its gradient. Why?

# %% [markdown] lang="zh" of="cd173461" tags=["hint"]
# 用第一步自查：校正之后，不管梯度多大，每个权重都应移动大约 `rate`。为什么？

# %% [markdown] lang="en"
# ### Exercise 3 · hard — the sum over all paths, without walking them all
#
# A graph is a dictionary: `graph[node]` is the list of pairs `(child, local derivative)` of the nodes that use it; the end has an empty
# list. Write `derivative(graph, start, end)`. A pair of nodes may be joined twice. And the check has a graph with more paths than you have
# time for: look at each node's children once.

# %% [markdown] lang="zh" of="7103ad33"
# ### 练习 3 · 难 —— 对所有路径求和，但不逐条去走
#
# 计算图是一个字典：`graph[node]` 是由 `(子节点, 局部导数)` 组成的列表，列出用到它的节点；终点的列表为空。写出
# `derivative(graph, start, end)`。同一对节点之间可能有两条边。检查里有一个图，路径多到走不完：每个节点的子节点只看一次。

# %% tags=["exercise"]
def derivative(graph, start, end):
    """d end / d start: the sum over all paths of the products along each."""
    ### BEGIN SOLUTION
    known = {end: 1.0}

    def towards_end(node):
        if node not in known:
            known[node] = sum(local * towards_end(child) for child, local in graph[node])
        return known[node]

    return towards_end(start)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("05.derivative", derivative)

# %% [markdown] lang="en" tags=["hint"]
# The derivative of the end with respect to itself is 1. For any other node it is the sum, over its children, of (local derivative × the
# child's own answer). Write answers down in a dictionary, so that each is worked out once.

# %% [markdown] lang="zh" of="eb07a023" tags=["hint"]
# 终点对自己的导数是 1。其他节点的导数，是对各个子节点求（局部导数 × 子节点自己的答案）之和。算过的答案记在字典里，每个只算一次。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("05")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Nearly everything that learns in this course learns by a gradient and one of these nine rules. Automatic differentiation also steers weather
# models and designs aircraft; the cheap backward pass is the idea that they share. Large language models are mostly trained with AdamW; Lion
# and Muon are recent attempts to do better with less memory or fewer steps.
#
# - [*Dive into Deep Learning*, chapter 12](https://d2l.ai/chapter_optimization/index.html): optimisers, with convexity and saddle points.
# - Robbins and Monro 1951, [*A stochastic approximation method*](https://doi.org/10.1214/aoms/1177729586): why noisy steps converge.
# - Polyak 1964, [*Some methods of speeding up the convergence of iteration methods*](https://doi.org/10.1016/0041-5553%2864%2990137-5);
#   Sutskever, Martens, Dahl and Hinton 2013,
#   [*On the importance of initialization and momentum in deep learning*](https://proceedings.mlr.press/v28/sutskever13.html): Nesterov's
#   method of 1983, as used here.
# - Rumelhart, Hinton and Williams 1986,
#   [*Learning representations by back-propagating errors*](https://doi.org/10.1038/323533a0): four pages.
# - Baydin, Pearlmutter, Radul and Siskind, [*Automatic differentiation in machine learning: a survey*](https://arxiv.org/abs/1502.05767).
# - Kingma and Ba, [*Adam*](https://arxiv.org/abs/1412.6980), sections 2 and 3, with this chapter's cells beside it.
#
# **What the full profile changes.** All nine are tuned on 48,000 digits and trained longer. In the stored full run (one run of three seeds,
# `notebooks/results/full-05.json`) Muon keeps the highest mean, {{full:muon.test_accuracy:.1%}}, before tuned SGD
# ({{full:sgd.test_accuracy:.1%}}); tuned Adam has {{full:adam.test_accuracy:.1%}}. At the default rates SGD is still
# {{full:default_gap.sgd_adam:.1%}} behind Adam, Adagrad {{full:default_gap.adagrad_adam:.1%}}: more updates help an optimiser that walks too slowly,
# and not enough.
#
# Next: chapter 5a changes the learning rate *during* training, and asks what helps on digits never seen.

# %% [markdown] lang="zh" of="ae33d75d"
# ## 应用与延伸阅读
#
# 这门课里会学习的东西，靠的几乎都是梯度，再加上这九条规则之一。自动微分也用来改进天气模型、设计飞机，共同的想法就是便宜的反向传播。
# 大语言模型多用 AdamW 训练；Lion 和 Muon 是近年的新尝试，想用更少的内存或更少的步数做得更好。
#
# - 《动手学深度学习》[第 11 章“优化算法”](https://zh.d2l.ai/chapter_optimization/index.html)，也讲凸性与鞍点；
#   邱锡鹏《神经网络与深度学习》第 4 章讲反向传播与自动梯度计算，第 7 章讲网络优化。
# - Robbins 与 Monro，1951，[*A stochastic approximation method*](https://doi.org/10.1214/aoms/1177729586)：带噪声的步子为什么能收敛。
# - Polyak，1964，[*Some methods of speeding up the convergence of iteration methods*](https://doi.org/10.1016/0041-5553%2864%2990137-5)；
#   Sutskever、Martens、Dahl 与 Hinton，2013，
#   [*On the importance of initialization and momentum in deep learning*](https://proceedings.mlr.press/v28/sutskever13.html)：
#   Nesterov 1983 年的方法，就是这里所用的形式。
# - Rumelhart、Hinton 与 Williams，1986，[*Learning representations by back-propagating errors*](https://doi.org/10.1038/323533a0)：只有四页。
# - Baydin、Pearlmutter、Radul 与 Siskind，[*Automatic differentiation in machine learning: a survey*](https://arxiv.org/abs/1502.05767)。
# - Kingma 与 Ba，[*Adam*](https://arxiv.org/abs/1412.6980) 第 2、3 节，对照本章的代码来读。
#
# **换成 full 配置会怎样。** 九种优化器都用 48,000 个样本调参，训练也更久。在保存的 full 结果里（一次运行、三个种子，见
# `notebooks/results/full-05.json`），平均最高的仍是 Muon，{{full:muon.test_accuracy:.1%}}，其次是调过的 SGD，
# {{full:sgd.test_accuracy:.1%}}；调过的 Adam 是 {{full:adam.test_accuracy:.1%}}。用默认学习率，SGD 仍比 Adam 低
# {{full:default_gap.sgd_adam:.1%}}，Adagrad 低 {{full:default_gap.adagrad_adam:.1%}}：更新次数多了，走得太慢的能追上一些，却追不平。
#
# 接下来：第 5a 章在训练**过程中**改变学习率，并追问怎样才能在没见过的样本上做得更好。
