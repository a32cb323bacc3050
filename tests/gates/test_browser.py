"""A learner's afternoon: JupyterLab in a real browser, Run All in both languages, the saved files judged."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import hostile
import matplotlib.pyplot as plt
import nbformat
import pytest

from course_utils import sliders
from course_utils.workshop import assemble
from course_utils.workshop.chapters import LANGUAGES, ROOT, choose

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="no Chromium on this machine: install the package chromium"
)
CHAPTER = "02"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
RUN_ALL_SECONDS = 240


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """What `lab` opens for a learner in hostile surroundings: copies of one chapter in both languages."""
    root, (chapter,) = tmp_path_factory.mktemp("course"), choose([CHAPTER])
    shutil.copytree(
        ROOT / "course_utils", root / "course_utils", ignore=shutil.ignore_patterns("__pycache__")
    )
    for language in LANGUAGES:
        (root / "notebooks" / language).mkdir(parents=True)
        shutil.copy(chapter.notebook(language), root / "notebooks" / language)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/lab"
    environment = {**hostile.environment(root), "COURSE_PROFILE": "smoke", "COURSE_ENVIRONMENT": "current"}
    for name in ("COURSE_LANGUAGE", "COURSE_STRICT"):
        environment.pop(name, None)
    command = [
        sys.executable,
        "-m",
        "course_utils",
        "lab",
        "--language",
        "en",
        "--no-browser",
        f"--port={port}",
    ]
    command += ["--allow-root", "--IdentityProvider.token="]
    server = subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_answers(address)
        yield root / "my-course", address, chapter
    finally:
        server.terminate()
        server.wait(timeout=120)


def wait_until_answers(address: str) -> None:
    for _ in range(120):
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"JupyterLab does not answer at {address}")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_run_all_in_jupyterlab(copies, language):
    from playwright.sync_api import sync_playwright

    folder, address, chapter = copies
    path = folder / language / chapter.notebook(language).name
    before = path.stat().st_mtime_ns
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        # A workspace of its own: otherwise the tab of the other language is opened again, in front or behind.
        page.goto(f"{address}/workspaces/{language}/tree/{language}/{path.name}", timeout=120_000)
        page.locator("#jp-main-statusbar", has_text="| Idle").wait_for(timeout=120_000)
        page.locator(".jp-Notebook:visible").first.wait_for(timeout=120_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        count = len(assemble.code_cells(nbformat.read(path, as_version=4)))
        finished = f"() => document.querySelectorAll('.jp-Cell.jp-mod-running, .jp-InputPrompt').length && {_NONE_RUNNING}"
        page.wait_for_timeout(3000)
        page.wait_for_function(finished, timeout=RUN_ALL_SECONDS * 1000)
        page.keyboard.press("Control+s")
        wait_until_saved(path, before, count)
        seen = page.evaluate(
            "() => [...document.querySelectorAll('.jp-OutputArea img')].map(image => image.alt)"
        )
        assert seen and all(alt.strip() for alt in seen), "a picture without alt text in the page"
        if os.environ.get("COURSE_SCREENSHOTS"):
            page.screenshot(path=Path(os.environ["COURSE_SCREENSHOTS"]) / f"{path.stem}-{language}.png")
        browser.close()
    saved = nbformat.read(path, as_version=4)
    outputs = [output for cell in assemble.code_cells(saved) for output in cell.outputs]
    assert [output.ename for output in outputs if output.output_type == "error"] == []
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert all(cell.execution_count for cell in assemble.code_cells(saved) if cell.source.strip())
    alts = [assemble.alt_of(output) for output in outputs if assemble.alt_of(output)]
    assert alts and all(
        any("\u4e00" <= letter <= "\u9fff" for letter in alt) == (language == "zh") for alt in alts
    )
    text = "".join(output.get("text", "") for output in outputs)
    assert "smoke" in text, "the browser's kernel did not run the smoke profile"


@pytest.mark.parametrize("scripts", [True, False])
def test_a_slider_without_a_kernel_moves_over_its_stored_pictures(scripts):
    """The HTML of the stored notebook, as the book shows it; without scripts, one picture and no dead slider."""
    import ipywidgets
    from playwright.sync_api import sync_playwright

    slider = ipywidgets.IntSlider(value=1, min=0, max=3, description="steepness")
    box = sliders.picture(a_line, alt="a line", alt_zh="一条直线", steepness=slider)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page, asked = browser.new_context(java_script_enabled=scripts).new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.set_content(box.stored)
        image, moved = page.get_by_role("img", name="a line"), page.get_by_role("slider", name="steepness")
        image.wait_for()
        if scripts:
            moved.wait_for()
            seen = [image.get_attribute("src")]
            for key in ("ArrowRight", "ArrowRight", "Home"):
                moved.press(key)
                seen.append(image.get_attribute("src"))
            assert len(set(seen)) == 4
            assert page.locator("output").inner_text() == moved.get_attribute("aria-valuetext") == "0"
        assert moved.count() == scripts and page.locator("img").count() == 1
        assert [address for address in asked if not address.startswith("data:")] == []
        browser.close()


def a_line(steepness):
    figure, axis = plt.subplots(figsize=(2, 1))
    axis.plot([0, 1], [0, steepness])
    axis.set(ylim=(0, 3))
    return figure


# A cell that waits or runs shows [*] in its prompt.
_NONE_RUNNING = (
    "![...document.querySelectorAll('.jp-InputPrompt')].some(prompt => prompt.textContent.includes('*'))"
)


def wait_until_saved(path: Path, before: int, count: int) -> None:
    for _ in range(60):
        if path.stat().st_mtime_ns != before:
            time.sleep(1)
            executed = [
                cell.execution_count for cell in assemble.code_cells(nbformat.read(path, as_version=4))
            ]
            assert len(executed) == count
            return
        time.sleep(0.5)
    raise TimeoutError(f"{path.name} was not saved")
