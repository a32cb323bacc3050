# %% [markdown] lang="en" telling=["zh.tfidf", "zh.lstm", "co2.lstm_difference"]
# # 6a Sequences at work: digits, reviews, carbon dioxide
#
# Chapter 6 built recurrent cells and looked into them. Here they get three jobs, with the recipes that tutorials hand out:
# read a digit row by row, judge a review in English and in Chinese, forecast the air's carbon dioxide. Beside each
# stands a plain method that fits on a page. A network that cannot beat it has not been shown to be of use.
#
# **At the end you can**
#
# - build the usual two-storey LSTM classifier, count its parameters by hand, and say what it is worth on images;
# - turn texts of any length into arrays: tokens, vocabulary, padding, mask, without a leak from the test set;
# - compute TF-IDF by hand, and know how hard that baseline is to beat;
# - forecast a series with a season and a trend, and judge the forecast by what "as last year" would have done;
# - recognise two results that look splendid and mean nothing.
#
# **To know before:** LSTM, padding and masks (chapter 6), training in Keras (chapters 1 to 5). Time and memory, measured,
# stand below the imports.

# %% [markdown] lang="zh" of="c57eb7fa"
# # 6a 序列派上用场：数字、评论、二氧化碳
#
# 第 6 章造出了循环单元，并看清了它们的内部。这一章给它们派三件活，用的都是教程里常见的配方：逐行读手写数字，
# 判断中英文评论的好坏，预测空气中的二氧化碳。每件活旁边都摆着一个一页纸写得下的朴素方法。赢不了它的网络，还谈不上有用。
#
# **学完这一章，你能够**
#
# - 搭出常见的两层 LSTM 分类器，手算它的参数量，并说清它用在图像上值不值；
# - 把长短不一的文本变成数组：词元、词表、填充、掩码，而且不从测试集泄漏信息；
# - 手算 TF-IDF，并知道这个基线有多难赢；
# - 预测一条既有季节又有趋势的序列，并拿 “和去年同月一样” 来衡量它；
# - 认出两种看上去漂亮、其实什么也说明不了的结果。
#
# **预备知识：** LSTM、填充与掩码（第 6 章），在 Keras 里训练（第 1 至 5 章）。实测的时间和内存写在导入语句之后。

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

# %% [markdown] lang="en"
# ## The idea: one reader, three jobs
#
# A recurrent layer turns a sequence into a state. What is asked of the state makes the job: *one class* for a picture read
# row by row; *one class* for a text, and texts differ in length; *the next twelve numbers* of a series that goes on.
#
# Look at the three kinds of data first. **Before you run:** which of them has a trend that leaves, at the right end, the
# range of everything to its left? Keep the answer; it decides the last experiment.

# %% [markdown] lang="zh" of="edd4107d"
# ## 想法：一个读者，三件活
#
# 循环层把一个序列变成一个状态。向这个状态要什么，决定了是哪种活：逐行读一幅图，要*一个类别*；读一段文本，也要*一个类别*，
# 只是文本有长有短；读一条还在延续的序列，要*后面的十二个数*。
#
# 先看看这三种数据。**运行之前先猜一猜：** 哪一种有趋势，右端的值超出了左边出现过的整个范围？记住答案，最后一个实验就由它决定。

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

# %% [markdown] lang="en"
# ## Job 1: read a digit row by row
#
# A common recipe: two LSTM layers of 128 units, then a softmax, with MNIST's images as 28 steps of 28 numbers. The lower
# layer must hand on *all* its states (`return_sequences=True`), the upper one only its last. An LSTM has four blocks, each
# with its own input weights, recurrent weights and bias, so for $d$ inputs and $n$ units
#
# $$ \text{parameters} = 4\, n\, (d + n + 1) $$
#
# **Predict:** which layer has more parameters, the one that sees the image or the one above? Does the number depend on the
# 28 steps?
#
# Beside it stand two networks of chapter 1 that see all 784 numbers at once: a linear softmax, and one hidden layer of 128.
# All get the same digits and Adam, and the same number of passes; the hidden layer gets a second run with six times as
# many, because it has the time.

