"""Chapter 2's drawings: what a figure says in numbers is what was computed."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from course_utils.topics import convolution_figures


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def texts(axis) -> list[str]:
    return [text.get_text() for text in axis.texts]


def test_the_window_shows_its_pixels_weights_products_and_sum():
    image = np.arange(30.0).reshape(5, 6) / 30
    kernel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    feature_map = np.array(
        [[np.sum(image[i : i + 3, j : j + 3] * kernel) for j in range(4)] for i in range(3)]
    )
    figure = convolution_figures.window(image, kernel, feature_map, row=1, column=2)
    pixels, weights, products, result = figure.axes[1:]
    assert texts(pixels) == [f"{value:.1f}" for value in image[1:4, 2:5].ravel()]
    assert texts(weights) == ["−1", "0", "1", "−2", "0", "2", "−1", "0", "1"]
    assert len(texts(products)) == 9
    assert (
        f"{feature_map[1, 2]:.1f}" in products.get_title()
        and f"{feature_map[1, 2]:.1f}" in result.get_title()
    )
    (mark,) = result.patches
    assert (mark.get_x(), mark.get_y(), mark.get_width()) == (1.5, 0.5, 1)


def test_labels_are_moved_apart_and_keep_their_order():
    placed = convolution_figures._apart([0.30, 0.10, 0.12, 0.9], 0.09)
    assert placed == pytest.approx([0.30, 0.10, 0.19, 0.9])
    gaps = np.diff(sorted(placed))
    assert gaps.min() >= 0.09 - 1e-9


def test_photographs_needs_a_name_it_can_translate():
    photo = np.zeros((6, 6, 3))
    with pytest.raises(KeyError, match="unknown"):
        convolution_figures.photographs(
            photo, {name: np.ones((1, 1, 3, 1)) for name in "unknown twice more and then".split()}
        )
