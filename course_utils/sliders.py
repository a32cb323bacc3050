"""Sliders over a picture: no runner waits for them, and a page without a kernel says what is missing."""

import base64
import html
import io

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from course_utils import language
from course_utils.checking import expect


class SliderBox(ipywidgets.VBox):
    """Sliders with their picture; as text, for a page without a kernel, one line instead of the widgets' inside."""

    def __repr__(self):
        return language.words("[a slider: it needs a running kernel]", "[滑块，需要运行中的内核]")


def picture(draw, *, alt: str, alt_zh: str, **sliders) -> SliderBox:
    """Return sliders over the figure that `draw` makes of their values, drawn anew when one has moved.

    The picture is an image in an HTML widget. (`ipywidgets.interact` captures output instead, and a runner
    that executes a notebook can wait for that capture for ever.)

    Args:
        draw: called as draw(name=value, ...); returns a Matplotlib figure, which is closed afterwards.
        alt, alt_zh: what the picture shows, for readers who cannot see it, in both languages.
        sliders: an ipywidgets slider for each argument of `draw`.

    Raises:
        ValueError: `draw` returns no figure.
    """
    image = ipywidgets.HTML()
    text = html.escape(language.words(alt, alt_zh))

    def redraw(_=None):
        figure = draw(**{name: slider.value for name, slider in sliders.items()})
        wanted = "应返回 Matplotlib 的图", "a function that returns a Matplotlib figure"
        expect(isinstance(figure, Figure), "draw", *wanted, figure)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=90)
        plt.close(figure)
        data = base64.b64encode(stream.getvalue()).decode()
        image.value = f'<img alt="{text}" src="data:image/png;base64,{data}">'

    for slider in sliders.values():
        slider.continuous_update = False  # one drawing for each move, not one for each pixel of it
        slider.observe(redraw, "value")
    redraw()
    return SliderBox([*sliders.values(), image])
