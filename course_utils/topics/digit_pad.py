"""A pad to draw a digit on, and the road from any picture of a digit to the 28x28 image that MNIST would hold.

MNIST's digits were prepared in a fixed way, and a network trained on them expects it: ink is bright on black, the
digit is scaled into a box of 20x20 pixels without changing its proportions, and placed so that its centre of mass is
the centre of the 28x28 image. Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
document recognition", Proceedings of the IEEE 86 (1998), section III.A, https://doi.org/10.1109/5.726791
"""

import numpy as np
from PIL import Image, ImageDraw

from course_utils import language
from course_utils.checking import expect

try:
    import anywidget
    import traitlets
except ImportError:  # the pad is then missing, pictures still work
    anywidget = None

SIZE = 28  # pixels of an MNIST image
BOX = 20  # pixels of the box that holds the digit
PAD = 280  # side of the drawing pad, in its own units
PEN = 20  # width of its pen

# A "5" as a pad would hold it, drawn away from the centre: used until the reader has drawn something.
EXAMPLE_STROKES = [
    [[196, 62], [176, 60], [150, 61], [127, 63], [124, 82], [120, 103], [117, 122]],
    [[117, 122], [132, 115], [150, 113], [168, 118], [181, 131], [186, 149], [181, 168],
     [168, 182], [149, 189], [129, 187], [113, 178]],
]  # fmt: skip

_SCRIPT = """
function render({ model, el }) {
  const size = model.get("side"), pen = model.get("pen");
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  canvas.style.cssText = "background:#000;border-radius:6px;touch-action:none;cursor:crosshair;display:block";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", model.get("labels")[0]);
  const button = document.createElement("button");
  button.textContent = model.get("labels")[1];
  button.style.cssText = "margin:6px 0;padding:4px 14px";
  const context = canvas.getContext("2d");
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = pen;
  context.strokeStyle = context.fillStyle = "#fff";
  let strokes = [], drawing = false;

  function paint() {
    context.clearRect(0, 0, size, size);
    for (const stroke of strokes) {
      context.beginPath();
      context.moveTo(stroke[0][0], stroke[0][1]);
      for (const point of stroke) context.lineTo(point[0], point[1]);
      if (stroke.length === 1) context.lineTo(stroke[0][0] + 0.1, stroke[0][1]);
      context.stroke();
    }
  }
  function where(event) {
    const box = canvas.getBoundingClientRect();
    const scale = size / box.width;
    return [Math.round((event.clientX - box.left) * scale), Math.round((event.clientY - box.top) * scale)];
  }
  function send() { model.set("strokes", strokes.map((stroke) => stroke.slice())); model.save_changes(); }

  // pointer events serve mouse, pen and touch alike
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    drawing = true;
    strokes.push([where(event)]);
    paint();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    strokes[strokes.length - 1].push(where(event));
    paint();
  });
  function stop() { if (drawing) { drawing = false; send(); } }
  canvas.addEventListener("pointerup", stop);
  canvas.addEventListener("pointercancel", stop);
  button.addEventListener("click", () => { strokes = []; paint(); send(); });

  function follow() { strokes = model.get("strokes").map((stroke) => stroke.slice()); paint(); }
  model.on("change:strokes", follow);
  follow();
  el.append(canvas, button);
  return () => model.off("change:strokes", follow);
}
export default { render };
"""

if anywidget is not None:

    class DrawingPad(anywidget.AnyWidget):
        """A square to draw on with mouse, pen or finger; nothing is loaded from a network.

        `strokes` is a list of lines, each a list of [x, y] on the pad (0 to `side`, y downwards).
        """

        _esm = _SCRIPT
        strokes = traitlets.List().tag(sync=True)
        side = traitlets.Int(PAD).tag(sync=True)
        pen = traitlets.Int(PEN).tag(sync=True)
        labels = traitlets.List().tag(sync=True)  # of the square and of its button

        @traitlets.default("labels")
        def _labels_of_the_reader(self):
            return {"en": ["draw a digit here", "clear"], "zh": ["在此画一个数字", "清除"]}[
                language.current()
            ]

        def __repr__(self):
            return language.words("[a pad to draw on: it needs a running kernel]", "[画板，需要运行中的内核]")

        def picture(self) -> np.ndarray:
            """Return what was drawn, (side, side) uint8, bright ink on black; the example if nothing was drawn."""
            return rasterize(self.strokes or EXAMPLE_STROKES, self.side, self.pen)

