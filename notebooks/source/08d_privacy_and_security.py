# %% [markdown] lang="en" telling=["overfitted.auc_wrong_labels", "private.auc_wrong_labels", "private_epsilon_2.test_accuracy"]
# # 8d Privacy and security
#
# Look at the three sevens. You read all of them without trouble. At the middle size, each pixel has changed by at
# most a tenth of the way from black to white, and a network that was right on most digits is now wrong on nearly all.
# *Random* changes of the same size hardly hurt it (upper curve). Somebody has to know in which direction to push.
#
# That is one way to use a network against its owner. There are quieter ones: asking it who was in its training data,
# or writing a few wrong labels into that data. This chapter attacks first, then defends, and measures both.

# %% [markdown] lang="zh" of="56e5bb3b"
# # 8d 隐私与安全
#
# 请看这三个 7。你一个都不会认错。可在中间那张图里，每个像素的改动不超过黑白之差的十分之一，一个原本大多能认对的网络，
# 就几乎全认错了。同样大小的改动，如果方向随机，却几乎伤不到它（最上面那条曲线）。关键在于要知道往哪个方向推。
#
# 这只是拿网络对付它主人的一种办法，还有更不声张的：查问它的训练数据里有谁，或者往训练数据里悄悄写进几个错误的标签。
# 这一章先攻击，再防守，两边都量一量。

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - run a membership inference attack and state its success with three numbers and a baseline;
# - train with differential privacy: clip every example's gradient, add noise, and let an accountant say what it cost;
# - average the models of 100 clients who keep their data, and hide every single client's update from the server;
# - break a network with one gradient step, harden it, and poison it with labels;
# - say what distillation, masking, encryption and differential privacy each protect, and what they do not.
#
# **Before you start:** training and gradients (chapter 1), overfitting (chapter 5a).

# %% [markdown] lang="zh" of="dcade6ee"
# **学完这一章，你能够**
#
# - 实施一次成员推断攻击，并用三个数和一条基线说明它有多成功；
# - 做差分隐私训练：逐个样本裁剪梯度，加噪声，再用隐私核算器（accountant）算出一共花掉了多少隐私；
# - 给 100 个不交出数据的客户端做模型平均，并且不让服务器看到任何一个客户端的更新；
# - 用一步梯度骗过网络，再把它练得更结实，也会用错误标签给它投毒；
# - 说清楚蒸馏、脱敏、加密和差分隐私各自保护什么，又不保护什么。
#
# **预备知识：** 训练与梯度（第 1 章），过拟合（第 5a 章）。

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
import hashlib

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers
from sklearn.metrics import roc_auc_score

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.topics import privacy
from course_utils.profiles import choose

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("08d")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: what a network remembers, it gives away
#
# Ask a network about a digit it was trained on, and it is confident. Ask it about one it has never seen, and it is a
# little less confident. The difference is overfitting, and it is also a leak. **Membership inference** guesses from
# the loss whether an example was a *member* of the training data ([Yeom et al.
# 2017](https://arxiv.org/abs/1709.01604)). If the data are the patients of a clinic, being a member is the secret.
#
# Two networks learn the same digits: one for far too long (`overfitted`), one with dropout and for a short time
# (`regularised`). Any collection made by people holds some wrong labels; here we falsify one in ten ourselves, so
# that we know which. A wrong label cannot be guessed from the image, so a network that knows it can only have
# **memorised** it.
#
# **Predict:** which of the two networks gives away more, and about whom?

# %% [markdown] lang="zh" of="ae7e8497" tags=["predict"]
# ## 核心思想：网络记住了什么，就会泄露什么
#
# 拿训练过的样本去问网络，它的置信度很高；换一个没见过的，就低一点。这个差别叫过拟合，同时也是泄密：**成员推断**（membership inference）只凭损失就能猜测，
# 一个样本是不是训练数据的**成员**（[Yeom 等，2017](https://arxiv.org/abs/1709.01604)）。如果数据是某家诊所的病人，
# “是不是成员”本身就是秘密。
#
# 两个网络学同一批样本：一个训练得过久（overfitted）；另一个用随机失活，训练得短（regularised）。人工收集的数据总会有一些错误的标签；
# 这里由我们自己动手，把十个标签里的一个改错，这样就知道是哪些。错误的标签从图上猜不出来，网络若是知道，
# 只能是**记住**了。
#
# **先猜：** 两个网络谁泄露得多？泄露的是谁？

# %%
digits = datasets.mnist()
count, half = choose(smoke=2_000, laptop=10_000, full=60_000), choose(smoke=800, laptop=4_000, full=4_000)
x_train, y_train = datasets.as_images(digits.x_train[:count]), digits.y_train[:count].astype("int32")
tested = choose(smoke=1_000, laptop=5_000, full=10_000)
x_test, y_test = datasets.as_images(digits.x_test[:tested]), digits.y_test[:tested].astype("int32")
del digits

random = np.random.default_rng(SEED)
told = y_train[: 2 * half].copy()  # what the labels say
wrong = random.random(2 * half) < 0.1
told[wrong] = (told[wrong] + random.integers(1, 10, wrong.sum())) % 10
members, others, public = slice(0, half), slice(half, 2 * half), slice(2 * half, 5 * half // 2)
print("some labels are wrong · 有些标签是错的:", bool(np.any(told != y_train[: 2 * half])))

# %%
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def perceptron(dropout=0.0):
    """784-256-10, ending in logits."""
    inputs = keras.Input((28, 28, 1))
    hidden = layers.Dense(256, activation="relu")(layers.Flatten()(inputs))
    return keras.Model(inputs, layers.Dense(10)(layers.Dropout(dropout)(hidden)))


def losses_of(model, images, labels):
    """Each example's own cross entropy: (count,)."""
    parts = [tf.nn.sparse_softmax_cross_entropy_with_logits(labels[i : i + 500], model(images[i : i + 500])) for i in range(0, len(images), 500)]
    return np.concatenate(parts).astype("float64")


def compiled(model, loss=cross_entropy):
    model.compile(keras.optimizers.Adam(0.001), loss, steps_per_execution=choose(smoke=1, laptop=8, full=8))
    return model


keras.utils.set_random_seed(SEED)
with strategy.scope():
    networks = {"overfitted": compiled(perceptron()), "regularised": compiled(perceptron(dropout=0.5)), "reference": compiled(perceptron())}
print("parameters · 参数:", *(f"{model.count_params():,}" for model in networks.values()))

# %% tags=["nbval-ignore-output"]
lessons = {  # images, labels, epochs; the reference knows neither members nor others, it serves an attack below
    "overfitted": (x_train[members], told[members], choose(smoke=30, laptop=60, full=100)),
    "regularised": (x_train[members], told[members], choose(smoke=8, laptop=8, full=8)),
    "reference": (x_train[public], y_train[public], choose(smoke=8, laptop=15, full=15)),
}
# Bands: three seeds; at least 0.012 wide on each side (smoke 0.02), which other numbers of threads need.
bands = choose(
    smoke=[(0.794, 0.843), (0.781, 0.892), (0.794, 0.843)],
    laptop=[(0.846, 0.876), (0.884, 0.91), (0.864, 0.914)], full=[(0.7, 1)] * 3)
scores = {}  # minus the loss: high says "member"
for (name, (images, labels, epochs)), band in zip(lessons.items(), bands, strict=True):
    training.fit(networks[name], images, labels, name=name, epochs=epochs, batch_size=64)
    scores[name] = -losses_of(networks[name], x_train[: 2 * half], told)
    results.record(f"{name}.test_accuracy", training.accuracy(networks[name], x_test, y_test), band=band)

figure, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True)
for axis, (name, values) in zip(axes, scores.items(), strict=False):
    for group, rows, fill in [("members", members, {"alpha": 0.6}), ("others", others, {"histtype": "step", "linewidth": 2})]:
        axis.hist(np.log10(np.clip(-values[rows], 1e-7, 30)), np.linspace(-7, 1.5, 40), label=group, **fill)
    axis.set(title=name, xlabel="loss, power of ten")
axes[0].set(ylabel="examples")
axes[1].legend()
plots.show(figure, alt="Histograms of the loss of members and of others. Overfitted: only the others have high losses. Regularised: the two nearly coincide.",
           alt_zh="成员与非成员的损失直方图。过拟合的网络：只有非成员的损失高；正则化的网络：两个直方图几乎重合。")

# %% [markdown] lang="en"
# Left, the two histograms part: only the others have high losses. Right, they nearly coincide. How well can an
# attacker use that?
#
# ## Three numbers for an attack
#
# The attack says "member" when the score (minus the loss) exceeds a threshold. For each threshold $t$ there is a
# **true positive rate**, TPR (members found), and a **false positive rate**, FPR (others accused). We report three
# summaries:
#
# $$ \mathrm{AUC} = P(\text{score of a member} > \text{score of another}) \qquad
#    \mathrm{advantage} = \max_t\,\big(\mathrm{TPR}(t) - \mathrm{FPR}(t)\big) $$
#
# The third is the TPR when hardly anybody is accused wrongly, at an FPR of at most 0.01. An attacker who is certain
# about a few is worse than one who is vaguely right about many ([Carlini et al.
# 2021](https://arxiv.org/abs/2112.03570)). Guessing has an AUC of 0.5, an advantage of 0, and a third number of 0.01.
#
# The loss alone is a blunt score: a clear 1 has a small loss whether it is a member or not. A sharper attack
# subtracts how hard the example *is*: its loss in a reference network that knows neither group ([Watson et al.
# 2021](https://arxiv.org/abs/2111.08440)). Below it is called *calibrated*.

# %% [markdown] lang="zh" of="63596eda"
# 左图里两个直方图分开了：损失高的只有非成员（others）。右图里两者几乎重合。攻击者能把这个差别利用到什么程度？
#
# ## 用三个数描述一次攻击
#
# 得分（负的损失）超过阈值 $t$，攻击就说“是成员”。每个阈值对应一个**真阳性率**（TPR，找出的成员占多少）和一个**假阳性率**（FPR，
# 被冤枉的非成员占多少）。我们报告三个概括：
#
# $$ \mathrm{AUC} = P(\text{成员得分} > \text{非成员得分}) \qquad
#    \text{优势（advantage）} = \max_t\,\big(\mathrm{TPR}(t) - \mathrm{FPR}(t)\big) $$
#
# 第三个是几乎不冤枉人（FPR 不超过 0.01）时的 TPR：能咬定少数几个人的攻击者，比对许多人略知一二的更危险（[Carlini 等，2021](https://arxiv.org/abs/2112.03570)）。
# 瞎猜的 AUC 是 0.5，优势是 0，第三个数是 0.01。
#
# 只看损失，打分太钝：一个清清楚楚的 1，不管是不是成员，损失都很小。更锐利的攻击要减去样本本身的难度，也就是它在一个两组都没见过的参考网络里的损失（[Watson 等，2021](https://arxiv.org/abs/2111.08440)）。
# 下面把它叫作校准过的攻击（calibrated）。

