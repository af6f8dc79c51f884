"""Read and write run folders.

RUN/recipe.yaml     what was asked: resolved, with defaults; without a query if models are named
RUN/lock.yaml       what was used: every commit, the description of the sample, the endpoint and versions
RUN/sample.parquet  row ids, labels and group numbers of the sample
RUN/results.jsonl   one line per candidate and one for a joined pair, written to disk before it is shown
RUN/predictions/    per candidate: what a linear head predicts for each row that it was not fitted to
RUN/heads/          the linear heads of the leading candidates
RUN/verified.jsonl  one line per candidate that was fine-tuned or failed, also written before it is shown
RUN/verdict.json    how the ranking compares with fine-tuned accuracy
RUN/in-use.json     while a scan or a verification writes to the folder: which process that is
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import yaml
from pydantic import AfterValidator, TypeAdapter

from hubscan import ranking, recipe, recommendation, run_files
from hubscan.environment import why_not_writable
from hubscan.errors import RunError
from hubscan.plain_text import visible
from hubscan.records import (
    Candidate,
    Identity,
    LeftOut,
    Ranked,
    Ranking,
    SampleInfo,
    Scored,
    Skipped,
    Tuned,
    Verdict,
)
from hubscan.records.features import is_address
from hubscan.untrusted import Malformed, json_of, record_of, yaml_of

T = TypeVar("T")

RECIPE, LOCK, SAMPLE = "recipe.yaml", "lock.yaml", "sample.parquet"
RESULTS, VERIFIED, VERDICT = "results.jsonl", "verified.jsonl", "verdict.json"
FILES: Final = (RECIPE, LOCK, SAMPLE, RESULTS, VERIFIED, VERDICT)
PREDICTIONS, HEADS = "predictions", "heads"
MOST_LOCK: Final = 2**26  # bytes; 10,000 candidates take 5 MB
SHOWN: Final = 80  # bytes of a damaged line
KEYED: Final = re.compile(r"[0-9a-f]{16}\.(parquet|safetensors)")


def _checked(scored: Scored) -> Scored:
    """Refuse features outside a feature store, such as a path, and what no score ranks.

    A run folder may come from a stranger.
    """
    if scored.features is not None and not is_address(scored.features):
        raise ValueError("not an address of features")
    if not scored.scores or not all(layer.scores for layer in scored.layers.values()):
        raise ValueError("no score")
    return scored


def _measured(result: Tuned) -> Tuned:
    """Refuse a result without an accuracy before and after training, in the new or the old format."""
    old = bool(result.outcomes) and len(result.outcomes) == len(result.frozen)
    if not old and (result.accuracy is None or result.frozen_accuracy is None):
        raise ValueError("neither an accuracy nor outcomes")
    return result


_TUNED: TypeAdapter[Tuned | Skipped] = TypeAdapter(Annotated[Tuned, AfterValidator(_measured)] | Skipped)
_RESULT: TypeAdapter[Scored | Skipped] = TypeAdapter(Annotated[Scored, AfterValidator(_checked)] | Skipped)
_VERDICT: TypeAdapter[Verdict] = TypeAdapter(Verdict)


@dataclass(frozen=True, slots=True)
class Lock:
    """What a scan used, in enough detail to repeat it exactly."""

    task: str
    draw: SampleInfo
    candidates: tuple[Candidate, ...]
    unresolved: tuple[Skipped, ...]  # named models that were not found
    provenance: Mapping[str, Any]

    def to_yaml(self) -> str:
        """Return the text of `lock.yaml`."""
        # A lone surrogate, which a name may contain, would make the file unreadable.
        plain = json.loads(json.dumps(asdict(self), ensure_ascii=False).encode("utf-8", "replace"))
        shown = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
        # Characters that reverse or hide text are escaped, so that the file shows what is in it.
        return shown if visible(shown) == shown else yaml.safe_dump(plain, sort_keys=False)


_LOCK: Final = TypeAdapter(Lock)


@dataclass(frozen=True, slots=True)
class Run:
    """An open run folder."""

    folder: Path
    recipe: recipe.Recipe
    lock: Lock

    def results(self) -> list[Scored | Skipped]:
        """Return the results so far, and the models that were not found.

        Of a candidate that was tried again, the last result counts. An incomplete last line, left by a crash,
        is ignored.

        Raises:
            RunError: if any other line is damaged.
        """
        found = {result.identity: result for result in _records(self.folder, RESULTS, _RESULT)}
        return [*self.lock.unresolved, *found.values()]

    def verified(self) -> list[Tuned | Skipped]:
        """Return the candidates that were fine-tuned so far, and those that could not be.

        An incomplete last line, left by a crash, is ignored.

        Raises:
            RunError: if any other line is damaged.
        """
        return _records(self.folder, VERIFIED, _TUNED)

    def verdict(self) -> Verdict | None:
        """Return the verdict of `hubscan verify`; None before it has run.

        Raises:
            RunError: if the file is damaged.
        """
        damaged = f"{self.folder / VERDICT}: damaged; remove it, and run `hubscan verify` again"
        try:
            verdict = record_of(_VERDICT, json_of(run_files.read(self.folder, VERDICT), finite=True))
            for result in verdict.tuned:
                _measured(result)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise RunError(damaged) from error
        if not _is_whole(verdict):
            raise RunError(damaged)
        return verdict

    def keep_verdict(self, verdict: Verdict) -> None:
        """Write *verdict*, replacing an earlier one."""
        run_files.write_whole(self.folder, VERDICT, json.dumps(asdict(verdict)))

    def left_out(self, scored: Scored) -> dict[str, LeftOut]:
        """Return what the linear heads of *scored* predict for left-out rows, by layer; {} for older runs.

        Raises:
            RunError: if the file is damaged.
        """
        from hubscan import predictions  # imports pyarrow, which is slow and which few commands need

        name = _keyed(PREDICTIONS, scored.identity, "parquet")
        try:
            file = run_files.opened(self.folder, name)
        except FileNotFoundError:
            return {}
        with file:
            return predictions.read(file, self.folder / name, self.lock.draw)

    def head(self, entry: Ranked) -> bytes | None:
        """Return the safetensors file of the linear head of *entry*, or None if the run has no such file.

        Raises:
            RunError: if the file is a link, or is too large.
        """
        try:
            return run_files.read(self.folder, self.head_name(entry))
        except FileNotFoundError:
            return None

    def head_name(self, entry: Ranked) -> str:
        """Return the name of the file in the run folder for the linear head of *entry*."""
        return _keyed(HEADS, (entry.name, entry.scored.candidate.revision), "safetensors")

    def write_head(self, entry: Ranked, tensors: bytes) -> None:
        """Write *tensors*, the linear head of *entry* as the bytes of a safetensors file."""
        run_files.write_whole(self.folder, self.head_name(entry), tensors)

    def append(self, result: Scored | Tuned | Skipped, *, verifies: bool = False) -> None:
        """Write one result, of the scan or (with *verifies*) of fine-tuning; return once it is on disk."""
        if isinstance(result, Scored) and result.left_out:
            self._write_predictions(result)
            result = replace(result, left_out={})
        # A lone surrogate, which a name may contain, would make the line unreadable.
        line = json.dumps(asdict(result), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        run_files.append(self.folder, VERIFIED if verifies else RESULTS, line)

    def drop_torn_line(self, name: str = RESULTS) -> None:
        """Remove an incomplete last line, left by a crash, from the file *name* before more are appended."""
        run_files.drop_torn_line(self.folder, name)

    def unfinished(self) -> list[Candidate]:
        """Return the candidates without a result, and those whose process was killed."""
        found = self.results()
        done = {one.identity for one in found if not (isinstance(one, Skipped) and one.was_killed)}
        return [c for c in self.lock.candidates if c.identity not in done]

    def _write_predictions(self, scored: Scored) -> None:
        from hubscan import predictions

        content = predictions.as_bytes(scored.left_out, self.lock.draw.label_kind)
        run_files.write_whole(self.folder, _keyed(PREDICTIONS, scored.identity, "parquet"), content)

    @property
    def ranking(self) -> Ranking:
        """Return the ranking of the results so far.

        After `hubscan verify` it has the verdict, and recommends the best fine-tuned checkpoint.

        Raises:
            RankingError: if nothing was scored.
        """
        scanned, verdict = self.scanned, self.verdict()
        if verdict is None:
            return scanned
        best = recommendation.verified(scanned.entries, verdict)
        return replace(scanned, verdict=verdict, recommended=best or scanned.recommended)

    @property
    def scanned(self) -> Ranking:
        """Return the ranking of the results so far without regard to fine-tuning.

        Raises:
            RankingError: if nothing was scored.
        """
        return ranking.rank(
            self.results(),
            self.lock.task,
            self.lock.draw,
            each_layer=self.recipe.layers == "each",
            run=str(self.folder),
            provenance=self.lock.provenance,
        )


def require_free(folder: Path) -> None:
    """Check that a new run can be created in *folder*.

    Raises:
        RunError: if it contains a run already.
    """
    if run_files.is_there(folder, LOCK):
        raise RunError(
            f"{folder}: already contains a run; pass --resume to continue it, or --fresh to replace it"
        )


def require_writable(folder: Path) -> None:
    """Check that files can be created in *folder*, whether or not it exists.

    Raises:
        RunError: if they cannot.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise RunError(f"{folder}: cannot be written: {existing} is not a folder")
    problem = why_not_writable(folder)  # such as a full or read-only disk
    if problem:
        raise RunError(f"{folder}: cannot be written: {problem}; pass another folder with --run")


