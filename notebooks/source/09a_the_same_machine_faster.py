# %% [markdown] lang="en" telling=["buffer.a_tenth_test_accuracy", "bfloat16.rate_0_005_test_accuracy", "xla.transformer_later_processor_time_ratio"]
# # 9a The same machine, faster
#
# Somebody calls `shuffle` on sorted data and is content. The picture shows what the network then sees: the class of
# each example, batch after batch. On the far right, the data really are shuffled. Second from the left, `shuffle` was
# called too, with a buffer of a tenth of the data, and the network meets one class after another. Nothing raises an
# error, nothing gets slower, and much of the accuracy is gone.
#
# Chapter 9 adds machines; this one adds none. Many training loops leave much of their machine idle: the processor
# waits for images, the accelerator waits for the processor, Python runs between every two operations, and numbers are
# stored in twice the bits they need. Each of the four has a remedy, and each remedy has a way to go wrong silently.
#
# **By the end you will be able to**
#
# - time a training step without fooling yourself, and say how much a faster part can gain at most;
# - build an input pipeline in the right order, and name what each wrong order does to the data;
# - say what float16 and bfloat16 can hold, what they lose, and why the weights stay in float32;
# - write loss scaling in NumPy, equal to Keras's step by step;
# - compile with XLA and know when it pays; count the memory of a training step, and trade it against time.
#
# A speed is a property of *your* machine. Every "faster" below is measured when the cell runs, and printed as a
# ratio. What does not depend on the machine is the other half: whether the results are the same.
#
# **Before you start:** `fit` and the training step (chapters 1 and 5), convolution (2), the Transformer block (7).

# %% [markdown] lang="zh" of="1ebff661"
# # 9a 同一台机器，跑得更快
#
# 数据是按类别排好的，有人调用了 `shuffle`，就放心了。下图是网络实际看到的：一批又一批，各是哪些类别。最右边是真正打乱的。
# 左起第二幅也调用了 `shuffle`，缓冲区是数据的十分之一，结果网络还是一类接一类地看。不报错，也不变慢，准确率却丢了一大截。
#
# 第 9 章靠加机器提速，本章一台也不加。许多训练循环让机器闲着一大截：处理器等图像，加速器等处理器，每两次运算之间 Python 都要插一句话，
# 数值还多用了一倍的位数来存。这四样各有办法，而每个办法都能悄无声息地用错。
#
# **学完这一章，你能够**
#
# - 给一个训练步计时而不骗自己，并说出某一部分提速最多能带来多少；
# - 按正确的次序搭输入流水线，并说出每种错误次序会把数据怎样；
# - 说清 float16 与 bfloat16 装得下什么、丢掉什么，权重为什么仍用 float32；
# - 用 NumPy 写出损失缩放，每一步的结果都与 Keras 一致；
# - 用 XLA 编译，并知道什么时候划算；算出一个训练步要占多少内存，并用时间去换内存。
#
# 速度取决于你那台机器：下面每一个“更快”都在运行时现场测量，以比值打印。与机器无关的是另一半：结果是不是一样。
#
# **预备知识：** `fit` 与训练步（第 1、5 章）、卷积（第 2 章）、Transformer 块（第 7 章）。

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
import itertools
import time

import keras
import matplotlib.pyplot as plt
import ml_dtypes
import numpy as np
import tensorflow as tf

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.models import transformer
from course_utils.profiles import choose

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("09a")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: two workers who need not take turns
#
# One worker makes batches (reads, decodes, augments: time $a$ each), another trains on them (time $b$ each). If they
# take turns, $n$ batches need $T_\text{turns}$. With a small shelf between them, on which finished batches wait
# (**prefetching**), the slower worker sets the pace:
#
# $$ T_\text{turns} = n\,(a + b) \qquad\quad T_\text{prefetch} = a + (n-1)\max(a, b) + b $$
#
# The second formula already holds the limit of every speed-up: what you do for the faster worker is lost. For parts
# that *do* take turns, [Amdahl 1967](https://doi.org/10.1145/1465482.1465560) says how much there is to gain. If a
# share $p$ of the time runs at $s$ times its speed, the whole runs at
#
# $$ S = \frac{1}{(1 - p) + p / s} \;<\; \frac{1}{1-p} $$
#
# times its speed.
#
# **Predict:** making a batch takes 2 units, training on it 3. How much does prefetching save? And a reader at twice
# the speed?

# %% [markdown] lang="zh" of="5ac8646b" tags=["predict"]
# ## 核心思想：两个工人，不必轮流干活
#
# 一个工人做批次（读取、解码、增强，每批用时 $a$），另一个拿批次来训练（每批用时 $b$）。若两人轮流干，$n$ 批要 $T_\text{轮流}$。
# 若两人之间放一个小货架，做好的批次先搁在上面（**预取**，prefetching），那么快慢就由较慢的那个人决定：
#
# $$ T_\text{轮流} = n\,(a + b) \qquad\quad T_\text{预取} = a + (n-1)\max(a, b) + b $$
#
# 第二个式子里已经藏着一切提速的上限：在较快的工人身上下的功夫全都白费。至于确实要轮流的各部分，[Amdahl（1967）](https://doi.org/10.1145/1465482.1465560) 说明了还有多少余地。
# 若占时间比例 $p$ 的部分，速度变为原来的 $s$ 倍，整体速度就变为原来的 $S$ 倍：
#
# $$ S = \frac{1}{(1 - p) + p / s} \;<\; \frac{1}{1-p} $$
#
# **先猜：** 做一批要 2 个单位时间，训练一批要 3 个。预取能省多少？换一个速度加倍的读取程序呢？

# %%
def schedule(batches, make, train, shelf):
    """When each batch begins to be made and to be trained on; a shelf of 0 places means taking turns."""
    made, trained, begun = 0.0, 0.0, []
    for batch in range(batches):
        if shelf == 0:
            start = trained
        else:  # a place on the shelf becomes free when training takes its batch
            start = max(made, begun[batch - shelf][1] if batch >= shelf else 0.0)
        made = start + make
        begun.append((start, max(made, trained)))
        trained = begun[-1][1] + train
    return begun, trained


figure, axes = plt.subplots(2, 1, figsize=(9, 3.2), sharex=True)
for axis, (title, shelf) in zip(axes, [("taking turns", 0), ("prefetching one batch", 1)], strict=True):
    begun, total = schedule(6, make=2, train=3, shelf=shelf)
    axis.broken_barh([(start, 2) for start, _ in begun], (1.1, 0.8), color=plots.COLORS[4], edgecolor="k", hatch="//")
    axis.broken_barh([(start, 3) for _, start in begun], (0.1, 0.8), color=plots.COLORS[0], edgecolor="k")
    axis.set(title=f"{title}: {total:g} units", yticks=[0.5, 1.5], yticklabels=["train", "make"], xlim=(0, 31))
axes[1].set_xlabel("time (units)")
plots.show(figure, alt="Two time lines of six batches. Taking turns, making and training alternate; with prefetching the next batch is made while training goes on, and training never waits again.",
    alt_zh="六个批次的两条时间线。轮流时，制作与训练交替进行；预取时，训练的同时下一批已在制作，训练不再等待。")

# %%
def prefetch_time(batches, make, train):
    return make + (batches - 1) * max(make, train) + train


def amdahl(share, factor):
    """How many times faster the whole gets when a share of its time gets `factor` times faster."""
    return 1 / ((1 - share) + share / factor)


cases = [(6, 2, 3), (6, 3, 2), (50, 1, 1), (1, 4, 7)]
proofs.equal({
    "taking turns, simulated": [schedule(*case, shelf=0)[1] for case in cases],
    "n (a + b)": [batches * (make + train) for batches, make, train in cases],
})
proofs.equal({
    "prefetching, simulated": [schedule(*case, shelf=1)[1] for case in cases],
    "a + (n-1) max(a, b) + b": [prefetch_time(*case) for case in cases],
})
for share in (0.1, 0.4, 0.9):
    print(f"p = {share}: s = 2 → {amdahl(share, 2):.2f}   s = 10 → {amdahl(share, 10):.2f}   s = ∞ → {1 / (1 - share):.2f}")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** For six batches, prefetching saves 10 of 30 units. A reader at twice the speed helps workers who take
# turns, by Amdahl with $p = 2/5$ and $s = 2$. Behind a shelf it saves one unit, once. (In the figure the shelf holds
# one batch. A longer shelf helps only when times vary.)
#
# ## Measuring without fooling yourself
#
# There are five common ways to get a wrong number:
#
# 1. **The first call runs a different program.** `tf.function` runs your Python once to *trace* a graph; XLA compiles
#    it as well, where it is asked for. That happens again for every new shape, and for every new *Python* number
#    among the arguments.
# 2. **A pipeline does nothing when it is written.** `dataset.map(f)` returns at once; `f` runs when somebody asks for
#    a batch.
# 3. **Devices are asynchronous.** On a GPU or TPU, a call returns when the work is *queued*. Fetch a number
#    (`float(loss)`) before you stop the clock. (A CPU mostly waits by itself; the habit costs nothing.)
# 4. **One measurement is none.** Other programs use the machine, too. Repeat, and take the median, or the minimum if
#    you ask what the machine *can* do. A mean contains the first call and every interruption.
# 5. **There are two clocks.** The wall clock is what you wait for. *Processor time* adds up the work of all threads
#    and leaves out other programs (and the work of an accelerator). They can disagree, most of all on a busy machine.
#
# So pass changing numbers as tensors, and give all batches one shape (`drop_remainder=True`, or padding).
#
# How often is the function below traced, in seven calls? And by what factor is the first call of a training step
# slower than the later ones? (The network of this chapter is a small one: two strided convolutions and a dense
# layer.)

# %% [markdown] lang="zh" of="9d7b6223" tags=["answer"]
# **答案。** 六个批次，预取从 30 个单位里省下 10 个。读取速度加倍，对轮流干活的人有帮助（Amdahl 公式取 $p = 2/5$，
# $s = 2$）；有了货架，就只在开头省一次，一个单位。（图里的货架只放得下一批。用时忽长忽短时，货架长一些才有用。
# ）
#
# ## 计时，别骗自己
#
# 常见的测错方式有五种：
#
# 1. **第一次调用跑的是另一个程序。** `tf.function` 先把你的 Python 跑一遍，追踪（trace）出一张图；要求用 XLA 的话，
#    还要再编译。每遇到一种新形状就重来一次；参数里每出现一个新的 Python 数，也重来一次。
# 2. **流水线写出来的时候什么也没做。** `dataset.map(f)` 立刻返回，有人来取批次时 `f` 才运行。
# 3. **设备是异步的。** 在 GPU 或 TPU 上，任务一排上队，调用就返回了。停表之前先取回一个数（`float(loss)`）。
#    （CPU 大多会自己等着；养成习惯没有坏处。）
# 4. **只测一次等于没测。** 机器上还有别的程序。要重复测，取中位数；若问机器最快能到多少，就取最小值。平均数会把首次调用和每次打扰都算进去。
# 5. **时间有两种。** 实际耗时（wall-clock time，墙钟时间）是你等了多久；处理器时间（processor time）把所有线程干的活加起来，
#    不算别的程序（也不算加速器干的活）。两者可能说法不一，机器忙的时候尤其如此。
#
# 所以，会变的数要用张量传进去；所有批次的形状要一致（`drop_remainder=True`，或者补齐）。
#
# 下面的函数调用七次，会被追踪几次？一个训练步的第一次调用，用时又是后来的多少倍？（本章的网络很小：两层带步幅的卷积，
# 一个全连接层。）

# %%
traced, decoded = [], []


@tf.function
def scaled_sum(values, factor):
    traced.append((values.shape, factor))  # Python: runs while tracing only
    return tf.reduce_sum(values) * factor


