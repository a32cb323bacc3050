# %% [markdown] lang="en" reads=["seeds-07"] telling=["none.anagram_accuracy", "learned.anagram_accuracy", "writing.attention_exponent"]
# # 7 Attention and the Transformer
#
# A recurrent network reads a sentence like a tape, one step after the other, and what it read first has to survive every
# later step. Attention has no such queue: every word looks at all the others at once and chooses where to look. The
# picture shows it at work without any network: one arm of a star, framed, asks the whole photograph "who looks like me?",
# and the same arm lights up on every other star.
#
# From this one operation you build a **Transformer**, the machine behind translation, chat and protein folding: first
# with two loops, at the end with fifty million weights.

# %% [markdown] lang="zh" of="b6eae03e"
# # 7 注意力与 Transformer
#
# 循环网络读句子像听磁带，一步接一步，开头的内容要熬过后面的每一步才能留下来。注意力（attention）不用排队：每个词同时看到所有的词，
# 看哪里由它自己决定。下面这幅图里没有任何网络，注意力却已经在工作：框中是一颗星的一个角，它向整张照片打听“谁长得像我”，
# 于是别的星上同一个角也亮了起来。
#
# 从这一种运算出发，就能搭出 **Transformer**：机器翻译、聊天程序、蛋白质结构预测，背后都是它。开头只有两个循环，最后是五千多万个权重。

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - compute attention with loops, with two matrix products and in Keras, forward and backward, with the same numbers;
# - say what the $\sqrt{d}$ is for, and show what happens without it;
# - hide the future and the padding, and test that nothing leaks through;
# - tell attention about order in three ways, and say what each one guarantees;
# - assemble a Transformer block in NumPy that agrees with Keras, and say where its normalisation belongs;
# - say when attention is faster than recurrence, and when it is not.
#
# **Before you start:** softmax and its Jacobian (chapter 4), backpropagation (chapter 5), and what an LSTM does
# (chapter 6).

# %% [markdown] lang="zh" of="9078b595"
# **学完这一章，你能够**
#
# - 用循环、用两次矩阵乘法、用 Keras 计算注意力，前向和反向的结果都一致；
# - 说清 $\sqrt{d}$ 的用处，并演示去掉它会怎样；
# - 遮住未来和填充，并检验没有任何信息漏过去；
# - 用三种办法把次序告诉注意力，并说明每种办法保证了什么；
# - 用 NumPy 搭出一个 Transformer 块，结果与 Keras 一致，并说明归一化该放在哪里；
# - 说出注意力什么时候比循环快，什么时候并不快。
#
# **预备知识：** softmax 及其雅可比矩阵（第 4 章），反向传播（第 5 章），LSTM 是怎样工作的（第 6 章）。

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
import importlib
import re
import timeit
import tracemalloc

import ipywidgets as widgets
import keras
import matplotlib.cbook
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from matplotlib.colors import PowerNorm
from PIL import Image

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, sliders, training
from course_utils.topics import flops
from course_utils.models import transformer
from course_utils.profiles import choose
from course_utils.reference import activations, attention, normalization

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("07")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: a soft dictionary
#
# A Python dictionary compares your **query** with its **keys**, finds the one that is equal, and hands you its **value**.
# If no key is equal, you get no answer. Attention is the soft version. It scores *every* key by how well it fits the query,
# turns the scores into shares with a softmax, and answers with the average of all values, weighted by the shares.
# Everything in it is smooth, so it can be learned.
#
# It works without a network, too. Cut a photograph into all its windows of 8 × 8 pixels. The query is one window, at the
# upper right arm of a star. The keys are all 8,649 windows. A score is a dot product: it is large where two windows are
# light and dark in the same places. (If the values are the pixels in the middle of the windows, the answer is a picture
# with less noise: [Buades, Coll and Morel 2005](https://doi.org/10.1109/CVPR.2005.38). Here we only look at the weights.)
#
# **Predict:** where in the photograph will the large weights be?

# %% [markdown] lang="zh" of="693ffd44" tags=["predict"]
# ## 核心思想：一本“软”字典
#
# 在 Python 字典里查东西，是拿你的**查询**（query）去和所有的**键**（key）比，找到相等的那个，取出它的**值**（value）；没有相等的键，
# 就没有答案。注意力是它的“软”版本：给每一个键都打分，看它与查询有多合拍；用 softmax 把分数变成份额；答案是所有的值按份额加权的平均。
# 整个过程处处光滑，所以可以学习。
#
# 没有网络也能这样做。把一张照片切成所有 8 × 8 的小窗，查询是其中一个，落在一颗星的右上角；键是全部 8,649 个小窗。
# 分数就是点积：两个小窗明暗的位置越一致，分数越大。（如果拿小窗中央的像素作值，答案就是一张去了噪声的照片，见
# [Buades、Coll 与 Morel，2005](https://doi.org/10.1109/CVPR.2005.38)。这里只看权重。）
#
# **先猜：** 照片上哪些地方的权重会大？

# %% tags=["hero"]
with Image.open(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as opened:
    photo = np.asarray(opened.convert("L").crop((40, 20, 440, 420)).resize((100, 100))) / 255
windows = np.lib.stride_tricks.sliding_window_view(photo, (8, 8)).reshape(-1, 64)  # (93 · 93, 64)
centred = windows - windows.mean(axis=1, keepdims=True)
keys = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 0.02**2)  # contrast 1, even areas less


def look(row, column, divisors, alt, alt_zh):
    """Where one window of the photograph looks, with its scores divided by each of the divisors."""
    figure, axes = plt.subplots(1, 1 + len(divisors), figsize=(2.7 * (1 + len(divisors)), 3.3))
    axes[0].imshow(photo)
    axes[0].add_patch(plt.Rectangle((column, row), 8, 8, fill=False, color=plots.COLORS[4], linewidth=2.5))
    axes[0].set_title("photograph, 100 × 100,\nand query, 8 × 8")
    for axis, divisor in zip(axes[1:], divisors, strict=True):
        weights = activations.softmax(keys @ keys[93 * row + column] / divisor).reshape(93, 93)
        axis.imshow(np.pad(weights, ((3, 4), (3, 4))), cmap="magma", norm=PowerNorm(0.4))
        axis.set_title(f"weights, scores ÷ {divisor:.3g}\nlargest {weights.max():.4f}")
    for axis in axes:
        axis.axis("off")
    plots.show(figure, alt=alt, alt_zh=alt_zh)


look(34, 4, [8], alt="A portrait before a flag, one arm of a star marked; the weights are bright at the same arm of this star and of others.",
     alt_zh="国旗前的人像，一颗星的一个角被框出；这颗星和其他星的同一个角上权重最亮。")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** On the same arm of the star itself, and on the same arm of the *other* stars. No window is equal to the query,
# so a dictionary would have found nothing but the query itself; the soft dictionary finds everything that resembles it.
#
# ## Attention: loops, NumPy, Keras
#
# For queries $q_i$ and keys $k_j$ of $d$ numbers each, and values $v_j$:
#
# $$ s_{ij} = \frac{q_i \cdot k_j}{\sqrt d} \qquad a_{ij} = \frac{e^{s_{ij}}}{\sum_l e^{s_{il}}} \qquad
#    o_i = \sum_j a_{ij}\, v_j \qquad\text{or}\qquad O = \mathrm{softmax}\!\Big(\frac{QK^\top}{\sqrt d}\Big)\, V $$
#
# $s$ are the scores, $a$ the weights (each row adds up to 1), $o$ the answers. In **self-attention**, queries, keys and
# values all come from the same sequence. Two traps in Keras: `keras.ops.dot_product_attention` puts time before heads, and
# the layer `keras.layers.Attention` does **not** divide by $\sqrt d$.
#
# The second cell goes backward. If $G = \partial L / \partial O$ arrives, then $\partial L/\partial V = A^\top G$ and
# $\partial L/\partial A = G V^\top$; next come each row's softmax (chapter 4) and the first product:
#
# $$ \frac{\partial L}{\partial s_{ij}} = a_{ij}\Big(\frac{\partial L}{\partial a_{ij}} - \sum_l a_{il}
#    \frac{\partial L}{\partial a_{il}}\Big) \qquad
#    \frac{\partial L}{\partial Q} = \frac{1}{\sqrt d}\,\frac{\partial L}{\partial S}\,K \qquad
#    \frac{\partial L}{\partial K} = \frac{1}{\sqrt d}\,\Big(\frac{\partial L}{\partial S}\Big)^{\!\top} Q $$
#
# (On a first reading you may skip these three formulas; the factor $a_{ij}$ is the one thing to remember.)

# %% [markdown] lang="zh" of="99e55621" tags=["answer"]
# **答案。** 在这颗星自己的这个角上，也在别的星的同一个角上。没有哪个小窗与查询完全相等，普通字典除了查询本身什么也查不到；
# “软”字典则把所有与它相像的都找了出来。
#
# ## 注意力：循环、NumPy、Keras
#
# 设查询 $q_i$ 和键 $k_j$ 各有 $d$ 个数，值为 $v_j$：
#
# $$ s_{ij} = \frac{q_i \cdot k_j}{\sqrt d} \qquad a_{ij} = \frac{e^{s_{ij}}}{\sum_l e^{s_{il}}} \qquad
#    o_i = \sum_j a_{ij}\, v_j \qquad\text{即}\qquad O = \mathrm{softmax}\!\Big(\frac{QK^\top}{\sqrt d}\Big)\, V $$
#
# $s$ 是分数，$a$ 是权重（每行之和为 1），$o$ 是答案。查询、键和值都来自同一个序列时，称为**自注意力**（self-attention）。
# Keras 里有两处容易踩坑：`keras.ops.dot_product_attention` 把时间放在头的前面；`keras.layers.Attention` 这一层**不**除以 $\sqrt d$。
#
# 第二个单元格算反向。设传回的梯度为 $G = \partial L / \partial O$，那么 $\partial L/\partial V = A^\top G$，
# $\partial L/\partial A = G V^\top$；再逐行穿过 softmax（第 4 章），最后穿过第一次乘法：
#
# $$ \frac{\partial L}{\partial s_{ij}} = a_{ij}\Big(\frac{\partial L}{\partial a_{ij}} - \sum_l a_{il}
#    \frac{\partial L}{\partial a_{il}}\Big) \qquad
#    \frac{\partial L}{\partial Q} = \frac{1}{\sqrt d}\,\frac{\partial L}{\partial S}\,K \qquad
#    \frac{\partial L}{\partial K} = \frac{1}{\sqrt d}\,\Big(\frac{\partial L}{\partial S}\Big)^{\!\top} Q $$
#
# （第一遍可以跳过这三个式子，只要记住其中的因子 $a_{ij}$。）

# %%
def attention_loop(query, key, value):
    """(query time, size), (key time, size), (key time, value size) -> output, weights."""
    output, weights = np.zeros((len(query), value.shape[1])), np.zeros((len(query), len(key)))
    for i, one_query in enumerate(query):
        scores = [one_query @ one_key / np.sqrt(query.shape[1]) for one_key in key]
        weights[i] = np.exp(scores) / np.sum(np.exp(scores))
        for weight, one_value in zip(weights[i], value, strict=True):
            output[i] += weight * one_value
    return output, weights


random = np.random.default_rng(0)
query, key, value = (random.normal(size=shape) for shape in [(5, 16), (7, 16), (7, 3)])
output, weights = attention_loop(query, key, value)
heads_first = [array[None, None] for array in (query, key, value)]  # (batch 1, heads 1, time, size)
time_first = [array[None, :, None] for array in (query, key, value)]  # (batch 1, time, heads 1, size)
proofs.equal({
    "loops": output,
    "NumPy": activations.softmax(query @ key.T / np.sqrt(16)) @ value,
    "reference": attention.scaled_dot_product_attention(*heads_first)[0][0, 0],
    "keras.ops": keras.ops.dot_product_attention(*time_first)[0, :, 0],
    "keras.layers, query / 4": keras.layers.Attention(dtype="float64")([query[None] / 4, value[None], key[None]])[0],
})

