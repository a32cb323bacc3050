# %% [markdown] lang="en"
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
# - choose between max, average, strided convolution and global pooling with measurements instead of habit;
# - spot what is missing in a pooling formula that is often printed.
#
# **To know before:** convolution, stride and padding (chapter 2). Time and memory, measured, stand below the imports.
# %% [markdown] lang="zh" of=""
# # 3 池化
#
# 一个笔画到底在哪个像素上，网络其实不必知道得那么精确。池化（pooling）就是有意丢掉这份精确：看一个小窗口，只留一个数。
# 这样一来，计算少了，对微小的移动也迟钝了一些。究竟少多少、迟钝多少？本章一一测量，并把四种缩小特征图的办法与“干脆不缩小”放在一起比较。
#
# **学完这一章，你能够**
#
# - 手算最大池化与平均池化的前向和反向，并证明你的数就是 Keras 的数；
# - 说清池化层省下了什么、省在哪里：省的是计算，以及它*后面*那个全连接层；
# - 凭测量而不是凭习惯，在最大池化、平均池化、带步幅的卷积和全局池化之间作选择；
# - 看出一个常见的池化公式里漏掉了什么。
#
# **预备知识：** 卷积、步幅与填充（第 2 章）。实测的时间和内存写在导入语句之后。
# %% tags=["setup"]
# Finds course_utils: installed, in the repository, beside a learner's copy, on Binder, Colab or Kaggle.
import sys
from pathlib import Path

unpacked = [*Path("/content").glob("*"), *Path("/kaggle/input").glob("*")]
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

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.profiles import choose
from course_utils.reference import pooling
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
# %% [markdown] lang="zh" of=""
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
        axis.text(column, row, f"{value:g}", ha="center", va="center", fontsize=14)
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
# %% [markdown] lang="zh" of=""
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
# %% [markdown] lang="zh" of=""
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
# %% [markdown] lang="zh" of=""
# ## 反向：梯度归谁？
#
# 设上一层传回 $g_{i,j}$。求平均时，窗口里每个像素都以权重 $1/P^2$ 参与了；求最大时，只有胜者参与了：
#
# $$ \text{平均：}\quad \frac{\partial L}{\partial x_{r,t}} = \sum_{\text{包含 } (r,t) \text{ 的窗口 } (i,j)} \frac{g_{i,j}}{P^2}
#    \qquad
#    \text{最大：}\quad \frac{\partial L}{\partial x_{r,t}} = \sum_{(i,j):\ (r,t) \text{ 最大}} g_{i,j} $$
#
# 窗口重叠时求和号就有用了：一个像素若两次获胜，就拿两份梯度。如果两个像素一样大呢？那里导数不存在，TensorFlow 把梯度给第一个。
# 所以下面的证明选用没有并列的数。
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
        f"{name}: by hand": backward(upstream, overlapping, 3, 2),
        "GradientTape": tape.gradient(loss, tensor),
        "finite differences": proofs.finite_differences(
            lambda x, f=forward: np.sum(upstream * f(x, 3, 2)), overlapping),
    })
# %% [markdown] lang="en"
# ## Global pooling
#
# Let the window be the whole map: one number a channel remains. **Global average pooling** asks *how much of this feature
# is in the image, anywhere?* It answers the same for a map moved inside its frame, and takes images of any size.
# %% [markdown] lang="zh" of=""
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
# ## Try it: window and stride
#
# Move the sliders and watch the digit lose detail. **Look for** three things: a stride smaller than the window (overlap),
# a stride larger than the window (pixels that nobody looks at), and the difference between the two kinds. Without a running
# kernel, the picture below the sliders shows four cases.
# %% [markdown] lang="zh" of=""
# ## 试一试：窗口与步幅
#
# 拖动滑块，看数字如何失去细节。**注意看**三点：步幅小于窗口（重叠）、步幅大于窗口（有的像素根本没人看）、两种池化的差别。
# 如果没有运行内核，滑块下面的图展示了四种情形。
# %% tags=["nbval-ignore-output"]
def show_pooling(size, stride):
    """Draw the digit after max and after average pooling."""
    pooled = [digit, pool_loop(digit, size, stride, np.max), pool_loop(digit, size, stride, np.mean)]
    titles = ["digit", f"max, {pooled[1].shape[0]} × {pooled[1].shape[1]}", "average"]
    plots.show(
        plots.grid(pooled, titles, columns=3, size=2.2, vmin=0, vmax=1),
        alt="A digit, and the same digit after max and after average pooling.",
        alt_zh="一个数字，以及它经过最大池化和平均池化之后的样子。",
    )


