"""How the course writes a file: beside its place, then renamed, so that nobody ever sees half of one.

Standard library only: the door uses it before anything is installed.
"""

import json
import os
from pathlib import Path


def write(path, content) -> None:
    """Write text (as UTF-8, lines ending in \\n) or bytes in one step; missing folders are made.

    Args:
        path: where the file will be; an existing one is replaced, and stays whole when this fails.
        content: str or bytes.

    Raises:
        OSError: the folder cannot be written, or the disk is full; what stood there is untouched.
    """
    path = Path(path)
    content = content if isinstance(content, bytes) else content.encode("utf-8")
    if path.exists() and not path.is_file():  # a device such as /dev/null is written to, never replaced
        path.write_bytes(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_json(path, content, **options) -> None:
    """Write JSON in one step: indented by one, Chinese as it is, a line break at the end; options as json.dumps takes."""
    write(path, json.dumps(content, **{"ensure_ascii": False, "indent": 1, **options}) + "\n")


def read_json(path) -> dict:
    """Return the JSON object in a file; {} when there is no file, when it is damaged or when it holds no object."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
