# %% [markdown] lang="en" telling=["poems.bits_per_character", "poems.bits_below_ngram", "poems.tones_top_p"]
# # 7b Generation: a network writes Tang poems
#
# A network that has learned only to guess the next character can write. After {{poems.seconds:.0f}} seconds of training on two
# cores it writes quatrains: {{poems.form_top_p:.1%}} of them have four lines of equal length, and nobody ever told it what a
# line is. The picture shows how it guesses, position by position. At a line break its curve drops to nearly zero, where a model that only
# counts has to pay. But on some characters of a line the counting model is *better*. Average numbers hide that.
#
# The same code then learns Jane Austen, and there counting wins. And you do what is usually left out: measure what has been
# written. Does a poem have its form, its tones, its rhyme? Has the line been there before?
#
# **By the end you will be able to**
#
# - train a small GPT on any text, and say in bits per character how good it is, compared with a model that only counts;
# - split texts so that nothing leaks, and show how much would have leaked;
# - compute temperature, top-k and top-p by hand, and tell from measurements what each of them does to the text;
# - write with a cache of keys and values, check that the text stays the same, and measure the time it saves;
# - let the network write a poem on a word of yours.
#
# **Before you start:** attention and masks (chapter 7). You do not need any Chinese: lines, tones, rhymes and copies are counted for
# you. The measured time and memory are printed below.

# %% [markdown] lang="zh" of="db7ff186"
# # 7b 生成：让网络写唐诗
#
# 一个网络只学会了一件事，就是猜下一个字，它就能写诗。在两核的机器上训练 {{poems.seconds:.0f}} 秒之后，它写出的诗有 {{poems.form_top_p:.1%}} 格式正确，
# 四句一样长，而从没有人告诉过它什么是“句”。下图逐个位置地画出它猜得多准：到了换行处，它的曲线几乎落到零，只会计数的模型却要付出代价；
# 可是在一句中的某些字上，计数模型反而**更好**。只看平均数，这些都看不见。
#
# 同样的代码再去学简·奥斯汀的小说，那里是计数模型胜出。最后做一件通常被略过的事：测量写出来的东西。格式对不对？平仄合不合？押不押韵？
# 这一句是不是早就有人写过？
#
# **学完这一章，你能够**
#
# - 在任意文本上训练一个小 GPT，用每字符比特数说明它有多好，并与只会计数的模型比较；
# - 划分文本而不泄露，并说出不当的划分会泄露多少；
# - 手算温度、top-k、top-p，并根据测量说出它们各自对文本做了什么；
# - 用键值缓存来写，核对写出的文本不变，并测出省下的时间；
# - 出一个词，让网络写一首藏头诗。
#
# **预备知识：** 注意力与掩码（第 7 章）。用时与内存见下方第一段输出。

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
# Cover the end of a line and guess. After 春风 (*spring wind*), a reader of Tang poems expects 吹 (*blows*). After *it is a*, a reader
# of Austen expects something else than a reader of the news. If you can give a probability to every possible next token, you can
# write: draw one, append it, ask again. (A **token** is what the text is cut into: a character, a word, or a part of a word.)
#
# The bars show the plainest way to get such probabilities: **count** what followed in the training texts. Before you read on, ask
# yourself: what can counting do after a beginning that never occurred?

# %% [markdown] lang="zh" of="eab47a26"
# ## 核心思想：下一个是什么？
#
# 遮住一句诗的后半，猜一猜。看到“春风”，读惯唐诗的人会想到“吹”；看到 it is a，奥斯汀的读者与新闻的读者想到的不会一样。
# 谁能给每个可能的下一个词元都打一个概率，谁就会写作：抽一个，接上去，再问一次。（**词元**（token）就是文本切成的最小单位，可以是字、词，也可以是词的一部分。）
#
# 下面的柱形图用最朴素的办法得到这种概率：在训练文本里**数一数**后面出现过什么。先想一想再往下读：如果开头从来没出现过，计数还能怎么办？

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

# %% [markdown] lang="en" tags=["predict"]
# A few continuations are frequent, and many share the rest. A counting model needs an answer for all of them, and the baseline below has one.
#
# ## The poems, and a split that does not leak
#
# The material is quatrains: four lines of five or of seven characters. A poem of eight lines gives two, its halves. (An old
# explanation of the name 绝句, quatrain, is exactly that: cut from a regulated poem.)
#
# What belongs into the test set? The cell tries three rules and counts how many test quatrains share a whole line with the training
# set. *At random*: shuffle all quatrains. *By poem*: both halves of a poem stay on one side. The third rule also throws out of the test
# set what still shares a line, because poets quoted each other and the collection holds variants of one poem.
#
# **Predict:** how many of the test quatrains share a line with training under the first rule, and under the second?

# %% [markdown] lang="zh" of="9b24b510" tags=["predict"]
# 少数几种接法很常见，其余的平分剩下的份额。计数模型对每一种都得给出概率，下面的基线就有办法。
#
# ## 唐诗，以及不泄露的划分
#
# 材料是四句一首的诗，每句五个字或者七个字。八句的诗拆成前后两半，算两首。（“绝句”这个名字，旧时有一种解释正是“截取律诗的一半”。）
#
# 测试集里该放什么？下面试三种规则，数一数测试诗里有多少首与训练集共有整句。**随机分**：把所有四句诗打乱了分。**按诗分**：同一首诗的两半放在同一边。
# 第三种规则还把仍与训练集共有诗句的测试诗剔除，因为诗人会互相引用，集子里也有同一首诗的异文。
#
# **先猜：** 第一种规则下，有多少首测试诗与训练集共句？第二种呢？

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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** At random, nearly one test quatrain in eleven shares a line with training; by poem, still one in thirty; with the third rule,
# none. The second cell then keeps only quatrains written with the 2,500 most frequent characters. That leaves out more than a third of
# them, so all bits below belong to the poems with common characters.
#
# The last two lines show the whole task: the same row twice, shifted by one position. At every position the model has read everything up
# to there and is asked for the next token. A poem of twenty characters asks twenty-four questions at once, because line breaks and the
# end must be guessed, too.
#
# ## From the formula to Keras: what does a text cost?
#
# The probability of a text is the product of its steps (the chain rule of probability; nothing is neglected):
#
# $$ p(x_1 \dots x_T) = \prod_{t=1}^{T} p(x_t \mid x_1 \dots x_{t-1}), \qquad
#    L = -\frac1T \sum_{t=1}^{T} \log p(x_t \mid x_1 \dots x_{t-1}) $$
#
# $L$ is the **cross entropy**, the loss that is minimised. $e^L$ is the **perplexity**: the model is as uncertain as if it had to
# choose among that many equally likely tokens. And $L T / \log 2$ is a length in **bits**: an ideal compressor that uses the model writes
# the text in that many bits. Divided by the number of characters it becomes **bits per character**, the measure of this chapter. The
# gradient at the logits is $\partial L / \partial z_{t,i} = (\operatorname{softmax}(z_t)_i - [i = x_t]) / T$, as in chapter 4. Padding
# never counts.

