"""The report page: what it shows, that it loads nothing from elsewhere, and what damage does to it."""

import html.parser
import json
import re
from pathlib import Path

import pytest

from course_utils.workshop import report

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def cell(kind: str, source, outputs=()):
    content = {"cell_type": kind, "source": source, "metadata": {}}
    return content if kind == "markdown" else {**content, "outputs": list(outputs), "execution_count": 1}


def picture(metadata: dict) -> dict:
    return {"output_type": "display_data", "data": {"image/png": PIXEL + "\n"}, "metadata": metadata}


def number(value, band=None, unit="", digits=4) -> dict:
    inside = None if band is None else value is not None and band[0] <= value <= band[1]
    return {"value": value, "band": band, "in_band": inside, "unit": unit, "digits": digits}


@pytest.fixture
def run(tmp_path) -> Path:
    """A folder like the runner's: English 02 passed, Chinese 02a failed; the course has a third chapter."""
    output, notebooks = tmp_path / "report", tmp_path / "notebooks"
    for folder in ("results", "notebooks/en", "notebooks/zh"):
        (output / folder).mkdir(parents=True)
    for name in ("en/02_convolution", "en/03_losses", "results/x"):
        (notebooks / name).parent.mkdir(parents=True, exist_ok=True)
        (notebooks / f"{name}.ipynb").write_text("{}", encoding="utf-8")
    cells = [
        cell("markdown", ["# 2 Convolutional `networks`\n", "Text with [a link](https://example.org/x)."]),
        cell("markdown", "## Sliding"),
        cell("code", "plot()", [picture({"image/png": {"alt": 'a "rising" <line>', "width": 900}})]),
        cell("code", "plot()", [picture({"alt": "a falling line", "alt_zh": "下降的线"})]),
    ]
    (output / "notebooks/en/02_convolution.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    (output / "notebooks/zh/02a_deeper.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    numbers = {
        "cnn.test_accuracy": number(0.99, [0.98, 0.995]),
        "cnn.plain_accuracy": number(0.5, [0.9, 0.95]),
        "cnn.parameters": number(22410, [22410, 22410], digits=0),
        "cnn.loss": number(None, [0.1, 0.2]),
        "cnn.seconds": number(8.25, None, "s", 1),
    }
    results = {"hardware": {"cores": 2, "cpu": "Generic <CPU>"}, "numbers": numbers,
               "cost": {"seconds": 80.0, "peak_memory_gb": 0.91}}  # fmt: skip
    (output / "results/laptop-02.json").write_text(json.dumps(results), encoding="utf-8")
    stored = {"numbers": {"cnn.test_accuracy": {"value": 0.9876}}}
    (notebooks / "results/laptop-02.json").write_text(json.dumps(stored), encoding="utf-8")
    common = {
        "profile": "laptop",
        "parameters": {},
        "finished": "2030-01-02T03:04:05+00:00",
        "log": "logs/x.log",
    }
    failure = {"number": 4, "of": 9, "line": "fit()", "source": "fit(<b>)", "error": "ValueError",
               "message": "wrong <shape>", "traceback": "line 1\nline 2"}  # fmt: skip
    state = {
        "version": 1,
        "machine": {"system": "Linux x86_64", "memory_gb": 7.83, "accelerators": []},
        "chapters": {
            "en/02": {
                **common, "chapter": "02", "name": "02_convolution", "language": "en", "status": "passed",
                "seconds": 85, "cells": {"done": 9, "of": 9}, "failure": None,
                "notebook": "notebooks/en/02_convolution.ipynb", "results": "results/laptop-02.json",
            },
            "zh/02a": {
                **common, "chapter": "02a", "name": "02a_deeper", "language": "zh", "status": "failed",
                "seconds": 10, "peak_memory_gb": 1.25, "cells": {"done": 3, "of": 9}, "failure": failure,
                "notebook": "notebooks/zh/02a_deeper.ipynb", "results": None,
            },
        },
    }  # fmt: skip
    (output / "state.json").write_text(json.dumps(state), encoding="utf-8")
    return output


def page(output: Path) -> str:
    return report.write(output, output.parent / "notebooks").read_text(encoding="utf-8")


class Elements(html.parser.HTMLParser):
    """Collects (tag, attributes) and checks that elements are closed in order."""

    EMPTY = ("meta", "img", "br", "line", "rect", "circle", "path")

    def __init__(self, text: str):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes <{self.open[-1:]}>"
        self.open.pop()

    def all(self, tag: str, class_name: str | None = None) -> list[dict]:
        return [
            attributes
            for name, attributes in self.found
            if name == tag and (class_name is None or class_name in (attributes.get("class") or "").split())
        ]


def test_the_head_counts_chapters_and_numbers(run):
    text = re.sub(r"<[^>]+>", "", page(run))
    assert "chapters passed1/2" in text
    assert "numbers in band2/4" in text  # the number without a band is not judged
    assert "total time1 min 35 s" in text
    assert "peak memory1.25 GB" in text
    for fact in ("laptop", "2030-01-02 03:04", "Linux x86_64", "memory7.8 GB", "Generic &lt;CPU&gt;"):
        assert fact in text
    assert "accelerators" not in text  # a machine without any
    assert "not run: 03_losses" in text


def test_figures_are_inside_with_alt_text_in_the_readers_language(run):
    images = [image for image in Elements(page(run)).all("img") if "src" in image]
    assert [image["alt"] for image in images] == [
        'a "rising" <line>',
        "a falling line",
        'a "rising" <line>',
        "下降的线",
    ]
    assert all(image["src"] == f"data:image/png;base64,{PIXEL}" for image in images)
    assert len(Elements(page(run)).all("figure", "wide")) == 2


def test_nothing_is_loaded_from_elsewhere(run):
    text = page(run)
    for tag, attributes in Elements(text).found:
        for name in ("src", "href", "srcset", "poster", "action", "data", "xlink:href"):
            assert not re.match(r"\s*(https?:)?//", attributes.get(name) or ""), (tag, attributes)
        assert tag not in ("link", "iframe", "object", "embed")
        assert tag != "script" or "src" not in attributes
    assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", text)
    assert "https://" not in text and "http://" not in text


def test_bands_are_drawn_and_judged(run):
    text = page(run)
    elements = Elements(text)
    drawings = [one for one in elements.all("svg") if one.get("role") == "img"]
    assert len(drawings) == 4  # no band, no drawing
    assert "cnn.test_accuracy: 0.99 在区间内 · in [0.98, 0.995]" in drawings[0]["aria-label"]
    assert "在区间外 · outside [0.9, 0.95]" in drawings[1]["aria-label"]
    assert len(elements.all("span", "inside")) == 2 and len(elements.all("span", "outside")) == 2
    first = re.search(r'<svg viewBox="0 0 240 28".*?</svg>', text, re.DOTALL)[0]
    left, width = map(float, re.search(r'class="band" x="([\d.]+)" y="7" width="([\d.]+)"', first).groups())
    dot = float(re.search(r'class="dot" cx="([\d.]+)"', first)[1])
    assert (dot - left) / width == pytest.approx((0.99 - 0.98) / (0.995 - 0.98), abs=0.01)
    assert 'class="ring"' in first and "0.9876" in text  # what the course stored
    second = re.findall(r'<svg viewBox="0 0 240 28".*?</svg>', text, re.DOTALL)[1]
    assert 'class="diamond"' in second and 'class="dot"' not in second
    assert "8.2 <i>s</i>" in text and ">22410<" in text and ">NaN<" in text


def test_the_failing_cell_is_shown_and_escaped(run):
    text = page(run)
    assert "fit(&lt;b&gt;)" in text and "wrong &lt;shape&gt;" in text and "<shape>" not in text
    assert "4/9" in text and "line 1\nline 2" in text and "logs/x.log" in text


def planted(content, name="", fields=None):
    """Return JSON with a script after every text (and every name of a number, parameter or fact).

    What decides how the page is made stays: which files belong to it, what kind a cell is.

    Args:
        content: what json.loads gave.
        name: the field it stands in; the script says it.
        fields: a set that takes the names of the fields in which a script was planted.
    """
    script = f"<script>{name}</script>"
    if isinstance(content, dict):
        named = name in ("numbers", "parameters", "machine", "hardware")
        if named and content:
            fields.add(name)
        return {
            key + (script if named else ""): planted(value, key, fields) for key, value in content.items()
        }
    if isinstance(content, list):
        return [planted(one, name, fields) for one in content]
    decides = name in ("status", "notebook", "results", "cell_type", "output_type") or content in ("en", "zh")
    if decides or not isinstance(content, str):
        return content
    fields.add(name)
    text = content.rstrip("\n")
    return text + script + content[len(text) :]


def test_no_text_becomes_a_part_of_the_page(run):
    fields = set()
    state = json.loads((run / "state.json").read_text(encoding="utf-8"))
    state["machine"]["accelerators"] = ["GPU"]
    for chapter in state["chapters"].values():
        chapter["parameters"] = {"name": "value"}
    state["chapters"]["fr/05"] = {"language": "fr"}
    (run / "state.json").write_text(json.dumps(state), encoding="utf-8")
    for path in [run / "state.json", *run.rglob("*-02.json"), *run.rglob("*.ipynb")]:
        content = planted(json.loads(path.read_text(encoding="utf-8")), "", fields)
        path.write_text(json.dumps(content), encoding="utf-8")
    (run.parent / "notebooks/en/04_a&b.ipynb").write_text("{}", encoding="utf-8")
    text = page(run)
    assert len(Elements(text).all("script")) == text.count("<script") == 1  # the page's own
    assert "03_losses, 04_a&amp;b" in text
    # Every text was there to be escaped; `line` is for the terminal only.
    assert set(re.findall(r"&lt;script&gt;(.*?)&lt;/script&gt;", text)) == fields - {"line"}
    assert {"chapter", "language", "profile", "numbers", "unit", "alt", "image/png", "traceback"} < fields


def test_links_inside_the_page_lead_somewhere(run):
    elements = Elements(page(run))
    names = {attributes["id"] for _, attributes in elements.found if "id" in attributes}
    for link in elements.all("a"):
        target = link["href"]
        assert target[1:] in names if target.startswith("#") else (run / target).exists(), target


@pytest.mark.parametrize(
    "damaged", ["state.json", "results/laptop-02.json", "notebooks/en/02_convolution.ipynb"]
)
def test_damage_makes_the_page_smaller_not_an_error(run, damaged):
    (run / damaged).write_text('{"cells": [', encoding="utf-8")
    text = page(run)
    Elements(text)
    assert ("02_convolution" in text) == (damaged != "state.json") or damaged == "results/laptop-02.json"
    (run / damaged).unlink()
    Elements(page(run))


def test_durations():
    durations = [report.duration(seconds) for seconds in (0.04, 8.31, 9.97, 59.97, 85, 3599.7, 7260)]
    assert durations == ["0.0 s", "8.3 s", "10 s", "1 min 00 s", "1 min 25 s", "1 h 00 min", "2 h 01 min"]


def test_the_command_makes_the_page_again(run, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_NOTEBOOKS", str(run.parent / "notebooks"))
    monkeypatch.chdir(run.parent)
    assert report.main([]) == 0
    assert capsys.readouterr().out == f"报告 · report: {Path('report/index.html')}\n"
    made = (run / "index.html").read_text(encoding="utf-8")
    assert "02_convolution" in made and "03_losses" in made
    monkeypatch.chdir(run)
    assert report.main(["--output", str(run)]) == 0
    assert (run / "index.html").read_text(encoding="utf-8") == made


@pytest.mark.parametrize("state", [None, "{", '{"chapters": {}}'])
def test_the_command_says_when_there_is_nothing_to_report(tmp_path, capsys, state):
    folder = tmp_path / "elsewhere"
    if state is not None:
        folder.mkdir()
        (folder / "state.json").write_text(state, encoding="utf-8")
    assert report.main(["--output", str(folder)]) == 2
    said = capsys.readouterr().err
    assert str(folder) in said and "没有可用的结果" in said and "nothing to report" in said
    assert not (folder / "index.html").exists()


def test_the_command_refuses_what_it_does_not_know(run, monkeypatch, capsys):
    monkeypatch.chdir(run.parent)
    assert report.main(["--outputs", "report", "02"]) == 2
    assert "02" in capsys.readouterr().err
    assert not (run / "index.html").exists()
