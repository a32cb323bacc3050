# %% [markdown] lang="en" reads=["seeds-09"] telling=["steps.sgd_4", "steps.sgd_1024", "batch_times_4.sgd_linear_rule"]
# # 9 Training on many devices
#
# Give a network 256 times as many examples per step. How many times fewer steps does it then need? In the left picture,
# SGD goes from {{steps.sgd_4:.0f}} steps to {{steps.sgd_1024:.0f}}: far from 256 times fewer. Both curves first follow
# the dotted line, twice the batch for half the steps, and then they bend. On which side of the bend you are decides
# whether a thousand devices are a gain or a waste.
#
# In this chapter two simulated devices take one step together, number for number the step of one device. Then you see
# where Keras's own `fit` gets it wrong without a warning. At the end you start two real processes, kill one in the middle
# of an epoch, and get back weights that are equal to the last bit.
#
# **By the end you will be able to**
#
# - show that one step on $R$ devices is the step of one device, and name the exceptions: dropout, batch normalisation,
#   clipping, accumulation, an uneven last batch;
# - add up gradients in a ring, count what is sent, and say from which batch size on a second machine pays;
# - say what a larger batch buys in steps, where that ends, and how the learning rate follows, for SGD and for Adam;
# - replace a batch that does not fit into memory by several that do;
# - start workers, lose one, and end with the same weights;
# - take a script from one CPU to several GPUs or machines, with one line that chooses the strategy.
#
# **Before you start:** optimisers and momentum (chapter 5), batch normalisation (chapter 2a). The measured time and memory
# are printed below.
# %% [markdown] lang="zh" of="1022d02d"
# # 9 分布式训练
#
# 让网络每一步看 256 倍的样本，步数能少到几分之一？看左图：SGD 从 {{steps.sgd_4:.0f}} 步降到 {{steps.sgd_1024:.0f}} 步，
# 离 256 分之一还差得远。两条曲线起初都沿着点线走，批量加倍，步数减半；后来就弯了。一千个设备是赚是赔，就看你在拐弯的哪一边。
#
# 这一章先让两个模拟的设备一起走一步，结果与一个设备走的那一步逐个数相等。接着你会看到，Keras 自带的 `fit` 在哪些地方会悄悄算错。
# 最后启动两个真正的进程，训练到一半杀掉其中一个，重新启动之后，得到的权重一位不差。
#
# **学完这一章，你能够**
#
# - 验证 $R$ 个设备走一步与一个设备走一步结果相等，并说出哪些地方是例外：随机失活、批量归一化、梯度裁剪、梯度累积，以及分不匀的最后一批；
# - 像设备那样绕着环把梯度加起来，数出一共传了多少数，并算出批量多大时才值得再加一台机器；
# - 说清批量变大能省多少步、省到哪里为止，学习率又该怎样跟着变（SGD 与 Adam 各有各的变法）；
# - 内存装不下一大批时，用几个小批代替它；
# - 启动几个工作进程，失去其中一个，最后仍得到同样的权重；
# - 用一行选择策略的代码，把同一个脚本从一个 CPU 搬到多个 GPU 或多台机器上。
#
# **预备知识：** 优化器与动量（第 5 章），批量归一化（第 2a 章）。用时与内存见下方第一段输出。
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
import os
import re
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from course_utils import datasets, devices, exercises, machine, plots, profiles, proofs, results, training
from course_utils.topics import workers
from course_utils.models import vision
from course_utils.profiles import choose
from course_utils.reference import activations, optimizers
# %% tags=["parameters"]
PROFILE = None
SEED = 0
REPLICAS = 2  # devices simulated on the CPU; 0: take what the machine has, several GPUs or a TPU · 模拟的设备数；0：使用机器上真有的
# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
if REPLICAS:
    os.environ["COURSE_CPU_REPLICAS"] = str(REPLICAS)
strategy = devices.create_strategy()
devices.describe()
# %% tags=["cost", "nbval-ignore-output"]
results.cost("09")
# %% [markdown] lang="en"
# ## The idea: the same weights everywhere, a share of the batch each
#
# Every device holds a complete copy of the model, a **replica**. A batch comes in and is cut into shares. Each replica
# computes the gradient of its own share. Then the gradients are added up, every replica gets the sum, and all of them take
# the same step. The copies were equal before the step, so they are equal after it, and nobody has to compare weights.
#
# This is **data parallel** training with synchronous steps. (When the model itself does not fit into one device, the *model*
# is cut. That needs other tools; see the last section.)
# %% [markdown] lang="zh" of="efa05d7e"
# ## 核心思想：处处是同样的权重，各拿一份数据
#
# 每个设备上都有一份完整的模型，叫作**副本**（replica）。来了一批数据，切成几份，每个副本算出自己那一份的梯度；
# 然后把梯度加起来，让每个副本都拿到总和，大家迈出同样的一步。走之前各份权重相等，走完也就还相等，谁也不用去核对。
#
# 这就是同步的**数据并行**（data parallel）训练。（如果模型大得一个设备装不下，就得把模型也切开，那是另一类工具，见最后一节。）
# %% tags=["plot"]
def box(axis, x, y, text, color):
    axis.text(x, y, text, ha="center", va="center", fontsize=10, bbox={"boxstyle": "round,pad=0.5", "facecolor": color, "edgecolor": "0.3"})


figure, axis = plt.subplots(figsize=(9, 3.3))
box(axis, 0, 1, "global batch\n8 examples", "white")
box(axis, 4, 1, "sum of the\ngradients", "#ffe9c7")
for y, name in [(1.75, "0"), (0.25, "1")]:
    box(axis, 1.2, y, "share:\n4 examples", "white")
    box(axis, 2.6, y, f"replica {name}: same weights,\nits own gradient", "#d6e8f5")
    box(axis, 5.4, y, f"replica {name}: the\nsame step", "#d6e8f5")
    for start, end in [((0.45, 1 + (y - 1) * 0.3), (0.85, y)), ((1.55, y), (1.85, y)), ((3.35, y), (3.65, 1 + (y - 1) * 0.3)),
                       ((4.35, 1 + (y - 1) * 0.3), (4.95, y))]:
        axis.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "0.3"})
axis.set(xlim=(-0.6, 6), ylim=(-0.3, 2.3))
axis.axis("off")
plots.show(
    figure,
    alt="A batch of eight examples is cut into two shares of four; two replicas with the same weights compute a gradient each; the gradients are added up; "
    "both replicas take the same step.",
    alt_zh="一批八个样本切成两份，每份四个；两个权重相同的副本各算一个梯度；梯度相加；两个副本迈出同样的一步。",
)
# %% [markdown] lang="en"
# ## From the formula to the devices
#
# The devices meet only once per step, in the middle of the picture: that is where the gradients are added up. Is the result
# really the gradient of the whole batch? The loss of a batch is a mean over its $n$ examples. Cut the examples into $R$
# shares, where share $r$ has $n_r$ examples and the mean loss $L_r$:
#
# $$ \nabla L \;=\; \frac{1}{n} \sum_{i=1}^{n} \nabla \ell_i \;=\; \sum_{r=1}^{R} \frac{n_r}{n}\, \nabla L_r \qquad\text{and for
# equal shares}\qquad
#    \nabla L = \frac{1}{R} \sum_{r=1}^{R} \nabla L_r $$
#
# A derivative is linear, and that is the whole theory. We check it with softmax regression on eight digits, which has a single
# weight matrix (784, 10):
# %% [markdown] lang="zh" of="161158dd"
# ## 从公式到设备
#
# 图里，设备之间每一步只碰一次头，就是中间把梯度加起来的时候。加出来的真是整批的梯度吗？一批的损失是 $n$ 个样本的平均。
# 把样本切成 $R$ 份，第 $r$ 份有 $n_r$ 个，平均损失为 $L_r$：
#
# $$ \nabla L \;=\; \frac{1}{n} \sum_{i=1}^{n} \nabla \ell_i \;=\; \sum_{r=1}^{R} \frac{n_r}{n}\, \nabla L_r \qquad\text{各份一样大时}\qquad
#    \nabla L = \frac{1}{R} \sum_{r=1}^{R} \nabla L_r $$
#
# 求导是线性运算，全部理论就这一句。下面用 softmax 回归和八个手写数字来核对，权重只有一个矩阵 (784, 10)：
# %%
digits = datasets.mnist()
flat = digits.x_train[:20_000].reshape(-1, 784) / np.float32(255)  # (20000, 784)
labels = digits.y_train.astype("int32")


def share_gradient(weights, images, targets):
    """Gradient of the mean cross entropy of softmax regression by its weights, (784, 10)."""
    probabilities = activations.softmax(images @ weights)  # (share, 10)
    return images.T @ (probabilities - np.eye(10)[targets]) / len(images)


