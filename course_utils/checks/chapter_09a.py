"""Checks of chapter 9a, the same machine, faster."""

import ml_dtypes
import numpy as np
import tensorflow as tf

from course_utils.exercises import close, exercise, expect


@exercise("09a.speedup")
def speedup(answer):
    """Amdahl's law by hand: one part, a rest, two parts."""
    expect(
        not close(answer([0.5], [2]), 0.75),
        "这是新的用时；加速比是旧时间除以新时间",
        "this is the new time; the speed-up is old time over new time",
    )
    expect(
        not close(answer([0.5], [2]), 4),
        "没有变快的那部分也要算进去：其余的比例是 1 减去各比例之和",
        "the rest takes time too: its share is 1 minus the sum of the shares",
    )
    expect(
        not close(answer([0.5], [2]), 1.5),
        "不能把倍数按比例平均：相加的是时间，不是倍数",
        "do not average the factors: times add up, factors do not",
    )
    expect(
        not close(answer([0.5], [2]), 2),
        "只有一半变快了：要按所占比例来算",
        "only half of the time got faster: the shares matter",
    )
    expect(
        close(answer([0.5], [2]), 4 / 3),
        "一半的速度变为 2 倍，加速比应为 4/3",
        "half at twice its speed should give 4/3",
    )
    expect(
        not close(answer([0.4, 0.4], [2, 4]), 1 / 0.8 * 1 / 0.7),
        "各部分的加速比不能相乘：它们占的是同一份总时间",
        "the speed-ups of the parts do not multiply: both are shares of one total",
    )
    expect(
        close(answer([0.4, 0.4], [2, 4]), 2),
        "0.4 的速度变为 2 倍、0.4 变为 4 倍、其余照旧：新时间 0.2 + 0.1 + 0.2，应为 2",
        "0.4 twice, 0.4 four times as fast, the rest as it was: 0.2 + 0.1 + 0.2, so 2 was expected",
    )
    expect(close(answer([], []), 1), "什么都没变快，应为 1", "nothing got faster: 1 was expected")


COUNT, BATCH = 40, 6


