# %% [markdown] lang="en" telling=["overfitted.auc_wrong_labels", "private.auc_wrong_labels", "private_epsilon_2.test_accuracy"]
# # 8d Privacy and security
#
# A trained network is made of its training data. Can somebody who only holds the network find out who was in the data? Can
# several hospitals train together without showing each other a record? And what can one do to a network who may change a few pixels, or a few
# labels? This chapter attacks first, then defends, and measures both.
#
# **At the end you can**
#
# - run a membership inference attack and state its success with three numbers and a baseline;
# - train with differential privacy: clip every example's gradient, add noise, and let an accountant say what it cost;
# - average models of 100 clients who keep their data, and hide every single client's update from the server;
# - break a network with one gradient step, harden it, and poison it with labels;
# - say what distillation, masking, encryption and differential privacy each protect, and what they do not.
#
# **To know before:** training and gradients (chapter 1), overfitting (chapter 5). Time and memory, measured, stand below the imports.

# %% [markdown] lang="zh" of="52c6e577"
# # 8d 隐私与安全
#
# 网络是用训练数据做成的。只拿到网络的人，能不能查出训练数据里有谁？几家医院能不能一起训练，却不给彼此看任何一份病历？
# 如果有人能改动几个像素，或者改动几个标签，他能对网络做什么？这一章先攻击，再防守，两边都量一量。
#
# **学完这一章，你能够**
#
# - 实施一次成员推断攻击，并用三个数和一条基线说明它有多成功；
# - 做差分隐私训练：逐个样本裁剪梯度，加噪声，再用隐私会计（accountant）核算一共花掉了多少隐私；
# - 给 100 个不交出数据的客户端做模型平均，并且不让服务器看到任何一个客户端的更新；
# - 用一步梯度骗过网络，再把它练得更结实，也会用错误标签给它投毒；
# - 说清楚蒸馏、脱敏、加密和差分隐私各自保护什么，又不保护什么。
#
# **预备知识：** 训练与梯度（第 1 章），过拟合（第 5 章）。实测的时间和内存写在导入语句之后。

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

# %% [markdown] lang="en"
# ## The idea: what a network remembers, it gives away
#
# Ask a network about a digit it was trained on, and it is sure. Ask about one it never saw, and it is a little less sure. The
# difference is overfitting, and it is also a leak: **membership inference** guesses from the loss whether an example was a
# *member* of the training data ([Yeom et al. 2017](https://arxiv.org/abs/1709.01604)). If the data are the patients of a clinic, membership is the
# secret.
#
# Two networks learn the same digits: one far too long, one with dropout and a short training. Any collection made by people holds some wrong labels; here we falsify one in ten
# ourselves, so that we know which.
# A wrong label cannot be guessed from the image, so a network that knows it can only have **memorised** it.
# **Predict:** which of the two tells more, and about whom?

# %% [markdown] lang="zh" of="67758f14"
# ## 想法：网络记住了什么，就会泄露什么
#
# 拿训练过的数字去问网络，它很有把握；换一个没见过的，它的把握就小一点。这个差别叫过拟合，同时也是泄密：
# **成员推断**（membership inference）只凭损失就能猜测，一个样本是不是训练数据的*成员*
# （[Yeom 等，2017](https://arxiv.org/abs/1709.01604)）。如果数据是某家诊所的病人，“是不是成员” 本身就是秘密。
#
# 两个网络学同一批数字：一个训练得过久；另一个用随机失活，训练得短。人工收集的数据总会有一些错误的标签；这里由我们自己动手，
# 把十个标签里的一个改错，这样就知道是哪些。# 错误的标签从图上猜不出来，网络若是知道，只能是**记住**了。**先猜：** 两个网络谁泄露得多？泄露的是谁？

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
# ## Three numbers for an attack
#
# The attack says "member" when the score (minus the loss) exceeds a threshold. For each threshold there is a **true positive
# rate** (members found) and a **false positive rate** (others accused). Three summaries:
#
# $$ \mathrm{AUC} = P(\text{score of a member} > \text{score of another}) \qquad
#    \mathrm{advantage} = \max_t\,\big(\mathrm{TPR}(t) - \mathrm{FPR}(t)\big) $$
#
# and the TPR when hardly anybody is accused wrongly, FPR at most 0.01, because an attacker who is sure about a few is worse than one who is vaguely right about
# many ([Carlini et al. 2021](https://arxiv.org/abs/2112.03570)). Guessing has an AUC of 0.5 and an advantage of 0.
#
# The loss alone is a blunt score: a clear 1 has a small loss whether member or not. A sharper attack subtracts how hard the example *is*, the
# loss in a reference network that knows neither group ([Watson et al. 2021](https://arxiv.org/abs/2111.08440)). Below it is called *calibrated*.

