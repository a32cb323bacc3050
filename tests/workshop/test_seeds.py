"""`seeds` against small notebooks without TensorFlow."""

import json
import re

import pytest
from small_notebook import RECORD, make_notebook

from course_utils.workshop import seeds
from course_utils.workshop.chapters import FAILED, PASSED


def test_seeds_store_the_spread(course, tmp_path, capsys):
    make_notebook(course, "01_good", RECORD, "assert os.environ['COURSE_STRICT'] == '0'")
    output = tmp_path / "report"
    options = ["1", "--seeds", "0", "4", "--jobs", "2", "--output", str(output)]
    assert seeds.main(options) == PASSED
    stored = json.loads((course / "results" / "seeds-01.json").read_text(encoding="utf-8"))
    assert stored == {
        "chapter": "01",
        "profile": "laptop",
        "seeds": [0, 4],
        "stamp": None,
        "numbers": {
            "toy.accuracy": {
                "values": [0.9, 0.94],
                "mean": 0.92,
                "lowest": 0.9,
                "highest": 0.94,
                "unit": "",
                "suggested_band": [0.82, 1.02],
            }
        },
    }
    assert re.search(r"toy\.accuracy +0\.9 +0\.94 +\(0\.82, 1\.02\)", capsys.readouterr().out)


def test_smoke_seeds_stay_with_the_report_and_a_failing_seed_stores_nothing(course, tmp_path, capsys):
    make_notebook(course, "01_good", RECORD, "assert SEED != 1, 'unlucky'")
    output = tmp_path / "report"
    options = ["01", "--profile", "smoke", "--output", str(output), "--jobs", "2", "--seeds"]
    assert seeds.main([*options, "0", "1"]) == FAILED
    said = capsys.readouterr()
    assert (
        "FAILED 01 seed 1" in said.out
        and "AssertionError: unlucky" in said.out
        and "nothing was stored" in said.err
    )
    assert not (output / "seeds-smoke-01.json").exists()
    assert seeds.main([*options, "2"]) == PASSED
    assert (output / "seeds-smoke-01.json").exists()
    assert not (course / "results").exists()


def test_numbers_that_a_seed_lacks_are_an_error():
    with pytest.raises(ValueError, match="a.b has no finite value with seed 7"):
        seeds.collect([{"a.b": {"value": 1.0}}, {"a.b": {"value": None}}], [3, 7])
    with pytest.raises(ValueError, match="no number"):
        seeds.collect([{}, {}], [0, 1])