for rows in (64, 64, 32, 64):  # the last batch of an epoch is often smaller
    scaled_sum(tf.ones((rows, 3)), tf.constant(0.5))
print("four calls, two shapes · 四次调用、两种形状:", len(traced), "traces")
for rate in (0.1, 0.2, 0.3):  # a learning rate given as a Python number
    scaled_sum(tf.ones((64, 3)), rate)
print("three more, three Python numbers · 再三次、三个 Python 数:", len(traced), "traces")


def look(number):
    return tf.numpy_function(lambda value: decoded.append(value) or value, [number], tf.int64)


lazy = tf.data.Dataset.range(5).map(look)
print("pipeline written · 写完流水线:", len(decoded), "decoded")
list(lazy)
print("pipeline read · 读完流水线:", len(decoded), "decoded")

# %%
def seconds(function, repeats=9, clock=time.perf_counter, summary=np.median):
    """The median (or another summary) of the time of a call that returns one number; the first call does not count."""
    times = []
    for _ in range(repeats + 1):
        start = clock()  # the wall's, or the processors' with time.process_time
        float(function())  # fetches the number: nothing is running any more
        times.append(clock() - start)
    return summary(times[1:])


def network(last="float32"):
    """Digits (batch, 28, 28, 1) -> logits (batch, 10), in float32 unless `last` says otherwise."""
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(8, 3, strides=2, activation="relu"),  # (batch, 13, 13, 8)
        keras.layers.Conv2D(16, 3, strides=2, activation="relu"),  # (batch, 6, 6, 16)
        keras.layers.Flatten(),
        keras.layers.Dense(10, dtype=last),
    ])


print("parameters · 参数:", network().count_params(), "  output · 输出:", network().output_shape)