@exercise("09a.training_data")
def training_data(answer):
    """Forty numbers; decoding and augmenting leave a trace, so that order and count show."""
    decoded, augmented = [], []

    def watch(trace, value):
        trace.append(int(value))
        return np.int64(value)

    def step(trace):
        def function(value):
            result = tf.numpy_function(lambda number: watch(trace, number), [value], tf.int64)
            result.set_shape(())
            return result

        return function

    # The seed of a run would give equal epochs to an order that is random otherwise; what is judged is the pipeline.
    data = answer(tf.data.Dataset.range(COUNT), step(decoded), step(augmented), BATCH)
    expect(
        isinstance(data, tf.data.Dataset),
        "应返回一个 tf.data.Dataset",
        "a tf.data.Dataset should be returned",
    )
    expect(
        int(data.cardinality()) != int(tf.data.INFINITE_CARDINALITY),
        "这里不要 repeat()：一次遍历应恰好是一轮",
        "no repeat() here: going through it once should be one epoch",
    )
    epochs = []
    for _ in range(3):
        batches = [np.asarray(batch) for batch in data.take(COUNT).as_numpy_iterator()]
        expect(
            all(batch.ndim == 1 for batch in batches),
            "要用 batch(batch_size) 分批",
            "group the elements with batch(batch_size)",
        )
        epochs.append(batches)
    sizes = [len(batch) for batch in epochs[0]]
    expect(
        sum(sizes) == COUNT,
        "每轮每个元素都要来一次：最后不满的一批也要保留",
        "every element should come once per epoch: keep the last short batch",
    )
    expect(
        not all(np.all(np.diff(batch) == 1) for batch in epochs[0]),
        "同一批里的元素仍是相邻的：没有打乱，或者在 batch 之后才打乱；要打乱样本，而不是批次",
        "the elements of a batch are still neighbours: shuffle examples, before batch",
    )
    expect(
        sizes == [BATCH] * (COUNT // BATCH) + [COUNT % BATCH],
        "批次大小不对：只在末尾允许不满的一批",
        "wrong batch sizes: only the last batch may be short",
    )
    orders = [np.concatenate(batches).tolist() for batches in epochs]
    expect(
        all(sorted(order) == list(range(COUNT)) for order in orders),
        "每轮每个元素应恰好来一次",
        "every element should come exactly once per epoch",
    )
    expect(
        len(augmented) != COUNT,
        "增强被缓存冻住了：augment 要放在 cache 之后",
        "the cache has frozen the augmentation: augment after cache",
    )
    expect(
        len(decoded) == COUNT,
        "每轮都重新解码了：decode 之后要 cache",
        "this decodes again in every epoch: cache after decode",
    )
    expect(len(augmented) == 3 * COUNT, "每轮都要增强每个元素", "augment every element in every epoch")
    expect(
        orders[0] != orders[1],
        "每轮次序都相同：shuffle 要在 cache 之后，而且每轮重新打乱",
        "every epoch has the same order: shuffle after cache, anew in each epoch",
    )
    early = max(value - place for order in orders for place, value in enumerate(order))
    expect(
        early >= COUNT // 2,
        "缓冲区太小：要与数据集一样大，用 source.cardinality()",
        "the buffer is too small: it should hold the whole data set, source.cardinality()",
    )


@exercise("09a.to_bfloat16")
def to_bfloat16(answer):
    """Exact numbers, numbers between, ties of both kinds, negative ones, then a thousand random ones."""

    def given(*values):
        return np.asarray(answer(np.array(values, "float32")))

    found = given(1.0, -2.5)
    expect(
        found.dtype == np.float32 and found.shape == (2,),
        f"应返回同样形状的 float32 数组，得到的是 {found.dtype} {found.shape}",
        f"a float32 array of the same shape was expected; found {found.dtype} {found.shape}",
    )
    expect(
        close(found, [1.0, -2.5]),
        "1 和 −2.5 本来就是 bfloat16，应保持不变",
        "1 and −2.5 are bfloat16 numbers already and should stay",
    )
    gap = 2.0**-7  # between the neighbours of 1
    expect(
        given(1 + 0.75 * gap).view("uint32") & 0xFFFF == 0,
        "低十六位没有清零：结果还不是 bfloat16",
        "the lower sixteen bits are not cleared: this is no bfloat16 yet",
    )
    expect(
        close(given(1 + 0.75 * gap), [1 + gap], 1e-9),
        "这是截断（向零舍入）：1 + 0.75 ε 离 1 + ε 更近",
        "this cuts off, rounding towards zero: 1 + 0.75 ε is nearer to 1 + ε",
    )
    expect(
        close(given(1 + 0.25 * gap), [1.0], 1e-9),
        "1 + 0.25 ε 离 1 更近：这里不该进位",
        "1 + 0.25 ε is nearer to 1: it should not be rounded up",
    )
    expect(
        close(given(1 + 0.5 * gap), [1.0], 1e-9),
        "居中时进位了：1 的末位是 0，1 + ε/2 应舍入到偶数 1",
        "a tie was rounded up: the last bit of 1 is 0, so 1 + ε/2 should go to the even neighbour, 1",
    )
    expect(
        close(given(1 + 1.5 * gap), [1 + 2 * gap], 1e-9),
        "居中时舍掉了：1 + ε 的末位是 1，1 + 1.5 ε 应舍入到偶数 1 + 2 ε",
        "a tie was rounded down: the last bit of 1 + ε is 1, so 1 + 1.5 ε should go to the even 1 + 2 ε",
    )
    values = np.random.default_rng(0).normal(size=(10, 100)).astype("float32") * np.float32(1000)
    expect(
        close(answer(values.copy()), values.astype(ml_dtypes.bfloat16).astype("float32"), 1e-9),
        "有些数不对：负数、大数或二维数组再看看",
        "some numbers are wrong: look at negative ones, large ones, and arrays of two axes",
    )