# %%
inside, outside = scores["overfitted"][members], scores["overfitted"][others]
wins = np.mean([np.mean(score > outside) + 0.5 * np.mean(score == outside) for score in inside])  # all pairs
proofs.equal({
    "pairs counted": wins,
    "course": privacy.area_under_roc(inside, outside),
    "scikit-learn": roc_auc_score([1] * half + [0] * half, np.concatenate([inside, outside])),
}, tolerance=1e-9)
gaps = [np.mean(inside >= threshold) - np.mean(outside >= threshold) for threshold in scores["overfitted"]]
proofs.equal({"largest TPR − FPR": max(0, *gaps), "advantage": privacy.advantage(inside, outside)}, tolerance=1e-9)

# %% tags=["nbval-ignore-output"]
def attack(name, values, bands):
    """Record AUC, advantage, TPR at 1 % FPR, and the AUC among the wrongly labelled."""
    inside, outside = values[members], values[others]
    measured = {
        "auc": privacy.area_under_roc(inside, outside),
        "advantage": privacy.advantage(inside, outside),
        "tpr_at_1_percent": privacy.true_positive_rate(inside, outside, 0.01),
        "auc_wrong_labels": privacy.area_under_roc(values[members][wrong[members]], values[others][wrong[others]]),
    }
    for (quantity, value), band in zip(measured.items(), bands, strict=True):
        results.record(f"{name}.{quantity}", value, band=band, digits=3)


attack("overfitted", scores["overfitted"], choose(
    smoke=[(0.632, 0.803), (0.333, 0.515), (0, 0.033), (0.943, 1)],
    laptop=[(0.628, 0.707), (0.285, 0.385), (0, 0.037), (0.985, 1)], full=[None] * 4))
calibrated = scores["overfitted"] - scores["reference"]
attack("overfitted_calibrated", calibrated, choose(
    smoke=[(0.643, 0.757), (0.16, 0.473), (0.048, 0.13), (0.919, 1)],
    laptop=[(0.658, 0.689), (0.25, 0.308), (0.052, 0.119), (0.866, 1)], full=[None] * 4))
found = calibrated[members] > np.quantile(calibrated[others], 0.99)
print(f"  wrongly labelled among those found · 找出的成员里标签错误的占: {np.mean(wrong[members][found]):.2f}")
attack("regularised", scores["regularised"], choose(
    smoke=[(0.567, 0.669), (0.133, 0.247), (0, 0.054), (0.606, 1)],
    laptop=[(0.541, 0.575), (0.068, 0.128), (0, 0.023), (0.617, 0.875)], full=[None] * 4))

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The overfitted network gives away more, and mostly about those whose labels are wrong. Over all examples
# its AUC is {{overfitted.auc:.2f}}, which looks modest, and with few false accusations the plain loss finds no more
# members than guessing would ({{overfitted.tpr_at_1_percent:.3f}}). But among the wrongly labelled the AUC is
# {{overfitted.auc_wrong_labels:.3f}}: the leak is nearly complete. They are also the ones that the calibrated attack
# finds; it finds {{overfitted_calibrated.tpr_at_1_percent:.1%}} of the members, with about one false accusation in
# ten.
#
# So the mean hides the people who stand out, and they are the ones privacy is for. Regularising helps (an AUC of
# {{regularised.auc:.2f}}, and {{regularised.auc_wrong_labels:.2f}} among the wrong labels), but it promises nothing.
#
# ## Differential privacy: a promise about anybody
#
# A training procedure $M$ is **$(\varepsilon, \delta)$-differentially private** if adding or removing any one example
# hardly changes what can come out ([Dwork et al. 2006](https://doi.org/10.1007/11761679_29)): for all data sets
# $D, D'$ that differ in one example, and all sets $R$ of results,
#
# $$ P[M(D) \in R] \le e^{\varepsilon}\, P[M(D') \in R] + \delta $$
#
# It follows that *no* attack can have $\mathrm{TPR} > e^\varepsilon\,\mathrm{FPR} + \delta$, however clever it is.
#
# **DP-SGD** ([Abadi et al. 2016](https://arxiv.org/abs/1607.00133)) keeps the promise in each step, in two moves:
# bound what one example can do, then drown it in noise.
#
# $$ \bar g_i = g_i \cdot \min\Big(1, \frac{C}{\lVert g_i \rVert}\Big), \qquad
#    \tilde g = \frac{1}{q\,n} \Big( \sum_{i \in \text{sample}} \bar g_i + \mathcal{N}(0, \sigma^2 C^2 I) \Big) $$
#
# Here $g_i$ is the gradient of *one* example over all weights, $C$ the clipping norm and $\sigma$ the noise
# multiplier; each of $n$ examples is in the sample with probability $q$. Keras gives the gradient of a batch's mean,
# in which the single ones are lost. `tf.vectorized_map` gives all of them at once; the cell checks it against one at
# a time.

# %% [markdown] lang="zh" of="45474515" tags=["answer"]
# **答案。** 过拟合的网络泄露得多，而且泄露的主要是标签错误的那些人。对全部样本，它的 AUC 是 {{overfitted.auc:.2f}}，
# 看上去不大；要求少冤枉人时，单凭损失找出的成员不比瞎猜多（{{overfitted.tpr_at_1_percent:.3f}}）。可在标签错误的样本里，
# AUC 是 {{overfitted.auc_wrong_labels:.3f}}，泄露几乎是彻底的。校准过的攻击找出来的也正是他们：它找出 {{overfitted_calibrated.tpr_at_1_percent:.1%}} 的成员，
# 十次指认里大约只错一次。
#
# 可见平均数掩盖了与众不同的人，而隐私要保护的正是他们。正则化有帮助（AUC 是 {{regularised.auc:.2f}}，错误标签中是 {{regularised.auc_wrong_labels:.2f}}），
# 但什么也不保证。
#
# ## 差分隐私：对任何一个人的承诺
#
# 如果增加或去掉任何一个样本，训练过程 $M$ 可能得到的结果几乎不变，就说它满足 **$(\varepsilon, \delta)$-差分隐私**（differential privacy，
# [Dwork 等，2006](https://doi.org/10.1007/11761679_29)）：对任意两个只差一个样本的数据集 $D, D'$，以及任意结果集合 $R$，
#
# $$ P[M(D) \in R] \le e^{\varepsilon}\, P[M(D') \in R] + \delta $$
#
# $\varepsilon$ 越小，两边越接近，你在不在数据里就越看不出来；$\delta$ 是允许承诺失效的一点点概率。由此可知，
# 任何攻击，不管多高明，都不可能做到 $\mathrm{TPR} > e^\varepsilon\,\mathrm{FPR} + \delta$。
#
# **DP-SGD**（[Abadi 等，2016](https://arxiv.org/abs/1607.00133)）在每一步里兑现承诺，分两招：先限制一个样本能起的作用，
# 再用噪声把它淹没。
#
# $$ \bar g_i = g_i \cdot \min\Big(1, \frac{C}{\lVert g_i \rVert}\Big), \qquad
#    \tilde g = \frac{1}{q\,n} \Big( \sum_{i \in \text{样本}} \bar g_i + \mathcal{N}(0, \sigma^2 C^2 I) \Big) $$
#
# $g_i$ 是单个样本对全部权重的梯度，$C$ 是裁剪范数，$\sigma$ 是噪声倍数；共 $n$ 个样本，每个以概率 $q$ 被抽进这一步。
# Keras 给出的是一批样本平均之后的梯度，单个样本的已经看不到了；`tf.vectorized_map` 能一次给出所有样本各自的梯度，
# 下面拿逐个计算的结果来核对。

# %%
def private_network():
    """Patches of 6 × 6 through one dense layer (a convolution, but cheap for single gradients), then 32, then 10."""
    inputs = keras.Input((28, 28, 1))
    patches = keras.ops.image.extract_patches(inputs, size=6, strides=2)  # (batch, 12, 12, 36)
    x = layers.AveragePooling2D(2)(layers.Dense(16, activation="tanh")(patches))  # (batch, 6, 6, 16)
    return keras.Model(inputs, layers.Dense(10)(layers.Dense(32, activation="tanh")(layers.Flatten()(x))))


keras.utils.set_random_seed(SEED)
model, few, few_labels = private_network(), x_train[:6], y_train[:6]
untrained = model.get_weights()
singles = []
for image, label in zip(few, few_labels, strict=True):  # one at a time
    with tf.GradientTape() as tape:
        loss = cross_entropy(label[None], model(image[None]))
    singles.append(np.concatenate([np.ravel(g) for g in tape.gradient(loss, model.trainable_weights)]))
together = privacy.per_example_gradients(model, few, few_labels)  # a tensor (6, …) for each weight
flat = np.concatenate([np.reshape(g, (6, -1)) for g in together], axis=1)  # (6, all weights)
proofs.equal({"one at a time": np.stack(singles), "vectorized_map": flat})

norms = np.linalg.norm(flat, axis=1, keepdims=True)
by_hand = (flat * np.minimum(1, 1.5 / norms)).sum(axis=0)
proofs.equal({"clipped, by hand": by_hand, "clipped_sum": np.concatenate([np.ravel(g) for g in privacy.clipped_sum(together, 1.5)])})
print("parameters · 参数:", f"{model.count_params():,}")

# %% [markdown] lang="en"
# Both ways give the same gradients, and the clipped sum agrees with the one computed by hand.
#
# ### The sampling that the accountant assumes
#
# Privacy is amplified by *not* looking at most examples in a step. The proof needs **Poisson sampling**: every
# example tosses its own coin, so the size of the sample is random. Shuffling and cutting into equal batches, as `fit`
# does, is a different procedure, and it is a common mistake to train with shuffled batches and quote the epsilon of
# Poisson sampling ([Chua et al. 2024](https://arxiv.org/abs/2403.17673)). Here the coins are real; samples are padded
# to full chunks, and the padding is masked out.
#
# The **accountant** (Google's `dp-accounting`) adds up what the steps cost. First we check it against a formula. One
# step in which everybody takes part is the Gaussian mechanism, whose $\delta$ has a closed form ([Balle and Wang
# 2018](https://arxiv.org/abs/1805.06530)):
#
# $$ \delta(\varepsilon) = \Phi\Big(\frac{1}{2\sigma} - \varepsilon\sigma\Big) - e^{\varepsilon}\, \Phi\Big(-\frac{1}{2\sigma} - \varepsilon\sigma\Big) $$

# %% [markdown] lang="zh" of="4aaabefd"
# 两种算法的梯度一致，裁剪后的和也与手算的一致。
#
# ### 隐私核算器所假设的抽样
#
# 一步里不看大多数样本，隐私保护就会增强：攻击者连你有没有参与这一步都不知道。证明要求的是**泊松抽样**（Poisson sampling）：
# 每个样本各自抛硬币，所以这一步的样本量是随机的。`fit` 做的是打乱后切成等大的批，那是另一回事；按打乱的方式训练，
# 却报出泊松抽样的 epsilon，是常见的错误（[Chua 等，2024](https://arxiv.org/abs/2403.17673)）。这里真的抛硬币；
# 样本补齐到整块，补上的部分用掩码去掉。
#
# **隐私核算器**（accountant，这里用 Google 的 `dp-accounting`）把每一步的花费累加起来。先拿公式核对它。
# 所有人都参加的一步，就是高斯机制，它的 $\delta$ 有闭式（[Balle 与 Wang，2018](https://arxiv.org/abs/1805.06530)）：
#
# $$ \delta(\varepsilon) = \Phi\Big(\frac{1}{2\sigma} - \varepsilon\sigma\Big) - e^{\varepsilon}\, \Phi\Big(-\frac{1}{2\sigma} - \varepsilon\sigma\Big) $$