# %% [markdown] lang="zh" of="6b2b0652" tags=["answer"]
# **答案。** 随机分，差不多每十一首测试诗就有一首与训练集共句；按诗分，仍有三十分之一；第三种规则下一首也没有。
# 第二个单元格又只留下用最常见的 2,500 个字写成的诗，三分之一以上因此被去掉，所以下面的比特数说的都是用字常见的诗。
#
# 最后两行输出就是任务的全部：同一行用两遍，错开一位。在每个位置上，模型已经看到这里为止的一切，要猜下一个词元。一首二十个字的诗，一次就问了二十四个问题，
# 因为换行和结尾也要猜。
#
# ## 从公式到 Keras：一段文本要花多少比特？
#
# 一段文本的概率，是各步概率之积（概率的链式法则，没有任何近似）：
#
# $$ p(x_1 \dots x_T) = \prod_{t=1}^{T} p(x_t \mid x_1 \dots x_{t-1}), \qquad
#    L = -\frac1T \sum_{t=1}^{T} \log p(x_t \mid x_1 \dots x_{t-1}) $$
#
# $L$ 是**交叉熵**（cross entropy），也就是训练要减小的损失。$e^L$ 是**困惑度**（perplexity）：模型的犹豫程度，相当于要在这么多个同样可能的词元里选一个。
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
# Formula, Keras and finite differences agree, and the three ways to write the perplexity give one number.
#
# ## The baseline: a model that only counts
#
# An **n-gram** model looks at the last $n-1$ tokens $h$ and counts what followed. After a beginning that never occurred it must not give
# up. **Interpolated Kneser-Ney smoothing** takes a discount $D$ from every count and hands it to the next shorter context $h'$:
#
# $$ p_n(w \mid h) = \frac{\max(c(hw) - D,\, 0)}{c(h)} + \frac{D\, N(h)}{c(h)}\; p_{n-1}(w \mid h') $$
#
# $c$ are counts, and $N(h)$ is how many *different* tokens followed $h$. The discount is $D = n_1 / (n_1 + 2 n_2)$, for each length on
# its own, where $n_1$ and $n_2$ are how many entries have the count 1 and 2. The shorter contexts do not count how often, but in how many
# different surroundings: a token that only ever follows one other is a bad guess anywhere else
# ([Chen and Goodman 1999](https://doi.org/10.1006/csla.1999.0128)). There is no gradient and no GPU, and for decades this *was* the
# language model.

# %% [markdown] lang="zh" of="6cb12cf0"
# 公式、Keras 与有限差分一致，困惑度的三种写法也是同一个数。
#
# ## 基线：只会计数的模型
#
# **n 元模型**（n-gram），下文也叫**计数模型**，只看最后 $n-1$ 个词元 $h$，数一数后面出现过什么。遇到从没出现过的开头，它也不能交白卷。
# **插值 Kneser-Ney 平滑**从每个计数里扣下一点 $D$，转给短一截的上文 $h'$：
#
# $$ p_n(w \mid h) = \frac{\max(c(hw) - D,\, 0)}{c(h)} + \frac{D\, N(h)}{c(h)}\; p_{n-1}(w \mid h') $$
#
# $c$ 是计数，$N(h)$ 是 $h$ 后面出现过多少种**不同的**词元；$D = n_1 / (n_1 + 2 n_2)$，每种长度各算各的，
# $n_1$、$n_2$ 是计数为 1 和为 2 的各有多少种。短的上文不看出现多少次，而看它出现在多少种不同的环境里：
# 一个字如果只跟在某一个字后面，换个地方猜它就不划算（[Chen 与 Goodman，1999](https://doi.org/10.1006/csla.1999.0128)）。
# 不用梯度，也不用 GPU；有几十年，所谓语言模型就是它。

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
# Look where the numbers stop falling. More than two or three characters of context hardly help counting, because longer beginnings have
# almost never occurred before. Neural language models were invented to get over that wall
# ([Bengio et al. 2003](https://www.jmlr.org/papers/v3/bengio03a.html)).
#
# ## The same task for a Transformer
#
# `decoder_only` is the Transformer of chapter 7 without its encoder: embeddings, positions, blocks of causal self-attention, and a dense
# layer that gives a number to each of the possible tokens. It sees the whole poem up to the present position, and it knows which position
# that is.
#
# We check two things before training. A later token must not change an earlier answer (the **causal mask**). And input and target must be
# **one position apart**: without the shift the mask still holds, but the answer is already in the question. Then the loss falls to almost
# nothing, and the model has learned to copy. **If your loss looks too good, check the shift first.**

