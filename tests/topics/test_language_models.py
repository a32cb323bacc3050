"""Language models: n-grams against sums by hand, byte pairs, what a text costs, windows; poems, their split, form and rhyme."""

import itertools

import keras
import numpy as np
import pytest

from course_utils import datasets
from course_utils.models import transformer
from course_utils.topics import decoding, verses
from course_utils.topics import language_models as lm


def random_sequences(vocabulary=6, rows=40, time=9, seed=0):
    """Rows that start with 1 and end, some early, in padding; token 2 is twice as frequent as the others."""
    random = np.random.default_rng(seed)
    sequences = np.maximum(random.integers(1, vocabulary, (rows, time)), 2)
    sequences[:, 0] = lm.START
    for row, length in zip(sequences, random.integers(3, time + 1, rows), strict=True):
        row[length:] = lm.PADDING
    return sequences


def kneser_ney_by_hand(sequences, order, vocabulary):
    """{n-gram: probability} by the formula in the docstring, with dictionaries and tuples."""
    grams = [{} for _ in range(order + 1)]
    for row in sequences.tolist():
        row = [lm.START] * (order - 1) + [token for token in row if token != lm.PADDING]
        for end in range(order, len(row)):
            for n in range(1, order + 1):
                gram = tuple(row[end - n + 1 : end + 1])
                grams[n][gram] = grams[n].get(gram, 0) + 1
    for n in range(1, order):
        for gram in grams[n]:
            if n == 1 or gram[0] != lm.START:
                grams[n][gram] = sum(longer[1:] == gram for longer in grams[n + 1])

    def probability(gram):
        if not gram:
            return 1 / (vocabulary - 2)
        n, context = len(gram), gram[:-1]
        followers = [other for other in grams[n] if other[:-1] == context]
        total = sum(grams[n][other] for other in followers)
        if not total:
            return probability(gram[1:])
        once, twice = ([*grams[n].values()].count(k) for k in (1, 2))
        discount = once / (once + 2 * twice) if once and twice else 0.5
        kept = max(grams[n].get(gram, 0) - discount, 0)
        return kept / total + discount * len(followers) / total * probability(gram[1:])

    return probability


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_ngram_is_the_formula(order):
    train, test = random_sequences(seed=1), random_sequences(seed=2, rows=10)
    model = lm.NGram(order, 6).fit(train)
    by_hand = kneser_ney_by_hand(train, order, 6)
    found = model.log_probabilities(test)
    for row, log_probability in zip(test.tolist(), found, strict=True):
        padded = [lm.START] * (order - 1) + row
        for place in range(1, len(row)):
            if row[place] == lm.PADDING:
                assert log_probability[place - 1] == 0
            else:
                gram = tuple(padded[place : place + order])
                assert log_probability[place - 1] == pytest.approx(np.log(by_hand(gram)), abs=1e-12)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_ngram_steps_are_distributions_and_agree_with_whole_rows(order):
    model, rows = lm.NGram(order, 6).fit(random_sequences()), random_sequences(seed=3)
    expected = model.log_probabilities(rows)
    state = model.start(len(rows))
    for place in range(rows.shape[1] - 1):
        logits, state = model.step(rows[:, place], state)
        probability = np.exp(logits)
        assert probability.shape == (len(rows), 6)
        real = rows[:, place] != lm.PADDING
        np.testing.assert_allclose(probability[real].sum(axis=1), 1, atol=1e-12)
        assert (probability[:, [lm.PADDING, lm.START]] == 0).all()
        judged = rows[:, place + 1] != lm.PADDING
        chosen = logits[np.arange(len(rows)), rows[:, place + 1]]
        np.testing.assert_allclose(chosen[judged], expected[judged, place], atol=1e-12)


def test_ngram_gives_unseen_tokens_something_and_prefers_seen_ones():
    model = lm.NGram(3, 30).fit(random_sequences())
    unseen = model.log_probabilities(np.array([[1, 2, 29]]))[0, 1]
    assert np.isfinite(unseen) and unseen < model.log_probabilities(np.array([[1, 2, 3]]))[0, 1]


