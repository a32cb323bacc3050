"""The drawing pad's Python side: strokes, pictures, and MNIST's way of placing a digit."""

import numpy as np
import pytest
from PIL import Image

from course_utils import datasets
from course_utils.topics import digit_pad


def center_of_mass(image):
    image = np.asarray(image, dtype="float64")
    rows, columns = np.indices(image.shape)
    return (rows * image).sum() / image.sum(), (columns * image).sum() / image.sum()


def test_example_becomes_an_mnist_image():
    digit = digit_pad.to_mnist(digit_pad.DrawingPad().picture())
    assert digit.shape == (28, 28) and digit.dtype == np.uint8
    assert digit.max() == 255 and digit[0, 0] == 0
    rows, columns = np.nonzero(digit)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == digit_pad.BOX
    assert np.allclose(center_of_mass(digit), 14, atol=0.51)


def test_mnist_images_hardly_change():
    """What is already an MNIST image must come out as nearly the same image."""
    images = datasets.mnist().x_test[:200]
    prepared = np.array([digit_pad.to_mnist(image) for image in images])
    difference = np.abs(prepared.astype(float) - images).mean(axis=(1, 2))
    assert np.median(difference) < 8  # of 255; a digit moved by two pixels differs by more than 25


def test_dark_ink_on_bright_paper_is_inverted():
    drawn = digit_pad.rasterize(digit_pad.EXAMPLE_STROKES)
    assert np.array_equal(digit_pad.to_mnist(255 - drawn), digit_pad.to_mnist(drawn))


def test_place_and_size_on_the_pad_do_not_matter():
    smaller = [[[x / 2 + 130, y / 2 + 10] for x, y in stroke] for stroke in digit_pad.EXAMPLE_STROKES]
    there = digit_pad.to_mnist(digit_pad.rasterize(smaller, pen=digit_pad.PEN // 2)).astype(float)
    here = digit_pad.to_mnist(digit_pad.rasterize(digit_pad.EXAMPLE_STROKES)).astype(float)
    assert np.abs(there - here).mean() < 6


def test_a_pad_keeps_what_was_drawn():
    pad = digit_pad.DrawingPad()
    pad.strokes = [[[10, 140], [270, 140]]]  # a horizontal line
    digit = digit_pad.to_mnist(pad.picture())
    rows, columns = np.nonzero(digit)
    assert np.ptp(columns) > 3 * np.ptp(rows)


def test_a_dot_and_an_upscaled_picture_work():
    assert digit_pad.to_mnist(digit_pad.rasterize([[[50, 50]]])).max() == 255
    tiny = np.zeros((9, 9))
    tiny[2:6, 4] = 1.0  # a "1" of floats between 0 and 1
    assert digit_pad.to_mnist(tiny).shape == (28, 28)


def test_files_are_read(tmp_path):
    drawn = digit_pad.rasterize(digit_pad.EXAMPLE_STROKES)
    transparent = np.zeros((*drawn.shape, 4), "uint8")
    transparent[..., 3] = drawn  # black ink, paper transparent
    path = tmp_path / "five.png"
    Image.fromarray(transparent).save(path)
    read = digit_pad.read_picture(path)
    assert read.shape == drawn.shape
    assert np.array_equal(digit_pad.to_mnist(read), digit_pad.to_mnist(drawn))


@pytest.mark.parametrize("picture", [np.full((40, 40), 200), np.zeros((28, 28)), np.full((5, 5), 1.0)])
def test_no_ink_is_said(picture):
    with pytest.raises(ValueError, match="no ink"):
        digit_pad.to_mnist(picture)


def test_wrong_shape_is_said():
    with pytest.raises(ValueError, match=r"height, width.*\(28, 28, 1\)"):
        digit_pad.to_mnist(np.zeros((28, 28, 1)))


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.png"):
        digit_pad.read_picture(tmp_path / "none.png")
    text = tmp_path / "text.png"
    text.write_text("not an image", encoding="utf-8")
    with pytest.raises(ValueError, match="not an image"):
        digit_pad.read_picture(text)


def test_the_pad_needs_no_network():
    assert "http" not in digit_pad._SCRIPT and "import" not in digit_pad._SCRIPT
