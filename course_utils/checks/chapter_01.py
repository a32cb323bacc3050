"""Checks of chapter 1, a network from scratch."""

import numpy as np

from course_utils import datasets
from course_utils.exercises import close, exercise, expect
from course_utils.topics import first_network

RECIPE_DIGITS, RECIPE_VIEWS, RECIPE_GOAL = 5_000, 20_000, 0.94


@exercise("01.cross_entropy")
def cross_entropy(answer):
    """Two rows whose probabilities are known from hand."""
    scores = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])  # softmax gives these probabilities back
    found = answer(scores.copy(), np.array([0, 2]))
    losses = np.array([np.log(2), -np.log(0.8)])
    expect(
        np.ndim(found) == 0,
        "应返回一个数：对各个样本取平均",
        "one number should be returned: the mean over the examples",
    )
    expect(
        not close(found, -losses.mean()),
        "损失应为正：log 前面要加负号",
        "the loss is positive: put a minus in front of the logarithm",
    )
    expect(
        not close(found, losses.sum()),
        "这是总和：应对样本取平均",
        "this is the sum over the examples: take the mean",
    )
    expect(
        not close(found, losses.mean() / np.log(2)),
        "用了以 2 为底的对数，单位成了比特：应取自然对数",
        "that is in bits: take the natural logarithm, not the one to base 2",
    )
    expect(
        not close(found, np.mean([0.5, 0.2])),
        "这是 1 减概率的平均值：应取 −log(概率)",
        "this is the mean of one minus the probability: take −log(probability)",
    )
    expect(
        not close(found, -scores.mean(axis=1).mean()),
        "只取正确类别的概率，其他类别不参与",
        "take the probability of the right class alone, not of all classes",
    )
    expect(
        close(found, losses.mean()),
        "数值不对：先算 softmax，再取每一行正确类别的概率",
        "the value is wrong: softmax first, then from each row the probability of the right class",
    )
    shifted = answer(scores + np.array([[3.0], [-2.0]]), np.array([0, 2]))
    expect(
        close(shifted, losses.mean()),
        "传入的是得分，不是概率：先做 softmax",
        "the function is given scores, not probabilities: apply softmax first",
    )


@exercise("01.dense_backward")
def dense_backward(answer):
    """Shapes that differ everywhere, then numbers."""
    random = np.random.default_rng(0)
    upstream, x, weights = random.normal(size=(5, 3)), random.normal(size=(5, 4)), random.normal(size=(4, 3))
    found = answer(upstream.copy(), x.copy(), weights.copy())
    expect(
        isinstance(found, tuple | list) and len(found) == 3,
        "应返回三个梯度：x 的、weights 的、偏置的",
        "three gradients should be returned: of x, of the weights, of the bias",
    )
    of_x, of_weights, of_bias = (np.asarray(gradient) for gradient in found)
    right = upstream @ weights.T, x.T @ upstream, upstream.sum(axis=0)
    expect(
        not (of_x.shape == (4, 3) and of_weights.shape == (5, 4)),
        "前两个梯度的次序反了：先是 x 的，再是 weights 的",
        "the first two are in the wrong order: first of x, then of the weights",
    )
    expect(
        of_weights.shape != (3, 4),
        "weights 的梯度要和 weights 同形：转置反了",
        "the gradient of the weights has their shape (4, 3): yours is transposed",
    )
    expect(
        of_x.shape == (5, 4),
        "x 的梯度要和 x 同形 (5, 4)",
        f"the gradient of x has the shape of x, (5, 4); found {of_x.shape}",
    )
    expect(
        of_weights.shape == (4, 3),
        "weights 的梯度要和 weights 同形 (4, 3)",
        f"the gradient of the weights has their shape, (4, 3); found {of_weights.shape}",
    )
    expect(
        of_bias.shape == (3,),
        "偏置的梯度要对样本求和，形状为 (3,)",
        f"the gradient of the bias is a sum over the examples, shape (3,); found {of_bias.shape}",
    )
    expect(
        not close(of_bias, upstream.mean(axis=0)),
        "偏置：应相加，不是取平均",
        "bias: add up over the examples, do not average",
    )
    expect(
        not close(of_weights, right[1] / 5),
        "weights：应相加，不是取平均",
        "weights: add up over the examples, do not average",
    )
    expect(
        close(of_x, right[0]),
        "x 的梯度数值不对：误差沿原来的权重返回",
        "the numbers of the gradient of x differ: the error goes back through the same weights",
    )
    expect(
        close(of_weights, right[1]),
        "weights 的梯度数值不对：输入乘以误差",
        "the weights' gradient differs: input times error",
    )
    expect(close(of_bias, right[2]), "偏置的梯度数值不对", "the numbers of the bias' gradient differ")