def test_ngram_writes_with_the_course_s_sampling():
    model = lm.NGram(2, 6).fit(random_sequences())
    written = decoding.sample(model, model.start(3), np.ones((3, 1), int), longest=5, end=5, seed=0)
    assert len(written) == 3 and all(token in (2, 3, 4) for row in written for token in row)
    assert np.array_equal(model.reorder(np.arange(6).reshape(3, 2), [2, 0]), [[4, 5], [0, 1]])


def test_ngram_refuses_what_it_cannot_count():
    with pytest.raises(ValueError, match="2 \\*\\* 63"):
        lm.NGram(7, 1000)
    with pytest.raises(ValueError, match="order"):
        lm.NGram(0, 10)
    model = lm.NGram(2, 6)
    for bad, word in [
        (np.ones((2, 1), int), "at least 2"),
        (np.ones((2, 3)), "whole"),
        (np.full((1, 3), 6), "0 to 5"),
    ]:
        with pytest.raises(ValueError, match=word):
            model.fit(bad)


# ---------------------------------------------------------------- byte pairs


def test_byte_pairs_join_the_most_frequent_pair_first():
    pieces = lm.BytePairs.learn("aaab aaab aaac", 100)
    # Words " aaab" 1, "aaab" 1, " aaac" 1: "aa" stands in them 6 times.
    assert pieces.joins[0] == ("a", "a")
    assert pieces.pieces[:6] == ["", "", " ", "a", "b", "c"]
    assert pieces.joins[1] == ("aa", "a")
    assert lm.BytePairs.learn("aaab aaab aaac", 7).size == 7


@pytest.mark.parametrize("size", [40, 80, 300])
def test_byte_pairs_lose_nothing(size):
    text = "It is a truth universally acknowledged,\nthat a single man -- in 1813! -- it is a truth.\n"
    pieces = lm.BytePairs.learn(text * 2, size)
    for one in (text, "", " ", "a man\n\n a  man", "universal truths"):
        numbers = pieces.encode(one)
        assert pieces.decode(numbers) == one and numbers.dtype == np.int32
        assert (numbers > lm.START).all()
    assert len(pieces.encode(text)) <= len(text)


def test_byte_pairs_counts_stay_right_while_joining():
    """Learning anew from scratch after each join, with no incremental counts, gives the same joins."""
    text = "the cat sat on the mat, the rat that sat at the mat sat that hat " * 2
    joins = lm.BytePairs.learn(text, 60).joins
    words = [list(word) for word in lm._WORDS.findall(text)]
    for join in joins:
        counts = {}
        for word in words:
            for pair in itertools.pairwise(word):
                counts[pair] = counts.get(pair, 0) + 1
        assert join == max(counts, key=lambda pair: (counts[pair], pair))
        words = [lm._joined(word, join) for word in words]


def test_byte_pairs_encode_as_they_learned():
    text = "the theatre there, then the other\n" * 3
    pieces = lm.BytePairs.learn(text, 40)
    for word in set(lm._WORDS.findall(text)):
        parts = list(word)
        for join in pieces.joins:
            parts = lm._joined(parts, join)
        assert [pieces.pieces[number] for number in pieces.encode(word)] == parts


def test_byte_pairs_refuse():
    with pytest.raises(ValueError, match="at least 5"):
        lm.BytePairs.learn("abc", 4)
    with pytest.raises(ValueError, match="that were learned; found .*z"):
        lm.BytePairs.learn("abc", 5).encode("abz")


def test_byte_pairs_alphabet_beyond_the_text():
    pieces = lm.BytePairs.learn("abab", 6, alphabet="abz")
    assert pieces.decode(pieces.encode("zab")) == "zab" and pieces.pieces == ["", "", "a", "b", "z", "ab"]


# ---------------------------------------------------------------- what a text costs


