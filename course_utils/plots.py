"""One figure style for the course: readable sizes, colour-blind-safe colours, alt text in both languages."""

import base64
import contextlib
import io
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib import font_manager
from matplotlib.text import Text

from course_utils import language, pictures

# Okabe and Ito's palette, safe for colour-blind readers; never the only difference between two lines.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (5, 4))]

_STYLE = {
    "axes.prop_cycle": matplotlib.cycler(color=COLORS),
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 12,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "font.size": 10.5,
    "grid.alpha": 0.3,
    "image.cmap": "gray",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
_FONT = Path(__file__).resolve().parent / "data" / "fonts/NotoSansSC-subset.otf"  # Chinese text in figures
PIXELS_PER_INCH = 84  # on a page; a figure is drawn finer


def use_style() -> None:
    """Apply the course's style; importing this module does it. Chinese text in figures works afterwards."""
    matplotlib.rcdefaults()  # a user's own settings may have been read before
    matplotlib.rcParams.update(_STYLE)
    families = ["DejaVu Sans"]
    if _FONT.exists():
        font_manager.fontManager.addfont(str(_FONT))
        families.append(font_manager.FontProperties(fname=str(_FONT)).get_name())
    matplotlib.rcParams["font.family"] = families


def show(figure, *, alt: str, alt_zh: str) -> None:
    """Show a figure, then close it; the only way the course shows one.

    The picture goes out as image/png, for programs, and as HTML, for readers: JupyterLab prefers the latter, also in a
    notebook that it does not trust, and keeps its alt text.

    Args:
        figure: a matplotlib figure.
        alt: what is seen, in English, for readers who do not see the picture. No numbers of a run.
        alt_zh: the same in Chinese.
    """
    data, metadata = bundle(figure, alt=alt, alt_zh=alt_zh)
    display(data, metadata=metadata, raw=True)


def bundle(figure, *, alt: str, alt_zh: str) -> tuple:
    """Return what `show` sends out, (data, metadata) by type, and close the figure."""
    if not alt.strip() or not alt_zh.strip():
        raise ValueError("alt 和 alt_zh 都要写 · alt and alt_zh must both say what is seen")
    width, height = pixels(figure)
    picture, picture_zh = (base64.b64encode(png).decode("ascii") for png in drawn(figure))
    chinese = language.current() == "zh"
    seen = alt_zh if chinese else alt
    metadata = {"alt": seen, "alt_zh": alt_zh, "width": width, "height": height}
    if picture_zh:
        metadata["png_zh"] = picture_zh
    # What is seen also stands below the figure in Chinese: its labels may be English. A build makes the HTML again.
    markup = pictures.as_html(picture, seen, width, height, caption=seen if chinese else "")
    data = {"image/png": picture, "text/html": markup, "text/plain": f"[{language.words(alt, alt_zh)}]"}
    return data, {"image/png": metadata}


def pixels(figure) -> tuple:
    """Return a figure's width and height on a page, in CSS pixels."""
    return tuple(round(inches * PIXELS_PER_INCH) for inches in figure.get_size_inches())


def drawn(figure, dots_per_inch: float = 1.6 * PIXELS_PER_INCH) -> tuple:
    """Return a figure as PNG in the reader's language and, where a build needs another one, in Chinese; close the figure.

    Returns:
        Two byte strings; the second is empty unless words stand in the figure and this is a build.
    """
    with _texts_in(language.current()) as split:
        picture, chinese = _png(figure, dots_per_inch), b""
    if split:
        with _texts_in("zh"):
            chinese = _png(figure, dots_per_inch)
    plt.close(figure)
    return picture, chinese


def _png(figure, dots_per_inch: float) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dots_per_inch, metadata={"Software": None})
    return stream.getvalue()


@contextlib.contextmanager
def _texts_in(reader: str):
    """Let every text in a figure show one side of `language.words`; yields a list of the texts that had two."""
    original, split = Text.get_text, []

    def get_text(self):
        text = original(self)
        one_side = language.side(text, reader)
        if one_side != text:
            split.append(text)
        return one_side

    Text.get_text = get_text
    try:
        yield split
    finally:
        Text.get_text = original


def grid(images, titles=None, columns: int = 8, size: float = 1.2, **imshow):
    """Return a figure of small images side by side.

    Args:
        images: (count, height, width) or (count, height, width, 1 or 3).
        titles: one text per image, or None.
        columns: images per row.
        size: inches per image.
        imshow: passed on to matplotlib, for instance cmap or vmin.
    """
    images = [np.squeeze(np.asarray(image)) for image in images]
    if not images:
        raise ValueError("at least one image was expected; found none")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    title_room = 0.25 if titles is not None else 0.0
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * size, rows * (size + title_room)), squeeze=False
    )
    for number, axis in enumerate(axes.flat):
        axis.axis("off")
        if number < len(images):
            axis.imshow(images[number], **imshow)
            if titles is not None:
                axis.set_title(str(titles[number]), fontsize=9)
    return figure


use_style()
