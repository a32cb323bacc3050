# %% [markdown] lang="en" telling=["poems.bits_per_character", "poems.bits_below_ngram", "poems.tones_top_p"]
# # 7b Generation
#
# A model that has learned one thing, to guess the next sign, can write. Here the same few lines of code learn Tang poems,
# character by character, and Jane Austen, piece by piece. Then comes the part that is usually left out: measuring what has been
# written. Does a poem have its form, its tones, its rhyme? Has the line been there before?
#
# **At the end you can**
#
# - train a small GPT on any text, and say in bits per character how good it is, beside a model that only counts;
# - split texts so that nothing leaks, and show how much would have leaked;
# - compute temperature, top-k and top-p by hand, and tell from measurements what each of them does to the text;
# - write with a cache of keys and values, prove that the text stays the same, and measure the time it saves;
# - let the network write a poem on a word of yours.
#
# **To know before:** chapter 7 (attention, masks). No Chinese is needed: lines, tones, rhymes and copies are counted for you.
# Time and memory, measured, stand below the imports.

# %% [markdown] lang="zh" of="dcec8228"
# # 7b 生成
#
# 一个模型只学会一件事：猜下一个符号。这样它就能写作了。这一章用同样的几行代码，逐字学唐诗，也逐块学简·奥斯汀的小说。
# 接下来是通常被略过的部分：测量写出来的东西。格式对不对？平仄合不合？押不押韵？这一句是不是早就有人写过？
#
# **学完这一章，你能够**
#
# - 在任意文本上训练一个小 GPT，用每字符比特数说明它有多好，旁边放一个只会数数的模型作对照；
# - 划分文本而不泄露，并说出不当的划分会泄露多少；
# - 手算温度、top-k、top-p，并根据测量说出它们各自对文本做了什么；
# - 用键值缓存来写，证明写出的文本不变，并测出省下的时间；
# - 出一个词，让网络写一首藏头诗。
#
# **预备知识：** 第 7 章（注意力、掩码）。实测的时间和内存写在导入语句之后。

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
import bz2
import collections
import re
import textwrap
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.topics import decoding, language_models, verses
from course_utils.models import transformer
from course_utils.profiles import choose
from course_utils.reference import losses

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("07b")

# %% [markdown] lang="en"
# ## The idea: what comes next?
#
# Cover the end of a line and guess. After 春风 (*spring wind*), a reader of Tang poems expects 吹 (*blows*); after *it is a*, a
# reader of Austen expects something else than a reader of the news. Whoever can give a probability to every possible next sign
# can write: draw one, append it, ask again.
#
# The bars show the plainest way to get such probabilities: **count** what followed in the training texts. **Before you read on:**
# what will counting do after a beginning that never occurred?

# %% [markdown] lang="zh" of="47e7ac48"
# ## 想法：下一个是什么？
#
# 遮住一句诗的后半，猜一猜。看到 “春风”，读惯唐诗的人会想到 “吹”；看到 *it is a*，奥斯汀的读者与新闻的读者想到的不会一样。
# 谁能给每个可能的下一个符号都打一个概率，谁就会写作：抽一个，接上去，再问一次。
#
# 下面的柱形图用最朴素的办法得到这种概率：在训练文本里**数一数**后面出现过什么。**先想一想再往下读：** 如果开头从来没出现过，数数还能怎么办？

# %%
parts = verses.split(datasets.poems().poems)  # quatrains: train, validation, test
novels = {title: language_models.paragraphs(text) for title, text in datasets.novels().texts.items()}
poem_lines = "\n".join(line for lines in parts["train"] for line in lines)
austen_text = "\n".join(text for title, text in novels.items() if title != "Persuasion")

figure, axes = plt.subplots(1, 2, figsize=(9, 2.9))
for axis, text, pattern, title in [
    (axes[0], poem_lines, "春风(.)", "after 春风 in Tang poems"),
    (axes[1], austen_text, r"\b[Ii]t is a (\w+)", "after “it is a” in Austen"),
]:
    following = collections.Counter(re.findall(pattern, text))
    signs, counts = zip(*following.most_common(8), strict=True)
    axis.barh(signs[::-1], np.array(counts[::-1]) / following.total(), color=plots.COLORS[0])
    axis.set(title=title, xlabel="share of what followed")
plots.show(
    figure,
    alt="Two bar charts: which characters follow 春风 in the poems, which words follow 'it is a' in Austen's novels. "
    "A few are frequent, many share the rest.",
    alt_zh="两幅柱形图：唐诗里 “春风” 后面出现的字，奥斯汀小说里 it is a 后面出现的词；少数几个很常见，其余的平分剩下的份额。",
)

# %% [markdown] lang="en"
# ## The poems, and a split that does not leak
#
# The material is quatrains: four lines of five or of seven characters. A poem of eight lines gives two, its halves. (An old
# explanation of the name 绝句, quatrain, is exactly that: cut from a regulated poem.)
#
# What belongs into the test set? The cell asks three rules for the same thing: how many test quatrains share a whole line with the
# training set? *At random*: shuffle all quatrains. *By poem*: both halves of a poem on one side. The third rule also throws out of the
# test set what still shares a line: poets quoted each other, and the collection holds variants of one poem.
# **Predict** how much the first rule leaks.

# %% [markdown] lang="zh" of="aee8da45"
# ## 唐诗，以及不泄露的划分
#
# 材料是四句一首的诗：每句五个字，或者每句七个字。八句的诗拆成前后两半，算两首。（“绝句” 这个名字，旧时有一种解释正是 “截取律诗的一半”。）
#
# 测试集里该放什么？下面拿同一个问题去问三种规则：测试诗里有多少首与训练集共有整句？*随机*：把所有四句诗打乱了分。*按诗*：同一首诗的两半放在同一边。
# 第三种规则还把仍与训练集共有诗句的测试诗剔除：诗人会互相引用，集子里也有同一首诗的异文。**先猜**第一种规则会泄露多少。

# %%
def measured_leaks():
    """The share of test quatrains with a line that the training set has, for three rules of splitting."""
    poems = datasets.poems().poems
    halves = [lines for poem in poems for lines in verses.quatrains(poem.lines)]
    order, count = np.random.default_rng(0).permutation(len(halves)), len(halves) // 20
    by_poem = [lines for poem in poems if verses.part_of(poem) == "test" for lines in verses.quatrains(poem.lines)]
    rules = {
        "quatrains at random · 四句诗随机分": ([halves[place] for place in order[count:]], [halves[place] for place in order[:count]]),
        "by poem · 按诗分": (parts["train"], by_poem),
        "by poem, no shared line · 按诗分，且无共句": (parts["train"], parts["test"]),
    }
    for rule, (training_part, test_part) in rules.items():
        seen = {line for lines in training_part for line in lines}
        shared = np.mean([any(line in seen for line in lines) for lines in test_part])
        print(f"{len(test_part):5} test quatrains, {shared:5.1%} share a line with training · 与训练集共句   {rule}")


measured_leaks()
print({name: len(part) for name, part in parts.items()})

# %%
script = verses.Script(parts["train"], size=2500)  # the most frequent characters of the training set
readable = {name: [lines for lines in part if script.writes(lines)] for name, part in parts.items()}
tokens = {name: script.encode(part) for name, part in readable.items()}
readable, known_lines = readable["test"], {line for lines in parts.pop("train") for line in lines}  # memory is short: let go of the rest
print("without rare characters · 不含生僻字:", {name: array.shape for name, array in tokens.items()})


def visible(row):
    """Tokens as text, the signs that are not characters written out."""
    names = {verses.PADDING: "", verses.START: "⟨start⟩", verses.END: "⟨end⟩", verses.LINE: "/"}
    return "".join(names.get(token, script.characters[token]) for token in row.tolist())


example = script.encode([("春眠不觉晓", "处处闻啼鸟", "夜来风雨声", "花落知多少")])  # Meng Haoran, Spring Dawn
print("it reads · 读到:   ", visible(example[0, :-1]))
print("and guesses · 去猜:", visible(example[0, 1:]))

# %% [markdown] lang="en"
# That is the whole task: the same row twice, one place apart. At every place the model has read everything up to there, and is asked
# for the next sign. A poem of twenty characters asks twenty-four questions at once: line breaks and the end must be guessed too.
#
# ## From the formula to Keras: what does a text cost?
#
# The probability of a text is the product of its steps (the chain rule; nothing is neglected):
#
# $$ p(x_1 \dots x_T) = \prod_{t=1}^{T} p(x_t \mid x_1 \dots x_{t-1}), \qquad
#    L = -\frac1T \sum_{t=1}^{T} \log p(x_t \mid x_1 \dots x_{t-1}) $$
#
# $L$ is the **cross entropy**, the loss that is minimised. $e^L$ is the **perplexity**: the model is as unsure as if it had to choose
# among that many equally likely signs. And $L T / \log 2$ is a length in **bits**: an ideal compressor that uses the model writes the text
# in so many. Divided by the number of characters it becomes **bits per character**, the measure of this chapter. The gradient at the logits is
# $\partial L / \partial z_{t,i} = (\operatorname{softmax}(z_t)_i - [i = x_t]) / T$, as in chapter 4. Padding counts nowhere.

