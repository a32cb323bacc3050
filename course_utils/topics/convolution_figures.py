"""The drawings of chapter 2: what is drawn is computed in the chapter, how it is drawn is here."""

import ipywidgets
import keras
import matplotlib.cbook
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import ConnectionPatch, Rectangle
from PIL import Image

from course_utils import plots, sliders
from course_utils.language import words

BLUE, RED, GREEN, PINK, YELLOW = plots.COLORS[:5]
SIGNED = "RdBu_r"  # red above zero, blue below, white at zero


# ---- The window --------------------------------------------------------------------------------------------


def sliding_window(image, kernel, feature_map):
    """Return the picture of one step of the slide, with sliders that move the window; arguments as `window`."""
    rows, columns = feature_map.shape
    return sliders.picture(
        lambda column, row: window(image, kernel, feature_map, row, column),
        alt="A handwritten digit with a marked window of 3 by 3 pixels; the nine pixels, the nine weights and their nine products "
        "as small grids of numbers; and the feature map, red where ink begins from the left, blue where it ends, with the "
        "marked number that belongs to the window.",
        alt_zh="一个手写数字，上面框出 3×3 的窗口；九个像素、九个权重、九个乘积各写成一格数；最右是特征图，从左往右，"
        "笔画开始处为红，结束处为蓝，框出的那个数来自框出的窗口。",
        column=ipywidgets.IntSlider(16, 2, columns - 3, description=words("column", "列")),
        row=ipywidgets.IntSlider(9, 2, rows - 3, description=words("row", "行")),
    )


def window(image, kernel, feature_map, row, column):
    """Return a figure of one step of the slide: the patch, the weights, their products, and the number they give.

    Args:
        image: (height, width), values 0 to 1.
        kernel: (size, size).
        feature_map: (rows, columns).
        row, column: position in the feature map.
    """
    size = len(kernel)
    patch = image[row : row + size, column : column + size]
    figure, axes = plt.subplots(1, 5, figsize=(10.5, 2.9), width_ratios=[28, 12, 12, 12, 26])
    largest, brightest = np.abs(kernel).max(), np.abs(feature_map).max()
    axes[0].imshow(image, vmin=0, vmax=1)
    _numbers(axes[1], patch, "{:.1f}", cmap="gray", vmin=0, vmax=1)
    _numbers(axes[2], kernel, "{:g}", cmap=SIGNED, vmin=-largest, vmax=largest)
    _numbers(axes[3], patch * kernel, "{:.1f}", cmap=SIGNED, vmin=-largest, vmax=largest)
    axes[4].imshow(feature_map, cmap=SIGNED, vmin=-brightest, vmax=brightest)
    total = feature_map[row, column]
    # English in both editions: with a drawing of its own for each language, half of the positions would not be stored.
    titles = [
        "image",
        "9 pixels",
        "× 9 weights",
        f"9 products\nsum: {total:.1f}",
        f"feature map\nhere: {total:.1f}",
    ]
    for axis, title in zip(axes, titles, strict=True):
        axis.set(title=title, xticks=[], yticks=[])
        axis.grid(visible=False)
    for axis, side in [(axes[0], size), (axes[4], 1)]:
        axis.add_patch(
            Rectangle((column - 0.5, row - 0.5), side, side, fill=False, color=YELLOW, linewidth=3)
        )
    for edge in (-0.5, size - 0.5):  # from the window to its enlargement
        figure.add_artist(
            ConnectionPatch(
                (column + size - 0.5, row + (edge if edge < 0 else size - 0.5)), (-0.5, edge),
                "data", "data", axesA=axes[0], axesB=axes[1], color=YELLOW, linewidth=1,
            )
        )  # fmt: skip
    return figure


def _numbers(axis, values, form, **imshow) -> None:
    """Draw a small grid of numbers on their colours."""
    axis.imshow(values, **imshow)
    limit = imshow["vmax"]
    for (y, x), value in np.ndenumerate(values):
        share = value / limit
        dark = share < 0.5 if imshow["cmap"] == "gray" else abs(share) > 0.6
        text = form.format(value + 0.0).replace("-", "−")
        axis.text(x, y, text, ha="center", va="center", fontsize=9, color="white" if dark else "black")


