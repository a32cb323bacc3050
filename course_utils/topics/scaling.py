r"""Scaling laws: how a loss depends on parameters and data, fitted to measured runs with its uncertainty.

    law = scaling.fit(parameters, examples, losses)
    law.predict(1e6, 1e6)                       # what a larger run should give
    scaling.bootstrap(parameters, examples, losses, repeats=200)

The form is that of Hoffmann et al. 2022, Training compute-optimal large language models, arXiv:2203.15556:

    L(N, D) = E + A / N^alpha + B / D^beta

E is what no model of this kind can get below, the other two terms are the price of too few parameters and of too little
data. (Kaplan et al. 2020, arXiv:2001.08361, used a related form.)
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from course_utils.checking import expect, positive, require_shape

_EXPONENTS = np.arange(0.02, 1.51, 0.02)


@dataclass(frozen=True)
class Law:
    """The five numbers of L(N, D) = E + A / N^alpha + B / D^beta, and `error`, the root mean square relative error of the fit."""

    E: float
    A: float
    alpha: float
    B: float
    beta: float
    error: float

    def predict(self, parameters, examples):
        """Return losses for arrays (or numbers) of parameters N and training examples D."""
        return (
            self.E
            + self.A / np.asarray(parameters, float) ** self.alpha
            + self.B / np.asarray(examples, float) ** self.beta
        )

    def best_split(self, compute, flops_per_parameter_and_example=6.0):
        r"""Return (N, D) with the least loss for `compute` FLOPs, when a run costs k N D FLOPs.

        Setting the derivative of A N^-alpha + B (kN/C)^beta to zero gives
        N = G (C/k)^(beta/(alpha+beta)), D = (C/k)^(alpha/(alpha+beta)) / G, with G = (alpha A / (beta B))^(1/(alpha+beta)).
        """
        budget = np.asarray(compute, float) / flops_per_parameter_and_example
        total = self.alpha + self.beta
        balance = (self.alpha * self.A / (self.beta * self.B)) ** (1 / total)
        return balance * budget ** (self.beta / total), budget ** (self.alpha / total) / balance


def fit(parameters, examples, losses):
    """Return the law that makes the sum of squared relative errors smallest.

    For given exponents the law is linear in E, A and B, so those three come from least squares, and only the two exponents
    are searched: on a grid first (0.02 to 1.5), then on finer ones around the best. E, A and B are kept at zero or above.

    Args:
        parameters, examples, losses: one entry per run, at least six, all above zero.

    Raises:
        ValueError: too few runs, unequal lengths, or a number that is not above zero.
    """
    N, D, L = (np.asarray(values, float) for values in (parameters, examples, losses))
    expect(N.ndim == 1 and len(N) >= 6, "parameters", "应至少有六次运行", "at least six runs", N.shape)
    require_shape(D, N.shape, "examples")
    require_shape(L, N.shape, "losses")
    positive(parameters=N, examples=D, losses=L)
    finite = all(np.isfinite(values).all() for values in (N, D, L))
    expect(finite, "parameters, examples, losses", "应为有限的数", "finite numbers", "infinity")
    best = _search(N, D, L, _EXPONENTS, _EXPONENTS)
    for step in (0.005, 0.001):
        around = np.arange(-5, 6) * step
        best = _search(N, D, L, best.alpha + around, best.beta + around)
    return best


def bootstrap(parameters, examples, losses, repeats=200, seed=0):
    """Return laws fitted to runs drawn with replacement: their spread is the uncertainty of the choice of runs.

    A draw with fewer than six different runs is drawn again.
    """
    N, D, L = (np.asarray(values, float) for values in (parameters, examples, losses))
    random, laws = np.random.default_rng(seed), []
    while len(laws) < repeats:
        drawn = random.integers(0, len(N), len(N))
        if len(set(drawn.tolist())) >= 6:
            laws.append(fit(N[drawn], D[drawn], L[drawn]))
    return laws


def _search(N, D, L, alphas, betas):
    """Return the best of all pairs of exponents."""
    alphas, betas = alphas[alphas > 0], betas[betas > 0]
    best = None
    for alpha in alphas:
        for beta in betas:
            columns = np.stack([np.ones_like(N), N**-alpha, D**-beta], axis=1) / L[:, None]  # relative errors
            # least squares with coefficients of at least zero
            coefficients, _ = nnls(columns, np.ones_like(L))
            error = float(np.sqrt(np.mean((columns @ coefficients - 1) ** 2)))
            if best is None or error < best.error:
                E, A, B = (float(value) for value in coefficients)
                best = Law(E, A, float(alpha), B, float(beta), error)
    return best