# %% [markdown] lang="zh" of="39fffbd3"
# 任务就是这样：同一行用两遍，错开一位。在每个位置上，模型已经读到这里为止的一切，要猜下一个符号。一首二十个字的诗，一次就问了二十四个问题：
# 换行和结尾也要猜。
#
# ## 从公式到 Keras：一段文本要花多少比特？
#
# 一段文本的概率，是各步概率之积（链式法则，没有任何近似）：
#
# $$ p(x_1 \dots x_T) = \prod_{t=1}^{T} p(x_t \mid x_1 \dots x_{t-1}), \qquad
#    L = -\frac1T \sum_{t=1}^{T} \log p(x_t \mid x_1 \dots x_{t-1}) $$
#
# $L$ 是**交叉熵**（cross entropy），也就是训练要减小的损失。$e^L$ 是**困惑度**（perplexity）：模型的犹豫程度，相当于要在这么多个同样可能的符号里选一个。
# $L T / \log 2$ 则是以**比特**（bit）计的长度：一个使用该模型的理想压缩器，写下这段文本正好要这么多比特。再除以字符数，就是**每字符比特数**
# （bits per character），本章的尺子。对 logits 的梯度是
# $\partial L / \partial z_{t,i} = (\operatorname{softmax}(z_t)_i - [i = x_t]) / T$，与第 4 章相同。填充一律不算。

# %%
keras.utils.set_random_seed(0)
small = transformer.decoder_only(vocabulary=10, length=8, size=16, heads=2, hidden=16, blocks=1)
rows = np.array([[1, 5, 6, 7, 2, 0], [1, 9, 8, 2, 0, 0]])  # 1 start, 2 end, 0 padding
inputs, targets, real = rows[:, :-1], rows[:, 1:], rows[:, 1:] > 0
loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
logits = tf.convert_to_tensor(small(inputs))  # (2, 5, 10)
with tf.GradientTape() as tape:
    tape.watch(logits)
    loss = loss_function(targets, logits)

log_probability = np.take_along_axis(decoding.log_softmax(logits), targets[..., None], axis=-1)[..., 0]
proofs.equal({"formula": -log_probability[real].mean(), "Keras": loss})
proofs.equal({
    "perplexity e^L": np.exp(loss),
    "2^(bits a token)": 2 ** (language_models.bits(log_probability[real]) / real.sum()),
    "1 / geometric mean of p": np.exp(log_probability)[real].prod() ** (-1 / real.sum()),
})
by_hand = (np.exp(decoding.log_softmax(logits)) - np.eye(10)[targets]) * real[..., None] / real.sum()
nudged = proofs.finite_differences(lambda z: losses.cross_entropy(z[real], targets[real]), np.asarray(logits, "float64"))
proofs.equal({"∂L/∂z by hand": by_hand, "GradientTape": tape.gradient(loss, logits), "finite differences": nudged})

# %% [markdown] lang="en"
# ## The baseline: a model that only counts
#
# An **n-gram** model looks at the last $n-1$ signs $h$ and counts what followed. After a beginning that never occurred it must not give
# up. **Interpolated Kneser-Ney smoothing** takes a discount $D$ from every count and hands it to the next shorter context $h'$:
#
# $$ p_n(w \mid h) = \frac{\max(c(hw) - D,\, 0)}{c(h)} + \frac{D\, N(h)}{c(h)}\; p_{n-1}(w \mid h') $$
#
# $c$: counts; $N(h)$: how many *different* signs followed $h$; $D = n_1 / (n_1 + 2 n_2)$, for each length on its own, where $n_1$ and $n_2$
# are how many entries have the count 1 and 2. The shorter contexts do not count how often, but in how many different
# surroundings: a sign that only ever follows one other is a bad guess anywhere else
# ([Chen and Goodman 1999](https://doi.org/10.1006/csla.1999.0128)). No gradient, no GPU; for decades this *was* the language model.

# %% [markdown] lang="zh" of="b0a226a7"
# ## 基线：只会数数的模型
#
# **n 元模型**（n-gram）只看最后 $n-1$ 个符号 $h$，数一数后面出现过什么。遇到从没出现过的开头，它也不能交白卷。
# **插值 Kneser-Ney 平滑**从每个计数里扣下一点 $D$，转给短一截的上文 $h'$：
#
# $$ p_n(w \mid h) = \frac{\max(c(hw) - D,\, 0)}{c(h)} + \frac{D\, N(h)}{c(h)}\; p_{n-1}(w \mid h') $$
#
# $c$ 是计数，$N(h)$ 是 $h$ 后面出现过多少种*不同的*符号；$D = n_1 / (n_1 + 2 n_2)$，每种长度各算各的，
# $n_1$、$n_2$ 是计数为 1 和为 2 的各有多少种。短的上文不数出现多少次，而数它出现在多少种不同的环境里：
# 一个字如果只跟在某一个字后面，换个地方猜它就不划算（[Chen 与 Goodman，1999](https://doi.org/10.1006/csla.1999.0128)）。
# 不用梯度，也不用 GPU；有几十年，所谓语言模型*就是*它。

# %%
def discounted(counts, token, discount, shorter):
    """One line of the formula: a Counter of what followed the context, and the shorter context's probability."""
    kept = max(counts[token] - discount, 0) + discount * len(counts) * shorter
    return kept / counts.total()


row = np.array([[1, *(ord(letter) - 95 for letter in "abracadabra")]])  # a = 2, b = 3, …
pairs = collections.Counter(zip(row[0, :-1].tolist(), row[0, 1:].tolist(), strict=True))
after_a = collections.Counter({second: count for (first, second), count in pairs.items() if first == 2})
surroundings = collections.Counter(second for _, second in pairs)  # before how many different tokens?
counting = language_models.NGram(2, vocabulary=20).fit(row)
D_1, D_2 = counting.discounts
by_hand = [discounted(after_a, w, D_2, discounted(surroundings, w, D_1, 1 / 18)) for w in range(2, 20)]
logits, _ = counting.step([2], counting.start(1))
proofs.equal({"formula": by_hand, "language_models.NGram": np.exp(logits[0, 2:])})
print("sum over all letters · 对所有字母求和:", round(sum(by_hand), 9))

characters = int((tokens["test"][:, 1:] > 0).sum())  # line breaks and ends count, as in a file
print(f"{characters:,} characters in {len(tokens['test'])} held-out quatrains · 留出的字符数")
counted = {}
for n in (1, 2, 3, 4):
    poem_ngram = language_models.NGram(n, script.size).fit(tokens["train"])
    counted[n] = language_models.bits(poem_ngram.log_probabilities(tokens["test"])) / characters
    print(f"{n}-gram: {counted[n]:.3f} bits per character · 比特/字符, perplexity · 困惑度 {2 ** counted[n]:.0f}")

# %% [markdown] lang="en"
# Look where the numbers stop falling. More than two or three characters of context do not help counting: longer beginnings have hardly ever
# occurred before. That is the wall which neural language models were invented for
# ([Bengio et al. 2003](https://www.jmlr.org/papers/v3/bengio03a.html)).
#
# ## The same task for a Transformer
#
# `decoder_only` is the Transformer of chapter 7 without its encoder: embeddings, positions, blocks of causal self-attention, a dense layer that
# gives a number to each of the possible signs. It sees the whole poem up to the present place, and knows at which place it is.
#
# Two things are proved before training. A later sign must not change an earlier answer (the **causal mask**). And input and target must be
# **one place apart**: without the shift the mask still holds, but the answer lies in the question. Then the loss falls to almost nothing, and the
# model has learned to copy. **If your loss looks too good, check the shift first.**

# %% [markdown] lang="zh" of="5a8e6140"
# 看看这些数从哪里起不再下降。上文超过两三个字，对数数就没有帮助了：更长的开头几乎都没出现过。神经语言模型正是为了翻过这堵墙而发明的
# （[Bengio 等，2003](https://www.jmlr.org/papers/v3/bengio03a.html)）。
#
# ## 同一项任务，交给 Transformer
#
# `decoder_only` 就是第 7 章的 Transformer 去掉编码器：嵌入、位置、带因果掩码的自注意力块，最后一个全连接层给每个可能的符号打一个分。
# 它看得见到当前为止的整首诗，也知道自己写到了第几个位置。
#
# 训练之前先证明两件事。后面的符号不能影响前面的答案（**因果掩码**，causal mask）。输入与目标必须**错开一位**：不错位的话，掩码虽然仍然成立，
# 答案却已经写在题目里了；损失会降到几乎为零，而模型只学会了抄写。**损失好得离谱的时候，先查错位。**

# %%
def build_poet():
    """An untrained model: tokens (batch, time) -> logits (batch, time, 2500)."""
    size, blocks, hidden = choose(smoke=(32, 1, 64), laptop=(128, 2, 256), full=(256, 4, 1024))
    return transformer.decoder_only(script.size, verses.LENGTH - 1, size, choose(smoke=2, laptop=4, full=8), hidden, blocks,
                                    dropout=choose(smoke=0, laptop=0, full=0.2))


changed = rows[:, :-1].copy()
changed[:, 3:] = 4  # other signs from the fourth place on
proofs.equal({"first three answers": small(inputs)[:, :3], "other signs later": small(changed)[:, :3]})

