"""Sliders: the picture follows them, figures are closed, and a page without a kernel has stored pictures to show."""

import base64
import html
import io
import itertools
import json
import re

import ipywidgets
import matplotlib.pyplot as plt
import pytest
from PIL import Image

from course_utils import language, sliders

WIDGET = "application/vnd.jupyter.widget-view+json"


def line(slope, length=2):
    figure, axis = plt.subplots(figsize=(2, 1))
    axis.plot([0, length], [0, slope * length])
    axis.set(ylim=(-9, 9))
    return figure


def box_of(draw=line, alt="a line", alt_zh="一条直线", **given):
    return sliders.picture(draw, alt=alt, alt_zh=alt_zh, **(given or {"slope": few()}))


def few(value=1):
    return ipywidgets.IntSlider(value=value, min=0, max=3, description="steepness")


def frames(box):
    """Return [(label, picture)] that the HTML holds."""
    return json.loads(html.unescape(re.search(r'data-frames="([^"]*)"', box.stored)[1]))


def test_the_picture_follows_each_slider_and_every_figure_is_closed():
    slope, length = few(), ipywidgets.IntSlider(value=2, min=1, max=9)
    box = box_of(slope=slope, length=length)
    pictures = [box.children[-1].value]
    slope.value = 3
    pictures.append(box.children[-1].value)
    length.value = 1
    pictures.append(box.children[-1].value)
    assert len(set(pictures)) == 3
    slope.value, length.value = 1, 2
    assert box.children[-1].value == pictures[0]
    assert plt.get_fignums() == []
    assert not slope.continuous_update


def test_the_text_for_those_who_cannot_see_it_is_escaped():
    box = box_of(alt='a "line" < 2', alt_zh="线")
    assert 'alt="a &quot;line&quot; &lt; 2"' in box.children[-1].value
    assert 'alt="a &quot;line&quot; &lt; 2"' in box.stored


def test_one_output_offers_the_widget_the_html_and_a_line():
    bundle = box_of()._repr_mimebundle_()
    assert set(bundle) == {WIDGET, "text/html", "text/plain"}
    assert bundle["text/plain"] == "[a line]"


def test_a_function_that_returns_no_figure_is_named():
    with pytest.raises(ValueError, match="draw: .*a Matplotlib figure; found None"):
        box_of(lambda slope: None)


# ---------------------------------------------------------------- without a kernel


def test_each_position_has_its_own_small_picture_and_nothing_is_asked_for_outside():
    box = box_of()
    stored = frames(box)
    assert [label for label, _ in stored] == ["0", "1", "2", "3"]
    assert len({picture for _, picture in stored}) == 4
    for _, picture in stored:
        image = Image.open(io.BytesIO(base64.b64decode(picture.removeprefix("data:image/png;base64,"))))
        assert image.mode == "P" and image.size == (168, 84)
    assert "http" not in box.stored and "<script" not in box.stored


def test_what_is_seen_first_is_the_start_and_the_slider_comes_only_where_scripts_run():
    box = box_of()
    first = re.search(r'<img [^>]*src="([^"]*)"', box.stored)[1]
    assert first == dict(frames(box))["1"]
    slider = html.unescape(re.search(r'data-slider="([^"]*)"', box.stored)[1])
    assert '<label>steepness <input type="range" min="0" max="3" value="1"' in slider
    # What JupyterLab takes out of a notebook that it does not trust: handlers and data.
    sanitised = re.sub(r' (?:onload|data-\w+)="[^"]*"', "", box.stored)
    assert sanitised.count("data:image/png") == 1 and 'alt="a line"' in sanitised
    assert "<input" not in sanitised and "steepness" not in sanitised


def test_a_page_without_a_kernel_says_what_a_kernel_would_add():
    assert "run the notebook" not in box_of().stored
    assert (
        "(length = 2; run the notebook for all of them)"
        in box_of(slope=few(), length=ipywidgets.IntSlider(value=2)).stored
    )
    slope = ipywidgets.FloatSlider(value=0.5, min=0, max=3, step=0.1)
    assert "(13 of 31 positions; run the notebook for all of them)" in box_of(slope=slope).stored


