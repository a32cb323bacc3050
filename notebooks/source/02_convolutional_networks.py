# %% [markdown] lang="en" reads=["seeds-02"] telling=["mlp.test_accuracy", "beginner_cnn.test_accuracy", "fast_cnn.test_accuracy"]
# # 2 Convolutional networks
#
# A network that looks at a picture through a small window, and slides the window. That one idea reads your handwriting,
# finds faces, and generates speech. Here you build it from three lines of NumPy up to a network that reads digits.
#
# **At the end you can**
#
# - compute a convolution layer by hand, forward and backward, and show that your numbers equal Keras' numbers;
# - predict the size, the parameters and the receptive field of a stack of layers before you run it;
# - train a small network on real handwritten digits, beside a baseline, and see where it fails;
# - tell four printed "convolution formulas" apart: two are right, one turns the kernel, one cannot be computed;
# - draw a digit yourself and let the network read it.
#
# **To know before:** NumPy arrays, and what a layer, a loss and a gradient are (chapter 1). Time and memory, measured,
# stand below the imports.

# %% [markdown] lang="zh" of="688d7212"
# # 2 卷积神经网络
#
# 透过一扇小窗看图片，再让小窗滑过整张图 —— 卷积神经网络的核心想法就这么一个。靠它，机器能认出你的字迹、
# 找到照片里的人脸，还能合成语音。
# 这一章从三行 NumPy 写起，一直写到一个能读手写数字的网络。
#
# **学完这一章，你能够**
#
# - 手算一个卷积层的前向与反向，并证明你的数与 Keras 的数相同；
# - 不运行代码，就说出一叠卷积层的输出尺寸、参数量和感受野；
# - 在真实的手写数字上训练一个小网络，与基线比较，并看清它在哪里出错；
# - 辨认四个常见的 “卷积公式”：两个正确，一个把核翻转了，还有一个根本无法计算；
# - 亲手画一个数字，让网络来读。
#
# **预备知识：** NumPy 数组；层、损失、梯度各是什么（第 1 章）。实测的时间和内存写在导入语句之后。

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
import matplotlib.cbook
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from PIL import Image

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.topics import digit_pad
from course_utils.models import vision
from course_utils.profiles import choose
from course_utils.reference import convolution

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("02")

# %% [markdown] lang="en"
# ## The idea: one small window, used everywhere
#
# A **kernel** is a small grid of weights. Lay it on a patch of the image, multiply number by number, add up: one number.
# Slide it one pixel further and do it again. The numbers together form a **feature map**: *where* in the image is the
# thing that this kernel looks for?
#
# Two decisions hide in this. *Locality*: an output looks at its neighbourhood only. *Sharing*: the same few weights
# serve every place, so a stroke learned in one corner is known in all corners.
#
# The kernel below has −1 on its left and +1 on its right. **Before you run:** where will the feature map be bright,
# where dark?

# %% [markdown] lang="zh" of="f97e6605"
# ## 想法：一扇小窗，处处通用
#
# **卷积核**（kernel）是一小格权重。把它盖在图像的一块上，对应位置相乘，再全部相加，得到一个数；往旁边挪一个像素，再算一次。
# 所有的数排在一起，就是**特征图**（feature map）。它回答的问题是：这个核要找的东西，在图像的*哪里*？
#
# 这里藏着两个决定。一是*局部性*：每个输出只看自己周围的一小块。二是*权重共享*：处处都用同一组权重，
# 在一个角落学会的笔画，到哪里都认得。
#
# 下面的核左边是 −1，右边是 +1。**运行之前先猜一猜：** 特征图哪里亮，哪里暗？

# %%
digits = datasets.mnist()
digit = digits.x_train[7] / 255  # a "3", values 0 to 1
edge_kernel = np.array([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])
feature_map = convolution.cross_correlate2d(digit[None, ..., None], edge_kernel[..., None, None])[0, ..., 0]

row, column = 9, 16  # the window to mark
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), width_ratios=[28, 14, 26])
axes[0].imshow(digit)
for axis, picture in [(axes[1], edge_kernel), (axes[2], feature_map)]:
    axis.imshow(picture, cmap="RdBu_r", vmin=-abs(picture).max(), vmax=abs(picture).max())
for axis, title in zip(axes, ["image, 28 × 28", "kernel, 3 × 3", "feature map, 26 × 26"], strict=True):
    axis.set_title(title)
    axis.axis("off")
for (y, x), weight in np.ndenumerate(edge_kernel):
    axes[1].text(x, y, f"{weight:+.0f}".replace("+0", "0"), ha="center", va="center", color="w" if weight else "k")
for axis, size in [(axes[0], 3), (axes[2], 1)]:
    corner = column - 0.5, row - 0.5
    axis.add_patch(plt.Rectangle(corner, size, size, fill=False, color=plots.COLORS[4], linewidth=3))
plots.show(
    figure,
    alt="A handwritten 3 with a 3 by 3 window marked on it, the kernel, and the feature map: red where ink begins from "
    "the left, blue where it ends; the marked output belongs to the marked window.",
    alt_zh="手写数字 3，上面框出一个 3×3 的窗口；旁边是卷积核和特征图：从左往右，笔画开始处为红，结束处为蓝；框出的输出来自框出的窗口。",
)

# %% [markdown] lang="en"
# ## From the formula to Keras
#
# For an image $x$ and a kernel $w$ of $K \times K$ numbers, counting from 0:
#
# $$ y_{i,j} = b + \sum_{u=0}^{K-1} \sum_{v=0}^{K-1} x_{i+u,\;j+v}\; w_{u,v} $$
#
# $i, j$: place in the feature map; $u, v$: place in the kernel; $b$: one bias for the whole map. The kernel is slid as it
# is. In mathematics this is called **cross-correlation**. Convolution, strictly, first turns the kernel by 180°.
# Deep-learning libraries compute the first and call it the second. The clinic at the end tests what that means.
#
# The formula is two sums, so the code is one product and one sum, at every place. Is that what Keras computes? Three ways,
# the same numbers: this loop, the course's vectorised reference (`course_utils.reference.convolution`, read it: it has
# no loop over pixels), and `keras.ops.conv`. Keras wants images as *(batch, height, width, channels)* and kernels as
# *(height, width, channels in, channels out)*.

# %% [markdown] lang="zh" of="d863dbe1"
# ## 从公式到 Keras
#
# 设图像为 $x$，卷积核 $w$ 有 $K \times K$ 个数，下标都从 0 数起：
#
# $$ y_{i,j} = b + \sum_{u=0}^{K-1} \sum_{v=0}^{K-1} x_{i+u,\;j+v}\; w_{u,v} $$
#
# $i, j$ 是特征图上的位置，$u, v$ 是核内的位置，$b$ 是整张特征图共用的一个偏置。核原样滑动，不翻转。
# 数学上这叫**互相关**（cross-correlation）；严格意义上的卷积（convolution）要先把核旋转 180°。
# 深度学习库算的是前者，用的却是后者的名字。这会有什么影响，章末的 “公式门诊” 会逐一检验。
#
# 公式里是两个求和号，写成代码就是：在每个位置上相乘，再相加。Keras 算的也是这个吗？用三种办法算，看数是否相同：这个循环；
# 课程的向量化参考实现（`course_utils.reference.convolution`，值得一读：里面没有逐像素的循环）；以及 `keras.ops.conv`。
# Keras 的图像形状是 *（批量，高，宽，通道）*，核的形状是 *（高，宽，输入通道，输出通道）*。