# %% tags=["nbval-ignore-output"]
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def plain_step(model, rate=0.1):
    """One step of gradient descent as a Python function of (images, labels); returns the loss."""
    def step(images, labels):
        with tf.GradientTape() as tape:
            loss = cross_entropy(labels, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            variable.assign_sub(rate * gradient)
        return loss
    return step


digits = datasets.mnist()
batch = datasets.as_images(digits.x_train[:64]), tf.constant(digits.y_train[:64])
step, start = tf.function(plain_step(network())), time.perf_counter()
float(step(*batch))
first_call, later = time.perf_counter() - start, seconds(lambda: step(*batch))
results.record("timing.first_call_times_later", first_call / later, digits=0)
results.record("timing.mean_of_three_times_later", (first_call + 2 * later) / 3 / later, digits=0)

# %% [markdown] lang="en" tags=["predict"]
# Five traces in seven calls: two shapes, and three Python numbers. The first call took
# {{timing.first_call_times_later:.0f}} times as long as a later one. If you had taken the mean of three calls, your
# step would have looked {{timing.mean_of_three_times_later:.0f}} times as slow as it is.
#
# ## An input pipeline with work to do
#
# Digits in an array need no preparing. Pictures on a disk do. So here every digit becomes a PNG file (in memory: the
# course needs no folder of 60,000 files), and the pipeline has to decode it, in every epoch. `tf.data` ([Murray et
# al. 2021](https://arxiv.org/abs/2101.12127)) describes a pipeline as a chain of small steps:
#
# - `map(f)` works on one element after another; with `num_parallel_calls=tf.data.AUTOTUNE` on several at once,
#   results in order;
# - `batch(n)` stacks; `prefetch(n)` puts the shelf between maker and taker;
# - `cache()` keeps in memory what arrives there in the first epoch, and never asks again for what came before it.
#
# PNG loses nothing, so all five chains below must deliver the array we started with, in order (the first 256 are
# compared). Ask that of any faster pipeline.
#
# **Where does the time of a step go?** Three measurements take a simple loop apart: the pipeline alone; the step as a
# compiled graph, on a batch that is already there; and the step run by Python, operation by operation (*eagerly*).
# The difference of the last two is what Python costs. (We use processor time, which adds up.) Amdahl's formula must
# then predict what the loop gains when Python is taken out, and the cell checks it.
#
# **Predict:** in a network this small, which of the three parts is largest?

# %% [markdown] lang="zh" of="bd521553" tags=["predict"]
# 七次调用，追踪了五次：两种形状，加上三个 Python 数。第一次调用的用时是后来的 {{timing.first_call_times_later:.0f}} 倍。
# 要是取前三次的平均，测出的用时就会是实际的 {{timing.mean_of_three_times_later:.0f}} 倍。
#
# ## 一条真有活干的输入流水线
#
# 已经在数组里的手写数字不用准备，磁盘上的图片就要了。所以这里把每张图存成一个 PNG 文件（放在内存里，课程不想要一个装着 60,000 个文件的文件夹），
# 流水线每一轮都得把它解码。`tf.data`（[Murray 等，2021](https://arxiv.org/abs/2101.12127)）把流水线写成一串小步骤：
#
# - `map(f)` 一个接一个地处理元素；加上 `num_parallel_calls=tf.data.AUTOTUNE`，就同时处理几个，结果仍按原来的次序；
# - `batch(n)` 叠成批；`prefetch(n)` 在制作者与使用者之间放上货架；
# - `cache()` 把第一轮到达它那里的东西留在内存里，此后再也不去问它前面的步骤。
#
# PNG 是无损的，所以下面五条流水线都必须按次序交出最初的那个数组（比较前 256 个）。任何“更快的”流水线，
# 都该先过这一关。
#
# **一步的时间花在哪里？** 三次测量就能把一个朴素的循环拆开：单独跑流水线；用编译好的图在现成的批次上跑训练步；
# 由 Python 一个运算一个运算地跑训练步（即时执行，eager）。后两者之差就是 Python 的开销。（这里用处理器时间，
# 各部分才加得起来。）然后，去掉 Python 能快多少，Amdahl 公式应当能预测，单元里来核对。
#
# **先猜：** 网络这么小，三部分里哪一部分最大？

# %%
count = choose(smoke=512, laptop=1_024, full=20_000)
pixels, labels = digits.x_train[:count], digits.y_train[:count].astype("int64")
files = [tf.io.encode_png(image[..., None]).numpy() for image in pixels]
source = tf.data.Dataset.from_tensor_slices((files, labels))


def decode(file, label):
    return tf.cast(tf.io.decode_png(file, channels=1), "float32") / 255, label  # (28, 28, 1)


auto = tf.data.AUTOTUNE
pipelines = {
    "map, batch": source.map(decode).batch(64),
    "parallel map, batch": source.map(decode, auto).batch(64),
    "parallel map, batch, prefetch": source.map(decode, auto).batch(64).prefetch(auto),
    "map, cache, batch, prefetch": source.map(decode).cache().batch(64).prefetch(auto),
    "map, batch, cache, prefetch": source.map(decode).batch(64).cache().prefetch(auto),
}
for name, pipeline in pipelines.items():
    proofs.equal({"the array": datasets.as_images(pixels[:256]), name: np.concatenate([images for images, _ in pipeline])[:256]})
print("the first file begins with · 第一个文件开头:", files[0][:4])

# %% tags=["nbval-ignore-output"]
def epoch(pipeline, step=None):
    """Go through a pipeline once, training if there is a step; returns the last number seen."""
    for images, targets in pipeline:
        last = step(images, targets) if step else targets[0]
    return last


eager, graph = plain_step(network()), tf.function(plain_step(network()))
plain = source.take(512).map(decode).batch(64)
clock = time.process_time  # work, which other programs do not disturb
parts = {"input": seconds(lambda: epoch(plain), 5, clock) / 8, "compute": seconds(lambda: graph(*batch), 20, clock)}
parts["python"] = seconds(lambda: eager(*batch), 9, clock) - parts["compute"]
whole = sum(parts.values())
for name, part in parts.items():
    results.record(f"eager_loop.share_{name}", part / whole, digits=2)
python_share = parts["python"] / whole
measured = seconds(lambda: epoch(plain, eager), 5, clock) / seconds(lambda: epoch(plain, graph), 5, clock)
results.record("graph.times_faster_by_amdahl", 1 / (1 - python_share), digits=1)
results.record("graph.times_faster_measured", measured, digits=1)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Python, with {{eager_loop.share_python:.0%}} of the time; input takes {{eager_loop.share_input:.0%}},
# computing {{eager_loop.share_compute:.0%}}. Amdahl's formula predicts that the loop without Python runs at
# {{graph.times_faster_by_amdahl:.1f}} times its speed; measured were {{graph.times_faster_measured:.1f}}. That is why
# `fit` compiles a graph without being asked.
#
# `fit` still goes back to Python after each batch. With `steps_per_execution=16` it runs sixteen steps in one call:
# the same arithmetic, less overhead. (The loss is then reported, and callbacks run, once in sixteen steps.) The next
# cell checks that the weights come out equal.
#
# Then come the five pipelines, alone and with training. Which one gains most, and how much of it survives when the
# step uses all processors, too?
#
# Last, we imitate a machine with an accelerator. The "accelerator" is a pause of 15 milliseconds in which the
# processor is free; the "disk" is a pause of 10 for each of 20 batches. The measured times are divided by the
# formulas above. (`tf.data` adds a prefetch at the end of every chain that has none. To take turns, one must forbid
# it.)

# %% [markdown] lang="zh" of="eaf25054" tags=["answer"]
# **答案。** 是 Python，占 {{eager_loop.share_python:.0%}}；输入占 {{eager_loop.share_input:.0%}}，计算占 {{eager_loop.share_compute:.0%}}。
# Amdahl 公式预测，去掉 Python，循环的速度会变为原来的 {{graph.times_faster_by_amdahl:.1f}} 倍；实测是 {{graph.times_faster_measured:.1f}} 倍。
# 所以 `fit` 不等你开口就先编译成图。
#
# 但 `fit` 每个批次之后仍要回到 Python 一次。`steps_per_execution=16` 让一次调用跑十六步：算术一模一样，
# 来回的开销少了。（损失也就每十六步才报告一次，回调同样如此。）下一个单元核对权重是否一致。
#
# 然后来看五条流水线，先单独跑（pipeline alone），再加上训练（with training）。哪一条提速最多？训练步也要占用全部处理器时，
# 提速还剩多少？
#
# 最后模仿一台带加速器的机器：“加速器”是 15 毫秒的停顿，这时处理器是空的；“磁盘”是每批 10 毫秒的停顿，
# 共 20 批。实测时间除以上面公式算出的时间。（流水线末尾若没有预取，`tf.data` 会自己加上一个；想要轮流，
# 得先禁止它。）

# %%
weights, fit_time, repeats = {}, {}, choose(smoke=2, laptop=5, full=9)
small = {"x": datasets.as_images(pixels[:512]), "y": labels[:512], "batch_size": 16, "verbose": 0}
for together in (1, 16):
    keras.utils.set_random_seed(SEED)
    model = network()
    model.compile(keras.optimizers.SGD(0.1), cross_entropy, steps_per_execution=together)
    model.fit(**small)
    weights[together] = np.concatenate([weight.ravel() for weight in model.get_weights()])
    fit_time[together] = seconds(lambda model=model: model.fit(**small).history["loss"][0], repeats, time.process_time)
proofs.equal({"one step a call": weights[1], "sixteen steps a call": weights[16]}, tolerance=1e-3)

# %% tags=["nbval-ignore-output"]
results.record("steps_per_execution_16.processor_time_ratio", fit_time[16] / fit_time[1], digits=2)
alone = {name: seconds(lambda p=p: epoch(p), repeats, summary=min) for name, p in pipelines.items()}
trained = {name: seconds(lambda p=p: epoch(p, graph), repeats, summary=min) for name, p in pipelines.items()}
figure, axis = plt.subplots(figsize=(8, 3))
places = np.arange(len(pipelines))
for shift, (name, times) in zip((-0.2, 0.2), {"pipeline alone": alone, "with training": trained}.items(), strict=True):
    ratios = [value / times["map, batch"] for value in times.values()]
    axis.barh(places + shift, ratios, 0.36, label=name, hatch=["//", ""][shift > 0], color=plots.COLORS[int(shift > 0)], edgecolor="k")
    for key, ratio in zip(["map", "parallel", "prefetch", "cache_batch", "batch_cache"], ratios, strict=True):
        results.record(f"{key}.{'alone' if shift < 0 else 'trained'}_time_ratio", ratio, digits=2)
axis.set(yticks=places, yticklabels=pipelines, xlabel="time of an epoch (map, batch = 1)", title="Five chains that deliver the same")
axis.invert_yaxis()
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(figure, alt="Bars: the time of an epoch for five pipelines, alone and with training, relative to the plain one. Alone, the two with a cache are the shortest.",
    alt_zh="条形图：五条流水线一轮的用时，单独跑与加上训练，以最朴素的一条为 1。单独跑时，带缓存的两条最短。")

# %% tags=["nbval-ignore-output"]
def slow_disk():
    for number in range(20):
        time.sleep(0.010)
        yield number


disk, options = tf.data.Dataset.from_generator(slow_disk, output_signature=tf.TensorSpec((), tf.int64)), tf.data.Options()
options.experimental_optimization.inject_prefetch = False
for name, pipeline, formula in [
    ("turns", disk.with_options(options), 20 * (0.010 + 0.015)),
    ("as_written", disk, prefetch_time(20, 0.010, 0.015)),
    ("prefetch", disk.prefetch(1), prefetch_time(20, 0.010, 0.015)),
]:
    start = time.perf_counter()
    for _ in pipeline:
        time.sleep(0.015)  # waiting for an accelerator
    results.record(f"accelerator.{name}_over_formula", (time.perf_counter() - start) / formula, digits=2)

# %% [markdown] lang="en" tags=["predict"]
# Alone, the pipeline that caches whole batches needs {{batch_cache.alone_time_ratio:.2f}} of the plain one's time:
# decoding happens in the first epoch only. With training it is {{batch_cache.trained_time_ratio:.2f}}: the step is a
# part that no pipeline shortens, and it keeps the processors busy that parallel calls and prefetching would use.
#
# With an accelerator the processors have nothing else to do, and the formulas hold roughly: taking turns needs
# {{accelerator.turns_over_formula:.2f}} times the formula, prefetching {{accelerator.prefetch_over_formula:.2f}}
# times. The ratios are above 1 because waking up takes time, too; on a busier machine they are larger (three seeds:
# {{seeds:accelerator.turns_over_formula:.2f}} and {{seeds:accelerator.prefetch_over_formula:.2f}}).
#
# ## Clinic 1: "cache last, so that everything is cached"
#
# This recipe is often copied: `map(decode).map(augment).cache()`. Augmentation should show the network a new variant
# of each picture in each epoch. Here it moves a digit by up to two pixels each way, 25 positions in all. It is
# written twice: with `tf.random.uniform` (`func`), and with a `tf.random.Generator` (`gen`), which keeps its state in
# a variable.
#
# **Predict:** does the network see one variant of a digit in twenty epochs, or many? There are three chains, and a
# surprise in the second.

# %% [markdown] lang="zh" of="73e73743" tags=["predict"]
# 单独跑时，把整批缓存起来的流水线，用时只有朴素做法的 {{batch_cache.alone_time_ratio:.2f}}：解码只发生在第一轮。
# 加上训练，是 {{batch_cache.trained_time_ratio:.2f}}：训练步那一份，任何流水线都缩短不了，而且并行调用和预取想用的那些处理器，
# 正被训练步占着。
#
# 有加速器时，处理器没有别的事可做，公式就大致成立：轮流的用时是公式的 {{accelerator.turns_over_formula:.2f}} 倍，
# 预取是 {{accelerator.prefetch_over_formula:.2f}} 倍。比值大于 1，因为醒过来也要时间；机器忙一些，比值就更大（三个种子：
# {{seeds:accelerator.turns_over_formula:.2f}} 和 {{seeds:accelerator.prefetch_over_formula:.2f}}）。
#
# ## 门诊一：“把 cache 放在最后，就什么都缓存了”
#
# 常被照抄的写法：`map(decode).map(augment).cache()`。数据增强本该让网络每一轮都看到图片的新变体。这里的增强把图像沿每个方向最多移动两个像素，
# 一共 25 种位置。它有两种写法：一种用 `tf.random.uniform`（图中标作 func）；一种用 `tf.random.Generator`（gen），
# 后者把状态存在变量里。
#
# **先猜：** 二十轮里，网络看到的是同一个样本的一种变体，还是许多种？一共三条流水线，第二条会让你意外。

# %%
generator = tf.random.Generator.from_seed(SEED)


def with_function(image, label):  # digits have a margin of 4 empty pixels
    return tf.roll(image, tf.random.uniform((2,), -2, 3, tf.int32), axis=(0, 1)), label


def with_generator(image, label):
    return tf.roll(image, generator.uniform((2,), -2, 3, tf.int32), axis=(0, 1)), label


one, shown = source.take(1).map(decode), []
for name, pipeline in {
    "map(with_generator).cache()": one.map(with_generator).cache(),
    "cache().map(with_function)": one.cache().map(with_function),
    "cache().map(with_generator)": one.cache().map(with_generator),
}.items():
    epochs = [list(pipeline.as_numpy_iterator())[0][0] for _ in range(20)]
    variants = len({image.tobytes() for image in epochs})
    print(f"{name:27}  one variant only · 只有一种: {variants == 1}   at least eight · 至少八种: {variants >= 8}")
    shown += epochs[:8]
titles = [f"{order}, {epoch}" for order in ("gen, cache", "cache, func", "cache, gen") for epoch in range(1, 9)]
plots.show(plots.grid(shown, titles, columns=8, size=1.15), alt="The same handwritten digit in eight epochs, three rows. Augmented and then cached: eight identical pictures. Cached, then moved by tf.random.uniform: identical again. Cached, then moved by a generator: another place each time.",
    alt_zh="同一个手写数字在八轮里的样子，共三排。先增强后缓存：八张完全相同；先缓存、再用 tf.random.uniform 移动：仍然相同；先缓存、再用生成器移动：每次位置都不同。")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** One, one, and many. What is written before `cache` happens once: in the first row, the network sees one
# frozen variant forever. There is no error, it is no slower, and the augmentation is gone. Everything random belongs
# *after* the cache, and that includes `shuffle`.
#
# The second chain has the right order and is frozen, too. Its random function keeps its state in a counter, and every
# new iterator starts that counter again; with a global seed, as here and in any run that can be repeated, each epoch
# draws the same numbers. A generator (or a Keras layer, which has one) continues where it stopped.
#
# ## Clinic 2: "shuffle(1000) shuffles the data"
#
# `shuffle(k)` cannot see the whole data set. It holds $k$ elements in a buffer, hands out one at random and replaces
# it by the next. So an element waits in the buffer until it happens to be picked: its waiting time $G$ is geometric,
# with mean $k$. Away from both ends, an element enters $k$ positions early and waits $G$, so it moves by $G - k$, and
#
# $$ \operatorname{mean}(G - k) = 0 \qquad \operatorname{mean}|G - k| = 2k\left(1 - \tfrac1k\right)^{k} \approx \frac{2k}{e}
#    \qquad G - k \ge 1 - k $$
#
# A true shuffle of $n$ elements moves each by $n/3$ on average. With 20,000 elements and a buffer of 100, how far
# does one move?
#
# Then come the digits, sorted by class, as if they came from one folder per class. The figure shows what the batches
# hold. After it, the same network is trained from the same weights for two epochs, once for each buffer. Does a
# buffer of half the data suffice?

# %% [markdown] lang="zh" of="b5f51d07" tags=["answer"]
# **答案。** 一种、一种、许多种。写在 `cache` 之前的只发生一次：第一排，网络永远只看到冻住的那一种变体。
# 不报错，也不变慢，只是增强没了。凡是随机的都应放在缓存**之后**，`shuffle` 也不例外。
#
# 第二条流水线次序没错，却也冻住了：它的随机函数用一个计数器记状态，每个新的迭代器都让计数器从头开始；一旦设了全局种子（这里设了，
# 凡是可重复的程序都会设），每一轮抽到的数都相同。生成器（以及自带生成器的 Keras 层）则从上次停下的地方接着抽。
#
# ## 门诊二：“shuffle(1000) 就把数据打乱了”
#
# `shuffle(k)` 看不到整个数据集。它在缓冲区里放 $k$ 个元素，随机交出一个，再用下一个元素补上空位。元素要在缓冲区里等到碰巧被抽中为止：
# 等待时间 $G$ 服从几何分布，均值为 $k$。离两端都远的元素提前 $k$ 位进入缓冲区，再等 $G$，所以它移动了 $G - k$ 位：
#
# $$ \operatorname{mean}(G - k) = 0 \qquad \operatorname{mean}|G - k| = 2k\left(1 - \tfrac1k\right)^{k} \approx \frac{2k}{e}
#    \qquad G - k \ge 1 - k $$
#
# 真正打乱 $n$ 个元素，平均移动 $n/3$ 位。20,000 个元素，缓冲区 100，一个元素平均移动多远？
#
# 然后把样本按类别排序，就像它们来自一类一个的文件夹。图里画出各批次装了什么。再往下，同一个网络从同样的初始权重出发训练两轮，
# 每种缓冲区各一次。缓冲区有一半数据那么大，够了吗？

# %%
def buffer_shuffle(items, size, random):
    """What tf.data's shuffle does, in ten lines."""
    items = iter(items)
    buffer = list(itertools.islice(items, size))
    while buffer:
        place = random.integers(len(buffer))
        yield buffer[place]
        following = next(items, None)
        if following is None:  # nothing left to come: the buffer runs empty
            buffer.pop(place)
        else:
            buffer[place] = following


n, random = 20_000, np.random.default_rng(SEED)
for size in (10, 100, 500):
    formula = 2 * size * (1 - 1 / size) ** size
    ours = np.array(list(buffer_shuffle(range(n), size, random)))
    theirs = next(tf.data.Dataset.range(n).shuffle(size).batch(n).as_numpy_iterator())
    moved = [np.argsort(order)[n // 4 : 3 * n // 4] - np.arange(n)[n // 4 : 3 * n // 4] for order in (ours, theirs)]
    near = [bool(abs(np.abs(move).mean() / formula - 1) < 0.15) for move in moved]
    early = [bool(move.min() >= 1 - size) for move in moved]
    print(f"k = {size:3}: moves by · 移动 {formula:5.1f}   NumPy, tf.data within 15 % · 相差不到 15 %: {near}   never earlier · 不会更早: {early}")
print(f"a true shuffle · 真正打乱: {(n**2 - 1) / (3 * n):.1f}")

# %% tags=["hero"]
few = choose(smoke=3_000, laptop=3_000, full=60_000)
order = np.argsort(digits.y_train[:few], kind="stable")
images, targets = datasets.as_images(digits.x_train[:few][order]), digits.y_train[:few][order]
buffers = {"no shuffle": 1, "a tenth": few // 10, "half": few // 2, "all": few}


def order_after(size, seed):
    """The order in which shuffle(size) hands out the elements, as indices."""
    return next(tf.data.Dataset.range(few).shuffle(size, seed=seed).batch(few).as_numpy_iterator())


figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), sharey=True)
for axis, (name, size) in zip(axes, buffers.items(), strict=True):
    classes = targets[order_after(size, seed=1)].reshape(-1, few // 60)  # (60 batches, batch)
    share = np.array([np.bincount(row, minlength=10) for row in classes]).T  # (classes, batches)
    axis.imshow(share, aspect="auto", cmap="Blues", vmin=0, vmax=few // 120)
    axis.set(title=f"buffer: {name}", xlabel="batch", yticks=range(10))
    axis.grid(visible=False)
axes[0].set_ylabel("class")
plots.show(figure, alt="Class against batch for sorted digits. Without shuffling a staircase: one class after another. With a buffer of a tenth the staircase is a little smeared, with half of the data a broad band, with all of it an even grey.",
    alt_zh="已排序数字的类别与批次。不打乱：一级级台阶，一类接一类；缓冲区为十分之一：台阶略微模糊；一半：一条宽带；全部：均匀一片。")

# %% tags=["nbval-ignore-output"]
tested = choose(smoke=1_000, laptop=2_000, full=10_000)
x_test, y_test = datasets.as_images(digits.x_test[:tested]), digits.y_test[:tested]
model, seeds = network(), [3 * SEED + number for number in range(choose(smoke=1, laptop=3, full=3))]
model.compile(keras.optimizers.SGD(0.05), cross_entropy, steps_per_execution=8)  # plain: no memory to reset


def starting_weights(seed):
    keras.utils.set_random_seed(seed)
    return network().get_weights()


shuffled, losses = {name: [] for name in buffers}, {name: [] for name in buffers}
for seed, (name, size) in itertools.product(seeds, buffers.items()):
    model.set_weights(starting_weights(seed))
    rows = np.concatenate([order_after(size, seed=2 * seed + repeat) for repeat in range(2)])  # two epochs
    history = training.fit(model, images[rows], targets[rows], name=f"{name} {seed}", epochs=1, batch_size=50, shuffle=False)
    losses[name].append(history["loss"][0])
    shuffled[name].append(training.accuracy(model, x_test, y_test))
# Bands: three seeds, twice their range beyond it and at least 0.01.
bands = choose(  # test accuracy and training loss, for each buffer
    smoke=[(0.05, 0.16), (0.68, 1.96), (0.21, 0.55), (0.2, 1.71), (0.72, 0.86), (0, 2.64), (0.61, 0.92), (0.22, 2.5)],
    laptop=[(0.08, 0.12), (1.21, 1.46), (0.27, 0.45), (0.73, 1.18), (0.72, 0.84), (0.85, 1.81), (0.67, 0.84), (1.09, 1.74)], full=[None] * 8)
measured = itertools.product(buffers, {"test_accuracy": shuffled, "training_loss": losses}.items())
for ((name, (what, values)), band) in zip(measured, bands, strict=True):
    results.record(f"buffer.{name.replace(' ', '_')}_{what}", np.mean(values[name]), band=band)

# %% [markdown] lang="en"
# **Diagnosis.** With a buffer of 100, an element moves by about 73 positions, where a true shuffle would move it by
# thousands.
#
# | buffer | test accuracy | training loss |
# |---|---|---|
# | no shuffle | {{buffer.no_shuffle_test_accuracy:.1%}} | {{buffer.no_shuffle_training_loss:.2f}} |
# | a tenth | {{buffer.a_tenth_test_accuracy:.1%}} | {{buffer.a_tenth_training_loss:.2f}} |
# | half | {{buffer.half_test_accuracy:.1%}} | {{buffer.half_training_loss:.2f}} |
# | all | {{buffer.all_test_accuracy:.1%}} | {{buffer.all_training_loss:.2f}} |
#
# A buffer of a tenth does not mix; one of half is level with all, here. Without mixing, the network forgets the first
# classes while it learns the last. And the training loss does not warn you: with a buffer of a tenth it is the
# *lowest* of the four, because within a batch the answer is nearly always the same.
#
# Shuffle the list of file names with a buffer as large as the list (names are small) before anything is decoded, or
# store the data shuffled. And compare `take(1)` with what you believe.
#
# ## Clinic 3: three chains in the wrong order
#
# - `batch` before `shuffle`: whole batches are reordered, and the same examples stay together forever;
# - `repeat` before `batch`: batches reach across the end of an epoch; `repeat` before `shuffle`: some examples come
#   twice before others have come once;
# - `seed` with `reshuffle_each_iteration=False`: every epoch has the same order. (A `seed` alone makes the *run*
#   repeatable, and the epochs still differ.)

# %% [markdown] lang="zh" of="cc1efbff"
# **诊断。** 缓冲区为 100 时，一个元素大约移动 73 位；真正打乱，要移动几千位。
#
# | 缓冲区 | 测试准确率 | 训练损失 |
# |---|---|---|
# | 不打乱（no shuffle） | {{buffer.no_shuffle_test_accuracy:.1%}} | {{buffer.no_shuffle_training_loss:.2f}} |
# | 十分之一（a tenth） | {{buffer.a_tenth_test_accuracy:.1%}} | {{buffer.a_tenth_training_loss:.2f}} |
# | 一半（half） | {{buffer.half_test_accuracy:.1%}} | {{buffer.half_training_loss:.2f}} |
# | 全部（all） | {{buffer.all_test_accuracy:.1%}} | {{buffer.all_training_loss:.2f}} |
#
# 缓冲区只有十分之一，算不上打乱；有一半时，在这里与全部打乱不相上下。不打乱，网络学着最后几类，就把最前面的几类忘了。
# 训练损失不会提醒你：缓冲区为十分之一时，它反而是四者中最低的，因为同一批里的答案几乎都一样。
#
# 应当在解码之前打乱文件名列表，缓冲区与列表一样大（文件名很小）；或者存盘时就已打乱。再用 `take(1)` 看一眼，
# 是不是你以为的样子。
#
# ## 门诊三：三条次序错了的流水线
#
# - `batch` 在 `shuffle` 之前：只是整批换位置，同一批里的样本永远待在一起；
# - `repeat` 在 `batch` 之前：批次跨过一轮的末尾；`repeat` 在 `shuffle` 之前：有的样本来了两次，有的还一次没来；
# - `seed` 加上 `reshuffle_each_iteration=False`：每一轮次序都相同。（单给 `seed`，只是让整个程序可以重复，
#   各轮之间仍然不同。）

# %%
numbers = tf.data.Dataset.range(6)
for name, chain in {"batch, shuffle": numbers.batch(2).shuffle(6, seed=1), "shuffle, batch": numbers.shuffle(6, seed=1).batch(2)}.items():
    pairs = {frozenset(pair.tolist()) for _ in range(50) for pair in chain.as_numpy_iterator()}
    print(f"{name}: different pairs in 50 epochs · 50 轮里出现的不同组合: {len(pairs)}")
for name, chain in {"repeat, batch": tf.data.Dataset.range(5).repeat(2).batch(3), "batch, repeat": tf.data.Dataset.range(5).batch(3).repeat(2)}.items():
    print(f"{name}:", *[values.tolist() for values in chain.as_numpy_iterator()])
early = {name: len(set(chain.take(50).as_numpy_iterator())) for name, chain in {
    "repeat, shuffle": tf.data.Dataset.range(50).repeat().shuffle(50, seed=1),
    "shuffle, repeat": tf.data.Dataset.range(50).shuffle(50, seed=1).repeat()}.items()}
print({name: f"all 50 in the first 50 · 前 50 个不重不漏: {different == 50}" for name, different in early.items()})
for settings in ({}, {"reshuffle_each_iteration": False}):
    chain, twin = (tf.data.Dataset.range(50).shuffle(50, seed=1, **settings) for _ in range(2))
    first, second, other = (list(data.as_numpy_iterator()) for data in (chain, chain, twin))
    print(f"seed=1 {settings or ''}: epochs equal · 两轮相同 {first == second}   runs equal · 两次运行相同 {first == other}")

# %% [markdown] lang="en" tags=["predict"]
# The output confirms all three. The rule in one line: **shuffle names, read and decode, cache, shuffle, augment,
# batch, prefetch**, with `repeat` after `batch` or nowhere. Exercise 2 lets you build it.
#
# ## Numbers in sixteen bits
#
# A floating-point number is a sign, an exponent of $e$ bits and a fraction of $m$ bits. With $\beta = 2^{e-1} - 1$:
#
# $$ \text{largest} = (2 - 2^{-m})\,2^{\beta} \qquad \text{smallest normal} = 2^{1-\beta} \qquad
#    \text{smallest} = 2^{1-\beta-m} \qquad \varepsilon = 2^{-m} $$
#
# $\varepsilon$ is the gap between 1 and the next number. Sixteen bits can be divided in two ways: **float16** has
# $e = 5$, $m = 10$; **bfloat16** has $e = 8$, $m = 7$, which is a float32 with its lower half cut off ([Kalamkar et
# al. 2019](https://arxiv.org/abs/1905.12322)).
#
# Each fails in its own way: **bfloat16 loses small changes, float16 loses small numbers.** First the changes. Take a
# weight of 1 and subtract an update of 0.001, five hundred times.
#
# **Predict:** where does the weight end, in float32, float16 and bfloat16?

# %% [markdown] lang="zh" of="e92ebedf" tags=["predict"]
# 输出证实了这三条。一句话的规则：**打乱文件名、读取与解码、缓存、打乱、增强、分批、预取**；`repeat` 放在 `batch` 之后，
# 或者干脆不用。练习 2 请你亲手搭一条。
#
# ## 十六位的数
#
# 一个浮点数由符号、$e$ 位指数和 $m$ 位尾数组成。记 $\beta = 2^{e-1} - 1$：
#
# $$ \text{最大} = (2 - 2^{-m})\,2^{\beta} \qquad \text{最小正规数} = 2^{1-\beta} \qquad
#    \text{最小} = 2^{1-\beta-m} \qquad \varepsilon = 2^{-m} $$
#
# $\varepsilon$ 是 1 与下一个数之间的间隔。十六位有两种分法：**float16** 取 $e = 5$、$m = 10$；**bfloat16** 取 $e = 8$、$m = 7$，
# 也就是砍掉下半截的 float32（[Kalamkar 等，2019](https://arxiv.org/abs/1905.12322)）。
#
# 两者各有各的坏法：**bfloat16 丢的是小变化，float16 丢的是小数值。** 先看变化。权重为 1，每次减去更新量 0.001，
# 做五百次。
#
# **先猜：** 用 float32、float16、bfloat16，权重各停在哪里？

# %%
bfloat16 = ml_dtypes.bfloat16
for kind, exponent, fraction in [(np.float32, 8, 23), (np.float16, 5, 10), (bfloat16, 8, 7)]:
    beta, info = 2 ** (exponent - 1) - 1, ml_dtypes.finfo(kind)
    formulas = np.array([(2 - 2.0**-fraction) * 2.0**beta, 2.0 ** (1 - beta), 2.0 ** (1 - beta - fraction), 2.0**-fraction])
    stored = [info.max, info.smallest_normal, info.smallest_subnormal, info.eps]
    proofs.equal({f"log2 of {info.dtype}": np.log2(np.array(stored, "float64")), "formulas": np.log2(formulas)}, tolerance=1e-12)
    print("   largest {:.3g}   smallest normal {:.3g}   smallest {:.3g}   ε {:.3g}".format(*formulas))
    with np.errstate(over="ignore"):
        print("   100,000 →", float(kind(100_000)), "   1.003 →", round(float(kind(1.003)), 4))

print("1 + 2^-9 = 1 in bfloat16:", bfloat16(1) + bfloat16(2**-9) == 1, "  in float16:", np.float16(1) + np.float16(2**-9) == 1)
weights = {"float32": np.float32(1), "float16": np.float16(1), "bfloat16": bfloat16(1)}
master = np.float32(1)  # kept in float32; the network computes with a copy in bfloat16
for _ in range(500):
    weights = {name: value - type(value)(0.001) for name, value in weights.items()}
    master -= np.float32(bfloat16(0.001))  # the gradient may well come in bfloat16
print({name: round(float(value), 2) for name, value in weights.items()}, "  copy of the master · 主权重的副本:", round(float(bfloat16(master)), 2))

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** At 0.5, close to it, and at 1. In bfloat16 the gap below 1 is $\varepsilon / 2$, and
# $0.001 < \varepsilon/4$, so the result is rounded back to 1 every single time. The copy of a float32 weight ends at
# 0.5. (float16, in turn, overflows at 100,000.)
#
# bfloat16 has the range of float32 and two to three decimal digits; float16 has three to four digits and a narrow
# range. Hence the recipe of [Micikevicius et al. 2017](https://arxiv.org/abs/1710.03740): **weights and optimiser in
# float32 (the *master weights*), activations and gradients in sixteen bits.** In Keras this is one word, a *policy*.
# The last layer is kept in float32 for the sake of what follows it: in bfloat16, two logits tie that should not, and
# in float16, a softmax without chapter 4's care overflows.
#
# What if everything is in bfloat16, optimiser included? The first cell takes twenty steps with a gradient of 1, by
# SGD at 0.001 and by Adam at 0.1: does the weight move? Then comes the **experiment** on digits: float32, mixed, and
# everything in bfloat16, from the same weights, with the same batches and plain SGD, at a large and at a small
# learning rate.

# %% [markdown] lang="zh" of="b422115a" tags=["answer"]
# **答案。** 停在 0.5、0.5 附近，和 1。在 bfloat16 里，1 以下的间隔是 $\varepsilon / 2$，而 $0.001 < \varepsilon/4$，
# 所以每一次都被舍入回 1。float32 权重的副本则停在 0.5。（float16 呢，到 100,000 就溢出了。）
#
# bfloat16 的范围与 float32 一样，有两到三位十进制有效数字；float16 有三到四位，范围却窄。于是有了 [Micikevicius 等（2017）](https://arxiv.org/abs/1710.03740) 的配方：
# **权重和优化器用 float32（称为主权重，master weights），激活值和梯度用十六位。** 在 Keras 里只是一个词：
# 策略（policy）。末层留在 float32，是为了照顾后面的步骤：在 bfloat16 里，本不该打平的两个 logit 打成了平手；
# 在 float16 里，少了第 4 章那份小心，softmax 会溢出。
#
# 那么，连优化器在内全部用 bfloat16 呢？第一个单元让梯度恒为 1，SGD 以 0.001 走二十步，Adam 以 0.1 走二十步，
# 看权重动没动。然后是手写数字上的**实验**：float32、混合、全部 bfloat16，初始权重和批次都相同，用朴素的 SGD，
# 学习率一大一小。

# %%
def with_policy(policy, build):
    """What `build` returns while layers are made under a dtype policy."""
    keras.config.set_dtype_policy(policy)
    try:
        return build()
    finally:
        keras.config.set_dtype_policy("float32")


for policy in ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16"):
    mixed = with_policy(policy, network)
    mixed.compile("sgd", cross_entropy)
    first, last = mixed.layers[0], mixed.layers[-1]
    print(f"{policy:14} weights · 权重 {first.kernel.dtype:8}  computes in · 计算 {first.compute_dtype:8}  "
          f"last layer · 末层 {last.compute_dtype}  {type(mixed.optimizer).__name__}")
print("12 and 12.03 in bfloat16:", float(bfloat16(12)), float(bfloat16(12.03)), "  exp(12) in float16:", float(keras.ops.exp(keras.ops.cast(12, "float16"))))
for optimizer in (keras.optimizers.SGD(0.001), keras.optimizers.Adam(0.1)):
    for policy in ("float32", "bfloat16"):
        optimizer, weight = optimizer.from_config(optimizer.get_config()), keras.Variable(1.0, dtype=policy)
        for _ in range(20):
            optimizer.apply([keras.ops.ones((), policy)], [weight])
        print(f"{type(optimizer).__name__:4} {policy:8} has moved · 动了: {float(weight) != 1}")
print("0.999 in bfloat16 =", float(bfloat16(0.999)))

# %% tags=["nbval-ignore-output"]
train_count, epochs = choose(smoke=1_000, laptop=3_000, full=60_000), choose(smoke=2, laptop=3, full=3)
x_train, y_train = datasets.as_images(digits.x_train[:train_count]), digits.y_train[:train_count]
reached, models = {}, {}
for policy in ("float32", "mixed_bfloat16", "bfloat16"):
    last = None if policy == "bfloat16" else "float32"  # None: as the policy says
    model = models[policy] = with_policy(policy, lambda last=last: network(last))
    model.compile(keras.optimizers.SGD(0.05), cross_entropy, steps_per_execution=8)
    for rate, seed in itertools.product((0.005, 0.05), seeds):
        model.optimizer.learning_rate = rate
        model.set_weights(starting_weights(seed))
        keras.utils.set_random_seed(seed)  # the same batches for all three
        training.fit(model, x_train, y_train, name=f"{policy} {rate} {seed}", epochs=epochs, batch_size=50)
        reached.setdefault((policy, rate), []).append(training.accuracy(model, x_test, y_test))
# Bands: three seeds, twice their range beyond it and at least 0.01. First the accuracy, then the difference to float32.
bands = choose(
    smoke=[(0, 0.27), (0, 0), (0, 1), (0, 0), (0, 0.27), (-0.01, 0.011), (0, 1), (-0.011, 0.011), (0, 0.23), (-0.076, 0.049), (0, 1), (-0.035, 0.02)],
    laptop=[(0.08, 0.42), (0, 0), (0.69, 0.92), (0, 0), (0.08, 0.42), (-0.01, 0.011), (0.69, 0.92), (-0.01, 0.011), (0.08, 0.23), (-0.191, -0.001), (0.69, 0.92), (-0.013, 0.01)],
    full=[None] * 12)
for ((policy, rate), values), pair in zip(reached.items(), zip(bands[::2], bands[1::2], strict=True), strict=True):
    name, difference = f"{policy}.rate_{str(rate).replace('.', '_')}", np.subtract(values, reached["float32", rate])
    results.record(f"{name}_test_accuracy", np.mean(values), band=pair[0])
    results.record(f"{name}_minus_float32", np.mean(difference), band=pair[1])
    print("    seed by seed · 各个种子:", np.round(values, 4), np.round(difference, 4))

# %% [markdown] lang="en"
# Mixed precision ends where float32 ends, at both rates, to within far less than a change of seed makes. Everything
# in bfloat16 does as well at the large rate ({{bfloat16.rate_0_05_test_accuracy:.1%}} against
# {{float32.rate_0_05_test_accuracy:.1%}}), which may surprise you. At the small rate it falls behind for every seed:
# {{bfloat16.rate_0_005_test_accuracy:.1%}} against {{float32.rate_0_005_test_accuracy:.1%}}. Many updates are now too
# small for their weight and vanish, and most learning-rate schedules end with a small rate (chapter 5a). (After three
# short epochs, neither is well trained at that rate.)
#
# Adam fails at once, whatever its learning rate: $\beta_2 = 0.999$ rounds to 1, so $1 - \beta_2^t$ in its bias
# correction (chapter 5) is 0. There is no error and no warning; it never takes a step.
#
# ## float16 loses small numbers: loss scaling
#
# In float16, whatever lies well below $2^{-24}$ is 0, and gradients are small. The first cell takes the gradient of
# the loss with respect to the first layer's feature maps, for the float32 network trained above, and counts what
# float16 turns into 0. The remedy is a multiplication: scale the loss by $c$ before going back; the chain rule scales
# every gradient by $c$; divide by $c$ in float32 before the update.
#
# How large should $c$ be? As large as possible without overflow, and overflow shows itself: it makes an infinity. So
# Keras, as Micikevicius et al. before, tries: **if any gradient is not finite, skip the step and halve $c$; after $N$
# good steps in a row, double it.** The second cell does that in NumPy, with six gradients, one holding an infinity
# and one a NaN. In Keras, $N$ is `dynamic_growth_steps`, 2,000 by default and 2 here.

# %% [markdown] lang="zh" of="12e39994"
# 两种学习率下，混合精度的终点都是 float32 的终点，差别远小于换个种子的差别。学习率大时，全部用 bfloat16 也一样好（{{bfloat16.rate_0_05_test_accuracy:.1%}}，
# float32 是 {{float32.rate_0_05_test_accuracy:.1%}}），这也许出乎意料。学习率小时，它在每个种子上都落后：
# {{bfloat16.rate_0_005_test_accuracy:.1%}}，float32 是 {{float32.rate_0_005_test_accuracy:.1%}}。许多更新量相对权重太小，
# 消失了；而学习率调度的结尾大多很小（第 5a 章）。（只有短短三轮，这个学习率下两者都还没有练好。）
#
# Adam 则立刻失败，学习率是多少都没用：$\beta_2 = 0.999$ 舍入成 1，偏差修正里的 $1 - \beta_2^t$（第 5 章）就成了 0。
# 不报错，不警告，一步也不走。
#
# ## float16 丢小数值：损失缩放
#
# 在 float16 里，远小于 $2^{-24}$ 的数都是 0，而梯度本来就小。第一个单元取上面训练好的 float32 网络，求损失对第一层特征图的梯度，
# 数一数有多少会被 float16 变成 0。办法是乘一个数：反向传播之前把损失乘以 $c$，链式法则就把每个梯度都乘上 $c$；
# 更新之前再在 float32 里除以 $c$。
#
# $c$ 该取多大？在不溢出的前提下越大越好；而溢出自己会露馅，因为它产生无穷大。于是 Keras（以及更早的 Micikevicius 等）采用试探：
# **只要有一个梯度不是有限数，就跳过这一步并把 $c$ 减半；连续 $N$ 步正常之后，把 $c$ 加倍。** 第二个单元用 NumPy 照做，
# 给它六个梯度，其中一个含无穷大，一个含 NaN。Keras 里的 $N$ 就是 `dynamic_growth_steps`，默认 2,000，这里取 2。

# %% tags=["nbval-ignore-output"]
first, *rest = models["float32"].layers
with tf.GradientTape() as tape:
    tape.watch(features := first(x_train[:64]))
    outputs = features
    for layer in rest:
        outputs = layer(outputs)
    loss = cross_entropy(y_train[:64], outputs)
gradient = tape.gradient(loss, features).numpy()  # (64, 13, 13, 8)
gradient = gradient[gradient != 0]
figure, axis = plt.subplots(figsize=(8, 3))
for scale, color, hatch in [(1, plots.COLORS[1], "//"), (2**15, plots.COLORS[0], "")]:
    lost = np.mean((gradient * scale).astype("float16") == 0)
    results.record(f"float16.lost_scaled_by_{scale}", lost, band=choose(smoke=(0, 0.01), laptop=(0, 0.05), full=None))
    axis.hist(np.log2(np.abs(gradient) * scale), bins=range(-40, 18), color=color, hatch=hatch, alpha=0.6, label=f"scaled by {scale:,}")
axis.axvspan(-40, -24, color="0.85", zorder=0)
axis.axvline(16, color="k", linestyle="--")
axis.set(xlabel="power of two of a gradient's size", ylabel="how many", title="Grey: zero in float16.  Dashed: overflow", xlim=(-40, 18))
axis.legend(loc="upper left")
plots.show(figure, alt="Two histograms of gradient sizes. Unscaled, part of them lies in the grey zone that float16 turns into zero; scaled by 32,768 nearly all lie between the zone and the overflow line.",
    alt_zh="两个梯度大小的直方图。不缩放时，一部分落在被 float16 变成零的灰色区域；乘以 32,768 之后，几乎全部落在灰色区域与上溢线之间。")

# %%
def scaled_update(weights, scaled_gradient, scale, good_steps, rate, growth_steps):
    """One step of gradient descent with dynamic loss scaling; returns weights, scale and good steps in a row."""
    if not np.all(np.isfinite(scaled_gradient)):
        return weights, scale / 2, 0
    weights = weights - rate * scaled_gradient / scale
    if good_steps + 1 == growth_steps:
        return weights, scale * 2, 0
    return weights, scale, good_steps + 1


optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=8.0, dynamic_growth_steps=2)
theirs, ours, scale, good = keras.Variable([1.0, 2.0]), np.array([1.0, 2.0]), 8.0, 0
optimizer.build([theirs])
history = []
for gradient in ([1, 2], [np.inf, 1], [1, -1], [2, 1], [1, 1], [np.nan, 1]):
    scaled = np.array(gradient, "float32") * scale
    ours, scale, good = scaled_update(ours, scaled, scale, good, 0.5, 2)
    optimizer.apply([keras.ops.convert_to_tensor(scaled)], [theirs])
    history.append([*ours, scale, *keras.ops.convert_to_numpy(theirs), float(optimizer.dynamic_scale)])
    print(f"gradient · 梯度 {gradient!s:10} → weights · 权重 {ours}   c = {scale:g}")
proofs.equal({"NumPy": np.array(history)[:, :3], "Keras": np.array(history)[:, 3:]})

# %% [markdown] lang="en" tags=["predict"]
# Without scaling, float16 loses {{float16.lost_scaled_by_1:.1%}} of these gradients, scaled by 32,768 none. NumPy and
# Keras agree at all six steps. With bfloat16 none of this is needed: it reaches as low as float32. That, and not
# precision, is its advantage.
#
# ## Clinic 4: "mixed precision makes training faster"
#
# Two things can be gained: time, and the memory that is *kept*. Kept is what the forward pass makes and the backward
# pass still needs; the first cell counts it in the graph of our small network, against a formula.
#
# **Predict**, for your machine and before you run the cell: is a step of a wider network faster in mixed bfloat16,
# and by how much? How many bytes fewer must be kept?

# %% [markdown] lang="zh" of="cb704ef8" tags=["predict"]
# 不缩放，float16 会丢掉 {{float16.lost_scaled_by_1:.1%}} 的梯度；乘以 32,768 之后，一个也不丢。NumPy 与 Keras 六步全都一致。
# 用 bfloat16 时，这些全不需要：它能表示的小数值与 float32 一样小。它的长处正在这里，而不在精度。
#
# ## 门诊四：“混合精度让训练更快”
#
# 可能省下的有两样：时间，以及要**留住**的内存。所谓留住的，就是前向计算造出来、反向传播还要用到的张量；
# 第一个单元在小网络的图里把它们数出来，与公式对照。
#
# **先猜**，猜的是你的机器，而且要在运行之前：一个宽一些的网络，用混合 bfloat16 训练，一步会更快吗，快多少？要留住的字节能少多少？

# %%
ALIASES = ("Identity", "IdentityN", "Reshape")  # another name for the same memory


def kept(step, *inputs):
    """The tensors (batch, ...) that a graph's forward pass must keep for its backward pass."""
    graph = step.get_concrete_function(*inputs).graph
    forward, waiting = set(), [graph.outputs[0].op]  # the loss; walk from it back to the inputs
    while waiting:
        operation = waiting.pop()
        if operation not in forward:
            forward.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
    found = {}
    for tensor in (tensor for operation in forward for tensor in operation.outputs):
        if tensor.shape.rank and tensor.shape[0] == len(inputs[0]) and not set(tensor.consumers()) <= forward:
            while tensor.op.type in ALIASES:
                tensor = tensor.op.inputs[tensor.value_index]
            found[tensor.name] = tensor
    return list(found.values())


tensors = kept(tf.function(plain_step(models["float32"])), *batch)
print("a digit, kept · 一个数字留住的:", sorted([tuple(tensor.shape[1:]) for tensor in tensors], key=np.prod, reverse=True))
proofs.equal({"bytes kept": sum(np.prod(tensor.shape) * 4 for tensor in tensors), "64 × 4 × (28² + 13² × 8 + 6² × 16 + 10)": 64 * 4 * (28**2 + 13**2 * 8 + 6**2 * 16 + 10)})

# %% tags=["nbval-ignore-output"]
def wider():
    """A convolutional network with more to compute."""
    layers = [keras.layers.Conv2D(32, 3, padding="same", activation="relu") for _ in range(2)]
    return keras.Sequential([keras.Input((28, 28, 1)), *layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10, dtype="float32")])


times, work, sizes, repeats = {}, {}, {}, choose(smoke=3, laptop=15, full=50)
for policy in ("float32", "mixed_bfloat16"):
    step = tf.function(plain_step(with_policy(policy, wider)))
    sizes[policy] = sum(np.prod(tensor.shape) * tensor.dtype.size for tensor in kept(step, *batch))
    times[policy] = seconds(lambda step=step: step(*batch), repeats)
    work[policy] = seconds(lambda step=step: step(*batch), repeats, time.process_time)
# Counted, not measured: no seed changes it.
results.record("mixed_bfloat16.bytes_kept_ratio", sizes["mixed_bfloat16"] / sizes["float32"], band=(0.5, 0.51), digits=3)
results.record("mixed_bfloat16.step_time_ratio", times["mixed_bfloat16"] / times["float32"], digits=2)
results.record("mixed_bfloat16.processor_time_ratio", work["mixed_bfloat16"] / work["float32"], digits=2)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The bytes are halved ({{mixed_bfloat16.bytes_kept_ratio:.3f}}), on any machine. The step was *slower* on
# ours: {{mixed_bfloat16.step_time_ratio:.2f}} times the time of float32, and
# {{mixed_bfloat16.processor_time_ratio:.2f}} times its processor time.
#
# Time is a matter of hardware. Sixteen-bit numbers can be faster only where there are units that multiply them:
# NVIDIA GPUs with tensor cores (since 2017 for float16, 2020 for bfloat16), TPUs, processors with AMX or AVX512-BF16.
# A processor without them converts to float32 and back, and pays for it. And having the units is not enough: the
# library must use them, and the layers must be large. (The processor of the stored run has AVX512-BF16.) On GPUs and
# TPUs this cell was *not run here*. Where memory sets the limit, halved activations pay anyway.
#
# ## XLA: a compiler for the graph
#
# TensorFlow runs a graph operation by operation; each reads its input from memory and writes its output back. XLA
# ([documentation](https://openxla.org/xla)) compiles the whole graph for shapes that are known, and *fuses*
# element-wise operations: one pass over memory instead of many. `jit_compile=True` asks for it, in `tf.function` and
# in `model.compile`. (The default of `compile`, `"auto"`, is off on a machine without a GPU and under
# `tf.distribute`, and on with one GPU. So going from one GPU to two turns XLA off.)
#
# Fusion saves reading and writing, not multiplying. Who gains, a Transformer block (many small element-wise steps) or
# a CNN (few large products)? Look at both clocks, and at the price of the first call.

# %% [markdown] lang="zh" of="ff972204" tags=["answer"]
# **答案。** 字节数减半（{{mixed_bfloat16.bytes_kept_ratio:.3f}}），在哪台机器上都一样。一步的用时，在我们的机器上反而**更长**：
# 是 float32 的 {{mixed_bfloat16.step_time_ratio:.2f}} 倍，处理器时间是 {{mixed_bfloat16.processor_time_ratio:.2f}} 倍。
#
# 时间要看硬件。有专门乘十六位数的单元才可能更快：NVIDIA GPU 的张量核心（2017 年起支持 float16，2020 年起支持 bfloat16）、TPU、带 AMX 或 AVX512-BF16 的处理器。
# 没有这种单元的处理器要先转成 float32，算完再转回来，这就要付代价。有单元也还不够：库要用上它，层也要够大。
# （仓库里保存的结果，所用的处理器就带 AVX512-BF16。）这个单元**没有**在 GPU 和 TPU 上运行过。若瓶颈是内存，
# 激活值减半总是划算的。
#
# ## XLA：给计算图用的编译器
#
# TensorFlow 一个运算一个运算地执行图，每个运算都从内存读输入、把输出写回内存。XLA（[文档](https://openxla.org/xla)）在形状已知的前提下编译整张图，
# 并把逐元素的运算融合（fuse）起来：内存只走一遍，而不是许多遍。用 `jit_compile=True` 开启，`tf.function` 和 `model.compile` 都行。
# （`compile` 默认 `"auto"`：没有 GPU 时和在 `tf.distribute` 下是关，只有一个 GPU 时是开。所以从一个 GPU 换成两个，
# XLA 反而关了。）
#
# 融合省的是读写，不是乘法。谁会获益：Transformer 块（许多小的逐元素步骤），还是 CNN（少数大乘积）？两种时间都看一看，
# 还有第一次调用的代价。

# %% tags=["nbval-ignore-output"]
def gradient_step(model, xla):
    @tf.function(jit_compile=xla)
    def step(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(inputs) ** 2)
        return loss, *tape.gradient(loss, model.trainable_variables)
    return step


normal, computed = np.random.default_rng(SEED).normal, {}
block = keras.Sequential([keras.Input((64, 64)), transformer.Block(64, 4, 256)])  # (batch, time, size)
for name, model, inputs in [("transformer", block, tf.constant(normal(size=(32, 64, 64)), "float32")), ("cnn", wider(), batch[0])]:
    first, later, work = {}, {}, {}
    for xla in (False, True):
        step, start = gradient_step(model, xla), time.perf_counter()
        computed[name, xla] = np.concatenate([np.ravel(value) for value in step(inputs)])
        first[xla] = time.perf_counter() - start
        later[xla] = seconds(lambda step=step, inputs=inputs: step(inputs)[0], repeats)
        work[xla] = seconds(lambda step=step, inputs=inputs: step(inputs)[0], repeats, time.process_time)
    results.record(f"xla.{name}_first_call_time_ratio", first[True] / first[False], digits=1)
    results.record(f"xla.{name}_later_time_ratio", later[True] / later[False], digits=2)
    results.record(f"xla.{name}_later_processor_time_ratio", work[True] / work[False], digits=2)

# %%
for name in ("transformer", "cnn"):
    proofs.equal({f"{name}: loss and gradients": computed[name, False], "XLA": computed[name, True]}, tolerance=1e-4)


@tf.function(jit_compile=True)
def chain(x):
    return tf.tanh(tf.nn.relu(2 * x + 1) ** 2 - x)


x = tf.ones((32, 64))
operations = [operation.type for operation in chain.get_concrete_function(x).graph.get_operations()]
work = [kind for kind in operations if kind not in ("Placeholder", "Const", "NoOp", *ALIASES)]
entry = chain.experimental_get_compiler_ir(x)(stage="optimized_hlo").split("\nENTRY")[1]
print("operations · 运算:", len(work), work)
print("after XLA · 编译之后:", entry.count(" fusion("), "fusion, other arithmetic · 其他运算:", sum(entry.count(f" {kind}(") for kind in ("multiply", "add", "maximum", "subtract", "tanh")))

# %% [markdown] lang="en"
# **What to take away.** The numbers agree, so only time decides, and you must say which time.
#
# - For the **Transformer block**, later calls take {{xla.transformer_later_time_ratio:.2f}} of the time and
#   {{xla.transformer_later_processor_time_ratio:.2f}} of the processor time: a chain of element-wise steps becomes
#   one pass over memory. But the gain is not universal. In the stored full run, which had one core instead of two, it
#   nearly vanished ({{full:xla.transformer_later_time_ratio:.2f}} and
#   {{full:xla.transformer_later_processor_time_ratio:.2f}}). And while other programs were running, the same block
#   did less work and took *longer* (wall clock, three seeds: {{seeds:xla.transformer_later_time_ratio:.2f}};
#   processor: {{seeds:xla.transformer_later_processor_time_ratio:.2f}}).
# - The **CNN** loses on both clocks, {{xla.cnn_later_time_ratio:.2f}} and {{xla.cnn_later_processor_time_ratio:.2f}}:
#   the library that TensorFlow calls for convolutions is tuned by hand, and XLA's own loops are not.
# - The **first call** costs {{xla.transformer_first_call_time_ratio:.1f}} and {{xla.cnn_first_call_time_ratio:.1f}}
#   times as much. A new shape is not only traced but compiled again, so pad, or drop the last short batch.
#
# On GPUs and TPUs the balance is different (a TPU runs nothing *but* XLA); that was not run here.
#
# ## Memory: what is kept, and what can be computed twice
#
# The backward pass needs the inputs of every layer. A stack of $n$ dense layers of width $w$ keeps $(n + 1)\,B\,w$
# numbers for a batch of $B$; the weights need $n w^2$. So the batch decides. **Rematerialisation** (gradient
# checkpointing, [Chen et al. 2016](https://arxiv.org/abs/1604.06174)) cuts the stack into $k$ segments, keeps only
# the segments' inputs, and computes each segment a second time when the backward pass arrives there. In units of one
# activation, at the worst moment:
#
# $$ M(k) \approx k + \frac{n}{k} \;\ge\; 2\sqrt{n} \quad\text{at } k = \sqrt n, \qquad \text{for one more forward pass.} $$
#
# Keras has `keras.remat(function)`. The cells count the tensors kept by nine layers, plainly and in three segments,
# and measure the price in time. The gradients must be equal, not similar: it is the same arithmetic, done again.
# (With dropout, the second pass must draw the same mask.) In the graph it shows as matrix products: nine more, and
# one for a gradient by the first input that nobody asked for.
#
# The last cell holds a trap: `keras.RematScope` promises all this for whole models, and in this version it fails
# inside `fit`. A layer that calls `keras.remat` itself works.

# %% [markdown] lang="zh" of="d75035e7"
# **记住什么。** 数值一致，所以只看时间，但要说清是哪一种时间。
#
# - **Transformer 块**：后来的调用，实际耗时是原来的 {{xla.transformer_later_time_ratio:.2f}}，处理器时间是 {{xla.transformer_later_processor_time_ratio:.2f}}，
#   因为一连串逐元素运算变成内存只走一遍。不过这点好处并不普遍。在保存的 full 结果里（一个核，而不是两个），
#   它几乎消失了（{{full:xla.transformer_later_time_ratio:.2f}} 和 {{full:xla.transformer_later_processor_time_ratio:.2f}}）。
#   有别的程序在跑的时候，同一个块活干得少了，却可能花得**更久**（三个种子，实际耗时从 {{seeds:xla.transformer_later_time_ratio:.2f}}，
#   处理器时间从 {{seeds:xla.transformer_later_processor_time_ratio:.2f}}）。
# - **CNN** 两种时间都吃亏，{{xla.cnn_later_time_ratio:.2f}} 和 {{xla.cnn_later_processor_time_ratio:.2f}}：
#   TensorFlow 为卷积调用的库是人工精调过的，XLA 自己生成的循环不是。
# - **第一次调用**的用时是原来的 {{xla.transformer_first_call_time_ratio:.1f}} 倍和 {{xla.cnn_first_call_time_ratio:.1f}} 倍。
#   遇到新形状，不仅要重新追踪，还要重新编译，所以要补齐，或者丢掉最后那个不满的批次。
#
# GPU 和 TPU 上又是另一种情形（TPU 只能跑 XLA），这里没有运行过。
#
# ## 内存：留下什么，什么可以算两遍
#
# 反向传播需要每一层的输入。$n$ 个宽度为 $w$ 的全连接层，批量为 $B$ 时要留 $(n + 1)\,B\,w$ 个数；权重则是 $n w^2$ 个。
# 所以内存多少，由批量决定。**重计算**（rematerialisation，又叫梯度检查点，[Chen 等，2016](https://arxiv.org/abs/1604.06174)）把这一叠切成 $k$ 段，
# 只留每段的输入，反向传播走到哪一段，就把那一段再算一遍。以一份激活值为单位，最吃紧的时刻是：
#
# $$ M(k) \approx k + \frac{n}{k} \;\ge\; 2\sqrt{n} \quad\text{当 } k = \sqrt n, \qquad \text{代价是多一次前向。} $$
#
# Keras 里是 `keras.remat(function)`。下面数一数九层网络照常要留几个张量，切成三段又留几个，再测时间上的代价。
# 梯度应当相等，而不是相近，因为是同样的算术又做了一遍。（有随机失活时，第二遍必须抽到同样的掩码。）图里能数出来：
# 矩阵乘法多了九次，还有一次是对最前面输入的梯度，其实没人要。
#
# 最后一个单元有个陷阱：`keras.RematScope` 号称对整个模型做同样的事，在这个版本里却在 `fit` 中失败；自己调用 `keras.remat` 的层则可用。

# %%
layers = [keras.layers.Dense(64, activation="relu") for _ in range(9)]
x = tf.constant(normal(size=(100, 64)), "float32")
variables = keras.Sequential([keras.Input((64,)), *layers]).trainable_variables


def stack_step(segments, wrap):
    """A step through the nine layers in so many segments; returns the loss and the gradients."""
    @tf.function
    def step(inputs):
        with tf.GradientTape() as tape:
            for part in np.array_split(np.arange(9), segments):
                segment = keras.Sequential([layers[number] for number in part])
                inputs = wrap(segment)(inputs)
            loss = tf.reduce_mean(inputs)
        return loss, *tape.gradient(loss, variables)
    return step


plain, remat = stack_step(3, lambda segment: segment), stack_step(3, keras.remat)
for name, step in {"plain": plain, "keras.remat, 3 segments": remat}.items():
    products = [operation.type for operation in step.get_concrete_function(x).graph.get_operations()].count("MatMul")
    print(f"{name}: kept · 留住 {len(kept(step, x))} × {x.shape}   matrix products · 矩阵乘法 {products}")
print("formulas · 公式: n + 1 =", 9 + 1, "  k + 1 =", 3 + 1)
proofs.equal({"loss and gradients": np.concatenate([np.ravel(v) for v in plain(x)]), "recomputed": np.concatenate([np.ravel(v) for v in remat(x)])})

# %%
def worst_moment(layers, segments):
    """Most activations alive at once, counted by walking through forward and backward pass."""
    parts = [len(part) for part in np.array_split(np.arange(layers), segments)]
    alive = worst = len(parts)  # after the forward pass: the input of each segment
    for length in reversed(parts):
        worst = max(worst, alive + length)  # the segment is computed again: all its outputs
        alive -= 1  # done; its input is no longer needed
    return worst


sizes = range(1, 101)
counted, formula = [worst_moment(100, k) for k in sizes], [k + 100 / k for k in sizes]
print("100 layers · 100 层: k = 10 →", counted[9], "  least of all · 最少", min(counted), "  2 √n =", 2 * 10)
proofs.equal({"counted, where k divides n": [counted[k - 1] for k in (1, 2, 5, 10, 20, 50)], "k + n / k": [formula[k - 1] for k in (1, 2, 5, 10, 20, 50)]})
figure, axis = plt.subplots(figsize=(7, 3))
axis.plot(sizes, counted, color=plots.COLORS[0], label="counted")
axis.plot(sizes, formula, linestyle="--", color=plots.COLORS[1], label="k + n / k")
axis.axhline(100, color="0.5", linestyle=":", label="nothing recomputed")
axis.set(xscale="log", xlabel="segments k", ylabel="activations alive", title="100 layers: memory against segments", ylim=(0, 110), xticks=[1, 10, 100], xticklabels=[1, 10, 100])
axis.legend()
plots.show(figure, alt="Memory against the number of segments for 100 layers: a valley with its floor at ten segments, far below the line without recomputing; counted and formula agree.",
    alt_zh="100 层时内存与段数的关系：一个谷，谷底在十段处，远低于不重计算的水平线；数出来的与公式一致。")

# %% tags=["nbval-ignore-output"]
repeats = choose(smoke=10, laptop=30, full=100)
for name, clock in {"step": time.perf_counter, "processor": time.process_time}.items():
    ratio = seconds(lambda: remat(x)[0], repeats, clock) / seconds(lambda: plain(x)[0], repeats, clock)
    results.record(f"remat.{name}_time_ratio", ratio, digits=2)


class Segment(keras.layers.Layer):
    """Layers whose inner activations are computed again in the backward pass."""

    def build(self, shape):
        self.inner = keras.Sequential([keras.Input(shape[1:]), *[keras.layers.Dense(64, activation="relu") for _ in range(3)]])

    def call(self, inputs):
        return keras.remat(self.inner)(inputs)


with keras.RematScope(mode="full"):
    scoped = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64)])