# %% [markdown] lang="zh" of="9090e092"
# ## 用三个数描述一次攻击
#
# 得分（负的损失）超过某个阈值，攻击就说 “是成员”。每个阈值对应一个**真阳性率**（TPR，找出的成员）和一个**假阳性率**（FPR，
# 冤枉的非成员）。有三种概括：
#
# $$ \mathrm{AUC} = P(\text{成员得分} > \text{非成员得分}) \qquad
#    \text{优势（advantage）} = \max_t\,\big(\mathrm{TPR}(t) - \mathrm{FPR}(t)\big) $$
#
# 第三个是几乎不冤枉人（FPR 不超过 0.01）时的 TPR：能咬定少数几个人的攻击者，比对许多人略知一二的更危险
# （[Carlini 等，2021](https://arxiv.org/abs/2112.03570)）。瞎猜的 AUC 是 0.5，优势是 0。
#
# 只看损失，打分太钝：一个清清楚楚的 1，不管是不是成员，损失都很小。更锐利的攻击要减去样本*本身*的难度，也就是它在一个两组都没见过的参考网络里的损失（[Watson 等，
# 2021](https://arxiv.org/abs/2111.08440)），即下面的 “calibrated”。

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

# %% [markdown] lang="en"
# On average the leak looks modest, and with few false accusations the plain loss finds no more than guessing would.
# Among the wrongly labelled it is nearly complete, and those are whom the calibrated attack finds, with about one false
# accusation in ten: the mean hides those who stand out, and they are
# the ones privacy is for. Regularising helps, and promises nothing.
#
# ## Differential privacy: a promise about anybody
#
# A training procedure $M$ is **$(\varepsilon, \delta)$-differentially private** if adding or removing any one example hardly changes
# what can come out ([Dwork et al. 2006](https://doi.org/10.1007/11761679_29)): for all data sets $D, D'$ that differ in one
# example, and all sets $R$ of results,
#
# $$ P[M(D) \in R] \le e^{\varepsilon}\, P[M(D') \in R] + \delta $$
#
# So *no* attack whatever can have $\mathrm{TPR} > e^\varepsilon\,\mathrm{FPR} + \delta$. **DP-SGD** ([Abadi et al. 2016](https://arxiv.org/abs/1607.00133)) keeps
# the promise in each step: bound what one example can do, then drown it.
#
# $$ \bar g_i = g_i \cdot \min\Big(1, \frac{C}{\lVert g_i \rVert}\Big), \qquad
#    \tilde g = \frac{1}{q\,n} \Big( \sum_{i \in \text{sample}} \bar g_i + \mathcal{N}(0, \sigma^2 C^2 I) \Big) $$
#
# $g_i$: gradient of *one* example over all weights; $C$: clipping norm; $\sigma$: noise multiplier; $n$ examples, each in the sample
# with probability $q$. Keras gives the gradient of a batch's mean, in which the single ones are lost. `tf.vectorized_map` gives all of them at once.

