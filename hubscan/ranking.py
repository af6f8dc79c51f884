"""Rank the results of a scan, and find out which of them are tied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from hubscan import recommendation
from hubscan.errors import RankingError
from hubscan.records import Ranked, Ranking, SampleInfo, Scored, Skipped


def rank(
    results: Iterable[Scored | Skipped],
    task: str,
    draw: SampleInfo,
    *,
    each_layer: bool = False,
    run: str | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Ranking:
    """Return the ranking of *results* by `Scored.standing`, best first, with ties.

    With *each_layer*, every scored layer is an entry.

    Two checkpoints are tied if the value of each is within the interval of the other: the sample cannot
    separate them.

    Raises:
        RankingError: if nothing was scored.
    """
    found = list(results)
    scored = [part for result in found if isinstance(result, Scored) for part in _parts(result, each_layer)]
    skipped = tuple(sorted((r for r in found if isinstance(r, Skipped)), key=lambda s: s.name))
    if not scored:
        raise RankingError(_nothing(skipped))
    ordered = sorted(scored, key=order)
    entries = tuple(
        Ranked(
            place,
            result,
            tuple(o.name for o in ordered if o is not result and _tied(o, result)),
        )
        for place, result in enumerate(ordered, start=1)
    )
    return Ranking(
        task=task,
        metric=ordered[0].leading.label,
        entries=entries,
        skipped=skipped,
        draw=draw,
        run=run,
        provenance=provenance or {},
        recommended=recommendation.recommended(entries, ordered[0].leading.label),
    )


def order(scored: Scored) -> tuple[float, str]:
    """Return the sort key: the best standing first, then by name, so that reruns agree."""
    return -scored.standing.value, scored.name


def _parts(result: Scored, each_layer: bool) -> list[Scored]:
    if not (each_layer and result.layers):
        return [result]
    return [
        replace(result, layer=name, width=layer.width, scores=layer.scores, layers={})
        for name, layer in result.layers.items()
    ]


def _tied(one: Scored, other: Scored) -> bool:
    a, b = one.standing, other.standing
    (a_low, a_high), (b_low, b_high) = a.interval, b.interval
    return a_low <= b.value <= a_high and b_low <= a.value <= b_high


def _nothing(skipped: tuple[Skipped, ...]) -> str:
    if not skipped:
        return "no checkpoint to rank: the query found none; widen it, or name some with --model"
    first = skipped[0]
    return (
        f"nothing could be ranked: all {len(skipped)} checkpoints were skipped; "
        f"the first, {first.name}, at {first.stage}: {first.reason}"
    )