# %%
def cross_correlate_loop(image, kernel):
    """Slide a kernel over an image, both (height, width)."""
    rows, columns = np.array(image.shape) - kernel.shape + 1
    feature_map = np.zeros((rows, columns))
    for row, column in np.ndindex(rows, columns):
        patch = image[row : row + kernel.shape[0], column : column + kernel.shape[1]]
        feature_map[row, column] = np.sum(patch * kernel)
    return feature_map


print("shape · 形状:", cross_correlate_loop(digit, edge_kernel).shape)

# %%
images, kernels = digit[None, ..., None], edge_kernel[..., None, None]  # (1, 28, 28, 1), (3, 3, 1, 1)
proofs.equal({
    "loop": cross_correlate_loop(digit, edge_kernel)[None, ..., None],
    "reference": convolution.cross_correlate2d(images, kernels),
    "Keras": keras.ops.conv(images, kernels),
})

# %% [markdown] lang="en"
# ## Backward: two gradients, and a transposed convolution
#
# Training needs the gradient of a loss $L$. Let $g_{i,j} = \partial L / \partial y_{i,j}$ arrive from the layer above.
# Every output multiplied a patch with the kernel, so each of the two receives what the other one was:
#
# $$ \frac{\partial L}{\partial w_{u,v}} = \sum_{i,j} g_{i,j}\; x_{i+u,\;j+v} \qquad
#    \frac{\partial L}{\partial x_{r,s}} = \sum_{u,v} g_{r-u,\;s-v}\; w_{u,v} $$
#
# ($g$ counts as 0 outside its map.) The kernel's gradient is a cross-correlation of image and $g$. In the image's gradient the signs are minus: there is
# the *true* convolution, in the backward pass. In code, both are one line each inside the same loop.
#
# Never trust a gradient that you derived yourself, until something that knows nothing of your derivation agrees. We ask
# two such witnesses: TensorFlow's `GradientTape`, and **finite differences** (nudge one number, see how far the loss
# moves, divide).

# %% [markdown] lang="zh" of="1c65eb29"
# ## 反向：两个梯度，一个转置卷积
#
# 训练要用损失 $L$ 的梯度。设后一层传回 $g_{i,j} = \partial L / \partial y_{i,j}$。
# 前向时每个输出都是 “一块图像乘以核”，所以反向时，两者各自收到的正是对方的值：
#
# $$ \frac{\partial L}{\partial w_{u,v}} = \sum_{i,j} g_{i,j}\; x_{i+u,\;j+v} \qquad
#    \frac{\partial L}{\partial x_{r,s}} = \sum_{u,v} g_{r-u,\;s-v}\; w_{u,v} $$
#
# （$g$ 在自己的图外按 0 算。）核的梯度是图像与 $g$ 的互相关。再看图像的梯度，下标里是减号：*真正的*卷积原来在反向传播里。写成代码，
# 两者在同一个循环里各占一行。
#
# 自己推出来的梯度先别信，要等一个与你的推导无关的 “证人” 点头。这里请两位：TensorFlow 的 `GradientTape`，
# 以及**有限差分**（finite differences）：把某个数拨动一点点，看损失变了多少，再相除。

# %%
def backward_loop(upstream, image, kernel):
    """Return the gradients of sum(upstream * feature map): (image's, kernel's)."""
    image_gradient, kernel_gradient = np.zeros(image.shape), np.zeros(kernel.shape)
    for row, column in np.ndindex(upstream.shape):
        window = (slice(row, row + kernel.shape[0]), slice(column, column + kernel.shape[1]))
        kernel_gradient += upstream[row, column] * image[window]
        image_gradient[window] += upstream[row, column] * kernel
    return image_gradient, kernel_gradient


small, upstream = digit[8:16, 10:18], np.random.default_rng(SEED).normal(size=(6, 6))
image_gradient, kernel_gradient = backward_loop(upstream, small, edge_kernel)
print("gradients · 梯度:", image_gradient.shape, kernel_gradient.shape)

# %%
image_tensor, kernel_tensor = tf.constant(small[None, ..., None]), tf.constant(kernels)
with tf.GradientTape() as tape:
    tape.watch([image_tensor, kernel_tensor])
    loss = tf.reduce_sum(upstream[None, ..., None] * keras.ops.conv(image_tensor, kernel_tensor))
taped_image, taped_kernel = tape.gradient(loss, [image_tensor, kernel_tensor])

proofs.equal({
    "∂L/∂w by hand": kernel_gradient,
    "GradientTape": taped_kernel[..., 0, 0],
    "finite differences": proofs.finite_differences(
        lambda kernel: np.sum(upstream * cross_correlate_loop(small, kernel)), edge_kernel),
})
proofs.equal({
    "∂L/∂x by hand": image_gradient,
    "GradientTape": taped_image[0, ..., 0],
    "finite differences": proofs.finite_differences(
        lambda image: np.sum(upstream * cross_correlate_loop(image, edge_kernel)), small),
})

# %% [markdown] lang="en"
# The image's gradient took a 6 × 6 map and spread it over 8 × 8 pixels. Used as a layer of its own this is the
# **transposed convolution** (`Conv2DTranspose`), the usual way to make feature maps *larger*, in generators and in
# segmentation. "Deconvolution" is a misleading name: it brings back the size, not the image.

# %% [markdown] lang="zh" of="27948a49"
# 图像的梯度把 6 × 6 的图铺展成了 8 × 8。单独拿出来当一层用，就是**转置卷积**（transposed convolution，`Conv2DTranspose`），
# 生成网络和分割网络常用它把特征图*变大*。有人叫它 “反卷积”，这个名字会误导人：它还原的只是尺寸，并不能还原图像。

# %%
proofs.equal({
    "∂L/∂x": image_gradient[None, ..., None],
    "reference": convolution.transpose_cross_correlate2d(upstream[None, ..., None], kernels),
    "Keras": keras.ops.conv_transpose(upstream[None, ..., None], kernels),
})
enlarge = keras.layers.Conv2DTranspose(1, 3, strides=2, padding="same")
print("Conv2DTranspose, stride 2:", (7, 7), "→", tuple(enlarge(np.zeros((1, 7, 7, 1))).shape[1:3]))

# %% [markdown] lang="en"
# ## Kernels on a photograph
#
# Before networks, people chose kernels by hand. The photograph (shipped with Matplotlib) shows Grace Hopper, who wrote
# one of the first compilers. Each result below is the same operation with nine or twenty-five different weights:
# *blur* averages, *edges* subtract neighbours, *sharpen* adds the difference between a pixel and its surroundings.
# **Which weights must add up to 1, and which to 0, if a plain grey wall shall stay grey, or become black?**

