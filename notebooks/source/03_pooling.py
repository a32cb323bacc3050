# %% [markdown] lang="en" reads=["seeds-03"] telling=["max.test_accuracy", "max.kept_moved_4", "global_longer.kept_moved_4"]
# # 3 Pooling
#
# A small network has learned to classify handwritten digits. Now push every digit four pixels to the right and change
# nothing else. In this chapter you will watch one network change its answer for almost half of the digits, and another,
# with the same convolutions, for hardly any. What separates them is a layer that has no weights at all.
#
# It is called *pooling*: it looks at a small window of a feature map and keeps one number. Textbooks say that it saves
# parameters and that it makes networks indifferent to small shifts. You will measure both claims, and neither comes out
# quite as it is usually told.

# %% [markdown] lang="zh" of="c560b77e"
# # 3 池化
#
# 一个小网络学会了识别手写数字。现在把每个数字往右推四个像素，其他什么都不变。这一章里你会看到：有的网络，将近一半样本的答案都变了；
# 另一个网络，卷积层与它相同，答案却几乎不变。差别出在一种连一个权重都没有的层上。
#
# 这种层叫**池化**（pooling，《动手学深度学习》称为汇聚）：它看特征图上的一个小窗口，只留下一个数。教材里说，池化能减少参数，
# 还能让网络不在乎微小的平移。这两种说法你都会测一测，结果与通常讲的都有出入。

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - compute max and average pooling by hand, forward and backward, and check your results against Keras;
# - say what a pooling layer saves and where: multiplications in the convolutions behind it, parameters only in a dense layer;
# - measure how often a network changes its answer when a digit moves;
# - choose between max pooling, average pooling, strided convolution and global pooling by measurement instead of habit;
# - find what is missing in a pooling formula that many texts repeat.
#
# **Before you start:** convolution, stride and padding (chapter 2). Measured time and memory are printed below the imports.

# %% [markdown] lang="zh" of="66d2e9d7"
# **学完这一章，你能够**
#
# - 手算最大池化与平均池化的前向和反向，并用 Keras 验证自己的结果；
# - 说清池化层省下了什么、省在哪里：省的是后面卷积层的乘法；只有后面接全连接层时，才省参数；
# - 测出数字移动时，网络的答案有多容易改变；
# - 凭测量而不是凭习惯，在最大池化、平均池化、带步幅的卷积和全局池化之间作选择；
# - 看出一个流传很广的池化公式里漏掉了什么。
#
# **预备知识：** 卷积、步幅与填充（第 2 章）。实测的时间和内存打印在导入语句之后。

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

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: a window that keeps one number
#
# **Max pooling** keeps the largest number of each window. It asks: *is there a stroke of this kind anywhere in here?*
# **Average pooling** keeps the mean. It asks: *how much of it is in here?* The window usually moves by its own width, so
# that windows do not overlap: with a window of 2 × 2, a map of 28 × 28 becomes a map of 14 × 14.
#
# **Predict:** the map below is cut into four windows of 2 × 2. Cover the right half of the figure with your hand. What does
# max pooling keep of each window?

# %% [markdown] lang="zh" of="e95da541" tags=["predict"]
# ## 核心思想：一个窗口只留一个数
#
# **最大池化**（max pooling）留下窗口里最大的数，它问的是：这一带有没有这种笔画？**平均池化**（average pooling）留下平均数，
# 它问的是：这一带有多少这种笔画？窗口每次通常移动自己的宽度，所以互不重叠。窗口取 2 × 2 时，28 × 28 的特征图就变成 14 × 14。
#
# **先猜：** 下图的数表被分成四个 2 × 2 的窗口。用手遮住图的右半边，最大池化从每个窗口里各留下哪个数？

# %% tags=["plot"]
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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** 4, 2, 2 and 7, the largest number of each window, wherever in the window it was. Average pooling keeps how full
# each window is. Both forget *where* in the window a number was, and that is the purpose.
#
# ## From the formula to Keras
#
# Take a window of $P \times P$ numbers and move it by a stride of $s$. Positions are counted from 0, and every channel $c$ is
# pooled on its own:
#
# $$ \text{max:}\quad y_{i,j,c} = \max_{0 \le p,\,q < P} x_{s\,i+p,\;s\,j+q,\;c} \qquad
#    \text{average:}\quad y_{i,j,c} = \frac{1}{P^2} \sum_{p,\,q} x_{s\,i+p,\;s\,j+q,\;c} $$
#
# There are no weights and no bias, so there is nothing to learn. We start with a loop over the windows, on the map from the
# figure.

# %% [markdown] lang="zh" of="9c601e5f" tags=["answer"]
# **答案。** 4、2、2、7，也就是每个窗口里最大的数，不管它在窗口的哪个角落。平均池化留下的是窗口里“有多满”。两者都忘掉了数在窗口里的位置，
# 而这正是目的所在。
#
# ## 从公式到 Keras
#
# 窗口有 $P \times P$ 个数，每次移动步幅 $s$。下标从 0 数起，每个通道 $c$ 各算各的：
#
# $$ \text{最大：}\quad y_{i,j,c} = \max_{0 \le p,\,q < P} x_{s\,i+p,\;s\,j+q,\;c} \qquad
#    \text{平均：}\quad y_{i,j,c} = \frac{1}{P^2} \sum_{p,\,q} x_{s\,i+p,\;s\,j+q,\;c} $$
#
# 没有权重，也没有偏置，所以没有任何东西要学。先写一个逐窗口的循环，用在图中的那张数表上。

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

