# %% [markdown] lang="en" reads=["seeds-03"] telling=["max.test_accuracy", "max.kept_moved_4", "global_longer.kept_moved_4"]
# # 3 Pooling
#
# A network does not need to know to the pixel where a stroke is. Pooling throws that knowledge away on purpose: it
# looks at a small window and keeps one number. Less to compute, and a little calm against small movements. How much of
# each? This chapter measures it, and compares four ways of shrinking a feature map with not shrinking it at all.
#
# **At the end you can**
#
# - compute max and average pooling by hand, forward and backward, and show that your numbers are Keras' numbers;
# - say what a pooling layer saves, and where: in computation, and in the dense layer *after* it;
# - measure how much a network minds when a digit moves, with each kind of pooling and without;
# - choose between max, average, strided convolution and global pooling with measurements instead of habit;
# - spot what is missing in a pooling formula that is often printed.
#
# **To know before:** convolution, stride and padding (chapter 2). Time and memory, measured, stand below the imports.
# %% [markdown] lang="zh" of="0cdbd447"
# # 3 池化
#
# 一个笔画到底在哪个像素上，网络其实不必知道得那么精确。池化（pooling）就是有意丢掉这份精确：看一个小窗口，只留一个数。
# 这样一来，计算少了，对微小的移动也迟钝了一些。究竟少多少、迟钝多少？本章一一测量，并把四种缩小特征图的办法与“干脆不缩小”放在一起比较。
#
# **学完这一章，你能够**
#
# - 手算最大池化与平均池化的前向和反向，并证明你的数就是 Keras 的数；
# - 说清池化层省下了什么、省在哪里：省的是计算，以及它*后面*那个全连接层；
# - 测出数字挪动时网络有多敏感：不池化，以及用各种池化；
# - 凭测量而不是凭习惯，在最大池化、平均池化、带步幅的卷积和全局池化之间作选择；
# - 看出一个常见的池化公式里漏掉了什么。
#
# **预备知识：** 卷积、步幅与填充（第 2 章）。实测的时间和内存写在导入语句之后。
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
import ipywidgets
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, sliders, training
from course_utils.topics import flops
from course_utils.profiles import choose
from course_utils.reference import convolution, pooling
# %% tags=["parameters"]
PROFILE = None
SEED = 0
# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()
# %% tags=["cost", "nbval-ignore-output"]
results.cost("03")
# %% [markdown] lang="en"
# ## The idea: a window that keeps one number
#
# **Max pooling** keeps the largest number of each window: *is there a stroke of this kind somewhere here?* **Average
# pooling** keeps the mean: *how much of it is here?* The window usually moves by its own width, so that windows do not
# overlap and a map of 28 × 28 becomes 14 × 14.
#
# **Before you look at the right side of the figure:** compute the four numbers of max pooling yourself.
# %% [markdown] lang="zh" of="6e1f0a4a"
# ## 想法：一个窗口只留一个数
#
# **最大池化**（max pooling）留下窗口里最大的数，它问的是：*这一带有没有这种笔画？* **平均池化**（average pooling）留下平均数，它问的是：
# *这一带有多少这种笔画？* 窗口每次通常移动自己的宽度，互不重叠，于是 28 × 28 的图变成 14 × 14。
#
# **先别看图的右边：** 自己算出最大池化的四个数。
# %%
small = np.array([[1.0, 3, 2, 0], [4, 2, 0, 1], [0, 1, 5, 6], [2, 1, 7, 2]])
small_images = small[None, ..., None]  # (1, 4, 4, 1)
pictures = {
    "feature map 4 × 4": small,
    "max pooling": pooling.max_pool2d(small_images, 2)[0, ..., 0],
    "average pooling": pooling.average_pool2d(small_images, 2)[0, ..., 0],
}
figure, axes = plt.subplots(1, 3, figsize=(8, 3), width_ratios=[4, 2.6, 2.6])
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(picture, cmap="Blues", vmin=0, vmax=9)
    axis.set(title=title, xticks=[], yticks=[])
    axis.grid(visible=False)
    for (row, column), value in np.ndenumerate(picture):
        axis.text(column, row, f"{value:g}", ha="center", va="center", fontsize=14, color="w" if value > 5.5 else "k")
axes[0].axhline(1.5, color=plots.COLORS[1], linewidth=3)
axes[0].axvline(1.5, color=plots.COLORS[1], linewidth=3)
plots.show(
    figure,
    alt="A map of 4 by 4 numbers, cut into four windows; max pooling keeps 4, 2, 2, 7, average pooling keeps 2.5, "
    "0.75, 1, 5.",
    alt_zh="4×4 的数表被分成四个窗口；最大池化留下 4、2、2、7，平均池化留下 2.5、0.75、1、5。",
)
# %% [markdown] lang="en"
# ## From the formula to Keras
#
# A window of $P \times P$ numbers, moved by a stride of $s$; counting from 0, in every channel $c$ on its own:
#
# $$ \text{max:}\quad y_{i,j,c} = \max_{0 \le p,\,q < P} x_{s\,i+p,\;s\,j+q,\;c} \qquad
#    \text{average:}\quad y_{i,j,c} = \frac{1}{P^2} \sum_{p,\,q} x_{s\,i+p,\;s\,j+q,\;c} $$
#
# No weights, no bias: there is nothing to learn. First the loop, one line for each $y$; then the course's reference
# without loops; then Keras.
# %% [markdown] lang="zh" of="7c8a0eec"
# ## 从公式到 Keras
#
# 窗口有 $P \times P$ 个数，每次移动步幅 $s$；下标从 0 数起，每个通道 $c$ 各算各的：
#
# $$ \text{最大：}\quad y_{i,j,c} = \max_{0 \le p,\,q < P} x_{s\,i+p,\;s\,j+q,\;c} \qquad
#    \text{平均：}\quad y_{i,j,c} = \frac{1}{P^2} \sum_{p,\,q} x_{s\,i+p,\;s\,j+q,\;c} $$
#
# 没有权重，也没有偏置：没有任何东西要学。先写循环，每个 $y$ 一行；再用课程里没有循环的参考实现；最后是 Keras。
# %%
def pool_loop(image, size, stride, reduce):
    """Pool an image (height, width) with a window of size × size; `reduce` is np.max or np.mean."""
    rows, columns = (np.array(image.shape) - size) // stride + 1
    pooled = np.zeros((rows, columns))
    for row, column in np.ndindex(rows, columns):
        top, left = row * stride, column * stride
        pooled[row, column] = reduce(image[top : top + size, left : left + size])
    return pooled


