# %% [markdown] lang="en" reads=["seeds-02"] telling=["mlp.test_accuracy", "beginner_cnn.test_accuracy", "fast_cnn.test_accuracy"]
# # 2 Convolutional networks
#
# Take pictures of handwritten digits and shuffle their pixels, all pictures in the same way. You can no longer read a
# single one. Train a network like that of chapter 1 (an MLP, in the figure) on the shuffled pictures, and it does as well as before: it
# does not even notice. A convolutional network (CNN) does notice, and falls behind an MLP that costs as much: it depends on something
# that the other never knew, namely which pixels are neighbours.
#
# The idea behind it fits into one sentence: a small window of weights slides over the picture. In this chapter you
# build it, from a loop in NumPy up to a network that reads the digit you draw.

# %% [markdown] lang="zh" of="88688090"
# # 2 卷积神经网络
#
# 把手写数字图片的像素打乱，每张都按同一个次序。打乱之后，人一张也认不出来。可是用打乱的图片去训练第 1 章那样的网络（图中的 MLP），
# 它照样学得和原来一样好，毫无察觉。卷积神经网络（CNN）就不行了，反而落到计算量相同的 MLP 后面：它靠的正是另一个网络从来不知道的事，也就是哪些像素是邻居。
#
# 背后的想法一句话就能说清：一扇由几个权重组成的小窗，在图片上滑过去。这一章从一个 NumPy 循环写起，一直写到能认出你亲手画的数字的网络。

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - write a convolution layer yourself, forward and backward, and check it against Keras;
# - see the layer as what it is: a matrix that is nearly empty and repeats the same few weights;
# - predict the output size, the parameters and the receptive field of a stack of layers before you run it;
# - build, train and judge convolutional networks in Keras, and find out *why* one network is better than another;
# - test printed "convolution formulas" by computing them, and find the ones that are wrong.
#
# **Before you start:** NumPy arrays, and what a layer, a loss, a gradient and backpropagation are (chapter 1).

# %% [markdown] lang="zh" of="1cb0a271"
# **学完这一章，你能够**
#
# - 亲手写出一个卷积层的前向与反向，并与 Keras 的结果核对；
# - 看清卷积层的真面目：一个几乎全空、反复使用同几个权重的矩阵；
# - 不运行代码，就说出一叠卷积层的输出尺寸、参数量和感受野；
# - 在 Keras 里搭建、训练、评价卷积神经网络，并弄清楚一个网络为什么比另一个好；
# - 把教材上的“卷积公式”算一算，找出其中写错的。
#
# **预备知识：** NumPy 数组；层、损失、梯度、反向传播各是什么（第 1 章）。

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

from course_utils import datasets, devices, exercises, language, plots, profiles, proofs
from course_utils import results, training
from course_utils.profiles import choose
from course_utils.reference import convolution
from course_utils.topics import convolution_figures, digit_pad, flops
from course_utils.topics.printed_formulas import along_diagonal, at, compare, positions

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("02")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: one small window, used everywhere
#
# A **kernel** is a small grid of weights. Lay it on a patch of the image, multiply weight by pixel, and add up the
# products: that gives one number. Move the kernel one pixel further and do it again. All these numbers, arranged as
# they were computed, form a **feature map**. It answers the question: *where* in the image is the thing that this
# kernel responds to?
#
# Two decisions are hidden in this. One is **locality**: an output looks at its neighbourhood and at nothing else. The
# other is **weight sharing**: the same few weights are used at every position, so a stroke that was learned in one
# corner is known in all of them.
#
# The kernel below has −1 on its left and +1 on its right. **Predict:** where will the feature map be positive (red),
# where negative (blue), and where zero (white)?

# %% [markdown] lang="zh" of="be63b0f2" tags=["predict"]
# ## 核心思想：一扇小窗，处处通用
#
# **卷积核**（kernel）是一小格权重。把它盖在图像的一块上，权重与像素对应相乘，再把乘积全部相加，就得到一个数。
# 往旁边挪一个像素，再算一次。把这些数按计算时的位置排好，就是**特征图**（feature map）。它回答的问题是：这个核要找的东西，在图像的什么地方？
#
# 这里有两个决定。一是**局部性**（locality）：每个输出只看自己周围的一小块，别处一概不看。二是**权重共享**（weight sharing）：
# 每个位置用的都是同几个权重，所以在一个角落学会的笔画，到哪里都认得。
#
# 下面的核左边是 −1，右边是 +1。**先猜：** 特征图上哪里为正（红），哪里为负（蓝），哪里为零（白）？

# %%
digits = datasets.mnist()
digit = digits.x_train[7] / 255  # a handwritten 3, values 0 to 1
edge_kernel = np.array([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])

def cross_correlate(image, kernel):
    size, (rows, columns) = len(kernel), np.array(image.shape) - len(kernel) + 1
    feature_map = np.zeros((rows, columns))
    for row, column in np.ndindex(rows, columns):
        patch = image[row : row + size, column : column + size]
        feature_map[row, column] = np.sum(patch * kernel)
    return feature_map

feature_map = cross_correlate(digit, edge_kernel)
print(digit.shape, "image;", edge_kernel.shape, "kernel;", feature_map.shape, "map")
convolution_figures.sliding_window(digit, edge_kernel, feature_map)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Red where ink begins, coming from the left: the right column of the window is on the stroke, the left
# one is not yet. Blue where the stroke ends. White where both columns see the same, on the empty background as well
# as in the middle of a thick stroke. This kernel finds vertical edges. Move the window with the sliders, then change
# the nine numbers in the cell and run it again: which kernel finds *horizontal* edges? (The same one, rows and columns swapped.)
#
# ## From the formula to Keras
#
# For an image $x$ and a kernel $w$ of $K \times K$ numbers, counting from 0:
#
# $$ y_{i,j} = b + \sum_{u=0}^{K-1} \sum_{v=0}^{K-1} x_{i+u,\;j+v}\; w_{u,v} $$
#
# Here $i, j$ is the position in the feature map, $u, v$ the position in the kernel, and $b$ one bias for the whole
# map (0 in our loop). The kernel is slid as it is. In mathematics this is called **cross-correlation**; convolution, strictly
# speaking, first rotates the kernel by 180°. Deep-learning libraries compute the first and call it the second. What
# that means is tested at the end.
#
# Is this what Keras computes? We compare our loop with the course's vectorised reference
# (`course_utils.reference.convolution`, which has no loop over pixels and is worth reading) and with
# `keras.ops.conv`. Keras wants images as (batch, height, width, channels) and kernels as (height, width, input
# channels, output channels).

# %% [markdown] lang="zh" of="394243f1" tags=["answer"]
# **答案。** 从左往右看，笔画开始的地方是红的：窗口的右列已经压在笔画上，左列还没有。笔画结束的地方是蓝的。两列看到的一样，就是白的：
# 空白的背景如此，粗笔画的内部也如此。所以这个核找的是竖直边缘。拖动滑块，移动窗口看一看；再改一改单元格里那九个数，重新运行：
# 什么样的核能找到水平边缘？（就是同一个核，行列互换。）
#
# ## 从公式到 Keras
#
# 设图像为 $x$，卷积核 $w$ 有 $K \times K$ 个数，下标都从 0 开始：
#
# $$ y_{i,j} = b + \sum_{u=0}^{K-1} \sum_{v=0}^{K-1} x_{i+u,\;j+v}\; w_{u,v} $$
#
# $i, j$ 是特征图上的位置，$u, v$ 是核内的位置，$b$ 是整张特征图共用的一个偏置（上面的循环里是 0）。核原样滑动，不旋转。
# 数学上这叫**互相关**（cross-correlation）；严格意义上的卷积（convolution）要先把核旋转 180°。
# 深度学习库算的是前者，用的却是后者的名字。这会有什么影响，章末会逐一检验。
#
# Keras 算的也是这个吗？拿我们的循环，与课程的向量化参考实现（`course_utils.reference.convolution`，里面没有逐像素的循环，值得一读）
# 和 `keras.ops.conv` 比一比。Keras 的图像形状是（批量，高，宽，通道），核的形状是（高，宽，输入通道，输出通道）。

# %%
images = digit[None, ..., None]  # (1, 28, 28, 1)
kernels = edge_kernel[..., None, None]  # (3, 3, 1, 1)
proofs.equal({
    "loop": feature_map[None, ..., None],
    "reference": convolution.cross_correlate2d(images, kernels),
    "Keras": keras.ops.conv(images, kernels),
})

# %% [markdown] lang="en" tags=["predict"]
# Three ways, the same numbers.
#
# ## The layer as a matrix
#
# The dense layer of chapter 1 was a matrix: every output is connected with every input, each connection with a weight
# of its own. The sum in the formula is linear in the pixels as well, so a convolution must also be a matrix $M$:
# write the image as one long column, and $y = M x$, apart from the bias. (Chapter 1 had one example per *row*, $XW$; with columns, $M$
# plays the part of $W^\top$.) What does it look like?
#
# To find out, show the loop an image in which a single pixel is 1. $M$ times such a column picks out one column of $M$. We take an
# image of 8 × 8, which is 64 pixels, so the feature map has 6 × 6 = 36 numbers, and a kernel with nine different
# weights.
#
# **Predict:** of the 36 · 64 = 2,304 entries of the matrix, how many are not zero? And how many *different* weights
# are among them?

