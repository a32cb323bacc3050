"""Checks of chapter 8b, adaptation."""

import numpy as np

from course_utils.exercises import close, exercise, expect


@exercise("08b.lora_parameters")
def lora_parameters(answer):
    """A dense kernel that is not square, then a convolution."""
    found = answer((30, 20), 4)
    expect(
        found != 4 * 30 * 20 and found != 30 * 20,
        "这是整个权重矩阵的大小：A 和 B 是瘦长的，只有 r·(in + out) 个数",
        "that is the size of full kernels: A and B are thin, r (in + out) numbers together",
    )
    expect(
        found != 30 * 20 + 200,
        "冻住的权重不参与训练，不要算进去",
        "the frozen kernel is not trained: leave it out",
    )
    expect(found != 4 * 30 and found != 4 * 20, "A 和 B 都要算", "count both, A and B")
    expect(
        found == 4 * (30 + 20),
        f"(30, 20)、秩 4 应为 4·30 + 4·20 = 200，得到 {found}",
        f"(30, 20) with rank 4 should give 4 * 30 + 4 * 20 = 200; found {found}",
    )
    found = answer((3, 5, 8, 16), 2)
    expect(
        found != 2 * (8 + 16),
        "卷积的 A 要看整个窗口：3·5·8 个数，不只是通道数",
        "a convolution's A looks at the whole window: 3 * 5 * 8 numbers, not the channels alone",
    )
    expect(
        found != 2 * (3 + 5 + 8 + 16) and found != 2 * (15 + 8 + 16),
        "窗口里的数是相乘，不是相加",
        "the sizes of the window multiply, they do not add up",
    )
    expect(
        found != 2 * 15 * (8 + 16),
        "B 是 1 × 1 的卷积，不带窗口：只有 A 要乘上窗口",
        "B is a 1 x 1 convolution without a window: only A has one",
    )
    expect(
        found == 2 * (120 + 16),
        f"(3, 5, 8, 16)、秩 2 应为 2·(120 + 16) = 272，得到 {found}",
        f"(3, 5, 8, 16) with rank 2 should give 2 * (120 + 16) = 272; found {found}",
    )


@exercise("08b.draw")
def draw(answer):
    """Labels of very unequal frequency, twenty draws."""
    labels = np.repeat([0, 1, 2, 3], [60, 12, 8, 40])
    order = np.random.default_rng(0).permutation(len(labels))
    labels, classes, count = labels[order], [1, 2], 8
    drawn = [
        np.asarray(answer(labels.copy(), classes, count, np.random.default_rng(seed))) for seed in range(20)
    ]
    first = drawn[0]
    expect(
        first.ndim == 1 and len(first) == 16,
        f"2 个类别各 8 个，应得到 16 个下标，得到形状 {first.shape}",
        f"8 of each of 2 classes make 16 places; found shape {first.shape}",
    )
    expect(
        all(np.issubdtype(places.dtype, np.integer) for places in drawn)
        and not all(len(set(p)) <= 2 for p in drawn),
        "应返回样本在 labels 中的下标，不是标签本身",
        "return positions in labels, not the labels themselves",
    )
    expect(
        all(np.isin(labels[places], classes).all() for places in drawn),
        "抽到了别的类别的样本",
        "examples of other classes were drawn: only those in classes count",
    )
    expect(
        all(len(set(places)) == 16 for places in drawn),
        "同一个样本抽了不止一次：要不放回（replace=False）",
        "an example was drawn twice: draw without replacement (replace=False)",
    )
    expect(
        all(np.bincount(labels[places], minlength=3)[2] == 8 for places in drawn),
        "各类个数不等：要一类一类地抽，每类恰好 count 个",
        "the classes are not balanced: draw class by class, exactly count of each",
    )
    expect(
        len({tuple(sorted(places)) for places in drawn}) > 1,
        "每次抽到的都一样：要用 random 来抽，不能总取前几个",
        "every draw is the same: use random instead of taking the first ones",
    )
    expect(
        any(np.any(np.diff(labels[places]) < 0) for places in drawn),
        "各类还是一类接一类排着：最后要打乱次序，否则一批里只有一类",
        "the classes come one after the other: mix the order, or a batch holds a single class",
    )
    random = np.random.default_rng(7)
    expect(
        not np.array_equal(answer(labels, classes, count, random), answer(labels, classes, count, random)),
        "要用传进来的 random，不要每次自己新建一个",
        "use the generator that is passed in, not a new one of your own",
    )