for name, model in {"RematScope": scoped, "keras.remat in a layer": keras.Sequential([keras.Input((64,)), Segment(), Segment()])}.items():
    model.compile("sgd", "mse")
    try:
        model.fit(x, x, verbose=0)
        print(f"fit with {name}: works · 可用")
    except ValueError as error:
        print(f"fit with {name}: fails · 失败 ({str(error).splitlines()[2][4:90]}…)")

# %% [markdown] lang="en" tags=["summary"]
# Three segments keep 4 tensors instead of 10, with equal gradients, for {{remat.step_time_ratio:.2f}} times the time
# of a step.
#
# ## What you measured
#
# - The first call of a step took {{timing.first_call_times_later:.0f}} times as long as a later one; in an eager
#   loop, Python took {{eager_loop.share_python:.0%}} of the time.
# - Caching batches brings the pipeline to {{batch_cache.alone_time_ratio:.2f}} of its time alone, and to
#   {{batch_cache.trained_time_ratio:.2f}} with training.
# - Sorted digits with a shuffle buffer of a tenth: {{buffer.a_tenth_test_accuracy:.1%}} instead of
#   {{buffer.all_test_accuracy:.1%}}, with the lowest training loss of all.
# - Mixed bfloat16 keeps {{mixed_bfloat16.bytes_kept_ratio:.2f}} of the bytes and loses nothing; weights in bfloat16
#   cost {{bfloat16.rate_0_005_minus_float32:.3f}} of accuracy at the small rate (three seeds:
#   {{seeds:bfloat16.rate_0_005_minus_float32:.3f}}).
# - XLA brings a Transformer block to {{xla.transformer_later_processor_time_ratio:.2f}} of its processor time on two
#   cores ({{full:xla.transformer_later_processor_time_ratio:.2f}} on one), and a CNN to
#   {{xla.cnn_later_processor_time_ratio:.2f}}.
#
# | | formula |
# |---|---|
# | prefetching | $a + (n-1)\max(a, b) + b$ |
# | Amdahl | $S = 1 / ((1 - p) + p / s)$ |
# | shuffle buffer of $k$ | moves an element by about $2k / e$ |
# | float with $m$ bits of fraction | $\varepsilon = 2^{-m}$ |
# | loss scaling | not finite: skip, $c / 2$; $N$ good steps: $2 c$ |
# | rematerialisation | $M(k) \approx k + n / k$ |
#
# The order of a pipeline: shuffle names, read and decode, cache, shuffle, augment, batch, prefetch.
#
# ### Exercise 1 · easy — Amdahl for several parts
#
# Some parts of a program get faster: part $i$ takes a share $p_i$ of the time and then runs at $s_i$ times its speed.
# The rest, if the shares do not add up to 1, stays as it was. Write `speedup(shares, factors)`: the new speed of the
# whole divided by the old one.