ipywidgets.interactive(show_pooling, size=(1, 9), stride=(1, 9))
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
# One small network, two convolutions (8 and 24 channels), five variants that differ in nothing but this:
#
# - **none**: the maps stay 28 × 28; the *baseline*;
# - **max**, **average**: pooling with a window of 2 after each convolution;
# - **stride 2**: the convolutions themselves move by 2, and there is no pooling;
# - **max + global**: as max, then global average pooling instead of `Flatten`.
#
# **Predict:** which has the fewest parameters, which is slowest, which is best on digits moved by two pixels?
# %% [markdown] lang="zh" of=""
# ## 实验：五种缩小（或不缩小）的办法
#
# 同一个小网络，两层卷积（8 和 24 通道），五个变体只在这一点上不同：
#
# - **none**：特征图保持 28 × 28，作为*基线*；
# - **max**、**average**：每层卷积之后接窗口为 2 的池化；
# - **stride 2**：卷积自己以步幅 2 移动，不用池化；
# - **max + global**：同 max，但用全局平均池化代替 `Flatten`。
#
# **先猜：** 谁的参数最少？谁最慢？把数字挪动两个像素，谁最稳？
# %%
def network(kind):
    """A small CNN that shrinks its feature maps in one of five ways; returns logits."""
    shrink = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}.get(kind.split()[0])
    x = inputs = keras.Input((28, 28, 1))
    for channels in (8, 24):
        x = keras.layers.Conv2D(channels, 3, strides=2 if kind == "stride 2" else 1, padding="same", activation="relu")(x)
        x = shrink(2)(x) if shrink else x  # (batch, 14, 14, 8), then (batch, 7, 7, 24), unless kind is "none"
    x = keras.layers.GlobalAveragePooling2D()(x) if "global" in kind else keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x))


kinds = ["none", "max", "average", "stride 2", "max + global"]
names = {kind: kind.replace(" + ", "_").replace(" ", "_") for kind in kinds}  # as they are recorded
for kind in kinds:
    *_, last_map, flat, dense = network(kind).layers
    print(f"{kind:13} {str(last_map.output.shape[1:]):13} parameters · 参数: convolutions · 卷积 1,832, "
          f"dense · 全连接 {dense.count_params():7,}")
# %% [markdown] lang="en"
# The convolutions have the same 1,832 parameters in all five. Pooling saved nothing there: it *has* no parameters and
# changes none of the layers before it. The whole difference lies in the dense layer that comes after, because it now has
# fewer inputs. Now train them; digits, epochs and optimiser are the same for all.
# %% [markdown] lang="zh" of=""
# 五个网络的卷积层参数都是 1,832 个，池化在那里一个也没省：它自己没有参数，也改变不了它前面的层。差别全在后面的全连接层，因为它的输入变少了。
# 下面开始训练；数据、轮数和优化器都相同。
# %%
count, epochs = choose(smoke=2_000, laptop=6_000, full=60_000), choose(smoke=1, laptop=4, full=8)
x_train, y_train = datasets.as_images(digits.x_train[:count]), digits.y_train[:count]
tested = choose(smoke=1_000, laptop=4_000, full=10_000)
x_test, y_test = datasets.as_images(digits.x_test[:tested]), digits.y_test[:tested]


def trained(kind):
    """Return a trained network and the seconds that it took, the first epoch (with tracing) left out."""
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        model = network(kind)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.003), loss, steps_per_execution=8)
    history = training.fit(model, x_train, y_train, name=kind, epochs=epochs, batch_size=64)
    return model, np.mean(history["seconds"][1:] or history["seconds"])


