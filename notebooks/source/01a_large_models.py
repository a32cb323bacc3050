# %% [markdown] lang="en" telling=["rule.beginner_cnn_forward", "machine.gpt3_years"]
# # 1a Large models: how large, what they cost, where they are used
#
# Your network of chapter 1 has a hundred thousand parameters. GPT-3 has 175 billion
# ([Brown et al. 2020](https://arxiv.org/abs/2005.14165)). In this chapter you count both by hand, put your own networks and the
# published ones into one picture, and measure how many years the machine in front of you would need to train GPT-3.

# %% [markdown] lang="zh" of="70bfbd45"
# # 1a 大模型：有多大，要花多少，做什么用
#
# 第 1 章的网络有十万个参数，GPT-3 有 1750 亿个（[Brown 等，2020](https://arxiv.org/abs/2005.14165)）。这一章要亲手把两者都数一遍，
# 把你的网络和已发表的模型画进同一张图，再实测一下：用你面前这台机器训练 GPT-3，要多少年。

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - say what AI, machine learning, deep learning and large models are, and tell five kinds of learning apart;
# - compare four activations and their slopes;
# - count a model's parameters and its arithmetic, and estimate what its training costs;
# - choose an architecture for a kind of data, and name what large models are used for;
# - spot a claim that promises too much, and a listing that cannot run.
#
# **Before you start:** chapter 1. Some networks below belong to later chapters; here we only count them.

# %% [markdown] lang="zh" of="9c20b0b5"
# **学完这一章，你能够**
#
# - 说清人工智能、机器学习、深度学习和大模型各指什么，分清五种学习方式；
# - 比较四种激活函数和它们的斜率；
# - 数出一个模型的参数量和计算量，估算训练它要花多少；
# - 按数据选择架构，知道大模型能做什么；
# - 看出哪些说法言过其实，哪些代码根本跑不起来。
#
# **预备知识：** 第 1 章。下面有些网络要到后面几章才讲，这里只数它们的大小。

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
import ast
import builtins
import time

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results
from course_utils.language import words
from course_utils.profiles import choose
from course_utils.reference import activations
from course_utils.topics import first_network, flops, large_figures, own_models
from course_utils.topics.published_models import MODELS

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("01a")

# %% [markdown] lang="en"
# ## Four words, one inside the other
#
# - **Artificial intelligence** (AI): programs that do what we would call intelligent in a person. A chess program with
#   rules written by hand belongs here, and learns nothing.
# - **Machine learning**: the rules are not written, they are *fitted to data*. A line through points is the smallest case.
# - **Deep learning**: what is fitted is a network of several layers. Each layer makes new features out of those of the
#   layer before.
# - **Large models**: deep networks with so many parameters, so much data and so much computation that one training run serves
#   many tasks. There is no fixed limit; further down you measure how large the published ones are.

# %% [markdown] lang="zh" of="76c84d42"
# ## 四个词，一个套一个
#
# - **人工智能**（AI）：如果换成人来做，我们会称之为“聪明”的程序。规则全由人手写的下棋程序也算，尽管它什么也没学。
# - **机器学习**：规则不靠手写，而是用数据拟合出来。过几个点画一条直线，就是最小的例子。
# - **深度学习**：拟合的是一个多层网络，每一层用前一层的特征做出新的特征。
# - **大模型**：参数、数据、计算都多到一定程度的深度网络，训练一次，可以服务许多任务。没有一条固定的界线；
#   已发表的模型究竟有多大，后面你会亲手量一量。

# %% tags=["plot"]
large_figures.four_words()

# %% [markdown] lang="en"
# ## Five kinds of learning: who is the teacher?
#
# The same digits can teach in five ways. What differs is where the *signal* comes from that tells the program how wrong
# it is.
#
# | kind | the signal | example |
# |---|---|---|
# | supervised | the right answer, given with each example | digit → which one it is |
# | unsupervised | none: find structure | sort digits into groups |
# | semi-supervised | labels for a few | ten labelled digits, thousands without |
# | self-supervised | a hidden part of the data itself | upper half → lower half; text → next word |
# | reinforcement | a reward for what was done | guess, then hear "right" or "wrong" |
#
# **Why the last two matter now.** A *language model* is a network that gives probabilities to the next word. Large ones are
# *pre-trained* (trained once, before anybody has a task for them) in the self-supervised way, by predicting hidden or next
# words ([BERT](https://arxiv.org/abs/1810.04805), [GPT-3](https://arxiv.org/abs/2005.14165)): nobody could label so much
# text. Many are then tuned by *reinforcement* from people's preferences
# ([InstructGPT](https://arxiv.org/abs/2203.02155)). A reward says how good an answer was, and never which one was right.

# %% [markdown] lang="zh" of="8e1c5f00"
# ## 五种学习方式：谁是老师？
#
# 同样的数字图片可以用五种方式来教。区别在于：告诉程序“错了多少”的那个信号从哪里来。
#
# | 方式 | 信号 | 例子 |
# |---|---|---|
# | 监督学习（supervised） | 每个样本都附有正确答案 | 图片 → 它是几 |
# | 无监督学习（unsupervised） | 没有，自己找结构 | 把数字分成几堆 |
# | 半监督学习（semi-supervised） | 少数样本有标签 | 十张有标签，几千张没有 |
# | 自监督学习（self-supervised） | 数据自己被遮住的部分 | 上半张 → 下半张；上文 → 下一个词 |
# | 强化学习（reinforcement） | 对行动的奖励 | 先猜，再听到“对”或“错” |
#
# **后两种为什么重要？** 语言模型（language model）是一个给“下一个词”算概率的网络。大语言模型先做**预训练**（pre-training，
# 也就是还没有具体任务时先训练好），方式是自监督：预测被遮住的词或下一个词
# （[BERT](https://arxiv.org/abs/1810.04805)、[GPT-3](https://arxiv.org/abs/2005.14165)），因为这么多文本，没有人标得完。
# 许多模型随后还要按人的偏好做强化学习（[InstructGPT](https://arxiv.org/abs/2203.02155)）。
# 奖励只说这个回答有多好，从不说哪个回答才对。

# %% tags=["plot"]
digits = datasets.mnist()
large_figures.five_kinds(digits.x_train[:200], digits.y_train[:200])

