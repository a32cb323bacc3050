"""Small notebooks without TensorFlow, for tests of what executes notebooks."""

from pathlib import Path

import nbformat

PARAMETERS = "PROFILE = None\nSEED = 0"
# What course_utils.results writes, without importing TensorFlow.
RECORD = """
import json, os
number = {"value": round(0.9 + SEED / 100, 2), "unit": "", "band": [0.85, 0.99], "in_band": True, "digits": 3}
content = {"chapter": "01", "profile": os.environ["COURSE_PROFILE"], "seed": SEED, "hardware": {"cores": 2},
           "cost": {"seconds": 1.5, "peak_memory_gb": 0.25}, "numbers": {"toy.accuracy": number}}
open(os.environ["COURSE_RESULTS"], "w", encoding="utf-8").write(json.dumps(content))
"""


def make_notebook(
    folder: Path, name: str, *cells: str, parameters: tuple = (PARAMETERS,), language: str = "en"
) -> Path:
    """Write a notebook <folder>/<language>/<name>.ipynb with parameters cells and code cells."""
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(f"# {name}"),
            *(nbformat.v4.new_code_cell(text, metadata={"tags": ["parameters"]}) for text in parameters),
            *(nbformat.v4.new_code_cell(text) for text in cells),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path = folder / language / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path