# %% [markdown] lang="zh" of="6f8888ef"
# 看看这些数从哪里起不再下降。上文超过两三个字，对计数就几乎没有帮助了，因为更长的开头差不多都没出现过。神经语言模型正是为了翻过这堵墙而发明的
# （[Bengio 等，2003](https://www.jmlr.org/papers/v3/bengio03a.html)）。
#
# ## 同一项任务，交给 Transformer
#
# `decoder_only` 就是第 7 章的 Transformer 去掉编码器：嵌入、位置、带因果掩码的自注意力块，最后一个全连接层给每个可能的词元打一个分。
# 它看得见到当前为止的整首诗，也知道自己写到了第几个位置。
#
# 训练之前先核对两件事。后面的词元不能影响前面的答案（**因果掩码**，causal mask）。输入与目标必须**错开一位**：不错位的话，掩码虽然仍然成立，
# 答案却已经写在题目里了，损失会降到几乎为零，而模型只学会了抄写。**损失好得离谱的时候，先查错位。**

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

# %% [markdown] lang="en" tags=["predict"]
# The Transformer needs {{poems.bits_per_character:.3f}} bits per character, {{poems.bits_below_ngram:.3f}} fewer than the 4-gram
# (three seeds: {{seeds:poems.bits_below_ngram:.3f}}). What does it know that the 4-gram does not?
#
# ## Where are the bits?
#
# An average hides what has been learned. Take the held-out quatrains with five characters per line and ask how many bits each
# *position* costs. The dotted line is an **ablation**: the second half of each poem is read after the first half of *another* poem.
#
# **Predict:** where is the Transformer ahead of the 4-gram? Is the fourth line's rhyme easier to guess than the last character of line
# three? And what does the Transformer lose with a foreign first half?

# %% [markdown] lang="zh" of="b78d4dc5" tags=["predict"]
# Transformer 每字符要 {{poems.bits_per_character:.3f}} 比特，比 4 元模型少 {{poems.bits_below_ngram:.3f}}（三个种子：{{seeds:poems.bits_below_ngram:.3f}}）。
# 它知道些什么，是 4 元模型不知道的？
#
# ## 比特花在哪里？
#
# 平均数掩盖了模型学到的东西。取出留出集里的五言诗，逐个**位置**地问要花多少比特。点线是一次**消融**（ablation）：让每首诗的后半接在**另一首**诗的前半之后来读。
#
# **先猜：** Transformer 在哪些位置上领先 4 元模型？第四句的韵脚是不是比第三句的末字好猜？前半换成别的诗，Transformer 会损失多少？

# %% tags=["plot", "hero"]
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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Most of the lead is at the line breaks and at the end. There the Transformer pays next to nothing, because it knows its position.
# It also gains on the third character, where a new thought begins after the pause of a five-character line (two plus three). But on the second
# character, which completes a pair, and slightly on the last one, the 4-gram is cheaper. So the lead of this short training run is largely knowledge of
# the *form*. A counting model that was told where a line of five or seven ends would know that, too. Such a rival is not in this chapter, so
# the difference above says nothing yet about who knows *poetry* better.
#
# The last character of line four is a little cheaper than that of line three. That does not show rhyme: it falls even more for the 4-gram,
# which cannot see line two, so fewer different characters seem to be used there. The dotted line is the better test, and at the rhyme it makes almost no
# difference. A foreign first half costs most at the second character of a line, where the tones must answer (you will meet
# them below).
#
# ## From probabilities to text
#
# The network gives logits $z_i$. Which token is written? **Greedy**: the one with the largest. Or draw one at random, after a correction:
#
# $$ p_i \;\propto\; e^{z_i / T}\;\,[\,i \in V\,], \qquad
#    V_{\text{top-}k} = \{k \text{ most likely}\}, \qquad
#    V_{\text{top-}p} = \text{smallest set of the most likely with } \textstyle\sum_{i \in V} p_i \ge p $$
#
# **Temperature** $T$ below 1 sharpens, above 1 flattens (chapter 4 calibrates with it); $T \to 0$ is greedy. **Top-k**
# ([Fan et al. 2018](https://arxiv.org/abs/1805.04833)) always keeps equally many tokens. **Top-p**
# ([Holtzman et al. 2019](https://arxiv.org/abs/1904.09751)) keeps few where the model is confident and many where it is not. What is left is
# scaled to sum to 1 again.

# %% [markdown] lang="zh" of="0fb1fd30" tags=["answer"]
# **答案。** 领先主要来自换行和结尾：Transformer 知道自己写到了第几个位置，在那里几乎不花比特。第三个字它也猜得更好，五言读作“二、三”，停顿之后另起新意。
# 可是与前一字成对的第二个字，反而是 4 元模型更省，末字上它也略占优。可见在这么短的训练里，领先的多半是**格式**知识。如果告诉计数模型五言、七言在哪里断句，这些它也会知道。
# 本章还没有这样一个对手，所以上面的差距还不能说明谁更懂**诗**。
#
# 第四句的末字比第三句的略便宜，这并不能说明押韵：4 元模型看不到第二句，降得却更多，看来只是那个位置上用字的种类少。点线是更好的检验，
# 而它在韵脚处几乎没有差别。前半换成别的诗，损失最大的是一句的第二个字，平仄正要在那里呼应（下面会讲到）。
#
# ## 从概率到文本
#
# 网络给出 logits $z_i$。写哪个词元？**贪心**（greedy）取最大的。或者先修正一下，再随机抽取：
#
# $$ p_i \;\propto\; e^{z_i / T}\;\,[\,i \in V\,], \qquad
#    V_{\text{top-}k} = \{\text{概率最大的 } k \text{ 个}\}, \qquad
#    V_{\text{top-}p} = \text{使 } \textstyle\sum_{i \in V} p_i \ge p \text{ 的最小集合，从大到小取} $$
#
# **温度**（temperature）$T$ 小于 1 使分布变尖，大于 1 使它变平（第 4 章用它来校准）；$T \to 0$ 就是贪心。**top-k**（[Fan 等，2018](https://arxiv.org/abs/1805.04833)）总是留下同样多个；
# **top-p**（[Holtzman 等，2019](https://arxiv.org/abs/1904.09751)）在模型置信度高时留得少，低时留得多。留下的重新归一，使和为 1。

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

