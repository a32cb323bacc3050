"""python3 -m course_utils kernel: the course's environment as a Jupyter kernel for programs outside it.

A JupyterLab or a hub of another environment, VS Code and PyCharm list the kernels that are registered in the user's
home or under a prefix; a chapter needs one that has the course's packages.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from course_utils import files, surroundings
from course_utils.door import SetupError

NAME = "deep-learning-measured"
DISPLAY_NAME = "Deep Learning, Measured"


def variables(folder: Path) -> dict[str, str]:
    """Return the variables that the kernel gets over those of whoever starts it.

    Args:
        folder: the kernel's own folder; IPython keeps its profile there and does not read the user's.
    """
    wanted = {**surroundings.clean({}), "PYTHONHASHSEED": "0", "IPYTHONDIR": str(folder / "ipython")}
    # A kernel's specification replaces a variable; the user's own exceptions from a proxy have to stay.
    return {name: value for name, value in wanted.items() if name.lower() != "no_proxy"}


def install(prefix: str | None) -> Path:
    """Register the kernel and return its folder."""
    from ipykernel import kernelspec

    folder = Path(
        kernelspec.install(user=not prefix, prefix=prefix, kernel_name=NAME, display_name=DISPLAY_NAME)
    )
    specification = files.read_json(folder / "kernel.json")
    files.write_json(folder / "kernel.json", {**specification, "env": variables(folder)})
    return folder


def remove(prefix: str | None) -> Path:
    """Remove the kernel that `install` registered with the same prefix, and return where its folder was.

    Raises:
        SetupError: it is not registered there.
    """
    from jupyter_core import paths

    data = Path(prefix) / "share" / "jupyter" if prefix else Path(paths.jupyter_data_dir())
    folder = data / "kernels" / NAME
    if not folder.exists():
        raise SetupError(f"这里没有登记 · it is not registered here: {folder}")
    shutil.rmtree(folder)
    return folder


def main(arguments: list[str]) -> int:
    """Register the kernel or remove it, and say where it is found."""
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils kernel",
        description="把课程环境登记为 Jupyter 内核 · register the course's environment as a Jupyter kernel",
    )
    parser.add_argument(
        "--prefix",
        default=None,
        help="登记给用这个文件夹中 Jupyter 的所有人，例如 /usr/local · for everybody whose Jupyter is in this folder, "
        "such as /usr/local (otherwise for you alone)",
    )
    parser.add_argument("--remove", action="store_true", help="取消登记 · take it away again")
    options = parser.parse_args(arguments)
    try:
        folder = remove(options.prefix) if options.remove else install(options.prefix)
    except OSError as error:
        place = error.filename or options.prefix
        raise SetupError(
            f"无法写入 {place}（{error.strerror}） · cannot write {place} ({error.strerror}). 去掉 --prefix 只为自己登记 · "
            "without --prefix it is registered for you alone"
        ) from None
    if options.remove:
        print(f"已取消登记 · removed: {folder}")
        return 0
    print(
        f"内核已登记 · kernel registered: {DISPLAY_NAME}\n  {folder}\n"
        "重新打开程序，然后选择它 · open the program again, then choose it:\n"
        f"  JupyterLab, Notebook 7   内核 → 更改内核 · Kernel → Change Kernel → {DISPLAY_NAME}\n"
        f"  VS Code                  选择内核 → Jupyter 内核 · Select Kernel → Jupyter Kernel → {DISPLAY_NAME}\n"
        f"  PyCharm                  笔记本上方的内核列表 · the list of kernels above the notebook → {DISPLAY_NAME}\n"
        "取消 · take it away:  python3 -m course_utils kernel --remove"
    )
    return 0
