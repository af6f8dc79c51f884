"""Randomly initialised checkpoints are detected, and their scores are discounted by 25 %."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
import torch

from hubscan.encoders import load
from hubscan.encoders.network import network_class
from hubscan.encoders.untrained import untrained
from hubscan.records import Score, Scored
from hubscan.report.answer import answer
from hubscan.report.json_form import as_object
from hubscan.verify.verdict import verdict
from tests.families import audio, image, text
from tests.families.made import Made
from tests.support.rankings import BGE, RXNFP, ranking, scored, tuned
from tests.support.samples import sample

if TYPE_CHECKING:
    from tests.families.family import Family

# Their biases begin at random, or nothing in them begins as a constant that is trained.
NEVER_TOLD: Final[Mapping[str, str]] = {"mamba": "random biases", "olmo": "norms without weights"}
FAMILIES: Final = [*text.FAMILIES, *image.FAMILIES, *audio.FAMILIES]


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_a_network_of_each_family_is_untrained_as_its_config_makes_it(family: Family, made: Made) -> None:
    network, config = network_class(made(family), family.modality)
    fresh = (network._from_config if hasattr(network, "_from_config") else network.from_config)(config)
    assert untrained(fresh) == (family.model_type not in NEVER_TOLD)


def test_one_step_of_training_is_seen(made: Made) -> None:
    family = next(family for family in FAMILIES if family.model_type == "bert")
    encoder = load(made(family), "text")
    assert untrained(encoder.model)
    encoder.model.requires_grad_(True)
    vectors = encoder.encode(encoder.prepare(["a good film", "a bad one"]).batch([0, 1]))
    torch.autograd.backward(vectors["last"].square().sum())
    torch.optim.SGD(encoder.model.parameters(), lr=1e-4).step()
    assert not untrained(encoder.model)


def test_a_network_without_norms_is_never_told() -> None:
    assert not untrained(torch.nn.Linear(3, 2))
    assert not untrained(torch.nn.LayerNorm(5, elementwise_affine=False))
    assert untrained(torch.nn.Sequential(torch.nn.LayerNorm(5), torch.nn.Linear(5, 1)))


def test_norms_that_were_merged_into_the_maps_behind_them_are_not_a_sign() -> None:
    behind = torch.nn.Linear(5, 3)
    layer = torch.nn.Sequential(torch.nn.LayerNorm(5), behind)
    assert not untrained(layer), "torch draws the biases of a linear map"
    torch.nn.init.zeros_(behind.bias)
    assert untrained(layer)


# -- the ranking ----------------------------------------------------------------------------------


def drawn(model: str, value: float, **more: Any) -> Scored:
    return replace(scored(model, value, **more), untrained=True)


def test_three_quarters_of_what_untrained_weights_score_count() -> None:
    found = ranking([drawn("a/drawn", 2.0), scored("b/below", 1.4), scored("c/above", 1.6)])
    assert [entry.model for entry in found] == ["c/above", "a/drawn", "b/below"]
    assert found[1].scored.leading.value == 2.0, "it is shown as it was measured"


def test_of_a_metric_that_is_not_corrected_it_is_what_lies_above_chance() -> None:
    evidence = Score("evidence", 1, 0.625, 0.375, 0.875, null=0.125)
    assert evidence.discounted == replace(evidence, value=0.5, low=0.3125, high=0.6875)
    size = Score("size", 1, 7.5)
    assert size.discounted is size, "there is no chance to be nearer to"


def test_ties_are_those_of_what_counts() -> None:
    found = ranking([drawn("a/drawn", 1.0), scored("b/counts", 0.75), scored("c/same", 1.0)])
    assert [(entry.model, entry.tied_with) for entry in found] == [
        ("c/same", ()),
        ("a/drawn", ("b/counts",)),
        ("b/counts", ("a/drawn",)),
    ]


def test_the_reports_say_so() -> None:
    found = ranking([drawn("a/drawn", 1.0), BGE])
    flags = [entry["flags"] for entry in as_object(found)["ranking"]]
    assert flags == [[], ["randomly initialised (score × 0.75)"]]
    assert str(found).count("randomly initialised") == 1
    assert "randomly initialised" not in answer(found)


def test_it_is_recommended_with_a_warning_where_nothing_else_tells_anything() -> None:
    said = answer(ranking([drawn("a/drawn", 1.0), RXNFP]))
    assert said.startswith("Use a/drawn (33 M parameters, mit).")
    assert "It is randomly initialised: fine-tuning it means training from scratch." in said


def test_a_verdict_follows_the_ranking_as_it_stands() -> None:
    found = ranking([drawn("a/drawn", 1.5), BGE, RXNFP])
    rights = {BGE.name: 80, "a/drawn": 70, RXNFP.name: 60}
    own = verdict(found, [tuned(found, name, rights[name]) for name in rights], sample([0, 1] * 50))
    assert own.picked.candidate.model == BGE.name and own.agreements[0].regret.value == 0
    assert own.agreements[0].kendall is not None and own.agreements[0].kendall.value == pytest.approx(1)
