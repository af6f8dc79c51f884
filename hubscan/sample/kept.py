"""Keep drawn samples in hubscan's cache, so that a scan of a dataset elsewhere repeats without a network.

Parquet files are read in parts and other formats as they arrive, so the client's cache has none of the rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from hubscan import __version__, sample_file
from hubscan.environment import asked_cache_folder
from hubscan.processes import has_ended, owner
from hubscan.records import Sample, SampleInfo, SampleRequest
from hubscan.records.sample import is_input

BUDGET_BYTES: Final = 2 * 10**9
ROWS, ALIAS = ".parquet", ".alias"


@dataclass(frozen=True)
class KeptSplit:
    """A split that cannot be read now, of which an earlier scan drew the same sample."""

    sample: Sample

    def draw(self) -> Sample:
        """Return the sample."""
        return self.sample


def keep(request: SampleRequest, sample: Sample) -> None:
    """Keep *sample* for every request that would draw it from the same commit; local data need not be kept.

    If *request* names no revision, neither does one of these, so that a name finds its newest sample.
    """
    if sample.draw.local:
        return
    folder = _folder()
    partial = folder / f"new{ROWS}.{owner()}"
    with suppress(OSError):  # a scan does not need it
        folder.mkdir(parents=True, exist_ok=True)
        sample_file.write(sample, partial, inputs=True)
        content = _content(partial)
        partial.replace(folder / f"{content}{ROWS}")
        for form in _forms(request, sample.draw):
            _written(folder / f"{_digest(form)}{ALIAS}", content)
        _prune()


def kept(request: SampleRequest, because: str) -> KeptSplit | None:
    """Return the sample that *request* drew when the data could be read last; None if none was kept."""
    try:
        content = (_folder() / f"{_digest(_form(request))}{ALIAS}").read_text(encoding="ascii")
        file = _folder() / f"{content}{ROWS}"
        if _content(file) != content:  # damaged
            return None
        sample = sample_file.read(file)
        file.touch()
    except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged
        return None
    drawn = sample.draw
    note = f"rows kept by an earlier scan of commit {drawn.revision[:7]}, as {because}"
    if drawn.revision.startswith("url:"):
        note = f"rows kept by an earlier scan, as {because}"
    return KeptSplit(
        replace(sample, draw=replace(drawn, bytes_read=0, requests=0, notes=(*drawn.notes, note)))
    )


def _settled(request: SampleRequest, drawn: SampleInfo) -> SampleRequest:
    """Return *request* with what was inferred, as the recipe of a run has it."""
    return replace(
        request,
        dataset=drawn.dataset,
        config=drawn.config,
        split=drawn.split,
        revision=drawn.revision,
        input_columns=tuple(column for role, column in drawn.columns.items() if is_input(role)),
        label_columns=tuple(c for role, c in drawn.columns.items() if role.partition("_")[0] == "label"),
        label_kind=drawn.label_kind,
    )


def _forms(request: SampleRequest, drawn: SampleInfo) -> Iterator[dict[str, Any]]:
    for form in (request, _settled(request, drawn)):
        for name in {request.dataset, drawn.dataset}:
            for revision in {request.revision, drawn.revision}:
                yield _form(replace(form, dataset=name, revision=revision))


def _form(request: SampleRequest) -> dict[str, Any]:
    """Return what decides the rows; once the columns are named, the task and the modalities do not."""
    form = asdict(request)
    if request.input_columns and request.label_columns and request.label_kind:
        form |= {"task": None, "modalities": ()}
    return {**form, "hubscan": __version__}


def _digest(form: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()[:32]


def _content(file: Path) -> str:
    """Return a hash of the content of *file*, which names it, so that damage is noticed."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:32]


def _folder() -> Path:
    return asked_cache_folder() / "samples"


def _written(file: Path, content: str) -> None:
    partial = file.with_name(f"{file.name}.{owner()}")
    partial.write_text(content, encoding="ascii")
    partial.replace(file)


def _prune() -> None:
    """Remove the samples that were read least recently, until the rest fits the budget.

    What killed processes left incomplete is removed too.
    """
    for partial in _folder().glob("*.*.*"):
        if has_ended(partial.name.rpartition(".")[2]):
            partial.unlink(missing_ok=True)
    files = sorted(_folder().glob(f"*{ROWS}"), key=lambda file: file.stat().st_mtime, reverse=True)
    size = 0
    for file in files:
        size += file.stat().st_size
        if size > BUDGET_BYTES:
            file.unlink(missing_ok=True)