# %% [markdown] lang="en"
# The same four numbers. Now a handwritten 3, three choices of window and stride, and three ways to compute: the loop, the
# course's reference without loops, and the Keras layers.

# %% [markdown] lang="zh" of="680edc2e"
# 正是那四个数。再换一个手写的 3，窗口与步幅取三种组合，用三种办法来算：循环、课程里不用循环的参考实现，以及 Keras 的池化层。

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
# All three agree, also where windows overlap (window 3, stride 2).
#
# **At the border.** With `padding="same"` the window may hang over the edge. Do the missing pixels count as zeros? For a
# maximum that would be wrong: the largest of several negative numbers would become 0. For a mean it would darken the whole
# border. Keras counts only the pixels that exist. The map below is −1 everywhere, so a zero that crept in would show.

# %% [markdown] lang="zh" of="69b2e50f"
# 三种算法结果一致，窗口重叠时（窗口 3、步幅 2）也一样。
#
# **到了边缘。** 用 `padding="same"` 时，窗口会伸出图外。缺的像素算作零吗？求最大值时不能这样算，否则一堆负数里混进一个零，最大值就成了 0；
# 求平均时也不该，那会让整圈边缘变暗。Keras 只算真实存在的像素。下面的图全是 −1，只要混进一个零，立刻就能看出来。

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
# Every output is −1: no zero took part.
#
# ## Backward: which pixel gets the gradient?
#
# Let $g_{i,j}$ be the gradient that arrives at output $(i,j)$. In a mean, every pixel of the window took part with weight
# $1/P^2$. In a maximum, only the largest pixel took part:
#
# $$ \text{average:}\quad \frac{\partial L}{\partial x_{r,t}} = \sum_{\text{windows } (i,j) \ni (r,t)} \frac{g_{i,j}}{P^2}
#    \qquad
#    \text{max:}\quad \frac{\partial L}{\partial x_{r,t}} = \sum_{(i,j):\ (r,t) \text{ is largest}} g_{i,j} $$
#
# The sums matter when windows overlap: a pixel that is the largest of two windows gets both gradients. What if two pixels are
# equally large? Then the derivative does not exist, and TensorFlow gives everything to the first of them. So the check below
# uses numbers without ties.
#
# Here is the backward pass of the mean. That of the maximum is yours to write, in exercise 3.

# %% [markdown] lang="zh" of="a78e4d81"
# 每个输出都是 −1，没有零混进来。
#
# ## 反向：梯度归哪个像素？
#
# 设传回到输出 $(i,j)$ 的梯度是 $g_{i,j}$。求平均时，窗口里每个像素都以权重 $1/P^2$ 参与了计算；求最大值时，参与的只有最大的那个像素：
#
# $$ \text{平均：}\quad \frac{\partial L}{\partial x_{r,t}} = \sum_{\text{包含 } (r,t) \text{ 的窗口 } (i,j)} \frac{g_{i,j}}{P^2}
#    \qquad
#    \text{最大：}\quad \frac{\partial L}{\partial x_{r,t}} = \sum_{(i,j):\ (r,t) \text{ 最大}} g_{i,j} $$
#
# 窗口重叠时，求和号就有用了：一个像素如果在两个窗口里都最大，两份梯度它都拿。如果两个像素一样大呢？那里导数不存在，
# TensorFlow 把梯度全给第一个。所以下面核对时，选用没有并列的数。
#
# 这里写出求平均的反向；求最大值的反向留给你，见练习 3。

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
# The pixel in the middle belongs to all four windows and collects four quarters; a corner gets one. And with overlapping
# windows the reference, `GradientTape` and finite differences agree for both kinds of pooling.
#
# ## Global pooling
#
# Let the window be as large as the whole map: one number per channel remains. **Global average pooling** asks *how much of
# this feature is in the image, wherever it is?* As long as a feature map only moves inside its frame, the answer does not
# change, and images may have any size.

# %% [markdown] lang="zh" of="5b678ce9"
# 正中的像素属于全部四个窗口，拿到四个四分之一；角上的只拿到一个。窗口重叠时，参考实现、`GradientTape` 和有限差分三者一致，两种池化都是如此。
#
# ## 全局池化
#
# 让窗口大到整张图，每个通道就只剩一个数。**全局平均池化**（global average pooling）问的是：整张图里，这种特征一共有多少？
# 特征图只要还在画框之内移动，答案就不变；图像的大小也可以任意。

# %%
maps = random.normal(size=(2, 7, 5, 3))
proofs.equal({
    "reference": pooling.global_average_pool2d(maps),
    "Keras": keras.layers.GlobalAveragePooling2D()(maps),
    "one big window": pooling.average_pool2d(maps, (7, 5))[:, 0, 0],
})
print((2, 7, 5, 3), "→", keras.layers.GlobalAveragePooling2D()(maps).shape)