# ---- One layer as a matrix ---------------------------------------------------------------------------------


def matrices(matrix, height) -> None:
    """Draw a convolution's matrix beside a dense and a merely local one, and its transpose.

    Args:
        matrix: (outputs, inputs), 0 where an output does not see a pixel.
        height: pixels of the square image along one side.
    """
    outputs, inputs = matrix.shape
    random = np.random.default_rng(0)
    dense = random.uniform(size=matrix.shape)
    local = np.where(matrix == 0, np.nan, random.uniform(size=matrix.shape))
    shared = np.where(matrix == 0, np.nan, (matrix - 0.5) / matrix.max())
    counts = [dense.size, int((matrix != 0).sum()), len(np.unique(matrix[matrix != 0]))]
    titles = [
        words(f"dense layer:\n{counts[0]:,} weights", f"全连接层：\n{counts[0]:,} 个权重"),
        words(f"only neighbours:\n{counts[1]:,} weights", f"只连邻居：\n{counts[1]:,} 个权重"),
        words(
            f"neighbours, shared =\nconvolution: {counts[2]} weights",
            f"只连邻居并共享，即卷积：\n{counts[2]} 个权重",
        ),
        words("transposed", "转置"),
    ]
    figure, axes = plt.subplots(1, 4, figsize=(11, 3.7), width_ratios=[inputs] * 3 + [outputs])
    palette = plt.get_cmap("turbo").copy()
    palette.set_bad("white")
    for axis, values, title in zip(axes, [dense, local, shared, shared.T], titles, strict=True):
        axis.imshow(values, cmap=palette, vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(title, fontsize=10.5)
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
        for side in axis.spines.values():
            side.set(visible=True, color="0.6")
    side = int(outputs**0.5)
    for axis in axes[1:3]:
        _rules(axis, np.arange(height, inputs, height), np.arange(side, outputs, side))
    _rules(axes[3], np.arange(side, outputs, side), np.arange(height, inputs, height))
    axes[0].set_xlabel(words(f"{inputs} pixels", f"{inputs} 个像素"))
    axes[0].set_ylabel(words(f"{outputs} outputs", f"{outputs} 个输出"))
    plots.show(
        figure,
        alt="Three matrices of 36 rows and 64 columns, coloured by weight. The dense one is full of different colours. In the "
        "second, most entries are empty and the rest lie on slanting bands, all in different colours. In the third, the bands have "
        "only nine colours, each running through as a straight diagonal. Last, the third matrix transposed.",
        alt_zh="三个 36 行 64 列的矩阵，颜色表示权重。全连接的矩阵填满了各不相同的颜色；"
        "第二个大部分是空白，其余落在几条斜带上，颜色仍各不相同；第三个的斜带上只有九种颜色，每种沿对角线贯穿到底。最后是第三个矩阵的转置。",
    )


def _rules(axis, vertical, horizontal) -> None:
    """Thin lines between the rows of the image."""
    for position in vertical:
        axis.axvline(position - 0.5, color="0.85", linewidth=0.6, zorder=0)
    for position in horizontal:
        axis.axhline(position - 0.5, color="0.85", linewidth=0.6, zorder=0)


# ---- The photograph ----------------------------------------------------------------------------------------

_OF_PHOTOGRAPHS = {
    "photograph": "照片",
    "blur": "模糊",
    "sharpen": "锐化",
    "vertical edges": "竖直边缘",
    "horizontal edges": "水平边缘",
    "red, not grey": "偏红之处",
}


def photograph():
    """Return Grace Hopper's portrait, which comes with Matplotlib: (150, 150, 3), values 0 to 1."""
    with Image.open(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as opened:
        return np.asarray(opened.convert("RGB").crop((90, 20, 430, 360)).resize((150, 150))) / 255


def photographs(photo, kernels) -> None:
    """Draw a colour photograph and what kernels make of it.

    Args:
        photo: (height, width, 3), values 0 to 1.
        kernels: {name: (size, size, 3, 3 or 1)}; what gives one channel is drawn in grey, without its sign.
    """
    filtered = {name: np.asarray(keras.ops.conv(photo[None], kernel))[0] for name, kernel in kernels.items()}
    figure, axes = plt.subplots(2, 3, figsize=(6.4, 4.6))
    shown = {"photograph": photo, **filtered}
    for axis, (name, picture) in zip(axes.flat, shown.items(), strict=True):
        if picture.shape[-1] == 1:
            # Of an edge the size matters; of a colour the sign too: what is less red than grey is not red.
            picture = np.squeeze(picture) if name.startswith("red") else np.abs(np.squeeze(picture))
        brightest = picture.max() if name.startswith("red") else 1
        axis.imshow(np.clip(picture, 0, brightest), vmin=0, vmax=brightest)
        axis.set_title(words(name, _OF_PHOTOGRAPHS[name]), fontsize=10)
        axis.axis("off")
    plots.show(
        figure,
        alt="A colour portrait of a woman in a dark uniform in front of a flag, and five filtered versions: blurred; "
        "sharpened; vertical edges, bright on black; horizontal edges, likewise; and a map that is bright where the "
        "picture is red, most of all on a stripe of the flag, and black on the blue background.",
        alt_zh="一张彩色人像：穿深色制服的女士站在旗帜前；以及五种滤波结果：模糊；锐化；竖直边缘，黑底亮线；水平边缘，同样；"
        "最后一张是红色的地方发亮，旗帜的红条最亮，蓝色的背景全黑。",
    )


# ---- Training ----------------------------------------------------------------------------------------------


def loss_curve(history) -> None:
    """Draw loss and accuracy of every epoch, on training and validation examples.

    Args:
        history: what `fit` returns in its `.history`, with validation.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.2))
    epochs = np.arange(1, len(history["loss"]) + 1)
    panels = [
        (
            "loss",
            words("loss: cross entropy (nats)", "损失（nat）"),
            words("Training keeps improving …", "训练损失一直在降……"),
        ),
        (
            "accuracy",
            words("accuracy", "准确率"),
            words("… validation soon gains little", "……验证不再变好"),
        ),
    ]
    for axis, (name, label, title) in zip(axes, panels, strict=True):
        for key, text, color, line, marker in [
            (name, words("training", "训练"), BLUE, "-", "o"),
            (f"val_{name}", words("validation", "验证"), RED, "--", "s"),
        ]:
            axis.plot(epochs, history[key], color=color, linestyle=line, marker=marker, label=text)
        axis.set(xlabel=words("epoch", "轮"), ylabel=label, title=title, xticks=epochs)
    axes[0].set_ylim(0, None)
    axes[0].legend()
    plots.show(
        figure,
        alt="Left, the training loss falls from epoch to epoch, steeply at first, while the validation loss is low from the "
        "first epoch on and hardly changes. Right, the training accuracy rises to that of validation.",
        alt_zh="左图：训练损失逐轮下降，开头最快；验证损失从第一轮起就低，此后变化很小。右图：训练准确率逐轮上升，追上验证准确率。",
    )


def comparison(pictures, shuffled, accuracies, spreads):
    """Return a figure of test errors with pixels in order and shuffled; on the left, what the networks see.

    Args:
        pictures, shuffled: (4, 28, 28, 1), the same digits twice.
        accuracies: {name of a network: (accuracy in order, accuracy shuffled)}.
        spreads: {name: ((lowest, highest) in order, (lowest, highest) shuffled)}, of several seeds; may be empty.
    """
    figure = plt.figure(figsize=(9, 4.1))
    left, right = figure.subfigures(1, 2, width_ratios=[1, 2.6])
    titles = [words("in order", "不打乱"), words("shuffled", "打乱")]
    grids = left.subplots(4, 2, gridspec_kw={"wspace": 0.05, "hspace": 0.05})
    for column, images in enumerate([pictures, shuffled]):
        for row, image in enumerate(np.squeeze(images, -1)):
            grids[row, column].imshow(image, vmin=0, vmax=1)
            grids[row, column].axis("off")
        grids[0, column].set_title(titles[column], fontsize=10)
    axis = right.subplots()
    for number, (name, pair) in enumerate(accuracies.items()):
        color, marker = plots.COLORS[number], plots.MARKERS[number]
        errors = [100 * (1 - value) for value in pair]
        axis.plot([0, 1], errors, color=color, marker=marker, markersize=8, linewidth=1.5)
        for x, ends in enumerate(spreads.get(name, ())):
            axis.plot([x, x], [100 * (1 - end) for end in ends], color=color, linewidth=9, alpha=0.25,
                      solid_capstyle="butt")  # fmt: skip
        axis.text(1.06, errors[1], name, color=color, va="center")
    highest = max(100 * (1 - value) for pair in accuracies.values() for value in pair)
    axis.set(xticks=[0, 1], xticklabels=titles, xlim=(-0.15, 1.6), ylim=(0, 1.12 * highest))
    axis.set_ylabel(words("test error (%)", "测试错误率（%）"))
    axis.set_title(
        words("Shuffle the pixels: only the CNN notices", "打乱像素：只有 CNN 受影响"), fontsize=12.5
    )
    axis.grid(visible=False, axis="x")
    return figure


# ---- Moved digits ------------------------------------------------------------------------------------------


def moved(accuracies, kept, pictures) -> None:
    """Draw accuracy against the shift, with a digit at each shift above.

    Args:
        accuracies: {name: accuracies, one per shift from 0 on}.
        kept: share of the ink that is still in the picture, one per shift.
        pictures: (shifts, 28, 28).
    """
    shifts = len(kept)
    figure, axes = plt.subplots(2, 1, figsize=(7.6, 4.6), height_ratios=[1, 4])
    strip = np.concatenate(
        [np.pad(picture, ((0, 0), (1, 1)), constant_values=1) for picture in pictures], axis=1
    )
    axes[0].imshow(strip, vmin=0, vmax=1, aspect="equal")
    axes[0].axis("off")
    axis = axes[1]
    names = {
        "mlp": "MLP",
        "beginner_cnn": words("beginner's CNN", "入门 CNN"),
        "fast_cnn": words("fast CNN", "快速 CNN"),
    }
    heights = _apart([curve[-1] for curve in accuracies.values()], 0.09)
    for (name, curve), height, color, marker, line in zip(
        accuracies.items(), heights, plots.COLORS, plots.MARKERS, plots.LINES, strict=False
    ):
        axis.plot(range(shifts), curve, linestyle=line, marker=marker, color=color)
        axis.text(shifts - 0.85, height, names[name], color=color, va="center")
    axis.plot(range(shifts), kept, color="0.6", linewidth=1, linestyle=":")
    axis.annotate(words("ink still in the picture", "画面内剩余的笔迹"), (shifts - 1, kept[-1]), xytext=(8, 0),
                  textcoords="offset points", color="0.4", va="center")  # fmt: skip
    axis.axhline(0.1, color="0.6", linewidth=1)
    axis.text(0, 0.115, words("guessing", "随机猜"), color="0.4")
    axis.set(
        xlabel=words("moved to the right (pixels)", "右移（像素）"),
        ylabel=words("test accuracy", "测试准确率"),
    )
    axis.set(ylim=(0, 1.05), xlim=(-0.2, shifts + 0.9), xticks=range(shifts))
    axis.set_title(
        words("A few pixels to the right, and all of them fail", "往右移几个像素，三个网络都认不准了")
    )
    plots.show(
        figure,
        alt="Above, a digit moved step by step to the right. Below, test accuracy against the number of pixels: all three curves "
        "fall, the MLP's first and fastest, while the line for the ink that is left stays near 1 much longer.",
        alt_zh="上方是一个数字逐步右移。下方是测试准确率随平移像素数的变化：三条曲线都下降，"
        "MLP 最先也最快，而表示剩余笔迹的虚线很久都在 1 附近。",
    )


def _apart(heights, gap):
    """Return heights of labels, moved up where two would overlap."""
    placed = {}
    for number in sorted(range(len(heights)), key=lambda number: heights[number]):
        placed[number] = max([heights[number], *(height + gap for height in placed.values())])
    return [placed[number] for number in range(len(heights))]


# ---- Inside ------------------------------------------------------------------------------------------------


def kernels_and_maps(kernels, maps, picked) -> None:
    """Draw a layer's kernels, each with its feature map below; one of them is framed.

    Args:
        kernels: (channels, size, size); red above zero, blue below.
        maps: (channels, rows, columns), after ReLU; all on one scale.
        picked: index of the kernel to frame.
    """
    columns = 8
    rows = len(kernels) // columns
    figure, axes = plt.subplots(2 * rows, columns, figsize=(9.6, 2.6 * rows), squeeze=False)
    largest, brightest = max(np.abs(kernels).max(), 1e-9), max(maps.max(), 1e-9)
    for number in range(rows * columns):
        row, column = 2 * (number // columns), number % columns
        upper, lower = axes[row, column], axes[row + 1, column]
        upper.imshow(kernels[number], cmap=SIGNED, vmin=-largest, vmax=largest)
        lower.imshow(maps[number], cmap="magma", vmin=0, vmax=brightest)
        upper.set_title(f"{number + 1}", fontsize=9)
        for axis in (upper, lower):
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
            for side in axis.spines.values():
                side.set(
                    visible=True,
                    color=GREEN if number == picked else "0.8",
                    linewidth=3 if number == picked else 0.8,
                )
    plots.show(
        figure,
        alt="Sixteen learned kernels of 7 by 7 weights in red and blue, and below each its feature map of a handwritten 7 on "
        "one common scale. Some kernels have a red and a blue side; their maps are bright along one side of the strokes. "
        "One pair is framed in green.",
        alt_zh="第一层学到的 16 个 7×7 卷积核，红正蓝负，下面各是它在手写数字 7 上的特征图，采用同一个色标。"
        "有的核一侧红、一侧蓝，它的特征图就在笔画的一侧发亮。"
        "其中一对用绿框标出。",
    )


def mistakes(pictures, truth, probabilities) -> None:
    """Draw wrongly classified digits with what they are, what the network says, and how confident it is."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    titles = [
        words(f"{right}, network: {wrong}\n({share:.0%})", f"{right}，网络：{wrong}\n（{share:.0%}）")
        for right, wrong, share in zip(truth, predicted, confidence, strict=True)
    ]
    plots.show(
        plots.grid(pictures, titles, size=1.15),
        alt="Eight test digits that the network gets wrong although it is very confident; several are hard for people too.",
        alt_zh="网络置信度很高却认错的八个测试样本；其中几个人也难以辨认。",
    )


def drawn(picture, prepared, probabilities) -> None:
    """Draw the reader's digit, the same as the network sees it, and the probability of each class."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.9), width_ratios=[1, 1, 1.4])
    titles = words("drawn", "画出的"), words("as the network sees it", "网络看到的")
    for axis, shown, title in zip(axes, [picture, prepared], titles, strict=False):
        axis.imshow(shown)
        axis.set(title=title, xticks=[], yticks=[])
        axis.grid(visible=False)
    said = int(probabilities.argmax())
    axes[2].bar(range(10), probabilities, color=[BLUE if digit == said else "0.7" for digit in range(10)])
    axes[2].set(xticks=range(10), ylim=(0, 1), title=words(f"the network says {said}", f"网络认为是 {said}"))
    axes[2].set(xlabel=words("digit", "数字"), ylabel=words("probability", "概率"))
    plots.show(
        figure,
        alt="A drawn digit, the same digit prepared as a 28 by 28 image, and a bar for the probability of each digit.",
        alt_zh="画出的数字、处理成 28×28 之后的数字，以及网络给每个数字的概率（柱形图）。",
    )
