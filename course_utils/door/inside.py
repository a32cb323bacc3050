"""What doctor asks inside the finished environment, each question in a process of its own.

    python -m course_utils.door.inside packages NAME ...

An answer is one line of JSON, the last on standard output; what goes wrong is one too: {"error": "ImportError: ..."}.
A process that says nothing died, and how it died tells why.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def packages(names: list[str]) -> dict[str, Any]:
    """Return the versions of packages that are installed, and the memory, which psutil knows on every system."""
    from importlib import metadata

    from course_utils import machine

    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"versions": versions, "memory": machine.memory_gb()}


def tensorflow(_: list[str]) -> dict[str, Any]:
    """Return TensorFlow's version, the accelerators it finds and the strategy that a chapter would get."""
    import tensorflow  # type: ignore[import-untyped]

    answer: dict[str, Any] = {"version": tensorflow.__version__}
    try:
        from course_utils import devices

        strategy = devices.create_strategy()
        answer["strategy"] = f"{type(strategy).__name__}, {strategy.num_replicas_in_sync} 个副本 · replicas"
    # A wrong TF_CONFIG, a busy device.
    except Exception as error:
        answer["strategy_error"] = _described(error)
    # Asked last: a TPU is listed only after a strategy has connected to it, beside a TPU_SYSTEM that computes nothing.
    devices_found = tensorflow.config.list_physical_devices()
    kinds = [device for device in devices_found if device.device_type not in ("CPU", "TPU_SYSTEM")]
    answer["accelerators"] = [device.name for device in kinds]
    return answer


def data(_: list[str]) -> dict[str, Any]:
    """Return what is wrong with the data sets that ship, and the font for Chinese in figures."""
    from course_utils import datasets

    answer: dict[str, Any] = {"problems": datasets.verify()}
    try:
        answer["font"] = datasets.font_path().name
    except Exception as error:
        answer["font_error"] = _described(error)
    return answer


QUESTIONS = {"packages": packages, "tensorflow": tensorflow, "data": data}


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def main(arguments: list[str]) -> int:
    """Answer one question."""
    question, *names = arguments
    # Only the answer goes to standard output: what TensorFlow's C++ prints while it starts does not.
    answers = os.dup(1)
    os.dup2(2, 1)
    try:
        answer = QUESTIONS[question](names)
    # An import fails in many ways: a missing library, a broken wheel, a file that is not readable.
    except Exception as error:
        answer = {"error": _described(error)}
    with open(answers, "w", encoding="utf-8") as file:
        file.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
