"""Spelling to sound: words and their pronunciations as numbers, one fixed split, batches, and error rates.

words = spelling.words()                     # {"cat": [("K", "AE", "T")], …}, stress left out
parts = spelling.split(words)                # {"train": […], "validation": […], "test": […]}
source, target, answer = spelling.arrays(words, parts["train"])
"""

import hashlib
import re
import sys

import numpy as np
import tensorflow as tf

from course_utils import datasets
from course_utils.checking import expect, not_empty

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
PHONEMES = (
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
).split()
START, END = 1, 2  # 0 is padding
LETTER_IDS = {letter: number for number, letter in enumerate(LETTERS, start=1)}
PHONEME_IDS = {phoneme: number for number, phoneme in enumerate(PHONEMES, start=3)}
SOURCE_VOCABULARY, TARGET_VOCABULARY = len(LETTERS) + 1, len(PHONEMES) + 3
LONGEST_SOURCE, LONGEST_TARGET = 32, 32


def words():
    """Return {word: pronunciations without stress, without repetition} of words made of a-z and the apostrophe.

    An entry of the dictionary with a digit, a full stop or a hyphen is left out. From a.d. to AH0: the dictionary marks
    stress by a digit after the vowel; "AH0" becomes "AH".
    """
    kept = {}
    for word, pronunciations in datasets.cmudict().words.items():
        if re.fullmatch(r"[a-z']+", word) and re.search("[a-z]", word):
            # Interned: one "AH" for the whole dictionary instead of 71,203, which saves 50 MB.
            plain = (
                tuple(sys.intern(phoneme.rstrip("012")) for phoneme in given) for given in pronunciations
            )
            kept[word] = list(dict.fromkeys(plain))
    return kept


def split(known):
    """Return fixed lists of words: {"train", "validation", "test"}, about 90, 5 and 5 %, in the dictionary's order.

    A word belongs where the SHA-256 of its letters puts it: the same on every machine, for any part of the
    dictionary, and never on two sides.
    """
    parts = {"train": [], "validation": [], "test": []}
    for word in known:
        twentieth = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % 20
        parts["test" if twentieth == 0 else "validation" if twentieth == 1 else "train"].append(word)
    return parts


def sample(chosen, count, seed=0):
    """Return `count` of the words at random, in the dictionary's order; all of them if there are no more."""
    if count >= len(chosen):
        return list(chosen)
    places = np.random.default_rng(seed).choice(len(chosen), size=count, replace=False)
    return [chosen[place] for place in np.sort(places)]


def letters(chosen, length=None):
    """Return words as numbers, int32 (words, length), padded with 0; ValueError for an unknown character."""
    try:
        rows = [[LETTER_IDS[letter] for letter in word] for word in chosen]
    except KeyError as unknown:
        letters_known = "应只含 a-z 和撇号", "only a-z and the apostrophe"
        expect(False, "chosen", *letters_known, repr(unknown.args[0]))
    return _padded(rows, length)


def arrays(known, chosen):
    """Return (source, target, answer), int32, one row for each pronunciation of each word.

    source: the letters; answer: phonemes and END; target: START and phonemes, what the decoder has written before it
    writes `answer`. All padded with 0.
    """
    pairs = [(word, pronunciation) for word in chosen for pronunciation in known[word]]
    sounds = [[PHONEME_IDS[phoneme] for phoneme in pronunciation] for _, pronunciation in pairs]
    return (
        letters([word for word, _ in pairs]),
        _padded([[START, *sound] for sound in sounds]),
        _padded([[*sound, END] for sound in sounds]),
    )


def phonemes(ids):
    """Return the phonemes of numbers, a tuple; padding, START and END are left out."""
    return tuple(PHONEMES[number - 3] for number in ids if number >= 3)


def _padded(rows, length=None):
    result = np.zeros((len(rows), length or max(map(len, rows), default=0)), "int32")
    for row, numbers in zip(result, rows, strict=True):
        row[: len(numbers)] = numbers
    return result


