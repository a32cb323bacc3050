"""Checks of chapter 5a, generalisation and speed."""

import numpy as np

from course_utils.exercises import close, exercise, expect
from course_utils.reference import schedules


@exercise("05a.time_to_accuracy")
def time_to_accuracy(answer):
    """Epochs of different lengths; a target that is met, missed, met at once, and exactly met."""
    seconds, accuracy = [30.0, 20.0, 25.0, 20.0], [0.97, 0.985, 0.991, 0.988]
    found = answer(seconds, accuracy, 0.99)
    expect(
        found != 2 and found != 3,
        "要的是秒数，而不是第几轮",
        "the answer is a time in seconds, not the number of an epoch",
    )
    expect(
        not close(found, 25.0),
        "这是那一轮的时间：前面几轮也花了时间，要加起来",
        "that is the time of one epoch: add up all epochs until the target is met",
    )
    expect(
        not close(found, 50.0),
        "达到目标的那一轮本身也要算进去",
        "the epoch that reaches the target counts too",
    )
    expect(
        not close(found, 95.0),
        "第一次达到目标就该停表，后面的轮不算",
        "stop the clock at the first epoch that reaches the target",
    )
    expect(close(found, 75.0), "30 + 20 + 25 秒，应得 75", "30 + 20 + 25 seconds should give 75")
    expect(
        close(answer([4.0, 4.0], [0.99, 0.992], 0.99), 4.0),
        "恰好等于目标也算达到：用 >=",
        "an accuracy equal to the target has reached it: use >=",
    )
    never = answer([4.0, 4.0], [0.9, 0.95], 0.99)
    expect(
        never is not None and close(1 / np.float64(never), 0.0),
        "从未达到目标时，应返回 math.inf（无穷大）",
        "when the target is never reached, return math.inf",
    )


@exercise("05a.warmup_cosine")
def warmup_cosine(answer):
    """Peak 0.4, 10 steps up, 100 in all, by hand and against the reference on every step."""
    peak, warmup, total = 0.4, 10, 100
    correct = schedules.cosine_with_warmup(0.0, total - warmup, warmup_target=peak, warmup_steps=warmup)
    expect(
        close(answer(0, peak, warmup, total), 0.0),
        "第 0 步的学习率应为 0：先预热",
        "step 0 should have rate 0: the warm-up starts there",
    )
    expect(
        close(answer(5, peak, warmup, total), peak / 2),
        "预热走到一半时，学习率应为峰值的一半（直线上升）",
        "half-way through the warm-up the rate should be half the peak: a straight line",
    )
    expect(
        close(answer(warmup, peak, warmup, total), peak),
        "预热结束时应恰好到达峰值：余弦的进度要从预热结束处算起",
        "at the end of the warm-up the rate should be the peak: the cosine's progress counts from there",
    )
    middle, end = answer(55, peak, warmup, total), answer(total, peak, warmup, total)
    expect(
        not close(end, -peak),
        "余弦从 1 降到 −1：先加 1，再除以 2，才不会出现负的学习率",
        "a cosine falls from 1 to −1: add 1 and divide by 2, or the rate turns negative",
    )
    expect(
        not close(end, peak),
        "走完了整个余弦周期，又回到了峰值：用 cos(π · 进度)，只走半个周期",
        "that is a whole cosine and ends at the peak again: use cos(pi * progress), half a wave",
    )
    expect(
        close(end, 0.0),
        "最后一步的学习率应为 0：进度要除以预热之后剩下的步数",
        "the rate at the last step should be 0: divide the progress by the steps left after the warm-up",
    )
    expect(
        close(middle, peak / 2),
        "下降段的正中应为峰值的一半；而且下降的是余弦，不是直线",
        "in the middle of the descent the rate should be half the peak",
    )
    expect(
        close(
            [answer(step, peak, warmup, total) for step in range(total + 1)], correct(np.arange(total + 1))
        ),
        "两端和中点都对，但中间不对：下降段应是余弦，不是直线",
        "ends and middle are right, the steps between are not: the descent should be a cosine, not a line",
    )


