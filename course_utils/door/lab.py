"""python3 -m course_utils lab: the learner's own copies of the chapters, opened in JupyterLab.

The committed notebooks stay clean: a learner works in my-course/en and my-course/zh, which git ignores. A file there is
replaced only when it is byte for byte what was copied (nobody touched it) and the course has a newer one. JupyterLab
gets its settings from a folder in my-course too, so that the user's own settings are neither read nor changed; IPython
likewise.
"""

from __future__ import annotations

import argparse
import hashlib
import locale
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from course_utils import files, surroundings
from course_utils.door import SetupError, environment

ROOT = surroundings.ROOT
LANGUAGES = ("en", "zh")
# What was copied: {"en/02_convolution.ipynb": SHA-256}.
MANIFEST = ".copied.json"


def notebooks_folder() -> Path:
    """Return the folder of the built chapters; COURSE_NOTEBOOKS names another one (tests do)."""
    return Path(os.environ.get("COURSE_NOTEBOOKS") or ROOT / "notebooks").resolve()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def copy_chapters(source: Path, target: Path) -> dict[str, list[str]]:
    """Bring the learner's folder up to date without touching what the learner touched.

    Args:
        source: folder with the built chapters, en/*.ipynb and zh/*.ipynb.
        target: the learner's folder, made when missing.

    Returns:
        {"new": [...], "updated": [...], "kept": [...]}, names such as "en/02_convolution.ipynb"; kept are those that
        the learner changed while the course changed as well. Unchanged chapters are in none of them.
    """
    # Of unknown origin, everything that differs counts as the learner's.
    manifest = files.read_json(target / MANIFEST)
    result: dict[str, list[str]] = {"new": [], "updated": [], "kept": []}
    try:
        for chapter in sorted(path for language in LANGUAGES for path in (source / language).glob("*.ipynb")):
            name = f"{chapter.parent.name}/{chapter.name}"
            course, copied = chapter.read_bytes(), manifest.get(name)
            mine = (target / name).read_bytes() if (target / name).exists() else None
            if mine is None or (mine != course and _hash(mine) == copied):
                files.write(target / name, course)
                manifest[name] = _hash(course)
                result["new" if mine is None else "updated"].append(name)
            elif mine == course:
                manifest[name] = _hash(course)
            elif copied != _hash(course):
                result["kept"].append(name)
    finally:
        if manifest:
            files.write_json(target / MANIFEST, manifest, sort_keys=True)
    return result


def summary(result: dict[str, list[str]], source: Path, target: Path) -> list[str]:
    """Return what was copied, one line per fact."""
    lines = []
    if result["new"]:
        lines.append(
            f"复制了 {len(result['new'])} 个笔记本 · copied {len(result['new'])} notebooks to {target}"
        )
    if result["updated"]:
        count = len(result["updated"])
        lines.append(
            f"更新了 {count} 个你没有改动的笔记本 · updated {count} notebooks that you had not touched"
        )
    if result["kept"]:
        lines.append(
            f"保留了你改动过的（课程有新版，在 {source}） · kept what you changed (the course's newer version is in {source}; "
            f"rename yours to get it): {', '.join(result['kept'])}"
        )
    return lines


def default_language() -> str:
    """Return "zh" when the system speaks Chinese, else "en"."""
    # In the order in which they override each other.
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return "zh" if os.environ[name].lower().startswith("zh") else "en"
    if sys.platform == "win32":
        import ctypes

        code = locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")
    else:
        code = locale.getlocale()[0] or ""
    return "zh" if code.lower().startswith(("zh", "chinese")) else "en"


def jupyter_environment(language: str, target: Path) -> dict[str, str]:
    """Return the variables for JupyterLab: settings and workspaces in the learner's folder, one set per language.

    Files are written only when missing, so what a learner changes in the settings menu stays. JupyterLab's kernels
    inherit the variables; they are found as ever, through this environment and the user's data folder.
    """
    home = target / ".jupyter" / language
    settings = home / "settings"
    # Otherwise the first thing a learner sees is a question about news.
    news = {"fetchNews": "false", "checkForUpdates": False}
    contents: dict[str, dict[str, object]] = {
        "@jupyterlab/apputils-extension/notification.jupyterlab-settings": news
    }
    if language == "zh":
        contents["@jupyterlab/translation-extension/plugin.jupyterlab-settings"] = {"locale": "zh_CN"}
    for name, content in contents.items():
        if not (settings / name).exists():
            files.write_json(settings / name, content)
    variables = environment.for_children()
    # This environment's kernel comes before one in the user's home.
    variables.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    return {
        **variables,
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "COURSE_LANGUAGE": language,
        # No startup files of the user's, and sets of words in the same order in every kernel.
        "IPYTHONDIR": str(target / ".jupyter" / "ipython"),
        "PYTHONHASHSEED": "0",
    }


def jupyter_command(
    language: str, target: Path, browser: bool = True, port: int | None = None, further: Sequence[str] = ()
) -> list[str]:
    """Return the command that starts JupyterLab in the learner's folder, at the language's first chapter."""
    chapters = sorted(path.name for path in (target / language).glob("*.ipynb"))
    place = f"/lab/tree/{language}" + (f"/{chapters[0]}" if chapters else "")
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={target}",
        f"--LabApp.default_url={place}",
        # An address instead of a file in the user's home, which a browser in a sandbox (snap) or outside WSL cannot read.
        "--ServerApp.use_redirect_file=False",
    ]
    command += [] if browser else ["--no-browser"]
    command += [f"--port={port}"] if port else []
    return [*command, *further]


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def main(arguments: list[str]) -> int:
    """Copy, then become JupyterLab; further arguments are its own."""
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils lab",
        description="打开你自己的副本 my-course/ · opens your own copies in JupyterLab; further arguments go to jupyter",
        allow_abbrev=False,
    )
    parser.add_argument("--language", choices=LANGUAGES, default=None, help="default: the system's language")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    parser.add_argument("--port", type=int, default=None)
    parser.add_argument("--copy-only", action="store_true", help="copy the chapters and stop")
    options, further = parser.parse_known_args(arguments)
    language = options.language or default_language()
    source, target = notebooks_folder(), ROOT / "my-course"
    try:
        result = copy_chapters(source, target)
        variables = jupyter_environment(language, target)
    except OSError as error:
        raise SetupError(
            f"无法写入 {error.filename}（{error.strerror}） · cannot write {error.filename} ({error.strerror}): "
            "请把课程放在可写的文件夹中 · put the course into a folder that you may write to"
        ) from None
    if not any((target / language).glob("*.ipynb")):
        print(
            f"{source / language} 中没有章节 · no chapters in {source / language}: git checkout notebooks",
            file=sys.stderr,
        )
        return 1
    for line in summary(result, source, target):
        print(line)
    if options.copy_only:
        return 0
    other = "en" if language == "zh" else "zh"
    print(f"语言 · language: {language}（--language {other}）  停止 · stop: Ctrl-C", flush=True)
    if _is_root() and not any("allow_root" in argument.replace("-", "_") for argument in further):
        print(
            "你是 root；JupyterLab 默认拒绝以 root 运行，除非它的设置允许。请换成普通用户，或输入 · you are root, and JupyterLab does not "
            "run as root unless its settings allow it. Become an ordinary user, or type:\n"
            "    python3 -m course_utils lab --allow-root",
            flush=True,
        )
    command = jupyter_command(language, target, not options.no_browser, options.port, further)
    environment.replace_process(command, variables)