# %%
upstream = random.normal(size=output.shape)  # G
weights_gradient = upstream @ value.T
scores_gradient = weights * (weights_gradient - (weights * weights_gradient).sum(axis=1, keepdims=True))
by_hand = [scores_gradient @ key / 4, scores_gradient.T @ query / 4, weights.T @ upstream]

tensors = [tf.constant(array) for array in time_first]
with tf.GradientTape() as tape:
    tape.watch(tensors)
    loss = tf.reduce_sum(upstream * keras.ops.dot_product_attention(*tensors)[0, :, 0])
taped = tape.gradient(loss, tensors)
for place, name in enumerate(["query", "key", "value"]):
    def loss_of(changed, place=place):
        arrays = [query, key, value]
        arrays[place] = changed
        return np.sum(upstream * attention_loop(*arrays)[0])

    proofs.equal({
        f"∂L/∂{name} by hand": by_hand[place],
        "GradientTape": taped[place][0, :, 0],
        "finite differences": proofs.finite_differences(loss_of, [query, key, value][place]),
    })

# %% [markdown] lang="en" tags=["predict"]
# Five ways forward give the same numbers, and three ways backward. Now look again at the factor $a_{ij}$ in the gradient: a
# key that gets no weight gets no gradient. If attention looks at one place only, from the start and for no good reason, it
# cannot learn to look elsewhere. That is what the next section is about.
#
# ## Why divide by √d
#
# Let the numbers of $q$ and $k$ be independent, with mean 0 and variance 1, roughly as they come out of a fresh layer. Then
# $q \cdot k$ is a sum of $d$ products, each with variance 1: its **variance is $d$**, its typical size $\sqrt d$. For $d = 64$, scores
# of ±8 are normal, and $e^{8}$ is three thousand times $e^0$: the softmax gives most of the weight to one key. There its
# Jacobian $a_i(\delta_{ij} - a_j)$ becomes small (chapter 4), and the gradient with it. After dividing by $\sqrt d$ the
# variance is 1 for every $d$.
#
# **Predict:** how do the variance of the scores, the largest weight and the size of the Jacobian change from $d = 4$ to
# $d = 1024$? The first figure measures them for 500 queries over 32 keys each. The second asks the photograph again
# ($d = 64$): a window at the chin, with the scores undivided, divided by $\sqrt d = 8$, and divided by $d$. From which of
# the three would you rather learn? (In a running notebook, the slider lets you try every divisor.)

# %% [markdown] lang="zh" of="253fa47d" tags=["predict"]
# 前向的五种算法结果一致，反向的三种也一致。再看一眼梯度里的因子 $a_{ij}$：得不到权重的键，也得不到梯度。
# 注意力若从一开始就毫无道理地只盯着一处，就学不会去看别处。下一节讲的就是怎样避免这种情形。
#
# ## 为什么要除以 √d
#
# 设 $q$ 和 $k$ 的各个数相互独立，均值 0、方差 1（刚初始化的层出来大致如此）。$q \cdot k$ 是 $d$ 个乘积之和，每个乘积的方差为 1，
# 所以**方差为 $d$**，大小约为 $\sqrt d$。$d = 64$ 时，±8 的分数很平常，而 $e^{8}$ 是 $e^0$ 的三千倍：softmax 会把大部分权重压在一个键上。
# 此时它的雅可比矩阵 $a_i(\delta_{ij} - a_j)$ 变小（第 4 章），梯度也跟着变小。除以 $\sqrt d$ 之后，不论 $d$ 多大，方差都是 1。
#
# **先猜：** 从 $d = 4$ 到 $d = 1024$，分数的方差、最大的权重、雅可比矩阵的大小各怎么变？第一幅图用 500 个查询来测，每个面对 32 个键。
# 第二幅图再问一次照片（$d = 64$）：由下巴上的一个小窗提问，分数分别不除、除以 $\sqrt d = 8$、除以 $d$。
# 三幅权重图里，你愿意从哪一幅学东西？（notebook 在运行时，拖动滑块可以试任何除数。）

# %% tags=["nbval-ignore-output"]
sizes, draw = np.array([4, 16, 64, 256, 1024]), np.random.default_rng(SEED)
measured = {"q · k": np.zeros((3, 5)), "q · k / √d": np.zeros((3, 5))}
for column, size in enumerate(sizes):
    scores = np.einsum("ns,nks->nk", draw.normal(size=(500, size)), draw.normal(size=(500, 32, size)))
    for name, divisor in zip(measured, [1, np.sqrt(size)], strict=True):
        shares = activations.softmax(scores / divisor)  # (500, 32)
        jacobian = np.linalg.norm(shares[:, :, None] * (np.eye(32) - shares[:, None, :]), axis=(1, 2))
        measured[name][:, column] = (scores / divisor).var(), shares.max(axis=1).mean(), np.median(jacobian)
exponents = [np.polyfit(np.log(sizes), np.log(rows[0]), 1)[0] for rows in measured.values()]
results.record("scores.variance_exponent", exponents[0], band=(0.984, 1.015), digits=2)
results.record("scores.variance_exponent_divided", exponents[1], band=(-0.016, 0.015), digits=2)
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2))
titles = ["variance of the scores", "largest of 32 weights, mean", "size of softmax's Jacobian, median"]
for row, (axis, title) in enumerate(zip(axes, titles, strict=True)):
    for (name, rows), color, line in zip(measured.items(), [plots.COLORS[1], plots.COLORS[0]], ["s--", "o-"], strict=True):
        axis.plot(sizes, rows[row], line, color=color, label=name)
    axis.set(xscale="log", yscale="linear" if row == 1 else "log", xlabel="d, numbers in a query", title=title)
axes[0].legend()
plots.show(
    figure, alt="Against d, undivided: variance grows, the largest weight goes to 1, the Jacobian collapses; divided: level.",
    alt_zh="随 d 的变化。不除：方差增长，最大权重趋于 1，雅可比矩阵骤减；除以根号 d：三者都保持水平。")

# %% tags=["nbval-ignore-output"]
look(70, 56, [1, 8, 64],
     alt="The chin is marked. Undivided: a dot at the chin. Divided by 8: also brows, nose, mouth, shoulders and cap. Divided by 64: nearly all alike.",
     alt_zh="下巴被框出。不除：只有下巴处一个亮点；除以 8：眉毛、鼻子、嘴、肩膀和帽子也亮起来；除以 64：几乎处处一样。")


def chin(divisor):
    """Where the chin looks at this divisor."""
    weights = activations.softmax(keys @ keys[93 * 70 + 56] / divisor).reshape(93, 93)
    return plots.grid([weights**0.4], columns=1, size=3.2, cmap="magma")


slider = widgets.FloatLogSlider(value=8, base=2, min=-1, max=7, step=0.25, description="divisor")
sliders.picture(chin, alt="where the chin looks at this divisor", alt_zh="除以这个数时，下巴看向哪里", divisor=slider)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Undivided, the variance grows like $d$: the measured exponent is {{scores.variance_exponent:.2f}}, against
# {{scores.variance_exponent_divided:.2f}} after dividing. The largest weight climbs towards 1. The Jacobian of the typical
# query (the median) is *not* yet gone at $d = 64$: it is about half of what the division keeps. At 256 it is down to less than a
# tenth, at 1,024 to less than a thousandth. A few queries always have two keys that are nearly equal, and those keep their gradient.
# The chin shows the same (each panel has its own colour scale; the largest weight is in its title): undivided, it sees itself only; divided by 8, also brows, nose, mouth and shoulders, other edges that run the
# same way; divided by 64, everything looks nearly alike, and there is nothing to choose.
#
# ## Masks: what must not be seen
#
# A model that writes a text must not see what comes later (**causal mask**). Sentences of different lengths are filled up
# with a padding token that nobody should read (**padding mask**). Both work in the same way: where attention is forbidden, the score
# becomes $-\infty$ *before* the softmax, so that the weight is exactly 0 and the other keys share the whole. Our masks are boolean, and
# **True means "may be seen"**, as in Keras. (Some PyTorch arguments mean the opposite: check before you copy.)
#
# A wrong mask raises no error, so we test it: change what must be hidden, and see whether anything else changes. The first cell
# tries five ways to hide the last of six tokens from the others. Before you run it, decide which ones leak. The second cell
# joins two masks with `&`; its third "sentence" is all padding, so its queries have *nothing* to look at, and the softmax
# becomes $0/0$.

# %% [markdown] lang="zh" of="c9431c1b" tags=["answer"]
# **答案。** 不除的话，方差随 $d$ 成正比增长：测得的指数是 {{scores.variance_exponent:.2f}}，除过之后是
# {{scores.variance_exponent_divided:.2f}}。最大的权重逐渐逼近 1。雅可比矩阵（取中位数，代表一般的查询）在 $d = 64$ 时还没有消失，
# 大约是除过之后的一半；到 256 不足十分之一，到 1,024 不足千分之一。总有少数查询碰巧有两个不相上下的键，它们的梯度还在。
# 下巴那组图说的是同一件事（每幅各有各的色标，最大的权重写在标题里）：不除，它只看得见自己；除以 8，眉毛、鼻子、嘴和肩膀这些走向相同的边缘也亮了；除以 64，处处差不多，也就无从选择。
#
# ## 掩码：不该看的不许看
#
# 写文章的模型不能偷看后文，靠的是**因果掩码**（causal mask）。句子长短不一，要用填充词元补齐，补上的东西谁也不该读，
# 靠的是**填充掩码**（padding mask）。两者的做法一样：凡是禁止关注的地方，在 softmax **之前**把分数换成 $-\infty$，权重于是恰好为 0，
# 其余的键分享全部份额。这里的掩码是布尔数组，**True 表示“可以看”**，与 Keras 一致。
# （PyTorch 有些参数的含义正好相反，抄代码之前要看清楚。）
#
# 掩码写错了不会报错，所以要检验：改动本该被藏起来的东西，看别的结果会不会跟着变。第一个单元格用五种写法，让前五个词元看不到第六个。
# 运行之前先判断：哪几种会泄漏？第二个单元格用 `&` 合并两个掩码；其中第三个“句子”全是填充，它的查询什么也看不到，softmax 成了 $0/0$。

# %%
def attend(x, change_scores=None, change_weights=None):
    """Self-attention of x (time, size) with a hand in the scores or in the weights."""
    scores = x @ x.T / np.sqrt(x.shape[1])
    weights = activations.softmax(change_scores(scores) if change_scores else scores)
    return (change_weights(weights) if change_weights else weights) @ x


causal = attention.causal_mask(6)  # (query time, key time), True on and below the diagonal
ways = {
    "−∞ before softmax · softmax 之前": lambda x: attend(x, lambda scores: np.where(causal, scores, -np.inf)),
    "transposed · 转置": lambda x: attend(x, lambda scores: np.where(causal.T, scores, -np.inf)),
    "score 0 · 分数置 0": lambda x: attend(x, lambda scores: scores * causal),
    "weight 0 after softmax · softmax 之后": lambda x: attend(x, None, lambda weights: weights * causal),
    "−1 instead of −∞ · 用 −1 代替 −∞": lambda x: attend(x, lambda scores: scores - ~causal),
}
x = random.normal(size=(6, 16))
changed = x.copy()
changed[5] += 3.0  # the last token: the five before it must not notice
for name, way in ways.items():
    tight = np.array_equal(way(x)[:5], way(changed)[:5])
    print("✓ tight · 不泄漏" if tight else "✗ leaks · 泄漏 ", " ", name)