# %% [markdown] lang="en" tags=["predict"]
# Each of the two examples is down to three numbers, one per channel.
#
# ## Or no pooling: a convolution that takes larger steps
#
# A convolution can shrink the map by itself, with a stride of 2. It then computes every second row and every second column of
# the ordinary result. What happens to the other positions is the difference: pooling computes them all, looks at them, and
# keeps the largest or the mean, while a stride never computes them.
#
# **Predict:** what share of the multiplications does the stride save, compared with convolution and pooling?

# %% [markdown] lang="zh" of="4fb89724" tags=["predict"]
# 两个样本各只剩三个数，每个通道一个。
#
# ## 或者不池化：让卷积跨大步走
#
# 卷积自己也能缩小特征图，步幅取 2 就行。它算出来的，正是普通结果中每隔一行、每隔一列的数。区别在于其余的位置：
# 池化把每个位置都算出来，看过之后留下最大值或平均数；步幅则干脆不算。
#
# **先猜：** 与“先卷积、再池化”相比，步幅省下了几成乘法？

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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Three quarters. Every second row and every second column is a quarter of the positions, and each of them costs
# the same. The output has the same shape. What it costs in accuracy, the experiment below will show.
#
# ## How much does a pooled map change when the digit moves?
#
# "Pooling makes a network invariant to small shifts", many texts say. Two properties can be tested without any training, on
# the pooled map $P(x)$ of an image $x$. The first is **equivariance**: move the image by a whole stride, and the pooled map
# moves by one position, unchanged. (This is promised for multiples of the stride only.)

# %% [markdown] lang="zh" of="5be445f8" tags=["answer"]
# **答案。** 省下四分之三。每隔一行、每隔一列，就只剩四分之一的位置，而每个位置的代价不变。输出的形状也一样。准确率会不会受损，
# 后面的实验会给出答案。
#
# ## 数字移动时，池化后的图变化有多大？
#
# 常有人说“池化使网络具有平移不变性”。设图像 $x$ 池化后得到 $P(x)$，有两个性质不用训练就能检验。第一个是**等变**（equivariance）：
# 图像移动一整个步幅，池化后的图就移动一格，数值不变。（只对步幅的整数倍有保证。）

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

# %% [markdown] lang="en" tags=["predict"]
# Moving by 2 and then pooling is the same as pooling and then moving by 1.
#
# The second property is **invariance**: the map does *not change at all*. So we measure the change, as the length of
# $P(\text{moved } x) - P(x)$ divided by the length of $P(x)$, and take the mean over 1,000 test digits. A value of 0 means
# invariance; two maps of the same length that have nothing in common differ by $\sqrt 2 \approx 1.4$.
#
# **Predict:** which way of pooling changes the map least when the digit moves by one pixel, and how much of the change does a
# window of 2 × 2 take away?

# %% [markdown] lang="zh" of="42169842" tags=["predict"]
# 先移动 2 再池化，与先池化再移动 1，结果相同。
#
# 第二个性质是**不变**（invariance）：特征图一点也不变。那就测量它变了多少：用 $P(\text{移动后的 } x) - P(x)$ 的长度除以 $P(x)$ 的长度，
# 再对 1,000 个测试样本取平均。得 0 就是完全不变；两张长度相同而毫无重合的图，相差 $\sqrt 2 \approx 1.4$。
#
# **先猜：** 数字移动一个像素时，哪种池化的图变化最小？2 × 2 的窗口能消掉多少变化？

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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Global pooling does not change at all. Among the ways that keep some of the positions, windows of 7 × 7 change
# least, and they keep little of the digit. A window of 2 × 2 takes away only about a fifth of the change, an overlapping
# window of 3 × 3 about a third. Taking every second pixel, which is all that a stride does, takes away nothing: the first
# two rows are the same. Neither maximum nor mean is the more stable everywhere.
#
# So small windows *soften* a shift, and do not undo it.

# %% [markdown] lang="zh" of="2b79d336" tags=["answer"]
# **答案。** 全局池化完全不变。在还保留一些位置信息的办法里，7 × 7 的窗口变化最小，不过数字的细节也所剩无几。2 × 2 的窗口只消掉大约五分之一的变化，
# 重叠的 3 × 3 窗口大约三分之一。每隔一个像素取一个，也就是步幅所做的全部事情，什么也没消掉：前两行完全一样。
# 最大与平均各有胜负，没有哪一种处处更稳。
#
# 可见小窗口只是减轻了平移的影响，并没有消除它。

# %% [markdown] lang="en"
# ## Try it: window and stride
#
# Move the sliders and watch the digit lose detail. **Look for** three things: a stride smaller than the window (overlap), a
# stride larger than the window (pixels that nobody looks at), and the difference between maximum and mean. Without a running
# kernel, the figure below the sliders shows four cases.