# %% [markdown] lang="zh" of="b50e5931" tags=["predict"]
# 三种算法，结果一致。
#
# ## 把一层写成矩阵
#
# 第 1 章的全连接层就是一个矩阵：每个输出都与每个输入相连，每条连接各有一个权重。公式里的求和对像素来说也是线性的，
# 所以卷积也一定是某个矩阵 $M$：把图像排成一长列，（先不管偏置）就有 $y = M x$。（第 1 章一个样本是一行，写作 $XW$；
# 这里是一列，$M$ 相当于那里的 $W^\top$。）这个矩阵长什么样？
#
# 要知道它，只需把“只有一个像素为 1”的图像交给循环：$M$ 乘以这样的一列，得到的正是 $M$ 的一列。取 8 × 8 的图像，共 64 个像素，特征图就有
# 6 × 6 = 36 个数；核里放九个互不相同的权重。
#
# **先猜：** 矩阵共有 36 · 64 = 2,304 个元素，其中多少个不是零？这些不是零的元素里，不同的权重又有几个？

# %%
nine_weights = np.arange(1.0, 10).reshape(3, 3)  # 1 to 9
one_pixel_each = np.eye(64).reshape(64, 8, 8)
columns = [cross_correlate(image, nine_weights).ravel() for image in one_pixel_each]
matrix = np.stack(columns, axis=1)  # (36, 64)
small = digit[8:16, 10:18]  # a corner of the 3, (8, 8)

by_matrix, by_sliding = matrix @ small.ravel(), cross_correlate(small, nine_weights)
proofs.equal({"matrix @ image": by_matrix, "sliding": by_sliding.ravel()})
different = np.unique(matrix[matrix != 0])
print(matrix.size, "entries,", np.count_nonzero(matrix), "not 0; different:", different)
convolution_figures.matrices(matrix, height=8)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** 36 outputs see 9 pixels each, so 324 entries are not zero, and they are the same nine weights over and over.
# Read the figure from left to right: take a dense layer; cut all connections to pixels that are not close (locality);
# let all positions use the same weights (sharing). What is left is the convolution. So it is no new kind of
# calculation. It is a dense layer that was told two things about images beforehand, and therefore has to learn 9
# numbers instead of 2,304.
#
# ## Backward: the same matrix, transposed
#
# Training needs the gradient of a loss $L$. Let $g_{i,j} = \partial L / \partial y_{i,j}$ be what arrives from the
# layer above. You know the rule from chapter 1: *the error goes back along the same connections.* For a matrix that
# means $\partial L/\partial x = M^\top g$: row $k$ of $M$ lists what output $k$ reads, column $l$ lists who reads pixel $l$, and the backward
# pass collects over the columns. It is the last panel of the figure, which turns 36 numbers into 64. And each
# weight gets *error times input*, but since it was used at 36 positions, it collects all of them:
#
# $$ \frac{\partial L}{\partial w_{u,v}} = \sum_{i,j} g_{i,j}\; x_{i+u,\;j+v} \qquad
#    \frac{\partial L}{\partial x_{r,s}} = \sum_{u,v} g_{r-u,\;s-v}\; w_{u,v} $$
#
# ($g$ counts as 0 outside its map.) The second formula says: pixel $(r, s)$ was met by weight $(u, v)$ in the window that starts at
# $(r-u, s-v)$. As $u$ grows, the index of $g$ falls, so the kernel is read backwards, which is the same as sliding a kernel that was rotated by
# 180° over $g$: a *true* convolution. The bias takes part in every output, so $\partial L/\partial b = \sum_{i,j} g_{i,j}$. In code, both are one line each in the same loop: every window hands its error to the weights and to
# the pixels it had used.

# %% [markdown] lang="zh" of="bc5557d5" tags=["answer"]
# **答案。** 36 个输出各看 9 个像素，所以有 324 个元素不是零，而翻来覆去只是九个权重。从左往右看这张图：先有一个全连接层；
# 把通向远处像素的连接全部剪掉（局部性）；再让所有位置共用同一组权重（共享）。剩下的就是卷积。所以卷积并不是什么新的运算，
# 它就是一个全连接层，只不过事先知道了关于图像的两件事，于是要学的不再是 2,304 个数，而是 9 个。
#
# ## 反向：同一个矩阵的转置
#
# 训练需要损失 $L$ 的梯度。设后一层传回 $g_{i,j} = \partial L / \partial y_{i,j}$。规则在第 1 章已经见过：误差沿原来的连接返回。
# 对矩阵来说，就是 $\partial L/\partial x = M^\top g$：$M$ 的第 $k$ 行写着输出 $k$ 看哪些像素，第 $l$ 列写着哪些输出看过像素 $l$，反向时按列相加。
# 这就是图中最后一格，它把 36 个数变成 64 个。每个权重得到的是“误差乘以输入”；
# 既然它在 36 个位置上都用过，就要把 36 份加起来：
#
# $$ \frac{\partial L}{\partial w_{u,v}} = \sum_{i,j} g_{i,j}\; x_{i+u,\;j+v} \qquad
#    \frac{\partial L}{\partial x_{r,s}} = \sum_{u,v} g_{r-u,\;s-v}\; w_{u,v} $$
#
# （$g$ 在自己的图外按 0 算。）第二个式子说的是：像素 $(r, s)$ 被从 $(r-u, s-v)$ 开始的那个窗口用过，用的是权重 $(u, v)$。$u$ 增大时 $g$ 的下标减小，
# 核是倒着读的，等于把核旋转 180° 再在 $g$ 上滑动，这才是真正的卷积。偏置参与了每一个输出，所以 $\partial L/\partial b = \sum_{i,j} g_{i,j}$。写成代码，两者在同一个循环里各占一行：
# 每个窗口把误差分给它用过的权重和像素。

# %%
def backward(upstream, image, kernel):
    image_gradient, kernel_gradient = np.zeros(image.shape), np.zeros(kernel.shape)
    size = len(kernel)
    for row, column in np.ndindex(upstream.shape):
        window = np.s_[row : row + size, column : column + size]
        kernel_gradient += upstream[row, column] * image[window]
        image_gradient[window] += upstream[row, column] * kernel
    return image_gradient, kernel_gradient

upstream = np.random.default_rng(SEED).normal(size=(6, 6))  # g
image_gradient, kernel_gradient = backward(upstream, small, nine_weights)
print("∂L/∂x", image_gradient.shape, " ∂L/∂w", kernel_gradient.shape)

# %%
def loss(image, kernel):
    return np.sum(upstream * cross_correlate(image, kernel))

x, w, g = (tf.constant(a[..., None, None]) for a in (small, nine_weights, upstream))
x, g = x[None, ..., 0], g[None, ..., 0]  # (1, 8, 8, 1), (1, 6, 6, 1)
with tf.GradientTape() as tape:
    tape.watch([x, w])
    total = tf.reduce_sum(g * keras.ops.conv(x, w))
of_x, of_w = tape.gradient(total, [x, w])
nudges = proofs.finite_differences(lambda kernel: loss(small, kernel), nine_weights)
proofs.equal({"∂L/∂w": kernel_gradient, "nudges": nudges, "tape": of_w[..., 0, 0]})
nudges = proofs.finite_differences(lambda image: loss(image, nine_weights), small)
proofs.equal({"∂L/∂x": image_gradient, "nudges": nudges, "tape": of_x[0, ..., 0],
              "transposed matrix": (matrix.T @ upstream.ravel()).reshape(8, 8),
              "conv_transpose": keras.ops.conv_transpose(g, w, strides=1)[0, ..., 0]})

# %% [markdown] lang="en" tags=["predict"]
# Loop, nudges, `GradientTape`, the transposed matrix and a function of Keras: all ways, one gradient. (The loss of the check, the sum of
# $g$ times $y$, was chosen because its slopes at the outputs are exactly $g$.) The last way has a name. Used as a layer of its own, the transposed
# matrix is the **transposed convolution** (`Conv2DTranspose`), which makes feature maps *larger*, in networks that generate
# images or outline objects in them. You may also read "deconvolution". The name misleads: it brings back the size and not the image.
#
# ## Colour: kernels on a photograph
#
# A colour image has three **channels**, red, green and blue; later layers may have hundreds. A kernel is as deep as
# its input, and there is one kernel for each output channel $o$:
#
# $$ y_{i,j,o} = b_o + \sum_{u,v,c} x_{i+u,\;j+v,\;c}\; w_{u,v,c,o} \qquad
#    \text{parameters} = K \cdot K \cdot C_{\text{in}} \cdot C_{\text{out}} + C_{\text{out}} $$
#
# Before networks learned them, people chose kernels by hand. The photograph comes with Matplotlib and shows Grace
# Hopper, who wrote one of the first compilers. *Blur* averages 49 pixels, *sharpen* adds the difference between a
# pixel and its neighbours, *edges* subtract neighbours (shown is the size of the result, without its sign), and *red,
# not grey* is a kernel of **1 × 1**: it sees one pixel and mixes its channels.
#
# **Predict:** think of a grey wall. For which kernels must the weights add up to 1, so that it stays as it is? For
# which to 0, so that it becomes black?