noise = np.random.default_rng(0).integers(2, 12, (2500, 10))  # random digits: at best log 10 = 2.30 nats each
keras.utils.set_random_seed(0)
copier = transformer.decoder_only(vocabulary=12, length=10, size=16, heads=2, hidden=16, blocks=1, dropout=0)
copier.compile(keras.optimizers.Adam(0.02), loss_function, steps_per_execution=10)
loss = training.fit(copier, noise, noise, name="copier", epochs=2, batch_size=50)["loss"][-1]  # input = target: not shifted
print("without the shift, a tenth of log 10 or less, impossible · 没错位，不到 log 10 的十分之一，不可能:", loss < np.log(10) / 10)
del copier

# %% tags=["nbval-ignore-output"]
count = choose(smoke=1000, laptop=len(tokens["train"]), full=len(tokens["train"]))
epochs, batch_size = choose(smoke=1, laptop=1, full=5), choose(smoke=32, laptop=32, full=64)
chosen = np.random.default_rng(SEED).permutation(len(tokens["train"]))[: count // batch_size * batch_size]
keras.utils.set_random_seed(SEED)
with strategy.scope():
    poet = build_poet()
    rate = training.OneCycle(choose(smoke=6e-3, laptop=2e-3, full=1e-3), steps=epochs * len(chosen) // batch_size, warm_up=0.1)
    poet.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss_function, steps_per_execution=choose(smoke=1, laptop=8, full=8))
print(f"{poet.count_params():,} parameters · 参数, {len(chosen):,} quatrains · 首, {epochs} epochs · 轮")
history = training.fit(
    poet, tokens["train"][chosen, :-1], tokens["train"][chosen, 1:], name="poet", epochs=epochs, batch_size=batch_size)
results.record("poems.seconds", sum(history["seconds"]), unit="s", digits=1)
weights = poet.get_weights()
keras.utils.clear_session()  # lets go of the graph that trained it
poet = build_poet()
poet.set_weights(weights)
examined = tokens["test"][:: choose(smoke=8, laptop=1, full=1)]
by_counting, by_network = (
    language_models.bits(found) / (examined[:, 1:] > 0).sum() for found in
    (poem_ngram.log_probabilities(examined), language_models.log_probabilities(poet, examined)))
for name, per_character in [("counting", by_counting), ("Transformer", by_network)]:
    print(f"{name:12} {per_character:.3f} bits per character · 比特/字符, perplexity · 困惑度 {2 ** per_character:.0f}")
# Bands here and below: three seeds; wider where a single poem more or less would leave them.
results.record("poems.bits_per_character", by_network, band=choose(smoke=(9.313, 9.408), laptop=(7.066, 7.514), full=None), digits=3)
results.record("poems.bits_below_ngram", by_counting - by_network, band=choose(smoke=(-1.707, -1.612), laptop=(0.174, 0.621), full=None), digits=3)

# %% [markdown] lang="en"
# ## Where are the bits?
#
# An average hides what has been learned. Take the held-out quatrains of five characters a line and ask: how many bits does each *place* cost?
#
# Four questions to the figure. Who knows where a line ends? Where does a line become easier to guess, at its beginning or its end? The last
# characters of lines two and four rhyme: does the fourth line's rhyme cost less than the last character of line three? And (dotted) an **ablation**:
# the second half of each poem is read after the first half of *another* poem. What does the Transformer lose?

# %% [markdown] lang="zh" of="efbdfabd"
# ## 比特花在哪里？
#
# 平均数掩盖了模型学到的东西。取出留出集里的五言诗，逐个*位置*地问：这里要花多少比特？
#
# 对着图回答四个问题：谁知道一句在哪里结束？一句之中，是开头好猜还是结尾好猜？第二、四句的末字押韵，那么第四句的韵脚是不是比第三句的末字便宜？
# 还有一条点线，是一次**消融**（ablation）：让每首诗的后半接在*另一首*诗的前半之后来读。Transformer 会损失多少？

# %%
five = tokens["test"][(tokens["test"] == verses.END).argmax(axis=1) == 24][:: choose(smoke=5, laptop=1, full=1)]  # start, 4 * 5 characters, 3 breaks, end
foreign = five.copy()
foreign[:, 1:13] = np.roll(five, 1, axis=0)[:, 1:13]  # the first couplet of another poem
place_bits = {
    "4-gram": -poem_ngram.log_probabilities(five).mean(axis=0) / np.log(2),
    "Transformer": -language_models.log_probabilities(poet, five).mean(axis=0) / np.log(2),
    "Transformer, first half of another poem": -language_models.log_probabilities(poet, foreign).mean(axis=0) / np.log(2),
}
figure, axis = plt.subplots(figsize=(9.5, 3.4))
for (name, bits), color, marker, line in zip(place_bits.items(), plots.COLORS, plots.MARKERS, ["-", "-", ":"], strict=False):
    shown = slice(12 if "another" in name else 0, 24)
    axis.plot(np.arange(1, 25)[shown], bits[:24][shown], linestyle=line, marker=marker, markersize=4, color=color, label=name)
labels = [f"{place % 6}" if place % 6 else "end" if place == 24 else "/" for place in range(1, 25)]
axis.set(xticks=range(1, 25), xticklabels=labels, xlabel="place in its line ( / = line break)", ylabel="bits", ylim=(0, None))
axis.set_title("What each place of a quatrain costs", pad=24)
axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, fontsize=9, frameon=False)
plots.show(
    figure,
    alt="Bits at each of the 24 places of a quatrain of four times five characters. For the Transformer line breaks cost almost nothing, "
    "for the 4-gram several bits. The curves of the second half after a foreign first half lie a little higher.",
    alt_zh="五言四句诗 24 个位置各花多少比特。换行对 Transformer 几乎不花比特，对 4 元模型却要好几个；前半换成别的诗之后，后半的曲线略高一些。",
)

# %% [markdown] lang="en"
# For the Transformer a line break costs next to nothing: it knows the place. Dear are the first character of a line
# *and the third*: a line of five is read two plus three, and after each pause something new begins; the character that
# completes a pair is cheap. The fourth line's rhyme is hardly cheaper than the end of line three, and a foreign first
# half costs it most at the second character of a line, where the tones must answer (you will meet them below).
#
# ## From probabilities to text
#
# The network gives logits $z_i$. Which sign is written? **Greedy**: the largest. Or draw one at random, after a correction:
#
# $$ p_i \;\propto\; e^{z_i / T}\;\,[\,i \in V\,], \qquad
#    V_{\text{top-}k} = \{k \text{ likeliest}\}, \qquad
#    V_{\text{top-}p} = \text{smallest set of likeliest with } \textstyle\sum_{i \in V} p_i \ge p $$
#
# **Temperature** $T$ below 1 sharpens, above 1 flattens; $T \to 0$ is greedy. **Top-k** ([Fan et al. 2018](https://arxiv.org/abs/1805.04833)) always keeps
# equally many, **top-p** ([Holtzman et al. 2019](https://arxiv.org/abs/1904.09751)) few where the model is sure and many where it is not. What is left is made to
# sum to 1 again.

# %% [markdown] lang="zh" of="d5790eec"
# 换行对 Transformer 几乎不花比特：它知道写到了哪里。贵的是每句的第一个字*和第三个字*：五言读作 “二、三”，每次停顿之后另起新意，
# 与前一字成对的第二个字就便宜；第四句的韵脚比第三句的末字便宜不了多少；前半换成别的诗，损失最大的是一句的第二个字，
# 平仄正要在那里呼应（下面会讲到）。
#
# ## 从概率到文本
#
# 网络给出 logits $z_i$。写哪个符号？**贪心**（greedy）：取最大的。或者先修正一下，再随机抽取：
#
# $$ p_i \;\propto\; e^{z_i / T}\;\,[\,i \in V\,], \qquad
#    V_{\text{top-}k} = \{\text{概率最大的 } k \text{ 个}\}, \qquad
#    V_{\text{top-}p} = \text{使 } \textstyle\sum_{i \in V} p_i \ge p \text{ 的最小集合，从大到小取} $$
#
# **温度**（temperature）$T$ 小于 1 使分布变尖，大于 1 使它变平；$T \to 0$ 就是贪心。**top-k**（[Fan 等，2018](https://arxiv.org/abs/1805.04833)）总是留下同样多个；
# **top-p**（[Holtzman 等，2019](https://arxiv.org/abs/1904.09751)）在模型有把握时留得少，没把握时留得多。留下的重新归一，使和为 1。

# %%
z = np.array([2.0, 1.0, 0.5, 0.0, -1.0, -3.0])
softmax = np.exp(z) / np.exp(z).sum()
ranked = np.argsort(-softmax)  # likeliest first
print("p:", softmax.round(3), " added up · 累加:", softmax[ranked].cumsum().round(3))

proofs.equal({
    "e^(z/T)": np.exp(z / 0.5) / np.exp(z / 0.5).sum(), "Keras": keras.ops.softmax(z / 0.5),
    "decoding.filtered": decoding.filtered(z, temperature=0.5),
})
kept = np.isin(np.arange(6), keras.ops.top_k(z, 3)[1])
proofs.equal({"three likeliest": softmax * kept / softmax[kept].sum(), "top_k=3": decoding.filtered(z, top_k=3)})
enough = ranked[: np.searchsorted(softmax[ranked].cumsum(), 0.8) + 1]  # up to and with the one that reaches 0.8
kept = np.isin(np.arange(6), enough)
proofs.equal({f"{kept.sum()} likeliest": softmax * kept / softmax[kept].sum(), "top_p=0.8": decoding.filtered(z, top_p=0.8)})
proofs.equal({"largest": np.eye(6)[z.argmax()], "temperature=0": decoding.filtered(z, temperature=0)})