# %% [markdown] lang="en" tags=["predict"]
# All four rules agree with Keras or with the definition.
#
# ## Writing with a memory
#
# The plain way to write is the first class below: at every step the whole beginning goes through the network again. But behind a causal
# mask, the keys and values of earlier positions never change. Keep them (the **KV cache**, `transformer.Stepper`), and a step computes one
# position:
#
# $$ \text{positions computed for } n \text{ tokens:} \qquad \text{without } \; 1 + 2 + \dots + n = \tfrac{n(n+1)}{2}, \qquad \text{with } \; n $$
#
# The price is memory: $2 \times \text{layers} \times \text{width} \times n$ numbers per text. Both classes are *steppers*, so the same
# decoding function drives either.
#
# **Predict:** do they write the same text? And how does the time of a step grow?

# %% [markdown] lang="zh" of="52f6fff7" tags=["predict"]
# 四种规则的结果都与 Keras 或定义一致。
#
# ## 带着记忆写
#
# 最朴素的写法就是下面的第一个类：每走一步，把整个开头重新送进网络。可是有因果掩码在，前面各位置的键和值不会再变。把它们留下来
# （**键值缓存**，KV cache，`transformer.Stepper`），一步就只算一个位置：
#
# $$ \text{写 } n \text{ 个词元要算的位置：} \qquad \text{不缓存 } \; 1 + 2 + \dots + n = \tfrac{n(n+1)}{2}, \qquad \text{缓存 } \; n $$
#
# 代价是内存：每段文本要存 $2 \times \text{层数} \times \text{宽度} \times n$ 个数。两者都是“步进器”（stepper），同一个解码函数可以驱动任何一个。
#
# **先猜：** 写出的文本一样吗？每一步的时间怎样增长？

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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The tokens are the same under all four rules. Without the cache the time of a step grows with the text. With it the time stays
# nearly level at these lengths, although attention still reads the whole cache. At the longest text the cache is
# {{kv_cache.times_faster:.1f}} times as fast in this run ({{seeds:kv_cache.times_faster:.1f}} in three other runs): the factor depends on the machine, the model and
# the length.
#
# ## The network writes
#
# Every rule gets the same task: go on from the first character of the same held-out poems. The cell prints the **first** poems of each
# rule, not the best ones, and the 4-gram writes with the same function. The figure sets them as a Chinese book would, from top to bottom and
# right to left. Where lines two and four rhyme, a red circle marks the two characters. (After such a short training run that may be
# nowhere.)

# %% [markdown] lang="zh" of="9d75477c" tags=["answer"]
# **答案。** 四种规则下，词元都相同。不用缓存，每一步的时间随文本增长；用缓存，在这样的长度上几乎持平，虽然注意力仍要读整个缓存。文本最长时，
# 这次运行里用缓存的速度是不用时的 {{kv_cache.times_faster:.1f}} 倍（另外三次运行是 {{seeds:kv_cache.times_faster:.1f}}）。这个倍数取决于机器、模型和长度。
#
# ## 网络来写
#
# 每种规则的任务相同：从同一批留出诗的第一个字接着写。下面打印的是每种规则**最先**写的，不是挑出来最好的；4 元模型（图中 4-gram）用同一个函数来写。
# 图中按中文古书的样子竖排，从右到左；第二、四句确实押韵时，两个韵脚上有红圈（训练这么短，可能一个也没有）。

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

# %% tags=["plot"]
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
# In these first poems the network keeps to four lines of equal length under every rule, and the 4-gram does not. Are they any good as
# poems? That is the next question.
#
# ## Judging what was written
#
# We count five things, and each has something to compare with:
#
# - **form**: four lines, all of five or all of seven characters;
# - **tones**: *regulated* Tang verse (近体诗) sets level tones against oblique ones (平仄). We look at the second character of every line: lines
#   one and two should be opposite, two and three should agree, three and four should be opposite. By chance one poem in eight does so;
# - **rhyme**: lines two and four end on two different characters of one of the thirteen *modern* rhyme groups (by `pypinyin`);
# - **different pairs** (distinct-2): the share of all neighbouring pairs of tokens that are different from each other;
# - **copied**: the share of lines that occur, character for character, in the training set. Held-out poems have none: the split saw to that.
#
# Tang poets wrote by the sounds of their own time. The modern pronunciation misses some of their tones and rhymes and finds some that were
# none, and a character with several pronunciations gets its most common one. The collection also holds old-style verse (古体诗), which never
# had to keep the tones. So the shares among *real* poems are below one, and they are the mark to reach. Chance is measured by shuffled lines.

# %% [markdown] lang="zh" of="d9479f5b"
# 这几首里，网络不论按哪种规则，写出的都是一样长的四句，4 元模型却不是。至于算不算好诗，那是下一个问题。
#
# ## 评判写出来的东西
#
# 数五样东西，每样都有比较的对象：
#
# - **格式**：四句，每句都是五字，或者都是七字；
# - **平仄**：近体诗讲究平仄。这里只看每句的第二个字。一、二句相对，二、三句相粘，三、四句相对。碰巧的话，八首里大约有一首；
# - **押韵**：第二、四句的末字不同，而且同属**现代**“十三辙”中的一辙（读音取自 `pypinyin`）；
# - **不同的字对**（distinct-2）：所有相邻两字的组合里，有多少是互不相同的；
# - **抄袭**：有多少句与训练集里的某一句一字不差。留出集没有这样的句子，划分时已经保证。
#
# 必须说明，唐人用的是当时的音。用今音来判断，入声已经消失，有的韵会漏掉，有的本不押韵却会算上，多音字又只取最常见的读音。
# 集子里还有本来就不受平仄约束的古体诗。所以真正的唐诗也不会全合平仄、全押韵，它们的比例才是要达到的标杆；碰巧的比例，则用打乱的诗句来测。

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
# With top-p 0.8, {{poems.form_top_p:.1%}} of the poems have the **form**, {{poems.tones_top_p:.1%}} the **tones** and
# {{poems.rhyme_top_p:.1%}} the **rhyme** (three seeds: {{seeds:poems.form_top_p:.1%}}, {{seeds:poems.tones_top_p:.1%}} and
# {{seeds:poems.rhyme_top_p:.1%}}). The network was told nothing about any of the three; it saw numbers that stand for characters.
#
# Form comes almost by itself. The tones are kept far above chance and at least as often as in the real poems of the table. That is
# no higher art: cut to its most likely tokens, the network writes the average poem, and the poets also wrote in the old style. No input
# says whether a character is level or oblique, so it can only have been learned from where the poets put it.
#
# Rhyme has not been learned in such a short training run. Hardly more poems rhyme than shuffled lines do, while about four in five real ones do.
# (Greedy rhymes more often because it writes the same few lines again and again: look at its pairs.) The 4-gram gets none of the
# three, since it sees only three tokens back.
#
# ## A poem on your word
#
# An *acrostic* (藏头诗) hides a word in the first characters of its lines. The decoding functions take a rule of yours, `allowed`: which
# tokens may come next? (What APIs offer as structured output or JSON mode works this way.) Put in four characters of your own. 深度学习 is
# *deep learning*, 春夏秋冬 is *spring, summer, autumn, winter*.