print(pool_loop(small, 2, 2, np.max))
# %%
digits = datasets.mnist()
digit = digits.x_train[7] / 255  # a "3", values 0 to 1
images = digit[None, ..., None]  # (1, 28, 28, 1)
for size, stride in [(2, 2), (3, 2), (3, 3)]:  # (3, 2): windows overlap
    proofs.equal({
        f"max {size}/{stride} loop": pool_loop(digit, size, stride, np.max)[None, ..., None],
        "reference": pooling.max_pool2d(images, size, stride),
        "Keras": keras.layers.MaxPooling2D(size, stride)(images),
    })
    proofs.equal({
        f"average {size}/{stride} loop": pool_loop(digit, size, stride, np.mean)[None, ..., None],
        "reference": pooling.average_pool2d(images, size, stride),
        "Keras": keras.layers.AveragePooling2D(size, stride)(images),
    })
# %% [markdown] lang="en"
# **At the border.** With `padding="same"` the window may hang over the edge. Are the missing pixels zeros? For a maximum
# they must not be: the largest of negative numbers would become 0. For a mean they would make every border darker. Keras
# counts only the pixels that exist. The map below is all −1: any zero that crept in would show.
# %% [markdown] lang="zh" of="da65993d"
# **到了边缘。** 用 `padding="same"` 时，窗口会伸出图外。缺的像素算作零吗？求最大值时不能：一堆负数里混进一个零，最大值就变成 0 了。
# 求平均时也不该：那会让整圈边缘变暗。Keras 只算真实存在的像素。下面的图全是 −1，只要混进一个零，立刻就能看出来。
# %%
dark = np.full((1, 5, 5, 1), -1.0)
for name, layer, reference in [
    ("max", keras.layers.MaxPooling2D(2, padding="same"), pooling.max_pool2d),
    ("average", keras.layers.AveragePooling2D(2, padding="same"), pooling.average_pool2d),
]:
    pooled = reference(dark, 2, padding="same")
    proofs.equal({f"{name}, same": pooled, "Keras": layer(dark)})
    print(f"{name}: 5 × 5 → {pooled.shape[1]} × {pooled.shape[2]}, every number · 每个数都是: {np.unique(pooled)}")
# %% [markdown] lang="en"
# ## Backward: who gets the gradient?
#
# Let $g_{i,j}$ arrive from above. In a mean, every pixel of the window took part with weight $1/P^2$; in a maximum, only
# the winner took part:
#
# $$ \text{average:}\quad \frac{\partial L}{\partial x_{r,t}} = \sum_{\text{windows } (i,j) \ni (r,t)} \frac{g_{i,j}}{P^2}
#    \qquad
#    \text{max:}\quad \frac{\partial L}{\partial x_{r,t}} = \sum_{(i,j):\ (r,t) \text{ is largest}} g_{i,j} $$
#
# The sums matter when windows overlap: a pixel that wins twice is paid twice. And two pixels that are equally large? The
# derivative does not exist there; TensorFlow pays the first. So the proof below takes numbers without ties.
#
# The mean is written out here; the maximum is yours to write, in exercise 3.
# %% [markdown] lang="zh" of="e1af3ede"
# ## 反向：梯度归谁？
#
# 设后一层传回 $g_{i,j}$。求平均时，窗口里每个像素都以权重 $1/P^2$ 参与了；求最大时，只有胜者参与了：
#
# $$ \text{平均：}\quad \frac{\partial L}{\partial x_{r,t}} = \sum_{\text{包含 } (r,t) \text{ 的窗口 } (i,j)} \frac{g_{i,j}}{P^2}
#    \qquad
#    \text{最大：}\quad \frac{\partial L}{\partial x_{r,t}} = \sum_{(i,j):\ (r,t) \text{ 最大}} g_{i,j} $$
#
# 窗口重叠时求和号就有用了：一个像素若两次获胜，就拿两份梯度。如果两个像素一样大呢？那里导数不存在，TensorFlow 把梯度给第一个。
# 所以下面的证明选用没有并列的数。
#
# 这里写出求平均的反向；求最大的反向留给你，见练习 3。
# %%
def average_backward_loop(upstream, image, size, stride):
    """The gradient of average pooling by the image, (height, width)."""
    gradient = np.zeros(image.shape)
    for row, column in np.ndindex(upstream.shape):
        top, left = row * stride, column * stride
        gradient[top : top + size, left : left + size] += upstream[row, column] / size**2
    return gradient