# %% [markdown] lang="en"
# ## Writing with a memory
#
# The plain way to write is the first class below: at every step the whole beginning goes through the network again. But behind a causal mask, keys
# and values of earlier places never change. Keep them (the **KV cache**, `transformer.Stepper`), and a step costs one place:
#
# $$ \text{places computed for } n \text{ signs:} \qquad \text{without } \; 1 + 2 + \dots + n = \tfrac{n(n+1)}{2}, \qquad \text{with } \; n $$
#
# Both are *steppers*: the same decoding function drives either. **Predict:** the same text? And how does the time of a step grow?

# %% [markdown] lang="zh" of="a7b82631"
# ## 带着记忆写
#
# 最朴素的写法就是下面的第一个类：每走一步，把整个开头重新送进网络。可是有因果掩码在，前面各位置的键和值不会再变。把它们留下来
# （**键值缓存**，KV cache，`transformer.Stepper`），一步就只算一个位置：
#
# $$ \text{写 } n \text{ 个符号要算的位置：} \qquad \text{不缓存 } \; 1 + 2 + \dots + n = \tfrac{n(n+1)}{2}, \qquad \text{缓存 } \; n $$
#
# 两者都是 “步进器”（stepper），同一个解码函数可以驱动任何一个。**先猜：** 写出的文本一样吗？每一步的时间怎样增长？

# %%
class WholePrefix:
    """A stepper without memory: the state is everything written so far, and all of it goes through the model."""

    def __init__(self, model):
        self.model, any_length = model, [tf.TensorSpec([None, None], "int32")]
        self.logits = tf.function(lambda tokens: model(tokens, training=False)[:, -1], input_signature=any_length)

    def start(self, batch):
        return np.zeros((batch, 0), "int32")

    def step(self, tokens, state):
        state = np.concatenate([state, tokens[:, None]], axis=1, dtype="int32")
        return self.logits(state), state


longest, blocks = choose(smoke=60, laptop=256, full=256), choose(smoke=1, laptop=2, full=2)
keras.utils.set_random_seed(0)
model = transformer.decoder_only(vocabulary=1000, length=256, size=128, heads=4, hidden=256, blocks=blocks)  # weights do not matter here
steppers = {"without": WholePrefix(model), "with cache": transformer.Stepper(model)}
no_padding = np.arange(1000) > 0  # a network without training would write it; the whole prefix hides it, the cache does not
for rule in ({"temperature": 0}, {"temperature": 1}, {"top_k": 20}, {"top_p": 0.9}):
    written = [decoding.sample(stepper, stepper.start(3), [[1]] * 3, longest=20, allowed=lambda row, so_far: no_padding, **rule)
               for stepper in steppers.values()]
    print(f"{rule}: same {sum(map(len, written[0]))} tokens with and without cache · 有无缓存，词元相同:", written[0] == written[1])

# %% tags=["nbval-ignore-output"]
def step_time(stepper, state):
    """Milliseconds of one step from this state: the median of five."""
    elapsed = []
    for _ in range(6):
        begin = time.perf_counter()
        np.asarray(stepper.step(np.ones(3, "int32"), state)[0])
        elapsed.append(1000 * (time.perf_counter() - begin))
    return np.median(elapsed[1:])  # the first step of a new length also prepares for it


lengths = np.linspace(1, longest, 9).astype(int)
milliseconds = {
    "without": [step_time(steppers["without"], np.ones((3, place - 1), "int32")) for place in lengths],
    "with cache": [step_time(steppers["with cache"], {**state, "position": tf.constant(int(place) - 1)})
                   for state in [steppers["with cache"].start(3)] for place in lengths],
}
results.record("kv_cache.times_faster", milliseconds["without"][-1] / milliseconds["with cache"][-1], digits=1)
figure, axis = plt.subplots(figsize=(7, 3.2))
for (name, times), color, marker in zip(milliseconds.items(), plots.COLORS, plots.MARKERS, strict=False):
    axis.plot(lengths, times, color=color, marker=marker, label=name)
axis.set(xlabel="tokens written so far", ylabel="time of a step (ms)", ylim=(0, None), title="Time of one step, three texts at once")
axis.legend()
plots.show(figure, alt="Time of a step by tokens written: without a cache it grows with the length, with a cache it stays nearly level.",
           alt_zh="每一步的时间随已写词元数的变化：不用缓存，随长度增长；用缓存，几乎持平。")

# %% [markdown] lang="en"
# ## The network writes
#
# Every rule gets the same task: go on from the first characters of the same held-out poems. Below stands the **first** poem of each rule, not the best
# one. Beside them writes the 4-gram, with the same function. The figure sets them as a Chinese book would, from top to bottom and right to left; where lines two
# and four do rhyme, a red circle stands around the two characters (after so short a training, often nowhere).

# %% [markdown] lang="zh" of="ab60ecff"
# ## 网络来写
#
# 每种规则的任务相同：从同一批留出诗的第一个字接着写。下面是每种规则写的**第一首**，不是挑出来最好的一首。旁边还有 4 元模型，用的是同一个函数。
# 图中按中文古书的样子竖排，从右到左；第二、四句确实押韵时，两个韵脚上有红圈（训练这么短，常常一个也没有）。

# %% tags=["nbval-ignore-output"]
del model, steppers  # their graphs would stay in memory
keras.utils.clear_session()
wanted = choose(smoke=20, laptop=200, full=1000)
prompts = tokens["test"][:wanted, :2]  # start and the first character
rules = {
    "greedy": {"temperature": 0}, "T = 0.7": {"temperature": 0.7}, "T = 1": {"temperature": 1}, "T = 1.5": {"temperature": 1.5},
    "top-k 20": {"top_k": 20}, "top-p 0.8": {"top_p": 0.8},
}


def write(stepper, prompts, seed=SEED, **rule):
    """Poems as tuples of lines; the prompt's character belongs to the poem."""
    written = decoding.sample(
        stepper, stepper.start(len(prompts)), prompts, longest=verses.LENGTH - 2, end=verses.END, seed=seed, **rule)
    return [script.decode([*prompt[1:], *row]) for prompt, row in zip(prompts.tolist(), written, strict=True)]


writer = transformer.Stepper(poet)
written = {name: write(writer, prompts, **rule) for name, rule in rules.items()}
written["4-gram, T = 1"] = write(poem_ngram, prompts, temperature=1)
for name, poems_written in written.items():
    print(f"{name:14}", " | ".join("，".join(lines) for lines in poems_written[:2]))

# %%
def typeset(axis, lines, title):
    """A poem in columns from the right to the left, at most 9 characters of at most 5 lines."""
    for column, line in enumerate(lines[:5]):
        for place, character in enumerate(line[:9]):
            axis.text(-column, -place, character, ha="center", va="center", fontsize=15)
        if column in (1, 3) and line and verses.rhymes(lines):
            end = -column, 1 - len(line[:9])
            axis.plot(*end, "o", markersize=23, markerfacecolor="none", markeredgecolor=plots.COLORS[1], markeredgewidth=1.6)
    axis.set(xlim=(-4.2, 0.7), ylim=(-8.6, 1.0))
    axis.set_title(title, fontsize=10.5)
    axis.axis("off")


figure, axes = plt.subplots(1, 7, figsize=(10.5, 2.9))
for axis, (name, poems_written) in zip(axes, written.items(), strict=True):
    typeset(axis, poems_written[0], name)
plots.show(
    figure,
    alt="Seven poems in Chinese, set in columns: one for each decoding rule and one by the 4-gram, whose lines have unequal lengths. Where lines two "
    "and four rhyme, a circle stands around the rhyming characters.",
    alt_zh="七首竖排的诗：每种解码规则一首，再加 4 元模型一首，后者各句长短不一。第二、四句押韵时，韵脚上有圆圈。",
)

# %% [markdown] lang="en"
# ## Judging what was written
#
# Five counts, each beside something to compare with:
#
# - **form**: four lines, all of five or all of seven characters;
# - **tones**: *regulated* Tang verse (近体诗) sets level tones against oblique ones (平仄). Looked at here: the second
# character of every line. Lines one and two stand
#   opposite, two and three agree, three and four stand opposite. By chance one poem in eight does so;
# - **rhyme**: lines two and four end on two different characters of one of the thirteen *modern* rhyme groups (by `pypinyin`). Honesty: Tang poets wrote
#   by the sounds of their own time. The modern reading misses some of their tones and rhymes and finds some that were none, and a character with
# several readings gets its commonest. So the shares among *real* poems are below one, all the more since the collection
# also holds old-style verse (古体诗), which never had to keep the tones; they are the mark to reach. Chance is measured
# by shuffled lines;
# - **different pairs** (distinct-2): how many of all neighbouring pairs of signs are different ones;
# - **copied**: the share of lines that stand, character for character, in the training set. Held-out poems have none: the split saw to that.

