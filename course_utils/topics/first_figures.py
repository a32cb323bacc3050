"""The drawings of chapter 1: what is drawn is computed in the chapter, how it is drawn is here."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from course_utils import plots, sliders
from course_utils.language import words

BLUE, RED, GREEN = plots.COLORS[0], plots.COLORS[1], plots.COLORS[2]
GREY = "0.72"


def digits(pictures, labels) -> None:
    """Draw digits with their labels.

    Args:
        pictures: (count, 784).
        labels: (count,).
    """
    plots.show(
        plots.grid(pictures.reshape(-1, 28, 28), labels, size=0.8),
        alt="Handwritten digits of the training set with their labels.",
        alt_zh="训练集中的手写数字及其标签。",
    )


def answers(pictures, said) -> None:
    """Draw the reader's digit and some others, then the same black on white; above each what the network says.

    Args:
        pictures: (2 * count, 784), the second half being the first one inverted.
        said: (2 * count,).
    """
    titles = [f"“{answer}”" for answer in said]
    titles[0] += words(" (yours)", "（你的）")
    plots.show(
        plots.grid(pictures.reshape(-1, 28, 28), titles, size=1.1, vmin=0, vmax=1),
        alt="The drawn digit and seven validation digits white on black, and the same black on white; above each the "
        "network's answer: the upper row is mostly right, the lower mostly wrong.",
        alt_zh="画出的数字和七个验证样本，黑底白字；下面一行是同样的数字，白底黑字。每张上方是网络的答案：上排大多正确，下排大多错误。",
    )


def one_weight(upper, lower, loss) -> None:
    """Draw the examples with three lines `lower = weight * upper`, and the loss against the weight.

    Args:
        upper, lower: ink of the two halves, one number per digit.
        loss: function of the weight.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
    left.scatter(upper, lower, s=4, color="0.6")
    weights = np.linspace(-0.2, 2.2, 100)
    right.plot(weights, [loss(weight) for weight in weights], color="0.3")
    ends = np.array([0, upper.max()])
    for weight, color, style in zip([0.5, 1.0, 2.0], plots.COLORS, plots.LINES, strict=False):
        left.plot(ends, weight * ends, color=color, linestyle=style)
        right.plot(weight, loss(weight), marker="o", color=color, markersize=9)
        right.annotate(
            f"{weight}", (weight, loss(weight)), xytext=(0, 9), textcoords="offset points", ha="center"
        )
        end = min(ends[1], lower.max() / weight)
        label = words(f"weight {weight}", f"权重 {weight}")
        left.text(end, weight * end, label, color=color, ha="right", va="bottom")
    left.set(
        ylim=(0, 1.1 * lower.max()), title=words("Each weight draws one line …", "每个权重画出一条直线……")
    )
    left.set_xlabel(words("ink in the upper half (0 to 10)", "上半部分的墨量（0 到 10）"))
    left.set_ylabel(words("ink in the lower half (0 to 10)", "下半部分的墨量（0 到 10）"))
    right.set(xlabel=words("weight", "权重"), ylabel=words("loss", "损失"), ylim=(0, None))
    right.set_title(words("… and has one loss", "……并有一个损失"))
    plots.show(
        figure,
        alt="Left: a cloud of points, the ink of a digit's lower half against that of its upper half, with lines through "
        "the origin for three weights. Right: the loss against the weight is a bowl with its lowest point slightly above 1; "
        "the three weights are marked on it.",
        alt_zh="左图：每个点是一个手写数字，横轴是上半部分的墨量，纵轴是下半部分的墨量；三条过原点的直线对应三个权重。"
        "右图：损失随权重的变化像一只碗，最低点略大于 1；三个权重标在曲线上。",
    )


def steps(loss, paths) -> None:
    """Draw the steps of gradient descent on the loss curve, one panel per learning rate.

    Args:
        loss: function of the weight.
        paths: {learning rate: the weights that were visited}.
    """
    figure, axes = plt.subplots(1, len(paths), figsize=(10, 3.3), sharey=True)
    farthest = max(abs(weight - 1.1) for path in paths.values() for weight in path)
    findings = [
        words("too small: not there yet", "太小：还没走到"),
        words("about right", "差不多正好"),
        words("too large: each step climbs", "太大：越走越高"),
    ]
    for axis, (rate, path), finding in zip(axes, paths.items(), findings, strict=False):
        _walk(axis, loss, path, farthest)
        said = words(f"learning rate {rate}:", f"学习率 {rate}：")
        axis.set(xlabel=words("weight", "权重"), title=f"{said}\n{finding}")
    axes[0].set_ylabel(words("loss (square: the start)", "损失（方块：起点）"))
    plots.show(
        figure,
        alt="Three times the same bowl-shaped loss curve with eight steps on it. With the small learning rate the steps are "
        "short and end half-way; with the middle one they reach the bottom; with the large one they jump from side to side "
        "and climb.",
        alt_zh="同一条碗形损失曲线画了三次，上面各走八步。学习率小，步子短，半路就停；学习率适中，走到碗底；"
        "学习率太大，左右来回跳，越跳越高。",
    )


