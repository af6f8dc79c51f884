"""A ranking as one flat dict for each checkpoint: the columns of csv and of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubscan.records.ranking import Ranked, Ranking


def flat_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """Return the entries from best to worst, values as they are.

    Every metric has a column of its own name; `low`, `high`, `raw` and `null` belong to the one
    that ranks. `tied_with` and `flags` are joined by `; `.
    """
    return [_flat(entry) for entry in ranking]


def _flat(entry: Ranked) -> dict[str, Any]:
    scored, score = entry.scored, entry.scored.leading
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
        **{name: other.value for name, other in scored.scores.items()},
        "low": score.low,
        "high": score.high,
        "raw": score.raw,
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