# %% [markdown] lang="zh" of="eec2f260"
# ## 评判写出来的东西
#
# 数五样东西，每样都有比较的对象：
#
# - **格式**：四句，每句都是五字，或者都是七字；
# - **平仄**：近体诗讲究平仄。这里只看每句的第二个字。一、二句相对，二、三句相粘，三、四句相对。瞎碰的话，八首里大约有一首；
# - **押韵**：第二、四句的末字不同，而且同属*现代* “十三辙” 中的一辙（读音取自 `pypinyin`）。必须说明：唐人用的是当时的音。
#   用今音来判断，入声已经消失，有的韵会漏掉，有的本不押韵却会算上，多音字又只取最常见的读音。所以*真正的*唐诗也不会全合平仄、全押韵，
#   何况集子里还有本来就不受平仄约束的古体诗；它们的比例才是要达到的标杆；碰巧的比例，则用打乱的诗句来测；
# - **不同的字对**（distinct-2）：所有相邻两字的组合里，有多少是互不相同的；
# - **抄袭**：有多少句与训练集里的某一句一字不差。留出集没有这样的句子，划分时已经保证。

# %%
for lines in [("春眠不觉晓", "处处闻啼鸟", "夜来风雨声", "花落知多少"), ("白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼")]:
    ends = lines[1][-1], lines[3][-1]
    print("，".join(lines), "→", {end: verses.rhyme_group(end) for end in ends}, verses.rhymes(lines))

shuffled = [line for lines in parts["test"] for line in lines]
np.random.default_rng(0).shuffle(shuffled)
shuffled = [tuple(shuffled[place : place + 4]) for place in range(0, len(shuffled), 4)]
for name, some in [("real held-out poems · 真诗", parts["test"]), ("shuffled lines · 打乱的诗句", shuffled)]:
    form, tones, rhyme = (np.mean([*map(rule, some)]) for rule in (verses.has_form, verses.tones_answer, verses.rhymes))
    print(f"{name:26} form · 格式 {form:.1%}   tones · 平仄 {tones:.1%}   rhyme · 押韵 {rhyme:.1%}")

# %% tags=["nbval-ignore-output"]
def judged(some):
    """Five shares: right form, tones that answer, rhyme, different pairs of signs, copied lines."""
    form, tones, rhyme = (np.mean([*map(rule, some)]) for rule in (verses.has_form, verses.tones_answer, verses.rhymes))
    texts = ["\n".join(poem) + "\n" for poem in some]
    return form, tones, rhyme, language_models.distinct(texts, 2), verses.copied(some, known_lines)


print(f"{'':14} form · 格式  tones · 平仄  rhyme · 押韵  distinct-2  copied · 抄袭")
marks = {name: judged(some) for name, some in {**written, "real": readable[:wanted]}.items()}
for name, shares in marks.items():
    print(f"{name:14}" + "".join(f"{share:{width}.1%}" for share, width in zip(shares, (12, 14, 14, 12, 16), strict=True)))
form, tones, rhyme, _, copied = marks["top-p 0.8"]
results.record("poems.form_top_p", form, band=choose(smoke=(0, 0.16), laptop=(0.955, 1), full=None))
results.record("poems.tones_top_p", tones, band=choose(smoke=(0, 0.16), laptop=(0.58, 0.706), full=None))
results.record("poems.rhyme_top_p", rhyme, band=choose(smoke=(0, 0.151), laptop=(0.034, 0.211), full=None))
results.record("poems.form_ngram", marks["4-gram, T = 1"][0], band=choose(smoke=(0, 0.11), laptop=(0, 0.02), full=None))
results.record("poems.copied_top_p", copied, band=choose(smoke=(0, 0.04), laptop=(0, 0.005), full=None))

# %% [markdown] lang="en"
# The network was told nothing about lines, tones or rhymes; it saw numbers that stand for characters. **Form** comes
# almost by itself. **Tones**: compare top-p with the real poems, and with chance. If the network keeps them more often
# than the poets did, that is no higher art: cut to its likeliest signs it writes the average poem, and the poets also
# wrote in the old style. No number says whether a character is level or oblique; that can only be learned from the
# places where poets put it.
# **Rhyme** has not been learned in so short a training: hardly more poems rhyme than of shuffled lines (but for greedy, which writes the same few lines again and
# again: look at its pairs). Counting gets none of the three: line ends, tones and rhymes lie further apart than it looks.
#
# ## A poem on your word
#
# An *acrostic* (藏头诗) hides a word in the first characters of its lines. The decoding functions take a rule of yours, `allowed`: which tokens may come next? Put in
# four characters of your own. 深度学习 is *deep learning*.

# %% [markdown] lang="zh" of="020c9bd2"
# 没有人告诉过网络什么是句、什么是平仄、什么是韵，它看到的只是一个个字的编号。**格式**几乎不教就会。**平仄**：
# 把 top-p 那一行与真诗、与打乱的诗句比一比。如果网络比诗人还守规矩，那并不是更高明：只从最可能的字里挑，写出来的是 “平均的诗”，而诗人也写古体。
# 编号里没有写着哪个字平、哪个字仄，只能从诗人把字放在哪里学来。**押韵**在这么短的训练里没有学会：比打乱的诗句多押不了几首（贪心除外，
# 它翻来覆去就写那几句，
# 看看它的字对就知道）。只会数数的模型三样都学不到：句尾、平仄、韵脚，隔得都比它看得到的远。
#
# ## 用你的词写一首诗
#
# *藏头诗*把一个词藏在各句的第一个字里。解码函数接受你自己的规则 `allowed`：下一步允许哪些词元？把下面换成你自己的四个字试试。

# %% tags=["nbval-ignore-output"]
my_words, writer = ["深度学习", "春夏秋冬"], transformer.Stepper(poet)


def first_characters(word):
    """A rule for decoding.sample: the n-th line begins with the n-th character of the word."""
    def allowed(row, written):
        line = written.count(verses.LINE)
        begins = not written or written[-1] == verses.LINE
        if begins and line < len(word):
            return np.arange(script.size) == script.numbers[word[line]]
        return np.ones(script.size, bool)
    return allowed


start = np.array([[verses.START]])
acrostics = [write(writer, start, top_p=0.7, seed=SEED + 1, allowed=first_characters(word))[0] for word in my_words]
figure, axes = plt.subplots(1, len(my_words), figsize=(2.2 * len(my_words), 2.9), squeeze=False)
for axis, word, lines in zip(axes[0], my_words, acrostics, strict=True):
    typeset(axis, lines, word)
    print(word, "→", "，".join(lines))
plots.show(
    figure,
    alt="Acrostic poems in columns: the characters at the tops of the columns, read from right to left, are the given word.",
    alt_zh="竖排的藏头诗：各列顶端的字从右到左连起来，就是给定的词。",
)

# %% [markdown] lang="en"
# ## Clinic: "a higher temperature is more creative", "a lower perplexity is a better poem"
#
# One network, six temperatures. Left: what the held-out poems cost if the model spoke at that temperature. Right: what the poems are like that it then writes.
# If both sayings were right, one temperature would win on both sides.

# %% [markdown] lang="zh" of="5c0c1030"
# ## 门诊：“温度越高越有创意”“困惑度越低诗越好”
#
# 同一个网络，六种温度。左图：如果模型以这个温度说话，留出的诗要花多少比特。右图：它这样写出来的诗是什么样子。两种说法要是都对，就该有一个温度在两边都赢。

# %% tags=["nbval-ignore-output"]
temperatures = (0.4, 0.7, 0.85, 1, 1.2, 1.5)
few = tokens["test"][:wanted]
by_temperature, held_out_bits = {}, []
for temperature in temperatures:
    by_temperature[temperature] = judged(written.get(f"T = {temperature:g}") or write(writer, prompts, temperature=temperature))
    found = language_models.log_probabilities(poet, few, temperature)
    held_out_bits.append(language_models.bits(found) / (few[:, 1:] > 0).sum())
    form, tones, rhyme, pairs, copies = by_temperature[temperature]
    print(f"T = {temperature:<5} {held_out_bits[-1]:.3f} bits  form {form:6.1%}  tones {tones:6.1%}  rhyme {rhyme:6.1%}  "
          f"distinct-2 {pairs:6.1%}  copied {copies:6.1%}")
results.record("temperature.cheapest", temperatures[int(np.argmin(held_out_bits))], band=choose(smoke=(0.7, 1.5), laptop=(0.85, 1.2), full=(0.7, 1.2)))
results.record("temperature.form_lost_from_07_to_15", by_temperature[0.7][0] - by_temperature[1.5][0],
               band=choose(smoke=(-0.16, 0.16), laptop=(0.334, 0.405), full=None))
figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.2))
axes[0].plot(temperatures, held_out_bits, marker="o")
axes[0].set(xlabel="temperature", ylabel="bits per character", title="Held-out poems at this temperature")
for which, (name, marker, line) in enumerate(zip(["form", "tones", "rhyme", "different pairs", "copied lines"], plots.MARKERS, plots.LINES, strict=False)):
    shares = [by_temperature[temperature][which] for temperature in temperatures]
    axes[1].plot(temperatures, shares, marker=marker, linestyle=line, color=plots.COLORS[which], label=name)
    axes[1].axhline(marks["real"][which], color=plots.COLORS[which], linewidth=0.8, alpha=0.6)
axes[1].set(xlabel="temperature", ylabel="share", ylim=(-0.03, 1.03), title="What it writes (thin lines: real poems)")
axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure, alt="Left: bits per character of held-out poems by temperature, lowest near one. Right: form and tones fall, different pairs rise, copied lines stay near zero.",
    alt_zh="左：留出的诗每字符比特数随温度的变化，在 1 附近最低。右：各项比例；格式和平仄下降，不同的字对上升，抄袭的句子始终接近零。")

