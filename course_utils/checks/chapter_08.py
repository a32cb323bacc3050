"""Checks of chapter 8, future trends."""

import numpy as np

from course_utils.exercises import close, exercise, expect


@exercise("08.grams")
def grams(answer):
    """One kilowatt for one hour, then each factor by itself."""
    found = answer(1000, 3600, 400)
    expect(
        not close(found, 400_000),
        "瓦没有换成千瓦：除以 1000",
        "watts were not turned into kilowatts: divide by 1000",
    )
    expect(
        not close(found, 400 * 3600) and not close(found, 400 * 60),
        "秒没有换成小时：除以 3600",
        "seconds were not turned into hours: divide by 3600",
    )
    expect(not close(found, 0.4), "答案要克，不是千克", "grams were asked for, not kilograms")
    expect(
        close(found, 400),
        "1 kW 运行 1 小时、每千瓦时 400 克，应得 400 克",
        "1 kW for 1 hour at 400 g per kWh should give 400 g",
    )
    expect(
        close(answer(500, 7200, 100), 100) and close(answer(20, 1800, 436), 4.36),
        "千瓦时是千瓦乘以小时，不是相除",
        "a kilowatt-hour is a kilowatt times an hour, not divided by it",
    )


@exercise("08.two_shares")
def two_shares(answer):
    """Unequal groups, so that pooling differs from averaging."""
    right_1, total_1, right_2, total_2 = 90, 100, 700, 1000
    p1, p2 = 0.9, 0.7
    pooled = 790 / 1100
    wanted = (p1 - p2) / np.sqrt(pooled * (1 - pooled) * (1 / 100 + 1 / 1000))
    found = answer(right_1, total_1, right_2, total_2)
    expect(
        not close(found, p1 - p2),
        "只算了差，没有除以它的标准误",
        "only the difference: divide it by its standard error",
    )
    expect(
        not close(found, -wanted),
        "符号反了：是第一个减第二个",
        "the sign is reversed: the first minus the second",
    )
    averaged = 0.8
    expect(
        not close(found, (p1 - p2) / np.sqrt(averaged * (1 - averaged) * (1 / 100 + 1 / 1000))),
        "p 不是两个比例的平均：用全部答对的除以全部样本",
        "p is not the mean of the two shares: all right ones over all examples (pooled)",
    )
    expect(
        not close(found, (p1 - p2) / (pooled * (1 - pooled) * (1 / 100 + 1 / 1000))),
        "忘了开平方",
        "the square root is missing",
    )
    expect(
        not close(found, (p1 - p2) / np.sqrt(pooled * (1 - pooled) / 1100)),
        "两群各有自己的样本数：括号里是 1/n₁ + 1/n₂",
        "each group has its own size: 1/n₁ + 1/n₂, not one over both",
    )
    expect(
        close(found, wanted),
        f"90/100 与 700/1000 的 z 应为 {wanted:.3f}",
        f"for 90/100 and 700/1000 z should be {wanted:.3f}",
    )
    expect(close(answer(50, 100, 50, 100), 0), "两个比例相同，z 应为 0", "equal shares should give z = 0")


@exercise("08.retrieve")
def retrieve(answer):
    """Random unit vectors, more texts than pictures."""
    random = np.random.default_rng(0)
    pictures, texts = (
        v / np.linalg.norm(v, axis=1, keepdims=True)
        for v in (random.normal(size=(4, 6)), random.normal(size=(9, 6)))
    )
    nearness = pictures @ texts.T
    found = np.asarray(answer(pictures.copy(), texts.copy(), 3))
    expect(
        found.shape == (4, 3),
        f"应为每张图 3 个位置，形状 (4, 3)，得到的是 {found.shape}",
        f"three positions for each picture, shape (4, 3), were expected; found {found.shape}",
    )
    expect(
        np.issubdtype(found.dtype, np.integer),
        "应返回位置（整数），不是余弦值",
        "positions (whole numbers) are asked for, not the cosines",
    )
    expect(
        not close(found, np.argsort(nearness, axis=1)[:, :3]),
        "这是最远的：余弦越大越近，要从大到小排",
        "these are the farthest: a large cosine means near, so sort downwards",
    )
    expect(
        not close(found, np.argsort(nearness, axis=1)[:, -3:]),
        "最近的三个找对了，但最近的应排在前面",
        "the right three, but the nearest should come first",
    )
    expect(
        close(found, np.argsort(-nearness, axis=1)[:, :3]),
        "位置不对：每一行是一张图，要沿文本的轴排序",
        "wrong positions: a row is a picture; sort along the axis of the texts",
    )