# %% [markdown] lang="zh" of="3dbe6ad8" tags=["predict"]
# 循环、拨动、`GradientTape`、转置矩阵、Keras 的函数，几种算法得到同一个梯度。（核对时用的损失是 $g$ 与 $y$ 逐个相乘再相加，这样它对输出的斜率正好是 $g$。）
# 最后一种有个名字：把转置矩阵单独拿出来当一层用，就是**转置卷积**（transposed convolution，`Conv2DTranspose`），用来把特征图变大，
# 生成图像的网络、勾画物体轮廓的网络都用它。有人叫它“反卷积”，这个名字会误导人：它还原的只是尺寸，并不能还原图像。
#
# ## 彩色：照片上的卷积核
#
# 彩色图像有红、绿、蓝三个**通道**（channel），网络里靠后的层可能有几百个。核的深度与输入相同，每个输出通道 $o$ 各有一个核：
#
# $$ y_{i,j,o} = b_o + \sum_{u,v,c} x_{i+u,\;j+v,\;c}\; w_{u,v,c,o} \qquad
#    \text{参数量} = K \cdot K \cdot C_{\text{in}} \cdot C_{\text{out}} + C_{\text{out}} $$
#
# 在网络学会自己找卷积核之前，核是人工设计的。这张照片随 Matplotlib 一起安装，照片上是格蕾丝·霍珀（Grace Hopper），最早的编译器之一出自她手。
# 模糊（blur）取 49 个像素的平均；锐化（sharpen）把像素与邻居的差再加回去；边缘（edges）让邻居相减（图中画的是结果的大小，不计正负）；
# “偏红之处”（red, not grey）用的是 **1 × 1** 的核：只看一个像素，把它的三个通道混合起来。
#
# **先猜：** 想象一面灰墙。哪些核的权重之和必须是 1，墙才能保持原样？哪些必须是 0，墙才会变黑？

# %%
photo = convolution_figures.photograph()  # (150, 150, 3): red, green, blue, 0 to 1
edges = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])[..., None, None]
sharper = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])[..., None, None]
each_by_itself, mean_of_three = np.eye(3), np.full((3, 1), 1 / 3)
photo_kernels = {
    "blur": np.full((7, 7, 1, 1), 1 / 49) * each_by_itself,
    "sharpen": sharper * each_by_itself,
    "vertical edges": edges * mean_of_three,
    "horizontal edges": edges.swapaxes(0, 1) * mean_of_three,
    "red, not grey": np.reshape([1, -0.5, -0.5], (1, 1, 3, 1)),
}
for name, kernel in photo_kernels.items():
    print(f"{name:17} {kernel.shape}, sums {kernel.sum(axis=(0, 1, 2)).round(6) + 0.0}")
convolution_figures.photographs(photo, photo_kernels)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Blur and sharpen keep the wall: their weights add up to 1 for each output channel. Edges and *red, not
# grey* add up to 0 and answer "nothing here" wherever there is no difference, in space or in colour. So *red, not
# grey* finds the red stripe of the flag (the skin and the golden cord are bright as well) without any knowledge of flags. The first layers of
# networks that were trained on photographs contain such kernels, edges and colour blobs, although nobody put them
# there ([Krizhevsky, Sutskever and Hinton 2012](https://doi.org/10.1145/3065386), figure 3).
#
# ## How large is the output?
#
# A window of 3 has 26 positions on 28 pixels. Three choices change that. **Stride** $s$: move $s$ pixels at a time, which makes the map
# smaller and everything after it cheaper. **Padding**: put zeros around the image, so that the border is seen as often as the middle; in Keras
# `"valid"` puts none and `"same"` as many as keep the size at stride 1. **Dilation** $d$: pull the kernel apart, $d$ pixels from weight to
# weight, so that it covers $d\,(K-1)+1$ pixels and sees further with the same weights.
#
# (A transposed convolution with stride 2 makes a map about twice as wide. If the kernel is not a multiple of the stride, its windows overlap
# unevenly, $1\,1\,2\,1\,2\,1\,2\,1\,1$ for a kernel of 3, and leave a checkerboard ([Odena, Dumoulin and Olah
# 2016](https://doi.org/10.23915/distill.00003)); many networks enlarge the image first and then convolve.)
#
# ### Exercise 1 · easy — the size of the output
#
# Write `output_size(size, kernel, stride, padding, dilation)` for one axis: at how many positions does the kernel
# fit? Here `padding` is the number of zeros on **each** side (PyTorch's convention; Keras has words instead). The
# check compares your function with Keras' layers.

# %% [markdown] lang="zh" of="db5e176b" tags=["answer"]
# **答案。** 模糊和锐化不改变灰墙：对每个输出通道，权重之和都是 1。边缘和“偏红之处”的权重之和是 0，凡是没有差别的地方（无论空间上还是颜色上），
# 它们都回答“这里什么也没有”。于是“偏红之处”找出了旗帜上的红条（皮肤和金色的绳子也亮），而它对旗帜一无所知。在照片上训练的网络，第一层里也会出现这样的核：边缘和色块，
# 尽管没有人放进去（[Krizhevsky、Sutskever 与 Hinton，2012](https://doi.org/10.1145/3065386)，图 3）。
#
# ## 输出有多大？
#
# 宽 3 的窗口在 28 个像素上有 26 个位置。有三个选择会改变这个数。**步幅**（stride）$s$：每次移动 $s$ 个像素，特征图变小，后面的计算也省了。
# **填充**（padding）：在图像四周补零，让边缘的像素也被看够；Keras 里 `"valid"` 不补，`"same"` 补到步幅为 1 时尺寸不变。
# **空洞率**（dilation rate，又称膨胀率）$d$：把核拉开，相邻两个权重相距 $d$ 个像素，
# 于是核覆盖 $d\,(K-1)+1$ 个像素，权重不增加，却看得更远。
#
# （步幅为 2 的转置卷积，把特征图的边长变为原来的大约 2 倍。核的大小不是步幅的整数倍时，窗口重叠得不均匀，核为 3 时各处重叠的次数是 $1\,1\,2\,1\,2\,1\,2\,1\,1$，
# 输出就会带上棋盘格（[Odena、Dumoulin 与 Olah，2016](https://doi.org/10.23915/distill.00003)），所以不少网络改为先放大图像，再做普通卷积。）
#
# ### 练习 1 · 易 —— 输出的尺寸
#
# 写出一条轴上的 `output_size(size, kernel, stride, padding, dilation)`：
# 核总共能放在几个位置上？这里 `padding` 是**每一侧**补零的个数
# （PyTorch 的约定；Keras 用的是单词）。检查程序会拿你的函数与 Keras 的层对照。

# %% tags=["exercise"]
def output_size(size, kernel, stride, padding, dilation):
    """Number of positions of the kernel along one axis."""
    ### BEGIN SOLUTION
    covered = dilation * (kernel - 1) + 1
    return (size + 2 * padding - covered) // stride + 1
    ### END SOLUTION

# %% tags=["check"]
exercises.check("02.output_size", output_size)

# %% [markdown] lang="en" tags=["hint"]
# The first position is free: it needs no step. How many whole steps of `stride` fit into what is left of the padded
# axis beside the kernel? `//` drops the remainder. And with dilation, how many pixels does the kernel cover?

# %% [markdown] lang="zh" of="83d4565f" tags=["hint"]
# 第一个位置不用走就有。补零之后，除去核占掉的长度，剩下的还能走几个完整的步幅？`//` 会舍去余数。有空洞时，核占掉的又是几个像素？

# %% [markdown] lang="en"
# ## What can one output see?
#
# One layer of 3 × 3 sees 3 pixels across. In a stack, each layer looks through the windows of the layers below, so an
# output sees more and more of the image: its **receptive field** grows. How fast? Measure it: ask for the gradient of
# *one* output with respect to every pixel. Where it is zero, this output cannot see. Each line below is a stack of
# layers (kernel, stride, dilation), the one next to the image first.

# %% [markdown] lang="zh" of="1c3808fe"
# ## 一个输出能看见多大一块？
#
# 一层 3 × 3 的卷积能看见 3 个像素宽。层叠起来，每一层都透过下面各层的窗口去看，一个输出看见的范围就越来越大，
# 这个范围叫**感受野**（receptive field）。它长得多快？量一量就知道：求某一个输出对每个像素的梯度，梯度为零的地方，这个输出就看不见。
# 下面每一行是一叠卷积层（核，步幅，空洞率），靠近图像的层在前。

