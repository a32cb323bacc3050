# %% [markdown] lang="en" telling=["zh.tfidf", "zh.lstm", "co2.lstm_difference"]
# # 6a Sequences at work: digits, reviews, carbon dioxide
#
# Chapter 6 built recurrent cells and looked into them. Here they get three jobs, with the recipes that tutorials hand out:
# read a digit row by row, judge a review in English and in Chinese, forecast the air's carbon dioxide. Each time we compare
# with a plain method that fits on a page.
#
# The picture shows the last job. The thick grey line is what was measured; the forecast that runs far below it comes from an
# LSTM trained by the common recipe. One subtraction lifts the same network up to the others, and least squares, computed in a
# moment, does as well.

# %% [markdown] lang="zh" of="906ae262"
# # 6a 序列派上用场：数字、评论、二氧化碳
#
# 第 6 章造出了循环单元，并看清了它们的内部。这一章给它们派三件活，用的都是教程里常见的配方：逐行读手写数字，
# 判断中英文评论的好坏，预测空气中的二氧化碳。每一次都与一个一页纸写得下的朴素方法相比。
#
# 下面这幅图是最后一件活。灰色粗线是实测值，远远落在下面的那条，是按常见配方训练的 LSTM 所作的预测。只要做一次减法，同一个网络就回到了大家中间；
# 而一眨眼就算完的最小二乘，同样好。

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - build the usual classifier of two stacked LSTMs, count its parameters by hand, and say what it is worth on images;
# - turn texts of any length into arrays: tokens, vocabulary, padding, mask, without a leak from the test set;
# - compute TF-IDF by hand, and know how hard that baseline is to beat;
# - forecast a series with a season and a trend, and judge the forecast by what "as last year" would have done;
# - recognise two results that look splendid and mean nothing.
#
# **Before you start:** LSTM, padding and masks (chapter 6), training in Keras (chapters 1 to 5). Where Chinese texts are the
# data, the words you need are translated.

# %% [markdown] lang="zh" of="6041566d"
# **学完这一章，你能够**
#
# - 搭出常见的两层 LSTM 分类器，手算它的参数量，并说清它用在图像上值不值；
# - 把长短不一的文本变成数组：词元、词表、填充、掩码，而且不从测试集泄漏信息；
# - 手算 TF-IDF，并知道这个基线有多难赢；
# - 预测一条既有季节又有趋势的序列，并拿“和去年同月一样”来衡量它；
# - 认出两种看上去漂亮、其实什么也说明不了的结果。
#
# **预备知识：** LSTM、填充与掩码（第 6 章），在 Keras 里训练（第 1 至 5 章）。

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
import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.topics import text
from course_utils.profiles import choose

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("06a")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: one reader, three jobs
#
# A recurrent layer turns a sequence into a state. What we ask of the state makes the job: *one class* for a picture read
# row by row; *one class* for a text, and texts differ in length; *the next twelve numbers* of a series that goes on.
#
# **Predict:** in which of the three kinds of data does a trend leave, at the right end, the range of everything to its left?

# %% [markdown] lang="zh" of="6587f070" tags=["predict"]
# ## 核心思想：一个读者，三件活
#
# 循环层把一个序列变成一个状态。向这个状态要什么，决定了是哪种活：逐行读一幅图，要**一个类别**；读一段文本，也要**一个类别**，
# 只是文本有长有短；读一条还在延续的序列，要**后面的十二个数**。
#
# **先猜：** 这三种数据里，哪一种有趋势，右端的值超出了左边出现过的整个范围？

# %%
digits, co2 = datasets.mnist(), datasets.co2()
reviews = {language: datasets.reviews(language) for language in ("en", "zh")}
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), width_ratios=[1, 1.4, 1.6])
axes[0].imshow(digits.x_train[7])
axes[0].set(title="28 rows of 28 numbers", xlabel="feature", ylabel="row = time step")
axes[0].grid(visible=False)
for (language, of_language), color, fill in zip(reviews.items(), plots.COLORS, (True, False), strict=False):
    lengths = [len(text.tokens(review, language)) for review in of_language.train_texts]
    axes[1].hist(lengths, bins=range(0, 320, 20), color=color, histtype="stepfilled" if fill else "step",
                 alpha=0.6 if fill else 1, linewidth=2, label={"en": "English, words", "zh": "Chinese, characters"}[language])
axes[1].set(title="reviews of all lengths", xlabel="tokens in a review", ylabel="reviews")
axes[1].legend(fontsize=9)
axes[2].plot(co2.dates, co2.ppm, linewidth=1)
decades = np.arange("1960", "2010", 10, dtype="datetime64[Y]")
axes[2].set(title="carbon dioxide at Mauna Loa", xlabel="year", ylabel="ppm", xticks=decades, xticklabels=map(str, decades))
plots.show(
    figure,
    alt="A handwritten 3; histograms of the lengths of English and Chinese reviews, most of them short, with a long tail; "
    "weekly carbon dioxide, rising from 1958 to 2001 with a wave in every year.",
    alt_zh="手写数字 3；中英文评论长度的直方图，多数较短，尾巴很长；每周的二氧化碳浓度，从 1958 到 2001 年逐年上升，每年一个波。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Carbon dioxide does: every few years it reaches heights that never occurred before. Keep this in mind; it decides the
# last experiment.
#
# ## Job 1: read a digit row by row
#
# A common recipe: two LSTM layers of 128 units, then a softmax, with MNIST's images as 28 steps of 28 numbers. The lower
# layer must hand on *all* its states (`return_sequences=True`), the upper one only its last. An LSTM has four blocks, each
# with its own input weights, recurrent weights and bias, so for $d$ inputs and $n$ units
#
# $$ \text{parameters} = 4\, n\, (d + n + 1) $$
#
# Before you run the cell: which layer has more parameters, the one that sees the image or the one above? And does the number
# depend on the 28 steps?

# %% [markdown] lang="zh" of="56b8d382" tags=["answer"]
# **答案。** 二氧化碳：每过几年，它就达到从未有过的高度。请记住这一点，最后一个实验就由它决定。
#
# ## 第一件活：逐行认数字
#
# 一个常见的配方：两层 LSTM，各 128 个单元，再接 softmax；MNIST 的图像当作 28 步，每步 28 个数。下层要把**每一步**的状态都交上去
# （`return_sequences=True`），上层只交最后一个。LSTM 有四块，每块都有自己的输入权重、循环权重和偏置，所以输入为 $d$、单元数为 $n$ 时
#
# $$ \text{参数量} = 4\, n\, (d + n + 1) $$
#
# 运行之前想一想：看图像的那层和它上面那层，哪个参数多？这个数与 28 步有关吗？

# %%
def compiled(*layers, rate, loss, metrics=("accuracy",)):
    """A compiled network and its state before training, so that it can be put back and trained again."""
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        model = keras.Sequential(list(layers))
        optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0)
        model.compile(optimizer, loss, metrics=list(metrics), steps_per_execution=choose(smoke=1, laptop=8, full=8))
        optimizer.build(model.trainable_variables)
    return model, model.get_state_tree(value_format="numpy_array")


def digit_reader(*middle, steps=28):
    return compiled(keras.Input((steps, 28)), *middle, layers.Dense(10, "softmax"), rate=0.002, loss="sparse_categorical_crossentropy")


layers = keras.layers
digit_readers = {
    "linear": digit_reader(layers.Flatten()),
    "mlp": digit_reader(layers.Flatten(), layers.Dense(128, "relu")),
    "lstm": digit_reader(layers.LSTM(128, return_sequences=True), layers.LSTM(128), steps=None),
}
print("by the formula · 按公式:", [4 * units * (inputs + units + 1) for inputs, units in [(28, 128), (128, 128)]], "+", 129 * 10)
print("Keras:", [layer.count_params() for layer in digit_readers["lstm"][0].layers])
for name, (model, _) in digit_readers.items():
    print(f"{name:6} {model.count_params():7,} parameters · 参数")

