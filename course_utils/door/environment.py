"""Make the environment, lock it, mark it, enter it.

What keeps set-up from ending half-made:

- A marker with a fingerprint of the requirement files and the Python version is written last; the environment counts
  only with it, and it is taken away before anything is changed.
- An environment without a marker was interrupted. pip cannot tell a half-written package from a whole one, so it is
  made again from nothing; pip's cache keeps what was downloaded.
- A lock of the operating system, which ends with the process that holds it, lets one process install at a time. pip
  inherits it: after a kill, the next call waits for a pip that still writes.
- Only a folder that carries our own mark is ever deleted.
- The CUDA libraries for a GPU come last and are an addition: an environment without them is complete on a machine without
  a GPU, and when they cannot be had the course goes on with the CPU, and says so.
"""

from __future__ import annotations

import ast
import errno
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from course_utils import files, surroundings
from course_utils.door import SetupError, accelerators, pip, pythons, say

ROOT = surroundings.ROOT
GIGABYTES_TO_UPDATE = 1.5

MARKER = "course-ready.json"
# In every folder that the course made, and may therefore delete.
OURS = "course-environment"
# What the marker says of the CUDA libraries when they could not be installed: only the doctor tries again.
REFUSED = "refused"
# Set for the process that is started inside the environment; stops it starting another.
ENTERED = "COURSE_ENTERED"


def using_current() -> bool:
    """Return whether the running Python is used as it is (Binder, Colab, an image for continuous integration)."""
    return os.environ.get("COURSE_ENVIRONMENT", "").strip().lower() == "current"


def venv_folder() -> Path:
    """Return the environment's folder: COURSE_VENV, else .venv in the repository."""
    chosen = os.environ.get("COURSE_VENV", "").strip()
    return Path(os.path.abspath(os.path.expanduser(chosen))) if chosen else ROOT / ".venv"


def venv_python(folder: Path) -> Path:
    """Return the environment's interpreter."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


# ------------------------------------------------------------------------------------------------------- the mark


def fingerprint(part: str = "main") -> str:
    """Return the SHA-256 of requirement files, Python version and places: a folder that was copied is not ready.

    Args:
        part: "main", "tests" or "cuda", the last two for what they add to it.
    """
    digest = hashlib.sha256()
    version = "{}.{}".format(*pythons.running_version())
    for text in (version, platform.machine(), str(ROOT), str(venv_folder())):
        digest.update(text.encode("utf-8", "surrogateescape") + b"\0")
    added = {"main": [], "tests": ["tests/requirements.txt"], "cuda": [accelerators.REQUIREMENTS.name]}[part]
    names = ["requirements.txt", "constraints.txt", *added]
    for path in (ROOT / name for name in names):
        digest.update((path.read_bytes() if path.exists() else b"").replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def read_marker(folder: Path) -> dict[str, str]:
    """Return what was installed to the end: {"main": fingerprint, "tests": ..., "cuda": ...}, {} when nothing was."""
    return files.read_json(folder / MARKER)


def is_ready(folder: Path, tests: bool = False, retry: bool = False) -> bool:
    """Return whether the environment is complete for this Python, these requirement files and this machine's GPU.

    Args:
        folder: the environment's folder.
        tests: the test tools are needed, too.
        retry: CUDA libraries that could not be installed before are missing, not done without.
    """
    marker = read_marker(folder)
    if not venv_python(folder).exists() or marker.get("main") != fingerprint():
        return False
    if tests and marker.get("tests") != fingerprint("tests"):
        return False
    return not _lacks_cuda(marker, retry)


def _lacks_cuda(marker: Mapping[str, str], retry: bool) -> bool:
    """Return whether the CUDA libraries are wanted and neither there nor done without."""
    said = marker.get("cuda")
    if said == fingerprint("cuda") or (said == REFUSED and not retry):
        return False
    # Asked last: the driver may take seconds, and a finished environment takes milliseconds.
    return accelerators.wants_cuda()


# ------------------------------------------------------------------------------------ what cannot work, said early


def check_disk(folder: Path, gigabytes: float) -> None:
    """Say that the disk that takes the environment has not enough room.

    Raises:
        SetupError: how much is needed and how much is free.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(str(place)).free / 1e9
    if free < gigabytes:
        raise SetupError(
            f"磁盘空间不足：需要 {gigabytes:g} GB，只剩 {free:.1f} GB（{place}） · not enough disk: {gigabytes:g} GB needed, "
            f"{free:.1f} GB free at {place}. 请清理空间，或用 COURSE_VENV 指定另一块磁盘上的文件夹 · "
            "make room, or name a folder on another disk with COURSE_VENV"
        )


