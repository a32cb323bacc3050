"""Run pip in the environment, show what it does, and explain why it failed.

The user's settings that say where packages come from (mirror, proxy, certificates, wheel folders) stay in force. All
others are kept out and named: a constraints file or a platform that was meant for another project would break ours.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from course_utils import surroundings
from course_utils.door import SetupError, say

LOG = "course-setup.log"
TEMPORARY = "course-temporary"
# The wheels of requirements.txt, November 2026, Linux with Python 3.11: 0.83 GB, unpacked 2.83 GB. The READMEs say it, too.
GIGABYTES_TO_DOWNLOAD, GIGABYTES_INSTALLED = 0.9, 2.8
# The wheels lie beside what is unpacked, and a second time in pip's cache.
GIGABYTES_NEEDED = 4.5

# pip's settings that say where packages come from or how pip talks; a course's environment needs the same.
KEPT_SETTINGS = (
    "break-system-packages cache-dir cert client-cert default-timeout disable-pip-version-check extra-index-url "
    "find-links index-url keyring-provider no-cache-dir no-color no-index no-input prefer-binary proxy resume-retries "
    "retries root-user-action timeout trusted-host use-deprecated use-feature"
).split()

WHY_REFUSED = {
    401: "它要求登录 · it asks for a login",
    403: "文件对它太大，或它不为这个网络服务 · the file is too large for it, or it does not serve this network",
    404: "它列出了这个文件，却还没有它 · it lists the file and does not have it (yet)",
    413: "文件对它太大 · the file is too large for it",
    429: "请求太多，过几分钟再试 · too many requests: try again in some minutes",
    500: "服务器出错或过载，过几分钟再试 · the server fails or is overloaded: try again in some minutes",
}


class PipError(SetupError):
    """pip failed; `untouched` says that it had not changed an installed package yet."""

    def __init__(self, text: str, untouched: bool) -> None:
        super().__init__(text)
        self.untouched = untouched


class Progress:
    """pip's output as one moving line in a terminal, or as a few lines in a log file."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.terminal = sys.stdout.isatty()
        self.text = ""
        self.started = time.time()
        self.packages = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        say(self.step)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()
        self._move("")

    def _move(self, line: str) -> None:
        # Blanks, not an escape sequence: older Windows consoles print those. Chinese characters are two columns wide.
        if self.terminal:
            room = shutil.get_terminal_size().columns - 12
            print("\r" + line[:room].ljust(room), end="" if line else "\r", flush=True)

    def _tick(self) -> None:
        # Something moves every second, or appears every half minute: a silent program looks dead.
        while not self.stopped.wait(1 if self.terminal else 30):
            self._draw()

    def _draw(self) -> None:
        line = f"  {time.time() - self.started:4.0f} s  {self.text}"
        if self.terminal:
            self._move(line)
        else:
            say(line)

    def read(self, line: str) -> None:
        """Take one line of pip's output: what it collects, downloads, has downloaded so far, and unpacks."""
        words = line.split()
        if words[:1] == ["Progress"] and len(words) == 4:  # "Progress 1048576 of 572000000"
            self.text = (
                self.text.split("  ")[0] + f"  {int(words[1]) / 1e6:.0f} of {int(words[3]) / 1e6:.0f} MB"
            )
        elif words[:1] in (["Collecting"], ["Processing"]) and len(words) > 1:
            self.packages += 1
            self.text = f"{self.packages}: {_package(words[1])}"
        elif words[:1] == ["Downloading"] and len(words) > 1:
            size = " ".join(words[2:4]).strip("()")  # "(572.0 MB)"
            self.text = f"{self.packages}: 下载 · downloading {_package(words[1])} {size}".rstrip()
            large = re.fullmatch(r"(\d\d+)(\.\d)? MB|.* GB", size)
            if large and not self.terminal and int(large.group(1) or 1000) > 20:
                self._draw()
        elif line.startswith("Installing collected packages"):
            self.text = f"解压 {self.packages} 个包 · unpacking {self.packages} packages"
            if not self.terminal:
                self._draw()


def _package(word: str) -> str:
    """Return the name in "keras==3.15.1", "https://…/keras-3.15.1-py3-none-any.whl" or "./keras-3.15.1.tar.gz"."""
    return re.split(r"-\d|[=<>~!;\[]", re.split(r"[/\\]", word)[-1])[0]


def environment(folder: Path) -> dict[str, str]:
    """Return the variables for what is started to set up: no setting of pip's, downloads beside the environment.

    Args:
        folder: the environment's folder. /tmp is often small, and after a kill the downloads vanish with the folder.
    """
    temporary = folder / TEMPORARY
    temporary.mkdir(parents=True, exist_ok=True)
    kept = {
        name: value for name, value in surroundings.clean(os.environ).items() if not name.startswith("PIP_")
    }
    for name in ("PYTHONHOME", "__PYVENV_LAUNCHER__"):
        kept.pop(name, None)
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    return {**kept, **places, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "PIP_CONFIG_FILE": os.devnull}


