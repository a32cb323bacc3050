# %% [markdown] lang="en" reads=["full-*", "laptop-*"] telling=["scaling.miss_relative_to_fit", "in_order.chinese_eleven_twelve", "in_order.english_eleven_twelve"]
# # 8 Future trends, measured
#
# Talks about the future of AI are full of nouns: bigger models, greener models, multimodal, portable, fair. Behind each
# noun is a question that data can answer, and in this chapter you ask five of them on two processor cores.
#
# You will watch a law predict a training run that it has not seen, and miss. And you will show a network pictures of numbers
# whose names it was never told. Look at the first one below: in Chinese the network calls it 十一, ten-one, which is right. In
# English it calls it *fourteen*. Why can it count in one language and not in the other?

# %% [markdown] lang="zh" of="720b7fe0"
# # 8 未来趋势，测给你看
#
# 谈 AI 的未来，满口都是名词：更大、更绿色、多模态、可移植、更公平。每个名词背后都藏着一个可以拿数据来问的问题，
# 这一章就在两个 CPU 核上问五个。
#
# 你会看到一条定律去预测一次它没见过的训练，结果没猜中；还会看到一个网络给没教过的数起名字。下面第一张图是 11：
# 用中文，它说“十一”，对了；用英文，它说 fourteen（十四）。同一个网络，为什么一种语言认得，另一种就不认得？

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - fit a scaling law to your own training runs, say how reliable it is, and test it where it hurts: on a run it has not seen;
# - turn seconds into kilowatt-hours and grams of CO2, with every assumption in view;
# - export one trained network to SavedModel and LiteRT (to ONNX as well, if you install it) and check that its answers
#   have not changed;
# - teach pictures and words in two languages to meet in one space, and recognise numbers that were never shown;
# - find a group for which a good average is not good, and ask what else could explain the gap.
#
# **Before you start:** chapters 1, 2 and 4; for the part on pictures and words also chapter 6 (embeddings, masking, GRU). Measured
# time and memory are printed below.

# %% [markdown] lang="zh" of="7f4bb587"
# **学完这一章，你能够**
#
# - 用自己的训练结果拟合缩放定律，说清它有多可靠，再到最要命的地方去检验：拿它没见过的一次训练来试；
# - 把秒换算成千瓦时和二氧化碳的克数，每个假设都摆在明处；
# - 把一个训练好的网络导出成 SavedModel 和 LiteRT（装了相应的包，还有 ONNX），并核对答案没有变；
# - 让图片和两种语言的词在同一个空间里相遇，认出从没教过的数；
# - 找出平均分掩盖了的一群样本，并追问：这个差距还能怎样解释？
#
# **预备知识：** 第 1、2、4 章；图片与词那一节还要用到第 6 章（嵌入、掩码、GRU）。用时与内存见下方第一段输出。

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
import importlib.util
import tempfile
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.topics import published_models, scaling, two_digits
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
results.cost("08")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: a trend is a curve, and a curve can be measured
#
# The most quoted trend is size. The figure below shows the models of chapter 1a, with the sizes that their makers published. On a
# logarithmic axis, a straight line is exponential growth.
#
# | trend | the question behind it | measured in |
# |---|---|---|
# | bigger models | what does ten times the size buy? | this chapter |
# | sustainability | how much energy, how much CO2? | this chapter |
# | portability | same answers on other machines? | this chapter |
# | multimodality | can pictures and words meet? | this chapter |
# | fairness | good on average, but good for whom? | this chapter |
# | compression | how small before it hurts? | 8a |
# | transfer | what do a few labels buy? | 8b |
# | interpretability | does an explanation explain? | 8c |
# | privacy and security | what leaks, what breaks? | 8d |
#
# **Predict:** from 2012 to 2024, how many months did it take until such models were twice as large?

# %% [markdown] lang="zh" of="fb4839ad" tags=["predict"]
# ## 核心思想：趋势是一条曲线，曲线就能测
#
# 被引用最多的趋势是规模。下图是第 1a 章里那些模型，参数量由作者公布。对数坐标上的一条直线就是指数增长。
#
# | 趋势 | 背后的问题 | 在哪里测 |
# |---|---|---|
# | 模型更大 | 规模变成十倍，换来什么？ | 本章 |
# | 可持续 | 耗多少电，排多少二氧化碳？ | 本章 |
# | 可移植 | 换一台机器，答案还一样吗？ | 本章 |
# | 多模态 | 图片和词能相遇吗？ | 本章 |
# | 公平 | 平均好，对谁好？ | 本章 |
# | 压缩 | 缩到多小才开始变差？ | 第 8a 章 |
# | 迁移 | 少量标签能换来什么？ | 第 8b 章 |
# | 可解释 | 解释真的解释了吗？ | 第 8c 章 |
# | 隐私与安全 | 什么会泄露，什么会被攻破？ | 第 8d 章 |
#
# **先猜：** 从 2012 年到 2024 年，这些模型的规模每翻一番要多少个月？

# %%
years = np.array([model.year for model in published_models.MODELS])
sizes = np.array([model.parameters for model in published_models.MODELS])
figure, axis = plt.subplots(figsize=(7.5, 3.8))
for kind, marker, color in [("image", "o", plots.COLORS[0]), ("text", "s", plots.COLORS[1])]:
    chosen = [model for model in published_models.MODELS if model.kind == kind]
    axis.plot([m.year for m in chosen], [m.parameters for m in chosen], marker, color=color, label=f"{kind} models")
for model in published_models.MODELS:
    if model.name in ("LeNet-5", "AlexNet", "GPT-2 XL", "GPT-3", "Llama 3.1"):
        axis.annotate(model.name, (model.year, model.parameters), xytext=(-6, 4), textcoords="offset points", ha="right", fontsize=9)
axis.set(yscale="log", xlabel="year", ylabel="parameters", title="Published models", xlim=(1992, 2026))
axis.legend()
plots.show(
    figure,
    alt="Parameters of published models against the year on a logarithmic axis, from LeNet-5 in 1998 to Llama 3.1 in 2024, rising.",
    alt_zh="已发表模型的参数量随年份的变化（对数轴），从 1998 年的 LeNet-5 到 2024 年的 Llama 3.1，一路上升。",
)
slope = np.polyfit(years[years >= 2012], np.log2(sizes[years >= 2012]), 1)[0]
print(f"2012–2024: a doubling every · 每翻一番 {12 / slope:.0f} months · 个月（{len(published_models.MODELS) - 1} chosen models · 个选出的模型）")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Less than a year, says the line under the figure. But who chose these models? We did, because they are famous, and one
# reason why a model becomes famous is its size. (The list ends in 2024; many makers no longer publish sizes.) Keep that in mind
# whenever you see such a figure.
#
# ## A scaling law of your own
#
# [Hestness et al. 2017](https://arxiv.org/abs/1712.00409) and [Kaplan et al. 2020](https://arxiv.org/abs/2001.08361) reported
# that the test loss of a language model falls as a power of its number of parameters $N$ and of its amount of data $D$.
# [Hoffmann et al. 2022](https://arxiv.org/abs/2203.15556) write
#
# $$ L(N, D) = E + \frac{A}{N^{\alpha}} + \frac{B}{D^{\beta}} $$
#
# $E$ is the loss that no model of the family can get below. The other two terms are what you pay for too few parameters and for too
# little data. To fit the law we need many training runs, so our language models are tiny: they look at twelve characters of Jane
# Austen and guess the thirteenth. Five novels are for learning, the sixth is held out. For given exponents the law is linear in $E$, $A$ and
# $B$, so `scaling.fit` needs least squares and a search over two numbers, no more.

# %% [markdown] lang="zh" of="58b32bd4" tags=["answer"]
# **答案。** 不到一年，图下面那一行就是。不过这些模型是谁挑的？是我们，挑的是有名的，而有名往往就是因为大。
# （名单到 2024 年为止，如今许多公司已不再公布规模。）以后看到这类图，都请想一想这一点。
#
# ## 自己的缩放定律
#
# [Hestness 等，2017](https://arxiv.org/abs/1712.00409) 和 [Kaplan 等，2020](https://arxiv.org/abs/2001.08361) 报告说，
# 语言模型的测试损失随参数量 $N$ 和数据量 $D$ 按幂律下降，这就是缩放定律（scaling law）。
# [Hoffmann 等，2022](https://arxiv.org/abs/2203.15556) 把它写成
#
# $$ L(N, D) = E + \frac{A}{N^{\alpha}} + \frac{B}{D^{\beta}} $$
#
# $E$ 是这一族模型怎么也降不到的下限，另外两项是参数不够、数据不够的代价。要拟合它，就得训练许多次，所以这里的语言模型很小：
# 看简·奥斯汀的十二个字符，猜第十三个。五部小说用来学，第六部留着测。指数给定之后，公式对 $E, A, B$ 是线性的，
# 所以 `scaling.fit` 只需要最小二乘，外加对两个指数的搜索。

# %%
ALPHABET = " abcdefghijklmnopqrstuvwxyz.,;'!?-\""
WINDOW = 12


def as_numbers(text):
    """Lower case, white space as one space, unknown characters 0; uint8."""
    text = " ".join(text.lower().split())
    table = np.zeros(0x110000, "uint8")
    table[[ord(character) for character in ALPHABET]] = np.arange(1, len(ALPHABET) + 1)
    return table[np.frombuffer(text.encode("utf-32-le"), "uint32")]


def windows(numbers, count):
    """The first `count` windows of 12 characters and the character after each."""
    places = np.arange(count)[:, None] + np.arange(WINDOW)
    return numbers[places], numbers[WINDOW : count + WINDOW].astype("int32")  # (count, 12), (count,)


novels = datasets.novels().texts
titles = sorted(novels)
learned = np.concatenate([as_numbers(novels[title]) for title in titles[:5]])
held_out = windows(as_numbers(novels[titles[5]]), choose(smoke=2_000, laptop=10_000, full=50_000))
print("held out · 留出:", titles[5], "  to learn from · 用来学:", f"{len(learned):,} characters · 字符")

# %%
def window_model(width):
    """12 characters → embedding → one hidden layer → logits of the next character."""
    characters = keras.Input((WINDOW,), dtype="int32")
    x = layers.Flatten()(layers.Embedding(len(ALPHABET) + 1, 8)(characters))  # (batch, 96)
    x = layers.Dense(width, activation="relu")(x)
    return keras.Model(characters, layers.Dense(len(ALPHABET) + 1)(x))


