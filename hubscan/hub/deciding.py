"""Which files of a checkpoint decide its features: those to download, and to hash for a folder's revision.

Everything that the encoders open is here, and each name also stands for the same file in the folder of a
module of sentence-transformers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, Final

from hubscan.errors import CheckpointError
from hubscan.untrusted import Malformed, bytes_of, json_of

CONFIGS: Final = (
    *("config.json", "config.*.json"),  # the latter for a certain version of transformers
    *("preprocessor_config.json", "processor_config.json"),
    *("modules.json", "sentence_*_config.json", "config_sentence_transformers.json"),
)
TOKENIZERS: Final = (
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "tekken.json"),
    *("vocab*.json", "vocab*.txt", "vocab.bpe", "*vocab.json", "merges.txt", "bpe.codes", "dict.txt"),
    *("*.model", "*.spm", "*.tiktoken", "*.tokenizer"),
    *("word_shape.json", "word_pronunciation.json", "emoji.json", "byte_maps.json", "normalizer.json"),
)
WEIGHTS: Final = ("model.safetensors", "model.safetensors.index.json", "model-?????-of-?????.safetensors")
OTHER_WEIGHTS: Final = ("*.safetensors", "*.safetensors.index.json")
"""Of a folder, all count; of a repository, variants in other precisions would cost many times the bytes."""

NAMES: Final = (*CONFIGS, *TOKENIZERS, *WEIGHTS)
NUMBERED: Final = "[0-9]*_*"  # `0_Transformer`, `1_Pooling`: modules, also if modules.json names others
INDEX, MODULES = "model.safetensors.index.json", "modules.json"
LARGEST_JSON: Final = 2**25  # bytes
NAMED_WEIGHTS: Final = "transformers_weights"  # a key of config.json: another file than those


def wanted(folder: Path) -> tuple[list[str], list[str]]:
    """Return the patterns of files to download, and of those among them to leave out.

    modules.json, if there is one, must be in *folder* already. The asterisk of the Hub's client also stands
    for a slash, so without the second list "*.model" would fetch the files of other folders (onnx, openvino).
    """
    modules = module_folders(folder)
    wanted = [*NAMES, *(f"{module}/{name}" for module in (NUMBERED, *modules) for name in NAMES)]
    named = _inside(_object(folder / "config.json").get(NAMED_WEIGHTS))
    wanted += [named] if named else []
    unwanted = [] if any("/" in module for module in modules) else ["*/*/*"]
    if all(fnmatch(module, NUMBERED) for module in modules):
        unwanted += [f"[!0-9]*/{name}" for name in NAMES if name.startswith("*")]
    return wanted, unwanted


def bases(folder: Path) -> list[Path]:
    """Return *folder* and those of its modules."""
    return [folder, *sorted(folder.glob(NUMBERED)), *(folder / module for module in module_folders(folder))]


def deciding_files(folder: Path, *, variants: bool = True) -> dict[str, Path]:
    """Return the files in *folder* that decide its features, by their paths relative to it, sorted.

    Folders that only look like such files, and whatever lies in other folders, do not count. Nor do, without
    *variants*, weights that neither have the usual name nor are named by an index or a config.

    Raises:
        CheckpointError: if one of them is a broken link, or a device or pipe, which reading could block.
    """
    places = bases(folder)
    names = (*NAMES, *OTHER_WEIGHTS) if variants else NAMES
    found = {file for base in places for name in names for file in base.glob(name)}
    found.update(file for base in places for file in _named_weights(base))
    files = {file.relative_to(folder).as_posix(): file for file in found if not file.is_dir()}
    for name, file in files.items():
        if not file.exists():
            raise CheckpointError(f"{name} is a broken link; copy the file itself into the folder")
        if not file.is_file():
            raise CheckpointError(f"{name} is not a regular file; copy the file itself into the folder")
    return dict(sorted(files.items()))


def has_weights(folder: Path) -> bool:
    """Return whether weights of a network are in *folder*, or in the folder of one of its modules."""
    return any(
        any(base.glob("model.safetensors"))
        or any(base.glob("model-*.safetensors"))
        or any(_named_weights(base))
        for base in bases(folder)
    )


def content_of(folder: Path) -> str:
    """Return the hash of the names and contents of the deciding files: the revision of a local checkpoint.

    Raises:
        CheckpointError: if one of them cannot be read.
    """
    digest = hashlib.sha256()
    for name, file in deciding_files(folder).items():
        try:
            with file.open("rb") as opened:
                content = hashlib.file_digest(opened, "sha256").digest()
        except OSError as error:
            raise CheckpointError(
                f"{name} cannot be read ({error.strerror}); check its permissions"
            ) from error
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + content)
    return f"sha256:{digest.hexdigest()}"


def module_folders(folder: Path) -> list[str]:
    """Return the folders inside *folder* that its modules.json names; loading reports a damaged one."""
    listed = _json(folder / MODULES)
    paths = (
        [entry.get("path") for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    )
    inside = (path for path in map(_inside, paths) if path)
    return [*dict.fromkeys(inside)]


def _named_weights(base: Path) -> Iterator[Path]:
    """Yield the files of weights in *base* that an index or its config names, wherever they are inside."""
    named = _inside(_object(base / "config.json").get(NAMED_WEIGHTS))
    indices = [base / INDEX]
    if named and named.endswith((".safetensors", ".safetensors.index.json")):
        yield from (file for file in [base / named] if file.exists())
        indices.append(base / named)
    for index in indices:
        if index.name.endswith(".json"):
            yield from (file for file in _in_index(index) if file.exists())


def _in_index(index: Path) -> Iterable[Path]:
    shards = _object(index).get("weight_map")
    named = set(map(_inside, shards.values())) if isinstance(shards, dict) else set()
    # Others are refused before the checkpoint is loaded, so they decide nothing.
    return [index.parent / name for name in sorted(filter(None, named)) if name.endswith(".safetensors")]


def _inside(path: object) -> str | None:
    """Return *path* in its shortest form, or None unless it is relative and stays in its folder."""
    if not isinstance(path, str) or "\\" in path or "\0" in path:
        return None
    parts = PurePosixPath(path)
    return None if parts.is_absolute() or ".." in parts.parts or not parts.parts else str(parts)


def _object(file: Path) -> dict[str, Any]:
    content = _json(file)
    return content if isinstance(content, dict) else {}


def _json(file: Path) -> Any:
    try:
        return json_of(bytes_of(file, most_bytes=LARGEST_JSON), most_bytes=LARGEST_JSON)
    except (OSError, Malformed):
        return None
