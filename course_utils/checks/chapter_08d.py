"""Checks of chapter 8d, privacy and security."""

import numpy as np

from course_utils.exercises import close, exercise, expect


@exercise("08d.clip_gradients")
def clip_gradients(answer):
    """Three examples: one far above the norm, one below it, one of zeros."""
    gradients = np.array([[3.0, -4.0], [0.3, 0.4], [0.0, 0.0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.asarray(answer(gradients.copy(), 1.0), dtype="float64")
    expect(
        found.shape == (3, 2),
        f"每个样本一行，形状应为 (3, 2)，得到 {found.shape}：先不要相加",
        f"one row per example, shape (3, 2), was expected; found {found.shape}: do not add up yet",
    )
    expect(
        np.isfinite(found).all(),
        "梯度为零的样本变成了 NaN：除以范数之前防住 0",
        "an example with a zero gradient became NaN: guard the division by its norm",
    )
    expect(
        not close(found[0], [1.0, -1.0]),
        "这是对每个数单独截断，方向变了：要按整行的范数缩放",
        "single numbers were cut off, which changes the direction: scale the row by its norm",
    )
    expect(
        not close(found[1], [0.6, 0.8]),
        "范数小于 clip 的样本也被放大了：系数不能超过 1",
        "an example below the norm was scaled up: the factor must not exceed 1",
    )
    whole = gradients / np.linalg.norm(gradients)
    expect(
        not close(found, whole),
        "用的是整个数组的范数：每个样本（每一行）要有自己的范数",
        "the norm of the whole array was used: every example, each row, has its own",
    )
    expect(
        close(found, [[0.6, -0.8], [0.3, 0.4], [0.0, 0.0]]),
        "数值不对：第一行应为 (0.6, −0.8)，范数恰为 1，其余两行不变",
        "the numbers differ: the first row should be (0.6, −0.8), of norm 1, and the others unchanged",
    )
    expect(
        close(answer(gradients, 10.0), gradients) and close(answer(gradients, 2.5)[0], [1.5, -2.0]),
        "也要适用于别的 clip：比如 10 时一行都不动，2.5 时第一行减半",
        "it must work for another clip: 10 changes nothing, 2.5 halves the first row",
    )


@exercise("08d.make_shares")
def make_shares(answer):
    """Many sharings of one secret: exact sums, the whole range, nothing told by all but one."""
    modulus, secret, parties = 1000, 7, 3
    random = np.random.default_rng(0)
    runs = [list(answer(secret, parties, modulus, random)) for _ in range(2000)]
    expect(
        all(len(shares) == parties for shares in runs),
        f"应有 {parties} 份，得到 {len(runs[0])} 份",
        f"{parties} shares were expected; found {len(runs[0])}",
    )
    expect(
        all(isinstance(share, (int, np.integer)) for shares in runs for share in shares),
        "份额应为整数：实数份额会泄露大小，也加不精确",
        "shares must be whole numbers: real ones betray sizes and do not add up exactly",
    )
    table = np.array(runs, dtype=object).astype("int64")  # (runs, parties)
    expect(
        np.all(table.sum(axis=1) % modulus == secret),
        "份额之和模 modulus 应等于 secret",
        "the shares must add up to the secret modulo modulus",
    )
    expect(
        np.all((table >= 0) & (table < modulus)),
        "每一份都应在 0 到 modulus − 1 之间：最后一份也要取模",
        "every share must lie in 0 … modulus − 1: reduce the last one with % too",
    )
    expect(
        np.all(table.std(axis=0) > 1),
        "份额没有随机性：每次分享都应重新抽取",
        "these shares are not random: draw anew for each sharing",
    )
    uniform = [
        np.abs(np.bincount(column // 100, minlength=10) - 200).max() < 70 and column.max() > 950
        for column in table.T
    ]
    expect(
        np.all(uniform),
        "有的份额不是在整个范围内均匀分布：抽取范围应为 0 到 modulus − 1",
        "a share is not uniform over the whole range: draw from 0 … modulus − 1",
    )
    pairs = [(table[:, a] + table[:, b]) % modulus for a, b in ((0, 1), (0, 2), (1, 2))]
    expect(
        all(len(np.unique(pair)) > 500 for pair in pairs),
        "少一份也能猜出秘密：其中有一份是多余的常数",
        "the secret shows without one of the shares: one share is a constant",
    )


@exercise("08d.randomised_response")
def randomised_response(answer):
    """Truth with probability 0.75: odds of 3, and 0.4 yes answers mean 0.3."""
    result = answer(0.75, 0.4)
    expect(
        isinstance(result, tuple) and len(result) == 2,
        "应返回两个数 (epsilon, estimate)",
        "a pair (epsilon, estimate) was expected",
    )
    epsilon, estimate = (float(np.asarray(part)) for part in result)
    expect(
        not close(epsilon, np.log(0.75)) and not close(epsilon, -np.log(0.25)),
        "epsilon 是两个概率之比的对数，不是一个概率的对数",
        "epsilon is the logarithm of a ratio of two probabilities, not of one",
    )
    expect(
        not close(epsilon, 3.0),
        "这是比值本身：还要取对数",
        "this is the ratio itself: take its logarithm",
    )
    expect(
        not close(epsilon, np.log(3) / np.log(2)),
        "要用自然对数",
        "the natural logarithm is meant",
    )
    expect(
        not close(epsilon, -np.log(3)),
        "比值取倒了：epsilon 是最大的比值的对数，不会是负数",
        "the ratio is upside down: epsilon is the logarithm of the largest ratio and never negative",
    )
    expect(
        close(epsilon, np.log(3)),
        f"truth = 0.75 时 epsilon 应为 ln 3 = {np.log(3):.4f}，得到 {epsilon:.4f}",
        f"for truth = 0.75 epsilon should be ln 3 = {np.log(3):.4f}; found {epsilon:.4f}",
    )
    expect(
        not close(estimate, 0.4),
        "这是回答的比例，不是真实的比例：要把说反话的人扣回来",
        "this is the share of the answers, not of the truth: correct for those who said the opposite",
    )
    expect(
        not close(estimate, 0.4 / 0.75),
        "只除以 truth 不够：真相为“否”的人也有一部分回答“是”",
        "dividing by truth is not enough: some whose truth is no answered yes",
    )
    expect(
        close(estimate, 0.3),
        f"s·0.75 + (1 − s)·0.25 = 0.4 的解是 s = 0.3，得到 {estimate:.4f}",
        f"s·0.75 + (1 − s)·0.25 = 0.4 has the solution s = 0.3; found {estimate:.4f}",
    )
    other = answer(0.6, 0.5)
    expect(
        close(other[0], np.log(1.5)) and close(other[1], 0.5),
        "也要适用于别的 truth：0.6 时 epsilon 为 ln 1.5，一半回答“是”意味着真实比例为一半",
        "it must work for another truth: 0.6 gives ln 1.5, and half yes answers mean half yes",
    )
