"""Helpers that the chapters of *Deep Learning, Measured* (《实测深度学习》) share.

Nothing third-party is imported here: `python3 -m course_utils` has to start on a machine that has only Python.
"""

__version__ = "0.1.0"