# %% [markdown] lang="zh" of="757b472f"
# ## 试一试：窗口与步幅
#
# 拖动滑块，看数字如何失去细节。**注意看**三点：步幅小于窗口（窗口重叠）、步幅大于窗口（有的像素根本没人看）、最大与平均的差别。
# 没有运行内核也不要紧，滑块下面的图给出了四种情形。

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

# %% tags=["plot"]
cases = [(2, 2), (4, 4), (4, 1), (2, 6)]
pooled = [pool_loop(digit, size, stride, reduce) for reduce in (np.max, np.mean) for size, stride in cases]
titles = [f"{name} {size}, stride {stride}" for name in ("max", "mean") for size, stride in cases]
plots.show(
    plots.grid(pooled, titles, columns=4, size=1.9, vmin=0, vmax=1),
    alt="A handwritten 3 pooled eight ways. Max pooling makes strokes thicker, average pooling makes them fainter; with a "
    "window of 2 and a stride of 6 the digit falls apart.",
    alt_zh="手写数字 3 的八种池化结果：最大池化使笔画变粗，平均池化使笔画变淡；窗口 2、步幅 6 时数字支离破碎。",
)

# %% [markdown] lang="en" tags=["predict"]
# Max pooling makes strokes thicker (upper row), average pooling makes them fainter (lower row). With a window of 2 and a stride
# of 6, most pixels are never looked at and the 3 falls apart.
#
# ## The experiment: five ways to shrink a map, or not to
#
# We take one small network with three convolutions (8, 16 and 32 channels) and build five variants that differ only in how
# the maps shrink:
#
# - **none**: the maps stay 28 × 28; this is the *baseline*;
# - **max** and **average**: pooling with a window of 2 after the first and after the second convolution;
# - **stride 2**: these two convolutions move by 2 themselves, and there is no pooling;
# - **max + global**: like max, with global average pooling in place of `Flatten`.
#
# **Predict:** which one has the fewest parameters? Which is the slowest? Which keeps its answers when the digits move by four
# pixels?

# %% [markdown] lang="zh" of="bb62d572" tags=["predict"]
# 最大池化使笔画变粗（上排），平均池化使笔画变淡（下排）。窗口为 2、步幅为 6 时，大多数像素没人看，这个 3 就支离破碎了。
#
# ## 实验：五种缩小（或不缩小）的办法
#
# 取一个小网络，有三层卷积（8、16、32 通道），做出五个变体，它们只在怎样缩小特征图这一点上不同。括号里是图例中的英文名：
#
# - **不池化**（none）：特征图保持 28 × 28，作为基线；
# - **最大池化**（max）、**平均池化**（average）：前两层卷积之后，各接一次窗口为 2 的池化；
# - **步幅 2**（stride 2）：这两层卷积自己以步幅 2 移动，不用池化；
# - **最大 + 全局**（max + global）：同最大池化，但用全局平均池化代替 `Flatten`。
#
# **先猜：** 谁的参数最少？谁最慢？数字移动四个像素之后，谁的答案最不容易变？

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
# The convolutions have the same number of parameters in all five. Pooling saved nothing there: it has no parameters itself,
# and it does not change the kernels around it. All of the difference lies in the dense layer behind it, which now has fewer
# inputs; with global pooling hardly anything is left of it. The multiplications are another matter: a convolution behind a
# pooling layer has only a quarter of the positions to visit.
#
# Now we train them on the same digits, with the same schedule and the same peak learning rate (one for all, not tuned for
# each). Global pooling learns more slowly, so it is trained twice: for as many epochs as the others, and for three times as
# many. Times are given relative to *none*, because seconds would describe your machine.

# %% [markdown] lang="zh" of="a15d0ac1"
# 五个网络的卷积层参数一样多。池化在那里一个也没省：它自己没有参数，也不改变前后卷积核的大小。差别全在后面的全连接层，因为它的输入变少了；
# 用了全局池化，全连接层就几乎不剩什么。乘法次数则是另一回事：池化之后的卷积，要走的位置只有原来的四分之一。
#
# 下面用同样的样本、同样的学习率调度来训练，学习率的峰值也相同（大家共用一个，没有为每个网络单独调）。全局池化学得慢一些，
# 所以训练两次：一次轮数与别人相同，一次是三倍。时间以不池化（none）为 1，因为秒数说的只是你的机器。

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

