"""The layout of the tests: what several modules need lies in packages that hold no tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support import tree

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "hubscan"


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


CHECKED_OTHERWISE = {
    "hubscan/cli/options.py",  # the schema of hubscan itself
    "hubscan/engines/worker.py",  # from the parent
    "hubscan/feature_store/local.py",  # after its digest
    "hubscan/helper/child.py",  # from the parent
    "hubscan/run.py",  # what it has just written
    "hubscan/untrusted/parse.py",
}


def test_json_and_yaml_from_outside_go_through_one_loader() -> None:
    parsers = ("json.load", "json.loads", "yaml.load", "yaml.safe_load", "yaml.unsafe_load")
    calls = {
        (module.relative_to(PACKAGE.parent).as_posix(), ast.unparse(node.func))
        for module in PACKAGE.rglob("*.py")
        if "demo" not in module.parts
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in parsers
    }
    assert {module for module, _ in calls} == CHECKED_OTHERWISE


def test_the_page_on_the_architecture_shows_every_module_with_its_first_line() -> None:
    assert tree.PAGE.read_text(encoding="utf-8") == tree.page(), "run `python -m tests.support.tree`"