# %% [markdown] lang="zh" of="7d0fa4fa" tags=["summary"]
# 切成三段，只留 4 个张量，而不是 10 个；梯度相等，一步的用时是原来的 {{remat.step_time_ratio:.2f}} 倍。
#
# ## 你测到了什么
#
# - 训练步的第一次调用，用时是后来的 {{timing.first_call_times_later:.0f}} 倍；即时执行的循环里，Python 占了 {{eager_loop.share_python:.0%}} 的时间。
# - 把整批缓存起来，流水线单独跑的用时只有原来的 {{batch_cache.alone_time_ratio:.2f}}，加上训练是 {{batch_cache.trained_time_ratio:.2f}}。
# - 按类别排好的样本，缓冲区只有十分之一：准确率 {{buffer.a_tenth_test_accuracy:.1%}}，全部打乱是 {{buffer.all_test_accuracy:.1%}}；
#   可它的训练损失却最低。
# - 混合 bfloat16 只要留住 {{mixed_bfloat16.bytes_kept_ratio:.2f}} 的字节，准确率毫无损失；权重也用 bfloat16，
#   小学习率下准确率差 {{bfloat16.rate_0_005_minus_float32:.3f}}（三个种子：{{seeds:bfloat16.rate_0_005_minus_float32:.3f}}）。
# - XLA 使 Transformer 块的处理器时间变为原来的 {{xla.transformer_later_processor_time_ratio:.2f}}（两个核；
#   一个核时是 {{full:xla.transformer_later_processor_time_ratio:.2f}}），使 CNN 变为 {{xla.cnn_later_processor_time_ratio:.2f}}。
#
# | | 公式 |
# |---|---|
# | 预取 | $a + (n-1)\max(a, b) + b$ |
# | Amdahl | $S = 1 / ((1 - p) + p / s)$ |
# | 大小为 $k$ 的打乱缓冲区 | 元素平均移动约 $2k / e$ 位 |
# | 尾数有 $m$ 位的浮点数 | $\varepsilon = 2^{-m}$ |
# | 损失缩放 | 不是有限数：跳过，$c / 2$；连续 $N$ 步正常：$2 c$ |
# | 重计算 | $M(k) \approx k + n / k$ |
#
# 流水线的次序：打乱文件名、读取与解码、缓存、打乱、增强、分批、预取。
#
# ### 练习 1 · 易 —— 几个部分的 Amdahl
#
# 程序的几个部分变快了：第 $i$ 部分占时间的比例为 $p_i$，速度变为原来的 $s_i$ 倍。若各比例加起来不到 1，
# 其余部分照旧。写出 `speedup(shares, factors)`，返回整体的加速比（新速度除以旧速度，不变时为 1）。