# %% tags=["plot", "hero", "nbval-ignore-output"]
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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** *max + global* has the fewest parameters by far and keeps its answers; *none* is the slowest per epoch. The two
# panels together say more:
#
# - **Shrinking costs no accuracy here, and it saves time.** With max pooling {{max.test_accuracy:.1%}} of the test digits are
#   classified correctly, with average pooling {{average.test_accuracy:.1%}}, without pooling {{none.test_accuracy:.1%}}. An
#   epoch takes {{max.epoch_time_ratio:.2f}} of the time. That is a smaller saving than the count of multiplications promises,
#   since starting a layer takes time as well, however small its map.
# - **The stride multiplies least.** It reaches {{stride_2.test_accuracy:.1%}}, less than max pooling with each of three seeds
#   ({{seeds:stride_2.test_accuracy:.1%}} against {{seeds:max.test_accuracy:.1%}}). Its epoch takes
#   {{stride_2.epoch_time_ratio:.2f}} of the time here. In the stored full run it is no faster than pooling
#   ({{full:stride_2.epoch_time_ratio:.2f}} against {{full:max.epoch_time_ratio:.2f}}): fewer multiplications are not always
#   less time.
# - **Small windows do not make a network invariant.** When the digits move by four pixels, {{none.kept_moved_4:.0%}} of the
#   answers stay without pooling and {{max.kept_moved_4:.0%}} with max pooling. It loses them a little later; then all the
#   networks with `Flatten` fall together. Four pixels are exactly one position of their last map (four positions where nothing
#   shrinks it), and behind `Flatten` every position has different weights.
# - **Global pooling keeps nearly all its answers**: {{global.kept_moved_4:.0%}}, and {{global_longer.kept_moved_4:.0%}} after
#   longer training.
# - **It pays for that.** Its dense layer no longer knows *where* a feature was seen. In as many epochs as the others it is clearly
#   the worst, with {{global.test_accuracy:.1%}}; in three times as many it reaches {{global_longer.test_accuracy:.1%}}.
#
# Two cautions. An answer that stays can be a wrong one: the right panel measures stability, not accuracy. And a grey bar spans
# three seeds that were run apart from this notebook: a difference no longer than a bar is no difference, and since
# machines round differently, a marker may lie a little beside its own bar.
#
# *A question for you:* the bare pooled maps above did not change at all. Why does the network with global pooling lose some
# answers? The stride is not the reason, because four pixels are a whole step of the last map. Two suspects are the zeros that
# the convolutions pad with, and strokes that leave the frame. We have tested neither; `padding="valid"` and digits with a wider
# margin would tell.

# %% [markdown] lang="zh" of="b4b4ec7f" tags=["answer"]
# **答案。** 参数最少的是最大 + 全局（max + global），答案最不容易变的也是它；每一轮最慢的是不池化（none）。把两幅图放在一起，还能看出更多：
#
# - **在这里，缩小特征图不损失准确率，还省时间。** 测试样本的准确率，最大池化是 {{max.test_accuracy:.1%}}，平均池化是
#   {{average.test_accuracy:.1%}}，不池化是 {{none.test_accuracy:.1%}}。每一轮的用时是不池化的 {{max.epoch_time_ratio:.2f}} 倍。
#   时间省得没有乘法次数那么多，因为图再小，启动一层也要花时间。
# - **步幅的乘法最少。** 它的准确率是 {{stride_2.test_accuracy:.1%}}，三个随机种子都低于最大池化（{{seeds:stride_2.test_accuracy:.1%}}，
#   最大池化是 {{seeds:max.test_accuracy:.1%}}）。这里它每一轮的用时是不池化的 {{stride_2.epoch_time_ratio:.2f}} 倍；
#   但在保存的 full 结果里，它并不比池化快（{{full:stride_2.epoch_time_ratio:.2f}} 与 {{full:max.epoch_time_ratio:.2f}}）：
#   乘法少，时间不一定就少。
# - **小窗口不能使网络具有平移不变性。** 数字移动四个像素之后，不池化的网络保住 {{none.kept_moved_4:.0%}} 的答案，最大池化保住
#   {{max.kept_moved_4:.0%}}。最大池化只是多撑了一会儿，之后凡是用 `Flatten` 的网络都一起下降。四个像素正好是最后那张图上的一格
#   （不缩小时是四格），而 `Flatten` 之后，每一格用的都是不同的权重。
# - **全局池化几乎保住了所有答案**：{{global.kept_moved_4:.0%}}，训练更久之后是 {{global_longer.kept_moved_4:.0%}}。
# - **这是有代价的。** 它的全连接层不再知道特征是在**哪里**看到的。轮数与别人相同时，它显然最差，只有 {{global.test_accuracy:.1%}}；
#   轮数是三倍时，达到 {{global_longer.test_accuracy:.1%}}。
#
# 有两点要当心。答案没变，不等于答案对：右图量的是稳定，不是准确。灰条是三个随机种子的范围，它们不是与这份 notebook 一起跑的：
# 差别不超过一根灰条的长度，就不能算差别；不同机器的舍入又略有不同，所以标记也可能稍稍偏出自己的灰条。
#
# **留给你想：** 前面单看特征图时，全局池化的结果一点也没变，为什么用它的网络还是丢了一些答案？原因不在步幅，因为四个像素正好是最后那张图的一整格。
# 有两个嫌疑：卷积在边缘补的零，以及移出画框的笔画。两者我们都没有检验；改用 `padding="valid"`，或者换成边缘更宽的图，就能见分晓。

# %% [markdown] lang="en" tags=["predict"]
# ## Formula clinic: a pooling formula without a stride
#
# Many texts give this as "max pooling": $\; y(i,j) = \max_{0 \le p < P}\ \max_{0 \le q < Q}\ x(i+p,\ j+q)$.
#
# Read it with care. When $i$ grows by 1, by how many pixels does the window move? **Predict:** how large is the output for a
# digit of 28 × 28 and a window of 2 × 2, and which Keras layer gives exactly these numbers?