# %% [markdown] lang="en"
# **Diagnosis.** Temperature buys variety and pays with form and tones. That is all it does: nothing new has been learned at a higher temperature, only unlikely signs
# are drawn more often. And the temperature with the lowest perplexity is not the one with the best-formed poems: perplexity asks how well *all* poems of the world are
# foreseen, a reader asks whether *this* one is good. Report both.
#
# ## Clinic: "the model understands the poem"
#
# A word that should be followed by a test. Offer the network each held-out poem twice, as it was written and with something exchanged, and see which version it finds more
# probable. Guessing gives one half. A reader who understands notices all of them.
#
# Then a look inside, with a **probe**: can a linear model read from the vector that the network keeps of a character how the character *sounds*, its tone and its rhyme group? It is
# tried on characters that the probe has not seen (five-fold cross-validation), against always naming the commonest answer.

# %% [markdown] lang="zh" of="36c523bc"
# **诊断。** 温度换来的是变化，代价是格式和平仄。它能做的仅此而已：温度升高，并没有学到任何新东西，只是更常抽到不大可能的符号。困惑度最低的温度，也不是诗最合格的温度：
# 困惑度问的是能不能预见*所有的*诗，读者问的是*这一首*好不好。两样都要报告。
#
# ## 门诊：“模型理解了这首诗”
#
# 说 “理解”，就该拿出测验。把每首留出的诗给网络看两遍，一遍是原样，一遍调换了些东西，看它觉得哪一个更可能。瞎猜能对一半；真正读懂的人，每一种都看得出来。
#
# 再用**探针**（probe）看看网络内部：从网络为每个字保存的向量里，线性模型能不能读出这个字*怎么念*，是平是仄，属于哪一辙？探针没见过的字才拿来考（五折交叉验证），
# 对手是永远只答最常见的那一类。

# %% tags=["nbval-ignore-output"]
asked = readable[: choose(smoke=50, laptop=500, full=1700)]
versions = {
    "lines 2 and 4 exchanged": lambda a, b, c, d: (a, d, c, b), "lines 1 and 2 exchanged": lambda a, b, c, d: (b, a, c, d),
    "couplets exchanged": lambda a, b, c, d: (c, d, a, b), "second couplet of another poem": None,
    "each line backwards": lambda *lines: tuple(line[::-1] for line in lines),
}
scorers = {"4-gram": poem_ngram.log_probabilities, "Transformer": lambda rows: language_models.log_probabilities(poet, rows)}
original = {name: score(script.encode(asked)).sum(axis=1) for name, score in scorers.items()}
neighbours = {len(lines[0]): lines for lines in asked}  # a poem of the same form
bands = iter(choose(smoke=[(0.26, 0.86), (0.4, 0.7), (0.219, 1), (0.3, 0.701), (0.4, 0.8)],
                    laptop=[(0.898, 0.978), (0.864, 0.985), (0.69, 0.76), (0.442, 0.652), (0.966, 1)], full=[None] * 5))
for change, exchange in versions.items():
    if exchange is None:
        changed = []
        for lines in asked:
            changed.append(lines[:2] + neighbours[len(lines[0])][2:])
            neighbours[len(lines[0])] = lines
    else:
        changed = [exchange(*lines) for lines in asked]
    noticed = {name: np.mean(original[name] > score(script.encode(changed)).sum(axis=1)) for name, score in scorers.items()}
    print(f"{change:32}" + "".join(f"{name} {share:6.1%}   " for name, share in noticed.items()))
    results.record(f"noticed.{change.replace(' ', '_')}", noticed["Transformer"], band=next(bands))

# %% tags=["nbval-ignore-output"]
characters = script.characters[4:]
vectors = np.asarray(writer.embedding.tokens.embeddings)[4:]  # (2496, size): what the network has stored about each character
bands = iter(choose(smoke=[(-0.057, 0.019), (-0.044, 0.016)], laptop=[(0.302, 0.367), (-0.037, 0.047)], full=[None] * 2))
for name, reading in {"tone": verses.level, "rhyme": verses.rhyme_group}.items():
    labels = np.array([str(reading(character)) for character in characters])
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    right = cross_val_score(probe, vectors, labels, cv=choose(smoke=2, laptop=5, full=5)).mean()
    commonest = max(collections.Counter(labels).values()) / len(labels)
    print(f"{name:6} of a character, read from its vector · 从向量读出: {right:.1%}   always the commonest · 总答最常见的: {commonest:.1%}")
    results.record(f"probe.{name}_above_commonest", right - commonest, band=next(bands), digits=3)

# %% [markdown] lang="en"
# **Diagnosis.** The network has an ear. Exchange lines 1 and 2, or 2 and 4, and the tones no longer answer each other:
# it notices nearly always. Exchanged couplets keep the pattern of the tones (try it with level, oblique, oblique,
# level): there it notices far less. With a foreign couplet two different texts are compared, and a couplet of common
# characters wins in any company: that line of the table says little. The dotted curve above compares better, the *same*
# characters after their own first half and after a foreign one, and there the loss sits mostly where the tones must
# answer. Of what the lines *say*, neither shows much. The probe
# agrees: a good part of the tone stands in the vectors, though nothing in the input says how a character sounds; of
# the rhyme group nothing can be read, no more than by always naming the commonest. The list says what has been learned;
# "understands" says more than anybody has measured.
#
# ## The same code, Jane Austen
#
# Which signs for English? *Characters*: a tiny vocabulary, but five times as many steps. *Words*: short, but every new name is unknown. Between them lie
# **byte pairs**: begin with characters, join the most frequent neighbouring pair into a new sign, again and again
# ([Sennrich, Haddow and Birch 2016](https://arxiv.org/abs/1508.07909)). Frequent words become one sign, rare ones stay in parts, and nothing is ever unknown. GPT
# models read their text this way.
#
# The split is by **novel**: *Persuasion* is held out, with all its names. (The next cell lets go of the poems' network, to make
# room. If you want to go back to the poems afterwards, except for the acrostics, run the notebook from the top.)

# %% [markdown] lang="zh" of="329ca0fb"
# **诊断。** 这个网络有一副好耳朵。把一、二句或二、四句对调，平仄就不再相对相粘，它几乎每次都听得出来。两联对调，
# 平仄的格局不变（拿 “平仄仄平” 试一试），它就迟钝多了。换上别人的一联，比较的是两段不同的文字，用字常见的那一联跟谁在一起都占便宜，
# 所以表里这一行说明不了什么。前面图中的点线比得更公平：*同样的*字，接在自己的前半之后和接在别人的前半之后，损失主要落在平仄该呼应的地方。
# 至于诗句*说的是什么*，两处都看不出多少。探针的结果也一致：输入里没有一处写着字怎么念，向量里却读得出相当一部分平仄；
# 属于哪一辙则读不出来，并不比总答最常见的那一类强。
# 这张表说的是它学会了什么；“理解” 二字，说的比任何人测量过的都多。
#
# ## 同样的代码，换成简·奥斯汀
#
# 英文用什么作符号？用*字母*，词表很小，步数却多了好几倍；用*单词*，序列短，可每个新名字都不认识。介于两者之间的是**字节对**（byte pair）：从字母开始，
# 把最常见的相邻两个符号合成一个新符号，一遍又一遍（[Sennrich、Haddow 与 Birch，2016](https://arxiv.org/abs/1508.07909)）。
# 常见的词成为一个符号，少见的词仍是几段，永远没有不认识的东西。GPT 一类模型就是这样读文本的。
#
# 按**小说**划分：整本《劝导》（*Persuasion*）连同其中的人名都留出来。
# （为了腾出内存，下一个单元格会放掉写诗的网络。之后若想回到诗的部分，除了藏头诗，请从头运行本章。）

# %%
writer = scorers = poem_ngram = known_lines = tokens = parts = None  # make room; the acrostics can still be run again
poem_lines = austen_text = shuffled = None
keras.utils.clear_session()
alphabet = "".join(sorted(set("".join(novels.values()))))
pieces = language_models.BytePairs.learn(novels["Emma"], size=1000, alphabet=alphabet)
print("first joins · 最先合并:", ["".join(join) for join in pieces.joins[:14]])
print("late joins · 较晚合并:", ["".join(join) for join in pieces.joins[-8:]])
for sentence in ("It is a truth universally acknowledged", "Anne Elliot hesitated."):
    print("|".join(pieces.pieces[number] for number in pieces.encode(sentence)))
sample = novels["Persuasion"][:20_000]
print("nothing is lost · 无损:", pieces.decode(pieces.encode(sample)) == sample)
print("characters a piece · 每块字符数:", round(len(sample) / len(pieces.encode(sample)), 2))


def build_novelist():
    """An untrained model: pieces (batch, time) -> logits (batch, time, 1000)."""
    size, blocks, hidden, dropout = choose(smoke=(32, 1, 64, 0), laptop=(128, 2, 256, 0), full=(256, 4, 1024, 0.1))
    return transformer.decoder_only(pieces.size, length, size, 4, hidden, blocks, dropout)