# %%
coins = np.random.default_rng(0)
samples = [privacy.poisson_sample(10_000, 0.05, chunk=256, generator=coins) for _ in range(300)]
sizes = [int(mask.sum()) for _, mask in samples]
print("sizes of 300 samples · 300 次抽样的大小:", min(sizes), "…", max(sizes), " chunks · 块:", samples[0][0].shape)

proofs.equal({"closed form, one step": privacy.gaussian_epsilon(2.0), "accountant": privacy.epsilon(2.0, rate=1, steps=1)}, tolerance=1e-3)
proofs.equal({"half the noise, one step": privacy.gaussian_epsilon(1.0), "four steps": privacy.epsilon(2.0, rate=1, steps=4)}, tolerance=1e-3)
one = privacy.epsilon(1.9, rate=0.05, steps=1)
print(f"300 steps: added up · 逐步相加 {300 * one:.0f}, accountant · 会计 {privacy.epsilon(1.9, rate=0.05, steps=300):.2f}")
for accountant in ("rdp", "pld"):
    print(f"q = 0.01, σ = 4, 10,000 steps: {accountant} {privacy.epsilon(4, 0.01, 10_000, accountant=accountant):.2f}")
print("the same by Abadi et al. 2016, section 3.2 · 同一设置的论文数值: 1.26 (arXiv:1607.00133)")

# %% [markdown] lang="en" tags=["predict"]
# The accountant agrees with the formula. It also counts far less than adding up the cost of each step would, and less
# than the paper's own bound of 2016 for the same setting.
#
# ### What an epsilon is worth
#
# An epsilon is a bound on every attack, so read it as one. The largest possible advantage is
# $(e^\varepsilon - 1 + 2\delta)/(e^\varepsilon + 1)$:
#
# | $\varepsilon$ | largest advantage of any attack | largest TPR at an FPR of 0.01 |
# |---|---|---|
# | 0.5 | 0.24 | 0.016 |
# | 2 | 0.76 | 0.074 |
# | 8 | 0.9993 | nearly 1 |
#
# At $\varepsilon = 0.5$ an attacker can hardly do better than guessing. At 8, the promise on paper excludes almost
# nothing (the attacks we know stay far below it).
#
# ### Accuracy against epsilon
#
# [Abadi et al. 2016](https://arxiv.org/abs/1607.00133) report 90%, 95% and 97% at $\varepsilon$ = 0.5, 2 and 8, with $\delta = 10^{-5}$ and all 60,000 digits.
#
# The laptop profile has 10,000 digits and 300 steps; only the full profile has the published amount of data. The
# three private runs differ in their noise, and so in how strong a promise they make. Two more runs tell what costs
# what: clipping *without* noise, and neither (plain gradient descent with the same samples).
#
# **Predict:** which of the two, clipping or noise, costs more accuracy at $\varepsilon = 8$?

# %% [markdown] lang="zh" of="c93b61e2" tags=["predict"]
# 核算器与公式一致。它算出的花费远小于逐步相加的结果，也小于论文在 2016 年对同一设置给出的上界。
#
# ### 一个 epsilon 值多少
#
# epsilon 是对一切攻击的上界，就该照上界去读它。攻击的优势最大是 $(e^\varepsilon - 1 + 2\delta)/(e^\varepsilon + 1)$：
#
# | $\varepsilon$ | 任何攻击的最大优势 | FPR 为 0.01 时的最大 TPR |
# |---|---|---|
# | 0.5 | 0.24 | 0.016 |
# | 2 | 0.76 | 0.074 |
# | 8 | 0.9993 | 接近 1 |
#
# $\varepsilon = 0.5$ 时，攻击者比瞎猜好不了多少。到了 8，纸面上的承诺几乎什么也排除不了（尽管已知的攻击远远达不到这个上限）。
#
# ### 准确率与 epsilon
#
# [Abadi 等，2016](https://arxiv.org/abs/1607.00133) 在 $\varepsilon$ = 0.5、2、8（$\delta = 10^{-5}$，全部 60,000 个样本）时报告 90%、95% 和 97%。
#
# laptop 配置只有 10,000 个样本、300 步；只有 full 配置才有论文那么多数据。三次隐私训练的噪声不同，承诺的强弱也就不同。
# 另外两次用来看清代价出在哪里：只裁剪、不加噪声（clipped, no noise）；两样都不做（neither，同样抽样的普通梯度下降）。
#
# **先猜：** $\varepsilon = 8$ 时，裁剪和噪声哪个让准确率损失更多？

# %% tags=["nbval-ignore-output"]
rate, steps = choose(smoke=(0.1, 40), laptop=(0.05, 300), full=(0.01, 3_000))
noises = choose(smoke=(4.74, 1.64, 0.78), laptop=(6.23, 1.95, 0.86), full=(3.95, 1.32, 0.69))  # for epsilon 0.5, 2, 8
plans = {f"epsilon_{target}": (noise, 0.3, 10.0) for target, noise in zip(("half", "2", "8"), noises, strict=True)}
plans |= {"only_clipped": (0.0, 0.3, 10.0), "plain": (0.0, 1e6, 0.5)}  # noise multiplier, clip, learning rate
bands = choose(
    smoke=[(0.477, 0.667), (0.74, 0.865), (0.772, 0.883), (0.811, 0.854), (0.784, 0.9)],
    laptop=[(0.694, 0.859), (0.883, 0.91), (0.897, 0.926), (0.9, 0.928), (0.913, 0.944)], full=[(0.3, 1)] * 5)
spent, reached = {}, {}
for (name, (noise, clip, learning_rate)), band in zip(plans.items(), bands, strict=True):
    model.set_weights(untrained)
    privacy.train_private(
        model, x_train, y_train, clip=clip, noise_multiplier=noise, rate=rate, steps=steps,
        optimizer=keras.optimizers.SGD(learning_rate), chunk=256, seed=SEED)
    spent[name], reached[name] = privacy.epsilon(noise, rate, steps), training.accuracy(model, x_test, y_test)
    print(f"σ = {noise}: ε = {spent[name]:.2f} at δ = 1e-5")
    results.record(f"private_{name}.test_accuracy", reached[name], band=band)

