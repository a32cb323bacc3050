# %% [markdown] lang="en" telling=["integrated.share_on_mark", "grad_cam.share_on_mark", "guided.survives_ink"]
# # 8c Interpretability
#
# A network looks at a digit and says "3". Why 3? Below are eight answers, each a coloured map from a published method
# or its control. They disagree. One column is not an explanation at all: it has never met the network. Would you have
# picked it out?
#
# A map over an image looks like an answer, so it is seldom tested. In this chapter you build the maps in a few lines
# each, and then put them on trial: you plant a reason and see who finds it, you delete what a map names, and you
# replace everything the network has learned by random numbers and watch which maps stay the same.
#
# **By the end you will be able to**
#
# - write saliency, SmoothGrad, integrated gradients, Grad-CAM, occlusion, LIME and Kernel SHAP in a few lines each;
# - compute exact Shapley values, and check that your Kernel SHAP and the `shap` package give the same numbers;
# - test an explanation: against a planted truth, by deleting what it names, and by taking away what the network
#   learned;
# - say what attention weights tell about a decision, and what they do not;
# - refuse a beautiful map that fails.
#
# **Before you start:** gradients and convolutional networks (chapters 1 and 2), softmax (chapter 4); attention
# (chapter 7) for one section.

# %% [markdown] lang="zh" of="00d32691"
# # 8c 可解释性
#
# 网络看了一张图，说“这是 3”。凭什么是 3？下图给出八种回答，每一列是一种方法画出的图，它们彼此并不一致。
# 其中有一列根本不是解释，它从没见过这个网络。你看得出是哪一列吗？
#
# 往图像上盖一张彩色的图，看上去就像是答案，所以很少有人去检验。这一章先用几行代码把每种图都做出来，再让它们接受检验：
# 埋下一个原因，看谁找得到；删掉图上指出的像素；再把网络学到的东西统统换成随机数，看哪些图还是老样子。
#
# **学完这一章，你能够**
#
# - 用几行代码写出显著图、SmoothGrad、积分梯度、Grad-CAM、遮挡法、LIME 和 Kernel SHAP；
# - 精确计算夏普利值，并核对你的 Kernel SHAP 与 `shap` 包的结果一致；
# - 检验一个解释：拿事先埋下的真相去核对，删掉它指出的像素，抹去网络学到的东西；
# - 说清楚注意力权重能说明什么，不能说明什么；
# - 面对一张好看却通不过检验的图，敢于不用它。
#
# **预备知识：** 梯度与卷积网络（第 1、2 章），softmax（第 4 章）；其中一节用到注意力（第 7 章）。

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
import itertools
import math

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.topics import explain
from course_utils.models import vision
from course_utils.profiles import choose

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("08c")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: a sum explains itself
#
# The simplest classifier of digits gives each class a score that is a sum over the pixels,
#
# $$ S_c(x) = b_c + \sum_i w_{c,i}\, x_i $$
#
# and there the question "which pixel did what?" has one answer: pixel $i$ contributed $w_{c,i}\,x_i$. The
# contributions and the bias add up to the score; nothing is missing and nothing is counted twice.
#
# A deep network is not a sum. Every method of this chapter, an **attribution** method, is a different way of
# pretending that it is. So keep the sum in mind as a yardstick: what does a method say about a network that *is*
# linear? Below, a single dense layer is trained and explained.
#
# **Predict:** which pixels can have no contribution at all?

# %% [markdown] lang="zh" of="0ac0a821" tags=["predict"]
# ## 核心思想：和式自己就是解释
#
# 最简单的数字分类器，给每个类别打的分就是对像素求和：
#
# $$ S_c(x) = b_c + \sum_i w_{c,i}\, x_i $$
#
# 这时，“哪个像素起了什么作用”只有一个答案：像素 $i$ 的贡献是 $w_{c,i}\,x_i$。所有贡献加上偏置恰好等于分数，
# 不多也不少。
#
# 深层网络不是和式。本章的每一种**归因**（attribution）方法，都是换一种办法把它当成和式。所以请把和式当作试金石：
# 如果网络真的是线性的，这种方法会怎么说？下面先训练并解释单独一个全连接层。
#
# **先猜：** 哪些像素不可能有任何贡献？

# %%
digits = datasets.mnist()
count, tested = choose(smoke=1_600, laptop=8_000, full=60_000), choose(smoke=500, laptop=2_000, full=10_000)
x_train, y_train = datasets.as_images(digits.x_train[:count]), digits.y_train[:count].astype(int)
x_test, y_test = datasets.as_images(digits.x_test[:tested]), digits.y_test[:tested].astype(int)
del digits  # 55 MB that the rest of the chapter does not need

cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
with strategy.scope():
    linear = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10, name="scores")])
    linear.compile(keras.optimizers.Adam(0.003), cross_entropy, steps_per_execution=choose(smoke=1, laptop=8, full=8))
training.fit(linear, x_train, y_train, name="linear", epochs=3)
print("parameters · 参数:", f"{linear.count_params():,}")

# %%
digit, label = x_test[18], y_test[18]  # a "3"
weights = linear.get_layer("scores").kernel.numpy()[:, label].reshape(28, 28)
bias = linear.get_layer("scores").bias.numpy()[label]
contributions = weights * digit[..., 0]
proofs.equal({"bias + Σ contributions": bias + contributions.sum(), "score": linear(digit[None])[0, label]}, tolerance=1e-4)

figure, axes = plt.subplots(1, 3, figsize=(8, 2.9))
for axis, picture, title in zip(axes, [digit, weights, contributions], ["image x", "weights w of class 3", "contributions w · x"], strict=True):
    signed = {} if picture is digit else {"cmap": "RdBu_r", "vmin": -abs(picture).max(), "vmax": abs(picture).max()}
    axis.imshow(picture, **signed)
    axis.set_title(title)
    axis.axis("off")