# %% [markdown] lang="en" tags=["predict"]
# ## One neuron, four activations
#
# A neuron multiplies each input by a weight, adds a bias, and bends the sum by an **activation** $f$:
#
# $$ y = f(z), \qquad z = \sum_i x_i\, w_i + b $$
#
# | | formula | slope $f'(z)$ |
# |---|---|---|
# | ReLU | $\max(0, z)$ | $0$ or $1$ |
# | sigmoid | $\sigma(z) = 1 / (1 + e^{-z})$ | $\sigma(z)\,(1 - \sigma(z))$ |
# | tanh | $(e^z - e^{-z}) / (e^z + e^{-z})$ | $1 - \tanh^2 z$ |
# | GELU | $z\,\Phi(z)$ | $\Phi(z) + z\,\varphi(z)$ |
#
# $\Phi$ and $\varphi$: distribution and density of the standard normal variable. GELU
# ([Hendrycks and Gimpel 2016](https://arxiv.org/abs/1606.08415)) is what BERT and GPT use.
#
# The name "neuron" is history: the formal neuron is by [McCulloch and Pitts 1943](https://doi.org/10.1007/BF02478259), the
# perceptron, which learns, by [Rosenblatt 1958](https://doi.org/10.1037/h0042519). It is a weighted sum, not a model of a nerve cell.
#
# Are the slopes in the table right? We check them as in chapter 1, by `GradientTape` and by nudges. (ReLU has a kink at 0,
# where no slope exists; we keep away from it.)
#
# **Predict:** there are ten layers between a weight and the loss, and on its way back the error passes ten sigmoids. How much of it can
# arrive at most?

# %% [markdown] lang="zh" of="3fac6cd2" tags=["predict"]
# ## 一个神经元，四种激活函数
#
# 神经元把输入加权求和，加上偏置，再用**激活函数**（activation）$f$ 把结果“弯”一下：
#
# $$ y = f(z), \qquad z = \sum_i x_i\, w_i + b $$
#
# | | 公式 | 斜率 $f'(z)$ |
# |---|---|---|
# | ReLU | $\max(0, z)$ | $0$ 或 $1$ |
# | sigmoid | $\sigma(z) = 1 / (1 + e^{-z})$ | $\sigma(z)\,(1 - \sigma(z))$ |
# | tanh | $(e^z - e^{-z}) / (e^z + e^{-z})$ | $1 - \tanh^2 z$ |
# | GELU | $z\,\Phi(z)$ | $\Phi(z) + z\,\varphi(z)$ |
#
# $\Phi$ 和 $\varphi$ 是标准正态分布的分布函数和密度函数。BERT 和 GPT 用的就是 GELU
# （[Hendrycks 与 Gimpel，2016](https://arxiv.org/abs/1606.08415)）。
#
# “神经元”这个名字是历史遗留：形式神经元出自 [McCulloch 与 Pitts，1943](https://doi.org/10.1007/BF02478259)，
# 会学习的感知机出自 [Rosenblatt，1958](https://doi.org/10.1037/h0042519)。它是一个加权和，并不是神经细胞的模型。
#
# 表里的斜率对不对？像第 1 章那样，用 `GradientTape` 和“拨动”两种办法核对。（ReLU 在 0 处有一个折角，那里没有斜率，我们避开它。）
#
# **先猜：** 某个权重与损失之间隔着十层，误差传回来要经过十个 sigmoid。最多能传到多少？

# %%
random = np.random.default_rng(0)
inputs, weights, bias = random.normal(size=5), random.normal(size=5), 0.3
neuron = layers.Dense(1, activation="relu", dtype="float64")
neuron.build((None, 5))
neuron.set_weights([weights[:, None], np.array([bias])])
by_hand = activations.relu(inputs @ weights + bias)
proofs.equal({"by_hand": by_hand, "Keras": neuron(inputs[None])[0, 0]})

functions = {"ReLU": activations.relu, "sigmoid": activations.sigmoid,
             "tanh": activations.tanh, "GELU": activations.gelu}

# %%
of_keras = {name: getattr(keras.activations, name.lower()) for name in functions}

def slope(name):  # the error that comes in is 1, so what goes back is f'(z) itself
    backward = getattr(activations, f"{name.lower()}_backward")
    return lambda z: backward(np.ones_like(z), z)

z = np.linspace(-3.1, 3, 30)  # 0 is not among them
for name, function in functions.items():
    point = tf.Variable(z)
    with tf.GradientTape() as tape:
        value = of_keras[name](point)
    by_tape = tape.gradient(value, point)
    nudged = proofs.finite_differences(lambda z, f=function: f(z).sum(), z)
    proofs.equal({f"{name} slope": slope(name)(z), "tape": by_tape, "nudged": nudged})

# %% tags=["plot"]
large_figures.activations(functions, {name: slope(name) for name in functions})

# %% [markdown] lang="en" tags=["answer", "predict"]
# **Answer.** At most $0.25^{10}$, one millionth: the sigmoid's slope is a quarter at best, and the chain rule multiplies one such
# slope per layer. The weights of the first layers then hardly move. That is one reason why deep networks use ReLU or GELU inside.
#
# ## What makes a model large?
#
# Three numbers: **parameters** $N$, **data** $D$, **compute** $C$. Parameters you can count by hand, one weight for each
# pair and one bias for each neuron:
#
# $$ N = (784 \cdot 128 + 128) + (128 \cdot 10 + 10) $$
#
# Compute is counted in **FLOPs**, floating-point operations; here *one multiply-add is 2 FLOPs* (many papers on image
# networks count it as 1: look before you compare). `flops.count` counts layer by layer, tested against counts by
# hand and TensorFlow's profiler.
#
# The course's networks differ in how often a weight is used for one example:
#
# - **perceptron**: your network of chapter 1. Each weight meets one input;
# - **convolutional networks** (CNN, chapter 2): a few weights slide over the whole picture and are used at every position;
# - **LSTM** (chapter 6): reads a sequence step by step, with the same weights at every step;
# - **Transformer**, here a small GPT (chapter 7): text is cut into **tokens**, words or parts of words from a fixed list, the vocabulary. A
#   table, the *embedding*, turns each token into a row of numbers. Then come blocks of *attention*, in which each token
#   collects information from the others, and of ordinary dense layers; all weights are used for every token.
#
# **Predict:** which one has the most parameters, and which needs the most FLOPs for one example?