# %% tags=["nbval-ignore-output"]
figure, axis = plt.subplots(figsize=(6.6, 3.6))
private = [name for name in plans if name.startswith("epsilon")]
axis.plot([spent[name] for name in private], [reached[name] for name in private], "o-", label="here: DP-SGD")
axis.plot([0.5, 2, 8], [0.90, 0.95, 0.97], "s--", color=plots.COLORS[1], label="Abadi et al. 2016, 60,000 digits")
axis.axhline(reached["only_clipped"], color=plots.COLORS[2], linestyle=":", label="here: clipped, no noise")
axis.axhline(reached["plain"], color="0.3", linestyle="-.", label="here: neither")
axis.set(xscale="log", xticks=[0.5, 2, 8], xticklabels=[0.5, 2, 8], xlabel="epsilon at delta = 1e-5", ylabel="test accuracy", title="What the promise costs")
axis.minorticks_off()
axis.legend(fontsize=9)
plots.show(
    figure,
    alt="Test accuracy against epsilon on a logarithmic axis: rising with epsilon, below the published points, which had more "
    "digits; lines for training with clipping only and with neither.",
    alt_zh="横轴为对数刻度的 epsilon，纵轴为测试准确率：随 epsilon 上升，低于论文的点（论文的数字更多）；另有只裁剪和两样都不做的横线。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The clipping. It takes the accuracy from {{private_plain.test_accuracy:.1%}} to
# {{private_only_clipped.test_accuracy:.1%}}; the noise of $\varepsilon = 8$ then takes it to
# {{private_epsilon_8.test_accuracy:.1%}}, a difference within the spread of the seeds. At $\varepsilon = 0.5$ the
# noise shows: {{private_epsilon_half.test_accuracy:.1%}} (three seeds:
# {{seeds:private_epsilon_half.test_accuracy:.1%}}). Each variant has a learning rate that we chose for it, and none
# was tuned. (Tuning by looking at private data would cost privacy, too; that is not counted here.)
#
# More data would help: a sample of the same size is then a smaller share $q$, for which the same $\varepsilon$ needs
# less noise; or $q$ stays, and the same noise is shared by a larger sample.

# %% [markdown] lang="zh" of="61f8b335" tags=["answer"]
# **答案。** 是裁剪。它让准确率从 {{private_plain.test_accuracy:.1%}} 降到 {{private_only_clipped.test_accuracy:.1%}}；
# 再加上 $\varepsilon = 8$ 的噪声，是 {{private_epsilon_8.test_accuracy:.1%}}，这点差别不超出种子之间的波动。
# 到 $\varepsilon = 0.5$，噪声的代价才显出来：{{private_epsilon_half.test_accuracy:.1%}}（三个种子：{{seeds:private_epsilon_half.test_accuracy:.1%}}）。
# 各种做法的学习率都是我们选定的，没有细调。（看着隐私数据来调参，本身也要花掉隐私，这里没有计入。）
#
# 数据多了会有好处：样本量不变，比例 $q$ 就更小，达到同样的 $\varepsilon$ 所需的噪声也更小；或者 $q$ 不变，
# 同样的噪声由更多样本分摊。

# %% [markdown] lang="en" tags=["predict"]
# Now attack a private network as before: the same members, the same wrong labels, $\varepsilon$ about 2. The promise
# covers every attack, this one and all better ones.
#
# **Predict:** what should the AUC among the wrong labels be?

# %% [markdown] lang="zh" of="7fb177c5" tags=["predict"]
# 现在照旧攻击一个有隐私保护的网络：同样的成员，同样的错误标签，$\varepsilon$ 约为 2。承诺对任何攻击都有效，
# 不论是这一种，还是更高明的。
#
# **先猜：** 错误标签中的 AUC 应该是多少？

# %% tags=["nbval-ignore-output"]
model.set_weights(untrained)
private_steps, noise = choose(smoke=(40, 1.64), laptop=(200, 3.01), full=(200, 3.01))
privacy.train_private(
    model, x_train[members], told[members], clip=0.3, noise_multiplier=noise, rate=0.1, steps=private_steps,
    optimizer=keras.optimizers.SGD(10.0), chunk=256, seed=SEED)
promised = privacy.epsilon(noise, 0.1, private_steps)
print(f"ε = {promised:.2f}: advantage at most · 优势至多 {(np.exp(promised) - 1 + 2e-5) / (np.exp(promised) + 1):.2f}")
results.record("private.test_accuracy", training.accuracy(model, x_test, y_test), band=choose(smoke=(0.276, 0.776), laptop=(0.81, 0.84), full=(0.2, 1)))
attack("private", -losses_of(model, x_train[: 2 * half], told), choose(
    smoke=[(0.517, 0.613), (0.046, 0.178), (0, 0.054), (0.452, 0.714)],
    laptop=[(0.512, 0.54), (0.031, 0.081), (0, 0.029), (0.38, 0.681)], full=[None, (0, 0.77), None, None]))

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Near 0.5: it is {{private.auc_wrong_labels:.2f}} (three seeds: {{seeds:private.auc_wrong_labels:.2f}}),
# where the overfitted network had {{overfitted.auc_wrong_labels:.3f}}. The attack's advantage,
# {{private.advantage:.3f}}, stays far below what the promise allows. The bound is there for the attacks that nobody
# has tried yet. The price is accuracy: {{private.test_accuracy:.1%}}, against {{regularised.test_accuracy:.1%}} for
# the regularised network (which is also a different network).
#
# ## Federated learning: the data stay where they are
#
# Hospitals do not send records; phones do not send messages. **Federated averaging** ([McMahan et al.
# 2016](https://arxiv.org/abs/1602.05629)) sends the *model* out instead. In each round, some clients train it on
# their own data, and the server averages what comes back, weighted by the number of examples $n_k$:
#
# $$ w_{t+1} = \sum_k \frac{n_k}{n}\; w^{(k)}_{t+1} $$
#
# If every client takes *one* step with all its data, this is gradient descent on everything, exactly; the first cell
# checks it. With more local steps it needs fewer rounds, and nothing is exact any more.
#
# Clients whose data are drawn alike are called **IID** (independent and identically distributed). The hard case is
# **non-IID**, where clients differ: sort the digits by label, cut them into 200 parts, and give each of 100 clients
# two. Most clients then know two digits only.

# %% [markdown] lang="zh" of="1c471134" tags=["answer"]
# **答案。** 接近 0.5：实际是 {{private.auc_wrong_labels:.2f}}（三个种子：{{seeds:private.auc_wrong_labels:.2f}}），
# 而过拟合的网络是 {{overfitted.auc_wrong_labels:.3f}}。攻击的优势是 {{private.advantage:.3f}}，远低于承诺所允许的上限。
# 上限防的，是还没有人试过的攻击。代价是准确率：{{private.test_accuracy:.1%}}，正则化的网络是 {{regularised.test_accuracy:.1%}}（两者的网络结构也不同）。
#
# ## 联邦学习：数据留在原地
#
# 医院不交出病历，手机不交出短信。**联邦平均**（federated averaging，[McMahan 等，2016](https://arxiv.org/abs/1602.05629)）反过来，
# 把模型送出去。每一轮由若干客户端用自己的数据训练，服务器把送回来的模型按样本数 $n_k$ 加权平均：
#
# $$ w_{t+1} = \sum_k \frac{n_k}{n}\; w^{(k)}_{t+1} $$
#
# 如果每个客户端都只用自己的全部数据走一步，这恰好就是对所有数据做梯度下降，第一个单元来核对。本地多走几步，
# 轮数就少，但不再严格相等。
#
# 各客户端的数据来自同一分布，叫**独立同分布**（IID）；难的是**非独立同分布**（non-IID），即客户端彼此不同：
# 把样本按标签排好，切成 200 份，100 个客户端每人两份，多数客户端于是只认识两个数字。

# %%
def two_hidden():
    """McMahan et al.'s "2NN": 784-200-200-10."""
    inputs = keras.Input((28, 28, 1))
    hidden = layers.Dense(200, activation="relu")(layers.Dense(200, activation="relu")(layers.Flatten()(inputs)))
    return keras.Model(inputs, layers.Dense(10)(hidden))


keras.utils.set_random_seed(SEED)
shared = two_hidden()
start = shared.get_weights()
one_step = privacy.LocalTraining(shared, learning_rate=0.1, batch_size=20, epochs=1)
clients = np.arange(200).reshape(10, 20)
averaged = privacy.weighted_mean([one_step(start, x_train[rows], y_train[rows]) for rows in clients], [20] * 10)
everybody = privacy.LocalTraining(shared, learning_rate=0.1, batch_size=200, epochs=1)(start, x_train[:200], y_train[:200])
for name, position in (("first weights", 0), ("last weights", -2)):
    proofs.equal({f"average of 10 clients, {name}": averaged[position], "one step on everything": everybody[position]})
alike, unlike = privacy.split_evenly(y_train, 100), privacy.split_by_label(y_train, 100)
kinds = [np.mean([len(set(y_train[rows])) for rows in split]) for split in (alike, unlike)]
print(f"parameters · 参数: {shared.count_params():,}   few digits a client · 每客户端数字少:", kinds[1] < 3 < kinds[0])

# %% tags=["nbval-ignore-output"]
local = privacy.LocalTraining(shared, learning_rate=0.1, batch_size=10, epochs=choose(smoke=2, laptop=5, full=1))
rounds, curves, updates = choose(smoke=4, laptop=10, full=700), {}, {}
for name, split, band in [
    ("alike", alike, choose(smoke=(0.435, 0.817), laptop=(0.87, 0.897), full=(0.9, 1))),
    ("unlike", unlike, choose(smoke=(0.078, 0.688), laptop=(0.491, 0.959), full=(0.8, 1))),
]:
    weights, curves[name], chooser = start, [], np.random.default_rng(SEED)
    for number in range(rounds):
        chosen = chooser.choice(100, 10, replace=False)
        updates[name] = [local(weights, x_train[split[k]], y_train[split[k]], seed=100 * number + k) for k in chosen]
        weights = privacy.weighted_mean(updates[name], [len(split[k]) for k in chosen])
        shared.set_weights(weights)
        curves[name].append(training.accuracy(shared, x_test, y_test))
    results.record(f"federated_{name}.test_accuracy", curves[name][-1], band=band)
weights = start
for number in range(rounds):  # as many rounds, all by one client
    weights = local(weights, x_train[alike[0]], y_train[alike[0]], seed=number)
shared.set_weights(weights)
curves["one client alone"] = [training.accuracy(shared, x_test, y_test)] * rounds
results.record("one_client_alone.test_accuracy", curves["one client alone"][0], band=choose(smoke=(0.325, 0.532), laptop=(0.712, 0.741), full=(0.3, 1)))

# %%
figure, axis = plt.subplots(figsize=(6.6, 3.4))
for (name, curve), line, marker in zip(curves.items(), plots.LINES, plots.MARKERS, strict=False):
    axis.plot(range(1, rounds + 1), curve, linestyle=line, marker=marker if rounds < 50 else None, label=name)
axis.set(xlabel="round (10 of 100 clients each)", ylabel="test accuracy", ylim=(0, 1), title="Federated averaging")
axis.legend()
plots.show(
    figure,
    alt="Test accuracy by round: clients with all digits rise fast and smoothly; clients with two digits start low and lag far behind; "
    "one client alone is a level line below the first curve.",
    alt_zh="各轮的测试准确率：客户端拥有全部数字时，上升又快又稳；每个客户端只有两个数字时，起点低，远远落后；单个客户端独自训练是一条横线，低于第一条曲线。",
)

# %% [markdown] lang="en"
# Clients with all digits (`alike`) reach {{federated_alike.test_accuracy:.1%}} in ten rounds. Clients with two digits
# each (`unlike`) reach {{federated_unlike.test_accuracy:.1%}} (three seeds:
# {{seeds:federated_unlike.test_accuracy:.1%}}): in such a short run they need not even beat one single client who has
# all ten digits ({{one_client_alone.test_accuracy:.1%}}). *What* the clients hold matters more than how many they
# are.
#
# [McMahan et al. 2016](https://arxiv.org/abs/1602.05629) (table 1) needed 87 rounds to reach 97% with alike clients and 664 with two-digit clients.
#
# They used this network and all 60,000 digits, which is the full profile. Ten rounds on the laptop show the order,
# not the level.
#
# ## Secure aggregation: the server learns only the sum
#
# An update comes from a client's data, so it leaks as a model does. But the server needs the *average* only. In
# arithmetic modulo $2^{32}$ one can add without seeing:
#
# $$ \text{shares: } s = s_1 + s_2 + \dots + s_m \bmod 2^{32} \qquad
#    \text{masks: } u_k + \sum_{j > k} r_{kj} - \sum_{j < k} r_{jk} \bmod 2^{32} $$
#
# - **Shares.** All but one are uniform random numbers, and the last is what is missing. Any $m-1$ of them say
#   nothing.
# - **Pairwise masks** ([Bonawitz et al. 2017](https://doi.org/10.1145/3133956.3133982)). Each pair of clients agrees
#   on a random $r$ that one adds and the other subtracts; in the sum they cancel.
#
# Why both? If a client drops out after the masks were agreed, its masks no longer cancel. So in the real protocol
# each client deals out shares of the *seed* of its masks, and the others can reconstruct what is missing. We show the
# two parts, not the rescue.
#
# Why modulo? A real number plus a bounded random number still betrays its size; modulo $2^{32}$, a uniform mask
# leaves nothing. The weights are first rounded to whole multiples of $2^{-16}$.

# %% [markdown] lang="zh" of="c67c2636"
# 各有全部数字的客户端（alike）十轮后达到 {{federated_alike.test_accuracy:.1%}}。各有两个数字的客户端（unlike）只有 {{federated_unlike.test_accuracy:.1%}}（三个种子：
# {{seeds:federated_unlike.test_accuracy:.1%}}）。时间这么短，它们合起来未必赢得过单独一个十个数字都有的客户端（{{one_client_alone.test_accuracy:.1%}}）：
# 客户端手里有什么，比有多少个客户端更要紧。
#
# [McMahan 等，2016](https://arxiv.org/abs/1602.05629)（表 1）达到 97%，客户端相似时用了 87 轮，只有两个数字时用了 664 轮。
#
# 他们用的就是这个网络和全部 60,000 个样本，也就是 full 配置。laptop 上的十轮只能看出先后，看不出最终水平。
#
# ## 安全聚合：服务器只知道总和
#
# 更新来自客户端的数据，所以会像模型一样泄密。但服务器需要的只是平均。在模 $2^{32}$ 的算术里，可以只相加而不看见：
#
# $$ \text{份额：} s = s_1 + s_2 + \dots + s_m \bmod 2^{32} \qquad
#    \text{掩码：} u_k + \sum_{j > k} r_{kj} - \sum_{j < k} r_{jk} \bmod 2^{32} $$
#
# - **份额**（share）。除一份外都是均匀随机数，最后一份补足差额。任意 $m-1$ 份合起来，什么也看不出来。
# - **成对掩码**（[Bonawitz 等，2017](https://doi.org/10.1145/3133956.3133982)）。每两方约定一个随机数 $r$，
#   一方加，另一方减，求和时正好抵消。
#
# 为什么两样都要？如果掩码约定好之后有客户端掉线，它的掩码就抵消不掉了。所以真实的协议里，每个客户端都把自己掩码的随机种子拆成份额分给别人，
# 掉线后由别人把缺的补回来。这里只演示这两个部件，不演示掉线后的补救。
#
# 为什么要取模？实数加上一个有界的随机数，多少还是会暴露大小；模 $2^{32}$ 之后，均匀的掩码什么也不留下。
# 权重要先化为 $2^{-16}$ 的整数倍。

# %%
def looks_uniform(numbers):
    """Chi-squared over 64 equal ranges of uint32: 63 is expected, with a standard deviation of 11."""
    counts = np.bincount(numbers.ravel() >> 26, minlength=64)
    return bool(np.sum((counts - numbers.size / 64) ** 2) / (numbers.size / 64) < 63 + 5 * 11.2)


coins = np.random.default_rng(0)
secret = privacy.encode(np.full(50_000, -3.25))  # the same number, many times, to see its shares' distribution
first, second = (coins.integers(0, 2**32, size=secret.shape, dtype=np.uint32) for _ in range(2))
third = secret - first - second  # uint32 wraps around: this is arithmetic modulo 2^32
print("one secret · 秘密:", privacy.decode(secret[:1]), " its shares · 份额:", first[0], second[0], third[0])
print("secret, and each share, looks uniform · 看上去均匀:", looks_uniform(secret), *map(looks_uniform, (first, second, third)))
print("two shares together · 两份合起来:", *(looks_uniform(a + b) for a, b in ((first, second), (first, third), (second, third))))
print("all three give it back exactly · 三份合起来精确复原:", np.array_equal(first + second + third, secret))
small = np.full(50_000, -3.25) + coins.uniform(-1, 1, 50_000)  # a real mask of bounded size, not modulo anything
print("a real mask still tells: every masked number lies below 0 · 实数掩码仍会泄露:", bool(np.all(small < 0)))

# %%
flat = [np.concatenate([np.ravel(array) for array in update]) for update in updates["alike"]]  # 10 clients' weights
encoded = np.stack([privacy.encode(values, parties=10) for values in flat])
masked = encoded + privacy.pairwise_masks(10, flat[0].shape, seed=SEED)
average = privacy.decode(masked.sum(axis=0, dtype=np.uint32)) / 10
proofs.equal({"average of the masked": average, "average of the open": np.mean(flat, axis=0)}, tolerance=2**-16)
print("sum exact · 总和精确:", np.array_equal(masked.sum(axis=0, dtype=np.uint32), encoded.sum(axis=0, dtype=np.uint32)),
      "  one client's looks uniform · 单个客户端看上去均匀:", looks_uniform(masked[0]))
origin = np.concatenate([np.ravel(array) for array in start])
views = {"client 1, open": flat[0], "client 1, as sent": privacy.decode(masked[0]), "sum / 10, unmasked by adding": average}
learned = {title: (values - origin)[: 784 * 200].reshape(28, 28, 200) for title, values in views.items()}  # since the beginning
unit = np.abs(average - origin)[: 784 * 200].reshape(784, 200).sum(axis=0).argmax()  # the hidden unit that learned most
figure, axes = plt.subplots(1, 3, figsize=(8, 2.9))
for axis, (title, values) in zip(axes, learned.items(), strict=True):
    axis.imshow(values[..., unit], cmap="RdBu_r")
    axis.set_title(title, fontsize=10)
    axis.axis("off")
plots.show(figure, alt="What one hidden unit has learned, as images: a client's own, with strokes to be seen; the same as sent, pure noise; the average, with strokes again.",
           alt_zh="一个隐藏单元学到的权重变化画成图像：客户端自己的，看得出笔画；发送出去的，纯噪声；平均之后，又看得出笔画。")

# %% [markdown] lang="en" tags=["predict"]
# From each client the server got noise, and from all of them the average. One thing remains: the average itself is a
# model, and leaks as models do. Secure aggregation hides *who*, differential privacy limits *what*; they are used
# together.
#
# ## Adversarial examples: one step in the worst direction
#
# Training walks down the loss by changing weights. An attacker walks *up* by changing the image, a little in every
# pixel (**FGSM**, the fast gradient sign method, [Goodfellow et al. 2014](https://arxiv.org/abs/1412.6572)):
#
# $$ x' = x + \epsilon\, \mathrm{sign}\big(\nabla_x L(x, y)\big) $$
#
# Why the sign? For a *linear* score gap $w \cdot x$, the worst change of at most $\epsilon$ per pixel lowers it by
# exactly $\epsilon \lVert w \rVert_1$. That grows with the number of pixels, while random signs largely cancel. The
# first cell checks both. The defence, **adversarial training**, attacks each batch while learning. (This $\epsilon$
# is a size in pixel values and has nothing to do with the $\varepsilon$ of privacy.)
#
# **Predict:** a plain network, and pixels changed by at most 0.1. What is left of its accuracy if the signs are
# random? And if they come from the gradient?

# %% [markdown] lang="zh" of="d55edc26" tags=["predict"]
# 服务器从每一方得到的都是噪声，从全体得到的是平均。还剩一个问题：平均值本身就是一个模型，照样会像模型一样泄密。
# 安全聚合隐藏的是谁，差分隐私限制的是泄露多少；两者要一起用。
#
# ## 对抗样本：朝最坏的方向走一步
#
# 训练是改权重，让损失下降；攻击者反过来改图像，每个像素只改一点，让损失上升（快速梯度符号法，**FGSM**，
# [Goodfellow 等，2014](https://arxiv.org/abs/1412.6572)）：
#
# $$ x' = x + \epsilon\, \mathrm{sign}\big(\nabla_x L(x, y)\big) $$
#
# 为什么取符号？对线性的分数差 $w \cdot x$，每个像素至多改 $\epsilon$ 时，最坏的改法恰好让它下降 $\epsilon \lVert w \rVert_1$，
# 像素越多降得越多；随机的符号则大多互相抵消。第一个单元来核对这两点。防御办法是**对抗训练**（adversarial training）：
# 一边学，一边攻击每一批样本。（这里的 $\epsilon$ 是像素值的大小，与隐私里的 $\varepsilon$ 毫无关系。）
#
# **先猜：** 普通网络，每个像素至多改 0.1。符号随机时，准确率还剩多少？符号来自梯度时呢？

# %%
keras.utils.set_random_seed(0)
linear = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(2)])
grey = np.random.default_rng(0).uniform(0.3, 0.7, (5, 28, 28, 1)).astype("float32")  # far from 0 and 1: nothing is cut off
sides = np.array([0, 1, 0, 1, 1])