weights = np.random.default_rng(SEED).normal(size=(784, 10)) * 0.1
first, second = slice(0, 4), slice(4, 8)
with tf.GradientTape() as tape:
    tape.watch(watched := tf.constant(weights))
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels[:8], tf.constant(flat[:8], "float64") @ watched))
proofs.equal({
    "one device": share_gradient(weights, flat[:8], labels[:8]),
    "mean of two shares": (share_gradient(weights, flat[first], labels[first]) + share_gradient(weights, flat[second], labels[second])) / 2,
    "GradientTape": tape.gradient(loss, watched),
})
# %% [markdown] lang="en" tags=["predict"]
# Two shares of four give the gradient of all eight, and TensorFlow agrees.
#
# ### Clinic: "the gradient of the batch is the mean of the devices' gradients"
#
# You will find this sentence everywhere, often without "for equal shares". But the last batch of an epoch is rarely a
# multiple of $R$. Let one device have five of the eight examples and the other three.
#
# **Predict:** is the plain mean of the two gradients off by a thousandth, a hundredth or more?
# %% [markdown] lang="zh" of="5c082506" tags=["predict"]
# 两份各四个样本，平均起来正是八个样本的梯度，TensorFlow 的结果也一致。
#
# ### 公式门诊：“整批的梯度就是各设备梯度的平均”
#
# 这句话随处可见，“各份一样大”这个条件却常常省掉。一轮里的最后一批，很少正好是 $R$ 的倍数。设一个设备分到八个样本中的五个，另一个分到三个。
#
# **先猜：** 把两个梯度直接平均，误差是千分之一、百分之一，还是更大？
# %%
whole = share_gradient(weights, flat[:8], labels[:8])
five = share_gradient(weights, flat[:5], labels[:5])
three = share_gradient(weights, flat[5:8], labels[5:8])
error = np.linalg.norm((five + three) / 2 - whole) / np.linalg.norm(whole)
print("mean of the two, error above a tenth · 直接平均，误差超过十分之一:", error > 0.1)
proofs.equal({"whole batch": whole, "weighed 5/8 and 3/8": 5 / 8 * five + 3 / 8 * three})
# %% [markdown] lang="en" tags=["answer"]
# **Answer.** More than a tenth. In the plain mean, each of the three examples counts five thirds as much as each of the
# other five. Weighted by 5/8 and 3/8, the two gradients give the whole batch again. So either divide every example's loss by
# the size of the *global* batch and add up, or make sure that the shares are equal (in `tf.data`: `drop_remainder=True`). The
# course's own loop, `training.distributed_fit`, weights each share by its number of examples.
#
# ## All-reduce: how every device gets the sum
#
# $R$ devices hold a gradient of $M$ numbers each, and all of them want the sum. The first idea: all send to one device, it adds,
# and sends the result back. Then one cable carries $(R-1)\,M$ numbers in and as many out.
#
# The **ring** is better. Cut the gradient into $R$ blocks. In each of $R-1$ rounds, every device hands one block to its right
# neighbour, who adds it to its own. Afterwards every device owns the full sum of *one* block. In another $R-1$ rounds the
# finished blocks travel around the ring. Each device sends
#
# $$ 2\,(R-1)\,\frac{M}{R} \;<\; 2M \quad\text{numbers, however many devices there are} $$
#
# ([Patarasuk and Yuan 2009](https://doi.org/10.1016/j.jpdc.2008.09.002)). Try it on paper with three devices: if device $d$
# begins by sending block $d$, who owns which finished block after the first half?
# %% [markdown] lang="zh" of="9e265a0a" tags=["answer"]
# **答案。** 超过十分之一。直接平均时，那三个样本每个的分量，是另外五个的三分之五倍。改成按 5/8 和 3/8 加权，就又得到整批的梯度了。
# 所以，要么让每个样本的损失都除以**全局**批的大小再相加，要么保证各份一样大（在 `tf.data` 里写 `drop_remainder=True`）。
# 本课程自己的循环 `training.distributed_fit` 按每一份的样本数加权。
#
# ## 全归约（all-reduce）：怎样让每个设备都拿到总和
#
# $R$ 个设备各有一个含 $M$ 个数的梯度，都想要总和。最先想到的办法是全都发给其中一个，由它相加，再发回去。
# 这样一来，有一根线要收 $(R-1)\,M$ 个数，还要发出同样多。
#
# **环**（ring）更好。把梯度切成 $R$ 块，进行 $R-1$ 个回合：每个回合里，每个设备把一块交给右边的邻居，邻居把它加到自己那块上。
# 这时每个设备恰好拥有其中一块的完整总和。再用 $R-1$ 个回合，把算好的块传一圈。每个设备一共发送
#
# $$ 2\,(R-1)\,\frac{M}{R} \;<\; 2M \quad\text{个数，与设备有多少无关} $$
#
# （[Patarasuk 与 Yuan，2009](https://doi.org/10.1016/j.jpdc.2008.09.002)）。拿三个设备在纸上试试：设备 $d$ 从第 $d$ 块开始发送，
# 前半程结束时，谁拥有哪一块的总和？
# %%
def ring_all_reduce(vectors):
    """Give each of R devices the sum of their vectors; returns the R results and how many numbers device 0 has sent."""
    devices_count, sent = len(vectors), 0
    pieces = [np.array_split(vector.copy(), devices_count) for vector in vectors]  # pieces[device][number]
    for adding in (True, False):  # first add up, then hand round
        for turn in range(devices_count - 1):
            moving = [(device - turn + (0 if adding else 1)) % devices_count for device in range(devices_count)]
            messages = [pieces[device][number].copy() for device, number in enumerate(moving)]  # all send at the same time
            for device, (number, message) in enumerate(zip(moving, messages, strict=True)):
                receiver = (device + 1) % devices_count
                pieces[receiver][number] = pieces[receiver][number] + message if adding else message
            sent += len(messages[0])
    return [np.concatenate(parts) for parts in pieces], sent


random = np.random.default_rng(SEED)
for count in (2, 3, 8):
    vectors = random.normal(size=(count, 240))
    everywhere, sent = ring_all_reduce(vectors)
    proofs.equal({f"{count} devices: every copy": np.array(everywhere), "the sum": np.tile(vectors.sum(axis=0), (count, 1))})
    print(f"  sent by each · 每个设备发送 {sent} = 2 · {count - 1} · 240 / {count}; through one device · 经由一个设备: {2 * (count - 1) * 240}")
# %% [markdown] lang="en" tags=["predict"]
# Device $d$ ends the first half with block $d + 1$: block $d$ sets out from device $d$, passes through all the others, and is
# complete when it reaches device $d - 1$. And look at the numbers sent. With eight devices each sends less than twice its own
# gradient, where a single collecting device would have to carry eight times as much.
#
# ## When does a second machine pay?
#
# A dense layer with $N$ weights costs about $6N$ operations per example, forward and backward (chapter 8), and $4N$ bytes of
# gradient per step. Let a device do $F$ operations per second, let its link carry $b$ bytes per second, and let it work on $t$
# examples per step. Computing takes $6Nt/F$, and the ring takes $2\frac{R-1}{R}\cdot 4N/b$. The share of the time that is
# spent *computing* is
#
# $$ \text{efficiency} = \frac{1}{1 + \dfrac{4}{3}\,\dfrac{R-1}{R}\,\dfrac{F}{b\,t}} $$
#
# $N$ has gone! Whether the second machine pays does not depend on the size of the model, but on the examples (or tokens) *per
# device* and on $F/b$. (The speeds below are assumed and rounded. Real systems send while the backward pass is still
# computing, which hides part of the time. A convolution uses each weight at every position of the image, so one image counts
# as hundreds of examples.)
#
# **Predict:** two laptops are connected by Wi-Fi. How many examples per step does each of them need before a dense network
# spends half its time computing?
# %% [markdown] lang="zh" of="9489661a" tags=["predict"]
# 前半程结束时，设备 $d$ 拥有第 $d+1$ 块：第 $d$ 块从设备 $d$ 出发，经过所有其他设备，到达 $d-1$ 时就完整了。再看发送的个数：
# 八个设备时，每个设备发出的还不到自己梯度的两倍；如果由一个设备来收发，它得传八倍那么多。
#
# ## 再加一台机器，什么时候划算？
#
# 一个有 $N$ 个权重的全连接层，每个样本前向加反向约需 $6N$ 次运算（第 8 章），每一步的梯度是 $4N$ 个字节。设每个设备每秒做 $F$ 次运算，
# 它的连线每秒传 $b$ 个字节，每一步处理 $t$ 个样本。计算用时 $6Nt/F$，环用时 $2\frac{R-1}{R}\cdot 4N/b$。于是真正用于计算的时间占
#
# $$ \text{效率} = \frac{1}{1 + \dfrac{4}{3}\,\dfrac{R-1}{R}\,\dfrac{F}{b\,t}} $$
#
# $N$ 不见了！划不划算与模型大小无关，只看**每个设备**的样本数（或词元数），以及 $F/b$。（下面的速度是取整的假定值；
# 实际系统一边反向计算一边发送，可以掩盖掉一部分。卷积的每个权重在图像的每个位置都要用一次，所以一张图抵得上几百个样本。）
#
# **先猜：** 两台笔记本电脑用 Wi-Fi 相连，每台每步要有多少个样本，全连接网络才能把一半时间用在计算上？
# %%
links = {  # name: (operations a second that a device really does, bytes a second that its link carries); assumed, rounded
    "two laptops, Wi-Fi": (5e10, 1e7),
    "two laptops, gigabit cable": (5e10, 1.25e8),
    "two servers with an A100 each, 200 Gbit/s": (1.2e14, 2.5e10),
    "two A100 in one server, NVLink": (1.2e14, 3e11),
}
figure, axis = plt.subplots(figsize=(8, 3.6))
examples = np.geomspace(1, 1e6, 200)
for (name, (operations, bytes_a_second)), color, line in zip(links.items(), plots.COLORS, plots.LINES, strict=False):
    half = 4 / 3 * 1 / 2 * operations / bytes_a_second  # where the two terms of the denominator are equal
    axis.semilogx(examples, 1 / (1 + half / examples), color=color, linestyle=line, label=name)
    print(f"{name:42} half of the time at · 一半时间用于计算: {half:7,.0f} examples a device · 样本/设备")
axis.axhline(0.5, color="0.6", linewidth=1)
axis.set(xlabel="examples a step on each device", ylabel="share of time spent computing", title="Two devices, a dense network", ylim=(0, 1))
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
plots.show(
    figure,
    alt="Share of time spent computing against examples a step: rising curves in two pairs that coincide, laptops on a cable with NVLink, and laptops on Wi-Fi with the servers' network.",
    alt_zh="用于计算的时间占比与每步样本数：上升曲线两两重合，用网线的笔记本与 NVLink 重合，用 Wi-Fi 的笔记本与服务器之间的网络重合。",
)
# %% [markdown] lang="en" tags=["answer"]
# **Answer.** More than three thousand. And look at the pairs of curves: two servers on their network do no better than two
# laptops on Wi-Fi. A device that is faster needs a link that is faster by the same factor. This is why large models are
# trained with batches of millions of tokens, and it raises the question of the second half of this chapter: what is such a
# batch good for?
#
# ## `tf.distribute`: the same thing in two lines
#
# A *strategy* knows the devices. Variables created in its `scope()` get a copy on each of them; `strategy.run` runs a function on
# every replica; `reduce` collects the results. Here the CPU has been split into two logical devices. They can show that the
# arithmetic is right. They cannot be faster, because it is still the same CPU.
#
# In the cell, each replica adds its own number to a shared variable. `experimental_local_results` unpacks what the
# replicas returned.
# %% [markdown] lang="zh" of="9e8408df" tags=["answer"]
# **答案。** 三千多个。再看那两对重合的曲线：两台服务器配上它们的网络，处境与两台用 Wi-Fi 的笔记本一样。设备的速度提高到几倍，
# 连线的速度也得提高到几倍。所以训练大模型时，一批有几百万个词元。这就引出了本章后半的问题：这么大的一批，到底有什么用？
#
# ## `tf.distribute`：两行代码做同一件事
#
# **策略**（strategy）知道有哪些设备。在它的 `scope()` 里创建的变量，每个设备上都有一份；`strategy.run` 让每个副本执行同一个函数；
# `reduce` 负责汇总。这里把一个 CPU 分成了两个逻辑设备，可以用来验证算得对不对，却不可能更快，因为说到底还是那一个 CPU。
#
# 下面让每个副本把自己的编号加到同一个变量上；`experimental_local_results` 用来取出各副本返回的值。
# %%
with strategy.scope():
    weight = tf.Variable(10.0)  # a copy on each replica


@tf.function
def step():
    def on_each_replica():
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        return weight + tf.cast(number, "float32")

    return strategy.run(on_each_replica)


