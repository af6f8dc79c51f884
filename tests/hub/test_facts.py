"""The facts that the listing derives from the files of a repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hubscan.demo.hub.facts import Facts, describe


def facts_of(folder: Path, kind: str = "models", **files: object) -> Facts:
    """Describe files given by name, with `_` for the dot; text is written as is, everything else as JSON."""
    placed = {}
    for name, content in files.items():
        path = name.replace("_", ".", 1)
        placed[path] = folder / path
        placed[path].write_text(content if isinstance(content, str) else json.dumps(content))
    return describe(kind, placed)


CARD = """---
license: mit
language: [en, de]
datasets: [stanfordnlp/imdb]
base_model: google-bert/bert-base-uncased
tags: [sentiment]
date: 2026-11-01
---
# A model
"""
BERT = {"model_type": "bert", "architectures": ["BertForSequenceClassification"], "vocab_size": 9}


def test_tags_come_from_the_card_and_from_the_files(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, README_md=CARD, config_json=BERT, model_safetensors="")
    assert facts.tags == (
        "transformers",
        "safetensors",
        "bert",
        "text-classification",
        "sentiment",
        "en",
        "de",
        "license:mit",
        "dataset:stanfordnlp/imdb",
        "base_model:google-bert/bert-base-uncased",
        "base_model:finetune:google-bert/bert-base-uncased",
    )
    assert facts.config == {key: BERT[key] for key in ("architectures", "model_type")}
    assert (facts.card or {})["date"] == "2026-11-01"


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("BertModel", "feature-extraction"),
        ("BertForMaskedLM", "fill-mask"),
        ("ViTForImageClassification", "image-classification"),
    ],
)
def test_the_head_gives_the_task(tmp_path: Path, architecture: str, task: str) -> None:
    config = {"model_type": "any", "architectures": [architecture]}
    assert facts_of(tmp_path, config_json=config).pipeline_tag == task


def test_the_card_outranks_the_files(tmp_path: Path) -> None:
    card = "---\npipeline_tag: sentence-similarity\nlibrary_name: timm\n---\n"
    facts = facts_of(tmp_path, README_md=card, config_json=BERT)
    assert (facts.pipeline_tag, facts.library_name) == ("sentence-similarity", "timm")


def test_modules_make_it_a_sentence_transformer(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, config_json=BERT, modules_json=[])
    assert (facts.pipeline_tag, facts.library_name) == (
        "sentence-similarity",
        "sentence-transformers",
    )


def test_own_code_is_tagged(tmp_path: Path) -> None:
    assert "custom_code" in facts_of(tmp_path, config_json={**BERT, "auto_map": {}}).tags


def test_damaged_files_leave_their_facts_out(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path,
        README_md="---\n[unclosed\n---\n",
        config_json='{"model_type":',
        model_safetensors="\x10\0\0\0\0\0\0\0not json",
    )
    assert facts == Facts(None, None, None, None, None, ("safetensors",))


def test_parameters_are_counted_over_all_shards(tmp_path: Path) -> None:
    files = {}
    for number, dtype in ((1, "F32"), (2, "BF16")):
        header = {"__metadata__": {}, "a": {"dtype": dtype, "shape": [3, 4]}}
        header["scalar"] = {"dtype": "F32", "shape": []}
        text = json.dumps(header).encode()
        path = f"model-{number:05}-of-00002.safetensors"
        files[path] = tmp_path / path
        files[path].write_bytes(len(text).to_bytes(8, "little") + text)
    assert describe("models", files).safetensors == {
        "parameters": {"F32": 14, "BF16": 12},
        "total": 26,
    }


def test_a_dataset_has_prefixed_languages(tmp_path: Path) -> None:
    card = "---\nlanguage: en\nlicense: mit\ntask_categories: [text-classification]\n---\n"
    facts = facts_of(tmp_path, "datasets", README_md=card)
    assert facts.tags == ("language:en", "license:mit", "task_categories:text-classification")
