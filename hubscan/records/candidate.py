"""A `Candidate` is found in the listing, and is `Skipped` where it goes no further."""

from __future__ import annotations

from dataclasses import dataclass

from hubscan.records.kinds import Reads


def _of_tower(model: str, only: Reads | None) -> str:
    return f"{model} ({only})" if only else model


@dataclass(frozen=True, slots=True)
class Candidate:
    """One checkpoint at one commit, known from the listing alone."""

    model: str  # the canonical "org/name", or a local folder as the user wrote it
    revision: str  # the commit; for a local folder "sha256:" and the hash of its config and weights
    modality: Reads
    local: bool = False
    parameters: int | None = None  # as the listing says; a scan replaces it by the loaded count
    license: str | None = None
    downloads: int | None = None
    pipeline_tag: str | None = None
    library: str | None = None
    flags: tuple[str, ...] = ()  # what a reader should know: "trained on this dataset"
    tower: bool = False  # whether another tower of this checkpoint, of another modality, is one too

    @property
    def name(self) -> str:
        """Return the checkpoint's id, with what is read where that alone tells two towers apart."""
        return _of_tower(self.model, self.only)

    @property
    def only(self) -> Reads | None:
        """Return what is read, where another tower of the checkpoint is a candidate too; else None."""
        return self.modality if self.tower else None


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the Hub's listing: a candidate, and why it is left out if it is."""

    candidate: Candidate
    excluded: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """One candidate that did not, with the stage where it stopped."""

    model: str
    revision: str | None
    stage: str  # "resolve", "fetch", "load", "embed", "score", "train", "fuse" or "worker"
    reason: str
    only: Reads | None = None  # the tower that did not, where another may have

    @property
    def name(self) -> str:
        """Return the checkpoint's id, with what is read where that alone tells two towers apart."""
        return _of_tower(self.model, self.only)