# %% [markdown] lang="en" tags=["predict"]
# The upper layer has more, since it gets 128 numbers at each step instead of 28. The number of steps does not appear in the formula.
#
# We compare with two networks of chapter 1 that see all 784 numbers at once: a linear softmax, and one hidden layer of 128.
# All get the same digits, Adam, and the same number of passes; the hidden layer gets a second run with six times as many,
# because it has the time.
#
# **Predict:** which of the four runs has the highest test accuracy, and which takes the longest?

# %% [markdown] lang="zh" of="92a17f76" tags=["predict"]
# 上面那层更多，因为它每一步收到 128 个数，而不是 28 个。公式里没有步数。
#
# 与它相比的是第 1 章的两个网络，它们一眼看到全部 784 个数：一个是线性 softmax，一个有 128 个隐藏单元。
# 大家用同样的样本、同样的轮数，优化器都是 Adam；有隐藏层的网络再训练一次，轮数是六倍，反正它来得及。
#
# **先猜：** 四次训练里，哪一次测试准确率最高？哪一次最费时？

# %% tags=["nbval-ignore-output"]
count, tested = choose(smoke=320, laptop=5_000, full=60_000), choose(smoke=200, laptop=4_000, full=10_000)
passes = choose(smoke=1, laptop=4, full=10)
x_train, x_test = ((images / 255).astype("float32") for images in (digits.x_train[:count], digits.x_test[:tested]))
digit_bands = {
    ("linear", 1): choose(smoke=(0.095, 0.545), laptop=(0.847, 0.892), full=(0.9, 0.94)),
    ("mlp", 1): choose(smoke=(0.405, 0.755), laptop=(0.892, 0.911), full=(0.96, 1)),
    ("mlp", 6): choose(smoke=(0.755, 0.855), laptop=(0.917, 0.929), full=(0.96, 1)),
    ("lstm", 1): choose(smoke=(0.13, 0.43), laptop=(0.873, 0.951), full=(0.97, 1)),
}
for (kind, times), band in digit_bands.items():
    model, start = digit_readers[kind]
    model.set_state_tree(start)
    name = kind + ("_longer" if times > 1 else "")
    history = training.fit(model, x_train, digits.y_train[:count], name=f"digits-{name}", epochs=times * passes, batch_size=64)
    print(f"{name:10} {times * passes:2} passes · 轮, {sum(history['seconds']):5.1f} s")
    accuracy = training.accuracy(model, x_test, digits.y_test[:tested], batch_size=200)
    results.record(f"digits.{name}", accuracy, band=band)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Pass for pass, the row reader learns more: {{digits.lstm:.1%}} against {{digits.mlp:.1%}}. Minute for minute it does
# not: the hidden layer with six times the passes reaches {{digits.mlp_longer:.1%}} and is still done first (three seeds:
# {{seeds:digits.lstm:.1%}} and {{seeds:digits.mlp_longer:.1%}}). And both are the wrong tool. An image is not a sequence: all of it is
# there at once, and its rows have no more order than its columns. Convolutions (chapter 2) know what is true of images, that neighbours
# belong together in *both* directions. Now to data that really has an order.
#
# ## Job 2: judge a review, in two languages
#
# English food reviews (label 1: five stars) and Chinese reviews of goods and hotels (label 1: positive). Three decisions
# come before any network:
#
# - **What is a token?** In English a word. Chinese writes no spaces; the plain choice is one character. (Word segmentation
#   is possible, and one more thing that can go wrong.)
# - **Which tokens get a number?** Those of the *training* texts, the most frequent first; 0 is kept for padding, 1 for
#   everything unknown. Common recipes build the vocabulary from *all* texts. That is a leak, since the network then knows words
#   that only the test holds.
# - **Does a test text also occur in the training texts?** Look before you trust a score.

# %% [markdown] lang="zh" of="c23a30c7" tags=["answer"]
# **答案。** 论轮数，逐行读的网络学得更多：{{digits.lstm:.1%}} 对 {{digits.mlp:.1%}}。论时间就不是了：有隐藏层的网络训练六倍的轮数，达到
# {{digits.mlp_longer:.1%}}，还先做完（三个种子：{{seeds:digits.lstm:.1%}} 与 {{seeds:digits.mlp_longer:.1%}}）。不过两者都选错了工具。
# 图像不是序列：它一下子全在眼前，行与行之间并不比列与列之间更有先后。卷积（第 2 章）懂得图像的特点：**两个**方向上的邻居都是一伙的。
# 下面换上真正有先后的数据。
#
# ## 第二件活：判断评论，两种语言
#
# 英文是食品评论（标签 1：五星），中文是商品和酒店评论（标签 1：好评）。网络登场之前，先要做三个决定：
#
# - **什么算一个词元（token）？** 英文是单词。中文不写空格，最朴素的做法是一个字一个词元。（也可以先分词，那就多了一处可能出错的地方。）
# - **哪些词元有编号？** **训练**文本里的，按频率从高到低；0 留给填充，1 留给一切不认识的。常见配方用**全部**文本来建词表，
#   这是泄漏：网络因此“认识”了只在测试文本里出现的词。
# - **测试文本是不是也出现在训练文本里？** 先查一查，再相信分数。

# %%
print("en:", text.tokens("Not good, not bad: it's OK!", "en"))
print("zh:", text.tokens("房间不错，就是太小！", "zh"))
SIZE, LENGTH = 4_000, 80  # entries of a vocabulary; tokens read of each review
data, vocabularies = {}, {}
for language, found in reviews.items():
    tests = set(found.test_texts)
    kept = [number for number, review in enumerate(found.train_texts) if review not in tests]
    train = [found.train_texts[number] for number in kept]
    data[language] = train, found.train_labels[kept], found.test_texts, found.test_labels
    vocabularies[language] = text.Vocabulary(train, language, size=SIZE)
    codes = vocabularies[language].encode(found.test_texts, LENGTH)  # (tests, 80) int32
    print(f"{language}: {len(found.train_texts) - len(kept)} training texts also in the test, dropped · 条训练文本与测试重复，已去掉; "
          f"{len(train):,} left · 余; vocabulary · 词表 {len(vocabularies[language]):,}; "
          f"unknown in the test · 测试中不认识的 {(codes == text.UNKNOWN).sum() / (codes > 0).sum():.1%}")

# %% [markdown] lang="en"
# Seven English test texts had a twin among the training texts, and those twins are dropped.
#
# ### The baseline: word counts, weighted
#
# A text becomes one long vector with an entry for each term $t$ of the training texts, here single tokens and pairs of
# neighbours. **TF-IDF** (term frequency times inverse document frequency, after
# [Spärck Jones 1972](https://doi.org/10.1108/eb026526)) counts a term in the text and gives it more weight the fewer texts
# contain it:
#
# $$ w_{t} = n_{t} \left( \ln \frac{1 + N}{1 + N_t} + 1 \right) \qquad \text{then divided by } \lVert w \rVert $$
#
# $n_t$: number of times $t$ occurs in the text; $N$: number of training texts; $N_t$: number of those that contain $t$. (The ones are
# scikit-learn's smoothing; other libraries differ.) Logistic regression, chapter 4's sigmoid on a weighted sum, does the rest. First by
# hand, on three tiny texts.

# %% [markdown] lang="zh" of="9f114b3c"
# 有七条英文训练文本与测试文本重复，已经去掉。
#
# ### 基线：统计词频，再加权
#
# 把一段文本变成一个长向量，训练文本里的每一项 $t$（这里是单个词元和相邻的两个词元）占一格。**TF-IDF**
# （词频乘以逆文档频率，term frequency × inverse document frequency，出自
# [Spärck Jones，1972](https://doi.org/10.1108/eb026526)）统计这一项在文本里出现几次，含有它的文本越少，权重就越大：
#
# $$ w_{t} = n_{t} \left( \ln \frac{1 + N}{1 + N_t} + 1 \right) \qquad \text{再除以 } \lVert w \rVert $$
#
# $n_t$ 是 $t$ 在这段文本里的次数，$N$ 是训练文本数，$N_t$ 是其中含有 $t$ 的文本数。（几个 1 是 scikit-learn 的平滑，别的库不一样。）
# 剩下的交给逻辑回归（logistic regression），也就是第 4 章里加权和上的 sigmoid。先用三条小短句手算。

