"""Checks of chapter 2, convolutional networks."""

import numpy as np

from course_utils.exercises import close, exercise, expect
from course_utils.reference import convolution


@exercise("02.output_size")
def output_size(answer):
    """Sizes from hand, each picked for one mistake."""
    expect(
        answer(28, 3, 1, 0) != 25,
        "第一个位置不用走就有：别忘了最后加 1",
        "the first place needs no step: add 1 at the end",
    )
    expect(
        answer(28, 3, 1, 0) == 26,
        "28 像素、核宽 3、步幅 1、不填充，应得 26",
        "28 pixels, kernel 3, stride 1, no padding should give 26",
    )
    expect(
        answer(28, 3, 1, 1) != 27,
        "padding 是每一侧的补零数，要乘以 2",
        "padding stands on both sides: count it twice",
    )
    expect(
        answer(28, 3, 1, 1) == 28,
        "每侧补 1 个零、核宽 3 时，尺寸应保持 28",
        "one zero on each side and a kernel of 3 should keep the size 28",
    )
    expect(
        answer(29, 3, 2, 0) == 14,
        "步幅为 2：用剩下的长度除以步幅",
        "with stride 2, divide what is left by the stride",
    )
    expect(
        answer(28, 3, 2, 0) == 13,
        "放不下的一步要舍去（向下取整），不要进位，结果也不能是小数",
        "a step that does not fit is dropped: round down, to a whole number",
    )
    expect(
        isinstance(answer(28, 3, 2, 0), (int, np.integer)),
        "结果应为整数：用 // 而不是 /",
        "the result should be a whole number: use // instead of /",
    )


@exercise("02.true_convolution")
def true_convolution(answer):
    """An image and a kernel without any symmetry, not square."""
    random = np.random.default_rng(0)
    image, kernel = random.normal(size=(7, 6)), random.normal(size=(3, 3))

    def correct(turned):
        return convolution.cross_correlate2d(image[None, ..., None], turned[..., None, None])[0, ..., 0]

    found = np.asarray(answer(image.copy(), kernel.copy()))
    expect(
        found.shape == (5, 4),
        f"应得到形状 (5, 4) 的 valid 结果，得到的是 {found.shape}",
        f'the "valid" result should have shape (5, 4); found shape {found.shape}',
    )
    expect(
        not close(found, correct(kernel)),
        "这是互相关：核还没有翻转",
        "this is cross-correlation: the kernel was not turned",
    )
    expect(
        not close(found, correct(kernel[::-1])) and not close(found, correct(kernel[:, ::-1])),
        "只翻转了一条轴；旋转 180° 要两条轴都倒过来",
        "only one axis was reversed; turning by 180 degrees reverses both",
    )
    expect(
        not close(found, correct(kernel.T)),
        "转置是交换两条轴，不是旋转 180°",
        "this is the transposed kernel: transposing exchanges the axes and does not turn by 180 degrees",
    )
    expect(
        not close(found, correct(np.rot90(kernel))) and not close(found, correct(np.rot90(kernel, 3))),
        "只旋转了 90°，应为 180°",
        "turned by 90 degrees; 180 are needed",
    )
    expect(
        close(found, correct(kernel[::-1, ::-1])),
        "数值不对：先翻转核的两条轴，再像互相关那样滑动",
        "the numbers differ: reverse both axes of the kernel, then slide it as in cross-correlation",
    )


@exercise("02.receptive_field")
def receptive_field(answer):
    """Each stack adds one more thing to think of."""
    expect(
        answer([]) == 1,
        "没有层时，一个像素只看见自己：感受野为 1",
        "without layers a pixel sees itself: start with 1",
    )
    expect(answer([(3, 1, 1)]) == 3, "一层 3×3 应看见 3 个像素", "one layer of 3 should see 3 pixels")
    expect(
        answer([(3, 1, 1), (3, 1, 1)]) != 9,
        "感受野是相加，不是相乘：每层增加 K − 1",
        "fields add up, they do not multiply: each layer adds K − 1",
    )
    expect(
        answer([(3, 1, 1), (3, 1, 1)]) == 5, "两层 3×3 应看见 5 个像素", "two layers of 3 should see 5 pixels"
    )
    expect(
        answer([(3, 1, 1), (3, 1, 4)]) == 11,
        "没有正确使用空洞：相邻权重相距 d 个像素，所以增加 (K − 1)·d",
        "dilation: neighbouring weights lie d apart, so a layer adds (K − 1)·d",
    )
    expect(
        answer([(3, 2, 1)]) == 3,
        "一层自己的步幅不影响它自己的感受野，只影响上面的层",
        "a layer's own stride does not change its own field, only that of the layers above: multiply the jump afterwards",
    )
    expect(
        answer([(3, 2, 1), (3, 1, 1)]) == 7,
        "下面一层的步幅为 2，上面走一步就是原图的 2 个像素：乘上跳距",
        "the layer below has stride 2, so one step above is 2 pixels: multiply by the jump",
    )
    expect(
        answer([(5, 2, 1), (3, 2, 1), (3, 2, 1)]) == 17,
        "跳距是下面所有步幅的乘积，不是只看最近的一层",
        "the jump is the product of all strides below, not that of the last layer alone",
    )
