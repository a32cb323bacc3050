"""Checks of chapter 2, convolutional networks."""

import keras
import numpy as np

from course_utils import datasets, training
from course_utils.exercises import close, exercise, expect
from course_utils.reference import convolution

MOST_PARAMETERS, GOAL = 10_000, 0.965
DIGITS, NEW_DIGITS, EPOCHS, BATCH = 5_000, 3_000, 3, 64


@exercise("02.output_size")
def output_size(answer):
    """Sizes from hand, each picked for one mistake."""
    answer, takes_dilation = _with_dilation(answer)
    expect(
        answer(28, 3, 1, 0, 1) != 25,
        "第一个位置不用走就有：别忘了最后加 1",
        "the first position needs no step: add 1 at the end",
    )
    expect(
        answer(28, 3, 1, 0, 1) == 26,
        "28 像素、核宽 3、步幅 1、不填充，应得 26",
        "28 pixels, kernel 3, stride 1, no padding should give 26",
    )
    expect(
        answer(28, 3, 1, 1, 1) != 27,
        "padding 是每一侧的补零数，要乘以 2",
        "padding is on both sides: count it twice",
    )
    expect(
        answer(28, 3, 1, 1, 1) == 28,
        "每侧补 1 个零、核宽 3 时，尺寸应保持 28",
        "one zero on each side and a kernel of 3 should keep the size 28",
    )
    expect(
        answer(29, 3, 2, 0, 1) == 14,
        "步幅为 2：用剩下的长度除以步幅",
        "with stride 2, divide what is left by the stride",
    )
    expect(
        answer(28, 3, 2, 0, 1) == 13,
        "放不下的一步要舍去（向下取整），不要进位，结果也不能是小数",
        "a step that does not fit is dropped: round down, to a whole number",
    )
    expect(
        isinstance(answer(28, 3, 2, 0, 1), (int, np.integer)),
        "结果应为整数：用 // 而不是 /",
        "the result should be a whole number: use // instead of /",
    )
    if not takes_dilation:
        return
    expect(
        answer(28, 3, 1, 0, 4) != 26,
        "没有用到空洞率：核拉开以后覆盖的像素更多",
        "the dilation was not used: a kernel that is pulled apart covers more pixels",
    )
    expect(
        answer(28, 3, 1, 0, 4) != 17,
        "空洞率 4、核宽 3：权重之间有 K − 1 个间隔，覆盖 4·(K − 1) + 1 个像素，不是 4·K 个",
        "between K weights there are K − 1 gaps: the kernel covers d·(K − 1) + 1 pixels, not d·K",
    )
    for size, kernel, stride, dilation in [(28, 3, 1, 4), (30, 5, 3, 1), (17, 2, 1, 3), (32, 7, 2, 1)]:
        layer = keras.layers.Conv2D(1, kernel, strides=stride, dilation_rate=dilation, name="size")
        by_keras = layer.compute_output_shape((1, size, size, 1))[1]
        found = answer(size, kernel, stride, 0, dilation)
        expect(
            found == by_keras,
            f"尺寸 {size}、核 {kernel}、步幅 {stride}、空洞率 {dilation}：Keras 得 {by_keras}，你得 {found}",
            f"size {size}, kernel {kernel}, stride {stride}, dilation {dilation}: Keras has {by_keras}, you have {found}",
        )


