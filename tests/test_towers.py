"""Both towers of a dual encoder: each gives what its contrastive head projects, and both are ranked."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import jsonschema
import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from hubscan import encoders, extract
from hubscan.records import Candidate, Input, Skipped
from hubscan.report.human import as_text
from hubscan.report.json_form import as_json
from tests.families.image import EFFICIENT, FLAVA, GROUPS, NAFLEX, VIT, picture
from tests.families.image import make as write_checkpoint
from tests.families.properties import APART, CLOSE
from tests.families.text import POSITIONS, WORDS, write_tokenizer
from tests.families.towers import TWO_TOWERS
from tests.hub import LabHub
from tests.hub.fixtures import command
from tests.support.commands import SCHEMA
from tests.support.rankings import BGE, COMMIT, make_run, ranking, scored

TEXT: Final = {
    **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48},
    **{"vocab_size": len(WORDS), "max_position_embeddings": POSITIONS},
    **{"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3},
}
VISION: Final[Mapping[str, Mapping[str, Any]]] = {
    "align": EFFICIENT,
    "groupvit": GROUPS["vision_config"],
    "siglip2": NAFLEX,
}
MARKS: Final = {"siglip": "A </s>", "siglip2": "A </s>"}
OTHERWISE: Final[Mapping[tuple[str, str], str]] = {
    ("blip", "image"): "norms the class token twice; its retrieval head, which was trained, once",
    ("blip", "text"): "reads a pooler as BERT has it; its retrieval head, which was trained, the first token",
    ("owlvit", "text"): "takes the highest number for the end, which it is in the vocabulary of CLIP",
    ("owlv2", "text"): "as OWL-ViT",
}
"""Where `get_text_features` and its like in transformers read something else than was trained."""
TEXTS: Final[list[Input]] = ["warm bright good", "a", "dull cold warm warm a"]
PICTURES: Final[list[Input]] = [picture(0), picture(1), picture(2, 64, 30)]


def make(model_type: str, folder: Path) -> None:
    """Write a tiny dual encoder, its tokenizer and its image processor."""
    text = {**TEXT, "project_dim": 32} if model_type == "altclip" else TEXT
    config = {"text_config": text, "vision_config": VISION.get(model_type, VIT), "projection_dim": 24}
    if model_type == "flava":
        config = {**FLAVA, "text_config": TEXT, "projection_dim": 24, "hidden_size": 32}
    naflex = {"image_processor_type": "Siglip2ImageProcessor", "patch_size": 8, "max_num_patches": 16}
    write_checkpoint(model_type, config, naflex if model_type == "siglip2" else {}, folder)
    write_tokenizer(folder, MARKS.get(model_type, "<s> A </s>"))


def projected(model: Any, modality: str, vectors: torch.Tensor) -> torch.Tensor:
    """Return *vectors* behind the projection that the contrastive loss saw them through."""
    names = ("text_projection",) if modality == "text" else ("visual_projection", "image_projection")
    heads = (getattr(model, name, None) for name in names)
    head = next((head for head in heads if isinstance(head, torch.nn.Module)), torch.nn.Identity())
    out: torch.Tensor = head(vectors)
    return out


def contrasted(model: Any, folder: Path, modality: str, row: Input) -> torch.Tensor:
    """Return what transformers holds the towers to each other by, (1, width)."""
    if modality == "text":
        fills = model.config.model_type in MARKS
        how = {"padding": "max_length", "max_length": POSITIONS} if fills else {}
        # SigLIP's texts were padded behind; what the class of SigLIP 2's tokenizer says is Gemma's.
        tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="right")
        read = tokenizer(row, return_tensors="pt", **how)
        given = {"input_ids": read["input_ids"]} if fills else read
        given = {name: given[name] for name in ("input_ids", "attention_mask") if name in given}
        output = model.get_text_features(**given)
    else:
        assert isinstance(row, bytes)
        processor = AutoImageProcessor.from_pretrained(folder)
        output = model.get_image_features(**processor(Image.open(io.BytesIO(row)), return_tensors="pt"))
    found: torch.Tensor = output.pooler_output
    return found[:, 0] if found.ndim == 3 else found  # FLAVA's of all states


@pytest.mark.parametrize("model_type", TWO_TOWERS)
def test_each_tower_gives_what_its_contrastive_head_projects(model_type: str, tmp_path: Path) -> None:
    make(model_type, tmp_path)
    model = AutoModel.from_pretrained(tmp_path, dtype=torch.float32, attn_implementation="eager").eval()
    vectors = {}
    for modality, rows in (("text", TEXTS), ("image", PICTURES)):
        found = extract.extract(encoders.load(tmp_path, modality), rows, "cpu").matrix  # type: ignore[arg-type]
        assert float(np.ptp(found, axis=0).max()) > APART
        with torch.no_grad():
            expected = torch.cat([contrasted(model, tmp_path, modality, row) for row in rows])
            ours = projected(model, modality, torch.from_numpy(found))
        vectors[modality] = found
        if (model_type, modality) in OTHERWISE:
            continue
        np.testing.assert_allclose(ours.numpy(), expected.numpy(), atol=10 * CLOSE)
    assert not np.array_equal(vectors["text"], vectors["image"])


@pytest.mark.slow
def test_both_towers_are_ranked_and_told_apart(own_hub: LabHub, tmp_path: Path) -> None:
    make("clip", tmp_path / "clip")
    files = {file.name: file.read_bytes() for file in (tmp_path / "clip").iterdir()}
    own_hub.commit("models", "tester/clip", files)
    run = partial(command, own_hub, tmp_path)
    data = ("--dataset", "tester/captioned", "--samples", "60", "--device", "cpu", "--fuse")
    done = run("rank", *data, "--model", "tester/clip", "--model", "tester/seeing-bert", "--run", "run")
    answer = json.loads(done)
    found = {(entry["model"], entry["modality"]) for entry in answer["ranking"]}
    pair = ("tester/clip", "image"), ("tester/clip", "text"), ("tester/seeing-bert", "text")
    assert {*pair} < found and len(found) == 4
    first = next(entry for entry in answer["ranking"] if entry["modality"] == "image+text")
    assert "tester/clip" in first["model"]
    lines = (tmp_path / "run/results.jsonl").read_text().splitlines()
    (tmp_path / "run/results.jsonl").write_text("".join(f"{line}\n" for line in lines[:1]))
    again = json.loads(run("rank", "--run", "run", "--resume"))
    assert [entry["model"] for entry in again["ranking"]] == [entry["model"] for entry in answer["ranking"]]
    shown = run("show", "run", form="markdown")
    assert "tester/clip (image)" in shown and "tester/clip (text)" in shown
    assert json.loads(run("score", "run", "--metric", "logme"))["ranking"]
    verified = json.loads(run("verify", "run", "--top", "4", "--device", "cpu", "--how", "head"))
    assert {(one["model"], one["modality"]) for one in verified["tuned"]} == {*pair}
    page = run("show", "run", form="markdown")
    assert "tester/clip (image)" in page and "tester/clip (text)" in page


def test_a_dual_encoder_is_listed_for_each_modality_of_the_data(own_hub: LabHub, tmp_path: Path) -> None:
    make("siglip", tmp_path / "siglip")
    files = {file.name: file.read_bytes() for file in (tmp_path / "siglip").iterdir()}
    files["README.md"] = b"---\npipeline_tag: zero-shot-image-classification\n---\n"
    own_hub.commit("models", "tester/siglip", files)

    def listed(*modalities: str) -> list[str]:
        chosen = [f"--modality={modality}" for modality in modalities]
        rows = json.loads(command(own_hub, tmp_path, "search", *chosen, "--limit", "50"))
        return [row["modality"] for row in rows if row["model"] == "tester/siglip"]

    assert sorted(listed("image", "text")) == ["image", "text"]
    assert (listed("image"), listed("text")) == (["image"], [])


def test_towers_of_one_checkpoint_are_told_apart_wherever_they_are_named(tmp_path: Path) -> None:
    images = scored("a/clip", 1.0, modality="image", tower=True)
    seeing = images.candidate
    assert isinstance(seeing, Candidate)
    texts = replace(seeing, modality="text")
    skipped = Skipped("a/clip", COMMIT, "load", "broken", texts.only)
    shown = ranking([images, scored("a/clip", 1.1, modality="text", tower=True), BGE])
    assert [entry.name for entry in shown] == ["BAAI/bge-small-en-v1.5", "a/clip (text)", "a/clip (image)"]
    assert shown[2].tied_with == ("BAAI/bge-small-en-v1.5", "a/clip (text)")
    answer = json.loads(as_json(ranking([images, skipped])))
    jsonschema.validate(answer, SCHEMA)
    assert answer["skipped"] == [{"model": "a/clip", "modality": "text", "stage": "load", "reason": "broken"}]
    assert "a/clip (text)" in as_text(ranking([images, skipped]))
    run = make_run(tmp_path / "run", [images])
    lock = replace(run.lock, candidates=(seeing, texts))
    assert replace(run, lock=lock).unfinished() == [texts]
    run.append(skipped)
    assert replace(run, lock=lock).unfinished() == []
