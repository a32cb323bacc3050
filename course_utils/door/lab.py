"""python -m course_utils lab: the learner's own copies of the chapters, opened in JupyterLab.

The committed notebooks stay clean: a learner works in my-course/en and my-course/zh, which git ignores. A file there is
replaced only when it is byte for byte what was copied (nobody touched it) and the course has a newer one. JupyterLab
gets its settings from a folder in my-course too, so that the user's own settings are neither read nor changed.
"""

import argparse
import hashlib
import json
import locale
import os
import sys
from pathlib import Path

from course_utils.door import bootstrap

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("en", "zh")
MANIFEST = ".copied.json"  # what was copied: {"en/02_convolution.ipynb": SHA-256}


def notebooks_folder():
    """The built chapters; COURSE_NOTEBOOKS names another folder (tests do)."""
    return Path(os.environ.get("COURSE_NOTEBOOKS") or ROOT / "notebooks").resolve()


def _hash(content):
    return hashlib.sha256(content).hexdigest()


def _write(path, content):
    """Written beside and renamed: an interrupted copy leaves no half notebook."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    os.replace(beside, path)


def copy_chapters(source, target):
    """Brings the learner's folder up to date without touching what the learner touched.

    Args:
        source: folder with the built chapters, en/*.ipynb and zh/*.ipynb.
        target: the learner's folder, made when missing.

    Returns:
        {"new": [...], "updated": [...], "kept": [...]}, names such as "en/02_convolution.ipynb"; kept are those that
        the learner changed while the course changed as well. Unchanged chapters are in none of them.
    """
    source, target = Path(source), Path(target)
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        manifest = manifest if isinstance(manifest, dict) else {}
    except (OSError, ValueError):
        manifest = {}  # unknown origin: everything that differs counts as the learner's
    result = {"new": [], "updated": [], "kept": []}
    try:
        for chapter in sorted(path for language in LANGUAGES for path in (source / language).glob("*.ipynb")):
            name = f"{chapter.parent.name}/{chapter.name}"
            course, copied = chapter.read_bytes(), manifest.get(name)
            mine = (target / name).read_bytes() if (target / name).exists() else None
            if mine is None or (mine != course and _hash(mine) == copied):
                _write(target / name, course)
                manifest[name] = _hash(course)
                result["new" if mine is None else "updated"].append(name)
            elif mine == course:
                manifest[name] = _hash(course)
            elif copied != _hash(course):
                result["kept"].append(name)
    finally:
        if manifest:
            _write(target / MANIFEST, (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode("utf-8"))
    return result


def summary(result, source, target):
    """What was copied, one line a fact."""
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


def default_language():
    """ "zh" when the system speaks Chinese, else "en"."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):  # the order in which they override each other
        if os.environ.get(name):
            return "zh" if os.environ[name].lower().startswith("zh") else "en"
    if os.name == "nt":
        import ctypes

        code = locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")
    else:
        code = locale.getlocale()[0] or ""
    return "zh" if code.lower().startswith(("zh", "chinese")) else "en"


def jupyter_environment(language, target):
    """The environment for JupyterLab: settings and workspaces in the learner's folder, one set a language.

    Files are written only when missing, so what a learner changes in the settings menu stays.
    """
    home = Path(target) / ".jupyter" / language
    settings = home / "settings"
    files = {
        "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
            "fetchNews": "false",  # otherwise the first thing a learner sees is a question about news
            "checkForUpdates": False,
        }
    }
    if language == "zh":
        files["@jupyterlab/translation-extension/plugin.jupyterlab-settings"] = {"locale": "zh_CN"}
    for name, content in files.items():
        if not (settings / name).exists():
            _write(settings / name, (json.dumps(content, indent=4) + "\n").encode("utf-8"))
    environment = dict(os.environ)
    environment["JUPYTERLAB_SETTINGS_DIR"] = str(settings)
    environment["JUPYTERLAB_WORKSPACES_DIR"] = str(home / "workspaces")
    environment["COURSE_LANGUAGE"] = language
    environment.setdefault(
        "JUPYTER_PREFER_ENV_PATH", "1"
    )  # this environment's kernel before one in the user's home
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return environment


def jupyter_command(language, target, browser=True, port=None, further=()):
    """The command that starts JupyterLab in the learner's folder, at the language's first chapter."""
    chapters = sorted(path.name for path in (Path(target) / language).glob("*.ipynb"))
    place = f"/lab/tree/{language}" + (f"/{chapters[0]}" if chapters else "")
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={target}",
        f"--LabApp.default_url={place}",
    ]
    command += [] if browser else ["--no-browser"]
    command += [f"--port={port}"] if port else []
    return command + list(further)


def main(arguments):
    """Copies, then becomes JupyterLab; further arguments are its own."""
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
        environment = jupyter_environment(language, target)
    except OSError as error:
        raise bootstrap.SetupError(
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
    bootstrap.replace_process(
        jupyter_command(language, target, not options.no_browser, options.port, further), environment
    )
