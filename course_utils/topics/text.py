"""From reviews to arrays of whole numbers: tokens, a vocabulary made from training texts only, padding.

vocabulary = text.Vocabulary(reviews.train_texts, "en", size=5000)
x_train = vocabulary.encode(reviews.train_texts, length=60)  # (4000, 60) int32, 0 = padding, 1 = unknown
x_test = vocabulary.encode(reviews.test_texts, length=60)
"""

import collections
import re
import unicodedata

import numpy as np

from course_utils.checking import at_least, expect, one_of

PADDING, UNKNOWN = 0, 1
LANGUAGES = ("en", "zh")
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")


def tokens(text: str, language: str) -> list:
    """Cut one text into tokens, in lower case.

    "en": words and numbers; an apostrophe inside a word stays ("don't"), other punctuation is dropped.
    "zh": every character except spaces, punctuation included; full-width Latin letters, digits and marks become
    ordinary ones ("！" becomes "!").

    Raises:
        ValueError: another language, or no text.
    """
    one_of(LANGUAGES, language=language)
    expect(isinstance(text, str), "text", "应为一个字符串", "a string", type(text).__name__)
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    if language == "en":
        return _WORD.findall(text)
    return [character for character in text if not character.isspace()]


class Vocabulary:
    """Numbers for tokens: 0 padding, 1 unknown, then the special ones, then the most frequent first.

    Make it from the training texts alone: a number for a word that only the test texts hold would be a leak.

    Attributes: `words` (list, the token of each number) and `numbers` (dict, the number of each token).
    """

    def __init__(self, texts, language: str, size: int | None = None, minimum: int = 1, special=()):
        """Count the tokens of `texts` and keep the most frequent.

        Args:
            texts: the training texts, strings.
            language: "en" or "zh".
            size: largest number of entries, padding, unknown and special ones included; None keeps all.
            minimum: how often a token must occur. Equally frequent ones are ordered by their text.
            special: names such as "[MASK]" that get the numbers 2, 3, … and that no text can contain.

        Raises:
            ValueError: one string instead of several, another language, a size with no room for a word.
        """
        one_of(LANGUAGES, language=language)
        texts = _several(texts)
        reserved = ["[PAD]", "[UNK]", *special]
        if size is not None:
            at_least(len(reserved) + 1, size=size)
        counts = collections.Counter(token for text in texts for token in tokens(text, language))
        frequent = sorted(
            (token for token, count in counts.items() if count >= minimum),
            key=lambda token: (-counts[token], token),
        )
        self.language = language
        self.words = (reserved + frequent)[:size]
        self.numbers = {word: number for number, word in enumerate(self.words)}
        # "[" is a token of its own in Chinese and none in English, so no token can be taken for a special one
        different = len(self.numbers) == len(self.words)
        expect(different, "special", "不应重复", "different names", list(special))

    def __len__(self):
        return len(self.words)

    def encode(self, texts, length: int, padding: str = "post") -> np.ndarray:
        """Return int32 (texts, length): the first `length` tokens of each text, the rest filled with 0.

        Args:
            texts: strings.
            length: tokens kept of each text; what follows is cut off.
            padding: "post" puts the zeros after a short text, "pre" before it.

        Raises:
            ValueError: one string instead of several, a length below 1, another word for padding.
        """
        texts = _several(texts)
        at_least(1, length=length)
        one_of(("post", "pre"), padding=padding)
        encoded = np.full((len(texts), length), PADDING, dtype="int32")
        for row, text in zip(encoded, texts, strict=True):
            kept = [self.numbers.get(token, UNKNOWN) for token in tokens(text, self.language)[:length]]
            place = slice(0, len(kept)) if padding == "post" else slice(length - len(kept), length)
            row[place] = kept
        return encoded

    def decode(self, row) -> str:
        """Return the text of one encoded row without its padding; words are joined by spaces, characters are not."""
        words = [self.words[number] for number in np.asarray(row).ravel() if number != PADDING]
        return (" " if self.language == "en" else "").join(words)


def _several(texts) -> list:
    expect(not isinstance(texts, str), "texts", "应为若干文本", "several texts", "one string")
    return list(texts)