# %% [markdown] lang="zh" of="38af5e39" tags=["answer", "predict"]
# **答案。** 至多 $0.25^{10}$，也就是百万分之一：sigmoid 的斜率最大是四分之一，而链式法则每过一层就要乘上这样一个斜率。
# 于是最前面几层的权重几乎不动。深层网络内部改用 ReLU 或 GELU，这是原因之一。
#
# ## 模型怎样才算大？
#
# 看三个数：**参数量** $N$、**数据量** $D$、**计算量** $C$。参数量可以手算，每一对之间一个权重，每个神经元一个偏置：
#
# $$ N = (784 \cdot 128 + 128) + (128 \cdot 10 + 10) $$
#
# 计算量用 **FLOPs**（浮点运算次数）来数。这里一次乘加算 2 FLOPs（许多图像网络的论文只算 1，比较之前先看清楚）。
# `flops.count` 逐层计数，并与手算和 TensorFlow 的性能分析器（profiler）核对过。
#
# 本课程的几个网络，区别在于处理一个样本时每个权重要用几次：
#
# - **感知机**（perceptron）：第 1 章的网络，每个权重只碰一个输入；
# - **卷积网络**（CNN，第 2 章）：少数几个权重在整张图上滑动，每个位置都要用一次；
# - **LSTM**（长短期记忆网络，第 6 章）：一步一步读序列，每一步用的是同一套权重；
# - **Transformer**，这里是一个小 GPT（第 7 章）：文本切成**词元**（token），即词或词的一部分，全部词元列成一张词表（vocabulary）。
#   **嵌入**（embedding）是一张表，把每个词元换成一行数。接着是若干个块（block），块里有**注意力**（attention），让每个词元从其他词元收集信息，
#   还有普通的全连接层；每个词元都要用到全部权重。
#
# **先猜：** 哪个网络参数最多？处理一个样本，哪个的 FLOPs 最多？

# %%
course = own_models.networks()
sizes = {name: flops.total(flops.count(model)) for name, model in course.items()}
print(f"{'':15} {words('parameters', '参数量'):>12} {'FLOPs':>14} {'FLOPs / 2N':>12}")
for name, size in sizes.items():
    used = size.flops / 2 / size.parameters
    print(f"{name:15} {size.parameters:12,} {size.flops:14,} {used:12.1f}")

by_hand = (784 * 128 + 128) + (128 * 10 + 10)
proofs.equal({"by_hand": by_hand, "Keras": course["perceptron"].count_params()})

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The small GPT has the most parameters, most of them in its two tables with a row or column per token; and it needs the most FLOPs,
# because it does all its work once for each of its 32 tokens. The beginner's CNN is the surprise: hardly more parameters than the perceptron, and about
# 25 times the arithmetic. Parameters alone do not tell the cost.
#
# ## Counting GPT-3
#
# Nobody needs to build GPT-3 to count it: the size of a Transformer follows from its shape. Let its **width** $d$ be the number of values
# per token. One block holds
#
# - attention: four matrices of $d \times d$ with their biases, $4 d^2 + 4 d$;
# - two dense layers, from $d$ to $4d$ and back: $8 d^2 + 5 d$;
# - two normalisations, with a factor and a shift per value: $4 d$.
#
# Together $12\,d^2 + 13\,d$. With $\ell$ blocks, a vocabulary of $V$ tokens and texts of at most $T$ tokens (the context),
#
# $$ N = \ell\,(12\,d^2 + 13\,d) + (V + T)\,d + 2\,d \qquad\text{(GPT-2, GPT-3)} $$
#
# Published sizes are listed in `topics/published_models.py`, each with its source. (ResNet-50's paper gives only its
# multiply-adds; its parameters are counted with `keras.applications`.) Does the formula give them?

# %% [markdown] lang="zh" of="698f6fc8" tags=["answer"]
# **答案。** 参数最多的是小 GPT，大部分在两张“每个词元占一行或一列”的表里；FLOPs 最多的也是它，因为 32 个词元，每个都要把全部计算做一遍。
# 出人意料的是入门 CNN（beginner's CNN）：参数比感知机多不了多少，计算量却是它的 25 倍左右。只看参数量，看不出计算量。
#
# ## 数一数 GPT-3
#
# 不必真的造一个 GPT-3 才能数它：Transformer 的大小由形状决定。设**宽度** $d$ 为每个词元用多少个数来表示。一个块里有
#
# - 注意力：四个 $d \times d$ 的矩阵，加上偏置，$4 d^2 + 4 d$；
# - 两个全连接层，从 $d$ 到 $4d$ 再回到 $d$：$8 d^2 + 5 d$；
# - 两个归一化层，每个数一个系数、一个平移量：$4 d$。
#
# 合计 $12\,d^2 + 13\,d$。设有 $\ell$ 个块，词表有 $V$ 个词元，文本最长 $T$ 个词元（上下文长度），则
#
# $$ N = \ell\,(12\,d^2 + 13\,d) + (V + T)\,d + 2\,d \qquad\text{（GPT-2、GPT-3）} $$
#
# 公布的大小写在 `topics/published_models.py` 里，每个都有出处。（ResNet-50 的论文只给了乘加次数，参数量是用 `keras.applications`
# 数出来的。）公式算出来的对得上吗？

# %% tags=["nbval-ignore-output"]
# GPT-3, table 2.1 of its paper
blocks, width, vocabulary, context = 96, 12288, 50257, 2048
in_blocks = blocks * (12 * width**2 + 13 * width)
by_hand = in_blocks + (vocabulary + context) * width + 2 * width
results.record("count.gpt3_parameters", by_hand, digits=0)
results.record("count.perceptron_parameters", sizes["perceptron"].parameters, digits=0)

# %%
print(words("millions of parameters: published, by the formula, source",
            "参数量（百万）：公布值，按公式，出处"))
for model in MODELS:
    formula = ""
    if model.shape:
        formula = f"{flops.transformer_parameters(**model.shape) / 1e6:,.1f}"
    published = f"{model.parameters / 1e6:,.2f}"
    print(f"{model.name:16} {published:>10} {formula:>10}  {model.source}")

# %% tags=["plot", "hero"]
plots.show(
    large_figures.models(sizes),
    alt="Left: models in order of their parameters on a log axis, this course's (stars) at the bottom, Llama 3.1 on top. Right: "
    "forward FLOPs against parameters; text models (squares) lie on the line 2N, image models (circles) far above it.",
    alt_zh="左图：各模型按参数量排列（对数轴），本课程的模型（星号）在底部，Llama 3.1 在顶端。"
    "右图：前向计算量与参数量；文本模型（方块）落在直线 2N 上，图像模型（圆点）远在其上。",
)

# %% [markdown] lang="en" tags=["predict"]
# The formula agrees with what was published to a few parts in a hundred (makers round). In the right picture, text models lie on the line $2N$: one
# multiply-add for each parameter and token. Image networks lie far above it. Two stars lie below: where the embedding is a large part of a network, many
# parameters are looked up and not multiplied.
#
# ## What training costs: $6ND$, and where it holds
#
# If each weight is used once for each token, a token costs $2N$ FLOPs forward. Backward costs twice that: chapter 1's
# `dense_backward` had two products, one for the gradient of the weights, one for that of the inputs. So for $D$ tokens
# ([Kaplan et al. 2020](https://arxiv.org/abs/2001.08361)),
#
# $$ C \approx 6\,N\,D $$
#
# The rule leaves out the products that attention makes between tokens, and it is about *dense* Transformers: all weights used, each once per token.
#
# **Predict:** for which of these is it wrong, and by how much: GPT-3, your perceptron, the beginner's CNN, ResNet-50?