def create(folder: Path, asked: recipe.Recipe, lock: Lock, *, fresh: bool = False) -> Run:
    """Create a run in *folder*; with *fresh*, replace the one that it contains.

    Raises:
        RunError: if it contains a run already, or cannot be written.
    """
    if not fresh:
        require_free(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            run_files.remove(folder, name)
        for kind in (PREDICTIONS, HEADS):
            _empty(folder / kind)
        run_files.write_whole(folder, RECIPE, recipe.to_yaml(asked))
        run_files.write_whole(folder, LOCK, lock.to_yaml())
    except OSError as error:
        raise RunError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return Run(folder, asked, lock)


def load_run(path: str | Path) -> Run:
    """Open the run folder at *path*, finished or not; results are read only when needed.

    Raises:
        RunError: if there is no run, or its lock is damaged.
        RecipeError: if its recipe is missing or damaged.
    """
    folder = Path(path)
    try:
        lock = record_of(
            _LOCK, yaml_of(run_files.read(folder, LOCK, most_bytes=MOST_LOCK), most_values=MOST_LOCK)
        )
        run_files.require_file(folder, RECIPE)
    except FileNotFoundError as error:
        if not run_files.is_there(folder, LOCK):
            raise RunError(f"{folder}: no run here (there is no {LOCK} in it)") from error
        raise RunError(f"{folder / RECIPE}: is missing; scan again with --fresh") from error
    except Malformed as error:
        raise RunError(f"{folder / LOCK}: damaged: {error}") from error
    return Run(folder, recipe.resolve({}, folder / RECIPE), lock)


def _empty(folder: Path) -> None:
    """Remove only the hash-named files of an earlier scan from *folder*; do not follow a symbolic link."""
    if folder.is_dir() and not folder.is_symlink():
        for file in folder.iterdir():
            if KEYED.fullmatch(file.name):
                file.unlink()


def _keyed(kind: str, identity: Identity, suffix: str) -> str:
    """Return the name of the file for *identity* in the folder *kind*; an id may contain anything."""
    name, revision = identity
    return f"{kind}/{hashlib.sha256(f'{name}@{revision}'.encode()).hexdigest()[:16]}.{suffix}"


def _records(folder: Path, name: str, kind: TypeAdapter[T]) -> list[T]:
    """Return the complete lines of the file *name*, parsed; none if it does not exist."""
    return [_parsed(line, folder / name, kind) for line in run_files.lines(folder, name)]


def _parsed(line: bytes, file: Path, kind: TypeAdapter[T]) -> T:
    try:
        return record_of(kind, json_of(line, finite=True))
    except Malformed as error:
        shown = line[:SHOWN].decode("utf-8", "replace")
        raise RunError(f"{file}: damaged line: {shown}") from error


def _is_whole(verdict: Verdict) -> bool:
    """Return whether the lengths and indices in *verdict* are consistent, as reports rely on them."""
    places = range(len(verdict.tuned))
    picks = [agreement.pick for agreement in verdict.agreements]
    beside = (verdict.heads, verdict.gains)  # empty in old verdicts
    return (
        bool(picks)
        and all(pick in places for pick in picks)
        and len(verdict.values) == len(places)
        and all(not part or len(part) == len(places) for part in beside)
    )
