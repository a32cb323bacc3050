"""Makes .venv, installs the pinned requirements into it, and runs the command there. Standard library only.

Parses on Python 3.6, to be able to say which Python is needed. What keeps set-up from ending half-made:

- A marker with a fingerprint of the requirement files and the Python version is written last; the environment counts
  only with it, and it is taken away before anything is changed.
- An environment without a marker was interrupted. pip cannot tell a half-written package from a whole one, so it is
  made again from nothing; pip's cache keeps what was downloaded.
- A lock of the operating system, which ends with the process that holds it, lets one process install at a time. pip
  inherits it: after a kill, the next call waits for a pip that still writes.
- Only a folder that carries our own mark is ever deleted.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLDEST, NEWEST = (3, 11), (3, 13)  # the Pythons that TensorFlow 2.21 and the course both have
GIGABYTES_NEEDED = 4.0  # installed 2.1 GB, the downloads beside it 0.9 GB, and room to work
GIGABYTES_TO_UPDATE = 1.5

MARKER = "course-ready.json"
OURS = "course-environment"  # in every folder that the course made, and may therefore delete
LOG = "course-setup.log"
ENTERED = (
    "COURSE_ENTERED"  # set for the process that is started inside the environment; stops it starting another
)


class SetupError(Exception):
    """Set-up cannot go on; the text says, in both languages, what was found and what to do."""

    untouched = False  # True when pip failed before it changed an installed package


def prepare_streams():
    """Replaces characters that a terminal cannot show; an error text must never fail to print."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
        if encoding != "utf8" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
        elif encoding != "utf8" and hasattr(stream, "detach"):  # Python 3.6
            import io

            name = "stdout" if stream is sys.stdout else "stderr"
            setattr(sys, name, io.TextIOWrapper(stream.detach(), encoding="utf-8", line_buffering=True))


# ---------------------------------------------------------------------------------------------- where things are


def running_version():
    """(3, 12) of the Python that runs this."""
    return tuple(sys.version_info[:2])


def using_current():
    """Whether the running Python is used as it is (Binder, Colab, an image for continuous integration)."""
    return os.environ.get("COURSE_ENVIRONMENT", "").strip().lower() == "current"


def venv_folder():
    """The environment's folder: COURSE_VENV, else .venv in the repository."""
    chosen = os.environ.get("COURSE_VENV", "").strip()
    return Path(os.path.abspath(os.path.expanduser(chosen))) if chosen else ROOT / ".venv"


