"""Addresses of pages on the Hub, copied from a browser, stand for the ids of their repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubscan import recipe
from hubscan.errors import RecipeError

MODELS = {
    "https://huggingface.co/BAAI/bge-small-en-v1.5": "BAAI/bge-small-en-v1.5",
    "https://huggingface.co/BAAI/bge-small-en-v1.5/": "BAAI/bge-small-en-v1.5",
    "https://huggingface.co/bert-base-uncased?library=transformers": "bert-base-uncased",
    "https://hf.co/org/name/tree/v1.0#usage": "org/name@v1.0",
    "hf://org/name@abc123": "org/name@abc123",
    " org/name ": "org/name",
    "org/name@refs/pr/1": "org/name@refs/pr/1",
    "https://huggingface.co/org/name/blob/main/config.json": "https://huggingface.co/org/name/blob/main/config.json",
    "https://huggingface.co/datasets/org/name": "https://huggingface.co/datasets/org/name",
    "https://huggingface.co/models": "https://huggingface.co/models",
}
DATASETS = {
    "https://huggingface.co/datasets/stanfordnlp/imdb": ("stanfordnlp/imdb", None),
    "https://huggingface.co/datasets/imdb/": ("imdb", None),
    "https://huggingface.co/datasets/org/name/tree/refs%2Fconvert%2Fparquet": (
        "org/name",
        "refs/convert/parquet",
    ),
    "hf://datasets/org/name@abc": ("org/name", "abc"),
    "imdb\u00a0": ("imdb", None),
    "hf://datasets/org/name/data/train.parquet": ("hf://datasets/org/name/data/train.parquet", None),
    "https://huggingface.co/datasets/org/name/resolve/main/a.csv": (
        "https://huggingface.co/datasets/org/name/resolve/main/a.csv",
        None,
    ),
    "https://example.org/a/b": ("https://example.org/a/b", None),
}


@pytest.mark.parametrize("given", MODELS)
def test_the_page_of_a_model_is_its_id(given: str) -> None:
    assert recipe.resolve({"models": [given]}).models == (MODELS[given],)
    assert recipe.resolve({"models": given}).models == (MODELS[given],)


@pytest.mark.parametrize("given", DATASETS)
def test_the_page_of_a_dataset_is_its_id_and_revision(given: str) -> None:
    read = recipe.resolve({"dataset": given})
    assert (read.dataset, read.revision) == DATASETS[given]


def test_a_revision_that_was_given_wins_and_a_path_stays_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "https://huggingface.co/datasets/org/name/tree/v1"
    assert recipe.resolve({"dataset": page, "revision": "v2"}).revision == "v2"
    monkeypatch.chdir(tmp_path)
    (tmp_path / " spaced ").mkdir()
    assert recipe.resolve({"dataset": " spaced "}).dataset == " spaced "
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example/")
    assert recipe.resolve({"models": "https://hub.example/org/name"}).models == ("org/name",)


def test_a_name_that_is_not_utf_8_and_a_wrong_separator_or_color_are_one_line() -> None:
    with pytest.raises(RecipeError, match="dataset: is not valid UTF-8; rename the file"):
        recipe.resolve({"dataset": "caf\udce9.csv"})
    with pytest.raises(RecipeError, match="separator: should be one character, or tab, got ';;'"):
        recipe.resolve({"separator": ";;"})
    with pytest.raises(
        RecipeError, match="background: should be a color such as white, or #rrggbb, got '#12'"
    ):
        recipe.resolve({"background": "#12"})