# %% [markdown] lang="zh" of="08bb386f"
# 平均来看，泄露似乎不大；要求少冤枉人时，单凭损失不比瞎猜找出得多。可在标签错误的样本里，泄露几乎是彻底的，而校准过的攻击找出来的正是他们，
# 十次指认里大约只错一次：平均数掩盖了与众不同的人，而隐私要保护的正是他们。正则化有帮助，但什么也不保证。
#
# ## 差分隐私：对任何一个人的承诺
#
# 如果增加或去掉任何一个样本，训练过程 $M$ 可能得到的结果几乎不变，就说它满足 **$(\varepsilon, \delta)$-差分隐私**
# （differential privacy，[Dwork 等，2006](https://doi.org/10.1007/11761679_29)）：对任意两个只差一个样本的数据集 $D, D'$，
# 以及任意结果集合 $R$，
#
# $$ P[M(D) \in R] \le e^{\varepsilon}\, P[M(D') \in R] + \delta $$
#
# 于是*任何*攻击都不可能做到 $\mathrm{TPR} > e^\varepsilon\,\mathrm{FPR} + \delta$。**DP-SGD**（[Abadi 等，2016](https://arxiv.org/abs/1607.00133)）
# 在每一步里兑现承诺：先限制一个样本能起的作用，再用噪声把它淹没。
#
# $$ \bar g_i = g_i \cdot \min\Big(1, \frac{C}{\lVert g_i \rVert}\Big), \qquad
#    \tilde g = \frac{1}{q\,n} \Big( \sum_{i \in \text{样本}} \bar g_i + \mathcal{N}(0, \sigma^2 C^2 I) \Big) $$
#
# $g_i$ 是*单个*样本对全部权重的梯度，$C$ 是裁剪范数，$\sigma$ 是噪声倍数；共 $n$ 个样本，每个以概率 $q$ 进入本步的样本。
# Keras 给出的是一批样本平均之后的梯度，单个样本的已经看不到了；`tf.vectorized_map` 能一次给出所有样本各自的梯度。

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
# ### The sampling that the accountant assumes
#
# Privacy is amplified by *not* looking at most examples in a step. The proof needs **Poisson sampling**: every example
# tosses its own coin, so the sample's size is random. Shuffling and cutting into equal batches, which `fit` does, is something
# else, and quoting an epsilon for Poisson sampling over a shuffled training is a common mistake
# ([Chua et al. 2024](https://arxiv.org/abs/2403.17673)). Here the coins are real; samples are padded to full chunks and the padding is masked out.
#
# The **accountant** (Google's `dp-accounting`) adds up what the steps cost. First check it against formulas that we know. One step with everybody in it is the
# Gaussian mechanism, whose $\delta$ has a closed form ([Balle and Wang 2018](https://arxiv.org/abs/1805.06530)):
#
# $$ \delta(\varepsilon) = \Phi\Big(\frac{1}{2\sigma} - \varepsilon\sigma\Big) - e^{\varepsilon}\, \Phi\Big(-\frac{1}{2\sigma} - \varepsilon\sigma\Big) $$

# %% [markdown] lang="zh" of="90de6b4e"
# ### 会计所假设的抽样
#
# 一步里*不看*大多数样本，隐私就得到放大。证明要求的是**泊松抽样**（Poisson sampling）：每个样本各自抛硬币，所以这一步的样本量是随机的。
# `fit` 做的是打乱后切成等大的批，那是另一回事；按打乱的方式训练，却报出泊松抽样的 epsilon，是常见的错误
# （[Chua 等，2024](https://arxiv.org/abs/2403.17673)）。这里真的抛硬币；样本补齐到整块，补上的部分用掩码去掉。
#
# **会计**（accountant，用 Google 的 `dp-accounting`）把每一步的花费累加起来。先拿我们知道的公式核对它。所有人都参加的一步，就是高斯机制，
# 它的 $\delta$ 有闭式（[Balle 与 Wang，2018](https://arxiv.org/abs/1805.06530)）：
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

# %% [markdown] lang="en"
# ### Accuracy against epsilon
#
# [Abadi et al. 2016](https://arxiv.org/abs/1607.00133) report 90 %, 95 % and 97 % at $\varepsilon$ = 0.5, 2 and 8 with $\delta = 10^{-5}$, on all 60,000 digits. The laptop
# profile has 10,000 digits and 300 steps; only the full profile has the published amount of data. The three private
# runs differ in their noise, and so in how strong a promise they make. Two more tell what costs what: clipping
# *without* noise, and neither (plain gradient descent with the same samples).
# **Predict** which of the two, clipping or noise, costs more at $\varepsilon = 8$.

# %% [markdown] lang="zh" of="2dcd6013"
# ### 准确率与 epsilon
#
# [Abadi 等，2016](https://arxiv.org/abs/1607.00133) 在 $\varepsilon$ = 0.5、2、8（$\delta = 10^{-5}$）时报告 90 %、95 % 和 97 %，用的是全部 60,000 个数字。
# laptop 配置只有 10,000 个数字、300 步；只有 full 配置才有论文那么多数据。三次隐私训练的噪声不同，承诺的强弱也就不同。另外两次用来看清钱花在哪里：
# 只裁剪、*不加*噪声；两样都不做（同样抽样的普通梯度下降）。**先猜：** $\varepsilon = 8$ 时，裁剪和噪声哪个代价更大？

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

# %% [markdown] lang="en"
# With this many digits the dearest item is not the noise at $\varepsilon = 8$ but the clipping (each with the rate that
# we chose for it; neither was tuned); at $\varepsilon = 0.5$
# the noise shows. More data would help: a sample of the same size is then a smaller share $q$, for which the same
# $\varepsilon$ needs less noise; or $q$ stays, and the same noise is shared by a larger sample.
#
# Now attack a private network as before: same members, same wrong labels, $\varepsilon$ about 2. The promise says: no attack, not this one nor a better one,
# has an advantage above $(e^\varepsilon - 1 + 2\delta)/(e^\varepsilon + 1)$. **What should the AUC among the wrong labels be?**