each = step()
print("replicas · 副本:", [float(value) for value in strategy.experimental_local_results(each)])
print("sum · 总和:", float(strategy.reduce("SUM", each, axis=None)), "  mean · 平均:", float(strategy.reduce("MEAN", each, axis=None)))
print("copies of the variable · 变量的份数:", len(strategy.experimental_local_results(weight)))
# %% [markdown] lang="en"
# Replica 0 computed 10, replica 1 computed 11, and there are two copies of the variable.
#
# ## One device or two: the same numbers?
#
# Take the same perceptron, the same initial weights and the same batches of 100, for two epochs of 2,000 digits. Train it on
# one device and on the replicas, with Keras's `fit` and with the course's own loop, `training.distributed_fit`. If the theory
# holds, all four runs end with **equal weights**. (`batch_size` in Keras is the *global* batch: the strategy cuts it.)
# %% [markdown] lang="zh" of="c3433acf"
# 副本 0 算出 10，副本 1 算出 11，变量确实有两份。
#
# ## 一个设备还是两个：结果一样吗？
#
# 同一个感知机，同样的初始权重，同样每批 100 个，把 2,000 个样本（一个样本就是一张手写数字图）学两轮。在一个设备上训练，也在几个副本上训练；
# 用 Keras 的 `fit`，也用本课程自己写的循环 `training.distributed_fit`。如果理论成立，这四次训练得到的**权重应当相等**。
# （Keras 里的 `batch_size` 指**全局**批，由策略来切分。）
# %%
one_device = tf.distribute.get_strategy()  # outside of any scope: TensorFlow's default, one device
images = datasets.as_images(digits.x_train[:2_000])  # (2000, 28, 28, 1)


def new_perceptron(where):
    """784-32-10 with the seed's starting weights, compiled with SGD and momentum."""
    keras.utils.set_random_seed(SEED)
    with where.scope():
        model = vision.perceptron(32)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
    return model


reached, seconds = {}, {}
for name, where in [("one device", one_device), ("replicas", strategy)]:
    by_fit, by_loop = new_perceptron(where), new_perceptron(where)
    history = training.fit(by_fit, images, labels[:2_000], name=name, epochs=2, batch_size=100, shuffle=False)
    training.distributed_fit(by_loop, images, labels[:2_000], epochs=2, batch_size=100, shuffle=False, strategy=where)
    seconds[name] = history["seconds"][1]  # the first epoch traces the graph
    reached |= {f"{name}, fit": by_fit, f"{name}, own loop": by_loop}
proofs.equal({name: np.concatenate([value.ravel() for value in model.get_weights()]) for name, model in reached.items()})
# %% tags=["nbval-ignore-output"]
results.record("replicas.epoch_time_ratio", seconds["replicas"] / seconds["one device"], digits=1)
# %% [markdown] lang="en" tags=["predict"]
# The weights are equal, up to the rounding that comes from adding in a different order. And the replicas are slower, as
# expected: here an epoch took {{replicas.epoch_time_ratio:.1f}} times as long, since they share one CPU and pay for the
# splitting. (That ratio is a property of this machine; across three runs it was {{seeds:replicas.epoch_time_ratio:.1f}}.)
#
# ### Clinic: "each replica takes the mean over its own examples"
#
# That is how most people write their first training loop. But the optimizer *adds up* what the replicas bring. If each brings
# the mean over its own $n/R$ examples, the sum is $R$ times the gradient of the global batch. The remedy is to divide by the
# global batch (`tf.nn.compute_average_loss` with `global_batch_size`).
#
# The cell moves a single weight by one step, once with the right division and once with the wrong one.
#
# **Predict:** who notices the mistake, SGD or Adam?
# %% [markdown] lang="zh" of="07885850" tags=["predict"]
# 权重相等，只差改变加法次序带来的舍入误差。副本更慢，这也在意料之中：这里一轮的用时是原来的 {{replicas.epoch_time_ratio:.1f}} 倍，
# 因为它们共用一个 CPU，还要为切分付出代价。（这个比值因机器而异，三次运行测得 {{seeds:replicas.epoch_time_ratio:.1f}}。）
#
# ### 公式门诊：“每个副本对自己的样本取平均”
#
# 多数人第一次写训练循环就是这样写的。可是优化器会把各副本交来的东西**相加**。如果每个副本交来的是自己那 $n/R$ 个样本的平均，
# 加起来就是全局批梯度的 $R$ 倍。对策是除以全局批的大小（`tf.nn.compute_average_loss` 的 `global_batch_size`）。
#
# 下面让一个权重走一步，一次除对了，一次除错了。
#
# **先猜：** 谁会察觉这个错误，SGD 还是 Adam？
# %%
targets = np.arange(8, dtype="float32")
shares = np.split(targets, strategy.num_replicas_in_sync)


def step_length(make_optimizer, mean_over):
    """How far one step moves the weight w of the losses (w - target)²; mean_over: examples to divide by."""
    with strategy.scope():
        weight, optimizer = keras.Variable(0.0), make_optimizer()
        optimizer.build([weight])

    def on_each_replica(share):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((weight - share) ** 2) / mean_over
        optimizer.apply(tape.gradient(loss, [weight.value]), [weight])

    mine = strategy.experimental_distribute_values_from_function(lambda context: tf.constant(shares[context.replica_id_in_sync_group]))
    tf.function(lambda: strategy.run(on_each_replica, args=(mine,)))()
    return float(weight.value.numpy())


for make_optimizer in (lambda: keras.optimizers.SGD(0.01), lambda: keras.optimizers.Adam(0.01)):
    right, wrong = step_length(make_optimizer, 8), step_length(make_optimizer, 8 / strategy.num_replicas_in_sync)
    print(f"{type(make_optimizer()).__name__:4} global mean · 全局平均 {right:.3f}, own mean · 各自平均 {wrong:.3f}: ratio · 比值 {wrong / right:.2f}")
# %% [markdown] lang="en" tags=["answer"]
# **Answer.** SGD notices: its step is $R$ times too long, so on eight devices the learning rate is eight times what you
# believe. Adam divides by the size of the gradient itself and hides the mistake, until weight decay, clipping or a different
# number of devices brings it out. Train once on one device and once on two, and compare the first step. The test takes a
# minute.
#
# ### Clinic: "Keras takes care of the rest"
#
# Keras's optimizer clips gradients, and its `fit` accepts any number of examples. On several replicas both go wrong without a
# warning.
#
# First the clipping, with `clipnorm=1`: a gradient longer than 1 is shortened to length 1. Let one replica bring $(3, 0)$ and
# another $(0, \tfrac12)$. The sum is $(3, \tfrac12)$, so the step should point almost along the first axis. Where will it
# point if each replica clips *before* the sum?
#
# Then the last batch. One weight is fitted to the targets 0 to 4 in batches of four, so the fifth example is a batch of its
# own. How far will it move the weight on two replicas, when one of them has nothing to do?
# %% [markdown] lang="zh" of="e3b003ba" tags=["answer"]
# **答案。** SGD 会察觉：它的步长是应有的 $R$ 倍。在八个设备上，学习率其实是你以为的八倍。Adam 会除以梯度自身的大小，把错误藏起来，
# 直到权重衰减、梯度裁剪或者换一个设备数，它才冒出来。在一个设备和两个设备上各训练一次，比较第一步，这个检验只要一分钟。
#
# ### 公式门诊：“其余的交给 Keras 就好”
#
# Keras 的优化器会裁剪梯度，`fit` 对样本数也来者不拒。到了多个副本上，这两件事都会出错，而且没有任何警告。
#
# 先看裁剪，取 `clipnorm=1`，长度超过 1 的梯度缩短到 1。设一个副本算出 $(3, 0)$，另一个算出 $(0, \tfrac12)$。总和是 $(3, \tfrac12)$，
# 这一步本该几乎沿着第一条轴走。如果每个副本在相加**之前**就各自裁剪，这一步会指向哪里？
#
# 再看最后一批。用一个权重去拟合目标值 0 到 4，每批四个，第五个样本自成一批。在两个副本上，其中一个无事可做，这一步会走多远？
# %%
def moved(where, shares):
    """How far an SGD step with rate 1 and clipnorm 1 moves two weights when replica r brings shares[r]."""
    with where.scope():
        weights, optimizer = keras.Variable([0.0, 0.0]), keras.optimizers.SGD(1.0, clipnorm=1.0)
        optimizer.build([weights])
    brought = where.experimental_distribute_values_from_function(lambda context: tf.constant(shares[context.replica_id_in_sync_group]))
    tf.function(lambda: where.run(lambda gradient: optimizer.apply([gradient], [weights]), args=(brought,)))()
    return (-weights.value.numpy()).round(3)


def fitted(where, fit, **settings):
    """The weight w after SGD on the losses (w - 0)² … (w - 4)², four at a time, with rate 0.25."""
    with where.scope():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
        model.compile(keras.optimizers.SGD(0.25), "mse")
    fit(model, np.ones((5, 1), "float32"), np.arange(5, dtype="float32")[:, None], batch_size=4, epochs=1, shuffle=False, **settings)
    return round(float(model.get_weights()[0][0, 0]), 3)


brought = np.zeros((strategy.num_replicas_in_sync, 2), "float32")  # (replicas, weights)
brought[0], brought[-1] = brought[0] + (3, 0), brought[-1] + (0, 0.5)
print("clipped step, one device · 裁剪后的一步，一个设备:", moved(one_device, brought.sum(axis=0, keepdims=True)), "  replicas · 副本:", moved(strategy, brought))
print("w: Keras' fit, one device · 一个设备", fitted(one_device, keras.Model.fit, verbose=0), "  replicas · 副本", fitted(strategy, keras.Model.fit, verbose=0),
      "  training.fit, replicas · 副本", fitted(strategy, training.fit, name="five"))
# %%
def clipped_perceptron(where):  # everything at once: clipping, an uneven last batch, shares computed in two pieces
    model = new_perceptron(where)
    with where.scope():
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.5), "sparse_categorical_crossentropy")
    return model


