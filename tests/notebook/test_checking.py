"""Checks of arguments: what passes, what is refused, and how the refusal is worded in both languages."""

import numpy as np
import pytest

from course_utils import checking


def test_a_refusal_names_argument_expectation_and_finding_in_both_languages():
    with pytest.raises(ValueError) as refusal:
        checking.expect(False, "lines", "应为 4 行", "4 lines", 3)
    assert str(refusal.value) == "lines: 应为 4 行 · expected 4 lines; found 3"
    checking.expect(True, "lines", "应为 4 行", "4 lines", 3)


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ("a ragged list", "a ragged list"),
        (np.float32(0.5), "0.5"),
        (np.dtype("int8"), "int8"),
        (None, "None"),
    ],
)
def test_what_was_found_is_shown_plainly(found, shown):
    with pytest.raises(ValueError, match=f"; found {shown}$"):
        checking.expect(False, "x", "应为数", "a number", found)


PASSES = [
    (checking.at_least, (1,), 1),
    (checking.at_least, (0,), np.array([0.0, 2.0])),
    (checking.positive, (), 1e-9),
    (checking.between, (2, 8), 2),
    (checking.between, (2, 8), 8),
    (checking.share, (), 0),
    (checking.share, (), np.array([0.0, 1.0])),
    (checking.inside, (0, 1), 0.5),
    (checking.multiple_of, (3,), 6),
    (checking.one_of, (("en", "zh"),), "zh"),
    (checking.not_empty, (), [0]),
    (checking.not_empty, (), np.zeros(1)),
]
REFUSALS = [
    (checking.at_least, (1,), 0, "value: 应至少为 1 · expected at least 1; found 0"),
    (checking.at_least, (0,), np.array([1, -2]), "found -2 to 1"),
    (checking.at_least, (1,), float("nan"), "found nan"),
    (checking.positive, (), 0, "value: 应大于 0 · expected more than 0; found 0"),
    (checking.positive, (), np.array([1.0, np.nan]), "found nan to nan"),
    (checking.between, (2, 8), 9, "value: 应在 2 到 8 之间 · expected from 2 to 8; found 9"),
    (checking.between, (2, 8), 1, "found 1"),
    (checking.share, (), 1.5, "value: 应在 0 到 1 之间 · expected from 0 to 1; found 1.5"),
    (checking.share, (), np.array([0.0, -0.5]), "found -0.5 to 0.0"),
    (checking.inside, (0, 1), 0, "value: 应大于 0 且小于 1 · expected more than 0 and less than 1; found 0"),
    (checking.inside, (0, 1), 1, "found 1"),
    (checking.multiple_of, (3,), 7, "value: 应为 3 的倍数 · expected a multiple of 3; found 7"),
    (
        checking.one_of,
        (("en", "zh"),),
        "fr",
        "value: 应为 'en', 'zh' 之一 · expected one of 'en', 'zh'; found 'fr'",
    ),
    (checking.not_empty, (), [], "value: 不能为空 · expected at least one; found none"),
    (checking.not_empty, (), np.zeros((2, 0)), r"found shape \(2, 0\)"),
]


@pytest.mark.parametrize(("check", "limits", "value"), PASSES)
def test_what_fits_passes(check, limits, value):
    assert check(*limits, value=value) is None


@pytest.mark.parametrize(("check", "limits", "value", "message"), REFUSALS)
def test_what_does_not_fit_is_refused(check, limits, value, message):
    with pytest.raises(ValueError, match=message):
        check(*limits, value=value)


def test_each_of_several_arguments_is_checked_under_its_own_name():
    with pytest.raises(ValueError, match="second: .*found 2"):
        checking.share(first=0.5, second=2)


def test_arrays_are_returned_converted_only_where_nothing_is_lost():
    assert checking.float_array([1, 2], "x").dtype == np.float64
    assert checking.float_array(np.ones(2, np.float32), "x").dtype == np.float32
    with pytest.raises(ValueError, match="x: .*float32 or float64 .*; found int64"):
        checking.float_array(np.arange(3), "x")
    with pytest.raises(ValueError, match="x: .*a ragged list"):
        checking.float_array([[1], [1, 2]], "x")
    assert checking.integer_array([[1, 2]], "rows", ("batch", "time")).dtype.kind == "i"
    with pytest.raises(
        ValueError, match=r"rows: 应为整数 · expected whole numbers; found float64 of shape \(1,\)"
    ):
        checking.integer_array([0.5], "rows", ("time",))


@pytest.mark.parametrize(
    ("shape", "axes", "fits"),
    [
        ((2, 3), ("batch", "units"), True),
        ((2, 3, 4), ("batch", "units"), False),
        ((2, 0), ("batch", "units"), False),
        ((2, 3), ("batch", "...", "units"), True),
        ((2, 3, 4, 5), ("batch", "...", "units"), True),
        ((3,), ("batch", "...", "units"), False),
    ],
)
def test_axes_are_counted_and_none_is_empty(shape, axes, fits):
    if fits:
        assert checking.array_with_axes(np.ones(shape), "x", axes).shape == shape
    else:
        with pytest.raises(ValueError, match=r"x: 形状应为 \(batch, "):
            checking.array_with_axes(np.ones(shape), "x", axes)


@pytest.mark.parametrize("value", [0, 1.0, True, "1", None])
def test_a_positive_integer_is_neither_float_nor_truth_value(value):
    with pytest.raises(ValueError, match="size: 应为正整数"):
        checking.positive_integer(value, "size")
    with pytest.raises(ValueError, match="size: 应为正整数"):
        checking.integer_pair((1, value), "size")
    assert checking.integer_pair(np.int64(3), "size") == (3, 3) and checking.integer_pair((1, 2), "size") == (
        1,
        2,
    )