def venv_python(folder):
    """The environment's interpreter."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def inside(folder):
    """Whether this process already runs in the environment."""
    return folder.exists() and os.path.realpath(sys.prefix) == os.path.realpath(str(folder))


def requirement_files(tests):
    """The files whose change calls for another installation."""
    files = [ROOT / "requirements.txt", ROOT / "constraints.txt"]
    return files + ([ROOT / "tests" / "requirements.txt"] if tests else [])


def fingerprint(tests):
    """SHA-256 of the requirement files, the Python version and the places, since a copied folder is not ready."""
    digest = hashlib.sha256()
    version = "{}.{}".format(*running_version())
    for text in (version, platform.machine(), str(ROOT), str(venv_folder())):
        digest.update(text.encode("utf-8", "surrogateescape") + b"\0")
    for path in requirement_files(tests):
        digest.update((path.read_bytes() if path.exists() else b"").replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()


def read_marker(folder):
    """What was installed to the end: {"main": fingerprint, "tests": fingerprint}, {} when nothing was."""
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_ready(folder, tests=False):
    """Whether the environment is complete for this Python and these requirement files."""
    marker = read_marker(folder)
    return (
        venv_python(folder).exists()
        and marker.get("main") == fingerprint(False)
        and (not tests or marker.get("tests") == fingerprint(True))
    )


# ------------------------------------------------------------------------------------ what cannot work, said early


def _interpreter_version(command):
    """(3, 12) for a command that starts a Python, None for one that does not."""
    try:
        output = subprocess.check_output(
            command
            + [
                "-c",
                "import sys, struct; print(sys.version_info[0], sys.version_info[1], struct.calcsize('P'))",
            ],
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=15,
        )
        major, minor, pointer = (int(word) for word in output.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None  # a pyenv shim without its Python, the Microsoft Store's stand-in, a broken link
    return (major, minor) if pointer == 8 else None


def suitable_interpreter():
    """The command words of a Python that would do and really starts, e.g. ["python3.12"]; None if there is none."""
    names = ["python3.%d" % minor for minor in range(NEWEST[1], OLDEST[1] - 1, -1)] + ["python3", "python"]
    candidates = [[name] for name in names if shutil.which(name)]
    if os.name == "nt" and shutil.which("py"):
        candidates = [["py", "-3.%d" % minor] for minor in range(NEWEST[1], OLDEST[1] - 1, -1)] + candidates
    for command in candidates:
        version = _interpreter_version(command)
        if version and OLDEST <= version <= NEWEST:
            return command
    return None


def _another_python(arguments):
    """The line that tells what to type, or what to install."""
    found = suitable_interpreter()
    if found:
        typed = " ".join(found + ["-m", "course_utils"] + arguments)
        return f"这台机器上有合适的版本，请输入 · this machine has a suitable one, type:\n    {typed}"
    return (
        "请安装 Python 3.12：python.org 或系统的软件包管理器 · "
        "install Python 3.12, from python.org or your system's package manager"
    )


def check_python(arguments=()):
    """Raises SetupError when no TensorFlow of the course exists for this Python or this machine."""
    version = running_version()
    written = "{}.{}".format(*version)
    if version < OLDEST:
        raise SetupError(
            f"Python {written} 太旧：需要 3.11 到 3.13 · Python {written} is too old: 3.11 to 3.13 is needed ({sys.executable})\n"
            + _another_python(list(arguments))
        )
    if version > NEWEST:
        raise SetupError(
            f"Python {written} 太新：TensorFlow 2.21 只支持到 3.13 · Python {written} is too new: "
            f"TensorFlow 2.21 exists for 3.11 to 3.13 ({sys.executable})\n" + _another_python(list(arguments))
        )
    if struct.calcsize("P") != 8:
        raise SetupError(
            "这是 32 位 Python，TensorFlow 只有 64 位版本 · this Python is 32-bit, TensorFlow exists for 64-bit only\n"
            + _another_python(list(arguments))
        )
    system, machine = platform.system(), platform.machine().lower()
    if system == "Darwin" and machine == "x86_64":
        raise SetupError(
            "TensorFlow 2.21 不支持 Intel Mac：请用 Binder 或 Colab；若是 Apple 芯片，请改装 arm64 的 Python · "
            "TensorFlow 2.21 does not exist for Intel Macs: use Binder or Colab; "
            "on Apple silicon this is an Intel Python, install an arm64 one"
        )
    supported = {"Linux": ("x86_64", "aarch64"), "Darwin": ("arm64",), "Windows": ("amd64",)}
    if machine not in supported.get(system, ()):
        raise SetupError(
            f"没有 {system} {machine} 的 TensorFlow · there is no TensorFlow for {system} {machine}: use Binder or Colab "
            "(Windows on ARM: install the x86-64 Python)"
        )
    if platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise SetupError(
            "TensorFlow 需要普通的 CPython（非 PyPy、非自由线程版） · TensorFlow needs ordinary CPython, "
            "not PyPy and not the free-threaded build\n" + _another_python(list(arguments))
        )
    if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or ""):
        raise SetupError(
            "TensorFlow 需要 glibc，Alpine 不行 · TensorFlow needs glibc; Alpine Linux has musl: use another image"
        )


def check_venv_module():
    """Raises SetupError when this Python cannot make an environment (Debian leaves the modules out)."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        version = "{}.{}".format(*running_version())
        raise SetupError(
            f"这个 Python 缺少模块 {error.name} · this Python lacks the module {error.name}. "
            f"Debian, Ubuntu: sudo apt install python{version}-venv"
        )


def check_disk(folder, gigabytes):
    """Raises SetupError when the disk that takes the environment has not enough room."""
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


def _cannot_write(folder, error):
    return SetupError(
        f"无法写入 {folder}（{error.strerror or error}） · cannot write {folder} ({error.strerror or error}). "
        "请把课程复制到自己的文件夹，或用 COURSE_VENV 指定可写的文件夹 · "
        "copy the course to a folder of your own, or name a writable one with COURSE_VENV"
    )


# ------------------------------------------------------------------------------------------------------- the lock


