"""Checks of chapter 8a, compression."""

import numpy as np

from course_utils.exercises import close, exercise, expect
from course_utils.reference import activations


@exercise("08a.sparse_bytes")
def sparse_bytes(answer):
    """A matrix with 7 survivors in 5 rows, one row empty: each term has another size."""
    kernel = np.zeros((5, 40))
    kernel[[0, 0, 1, 3, 3, 3, 4], [3, 17, 39, 0, 5, 20, 8]] = [1.5, -2, 0.3, -0.1, 4, 2, -7]
    survivors, rows = 7, 5
    found = answer(kernel.copy(), 4, 2)
    expect(
        found != kernel.size * 4 and found != kernel.size * 6 + rows * 4,
        "零不用存：只数非零的权重",
        "zeros are not stored: count the weights that are not zero",
    )
    expect(
        found != survivors * 4 + rows * 4,
        "只存了值，没有存它们在哪一列：没有位置就拼不回矩阵",
        "only the values are stored: without its column number nobody knows where a value belongs",
    )
    expect(
        found != survivors * 6,
        "漏了每行 4 字节的计数，空行也要有",
        "the 4-byte counters of the rows are missing; an empty row has one too",
    )
    expect(
        found != survivors * 6 + 4 * 4,
        "空行也要有计数：一共 5 行",
        "an empty row has a counter too: there are 5 rows",
    )
    expect(
        found != survivors * 6 + kernel.shape[1] * 4,
        "计数是每行一个，不是每列一个",
        "a counter belongs to a row, not to a column",
    )
    positive = int(np.sum(kernel > 0))
    expect(
        found != positive * 6 + rows * 4,
        "负的权重也要存",
        "negative weights are survivors, too",
    )
    expect(
        found == survivors * 6 + rows * 4,
        f"7 个非零值、5 行、值 4 字节、列号 2 字节，应为 62 字节，得到 {found}",
        f"7 survivors in 5 rows with 4 and 2 bytes should take 62 bytes; found {found}",
    )
    expect(
        answer(kernel.copy(), 1, 2) == survivors * 3 + rows * 4,
        "值只占 1 字节时结果不对：要用参数 value_bytes 和 index_bytes",
        "wrong for 1-byte values: use the arguments value_bytes and index_bytes",
    )


