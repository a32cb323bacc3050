"""Checks of chapter 6, recurrent networks."""

import numpy as np

from course_utils.exercises import close, exercise, expect


@exercise("06.parameters")
def parameters(answer):
    """Sizes from Keras' own layers, each picked for one mistake."""
    features, units = 7, 5
    simple = answer("SimpleRNN", features, units)
    expect(
        simple != 7 * 5 + 5,
        "漏了循环权重 U：单元 × 单元",
        "the recurrent kernel U is missing: units × units more",
    )
    expect(simple != 5 * (7 + 5), "漏了偏置", "the bias is missing: one number for each unit")
    expect(
        simple == 65,
        "7 个特征、5 个单元的 SimpleRNN：W、U、b 共 65 个",
        "a SimpleRNN of 7 features and 5 units: W, U and b have 65 numbers together",
    )
    long_short = answer("LSTM", features, units)
    expect(
        long_short != 3 * 65,
        "三个门之外还有候选值：LSTM 共四块",
        "three gates and one candidate: an LSTM has four blocks",
    )
    expect(
        long_short == 4 * 65,
        "LSTM 有四块，每块与 SimpleRNN 一样大",
        "an LSTM is four blocks, each like a SimpleRNN",
    )
    gated = answer("GRU", features, units)
    expect(
        gated != 2 * 70 and gated != 2 * 65,
        "两个门之外还有候选值：共三块",
        "two gates and one candidate: three blocks",
    )
    expect(
        gated != 3 * 65,
        "Keras 的默认设置 reset_after=True 有两个偏置，形状为 (2, 3 × 单元)",
        "Keras' default, reset_after=True, has two biases: shape (2, 3 units)",
    )
    expect(gated == 3 * 70, "GRU 有三块，每块两个偏置", "a GRU is three blocks with two biases each")
    expect(
        answer("LSTM", 28, 128) == 80_384,
        "28 个特征、128 个单元的 LSTM 应有 80,384 个参数",
        "an LSTM of 28 features and 128 units should have 80,384 parameters",
    )


@exercise("06.last_states")
def last_states(answer):
    """Outputs that are all different, so that each mistake shows."""
    outputs = np.arange(3 * 5 * 2, dtype="float64").reshape(3, 5, 2) ** 1.5
    lengths = np.array([3, 5, 1])
    try:
        found = np.asarray(answer(outputs.copy(), lengths.copy()))
    except IndexError:
        expect(
            False,
            "下标越界：第 n 步的下标是 n − 1",
            "an index beyond the last step: step number n has the index n − 1",
        )
    expect(
        found.shape != (3, 3, 2),
        "outputs[:, lengths] 为每个序列取了所有这些步；还要指明是哪个序列：第一维用 np.arange",
        "outputs[:, lengths] takes all these steps of every sequence: name the sequence too, np.arange in the first place",
    )
    expect(
        found.shape == (3, 2),
        f"应得到形状 (3, 2)，得到的是 {found.shape}",
        f"shape (3, 2) was expected, one state a sequence; found {found.shape}",
    )
    expect(
        not close(found, outputs[:, -1]),
        "这是最后一列，对短序列来说那是填充之后的状态",
        "this is the last column; for a short sequence that is a state after padding",
    )
    expect(
        not close(found, outputs[[0, 1, 2], lengths - 2]),
        "少算了一步",
        "one step too early",
    )
    expect(
        not close(found, [outputs[row, :length].mean(axis=0) for row, length in enumerate(lengths)]),
        "这是真实各步的平均，要的是最后一步",
        "this is the mean over the real steps; the last one was asked for",
    )
    expect(
        close(found, [outputs[row, length - 1] for row, length in enumerate(lengths)]),
        "数值不对：第 k 个序列应取下标为 lengths[k] − 1 的那一步",
        "the numbers differ: of sequence k, take the step with the index lengths[k] − 1",
    )