models = {"one device": clipped_perceptron(one_device), "replicas, fit": clipped_perceptron(strategy), "replicas, own loop": clipped_perceptron(strategy)}
odd = slice(0, 1_001)  # ten batches of 100 and one of a single digit
settings = {"epochs": 1, "batch_size": 100, "shuffle": False}
training.fit(models["one device"], images[odd], labels[odd], name="clipped", **settings)
training.fit(models["replicas, fit"], images[odd], labels[odd], name="clipped", accumulate=2, **settings)
training.distributed_fit(models["replicas, own loop"], images[odd], labels[odd], strategy=strategy, **settings)
proofs.equal({name: np.concatenate([value.ravel() for value in model.get_weights()]) for name, model in models.items()})
# %% [markdown] lang="en" tags=["predict"]
# **Diagnosis.** Keras clips on each replica and then adds: $(3, 0)$ becomes $(1, 0)$, $(0, \tfrac12)$ stays as it is, and
# the step is three times as steep as it should be. So a clipped training run changes with the number of devices. In the last
# batch, every replica's mean counts $1/R$, including that of the replica without an example, so the fifth example moves the
# weight half as far.
#
# Both mistakes have the same remedy: first add up, with every *example* weighted alike, then clip. `training.fit` and
# `training.distributed_fit` do that on several replicas. The last line shows that they end with one device's weights, with
# clipping, a last batch of a single digit, and each share computed in two parts (`accumulate=2`; more about that below).
#
# ## Layers that are not the same
#
# **Dropout** draws a different mask on each replica, so the replicas agree with one device only on average. **Batch
# normalisation** takes mean and variance over the replica's *share*. For $R$ equal shares with means $m_r$ and variances
# $v_r$,
#
# $$ \underbrace{v}_{\text{whole batch}} = \frac{1}{R} \sum_r v_r + \frac{1}{R} \sum_r (m_r - m)^2 , \qquad m = \frac{1}{R} \sum_r
# m_r $$
#
# so every share's variance is too small on average. `synchronized=True` computes over all replicas, at the cost of another
# all-reduce in every such layer.
#
# **Predict:** after one step, which variance does each replica's copy of the layer remember for prediction?
# %% [markdown] lang="zh" of="9e1b021a" tags=["predict"]
# **诊断。** Keras 在每个副本上先裁剪、后相加：$(3, 0)$ 变成 $(1, 0)$，$(0, \tfrac12)$ 原样不动，这一步的斜率成了应有的三倍。
# 所以用了裁剪的训练，结果会随设备数而变。到了最后一批，每个副本的平均都按 $1/R$ 计入，没有样本的那个副本也算一份，于是第五个样本只让权重移动了一半。
#
# 两个错误的对策相同：先让每个**样本**以同样的权重相加，再裁剪。多个副本时，`training.fit` 和 `training.distributed_fit` 就是这样做的。
# 最后一行输出表明，它们得到的权重与一个设备相等，尽管用了裁剪，最后一批只有一个样本，而且每一份分两部分来算（`accumulate=2`，下文细说）。
#
# ## 哪些层不一样
#
# **随机失活**（dropout）在每个副本上抽不同的掩码，只在平均意义上与一个设备相等。**批量归一化**（batch normalization）的均值和方差，只在副本自己的那一份上计算。
# 设 $R$ 份一样大，均值为 $m_r$，方差为 $v_r$，则
#
# $$ \underbrace{v}_{\text{整批}} = \frac{1}{R} \sum_r v_r + \frac{1}{R} \sum_r (m_r - m)^2 , \qquad m = \frac{1}{R} \sum_r m_r $$
#
# 所以平均说来，每一份的方差都偏小。`synchronized=True` 会在所有副本上一起算，代价是每个这样的层多一次全归约。
#
# **先猜：** 走完一步之后，各副本上的这一层，为预测记下的是哪个方差？
# %%
rows = random.normal(size=(8, 3)).astype("float32")  # (batch, features)
parts = np.split(rows, strategy.num_replicas_in_sync)
with strategy.scope():  # momentum 0: the moving variance is that of the last batch
    plain = keras.layers.BatchNormalization(momentum=0.0)
    synchronised = keras.layers.BatchNormalization(momentum=0.0, synchronized=True)
    for layer in (plain, synchronised):
        layer.build((None, 3))
mine = strategy.experimental_distribute_values_from_function(lambda context: tf.constant(parts[context.replica_id_in_sync_group]))
for layer in (plain, synchronised):
    tf.function(lambda layer=layer: strategy.run(lambda share: layer(share, training=True), args=(mine,)))()
means, variances = np.mean(parts, axis=1), np.var(parts, axis=1)  # (replicas, 3)
copies = [[copy.numpy() for copy in strategy.experimental_local_results(layer.moving_variance.value)] for layer in (plain, synchronised)]
proofs.equal({"plain: each replica's copy": np.array(copies[0]), "variance of its own share": variances})
proofs.equal({
    "synchronized=True: each copy": np.array(copies[1]), "whole batch": np.tile(rows.var(axis=0), (len(parts), 1)),
    "the formula": np.tile(variances.mean(axis=0) + means.var(axis=0), (len(parts), 1)),
})
# %% [markdown] lang="en" tags=["answer"]
# **Answer.** With plain batch normalisation, each replica remembers the variance of **its own** share: not that of the batch,
# and not a mean either. The copies of one variable have come apart silently, and the file that you save holds the first
# replica's. With shares of a few hundred examples the difference is small. With shares of four, the replicas are different
# networks, and only one of them is saved.
#
# ## What is a large batch good for?
#
# $R$ devices get through a batch $R$ times as large in the same time. To save time, training must then need fewer *steps*.
# Why should it? Take $k$ steps of batch $B$ with learning rate $\eta$, from $w_0$ to $w_k$, against one step of batch $kB$ with
# rate $k\eta$:
#
# $$ w_k = w_0 - \eta \sum_{j=0}^{k-1} g_j(w_j) \qquad\text{against}\qquad w_0 - k\eta \cdot \frac{1}{k} \sum_{j=0}^{k-1} g_j(w_0)
# $$
#
# The only difference is that the small steps look at the gradient again on the way. While it hardly changes over the $k$ steps,
# the two are the same. That is the **linear scaling rule**: batch times $k$, learning rate times $k$
# ([Goyal et al. 2017](https://arxiv.org/abs/1706.02677)). How far apart are they? The gradient changes in proportion to the
# distance travelled, so the relative difference should shrink in proportion to $\eta$:
# %% [markdown] lang="zh" of="39809dc7" tags=["answer"]
# **答案。** 用普通的批量归一化，每个副本记住的是**自己**那一份的方差，既不是整批的，也不是各份的平均。同一个变量的几份拷贝就这样悄悄分了家，
# 而存进文件的是第一个副本的那份。每份有几百个样本时，差别很小；每份只有四个时，各副本就成了不同的网络，而存下来的只有其中一个。
#
# ## 大批量有什么用？
#
# $R$ 个设备能在同样的时间里处理 $R$ 倍大的一批。要省时间，训练所需的**步数**就得变少。凭什么会变少？比较两种走法：
# 批量为 $B$、学习率为 $\eta$，从 $w_0$ 走 $k$ 步到 $w_k$；或者批量为 $kB$、学习率为 $k\eta$，只走一步：
#
# $$ w_k = w_0 - \eta \sum_{j=0}^{k-1} g_j(w_j) \qquad\text{与}\qquad w_0 - k\eta \cdot \frac{1}{k} \sum_{j=0}^{k-1} g_j(w_0) $$
#
# 唯一的差别在于，走小步的，途中会重新看梯度。只要这 $k$ 步里梯度没怎么变，两者就一样。这就是**线性缩放规则**（linear scaling rule）：批量乘以 $k$，学习率也乘以 $k$
# （[Goyal 等，2017](https://arxiv.org/abs/1706.02677)）。两者相差多少？梯度的变化与走过的路程成正比，所以相对差应当与 $\eta$ 同比例缩小：
# %%
shares = [slice(start, start + 32) for start in range(0, 256, 32)]  # eight batches of 32, or one of 256
print("learning rate · 学习率   difference / way · 差距 / 路程")
for rate in (0.1, 0.01, 0.001):
    small_steps = weights.copy()
    for share in shares:
        small_steps -= rate * share_gradient(small_steps, flat[share], labels[share])
    one_step = weights - len(shares) * rate * share_gradient(weights, flat[:256], labels[:256])
    print(f"{rate:12g} {np.linalg.norm(small_steps - one_step) / np.linalg.norm(one_step - weights):22.4f}")
# %% [markdown] lang="en" tags=["predict"]
# Once the steps are small, a tenth of the rate leaves about a tenth of the difference; from the largest rate to the middle
# one it is not there yet. So the rule is an approximation for small steps, and small steps are not what one wants. Where does
# it end?
#
# The experiment: a perceptron 784-32-10, written in NumPy because that makes tens of thousands of steps in a minute. For each
# batch size we try all learning rates of a grid, each twice the one before, for SGD and for Adam. We count the **steps until
# the held-out loss is below a target**, as a mean over three initialisations. (The loss of 500 held-out digits is looked at
# every 16 steps for the smallest batch and every second step for the large ones, so the counts are no finer than that.)
#
# **Predict:** from batch 4 to batch 1024 each step sees 256 times as many examples. With the best rate for each, how many times
# fewer steps? And when the batch grows to four times its size, by what factor must the rate grow so that the steps fall to
# exactly *a quarter*? For SGD the rule says by four. For Adam, too?
# %% [markdown] lang="zh" of="cd629a3f" tags=["predict"]
# 步子足够小以后，学习率缩小到十分之一，差距也大约缩小到十分之一；从最大的学习率到中间那个，还没有到这个地步。可见这条规则只是步子小时的近似，
# 而人们想要的恰恰不是小步子。那么它到哪里为止？
#
# 做个实验：一个 784-32-10 的感知机，用 NumPy 来写，这样一分钟能走几万步。SGD 和 Adam 各做一遍，每种批量大小都试遍一组学习率，后一个是前一个的两倍。
# 数一数**留出集的损失降到目标以下要走多少步**，取三次初始化的平均。（用 500 个留出样本算损失，最小的批量每 16 步看一次，大的每两步看一次，所以步数只精确到这个程度。）
#
# **先猜：** 批量从 4 加到 1024，每步的样本是原来的 256 倍。各取最好的学习率，步数会降到几分之一？批量变为四倍时，学习率应当乘以几，
# 步数才恰好降到**四分之一**，每个样本的效用不变？对 SGD，规则说乘以四。Adam 也是吗？
# %%
def forward(parameters, images):
    """Hidden values (batch, 32) and logits (batch, 10) of a perceptron."""
    hidden = np.maximum(images @ parameters[0] + parameters[1], 0)
    return hidden, hidden @ parameters[2] + parameters[3]


def gradients(parameters, images, targets):
    """Of the mean cross entropy, by backpropagation as in chapter 1."""
    hidden, logits = forward(parameters, images)
    upper = (activations.softmax(logits) - np.eye(10, dtype="float32")[targets]) / len(images)  # (batch, 10)
    lower = (upper @ parameters[2].T) * (hidden > 0)  # (batch, 32)
    return [images.T @ lower, lower.sum(axis=0), hidden.T @ upper, upper.sum(axis=0)]


def starting_parameters(random):
    parts = random.normal(size=(784, 32)) / np.sqrt(392), np.zeros(32), random.normal(size=(32, 10)) / 4, np.zeros(10)
    return [part.astype("float32") for part in parts]


model = vision.perceptron(32)
model.set_weights(starting_parameters(np.random.default_rng(SEED)))
with tf.GradientTape() as tape:
    loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels[:64], model(images[:64])))
for mine, theirs in zip(gradients(model.get_weights(), flat[:64], labels[:64]), tape.gradient(loss, model.trainable_variables), strict=True):
    proofs.equal({"by hand": mine, "GradientTape": theirs})
# %%
judged, judged_labels = digits.x_test[:500].reshape(-1, 784) / np.float32(255), digits.y_test[:500].astype(int)


def held_out_loss(parameters):
    """Mean cross entropy of 500 test digits."""
    return -np.mean(activations.log_softmax(forward(parameters, judged)[1])[np.arange(500), judged_labels])