def rate_slider(loss, descend):
    """Return a slider for the learning rate over the steps that it takes.

    Args:
        loss: function of the weight.
        descend: learning rate -> the weights that were visited.
    """

    def draw(rate):
        # Letters only: the picture is drawn once for readers of both languages.
        path = descend(rate)
        figure, axis = plt.subplots(figsize=(5.5, 3.2))
        _walk(axis, loss, path, max(1.3, *(abs(weight - 1.1) for weight in path)))
        axis.set(xlabel="w", ylabel="L(w)", title=f"η = {rate:.2f}:  L = {loss(path[-1]):.3f}")
        return figure

    return sliders.picture(
        draw,
        alt="The loss curve, a bowl, with eight steps at the learning rate chosen",
        alt_zh="碗形的损失曲线，上面是所选学习率下的八步",
        rate=ipywidgets.FloatSlider(value=0.3, min=0.05, max=0.7, step=0.05, description="η"),
    )


def _walk(axis, loss, path, farthest) -> None:
    """Draw the loss curve as far as `farthest` from its lowest point, and the visited weights on it."""
    weights = np.linspace(1.1 - 1.1 * farthest, 1.1 + 1.1 * farthest, 200)
    axis.plot(weights, [loss(weight) for weight in weights], color=GREY)
    losses = [loss(weight) for weight in path]
    axis.plot(path, losses, marker="o", color=RED, linewidth=1, markersize=5)
    axis.plot(path[0], losses[0], marker="s", color=BLUE, markersize=8)  # where it begins


def chain(w, z, e, L) -> None:  # noqa: N803 - the formula's own letters
    """Draw z = w x, e = z - y, L = e² as a row of boxes: values above, forward; slopes below, backward.

    Args:
        w, z, e, L: (value, slope of L with respect to it), each.
    """
    figure, axis = plt.subplots(figsize=(9, 2.5))
    for place, (name, (value, slope)) in enumerate({"w": w, "z": z, "e": e, "L": L}.items()):
        axis.text(3 * place, 0, name, ha="center", va="center", fontsize=14,
                  bbox={"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "0.3"})  # fmt: skip
        axis.text(3 * place, 0.8, f"{value:g}".replace("-", "−"), ha="center", color=BLUE, fontsize=12)
        axis.text(3 * place, -1.0, f"{slope:g}".replace("-", "−"), ha="center", color=RED, fontsize=12)
    arrow = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0}
    links = [("· x", "· x"), ("− y", "· 1"), (words("square", "平方"), "· 2e")]  # forward, slope of the step
    for place, (forward, own_slope) in enumerate(links):
        begin, end = 3 * place + 0.65, 3 * place + 2.35
        axis.annotate("", (end, 0.2), (begin, 0.2), arrowprops={**arrow, "color": BLUE})
        axis.text((begin + end) / 2, 0.35, forward, ha="center", color=BLUE)
        axis.annotate("", (begin, -0.25), (end, -0.25), arrowprops={**arrow, "color": RED})
        axis.text((begin + end) / 2, -0.65, own_slope, ha="center", color=RED)
    axis.text(-1.1, 0.8, words("value", "数值"), ha="right", color=BLUE)
    axis.text(-1.1, -1.0, words("slope of L", "L 的斜率"), ha="right", color=RED)
    axis.set(xlim=(-2.6, 9.8), ylim=(-1.3, 1.2))
    axis.axis("off")
    plots.show(
        figure,
        alt="Boxes for w, z, e and L in a row. Above them the values, computed from left to right; below them the slopes of L, "
        "computed from right to left, each the one to its right times the slope of the step between.",
        alt_zh="w、z、e、L 四个方框排成一行。上方是数值，从左往右算；下方是 L 对它们的斜率，从右往左算，"
        "每个等于右边那个乘以中间那一步自己的斜率。",
    )


def score_bars(scores, probabilities, truth) -> None:
    """Draw scores, probabilities and the gradient P - Y of one example side by side."""
    figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.1))
    places, right = np.arange(len(scores)), int(truth.argmax())
    colors = [GREEN if place == right else GREY for place in places]
    shown = [
        (words("scores", "得分"), scores),
        (words("probabilities P: they add up to 1", "概率 P：合计为 1"), probabilities),
        (
            words(
                "P − Y: push the right score up,\nthe others down", "P − Y：正确的得分往上推，\n其余往下压"
            ),
            probabilities - truth,
        ),
    ]
    for axis, (title, values) in zip(axes, shown, strict=True):
        axis.bar(places, values, color=colors, edgecolor="0.3")
        for place, value in zip(places, values, strict=True):
            axis.annotate(f"{value:.2f}", (place, value), xytext=(0, 3 if value >= 0 else -12),
                          textcoords="offset points", ha="center", fontsize=9)  # fmt: skip
        labels = [
            words(f"class {place}", f"类别 {place}")
            + (words("\n(right)", "\n（正确）") if place == right else "")
            for place in places
        ]
        axis.set_title(title, fontsize=11)
        axis.set(xticks=places, xticklabels=labels)
        axis.axhline(0, color="0.3", linewidth=0.8)
        axis.margins(y=0.18)
    plots.show(
        figure,
        alt="Three bar charts for three classes of which the middle one is right: the scores; the probabilities, which add up "
        "to 1; and probability minus truth, negative for the right class and positive for the two others.",
        alt_zh="三幅柱形图，共三个类别，中间那个是正确的：得分；概率，合计为 1；概率减真值，正确类别为负，另外两个为正。",
    )