print("training images · 训练图像:", x_train.shape[1:], x_train.dtype)
# %% tags=["nbval-ignore-output"]
bands = {kind: choose(smoke=(0.3, 1), laptop=(0.8, 1), full=(0.9, 1)) for kind in kinds}
models, seconds, accuracy = {}, {}, {}
for kind, band in bands.items():
    models[kind], seconds[kind] = trained(kind)
    accuracy[kind] = training.accuracy(models[kind], x_test, y_test)
    results.record(f"pooling_{names[kind]}.test_accuracy", accuracy[kind], band=band)
for kind in kinds[1:]:
    results.record(f"pooling_{names[kind]}.time_ratio", seconds[kind] / seconds["none"], digits=2)
# %% tags=["nbval-ignore-output"]
def move_right(images, pixels):
    """Move (count, height, width, 1) to the right; zeros come in from the left."""
    moved = np.zeros_like(images)
    moved[:, :, pixels:] = images[:, :, : images.shape[2] - pixels]
    return moved


shifts = range(6)
few = choose(smoke=300, laptop=1_000, full=10_000)
moved = [move_right(x_test[:few], pixels) for pixels in shifts]
curves = {kind: [training.accuracy(model, images, y_test[:few]) for images in moved] for kind, model in models.items()}
for kind, band in {kind: choose(smoke=(0.1, 1), laptop=(0.1, 1), full=(0.1, 1)) for kind in kinds}.items():
    results.record(f"pooling_{names[kind]}.accuracy_moved_2_pixels", curves[kind][2], band=band)
# %% tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
for kind, color, marker, line in zip(kinds, plots.COLORS, plots.MARKERS, plots.LINES, strict=False):
    left.plot(seconds[kind], 100 * (1 - accuracy[kind]), marker, color=color, markersize=9, label=kind)
    stored = results.spread("03", f"pooling_{names[kind]}.test_accuracy")
    if stored and profiles.name() == "laptop":
        errors = [100 - 100 * stored["highest"], 100 - 100 * stored["lowest"]]
        left.plot([seconds[kind]] * 2, errors, color="0.7", linewidth=6, solid_capstyle="butt", zorder=1)
    right.plot(shifts, curves[kind], linestyle=line, marker=marker, color=color, label=kind)