def _with_dilation(answer):
    """Return a function of five arguments, and whether it looks at the fifth: copies of version 0.1 ask for four."""
    try:
        answer(28, 3, 1, 0, 1)
    except TypeError:
        answer(28, 3, 1, 0)
        return lambda size, kernel, stride, padding, _: answer(size, kernel, stride, padding), False
    return answer, True


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
        "没有正确使用空洞率：相邻权重相距 d 个像素，所以增加 (K − 1)·d",
        "dilation: neighbouring weights lie d apart, so a layer adds (K − 1)·d",
    )
    expect(
        answer([(3, 2, 1)]) == 3,
        "一层自己的步幅不影响它自己的感受野，只影响上面的层：先加，再更新跳距",
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


@exercise("02.small_network")
def small_network(answer):
    """Train the reader's network by a fixed recipe, and judge what is measured."""
    keras.utils.set_random_seed(0)
    model = answer()
    expect(
        isinstance(model, keras.Model),
        "应返回 Keras 模型，例如 keras.Sequential([...])",
        "a Keras model should be returned, such as keras.Sequential([...])",
    )
    expect(
        model.built and tuple(model.input_shape) == (None, 28, 28, 1),
        "第一项应为 keras.Input((28, 28, 1))",
        "the first entry should be keras.Input((28, 28, 1))",
    )
    expect(
        tuple(model.output_shape) == (None, 10),
        f"输出应为每张图 10 个得分，形状 (None, 10)，得到的是 {model.output_shape}：卷积之后要先 Flatten 或全局池化",
        f"the output should be 10 scores per image, (None, 10); found {model.output_shape}: after the convolutions "
        "comes Flatten or global pooling, then Dense(10)",
    )
    activation = getattr(getattr(model.layers[-1], "activation", None), "__name__", "")
    expect(
        activation != "softmax" and not isinstance(model.layers[-1], keras.layers.Softmax),
        "应返回得分：最后一层不要 softmax，它已经在损失里了",
        "scores are asked for: no softmax at the end, it is in the loss",
    )
    largest = max(model.layers, key=lambda layer: layer.count_params())
    expect(
        model.count_params() <= MOST_PARAMETERS,
        f"参数太多：{model.count_params():,}，最多 {MOST_PARAMETERS:,}；最多的一层是 {largest.name}，有 {largest.count_params():,} 个",
        f"too many parameters: {model.count_params():,}, {MOST_PARAMETERS:,} are allowed; the largest layer is "
        f"{largest.name} with {largest.count_params():,}",
    )
    accuracy = measured(model)
    kinds = {type(layer).__name__ for layer in model.layers}
    expect(
        accuracy >= GOAL or any("Conv" in kind for kind in kinds),
        f"实测准确率 {accuracy:.4f}，目标 {GOAL}。没有卷积层：每个像素一个权重，参数很快就用完了",
        f"measured: {accuracy:.4f}, the goal is {GOAL}. There is no convolution: with a weight for each pixel, "
        "the parameters are soon used up",
    )
    expect(
        accuracy >= GOAL,
        f"实测准确率 {accuracy:.4f}，目标 {GOAL}（参数 {model.count_params():,} 个）。看看摘要：参数都用在哪一层？",
        f"measured: {accuracy:.4f}, the goal is {GOAL} ({model.count_params():,} parameters). Look at the summary: "
        "which layer has them?",
    )


def measured(model) -> float:
    """Train a network that gives scores on a few digits; return its accuracy on digits that it has not seen."""
    digits = datasets.mnist()
    seen, new = slice(0, DIGITS), slice(-NEW_DIGITS, None)
    rate = training.OneCycle(0.01, steps=EPOCHS * -(-DIGITS // BATCH))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, steps_per_execution=8)
    pictures = datasets.as_images(digits.x_train[seen])
    model.fit(pictures, digits.y_train[seen], batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return training.accuracy(model, datasets.as_images(digits.x_train[new]), digits.y_train[new])


@exercise("02.true_convolution")
def true_convolution(answer):
    """An image and a kernel without any symmetry, not square."""
    random = np.random.default_rng(0)
    image, kernel = random.normal(size=(7, 6)), random.normal(size=(3, 3))

    def correct(rotated):
        return convolution.cross_correlate2d(image[None, ..., None], rotated[..., None, None])[0, ..., 0]

    found = np.asarray(answer(image.copy(), kernel.copy()))
    expect(
        found.shape == (5, 4),
        f"应得到形状 (5, 4) 的 valid 结果，得到的是 {found.shape}",
        f'the "valid" result should have shape (5, 4); found shape {found.shape}',
    )
    expect(
        not close(found, correct(kernel)),
        "这是互相关：核还没有旋转",
        "this is cross-correlation: the kernel was not rotated",
    )
    expect(
        not close(found, correct(kernel[::-1])) and not close(found, correct(kernel[:, ::-1])),
        "只翻转了一条轴；旋转 180° 要两条轴都倒过来",
        "only one axis was reversed; rotating by 180 degrees reverses both",
    )
    expect(
        not close(found, correct(kernel.T)),
        "转置是交换两条轴，不是旋转 180°",
        "this is the transposed kernel: transposing exchanges the axes and does not rotate by 180 degrees",
    )
    expect(
        not close(found, correct(np.rot90(kernel))) and not close(found, correct(np.rot90(kernel, 3))),
        "只旋转了 90°，应为 180°",
        "rotated by 90 degrees; 180 are needed",
    )
    expect(
        close(found, correct(kernel[::-1, ::-1])),
        "数值不对：先把核的两条轴都倒过来，再像互相关那样滑动",
        "the numbers differ: reverse both axes of the kernel, then slide it as in cross-correlation",
    )