def gap(images):
    """Score of the right class minus score of the other: (5,)."""
    values = linear(images).numpy()
    return values[np.arange(5), sides] - values[np.arange(5), 1 - sides]


kernel = linear.layers[-1].kernel.numpy()  # (784, 2)
attacked = privacy.sign_attack(linear, grey, sides, 0.1)
proofs.equal({"fall of the gap": gap(grey) - gap(attacked), "ε ‖w‖₁": np.full(5, 0.1 * np.abs(kernel[:, 0] - kernel[:, 1]).sum())}, tolerance=1e-4)
coin_flips = grey + 0.1 * np.random.default_rng(1).choice([-1, 1], grey.shape).astype("float32")
print("random signs do a fifth at most · 随机符号至多五分之一:", bool(np.all(np.abs(gap(grey) - gap(coin_flips)) < 0.2 * (gap(grey) - gap(attacked)))))

# %%
keras.utils.set_random_seed(SEED)
learner, optimizer = perceptron(), keras.optimizers.Adam(0.001)
optimizer.build(learner.trainable_variables)
fresh = [variable.numpy() for variable in learner.weights + optimizer.variables]


@tf.function
def step_on(images, labels, size):
    """Half of the loss on the images, half on the same images attacked with this size (0: none)."""
    with tf.GradientTape() as tape:
        batches = images, privacy.sign_attack(learner, images, labels, size)
        loss = sum(cross_entropy(labels, learner(batch, training=True)) for batch in batches) / 2
    optimizer.apply(tape.gradient(loss, learner.trainable_variables), learner.trainable_variables)


def learn(labels, size, epochs):
    """A network trained from the start on these labels, as an independent copy."""
    for variable, value in zip(learner.weights + optimizer.variables, fresh, strict=True):
        variable.assign(value)
    for epoch in range(epochs):
        for rows in np.random.default_rng(epoch).permutation(count).reshape(-1, 50):
            step_on(x_train[rows], labels[rows], tf.constant(size))
    copy = perceptron()
    copy.set_weights(learner.get_weights())
    return copy

# %% tags=["hero", "nbval-ignore-output"]
plain, hardened = learn(y_train, 0.0, choose(smoke=2, laptop=4, full=8)), learn(y_train, 0.1, choose(smoke=2, laptop=6, full=8))
victims, right = (array[: choose(smoke=500, laptop=2_000, full=10_000)] for array in (x_test, y_test))
signs = np.random.default_rng(SEED).choice([-1, 1], victims.shape).astype("float32")
sizes = [0.0, 0.05, 0.1, 0.15, 0.2, 0.25]
attacks = {
    "plain, random signs": (plain, lambda size: np.clip(victims + size * signs, 0, 1)),
    "plain, FGSM": (plain, lambda size: privacy.sign_attack(plain, victims, right, size)),
    "hardened, FGSM": (hardened, lambda size: privacy.sign_attack(hardened, victims, right, size)),
}
found = {name: [training.accuracy(model, change(size), right) for size in sizes] for name, (model, change) in attacks.items()}
bands = choose(smoke=[(0.818, 0.918), (0.074, 0.224), (0.482, 0.526)],
    laptop=[(0.882, 0.912), (0.053, 0.082), (0.727, 0.868)], full=[None] * 3)
for (name, curve), band in zip(found.items(), bands, strict=True):
    results.record(f"{name.lower().replace(', ', '_').replace(' ', '_')}.accuracy_at_0_1", curve[2], band=band)
figure, axes = plt.subplots(1, 4, figsize=(10.4, 3), width_ratios=[2.2, 1, 1, 1])
for (name, curve), line, marker in zip(found.items(), plots.LINES, plots.MARKERS, strict=False):
    axes[0].plot(sizes, curve, linestyle=line, marker=marker, label=name)
axes[0].set(xlabel="largest change of a pixel (white = 1)", ylabel="test accuracy", ylim=(0, 1))
axes[0].legend(fontsize=8)
for axis, size in zip(axes[1:], (0.0, 0.1, 0.2), strict=True):
    axis.imshow(privacy.sign_attack(plain, victims[:1], right[:1], size)[0, ..., 0], vmin=0, vmax=1)
    axis.set_title(f"size {size}", fontsize=10)
    axis.axis("off")
plots.show(figure, alt="Accuracy against the size of the change: the plain network collapses under FGSM, loses far less to random signs; the hardened one falls more slowly. Beside it a 7 under growing attack.",
           alt_zh="准确率随改动大小的变化：普通网络在 FGSM 下崩溃，随机符号造成的损失小得多；加固后的网络降得慢一些。旁边是受到越来越强攻击的数字 7。")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** With random signs {{plain_random_signs.accuracy_at_0_1:.1%}}, with the gradient's signs
