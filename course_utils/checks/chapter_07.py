"""Checks of chapter 7, attention and the Transformer."""

import numpy as np

from course_utils.exercises import close, exercise, expect
from course_utils.reference import activations, attention


@exercise("07.window_mask")
def window_mask(answer):
    """Which pairs are allowed, one mistake at a time."""
    found = np.asarray(answer(6, 3))
    expect(
        found.shape == (6, 6),
        f"应得到形状 (6, 6)，得到的是 {found.shape}",
        f"the shape should be (6, 6); found shape {found.shape}",
    )
    expect(
        found.dtype == bool,
        f"掩码应为布尔数组，得到的类型是 {found.dtype}：用比较运算来构造",
        f"a mask should hold booleans, found {found.dtype}: build it with comparisons",
    )
    distance = np.arange(6)[:, None] - np.arange(6)
    right = (distance >= 0) & (distance < 3)
    expect(
        not close(found, ~right),
        "正好反了：True 应表示“可以看”",
        "exactly inverted: True should mean that a position may be seen",
    )
    expect(
        not close(found, right.T),
        "行和列弄反了：行是查询，列是键；现在每个位置看到的是后面的",
        "rows and columns are exchanged: rows are queries; here each position sees the later ones",
    )
    expect(
        not found[0, 1] and not found[2, 5],
        "看到了未来：对角线右上方应全为 False",
        "the future is visible: everything above the diagonal should be False",
    )
    expect(
        np.diagonal(found),
        "每个位置应能看到自己：对角线应为 True",
        "each position should see itself: the diagonal should be True",
    )
    expect(
        not close(found, (distance >= 0) & (distance <= 3)),
        "窗口多了一格：width 把自己也算在内",
        "the window is one too wide: width counts the position itself",
    )
    expect(
        not close(found, distance >= 0),
        "只是因果掩码：太远的过去也应遮住",
        "this is the causal mask alone: what lies too far back should be hidden too",
    )
    expect(
        close(found, right),
        "允许的距离应为 0 到 width − 1",
        "the allowed distances should be 0 to width − 1",
    )
    expect(
        close(answer(4, 1), np.eye(4)) and close(answer(3, 9), np.tri(3)),
        "width = 1 时只看自己；width 比序列还长时就是因果掩码",
        "width 1 should see itself alone; a width beyond the length should be the causal mask",
    )


@exercise("07.masked_attention")
def masked_attention(answer):
    """Sizes are all different, so that a wrong axis shows; then scores in the thousands."""
    random = np.random.default_rng(0)
    query, key, value = random.normal(size=(4, 9)), random.normal(size=(6, 9)), random.normal(size=(6, 3))
    mask = random.random((4, 6)) > 0.4
    mask[:, 1] = True
    allowed = np.ones((4, 6), bool)

    def correct(mask=mask, divisor=3.0):
        scores = np.where(mask, query @ key.T / divisor, -np.inf)
        return activations.softmax(scores) @ value

    whole = np.asarray(answer(query.copy(), key.copy(), value.copy(), allowed))
    expect(
        whole.shape == (4, 3),
        f"输出形状应为 (4, 3)（查询数, 值的大小），得到的是 {whole.shape}",
        f"the output should have shape (4, 3), (queries, value size); found shape {whole.shape}",
    )
    # Forbidding everything leaves 0/0, or equal weights where a large negative number stands for −∞.
    expect(
        np.isfinite(whole).all() and not close(whole, np.tile(value.mean(axis=0), (4, 1))),
        "掩码用反了：True 表示可以看；全为 True 时什么也不应遮住",
        "the mask is inverted: True means that the key may be seen, so all True hides nothing",
    )
    expect(
        not close(whole, correct(allowed, 1.0)),
        "分数没有除以 √d",
        "the scores were not divided by √d",
    )
    expect(
        not close(whole, correct(allowed, 9.0)),
        "除以了 d，应为 √d",
        "divided by d; the root of d is needed",
    )
    expect(
        not close(whole, correct(allowed, np.sqrt(6))),
        "d 是每个查询的大小，不是键的个数",
        "d is the size of a query, not the number of keys",
    )
    along_queries = activations.softmax(query @ key.T / 3, axis=0) @ value
    expect(
        not close(whole, along_queries),
        "softmax 的轴错了：每个查询的权重之和应为 1，所以要沿着键",
        "wrong axis of the softmax: the weights of each query add up to 1, so go along the keys",
    )
    expect(
        close(whole, correct(allowed)),
        "不加遮挡时数值就不对：softmax(Q Kᵀ / √d) V",
        "the numbers differ even when everything may be seen: softmax(Q Kᵀ / √d) V",
    )
    found = np.asarray(answer(query.copy(), key.copy(), value.copy(), mask))
    expect(
        not close(found, whole),
        "掩码没有起作用",
        "the mask has no effect",
    )
    inverted = ~mask
    seen = inverted.any(axis=1)  # rows of the inverted mask that see something
    expect(
        not close(found[seen], correct(np.where(seen[:, None], inverted, True))[seen]),
        "掩码用反了：True 表示可以看",
        "the mask is inverted: True means that the key may be seen",
    )
    weights = activations.softmax(query @ key.T / 3)
    expect(
        not close(found, (weights * mask) @ value),
        "softmax 之后才置 0：各行权重之和不再是 1，被遮住的分数仍在分母里；应在 softmax 之前把分数换成 −∞",
        "zeroed after the softmax: rows no longer add up to 1 and hidden scores stay in the denominator; "
        "put −∞ in before it",
    )
    expect(
        not close(found, activations.softmax(query @ key.T / 3 * mask) @ value),
        "分数置 0 并不等于看不见：e⁰ = 1 仍有份额；应为 −∞",
        "a score of 0 still gets a share, e⁰ = 1: it should be −∞",
    )
    expect(
        close(found, correct()),
        "加上掩码后数值不对",
        "the numbers with the mask differ",
    )
    with np.errstate(all="ignore"):
        large = np.asarray(answer(100 * query, 100 * key, value, mask))
    right, _ = attention.scaled_dot_product_attention(
        *(a[None, None] for a in (100 * query, 100 * key, value)), mask
    )
    expect(
        np.isfinite(large),
        "分数上千时溢出了：先减去每行最大的分数",
        "scores in the thousands overflow: subtract the largest score of each row first",
    )
    expect(close(large, right[0, 0]), "分数很大时数值不对", "the numbers differ for large scores")


