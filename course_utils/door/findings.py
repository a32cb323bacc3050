"""The lines of doctor's report."""

from __future__ import annotations

from typing import Any

GOOD, NOTE, BAD = "ok", "note", "problem"
GPU, TPU = "GPU", "TPU"


class Findings:
    """The lines of the report in order, and what later checks need from earlier ones."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        # The Python of the finished environment; None when there is none.
        self.python: str | None = None
        self.packages: dict[str, Any] = {}
        self.complete = False
        # The names of TensorFlow's accelerators; None as long as TensorFlow was not asked.
        self.accelerators: list[str] | None = None

    def add(self, state: str, subject: str, text: object, remedy: str = "") -> None:
        """Add one line, and below it what to do."""
        self.rows.append({"state": state, "subject": subject, "text": str(text), "remedy": remedy})

    def bad(self) -> list[dict[str, str]]:
        """Return the problems."""
        return [row for row in self.rows if row["state"] == BAD]

    def versions(self) -> dict[str, str]:
        """Return the versions of the packages that were asked for and are installed."""
        return self.packages.get("versions", {})

    def laptop(self) -> bool:
        """Return whether a laptop run can work: on the CPU, it does so beside an accelerator that lies idle."""
        return all(row["subject"] in (GPU, TPU) for row in self.bad())