def best_loss(model, start, count, name):
    """Train from `start` on `count` characters; the least held-out loss of all epochs (early stopping), in nats."""
    model.set_weights(start)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    epochs = int(np.clip(600_000 // count, 2, choose(smoke=2, laptop=8, full=8)))
    cosine = keras.callbacks.LearningRateScheduler(lambda epoch: 0.002 * (1 + np.cos(np.pi * epoch / epochs)))
    history = training.fit(
        model, *windows(learned, count), name=name, epochs=epochs, batch_size=256,
        validation_data=held_out, callbacks=[cosine])
    return min(history["val_loss"])


for width in (4, 64):
    print(f"width · 宽度 {width}: {window_model(width).count_params():,} parameters · 参数")

# %% tags=["nbval-ignore-output"]
widths = choose(smoke=[2, 8, 32], laptop=[4, 8, 16, 32, 64, 128, 256], full=[4, 8, 16, 32, 64, 128, 256, 512, 1024])
counts = choose(smoke=[1_000, 3_000, 9_000], laptop=[10_000, 30_000, 100_000, 300_000], full=[10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000])
runs = []  # (parameters, characters, loss)
for width in widths:
    keras.utils.clear_session()
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        model = window_model(width)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(), loss, steps_per_execution=choose(smoke=4, laptop=32, full=32))
    start = model.get_weights()
    for count in counts:
        runs.append((model.count_params(), count, best_loss(model, start, count, f"window {width} {count}")))
N, D, L = np.array(runs).T
law = scaling.fit(N, D, L)
print(f"{len(runs)} runs · 次运行")
results.record("scaling.smallest_loss", L.min(), band=choose(smoke=(2.609, 2.959), laptop=(1.713, 1.787), full=(1.3, 1.7)), unit="nats a character", digits=3)
results.record("scaling.alpha", law.alpha, band=choose(smoke=None, laptop=(0.02, 0.79), full=None), digits=2)
results.record("scaling.beta", law.beta, band=choose(smoke=None, laptop=(0.36, 0.78), full=None), digits=2)
results.record("scaling.relative_error_of_fit", law.error, band=choose(smoke=(0.012, 0.043), laptop=(0.009, 0.027), full=(0, 0.08)), digits=3)

# %% tags=["plot"]
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
smooth = np.geomspace(N.min(), N.max(), 50)
for place, count in enumerate(counts):
    style = {"color": plots.COLORS[place], "marker": plots.MARKERS[place], "linestyle": "none"}
    chosen = D == count
    axes[0].plot(N[chosen], L[chosen], **style, label=f"D = {count:,}")
    axes[0].plot(smooth, law.predict(smooth, count), color=plots.COLORS[place], linestyle=plots.LINES[place])
    axes[2].plot(6 * N[chosen] * D[chosen], L[chosen], **style)
for place, size in enumerate(np.unique(N)):
    axes[1].plot(D[N == size], L[N == size], marker=".", color=plt.get_cmap("viridis")(place / len(widths)), label=f"{size:,.0f}")
for axis, label in zip(axes, ["parameters N", "characters D", "FLOPs of one pass, 6ND"], strict=True):
    axis.set(xscale="log", xlabel=label)
    axis.minorticks_off()
axes[0].set(ylabel="held-out loss, nats a character", title="against size (lines: the law)")
axes[1].set_title("against data (shade: size)")
axes[2].set_title("against compute")
axes[0].legend(fontsize=8)
plots.show(
    figure,
    alt="Held-out loss against parameters, against data and against compute on logarithmic axes: it falls with each; with few data "
    "more parameters help less, with few parameters more data soon stop helping.",
    alt_zh="留出损失随参数量、数据量、计算量的变化（对数轴）：三者增加时都下降；数据少时，加参数的作用变小；参数少时，加数据很快就不再有用。",
)

# %% [markdown] lang="en" tags=["predict"]
# **What the panels show.** Left: more parameters help at every amount of data, but with little data they help less and less; the lowest
# row of points is still falling where the uppermost one has almost stopped. Middle: more data help, and the small models (dark) are the first to stop gaining. The
# lines on the left are the law, fitted to all these runs, with a typical error of {{scaling.relative_error_of_fit:.1%}}.
#
# The right panel needs a warning. $6ND$ ([chapter 1a](01a_large_models.ipynb)) is the cost of *one* pass over the data, and our runs made
# between two and eight: the smallest data set was repeated eight times, the largest twice. If you count every pass, the round points move
# to the right by a factor of eight and the diamonds by a factor of two. So do not read off this panel what a budget buys. (Each point
# is also the *lowest* held-out loss of its passes, which flatters all of them a little.)
#
# ## Does it predict?
#
# A curve that goes through the points says nothing yet about the next point. So we fit the law to the *small* runs only and let it predict
# the others, above all the largest. To see how uncertain that prediction is, we use the **bootstrap**: draw as many runs as
# there are, at random and with replacement (some come twice, some not at all), fit the law again, predict again, and repeat.
# The middle 90 % of the predictions are the interval ([Efron 1979](https://doi.org/10.1214/aos/1176344552)).
#
# **Predict:** does the interval contain the loss that was measured?

# %% [markdown] lang="zh" of="cfcf3c52" tags=["predict"]
# **图里说了什么。** 左图：数据量不论多少，参数越多损失越低；但数据少时，加参数的好处越来越小，最上面一排点几乎不再下降，最下面一排还在降。
# 中图：数据越多越好，而小模型（深色）最先停下来。左图的线就是用全部训练结果拟合的定律，误差一般在 {{scaling.relative_error_of_fit:.1%}} 左右。
#
# 右图要当心。$6ND$（[第 1a 章](01a_large_models.ipynb)）是把数据过一遍的计算量，而我们的训练过了二到八遍：最小的数据集重复八遍，
# 最大的只有两遍。如果把每一遍都算上，圆点要右移到八倍处，菱形只右移到两倍处。所以不要从这张图去读“多少算力换来多少损失”。
# （另外，每个点取的是各遍里最低的留出损失，都略微偏乐观。）
#
# ## 它能预测吗？
#
# 曲线穿过了已有的点，并不说明它能穿过下一个点。所以我们只用小规模训练来拟合，让定律去预测其余的，尤其是最大的那一次。
# 预测有多不确定？用**自助法**（bootstrap）来估计：有放回地重抽同样多次训练（有的抽到两次，有的一次也没抽到），重新拟合，重新预测，
# 反复多次。正中间 90% 的预测值就是区间（[Efron，1979](https://doi.org/10.1214/aos/1176344552)）。
#
# **先猜：** 这个区间包含实测的损失吗？

# %% tags=["nbval-ignore-output"]
small = (N <= sorted(set(N))[choose(smoke=1, laptop=4, full=5)]) & (D <= sorted(set(D))[choose(smoke=2, laptop=2, full=3)])
from_small = scaling.fit(N[small], D[small], L[small])
many = scaling.bootstrap(N[small], D[small], L[small], repeats=choose(smoke=2, laptop=40, full=100), seed=SEED)
guess, truth = from_small.predict(N.max(), D.max()), L[(N == N.max()) & (D == D.max())][0]
low, high = np.percentile([one.predict(N.max(), D.max()) for one in many], [5, 95])
print(f"fitted to {small.sum()} small runs, error of the fit · 拟合误差 {from_small.error:.1%}")
print(f"largest run · 最大的运行: predicted · 预测 {guess:.3f} [{low:.3f}, {high:.3f}], measured · 实测 {truth:.3f}")
results.record("scaling.miss_of_largest", guess - truth, band=choose(smoke=(-0.115, 0.36), laptop=(-0.19, 0.48), full=(-0.1, 0.5)), unit="nats", digits=3)
results.record("scaling.miss_relative_to_fit", abs(guess / truth - 1) / from_small.error, digits=1)

figure, axis = plt.subplots(figsize=(5.2, 3.8))
axis.axline((L.min(), L.min()), slope=1, color="gray")
axis.plot(L[small], from_small.predict(N, D)[small], "o", color=plots.COLORS[0], label="fitted to these")
axis.plot(L[~small], from_small.predict(N, D)[~small], "s", color=plots.COLORS[1], label="never seen by the fit")
axis.plot([truth, truth], [low, high], "k_-", label="largest: 90 % of the bootstraps")
axis.set(xlabel="measured loss, nats", ylabel="predicted loss, nats", title="Prediction beyond the fitted runs")
axis.legend(fontsize=8)
plots.show(
    figure,
    alt="Predicted against measured loss. The fitted runs lie along the diagonal; the largest runs, not fitted, lie above it: they "
    "turned out better than predicted.",
    alt_zh="预测损失与实测损失。参与拟合的点在对角线上；未参与拟合的运行中，最大的几个在对角线上方：实际比预测的好。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** It does not. The law describes the small runs to about one per cent, and it misses the largest by
# {{scaling.miss_of_largest:.2f}} nats, {{scaling.miss_relative_to_fit:.0f}} times the error of its own fit (three seeds:
# {{seeds:scaling.miss_relative_to_fit:.1f}} times). The misses have a direction: where both the model and the data are large,
# training went *better* than two separate terms allow. This experiment cannot say why. Number of parameters, amount of data and number
# of steps all change together here.
#
# The bootstrap did not warn us. It refits the same law to the same small runs, so its interval shows the scatter of the fit, and says
# nothing about whether the law goes on. The published laws rest on many more orders of magnitude, and they too have been
# corrected: Hoffmann's numbers could not be reproduced from the paper's own figure
# ([Besiroglu et al. 2024](https://arxiv.org/abs/2404.10102)). A law sums up what was measured. It promises nothing beyond that,
# least of all "and so intelligence will follow".
#
# ## What limits growth
#
# If a run costs $6ND$ FLOPs, the law says how to split a budget $C$ between model and data. Set the derivative to zero, and
#
# $$ N \propto C^{\beta/(\alpha+\beta)}, \qquad D \propto C^{\alpha/(\alpha+\beta)} $$
#
# With equal exponents, a hundred times the compute should go into ten times the model and ten times the data. That is how data
# became scarce. Human text is finite, and on present trends it will be used up between 2026 and 2032
# ([Villalobos et al. 2022, revised 2024](https://arxiv.org/abs/2211.04325)). Can models write the missing text? If their output *replaces* real
# data, generation after generation, the rare things disappear ([Shumailov et al. 2024](https://doi.org/10.1038/s41586-024-07566-y)). If it is
# *added* to the real data, the error stays bounded ([Gerstgrasser et al. 2024](https://arxiv.org/abs/2404.01413)); synthetic text that has been filtered
# and checked is a normal ingredient by now.
#
# Compute has a limit as well: money and power. The training compute of notable models has doubled about every
# six months since 2010 ([Sevilla et al. 2022](https://arxiv.org/abs/2202.05924)), and the cost of the largest runs has
# grown by a factor of 2.4 per year since 2016, most of it chips and staff ([Cottier et al.
# 2024](https://arxiv.org/abs/2405.21015)). Few can pay for such a curve, and nobody for long. What split does *our* law recommend?

# %% [markdown] lang="zh" of="ca940def" tags=["answer"]
# **答案。** 不包含。定律描述小规模训练，误差只有百分之一左右；预测最大的那一次，却差了 {{scaling.miss_of_largest:.2f}} nat，
# 是拟合误差的 {{scaling.miss_relative_to_fit:.0f}} 倍（三个种子：{{seeds:scaling.miss_relative_to_fit:.1f}} 倍）。
# 偏差是有方向的：凡是模型和数据都大的地方，实际都比“两个独立的项”所允许的更好。至于原因，这个实验说不出来，因为参数量、数据量和步数是一起变的。
#
# 自助法没有提醒我们。它只是用同一个公式反复拟合同一批小规模训练，区间反映的是拟合的离散程度；公式在范围之外是否还成立，它一概不知。
# 已发表的定律拟合的范围宽得多，可它们同样被人修正过：Hoffmann 等人的数值，就无法从论文自己的图里复现出来
# （[Besiroglu 等，2024](https://arxiv.org/abs/2404.10102)）。定律只是对测量结果的概括，并不担保测量范围之外的事，
# 更不担保“照此下去，智能自会出现”。
#
# ## 是什么限制了增长
#
# 如果一次训练要花 $6ND$ FLOPs，定律就能告诉我们预算 $C$ 该怎样在模型和数据之间分：令导数为零，得
#
# $$ N \propto C^{\beta/(\alpha+\beta)}, \qquad D \propto C^{\alpha/(\alpha+\beta)} $$
#
# 两个指数相等时，计算量变成一百倍，模型和数据就该各变成十倍。数据就是这样紧缺起来的：人类写下的文本是有限的，
# 按目前的趋势，2026 年到 2032 年之间就会用完（[Villalobos 等，2022，2024 年修订](https://arxiv.org/abs/2211.04325)）。
# 让模型来写行不行？如果一代一代用生成的文本取代真实数据，稀有的东西就会消失
# （[Shumailov 等，2024](https://doi.org/10.1038/s41586-024-07566-y)）；如果只是添加进去、真实数据仍然保留，误差就不会无限增大
# （[Gerstgrasser 等，2024](https://arxiv.org/abs/2404.01413)）。经过筛选和检查的合成文本，如今已是常用的训练材料。
#
# 算力也有极限，那就是钱和电。2010 年以来，知名模型的训练计算量大约每六个月翻一番
# （[Sevilla 等，2022](https://arxiv.org/abs/2202.05924)）；2016 年以来，最大规模训练的花费每年涨到 2.4 倍，大头是芯片和人力
# （[Cottier 等，2024](https://arxiv.org/abs/2405.21015)）。这样的曲线，付得起的人很少，也没有谁能一直付下去。那么，我们自己的定律会怎么分？

# %% tags=["nbval-ignore-output"]
print(f"{'FLOPs':>10}{'N':>14}{'D':>16}{'D / N':>8}")
for compute in (1e9, 1e11, 1e13):
    size, data = law.best_split(compute)
    print(f"{compute:10.0e}{size:14,.0f}{data:16,.0f}{data / size:8.2g}")
share = law.beta / (law.alpha + law.beta)
shares = np.percentile([one.beta / (one.alpha + one.beta) for one in many], [5, 95])
print(f"exponent of the best size, 90 % of the bootstraps of the small runs · 小的运行重抽后，指数的 90 % 落在 {shares[0]:.2f} – {shares[1]:.2f}")
results.record("scaling.exponent_of_best_size", share, band=choose(smoke=None, laptop=(0.18, 0.98), full=(0.1, 0.98)), digits=2)
print("Hoffmann et al. 2022 found 0.46 to 0.50, by three methods · 三种方法得 0.46 至 0.50: https://arxiv.org/abs/2203.15556")

# %% [markdown] lang="en"
# Look at the interval before you quote the exponent. With three seeds it came out anywhere from {{seeds:scaling.exponent_of_best_size:.2f}}, in
# the full profile at {{full:scaling.exponent_of_best_size:.2f}}. Runs that span one or two powers of ten in size and data hardly
# determine it: a small $\alpha$ with a small $E$ fits almost as well as a larger $\alpha$ with a larger $E$. The published fits rest on
# many more runs over far wider ranges, and still disagree: [Kaplan et al. 2020](https://arxiv.org/abs/2001.08361) found 0.73, Hoffmann et al. 0.46 to 0.50.
#
# There is a second reason not to split a real budget by ours. Small data sets were repeated at most eight times, so runs with less data also
# took fewer steps. Our $D$ is data and training length in one.
#
# ## Energy and CO2
#
# $$ \text{energy} = \text{power} \times \text{time}, \qquad \text{CO}_2 = \text{energy} \times \text{grid factor} $$
#
# The **time** is measured: every chapter's run is stored with the course. (Where other work shared the machine, as during
# the full runs, it is an upper bound.) The **power** is not measured but assumed: 20 W, as for a laptop's processor under load. Anything
# from 10 to 65 W would be defensible, so the answer is right within a factor of three. The **grid factor** is the world's mean,
# 436 g of CO2 per kWh in 2022 ([Ember 2023](https://ember-energy.org/latest-insights/global-electricity-review-2023/));
# a country with hydro-electric power has a tenth of it, one with coal twice as much.
#
# Is there no tool for that? [codecarbon](https://docs.codecarbon.io) watches a program while it runs, and its
# `OfflineEmissionsTracker` needs no network: we tried it. It reads the processor's own power counters where the system gives
# access to them. On a virtual machine, like that of the stored runs, there are none; then it assumes a power, as we do. It comes near
# our sum by a different route: nearly all of it for the memory, next to nothing for a core that computes at full speed. The digits of a
# tool are not a measurement. Ask what it read, and what it assumed.

# %% [markdown] lang="zh" of="d8234704"
# 引用这个指数之前，先看区间。三个种子得到的指数在 {{seeds:scaling.exponent_of_best_size:.2f}} 之间，full 配置则是
# {{full:scaling.exponent_of_best_size:.2f}}。规模和数据都只跨一两个数量级，几乎定不住它：小的 $\alpha$ 配小的 $E$，
# 与大的 $\alpha$ 配大的 $E$，拟合得几乎一样好。已发表的结果用的训练次数多得多，范围也宽得多，结论仍不一致：
# [Kaplan 等（2020）](https://arxiv.org/abs/2001.08361) 得 0.73，Hoffmann 等得 0.46 至 0.50。
#
# 真要分配预算，别用我们这一个，还有一层原因：小数据集最多重复八遍，数据少的训练，步数也少。所以这里的 $D$ 把数据量和训练长度混在了一起。
#
# ## 能耗与二氧化碳
#
# $$ \text{能耗} = \text{功率} \times \text{时间}, \qquad \text{CO}_2 = \text{能耗} \times \text{电网因子} $$
#
# **时间**是实测的：每一章的训练都存有记录。（机器上同时有别的工作时，比如 full 那几次，它只是上限。）**功率**没有测，是假设的：
# 按笔记本电脑处理器满载的 20 W 算；10 到 65 W 都说得过去，所以答案只准到三倍以内。**电网因子**取全球平均，2022 年每千瓦时
# 436 克 CO2（[Ember，2023](https://ember-energy.org/latest-insights/global-electricity-review-2023/)）；以水电为主的国家只有它的十分之一，
# 以煤电为主的则是两倍。
#
# 难道没有现成的工具吗？[codecarbon](https://docs.codecarbon.io) 在程序运行时计量能耗，它的 `OfflineEmissionsTracker` 不需要网络，我们试过。
# 系统允许时，它读处理器自带的功率计数器；仓库中的训练是在虚拟机上做的，读不到计数器，它也只能假设一个功率。总数与我们的相近，
# 来路却不同：几乎全算在内存头上，一个满负荷计算的核反倒几乎不耗电。工具给出的位数再多，也不等于测量；要问它读了什么，又假设了什么。

# %% tags=["nbval-ignore-output"]
WATTS, GRAMS_PER_KWH = 20, 436
stored = [results.read(path.stem) for path in sorted(results.FOLDER.glob("*.json")) if path.stem.startswith(("laptop-", "full-"))]
total = 0.0
for run in stored:
    kwh = WATTS * run["cost"]["seconds"] / 3600 / 1000
    total += kwh
    print(f"{run['profile']:7}{run['chapter']:5}{run['cost']['seconds']:9.0f} s {1000 * kwh:9.2f} Wh {GRAMS_PER_KWH * kwh:9.2f} g CO2")
gpt3_mwh, gpt3_tonnes = 1287, 552  # Patterson et al. 2021, https://arxiv.org/abs/2104.10350, table 4
if stored:
    print(f"together · 合计: {1000 * total:.1f} Wh, {GRAMS_PER_KWH * total:.0f} g CO2")
    print(f"GPT-3, published · 公布值: {gpt3_mwh:,} MWh, {gpt3_tonnes} t CO2e: {gpt3_mwh * 1000 / total:,.0f} times the course · 倍于本课程")
else:
    print("这份课程没有附带运行记录 · this copy of the course holds no stored runs")

# %% [markdown] lang="en"
# The last two lines give the proportion: the whole course, all profiles together, comes to grams of CO2; one GPT-3 is millions of such
# courses. The same arithmetic for GPT-3 gives 429 g per kWh, close to our grid factor
# ([Patterson et al. 2021](https://arxiv.org/abs/2104.10350)). BLOOM, of the same size, was trained on French nuclear power: 433 MWh, 25 t
# ([Luccioni et al. 2022](https://arxiv.org/abs/2211.02001)). *Where* a model is trained counts as much as how large it is. These
# numbers leave out making the hardware, cooling, and all the runs that failed.
#
# They leave out the *use* of the model, too. Training costs about $6ND$ FLOPs. Afterwards each token that it reads or writes costs a
# forward pass, about $2N$. So using the model has cost as much as training it after $6ND / 2N = 3D$ tokens. Llama 3.1 learned from $15.6 \cdot 10^{12}$
# tokens ([Meta 2024](https://arxiv.org/abs/2407.21783)): three times that is 47 million million tokens, or a thousand tokens a day for a hundred
# million people, for a bit more than a year.
#
# ## Portability: the same network on other machines
#
# A network trained in Keras should run on a server (SavedModel), on a phone (LiteRT) and in other frameworks (ONNX). A file that loads
# proves little. What we want is the same answers for the same pictures, so we train a network, export it and compare.

# %% [markdown] lang="zh" of="b50b49e8"
# 最后两行给出了比例：整门课程所有配置加在一起，排放以克计；而一个 GPT-3 抵得上几百万门这样的课程。
# 对 GPT-3 做同样的算术，得到每千瓦时 429 克，与我们用的电网因子相近（[Patterson 等，2021](https://arxiv.org/abs/2104.10350)）。
# 同样大小的 BLOOM 用的是法国的核电：433 MWh，25 吨（[Luccioni 等，2022](https://arxiv.org/abs/2211.02001)）。
# 在哪里训练，与模型多大同样重要。制造硬件、冷却，以及所有失败了的训练，这些数值里都没有。
#
# 使用模型所耗的电也没有算。训练大约要 $6ND$ FLOPs；用起来，每读写一个词元做一次前向，大约 $2N$。所以用到 $6ND / 2N = 3D$ 个词元时，
# 使用的计算量就与训练持平了。Llama 3.1 从 $15.6 \cdot 10^{12}$ 个词元里学习（[Meta，2024](https://arxiv.org/abs/2407.21783)），
# 三倍就是 47 万亿个：一亿人每人每天用一千个，一年多一点就用到了。
#
# ## 可移植：同一个网络换一台机器
#
# 用 Keras 训练的网络，应当能在服务器上（SavedModel）、手机上（LiteRT）、别的框架里（ONNX）运行。文件能打开，说明不了多少；
# 同样的图片得到同样的答案才算数。所以我们训练一个网络，导出，再比较。

# %% tags=["nbval-ignore-output"]
digits = datasets.mnist()


def digit_network(rows, name):
    """The course's fast CNN, trained on some rows of the training digits."""
    epochs = choose(smoke=1, laptop=6, full=6)
    keras.utils.clear_session()
    keras.utils.set_random_seed(SEED)
    rate = training.OneCycle(0.01, steps=epochs * -(-len(rows) // 64))
    with strategy.scope():
        model = vision.fast_cnn()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss, steps_per_execution=choose(smoke=1, laptop=16, full=16))
    images, labels = datasets.as_images(digits.x_train[rows]), digits.y_train[rows]
    training.fit(model, images, labels, name=name, epochs=epochs, batch_size=64)
    return model


network = digit_network(np.arange(choose(smoke=1_000, laptop=4_000, full=60_000)), "to carry")
x_test = datasets.as_images(digits.x_test)
few = choose(smoke=2_000, laptop=10_000, full=10_000)
accuracy = training.accuracy(network, x_test[:few], digits.y_test[:few])
results.record("portability.test_accuracy", accuracy, band=choose(smoke=(0.3, 0.97), laptop=(0.968, 0.978), full=(0.985, 0.995)))

# %%
def lite_answers(path, images):
    """What a .tflite file answers, run by the interpreter that TensorFlow ships."""
    with warnings.catch_warnings(), quiet.standard_error_closed():
        warnings.simplefilter("ignore")  # TensorFlow wants the package ai_edge_litert for this; the file is the same
        interpreter = tf.lite.Interpreter(model_path=path)
        place = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(place, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(place, images)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def onnx_answers(path, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return session.run(None, {session.get_inputs()[0].name: images})[0]

# %%
has_onnx = all(importlib.util.find_spec(name) for name in ("onnx", "tf2onnx", "onnxruntime"))
images = x_test[:100]
with tempfile.TemporaryDirectory() as folder, quiet.standard_error_closed():
    network.export(f"{folder}/saved", format="tf_saved_model", verbose=False)
    network.export(f"{folder}/network.tflite", format="litert", verbose=False)
    saved = tf.saved_model.load(f"{folder}/saved")
    answers = {"Keras": network(images), "SavedModel": saved.serve(images)}
    answers["LiteRT"] = lite_answers(f"{folder}/network.tflite", images)
    if has_onnx:
        network.export(f"{folder}/network.onnx", format="onnx", verbose=False)
        answers["ONNX"] = onnx_answers(f"{folder}/network.onnx", images)
proofs.equal({name: answers[name] for name in ("Keras", "SavedModel", "LiteRT")})

# %% tags=["nbval-ignore-output"]
if has_onnx:
    proofs.equal({"Keras": answers["Keras"], "ONNX": answers["ONNX"]})
else:
    print("没有安装 onnx、tf2onnx、onnxruntime，这一格跳过 · packages onnx, tf2onnx, onnxruntime are not installed: skipped")

# %% [markdown] lang="en"
# Scores of a hundred pictures, in three formats, and not one differs by more than the tolerance. (Sixteen-bit or
# eight-bit files would differ: chapter 8a.) ONNX is compared as well where its packages are installed.
#
# ## Multimodal: where pictures and words meet
#
# CLIP ([Radford et al. 2021](https://arxiv.org/abs/2103.00020)) trains two networks, one for pictures, one for texts, so that a
# picture and *its* text land close together and all others far apart. For a batch of $n$ pairs, with unit vectors $u_i$ (pictures), $v_j$
# (texts) and a learned scale $s$:
#
# $$ \ell_{ij} = s\, u_i^\top v_j, \qquad L = -\frac{1}{2n} \sum_i \Big( \log \frac{e^{\ell_{ii}}}{\sum_j e^{\ell_{ij}}} +
#    \log \frac{e^{\ell_{ii}}}{\sum_j e^{\ell_{ji}}} \Big) $$
#
# Each row of the table $\ell$ asks: which text belongs to this picture? Each column asks: which picture belongs to this text? So the loss is the cross
# entropy of chapter 4, twice.
#
# Our pictures are two MNIST digits side by side. Our texts are the number's name, letter by letter, in English **and** in Chinese: *forty-two*,
# 四十二. (Chinese counts in parts: 四十二 is four-ten-two, 十一 is ten-one.) Twenty of the ninety numbers are kept back: no picture and no name of
# them is ever shown in training.

# %% [markdown] lang="zh" of="d35b6e7b"
# 一百张图的分数，三种格式，没有一个超出容差。（若存成十六位或八位，就会有出入，见第 8a 章。）装了 ONNX 的包，也会一并比较。
#
# ## 多模态：图片与词相遇的地方
#
# CLIP（[Radford 等，2021](https://arxiv.org/abs/2103.00020)）训练两个网络，一个看图，一个读文本，让一张图与它自己的文本靠近，
# 与别的文本远离。设一批有 $n$ 对，图片的单位向量为 $u_i$，文本的为 $v_j$，$s$ 是学出来的缩放系数（scale）：
#
# $$ \ell_{ij} = s\, u_i^\top v_j, \qquad L = -\frac{1}{2n} \sum_i \Big( \log \frac{e^{\ell_{ii}}}{\sum_j e^{\ell_{ij}}} +
#    \log \frac{e^{\ell_{ii}}}{\sum_j e^{\ell_{ji}}} \Big) $$
#
# 表 $\ell$ 的每一行问：这张图配哪段文本？每一列问：这段文本配哪张图？所以这个损失就是第 4 章的交叉熵，做两遍。
#
# 我们的图片是并排的两个手写数字，文本是这个数的名字，一个字符一个字符地读，英文**和**中文都有：*forty-two*，四十二。
# 九十个数里扣下二十个，它们的图和名字在训练中从不出现。

# %%
hidden = sorted({11, 12} | {n for n in two_digits.NUMBERS if (2 * (n // 10) + n % 10) % 5 == 0})
seen = [n for n in two_digits.NUMBERS if n not in hidden]
print("never shown · 从不出现:", hidden)
shown = [42, 17, 58, 11]
examples = two_digits.pictures(digits.x_train, digits.y_train, shown, np.random.default_rng(0))
plots.show(
    plots.grid(examples, [f"{two_digits.english(n)} · {two_digits.chinese(n)}" for n in shown], columns=4, size=2.2),
    alt="Four pictures of two handwritten digits each, titled forty-two, seventeen, fifty-eight and eleven, in English and Chinese.",
    alt_zh="四张图，每张是并排的两个手写数字，标题分别是四十二、十七、五十八、十一，中英文都有。",
)

# %% [markdown] lang="en"
# Eleven and twelve are among those kept back. Now the loss, first as the formula says it, then against Keras; its gradient by hand, by
# `GradientTape` and by finite differences.

# %% [markdown] lang="zh" of="aba48f16"
# 11 和 12 也在扣下之列。下面是损失：先照公式写，再与 Keras 对照；梯度则分别用手推、`GradientTape` 和有限差分来算。

# %%
def contrastive_loss(images, texts, scale):
    """The formula above in NumPy: two softmaxes over one table; unit vectors (n, size)."""
    table = scale * images @ texts.T  # (n, n)
    rows = np.log(np.exp(table).sum(axis=1)) - np.diag(table)
    columns = np.log(np.exp(table).sum(axis=0)) - np.diag(table)
    return (rows + columns).mean() / 2


def contrastive_gradient(images, texts, scale):
    """Of the images: the two softmaxes minus the diagonal, times the texts."""
    table = np.exp(scale * images @ texts.T)
    wanted = table / table.sum(axis=1, keepdims=True) + table / table.sum(axis=0) - 2 * np.eye(len(table))
    return scale * wanted @ texts / (2 * len(table))

# %%
random = np.random.default_rng(0)
u, v = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in random.normal(size=(2, 5, 3)))
picture_vectors = tf.constant(u)
with tf.GradientTape() as tape:
    tape.watch(picture_vectors)
    table, pairs = 4.0 * picture_vectors @ tf.transpose(tf.constant(v)), np.arange(5)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = (entropy(pairs, table) + entropy(pairs, tf.transpose(table))) / 2
proofs.equal({"NumPy": contrastive_loss(u, v, 4.0), "Keras, cross entropy twice": loss})
proofs.equal({
    "gradient by hand": contrastive_gradient(u, v, 4.0),
    "GradientTape": tape.gradient(loss, picture_vectors),
    "finite differences": proofs.finite_differences(lambda u: contrastive_loss(u, v, 4.0), u),
})

# %%
def picture_network():
    pictures = keras.Input((28, 56, 1))
    x = pictures
    for channels, size, stride in [(16, 7, 3), (32, 3, 1), (48, 3, 2)]:
        x = layers.Conv2D(channels, size, strides=stride, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(pictures, layers.UnitNormalization()(layers.Dense(64)(layers.Flatten()(x))))


def name_network(in_order):
    """Reads the characters in order (GRU), or as a bag: the ablation."""
    characters = keras.Input((two_digits.LONGEST,), dtype="int32")
    x = layers.Embedding(len(two_digits.CHARACTERS) + 1, 32, mask_zero=True)(characters)
    if in_order:
        x = layers.Bidirectional(layers.GRU(48))(x)
    else:
        x = layers.Dense(96, activation="relu")(layers.GlobalAveragePooling1D()(x))
    return keras.Model(characters, layers.UnitNormalization()(layers.Dense(64)(x)))


print("parameters · 参数:", picture_network().count_params(), [name_network(order).count_params() for order in (True, False)])

# %%
NAMES = {"English": two_digits.english, "Chinese": two_digits.chinese}


def train_pair(in_order, steps):
    """Both networks, trained on batches that hold each seen number once, with its name in both languages."""
    keras.utils.set_random_seed(SEED)
    pictures, names = picture_network(), name_network(in_order)
    log_scale = keras.Variable(np.log(10.0), dtype="float32")
    weights = [*pictures.trainable_variables, *names.trainable_variables, log_scale]
    optimizer = keras.optimizers.Adam(training.OneCycle(4e-3, steps))
    optimizer.build(weights)
    pairs, texts = np.arange(len(seen)), [two_digits.tokens([name(n) for n in seen]) for name in NAMES.values()]

    @tf.function
    def step(batch):
        with tf.GradientTape() as tape:
            u = tf.exp(log_scale) * pictures(batch, training=True)
            tables = [u @ tf.transpose(names(text, training=True)) for text in texts]
            loss = sum(entropy(pairs, table) + entropy(pairs, tf.transpose(table)) for table in tables) / 4
        optimizer.apply(tape.gradient(loss, weights), weights)

    random = np.random.default_rng(SEED)
    for _ in range(steps):
        step(datasets.as_images(two_digits.pictures(digits.x_train, digits.y_train, seen, random)))
    return pictures, names

# %%
def readings(reader, texts, numbers):
    """(asked, read): the nearest of all ninety names, given as vectors, for pictures made of test digits."""
    asked = np.repeat(numbers, choose(smoke=2, laptop=20, full=50))
    pictures = datasets.as_images(two_digits.pictures(digits.x_test, digits.y_test, asked, np.random.default_rng(SEED)))
    u = np.concatenate([reader(pictures[start : start + 200]) for start in range(0, len(pictures), 200)])
    return asked, np.array(two_digits.NUMBERS)[(u @ np.transpose(texts)).argmax(axis=1)]

# %% [markdown] lang="en" tags=["predict"]
# All checks agree. `name_network` comes in two versions: one reads the characters in order, with a GRU, the other sees a **bag of characters**
# and cannot know their order. That is our ablation. (The bag's network is also smaller: see the printed numbers of parameters.) Each picture
# is then given the nearest of all ninety names.
#
# **Predict:** will the network recognise 42, never shown, after 40, 41, 32 and 52? And 11? In English? In Chinese?

# %% [markdown] lang="zh" of="d71eaba5" tags=["predict"]
# 几种算法的结果都一致。`name_network` 有两个版本：一个用 GRU 按次序读字符，另一个只看到“一袋字符”（bag of characters），
# 不知道先后，这就是我们的消融实验。（后者的网络也小一些，见打印的参数个数。）识别时，给每张图找出九十个名字里最近的一个。
#
# **先猜：** 42 没教过，但教过 40、41、32、52，它认得出 42 吗？11 呢？用英文呢？用中文呢？

# %% tags=["nbval-ignore-output"]
steps = choose(smoke=20, laptop=300, full=1_500)
pairs = {"in_order": train_pair(True, steps), "bag": train_pair(False, steps)}
in_laptop = {
    "in_order.english_seen": (0.925, 0.965), "in_order.english_hidden": (0.76, 0.93), "in_order.english_eleven_twelve": (0, 0),
    "in_order.chinese_seen": (0.936, 0.972), "in_order.chinese_hidden": (0.875, 1), "in_order.chinese_eleven_twelve": (0.925, 1),
    "bag.english_seen": (0.903, 0.933), "bag.english_hidden": (0.52, 0.96), "bag.english_eleven_twelve": (0, 0),
    "bag.chinese_seen": (0.49, 0.605), "bag.chinese_hidden": (0, 0.73), "bag.chinese_eleven_twelve": (0.625, 1),
}
in_smoke = {"in_order.english_seen": (0.04, 0.44), "in_order.chinese_seen": (0.15, 0.42)}  # the others: too few pictures
share = {}
for kind, (pictures, names) in pairs.items():
    for language, name in NAMES.items():
        texts = names(two_digits.tokens([name(n) for n in two_digits.NUMBERS]))
        for group, numbers in [("seen", seen), ("hidden", [n for n in hidden if n not in (11, 12)]), ("eleven_twelve", [11, 12])]:
            asked, read = readings(pictures, texts, numbers)
            share[kind, language, group] = (asked == read).mean()
            name_of_it = f"{kind}.{language.lower()}_{group}"
            band = choose(smoke=in_smoke.get(name_of_it), laptop=in_laptop[name_of_it], full=None)
            results.record(name_of_it, share[kind, language, group], band=band, digits=3)

# %% tags=["plot"]
figure, axis = plt.subplots(figsize=(9, 3.6))
groups = ["seen", "hidden", "eleven_twelve"]
for place, (kind, language) in enumerate((kind, language) for kind in pairs for language in NAMES):
    heights = [share[kind, language, group] for group in groups]
    style = {"color": plots.COLORS[place], "hatch": ["", "//", "", "//"][place], "alpha": 1 if kind == "in_order" else 0.45}
    axis.bar(np.arange(3) + 0.2 * place - 0.3, heights, 0.19, label=f"{language}, {kind.replace('_', ' ')}", edgecolor="w", **style)
axis.axhline(1 / 90, color="k", linestyle=":", linewidth=1)
axis.set(xticks=range(3), xticklabels=["numbers seen in training", "never seen", "11 and 12, never seen"], ylabel="share read rightly", ylim=(0, 1.32))
axis.set_title("Which of ninety names is nearest? (dotted: guessing)")
axis.legend(fontsize=8, ncols=4, loc="upper center")
plots.show(
    figure,
    alt="Share of numbers read rightly. Names read in order: seen numbers high in both languages, numbers never seen high too, higher in "
    "Chinese; 11 and 12 work in Chinese and fail in English. As a bag of characters Chinese loses most.",
    alt_zh="读对的比例。按次序读名字：见过的数两种语言都高，没见过的数也高，中文更高；11 和 12 中文读得出，英文完全不行。"
    "把字符当成一袋来读，中文损失最大。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** With names read in order (solid bars), numbers that were never shown are recognised in {{in_order.english_hidden:.0%}} of cases in
# English and in {{in_order.chinese_hidden:.0%}} in Chinese (three seeds: {{seeds:in_order.english_hidden:.0%}} and
# {{seeds:in_order.chinese_hidden:.0%}}). The networks have learned digits by position and words by position, not a list of seventy numbers.
# But *eleven* and *twelve* are not made of parts. Where no bar stands, the share is zero: no skill can guess these two words, English has to be told. 十一 and 十二
# *are* made of parts, and are recognised ({{in_order.chinese_eleven_twelve:.0%}}) without ever having been seen. The language of the labels is part of the model.
#
# The pale bars show what order is worth. For a bag of characters 四十二 (42) and 二十四 (24) are the same, and the share of seen Chinese numbers falls to
# {{bag.chinese_seen:.0%}}. In English the tens and the ones are spelled differently (*forty-two*, *twenty-four*), so a bag is nearly
# enough. (What English does lose may be due to order or to the smaller network: this comparison does not separate them.)
#
# One bar is higher than it should be. 十一 survives even in the bag, because there is no number 一十 to mistake it for. 十二 does not really: it is the
# same bag as 二十 (20), the two names tie, and `argmax` takes the first in the list. So pictures of 12 count as right, and those of 20 are taken for 12.
#
# Below, the same space is used for **search**: each picture with its nearest name in each language. Every number shown was kept back.

# %% [markdown] lang="zh" of="de0e2e9d" tags=["answer"]
# **答案。** 按次序读名字时（实心柱），没教过的数，英文认出 {{in_order.english_hidden:.0%}}，中文认出 {{in_order.chinese_hidden:.0%}}
# （三个种子：{{seeds:in_order.english_hidden:.0%}} 和 {{seeds:in_order.chinese_hidden:.0%}}）。网络学会的是“这个位置上的数字”和“这个位置上的词”，
# 不是七十个数的清单。但 *eleven* 和 *twelve* 不是由部件拼成的：没有柱子的地方就是零，本事再大也猜不出这两个词，英文只能死记。
# 十一、十二是拼成的，没见过也认得出（{{in_order.chinese_eleven_twelve:.0%}}）。标签用什么语言，也是模型的一部分。
#
# 浅色柱说明次序值多少。对一袋字符来说，四十二和二十四没有区别，见过的中文数因此降到 {{bag.chinese_seen:.0%}}。
# 英文里十位和个位拼写不同（*forty-two*、*twenty-four*），所以一袋字符也差不多够用。（英文少掉的那一点，可能是因为没有次序，也可能是因为网络小，
# 这个对比分不开两者。）
#
# 有一根柱子偏高。十一装进袋子里也认得出，因为没有“一十”这个数可以混淆；十二却不是真的认得出：它与二十是同一袋字符，
# 两个名字得分相同，`argmax` 取排在前面的那个。于是 12 的图算认对了，20 的图则认成 12。
#
# 下面用同一个空间来**搜索**：给每张图找出每种语言里最近的名字。图里的数全是扣下没教的。

# %% tags=["hero", "nbval-ignore-output"]
asked = np.array([n for n in hidden if n not in (12,)][:: choose(smoke=9, laptop=3, full=3)])
pictures = two_digits.pictures(digits.x_test, digits.y_test, asked, np.random.default_rng(SEED + 1))
u = pairs["in_order"][0](datasets.as_images(pictures))
found = []
for name in NAMES.values():
    every = [name(n) for n in two_digits.NUMBERS]
    nearest = (u @ tf.transpose(pairs["in_order"][1](two_digits.tokens(every)))).numpy().argmax(axis=1)
    found.append([every[place] for place in nearest])
plots.show(
    plots.grid(pictures, [f"{english}\n{chinese}" for english, chinese in zip(*found, strict=True)], columns=4, size=2.0),
    alt="Pictures of two-digit numbers that were never shown in training, each with the nearest name in English and in Chinese.",
    alt_zh="训练中从未出现过的两位数图片，每张配上英文和中文里最近的名字。",
)

# %% [markdown] lang="en"
# There is the picture from the top of the chapter. The network has never met the word *eleven*; among the ninety names, *fourteen* lies nearest to the picture.
#
# ## Good on average, but good for whom?
#
# The network of the portability section classifies most digits correctly. Now we ask for one group at a time. People write with different slants; a
# digit's **slant** is how far its ink moves sideways per row upwards. We measure it as one fits a line to points, by the ink's covariance of row and column divided by the
# variance of the row:
#
# $$ \text{slant} = -\frac{\sum p\,(r - \bar r)(c - \bar c)}{\sum p\,(r - \bar r)^2} \qquad (p\text{: ink}, r\text{: row}, c\text{: column}) $$
#
# Our group are the digits that lean back most, eight in a hundred. Three training sets of the **same size** contain none of the group, a
# few, and many. A share $\hat p$ of $n$ examples is uncertain, so each point has Wilson's interval ([Wilson 1927](https://doi.org/10.1080/01621459.1927.10502953)):
#
# $$ \frac{1}{1 + z^2/n}\left( \hat p + \frac{z^2}{2n} \pm z \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4n^2}} \right), \quad z = 1.96 $$

# %% [markdown] lang="zh" of="d7eba5bd"
# 这就是章首那张图。网络从没见过 eleven 这个词，九十个名字里离这张图最近的，是 fourteen。
#
# ## 平均很好：对谁好？
#
# “可移植”一节的网络，多数手写数字都认得对。现在一群一群地问。各人写字的斜度不同；一个字的**斜度**，是每往上走一行，墨迹横向偏移多少。
# 算法与给点拟合直线相同：墨迹的行与列的协方差，除以行的方差。
#
# $$ \text{斜度} = -\frac{\sum p\,(r - \bar r)(c - \bar c)}{\sum p\,(r - \bar r)^2} \qquad (p\text{：墨量}, r\text{：行}, c\text{：列}) $$
#
# 我们关心的这一群，是往后仰得最厉害的，一百个里有八个。准备三个**同样大小**的训练集：不含这一群、含一点、含许多。
# $n$ 个样本里的比例 $\hat p$ 本身有不确定性，所以每个点都带上 Wilson 区间
# （[Wilson，1927](https://doi.org/10.1080/01621459.1927.10502953)）：
#
# $$ \frac{1}{1 + z^2/n}\left( \hat p + \frac{z^2}{2n} \pm z \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4n^2}} \right), \quad z = 1.96 $$

# %%
def slant(images):
    """Sideways per row upwards, (n,); 0 upright, below 0 leaning back."""
    ink = images / images.sum(axis=(1, 2), keepdims=True)  # (n, 28, 28), sums to 1
    row, column = np.mgrid[:28, :28]
    down = row - (ink * row).sum(axis=(1, 2))[:, None, None]
    right = column - (ink * column).sum(axis=(1, 2))[:, None, None]
    return -(ink * down * right).sum(axis=(1, 2)) / (ink * down**2).sum(axis=(1, 2))


train_slant, test_slant = (
    np.concatenate([slant(part[start : start + 2_000].astype("float64")) for start in range(0, len(part), 2_000)])
    for part in (digits.x_train, digits.x_test))
limit = np.quantile(train_slant, 0.08)  # from the training digits
group, in_group = train_slant < limit, test_slant < limit
print(f"group · 这一群: slant < {limit:.2f}, {in_group.sum()} of {len(in_group):,} test digits · 测试数字")
order = np.argsort(test_slant)[[20, 100, 300, 700, 3000, 5000, 7000, 9000, 9800, 9980]]
plots.show(
    plots.grid(digits.x_test[order], [f"{value:+.2f}" for value in test_slant[order]], columns=10, size=0.95),
    alt="Ten digits from leaning far back to leaning far forward, with their slants.",
    alt_zh="十个数字，从后仰最厉害的到前倾最厉害的，各标出斜度。",
)

# %% [markdown] lang="en" tags=["predict"]
# Ten examples from the whole range, the first four of them leaning back. Look closely at those four: *which* digits are they?
#
# **Predict:** with none of the group in training, how far below the others will it be? And how much does it gain when a tenth of the training set is from the group?

# %% [markdown] lang="zh" of="2eb80f8c" tags=["predict"]
# 十个例子，从最后仰到最前倾，前四个属于这一群。请看仔细：这四个分别是什么数字？
#
# **先猜：** 训练集里一个也没有时，这一群比其余样本低多少？占到十分之一时，又能提高多少？

# %% tags=["nbval-ignore-output"]
def wilson(right, total, z=1.96):
    """Wilson's interval for a share: (lowest, highest)."""
    share, spread = right / total, z**2 / total
    middle, half = share + spread / 2, z * np.sqrt(share * (1 - share) / total + spread / total / 4)
    return (middle - half) / (1 + spread), (middle + half) / (1 + spread)


count, random = choose(smoke=1_000, laptop=4_000, full=40_000), np.random.default_rng(SEED)
of_group, of_others = (random.permutation(np.flatnonzero(which)) for which in (group, ~group))
bands = {0.0: choose(smoke=(0.1, 1), laptop=(0.857, 0.941), full=(0.9, 1)), 0.02: choose(smoke=(0.1, 1), laptop=(0.902, 0.953), full=(0.9, 1)),
         0.1: choose(smoke=(0.1, 1), laptop=(0.906, 0.989), full=(0.95, 1))}
by_share = {}
for share_of_group, band in bands.items():
    few = int(share_of_group * count)
    rows = np.concatenate([of_group[:few], of_others[: count - few]])
    model = digit_network(rows, f"group {share_of_group}")
    for who, belongs in [("group", in_group), ("others", ~in_group)]:
        chosen = np.flatnonzero(belongs)[: choose(smoke=500, laptop=None, full=None)]
        by_share[share_of_group, who] = training.accuracy(model, x_test[chosen], digits.y_test[chosen])
    results.record(f"slices.group_accuracy_at_{share_of_group:.0%}".replace("%", "_percent"), by_share[share_of_group, "group"], band=band)
    results.record(f"slices.others_accuracy_at_{share_of_group:.0%}".replace("%", "_percent"), by_share[share_of_group, "others"])

# %% tags=["plot"]
figure, axis = plt.subplots(figsize=(7, 3.4))
for place, (who, total) in enumerate([("others", (~in_group).sum()), ("group", in_group.sum())]):
    values = [by_share[one, who] for one in bands]
    ends = [wilson(value * total, total) for value in values]
    error = [[value - low for value, (low, _) in zip(values, ends, strict=True)], [high - value for value, (_, high) in zip(values, ends, strict=True)]]
    label = "digits that lean back" if who == "group" else "all other digits"
    axis.errorbar(np.arange(3) + 0.08 * place, values, error, fmt=plots.MARKERS[place], color=plots.COLORS[place], capsize=4, label=label)
axis.set(xticks=range(3), xticklabels=[f"{one:.0%} of training" for one in bands], ylabel="test accuracy", title="Same network, same number of digits", xlim=(-0.4, 2.5))
axis.legend()
plots.show(
    figure,
    alt="Test accuracy of digits that lean back and of all others for three training sets. With none of the group in training the gap is "
    "widest; with a tenth it is much narrower; the others lose nothing.",
    alt_zh="后仰的数字与其余数字在三个训练集下的测试准确率：训练中完全没有这一群时差距最大，占十分之一时差距明显缩小，其余数字并没有吃亏。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Without any of them in training, {{slices.group_accuracy_at_0_percent:.1%}} of the group are classified correctly. With a tenth of the training
# set, {{slices.group_accuracy_at_10_percent:.1%}} of the *same* test digits are (three seeds: {{seeds:slices.group_accuracy_at_0_percent:.1%}}, then
# {{seeds:slices.group_accuracy_at_10_percent:.1%}}). The others stay at {{slices.others_accuracy_at_0_percent:.1%}} and
# {{slices.others_accuracy_at_10_percent:.1%}}: they lose nothing that can be measured. Nobody wrote "treat them worse" into the program. The group was
# missing from the data, and the average hid it.
#
# So the data matter. But how large is the *gap* between the groups, and does it close? Here be careful: the picture of examples showed a 4, a 7, a 4 and a 9. In MNIST
# hardly any zeros and few ones lean back, and these two are usually the easiest digits. The others contain them, the group hardly does. So even with a perfectly fair training set there is no reason
# to expect a gap of zero: we compare different *digits* as well as different slants. What the figure can show is the rise of each row, which compares the same test
# digits with themselves. To compare the rows with each other, give the others the group's mix of digits first: accuracy per digit, averaged with the
# group's shares. We have not done that here; with `digits.y_test` it takes a few lines, and you should try it. **First compare like with like.**
#
# So: report groups, with intervals, beside every average; ask what else differs between them; look at who collected the data. Search many groups, and one will look
# bad by chance. With people, the same has been measured: darker-skinned women and face analysis
# ([Buolamwini and Gebru 2018](http://proceedings.mlr.press/v81/buolamwini18a.html)); a hospital algorithm that took *costs* for *need* and
# so passed over Black patients ([Obermeyer et al. 2019](https://doi.org/10.1126/science.aax2342)).
#
# ## How a large model is chosen and trained in practice
#
# - **Choose**: is there a pre-trained model that fits the task, the language, the licence and the machine? Usually yes; adapt it (8b). Compare it with a simple
#   baseline first.
# - **Clean the data**: exact and near duplicates out (they are memorised, and leak into the test: [Lee et al. 2021](https://arxiv.org/abs/2107.06499)), personal data out,
#   test sets out. Write down where it came from ([datasheets](https://arxiv.org/abs/1803.09010)).
# - **More from less**: augmentation (2a), synthetic data where its mistakes can be checked, labels from people for the hard cases.
# - **Train small first**: find the learning rate and the law on small runs, then one large run on a cloud or cluster, with checkpoints, since machines
#   fail. The same code runs there through `tf.distribute` (9).
# - **Release and watch**: a [model card](https://arxiv.org/abs/1810.03993) with numbers for groups, an audit by somebody else, a way to complain, and monitoring: the
#   world moves away from the training data.
#
# ## Society: what was measured, and the rules
#
# - **Jobs.** About 5,000 customer-support agents with an assistant
#   solved 14 % more problems per hour ([Brynjolfsson, Li and Raymond 2023](https://doi.org/10.3386/w31161));
#   beginners gained most, experts almost nothing. Which jobs *could* be affected has been estimated from task descriptions
#   ([Eloundou et al. 2023](https://arxiv.org/abs/2303.10130)): an estimate of exposure, not of what will happen.
# - **Education.** With GPT-4 at hand, pupils' practice marks rose
#   by 48 %. Once it was taken away, they were 17 % below pupils who had never had it ([Bastani et al. 2025](https://doi.org/10.1073/pnas.2422633122)).
#   A version that gave hints instead of answers avoided the loss. Our hints are folded for that reason.
# - **Medicine.** In a Swedish trial with 80,000 women, radiologists with an AI found at least as many cancers in screening,
#   with 44 % less reading ([Lång et al. 2023](https://doi.org/10.1016/S1470-2045(23)00298-X)). Measured where it is used, with a control group: that is the standard.
# - **Over-reliance.** People accept an automatic suggestion too readily, experts too, and a warning does not cure it
#   ([Parasuraman and Manzey 2010](https://doi.org/10.1177/0018720810376055)).
# - **Rules.** The EU's [AI Act](https://eur-lex.europa.eu/eli/reg/2024/1689/oj) (2024) sorts uses by risk, forbids a few, and wants records and human oversight for
#   high-risk ones. For large general-purpose models it uses this chapter's formula: since August 2025 their makers have duties of documentation, and above $10^{25}$ FLOPs of
#   training a systemic risk is presumed (article 51). Llama 3.1: $6ND = 6 \cdot 405 \cdot 10^9 \cdot 15.6 \cdot 10^{12} = 3.8 \cdot 10^{25}$, so it is above.
#   China's [interim measures](https://www.cac.gov.cn/2023-07/13/c_1690898327029107.htm) (2023) ask of public generative services lawful training data, labels on
#   generated content and a channel for complaints. The US National Institute of Standards and Technology (NIST) offers a voluntary [risk framework](https://doi.org/10.6028/NIST.AI.100-1) (2023).
#   None of them measures anything by itself: they ask for numbers like those of this chapter.
#
# ## Clinic: "quantum computing solves the compute problem"
#
# This cannot be measured on your machine, so here is the state of the evidence and one calculation. For searching and many kinds of optimisation a quantum computer
# offers a *quadratic* speed-up: $\sqrt{n}$ steps instead of $n$ ([Grover 1996](https://arxiv.org/abs/quant-ph/9605043)). But its steps are slow, since errors must be
# corrected. If a classical machine makes $f_c$ steps per second and a quantum one $f_q$, the quantum one wins only beyond
#
# $$ \frac{\sqrt{n}}{f_q} = \frac{n}{f_c} \quad\Rightarrow\quad n = \left(\frac{f_c}{f_q}\right)^2, \qquad \text{after } t = \frac{f_c}{f_q^2} \text{ seconds.} $$

# %% [markdown] lang="zh" of="e97fdf10" tags=["answer"]
# **答案。** 训练集里一个也没有时，这一群认对 {{slices.group_accuracy_at_0_percent:.1%}}；占到十分之一时，同样这些测试样本认对
# {{slices.group_accuracy_at_10_percent:.1%}}（三个种子：先是 {{seeds:slices.group_accuracy_at_0_percent:.1%}}，后是
# {{seeds:slices.group_accuracy_at_10_percent:.1%}}）。其余样本分别是 {{slices.others_accuracy_at_0_percent:.1%}} 和
# {{slices.others_accuracy_at_10_percent:.1%}}，没有测得出的损失。程序里没有哪一行写着“对他们差一点”：是数据里缺了这一群，而平均分把它盖住了。
#
# 所以数据很重要。可是两群之间的差距究竟有多大，补不补得平？这里要小心：上面的例子里，后仰的四个是 4、7、4、9。MNIST 里几乎没有后仰的 0，
# 后仰的 1 也很少，而 0 和 1 通常最好认。其余样本里有它们，这一群里几乎没有。所以就算训练集完全公平，也没有理由指望差距是零：我们比的不只是斜度，还有不同的数字。
# 这张图能说明的，是每一排点自己的上升，那是同一批测试样本自己与自己比。两排之间要比，得先让其余样本的数字构成与这一群相同：
# 分别算每个数字的准确率，再按这一群的构成加权平均。这一步我们没有做；有了 `digits.y_test`，几行就够，请你试试。
# **要比较，先让比较的双方可比。**
#
# 所以，每报一个平均数，旁边都报各群的准确率和区间；问一问两群还有什么不同；再看看数据是谁收集的。群分得足够多，总有一群会碰巧显得差。
# 同样的事在人身上也测到过：深肤色女性与人脸分析（[Buolamwini 与 Gebru，2018](http://proceedings.mlr.press/v81/buolamwini18a.html)）；
# 一个医院的算法把花费当成需要，于是漏掉了黑人患者（[Obermeyer 等，2019](https://doi.org/10.1126/science.aax2342)）。
#
# ## 实践中怎样选择和训练大模型
#
# - **选**：有没有现成的预训练模型，任务、语言、许可、机器都合适？多半有，那就去适配它（第 8b 章）。先和一个简单的基线比一比。
# - **清洗数据**：去掉完全重复和近似重复的内容（它们会被背下来，还会漏进测试集：[Lee 等，2021](https://arxiv.org/abs/2107.06499)），
#   去掉个人信息，去掉测试集；写明来源（[datasheets](https://arxiv.org/abs/1803.09010)）。
# - **少中求多**：数据增强（第 2a 章）；合成数据，前提是错误查得出来；难的样本请人来标。
# - **先练小的**：在小规模上找学习率、拟合定律，再到云上或集群上训练一次大的，记得存检查点，因为机器会坏。同样的代码靠 `tf.distribute` 就能在那里运行（第 9 章）。
# - **发布之后接着看**：[模型卡](https://arxiv.org/abs/1810.03993) 要有各群的数值；请别人来审计；留一条申诉的渠道；持续监测，因为世界会渐渐偏离训练数据。
#
# ## 社会：测到了什么，有哪些法规
#
# - **就业。** 约 5,000 名客服用上助手之后，
#   每小时多解决 14% 的问题（[Brynjolfsson、Li 与 Raymond，2023](https://doi.org/10.3386/w31161)）；新手受益最大，老手几乎没有变化。哪些工作可能受影响，有人根据任务描述估计过
#   （[Eloundou 等，2023](https://arxiv.org/abs/2303.10130)）：估计的是“暴露程度”，不是将会发生什么。
# - **教育。** 手边有 GPT-4 时，学生的练习成绩提高了
#   48%；拿走之后，却比从没用过的学生低 17%（[Bastani 等，2025](https://doi.org/10.1073/pnas.2422633122)）。
#   改成只给提示、不给答案的版本，就没有这个损失。本课程把提示折叠起来，道理也在这里。
# - **医疗。** 瑞典一项八万名女性参加的试验里，放射科医生借助 AI，筛查出的癌症不少于对照组，
#   而读片量少了 44%（[Lång 等，2023](https://doi.org/10.1016/S1470-2045(23)00298-X)）。在实际使用的地方、带着对照组来测：这才是标准。
# - **过度依赖。** 人太容易接受自动给出的建议，专家也一样，提醒一句治不了
#   （[Parasuraman 与 Manzey，2010](https://doi.org/10.1177/0018720810376055)）。
# - **法规。** 欧盟的[《人工智能法》](https://eur-lex.europa.eu/eli/reg/2024/1689/oj)（2024）按风险给用途分级，禁止少数几种，要求高风险用途留存记录并有人监督。
#   对通用大模型，它用的正是本章的公式：2025 年 8 月起，提供者有编制文档等义务；训练计算量超过 $10^{25}$ FLOPs 的，推定具有系统性风险（第 51 条）。
#   Llama 3.1 的 $6ND = 6 \cdot 405 \cdot 10^9 \cdot 15.6 \cdot 10^{12} = 3.8 \cdot 10^{25}$，已经超过。
#   中国的[《生成式人工智能服务管理暂行办法》](https://www.cac.gov.cn/2023-07/13/c_1690898327029107.htm)（2023）要求面向公众的服务训练数据合法、
#   生成内容有标识、投诉有渠道。美国国家标准与技术研究院（NIST）提供自愿采用的[风险管理框架](https://doi.org/10.6028/NIST.AI.100-1)（2023）。
#   法规本身并不测量，它们要的正是本章这样的数据。
#
# ## 门诊：“量子计算会解决算力问题”
#
# 这件事在你的机器上测不了，所以这里给出证据的现状和一笔账。对搜索和许多优化问题，量子计算机带来的是平方加速：用 $\sqrt{n}$ 步代替 $n$ 步
# （[Grover，1996](https://arxiv.org/abs/quant-ph/9605043)）。可是它每一步都慢，因为要纠错。设经典机器每秒走 $f_c$ 步，量子机器走 $f_q$ 步，
# 那么只有超过下面这个规模，量子机器才占上风：
#
# $$ \frac{\sqrt{n}}{f_q} = \frac{n}{f_c} \quad\Rightarrow\quad n = \left(\frac{f_c}{f_q}\right)^2, \qquad \text{需要 } t = \frac{f_c}{f_q^2} \text{ 秒。} $$

# %%
print(f"{'classical steps/s':>18}{'quantum steps/s':>17}{'wins beyond n':>16}{'after':>16}")
for classical, quantum in [(1e9, 1e4), (1e13, 1e4), (1e13, 1e6)]:
    seconds = classical / quantum**2
    years_ = seconds / 3600 / 24 / 365
    print(f"{classical:18.0e}{quantum:17.0e}{(classical / quantum) ** 2:16.0e}{seconds:14.0f} s" + (f"  ({years_:.2f} years · 年)" if years_ > 0.01 else ""))

# %% [markdown] lang="en"
# The first row is one processor core against an optimistic error-corrected machine, the second a graphics processor,
# the third the same against a quantum machine a hundred times as fast. Ten seconds, a day: that sounds good. But this
# calculation lets a step cost one operation. A real step evaluates the whole problem once. If that takes $M$ operations, both
# speeds fall by a factor of $M$, and the break-even time $f_c / f_q^2$ grows by the same factor: with a million operations per step, the second
# row becomes three thousand years. That is why a quadratic speed-up alone does not pay ([Hoefler, Häner and Troyer
# 2023](https://doi.org/10.1145/3571725)).
#
# Exponential speed-ups are known for factoring and hoped for in chemistry, where the evidence is disputed
# ([Lee et al. 2023](https://doi.org/10.1038/s41467-023-37587-6)). For learning, the promised ones need the data
# in quantum memory first ([Aaronson 2015](https://doi.org/10.1038/nphys3272)), and some lost their advantage when better classical methods were found
# ([Tang 2018](https://arxiv.org/abs/1807.04271)). No training of a large model on a quantum computer has been shown to be faster. "Solves" is the wrong word; "might one day help with
# parts" is what the evidence supports.
#
# ### Exercise 1 · easy — grams of CO2
#
# Write `grams(watts, seconds, grams_per_kwh)`. Then: how much does a night (eight hours) on a 300 W graphics card emit in your country?

# %% [markdown] lang="zh" of="80f0e361"
# 第一行拿一个处理器核心，与一台按乐观估计的纠错量子计算机相比；第二行换成一块图形处理器；第三行还是它，但量子计算机的速度是前面的一百倍。十秒、一天，听上去不错。
# 可是这笔账把一步只算作一次运算。真正的一步要把整个问题计算一遍：如果一步要 $M$ 次运算，两边的速度都降到 $1/M$，
# 打平所需的时间 $f_c / f_q^2$ 就变成 $M$ 倍。一步一百万次运算时，第二行就成了三千年。所以单靠平方加速是不划算的（[Hoefler、Häner 与 Troyer，
# 2023](https://doi.org/10.1145/3571725)）。
#
# 指数加速在因数分解上是已知的，在化学上还只是希望，证据有争议（[Lee 等，2023](https://doi.org/10.1038/s41467-023-37587-6)）。
# 至于学习，那些被许诺的加速都要先把数据装进量子存储器（[Aaronson，2015](https://doi.org/10.1038/nphys3272)），
# 其中一些在更好的经典算法出现后就失去了优势（[Tang，2018](https://arxiv.org/abs/1807.04271)）。
# 至今没有人演示过用量子计算机训练大模型更快。“解决”这个词用错了；证据支持的说法是“将来也许能帮上一部分忙”。
#
# ### 练习 1 · 易 —— 多少克二氧化碳
#
# 写出 `grams(watts, seconds, grams_per_kwh)`。然后算一算：一块 300 W 的显卡跑一夜（八小时），在你所在的地方排放多少？

# %% tags=["exercise"]
def grams(watts, seconds, grams_per_kwh):
    """CO2 in grams of a machine of `watts` that runs for `seconds`."""
    ### BEGIN SOLUTION
    kilowatt_hours = watts / 1000 * seconds / 3600
    return kilowatt_hours * grams_per_kwh
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08.grams", grams)

# %% [markdown] lang="en" tags=["hint"]
# A watt is one joule per second. How many watts are a kilowatt, how many seconds are an hour? A kilowatt-hour is a kilowatt *times* an hour.

# %% [markdown] lang="zh" of="7f7df2d7" tags=["hint"]
# 一瓦是每秒一焦耳。多少瓦是一千瓦？多少秒是一小时？千瓦时是千瓦**乘以**小时。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — is the difference real?
#
# Write `two_shares(right_1, total_1, right_2, total_2)`: the *z* value of the difference of two shares, with the pooled share $p$ of both groups together,
# $z = (p_1 - p_2) / \sqrt{p (1 - p) (1/n_1 + 1/n_2)}$. When $|z|$ exceeds 1.96, chance alone is a poor explanation. Try
# it on the group of digits, before and after a tenth of the training set came from it.

# %% [markdown] lang="zh" of="a9125a62"
# ### 练习 2 · 中 —— 这个差别是真的吗？
#
# 写出 `two_shares(right_1, total_1, right_2, total_2)`：两个比例之差的 $z$ 值，其中 $p$ 是两群合在一起的比例，
# $z = (p_1 - p_2) / \sqrt{p (1 - p) (1/n_1 + 1/n_2)}$。$|z|$ 超过 1.96 时，单用偶然就很难解释了。
# 拿后仰的这一群试试：训练集里没有它时，和它占十分之一时。

# %% tags=["exercise"]
def two_shares(right_1, total_1, right_2, total_2):
    """z of the difference of two shares."""
    ### BEGIN SOLUTION
    pooled = (right_1 + right_2) / (total_1 + total_2)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / total_1 + 1 / total_2))
    return (right_1 / total_1 - right_2 / total_2) / spread
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08.two_shares", two_shares)

# %% [markdown] lang="en" tags=["hint"]
# Pooled means: all correct answers divided by all examples, not the mean of the two shares. The sign tells which group is better.

# %% [markdown] lang="zh" of="c439ddd4" tags=["hint"]
# 合在一起的比例，是全部答对的除以全部样本，不是两个比例的平均。正负号说明哪一群更好。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — find its text
#
# Write `retrieve(pictures, texts, best)` for unit vectors $(n, \text{size})$ and $(m, \text{size})$: for each picture the positions of the `best` nearest texts, nearest first, as $(n, \text{best})$.
#
# Retrieval-augmented generation (RAG) starts like this: find the passages nearest to the question, then let a language model answer with them in view. In a search engine
# $m$ is a billion; why is one matrix product still the core of it?

# %% [markdown] lang="zh" of="5025614a"
# ### 练习 3 · 难 —— 找到配它的文本
#
# 设单位向量的形状为 $(n, \text{size})$ 和 $(m, \text{size})$。写出 `retrieve(pictures, texts, best)`：对每张图给出最近的 `best` 段文本的位置，最近的在前，
# 形状为 $(n, \text{best})$。
#
# 检索增强生成（retrieval-augmented generation，RAG）的第一步就是它：先找出离问题最近的几段文字，再让语言模型看着它们回答。
# 搜索引擎里 $m$ 有十亿，为什么核心仍然是一次矩阵乘法？

# %% tags=["exercise"]
def retrieve(pictures, texts, best):
    """Places of the nearest texts of each picture, int (n, best)."""
    ### BEGIN SOLUTION
    nearness = pictures @ texts.T  # (n, m), cosines
    return np.argsort(-nearness, axis=1)[:, :best]
    ### END SOLUTION

# %% tags=["check"]
exercises.check("08.retrieve", retrieve)

# %% [markdown] lang="en" tags=["hint"]
# For unit vectors the product is the cosine: large means near. `argsort` sorts upwards. Along which axis do the texts lie?
# (And with a billion texts one still multiplies query vectors by text vectors; an index only chooses which of them are worth it.)

# %% [markdown] lang="zh" of="c9822de6" tags=["hint"]
# 单位向量的内积就是余弦：越大越近。`argsort` 是从小到大排的。文本在哪一条轴上？
# （有十亿段文本时，做的仍是查询向量乘文本向量；索引只是先挑出值得去乘的那些。）

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("08")

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - A scaling law describes the runs it was fitted to within {{scaling.relative_error_of_fit:.1%}}; fitted to the small ones, it missed the largest by {{scaling.miss_of_largest:.2f}} nats, outside its own bootstrap interval.
# - The exponent that splits a budget came out anywhere from {{seeds:scaling.exponent_of_best_size:.2f}} in three seeds: too uncertain to use.
# - The exported network (test accuracy {{portability.test_accuracy:.1%}}) gives the same answers in Keras, SavedModel and LiteRT.
# - Numbers never shown: {{in_order.english_hidden:.0%}} recognised in English, {{in_order.chinese_hidden:.0%}} in Chinese; 11 and 12: {{in_order.english_eleven_twelve:.0%}} and {{in_order.chinese_eleven_twelve:.0%}}.
# - Digits that lean back: {{slices.group_accuracy_at_0_percent:.1%}} when they are missing in training, {{slices.group_accuracy_at_10_percent:.1%}} when they are a tenth of it; the others do not lose.
#
# | | formula card |
# |---|---|
# | scaling law | $L = E + A N^{-\alpha} + B D^{-\beta}$ |
# | best split of a budget $C = 6ND$ | $N \propto C^{\beta/(\alpha+\beta)}$, $D \propto C^{\alpha/(\alpha+\beta)}$ |
# | training, use | $6ND$ FLOPs, $2N$ per token: equal after $3D$ tokens |
# | energy, CO2 | power × time, energy × grid factor |
# | contrastive loss | cross entropy along the rows and along the columns of $s\,u_i^\top v_j$ |
# | two shares | $z = (p_1 - p_2) / \sqrt{p(1-p)(1/n_1 + 1/n_2)}$ |

# %% [markdown] lang="zh" of="8d4ed7a6" tags=["summary"]
# ## 你测到了什么
#
# - 缩放定律描述参与拟合的训练，误差 {{scaling.relative_error_of_fit:.1%}}；只用小规模训练来拟合，预测最大的一次就差了 {{scaling.miss_of_largest:.2f}} nat，落在自助法区间之外。
# - 分配预算用的指数，三个种子落在 {{seeds:scaling.exponent_of_best_size:.2f}} 之间，太不确定，不能拿来用。
# - 导出的网络（测试准确率 {{portability.test_accuracy:.1%}}）在 Keras、SavedModel、LiteRT 里答案相同。
# - 没教过的数：英文认出 {{in_order.english_hidden:.0%}}，中文认出 {{in_order.chinese_hidden:.0%}}；其中 11 和 12 分别是 {{in_order.english_eleven_twelve:.0%}} 和 {{in_order.chinese_eleven_twelve:.0%}}。
# - 后仰的数字：训练中没有时 {{slices.group_accuracy_at_0_percent:.1%}}，占十分之一时 {{slices.group_accuracy_at_10_percent:.1%}}；其余样本没有损失。
#
# | | 公式卡 |
# |---|---|
# | 缩放定律 | $L = E + A N^{-\alpha} + B D^{-\beta}$ |
# | 预算 $C = 6ND$ 的最佳分法 | $N \propto C^{\beta/(\alpha+\beta)}$，$D \propto C^{\alpha/(\alpha+\beta)}$ |
# | 训练与使用 | $6ND$ FLOPs，每个词元 $2N$：用到 $3D$ 个词元时持平 |
# | 能耗与碳排放 | 功率 × 时间，能耗 × 电网因子 |
# | 对比损失 | 沿 $s\,u_i^\top v_j$ 的行和列各做一次交叉熵 |
# | 两个比例 | $z = (p_1 - p_2) / \sqrt{p(1-p)(1/n_1 + 1/n_2)}$ |

# %% [markdown] lang="en"
# ## What to read
#
# - Hoffmann et al. 2022, [*Training compute-optimal large language models*](https://arxiv.org/abs/2203.15556), with its repair by
#   [Besiroglu et al. 2024](https://arxiv.org/abs/2404.10102).
# - Patterson et al. 2021, [*Carbon emissions and large neural network training*](https://arxiv.org/abs/2104.10350).
# - Radford et al. 2021, [*Learning transferable visual models from natural language supervision*](https://arxiv.org/abs/2103.00020) (CLIP).
# - Mitchell et al. 2018, [*Model cards for model reporting*](https://arxiv.org/abs/1810.03993): two pages of it are a form to fill in.
#
# **What the full profile changes.** Larger models and up to three million characters for the law, longer training of the pairs,
# and forty thousand digits for the groups. It was run once; the numbers are in `notebooks/results/full-08.json`. Does the miss shrink when the small
# runs span more? It grows, to {{full:scaling.miss_of_largest:.2f}} nats, and in the same direction: the largest run is far better than the law of
# the small ones says, and even the law fitted to all runs leaves a larger error ({{full:scaling.relative_error_of_fit:.1%}}). Two separate terms do not describe these models over so
# wide a range. Unseen Chinese numbers ({{full:in_order.chinese_hidden:.1%}}) are recognised as well as seen ones ({{full:in_order.chinese_seen:.1%}}); "twelve" stays unreadable in
# English, as it must. The group of digits that lean back rises from {{full:slices.group_accuracy_at_0_percent:.1%}} to
# {{full:slices.group_accuracy_at_10_percent:.1%}}, the others stand at {{full:slices.others_accuracy_at_10_percent:.1%}}; how much of that difference is slant and how
# much is which digits they are, this run cannot say either.

# %% [markdown] lang="zh" of="6930a833"
# ## 应用与延伸阅读
#
# - Hoffmann 等，2022，[*Training compute-optimal large language models*](https://arxiv.org/abs/2203.15556)，以及
#   [Besiroglu 等，2024](https://arxiv.org/abs/2404.10102) 对它的修正。
# - Patterson 等，2021，[*Carbon emissions and large neural network training*](https://arxiv.org/abs/2104.10350)。
# - Radford 等，2021，[*Learning transferable visual models from natural language supervision*](https://arxiv.org/abs/2103.00020)（CLIP）。
# - Mitchell 等，2018，[*Model cards for model reporting*](https://arxiv.org/abs/1810.03993)：其中两页就是可以照填的表。
#
# **换成 full 配置会怎样。** 定律部分用更大的模型和多达三百万个字符，图文对训练得更久，分群实验用四万个样本。它跑过一次，
# 结果在 `notebooks/results/full-08.json` 里。小规模训练跨得更宽，偏差会变小吗？反而变大了，达到 {{full:scaling.miss_of_largest:.2f}} nat，方向不变：
# 最大的那一次，远比小规模训练的定律说的要好；就连拟合全部训练的定律，误差也更大（{{full:scaling.relative_error_of_fit:.1%}}）。
# 在这么宽的范围里，两个相互独立的项描述不了这些模型。没教过的中文数（{{full:in_order.chinese_hidden:.1%}}）认得与见过的
# （{{full:in_order.chinese_seen:.1%}}）一样好；英文的“twelve”仍旧认不出，本来也不可能。后仰的这一群从
# {{full:slices.group_accuracy_at_0_percent:.1%}} 升到 {{full:slices.group_accuracy_at_10_percent:.1%}}，其余样本是
# {{full:slices.others_accuracy_at_10_percent:.1%}}；这点差别里，多少是斜度，多少是数字不同，这次训练同样说不出来。
