"""Scaling laws: known numbers are found again, and the best split really has the least loss."""

import itertools

import numpy as np
import pytest

from course_utils.topics import scaling

TRUE = scaling.Law(E=1.7, A=40.0, alpha=0.5, B=300.0, beta=0.6, error=0.0)


@pytest.fixture(scope="module")
def runs():
    sizes, data = np.meshgrid([1e2, 1e3, 1e4, 1e5], [1e3, 1e4, 1e5])
    return sizes.ravel(), data.ravel()


def test_numbers_of_the_law_are_found_again(runs):
    law = scaling.fit(*runs, TRUE.predict(*runs))
    for name in ("E", "A", "alpha", "B", "beta"):
        assert getattr(law, name) == pytest.approx(getattr(TRUE, name), rel=0.02), name
    assert law.error < 1e-4
    assert law.predict(1e7, 1e7) == pytest.approx(TRUE.predict(1e7, 1e7), rel=1e-3)


def test_noise_widens_the_bootstrap(runs):
    random = np.random.default_rng(0)
    spreads = []
    for noise in (0.001, 0.03):
        losses = TRUE.predict(*runs) * np.exp(random.normal(0, noise, len(runs[0])))
        alphas = [law.alpha for law in scaling.bootstrap(*runs, losses, repeats=5)]
        spreads.append(max(alphas) - min(alphas))
    assert spreads[0] < spreads[1]


def test_coefficients_never_become_negative(runs):
    """Losses that fall faster than any law with a positive floor: E must stop at zero, not go below."""
    law = scaling.fit(*runs, 5.0 / runs[0] ** 0.4 + 2.0 / runs[1] ** 0.4)
    assert law.E == pytest.approx(0, abs=0.01) and min(law.A, law.B) > 0
    flat = scaling.fit(*runs, np.full(len(runs[0]), 2.0))
    assert min(flat.E, flat.A, flat.B) >= 0 and flat.predict(1e6, 1e6) == pytest.approx(2.0, rel=1e-3)


def least_error(columns):
    """The error of the best of all choices of columns whose least squares need no negative coefficient."""
    errors = []
    for chosen in itertools.chain.from_iterable(itertools.combinations(range(3), size) for size in (1, 2, 3)):
        found = np.linalg.lstsq(columns[:, chosen], np.ones(len(columns)), rcond=None)[0]
        if (found >= 0).all():
            errors.append(np.sqrt(np.mean((columns[:, chosen] @ found - 1) ** 2)))
    return min(errors)


# Leaving out the most negative coefficient in turn is up to 19 % worse for the first three of these.
@pytest.mark.parametrize("seed", [1353, 1526, 2073, *range(10)])
def test_no_choice_of_coefficients_above_zero_has_a_smaller_error(seed):
    random = np.random.default_rng(seed)
    size, data, losses = (np.exp(draw) for draw in (*random.uniform(0, 8, (2, 8)), random.normal(0, 1.0, 8)))
    law = scaling._search(size, data, losses, np.array([0.3]), np.array([0.3]))
    columns = np.stack([np.ones(8), size**-0.3, data**-0.3], axis=1) / losses[:, None]
    assert law.error == pytest.approx(least_error(columns), rel=1e-9)


@pytest.mark.parametrize("compute", [1e8, 1e12])
def test_best_split_costs_the_budget_and_has_the_least_loss(compute):
    size, data = TRUE.best_split(compute)
    assert 6 * size * data == pytest.approx(compute)
    for factor in (0.5, 0.9, 1.1, 2.0):
        assert TRUE.predict(size * factor, data / factor) > TRUE.predict(size, data)


def test_bad_runs_are_named(runs):
    with pytest.raises(ValueError, match="at least six"):
        scaling.fit([1.0] * 5, [1.0] * 5, [1.0] * 5)
    with pytest.raises(ValueError, match=r"examples: .*shape \(7,\); found \(6,\)"):
        scaling.fit([1.0] * 7, [1.0] * 6, [1.0] * 7)
    with pytest.raises(ValueError, match="losses: .*more than 0; found 0.0 to 1.0"):
        scaling.fit([1.0] * 6, [1.0] * 6, [0.0] + [1.0] * 5)
    with pytest.raises(ValueError, match="expected finite numbers"):
        scaling.fit([1.0] * 6, [np.inf] + [1.0] * 5, [1.0] * 6)
