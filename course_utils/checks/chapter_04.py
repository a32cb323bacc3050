"""Checks of chapter 4, softmax and loss."""

import numpy as np

from course_utils.exercises import close, exercise, expect
from course_utils.reference import losses


@exercise("04.precision_and_recall")
def precision_and_recall(answer):
    """A matrix that is not symmetric, so that rows and columns differ."""
    confusion = np.arange(100).reshape(10, 10) % 7 + 20 * np.eye(10, dtype=int)
    found = answer(confusion.copy(), 3)
    expect(
        isinstance(found, (tuple, list, np.ndarray)) and np.shape(found) == (2,),
        "应返回两个数：(精确率, 召回率)",
        "two numbers were expected: return (precision, recall)",
    )
    hits, column, row = confusion[3, 3], confusion[:, 3].sum(), confusion[3].sum()
    expect(
        not close(found, (hits / row, hits / column)),
        "两个数颠倒了：列是“说是 3 的”，行是“真正的 3”",
        "the two are swapped: a column holds all that were called 3, a row all true 3s",
    )
    expect(
        not close(found, (hits / confusion.sum(), hits / confusion.sum())),
        "分母是整个矩阵之和：只应除以一列或一行的和",
        "divided by all examples: divide by one column or one row only",
    )
    accuracy = np.trace(confusion) / confusion.sum()
    expect(
        not close(found, (accuracy, accuracy)),
        "这是准确率；这里只问一个数字",
        "this is the accuracy of all digits; one digit is asked for",
    )
    expect(
        not close(found, (hits / (column - hits), hits / (row - hits))),
        "分母也要包括对角线上猜对的那些",
        "the sums must include the diagonal: the right readings belong to the column and the row too",
    )
    expect(
        close(found[0], hits / column),
        "精确率不对：对角线上的数除以这一列之和",
        "precision differs: the diagonal entry divided by the sum of its column",
    )
    expect(
        close(found[1], hits / row),
        "召回率不对：对角线上的数除以这一行之和",
        "recall differs: the diagonal entry divided by the sum of its row",
    )
    expect(
        close(answer(confusion.copy(), 8)[0], confusion[8, 8] / confusion[:, 8].sum()),
        "换一个数字就错了：用参数 digit，不要写死",
        "wrong for another digit: use the argument digit",
    )


@exercise("04.temperature_gradient")
def temperature_gradient(answer):
    """Against central differences of the reference's loss; wrong forms are recognised one by one."""
    random = np.random.default_rng(0)
    scores, labels, temperature = random.normal(scale=3, size=(7, 4)), random.integers(0, 4, 7), 1.7

    def loss(divisor):
        return losses.cross_entropy(scores / divisor, labels)

    right = (loss(temperature + 1e-5) - loss(temperature - 1e-5)) / 2e-5
    found = answer(scores.copy(), labels.copy(), temperature)
    expect(
        np.shape(found) == (),
        f"应得到一个数，得到的形状是 {np.shape(found)}：对类别和样本都要求和",
        f"one number was expected, found shape {np.shape(found)}: add up over classes and examples",
    )

    def same(value):
        return close(found, value, 1e-5)

    expect(
        not same(-right),
        "符号反了：z/T 对 T 的导数是 −z/T²",
        "the sign is wrong: the derivative of z/T by T is −z/T²",
    )
    expect(
        not same(right * len(labels)),
        "还没有对样本取平均",
        "summed over the examples: take the mean over them",
    )
    expect(
        not same(right / scores.shape[1]),
        "对类别应当求和，不是取平均",
        "averaged over the classes too: add up over the classes, average over the examples only",
    )
    expect(
        not same(right * temperature) and not same(right * temperature**2),
        "少了 1/T：z/T 对 T 的导数里有 1/T²",
        "a factor 1/T is missing: the derivative of z/T by T has T squared below the line",
    )
    cold = losses.cross_entropy_backward(1.0, scores, labels)
    expect(
        not same(-(cold * scores).sum() / temperature**2),
        "概率要用 softmax(z / T) 来算，不是 softmax(z)",
        "the probabilities must come from scores / T, not from the scores themselves",
    )
    expect(
        same(right),
        "数值与有限差分不符：−(1/n) Σ (p − y)·z / T²，其中 p = softmax(z / T)",
        "differs from finite differences: prediction minus truth, times z, with the factor of the chain rule",
    )


@exercise("04.calibration_error")
def calibration_error(answer):
    """A sample with unequal and empty bins, gaps of both signs, and values on the bins' edges."""
    confidence = np.array([0.05, 0.35, 0.35, 0.38, 0.62, 0.65, 0.92, 0.95, 0.97, 0.99, 0.99, 0.98])
    right = np.array([True, False, True, True, False, False, True, True, False, True, True, False])
    bins = 5
    place = np.ceil(confidence * bins).astype(int) - 1
    filled = [place == number for number in range(bins) if (place == number).any()]
    gaps = np.array([right[members].mean() - confidence[members].mean() for members in filled])
    weights = np.array([members.mean() for members in filled])
    found = answer(confidence.copy(), right.copy(), bins)
    expect(
        np.shape(found) == (),
        f"应得到一个数，得到的形状是 {np.shape(found)}",
        f"one number was expected, found shape {np.shape(found)}",
    )
    expect(
        np.isfinite(found),
        "结果不是有限的数：空区间的平均是 0/0，要跳过",
        "not a finite number: the mean of an empty bin is 0/0, skip such bins",
    )
    expect(
        not close(abs(found), abs(np.sum(weights * gaps))),
        "正负差距互相抵消了：先在每个区间内取绝对值，再相加",
        "gaps of opposite sign cancel: take the absolute value within each bin, then add",
    )
    expect(
        not close(found, np.mean(np.abs(gaps))) and not close(found, np.abs(gaps).sum() / bins),
        "各区间应按样本数加权，不能一视同仁",
        "every bin counted alike: weight each gap by the bin's share of the examples",
    )
    expect(
        not close(found, np.abs(gaps).max()),
        "这是最大差距，不是平均差距",
        "this is the largest gap; the mean is asked for",
    )
    expect(
        not close(found, np.mean(np.abs(right - confidence)))
        and not close(found, np.mean((right - confidence) ** 2)),
        "这里逐个样本比较了；应先按区间求平均",
        "compared example by example: average within the bins first",
    )
    expect(
        not close(found, np.sum(weights * np.abs(gaps)) * len(confidence)),
        "还要除以样本总数",
        "weighted by counts: divide by the number of examples",
    )
    expect(
        close(found, np.sum(weights * np.abs(gaps))),
        "数值不对：Σ (区间样本数 / 总数) · |准确率 − 平均置信度|",
        "the number differs: sum over the bins of share times |accuracy − mean confidence|",
    )
    expect(
        close(answer(np.array([0.5, 0.5, 1.0]), np.array([True, True, False]), 2), 2 / 3),
        "区间右端闭合：0.5 属于 (0, 0.5]，1.0 属于最后一个区间",
        "bins are closed on the right: 0.5 belongs to (0, 0.5], and 1.0 to the last bin",
    )
