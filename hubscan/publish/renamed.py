"""A ranking's entries, or a verdict on it, and new names for models in; the same by these names out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from hubscan import fusion
from hubscan.records import Ranked, Scored, Verdict


def renamed(entries: Iterable[Ranked], name: Callable[[str], str]) -> tuple[Ranked, ...]:
    """Return *entries* with every model called by what *name* makes of it, ties and joined parts too."""
    before = list(entries)
    after = [replace(entry, scored=_renamed(entry.scored, name)) for entry in before]
    names = {old.name: new.name for old, new in zip(before, after, strict=True)}
    return tuple(
        replace(entry, tied_with=tuple(names.get(other, other) for other in entry.tied_with))
        for entry in after
    )


def renamed_verdict(verdict: Verdict | None, name: Callable[[str], str]) -> Verdict | None:
    """Return *verdict*, if there is one, with every model called by what *name* makes of it."""
    if verdict is None:
        return None
    tuned = (
        replace(one, candidate=replace(one.candidate, model=name(one.candidate.model)))
        for one in verdict.tuned
    )
    return replace(verdict, tuned=tuple(tuned))


def _renamed(scored: Scored, name: Callable[[str], str]) -> Scored:
    parts = tuple(replace(part, model=name(part.model)) for part in scored.parts)
    alone = replace(scored.candidate, model=name(scored.candidate.model))
    return replace(scored, candidate=fusion.candidate(parts) if parts else alone, parts=parts)
