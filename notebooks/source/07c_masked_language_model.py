# %% [markdown] lang="en" telling=["from_scratch.accuracy_100_labels", "pre_trained.accuracy_100_labels", "linear.accuracy_100_labels"]
# # 7c Reading: an encoder that fills gaps
#
# Labels are expensive, text is free. So let a network read thousands of reviews without a single label, with some words
# hidden, and make it guess them. That is how BERT was made. After that, does it need fewer labels to tell praise from complaint?
#
# You will build the smallest BERT that shows every part of it, and watch it fill gaps beside two honest rivals: counting, and logistic
# regression. Be prepared for a surprise. The picture shows what a gap is worth: what may follow *this*, and what may come between *this* and *is*?

# %% [markdown] lang="zh" of="29d2b20c"
# # 7c 阅读：会做完形填空的编码器
#
# 标签很贵，文本不要钱。那就让网络去读几千条没有标签的评论，遮住其中一些字，要它来猜。BERT 就是这样炼成的。
# 读过之后，要它分辨好评差评，是不是就能少用一些标签？
#
# 这一章搭一个麻雀虽小、五脏俱全的 BERT，看它怎样填空，再请两位老实的对手来比：只会计数的模型，以及逻辑回归。结果也许出乎你的意料。
# 下图说的是一个空值多少：“不”后面会是什么字？夹在“不”和“的”之间呢？

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - turn any text into a fill-the-gap task, and check the 80/10/10 rule by counting;
# - write the masked loss and its gradient, and check both against Keras;
# - say why an encoder cannot be trained to guess the next word, and show it;
# - fine-tune with few labels, beside training from scratch and a linear model, over three draws of the labels;
# - say what pre-training gave, what it did not give at this size, and what the comparison leaves open.
#
# **Before you start:** chapter 7 (attention, masks), chapter 7b (cross entropy in bits), TF-IDF (chapter 6a). Measured time and memory are
# printed below.
#
# The network reads Chinese reviews, character by character: no word needs to be cut out, and a small vocabulary is enough. You need no Chinese; glosses are given. If you prefer English reviews, set
# `language = "en"` in the cell that makes the rows. (The numbers in the text belong to the Chinese run.)

# %% [markdown] lang="zh" of="d5cfd5c4"
# **学完这一章，你能够**
#
# - 把任意文本变成填空题，并用计数来核对 80/10/10 规则；
# - 写出带掩码的损失及其梯度，并验证结果与 Keras 一致；
# - 说出编码器为什么不能用“猜下一个词”来训练，并演示给人看；
# - 用少量标签微调，旁边放上从零训练和线性模型，标签抽三次；
# - 说出预训练带来了什么，在这个规模上没带来什么，以及这个比较还有什么没有定论。
#
# **预备知识：** 第 7 章（注意力、掩码），第 7b 章（以比特计的交叉熵），第 6a 章（TF-IDF）。用时与内存见下方第一段输出。

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
import collections

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.topics import masked, text
from course_utils.models import transformer
from course_utils.profiles import choose
from course_utils.reference import activations, losses

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("07c")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: cover a word, look to both sides
#
# A decoder (chapter 7b) guesses the *next* word: it sees one side. Cover a word in the middle, and you may look at both. In 1953
# Taylor used such gaps to measure how readable a text is, and called it the
# [cloze procedure](https://doi.org/10.1177/107769905303000401); you know it from language exams.
#
# The bars count, in real reviews, what stood after *this* ("this …"), and what stood between *this* and *is* ("this … is"); then
# the same for a Chinese character: 不 (*not*), and 不 … 的 (a particle). The number above each picture is the uncertainty in bits: how many yes-no
# questions the gap costs if you know these counts.
#
# **Predict:** what does the second side take away? Which words will disappear from the list after *this*?

# %% [markdown] lang="zh" of="b5399524" tags=["predict"]
# ## 核心思想：遮住一个词，两边都看
#
# 解码器（第 7b 章）猜的是下一个词，只看得见一边。从中间遮住一个词，两边就都能看了。1953 年，Taylor 用这样的空来衡量文章好不好读，称之为
# [完形填空](https://doi.org/10.1177/107769905303000401)（cloze procedure）；外语考试里你早就见过它。
#
# 下面的柱形图统计真实的评论：英文里 this 后面是什么，this 与 is 之间又是什么；中文里“不”后面是什么字，“不”与“的”之间又是什么字。
# 每幅图上方的数是不确定程度，以比特计：知道这些次数之后，这个空还值几个“是不是”的问题。
#
# **先猜：** 多看一边，能排除掉什么？“不”后面的字，哪些会从名单上消失？

# %% tags=["hero", "plot"]
reviews = {language: datasets.reviews(language) for language in ("en", "zh")}
figure, axes = plt.subplots(1, 4, figsize=(12, 3))
draw = np.random.default_rng(0)
for number, (language, before, after) in enumerate([("en", "this", "is"), ("zh", "不", "的")]):
    one_side, both_sides = [], []
    for review in reviews[language].train_texts:
        row = text.tokens(review, language)
        for left, word, right in zip(row, row[1:], row[2:], strict=False):
            one_side += [word] * (left == before)
            both_sides += [word] * (left == before and right == after)
    one_side = draw.choice(one_side, len(both_sides), replace=False).tolist()  # as many: fewer cases would look more certain
    one_side, both_sides = collections.Counter(one_side), collections.Counter(both_sides)
    for axis, counts, gap in [(axes[2 * number], one_side, f"{before} …"), (axes[2 * number + 1], both_sides, f"{before} … {after}")]:
        shares = np.array([count for _, count in counts.most_common()]) / counts.total()
        names = [word for word, _ in counts.most_common(8)]
        axis.barh(names[::-1], shares[:8][::-1], color=plots.COLORS[0])
        axis.set(title=f"{gap}: {-(shares * np.log2(shares)).sum():.1f} bits", xlabel="share")
