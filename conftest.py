"""What every test and every notebook under nbval runs with: the smoke profile, strictly, nothing of the user's shell."""

import os

import pytest

from course_utils import surroundings

os.environ.update(surroundings.clean(os.environ))
for name in set(os.environ) - set(surroundings.clean(os.environ)):
    del os.environ[name]
os.environ["COURSE_PROFILE"] = "smoke"
os.environ["COURSE_STRICT"] = "1"
os.environ["COURSE_LANGUAGE"] = "en"
os.environ.pop("COURSE_RESULTS", None)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items):
    """Keep a file's tests on one process, where its fixtures are made once; but spread the chapters, which need none."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))
