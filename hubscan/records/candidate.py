"""A checkpoint that a scan will try (`Candidate`), and one that it could not score (`Skipped`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hubscan.records.kinds import Modality

BETWEEN: Final = " + "
Identity = tuple[str, str | None]
"""The name and revision of a checkpoint, which are unique within a run."""


def _of_tower(model: str, only: Modality | None) -> str:
    return f"{model} ({only})" if only else model


@dataclass(frozen=True, slots=True)
class Candidate:
    """One checkpoint at one commit, as the listing describes it."""

    model: str  # the canonical "org/name", or a local folder as the user wrote it
    revision: str  # the commit; for a local folder "sha256:" and the hash of what decides its features
    modality: Modality
    local: bool = False
    parameters: int | None = None  # from the listing; results have the count of the loaded encoder
    license: str | None = None
    downloads: int | None = None
    pipeline_tag: str | None = None
    library: str | None = None
    flags: tuple[str, ...] = ()  # what the user should know: "trained on this dataset"
    tower: bool = False  # whether the checkpoint's other tower is a candidate too

    @property
    def name(self) -> str:
        """Return the checkpoint's id, followed by the modality if both of its towers are candidates."""
        return _of_tower(self.model, self.only)

    @property
    def only(self) -> Modality | None:
        """Return the modality if the checkpoint's other tower is a candidate too; else None."""
        return self.modality if self.tower else None

    @property
    def identity(self) -> Identity:
        """Return the name and revision, which are unique within a run."""
        return self.name, self.revision


@dataclass(frozen=True, slots=True)
class Pair:
    """Two checkpoints whose features are joined; reports use it like a `Candidate`."""

    parts: tuple[Candidate, ...]

    @property
    def model(self) -> str:
        """Return both ids."""
        return BETWEEN.join(part.model for part in self.parts)

    @property
    def name(self) -> str:
        """Return both ids; their modalities differ, so there is no tower to name."""
        return self.model

    @property
    def revision(self) -> str:
        """Return both commits."""
        return BETWEEN.join(part.revision for part in self.parts)

    @property
    def modality(self) -> str:
        """Return both modalities, as results write them: `image+text`."""
        return "+".join(part.modality for part in self.parts)

    @property
    def license(self) -> str | None:
        """Return both licences, or one if they are the same; None if neither is stated."""
        licenses = [part.license for part in self.parts]
        return together(known or "not stated" for known in licenses) if any(licenses) else None

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the flags of both, each once."""
        return tuple(dict.fromkeys(flag for part in self.parts for flag in part.flags))

    @property
    def identity(self) -> Identity:
        """Return the name and revision, which are unique within a run."""
        return self.name, self.revision


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the Hub's listing: a candidate, and the reason if it is excluded."""

    candidate: Candidate
    excluded: str | None = None


KILLED: Final = tuple(
    f"its process was ended by {name}" for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")
)


@dataclass(frozen=True, slots=True)
class Skipped:
    """One candidate without a score, with the stage where it failed and the reason."""

    model: str
    revision: str | None
    stage: str  # "resolve", "fetch", "load", "embed", "score", "train", "fuse" or "worker"
    reason: str
    only: Modality | None = None  # as in `Candidate`: the tower that failed

    @property
    def was_killed(self) -> bool:
        """Return whether its process was ended from outside, so that it may succeed if it is tried again."""
        return self.reason.startswith(KILLED)

    @classmethod
    def of(cls, candidate: Candidate, stage: str, reason: str) -> Skipped:
        """Return *candidate* as skipped at *stage* for *reason*."""
        return cls(candidate.model, candidate.revision, stage, reason, candidate.only)

    @property
    def name(self) -> str:
        """Return the checkpoint's id, followed by the modality if both of its towers are candidates."""
        return _of_tower(self.model, self.only)

    @property
    def identity(self) -> Identity:
        """Return the name and revision, which are unique within a run."""
        return self.name, self.revision


def together(words: Iterable[str]) -> str:
    """Return *words* joined by " + ", or one of them if they are all the same."""
    given = list(words)
    return given[0] if len(set(given)) == 1 else BETWEEN.join(given)