else:

    class DrawingPad:
        """Stands in where anywidget is not installed: it cannot be drawn on and always holds the example."""

        strokes = ()

        def __repr__(self):
            return language.words(
                "no pad without anywidget; use digit_pad.read_picture(file) instead",
                "没有 anywidget，无法显示画板；可用 digit_pad.read_picture(图片文件)",
            )

        def picture(self) -> np.ndarray:
            """Return the example."""
            return rasterize(EXAMPLE_STROKES)


def rasterize(strokes, side: int = PAD, pen: int = PEN) -> np.ndarray:
    """Draw strokes with a round pen.

    Args:
        strokes: list of lines, each a list of [x, y] in pixels, y downwards; a line of one point is a dot.
        side, pen: width of the picture and of the pen, in pixels.

    Returns:
        (side, side) uint8, 255 on 0.
    """
    image = Image.new("L", (side, side), 0)
    paper = ImageDraw.Draw(image)
    radius = pen / 2
    for stroke in strokes:
        points = [(float(x), float(y)) for x, y in stroke]
        if len(points) > 1:
            paper.line(points, fill=255, width=pen)
        for x, y in points:  # round ends and joints
            paper.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image)


def read_picture(path) -> np.ndarray:
    """Read an image file (PNG, JPEG, …) as grey values.

    A transparent background counts as white paper.

    Returns:
        (height, width) uint8.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not an image.
    """
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGBA")
    except FileNotFoundError:
        raise FileNotFoundError(f"找不到图片文件 · no image file at {path}") from None
    except OSError:
        expect(
            False,
            str(path),
            "应为图片（PNG 或 JPEG）",
            "a picture, PNG or JPEG",
            "a file that is not an image",
        )
    paper = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(paper, image).convert("L"))


def to_mnist(picture) -> np.ndarray:
    """Turn a picture of one digit into the 28x28 image MNIST would hold.

    Steps: dark ink on bright paper is inverted (the border tells which is paper), the paper becomes 0 and the darkest
    ink 255, faint specks are removed, the ink is cut out, scaled so that its longer side is 20 pixels, and placed with
    its centre of mass in the middle.

    Args:
        picture: (height, width) grey values, any size and any numeric type.

    Returns:
        (28, 28) uint8, bright ink on black.

    Raises:
        ValueError: not two-dimensional, or no ink to be seen.
    """
    picture = np.asarray(picture, dtype="float64")
    fits = picture.ndim == 2 and picture.size
    expect(
        fits, "picture", "灰度图的形状应为 (height, width)", "a grey picture (height, width)", picture.shape
    )
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    ink = np.abs(picture - np.median(border))  # (height, width), 0 where there is paper
    has_ink = ink.max() >= 1e-9 and np.ptp(picture) >= 16 / 255 * max(1.0, np.abs(picture).max())
    wanted = "应有看得见的笔迹", "a digit that stands out (draw one, or take a picture with more contrast)"
    expect(has_ink, "picture", *wanted, "no ink")
    ink = ink / ink.max()
    ink[ink < 0.2] = 0  # the paper's own shades
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    digit = _scale_into_box(digit)  # longer side 20
    return _center(np.round(255 * digit / digit.max()).astype("uint8"))


def _scale_into_box(digit: np.ndarray) -> np.ndarray:
    height, width = digit.shape
    scale = BOX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))  # Pillow wants (width, height)
    image = Image.fromarray(digit.astype("float32"))
    return np.clip(
        np.asarray(image.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR)), 0, 1
    )


def _center(digit: np.ndarray) -> np.ndarray:
    """Place a digit of at most 20x20 so that its centre of mass is the image's centre, without losing ink."""
    height, width = digit.shape
    mass = digit.sum(dtype="float64")
    row = (digit.sum(axis=1, dtype="float64") @ np.arange(height)) / mass
    column = (digit.sum(axis=0, dtype="float64") @ np.arange(width)) / mass
    middle = SIZE / 2  # pixel 14, as measured on MNIST (its mean centre of mass is 13.98, 14.01)
    top = int(np.clip(round(middle - row), 0, SIZE - height))
    left = int(np.clip(round(middle - column), 0, SIZE - width))
    placed = np.zeros((SIZE, SIZE), "uint8")
    placed[top : top + height, left : left + width] = digit
    return placed