def learning(pictures, labels, answers):
    """Return a figure of a few digits and, for each stage of the training, the probability that the network gives to each class.

    Args:
        pictures: (count, 784).
        labels: (count,).
        answers: {number of steps: probabilities (count, 10)}.
    """
    rows = len(labels)
    figure, axes = plt.subplots(
        rows, 1 + len(answers), figsize=(9.6, 0.95 * rows + 0.6), width_ratios=[0.55] + [1] * len(answers)
    )
    for line, picture, label in zip(axes, pictures, labels, strict=True):
        line[0].imshow(np.reshape(picture, (28, 28)))
        line[0].axis("off")
        row = int(np.flatnonzero((pictures == picture).all(axis=1))[0])
        for axis, probabilities in zip(line[1:], answers.values(), strict=True):
            _answer(axis, probabilities[row], label, last=row == rows - 1)
    for axis, count in zip(axes[0, 1:], answers, strict=True):
        after = words(f"after {count:,} steps", f"{count:,} 步之后")
        axis.set_title(words("before training", "训练之前") if count == 0 else after)
    title = words(
        "A network learns to recognise digits: the probability it gives to each class",
        "网络在学认数字：它给每个类别的概率",
    )
    figure.suptitle(title, fontsize=13)
    return figure


def _answer(axis, probabilities, label, last) -> None:
    """Bars of one answer; the right class is blue and outlined, the highest bar is named."""
    colors = [BLUE if digit == label else GREY for digit in range(10)]
    edges = ["k" if digit == label else GREY for digit in range(10)]
    axis.bar(range(10), probabilities, color=colors, edgecolor=edges, linewidth=0.8)
    said = int(probabilities.argmax())
    mark = "✓" if said == label else "✗"
    axis.text(0.98, 0.93, f"“{said}” {mark}", transform=axis.transAxes, ha="right", va="top", fontsize=9)
    axis.set(ylim=(0, 1.35), yticks=[], xticks=range(10))
    axis.tick_params(axis="x", labelsize=7, length=0, labelbottom=last)
    axis.grid(visible=False)


def losses(numpy_losses, keras_losses) -> None:
    """Draw the losses of every epoch, ours as lines, Keras' as marks on them.

    Args:
        numpy_losses, keras_losses: (training losses, validation losses), one number per epoch each.
    """
    figure, axis = plt.subplots(figsize=(7, 3.6))
    for position, name in enumerate([words("training", "训练"), words("validation", "验证")]):
        epochs = np.arange(1, len(numpy_losses[position]) + 1)
        color = plots.COLORS[position]
        axis.plot(
            epochs,
            numpy_losses[position],
            color=color,
            linestyle=plots.LINES[position],
            label=name + words(", NumPy", "，NumPy"),
        )
        axis.plot(epochs, keras_losses[position], color=color, linestyle="", marker=plots.MARKERS[position],
                  fillstyle="none", markersize=9, label=name + words(", Keras", "，Keras"))  # fmt: skip
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set(
        xlabel=words("epoch", "轮"), ylabel=words("cross entropy (nats)", "损失（奈特）"), ylim=(0, None)
    )
    axis.set_title(words("Keras' losses lie on ours", "Keras 的损失与 NumPy 的重合"))
    axis.legend(ncols=2)
    plots.show(
        figure,
        alt="Training and validation loss fall from epoch to epoch; the marks of Keras lie on the lines of the NumPy network.",
        alt_zh="训练损失和验证损失逐轮下降；Keras 的标记都落在 NumPy 网络的曲线上。",
    )