class Lock:
    """An exclusive lock beside the environment. The system releases it when its holder dies, so it cannot be stale."""

    def __init__(self, path):
        self.path = path
        self.handle = None

    def _try(self):
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(self.handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __enter__(self):
        import errno

        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.handle = os.open(str(self.path), os.O_RDWR | os.O_CREAT, 0o666)
        told = False
        while True:
            try:
                self._try()
                return self
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                    return self  # a file system without locks: go on, as every program there does
                if not told:
                    say("另一个进程正在安装，等待它完成 · another process is installing, waiting for it")
                    told = True
                time.sleep(0.3)

    def __exit__(self, *_):
        os.close(self.handle)


# --------------------------------------------------------------------------------------------------- the progress


def say(text):
    print(text, flush=True)


class Progress:
    """pip's output as one moving line in a terminal, or as a few lines in a log file."""

    def __init__(self, step):
        self.step = step
        self.terminal = sys.stdout.isatty()
        self.text = ""
        self.started = time.time()
        self.packages = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self):
        say(self.step)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        self._move("")

    def _move(self, line):
        # Blanks, not an escape sequence: older Windows consoles print those. Chinese characters are two columns wide.
        if self.terminal:
            room = shutil.get_terminal_size().columns - 12
            print("\r" + line[:room].ljust(room), end="" if line else "\r", flush=True)

    def _tick(self):
        # Something moves every second, or appears every half minute: a silent program looks dead.
        while not self.stopped.wait(1 if self.terminal else 30):
            self._draw()

    def _draw(self):
        line = f"  {time.time() - self.started:4.0f} s  {self.text}"
        if self.terminal:
            self._move(line)
        else:
            say(line)

    def read(self, line):
        """Takes one line of pip's output."""
        found = re.match(r"\s*Progress (\d+) of (\d+)", line)
        if found:
            done, whole = (int(number) / 1e6 for number in found.groups())
            self.text = re.sub(r"(  \d+ of \d+ MB)?$", f"  {done:.0f} of {whole:.0f} MB", self.text)
            return
        found = re.match(
            r"(?:Collecting|Processing) (?:\S*[/\\])?([A-Za-z0-9_.-]+?)(?:[-=<>~!;\[]|\s|$)", line
        )
        if found:
            self.packages += 1
            self.text = f"{self.packages}: {found.group(1)}"
        found = re.match(r"\s*(Downloading|Using cached) (\S+?)-[\w.]+-[^ ]* ?\(?([\d.]+)? ?([kMG]B)?", line)
        if found:
            what = "下载 · downloading" if found.group(1) == "Downloading" else "已缓存 · cached"
            name, size, unit = found.group(2).split("/")[-1], found.group(3) or "", found.group(4) or ""
            self.text = f"{self.packages}: {what} {name} {size} {unit}".rstrip()
            if not self.terminal and unit in ("MB", "GB") and float(size or 0) > 20:
                self._draw()
        if line.startswith("Installing collected packages"):
            self.text = f"解压 {self.packages} 个包 · unpacking {self.packages} packages"
            if not self.terminal:
                self._draw()


# ---------------------------------------------------------------------------------------------------- the set-up


def _pip_environment(folder):
    """The user's pip configuration (mirror, proxy, certificates) stays in force; what would install elsewhere does not."""
    environment = dict(
        os.environ, PYTHONUNBUFFERED="1", PYTHONUTF8="1", PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0"
    )
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_DRY_RUN", "PYTHONHOME", "__PYVENV_LAUNCHER__"):
        environment.pop(name, None)
    # Downloads go beside the environment: /tmp is often small, and after a kill they vanish with it.
    temporary = folder / "course-temporary"
    temporary.mkdir(exist_ok=True)
    environment.update(TMPDIR=str(temporary), TEMP=str(temporary), TMP=str(temporary))
    return environment


def _run_logged(command, folder, lock, progress=None):
    """Runs one step with its output in the log; returns (exit code, output)."""
    lines = []
    options = {} if os.name == "nt" or lock.handle is None else {"pass_fds": (lock.handle,)}
    with open(str(folder / LOG), "a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=_pip_environment(folder),
            cwd=str(ROOT),
            **options,
        )
        try:
            for raw in process.stdout:
                line = raw.decode("utf-8", "replace")
                if progress:
                    progress.read(line)
                if not line.lstrip().startswith("Progress "):
                    log.write(line)
                    log.flush()
                    lines.append(line)
            return process.wait(), "".join(lines)
        except BaseException:
            # Ctrl-C reaches pip as well; give it a moment, then make sure that nothing writes on.
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            raise