# %% [markdown] lang="zh" of="3bd4bba5"
# 用 top-p 0.8，{{poems.form_top_p:.1%}} 的诗**格式**正确，{{poems.tones_top_p:.1%}} 合**平仄**，{{poems.rhyme_top_p:.1%}} **押韵**
# （三个种子：{{seeds:poems.form_top_p:.1%}}、{{seeds:poems.tones_top_p:.1%}}、{{seeds:poems.rhyme_top_p:.1%}}）。这三样从没有人告诉过网络，它看到的只是一个个字的编号。
#
# 格式几乎不教就会。平仄远高于碰巧的比例，也不低于表里的真诗，但这并不是更高明：只从最可能的字里挑，写出来的是“平均的诗”，而诗人也写古体。
# 编号里没有写着哪个字平、哪个字仄，只能从诗人把字放在哪里学来。
#
# 在这么短的训练里，押韵没有学会：比打乱的诗句多押不了几首，而真诗约有五分之四押韵。（贪心押得多些，是因为它翻来覆去就写那几句，看看它的字对就知道。）
# 4 元模型三样都不会，它只看得到前三个词元。
#
# ## 用你的词写一首诗
#
# 藏头诗把一个词藏在各句的第一个字里。解码函数接受你自己的规则 `allowed`：下一步允许哪些词元？（大模型接口里的“结构化输出”“JSON 模式”就是这样做的。）把下面换成你自己的四个字试试。

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

# %% [markdown] lang="en" tags=["predict"]
# The tops of the columns, from right to left, are the words we put in. A rule at decoding time costs no training.
#
# ## Clinic: "a higher temperature is more creative", "a lower perplexity is a better poem"
#
# We use one network at six temperatures. The left panel shows what the held-out poems would cost at that temperature, the right one what the
# poems look like that the network then writes.
#
# **Predict:** if both sayings were right, one temperature would win on both sides. Does one?

# %% [markdown] lang="zh" of="9d6fd4a4" tags=["predict"]
# 各列顶端的字从右到左连起来，就是我们给的词。解码时加一条规则，不用再训练。
#
# ## 公式门诊：“温度越高越有创意”“困惑度越低诗越好”
#
# 同一个网络，六种温度。左图是以这个温度来猜，留出的诗要花多少比特；右图是以这个温度来写，写出来的诗是什么样子。
#
# **先猜：** 两种说法要是都对，就该有一个温度在两边都最好。有吗？

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

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** No. The held-out poems cost least at temperature {{temperature.cheapest:.0f}}, for which the network was trained. Form and
# tones are best at the lowest temperature, different pairs at the highest: from 0.7 to 1.5 the share with the right form falls by
# {{temperature.form_lost_from_07_to_15:.2f}}. Nothing new has been learned at a higher temperature; unlikely tokens are drawn more often.
# And perplexity asks how well *all* poems are predicted, while a reader asks whether *this* one is good. Report both.
#
# ## Clinic: "the model understands the poem"
#
# A claim of understanding should come with a test. Show the network each held-out poem twice, as it was written and with something swapped,
# and see which version it finds more probable. Guessing gives one half. A reader who understands notices all of them.
#
# Then look inside with a **probe**: can a linear model tell, from the vector that the network keeps of a character, how the character
# *sounds*, its tone and its rhyme group? It is tested on characters that the probe has not seen (five-fold cross-validation), against always
# naming the most common answer.

# %% [markdown] lang="zh" of="23df5edc" tags=["answer"]
# **答案。** 没有。留出的诗在温度 {{temperature.cheapest:.0f}} 时最省，网络就是按这个温度训练的；格式和平仄在温度最低时最好，不同的字对则在温度最高时最多。
# 温度从 0.7 升到 1.5，格式正确的比例下降 {{temperature.form_lost_from_07_to_15:.2f}}。温度升高并没有学到任何新东西，只是更常抽到不大可能的字。
# 困惑度问的是能不能预见**所有的**诗，读者问的是**这一首**好不好。两样都要报告。
#
# ## 公式门诊：“模型理解了这首诗”
#
# 说“理解”，就该拿出测验。把每首留出的诗给网络看两遍，一遍是原样，一遍调换了些东西，看它觉得哪一个更可能。瞎猜能对一半；真正读懂的人，每一种都看得出来。
#
# 再用**探针**（probe）看看网络内部：从网络为每个字保存的向量里，线性模型能不能判断这个字**怎么念**，是平是仄，属于哪一辙？探针没见过的字才拿来考（五折交叉验证），
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
# **Diagnosis.** The network has learned the tones. If lines 1 and 2 or lines 2 and 4 are swapped, the tones no longer answer each other, and it
# notices {{noticed.lines_1_and_2_exchanged:.0%}} and {{noticed.lines_2_and_4_exchanged:.0%}} of the swaps. Swapped couplets keep the pattern of
# the tones (try it with level, oblique, oblique, level), and it notices {{noticed.couplets_exchanged:.0%}}. The foreign couplet
# ({{noticed.second_couplet_of_another_poem:.0%}}) says little, because two different texts are compared and the one with common
# characters wins. The dotted curve above is a better comparison: the *same* characters after their own first half and after a foreign one.
# There, too, the loss is mostly where the tones must answer. Of what the lines *say*, neither test shows much.
#
# The probe agrees. Tone is read from the vectors at {{probe.tone_above_commonest:.2f}} above always naming the most common answer, rhyme group at
# {{probe.rhyme_above_commonest:.3f}}, that is, not at all. This list says what has been learned. To say "understands" is to claim more than anybody here has
# measured.
#
# ## The same code, Jane Austen
#
# Which tokens for English? *Characters* need a tiny vocabulary but several times as many steps. *Words* give short sequences, but every new name is
# unknown. In between are **subwords** by byte-pair encoding: begin with characters and join the most frequent neighbouring pair into a new
# token, again and again ([Sennrich, Haddow and Birch 2016](https://arxiv.org/abs/1508.07909)). Frequent words become one token, rare ones stay in
# parts (the output calls them pieces). Text is first cut into words, each with the space before it, and no join crosses a cut.
#
# Our version starts from the characters of all six novels, the held-out one included, so no character is unknown here. GPT-2 starts from the 256
# *bytes* instead, and then nothing can be unknown
# ([Radford et al. 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf)).
#
# The split is by **novel**: *Persuasion* is held out, with all its names. (The next cell lets go of the poems' network, to make
# room. If you want to go back to the poems afterwards, except for the acrostics, run the notebook from the top.)