def _check_name(folder: Path) -> None:
    if os.pathsep in str(folder):
        raise SetupError(
            f"路径中有 {os.pathsep!r}，Python 不能在其中建立环境：{folder} · the path has a {os.pathsep!r}, so Python makes no "
            f"environment there: {folder}. " + _ELSEWHERE
        )


def _check_programs_run(folder: Path) -> None:
    """Say that the disk does not run programs ("noexec"); TensorFlow's libraries would not load from it either."""
    if os.name == "nt":
        return
    probe = folder / "course-probe"
    probe.write_bytes(b"#!/bin/sh\n")
    probe.chmod(0o755)
    runs = os.access(probe, os.X_OK)
    probe.unlink()
    if not runs:
        raise SetupError(
            f"{folder} 所在的磁盘不允许执行程序（noexec） · the disk of {folder} does not run programs (noexec). "
            + _ELSEWHERE
        )


def _links_refused(folder: Path) -> SetupError | None:
    """Return what to say when the disk has no symbolic links, which Python needs on this system; else None."""
    probe = folder / "course-probe"
    try:
        probe.symlink_to("nothing")
        probe.unlink()
    except OSError as error:
        return SetupError(
            f"{folder} 所在的磁盘不支持符号链接（{error.strerror}） · the disk of {folder} has no symbolic links "
            f"({error.strerror}), as exFAT, FAT and some network disks. " + _ELSEWHERE
        )
    return None


# What a disk refuses, another one grants.
_ELSEWHERE = (
    "请把环境放到别处，每次都这样设置 · put the environment elsewhere, and set this each time:\n    "
    + (
        r"set COURSE_VENV=%USERPROFILE%\course-environment"
        if os.name == "nt"
        else 'export COURSE_VENV="$HOME/course-environment"'
    )
)


def _cannot_write(folder: Path | str, error: OSError) -> SetupError:
    return SetupError(
        f"无法写入 {folder}（{error.strerror or error}） · cannot write {folder} ({error.strerror or error}). "
        "请把课程复制到自己的文件夹，或用 COURSE_VENV 指定可写的文件夹 · "
        "copy the course to a folder of your own, or name a writable one with COURSE_VENV"
    )


# ------------------------------------------------------------------------------------------------------- the lock