# %%
def pixels_seen(stack):
    image = tf.ones((1, 63, 63, 1))
    with tf.GradientTape() as tape:
        tape.watch(image)
        output = image
        for kernel, stride, dilation in stack:  # kernels of ones: nothing cancels
            ones = tf.ones((kernel, kernel, 1, 1))
            output = keras.ops.conv(output, ones, stride, dilation_rate=dilation)
        one_output = output[0, output.shape[1] // 2, output.shape[2] // 2, 0]
    seen = np.flatnonzero(np.any(tape.gradient(one_output, image)[0, ..., 0], axis=0))
    return seen[-1] - seen[0] + 1
for stack in [[(3, 1, 1)], [(3, 1, 1), (3, 1, 1)], [(3, 2, 1), (3, 1, 1)],
              [(5, 2, 1), (3, 2, 1), (3, 2, 1)], [(3, 1, 1), (3, 1, 2), (3, 1, 4)]]:
    print(f"{pixels_seen(stack):3} pixels: {stack}")

# %% [markdown] lang="en"
# Two layers of 3 see 5 pixels, not 9 and not 6: each layer adds its reach, $K - 1 = 2$. A stride of 2 in the first layer doubles what the *next*
# one adds, since one step of it is two pixels of the image, and
# three layers whose dilation doubles see as far as seven without.
#
# ### Exercise 2 · hard — the receptive field
#
# Write `receptive_field(stack)`, which predicts these numbers from the list of `(kernel, stride, dilation)` without
# any image. Then find out how many layers of 3 × 3 with stride 1 are needed until one output sees a whole digit of 28
# pixels, and how many if the dilations are 1, 2, 4, 8, …

# %% [markdown] lang="zh" of="39132de4"
# 两层 3 × 3 看见 5 个像素，不是 9 个，也不是 6 个：每加一层只多看 $K - 1 = 2$ 个。第一层步幅为 2 时，下一层走一步相当于原图两个像素，
# 所以能添上的多一倍；三层的空洞率逐层翻倍，看到的就和七层不带空洞的一样远。
#
# ### 练习 2 · 难 —— 感受野
#
# 写出 `receptive_field(stack)`：不用图像，只凭 `(核, 步幅, 空洞率)` 的列表，就算出上面这些数。然后想一想：
# 步幅为 1 的 3 × 3 卷积要叠多少层，一个输出才能看见 28 像素宽的整个数字？如果空洞率依次取 1、2、4、8……呢？

# %% tags=["exercise"]
def receptive_field(stack):
    """Pixels that one output of the stack sees, along one axis."""
    ### BEGIN SOLUTION
    field, jump = 1, 1
    for kernel, stride, dilation in stack:
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return field
    ### END SOLUTION

# %% tags=["check"]
exercises.check("02.receptive_field", receptive_field)

# %% [markdown] lang="en" tags=["hint"]
# Keep two numbers while you go up: the field so far, and how many image pixels one step in the present layer means
# (the *jump*). A layer of $K$ reaches $(K - 1)\,d$ steps further. Its own stride matters for the layers *above* it, not
# for itself. (To compare: fourteen layers see 29 pixels; with dilations that double, four layers see 31.)

# %% [markdown] lang="zh" of="438fabbb" tags=["hint"]
# 自下而上时记住两个数：到目前为止的感受野，以及在当前这一层走一步相当于原图的几个像素（跳距，jump）。宽 $K$ 的一层往外多看 $(K - 1)\,d$ 步。
# 它自己的步幅只影响上面的层，不影响它自己。（供核对：14 层看见 29 个像素；空洞率逐层翻倍时，4 层就看见 31 个。）

# %% [markdown] lang="en"
# ## A convolutional network in Keras
#
# The first listing that most people meet has two convolutions and needs two more kinds of layers. `MaxPooling2D(2)`
# cuts the map into squares of 2 × 2 and keeps the largest number of each (**pooling**, chapter 3), so the map is half as wide; an odd last row
# and column are dropped.
# `Flatten` writes the last map as one long row for the dense layers of chapter 1. Check two rows of the summary by
# hand: 3·3·1·32 + 32 parameters in the first convolution, 3·3·32·64 + 64 in the second. The size of the image does
# not occur in either. In which layer are *most* of the parameters?

# %% [markdown] lang="zh" of="a4cf9f1c"
# ## 用 Keras 写一个卷积网络
#
# 最常见的入门代码就是下面这样：两层卷积，外加两种新的层。`MaxPooling2D(2)` 把特征图切成 2 × 2 的方块，每块只留最大的数（**池化**，第 3 章），
# 特征图的边长就减半（边长是奇数时，丢掉余下的一行一列）。`Flatten` 把最后的特征图排成一长行，交给第 1 章的全连接层。请手算 `summary` 输出里的两行：第一层卷积有
# 3·3·1·32 + 32 个参数，第二层有 3·3·32·64 + 64 个，都与图像的大小无关。那么，参数最多的是哪一层？

# %%
keras.utils.set_random_seed(SEED)
with strategy.scope():
    beginner = keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),  # (26, 26, 32)
        layers.MaxPooling2D(2),  # (13, 13, 32)
        layers.Conv2D(64, 3, activation="relu"),  # (11, 11, 64)
        layers.MaxPooling2D(2),  # (5, 5, 64)
        layers.Flatten(),  # (1600,)
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])
    beginner.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
beginner.summary()

# %% tags=["nbval-ignore-output"]
count = choose(smoke=640, laptop=6_000, full=58_000)
epochs = choose(smoke=2, laptop=3, full=8)
x_train, y_train = datasets.as_images(digits.x_train[:count]), digits.y_train[:count]
x_valid, y_valid = datasets.as_images(digits.x_train[-2_000:]), digits.y_train[-2_000:]
x_test, y_test = datasets.as_images(digits.x_test), digits.y_test

watch = training.EpochTimer()
history = beginner.fit(x_train, y_train, batch_size=32, epochs=epochs, verbose=0,
                       validation_data=(x_valid, y_valid), callbacks=[watch]).history
convolution_figures.loss_curve(history)
results.record("beginner_cnn.seconds", sum(watch.seconds), unit="s", digits=1)
accuracy = training.accuracy(beginner, x_test, y_test, batch_size=200)
results.record("beginner_cnn.test_accuracy", accuracy)

# %% [markdown] lang="en"
# Most of the parameters are not in the convolutions at all: five sixths of them belong to the first dense layer,
# which connects 1,600 numbers with 64. The training loss falls from epoch to epoch. The validation loss hardly moves
# after the second epoch: from there on, the network seems mostly to get better at digits that it has already seen. (The training loss starts
# higher because it is the mean of a whole epoch, in which the weights were still worse.)
# {{beginner_cnn.test_accuracy:.1%}} of the test digits are classified correctly; they are a little harder than those for validation. (This chapter
# asks the test digits several times, to compare networks. No setting below was chosen by them.)
#
# Is that a lot? We compare with a *baseline*, the **MLP** (multi-layer perceptron) of chapter 1, here with 6,000 digits and Adam, and with the second
# listing that most people meet: a **deeper beginner's CNN** with a third convolution. All three get the same digits,
# the same optimiser and the same number of epochs. (`training.fit` is Keras' `fit`. It is silent, adds the seconds of
# each epoch to the history, and can resume a long run that was interrupted.)

# %% [markdown] lang="zh" of="754d27c3"
# 参数大多不在卷积层：六分之五都在第一个全连接层，它要把 1,600 个数与 64 个单元相连。训练损失逐轮下降；
# 验证损失从第二轮起几乎不再变化，看来从那以后，网络主要是在已经见过的样本上变好。（训练损失开头偏高，因为它是整轮的平均，而那一轮前面几步的权重，还不如轮末的好。）
# 测试集上有 {{beginner_cnn.test_accuracy:.1%}} 识别正确；测试样本比验证样本稍难一点。（本章多次用测试集来比较网络，但下面的任何设置都不是根据它选的。）
#
# 这算多吗？我们拿它与基线比较，也就是第 1 章的 **MLP**（多层感知机，这里用 6,000 个样本和 Adam）；再与另一份常见的代码比较，即多一层卷积的**加深的入门 CNN**
# （deeper beginner's CNN）。三个网络用同样的样本、同样的优化器、同样的轮数。
# （`training.fit` 就是 Keras 的 `fit`，只是不打印进度，在历史里多记每轮的秒数，长时间训练中断之后还能接着跑。）

# %% tags=["nbval-ignore-output"]
trained = {}
mlp = [layers.Flatten(), layers.Dense(128, "relu"), layers.Dense(10, "softmax")]
deeper = [
    layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, activation="relu"), layers.Flatten(),  # (3, 3, 64), (576,)
    layers.Dense(64, "relu"), layers.Dense(10, "softmax"),
]
for name, stack in [("mlp", mlp), ("deeper_beginner_cnn", deeper)]:
    with strategy.scope():
        model = trained[name] = keras.Sequential([keras.Input((28, 28, 1)), *stack])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    training.fit(model, x_train, y_train, name=name, epochs=epochs, batch_size=32)
    accuracy = training.accuracy(model, x_test, y_test, batch_size=200)
    results.record(f"{name}.test_accuracy", accuracy)

# %% [markdown] lang="en" tags=["predict"]
# The MLP is behind both CNNs. Between the two CNNs, one run cannot decide: with three random seeds they reach
# {{seeds:beginner_cnn.test_accuracy:.1%}} and {{seeds:deeper_beginner_cnn.test_accuracy:.1%}}. Where such ranges
# overlap, do not call one of them better.
#
# ## Better, but why? What else could explain it?
#
# "CNNs are better at images" is a claim, and the numbers above do not prove it. The beginner's CNN has more parameters; it
# computes about 25 times as much for each image; perhaps the recipe happens to suit it. So we make the comparison
# fair, and then take away the one thing that should explain the lead.
#
# - The **fast CNN** is the course's own: strides instead of pooling, few channels where the map is large, batch
#   normalisation, and a learning rate that rises and falls (one cycle, chapter 5a). **Batch normalisation** (chapter 2a) brings each channel to mean 0
#   and spread 1 over the batch, then scales and shifts it; the shift takes the place of the bias.
# - Two MLPs get the *same* normalisation, optimiser, learning rates, epochs and digits. One has as many
#   **parameters** as the fast CNN (same size), the other needs as many **multiplications** (same work).
# - Then all three learn again, on digits whose 784 pixels were **shuffled**, every picture in one and the same order.
#   No information is lost. Only the neighbourhoods are gone.
#
# You have seen the result at the top. **Predict** all the same, without looking: who is best in order, who is best shuffled, whose error does not
# change, and why?