print(average_backward_loop(np.ones((2, 2)), np.zeros((3, 3)), size=2, stride=1))  # the middle belongs to four windows
# %%
random = np.random.default_rng(SEED)
overlapping = random.normal(size=(1, 6, 6, 2))
upstream = random.normal(size=(1, 2, 2, 2))
for name, layer, forward, backward in [
    ("max", keras.layers.MaxPooling2D(3, 2), pooling.max_pool2d, pooling.max_pool2d_backward),
    ("average", keras.layers.AveragePooling2D(3, 2), pooling.average_pool2d, pooling.average_pool2d_backward),
]:
    with tf.GradientTape() as tape:
        tape.watch(tensor := tf.constant(overlapping))
        loss = tf.reduce_sum(upstream * layer(tensor))
    proofs.equal({
        f"{name}: reference": backward(upstream, overlapping, 3, 2),
        "GradientTape": tape.gradient(loss, tensor),
        "finite differences": proofs.finite_differences(
            lambda x, f=forward: np.sum(upstream * f(x, 3, 2)), overlapping),
    })
proofs.equal({
    "average: loop": average_backward_loop(upstream[0, ..., 0], overlapping[0, ..., 0], 3, 2),
    "reference": pooling.average_pool2d_backward(upstream, overlapping, 3, 2)[0, ..., 0],
})
# %% [markdown] lang="en"
# ## Global pooling
#
# Let the window be the whole map: one number a channel remains. **Global average pooling** asks *how much of this feature
# is in the image, anywhere?* It answers the same for a map moved inside its frame, and takes images of any size.
# %% [markdown] lang="zh" of="e024772c"
# ## 全局池化
#
# 让窗口大到整张图：每个通道只剩一个数。**全局平均池化**（global average pooling）问的是：*整张图里，这种特征一共有多少？* 特征图在画框内怎么移动，
# 答案都不变；图像多大都可以。
# %%
maps = random.normal(size=(2, 7, 5, 3))
proofs.equal({
    "reference": pooling.global_average_pool2d(maps),
    "Keras": keras.layers.GlobalAveragePooling2D()(maps),
    "one big window": pooling.average_pool2d(maps, (7, 5))[:, 0, 0],
})
print((2, 7, 5, 3), "→", keras.layers.GlobalAveragePooling2D()(maps).shape)
# %% [markdown] lang="en"
# ## Or no pooling: let the convolution jump
#
# A convolution can shrink the map itself, with a stride of 2. What it computes is every second row and column of the
# ordinary result, no more. The two differ in what they do with the rest: pooling computes all places, looks at them, and
# keeps the largest or the mean; a stride never computes them. **Predict:** how many of the products does that save?
# %% [markdown] lang="zh" of="eea8ad75"
# ## 或者不池化：让卷积自己跳着走
#
# 卷积自己也能缩小特征图：步幅取 2 就行。它算出来的正是普通结果中每隔一行、每隔一列的数，不多也不少。两种做法对其余位置的处理不同：
# 池化把每个位置都算出来，看过之后留下最大值或平均数；步幅则干脆不算。**先猜：** 这样省下了多少乘法？
# %%
kernel = random.normal(size=(3, 3, 3, 4))
every_place = convolution.cross_correlate2d(maps, kernel)  # (2, 5, 3, 4)
proofs.equal({
    "stride 1, every 2nd kept": every_place[:, ::2, ::2],
    "reference, stride 2": convolution.cross_correlate2d(maps, kernel, stride=2),
    "Keras, strides=2": keras.ops.conv(maps, kernel, strides=2),
})
conv, pool = keras.layers.Conv2D(8, 3, padding="same"), keras.layers.MaxPooling2D(2)
for name, layers in [("conv, pool", [conv, pool]), ("conv, stride 2", [keras.layers.Conv2D(8, 3, 2, padding="same")])]:
    model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    products = flops.total(flops.count(model)).multiply_adds
    print(f"{name:15} 28 × 28 × 1 → {model.output_shape[1:]}   products · 乘法: {products:6,}")
# %% [markdown] lang="en"
# ## How calm does pooling make a map?
#
# "Pooling makes a network invariant to small shifts", one reads. Before any training, two things can be said about the
# pooled map $P(x)$ of an image $x$.
#
# 1. Move the image by a whole stride, and the pooled map moves by one place, unchanged. That is *equivariance*, as with
#    convolution, and it holds for multiples of the stride only.
# 2. Invariance would mean that the map does *not* change. So measure the change: the length of $P(\text{moved } x) - P(x)$
#    in proportion to the length of $P(x)$, a mean over 1,000 test digits. 0 would be invariance; two maps that have nothing
#    in common differ by about 1.4.
#
# **Predict:** which window keeps the map calmest when the digit moves by one pixel?
# %% [markdown] lang="zh" of="d730b4df"
# ## 池化能让特征图稳多少？
#
# 常有人说 “池化使网络对小的平移不变”。设图像 $x$ 池化后得到 $P(x)$，不用训练就能看清两件事。
#
# 1. 图像移动一整个步幅，池化后的图就移动一格，数值不变。这叫*等变*，与卷积一样，而且只对步幅的整数倍成立。
# 2. “不变” 的意思应当是特征图*没有*变化。那就测量变化：$P(\text{移动后的 } x) - P(x)$ 的长度与 $P(x)$ 的长度之比，
#    对 1,000 个测试数字取平均。0 表示完全不变；两张毫不相干的图相差约 1.4。
#
# **先猜：** 数字移动一个像素时，哪种窗口最稳？
# %%
def move_right(images, pixels):
    """Move (count, height, width, 1) to the right; zeros come in from the left."""
    moved = np.zeros_like(images)
    moved[:, :, pixels:] = images[:, :, : images.shape[2] - pixels]
    return moved