# %% [markdown] lang="zh" of="9a9969d7"
# ## 第一件活：逐行读数字
#
# 一个常见的配方：两层 LSTM，各 128 个单元，再接 softmax；MNIST 的图像当作 28 步，每步 28 个数。下层要把*每一步*的状态都交上去
# （`return_sequences=True`），上层只交最后一个。LSTM 有四块，每块都有自己的输入权重、循环权重和偏置，所以输入为 $d$、单元数为 $n$ 时
#
# $$ \text{参数量} = 4\, n\, (d + n + 1) $$
#
# **先猜：** 看图像的那层和它上面那层，哪个参数多？这个数与 28 步有关吗？
#
# 旁边摆着第 1 章的两个网络，它们一眼看到全部 784 个数：一个线性 softmax，一个有 128 个隐藏单元的网络。
# 大家用同样的数字、同样的轮数，优化器都是 Adam；有隐藏层的网络再训练一次，轮数是六倍，反正它来得及。

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

# %% [markdown] lang="en"
# Pass for pass the row reader may learn more, minute for minute it does not: the hidden layer with six times the passes is
# level with it or ahead, and still done first. And both are the wrong tool. An image is not a sequence: all of it is there at once,
# and its rows have no more order than its columns. Convolutions (chapter 2) know what is true of images, that neighbours
# belong together in *both* directions. Take this recipe as an exercise with `return_sequences`, and go on to data that
# really has an order.
#
# ## Job 2: judge a review, in two languages
#
# English food reviews (label 1: five stars) and Chinese reviews of goods and hotels (label 1: positive). Three decisions
# come before any network:
#
# - **What is a token?** In English a word. Chinese writes no spaces; the plain choice is one character. (Word segmentation
#   is possible, and one more thing that can go wrong.)
# - **Which tokens get a number?** Those of the *training* texts, the most frequent first; 0 is kept for padding, 1 for
#   everything unknown. Common recipes build the vocabulary from *all* texts: a leak, since the network then knows words
#   that only the test holds.
# - **Does a test text stand in the training texts, too?** Look before you trust a score.

# %% [markdown] lang="zh" of="b0bbcc27"
# 论轮数，逐行读的网络也许学得多些；论时间就不是了：有隐藏层的网络训练六倍的轮数，不输给它，还先做完。不过两者都选错了工具。
# 图像不是序列：它一下子全在眼前，行与行之间并不比列与列之间更有先后。卷积（第 2 章）懂得图像的特点：*两个*方向上的邻居都是一伙的。
# 这个配方就当作 `return_sequences` 的练习吧，下面换上真正有先后的数据。
#
# ## 第二件活：判断评论，两种语言
#
# 英文是食品评论（标签 1：五星），中文是商品和酒店评论（标签 1：好评）。网络登场之前，先要做三个决定：
#
# - **什么算一个词元（token）？** 英文是单词。中文不写空格，最朴素的做法是一个字一个词元。（也可以先分词，那就多了一处可能出错的地方。）
# - **哪些词元有编号？** *训练*文本里的，按频率从高到低；0 留给填充，1 留给一切不认识的。常见配方用*全部*文本来建词表，
#   这是泄漏：网络因此 “认识” 了只在测试文本里出现的词。
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
# ### The baseline: counted words, weighted
#
# A text becomes one long vector with an entry for each term $t$ of the training texts, here single tokens and pairs of
# neighbours. **TF-IDF** (term frequency times inverse document frequency, the idea is from
# [Spärck Jones 1972](https://doi.org/10.1108/eb026526)) counts a term in the text and weighs it the more, the fewer texts
# contain it:
#
# $$ w_{t} = n_{t} \left( \ln \frac{1 + N}{1 + N_t} + 1 \right) \qquad \text{then divided by } \lVert w \rVert $$
#
# $n_t$: times of $t$ in the text; $N$: training texts; $N_t$: those that contain $t$. (The ones are scikit-learn's
# smoothing; other libraries differ.) Logistic regression, chapter 4's sigmoid on a weighted sum, does the rest. First by hand.