# %% [markdown] lang="zh" of="664d55a9" tags=["predict"]
# MLP 不如两个 CNN。两个 CNN 之间，一次训练分不出高下：换三个随机种子，
# 准确率分别是 {{seeds:beginner_cnn.test_accuracy:.1%}} 和
# {{seeds:deeper_beginner_cnn.test_accuracy:.1%}}。两个范围一旦重叠，就不要说谁更好。
#
# ## 好在哪里？会不会另有原因？
#
# “CNN 更擅长处理图像”只是一个说法，上面的数字证明不了它。入门 CNN 的参数更多，处理一张图的计算量约为 MLP 的 25 倍，也可能训练方法碰巧适合它。
# 所以先把比较做公平，再把我们怀疑的那个原因拿掉，看优势还在不在。
#
# - **快速 CNN**（fast CNN）是本课程自己设计的：用步幅代替池化，特征图大的地方通道少，加上批量归一化，学习率先升后降
#   （单周期学习率，第 5a 章）。**批量归一化**（batch normalisation，第 2a 章）把每个通道在这一批里的数调到均值 0、标准差 1，再乘一个数、加一个数；
#   既然加了这个数，前一层就不需要偏置了。
# - 两个 MLP 用同样的归一化、优化器、学习率、轮数和样本。一个的**参数**与快速 CNN 一样多（same size），
#   另一个的**乘法次数**与它一样多（same work）。
# - 然后三个网络再训练一遍，这次把每张图的 784 个像素**打乱**（shuffled），所有图片用同一个次序。信息一点没丢，没有了的只是邻居关系。
#
# 结果在开头的图里已经见过。**先别回头看，猜一猜：** 不打乱时谁最好？打乱之后谁最好？谁的错误率不变？为什么？

# %%
def block(layer):
    return [layer, layers.BatchNormalization(momentum=0.9), layers.ReLU()]

def network(*hidden):  # ten scores; the softmax is in the loss
    return keras.Sequential([keras.Input((28, 28, 1)), *hidden, layers.Dense(10)])

def fast_cnn():
    return network(
        *block(layers.Conv2D(16, 7, strides=3, use_bias=False)),  # (8, 8, 16)
        *block(layers.Conv2D(32, 3, use_bias=False)),  # (6, 6, 32)
        *block(layers.Conv2D(64, 3, use_bias=False)),  # (4, 4, 64)
        layers.Flatten(),  # (1024,)
    )
def normalised_mlp(units):
    return network(layers.Flatten(), *block(layers.Dense(units, use_bias=False)))

# %%
builders = {
    "fast_cnn": fast_cnn,
    "same_size_mlp": lambda: normalised_mlp(43),
    "same_work_mlp": lambda: normalised_mlp(656),
}
for name, build in builders.items():
    cost = flops.total(flops.count(build()))
    print(f"{name:14}{cost.parameters:8,} weights {cost.multiply_adds:8,} products")
order = np.random.default_rng(0).permutation(28 * 28)

def shuffled(images):
    return images.reshape(-1, 28 * 28)[:, order].reshape(images.shape)

