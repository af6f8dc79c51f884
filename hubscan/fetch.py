"""A candidate in, its folder on this disk out: safetensors and what is needed to read inputs, nothing else.

The only downloader of checkpoints.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huggingface_hub import snapshot_download

from hubscan import __version__
from hubscan.errors import CheckpointError
from hubscan.hub import explained, patient
from hubscan.records import Candidate

WANTED: Final = (
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-?????-of-?????.safetensors",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "*.model",
    "spm*",
    "bpe.codes",
    "modules.json",
    "sentence_*_config.json",
    "config_sentence_transformers.json",
    *(
        f"[0-9]*_*/{name}"
        for name in ("*config.json", "model.safetensors", "tokenizer*", "special_tokens_map.json", "vocab*")
    ),
    "[0-9]*_*/merges.txt",
)
"""Files of a repository's root, and of the modules of sentence-transformers (`1_Pooling`, `2_Dense`,
`0_Transformer`): variants in other folders (onnx, openvino, fp16 copies) would cost many times the bytes
and are never read."""


IN_FOLDER: Final = "0_*/model.safetensors"  # weights, where a repository keeps its network in a folder


@dataclass(frozen=True, slots=True)
class Fetched:
    """A checkpoint's folder, and what it took to get it."""

    folder: Path
    download_bytes: int


def fetch(candidate: Candidate) -> Fetched:
    """Return the folder of *candidate* at its commit, from the client's cache or the Hub.

    Raises:
        HubError: if the Hub cannot be reached or refuses.
        CheckpointError: if the repository holds no config or no safetensors weights.
    """
    if candidate.local:
        folder, arrived = Path(candidate.model).expanduser(), 0
    else:
        folder, arrived = _downloaded(candidate)
    modules = (folder / "modules.json").exists()  # of which the first may have its files in a folder
    if not modules and not (folder / "config.json").exists():
        raise CheckpointError("no config.json, so transformers cannot tell what it is")
    if not any(folder.glob("model*.safetensors")) and not (modules and any(folder.glob(IN_FOLDER))):
        raise CheckpointError("no safetensors weights")
    return Fetched(folder, arrived)


def _downloaded(candidate: Candidate) -> tuple[Path, int]:
    begun = time.time()
    with explained(candidate.model):
        folder = patient(
            lambda: snapshot_download(
                candidate.model,
                revision=candidate.revision,
                allow_patterns=list(WANTED),
                ignore_patterns=["[!0-9]*/*.model", "*/*/*"],
                library_name="hubscan",
                library_version=__version__,
            )
        )
    # Weights may come over another client than the one whose traffic can be counted (Xet), so the
    # files that were written are counted instead; those in the cache before are older.
    written = (file.stat() for file in Path(folder).rglob("*") if file.is_file())
    return Path(folder), sum(file.st_size for file in written if file.st_mtime >= begun)
