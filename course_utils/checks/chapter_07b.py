"""Checks of chapter 7b, generation."""

import numpy as np

from course_utils.exercises import close, exercise, expect
from course_utils.topics import decoding


@exercise("07b.bits_per_character")
def bits_per_character(answer):
    """Two tokens for a text of six characters: three bits together, half a bit a character."""
    log_probability, text = np.log([0.5, 0.25]), "abcdef"
    found = float(answer(log_probability.copy(), text))
    expect(
        not close(found, -0.5),
        "符号反了：概率小于 1，对数为负，要取负号",
        "the sign: logarithms of probabilities are negative",
    )
    expect(
        not close(found, 0.5 * np.log(2)) and not close(found, 1.5 * np.log(2)),
        "这样得到的是奈特（nat）：除以 log 2 才是比特",
        "these are nats: divide by log 2 to get bits",
    )
    expect(
        not close(found, 1.5),
        "这是每个词元的比特数：应除以字符数 len(text)，而不是词元数",
        "this is bits per token: divide by the number of characters, len(text)",
    )
    expect(
        not close(found, 3),
        "这是整段文本的比特数：还要除以字符数",
        "this is the whole text: divide by its characters",
    )
    expect(
        not close(found, 2**0.5) and not close(found, 2**1.5),
        "这是困惑度；比特数是它的对数",
        "this is a perplexity; bits are its logarithm",
    )
    expect(
        close(found, 0.5) and close(answer(np.log([1.0, 1.0, 1.0]), "ab"), 0),
        "概率 1/2 和 1/4 的两个词元共 3 比特，6 个字符，应得 0.5；概率全为 1 时应得 0",
        "two tokens of probability 1/2 and 1/4 cost 3 bits: 0.5 per character for 6; tokens of probability 1 cost nothing",
    )


@exercise("07b.top_p")
def top_p(answer):
    """Not sorted, so that places matter; the sum meets p between two tokens."""
    probability = np.array([0.1, 0.4, 0.05, 0.3, 0.15])
    given = probability.copy()
    found = np.asarray(answer(given, 0.6), dtype=float)
    expect(
        found.shape == (5,),
        f"形状应保持 (5,)，得到 {found.shape}",
        f"the shape should stay (5,); found {found.shape}",
    )
    expect(
        close(given, probability),
        "不要改动传入的数组：先复制",
        "the array that was given must not be changed: copy first",
    )
    expect(
        not close(found, [0, 1, 0, 0, 0]),
        "越过 p 的那一个也属于集合：0.4 还不到 0.6，要再取 0.3",
        "the token that carries the sum over p belongs to the set: 0.4 alone does not reach 0.6",
    )
    expect(
        not close(found, [0, 0.4, 0, 0.3, 0]),
        "留下的概率要重新归一，使和为 1",
        "what is kept must be made to sum to 1 again",
    )
    expect(
        not close(np.sort(found)[::-1], [4 / 7, 3 / 7, 0, 0, 0]) or close(found, [0, 4 / 7, 0, 3 / 7, 0]),
        "留下的要放回原来的位置，而不是按大小排列的位置",
        "put what is kept back into its old positions, not in order of size",
    )
    expect(
        not close(found, decoding.filtered(np.log(probability), top_k=3)),
        "多留了一个：0.4 + 0.3 已经达到 0.6",
        "one too many is kept: 0.4 + 0.3 already reach 0.6",
    )
    expect(
        close(found, [0, 4 / 7, 0, 3 / 7, 0]),
        "应留下概率为 0.4 和 0.3 的两个，得 4/7 和 3/7",
        "the tokens of 0.4 and 0.3 should be kept, as 4/7 and 3/7",
    )
    random = np.random.default_rng(0).dirichlet(np.ones(20))
    for p in (0.05, 0.5, 0.9, 1.0):
        expect(
            close(answer(random.copy(), p), decoding.filtered(np.log(random), top_p=p)),
            f"p = {p} 时结果不对",
            f"the result is wrong for p = {p}",
        )


@exercise("07b.allowed_next")
def allowed_next(answer):
    """Lines of 2 characters: 12 tokens; then random writing under the answer must give the form."""
    width, vocabulary = 2, 9

    def allowed(*written):
        found = np.asarray(answer(list(written), width, vocabulary))
        expect(
            found.shape == (vocabulary,) and found.dtype == bool,
            f"应返回布尔数组 ({vocabulary},)，得到 {found.dtype} {found.shape}",
            f"a boolean array ({vocabulary},) should be returned; found {found.dtype} {found.shape}",
        )
        return set(np.flatnonzero(found).tolist())

    characters = set(range(4, vocabulary))
    expect(allowed() & {0, 1} == set(), "填充和开始从不允许写", "padding and start may never be written")
    expect(allowed() == characters, "开头只能写字", "at the beginning only characters may come")
    expect(
        allowed(5) == characters, "一句还没写满，只能写字", "in an unfinished line only characters may come"
    )
    expect(
        allowed(5, 6) != characters,
        "一句已经写满：换行要在 width 个字之后，不能再晚一个",
        "a full line must be followed by a line break, not one character later",
    )
    expect(allowed(5, 6) == {3}, "写满一句之后只能换行", "after a full line only the line break may come")
    expect(
        allowed(5, 6, 3) == characters,
        "换行之后是新的一句，只能写字：换行本身也占一个词元",
        "after a break a new line begins with characters: the break is a token too",
    )
    expect(allowed(5, 6, 3, 5, 6) == {3}, "第二句写满之后是换行", "after the second line comes a break")
    last = (5, 6, 3, 5, 6, 3, 5, 6, 3, 5, 6)
    expect(
        3 not in allowed(*last), "第四句之后不再换行", "after the fourth line there is no further line break"
    )
    expect(allowed(*last) == {2}, "第四句写满之后只能结束", "after the fourth line only the end may come")
    expect(
        np.flatnonzero(answer([4] * 7, 7, 12)).tolist() == [3],
        "句长由 width 决定，不要写死",
        "the length of a line is `width`: do not write a number there",
    )
