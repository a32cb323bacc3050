"""Keeps what stands in a user's home and shell from changing the course's numbers, figures or start.

Whoever starts a process for the course gives it `clean(os.environ)`; a kernel that somebody else started (VS Code,
papermill by hand, a hub) cleans itself when its set-up cell imports `quiet`. The user's files are left alone: Keras and
Matplotlib are told to read the course's settings instead.

Standard library only, and no TensorFlow before this has run.
"""

import importlib.util
import os
import sys
from pathlib import Path

SETTINGS = Path(__file__).resolve().parent / "settings"
ROOT = SETTINGS.parent.parent

# Variables of TensorFlow that say where to run or how much to tell, and so may stay; all others may change numbers.
_HARMLESS = (
    "TF_CLI_CONFIG_FILE",  # Terraform's
    "TF_CONFIG",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_CUDA_COMPUTE_CAPABILITIES",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_GPU_ALLOCATOR",
    "TF_GPU_THREAD_COUNT",
    "TF_GPU_THREAD_MODE",
)
_PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "scipy",
    "matplotlib",
    "IPython",
    "ipykernel",
    "sklearn",
    "psutil",
)
_NEEDED = ("tensorflow", "keras", "numpy", "matplotlib", "psutil")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def clean(environment) -> dict:
    """Return a copy of environment variables without what would change a chapter, and with the course's settings.

    Out: every KERAS_* (another backend, capped epochs), every TF_* that is not known to be harmless, XLA_FLAGS but for the
    place of CUDA, MPLBACKEND, and folders on PYTHONPATH with packages that the course pins. In: the course's Keras and
    Matplotlib settings, this copy of the course first on PYTHONPATH, and loopback addresses exempted from proxies.
    """
    kept = {name: value for name, value in environment.items() if not _changes_numbers(name)}
    flags = [flag for flag in kept.pop("XLA_FLAGS", "").split() if flag.startswith("--xla_gpu_cuda_data_dir")]
    if flags:
        kept["XLA_FLAGS"] = " ".join(flags)
    path = [place for place in kept.get("PYTHONPATH", "").split(os.pathsep) if place and not _hides(place)]
    path = [place for place in path if Path(place).resolve() != ROOT]
    given = kept.get("no_proxy") or kept.get("NO_PROXY") or ""
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    exempt = ",".join([*hosts, *(host for host in _LOOPBACK if host not in hosts)])
    kept.pop("MPLBACKEND", None)
    return {
        **kept,
        "KERAS_HOME": str(SETTINGS),
        "KERAS_BACKEND": "tensorflow",
        "MATPLOTLIBRC": str(SETTINGS / "matplotlibrc"),
        "no_proxy": exempt,
        "NO_PROXY": exempt,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *path]),
        "TF_CPP_MIN_LOG_LEVEL": kept.get("TF_CPP_MIN_LOG_LEVEL") or "3",
    }


def clean_this_process() -> None:
    """Clean the variables, the module path and the shell of the kernel that runs this.

    Raises:
        RuntimeError: Keras was imported before with another backend (a startup file of IPython, for instance).
    """
    given = dict(os.environ)
    wanted = clean(given)
    if "MPLBACKEND" in given and "ipykernel" in sys.modules:
        wanted["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    for name in set(given) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
    if "numpy" not in sys.modules:
        listed = {place for place in given.get("PYTHONPATH", "").split(os.pathsep) if place and _hides(place)}
        sys.path[:] = [place for place in sys.path if place not in listed]
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        shell.ast_node_interactivity = "last_expr"  # or every line of a cell would show what it returns
    keras = sys.modules.get("keras")
    if keras is not None and keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"Keras 已用 {keras.backend.backend()} 后端导入；请重启内核，先运行本章的第一个单元 · Keras was imported before, "
            f"with the backend {keras.backend.backend()}: restart the kernel and run this chapter's first cell first "
            "(a startup file in IPython's profile may import it)"
        )


def check_packages() -> None:
    """Say which kernel to choose when this one lacks the course's packages.

    Raises:
        ModuleNotFoundError: something is missing; the message says what, and what to do.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"这个内核（{sys.executable}）缺少 {', '.join(missing)}。请换成内核 “Deep Learning, Measured”；列表里没有它时，"
            "在课程文件夹中运行 python3 -m course_utils kernel，再刷新页面。\n"
            f'This kernel ({sys.executable}) lacks {", ".join(missing)}. Choose the kernel "Deep Learning, Measured"; if it is '
            "not in the list, run `python3 -m course_utils kernel` in the course's folder and reload the page.\n"
            "Colab, Kaggle: !pip install -r requirements.txt -c constraints.txt"
        )


def kept_out(environment) -> list:
    """Return what `clean` would take out of an environment or replace, as NAME=value, for reports."""
    cleaned = clean(environment)
    replaced = ("KERAS_BACKEND", "KERAS_HOME", "MATPLOTLIBRC")
    names = [
        name
        for name, value in environment.items()
        if name not in cleaned or (name in replaced and cleaned[name] != value)
    ]
    hidden = [
        place for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place and _hides(place)
    ]
    return [
        *(f"{name}={environment[name]}" for name in sorted(names)),
        *(f"PYTHONPATH: {place}" for place in hidden),
    ]


def _changes_numbers(name: str) -> bool:
    if name in ("PYTHONOPTIMIZE", "PYTHONWARNINGS"):  # no assertions; warnings in outputs
        return True
    return name.startswith("KERAS_") or (name.startswith(("TF_", "TF2_")) and name not in _HARMLESS)


def _hides(place: str) -> bool:
    """Whether a folder on the module path holds another copy of a package that the course pins."""
    return any(Path(place, name).is_dir() or Path(place, f"{name}.py").is_file() for name in _PACKAGES)