# %% [markdown] lang="zh" of="400a835e"
# ### 基线：数词，再加权
#
# 把一段文本变成一个长向量，训练文本里的每一项 $t$（这里是单个词元和相邻的两个词元）占一格。**TF-IDF**
# （词频乘以逆文档频率，term frequency × inverse document frequency，想法出自
# [Spärck Jones，1972](https://doi.org/10.1108/eb026526)）数一数这一项在文本里出现几次，含有它的文本越少，权重就越大：
#
# $$ w_{t} = n_{t} \left( \ln \frac{1 + N}{1 + N_t} + 1 \right) \qquad \text{再除以 } \lVert w \rVert $$
#
# $n_t$ 是 $t$ 在这段文本里的次数，$N$ 是训练文本数，$N_t$ 是其中含有 $t$ 的文本数。（几个 1 是 scikit-learn 的平滑，别的库不一样。）
# 剩下的交给逻辑回归（logistic regression），也就是第 4 章里加权和上的 sigmoid。先手算。

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
# The terms are readable, and pairs such as "not good" carry what single words cannot. (`min_df=2` drops terms of one text
# only, `sublinear_tf` puts $1 + \ln n_t$ for $n_t$; $C = 10$ was chosen on a tenth of the *training* texts.)
#
# ### The recipe: embedding, two LSTMs, sigmoid
#
# Each token's number selects a vector, learned with the rest (**embedding**); the vectors are the steps. Short texts are
# filled up with zeros after their end (`"post"`) or before their beginning (`"pre"`), long ones are cut. Since 0 means
# padding, `Embedding(mask_zero=True)` makes the mask.
#
# One more rival, the cheapest network: **average** the vectors of the real tokens, then a sigmoid. It is blind to order,
# like counted words. With $m_t = 1$ for a real step and 0 for padding:
#
# $$ \bar v = \frac{\sum_t m_t\, v_t}{\sum_t m_t} $$
#
# Does Keras' pooling layer heed the mask? The loop below asks.

# %% [markdown] lang="zh" of="2cdd3f17"
# 这些项读得懂；像 “not good”“不好” 这样的两词项，带着单个词给不了的信息。（`min_df=2` 去掉只在一条文本里出现的项，`sublinear_tf`
# 用 $1 + \ln n_t$ 代替 $n_t$；$C = 10$ 是在*训练*文本的十分之一上选的。）
#
# ### 配方：嵌入、两层 LSTM、sigmoid
#
# 每个词元的编号选出一个向量，向量与其余权重一起学，这叫**嵌入**（embedding）；这些向量就是一步一步的输入。短文本用 0 补齐，
# 补在后面（`"post"`）或前面（`"pre"`），长的截断。既然 0 表示填充，`Embedding(mask_zero=True)` 就能生成掩码。
#
# 再加一个对手，最便宜的网络：把真实词元的向量**平均**，接一个 sigmoid。它和数词一样，看不见顺序。记真实的步 $m_t = 1$，填充 $m_t = 0$：
#
# $$ \bar v = \frac{\sum_t m_t\, v_t}{\sum_t m_t} $$
#
# Keras 的池化层理不理会掩码？下面的循环来验证。

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

# %% [markdown] lang="en"
# ### Two questions to the network
#
# **What does the mask do?** With a mask it makes no difference where the zeros stand, which the cell below shows on the
# trained network. Without one there are two ways, zeros after or before the text. **Predict** which learns worse. (Chapter 6
# measured how far a gradient reaches in a new LSTM.)
#
# **Does it read the order?** Shuffle the tokens *within* each test text, after training. Counted single words would not
# notice at all. A network that understands "not good, but …" should fall deep.

# %% [markdown] lang="zh" of="f3ff171b"
# ### 向网络提两个问题
#
# **掩码有什么用？** 有掩码时，0 补在哪边都一样，下面用训练好的网络来证明。没有掩码时有两种补法，补在后面或前面。
# **先猜**哪一种学得更差。（刚建好的 LSTM 里梯度能传多远，第 6 章量过。）
#
# **它读的是顺序吗？** 训练之后，把每条测试文本*内部*的词元打乱。只数单个词的方法完全不受影响；
# 真读懂了 “不算差，可是……” 的网络，应该一落千丈。

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

# %% [markdown] lang="en"
# Say honestly who wins: with a few thousand reviews counted words do, in a second or two, and the average of vectors is
# close. The LSTM is level with the average at best, and the shuffle says why: it does not notice. It has learned which
# words are good and which are bad, as the others have; that order matters, and how, it would have to find out from the same
# few thousand labels. The counted *pairs* do lose by the shuffle: a little of the order is in them. Large corpora, or
# pre-training on text without labels (chapter 7c), change this picture; a recipe does not.
#
# The padding is another matter: with the zeros after the text and no mask the last words lie dozens of steps back, and from
# there hardly any gradient returns to a new LSTM. It starts late; whether it catches up depends on how many passes you pay
# for. One argument, `mask_zero=True`, repairs it; so does `"pre"`, where the network reads the text last.
#
# ## Job 3: forecast carbon dioxide
#
# The weekly record has gaps: 59 weeks without a value. **The rule:** a month's value is the mean of the weeks that were
# measured; a month without any is interpolated on a straight line between its neighbours. How many are there?