# %% [markdown] lang="zh" of="abd67630"
# **诊断。** 这个网络学会了平仄。把一、二句或二、四句对调，平仄就不再相对相粘，它看出了其中的 {{noticed.lines_1_and_2_exchanged:.0%}} 和 {{noticed.lines_2_and_4_exchanged:.0%}}。
# 两联对调，平仄的格局不变（拿“平仄仄平”试一试），它只看出 {{noticed.couplets_exchanged:.0%}}。换上别人的一联（{{noticed.second_couplet_of_another_poem:.0%}}）说明不了什么，
# 因为比较的是两段不同的文字，用字常见的那一联总占便宜。前面图中的点线比得更公平：**同样的**字，接在自己的前半之后和接在别人的前半之后，损失也主要落在平仄该呼应的地方。
# 至于诗句**说的是什么**，两处都看不出多少。
#
# 探针的结果一致：从向量判断平仄，比总答最常见的那一类高出 {{probe.tone_above_commonest:.2f}}；判断韵部，相差 {{probe.rhyme_above_commonest:.3f}}，等于判断不出来。
# 这些测出来的，就是它学会了的东西；说“理解”，就超出了任何人测到的东西。
#
# ## 同样的代码，换成简·奥斯汀
#
# 英文用什么作词元？用**字母**，词表很小，步数却多了好几倍；用**单词**，序列短，可每个新名字都不认识。介于两者之间的是**子词**（subword），用**字节对编码**（byte-pair encoding）得到：从字母开始，
# 把最常见的相邻两个词元合成一个新词元，一遍又一遍（[Sennrich、Haddow 与 Birch，2016](https://arxiv.org/abs/1508.07909)）。
# 常见的词成为一个词元，少见的词仍是几段（输出里写作“块”）。合并之前先把文本切成单词，单词前的空格跟着单词走，合并不跨过切口。
#
# 这里从六部小说的全部字符开始，留出的那部也包括在内，所以没有不认识的字符。GPT-2 则从 256 个**字节**开始，那样才真正没有不认识的东西
# （[Radford 等，2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf)）。
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
# On prose the result is sobering. After one pass over each novel the Transformer needs {{austen.bits_per_character:.3f}} bits per
# character. The 4-gram's bits minus the Transformer's are {{austen.bits_below_ngram:.3f}} (three seeds:
# {{seeds:austen.bits_below_ngram:.3f}}). The difference is negative: **counting wins**. It remembers every sequence at once, while the network moves its weights a little at each step.
# The mean of the two probabilities is better than either, by {{austen.bits_saved_by_both:.3f}} bits, so they fail at different positions. With more
# training and more parameters, in the full profile's run, the network gets ahead, by a little (see the end of the chapter, and chapter 8's
# scaling laws).
#
# ## Clinic: "the most likely text is the best text"
#
# Then greedy writing should be best of all. Read it below, and look at the number: of all sequences of four tokens in the prose, how many
# are different? The novel itself, cut to the same length, is the mark.

# %% [markdown] lang="zh" of="c609ff5b"
# 散文这边的结论并不风光。每部小说只读一遍，Transformer 每字符要 {{austen.bits_per_character:.3f}} 比特。
# 4 元模型的比特数减去它，得 {{austen.bits_below_ngram:.3f}}（三个种子：{{seeds:austen.bits_below_ngram:.3f}}），是负的，也就是说**计数模型胜出**。它一下子记住所有出现过的序列，
# 而网络每一步只挪动一点点权重。两者的概率取平均，比哪一个都好，又省下 {{austen.bits_saved_by_both:.3f}} 比特，可见它们错在不同的地方。
# 训练更多、参数更多时，也就是在 full 配置里，网络反超了，只是超得不多（见本章末尾，以及第 8 章的缩放定律）。
#
# ## 公式门诊：“概率最大的文本就是最好的文本”
#
# 那么贪心写出来的应该最好。读一读下面的输出，再看一个数：在那些散文里，连续四个词元的片段有多少是互不相同的？小说原文截成同样的长度，作为标杆。

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
# **Diagnosis.** Greedy prose goes in circles: only {{prose.distinct_4_greedy:.0%}} of its sequences of four tokens are different, against
# {{prose.distinct_4_top_p:.0%}} with top-p. What was written once makes itself more likely
# ([Holtzman et al. 2019](https://arxiv.org/abs/1904.09751) show it for far larger models). People do not choose the most likely word at each
# step; they would have nothing to say.
#
# ## Clinic: "perplexity 4 is better than perplexity 30"
#
# A perplexity is *per token*, and what a token is was decided by the people who cut the text. Below, counting models learn from *Emma* and are tested on
# *Persuasion*, first with letters (they look at the last five), then with subwords (the last three). Which one is better, and by which number can you tell?
#
# The last two lines change the split instead: a tenth of *Persuasion*'s paragraphs is the test. The model has read *Emma* and one more text: in one
# case a novel it is not tested on (*Northanger Abbey*), in the other the remaining nine tenths of *Persuasion*, nearly as long.

