"""The content of the Hub is reproducible, and each broken checkpoint is broken as documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubscan.demo.hub import Hub
from tests.hub.checkpoints import BERT_WORDS, MODELS, make_models
from tests.hub.labelled import DATASETS, make_datasets
from tests.hub.words import LABELS, NEUTRAL, NOISE, TELLING


def test_two_builds_have_the_same_commits(hub_root: Path, tmp_path: Path) -> None:
    make_models(tmp_path / "models")
    make_datasets(tmp_path / "datasets")
    first, second = (
        {name: repo.head.sha for name, repo in Hub(root).repos.items()} for root in (hub_root, tmp_path)
    )
    assert first == second
    assert set(first) == {("models", name) for name in MODELS} | {("datasets", name) for name in DATASETS}


def test_no_word_reveals_two_labels() -> None:
    words = [word for words in (*TELLING, NEUTRAL, NOISE) for word in words]
    assert len(words) == len(set(words))
    assert len(TELLING) == len(LABELS)
    assert set(words) < set(BERT_WORDS)


def test_it_is_all_tiny(hub_root: Path) -> None:
    assert sum(file.stat().st_size for file in hub_root.rglob("*") if file.is_file()) < 5_000_000


@pytest.mark.parametrize("name", ["tester/blind-bert", "tester/plain-bert", "tester/sentence-bert"])
def test_checkpoints_to_compare_differ_in_weights_only(hub_root: Path, name: str) -> None:
    configs = [(hub_root / "models" / one / "config.json") for one in ("tester/seeing-bert", name)]
    assert configs[0].read_bytes() == configs[1].read_bytes()