proofs.equal({
    "move by 2, then max 2/2": pooling.max_pool2d(move_right(images, 2), 2),
    "max 2/2, then move by 1": move_right(pooling.max_pool2d(images, 2), 1),
})
thousand = datasets.as_images(digits.x_test[:1_000])
# %%
ways = {
    "no pooling": lambda x: x,
    "every 2nd pixel": lambda x: x[:, ::2, ::2],
    "max 2/2": lambda x: pooling.max_pool2d(x, 2),
    "average 2/2": lambda x: pooling.average_pool2d(x, 2),
    "max 3/2": lambda x: pooling.max_pool2d(x, 3, 2),  # windows overlap
    "average 3/2": lambda x: pooling.average_pool2d(x, 3, 2),
    "max 7/7": lambda x: pooling.max_pool2d(x, 7),
    "average 7/7": lambda x: pooling.average_pool2d(x, 7),
    "global average": lambda x: pooling.global_average_pool2d(x),
}
print("moved by · 移动                1      2      4 pixels · 像素")
for name, way in ways.items():
    before = way(thousand).reshape(1_000, -1)  # (1000, numbers in the pooled map)
    changes = [np.linalg.norm(way(move_right(thousand, pixels)).reshape(1_000, -1) - before, axis=1) for pixels in (1, 2, 4)]
    relative = [np.mean(change / np.linalg.norm(before, axis=1)) for change in changes]
    print(f"{name:16} change · 变化:", "  ".join(f"{value:5.2f}" for value in relative))
# %% [markdown] lang="en"
# Taking every second pixel, which is all that a stride does, calms nothing: the first two rows are alike. A window of 2
# takes away a small part of the change, overlapping windows more, large windows most, and they lose detail in return.
# Neither kind is calmer throughout. Invariance proper is found in the last row only, and there until the digit begins to
# leave the frame.
# %% [markdown] lang="zh" of="1cd6030b"
# 每隔一个像素取一个，也就是步幅所做的全部事情，一点也没有变稳：前两行几乎一样。窗口为 2 时，变化只减少一小部分；
# 窗口重叠时减少得多一些；窗口再大就更稳，代价是丢掉细节。最大与平均各有胜负。真正的 “不变” 只出现在最后一行，
# 而且只维持到数字开始移出画框为止。
# %% [markdown] lang="en"
# ## Try it: window and stride
#
# Move the sliders and watch the digit lose detail. **Look for** three things: a stride smaller than the window (overlap),
# a stride larger than the window (pixels that nobody looks at), and the difference between the two kinds. Without a running
# kernel, the picture below the sliders shows four cases.
# %% [markdown] lang="zh" of="27716c07"
# ## 试一试：窗口与步幅
#
# 拖动滑块，看数字如何失去细节。**注意看**三点：步幅小于窗口（重叠）、步幅大于窗口（有的像素根本没人看）、两种池化的差别。
# 如果没有运行内核，滑块下面的图展示了四种情形。
# %% tags=["nbval-ignore-output"]
def pooled_digit(size, stride):
    """The digit, and after max and after average pooling."""
    pooled = [digit, pool_loop(digit, size, stride, np.max), pool_loop(digit, size, stride, np.mean)]
    titles = ["digit", f"max, {pooled[1].shape[0]} × {pooled[1].shape[1]}", "average"]
    return plots.grid(pooled, titles, columns=3, size=2.2, vmin=0, vmax=1)


sliders.picture(
    pooled_digit,
    alt="A digit, and the same digit after max and after average pooling.",
    alt_zh="一个数字，以及它经过最大池化和平均池化之后的样子。",
    size=ipywidgets.IntSlider(value=2, min=1, max=9, description="size"),
    stride=ipywidgets.IntSlider(value=2, min=1, max=9, description="stride"),
)
# %%
cases = [(2, 2), (4, 4), (4, 1), (2, 6)]
pooled = [pool_loop(digit, size, stride, reduce) for reduce in (np.max, np.mean) for size, stride in cases]
titles = [f"{name} {size}, stride {stride}" for name in ("max", "mean") for size, stride in cases]
plots.show(
    plots.grid(pooled, titles, columns=4, size=1.9, vmin=0, vmax=1),
    alt="A handwritten 3 pooled eight ways. Max pooling makes strokes thicker, average pooling makes them fainter; with a "
    "window of 2 and a stride of 6 the digit falls apart.",
    alt_zh="手写数字 3 的八种池化结果：最大池化使笔画变粗，平均池化使笔画变淡；窗口 2、步幅 6 时数字支离破碎。",
)
# %% [markdown] lang="en"
# ## The experiment: five ways to shrink, or not to
#
# One small network, three convolutions (8, 16 and 32 channels), and five variants that differ in nothing but this:
#
# - **none**: the maps stay 28 × 28; the *baseline*;
# - **max**, **average**: pooling with a window of 2 after the first and the second convolution;
# - **stride 2**: these two convolutions move by 2 themselves, and there is no pooling;
# - **max + global**: as max, then global average pooling instead of `Flatten`.
#
# **Predict:** which has the fewest parameters, which is slowest, which keeps its answer when a digit moves?
# %% [markdown] lang="zh" of="591c3b08"
# ## 实验：五种缩小（或不缩小）的办法
#
# 同一个小网络，三层卷积（8、16、32 通道），五个变体只在这一点上不同：
#
# - **none**：特征图保持 28 × 28，作为*基线*；
# - **max**、**average**：前两层卷积之后各接一次窗口为 2 的池化；
# - **stride 2**：这两层卷积自己以步幅 2 移动，不用池化；
# - **max + global**：同 max，但用全局平均池化代替 `Flatten`。
#
# **先猜：** 谁的参数最少？谁最慢？数字挪动之后，谁的答案最不容易变？
# %%
def network(kind):
    """A small CNN that shrinks its feature maps in one of five ways; returns logits."""
    shrink = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}.get(kind.split()[0])
    x = inputs = keras.Input((28, 28, 1))
    for channels in (8, 16):
        stride = 2 if kind == "stride 2" else 1
        x = keras.layers.Conv2D(channels, 3, strides=stride, padding="same", activation="relu")(x)
        x = shrink(2)(x) if shrink else x  # (batch, 14, 14, 8), then (batch, 7, 7, 16), unless kind is "none"
    x = keras.layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x) if "global" in kind else keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x))


