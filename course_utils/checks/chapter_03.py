"""Checks of chapter 3, pooling."""

import numpy as np

from course_utils.exercises import close, exercise, expect
from course_utils.reference import convolution, pooling


@exercise("03.dense_parameters")
def dense_parameters(answer):
    """Sizes by hand, each picked for one mistake."""
    expect(
        answer(4, 4, 1, 0, 1) != 16,
        "别忘了偏置：每个输出一个",
        "do not forget the biases: one for each output",
    )
    expect(
        answer(4, 4, 1, 0, 10) != 161,
        "每个输出都有自己的偏置，共 units 个",
        "each output has its own bias: units of them",
    )
    expect(
        answer(4, 4, 1, 0, 1) == 17,
        "不池化时，4 × 4 × 1 到 1 个输出应为 17",
        "without pooling, 4 × 4 × 1 to one output should give 17",
    )
    expect(
        answer(8, 8, 3, 1, 1) != 25,
        "池化是逐通道进行的，通道数不变",
        "pooling works in each channel: the channels stay",
    )
    expect(
        answer(8, 8, 3, 1, 1) != 8 * 4 * 3 + 1,
        "高和宽都要减半，不只是其中一个",
        "height and width are halved, both of them",
    )
    expect(answer(8, 8, 3, 1, 1) == 49, "8 × 8 × 3 池化一次应为 49", "8 × 8 × 3, pooled once, should give 49")
    expect(
        answer(7, 7, 2, 2, 5) == 15,
        "每次池化都要向下取整：7 → 3 → 1，结果应为 15",
        "round down at every pooling: 7, then 3, then 1; 15 was expected",
    )


@exercise("03.average_kernel")
def average_kernel(answer):
    """Three channels with different content, so that mixing them shows."""
    random = np.random.default_rng(0)
    images = random.normal(size=(2, 6, 6, 3))
    kernel = np.asarray(answer(2, 3), dtype="float64")
    expect(
        kernel.shape == (2, 2, 3, 3),
        f"核的形状应为 (2, 2, 3, 3)，得到的是 {kernel.shape}",
        f"the kernel should have shape (2, 2, 3, 3); found {kernel.shape}",
    )
    found = convolution.cross_correlate2d(images, kernel, stride=2)
    expected = pooling.average_pool2d(images, 2)
    expect(
        not close(found, 4 * expected),
        "得到的是总和：要除以窗口里的像素数",
        "this gives the sum: divide by the number of pixels in the window",
    )
    expect(
        not close(found, 2 * expected),
        "窗口有 size × size 个像素，要除以 size 的平方",
        "a window has size × size pixels: divide by the square of size",
    )
    off_diagonal = kernel[:, :, ~np.eye(3, dtype=bool)]
    expect(
        np.all(off_diagonal == 0),
        "通道混在一起了：输出通道 0 只能看输入通道 0",
        "this mixes channels: output channel 0 may look at input channel 0 only",
    )
    expect(close(found, expected), "与平均池化的结果不同", "this differs from average pooling")
    larger = convolution.cross_correlate2d(images, np.asarray(answer(3, 3), dtype="float64"), stride=3)
    expect(
        close(larger, pooling.average_pool2d(images, 3)),
        "换成 3 × 3 的窗口就不对了：权重要随 size 变化",
        "wrong for a window of 3 × 3: the weight depends on size",
    )


@exercise("03.max_pool_backward")
def max_pool_backward(answer):
    """Windows apart, then overlapping, then with a tie."""
    random = np.random.default_rng(1)
    image, upstream = random.normal(size=(4, 4)), random.normal(size=(2, 2))

    def correct(upstream, image, size, stride):
        return pooling.max_pool2d_backward(upstream[None, ..., None], image[None, ..., None], size, stride)[
            0, ..., 0
        ]

    found = np.asarray(answer(upstream.copy(), image.copy(), 2, 2))
    expect(
        found.shape == image.shape,
        f"梯度的形状应与图像相同 (4, 4)，得到的是 {found.shape}",
        f"the gradient should have the image's shape (4, 4); found {found.shape}",
    )
    spread = np.kron(upstream, np.ones((2, 2)))
    expect(
        not close(found, spread / 4),
        "这是平均池化的梯度：每个像素都分到了",
        "this is average pooling's gradient: every pixel got a share",
    )
    expect(
        not close(found, spread),
        "梯度只归最大的那个像素，不是窗口里每个像素",
        "only the largest pixel gets the gradient, not every pixel of the window",
    )
    expect(
        np.count_nonzero(found) == 4 and close(np.sort(found[found != 0]), np.sort(upstream.ravel())),
        "四个窗口应各有一个像素得到该窗口的 upstream",
        "in each of the four windows one pixel should get that window's upstream",
    )
    expect(
        close(found, correct(upstream, image, 2, 2)),
        "位置不对：argmax 给出的是窗口内的坐标，要加上窗口的起点",
        "wrong positions: argmax counts within the window; add the window's corner",
    )
    image = np.zeros((5, 5))
    image[2, 2] = 9.0
    image += np.arange(25).reshape(5, 5) / 100
    found = np.asarray(answer(upstream.copy(), image.copy(), 3, 2))
    expect(
        not close(found[2, 2], upstream[1, 1]),
        "窗口重叠时，同一像素会多次获胜：要累加 +=，不要赋值 =",
        "where windows overlap, a pixel can win more than once: add (+=), do not assign",
    )
    expect(
        close(found, correct(upstream, image, 3, 2)),
        "步幅小于窗口时不对",
        "wrong when the stride is smaller than the window",
    )
    tie = np.asarray(answer(np.ones((1, 1)), np.ones((2, 2)), 2, 2))
    expect(
        close(tie, [[1, 0], [0, 0]]),
        "并列时，梯度应全部给第一个像素",
        "on a tie, the first pixel should get all of the gradient",
    )
