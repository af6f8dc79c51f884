"""The errors that hubscan raises about data and checkpoints, from its source, for docs/errors.md.

python -m tests.support.error_catalogue        # updates the page
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import hubscan
from hubscan.hub import eligibility
from hubscan.sample import label_codes

PACKAGE: Final = Path(hubscan.__file__).parent
PAGE: Final = PACKAGE.parent / "docs" / "errors.md"
REASONS: Final = ("Unusable", "ImageError", "AudioError")  # by which dropped rows are counted
KINDS: Final = ("DatasetError", "NotClasses", "CheckpointError", *REASONS)
NAMES: Final = {
    "listed": "COLUMNS",
    "self._name": "FILE",
    "name": "FILE",
    "path": "FILE",
    "self.name": "FILE",
}
OTHER_COLUMN: Final = "pass another --label-column"  # which the class adds to its message
HEAD: Final = """# Errors

<!-- Generated from the source: python -m tests.support.error_catalogue -->

Every error is one line that names the place, what was found there, and what to do. Words in capitals stand for names
and values of your data. Exit codes: 1 for an error, 2 for a wrong option or recipe, 3 with `--fail-on skipped`.

## Data
"""
DROPPED: Final = """
## Dropped rows

Rows that cannot be used are replaced by others of their class, and counted by one of these reasons:
"""
SKIPPED: Final = """
## Skipped checkpoints

A checkpoint that cannot be used is skipped, and the others are ranked. The ranking lists it with one of these reasons:
"""


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception with a message of its own."""

    kind: str
    module: str  # path in the package
    line: int
    message: str | None  # with placeholders in capitals; None if it is not written at the raise

    @property
    def place(self) -> str:
        """Return where it is raised."""
        return f"{self.module}:{self.line}"


def raised_in(*folders: str) -> Iterator[Raised]:
    """Yield the errors that the modules in *folders* of the package raise, in the order of the source."""
    for folder in folders:
        place = PACKAGE / folder
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            module = str(file.relative_to(PACKAGE))
            tree = ast.parse(file.read_text(encoding="utf-8"))
            calls = sorted((n for n in ast.walk(tree) if isinstance(n, ast.Call)), key=lambda n: n.lineno)
            for call in calls:
                if kind := _kind(call):
                    parts = [_text(part, module) for part in call.args]
                    message = f"WHERE: {parts[1]}; {OTHER_COLUMN}" if kind == "NotClasses" else parts[0]
                    yield Raised(kind, module, call.lineno, message)


def page() -> str:
    """Return docs/errors.md."""
    reasons = {raised.message for raised in raised_in("sample", "media") if raised.kind in REASONS}
    return (
        HEAD
        + _listed({raised.message for raised in raised_in("sample") if raised.kind not in REASONS})
        + DROPPED
        + _listed(reasons | {label_codes.MISSING, label_codes.UNKNOWN})
        + SKIPPED
        + _listed({r.message for r in raised_in(*CHECKPOINTS) if r.kind == "CheckpointError"} | _by_config())
    )


def _by_config() -> set[str | None]:
    """Return the reasons that tables give for what a checkpoint's listing or config states."""
    tables = (eligibility.TAGS, eligibility.LIBRARIES, eligibility.OTHER_WEIGHTS)
    purposes = {*eligibility.FOR_OTHER_TASKS.values(), *eligibility.FOR_IMAGES.values()}
    reasons: set[str | None] = {why for table in tables for why in table.values()}
    return reasons | {f"MODEL_TYPE is {purpose}, not an encoder" for purpose in purposes}


CHECKPOINTS: Final = ("encoders", "hub/eligibility.py", "hub/listing.py", "hub/fetch.py")


def _listed(messages: set[str | None]) -> str:
    lines = sorted(filter(None, messages), key=str.casefold)
    return "\n" + "".join(f"- ``{line}``\n" if "`" in line else f"- `{line}`\n" for line in lines)


def _kind(call: ast.Call) -> str | None:
    """Return the class of the exception that *call* makes, if it is one of ours with a message."""
    return call.func.id if isinstance(call.func, ast.Name) and call.func.id in KINDS and call.args else None


def _text(node: ast.expr, module: str) -> str | None:
    """Return the text of a literal, an f-string or a constant, with its values as placeholders."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, module) or "" for part in node.values)
    if isinstance(node, ast.FormattedValue):
        constant = _constant(node.value, module) if isinstance(node.value, ast.Name) else None
        if constant is not None:
            return constant
        name = _placeholder(node.value)
        return f"'{name}'" if node.conversion == ord("r") else name
    if isinstance(node, ast.Name | ast.Attribute):
        return _constant(node, module)
    return None


def _constant(node: ast.Name | ast.Attribute, module: str) -> str | None:
    """Return the text of a constant of *module*, or of one that it imports."""
    found: object = importlib.import_module(f"hubscan.{module.removesuffix('.py').replace('/', '.')}")
    for name in ast.unparse(node).split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, str) else None


def _placeholder(node: ast.expr) -> str:
    source = ast.unparse(node)
    name = NAMES.get(source) or NAMES.get(source.partition("(")[0])
    if name:
        return name
    words = re.findall(r"[A-Za-z_]+", source.partition(" if ")[0])
    return (words[-1] if words else "N").strip("_").upper()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
