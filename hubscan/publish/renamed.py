"""Rename the models in the entries of a ranking and in its verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from hubscan.records import Candidate, Pair, Ranked, Scored, Verdict


def renamed(entries: Iterable[Ranked], name: Callable[[str], str]) -> tuple[Ranked, ...]:
    """Return *entries* with *name* applied to every model, in ties and joined pairs too."""
    before = list(entries)
    after = [replace(entry, scored=_renamed(entry.scored, name)) for entry in before]
    names = {old.name: new.name for old, new in zip(before, after, strict=True)}
    return tuple(
        replace(entry, tied_with=tuple(names.get(other, other) for other in entry.tied_with))
        for entry in after
    )


def renamed_verdict(verdict: Verdict | None, name: Callable[[str], str]) -> Verdict | None:
    """Return *verdict*, if there is one, with *name* applied to every model."""
    if verdict is None:
        return None
    tuned = (
        replace(result, candidate=replace(result.candidate, model=name(result.candidate.model)))
        for result in verdict.tuned
    )
    return replace(verdict, tuned=tuple(tuned))


def _renamed(scored: Scored, name: Callable[[str], str]) -> Scored:
    return replace(scored, candidate=_renamed_candidate(scored.candidate, name))


def _renamed_candidate(candidate: Candidate | Pair, name: Callable[[str], str]) -> Candidate | Pair:
    if isinstance(candidate, Pair):
        return Pair(tuple(replace(part, model=name(part.model)) for part in candidate.parts))
    return replace(candidate, model=name(candidate.model))
