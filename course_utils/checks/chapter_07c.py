"""Checks of chapter 7c, masked language models."""

import numpy as np

from course_utils.exercises import close, exercise, expect
from course_utils.topics import decoding, masked


@exercise("07c.mean_state")
def mean_state(answer):
    """Rows of unequal length; what stands at padding is large, so that any of it shows."""
    random = np.random.default_rng(0)
    states, tokens = (
        random.normal(size=(3, 6, 4)),
        np.array([[3, 9, 8, 7, 6, 5], [3, 9, 8, 0, 0, 0], [3, 4, 4, 4, 0, 0]]),
    )
    states[tokens == 0] = 50.0
    real = (tokens > 0)[..., None]
    wanted = (states * real).sum(axis=1) / real.sum(axis=1)
    found = np.asarray(answer(states.copy(), tokens.copy()))
    expect(
        found.shape == (3, 4),
        f"每行一个向量，形状应为 (3, 4)，得到 {found.shape}",
        f"one vector per row: shape (3, 4) was expected, found {found.shape}",
    )
    expect(
        not close(found, states.mean(axis=1)),
        "填充也被平均进去了：只有 tokens > 0 的位置才算",
        "padding was averaged in: only positions with tokens > 0 count",
    )
    expect(
        not close(found, (states * real).sum(axis=1) / tokens.shape[1]),
        "分子对了，分母不对：应除以真实词元的个数，而不是整行的长度",
        "the sum is right, the divisor is not: divide by the number of real tokens, not by the length of the row",
    )
    expect(
        not close(found, (states * real).sum(axis=1)),
        "这是和，不是平均：还要除以真实词元的个数",
        "this is the sum: divide it by the number of real tokens",
    )
    expect(
        not close(found, states[:, 0]),
        "这是 [CLS] 的状态；题目要的是所有真实词元的平均",
        "this is the state of [CLS]; the mean over all real tokens is asked for",
    )
    without_cls = real & (tokens != masked.CLS)[..., None]
    expect(
        not close(found, (states * without_cls).sum(axis=1) / without_cls.sum(axis=1)),
        "[CLS] 也是真实的词元，不要漏掉",
        "[CLS] is a real token too: do not leave it out",
    )
    expect(
        not close(found, np.where(real, states, -np.inf).max(axis=1)),
        "这是最大值，不是平均",
        "this is the largest number, not the mean",
    )
    expect(
        close(found, wanted),
        "数值不对：把 tokens > 0 处的状态相加，除以它们的个数",
        "the numbers differ: add up the states where tokens > 0, divide by how many there are",
    )


@exercise("07c.masked_loss")
def masked_loss(answer):
    """Rows with different numbers of questions; then scores in the thousands."""
    random = np.random.default_rng(0)
    logits, targets = random.normal(size=(4, 3, 7)), np.array([[4, 5, 6], [5, 0, 0], [6, 4, 0], [4, 0, 0]])
    asked = targets > 0
    costs = -np.take_along_axis(decoding.log_softmax(logits), targets[..., None], axis=-1)[..., 0]
    found = answer(logits.copy(), targets.copy())
    expect(
        np.ndim(found) == 0,
        f"应返回一个数，得到形状 {np.shape(found)}",
        f"return one number; found shape {np.shape(found)}",
    )
    expect(
        not close(found, costs.mean()),
        "没有问题的位置（targets 为 0）也算进去了",
        "positions without a question (target 0) were counted",
    )
    expect(
        not close(found, costs[asked].sum() / targets.size),
        "只加了有问题的位置，却除以了全部位置：应除以问题的个数",
        "only questions were added up, but divided by all places: divide by the number of questions",
    )
    expect(
        not close(found, costs[asked].sum()),
        "这是总和：要除以问题的个数",
        "this is the sum: divide by the number of questions",
    )
    expect(
        not close(found, -costs[asked].mean()),
        "少了负号：损失应为正",
        "the minus sign is missing: a loss is positive",
    )
    expect(
        not close(found, (costs * asked).sum(axis=1).mean())
        and not close(found, ((costs * asked).sum(axis=1) / asked.sum(axis=1)).mean()),
        "先按行平均会让问题少的行更重：所有问题应当等重",
        "averaging row by row gives rows with few questions more weight: all questions count alike",
    )
    expect(
        not close(found, -np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0][asked].mean()),
        "logits 不是对数概率：先做 log softmax",
        "logits are no log probabilities: take the log softmax first",
    )
    expect(
        close(found, costs[asked].mean()),
        "数值不对：对每个问题取正确词元的 −log p，再对所有问题求平均",
        "the numbers differ: minus log p of the right token at each question, mean over all questions",
    )
    with np.errstate(all="ignore"):
        large = answer(1000 * logits, targets)
    expect(
        np.isfinite(large)
        and close(
            large,
            -np.take_along_axis(decoding.log_softmax(1000 * logits), targets[..., None], axis=-1)[..., 0][
                asked
            ].mean(),
        ),
        "分数上千时溢出了：先减去每个位置最大的分数",
        "scores in the thousands overflow: subtract the largest score of each position first",
    )


