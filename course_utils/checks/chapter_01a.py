"""Checks of chapter 1a, large models."""

import numpy as np

from course_utils import datasets
from course_utils.exercises import close, exercise, expect
from course_utils.topics import first_network

PLAN_FLOPS, PLAN_DIGITS, PLAN_GOAL = 2e9, 15_000, 0.92


@exercise("01a.count_parameters")
def count_parameters(answer):
    """Sizes from hand, each picked for one mistake."""
    found = answer([3, 2])
    expect(
        found != 6,
        "只数了权重：每个输出还有一个偏置",
        "only the weights were counted: every output has a bias too",
    )
    expect(found != 9, "偏置属于输出，不属于输入", "a bias belongs to every output, not to every input")
    expect(
        found != 11, "输入没有偏置：只有后面一层才有", "the input has no biases: only the layer after it has"
    )
    expect(
        found == 8,
        "[3, 2] 应有 3·2 个权重和 2 个偏置，共 8 个",
        "[3, 2] has 3·2 weights and 2 biases, 8 in all",
    )
    found = answer([784, 128, 10])
    expect(
        found != 784 * 10 + 10,
        "不要跳过中间层：逐对看相邻的大小",
        "the layer in the middle was skipped: go through neighbouring pairs",
    )
    expect(
        found != 784 * 128 + 128,
        "只数了第一层：后面各层也要加上",
        "that is the first layer alone: add the later ones",
    )
    expect(
        found != 784 * 128 * 10 + 128 + 10,
        "各层的权重相加，不是把所有大小乘在一起",
        "layers add up: do not multiply all sizes with each other",
    )
    expect(found == 101_770, "[784, 128, 10] 应得 101,770", "[784, 128, 10] should give 101,770")
    expect(answer([5, 4, 3, 2]) == 24 + 15 + 8, "再多一层也要能算", "it should work for any number of layers")
    expect(answer([7]) == 0, "只有输入、没有层时，参数为 0", "an input alone has no layer: 0 parameters")


@exercise("01a.training_days")
def training_days(answer):
    """A training of exactly one day at full speed, then one thing at a time."""
    found = answer(1_000, 14_400, 1, 1_000, 1.0)
    expect(
        not close(found, 86_400),
        "这是秒数：再除以一天的秒数",
        "these are seconds: divide by the seconds of a day",
    )
    expect(not close(found, 24), "这是小时数：应为天数", "these are hours: the result should be days")
    expect(
        not close(found, 1 / 3),
        "只算了前向（2ND）：反向还要它的两倍，合计 6ND",
        "2ND is the forward pass alone: the backward pass costs twice that, 6ND together",
    )
    expect(
        not close(found, 2 / 3),
        "只算了反向（4ND）：还有前向，合计 6ND",
        "4ND is the backward pass alone: add the forward pass, 6ND together",
    )
    expect(
        close(found, 1),
        "1,000 个参数、14,400 个词元、每秒 1,000 FLOPs，应为 1 天",
        "1,000 parameters, 14,400 tokens, 1,000 FLOP/s should take 1 day",
    )
    half = answer(1_000, 14_400, 1, 1_000, 0.5)
    expect(
        not close(half, 0.5),
        "利用率越低，时间越长：应除以它，而不是乘",
        "a lower utilisation takes longer: divide by it, do not multiply",
    )
    expect(not close(half, 1), "没有用到利用率", "the utilisation was not used")
    expect(close(half, 2), "利用率 0.5 时应需要 2 天", "at a utilisation of 0.5 it should take 2 days")
    four = answer(1_000, 14_400, 4, 1_000, 1.0)
    expect(
        not close(four, 4), "设备越多越快：应除以设备数", "more devices are faster: divide by their number"
    )
    expect(close(four, 0.25), "4 台设备应需要四分之一天", "4 devices should take a quarter of a day")
    expect(
        close(answer(175e9, 300e9, 1000, 3e14, 0.4), 6 * 175e9 * 300e9 / 1.2e17 / 86_400),
        "GPT-3 的数不对",
        "the number for GPT-3 is wrong",
    )