# %% [markdown] lang="zh" of="336417c9"
# 数字只有这么多时，$\varepsilon = 8$ 处最贵的不是噪声，而是裁剪（两者各用我们选的学习率，都没有细调）；到 $\varepsilon = 0.5$，噪声的代价才显出来。
# 数据多了会有好处：样本量不变，比例 $q$ 就更小，达到同样的 $\varepsilon$ 所需的噪声也更小；或者 $q$ 不变，同样的噪声由更多样本分摊。
#
# 现在照旧攻击一个有隐私保护的网络：同样的成员，同样的错误标签，$\varepsilon$ 约为 2。承诺说：任何攻击，不论是这一种还是更高明的，优势都不超过
# $(e^\varepsilon - 1 + 2\delta)/(e^\varepsilon + 1)$。**错误标签中的 AUC 应该是多少？**

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

# %% [markdown] lang="en"
# The attack stays far below what the promise allows, and the wrong labels, which the overfitted network gave away almost completely, are nearly
# hidden. The bound is there for attacks that nobody has tried.
#
# ## Federated learning: the data stay where they are
#
# Hospitals do not send records; phones do not send messages. **Federated averaging** ([McMahan et al. 2016](https://arxiv.org/abs/1602.05629)) sends the
# *model* out instead. In each round some clients train it on their own data, and the server averages what comes back,
# weighted by the number of examples $n_k$:
#
# $$ w_{t+1} = \sum_k \frac{n_k}{n}\; w^{(k)}_{t+1} $$
#
# If every client takes *one* step with all its data, this is gradient descent on everything, exactly. With more local steps it needs fewer
# rounds, and nothing is exact any more. Clients whose data are drawn alike are called **IID** (independent and
# identically distributed). The hard case is **non-IID**: the clients are unlike. Sort the digits by label, cut them
# into 200
# pieces, give each of 100 clients two; most then know two digits only.

# %% [markdown] lang="zh" of="57369ca4"
# 攻击的成绩远低于承诺所允许的上限；过拟合的网络几乎和盘托出的错误标签，现在差不多藏住了。上限防的，是还没有人试过的攻击。
#
# ## 联邦学习：数据留在原地
#
# 医院不交出病历，手机不交出短信。**联邦平均**（federated averaging，[McMahan 等，2016](https://arxiv.org/abs/1602.05629)）反过来，
# 把*模型*送出去。每一轮由若干客户端用自己的数据训练，服务器把送回来的模型按样本数 $n_k$ 加权平均：
#
# $$ w_{t+1} = \sum_k \frac{n_k}{n}\; w^{(k)}_{t+1} $$
#
# 如果每个客户端都只用自己的全部数据走*一*步，这恰好就是对所有数据做梯度下降。本地多走几步，轮数就少，但不再严格相等。
# 各客户端的数据来自同一分布，叫**独立同分布**（IID）；难的是**非独立同分布**（non-IID），即客户端彼此不同：把数字按标签排好，切成 200 份，
# 100 个客户端每人两份，多数客户端于是只认识两个数字。

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
# [McMahan et al. 2016](https://arxiv.org/abs/1602.05629) (table 1) needed 87 rounds to 97 % with alike clients and 664 with two-digit clients, for this network, with all 60,000 digits; that
# is the full profile. Ten rounds on the laptop show the order, not the level. In so short a time two-digit clients together need not even beat one
# single client who has all ten digits: *what* the clients hold matters more than how many they are.
#
# ## Secure aggregation: the server learns only the sum
#
# An update is made of a client's data, so it leaks as a model does. But the server needs the *average* only. In arithmetic
# modulo $2^{32}$ one can add without seeing:
#
# $$ \text{shares: } s = s_1 + s_2 + \dots + s_m \bmod 2^{32} \qquad
#    \text{masks: } u_k + \sum_{j > k} r_{kj} - \sum_{j < k} r_{jk} \bmod 2^{32} $$
#
# All shares but one are uniform random numbers, and the last is what is missing: any $m-1$ of them say nothing.
# With pairwise masks ([Bonawitz et al. 2017](https://doi.org/10.1145/3133956.3133982)) each pair agrees on a random $r$ that
# one adds and the other subtracts; in the sum they cancel. Why modulo? Because a real number plus a bounded random
# number still betrays its size; modulo $2^{32}$ a uniform mask leaves nothing. Weights become whole multiples of $2^{-16}$ first.

