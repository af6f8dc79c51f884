from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hubscan"

STAGES = [
    "errors", "trust", "records", "families", "recipe", "pictures", "sounds", "memory", "hub", "remote", "remote_stream", "architectures", "torchvision", "usable",
    "catalog", "fetch",
    "sample_file", "sample", "encoders", "extract", "cache", "scores", "ranking", "fusion", "assess", "finetune", "engines", "run",
    "rescore", "verdict", "verified", "scan", "verify", "api", "report",
    "publish", "demo", "cli",
]  # fmt: skip
"""Rooms from the front of the data flow to its end: a room knows those before it, none behind it."""

EXCEPTIONS = {
    ("records", "report"),  # a Ranking prints itself; imported when it does
    ("report", "run"),  # a card is made from a whole run
}

KEEPERS = {
    "datasets": {"sample"},
    "transformers": {"encoders"},
    "accelerate": {"extract", "finetune"},
    "huggingface_hub": {
        "hub",
        "remote",
        "remote_stream",
        "fetch",
        "catalog",
        "scan",
        "publish",
        "report",
        "cli",
    },
    "pydantic": {"cache", "recipe", "run", "sample_file", "engines"},
    "click": {"cli"},
    "PIL": {"pictures", "api"},
    "soundfile": {"sounds"},
    "soxr": {"sounds"},
    "starlette": {"demo"},
    "onnx": {"demo"},
    "jinja2": {"report"},
}
"""Which rooms may import a library; the demo's builder, which makes what others read, may import any."""


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "hubscan":
                yield from (f"hubscan.{name.name}" for name in node.names)
            yield node.module


FILES = [file for file in sorted(PACKAGE.rglob("*.py")) if room(file) not in ("__init__", "__main__")]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_no_room_imports_one_behind_it(file: Path) -> None:
    here = room(file)
    assert here in STAGES, f"{here} has no place in the flow of the data"
    for name in imports(file):
        target = name.split(".")[1] if name.startswith("hubscan.") else None
        if target in STAGES and target != here and (here, target) not in EXCEPTIONS:
            assert STAGES.index(target) < STAGES.index(here), f"{here} imports {target}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_a_library_is_known_to_its_rooms_alone(file: Path) -> None:
    if room(file) == "demo":
        return
    for name in imports(file):
        keepers = KEEPERS.get(name.split(".")[0])
        assert keepers is None or room(file) in keepers, f"{room(file)} imports {name}"


def test_the_records_and_errors_import_nothing_but_the_standard_library() -> None:
    standard = sys.stdlib_module_names
    files = {file: {"numpy", "pandas", "hubscan"} for file in (PACKAGE / "records").glob("*.py")}
    assert files, "the records moved"
    for file, allowed in [*files.items(), (PACKAGE / "errors.py", set())]:
        assert {module.split(".")[0] for module in imports(file)} - set(standard) <= allowed