class Lock:
    """An advisory lock of the operating system on a file beside the environment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handle = -1

    def _try(self) -> None:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(self.handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __enter__(self) -> Lock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        told = False
        while True:
            try:
                self._try()
                return self
            except OSError as error:
                # A file system without locks: go on, as every program there does.
                if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                    return self
                if not told:
                    say("另一个进程正在安装，等待它完成 · another process is installing, waiting for it")
                    told = True
                time.sleep(0.3)

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)


# ---------------------------------------------------------------------------------------------------- the set-up


def set_up(tests: bool = False, retry: bool = False) -> None:
    """Make the environment complete; does nothing, in milliseconds, when it is.

    Args:
        tests: with the test tools.
        retry: try again to install CUDA libraries that could not be installed before.

    Raises:
        SetupError: it cannot be made; the text says what to do.
    """
    folder = venv_folder()
    try:
        if is_ready(folder, tests, retry):
            return
        pythons.check_venv_module()
        _check_name(folder)
        with Lock(folder.with_name(folder.name + ".lock")) as lock:
            # Another process may have been faster.
            if not is_ready(folder, tests, retry):
                _set_up_locked(folder, lock.handle, tests, retry)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise pip.explain("No space left on device", folder) from None
        raise _cannot_write(error.filename or folder, error) from None


def _set_up_locked(folder: Path, handle: int, tests: bool, retry: bool) -> None:
    started = time.time()
    keep = _can_be_updated(folder)
    check_disk(folder, GIGABYTES_TO_UPDATE if keep else pip.GIGABYTES_NEEDED)
    done = read_marker(folder) if keep else {}
    # New pins are a new chance.
    cuda = _lacks_cuda(done, retry or done.get("main") != fingerprint())
    if cuda:
        say(_about_cuda())
    # From here until it is written again, the environment does not count.
    (folder / MARKER).unlink(missing_ok=True)
    steps = 2 + tests + cuda
    place = f"课程环境 · environment: {folder}\n[1/{steps}]"
    if keep:
        say(f"{place} 更新现有环境 · bringing the existing environment up to date")
    else:
        if folder.exists() and any(folder.iterdir()):
            say(
                "现有环境未完成或属于另一个 Python，重新建立 · the environment is incomplete or another Python's: making it again"
            )
            _delete(folder)
        say(f"{place} 建立空环境 · making an empty environment")
        _make_venv(folder, handle)
    complete = {"main": fingerprint()}
    python = venv_python(folder)
    _make_importable(python)
    try:
        if done.get("main") != complete["main"]:
            size = f"{pip.GIGABYTES_TO_DOWNLOAD:g} GB"
            what = (
                f"安装软件包（首次约下载 {size}） · installing packages ({size} to download the first time)"
            )
            pip.install(python, folder, handle, ROOT / "requirements.txt", f"[2/{steps}] {what}")
            done = dict(complete)
        if tests and done.get("tests") != fingerprint("tests"):
            what = "安装测试工具 · installing the test tools"
            pip.install(python, folder, handle, ROOT / "tests" / "requirements.txt", f"[3/{steps}] {what}")
            complete["tests"] = fingerprint("tests")
        elif "tests" in done:
            complete["tests"] = done["tests"]
        done = {**done, **complete}
        if cuda:
            complete["cuda"] = _install_cuda(python, folder, handle, f"[{steps}/{steps}]")
        elif "cuda" in done:
            complete["cuda"] = done["cuda"]
    except pip.PipError as error:
        # Without a network an update fails; what was installed is still whole.
        if done and error.untouched:
            files.write_json(folder / MARKER, done)
        raise
    shutil.rmtree(folder / pip.TEMPORARY, ignore_errors=True)
    files.write_json(folder / MARKER, complete)
    say(f"环境就绪 · ready after {time.time() - started:.0f} s\n")


def _about_cuda() -> str:
    """Say, before anything is downloaded, how much more a GPU asks for and how to decline."""
    gpu = accelerators.nvidia().text or "NVIDIA (COURSE_CPU_ONLY=0)"
    download, disk = accelerators.GIGABYTES_TO_DOWNLOAD, accelerators.GIGABYTES_ON_DISK
    return (
        f"GPU：{gpu}。将另外下载 CUDA 库 {download:g} GB（占磁盘 {disk:g} GB）；不需要就设 COURSE_CPU_ONLY=1 · "
        f"{gpu}: its CUDA libraries are {download:g} GB more to download ({disk:g} GB on disk); COURSE_CPU_ONLY=1 declines"
    )


def _install_cuda(python: Path, folder: Path, handle: int, step: str) -> str:
    """Add the CUDA libraries to an environment that is complete without them; return what the marker says of them.

    Raises:
        PipError: pip failed in the middle of writing, and the environment may be half-made.
    """
    what = f"{step} 安装 GPU 所需的 CUDA 库 · installing the CUDA libraries for the GPU"
    try:
        check_disk(folder, accelerators.GIGABYTES_TO_DOWNLOAD + accelerators.GIGABYTES_ON_DISK)
        pip.install(python, folder, handle, accelerators.REQUIREMENTS, what)
    except SetupError as error:
        if isinstance(error, pip.PipError) and not error.untouched:
            raise
        say(
            f"{error}\nCUDA 库没有装上，课程先用 CPU 运行；doctor 会再试一次 · the CUDA libraries are not installed and the course "
            "runs on the CPU; to try again: python3 -m course_utils doctor"
        )
        return REFUSED
    return fingerprint("cuda")


def _can_be_updated(folder: Path) -> bool:
    """Return whether an existing environment can be brought up to date in place; otherwise it is made again."""
    python = venv_python(folder)
    if not python.exists() or pythons.interpreter_version([str(python)]) != pythons.running_version():
        return False
    if subprocess.run([python, "-E", "-c", "import pip"], stderr=subprocess.DEVNULL, check=False).returncode:
        return False
    # Without a marker ours was interrupted; one that a user made by hand was not, and is not ours to delete.
    return bool(read_marker(folder)) or not (folder / OURS).exists()


def _delete(folder: Path) -> None:
    """Remove an environment that the course made."""
    if not (folder / OURS).exists():
        raise SetupError(
            f"{folder} 不是可用的环境，也不是本课程建立的，因此不会删除它 · {folder} is no working environment and was not made by the "
            "course, so it is left alone. 请自行删除，或用 COURSE_VENV 指定另一个文件夹 · delete it, or name another with COURSE_VENV"
        )
    try:
        # The mark goes last: a deletion that is interrupted can be taken up again.
        for entry in folder.iterdir():
            if entry.name == OURS:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    except OSError as error:
        raise SetupError(
            f"无法删除旧环境 {folder}（{error.strerror}）：请先关闭 JupyterLab · cannot delete the old environment {folder} "
            f"({error.strerror}): close JupyterLab first"
        ) from None


def _make_venv(folder: Path, handle: int) -> None:
    """Make an empty environment with pip, in a folder that carries our mark."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write(folder / OURS, "made by: python3 -m course_utils\n")
    _check_programs_run(folder)
    # The base interpreter, so that an environment never hangs on another one that may be deleted.
    base = getattr(sys, "_base_executable", None) or sys.executable
    code, output = pip.run_logged([base, "-m", "venv", str(folder)], folder, handle, pip.environment(folder))
    if code:
        raise _links_refused(folder) or pip.explain(output, folder)