# %% tags=["exercise"]
def speedup(shares, factors):
    """How many times faster the whole becomes."""
    ### BEGIN SOLUTION
    left = 1 - sum(shares)
    return 1 / (left + sum(share / factor for share, factor in zip(shares, factors, strict=True)))
    ### END SOLUTION

# %% tags=["check"]
exercises.check("09a.speedup", speedup)

# %% [markdown] lang="en" tags=["hint"]
# Let the old time be 1. What is the new time of each part, and of the rest? The speed-up is old time over new time.

# %% [markdown] lang="zh" of="7133610e" tags=["hint"]
# 设原来的总时间为 1。每一部分的新时间是多少？其余部分呢？加速比是旧时间除以新时间。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — the right order
#
# Write `training_data(source, decode, augment, batch_size)`: a pipeline for one epoch, to be iterated again for each
# further one. `source` is a dataset with a known `cardinality()`. Decode each element once in all, augment it anew in
# every epoch, and shuffle over the whole data, differently in each epoch. Every element comes once per epoch, a last
# short batch included. Prefetch at the end.

# %% [markdown] lang="zh" of="c21eadce"
# ### 练习 2 · 中 —— 正确的次序
#
# 写出 `training_data(source, decode, augment, batch_size)`：返回供一轮使用的流水线，每多一轮就再遍历一次。
# `source` 是一个已知 `cardinality()` 的数据集。每个元素总共只解码一次，每一轮重新增强；在整个数据集上打乱，
# 每一轮都不同；每轮每个元素恰好来一次，最后不满的一批也要。末尾预取。