# %% [markdown] lang="zh" of="f9f11c83"
# **诊断。** 贪心写出的散文会原地打转：四个词元的片段只有 {{prose.distinct_4_greedy:.0%}} 互不相同，top-p 则有 {{prose.distinct_4_top_p:.0%}}。写过一次的东西，会让自己更可能再出现
# （[Holtzman 等，2019](https://arxiv.org/abs/1904.09751) 在大得多的模型上也看到了）。人写的文本并不会每一步都选最可能的词，不然就等于什么也没说。
#
# ## 公式门诊：“困惑度 4 比困惑度 30 好”
#
# 困惑度是**按词元**算的，而什么算一个词元，是切分文本的人定的。下面的计数模型都从《爱玛》（*Emma*）学来，用《劝导》测试：先按字母（看前五个），再按子词（看前三个）。哪个更好，凭哪个数来判断？
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

# %% [markdown] lang="en" tags=["summary"]
# **Diagnosis.** The model with the much larger perplexity is the better one. Compare perplexities only over the same tokens of the same text; bits per
# character compare any two models. And say how you split: having read the rest of the novel saves
# {{split.bits_gained_by_reading_the_novel:.3f}} bits per character, and that advantage belongs to the split, not to the model.
#
# ## What you measured
#
# - Poems: {{poems.bits_per_character:.3f}} bits per character, {{poems.bits_below_ngram:.3f}} fewer than the 4-gram (three seeds:
#   {{seeds:poems.bits_below_ngram:.3f}}); most of it at line breaks and ends.
# - Written with top-p 0.8: form {{poems.form_top_p:.1%}}, tones {{poems.tones_top_p:.1%}}, rhyme {{poems.rhyme_top_p:.1%}}, copied lines
#   {{poems.copied_top_p:.1%}}.
# - The best temperature for held-out poems is {{temperature.cheapest:.0f}}; from 0.7 to 1.5 the share with the right form falls by
#   {{temperature.form_lost_from_07_to_15:.2f}}.
# - Swapped lines 1 and 2 are noticed in {{noticed.lines_1_and_2_exchanged:.0%}} of the poems, swapped couplets in
#   {{noticed.couplets_exchanged:.0%}}: tones, not meaning.
# - Prose: {{austen.bits_per_character:.3f}} bits per character, and counting is better; the mean of both saves another
#   {{austen.bits_saved_by_both:.3f}}.
#
# | | formula |
# |---|---|
# | bits per character | $-\frac{1}{\text{characters}} \sum_t \log_2 p(x_t \mid x_{<t})$ |
# | perplexity | $e^{L}$, per token |
# | temperature | $p_i \propto e^{z_i / T}$ |
# | positions for $n$ tokens | $n(n+1)/2$ without a cache, $n$ with one |
# | numbers in the cache | $2 \times \text{layers} \times \text{width} \times n$ |
#
# ### Exercise 1 · easy — bits per character
#
# Write `bits_per_character(log_probability, text)`. It gets the natural logarithms of the probabilities of all tokens of a text, and the text
# itself (a string).

# %% [markdown] lang="zh" of="58ac77a9" tags=["summary"]
# **诊断。** 困惑度大得多的那个模型反而更好。只有同一文本、同一套词元的困惑度才能相互比较；每字符比特数则任何两个模型都能比。还要说清划分：
# 读过这部小说的其余部分，每字符就省下 {{split.bits_gained_by_reading_the_novel:.3f}} 比特，占到的便宜要记在划分头上，不是模型的本事。
#
# ## 你测到了什么
#
# - 唐诗：每字符 {{poems.bits_per_character:.3f}} 比特，比 4 元模型少 {{poems.bits_below_ngram:.3f}}（三个种子：{{seeds:poems.bits_below_ngram:.3f}}），主要省在换行和结尾。
# - 用 top-p 0.8 写诗：格式 {{poems.form_top_p:.1%}}，平仄 {{poems.tones_top_p:.1%}}，押韵 {{poems.rhyme_top_p:.1%}}，抄袭的句子 {{poems.copied_top_p:.1%}}。
# - 猜留出的诗，最好的温度是 {{temperature.cheapest:.0f}}；写诗时温度从 0.7 升到 1.5，格式正确的比例下降 {{temperature.form_lost_from_07_to_15:.2f}}。
# - 一、二句对调，{{noticed.lines_1_and_2_exchanged:.0%}} 看得出来；两联对调，{{noticed.couplets_exchanged:.0%}}：学会的是平仄，不是意思。
# - 散文：每字符 {{austen.bits_per_character:.3f}} 比特，计数模型更好；两者取平均，再省 {{austen.bits_saved_by_both:.3f}}。
#
# | | 公式 |
# |---|---|
# | 每字符比特数 | $-\frac{1}{\text{字符数}} \sum_t \log_2 p(x_t \mid x_{<t})$ |
# | 困惑度 | $e^{L}$，按词元算 |
# | 温度 | $p_i \propto e^{z_i / T}$ |
# | 写 $n$ 个词元要算的位置 | 不缓存 $n(n+1)/2$，缓存 $n$ |
# | 缓存里的数 | $2 \times \text{层数} \times \text{宽度} \times n$ |
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
# A probability of one half costs one bit. Add up what all tokens cost and divide by what everybody agrees on, the number of characters. How the
# text was cut into tokens is your own choice.

# %% [markdown] lang="zh" of="6731bdd4" tags=["hint"]
# 概率是二分之一，就花一个比特。把所有词元花的加起来，再除以大家都认同的东西，也就是字符数；词元怎么切，只是你自己的事。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — top-p
#
# Write `top_p(probability, p)` for one distribution (a vector): keep the smallest set of most likely tokens whose probabilities add up to at
# least `p`, leave them in their positions, and make them sum to 1.