# %% [markdown] lang="zh" of="8bfe97d0" tags=["predict"]
# 公式与公布值只差百分之几（公布时取了整）。右图里，文本模型落在直线 $2N$ 上：每个参数、每个词元做一次乘加。图像网络则远在线的上方。
# 有两颗星在线的下方：嵌入表在它们的参数里占了很大一部分，而嵌入是查表，不做乘法。
#
# ## 训练的代价：$6ND$，以及它何时成立
#
# 如果每个权重对每个词元只用一次，一个词元的前向就要 $2N$ FLOPs。反向是它的两倍：第 1 章的 `dense_backward` 里有两次乘法，
# 一次求权重的梯度，一次求输入的梯度。所以 $D$ 个词元要（[Kaplan 等，2020](https://arxiv.org/abs/2001.08361)）
#
# $$ C \approx 6\,N\,D $$
#
# 这条规则没有算注意力在词元之间做的乘法，而且说的是稠密（dense）Transformer：全部权重都用到，每个词元各用一次。
#
# **先猜：** 对 GPT-3、你的感知机、入门 CNN、ResNet-50，这条规则各准不准，差多少？

# %% tags=["nbval-ignore-output"]
gpts = {model.name: model for model in MODELS if model.maker == "OpenAI"}
for name, model in gpts.items():
    ratio = model.forward_flops / 2 / flops.transformer_parameters(**model.shape)
    print(f"{name:16} {ratio:8.2f}")
results.record("rule.gpt3_forward", ratio, digits=2)  # FLOPs counted / 2N
for name in ["perceptron", "beginner's CNN", "fast CNN"]:
    ratio = sizes[name].flops / 2 / sizes[name].parameters
    key = name.replace("'s", "").replace(" ", "_").lower()
    results.record(f"rule.{key}_forward", ratio, digits=2)
resnet = next(model for model in MODELS if model.name == "ResNet-50")
ratio = resnet.multiply_adds / resnet.parameters
results.record("rule.resnet_50_forward", ratio, digits=0)

# %% [markdown] lang="en" tags=["answer", "predict"]
# **Answer.** GPT-3 needs {{rule.gpt3_forward:.2f}} times $2N$ FLOPs forward: the rule is off by a few parts in a hundred, which are attention. The perceptron
# fits. The beginner's CNN needs {{rule.beginner_cnn_forward:.0f}} times as much as the rule says, ResNet-50 {{rule.resnet_50_forward:.0f}} times: for
# convolutions, count the layers instead. There are three more exceptions:
#
# - an embedding's rows are looked up and not multiplied;
# - a *mixture of experts* uses only part of its weights for a token;
# - the *first* layer needs no gradient of its input, since nothing before it is trained. That is negligible in GPT-3, but the
#   perceptron holds nearly all of its weights there, so its training costs about $4ND$. (Exercise 2.)
#
# Published training costs agree with $6ND$ almost perfectly, and that proves little: most of them are not measured, but computed by this very
# rule. The appendix of GPT-3's paper, from which BERT's cost comes too, multiplies 6 × parameters × tokens.
#
# ## How long would your machine need?
#
# We time a large matrix product, the fastest thing a processor does, and divide the cost of the training by this speed. We also time
# chapter 1's NumPy network and see what part of that speed it reaches.
#
# **Predict:** GPT-3 on this machine: days, years, centuries?

# %% [markdown] lang="zh" of="59b593ff" tags=["answer", "predict"]
# **答案。** GPT-3 的前向是 $2N$ 的 {{rule.gpt3_forward:.2f}} 倍，规则只差百分之几，差的就是注意力。感知机符合。入门 CNN 的计算量是规则所说的
# {{rule.beginner_cnn_forward:.0f}} 倍，ResNet-50 是 {{rule.resnet_50_forward:.0f}} 倍：卷积网络要老老实实逐层数。另外还有三个例外：
#
# - 嵌入表是查表，不做乘法；
# - **混合专家**（mixture of experts）模型处理一个词元时，只用到一部分权重；
# - 第一层不必求输入的梯度，因为它前面没有要训练的东西。这对 GPT-3 微不足道，可感知机几乎所有的权重都在第一层，
#   所以训练它只要大约 $4ND$（见练习 2）。
#
# 公布的训练计算量与 $6ND$ 几乎完全吻合，但这说明不了多少：它们大多不是测出来的，恰恰就是用这条规则算出来的。
# GPT-3 论文的附录（BERT 的数也出自那里）用的就是 6 × 参数量 × 词元数。
#
# ## 你的机器要算多久？
#
# 给一次大矩阵乘法计时，这是处理器做得最快的事；再用训练的总计算量除以这个速度。顺便也给第 1 章的 NumPy 网络计时，看它达到了这个速度的几分之几。
#
# **先猜：** 用这台机器训练 GPT-3，要几天、几年，还是几百年？

# %% tags=["nbval-ignore-output"]
devices.describe()
size = choose(smoke=512, laptop=1536, full=4096)
matrix = tf.random.normal((size, size))
multiply = tf.function(lambda a: tf.linalg.matmul(a, a))
multiply(matrix).numpy()  # the first call prepares the graph
times = []
for _ in range(5):
    begin = time.perf_counter()
    multiply(matrix).numpy()
    times.append(time.perf_counter() - begin)
speed = 2 * size**3 / min(times)  # size³ multiply-adds
results.record("machine.matrix_product_speed", speed / 1e9, unit="GFLOP/s", digits=1)

# %% tags=["nbval-ignore-output"]
x = digits.x_train[:15_000].reshape(-1, 784) / np.float32(255)
begin = time.perf_counter()
first_network.one_epoch(first_network.initialise(SEED), x, digits.y_train[:15_000])
seconds = time.perf_counter() - begin
work = 2 * (2 * 784 * 128 + 3 * 128 * 10)  # per digit; the first layer has two products
share = len(x) * work / seconds / speed
results.record("machine.numpy_training_share", share, digits=3)

for model in [model for model in MODELS if model.training_flops]:
    years = model.training_flops / speed / (365 * 24 * 3600)
    said = words("years", "年")
    print(f"{model.name:12} {model.training_flops:.1e} FLOPs {years:14,.0f} {said}")
    if model.name == "GPT-3":
        results.record("machine.gpt3_years", years, digits=0)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The machine that stored these outputs would train GPT-3 for {{machine.gpt3_years:,.0f}} years, and Llama 3.1 about 120 times as long. Large models