@exercise("01a.training_flops")
def training_flops(answer):
    """Two layers, so that the first one's exception shows."""
    found = answer([3, 2])
    expect(
        found != 3 * 2 * 6,
        "第一层不必求输入的梯度：它前面没有要训练的东西",
        "the first layer needs no gradient of its input: nothing before it is trained",
    )
    expect(
        found != 12,
        "只算了前向（或把一次乘加只算成 1 次）：反向还要求权重的梯度",
        "that is the forward pass alone, or a multiply-add counted once: backward adds the gradient of the weights",
    )
    expect(found == 24, "[3, 2] 应为 2·6 + 2·6 = 24", "[3, 2] should give 2·6 + 2·6 = 24")
    found = answer([4, 3, 2])
    expect(
        found != 4 * (12 + 6),
        "第二层也要求输入的梯度，误差才能传回第一层",
        "the second layer does need the gradient of its input, or no error reaches the first",
    )
    expect(
        found == 4 * 12 + 6 * 6,
        "[4, 3, 2] 应为 4·12 + 6·6 = 84",
        "[4, 3, 2] should give 4·12 + 6·6 = 84",
    )
    expect(
        answer([784, 128, 10]) == 409_088,
        "[784, 128, 10] 应得 409,088",
        "[784, 128, 10] should give 409,088",
    )


@exercise("01a.plan")
def plan(answer):
    """Count what the plan costs, train by it, and judge the measured accuracy."""
    settings = answer()
    names = ("hidden", "examples", "epochs")
    expect(
        isinstance(settings, dict) and set(settings) == set(names),
        "应返回字典，恰好有三个键：hidden、examples、epochs",
        "a dictionary with exactly three keys should be returned: hidden, examples, epochs",
    )
    expect(
        all(isinstance(settings[name], int | np.integer) and settings[name] >= 1 for name in names),
        "hidden、examples、epochs 应为正整数",
        "hidden, examples and epochs should be whole numbers from 1",
    )
    hidden, examples, epochs = (int(settings[name]) for name in names)
    expect(
        examples <= PLAN_DIGITS,
        f"不同的样本最多 {PLAN_DIGITS:,} 个",
        f"at most {PLAN_DIGITS:,} different digits",
    )
    cost = plan_cost(hidden, examples, epochs)
    expect(
        cost <= PLAN_FLOPS,
        f"超出预算：{cost:.2e} FLOPs，最多 {PLAN_FLOPS:.0e}",
        f"over budget: {cost:.2e} FLOPs, {PLAN_FLOPS:.0e} are allowed",
    )
    found = plan_accuracy(hidden, examples, epochs)
    expect(
        found >= PLAN_GOAL,
        f"实测验证准确率 {found:.4f}，目标 {PLAN_GOAL}。用去 {cost:.2e} FLOPs，共看 {examples * epochs:,} 个样本",
        f"measured: validation accuracy {found:.4f}, the goal is {PLAN_GOAL}; "
        f"{cost:.2e} FLOPs for {examples * epochs:,} looks at a digit",
    )


def plan_cost(hidden, examples, epochs) -> int:
    """Return the FLOPs of training 784-hidden-10: 4 per weight of the first layer and look, 6 per weight of the second."""
    return (4 * first_network.PIXELS * hidden + 6 * hidden * first_network.CLASSES) * examples * epochs


def plan_accuracy(hidden, examples, epochs) -> float:
    """Train chapter 1's network and return its validation accuracy."""
    digits = datasets.mnist()
    pictures = digits.x_train.reshape(-1, first_network.PIXELS)
    seen, new = (part.astype("float32") / 255 for part in (pictures[:examples], pictures[-5_000:]))
    parameters = first_network.initialise(0, hidden)
    for _ in range(epochs):
        parameters, _ = first_network.one_epoch(parameters, seen, digits.y_train[:examples], batch_size=25)
    return first_network.accuracy(parameters, new, digits.y_train[-5_000:])