# {{plain_fgsm.accuracy_at_0_1:.1%}}: what matters is the direction. The hardened network keeps
# {{hardened_fgsm.accuracy_at_0_1:.1%}}.
#
# Two cautions. The hardened network also trained for longer (six epochs, the plain one four), so the curves do not
# tell what hardening costs on clean images. And it was tested with the same attack that it was trained on. Stronger
# attacks of several steps exist ([Madry et al. 2017](https://arxiv.org/abs/1706.06083)); only a proof, or the
# strongest known attack, says what holds. We have not run those.

# %% [markdown] lang="zh" of="d255efb4" tags=["answer"]
# **答案。** 随机符号时还有 {{plain_random_signs.accuracy_at_0_1:.1%}}，梯度的符号就只剩 {{plain_fgsm.accuracy_at_0_1:.1%}}：
# 关键在于方向。加固后的网络（hardened）还有 {{hardened_fgsm.accuracy_at_0_1:.1%}}。
#
# 有两点要小心。加固的网络训练得也更久（六轮，普通网络四轮），所以从这几条曲线看不出，加固在干净图像上要付出多少代价。
# 而且测试用的攻击，正是它训练时见过的那一种。还有走好几步的更强攻击（[Madry 等，2017](https://arxiv.org/abs/1706.06083)）；
# 究竟守不守得住，要靠证明，或者用已知最强的攻击来试，这里没有做。

# %% [markdown] lang="en" tags=["predict"]
# ## Poisoning: a few labels
#
# An attacker who can write into the training data needs no gradient. Turn a share of the sevens' *labels* into ones,
# and train as usual.
#
# **Predict:** at which share does the overall accuracy raise an alarm? And the accuracy on the sevens?

# %% [markdown] lang="zh" of="f04a4c61" tags=["predict"]
# ## 投毒：改几个标签
#
# 能往训练数据里写东西的攻击者，连梯度都不需要。把一部分 7 的标签改成 1，照常训练。
#
# **先猜：** 改到多大比例，总准确率才会报警？7 的准确率呢？

# %% tags=["nbval-ignore-output"]
poisoned_shares = choose(smoke=[0.0, 0.5], laptop=[0.0, 0.1, 0.3, 0.5, 0.7], full=[0.0, 0.1, 0.3, 0.5, 0.7])
overall, sevens, rest = [], [], []
for share in poisoned_shares:
    labels, _ = privacy.flip_labels(y_train, source=7, target=1, share=share, seed=SEED)
    poisoned = learn(labels, 0.0, choose(smoke=2, laptop=3, full=5))
    overall.append(training.accuracy(poisoned, x_test, y_test))
    sevens.append(training.accuracy(poisoned, x_test[y_test == 7], y_test[y_test == 7]))
    rest.append(training.accuracy(poisoned, x_test[y_test != 7], y_test[y_test != 7]))
half_poisoned = poisoned_shares.index(0.5)
for name, values, band in [("overall", overall, choose(smoke=(0.682, 0.967), laptop=(0.726, 1), full=None)),
                           ("sevens", sevens, None),
                           ("other_digits", rest, choose(smoke=(0.842, 0.89), laptop=(0.905, 0.933), full=None))]:
    results.record(f"half_poisoned.accuracy_{name}", values[half_poisoned], band=band)
figure, axis = plt.subplots(figsize=(6, 3.2))
for (name, values), line, marker in zip({"all digits": overall, "sevens": sevens, "other digits": rest}.items(), plots.LINES, plots.MARKERS, strict=False):
    axis.plot([100 * share for share in poisoned_shares], values, linestyle=line, marker=marker, label=name)
axis.set(xlabel='sevens labelled "1" (%)', ylabel="test accuracy", ylim=(0, 1), title="Label poisoning")
axis.legend()
plots.show(figure, alt="Accuracy against the share of poisoned sevens: sevens collapse at the half or beyond it, other digits are untouched, all digits together sink by several points.",
           alt_zh="准确率随 7 中毒比例的变化：7 的识别在一半或更高处崩溃，其他数字不受影响，总准确率下降几个百分点。")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Up to about a third of the labels, the overall accuracy hardly moves, while the sevens are already
# getting worse. Where the sevens collapse, the mean falls by several points, but it does not say who is hit: the
# other digits are classified as before ({{half_poisoned.accuracy_other_digits:.1%}}). With half of the sevens
# mislabelled, right and wrong labels tie, and the result depends on the seed: {{half_poisoned.accuracy_sevens:.0%}}
# here, {{seeds:half_poisoned.accuracy_sevens:.0%}} with three seeds. If you watch one number per model, you do not
# see this. Watch every class.
#
# ## Clinic: "distillation protects privacy"
#
# The argument goes: the student sees only the teacher's answers, never the data, so the data are safe. We test it on
# the overfitted teacher of the beginning, with the same attack. One student is distilled on the members' images, the
# other on public images that nobody labelled.
#
# Then comes **PATE** ([Papernot et al. 2016](https://arxiv.org/abs/1610.05755)), which does give a promise. Many
# teachers, each on its own part of the data, *vote* on public images; noise is added to the counts; the student
# learns the noisy winner and nothing else. One example can change one teacher's vote, that is, two counts by 1 each.
# So a query is a Gaussian mechanism whose result can move by at most $\sqrt 2$ (its *sensitivity*), and $k$ queries
# cost as much as one whose noise is smaller by the factor $1/\sqrt k$. (We use the Gaussian vote of [Papernot et al.
# 2018](https://arxiv.org/abs/1802.08908).)

# %% [markdown] lang="zh" of="428869fd" tags=["answer"]
# **答案。** 改到三分之一左右，总准确率几乎不动，而 7 已经认得越来越差。等到 7 垮掉，总准确率会掉几个百分点，
# 但它说不出是谁受了害：别的数字照认不误（{{half_poisoned.accuracy_other_digits:.1%}}）。一半的 7 标错时，
# 对的和错的势均力敌，结果全看种子：这里是 {{half_poisoned.accuracy_sevens:.0%}}，三个种子从 {{seeds:half_poisoned.accuracy_sevens:.0%}}。
# 每个模型只看一个总分的人，是看不见这件事的；要逐类地看。
#
# ## 公式门诊：“蒸馏能保护隐私”
#
# 理由是这样的：学生只看到老师的答案，从来没有见过数据，所以数据是安全的。就拿开头那个过拟合的老师，用同样的攻击来检验。
# 一个学生在成员的图像上蒸馏，另一个在没有标签的公开图像上蒸馏。
#
# 再看 **PATE**（[Papernot 等，2016](https://arxiv.org/abs/1610.05755)），它真的给出承诺：许多老师，每人只用自己那一份数据，
# 对公开图像投票；给票数加噪声；学生只学加噪之后的赢家，别的一概不知。一个样本至多改变一位老师的一票，即两个票数各变 1。
# 所以一次提问就是一次高斯机制，结果至多变动 $\sqrt 2$（称为**灵敏度**，sensitivity）；$k$ 次提问，相当于噪声缩小到 $1/\sqrt k$ 的一次。
# （这里用的是 [Papernot 等，2018](https://arxiv.org/abs/1802.08908) 的高斯投票。）

# %% tags=["nbval-ignore-output"]
keras.utils.set_random_seed(SEED)
with strategy.scope():
    student = compiled(perceptron(), lambda truth, values: 9 * keras.losses.categorical_crossentropy(truth, values / 3, from_logits=True))
    student.optimizer.build(student.trainable_variables)
student_start = [variable.numpy() for variable in student.weights + student.optimizer.variables]
student_bands = {  # test accuracy, then the attack's four numbers
    "distilled_on_members": choose(
        smoke=[(0.774, 0.839), (0.586, 0.746), (0.232, 0.364), (0, 0.033), (0.906, 1)],
        laptop=[(0.811, 0.902), (0.611, 0.676), (0.256, 0.285), (0, 0.022), (0.978, 1)],
        full=[(0.5, 1)] + [None] * 4,
    ),
    "distilled_on_public": choose(
        smoke=[(0.752, 0.853), (0.526, 0.637), (0.09, 0.184), (0, 0.027), (0.725, 0.964)],
        laptop=[(0.843, 0.888), (0.529, 0.573), (0.02, 0.145), (0, 0.021), (0.796, 0.877)],
        full=[(0.5, 1)] + [None] * 4,
    ),
}
for name, rows in [("distilled_on_members", members), ("distilled_on_public", public)]:
    for variable, value in zip(student.weights + student.optimizer.variables, student_start, strict=True):
        variable.assign(value)
    soft = np.concatenate([keras.ops.softmax(networks["overfitted"](part) / 3) for part in np.array_split(x_train[rows], 10)])
    training.fit(student, x_train[rows], soft, name=name, epochs=choose(smoke=20, laptop=40, full=60), batch_size=64)
    results.record(f"{name}.test_accuracy", training.accuracy(student, x_test, y_test), band=student_bands[name][0])
    attack(name, -losses_of(student, x_train[: 2 * half], told), student_bands[name][1:])

# %% tags=["nbval-ignore-output"]
teachers, noise, queries = choose(smoke=(20, 4.0, 60), laptop=(100, 28.0, 200), full=(100, 28.0, 200))
parts = x_train[members].reshape(teachers, -1, 784)  # disjoint: an example is in one teacher only
truths = np.eye(10, dtype="float32")[told[members]].reshape(teachers, -1, 10)
weights = np.zeros((teachers, 784, 10), dtype="float32")
for _ in range(100):  # all teachers at once, each a linear reader, by gradient descent
    guesses = keras.ops.convert_to_numpy(keras.ops.softmax(parts @ weights))  # (teachers, examples, 10)
    weights -= 0.3 / parts.shape[1] * np.swapaxes(parts, 1, 2) @ (guesses - truths)
asked = x_train[public][:queries]
votes = (asked.reshape(-1, 784) @ weights).argmax(axis=2)  # (teachers, queries)
counts = (votes[:, :, None] == np.arange(10)).sum(axis=0)  # (queries, 10)
answers = (counts + noise * np.random.default_rng(SEED).standard_normal(counts.shape)).argmax(axis=1)
print(f"ε = {privacy.gaussian_epsilon(noise / np.sqrt(2) / np.sqrt(queries)):.2f} at δ = 1e-5 for {queries} questions · 次提问")
results.record("pate.answers_right", np.mean(answers == y_train[public][:queries]), band=choose(smoke=(0.633, 0.8), laptop=(0.45, 0.725), full=None))

# %% tags=["nbval-ignore-output"]
keras.utils.set_random_seed(SEED)
with strategy.scope():
    pupil = compiled(perceptron(dropout=0.5))
training.fit(pupil, asked, answers, name="pupil", epochs=choose(smoke=20, laptop=40, full=40), batch_size=32)
results.record("pate.test_accuracy", training.accuracy(pupil, x_test, y_test), band=choose(smoke=(0.394, 0.739), laptop=(0.384, 0.756), full=(0.3, 1)))
attack("pate", -losses_of(pupil, x_train[: 2 * half], told), choose(
    smoke=[(0.507, 0.555), (0.043, 0.1), (0, 0.067), (0.405, 0.661)],
    laptop=[(0.469, 0.539), (0, 0.073), (0, 0.021), (0.455, 0.541)], full=[None] * 4))