def user_settings(python: Path, base: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the user's settings of pip that stay in force, as variables, and the others, as "name=value".

    Args:
        python: the environment's interpreter; its pip knows where the configuration files are.
        base: variables to ask it with.

    Raises:
        PipError: pip cannot read its own configuration files.
    """
    asked = {name: value for name, value in base.items() if name != "PIP_CONFIG_FILE"}
    if "PIP_CONFIG_FILE" in os.environ:
        asked["PIP_CONFIG_FILE"] = os.environ["PIP_CONFIG_FILE"]
    command = [str(python), "-m", "pip", "config", "list", "--disable-pip-version-check"]
    answer = subprocess.run(
        command, env=asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", check=False
    )
    if answer.returncode:
        said = answer.stderr.strip()
        raise PipError(f"pip 的设置无法读取 · pip's settings cannot be read:\n    {said}", untouched=True)
    settings: dict[str, str] = {}
    # Later ones override earlier ones: [global] and [install] of the files, then the variables.
    for section in ("global.", "install."):
        for line in answer.stdout.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section):
                settings[name[len(section) :]] = str(ast.literal_eval(value))
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE" and value:
            settings[name[len("PIP_") :].lower().replace("_", "-")] = value
    kept, ignored = {}, []
    for name, value in settings.items():
        if name in KEPT_SETTINGS:
            kept["PIP_" + name.upper().replace("-", "_")] = " ".join(value.split("\n"))
        else:
            ignored.append(f"{name}={' '.join(value.split())}")
    return kept, ignored


def run_logged(
    command: list[str],
    folder: Path,
    handle: int | None,
    variables: Mapping[str, str],
    progress: Progress | None = None,
) -> tuple[int, str]:
    """Run one step with its output in the log.

    Args:
        command: what to run.
        folder: the environment's folder.
        handle: the lock's file, which the step inherits: after a kill, the next call waits for a pip that still writes.
        variables: the environment variables.
        progress: takes every line of the output.

    Returns:
        (exit code, output).
    """
    lines = []
    inherited = () if os.name == "nt" or handle is None else (handle,)
    with open(folder / LOG, "a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=dict(variables),
            cwd=str(surroundings.ROOT),
            pass_fds=inherited,
        )
        assert process.stdout is not None
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


def install(python: Path, folder: Path, handle: int | None, requirements: Path, step: str) -> None:
    """Install one file of requirements under the course's constraints.

    Args:
        python: the environment's interpreter.
        folder: the environment's folder.
        handle: the lock's file, see run_logged.
        requirements: the file.
        step: the line above the progress.

    Raises:
        PipError: pip failed; `untouched` is True when it had not changed an installed package yet.
    """
    base = environment(folder)
    kept, ignored = user_settings(python, base)
    if ignored:
        say(f"课程环境不用这些 pip 设置 · pip's settings that the course does not use: {', '.join(ignored)}")
    details = folder / TEMPORARY / "pip.log"
    details.unlink(missing_ok=True)
    # --no-compile: Python compiles what it imports; compiling all 20,000 files takes longer than the download.
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--no-input",
        "--no-compile",
        "--disable-pip-version-check",
    ]
    command += ["--log", str(details), "-r", str(requirements)]
    constraints = surroundings.ROOT / "constraints.txt"
    if constraints.exists():
        command += ["-c", str(constraints)]
    asked = [str(python), "-c", "import pip; print(*pip.__version__.split('.')[:2])"]
    version = tuple(int(word) for word in subprocess.check_output(asked, env=base).split())
    # Older ones cannot report a download to a program.
    command += ["--progress-bar", "raw" if version >= (24, 1) else "off"]
    with Progress(step) as progress:
        code, output = run_logged(command, folder, handle, {**base, **kept}, progress)
    if code:
        # Why an index page could not be read, pip tells its log only.
        unread = re.findall(r"Could not fetch URL .*", details.read_text(encoding="utf-8", errors="replace"))
        raise explain(output, folder, unread)


def explain(output: str, folder: Path, unread: list[str] | None = None) -> PipError:
    """Return the error for a failed pip.

    Args:
        output: what pip said.
        folder: the environment's folder, which has the log.
        unread: lines about index pages that could not be read.
    """
    untouched = "Installing collected packages" not in output
    log = folder / LOG
    # A connection that broke and was made again is no reason.
    reasons = "\n".join(line for line in [*output.splitlines(), *(unread or [])] if "Retrying (" not in line)
    if re.search(r"No space left on device|Errno 28|WinError 112|not enough space", reasons):
        return PipError(
            f"安装时磁盘已满（需要约 {GIGABYTES_NEEDED:g} GB，pip 的缓存也算在内） · the disk became full while installing "
            f"(about {GIGABYTES_NEEDED:g} GB, pip's cache included). 清理后重新运行同一命令 · make room and run the same "
            "command again",
            untouched,
        )
    if re.search(r"Windows Long Path|WinError 206|File name too long|Errno 36", reasons):
        return PipError(
            f"路径太长：{folder} · the path is too long. 用较短的文件夹 · use a shorter folder: COURSE_VENV=FOLDER",
            untouched,
        )
    missing = re.search(r"No matching distribution found for ([\w.-]+)(\S*)", reasons)
    refused = _refusal(reasons, missing.group(1) if missing else "")
    if refused:
        return PipError(f"{refused}\n  pip 的输出 · pip's output: {log}", untouched)
    if "is not a trusted or secure host" in reasons:
        return PipError(
            "镜像地址是 http://，pip 不信任它 · the mirror's address begins with http://, which pip does not trust: "
            f"请改用 https:// 地址 · use its https:// address. pip: {log}",
            untouched,
        )
    network = re.search(
        r"NewConnectionError|NameResolutionError|name resolution|ConnectTimeout|ReadTimeout|Read timed out|ProxyError|"
        r"SSLError|SSL certificate|ConnectionError|ConnectionReset|Connection refused|IncompleteRead|ProtocolError|"
        r"getaddrinfo|Network is unreachable|Max retries|connection error",
        reasons,
    )
    if network:
        return PipError(
            f"无法下载软件包（{network.group(0)}） · packages cannot be downloaded ({network.group(0)}). "
            "首次设置需要网络，之后不需要 · the first set-up needs a network, later use does not.\n"
            "  检查网络后重新运行同一命令，已下载的不会丢失 · check it and run the same command again; what was downloaded is kept\n"
            "  用镜像 · with a mirror:   pip config set global.index-url YOUR-MIRROR'S-ADDRESS\n"
            "  用代理 · with a proxy:    HTTPS_PROXY=YOUR-PROXY'S-ADDRESS\n"
            "  用离线文件夹 · from a folder of wheels:   PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER\n"
            f"  pip 的输出 · pip's output: {log}",
            untouched,
        )
    if missing:
        name = "".join(missing.groups())
        return PipError(
            f"找不到软件包 {name} · package {name} was not found. "
            "镜像可能还没有同步，或离线文件夹（PIP_FIND_LINKS）里缺少它 · the mirror may lag behind, "
            "or the wheel folder (PIP_FIND_LINKS) lacks it. "
            f"换一个镜像：pip config set global.index-url YOUR-MIRROR'S-ADDRESS · use another mirror. pip: {log}",
            untouched,
        )
    last = "".join(f"    {line}\n" for line in output.strip().splitlines()[-12:])
    return PipError(f"安装失败 · installation failed:\n{last}  完整输出 · all of it: {log}", untouched)


def _refusal(reasons: str, missing: str) -> str | None:
    """Say that a server answered and refused a file, or the index page of the package that is missing.

    Args:
        reasons: what pip said.
        missing: the package of which no version was found. A page that does not exist (404) is no refusal: of several
            indexes, most lack most packages.
    """
    found = re.search(r"HTTP error (?P<code>\d+) while getting (?P<url>\S+)", reasons)
    if not found:
        found = re.search(
            r"(?P<host>[\w.:-]+)', port=.*exceeded with url: (?P<url>\S+) .*too many (?P<code>\d+) error",
            reasons,
        )
    if not found:
        page = rf"Could not fetch URL (?P<url>\S*/{re.escape(missing)}/?): (?P<code>(?!404)\d+) \w+ Error"
        found = re.search(page, reasons, flags=re.IGNORECASE)
    if not found:
        return None
    code, url = int(found["code"]), found["url"]
    host = found.groupdict().get("host") or urlsplit(url).hostname
    file = urlsplit(url).path.rstrip("/").split("/")[-1]
    why = WHY_REFUSED.get(code if code < 500 else 500, "")
    return (
        f"{host} 拒绝提供 {file}（HTTP {code}） · {host} refuses to hand out {file} (HTTP {code}). {why}\n"
        "  换一个镜像 · use another mirror:   pip config set global.index-url ANOTHER-MIRROR'S-ADDRESS\n"
        "  或用别的办法取得这个文件，放入一个文件夹 · or get this file in another way, put it into a folder and set:   "
        "PIP_FIND_LINKS=FOLDER\n"
        "  然后重新运行同一命令，已下载的不会丢失 · then run the same command again; what was downloaded is kept"
    )
