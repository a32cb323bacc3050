"""Tang poems for language models: quatrains, a split without shared lines, characters as numbers, form and rhyme.

parts = verses.split(datasets.poems().poems)       # {"train": [("春眠不觉晓", …), …], "validation": …, "test": …}
script = verses.Script(parts["train"], size=3000)  # the most frequent characters
tokens = script.encode(parts["train"])             # int32 (poems, 33)
"""

import collections
import functools
import hashlib
import os

import numpy as np

from course_utils.checking import at_least, expect

PADDING, START, END, LINE = 0, 1, 2, 3
LENGTH = 33  # start, four lines of seven, three line breaks, end


def quatrains(lines):
    """Return a poem of 4 lines as it is, one of 8 lines as its two halves: a list of tuples of 4 lines."""
    expect(len(lines) in (4, 8), "lines", "应为 4 或 8 行", "4 or 8 lines", len(lines))
    return [tuple(lines[begin : begin + 4]) for begin in range(0, len(lines), 4)]


def part_of(poem):
    """Return the part of a poem, by the SHA-256 of its first line: "train" (90 %), "validation" or "test" (5 %)."""
    twentieth = int.from_bytes(hashlib.sha256(poem.lines[0].encode()).digest()[:4], "big") % 20
    return "test" if twentieth == 0 else "validation" if twentieth == 1 else "train"


def split(poems):
    """Return quatrains in three fixed parts, {"train", "validation", "test"}, about 90, 5 and 5 %, none twice.

    A whole poem belongs where `part_of` puts it, on every machine. Then every quatrain that shares a
    line with an earlier part is left out of validation and test: poets quoted each other, and the collection holds
    variants of one poem.

    Args:
        poems: objects with `lines`, such as `datasets.poems().poems`.
    """
    parts = {"train": {}, "validation": {}, "test": {}}
    for poem in poems:
        parts[part_of(poem)].update(dict.fromkeys(quatrains(poem.lines)))
    seen = set()
    for name, part in parts.items():
        parts[name] = [lines for lines in part if not seen.intersection(lines)]
        seen.update(line for lines in part for line in lines)
    return parts


class Script:
    """Numbers for the most frequent characters: 0 padding, 1 start, 2 end, 3 line break, then by frequency."""

    def __init__(self, poems, size):
        """Count the characters of training poems; `size` numbers in all, the four signs included."""
        at_least(5, size=size)
        counts = collections.Counter("".join(line for lines in poems for line in lines))
        frequent = sorted(counts, key=lambda character: (-counts[character], character))
        self.characters = ["", "", "", "\n", *frequent][:size]
        self.numbers = {
            character: number for number, character in enumerate(self.characters) if number > LINE
        }
        self.size = len(self.characters)

    def writes(self, lines):
        """Return whether every character has a number."""
        return all(character in self.numbers for line in lines for character in line)

    def encode(self, poems):
        """Return int32 (poems, 33): start, the characters with a line break between lines, end, padding."""
        tokens = np.full((len(poems), LENGTH), PADDING, "int32")
        for row, lines in zip(tokens, poems, strict=True):
            expect(
                self.writes(lines),
                "poems",
                "每个字都应有编号",
                "characters that have a number",
                "/".join(lines),
            )
            text = [START]
            for line in lines:
                text += [self.numbers[character] for character in line] + [LINE]
            text[-1] = END
            fits = len(text) <= LENGTH
            expect(
                fits,
                "poems",
                f"每首至多 {LENGTH} 个词元",
                f"at most {LENGTH} tokens per poem",
                "/".join(lines),
            )
            row[: len(text)] = text
        return tokens

    def decode(self, tokens):
        """Return the lines of one row up to the end sign: a tuple of strings."""
        text = ""
        for token in np.asarray(tokens).tolist():
            if token == END:
                break
            text += self.characters[token]
        return tuple(text.split("\n"))


def has_form(lines):
    """Return whether these are four lines, all of five or all of seven characters."""
    return len(lines) == 4 and {len(line) for line in lines} in ({5}, {7})


# The thirteen rhyme groups (十三辙) of modern northern Chinese: finals that rhyme with each other.
_GROUPS = {
    "a": "a ia ua", "e": "o e uo", "ie": "ê ie üe", "u": "u", "i": "i ü er -i", "ai": "ai uai", "ei": "ei uei", "ao": "ao iao",
    "ou": "ou iou", "an": "an ian uan üan", "en": "en in uen ün", "ang": "ang iang uang", "eng": "eng ing ueng ong iong",
}  # fmt: skip
RHYME_GROUPS = tuple(_GROUPS)
_GROUP_OF = {final: group for group, finals in _GROUPS.items() for final in finals.split()}


@functools.cache
def _pinyin():
    """Return the package pypinyin, loaded without its dictionary of phrases: single characters need none of its 45 MB."""
    asked = os.environ.get("PYPINYIN_NO_PHRASES")
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")
    try:
        import pypinyin
    finally:
        if asked is None:
            del os.environ["PYPINYIN_NO_PHRASES"]
    return pypinyin


@functools.cache
def rhyme_group(character):
    """Return the modern rhyme group of a Chinese character, one of `RHYME_GROUPS`; None if it has no reading.

    The commonest reading counts, by pypinyin. Tang poets rhymed by the sounds of their own time, which a modern reading
    often misses and sometimes suggests wrongly; tones, which the rules of regulated verse need, are not looked at.
    """
    expect(len(character) == 1, "character", "应为一个字", "one character", repr(character))
    # Style.FINALS: 知 -> "i", 月 -> "ve" with v_to_u False; strict gives "uei" for 归, "iou" for 秋, "uen" for 春
    readings = _pinyin().pinyin(
        character, style=_pinyin().Style.FINALS, strict=True, v_to_u=True, errors=lambda text: [None]
    )
    final = readings[0][0]
    return _GROUP_OF.get(final)


def rhymes(lines):
    """Return whether lines 2 and 4 end on two different characters of one modern rhyme group."""
    if len(lines) < 4 or not lines[1] or not lines[3]:
        return False
    first, second = lines[1][-1], lines[3][-1]
    return first != second and rhyme_group(first) is not None and rhyme_group(first) == rhyme_group(second)


@functools.cache
def level(character):
    """Return whether a character has a level tone (平): the first or second tone today; None without a reading.

    A modern stand-in: the entering tone of Tang times, oblique, has gone, and some of its characters are level now.
    """
    expect(len(character) == 1, "character", "应为一个字", "one character", repr(character))
    reading = _pinyin().pinyin(character, style=_pinyin().Style.TONE3, errors=lambda text: [""])[0][0]
    return reading[-1] in "12" if reading[-1:] in tuple("1234") else None


def tones_answer(lines):
    """Return whether the second characters of four lines follow regulated verse.

    Lines 1 and 2 are opposite (对), 2 and 3 alike (粘), 3 and 4 opposite.

    Level against oblique, by modern tones. A poem that knows nothing of tones has a chance of about one in eight.
    """
    if len(lines) != 4 or min(map(len, lines)) < 2:
        return False
    tones = [level(line[1]) for line in lines]
    return None not in tones and tones[0] != tones[1] and tones[1] == tones[2] and tones[2] != tones[3]


def copied(poems, known_lines):
    """Return the share of the lines of all poems that stand in the set `known_lines`."""
    lines = [line for poem in poems for line in poem]
    return sum(line in known_lines for line in lines) / len(lines)