@exercise("08a.quantize_columns")
def quantize_columns(answer):
    """Columns of very different size, the largest weight negative in one of them."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=(20, 6)) * np.geomspace(0.01, 10, 6)
    kernel[3, 2] = -3 * np.abs(kernel[:, 2]).max()  # the largest magnitude is a negative weight
    most = 127
    found = answer(kernel.copy(), 8)
    expect(
        isinstance(found, tuple) and len(found) == 2,
        "应返回两样东西：整数和步长",
        "return two things: the whole numbers and the steps",
    )
    integers, steps = (np.asarray(part) for part in found)
    expect(
        steps.size != 1,
        "整个矩阵只有一个步长；要每列一个",
        "one step for the whole matrix: every column needs its own",
    )
    expect(
        steps.size != 20,
        "每行取了一个步长；一个输出对应的是一列，要沿 axis 0 取最大值",
        "a step for every row: an output is a column, so take the maximum over axis 0",
    )
    expect(
        steps.shape == (6,),
        f"步长的形状应为 (6,)，得到 {steps.shape}",
        f"steps of shape (6,), found {steps.shape}",
    )
    largest = np.abs(kernel).max(axis=0)
    expect(
        not close(steps, largest / 255) and not close(steps, largest / 256),
        "有一位要用作符号：8 位对称量化的最大整数是 127",
        "one bit is the sign: with 8 bits the largest whole number is 127",
    )
    expect(
        not close(steps, largest / 128),
        "关于零对称，最大整数是 2^(b−1) − 1 = 127，不是 128；int8 里装不下 128",
        "symmetric around zero the largest is 2^(b-1) - 1 = 127; 128 does not fit into int8",
    )
    expect(
        not close(steps, most / largest),
        "这是步长的倒数（Keras 的 kernel_scale）；步长是 max|w| / 127",
        "this is the reciprocal (Keras' kernel_scale); the step is max|w| / 127",
    )
    expect(
        close(steps[0], largest[0] / most) and not close(steps, kernel.max(axis=0) / most),
        "要用绝对值的最大值：最大的权重可能是负的",
        "take the largest magnitude: the largest weight may be negative",
    )
    expect(
        close(steps, largest / most),
        "步长应为每列 max|w| / 127",
        "the step of a column should be max|w| / 127",
    )
    expect(
        integers.dtype == np.int8,
        f"整数应为 int8（省的就是字节），得到 {integers.dtype}",
        f"the whole numbers should be int8, that is what saves the bytes; found {integers.dtype}",
    )
    right = np.round(kernel / steps).astype(np.int8)
    expect(
        not np.array_equal(integers, np.trunc(kernel / steps)) or np.array_equal(integers, right),
        "astype 只是砍掉小数，误差会达到一整个步长：要先舍入（np.round）",
        "astype cuts digits off, an error of up to a whole step: round first (np.round)",
    )
    expect(
        np.array_equal(integers, right),
        "整数应为 round(w / 步长)",
        "the whole numbers should be round(w / step)",
    )
    expect(
        np.array_equal(np.asarray(answer(kernel.copy(), 4)[0]), np.round(kernel / (largest / 7))),
        "4 位时结果不对：最大整数要由 bits 算出（4 位是 7）",
        "wrong for 4 bits: compute the largest whole number from bits (7 for 4 bits)",
    )


@exercise("08a.student_gradient")
def student_gradient(answer):
    """Against the formula, with the typical slips computed beside it."""
    random = np.random.default_rng(0)
    student, teacher = random.normal(size=(2, 5, 4)) * 2
    labels, T, alpha = np.array([0, 3, 1, 1, 2]), 3.0, 0.3
    truth = np.eye(4)[labels]
    p, q = activations.softmax(teacher / T), activations.softmax(student / T)
    hard, soft = activations.softmax(student) - truth, q - p

    def mixed(hard_part, soft_part, share=alpha):
        return (share * hard_part + (1 - share) * soft_part) / 5

    found = np.asarray(answer(student.copy(), teacher.copy(), labels.copy(), T, alpha))
    right = mixed(hard, T * soft)
    expect(
        found.shape == (5, 4),
        f"形状应为 (5, 4)，得到 {found.shape}",
        f"shape (5, 4) was expected, found {found.shape}",
    )
    expect(
        not close(found, mixed(hard, T**2 * soft)),
        "漏了内层导数 1/T：外面的 T² 与里面的 1/T 相乘，剩下 T",
        "the inner derivative 1/T is missing: T² in front times 1/T from inside leaves T",
    )
    expect(
        not close(found, mixed(hard, soft)) and not close(found, mixed(hard, soft / T)),
        "损失前面的 T² 没有算进去：软目标的梯度应为 T (q − p)",
        "the factor T² of the loss was left out: the soft part's gradient is T (q - p)",
    )
    expect(
        not close(found, mixed(hard, -T * soft)) and not close(found, -right),
        "符号反了：是学生减老师，预测减真相",
        "the sign: it is student minus teacher, prediction minus truth",
    )
    expect(
        not close(found, mixed(hard, T * soft, 1 - alpha)),
        "alpha 是标签那一项的权重，1 − alpha 才是老师的",
        "alpha is the weight of the labels, 1 - alpha that of the teacher: they are exchanged",
    )
    expect(
        not close(found, mixed(q - truth, T * soft)) and not close(found, mixed((q - truth) / T, T * soft)),
        "标签那一项的温度是 1，不要除以 T",
        "the labels are learned at temperature 1: no division by T in the hard part",
    )
    expect(
        not close(found, 5 * right),
        "要对样本取平均：除以样本数",
        "the losses are means: divide by the number of examples",
    )
    expect(
        close(found, right),
        "数值不对：两部分各是“预测减真相”",
        "the numbers differ: each part is prediction minus truth",
    )
