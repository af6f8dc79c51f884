"""The text encoder of every family, on a tiny random checkpoint each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import BertConfig, BertModel, T5EncoderModel, T5Model

from hubscan import encoders, extract
from hubscan.encoders.conventions import is_causal
from hubscan.errors import CheckpointError
from tests.families.family import Family
from tests.families.made import Made
from tests.families.properties import CLOSE, features_are_right, layers_are_right, rows_are_independent
from tests.families.text import BERT, FAMILIES, POSITIONS, ROWS, make

every_family = pytest.mark.parametrize("family", FAMILIES, ids=str, scope="module")


@every_family
def test_features_are_those_of_each_text_alone(family: Family, made: Made) -> None:
    features_are_right(family, made(family), ROWS)


@every_family
def test_features_do_not_depend_on_the_company(
    family: Family, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_are_independent(family, made(family), ROWS, monkeypatch)


@every_family
def test_layers_are_the_hidden_states(family: Family, made: Made) -> None:
    layers_are_right(family, made(family), ROWS)


@every_family
def test_the_side_of_the_padding_does_not_matter(family: Family, made: Made, tmp_path: Path) -> None:
    found = {}
    for side in ("left", "right"):
        folder = tmp_path / side
        folder.mkdir()
        for file in made(family).iterdir():
            (folder / file.name).symlink_to(file)
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").unlink()
        (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "padding_side": side}))
        found[side] = extract.extract(encoders.load(folder, "text"), ROWS, "cpu").matrix
    np.testing.assert_array_equal(found["left"], found["right"])


@every_family
def test_words_are_read_alike_in_any_company(
    family: Family, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences: list[Any] = [tuple(str(row).split()) for row in ROWS]
    places = np.array(
        [(row, word) for row, words in enumerate(sentences) for word in range(0, len(words), 9)]
    )
    encoder = encoders.load(made(family), "text", places=places)
    together = extract.extract(encoder, sentences, "cpu").matrix
    assert np.isfinite(together).all()
    monkeypatch.setattr(extract, "CPU_BATCH_TOKENS", 1)
    np.testing.assert_allclose(extract.extract(encoder, sentences, "cpu").matrix, together, atol=CLOSE)


def test_every_case_is_of_its_own_model_type_or_attention() -> None:
    assert len({(family.model_type, family.pooling) for family in FAMILIES}) == len(FAMILIES) > 100


def test_a_family_that_gives_no_features_here_is_refused(tmp_path: Path) -> None:
    config = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 48}
    make("mra", "<s> A </s>", {**config, "max_position_embeddings": POSITIONS}, tmp_path)
    with pytest.raises(CheckpointError, match="mra needs its own CUDA kernel"):
        encoders.load(tmp_path, "text")


def test_a_repository_that_holds_the_encoder_alone_is_read_like_the_whole(tmp_path: Path) -> None:
    family = next(family for family in FAMILIES if family.model_type == "t5")
    family.make(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "half")
    T5EncoderModel.from_pretrained(tmp_path / "whole").save_pretrained(tmp_path / "half")
    whole, half = (encoders.load(tmp_path / name, "text") for name in ("whole", "half"))
    counted = [encoders.parameters(encoder) for encoder in (whole, half)]
    assert counted[0] == counted[1] < T5Model.from_pretrained(tmp_path / "whole").num_parameters()
    found = [extract.extract(encoder, ROWS, "cpu").matrix for encoder in (whole, half)]
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("is_decoder", "alike", "causal"), [(True, False, True), (False, False, False), (True, True, False)]
)
def test_causal_is_what_is_seen_to_be(is_decoder: bool, alike: bool, causal: bool) -> None:
    model = BertModel(BertConfig(vocab_size=20, **BERT, is_decoder=is_decoder)).eval()
    if alike:
        model.embeddings.word_embeddings.weight.data.zero_()
    assert is_causal(model) is causal