def test_the_chinese_page_speaks_chinese(monkeypatch):
    monkeypatch.setenv("COURSE_LANGUAGE", "zh")
    stored = box_of(slope=few(), length=ipywidgets.IntSlider(value=2)).stored
    assert 'alt="一条直线"' in stored and "<figcaption>一条直线</figcaption>" in stored
    assert "（length = 2；运行 notebook 后可任意拖动）" in stored and "run the" not in stored


def test_a_build_gives_each_language_its_own_side(monkeypatch):
    monkeypatch.setenv("COURSE_LANGUAGE", "both")
    bundle = box_of(slope=few(), length=ipywidgets.IntSlider(value=2))._repr_mimebundle_()
    monkeypatch.delenv("COURSE_LANGUAGE")
    for reader, wanted, not_wanted in (("en", "a line", "一"), ("zh", "一条直线", "a line")):
        for kind in ("text/html", "text/plain"):
            side = language.side(bundle[kind], reader)
            assert wanted in side and not_wanted not in side and not language.is_torn(side)
    assert "<figcaption>" not in language.side(bundle["text/html"], "en")


def test_words_in_a_picture_are_drawn_in_each_language(monkeypatch):
    def titled(slope):
        figure = line(slope)
        figure.axes[0].set_title(language.words("slope", "斜率"))
        return figure

    monkeypatch.setenv("COURSE_LANGUAGE", "both")
    stored = box_of(titled).stored
    english, chinese = (language.side(stored, reader) for reader in language.LANGUAGES)
    assert re.search(r'src="([^"]*)"', english)[1] != re.search(r'src="([^"]*)"', chinese)[1]
    for reader, side in (("en", english), ("zh", chinese)):
        monkeypatch.setenv("COURSE_LANGUAGE", reader)
        assert box_of(titled).stored == side


@pytest.mark.parametrize(
    ("slider", "labels"),
    [
        (ipywidgets.IntSlider(value=4, min=1, max=8, step=3), ["1", "4", "7"]),
        (ipywidgets.FloatSlider(value=0.3, min=0.1, max=0.4, step=0.1), ["0.10", "0.20", "0.30", "0.40"]),
        (ipywidgets.FloatSlider(value=0.25, min=0, max=0.6, step=0.2), ["0.00", "0.25", "0.40", "0.60"]),
        (ipywidgets.FloatLogSlider(value=10, min=0, max=2, step=0.5), ["1", "3.16", "10", "31.6", "100"]),
        (ipywidgets.SelectionSlider(value=2, options=[("one", 1), ("two", 2)]), ["one", "two"]),
        (ipywidgets.SelectionSlider(value="b", options=["a", "b"]), ["a", "b"]),
        (ipywidgets.Dropdown(value=2, options={"one": 1, "two": 2}), ["one", "two"]),
        (ipywidgets.Text(value="hello"), ["hello"]),
    ],
)
def test_positions_are_those_of_the_slider_with_its_start(slider, labels):
    found = sliders.positions(slider)
    assert [label for label, _ in found] == labels
    assert slider.value in [value for _, value in found]


@pytest.mark.parametrize(
    ("count", "start"), [(26, 0), (26, 25), (26, 1), (26, 24), (51, 20), (81, 7), (1000, 999)]
)
def test_of_many_positions_a_few_are_kept_with_ends_and_start(count, start):
    chosen = sliders.spread(count, start)
    assert {0, start, count - 1} <= set(chosen) and len(chosen) == 13
    gaps = [later - earlier for earlier, later in itertools.pairwise(chosen)]
    assert min(gaps) > 0 and max(gaps) <= 1.5 * count / 12 + 1


def test_up_to_25_positions_are_all_kept():
    assert sliders.spread(25, 3) == list(range(25))


@pytest.mark.parametrize("start", range(9))
def test_pictures_that_take_too_much_are_thinned_but_the_start_stays(start):
    sizes = dict.fromkeys(range(9), 100)
    assert sliders.thinned(list(range(9)), start, sizes, most=900) == list(range(9))
    fewer = sliders.thinned(list(range(9)), start, sizes, most=300)
    assert start in fewer and len(fewer) in (2, 3)
    assert sliders.thinned(list(range(9)), start, sizes, most=1) == [start]