left.set(xlabel="seconds an epoch (s)", ylabel="test error (%)", title="Error against time")
left.set(xlim=(0, None), ylim=(0, None))
right.set(xlabel="digits moved to the right (pixels)", ylabel="test accuracy", title="Accuracy on moved digits", ylim=(0, 1))
right.legend(fontsize=9)
plots.show(
    figure,
    alt="Left: test error against seconds an epoch, a marker for each of the five networks, grey bars for three seeds. "
    "Right: their accuracy against the number of pixels by which digits were moved.",
    alt_zh="左：测试错误率与每轮秒数，五个网络各一个标记，灰条为三个随机种子的范围。右：准确率随平移像素数的变化。",
)
# %% [markdown] lang="en"
# TODO reading
# %% [markdown] lang="zh" of=""
# 待写
# %% [markdown] lang="en"
# ## Formula clinic: a pooling formula without a stride
#
# Often printed as "max pooling": $\; y(i,j) = \max_{0 \le p < P}\ \max_{0 \le q < Q}\ x(i+p,\ j+q)$.
#
# Read it with care: when $i$ grows by 1, the window moves by **one** pixel. Does that make maps smaller by half, as the
# text beside it says? Compute it as printed, and ask which Keras layer gives these numbers.
# %% [markdown] lang="zh" of=""
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
# %% [markdown] lang="zh" of=""
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
# %% [markdown] lang="zh" of=""
# **诊断。** 后面接卷积时，池化一个参数也省不了，省的是乘法次数；后面接 `Flatten` 和 `Dense` 时才省参数，每做一次 2 倍池化省到约四分之一，
# 全局池化则省到了极致。说清*省在哪里*，这句话才成立。
# %% [markdown] lang="en"
# ### Exercise 1 · easy — the inputs of the dense layer
#
# A map of `height` × `width` × `channels` is pooled `times` times with a window and stride of 2 (`"valid"`: a remaining
# row is dropped), then flattened. Write `dense_parameters(height, width, channels, times, units)`: the parameters of the
# dense layer with `units` outputs that follows, biases included.
# %% [markdown] lang="zh" of=""
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
# %% [markdown] lang="zh" of="" tags=["hint"]
# 每次高和宽*都*减半，并且每次都向下取整：7 变 3，再变 1。池化不改变通道数。每个输出一个偏置。
# %% [markdown] lang="en"
# ### Exercise 2 · medium — average pooling is a convolution
#
# Average pooling is a convolution with fixed weights. Write `average_kernel(size, channels)`: a kernel for
# `convolution.cross_correlate2d` (size, size, channels in, channels out) that, with `stride=size`, gives exactly average
# pooling. Every channel must stay for itself.
# %% [markdown] lang="zh" of=""
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
# %% [markdown] lang="zh" of="" tags=["hint"]
# $P^2$ 个权重合起来要得到平均数，每个应是多大？输出通道 0 只能看输入通道 0：窗口里每个位置上，（输入，输出）矩阵都是单位矩阵的倍数。
# %% [markdown] lang="en"
# ### Exercise 3 · hard — the backward pass of max pooling
#
# Write `max_pool_backward(upstream, image, size, stride)` for arrays (height, width): the gradient by the image, also for
# windows that overlap. On a tie, the first in reading order gets all.
# %% [markdown] lang="zh" of=""
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
# %% [markdown] lang="zh" of="" tags=["hint"]
# 像 `pool_loop` 那样逐个窗口处理。`np.argmax` 给出的是窗口展平后的位置，`np.unravel_index` 把它变成行和列，但仍是*窗口内部*的坐标。
# 一个像素可能赢得不止一个窗口：要累加，不要赋值。
# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("03")
# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# LeNet averaged (and trained a factor for each map, [LeCun et al. 1998](https://doi.org/10.1109/5.726791)); AlexNet took
# overlapping maxima, a window of 3 with a stride of 2
# ([Krizhevsky, Sutskever and Hinton 2012](https://papers.nips.cc/paper/4824)); global average pooling came with *Network in
# Network* ([Lin, Chen and Yan 2013](https://arxiv.org/abs/1312.4400)) and ends most image classifiers since. Strided
# convolution replaced pooling in [Springenberg et al. 2014](https://arxiv.org/abs/1412.6806), and vision transformers cut the
# image into patches once, at the start ([Dosovitskiy et al. 2020](https://arxiv.org/abs/2010.11929)).
#
# - Azulay and Weiss, [*Why do deep convolutional networks generalize so poorly to small image transformations?*](https://arxiv.org/abs/1805.12177)
# - Zhang, [*Making convolutional networks shift-invariant again*](https://arxiv.org/abs/1904.11486): blur before you subsample.
#
# **What the full profile changes.** All 60,000 digits and eight epochs, shifts on all test digits. It was not run for the
# committed outputs: run it, and see whether the order stays.
#
# Next: chapter 4 turns the last layer's numbers into probabilities, and asks what a good loss is.
# %% [markdown] lang="zh" of=""
# ## 用在哪里，读些什么
#
# LeNet 用的是平均（每张特征图还学一个系数，[LeCun 等，1998](https://doi.org/10.1109/5.726791)）；AlexNet 用重叠的最大池化，窗口 3、步幅 2
# （[Krizhevsky、Sutskever 与 Hinton，2012](https://papers.nips.cc/paper/4824)）；全局平均池化出自 *Network in Network*
# （[Lin、Chen 与 Yan，2013](https://arxiv.org/abs/1312.4400)），此后成了多数图像分类网络的收尾。
# [Springenberg 等（2014）](https://arxiv.org/abs/1412.6806) 用带步幅的卷积取代了池化；视觉 Transformer 则一开始就把图像切成小块
# （[Dosovitskiy 等，2020](https://arxiv.org/abs/2010.11929)）。
#
# - Azulay 与 Weiss，[*Why do deep convolutional networks generalize so poorly to small image transformations?*](https://arxiv.org/abs/1805.12177)
# - Zhang，[*Making convolutional networks shift-invariant again*](https://arxiv.org/abs/1904.11486)：下采样之前先模糊。
#
# **换成 full 配置会怎样。** 用全部 60,000 个数字训练八轮，平移实验用全部测试数字。仓库里保存的输出没有跑过它：不妨自己跑一遍，看看名次变不变。
#
# 接下来：第 4 章把最后一层的数变成概率，再问什么才是好的损失。