def batches(source, target, answer, *, batch_size=128, edges=(7, 10, LONGEST_SOURCE), seed=0):
    """Return a `tf.data.Dataset` of ({"source", "target"}, answer), each batch of words of about the same length.

    So there is little padding, and there are few shapes to compile for.

    Args:
        source, target, answer: from `arrays`.
        edges: longest word of each group, the last one at least the longest of all.
        batch_size: rows; a group's last incomplete batch is filled with other rows of the group.
        seed: of the order, which is another one in every epoch.
    """
    lengths = (source > 0).sum(axis=1)
    groups, shortest = [], 0
    for edge in edges:
        rows = np.flatnonzero((lengths > shortest) & (lengths <= edge))
        shortest = edge
        if len(rows):
            height = int((answer[rows] > 0).sum(axis=1).max())
            groups.append((source[rows, :edge], target[rows, :height], answer[rows, :height]))
    covered = sum(len(group[0]) for group in groups) == len(source)
    expect(covered, "edges", "最后一个应不小于最长的词", "a last one no shorter than the longest word", edges)
    random = np.random.default_rng(seed)

    def one_epoch():
        plan = []
        for group in groups:
            order = random.permutation(len(group[0]))
            order = np.resize(order, -(-len(order) // batch_size) * batch_size)  # begins anew to fill up
            plan += [(group, rows) for rows in order.reshape(-1, batch_size)]
        for place in random.permutation(len(plan)):
            group, rows = plan[place]
            letters_in, written, wanted = (array[rows] for array in group)
            yield {"source": letters_in, "target": written}, wanted

    numbers = tf.TensorSpec((batch_size, None), "int32")
    dataset = tf.data.Dataset.from_generator(
        one_epoch, output_signature=({"source": numbers, "target": numbers}, numbers)
    )
    count = sum(-(-len(group[0]) // batch_size) for group in groups)
    return dataset.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)


def edit_distance(first, second):
    """Return the least number of insertions, deletions and substitutions between two sequences (Levenshtein)."""
    previous = list(range(len(second) + 1))
    for row, left in enumerate(first, start=1):
        current = [row]
        for column, right in enumerate(second, start=1):
            substitution = previous[column - 1] + (left != right)
            current.append(min(substitution, previous[column] + 1, current[-1] + 1))
        previous = current
    return previous[-1]


def error_rates(guesses, references):
    r"""Return (phoneme error rate, word error rate), each word judged by the reference that fits best.

    PER = sum of edit distances / sum of the lengths of the references chosen; WER = share of words whose guess equals
    none of its references. Among references with equal distance the longest one counts.

    Args:
        guesses: a sequence of phonemes for each word.
        references: a list of right pronunciations for each word.
    """
    not_empty(guesses=guesses)
    count = len(guesses)
    same = len(references) == count
    expect(
        same, "references", f"应与 guesses 一样有 {count} 个", f"{count}, as many as guesses", len(references)
    )
    errors = length = wrong = 0
    for guess, right in zip(guesses, references, strict=True):
        distance, negative_length = min((edit_distance(guess, known), -len(known)) for known in right)
        errors, length, wrong = errors + distance, length - negative_length, wrong + (distance > 0)
    return errors / length, wrong / len(guesses)


def pronounce(stepper, chosen, *, width=1, length_power=0.0, batch_size=100):
    """Return the model's pronunciation of each word, a tuple of phonemes; beam search if width > 1."""
    from course_utils.topics import decoding

    order = sorted(range(len(chosen)), key=lambda place: len(chosen[place]))  # like lengths together
    guesses = [()] * len(chosen)
    for begin in range(0, len(order), batch_size):
        places = order[begin : begin + batch_size]
        rows = [chosen[place] for place in places]
        # one shape, traced once
        source = letters(rows + [rows[-1]] * (batch_size - len(rows)), LONGEST_SOURCE)
        state = stepper.start(source=source)
        settings = {"start": START, "end": END, "longest": LONGEST_TARGET - 1}
        if width == 1:
            settings["start"] = np.full(batch_size, START)
            found, _ = decoding.greedy(stepper, state, **settings)
        else:
            found, _ = decoding.beam_search(
                stepper, state, batch=batch_size, width=width, length_power=length_power, **settings
            )
        for place, ids in zip(places, found, strict=False):
            guesses[place] = phonemes(ids)
    return guesses