@exercise("07.streaming_attention")
def streaming_attention(answer):
    """Pieces of different lengths; the largest score comes late, then early."""
    random = np.random.default_rng(1)
    query = random.normal(size=16)
    keys, values = random.normal(size=(12, 16)), random.normal(size=(12, 3))
    keys = keys[np.argsort(keys @ query)]  # rising scores: every piece brings a new largest one

    def correct(keys, values):
        return activations.softmax(keys @ query / 4) @ values

    def pieces(keys, values, lengths):
        start = 0
        for length in lengths:
            yield keys[start : start + length], values[start : start + length]
            start += length

    single = np.asarray(answer(query.copy(), pieces(keys, values, [12])))
    expect(
        single.shape == (3,),
        f"输出形状应为 (3,)，得到的是 {single.shape}",
        f"the output should have shape (3,); found shape {single.shape}",
    )
    expect(
        not close(single, activations.softmax(keys @ query) @ values),
        "分数没有除以 √d",
        "the scores were not divided by √d",
    )
    expect(
        close(single, correct(keys, values)),
        "只来一批时就不对：这应是普通的注意力",
        "one piece alone is wrong already: that should be plain attention",
    )
    lengths = [2, 7, 3]
    found = np.asarray(answer(query.copy(), pieces(keys, values, lengths)))
    parts = [(k, v) for k, v in pieces(keys, values, lengths)]
    answers = np.array([correct(k, v) for k, v in parts])
    expect(
        not close(found, answers[-1]),
        "只剩最后一批：前面攒下的两个和丢了",
        "only the last piece counts: the sums kept so far are lost",
    )
    expect(
        not close(found, answers.mean(axis=0))
        and not close(found, np.average(answers, axis=0, weights=lengths)),
        "各批的答案不能直接平均：权重应是各批的指数之和",
        "answers of the pieces cannot be averaged: each piece counts by its sum of powers",
    )
    powers = [np.exp(k @ query / 4 - (k @ query / 4).max()) for k, _ in parts]
    unscaled = sum(p @ v for p, (_, v) in zip(powers, parts, strict=True)) / sum(p.sum() for p in powers)
    expect(
        not close(found, unscaled),
        "各批减去的最大值不同，不能直接相加：最大值变了，就要用 e^(旧 − 新) 缩小已攒下的和",
        "the pieces subtracted different largest scores: when the largest changes, shrink the kept sums by e^(old − new)",
    )
    expect(
        close(found, correct(keys, values)),
        "分批之后数值不对",
        "the numbers differ when the keys come in pieces",
    )
    falling = keys[::-1], values[::-1]
    found = np.asarray(answer(query.copy(), pieces(*falling, [3, 4, 5])))
    expect(
        close(found, correct(*falling)),
        "最大的分数出现在第一批时不对：后面各批要相对于它，最大值不能变小",
        "wrong when the largest score comes first: the largest must never become smaller",
    )
    with np.errstate(all="ignore"):
        large = np.asarray(answer(query * 1e4, pieces(keys, values, lengths)))
    expect(
        np.isfinite(large) & close(large, values[-1], 1e-3),
        "分数很大时溢出了：所有指数都要先减去目前最大的分数",
        "large scores overflow: subtract the largest score so far in every power",
    )