# are trained on thousands of accelerators for weeks (exercise 1). (`numpy_training_share` is the part of the matrix product's speed that chapter 1's training
# reached; its matrices are small, and the rest of its time goes into everything else.)
#
# ## Where large models are used
#
# | task | who began, and what is used | what to watch |
# |---|---|---|
# | **language**: classification, sentiment, named entities (persons, places), semantic roles (who did what to whom) | *encoders*, which read a whole text, like [BERT](https://arxiv.org/abs/1810.04805) (Google); fine-tuned, that is, trained a little further on the task | they inherit the slant of their texts; word counts with logistic regression are a strong rival (chapter 6a) |
# | **language**: generation, dialogue | *decoders*, which continue a text, like [GPT](https://arxiv.org/abs/2005.14165) (OpenAI) | fluent when wrong, too: next-word prediction does not reward truth |
# | **vision**: recognition | [AlexNet](https://doi.org/10.1145/3065386) (Toronto), [VGG](https://arxiv.org/abs/1409.1556) (Oxford), [ResNet](https://arxiv.org/abs/1512.03385) (Microsoft) | accuracy falls on new photographs [collected by the same recipe](https://arxiv.org/abs/1902.10811) |
# | **vision**: detection, image generation | [YOLO](https://arxiv.org/abs/1506.02640); [adversarial networks](https://arxiv.org/abs/1406.2661), now mostly [diffusion](https://arxiv.org/abs/2006.11239) | small and rare objects; pictures that look like evidence |
# | **speech**: recognition, synthesis | [Deep Speech](https://arxiv.org/abs/1412.5567) (Baidu), [Whisper](https://arxiv.org/abs/2212.04356) (OpenAI); [WaveNet](https://arxiv.org/abs/1609.03499) (DeepMind) | noise, accents, rare names |
# | **translation** | the [Transformer](https://arxiv.org/abs/1706.03762) (Google) was invented for it | languages with little parallel text; whole documents |
# | **driving** | networks find lanes and people; some [steer directly](https://arxiv.org/abs/1604.07316) (NVIDIA) | the rare event decides, and rare events are what data lacks |
# | **medicine** | [eye photographs](https://doi.org/10.1001/jama.2016.17216), protein shapes ([AlphaFold](https://doi.org/10.1038/s41586-021-03819-2), DeepMind) | in Thai clinics many real images were [rejected as ungradable](https://doi.org/10.1145/3313831.3376718) |
#
# **How to choose.** Ask in this order. What does a simple baseline reach? Is there a pre-trained model for this kind of data
# (then fine-tune it, chapter 8b)? If not, what *structure* does the data have?
#
# | data | first try | in this course |
# |---|---|---|
# | a table of numbers | boosted trees, logistic regression; then a perceptron | 1 |
# | images, sound as a picture | convolutions | 2, 3 |
# | short series, little data | linear models, then GRU or LSTM | 6 |
# | text, long sequences, much data | Transformer, pre-trained | 7 |
#
# Then size: as small as reaches the goal on validation data, within the memory and time you have. Take more data before more layers.
#
# **Tools, data, places to learn.** Here [Keras](https://keras.io) on [TensorFlow](https://www.tensorflow.org); elsewhere
# [PyTorch](https://pytorch.org) (chapter 10) and [JAX](https://docs.jax.dev); [scikit-learn](https://scikit-learn.org) for baselines.
# [MNIST](https://doi.org/10.1109/5.726791) and [ImageNet](https://doi.org/10.1007/s11263-015-0816-y) for images, the
# [UCI repository](https://archive.ics.uci.edu) for tables: read the licence, and how the data was collected. Courses:
# [CS231n](https://cs231n.stanford.edu), [CS230](https://cs230.stanford.edu), [*Dive into Deep Learning*](https://d2l.ai). Papers:
# [arXiv](https://arxiv.org), not reviewed. Questions: [Stack Overflow](https://stackoverflow.com), and a project's own issues.

# %% [markdown] lang="zh" of="a6deb83d" tags=["answer"]
# **答案。** 保存这些输出的机器训练 GPT-3 要 {{machine.gpt3_years:,.0f}} 年，训练 Llama 3.1 的时间约是它的 120 倍。大模型是用几千个加速器训练几个星期得来的
# （练习 1）。（`numpy_training_share` 是第 1 章的训练达到了矩阵乘法速度的几分之几：它的矩阵小，其余时间花在了别的事情上。）
#
# ## 大模型做什么用
#
# | 任务 | 从哪里开始，用什么 | 要当心什么 |
# |---|---|---|
# | **语言**：文本分类、情感分析、命名实体识别（人名、地名）、语义角色标注（谁对谁做了什么） | [BERT](https://arxiv.org/abs/1810.04805)（Google）一类的**编码器**，读完整段文本再作判断；用前先微调（fine-tuning），即在自己的任务上再训练一小会儿 | 会继承所读文本里的偏见；词频加逻辑回归是个很强的对手（第 6a 章） |
# | **语言**：文本生成、对话 | [GPT](https://arxiv.org/abs/2005.14165)（OpenAI）一类的**解码器**，把文本接着写下去 | 说错话时也一样流畅：预测下一个词这个任务，本来就不奖励说真话 |
# | **视觉**：识别 | [AlexNet](https://doi.org/10.1145/3065386)（多伦多大学）、[VGG](https://arxiv.org/abs/1409.1556)（牛津大学）、[ResNet](https://arxiv.org/abs/1512.03385)（微软） | 换成[按同样办法新收集的照片](https://arxiv.org/abs/1902.10811)，准确率也会下降 |
# | **视觉**：检测、图像生成 | [YOLO](https://arxiv.org/abs/1506.02640)；[生成对抗网络](https://arxiv.org/abs/1406.2661)，如今多用[扩散模型](https://arxiv.org/abs/2006.11239) | 小的、少见的物体；以假乱真的图片 |
# | **语音**：识别、合成 | [Deep Speech](https://arxiv.org/abs/1412.5567)（百度）、[Whisper](https://arxiv.org/abs/2212.04356)（OpenAI）；[WaveNet](https://arxiv.org/abs/1609.03499)（DeepMind） | 噪声、口音、生僻的名字 |
# | **翻译** | [Transformer](https://arxiv.org/abs/1706.03762)（Google）就是为翻译发明的 | 平行语料少的语言；整篇文档 |
# | **自动驾驶** | 找车道、行人；有的[直接输出方向盘转角](https://arxiv.org/abs/1604.07316)（NVIDIA） | 成败取决于罕见情况，而数据里缺的正是罕见情况 |
# | **医学** | [眼底照片分级](https://doi.org/10.1001/jama.2016.17216)；蛋白质的形状（[AlphaFold](https://doi.org/10.1038/s41586-021-03819-2)，DeepMind） | 在泰国的诊所里，许多真实照片[被判为“无法评级”](https://doi.org/10.1145/3313831.3376718) |
#
# **怎样选择架构。** 按这个次序问：一个简单的基线能做到多好？这类数据有没有预训练模型（有就微调，见第 8b 章）？没有的话，数据有什么样的结构？
#
# | 数据 | 先试什么 | 本课程 |
# |---|---|---|
# | 数值表格 | 提升树、逻辑回归，然后是感知机 | 1 |
# | 图像、画成图的声音 | 卷积网络 | 2、3 |
# | 较短的序列，数据少 | 线性模型，然后是 GRU 或 LSTM | 6 |
# | 文本、长序列，数据多 | 预训练的 Transformer | 7 |
#
# 再定大小：在验证集上够用的前提下越小越好，还要装得进你的内存、赶得上你的时间。先想办法加数据，再想加层数。
#
# **工具、数据、学习资源。** 本课程用 [Keras](https://keras.io) 和 [TensorFlow](https://www.tensorflow.org)；别处常见
# [PyTorch](https://pytorch.org)（第 10 章）和 [JAX](https://docs.jax.dev)；基线用 [scikit-learn](https://scikit-learn.org)。
# 图像有 [MNIST](https://doi.org/10.1109/5.726791) 和 [ImageNet](https://doi.org/10.1007/s11263-015-0816-y)，
# 表格有 [UCI 数据库](https://archive.ics.uci.edu)：用之前读一读许可，再看它是怎样收集的。课程有斯坦福的 [CS231n](https://cs231n.stanford.edu) 与
# [CS230](https://cs230.stanford.edu)、[《动手学深度学习》](https://zh.d2l.ai)；论文看 [arXiv](https://arxiv.org)（未经评审）；
# 提问可去 [Stack Overflow](https://stackoverflow.com)，或该项目自己的 issues。