def test_log_probabilities_of_a_keras_model():
    keras.utils.set_random_seed(0)
    model = transformer.decoder_only(vocabulary=6, length=8, size=8, heads=2, hidden=8, blocks=1, dropout=0.5)
    rows = random_sequences(rows=7)
    found = lm.log_probabilities(model, rows, batch_size=3)
    expected = decoding.log_softmax(np.asarray(model(rows[:, :-1])))
    expected = np.take_along_axis(expected, rows[:, 1:, None], axis=2)[..., 0]
    np.testing.assert_allclose(found, np.where(rows[:, 1:] == 0, 0, expected), atol=1e-5)
    cooler = decoding.log_softmax(np.asarray(model(rows[:, :-1])) / 0.5)
    cooler = np.take_along_axis(cooler, rows[:, 1:, None], axis=2)[..., 0]
    np.testing.assert_allclose(
        lm.log_probabilities(model, rows, 0.5), np.where(rows[:, 1:] == 0, 0, cooler), atol=1e-5
    )
    with pytest.raises(ValueError, match="time at least 2"):
        lm.log_probabilities(model, rows[:, :1])


def test_bits():
    assert lm.bits(np.log([0.5, 0.25, 1.0])) == pytest.approx(3)


@pytest.mark.parametrize(
    ("time", "length", "stride"), [(20, 6, 2), (21, 6, 5), (4, 6, 3), (6, 6, 3), (7, 6, 3), (100, 9, 4)]
)
def test_windows_judge_every_token_once_with_enough_before_it(time, length, stride):
    numbers = np.arange(2, time + 2)
    rows, judged = lm.windows(numbers, length, stride)
    assert rows.shape[1] == length and judged.shape == (len(rows), length - 1)
    assert sorted(rows[:, 1:][judged]) == list(range(3, time + 2))
    for row, chosen in list(zip(rows, judged, strict=True))[1:]:
        assert np.flatnonzero(chosen)[0] >= length - 1 - stride
        assert row[0] > 2
    for bad, name in [
        ((numbers, 6, 6), "stride"),
        ((numbers, 6, 0), "stride"),
        ((numbers[None], 6, 3), "numbers"),
        ((numbers[:1], 6, 3), "numbers"),
    ]:
        with pytest.raises(ValueError, match=f"{name}: .*expected"):
            lm.windows(*bad)


def test_distinct():
    assert lm.distinct(["abab"], 2) == pytest.approx(2 / 3)  # ab, ba, ab
    assert lm.distinct([[1, 2, 3], [1, 2, 4]], 2) == pytest.approx(3 / 4)
    with pytest.raises(ValueError, match="at least one with 3 tokens; found none"):
        lm.distinct(["ab"], 3)


def test_paragraphs():
    assert (
        lm.paragraphs("One line\nand  the next.\n\n\nA new\n one.\n") == "One line and the next.\nA new one."
    )


# ---------------------------------------------------------------- poems


@pytest.fixture(scope="module")
def parts():
    return verses.split(datasets.poems().poems)


def test_split_shares_no_line(parts):
    lines = {name: {line for poem in part for line in poem} for name, part in parts.items()}
    for one, other in itertools.combinations(lines, 2):
        assert not lines[one] & lines[other]
    for part in parts.values():
        assert len(set(part)) == len(part) and all(verses.has_form(poem) for poem in part)
    total = sum(map(len, parts.values()))
    assert 0.88 < len(parts["train"]) / total < 0.92 and 2_500 < len(parts["test"]) < 3_200


def test_split_keeps_the_halves_of_a_poem_together(parts):
    side = {poem: name for name, part in parts.items() for poem in part}
    for poem in datasets.poems().poems:
        sides = {side[half] for half in verses.quatrains(poem.lines) if half in side}
        # A half that stands in training too, in another poem, may be missing here; never on two held-out sides.
        assert len(sides - {"train"}) <= 1


def test_quatrains():
    assert verses.quatrains(list("abcd")) == [tuple("abcd")]
    assert verses.quatrains(list("abcdefgh")) == [tuple("abcd"), tuple("efgh")]
    with pytest.raises(ValueError, match="found 5"):
        verses.quatrains(list("abcde"))