# %% [markdown] lang="zh" of="839932cf"
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
# Start with the most likely token and add up. The one that carries the sum over `p` belongs to the set, too, or the sum would stay below. Then put
# the ones you keep back in their positions.

# %% [markdown] lang="zh" of="b41353bb" tags=["hint"]
# 从最可能的往下加。谁算在集合里？使总和越过 `p` 的那一个也算，不然就不到 `p`。最后把留下的放回原来的位置。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — a form that cannot fail
#
# Write `allowed_next(written, width, vocabulary)`: given the tokens written so far (a list, without `START`), which may come next if the result must
# be a quatrain of `width` characters per line? Return a boolean array (vocabulary,). The tokens are 0 padding, 1 start, 2 end, 3 line break; all from 4
# on are characters. There are three line breaks, and the end comes after the fourth line. With it,
# `decoding.sample(…, allowed=lambda row, written: allowed_next(written, 7, script.size))` cannot miss the form.

# %% [markdown] lang="zh" of="78a1d508"
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
# A line with its break is `width` + 1 tokens long. `divmod(len(written), width + 1)` says in which line and at which position of it you are. There are
# only three kinds of answers.

# %% [markdown] lang="zh" of="66aabf6f" tags=["hint"]
# 一句连同换行共 `width` + 1 个词元。`divmod(len(written), width + 1)` 就说出你在第几句的第几个位置。答案只有三种。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("07b")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Nearly everything that writes for you today, in chat, code or translation, works as this chapter does: one token after another, drawn from
# probabilities, with a cache of keys and values. The large models add size, far more text, and further training after pre-training (instructions, human
# preferences). There is another road: diffusion language models write by filling gaps in parallel
# ([Nie et al. 2025](https://arxiv.org/abs/2502.09992)).
#
# - Shannon, [*Prediction and entropy of printed English* (1951)](https://doi.org/10.1002/j.1538-7305.1951.tb01366.x): people guess the next letter; the measure of this chapter.
# - Bengio, Ducharme, Vincent and Jauvin, [*A neural probabilistic language model* (2003)](https://www.jmlr.org/papers/v3/bengio03a.html).
# - Radford et al., [*Language models are unsupervised multitask learners* (GPT-2, 2019)](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf).
# - Holtzman et al., [*The curious case of neural text degeneration* (2019)](https://arxiv.org/abs/1904.09751): why greedy text goes in circles, and top-p.
# - Kaplan et al., [*Scaling laws for neural language models* (2020)](https://arxiv.org/abs/2001.08361); chapter 8 fits such laws on this course's own models.
#
# **What the full profile changes.** It trains larger models, five passes over the poems and three over the novels, with dropout against memorising, in an
# hour and a half. It was run once (`notebooks/results/full-07b.json`). On the poems the network needs {{full:poems.bits_per_character:.3f}} bits per character,
# {{full:poems.bits_below_ngram:.3f}} fewer than counting, and {{full:noticed.lines_2_and_4_exchanged:.0%}} of the swaps of lines 2 and 4 are noticed. On
# prose it is now ahead of counting by {{full:austen.bits_below_ngram:.3f}}, and the mean of the two saves {{full:austen.bits_saved_by_both:.3f}} more. Rhyme is
# still not learned ({{full:poems.rhyme_top_p:.1%}}; probe {{full:probe.rhyme_above_commonest:.3f}}), although the tones are
# ({{full:poems.tones_top_p:.1%}}). It hardly copies either: {{full:poems.copied_top_p:.2%}} of the lines are in the training poems.

# %% [markdown] lang="zh" of="e1ee29a4"
# ## 应用与延伸阅读
#
# 今天替人写东西的程序，聊天、写代码、翻译，几乎都与这一章的做法相同：一个词元接一个词元，按概率抽取，用键值缓存。大模型多出来的是规模、多得多的文本，以及预训练之后的再训练
# （按指令微调、按人的偏好调整）。也有另一条路：扩散语言模型并行地填空来写（[Nie 等，2025](https://arxiv.org/abs/2502.09992)）。
#
# - Shannon，[*Prediction and entropy of printed English*（1951）](https://doi.org/10.1002/j.1538-7305.1951.tb01366.x)：让人来猜下一个字母；本章的尺子就出自这里。
# - Bengio、Ducharme、Vincent 与 Jauvin，[*A neural probabilistic language model*（2003）](https://www.jmlr.org/papers/v3/bengio03a.html)。
# - Radford 等，[*Language models are unsupervised multitask learners*（GPT-2，2019）](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf)。
# - Holtzman 等，[*The curious case of neural text degeneration*（2019）](https://arxiv.org/abs/1904.09751)：贪心写的文本为什么会打转，以及 top-p。
# - Kaplan 等，[*Scaling laws for neural language models*（2020）](https://arxiv.org/abs/2001.08361)；第 8 章用本课程自己的模型来拟合这样的定律。
# - 中文读物：邱锡鹏《神经网络与深度学习》第 15 章“序列生成模型”，其中有 N 元模型；《动手学深度学习》8.3 节“语言模型和数据集”。
#
# **换成 full 配置会怎样。** 模型更大，唐诗读五遍，小说读三遍，并用随机失活防止死记硬背，要一个半小时。它跑过一次（`notebooks/results/full-07b.json`）。
# 唐诗上，网络每字符 {{full:poems.bits_per_character:.3f}} 比特，比计数模型少 {{full:poems.bits_below_ngram:.3f}}；二、四句对调，{{full:noticed.lines_2_and_4_exchanged:.0%}} 看得出来。
# 散文上它现在领先计数模型 {{full:austen.bits_below_ngram:.3f}}，两者取平均再省 {{full:austen.bits_saved_by_both:.3f}}。押韵仍没有学会
# （{{full:poems.rhyme_top_p:.1%}}；探针 {{full:probe.rhyme_above_commonest:.3f}}），平仄则学会了（{{full:poems.tones_top_p:.1%}}）。抄袭也几乎没有发生，
# 只有 {{full:poems.copied_top_p:.2%}} 的句子在训练诗里出现过。
