"""Stored features are scored in a process of its own, and what ends it costs one checkpoint its score."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from hubscan import run as runs
from hubscan.errors import RunError
from hubscan.feature_store import LocalStore, StoredFeatures
from hubscan.heads import kept_head
from hubscan.records import Sample, Scored, ScoringRequest, Skipped
from hubscan.rescore import rescored
from hubscan.run_labels import labels_of
from hubscan.scorer import Scorer
from hubscan.scorer.stored import again
from tests.support.engine_runs import processes
from tests.support.fault_table import record
from tests.support.features import of_last_layer
from tests.support.rankings import BGE, MINILM, make_run

ROWS = 60
REQUEST = ScoringRequest(("logme", "hscore"))
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of the kernel of Linux")


def save(store: LocalStore, scored: Scored, sample: Sample, width: int, seed: int) -> Scored:
    """Return *scored* with the address of features that tell the classes apart."""
    matrix = np.random.default_rng(seed).normal(size=(ROWS, width)) + 2.0 * sample.labels[:, None]
    found = of_last_layer(matrix.astype(np.float32))
    address = f"{seed:064x}"
    store.save(address, StoredFeatures(found, sample.keys, np.zeros(ROWS, np.uint64)))
    return replace(scored, features=address, width=width)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def run(tmp_path: Path, store: LocalStore) -> runs.Run:
    draw = {"rows": ROWS, "classes": {"neg": 30, "pos": 30}}
    sample = labels_of(make_run(tmp_path / "first", [BGE], **draw))
    results = [save(store, BGE, sample, 8, 1), save(store, MINILM, sample, 6, 2)]
    return make_run(tmp_path / "run", results, **draw)


@pytest.fixture
def scorer(run: runs.Run, store: LocalStore) -> Iterator[Scorer]:
    with closing(Scorer(run, store, REQUEST)) as found:
        yield found


def test_scores_are_those_of_the_same_features_in_this_process(
    run: runs.Run, store: LocalStore, scorer: Scorer
) -> None:
    for result in run.results():
        assert isinstance(result, Scored)
        found = scorer.scored(result)
        here = again(result, REQUEST, labels_of(run), store, run.folder)
        assert isinstance(found, Scored) and isinstance(here, Scored)
        assert found == here
        assert list(found.scores) == ["logme", "hscore"]


def test_the_head_of_an_entry_is_written_to_the_run(run: runs.Run, scorer: Scorer) -> None:
    entry = run.ranking.first
    assert kept_head(run, entry) is None
    scorer.write_head(entry)
    head = kept_head(run, entry)
    assert head is not None and head["weight"].shape == (2, entry.scored.width)


def test_without_two_modalities_there_is_no_pair(run: runs.Run, scorer: Scorer) -> None:
    found = scorer.joined(run.results())
    assert isinstance(found, Skipped) and found.stage == "fuse"
    assert found.reason == "no pair: no image checkpoint was scored"


@LINUX
def test_a_process_that_is_killed_costs_one_checkpoint(run: runs.Run, scorer: Scorer) -> None:
    before = processes()
    first, second = (one for one in run.results() if isinstance(one, Scored))
    scorer.start()
    (child,) = processes() - before
    os.kill(child, signal.SIGKILL)
    lost, kept = scorer.scored(first), scorer.scored(second)
    assert isinstance(lost, Skipped) and lost.stage == "score"
    assert lost.reason == "its process was ended by SIGKILL (out of memory?)"
    assert isinstance(kept, Scored)
    scorer.close()
    assert processes() == before
    record("process", "kill -9 of the process that scores stored features", lost.reason)


@LINUX
def test_features_that_are_too_large_to_score_cost_one_checkpoint(
    run: runs.Run, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (one for one in run.results() if isinstance(one, Scored))
    wide = save(store, first, labels_of(run), 400_000, 3)
    monkeypatch.setenv("HUBSCAN_MEMORY", "600MB")
    with closing(Scorer(run, store, REQUEST)) as scorer:
        lost, kept = scorer.scored(wide), scorer.scored(second)
    assert isinstance(lost, Skipped)
    assert lost.reason == "out of memory: it needs more than 0.6 GB; set HUBSCAN_MEMORY to allow more"
    assert isinstance(kept, Scored)
    record("process", "stored features that need more than HUBSCAN_MEMORY", lost.reason)


def test_a_flipped_bit_in_the_labels_is_an_error(run: runs.Run, store: LocalStore) -> None:
    file = run.folder / runs.SAMPLE
    content = bytearray(file.read_bytes())
    labels = pq.ParquetFile(file).metadata.row_group(0).column(1)
    begin = labels.dictionary_page_offset or labels.data_page_offset
    content[begin + labels.total_compressed_size - 3] ^= 1
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"sample.parquet: damaged \(.*\); scan again with --fresh") as error:
        rescored(run, ["logme"], store=store)
    record("run folder", "a bit flipped among the labels of sample.parquet", str(error.value))


def test_another_sample_in_the_run_folder_is_an_error(run: runs.Run, store: LocalStore) -> None:
    (run.folder / runs.SAMPLE).write_bytes(b"PAR1")
    with pytest.raises(RunError, match=r"sample.parquet: damaged \(.*\); scan again with --fresh"):
        rescored(run, ["logme"], store=store)