def _explain(output, folder):
    """The SetupError for a failed pip."""
    log = folder / LOG
    if re.search(r"No space left on device|Errno 28|WinError 112|not enough space", output):
        return SetupError(
            f"安装时磁盘已满（需要约 {GIGABYTES_NEEDED:g} GB，pip 的缓存也算在内） · the disk became full while installing "
            f"(about {GIGABYTES_NEEDED:g} GB, pip's cache included). 清理后重新运行同一命令 · make room and run the same command again"
        )
    network = re.search(
        r"NewConnectionError|NameResolutionError|name resolution|ConnectTimeout|ReadTimeout|Read timed out|Max retries|"
        r"ProxyError|SSLError|ConnectionError|ConnectionReset|Connection refused|IncompleteRead|ProtocolError|"
        r"getaddrinfo|Network is unreachable|HTTP error 50\d",
        output,
    )
    if not network and not os.environ.get("PIP_NO_INDEX"):
        # pip is silent about the reason when it is told not to retry; an index that knows no version was not reached.
        network = re.search(r"from versions: none", output)
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if network:
        return SetupError(
            f"无法下载软件包（{network.group(0)}） · packages cannot be downloaded ({network.group(0)}). "
            "首次设置需要网络，之后不需要 · the first set-up needs a network, later use does not.\n"
            "  检查网络后重新运行同一命令，已下载的不会丢失 · check it and run the same command again; what was downloaded is kept\n"
            "  用镜像 · with a mirror:   pip config set global.index-url YOUR-MIRROR'S-ADDRESS\n"
            "  用代理 · with a proxy:    HTTPS_PROXY=YOUR-PROXY'S-ADDRESS\n"
            "  用离线文件夹 · from a folder of wheels:   PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER\n"
            f"  pip 的输出 · pip's output: {log}"
        )
    if missing:
        return SetupError(
            f"找不到软件包 {missing.group(1)} · package {missing.group(1)} was not found. "
            "镜像可能还没有同步，或离线文件夹（PIP_FIND_LINKS）里缺少它 · the mirror may lag behind, "
            "or the wheel folder (PIP_FIND_LINKS) lacks it. "
            f"换一个镜像：pip config set global.index-url YOUR-MIRROR'S-ADDRESS · use another mirror. pip: {log}"
        )
    last = "".join("    " + line + "\n" for line in output.strip().splitlines()[-12:])
    return SetupError(f"安装失败 · installation failed:\n{last}  完整输出 · all of it: {log}")


def _pip_install(folder, lock, tests, step):
    """Installs one set of requirements under the constraints."""
    python = str(venv_python(folder))
    wanted = requirement_files(tests)[2 if tests else 0]
    # --no-compile: Python compiles what it imports; compiling all 20,000 files takes longer than the download.
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--no-input",
        "--no-compile",
        "--disable-pip-version-check",
        "-r",
        str(wanted),
    ]
    if (ROOT / "constraints.txt").exists():
        command += ["-c", str(ROOT / "constraints.txt")]
    version = subprocess.check_output(
        [python, "-c", "import pip; print(*pip.__version__.split('.')[:2])"], env=_pip_environment(folder)
    ).split()
    raw = tuple(int(word) for word in version) >= (24, 1)  # older pips cannot report a download to a program
    command += ["--progress-bar", "raw" if raw else "off"]
    with Progress(step) as progress:
        code, output = _run_logged(command, folder, lock, progress)
    if code:
        error = _explain(output, folder)
        error.untouched = "Installing collected packages" not in output
        raise error