# %%
tokens = np.array([[4, 9, 2, 7, 0, 0], [5, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])  # 0: padding; a sentence of nothing at last
both = attention.padding_mask(tokens) & causal  # (3, 1, 1, 6) & (6, 6) -> (3, 1, 6, 6)
batch = random.normal(size=(3, 1, 6, 16))
shown, weights = attention.scaled_dot_product_attention(batch, batch, batch, both)
print("mask · 掩码:", both.shape, "  sums of the rows · 各行之和:", *weights.sum(axis=-1)[:, 0, 0].round(6))
time_first = batch.swapaxes(1, 2)  # (3, 6, 1, 16)
by_keras = np.swapaxes(keras.ops.dot_product_attention(time_first, time_first, time_first, mask=both), 1, 2)
proofs.equal({"reference": shown[:2], "keras.ops": by_keras[:2]})
proofs.equal({"nothing to see: keras.ops": by_keras[2, 0, 0], "mean of all": batch[2, 0].mean(axis=0)})
figure = plots.grid(
    [causal, *both[:2, 0], *weights[:2, 0]],
    ["causal mask", "& padding, length 4", "& padding, length 2", "weights, length 4", "weights, length 2"], columns=5, size=1.9, vmin=-0.15, vmax=1, cmap="Blues")
plots.show(
    figure,
    alt="Five squares, rows are queries: the causal triangle, the triangle cut off at four and at two keys, and the weights in them.",
    alt_zh="五个方阵，每行一个查询：因果三角形，三角形在第 4 个和第 2 个键处截断，以及相应的权重。",
)

# %% [markdown] lang="en"
# In the squares each row is a query, each column a key. Only $-\infty$ before the softmax is tight. Setting the weights to 0 *after* the softmax looks harmless, but the hidden score stays in
# the denominator, so the remaining weights still change with it. A score of 0 still gets a share ($e^0 = 1$), and so does $-1$. The mask
# that was transposed by mistake hides the past and shows the future.
#
# For a query with nothing to see, our reference returns 0, and `keras.ops.dot_product_attention` returns the mean of **all** values, the
# forbidden ones included. Neither is an answer: leave such rows out of the loss.
#
# ## Three projections, several heads, and cross attention
#
# So far the queries, keys and values were given. In a Transformer each is computed from the same word vectors $x_j$ by its own learned
# matrix: $q_i = x_i W^Q$, $k_j = x_j W^K$, $v_j = x_j W^V$. Why three? What a word *looks for*, what it can *be found by* and what it
# *hands over* are different things. In "the dog barked because it was hungry", *it* looks for a noun, *dog* offers to be found as one,
# and hands over what is known about the dog. With one matrix for all, every word would fit itself best. By hand, with $d = 2$: let
# the query of *it* be $(2, 0)$, the key of *dog* $(2, 0)$ and of *barked* $(0, 2)$. The scores are $4/\sqrt 2$ and $0$, so *dog*
# weighs $e^{2.8} \approx 17$ times as much as *barked*, and *it* receives nearly the value of *dog*.
#
# **Multi-head attention** does this $H$ times side by side, each time with its own three projections to a few numbers, so that one head may
# look for a noun and another for the word before:
#
# $$ Y = b^O + \sum_{h=1}^{H} \mathrm{attention}\big(X_q W^Q_h + b^Q_h,\; X_k W^K_h + b^K_h,\; X_v W^V_h + b^V_h\big)\, W^O_h $$
#
# With $H$ heads of size $d/H$ (from here on, $d$ is the width of the whole layer) there are $4(d^2 + d)$ parameters for any $H$. More
# heads cost no parameters, but they do keep $H$ matrices of weights instead of one. If $X_q$ comes from one sequence and $X_k = X_v$ from
# another, this is **cross attention**: a decoder asks what the encoder has read. Below, four words ask six with two heads, forward and then
# backward.

# %% [markdown] lang="zh" of="833c2c24"
# 方阵里每行是一个查询，每列是一个键。只有在 softmax 之前换成 $-\infty$ 才不泄漏。在 softmax **之后**把权重置 0 看似无害，可是被藏起来的分数仍留在分母里，别的权重照样随它变化。
# 分数置 0 也不行，$e^0 = 1$，仍占一份；换成 $-1$ 同样如此。误转置了的掩码，藏起来的是过去，露出来的是未来。
#
# 查询什么也看不到时，我们的参考实现给出 0，`keras.ops.dot_product_attention` 给出的却是**所有**值的平均，连禁止看的也算在内。
# 两者都算不上答案，计算损失时应当把这样的行排除在外。
#
# ## 三个投影，多个头，以及交叉注意力
#
# 前面的查询、键和值都是现成的。在 Transformer 里，三者都由同一批词向量 $x_j$ 算出，各用一个学来的矩阵（称为投影，projection）：
# $q_i = x_i W^Q$，$k_j = x_j W^K$，$v_j = x_j W^V$。为什么要三个？因为一个词要找什么、凭什么被找到、找到之后交出什么，是三件不同的事。
# 比如 “the dog barked because it was hungry”（狗叫了，因为它饿了）：it 要找一个名词，dog 亮出名词的身份等着被找到，交出去的则是关于这条狗的内容。
# 如果三者共用一个矩阵，每个词往往就与自己最合拍了。取 $d = 2$ 手算一遍：设 it 的查询是 $(2, 0)$，dog 的键是 $(2, 0)$，barked 的键是 $(0, 2)$。
# 分数分别是 $4/\sqrt 2$ 和 $0$，dog 的权重是 barked 的 $e^{2.8} \approx 17$ 倍，it 拿到的几乎就是 dog 的值。
#
# **多头注意力**（multi-head attention）把这件事并排做 $H$ 遍，每个头（head）都有自己的三个投影，先把输入变成少数几个数：
# 这个头可以找名词，那个头可以找前一个词。最后把各头所得加起来：
#
# $$ Y = b^O + \sum_{h=1}^{H} \mathrm{attention}\big(X_q W^Q_h + b^Q_h,\; X_k W^K_h + b^K_h,\; X_v W^V_h + b^V_h\big)\, W^O_h $$
#
# $H$ 个头、每头大小为 $d/H$ 时（从这里起，$d$ 指整层的宽度），参数量是 $4(d^2 + d)$，与 $H$ 无关。多几个头不多花参数，
# 不过要存的权重矩阵从一个变成了 $H$ 个。$X_q$ 来自一个序列、$X_k = X_v$ 来自另一个序列时，称为**交叉注意力**（cross attention）：
# 解码器向编码器打听它读到了什么。下面由四个词向六个词提问，用两个头，先算前向，再算反向。

# %%
asking, asked = random.normal(size=(1, 4, 32)), random.normal(size=(1, 6, 32))  # (batch, time, features)
layer = keras.layers.MultiHeadAttention(num_heads=2, key_dim=16, dtype="float64")
layer.build(asking.shape, asked.shape)
layer.set_weights([random.normal(scale=0.3, size=array.shape) for array in layer.get_weights()])
W_query, b_query, W_key, b_key, W_value, b_value, W_output, b_output = layer.get_weights()

by_loop = b_output.copy()
for head in range(2):
    head_output, _ = attention_loop(
        asking[0] @ W_query[:, head] + b_query[head],
        asked[0] @ W_key[:, head] + b_key[head],
        asked[0] @ W_value[:, head] + b_value[head],
    )
    by_loop = by_loop + head_output @ W_output[head]
by_reference, weights = attention.multi_head_attention(asking, asked, asked, *layer.get_weights())
proofs.equal({"loop over heads": by_loop, "reference": by_reference[0], "Keras": layer(asking, asked)[0]})
print("weights · 权重:", weights.shape, "  parameters · 参数:", layer.count_params(), "= 4 (32² + 32)")

# %%
tensors = [tf.constant(asking), tf.constant(asked), tf.constant(asked)]
upstream = random.normal(size=by_reference.shape)
with tf.GradientTape() as tape:
    tape.watch(tensors)
    loss = tf.reduce_sum(upstream * layer(tensors[0], tensors[2], tensors[1]))  # Keras: query, value, key
taped = tape.gradient(loss, [*tensors, *(weight.value for weight in layer.weights)])
by_hand = attention.multi_head_attention_backward(upstream, asking, asked, asked, *layer.get_weights())
proofs.equal({
    "11 gradients, backward": np.concatenate([gradient.ravel() for gradient in by_hand]),
    "GradientTape": np.concatenate([np.ravel(gradient) for gradient in taped]),
})

# %% [markdown] lang="en"
# The loop over heads, the reference and Keras agree, and so do all eleven gradients. The weights have the shape (batch, heads, 4, 6): not
# square, since four words ask six.
#
# ## Position: three ways to say where
#
# Nothing so far knows which word comes first: a sum does not depend on the order of its terms. So the position has to be brought in, as
# a **positional encoding**. With $x_t$ the vector of the word at position $t$:
#
# - **Sinusoidal** ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)): *add* to $x_t$ a fixed vector $P_t$, like the hands of
#   clocks that run at different speeds. $P_{t,2i} = \sin t\omega_i$, $P_{t,2i+1} = \cos t\omega_i$, $\omega_i = 10000^{-2i/d}$.
# - **Learned**: *add* row $t$ of a table of weights. Where the table ends, it has nothing to say about position.
# - **Rotary**, or RoPE ([Su et al. 2021](https://arxiv.org/abs/2104.09864)): add nothing; *rotate* each pair of numbers in every query
#   and key by the angle $t\omega_i$.
#
# Keras has a layer for the learned table, `Embedding`. For the other two it has none (its sister library KerasHub has both), so we check what they
# were made for. Moving by $k$ steps rotates every hand by $k\omega_i$, wherever it starts: $P_{t+k} = R_k P_t$. Rotating two vectors by the same
# angle does not change their dot product, so $P_s \cdot P_t$, and the score of a rotated $q$ and $k$, depend on the distance $t - s$ alone.

# %% [markdown] lang="zh" of="a0e40ada"
# 按头循环、参考实现、Keras 三者一致，全部十一个梯度也一致。权重的形状是（批量，头，4，6），不是方的，因为是四个词向六个词提问。
#
# ## 位置：说明“在哪里”的三种办法
#
# 到目前为止，没有任何部件知道哪个词在前：求和与次序无关。所以位置要另外带进来，称为**位置编码**（positional encoding）。
# 记位置 $t$ 上的词向量为 $x_t$：
#
# - **正弦**（sinusoidal，[Vaswani 等，2017](https://arxiv.org/abs/1706.03762)）：给 $x_t$ **加上**一个固定的向量 $P_t$，好比一排快慢不同的钟表指针。
#   $P_{t,2i} = \sin t\omega_i$，$P_{t,2i+1} = \cos t\omega_i$，$\omega_i = 10000^{-2i/d}$。
# - **可学习**（learned）：**加上**权重表的第 $t$ 行。表到哪里为止，它对位置的了解就到哪里为止。
# - **旋转**（rotary，即 RoPE，[Su 等，2021](https://arxiv.org/abs/2104.09864)）：什么也不加，而是把每个查询和键的每一对数**旋转** $t\omega_i$ 的角度。
#
# 可学习的表，Keras 里就是 `Embedding`；另外两种 Keras 没有现成的层（姊妹库 KerasHub 里都有），我们就直接验证它们达到了设计目标。
# 往后走 $k$ 步，不论从哪里出发，每根指针都转过 $k\omega_i$：$P_{t+k} = R_k P_t$。两个向量转过同样的角度，点积不变，
# 所以 $P_s \cdot P_t$ 只取决于距离 $t - s$，旋转之后 $q$ 与 $k$ 的分数也是如此。

# %%
length, size, shift = 48, 32, 5
table = attention.sinusoidal_positions(length, size)  # (48, 32)
formula = [[(np.cos if i % 2 else np.sin)(t / 10000 ** (2 * (i // 2) / size)) for i in range(size)] for t in range(length)]
proofs.equal({"reference": table, "formula": formula})

turn = np.zeros((size, size))  # R: one 2 × 2 rotation for each pair
for i in range(0, size, 2):
    angle = shift * 10000 ** (-i / size)
    turn[i : i + 2, i : i + 2] = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
proofs.equal({"P(t + 5), every t": table[shift:], "R₅ P(t)": table[:-shift] @ turn.T})

one_query, one_key = random.normal(size=size), random.normal(size=size)
rotary_scores = attention.rotary(np.tile(one_query, (length, 1))) @ attention.rotary(np.tile(one_key, (length, 1))).T
learned = random.normal(size=(length, size))  # as a table of weights begins
rows = keras.layers.Embedding(length, size, dtype="float64")
rows.build()
rows.set_weights([learned])
proofs.equal({"learned: row t of the table": learned, "keras.layers.Embedding": rows(np.arange(length))})
gram = {"sinusoidal": table @ table.T, "rotary": rotary_scores, "learned, at the start": learned @ learned.T}
for name, scores in gram.items():
    same = all(np.ptp(np.diagonal(scores, offset)) < 1e-9 for offset in range(1 - length, length))
    print(f"{name:22} the distance alone decides · 只取决于距离: {same}")

# %% tags=["plot"]
figure, axes = plt.subplots(1, 4, figsize=(13, 3.7))
axes[0].imshow(np.hstack([table[:, ::2], table[:, 1::2]]), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
axes[0].set(title="sinusoidal table,\nsines, then cosines", xlabel="frequency, high to low, twice", xticks=[], ylabel="position t")
for axis, (name, scores) in zip(axes[1:], gram.items(), strict=True):
    largest = np.abs(scores).max()
    axis.imshow(scores, cmap="RdBu_r", vmin=-largest, vmax=largest)
    axis.set(title=f"dot products,\n{name}", xlabel="position t", ylabel="position s")
for axis in axes:
    axis.grid(visible=False)
plots.show(
    figure,
    alt="The table, sines and cosines: columns swing fast at the left of each half, slowly at its right. Dot products of positions: stripes along "
    "the diagonal for sinusoidal and rotary, a bright diagonal in noise for the learned table.",
    alt_zh="位置表，先正弦后余弦：每一半左边的列摆动快，右边的列摆动慢。各位置之间的点积：正弦和旋转都是沿对角线的条纹，可学习的表则是噪声中的一条亮对角线。",
)

# %% [markdown] lang="en"
# Stripes along the diagonal mean that only the distance counts. The sinusoidal stripes are symmetric: this dot product cannot tell *before*
# from *after*. (Between $P_s$ and $P_t$ the model puts $W^Q$ and $W^K$, two different matrices, and these can.) The rotary stripes are not
# symmetric. The learned table starts as noise: what it knows about position, it has to learn.
#
# ## The block: attention, dense layers, normalisation
#
# A Transformer is a stack of equal **blocks**. Attention moves information *between* positions; then two dense layers, the
# **feed-forward** part, work on what has arrived *at* each position, the same two for all of them, in between two to four times as wide as
# the block. **Residual connections** add each part's output to its input. **Layer normalisation** sets each position's vector to mean 0 and
# variance 1, then scales and shifts it: $\gamma\,(x - \mu)/\sqrt{\sigma^2 + \epsilon} + \beta$. It can stand after the sum (*post*, as in 2017) or
# in front of the part (*pre*):
#
# ```
# post:  x ──┬── part ──(+)── norm ──►        pre:  x ──┬── norm ── part ──(+)──►
#            └───────────┘                              └───────────────────┘
#
# encoder block:   self-attention → feed-forward
# decoder block:   self-attention with a causal mask → cross attention to the encoder → feed-forward
# whole model:     embedding + position → N blocks → (in pre: one last norm) → dense layer for the scores
# ```
#
# The first cell is the whole block in NumPy, with a loop over its two parts; `course_utils.models.transformer.Block` is the same
# in Keras layers. The second cell compares them.

# %% [markdown] lang="zh" of="9744c447"
# 沿对角线的条纹说明只有距离起作用。正弦的条纹是对称的：单凭这个点积分不清**前**和**后**。（模型在 $P_s$ 与 $P_t$ 之间还隔着 $W^Q$ 和 $W^K$，
# 它们是两个不同的矩阵，这才分得清。）旋转的条纹不对称。可学习的表起初只是噪声，关于位置的一切都要靠学。
#
# ## Transformer 块：注意力、全连接层、归一化
#
# Transformer 由许多相同的**块**（block）堆叠而成。注意力在各个位置**之间**传递信息；随后是两层全连接，称为**前馈网络**（feed-forward），
# 它在每个位置上各自加工收到的信息，所有位置共用同样的两层，中间一层的宽度是块的两到四倍。**残差连接**（residual connection）把每个部件的输出加回它的输入。
# **层归一化**（layer normalisation）把每个位置的向量变成均值 0、方差 1，再缩放、平移：$\gamma\,(x - \mu)/\sqrt{\sigma^2 + \epsilon} + \beta$。
# 它可以放在相加之后（后置，post，2017 年的做法），也可以放在部件之前（前置，pre）：
#
# ```
# 后置:  x ──┬── 部件 ──(+)── 归一化 ──►      前置:  x ──┬── 归一化 ── 部件 ──(+)──►
#            └───────────┘                               └─────────────────────┘
#
# 编码器块:   自注意力 → 前馈
# 解码器块:   带因果掩码的自注意力 → 对编码器的交叉注意力 → 前馈
# 整个模型:   嵌入 + 位置 → N 个块 →（前置时：最后再归一化一次）→ 输出得分的全连接层
# ```
#
# 第一个单元格用 NumPy 写出整个块，对它的两个部件各做一遍；`course_utils.models.transformer.Block` 是用 Keras 层写的同一个块。
# 第二个单元格比较两者。

# %%
def block_numpy(x, block, mask):
    """One Transformer block: x (batch, time, size), the weights of a Keras block, a mask -> the shape of x."""
    def attend(y):
        return attention.multi_head_attention(y, y, y, *block.attention.get_weights(), mask=mask)[0]

    def dense(y):
        (W_1, b_1), (W_2, b_2) = block.expand.get_weights(), block.contract.get_weights()
        return activations.gelu(y @ W_1 + b_1) @ W_2 + b_2

    for part, norm in [(attend, block.attention_norm), (dense, block.dense_norm)]:
        gamma, beta = norm.get_weights()
        if block.normalise_first:
            x = x + part(normalization.layer_norm(x, gamma, beta, norm.epsilon))
        else:
            x = normalization.layer_norm(x + part(x), gamma, beta, norm.epsilon)
    return x

# %%
x = random.normal(size=(2, 6, 32))
real = np.array([[True] * 6, [True] * 4 + [False] * 2])  # the second sequence has four tokens
keras.config.set_dtype_policy("float64")  # for the layers inside the block too
for first, causal_too in [(True, False), (True, True), (False, True)]:
    block = transformer.Block(32, heads=2, hidden=128, normalise_first=first, causal=causal_too)
    block.build(x.shape)
    block.set_weights([array + random.normal(scale=0.2, size=array.shape) for array in block.get_weights()])
    mask = real[:, None, None] & (attention.causal_mask(6) if causal_too else True)  # (2, 1, 6 or 1, 6)
    proofs.equal({
        f"NumPy, {'pre' if first else 'post'}{', causal' if causal_too else ''}": block_numpy(x, block, mask),
        "Keras": block(x, real),
    })
keras.config.set_dtype_policy("float32")
share = (block.expand.count_params() + block.contract.count_params()) / block.count_params()
print(f"parameters · 参数: {block.count_params():,} = {flops.transformer_block(32, 128):,}, feed-forward · 前馈: {share:.0%}")

# %% [markdown] lang="en" tags=["predict"]
# NumPy and Keras agree, pre and post, with and without a causal mask, and two thirds of the weights are feed-forward.
#
# ### Pre or post: the gradient through depth
#
# In *pre*, the input runs through the whole stack untouched: $x_N = x_0 + \text{all parts}$, and the gradient finds the same straight way
# back. One normalisation at the very end brings the sum back to size 1. In *post*, every block squeezes the sum through a normalisation once
# more. Does it matter? We build stacks of 1 to 32 fresh blocks, send back the same random gradient, and measure how large it is when it
# arrives at the weights of the *first* block and of the *last*.
#
# **Predict:** in which stack, and at which end, does the size depend on the depth?

# %% [markdown] lang="zh" of="00c76c49" tags=["predict"]
# 前置或后置，加不加因果掩码，NumPy 与 Keras 的结果都一致；三分之二的权重在前馈网络里。
#
# ### 前置还是后置：梯度穿过多层之后
#
# 前置时，输入原封不动地穿过整个网络：$x_N = x_0 + \text{所有部件的输出}$，梯度也沿着同一条直路返回；最末尾再做一次归一化，把总和拉回到大小 1。
# 后置时，每过一个块，和都要再被归一化挤一次。有多大影响？堆 1 到 32 个刚初始化的块，传回同一个随机梯度，
# 测它到达**第一个**块和**最后一个**块的权重时各有多大。
#
# **先猜：** 哪一种堆法、哪一头的梯度会随深度变化？

# %% tags=["nbval-ignore-output"]
depths = choose(smoke=[1, 2, 4], laptop=[1, 2, 4, 8, 16, 32], full=[1, 2, 4, 8, 16, 32, 64])
x, upstream = tf.random.stateless_normal((2, 4, 12, 64), [SEED, 1])  # a batch of 4 sequences, and a gradient for them
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
bands = [choose(smoke=(-0.353, -0.256), laptop=(-0.489, -0.428), full=(-0.6, -0.3)), choose(smoke=(-0.063, 0.035), laptop=(-0.061, 0.047), full=(-0.2, 0.2))]
for axis, name, band in zip(axes, ["pre", "post"], bands, strict=True):
    keras.utils.set_random_seed(SEED)
    blocks = [transformer.Block(64, heads=4, hidden=256, normalise_first=name == "pre") for _ in range(depths[-1])]
    sizes = []
    for depth in depths:
        with tf.GradientTape() as tape:
            output = x
            for block in blocks[:depth]:
                output = block(output)
            output = keras.layers.LayerNormalization()(output) if name == "pre" else output
        ends = [blocks[place].expand.kernel.value for place in (0, depth - 1)]
        sizes.append([float(tf.norm(gradient)) for gradient in tape.gradient(output, ends, output_gradients=upstream)])
    axis.loglog(depths, np.array(sizes)[:, 0], "o-", depths, np.array(sizes)[:, 1], "s--")
    axis.set(xlabel="blocks in the stack", title=f"{name}: size of the weights' gradient", xticks=depths, xticklabels=depths,
             yticks=[50, 100, 200, 400, 800], yticklabels=[50, 100, 200, 400, 800])
    axis.minorticks_off()
    exponent = np.polyfit(np.log(depths), np.log(np.array(sizes)[:, 1]), 1)[0]
    results.record(f"{name}.last_block_gradient_exponent", exponent, band=band, digits=2)
axes[0].legend(["at the first block", "at the last block"], loc="lower left")
plots.show(figure, alt="Against the number of blocks. Pre: level at the first block, falling steadily at the last. Post: no such fall.",
    alt_zh="随块数的变化。前置：第一个块处基本持平，最后一个块处稳步下降。后置：没有这样的下降。")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** At the first block, both stay about the same at every depth: the vanishing gradient that everybody suspects is not here. Only
# the last block of *pre* changes. The final normalisation divides by a sum that has grown with every block, so the gradient there shrinks
# with the exponent {{pre.last_block_gradient_exponent:.2f}} ({{seeds:pre.last_block_gradient_exponent:.2f}} over three seeds); in *post*
# the exponent is {{post.last_block_gradient_exponent:.2f}}. [Xiong et al. (2020)](https://arxiv.org/abs/2002.04745) derive −½ and 0.
#
# They also trained both: *post* needed a warm-up, *pre* did not. Their explanation is the large gradient at the top of a post stack: a full
# first step there changes the output a lot, before the blocks below have learned anything. We have measured the gradients only; the training
# runs are theirs.
#
# ## Experiment: how many syllables?
#
# *Tide* has one syllable, *edit* two, *diet* two, *tied* one: four words, the same four letters. Counting syllables in English
# spelling needs the order of the letters, also of letters far apart (the silent *e* at the end). The data are real: every word of
# 3 to 12 letters in the CMU Pronouncing Dictionary with one agreed count of 1 to 5. Set aside before training: 4,000 random words, and
# **all** words that have an anagram with a different count.
#
# The *baselines*: always the most common count; the rule of thumb "count groups of vowels, leave out a silent e"; a perceptron on the **bag** of
# letters. The *ablation*: the same two-block encoder, with only the source of order changed: none, sinusoidal, learned, rotary, and none but with a
# causal mask. All have the same learning rate and number of steps. A model that is blind to order must give all anagrams the same answer, so its
# accuracy on them has a ceiling, which the first cell counts. Who will break through it?

# %% [markdown] lang="zh" of="44a27c27" tags=["answer"]
# **答案。** 在第一个块处，不论多深，两种堆法的梯度都差不多大：人人都怀疑的“梯度消失”，这里并没有出现。只有前置的**最后一个**块在变。
# 末尾的归一化要除以一个随块数越积越大的和，所以那里的梯度不断缩小，指数为 {{pre.last_block_gradient_exponent:.2f}}（三个种子：
# {{seeds:pre.last_block_gradient_exponent:.2f}}）；后置的指数是 {{post.last_block_gradient_exponent:.2f}}。
# [Xiong 等（2020）](https://arxiv.org/abs/2002.04745) 从理论上推出的是 −½ 和 0。
#
# 他们还把两种都训练了：后置必须先预热（warm-up，用很小的学习率起步），前置不必。他们的解释是，后置的网络顶端梯度很大，第一步若迈得太足，
# 下面的块什么都还没学到，输出就已大变。我们只测了梯度，训练的结论来自他们。
#
# ## 实验：有几个音节？
#
# tide 一个音节，edit 两个，diet 两个，tied 一个：四个词，用的是同样四个字母。看拼写数英语音节，既要知道字母的次序，
# 又要看到相隔很远的字母（词尾不发音的 e）。数据是真实的：CMU 发音词典里 3 到 12 个字母、音节数没有分歧且为 1 到 5 的全部单词。
# 训练之前先留出两组：随机 4,000 个词，以及凡是存在字母异位词（anagram，字母相同、次序不同）而音节数又不同的**所有**词。
#
# **基线：** 总猜最常见的音节数；经验规则“数元音字母组，去掉不发音的 e”；只看字母**袋**（bag）的感知机。**消融：** 同样的两块编码器，只改变次序从哪里来：
# 完全没有（none）；正弦（sinusoidal）；可学习（learned）；旋转（rotary）；没有位置编码、但加上因果掩码（causal mask）。学习率和步数都相同。
# 看不见次序的模型对字母异位词只能给出同一个答案，所以准确率有一个上限，第一个单元格把它数了出来。谁能突破上限？

# %%
LONGEST, syllables, groups = 12, {}, {}
for word, ways in datasets.cmudict().words.items():
    counts = {sum(sound[-1].isdigit() for sound in way) for way in ways}  # a vowel ends in its stress, a digit
    if re.fullmatch(f"[a-z]{{3,{LONGEST}}}", word) and counts < {1, 2, 3, 4, 5} and len(counts) == 1:
        syllables[word] = counts.pop()
        groups.setdefault("".join(sorted(word)), []).append(word)
disputed = [group for group in groups.values() if len({syllables[word] for word in group}) > 1]
anagrams = sorted(word for group in disputed for word in group)
others = np.array(sorted(set(syllables) - set(anagrams)))[np.random.default_rng(0).permutation(len(syllables) - len(anagrams))]


def encode(words):
    """Words -> whole numbers (count, 12): a = 1 … z = 26, 0 after the end."""
    return np.array([[ord(letter) - 96 for letter in word] + [0] * (LONGEST - len(word)) for word in words])


def labels(words):
    return np.array([syllables[word] - 1 for word in words])


family = [*groups["".join(sorted("tide"))], *groups["".join(sorted("untied"))]]
ceiling = sum(np.bincount(labels(group)).max() for group in disputed) / len(anagrams)  # each group's commonest count
print(f"words · 词: {len(syllables):,}, anagrams that disagree · 音节数不同的同字母异序词: {len(anagrams):,}")
print(f"best without order · 不知次序者的上限: {ceiling:.4f}  ", {word: syllables[word] for word in family})

# %%
def rotate(x):
    """`attention.rotary` in Keras: (batch, time, heads, size)."""
    frequencies = 10000.0 ** (-np.arange(0, x.shape[3], 2) / x.shape[3])
    angles = np.arange(x.shape[1])[:, None, None] * frequencies  # (time, 1, size / 2)
    cosine, sine = np.cos(angles).astype("float32"), np.sin(angles).astype("float32")
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = keras.ops.stack([even * cosine - odd * sine, even * sine + odd * cosine], axis=-1)
    return keras.ops.reshape(turned, (-1, *x.shape[1:]))


class RotaryAttention(keras.layers.MultiHeadAttention):
    """Turns queries and keys before they meet."""

    def _compute_attention(self, query, key, value, *arguments, **settings):
        return super()._compute_attention(rotate(query), rotate(key), value, *arguments, **settings)


example = random.normal(size=(2, 3, 7, 8)).astype("float32")  # (batch, heads, time, size)
proofs.equal({"reference": attention.rotary(example), "in Keras": np.swapaxes(rotate(np.swapaxes(example, 1, 2)), 1, 2)})

# %%
def syllable_counter(order):
    """Letters (12) -> scores of 1 … 5 syllables; `order` says how the encoder learns what stands where."""
    letters = keras.Input((LONGEST,), dtype="int32")
    real = keras.ops.not_equal(letters, 0)
    if order == "bag":
        x = keras.ops.sum(keras.ops.one_hot(letters, 27)[..., 1:], axis=1)  # (batch, 26): how often each letter
        x = keras.layers.Dense(128, activation="relu")(keras.layers.Dense(128, activation="relu")(x))
        return keras.Model(letters, keras.layers.Dense(5)(x))
    positions = order if order in ("sinusoidal", "learned") else "none"
    x = transformer.TokensAndPositions(27, LONGEST, 32, positions)(letters)  # (batch, 12, 32)
    for number in (1, 2):
        block = transformer.Block(
            32, heads=2, hidden=64, causal=order == "causal mask", activation="relu", name=f"block_{number}")
        if order == "rotary":
            block.attention = RotaryAttention(2, 16, name="attention")
        x = block(x, real)
    x = keras.layers.LayerNormalization(name="last")(x)
    x = keras.layers.GlobalAveragePooling1D(name="mean")(x, mask=real)  # over the real letters: (batch, 32)
    return keras.Model(letters, keras.layers.Dense(5, name="scores")(x))


for order in ["bag", "none", "sinusoidal", "learned", "rotary", "causal mask"]:
    print(f"{order:12} {syllable_counter(order).count_params():7,} parameters · 参数")
keras.utils.clear_session()

# %% tags=["nbval-ignore-output"]
count, epochs = choose(smoke=2_000, laptop=24_000, full=90_000), choose(smoke=1, laptop=3, full=10)
test_words, train_words = others[:4_000], others[4_000 : 4_000 + count]
bands = choose(  # on test words, on anagrams; smoke: wide, it has to learn and no more
    smoke={"none": [(0.4, 0.6), (0.3, 0.607)], "learned": [(0.6, 0.75), (0.5, 0.7)]},
    laptop={
        "bag": [(0.78, 0.804), (0.54, 0.607)], "none": [(0.607, 0.723), (0.484, 0.506)],
        "sinusoidal": [(0.813, 0.884), (0.674, 0.847)], "learned": [(0.865, 0.901), (0.828, 0.851)],
        "rotary": [(0.86, 0.881), (0.745, 0.913)], "causal mask": [(0.732, 0.811), (0.665, 0.732)]},
    full={
        "bag": [(0.5, 0.9), (0.4, 0.607)], "none": [(0.5, 0.9), (0.4, 0.607)], "sinusoidal": [(0.85, 1), (0.8, 1)],
        "learned": [(0.85, 1), (0.8, 1)], "rotary": [(0.85, 1), (0.8, 1)], "causal mask": [(0.75, 1), (0.65, 1)]})
reached, models = {}, {}
for order, (band, anagram_band) in bands.items():
    keras.utils.clear_session()
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        model = syllable_counter(order)
        rate = training.OneCycle(0.005, steps=epochs * -(-count // 64))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss, steps_per_execution=choose(smoke=1, laptop=8, full=8))
    training.fit(model, encode(train_words), labels(train_words), name=order, epochs=epochs, batch_size=64)
    reached[order] = [training.accuracy(model, encode(words), labels(words)) for words in (test_words, anagrams)]
    results.record(f"{order}.test_accuracy".replace(" ", "_"), reached[order][0], band=band)
    results.record(f"{order}.anagram_accuracy".replace(" ", "_"), reached[order][1], band=anagram_band)
    models[order], model = model if order in ("none", "learned") else None, None  # two are asked again below

# %% tags=["nbval-ignore-output"]
def rule_of_thumb(word):
    """Groups of vowels, without a silent e at the end."""
    count = len(re.findall("[aeiouy]+", word))
    return min(max(count - (count > 1 and word.endswith("e") and not word.endswith("le")), 1), 5)


commonest = np.bincount(labels(train_words)).argmax()
for name, guess in [("commonest count", lambda word: commonest + 1), ("rule of thumb", rule_of_thumb)]:
    reached[name] = [np.mean([guess(word) == syllables[word] for word in words]) for words in (test_words, anagrams)]
figure, axis = plt.subplots(figsize=(8, 4.2))
shown = ["commonest count", "rule of thumb", *bands]
for place, name in enumerate(shown):
    for part, (key, color, marker) in enumerate([("test", plots.COLORS[0], "o"), ("anagram", plots.COLORS[1], "s")]):
        stored = results.spread("07", f"{name.replace(' ', '_')}.{key}_accuracy") if profiles.name() == "laptop" else None
        if stored:
            axis.plot([stored["lowest"], stored["highest"]], [place] * 2, color="0.75", linewidth=8, zorder=1)
        label = ["random test words", "anagrams that disagree"][part] if place == 0 else None
        axis.plot(reached[name][part], place, marker, color=color, markersize=8, label=label)
axis.axvline(ceiling, color="0.4", linewidth=1, linestyle=":", label="ceiling on anagrams without order")
axis.set(yticks=range(len(shown)), yticklabels=shown, xlabel="accuracy", xlim=(0, 1), title="Counting syllables from spelling")
axis.invert_yaxis()
axis.legend(loc="upper center", bbox_to_anchor=(0.45, -0.15), ncols=3)
plots.show(
    figure, alt="Accuracy of two rules and six networks, on random words and on anagrams, beside the anagrams' ceiling.",
    alt_zh="两条规则和六个网络在随机词与同字母异序词上的准确率，虚线是看不见次序者在后者上的上限。")

# %% [markdown] lang="en"
# (Grey bars: lowest to highest of three stored seeds.) The dotted line is the ceiling, and the two that are blind to order stay below it: the bag reaches
# {{bag.anagram_accuracy:.1%}} on the anagrams, the encoder without positions {{none.anagram_accuracy:.1%}}, no better than always giving the
# most common count. All three encodings break through, and so does the causal mask alone, with
# {{causal_mask.anagram_accuracy:.1%}}; the clinic below says why.
#
# On random words the blind ones look respectable, since *which* letters a word has says much about its syllables. The bag is ahead
# ({{bag.test_accuracy:.1%}} against {{none.test_accuracy:.1%}}) because it knows *how many* of each letter there are, while an average
# knows shares only. And the rule of thumb, one sentence long, is level with the sinusoidal network; learned and rotary positions are ahead of it.
#
# Do not rank the encodings by this figure. Over three seeds, learned and rotary overlap on the anagrams
# ({{seeds:learned.anagram_accuracy:.1%}} and {{seeds:rotary.anagram_accuracy:.1%}}), no learning rate was tuned for each, and in the longer full run
# the order reverses: sinusoidal {{full:sinusoidal.anagram_accuracy:.1%}}, rotary {{full:rotary.anagram_accuracy:.1%}}, learned
# {{full:learned.anagram_accuracy:.1%}}.
#
# Where does the network look? In the next figure each row asks and each column is looked at, one panel per head (positions learned). The
# two words have the same letters.

# %% [markdown] lang="zh" of="84f74d96"
# （灰条是保存的三个种子的最低到最高。）虚线是上限，看不见次序的两个都在它之下：在字母异位词上，字母袋是 {{bag.anagram_accuracy:.1%}}，没有位置信息的编码器是
# {{none.anagram_accuracy:.1%}}，不比总猜最常见的音节数强。三种位置编码都突破了上限；只加因果掩码也突破了，为
# {{causal_mask.anagram_accuracy:.1%}}，原因见后面的公式门诊。
#
# 在随机词上，看不见次序的两个似乎还过得去，因为一个词有**哪些**字母，已经透露了不少音节的消息。字母袋更胜一筹（{{bag.test_accuracy:.1%}} 对
# {{none.test_accuracy:.1%}}），因为它知道每个字母有**几个**，而取平均只知道比例。至于那条一句话的经验规则，与正弦编码的网络打平，落后于可学习和旋转两种。
#
# 不要凭这幅图给三种编码排名次。三个种子下，可学习与旋转在字母异位词上的范围有重叠（{{seeds:learned.anagram_accuracy:.1%}} 与
# {{seeds:rotary.anagram_accuracy:.1%}}），学习率也没有分别调过；而在训练更久的 full 配置里，名次正好倒了过来：正弦
# {{full:sinusoidal.anagram_accuracy:.1%}}，旋转 {{full:rotary.anagram_accuracy:.1%}}，可学习 {{full:learned.anagram_accuracy:.1%}}。
#
# 网络在看哪里？下图中每行是提问的字母，每列是被看的字母，每幅小图是一个头（用的是可学习的位置编码）。两个词的字母完全相同。

# %% tags=["nbval-ignore-output"]
reader, pair = models["learned"], ["untied", "united"]
letters, maps = encode(pair), []
for number in (1, 2):
    block = reader.get_layer(f"block_{number}")
    arriving = keras.Model(reader.input, keras.tree.flatten(block.input)[0])(letters)  # (2, 12, 32)
    maps.extend(np.moveaxis(block.attention_weights(arriving, letters != 0)[0], 1, 0))  # (heads 2, words 2, 12, 12)
said = [np.argmax(scores) + 1 for scores in reader(letters).numpy()]
figure, axes = plt.subplots(2, 4, figsize=(10, 5.4))
for row, word in enumerate(pair):
    for place, axis in enumerate(axes[row]):
        axis.imshow(maps[place][row, : len(word), : len(word)], cmap="Blues", vmin=0, vmax=1)
        axis.set(xticks=range(len(word)), xticklabels=list(word), yticks=range(len(word)), yticklabels=list(word))
        axis.set_title(f"{word}: block {place // 2 + 1}, head {place % 2 + 1}")
        axis.grid(visible=False)
    axes[row, 0].set_ylabel(f"answer: {said[row]} (right: {syllables[word]})")
plots.show(
    figure,
    alt="Attention weights of two heads in two blocks between the letters of untied and united: each head has its own pattern, and the patterns of the words differ.",
    alt_zh="两个块、各两个头在 untied 和 united 各字母之间的注意力权重：每个头各有模式，两个词的模式也不同。",
)

# %% [markdown] lang="en"
# Look at one panel, block 2, head 1. In *untied* nearly every row looks at *t* and *i*; in *united* most rows look at the first *u*. Same
# letters, different order, different pattern: that is what the positions bring in. A warning, too: the network gets *united* wrong
# (it has three syllables), and nothing in the maps says so. Weights show where a head looked, not why the answer came out as it did
# (chapter 8c).
#
# ## Formula clinic: "positional encoding lets the model learn order by itself"
#
# A second saying often goes with it: "a Transformer consists of self-attention and positional encoding". This one leaves out the
# feed-forward part with two thirds of the weights, the residuals and the normalisation. The first one mixes up two things. Let $\Pi$ be a
# permutation matrix:
#
# $$ \mathrm{softmax}\!\Big(\tfrac{\Pi Q K^\top \Pi^\top}{\sqrt d}\Big)\,\Pi V = \Pi\;\mathrm{softmax}\!\Big(\tfrac{QK^\top}{\sqrt d}\Big)\,V $$
#
# Without a mask, attention is **permutation-equivariant**: shuffle the words, and you get the same answers back, shuffled. This holds for all
# weights, so no training can change it. The encoding does not learn order: it *gives* order (the sinusoidal one has nothing to learn), and the
# weights learn what to do with it.
#
# To such an encoder even *do* and *dodo* are one word. Doubling every letter doubles each term in the numerator and in the denominator of every softmax, so
# each *d* and each *o* gets the same answer as before, and the mean over four of them is the mean over two. A **causal mask** breaks the symmetry: the
# third word sees three words, the fifth sees five. Decoders can tell order from that alone
# ([Haviv et al. 2022](https://arxiv.org/abs/2203.16634)).

# %% [markdown] lang="zh" of="dbbad2cb"
# 只看一幅：第 2 块第 1 个头（block 2, head 1）。untied 里，几乎每一行都看向 t 和 i；united 里，多数行看向开头的 u。字母相同，次序不同，模式就不同，
# 这正是位置编码带来的。还要提醒一句：united 有三个音节，网络答错了，而这些图里看不出任何迹象。权重只说明一个头看了哪里，并不说明答案为什么是这样（见第 8c 章）。
#
# ## 公式门诊：“位置编码让模型自动学会次序”
#
# 旁边往往还有一句：“Transformer 由自注意力和位置编码组成”。后一句漏掉了占三分之二权重的前馈网络，以及残差和归一化。
# 前一句把两件事混为一谈。设 $\Pi$ 为置换矩阵：
#
# $$ \mathrm{softmax}\!\Big(\tfrac{\Pi Q K^\top \Pi^\top}{\sqrt d}\Big)\,\Pi V = \Pi\;\mathrm{softmax}\!\Big(\tfrac{QK^\top}{\sqrt d}\Big)\,V $$
#
# 不加掩码的注意力是**置换等变的**（permutation-equivariant）：把词打乱，得到的还是同样的答案，只是跟着打乱。这对任何权重都成立，
# 所以怎么训练也改变不了。位置编码本身并不学习：次序是它**给**的（正弦编码根本没有可学的东西），权重学的是怎样利用次序。
#
# 在这样的编码器看来，连 do 和 dodo 都是同一个词。每个字母都多一份，softmax 的分子和分母里每一项也都多一份，所以每个 d、每个 o 得到的答案与原来一样；
# 四个求平均，和两个求平均，结果相同。**因果掩码**打破了这种对称：第三个词看得见三个词，第五个词看得见五个。
# 解码器单凭这一点就能分辨次序（[Haviv 等，2022](https://arxiv.org/abs/2203.16634)）。

# %%
x, order_of = random.normal(size=(1, 6, 32)), random.permutation(6)
keras.config.set_dtype_policy("float64")
for masked in (False, True):
    block = transformer.Block(32, heads=2, hidden=128, causal=masked)
    moved, fixed = np.asarray(block(x[:, order_of])), np.asarray(block(x))[:, order_of]
    print("causal mask · 因果掩码:" if masked else "no mask · 无掩码:", "block(shuffled) = shuffled block:", exercises.close(moved, fixed))
keras.config.set_dtype_policy("float32")
proofs.equal({f"trained without order: {word}": models["none"](encode([word]))[0] for word in family[:4]}, tolerance=1e-4)
proofs.equal({f"trained without order: {word}": models["none"](encode([word]))[0] for word in ["do", "dodo"]}, tolerance=1e-4)
models = reader = None  # their memory is needed
keras.utils.clear_session()

# %% [markdown] lang="en" tags=["predict"]
# Shuffled input gives shuffled output without a mask, and not with a causal one. The *trained* network, too, gives *diet*, *edit*, *tide* and *tied*
# one and the same answer, and *do* that of *dodo*.
#
# ## Clinic: "attention is parallel, hence faster"
#
# Count the work for a sequence of length $n$ and width $d$:
#
# | | products | steps that must wait for each other | numbers kept |
# |---|---|---|---|
# | recurrent layer | $\sim n d^2$ | $n$ | $\sim n d$ |
# | attention, all at once (training) | $\sim n d^2 + n^2 d$ | 1 | $\sim n d + H n^2$ |
# | attention, word by word (writing) | $\sim n d^2 + n^2 d$ | $n$ | $\sim n d$, the keys and values so far |
#
# "Parallel" is true of *training*, where all positions are computed at once. "Hence faster" holds as long as $n^2 d$ stays small and the
# machine has units to spare. When a model *writes*, each word needs the one before, so attention waits like a recurrent network, with more
# and more to look back at. (The keys and values that it keeps for that are called the **KV cache**.) We measure on this machine, at width 64.
#
# **Predict** the exponents in time $\sim n^{?}$, for the LSTM and for attention, in training and in writing.

# %% [markdown] lang="zh" of="1106a9c8" tags=["predict"]
# 不加掩码，输入打乱，输出只是跟着打乱；加了因果掩码就不是了。训练好的网络也一样：diet、edit、tide 和 tied 得到同一个答案，do 与 dodo 也是。
#
# ## 公式门诊：“注意力可以并行，所以更快”
#
# 设序列长 $n$、宽 $d$，数一数工作量：
#
# | | 乘法次数 | 必须依次等待的步数 | 要存的数 |
# |---|---|---|---|
# | 循环层 | $\sim n d^2$ | $n$ | $\sim n d$ |
# | 注意力，一次全算（训练） | $\sim n d^2 + n^2 d$ | 1 | $\sim n d + H n^2$ |
# | 注意力，逐词生成（写作） | $\sim n d^2 + n^2 d$ | $n$ | $\sim n d$，即已有的键和值 |
#
# “可以并行”说的是**训练**：所有位置一起算。“所以更快”则要看 $n^2 d$ 是否还小、机器是否还有空闲的算力。模型**写作**时，每个词都要等前一个词，
# 注意力和循环网络一样得等，而且要回看的东西越来越多。（为此存下来的键和值，称为 **KV 缓存**。）下面在这台机器上实测，宽度 64。
#
# **先猜**指数：训练和写作时，LSTM 与注意力的时间各是 $\sim n^{?}$？

# %% tags=["nbval-ignore-output"]
def best_seconds(function, repeats=3):
    """The fastest of a few calls after the first: the one that others on the machine disturbed least."""
    function()
    return min(timeit.repeat(function, number=1, repeat=repeats))


def training_seconds(layer, length):
    """One forward and backward pass for 8 sequences of width 64."""
    x = tf.random.stateless_normal((8, length, 64), [0, 0])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((layer(x, x) if isinstance(layer, keras.layers.MultiHeadAttention) else layer(x)) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    return best_seconds(step)


layers = {"LSTM": keras.layers.LSTM(64, return_sequences=True), "attention": keras.layers.MultiHeadAttention(4, 16)}
lengths = choose(smoke=[16, 64], laptop=[16, 32, 64, 128, 256], full=[16, 32, 64, 128, 256, 512, 1024])
training_time = {name: [training_seconds(layer, length) for length in lengths] for name, layer in layers.items()}

# %% tags=["nbval-ignore-output"]
draw = np.random.default_rng(0)
W_gates, W_qkv = draw.normal(scale=0.3, size=(128, 256)), draw.normal(scale=0.1, size=(64, 192))  # with a smaller scale the LSTM's state would fade to nothing


def write_recurrent(length):
    """Each vector made from the one before and a state of fixed size: an LSTM's step."""
    x = hidden = cell = np.ones(64)
    for _ in range(length):
        let_in, forget, new, let_out = np.split(np.concatenate([x, hidden]) @ W_gates, 4)
        cell = cell / (1 + np.exp(-forget)) + np.tanh(new) / (1 + np.exp(-let_in))
        x = hidden = np.tanh(cell) / (1 + np.exp(-let_out))


def write_attention(length):
    """Each vector made from a look back at all before; their keys and values are kept, not computed again."""
    x, keys, values = np.ones(64), np.zeros((length, 64)), np.zeros((length, 64))
    for place in range(length):
        query, keys[place], values[place] = np.split(x @ W_qkv, 3)
        powers = np.exp(keys[: place + 1] @ query / 8)
        x = powers / powers.sum() @ values[: place + 1]


written = choose(smoke=[64, 256], laptop=[128, 256, 512, 1024, 2048, 4096], full=[256, 512, 1024, 2048, 4096, 8192])
writing_time = {"LSTM": [best_seconds(lambda n=n: write_recurrent(n), 2) for n in written],
                "attention": [best_seconds(lambda n=n: write_attention(n), 2) for n in written]}

# %%
def in_pieces(query, key, value, rows=64):
    """The same attention, 64 queries at a time: never more than 64 rows of weights."""
    starts = range(0, query.shape[2], rows)
    parts = [attention.scaled_dot_product_attention(query[:, :, start : start + rows], key, value)[0] for start in starts]
    return np.concatenate(parts, axis=2)


def peak_megabytes(function, length):
    """The most memory that NumPy held during the call, counted by Python's tracemalloc."""
    arrays = np.random.default_rng(0).normal(size=(3, 1, 1, length, 64)).astype("float32")
    tracemalloc.start()
    output = function(*arrays)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return output, peak


sizes = [256, 512, 1024, 2048]
outputs, megabytes = {}, {}
ways = {"at once": lambda *arrays: attention.scaled_dot_product_attention(*arrays)[0], "in pieces": in_pieces}
for name, function in ways.items():
    outputs[name], megabytes[name] = zip(*[peak_megabytes(function, size) for size in sizes], strict=True)
proofs.equal({name: output[-1] for name, output in outputs.items()})

# %% tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
panels = [("training", lengths, training_time, "seconds"), ("writing", written, writing_time, "seconds"), ("memory", sizes, megabytes, "MB")]
for axis, (task, counts, curves, unit) in zip(axes, panels, strict=True):
    for (name, curve), line in zip(curves.items(), ["o-", "s--"], strict=True):
        exponent = np.polyfit(np.log(counts[-3:]), np.log(curve[-3:]), 1)[0]
        axis.loglog(counts, curve, line, label=f"{name}, ∼ n^{exponent:.1f}")
        band = {"at once": (1.9, 2.05), "in pieces": (0.8, 1.1)}.get(name)  # 2 and 1, and room for another NumPy
        results.record(f"{task}.{name.lower().replace(' ', '_')}_exponent", exponent, band=band, digits=2)
    axis.set(xlabel="length n", ylabel=unit, title=task + (" step" if task == "training" else ""))
    axis.set_xticks(counts, counts)
    axis.xaxis.minorticks_off()
    axis.legend()
for task, curves in [("training", training_time), ("writing", writing_time)]:
    ratios = np.array(curves["LSTM"]) / np.array(curves["attention"])
    results.record(f"{task}.lstm_over_attention_shortest", ratios[0], unit="×", digits=2)
    results.record(f"{task}.lstm_over_attention_longest", ratios[-1], unit="×", digits=2)
plots.show(
    figure,
    alt="Three log-log plots against length. Training step: LSTM and attention. Writing: LSTM and attention. Memory of attention at once and in pieces.",
    alt_zh="三幅随长度变化的双对数图：训练一步的时间、逐个写出的时间，以及注意力一次全算与分块计算所占的内存。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** *Writing*: {{writing.lstm_exponent:.2f}} for the LSTM, {{writing.attention_exponent:.2f}} for attention. Both wait for the word before, and looking back
# brings attention close to $n^2$: that is the price of a memory that grows, while the LSTM's state keeps its size. *Memory*: computed at once it
# grows with the exponent {{memory.at_once_exponent:.2f}}, in pieces with {{memory.in_pieces_exponent:.2f}}, and the answers are the same.
#
# *Training* is not decided by this figure, and we say so. At the lengths of this run attention is ahead at every length, by
# {{training.lstm_over_attention_longest:.1f}} times at the longest, and its exponent over the last three points is
# {{training.attention_exponent:.2f}}. An exponent below 1 cannot last: each position has to be computed, so at these lengths part of the time is a
# fixed cost. The times are also noisy: in three more runs, the ratio at the longest length was
# {{seeds:training.lstm_over_attention_longest:.1f}}. The full profile goes on to a length of 1,024, and there the LSTM has overtaken: the ratio is
# {{full:training.lstm_over_attention_longest:.2f}}, the exponent {{full:training.attention_exponent:.2f}}. So "parallel, hence faster" is a
# statement about lengths. A GPU, with thousands of units, moves the crossing far to the right; it cannot remove it.
#
# ## The large configuration
#
# "8 heads, 6 layers, d_model 512, dff 2048, dropout 0.1" is how the base model of
# [Vaswani et al. (2017)](https://arxiv.org/abs/1706.03762) is usually listed. One common listing imports it from
# `tensorflow.models.transformer`. There is no such module. But you know all the parts: six encoder blocks and six decoder blocks, as drawn
# above, normalised last, with ReLU, and here a vocabulary of 8,000 on both sides. An attention has $4(d^2 + d)$ parameters, a feed-forward part
# about $2 \cdot 512 \cdot 2048$. Before you look: in which part are most of the weights?

# %% [markdown] lang="zh" of="f31b390b" tags=["answer"]
# **答案。** 写作：LSTM 的指数是 {{writing.lstm_exponent:.2f}}，注意力是 {{writing.attention_exponent:.2f}}。两者都得等前一个词，而回看使注意力的时间接近 $n^2$：
# 这是记忆不断增长的代价，LSTM 的状态则始终一样大。内存：一次全算，指数是 {{memory.at_once_exponent:.2f}}；分块计算，是
# {{memory.in_pieces_exponent:.2f}}，答案相同。
#
# 训练这一项，单凭这幅图下不了结论，我们照实说。在这里测的长度上，注意力始终领先，最长处 LSTM 所用的时间是它的
# {{training.lstm_over_attention_longest:.1f}} 倍；由最后三个点算出的指数是 {{training.attention_exponent:.2f}}。小于 1 的指数不可能一直保持：
# 每个位置都得算，说明在这些长度上，有一部分时间是固定开销。计时本身也有噪声：另外重复三次，最长处的比值是
# {{seeds:training.lstm_over_attention_longest:.1f}}。full 配置一直测到长度 1,024，那里 LSTM 已经反超：比值是
# {{full:training.lstm_over_attention_longest:.2f}}，注意力的指数是 {{full:training.attention_exponent:.2f}}。所以“并行，因而更快”要看长度。
# GPU 有成千上万个计算单元，能把交点远远推到右边，却消不掉它。
#
# ## 大配置
#
# “8 个头、6 层、d_model 512、dff 2048、dropout 0.1”，说的是 [Vaswani 等（2017）](https://arxiv.org/abs/1706.03762) 的基础模型。
# 常见的一份代码从 `tensorflow.models.transformer` 导入它，可是并没有这个模块。不过零件你都认识了：六个编码器块、六个解码器块，构造如上面的图，
# 归一化后置，激活用 ReLU，这里两边的词表都取 8,000。一个注意力有 $4(d^2 + d)$ 个参数，一个前馈网络约 $2 \cdot 512 \cdot 2048$ 个。
# 先别往下看：大部分权重在哪一部分？
#
# （这个名字请保留原文 Transformer。有的中文资料把它译成一种改变电压的电气设备，那是另一个东西。）

# %%
try:
    importlib.import_module("tensorflow.models.transformer")
except ModuleNotFoundError as error:
    print(type(error).__name__, "·", error)
width, hidden, vocabulary = 512, 2048, 8_000
parts = {
    "2 embeddings · 词嵌入": 2 * vocabulary * width,
    "6 encoder blocks · 编码器块": 6 * flops.transformer_block(width, hidden),
    "6 decoder blocks · 解码器块": 6 * flops.transformer_block(width, hidden, cross=True),
    "output · 输出层": (width + 1) * vocabulary,
}
for name, number in parts.items():
    print(f"{number:12,}  {name}")
keras.utils.clear_session()
keras.config.set_dtype_policy(choose(smoke="float16", laptop="float16", full="float32"))  # to count, half of the bytes will do
large = transformer.encoder_decoder(
    vocabulary, vocabulary, 128, 128, size=width, heads=8, hidden=hidden, encoder_blocks=6, decoder_blocks=6,
    dropout=0.1, normalise_first=False, activation="relu")
proofs.equal({"formula": sum(parts.values()), "Keras": large.count_params()})
print(f"{large.count_params():,} × 4 bytes · 字节 = {large.count_params() * 4 / 1e6:.0f} MB; Adam: three more of each · 另加三份")
if profiles.name() == "full":  # one step: gradients and Adam's two averages need about 1.9 GB
    large.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    pair = {name: np.random.default_rng(SEED).integers(1, vocabulary, (2, 16)) for name in ("source", "target")}
    print("loss · 损失:", large.train_on_batch(pair, pair["target"]))
keras.config.set_dtype_policy("float32")

# %% [markdown] lang="en" tags=["summary"]
# Most weights are in the decoder blocks, which have two attentions each.
# All parts together agree with Keras' own count. The line above says what one copy takes; training
# with Adam needs four.
#
# ## What you measured
#
# - **Dividing by √d**: undivided, the variance of the scores grows with the exponent {{scores.variance_exponent:.2f}} in $d$, divided with
#   {{scores.variance_exponent_divided:.2f}}.
# - **Pre and post**: with depth, the last block's gradient shrinks with the exponent {{pre.last_block_gradient_exponent:.2f}} in pre, and with
#   {{post.last_block_gradient_exponent:.2f}} in post.
# - **Blind to order**: without positions, {{none.anagram_accuracy:.1%}} on anagrams, below the ceiling; with learned positions
#   {{learned.anagram_accuracy:.1%}}.
# - **A causal mask is a clue to order**: alone it reaches {{causal_mask.anagram_accuracy:.1%}}.
# - **Parallel is not always faster**: writing time grows with the exponent {{writing.attention_exponent:.2f}}; at length 4,096 the LSTM needs
#   {{writing.lstm_over_attention_longest:.2f}} of attention's time.
#
# **Formula card.** $O = \mathrm{softmax}(QK^\top/\sqrt d)\,V$ with $Q = XW^Q$, $K = XW^K$, $V = XW^V$. Mask: $-\infty$ before the softmax.
# $P_{t,2i} = \sin t\omega_i$, $P_{t,2i+1} = \cos t\omega_i$, $\omega_i = 10000^{-2i/d}$. Pre: $x \leftarrow x + \mathrm{part}(\mathrm{norm}(x))$; post:
# $x \leftarrow \mathrm{norm}(x + \mathrm{part}(x))$. Parameters of an attention: $4(d^2 + d)$.
#
# ### Exercise 1 · easy — a window
#
# Long texts cannot afford all pairs. Write `window_mask(length, width)`: a boolean array *(length, length)*, rows are queries,
# True = may be seen. Each position sees itself and the `width - 1` positions before it, nothing later.

# %% [markdown] lang="zh" of="cd690f83" tags=["summary"]
# 权重最多的是解码器块，每块有两个注意力。各部分加起来与 Keras 数出的一致。上面最后一行是存一份所需的空间；用 Adam 训练则要四份。
#
# ## 这一章测到了什么
#
# - **除以 √d**：不除，分数的方差随 $d$ 增长，指数 {{scores.variance_exponent:.2f}}；除过之后指数 {{scores.variance_exponent_divided:.2f}}。
# - **前置与后置**：随着深度增加，最后一个块的梯度，前置按指数 {{pre.last_block_gradient_exponent:.2f}} 缩小，后置的指数是
#   {{post.last_block_gradient_exponent:.2f}}。
# - **看不见次序**：没有位置信息，字母异位词的准确率是 {{none.anagram_accuracy:.1%}}，在上限之下；用可学习的位置编码则是
#   {{learned.anagram_accuracy:.1%}}。
# - **因果掩码本身就透露次序**：只加它，也有 {{causal_mask.anagram_accuracy:.1%}}。
# - **并行不一定更快**：写作时间的指数是 {{writing.attention_exponent:.2f}}；长度 4,096 时，LSTM 所用的时间只有注意力的
#   {{writing.lstm_over_attention_longest:.2f}}。
#
# **公式卡片。** $O = \mathrm{softmax}(QK^\top/\sqrt d)\,V$，其中 $Q = XW^Q$，$K = XW^K$，$V = XW^V$。掩码：在 softmax 之前换成 $-\infty$。
# $P_{t,2i} = \sin t\omega_i$，$P_{t,2i+1} = \cos t\omega_i$，$\omega_i = 10000^{-2i/d}$。前置：$x \leftarrow x + \mathrm{part}(\mathrm{norm}(x))$；
# 后置：$x \leftarrow \mathrm{norm}(x + \mathrm{part}(x))$。一个注意力的参数量：$4(d^2 + d)$。
#
# ### 练习 1 · 易 —— 窗口掩码
#
# 文章太长，就负担不起所有的配对。写出 `window_mask(length, width)`：布尔数组（length，length），每行一个查询，True 表示可以看。
# 每个位置看得见自己和前面的 `width - 1` 个位置，看不见后面的。

# %% tags=["exercise"]
def window_mask(length, width):
    """Causal attention to the last `width` positions."""
    ### BEGIN SOLUTION
    distance = np.arange(length)[:, None] - np.arange(length)  # query minus key
    return (distance >= 0) & (distance < width)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("07.window_mask", window_mask)

# %% [markdown] lang="en" tags=["hint"]
# Make a table of distances: the query's position minus the key's position. Which distances are allowed, from which to which?

# %% [markdown] lang="zh" of="830621e6" tags=["hint"]
# 先做一张距离表：查询的位置减去键的位置。允许的距离从几到几？

# %% [markdown] lang="en"
# ### Exercise 2 · medium — attention with a mask
#
# Write `masked_attention(query, key, value, mask)` in NumPy, without the course's reference. The shapes are *(query time, size)*,
# *(key time, size)* and *(key time, value size)*; the mask is *(query time, key time)*, True means that the key may be seen, and each row
# has at least one True. Return the output alone. Scores may be in the thousands.

# %% [markdown] lang="zh" of="8e74cad3"
# ### 练习 2 · 中 —— 带掩码的注意力
#
# 用 NumPy 写出 `masked_attention(query, key, value, mask)`，不要调用课程的参考实现。形状依次为（查询数，大小）、（键数，大小）、
# （键数，值的大小），掩码是（查询数，键数），True 表示可以看，每行至少有一个 True。只返回输出。分数可能上千。

# %% tags=["exercise"]
def masked_attention(query, key, value, mask):
    """softmax(Q Kᵀ / √d) V over the keys that the mask allows."""
    ### BEGIN SOLUTION
    scores = np.where(mask, query @ key.T / np.sqrt(query.shape[1]), -np.inf)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True) @ value
    ### END SOLUTION

# %% tags=["check"]
exercises.check("07.masked_attention", masked_attention)

# %% [markdown] lang="en" tags=["hint"]
# Four steps: scores over $\sqrt d$; $-\infty$ where the mask is False; softmax along the keys, with the largest score subtracted first; product with
# the values.

# %% [markdown] lang="zh" of="ad864174" tags=["hint"]
# 四步：分数除以 $\sqrt d$；掩码为 False 处换成 $-\infty$；沿着键做 softmax，先减去最大的分数；再与值相乘。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — attention that never sees everything
#
# Keys and values arrive in pieces, too many to keep. Write `streaming_attention(query, pieces)`: `query` has the shape *(size,)*, and `pieces`
# yields pairs *(keys, values)* of any length, once. Return the same answer as attention over all of them together, *(value size,)*. Keep
# only three things: the largest score so far, the sum of the exponentials, and the weighted sum of the values, both sums relative to that
# largest score. This is the heart of [FlashAttention](https://arxiv.org/abs/2205.14135).

# %% [markdown] lang="zh" of="1e885423"
# ### 练习 3 · 难 —— 从不同时看见全部的注意力
#
# 键和值分批送来，多得存不下。写出 `streaming_attention(query, pieces)`：`query` 形状为（size，），`pieces` 依次给出任意长度的
# （键，值）对，只给一遍。返回值要与把它们全部放在一起的注意力相同，形状为（值的大小，）。手里只留三样东西：目前最大的分数、
# 指数之和、值的加权和，后两者都相对于那个最大的分数。这正是 [FlashAttention](https://arxiv.org/abs/2205.14135) 的核心。

# %% tags=["exercise"]
def streaming_attention(query, pieces):
    """Attention of one query over pieces of keys and values that come one after the other."""
    ### BEGIN SOLUTION
    largest, total, answer = -np.inf, 0.0, 0.0
    for keys, values in pieces:
        scores = keys @ query / np.sqrt(len(query))
        new_largest = max(largest, scores.max())
        shrink, powers = np.exp(largest - new_largest), np.exp(scores - new_largest)
        total = shrink * total + powers.sum()
        answer = shrink * answer + powers @ values
        largest = new_largest
    return answer / total
    ### END SOLUTION

# %% tags=["check"]
exercises.check("07.streaming_attention", streaming_attention)

# %% [markdown] lang="en" tags=["hint"]
# When a piece brings a larger score $m'$ than the old largest $m$, everything kept so far was measured against $m$: multiply both sums by
# $e^{m - m'}$. Divide once, at the end.

# %% [markdown] lang="zh" of="24dbb704" tags=["hint"]
# 新来的一批若有比旧的最大分数 $m$ 更大的 $m'$，此前攒下的两个和都是相对于 $m$ 的：都乘上 $e^{m - m'}$。除法只在最后做一次。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("07")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Attention began as an addition to recurrent translation ([Bahdanau, Cho and Bengio 2014](https://arxiv.org/abs/1409.0473)); three years later
# it was all that was left ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)). Encoders read
# ([BERT, 2018](https://arxiv.org/abs/1810.04805)), decoders write ([GPT-3, 2020](https://arxiv.org/abs/2005.14165)); patches of images take the
# place of words ([ViT, 2020](https://arxiv.org/abs/2010.11929)), and so do amino acids
# ([AlphaFold 2, 2021](https://doi.org/10.1038/s41586-021-03819-2)).
#
# - Xiong et al., [*On layer normalization in the Transformer architecture*](https://arxiv.org/abs/2002.04745): pre, post and warm-up.
# - Rabe and Staats, [*Self-attention does not need O(n²) memory*](https://arxiv.org/abs/2112.05682): a short paper, the idea behind exercise 3.
# - Rush, [*The annotated Transformer*](https://nlp.seas.harvard.edu/2018/04/03/attention.html): the 2017 paper, line by line in code.
#
# **What the full profile changes.** All networks train on 90,000 words for ten epochs, training is timed up to a length of 1,024, and the large
# configuration takes one training step (about 1.9 GB: [Adam, 2014](https://arxiv.org/abs/1412.6980), keeps two averages per weight). In the stored
# full run (one seed), the encoder without positions reaches {{full:none.test_accuracy:.1%}} on random words, and on anagrams
# {{full:none.anagram_accuracy:.1%}}: more training, and still below the ceiling.
#
# Next: 7a translates spelling into sound with an encoder and a decoder, 7b writes with a decoder, 7c reads with an encoder.

# %% [markdown] lang="zh" of="e72cf40f"
# ## 应用与延伸阅读
#
# 注意力起初是给循环翻译网络添的一个部件（[Bahdanau、Cho 与 Bengio，2014](https://arxiv.org/abs/1409.0473)），三年之后，别的都拆掉了，
# 只剩下它（[Vaswani 等，2017](https://arxiv.org/abs/1706.03762)）。编码器用来读（[BERT，2018](https://arxiv.org/abs/1810.04805)），
# 解码器用来写（[GPT-3，2020](https://arxiv.org/abs/2005.14165)）；词换成图像块（[ViT，2020](https://arxiv.org/abs/2010.11929)）、
# 换成氨基酸（[AlphaFold 2，2021](https://doi.org/10.1038/s41586-021-03819-2)），也一样能用。
#
# - Xiong 等，[On layer normalization in the Transformer architecture](https://arxiv.org/abs/2002.04745)：前置、后置与预热。
# - Rabe 与 Staats，[Self-attention does not need O(n²) memory](https://arxiv.org/abs/2112.05682)：一篇短文，练习 3 的思路就来自这里。
# - Rush，[The annotated Transformer](https://nlp.seas.harvard.edu/2018/04/03/attention.html)：把 2017 年的论文逐行写成代码。
# - 中文读物：《动手学深度学习》“注意力机制”一章；邱锡鹏《神经网络与深度学习》“注意力机制与外部记忆”一章。
#
# **换成 full 配置会怎样。** 所有网络都用 90,000 个词训练十轮，训练的计时一直测到长度 1,024，大配置则真正训练一步
# （约需 1.9 GB：[Adam，2014](https://arxiv.org/abs/1412.6980) 为每个权重另存两个平均值）。在保存的 full 结果里（一个种子），
# 没有位置信息的编码器，随机词达到 {{full:none.test_accuracy:.1%}}，字母异位词是 {{full:none.anagram_accuracy:.1%}}：训练得再久，也仍在上限之下。
#
# 接下来：第 7a 章用编码器加解码器把拼写译成读音，第 7b 章用解码器写作，第 7c 章用编码器阅读。
