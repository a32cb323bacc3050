"""Checks of chapter 9, training on many devices."""

import numpy as np

from course_utils.exercises import close, exercise, expect


@exercise("09.accumulation_steps")
def accumulation_steps(answer):
    """Sizes by hand, each picked for one mistake."""
    expect(
        answer(64, 2, 32) != 2,
        "别忘了样本由 replicas 个设备分担：每个设备只有 32 个",
        "do not forget that the replicas share the batch: 32 examples for each",
    )
    expect(
        answer(64, 2, 32) == 1,
        "每个设备 32 个，一次装得下：应为 1",
        "32 each fit at once: 1 was expected",
    )
    expect(answer(64, 2, 8) == 4, "每个设备 32 个，每次 8 个：应为 4", "32 each, 8 at a time: 4 was expected")
    expect(
        answer(60, 2, 8) != 3,
        "30 / 8 要向上取整：三批每批 10 个，装不下",
        "round 30 / 8 up: three batches would have 10 examples each, too many",
    )
    expect(
        answer(60, 2, 8) != 4,
        "30 个切不成一样大的 4 批：要找能整除的 k",
        "30 examples cannot be cut into 4 equal batches: k has to divide them",
    )
    expect(answer(60, 2, 8) == 5, "30 个分 5 批，每批 6 个：应为 5", "30 in 5 batches of 6: 5 was expected")
    expect(
        answer(14, 2, 3) == 7,
        "7 是质数：只能分成 7 批，每批 1 个",
        "7 is prime: only 7 batches of 1 are equal",
    )
    try:
        found = answer(10, 3, 4)
    except ValueError:
        return
    expect(
        False,
        f"10 个样本不能由 3 个副本平分：应抛出 ValueError，得到的是 {found}",
        f"10 examples cannot be shared evenly by 3 replicas: a ValueError was expected; found {found}",
    )


@exercise("09.whole_moments")
def whole_moments(answer):
    """Three unequal shares of random rows."""
    random = np.random.default_rng(0)
    shares = [
        random.normal(size=(count, 4)) * scale + scale for count, scale in ((2, 1.0), (5, 3.0), (9, 0.5))
    ]
    means = np.array([share.mean(axis=0) for share in shares])
    variances = np.array([share.var(axis=0) for share in shares])
    counts, rows = np.array([2, 5, 9]), np.concatenate(shares)
    mean, variance = answer(means, variances, counts)
    mean, variance = np.asarray(mean, dtype="float64"), np.asarray(variance, dtype="float64")
    expect(
        mean.shape == (4,) and variance.shape == (4,),
        f"均值与方差的形状都应为 (4,)，得到的是 {mean.shape}、{variance.shape}",
        f"mean and variance should have shape (4,); found {mean.shape} and {variance.shape}",
    )
    expect(
        not close(mean, means.mean(axis=0)),
        "各份大小不同：均值要按样本数加权",
        "the shares differ in size: weight the means by the number of examples",
    )
    expect(close(mean, rows.mean(axis=0)), "均值不对", "the mean is not right")
    weights = counts[:, None] / counts.sum()
    within, between = (weights * variances).sum(axis=0), (weights * (means - mean) ** 2).sum(axis=0)
    expect(
        not close(variance, within),
        "各份均值之间也有差异：别忘了加上均值的方差",
        "the shares' means differ too: add the variance of the means",
    )
    expect(
        not close(variance, variances.mean(axis=0) + ((means - mean) ** 2).mean(axis=0)),
        "两项都要按样本数加权",
        "weight both terms by the number of examples",
    )
    expect(
        not close(variance, (weights * variances).sum(axis=0) + means.var(axis=0)),
        "均值的方差也要加权，而且要相对整批的均值来算",
        "the variance of the means is weighted too, and taken around the mean of all examples",
    )
    expect(
        not close(variance, (within + between) * 16 / 15),
        "除以样本数 n，不是 n − 1",
        "divide by the number of examples n, not by n − 1",
    )
    expect(close(variance, rows.var(axis=0)), "方差不对", "the variance is not right")


@exercise("09.butterfly")
def butterfly(answer):
    """Two, four and eight devices; the vectors given must stay as they are."""
    random = np.random.default_rng(0)
    for count, rounds in ((2, 1), (4, 2), (8, 3)):
        vectors = [random.normal(size=6) for _ in range(count)]
        given = [vector.copy() for vector in vectors]
        results, sent = answer(given)
        expect(
            all(close(one, two) for one, two in zip(given, vectors, strict=True)),
            "传进来的向量被改动了：相加时要建立新数组",
            "the vectors that were given have changed: make new arrays when adding",
        )
        expect(
            len(results) == count,
            f"{count} 个设备应有 {count} 个结果，得到 {len(results)} 个",
            f"{count} results were expected for {count} devices; found {len(results)}",
        )
        whole, pair = np.sum(vectors, axis=0), vectors[0] + vectors[1]
        expect(
            not (count > 2 and close(results[0], pair)),
            "只做了第一个回合：距离还要取 2、4……",
            "only the first round was done: the distances go on with 2, 4, …",
        )
        expect(
            all(close(one, whole) for one in results),
            "有的设备没有得到总和：所有设备要同时交换，不要在途中改写旧列表",
            "not every device has the sum: all send at the same time, do not write into the old list",
        )
        expect(
            sent != 6 * rounds * count,
            "要的是一个设备发送了多少个数，不是所有设备合计",
            "the numbers sent by one device were asked for, not by all together",
        )
        expect(
            sent != rounds,
            "要数的是数，不是消息：每条消息有整个向量那么多个数",
            "count numbers, not messages: each message is a whole vector",
        )
        expect(
            sent == 6 * rounds,
            f"{count} 个设备应各发送 {6 * rounds} 个数，得到 {sent}",
            f"each of {count} devices should send {6 * rounds} numbers; found {sent}",
        )