def _make_venv(folder, lock):
    """An empty environment with pip, in a folder that carries our mark."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / OURS).write_text("made by: python3 -m course_utils\n", encoding="utf-8")
    # The base interpreter, so that an environment never hangs on another one that may be deleted.
    base = getattr(sys, "_base_executable", None) or sys.executable
    code, output = _run_logged([base, "-m", "venv", str(folder)], folder, lock)
    if code:
        raise _explain(output, folder)


def _make_importable(folder):
    """course_utils imports from the repository itself (what an editable installation does), without a build tool."""
    output = subprocess.check_output(
        [str(venv_python(folder)), "-c", "import sysconfig; print(ascii(sysconfig.get_path('purelib')))"]
    )
    import ast

    place = Path(ast.literal_eval(output.decode("ascii").strip()))
    # A path line would be read in the locale's encoding; an import line with an escaped path is right in all of them.
    line = "import sys; sys.path.append({})\n".format(ascii(str(ROOT)))
    (place / "course_utils_repository.pth").write_text(line, encoding="ascii")


def _write_marker(folder, content):
    """Written beside and renamed: a marker is there whole or not at all."""
    beside = folder / (MARKER + ".new")
    with open(str(beside), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(str(beside), str(folder / MARKER))


def _delete(folder):
    """Removes an environment that the course made."""
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
                shutil.rmtree(str(entry))
            else:
                entry.unlink()
    except OSError as error:
        raise SetupError(
            f"无法删除旧环境 {folder}（{error.strerror}）：请先关闭 JupyterLab · cannot delete the old environment {folder} "
            f"({error.strerror}): close JupyterLab first"
        )


def _keep(folder, tests):
    """Whether an existing environment can be brought up to date in place (otherwise it is made again)."""
    python = venv_python(folder)
    if not python.exists() or _interpreter_version([str(python)]) != running_version():
        return False
    try:
        subprocess.check_output([str(python), "-c", "import pip"], stderr=subprocess.STDOUT)
    except (OSError, subprocess.CalledProcessError):
        return False
    # Without a marker ours was interrupted; one that a user made by hand was not, and is not ours to delete.
    return bool(read_marker(folder)) or not (folder / OURS).exists()


def set_up(tests=False):
    """Makes the environment complete; does nothing, in milliseconds, when it is."""
    folder = venv_folder()
    if is_ready(folder, tests):
        return
    check_venv_module()
    lock = Lock(folder.with_name(folder.name + ".lock"))
    try:
        with lock:
            if is_ready(folder, tests):  # another process was faster
                return
            _set_up_locked(folder, lock, tests)
    except OSError as error:
        if getattr(error, "errno", None) == 28:
            raise _explain("No space left on device", folder)
        raise _cannot_write(error.filename or folder, error)


def _set_up_locked(folder, lock, tests):
    started = time.time()
    keep = _keep(folder, tests)
    check_disk(folder, GIGABYTES_TO_UPDATE if keep else GIGABYTES_NEEDED)
    done = read_marker(folder)
    if (folder / MARKER).exists():
        (folder / MARKER).unlink()  # from here until it is written again, the environment does not count
    steps = 2 + bool(tests)
    if keep:
        say(
            f"课程环境 · environment: {folder}\n[1/{steps}] 更新现有环境 · bringing the existing environment up to date"
        )
    else:
        if folder.exists() and any(folder.iterdir()):
            say(
                "现有环境未完成或属于另一个 Python，重新建立 · the environment is incomplete or another Python's: making it again"
            )
            _delete(folder)
        say(f"课程环境 · environment: {folder}\n[1/{steps}] 建立空环境 · making an empty environment")
        _make_venv(folder, lock)
        done = {}
    complete = {}
    try:
        if done.get("main") != fingerprint(False):
            what = "安装软件包（首次约下载 0.9 GB） · installing packages (0.9 GB to download the first time)"
            _pip_install(folder, lock, False, f"[2/{steps}] {what}")
            done.pop("tests", None)
        complete["main"] = fingerprint(False)
        if tests:
            _pip_install(folder, lock, True, f"[3/{steps}] 安装测试工具 · installing the test tools")
            complete["tests"] = fingerprint(True)
        elif done.get("tests"):
            complete["tests"] = done["tests"]
    except SetupError as error:
        if done and error.untouched:  # without a network an update fails; what was installed is still whole
            _write_marker(folder, done)
        raise
    _make_importable(folder)
    shutil.rmtree(str(folder / "course-temporary"), ignore_errors=True)
    _write_marker(folder, complete)
    say(f"环境就绪 · ready after {time.time() - started:.0f} s\n")


# --------------------------------------------------------------------------------------------- going on inside it


def replace_process(command, environment=None):
    """Goes on as another program: exit code, signals and Ctrl-C are then that program's. Does not return."""
    environment = dict(os.environ) if environment is None else environment
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execve(command[0], command, environment)
    # Windows has no exec: stay as a waiting parent. Ctrl-C goes to both, the child decides what it means.
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            continue


def enter(command, arguments):
    """Returns when this process runs in a complete environment; otherwise makes one and starts the command in it."""
    entered = os.environ.pop(ENTERED, None)  # popped: a terminal inside JupyterLab must not inherit it
    if using_current():
        if running_version() < OLDEST:
            check_python([command] + arguments)
        return
    folder = venv_folder()
    if entered == str(folder):
        return
    check_python([command] + arguments)
    set_up(tests=command == "test")
    if inside(folder):
        return
    environment = dict(os.environ)
    environment[ENTERED] = str(folder)
    if os.name == "nt":
        environment.setdefault(
            "PYTHONUTF8", "1"
        )  # Chinese text in a pipe, and in every file of every library
    for name in ("PYTHONHOME", "__PYVENV_LAUNCHER__"):
        environment.pop(name, None)
    if environment.get("PYTHONDONTWRITEBYTECODE"):
        # A wish for clean folders, kept: but compiling TensorFlow anew costs every kernel 6 s, so it goes into our own.
        del environment["PYTHONDONTWRITEBYTECODE"]
        environment.setdefault("PYTHONPYCACHEPREFIX", str(folder / "compiled"))
    replace_process([str(venv_python(folder)), "-m", "course_utils", command] + arguments, environment)
