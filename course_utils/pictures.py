"""A figure as HTML: JupyterLab writes no alt text on pictures of its own, so the course brings its own <img>.

The same for a slider whose pictures are stored: HTML that needs neither a kernel nor a network.
"""

import html
import json


def as_html(png: str, alt: str, width: int, height: int, caption: str = "") -> str:
    """Return the HTML of a figure that a screen reader can read.

    Args:
        png: the picture, base64.
        alt: what is seen, for readers who do not see it.
        width: in CSS pixels.
        height: in CSS pixels.
        caption: a line below the picture; none if empty.
    """
    return f'<figure style="margin: 0">{_image(png, alt, width, height)}{caption_html(caption)}</figure>'


def caption_html(caption: str) -> str:
    """Return the HTML of a line below a picture; none if it is empty."""
    return f"<figcaption>{html.escape(' '.join(caption.split()))}</figcaption>" if caption else ""


# The slider comes with the picture where a page may run scripts: elsewhere it would stand there and move nothing.
_ADD = (
    "this.onload = null; const figure = this.closest('figure'); "
    "figure.insertAdjacentHTML('afterbegin', figure.dataset.slider)"
)
_MOVE = (
    "const figure = this.closest('figure'), [label, picture] = JSON.parse(figure.dataset.frames)[this.value]; "
    "figure.querySelector('img').src = picture; "
    "this.ariaValueText = figure.querySelector('output').textContent = label"
)


def frames_as_html(
    frames: list, start: int, name: str, alt: str, width: int, height: int, note: str = "", below: str = ""
) -> str:
    """Return the HTML of a slider over stored pictures; where scripts are not allowed, of its first picture alone.

    Args:
        frames: (label, picture as base64 PNG) for each position of the slider.
        start: the position that is seen first.
        name: what the slider changes.
        alt, width, height: as for `as_html`, the same for all pictures.
        note: what stands beside the slider.
        below: HTML, such as a caption's.
    """
    label, png = frames[start]
    slider = (
        f'<div><label>{html.escape(name)} <input type="range" min="0" max="{len(frames) - 1}" value="{start}" '
        f'autocomplete="off" style="vertical-align: middle" aria-valuetext="{html.escape(label)}" oninput="{_MOVE}"> '
        f"<output>{html.escape(label)}</output></label> <small>{html.escape(note)}</small></div>"
    )
    pictures = [(label, f"data:image/png;base64,{png.strip()}") for label, png in frames]
    stored = html.escape(json.dumps(pictures, ensure_ascii=False))
    return (
        f'<figure style="margin: 0" data-slider="{html.escape(slider)}" data-frames="{stored}">'
        f"{_image(png, alt, width, height, onload=_ADD)}{below}</figure>"
    )


def _image(png: str, alt: str, width: int, height: int, **events: str) -> str:
    seen = html.escape(" ".join(alt.split()))
    handlers = "".join(f' {name}="{html.escape(script)}"' for name, script in events.items())
    return (
        f'<img alt="{seen}" width="{width}" height="{height}" style="max-width: 100%; height: auto"{handlers} '
        f'src="data:image/png;base64,{png.strip()}">'
    )