def _make_importable(python: Path) -> None:
    """Let course_utils be imported from the repository itself (as an editable installation), without a build tool."""
    question = "import sysconfig; print(ascii(sysconfig.get_path('purelib')))"
    output = subprocess.check_output([python, "-E", "-c", question])
    place = Path(ast.literal_eval(output.decode("ascii").strip()))
    # A path line would be read in the locale's encoding; an import line with an escaped path is right in all of them.
    line = f"import sys; sys.path.append({str(ROOT)!a})\n"
    files.write(place / "course_utils_repository.pth", line)


# --------------------------------------------------------------------------------------------- going on inside it


def python_of_the_course(command: str, arguments: Sequence[str]) -> str:
    """Return the Python in which the command shall run, with everything installed.

    Raises:
        SetupError: there is none, and none can be made.
    """
    if using_current():
        if pythons.running_version() < pythons.OLDEST:
            pythons.check_python([command, *arguments])
        return sys.executable
    pythons.check_python([command, *arguments])
    set_up(tests=command == "test", retry=command == "doctor")
    return str(venv_python(venv_folder()))


def for_children() -> dict[str, str]:
    """Return the variables for a process of the course: nothing of the user's shell that would change it."""
    variables = surroundings.clean(os.environ)
    # What was asked for, also where the CUDA libraries are installed.
    if accelerators.declined():
        variables["CUDA_VISIBLE_DEVICES"] = "-1"
    # Chinese text in a pipe, and in every file of every library.
    if os.name == "nt":
        variables.setdefault("PYTHONUTF8", "1")
    if using_current():
        return variables
    for name in ("PYTHONHOME", "__PYVENV_LAUNCHER__"):
        variables.pop(name, None)
    # A wish for clean folders, kept: but compiling TensorFlow anew costs every kernel 6 s, so it goes into our own.
    if variables.pop("PYTHONDONTWRITEBYTECODE", ""):
        variables.setdefault("PYTHONPYCACHEPREFIX", str(venv_folder() / "compiled"))
    return variables


def enter(command: str, arguments: Sequence[str]) -> None:
    """Return in a process that runs in a complete environment with clean variables; start it when this is not it.

    Raises:
        SetupError: the environment cannot be made.
    """
    # Taken away: a terminal inside JupyterLab must not inherit it.
    if os.environ.pop(ENTERED, None):
        return
    python = python_of_the_course(command, arguments)
    replace_process([python, "-m", "course_utils", command, *arguments], {**for_children(), ENTERED: "yes"})


def replace_process(command: Sequence[str], variables: Mapping[str, str]) -> NoReturn:
    """Go on as another program: exit code, signals and Ctrl-C are then that program's."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execve(command[0], list(command), dict(variables))
    # Windows has no exec: stay as a waiting parent. Ctrl-C goes to both, the child decides what it means.
    process = subprocess.Popen(list(command), env=dict(variables))
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            continue
