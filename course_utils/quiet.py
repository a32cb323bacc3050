"""Imports TensorFlow and Keras first, with the course's settings and without the lines that TensorFlow writes at its start.

Every chapter's set-up cell imports this, however the chapter was started: what a user's shell and home say about Keras,
TensorFlow, Matplotlib and IPython does not reach the chapter (see `surroundings`). TensorFlow's lines ("Could not find
cuda drivers…") are written before it reads `TF_CPP_MIN_LOG_LEVEL`, straight to the process's standard error, and would
stand in every notebook. Set `COURSE_SHOW_LOGS=1` to see them, for instance when a GPU is not found.
"""

import contextlib
import ctypes
import gc
import os
import sys
from pathlib import Path

from course_utils import devices, surroundings


@contextlib.contextmanager
def standard_error_closed():
    """Send what compiled code writes to standard error nowhere; Python's own exceptions still arrive."""
    if os.environ.get("COURSE_SHOW_LOGS"):
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def use_few_arenas():
    """Let glibc's allocator keep two pools of memory instead of eight a core: fewer half-empty ones, less memory."""
    arena_max = -8  # M_ARENA_MAX of malloc.h
    with contextlib.suppress(OSError, AttributeError):  # other systems have another allocator
        ctypes.CDLL(None).mallopt(arena_max, 2)


@contextlib.contextmanager
def hidden(name):
    """Let `import name` fail for a while, as if it were not installed."""
    absent = name not in sys.modules
    if absent:
        sys.modules[name] = None
    try:
        yield
    finally:
        if absent:
            del sys.modules[name]


surroundings.check_packages()
surroundings.clean_this_process()
if sys.platform.startswith("linux"):
    use_few_arenas()
gc.disable()  # hundreds of thousands of objects come and none goes: looking for garbage costs 1.5 s
# Keras imports scikit-learn for its wrappers alone: 0.06 GB and 2 s that most chapters never need.
with standard_error_closed(), hidden("sklearn"):
    import tensorflow as tf

    devices.arrange_gpus()
    import keras.src.backend.config
gc.enable()
gc.freeze()  # what was imported stays: no later collection has to look at it again
tf.get_logger().setLevel("ERROR")  # and its advice on retracing
# Keras has read the course's settings; what a learner downloads with it goes where it always goes.
keras.src.backend.config._KERAS_DIR = str(Path.home() / ".keras")
