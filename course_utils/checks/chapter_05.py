"""Checks of chapter 5, optimisers."""

import numpy as np

from course_utils.exercises import Wrong, close, exercise, expect
from course_utils.reference import optimizers


@exercise("05.stability_limit")
def stability_limit(answer):
    """One curvature, then several, so that each way to combine them differs."""
    expect(
        not close(answer([4.0]), 0.25),
        "1/λ 是一步到底的学习率；因子到 −1 才是上限，所以是 2/λ",
        "1/λ is the rate that arrives in one step; the limit is where the factor reaches −1: 2/λ",
    )
    expect(
        close(answer([4.0]), 0.5),
        "只有一个曲率 4 时，上限应为 0.5",
        "for one curvature of 4 the limit should be 0.5",
    )
    found = answer([1.0, 12.0, 3.0])
    expect(
        not close(found, 2.0),
        "最小的曲率决定快慢，最大的曲率才决定上限",
        "the smallest curvature decides how long it takes; the largest one sets the limit",
    )
    expect(
        not close(found, 2 * 3 / 16),
        "平均曲率不管用：只要有一个方向发散，整体就发散",
        "the mean does not help: one direction that explodes is enough",
    )
    expect(
        not close(found, 2 / 16),
        "曲率不要相加：各个方向彼此独立",
        "do not add the curvatures: each direction moves by itself",
    )
    expect(
        not close(found, 2 / 3.0) and not close(found, 2 / 1.0),
        "不要按位置取曲率，要取其中最大的",
        "do not pick a curvature by its place in the list: take the largest",
    )
    expect(
        close(found, 2 / 12),
        "曲率为 1、12、3 时，上限应为 2/12",
        "for curvatures 1, 12 and 3 the limit should be 2/12",
    )


@exercise("05.adam_step")
def adam_step(answer):
    """Five steps beside the reference, with settings that keep every typical mistake apart."""
    settings = {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.02}
    gradients = np.random.default_rng(0).normal(size=(5, 3)) * np.array([1.0, 0.1, 3.0])
    start = np.array([1.0, -2.0, 0.5])

    def follow(step, steps=5):
        weight, mean, square = start.copy(), np.zeros(3), np.zeros(3)
        for number in range(1, steps + 1):
            weight, mean, square = step(
                weight, gradients[number - 1].copy(), mean, square, number, 0.1, **settings
            )
        return np.asarray(weight), np.asarray(mean), np.asarray(square)

    def variant(
        first=True, second=True, inside=False, late=0, sign=1, root=True, power=2, corrected_first=False
    ):
        def step(weight, gradient, mean, square, number, rate, beta_1, beta_2, epsilon):
            mean = beta_1 * mean + (1 - beta_1) * gradient
            square = beta_2 * square + (1 - beta_2) * gradient**power
            mean_scale = 1 - beta_1 ** (number + late) if first else 1.0
            square_scale = 1 - beta_2 ** (number + late) if second else 1.0
            if corrected_first:
                scale = np.sqrt(square / square_scale) + epsilon
            else:
                scale = (np.sqrt(square + epsilon) if inside else np.sqrt(square) + epsilon) / np.sqrt(
                    square_scale
                )
            scale = scale if root else (square + epsilon) / square_scale
            return weight - sign * rate * mean / mean_scale / scale, mean, square

        return step

    result = answer(start.copy(), gradients[0].copy(), np.zeros(3), np.zeros(3), 1, 0.1, **settings)
    expect(
        isinstance(result, tuple) and len(result) == 3,
        "应返回三个数组 (weight, mean, square)",
        "three arrays should be returned: (weight, mean, square)",
    )
    expect(
        not close(follow(answer, 1)[1], gradients[0]),
        "返回的 mean 应是未校正的平均；校正只用于这一步，不要存回去",
        "return the uncorrected mean: the correction serves this step only and must not be stored",
    )
    _, mean, square = follow(answer, 2)
    _, right_mean, right_square = follow(variant(), 2)
    expect(
        not close(mean, _swapped(gradients[:2], 0.8)),
        "系数反了：旧的平均乘 β，新的梯度乘 1 − β",
        "the weights are exchanged: the old mean is multiplied by beta, the new gradient by 1 − beta",
    )
    expect(
        close(mean, right_mean),
        "mean 不对：应为 β₁ m + (1 − β₁) g",
        "the mean differs: it is beta_1 m + (1 − beta_1) g",
    )
    expect(
        close(square, right_square),
        "square 不对：平均的是梯度的平方，系数是 β₂",
        "the square differs: average the gradient squared, with beta_2",
    )
    found = follow(answer)[0]
    for settings_wrong, hint_zh, hint_en in [
        (
            {"first": False, "second": False},
            "没有校正偏差：mean 和 square 从 0 开始，起初偏小",
            "the bias correction is missing: mean and square start from 0 and are too small at first",
        ),
        (
            {"second": False},
            "只校正了 mean，square 也要校正",
            "only the mean is corrected; correct the square too",
        ),
        (
            {"first": False},
            "只校正了 square，mean 也要校正",
            "only the square is corrected; correct the mean too",
        ),
        ({"inside": True}, "ε 应在根号外面", "epsilon stands outside the root"),
        (
            {"corrected_first": True},
            "这是论文算法 1 的 ε（先校正再加）；这里 ε 加在未校正的根上",
            "this is epsilon as in Algorithm 1 of the paper; here it is added to the uncorrected root",
        ),
        (
            {"late": 1},
            "次数错了一位：第一次更新时 number 为 1，不要再加 1",
            "the count is off by one: number is 1 at first, do not add 1",
        ),
        ({"sign": -1}, "方向反了：要下坡，应减去", "this walks uphill: subtract the step"),
        ({"root": False}, "分母忘了开根号", "the root of the square is missing in the denominator"),
    ]:
        expect(not close(found, follow(variant(**settings_wrong))[0]), hint_zh, hint_en)
    expect(
        close(found, follow(variant())[0]),
        "五步之后的权重不对：对照公式逐项检查",
        "the weights after five steps differ: compare with the formula, part by part",
    )
    reference = optimizers.Adam(0.1, **settings)
    weight = [start]
    for gradient in gradients:
        weight = reference.update(weight, [gradient])
    expect(close(found, weight[0]), "与参考实现不同", "the result differs from the reference")