plots.show(
    figure,
    alt="A handwritten 3, the weights of class 3 as a red and blue picture, and their product: coloured only where there "
    "is ink, red for pixels that speak for a 3 and blue for pixels that speak against.",
    alt_zh="手写数字 3；类别 3 的权重，红蓝两色；两者的乘积：只在有笔画处有颜色，红色支持 “是 3”，蓝色反对。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The black ones: their $x_i$ is 0, so their product is 0, whatever their weight. On the ink, red pixels
# speak for a 3 and blue ones against it. Keep in mind that "black contributes nothing" is a property of the
# *product*, and not a discovery about the network. It will return.
#
# ## A network worth explaining
#
# Now a network whose score is not a sum: the beginner's convolutional network of chapter 2, with its softmax taken
# off. A probability also rises when the *other* classes fall, and where the network is confident its gradient
# vanishes (chapter 4). The score of the class itself, the logit, has neither fault ([Simonyan et al.
# 2013](https://arxiv.org/abs/1312.6034)).
#
# The chapter trains this network more than once. To save memory, one compiled model starts anew each time, and
# `train` hands out a copy.

# %% [markdown] lang="zh" of="bafca496" tags=["answer"]
# **答案。** 黑色的像素：$x_i$ 是 0，不管权重多大，乘积都是 0。在笔画上，红色像素支持“是 3”，蓝色像素反对。
# 要记住，“黑色没有贡献”是由相乘得来的，并不是对网络的什么发现。这一点后面还会碰到。
#
# ## 一个值得解释的网络
#
# 现在来看分数不是和式的网络：第 2 章的入门卷积网络，去掉了 softmax。概率上升，可能只是因为别的类别下降了；
# 而且网络的置信度很高时，概率的梯度会消失（第 4 章）。类别自己的分数（logit）没有这两个毛病（[Simonyan 等，2013](https://arxiv.org/abs/1312.6034)）。
#
# 本章要多次训练这个网络。为了省内存，只编译一个模型，每次从头开始，由 `train` 交出一份副本。

# %%
def compiled(model, learning_rate):
    """Compile under the strategy; returns the model and what it starts from, weights and optimizer."""
    model.compile(keras.optimizers.Adam(learning_rate), cross_entropy, steps_per_execution=8)
    model.optimizer.build(model.trainable_variables)
    return model, [variable.numpy() for variable in model.weights + model.optimizer.variables]


def train(images, labels, name, epochs):
    """Train the compiled network from its start; returns a copy, which is not compiled."""
    for variable, value in zip(trainee.weights + trainee.optimizer.variables, trainee_start, strict=True):
        variable.assign(value)
    training.fit(trainee, images, labels, name=name, epochs=epochs, batch_size=64)
    trained = keras.models.clone_model(trainee)
    trained.set_weights(trainee.get_weights())
    return trained


keras.utils.set_random_seed(SEED)
with strategy.scope():
    trainee, trainee_start = compiled(explain.with_logits(vision.beginner_cnn()), 0.001)
print([layer.name for layer in trainee.layers if layer.weights], "last activation · 末层激活:", trainee.layers[-1].activation.__name__)

# %% tags=["nbval-ignore-output"]
network = train(x_train, y_train, "network", epochs=choose(smoke=2, laptop=3, full=5))
results.record(
    "network.test_accuracy",
    training.accuracy(network, x_test, y_test, batch_size=200),
    band=choose(smoke=(0.739, 0.951), laptop=(0.926, 0.985), full=(0.97, 1)),
)

# %% [markdown] lang="en"
# The network classifies {{network.test_accuracy:.1%}} of the test digits correctly. Now let us ask it why.
#
# ## Gradients: saliency and SmoothGrad
#
# **Saliency** ([Simonyan et al. 2013](https://arxiv.org/abs/1312.6034)) asks which pixel, nudged a little, would move
# the score most: $M_i = \lvert \partial S_c / \partial x_i \rvert$. It takes one backward pass, and it is exact about
# *this* point. But a ReLU network is made of flat regions, and across an edge the gradient is a different one, so its
# maps look like noise.
#
# **SmoothGrad** ([Smilkov et al. 2017](https://arxiv.org/abs/1706.03825)) averages the gradient over $n$ noisy copies
# of the image:
#
# $$ M_i = \Big\lvert \frac{1}{n} \sum_{k=1}^{n} \frac{\partial S_c}{\partial x_i}(x + \varepsilon_k) \Big\rvert,
#    \qquad \varepsilon_k \sim \mathcal{N}(0, \sigma^2) $$
#
# Here are both, for eight digits, compared with the tested functions of `course_utils.topics.explain` that the
# experiments use. The gradient itself is checked by finite differences, on a patch of the linear classifier, where it
# must equal the weights.

# %% [markdown] lang="zh" of="e027ee69"
# 这个网络认对了测试集的 {{network.test_accuracy:.1%}}。现在来问它凭什么。
#
# ## 梯度法：显著图与 SmoothGrad
#
# **显著图**（saliency map，[Simonyan 等，2013](https://arxiv.org/abs/1312.6034)）问的是：轻轻拨动哪个像素，
# 分数变化最大？即 $M_i = \lvert \partial S_c / \partial x_i \rvert$。反向传播一次就够，而且在这一点上是精确的。
# 但 ReLU 网络由一片片平面拼成，迈过一条棱，梯度就换了一个，所以这种图看上去像噪声。
#
# **SmoothGrad**（[Smilkov 等，2017](https://arxiv.org/abs/1706.03825)）把图像复制 $n$ 份，各加上噪声，
# 再对梯度取平均：
#
# $$ M_i = \Big\lvert \frac{1}{n} \sum_{k=1}^{n} \frac{\partial S_c}{\partial x_i}(x + \varepsilon_k) \Big\rvert,
#    \qquad \varepsilon_k \sim \mathcal{N}(0, \sigma^2) $$
#
# 下面对八个样本写出这两种方法，并与 `course_utils.topics.explain` 里经过测试、供后面实验使用的函数对照。
# 梯度本身用有限差分来核对：取线性分类器的一小块，那里的梯度应当就是权重。

# %%
def gradient(model, images, labels):
    """dS_c/dx of each image: (count, 28, 28)."""
    pictures = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        scores = tf.gather(model(pictures), labels, axis=1, batch_dims=1)  # (count,): each image's own class
    return tape.gradient(scores, pictures)[..., 0].numpy()


few, few_labels = x_test[11:19], y_test[11:19]
copies = choose(smoke=5, laptop=25, full=25)
noise = np.stack([np.random.default_rng([0, k]).standard_normal((copies, 28, 28, 1), dtype="float32") for k in range(8)], axis=1)
noisy = few + 0.15 * np.ptp(few, axis=(1, 2, 3), keepdims=True) * noise  # (copies, 8 images, 28, 28, 1)
smooth = np.abs(np.mean([gradient(network, images, few_labels) for images in noisy], axis=0))
proofs.equal({"|∂S/∂x|": np.abs(gradient(network, few, few_labels)), "saliency": explain.saliency(network, few, few_labels)})
proofs.equal({"mean over noise": smooth, "SmoothGrad": explain.smooth_gradients(network, few, few_labels, samples=copies)})

around = digit[..., 0] * np.pad(np.zeros((4, 4)), 12, constant_values=1)  # the digit without its middle
proofs.equal({
    "weights": weights[12:16, 12:16],
    "tape": gradient(linear, digit[None], [label])[0, 12:16, 12:16],
    "finite differences": proofs.finite_differences(
        lambda patch: linear((around + np.pad(patch, 12))[None, ..., None])[0, label], digit[12:16, 12:16, 0], step=0.1),
}, tolerance=1e-4)

# %% [markdown] lang="en" tags=["predict"]
# All three ways of computing the gradient agree.
#
# ## Integrated gradients: shares that add up
#
# The gradient says how the score *would* change. We want to know where the score *came from*. So choose a
# **baseline** $b$ that means "nothing" (here a black image), walk from there to the image, and add up all changes
# along the way ([Sundararajan et al. 2017](https://arxiv.org/abs/1703.01365)):
#
# $$ A_i = (x_i - b_i) \int_0^1 \frac{\partial S_c}{\partial x_i}\big(b + \alpha (x - b)\big)\, d\alpha,
#    \qquad \sum_i A_i = S_c(x) - S_c(b) $$
#
# The second formula is **completeness**: the parts add up to the difference, as in the linear sum. It follows from
# the chain rule, and the cell checks it. With a finite number of steps the integral is an approximation; how many
# steps are enough?
#
# For comparison, the figure has a dashed line for *gradient × input*, which takes the gradient at the image only. In
# a ReLU network without biases, that single gradient times the image gives the score exactly. Ours has small biases.
#
# **Predict:** where does the dashed line lie?

# %% [markdown] lang="zh" of="7d3ff5e6" tags=["predict"]
# 三种办法算出的梯度一致。
#
# ## 积分梯度：各份加起来正好
#
# 梯度说的是分数将会怎样变，我们想知道的却是分数从哪里来。办法是：选一个代表“什么都没有”的**基线**（baseline）$b$，
# 这里取全黑的图，从基线一路走到这张图，把沿途的变化都累加起来，这就是**积分梯度**（integrated gradients，
# [Sundararajan 等，2017](https://arxiv.org/abs/1703.01365)）：
#
# $$ A_i = (x_i - b_i) \int_0^1 \frac{\partial S_c}{\partial x_i}\big(b + \alpha (x - b)\big)\, d\alpha,
#    \qquad \sum_i A_i = S_c(x) - S_c(b) $$
#
# 第二个式子叫**完备性**（completeness）：各部分之和等于分数之差，与线性和式一样。它由链式法则得来，下面的单元来核对。
# 步数有限时，积分只是近似；多少步才够？
#
# 作为比较，图中有一条虚线，代表“梯度乘输入”（gradient × input），它只用图像处的那一个梯度。没有偏置的 ReLU 网络，
# 这一个梯度乘以图像就恰好等于分数；我们的网络有很小的偏置。
#
# **先猜：** 虚线会在哪里？

# %%
black = np.zeros_like(few)
steps = choose(smoke=32, laptop=64, full=64)
midpoints = (np.arange(steps) + 0.5) / steps
mean_gradient = np.mean([gradient(network, np.float32(share) * few, few_labels) for share in midpoints], axis=0)
attribution = (few - black)[..., 0] * mean_gradient  # (8, 28, 28)
proofs.equal({"A by hand": attribution, "explain": explain.integrated_gradients(network, few, few_labels, steps=steps)}, tolerance=1e-4)
difference = explain.scores(network, few, few_labels) - explain.scores(network, black, few_labels)  # (8,)
print("ΣA = S(x) − S(b) within a hundredth · 相差不到百分之一:", bool(np.all(np.abs(attribution.sum(axis=(1, 2)) / difference - 1) < 0.01)))

gaps, step_counts = [], [1, 2, 4, 8, 16, 32, 64, 128][: choose(smoke=5, laptop=8, full=8)]
for steps in step_counts:
    sums = explain.integrated_gradients(network, few, few_labels, steps=steps).sum(axis=(1, 2))
    gaps.append(np.mean(np.abs(sums / difference - 1)))
one_gradient = explain.gradient_times_input(network, few, few_labels).sum(axis=(1, 2))
figure, axis = plt.subplots(figsize=(5.6, 3.2))
axis.loglog(step_counts, gaps, "o-", base=2, label="integrated gradients")
axis.axhline(np.mean(np.abs(one_gradient / difference - 1)), color=plots.COLORS[1], linestyle="--", label="gradient × input, at the image only")
axis.set(xlabel="steps of the integral", ylabel="|Σ A / (S(x) − S(b)) − 1|", title="How far the account is from balancing")
axis.legend()
plots.show(
    figure,
    alt="The relative gap of the sum on logarithmic axes: level for the first few steps, then it falls steadily. The dashed "
    "line of gradient times input lies far above the right end.",
    alt_zh="双对数坐标下总和的相对差距：最初几步持平，此后稳定下降；虚线是梯度乘输入，远高于曲线右端。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The dashed line lies low, but not at zero: small biases are enough to leave a gap. With very few steps
# the integral is even worse than that one gradient; with more steps it keeps improving, and the single gradient
# cannot.
#
# ## Grad-CAM and occlusion: coarse on purpose
#
# **Grad-CAM** ([Selvaraju et al. 2016](https://arxiv.org/abs/1610.02391)) does not go back to the pixels. It stops at
# the last convolution, whose maps $A_k$ still know *where*, and weights each map by its mean gradient over the $Z$
# positions:
#
# $$ M = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big), \qquad
#    \alpha_k = \frac{1}{Z} \sum_{i,j} \frac{\partial S_c}{\partial A_{k,i,j}} $$
#
# **Occlusion** ([Zeiler and Fergus 2013](https://arxiv.org/abs/1311.2901)) needs no gradient: cover a square, see how
# far the score falls, move the square. It is the one method whose meaning needs no formula, and it costs one forward
# pass per position.

# %% [markdown] lang="zh" of="acb57681" tags=["answer"]
# **答案。** 虚线很低，却不是零：偏置再小，也足以留下差额。步数太少时，积分甚至不如这一个梯度；步数增加，
# 它越来越准，单个梯度却做不到。
#
# ## Grad-CAM 与遮挡法：有意粗略
#
# **Grad-CAM**（[Selvaraju 等，2016](https://arxiv.org/abs/1610.02391)）不一直退回到像素，而是停在最后一个卷积层：
# 那里的特征图 $A_k$ 还保留着位置。每张特征图用它在 $Z$ 个位置上的平均梯度加权：
#
# $$ M = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big), \qquad
#    \alpha_k = \frac{1}{Z} \sum_{i,j} \frac{\partial S_c}{\partial A_{k,i,j}} $$
#
# **遮挡法**（occlusion，[Zeiler 与 Fergus，2013](https://arxiv.org/abs/1311.2901)）不用梯度：盖住一个方块，
# 看分数掉多少，再挪动方块。只有它的含义不用公式就能说清；代价是每个位置都要前向计算一次。

# %%
inside = keras.Model(network.inputs[0], [network.get_layer("conv_2").output, network.outputs[0]])
with tf.GradientTape() as tape:
    feature_maps, scores = inside(few)  # (8, 11, 11, 64), (8, 10)
    chosen = tf.gather(scores, few_labels, axis=1, batch_dims=1)
map_weights = tf.reduce_mean(tape.gradient(chosen, feature_maps), axis=(1, 2), keepdims=True)  # (8, 1, 1, 64)
coarse = tf.nn.relu(tf.reduce_sum(map_weights * feature_maps, axis=-1, keepdims=True))  # (8, 11, 11, 1)
proofs.equal({"Grad-CAM": tf.image.resize(coarse, (28, 28))[..., 0], "explain": explain.grad_cam(network, few, few_labels, "conv_2")})

falls, covered, whole = np.zeros((8, 28, 28)), np.zeros((28, 28)), explain.scores(network, few, few_labels)
stride = choose(smoke=4, laptop=2, full=2)
for top, left in itertools.product(range(0, 25, stride), repeat=2):
    square = np.s_[top : top + 4, left : left + 4]
    hidden = few.copy()
    hidden[:, *square] = 0
    falls[:, *square] += (whole - explain.scores(network, hidden, few_labels))[:, None, None]
    covered[square] += 1
proofs.equal({"occlusion": falls / covered, "explain": explain.occlusion(network, few, few_labels, size=4, stride=stride)}, tolerance=1e-4)

# %% [markdown] lang="en"
# ## One yardstick, eight pictures
#
# First the yardstick. On the linear classifier, the signed methods must all say $w_i x_i$; the first cell checks that
# they do.
#
# Then the pictures: eight methods on the convolutional network. Two need a word.
#
# - **Guided backpropagation** ([Springenberg et al. 2014](https://arxiv.org/abs/1412.6806)) lets only positive
#   gradients back through each ReLU; it is known for its clear pictures.
# - **Image alone** is no explanation at all. It is the brightness of the image, offered as if it were a map, and it
#   stays with us as a control.
#
# Which column convinces you most? Write it down; test 3 will come back to it.

# %% [markdown] lang="zh" of="a78ac661"
# ## 一块试金石，八种图
#
# 先上试金石：在线性分类器上，带符号的方法都应当给出 $w_i x_i$，第一个单元核对的就是这一点。
#
# 再看图：八种方法，同一个卷积网络。其中两种要说明一下。
#
# - **导向反向传播**（guided backpropagation，[Springenberg 等，2014](https://arxiv.org/abs/1412.6806)），
#   图中标作 guided：在每个 ReLU 处只让正的梯度通过，以画面清晰著称。
# - **只看图像**（image alone）根本不是解释：直接把图像的亮度当成一张图交上来。它要作为对照一直陪着我们。
#
# 图中其余各列依次是：saliency 显著图、SmoothGrad、gradient × input 梯度乘输入、integrated 积分梯度、Grad-CAM、occlusion 遮挡法。
# 哪一列最让你信服？先写下来，检验三还会回到这个问题。

# %%
proofs.equal({
    "w · x": contributions[None],
    "gradient × input": explain.gradient_times_input(linear, digit[None], [label]),
    "integrated gradients": explain.integrated_gradients(linear, digit[None], [label], steps=8),
    "occlusion of single pixels": explain.occlusion(linear, digit[None], [label], size=1, stride=1),
}, tolerance=1e-4)

METHODS = {
    "saliency": explain.saliency,
    "SmoothGrad": lambda *given: explain.smooth_gradients(*given, samples=copies),
    "gradient × input": explain.gradient_times_input,
    "integrated": lambda *given: explain.integrated_gradients(*given, steps=choose(smoke=8, laptop=32, full=64)),
    "guided": explain.guided_gradients,
    "Grad-CAM": lambda *given: explain.grad_cam(*given, layer="conv_2"),
    "occlusion": lambda *given: explain.occlusion(*given, size=4, stride=stride),
    "image alone": lambda model, images, classes: images[..., 0],
}

# %% tags=["hero"]
shown = [1, 2, 6, 7]
figure, axes = plt.subplots(len(shown), 9, figsize=(10.4, 1.2 * len(shown) + 0.3))
columns = {"image": few[..., 0]} | {name: method(network, few, few_labels) for name, method in METHODS.items()}
for (row, number), (column, (name, maps)) in itertools.product(enumerate(shown), enumerate(columns.items())):
    limit = max(abs(maps[number]).max(), 1e-9)  # Grad-CAM may be 0 everywhere
    signed = {} if column == 0 else {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    axes[row, column].imshow(maps[number], **signed)
    axes[row, column].axis("off")
    if row == 0:
        axes[row, column].set_title(name, fontsize=9)
plots.show(
    figure,
    alt="Four digits and eight maps of each. Saliency and SmoothGrad are grainy clouds around the strokes; gradient times "
    "input, integrated gradients and guided backpropagation follow the strokes; Grad-CAM and occlusion are coarse.",
    alt_zh="四个数字，每个配八种图：显著图和 SmoothGrad 是笔画周围的颗粒状云雾；梯度乘输入、积分梯度和导向反向传播紧贴笔画；"
    "Grad-CAM 和遮挡法比较粗。",
)

# %% [markdown] lang="en"
# Saliency and SmoothGrad are clouds around the digit, the next three follow the strokes, Grad-CAM and occlusion are
# coarse. For one and the same decision, they are very different pictures.
#
# ## A dozen players: Shapley values, LIME, Kernel SHAP
#
# There are too many pixels to try all combinations. So cut the image into 16 blocks of 7 × 7 and call each block with
# ink a *player*. (A block without ink changes nothing when it is hidden; its share is 0, and we leave it out.) Let
# $v(S)$ be the score when only the blocks of the coalition $S$ are visible. What is a fair share of
# $v(\text{all}) - v(\emptyset)$ for player $i$?
#
# **Shapley's answer** ([1953](https://doi.org/10.1515/9781400881970-018)): the mean gain when $i$ joins, over all
# orders in which $M$ players can arrive:
#
# $$ \varphi_i = \sum_{S \not\ni i} \frac{|S|!\,(M - |S| - 1)!}{M!}\,\big(v(S \cup i) - v(S)\big) $$
#
# This needs all $2^M$ coalitions. **Kernel SHAP** ([Lundberg and Lee 2017](https://arxiv.org/abs/1705.07874)) gets
# the same numbers from a weighted regression, which also works with a *sample* of coalitions:
#
# $$ \min_\varphi \sum_S k(S)\Big(v(S) - v(\emptyset) - \sum_{i \in S} \varphi_i\Big)^2, \quad
#    k(S) = \frac{M - 1}{\binom{M}{|S|}\,|S|\,(M - |S|)}, \quad \sum_i \varphi_i = v(\text{all}) - v(\emptyset) $$
#
# **LIME** ([Ribeiro et al. 2016](https://arxiv.org/abs/1602.04938)) is a weighted regression, too, with different
# weights (coalitions near the whole image count more), a ridge penalty, and no promise about the sum.
#
# The Shapley values are computed three times: by the definition, by our regression, and by the package. Beware of one
# default: the package keeps ten features (`l1_reg="num_features(10)"`) and sets the rest to 0. To compare, switch
# that off.

# %% [markdown] lang="zh" of="5a7fb13f"
# 显著图和 SmoothGrad 是数字周围的一团云雾，接下来三种紧贴笔画，Grad-CAM 和遮挡法比较粗。同一个判断，画出来的图却大不相同。
#
# ## 十几个参与者：夏普利值、LIME、Kernel SHAP
#
# 像素太多，不可能把所有组合都试一遍。那就把图像切成 16 个 7 × 7 的方块，每个有笔画的方块算一个**参与者**。
# （没有笔画的方块，遮不遮都一样，贡献为 0，可以不算。）只露出联盟 $S$ 里的方块，此时的分数记为 $v(S)$。
# $v(\text{全体}) - v(\emptyset)$ 该怎样公平地分给参与者 $i$？
#
# **夏普利的回答**（夏普利值，Shapley value，[1953](https://doi.org/10.1515/9781400881970-018)）：$M$ 个参与者按所有可能的次序入场，
# 取 $i$ 入场时带来的平均增益：
#
# $$ \varphi_i = \sum_{S \not\ni i} \frac{|S|!\,(M - |S| - 1)!}{M!}\,\big(v(S \cup i) - v(S)\big) $$
#
# 这要用到全部 $2^M$ 个联盟。**Kernel SHAP**（[Lundberg 与 Lee，2017](https://arxiv.org/abs/1705.07874)）用一个加权回归得到同样的数，
# 而且只抽取一部分联盟也能算：
#
# $$ \min_\varphi \sum_S k(S)\Big(v(S) - v(\emptyset) - \sum_{i \in S} \varphi_i\Big)^2, \quad
#    k(S) = \frac{M - 1}{\binom{M}{|S|}\,|S|\,(M - |S|)}, \quad \sum_i \varphi_i = v(\text{全体}) - v(\emptyset) $$
#
# **LIME**（[Ribeiro 等，2016](https://arxiv.org/abs/1602.04938)）也是加权回归，只是权重不同（越接近整张图，
# 权重越大），带岭惩罚，对总和不作任何保证。
#
# 夏普利值一共算三遍：按定义算，用我们的回归算，用现成的 `shap` 包算。当心一个默认值：这个包默认只保留十个特征（`l1_reg="num_features(10)"`），
# 其余置 0。要比较，先把它关掉。

# %%
grid = explain.blocks(28, 28, 7)  # (28, 28): the number of each pixel's block, 0 to 15
with_ink = [block for block in range(16) if digit[grid == block].any()]
segments = np.full((28, 28), -1)  # -1: always visible
for player, block in enumerate(with_ink):
    segments[grid == block] = player
players = len(with_ink)
ask_network = explain.coalition_value(network, digit, segments, label)

table = {tuple(row): worth for row, worth in zip(explain.all_coalitions(players), ask_network(explain.all_coalitions(players)), strict=True)}


def value(coalitions):
    """The scores of coalitions, from the table: the network has answered for each of them once."""
    return np.array([table[tuple(row)] for row in np.asarray(coalitions).astype(bool)])


by_definition = np.zeros(players)
for coalition, worth in table.items():
    for player in np.flatnonzero(np.array(coalition) == 0):
        size, joined = sum(coalition), list(coalition)
        joined[player] = True
        share = math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
        by_definition[player] += share * (table[tuple(joined)] - worth)
proofs.equal({"Shapley by definition": by_definition, "explain": explain.shapley_values(value, players)}, tolerance=1e-4)
print("players · 参与者:", players, " coalitions · 联盟:", f"{len(table):,}")

# %%
coalitions = explain.all_coalitions(players)[1:-1].astype(float)  # without nobody and everybody, which are constraints
sizes = coalitions.sum(axis=1)
kernel = np.array([(players - 1) / (math.comb(players, int(s)) * s * (players - s)) for s in sizes])
nobody, everybody = value(np.array([[0] * players, [1] * players]))
worths = value(coalitions)
# The sum is given, so the last player gets what the others leave: one unknown less, no constraint.
inputs = coalitions[:, :-1] - coalitions[:, -1:]
targets = worths - nobody - coalitions[:, -1] * (everybody - nobody)
root = np.sqrt(kernel)
first = np.linalg.lstsq(inputs * root[:, None], targets * root, rcond=None)[0]
kernel_shap = np.append(first, everybody - nobody - first.sum())

sample = np.random.default_rng(0).random((1000, players)) < 0.5
nearness = np.exp(-((1 - np.sqrt(sample.mean(axis=1))) ** 2) / (2 * 0.25**2))
centred = sample - np.average(sample, axis=0, weights=nearness)  # instead of an intercept
answer = value(sample)
answer -= np.average(answer, weights=nearness)
normal = centred.T @ (nearness[:, None] * centred) + np.eye(players)  # the ridge penalty is 1
lime = np.linalg.solve(normal, centred.T @ (nearness * answer))
proofs.equal({"LIME": lime, "explain": explain.lime(value, players)}, tolerance=1e-4)

# %%
import shap  # only here: it brings 80 MB along
package = shap.KernelExplainer(value, np.zeros((1, players)))
by_package, by_default = (
    package.shap_values(np.ones((1, players)), nsamples=2**players, l1_reg=features, silent=True)[0] for features in (0, "num_features(10)"))
proofs.equal({"Shapley by definition": by_definition, "Kernel SHAP": kernel_shap, "shap package": by_package}, tolerance=1e-4)
print("players kept by default · 默认保留:", np.count_nonzero(by_default), "of", players)
proofs.equal({"Σφ": by_definition.sum(), "v(all) − v(none)": everybody - nobody}, tolerance=1e-4)

last_in, first_in = everybody - value(1 - np.eye(players)), value(np.eye(players)) - nobody
ways = {"Shapley": by_definition, "LIME": lime, "only this hidden": last_in, "only this shown": first_in}
limit = max(abs(numbers).max() for numbers in ways.values())
figure, axes = plt.subplots(1, 4, figsize=(10.4, 2.9))
for axis, (name, values) in zip(axes, ways.items(), strict=True):
    axis.imshow(np.where(segments < 0, 0, values[segments]), cmap="RdBu_r", vmin=-limit, vmax=limit)
    axis.contour(digit[..., 0], levels=[0.5], colors="k", linewidths=0.8)
    axis.set_title(f"{name}: Σ = {values.sum():.1f}", fontsize=10)
    axis.axis("off")
plots.show(figure, alt="A handwritten 3 under coloured blocks, four times: Shapley values and LIME agree closely; hiding or showing one block gives other colours and sums.",
           alt_zh="手写数字 3 上盖着彩色方块，共四幅：夏普利值与 LIME 很接近；只遮一块或只露一块时，颜色和总和都不同。")

# %% [markdown] lang="en"
# All three agree, and the shares add up. Blocks work together, so hiding one (the others stay) and showing one (the
# others are gone) give different answers, and neither adds up. Shapley's mean over all orders does. Note what it does
# *not* say: images with blacked-out blocks are images that the network never saw in training, and the answer depends
# on them.
#
# ## Test 1: a planted truth
#
# Which map is right? For an ordinary network nobody knows. So we make a network whose reason we know: every training
# digit gets a small white mark, and the *position* of the mark gives the class away. Such shortcuts happen in
# hospitals and photo collections. ([Ribeiro et al. 2016](https://arxiv.org/abs/1602.04938) planted snow behind
# wolves.)
#
# First we check that the network does use the mark: we take the mark away, or put it where it points to a wrong
# class. Then we ask each map: which share of its positive part lies on the mark, four pixels of 784? The control is
# the honest network, for which the mark means nothing.

# %% [markdown] lang="zh" of="a21e119d"
# 三遍结果一致，各份加起来也正好等于总差。方块之间互相配合，所以“只遮一块”（only this hidden，其余都在）和“只露一块”（only this shown，
# 其余都不在）答案不同，加起来也不等于总差；夏普利值对所有次序取平均，才正好分完。也要注意它没有说什么：
# 有些方块被涂黑的图，网络训练时从未见过，而答案却依赖于它们。
#
# ## 检验一：埋下的真相
#
# 哪张图是对的？对普通网络，没有人知道。那就造一个我们知道原因的网络：给每个训练样本加一个白色小标记，标记的位置泄露了类别。
# 这样的捷径在医院和图库里真的出现过。（[Ribeiro 等，2016](https://arxiv.org/abs/1602.04938) 在狼的背后埋下了雪地。
# ）
#
# 先核对网络确实用了标记：把标记拿掉，或者放到指向错误类别的位置。然后问每种图：正的那部分有多大比例落在标记上？标记只占 784 个像素中的 4 个。
# 对照是诚实的网络（honest network），标记对它毫无意义。

# %% tags=["nbval-ignore-output"]
def mark(images, classes):
    """A white 2 × 2 mark near the upper edge whose place tells the class: a copy, and where the marks are."""
    marked, where = images.copy(), np.zeros(images.shape[:3], dtype=bool)
    for number, place in enumerate(classes):
        where[number, 1:3, 2 * place + 4 : 2 * place + 6] = True
    marked[where] = 1
    return marked, where


cheat = train(mark(x_train, y_train)[0], y_train, "cheat", epochs=choose(smoke=2, laptop=2, full=2))
wrong_places = (y_test + np.random.default_rng(SEED).integers(1, 10, len(y_test))) % 10
for name, images, band in [
    ("right_mark", mark(x_test, y_test)[0], choose(smoke=(0.942, 0.982), laptop=(0.99, 1), full=(0.98, 1))),
    ("no_mark", x_test, choose(smoke=(0.716, 0.926), laptop=(0.446, 0.959), full=None)),
    ("wrong_mark", mark(x_test, wrong_places)[0], choose(smoke=(0.592, 0.772), laptop=(0.185, 0.244), full=(0, 0.9))),
]:
    results.record(f"cheat.accuracy_{name}", training.accuracy(cheat, images, y_test, batch_size=200), band=band)

# %% tags=["nbval-ignore-output"]
asked = choose(smoke=8, laptop=100, full=500)
marked, where = mark(x_test[:asked], y_test[:asked])
on_mark = {
    name: [np.nanmean(explain.share_inside(method(model, marked, y_test[:asked]), where)) for model in (cheat, network)]
    for name, method in METHODS.items()
}
bands = choose(smoke=[(0.076, 0.139), (0.124, 0.449), (0, 0.018), (0, 0.017)],
               laptop=[(0.135, 0.174), (0.367, 0.632), (0, 0.022), (0, 0.033)], full=[None] * 4)
for (name, position), band in zip([("saliency", 0), ("integrated", 0), ("Grad-CAM", 0), ("integrated", 1)], bands, strict=True):
    topic = f"{name.lower().replace('-', '_')}.share_on_mark{'_honest' * position}"
    results.record(topic, on_mark[name][position], band=band)
figure, axis = plt.subplots(figsize=(7.5, 3.4))
rows = np.arange(len(METHODS))
axis.barh(rows + 0.2, [shares[0] for shares in on_mark.values()], 0.4, label="network that uses the mark")
axis.barh(rows - 0.2, [shares[1] for shares in on_mark.values()], 0.4, label="honest network", hatch="//")
axis.axvline(where.mean(), color="k", linestyle=":", label="area of the mark")
axis.set(yticks=rows, yticklabels=METHODS, xlabel="share of the map on the mark", title="Do the maps find the planted reason?")
axis.invert_yaxis()
axis.legend()
plots.show(
    figure,
    alt="Bars of each method: for the network that uses the mark, gradient times input and integrated gradients put the "
    "largest share on it, Grad-CAM hardly any; for the honest network all bars are short.",
    alt_zh="各方法的条形图：对使用标记的网络，梯度乘输入和积分梯度落在标记上的比例最大，Grad-CAM 几乎没有；对诚实的网络，所有条都很短。",
)

# %% [markdown] lang="en" tags=["predict"]
# The network does use the mark: with it, {{cheat.accuracy_right_mark:.1%}} of the digits are right, without it
# {{cheat.accuracy_no_mark:.1%}}, and with a misleading one {{cheat.accuracy_wrong_mark:.1%}}.
#
# Most maps find this reason. Integrated gradients put {{integrated.share_on_mark:.0%}} of their positive part on the
# mark, where the honest network has {{integrated.share_on_mark_honest:.0%}}. No map says *only* the mark, since the
# network uses strokes as well. Do not read the bars of coarse methods as if they could reach one: an occlusion square
# covers sixteen pixels, so even for a score that depends on the mark alone, only about a fifth of its map could lie
# on the four pixels of the mark. Measured against that, occlusion does well.
#
# Grad-CAM misses the mark ({{grad_cam.share_on_mark:.1%}}), far below what its own coarseness would allow. Its
# weights are means over all positions, so what matters at one position only is averaged away. In a network that
# averages its maps before the last layer, such weights lose nothing, and Grad-CAM equals its forerunner CAM ([Zhou et
# al. 2015](https://arxiv.org/abs/1512.04150)). Ours has dense layers instead.
#
# ## Test 2: delete what the map names
#
# If a map names what the network needs, deleting it should hurt at once. Overwrite the highest pixels with black, a
# few more at a time, and watch the probability of the class ([Petsiuk et al.
# 2018](https://arxiv.org/abs/1806.07421)). The usual control deletes **random pixels**. We add two harder ones:
# **random ink**, and **image alone**, which has never met the network. Then we do the same with one change: we
# overwrite with *white*.
#
# **Predict:** will the order of the methods stay the same?

# %% [markdown] lang="zh" of="9067ea27" tags=["predict"]
# 网络确实用了标记：有标记时准确率是 {{cheat.accuracy_right_mark:.1%}}，拿掉标记是 {{cheat.accuracy_no_mark:.1%}}，
# 放上误导的标记是 {{cheat.accuracy_wrong_mark:.1%}}。
#
# 多数图找到了这个原因。积分梯度有 {{integrated.share_on_mark:.0%}} 落在标记上，而在诚实的网络上只有 {{integrated.share_on_mark_honest:.0%}}。
# 没有哪一种图说“只有标记”，因为网络也用了笔画。粗略的方法不能指望达到 1：遮挡法的一个方块盖住十六个像素，
# 哪怕分数只取决于标记，它的图也最多只有大约五分之一能落在标记的四个像素上。照这个标准看，遮挡法的表现并不差。
#
# Grad-CAM 没找到标记（{{grad_cam.share_on_mark:.1%}}），远低于它的粗略程度所允许的上限。它的权重是对所有位置取的平均，
# 只在一处要紧的东西就被平均掉了。如果网络在末层之前就对特征图取平均，这样的权重不丢信息，那时 Grad-CAM 就是它的前身 CAM（[Zhou 等，2015](https://arxiv.org/abs/1512.04150)）；
# 我们的网络后面接的却是全连接层。
#
# ## 检验二：删掉图上指出的像素
#
# 如果一张图指出了网络需要的东西，删掉它，网络应该立刻受损。从数值最高的像素开始，一点一点涂黑，看该类别的概率怎样下降（[Petsiuk 等，2018](https://arxiv.org/abs/1806.07421)）。
# 常用的对照是随机删像素（random pixels）。我们再加两个更难胜过的：只在笔画上随机删（random ink），以及从未见过网络的“只看图像”（image alone）。
# 然后只改一处再做一遍：涂成白色。
#
# **先猜：** 各方法的名次会不会变？

# %% tags=["nbval-ignore-output"]
examined = choose(smoke=8, laptop=200, full=1_000)
images, classes, ink = x_test[:examined], y_test[:examined], x_test[:examined, ..., 0] > 0
maps = {name: method(network, images, classes) for name, method in METHODS.items()}
chance = np.random.default_rng(SEED).random(ink.shape)
maps |= {"random pixels": chance, "random ink": chance * ink}
shares = np.linspace(0, 0.3, choose(smoke=7, laptop=13, full=13))
curves = {
    fill: {name: explain.deletion_curves(network, images, one, classes, shares, fill=fill).mean(axis=0) for name, one in maps.items()}
    for fill in (0.0, 1.0)
}
areas = {name: [curves[fill][name].mean() for fill in curves] for name in maps}  # mean height of the curve
judged = ["integrated", "saliency", "image alone", "random pixels", "random ink"]
bands = choose(  # of the mean height after black, and after white; here and below at least 0.01 wide on each side, for other numbers of threads
    smoke=[[(0.146, 0.277), (0.079, 0.627), (0.176, 0.465), (0.383, 1), (0.127, 0.671)],
           [(0.502, 0.79), (0.064, 0.828), (0.434, 0.882), (0.208, 0.575), (0.488, 0.848)]],
    laptop=[[(0.151, 0.194), (0.076, 0.614), (0.256, 0.421), (0.873, 1), (0.343, 0.542)],
            [(0.69, 1), (0.369, 0.54), (0.706, 1), (0.29, 0.97), (0.685, 1)]],
    full=[[None] * 5, [None] * 5],
)
for column, fill in enumerate(("black", "white")):
    for name, band in zip(judged, bands[column], strict=True):
        results.record(f"{name.replace(' ', '_')}.deletion_{fill}", areas[name][column], band=band)

# %%
figure, axes = plt.subplots(1, 2, figsize=(10.4, 4), width_ratios=[1, 1.15])
for (name, curve), color, line, marker in zip(curves[0.0].items(), plots.COLORS * 2, plots.LINES * 2, plots.MARKERS * 2, strict=False):
    style = {"color": "0.45", "linewidth": 2.5} if "random" in name else {"color": color}
    axes[0].plot(100 * shares, curve, linestyle=line, marker=marker, markersize=4, label=name, **style)
axes[0].set(xlabel="pixels overwritten with black (%)", ylabel="probability of the class", ylim=(0, 1.45), title="Deletion curves, black")
axes[0].legend(fontsize=8, ncols=3, loc="upper center")
rows = np.arange(len(maps))
axes[1].plot([both[0] for both in areas.values()], rows, "o", markersize=8, label="overwritten with black")
axes[1].plot([both[1] for both in areas.values()], rows, "D", markersize=7, label="overwritten with white")
axes[1].set(yticks=rows, yticklabels=maps, xlim=(0, 1), xlabel="mean height of the curve (low: the map names what is needed)", title="The same maps, two ways to delete")
axes[1].invert_yaxis()
axes[1].legend(fontsize=8)
plots.show(
    figure,
    alt="Left: falling probability of the class as pixels are blackened; random pixels hardly hurt, integrated gradients "
    "and gradient times input hurt most. Right: with white instead of black the same two are among the weakest.",
    alt_zh="左：像素逐渐涂黑时类别概率下降；随机像素几乎无害，积分梯度和梯度乘输入伤害最大。右：改涂白色后，这两种反而成了最弱的一批。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** It changes completely for most of them. Take the right-hand picture in two steps.
#
# *Black (the dots).* Integrated gradients win: the mean height of their curve is {{integrated.deletion_black:.2f}},
# against {{random_pixels.deletion_black:.2f}} for random pixels. But the bare image beats random pixels, too, with
# {{image_alone.deletion_black:.2f}}, about as clearly as saliency. So where most pixels are background, beating
# random pixels proves little. Random *ink*, {{random_ink.deletion_black:.2f}}, is the harder test, and Grad-CAM, too
# coarse for strokes, loses to it.
#
# *White (the diamonds).* Integrated gradients rise to {{integrated.deletion_white:.2f}}, among the worst, worse than
# random pixels. Their black baseline means that they measure what ink adds to a black image: they win when "deleted"
# means black and lose when it does not. Saliency ({{saliency.deletion_black:.2f}} with black,
# {{saliency.deletion_white:.2f}} with white) and SmoothGrad hardly move, and with white these two are the best. They
# take the absolute gradient and do not multiply by the image, so a background pixel that must stay black can rank
# high.
#
# A deletion curve tests a map **together with a meaning of "nothing"**. Say which one you chose.
#
# ## Test 3: take away what was learned
#
# An explanation of a *trained* network must depend on the training. [Adebayo et al.
# 2018](https://arxiv.org/abs/1810.03292) replace the weights by fresh random ones, from the top layer down, and
# compare the maps before and after by **rank correlation** ($1$: the same order of pixels, $0$: no relation). Once
# the last layer is replaced, the network guesses. A map that stays the same was not about the network.
#
# The answer depends on how you look, so we look twice: at $\lvert M \rvert$ over all pixels, as the eye does on a
# heat map, and at the signed $M$ on the ink only.

# %% [markdown] lang="zh" of="a911548b" tags=["answer"]
# **答案。** 多数方法的名次完全变了。右图要分两步看。
#
# 涂黑（圆点）：积分梯度最强，曲线的平均高度是 {{integrated.deletion_black:.2f}}，随机像素是 {{random_pixels.deletion_black:.2f}}。
# 但光秃秃的图像也胜过随机像素，是 {{image_alone.deletion_black:.2f}}，与显著图不相上下。可见大部分像素是背景时，
# 胜过随机像素说明不了什么。在笔画上随机删（{{random_ink.deletion_black:.2f}}）才是更严的对照，Grad-CAM 对笔画来说太粗，
# 输给了它。
#
# 涂白（菱形）：积分梯度升到 {{integrated.deletion_white:.2f}}，落到了末尾，还不如随机像素。它以黑色为基线，
# 量的是笔画在黑底上添了什么，所以“删除”就是涂黑时它占优，否则就吃亏。显著图（涂黑 {{saliency.deletion_black:.2f}}，
# 涂白 {{saliency.deletion_white:.2f}}）和 SmoothGrad 几乎不变，涂白时反而是最好的两种。它们取梯度的绝对值，
# 又不乘以图像，所以“必须保持黑色”的背景像素也能排到前面。
#
# 删除曲线检验的是一张图**连同“什么叫没有”这个约定**；用了哪个约定，要写明。
#
# ## 检验三：抹去学到的东西
#
# 对训练过的网络的解释，必须依赖于训练。[Adebayo 等，2018](https://arxiv.org/abs/1810.03292) 提出合理性检验（sanity check）：
# 从最上面一层开始往下，逐层把权重换成新的随机数，用**秩相关**（rank correlation）比较前后两张图（$1$ 表示像素的名次一样，
# $0$ 表示毫无关系）。末层一换，网络就只能瞎猜了。图若不变，它说的就不是这个网络。
#
# 结果取决于怎样看，所以看两遍：一遍是所有像素上的 $\lvert M \rvert$，就像眼睛看热力图；另一遍只看笔画上的像素，
# 保留正负号。

# %% tags=["nbval-ignore-output"]
checked = choose(smoke=4, laptop=50, full=200)
layer_names = ["digits", "hidden", "conv_2", "conv_1"]  # from the top down
correlation = np.zeros((2, len(METHODS), 1 + len(layer_names)))
correlation[:, :, 0] = 1
for depth in range(1, 1 + len(layer_names)):
    random_network = explain.randomised(network, layer_names[:depth], seed=SEED)
    for row, (name, method) in enumerate(METHODS.items()):
        pairs = list(zip(maps[name], method(random_network, images[:checked], classes[:checked]), ink, strict=False))
        correlation[0, row, depth] = np.nanmean([explain.rank_correlation(abs(a), abs(b)) for a, b, _ in pairs])
        correlation[1, row, depth] = np.nanmean([explain.rank_correlation(a[on], b[on]) for a, b, on in pairs])
names, bands = list(METHODS), {  # all layers random: |M| on all pixels, signed M on ink
    "saliency": choose(smoke=[(0.431, 0.814), (0.055, 0.225)], laptop=[(0.549, 0.693), (0.008, 0.162)], full=[None, None]),
    "integrated": choose(smoke=[(0.982, 1), (-0.155, 0.147)], laptop=[(0.982, 1), (-0.067, 0.052)], full=[None, None]),
    "guided": choose(smoke=[(0.582, 0.826), (0.349, 0.815)], laptop=[(0.666, 0.734), (0.256, 0.868)], full=[None, None]),
    "Grad-CAM": choose(smoke=[(-0.394, 0.17), None], laptop=[(-0.009, 0.546), (-0.617, 0.391)], full=[None, None]),
}
for name, both in bands.items():
    for view, band, found in zip(("all_pixels", "ink"), both, correlation[:, names.index(name), -1], strict=True):
        results.record(f"{name.lower().replace('-', '_')}.survives_{view}", found, band=band, digits=2)

# %%
figure, axes = plt.subplots(1, 2, figsize=(10.4, 3.9), sharey=True)
for axis, values, title in zip(axes, correlation, ["|map|, all pixels", "signed map, ink only"], strict=True):
    axis.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for (row, column), number in np.ndenumerate(values):
        axis.text(column, row, f"{number:.2f}", ha="center", va="center", fontsize=9, color="w" if abs(number) > 0.6 else "k")
    axis.set(title=title, xticks=range(5), xticklabels=["none", "+ digits", "+ hidden", "+ conv_2", "+ conv_1"], xlabel="layers with random weights", yticks=range(len(METHODS)), yticklabels=METHODS)
    axis.grid(visible=False)
plots.show(
    figure,
    alt="Two tables of rank correlations. On all pixels half of the methods stay near one although every layer is random. On the "
    "ink, with signs, all fall to about zero except guided backpropagation and the image alone.",
    alt_zh="两张秩相关表。看所有像素时，即使每一层都是随机权重，仍有一半方法接近 1；只看笔画并保留符号时，除了导向反向传播和只看图像，其余都降到 0 附近。",
)

# %% [markdown] lang="en" tags=["predict"]
# Read the last column, where every layer is random; the bottom row is the control and does not count.
#
# - **Left, as the eye looks:** three of the seven methods hardly move. Integrated gradients keep
#   {{integrated.survives_all_pixels:.2f}}. Where the image is black they are 0 with any weights, so what the eye
#   recognises is the image.
# - **Right, signs and order on the ink:** the same three fall to about 0 ({{integrated.survives_ink:.2f}}), and six
#   of seven methods pass. Guided backpropagation does not: it keeps {{guided.survives_ink:.2f}} over a network that
#   knows nothing. Its clear pictures come largely from the image ([Nie et al. 2018](https://arxiv.org/abs/1805.07039)
#   show why). This is the map to refuse, and it is among the clearest.
#
# Passing is necessary, not sufficient: a map of pure noise passes this test, too, and replacing layers from the top
# leaves the activations below as they were ([Binder et al. 2023](https://arxiv.org/abs/2211.12486)).
#
# ## Attention: a window into the network?
#
# Attention comes with weights that look like an explanation: "the network attended to this row". Did it decide by
# that row? A small network goes over the 28 rows of a digit and averages its states $h_t$ with learned weights:
#
# $$ \alpha = \mathrm{softmax}_t\big(v^\top \tanh(W h_t)\big), \qquad \text{scores} = U \sum_t \alpha_t\, h_t + b $$
#
# There are two versions. In `rows alone`, a state knows its own row only. In `in context`, two wide convolutions
# along the rows have mixed it with up to fourteen rows on either side, half of the digit or more.
#
# [Jain and Wallace 2019](https://arxiv.org/abs/1902.10186) asked: do the weights agree with gradients, and with what
# is lost when a row is blanked? (Kendall's $\tau$ measures it: $1$ same order, $0$ none.) And would shuffled weights
# have given the same answer? [Wiegreffe and Pinter 2019](https://arxiv.org/abs/1908.04626) replied: first see whether
# a network trained with *uniform* weights is worse, and hand the learned weights to a network *without* context; if
# they mean something, they must help it. We do both.
#
# **Predict:** in which of the two versions do attention and gradients agree?

# %% [markdown] lang="zh" of="4d843e81" tags=["predict"]
# 看最后一列，那里每一层都是随机的；最下面一行是对照，不算在内。
#
# - **左表，像眼睛那样看：** 七种方法里有三种几乎不动，积分梯度还有 {{integrated.survives_all_pixels:.2f}}。
#   图像黑的地方，不管权重是什么，它们都是 0，所以眼睛认出来的其实是图像。
# - **右表，看笔画上的符号和次序：** 同样这三种降到 0 附近（积分梯度 {{integrated.survives_ink:.2f}}），
#   七种里有六种通过。没通过的是导向反向传播：面对一个什么都不懂的网络，它还有 {{guided.survives_ink:.2f}}。
#   它的清晰，多半来自图像本身（原因见 [Nie 等，2018](https://arxiv.org/abs/1805.07039)）。该拒绝的正是这张图，
#   偏偏它又属于最清晰的。
#
# 通过检验只是必要条件，并不充分：一张纯噪声的图也能通过；而且从上往下换，下面各层的激活还是原样（[Binder 等，2023](https://arxiv.org/abs/2211.12486)）。
#
# ## 注意力：看进网络的一扇窗？
#
# 注意力自带一组权重，看上去就像解释：“网络注意了这一行”。网络真是凭这一行作出判断的吗？一个逐行阅读的小网络看完数字的 28 行，
# 再用学到的权重对状态 $h_t$ 取平均：
#
# $$ \alpha = \mathrm{softmax}_t\big(v^\top \tanh(W h_t)\big), \qquad \text{分数} = U \sum_t \alpha_t\, h_t + b $$
#
# 它有两个版本。只看单行（rows alone）：每个状态只知道自己那一行。有上下文（in context）：先沿着行做两层很宽的卷积，
# 每个状态都混入了上下各至多十四行，也就是半个以上的数字。
#
# [Jain 与 Wallace，2019](https://arxiv.org/abs/1902.10186) 问：权重与梯度一致吗？与“抹掉这一行会损失多少”一致吗？（用肯德尔 $\tau$ 衡量：
# $1$ 表示次序相同，$0$ 表示无关。）把权重打乱，答案还会一样吗？[Wiegreffe 与 Pinter，2019](https://arxiv.org/abs/1908.04626) 回应说：
# 先看看用均匀权重训练的网络是不是更差；再把学到的权重交给一个没有上下文的网络，权重若有意义，就该对它有帮助。
# 两边的实验我们都做。
#
# **先猜：** 在哪个版本里，注意力与梯度一致？

# %%
def row_reader(contextual):
    """28 rows, one attention layer, ten scores. `given` weights replace the reader's own where `own` is 0."""
    rows, given, own = keras.Input((28, 28)), keras.Input((28,)), keras.Input((1,))
    if contextual:  # two convolutions along the rows, 15 wide: each state sees up to 14 rows on both sides
        states = layers.Conv1D(32, 15, padding="same", activation="relu")(rows)
        states = layers.Conv1D(32, 15, padding="same", activation="relu")(states)  # (batch, 28, 32)
    else:  # for each row a dense layer of its own
        states = layers.EinsumDense("bri,rio->bro", (28, 32), activation="relu", bias_axes="ro")(rows)
    scores = layers.Dense(1, use_bias=False)(layers.Dense(16, activation="tanh")(states))[..., 0]
    weights = own * keras.ops.softmax(scores) + (1 - own) * given  # (batch, 28)
    logits = layers.Dense(10)(layers.Dot(axes=1)([weights, states]))
    return keras.Model([rows, given, own], [logits, weights])


readers, fits, starts = {}, {}, {}
for name in ("in context", "rows alone"):
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        readers[name] = row_reader(name == "in context")
        scoring = keras.Model(readers[name].inputs, readers[name].outputs[0])  # the same layers
        fits[name], starts[name] = compiled(scoring, 0.003)
    print(f"{name}: {readers[name].count_params():,} parameters · 参数")

# %%
def with_weights(rows, given=None):
    """Inputs of a reader: with its own attention, or with the given one."""
    own = np.full((len(rows), 1), given is None, dtype="float32")
    return [rows, np.zeros((len(rows), 28), dtype="float32") if given is None else given, own]


def ask(name, rows, given=None):
    """Probabilities (images, 10) and attention (images, 28) of a reader, as arrays."""
    inputs = with_weights(rows, given)
    parts = [readers[name]([tf.constant(part[start : start + 500]) for part in inputs]) for start in range(0, len(rows), 500)]
    return [np.concatenate(arrays) for arrays in zip(*[(keras.ops.softmax(scores), weights) for scores, weights in parts], strict=True)]


def shuffled(weights, seed=SEED):
    """Each image's weights in a random order of its own."""
    order = np.random.default_rng(seed).random(weights.shape).argsort(axis=1)
    return np.take_along_axis(weights, order, axis=1)


rows_train, rows_test = x_train[..., 0], x_test[..., 0]
print("attention adds up to 1 · 权重之和为 1:", np.allclose(ask("in context", rows_test[:9])[1].sum(axis=1), 1, atol=1e-5))

# %% tags=["nbval-ignore-output"]
def fit_reader(name, topic, given_train=None, given_test=None, band=None):
    """Train from the start, with the reader's own attention or a given one; record the test accuracy."""
    for variable, value in zip(fits[name].weights + fits[name].optimizer.variables, starts[name], strict=True):
        variable.assign(value)
    epochs = choose(smoke=1, laptop=4, full=8)
    training.fit(fits[name], with_weights(rows_train, given_train), y_train, name=topic, epochs=epochs, batch_size=64)
    read = ask(name, rows_test, given_test)[0].argmax(axis=1)
    results.record(f"{topic}.test_accuracy", np.mean(read == y_test), band=band)


even = [np.full((len(rows), 28), 1 / 28, dtype="float32") for rows in (rows_train, rows_test)]
fit_reader("in context", "context_uniform", *even, band=choose(smoke=(0.207, 0.799), laptop=(0.917, 0.945), full=(0.5, 1)))
fit_reader("in context", "context_attention", band=choose(smoke=(0.328, 0.728), laptop=(0.894, 0.954), full=(0.5, 1)))
learned = [ask("in context", rows)[1] for rows in (rows_train, rows_test)]
fit_reader("rows alone", "alone_uniform", *even, band=choose(smoke=None, laptop=(0.837, 0.881), full=(0.5, 1)))
fit_reader("rows alone", "alone_guided", *learned, band=choose(smoke=None, laptop=(0.592, 0.977), full=(0.1, 1)))
fit_reader("rows alone", "alone_guided_shuffled", *map(shuffled, learned), band=choose(smoke=None, laptop=(0.262, 1), full=(0.1, 1)))
fit_reader("rows alone", "alone_attention", band=choose(smoke=None, laptop=(0.795, 0.859), full=(0.5, 1)))

# %% tags=["nbval-ignore-output"]
def kendall(first, second):
    """Pairs in the same order minus pairs in the opposite order, as a share of all pairs: mean over the images."""
    left, right = np.triu_indices(28, 1)
    return np.mean(np.sign(first[:, left] - first[:, right]) * np.sign(second[:, left] - second[:, right]))


some, classes, seen = rows_test[:asked], y_test[:asked], {}
tau_bands = {  # in context the sign itself depends on the seed: it is recorded, not judged
    "context": choose(smoke=[None, None, (0.432, 1)], laptop=[None, None, (0.662, 0.698)], full=[None] * 3),
    "alone": choose(smoke=[(0.543, 0.825), (0.498, 0.819), (0.697, 0.923)], laptop=[(0.553, 0.891), (0.55, 0.895), (0.769, 0.8)], full=[None] * 3),
}
for name, topic in [("in context", "context"), ("rows alone", "alone")]:
    inputs = [tf.constant(part) for part in with_weights(some)]
    with tf.GradientTape() as tape:
        tape.watch(inputs[0])
        scores = tf.gather(readers[name](inputs)[0], classes, axis=1, batch_dims=1)
    slopes = np.abs((tape.gradient(scores, inputs[0]) * inputs[0]).numpy().sum(axis=2))  # (images, 28)
    blanked = some[:, None] * (1 - np.eye(28, dtype="float32"))[..., None]  # (images, 28 blanked rows, 28, 28)
    chances, attention = ask(name, some)
    remaining = ask(name, blanked.reshape(-1, 28, 28))[0].reshape(asked, 28, 10)
    lost = np.abs(np.log(remaining) - np.log(chances)[:, None])[np.arange(asked), :, classes]  # (images, 28)
    measured = {"attention_gradient": (attention, slopes), "attention_blanked": (attention, lost), "gradient_blanked": (slopes, lost)}
    for (pair, (first, second)), band in zip(measured.items(), tau_bands[topic], strict=True):
        results.record(f"{topic}.tau_{pair}", kendall(first, second), band=band, digits=2)
    seen[name] = chances, attention, slopes

# %% tags=["nbval-ignore-output"]
bands = {  # accuracy with shuffled weights, share of digits for which other weights do as well (smoke: of 8)
    "context": choose(smoke=[None, (0, 0.25)], laptop=[None, None], full=[None] * 2),
    "alone": choose(smoke=[None, (0, 0.75)], laptop=[(0.16, 0.473), (0.07, 0.22)], full=[None] * 2),
}
for (name, (chances, attention, _)), topic in zip(seen.items(), ("context", "alone"), strict=True):
    right, found = [], np.zeros(asked, dtype=bool)
    for seed in range(choose(smoke=5, laptop=50, full=100)):
        other = shuffled(attention, seed)
        answers = ask(name, some, other)[0]
        right.append(np.mean(answers.argmax(axis=1) == classes))
        same_answer = np.abs(answers - chances).sum(axis=1) / 2 < 0.05
        found |= same_answer & (np.abs(other - attention).sum(axis=1) / 2 > 0.5)  # half of the weight elsewhere
    results.record(f"{topic}.accuracy_shuffled_weights", np.mean(right), band=bands[topic][0])
    results.record(f"{topic}.same_answer_other_weights", found.mean(), band=bands[topic][1])
    print(f"  weight on rows without ink · 落在没有笔画的行上的权重: {(attention * (some.max(axis=2) == 0)).sum(axis=1).mean():.2f}")
figure, axes = plt.subplots(1, 6, figsize=(10.4, 2.9), sharey=True)
for panel, number in enumerate([0, 1, 3]):
    axes[2 * panel].imshow(some[number], aspect="auto")
    axes[2 * panel + 1].barh(range(28), seen["in context"][1][number], label="in context")
    axes[2 * panel + 1].plot(seen["rows alone"][1][number], range(28), "s-", color=plots.COLORS[1], markersize=3, label="rows alone")
    axes[2 * panel + 1].set(xlabel="attention", xlim=(0, None))
axes[0].set(ylabel="row")
axes[1].legend(fontsize=8, loc="lower right")
plots.show(figure, alt="Three digits, each beside its attention by row: the two readers attend to different rows of the same digit.",
           alt_zh="三个数字，旁边是每一行的注意力：同一个数字，两个读数器注意的行并不相同。")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Where a state knows its row alone: there $\tau$ is {{alone.tau_attention_gradient:.2f}} with the
# gradient and {{alone.tau_attention_blanked:.2f}} with blanking. In context it is
# {{context.tau_attention_gradient:.2f}}, and with three seeds {{seeds:context.tau_attention_gradient:.2f}}: even the
# sign depends on the seed. There the weights name *states*, and a state is no longer "its row". Some of the weight
# even lies on rows without any ink.
#
# Do the weights matter, then? Both papers are right, about different things:
#
# - **Shuffled weights hurt badly**: accuracy falls to {{context.accuracy_shuffled_weights:.0%}} in context and
#   {{alone.accuracy_shuffled_weights:.0%}} with rows alone. The weights are not idle. (On most of their texts, Jain
#   and Wallace saw little loss.)
# - **Yet very different weights can give the same answer**: for {{context.same_answer_other_weights:.0%}} of the
#   digits in context, for {{alone.same_answer_other_weights:.0%}} with rows alone.
# - **Uniform weights, trained from the start, are no worse**: {{context_uniform.test_accuracy:.1%}} against
#   {{context_attention.test_accuracy:.1%}} in context.
# - **The learned weights carry information**: the version without context reaches {{alone_guided.test_accuracy:.1%}}
#   with them, against {{alone_guided_shuffled.test_accuracy:.1%}} with the same weights shuffled. But uniform weights
#   serve it better still, {{alone_uniform.test_accuracy:.1%}}.
#
# **Attention is a measurement; what it measures has to be tested in each model.**
#
# ## Clinic: two claims
#
# **"The brightest pixels of the map are why the network decided."** Compare the map of the trained network with that
# of a network whose *every* layer is random.
#
# **"Pruning and distillation make a network interpretable."** A smaller network is easier to store; is it easier to
# explain? We measure with this chapter's own tests: how much faster than random ink does deletion by the map hurt
# (the "gain"), and how far does the map agree with occlusion? We prune nine of ten weights and train on; we distil
# into a small student; and we run the control that is usually missing: the same small student, trained *without* a
# teacher.

# %% [markdown] lang="zh" of="baf3e233" tags=["answer"]
# **答案。** 在只看单行的版本里：与梯度的 $\tau$ 是 {{alone.tau_attention_gradient:.2f}}，与抹行损失的 $\tau$ 是 {{alone.tau_attention_blanked:.2f}}。
# 有上下文时只有 {{context.tau_attention_gradient:.2f}}，三个种子从 {{seeds:context.tau_attention_gradient:.2f}}，
# 连正负号都随种子变。这时权重指的是状态，而状态已不再等于“它那一行”；一部分权重甚至落在没有笔画的行上。
#
# 那么权重到底要不要紧？两篇论文都对，只是说的不是一回事：
#
# - **打乱权重，损害很大**：有上下文的准确率降到 {{context.accuracy_shuffled_weights:.0%}}，只看单行的降到 {{alone.accuracy_shuffled_weights:.0%}}。
#   可见权重并非摆设。（Jain 与 Wallace 在多数文本上看到的损失很小。）
# - **然而很不一样的权重也能给出同样的答案**：有上下文时有 {{context.same_answer_other_weights:.0%}} 的样本如此，
#   只看单行时有 {{alone.same_answer_other_weights:.0%}}。
# - **从一开始就用均匀权重训练，并不更差**：有上下文时，均匀权重 {{context_uniform.test_accuracy:.1%}}，
#   学到的权重 {{context_attention.test_accuracy:.1%}}。
# - **学到的权重带有信息**：没有上下文的网络用上这组权重，准确率是 {{alone_guided.test_accuracy:.1%}}，
#   用打乱后的同一组是 {{alone_guided_shuffled.test_accuracy:.1%}}；但均匀权重更好，{{alone_uniform.test_accuracy:.1%}}。
#
# **注意力是一种测量；它量的是什么，在每个模型里都要检验。**
#
# ## 公式门诊：两个说法
#
# **“图上最亮的像素，就是网络作出判断的原因。”** 把训练过的网络的图，与每一层都随机的网络的图放在一起比一比。
#
# **“剪枝和蒸馏让网络变得可解释。”** 小网络更容易存放，但更容易解释吗？就用本章自己的检验来量：按图删除，
# 造成的损害比在笔画上随机删除快多少（表中的 gain）？图与遮挡法又有多一致？我们剪掉十分之九的权重再继续训练（剪枝，
# pruning）；再用知识蒸馏（knowledge distillation）得到一个小的学生网络；还要做多半被漏掉的那个对照：同样的小网络，
# 不要老师，直接训练。

# %%
random_network = explain.randomised(network, layer_names, seed=SEED)
both = [explain.integrated_gradients(one, digit[None], [label])[0] for one in (network, random_network)]
on = digit[..., 0] > 0
figure, axes = plt.subplots(1, 5, figsize=(10.4, 2.4), width_ratios=[1, 1, 1, 1, 1])
pictures = {"image": digit[..., 0], "|map|, trained": abs(both[0]), "|map|, all random": abs(both[1]), "map, trained": both[0], "map, all random": both[1]}
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    limit = np.quantile(abs(picture)[on], 0.9)  # a few extreme pixels would leave the rest dark
    axis.imshow(picture, **({"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if title.startswith("map") else {"vmin": 0, "vmax": limit}))
    axis.set_title(title, fontsize=10)
    axis.axis("off")
plots.show(
    figure,
    alt="Absolute integrated gradients of the trained network and of one with random weights: both show the 3, grainy, on black. "
    "With signs the two maps differ everywhere on the strokes.",
    alt_zh="训练过的网络与随机权重网络的积分梯度绝对值：两张图都是黑底上一个颗粒状的 3；保留正负号后，笔画上处处不同。",
)
ranks = [explain.rank_correlation(abs(both[0]), abs(both[1])), explain.rank_correlation(both[0][on], both[1][on])]
print("alike to the eye · 看上去相同:", ranks[0] > 0.9, "  alike in meaning · 含义相同:", abs(ranks[1]) > 0.5)

# %%
def scorecard(model):
    """Accuracy; mean height saved against random ink by deleting with two maps; agreement of one with occlusion."""
    given, area = (model, images[:asked], y_test[:asked]), []
    for one in (maps["random ink"][:asked], explain.saliency(*given), explain.integrated_gradients(*given, steps=32)):
        area.append(explain.deletion_curves(*given[:2], one, given[2], shares).mean())
    covers = explain.occlusion(*given, size=4, stride=stride)
    agreement = [explain.rank_correlation(a[i], b[i]) for a, b, i in zip(one, covers, ink, strict=False)]
    return [training.accuracy(model, x_test, y_test, batch_size=200), area[0] - area[1], area[0] - area[2], np.mean(agreement)]


with strategy.scope():  # one compiled student for both lessons
    temperature = tf.Variable(1.0)
    student = keras.Sequential([
        keras.Input((28, 28, 1)), layers.Conv2D(8, 5, strides=2, activation="relu"),
        layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(10)])
    student.compile(keras.optimizers.Adam(0.002), lambda truth, scores: temperature**2 * keras.losses.categorical_crossentropy(
        truth, scores / temperature, from_logits=True), steps_per_execution=choose(smoke=1, laptop=8, full=8))
    student.optimizer.build(student.trainable_variables)
student_start = [variable.numpy() for variable in student.weights + student.optimizer.variables]
print("network, student · 网络、学生:", f"{network.count_params():,}, {student.count_params():,} parameters · 参数")

# %% tags=["nbval-ignore-output"]
def teach(targets, name):
    """Train the student from its start; returns its scorecard."""
    for variable, value in zip(student.weights + student.optimizer.variables, student_start, strict=True):
        variable.assign(value)
    training.fit(student, x_train, targets, name=name, epochs=choose(smoke=1, laptop=4, full=8), batch_size=64)
    return scorecard(student)


def cut(batch=None, logs=None):
    for name, mask in kept.items():
        trainee.get_layer(name).kernel.assign(trainee.get_layer(name).kernel * mask)


trained = network.get_weights() + trainee_start[len(network.weights) :]  # and a fresh optimizer
for variable, value in zip(trainee.weights + trainee.optimizer.variables, trained, strict=True):
    variable.assign(value)
sizes = {layer.name: np.abs(layer.kernel.numpy()) for layer in trainee.layers if layer.weights}
kept = {name: size >= np.quantile(size, 0.9) for name, size in sizes.items()}
cut()
pruning = training.fit(trainee, x_train, y_train, name="pruned", epochs=choose(smoke=1, laptop=2, full=3), batch_size=64,
                       callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=cut)])

# %% tags=["nbval-ignore-output"]
temperature.assign(3)
soft = [keras.ops.softmax(network(x_train[start : start + 250]) / 3) for start in range(0, count, 250)]
cards = {"network": scorecard(network), "pruned": scorecard(trainee), "student_distilled": teach(np.concatenate(soft), "distilled")}
temperature.assign(1)
cards["student_labels"] = teach(np.eye(10, dtype="float32")[y_train], "labels")
print(f"{'':18} accuracy  saliency gain  integrated gain  agreement with occlusion")
for name, (reached, saliency_gain, integrated_gain, agreement) in cards.items():
    print(f"{name:18} {reached:8.3f} {saliency_gain:14.3f} {integrated_gain:16.3f} {agreement:20.2f}")
bands = choose(smoke=[(-0.04, 0.408), (-0.005, 0.033), (0.029, 0.279), (0.027, 0.248)],
               laptop=[(0.211, 0.35), (0.075, 0.258), (0.31, 0.339), (0.299, 0.353)], full=[None] * 4)
for (name, card), band in zip(cards.items(), bands, strict=True):
    results.record(f"{name}.integrated_gain", card[2], band=band)

# %% [markdown] lang="en"
# **Diagnosis.** *The first claim* has a problem. Take the absolute value, and a network that knows nothing shows the
# outline of the same digit, because black pixels are multiplied by 0 with any weights. The rank correlation that the
# cell calls "alike to the eye" is taken over all 784 pixels, and most of them are 0 in both maps; it says that the
# outlines agree, and not that the same strokes are bright. Signs and order *on the ink* do differ. So a bright pixel
# means "this number is large here". Why the network decided, only a test can say: a planted truth, deletion with a
# stated "nothing", random weights.
#
# *The second claim* finds no support here. Pruning lowers the gain of integrated gradients from
# {{network.integrated_gain:.2f}} to {{pruned.integrated_gain:.2f}}. (It also lowers the accuracy, so part of that may
# be a worse network.) The distilled student has a gain of {{student_distilled.integrated_gain:.2f}}, the same student
# without a teacher {{student_labels.integrated_gain:.2f}}: what changed is the architecture, not the distillation. A
# network with fewer weights is not one that says more. (A decision tree with ten leaves is a different matter: you
# can read it.)

# %% [markdown] lang="zh" of="880ada93"
# **诊断。** 第一个说法有问题。取了绝对值，一个什么都不懂的网络，图上也是同一个数字的轮廓，因为不管权重是什么，
# 黑色像素都要乘以 0。单元里打印的“看上去相同”是在全部 784 个像素上算的秩相关，而大部分像素在两张图里都是 0；
# 它说明的是轮廓一致，并不说明亮的是同一些笔画。笔画上的正负号和次序确实不同。所以，亮只表示“这里的数大”。
# 网络为什么这样判断，只有检验才能回答：埋下真相，约定好“什么叫没有”再删除，把权重随机化。
#
# 第二个说法在这里没有得到支持。剪枝之后，积分梯度的删除优势从 {{network.integrated_gain:.2f}} 降到 {{pruned.integrated_gain:.2f}}。
# （准确率也降了，所以其中一部分可能只是网络变差了。）蒸馏出的学生是 {{student_distilled.integrated_gain:.2f}}，
# 没有老师的同一个学生是 {{student_labels.integrated_gain:.2f}}：变化来自网络结构，不是来自蒸馏。权重少了，
# 不等于话就说得更明白。（只有十片叶子的决策树是另一回事：它看得懂。）

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - A planted reason: integrated gradients put {{integrated.share_on_mark:.0%}} of their positive part on the mark
#   (three seeds: {{seeds:integrated.share_on_mark:.0%}}), Grad-CAM {{grad_cam.share_on_mark:.1%}}.
# - Deletion by integrated gradients: mean height {{integrated.deletion_black:.2f}} with black,
#   {{integrated.deletion_white:.2f}} with white. The verdict belongs to the map and to the meaning of "nothing".
# - All layers random: integrated gradients keep a rank correlation of {{integrated.survives_all_pixels:.2f}} over all
#   pixels and {{integrated.survives_ink:.2f}} on the ink; guided backpropagation keeps {{guided.survives_ink:.2f}} on
#   the ink.
# - Attention agrees with gradients where a state knows its row alone ($\tau$ = {{alone.tau_attention_gradient:.2f}})
#   and not in context ({{context.tau_attention_gradient:.2f}}).
# - Three ways to compute Shapley values give the same numbers. Pruning lowers the gain of integrated gradients over
#   random ink from {{network.integrated_gain:.2f}} to {{pruned.integrated_gain:.2f}}.
#
# | | formula | code |
# |---|---|---|
# | saliency | $\lvert \partial S_c / \partial x_i \rvert$ | `explain.saliency` |
# | integrated gradients | $(x_i - b_i) \int_0^1 \partial_i S_c(b + \alpha (x - b))\, d\alpha$ | `explain.integrated_gradients` |
# | completeness | $\sum_i A_i = S_c(x) - S_c(b)$ | |
# | Grad-CAM | $\mathrm{ReLU}(\sum_k \alpha_k A_k)$, $\;\alpha_k$ the mean gradient of map $k$ | `explain.grad_cam` |
# | Shapley value | mean gain of $i$ over all orders of arrival | `explain.shapley_values` |
#
# ### Exercise 1 · easy — which pixels to delete
#
# Write `pixels_to_delete(attribution, share)` for a signed map. Return a boolean array of its shape that is True for
# the `share` of all pixels (rounded to a whole number of pixels) that speak most strongly *for* the class.

# %% [markdown] lang="zh" of="f6156a32" tags=["summary"]
# ## 你测到了什么
#
# - 埋下的原因：积分梯度有 {{integrated.share_on_mark:.0%}} 落在标记上（三个种子：{{seeds:integrated.share_on_mark:.0%}}），
#   Grad-CAM 只有 {{grad_cam.share_on_mark:.1%}}。
# - 按积分梯度删除：涂黑时平均高度 {{integrated.deletion_black:.2f}}，涂白时 {{integrated.deletion_white:.2f}}。
#   结论既属于图，也属于“什么叫没有”的约定。
# - 所有层都随机：积分梯度的秩相关，在全部像素上还有 {{integrated.survives_all_pixels:.2f}}，在笔画上是 {{integrated.survives_ink:.2f}}；
#   导向反向传播在笔画上还有 {{guided.survives_ink:.2f}}。
# - 状态只知道自己那一行时，注意力与梯度一致（$\tau$ = {{alone.tau_attention_gradient:.2f}}）；有上下文时不一致（{{context.tau_attention_gradient:.2f}}）。
# - 夏普利值的三种算法结果一致。剪枝使积分梯度相对于笔画上随机删的优势从 {{network.integrated_gain:.2f}} 降到 {{pruned.integrated_gain:.2f}}。
#
# | | 公式 | 代码 |
# |---|---|---|
# | 显著图 | $\lvert \partial S_c / \partial x_i \rvert$ | `explain.saliency` |
# | 积分梯度 | $(x_i - b_i) \int_0^1 \partial_i S_c(b + \alpha (x - b))\, d\alpha$ | `explain.integrated_gradients` |
# | 完备性 | $\sum_i A_i = S_c(x) - S_c(b)$ | |
# | Grad-CAM | $\mathrm{ReLU}(\sum_k \alpha_k A_k)$，$\;\alpha_k$ 是第 $k$ 张特征图的平均梯度 | `explain.grad_cam` |
# | 夏普利值 | $i$ 的增益，对所有入场次序取平均 | `explain.shapley_values` |
#
# ### 练习 1 · 易 —— 删哪些像素
#
# 写出 `pixels_to_delete(attribution, share)`：参数是一张带符号的图，返回同形状的布尔数组，最支持该类别的那一部分像素为 True，
# 个数是全部像素的 `share` 倍（四舍五入取整）。

# %% tags=["exercise"]
def pixels_to_delete(attribution, share):
    """True where a pixel belongs to the highest `share` of all pixels."""
    ### BEGIN SOLUTION
    order = np.argsort(-attribution.ravel())
    mask = np.zeros(attribution.size, dtype=bool)
    mask[order[: round(share * attribution.size)]] = True
    return mask.reshape(attribution.shape)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08c.pixels_to_delete", pixels_to_delete)

# %% [markdown] lang="en" tags=["hint"]
# `np.argsort` sorts upwards, so sort the negative. Work out first how many pixels you need, then take that many from
# the start of the order. A large *negative* number speaks against the class.

# %% [markdown] lang="zh" of="743d6339" tags=["hint"]
# `np.argsort` 是从小到大排，所以对相反数排序。先算要几个像素，再从排好的次序里取前这么多个。绝对值很大的负数是反对该类别的。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — integrated gradients of any function
#
# Write `integrate_gradient(gradient, point, baseline, steps)`. `gradient` is a function from an array to the array of
# partial derivatives. Use midpoints. Then try a baseline of your own on a digit: white, grey, or a different digit.

# %% [markdown] lang="zh" of="99bdb990"
# ### 练习 2 · 中 —— 任意函数的积分梯度
#
# 写出 `integrate_gradient(gradient, point, baseline, steps)`。`gradient` 是一个函数，输入数组，返回各偏导数组成的数组。
# 请用中点法。写完后，换一个自己选的基线试试：白色、灰色，或者另一张手写数字。

# %% tags=["exercise"]
def integrate_gradient(gradient, point, baseline, steps):
    """Attributions that add up to f(point) - f(baseline)."""
    ### BEGIN SOLUTION
    shares = (np.arange(steps) + 0.5) / steps
    mean = np.mean([gradient(baseline + share * (point - baseline)) for share in shares], axis=0)
    return (point - baseline) * mean
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08c.integrate_gradient", integrate_gradient)

# %% [markdown] lang="en" tags=["hint"]
# There are three parts: where you walk (from the baseline to the point), what you average (the gradients at the
# middle of each step), and what you multiply by at the end (how far each input moved).

# %% [markdown] lang="zh" of="da5458b5" tags=["hint"]
# 分三步：走哪条路（从基线到该点），对什么取平均（每一小段中点处的梯度），最后乘以什么（每个输入走了多远）。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — fair shares
#
# Write `fair_shares(value, players)`: the Shapley value of each player. `value` takes a `frozenset` of player numbers
# (0, 1, …) and returns a number; `value(frozenset())` need not be 0. `itertools.permutations` or
# `itertools.combinations` will help.

# %% [markdown] lang="zh" of="d47ea339"
# ### 练习 3 · 难 —— 公平分配
#
# 写出 `fair_shares(value, players)`，返回每个参与者的夏普利值。`value` 的参数是由参与者编号（0、1……）组成的 `frozenset`，
# 返回一个数；`value(frozenset())` 不一定是 0。可以用 `itertools.permutations` 或 `itertools.combinations`。

# %% tags=["exercise"]
def fair_shares(value, players):
    """Shapley values: the mean gain of each player over all orders of arrival."""
    ### BEGIN SOLUTION
    shares = np.zeros(players)
    for order in itertools.permutations(range(players)):
        for place, player in enumerate(order):
            shares[player] += value(frozenset(order[: place + 1])) - value(frozenset(order[:place]))
    return shares / math.factorial(players)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08c.fair_shares", fair_shares)

# %% [markdown] lang="en" tags=["hint"]
# Let the players arrive one by one, in every possible order. The player who arrives gets the difference between the
# value with and without that player. Average over the orders: how many are there?

# %% [markdown] lang="zh" of="47f69707" tags=["hint"]
# 让参与者按每一种可能的次序逐个入场。谁入场，就把“有他”与“没有他”的价值之差记给谁。最后对次序取平均：
# 一共有多少种次序？

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("08c")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Attributions help to debug: a shortcut like our mark was found in chest X-rays, where networks had learned which
# hospital a picture came from ([Zech et al. 2018](https://doi.org/10.1371/journal.pmed.1002683)). Shapley values
# explain credit and risk models to auditors. For a decision about a person, Rudin argues for models that need no
# explanation ([2019](https://doi.org/10.1038/s42256-019-0048-x)). And a mark that changes the answer, put there on
# purpose, is a back door: chapter 8d.
#
# - Adebayo et al. 2018, [*Sanity checks for saliency maps*](https://arxiv.org/abs/1810.03292): test 3. With it read
#   Binder et al. 2023, [*Shortcomings of top-down randomization-based sanity
#   checks*](https://arxiv.org/abs/2211.12486), on what the test cannot show.
# - Sundararajan et al. 2017, [*Axiomatic attribution for deep networks*](https://arxiv.org/abs/1703.01365); Lundberg
#   and Lee 2017, [*A unified approach to interpreting model predictions*](https://arxiv.org/abs/1705.07874).
# - Jain and Wallace 2019, [*Attention is not explanation*](https://arxiv.org/abs/1902.10186), and the reply of
#   Wiegreffe and Pinter 2019, [*Attention is not not explanation*](https://arxiv.org/abs/1908.04626): read both.
#
# **What the full profile changes.** All 60,000 digits, longer training, and four to five times as many images in each
# test. It was run once, with one seed; the numbers are in `notebooks/results/full-08c.json`. Most verdicts stand.
# With the misleading mark, the cheating network now classifies only {{full:cheat.accuracy_wrong_mark:.1%}} correctly.
# The more accurate network ({{full:network.test_accuracy:.1%}}) is *not* easier to explain: by deletion, its
# integrated gradients gain {{full:network.integrated_gain:.2f}} over random ink, and the pruned network's
# {{full:pruned.integrated_gain:.2f}}. Attention looks weaker still as an explanation: for
# {{full:context.same_answer_other_weights:.0%}} of the digits in context and
# {{full:alone.same_answer_other_weights:.0%}} with rows alone, some very different weights give the same answer.
# (Twice as many shuffles are tried, which finds more.) A shuffle picked blindly still hurts badly.
#
# Next: chapter 8d asks what a network gives away about the people in its training data.

# %% [markdown] lang="zh" of="02a58e94"
# ## 应用与延伸阅读
#
# 归因有助于找毛病：像我们的标记那样的捷径，在胸部 X 光片里就被发现过，网络学会的是照片来自哪家医院（[Zech 等，2018](https://doi.org/10.1371/journal.pmed.1002683)）。
# 夏普利值用来向审计人员解释信贷和风险模型。如果要对一个人作出决定，Rudin 主张使用无需解释的模型（[2019](https://doi.org/10.1038/s42256-019-0048-x)）。
# 而有意放上一个标记来改变答案，就是后门，见第 8d 章。
#
# - Adebayo 等，2018，[Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292)：检验三。请与 Binder 等，
#   2023，[Shortcomings of top-down randomization-based sanity checks](https://arxiv.org/abs/2211.12486) 对照着读，
#   后者讲这种检验说明不了什么。
# - Sundararajan 等，2017，[Axiomatic attribution for deep networks](https://arxiv.org/abs/1703.01365)；
#   Lundberg 与 Lee，2017，[A unified approach to interpreting model predictions](https://arxiv.org/abs/1705.07874)。
# - Jain 与 Wallace，2019，[Attention is not explanation](https://arxiv.org/abs/1902.10186)；以及 Wiegreffe 与 Pinter 的回应，
#   2019，[Attention is not not explanation](https://arxiv.org/abs/1908.04626)：两篇都要读。
#
# **换成 full 配置会怎样。** 用全部 60,000 个样本，训练更久，每项检验用四到五倍的图像。只跑过一次，一个种子，
# 结果在 `notebooks/results/full-08c.json` 里。多数结论不变。标记误导时，作弊的网络只认对了 {{full:cheat.accuracy_wrong_mark:.1%}}。
# 更准的网络（{{full:network.test_accuracy:.1%}}）并没有更容易解释：按删除来量，它的积分梯度比笔画上随机删的优势是 {{full:network.integrated_gain:.2f}}，
# 剪枝后是 {{full:pruned.integrated_gain:.2f}}。注意力作为解释则更站不住：有上下文时有 {{full:context.same_answer_other_weights:.0%}} 的样本、只看单行时有 {{full:alone.same_answer_other_weights:.0%}}，
# 能找到一组很不一样的权重给出同样的答案（打乱的次数多一倍，自然更容易找到）；而随手打乱一次，损害仍然很大。
#
# 接下来：第 8d 章要问，网络会泄露训练数据里那些人的什么。