# %%
def terms(tokens):
    """Single tokens and pairs of neighbours."""
    return [*tokens, *(f"{first} {second}" for first, second in zip(tokens, tokens[1:], strict=False))]


small = [text.tokens(review, "en") for review in ("good, not bad", "bad, not good", "good good tea")]
names = sorted({term for tokens in small for term in terms(tokens)})
counts = np.array([[terms(tokens).count(name) for name in names] for tokens in small])  # (texts, terms)
weighted = counts * (np.log((1 + len(small)) / (1 + (counts > 0).sum(axis=0))) + 1)
weighted = weighted / np.linalg.norm(weighted, axis=1, keepdims=True)
vectorizer = TfidfVectorizer(analyzer=terms)
proofs.equal({"by hand": weighted, "scikit-learn": vectorizer.fit_transform(small).toarray()})
print("same terms · 相同的项:", names == vectorizer.get_feature_names_out().tolist())
alone = [column for column, name in enumerate(names) if " " not in name]
print("texts 1 and 2 differ in single words · 前两句单看词有差别吗:", bool(np.any(counts[0, alone] != counts[1, alone])),
      "  with pairs · 加上两词:", bool(np.any(counts[0] != counts[1])))

# %% [markdown] lang="en"
# By hand and scikit-learn agree. "Good, not bad" and "bad, not good" have the same single words; only the pairs tell them apart.
#
# Now on the reviews. (`min_df=2` drops terms that occur in one text only, `sublinear_tf` replaces $n_t$ by $1 + \ln n_t$; $C = 10$
# was chosen on a tenth of the *training* texts.) The cell prints the terms with the most negative and the most positive weights.

# %% [markdown] lang="zh" of="52dfe923"
# 手算与 scikit-learn 一致。“good, not bad”和“bad, not good”单看词没有差别，有了相邻两词才分得开。
#
# 下面用到评论上。（`min_df=2` 去掉只在一条文本里出现的项，`sublinear_tf` 用 $1 + \ln n_t$ 代替 $n_t$；$C = 10$ 是在**训练**文本的十分之一上选的。）
# 单元格会打印权重最负和最正的那些项。

# %% tags=["nbval-ignore-output"]
limit, judged = choose(smoke=(320, 200), laptop=(8_000, 2_000), full=(8_000, 2_000))  # texts to train with, to test with
data = {language: (*(part[:limit] for part in parts[:2]), *(part[:judged] for part in parts[2:])) for language, parts in data.items()}
tfidf_bands = {  # nothing random in it: a hundredth for other machines
    "en": choose(smoke=(0.68, 0.71), laptop=(0.8, 0.82), full=(0.8, 0.82)),
    "zh": choose(smoke=(0.73, 0.76), laptop=(0.813, 0.834), full=(0.813, 0.834)),
}
accuracies, baselines = {}, {}
for language, (train, labels, tests, test_labels) in data.items():
    def analyzer(review, language=language):
        return terms(text.tokens(review, language)[:LENGTH])  # as much of a review as the networks will read

    vectorizer = TfidfVectorizer(analyzer=analyzer, min_df=2, sublinear_tf=True)
    linear = LogisticRegression(C=10, solver="liblinear").fit(vectorizer.fit_transform(train), labels)
    baselines[language] = vectorizer, linear
    accuracies[language] = {"tfidf": linear.score(vectorizer.transform(tests), test_labels)}
    order, names = np.argsort(linear.coef_[0]), vectorizer.get_feature_names_out()
    print(f"{language}: {len(names):,} terms · 项; majority · 多数类 {max(test_labels.mean(), 1 - test_labels.mean()):.3f}")
    print("  bad · 差:", ", ".join(names[order[:8]]), "  good · 好:", ", ".join(names[order[:-9:-1]]))
    results.record(f"{language}.tfidf", accuracies[language]["tfidf"], band=tfidf_bands[language])

# %% [markdown] lang="en"
# You can read the terms: *not*, *disappointed* and *would not* against *great*, *love* and *the best*. In Chinese 不 is "not", 差 "poor",
# 不好 "not good", 没有 "does not have"; on the other side 很好 is "very good", and 不错, literally "not wrong", means "quite good": as a pair it is
# praise, although its first half is the strongest sign of a complaint. Pairs carry what single tokens cannot. The scores are
# {{en.tfidf:.1%}} and {{zh.tfidf:.1%}}.
#
# ### The recipe: embedding, two LSTMs, sigmoid
#
# Each token's number selects a vector that is learned with the rest, its **embedding**; the vectors are the steps. Short texts are
# filled up with zeros after their end (`"post"`) or before their beginning (`"pre"`), long ones are cut. Since 0 means
# padding, `Embedding(mask_zero=True)` makes the mask.
#
# One more rival, the cheapest network: **average** the vectors of the real tokens, then a sigmoid. It is blind to order. With
# $m_t = 1$ for a real step and 0 for padding:
#
# $$ \bar v = \frac{\sum_t m_t\, v_t}{\sum_t m_t} $$
#
# Does Keras' pooling layer respect the mask? The next cell compares it with a loop.

# %% [markdown] lang="zh" of="eb624560"
# 这些项读得懂：一边是 not、disappointed、would not，另一边是 great、love、the best。中文里，“不”“差”“没有”在一边，“很好”“不错”在另一边；
# “不错”的前一个字是最强的差评信号，两个字合起来却是夸奖。可见相邻两词带着单个词元给不了的信息。两种语言的准确率是
# {{en.tfidf:.1%}} 和 {{zh.tfidf:.1%}}。
#
# ### 配方：嵌入、两层 LSTM、sigmoid
#
# 每个词元的编号选出一个向量，向量与其余权重一起学，这叫**嵌入**（embedding）；这些向量就是一步一步的输入。短文本用 0 补齐，
# 补在后面（`"post"`）或前面（`"pre"`），长的截断。既然 0 表示填充，`Embedding(mask_zero=True)` 就能生成掩码。
#
# 再加一个对手，最便宜的网络：把真实词元的向量**平均**（average），接一个 sigmoid。它看不见顺序。记真实的步 $m_t = 1$，填充 $m_t = 0$：
#
# $$ \bar v = \frac{\sum_t m_t\, v_t}{\sum_t m_t} $$
#
# Keras 的池化层理不理会掩码？下一个单元格拿它与循环相比。

# %%
short = ["it's not good", "I love this tea, and so does my cat"]
for padding in ("post", "pre"):
    print(f"{padding:4}", vocabularies["en"].encode(short, 10, padding).tolist())
print("back to words · 还原:", vocabularies["en"].decode(vocabularies["en"].encode(short, 10)[1]))

codes = vocabularies["en"].encode(short, 10)  # (2, 10)
embedding, pooling = keras.layers.Embedding(SIZE, 3, mask_zero=True), keras.layers.GlobalAveragePooling1D()
vectors = embedding(codes)  # (2, 10, 3), with its mask
by_loop = [np.mean([vector for vector, code in zip(*rows, strict=True) if code != 0], axis=0) for rows in zip(np.array(vectors), codes, strict=True)]
proofs.equal({"mean of the real steps": by_loop, "GlobalAveragePooling1D, mask": pooling(vectors, mask=embedding.compute_mask(codes))})
unmasked = np.abs(np.array(by_loop) - np.array(pooling(np.array(vectors)))).max() > 1e-6
print("without the mask another result · 没有掩码，结果不同:", bool(unmasked))

# %% [markdown] lang="en"
# It does, if the mask reaches it. Now the networks. For the embedding each vocabulary entry needs 32 numbers, so most of the parameters are
# there. A word on fairness: the average is trained for five passes at a learning rate of 0.005, the LSTM for two at 0.002, because it
# takes longer; neither was tuned as carefully as the $C$ of TF-IDF.

