"""Sliders: the picture follows them, figures are closed, and a page without a kernel has a line to show."""

import ipywidgets
import matplotlib.pyplot as plt
import pytest

from course_utils import sliders


def line(slope, length=2):
    figure, axis = plt.subplots()
    axis.plot([0, length], [0, slope * length])
    axis.set(ylim=(-9, 9))
    return figure


def test_the_picture_follows_each_slider_and_every_figure_is_closed():
    slope, length = (
        ipywidgets.FloatSlider(value=1, min=-4, max=4),
        ipywidgets.IntSlider(value=2, min=1, max=9),
    )
    box = sliders.picture(line, alt="a line", alt_zh="一条直线", slope=slope, length=length)
    pictures = [box.children[-1].value]
    slope.value = -3
    pictures.append(box.children[-1].value)
    length.value = 1
    pictures.append(box.children[-1].value)
    assert len(set(pictures)) == 3
    slope.value, length.value = 1, 2
    assert box.children[-1].value == pictures[0]
    assert plt.get_fignums() == []
    assert not slope.continuous_update


def test_the_text_for_those_who_cannot_see_it_is_escaped():
    box = sliders.picture(line, alt='a "line" < 2', alt_zh="线", slope=ipywidgets.FloatSlider())
    assert 'alt="a &quot;line&quot; &lt; 2"' in box.children[-1].value


def test_without_a_kernel_a_sentence_stands_in_its_place():
    box = sliders.picture(line, alt="", alt_zh="", slope=ipywidgets.FloatSlider())
    assert repr(box) == "[a slider: it needs a running kernel]"


def test_a_function_that_returns_no_figure_is_named():
    with pytest.raises(ValueError, match="draw: .*a Matplotlib figure; found None"):
        sliders.picture(lambda slope: None, alt="", alt_zh="", slope=ipywidgets.FloatSlider())
