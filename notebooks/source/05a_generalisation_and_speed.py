# %% [markdown] lang="en" reads=["full-05a", "seeds-05a"] telling=["remedy.shifted_digits_test_accuracy", "speed_run.soft_labels_test_accuracy", "speed_run.soft_labels_times_faster"]
# # 5a Generalisation and speed
#
# A network that has memorised its training digits is useless if it fails on yours. The picture shows eight attempts to help
# one: seven remedies, most of them famous, and one network without any. Only two of them move its test error far, and
# neither of the two is a formula.
#
# And a network that trains for five minutes where five seconds would do costs you the experiments you could have made
# meanwhile. This chapter is about both: how to make what is learned *hold*, and how to learn it *fast*. It ends with a race.

# %% [markdown] lang="zh" of="70b8c262"
# # 5a 泛化与速度
#
# 把训练样本背得滚瓜烂熟的网络，认不出你写的字，就毫无用处。下面这幅图是一次营救：一个什么办法也没用的网络，和七种大多很有名的补救办法。
# 能让测试错误率大幅下降的只有两种，而这两种都不是什么公式。
#
# 五秒能训练好的网络偏要练五分钟，白白花掉的时间本可以再做许多次实验。这一章讲这两件事：怎样让学到的东西**靠得住**，
# 怎样学得**快**。最后是一场竞速。

# %% [markdown] lang="en"
# **By the end you will be able to**
#
# - write the usual learning-rate schedules yourself, equal to Keras' step for step, and say why the rate should fall;
# - find a starting value for the learning rate in one short run, and say what such a value is worth;
# - tell underfitting from overfitting in a picture, and choose among seven remedies by what they gained, not by their fame;
# - choose an optimiser without superstition;
# - take a common beginner's recipe and make it many times faster at no loss of accuracy, one idea at a time.
#
# **Before you start:** optimisers (chapter 5), convolutional networks (chapter 2).

# %% [markdown] lang="zh" of="fabd2455"
# **学完这一章，你能够**
#
# - 亲手写出常用的学习率调度，逐步与 Keras 完全一致，并说清学习率为什么应该下降；
# - 用短短一次训练找到学习率的起点，并说清这个起点有多可信；
# - 从图上分辨欠拟合与过拟合，并根据实测收益而不是名气，在七种办法中取舍；
# - 不靠迷信来选择优化器；
# - 拿一份常见的入门配方，一次只用一个主意，让它快上许多，而准确率不降。
#
# **预备知识：** 优化器（第 5 章）、卷积神经网络（第 2 章）。

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
import tensorflow as tf
from keras import layers, regularizers

from course_utils import datasets, devices, exercises, plots, profiles, proofs, results, training
from course_utils.models import vision
from course_utils.profiles import choose
from course_utils.reference import schedules

# %% tags=["parameters"]
PROFILE = None
SEED = 0

# %% tags=["nbval-ignore-output"]
profiles.use(PROFILE, SEED)
strategy = devices.create_strategy()
devices.describe()

# %% tags=["cost", "nbval-ignore-output"]
results.cost("05a")

# %% [markdown] lang="en" tags=["predict"]
# ## The idea: large steps first, small steps last
#
# A mini-batch shows a network only a sample of the data, so its gradient points *roughly* downhill: the true gradient
# plus noise. Far from the goal the noise hardly matters. Near the goal it is all there is, and a step of fixed length
# keeps throwing you about.
#
# Here is the smallest example there is: a loss $\tfrac12 w^2$ with gradient $w$, to which we add noise. Two walkers start at
# $w = 8$. One keeps its learning rate, the other lets it fall to zero.
#
# **Predict:** who gets near the goal first? Who is nearer at the end?

# %% [markdown] lang="zh" of="762f6252" tags=["predict"]
# ## 核心思想：先迈大步，后迈小步
#
# 小批量只让网络看到数据的一部分，所以它的梯度只是**大致**指向下坡：真实梯度再加上噪声。离目标还远时，噪声无关紧要；
# 到了目标附近，剩下的就全是噪声，固定的步长会让你不停地来回晃。
#
# 看一个最小的例子：损失 $\tfrac12 w^2$，梯度是 $w$，再加上噪声。两个人都从 $w = 8$ 出发，一个学习率不变，另一个让学习率降到零。
#
# **先猜：** 谁先走到目标附近？最后谁离得更近？

# %%
steps, noise = 200, np.random.default_rng(0).normal(size=200)
walkers = {"constant": schedules.constant(0.3), "falling to zero": schedules.cosine_with_warmup(0.3, decay_steps=steps)}
figure, axis = plt.subplots(figsize=(7, 3.2))
for (name, schedule), color, line in zip(walkers.items(), plots.COLORS, plots.LINES, strict=False):
    walk = [8.0]
    for step in range(steps):
        walk.append(walk[-1] - schedule(step) * (walk[-1] + noise[step]))
    axis.plot(walk, linestyle=line, color=color, label=name)
    early, late = np.abs(walk[10:31]).mean(), np.abs(walk[-20:]).mean()
    print(f"{name:16} mean |w|, steps 10 to 30 · 第 10 至 30 步: {early:.2f}   last 20 · 最后 20 步: {late:.2f}")
