"""Read the modules and prompts that a sentence-transformers checkpoint declares, without running its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from hubscan.errors import CheckpointError
from hubscan.untrusted import bytes_of, json_of

PACKAGE: Final = "sentence_transformers."
CONFIG: Final = "config_sentence_transformers.json"


@dataclass(frozen=True)
class Module:
    """One step from a text to its vector."""

    kind: str  # a class of sentence-transformers, such as "Pooling", or the full name of another class
    folder: Path


@dataclass(frozen=True)
class Declaration:
    """All modules, and how texts are preprocessed. For other checkpoints, only the folder is set."""

    network: Path  # folder of config, weights and tokenizer
    modules: tuple[Module, ...] = ()
    max_length: int | None = None  # tokens of a text
    lower_case: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None  # a name among them
    width: int | None = None  # features are truncated to this width


def declaration(folder: Path) -> Declaration:
    """Return what the checkpoint in *folder* declares.

    Raises:
        CheckpointError: if a file is damaged, or if the first module is unsupported.
    """
    modules = _modules(folder)
    network = folder
    if modules:
        first = modules[0]
        if first.kind not in ("Transformer", "StaticEmbedding"):
            raise CheckpointError(
                f"unsupported sentence-transformers module {first.kind}; choose another checkpoint"
            )
        network = first.folder
    reading = next((stated(file) for file in sorted(network.glob("sentence_*_config.json"))), {})
    _refuse_other_outputs(reading)
    config = stated(folder / CONFIG)
    prompts = config.get("prompts")
    named = prompts.items() if isinstance(prompts, dict) else ()
    default = config.get("default_prompt_name")
    return Declaration(
        network,
        modules,
        _positive(reading.get("max_seq_length")),
        reading.get("do_lower_case") is True,
        {name: text for name, text in named if isinstance(text, str)},
        default if isinstance(default, str) else None,
        _positive(config.get("truncate_dim")),
    )


def stated(file: Path) -> dict[str, Any]:
    """Return the object in a JSON *file*, empty if there is no such file.

    Raises:
        CheckpointError: if its content is anything else.
    """
    content = _json(file) if file.exists() else {}
    if not isinstance(content, dict):
        raise CheckpointError(f"{file.name} is damaged: not a JSON object; download it again")
    return content


def _modules(folder: Path) -> tuple[Module, ...]:
    file = folder / "modules.json"
    if not file.exists():
        pooling = folder / "1_Pooling"
        there = (pooling / "config.json").exists()
        return (Module("Transformer", folder), Module("Pooling", pooling)) if there else ()
    listed = _json(file)
    try:
        entries = [(str(entry["type"]), str(entry["path"])) for entry in listed]
    except (TypeError, KeyError) as error:
        raise CheckpointError("modules.json is damaged: not a list of modules; download it again") from error
    return tuple(Module(_kind(name), _inside(folder, path)) for name, path in entries)


def _kind(name: str) -> str:
    return name.rpartition(".")[2] if name.startswith(PACKAGE) else name


def _inside(folder: Path, path: str) -> Path:
    asked = PurePosixPath(path)
    if asked.is_absolute() or ".." in asked.parts or "\\" in path:
        raise CheckpointError(f"modules.json names a folder outside the checkpoint: {path}; correct it")
    return folder / asked


def _refuse_other_outputs(reading: Mapping[str, Any]) -> None:
    """Refuse a network that is not called with `forward`, such as one that reads chat messages."""
    kinds = reading.get("modality_config")
    if not isinstance(kinds, dict):
        return
    text = kinds.get("text")
    method = text.get("method") if isinstance(text, dict) else None
    if method != "forward":
        raise CheckpointError(
            f"reads texts with {method or 'a chat template'}, which is not supported; choose another"
        )


def _json(file: Path) -> Any:
    try:
        return json_of(bytes_of(file))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file.name} is damaged: {error}; download it again") from error


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value is not True and value > 0 else None