# %% [markdown] lang="en"
# **Diagnosis.** The student on the members' images inherits what the teacher memorised: among the wrong labels the
# AUC is {{distilled_on_members.auc_wrong_labels:.2f}}. The student on public images has never met a member, nor
# anybody's label, and gives away less, but still {{distilled_on_public.auc_wrong_labels:.2f}}: what the teacher
# memorised bends its answers nearby as well. Nothing in plain distillation limits how much comes through.
#
# PATE's student has an AUC of {{pate.auc_wrong_labels:.2f}} there, and an $\varepsilon$. It pays with accuracy:
# {{pate.test_accuracy:.1%}}, since only {{pate.answers_right:.0%}} of the noisy answers were right. The price falls
# with the number of teachers.
#
# [Papernot et al. 2016](https://arxiv.org/abs/1610.05755) report 98.0% at $\varepsilon = 2.04$, with 250 teachers on all of MNIST.
#
# ### Words that are mixed up, and two more tools
#
# Three words sound alike and mean different things. Clipping *weights* cuts each large one down to a limit (chapter
# 8a). Clipping a *gradient*, as DP-SGD does, bounds its norm and keeps its direction. **Pruning** sets small weights
# to 0 and bounds nothing. The cell below shows the last two.
#
# **Data masking** replaces names and numbers by tokens. **Encrypted computation** (homomorphic encryption, or the
# secure sums above) computes without seeing. What does each protect? The cell tries all birthdays on a hashed one,
# and asks the model that was averaged under masks the same questions as the model averaged in the open.

# %% [markdown] lang="zh" of="cfb3ca88"
# **诊断。** 在成员图像上蒸馏的学生，继承了老师记住的东西：错误标签中的 AUC 是 {{distilled_on_members.auc_wrong_labels:.2f}}。
# 在公开图像上蒸馏的学生，从没见过任何成员，也没见过任何人的标签，泄露是少了，却还有 {{distilled_on_public.auc_wrong_labels:.2f}}：
# 老师死记的东西，把它在附近图像上的答案也带偏了。普通蒸馏对泄露没有任何限制。
#
# PATE 的学生在这里的 AUC 是 {{pate.auc_wrong_labels:.2f}}，而且带有 $\varepsilon$。它付出的是准确率：{{pate.test_accuracy:.1%}}，
# 因为加噪之后的答案只有 {{pate.answers_right:.0%}} 是对的。老师越多，代价越小。
#
# [Papernot 等，2016](https://arxiv.org/abs/1610.05755) 在整个 MNIST 上用 250 位老师，$\varepsilon = 2.04$ 时报告 98.0%。
#
# ### 两个词，两种被混为一谈的工具
#
# 有的中文资料把 differential privacy 误作“微距私有性”，可“微距”是摄影术语，正确的译法是**差分隐私**。
# 还有把“剪枝”（pruning）误作“权重裁剪”的。这是三件事：裁剪权重，是把每个大的权重压到上限（第 8a 章）；
# 裁剪梯度，如 DP-SGD 所做，是限制范数、保留方向；剪枝则把小的权重置 0，什么也不限制。下面演示后两种。
#
# **数据脱敏**（data masking）把姓名、号码换成代号。**加密计算**（encrypted computation，如同态加密，或者上面的安全求和）不看数据也能计算。
# 它们各自保护什么？下面对一个哈希过的生日，把所有生日试一遍；再拿在掩码下平均出来的模型，与公开平均的模型，
# 问同样的问题。

# %%
slope = np.array([3.0, -4.0, 0.3])
clipped, pruned = slope * min(1, 1 / np.linalg.norm(slope)), np.where(np.abs(slope) < 1, 0, slope)
print("clipped to norm 1 · 裁剪:", clipped.round(2), " pruned below 1 · 剪枝:", pruned, " norms · 范数:", np.linalg.norm(clipped).round(2), np.linalg.norm(pruned).round(2))

token = hashlib.sha256(b"1984-06-17").hexdigest()  # "masked": nobody can invert SHA-256 …
days = np.arange(np.datetime64("1920-01-01"), np.datetime64("2021-01-01"))
tried = next(number for number, day in enumerate(days, 1) if hashlib.sha256(str(day).encode()).hexdigest() == token)
print(f"… but there are only {len(days):,} birthdays · 生日总共只有这么多: found {days[tried - 1]} at try · 第 {tried:,} 次试出")


asked = alike[chosen].ravel()[:200]  # digits of the last round's clients: members; test digits: others
pictures, names = np.concatenate([x_train[asked], x_test[:200]]), np.concatenate([y_train[asked], y_test[:200]])


def with_flat(values):
    """Minus the losses of the shared model with weights from one long array: 200 members, then 200 others."""
    ends = np.cumsum([array.size for array in start])[:-1]
    shared.set_weights([part.reshape(array.shape) for part, array in zip(np.split(values, ends), start, strict=True)])
    return -losses_of(shared, pictures, names)


open_scores, masked_scores = with_flat(np.mean(flat, axis=0)), with_flat(average)
proofs.equal({"model averaged in the open": open_scores, "model averaged under masks": masked_scores}, tolerance=1e-2)
print("an attack sees no difference · 攻击看不出区别:", abs(privacy.area_under_roc(open_scores[:200], open_scores[200:]) - privacy.area_under_roc(masked_scores[:200], masked_scores[200:])) < 0.01)

# %% [markdown] lang="en"
# **Diagnosis.** The hash falls to anybody who can try all birthdays. And the model averaged under masks gives the
# same losses as the one averaged in the open, so every attack sees the same thing. (Whether the attack *succeeds* on
# this model is a different question, which the cell does not answer.)
#
# | tool | protects | does not protect |
# |---|---|---|
# | masking, pseudonyms | against a glance at the table | against anybody who can try all values, or join two tables ([Narayanan and Shmatikov 2008](https://doi.org/10.1109/SP.2008.33)) |
# | encryption in storage and in transit | against thieves of disks, and eavesdroppers | anything once it is decrypted for use |
# | encrypted computation, secure aggregation | inputs, from the party that computes | the result: it is the same result, and leaks the same |
# | federated learning | raw data, which stay at home | what updates and model tell of the data |
# | plain distillation | nothing that is promised | what the teacher memorised |
# | differential privacy | each single example, against any attack on the result | facts about the whole group; and a large $\varepsilon$ promises little |
#
# They answer different questions, so a system needs several of them. Only the last one is a statement about what the
# *result* tells.

# %% [markdown] lang="zh" of="2d03fe0c"
# **诊断。** 哈希挡不住把所有生日试一遍的人。在掩码下平均出来的模型，损失与公开平均的完全一样，所以任何攻击看到的也一样。
# （至于攻击在这个模型上能不能得手，那是另一个问题，这个单元没有回答。）
#
# | 工具 | 保护 | 不保护 |
# |---|---|---|
# | 脱敏、假名 | 不让人一眼看出是谁 | 防不住把所有取值试一遍的人，也防不住把两张表拼起来的人（[Narayanan 与 Shmatikov，2008](https://doi.org/10.1109/SP.2008.33)） |
# | 存储与传输加密 | 防偷硬盘、窃听线路 | 一旦解密使用，就不再保护 |
# | 加密计算、安全聚合 | 输入不让计算的一方看到 | 结果：结果是同一个，泄露的也一样多 |
# | 联邦学习 | 原始数据留在本地 | 更新和模型仍会透露数据 |
# | 普通蒸馏 | 没有任何承诺 | 老师记住的东西 |
# | 差分隐私 | 每一个样本，防住对结果的任何攻击 | 关于整个群体的事实；$\varepsilon$ 太大，承诺就所剩无几 |
#
# 它们回答的是不同的问题，所以一个系统往往需要好几样。其中只有最后一样，说的是结果会透露多少。

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - Membership: the overfitted network's AUC is {{overfitted.auc:.2f}} over all examples and
#   {{overfitted.auc_wrong_labels:.3f}} among the wrong labels. The mean hides those who stand out.
# - Differential privacy at $\varepsilon$ about 2 brings the latter down to {{private.auc_wrong_labels:.2f}}. On
#   10,000 digits, accuracy is {{private_epsilon_half.test_accuracy:.1%}}, {{private_epsilon_2.test_accuracy:.1%}} and
#   {{private_epsilon_8.test_accuracy:.1%}} at $\varepsilon$ = 0.5, 2 and 8, and {{private_plain.test_accuracy:.1%}}
#   without.
# - Federated averaging, ten rounds: {{federated_alike.test_accuracy:.1%}} with alike clients,
#   {{federated_unlike.test_accuracy:.1%}} with unlike ones; under masks, the same average exactly.
# - Pixels changed by a tenth: {{plain_random_signs.accuracy_at_0_1:.1%}} right with random signs,
#   {{plain_fgsm.accuracy_at_0_1:.1%}} with FGSM, {{hardened_fgsm.accuracy_at_0_1:.1%}} after adversarial training
#   (same attack).
# - Distillation on public images still gives away wrong labels (AUC {{distilled_on_public.auc_wrong_labels:.2f}});
#   PATE does not ({{pate.auc_wrong_labels:.2f}}), at {{pate.test_accuracy:.1%}} accuracy.
#
# | | formula |
# |---|---|
# | advantage of an attack | $\max_t (\mathrm{TPR}(t) - \mathrm{FPR}(t))$ |
# | differential privacy | $P[M(D) \in R] \le e^{\varepsilon} P[M(D') \in R] + \delta$ |
# | what it allows | $\mathrm{TPR} \le e^\varepsilon\,\mathrm{FPR} + \delta$ |
# | DP-SGD | $\bar g_i = g_i \min(1, C / \lVert g_i \rVert)$, plus noise $\mathcal{N}(0, \sigma^2 C^2 I)$ |
# | federated averaging | $w_{t+1} = \sum_k \frac{n_k}{n} w^{(k)}_{t+1}$ |
# | FGSM | $x' = x + \epsilon\, \mathrm{sign}(\nabla_x L)$ |

