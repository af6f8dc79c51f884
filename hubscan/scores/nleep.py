"""N-LEEP: how well the label follows from the cluster that a row falls into."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from hubscan.scores.linalg.centered import centred
from hubscan.scores.targets import Classes, Matrix64, checked

VARIANCE_KEPT = 0.8
CLUSTERS_PER_CLASS = 5
ROWS_PER_CLUSTER = 5  # a cluster of one row would know that row's label
DIGITS = 10  # of components, whose variance is 1 in the mean


def n_leep(features: npt.ArrayLike, labels: npt.ArrayLike, *, seed: int = 0) -> float:
    """Return N-LEEP, the mean log posterior of the labels in nats, at most 0.

    The features are reduced to the principal components that hold 80 % of their variance, a mixture
    of 5K Gaussians is fitted to them, and with P(z|x) the posterior of cluster z::

        N-LEEP = 1/n · Σ_i log Σ_z P(y_i|z) P(z|x_i),   P(y|z) = Σ_{i: y_i=y} P(z|x_i) / Σ_i P(z|x_i)

    It cannot be compared between numbers of classes: at chance it is −H(Y), the entropy of the
    labels, which is also the score of constant features. Numbers are cut at their quantiles into
    classes first (`quantile_classes`); of several labels, each is held against the rest (K = 2, the
    same ten clusters for all) and the mean is weighted by how often the label occurs. A class of
    one row is a class like any other; its row brings its own share of P(y|z), so that no logarithm
    is infinite.

    Source: Li et al., *Ranking Neural Checkpoints*, CVPR 2021 (arXiv 2011.11200).

    Departures: clusters have diagonal covariances; in principal components they start without
    correlation, and full ones are singular where a cluster has fewer rows than components, as it
    has here (2 000 rows, 20 classes: 20 rows). There are never more than n/5 clusters. Features are
    brought to variance 1 in the mean of the components, so that the 1e-6 that scikit-learn adds to
    variances means the same at every scale. Rows are put into an order of their own, so that the
    seeded start does not depend on theirs. Some copies drop the logarithm; here it stands.

    Args:
        features: (n, d) finite real numbers of any type, or a tensor; computed in float64.
        labels: (n,) classes, (n, L) of 0 and 1, or (n,) floats; see `hubscan.scores.targets`.
        seed: of the start of the mixture; the same seed gives the same score.

    Raises:
        ValueError: if the shapes do not fit, a number is not finite, or the labels are constant.
    """
    matrix, targets = checked(features, labels)
    problems = targets.problems()
    clusters = CLUSTERS_PER_CLASS * max(int(classes.max()) + 1 for _, classes in problems)
    posterior = _posterior(_components(centred(matrix)), clusters, seed)
    return float(sum(weight * _mean_log(posterior, classes) for weight, classes in problems))


def _components(z: Matrix64) -> Matrix64:
    """Return the principal components (n, p) of the centred *z* that hold 80 %, with mean variance 1.

    From the smaller Gram matrix. The sign of each is such that its third moment is positive.
    """
    if not z.any():
        return np.zeros((len(z), 1))
    n, d = z.shape
    variances, vectors = eigh(z @ z.T if n <= d else z.T @ z)
    variances, vectors = variances[::-1].clip(min=0), vectors[:, ::-1]
    kept = int(np.searchsorted(np.cumsum(variances) / variances.sum(), VARIANCE_KEPT, side="right")) + 1
    p = vectors[:, :kept] * np.sqrt(variances[:kept]) if n <= d else z @ vectors[:, :kept]
    return np.asarray(p / np.sqrt(np.square(p).mean()) * np.where((p**3).sum(axis=0) < 0, -1.0, 1.0))


def _posterior(components: Matrix64, clusters: int, seed: int) -> Matrix64:
    """Return P(z|x) (n, clusters) of each row, with fewer clusters where rows are few or repeated."""
    from sklearn.exceptions import ConvergenceWarning  # two seconds to import
    from sklearn.mixture import GaussianMixture

    # Rows in another order give components that differ in their last digits, and once in a thousand samples
    # that is enough for k-means to start from another row. Without these digits they are the same numbers.
    components = np.round(components, DIGITS)
    order = np.argsort(components[:, 0], kind="stable")
    distinct = len(np.unique(components, axis=0))
    clusters = max(1, min(clusters, len(components) // ROWS_PER_CLUSTER, distinct))
    mixture = GaussianMixture(clusters, covariance_type="diag", random_state=seed)
    with warnings.catch_warnings():
        # A hundred steps are enough for a score; rows that differ by rounding alone are one cluster.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(components[order])
    return np.asarray(mixture.predict_proba(components))


def _mean_log(posterior: Matrix64, classes: Classes) -> float:
    joint = np.zeros((int(classes.max()) + 1, posterior.shape[1]))
    np.add.at(joint, classes, posterior)
    occupied = joint.sum(axis=0)
    label_given_cluster = joint / np.where(occupied > 0, occupied, 1.0)
    return min(0.0, float(np.log((posterior * label_given_cluster[classes]).sum(axis=1)).mean()))