# %% [markdown] lang="zh" of="b47cc910" tags=["predict"]
# ## 公式门诊：一个没有步幅的池化公式
#
# 教材里常写的“最大池化公式”：$\; y(i,j) = \max_{0 \le p < P}\ \max_{0 \le q < Q}\ x(i+p,\ j+q)$。
#
# 仔细读：$i$ 加 1，窗口移动几个像素？**先猜：** 图是 28 × 28，窗口是 2 × 2，照这个式子算，输出有多大？与 Keras 的哪一层结果相同？

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

# %% [markdown] lang="en" tags=["answer"]
# **Diagnosis.** Taken literally it is a sliding maximum: the window moves by *one* pixel, and 28 × 28 becomes 27 × 27. A pooling
# layer computes every $s$-th row and column of it, $x(s\,i+p,\ s\,j+q)$. In Keras, `strides` equals `pool_size` unless you
# say otherwise. (Image processing uses the sliding maximum too, and calls it the *dilation* of a grey image.)
#
# ### A second claim: "pooling reduces the number of parameters"
#
# A pooling layer has none, and takes none from the convolutions. Is the sentence ever true? Put a convolution behind the
# pooling, then a dense layer, and count.

# %% [markdown] lang="zh" of="71ec8fc7" tags=["answer"]
# **诊断。** 照式子算出来的是“滑动最大值”：窗口每次只移动一个像素，28 × 28 只变成 27 × 27。池化层算的是其中每隔 $s$ 行、$s$ 列的数，
# 即 $x(s\,i+p,\ s\,j+q)$；在 Keras 里，不另外说明时 `strides` 就等于 `pool_size`。（图像处理里也用滑动最大值，叫作灰度图像的膨胀。）
#
# ### 第二种说法：“池化减少参数”
#
# 池化层自己没有参数，也不会让卷积层的参数变少。这句话有没有成立的时候？在池化后面先接卷积层，再换成全连接层，各数一遍。

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
# **Diagnosis.** In front of a convolution, pooling saves no parameters at all; it saves multiplications. In front of `Flatten` and
# `Dense` it saves parameters, to about a quarter for each pooling by two, and global pooling takes this to the extreme. Say
# *where*, and the sentence becomes true.

# %% [markdown] lang="zh" of="1a52eceb"
# **诊断。** 后面接卷积时，池化一个参数也省不了，省的是乘法次数；后面接 `Flatten` 和 `Dense` 时才省参数，每做一次 2 倍池化，
# 就减少到约四分之一，全局池化则把这件事做到了头。说清楚省在哪里，这句话才成立。

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - Pooling saves time: an epoch with max pooling took {{max.epoch_time_ratio:.2f}} of the time of an epoch without, with a stride
#   of 2 {{stride_2.epoch_time_ratio:.2f}}.
# - It cost no accuracy here: {{max.test_accuracy:.1%}} with max pooling, {{none.test_accuracy:.1%}} without (three seeds:
#   {{seeds:max.test_accuracy:.1%}} and {{seeds:none.test_accuracy:.1%}}).
# - Small windows soften a small shift: after 2 pixels {{max.kept_moved_2:.0%}} of the answers were kept with max pooling,
#   {{none.kept_moved_2:.0%}} without.
# - They do not make a network invariant: after 4 pixels it was {{max.kept_moved_4:.0%}} and {{none.kept_moved_4:.0%}}, with
#   global pooling {{global_longer.kept_moved_4:.0%}}.
# - Global pooling needs time to learn: {{global.test_accuracy:.1%}} in the epochs of the others,
#   {{global_longer.test_accuracy:.1%}} in three times as many.
#
# **Formula card**
#
# | | formula |
# |---|---|
# | max pooling | $y_{i,j,c} = \max_{p,q} x_{s i+p,\; s j+q,\; c}$; the gradient goes to the largest pixel |
# | average pooling | $y_{i,j,c} = \frac{1}{P^2} \sum_{p,q} x_{s i+p,\; s j+q,\; c}$; each pixel gets $1/P^2$ of the gradient |
# | size of the output | $\lfloor (n - P) / s \rfloor + 1$ with `"valid"`, $\lceil n / s \rceil$ with `"same"` |
# | equivariant | $P(\text{moved by } s) = P(x)$ moved by 1 |
# | invariant | $P(\text{moved}) = P(x)$: for a whole map inside its frame, global pooling only |

