"""Checks of chapter 6a, sequences at work."""

import numpy as np

from course_utils.exercises import close, exercise, expect


@exercise("06a.cut")
def cut(answer):
    """A series whose values are their own places."""
    series = np.arange(10.0)
    found = answer(series.copy(), 4, 3)
    expect(
        isinstance(found, tuple) and len(found) == 2,
        "应返回一对数组：窗口，和之后的值",
        "a pair of arrays was expected: the windows, and the values after them",
    )
    past, future = (np.asarray(part) for part in found)
    expect(
        past.ndim == 2 and past.shape[1:] == (4,) and future.shape[1:] == (3,),
        f"形状应为 (n, 4) 和 (n, 3)，得到的是 {past.shape} 和 {future.shape}",
        f"shapes (n, 4) and (n, 3) were expected; found {past.shape} and {future.shape}",
    )
    expect(
        len(past) == len(future),
        "窗口与之后的值应一样多：没有将来可预测的窗口不要",
        "as many windows as futures were expected: leave out windows whose future has not happened",
    )
    expect(
        len(past) != 3,
        "少了最后一个窗口：range 不含终点，要加 1",
        "the last window is missing: range ends before its end, add 1",
    )
    expect(
        len(past) not in (1, 2),
        "窗口每次只移动一格，可以互相重叠",
        "windows move on by one position and may overlap",
    )
    expect(
        len(past) == 4,
        f"10 个值、窗口 4、预测 3：应有 4 个窗口，得到 {len(past)} 个",
        f"10 values, windows of 4, 3 leads: 4 windows were expected, found {len(past)}",
    )
    right_past = np.arange(4)[:, None] + np.arange(4)
    expect(
        close(past, right_past),
        "窗口不对：第 k 个从下标 k 开始",
        "the windows differ: number k begins at index k",
    )
    right_future = np.arange(4)[:, None] + np.arange(4, 7)
    expect(
        not close(future, right_future - 1),
        "将来与窗口重叠了一个值：答案已经在窗口里",
        "the future overlaps its window by one value: the answer stands in the question",
    )
    expect(
        not close(future, right_future + 1),
        "将来应紧接在窗口之后，你跳过了一个值",
        "the future begins right after the window; one value was skipped",
    )
    expect(
        close(future, right_future),
        "之后的值不对：从窗口后的第一个值开始",
        "the futures differ: they begin with the first value after the window",
    )


@exercise("06a.seasonal_naive")
def seasonal_naive(answer):
    """Values after the origin are marked, so that a look ahead shows."""
    series, origin, period = np.arange(30.0) ** 1.5, 16, 4
    guarded = series.copy()
    guarded[origin + 1 :] = np.nan

    def forecast(leads):
        found = np.asarray(answer(guarded.copy(), origin, leads, period), dtype="float64")
        expect(
            found.shape == (leads,),
            f"应得到形状 ({leads},)，得到的是 {found.shape}",
            f"shape ({leads},) was expected; found {found.shape}",
        )
        return found

    short, long = forecast(3), forecast(10)
    expect(
        not np.isnan(short).any(),
        "用到了 origin 之后的值：作预测时它们还不存在",
        "values after the origin were used: they are not known yet",
    )
    expect(
        not np.isnan(long).any(),
        "提前量超过一个周期时，用到了 origin 之后的值：应回到最近一个已知的周期",
        "beyond one period, values after the origin were used: go back to the last known period",
    )
    expect(
        not close(short, np.full(3, series[origin])),
        "这是 “和现在一样”，没有用到季节",
        "this is 'as now': the season was not used",
    )
    expect(
        not close(short, series[origin - period : origin - period + 3]),
        "错开了一步：第 1 步应取下标 origin − period + 1",
        "off by one: step 1 takes the index origin − period + 1",
    )
    right = series[origin - period + 1 : origin + 1][np.arange(10) % period]
    expect(
        close(short, right[:3]),
        "数值不对：第 k 步取下标 origin + k − period",
        "the numbers differ: step k takes the index origin + k − period",
    )
    expect(
        close(long, right),
        "超过一个周期之后，应重复最近一个已知的周期",
        "beyond one period the last known period is repeated",
    )


@exercise("06a.masked_mean")
def masked_mean(answer):
    """Vectors that are not zero under the padding, and one text without a step."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(3, 5, 2)) + 1
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], dtype=bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.asarray(answer(vectors.copy(), mask.copy()))
    expect(
        found.shape == (3, 2),
        f"应得到形状 (3, 2)，得到的是 {found.shape}",
        f"shape (3, 2) was expected; found {found.shape}",
    )
    expect(
        not close(found[:2], vectors[:2].mean(axis=1)),
        "填充的步也算进去了",
        "the padded steps were counted in",
    )
    total = (vectors * mask[..., None]).sum(axis=1)
    expect(
        not close(found[:2], total[:2]),
        "这是总和，还要除以真实的步数",
        "this is the sum: divide by the number of real steps",
    )
    expect(
        not close(found[0], total[0] / 5),
        "除以了数组的长度；应除以真实的步数",
        "divided by the length of the array; divide by the number of real steps",
    )
    right = total / np.maximum(mask.sum(axis=1, keepdims=True), 1)
    expect(
        close(found[:2], right[:2]),
        "数值不对",
        "the numbers differ: sum over the real steps, divided by how many they are",
    )
    expect(
        np.all(np.isfinite(found[2])),
        "一步也没有的文本：不能除以 0",
        "a text without a real step: do not divide by zero",
    )
    expect(
        close(found[2], np.zeros(2)), "一步也没有的文本应得 0", "a text without a real step should give zeros"
    )
