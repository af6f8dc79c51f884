"""Every family that reads sounds, held to transformers on one sound at a time."""

from __future__ import annotations

import pytest

from hubscan import families
from tests.families.audio import FAMILIES, rows_of
from tests.families.family import Family
from tests.families.made import Made
from tests.families.properties import features_are_right, layers_are_right, rows_are_independent

EACH = pytest.mark.parametrize(
    "family", FAMILIES, ids=lambda family: family.name.replace(" ", "-"), scope="module"
)


@EACH
def test_features_are_those_of_each_sound_alone(family: Family, made: Made) -> None:
    features_are_right(family, made(family), rows_of(family))


@EACH
def test_features_do_not_depend_on_the_other_sounds(
    family: Family, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_are_independent(family, made(family), rows_of(family), monkeypatch)


@EACH
def test_each_layer_is_that_of_each_sound_alone(family: Family, made: Made) -> None:
    layers_are_right(family, made(family), rows_of(family))


def test_every_type_that_the_listing_takes_for_audio_is_read_and_tested() -> None:
    listed = {name for name, family in families.FAMILIES.items() if "audio" in family.towers}
    assert {family.model_type for family in FAMILIES} == listed