def _swapped(gradients, beta):
    mean = np.zeros(3)
    for gradient in gradients:
        mean = (1 - beta) * mean + beta * gradient
    return mean


class _Counted(dict):
    """A graph that counts how often children are looked up, and stops a walk that would never end."""

    def __init__(self, graph, most):
        super().__init__(graph)
        self.left = most

    def __getitem__(self, node):
        self.left -= 1
        if self.left < 0:
            raise Wrong(
                "逐条走了所有路径：把每个节点的答案记下来，只算一次",
                "this walks every path: remember each node's answer and work it out once",
            )
        return super().__getitem__(node)

    def get(self, node, default=None):
        return self[node] if node in self else default


@exercise("05.derivative")
def derivative(answer):
    """A chain, a branch, a double edge, a skip, a dead end, then more paths than anyone can walk."""
    expect(
        close(answer({"J": []}, "J", "J"), 1.0),
        "终点对自己的导数是 1",
        "the derivative of the end with respect to itself is 1",
    )
    chain = {"a": [("b", 2.0)], "b": [("J", 5.0)], "J": []}
    expect(
        not close(answer(chain, "a", "J"), 7.0),
        "沿着一条路径要相乘，不是相加",
        "along a path the local derivatives are multiplied, not added",
    )
    expect(close(answer(chain, "a", "J"), 10.0), "一条链 2 · 5 应得 10", "a chain of 2 and 5 should give 10")
    branch = {"a": [("b", 2.0), ("c", 3.0)], "b": [("J", 5.0)], "c": [("J", 7.0)], "J": []}
    found = answer(branch, "a", "J")
    expect(
        not close(found, 10.0) and not close(found, 21.0),
        "只走了一条路径；所有路径都要加起来",
        "only one path was followed; add up all of them",
    )
    expect(
        not close(found, 210.0),
        "不同路径之间是相加，不是相乘",
        "different paths are added, not multiplied",
    )
    expect(close(found, 31.0), "2 · 5 + 3 · 7 应得 31", "2 · 5 + 3 · 7 should give 31")
    double = {"a": [("b", 2.0), ("b", 3.0)], "b": [("J", 5.0)], "J": []}
    expect(
        close(answer(double, "a", "J"), 25.0),
        "同一对节点之间有两条边（如 b = a · a），两条都要算",
        "two edges join the same pair, as in b = a · a: both count",
    )
    skipping = {"a": [("b", 2.0), ("J", 1.0)], "b": [("c", 3.0)], "c": [("J", 5.0)], "J": []}
    expect(
        close(answer(skipping, "a", "J"), 31.0),
        "跳跃连接那条路径漏了",
        "the path that skips the middle is missing",
    )
    joined = {"a": [("b", 2.0), ("c", 3.0)], "b": [("d", 1.0)], "c": [("d", 1.0)], "d": [("J", 4.0)], "J": []}
    expect(
        close(answer(joined, "a", "J"), 20.0),
        "两条路径汇合之后，后面那段对两条都要算：不能因为访问过就跳过",
        "two paths that meet share their last part: a node that was visited still counts for the second path",
    )
    dead_end = {"a": [("b", 2.0), ("e", 9.0)], "b": [("J", 5.0)], "e": [], "J": []}
    expect(
        close(answer(dead_end, "a", "J"), 10.0),
        "到不了终点的路径贡献为 0",
        "a path that does not reach the end adds 0",
    )
    doubling = {number: [(number + 1, 1.0), (number + 1, 1.0)] for number in range(40)} | {40: []}
    expect(
        close(answer(_Counted(doubling, 2000), 0, 40), 2.0**40),
        "四十次翻倍应得 2 的 40 次方",
        "forty doublings should give 2 to the power of 40",
    )