# %% tags=["exercise"]
def training_data(source, decode, augment, batch_size):
    """A tf.data pipeline for training: cached, shuffled, augmented, batched, prefetched."""
    ### BEGIN SOLUTION
    data = source.map(decode).cache().shuffle(source.cardinality())
    return data.map(augment).batch(batch_size).prefetch(tf.data.AUTOTUNE)
    ### END SOLUTION

# %% tags=["check"]
exercises.check("09a.training_data", training_data)

# %% [markdown] lang="en" tags=["hint"]
# Ask of each step: should it happen once, or in every epoch? Once: before `cache`. In every epoch: after it. And
# shuffle examples, not batches.

# %% [markdown] lang="zh" of="006800ee" tags=["hint"]
# 对每一步都问一句：它该只做一次，还是每轮都做？只做一次的放在 `cache` 之前，每轮都做的放在之后。还有：
# 要打乱的是样本，不是批次。

# %% [markdown] lang="en"
# ### Exercise 3 · hard — bfloat16 by hand
#
# A bfloat16 is the upper half of a float32's bits. Cutting the lower half off would round towards zero. Processors
# round to the *nearest* number, and if both neighbours are equally near, to the one whose last bit is 0. Write
# `to_bfloat16(values)`: finite float32 array in, float32 array of the same shape out, rounded in this way, with
# NumPy's integers only. `values.view("uint32")` shows the bits.

