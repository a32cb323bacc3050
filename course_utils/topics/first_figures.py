"""The drawings of chapter 1: what is drawn is computed in the chapter, how it is drawn is here."""

import matplotlib.pyplot as plt
import numpy as np

from course_utils import plots

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
    titles[0] += " (yours)"
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
        left.text(end, weight * end, f"weight {weight}", color=color, ha="right", va="bottom")
    left.set(xlabel="ink in the upper half", ylabel="ink in the lower half", ylim=(0, 1.1 * lower.max()))
    left.set_title("Each weight draws one line …")
    right.set(xlabel="weight", ylabel="loss", ylim=(0, None), title="… and has one loss")
    plots.show(
        figure,
        alt="Left: a cloud of points, the ink of a digit's lower half against that of its upper half, with lines through "
        "the origin for three weights. Right: the loss against the weight is a bowl with its lowest point slightly above 1; "
        "the three weights are marked on it.",
        alt_zh="左图：每个点是一个手写数字，横轴是上半张的墨量，纵轴是下半张的墨量；三条过原点的直线对应三个权重。"
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
    weights = np.linspace(1.1 - 1.1 * farthest, 1.1 + 1.1 * farthest, 200)
    words = ["too small: not there yet", "about right", "too large: each step climbs"]
    for axis, (rate, path), word in zip(axes, paths.items(), words, strict=False):
        axis.plot(weights, [loss(weight) for weight in weights], color=GREY)
        losses = [loss(weight) for weight in path]
        axis.plot(path, losses, marker="o", color=RED, linewidth=1, markersize=5)
        axis.annotate("start", (path[0], losses[0]), xytext=(-6, 4), textcoords="offset points", ha="right")
        axis.set(xlabel="weight", title=f"learning rate {rate}:\n{word}")
    axes[0].set_ylabel("loss")
    plots.show(
        figure,
        alt="Three times the same bowl-shaped loss curve with eight steps on it. With the small learning rate the steps are "
        "short and end half-way; with the middle one they reach the bottom; with the large one they jump from side to side "
        "and climb.",
        alt_zh="同一条碗形损失曲线画了三次，上面各走八步。学习率小，步子短，半路就停；学习率适中，走到碗底；"
        "学习率太大，左右来回跳，越跳越高。",
    )


def chain(nodes, links) -> None:
    """Draw a calculation as a row of boxes: values above, forwards; slopes below, backwards.

    Args:
        nodes: a list of (name, value, slope of the loss with respect to it).
        links: for each step between two boxes, what the forward step does and its own slope.
    """
    figure, axis = plt.subplots(figsize=(9, 2.5))
    for place, (name, value, slope) in enumerate(nodes):
        axis.text(3 * place, 0, name, ha="center", va="center", fontsize=14,
                  bbox={"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": "0.3"})  # fmt: skip
        axis.text(3 * place, 0.8, f"{value:g}", ha="center", color=BLUE, fontsize=12)
        axis.text(3 * place, -1.0, f"{slope:g}", ha="center", color=RED, fontsize=12)
    arrow = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0}
    for place, (forwards, own_slope) in enumerate(links):
        begin, end = 3 * place + 0.65, 3 * place + 2.35
        axis.annotate("", (end, 0.2), (begin, 0.2), arrowprops={**arrow, "color": BLUE})
        axis.text((begin + end) / 2, 0.35, forwards, ha="center", color=BLUE)
        axis.annotate("", (begin, -0.25), (end, -0.25), arrowprops={**arrow, "color": RED})
        axis.text((begin + end) / 2, -0.65, own_slope, ha="center", color=RED)
    last = 3 * (len(nodes) - 1)
    axis.text(-1.1, 0.8, "value", ha="right", color=BLUE)
    axis.text(-1.1, -1.0, "slope of L", ha="right", color=RED)
    axis.set(xlim=(-2.6, last + 0.8), ylim=(-1.3, 1.2))
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
    shown = {
        "scores": scores,
        "probabilities P": probabilities,
        "slope of the loss, P − Y": probabilities - truth,
    }
    for axis, (title, values) in zip(axes, shown.items(), strict=True):
        axis.bar(places, values, color=colors, edgecolor="0.3")
        for place, value in zip(places, values, strict=True):
            axis.annotate(f"{value:.2f}", (place, value), xytext=(0, 3 if value >= 0 else -12),
                          textcoords="offset points", ha="center", fontsize=9)  # fmt: skip
        labels = [f"class {place}" + ("\n(right)" if place == right else "") for place in places]
        axis.set(title=title, xticks=places, xticklabels=labels)
        axis.axhline(0, color="0.3", linewidth=0.8)
        axis.margins(y=0.18)
    axes[2].set_title("P − Y: push the right score up,\nthe others down", fontsize=11)
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
        axis.set_title("before training" if count == 0 else f"after {count:,} steps")
    figure.suptitle("A network learns to read: the probability it gives to each digit", fontsize=13)
    return figure


