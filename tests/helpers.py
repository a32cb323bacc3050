"""What the tests of the mathematics share: random arrays, how close is equal, and gradients by finite differences."""

import numpy as np

from course_utils import proofs

TOLERANCE = {"float64": 1e-7, "float32": 1e-5}


def random(*shape, seed=0, dtype="float64", mean=0.0, scale=1.0):
    """Return normal numbers; arrays of different shapes have different ones, whatever the seed."""
    return np.random.default_rng([seed, *shape]).normal(mean, scale, size=shape).astype(dtype)


def assert_close(actual, expected, dtype="float64"):
    """Hold values, shape and type of our array against those of another library."""
    expected = np.asarray(expected)
    assert actual.dtype == dtype and actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def assert_gradients(function, arrays, gradients, upstream=1.0, step=1e-6, tolerance=1e-7):
    """Hold the gradients of sum(upstream * function(*arrays)) by the first arrays against finite differences."""
    for place, gradient in enumerate(gradients):

        def loss(moved, place=place):
            return np.sum(upstream * function(*arrays[:place], moved, *arrays[place + 1 :]))

        numerical = proofs.finite_differences(loss, arrays[place], step)
        np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=tolerance)