# %% [markdown] lang="zh" of="35cb14d4"
# 用这个网络和全部 60,000 个数字，[McMahan 等，2016](https://arxiv.org/abs/1602.05629)（表 1）在客户端相似时用 87 轮达到 97 %，只有两个数字时用了 664 轮；
# full 配置就是这个设置。laptop 上的十轮只能看出先后，看不出最终水平。时间这么短，一群只有两个数字的客户端合起来，
# 未必赢得过单独一个十个数字都有的客户端：客户端手里*有什么*，比有多少个客户端更要紧。
#
# ## 安全聚合：服务器只知道总和
#
# 更新是用客户端的数据做成的，所以会像模型一样泄密。但服务器需要的只是*平均*。在模 $2^{32}$ 的算术里，可以只相加而不看见：
#
# $$ \text{份额：} s = s_1 + s_2 + \dots + s_m \bmod 2^{32} \qquad
#    \text{掩码：} u_k + \sum_{j > k} r_{kj} - \sum_{j < k} r_{jk} \bmod 2^{32} $$
#
# 除一份外，所有份额（share）都是均匀随机数，最后一份补足差额：任意 $m-1$ 份合起来也什么都没说。
# 用成对掩码（[Bonawitz 等，2017](https://doi.org/10.1145/3133956.3133982)）时，每两方约定一个随机数 $r$，一方加，另一方减，求和时正好抵消。
# 为什么要取模？实数加上一个有界的随机数，多少还是会暴露大小；模 $2^{32}$ 之后，均匀的掩码什么也不留下。权重先化为 $2^{-16}$ 的整数倍。

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

# %% [markdown] lang="en"
# The server got noise from each and the average from all. What remains: the average itself is a model, and leaks as models
# do. Secure aggregation hides *who*, differential privacy limits *what*; they are used together.
#
# ## Adversarial examples: one step in the worst direction
#
# Training walks down the loss by changing weights. An attacker walks *up* by changing the image, a little in every pixel
# (**FGSM**, [Goodfellow et al. 2014](https://arxiv.org/abs/1412.6572)):
#
# $$ x' = x + \epsilon\, \mathrm{sign}\big(\nabla_x L(x, y)\big) $$
#
# Why the sign? For a *linear* score gap $w \cdot x$ the worst change of at most $\epsilon$ a pixel lowers it by exactly
# $\epsilon \lVert w \rVert_1$, which grows with the number of pixels, while random signs cancel. That much can be proved below. The defence, **adversarial training**,
# attacks each batch while learning. (This $\epsilon$ is a size in pixel values and has nothing to do with privacy's.)

# %% [markdown] lang="zh" of="3e9f7421"
# 服务器从每一方得到的都是噪声，从全体得到的是平均。剩下的问题是：平均值本身就是一个模型，照样会像模型一样泄密。
# 安全聚合隐藏*是谁*，差分隐私限制*泄露多少*；两者要一起用。
#
# ## 对抗样本：朝最坏的方向走一步
#
# 训练是改权重，让损失下降；攻击者反过来改图像，每个像素只改一点，让损失*上升*
# （快速梯度符号法，**FGSM**，[Goodfellow 等，2014](https://arxiv.org/abs/1412.6572)）：
#
# $$ x' = x + \epsilon\, \mathrm{sign}\big(\nabla_x L(x, y)\big) $$
#
# 为什么取符号？对*线性*的分数差 $w \cdot x$，每个像素至多改 $\epsilon$ 时，最坏的改法恰好让它下降 $\epsilon \lVert w \rVert_1$，像素越多降得越多；
# 随机的符号则互相抵消。下面就证明这一点。防御办法是**对抗训练**（adversarial training）：一边学，一边攻击每一批样本。
# （这里的 $\epsilon$ 是像素值的大小，与隐私里的 $\varepsilon$ 毫无关系。）

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

# %% tags=["nbval-ignore-output"]
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

# %% [markdown] lang="en"
# The hardened network was hardened against *this* attack; stronger ones of several steps exist ([Madry et al. 2017](https://arxiv.org/abs/1706.06083)), and only a proof
# or the strongest known attack says what holds.
#
# ## Poisoning: a few labels
#
# Who can write into the training data needs no gradient. Turn a share of the sevens' *labels* into ones, train as usual. **Predict:** at which
# share does the overall accuracy give an alarm? And the sevens?

# %% [markdown] lang="zh" of="35a5f2c1"
# 加固针对的是*这一种*攻击；还有走好几步的更强攻击（[Madry 等，2017](https://arxiv.org/abs/1706.06083)），究竟守不守得住，要靠证明，或者用已知最强的攻击来试。
#
# ## 投毒：改几个标签
#
# 能往训练数据里写东西的人，连梯度都不需要。把一部分 7 的*标签*改成 1，照常训练。**先猜：** 改到多大比例，总准确率才会报警？7 的识别呢？

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