kinds = ["none", "max", "average", "stride 2", "max + global"]
for kind in kinds:
    model = network(kind)
    dense, products = model.layers[-1].count_params(), flops.total(flops.count(model)).multiply_adds
    convolutions = model.count_params() - dense
    print(f"{kind:13} last map · 末图 {model.layers[-3].output.shape[1:]!s:12}  parameters · 参数: "
          f"conv {convolutions:,} + dense {dense:7,}   products · 乘法 {products:9,}")
# %% [markdown] lang="en"
# The convolutions have the same parameters in all five. Pooling saved nothing there: it *has* no parameters and changes
# none of the layers before it. The whole difference lies in the dense layer that comes after, because it now has fewer
# inputs. The products are another matter: each convolution behind a pooling has a quarter of the places to visit.
#
# Now train them on the same digits with the same schedule. Global pooling learns more slowly: with so small a dense layer
# the convolutions must do all the work. To be fair it is trained twice, for as many epochs as the others, and for three
# times as many. Time is given as a ratio to *none*; seconds would describe your machine.
# %% [markdown] lang="zh" of="605015a5"
# 五个网络的卷积层参数完全一样。池化在那里一个也没省：它自己没有参数，也改变不了它前面的层。差别全在后面的全连接层，因为它的输入变少了。
# 乘法次数则是另一回事：池化之后的卷积，要走的位置只剩四分之一。
#
# 下面用同样的数字、同样的学习率安排来训练。全局池化学得慢一些：全连接层这么小，活儿全得由卷积来干。为公平起见，
# 它训练两次：一次轮数与别人相同，一次是三倍。时间以 *none* 为 1 来表示；秒数说的只是你的机器。
# %%
count, epochs = choose(smoke=1_000, laptop=6_000, full=60_000), choose(smoke=1, laptop=5, full=8)
x_train, y_train = datasets.as_images(digits.x_train[:count]), digits.y_train[:count]
tested = choose(smoke=500, laptop=4_000, full=10_000)
x_test, y_test = datasets.as_images(digits.x_test[:tested]), digits.y_test[:tested]