# %% [markdown] lang="zh" of="f979096c"
# 老实说谁赢：只有几千条评论时，赢的是数词，一两秒就够，向量的平均紧随其后。LSTM 充其量与平均打平，打乱词序的结果说明了原因：
# 它根本没有察觉。它和别的方法一样，学到的是哪些词好、哪些词坏；至于顺序要紧、怎么要紧，还得从同样这几千个标签里去琢磨。
# 反倒是数*相邻两词*的基线，打乱之后变差了：顺序有一点在里面。能改变这个局面的是大语料，或者先在没有标签的文本上预训练（第 7c 章），
# 而不是某个配方。
#
# 填充则是另一回事：0 补在后面又没有掩码时，最后一个词远在几十步之前，刚建好的 LSTM 几乎收不到从那里传回的梯度，迟迟起不了步；
# 追不追得上，要看你肯付多少轮。一个参数 `mask_zero=True` 就能治好；改用 `"pre"` 也行，那样网络最后读到的是文本。
#
# ## 第三件活：预测二氧化碳
#
# 每周的记录有缺口：59 周没有值。**规则：** 一个月的值，取这个月里测到的各周的平均；一周也没测到的月份，在前后两个月之间按直线插值。
# 这样的月份有几个？

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

# %% [markdown] lang="en"
# From 24 months we forecast the next 12. A pair of past and future is cut out at every month, so neighbouring pairs share
# almost all of their numbers. Therefore the split is made **by time**: train on pairs that end before 1992, test on those
# whose whole future lies in 1992 or later; pairs that cross the border are left out.
#
# Four forecasts without a network, for $k = 1 \dots 12$ months ahead of the last known month $t$:
#
# - **as now**: $\hat y_{t+k} = y_t$;
# - **seasonal-naive**, as in the same month a year ago: $\hat y_{t+k} = y_{t+k-12}$;
# - **seasonal-naive with drift**, plus what the last year brought: $\hat y_{t+k} = y_{t+k-12} + (y_t - y_{t-12})$;
# - **linear**: the 12 changes $y_{t+k} - y_t$ by least squares from the 24 differences $y_{t-j} - y_t$.
#
# The yardstick is the mean absolute error in ppm, parts per million: a number with a unit, which a reader can compare with
# the curve above. **Predict** the order.

# %% [markdown] lang="zh" of="4b6219b9"
# 用 24 个月预测后面 12 个月。每个月都切出一对 “过去与将来”，相邻两对的数几乎全部重合。所以要**按时间**划分：
# 训练用 1992 年之前就结束的，测试用整个将来都在 1992 年及以后的，跨过分界线的丢掉。
#
# 四种不用网络的预测，从最后一个已知的月份 $t$ 往后数 $k = 1 \dots 12$ 个月：
#
# - **和现在一样**：$\hat y_{t+k} = y_t$；
# - **季节朴素预测**（seasonal-naive），和去年同月一样：$\hat y_{t+k} = y_{t+k-12}$；
# - **季节朴素加漂移**（drift），再加上最近一年的涨幅：$\hat y_{t+k} = y_{t+k-12} + (y_t - y_{t-12})$；
# - **线性**：用 24 个差 $y_{t-j} - y_t$，按最小二乘预测 12 个变化量 $y_{t+k} - y_t$。
#
# 尺子是平均绝对误差（mean absolute error），单位 ppm（百万分之一）：一个带单位的数，可以直接和上面的曲线对照。**先猜**名次。

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

# %% [markdown] lang="en"
# ### Two LSTMs, equal but for one subtraction
#
# An LSTM of 32 units reads the 24 months, a dense layer gives all 12 answers at once. The network is trained twice, from the
# same start:
#
# - **level**: the common recipe. Scale the series to mean 0 and standard deviation 1 *of the training years*, forecast the
#   scaled values;
# - **difference**: subtract the last known month from everything, forecast the changes, add it again.
#
# Both know the same. **Before you run:** recall the question at the beginning. What can tanh and a dense layer do with
# values that never occurred in training?