def _answer(axis, probabilities, label, last) -> None:
    """Bars of one answer; the right class is blue and outlined, the highest bar is named."""
    colors = [BLUE if digit == label else GREY for digit in range(10)]
    edges = ["k" if digit == label else GREY for digit in range(10)]
    axis.bar(range(10), probabilities, color=colors, edgecolor=edges, linewidth=0.8)
    said = int(probabilities.argmax())
    mark = "✓" if said == label else "✗"
    axis.text(0.98, 0.93, f"“{said}” {mark}", transform=axis.transAxes, ha="right", va="top", fontsize=9)
    axis.set(ylim=(0, 1.05), yticks=[], xticks=range(10))
    axis.tick_params(axis="x", labelsize=7, length=0, labelbottom=last)
    axis.grid(visible=False)


def losses(numpy_losses, keras_losses) -> None:
    """Draw the losses of every epoch, ours as lines, Keras' as marks on them.

    Args:
        numpy_losses, keras_losses: (training losses, validation losses), one number per epoch each.
    """
    figure, axis = plt.subplots(figsize=(7, 3.6))
    for position, name in enumerate(["training", "validation"]):
        epochs = np.arange(1, len(numpy_losses[position]) + 1)
        color = plots.COLORS[position]
        axis.plot(
            epochs,
            numpy_losses[position],
            color=color,
            linestyle=plots.LINES[position],
            label=f"{name}, NumPy",
        )
        axis.plot(epochs, keras_losses[position], color=color, linestyle="", marker=plots.MARKERS[position],
                  fillstyle="none", markersize=9, label=f"{name}, Keras")  # fmt: skip
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set(xlabel="epoch", ylabel="cross entropy (nats)", ylim=(0, None), title="Keras' losses lie on ours")
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
    titles = ["16 neurons, no activation:\na straight line at best", "3 neurons, ReLU:\na few corners", "16 neurons, ReLU:\nnearly round"]
    for axis, network, title in zip(axes, networks.values(), titles, strict=True):
        answer = np.asarray(network.predict(square, batch_size=5_000, verbose=0))[:, 1].reshape(121, 121)
        axis.contourf(side, side, answer, levels=[0, 0.5, 1], colors=["#f6e3d3", "#cfe3f1"])
        axis.contour(side, side, answer, levels=[0.5], colors="k", linewidths=1.5)
        axis.plot(0.7 * np.cos(angle), 0.7 * np.sin(angle), color="0.4", linestyle=":")
        for value, marker, color in [(0, "x", RED), (1, ".", BLUE)]:
            chosen = points[some][inside[some] == value]
            axis.plot(*chosen.T, marker=marker, color=color, linestyle="", markersize=4, alpha=0.7)
        axis.set(aspect="equal", title=title, xlabel="first number", xlim=(-1, 1), ylim=(-1, 1))
        axis.grid(visible=False)
    axes[0].set_ylabel("second number")
    plots.show(
        figure,
        alt="A square of points, dots inside a dotted circle and crosses outside, three times, with the border at which a "
        "network changes its answer. Without an activation there is at most a straight line; three ReLU neurons enclose the "
        "disc by a polygon with few corners; sixteen follow the circle closely.",
        alt_zh="同一个正方形画了三次，虚线圆内是圆点，圆外是叉，黑线是网络改变答案的边界。没有激活函数时，最多是一条直线；"
        "三个 ReLU 神经元围出一个只有几个角的多边形；十六个则贴着圆周走。",
    )


def memory(accuracies) -> None:
    """Draw accuracy on the training set and on new examples, two bars per case.

    Args:
        accuracies: {case: (training accuracy, accuracy on new examples)}.
    """
    figure, axis = plt.subplots(figsize=(7.5, 3.4))
    for position, pair in enumerate(accuracies.values()):
        for shift, value, word, color, hatch in [
            (-0.2, pair[0], "seen", GREY, ""),
            (0.2, pair[1], "new", BLUE, "//"),
        ]:
            axis.bar(position + shift, value, width=0.38, color=color, hatch=hatch, edgecolor="0.3")
            axis.text(position + shift, value + 0.02, f"{word}\n{value:.2f}", ha="center", fontsize=9)
    axis.axhline(0.1, color="k", linewidth=1, linestyle=":")
    axis.text(len(accuracies) - 0.45, 0.11, "guessing", fontsize=9, ha="right")
    names = [name.replace("_", " ") for name in accuracies]
    axis.set(xticks=range(len(names)), xticklabels=names, ylabel="accuracy", ylim=(0, 1.25))
    axis.set_title("All three are learned; only one helps with new examples")
    plots.show(
        figure,
        alt="Two bars for each of three cases. On the examples that were trained on, all three reach almost 1. On new examples, "
        "real digits with real labels reach most of it, the two random cases stay at guessing.",
        alt_zh="三种情况，每种两根柱。在训练过的样本上，三种都接近 1；在新样本上，只有真图配真标签仍然很高，两种随机情况停在瞎猜的水平。",
    )
