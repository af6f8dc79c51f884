"""Flatten a ranking to one dict per entry: the columns of CSV and of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubscan.records.ranking import Ranked, Ranking


def flat_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """Return one dict per entry, from best to worst, with unrounded values.

    Every metric has a column with its name; `low`, `high` and `null` belong to the metric that ranks.
    `accuracy` is that of the linear head, and `accuracy_kind` its kind. `tied_with` and `flags` are joined
    by `; `.
    """
    names = dict.fromkeys(name for entry in ranking for name in entry.scored.scores)
    return [_flat(entry, ranking, list(names)) for entry in ranking]


def _flat(entry: Ranked, ranking: Ranking, metrics: list[str]) -> dict[str, Any]:
    scored, score, accuracy = entry.scored, entry.scored.leading, entry.scored.accuracy
    candidate, cost = scored.candidate, scored.cost
    return {
        "rank": entry.rank,
        "model": candidate.model,
        "revision": candidate.revision,
        "modality": candidate.modality,
        "parameters": scored.parameters,
        "license": candidate.license,
        "dim": scored.width,
        "pooling": str(scored.pooling),
        "layer": scored.layer,
        "recommended": ranking.recommends(entry),
        "accuracy": accuracy.value if accuracy else None,
        "accuracy_error": accuracy.error if accuracy else None,
        "accuracy_kind": accuracy.kind if accuracy else None,
        **{name: scored.scores[name].value if name in scored.scores else None for name in metrics},
        "low": score.low,
        "high": score.high,
        "null": score.null,
        "tied_with": "; ".join(entry.tied_with),
        "rows_per_second": cost.rows_per_second,
        "seconds": cost.seconds,
        "peak_bytes": cost.peak_bytes,
        "download_bytes": cost.download_bytes,
        "cached": cost.cached,
        "device": scored.device,
        "dtype": scored.dtype,
        "processor": scored.processor,
        "flags": "; ".join(scored.flags),
    }
