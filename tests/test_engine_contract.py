"""What every engine promises, with nothing but the protocol: each of `ENGINES` runs all of this.

Workers are real processes that read real checkpoints. Since they take seconds to start, a few runs are made
once, and each test makes its claim about one of them.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from hubscan import engines, sample_file
from hubscan.assess import assess
from hubscan.engines import ENGINES, Progress, Result
from hubscan.errors import HubscanError, RecipeError
from hubscan.feature_store import LocalStore, kept_features
from hubscan.recipe import Recipe, resolve
from hubscan.records import Candidate, Sample, Scored, Skipped
from tests.support import faults
from tests.support.engine_runs import (
    Outcome,
    checkpoint,
    events,
    outcome,
    processes,
    recipe,
    texts,
    without_cost,
)

ROWS, FEWER = 60, 20
STALL_SECONDS, LIMIT_SECONDS = 5.0, 10.0
ENDED = {
    "crash": r"its process was ended by SIGSEGV",
    "killed": r"its process was ended by SIGKILL \(out of memory\?\)",
    "out_of_memory": r"out of memory: it needs more than [0-9.]+ GB; set HUBSCAN_MEMORY to allow more",
    "hang": r"no progress for 5 s, so its process was ended",
    "endless": r"it took longer than 10 s, so its process was ended",
}
"""Fault to the reason that is given for it, under the two limits above."""
FAULTY = ("first", "crash", "killed", "second", "hang", "endless", "out_of_memory", "third")
"""What runs with faults, healthy candidates before and after them."""
PAIR = ("left", "right")
HEALTHY = ("first", "second", "third")


@dataclass(frozen=True)
class Stopped:
    """What there was of a run that was stopped after its first result."""

    first: Result
    processes: tuple[set[int], ...]  # before it was started, while it ran, and after it was closed
    files: tuple[int, ...]  # temporary ones, likewise


@pytest.fixture(scope="module", params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name one engine after the other; its workers can suffer faults."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in faults.variables().items():
            patch.setenv(name, value)
        yield str(request.param)


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Candidate]:
    root, pair = tmp_path_factory.mktemp("checkpoints"), tmp_path_factory.mktemp("pair")
    return {
        **{name: checkpoint(root / name, seed) for seed, name in enumerate((*HEALTHY, "grown"))},
        **{name: checkpoint(pair / name, seed, fault="meet") for seed, name in enumerate(PAIR, start=4)},
        **{name: checkpoint(root / name, 6, fault=name) for name in ENDED},
    }


@pytest.fixture(scope="module")
def sample() -> Sample:
    return texts(ROWS)


@pytest.fixture(scope="module")
def file(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "sample.parquet"
    sample_file.write(sample, path, inputs=True)
    return path


@pytest.fixture(scope="module")
def here(
    candidates: dict[str, Candidate], sample: Sample, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Scored], LocalStore]:
    """Assess the candidates without a fault in this process, where none is suffered."""
    store = LocalStore(tmp_path_factory.mktemp("here"))
    job = Recipe(device="cpu").job(store.place)
    found = {}
    for name in (*HEALTHY, *PAIR, "grown"):
        found[name] = as_scored(assess(candidates[name], sample, job, store, "cpu", lambda *_: None))
    return found, store


@pytest.fixture(scope="module")
def faulty(
    engine: str, candidates: dict[str, Candidate], file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """Run the faults with two workers, the sample as bytes."""
    return outcome(
        engine,
        [candidates[name] for name in FAULTY],
        file.read_bytes(),
        LocalStore(tmp_path_factory.mktemp("faulty")),
        workers=2,
        stall_seconds=STALL_SECONDS,
        limit_seconds=LIMIT_SECONDS,
    )


@pytest.fixture(scope="module")
def store(engine: str, tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    """Return the store that `pair` and `stopped` fill, and that `resumed` finds."""
    return LocalStore(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def pair(engine: str, candidates: dict[str, Candidate], file: Path, store: LocalStore) -> Outcome:
    """Run with two workers what goes on only when both run at once, the sample as a path."""
    return outcome(engine, [candidates[name] for name in PAIR], file, store, workers=2)


@pytest.fixture(scope="module")
def stopped(
    engine: str,
    candidates: dict[str, Candidate],
    sample: Sample,
    store: LocalStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stopped:
    """Run with the first rows of the sample, and stop after the first result; another candidate hangs."""
    small, temporary = tmp_path_factory.mktemp("small") / "sample.parquet", tmp_path_factory.mktemp("tmp")
    sample_file.write(texts(FEWER), small, inputs=True)
    seen, files = [processes()], [0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr(tempfile, "tempdir", None)
        asked = recipe(engine)
        created = engines.create(asked)
        run = created.run(
            [candidates["grown"], candidates["hang"]], small.read_bytes(), asked.job(store.place)
        )
        first = next(event for event in run if not isinstance(event, Progress))
        for _ in range(2):
            seen.append(processes())
            files.append(len(list(temporary.iterdir())))
            created.close()
    seen.append(processes())
    files.append(len(list(temporary.iterdir())))
    return Stopped(first, tuple(seen), tuple(files))


@pytest.fixture(scope="module")
def resumed(
    pair: Outcome,
    stopped: Stopped,
    engine: str,
    candidates: dict[str, Candidate],
    file: Path,
    store: LocalStore,
) -> Outcome:
    """Run with one worker of a new engine what was run before with this store, and something new."""
    return outcome(engine, [candidates[name] for name in (*PAIR, "grown", "first")], file, store)


def as_scored(result: Result) -> Scored:
    assert isinstance(result, Scored), result
    return result


# -- results --------------------------------------------------------------------------------------


def test_every_candidate_gets_exactly_one_result(faulty: Outcome, candidates: dict[str, Candidate]) -> None:
    given = [candidates[name].identity for name in FAULTY]
    assert sorted(result.identity for result in faulty.results) == sorted(given)


def test_results_are_those_of_assess_in_this_process_with_any_workers_and_either_form_of_the_sample(
    faulty: Outcome,
    pair: Outcome,
    resumed: Outcome,
    here: tuple[dict[str, Scored], LocalStore],
    candidates: dict[str, Candidate],
) -> None:
    two_and_bytes = {name: faulty.of(candidates[name]) for name in HEALTHY}
    two_and_path = {name: pair.of(candidates[name]) for name in PAIR}
    one_and_path = {"first": resumed.of(candidates["first"])}
    for results in (two_and_bytes, two_and_path, one_and_path):
        for name, result in results.items():
            assert without_cost(result) == without_cost(here[0][name])
            assert not as_scored(result).cost.cached


def test_progress_tells_of_each_stage_and_counts_the_rows(
    faulty: Outcome, candidates: dict[str, Candidate]
) -> None:
    for name in HEALTHY:
        told = [event.stage for event in faulty.progress if event.model == candidates[name].name]
        assert list(dict.fromkeys(told)) == ["fetch", "load", "embed", "score"]
        assert faulty.rows(candidates[name], "embed") == {ROWS}


# -- isolation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ENDED)
def test_a_fault_ends_its_candidate_with_the_stage_and_the_reason(
    faulty: Outcome, candidates: dict[str, Candidate], fault: str
) -> None:
    lost = faulty.of(candidates[fault])
    assert isinstance(lost, Skipped)
    assert lost.stage == "embed" and re.fullmatch(ENDED[fault], lost.reason)


def test_candidates_before_and_after_a_fault_are_scored(
    faulty: Outcome, candidates: dict[str, Candidate]
) -> None:
    assert [type(faulty.of(candidates[name])) for name in HEALTHY] == [Scored] * len(HEALTHY)


@pytest.mark.slow
def test_a_process_that_dies_after_its_result_takes_no_other_candidate_along(
    engine: str, file: Path, tmp_path: Path
) -> None:
    given = [checkpoint(tmp_path / "one", 0, fault="late_crash"), checkpoint(tmp_path / "next", 1)]
    results = []
    for event in events(engine, given, file, LocalStore(tmp_path / "store")):
        if not isinstance(event, Progress):
            results.append(event)
            time.sleep(2)  # the process dies meanwhile
    assert [type(result) for result in results] == [Scored, Scored]


@pytest.mark.slow
def test_time_in_which_nobody_takes_results_counts_against_no_candidate(
    engine: str, candidates: dict[str, Candidate], file: Path, tmp_path: Path
) -> None:
    given, limits = (
        [candidates[name] for name in HEALTHY],
        {"stall_seconds": STALL_SECONDS, "limit_seconds": LIMIT_SECONDS},
    )
    results = []
    for event in events(engine, given, file, LocalStore(tmp_path), workers=2, **limits):
        if not isinstance(event, Progress):
            results.append(event)
            time.sleep(LIMIT_SECONDS + 2)
    assert [type(result) for result in results] == [Scored] * len(HEALTHY)


@pytest.mark.slow
def test_where_no_worker_can_start_the_run_says_so_and_blames_no_candidate(
    engine: str, candidates: dict[str, Candidate], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "transformers").mkdir()
    (tmp_path / "transformers/__init__.py").write_text("raise ImportError('half installed')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with pytest.raises(HubscanError, match=r"transformers cannot be imported: .*half installed"):
        outcome(engine, [candidates["first"]], file, LocalStore(tmp_path / "store"))


@pytest.mark.slow
def test_a_worker_that_cannot_start_leaves_its_share_to_the_others(
    engine: str, candidates: dict[str, Candidate], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(faults.ONE_PROCESS, str(tmp_path / "started"))
    given = [candidates[name] for name in HEALTHY]
    found = outcome(engine, given, file, LocalStore(tmp_path / "store"), workers=2)
    assert [type(result) for result in found.results] == [Scored] * len(HEALTHY)


# -- stopping and going on ------------------------------------------------------------------------


def test_a_stopped_run_leaves_no_process_and_no_file_and_can_be_closed_twice(
    stopped: Stopped, candidates: dict[str, Candidate]
) -> None:
    assert as_scored(stopped.first).candidate == candidates["grown"]
    before, running, *closed = stopped.processes
    assert running > before and closed == [before, before]
    assert stopped.files[1] > 0 and stopped.files[2:] == (0, 0)


def test_what_a_stopped_run_did_and_what_a_new_engine_does_are_the_whole(
    resumed: Outcome, pair: Outcome, faulty: Outcome, candidates: dict[str, Candidate]
) -> None:
    for name, before in (("left", pair), ("right", pair), ("first", faulty)):
        candidate = candidates[name]
        assert without_cost(resumed.of(candidate)) == without_cost(before.of(candidate))


def test_what_the_store_holds_is_not_computed_again(
    resumed: Outcome, candidates: dict[str, Candidate]
) -> None:
    cached = {name: as_scored(resumed.of(candidates[name])).cost.cached for name in (*PAIR, "grown", "first")}
    assert cached == {"left": True, "right": True, "grown": False, "first": False}
    assert {event.stage for event in resumed.progress if event.model == candidates["left"].name} == {"score"}


def test_of_a_larger_sample_only_the_new_rows_are_computed_and_come_to_the_same(
    resumed: Outcome,
    here: tuple[dict[str, Scored], LocalStore],
    candidates: dict[str, Candidate],
    sample: Sample,
    store: LocalStore,
) -> None:
    assert resumed.rows(candidates["grown"], "embed") == {ROWS - FEWER}
    added = kept_features(as_scored(resumed.of(candidates["grown"])), sample, store)
    at_once = kept_features(here[0]["grown"], sample, here[1])
    assert added is not None and at_once is not None
    np.testing.assert_allclose(added.matrix, at_once.matrix, atol=1e-5)


# -- workers --------------------------------------------------------------------------------------


def met(candidates: Sequence[Candidate]) -> list[list[str]]:
    """Return the process and the visible GPUs of each of *candidates*, which waited for one another."""
    return [(Path(candidate.model) / faults.MET).read_text().split() for candidate in candidates]


def test_two_workers_on_the_cpu_run_two_candidates_at_the_same_time(
    pair: Outcome, candidates: dict[str, Candidate]
) -> None:
    assert [type(result) for result in pair.results] == [Scored, Scored]
    one, other = (process for process, _ in met([candidates[name] for name in PAIR]))
    assert one != other


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices or more")
def test_each_gpu_has_a_worker_of_its_own(engine: str, file: Path, tmp_path: Path) -> None:
    places = range(torch.cuda.device_count())
    given = [checkpoint(tmp_path / f"checkpoints/{place}", place, fault="meet") for place in places]
    found = outcome(engine, given, file, LocalStore(tmp_path / "store"), device="auto")
    assert all(isinstance(one, Scored) and one.device.startswith("cuda") for one in found.results)
    assert len({gpus for _, gpus in met(given)}) == len(given)


# -- before anything runs -------------------------------------------------------------------------


def test_an_engine_that_never_ran_can_be_closed_twice(engine: str) -> None:
    before = processes()
    with closing(engines.create(recipe(engine, workers=3))) as created:
        assert processes() == before
        created.close()
    assert processes() == before


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps"])
def test_a_device_that_is_not_there_is_refused_at_once(engine: str, device: str) -> None:
    there = torch.backends.mps.is_available() if device == "mps" else torch.cuda.device_count() > 7
    if there or (device == "cuda" and torch.cuda.is_available()):
        pytest.skip(f"this machine has {device}")
    with pytest.raises(RecipeError, match=f"^device {device}: this machine, or its torch, has no "):
        engines.create(recipe(engine, device=device))


def test_an_engine_that_there_is_not_is_refused_by_the_recipe() -> None:
    with pytest.raises(RecipeError, match=r"^engine: should be 'local'"):
        resolve({"engine": "carrier-pigeon"})