def regions(networks, points, inside) -> None:
    """Draw what each network answers all over the square, with some of the points.

    Args:
        networks: {name: Keras model from (n, 2) to two probabilities}.
        points, inside: (n, 2) and (n,), 1 for points of the disc.
    """
    figure, axes = plt.subplots(1, len(networks), figsize=(10, 3.7), sharey=True)
    side = np.linspace(-1, 1, 121, dtype="float32")
    square = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    angle = np.linspace(0, 2 * np.pi, 200)
    some = slice(0, 500)
    titles = [
        words(
            "16 neurons, no activation:\na straight line at best", "16 个神经元，无激活函数：\n至多一条直线"
        ),
        words("4 neurons, ReLU:\na few corners", "4 个神经元，ReLU：\n几个角"),
        words("16 neurons, ReLU:\nnearly round", "16 个神经元，ReLU：\n接近圆"),
    ]
    for axis, network, title in zip(axes, networks.values(), titles, strict=True):
        answer = np.asarray(network.predict(square, batch_size=5_000, verbose=0))[:, 1].reshape(121, 121)
        axis.contourf(side, side, answer, levels=[0, 0.5, 1], colors=["#f6e3d3", "#cfe3f1"])
        axis.contour(side, side, answer, levels=[0.5], colors="k", linewidths=1.5)
        axis.plot(0.7 * np.cos(angle), 0.7 * np.sin(angle), color="0.4", linestyle=":")
        for value, marker, color in [(0, "x", RED), (1, ".", BLUE)]:
            chosen = points[some][inside[some] == value]
            axis.plot(*chosen.T, marker=marker, color=color, linestyle="", markersize=4, alpha=0.7)
        axis.set(aspect="equal", title=title, xlim=(-1, 1), ylim=(-1, 1))
        axis.set_xlabel(words("first number", "第一个数"))
        axis.grid(visible=False)
    axes[0].set_ylabel(words("second number", "第二个数"))
    plots.show(
        figure,
        alt="A square of points, dots inside a dotted circle and crosses outside, three times, with the border at which a "
        "network changes its answer. Without an activation there is at most a straight line; four ReLU neurons enclose the "
        "disc by a polygon with few corners; sixteen follow the circle closely.",
        alt_zh="同一个正方形画了三次，虚线圆内是圆点，圆外是叉，黑线是网络改变答案的边界。没有激活函数时，最多是一条直线；"
        "四个 ReLU 神经元围出一个只有几个角的多边形；十六个则贴着圆周走。",
    )


def memory(accuracies) -> None:
    """Draw accuracy on the training set and on new examples, two bars per case.

    Args:
        accuracies: {case: (training accuracy, accuracy on new examples)}.
    """
    figure, axis = plt.subplots(figsize=(7.5, 3.4))
    for position, pair in enumerate(accuracies.values()):
        for shift, value, word, color, hatch in [
            (-0.2, pair[0], words("seen", "学过的"), GREY, ""),
            (0.2, pair[1], words("new", "新的"), BLUE, "//"),
        ]:
            axis.bar(position + shift, value, width=0.38, color=color, hatch=hatch, edgecolor="0.3")
            axis.text(position + shift, value + 0.02, f"{word}\n{value:.2f}", ha="center", fontsize=9)
    axis.axhline(0.1, color="k", linewidth=1, linestyle=":")
    axis.text(len(accuracies) - 0.32, 0.12, words("guessing", "乱猜"), fontsize=9, ha="right")
    chinese = {"real": "真图真标签", "random_labels": "随机标签", "random_pixels": "随机像素"}
    names = [words(name.replace("_", " "), chinese[name]) for name in accuracies]
    axis.set(
        xticks=range(len(names)),
        xticklabels=names,
        ylabel=words("accuracy", "准确率"),
        ylim=(0, 1.25),
        xlim=(-0.5, len(accuracies) - 0.3),
    )
    axis.set_title(
        words(
            "All three are memorised; only one helps with new examples",
            "三个都背得下来，只有一个对新样本有用",
        )
    )
    plots.show(
        figure,
        alt="Two bars for each of three cases. On the examples that were trained on, all three reach almost 1. On new examples, "
        "real digits with real labels reach most of it, the two random cases stay at guessing.",
        alt_zh="三种情况，每种两根柱。在训练过的样本上，三种都接近 1；在新样本上，只有真图配真标签仍然很高，两种随机情况停在瞎猜的水平。",
    )