plots.show(
    figure,
    alt="Four bar charts of words in a gap: after 'this', between 'this' and 'is', after 不, between 不 and 的. With both sides the leading "
    "words have larger shares and the gap costs fewer bits.",
    alt_zh="四幅柱形图，空里出现的词：this 之后、this 与 is 之间、“不” 之后、“不” 与 “的” 之间。看得见两边时，排在前面的词份额更大，空所值的比特更少。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Verbs go, nouns stay: after *this* the most common word is *is*, which cannot stand between *this* and *is*. Both gaps get cheaper with the second side,
# the Chinese one by about two bits. (As many cases were counted for one side as for both, because fewer cases would look more certain. The axes of the four panels differ.)
#
# ## From reviews to rows
#
# English is cut into words, Chinese into characters. The most frequent ones get numbers, from training texts only; four numbers are
# reserved: 0 padding, 1 unknown, 2 `[MASK]`, 3 `[CLS]`. Every row begins with `[CLS]`, a token that means nothing by itself: BERT lets a
# classifier read the whole text from its position.
#
# For pre-training a review gives several short rows, and its label is not looked at. For classification each review is one longer
# row, cut off at its end.

# %% [markdown] lang="zh" of="7fb0f48b" tags=["answer"]
# **答案。** 排除掉的是接不上右边的字：“不是”“不过”“不知”后面很难接“的”，从名单上消失了，剩下的“不错的”独占近半。多看一边，两种语言的空都便宜了，中文大约省两个比特。
# （只看一边时，取的例子与两边时一样多，因为例子少了会显得更确定。四幅图的横轴刻度并不相同。）
#
# ## 从评论到一行行编号
#
# 英文切成词，中文切成字。只看训练文本，给最常见的编上号；有四个号是预留的：0 填充，1 未知，2 `[MASK]`，3 `[CLS]`。每一行都以 `[CLS]` 开头，
# 它本身没有意义：BERT 的分类器就从它的位置上读取整段文字。
#
# 预训练时，一条评论拆成几个短行，标签一个也不看。分类时，每条评论只占一行，这一行长些，放不下就截断。

# %%
language, size, piece, length, most = "zh", 2000, 32, 48, 10  # most: questions a row
train_texts, test_texts = reviews[language].train_texts, reviews[language].test_texts
y_train, y_test = (labels.astype("int32") for labels in (reviews[language].train_labels, reviews[language].test_labels))
words = masked.vocabulary(train_texts, language, size)
pieces, test_pieces = (masked.pieces(words, texts, piece) for texts in (train_texts, test_texts))
x_train, x_test = (masked.rows(words, texts, length) for texts in (train_texts, test_texts))
print(reviews[language].description)
for name, rows in {"pre-training · 预训练": pieces, "labelled · 带标签": x_train, "test · 测试": x_test}.items():
    real = rows > 0
    print(f"{name:22} {str(rows.shape):12} padding · 填充 {1 - real.mean():.0%}, unknown · 未知 {(rows == 1).sum() / real.sum():.1%}")
print(pieces[0][:12], "=", words.decode(pieces[0][:12]))

# %% [markdown] lang="en"
# ## From the formula to Keras: the masked loss
#
# Choose a set $M$ of positions, hide what stands there, and call the damaged text $\tilde x$. The encoder reads $\tilde x$ and gives scores $z_i$ over
# the vocabulary at the positions of $M$:
#
# $$ L = -\frac{1}{|M|} \sum_{i \in M} \log p(x_i \mid \tilde x), \qquad p(w \mid \tilde x) = \operatorname{softmax}(z_i)_w, \qquad
#    \frac{\partial L}{\partial z_{i,w}} = \frac{p(w \mid \tilde x) - [w = x_i]}{|M|} \;\text{ for } i \in M,\; 0 \text{ elsewhere} $$
#
# Only the chosen positions count. A row with fewer questions than others has empty ones, target 0; `ignore_class=0` leaves them out.
# $L / \log 2$ is in bits, as in chapter 7b. (But see the clinic: these bits do not add up to the length of a text.)

# %% [markdown] lang="zh" of="36dfa036"
# ## 从公式到 Keras：带掩码的损失
#
# 选出一组位置 $M$，遮住那里的词，把破损的文本记作 $\tilde x$。编码器读 $\tilde x$，在 $M$ 的各个位置上对整个词表打分 $z_i$：
#
# $$ L = -\frac{1}{|M|} \sum_{i \in M} \log p(x_i \mid \tilde x), \qquad p(w \mid \tilde x) = \operatorname{softmax}(z_i)_w, \qquad
#    \frac{\partial L}{\partial z_{i,w}} = \frac{p(w \mid \tilde x) - [w = x_i]}{|M|} \;\;(i \in M),\quad \text{其余为 } 0 $$
#
# 只有被选中的位置才算数。有的行问题少，多出来的位子就空着，目标记 0；`ignore_class=0` 会把它们略去。$L / \log 2$ 以比特计，与第 7b 章相同。
# （不过请看后面的门诊：这些比特加起来，并不等于文本的长度。）

# %%
keras.utils.set_random_seed(0)
toy = masked.guesser(transformer.encoder_only(12, 9, size=8, heads=2, hidden=16, blocks=1), places=2)
tokens = np.array([[3, 5, 2, 7, 2], [3, 2, 8, 9, 0]])  # 3 [CLS], 2 [MASK], 0 padding
places, targets = np.array([[2, 4], [1, 0]]), np.array([[6, 10], [4, 0]])  # target 0: no question
asked = targets > 0
gap_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
logits = tf.convert_to_tensor(toy([tokens, places]))  # (2 rows, 2 places, 12 words)
with tf.GradientTape() as tape:
    tape.watch(logits)
    loss = gap_loss(targets, logits)

probability = activations.softmax(logits.numpy().astype("float64"))
right = np.take_along_axis(probability, targets[..., None], axis=-1)[..., 0]  # (2, 2)
proofs.equal({"formula": -np.log(right[asked]).mean(), "Keras": loss})
proofs.equal({
    "∂L/∂z by hand": (probability - np.eye(12)[targets]) * asked[..., None] / asked.sum(),
    "GradientTape": tape.gradient(loss, logits),
    "finite differences": proofs.finite_differences(lambda z: losses.cross_entropy(z[asked], targets[asked]), logits),
})

# %% [markdown] lang="en"
# Loss and gradient agree: prediction minus truth, once more, at the questions and nowhere else.
#
# ## The 80/10/10 rule, counted
#
# BERT ([Devlin et al. 2018](https://arxiv.org/abs/1810.04805)) chooses 15 % of the tokens. Of the chosen, 80 % become `[MASK]`, a tenth
# becomes a random other word, a tenth stays as it is. All of them are asked for.
#
# Why so? Texts that the model reads later hold no `[MASK]`. If every question came with one, the state of an ordinary word would never be
# used, and nothing would force it to mean anything. So now and then the word itself stands there, right or wrong, and the model
# cannot know which: it must judge every word by what surrounds it.
#
# A rule is a claim about frequencies, so count. How far from 80, 10 and 10 per cent may the counts be by chance? With $n$ questions the
# standard deviation of a share $p$ is $\sqrt{p (1 - p) / n}$; three of them are a generous limit.

# %% [markdown] lang="zh" of="c25347f8"
# 损失与梯度都一致：又是“预测减真相”，只出现在题目处，其余为零。
#
# ## 80/10/10 规则，数出来看
#
# BERT（[Devlin 等，2018](https://arxiv.org/abs/1810.04805)）选出 15% 的词元。被选中的，80% 变成 `[MASK]`，
# 十分之一换成随便另一个词，十分之一原样不动。三种都要猜。
#
# 何必如此？模型日后要读的文本里没有 `[MASK]`。假如每道题都带着这个记号，普通词的状态就从来用不上，也没有什么逼着它去表示点什么。
# 所以有时就让词自己站在那里，可能对，也可能错，模型无从得知：每个词都得拿上下文来掂量。
#
# 规则是关于频率的断言，那就数一数。偶然的偏差最多能有多大？有 $n$ 道题时，份额 $p$ 的标准差是 $\sqrt{p (1 - p) / n}$；取它的三倍作界限，已经相当宽松。

# %%
hidden = masked.hide(pieces, len(words), np.random.default_rng(0))
asked = hidden.targets > 0
seen, wanted = np.take_along_axis(hidden.inputs, hidden.places, axis=1)[asked], hidden.targets[asked]
counted = {
    "became [MASK] · 变成 [MASK]": (np.mean(seen == masked.MASK), 0.8),
    "became another · 换成别的": (np.mean((seen != masked.MASK) & (seen != wanted)), 0.1),
    "stayed · 原样不动": (np.mean(seen == wanted), 0.1),
}
ordinary = (pieces >= masked.FIRST).sum()
print(f"{len(wanted):,} questions on {ordinary:,} tokens · 道题: {len(wanted) / ordinary:.1%}")
for name, (share, rule) in counted.items():
    limit = 3 * np.sqrt(rule * (1 - rule) / len(wanted))
    print(f"  {share:6.2%}  {name:24} rule · 规则 {rule:.0%} ± {limit:.2%} {'✓' if abs(share - rule) < limit else '✗'}")
print("other places changed · 其他位置改动:", int((hidden.inputs != pieces).sum() - (seen != wanted).sum()))
row = 4
print("text · 原文:", words.decode(pieces[row][1:]), "\nreads · 读到:", words.decode(hidden.inputs[row][1:]).replace("[MASK]", "＿"))
print("is asked · 要猜:", " ".join(words.words[token] for token in hidden.targets[row] if token))

# %% [markdown] lang="en" tags=["predict"]
# The three shares lie within their limits. The first printed line does not say 15, and that is no chance: the number of questions in a row is a whole number. A full row has 31 ordinary tokens, $31 \cdot 0.15 = 4.65$
# is rounded to 5, and most rows are full.
#
# ## A rival that only counts
#
# Before a network fills gaps, let counting do it. How often did word $w$ follow the left neighbour $l$, how often precede the right one $r$? With
# $k$ imaginary observations of the overall frequency $p(w)$ nothing is impossible:
#
# $$ p(w \mid l) = \frac{c(l\,w) + k\,p(w)}{c(l) + k}, \qquad
#    p(w \mid l, r) \;\propto\; \frac{p(w \mid l)\; p(w \mid r)}{p(w)} $$
#
# The second is Bayes' rule, if left and right are independent once the word is known. It takes two tables of counts. The
# questions below are on *test* reviews, all of them `[MASK]`.
#
# **Predict:** what share of hidden characters does counting guess right, out of a vocabulary of two thousand?

# %% [markdown] lang="zh" of="2b2d3d78" tags=["predict"]
# 三个份额都在界限之内。第一行打印的却不是 15，这并非偶然：每行的题数必须是整数，满的一行有 31 个普通词元，$31 \cdot 0.15 = 4.65$，取整就成了 5，而多数行都是满的。
#
# ## 一个只会计数的对手
#
# 网络填空之前，先让计数模型（counting）来填。词 $w$ 在左邻 $l$ 之后出现过多少次，在右邻 $r$ 之前出现过多少次？再按总频率 $p(w)$ 补上 $k$ 次假想的观察，
# 就没有什么是绝不可能的了：
#
# $$ p(w \mid l) = \frac{c(l\,w) + k\,p(w)}{c(l) + k}, \qquad
#    p(w \mid l, r) \;\propto\; \frac{p(w \mid l)\; p(w \mid r)}{p(w)} $$
#
# 第二式就是贝叶斯公式，前提是知道了中间的词之后，左邻右邻相互独立。要的只是两张计数表。下面的题目出自测试评论，全部遮成 `[MASK]`。
#
# **先猜：** 词表有两千个字，遮住的字，计数模型能猜对多大比例？

# %%
def neighbours(hidden):
    """Left neighbour, right neighbour and answer of every question: three arrays of numbers; 0 beyond the end."""
    row, column = np.nonzero(hidden.targets)
    place, padded = hidden.places[row, column], np.pad(hidden.inputs, ((0, 0), (0, 1)))
    return padded[row, place - 1], padded[row, place + 1], hidden.targets[row, column]


def gap_score(guess, batches):
    """Bits a question and share guessed right: `guess` gives log probabilities (questions, words) for each batch."""
    cost = right = count = 0
    for *batch, answers in batches:
        log_probability = guess(*batch)
        cost -= np.take_along_axis(log_probability, answers[:, None], axis=1).sum()
        right, count = right + (log_probability.argmax(axis=1) == answers).sum(), count + len(answers)
    return cost / count / np.log(2), right / count


followed = np.zeros((len(words), len(words)), "float32")  # row: a word, column: the word after it
np.add.at(followed, (pieces[:, :-1].ravel(), pieces[:, 1:].ravel()), 1)
overall = np.bincount(pieces[pieces >= masked.FIRST], minlength=len(words)) + 1e-9
overall /= overall.sum()

# %%
after, before = followed.copy(), followed.T.copy()  # what stood after, what stood before the row's word
after[:, : masked.FIRST] = before[:, : masked.FIRST] = 0


def counting(left, right, sides="both"):
    """log p(w | left, right) of the formula, k = 100; a neighbour that is hidden itself says nothing."""
    by_left = (after[left] + 100 * overall) / (after[left].sum(axis=1, keepdims=True) + 100)
    by_right = (before[right] + 100 * overall) / (before[right].sum(axis=1, keepdims=True) + 100)
    shares = {"none": by_left * 0 + overall, "left": by_left, "both": by_left * by_right / overall}[sides]
    return np.log(shares / shares.sum(axis=1, keepdims=True))


test_hidden = masked.hide(test_pieces, len(words), np.random.default_rng(0), rule=(1, 0, 0), most=most)
test_batches = [masked.Hidden(*(array[start : start + 200] for array in test_hidden)) for start in range(0, 2000, 200)]
batches = [neighbours(batch) for batch in test_batches]
counted = {sides: gap_score(lambda left, right, sides=sides: counting(left, right, sides), batches) for sides in ("none", "left", "both")}
for sides, (bits, right) in counted.items():
    print(f"neighbours · 看邻居: {sides:5} {bits:5.2f} bits · 比特, {right:.1%} right · 猜对")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** With both neighbours about a third; with the left one a fifth; with none, always naming the most common character, one in twenty. Each neighbour saves about two bits.
# That is the mark to beat.
#
# ## The encoder, and what it may see
#
# `encoder_only` is the Transformer of chapter 7 without a causal mask: embeddings and positions, then two blocks in which every token looks at
# every other one, padding excepted. Two heads can be put on it. The **guesser** goes through a dense layer to scores over the vocabulary, at the
# asked positions only. The **classifier** averages the states of the real tokens and gives two scores.
#
# Two facts are checked before training: a later word changes an earlier state (both sides count), and padding changes
# nothing. The first is why this encoder cannot be trained to guess the *next* word at every position: the state there may
# already hold that word, so the network would copy it, at a loss near zero, and learn nothing about language. Only what
# is hidden from the input can be asked for.

# %% [markdown] lang="zh" of="0eed587f" tags=["answer"]
# **答案。** 看两边，大约三分之一；只看左邻，五分之一；都不看，一律猜最常见的字，二十个里对一个。每多看一个邻居，大约省两个比特。要胜过的就是它。
#
# ## 编码器，以及它看得见什么
#
# `encoder_only` 就是第 7 章的 Transformer 去掉因果掩码：嵌入和位置，然后是两个块，每个词元都看得见其他所有词元，填充除外。它上面可以安两种头。
# **填空头**（guesser）经过一个全连接层，对整个词表打分，只在被问的位置上算。**分类头**（classifier）对真实词元的状态取平均，给出两个分数。
#
# 训练之前先核对两件事：后面的词会改变前面的状态（两边都算数）；填充什么也改变不了。
# 第一件正说明了为什么不能让这个编码器在每个位置上猜下一个词：那里的状态可能已经含有这个词，
# 网络照抄就行，损失接近零，却什么也没学到。只有从输入里遮住的东西，才能拿来问。

# %%
def build_encoder(dropout=0.0):
    """An untrained encoder: tokens (batch, time) -> states (batch, time, size)."""
    width, blocks = choose(smoke=32, laptop=64, full=256), choose(smoke=1, laptop=2, full=4)
    return transformer.encoder_only(len(words), length, width, heads=4, hidden=2 * width, blocks=blocks, dropout=dropout,
                                    positions="sinusoidal")


keras.utils.set_random_seed(SEED)
with strategy.scope():
    encoder = build_encoder()
    guesser = masked.guesser(encoder, places=most)
one_row = x_test[:1]
end = int((one_row > 0).sum())
other_end = one_row.copy()
other_end[0, end - 1] = 100  # another last word
states, changed = encoder(one_row)[0], encoder(other_end)[0]
print("a later word changes earlier states · 后面的词改变前面的状态:", not np.allclose(states[: end - 1], changed[: end - 1], atol=1e-4))
shorter = encoder(one_row[:, :end])[0]
proofs.equal({"states": states[:end, :32], "without padding": shorter[:, :32]})  # 32 numbers a word, as every profile has

# %% [markdown] lang="en" tags=["predict"]
# ## Pre-training
#
# New gaps in every pass, so that no review is seen twice with the same questions (as [RoBERTa, 2019](https://arxiv.org/abs/1907.11692) does
# it). Three tokens in ten are hidden, twice as many as in BERT: more questions for the same text
# ([Wettig et al. 2022](https://arxiv.org/abs/2202.08005) ask how many are best). After each pass the encoder answers the test questions.
#
# **Predict** the curve, in bits, beside the three lines of counting. Which line is passed first? Is the last one reached?

# %% [markdown] lang="zh" of="08acae4f" tags=["predict"]
# ## 预训练
#
# 每一遍都重新挖空，同一条评论不会带着同样的题目出现两次（[RoBERTa，2019](https://arxiv.org/abs/1907.11692) 就是这样做的）。
# 遮住的是十分之三，比 BERT 多一倍：同样读一遍，题目多一些（遮多少最好，见 [Wettig 等，2022](https://arxiv.org/abs/2202.08005)）。
# 每读完一遍，就让编码器回答测试题。
#
# **先猜**曲线的样子（以比特计），旁边是计数模型的三条横线：最先越过哪一条？最后一条够得着吗？

# %%
batch_size, passes = 32, choose(smoke=1, laptop=4, full=20)
count = choose(smoke=320, laptop=len(pieces), full=len(pieces)) // batch_size * batch_size
rate = training.OneCycle(choose(smoke=4e-3, laptop=4e-3, full=1e-3), steps=passes * count // batch_size, warm_up=0.1)
with strategy.scope():
    guesser.compile(keras.optimizers.Adam(rate, clipnorm=1.0), gap_loss, steps_per_execution=choose(smoke=1, laptop=8, full=8))


@tf.function(reduce_retracing=True)
def guess_scores(inputs, places):
    """Log probabilities at the places that are asked."""
    return tf.nn.log_softmax(guesser([inputs, places], training=False))


def encoder_score(batches):
    """Bits a question and share guessed right."""
    def guess(inputs, places, targets):
        return guess_scores(inputs, places).numpy()[targets > 0]

    return gap_score(guess, [(*batch, batch.targets[batch.targets > 0]) for batch in batches])

# %% tags=["nbval-ignore-output"]
random, asked_batches = np.random.default_rng(SEED), test_batches[: choose(smoke=2, laptop=10, full=10)]
learned, seconds = [encoder_score(asked_batches)], []
for number in range(passes):
    order = random.permutation(len(pieces))[:count]
    gaps = masked.hide(pieces[order], len(words), random, share=0.3, most=most)
    history = training.fit(
        guesser, [gaps.inputs, gaps.places], gaps.targets, name=f"gaps {number}", epochs=1, batch_size=batch_size, shuffle=False)
    learned.append(encoder_score(asked_batches))
    seconds += history["seconds"]
    print(f"pass {number + 1}: {learned[-1][0]:.2f} bits · 比特, {learned[-1][1]:.1%} right · 猜对, {seconds[-1]:.0f} s")
bits, right = np.array(learned).T
results.record("gaps.bits", bits[-1], band=choose(smoke=(10.40, 11.18), laptop=(6.77, 8.04), full=(2, 8)), digits=2)
results.record("gaps.accuracy", right[-1], band=choose(smoke=(0.000, 0.056), laptop=(0.088, 0.217), full=(0.1, 0.7)), digits=3)
results.record("gaps.bits_above_counting", bits[-1] - counted["both"][0], band=choose(smoke=(5.40, 6.18), laptop=(1.77, 3.04), full=(-3, 3)), digits=2)
results.record("gaps.seconds", sum(seconds), unit="s", digits=1)

# %% tags=["plot"]
figure, axis = plt.subplots(figsize=(7, 3.6))
axis.plot(range(passes + 1), bits, "o-", color=plots.COLORS[0], label="encoder")
for (sides, (level, _)), line, color in zip(counted.items(), [":", "--", "-."], plots.COLORS[1:], strict=False):
    label = {"none": "no neighbour", "left": "left neighbour", "both": "both neighbours"}[sides]
    axis.axhline(level, linestyle=line, color=color, label=f"counting, {label}")
axis.set(xlabel="passes over the reviews", ylabel="bits a hidden character", title="Gaps in test reviews", xticks=range(passes + 1), ylim=(0, None))
axis.legend(loc="lower left", fontsize=9)
plots.show(
    figure,
    alt="Bits for each hidden character against passes over the reviews: the encoder's curve falls, below counting without "
    "neighbours; three horizontal lines show counting with none, the left, and both neighbours, the last far below.",
    alt_zh="每个遮住的字所花的比特随遍数的变化：编码器的曲线下降，低于不看邻居的数数；三条横线分别是不看邻居、看左邻、看两边的数数，最后一条低得多。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The curve drops to the dotted line at once: how frequent is each character? Then it goes down slowly, and when the time is up, after four passes, it is still falling, at
# {{gaps.bits:.2f}} bits, {{gaps.bits_above_counting:.1f}} bits above counting with both neighbours (three seeds: {{seeds:gaps.bits_above_counting:.1f}}). It guesses {{gaps.accuracy:.1%}} right. So at this
# budget counting wins by far. Its table holds four million numbers that say what stood beside what; the encoder must first find out, by small
# steps, that neighbours matter at all. BERT read 3.3 billion words forty times ([Devlin et al. 2018](https://arxiv.org/abs/1810.04805)).
#
# Is the method at fault, or the budget? With a larger network and twenty passes (the full profile, run once) the encoder needs {{full:gaps.bits:.2f}} bits, less than counting, and guesses
# {{full:gaps.accuracy:.1%}} right. So it does learn to fill gaps; it takes much longer.
#
# What counting cannot do is change its mind because of a word further away. Compare the guesses. The three sentences say: *The room is very cl＿, and the
# service is good, too* (干净 is *clean*). *The quality is too ＿, I regret buying this book.* *The hotel's service ＿ is very warm* (服务员 is *the staff*).

# %% [markdown] lang="zh" of="08e6f091" tags=["answer"]
# **答案。** 曲线一下子降到点线，也就是“每个字有多常见”；然后慢慢往下走，读完四遍、时间到了还在降，停在 {{gaps.bits:.2f}} 比特，比看两边的计数模型多
# {{gaps.bits_above_counting:.1f}} 比特（三个种子：{{seeds:gaps.bits_above_counting:.1f}}），猜对 {{gaps.accuracy:.1%}}。所以在这个预算下，计数模型大胜。
# 它的表里有四百万个数，记着什么挨着什么；编码器却得先用一小步一小步的更新弄明白：邻居原来是有用的。
# BERT 当年把 33 亿词读了四十遍（[Devlin 等，2018](https://arxiv.org/abs/1810.04805)）。
#
# 是方法不行，还是预算太少？换成更大的网络、读二十遍（full 配置，训练过一次），编码器只要 {{full:gaps.bits:.2f}} 比特，比计数模型少，猜对 {{full:gaps.accuracy:.1%}}。
# 可见它学得会填空，只是要久得多。
#
# 计数模型也有做不到的事：它不会因为远处的一个词而改变主意。比较一下两者的猜测：编码器猜错的时候，至少词的种类对不对？

# %% tags=["nbval-ignore-output"]
def fill(sentence, gap="＿"):
    """Four guesses of the encoder and of counting for the one gap in a sentence."""
    before_gap, after_gap = sentence.split(gap)
    row = np.concatenate([masked.rows(words, [before_gap], len(text.tokens(before_gap, language)) + 1)[0], [masked.MASK],
                          words.encode([after_gap], len(text.tokens(after_gap, language)))[0]])
    place = int(np.flatnonzero(row == masked.MASK)[0])
    inputs = np.pad(row, (0, piece - len(row)))[None].astype("int32")
    network = guess_scores(inputs, np.full((1, most), place, "int32")).numpy()[0, 0]
    neighbour = counting(inputs[0, [place - 1]], inputs[0, [place + 1]])[0]
    for name, log_probability in {"encoder · 编码器": network, "counting · 数数": neighbour}.items():
        best = np.argsort(-log_probability)[:4]
        print(f"  {name:16}", ", ".join(f"{words.words[token]} {np.exp(log_probability[token]):.0%}" for token in best))


sentences = {"zh": ["房间很干＿，服务也很好。", "质量太＿了，后悔买了这本书。", "酒店的服务＿很热情。"],
             "en": ["this ＿ is very good", "i will not ＿ this again", "my dog ＿ these treats"]}
for sentence in sentences[language]:
    print(sentence)
    fill(sentence)
followed = after = before = None  # 48 MB of counts, not needed any more

# %% [markdown] lang="en" tags=["predict"]
# Mostly not yet, in the stored run: of the encoder's first guesses one (好, *good*) is the right kind of word; the others are frequent
# characters, or copied from beside the gap (服 again after 服务). Counting finds 净, 差 (*poor*) and 员.
#
# ## Fine-tuning: praise or complaint, with few labels
#
# Now the labels: 8,000 reviews have one, but suppose you could afford only 100, or 1,000. Four ways, the same labels for all:
#
# - **TF-IDF + logistic regression**: counts of characters and pairs of characters, weighted by rarity, and a linear model. No network.
# - **from scratch**: the same encoder, random weights, trained on the labels alone.
# - **pre-trained**: the encoder that filled gaps, then trained on the labels in the same way.
# - **embeddings only**: an *ablation*. The characters' vectors and nothing else come from pre-training; the attention starts anew.
#
# One thing is not equal: the linear model reads whole reviews, the encoder stops after 47 characters, and about half of the reviews are longer than that. Keep it in mind
# for the verdict. The ablation runs with the fewest labels only. Except for all 8,000, the labels are drawn three times, and one draw can mislead: the figure
# shows them all.
#
# **Predict** the order for 100 labels, and for 8,000.

# %% [markdown] lang="zh" of="88a00e52" tags=["predict"]
# 在保存的这次训练里，大多还不对：编码器排第一的猜测中，只有“好”的种类是对的；其余不是常见字，就是从空的旁边抄来的（“服务”之后又猜“服”）。
# 计数模型填出了“净”“差”“员”。
#
# ## 微调：好评还是差评，标签很少
#
# 现在轮到标签了：8,000 条评论都有标签，但假设你只买得起 100 个，或者 1,000 个。四种做法，用的标签完全相同：
#
# - **TF-IDF + 逻辑回归**（TF-IDF, linear）：统计单字和相邻两字，按稀有程度加权，再接一个线性模型。没有网络。
# - **从零训练**（from scratch）：同样的编码器，权重随机，只用这些标签训练。
# - **预训练**（pre-trained）：做过填空的编码器，再用同样的方式在标签上训练。
# - **只留嵌入**（embeddings only）：一次消融。只有字的向量来自预训练，注意力从头学起。
#
# 有一点并不平等：线性模型读整条评论，编码器只读前 47 个字，而大约一半的评论比这更长。下结论时别忘了它。消融只在标签最少时做。
# 除了 8,000 个全用的情形，标签都抽三次：只抽一次可能误导人，所以图里全部画出。
#
# **先猜**名次：100 个标签时如何，8,000 个呢？

# %%
def singles_and_pairs(review):
    """The tokens of a whole review, and every two neighbours."""
    row = text.tokens(review, language)
    return row + [" ".join(pair) for pair in zip(row, row[1:], strict=False)]


def linear(rows):
    """Test accuracy of TF-IDF and logistic regression trained on these reviews."""
    tfidf = TfidfVectorizer(analyzer=singles_and_pairs, sublinear_tf=True)
    model = make_pipeline(tfidf, LogisticRegression(C=10, max_iter=1000))
    return model.fit([train_texts[row] for row in rows], y_train[rows]).score(test_texts, y_test)


draws = {}  # number of labels: which reviews, one array for each draw
for labels in choose(smoke=[200], laptop=[100, 1000, len(y_train)], full=[100, 1000, len(y_train)]):
    often = choose(smoke=1, laptop=3, full=3) if labels < len(y_train) else 1
    draws[labels] = [np.random.default_rng([SEED, number]).permutation(len(y_train))[:labels] for number in range(often)]
accuracy = {"TF-IDF, linear": {labels: [linear(rows) for rows in several] for labels, several in draws.items()}}

# %%
learned_weights = encoder.get_weights()
with strategy.scope():
    tuned = build_encoder(dropout=0.1)
    classifier = masked.classifier(tuned, classes=2, pooling="mean")
    classifier.compile(keras.optimizers.Adam(1e-3, clipnorm=1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                       steps_per_execution=choose(smoke=1, laptop=8, full=8))
print("the same encoder · 编码器相同:", [weight.shape for weight in tuned.get_weights()] == [weight.shape for weight in learned_weights])

# %% tags=["nbval-ignore-output"]
fresh_weights = {}  # seed: weights that have seen nothing


def fine_tune(method, rows, seed):
    """Test accuracy of the classifier after training on these reviews; every run starts anew."""
    if seed not in fresh_weights:
        keras.utils.set_random_seed(seed)
        fresh_weights[seed] = masked.classifier(build_encoder(), classes=2).get_weights()
    keras.utils.set_random_seed(seed)
    kept = {"from scratch": 0, "embeddings only": 1, "pre-trained": len(learned_weights)}[method]
    classifier.set_weights([*learned_weights[:kept], *fresh_weights[seed][kept:]])
    for variable in classifier.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    classifier.optimizer.learning_rate = 1e-3
    epochs, batch = {100: (15, 16), 200: (2, 16), 1000: (4, 32)}.get(len(rows), (2, 64))
    training.fit(classifier, x_train[rows], y_train[rows], name=f"{method} {len(rows)} {seed}", epochs=epochs, batch_size=batch)
    return training.accuracy(classifier, x_test, y_test, batch_size=200)


for method in ["from scratch", "pre-trained", *choose(smoke=[], laptop=["embeddings only"], full=["embeddings only"])]:
    accuracy[method] = {}
    for labels, several in draws.items():
        if method != "embeddings only" or labels == min(draws):
            accuracy[method][labels] = [fine_tune(method, rows, SEED + 100 * number) for number, rows in enumerate(several)]

# %% tags=["nbval-ignore-output"]
bands = {  # mean test accuracy over the draws: three seeds, at least 0.01 wide on each side
    "embeddings_only": {100: (0.557, 0.671)},
    "from_scratch": {1000: (0.690, 0.715), 100: (0.556, 0.638), 8000: (0.724, 0.800)},
    "linear": {1000: (0.765, 0.803), 100: (0.533, 0.770), 8000: (0.829, 0.850)},
    "pre_trained": {1000: (0.694, 0.720), 100: (0.544, 0.698), 8000: (0.700, 0.839)},
}
smoke_bands = {"linear": (0.716, 0.739), "from_scratch": (0.508, 0.639), "pre_trained": (0.498, 0.661)}
for method, by_labels in accuracy.items():
    topic = {"TF-IDF, linear": "linear"}.get(method, method.replace(" ", "_").replace("-", "_"))
    for labels, values in by_labels.items():
        band = choose(smoke=smoke_bands.get(topic), laptop=bands[topic].get(labels), full=(0.4, 1))
        results.record(f"{topic}.accuracy_{labels}_labels", np.mean(values), band=band, digits=3)
gain_bands = {100: (-0.045, 0.082), 1000: (-0.012, 0.022), 8000: (-0.058, 0.080)}
gain = {labels: np.subtract(accuracy["pre-trained"][labels], accuracy["from scratch"][labels]) for labels in draws}
for labels, differences in gain.items():
    print(f"{labels:5} labels: pre-trained − from scratch · 预训练 − 从零", np.round(differences, 3))
    results.record(f"gain.accuracy_{labels}_labels", differences.mean(), band=choose(smoke=(-0.010, 0.023), laptop=gain_bands.get(labels), full=(-0.3, 0.3)), digits=3)

# %% tags=["plot"]
figure, axis = plt.subplots(figsize=(8, 3.8))
columns = {labels: column for column, labels in enumerate(draws)}
for number, (method, by_labels) in enumerate(accuracy.items()):
    for labels, values in by_labels.items():
        place = columns[labels] + 0.16 * (number - 1.5)
        axis.bar(place, np.mean(values), 0.14, color=plots.COLORS[number], hatch=["", "//", "..", "xx"][number], edgecolor="white",
                 label=method if labels == max(by_labels) else None)
        axis.plot([place] * len(values), values, "k_", markersize=9)
axis.axhline(0.5, color="0.5", linewidth=1)
axis.set(xticks=list(columns.values()), xticklabels=[f"{labels:,}" for labels in columns], xlabel="labels", ylabel="test accuracy",
         ylim=(0.45, 0.9), title="Praise or complaint? Bars: mean, dashes: single draws")
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
plots.show(
    figure,
    alt="Bars of test accuracy for 100, 1,000 and 8,000 labels and four methods, with a dash for every draw of the labels. The linear "
    "model is highest in every group.",
    alt_zh="100、1,000、8,000 个标签时四种方法的测试准确率，每次抽取的标签画一条短横。线性模型在每一组里都最高。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** (The bars start at 0.45; the grey line is guessing.)
#
# - **The linear model is ahead everywhere**: {{linear.accuracy_100_labels:.1%}} with 100 labels against {{pre_trained.accuracy_100_labels:.1%}} pre-trained, {{linear.accuracy_8000_labels:.1%}} with all
#   against {{pre_trained.accuracy_8000_labels:.1%}}.
# - **How much of that lead is its longer input?** This run cannot say. The control would be the same linear model on the first 47 characters, and it was not run here. So read the result as "this
#   *system* is better", not as "linear models are better than encoders". (The control is one line in `singles_and_pairs`: `row = text.tokens(review, language)[:47]`. Try it.)
# - **Pre-training gives little** at this size: {{gain.accuracy_100_labels:.1%}} with 100 labels in the stored run ({{seeds:gain.accuracy_100_labels:.1%}} over three seeds), and the embeddings alone bring about as
#   much. With 1,000 it is {{seeds:gain.accuracy_1000_labels:.1%}}, with all 8,000 {{seeds:gain.accuracy_8000_labels:.1%}}: nothing that can be told from chance.
#
# Why so little? An encoder that fills gaps worse than counting has little to hand on. What it has learned lies between counting
# without neighbours and with one. And whether a gap says *good* or *bad* its neighbours often do not tell: 房间很＿ (*the room is very …*) takes either. These are
# plausible reasons; neither was tested alone.
#
# BERT's gains are real ([Devlin et al. 2018](https://arxiv.org/abs/1810.04805)), and so is this: they come with size, text and time. The recipe alone
# brings little, and a baseline that takes seconds tells you so.

# %% [markdown] lang="zh" of="7d10bb63" tags=["answer"]
# **答案。**（柱子从 0.45 画起，灰线是乱猜。）
#
# - **线性模型处处领先**：100 个标签时 {{linear.accuracy_100_labels:.1%}}，预训练是 {{pre_trained.accuracy_100_labels:.1%}}；标签全用时
#   {{linear.accuracy_8000_labels:.1%}} 对 {{pre_trained.accuracy_8000_labels:.1%}}。
# - **领先里有多少要归功于它读得长？** 这次训练说不出来。要做的对照是同一个线性模型也只读前 47 个字，这里没有做。所以只能说“这一整套做法更好”，
#   不能说“线性模型胜过编码器”。（对照只要改 `singles_and_pairs` 里的一行：`row = text.tokens(review, language)[:47]`。请你试试。）
# - **在这个规模上，预训练的好处很小**：100 个标签时，保存的这次高出 {{gain.accuracy_100_labels:.1%}}（三个种子 {{seeds:gain.accuracy_100_labels:.1%}}），
#   只搬嵌入也差不多是这些；1,000 个时是 {{seeds:gain.accuracy_1000_labels:.1%}}，8,000 个全用时是 {{seeds:gain.accuracy_8000_labels:.1%}}，与偶然分不开。
#
# 为什么这么少？一个填空还不如计数模型的编码器，没有多少东西可传：它学到的，介于“不看邻居”与“只看左邻”的计数之间。
# 而且空里该填“好”还是填“差”，邻居往往不说：“房间很＿”，两者都行。这两条理由都说得通，但都没有单独检验过。
#
# BERT 的进步是真的（[Devlin 等，2018](https://arxiv.org/abs/1810.04805)），这里的结果也是真的：进步是和规模、文本、时间一起来的。光有配方带不来多少，
# 而一个只花几秒的基线就能告诉你这一点。

# %% [markdown] lang="en"
# ## Formula clinic: three sentences about masked models
#
# A. *"BERT replaces 15 % of the words by `[MASK]`."* This is often written ([the paper, 2018](https://arxiv.org/abs/1810.04805), says something else).
#
# B. *"Our masked model gets most tokens right."* Of which tokens? Take a model that has learned nothing and repeats whatever it reads.
#
# C. *"Multiply the probabilities of all gaps, and you have the probability of the sentence."* Take a language of two words and two positions, whose
# four sentences have known probabilities. Fill each gap perfectly, multiply, and add up over all sentences: probabilities add up to 1.

# %% [markdown] lang="zh" of="fc48a20e"
# ## 公式门诊：关于掩码模型的三句话
#
# A. “BERT 把 15% 的词替换成 `[MASK]`。”常见到这样的写法（[2018 年的原论文](https://arxiv.org/abs/1810.04805) 说的却不是这样）。
#
# B. “我们的掩码模型，词元大多能答对。”是哪些词元？找一个什么都没学过、读到什么就说什么的模型来试试。
#
# C. “把所有空的概率乘起来，就是这句话的概率。”取一种只有两个词、两个位置的语言，四句话的概率都已知。每个空都填得完美无缺，乘起来，
# 再对所有句子求和：概率之和应当为 1。

# %%
print(f"A: became [MASK] · 变成 [MASK]: {(seen == masked.MASK).sum() / ordinary:.1%} of all words · 占全部词")
repeated = hidden.inputs == pieces
print(f"B: repeating what it reads is right · 照读照答，答对: {repeated[pieces >= masked.FIRST].mean():.0%} of all tokens · 全部词元, "
      f"{np.mean(seen == wanted):.0%} of the questions · 题目")

sentence_probability = np.array([[0.4, 0.1], [0.1, 0.4]])  # first word, second word
first_gap = sentence_probability / sentence_probability.sum(axis=0)  # p(first | second)
second_gap = sentence_probability / sentence_probability.sum(axis=1, keepdims=True)  # p(second | first)
chain = sentence_probability.sum(axis=1, keepdims=True) * second_gap  # p(first) p(second | first)
print(f"C: gaps multiplied, all sentences · 各空相乘，对所有句子求和: {(first_gap * second_gap).sum():.2f}; chain rule · 链式法则: {chain.sum():.2f}")

# %% [markdown] lang="en"
# **Diagnosis.** A: a fifth of the chosen words never becomes `[MASK]`. B: only questions count. A score over all tokens is mostly a
# score for reading aloud, and a loss over all tokens trains that. C: each gap is guessed with all *other* words in view, so every word
# is used as a reason for its neighbour and then counted again as a result. The product is a useful score
# ([Salazar et al. 2020](https://arxiv.org/abs/1910.14659) call it pseudo-log-likelihood) and no probability: the bits of this chapter must not be compared
# with the bits per character of chapter 7b.
#
# ### Exercise 1 · easy — the mean of the real tokens
#
# Write `mean_state(states, tokens)`: states $(\text{batch}, \text{time}, \text{size})$, tokens $(\text{batch}, \text{time})$, 0 is padding. Return the mean state of each
# row's real tokens, `[CLS]` included: $(\text{batch}, \text{size})$.

# %% [markdown] lang="zh" of="d857650c"
# **诊断。** A：被选中的词有五分之一根本没有变成 `[MASK]`。B：只有题目才算数。在全部词元上算出的成绩，多半是朗读的成绩；在全部词元上算损失，
# 训练出来的也是朗读。C：猜每个空的时候，其余的词都看得见，于是每个词先当了邻居的理由，又当作结果再算了一遍。这个乘积拿来打分很有用
# （[Salazar 等，2020](https://arxiv.org/abs/1910.14659) 称之为伪对数似然），却不是概率：本章的比特数不能与第 7b 章的每字符比特数相比。
#
# ### 练习 1 · 易 —— 真实词元的平均
#
# 写出 `mean_state(states, tokens)`：states 形状（批量，时间，大小），tokens 形状（批量，时间），0 是填充。
# 返回每行真实词元（包括 `[CLS]`）的状态平均值，形状（批量，大小）。

# %% tags=["exercise"]
def mean_state(states, tokens):
    """The mean over the tokens that are no padding."""
    ### BEGIN SOLUTION
    real = (tokens > 0)[..., None]  # (batch, time, 1)
    return (states * real).sum(axis=1) / real.sum(axis=1)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("07c.mean_state", mean_state)

# %% [markdown] lang="en" tags=["hint"]
# A mask of ones and zeros with one axis more makes the padding's states zero. By what must the sum then be divided? That is the
# mask's own sum.

# %% [markdown] lang="zh" of="776522eb" tags=["hint"]
# 做一个 0 和 1 的掩码，多加一条轴，乘上去，填充处的状态就成了零。和该除以几？就是掩码自己的和。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — the masked loss
#
# Write `masked_loss(logits, targets)` in NumPy: logits $(\text{rows}, \text{positions}, \text{words})$, targets $(\text{rows}, \text{positions})$, where 0 means that nothing is asked.
# Return one number, the mean of $-\log p$ over all questions. Scores may be in the thousands.

# %% [markdown] lang="zh" of="b4a48068"
# ### 练习 2 · 中 —— 带掩码的损失
#
# 用 NumPy 写出 `masked_loss(logits, targets)`：logits 形状（行，位置，词），targets 形状（行，位置），0 表示这里没有题。
# 返回一个数：所有题目的 $-\log p$ 的平均。分数可能上千。

# %% tags=["exercise"]
def masked_loss(logits, targets):
    """Mean cost of the questions."""
    ### BEGIN SOLUTION
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    costs = -np.take_along_axis(log_probability, targets[..., None], axis=-1)[..., 0]
    return costs[targets > 0].mean()
    ### END SOLUTION

# %% tags=["check"]
exercises.check("07c.masked_loss", masked_loss)

# %% [markdown] lang="en" tags=["hint"]
# Three steps: log softmax with the largest score subtracted first; `np.take_along_axis` picks the right word's; a boolean index keeps the questions.
# One mean over all of them, not one per row.

# %% [markdown] lang="zh" of="bd76da18" tags=["hint"]
# 三步：log softmax，先减去最大的分数；用 `np.take_along_axis` 取出正确的词；用布尔下标只留下题目。所有题目一起求一次平均，不要逐行求。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — hide by the rule
#
# Write `hide(tokens, size, random)`: tokens $(\text{rows}, \text{length})$, `size` the number of words, `random` a NumPy generator. Choose every ordinary token
# (number 4 or more) with probability 0.15; of the chosen, eight in ten become 2 (`[MASK]`), one in ten a random word from 4 to `size - 1`,
# one in ten stays. Return inputs and targets, both $(\text{rows}, \text{length})$; targets are 0 where nothing is asked.

# %% [markdown] lang="zh" of="5925ace5"
# ### 练习 3 · 难 —— 按规则遮词
#
# 写出 `hide(tokens, size, random)`：tokens 形状（行，长度），`size` 是词的个数，`random` 是 NumPy 的随机数生成器。每个普通词元（编号不小于 4）以概率
# 0.15 被选中；选中的，十之八变成 2（`[MASK]`），十之一换成 4 到 `size - 1` 之间随机的词，十之一不变。
# 返回输入和目标，形状都是（行，长度）；没有题的地方，目标为 0。

# %% tags=["exercise"]
def hide(tokens, size, random):
    """Inputs and targets by BERT's rule."""
    ### BEGIN SOLUTION
    chosen = (tokens >= 4) & (random.random(tokens.shape) < 0.15)
    kind = random.random(tokens.shape)
    inputs = np.where(chosen & (kind < 0.8), 2, tokens)
    other = random.integers(4, size, tokens.shape)
    inputs = np.where(chosen & (kind >= 0.8) & (kind < 0.9), other, inputs)
    return inputs, np.where(chosen, tokens, 0)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("07c.hide", hide)

# %% [markdown] lang="en" tags=["hint"]
# Two independent random numbers for every token: one chooses, one decides what happens, with limits at 0.8 and 0.9. `np.where` writes into a new array. A second number drawn only
# for those that did not become `[MASK]` would reach only what is left: its chance would have to be a half.

# %% [markdown] lang="zh" of="dbcd82a0" tags=["hint"]
# 每个词元抽两个相互独立的随机数：一个决定选不选，一个决定怎么处理，分界在 0.8 和 0.9。`np.where` 会写进新数组。若等 `[MASK]` 定了再抽，
# 那就只轮到剩下的词元，概率得取一半才对。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("07c")

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - Four passes of gap filling: {{gaps.bits:.2f}} bits per hidden character, {{gaps.accuracy:.1%}} right; two tables of counts need {{gaps.bits_above_counting:.1f}} bits less.
# - A larger encoder and twenty passes (one run): {{full:gaps.bits:.2f}} bits and {{full:gaps.accuracy:.1%}} right, better than counting.
# - With 100 labels: from scratch {{from_scratch.accuracy_100_labels:.1%}}, pre-trained {{pre_trained.accuracy_100_labels:.1%}}, embeddings only {{embeddings_only.accuracy_100_labels:.1%}}.
# - The linear model on whole reviews: {{linear.accuracy_100_labels:.1%}} with 100 labels, {{linear.accuracy_8000_labels:.1%}} with 8,000; its lead holds for unequal input only.
# - With 8,000 labels pre-training changes the accuracy by {{seeds:gain.accuracy_8000_labels:.1%}} over three seeds.
#
# | | formula card |
# |---|---|
# | masked loss | $-\frac{1}{\lvert M \rvert} \sum_{i \in M} \log p(x_i \mid \tilde x)$, questions only |
# | its gradient | $(p - [w = x_i]) / \lvert M \rvert$ at the questions, 0 elsewhere |
# | BERT's rule | 15 % chosen; of these 80 % `[MASK]`, 10 % another word, 10 % unchanged ([2018](https://arxiv.org/abs/1810.04805)) |
# | counting, both sides | $p(w \mid l, r) \propto p(w \mid l)\, p(w \mid r) / p(w)$ |
# | a share's spread | $\sqrt{p(1-p)/n}$ |

# %% [markdown] lang="zh" of="d9f116a9" tags=["summary"]
# ## 你测到了什么
#
# - 填空练了四遍：每个遮住的字 {{gaps.bits:.2f}} 比特，猜对 {{gaps.accuracy:.1%}}；两张计数表还要少 {{gaps.bits_above_counting:.1f}} 比特。
# - 更大的编码器读二十遍（一次训练）：{{full:gaps.bits:.2f}} 比特，猜对 {{full:gaps.accuracy:.1%}}，胜过计数模型。
# - 100 个标签：从零训练 {{from_scratch.accuracy_100_labels:.1%}}，预训练 {{pre_trained.accuracy_100_labels:.1%}}，只留嵌入 {{embeddings_only.accuracy_100_labels:.1%}}。
# - 线性模型读整条评论：100 个标签 {{linear.accuracy_100_labels:.1%}}，8,000 个 {{linear.accuracy_8000_labels:.1%}}；这个领先只在输入不等长时测过。
# - 8,000 个标签时，预训练带来的变化是 {{seeds:gain.accuracy_8000_labels:.1%}}（三个种子）。
#
# | | 公式卡 |
# |---|---|
# | 带掩码的损失 | $-\frac{1}{\lvert M \rvert} \sum_{i \in M} \log p(x_i \mid \tilde x)$，只算题目 |
# | 它的梯度 | 题目处 $(p - [w = x_i]) / \lvert M \rvert$，其余为 0 |
# | BERT 的规则 | 选 15%；其中 80% 变 `[MASK]`，10% 换词，10% 不变（[2018](https://arxiv.org/abs/1810.04805)） |
# | 看两边的计数模型 | $p(w \mid l, r) \propto p(w \mid l)\, p(w \mid r) / p(w)$ |
# | 份额的波动 | $\sqrt{p(1-p)/n}$ |

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Encoders that filled gaps sort mail, find passages for search engines, tag names in texts; the same idea fills patches of images
# ([masked autoencoders, 2021](https://arxiv.org/abs/2111.06377)) and amino acids
# ([ESM, 2021](https://doi.org/10.1073/pnas.2016239118)). For *writing*, nearly everything in use is a decoder. But an encoder can write, too: begin with nothing but gaps, fill the ones you are most
# confident of, and go on until none is left. Masked-diffusion language models do that, trained with this chapter's loss at a random masking rate ([LLaDA, 2025](https://arxiv.org/abs/2502.09992)).
#
# - Devlin et al., [*BERT: pre-training of deep bidirectional Transformers*](https://arxiv.org/abs/1810.04805), 2018: read sections 3 and 5.
# - Liu et al., [*RoBERTa*](https://arxiv.org/abs/1907.11692), 2019: the same model, trained longer on more text; what mattered and what did not.
# - Turc et al., [*Well-read students learn better*](https://arxiv.org/abs/1908.08962), 2019: pre-training very small
#   models; their smallest is twice as wide as the one here, their *Mini* is as deep and as wide as our full profile's.
# - Wettig et al., [*Should you mask 15% in masked language modeling?*](https://arxiv.org/abs/2202.08005), 2022.
#
# **What the full profile changes.** Four blocks of width 256, twenty passes; one seed, in `notebooks/results/full-07c.json`. A gap costs {{full:gaps.bits:.2f}} bits, nearly a bit less than
# counting needs. And yet the labels gain little more by it: {{full:gain.accuracy_100_labels:.1%}} with 100, {{full:gain.accuracy_1000_labels:.1%}} with 1,000, {{full:gain.accuracy_8000_labels:.1%}}
# with all; with 100 labels the embeddings alone bring more than half of that. The linear model, on whole reviews, stays ahead: {{full:linear.accuracy_100_labels:.1%}} against
# {{full:pre_trained.accuracy_100_labels:.1%}} with 100 labels, {{full:linear.accuracy_8000_labels:.1%}} against {{full:pre_trained.accuracy_8000_labels:.1%}} with all. The first of these leads is small enough
# that equal input might reverse it. Good at the gaps is not yet good at the task.
#
# Next: chapter 8 asks how such gains grow with size, data and compute; 8b fine-tunes a trained network of another kind.

# %% [markdown] lang="zh" of="fb7314ff"
# ## 应用与延伸阅读
#
# 靠填空练成的编码器，给邮件分类，替搜索引擎找段落，在文中标出人名地名；同样的想法还用来补图像块
# （[掩码自编码器，2021](https://arxiv.org/abs/2111.06377)）和氨基酸（[ESM，2021](https://doi.org/10.1073/pnas.2016239118)）。至于写作，如今用的几乎都是解码器。
# 不过编码器也能写：从满篇都是空开始，先填最有信心的，直到一个空也不剩。掩码扩散语言模型就是这样做的，训练用的正是本章的损失，只是遮住的比例随机
# （[LLaDA，2025](https://arxiv.org/abs/2502.09992)）。
#
# - Devlin 等，[*BERT: pre-training of deep bidirectional Transformers*](https://arxiv.org/abs/1810.04805)，2018：读第 3 节和第 5 节。
# - Liu 等，[*RoBERTa*](https://arxiv.org/abs/1907.11692)，2019：同一个模型，文本更多，训练更久；哪些要紧，哪些不要紧。
# - Turc 等，[*Well-read students learn better*](https://arxiv.org/abs/1908.08962)，2019：预训练很小的模型；其中最小的，
#   宽度也是这里的两倍，*Mini* 的层数和宽度则与本章 full 配置相同。
# - Wettig 等，[*Should you mask 15% in masked language modeling?*](https://arxiv.org/abs/2202.08005)，2022。
# - 中文读物：《动手学深度学习》中讲 BERT 的几节（[zh.d2l.ai](https://zh.d2l.ai)）。
#
# **换成 full 配置会怎样。** 四个块，宽 256，读二十遍；一个种子，见 `notebooks/results/full-07c.json`。填一个空只要 {{full:gaps.bits:.2f}} 比特，
# 比计数模型省下将近一个比特。可是标签并没有因此多占多少便宜：100 个时高出 {{full:gain.accuracy_100_labels:.1%}}，1,000 个时
# {{full:gain.accuracy_1000_labels:.1%}}，全部标签时 {{full:gain.accuracy_8000_labels:.1%}}；100 个标签时，其中一多半单靠嵌入就能得到。
# 读整条评论的线性模型（统计单字和相邻双字）仍然领先：100 个标签时 {{full:linear.accuracy_100_labels:.1%}} 对 {{full:pre_trained.accuracy_100_labels:.1%}}，
# 全部标签时 {{full:linear.accuracy_8000_labels:.1%}} 对 {{full:pre_trained.accuracy_8000_labels:.1%}}。前一个差距很小，输入等长时也许就会反过来。
# 会填空，还不等于会做任务。
#
# 接下来：第 8 章问这样的收益怎样随规模、数据和算力增长；第 8b 章微调的是另一种训练好的网络。