def test_script_writes_and_reads(parts):
    script = verses.Script(parts["train"], 1000)
    readable = [poem for poem in parts["test"] if script.writes(poem)][:50]
    tokens = script.encode(readable)
    assert script.size == 1000 and tokens.shape == (len(readable), verses.LENGTH) and tokens.max() < 1000
    assert (tokens[:, 0] == verses.START).all() and ((tokens == verses.END).sum(axis=1) == 1).all()
    assert ((tokens == verses.LINE).sum(axis=1) == 3).all()
    assert [script.decode(row[1:]) for row in tokens] == readable
    assert script.numbers["不"] == 4 and 1 not in script.numbers.values()  # the most frequent character
    with pytest.raises(ValueError, match="characters that have a number; found 龘"):
        script.encode([("龘" * 5,) * 4])
    with pytest.raises(ValueError, match="at most 33 tokens per poem"):
        script.encode([("不" * 9,) * 4])
    with pytest.raises(ValueError, match="at least 5"):
        verses.Script(parts["train"], 4)


def test_every_character_has_a_glyph(parts):
    glyphs = set((datasets.DATA_DIRECTORY / "fonts" / "characters.txt").read_text(encoding="utf-8"))
    assert set(verses.Script(parts["train"], 2500).characters[4:]) <= glyphs


def test_form():
    assert verses.has_form(("不" * 5,) * 4) and verses.has_form(("不" * 7,) * 4)
    assert not verses.has_form(("不" * 5,) * 3) and not verses.has_form(("不" * 6,) * 4)
    assert not verses.has_form(("不" * 5, "不" * 7) * 2) and not verses.has_form(("不" * 5,) * 5)


def test_rhyme_groups():
    same = ["光霜乡床", "东风红翁", "春人云君", "归飞", "秋流舟", "花家瓜", "山天间", "知诗时衣鱼"]
    for characters in same:
        assert len({verses.rhyme_group(character) for character in characters}) == 1, characters
    assert len({verses.rhyme_group(characters[0]) for characters in same}) == len(same)
    assert {verses.rhyme_group(c) for c in "月雪"} == {"ie"} and verses.rhyme_group("a") is None
    assert verses.rhyme_group("绿") == "i" and verses.rhyme_group("武") == "u"
    with pytest.raises(ValueError, match="one character"):
        verses.rhyme_group("春风")


def test_every_reading_belongs_to_a_group(parts):
    script = verses.Script(parts["train"], 2500)
    without = [c for c in script.characters[4:] if verses.rhyme_group(c) is None]
    assert without == []


def test_tones():
    assert [verses.level(character) for character in "春人水月"] == [True, True, False, False]
    assert verses.level("a") is None
    with pytest.raises(ValueError, match="expected one character"):
        verses.level("春风")
    climbing = (
        "白日依山尽",
        "黄河入海流",
        "欲穷千里目",
        "更上一层楼",
    )  # 日 河 穷 上: oblique, level, level, oblique
    assert verses.tones_answer(climbing)
    assert not verses.tones_answer((climbing[0], climbing[3], climbing[2], climbing[1]))  # 1 and 2 alike
    assert not verses.tones_answer((climbing[0], climbing[1], climbing[0], climbing[1]))  # 2 and 3 opposite
    assert not verses.tones_answer((climbing[0], climbing[1], climbing[2], climbing[1]))  # 3 and 4 alike
    assert not verses.tones_answer(climbing[:3]) and not verses.tones_answer((*climbing[:3], "更"))


def test_rhymes():
    assert verses.rhymes(("床前明月光", "疑是地上霜", "举头望明月", "低头思故乡"))
    assert not verses.rhymes(("疑是地上霜", "床前明月光", "低头思故乡", "举头望明月"))
    assert not verses.rhymes(("一", "霜", "二", "霜"))  # the same character is no rhyme
    assert not verses.rhymes(("一", "霜")) and not verses.rhymes(("一", "霜", "二", ""))


def test_copied():
    assert verses.copied([("a", "b"), ("a", "c")], {"a"}) == 0.5
