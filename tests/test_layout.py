"""The layout of the tests: what several modules need lies in packages that hold no tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent


def imported(module: Path) -> Iterator[str]:
    """Yield the dotted names that *module* imports, anywhere in it."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_module_imports_a_test_module() -> None:
    modules = sorted(TESTS.rglob("*.py"))
    assert len(modules) > 90
    arrows = [(module.name, name) for module in modules for name in imported(module)]
    assert [arrow for arrow in arrows if ".test_" in f".{arrow[1]}"] == []
