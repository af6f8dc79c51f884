"""How much shorter the labels of unseen rows become when their features are known: held-out TransRate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize_scalar

from hubscan.records import Score
from hubscan.scores.folds import folds
from hubscan.scores.halves import groups_of, pair_of_halves
from hubscan.scores.labels import Classes, Matrix64, Targets, as_array, as_targets, checked
from hubscan.scores.rows import centred
from hubscan.scores.singular import singular, standardised

VERSION: Final = 1
PENALTIES: Final = 10.0 ** np.arange(-5, 2.5, 0.5)  # of the mean variance of the features' dimensions
CONFIDENCES: Final = (-8.0, 2.0)  # logarithms; at the least of them nothing is said but the shares
PRECISION: Final = 1e-2  # of that logarithm: the code length is flat at its least
HALVES: Final = 10  # behind the interval
STUDENT: Final = 2.262  # 97.5 % quantile for as many

Problems = Sequence[tuple[float, Classes]]


def label_rate(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    nulls: int = 10,
    halves: int = HALVES,
    seed: int = 0,
) -> Score:
    """Return how many nats a row's features save in coding its label, on rows that the code has not seen.

    TransRate is an estimate of I(Z; Y), the mutual information of features and labels, by the rates at
    which the features are coded: R(Z) − R(Z|Y). The same information is what the features save in coding
    the labels, H(Y) − H(Y|Z), and from that side it is bounded: no features tell more than the labels
    hold. With p_c the share of class c, and q a code fitted to the other rows::

        value = 1/n · Σ_i log q(y_i | z_i) / p_{y_i}                 0 ≤ value ≤ H(Y)
        q(c | z) ∝ p_c · exp(β·(μ_cᵀAz − ½ μ_cᵀAμ_c)),   A = (W + λ·tr(T)/r·I)⁻¹

    the posterior under TransRate's own assumption, normal classes with one scatter W within them, of
    features standardised on the rows that q is fitted to (T their scatter, r its rank), and in other rows
    taken to go no further than in these: one feature that hardly varied among them, as half of those
    behind a ReLU, would else be all that is seen of a row where it does. λ, one of fifteen, and the
    confidence β are those of the shortest code of all held-out rows; β undoes what few rows do to W.

    Why: rates of features grow without end with every direction that the classes differ in, and with
    every step that classes already apart move further; what a classifier gains from either has an end.
    A code of unseen rows counts what the rows that were seen bear out, at every width, so that no chance
    has to be taken away: shuffled labels, whose mean is **null**, give next to 0, from above. It is a
    lower bound of I(Z; Y), and the usable information of Xu et al. (ICLR 2020, arXiv 2002.10689) for
    linear discriminants. Like a fine-tuned accuracy it grows with n, so it is compared between scores
    of as many rows.

    **low** and **high** are value ± 2.26 standard errors: the spread of the value over ten halves of the
    sample, drawn without replacement and within the classes (a delete-half jackknife; the quantile is
    Student's).

    Numbers are cut into classes at their quantiles, and labels of many columns are taken one by one,
    one against the rest, weighted by their share of all positives. Five folds, those of
    `hubscan.scores.folds`; a class that is seen in no other fold is coded by its share alone. Features
    that do not vary tell nothing: all is 0.

    Work: five eigendecompositions of min(n, d) dimensions, which all columns and shuffles share, and
    five of half as many rows for each half.

    Args:
        features: (n, d) finite real numbers of any type, or a tensor; computed in float64.
        labels: (n,) classes, (n, L) of 0 and 1, or (n,) floats; see `hubscan.scores.labels`.
        groups: (n,) names; rows of one group, as the words of a sentence, go into one fold and half.
        nulls: how many shuffles; with 0 null is None.
        halves: how many of them; with fewer than 2 there is no interval.
        seed: of the shuffles and halves; the same seed gives the same score.

    Raises:
        ValueError: if the shapes do not fit, a number is not finite, the labels are constant, or all
            rows are of one group.
    """
    matrix, targets = checked(features, labels)
    together = groups_of(groups, len(matrix))
    problems, rng = targets.problems(), np.random.default_rng(seed)
    orders = [rng.permutation(len(matrix)) for _ in range(nulls)]
    shuffled = [[(weight, classes[order]) for weight, classes in problems] for order in orders]
    value, *chance = _saved(matrix, targets, together, [problems, *shuffled])
    error = _standard_error(matrix, as_array(labels), problems, together, halves, rng)
    return Score(
        name="label-rate",
        version=VERSION,
        value=value,
        low=None if error is None else value - STUDENT * error,
        high=None if error is None else value + STUDENT * error,
        null=float(np.mean(chance)) if chance else None,
        null_spread=float(np.std(chance, ddof=1)) if len(chance) > 1 else None,
    )


def _standard_error(
    matrix: Matrix64,
    labels: npt.NDArray[np.generic],
    problems: Problems,
    groups: Classes | None,
    halves: int,
    rng: np.random.Generator,
) -> float | None:
    if halves < 2:
        return None
    strata = problems[0][1] if len(problems) == 1 else np.zeros(len(matrix), np.int64)
    found = []
    for half in [pair_of_halves(strata, rng, groups)[0] for _ in range(halves)]:
        targets = as_targets(labels[half])
        of_group = None if groups is None else np.unique(groups[half], return_inverse=True)[1]
        found += _saved(matrix[half], targets, of_group, [targets.problems()])
    return float(np.std(found, ddof=1))


def _saved(
    matrix: Matrix64, targets: Targets, groups: Classes | None, labellings: Sequence[Problems]
) -> list[float]:
    """Return the nats a row that the features save of each labelling, from one decomposition a fold."""
    z = centred(matrix)
    fold = folds(z, targets, groups)
    spectra = [_spectrum(z, fold == number) for number in np.unique(fold)]
    return [sum(weight * _shortened(classes, spectra) for weight, classes in one) for one in labellings]


def _shortened(classes: Classes, spectra: Sequence[_Spectrum]) -> float:
    """Return the nats a row that the best code saves of the shares of *classes*."""
    shares = np.log(np.bincount(classes) / len(classes))
    codes = [_code(spectrum, classes, len(shares)) for spectrum in spectra]
    told = np.empty((len(classes), len(shares)))
    best = 0.0
    for penalty in PENALTIES:
        for code in codes:
            told[code.spectrum.held] = code.discriminants(penalty)
        best = max(best, _at_best_confidence(told, shares, classes))
    return best


def _at_best_confidence(told: Matrix64, shares: Matrix64, classes: Classes) -> float:
    told = told - told.max(axis=1, keepdims=True)  # so that no exponential is larger than 1
    own = float(told[np.arange(len(told)), classes].mean())
    odds = np.exp(shares)

    def length(log_confidence: float) -> float:
        confidence = np.exp(log_confidence)
        return float(np.log(np.exp(confidence * told) @ odds).mean() - confidence * own)

    found = minimize_scalar(length, bounds=CONFIDENCES, method="bounded", options={"xatol": PRECISION})
    return -float(found.fun)


@dataclass(frozen=True)
class _Spectrum:
    """Rows that a code is fitted to, and those that it is tried on, along the axes of the former."""

    held: npt.NDArray[np.bool_]  # (n,) which are tried
    variances: Matrix64  # (r,) of T
    seen: Matrix64  # (n − m, r) standardised, less the mean
    unseen: Matrix64  # (m, r) likewise


def _spectrum(z: Matrix64, held: npt.NDArray[np.bool_]) -> _Spectrum:
    """Return the rows of *z* (n, d), standardised as those not *held* are, along the axes of these."""
    seen, unseen = standardised(z[~held], z[held])
    unseen = unseen.clip(seen.min(axis=0), seen.max(axis=0))
    if not seen.any():
        return _Spectrum(held, np.ones(1), np.zeros((len(seen), 1)), np.zeros((len(unseen), 1)))
    sigma, left, right = singular(seen)
    return _Spectrum(held, sigma / len(seen), left * np.sqrt(sigma), unseen @ right)


@dataclass(frozen=True)
class _Code:
    """A code of some classes, fitted to the rows of a spectrum."""

    spectrum: _Spectrum
    means: Matrix64  # (K, r) of the classes; of one that is not seen, that of all, which is 0
    shares: Matrix64  # (K,)

    def discriminants(self, penalty: float) -> Matrix64:
        """Return μ_cᵀAz − ½μ_cᵀAμ_c of each unseen row and class, (m, K).

        With M the means, S the diagonal of their shares, P = (T + κI)⁻¹ and Q = MPMᵀ: since
        W = T − MᵀSM, MA = (I − QS)⁻¹MP, so that no labelling needs a decomposition of its own.
        """
        variances = self.spectrum.variances
        weighed = self.means / (variances + penalty * variances.mean())
        products = weighed @ self.means.T
        count = len(products)
        solved = np.linalg.solve(
            np.eye(count) - products * self.shares, np.hstack([products, weighed @ self.spectrum.unseen.T])
        )
        return np.asarray(solved[:, count:].T - 0.5 * np.diagonal(solved[:, :count]))


def _code(spectrum: _Spectrum, classes: Classes, count: int) -> _Code:
    own = classes[~spectrum.held]
    rows = np.bincount(own, minlength=count)
    members = sparse.csr_array((np.ones(len(own)), (own, np.arange(len(own)))), shape=(count, len(own)))
    means = (members @ spectrum.seen) / np.maximum(rows, 1)[:, None]
    return _Code(spectrum, means, rows / len(own))
