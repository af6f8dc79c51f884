"""Joined pairs: the concatenated features of two checkpoints, and their entry in a ranking."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hubscan import fusion
from hubscan.feature_store import LocalStore, StoredFeatures, address
from hubscan.publish.card import as_card
from hubscan.records import Candidate, Features, Pair, Pooling, Scored, ScoringRequest
from hubscan.report.answer import answer
from hubscan.report.json_form import as_object
from hubscan.scores import transrate
from tests.support.rankings import make_run, ranking, scored
from tests.support.samples import sample


def pair(value: float, *, half: float = 0.1, prefix: str = "") -> list:  # type: ignore[type-arg]
    see = scored(f"{prefix}see/image", 0.5, half=0.1, modality="image")
    read = scored(f"{prefix}read/text", 1.0, half=0.1)
    parts = [one.candidate for one in (see, read) if isinstance(one.candidate, Candidate)]
    return [see, read, replace(scored("x", value, half=half), candidate=Pair(tuple(parts)))]


def test_each_block_is_centred_and_has_a_total_variance_of_one() -> None:
    random = np.random.default_rng(0)
    small, large = random.normal(3, 0.01, (50, 4)), random.normal(-7, 90, (50, 9))
    both = fusion.side_by_side([small.astype(np.float32), large.astype(np.float32)])
    assert both.shape == (50, 13) and both.dtype == np.float32
    assert np.abs(both.mean(axis=0)).max() < 1e-6
    assert [both[:, :4].var(axis=0).sum(), both[:, 4:].var(axis=0).sum()] == pytest.approx([1, 1], rel=1e-5)
    assert np.corrcoef(both[:, 0], small[:, 0])[0, 1] == pytest.approx(1, abs=1e-5)


def test_a_constant_block_becomes_zeros_and_its_rounding_is_not_amplified() -> None:
    constant = np.full((20, 3), 0.1, np.float32)
    constant[::2] = np.nextafter(np.float32(0.1), np.float32(1))
    assert not fusion.side_by_side([constant]).any()


def test_a_pair_is_scored_with_the_groups_of_its_rows(tmp_path: Path) -> None:
    random, store = np.random.default_rng(0), LocalStore(tmp_path)
    rows = sample(np.arange(60) % 2, groups=np.arange(60) // 6)
    parts, blocks = [], []
    for modality in ("image", "text"):
        blocks.append((random.normal(size=(60, 3)) + rows.labels[:, None]).astype(np.float32))
        kept = Features(
            {"last": blocks[-1]}, Pooling("cls", "declared"), 1, "cpu", "float32", "T", 1.0, False
        )
        name = address({"modality": modality})
        store.save(name, StoredFeatures(kept, rows.keys, np.zeros(60, np.uint64)))
        parts.append(replace(scored(f"a/{modality}", 1.0, modality=modality), features=name))
    found = fusion.joined(parts, rows, ScoringRequest(("transrate",)), store)
    assert isinstance(found, Scored)
    apart, together = (
        transrate(fusion.side_by_side(blocks), rows.labels, groups=groups) for groups in (None, rows.groups)
    )
    assert found.leading.low == pytest.approx(together.low)
    assert found.leading.low != pytest.approx(apart.low)


@pytest.mark.parametrize(
    ("value", "verdict", "said", "used"),
    [
        (
            1.5,
            "beats",
            "Together they score clearly higher than read/text alone",
            "see/image + read/text",
        ),
        (
            1.05,
            "tied",
            "see/image + read/text together score higher than read/text alone, but this sample cannot tell the two apart",
            "read/text",
        ),
        (
            0.95,
            "tied",
            "see/image + read/text together score lower than read/text alone, but this sample cannot tell the two apart",
            "read/text",
        ),
        (
            0.7,
            "loses",
            "see/image + read/text together score clearly lower than read/text alone",
            "read/text",
        ),
    ],
)
def test_a_pair_is_recommended_only_if_it_beats_its_better_part_beyond_the_interval(
    value: float, verdict: str, said: str, used: str
) -> None:
    found = ranking(pair(value))
    assert as_object(found)["fusion"] == {
        "model": "see/image + read/text", "better_part": "read/text", "verdict": verdict,
    }  # fmt: skip
    said_of_it = answer(found)
    assert said_of_it.startswith(f"Use {used} (") and f"{said}." in said_of_it
    assert "ranks higher, but is not surely" not in said_of_it


def test_a_card_names_the_better_part_as_its_base_and_no_path_of_a_local_one(tmp_path: Path) -> None:
    results = pair(1.5, prefix="/home/me/")
    results = [
        replace(one, candidate=replace(one.candidate, local=True)) if not one.parts else one
        for one in results
    ]
    assert "/home/me" not in as_card(make_run(tmp_path / "local", results))
    card = as_card(make_run(tmp_path / "hub", pair(1.5)))
    assert "\nbase_model: read/text\n" in card and "joined" not in card.split("---")[1]