# %% [markdown] lang="zh" of="3a69ef89"
# ### 练习 3 · 难 —— 亲手做 bfloat16
#
# bfloat16 就是 float32 各位的上半截。直接砍掉下半截是向零舍入；处理器做的是舍入到最近的数，若两个邻居一样近，
# 取末位为 0 的那个。写出 `to_bfloat16(values)`：输入有限的 float32 数组，返回同样形状的 float32 数组，
# 按这个规则舍入，只用 NumPy 的整数运算。`values.view("uint32")` 可以看到各个位。

# %% tags=["exercise"]
def to_bfloat16(values):
    """float32 values rounded to the nearest bfloat16, ties to even; still stored as float32."""
    ### BEGIN SOLUTION
    bits = values.view("uint32")
    last = (bits >> 16) & 1  # of the half that stays
    return ((bits + 0x7FFF + last) & 0xFFFF0000).astype("uint32").view("float32")
    ### END SOLUTION

# %% tags=["check"]
exercises.check("09a.to_bfloat16", to_bfloat16)

# %% [markdown] lang="en" tags=["hint"]
# Rounding to nearest means adding half a unit and cutting off. Half a unit of the upper half is `0x8000`. At a tie it
# must be added only if the last bit that stays is 1: add `0x7FFF`, plus that bit. Then clear the lower sixteen bits.

# %% [markdown] lang="zh" of="0cd38996" tags=["hint"]
# 舍入到最近，就是加上半个单位再截断。上半截的半个单位是 `0x8000`。恰好居中时，只有当保留部分的末位是 1 才该进位：
# 所以加 `0x7FFF`，再加上那一位。最后把低十六位清零。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("09a")

# %% [markdown] lang="en"
# ## Where it is used, and what to read
#
# Most large models are trained in mixed precision, behind a pipeline that must never make an accelerator wait,
# through a compiler, with parts of their activations computed twice. In each of these you trade the same things
# against each other: time, bytes, exactness, and your own attention.
#
# - Micikevicius et al. 2017, [*Mixed precision training*](https://arxiv.org/abs/1710.03740): master weights and loss
#   scaling.
# - Kalamkar et al. 2019, [*A study of BFLOAT16 for deep learning training*](https://arxiv.org/abs/1905.12322).
# - Murray et al. 2021, [*tf.data: a machine learning data processing framework*](https://arxiv.org/abs/2101.12127):
#   how AUTOTUNE decides.
# - Chen et al. 2016, [*Training deep nets with sublinear memory cost*](https://arxiv.org/abs/1604.06174).
# - TensorFlow's guides [*Better performance with the tf.data API*](https://www.tensorflow.org/guide/data_performance)
#   and [*Mixed precision*](https://www.tensorflow.org/guide/mixed_precision); [OpenXLA's
#   documentation](https://openxla.org/xla).
#
# **What the full profile changes.** 20,000 files in the pipelines, all 60,000 digits for the shuffles and the three
# formats, medians of more calls. The stored full run (`notebooks/results/full-09a.json`) has one seed and had one
# core.
#
# - More digits do not replace shuffling: without it the network still guesses
#   ({{full:buffer.no_shuffle_test_accuracy:.1%}}), and with a buffer of a tenth it reaches
#   {{full:buffer.a_tenth_test_accuracy:.1%}} instead of {{full:buffer.all_test_accuracy:.1%}}.
# - Weights kept in bfloat16 now lose a little at the large rate as well
#   ({{full:bfloat16.rate_0_05_minus_float32:.4f}}), mixed precision almost nothing at either.
# - The better trained a network is, the smaller its gradients: without loss scaling, float16 would now turn
#   {{full:float16.lost_scaled_by_1:.0%}} of them into zero.
# - XLA's gain for the Transformer block nearly vanishes, as told above.
#
# Next: chapter 10 takes models written in PyTorch and brings them over to Keras, weight for weight.

# %% [markdown] lang="zh" of="50539730"
# ## 应用与延伸阅读
#
# 大模型大多这样训练：混合精度，前面是一条绝不能让加速器等待的流水线，中间经过编译器，还有一部分激活值要算两遍。
# 每一样都是在同几件事之间取舍：时间、字节、精确，以及要你操的心。
#
# - Micikevicius 等，2017，[Mixed precision training](https://arxiv.org/abs/1710.03740)：主权重与损失缩放。
# - Kalamkar 等，2019，[A study of BFLOAT16 for deep learning training](https://arxiv.org/abs/1905.12322)。
# - Murray 等，2021，[tf.data: a machine learning data processing framework](https://arxiv.org/abs/2101.12127)：
#   AUTOTUNE 如何做决定。
# - Chen 等，2016，[Training deep nets with sublinear memory cost](https://arxiv.org/abs/1604.06174)。
# - TensorFlow 的指南 [Better performance with the tf.data API](https://www.tensorflow.org/guide/data_performance) 与 [Mixed precision](https://www.tensorflow.org/guide/mixed_precision)；
#   [OpenXLA 文档](https://openxla.org/xla)。
#
# **换成 full 配置会怎样。** 流水线里有 20,000 个文件，打乱与三种格式的实验用全部 60,000 个样本，计时的次数也更多。
# 保存的 full 结果（`notebooks/results/full-09a.json`）是一个种子，只用了一个核。
#
# - 样本再多也代替不了打乱：不打乱，网络仍然只是瞎猜（{{full:buffer.no_shuffle_test_accuracy:.1%}}）；缓冲区只有十分之一时是 {{full:buffer.a_tenth_test_accuracy:.1%}}，
#   全部打乱是 {{full:buffer.all_test_accuracy:.1%}}。
# - 权重存成 bfloat16，这次在大学习率下也略有损失（{{full:bfloat16.rate_0_05_minus_float32:.4f}}），而混合精度在两种学习率下几乎毫无损失。
# - 网络训练得越好，梯度越小：用 float16 又不缩放损失的话，这时有 {{full:float16.lost_scaled_by_1:.0%}} 的梯度会变成零。
# - XLA 给 Transformer 块带来的好处几乎消失，上文已经说过。
#
# 接下来：第 10 章把 PyTorch 写的模型搬到 Keras，一个权重也不差。