# %% tags=["nbval-ignore-output"]
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
epochs, test_accuracy = choose(smoke=2, laptop=5, full=8), {}
for name, build in builders.items():
    for kind, arrange in {"": np.asarray, "shuffled_": shuffled}.items():
        keras.utils.set_random_seed(SEED)
        rate = training.OneCycle(0.01, steps=epochs * -(-count // 128))
        key = (kind + name).replace("shuffled_fast", "shuffled")
        with strategy.scope():
            model = trained[kind or name] = build()  # of the shuffled, keep the last
            model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
        past = training.fit(model, arrange(x_train), y_train, name=key, epochs=epochs)
        test_accuracy[key] = training.accuracy(model, arrange(x_test), y_test)
        results.record(f"{key}.test_accuracy", test_accuracy[key])
        results.record(f"{key}.training_accuracy", past["accuracy"][-1])
        results.record(f"{key}.seconds", sum(past["seconds"]), unit="s", digits=1)

# %% tags=["plot", "hero", "nbval-ignore-output"]
pairs, spreads = {}, {}
for name, label in {
    "fast_cnn": language.words("fast CNN", "快速 CNN"),
    "same_work_mlp": language.words("MLP, same work", "MLP，乘法同样多"),
    "same_size_mlp": language.words("MLP, same size", "MLP，参数同样多"),
}.items():
    keys = name, f"shuffled_{name.removeprefix('fast_')}"
    pairs[label] = [test_accuracy[key] for key in keys]
    stored = [results.spread("02", f"{key}.test_accuracy") for key in keys]
    if profiles.name() == "laptop" and all(stored):
        spreads[label] = [(spread["lowest"], spread["highest"]) for spread in stored]
plots.show(
    convolution_figures.comparison(x_test[:4], shuffled(x_test[:4]), pairs, spreads),
    alt="Left, four handwritten digits, and beside each the same digit with shuffled pixels, unreadable to us. Right, test errors "
    "with pixels in order and shuffled. In order, the CNN has by far the lowest error; shuffled, its error rises above that of the MLP with the same "
    "number of multiplications. The lines of the two MLPs are level.",
    alt_zh="左边是四个手写数字，旁边是像素打乱后的同样四个，人已经认不出来。右边是按原来的次序和打乱之后的测试错误率。不打乱时，CNN 的错误率远低于其他；"
    "打乱之后，它升到了乘法次数相同的 MLP 之上。两个 MLP 的线是平的。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** In order, the fast CNN wins clearly: {{fast_cnn.test_accuracy:.1%}}, against
# {{same_work_mlp.test_accuracy:.1%}} with the same work and {{same_size_mlp.test_accuracy:.1%}} with the same size.
# Shuffled, it falls to {{shuffled_cnn.test_accuracy:.1%}}, *behind* the MLP with the same work. The pale bars span
# three seeds; they are shorter than these differences. The shuffled CNN is the same
# network, with the same depth, parameters, computation and recipe; only the neighbourhoods are gone. So it is they that explain the lead. (Over the
# MLP of the same *size* the shuffled CNN keeps a small lead. That part does not come from neighbours; it does fifteen times the work.)
#
# The MLPs do not care, and they cannot: put the rows of the first weight matrix into the shuffled order, and it is
# the same network. (What little their errors differ is chance, as between seeds.) Nor did the shuffled CNN fail to
# learn: it gets {{shuffled_cnn.training_accuracy:.1%}} of its training digits right. It learned them, but by patterns
# that hold less well for new digits. That is the bet of a convolution: *what is close belongs together, and is the same
# everywhere.* On images the bet is good. On a table of laboratory values in arbitrary order it would be a bad one.
#
# The course's own CNN is also cheaper than the beginner's: about a fifth of the multiplications per image.
#
# ## Moving the digits
#
# All training digits are centred. We move the *test* digits to the right, pixel by pixel (the margin is about four
# pixels wide, so at first no ink is lost), and ask three of the networks above, without training them again: the plain MLP and the beginner's CNN,
# which had one recipe, and the fast CNN.
#
# A convolution with stride 1 is **equivariant**: if the image moves, the feature map moves along, unchanged except at
# the border. With stride 3, as in the fast CNN's first layer, this holds for moves by 3, 6, … pixels only. And it is
# a promise about the map, not about the answer: `Flatten` and `Dense` at the end have different weights for every
# position. **Predict:** how far can the digits move before the CNNs get worse? And does the fast CNN recover at 3
# pixels?

# %% [markdown] lang="zh" of="5bcaca2f" tags=["answer"]
# **答案。** 不打乱时，快速 CNN 明显胜出：{{fast_cnn.test_accuracy:.1%}}，
# 而乘法同样多的 MLP 是 {{same_work_mlp.test_accuracy:.1%}}，参数同样多的是
# {{same_size_mlp.test_accuracy:.1%}}。打乱之后，它跌到 {{shuffled_cnn.test_accuracy:.1%}}，
# 反而落在乘法同样多的 MLP 后面。浅色的竖条是三个随机种子的范围，比这些差距短。
# 打乱后的 CNN 还是同一个网络：深度、参数、计算量、训练方法都没变，没有了的只是邻居关系。所以优势正来自邻居关系。
# （对参数同样多的 MLP，打乱后的 CNN 仍领先一点，这一部分不是来自邻居关系：它的乘法次数约为后者的 15 倍。）
#
# MLP 不受影响，也不可能受影响：把第一个权重矩阵的各行也按打乱的次序重排，就还是同一个网络。（错误率的微小差别是偶然，跟换随机种子差不多。）
# 打乱后的 CNN 也不是没学会：训练样本它认对了 {{shuffled_cnn.training_accuracy:.1%}}。它学会了，只是学到的规律对新样本没有原来那么管用。
# 卷积赌的就是：**离得近的东西有关系，而且这种关系处处相同**。对图像，它赌对了；对一张各列次序随意的化验单，就赌错了。
#
# 本课程的 CNN 也比入门 CNN 省：处理一张图的乘法次数只有它的五分之一左右。
#
# ## 把数字挪一挪
#
# 训练样本都是居中的。现在把测试样本一个像素一个像素地往右移（四周约有四个像素的空白，起初不会丢笔画），再问上面的三个网络，不重新训练：普通的 MLP 和入门 CNN（两者训练方法相同），以及快速 CNN。
#
# 步幅为 1 的卷积是**等变的**（equivariant）：图像移动，特征图跟着移动，除了边缘处，数值不变。快速 CNN 的第一层步幅是 3，那就只有移动 3、
# 6……个像素时才成立。
# 而且这只是对特征图的保证，不是对答案的保证：末尾的 `Flatten` 和 `Dense` 对每个位置用的是不同的权重。
# **先猜：** 数字移多远，CNN 就开始变差？移到 3 个像素时，快速 CNN 会不会好转？

# %%
def move_right(images, pixels):
    moved = np.zeros_like(images)
    moved[:, :, pixels:] = images[:, :, : images.shape[2] - pixels]
    return moved

random_kernels = np.random.default_rng(SEED).normal(size=(3, 3, 1, 4)).astype("float32")
for stride in (1, 3):  # moving by 3 pixels moves the map by 3 or by 1
    maps = keras.ops.conv(x_test[:1], random_kernels, stride)
    maps_of_moved = keras.ops.conv(move_right(x_test[:1], 3), random_kernels, stride)
    moved_maps = move_right(np.asarray(maps), 3 // stride)
    inside = np.s_[:, :, 3:]  # without the columns that came in at the left
    proofs.equal({"move, then convolve": maps_of_moved[inside],
                  "convolve, then move": moved_maps[inside]})

# %% tags=["nbval-ignore-output"]
tested, curves = choose(smoke=500, laptop=2_000, full=10_000), {}
moved_digits = [move_right(x_test[:tested], pixels) for pixels in range(7)]
trained["beginner_cnn"], labels = beginner, y_test[:tested]
for name in ["mlp", "beginner_cnn", "fast_cnn"]:
    model = trained[name]
    curves[name] = [training.accuracy(model, x, labels, 200) for x in moved_digits]
    results.record(f"{name}.accuracy_moved_3_pixels", curves[name][3])
ink = [float(x.sum() / moved_digits[0].sum()) for x in moved_digits]
convolution_figures.moved(curves, ink, [x[0, ..., 0] for x in moved_digits])

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** They get worse from the first pixel on, the MLP fastest: at 3 pixels it has
# {{mlp.accuracy_moved_3_pixels:.0%}} right, the beginner's CNN {{beginner_cnn.accuracy_moved_3_pixels:.0%}}, the fast CNN
# {{fast_cnn.accuracy_moved_3_pixels:.0%}}. The grey dotted line rules out a dull explanation: at 3 pixels practically all of the ink is still in the picture. And nothing recovers
# at 3: the first map moves along, but the dense layer at the end meets it at a different place. A CNN softens the
# problem and does not solve it. What helps is pooling over the whole map (chapter 3), or training on moved digits
# (augmentation, chapter 2a).
#
# ## Look inside
#
# Nobody told the fast CNN which kernels to use. The figure shows the sixteen of its first layer, and below each one
# its feature map of a 7, after normalisation and ReLU, all on one scale: black is 0, and the brighter, the stronger
# the response. (Shown is the window at every pixel; the network itself uses every third.)
#
# Which of them finds the place where ink *begins*, coming from the left? The cell shows all of them two images, one black on the left and white
# on the right, one the other way round, and frames the kernel that answers most strongly to the first and most weakly to the second.
# **Predict:** which sides of the 7 will light up in its map?

# %% [markdown] lang="zh" of="97fa83d4" tags=["answer"]
# **答案。** 从第一个像素起就开始变差，MLP 最快：移到 3 个像素时，它只认对 {{mlp.accuracy_moved_3_pixels:.0%}}，
# 入门 CNN 认对 {{beginner_cnn.accuracy_moved_3_pixels:.0%}}，快速 CNN 认对 {{fast_cnn.accuracy_moved_3_pixels:.0%}}。
# 灰色点线排除了一种简单的解释，即笔迹移出了画面：移 3 个像素时，笔迹几乎全都还在画面里。到 3 也没有好转：第一层的特征图确实跟着移了，
# 可它落到了全连接层的另一批权重上。
# CNN 能缓解这个问题，却没有解决它。真正有用的办法，是对整张特征图做池化（第 3 章），或者用平移过的样本来训练（数据增强，第 2a 章）。
#
# ## 看看里面
#
# 没有人告诉快速 CNN 该用什么核。图中是它第一层的 16 个核，每个下面是它在一个 7 上的特征图，取自归一化和 ReLU 之后，全部用同一个色标：黑色是 0，
# 越亮反应越强。（图里每个像素都算了一次；网络自己每三个像素算一次。）
#
# 哪个核在找笔画（从左往右看）开始的地方？下面的代码逐个检查：给每个核看两张图，一张左黑右白，一张左白右黑，
# 然后框出对第一张反应最强、对第二张反应最弱的那个核。**先猜：** 它的特征图上，7 的哪些边会亮起来？

# %% tags=["nbval-ignore-output"]
fast = trained["fast_cnn"]
first_layer, normalisation = fast.layers[0], fast.layers[1]

def look(images):
    every_pixel = keras.ops.conv(images, first_layer.kernel)  # stride 1
    return np.asarray(keras.ops.relu(normalisation(every_pixel, training=False)))

begins, ends = np.zeros((2, 1, 28, 28, 1), "float32")
begins[:, :, 14:], ends[:, :, :14] = 1, 1
difference = look(begins).max(axis=(0, 1, 2)) - look(ends).max(axis=(0, 1, 2))
picked = int(difference.argmax())
print("largest difference: kernel", picked + 1)
convolution_figures.kernels_and_maps(
    np.moveaxis(first_layer.kernel.numpy()[:, :, 0], -1, 0),
    np.moveaxis(look(x_test[:1])[0], -1, 0), picked)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Mostly the left sides, where ink begins: the framed kernel leans towards blue on its left and red on its right, like
# the one that we wrote by hand at the beginning, but far less cleanly. Most of the others are noisy after such a short training run, and
# do not look like anything that has a name.
#
# ## Where it is wrong, and your own digit
#
# Of all test digits that the network gets wrong, here are those about which it is *most confident*. Would you have
# read them? (Confidence is the subject of chapter 4.)
#
# Below them is a pad. **Draw a digit** with mouse or finger, then run the next cell. (If you draw nothing, it gets a
# prepared 5. If you see no pad, make `picture = digit_pad.read_picture("photo.png")` the
# first line of the next cell: it reads a photograph of ink on paper.) Your picture first becomes what the network
# knows: bright on black, scaled into 20 × 20 pixels, and centred by its **centre of mass** (the average position of the ink), as MNIST's makers did.
# You have seen what happens otherwise.

# %% [markdown] lang="zh" of="1c7b1831" tags=["answer"]
# **答案。** 主要是左侧，也就是笔画开始的地方：框出的核左边偏蓝、右边偏红，和开头我们手写的那个核同一类，只是远没有那么干净。训练时间这么短，其余的核大多还很杂乱，说不出名目。
#
# ## 错在哪里，以及你自己的数字
#
# 在所有认错的测试样本里，下面是它**置信度**（confidence，网络给自己答案的概率）最高的几个。换成你，认得对吗？（置信度是第 4 章的主题。）
#
# 再下面是一块画板。用鼠标或手指**画一个数字**，然后运行下一个单元格。（什么都不画，就用事先准备好的一个 5。如果看不到画板，就把下一个单元格的第一行换成
# `picture = digit_pad.read_picture("photo.png")`，它能读入写在纸上的数字的照片。）图片要先变成网络熟悉的样子：黑底亮字，
# 缩放到 20 × 20 像素以内，再按**质心**
# （centre of mass，即笔迹的平均位置）居中，MNIST 的作者就是这样处理的。不这样做会怎样，你刚才已经看到了。

# %% tags=["nbval-ignore-output"]
parts = np.split(x_test, 20)  # 500 at a time
scores = np.concatenate([fast(part, training=False) for part in parts])
probability = keras.ops.convert_to_numpy(keras.ops.softmax(scores))
predicted, confidence = probability.argmax(axis=1), probability.max(axis=1)
wrong = np.flatnonzero(predicted != y_test)
results.record("fast_cnn.wrong_digits", len(wrong), unit="of 10,000", digits=0)
worst = wrong[np.argsort(-confidence[wrong])][:8]
convolution_figures.mistakes(x_test[worst], y_test[worst], probability[worst])
pad = digit_pad.DrawingPad()
pad

# %% tags=["nbval-ignore-output"]
picture = pad.picture()
prepared = digit_pad.to_mnist(picture)
scores = fast(datasets.as_images(prepared[None]), training=False)
probability = keras.ops.convert_to_numpy(keras.ops.softmax(scores))[0]
convolution_figures.drawn(picture, prepared, probability)

# %% [markdown] lang="en" tags=["predict"]
# ## Formula clinic: four formulas, one name
#
# Textbooks and articles print all of these as "the convolution". The image is $x$, the kernel $w$, of $K \times K$
# numbers:
#
# | | formula | counts from |
# |---|---|---|
# | A | $y_{ij} = \sum_{m=1}^{K} \sum_{n=1}^{K} x_{i+m-1,\;j+n-1}\; w_{mn}$ | 1 |
# | B | $y(i,j) = \sum_{p=0}^{K-1} \sum_{q=0}^{K-1} x(i+p,\;j+q)\; w(p,q)$ | 0 |
# | C | $y(i,j) = \sum_{p=1}^{K} \sum_{q=1}^{K} x(i-p,\;j-q)\; w(p,q)$ | 1 |
# | D | $y(i,j) = \sum_{p=0}^{i-K+1} \sum_{q=0}^{j-K+1} w(p,q)\; x(i-p,\;j-q)$ | 0 |
#
# We do not argue, we compute. Each formula is written below exactly as printed. `at(array, row, column, first)` is an
# element whose indices count from `first`; outside the array it is an error, whereas Python would take $x[-1]$ for
# the last number and hide the mistake. Each formula is asked for every position from 0 to 9; those where all indices
# exist are kept. **Predict:** which formulas give the same numbers as Keras, which the true convolution (kernel
# rotated), and which neither?

# %% [markdown] lang="zh" of="2313a5e9" tags=["predict"]
# ## 公式门诊：四个公式，一个名字
#
# 下面四个式子，教材和文章里都写作“卷积公式”。图像记作 $x$，核记作 $w$，大小为 $K \times K$：
#
# | | 公式 | 下标起点 |
# |---|---|---|
# | A | $y_{ij} = \sum_{m=1}^{K} \sum_{n=1}^{K} x_{i+m-1,\;j+n-1}\; w_{mn}$ | 1 |
# | B | $y(i,j) = \sum_{p=0}^{K-1} \sum_{q=0}^{K-1} x(i+p,\;j+q)\; w(p,q)$ | 0 |
# | C | $y(i,j) = \sum_{p=1}^{K} \sum_{q=1}^{K} x(i-p,\;j-q)\; w(p,q)$ | 1 |
# | D | $y(i,j) = \sum_{p=0}^{i-K+1} \sum_{q=0}^{j-K+1} w(p,q)\; x(i-p,\;j-q)$ | 0 |
#
# 不争论，直接算。每个式子都严格照原样写成代码。`at(array, row, column, first)` 取下标从 `first` 数起的元素，一旦越界就报错；
# 否则 Python 会把 $x[-1]$
# 当成最后一个数，错误就被掩盖了。每个公式在 0 到 9 的所有位置上都算一遍，只留下所有下标都存在的位置。
# **先猜：** 哪几个式子与 Keras 的结果一致？哪个算的是真正的卷积（核旋转过）？哪个都不是？

# %%
K, (x, w) = 3, (np.random.default_rng(SEED).normal(size=n) for n in [(6, 6), (3, 3)])
formulas = {
    "A": lambda i, j: sum(at(x, i + m - 1, j + n - 1, first=1) * at(w, m, n, first=1)
                          for m, n in positions(1, K, K)),
    "B": lambda i, j: sum(at(x, i + p, j + q, first=0) * at(w, p, q, first=0)
                          for p, q in positions(0, K - 1, K - 1)),
    "C": lambda i, j: sum(at(x, i - p, j - q, first=1) * at(w, p, q, first=1)
                          for p, q in positions(1, K, K)),
    "D": lambda i, j: sum(at(w, p, q, first=0) * at(x, i - p, j - q, first=0)
                          for p, q in positions(0, i - K + 1, j - K + 1)),
}
of_keras, rotated = cross_correlate(x, w), cross_correlate(x, w[::-1, ::-1])  # (4, 4)
wrong = formulas.pop("D")
compare(formulas, {"Keras": of_keras, "rotated": rotated})
along_diagonal("D", wrong, rotated)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** A and B are the same operation, counted from 1 and from 0: cross-correlation, which is what Keras
# computes.
#
# C rotates the kernel: it is a true convolution ([Goodfellow et al. 2016, equations 9.4 to
# 9.6](https://www.deeplearningbook.org/contents/convnets.html)). But because both of its counts start at 1, its last
# row is number 7 of an image that has six: every output is one position too far down and to the right. Counting $p$ and
# $q$ from 0 cures that. A network can *learn* with either form, since it can learn the rotated kernel. But weights
# that are carried from one form to the other give different predictions.
#
# D cannot be repaired by renaming. Its number of terms grows with the position of the output: at first it adds up
# nothing, then too little, is right at one single position of the diagonal, and then asks for kernel entries that do
# not exist. The bounds must be those of the kernel, 0 to $K-1$.

# %% [markdown] lang="zh" of="cdb16356" tags=["answer"]
# **答案。** A 和 B 是同一种运算，只是下标一个从 1 数起，一个从 0 数起：都是互相关，也就是 Keras 所算的。
#
# C 把核旋转了，是真正的卷积（[Goodfellow 等，2016，式 9.4 至 9.6](https://www.deeplearningbook.org/contents/convnets.html)）。可是两处下标都从 1 数起，
# 结果最后一行的编号是 7，图像却只有 6 行：每个输出都往右下方错了一格。让 $p, q$ 从 0 数起就好了。用哪种形式网络都能学会，因为它完全可以学到旋转后的核；
# 但把一种形式训练出的权重直接搬给另一种，预测就变了。
#
# D 改个记号是救不回来的：它相加的项数随输出位置增长。起初一项也没有，接着项数不够，在对角线上只有一个位置碰巧正确，再往后就要读取核里并不存在的数。
# 求和的上下限应当由核决定，即 0 到 $K-1$。
#
# **一个用词。** 有的中文资料说卷积核是“有权限的”矩阵，其实应为“加权的”：这里的“权”是权重（weight），不是权限（permission）。

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - A convolution on 8 × 8 pixels is a matrix of 2,304 entries that needs nine weights. Backward it is the same
#   matrix, transposed; five ways agree.
# - With the same recipe, the fast CNN reaches {{fast_cnn.test_accuracy:.1%}} ({{seeds:fast_cnn.test_accuracy:.1%}}
#   with three seeds), an MLP of the same size {{same_size_mlp.test_accuracy:.1%}}, an MLP with the same work
#   {{same_work_mlp.test_accuracy:.1%}}.
# - With shuffled pixels the CNN reaches {{shuffled_cnn.test_accuracy:.1%}}, the MLP with the same work
#   {{shuffled_same_work_mlp.test_accuracy:.1%}}: the lead came from the neighbourhoods.
# - Moved by 3 pixels, test digits are classified correctly by the MLP in {{mlp.accuracy_moved_3_pixels:.0%}} of the
#   cases, by the beginner's CNN in {{beginner_cnn.accuracy_moved_3_pixels:.0%}}, by the fast CNN in
#   {{fast_cnn.accuracy_moved_3_pixels:.0%}}.
# - The fast CNN gets {{fast_cnn.wrong_digits:.0f}} of 10,000 test digits wrong, some of them with great confidence.
#
# | | formula | code |
# |---|---|---|
# | convolution layer | $y_{i,j,o} = b_o + \sum_{u,v,c} x_{i+u,\,j+v,\,c}\, w_{u,v,c,o}$ | `layers.Conv2D(out, K)` |
# | parameters | $K^2 C_{\text{in}} C_{\text{out}} + C_{\text{out}}$ | `model.summary()` |
# | output size, $p$ zeros on each side | $\big\lfloor (n + 2p - d\,(K-1) - 1) / s \big\rfloor + 1$ | `output_size` |
# | receptive field, from the image upward | $r \leftarrow r + (K-1)\, d\, j$, then $j \leftarrow j\, s$; $\;r = j = 1$ at first | `receptive_field` |
# | gradient of the kernel | $\sum_{i,j} g_{i,j}\, x_{i+u,\,j+v}$ | `kernel_gradient += …` |
# | gradient of the image | $M^\top g$ | `layers.Conv2DTranspose` |

# %% [markdown] lang="zh" of="dd33d3a2" tags=["summary"]
# ## 你测到了什么
#
# - 8 × 8 像素上的卷积，是一个有 2,304 个元素、却只用九个权重的矩阵；反向时用它的转置，五种算法结果一致。
# - 训练方法相同，快速 CNN 的准确率是 {{fast_cnn.test_accuracy:.1%}}（三个随机种子：
#   {{seeds:fast_cnn.test_accuracy:.1%}}），参数同样多的 MLP 是
#   {{same_size_mlp.test_accuracy:.1%}}，乘法同样多的 MLP 是 {{same_work_mlp.test_accuracy:.1%}}。
# - 像素打乱之后，CNN 是 {{shuffled_cnn.test_accuracy:.1%}}，
#   乘法同样多的 MLP 是 {{shuffled_same_work_mlp.test_accuracy:.1%}}：优势来自邻居关系。
# - 测试样本右移 3 个像素，MLP 认对 {{mlp.accuracy_moved_3_pixels:.0%}}，
#   入门 CNN 认对 {{beginner_cnn.accuracy_moved_3_pixels:.0%}}，快速 CNN 认对
#   {{fast_cnn.accuracy_moved_3_pixels:.0%}}。
# - 10,000 个测试样本，快速 CNN 认错 {{fast_cnn.wrong_digits:.0f}} 个，有几个错的置信度还很高。
#
# | | 公式 | 代码 |
# |---|---|---|
# | 卷积层 | $y_{i,j,o} = b_o + \sum_{u,v,c} x_{i+u,\,j+v,\,c}\, w_{u,v,c,o}$ | `layers.Conv2D(out, K)` |
# | 参数量 | $K^2 C_{\text{in}} C_{\text{out}} + C_{\text{out}}$ | `model.summary()` |
# | 输出尺寸，每侧补 $p$ 个零 | $\big\lfloor (n + 2p - d\,(K-1) - 1) / s \big\rfloor + 1$ | `output_size` |
# | 感受野，自图像往上 | $r \leftarrow r + (K-1)\, d\, j$，再 $j \leftarrow j\, s$；起初 $r = j = 1$ | `receptive_field` |
# | 核的梯度 | $\sum_{i,j} g_{i,j}\, x_{i+u,\,j+v}$ | `kernel_gradient += …` |
# | 图像的梯度 | $M^\top g$ | `layers.Conv2DTranspose` |

# %% [markdown] lang="en"
# ### Exercise 3 · medium — measure it: a small network
#
# Design a network with **at most 10,000 parameters** that learns from 5,000 digits and classifies at least **965 of
# 1,000 new ones** correctly. Write `small_network()`, which returns an uncompiled `keras.Sequential` from (28, 28, 1)
# to 10 scores. The check trains it for three epochs (Adam, one-cycle learning rate, batches of 64), measures it on
# digits that it has not seen, and tells you the result; that takes some seconds. Run it as often as you like.

# %% [markdown] lang="zh" of="6a882615"
# ### 练习 3 · 中 —— 测一测：小网络
#
# 设计一个**参数不超过 10,000 个**的网络，只用 5,000 个样本训练，在 1,000 个新样本上**至少认对 965 个**。
# 写出 `small_network()`，返回一个没有编译的
# `keras.Sequential`，输入 (28, 28, 1)，输出 10 个得分。检查程序会把它训练三轮（Adam，单周期学习率，每批 64 个），
# 用没见过的样本测量，再把结果告诉你，
# 需要十来秒。想跑几次就跑几次。

# %% tags=["exercise"]
def small_network():
    """At most 10,000 parameters, (28, 28, 1) to 10 scores."""
    ### BEGIN SOLUTION
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(8, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(10),
    ])
    ### END SOLUTION

# %% tags=["check", "nbval-ignore-output"]
exercises.check("02.small_network", small_network)

# %% [markdown] lang="en" tags=["hint"]
# `small_network().summary()` shows where the parameters are. Usually they are in the first dense layer: make the map
# small before `Flatten`, by pooling or strides. Convolutions are cheap, so a third one with more channels costs
# little and sees the whole digit.

# %% [markdown] lang="zh" of="8abdc14c" tags=["hint"]
# 用 `small_network().summary()` 看参数在哪里。它们多半在第一个全连接层：先用池化或步幅把特征图变小，再 `Flatten`。卷积层很省参数，
# 再加一层、多几个通道也不贵，还能看见整个数字。

# %% [markdown] lang="en"
# ### Exercise 4 · medium — find the bug: a true convolution
#
# A friend needs the convolution of mathematics: rotate the kernel by 180°, then slide it. Her function was tested
# with two kernels, *blur* and *horizontal edges*, and agreed with a signal-processing library both times. With
# *vertical edges* every number has the wrong sign. Find out why both tests passed, and write the repaired
# `true_convolution` (for arrays (height, width); kernels are square).
#
# ```python
# def true_convolution(image, kernel):
#     return cross_correlate(image, kernel[::-1])
# ```

# %% [markdown] lang="zh" of="9b1dbae0"
# ### 练习 4 · 中 —— 找出错误：真正的卷积
#
# 一位同学需要数学意义上的卷积：先把核旋转 180°，再滑动。她的函数用两个核测试过，模糊和水平边缘，两次都与信号处理库的结果一致。换成竖直边缘，每个数的符号却都反了。
# 请弄清楚那两次测试为什么没有发现问题，写出改正后的 `true_convolution`（数组形状为（高，宽），核是正方形）。
#
# ```python
# def true_convolution(image, kernel):
#     return cross_correlate(image, kernel[::-1])
# ```

# %% tags=["exercise"]
def true_convolution(image, kernel):
    """Convolve in the mathematical sense."""
    ### BEGIN SOLUTION
    return cross_correlate(image, kernel[::-1, ::-1])
    ### END SOLUTION

# %% tags=["check"]
exercises.check("02.true_convolution", true_convolution)

# %% [markdown] lang="en" tags=["hint"]
# Write down the kernel of *horizontal edges* and what the function makes of it, then the same for *vertical edges*.
# What does a rotation by 180° do to the columns? A test kernel should have no symmetry at all, like `nine_weights`.

# %% [markdown] lang="zh" of="58b5228a" tags=["hint"]
# 把水平边缘的核写下来，看函数把它变成了什么；竖直边缘的核也这样做一遍。旋转 180° 会把各列怎么样？用来测试的核不应有任何对称性，例如 `nine_weights`。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("02")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Sliding windows read postal codes ([LeCun et al. 1989](https://doi.org/10.1162/neco.1989.1.4.541)) and won ImageNet
# ([Krizhevsky, Sutskever and Hinton 2012](https://doi.org/10.1145/3065386)); with dilation over time they generate
# speech ([WaveNet, 2016](https://arxiv.org/abs/1609.03499)); transposed, they outline cells under a microscope
# ([U-Net, 2015](https://arxiv.org/abs/1505.04597)). The idea is older: Fukushima's neocognitron had it in
# [1980](https://doi.org/10.1007/BF00344251).
#
# - Dumoulin and Visin, [*A guide to convolution arithmetic for deep learning*](https://arxiv.org/abs/1603.07285): every
#   combination of sizes, with pictures.
# - LeCun, Bottou, Bengio and Haffner, [*Gradient-based learning applied to document
#   recognition*](https://doi.org/10.1109/5.726791): the paper behind MNIST, still readable today.
# - Goodfellow, Bengio and Courville, [*Deep Learning*, chapter
#   9](https://www.deeplearningbook.org/contents/convnets.html).
# - Zhang, Lipton, Li and Smola, [*Dive into Deep Learning*, chapters 7 and
#   8](https://d2l.ai/chapter_convolutional-neural-networks/index.html): the same derivation from the dense layer, and
#   the famous networks one by one.
# - Zeiler and Fergus, [*Visualizing and understanding convolutional networks*](https://arxiv.org/abs/1311.2901): what
#   the *later* layers see.
#
# **What the full profile changes.** The networks see nearly all of the 60,000 digits, for more epochs, and the shifts
# are measured on all test digits. In an earlier full run on all of them, the fast CNN reached
# {{full:fast_cnn.test_accuracy:.1%}}, the deeper beginner's CNN {{full:deeper_beginner_cnn.test_accuracy:.1%}} and the first one
# {{full:beginner_cnn.test_accuracy:.1%}} (one run each, so do not rank them), and with shuffled pixels the CNN was as good as
# chapter 1's MLP: {{full:shuffled_cnn.test_accuracy:.1%}} and {{full:mlp.test_accuracy:.1%}}.
#
# MNIST cannot show everything: its digits are centred, grey and small, and an MLP does well on them. On photographs,
# where objects may be anywhere and of any size, an MLP has far more to learn. (That is not measured here.) Next: chapter 2a makes networks *deep*, with
# normalisation and residual connections. Chapter 8b uses networks that were trained before, chapter 8c asks what a
# CNN looks at.

# %% [markdown] lang="zh" of="69a4ae22"
# ## 应用与延伸阅读
#
# 滑动窗口识别过邮政编码（[LeCun 等，1989](https://doi.org/10.1162/neco.1989.1.4.541)），赢过 ImageNet 竞赛
# （[Krizhevsky、Sutskever 与 Hinton，2012](https://doi.org/10.1145/3065386)）；沿时间轴做空洞卷积，它能合成语音
# （[WaveNet，2016](https://arxiv.org/abs/1609.03499)）；转置之后，它能在显微图像里勾画细胞
# （[U-Net，2015](https://arxiv.org/abs/1505.04597)）。想法本身更早：福岛邦彦的新认知机（neocognitron）
# 在 [1980 年](https://doi.org/10.1007/BF00344251) 就有了。
#
# - 阿斯顿·张等，[《动手学深度学习》第 6、7 章](https://zh.d2l.ai/chapter_convolutional-neural-networks/index.html)：同样从全连接层推导卷积，再逐个介绍著名的网络；
#   邱锡鹏，[《神经网络与深度学习》](https://nndl.github.io)，第 5 章“卷积神经网络”。
# - Dumoulin 与 Visin，[*A guide to convolution arithmetic for deep learning*](https://arxiv.org/abs/1603.07285)：
#   各种尺寸情形都配了图。
# - LeCun、Bottou、Bengio 与 Haffner，
#   [*Gradient-based learning applied to document recognition*](https://doi.org/10.1109/5.726791)：
#   MNIST 背后的论文，今天读来仍不费力。
# - Goodfellow、Bengio 与 Courville，[《深度学习》第 9 章](https://www.deeplearningbook.org/contents/convnets.html)（“花书”，有中译本）。
# - Zeiler 与 Fergus，[*Visualizing and understanding convolutional networks*](https://arxiv.org/abs/1311.2901)：靠后的层看见了什么。
#
# **换成 full 配置会怎样。** 60,000 个样本几乎全部用上，轮数更多，平移实验用全部测试样本。在早先一次用全部样本的完整训练里，快速 CNN 达到
# {{full:fast_cnn.test_accuracy:.1%}}；加深的入门 CNN 是 {{full:deeper_beginner_cnn.test_accuracy:.1%}}，入门 CNN 是 {{full:beginner_cnn.test_accuracy:.1%}}（各只有一次训练，不要排名次）；
# 像素打乱之后，CNN 与第 1 章的 MLP 不相上下：{{full:shuffled_cnn.test_accuracy:.1%}} 与 {{full:mlp.test_accuracy:.1%}}。
#
# 有些东西在 MNIST 上看不出来：它的数字居中、灰度、尺寸小，MLP 也能做得不错。换成照片，物体可以在任何位置、有任何大小，MLP 要学的就多得多（这里没有实测）。接下来：
# 第 2a 章用归一化和残差连接，把网络做深；
# 第 8b 章使用预先训练好的网络，第 8c 章要问 CNN 究竟在看什么。