@exercise("01.update")
def update(answer):
    """One matrix, one vector, a learning rate that is not 1."""
    parameters, slopes = (
        [np.array([[1.0, 2.0]]), np.array([3.0])],
        [np.array([[10.0, -10.0]]), np.array([4.0])],
    )
    kept = [array.copy() for array in parameters]
    found = answer(parameters, slopes, 0.1)
    expect(
        all(close(array, before) for array, before in zip(parameters, kept, strict=True)),
        "参数被就地改动了：请返回新数组（不要用 -=），后面还要用到原来的参数",
        "the given arrays were changed in place: return new ones (no -=), the chapter needs the old ones again",
    )
    expect(
        isinstance(found, list | tuple) and len(found) == 2,
        "应返回一个列表，每个参数数组对应一个新数组",
        "a list should be returned, one new array for each array of the parameters",
    )
    expect(
        not close(found[0], [[2.0, 1.0]]),
        "方向反了：斜率指向上坡，下坡要减去它",
        "that walks uphill: the slope points up, so subtract it",
    )
    expect(
        not close(found[0], [[-9.0, 12.0]]),
        "没有用到学习率",
        "the learning rate was not used",
    )
    expect(
        not close(found[0], [[-1.0, 1.0]]),
        "这是走的那一步本身：还要加到原来的参数上",
        "that is the step alone: it has to be added to the old parameters",
    )
    expect(
        not close(found[0], [[-99.0, 102.0]]),
        "应乘以学习率，不是除以它",
        "multiply by the learning rate, do not divide by it",
    )
    expect(
        close(found[0], [[0.0, 3.0]]) and close(found[1], [2.6]),
        "每个数组都应为：参数 − 学习率 × 斜率",
        "each array should become: parameter − learning rate × slope",
    )


@exercise("01.recipe")
def recipe(answer):
    """Train with the reader's settings on a fixed budget, and judge the measured accuracy."""
    settings = answer()
    names = {"learning_rate", "batch_size", "hidden", "epochs"}
    expect(
        isinstance(settings, dict) and set(settings) == names,
        "应返回字典，恰好有四个键：learning_rate、batch_size、hidden、epochs",
        "a dictionary with exactly four keys should be returned: learning_rate, batch_size, hidden, epochs",
    )
    whole = [settings[name] for name in ("batch_size", "hidden", "epochs")]
    expect(
        all(isinstance(number, int) and number >= 1 for number in whole)
        and isinstance(settings["learning_rate"], int | float),
        "batch_size、hidden、epochs 应为正整数，learning_rate 应为数",
        "batch_size, hidden and epochs should be whole numbers from 1, learning_rate a number",
    )
    views = settings["epochs"] * RECIPE_DIGITS
    expect(
        views <= RECIPE_VIEWS,
        f"超出预算：{views:,} 次，最多 {RECIPE_VIEWS:,} 次",
        f"over budget: {views:,} looks at a digit, {RECIPE_VIEWS:,} are allowed",
    )
    expect(settings["hidden"] <= 256, "隐藏神经元最多 256 个", "at most 256 hidden neurons")
    found = measured(settings)
    expect(
        found["loss"] < 2 * np.log(10),  # never of a loss that is no number any more
        f"损失成了 {found['loss']:.3g}，比什么都不学（ln 10 = 2.3）还糟：学习率太大，越走越高",
        f"the loss is {found['loss']:.3g}, worse than knowing nothing (ln 10 = 2.3): "
        "the learning rate is too large, the steps climb",
    )
    expect(
        found["accuracy"] >= RECIPE_GOAL,
        f"实测验证准确率 {found['accuracy']:.4f}，目标 {RECIPE_GOAL}。训练损失 {found['loss']:.3f}",
        f"measured: validation accuracy {found['accuracy']:.4f}, the goal is {RECIPE_GOAL}; loss {found['loss']:.3f}",
    )


def measured(settings) -> dict:
    """Train the chapter's network with these settings; return the last epoch's loss and the validation accuracy."""
    digits = datasets.mnist()
    pictures = digits.x_train.reshape(-1, first_network.PIXELS)
    seen, new = (part.astype("float32") / 255 for part in (pictures[:RECIPE_DIGITS], pictures[-5_000:]))
    parameters, loss = first_network.initialise(0, settings["hidden"]), np.inf
    with np.errstate(all="ignore"):  # what a learning rate that is too large does is told in a hint
        for _ in range(settings["epochs"]):
            parameters, loss = first_network.one_epoch(
                parameters,
                seen,
                digits.y_train[:RECIPE_DIGITS],
                settings["learning_rate"],
                settings["batch_size"],
            )
    return {"loss": loss, "accuracy": first_network.accuracy(parameters, new, digits.y_train[-5_000:])}


@exercise("01.batches")
def batches(answer):
    """Ten examples whose label can be read off the picture."""
    labels = np.arange(10)
    pictures = np.repeat(labels[:, None], 3, axis=1).astype("float32")
    found = [pair for pair in answer(pictures, labels, 4, np.random.default_rng(0))]
    expect(
        all(isinstance(pair, tuple) and len(pair) == 2 for pair in found),
        "每一批应为一对：(图片, 标签)",
        "each batch should be a pair: (pictures, labels)",
    )
    expect(
        all(len(shown) == len(names) for shown, names in found),
        "同一批里，图片与标签的个数应相同",
        "a batch should hold as many labels as pictures",
    )
    names = np.concatenate([batch[1] for batch in found])
    shown = np.concatenate([batch[0][:, 0] for batch in found])
    expect(
        len(shown) == 10,
        f"一轮应把 10 个样本各用一次，找到 {len(shown)} 个：最后不满的一批也要保留",
        f"an epoch uses all 10 examples once, found {len(shown)}: keep the last batch although it is not full",
    )
    expect(
        (shown == names).all(),
        "图片和标签不再配对：图片打乱了，标签也要用同一个次序",
        "pictures and labels no longer belong together: the labels need the same order as the pictures",
    )
    expect(
        len(np.unique(names)) == 10,
        "有的样本出现了不止一次",
        "some example comes more than once",
    )
    expect(
        not (names == labels).all(),
        "没有打乱：次序仍与原来一样",
        "nothing was shuffled: the order is the old one",
    )
    expect(
        max(len(batch[1]) for batch in found) == 4,
        "每一批应有 size 个样本",
        "a batch should hold `size` examples",
    )