# %% [markdown] lang="en"
# ## Clinic 1: a date, and a size
#
# *"Convolutional networks began in 2006 with Hinton."* They are older by a quarter of a century: Fukushima's neocognitron,
# [1980](https://doi.org/10.1007/BF00344251); a convolutional network trained by backpropagation on postal codes,
# by LeCun and colleagues, [1989](https://doi.org/10.1162/neco.1989.1.4.541); LeNet-5,
# [1998](https://doi.org/10.1109/5.726791). What Hinton, Osindero and Teh published in
# [2006](https://doi.org/10.1162/neco.2006.18.7.1527) were deep *belief* nets: fully connected, trained layer by layer without
# labels. In 2012 AlexNet made convolutions famous.
#
# *"A large model has hundreds to tens of millions of parameters."* Test it on everything in this chapter:

# %% [markdown] lang="zh" of="8075a79d"
# ## 公式门诊之一：一个年份，一个大小
#
# “卷积神经网络始于 2006 年，由 Hinton 提出。”其实早了四分之一个世纪：福岛邦彦的新认知机，
# [1980 年](https://doi.org/10.1007/BF00344251)；LeCun 等人用反向传播训练卷积网络识别邮政编码，
# [1989 年](https://doi.org/10.1162/neco.1989.1.4.541)；LeNet-5，[1998 年](https://doi.org/10.1109/5.726791)。
# Hinton、Osindero 与 Teh 在 [2006 年](https://doi.org/10.1162/neco.2006.18.7.1527) 发表的是深度信念网络：全连接，
# 不用标签，一层一层地训练。让卷积网络出名的，是 2012 年的 AlexNet。
#
# “大模型有数百乃至数千万个参数。”拿本章出现的所有模型来检验：

# %%
everything = {name: size.parameters for name, size in sizes.items()}
everything |= {model.name: model.parameters for model in MODELS}
claimed = [name for name, parameters in everything.items() if 1e2 <= parameters < 1e8]
others = [name for name in everything if name not in claimed]
print(words("large, by this claim:", "按此说法算大："), ", ".join(claimed))
print(words("not large:", "按此说法不算："), ", ".join(others))

# %% [markdown] lang="en"
# A definition that calls your perceptron large and GPT-3 not large defines nothing.
#
# ## Clinic 2: listings that cannot run
#
# Four faults from common beginners' listings, each in miniature: a name never imported, labels never made, a loader never
# defined, and an LSTM built for 100 features that is fed one. The first three can be found *without running*: collect the
# names that are used, subtract those that are defined. (`ruff` and `pyflakes` do this for you.)

# %% [markdown] lang="zh" of="523aecd4"
# 按这个定义，你的感知机算大模型，GPT-3 反而不算，那它等于什么都没定义。
#
# ## 公式门诊之二：跑不起来的代码
#
# 常见入门代码里的四种毛病，各缩成一小段：用了从未导入的名字；标签从未生成；数据加载器从未定义；LSTM 按 100 个特征建好，
# 喂进来的却只有 1 个。前三种不用运行就能发现：收集所有用到的名字，减去定义过的名字。（`ruff` 和 `pyflakes` 会替你做这件事。）

