"""The layout of the tests: what several modules need lies in packages that hold no tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support import tree

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


def test_the_page_on_the_architecture_shows_every_module_with_its_first_line() -> None:
    assert tree.PAGE.read_text(encoding="utf-8") == tree.page(), "run `python -m tests.support.tree`"