@exercise("07c.hide")
def hide(answer):
    """Shares counted on 200,000 tokens; every common slip changes one of them."""
    size, generator = 60, np.random.default_rng(0)
    tokens = generator.integers(masked.FIRST, size, (2000, 100))
    tokens[:, 0], tokens[::2, 70:], tokens[:, 5] = masked.CLS, masked.PADDING, masked.UNKNOWN
    given = tokens.copy()
    found = answer(given, size, np.random.default_rng(1))
    expect(
        isinstance(found, tuple) and len(found) == 2,
        "应返回两个数组：输入和目标",
        "return two arrays: inputs and targets",
    )
    inputs, targets = (np.asarray(part) for part in found)
    expect(
        inputs.shape == tokens.shape and targets.shape == tokens.shape,
        f"两个数组的形状都应与 tokens 相同，{tokens.shape}",
        f"both arrays should have the shape of tokens, {tokens.shape}",
    )
    expect(
        np.array_equal(given, tokens),
        "改动了传进来的 tokens：先复制一份",
        "the array that was passed in was changed: copy it first",
    )
    asked = targets != 0
    ordinary = tokens >= masked.FIRST
    expect(
        not np.array_equal(targets, tokens),
        "没有被选中的位置，目标应为 0",
        "where nothing is asked the target is 0",
    )
    expect(
        not np.any(asked & ~ordinary),
        "选中了特殊词元：填充、[UNK]、[CLS]（编号小于 4）不能选",
        "special tokens were chosen: padding, [UNK] and [CLS] (below 4) never are",
    )
    expect(
        np.all(targets[asked] == tokens[asked]),
        "目标应是原来的词元，不是替换之后的",
        "the target is the original token, not what it was replaced by",
    )
    expect(
        np.array_equal(inputs[~asked], tokens[~asked]),
        "没有被选中的位置，输入不能变",
        "positions that were not chosen must stay as they are",
    )
    share = asked.sum() / ordinary.sum()
    expect(
        abs(share - 0.15) < 0.01,
        f"应选中 15% 的普通词元，数出来是 {share:.1%}",
        f"15 % of the ordinary tokens should be chosen; counted {share:.1%}",
    )
    seen, wanted = inputs[asked], targets[asked]
    as_mask = np.mean(seen == masked.MASK)
    expect(
        as_mask < 0.99,
        "选中的全都变成了 [MASK]：还有十分之一换成别的词，十分之一不变",
        "all chosen ones became [MASK]: a tenth becomes another token, a tenth stays",
    )
    expect(
        abs(as_mask - 0.8) < 0.02,
        f"选中的词元里应有 80% 变成 [MASK]，数出来是 {as_mask:.1%}",
        f"80 % of the chosen should become [MASK]; counted {as_mask:.1%}",
    )
    other = (seen != masked.MASK) & (seen != wanted)
    expect(
        not np.any(seen[other] < masked.FIRST),
        "随机替换抽到了特殊词元：应从 4 起抽",
        "a random replacement was a special token: draw from 4 on",
    )
    changed = np.mean(other)
    expect(
        abs(changed - 0.02) > 0.01,
        "换成别的词的只有约 2%：第二次掷骰子只轮到剩下的 20%，要么用同一个随机数分段，要么把概率换算一下",
        "about 2 % became another token: a second throw reaches only the remaining 20 %; use one number with two limits",
    )
    expect(
        abs(changed - 0.1) < 0.015,
        f"应有约 10% 换成别的词，数出来是 {changed:.1%}",
        f"about 10 % should become another token; counted {changed:.1%}",
    )
    expect(
        len(np.unique(seen[other])) > size // 2,
        "所有替换都是同一个词：每处各抽一个",
        "all replacements are the same token: draw one for each position",
    )
    again = answer(tokens.copy(), size, np.random.default_rng(2))
    expect(
        not np.array_equal(np.asarray(again[1]), targets),
        "换一个 random，选中的位置却没变：要用传进来的生成器",
        "another generator chose the same places: use the one that is passed in",
    )