# %% [markdown] lang="en"
# At first the sevens get worse while the mean hardly moves. Where they collapse, the mean falls by several points as
# well, but it does not say who is hit: the other digits are read as before. Where half of the labels lie, right and
# wrong ones
# tie, and seeds differ widely. Whoever watches one number per model does not see this; watch every class.
#
# ## Clinic: "distillation protects privacy"
#
# The argument goes: the student sees only the teacher's answers, never the data, so the data are safe. Test it on the overfitted
# teacher of the beginning, with the same attack. One student is distilled on the members' images, the other on public images that
# nobody labelled. Then **PATE** ([Papernot et al. 2016](https://arxiv.org/abs/1610.05755)), which does give a promise: many teachers, each on its own part of the data, *vote* on public images;
# noise is added to the counts; the student learns the noisy winner and nothing else. One example can change one teacher's vote, two counts by 1 each, so
# a query is a Gaussian mechanism of sensitivity $\sqrt 2$, and $k$ queries are one with noise $\sqrt k$ times smaller.
# (We use the Gaussian vote of [Papernot et al. 2018](https://arxiv.org/abs/1802.08908).)

# %% [markdown] lang="zh" of="eeaed0a2"
# 起初 7 认得越来越差，总平均却几乎不动。等到 7 垮掉，总平均也会掉几个百分点，但它说不出是谁受了害：别的数字照认不误。标签一半说谎时，
# 对的和错的势均力敌，不同种子的结果相差很大。
# 一个模型只盯一个数的人，看不见这件事；要逐类地看。
#
# ## 公式门诊：“蒸馏能保护隐私”
#
# 理由是这样的：学生只看到老师的答案，从来没有见过数据，所以数据是安全的。就拿开头那个过拟合的老师，用同样的攻击来检验。
# 一个学生在成员的图像上蒸馏，另一个在没有标签的公开图像上蒸馏。再看 **PATE**
# （[Papernot 等，2016](https://arxiv.org/abs/1610.05755)），它真的给出承诺：许多老师，每人只用自己那一份数据，对公开图像*投票*；
# 给票数加噪声；学生只学加噪之后的赢家，别的一概不知。一个样本至多改变一位老师的一票，即两个票数各变 1，
# 所以一次提问就是灵敏度为 $\sqrt 2$ 的高斯机制，$k$ 次提问相当于噪声缩小到 $1/\sqrt k$ 的一次。
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
# **Diagnosis.** The student on the members' images inherits what the teacher memorised: the wrong labels show through the soft answers. The student on public
# images has never met a member, nor anybody's label, and shows less, but far from nothing: what the teacher memorised bends its answers nearby as well, and among the wrong
# labels the attack still does much better than guessing. Nothing in plain distillation limits how much comes through. PATE's answer has an $\varepsilon$. It pays for it with accuracy,
# and its price falls with the number of teachers: [Papernot et al. 2016](https://arxiv.org/abs/1610.05755) report 98.0 % at $\varepsilon = 2.04$ with 250 teachers on all of MNIST.
#
# ### Two words, and two tools that are mixed up
#
# Chinese texts have printed **微距私有性** for differential privacy: 微距 is macro photography. The word is 差分隐私. And
# 权重裁剪 ("clipping of weights") has been printed where **pruning**, 剪枝, was meant. Three acts, three words.
# Clipping *weights* cuts each large one down to a limit (8a). Clipping a *gradient*, as DP-SGD does, bounds its norm
# and keeps its direction. Pruning sets small weights to 0 and bounds nothing. The cell below shows the last two.
#
# **Data masking** replaces names and numbers by tokens. **Encrypted computation** (homomorphic encryption, or the secure sums above) computes without seeing. What does each protect? Try a hashed birthday, and
# attack the model that was averaged under masks.