axis.axhline(0, color="0.5", linewidth=1)
axis.set(xlabel="step", ylabel="w", ylim=(-2, 4), title="Noisy gradient descent on w²/2: the goal is 0")
axis.legend(title="learning rate")
plots.show(
    figure,
    alt="Two noisy paths fall to zero equally fast; the one with a constant rate keeps shaking, the other calms down.",
    alt_zh="两条带噪声的路径同样快地降到零附近；学习率不变的那条一直抖动，学习率下降的那条逐渐平静。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** Both get there at the same time. At the end, the walker whose rate has fallen is several times nearer (the
# numbers are printed above the figure); the other one keeps shaking.
#
# ## Four schedules
#
# A **schedule** gives the learning rate $\eta$ of every update; $t = 0, 1, 2, \dots$ counts updates, *not* epochs.
#
# | schedule | formula | in Keras |
# |---|---|---|
# | constant | $\eta_t = \eta_0$ | a number |
# | exponential | $\eta_t = \eta_0\,\gamma^{\,t/T}$ | `ExponentialDecay` |
# | step | $\eta_t = v_k$, where $k$ = number of boundaries $b_i < t$ | `PiecewiseConstantDecay` |
# | warm-up, cosine | $t < W:\ \eta_t = \eta_{\max}\, t / W$, then $\eta_{\max}\,(1 + \cos \pi \tfrac{\min(t - W,\,T)}{T})/2$ | `CosineDecay` |
#
# $\gamma$: factor in $T$ steps · $v_k$: the rates of the sections · $W$: steps of the **warm-up** · $T$: steps of the descent.
#
# The warm-up looks odd: why start slowly, if large steps come first? Chapter 5 gives a reason: a step is stable only while the
# rate is below $2/\lambda$, and at random weights the curvature $\lambda$ can be large. A gentle start lets it fall before
# the rate is high ([Gilmer et al. 2021](https://arxiv.org/abs/2110.04369)). Adam has a reason of its own, since its averages of
# the gradient know little at first. The next cell computes each schedule in NumPy and in Keras, for every fifth of 1,200 updates.

# %% [markdown] lang="zh" of="3aa67e59" tags=["answer"]
# **答案。** 两个人同时走到目标附近。到最后，学习率降下来的那个离目标近得多（两个数打印在图的上方），另一个还在来回晃。
#
# ## 四种学习率调度
#
# **学习率调度**（learning-rate schedule）给出每次更新所用的学习率 $\eta$；$t = 0, 1, 2, \dots$ 数的是更新次数，**不是**轮数。
#
# | 调度 | 公式 | Keras 中 |
# |---|---|---|
# | 常数（constant） | $\eta_t = \eta_0$ | 一个数 |
# | 指数衰减（exponential） | $\eta_t = \eta_0\,\gamma^{\,t/T}$ | `ExponentialDecay` |
# | 阶梯（step） | $\eta_t = v_k$，$k$ 为满足 $b_i < t$ 的边界个数 | `PiecewiseConstantDecay` |
# | 预热加余弦（cosine with warm-up） | $t < W:\ \eta_t = \eta_{\max}\, t / W$；之后 $\eta_{\max}\,(1 + \cos \pi \tfrac{\min(t - W,\,T)}{T})/2$ | `CosineDecay` |
#
# $\gamma$：每 $T$ 步所乘的倍数 · $v_k$：各段的学习率 · $W$：**预热**（warm-up）的步数 · $T$：下降段的步数。
#
# 预热看上去有点怪：既然要先迈大步，为什么又慢慢起步？第 5 章给出过理由：学习率低于 $2/\lambda$ 时，步子才是稳定的，而在随机的权重处，
# 曲率 $\lambda$ 可能很大。起步放缓，等曲率降下来，学习率再升上去（[Gilmer 等，2021](https://arxiv.org/abs/2110.04369)）。
# Adam 还有自己的理由：它对梯度的滑动平均起初没有多少依据。下一个单元格把每种调度用 NumPy 和 Keras 各算一遍：1,200 次更新，每隔五次比一次。

# %%
rate, count = 0.3, np.arange(0, 1_200, 5)
keras_schedules = keras.optimizers.schedules
pairs = {
    "constant": (schedules.constant(rate), lambda step: rate),
    "exponential": (
        schedules.exponential(rate, decay_steps=1_000, decay_rate=0.01),
        keras_schedules.ExponentialDecay(rate, decay_steps=1_000, decay_rate=0.01),
    ),
    "step": (
        schedules.step([500, 800], [rate, rate / 10, rate / 100]),
        keras_schedules.PiecewiseConstantDecay([500, 800], [rate, rate / 10, rate / 100]),
    ),
    "cosine with warm-up": (
        schedules.cosine_with_warmup(0.0, decay_steps=900, warmup_target=rate, warmup_steps=100),
        keras_schedules.CosineDecay(0.0, decay_steps=900, warmup_target=rate, warmup_steps=100),
    ),
}
for name, (numpy_schedule, keras_schedule) in pairs.items():
    theirs = [float(keras_schedule(int(step))) for step in count]
    print(f"{name}:", end="  ")
    proofs.equal({"NumPy": numpy_schedule(count), "Keras": theirs}, tolerance=1e-6)

# %%
figure, axis = plt.subplots(figsize=(7, 3.2))
for (name, (schedule, _)), color, line in zip(pairs.items(), plots.COLORS, plots.LINES, strict=False):
    axis.plot(count, schedule(count), linestyle=line, color=color, label=name)
axis.set(xlabel="update t", ylabel="learning rate", title="Four schedules with the same highest rate")
axis.legend()
plots.show(
    figure,
    alt="Learning rate against updates: a flat line, an exponential decay, a staircase, and a ramp followed by a cosine.",
    alt_zh="学习率随更新次数的变化：一条水平线、一条指数衰减、一条阶梯，以及先上升后按余弦下降的一条。",
)

# %% [markdown] lang="en" tags=["predict"]
# NumPy and Keras agree for all four.
#
# ### Which one trains best?
#
# The same network, the same digits, the same number of updates, the same highest rate; only the schedule differs. The
# held-out digits are **training** digits that were set aside, not the test set: we are going to choose, and if you choose by the
# test set, you have no test left.
#
# **Predict** two things: who leads after the first epoch, and who leads at the end?

# %% [markdown] lang="zh" of="f09c7eca" tags=["predict"]
# 四种调度，NumPy 与 Keras 全都一致。
#
# ### 哪一种训练效果最好？
#
# 同一个网络、同样的样本、同样多的更新、同样的最高学习率，只有调度不同。（一个样本就是一张手写数字图。）用来比较的样本是从**训练集**里留出来的，
# 不是测试集：这里要做选择，而凭测试集做选择的人，手里就没有测试集了。
#
# **先猜**两件事：第一轮之后谁领先？到最后谁领先？

# %%
digits = datasets.mnist()
few, chosen_by = choose(smoke=1_024, laptop=6_400, full=50_000), choose(smoke=1_000, laptop=5_000, full=10_000)
x_few, y_few = digits.x_train[:few, ..., None], digits.y_train[:few]
x_choose, y_choose = digits.x_train[50_000 : 50_000 + chosen_by, ..., None], digits.y_train[50_000 : 50_000 + chosen_by]
print("one image · 一幅图像:", x_few.shape[1:], x_few.dtype, "  classes · 类别:", len(np.unique(y_few)))


def compiled(network, optimizer, smoothing=0.0, together=16, metrics=("accuracy",)):
    """Compile a network that returns logits; `together` = steps in one call of TensorFlow.

    It gets a division by 255 in front: the digits stay whole numbers in memory, a byte a pixel instead of four.
    """
    pixels = keras.Input((28, 28, 1), dtype="uint8")
    model = keras.Model(pixels, network(layers.Rescaling(1 / 255)(pixels)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if smoothing:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    model.compile(optimizer, loss, metrics=list(metrics), steps_per_execution=together)
    return model

# %% tags=["nbval-ignore-output"]
epochs, updates = 4, 4 * -(-few // 64)
peak = 0.3
plans = {
    "constant": peak,
    "exponential": keras_schedules.ExponentialDecay(peak, decay_steps=updates, decay_rate=0.01),
    "step": keras_schedules.PiecewiseConstantDecay([updates // 2, updates * 3 // 4], [peak, peak / 10, peak / 100]),
    "cosine with warm-up": keras_schedules.CosineDecay(
        0.0, decay_steps=updates - updates // 8, warmup_target=peak, warmup_steps=updates // 8),
}
bands = {  # accuracy after the last epoch, in smoke for the one that it trains; full: guards
    "constant": choose(smoke=None, laptop=(0.91, 0.97), full=(0.9, 1)),
    "exponential": choose(smoke=None, laptop=(0.88, 0.99), full=(0.9, 1)),
    "step": choose(smoke=None, laptop=(0.91, 0.99), full=(0.9, 1)),
    "cosine with warm-up": choose(smoke=(0.81, 0.98), laptop=(0.966, 0.983), full=(0.9, 1)),
}
curves = {}
for name in choose(smoke=["cosine with warm-up"], laptop=plans, full=plans):
    keras.utils.clear_session()
    keras.utils.set_random_seed(SEED)
    with strategy.scope():
        model = compiled(vision.fast_cnn(), keras.optimizers.SGD(plans[name], momentum=0.9, nesterov=True), together=choose(smoke=1, laptop=16, full=16))
    history = training.fit(model, x_few, y_few, name=name, epochs=epochs, batch_size=64,
                           validation_data=(x_choose, y_choose))
    curves[name] = history["val_accuracy"]
    results.record(f"schedule.{name.split()[0]}_accuracy", curves[name][-1], band=bands[name])

# %% tags=["nbval-ignore-output"]
figure, axis = plt.subplots(figsize=(7, 3.4))
styles = zip(curves.items(), plots.COLORS, plots.MARKERS, plots.LINES, strict=False)
for (name, curve), color, marker, line in styles:
    axis.plot(range(1, epochs + 1), 100 - 100 * np.array(curve), marker=marker, linestyle=line, color=color, label=name)
axis.set(xlabel="epoch", ylabel="error on held-out digits (%)", xticks=range(1, epochs + 1), ylim=(0, None))
axis.set_title("Same network, four schedules")
axis.legend()
plots.show(
    figure,
    alt="Error on held-out digits after each epoch for four schedules, one line each; the one with warm-up is lowest.",
    alt_zh="四种调度在每轮之后的留出集错误率，各一条线；带预热的那条最低。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The cosine with a warm-up leads from the first epoch to the last, and ends at {{schedule.cosine_accuracy:.1%}}; next comes the
# step schedule with {{schedule.step_accuracy:.1%}}. Over three seeds the ranges are far apart:
# {{seeds:schedule.cosine_accuracy:.1%}} and {{seeds:schedule.step_accuracy:.1%}}.
#
# What does that show? Less than it seems. The winner differs from the others in *two* things, the warm-up and the cosine, and the
# two runs that would separate them (a cosine without warm-up, a constant rate with one) are not made here. Nor was the highest rate tuned for
# each schedule; 0.3 was chosen for a recipe with a warm-up. Two things speak for the warm-up: the lead is there after *one* epoch, when
# the constant and the step schedule have not fallen at all; and the next section. And it fades with more data: in the full run, on 50,000 digits, the constant rate reaches
# {{full:schedule.constant_accuracy:.1%}} and the winner {{full:schedule.cosine_accuracy:.1%}}.
#
# One thing to keep in any case: a schedule must reach (nearly) zero *when the training ends*. The number of epochs belongs to
# the recipe; a schedule that is cut off half-way has not done its work.
#
# ## A learning-rate finder
#
# The highest rate is still a guess. The finder needs one short run: raise the rate at every update, from far too small to far too
# large, and note the loss of each mini-batch. ([Smith 2017](https://arxiv.org/abs/1506.01186) raised it along a straight line; raising it
# exponentially, and the advice below, come from the [fastai library](https://arxiv.org/abs/2002.04688) of Howard and Gugger.) That is
# `exponential` with a factor *above* one.
#
# A trap: what `fit` reports as `loss` is the running *mean* of the epoch, which hides the explosion. The loop below resets it
# before each batch.

# %% [markdown] lang="zh" of="293552b6" tags=["answer"]
# **答案。** 预热加余弦从第一轮一直领先到最后，达到 {{schedule.cosine_accuracy:.1%}}；其次是阶梯，{{schedule.step_accuracy:.1%}}。
# 三个种子下，两者的范围相距很远：{{seeds:schedule.cosine_accuracy:.1%}} 与 {{seeds:schedule.step_accuracy:.1%}}。
#
# 这说明了什么？没有看上去那么多。胜者与别的调度有**两**处不同：预热，以及余弦。要把两者分开，还得再训练两次（不带预热的余弦、带预热的常数），
# 这里没有做。最高学习率也没有为每种调度分别调过，0.3 是为带预热的配方选的。能支持预热的有两点：领先在第一轮之后就已出现，那时“常数”和“阶梯”的学习率还一点没降；
# 另外就是下一节。数据一多，差距也会缩小：full 配置用 50,000 个样本，学习率不变时达到 {{full:schedule.constant_accuracy:.1%}}，胜者是
# {{full:schedule.cosine_accuracy:.1%}}。
#
# 有一点总是要记住：调度要在**训练结束时**降到（接近）零。轮数是配方的一部分，半途截断的调度没有完成它的任务。
#
# ## 学习率搜索
#
# 最高学习率仍然是猜的。学习率搜索（learning-rate finder）只需要短短训练一次：每次更新都把学习率增大一点，从小得没用一直到大得离谱，
# 同时记下每个小批量的损失。（[Smith，2017](https://arxiv.org/abs/1506.01186) 按直线增大；按指数增大，以及下文的建议，出自 Howard 与 Gugger 的
# [fastai 库](https://arxiv.org/abs/2002.04688)。）这就是倍数**大于** 1 的 `exponential`。
#
# 一个陷阱：`fit` 报告的 `loss` 是这一轮到目前为止的**平均值**，会把爆炸掩盖掉。下面的循环在每个批次之前都先清零。

# %%
def find_learning_rate(model, inputs, labels, lowest=1e-4, highest=10.0, updates=120, batch_size=64):
    """Return the rates tried and the loss of the batch at each; the model is ruined afterwards."""
    schedule = schedules.exponential(lowest, decay_steps=updates - 1, decay_rate=highest / lowest)
    rates, losses = schedule(np.arange(updates)), []
    order = np.random.default_rng(SEED).permutation(len(inputs))
    for update, learning_rate in enumerate(rates):
        rows = np.take(order, range(update * batch_size, (update + 1) * batch_size), mode="wrap")
        model.optimizer.learning_rate = learning_rate
        model.reset_metrics()  # or the loss below would be the mean since the start
        losses.append(float(model.train_on_batch(inputs[rows], labels[rows])[0]))
        if not losses[-1] < 4 * losses[0]:  # also true for NaN: stop, the rest is noise
            break
    return rates[: len(losses)], np.array(losses)


rates = schedules.exponential(1e-4, decay_steps=119, decay_rate=1e5)(np.arange(120))
print(f"first, middle, last rate planned · 计划的首、中、末: {rates[0]:.4f}  {rates[60]:.4f}  {rates[-1]:.1f}")

# %% tags=["nbval-ignore-output"]
keras.utils.set_random_seed(SEED)
with strategy.scope():
    model = compiled(vision.fast_cnn(), keras.optimizers.SGD(momentum=0.9, nesterov=True), together=1)
rates, losses = find_learning_rate(model, x_few, y_few)
smooth = np.exp(np.convolve(np.pad(np.log(losses), 4, mode="edge"), np.ones(9) / 9, mode="valid"))
lowest = rates[smooth.argmin()]
band = choose(smoke=(0.001, 1), laptop=(0.01, 0.3), full=(0.001, 10))  # wide: the curve is flat there, its lowest point is luck
results.record("finder.rate_of_lowest_loss", lowest, band=band)

figure, axis = plt.subplots(figsize=(7, 3.4))
axis.loglog(rates, losses, color="0.75", label="loss of each mini-batch")
axis.loglog(rates, smooth, color=plots.COLORS[0], label="smoothed")
axis.axvline(lowest, color=plots.COLORS[1], linestyle="--", label=f"lowest: {lowest:.2g}")
axis.set(xlabel="learning rate", ylabel="cross entropy", title=f"Learning-rate finder: one run, stopped after {len(losses)} updates")
axis.legend()
plots.show(
    figure,
    alt="Loss against learning rate, both on log axes: it falls to a lowest point, rises again, and ends far above its start.",
    alt_zh="损失随学习率的变化（双对数坐标）：先降到最低点，再回升，最后远高于起点。",
)

# %% [markdown] lang="en" tags=["predict"]
# **How to read it.** At first little happens, then the loss falls, then it explodes. Do not take the lowest point: there the run is
# about to fail. Where exactly it lies is partly luck, because the curve is flat there: here it is at
# {{finder.rate_of_lowest_loss:.2f}}, in three other runs it was {{seeds:finder.rate_of_lowest_loss:.2f}}. The usual advice
# for a *constant* rate is about a tenth of it. We have not tested that advice. The race below even uses a peak *beyond* the lowest
# point, with a warm-up and batch normalisation, found by trying on held-out digits. So the finder gives you a place to start, not a law.
#
# ## Too small, too large
#
# Now the first half of the title. A thousand training digits, and a perceptron with one hidden layer of 2 to 512 units.
# The error on the *training* digits says whether the model is able to learn (a high one: **underfitting**). The
# difference between test error and training error says whether what it learned holds (a large one: **overfitting**).
#
# You can often read that *large models tend to overfit, because size harms generalisation*.
#
# **Predict** the curve of the test error: where will its lowest point be?

# %% [markdown] lang="zh" of="3ad54053" tags=["predict"]
# **怎样读这张图。** 起初没什么动静，然后损失下降，最后爆炸。不要取最低点：到了那里，训练已经快要失控。它的确切位置也有几分运气，因为那里的曲线很平：
# 这里是 {{finder.rate_of_lowest_loss:.2f}}，另外三次训练则是 {{seeds:finder.rate_of_lowest_loss:.2f}}。学习率**不变**时，通常的建议是取它的十分之一左右，
# 这个建议我们没有检验。后面的竞速甚至用了**超过**最低点的峰值（带预热和批量归一化），是在留出的样本上试出来的。所以它给出的是一个起点，不是定律。
#
# ## 太小与太大
#
# 再看标题的前一半。一千个训练样本，一个隐藏层、2 到 512 个单元的感知机。**训练**错误率说明模型有没有能力学会
# （高就是**欠拟合**，underfitting）；测试错误率与训练错误率之差，说明学到的东西靠不靠得住（差得大就是**过拟合**，
# overfitting）。
#
# 常能读到这样一句话：“大模型容易过拟合，因为规模大会降低泛化能力。”
#
# **先猜**测试错误率曲线的样子：最低点会在哪里？

# %%
small = choose(smoke=200, laptop=1_000, full=1_000)
tested = choose(smoke=1_000, laptop=10_000, full=10_000)
x_test, y_test = digits.x_test[:tested, ..., None], digits.y_test[:tested]


def dense_network(units=128, penalty=None, dropout=0.0, shift=0.0):
    """One hidden layer; the last three arguments are remedies against overfitting."""
    x = images = keras.Input((28, 28, 1))
    if shift:  # in pixels, another one for every image and epoch; inactive when the model is tested
        x = layers.RandomTranslation(shift / 28, shift / 28, fill_mode="constant")(x)
    x = layers.Dense(units, activation="relu", kernel_regularizer=penalty)(layers.Flatten()(x))  # (batch, units)
    if dropout:
        x = layers.Dropout(dropout)(x)
    return keras.Model(images, layers.Dense(10, kernel_regularizer=penalty)(x))


for units in (2, 32, 128, 512):
    print(f"{units:5} units · 单元: {dense_network(units).count_params():9,} parameters · 参数")

# %% tags=["nbval-ignore-output"]
def train_small(name, seeds, *, images=small, stop_early=False, **remedy):
    """Train on a few digits, others for each seed; return (training accuracy, test accuracy) for each."""
    keras.utils.clear_session()
    with strategy.scope():
        model = compiled(dense_network(**remedy), keras.optimizers.Adam(0.001), together=choose(smoke=1, laptop=20, full=20))
        model.optimizer.build(model.trainable_variables)
    fresh, found = [variable.numpy() for variable in model.optimizer.variables], []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        model.set_weights(keras.models.clone_model(model).get_weights())  # new weights, quicker than a new model
        for variable, value in zip(model.optimizer.variables, fresh, strict=True):
            variable.assign(value)
        rows = np.random.default_rng(seed).permutation(50_000)[:images]
        x, y, options = digits.x_train[rows, ..., None], digits.y_train[rows], {}
        if stop_early:  # the digits that decide when to stop cannot be trained on: one fifth
            x, y, options["validation_data"] = x[images // 5 :], y[images // 5 :], (x[: images // 5], y[: images // 5])
            options["callbacks"] = [keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)]
        epochs = choose(smoke=8, laptop=60, full=160) * small // images  # equally many updates for all
        training.fit(model, x, y, name=f"{name} {seed}", epochs=epochs, batch_size=50, **options)
        found.append((training.accuracy(model, x, y), training.accuracy(model, x_test, y_test)))
    return np.array(found)  # (seeds, 2)

# %% tags=["nbval-ignore-output"]
widths = choose(smoke=[2, 512], laptop=[2, 8, 32, 128, 512], full=[2, 4, 8, 16, 32, 64, 128, 512, 2_048, 4_096])
by_width = np.array([train_small(f"width {units}", [SEED], units=units)[0] for units in widths])  # (widths, 2)
results.record("width.training_accuracy_of_widest", by_width[-1, 0], band=choose(smoke=(0.98, 1), laptop=(0.99, 1), full=(0.98, 1)))
results.record("width.test_accuracy_of_narrowest", by_width[0, 1], band=choose(smoke=(0, 0.62), laptop=(0.32, 0.6), full=(0.1, 0.8)))
results.record("width.test_accuracy_of_widest", by_width[-1, 1], band=choose(smoke=(0.67, 0.93), laptop=(0.895, 0.92), full=(0.88, 0.95)))

# %% tags=["nbval-ignore-output"]
figure, axis = plt.subplots(figsize=(7, 3.6))
errors = 100 - 100 * by_width
axis.fill_between(widths, errors[:, 0], errors[:, 1], color="0.9", label="generalisation gap")
axis.semilogx(widths, errors[:, 1], "s-", color=plots.COLORS[1], label="test digits")
axis.semilogx(widths, errors[:, 0], "o--", color=plots.COLORS[0], label="training digits")
axis.set_xticks(widths, [f"{units:,}" for units in widths], minor=False)
axis.set_xticks([], minor=True)
axis.set(xlabel="hidden units", ylabel="error (%)", ylim=(-1, None), title="Error of networks of growing width")
axis.legend()
plots.show(
    figure,
    alt="Training error falls to zero as the network gets wider; test error falls too, then stays level; it does not rise.",
    alt_zh="网络越宽，训练错误率降到零；测试错误率也随之下降，然后持平，并不回升。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer, and clinic: "size harms".** On the left both errors are high: the narrow network underfits. To the right the
# training error reaches zero, so the wide networks *can* memorise every training digit. But the test error does not rise again. The
# widest network, with about four hundred times as many parameters as it has digits, is the best here (one run for each width), with
# {{width.test_accuracy_of_widest:.1%}} of the test digits right ({{seeds:width.test_accuracy_of_widest:.1%}} over three seeds). Memorising
# is not the opposite of generalising.
#
# What is right: *small data sets* lead to overfitting. The saying comes from the classical picture in which the test error rises again
# with size. That holds near the size that barely fits the training data, above all when labels are wrong; beyond it the error can fall a
# second time ([Belkin et al. 2019](https://arxiv.org/abs/1812.11118), [Nakkiran et al. 2020](https://arxiv.org/abs/1912.02292)), and counting
# parameters explains little ([Zhang et al. 2017](https://arxiv.org/abs/1611.03530)). These digits have clean labels, so no peak shows.
#
# ## Seven remedies
#
# | remedy | what it does |
# |---|---|
# | a smaller model | fewer functions to choose from |
# | L1 penalty | loss $+\ \lambda \sum \lvert w \rvert$: gradient $\lambda\,\mathrm{sign}(w)$, the same pull towards zero for every weight |
# | L2 penalty | loss $+\ \lambda \sum w^2$: gradient $2 \lambda w$, pulls large weights most |
# | dropout | in training, each unit is set to 0 with probability $p$, the others are divided by $1 - p$ |
# | early stopping | stop when the loss on held-out digits has not improved for a few epochs |
# | augmentation | new images from old: shifted ones are still the same digit |
# | more data | the real thing |
#
# (You will read that L1 makes weights exactly zero. Its *minimum* has exact zeros. A gradient step does not land on them: near zero the
# weight hops from one side to the other by $\eta\lambda$. To get zeros, one has to shrink and cut after each step, so-called soft
# thresholding.) Three of the seven are formulas. First penalty and gradient, by hand and by Keras:

# %% [markdown] lang="zh" of="49469ddc" tags=["answer"]
# **答案，兼公式门诊：“大了就不好”。** 图的左边两种错误率都高：窄网络欠拟合。往右，训练错误率降到零，可见宽网络**完全能够**把每个训练样本背下来。
# 可是测试错误率并没有回升。最宽的网络，参数个数大约是训练样本数的四百倍，在这里反而最好（每种宽度只训练一次），测试准确率是
# {{width.test_accuracy_of_widest:.1%}}（三个种子：{{seeds:width.test_accuracy_of_widest:.1%}}）。能死记，不等于不会举一反三。
#
# 对的说法是：**数据少**才容易过拟合。那句话来自经典的图景：测试错误率随规模先降后升。它在模型刚刚能拟合训练数据的规模附近成立，
# 标签有错时尤其明显；再往大走，错误率可能第二次下降（[Belkin 等，2019](https://arxiv.org/abs/1812.11118)；
# [Nakkiran 等，2020](https://arxiv.org/abs/1912.02292)）；而且单凭数参数，解释不了多少东西
# （[Zhang 等，2017](https://arxiv.org/abs/1611.03530)）。这里的标签是干净的，所以看不到那个峰。
#
# ## 七种办法
#
# | 办法 | 做了什么 |
# |---|---|
# | 小一点的模型（smaller） | 可选的函数变少 |
# | L1 正则化 | 损失 $+\ \lambda \sum \lvert w \rvert$：梯度 $\lambda\,\mathrm{sign}(w)$，对每个权重都用同样的力往零拉 |
# | L2 正则化 | 损失 $+\ \lambda \sum w^2$：梯度 $2 \lambda w$，越大的权重拉得越狠 |
# | 随机失活（dropout，D2L 作暂退法） | 训练时每个单元以概率 $p$ 置 0，其余除以 $1 - p$ |
# | 早停（early stopping） | 留出样本上的损失连续几轮没有改善，就停下 |
# | 数据增强（augmentation，图中为 shifted digits） | 由旧图造新图：平移之后还是同一个数字 |
# | 更多数据（图中为 4 times the data） | 最实在的办法 |
#
# （常说 L1 使权重恰好为零。恰好为零的是它的**最小值点**；梯度下降的一步并不会正好落在零上，权重在零附近会以 $\eta\lambda$ 的步子来回跳。
# 要得到零，每一步之后还得收缩并截断，称为软阈值，soft thresholding。）七种里有三种是公式。先把惩罚项及其梯度，用手算和 Keras 各算一遍：

# %%
weights = np.random.default_rng(0).normal(size=(4, 3))
penalties = {"L1": lambda w: 0.01 * np.abs(w).sum(), "L2": lambda w: 0.01 * (w**2).sum()}
gradients = {"L1": 0.01 * np.sign(weights), "L2": 2 * 0.01 * weights}
for name, regularizer in {"L1": regularizers.L1(0.01), "L2": regularizers.L2(0.01)}.items():
    variable = tf.Variable(weights)
    with tf.GradientTape() as tape:
        penalty = regularizer(variable)
    proofs.equal({f"{name} penalty": penalties[name](weights), "Keras": penalty}, tolerance=1e-7)
    proofs.equal({
        f"{name} gradient": gradients[name],
        "tape": tape.gradient(penalty, variable),
        "finite differences": proofs.finite_differences(penalties[name], weights),
    }, tolerance=1e-7)

# %% [markdown] lang="en" tags=["predict"]
# **Clinic: a factor of two.** Many texts write the penalty as $\tfrac{\lambda}{2} \sum w^2$. Keras has no half: `L2(0.01)` pulls
# twice as hard as that formula with $\lambda = 0.01$. Neither is wrong; a value copied from one to the other is.
#
# **Clinic: "weight decay is L2".** Also often written, for every optimiser: $w \leftarrow w - \eta\,(g + \lambda w)$. The first cell
# takes one step with both forms: once the pull is part of the gradient ($\tfrac{\lambda}{2} \sum w^2$ in the loss), once it is
# taken off the weights directly (`weight_decay`).
#
# **Predict:** for which optimiser are they equal, SGD or Adam?
#
# The second cell is **dropout**, the third formula: keep with probability $1-p$ and divide what stays by $1-p$, so that the expected
# value is the input. Keras draws the mask; from its zeros we compute the rest. The third cell shows **augmentation**: eight digits as they are,
# and two rows as the network sees them, moved by up to two pixels, differently in every epoch.

# %% [markdown] lang="zh" of="235010a8" tags=["predict"]
# **公式门诊：差一个 2。** 教材里常写作 $\tfrac{\lambda}{2} \sum w^2$，而 Keras 没有这个二分之一：`L2(0.01)` 的拉力是 $\lambda = 0.01$ 时那个公式的两倍。
# 两种写法都不算错；错的是把一边的数值照搬到另一边。
#
# **公式门诊：“权重衰减就是 L2”。** 这也很常见，而且说是对所有优化器都成立：$w \leftarrow w - \eta\,(g + \lambda w)$。
# 第一个单元格用两种形式各走一步：一种把拉力放进梯度（损失里加 $\tfrac{\lambda}{2} \sum w^2$），一种直接从权重里减去（`weight_decay`）。
#
# **先猜：** SGD 和 Adam，对哪一种两者相同？
#
# 第二个单元格是第三个公式**随机失活**：以概率 $1-p$ 保留，并把留下的除以 $1-p$，使期望值等于输入。掩码由 Keras 抽取，我们从它的零出发算出其余部分。
# 第三个单元格展示**数据增强**：八个数字的原样，以及网络看到的两行样子，最多移动两个像素，每轮都不一样。

# %%
start, slope, decay = np.array([2.0, -1.0, 0.5]), np.array([0.1, 0.2, -0.3]), 0.1
for name, optimizer in {"SGD": keras.optimizers.SGD, "Adam": keras.optimizers.Adam}.items():
    in_the_loss, off_the_weights = keras.Variable(start), keras.Variable(start)
    optimizer(0.01).apply([keras.ops.convert_to_tensor(slope + decay * start, "float32")], [in_the_loss])
    optimizer(0.01, weight_decay=decay).apply([keras.ops.convert_to_tensor(slope, "float32")], [off_the_weights])
    moved = [np.asarray(variable) - start for variable in (in_the_loss, off_the_weights)]
    same = "equal · 相同" if exercises.close(*moved, tolerance=1e-6) else "different · 不同"
    print(f"{name:4}  L2: {moved[0].round(4)}   weight decay: {moved[1].round(4)}   {same}")

# %%
inputs = np.random.default_rng(0).uniform(0.5, 1.5, size=(1_000, 64)).astype("float32")
layer = layers.Dropout(0.25, seed=1)
in_training, in_test = np.asarray(layer(inputs, training=True)), np.asarray(layer(inputs, training=False))
kept = in_training != 0  # no input is zero
proofs.equal({"NumPy": inputs * kept / (1 - 0.25), "Keras": in_training})
proofs.equal({"input": inputs, "Keras, testing": in_test})
print(f"kept · 保留: {kept.mean():.2f}   mean before and after · 前后均值: {inputs.mean():.2f}, {in_training.mean():.2f}")

# %%
move = layers.RandomTranslation(2 / 28, 2 / 28, fill_mode="constant", seed=0)
moved = np.concatenate([np.asarray(move(x_few[:8].astype("float32"), training=True)) for _ in range(2)])
plots.show(
    plots.grid([*x_few[:8], *moved], size=1.0),
    alt="Eight handwritten digits, and below them two rows of the same digits, each shifted a little differently.",
    alt_zh="八个手写数字；下面两行是同样的数字，每个平移的方向和距离略有不同。",
)

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** For plain gradient descent only. Adam divides by the size of the gradient, and so divides the pull of the L2 form out
# again: the first step has length $\eta$ whatever $\lambda$ is. That is why AdamW exists
# ([Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101)). Dropout agrees with its formula, and in testing the layer does nothing. The
# shifted digits look a little blurred, since they move by fractions of a pixel, too.
#
# ### The comparison
#
# A network of 128 units on a thousand digits, once without any remedy and once with each. Each is trained with three seeds, and every seed also
# draws a different thousand digits: the dots show how far luck reaches. All make the same number of updates (except early stopping,
# that is its point). The strengths were chosen beforehand, on held-out training digits.
#
# Which will be best, and which worst?

# %% [markdown] lang="zh" of="7d7e66d0" tags=["answer"]
# **答案。** 只有普通梯度下降才相同。Adam 要除以梯度的大小，于是把 L2 形式里的拉力又除掉了：无论 $\lambda$ 多大，第一步的长度都是 $\eta$。
# 这正是 AdamW 存在的理由（[Loshchilov 与 Hutter，2019](https://arxiv.org/abs/1711.05101)）。随机失活与公式一致，测试时这一层什么也不做。
# 平移后的数字略有些模糊，因为移动的距离可以不是整数个像素。
#
# ### 比一比
#
# 128 个单元的网络、一千个样本：不用任何办法训练一次，再用每种办法各训练一次。各用三个随机种子，每个种子抽到的一千个样本也不同：
# 圆点和方块说明运气的影响有多大。更新次数都一样（早停除外，它的用意就在于此）。各种办法的强度事先在留出的训练样本上选定。
#
# 哪种会最好？哪种会最差？

# %% tags=["nbval-ignore-output"]
remedies = {
    "none": {},
    "smaller (16 units)": {"units": 16},
    "L1 (0.0001)": {"penalty": regularizers.L1(1e-4)},
    "L2 (0.001)": {"penalty": regularizers.L2(1e-3)},
    "dropout (0.5)": {"dropout": 0.5},
    "early stopping": {"stop_early": True},
    "shifted digits": {"shift": 2},
    "4 times the data": {"images": 4 * small},
}
seeds = [3 * SEED + number for number in range(choose(smoke=1, laptop=3, full=5))]
measured = {
    name: train_small(name, seeds, **remedies[name])
    for name in choose(smoke=["none", "shifted digits"], laptop=remedies, full=remedies)
}
bands = choose(
    smoke=[(0.56, 0.98), (0.53, 0.90)],
    laptop=[(0.88, 0.92), (0.86, 0.90), (0.88, 0.92), (0.88, 0.92), (0.90, 0.92), (0.86, 0.92), (0.93, 0.96), (0.92, 0.95)],
    full=[(0.85, 0.97)] * 8,  # guards
)
for (name, accuracy), band in zip(measured.items(), bands, strict=True):
    key = name.split(" (")[0].lower().replace(" ", "_")
    results.record(f"remedy.{key}_test_accuracy", accuracy[:, 1].mean(), band=band)

# %% tags=["hero", "nbval-ignore-output"]
figure, axis = plt.subplots(figsize=(7.5, 3.8))
for place, error in enumerate(100 - 100 * pair for pair in measured.values()):
    axis.plot(error[:, 1], [place] * len(seeds), "s", color=plots.COLORS[1], label="test digits" if place == 0 else None)
    axis.plot(error[:, 0], [place] * len(seeds), "o", color=plots.COLORS[0], fillstyle="none",
              label="training digits" if place == 0 else None)
    axis.plot(error[:, 1].mean(), place, "|", color="black", markersize=16)
axis.axvline(100 - 100 * measured["none"][:, 1].mean(), color="0.6", linewidth=1, linestyle="--")
axis.set_yticks(range(len(measured)), list(measured))
axis.invert_yaxis()
axis.set(xlabel="error (%)", xlim=(-0.5, None), title=f"Remedies, {small:,} digits, seeds: {len(seeds)}; bar: mean on test digits")
axis.legend(loc="lower right")
plots.show(
    figure,
    alt="Test and training errors of each remedy. Shifted digits and more data lower the test error most; the rest little or not.",
    alt_zh="每种办法的测试与训练错误率。平移数字和更多数据使测试错误率下降最多，其余收效甚微或者没有。",
)

# %% [markdown] lang="en"
# **What the dots say.** Two rows stand apart, and both are data. Augmentation, which makes data out of what you *know* about digits, takes the
# test accuracy from {{remedy.none_test_accuracy:.1%}} to {{remedy.shifted_digits_test_accuracy:.1%}}, more than four times as many real
# digits do ({{remedy.4_times_the_data_test_accuracy:.1%}}). Dropout gains a little ({{remedy.dropout_test_accuracy:.1%}}). The
# penalties gain nothing here that a different seed does not give as well. The smaller model loses: it still memorises its training digits, and
# does worse on new ones. Early stopping gives up a fifth of the data to know when to stop, and here there is nothing to stop for; what it saves
# is time.
#
# So try them in this order: augment, which costs only thought; get data; then dropout or penalties; a smaller model last, to save
# computing. With different data the order differs: this table is for these digits and this network.
#
# ## How to choose an optimiser
#
# Chapter 5 compared nine of them, each with its learning rate tuned. The differences that remain are small; what differs is how much
# tuning they need.
#
# - **Start with Adam or AdamW** at 0.001 and a falling schedule. They forgive a bad rate, badly scaled inputs and sparse gradients.
#   Transformers need them (or relatives): plain gradient descent falls far behind there ([Zhang et al. 2020](https://arxiv.org/abs/1912.03194)).
# - **SGD with momentum** keeps one number fewer for each weight and is cheaper per step. With batch normalisation and
#   a tuned rate it is hard to beat on images. It forgives little: tune the rate.
# - **RMSprop** is Adam without the averaged gradient and the correction. **Adagrad** corresponds to $\beta_1 = 0$,
#   $\beta_2 \to 1$ and a rate that falls like $1/\sqrt{t}$; it never recovers.
# - **Lion** saves memory, **Muon** uses the shape of matrices; take them when you have many runs to compare.
# - Tuning matters more than the name: rankings change with how carefully each was tuned
#   ([Choi et al. 2019](https://arxiv.org/abs/1910.05446)); trying several with their defaults helps about as much as tuning one, and
#   none wins everywhere ([Schmidt et al. 2021](https://arxiv.org/abs/2007.01547)).
#
# ## The speed run
#
# The start is a common beginner's recipe: two pairs of convolution and pooling with 32 and 64 channels, a dense layer of 64,
# Adam at 0.001, batches of 32, ten epochs. The goal: **classify 99 of 100 test digits correctly after as few seconds of training as
# possible, on the machine you are sitting at.** Without rules, such races are worthless:
#
# 1. All 60,000 training digits, no other data, random initial weights. Time is wall-clock time from the first batch to
#    the last, building TensorFlow's graph included.
# 2. One *idea* at a time (an idea may change several things together: "one cycle" changes the epochs, the schedule and the peak; "stride for
#    pooling" replaces the network). It is kept even when it makes things worse, if the next one needs it.
# 3. Every choice was made on 10,000 held-out training digits. The test digits are looked at once, here.
# 4. Old and new recipe run in the same notebook, one after the other: the *ratio* of their times is the result. Seconds belong to a machine.

# %% [markdown] lang="zh" of="406a564f"
# **这些点说明什么。** 有两行遥遥领先，靠的都是数据。数据增强用你对数字的**了解**造出数据，把测试准确率从 {{remedy.none_test_accuracy:.1%}} 提高到
# {{remedy.shifted_digits_test_accuracy:.1%}}，比换成四倍的真数据（{{remedy.4_times_the_data_test_accuracy:.1%}}）还要好。
# 随机失活略有收益（{{remedy.dropout_test_accuracy:.1%}}）；两种惩罚在这里的作用，不比换一个随机种子大。
# 小模型输了：训练样本它照样全背了下来，认新数字却更差。早停为了知道何时该停，让出了五分之一的数据，而这里本来就不必提前停；它省下的是时间。
#
# 所以尝试的次序是：先做增强，它只费心思；再找数据；然后才是随机失活或惩罚；为了节省开销，最后才考虑小模型。换一份数据，次序会不同：
# 这张图只对这些样本和这个网络有效。
#
# ## 怎样选择优化器
#
# 第 5 章比较过九种优化器，每一种的学习率都调过。都调好之后，剩下的差别很小；真正不同的是它们需要多少调整。
#
# - **先用 Adam 或 AdamW**，学习率 0.001，配一个下降的调度。学习率不太合适、输入没有缩放好、梯度稀疏，它们都能容忍。
#   Transformer 离不开它们（或它们的近亲）：普通梯度下降在那里远远落后（[Zhang 等，2020](https://arxiv.org/abs/1912.03194)）。
# - **带动量的 SGD** 每个权重少存一个数，每一步也更便宜。有了批量归一化（D2L 作批量规范化）和调好的学习率，在图像上很难被超过。
#   但它对学习率很挑剔，要仔细调。
# - **RMSprop** 就是去掉梯度平均和偏差校正的 Adam；**Adagrad** 相当于 $\beta_1 = 0$、$\beta_2 \to 1$，学习率再按 $1/\sqrt{t}$ 下降，
#   降下去就再也回不来。
# - **Lion** 省内存，**Muon** 利用矩阵的形状；有许多次训练可以比较时再用。
# - 怎么调，比叫什么名字更重要：调得细不细，会改变名次（[Choi 等，2019](https://arxiv.org/abs/1910.05446)）；用默认值多试几种，与只调一种效果差不多，
#   而且没有哪一种处处领先（[Schmidt 等，2021](https://arxiv.org/abs/2007.01547)）。
#
# ## 竞速
#
# 起点是一份常见的入门配方：两组卷积加池化（32 和 64 个通道）、一个 64 单元的全连接层、Adam 学习率 0.001、每批 32 个、十轮。
# 目标：**在你面前这台机器上，用尽量短的训练时间，让每 100 个测试样本认对 99 个。** 没有规则，这样的比赛就毫无价值：
#
# 1. 用全部 60,000 个训练样本，不用别的数据，从随机权重开始。计时从第一批到最后一批的实际耗时，包括 TensorFlow 建图。
# 2. 一次只用一个**主意**（一个主意可能同时改几处：“一轮、一次升降”改了轮数、调度和峰值，“用步幅代替池化”换了整个网络）；
#    哪怕结果变差，只要下一个需要它，也保留。
# 3. 每个选择都在留出的 10,000 个训练样本上做出。测试样本只看一次，就是这里。
# 4. 新旧配方在同一个 notebook 里先后运行：结果是两者时间的**比值**。秒数只属于某一台机器。

# %%
def strided_network():
    """As vision.fast_cnn, but without batch normalisation: a change of its own, later."""
    x = images = keras.Input((28, 28, 1))
    for channels, size, stride in [(16, 7, 3), (32, 3, 1), (64, 3, 1)]:
        x = layers.Conv2D(channels, size, strides=stride, activation="relu")(x)
    return keras.Model(images, layers.Dense(10)(layers.Flatten()(x)))


def beginner_network():
    """The beginner's network, with logits instead of probabilities: the same function, the same training."""
    model = vision.beginner_cnn()
    model.layers[-1].activation = keras.activations.linear
    return model


for build in (beginner_network, strided_network, vision.fast_cnn):
    model = build()
    weighted = [layer for layer in model.layers if hasattr(layer, "kernel")]  # each weight is used once at every place
    products = sum(int(np.prod(layer.output.shape[1:-1]) * np.prod(layer.kernel.shape)) for layer in weighted)
    print(f"{build.__name__:17} {model.count_params():8,} parameters · 参数   {products:10,} products an image · 每幅图的乘法")

# %%
many, seeds = choose(smoke=2_048, laptop=60_000, full=60_000), [SEED + n for n in range(choose(smoke=1, laptop=1, full=3))]
x_train, y_train = digits.x_train[:many, ..., None], digits.y_train[:many]
recipe = {"build": beginner_network, "epochs": 10, "batch_size": 32, "together": 1, "metrics": ["accuracy"], "smoothing": 0.0,
          "optimizer": lambda steps: keras.optimizers.Adam(0.001)}
changes = {
    "one epoch, one cycle": {"epochs": 1, "optimizer": lambda steps: keras.optimizers.Adam(training.OneCycle(0.003, steps))},
    "stride for pooling": {"build": strided_network},
    "batch normalisation": {"build": vision.fast_cnn},
    "batches of 64": {"batch_size": 64},
    "less bookkeeping": {"together": 64, "metrics": []},
    "SGD with momentum": {"optimizer": lambda steps: keras.optimizers.SGD(
        training.OneCycle(0.3, steps), momentum=0.9, nesterov=True)},
    "soft labels": {"smoothing": 0.1},
    "two epochs": {"epochs": 2},
}
path = {"beginner's recipe": recipe}
for name, change in changes.items():
    recipe = {**recipe, **change}
    path[name] = recipe
print(*path, sep="\n")

# %% [markdown] lang="en" tags=["predict"]
# The new network needs about a fifth of the multiplications. The ideas, in the order of the list (the figure's labels):
#
# - *One epoch, one cycle*: most of ten epochs at a constant rate is shaking about. One epoch whose rate rises to a peak and
#   falls to zero ([Smith 2018](https://arxiv.org/abs/1803.09820)) saves the time spent shaking. `OneCycle` rises in a straight line
#   during the first three tenths of the updates, from a twenty-fifth of the peak to the peak, then falls to zero along half a cosine.
# - *Stride for pooling*: do not compute positions that pooling throws away. A first kernel of 7 × 7 moves three pixels at a time.
# - *Batch normalisation*: tolerates a high rate (chapter 2a). It costs time and must earn it.
# - *Batches of 64*, *less bookkeeping*: the same arithmetic with less administration around it. One call of TensorFlow makes
#   64 steps, and nobody counts on the way how many training digits were right.
# - *SGD with momentum*: fewer operations per step than Adam; its peak was searched upwards from the finder's value.
# - *Soft labels* ([label smoothing](https://arxiv.org/abs/1512.00567)): the target is 0.91 for the right digit and 0.01 for each
#   other, so that a digit already learned stops pulling.
# - *Two epochs*: what more time buys, when each second already counts.
#
# **Predict** for each: does it change the time, the accuracy, or both? (The laptop profile trains one of the beginner's ten epochs and counts its
# time ten times; the stored full run trains all ten.)

# %% [markdown] lang="zh" of="4989b451" tags=["predict"]
# 新网络的乘法次数大约只有五分之一。下面按顺序说明各个主意，括号里是图中的名称：
#
# - **一轮、一次升降**（one epoch, one cycle）：学习率不变的十轮，大部分时间都在来回晃。只用一轮，让学习率升到峰值再降到零
#   （[Smith，2018](https://arxiv.org/abs/1803.09820)），晃的时间就省下了。`OneCycle` 在前十分之三的更新里，从峰值的二十五分之一直线升到峰值，再沿半个余弦降到零。
# - **用步幅代替池化**（stride for pooling）：池化要丢掉的位置，一开始就不算。第一层用 7 × 7 的核，一次移动三个像素。
# - **批量归一化**（batch normalisation）：经得起高学习率（第 2a 章）。它要花时间，得把这时间挣回来。
# - **每批 64 个**（batches of 64）、**少记账**（less bookkeeping）：算术一样多，外围的杂务更少。调用一次 TensorFlow 走 64 步，途中也不再统计训练样本认对了多少。
# - **带动量的 SGD**（SGD with momentum）：每一步的运算比 Adam 少；峰值是从学习率搜索给出的值往上试出来的。
# - **软标签**（soft labels，即[标签平滑](https://arxiv.org/abs/1512.00567)，label smoothing）：正确数字的目标是 0.91，其余各 0.01，
#   于是已经学会的样本不再继续用力拉。
# - **两轮**（two epochs）：每一秒都已用足之后，再多花时间能换来什么。
#
# **先猜：** 每个主意改变的是时间、准确率，还是两者？（laptop 配置只训练入门配方十轮中的一轮，时间乘以十；保存的 full 配置跑完十轮。）

# %% tags=["nbval-ignore-output"]
def run(name, recipe, epochs, seed=SEED, images=many):
    """Train by a recipe; return (seconds, test accuracy)."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        optimizer = recipe["optimizer"](epochs * -(-images // recipe["batch_size"]))  # a schedule must know the steps
        model = compiled(recipe["build"](), optimizer, recipe["smoothing"], recipe["together"], recipe["metrics"])
    targets = np.eye(10, dtype="float32")[y_train] if recipe["smoothing"] else y_train
    history = training.fit(model, x_train[:images], targets[:images], name=f"{name} {seed}", epochs=epochs,
                           batch_size=recipe["batch_size"])  # fmt: skip
    return sum(history["seconds"]), training.accuracy(model, x_test, y_test, batch_size=100)


# Laptop and smoke train one of the old recipe's ten epochs and count it ten times, the building of the graph once.
epochs_run, old_recipe = choose(smoke=1, laptop=1, full=10), path["beginner's recipe"]
building, _ = run("one batch", old_recipe, 1, images=32)
runs = {"beginner's recipe": np.array([run("beginner's recipe", old_recipe, epochs_run)])}  # (1, 2): long, so one seed
one_epoch = (runs["beginner's recipe"][:, 0].mean() - building) / epochs_run
ten_epochs = building + 10 * one_epoch

# %% tags=["nbval-ignore-output"]
print(f"epochs run · 实际轮数: {epochs_run}   counted as · 计为: 10")
results.record("speed_run.beginners_recipe_seconds", ten_epochs, unit="s", digits=1)
bands = {  # full: guards; soft labels: with the three seeds of the full profile, which spread more
    "beginner's recipe": choose(smoke=(0.72, 0.94), laptop=(0.977, 0.991), full=(0.985, 0.995)),
    "one epoch, one cycle": choose(smoke=None, laptop=(0.986, 0.993), full=(0.98, 0.995)),
    "stride for pooling": choose(smoke=None, laptop=(0.980, 0.992), full=(0.98, 0.995)),
    "batch normalisation": choose(smoke=None, laptop=(0.985, 0.993), full=(0.98, 0.995)),
    "batches of 64": choose(smoke=None, laptop=(0.982, 0.992), full=(0.98, 0.995)),
    "less bookkeeping": choose(smoke=None, laptop=(0.982, 0.992), full=(0.98, 0.995)),
    "SGD with momentum": choose(smoke=None, laptop=(0.984, 0.996), full=(0.985, 0.995)),
    "soft labels": choose(smoke=None, laptop=(0.989, 0.994), full=(0.985, 0.995)),
    "two epochs": choose(smoke=(0.91, 0.96), laptop=(0.990, 0.995), full=(0.99, 0.996)),
}
for name in choose(smoke=["beginner's recipe", "two epochs"], laptop=bands, full=bands):
    key = "speed_run." + name.lower().replace(" ", "_").replace(",", "").replace("'", "")
    if name not in runs:
        runs[name] = np.array([run(name, path[name], path[name]["epochs"], seed) for seed in seeds])
        results.record(f"{key}_seconds", runs[name][:, 0].mean(), unit="s", digits=1)
    results.record(f"{key}_test_accuracy", runs[name][:, 1].mean(), band=bands[name])
    print("    seeds · 种子:", "  ".join(f"{found:.4f}" for found in runs[name][:, 1]))

# %% tags=["nbval-ignore-output"]
stored = results.read("full-05a")  # the run of the full profile that is stored with the course
figure, axis = plt.subplots(figsize=(8.4, 4.4))
places = {name: (found[:, 0].mean(), 100 * found[:, 1].mean()) for name, found in runs.items()}
if epochs_run < 10 and stored:
    axis.plot(*places["beginner's recipe"], "o", fillstyle="none", color=plots.COLORS[0], label="    its first epoch")
    places["beginner's recipe"] = ten_epochs, 100 * stored["numbers"]["speed_run.beginners_recipe_test_accuracy"]["value"]
axis.plot(*zip(*places.values(), strict=True), color="0.8", zorder=1)
for number, (name, place) in enumerate(places.items()):
    axis.plot(*place, [*plots.MARKERS, "<"][number], markersize=9, color=plots.COLORS[number % 7], label=f"{number}  {name}")
axis.axhline(99, color="0.5", linewidth=1, linestyle="--")
axis.set(xscale="log")
axis.set_xticks([], minor=True)
axis.set_xticks(ticks := [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000], ticks)
axis.set(xlabel="seconds of training (log scale)", ylabel="test accuracy (%)", title="The speed run: one change at a time")
axis.set_xlim(0.8 * min(place[0] for place in places.values()), 1.25 * ten_epochs)
axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
plots.show(
    figure,
    alt="Test accuracy against training seconds on a log axis, one marker for each change; the path leads far to the left.",
    alt_zh="横轴是训练秒数（对数），纵轴是测试准确率，每处改动一个标记；路径一路向左，时间大大缩短。",
)

# %% tags=["nbval-ignore-output"]
# The ratio differs between machines; the band only says that the gain is no accident of one of them.
for name, lowest in choose(smoke={"two epochs": 0}, laptop={"soft labels": 10, "two epochs": 5}, full={"soft labels": 10, "two epochs": 5}).items():
    key = f"speed_run.{name.replace(' ', '_')}"
    band = choose(smoke=(0, 500), laptop=(lowest, 200), full=(lowest, 200))
    results.record(f"{key}_times_faster", ten_epochs / runs[name][:, 0].mean(), band=band, digits=1)
    spread = results.spread("05a", f"{key}_test_accuracy")
    if spread and profiles.name() == "laptop":
        print(f"    {spread['count']} seeds · 个种子: {spread['lowest']:.4f} … {spread['highest']:.4f}")

# %% [markdown] lang="en" tags=["answer"]
# **Answer.** The largest single factor is no clever layer: it is stopping when there is nothing more to gain, with a rate that has come
# down by then. The second is computing fewer positions. Batch normalisation *costs* time and pays in accuracy. The other factors are small, and
# small factors multiply.
#
# And the goal? Compare finished recipes, in the stored full run: the beginner's ten epochs reach
# {{full:speed_run.beginners_recipe_test_accuracy:.2%}} (one seed) and stay below the dashed line; the recipe with soft labels reaches
# {{full:speed_run.soft_labels_test_accuracy:.2%}} (mean of three seeds) and is {{full:speed_run.soft_labels_times_faster:.0f}} times faster. With
# two epochs it is {{full:speed_run.two_epochs_test_accuracy:.2%}} and {{full:speed_run.two_epochs_times_faster:.0f}} times faster. (In the laptop
# figure the open circle is the *first* epoch of the beginner's recipe, {{speed_run.beginners_recipe_test_accuracy:.2%}}; the filled marker 0
# takes its accuracy from the stored full run, its time from ten times one epoch of this run.) Some of the steps between are only faster.
# A training run on several threads is not repeatable to the last bit: the same seed gave {{speed_run.soft_labels_test_accuracy:.2%}} here and
# another value in the three runs stored beside it. Differences of a tenth of a per cent are noise.
#
# What did *not* help on these two cores, tried on held-out digits: compiling with XLA (the compiler needs longer than
# the whole training), bfloat16 (emulated on this CPU, slower), averaging the weights of the last steps (no difference at the end of
# a rate that falls to zero), Muon (as accurate, slower), Adam instead of SGD. On a GPU the large batch and the compiler win, and the network
# is too small to fill the device.
#
# Every change here was a *measurement* on held-out digits, and most of those we tried failed. What to take with you is the method, more than
# the recipe.
#
# ### Exercise 1 · easy — time to accuracy
#
# Races are judged by *time to a target* ([MLPerf](https://arxiv.org/abs/1910.01500) does so). Write
# `time_to_accuracy(seconds, accuracy, target)`: from the seconds of each epoch and the accuracy after each, return the
# seconds passed when the target is first reached, and `math.inf` if it never is.

# %% [markdown] lang="zh" of="664608e3" tags=["answer"]
# **答案。** 最大的一个因素不是什么巧妙的层，而是在没有什么可学时停下来，并且让学习率那时已经降下来。第二是少算一些位置。
# 批量归一化**花费**时间，换来准确率。其余都是小因素，但小因素会相乘。
#
# 那么目标呢？要比就比跑完的配方，看保存的 full 结果：入门配方跑完十轮是 {{full:speed_run.beginners_recipe_test_accuracy:.2%}}（一个种子），仍在虚线以下；
# 加上软标签的配方是 {{full:speed_run.soft_labels_test_accuracy:.2%}}（三个种子的平均），速度是它的
# {{full:speed_run.soft_labels_times_faster:.0f}} 倍；跑两轮是 {{full:speed_run.two_epochs_test_accuracy:.2%}}，速度是它的
# {{full:speed_run.two_epochs_times_faster:.0f}} 倍。（laptop 的图里，空心圆是入门配方的**第一轮**，{{speed_run.beginners_recipe_test_accuracy:.2%}}；
# 实心的 0 号标记，准确率取自保存的 full 结果，时间是这次一轮的十倍。）中间有几步只是更快。多线程训练不能精确重复到最后一位：
# 同一个种子，这里得到 {{speed_run.soft_labels_test_accuracy:.2%}}，旁边保存的三次训练又是另一个数。千分之一的差别属于噪声。
#
# 在这两个核上、用留出的样本试过但没有用的有：用 XLA 编译（编译所需的时间比整个训练还长）、bfloat16（这种 CPU 靠模拟，更慢）、
# 对最后若干步的权重取平均（学习率降到零时，最后没有差别）、Muon（同样准，但更慢）、用 Adam 代替 SGD。在 GPU 上，大批量和编译器占上风，
# 而这个网络太小，填不满设备。
#
# 这里的每处改动都来自留出样本上的一次**测量**，而试过的大多数都失败了。真正该带走的是这套方法，配方不过是它的副产品。
#
# ### 练习 1 · 易 —— 达到目标所需的时间
#
# 比赛按**达到目标的时间**评判（[MLPerf](https://arxiv.org/abs/1910.01500) 就是如此）。写出 `time_to_accuracy(seconds, accuracy, target)`：
# 已知每轮的秒数和每轮之后的准确率，返回首次达到目标时已经过去的秒数；从未达到时返回 `math.inf`。

# %% tags=["exercise"]
import math


def time_to_accuracy(seconds, accuracy, target):
    """Seconds until the accuracy is at least the target for the first time."""
    ### BEGIN SOLUTION
    passed = 0.0
    for duration, reached in zip(seconds, accuracy, strict=True):
        passed += duration
        if reached >= target:
            return passed
    return math.inf
    ### END SOLUTION

# %% tags=["check"]
exercises.check("05a.time_to_accuracy", time_to_accuracy)

# %% [markdown] lang="en" tags=["hint"]
# Walk through the epochs and keep a running sum. The clock stops at the end of the first epoch that is good enough, that
# epoch included. "At least" is `>=`.

# %% [markdown] lang="zh" of="c70c0443" tags=["hint"]
# 逐轮往下走，累加时间。第一个达标的轮结束时停表，这一轮也算在内。“达到”是 `>=`。

# %% [markdown] lang="en"
# ### Exercise 2 · medium — warm-up and cosine
#
# Write `warmup_cosine(step, peak, warmup, total)`: a straight line from 0 at step 0 to `peak` at step `warmup`, then half a cosine
# down to 0 at step `total`. Do not use the `schedules` of the course. One number goes in, one number comes out.

# %% [markdown] lang="zh" of="72a438e3"
# ### 练习 2 · 中 —— 预热加余弦
#
# 写出 `warmup_cosine(step, peak, warmup, total)`：从第 0 步的 0 直线上升到第 `warmup` 步的 `peak`，再沿半个余弦下降，
# 到第 `total` 步为 0。不用课程的 `schedules`；输入一个步数，输出一个数。

# %% tags=["exercise"]
def warmup_cosine(step, peak, warmup, total):
    """Learning rate of one step."""
    ### BEGIN SOLUTION
    if step < warmup:
        return peak * step / warmup
    progress = (step - warmup) / (total - warmup)  # 0 at the peak, 1 at the end
    return peak * (1 + math.cos(math.pi * progress)) / 2
    ### END SOLUTION

# %% tags=["check"]
exercises.check("05a.warmup_cosine", warmup_cosine)

# %% [markdown] lang="en" tags=["hint"]
# First compute a progress that is 0 at the peak and 1 at the end. Then $\cos \pi x$ runs from 1 to −1; bring that to 1…0.

# %% [markdown] lang="zh" of="b7bb2ca2" tags=["hint"]
# 先算出一个进度：在峰值处为 0，在终点处为 1。这时 $\cos \pi x$ 从 1 变到 −1；再把它换算到 1 至 0。

# %% [markdown] lang="en"
# ### Exercise 3 · medium — early stopping
#
# Write `early_stopping(losses, patience)`. You are given the validation loss after each epoch (counted from 0). Return a pair: the epoch
# after which training stops, because `patience` epochs in a row brought no new best, and the epoch whose weights are
# restored. If nothing stops it, it stops after the last.

# %% [markdown] lang="zh" of="68e49666"
# ### 练习 3 · 中 —— 早停
#
# 写出 `early_stopping(losses, patience)`：已知每轮（从 0 数起）之后的验证损失，返回一对数：训练在哪轮之后停下（连续 `patience` 轮没有创新低），
# 以及应当恢复哪轮的权重。如果一直没有触发，就停在最后一轮。

# %% tags=["exercise"]
def early_stopping(losses, patience):
    """Return (epoch of stopping, best epoch)."""
    ### BEGIN SOLUTION
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        if epoch - best >= patience:
            return epoch, best
    return len(losses) - 1, best
    ### END SOLUTION

# %% tags=["check"]
exercises.check("05a.early_stopping", early_stopping)

# %% [markdown] lang="en" tags=["hint"]
# One number is enough: the best epoch so far. How many epochs ago was it? Do not look at losses that come later.

# %% [markdown] lang="zh" of="ce92f3b7" tags=["hint"]
# 记住一个数就够了：目前最好的是哪轮。它是多少轮之前的事？不要去看还没发生的损失。

# %% [markdown] lang="en"
# ### Exercise 4 · hard — dropout, forward and backward
#
# Write `dropout(x, rate, keep, upstream)`. `keep` is the mask (True = stays), `rate` the share that is dropped, `upstream` the gradient
# of the loss with respect to the output. Return the output and the gradient of the loss with respect to `x`.

# %% [markdown] lang="zh" of="332ae308"
# ### 练习 4 · 难 —— 随机失活的前向与反向
#
# 写出 `dropout(x, rate, keep, upstream)`。`keep` 是掩码（True 表示留下），`rate` 是丢弃的比例，`upstream` 是损失对输出的梯度。
# 返回输出，以及损失对 `x` 的梯度。

# %% tags=["exercise"]
def dropout(x, rate, keep, upstream):
    """Return (output, gradient by x), both of the shape of x."""
    ### BEGIN SOLUTION
    factor = keep / (1 - rate)  # 0 where dropped, 1 / (1 - rate) where kept
    return x * factor, upstream * factor
    ### END SOLUTION

# %% tags=["check"]
exercises.check("05a.dropout", dropout)

# %% [markdown] lang="en" tags=["hint"]
# The output is `x` times a constant, number by number: which constant where kept, which where dropped? The derivative of $c\,x$ with respect to
# $x$ is $c$; the chain rule does the rest.

# %% [markdown] lang="zh" of="78eb67a5" tags=["hint"]
# 输出就是 `x` 逐个乘以一个常数：留下的乘几，丢弃的乘几？$c\,x$ 对 $x$ 的导数是 $c$，剩下的交给链式法则。

# %% tags=["quiz", "nbval-ignore-output"]
exercises.quiz("05a")

# %% [markdown] lang="en" tags=["summary"]
# ## What you measured
#
# - **Schedules**: at the same highest rate, cosine with a warm-up {{schedule.cosine_accuracy:.1%}}, constant {{schedule.constant_accuracy:.1%}};
#   which of its two ingredients did it is open.
# - **Size does not harm here**: the widest network has training accuracy {{width.training_accuracy_of_widest:.0%}} and the best test accuracy,
#   {{width.test_accuracy_of_widest:.1%}}.
# - **Data beat formulas**: shifted digits {{remedy.shifted_digits_test_accuracy:.1%}}, L2 {{remedy.l2_test_accuracy:.1%}}, nothing at all
#   {{remedy.none_test_accuracy:.1%}}.
# - **A smaller model is no remedy here**: {{remedy.smaller_test_accuracy:.1%}}.
# - **Speed**: {{full:speed_run.soft_labels_times_faster:.0f}} times faster than the finished beginner's recipe, at
#   {{full:speed_run.soft_labels_test_accuracy:.2%}} against {{full:speed_run.beginners_recipe_test_accuracy:.2%}} (full run).
#
# **Formula card.** Exponential: $\eta_0\,\gamma^{t/T}$. Cosine after a warm-up: $\eta_{\max}\,(1 + \cos \pi x)/2$ with $x$ from 0 to 1. L1: gradient
# $\lambda\,\mathrm{sign}(w)$; Keras' L2: $2\lambda w$; weight decay: $w \leftarrow w - \eta\lambda w$ apart from the gradient. Dropout: $x \cdot \text{keep}/(1-p)$.
#
# ## Where it is used, and what to read
#
# Warm-up with cosine or linear decay is how large language models are trained ([GPT-3, appendix B](https://arxiv.org/abs/2005.14165)).
# Augmentation carries image models and speech recognition ([SpecAugment](https://arxiv.org/abs/1904.08779)). Speed runs are a sport with
# results: the record for CIFAR-10 fell from minutes to seconds by the same method ([Jordan 2024](https://arxiv.org/abs/2404.00498)).
#
# To read: Srivastava et al. 2014, [*Dropout*](https://jmlr.org/papers/v15/srivastava14a.html); Prechelt 1998,
# [*Early stopping, but when?*](https://doi.org/10.1007/3-540-49430-8_3); Loshchilov and Hutter 2017, [*SGDR*](https://arxiv.org/abs/1608.03983),
# for the cosine; Goyal et al. 2017, [*Accurate, large minibatch SGD*](https://arxiv.org/abs/1706.02677), for the warm-up, and why rate and batch
# grow together; Goodfellow, Bengio and Courville, [*Deep Learning*, chapter 7](https://www.deeplearningbook.org/contents/regularization.html).
#
# **What the full profile changes.** The beginner's recipe runs all its ten epochs, so its accuracy and its time are
# measured, not multiplied; schedules see 50,000 digits, remedies get five seeds and more epochs, the widths reach 4,096. The last cell prints the
# race as the stored full run has it.
#
# Next: chapter 6 turns from pictures to sequences.

# %% [markdown] lang="zh" of="0aeb2eda" tags=["summary"]
# ## 这一章测到了什么
#
# - **学习率调度**：最高学习率相同，预热加余弦是 {{schedule.cosine_accuracy:.1%}}，学习率不变是 {{schedule.constant_accuracy:.1%}}；
#   两样之中是哪一样起作用，还没有定论。
# - **大在这里没有坏处**：最宽的网络，训练准确率 {{width.training_accuracy_of_widest:.0%}}，测试准确率也最好，{{width.test_accuracy_of_widest:.1%}}。
# - **数据胜过公式**：平移数字 {{remedy.shifted_digits_test_accuracy:.1%}}，L2 {{remedy.l2_test_accuracy:.1%}}，什么也不用
#   {{remedy.none_test_accuracy:.1%}}。
# - **小模型在这里不是良方**：{{remedy.smaller_test_accuracy:.1%}}。
# - **速度**：是跑完十轮的入门配方的 {{full:speed_run.soft_labels_times_faster:.0f}} 倍，准确率 {{full:speed_run.soft_labels_test_accuracy:.2%}} 对
#   {{full:speed_run.beginners_recipe_test_accuracy:.2%}}（full 结果）。
#
# **公式卡片。** 指数衰减：$\eta_0\,\gamma^{t/T}$。预热之后的余弦：$\eta_{\max}\,(1 + \cos \pi x)/2$，$x$ 从 0 到 1。L1 的梯度：
# $\lambda\,\mathrm{sign}(w)$；Keras 的 L2：$2\lambda w$；权重衰减：与梯度分开，$w \leftarrow w - \eta\lambda w$。随机失活：$x \cdot \text{keep}/(1-p)$。
#
# ## 应用与延伸阅读
#
# 大语言模型就是用预热加余弦（或线性）衰减训练的（[GPT-3，附录 B](https://arxiv.org/abs/2005.14165)）；数据增强支撑着图像模型和语音识别
# （[SpecAugment](https://arxiv.org/abs/1904.08779)）；竞速则是一项有成果的运动：靠同样的方法，CIFAR-10 的纪录从几分钟降到了几秒
# （[Jordan，2024](https://arxiv.org/abs/2404.00498)）。
#
# 读物：Srivastava 等，2014，[Dropout](https://jmlr.org/papers/v15/srivastava14a.html)；Prechelt，1998，
# [Early stopping, but when?](https://doi.org/10.1007/3-540-49430-8_3)；Loshchilov 与 Hutter，2017，[SGDR](https://arxiv.org/abs/1608.03983)，余弦的来历；
# Goyal 等，2017，[Accurate, large minibatch SGD](https://arxiv.org/abs/1706.02677)，预热的来历，以及学习率为什么要随批量一起增大；
# Goodfellow、Bengio 与 Courville，[《深度学习》第 7 章](https://www.deeplearningbook.org/contents/regularization.html)（有中译本）。
# 中文读物：周志华《机器学习》“模型评估与选择”一章，邱锡鹏《神经网络与深度学习》“网络优化与正则化”一章。
#
# **换成 full 配置会怎样。** 入门配方跑完全部十轮，准确率和时间都是实测而不是相乘；各种调度用 50,000 个样本，各种办法用五个种子、更多轮，
# 宽度扩展到 4,096。最后一个单元格打印的就是保存的 full 结果里的竞速。
#
# 接下来：第 6 章从图像转向序列。

# %%
full = results.read("full-05a")  # the course's own run of the full profile, stored with it
numbers = full["numbers"] if full else {}
print("the speed run, full profile · 竞速，full 配置" if numbers else "no full run is stored · 没有保存 full 配置的结果")
for name in path if numbers else ():
    key = "speed_run." + name.lower().replace(" ", "_").replace(",", "").replace("'", "")
    seconds, accuracy = numbers[f"{key}_seconds"]["value"], numbers[f"{key}_test_accuracy"]["value"]
    ratio = numbers["speed_run.beginners_recipe_seconds"]["value"] / seconds
    print(f"{name:20} {seconds:6.1f} s   test accuracy {accuracy:.4f}   {ratio:5.1f} × as fast · 倍速")