# %% [markdown] lang="zh" of="6d1bbd9c" tags=["summary"]
# ## 你测到了什么
#
# - 成员推断：过拟合网络的 AUC，对全部样本是 {{overfitted.auc:.2f}}，在错误标签中是 {{overfitted.auc_wrong_labels:.3f}}。
#   平均数掩盖了与众不同的人。
# - $\varepsilon$ 约为 2 的差分隐私把后者降到 {{private.auc_wrong_labels:.2f}}。用 10,000 个样本，$\varepsilon$ = 0.5、2、8 时准确率是 {{private_epsilon_half.test_accuracy:.1%}}、{{private_epsilon_2.test_accuracy:.1%}}、{{private_epsilon_8.test_accuracy:.1%}}，
#   不加保护是 {{private_plain.test_accuracy:.1%}}。
# - 联邦平均十轮：客户端相似时 {{federated_alike.test_accuracy:.1%}}，不同时 {{federated_unlike.test_accuracy:.1%}}；
#   加了掩码，平均值一点不差。
# - 每个像素至多改十分之一：随机符号时准确率 {{plain_random_signs.accuracy_at_0_1:.1%}}，FGSM 时 {{plain_fgsm.accuracy_at_0_1:.1%}}，
#   对抗训练之后（同一种攻击）{{hardened_fgsm.accuracy_at_0_1:.1%}}。
# - 在公开图像上蒸馏，仍会泄露错误标签（AUC 是 {{distilled_on_public.auc_wrong_labels:.2f}}）；PATE 不会（{{pate.auc_wrong_labels:.2f}}），
#   准确率是 {{pate.test_accuracy:.1%}}。
#
# | | 公式 |
# |---|---|
# | 攻击的优势 | $\max_t (\mathrm{TPR}(t) - \mathrm{FPR}(t))$ |
# | 差分隐私 | $P[M(D) \in R] \le e^{\varepsilon} P[M(D') \in R] + \delta$ |
# | 它所允许的 | $\mathrm{TPR} \le e^\varepsilon\,\mathrm{FPR} + \delta$ |
# | DP-SGD | $\bar g_i = g_i \min(1, C / \lVert g_i \rVert)$，再加噪声 $\mathcal{N}(0, \sigma^2 C^2 I)$ |
# | 联邦平均 | $w_{t+1} = \sum_k \frac{n_k}{n} w^{(k)}_{t+1}$ |
# | FGSM | $x' = x + \epsilon\, \mathrm{sign}(\nabla_x L)$ |

# %% [markdown] lang="en"
# ### Exercise 1 · easy — clip every example
#
# Write `clip_gradients(gradients, clip)`. `gradients` is an array (examples, weights). Scale each row whose norm
# exceeds `clip` down to that norm, and leave the others as they are.

# %% [markdown] lang="zh" of="a34106ce"
# ### 练习 1 · 易 —— 逐个样本裁剪
#
# 写出 `clip_gradients(gradients, clip)`：`gradients` 是形状为（样本，权重）的数组；范数超过 `clip` 的行按比例缩小到这个范数，
# 其余的行不变。

# %% tags=["exercise"]
def clip_gradients(gradients, clip):
    """Rows of norm at most `clip`, with their directions kept."""
    ### BEGIN SOLUTION
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    return gradients * np.minimum(1, clip / np.maximum(norms, 1e-12))
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08d.clip_gradients", clip_gradients)

# %% [markdown] lang="en" tags=["hint"]
# One norm per row (`axis=1`, `keepdims=True`), and one factor per row, never above 1. `np.clip` works on single
# numbers and would change the direction.

# %% [markdown] lang="zh" of="4728cf72" tags=["hint"]
# 每行一个范数（`axis=1`，`keepdims=True`），每行一个系数，系数不超过 1。`np.clip` 是对单个数截断，会改变方向。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — share a secret
#
# Write `make_shares(secret, parties, modulus, random)` for one whole number. Return a list of `parties` whole numbers
# from 0 to `modulus - 1` that add up to `secret` modulo `modulus`, such that no `parties - 1` of them tell anything.
# `random.integers(low, high)` draws from `low` to `high - 1`.

# %% [markdown] lang="zh" of="8c143b82"
# ### 练习 2 · 中 —— 分享一个秘密
#
# 对一个整数写出 `make_shares(secret, parties, modulus, random)`：返回 `parties` 个整数组成的列表，每个在 0 到 `modulus - 1` 之间，
# 总和模 `modulus` 等于 `secret`，而且任意 `parties - 1` 个都不透露任何信息。`random.integers(low, high)` 从 `low` 到 `high - 1` 中抽取。

# %% tags=["exercise"]
def make_shares(secret, parties, modulus, random):
    """Additive shares of a whole number."""
    ### BEGIN SOLUTION
    shares = [int(random.integers(0, modulus)) for _ in range(parties - 1)]
    return [*shares, (secret - sum(shares)) % modulus]
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08d.make_shares", make_shares)

# %% [markdown] lang="en" tags=["hint"]
# Draw all but one from the *whole* range. The last one is what is missing, brought back into the range with `%`.

# %% [markdown] lang="zh" of="14c2c9ba" tags=["hint"]
# 除一份以外，都从整个范围里抽取。最后一份补足差额，再用 `%` 收回范围之内。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — a private question
#
# This is the oldest private mechanism ([Warner 1965](https://doi.org/10.1080/01621459.1965.10480775)). Asked a
# delicate yes-or-no question, everybody tells the truth with probability `truth` (above one half), and the opposite
# otherwise. Write `randomised_response(truth, yes_share)`. Return `(epsilon, estimate)`: the smallest $\varepsilon$
# that the mechanism has (with $\delta = 0$), and the unbiased estimate of the true share of yes, when a share
# `yes_share` of the answers was yes.

# %% [markdown] lang="zh" of="369ebc75"
# ### 练习 3 · 难 —— 一个敏感的问题
#
# 最古老的隐私机制（随机化回答，[Warner，1965](https://doi.org/10.1080/01621459.1965.10480775)）：面对一个敏感的是非题，
# 每个人以概率 `truth`（大于二分之一）说真话，否则说反话。写出 `randomised_response(truth, yes_share)`，
# 返回 `(epsilon, estimate)`：这个机制的最小 $\varepsilon$（$\delta = 0$），以及当回答“是”的比例为 `yes_share` 时，
# 对真实比例的无偏估计。

# %% tags=["exercise"]
def randomised_response(truth, yes_share):
    """Privacy and estimate of Warner's mechanism."""
    ### BEGIN SOLUTION
    epsilon = np.log(truth / (1 - truth))
    return epsilon, (yes_share - (1 - truth)) / (2 * truth - 1)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08d.randomised_response", randomised_response)

# %% [markdown] lang="en" tags=["hint"]
# Write down the probability of the answer "yes" for somebody whose truth is yes, and for somebody whose truth is no.
# Epsilon is the logarithm of their largest ratio. For the estimate: if the true share is $s$, which share of yes do
# you expect? Solve for $s$.

# %% [markdown] lang="zh" of="a24b4420" tags=["hint"]
# 分别写出真相为“是”和真相为“否”的人回答“是”的概率，epsilon 就是两者最大比值的对数。再看估计：如果真实比例是 $s$，
# 预计有多大比例回答“是”？从中解出 $s$。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("08d")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# The 2020 census of the United States was published under differential privacy ([Abowd et al.
# 2022](https://doi.org/10.1162/99608f92.529e3cb9)). Phone keyboards learn their next-word models by federated
# learning ([Hard et al. 2018](https://arxiv.org/abs/1811.03604)). Large language models give back training text word
# for word when asked the right way ([Carlini et al. 2020](https://arxiv.org/abs/2012.07805)). And the mark of chapter
# 8c, which tells a network the class, becomes a *back door* if an attacker plants it.
#
# - Abadi et al. 2016, [*Deep learning with differential privacy*](https://arxiv.org/abs/1607.00133).
# - McMahan et al. 2016, [*Communication-efficient learning of deep networks from decentralized
#   data*](https://arxiv.org/abs/1602.05629).
# - Dwork and Roth 2014, [*The algorithmic foundations of differential privacy*](https://doi.org/10.1561/0400000042),
#   the textbook.
# - Goodfellow et al. 2014, [*Explaining and harnessing adversarial examples*](https://arxiv.org/abs/1412.6572).
# - For your own projects, use a maintained library: TensorFlow Privacy or Opacus for DP-SGD, Flower for federated
#   learning, the Adversarial Robustness Toolbox or Foolbox for attacks on images.
#
# **What the full profile changes.** All 60,000 digits: the private runs have the published amount of data (with a
# different network and accountant than the paper), and federated learning runs 700 rounds of one local epoch, as
# published. In the stored full run (one seed, `notebooks/results/full-08d.json`) the private accuracies are
# {{full:private_epsilon_half.test_accuracy:.1%}}, {{full:private_epsilon_2.test_accuracy:.1%}} and
# {{full:private_epsilon_8.test_accuracy:.1%}} at $\varepsilon$ = 0.5, 2 and 8: a little below the published number at
# 0.5, a little above it at 2 and 8. The unlike clients, given their 700 rounds, reach
# {{full:federated_unlike.test_accuracy:.1%}}, within half a point of the alike ones
# ({{full:federated_alike.test_accuracy:.1%}}); both pass the level that the paper ran for. The experiment on members
# keeps the size it has here, since with more data there would be less to leak.
#
# Next: chapter 9 trains on many devices.

# %% [markdown] lang="zh" of="80106fc2"
# ## 应用与延伸阅读
#
# 美国 2020 年人口普查的数据是在差分隐私下发布的（[Abowd 等，2022](https://doi.org/10.1162/99608f92.529e3cb9)）。
# 手机输入法用联邦学习训练下一词预测（[Hard 等，2018](https://arxiv.org/abs/1811.03604)）。大语言模型只要问法对路，
# 就会逐字吐出训练文本（[Carlini 等，2020](https://arxiv.org/abs/2012.07805)）。第 8c 章里泄露类别的那个标记，
# 如果是攻击者埋下的，就成了**后门**（back door）。
#
# - Abadi 等，2016，[Deep learning with differential privacy](https://arxiv.org/abs/1607.00133)。
# - McMahan 等，2016，[Communication-efficient learning of deep networks from decentralized data](https://arxiv.org/abs/1602.05629)。
# - Dwork 与 Roth，2014，[The algorithmic foundations of differential privacy](https://doi.org/10.1561/0400000042)，
#   这是教科书。
# - Goodfellow 等，2014，[Explaining and harnessing adversarial examples](https://arxiv.org/abs/1412.6572)。
# - 自己做项目，请用有人维护的库：DP-SGD 用 TensorFlow Privacy 或 Opacus，联邦学习用 Flower，攻击图像用 Adversarial Robustness Toolbox 或 Foolbox。
#
# **换成 full 配置会怎样。** 用全部 60,000 个样本：隐私训练的数据量与论文相同（网络和核算器与论文不同），
# 联邦学习按论文的设置跑 700 轮、每次在本地训练一遍。在保存的 full 结果里（一个种子，`notebooks/results/full-08d.json`），
# $\varepsilon$ = 0.5、2、8 时的准确率是 {{full:private_epsilon_half.test_accuracy:.1%}}、{{full:private_epsilon_2.test_accuracy:.1%}}、{{full:private_epsilon_8.test_accuracy:.1%}}：
# 0.5 时略低于论文，2 和 8 时略高于论文。彼此不同的客户端跑满 700 轮，达到 {{full:federated_unlike.test_accuracy:.1%}}，
# 与相似的客户端（{{full:federated_alike.test_accuracy:.1%}}）只差不到半个百分点，两者都超过了论文所定的目标。
# 成员推断的实验规模不变，因为数据多了，泄露只会更少。
#
# 接下来：第 9 章在多个设备上训练。