@exercise("06.lstm_step_backward")
def lstm_step_backward(answer):
    """One step whose gradients the reference knows; the four parts are looked at one by one."""
    random = np.random.default_rng(0)
    i, f, o = 1 / (1 + np.exp(-random.normal(size=(3, 6))))
    g, before = np.tanh(random.normal(size=6)), random.normal(size=6)
    cell = f * before + i * g
    hidden_slope, cell_slope = random.normal(size=(2, 6))
    found = answer(*(part.copy() for part in (hidden_slope, cell_slope, i, f, g, o, before, cell)))
    expect(
        isinstance(found, tuple) and len(found) == 2,
        "应返回一对：四个自变量的梯度，和 cell_before 的梯度",
        "a pair was expected: the gradients of the four arguments, and that of cell_before",
    )
    arguments, before_slope = (np.asarray(part) for part in found)
    expect(
        arguments.shape == (24,) and before_slope.shape == (6,),
        f"形状应为 (24,) 和 (6,)，得到的是 {arguments.shape} 和 {before_slope.shape}",
        f"shapes (24,) and (6,) were expected; found {arguments.shape} and {before_slope.shape}",
    )
    squashed = np.tanh(cell)
    through_output = hidden_slope * o * (1 - squashed**2)
    asked = cell_slope + through_output
    expect(
        not close(before_slope, cell_slope * f),
        "漏了从 h 到 c 的路：h = o tanh(c) 也对 c 提出了要求",
        "the way from h to c is missing: h = o tanh(c) asks something of c, too",
    )
    expect(
        not close(before_slope, (cell_slope + hidden_slope * o) * f),
        "从 h 到 c 要穿过 tanh：乘上 1 − tanh²(c)",
        "from h to c the gradient goes through tanh: times 1 − tanh²(c)",
    )
    expect(
        not close(before_slope, through_output * f),
        "漏了后面的步对 c 的要求 cell_slope",
        "what later steps ask of the cell, cell_slope, is missing",
    )
    expect(
        not close(before_slope, asked),
        "cell_before 是乘了 f 才进来的：梯度也要乘 f",
        "cell_before came in through the forget gate: its gradient is multiplied by f",
    )
    expect(
        close(before_slope, asked * f),
        "cell_before 的梯度不对：(cell_slope + hidden_slope · o · (1 − tanh²c)) · f",
        "the gradient of cell_before differs: first collect all that is asked of the cell, then multiply by f",
    )
    right = {
        "i": asked * g * i * (1 - i),
        "f": asked * before * f * (1 - f),
        "c": asked * i * (1 - g**2),
        "o": hidden_slope * squashed * o * (1 - o),
    }
    parts = dict(zip("ifco", arguments.reshape(4, 6), strict=True))
    expect(
        not (close(np.sort(arguments), np.sort(np.concatenate(list(right.values())))))
        or close(arguments, np.concatenate(list(right.values()))),
        "四部分都对，顺序不对：Keras 的顺序是 i、f、c、o",
        "all four parts are right, in another order: Keras has i, f, c, o",
    )
    expect(
        not close(parts["i"], asked * g) and not close(parts["c"], asked * i),
        "要的是 σ 和 tanh 的自变量的梯度：还要乘上它们的斜率",
        "the gradients of the arguments were asked for: multiply by the slopes of σ and tanh",
    )
    expect(
        not close(parts["c"], asked * i * g * (1 - g)),
        "候选值用的是 tanh，斜率为 1 − g²，不是 g (1 − g)",
        "the candidate goes through tanh: its slope is 1 − g², not g (1 − g)",
    )
    expect(
        not close(parts["f"], asked * cell * f * (1 - f)),
        "遗忘门乘的是前一步的细胞状态 cell_before",
        "the forget gate multiplied the cell before this step, cell_before",
    )
    expect(
        not close(parts["o"], asked * squashed * o * (1 - o)),
        "输出门只通过 h 起作用：用 hidden_slope",
        "the output gate acts through h alone: use hidden_slope",
    )
    for name, expected in right.items():
        expect(close(parts[name], expected), f"{name} 的部分不对", f"the part of {name} differs")