# %% [markdown] lang="zh" of="327e641d" tags=["summary"]
# ## 你测到了什么
#
# - 池化省时间：每一轮的用时，最大池化是不池化的 {{max.epoch_time_ratio:.2f}} 倍，步幅 2 是 {{stride_2.epoch_time_ratio:.2f}} 倍。
# - 在这里，它不损失准确率：最大池化 {{max.test_accuracy:.1%}}，不池化 {{none.test_accuracy:.1%}}（三个随机种子分别是
#   {{seeds:max.test_accuracy:.1%}} 和 {{seeds:none.test_accuracy:.1%}}）。
# - 小窗口能减轻小的平移：移动 2 个像素后，最大池化保住 {{max.kept_moved_2:.0%}} 的答案，不池化保住 {{none.kept_moved_2:.0%}}。
# - 但它不能使网络具有平移不变性：移动 4 个像素后，两者是 {{max.kept_moved_4:.0%}} 和 {{none.kept_moved_4:.0%}}，全局池化是
#   {{global_longer.kept_moved_4:.0%}}。
# - 全局池化学得慢：轮数与别人相同时是 {{global.test_accuracy:.1%}}，三倍时是 {{global_longer.test_accuracy:.1%}}。
#
# **公式卡**
#
# | | 公式 |
# |---|---|
# | 最大池化 | $y_{i,j,c} = \max_{p,q} x_{s i+p,\; s j+q,\; c}$；梯度归最大的像素 |
# | 平均池化 | $y_{i,j,c} = \frac{1}{P^2} \sum_{p,q} x_{s i+p,\; s j+q,\; c}$；每个像素得梯度的 $1/P^2$ |
# | 输出大小 | `"valid"` 时 $\lfloor (n - P) / s \rfloor + 1$，`"same"` 时 $\lceil n / s \rceil$ |
# | 等变 | $P(\text{移动 } s) =$ 移动 1 格的 $P(x)$ |
# | 不变 | $P(\text{移动后}) = P(x)$：整张图在画框内移动时，只有全局池化做得到 |

# %% [markdown] lang="en"
# ### Exercise 1 · easy — the parameters of the dense layer
#
# A map of `height` × `width` × `channels` is pooled `times` times with a window and a stride of 2 (`"valid"`: a row that is left
# over is dropped), then flattened. Write `dense_parameters(height, width, channels, times, units)`: the number of parameters of
# the dense layer with `units` outputs that follows, biases included.

# %% [markdown] lang="zh" of="7ffac66d"
# ### 练习 1 · 易 —— 全连接层的参数
#
# 一张 `height` × `width` × `channels` 的特征图，用窗口和步幅都是 2 的池化做 `times` 次（`"valid"`：多出的一行舍去），然后展平。
# 写出 `dense_parameters(height, width, channels, times, units)`：后面那个有 `units` 个输出的全连接层有多少参数，包括偏置。

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
# Halve height *and* width each time, and round down each time: 7 becomes 3, then 1. Pooling leaves the channels alone. There is
# one bias per output.

# %% [markdown] lang="zh" of="0b0ea63b" tags=["hint"]
# 每次高和宽**都**减半，并且每次都向下取整：7 变 3，再变 1。池化不改变通道数。每个输出一个偏置。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — average pooling is a convolution
#
# Average pooling is a convolution with fixed weights. Write `average_kernel(size, channels)`: a kernel for
# `convolution.cross_correlate2d`, of shape (size, size, channels, channels), where the last two axes are input and output
# channels. With `stride=size` it should give exactly average pooling, and the channels must not mix.

# %% [markdown] lang="zh" of="a0701dc1"
# ### 练习 2 · 中 —— 平均池化是一种卷积
#
# 平均池化就是权重固定的卷积。写出 `average_kernel(size, channels)`：返回给 `convolution.cross_correlate2d` 用的卷积核，
# 形状是（size, size, channels, channels），后两轴分别是输入、输出通道。取 `stride=size` 时，应当恰好得到平均池化，各通道之间不能混。

# %% tags=["exercise"]
def average_kernel(size, channels):
    """A kernel (size, size, channels, channels) that averages each channel on its own."""
    ### BEGIN SOLUTION
    return np.tile(np.eye(channels) / size**2, (size, size, 1, 1))
    ### END SOLUTION

# %% tags=["check"]
exercises.check("03.average_kernel", average_kernel)

# %% [markdown] lang="en" tags=["hint"]
# How large must each weight be if $P^2$ of them are to give a mean? Output channel 0 may look at input channel 0 only: at every
# position of the window, the matrix of (in, out) is a multiple of the identity.

# %% [markdown] lang="zh" of="306f90ba" tags=["hint"]
# $P^2$ 个权重合起来要得到平均数，每个应是多大？输出通道 0 只能看输入通道 0：窗口里每个位置上，（输入，输出）矩阵都是单位矩阵的倍数。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — the backward pass of max pooling
#
# Write `max_pool_backward(upstream, image, size, stride)` for arrays of shape (height, width): the gradient with respect to the
# image, also for windows that overlap. On a tie, the first pixel in reading order gets everything.

# %% [markdown] lang="zh" of="685d310a"
# ### 练习 3 · 难 —— 最大池化的反向传播
#
# 写出 `max_pool_backward(upstream, image, size, stride)`，数组的形状为（高，宽）：返回损失对图像的梯度，窗口重叠时也要正确。
# 若有并列，梯度全部给阅读顺序中的第一个像素。

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
# Go through the windows as in `pool_loop`. `np.argmax` gives the position in the flattened window, `np.unravel_index` makes a row
# and a column of it, still *within the window*. A pixel can be the largest of more than one window: add, do not assign.

