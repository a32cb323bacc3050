"""Progress in a terminal: one live line per job, cut to the width, gone at the end."""

import io
from types import SimpleNamespace

from rich.console import Console

from course_utils.workshop import display


def job(label="01"):
    return SimpleNamespace(
        label=label,
        chapter=SimpleNamespace(stem=f"{label}_good"),
        profile="smoke",
        status="passed",
        began=0.0,
        cells=40,
        done=40,
        cell={"number": 3, "line": "print('[bold]卷积神经网络[/bold]', 1234567890)", "began": 0.0},
        seconds=8.31,
        peak_memory_gb=0.5,
    )


def shown(width: int, terminal: bool) -> tuple:
    """Return a display that writes into a text of so many columns, and that text."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=width, highlight=False, markup=False)
    return display.Display(console), stream


def test_a_terminal_gets_a_line_that_fits_and_then_the_outcome():
    screen, stream = shown(30, terminal=True)
    with screen:
        one = job()
        screen.started(one)
        screen.cell(one)
        live = screen.console.render_lines(screen._lines())
        assert len(live) == 1, "a wrapped line could not be overwritten"
        screen.finished(one)
    assert "✓ 01  01_good  40/40  8.3 s  0.50 GB" in stream.getvalue()


def test_a_log_gets_a_line_for_each_tenth_and_no_terminal_codes():
    screen, stream = shown(30, terminal=False)
    with screen:
        one = job()
        screen.started(one)
        for number in (1, 2, 3, 4, 5, 6):
            one.cell = {**one.cell, "number": number}
            screen.cell(one)
        screen.finished(one)
    lines = stream.getvalue().splitlines()
    assert "\x1b" not in stream.getvalue()
    assert [line.split()[1] for line in lines if line.startswith("  01")] == ["1/40", "5/40"]
    assert any("[bold]卷积神经网络[/bold]" in line for line in lines)


def test_a_long_cell_is_mentioned_ever_more_rarely(monkeypatch):
    screen, stream = shown(200, terminal=False)
    one = job()
    screen.started(one)
    for now in (30, 61, 90, 121, 200, 241):
        monkeypatch.setattr(display.time, "monotonic", lambda now=now: float(now))
        screen.tick()
    assert stream.getvalue().count("3/40") == 3
