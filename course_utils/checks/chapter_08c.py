"""Checks of chapter 8c, interpretability."""

import numpy as np

from course_utils.exercises import close, exercise, expect


@exercise("08c.pixels_to_delete")
def pixels_to_delete(answer):
    """A small signed map without ties; each expectation is one misreading of "the highest"."""
    attribution = np.array([[0.5, -3.0, 0.1, 0.0], [2.0, -0.2, 0.9, -1.0]])
    found = np.asarray(answer(attribution.copy(), 0.25))
    expect(
        found.shape == (2, 4),
        f"应返回与图同形状 (2, 4) 的布尔数组，得到的形状是 {found.shape}",
        f"a mask of the map's shape (2, 4) was expected; found shape {found.shape}",
    )
    expect(
        found.dtype == bool,
        f"应返回布尔数组（True 表示删掉），得到的类型是 {found.dtype}",
        f"a boolean mask was expected, True for a deleted pixel; found type {found.dtype}",
    )
    expect(
        found.sum() == 2,
        "8 个像素的四分之一是 2 个：按名次取，不要拿 share 当数值的门槛",
        "a quarter of 8 pixels is 2: go by rank, share is not a threshold on the values",
    )
    expect(
        not found[0, 1],
        "−3 是“反对”最强的像素：按带符号的值从大到小排，不要取绝对值，也不要从小到大",
        "−3 speaks most strongly against the class: rank by the signed value, highest first",
    )
    expect(
        np.array_equal(found, attribution >= 0.9),
        "应删掉最高的两个：2.0 和 0.9",
        "the two highest, 2.0 and 0.9, were expected",
    )
    expect(
        np.asarray(answer(attribution, 0.45)).sum() == 4,
        "8 × 0.45 = 3.6，四舍五入为 4：用 round，不要直接取整",
        "8 × 0.45 = 3.6, which rounds to 4: use round, do not cut off",
    )
    expect(
        not np.asarray(answer(attribution, 0.0)).any(),
        "share 为 0 时一个也不删：小心切片 [-0:] 会取到全部",
        "nothing is deleted for a share of 0: beware, the slice [-0:] takes everything",
    )


@exercise("08c.integrate_gradient")
def integrate_gradient(answer):
    """A quadratic, for which the midpoint rule is exact, from a baseline that is not zero."""

    def gradient(x):
        return np.array([2 * x[0] + x[1], x[0], 3.0])  # of x0² + x0·x1 + 3·x2

    point, baseline = np.array([3.0, 2.0, 1.0]), np.array([1.0, -1.0, 0.0])
    middle = gradient((point + baseline) / 2)
    correct = (point - baseline) * middle

    found = np.asarray(answer(gradient, point.copy(), baseline.copy(), 4), dtype="float64")
    expect(
        found.shape == (3,),
        f"每个输入一个数：形状应为 (3,)，得到 {found.shape}",
        f"one number per input, shape (3,), was expected; found {found.shape}",
    )
    expect(
        not close(found, middle),
        "这是平均梯度，还要乘以 (point − baseline)",
        "this is the mean gradient: multiply it by (point − baseline)",
    )
    expect(
        not close(found, point * gradient(point)) and not close(found, (point - baseline) * gradient(point)),
        "只用了终点处的梯度：要沿着整条路取平均",
        "only the gradient at the end was used: average along the whole path",
    )
    expect(
        not close(found, point * gradient(point / 2))
        and not close(found, (point - baseline) * gradient(point / 2)),
        "路从 baseline 出发，不是从 0 出发",
        "the path starts at the baseline, not at 0",
    )
    ends = [
        (point - baseline) * np.mean([gradient(baseline + s * (point - baseline)) for s in shares], axis=0)
        for shares in (np.arange(4) / 4, (np.arange(4) + 1) / 4, np.linspace(0, 1, 4))
    ]
    expect(
        not any(close(found, end) for end in ends[:2]),
        "取的是每一小段的端点：用中点 (k + 0.5) / steps，误差小得多",
        "these are the ends of the pieces: take their midpoints, (k + 0.5) / steps, whose error is far smaller",
    )
    expect(
        close(found, correct),
        f"各部分之和应为 {correct.sum():g}（终点与起点的函数值之差），得到 {found.sum():g}",
        f"the parts should add up to {correct.sum():g}, the difference of the values at both ends; found {found.sum():g}",
    )


@exercise("08c.fair_shares")
def fair_shares(answer):
    """Three players: 1 needs 0, 2 works alone, all three together win a bonus."""

    def value(coalition):
        if not isinstance(coalition, (frozenset, set)):
            raise TypeError("value takes a frozenset of player numbers")
        worth = 6.0 * (0 in coalition) + 12.0 * ({0, 1} <= coalition) + 5.0 * (2 in coalition)
        return worth + 9.0 * (len(coalition) == 3) + 1.0

    correct = np.array([6 + 6 + 3, 6 + 3, 5 + 3.0])
    everybody, nobody = value(frozenset({0, 1, 2})), value(frozenset())
    last = np.array([everybody - value(frozenset({0, 1, 2} - {player})) for player in range(3)])
    first = np.array([value(frozenset({player})) - nobody for player in range(3)])
    found = np.asarray(answer(value, 3), dtype="float64")
    expect(
        found.shape == (3,),
        f"每个参与者一个数：形状应为 (3,)，得到 {found.shape}",
        f"one number per player, shape (3,), was expected; found {found.shape}",
    )
    expect(
        not close(found, last),
        "这只是最后一个入场时的增益：要对所有次序（或所有联盟）取平均",
        "this is the gain of the player who comes last: average over all orders, or all coalitions",
    )
    expect(
        not close(found, first),
        "这只是第一个入场时的增益：要对所有次序（或所有联盟）取平均",
        "this is the gain of the player who comes first: average over all orders, or all coalitions",
    )
    equal_weights = np.array([6 + 6 + 9 / 4, 6 + 9 / 4, 5 + 9 / 4])
    expect(
        not close(found, equal_weights),
        "所有联盟被同等看待了（那是班扎夫值），总和不对：大小为 s 的联盟权重是 s!(M − s − 1)!/M!",
        "all coalitions count the same here (that is Banzhaf's value), and the sum is wrong: "
        "a coalition of s has the weight s!(M − s − 1)!/M!",
    )
    expect(
        not close(found, 6 * correct),
        "忘了除以次序的个数 M!",
        "the division by the number of orders, M!, is missing",
    )
    expect(
        abs(found.sum() - (everybody - nobody)) < 1e-6,
        f"总和应为 v(全体) − v(无人) = {everybody - nobody:g}，得到 {found.sum():g}：v(无人) 不一定是 0",
        f"the sum should be v(all) − v(none) = {everybody - nobody:g}; found {found.sum():g}: v(none) need not be 0",
    )
    expect(
        close(found, correct),
        f"应为 {correct.tolist()}，得到 {found.tolist()}",
        f"{correct.tolist()} was expected; found {found.tolist()}",
    )
    expect(
        close(np.asarray(answer(lambda coalition: float(len(coalition)), 4)), np.ones(4)),
        "也要适用于 4 个参与者",
        "it must work for 4 players too",
    )