@exercise("05a.early_stopping")
def early_stopping(answer):
    """Losses with a plateau, a late best, and one that never stops early."""
    losses = [0.9, 0.5, 0.6, 0.55, 0.52, 0.4]
    found = answer(list(losses), 3)
    expect(
        isinstance(found, tuple) and len(found) == 2,
        "应返回两个数：（停在第几轮, 最好的是第几轮）",
        "return two numbers: (epoch of stopping, best epoch)",
    )
    stopped, best = (int(number) for number in found)
    expect(
        (stopped, best) != (5, 5),
        "没有提前停下：每轮都要和目前最好的损失比，而不是和上一轮比",
        "nothing stopped it: compare each loss with the best so far, not with the epoch before",
    )
    expect(
        best != 5,
        "第 5 轮的损失确实更低，但训练在那之前已经停了：早停看不到未来",
        "epoch 5 is better, but training has stopped before it: early stopping cannot see the future",
    )
    expect(
        (stopped, best) != (1, 4),
        "顺序反了：先写停在第几轮，再写最好的是第几轮",
        "the order is reversed: first the epoch of stopping, then the best one",
    )
    expect(best != 2, "轮数从 0 数起", "epochs are counted from 0")
    expect(
        best == 1,
        "最好的一轮是验证损失最低的那轮（从 0 数起）",
        "the best epoch is that of the lowest loss so far",
    )
    expect(
        stopped != 2,
        "第一次变差不该停：耐心（patience）为 3，要连续 3 轮没有进步",
        "the first worse epoch is not enough: patience 3 means three epochs in a row without a new best",
    )
    expect(
        stopped != 5,
        "停得晚了一轮：连续 patience 轮没有进步时就停",
        "one epoch too late: stop as soon as `patience` epochs in a row brought no new best",
    )
    expect(
        stopped == 4,
        "第 2、3、4 轮都没有进步，应停在第 4 轮",
        "epochs 2, 3 and 4 bring no new best: stop at 4",
    )
    wave = tuple(answer([1.0, 0.8, 0.9, 0.85, 0.7, 0.75, 0.72, 0.71], 3))
    expect(
        wave == (7, 4),
        "每创新低，就要从头数；要和最好的损失比，而不是和上一轮比",
        "a new best starts the count again; compare with the best loss, not with the epoch before",
    )
    expect(
        tuple(answer([0.9, 0.8, 0.7], 3)) == (2, 2),
        "一直在进步时不会提前停：停在最后一轮",
        "while the loss keeps falling nothing stops early: the last epoch is both",
    )


@exercise("05a.dropout")
def dropout(answer):
    """A mask by hand, the mean over many masks, and the gradient against a difference quotient."""
    random = np.random.default_rng(0)
    x, upstream, rate = random.normal(size=(4, 5)), random.normal(size=(4, 5)), 0.2
    keep = random.random((4, 5)) >= rate
    found = answer(x.copy(), rate, keep.copy(), upstream.copy())
    expect(
        isinstance(found, tuple) and len(found) == 2 and all(np.shape(part) == (4, 5) for part in found),
        "应返回两个形状为 (4, 5) 的数组：输出和梯度",
        "return two arrays of the shape of x: the output and the gradient",
    )
    output, gradient = (np.asarray(part, dtype="float64") for part in found)
    expect(
        not close(output[~keep], x[~keep]) and not close(output, np.where(keep, 0, x / (1 - rate))),
        "留下和丢弃弄反了：keep 为 True 的才留下",
        "kept and dropped are exchanged: True in `keep` means that the number stays",
    )
    expect(
        not close(output, x * keep),
        "留下的数还要除以 1 − rate，输出的均值才不变",
        "the numbers that stay must be divided by 1 - rate, or the mean shrinks",
    )
    expect(
        not close(output, x * keep / rate),
        "rate 是丢弃的比例：要除以留下的比例 1 − rate",
        "rate is the share that is dropped: divide by the share that stays, 1 - rate",
    )
    expect(
        not close(output, x * keep * (1 - rate)),
        "训练时应除以 1 − rate，不是乘：乘是不缩放的训练在测试时才用的",
        "while training divide by 1 - rate; multiplying belongs to the form that scales at test time",
    )
    expect(
        close(output, x * keep / (1 - rate)),
        "输出应为 x · keep / (1 − rate)",
        "the output should be x * keep / (1 - rate)",
    )
    expect(
        not close(gradient, upstream),
        "被丢弃的数对输出没有影响，它们的梯度是 0",
        "a dropped number does not move the output: its gradient is 0",
    )
    expect(
        not close(gradient, upstream * keep),
        "梯度也要乘以同一个 1 / (1 − rate)",
        "the gradient carries the same factor 1 / (1 - rate)",
    )
    expect(
        not close(gradient, keep / (1 - rate)),
        "别忘了乘上游传来的梯度 upstream（链式法则）",
        "multiply by `upstream`: the chain rule",
    )
    expect(
        close(gradient, upstream * keep / (1 - rate)),
        "梯度应为 upstream · keep / (1 − rate)，不含 x",
        "the gradient should be upstream * keep / (1 - rate), without x",
    )
