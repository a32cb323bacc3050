"""Helpers that the chapters of *Deep Learning, Measured* (《实测深度学习》) share.

Nothing third-party is imported here: `python3 -m course_utils` has to start on a machine that has only Python.
"""

__version__ = "0.1.0"

# A learner's edited copy of a chapter imports from where a module stood in version 0.1; kept for one release.
_MOVED = {
    "adaptation": "topics.adaptation",
    "compression": "topics.compression",
    "decoding": "topics.decoding",
    "doctor": "machine",
    "draw": "topics.digit_pad",
    "explain": "topics.explain",
    "flops": "topics.flops",
    "language_models": "topics.language_models",
    "masked": "topics.masked",
    "privacy": "topics.privacy",
    "published": "topics.published_models",
    "scaling": "topics.scaling",
    "spelling": "topics.spelling",
    "text": "topics.text",
    "twins": "topics.pytorch_twins",
    "two_digits": "topics.two_digits",
    "verses": "topics.verses",
    "workers": "topics.workers",
}


def __getattr__(name):
    """Find a module under its earlier name: `from course_utils import privacy`."""
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return importlib.import_module(f"{__name__}.{_MOVED[name]}")
