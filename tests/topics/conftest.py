"""What the tests of several topics are given."""

import numpy as np
import pytest


@pytest.fixture
def random():
    return np.random.default_rng(0)