# %% [markdown] lang="zh" of="2f2455a2"
# 只要掩码传得到，它就理会。下面是两个网络。词表里每一项在嵌入层要 32 个数，所以大部分参数都在那里。先说明比赛是否公平：平均的网络以学习率 0.005 训练五轮，
# LSTM 以 0.002 训练两轮，因为它更费时；两者都没有像 TF-IDF 的 $C$ 那样仔细调过。

# %%
def text_reader(kind, mask=True):
    """A network for reviews: "average" of the vectors, or the recipe, "lstm"; and its state before training."""
    middle = [layers.GlobalAveragePooling1D()] if kind == "average" else [layers.LSTM(64, return_sequences=True), layers.LSTM(64)]
    return compiled(
        keras.Input((None,), dtype="int32"), layers.Embedding(SIZE, 32, mask_zero=mask), layers.Dropout(0.3), *middle,
        layers.Dropout(0.3), layers.Dense(1, "sigmoid"), rate=0.005 if kind == "average" else 0.002, loss="binary_crossentropy")


keras.utils.clear_session()  # the digit readers have done their work: make room
digit_readers.clear()
del digits, x_train, x_test, model
readers = {"average": text_reader("average"), "lstm": text_reader("lstm"), "lstm, no mask": text_reader("lstm", mask=False)}
for name, (model, _) in readers.items():
    print(f"{name:14} {model.count_params():,} parameters · 参数:", [layer.count_params() for layer in model.layers if layer.weights])

# %% tags=["nbval-ignore-output"]
def train_reader(kind, language, padding, epochs):
    """Train from the start; the accuracy on the test texts, and on the training texts in each pass."""
    train, labels, tests, test_labels = data[language]
    x_train, x_test = (vocabularies[language].encode(part, LENGTH, padding) for part in (train, tests))
    model, start = readers[kind]
    model.set_state_tree(start)
    history = training.fit(model, x_train, labels, name=f"{language}-{kind}-{padding}", epochs=epochs, batch_size=64)
    return training.accuracy(model, x_test, test_labels, batch_size=100), history["accuracy"]


one_class = (0.55, 0.68)  # smoke has hardly begun: the network says "good" to nearly every text
text_bands = {
    ("zh", "average"): choose(smoke=(0.42, 0.945), laptop=(0.774, 0.807), full=(0.7, 0.86)),
    ("zh", "lstm"): choose(smoke=(0.44, 0.6), laptop=(0.718, 0.832), full=(0.7, 0.86)),
    ("en", "average"): choose(smoke=one_class, laptop=(0.789, 0.804), full=(0.7, 0.86)),
    ("en", "lstm"): choose(smoke=one_class, laptop=(0.678, 0.835), full=(0.7, 0.86)),
}
passes = {"average": choose(smoke=2, laptop=5, full=5), "lstm": choose(smoke=1, laptop=2, full=3)}
for (language, kind), band in text_bands.items():  # the English LSTM last: it is asked once more below
    accuracies[language][kind], by_pass = train_reader(kind, language, "post", passes[kind])
    results.record(f"{language}.{kind}", accuracies[language][kind], band=band)

# %% [markdown] lang="en" tags=["predict"]
# ### Two questions to the network
#
# **What does the mask do?** With a mask it makes no difference where the zeros are, as the first cell checks on the trained
# network. Without one the zeros may come after the text or before it. **Predict** which of the two learns worse. (Chapter 6
# measured how far a gradient reaches in a new LSTM.)
#
# **Does it use the order?** After training, we shuffle the tokens *within* each test text. Counts of single words would not
# change at all. **Predict:** by how much does the accuracy of TF-IDF fall, and that of the LSTM? A network that understands "not bad,
# but …" should fall a long way.

# %% [markdown] lang="zh" of="c3357874" tags=["predict"]
# ### 向网络提两个问题
#
# **掩码有什么用？** 有掩码时，0 补在哪边都一样，第一个单元格用训练好的网络来验证。没有掩码时有两种补法，补在后面或前面。
# **先猜**哪一种学得更差。（刚建好的 LSTM 里梯度能传多远，第 6 章测过。）
#
# **它用到顺序了吗？** 训练之后，把每条测试文本**内部**的词元打乱。只统计单个词的方法完全不受影响。
# **先猜：** TF-IDF 和 LSTM 的准确率各会降多少？真读懂了“不算差，可是……”的网络，应该一落千丈。

# %%
after, before = (vocabularies["en"].encode(data["en"][2][:50], LENGTH, padding) for padding in ("post", "pre"))
masked = readers["lstm"][0]
proofs.equal({"masked, zeros after": masked(after), "masked, zeros before": masked(before)})
print("same arrays · 数组相同吗:", bool(np.all(after == before)))

# %% tags=["nbval-ignore-output"]
random, (vectorizer, linear) = np.random.default_rng(SEED), baselines["en"]
in_order, labels = ([text.tokens(review, "en")[:LENGTH] for review in data["en"][2]], data["en"][3])
mixed = [" ".join(random.permutation(tokens)) for tokens in in_order]
shuffled = {
    "tfidf": linear.score(vectorizer.transform(mixed), labels),
    "lstm": training.accuracy(readers["lstm"][0], vocabularies["en"].encode(mixed, LENGTH), labels, batch_size=100),
}
shuffled_bands = {
    "tfidf": choose(smoke=(0.63, 0.68), laptop=(0.738, 0.824), full=(0.74, 0.82)),
    "lstm": choose(smoke=one_class, laptop=(0.668, 0.845), full=(0.7, 0.84)),
}
for name, found in shuffled.items():
    print(f"{name}: in order · 原顺序 {accuracies['en'][name]:.3f}, shuffled · 打乱 {found:.3f}")
    results.record(f"en.{name}_shuffled", found, band=shuffled_bands[name])

# %% tags=["nbval-ignore-output"]
padding_bands = {  # accuracy on the training texts in the last pass, on the test texts; "post" is wide: when it starts is luck
    "pre": choose(smoke=[(0.593, 0.719), one_class], laptop=[(0.788, 0.855), (0.667, 0.854)],
                  full=[(0.7, 1), (0.7, 0.84)]),
    "post": choose(smoke=[(0.603, 0.682), one_class], laptop=[(0.525, 0.8), (0.45, 0.84)],
                   full=[(0.6, 1), (0.6, 0.84)]),
}
learning = {"mask": by_pass}  # of the English LSTM above
for padding, bands in padding_bands.items():
    found, learning[f"no mask, {padding}"] = train_reader("lstm, no mask", "en", padding, passes["lstm"])
    results.record(f"en.{padding}_unmasked_training", learning[f"no mask, {padding}"][-1], band=bands[0])
    results.record(f"en.{padding}_unmasked", found, band=bands[1])
print(f"with the mask · 有掩码: {by_pass[-1]:.4f}, {accuracies['en']['lstm']:.4f}; majority · 多数类 {max(labels.mean(), 1 - labels.mean()):.4f}")

# %% tags=["nbval-ignore-output"]
figure, (*panels, right) = plt.subplots(1, 3, figsize=(11, 3))
for axis, language, title in zip(panels, data, ["English reviews", "Chinese reviews"], strict=True):
    test_labels, found = data[language][3], np.array(list(accuracies[language].values()))
    half = 1.96 * np.sqrt(found * (1 - found) / len(test_labels))  # in 95 % of such tests the truth is inside
    axis.errorbar(found, range(len(found)), xerr=half, fmt="o", color=plots.COLORS[0], capsize=4)
    axis.axvline(max(test_labels.mean(), 1 - test_labels.mean()), color="0.4", linestyle="--", linewidth=1)
    names = [{"tfidf": "TF-IDF", "average": "average", "lstm": "LSTM"}[name] for name in accuracies[language]]
    axis.set(title=title, xlabel="test accuracy", yticks=range(len(found)), yticklabels=names, ylim=(2.5, -0.5), xlim=(0.45, 0.9))
