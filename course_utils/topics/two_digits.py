"""Pictures of the numbers 10 to 99, made of two handwritten digits, and the numbers' names in English and Chinese.

pictures = two_digits.pictures(digits.x_train, digits.y_train, [42, 42, 17], random)   # (3, 28, 56), uint8
two_digits.english(42), two_digits.chinese(42)                                         # "forty-two", "四十二"
two_digits.tokens(["forty-two", "四十二"])                                              # whole numbers, 0 = padding
"""

import numpy as np

from course_utils.checking import expect

NUMBERS = range(10, 100)
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_ONES += "seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_CHINESE = "零一二三四五六七八九"
CHARACTERS = "abcdefghijklmnopqrstuvwxyz-十" + _CHINESE
LONGEST = max(len(_TENS[tens]) + 1 + len(_ONES[ones]) for tens in range(8) for ones in range(1, 10))


def english(number):
    """Return the name of a number from 10 to 99: "ten", "seventeen", "forty", "forty-two"."""
    _check(number)
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")


def chinese(number):
    """Return the name of a number from 10 to 99: "十", "十七", "四十", "四十二"."""
    _check(number)
    tens, ones = divmod(number, 10)
    return ("" if tens == 1 else _CHINESE[tens]) + "十" + (_CHINESE[ones] if ones else "")


def tokens(names):
    """Return names as int32 (names, longest), one number per character, padded with 0.

    Raises:
        ValueError: a character that no name has.
    """
    result = np.zeros((len(names), LONGEST), "int32")
    for row, name in zip(result, names, strict=True):
        for place, character in enumerate(name):
            known = character in CHARACTERS
            expect(
                known,
                "names",
                f"字符应在 {CHARACTERS} 之中",
                f"characters of {CHARACTERS}",
                f"{character!r} in {name!r}",
            )
            row[place] = CHARACTERS.index(character) + 1
    return result


def pictures(images, labels, numbers, random):
    """Return one picture for each number: two of `images` with the right labels, at random, side by side.

    Args:
        images: (n, 28, 28).
        labels: (n,), 0 to 9, every digit at least once.
        numbers: which ones to draw, 10 to 99.
        random: a NumPy generator.

    Returns:
        (len(numbers), 28, 56), of the images' type.
    """
    numbers = np.asarray(numbers)
    of_digit = [np.flatnonzero(labels == digit) for digit in range(10)]
    missing = [digit for digit, places in enumerate(of_digit) if len(places) == 0]
    expect(
        not missing,
        "images",
        "每个数字至少应有一张图",
        "at least one image of every digit",
        f"none of {missing}",
    )
    for number in numbers:
        _check(number)
    # two of (numbers, 28, 28)
    halves = [
        images[[random.choice(of_digit[digit]) for digit in part]] for part in (numbers // 10, numbers % 10)
    ]
    return np.concatenate(halves, axis=2)  # (numbers, 28, 56)


def _check(number):
    expect(number in NUMBERS, "number", "应为 10 到 99 的整数", "a whole number from 10 to 99", number)
