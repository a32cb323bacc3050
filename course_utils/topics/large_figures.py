"""The drawings of chapter 1a: what is drawn is computed in the chapter, how it is drawn is here."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Ellipse

from course_utils import plots
from course_utils.language import words
from course_utils.topics import own_models, published_models

KINDS = {"image": "o", "text": "s", "ours": "*"}


def four_words() -> None:
    """Draw artificial intelligence, machine learning, deep learning and large models, one inside the other."""
    circles = [  # words, example, radius
        (
            words("artificial intelligence", "人工智能"),
            words("chess by hand-written rules", "规则由人手写的下棋程序"),
            4.0,
        ),
        (words("machine learning", "机器学习"), words("a line through points", "过几个点画一条直线"), 3.0),
        (words("deep learning", "深度学习"), words("a small one: your network", "小的：你的网络"), 2.0),
        ("large models", "BERT, GPT-3", 1.0),
    ]
    figure, axis = plt.subplots(figsize=(8, 4.4))
    for name, example, radius in circles:
        shade = Ellipse((0, radius), 4.4 * radius, 2 * radius, facecolor=plots.COLORS[0], alpha=0.13)
        axis.add_patch(shade)
        axis.add_patch(Ellipse((0, radius), 4.4 * radius, 2 * radius, fill=False, edgecolor=plots.COLORS[0]))
        top = 2 * radius - (0.55 if radius > 1 else 0.75)
        axis.text(0, top, name, ha="center", fontsize=13)
        axis.text(0, top - 0.42, example, ha="center", fontsize=9.5)
    axis.set(xlim=(-9, 9), ylim=(-0.1, 8.1))
    axis.axis("off")
    plots.show(
        figure,
        alt="Four nested ellipses, from outside: artificial intelligence, machine learning, deep learning, large models, each "
        "with an example.",
        alt_zh="四个嵌套的椭圆，由外到内：人工智能、机器学习、深度学习、大模型，各附一个例子。",
    )


def five_kinds(pictures, labels) -> None:
    """Draw five digits for each kind of learning, with the signal that the learner gets as their captions.

    Args:
        pictures, labels: (count, 28, 28) and (count,): enough to hold five 0 and 1.
    """
    shown, names = pictures[:5], labels[:5]
    upper, lower = shown.copy(), shown.copy()
    upper[:, 14:], lower[:, :14] = 0, 0
    alike = pictures[np.flatnonzero(np.isin(labels, [1, 0]))[:10]]
    groups = alike[np.argsort(alike.mean(axis=(1, 2)))][
        [0, 1, 2, -2, -1]
    ]  # by amount of ink alone, no label used
    label, group = words("label", "标签"), words("group", "组")
    given, answer = words("given", "给出"), words("answer", "答案")
    halves = [upper[0], lower[0], upper[1], lower[1], upper[2]]
    rows = {
        words("supervised", "监督"): (shown, [f"{label} {name}" for name in names]),
        words("unsupervised", "无监督"): (groups, [f"{group} A"] * 3 + [f"{group} B"] * 2),
        words("semi-supervised", "半监督"): (shown, [f"{label} {names[0]}", "?", "?", "?", "?"]),
        words("self-supervised", "自监督"): (halves, [given, answer, given, answer, given]),
        words("reinforcement", "强化"): (shown, ["“3”: −1", "“0”: +1", "“9”: −1", "“1”: +1", "“4”: −1"]),
    }
    figure, axes = plt.subplots(5, 5, figsize=(6.4, 6.6))
    for line, (kind, (images, captions)) in zip(axes, rows.items(), strict=True):
        for axis, image, caption in zip(line, images, captions, strict=True):
            axis.imshow(image)
            axis.set(xticks=[], yticks=[])
            axis.set_title(caption, fontsize=11)
        line[0].set_ylabel(kind, rotation=0, ha="right", va="center", labelpad=10)
    plots.show(
        figure,
        alt="Five rows of digits, a row for each kind of learning; the captions show the signal: labels, groups, one label and "
        "question marks, hidden halves, rewards.",
        alt_zh="五行数字，每行对应一种学习方式；图上的小标题就是信号：标签、分组、一个标签加问号、被遮住的一半、奖励。",
    )


def activations(functions, slopes) -> None:
    """Draw the activations and their slopes.

    Args:
        functions, slopes: {name: function of an array}.
    """
    wide = np.linspace(-5, 5, 400)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharex=True)
    ends = {"ReLU": 2.6, "sigmoid": 4.1, "tanh": -4.9, "GELU": -2.2}  # where each name is written
    for (name, function), line, color in zip(functions.items(), plots.LINES, plots.COLORS, strict=False):
        axes[0].plot(wide, function(wide), linestyle=line, color=color)
        axes[1].plot(wide, slopes[name](wide), linestyle=line, color=color, label=name)
        at = np.array([ends[name]])
        below = name in ("tanh", "GELU", "sigmoid")
        axes[0].annotate(name, (at[0], float(function(at)[0])), xytext=(0, -14 if below else 4), color=color,
                         textcoords="offset points", ha="right" if name == "ReLU" else "left")  # fmt: skip
    axes[0].set(title=words("activation", "激活函数"), xlabel="z", ylabel="f(z)", ylim=(-1.4, 3))
    axes[1].set(
        title=words("slope: flat ends pass no error back", "斜率：平坦处误差传不回去"),
        xlabel="z",
        ylabel="f′(z)",
    )
    axes[1].legend()
    plots.show(
        figure,
        alt="Left the four activation functions, right their slopes: sigmoid and tanh flatten on both sides, ReLU and GELU only "
        "on the left; the sigmoid's slope is a quarter at most.",
        alt_zh="左图是四种激活函数，右图是斜率：sigmoid 和 tanh 两头都变平，ReLU 和 GELU 只有左边变平；sigmoid 的斜率最大也只有四分之一。",
    )


def models(sizes):
    """Return a figure of all models: parameters in order, and FLOPs forward against parameters.

    Args:
        sizes: {name: `flops.Total`} of the course's networks.
    """
    entries = [
        (f"{m.name}, {m.year}", m.kind, m.parameters, m.forward_flops) for m in published_models.MODELS
    ]
    entries += [
        (name, "ours", size.parameters, size.flops / own_models.ITEMS.get(name, 1))
        for name, size in sizes.items()
    ]
    entries.sort(key=lambda entry: entry[2])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), width_ratios=[1, 1.15])
    right.axline((1e5, 2e5), (1e11, 2e11), color="0.6", linewidth=1)
    right.text(3e10, 1.4e10, "2N", color="0.4", fontsize=11)
    right.set(xlim=(2e2, 8e11), ylim=(3e4, 2e12))
    for place, (name, kind, parameters, computed) in enumerate(entries):
        color, size = plots.COLORS[list(KINDS).index(kind)], 10 if kind == "ours" else 6
        look = {"marker": KINDS[kind], "color": color, "linestyle": "", "markersize": size}
        left.plot(parameters, place, **look)
        if computed:
            right.plot(parameters, computed, **look)
            _name(right, name.split(",")[0], parameters, computed)
    left.set(xscale="log", xlabel=words("parameters N", "参数量 N"), yticks=range(len(entries)))
    yours = {"perceptron": words("perceptron (yours)", "感知机（你的）")}
    left.set_yticklabels([yours.get(name, name) for name, *_ in entries], fontsize=8.5)
    left.set_title(
        words("From your network to the largest: six powers of ten", "从你的网络到最大的网络：相差六个数量级")
    )
    said = {
        "image": words("images", "图像"),
        "text": words("text", "文本"),
        "ours": words("this course", "本课程"),
    }
    handles = [
        plt.Line2D([], [], marker=marker, color=color, linestyle="", label=said[kind])
        for (kind, marker), color in zip(KINDS.items(), plots.COLORS, strict=False)
    ]
    left.legend(handles=handles, loc="lower right")
    right.set(xscale="log", yscale="log", xlabel=words("parameters N", "参数量 N"))
    right.set_ylabel(words("FLOPs forward (one image, row, token)", "前向 FLOPs（一张图、一行、一个词元）"))
    right.set_title(words("Text lies on 2N, image networks above it", "文本网络落在 2N 上，图像网络在其上方"))
    for axis in (left, right):
        axis.minorticks_off()
        axis.title.set_fontsize(10.5)
    return figure


def _name(axis, name, parameters, computed) -> None:
    """Write a model's name beside its mark, where no other one is."""
    places = {  # shift in points, alignment
        "LeNet-5": (-8, -3, "right"), "perceptron": (-8, -3, "right"), "beginner's CNN": (8, -2, "left"),
        "deeper CNN": (-8, 2, "right"), "fast CNN": (-8, 2, "right"), "LSTM on rows": (8, -3, "left"),
        "LSTM on text": (8, -8, "left"), "small GPT": (8, -4, "left"), "BERT base": (-8, -3, "right"),
        "GPT-2 small": (8, -8, "left"), "BERT large": (8, -8, "left"),
    }  # fmt: skip
    across, up, side = places.get(name, (-8, 4, "right"))
    axis.annotate(
        name, (parameters, computed), xytext=(across, up), textcoords="offset points", fontsize=8, ha=side
    )