for (name, curve), color, line, marker in zip(learning.items(), plots.COLORS, plots.LINES, plots.MARKERS, strict=False):
    right.plot(range(1, len(curve) + 1), curve, color=color, linestyle=line, marker=marker, label=name)
right.axhline(data["en"][1].mean(), color="0.4", linestyle="--", linewidth=1)
right.set(title="LSTM with and without mask", xlabel="pass", ylabel="training accuracy", xticks=range(1, len(curve) + 1), ylim=(0.5, 0.9))
right.legend(fontsize=9)
plots.show(
    figure,
    alt="Test accuracy with 95 % intervals, dashed the share of the larger class: TF-IDF first in both languages, the average "
    "and the LSTM behind it. Right: training accuracy by pass; with zeros after the text and no mask it lags behind.",
    alt_zh="测试准确率与 95% 区间，虚线是多数类的比例：两种语言里都是 TF-IDF 居首，平均与 LSTM 在后。"
    "右：各轮的训练准确率；0 补在后面又没有掩码时，明显落后。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** *The mask.* With the zeros after the text and no mask, training accuracy is {{en.post_unmasked_training:.1%}} after two passes,
# against {{en.pre_unmasked_training:.1%}} with the zeros before. After the text, the last words lie dozens of steps back, and from there
# hardly any gradient returns to a new LSTM. It starts late; whether it catches up depends on how many passes you pay for. One argument,
# `mask_zero=True`, repairs it.
#
# *The order.* Shuffled, the LSTM goes from {{en.lstm:.1%}} to {{en.lstm_shuffled:.1%}}: it does not notice. It has learned which words are good
# and which are bad; how order matters it would have to find out from a few thousand labels. TF-IDF falls from {{en.tfidf:.1%}} to
# {{en.tfidf_shuffled:.1%}}, since its *pairs* hold a little of the order.
#
# And who wins? In Chinese, TF-IDF does: {{zh.tfidf:.1%}} against {{zh.average:.1%}} for the average and {{zh.lstm:.1%}} for the LSTM (three seeds:
# {{seeds:zh.lstm:.1%}}), and its interval in the figure does not overlap theirs. (Such an interval holds the truth in 19 of 20 tests.) In English the numbers have the same order ({{en.tfidf:.1%}}, {{en.average:.1%}}, {{en.lstm:.1%}}), but on
# 1,000 test texts the intervals overlap, so this figure shows no difference; a paired test on the same texts would be sharper. And the LSTM's training accuracy is still rising after two passes; in the
# full profile, with three, its test accuracy is {{full:en.lstm:.1%}} in English and {{full:zh.lstm:.1%}} in Chinese. So what we have is this: at
# this effort, on a few thousand labels, the LSTM has shown no advantage over counting. Large corpora, or pre-training on text without
# labels (chapter 7c), change the picture.
#
# ## Job 3: forecast carbon dioxide
#
# The weekly record has gaps. **The rule:** a month's value is the mean of the weeks that were measured; a month without any is
# interpolated on a straight line between its neighbours. How many such months are there?

# %% [markdown] lang="zh" of="4cc1314c" tags=["answer"]
# **答案。** 掩码：0 补在后面又没有掩码，两轮之后训练准确率是 {{en.post_unmasked_training:.1%}}，补在前面则是 {{en.pre_unmasked_training:.1%}}。
# 补在后面时，最后一个词远在几十步之前，刚建好的 LSTM 几乎收不到从那里传回的梯度，迟迟起不了步；追不追得上，要看你肯付多少轮。
# 一个参数 `mask_zero=True` 就能治好。
#
# 顺序：打乱之后，LSTM 从 {{en.lstm:.1%}} 变为 {{en.lstm_shuffled:.1%}}，它根本没有察觉。它学到的是哪些词好、哪些词坏；顺序有什么用，
# 还得从这几千个标签里去琢磨。TF-IDF 从 {{en.tfidf:.1%}} 降到 {{en.tfidf_shuffled:.1%}}，因为相邻两词里多少含有一点顺序。
#
# 那么谁胜出？中文是统计词频的 TF-IDF：{{zh.tfidf:.1%}}，平均的网络是 {{zh.average:.1%}}，LSTM 是 {{zh.lstm:.1%}}（三个种子：
# {{seeds:zh.lstm:.1%}}），图中 TF-IDF 的区间与后两者不重叠（同样的测试做 20 次，这种区间约有 19 次包住真值）。
# 英文的名次相同（{{en.tfidf:.1%}}、{{en.average:.1%}}、{{en.lstm:.1%}}），但只有 1,000 条测试文本，区间有重叠，单凭这幅图看不出差别；在同样的文本上作配对检验会更灵敏。
# 而且两轮之后，LSTM 的训练准确率还在上升；full 配置训练三轮，测试准确率英文是 {{full:en.lstm:.1%}}，中文是 {{full:zh.lstm:.1%}}。
# 所以能说的是：花这么多力气、用几千个标签，LSTM 还没有显出比统计词频强。大语料，或者先在没有标签的文本上预训练（第 7c 章），才会改变这个局面。
#
# ## 第三件活：预测二氧化碳
#
# 每周的记录有缺口。**规则：** 一个月的值，取这个月里测到的各周的平均；一周也没测到的月份，在前后两个月之间按直线插值。这样的月份有几个？

# %%
measured = ~np.isnan(co2.ppm)
of_month = co2.dates.astype("datetime64[M]")
months = np.arange(of_month[0], of_month[-1] + 1)  # (526,)
place = (of_month - of_month[0]).astype(int)[measured]
weeks = np.bincount(place, minlength=len(months))
sums = np.bincount(place, co2.ppm[measured], minlength=len(months))
empty = np.flatnonzero(weeks == 0)
series = sums / np.maximum(weeks, 1)  # (526,) ppm
series[empty] = np.interp(empty, np.flatnonzero(weeks), series[weeks > 0])
print("months · 月数:", len(series), months[0], "–", months[-1], "  weeks without a value · 无值的周数:", int((~measured).sum()))
print("months without a week · 一周也没有的月份:", ", ".join(map(str, months[empty])))

# %% [markdown] lang="en" tags=["predict"]
# Five months of 526. From 24 months we now forecast the next 12. A pair of past and future is cut out at every month, so
# neighbouring pairs share almost all of their numbers. Therefore the split is made **by time**: train on pairs that end before 1992,
# test on those whose whole future lies in 1992 or later; pairs that cross the border are left out.
#
# Four forecasts without a network, for $k = 1 \dots 12$ months ahead of the last known month $t$:
#
# - **as now**: $\hat y_{t+k} = y_t$;
# - **seasonal-naive**, as in the same month a year ago: $\hat y_{t+k} = y_{t+k-12}$;
# - **seasonal-naive with drift**, plus what the last year brought: $\hat y_{t+k} = y_{t+k-12} + (y_t - y_{t-12})$;
# - **linear**: the 12 changes $y_{t+k} - y_t$ by least squares from the 24 differences $y_{t-j} - y_t$.
#
# We judge by the mean absolute error in ppm, parts per million: a number with a unit, which you can compare with
# the curve above.
#
# **Predict** the order of the four.

# %% [markdown] lang="zh" of="7f417225" tags=["predict"]
# 526 个月里有五个。接下来用 24 个月预测后面 12 个月。每个月都切出一对“过去与将来”，相邻两对的数几乎全部重合。所以要**按时间**划分：
# 训练用 1992 年之前就结束的，测试用整个将来都在 1992 年及以后的，跨过分界线的丢掉。
#
# 四种不用网络的预测，从最后一个已知的月份 $t$ 往后数 $k = 1 \dots 12$ 个月：
#
# - **和现在一样**（as now）：$\hat y_{t+k} = y_t$；
# - **季节朴素预测**（seasonal-naive），和去年同月一样：$\hat y_{t+k} = y_{t+k-12}$；
# - **季节朴素加漂移**（drift），再加上最近一年的涨幅：$\hat y_{t+k} = y_{t+k-12} + (y_t - y_{t-12})$；
# - **线性**（linear）：用 24 个差 $y_{t-j} - y_t$，按最小二乘预测 12 个变化量 $y_{t+k} - y_t$。
#
# 衡量的尺子是平均绝对误差（mean absolute error），单位 ppm（百万分之一）：一个带单位的数，可以直接和上面的曲线对照。
#
# **先猜**四种方法的名次。

# %%
PAST, AHEAD = 24, 12
pairs = np.lib.stride_tricks.sliding_window_view(series, PAST + AHEAD)  # (491, 36), one pair a month
border = int(np.flatnonzero(months == np.datetime64("1992-01"))[0])
starts = np.arange(len(pairs))
by_time = pairs[starts + PAST + AHEAD <= border], pairs[starts + PAST >= border]
print("pairs to train, to test · 训练、测试的对数:", *map(len, by_time), "  left out · 丢掉:", len(pairs) - sum(map(len, by_time)))
print(f"highest value in training · 训练期最高 {by_time[0].max():.1f} ppm, lowest in the test's future · 测试期将来最低 "
      f"{by_time[1][:, PAST:].min():.1f}, mean · 平均 {by_time[1][:, PAST:].mean():.1f} ppm")

# %%
def linear_forecast(train, past):
    """Least squares on differences to the last known month: (n, 12) ppm."""
    def inputs(rows):
        return np.concatenate([rows[:, :PAST] - rows[:, PAST - 1 : PAST], np.ones((len(rows), 1))], axis=1)  # (n, 25)

    solution = np.linalg.lstsq(inputs(train), train[:, PAST:] - train[:, PAST - 1 : PAST], rcond=None)[0]
    return past[:, -1:] + inputs(past) @ solution


past, future = by_time[1][:, :PAST], by_time[1][:, PAST:]
forecasts = {
    "as now": np.repeat(past[:, -1:], AHEAD, axis=1),
    "seasonal-naive": past[:, -12:],
    "seasonal-naive, drift": past[:, -12:] + (past[:, -1] - past[:, -13])[:, None],
    "linear": linear_forecast(by_time[0], past),
}
for name, forecast in forecasts.items():
    print(f"{name:22} mean absolute error · 平均绝对误差 {np.abs(forecast - future).mean():.2f} ppm")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** They improve in the order of the list, each with one more piece of knowledge: the season, the trend, and finally weights learned
# from the data.

# %% [markdown] lang="zh" of="5e8b30d0" tags=["answer"]
# **答案。** 正是列表的次序，一个比一个好，每往下一种就多知道一样东西：季节，趋势，最后是从数据里学来的权重。

# %% [markdown] lang="en" tags=["predict"]
# ### Two LSTMs, equal but for one subtraction
#
# An LSTM of 32 units reads the 24 months, a dense layer gives all 12 answers at once. The network is trained twice, from the
# same initial weights:
#
# - **level**: the common recipe. Scale the series to mean 0 and standard deviation 1 *of the training years*, forecast the
#   scaled values;
# - **difference**: subtract the last known month from everything, forecast the changes, add it again.
#
# Both know the same.
#
# **Predict:** recall the question at the beginning. What can tanh and a dense layer do with values that never occurred in training?

# %% [markdown] lang="zh" of="89ccf83a" tags=["predict"]
# ### 两个 LSTM，只差一次减法
#
# 一个 32 单元的 LSTM 读 24 个月，全连接层一次给出 12 个答案。同一个网络从同样的初始权重训练两次：
#
# - **水平**（level）：常见配方。按**训练期**的均值和标准差把序列缩放，预测缩放后的值；
# - **差分**（difference）：所有数都减去最后一个已知月份的值，预测变化量，再加回去。
#
# 两者知道的一样多。
#
# **先猜：** 回想一下开头的问题。对训练时从未出现过的值，tanh 和全连接层能怎么办？

# %%
forecaster, start = compiled(keras.Input((PAST, 1)), layers.LSTM(32), layers.Dense(AHEAD), rate=0.003, loss="mse", metrics=())
print("parameters · 参数:", f"{forecaster.count_params():,}", "  of the straight lines · 线性的:", (PAST + 1) * AHEAD)

# %% tags=["nbval-ignore-output"]
def lstm_forecast(train, past, name, difference):
    """Train from the start; forecasts (n, 12) in ppm."""
    centre, scale = (0.0, np.std(train - train[:, PAST - 1 : PAST])) if difference else (train.mean(), train.std())
    zero = (lambda rows: rows[:, PAST - 1 : PAST]) if difference else (lambda rows: centre)  # what is subtracted
    scaled = ((train - zero(train)) / scale).astype("float32")
    forecaster.set_state_tree(start)
    epochs = choose(smoke=5, laptop=60, full=300)
    training.fit(forecaster, scaled[:, :PAST, None], scaled[:, PAST:], name=name, epochs=epochs, batch_size=32)
    answer = np.asarray(forecaster(((past - zero(past)) / scale).astype("float32")[..., None]))  # (n, 12)
    return answer * scale + zero(past)


co2_bands = {
    "level": choose(smoke=(7.17, 9.26), laptop=(5.36, 6.62), full=(1, 15)),
    "difference": choose(smoke=(0.77, 1.43), laptop=(0.44, 0.57), full=(0.3, 0.8)),
}
for name, band in co2_bands.items():
    forecasts[f"LSTM, {name}"] = lstm_forecast(by_time[0], past, f"co2-{name}", name == "difference")
    results.record(f"co2.lstm_{name}", np.abs(forecasts[f"LSTM, {name}"] - future).mean(), band=band, unit="ppm", digits=2)

# %% tags=["hero", "nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), width_ratios=[1.3, 1])
calendar = months[-(PAST + AHEAD):]  # the last pair: 24 months known, the year 2001 to forecast
left.plot(calendar, pairs[-1], color="0.3", linewidth=3, alpha=0.5, label="measured")
for (name, forecast), color, line, marker in zip(forecasts.items(), plots.COLORS, plots.LINES, plots.MARKERS, strict=False):
    if name not in ("as now", "seasonal-naive, drift"):
        left.plot(calendar[PAST:], forecast[-1], color=color, linestyle=line, marker=marker, markersize=4)
    right.semilogy(range(1, AHEAD + 1), np.abs(forecast - future).mean(axis=0), color=color, linestyle=line, marker=marker,
                   markersize=4, label=name)
left.set(title="the last year of the record", xlabel="year and month", ylabel="carbon dioxide in ppm")
left.tick_params(axis="x", rotation=25)
left.legend(loc="upper left", fontsize=9)
right.set(title="error by lead, test years", xlabel="months ahead", ylabel="mean absolute error in ppm")
right.set_yticks([0.25, 0.5, 1, 2, 4, 8], labels=["0.25", "0.5", "1", "2", "4", "8"])
right.minorticks_off()
right.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure,
    alt="Left: the year 2001 with four forecasts; the LSTM on levels runs far below the measured curve, the others follow it. "
    "Right: error against months ahead, logarithmic; LSTM on levels is worst by far, linear and LSTM on differences best.",
    alt_zh="左：2001 年与四种预测；用水平训练的 LSTM 远低于实测曲线，其余的都跟得上。右：误差随提前月数的变化（对数坐标）；"
    "用水平训练的 LSTM 差得最远，线性和用差分训练的 LSTM 最好。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Very little. The common recipe is off by {{co2.lstm_level:.2f}} ppm (three seeds: {{seeds:co2.lstm_level:.2f}}), worse than the
# forecast "as now": its saturating cell answers new heights with old ones. One subtraction makes a good forecaster of the same
# network, {{co2.lstm_difference:.2f}} ppm ({{seeds:co2.lstm_difference:.2f}}). And the linear forecast from the 24 differences, with a
# small fraction of the parameters, is as good or better. Others found the same: in the M4 competition no pure machine-learning
# method reached the benchmark, a combination of simple statistical ones
# ([Makridakis, Spiliotis and Assimakopoulos 2018](https://doi.org/10.1016/j.ijforecast.2018.06.001)); the winner joined both
# kinds ([Smyl 2020](https://doi.org/10.1016/j.ijforecast.2019.03.017)).
#
# ## Result clinic: two splendid results
#
# **"R² = 0.9 on the test years: the model has understood the series."** The coefficient of determination compares with a
# forecast that nobody would make, the mean of the test years:
#
# $$ R^2 = 1 - \frac{\sum (y - \hat y)^2}{\sum (y - \bar y)^2} $$
#
# In a rising series that mean is nearly always far off, so compared with it even a forecast that understands nothing looks
# good. Here are two such forecasts, one month ahead and one year ahead:

# %% [markdown] lang="zh" of="e68fa282" tags=["answer"]
# **答案。** 几乎无能为力。常见的配方误差是 {{co2.lstm_level:.2f}} ppm（三个种子：{{seeds:co2.lstm_level:.2f}}），比“和现在一样”还糟：
# 单元会饱和，遇到新的高度仍按旧的高度作答。只做一次减法，同一个网络就成了好的预测器：{{co2.lstm_difference:.2f}} ppm
# （{{seeds:co2.lstm_difference:.2f}}）。而用 24 个差做的线性预测，参数少得多，却同样好，甚至更好。别人也有同样的发现：M4 竞赛里，没有一个纯机器学习的方法赶上基准，
# 而基准不过是几种简单统计方法的组合（[Makridakis、Spiliotis 与 Assimakopoulos，2018](https://doi.org/10.1016/j.ijforecast.2018.06.001)），
# 夺冠的方法是两类的结合（[Smyl，2020](https://doi.org/10.1016/j.ijforecast.2019.03.017)）。
#
# ## 结果门诊：两个漂亮的结果
#
# **“测试年份上 R² = 0.9，说明模型懂得这条序列了。”** 决定系数（coefficient of determination）是与测试期的均值相比，而谁也不会那样预测：
#
# $$ R^2 = 1 - \frac{\sum (y - \hat y)^2}{\sum (y - \bar y)^2} $$
#
# 对一条上升的序列，这个均值几乎处处偏得很远，跟它一比，什么也不懂的预测也显得好。下面就是两种这样的预测，一个提前一个月，一个提前一年：

# %%
def r_squared(truth, forecast):
    return 1 - np.sum((truth - forecast) ** 2) / np.sum((truth - truth.mean()) ** 2)


for name, back in [("as last month · 和上个月一样", 1), ("as in the same month of last year · 和去年同月一样", 12)]:
    for period, first in [("1992–2001", border), ("1960–2001", 22)]:
        truth, forecast = series[first:], series[first - back : len(series) - back]
        print(f"{name:44} {period}: R² = {r_squared(truth, forecast):.2f}, error · 误差 {np.abs(truth - forecast).mean():.2f} ppm")

# %% [markdown] lang="en" tags=["predict"]
# "As last month" and "as last year" reach R² of 0.9 and more without any model, and the longer the period, the more splendid R² becomes.
#
# **"The LSTM on levels is fine: on windows drawn at random it is off by about 1 ppm."** The same network, the
# same scaling, the same number of training pairs; only the split differs: the pairs are shuffled before, as
# `train_test_split` does by default.
#
# **Predict** what becomes of the error.

# %% [markdown] lang="zh" of="7cc1b100" tags=["predict"]
# “和上个月一样”“和去年同月一样”不用任何模型，R² 就到了 0.9 以上；时期取得越长，R² 越漂亮。
#
# **“用水平训练的 LSTM 没问题：随机抽出一些窗口来测，误差只有 1 ppm 左右。”** 同一个网络，同样的缩放，训练样本对的个数也一样，
# 只有划分不同：先把所有样本对打乱再分，`train_test_split` 默认就这么做。
#
# **先猜**误差会变成多少。

# %% tags=["nbval-ignore-output"]
order = np.random.default_rng(SEED).permutation(len(pairs))
train, test = pairs[order[: len(by_time[0])]], pairs[order[-len(by_time[1]) :]]
answer = lstm_forecast(train, test[:, :PAST], "co2-shuffled", difference=False)
band = choose(smoke=(1.79, 2.24), laptop=(0, 2.42), full=(0.2, 1.5))
results.record("co2.lstm_level_shuffled", np.abs(answer - test[:, PAST:]).mean(), band=band, unit="ppm", digits=2)
seen = np.isin(test[:, PAST:], train[:, PAST:]).mean()
print(f"by time · 按时间划分 {np.abs(forecasts['LSTM, level'] - future).mean():.2f} ppm; "
      f"months to forecast that were answers in training · 要预测的月份里训练时当过答案的 {seen:.0%}")

# %% [markdown] lang="en" tags=["answer"]
# **Answer and diagnosis.** It falls from {{co2.lstm_level:.2f}} to {{co2.lstm_level_shuffled:.2f}} ppm (three seeds:
# {{seeds:co2.lstm_level_shuffled:.2f}}). Neither number is wrong; each answers a different question. R² measures the distance from a bad
# rival: compare with a naive forecast, or give the error in the unit of the data. The shuffled split measures how well gaps are filled
# *between* known months: the months asked for were answers in training. A forecast is asked about months that nobody knows. Split
# by time, drop what crosses the border, and compute every scale from the training years.

# %% [markdown] lang="zh" of="6457ffe8" tags=["answer"]
# **答案与诊断。** 从 {{co2.lstm_level:.2f}} 降到 {{co2.lstm_level_shuffled:.2f}} ppm（三个种子：{{seeds:co2.lstm_level_shuffled:.2f}}）。
# 两个数都没算错，只是回答了不同的问题。R² 衡量的是与一个差劲对手的距离：应当与朴素预测相比，或者直接给出带数据单位的误差。
# 打乱再划分，衡量的是在已知月份**之间**填空的本领：要预测的月份，训练时都当过答案。而预测要回答的，是谁也不知道的月份。
# 请按时间划分，丢掉跨过分界线的窗口，所有缩放用的数都只从训练期来算。

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - **Digits are no sequence**: the row reader {{digits.lstm:.1%}}; a hidden layer with six times the passes, in less time,
#   {{digits.mlp_longer:.1%}}.
# - **Counting is hard to beat**: in Chinese, TF-IDF {{zh.tfidf:.1%}}, LSTM {{zh.lstm:.1%}}.
# - **The LSTM does not use the order**: in order {{en.lstm:.1%}}, shuffled {{en.lstm_shuffled:.1%}}.
# - **A missing mask costs learning**: training accuracy {{en.post_unmasked_training:.1%}} with zeros after the text,
#   {{en.pre_unmasked_training:.1%}} with zeros before.
# - **One subtraction**: an error of {{co2.lstm_level:.2f}} ppm on levels, {{co2.lstm_difference:.2f}} ppm on differences.
#
# **Formula card.** LSTM parameters: $4n(d + n + 1)$. TF-IDF: $n_t \left(\ln\frac{1+N}{1+N_t} + 1\right)$, then divided by the norm. Masked mean:
# $\sum_t m_t v_t / \sum_t m_t$. Seasonal-naive with drift: $\hat y_{t+k} = y_{t+k-12} + (y_t - y_{t-12})$.
# $R^2 = 1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2$.

# %% [markdown] lang="zh" of="51c52957" tags=["summary"]
# ## 这一章测到了什么
#
# - **数字图像不是序列**：逐行读 {{digits.lstm:.1%}}；有隐藏层的网络训练六倍的轮数，用时更少，{{digits.mlp_longer:.1%}}。
# - **统计词频很难赢**：中文里 TF-IDF 是 {{zh.tfidf:.1%}}，LSTM 是 {{zh.lstm:.1%}}。
# - **LSTM 没有用到顺序**：原顺序 {{en.lstm:.1%}}，打乱 {{en.lstm_shuffled:.1%}}。
# - **少了掩码，学得就差**：0 补在后面，训练准确率 {{en.post_unmasked_training:.1%}}；补在前面，{{en.pre_unmasked_training:.1%}}。
# - **只差一次减法**：预测水平，误差 {{co2.lstm_level:.2f}} ppm；预测差分，{{co2.lstm_difference:.2f}} ppm。
#
# **公式卡片。** LSTM 的参数量：$4n(d + n + 1)$。TF-IDF：$n_t \left(\ln\frac{1+N}{1+N_t} + 1\right)$，再除以范数。带掩码的平均：
# $\sum_t m_t v_t / \sum_t m_t$。季节朴素加漂移：$\hat y_{t+k} = y_{t+k-12} + (y_t - y_{t-12})$。
# $R^2 = 1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2$。

# %% [markdown] lang="en"
# ### Exercise 1 · easy — cut a series into pairs
#
# Write `cut(series, width, leads)`: for every position where both fit, the `width` values up to there and the `leads` values right
# after them. Return two arrays, *(n, width)* and *(n, leads)*.

# %% [markdown] lang="zh" of="226f8945"
# ### 练习 1 · 易 —— 把序列切成对
#
# 写出 `cut(series, width, leads)`：凡是放得下的位置，取 `width` 个值作窗口，再取紧接其后的 `leads` 个值。返回两个数组，
# 形状为（n，width）和（n，leads）。

# %% tags=["exercise"]
def cut(series, width, leads):
    """(n, width) values and the (n, leads) values after them."""
    ### BEGIN SOLUTION
    places = range(len(series) - width - leads + 1)
    past = np.stack([series[place : place + width] for place in places])
    future = np.stack([series[place + width : place + width + leads] for place in places])
    return past, future
    ### END SOLUTION

# %% tags=["check"]
exercises.check("06a.cut", cut)

# %% [markdown] lang="en" tags=["hint"]
# The last pair ends with the last value of the series. At which index does it begin? `range` ends one before its end.

# %% [markdown] lang="zh" of="64cd3735" tags=["hint"]
# 最后一对以序列的最后一个值结尾。它从哪个下标开始？`range` 不含终点。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — seasonal-naive, further than a season
#
# Write `seasonal_naive(series, origin, leads, period)`: forecasts for the steps `origin + 1` … `origin + leads`, when
# everything up to and including the index `origin` is known. Beyond one period, the last known period is repeated. The
# values after `origin` are not known yet: the check hands you undefined numbers there.

# %% [markdown] lang="zh" of="e1f27f5a"
# ### 练习 2 · 中 —— 季节朴素预测，不止一个周期
#
# 写出 `seasonal_naive(series, origin, leads, period)`：已知下标 `origin` 及之前的一切，预测 `origin + 1` 到 `origin + leads` 各步。
# 超过一个周期之后，重复最近一个已知的周期。`origin` 之后的值此时还不存在：检查时，那里放的是“非数”。

# %% tags=["exercise"]
def seasonal_naive(series, origin, leads, period):
    """Forecasts (leads,) for the steps after `origin`."""
    ### BEGIN SOLUTION
    last_period = series[origin - period + 1 : origin + 1]  # (period,)
    return last_period[np.arange(leads) % period]
    ### END SOLUTION

# %% tags=["check"]
exercises.check("06a.seasonal_naive", seasonal_naive)

# %% [markdown] lang="en" tags=["hint"]
# Cut out the last known period first: it ends *at* `origin`. Step 1 repeats its first value; step `period + 1` that one again.

# %% [markdown] lang="zh" of="9e9818de" tags=["hint"]
# 先切出最近一个已知的周期：它到 `origin` 为止，包括 `origin`。第 1 步重复它的第一个值，第 `period + 1` 步又回到这个值。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — the mean that respects a mask
#
# Write `masked_mean(vectors, mask)` without a loop: `vectors` *(texts, steps, size)*, `mask` *(texts, steps)* boolean, `True` for
# real steps; the result has the shape *(texts, size)*. A text without a single real step (it happens: an empty review) gives zeros.

# %% [markdown] lang="zh" of="2d923490"
# ### 练习 3 · 难 —— 理会掩码的平均
#
# 不用循环，写出 `masked_mean(vectors, mask)`：`vectors` 的形状是（文本，步，维数），`mask` 是布尔数组（文本，步），真实的步为 `True`；
# 结果的形状是（文本，维数）。一步也没有的文本（真会遇到：空评论）应得到 0。

# %% tags=["exercise"]
def masked_mean(vectors, mask):
    """Mean over the real steps of each text: (texts, size)."""
    ### BEGIN SOLUTION
    total = (vectors * mask[..., None]).sum(axis=1)  # (texts, size)
    return total / np.maximum(mask.sum(axis=1, keepdims=True), 1)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("06a.masked_mean", masked_mean)

# %% [markdown] lang="en" tags=["hint"]
# Multiply by the mask before you add up: it needs a third axis. Divide by the number of real steps, but never by 0.

# %% [markdown] lang="zh" of="97b4b494" tags=["hint"]
# 先乘掩码再相加，掩码要多加一个轴。除以真实的步数，但绝不能除以 0。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("06a")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Word counts and a linear model still sort mail and tickets wherever labels are few and answers must be explained.
# Recurrent forecasters run where thousands of series are learned together
# ([DeepAR, Salinas et al. 2017](https://arxiv.org/abs/1704.04110)). Reviews are judged by pre-trained Transformers today
# (chapter 7c), and the question "what does the plain method reach?" is as good as ever.
#
# - Wang and Manning, [*Baselines and bigrams*](https://aclanthology.org/P12-2018/), 2012: how far pairs of words carry.
# - Iyyer et al., [*Deep unordered composition rivals syntactic methods for text
#   classification*](https://aclanthology.org/P15-1162/), 2015: averaged vectors, hard to beat.
# - Hyndman and Athanasopoulos, [*Forecasting: principles and practice*](https://otexts.com/fpp3/): naive methods first.
# - Keeling et al., [*Atmospheric carbon dioxide variations at Mauna Loa
#   Observatory*](https://doi.org/10.1111/j.2153-3490.1976.tb00701.x), 1976: the measurements themselves.
#
# **What the full profile changes.** With all 60,000 digits, in the stored full run (one seed), the row reader passes the hidden
# layer: {{full:digits.lstm:.1%}} against {{full:digits.mlp_longer:.1%}}, half the errors, at a multiple of the time. The reviews are all in
# use already; more of them is what the LSTM lacks, and no profile can bring that.
#
# Next: chapter 7 drops the recurrence, and looks back at everything at once.

# %% [markdown] lang="zh" of="22356528"
# ## 应用与延伸阅读
#
# 只要标签不多、又要能解释，邮件和工单的分类至今仍用词频统计加线性模型。循环网络做预测，用在许多序列一起学的场合
# （[DeepAR，Salinas 等，2017](https://arxiv.org/abs/1704.04110)）。判断评论，如今用预训练的 Transformer（第 7c 章）；
# 而“朴素的方法能做到多少”这个问题，永远值得先问。
#
# - Wang 与 Manning，[Baselines and bigrams](https://aclanthology.org/P12-2018/)，2012：相邻两词能走多远。
# - Iyyer 等，[Deep unordered composition rivals syntactic methods for text classification](https://aclanthology.org/P15-1162/)，
#   2015：向量求平均，很难赢。
# - Hyndman 与 Athanasopoulos，[Forecasting: principles and practice](https://otexts.com/fpp3/)：朴素方法在先。
# - Keeling 等，[Atmospheric carbon dioxide variations at Mauna Loa Observatory](https://doi.org/10.1111/j.2153-3490.1976.tb00701.x)，
#   1976：这些测量本身。
# - 中文读物：《动手学深度学习》“自然语言处理：应用”一章，从情感分析讲起。
#
# **换成 full 配置会怎样。** 用上全部 60,000 个样本：在保存的 full 结果里（一个种子），逐行读的网络超过了有隐藏层的网络，
# {{full:digits.lstm:.1%}} 对 {{full:digits.mlp_longer:.1%}}，错误只有它的一半，时间却是好几倍。评论已经全部用上了；
# LSTM 缺的是更多的评论，这个哪种配置也给不了。
#
# 接下来：第 7 章干脆去掉循环，一眼看遍全文。