@exercise("08b.lora_backward")
def lora_backward(answer):
    """Sizes all different, so that a wrong transposition cannot pass; alpha is not the rank."""
    random = np.random.default_rng(0)
    W, x, g = random.normal(size=(5, 4)), random.normal(size=(6, 5)), random.normal(size=(6, 4))
    A, B, alpha = random.normal(size=(5, 3)), random.normal(size=(3, 4)), 6.0
    try:
        found = answer(*(array.copy() for array in (W, x, g, A, B)), alpha)
    except ValueError as error:
        expect(
            "matmul" not in str(error) and "shapes" not in str(error),
            "矩阵形状对不上：检查转置。x 是 (批, in)，g 是 (批, out)，权重的梯度是 x 的转置乘 g",
            "the shapes do not fit: check the transposes. x is (batch, in), g (batch, out), the kernel's gradient x^T g",
        )
        raise
    expect(
        isinstance(found, tuple) and len(found) == 3,
        "应返回三个梯度：A、B、x",
        "return three gradients: for A, for B and for x",
    )
    gradient_a, gradient_b, gradient_x = (np.asarray(part) for part in found)
    expect(
        not (gradient_a.shape == B.shape and gradient_b.shape == A.shape),
        "A 和 B 的梯度次序反了",
        "the gradients of A and B are exchanged",
    )
    for part, name, wanted in ((gradient_a, "A", A), (gradient_b, "B", B), (gradient_x, "x", x)):
        expect(
            part.shape == wanted.shape,
            f"{name} 的梯度形状应为 {wanted.shape}，得到 {part.shape}",
            f"the gradient of {name} should have shape {wanted.shape}, found {part.shape}",
        )
    right_a, right_b = 2 * x.T @ g @ B.T, 2 * A.T @ x.T @ g
    for factor, hint_zh, hint_en in (
        (1 / 2, "漏了缩放系数 α/r", "the scale alpha / r is missing"),
        (3, "缩放系数是 α/r，不是 α", "the scale is alpha / r, not alpha"),
        (1 / 4, "缩放系数是 α/r，不是 r/α", "the scale is alpha / r, not r / alpha"),
        (
            1 / 6,
            "g 已经含有批量的平均：不要再除以批量大小",
            "g already holds the mean over the batch: do not divide again",
        ),
    ):
        expect(
            not close(gradient_a, factor * right_a) and not close(gradient_b, factor * right_b),
            hint_zh,
            hint_en,
        )
    expect(
        close(gradient_a, right_a),
        "A 的梯度应为 α/r · xᵀ g Bᵀ",
        "the gradient of A should be alpha/r x^T g B^T",
    )
    expect(
        close(gradient_b, right_b),
        "B 的梯度应为 α/r · Aᵀ xᵀ g",
        "the gradient of B should be alpha/r A^T x^T g",
    )
    expect(
        not close(gradient_x, g @ W.T),
        "x 的梯度漏了 A B：适配器也是这一层的一部分",
        "the gradient of x leaves out A B: the adapter is part of the layer",
    )
    expect(
        not close(gradient_x, g @ (2 * A @ B).T),
        "x 的梯度漏了 W：冻住的权重不训练，但仍然在起作用",
        "the gradient of x leaves out W: frozen is not trained, but it is still there",
    )
    expect(
        not close(gradient_x, g @ (W + A @ B).T),
        "x 的梯度里，A B 前面漏了 α/r",
        "in the gradient of x the scale alpha / r is missing before A B",
    )
    expect(
        close(gradient_x, g @ (W + 2 * A @ B).T),
        "x 的梯度应为 g (W + α/r A B)ᵀ",
        "the gradient of x should be g (W + alpha/r A B)^T",
    )
