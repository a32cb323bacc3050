"""Checks of chapter 10, from PyTorch to Keras."""

import numpy as np

from course_utils.exercises import close, exercise, expect
from course_utils.reference import recurrent


@exercise("10.same_padding")
def same_padding(answer):
    """Sizes, each picked for one mistake."""
    pair = answer(6, 3, 2)
    expect(
        np.shape(pair) == (2,),
        "应返回两个数：（前，后）",
        "two numbers are expected: (before, after)",
    )
    expect(
        tuple(pair) != (1, 1),
        "两侧各补 kernel // 2 是 PyTorch 的做法；先算总共缺几行",
        "kernel // 2 on both sides is PyTorch's padding=1; ask how many rows are missing in all",
    )
    expect(
        tuple(pair) != (1, 0),
        "总数为奇数时，多出的一行补在后面",
        "the odd row goes after, not before",
    )
    expect(tuple(pair) == (0, 1), "(6, 3, 2) 应为 (0, 1)", "(6, 3, 2) should give (0, 1)")
    expect(
        min(answer(8, 1, 2)) >= 0,
        "补的行数不能是负数：窗口够用时补 0",
        "never pad a negative number: nothing is missing here, so 0",
    )
    expect(
        tuple(answer(7, 3, 2)) == (1, 1),
        "输出位置数要向上取整：7 行、步幅 2 有 4 个位置，应为 (1, 1)",
        "round the number of positions up: 7 rows with stride 2 have 4 positions, so (1, 1)",
    )
    for case, expected in {
        (28, 5, 1): (2, 2),
        (5, 2, 1): (0, 1),
        (10, 3, 3): (1, 1),
        (8, 1, 2): (0, 0),
    }.items():
        expect(
            tuple(answer(*case)) == expected,
            f"{case} 应为 {expected}，得到 {tuple(answer(*case))}",
            f"{case} should give {expected}; found {tuple(answer(*case))}",
        )


@exercise("10.to_linear")
def to_linear(answer):
    """Three axes of three sizes, so that every mix-up shows."""
    height, width, channels, units = 2, 3, 4, 5
    kernel = np.arange(height * width * channels * units, dtype="float64").reshape(-1, units)
    by_axes = kernel.reshape(height, width, channels, units)
    expected = by_axes.transpose(3, 2, 0, 1).reshape(units, -1)
    found = np.asarray(answer(kernel.copy(), (height, width, channels)))
    expect(
        not close(found, expected.T),
        "次序对了，但 PyTorch 的权重是（输出，输入）：还要转置",
        "the order is right, but PyTorch's weight is (out, in): transpose",
    )
    expect(
        found.shape == expected.shape,
        f"形状应为（输出，输入）= {expected.shape}，得到 {found.shape}",
        f"the shape should be (out, in) = {expected.shape}; found {found.shape}",
    )
    expect(
        not close(found, kernel.T),
        "只做了转置：各列还是 Keras 逐位置的顺序",
        "only transposed: the columns are still in Keras's order, position by position",
    )
    forward = kernel.T.reshape(units, channels, height, width).transpose(0, 2, 3, 1).reshape(units, -1)
    expect(
        not close(found, forward),
        "这是去程的排列；kernel 的各行是按（高，宽，通道）展平的",
        "this is the way there again, from PyTorch to Keras; the rows of kernel were flattened as (height, width, channels)",
    )
    expect(
        not close(found, by_axes.transpose(3, 2, 1, 0).reshape(units, -1)),
        "高和宽对调了：PyTorch 的顺序是通道、高、宽",
        "height and width are exchanged: PyTorch's order is channels, height, width",
    )
    expect(
        close(found, expected),
        "次序不对：应为输出、通道、高、宽",
        "a different order is expected: out, channels, height, width",
    )


@exercise("10.gru")
def gru(answer):
    """Compares the arrays, then the outputs of the course's GRU."""
    random = np.random.default_rng(3)
    features, units = 3, 2
    state = {
        "weight_ih_l0": random.normal(size=(3 * units, features)),
        "weight_hh_l0": random.normal(size=(3 * units, units)),
        "bias_ih_l0": random.normal(size=3 * units),
        "bias_hh_l0": random.normal(size=3 * units),
    }
    order = [2, 3, 0, 1, 4, 5]  # rows r r z z n n -> z z r r n n
    expected = [
        state["weight_ih_l0"][order].T,
        state["weight_hh_l0"][order].T,
        np.stack([state["bias_ih_l0"][order], state["bias_hh_l0"][order]]),
    ]
    found = answer({key: value.copy() for key, value in state.items()})
    expect(
        isinstance(found, (list, tuple)) and len(found) == 3,
        "应返回三个数组：输入权重、循环权重、偏置",
        "three arrays are expected: kernel, recurrent kernel, bias",
    )
    kernel, recurrent_kernel, bias = map(np.asarray, found)
    expect(
        kernel.shape == expected[0].shape,
        f"输入权重的形状应为 {expected[0].shape}，得到 {kernel.shape}：要转置",
        f"the kernel should have shape {expected[0].shape}; found {kernel.shape}: transpose it",
    )
    expect(
        not close(kernel, state["weight_ih_l0"].T),
        "门的顺序没有变：Keras 先更新门 z，再重置门 r",
        "the gates kept their order: Keras has update (z) before reset (r)",
    )
    expect(
        bias.shape == expected[2].shape,
        f"偏置的形状应为 {expected[2].shape}，得到 {bias.shape}：GRU 的两个偏置不能相加",
        f"the bias should have shape {expected[2].shape}; found {bias.shape}: a GRU's two biases do not add up",
    )
    expect(
        not close(bias, np.stack([state["bias_ih_l0"], state["bias_hh_l0"]])),
        "偏置也要按同样的顺序重排",
        "the biases have gates too: reorder them as well",
    )
    expect(
        not close(bias, expected[2][::-1]),
        "偏置的两行对调了：输入的偏置在前",
        "the two rows of the bias are exchanged: the inputs' bias comes first",
    )
    expect(close(kernel, expected[0]), "输入权重的门顺序不对", "the kernel's gates are in another order")
    expect(
        recurrent_kernel.shape == expected[1].shape and close(recurrent_kernel, expected[1]),
        "循环权重不对：它也要重排并转置",
        "the recurrent kernel is wrong: reorder and transpose it too",
    )
    sequence = random.normal(size=(1, 4, features))
    expect(
        close(
            recurrent.gru(sequence, kernel, recurrent_kernel, bias)[0], recurrent.gru(sequence, *expected)[0]
        ),
        "输出不同",
        "the outputs differ",
    )