# %% tags=["nbval-ignore-output"]
part = choose(smoke=20_000, laptop=10**9, full=10**9)  # characters of each novel
austen = np.concatenate([pieces.encode(text[:part] + "\n") for title, text in novels.items() if title != "Persuasion"])
persuasion_text = novels["Persuasion"][:part]
persuasion = pieces.encode(persuasion_text)
length, epochs, batch_size = 64, choose(smoke=1, laptop=1, full=3), choose(smoke=32, laptop=16, full=16)
rows = np.lib.stride_tricks.sliding_window_view(austen, length + 1)[:: length]  # (rows, length + 1), one token shared
rows = rows[np.random.default_rng(SEED).permutation(len(rows))[: len(rows) // batch_size * batch_size]]
keras.utils.set_random_seed(SEED)
with strategy.scope():
    novelist = build_novelist()
    rate = training.OneCycle(choose(smoke=6e-3, laptop=2e-3, full=1e-3), steps=epochs * len(rows) // batch_size, warm_up=0.1)
    novelist.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss_function, steps_per_execution=choose(smoke=1, laptop=8, full=8))
print(f"{novelist.count_params():,} parameters · 参数, {rows.size:,} pieces · 块, {epochs} epochs · 轮")
history = training.fit(novelist, rows[:, :-1], rows[:, 1:], name="novelist", epochs=epochs, batch_size=batch_size)
results.record("austen.seconds", sum(history["seconds"]), unit="s", digits=1)
weights = novelist.get_weights()
keras.utils.clear_session()
rows, novelist = None, build_novelist()
novelist.set_weights(weights)

# %% tags=["nbval-ignore-output"]
test_rows, judged_places = language_models.windows(persuasion, length + 1, length // 2)
by_network = language_models.log_probabilities(novelist, test_rows)[judged_places]  # (pieces - 1,)
prose_ngram = language_models.NGram(4, pieces.size).fit(austen[None])
by_counting = prose_ngram.log_probabilities(persuasion[None])[0]
both = np.logaddexp(by_network, by_counting) - np.log(2)  # the mean of the two probabilities
per_character = {
    "bzip2, a compressor": 8 * len(bz2.compress(persuasion_text.encode())) / len(persuasion_text),
    **{name: language_models.bits(found) / len(persuasion_text) for name, found in
       [("4-gram of pieces", by_counting), ("Transformer", by_network), ("mean of the two", both)]},
}
for name, found in per_character.items():
    print(f"{name:20} {found:.3f} bits per character · 比特/字符, perplexity · 困惑度 {2 ** found:.2f}")
results.record("austen.bits_per_character", per_character["Transformer"], band=choose(smoke=(3.092, 3.148), laptop=(1.861, 1.957), full=None), digits=3)
results.record("austen.bits_below_ngram", per_character["4-gram of pieces"] - per_character["Transformer"],
               band=choose(smoke=(-0.899, -0.843), laptop=(-0.255, -0.16), full=None), digits=3)
results.record("austen.bits_saved_by_both", min(per_character["4-gram of pieces"], per_character["Transformer"]) - per_character["mean of the two"],
               band=choose(smoke=(-0.083, -0.074), laptop=(0.022, 0.043), full=None), digits=3)

# %% [markdown] lang="en"
# The verdict on prose is sober. For as little training as a laptop allows, **counting wins**: it remembers every
# sequence at once, while the
# network moves its weights a little at each step and has read each novel once. On the poems it was the other way round, because what matters there, the
# form, is *where* one is, and counting cannot know that. The mean of both is better than either: they fail at different places. A network goes on learning
# where counting runs out of repetitions: with more training and more parameters, in the full profile's run, it gets ahead, by little (see the
# end of the chapter, and chapter 8's scaling laws).
#
# ## Clinic: "the likeliest text is the best text"
#
# Then greedy writing should be best of all. You have read it above. Here is the number: of all runs of four signs in the prose, how many are different? The novel
# itself, cut to the same length, is the mark.


# %% [markdown] lang="zh" of="43ed6daa"
# 散文这边的结论并不风光。在笔记本电脑能承受的训练量下，**赢的是数数**：它一下子记住所有出现过的序列，而网络每一步只挪动一点点权重，
# 每部小说也只读过一遍。
# 唐诗那边正好相反，因为那里要紧的是格式，也就是*写到哪里了*，数数无从知道。两者取平均，比哪一个都好：它们错在不同的地方。数数靠重复，重复用完就到头了，
# 网络还能继续学：训练更多、参数更多时，也就是在 full 配置的那次运行里，它反超了，只是超得不多（见本章末尾，以及第 8 章的缩放定律）。
#
# ## 门诊：“概率最大的文本就是最好的文本”
#
# 那么贪心写出来的应该最好。上面你已经读过了，这里给出数字：在那些散文里，连续四个符号的片段有多少是互不相同的？小说原文截成同样的长度，作为标杆。

# %% tags=["nbval-ignore-output"]
class LastTokens(WholePrefix):
    """Writes on beyond the model's length: it sees as many of the last tokens as it was trained for, and no cache helps."""

    def step(self, tokens, state):
        state = np.concatenate([state, tokens[:, None]], axis=1, dtype="int32")[:, -length:]
        filled = np.pad(state, ((0, 0), (0, length - state.shape[1])))  # one shape for all; nothing sees what comes later
        return self.model.predict_on_batch(filled)[:, state.shape[1] - 1], state


beginnings = ["It is a truth universally acknowledged, that", "Anne Elliot was", '"My dear," said she, "', "The next morning"]
prose_rules = {"greedy": {"temperature": 0}, "T = 1": {"temperature": 1}, "top-p 0.9": {"top_p": 0.9, "temperature": 0.9}}
prose = {}
for name, rule in {**prose_rules, "4-gram, T = 1": {"temperature": 1}}.items():
    stepper, prose[name] = prose_ngram if "gram" in name else LastTokens(novelist), []
    for text in beginnings:
        prompt = pieces.encode(text)[None]
        found = decoding.sample(stepper, stepper.start(1), prompt, longest=choose(smoke=20, laptop=200, full=400), seed=SEED, **rule)
        prose[name].append(text + pieces.decode(found[0]))
    print(f"--- {name}\n{textwrap.fill(prose[name][0][:420], 110)}\n")
repeated = {name: [pieces.encode(text).tolist() for text in texts] for name, texts in prose.items()}
repeated["the novel itself"] = [persuasion[1000 * place :][: len(repeated["greedy"][0])].tolist() for place in range(1, 5)]
different = {name: language_models.distinct(texts, 4) for name, texts in repeated.items()}
print("distinct-4:", {name: f"{share:.1%}" for name, share in different.items()})
results.record("prose.distinct_4_greedy", different["greedy"], band=choose(smoke=(0.1, 0.7), laptop=(0, 0.294), full=None))
results.record("prose.distinct_4_top_p", different["top-p 0.9"], band=choose(smoke=(0.771, 1), laptop=(0.917, 1), full=None))

# %% [markdown] lang="en"
# **Diagnosis.** Greedy prose walks in circles: what was written once makes itself more likely
# ([Holtzman et al. 2019](https://arxiv.org/abs/1904.09751) show it for far larger models). Human text does not choose the likeliest word at each step; it would have nothing
# to say.
#
# ## Clinic: "perplexity 4 is better than perplexity 30"
#
# A perplexity is *per sign*, and what a sign is was decided by whoever cut the text. Below, the same novel, the same kind of model, both learned from
# *Emma*. First letters, then pieces. **Predict** which one is better, and by which number you will tell.
#
# The last two lines change the split instead: a tenth of *Persuasion*'s paragraphs is the test. The model has read *Emma* and, in one case, a novel it is not tested on
# (*Northanger Abbey*), in the other the remaining nine tenths of *Persuasion*, nearly as long.

# %% [markdown] lang="zh" of="f2590757"
# **诊断。** 贪心写出的散文会原地打转：写过一次的东西，会让自己更可能再出现
# （[Holtzman 等，2019](https://arxiv.org/abs/1904.09751) 在大得多的模型上也看到了）。人写的文本并不会每一步都选最可能的词，不然就等于什么也没说。
#
# ## 门诊：“困惑度 4 比困惑度 30 好”
#
# 困惑度是*按符号*算的，而什么算一个符号，是切分文本的人定的。下面是同一部小说、同一类模型，都从《爱玛》（*Emma*）学来：先按字母，再按块。**先猜**哪个更好，凭哪个数来判断。
#
# 最后两行换的是划分：拿《劝导》里十分之一的段落作测试。模型都读过《爱玛》，另外再读一部：或者是不参加测试的《诺桑觉寺》，或者是《劝导》余下的十分之九，两者篇幅相近。

# %% tags=["nbval-ignore-output"]
letters = language_models.BytePairs(alphabet, joins=[])  # no join: every character is a sign
emma = {"Emma": novels["Emma"][:part]}
lines = persuasion_text.split("\n")
tested, rest = "\n".join(lines[::10]), "\n".join(line for place, line in enumerate(lines) if place % 10)
other, same = emma | {"Northanger Abbey": novels["Northanger Abbey"][:part]}, emma | {"Persuasion": rest}
prose_ngram = stepper = None


def counted_cost(name, signs, n, known, text):
    """Bits per character of `text` for an n-gram model of the texts in `known`."""
    model = language_models.NGram(n, signs.size).fit(np.concatenate([signs.encode(one + "\n") for one in known.values()])[None])
    numbers = signs.encode(text)
    total = language_models.bits(model.log_probabilities(numbers[None]))
    print(f"{name:32} perplexity · 困惑度 {2 ** (total / len(numbers)):5.1f}   {total / len(text):.3f} bits per character · 比特/字符")
    return total / len(text)


counted_cost("letters, learned from Emma", letters, 6, emma, persuasion_text)
counted_cost("pieces, learned from Emma", pieces, 4, emma, persuasion_text)
unknown = counted_cost("pieces, a tenth; novel unknown", pieces, 4, other, tested)
familiar = counted_cost("pieces, a tenth; rest was read", pieces, 4, same, tested)
results.record("split.bits_gained_by_reading_the_novel", unknown - familiar,
               band=choose(smoke=(0.38, 0.386), laptop=(0.206, 0.226), full=None), digits=3)

# %% [markdown] lang="en"
# **Diagnosis.** The model with the much larger perplexity is the better one. Compare perplexities only over the same signs of the same text; bits per character
# compare any two. And say how you split: a model that has met the people of a novel before has an advantage that belongs to the split, not to the model.
#
# ### Exercise 1 · easy — bits per character
#
# Write `bits_per_character(log_probability, text)`: natural logarithms of the probabilities of all tokens of a text, and the text itself (a string).

# %% [markdown] lang="zh" of="41bdd175"
# **诊断。** 困惑度大得多的那个模型反而更好。只有同一文本、同一套符号的困惑度才能相互比较；每字符比特数则任何两个模型都能比。还要说清划分：
# 早就认识了书中人物的模型所占的便宜，属于划分，不属于模型。
#
# ### 练习 1 · 易 —— 每字符比特数
#
# 写出 `bits_per_character(log_probability, text)`：参数是一段文本所有词元概率的自然对数，以及文本本身（字符串）。

# %% tags=["exercise"]
def bits_per_character(log_probability, text):
    """What one character of `text` costs, in bits."""
    ### BEGIN SOLUTION
    return -np.sum(log_probability) / np.log(2) / len(text)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("07b.bits_per_character", bits_per_character)

# %% [markdown] lang="en" tags=["hint"]
# A probability of one half costs one bit. Add up what all tokens cost; divide by what the whole world agrees on, the characters. Tokens are yours alone.

# %% [markdown] lang="zh" of="bc8d802b" tags=["hint"]
# 概率是二分之一，就花一个比特。把所有词元花的加起来，再除以大家都认同的东西，也就是字符数；词元怎么切，只是你自己的事。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — top-p
#
# Write `top_p(probability, p)` for one distribution (a vector): keep the smallest set of likeliest tokens whose probabilities add up to at least `p`, in their old places, and
# make them sum to 1.

# %% [markdown] lang="zh" of="c35f0ab8"
# ### 练习 2 · 中 —— top-p
#
# 为一个分布（向量）写出 `top_p(probability, p)`：从最可能的取起，留下概率之和达到 `p` 的最小集合，位置不变，再重新归一，使和为 1。

# %% tags=["exercise"]
def top_p(probability, p):
    """The distribution cut to its nucleus; the shape stays."""
    ### BEGIN SOLUTION
    order = np.argsort(-probability)
    before = np.cumsum(probability[order]) - probability[order]  # what the likelier ones add up to
    kept = np.zeros_like(probability)
    kept[order[before < p]] = probability[order[before < p]]
    return kept / kept.sum()
    ### END SOLUTION

# %% tags=["check"]
exercises.check("07b.top_p", top_p)

# %% [markdown] lang="en" tags=["hint"]
# Go from the likeliest down and add up. Who belongs to the set? The one that carries the sum over `p` too, or the sum would stay below. Then put the kept ones back where they came
# from.

# %% [markdown] lang="zh" of="4a7c28b6" tags=["hint"]
# 从最可能的往下加。谁算在集合里？使总和越过 `p` 的那一个也算，不然就不到 `p`。最后把留下的放回原来的位置。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — a form that cannot fail
#
# Write `allowed_next(written, width, vocabulary)`: given the tokens written so far (a list, `START` not in it), which may come next, if the result must be a quatrain of `width`
# characters a line? Return a boolean array (vocabulary,). Tokens: 0 padding, 1 start, 2 end, 3 line break; all from 4 on are characters. Three line breaks, and the end after the fourth line.
# With it, `decoding.sample(…, allowed=lambda row, written: allowed_next(written, 7, script.size))` cannot miss the form.

# %% [markdown] lang="zh" of="35fcb177"
# ### 练习 3 · 难 —— 不会出错的格式
#
# 写出 `allowed_next(written, width, vocabulary)`：已经写下的词元是 `written`（列表，不含 `START`），要写成每句 `width` 个字的四句诗，下一个允许写什么？返回布尔数组（词表，）。
# 词元：0 填充，1 开始，2 结束，3 换行，4 以上都是字。三个换行，第四句之后是结束。有了它，
# `decoding.sample(…, allowed=lambda row, written: allowed_next(written, 7, script.size))` 就不可能写错格式。

# %% tags=["exercise"]
def allowed_next(written, width, vocabulary):
    """Which tokens keep a quatrain of `width` characters a line in form; boolean (vocabulary,)."""
    ### BEGIN SOLUTION
    may = np.zeros(vocabulary, bool)
    line, place = divmod(len(written), width + 1)
    if place < width:
        may[4:] = True
    else:
        may[3 if line < 3 else 2] = True
    return may
    ### END SOLUTION

# %% tags=["check"]
exercises.check("07b.allowed_next", allowed_next)

# %% [markdown] lang="en" tags=["hint"]
# A line with its break is `width` + 1 tokens long. `divmod(len(written), width + 1)` says in which line and at which place of it you are. Only three kinds of answers exist.

# %% [markdown] lang="zh" of="5718c734" tags=["hint"]
# 一句连同换行共 `width` + 1 个词元。`divmod(len(written), width + 1)` 就说出你在第几句的第几个位置。答案只有三种。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("07b")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Everything that writes for you today, chat, code, translation, works as this chapter does: one sign after another, drawn from probabilities, with a cache of keys and values. What
# the large ones add is size, far more text, and training after training (instructions, human preferences).
#
# - Shannon, [*Prediction and entropy of printed English* (1951)](https://doi.org/10.1002/j.1538-7305.1951.tb01366.x): people guess the next letter; the measure of this chapter.
# - Bengio, Ducharme, Vincent and Jauvin, [*A neural probabilistic language model* (2003)](https://www.jmlr.org/papers/v3/bengio03a.html).
# - Radford et al., [*Language models are unsupervised multitask learners* (GPT-2, 2019)](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf).
# - Holtzman et al., [*The curious case of neural text degeneration* (2019)](https://arxiv.org/abs/1904.09751): why greedy text goes in circles, and top-p.
# - Kaplan et al., [*Scaling laws for neural language models* (2020)](https://arxiv.org/abs/2001.08361); chapter 8 fits such laws on this course's own models.
#
# **What the full profile changes.** Larger models, five passes over the poems and three over the novels, dropout against
# memorising: an hour and a half. It was run once; the numbers are in `notebooks/results/full-07b.json`. On the poems the
# network's perplexity falls to less than half of counting's, and nearly every exchange of two lines is noticed. On prose it now beats
# counting by a little, and the mean of the two beats both by more than before. What did not come is rhyme: hardly more poems
# rhyme than of shuffled lines, and a character's rhyme cannot be read from its vector, while its tone can. Nor did copying: top-p
# repeats almost no line of the training poems. (A first try with longer rows and larger batches, an eighth of
# the steps, lost to `bzip2`: what counts is also how often the weights move.)

# %% [markdown] lang="zh" of="bd29e767"
# ## 用在哪里，读些什么
#
# 今天一切替人写东西的程序，聊天、写代码、翻译，做法都与这一章相同：一个符号接一个符号，按概率抽取，用键值缓存。大模型多出来的是规模、多得多的文本，以及训练之后的再训练
# （按指令微调、按人的偏好调整）。
#
# - Shannon，[*Prediction and entropy of printed English*（1951）](https://doi.org/10.1002/j.1538-7305.1951.tb01366.x)：让人来猜下一个字母；本章的尺子就出自这里。
# - Bengio、Ducharme、Vincent 与 Jauvin，[*A neural probabilistic language model*（2003）](https://www.jmlr.org/papers/v3/bengio03a.html)。
# - Radford 等，[*Language models are unsupervised multitask learners*（GPT-2，2019）](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf)。
# - Holtzman 等，[*The curious case of neural text degeneration*（2019）](https://arxiv.org/abs/1904.09751)：贪心写的文本为什么会打转，以及 top-p。
# - Kaplan 等，[*Scaling laws for neural language models*（2020）](https://arxiv.org/abs/2001.08361)；第 8 章用本课程自己的模型来拟合这样的定律。
#
# **换成 full 配置会怎样。** 模型更大，唐诗读五遍，小说读三遍，并用随机失活防止死记硬背，要一个半小时。它跑过一次，数字在
# `notebooks/results/full-07b.json` 里。唐诗上，网络的困惑度降到数数的一半以下，调换两句，几乎每次都看得出来。散文上它现在略胜数数，
# 两者的平均又比哪一个都好，优势比以前更大。没有来的是押韵：比打乱的诗句多押不了几首；从一个字的向量里读得出平仄，却读不出韵。抄袭也没有来：
# top-p 几乎不重复训练诗里的句子。（最初试过更长的行、更大的批，步数只有这里的八分之一，
# 结果输给了 `bzip2`：权重挪动多少次，同样要紧。）