# %% [markdown] lang="zh" of="d3d2282d"
# **诊断。** 在成员图像上蒸馏的学生，继承了老师记住的东西：错误的标签透过软答案显露出来。在公开图像上蒸馏的学生，
# 从没见过任何成员，也没见过任何人的标签，泄露是少了，却远不是没有：老师死记的东西，把它在附近图像上的答案也带偏了，于是在标签错误的样本里，
# 攻击仍然明显好于瞎猜。普通蒸馏里没有任何东西限制泄露多少。PATE 的答案带有 $\varepsilon$。它为此付出准确率，老师越多，代价越小：
# [Papernot 等，2016](https://arxiv.org/abs/1610.05755) 在整个 MNIST 上用 250 位老师，$\varepsilon = 2.04$ 时报告 98.0 %。
#
# ### 两个词，两种被混为一谈的工具
#
# 有的中文资料把 differential privacy 印成**微距私有性**：“微距” 是摄影术语，正确的译法是**差分隐私**。还有把 “剪枝”（pruning）
# 印成**权重裁剪**的。这是三件事：裁剪*权重*，是把每个大的权重压到上限（第 8a 章）；裁剪*梯度*，如 DP-SGD 所做，是限制范数、保留方向；
# 剪枝则把小的权重置 0，什么也不限制。下面演示后两种。
#
# **数据脱敏**（data masking）把姓名、号码换成代号。**加密计算**（encrypted computation，如同态加密，或者上面的安全求和）不看数据也能计算。
# 它们各自保护什么？拿一个哈希过的生日试试，再攻击那个在掩码下平均出来的模型。

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
# **Diagnosis.**
#
# | tool | protects | does not protect |
# |---|---|---|
# | masking, pseudonyms | against a glance at the table | against whoever can try all values, or join two tables ([Narayanan and Shmatikov 2008](https://doi.org/10.1109/SP.2008.33)) |
# | encryption at rest and on the way | against thieves of disks and cables | anything once it is decrypted for use |
# | encrypted computation, secure aggregation | inputs, from whoever computes | the result: it is the same result, and leaks the same |
# | federated learning | raw data stay at home | updates and model tell of the data |
# | plain distillation | nothing that is promised | what the teacher memorised |
# | differential privacy | each single example, against any attack on the result | facts about the whole group; a bad $\varepsilon$ is a bad promise |
#
# They answer different questions, so a system needs several. Only the last one is a statement about what the *result* tells.

# %% [markdown] lang="zh" of="cfef38ed"
# **诊断。**
#
# | 工具 | 保护 | 不保护 |
# |---|---|---|
# | 脱敏、假名 | 不让人一眼看出是谁 | 防不住把所有取值试一遍的人，也防不住把两张表拼起来的人（[Narayanan 与 Shmatikov，2008](https://doi.org/10.1109/SP.2008.33)） |
# | 存储与传输加密 | 防偷硬盘、窃听线路 | 一旦解密使用，就不再保护 |
# | 加密计算、安全聚合 | 输入不让计算的一方看到 | 结果：结果是同一个，泄露的也一样多 |
# | 联邦学习 | 原始数据留在本地 | 更新和模型仍会透露数据 |
# | 普通蒸馏 | 没有任何承诺 | 老师记住的东西 |
# | 差分隐私 | 每一个样本，防住对结果的任何攻击 | 关于整个群体的事实；$\varepsilon$ 太大，承诺就是空话 |
#
# 它们回答的是不同的问题，所以一个系统往往需要好几样。其中只有最后一样，说的是*结果*会透露多少。

# %% [markdown] lang="en"
# ### Exercise 1 · easy — clip every example
#
# Write `clip_gradients(gradients, clip)`: `gradients` is an array *(examples, weights)*; scale each row whose norm exceeds `clip` down
# to that norm, and leave the others as they are.

# %% [markdown] lang="zh" of="066a9b1a"
# ### 练习 1 · 易 —— 逐个样本裁剪
#
# 写出 `clip_gradients(gradients, clip)`：`gradients` 是形状为 *（样本，权重）* 的数组；范数超过 `clip` 的行按比例缩小到这个范数，其余的行不变。

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
# One norm a row (`axis=1`, `keepdims=True`), one factor a row, never above 1. `np.clip` works on single numbers and would turn the
# direction.

# %% [markdown] lang="zh" of="89baf4d7" tags=["hint"]
# 每行一个范数（`axis=1`，`keepdims=True`），每行一个系数，系数不超过 1。`np.clip` 是对单个数截断，会改变方向。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — share a secret
#
# Write `make_shares(secret, parties, modulus, random)` for one whole number: a list of `parties` whole numbers from 0 to
# `modulus - 1` that add up to `secret` modulo `modulus`, and of which no `parties - 1` tell anything. `random.integers(low, high)` draws from `low` to `high - 1`.

# %% [markdown] lang="zh" of="2280c73f"
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
# 除一份以外，都从*整个*范围里抽取。最后一份补足差额，再用 `%` 收回范围之内。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — a private question
#
# The oldest private mechanism ([Warner 1965](https://doi.org/10.1080/01621459.1965.10480775)): asked a delicate yes-or-no question, everybody tells the truth with
# probability `truth` (above one half) and the opposite otherwise. Write `randomised_response(truth, yes_share)`: return `(epsilon, estimate)`, the smallest
# $\varepsilon$ that the mechanism has (with $\delta = 0$), and the unbiased estimate of the true share of yes when a share `yes_share` of the answers was yes.