# %%
def undefined(source):
    """Names that are read somewhere and defined nowhere."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    defined = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    defined |= {alias.asname or alias.name for node in imports for alias in node.names}
    return sorted({node.id for node in names} - defined - set(dir(builtins)))

# %%
start = "import keras, numpy as np\nimages = np.zeros((4, 100, 1), 'float32')\n"
listings = {
    "import": start + "F.relu(images)",
    "labels": start + "keras.losses.mean_squared_error(train_labels, images)",
    "loader": start + "for batch in train_loader: print(batch.shape)",
    "width": start + "reader = keras.Sequential([keras.Input((None, 100)), "
             "keras.layers.LSTM(8)])\nreader(images)",
}
for name, source in listings.items():
    try:
        exec(source, {})
    except Exception as error:
        print(f"{name:7} {undefined(source)!s:18} {type(error).__name__}")

# %% [markdown] lang="en"
# Each of them stops with the error in the last column. The wrong shape has no undefined name: that one needs a run, on one batch, before the long
# one.
#
# ## Clinic 3: words that promise too much
#
# *"Human-level."* Compared with which people, on which data, by which measure? In 2018 machine translation of news was
# reported at [human parity](https://arxiv.org/abs/1803.05567); judged by whole documents instead of single sentences,
# raters [preferred the people](https://arxiv.org/abs/1808.07048). Other such words: *understands, knows, solves, is robust,
# without bias, learns by itself*. Replace each by what was measured. Chapter 1 did it
# with one number: its network recognises digits, but only white on black.

# %% [markdown] lang="zh" of="1c125393"
# 每一段都会停在最后一列的那个错误上。形状错误里没有未定义的名字，要运行才知道：正式训练之前，先跑一个批次。
#
# ## 公式门诊之三：言过其实的词
#
# “达到人类水平。”和哪些人比？用什么数据？按什么标准？2018 年有报告说新闻的机器翻译已[与人相当](https://arxiv.org/abs/1803.05567)；
# 改为整篇评价而不是逐句评价之后，评审[更喜欢人的译文](https://arxiv.org/abs/1808.07048)。类似的词还有：理解、知道、解决了、鲁棒、
# 没有偏见、自己学会。见到这些词，就换成“实际测了什么、测得多少”。
# 第 1 章就做过一次：网络会认数字，不过仅限于黑底白字。

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - Your network of chapter 1 has {{count.perceptron_parameters:,.0f}} parameters, GPT-3 {{count.gpt3_parameters:,.0f}}; you counted both by hand.
# - Ten sigmoids in a row let at most $0.25^{10}$ of the error through; formula, `GradientTape` and nudges agree on all four slopes.
# - Forward, GPT-3 costs {{rule.gpt3_forward:.2f}} times $2N$ FLOPs per token: the rule holds for dense Transformers.
# - For the beginner's CNN the rule is wrong by a factor of {{rule.beginner_cnn_forward:.0f}}, for ResNet-50 by {{rule.resnet_50_forward:.0f}}.
# - At {{machine.matrix_product_speed:.0f}} GFLOP/s, the machine that stored these outputs would train GPT-3 for {{machine.gpt3_years:,.0f}} years.
#
# | | formula |
# |---|---|
# | dense layer, $a$ inputs, $b$ outputs | $a\,b + b$ parameters, $2\,a\,b$ FLOPs forward |
# | Transformer block of width $d$ | $12\,d^2 + 13\,d$ parameters |
# | training, dense Transformer | $C \approx 6\,N\,D$: $2ND$ forward, $4ND$ backward |
# | time | $C$ / (devices × speed × utilisation) |
# | slopes | ReLU: 0 or 1; $\sigma' = \sigma(1-\sigma) \le \tfrac14$; $\tanh' = 1 - \tanh^2 \le 1$ |

# %% [markdown] lang="zh" of="8d65d52d" tags=["summary"]
# ## 你测到了什么
#
# - 第 1 章的网络有 {{count.perceptron_parameters:,.0f}} 个参数，GPT-3 有 {{count.gpt3_parameters:,.0f}} 个，都是手算出来的。
# - 连过十个 sigmoid，误差至多剩下 $0.25^{10}$；四种激活函数的斜率，公式、`GradientTape` 和拨动三者一致。
# - GPT-3 的前向，每个词元是 $2N$ FLOPs 的 {{rule.gpt3_forward:.2f}} 倍：规则对稠密 Transformer 成立。
# - 对入门 CNN，实际计算量是规则所说的 {{rule.beginner_cnn_forward:.0f}} 倍；对 ResNet-50，是 {{rule.resnet_50_forward:.0f}} 倍。
# - 按 {{machine.matrix_product_speed:.0f}} GFLOP/s 的实测速度，保存这些输出的机器训练 GPT-3 要 {{machine.gpt3_years:,.0f}} 年。
#
# | | 公式 |
# |---|---|
# | 全连接层，$a$ 个输入，$b$ 个输出 | $a\,b + b$ 个参数，前向 $2\,a\,b$ FLOPs |
# | 宽度为 $d$ 的 Transformer 块 | $12\,d^2 + 13\,d$ 个参数 |
# | 训练稠密 Transformer | $C \approx 6\,N\,D$：前向 $2ND$，反向 $4ND$ |
# | 时间 | $C$ /（设备数 × 速度 × 利用率） |
# | 斜率 | ReLU：0 或 1；$\sigma' = \sigma(1-\sigma) \le \tfrac14$；$\tanh' = 1 - \tanh^2 \le 1$ |

# %% [markdown] lang="en"
# ### Exercise 1 · medium — how many days?
#
# Write `training_days(parameters, tokens, devices, flops_per_second, utilisation)`: how long does a dense Transformer train
# by the rule $6ND$, on so many devices, each with a peak speed of which only the share `utilisation` (0 to 1) is reached?
# Then try GPT-3 ($N = 1.75 \cdot 10^{11}$, $D = 3 \cdot 10^{11}$) on your machine (`speed` from above: it was measured, so the
# utilisation is 1), and on a thousand devices of $3 \cdot 10^{14}$ FLOP/s at a utilisation of 0.4.

# %% [markdown] lang="zh" of="e0edc833"
# ### 练习 1 · 中 —— 要训练多少天？
#
# 写出 `training_days(parameters, tokens, devices, flops_per_second, utilisation)`：按 $6ND$，一个稠密 Transformer 在这么多台设备上要训练几天？
# 每台设备的峰值速度已知，但实际只达到其中 `utilisation`（0 到 1）这个比例。
# 然后用它算一算 GPT-3（$N = 1.75 \cdot 10^{11}$，$D = 3 \cdot 10^{11}$）：在你的机器上要多久（速度用上面的 `speed`，它是实测值，
# 利用率取 1）？在一千台 $3 \cdot 10^{14}$ FLOP/s、利用率 0.4 的设备上呢？

# %% tags=["exercise"]
def training_days(parameters, tokens, devices, flops_per_second, utilisation):
    """Days of training by 6ND."""
    ### BEGIN SOLUTION
    seconds = 6 * parameters * tokens / (devices * flops_per_second * utilisation)
    return seconds / 86_400
    ### END SOLUTION

# %% tags=["check"]
exercises.check("01a.training_days", training_days)

# %% [markdown] lang="en" tags=["hint"]
# Work ÷ speed = time. Forward costs 2 FLOPs per parameter and token; backward twice that. The speed that is really reached
# is *less* than the peak. A day has $24 \cdot 60 \cdot 60$ seconds.

# %% [markdown] lang="zh" of="7c0960c5" tags=["hint"]
# 时间 = 工作量 ÷ 速度。每个参数、每个词元，前向要 2 FLOPs，反向是它的两倍。实际速度低于峰值。一天有 $24 \cdot 60 \cdot 60$ 秒。

# %% [markdown] lang="en"
# ### Exercise 2 · hard — what a training step costs
#
# $6ND$ forgets that the first layer needs no gradient of its input. Write `training_flops(sizes)`: the FLOPs of the matrix products for
# *one* example, forward and backward, in a stack of dense layers (biases and activations left out). `sizes` lists the numbers from
# input to output, `[784, 128, 10]` for the perceptron. Then compare with $6N$.

# %% [markdown] lang="zh" of="2645ab45"
# ### 练习 2 · 难 —— 训练一步要多少运算
#
# $6ND$ 忘了一件事：第一层不必求输入的梯度。写出 `training_flops(sizes)`：一叠全连接层处理一个样本，前向加反向，
# 所有矩阵乘法一共多少 FLOPs（偏置和激活函数不计）。`sizes` 从输入到输出列出各层的大小，感知机就是 `[784, 128, 10]`。再与 $6N$ 比一比。

# %% tags=["exercise"]
def training_flops(sizes):
    """FLOPs of the matrix products for one example, forward and backward."""
    ### BEGIN SOLUTION
    weights = [inputs * outputs for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True)]
    return 2 * (3 * sum(weights) - weights[0])
    ### END SOLUTION

# %% tags=["check"]
exercises.check("01a.training_flops", training_flops)

# %% [markdown] lang="en" tags=["hint"]
# One multiply-add is 2 FLOPs, and every weight takes part in one product forward, one for its own gradient, and one for the gradient
# of the layer's input. Which layer can leave out which of the three?

# %% [markdown] lang="zh" of="a9c53e6a" tags=["hint"]
# 一次乘加算 2 FLOPs。每个权重参与三次乘法：前向一次，求它自己的梯度一次，求这一层输入的梯度一次。哪一层可以省掉哪一次？

# %% [markdown] lang="en"
# ### Exercise 3 · medium — measure it: a fixed amount of compute
#
# You may spend $2 \cdot 10^9$ FLOPs on training chapter 1's network, counted as in exercise 2. How do you spend them? A large network
# sees few digits, a small one can look at many. Write `plan()`, which returns for instance `{"hidden": 128, "examples": 4_888,
# "epochs": 1}`: hidden neurons, different digits (at most 15,000), and how often each is seen. (Batches of 25 and the learning
# rate 0.1 are given.) This example stays below a validation accuracy of 0.90; reach 0.92. The check counts, trains and measures.

# %% [markdown] lang="zh" of="fd143522"
# ### 练习 3 · 中 —— 测一测：计算量固定
#
# 训练第 1 章的网络，总共只准用 $2 \cdot 10^9$ FLOPs，按练习 2 的办法来数。怎么花？网络大，看的样本就少；网络小，可以看很多样本。
# 写出 `plan()`，返回的字典例如 `{"hidden": 128, "examples": 4_888, "epochs": 1}`：隐藏神经元个数、不同的样本数（最多 15,000）、每个样本看几遍。
# （批量大小 25 和学习率 0.1 已经定好。）上面这个例子的验证准确率不到 0.90，请达到 0.92。检查程序会计数、训练，再看实测结果。

# %% tags=["exercise"]
def plan():
    """How to spend two billion FLOPs on training."""
    ### BEGIN SOLUTION
    return {"hidden": 16, "examples": 15_000, "epochs": 2}
    ### END SOLUTION

# %% tags=["check", "nbval-ignore-output"]
exercises.check("01a.plan", plan)

# %% [markdown] lang="en" tags=["hint"]
# The cost per look is nearly proportional to `hidden`: with an eighth of the neurons you can look eight times as often. (Large language models were
# long trained like the example, too large for their data, until [Hoffmann et al. 2022](https://arxiv.org/abs/2203.15556) measured it: chapter 8.)

# %% [markdown] lang="zh" of="eb84c546" tags=["hint"]
# 看一个样本的代价几乎与 `hidden` 成正比：神经元减到八分之一，就能看八倍的样本。（大语言模型也曾长期像例子里那样：模型太大，数据太少，
# 直到 [Hoffmann 等，2022](https://arxiv.org/abs/2203.15556) 实测之后才改观，见第 8 章。）

# %% [markdown] lang="en"
# ### Exercise 4 · easy — find the bug
#
# A friend counts the parameters of dense layers. For `[784, 128, 10]` the function returns 102,544, and Keras counts 101,770. Find
# what is wrong and write the repaired `count_parameters`; it should work for any number of layers.
#
# ```python
# def count_parameters(sizes):
#     return sum(inputs * outputs + inputs for inputs, outputs in zip(sizes[:-1], sizes[1:]))
# ```

# %% [markdown] lang="zh" of="9ac99c20"
# ### 练习 4 · 易 —— 找出错误
#
# 一位同学写了一个函数来数全连接层的参数。对 `[784, 128, 10]`，它返回 102,544，而 Keras 数出来是 101,770。请找出毛病，
# 写出改正后的 `count_parameters`，层数不限。
#
# ```python
# def count_parameters(sizes):
#     return sum(inputs * outputs + inputs for inputs, outputs in zip(sizes[:-1], sizes[1:]))
# ```

# %% tags=["exercise"]
def count_parameters(sizes):
    """Weights and biases of dense layers between these sizes."""
    ### BEGIN SOLUTION
    pairs = zip(sizes[:-1], sizes[1:], strict=True)
    return sum(inputs * outputs + outputs for inputs, outputs in pairs)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("01a.count_parameters", count_parameters)

# %% [markdown] lang="en" tags=["hint"]
# The two numbers differ by 774 = 784 − 10. Which of the layers' sizes should be added, and which one should not?

# %% [markdown] lang="zh" of="46929f43" tags=["hint"]
# 两个数相差 774 = 784 − 10。各层的大小里，哪些该加，哪一个不该加？

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("01a")

# %% [markdown] lang="en"
# ## What to read
#
# - Goodfellow, Bengio and Courville, [*Deep Learning*](https://www.deeplearningbook.org), chapter 1.
# - LeCun, Bengio and Hinton, [*Deep learning*](https://doi.org/10.1038/nature14539), 2015: the field on nine pages.
# - Kaplan et al., [*Scaling laws for neural language models*](https://arxiv.org/abs/2001.08361), and Hoffmann et al.,
#   [*Training compute-optimal large language models*](https://arxiv.org/abs/2203.15556): where $6ND$ is used (chapter 8).
#
# **What the full profile changes.** Only the matrix whose product is timed: it is larger, so that a fast machine shows its speed.
#
# Next: chapter 2 lets the network see that neighbouring pixels are neighbours.

# %% [markdown] lang="zh" of="c21adaa8"
# ## 应用与延伸阅读
#
# - Goodfellow、Bengio 与 Courville，[《深度学习》](https://www.deeplearningbook.org)（“花书”，有中译本），第 1 章；
#   邱锡鹏，[《神经网络与深度学习》](https://nndl.github.io)，第 1 章。
# - LeCun、Bengio 与 Hinton，[*Deep learning*](https://doi.org/10.1038/nature14539)，2015：用九页讲完这个领域。
# - Kaplan 等，[*Scaling laws for neural language models*](https://arxiv.org/abs/2001.08361)；Hoffmann 等，
#   [*Training compute-optimal large language models*](https://arxiv.org/abs/2203.15556)：$6ND$ 就用在这里（第 8 章）。
#
# **换成 full 配置会怎样。** 只有测速用的矩阵变大，好让快的机器显出本事。
#
# 接下来：第 2 章让网络看见，相邻的像素是邻居。