def trained(kind, times=1):
    """Return a trained network and the seconds of an epoch (the median: the first one includes tracing)."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(SEED)
    rate = training.OneCycle(0.01, steps=times * epochs * -(-count // 64))
    with strategy.scope():
        model = network(kind)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss, steps_per_execution=choose(smoke=1, laptop=8, full=8))
    history = training.fit(model, x_train, y_train, name=f"{kind} {times}", epochs=times * epochs, batch_size=64)
    return model, np.median(history["seconds"])


print("training images · 训练图像:", x_train.shape[1:], x_train.dtype)
# %% tags=["nbval-ignore-output"]
def answers(model, images):
    """The digit that the model reads in each image, (count,)."""
    batches = [images[start : start + 200] for start in range(0, len(images), 200)]
    return np.concatenate([keras.ops.convert_to_numpy(model(batch, training=False)).argmax(axis=1) for batch in batches])


shifts, few = range(7), choose(smoke=100, laptop=1_000, full=10_000)
plans = {kind: (kind, 1) for kind in kinds} | {"max + global, 3 × epochs": ("max + global", 3)}
accuracy, seconds, kept = {}, {}, {}
for name, plan in plans.items():
    model, seconds[name] = trained(*plan)
    accuracy[name] = training.accuracy(model, x_test, y_test, batch_size=200)
    first = answers(model, x_test[:few])
    kept[name] = [np.mean(answers(model, move_right(x_test[:few], pixels)) == first) for pixels in shifts]
    print(f"{name}: done · 完成")
# %% tags=["nbval-ignore-output"]
# Test accuracy; share of answers kept when the digits move by 2 and by 4 pixels. The bands reach twice the range of three
# seeds beyond it, and at least three standard errors of a share of so many digits.
bands = {
    "none": choose(smoke=[(0.75, 0.88), (0.54, 0.86), (0.05, 0.51)],
        laptop=[(0.949, 0.971), (0.809, 0.925), (0.448, 0.556)], full=[None] * 3),
    "max": choose(smoke=[(0.64, 0.83), (0.22, 1), (0, 0.73)],
        laptop=[(0.96, 0.988), (0.901, 0.956), (0.535, 0.648)], full=[None] * 3),
    "average": choose(smoke=[(0.66, 0.81), (0.48, 0.88), (0.13, 0.44)],
        laptop=[(0.957, 0.979), (0.884, 0.941), (0.438, 0.645)], full=[None] * 3),
    "stride_2": choose(smoke=[(0.59, 0.89), (0.32, 0.93), (0.09, 0.5)],
        laptop=[(0.951, 0.973), (0.815, 0.976), (0.402, 0.634)], full=[None] * 3),
    "global": choose(smoke=[(0, 0.68), (0.7, 1), (0.57, 1)],
        laptop=[(0.888, 0.928), (0.93, 0.979), (0.878, 0.983)], full=[None] * 3),
    "global_longer": choose(smoke=[(0.2, 0.53), (0.74, 1), (0.71, 1)],
        laptop=[(0.934, 0.961), (0.953, 0.992), (0.933, 0.976)], full=[None] * 3),
}
for (key, three), name in zip(bands.items(), plans, strict=True):
    measured = {"test_accuracy": accuracy[name], "kept_moved_2": kept[name][2], "kept_moved_4": kept[name][4]}
    for (what, value), band in zip(measured.items(), three, strict=True):
        results.record(f"{key}.{what}", value, band=band)
    results.record(f"{key}.epoch_time_ratio", seconds[name] / seconds["none"], digits=2)
# %% tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
for key, name, color, marker, line in zip(bands, plans, plots.COLORS, plots.MARKERS, plots.LINES, strict=False):
    ratio = plans[name][1] * seconds[name] / seconds["none"]
    stored = results.spread("03", f"{key}.test_accuracy")
    if stored and profiles.name() == "laptop":
        errors = [100 - 100 * stored["highest"], 100 - 100 * stored["lowest"]]
        left.plot([ratio] * 2, errors, color="0.75", linewidth=7, solid_capstyle="butt", zorder=1)
    left.plot(ratio, 100 * (1 - accuracy[name]), marker, color=color, markersize=9)
    right.plot(shifts, kept[name], linestyle=line, marker=marker, color=color, label=name)
left.set(xlabel="training time (none = 1)", ylabel="test error (%)", title="Error against time")
left.set(xlim=(0, None), ylim=(0, None))
right.set(xlabel="digits moved to the right (pixels)", ylabel="answers unchanged", title="Shift invariance", ylim=(0, 1.03))
right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure,
    alt="Left: test error against training time, one marker a network, grey bars for three seeds; no pooling takes the "
    "longest. Right: share of answers that stay the same when digits move; the networks with global pooling stay high, "
    "all others fall steeply, max pooling a little later.",
    alt_zh="左：测试错误率与训练时间，每个网络一个标记，灰条为三个随机种子的范围；不池化用时最长。右：数字移动后答案不变的比例；"
    "全局池化的网络保持高位，其余都陡然下降，最大池化稍晚一些。",
)
# %% [markdown] lang="en"
# Read the two pictures together.
#
# - **Shrinking costs no accuracy here, and it buys time.** With max or average pooling the error is no higher than without,
#   in a fraction of the time. The time falls by less than the count of products does: starting a layer costs something too,
#   however small its map.
# - **A stride is the quickest**, and errs a little more than max pooling: it drops three places of four unseen.
# - **Small windows do not make a network shift invariant.** Max pooling holds out a little longer; then all the networks
#   with `Flatten` fall together. Four pixels are one step of the last map (four steps where nothing shrinks it), and `Flatten`
#   has other weights there.
# - **Global pooling keeps its answers**, as the bare maps above promised. The price: the dense layer no longer knows *where*
#   a feature was seen, so the convolutions must find features that say enough wherever they are. In as many epochs as the
#   others need, it is clearly the worst; in three times as many it comes near them, and still pays for not knowing.
# %% [markdown] lang="zh" of="8c6d27c3"
# 把两幅图放在一起读。
#
# - **在这里，缩小不损失准确率，还省时间。** 用最大或平均池化，错误率不比不池化高，用时却只是它的一小部分。时间减少得没有乘法次数那么多：
#   图再小，启动一层也要花时间。
# - **步幅最快**，错误率比最大池化略高：四个位置里有三个，它看都没看就丢了。
# - **小窗口不能使网络对平移不变。** 最大池化多撑了一会儿；之后凡是用 `Flatten` 的网络都一起下降。四个像素正好是最后那张图上的一格
#   （不缩小时是四格），而 `Flatten` 之后，那里用的是另一组权重。
# - **全局池化保住了答案**，与前面单看特征图时的结论一致。代价是：全连接层不再知道特征是*在哪里*看到的，
#   卷积必须找到不论出现在哪里都足以说明问题的特征。轮数与别人相同时，它显然最差；轮数是三倍时，它追近了，但仍要为 “不知道在哪里” 付出代价。
# %% [markdown] lang="en"
# ## Formula clinic: a pooling formula without a stride
#
# Often printed as "max pooling": $\; y(i,j) = \max_{0 \le p < P}\ \max_{0 \le q < Q}\ x(i+p,\ j+q)$.
#
# Read it with care: when $i$ grows by 1, the window moves by **one** pixel. Does that make maps smaller by half, as the
# text beside it says? Compute it as printed, and ask which Keras layer gives these numbers.
# %% [markdown] lang="zh" of="2304b3e1"
# ## 公式门诊：一个没有步幅的池化公式
#
# 常见的“最大池化公式”：$\; y(i,j) = \max_{0 \le p < P}\ \max_{0 \le q < Q}\ x(i+p,\ j+q)$。
#
# 仔细读：$i$ 加 1，窗口只移动**一个**像素。这能像旁边文字说的那样，把特征图缩小一半吗？照式子原样计算，再看看它等于 Keras 的哪一层。
# %%
as_printed = pool_loop(digit, 2, 1, np.max)
print("as printed · 照式子:", digit.shape, "→", as_printed.shape)
print("a pooling layer · 池化层:", digit.shape, "→", keras.layers.MaxPooling2D(2)(images).shape[1:3])
proofs.equal({
    "as printed": as_printed[None, ..., None],
    "Keras, strides=1": keras.layers.MaxPooling2D(2, strides=1)(images),
})
proofs.equal({
    "as printed, every 2nd": as_printed[::2, ::2][None, ..., None],
    "Keras, strides=2": keras.layers.MaxPooling2D(2)(images),
})
# %% [markdown] lang="en"
# **Diagnosis.** As printed it is a sliding maximum: 28 × 28 becomes 27 × 27. What pooling layers compute is every $s$-th
# row and column of it, $x(s\,i+p,\ s\,j+q)$; in Keras `strides` is `pool_size` unless you say otherwise. (Image
# processing knows the sliding maximum too, and calls it *dilation* of a grey image.)
#
# ### A second claim: "pooling reduces the number of parameters"
#
# A pooling layer has none, and takes none from the convolutions. Is the sentence ever true? Put a third convolution after
# the pooling instead of a dense layer, and count again.
# %% [markdown] lang="zh" of="976784a9"
# **诊断。** 照式子算出来的是“滑动最大值”：28 × 28 只变成 27 × 27。池化层算的是其中每隔 $s$ 行、$s$ 列的数，即 $x(s\,i+p,\ s\,j+q)$；
# 在 Keras 里，不另外说明时 `strides` 就等于 `pool_size`。（图像处理里也有滑动最大值，叫作灰度图像的*膨胀*。）
#
# ### 第二个说法：“池化减少参数量”
#
# 池化层自己没有参数，也不会让卷积层的参数变少。这句话有没有成立的时候？把池化之后的全连接层换成第三个卷积层，再数一遍。
# %%
def parameters(*layers):
    return keras.Sequential([keras.Input((28, 28, 1)), *layers]).count_params()


conv = keras.layers.Conv2D
print("pooling layer itself · 池化层本身:", parameters(keras.layers.MaxPooling2D(2)))
print("conv, conv:", parameters(conv(8, 3), conv(24, 3)),
      "  conv, pool, conv:", parameters(conv(8, 3), keras.layers.MaxPooling2D(2), conv(24, 3)))
print("conv, dense:", parameters(conv(8, 3), keras.layers.Flatten(), keras.layers.Dense(10)),
      "  conv, pool, dense:",
      parameters(conv(8, 3), keras.layers.MaxPooling2D(2), keras.layers.Flatten(), keras.layers.Dense(10)))
# %% [markdown] lang="en"
# **Diagnosis.** Before a convolution pooling saves no parameter at all; it saves multiplications. Before `Flatten` and
# `Dense` it saves parameters, a factor of four for each pooling by two, and global pooling takes this to the end. Say
# *where*, and the sentence becomes true.
# %% [markdown] lang="zh" of="8885bf55"
# **诊断。** 后面接卷积时，池化一个参数也省不了，省的是乘法次数；后面接 `Flatten` 和 `Dense` 时才省参数，每做一次 2 倍池化省到约四分之一，
# 全局池化则省到了极致。说清*省在哪里*，这句话才成立。
# %% [markdown] lang="en"
# ### Exercise 1 · easy — the inputs of the dense layer
#
# A map of `height` × `width` × `channels` is pooled `times` times with a window and stride of 2 (`"valid"`: a remaining
# row is dropped), then flattened. Write `dense_parameters(height, width, channels, times, units)`: the parameters of the
# dense layer with `units` outputs that follows, biases included.
# %% [markdown] lang="zh" of="10ed29a1"
# ### 练习 1 · 易 —— 全连接层的参数
#
# 一张 `height` × `width` × `channels` 的特征图，用窗口和步幅都是 2 的池化做 `times` 次（`"valid"`：多出的一行舍去），然后展平。
# 写出 `dense_parameters(height, width, channels, times, units)`：后面那个有 `units` 个输出的全连接层的参数量，包括偏置。
# %% tags=["exercise"]
def dense_parameters(height, width, channels, times, units):
    """Weights and biases of the dense layer after pooling and flattening."""
    ### BEGIN SOLUTION
    for _ in range(times):
        height, width = height // 2, width // 2
    return height * width * channels * units + units
    ### END SOLUTION
# %% tags=["check"]
exercises.check("03.dense_parameters", dense_parameters)
# %% [markdown] lang="en" tags=["hint"]
# Halve height *and* width each time, rounding down each time: 7 becomes 3, then 1. Pooling leaves the channels alone. One
# bias for each output.
# %% [markdown] lang="zh" of="484db00a" tags=["hint"]
# 每次高和宽*都*减半，并且每次都向下取整：7 变 3，再变 1。池化不改变通道数。每个输出一个偏置。
# %% [markdown] lang="en"
# ### Exercise 2 · medium — average pooling is a convolution
#
# Average pooling is a convolution with fixed weights. Write `average_kernel(size, channels)`: a kernel for
# `convolution.cross_correlate2d` (size, size, channels in, channels out) that, with `stride=size`, gives exactly average
# pooling. Every channel must stay for itself.
# %% [markdown] lang="zh" of="68307ea0"
# ### 练习 2 · 中 —— 平均池化是一种卷积
#
# 平均池化就是权重固定的卷积。写出 `average_kernel(size, channels)`：返回给 `convolution.cross_correlate2d` 用的核
# （形状 `size, size, channels, channels`，后两轴是输入、输出通道），取 `stride=size` 时恰好得到平均池化。各通道之间不能混。
# %% tags=["exercise"]
def average_kernel(size, channels):
    """A kernel (size, size, channels, channels) that averages each channel on its own."""
    ### BEGIN SOLUTION
    return np.tile(np.eye(channels) / size**2, (size, size, 1, 1))
    ### END SOLUTION
# %% tags=["check"]
exercises.check("03.average_kernel", average_kernel)
# %% [markdown] lang="en" tags=["hint"]
# How large is each weight, if $P^2$ of them shall give a mean? Output channel 0 may look at input channel 0 only: for
# every place in the window, the matrix of (in, out) is a multiple of the identity.
# %% [markdown] lang="zh" of="41578fc2" tags=["hint"]
# $P^2$ 个权重合起来要得到平均数，每个应是多大？输出通道 0 只能看输入通道 0：窗口里每个位置上，（输入，输出）矩阵都是单位矩阵的倍数。
# %% [markdown] lang="en"
# ### Exercise 3 · hard — the backward pass of max pooling
#
# Write `max_pool_backward(upstream, image, size, stride)` for arrays (height, width): the gradient by the image, also for
# windows that overlap. On a tie, the first in reading order gets all.
# %% [markdown] lang="zh" of="9c73b829"
# ### 练习 3 · 难 —— 最大池化的反向传播
#
# 写出 `max_pool_backward(upstream, image, size, stride)`，数组形状为 *（高，宽）*：返回对图像的梯度，窗口重叠时也要正确。
# 若有并列，梯度全部给阅读顺序中的第一个。
# %% tags=["exercise"]
def max_pool_backward(upstream, image, size, stride):
    """Gradient of max pooling by the image, (height, width)."""
    ### BEGIN SOLUTION
    gradient = np.zeros(image.shape)
    for row, column in np.ndindex(upstream.shape):
        top, left = row * stride, column * stride
        window = image[top : top + size, left : left + size]
        down, right = np.unravel_index(np.argmax(window), window.shape)
        gradient[top + down, left + right] += upstream[row, column]
    return gradient
    ### END SOLUTION
# %% tags=["check"]
exercises.check("03.max_pool_backward", max_pool_backward)
# %% [markdown] lang="en" tags=["hint"]
# Go through the windows as in `pool_loop`. `np.argmax` gives the place in the flattened window, `np.unravel_index` makes row
# and column of it, still *within the window*. A pixel can win more than one window: add, do not assign.
# %% [markdown] lang="zh" of="e48b5b6e" tags=["hint"]
# 像 `pool_loop` 那样逐个窗口处理。`np.argmax` 给出的是窗口展平后的位置，`np.unravel_index` 把它变成行和列，但仍是*窗口内部*的坐标。
# 一个像素可能赢得不止一个窗口：要累加，不要赋值。
# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("03")
# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# LeNet averaged (and trained a factor for each map, [LeCun et al. 1998](https://doi.org/10.1109/5.726791)); AlexNet took
# overlapping maxima, a window of 3 with a stride of 2
# ([Krizhevsky, Sutskever and Hinton 2012](https://doi.org/10.1145/3065386)); global average pooling came with *Network in
# Network* ([Lin, Chen and Yan 2013](https://arxiv.org/abs/1312.4400)) and ends most image classifiers since. Strided
# convolution replaced pooling in [Springenberg et al. 2014](https://arxiv.org/abs/1412.6806), and vision transformers cut the
# image into patches once, at the start ([Dosovitskiy et al. 2020](https://arxiv.org/abs/2010.11929)).
#
# - Azulay and Weiss, [*Why do deep convolutional networks generalize so poorly to small image transformations?*](https://arxiv.org/abs/1805.12177)
# - Zhang, [*Making convolutional networks shift-invariant again*](https://arxiv.org/abs/1904.11486): blur before you subsample.
#
# **What the full profile changes.** All 60,000 digits and eight epochs, shifts on all test digits. In the stored full run (one
# seed, `notebooks/results/full-03.json`) global pooling catches up: it errs less than the network that shrinks nothing, and about
# a third more than max pooling; three times the epochs add little to that. What four pixels do has not changed: global pooling
# keeps nearly all its answers, the networks with `Flatten` lose a fifth to a third of theirs, max pooling the fewest.
#
# Next: chapter 4 turns the last layer's numbers into probabilities, and asks what a good loss is.
# %% [markdown] lang="zh" of="d8134066"
# ## 用在哪里，读些什么
#
# LeNet 用的是平均（每张特征图还学一个系数，[LeCun 等，1998](https://doi.org/10.1109/5.726791)）；AlexNet 用重叠的最大池化，窗口 3、步幅 2
# （[Krizhevsky、Sutskever 与 Hinton，2012](https://doi.org/10.1145/3065386)）；全局平均池化出自 *Network in Network*
# （[Lin、Chen 与 Yan，2013](https://arxiv.org/abs/1312.4400)），此后成了多数图像分类网络的收尾。
# [Springenberg 等（2014）](https://arxiv.org/abs/1412.6806) 用带步幅的卷积取代了池化；视觉 Transformer 则一开始就把图像切成小块
# （[Dosovitskiy 等，2020](https://arxiv.org/abs/2010.11929)）。
#
# - Azulay 与 Weiss，[*Why do deep convolutional networks generalize so poorly to small image transformations?*](https://arxiv.org/abs/1805.12177)
# - Zhang，[*Making convolutional networks shift-invariant again*](https://arxiv.org/abs/1904.11486)：下采样之前先模糊。
#
# **换成 full 配置会怎样。** 用全部 60,000 个数字训练八轮，平移实验用全部测试数字。在保存的 full 运行里（一个种子，见
# `notebooks/results/full-03.json`），全局池化追上来了：错误比完全不缩小的网络少，比最大池化多三分之一左右，轮数加到三倍也没有再好多少。
# 移动四个像素的后果没有变：全局池化几乎保住所有答案，用 `Flatten` 的网络要丢掉五分之一到三分之一，其中最大池化丢得最少。
#
# 接下来：第 4 章把最后一层的数变成概率，再问什么才是好的损失。