# %% [markdown] lang="zh" of="fce6a8be" tags=["hint"]
# 像 `pool_loop` 那样逐个窗口处理。`np.argmax` 给出的是窗口展平后的位置，`np.unravel_index` 把它变成行和列，但仍是**窗口内部**的坐标。
# 一个像素可能在不止一个窗口里最大，所以要累加，不要赋值。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("03")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# LeNet averaged, and trained a factor for each map ([LeCun et al. 1998](https://doi.org/10.1109/5.726791)). AlexNet took
# overlapping maxima, with a window of 3 and a stride of 2
# ([Krizhevsky, Sutskever and Hinton 2012](https://doi.org/10.1145/3065386)). Global average pooling came with *Network in
# Network* ([Lin, Chen and Yan 2013](https://arxiv.org/abs/1312.4400)) and has ended most image classifiers since. Because it keeps
# one map per feature until the last moment, one can draw *where* a network looked; chapter 8c draws such maps. Strided convolution
# replaced pooling in [Springenberg et al. 2014](https://arxiv.org/abs/1412.6806), and vision transformers cut the image into
# patches once, at the beginning ([Dosovitskiy et al. 2020](https://arxiv.org/abs/2010.11929)).
#
# - [*Dive into Deep Learning*, section 7.5](https://d2l.ai/chapter_convolutional-neural-networks/pooling.html): pooling with
#   several channels, in code.
# - Azulay and Weiss, [*Why do deep convolutional networks generalize so poorly to small image transformations?*](https://arxiv.org/abs/1805.12177)
# - Zhang, [*Making convolutional networks shift-invariant again*](https://arxiv.org/abs/1904.11486): blur before you subsample.
#   We have not measured it here; three lines in `network` would do.
#
# **What the full profile changes.** It takes all 60,000 digits and eight epochs, and shifts all the test digits. In the stored full
# run (one seed, `notebooks/results/full-03.json`) global pooling catches up. It classifies {{full:global.test_accuracy:.2%}}
# correctly, the network that shrinks nothing {{full:none.test_accuracy:.2%}} and max pooling {{full:max.test_accuracy:.2%}}; with
# three times the epochs it gains little, {{full:global_longer.test_accuracy:.2%}}. What four pixels do has not changed: global pooling
# keeps {{full:global.kept_moved_4:.0%}} of its answers, the networks with `Flatten` between {{full:stride_2.kept_moved_4:.0%}} and
# {{full:max.kept_moved_4:.0%}}, max pooling the most.
#
# Next: chapter 4 turns the last layer's scores into probabilities, and asks what makes a good loss.

# %% [markdown] lang="zh" of="90057832"
# ## 应用与延伸阅读
#
# LeNet 用的是平均，每张特征图还学一个系数（[LeCun 等，1998](https://doi.org/10.1109/5.726791)）。AlexNet 用重叠的最大池化，窗口 3、步幅 2
# （[Krizhevsky、Sutskever 与 Hinton，2012](https://doi.org/10.1145/3065386)）。全局平均池化出自 *Network in Network*
# （[Lin、Chen 与 Yan，2013](https://arxiv.org/abs/1312.4400)），此后成了多数图像分类网络的收尾；由于直到最后一刻每种特征都还保留着一张图，
# 可以画出网络看的是哪里，第 8c 章就画了这样的图。[Springenberg 等（2014）](https://arxiv.org/abs/1412.6806) 用带步幅的卷积取代了池化；
# 视觉 Transformer 则一开始就把图像切成小块（[Dosovitskiy 等，2020](https://arxiv.org/abs/2010.11929)）。
#
# - 《动手学深度学习》[6.5 节“汇聚层”](https://zh.d2l.ai/chapter_convolutional-neural-networks/pooling.html)，有多通道池化的代码；
#   邱锡鹏《神经网络与深度学习》第 5 章（卷积神经网络）也讲汇聚层。
# - Azulay 与 Weiss，[*Why do deep convolutional networks generalize so poorly to small image transformations?*](https://arxiv.org/abs/1805.12177)
# - Zhang，[*Making convolutional networks shift-invariant again*](https://arxiv.org/abs/1904.11486)：下采样之前先模糊。
#   这里没有测，在 `network` 里加三行就能试。
#
# **换成 full 配置会怎样。** 用全部 60,000 个样本训练八轮，平移实验用全部测试样本。在保存的 full 结果里（一个随机种子，见
# `notebooks/results/full-03.json`），全局池化追上来了：准确率 {{full:global.test_accuracy:.2%}}，不池化是
# {{full:none.test_accuracy:.2%}}，最大池化是 {{full:max.test_accuracy:.2%}}；轮数加到三倍也没有好多少，
# 是 {{full:global_longer.test_accuracy:.2%}}。移动四个像素的后果没有变：全局池化保住 {{full:global.kept_moved_4:.0%}} 的答案，
# 用 `Flatten` 的网络保住 {{full:stride_2.kept_moved_4:.0%}} 到 {{full:max.kept_moved_4:.0%}}，其中最大池化最多。
#
# 接下来：第 4 章把最后一层的分数变成概率，再问什么才是好的损失。
