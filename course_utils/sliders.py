"""Sliders over a picture: live with a kernel, over stored pictures without one, and one picture where no script may run."""

import base64
import html
import io
import math
from collections.abc import Mapping

import ipywidgets
from matplotlib.figure import Figure
from PIL import Image

from course_utils import language, pictures, plots
from course_utils.checking import expect

MOST_FRAMES = 25  # of a slider with more positions than these
FEW_FRAMES = 13  # so many are stored
MOST_BYTES = 300_000  # of the stored pictures of one slider, as text
_COLORS = 64


class SliderBox(ipywidgets.VBox):
    """Sliders with their picture, and `stored`: the HTML for a page without a kernel.

    A program shows one form of an output, the richest that it may: the live widget in JupyterLab with a kernel, the HTML
    in the book and in a trusted notebook, the HTML without its scripts, one picture, in a notebook that is not trusted.
    The build drops the widget, which no other kernel can bring to life.
    """

    def __init__(self, children, stored: str, seen: str):
        super().__init__(children)
        self.stored, self.seen = stored, seen

    def __repr__(self):
        return f"[{self.seen}]"

    def _repr_mimebundle_(self, **settings):
        bundle = super()._repr_mimebundle_(**settings)
        return {**bundle, "text/html": self.stored, "text/plain": repr(self)}


def picture(draw, *, alt: str, alt_zh: str, **sliders) -> SliderBox:
    """Return sliders over the figure that `draw` makes of their values, drawn anew when one has moved.

    The picture is an image in an HTML widget. (`ipywidgets.interact` captures output instead, and a runner
    that executes a notebook can wait for that capture for ever.)

    For pages without a kernel, pictures of the first slider's positions are stored, the other sliders at their start:
    all positions, or 13 of them, evenly spread, if there are more than 25. If the pictures take more than 300 kB, every
    second one is left out until they fit; that of the start always stays.

    Args:
        draw: called as draw(name=value, ...); returns a Matplotlib figure, which is closed afterwards. It must draw no
            random numbers: how often it is called depends on the reader.
        alt, alt_zh: what the picture shows, for readers who cannot see it, in both languages.
        sliders: an ipywidgets slider for each argument of `draw`.

    Raises:
        ValueError: `draw` returns no figure.
    """
    image = ipywidgets.HTML()
    seen = language.words(alt, alt_zh)

    def figure_of(**changed):
        figure = draw(**{name: slider.value for name, slider in sliders.items()} | changed)
        wanted = "应返回 Matplotlib 的图", "a function that returns a Matplotlib figure"
        expect(isinstance(figure, Figure), "draw", *wanted, figure)
        return figure

    def redraw(_=None):
        png, _ = plots.drawn(figure_of(), dots_per_inch=90)
        image.value = f'<img alt="{html.escape(seen)}" src="data:image/png;base64,{_as_text(png)}">'

    for slider in sliders.values():
        slider.continuous_update = False  # one drawing for each move, not one for each pixel of it
        slider.observe(redraw, "value")
    redraw()
    return SliderBox([*sliders.values(), image], _stored(figure_of, sliders, alt, alt_zh), seen)


# ---------------------------------------------------------------- what a page without a kernel shows


def positions(slider) -> list:
    """Return (label, value) of each position of an ipywidgets slider, its value of now among them."""
    if hasattr(slider, "options"):
        options = slider.options.items() if isinstance(slider.options, Mapping) else slider.options
        return [option if isinstance(option, tuple) else (str(option), option) for option in options]
    if not hasattr(slider, "step"):
        return [(str(slider.value), slider.value)]
    count = 1 + math.floor((slider.max - slider.min) / slider.step + 1e-9)
    values = [round(slider.min + step * slider.step, 10) for step in range(count)]
    if hasattr(slider, "base"):  # its ends are exponents
        values = [slider.base**value for value in values]
    nearest = min(range(count), key=lambda place: abs(values[place] - slider.value))
    values[nearest] = slider.value
    return [(format(value, slider.readout_format), value) for value in values]


def spread(count: int, start: int) -> list:
    """Return which of so many positions are stored: both ends, the start, and evenly spread ones between."""
    if count <= MOST_FRAMES:
        return list(range(count))
    evenly = [round(place * (count - 1) / (FEW_FRAMES - 1)) for place in range(FEW_FRAMES)]
    if start not in evenly:
        inner = min(evenly[1:-1], key=lambda place: abs(place - start))
        evenly[evenly.index(inner)] = start
    return evenly


def thinned(chosen: list, start: int, sizes: dict, most: int = MOST_BYTES) -> list:
    """Leave out every second position, but not the start, until the sizes of the others are together at most `most`."""
    while len(chosen) > 1 and sum(sizes[place] for place in chosen) > most:
        chosen = chosen[chosen.index(start) % 2 :: 2]
    return chosen


def _stored(figure_of, sliders, alt, alt_zh) -> str:
    """Return the HTML of the first slider over its stored pictures."""
    (name, slider), *others = sliders.items()
    known = positions(slider)
    start = [value for _, value in known].index(slider.value)
    pngs = {}
    for place in spread(len(known), start):
        figure = figure_of(**{name: known[place][1]})
        size = plots.pixels(figure)
        picture, chinese = (_as_text(_small(png)) for png in plots.drawn(figure, plots.PIXELS_PER_INCH))
        # Words in the figure: during a build, each language has its own drawing.
        pngs[place] = language.both(picture, chinese) if chinese else picture
    chosen = thinned(list(pngs), start, {place: len(png) for place, png in pngs.items()})
    return pictures.frames_as_html(
        [(known[place][0], pngs[place]) for place in chosen],
        chosen.index(start),
        slider.description or name,
        language.words(alt, alt_zh),
        *size,
        note=_note(len(chosen), len(known), others),
        # The figure's labels are English: in Chinese, what is seen also stands below it.
        below=language.words("", pictures.caption_html(alt_zh)),
    )


def _note(stored: int, positions_in_all: int, others: list) -> str:
    """Return what a running kernel would add, empty if nothing."""
    held = [f"{slider.description or name} = {slider.value}" for name, slider in others]
    english, chinese = [f"{', '.join(held)}"] if held else [], [f"{'，'.join(held)}"] if held else []
    if stored < positions_in_all:
        english.append(f"{stored} of {positions_in_all} positions")
        chinese.append(f"{positions_in_all} 档中的 {stored} 档")
    if not english:
        return ""
    return language.words(
        f"({'; '.join(english)}; run the notebook for all of them)",
        f"（{'；'.join(chinese)}；运行 notebook 后可任意拖动）",
    )


def _small(png: bytes) -> bytes:
    """Return a picture with at most 64 colours, a quarter of the size; nothing of nothing."""
    if not png:
        return png
    stream = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        few = image.convert("RGB").quantize(_COLORS, dither=Image.Dither.NONE)
    few.save(stream, format="png", optimize=True)
    return stream.getvalue()


def _as_text(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")
