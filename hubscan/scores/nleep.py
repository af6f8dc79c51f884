"""N-LEEP: how well the cluster of a row predicts its label."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from hubscan.scores.linalg.centered import centred
from hubscan.scores.targets import Classes, Matrix64, checked

VARIANCE_KEPT = 0.8
CLUSTERS_PER_CLASS = 5
ROWS_PER_CLUSTER = 5  # a cluster of one row would determine that row's label
DIGITS = 10  # decimals kept of the components, whose mean variance is 1


def n_leep(features: npt.ArrayLike, labels: npt.ArrayLike, *, seed: int = 0) -> float:
    """Return N-LEEP: how well clusters of the features predict the labels, in nats per row, at most 0.

    The features are reduced to the principal components with 80 % of their variance, and a mixture of 5K
    Gaussians is fitted to them. With P(z|x) the posterior of cluster z, N-LEEP is the mean log posterior of
    the labels::

        N-LEEP = 1/n · Σ_i log Σ_z P(y_i|z) P(z|x_i),   P(y|z) = Σ_{i: y_i=y} P(z|x_i) / Σ_i P(z|x_i)

    Scores for different numbers of classes are not comparable: at chance, and for constant features, the
    score is −H(Y), where H(Y) is the entropy of the labels. Numeric labels are first cut into classes at
    their quantiles (`quantile_classes`). With several labels, each is scored against the rest (K = 2, with
    the same ten clusters for all), and the mean is weighted by label frequency. A class of one row is
    treated like any other; its row contributes to P(y|z) itself, so no logarithm is infinite.

    Source: Li et al., *Ranking Neural Checkpoints*, CVPR 2021 (arXiv 2011.11200).

    Departures: clusters have diagonal covariances. Principal components are uncorrelated at the start, and
    full covariances are singular if a cluster has fewer rows than components, as here (2 000 rows and 20
    classes give 20 rows per cluster). There are never more than n/5 clusters. The components are scaled to a
    mean variance of 1, so the 1e-6 that scikit-learn adds to variances has the same effect at every scale.
    Rows are sorted by their first component, so the seeded initialisation does not depend on their order.
    Some copies omit the logarithm; this one does not.

    Args:
        features: (n, d) finite real numbers of any type, or a tensor; computed in float64.
        labels: (n,) classes, (n, L) of 0 and 1, or (n,) floats; see `hubscan.scores.targets`.
        seed: random seed for the initial mixture; the same seed gives the same score.

    Raises:
        ValueError: if the shapes do not match, a number is not finite, or the labels are constant.
    """
    matrix, targets = checked(features, labels)
    problems = targets.problems()
    clusters = CLUSTERS_PER_CLASS * max(int(classes.max()) + 1 for _, classes in problems)
    posterior = _posterior(_components(centred(matrix)), clusters, seed)
    return float(sum(weight * _mean_log(posterior, classes) for weight, classes in problems))


def _components(z: Matrix64) -> Matrix64:
    """Return the principal components (n, p) of the centred *z* with 80 % of its variance, mean variance 1.

    They are computed from the smaller Gram matrix. The sign of each makes its third moment positive.
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
    """Return P(z|x) (n, clusters) of each row, with fewer clusters if there are few or repeated rows."""
    from sklearn.exceptions import ConvergenceWarning  # takes two seconds to import
    from sklearn.mixture import GaussianMixture

    # The order of the rows changes the last digits of the components, which in one of a thousand samples is
    # enough for k-means to start from another row. Rounding removes those digits.
    components = np.round(components, DIGITS)
    order = np.argsort(components[:, 0], kind="stable")
    distinct = len(np.unique(components, axis=0))
    clusters = max(1, min(clusters, len(components) // ROWS_PER_CLUSTER, distinct))
    mixture = GaussianMixture(clusters, covariance_type="diag", random_state=seed)
    with warnings.catch_warnings():
        # A hundred steps are enough for a score; rows that differ only by rounding form one cluster.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(components[order])
    return np.asarray(mixture.predict_proba(components))


def _mean_log(posterior: Matrix64, classes: Classes) -> float:
    joint = np.zeros((int(classes.max()) + 1, posterior.shape[1]))
    np.add.at(joint, classes, posterior)
    occupied = joint.sum(axis=0)
    label_given_cluster = joint / np.where(occupied > 0, occupied, 1.0)
    return min(0.0, float(np.log((posterior * label_given_cluster[classes]).sum(axis=1)).mean()))