# %% [markdown] lang="zh" of="91b753d9"
# ### 两个 LSTM，只差一次减法
#
# 一个 32 单元的 LSTM 读 24 个月，全连接层一次给出 12 个答案。同一个网络从同样的初始权重训练两次：
#
# - **水平**：常见配方。按*训练期*的均值和标准差把序列缩放，预测缩放后的值；
# - **差分**：所有数都减去最后一个已知月份的值，预测变化量，再加回去。
#
# 两者知道的一样多。**运行之前：** 回想一下开头的问题。对训练时从未出现过的值，tanh 和全连接层能怎么办？

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

# %% tags=["nbval-ignore-output"]
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

# %% [markdown] lang="en"
# The common recipe is worse than no method at all: its saturating cell answers new heights with old ones, and the error is the
# trend of the years since. One subtraction makes a good forecaster of the same network. And the linear forecast
# from the 24 differences, which is computed in a millisecond, is as good or better. That is no accident of this
# series: in the M4 competition no pure machine-learning method reached the benchmark, a combination of simple statistical ones
# ([Makridakis, Spiliotis and Assimakopoulos 2018](https://doi.org/10.1016/j.ijforecast.2018.06.001)); what won joined both
# kinds ([Smyl 2020](https://doi.org/10.1016/j.ijforecast.2019.03.017)).
#
# ## Result clinic: two splendid results
#
# **"R² = 0.9 on the test years: the model has understood the series."** The coefficient of determination compares with a
# forecast that nobody would make, the mean of the test years:
#
# $$ R^2 = 1 - \frac{\sum (y - \hat y)^2}{\sum (y - \bar y)^2} $$
#
# In a rising series that mean is far off nearly always, so beside it even a forecast that understands nothing looks
# good. Two such forecasts, one month ahead and one year ahead:

# %% [markdown] lang="zh" of="4a03a9cd"
# 常见的配方比什么方法都不用还糟：单元会饱和，遇到新的高度仍按旧的高度作答，误差就是这些年涨上去的部分。只做一次减法，同一个网络就成了好的预测器。
# 而用 24 个差做的线性预测，一毫秒就算完，同样好，甚至更好。这并不是这条序列碰巧如此：M4 竞赛里，没有一个纯机器学习的方法赶上基准，而基准不过是几种简单统计方法的组合
# （[Makridakis、Spiliotis 与 Assimakopoulos，2018](https://doi.org/10.1016/j.ijforecast.2018.06.001)），夺冠的是两类方法的结合
# （[Smyl，2020](https://doi.org/10.1016/j.ijforecast.2019.03.017)）。
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

# %% [markdown] lang="en"
# **"The LSTM on levels is fine: on windows drawn at random it is off by about 1 ppm."** The same network, the
# same scaling, the same number of training pairs; only the split is another: the pairs are shuffled before, as
# `train_test_split` does unasked. **Predict** what becomes of the error.

# %% [markdown] lang="zh" of="cf2e7f86"
# **“用水平训练的 LSTM 没问题：随机抽出一些窗口来测，误差只有 1 ppm 左右。”** 同一个网络，同样的缩放，训练的对数也一样，
# 只有划分不同：先把所有的对打乱再分，`train_test_split` 默认就这么做。**先猜**误差会变成多少。

# %% tags=["nbval-ignore-output"]
order = np.random.default_rng(SEED).permutation(len(pairs))
train, test = pairs[order[: len(by_time[0])]], pairs[order[-len(by_time[1]) :]]
answer = lstm_forecast(train, test[:, :PAST], "co2-shuffled", difference=False)
band = choose(smoke=(1.79, 2.24), laptop=(0, 2.42), full=(0.2, 1.5))
results.record("co2.lstm_level_shuffled", np.abs(answer - test[:, PAST:]).mean(), band=band, unit="ppm", digits=2)
seen = np.isin(test[:, PAST:], train[:, PAST:]).mean()
print(f"by time · 按时间划分 {np.abs(forecasts['LSTM, level'] - future).mean():.2f} ppm; "
      f"months to forecast that were answers in training · 要预测的月份里训练时当过答案的 {seen:.0%}")

# %% [markdown] lang="en"
# **Diagnosis.** Neither number is wrong; both answer another question. R² measures distance from a bad rival: put a naive
# forecast beside it, or give the error in the unit of the data. The shuffled split measures how well gaps are filled
# *between* known months: nearly every month asked for was an answer in training. A forecast is asked about months that
# nobody knows. Split by time, drop what crosses the border, and compute every scale from the training years.

