"""A user's home and shell in which everything that could change a chapter is set as badly as users report it."""

import json
import os
from pathlib import Path


def environment(folder: Path) -> dict:
    """Return variables with a home in `folder` that holds settings for Keras, Matplotlib, IPython and a broken NumPy."""
    home = folder / "home"
    contents = {
        ".keras/keras.json": json.dumps(
            {"backend": "jax", "floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first"}
        ),
        ".config/matplotlib/matplotlibrc": "text.usetex: True\nbackend: TkAgg\nfigure.dpi: 10\nno.such.key: 1\n",
        ".ipython/profile_default/ipython_config.py": "c.InteractiveShell.ast_node_interactivity = 'all'\n",
        ".ipython/profile_default/startup/00-numbers.py": "import random\nrandom.seed(1)\n",
        "modules/numpy/__init__.py": "raise ImportError('another NumPy, for another Python')\n",
    }
    for name, text in contents.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    own = {
        "IPYTHONDIR",
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "KERAS_HOME",
        "MATPLOTLIBRC",
        "MPLCONFIGDIR",
    }
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "PYTHONPATH": str(home / "modules"),
        "KERAS_BACKEND": "torch",
        "KERAS_MAX_EPOCHS": "1",
        "KERAS_MAX_STEPS_PER_EPOCH": "1",
        "TF_USE_LEGACY_KERAS": "1",
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
        "XLA_FLAGS": "--no_such_flag=1",
        "MPLBACKEND": "TkAgg",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "no_proxy": "",
        "NO_PROXY": "",
    }
