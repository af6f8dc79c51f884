"""A ranking as JSON, which `ranking.schema.json` next to this file describes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from hubscan import __version__
from hubscan.errors import RankingError
from hubscan.records import Ranked, Ranking, SampleInfo, Scored, Verdict
from hubscan.records.joined import outcome

SCHEMA: Final = 2  # version of this form
PART: Final = ("model", "revision", "modality")
SCORE: Final = ("version", "value", "low", "high", "null", "null_spread")


def as_json(ranking: Ranking) -> str:
    """Return *ranking* as one JSON object in ASCII, which has no control characters for a terminal.

    Raises:
        RankingError: if a number is not finite, which JSON cannot express.
    """
    try:
        return json.dumps(as_object(ranking), indent=2, allow_nan=False)
    except ValueError as error:
        raise RankingError(f"a number in the results is not finite: {error}") from error


def as_object(ranking: Ranking) -> dict[str, Any]:
    """Return what `as_json` writes, as plain dicts and lists."""
    return {
        "hubscan": ranking.provenance.get("hubscan", __version__),
        "schema": SCHEMA,
        "run": ranking.run,
        "task": ranking.task,
        "dataset": _dataset(ranking.draw),
        "sample": _sample(ranking.draw),
        "metric": ranking.metric,
        "recommended": _recommended(ranking),
        "ranking": [_entry(entry, ranking.draw) for entry in ranking],
        "fusion": _fusion(ranking),
        "verified": verified(ranking.verdict) if ranking.verdict else None,
        "skipped": [
            {"model": s.model, "stage": s.stage, "reason": s.reason}
            | ({"modality": s.only} if s.only else {})
            for s in ranking.skipped
        ],
        "provenance": provenance(ranking),
    }


def verified(verdict: Verdict) -> dict[str, Any]:
    """Return how the ranking compares with what fine-tuning gave, as plain dicts and lists."""
    training = verdict.best.training
    heads = verdict.heads or (None,) * len(verdict.tuned)
    return {
        "measure": verdict.measure,
        "held_out_rows": verdict.held,
        "training": asdict(training) | {"rates": list(training.rates)},
        "tuned": [
            {key: getattr(tuned.candidate, key) for key in PART}
            | {"value": value.value, "low": value.low, "high": value.high}
            | {"head": head, "frozen": tuned.start}
            | {"rate": tuned.rate, "epochs": tuned.epochs, "settled": tuned.settled}
            | {"seconds": tuned.seconds, "device": tuned.device}
            for tuned, value, head in zip(verdict.tuned, verdict.values, heads, strict=True)
        ],
        "followed": [
            {
                "list": list_.followed,
                "pick": verdict.tuned[list_.pick].candidate.model,
                "regret": list_.regret._asdict(),
                "weighted_kendall": list_.kendall and list_.kendall._asdict(),
                "pearson": list_.pearson and list_.pearson._asdict(),
            }
            for list_ in verdict.agreements
        ],
    }


def provenance(ranking: Ranking) -> dict[str, Any]:
    """Return where the numbers come from; device and dtype are those that the checkpoints ran with."""
    return {
        "device": _joined(entry.scored.device for entry in ranking),
        "dtype": _joined(entry.scored.dtype for entry in ranking),
        "versions": {},
        "seed": ranking.draw.seed,
        **{key: value for key, value in ranking.provenance.items() if key != "hubscan"},
    }


def _dataset(draw: SampleInfo) -> dict[str, Any]:
    return {"id": draw.dataset, "revision": draw.revision, "config": draw.config, "split": draw.split}


def _sample(draw: SampleInfo) -> dict[str, Any]:
    return {
        "rows": draw.rows,
        "fingerprint": draw.fingerprint,
        "classes": dict(draw.classes),
        "majority_share": draw.majority_share,
        "split_majority_share": draw.split_majority_share,
        "label_kind": draw.label_kind,
        "bytes_read": draw.bytes_read,
        "columns": dict(draw.columns),
        "seed": draw.seed,
        "rows_seen": draw.rows_seen,
        "dropped": dict(draw.dropped),
        "duplicates": draw.duplicates,
        "groups": draw.group_count,
        "requests": draw.requests,
        "row_groups": draw.groups,
        "row_groups_read": draw.groups_read,
        "block_rows": draw.block_rows,
        "notes": list(draw.notes),
    }


def _recommended(ranking: Ranking) -> dict[str, Any] | None:
    if ranking.recommended is None:
        return None
    scored = ranking.best.scored
    return (
        {"rank": ranking.recommended.rank}
        | {key: getattr(scored.candidate, key) for key in PART}
        | {"layer": scored.layer, "reason": ranking.recommended.reason}
    )


def _scores(scored: Scored) -> dict[str, Any]:
    """Return the scores by metric; one that could not be computed has no value, and a note that says why."""
    found = {
        name: {key: getattr(score, key) for key in SCORE}
        | ({} if score.raw is None else {"raw": score.raw})
        | {"notes": list(score.notes)}
        for name, score in scored.scores.items()
    }
    failed = {name: why for name, why in scored.failures.items() if name != "accuracy"}
    nothing = dict.fromkeys(SCORE)
    return found | {name: nothing | {"notes": [why]} for name, why in failed.items()}


def _entry(entry: Ranked, draw: SampleInfo) -> dict[str, Any]:
    scored = entry.scored
    candidate = scored.candidate
    return {
        "rank": entry.rank,
        "tied_with": list(entry.tied_with),
        "model": candidate.model,
        "revision": candidate.revision,
        "modality": candidate.modality,
        "parameters": scored.parameters,
        "dim": scored.width,
        "layer": scored.layer,
        "pooling": str(scored.pooling),
        "dtype": scored.dtype,
        "license": candidate.license,
        "accuracy": asdict(scored.accuracy) if scored.accuracy else None,
        "scores": _scores(scored),
        "rows": draw.rows,
        "cost": asdict(scored.cost),
        "flags": list(scored.flags),
        "parts": [{key: getattr(part, key) for key in PART} for part in scored.parts],
    }


def _fusion(ranking: Ranking) -> dict[str, Any] | None:
    joined = outcome(ranking)
    if joined is None:
        return None
    return {"model": joined.entry.model, "better_part": joined.better.model, "verdict": joined.verdict}


def _joined(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))