def steps_to(target, batch_size, optimizer, random, most):
    """Steps until the held-out loss is below the target; infinite after `most` of them, or when training diverges."""
    parameters = starting_parameters(random)
    for step in range(1, int(most) + 1):
        chosen = random.integers(0, 20_000, batch_size)
        parameters = optimizer.update(parameters, gradients(parameters, flat[chosen], labels[chosen]))
        if step % max(2, 64 // batch_size) == 0:
            loss = held_out_loss(parameters)
            if not loss < 5:
                return np.inf
            if loss < target:
                return step
    return np.inf


print("target already reached at the start · 一开始就已达到目标:", held_out_loss(model.get_weights()) < 0.3)
# %% tags=["nbval-ignore-output"]
sizes = choose(smoke=[16, 64], laptop=[4, 16, 64, 256, 1024], full=[4, 16, 64, 256, 1024, 4096])
target, starts = choose(smoke=0.9, laptop=0.3, full=0.3), choose(smoke=1, laptop=3, full=3)
grid = 2.0 ** np.arange(choose(smoke=4, laptop=7, full=8))
kinds = {"SGD": (optimizers.GradientDescent, 0.05), "Adam": (optimizers.Adam, 0.0005)}  # and the smallest rate
counted, fewest = {}, {}
for kind, (make, smallest) in kinds.items():
    for size in sizes:
        fewest[kind, size] = 5_000.0
        for rate in smallest * grid:
            total = 0
            for start in range(starts):  # given up as soon as it cannot be the best rate any more
                total += steps_to(target, size, make(rate), np.random.default_rng([SEED, start]), max(0, starts * fewest[kind, size] - total))
            counted[kind, size, rate] = total / starts
            fewest[kind, size] = min(fewest[kind, size], total / starts)
        print(f"{kind:4} batch · 批 {size:4}   steps, by rate · 各学习率的步数:", *[f"{counted[kind, size, rate]:6.0f}" for rate in smallest * grid])
# %% tags=["nbval-ignore-output"]
def steps_divided_by(kind, power):
    """Batch times 4 and rate times 4**power: the mean of the ratios of steps, wherever both have reached the target."""
    pairs = [(steps, counted.get((kind, 4 * size, 4**power * rate), np.inf)) for (one, size, rate), steps in counted.items() if one == kind]
    return np.mean([before / after for before, after in pairs if np.isfinite(before) and np.isfinite(after)])


bands = choose(  # three seeds, at least a tenth wide on each side
    smoke={("SGD", 16): (28, 48), ("SGD", 64): (16, 26), ("SGD", "linear"): (1.1, 5.19), ("SGD", "square_root"): (1.52, 2.52),
        ("Adam", 16): (32, 52), ("Adam", 64): (10, 30), ("Adam", "linear"): (3.96, 6.78),
        ("Adam", "square_root"): (2.71, 3.45)},
    laptop={("SGD", 4): (1498, 2646), ("SGD", 16): (425, 693), ("SGD", 64): (186, 233), ("SGD", 256): (127, 158),
        ("SGD", 1024): (101, 128), ("SGD", "linear"): (3.29, 4.05), ("SGD", "square_root"): (2.05, 2.54),
        ("Adam", 4): (741, 2582), ("Adam", 16): (273, 587), ("Adam", 64): (32, 239), ("Adam", 256): (6, 97),
        ("Adam", 1024): (18, 49), ("Adam", "linear"): (4.21, 5.36), ("Adam", "square_root"): (2.49, 3.67)},
    full={},
)
for (kind, size), steps in fewest.items():
    results.record(f"steps.{kind.lower()}_{size}", steps, band=bands.get((kind, size)), digits=0)
rules = {(kind, name): steps_divided_by(kind, power) for kind in kinds for name, power in [("linear", 1), ("square_root", 0.5)]}
for (kind, name), ratio in rules.items():
    results.record(f"batch_times_4.{kind.lower()}_{name}_rule", ratio, band=bands.get((kind, name)), digits=2)
# %% tags=["nbval-ignore-output", "plot", "hero"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9))
for kind, color, marker in zip(kinds, plots.COLORS, plots.MARKERS, strict=False):
    stored = [results.spread("09", f"steps.{kind.lower()}_{size}") for size in sizes]
    if all(stored) and profiles.name() == "laptop":
        left.fill_between(sizes, [one["lowest"] for one in stored], [one["highest"] for one in stored], color=color, alpha=0.2, linewidth=0)
    left.loglog(sizes, [fewest[kind, size] for size in sizes], color=color, marker=marker, label=kind)
    left.loglog(sizes, fewest[kind, sizes[0]] * sizes[0] / np.array(sizes), ":", color=color)
right.bar([f"{kind}\n{name.replace('_', ' ')} rule" for kind, name in rules], rules.values(), color=[plots.COLORS[kind == "Adam"] for kind, _ in rules])
right.axhline(4, linestyle="--", color="0.3")
left.set(xlabel="batch size", ylabel="steps to the target, best rate", title="Steps (dotted: twice the batch, half the steps)")
right.set(ylabel="steps divided by", title="Four times the batch, rate by the rule")
left.legend()
plots.show(figure, alt="Steps against batch size: SGD and Adam follow the dotted line, then flatten, SGD earlier. Bars: SGD with the linear rule is near four, the other three miss it on either side.",
           alt_zh="步数与批大小：SGD 和 Adam 起初沿点线下降，随后变平，SGD 更早。柱形：SGD 配线性规则接近四，其余三个或高或低。")
# %% [markdown] lang="en" tags=["answer"]
# **Answer.** SGD goes from {{steps.sgd_4:.0f}} to {{steps.sgd_1024:.0f}} steps, Adam from {{steps.adam_4:.0f}} to
# {{steps.adam_1024:.0f}}. Neither comes near a 256th: both follow the dotted line at first and flatten later, SGD earlier than
# Adam. Go through the table to see why.
#
# - **With small batches, examples are what counts.** From 4 to 16 and from 16 to 64 examples, SGD with the linear rule takes
#   about a quarter of the steps. The control is in the same table: four times the rate with the *same* batch. At batch 4 it
#   was given up, at batch 16 it saves little more than half. So here the quarter needs the larger batch.
# - **From 64 examples on, it is the rate.** Four times the rate with the same batch already divides the steps by three to
#   four at the smallest rate, and four times the batch adds little. The bar for SGD with the linear rule,
#   {{batch_times_4.sgd_linear_rule:.2f}}, is a mean over both kinds of pairs, and only the small batches in it speak for the
#   rule.
# - **The rule does not give the best rate.** For 256 times the batch the best rate has doubled only three times, for both
#   optimisers. `inf` means *given up*: a rate is stopped as soon as it can no longer be the best, or when the loss explodes. A likely
#   reason: with large batches little noise is left for a still larger batch to average away. [McCandlish et al. 2018](https://arxiv.org/abs/1812.06162)
#   call the bend the *critical batch size*; [Shallue et al. 2018](https://arxiv.org/abs/1811.03600) found this curve for every
#   network and data set they tried, and no rule for the rate that holds for all of them.
# - **Adam has a different rule.** With the linear one the steps are divided by {{batch_times_4.adam_linear_rule:.2f}}, with the
#   square root by {{batch_times_4.adam_square_root_rule:.2f}}: about four at the smallest batch and less as the batch grows.
#   [Malladi et al. 2022](https://arxiv.org/abs/2205.10287) derive the square root for gradients that are mostly noise, because
#   Adam divides by their size. For Adam we made no separate control of the rate either; read it from the table.
#
# Past the bend, more devices use more energy for nearly the same number of steps. That is one reason why very large machines
# cut their models in other ways, too.
#
# ## A large batch on a small device: gradient accumulation
#
# The same sum can be taken one after the other instead of side by side: compute the gradients of $k$ small batches, add them up,
# and take one step with their mean. Keras does it inside the optimizer. With four batches of 25 instead of one of 100, nothing
# should change except the memory.
#
# What happens to batches that are left over at the end? Ten batches of 25, four to a step: work out how many steps that makes and
# how many examples have been used. And will it run on replicas?
# %% [markdown] lang="zh" of="79fafe24" tags=["answer"]
# **答案。** SGD 从 {{steps.sgd_4:.0f}} 步降到 {{steps.sgd_1024:.0f}} 步，Adam 从 {{steps.adam_4:.0f}} 步降到 {{steps.adam_1024:.0f}} 步，
# 离 256 分之一都差得远。两者起初沿着点线走，后来变平，SGD 弯得更早。原因就在上面那张表里。
#
# - **批量小的时候，样本数说了算。** 从 4 到 16、从 16 到 64，SGD 用线性规则，步数约为四分之一。对照也在这张表里：批量**不变**，只把学习率乘以四。
#   批量为 4 时，它被放弃了；批量为 16 时，步数只减少了一半多一点。可见在这里，要降到四分之一，少不了更大的批量。
# - **从 64 起，起作用的是学习率。** 批量不变，只把最小的学习率乘以四，步数就已经降到三分之一到四分之一，再把批量也变为四倍，几乎没有多省。
#   SGD 配线性规则的那根柱子，高 {{batch_times_4.sgd_linear_rule:.2f}}，
#   是把两种情形放在一起平均的，其中只有小批量的那几对才能为规则作证。
# - **这条规则给不出最好的学习率。** 批量变为 256 倍，最好的学习率只加倍了三次，两种优化器都是如此。`inf` 表示**放弃**：一个学习率只要已不可能是最好的，
#   或者损失发散了，就不再跑下去。原因多半是：批量很大时，剩下的噪声已经不多，再加样本也平均不掉什么了。
#   [McCandlish 等（2018）](https://arxiv.org/abs/1812.06162)把拐弯处叫作**临界批量大小**（critical batch size）；
#   [Shallue 等（2018）](https://arxiv.org/abs/1811.03600)在试过的每个网络、每个数据集上都看到这条曲线，却没有哪条学习率规则处处成立。
# - **Adam 另有规则。** 用线性规则（图中 linear rule），步数除以 {{batch_times_4.adam_linear_rule:.2f}}；用平方根规则（square root rule），
#   除以 {{batch_times_4.adam_square_root_rule:.2f}}，批量最小时约为四，批量越大越不到四。
#   [Malladi 等（2022）](https://arxiv.org/abs/2205.10287)针对噪声占主导的梯度推导出平方根，因为 Adam 要除以梯度的大小。
#   对 Adam，这里同样没有单独做“只改学习率”的对照，可以自己从表里读出来。
#
# 过了拐弯处，设备再多，步数也几乎不再减少，只是多用了电。机器特别大的时候，还得用别的方式来切模型，这是原因之一。
#
# ## 小设备上的大批量：梯度累积
#
# 同一个总和，也可以不并排算，而是一个接一个地算：依次求出 $k$ 个小批的梯度，累加起来，用它们的平均走一步。Keras 在优化器里就能做。
# 用四个 25 代替一个 100，除了内存，什么都不该变。
#
# 那么最后剩下来的小批呢？十个 25 的小批，每四个走一步。算一算一共走几步，用到多少个样本。放到多个副本上，还行得通吗？
# %%
def trained(make_optimizer, batch_size, count, where=one_device, **accumulation):
    """The seed's perceptron after `count` examples in order; returns its weights in one vector, and the optimizer."""
    keras.utils.set_random_seed(SEED)
    with where.scope():
        model = vision.perceptron(32)
        model.compile(make_optimizer(0.01, **accumulation), "sparse_categorical_crossentropy")
    model.fit(images[:count], labels[:count], batch_size=batch_size, shuffle=False, verbose=0)
    return np.concatenate([value.ravel() for value in model.get_weights()]), model.optimizer


for make_optimizer in (keras.optimizers.SGD, keras.optimizers.Adam):
    proofs.equal({
        f"{make_optimizer.__name__}: one batch of 100": trained(make_optimizer, 100, 800)[0],
        "four of 25": trained(make_optimizer, 25, 800, gradient_accumulation_steps=4)[0],
    })
after_ten, optimizer = trained(keras.optimizers.SGD, 25, 250, gradient_accumulation_steps=4)
proofs.equal({"ten batches of 25": after_ten, "the first 200 examples": trained(keras.optimizers.SGD, 100, 200)[0]})
print("steps counted for the learning-rate schedule · 学习率计划所数的步数:", int(optimizer.iterations))
if strategy.num_replicas_in_sync > 1:
    try:
        trained(keras.optimizers.SGD, 100, 200, strategy, gradient_accumulation_steps=2)
    except RuntimeError as error:
        print("on the replicas · 在副本上:", type(error).__name__, *re.findall(r"`merge_call`[^.\n]*", str(error))[:1])
# %% [markdown] lang="en"
# It makes two steps; the last fifty examples wait in the accumulator for the next epoch. A schedule counts *steps*, not batches, so
# one that was written for batches would run at a quarter of its speed. On replicas the optimizer's own accumulation does not run at
# all ([keras#20582](https://github.com/keras-team/keras/issues/20582)). `accumulate=` of `training.fit` and
# `training.distributed_fit` does, and above you saw it give the same numbers. One thing accumulation cannot do: batch
# normalisation still sees 25 examples at a time.
#
# On one device it saves memory and no time. On several it saves time as well, and the formula above says how much: a replica that
# adds up $k$ parts before the one all-reduce works on $k\,t$ examples between two sums. This is how the two laptops on Wi-Fi can
# reach their 3,333 examples per step, as long as a batch of that size is still before the bend.
#
# ## Several processes: workers
#
# On several machines every process is a **worker**. All of them run the same script. The variable `TF_CONFIG` tells each one the
# addresses of all and its own number; `devices.create_strategy()` finds it and returns a `MultiWorkerMirroredStrategy`.
#
# Here two real processes talk over this machine's network stack. (Keras 3's `fit` does not work under this strategy, so the script
# uses the course's loop. The order of the data depends on the seed alone. That will be useful in a moment.)
# %% [markdown] lang="zh" of="9c15e4e2"
# 走了两步，最后五十个样本留在累加器里，等下一轮。学习率调度数的是**步**，不是小批；按小批来写，学习率变化的速度就只有应有的四分之一。
# 到了多个副本上，优化器自带的累积根本跑不起来（[keras#20582](https://github.com/keras-team/keras/issues/20582)）；
# `training.fit` 和 `training.distributed_fit` 的 `accumulate=` 可以，前面已经看到它给出同样的结果。
# 有一件事梯度累积做不到：批量归一化看到的仍是一次 25 个样本。
#
# 在一个设备上，它省内存，不省时间。在多个设备上，它也省时间，省多少，前面的公式说得很清楚：一个副本先把 $k$ 份累加起来，再做一次全归约，
# 两次求和之间就处理了 $k\,t$ 个样本。两台用 Wi-Fi 相连的笔记本电脑，就可以这样凑够每步的 3,333 个样本，只要这么大的批量还没有过拐弯处。
#
# ## 多个进程：工作进程
#
# 在多台机器上，每个进程是一个**工作进程**（worker），大家运行同一个脚本。环境变量 `TF_CONFIG` 告诉每个进程所有进程的地址，以及它自己是第几个；
# `devices.create_strategy()` 看到它，就返回 `MultiWorkerMirroredStrategy`。
#
# 下面是两个真正的进程，通过本机的网络协议栈通信。（Keras 3 的 `fit` 在这种策略下不能用，所以脚本用的是本课程自己的循环。
# 数据的次序只取决于种子，马上就会看到这有什么好处。）
# %%
SCRIPT = """
import os, sys
from course_utils import quiet, datasets, devices, training
from course_utils.models import vision
import keras, numpy as np

epochs, dies, strategy = int(sys.argv[1]), sys.argv[2] == "dies", devices.create_strategy()  # reads TF_CONFIG
worker = strategy.cluster_resolver.task_id
keras.utils.set_random_seed(0)
with strategy.scope():
    model = vision.perceptron(32)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
digits = datasets.mnist()
images, labels = datasets.as_images(digits.x_train[:2000]), digits.y_train[:2000].astype("int32")

def power_cut(batch, logs):  # in the middle of the third epoch of twenty steps
    if dies and worker == 1 and int(model.optimizer.iterations.numpy()) == 50:
        os._exit(9)

def tell(epoch, logs):
    print(f"worker {worker}: epoch {epoch + 1}, loss {logs['loss']:.3f}", flush=True)

watch = keras.callbacks.LambdaCallback(on_train_batch_end=power_cut, on_epoch_end=tell)
training.distributed_fit(model, images, labels, epochs=epochs, batch_size=100, callbacks=[watch], checkpoints="checkpoints")
np.savez(f"end-{worker}.npz", *[variable.numpy() for variable in model.variables + model.optimizer.variables])"""
# %%
def final_weights(folder, worker):
    """The model's and the optimizer's numbers at the end of a worker's run, in one vector."""
    with np.load(folder / f"end-{worker}.npz") as saved:
        return np.concatenate([saved[name].ravel() for name in saved.files])


epochs = choose(smoke=1, laptop=4, full=4)
scratch = tempfile.TemporaryDirectory()  # gone when the kernel ends
work = Path(scratch.name)
print("TF_CONFIG of worker 1 of 2 · 两个中 1 号的 TF_CONFIG:", workers.tf_config(["host-a:12345", "host-b:12345"], 1))
available = machine.memory_gb()[1]  # two more TensorFlows need 1.5 GB; None: not known
enough = available is None or available > 2
if enough:
    finished = workers.run(SCRIPT, count=2, folder=work, arguments=[epochs, "lives"])
    print("exit codes · 退出码:", [one.code for one in finished], *[one.errors[-400:] for one in finished if one.code])
    proofs.equal({"worker 0": final_weights(work, 0), "worker 1": final_weights(work, 1)})
else:
    print(f"内存不足（{available:.1f} GB），跳过 · too little memory ({available:.1f} GB): skipped")
alone = new_perceptron(one_device)  # its seed is the script's, unless you changed SEED
if enough and SEED == 0:
    training.distributed_fit(alone, images, labels[:2_000], epochs=epochs, batch_size=100, strategy=one_device)
    mine = np.concatenate([variable.numpy().ravel() for variable in alone.variables])
    proofs.equal({"two workers": final_weights(work, 0)[: len(mine)], "one process": mine})
# %% [markdown] lang="en" tags=["predict"]
# Both workers ended with code 0, they hold the same weights, and these are the weights of one process that trained alone.
#
# ## A worker dies
#
# Now the second worker ends without a word in the middle of the third epoch, as if somebody had pulled the plug.
#
# **Predict** three things. What does the first worker do? What is lost? And after both are started again, are the final weights
# those of the run that never stopped, or only similar? (TensorFlow has to start four more times, so the smoke profile leaves this
# out.)
# %% [markdown] lang="zh" of="c819d961" tags=["predict"]
# 两个进程都以 0 退出，手里的权重相同，而且就是一个进程独自训练得到的权重。
#
# ## 一个工作进程死了
#
# 现在让第二个工作进程在第三轮中途一声不响地结束，就像有人拔了插头。
#
# **先猜**三件事：第一个进程会怎样？损失了什么？两个都重新启动之后，最后的权重与从未中断的训练完全一样，还是只是相近？
# （TensorFlow 要再启动四次，smoke 配置里不做。）
# %% tags=["nbval-ignore-output"]
if enough and profiles.name() != "smoke":
    restarted = Path(tempfile.mkdtemp(dir=work))
    killed = workers.run(SCRIPT, count=2, folder=restarted, arguments=[epochs, "dies"])
    last_words = [line.split("}}")[-1] for line in killed[0].errors.splitlines() if "UnavailableError" in line]
    print("exit codes · 退出码:", [one.code for one in killed], "  the survivor · 幸存者:", *last_words[-1:])
    stored = sorted(path.name for path in (restarted / "checkpoints").glob("*.npz"))
    print("in the shared folder · 共享文件夹里:", stored)
    results.record("restart.stored_epochs", len(stored) if killed[1].code == 9 else 0, band=(2, 2), digits=0)
    again = workers.run(SCRIPT, count=2, folder=restarted, arguments=[epochs, "lives"])
    print("exit codes · 退出码:", [one.code for one in again])
    print(again[0].printed)
    proofs.equal({"never stopped": final_weights(work, 0), "killed and restarted": final_weights(restarted, 0)}, tolerance=0)
# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The survivor cannot go on. It waits for a sum that never comes, is told after some seconds that the other worker is
# gone, and ends with an error. A synchronous run is as reliable as its least reliable member. What is lost is the half epoch since
# the last save, and no more: {{restart.stored_epochs:.0f}} epochs were in the shared folder. After the restart the result is equal
# *to the last bit*, because everything that the run depends on was saved or can be computed again: weights, momentum, and the
# order of the data. (To see what the momentum does, leave `model.optimizer.variables` out of `state` in
# `course_utils/checkpoints.py`.)
#
# Who saves? The obvious way is that every worker saves its own file after each epoch. Now imagine a death that this chapter does
# not stage: a worker dies between two saves, so worker 0 has stored epoch 3 and worker 1 still has epoch 2. After the restart the
# all-reduces would pair the gradients of *different weights*. Nothing fails and the loss falls, until worker 1 waits at the end for
# a partner that has finished. So `checkpoints=` works differently. Worker 0 alone writes, into a folder that all workers share, and
# keeps two epochs. Before anybody continues, the workers tell each other by a small all-reduce which epoch each of them sees, and all
# load the same file.
#
# For training on one device, `training.fit` has `COURSE_WORK` (in the full profile): a run goes on after its last complete epoch.
# It ends near the uninterrupted run, and exactly at it only with `shuffle=False`. Keras's own callback is `BackupAndRestore`.
#
# ### How often should you save?
#
# Let saving take $\delta$ seconds and let something fail every $M$ seconds on average. Saving every $\tau$ seconds costs the
# share $\delta/\tau$; a failure costs half an interval on average, the share $\tau/(2M)$:
#
# $$ \text{lost} \approx \frac{\delta}{\tau} + \frac{\tau}{2M} \quad\Rightarrow\quad \tau^\ast = \sqrt{2\,\delta\,M} $$
#
# ([Young 1974](https://doi.org/10.1145/361147.361115)). With $R$ machines, failures come $R$ times as often. Meta counted 419
# unexpected interruptions in 54 days on 16,384 GPUs ([Llama 3, 2024](https://arxiv.org/abs/2407.21783)): one every three hours.
#
# The figure compares the formula with a simulated year. (It is an approximation for small losses, so it needs to be right only at
# the bottom of the valley.)
# %% [markdown] lang="zh" of="641d3575" tags=["answer"]
# **答案。** 幸存者没法继续：它等一个永远等不来的总和，几秒后得知同伴没了，便报错结束。同步训练有多可靠，取决于最不可靠的那个成员。
# 损失的只是最后一次保存之后的那半轮，共享文件夹里已经存下了 {{restart.stored_epochs:.0f}} 轮。重新启动之后，结果**一位不差**，
# 因为训练所依赖的一切，不是存下来了，就是能重新算出来：权重、动量、数据的次序。
# （想知道动量有什么用，可以在 `course_utils/checkpoints.py` 的 `state` 里去掉 `model.optimizer.variables` 试试。）
#
# 由谁来保存？最容易想到的办法是每个进程每轮之后各存各的文件。那么设想这样一种情形（这里没有实际演示）：有个进程死在两次保存之间，
# 0 号已经存下第 3 轮，1 号手里还是第 2 轮。重新启动之后，全归约加在一起的，就是**不同权重**的梯度了。什么错都不报，损失照样下降，
# 直到最后 1 号等一个早已结束的同伴。所以 `checkpoints=` 换了做法：只有 0 号写，写进所有进程共享的文件夹，并保留最近两轮；
# 继续之前，各进程先用一次小小的全归约互相通报自己看到的是第几轮，然后全都载入同一个文件。
#
# 在一个设备上训练时，`training.fit` 有 `COURSE_WORK`（full 配置）：从最后完整的一轮之后接着训练，结果与不中断时相近，只有 `shuffle=False` 时才完全相等。
# Keras 自己的回调是 `BackupAndRestore`。
#
# ### 隔多久保存一次？
#
# 设保存一次要 $\delta$ 秒，平均每 $M$ 秒出一次故障。每隔 $\tau$ 秒保存，保存所占的比例是 $\delta/\tau$；一次故障平均损失半个间隔，比例是 $\tau/(2M)$：
#
# $$ \text{损失} \approx \frac{\delta}{\tau} + \frac{\tau}{2M} \quad\Rightarrow\quad \tau^\ast = \sqrt{2\,\delta\,M} $$
#
# （[Young，1974](https://doi.org/10.1145/361147.361115)）。有 $R$ 台机器，故障就频繁到 $R$ 倍。Meta 在 16,384 个 GPU 上，54 天里数到 419 次意外中断（[Llama 3，2024](https://arxiv.org/abs/2407.21783)），平均每三小时一次。
#
# 下面把公式与模拟的一年放在一起。（它是损失较小时的近似，只要谷底处准就够了。）
# %%
saving, between_failures, year = 60.0, 3 * 3600.0, 365 * 86400.0  # seconds


def simulated_loss(interval, random):
    """Share of a year that is not training: failures at random times, training goes on from the last saved state."""
    clock = useful = 0.0
    while clock < year:
        until_failure = random.exponential(between_failures)
        useful += interval * (until_failure // (interval + saving))  # whole rounds: each trains and then saves
        clock += until_failure
    return 1 - useful / clock


intervals = np.geomspace(120, 14_400, 9)
simulation = [simulated_loss(interval, np.random.default_rng(0)) for interval in intervals]
best = np.sqrt(2 * saving * between_failures)
figure, axis = plt.subplots(figsize=(6.5, 3.3))
axis.semilogx(intervals / 60, saving / intervals + intervals / (2 * between_failures), "-", label="formula")
axis.semilogx(intervals / 60, simulation, "o", color=plots.COLORS[1], label="simulated year")
axis.axvline(best / 60, linestyle=":", color="0.4", label="√(2δM)")
axis.set(xlabel="minutes between two saves", ylabel="share of time lost", title="Saving takes a minute, a failure every three hours", ylim=(0, None))
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(figure, alt="Share of time lost against the saving interval: a valley; formula and simulation agree at its bottom, where the dotted line stands; the formula lies higher at both ends.",
           alt_zh="损失的时间占比与保存间隔：一条谷形曲线，公式与模拟在谷底相符，点线正在那里；两端公式偏高。")
print("best of nine intervals · 九个间隔中最好的:", round(intervals[int(np.argmin(simulation))] / 60), "min;  √(2δM):", round(best / 60), "min")
# %% [markdown] lang="en"
# At the bottom of the valley the formula and the simulated year agree: of the nine intervals tried, the best one is the one next to
# $\sqrt{2\delta M}$. At both ends the formula lies too high.
#
# ## The same cell on other machines
#
# Nearly every chapter of this course begins with `strategy = devices.create_strategy()` and builds what it trains in
# `strategy.scope()` (chapters 5 and 9a, which study single steps, and the loops that chapter 8d writes out by hand, stay on one
# device). What that line gives you:
#
# | machine | what it returns | run here? |
# |---|---|---|
# | one CPU, or one GPU | TensorFlow's default | CPU: every test; GPU: not run here |
# | one CPU, `COURSE_CPU_REPLICAS=2` | `MirroredStrategy` over logical devices | this chapter, and tests |
# | several processes, `TF_CONFIG` | `MultiWorkerMirroredStrategy` | two processes on one machine: this chapter, and tests; several machines: not run here |
# | `srun` of Slurm | the same, its workers found by `SlurmClusterResolver` | two processes with Slurm's variables: tests; a real cluster: not run here |
# | several GPUs in one machine | `MirroredStrategy`, gradients added up by NCCL | not run here; written by the documentation |
# | a TPU | `TPUStrategy`, after the TPU has been initialised | not run here; written by the documentation |
#
# A GPU is used only if TensorFlow's CUDA libraries are installed: `python3 -m course_utils doctor` compares what the driver and what
# TensorFlow sees. For a TPU the course's pinned TensorFlow has no package; `requirements-tpu.txt` has an older one. On GPUs set
# `REPLICAS = 0` above. Keep an eye on the *global* batch: it has to grow with the devices if each of them is to have something to do,
# and the learning rate with it, up to the bend that you have measured.
#
# The folder `examples/` takes the same loop out of the notebook: `train.py` is one script for one CPU, several GPUs and several
# workers. Beside it are a Slurm script, a Kubernetes manifest, and `python3 -m course_utils launch`, which starts workers on this
# machine or over ssh.
# %% [markdown] lang="zh" of="f8efb21c"
# 谷底处，公式与模拟的一年相符：试过的九个间隔里，最好的正是离 $\sqrt{2\delta M}$ 最近的那个。两端公式偏高。
#
# ## 同一个单元格，换一台机器
#
# 本课程几乎每一章都以 `strategy = devices.create_strategy()` 开头，要训练的模型都在 `strategy.scope()` 里搭建
# （第 5 章和第 9a 章研究的是单个训练步，第 8d 章有几个手写的循环，它们都只用一个设备）。这一行会给你什么：
#
# | 机器 | 返回什么 | 在这里运行过吗 |
# |---|---|---|
# | 一个 CPU，或一个 GPU | TensorFlow 的默认策略 | CPU：全部测试；GPU：未在此运行 |
# | 一个 CPU，`COURSE_CPU_REPLICAS=2` | 逻辑设备上的 `MirroredStrategy` | 本章和测试 |
# | 多个进程，`TF_CONFIG` | `MultiWorkerMirroredStrategy` | 一台机器上的两个进程：本章和测试；多台机器：未在此运行 |
# | Slurm 的 `srun` | 同上，由 `SlurmClusterResolver` 找到各进程 | 两个带 Slurm 变量的进程：测试；真正的集群：未在此运行 |
# | 一台机器上的多个 GPU | `MirroredStrategy`，梯度由 NCCL 相加 | 未在此运行，按文档编写 |
# | TPU | 初始化 TPU 之后的 `TPUStrategy` | 未在此运行，按文档编写 |
#
# 只有装了 TensorFlow 的 CUDA 库，GPU 才会真正用上：`python3 -m course_utils doctor` 会比较驱动看到的与 TensorFlow 看到的。本课程锁定的 TensorFlow 版本没有
# TPU 安装包，`requirements-tpu.txt` 里是较早的一版。有 GPU 时，把上面的 `REPLICAS` 改成 0。
# 留意**全局**批：要让每个设备都有活干，它得随设备数一起变大，学习率也跟着变，直到你测出来的那个拐弯处。
#
# `examples/` 文件夹把同一个循环搬出了笔记本：`train.py` 一个脚本通用于一个 CPU、多个 GPU 和多个进程，旁边还有 Slurm 脚本、Kubernetes 清单，
# 以及 `python3 -m course_utils launch`，它能在本机或通过 ssh 启动多个工作进程。
# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - From batch 4 to batch 1024, SGD needed {{steps.sgd_4:.0f}} and {{steps.sgd_1024:.0f}} steps (three seeds:
#   {{seeds:steps.sgd_4:.0f}} and {{seeds:steps.sgd_1024:.0f}}). The curve bends between 16 and 256 examples.
# - Adam bends later: {{steps.adam_4:.0f}} steps, then {{steps.adam_64:.0f}} at batch 64, and {{steps.adam_1024:.0f}} at batch 1024.
# - Four times the batch and four times the rate: SGD's steps divided by {{batch_times_4.sgd_linear_rule:.2f}}, Adam's by
#   {{batch_times_4.adam_linear_rule:.2f}}. For SGD from batch 64 on, the rate alone does most of it.
# - Two replicas end with one device's weights, and an epoch on one shared CPU takes {{replicas.epoch_time_ratio:.1f}} times as long.
# - A worker killed in its third epoch, with {{restart.stored_epochs:.0f}} epochs stored: after the restart, the weights are equal to the
#   last bit.
#
# | | formula |
# |---|---|
# | gradient from shares | $\nabla L = \sum_r \frac{n_r}{n} \nabla L_r$ |
# | sent by each device of a ring | $2\,(R-1)\,M/R$ |
# | efficiency, dense layers | $1 / \left(1 + \frac43 \frac{R-1}{R} \frac{F}{b\,t}\right)$ |
# | variance of a batch from its shares | $\frac1R \sum_r v_r + \frac1R \sum_r (m_r - m)^2$ |
# | linear scaling rule | batch $kB$, rate $k\eta$; for Adam rather $\sqrt{k}\,\eta$ |
# | time between two saves | $\tau^\ast = \sqrt{2\,\delta\,M}$ |
#
# ### Exercise 1 · easy — how many small batches?
#
# A step should use `global_batch` examples on `replicas` devices, and a device can hold at most `most` examples at once. Write
# `accumulation_steps(global_batch, replicas, most)`: the smallest number $k$ of batches that each device has to accumulate, so that
# all shares of all batches are **equally large whole numbers**. If `global_batch` cannot be shared evenly among the replicas,
# raise a `ValueError`.
# %% [markdown] lang="zh" of="96fe7323" tags=["summary"]
# ## 你测到了什么
#
# - 批量从 4 到 1024，SGD 的步数从 {{steps.sgd_4:.0f}} 降到 {{steps.sgd_1024:.0f}}（三个种子：{{seeds:steps.sgd_4:.0f}} 与 {{seeds:steps.sgd_1024:.0f}}），拐弯处在 16 与 256 之间。
# - Adam 弯得更晚：批量为 4 时 {{steps.adam_4:.0f}} 步，64 时 {{steps.adam_64:.0f}} 步，1024 时 {{steps.adam_1024:.0f}} 步。
# - 批量和学习率都变为四倍，SGD 的步数除以 {{batch_times_4.sgd_linear_rule:.2f}}，Adam 的除以 {{batch_times_4.adam_linear_rule:.2f}}；对 SGD，批量从 64 起，主要是学习率的功劳。
# - 两个副本得到的权重与一个设备相等；它们共用一个 CPU，一轮的用时是原来的 {{replicas.epoch_time_ratio:.1f}} 倍。
# - 一个工作进程死在第三轮，那时已存下 {{restart.stored_epochs:.0f}} 轮；重新启动之后，权重一位不差。
#
# | | 公式 |
# |---|---|
# | 由各份得到整批的梯度 | $\nabla L = \sum_r \frac{n_r}{n} \nabla L_r$ |
# | 环上每个设备发送的个数 | $2\,(R-1)\,M/R$ |
# | 全连接层的效率 | $1 / \left(1 + \frac43 \frac{R-1}{R} \frac{F}{b\,t}\right)$ |
# | 由各份得到整批的方差 | $\frac1R \sum_r v_r + \frac1R \sum_r (m_r - m)^2$ |
# | 线性缩放规则 | 批量 $kB$，学习率 $k\eta$；Adam 更接近 $\sqrt{k}\,\eta$ |
# | 两次保存的间隔 | $\tau^\ast = \sqrt{2\,\delta\,M}$ |
#
# ### 练习 1 · 易 —— 累积几个小批？
#
# 每一步要在 `replicas` 个设备上用 `global_batch` 个样本，一个设备一次最多装得下 `most` 个。写出 `accumulation_steps(global_batch, replicas, most)`：每个设备最少要累积几个小批（$k$ 个），
# 才能使所有小批的每一份都是**一样大的整数**。如果 `global_batch` 不能在各副本之间平分，就抛出 `ValueError`。
# %% tags=["exercise"]
def accumulation_steps(global_batch, replicas, most):
    """Batches that each of the replicas adds up before a step."""
    ### BEGIN SOLUTION
    if global_batch % replicas:
        raise ValueError(f"{global_batch} examples cannot be shared evenly by {replicas} replicas")
    share = global_batch // replicas
    return next(k for k in range(1, share + 1) if share % k == 0 and share // k <= most)
    ### END SOLUTION
# %% tags=["check"]
exercises.check("09.accumulation_steps", accumulation_steps)
# %% [markdown] lang="en" tags=["hint"]
# First work out the share of one device. Dividing it by `most` and rounding up is not enough: seven examples cannot be cut into two
# equal batches. Try $k = 1, 2, 3, \dots$
# %% [markdown] lang="zh" of="d5769936" tags=["hint"]
# 先算一个设备分到多少。用它除以 `most` 再向上取整还不够：七个样本切不成一样大的两批。让 $k$ 从 1、2、3 一个个试过去。
# %% [markdown] lang="en"
# ### Exercise 2 · medium — one batch from unequal shares
#
# This is synchronised batch normalisation with shares of different sizes. Write `whole_moments(means, variances, counts)`. It gets
# each share's mean and variance, arrays (shares, features), and each share's number of examples (shares,). It returns the mean and
# the variance of **all** examples, both (features,). Variances are NumPy's `var`: divided by the number of examples.
# %% [markdown] lang="zh" of="951f82d1"
# ### 练习 2 · 中 —— 由大小不等的几份得到整批
#
# 各份大小不同时的同步批量归一化。写出 `whole_moments(means, variances, counts)`：参数是每一份的均值与方差，形状为（份数，特征数），以及每一份的样本数，形状为（份数，）；
# 返回**所有**样本的均值和方差，形状都是（特征数，）。方差与 NumPy 的 `var` 一样，除以样本数。
# %% tags=["exercise"]
def whole_moments(means, variances, counts):
    """Mean and variance of all examples, (features,) each."""
    ### BEGIN SOLUTION
    weights = np.asarray(counts)[:, None] / np.sum(counts)  # (shares, 1)
    mean = (weights * means).sum(axis=0)
    return mean, (weights * (variances + (means - mean) ** 2)).sum(axis=0)
    ### END SOLUTION
# %% tags=["check"]
exercises.check("09.whole_moments", whole_moments)
# %% [markdown] lang="en" tags=["hint"]
# The formula above has $1/R$ where unequal shares need $n_r/n$. It occurs three times: in the mean, in the mean of the variances,
# and in the variance of the means.
# %% [markdown] lang="zh" of="c1cac7cb" tags=["hint"]
# 上面公式里的 $1/R$，各份不等时要换成 $n_r/n$：求均值时、平均各份方差时、求均值的方差时，三处都要换。
# %% [markdown] lang="en"
# ### Exercise 3 · hard — another way to add up
#
# The ring needs $2(R-1)$ rounds, which is slow when every message takes long to start. The **butterfly** needs $\log_2 R$ rounds
# (for $R$ a power of two): in round $j = 0, 1, \dots$ device $d$ and device $d \oplus 2^j$ (the number with bit $j$ flipped) send each
# other their whole vectors and add. Write `butterfly(vectors)`: it returns the list of every device's result, and how many numbers
# *one* device has sent. Do not change the vectors that were given.
# %% [markdown] lang="zh" of="62e31129"
# ### 练习 3 · 难 —— 另一种加法
#
# 环要 $2(R-1)$ 个回合，如果每条消息启动都很慢，就吃亏了。**蝶形**（butterfly）只要 $\log_2 R$ 个回合（$R$ 是 2 的幂）：在第 $j = 0, 1, \dots$ 个回合，设备 $d$ 与设备 $d \oplus 2^j$（把编号的第 $j$ 位翻转）
# 交换整个向量，然后相加。写出 `butterfly(vectors)`：返回各设备结果组成的列表，以及**一个**设备发送了多少个数。不要改动传进来的向量。
# %% tags=["exercise"]
def butterfly(vectors):
    """Every device's sum of all vectors, and how many numbers each has sent."""
    ### BEGIN SOLUTION
    held, sent, distance = list(vectors), 0, 1
    while distance < len(held):
        held = [held[device] + held[device ^ distance] for device in range(len(held))]  # all at the same time
        sent += len(held[0])
        distance *= 2
    return held, sent
    ### END SOLUTION
# %% tags=["check"]
exercises.check("09.butterfly", butterfly)
# %% [markdown] lang="en" tags=["hint"]
# In Python `device ^ distance` flips one bit; the distances are 1, 2, 4, … below $R$. All devices send at the same time: build the
# new list from the old one, and do not write into the old one on the way.
# %% [markdown] lang="zh" of="e183641d" tags=["hint"]
# Python 的 `device ^ distance` 翻转一位；距离依次是 1、2、4……，小于 $R$。大家是同时交换的：新列表要全部由旧列表算出，途中不要改写旧列表。
# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("09")
# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Data parallelism trains nearly everything that needs more than one device. Models that do not fit into one device are cut as well:
# layer by layer (*pipeline*, [Huang et al. 2018](https://arxiv.org/abs/1811.06965)), inside the layers (*tensor parallel*,
# [Shoeybi et al. 2019](https://arxiv.org/abs/1909.08053)), or, with the data still parallel, the optimizer's state, then the gradients, then
# the weights (*ZeRO*, [Rajbhandari et al. 2019](https://arxiv.org/abs/1910.02054)). `keras.distribution` cuts data and tensors
# (it has no pipeline), and does so on JAX. Chapter 8d's federated averaging goes the opposite way: many steps before
# the devices talk again.
#
# - TensorFlow's own guide, [*Distributed training with TensorFlow*](https://www.tensorflow.org/guide/distributed_training).
# - Goyal et al. 2017, [*Accurate, large minibatch SGD: training ImageNet in 1 hour*](https://arxiv.org/abs/1706.02677): the
#   linear rule, and the warm-up that it needs at the start.
# - Shallue et al. 2018, [*Measuring the effects of data parallelism on neural network
#   training*](https://arxiv.org/abs/1811.03600): this chapter's experiment, on a large scale.
#
# **What the full profile changes.** It adds a sixth batch size, four times as large, and one more learning rate for each. In the stored
# full run (one seed, `notebooks/results/full-09.json`; a few minutes) the bend is confirmed: from 1,024 to 4,096 examples SGD goes from
# {{full:steps.sgd_1024:.0f}} to {{full:steps.sgd_4096:.0f}} steps, Adam from {{full:steps.adam_1024:.0f}} to
# {{full:steps.adam_4096:.0f}}, so that nearly all of the additional examples are wasted.
#
# Next: chapter 9a makes one device faster.
# %% [markdown] lang="zh" of="ca2954a7"
# ## 应用与延伸阅读
#
# 凡是一个设备不够用的训练，几乎都用数据并行。一个设备装不下的模型还要再切：按层切（流水线并行，pipeline，[Huang 等，2018](https://arxiv.org/abs/1811.06965)），在层内部切（张量并行，tensor parallel，[Shoeybi 等，2019](https://arxiv.org/abs/1909.08053)），
# 或者在数据并行之下，依次把优化器的状态、梯度、直到权重也切开（ZeRO，[Rajbhandari 等，2019](https://arxiv.org/abs/1910.02054)）。`keras.distribution` 能切数据和张量（没有流水线），而且只在 JAX 后端上起作用。
# 反过来，走很多步才交换一次的，就是第 8d 章的联邦平均。
#
# - TensorFlow 官方指南，[*Distributed training with TensorFlow*](https://www.tensorflow.org/guide/distributed_training)。
# - Goyal 等，2017，[*Accurate, large minibatch SGD: training ImageNet in 1 hour*](https://arxiv.org/abs/1706.02677)：线性规则，以及它在开头需要的预热。
# - Shallue 等，2018，[*Measuring the effects of data parallelism on neural network training*](https://arxiv.org/abs/1811.03600)：本章的实验，规模大得多。
# - 中文读物：《动手学深度学习》12.5 节“多 GPU 训练”和 12.7 节“参数服务器”。
#
# **换成 full 配置会怎样。** 多一种四倍大的批量，每种批量多试一个学习率。保存的 full 运行（一个种子，见
# `notebooks/results/full-09.json`，只要几分钟）证实了拐弯：批量从 1,024 加到 4,096，SGD 从 {{full:steps.sgd_1024:.0f}} 步降到 {{full:steps.sgd_4096:.0f}} 步，
# Adam 从 {{full:steps.adam_1024:.0f}} 步降到 {{full:steps.adam_4096:.0f}} 步，多出来的样本几乎全白费了。
#
# 接下来：第 9a 章让一个设备跑得更快。
