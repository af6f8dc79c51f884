"""Look up what the installed transformers supports, in the source of its tables.

Importing transformers would take seconds. If a table is missing, as another version may keep it elsewhere,
no checkpoint is rejected because of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

FILES: Final = ("auto_mappings", "configuration_auto", "modeling_auto", "image_processing_auto")
TABLES: Final = "_MAPPING_NAMES"
Table = Mapping[str, Any]


def table(name: str) -> Table:
    """Return the table *name*, such as "CONFIG" or "MODEL_FOR_MASKED_LM": class names by model type."""
    return _tables().get(name, {})


@cache
def _tables() -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for file in _files():
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            for name, entries in _written(node):
                tables.setdefault(name.removesuffix(TABLES).removeprefix("MISSING_"), {}).update(entries)
    return tables


def _files() -> Iterator[Path]:
    package = find_spec("transformers")
    for folder in (package.submodule_search_locations or []) if package else []:
        yield from (Path(folder) / "models" / "auto" / f"{file}.py" for file in FILES)


def _written(node: ast.AST) -> Iterator[tuple[str, Table]]:
    """Yield the name of each table that *node* creates or updates, with the entries that it adds."""
    value = node.value if isinstance(node, ast.Assign | ast.Expr) else None
    if not isinstance(value, ast.Call):
        return
    if isinstance(node, ast.Assign):
        named: ast.expr | None = node.targets[0]
    else:
        named = value.func.value if isinstance(value.func, ast.Attribute) else None
    if isinstance(named, ast.Name) and named.id.endswith(TABLES):
        for given in (*value.args, *(keyword.value for keyword in value.keywords)):
            try:
                yield named.id, dict(ast.literal_eval(given))
            except (ValueError, TypeError):  # the name of another table
                continue