# %% [markdown] lang="zh" of="fe590b1d"
# ### 练习 3 · 难 —— 一个敏感的问题
#
# 最古老的隐私机制（随机化回答，[Warner，1965](https://doi.org/10.1080/01621459.1965.10480775)）：面对一个敏感的是非题，每个人以概率 `truth`（大于二分之一）说真话，
# 否则说反话。写出 `randomised_response(truth, yes_share)`，返回 `(epsilon, estimate)`：这个机制的最小 $\varepsilon$（$\delta = 0$），
# 以及当回答 “是” 的比例为 `yes_share` 时，对真实比例的无偏估计。

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
# Write down the probability of the answer "yes" for somebody whose truth is yes, and for somebody whose truth is no. Epsilon is the logarithm
# of their largest ratio. For the estimate: if the true share is $s$, which share of yes do you expect? Solve for $s$.

# %% [markdown] lang="zh" of="dd6b1ffc" tags=["hint"]
# 分别写出真相为 “是” 和真相为 “否” 的人回答 “是” 的概率，epsilon 就是两者最大比值的对数。再看估计：如果真实比例是 $s$，
# 预计有多大比例回答 “是”？从中解出 $s$。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("08d")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# The 2020 census of the United States was published under differential privacy
# ([Abowd et al. 2022](https://doi.org/10.1162/99608f92.529e3cb9)); phone keyboards learn their next-word models by federated learning
# ([Hard et al. 2018](https://arxiv.org/abs/1811.03604)). Large language models give back training text word for word when asked the right way
# ([Carlini et al. 2020](https://arxiv.org/abs/2012.07805)).
#
# - Abadi et al. 2016, [*Deep learning with differential privacy*](https://arxiv.org/abs/1607.00133).
# - McMahan et al. 2016, [*Communication-efficient learning of deep networks from decentralized data*](https://arxiv.org/abs/1602.05629).
# - Dwork and Roth 2014, [*The algorithmic foundations of differential privacy*](https://doi.org/10.1561/0400000042), the textbook.
# - Goodfellow et al. 2014, [*Explaining and harnessing adversarial examples*](https://arxiv.org/abs/1412.6572).
#
# **What the full profile changes.** All 60,000 digits: the private runs have the published amount of data (and another network and accountant than the paper), federated learning runs
# 700 rounds of one local epoch, as published. In the stored full run (one seed, `notebooks/results/full-08d.json`) the
# private accuracies rise by several points: a little below the published one at $\varepsilon = 0.5$, a little above at
# 2 and at 8. And the unlike clients, given their 700 rounds, come within half a point of the alike ones; both pass the
# level that the paper ran for. The experiment on members keeps the size it has
# here: with more data there would be less to leak.
#
# Next: chapter 9 trains on many devices.

# %% [markdown] lang="zh" of="71657623"
# ## 用在哪里，读些什么
#
# 美国 2020 年人口普查的数据是在差分隐私下发布的（[Abowd 等，2022](https://doi.org/10.1162/99608f92.529e3cb9)）；手机输入法用联邦学习训练下一词预测
# （[Hard 等，2018](https://arxiv.org/abs/1811.03604)）。大语言模型只要问法对路，就会逐字吐出训练文本
# （[Carlini 等，2020](https://arxiv.org/abs/2012.07805)）。
#
# - Abadi 等，2016，[*Deep learning with differential privacy*](https://arxiv.org/abs/1607.00133)。
# - McMahan 等，2016，[*Communication-efficient learning of deep networks from decentralized data*](https://arxiv.org/abs/1602.05629)。
# - Dwork 与 Roth，2014，[*The algorithmic foundations of differential privacy*](https://doi.org/10.1561/0400000042)，这是教科书。
# - Goodfellow 等，2014，[*Explaining and harnessing adversarial examples*](https://arxiv.org/abs/1412.6572)。
#
# **换成 full 配置会怎样。** 用全部 60,000 个数字：隐私训练的数据量与论文相同（网络和会计与论文不同），
# 联邦学习按论文的设置跑 700 轮、每次在本地训练一遍。在保存的 full 运行里（一个种子，`notebooks/results/full-08d.json`），
# 隐私训练的准确率上升了好几个百分点：$\varepsilon = 0.5$ 时略低于论文，2 和 8 时略高于论文。数字不全的客户端跑满 700 轮，
# 与数字齐全的只差不到半个百分点，两者都超过了论文所定的目标。成员推断的实验规模不变：数据多了，泄露只会更少。
#
# 接下来：第 9 章在多个设备上训练。