# %% [markdown] lang="zh" of="0833609a"
# ## 在照片上试试卷积核
#
# 在神经网络之前，卷积核是人工挑选的。这张照片随 Matplotlib 一起安装，照片上是格蕾丝·霍珀（Grace Hopper），
# 最早的编译器之一出自她手。
# 下面几幅图做的是同一种运算，只是那 9 个或 25 个权重不同：*模糊*取平均，*边缘*让邻居相减，*锐化*把像素与周围的差再加回去。
# **想一想：要让一面纯灰的墙保持灰色，权重之和应是多少？要让它变黑呢？**

# %%
with Image.open(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as opened:
    photo = np.asarray(opened.convert("L").crop((90, 20, 430, 360)).resize((170, 170))) / 255

photo_kernels = {
    "blur": np.full((5, 5), 1 / 25),
    "vertical edges": np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "horizontal edges": np.array([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]),
    "sharpen": np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
}
shown = [photo]
for name, kernel in photo_kernels.items():
    filtered = convolution.cross_correlate2d(photo[None, ..., None], kernel[..., None, None])[0, ..., 0]
    shown.append(np.abs(filtered) if "edges" in name else filtered)
sums = [f"{name}, Σw = {kernel.sum():.0f}" for name, kernel in photo_kernels.items()]
plots.show(
    plots.grid(shown, ["photograph", *sums], columns=5, size=2.0, vmin=0, vmax=1),
    alt="A portrait, then blurred, with vertical edges, with horizontal edges, and sharpened. Both edge pictures are "
    "black in even areas.",
    alt_zh="一幅人像照片，随后是模糊、竖直边缘、水平边缘、锐化的结果；两幅边缘图在均匀的区域都是黑的。",
)

# %% [markdown] lang="en"
# ## Stride, padding, dilation: how large is the output?
#
# Three choices change *where* the kernel is laid down. **Stride** $s$: move $s$ pixels at a time. **Padding** $p$: put
# zeros around the image ($p$ counts both sides together; `"valid"`: none, `"same"`: as many as keep the size at stride
# 1). **Dilation** $d$: pull the kernel apart, $d$ pixels from weight to weight, so it covers $d(K-1)+1$ pixels.
#
# $$ n_{\text{out}} = \Big\lfloor \frac{n + p - \big(d\,(K-1) + 1\big)}{s} \Big\rfloor + 1 $$
#
# Cover the last column with your hand and compute two rows yourself.

# %% [markdown] lang="zh" of="506c04f5"
# ## 步幅、填充、空洞：输出有多大？
#
# 有三个选择决定核落在*哪里*。**步幅**（stride）$s$：每次移动 $s$ 个像素。**填充**（padding）$p$：在图像四周补零
# （$p$ 是两边合计；`"valid"` 不补，`"same"` 补到步幅为 1 时尺寸不变）。**空洞**（dilation）$d$：把核拉开，
# 相邻两个权重相距 $d$ 个像素，于是核覆盖 $d(K-1)+1$ 个像素。
#
# $$ n_{\text{out}} = \Big\lfloor \frac{n + p - \big(d\,(K-1) + 1\big)}{s} \Big\rfloor + 1 $$
#
# 用手遮住最后一列，自己先算两行。

# %%
print("image  kernel  stride  padding  dilation →  output")
for size, kernel_size, stride, padding, dilation in [
    (28, 3, 1, "valid", 1), (28, 3, 1, "same", 1), (28, 5, 2, "valid", 1), (28, 5, 2, "same", 1),
    (28, 3, 1, "valid", 4), (29, 3, 2, "valid", 1), (30, 3, 2, "valid", 1),
]:
    layer = keras.layers.Conv2D(1, kernel_size, strides=stride, padding=padding, dilation_rate=dilation)
    by_keras = layer.compute_output_shape((1, size, size, 1))[1]
    by_formula = convolution.output_size(size, kernel_size, stride, padding, dilation)
    assert by_formula == by_keras
    print(f"{size:5} {kernel_size:7} {stride:7}  {padding:7} {dilation:8}   → {by_formula:6}  = Keras ✓")

# %% [markdown] lang="en"
# ## Channels and parameters
#
# A colour photograph has three channels; a layer may have hundreds. A kernel is as deep as its input, and there is one
# kernel for each output channel:
#
# $$ y_{i,j,o} = b_o + \sum_{u,v,c} x_{i+u,\;j+v,\;c}\; w_{u,v,c,o} \qquad
#    \text{parameters} = K \cdot K \cdot C_{\text{in}} \cdot C_{\text{out}} + C_{\text{out}} $$
#
# The size of the image does not occur in the count. That is what sharing buys: a dense layer between the same two
# arrays needs a weight for each pair of numbers.

# %% [markdown] lang="zh" of="ce60be0b"
# ## 通道与参数量
#
# 彩色照片有三个通道，网络里的一层可能有几百个。核的深度与输入相同，每个输出通道各有一个核：
#
# $$ y_{i,j,o} = b_o + \sum_{u,v,c} x_{i+u,\;j+v,\;c}\; w_{u,v,c,o} \qquad
#    \text{参数量} = K \cdot K \cdot C_{\text{in}} \cdot C_{\text{out}} + C_{\text{out}} $$
#
# 式子里没有图像的大小，这就是权重共享的好处。若改用全连接层来连接同样的输入和输出，每一对数之间都要一个权重。

# %%
for height, width, inputs, outputs in [(28, 28, 1, 32), (26, 26, 32, 64), (224, 224, 3, 64)]:
    layer = keras.layers.Conv2D(outputs, 3)
    layer.build((None, height, width, inputs))
    assert layer.count_params() == 3 * 3 * inputs * outputs + outputs
    numbers_out = (height - 2) * (width - 2) * outputs
    dense = height * width * inputs * numbers_out + numbers_out
    print(f"{height}×{width}×{inputs} → {outputs} channels: {layer.count_params():6,} (dense: {dense:,})")

# %% [markdown] lang="en"
# ## Receptive field: what can one output see?
#
# One layer of 3 × 3 sees 3 pixels across. Stack layers, and each sees through the windows of those below. Going up,
#
# $$ r \leftarrow r + (K-1)\,d\,j, \qquad j \leftarrow j\,s \qquad (r = j = 1 \text{ at the start}) $$
#
# $r$: receptive field; $j$ ("jump"): how many pixels of the image lie between two neighbouring outputs. A test without
# formula: ask for the gradient of *one* output with respect to every pixel. Where it is zero, the output cannot see.

# %% [markdown] lang="zh" of="fad84984"
# ## 感受野：一个输出能看见多大一块？
#
# 一层 3 × 3 的卷积能看见 3 个像素宽。层叠起来，每一层都透过下面各层的窗口去看。自下而上：
#
# $$ r \leftarrow r + (K-1)\,d\,j, \qquad j \leftarrow j\,s \qquad (\text{起初 } r = j = 1) $$
#
# $r$ 是**感受野**（receptive field）；$j$（jump，跳距）是相邻两个输出在原图上相隔的像素数。
# 不用公式也能检验：求*某一个*输出对每个像素的梯度，梯度为零的地方，这个输出就看不见。

# %%
stacks = {  # (kernel, stride, dilation) of each layer
    "3": [(3, 1, 1)],
    "3, 3": [(3, 1, 1), (3, 1, 1)],
    "3 stride 2, 3": [(3, 2, 1), (3, 1, 1)],
    "5 stride 2, 3 stride 2, 3 stride 2": [(5, 2, 1), (3, 2, 1), (3, 2, 1)],
    "3 dilated 1, 2, 4": [(3, 1, 1), (3, 1, 2), (3, 1, 4)],
}
for name, layers in stacks.items():
    image = tf.ones((1, 63, 63, 1))
    with tf.GradientTape() as tape:
        tape.watch(image)
        output = image
        for kernel_size, stride, dilation in layers:  # kernels of ones: no cancelling
            ones = tf.ones((kernel_size, kernel_size, 1, 1))
            output = keras.ops.conv(output, ones, strides=stride, dilation_rate=dilation)
        one_output = output[0, output.shape[1] // 2, output.shape[2] // 2, 0]
    seen = np.any(tape.gradient(one_output, image)[0, ..., 0] != 0, axis=0).nonzero()[0]
    measured = seen[-1] - seen[0] + 1
    assert measured == convolution.receptive_field(layers)
    print(f"{name:36} sees · 看见 {measured:2} × {measured}")

# %% [markdown] lang="en"
# ## The experiment: five networks read digits
#
# MNIST: 28 × 28 grey pixels, 60,000 digits to train on, 10,000 kept for the test. Side by side:
#
# - **MLP**: the perceptron of chapter 1, the *baseline*; it treats a pixel and its neighbour like any two pixels.
# - **beginner's CNN**: convolution 32 and 64, a max pooling after each, dense 64; the first listing most people meet.
# - **deeper beginner's CNN**: the same with a third convolution.
# - **fast CNN**: the course's own. Strides instead of pooling, few channels where the map is large, batch normalisation
# (chapter 2a), a one-cycle learning rate (chapter 5a).
# - **fast CNN, shuffled**: an *ablation*. All images get their pixels in one and the same random order. Nothing is lost,
#   but neighbours are no longer neighbours. If a CNN lives on locality, this one must suffer.

# %% [markdown] lang="zh" of="25b00fe3"
# ## 实验：五个网络读数字
#
# MNIST：28 × 28 的灰度像素，60,000 个数字用来训练，10,000 个留作测试。并排比较：
#
# - **MLP**：第 1 章的感知机，作为*基线*；在它眼里，相邻两个像素和任意两个像素没有区别。
# - **入门 CNN**：32 和 64 通道两层卷积，各接一次最大池化，再接 64 个单元的全连接层；多数人遇到的第一份代码就是它。
# - **加深的入门 CNN**：再多一层卷积。
# - **快速 CNN**：本课程自己设计的。用步幅代替池化，特征图大的地方通道少，加上批量归一化（第 2a 章）
#   和单周期学习率（第 5a 章）。
# - **打乱像素的快速 CNN**：*消融*（ablation）实验。所有图像的像素按同一个随机次序打乱，信息一点没丢，但邻居不再是邻居。
#   CNN 若真是靠局部性吃饭，它就该变差。

# %%
count = choose(smoke=2_000, laptop=10_000, full=60_000)
x_train, y_train = datasets.as_images(digits.x_train[:count]), digits.y_train[:count]
x_test, y_test = datasets.as_images(digits.x_test), digits.y_test
pixel_order = np.random.default_rng(0).permutation(28 * 28)


def shuffle_pixels(images):
    """The same pixels in another order, one order for all images: (count, 28, 28, 1)."""
    flat = keras.ops.reshape(images, (-1, 28 * 28))
    return keras.ops.reshape(keras.ops.take(flat, pixel_order, axis=1), (-1, 28, 28, 1))


def shuffled_cnn():
    """The fast CNN behind a shuffle."""
    images = keras.Input((28, 28, 1))
    return keras.Model(images, vision.fast_cnn()(shuffle_pixels(images)))


plots.show(
    plots.grid([*x_test[:8], *shuffle_pixels(x_test[:8])], size=1.0),
    alt="Eight handwritten digits, and below them the same digits with shuffled pixels, unreadable to us.",
    alt_zh="上排八个手写数字，下排是打乱像素后的同样八个数字，人已经认不出来。",
)

# %% [markdown] lang="en"
# Each model is made under the machine's distribution strategy, so this cell is the same on one CPU, several GPUs or a
# TPU. Compare the parameters: where are most of them? And **predict the order**: who wins, who is fastest, how much does
# shuffling cost?
#
# One run can be lucky. The grey bars in the figure span three seeds, stored with the course: where they overlap, do not
# say "better".

# %% [markdown] lang="zh" of="b4f5b7b8"
# 模型都在本机的分布式策略（distribution strategy）下创建，所以无论是一个 CPU、几块 GPU 还是 TPU，这段代码都一样。
# 比一比参数量：大部分参数在哪里？再**先猜名次**：谁最准，谁最快，打乱像素要付出多大代价？
#
# 单独一次运行可能只是运气好。图中的灰条是三个随机种子的范围，数据随课程保存：凡是灰条相互重叠的，就不要说谁 “更好”。

# %%
def compiled(build, learning_rate, logits=False):
    """A new model under the strategy, ready to train."""
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        model = build()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
        model.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"], steps_per_execution=choose(smoke=1, laptop=8, full=8))
    return model


fast_epochs = choose(smoke=2, laptop=5, full=8)
one_cycle = training.OneCycle(0.01, steps=fast_epochs * -(-count // 128))
plans = {  # name: model, epochs, batch size
    "MLP": (compiled(vision.perceptron, 0.001), choose(smoke=1, laptop=5, full=10), 32),
    "beginner's CNN": (compiled(vision.beginner_cnn, 0.001), choose(smoke=1, laptop=3, full=10), 32),
    "deeper beginner's": (compiled(vision.deeper_beginner_cnn, 0.001), choose(smoke=1, laptop=3, full=5), 32),
    "fast CNN": (compiled(vision.fast_cnn, one_cycle, logits=True), fast_epochs, 128),
    "fast, shuffled": (compiled(shuffled_cnn, one_cycle, logits=True), fast_epochs, 128),
}
for name, (model, *_) in plans.items():
    print(f"{name:18} {model.count_params():7,} parameters · 参数")

# %% tags=["nbval-ignore-output"]
bands = {  # lowest and highest test accuracy that a run may reach
    "mlp": choose(smoke=(0.80, 0.88), laptop=(0.934, 0.951), full=(0.95, 1)),
    "beginner_cnn": choose(smoke=(0.77, 0.97), laptop=(0.961, 0.989), full=(0.97, 1)),
    "deeper_beginner_cnn": choose(smoke=(0.77, 0.94), laptop=(0.960, 0.989), full=(0.97, 1)),
    "fast_cnn": choose(smoke=(0.87, 0.95), laptop=(0.979, 0.988), full=(0.98, 1)),
    "shuffled_cnn": choose(smoke=(0.72, 0.91), laptop=(0.942, 0.957), full=(0.95, 1)),
}
test_accuracy, seconds = {}, {}
for key, (name, (model, epochs, batch_size)) in zip(bands, plans.items(), strict=True):
    print(f"{name}: {epochs} × {count:,} digits · 个数字")
    history = training.fit(model, x_train, y_train, name=name, epochs=epochs, batch_size=batch_size)
    seconds[key] = sum(history["seconds"])
    test_accuracy[key] = training.accuracy(model, x_test, y_test, batch_size=200)
    results.record(f"{key}.test_accuracy", test_accuracy[key], band=bands[key])
    results.record(f"{key}.seconds", seconds[key], unit="s", digits=1)

# %% tags=["nbval-ignore-output"]
figure, axis = plt.subplots(figsize=(7.5, 3.8))
for key, name, color, marker in zip(bands, plans, plots.COLORS, plots.MARKERS, strict=False):
    error = 100 - 100 * test_accuracy[key]
    stored = results.spread("02", f"{key}.test_accuracy")
    if stored and profiles.name() == "laptop":
        three_seeds = [100 - 100 * stored["highest"], 100 - 100 * stored["lowest"]]
        axis.plot([seconds[key]] * 2, three_seeds, color="0.75", linewidth=7, solid_capstyle="butt", zorder=1)
    axis.plot(seconds[key], error, marker, color=color, markersize=9, label=name)
axis.set(xlabel="training time (s)", ylabel="test error (%)", title="Test error against training time")
axis.set(xlim=(0, None), ylim=(0, 110 - 110 * min(test_accuracy.values())))
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure,
    alt="Test error in per cent against training time in seconds, one marker for each of the five networks.",
    alt_zh="横轴是训练时间（秒），纵轴是测试错误率（百分比），五个网络各一个标记。",
)

# %% [markdown] lang="en"
# Every CNN with its pixels in order beats the MLP, with every seed. The two beginner's networks overlap: no "better"
# between them. The fast CNN errs least, with a third of their parameters or so. Shuffled, the same network falls almost
# to the MLP's level: most of a CNN's lead is locality. Where are the parameters? In the MLP and in the first beginner's network
# most sit in the first dense layer; in the other two, whose last map is smaller or meets one dense layer only, in the
# convolutions (`model.summary()` shows it).
#
# ## Moving the digits
#
# All training digits are centred. What if the test digits are not? We move them to the right, pixel by pixel (the margin
# is about four pixels wide, so no ink is lost at first), and ask the same networks, without training them again.
#
# A convolution is **equivariant**: move the image and the feature map moves along, unchanged. That is a promise about
# the map, not about the answer: `Flatten` and `Dense` at the end have other weights for every place.

# %% [markdown] lang="zh" of="48aaf6a7"
# 像素次序没有打乱的 CNN，每个种子都胜过 MLP。两个入门网络的范围重叠，不能说谁更好。快速 CNN 错得最少，参数却只有它们的三分之一左右。同一个网络，
# 像素一打乱，就跌到接近 MLP 的水平：CNN 的优势大半来自局部性。参数在哪里？MLP 和第一个入门网络的参数大多在第一个全连接层；
# 另外两个网络，要么最后的特征图更小，要么后面只有一个全连接层，参数大多在卷积层（用 `model.summary()` 可以看到）。
#
# ## 把数字挪一挪
#
# 训练用的数字都居中。测试时不居中会怎样？我们把测试数字一个像素一个像素地往右移（四周约有四个像素的空白，
# 起初不会丢笔画），再问同样的网络，不重新训练。
#
# 卷积是**等变的**（equivariant）：图像移动，特征图跟着移动，数值不变。但这只是对特征图的保证，不是对答案的保证：
# 末尾的 `Flatten` 和 `Dense`
# 对每个位置用的是不同的权重。

# %%
def move_right(images, pixels):
    """Move (count, height, width, 1) to the right; zeros come in from the left."""
    moved = np.zeros_like(images)
    moved[:, :, pixels:] = images[:, :, : images.shape[2] - pixels]
    return moved


example, weights = x_test[:1].astype("float64"), np.random.default_rng(SEED).normal(size=(3, 3, 1, 4))
proofs.equal({
    "move, then convolve": convolution.cross_correlate2d(move_right(example, 3), weights, padding="same")[:, :, 4:-1],
    "convolve, then move": move_right(convolution.cross_correlate2d(example, weights, padding="same"), 3)[:, :, 4:-1],
})

# %% tags=["nbval-ignore-output"]
tested, shifts = choose(smoke=500, laptop=2_000, full=10_000), range(7)
moved_accuracy = {
    name: [training.accuracy(plans[name][0], move_right(x_test[:tested], shift), y_test[:tested]) for shift in shifts]
    for name in ["MLP", "beginner's CNN", "fast CNN"]
}
moved_bands = {
    "mlp": choose(smoke=(0.38, 0.48), laptop=(0.39, 0.54), full=(0.1, 1)),
    "beginner_cnn": choose(smoke=(0.42, 0.70), laptop=(0.61, 0.93), full=(0.1, 1)),
    "fast_cnn": choose(smoke=(0.44, 0.67), laptop=(0.68, 0.96), full=(0.1, 1)),
}
for (key, band), curve in zip(moved_bands.items(), moved_accuracy.values(), strict=True):
    results.record(f"{key}.accuracy_moved_3_pixels", curve[3], band=band)

# %%
figure, axis = plt.subplots(figsize=(7, 3.6))
for (name, curve), color, marker, line in zip(moved_accuracy.items(), plots.COLORS, plots.MARKERS, plots.LINES, strict=False):
    axis.plot(shifts, curve, linestyle=line, marker=marker, color=color, label=name)
axis.axhline(0.1, color="0.5", linewidth=1)
axis.text(0, 0.115, "guessing", color="0.4")
axis.set(xlabel="digits moved to the right (pixels)", ylabel="test accuracy", ylim=(0, 1), title="Accuracy on moved digits")
axis.legend()
plots.show(
    figure,
    alt="Test accuracy against the number of pixels by which digits were moved: all curves fall, the MLP's first.",
    alt_zh="测试准确率随数字平移像素数的变化：三条曲线都下降，MLP 最先下降。",
)

# %% [markdown] lang="en"
# All fall; the MLP first, and deepest. A CNN softens the problem and does not solve it. What helps: pooling over the
# whole map (chapter 3), and training on moved digits (augmentation, chapter 2a).
#
# ## Look inside
#
# Nobody told the fast CNN which kernels to use. Here are those of its first layer, and what they see in one digit.
# **Look for** a kernel that answers to edges on one side only.
#
# And where is it wrong? Of all test digits that it misreads, the last picture shows those it was *surest* about. Would
# you have read them?

# %% [markdown] lang="zh" of="d1db4c5e"
# 三者都下降，MLP 降得最早，也最深。CNN 能缓解这个问题，却没有解决它。真正有用的办法：对整张特征图做池化（第 3 章），
# 或者用平移过的数字来训练（数据增强，第 2a 章）。
#
# ## 看看里面
#
# 没有人告诉快速 CNN 该用什么核。下面是它第一层学到的核，以及它们在一个数字上看到的东西。
# **找一找：** 哪个核只对某一侧的边缘有反应？
#
# 它又错在哪里？最后一幅图是所有读错的测试数字里，它*最有把握*的那些。换成你，读得对吗？

# %% tags=["nbval-ignore-output"]
fast = plans["fast CNN"][0]
first_layer = next(layer for layer in fast.layers if isinstance(layer, keras.layers.Conv2D))
look = keras.Model(fast.input, first_layer.output)
learned = np.moveaxis(first_layer.kernel.numpy()[:, :, 0], -1, 0)  # (channels, height, width)
maps = np.moveaxis(look(x_test[:1]).numpy()[0], -1, 0)
largest = max(abs(learned).max(), 1e-9)
numbers = range(1, len(learned) + 1)
plots.show(
    plots.grid(learned, [f"kernel {n}" for n in numbers], size=1.0, cmap="RdBu_r", vmin=-largest, vmax=largest),
    alt="The learned kernels of the first layer; most have a positive and a negative side, like edge detectors.",
    alt_zh="第一层学到的卷积核；多数一侧为正、一侧为负，像边缘检测器。",
)
plots.show(
    plots.grid(maps, [f"map {n}" for n in numbers], size=1.0),
    alt="The feature maps of a handwritten 7: different kernels light up at different edges of the strokes.",
    alt_zh="手写数字 7 的各张特征图：不同的核在笔画的不同边缘上发亮。",
)

# %% tags=["nbval-ignore-output"]
probability = np.concatenate([keras.ops.softmax(fast(x_test[start : start + 500])) for start in range(0, 10_000, 500)])
read, sure = probability.argmax(axis=1), probability.max(axis=1)
wrong = np.flatnonzero(read != y_test)
surest = wrong[np.argsort(-sure[wrong])][:8]
results.record("fast_cnn.wrong_digits", len(wrong), unit="of 10,000", digits=0)
plots.show(
    plots.grid(x_test[surest], [f"{y_test[i]}, read {read[i]}\n({sure[i]:.0%} sure)" for i in surest], size=1.15),
    alt="Eight test digits that the network reads wrongly although it is very sure; many are hard to read for people too.",
    alt_zh="网络很有把握却读错的八个测试数字；其中不少人也难以辨认。",
)

# %% [markdown] lang="en"
# ## Draw your own
#
# Draw a digit with mouse or finger, then run the cell below the pad. (Nothing drawn? Then a prepared 5 is read. No pad
# to be seen, for instance on a web page? Make `picture = digit_pad.read_picture("photo.png")` the first line of that cell: it reads
# a photograph of ink on paper.)
#
# The picture must first become what the network knows: bright on black, scaled into 20 × 20 pixels, centred by its
# **centre of mass**, as MNIST's makers did. You have seen what a shift does.

# %% [markdown] lang="zh" of="146421ff"
# ## 自己画一个
#
# 用鼠标或手指画一个数字，再运行画板下面的单元格。（什么都没画？那就读一个事先准备好的 5。看不到画板，比如在网页上？
# 把那个单元格的第一行换成 `picture = digit_pad.read_picture("photo.png")`，就能读入一张纸上写的数字的照片。）
#
# 图片要先变成网络熟悉的样子：黑底亮字，缩放到 20 × 20 像素以内，再按**质心**（centre of mass）
# 居中 —— MNIST 的作者就是这样处理的。
# 平移有什么后果，你已经看到了。

# %% tags=["nbval-ignore-output"]
pad = digit_pad.DrawingPad()
pad

# %% tags=["nbval-ignore-output"]
picture = pad.picture()
prepared = digit_pad.to_mnist(picture)
answer = keras.ops.convert_to_numpy(keras.ops.softmax(fast(datasets.as_images(prepared[None]))))[0]

figure, axes = plt.subplots(1, 3, figsize=(9, 2.9), width_ratios=[1, 1, 1.4])
for axis, shown, title in zip(axes, [picture, prepared], ["drawn", "prepared, 28 × 28"], strict=False):
    axis.imshow(shown)
    axis.set(title=title, xticks=[], yticks=[])
    axis.grid(visible=False)
axes[2].bar(range(10), answer, color=plots.COLORS[0])
axes[2].set(title=f"the network reads {answer.argmax()}", xlabel="digit", ylabel="probability", xticks=range(10), ylim=(0, 1))
plots.show(
    figure,
    alt="A drawn digit, the same digit prepared as a 28 by 28 image, and a bar for the probability of each digit.",
    alt_zh="画出的数字、处理成 28×28 之后的数字，以及网络给每个数字的概率（柱形图）。",
)

# %% [markdown] lang="en"
# ## Formula clinic: four formulas, one name
#
# These four are all printed as "the convolution". The images are $x$, the kernels $w$, of $K \times K$ numbers:
#
# | | formula | counts from |
# |---|---|---|
# | A | $y_{ij} = \sum_{m=1}^{K} \sum_{n=1}^{K} x_{i+m-1,\;j+n-1}\; w_{mn}$ | 1 |
# | B | $y(i,j) = \sum_{p=0}^{K-1} \sum_{q=0}^{K-1} x(i+p,\;j+q)\; w(p,q)$ | 0 |
# | C | $y(i,j) = \sum_{p=1}^{K} \sum_{q=1}^{K} x(i-p,\;j-q)\; w(p,q)$ | 1 |
# | D | $y(i,j) = \sum_{p=0}^{i-K+1} \sum_{q=0}^{j-K+1} w(p,q)\; x(i-p,\;j-q)$ | 0 |
#
# We do not argue, we compute. Each is written below exactly as printed. An index outside the array is an error: Python
# would otherwise read $x[-1]$ as the last number, and hide the mistake. Each formula is then asked for every output
# place from 0 to 9; we keep the places where all its indices exist. **Predict:** which ones give Keras' numbers?

# %% [markdown] lang="zh" of="757ffa09"
# ## 公式门诊：四个公式，一个名字
#
# 下面四个式子都被印成 “卷积公式”。图像记作 $x$，核记作 $w$，大小为 $K \times K$：
#
# | | 公式 | 下标起点 |
# |---|---|---|
# | A | $y_{ij} = \sum_{m=1}^{K} \sum_{n=1}^{K} x_{i+m-1,\;j+n-1}\; w_{mn}$ | 1 |
# | B | $y(i,j) = \sum_{p=0}^{K-1} \sum_{q=0}^{K-1} x(i+p,\;j+q)\; w(p,q)$ | 0 |
# | C | $y(i,j) = \sum_{p=1}^{K} \sum_{q=1}^{K} x(i-p,\;j-q)\; w(p,q)$ | 1 |
# | D | $y(i,j) = \sum_{p=0}^{i-K+1} \sum_{q=0}^{j-K+1} w(p,q)\; x(i-p,\;j-q)$ | 0 |
#
# 不争论，直接算。每个式子都严格照印出来的样子写成代码。下标一旦越界就报错；否则 Python 会把 $x[-1]$ 当成最后一个数，
# 错误就被掩盖了。
# 然后让每个公式在 0 到 9 的每个位置上都算一遍，只留下所有下标都存在的位置。**先猜：** 哪几个会得到 Keras 的数？

# %%
def at(array, row, column, first):
    """The number with these indices, counted from `first`; outside the array there is none."""
    row, column = row - first, column - first
    if not (0 <= row < array.shape[0] and 0 <= column < array.shape[1]):
        raise IndexError
    return array[row, column]


K, random = 3, np.random.default_rng(SEED)
x, w = random.normal(size=(6, 6)), random.normal(size=(K, K))
formulas = {
    "A": lambda i, j: sum(
        at(x, i + m - 1, j + n - 1, 1) * at(w, m, n, 1) for m in range(1, K + 1) for n in range(1, K + 1)),
    "B": lambda i, j: sum(at(x, i + p, j + q, 0) * at(w, p, q, 0) for p in range(K) for q in range(K)),
    "C": lambda i, j: sum(
        at(x, i - p, j - q, 1) * at(w, p, q, 1) for p in range(1, K + 1) for q in range(1, K + 1)),
    "D": lambda i, j: sum(  # range ends before its second number, hence + 2
        at(w, p, q, 0) * at(x, i - p, j - q, 0) for p in range(i - K + 2) for q in range(j - K + 2)),
}

# %%
def computable(formula):
    """Return {(i, j): value} of the places in 0…9 where the formula reads only numbers that exist."""
    values = {}
    for i, j in np.ndindex(10, 10):
        try:
            values[i, j] = formula(i, j)
        except IndexError:
            continue
    return values


slid = np.asarray(keras.ops.conv(x[None, ..., None], w[..., None, None]))[0, ..., 0]  # (4, 4)
turned = convolution.convolve2d(x[None, ..., None], w[..., None, None])[0, ..., 0]
for name in "ABC":
    values = computable(formulas[name])
    rows = sorted({i for i, _ in values})
    block = np.array(list(values.values())).reshape(len(rows), -1)
    same, true = ("✓" if exercises.close(block, right) else "✗" for right in (slid, turned))
    print(f"{name}: rows · 行 {rows[0]}…{rows[-1]}   Keras {same}   turned kernel · 翻转核 {true}")
for i in range(2, 6):
    value = computable(formulas["D"]).get((i, i))
    verdict = "✗ reads outside the kernel · 读到核外" if value is None else "✓" if np.isclose(value, turned[i - 2, i - 2]) else "✗"
    print(f"D at ({i}, {i}): {(i - K + 2) ** 2:2} products, needed {K * K} · 项数   turned kernel · 翻转核 {verdict}")

# %% [markdown] lang="en"
# **Diagnosis.** A and B are the same operation, counted from 1 and from 0: cross-correlation, what Keras computes.
#
# C turns the kernel: it is a true convolution
# ([Goodfellow et al. 2016, equations 9.4 to 9.6](https://www.deeplearningbook.org/contents/convnets.html)). And because
# both counts start at 1, its last row is number 7 of an image with six: every output sits one place too far. Counting
# $p, q$ from 0 cures it. A network can *learn* with either form, since it can learn the turned kernel. But weights
# carried from one to the other give other predictions.
#
# D cannot be repaired by renaming: its number of terms grows with the place of the output. It adds up nothing first,
# then too little, is right at one single place, and after that asks for kernel entries that do not exist. The bounds
# must be those of the kernel, 0 to $K-1$.
#
# **A word.** Chinese texts sometimes call the kernel 有权限的, "having access rights". Meant is 加权的, *weighted*: 权 is
# "weight" here, not "permission".

# %% [markdown] lang="zh" of="460e6299"
# **诊断。** A 和 B 是同一种运算，只是下标一个从 1 数起，一个从 0 数起：都是互相关，也就是 Keras 所算的。
#
# C 把核翻转了，是真正的卷积（[Goodfellow 等，2016，
# 式 9.4 至 9.6](https://www.deeplearningbook.org/contents/convnets.html)）。
# 而且两处下标都从 1 数起，结果最后一行的编号是 7，图像却只有 6 行：每个输出都错后了一格。让 $p, q$ 从 0 数起就好了。
# 用哪种形式网络都能*学会*，因为它完全可以学到翻转后的核；但把一种形式训练出的权重直接搬给另一种，预测就变了。
#
# D 改个记号是救不回来的：它相加的项数随输出位置增长。起初一项也没有，接着项数不够，只在一个位置上碰巧正确，
# 再往后就要读取核里并不存在的数。
# 求和的上下限应当由核决定，即 0 到 $K-1$。
#
# **一个用词。** 有的中文资料说卷积核是 “有权限的” 矩阵，其实应为 “加权的”：这里的 “权” 是权重（weight），
# 不是权限（permission）。

# %% [markdown] lang="en"
# ### Two more claims, from a common beginner's listing
#
# *"The model has two convolutions, one pooling layer and one dense layer"*, says the text; the code beside it is the
# beginner's network that you trained above. *"The images are resized to 28 × 28 by `reshape`, and scaled by `/ 255.0`"*,
# says the next line. Count the layers, and try the reshape on an image of another size.

# %% [markdown] lang="zh" of="a3e80679"
# ### 再看常见入门代码里的两个说法
#
# 正文说 “模型有两个卷积层、一个池化层和一个全连接层”，旁边的代码就是上面你训练过的入门网络。
# 接着又说 “用 `reshape` 把图像大小调整为 28 × 28，再用 `/ 255.0` 归一化”。数一数层，再拿另一种尺寸的图像试试 `reshape`。

# %%
kinds = [type(layer).__name__ for layer in vision.beginner_cnn().layers]
print({kind: kinds.count(kind) for kind in ("Conv2D", "MaxPooling2D", "Dense")})

first = digits.x_train[:1000]
print("reshape changes no pixel · 像素未变:", np.array_equal(first.reshape(-1, 28, 28, 1)[..., 0], first))
try:
    np.zeros((1, 14, 14)).reshape(1, 28, 28, 1)
except ValueError as error:
    print("14 × 14 → 28 × 28:", error)
print("a real resize · 真正的缩放:", keras.ops.image.resize(np.zeros((1, 14, 14, 1)), (28, 28)).shape)
print("bytes a pixel · 每像素字节:", first.itemsize, "→", (first / 255.0).itemsize, "or · 或", datasets.as_images(first).itemsize)

# %% [markdown] lang="en"
# **Diagnosis.** Two poolings and two dense layers, not one of each. `reshape` adds an axis and changes no pixel; on another
# size it fails, where a resize would compute new pixels. And `/ 255.0` makes float64 of bytes, eight times the memory; the
# course's `as_images` makes float32.
#
# ### Exercise 1 · easy — the size of the output
#
# Write `output_size(size, kernel, stride, padding)` for one axis. Here `padding` is the number of zeros put on *each*
# side (PyTorch's convention). Whole numbers only.

# %% [markdown] lang="zh" of="ea0f9d71"
# **诊断。** 池化层和全连接层各有两个，不是各一个。`reshape` 只是多加一条轴，一个像素也没变；换成别的尺寸就报错，
# 而真正的缩放要算出新的像素。另外，字节除以 `255.0` 会变成 float64，内存是原来的八倍；本课程的 `as_images` 用 float32。
#
# ### 练习 1 · 易 —— 输出的尺寸
#
# 写出一条轴上的 `output_size(size, kernel, stride, padding)`。这里 `padding` 是*每一侧*补零的个数（PyTorch 的约定）。
# 结果应为整数。

# %% tags=["exercise"]
def output_size(size, kernel, stride, padding):
    """Number of places where the kernel fits."""
    ### BEGIN SOLUTION
    return (size + 2 * padding - kernel) // stride + 1
    ### END SOLUTION

# %% tags=["check"]
exercises.check("02.output_size", output_size)

# %% [markdown] lang="en" tags=["hint"]
# The first place is free: it needs no step. How many whole steps of `stride` fit into what is left of the padded axis
# beside the kernel? `//` drops the remainder.

# %% [markdown] lang="zh" of="d91dd1e1" tags=["hint"]
# 第一个位置不用走就有。补零之后，除去核占掉的长度，剩下的还能走几个完整的步幅？`//` 会舍去余数。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — a true convolution
#
# Write `true_convolution(image, kernel)`: the kernel is turned by 180°, then slid (`"valid"`). Arrays are
# *(height, width)*. You may call `cross_correlate_loop` from above.

# %% [markdown] lang="zh" of="03d3f734"
# ### 练习 2 · 中 —— 真正的卷积
#
# 写出 `true_convolution(image, kernel)`：先把核旋转 180°，再滑动（`"valid"`）。数组形状为 *（高，宽）*。
# 可以调用上面的 `cross_correlate_loop`。

# %% tags=["exercise"]
def true_convolution(image, kernel):
    """Convolve in the mathematical sense."""
    ### BEGIN SOLUTION
    return cross_correlate_loop(image, kernel[::-1, ::-1])
    ### END SOLUTION

# %% tags=["check"]
exercises.check("02.true_convolution", true_convolution)

# %% [markdown] lang="en" tags=["hint"]
# Turning by 180° reverses *both* axes. Transposing exchanges them, which is another thing. Slices can run backwards:
# `array[::-1]`.

# %% [markdown] lang="zh" of="b8f6b9b3" tags=["hint"]
# 旋转 180° 等于把*两条*轴都倒过来。转置是交换两条轴，那是另一回事。切片可以倒着走：`array[::-1]`。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — receptive field
#
# Write `receptive_field(layers)` for a list of `(kernel, stride, dilation)`, input side first. Then find out: how many
# layers of 3 × 3 with stride 1 are needed until one output sees a whole digit of 28 pixels? And with dilations 1, 2, 4,
# 8, …?

# %% [markdown] lang="zh" of="6b2644ec"
# ### 练习 3 · 难 —— 感受野
#
# 写出 `receptive_field(layers)`，参数是由 `(核, 步幅, 空洞)` 组成的列表，靠近输入的层在前。然后想一想：
# 步幅为 1 的 3 × 3 卷积要叠多少层，
# 一个输出才能看见 28 像素宽的整个数字？如果空洞依次取 1、2、4、8……呢？

# %% tags=["exercise"]
def receptive_field(layers):
    """Pixels that one output of the stack sees, along one axis."""
    ### BEGIN SOLUTION
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return field
    ### END SOLUTION

# %% tags=["check"]
exercises.check("02.receptive_field", receptive_field)

# %% [markdown] lang="en" tags=["hint"]
# Keep two numbers while you go up: the field so far, and how many image pixels one step in the present layer means. A
# layer's own stride matters for the layers *above* it, not for itself. (To compare: fourteen layers see 29 pixels; with
# dilations that double, four layers see 31.)

# %% [markdown] lang="zh" of="efcfbcd7" tags=["hint"]
# 自下而上时记住两个数：到目前为止的感受野，以及在当前这一层走一步相当于原图的几个像素。
# 某一层自己的步幅只影响它*上面*的层，不影响它自己。（供核对：14 层看见 29 个像素；空洞逐层翻倍时，4 层就看见 31 个。）

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
#   case of size, with pictures.
# - LeCun, Bottou, Bengio and Haffner, [*Gradient-based learning applied to document recognition*](https://doi.org/10.1109/5.726791):
#   the paper behind MNIST, readable today.
# - Goodfellow, Bengio and Courville, [*Deep Learning*, chapter 9](https://www.deeplearningbook.org/contents/convnets.html).
#
# **What the full profile changes.** All networks see all 60,000 digits, the beginner's networks for as many epochs as
# their recipes say, and the shifts are measured on all test digits. Expect smaller gaps, and
# check whether the order stays.
#
# Next: chapter 2a makes networks *deep*, with normalisation and residual connections.

# %% [markdown] lang="zh" of="0f716e9c"
# ## 用在哪里，读些什么
#
# 滑动窗口读过邮政编码（[LeCun 等，1989](https://doi.org/10.1162/neco.1989.1.4.541)），赢过 ImageNet 竞赛
# （[Krizhevsky、Sutskever 与 Hinton，2012](https://doi.org/10.1145/3065386)）；沿时间轴加上空洞，它能合成语音
# （[WaveNet，2016](https://arxiv.org/abs/1609.03499)）；转置之后，它能在显微图像里勾画细胞
# （[U-Net，2015](https://arxiv.org/abs/1505.04597)）。想法本身更早：福岛邦彦的新认知机（neocognitron）
# 在 [1980 年](https://doi.org/10.1007/BF00344251) 就有了。
#
# - Dumoulin 与 Visin，[*A guide to convolution arithmetic for deep learning*](https://arxiv.org/abs/1603.07285)：
#   各种尺寸情形都配了图。
# - LeCun、Bottou、Bengio 与 Haffner，
#   [*Gradient-based learning applied to document recognition*](https://doi.org/10.1109/5.726791)：
#   MNIST 背后的论文，今天读来仍不费力。
# - Goodfellow、Bengio 与 Courville，[*Deep Learning* 第 9 章](https://www.deeplearningbook.org/contents/convnets.html)。
#
# **换成 full 配置会怎样。** 所有网络都用全部 60,000 个数字训练，入门网络按各自配方的轮数来，平移实验用全部测试数字。
# 预计差距会缩小；名次变不变，请你自己核对。
#
# 接下来：第 2a 章用归一化和残差连接，把网络做*深*。