# %% [markdown] lang="zh" of="ef39f097"
# **诊断。** 两个数都没算错，只是回答了别的问题。R² 量的是与一个差劲对手的距离：应当在旁边放一个朴素预测，或者直接给出带数据单位的误差。
# 打乱再划分，量的是在已知月份*之间*填空的本领：要预测的月份几乎都在训练时当过答案。而预测要回答的，是谁也不知道的月份。
# 请按时间划分，丢掉跨过分界线的窗口，所有缩放用的数都只从训练期来算。

# %% [markdown] lang="en"
# ### Exercise 1 · easy — cut a series into pairs
#
# Write `cut(series, width, leads)`: for every place where both fit, the `width` values up to there and the `leads` values right
# after them. Returns two arrays, *(n, width)* and *(n, leads)*.

# %% [markdown] lang="zh" of="678016f9"
# ### 练习 1 · 易 —— 把序列切成对
#
# 写出 `cut(series, width, leads)`：凡是放得下的位置，取 `width` 个值作窗口，再取紧接其后的 `leads` 个值。返回两个数组，
# 形状为 *（n，width）* 和 *（n，leads）*。

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
# 超过一个周期之后，重复最近一个已知的周期。`origin` 之后的值此时还不存在：检查时，那里放的是 “非数”。

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
# 先切出最近一个已知的周期：它*到* `origin` 为止，包括 `origin`。第 1 步重复它的第一个值，第 `period + 1` 步又回到这个值。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — the mean that heeds a mask
#
# Write `masked_mean(vectors, mask)` without a loop: `vectors` *(texts, steps, size)*, `mask` *(texts, steps)* boolean, `True` for
# real steps; result *(texts, size)*. A text without a single real step (it happens: an empty review) gives zeros.

# %% [markdown] lang="zh" of="41ec562b"
# ### 练习 3 · 难 —— 理会掩码的平均
#
# 不用循环，写出 `masked_mean(vectors, mask)`：`vectors` 的形状是 *（文本，步，维数）*，`mask` 是布尔数组 *（文本，步）*，真实的步为 `True`；
# 结果的形状是 *（文本，维数）*。一步也没有的文本（真会遇到：空评论）应得到 0。

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
# Counted words and a linear model still sort mail and tickets wherever labels are few and answers must be explained.
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
# **What the full profile changes.** All 60,000 digits: in the stored full run (one seed,
# `notebooks/results/full-06a.json`) the row reader passes the hidden layer, at a multiple of the time, and halves its
# errors. The reviews are all in use already; more of them is what the LSTM lacks, and no profile can
# bring that.
#
# Next: chapter 7 drops the recurrence, and looks back at everything at once.

# %% [markdown] lang="zh" of="b16f9134"
# ## 用在哪里，读些什么
#
# 只要标签不多、又要能解释，邮件和工单的分类至今仍用数词加线性模型。循环网络做预测，用在许多序列一起学的场合
# （[DeepAR，Salinas 等，2017](https://arxiv.org/abs/1704.04110)）。判断评论，如今用预训练的 Transformer（第 7c 章）；
# 而 “朴素的方法能做到多少” 这个问题，永远值得先问。
#
# - Wang 与 Manning，[*Baselines and bigrams*](https://aclanthology.org/P12-2018/)，2012：相邻两词能走多远。
# - Iyyer 等，[*Deep unordered composition rivals syntactic methods for text classification*](https://aclanthology.org/P15-1162/)，
#   2015：向量求平均，很难赢。
# - Hyndman 与 Athanasopoulos，[*Forecasting: principles and practice*](https://otexts.com/fpp3/)：朴素方法在先。
# - Keeling 等，[*Atmospheric carbon dioxide variations at Mauna Loa Observatory*](https://doi.org/10.1111/j.2153-3490.1976.tb00701.x)，
#   1976：这些测量本身。
#
# **换成 full 配置会怎样。** 用上全部 60,000 个数字：在保存的 full 运行里（一个种子，`notebooks/results/full-06a.json`），
# 逐行读的网络超过了单隐藏层的网络，错误只有它的一半，时间却是好几倍。评论已经全部用上了；
# LSTM 缺的是更多的评论，这个哪种配置也给不了。
#
# 接下来：第 7 章干脆去掉循环，一眼看遍全文。
