"""A figure as HTML: JupyterLab writes no alt text on pictures of its own, so the course brings its own <img>."""

import html


def as_html(png: str, alt: str, width: int, height: int, caption: str = "") -> str:
    """Return the HTML of a figure that a screen reader can read.

    Args:
        png: the picture, base64.
        alt: what is seen, for readers who do not see it.
        width: in CSS pixels.
        height: in CSS pixels.
        caption: a line below the picture; none if empty.
    """
    seen = html.escape(" ".join(alt.split()))
    picture = (
        f'<img alt="{seen}" width="{width}" height="{height}" style="max-width: 100%; height: auto" '
        f'src="data:image/png;base64,{png.strip()}">'
    )
    below = f"<figcaption>{html.escape(' '.join(caption.split()))}</figcaption>" if caption else ""
    return f'<figure style="margin: 0">{picture}{below}</figure>'
