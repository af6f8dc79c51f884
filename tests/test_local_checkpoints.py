"""Checkpoints in local folders: which names mean a folder, and what their files say of licence and size."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hubscan.hub import listing
from hubscan.hub.local_facts import license_in, parameters_in
from hubscan.records import Candidate, Query, Skipped


def weights(file: Path, **shapes: tuple[int, ...]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, file)


def header(file: Path, content: bytes, length: int | None = None) -> None:
    file.write_bytes(struct.pack("<Q", len(content) if length is None else length) + content)


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["./berd", "/nowhere/berd", "~/no-such-folder-here", "a/b/c", "my model", "a//b", "b\0c", "x" * 5000],
)
def test_a_name_that_is_no_folder_and_cannot_be_an_id_is_no_such_folder(name: str) -> None:
    (skipped,) = listing.named([name], Query(), "text")
    assert isinstance(skipped, Skipped) and skipped.reason.startswith("no such folder")


def test_a_mistyped_folder_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "my-bert").mkdir()
    (tmp_path / "my-berd.txt").touch()
    (skipped,) = listing.named([f"{tmp_path}/my-berd"], Query(), "text")
    assert isinstance(skipped, Skipped)
    assert skipped.reason == f"no such folder; did you mean {tmp_path}/my-bert?"


def test_a_file_is_not_called_missing(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    weights(file, a=(2,))
    (skipped,) = listing.named([str(file)], Query(), "text")
    assert isinstance(skipped, Skipped) and skipped.reason.startswith("not a folder")


def test_a_candidate_in_a_folder_has_its_licence_and_size(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    weights(tmp_path / "model.safetensors", a=(3, 4), b=(5,))
    (candidate,) = listing.named([str(tmp_path)], Query(), "text")
    assert isinstance(candidate, Candidate)
    assert (candidate.license, candidate.parameters) == ("mit", 17)


# -- licence -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("card", "license"),
    [
        ("---\nlicense: apache-2.0\ntags: [a]\n---\ntext", "apache-2.0"),
        ("---\r\nlicense: mit\r\n---\r\n", "mit"),
        ("---\nlicense: other\nlicense_name: llama3\n---\n", "llama3"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\nlicense: mit\nlicense_name: llama3\n---\n", "mit"),
        ("---\nlicense: [mit]\n---\n", "mit"),
        ("# No front matter\n\nlicense: mit\n", None),
        ("---\ntags: []\n---\n", None),
        ("---\nlicense: [mit\n---\n", None),
        ("---\nlicense: {a: b}\n---\n", None),
        ("---\n- mit\n---\n", None),
        ("---\nlicense: !!python/object/apply:os.system [true]\n---\n", None),
        ("---\nlicense: 2026-99-99\n---\n", None),
        ('---\nlicense: "\\e[31mred"\n---\n', None),
        (f"---\nlicense: {'x' * 1000}\n---\n", None),
        (f"---\nlicense: {'[' * 20_000}\n---\n", None),
        (f"---\nfiller: {'x' * 100_000}\nlicense: mit\n---\n", None),
    ],
)
def test_the_licence_is_in_the_front_matter_of_the_card(
    tmp_path: Path, card: str, license: str | None
) -> None:
    (tmp_path / "README.md").write_bytes(card.encode())
    assert license_in(tmp_path) == license


def test_without_a_readable_card_there_is_no_licence(tmp_path: Path) -> None:
    assert license_in(tmp_path) is None
    (tmp_path / "README.md").write_bytes(b"\xff\xfe\0")
    assert license_in(tmp_path) is None
    (tmp_path / "README.md").unlink()
    os.mkfifo(tmp_path / "README.md")
    assert license_in(tmp_path) is None


# -- size ----------------------------------------------------------------------------------------


def test_the_size_is_the_sum_over_the_tensors(tmp_path: Path) -> None:
    weights(tmp_path / "model.safetensors", a=(3, 4), b=(), c=(0, 7))
    assert parameters_in(tmp_path) == 13


def test_of_shards_those_in_the_index_count(tmp_path: Path) -> None:
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    weights(tmp_path / first, a=(3, 4))
    weights(tmp_path / second, b=(5,), c=(2,))
    weights(tmp_path / "model-00001-of-00001.safetensors", old=(100,))
    index = {"weight_map": {"a": first, "b": second, "c": second}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert parameters_in(tmp_path) == 19


def test_the_network_of_sentence_transformers_may_have_a_folder_of_its_own(tmp_path: Path) -> None:
    weights(tmp_path / "0_Transformer/model.safetensors", a=(3, 4))
    assert parameters_in(tmp_path) == 12


@pytest.mark.parametrize(
    "index",
    [
        b"{",
        b"[]",
        b'{"weight_map": 1}',
        b'{"weight_map": {"a": "../x.safetensors"}}',
        b'{"weight_map": {"a": "n"}}',
    ],
)
def test_of_a_damaged_index_the_size_is_unknown(tmp_path: Path, index: bytes) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    weights(tmp_path / "x.safetensors", a=(3, 4))
    (folder / "model.safetensors.index.json").write_bytes(index)
    assert parameters_in(folder) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff{}",
        b"[" * 100_000,
        b'{"a": {}}',
        b'{"a": {"shape": "ab"}}',
        b'{"a": {"shape": [true]}}',
        b'{"a": {"shape": [-3]}}',
        b'{"a": {"shape": [1000000, 1000000]}}',  # more than the file has bits for
        b'{"a": {"shape": [' + b"9" * 5000 + b"]}}",
        b'{"a": {"shape": [' + b"1," * 50 + b"1]}}",
    ],
)
def test_of_a_damaged_header_the_size_is_unknown(tmp_path: Path, content: bytes) -> None:
    header(tmp_path / "model.safetensors", content)
    assert parameters_in(tmp_path) is None


def test_a_header_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    header(tmp_path / "model.safetensors", b"{}", length=2**63)
    assert parameters_in(tmp_path) is None
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    assert parameters_in(tmp_path) is None
    (tmp_path / "model.safetensors").unlink()
    assert parameters_in(tmp_path) is None
