"""Checks of chapter 7a, spelling to sound."""

import numpy as np

from course_utils.exercises import close, exercise, expect
from course_utils.topics import spelling


@exercise("07a.shift")
def shift(answer):
    """One full row, one that ends early, one that is nothing but its end."""
    given = np.array([[5, 6, 7, 2], [8, 2, 0, 0], [2, 0, 0, 0]], "int32")
    found = np.asarray(answer(given.copy()))
    expect(
        found.shape == given.shape,
        f"形状应保持 {given.shape}，得到的是 {found.shape}",
        f"the shape should stay {given.shape}; found shape {found.shape}",
    )
    expect(
        not close(found, given),
        "这还是答案本身，没有右移",
        "this is the answer itself: nothing was moved to the right",
    )
    left = np.array([[6, 7, 2, 0], [2, 0, 0, 0], [0, 0, 0, 0]])
    expect(
        not close(found, left) and not close(found[:, :3], left[:, :3]),
        "方向反了：输入应比答案晚一步，不是早一步",
        "the wrong direction: the input lags one step behind the answer, it must not run ahead",
    )
    expect(
        (found[:, 0] == spelling.START).all(),
        "每行第一位应为 START（1）",
        "each row must begin with START (1)",
    )
    expect(
        not (found == spelling.END).any(),
        "END（2）不该喂给解码器：写完结束就没有下一步了，应换成 0",
        "END (2) must not be fed: after it there is nothing left to write; make it 0",
    )
    expect(
        close(found, [[1, 5, 6, 7], [1, 8, 0, 0], [1, 0, 0, 0]]),
        "数值不对：第 t 位应是答案的第 t − 1 位",
        "the numbers differ: position t holds the answer's position t − 1",
    )


@exercise("07a.distance")
def distance(answer):
    """Pairs picked for one mistake each, then random ones."""
    expect(
        answer(("N", "AY", "T"), ()) == 3 and answer((), ("N", "AY")) == 2,
        "与空序列的距离是全部插入或删除：注意第一行和第一列",
        "against an empty sequence everything is inserted or deleted: mind the first row and column",
    )
    expect(
        answer("abc", "abc") == 0,
        "相同的序列距离为 0：对角线上相同的音不花代价",
        "equal sequences have distance 0: equal sounds are free",
    )
    expect(
        answer("abcd", "bcd") != 4,
        "只比较了同一位置：删掉第一个音只是一次改动",
        "compared place by place: taking out the first sound is one change, not four",
    )
    expect(
        answer("abcd", "bcd") == 1,
        "删掉一个音是 1 次改动",
        "one sound taken out is one change: look at the cell above",
    )
    expect(
        answer("bcd", "abcd") == 1,
        "插入一个音也是 1 次改动：看左边的格子",
        "one sound put in is one change: look at the cell to the left",
    )
    expect(
        answer("abc", "axc") != 2,
        "替换算 1 次，不是先删后插的 2 次：用上对角线",
        "a substitution (exchange) counts 1, not a deletion and an insertion: use the diagonal",
    )
    expect(
        answer("ab", "ba") != 0,
        "次序也要算：只数共有的音不够",
        "order matters: counting shared sounds is not enough",
    )
    random = np.random.default_rng(0)
    for _ in range(40):
        first, second = (tuple(random.integers(0, 4, random.integers(1, 9)).tolist()) for _ in range(2))
        expect(
            answer(first, second) == spelling.edit_distance(first, second),
            f"{first} 与 {second} 的距离应为 {spelling.edit_distance(first, second)}：每格取三条路中最小的",
            f"{first} and {second} should have the distance {spelling.edit_distance(first, second)}: "
            "each cell takes the smallest of three ways",
        )


@exercise("07a.beam_step")
def beam_step(answer):
    """One strong beam that takes both places, and ties excluded."""
    totals = np.array([-1.0, -9.0, -2.0])
    log_probability = np.log([[0.05, 0.5, 0.45], [0.9, 0.06, 0.04], [0.3, 0.1, 0.6]])
    found = answer(totals.copy(), log_probability.copy(), 2)
    expect(
        isinstance(found, tuple) and len(found) == 3,
        "应返回三个数组：束、词元、新的总分",
        "three arrays should be returned: beams, tokens, totals",
    )
    beams, tokens, scores = (np.asarray(part) for part in found)
    expect(
        beams.shape == tokens.shape == scores.shape == (2,),
        "三个数组的长度都应为 width",
        "each of the three arrays should have width entries",
    )
    expect(
        not close(np.sort(scores), np.sort(log_probability.ravel())[-2:]) or close(totals, 0),
        "忘了加上目前的得分 totals",
        "the scores so far are missing: add totals",
    )
    expect(
        not close(
            scores,
            (totals[:, None] * log_probability).ravel()[
                np.argsort(-(totals[:, None] * log_probability), axis=None)[:2]
            ],
        ),
        "对数概率应相加，不是相乘",
        "logarithms are added, not multiplied",
    )
    expect(
        not (
            sorted(beams.tolist()) == [0, 2]
            and close(np.sort(scores), np.sort([-1 + np.log(0.5), -2 + np.log(0.6)]))
        ),
        "不是每条束各留一个：所有束一起竞争，好的一条可以占两个名额",
        "not the best of each beam: all compete together, and one may supply both",
    )
    expect(
        not close(scores, np.sort((totals[:, None] + log_probability).ravel())[:2]),
        "取成了最差的：得分越大（越接近 0）越好",
        "these are the worst: a larger total (nearer 0) is better",
    )
    expect(
        scores[0] >= scores[1],
        "最好的应排在前面",
        "the best one should come first",
    )
    expect(
        close(scores, [-1 + np.log(0.5), -1 + np.log(0.45)]),
        "新的总分应为 totals 加上那一步的对数概率",
        "a new total is the beam's total plus the step's log-probability",
    )
    expect(
        beams.tolist() == [0, 0] and tokens.tolist() == [1, 2],
        "束和词元的编号不对：展平后的位置要按词表大小拆回去",
        "beam or token are off: split the flat position by the size of the vocabulary",
    )
    many = np.random.default_rng(1).normal(size=(4, 6))
    beams, tokens, scores = (np.asarray(part) for part in answer(np.arange(4.0), many.copy(), 5))
    candidates = np.arange(4.0)[:, None] + many
    expect(
        close(scores, np.sort(candidates, axis=None)[::-1][:5]) and close(candidates[beams, tokens], scores),
        "宽度为 5、束为 4 时结果不对：width 不一定等于束数，也不一定等于词表大小",
        "wrong for width 5 and 4 beams: width need not be the number of beams or of tokens",
    )
