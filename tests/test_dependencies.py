"""What hubscan imports, pyproject.toml declares: nothing is there only because something else needs it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]


def imported() -> set[str]:
    """Return the packages that some module of hubscan imports, without those of Python."""
    nodes = [
        node
        for file in (ROOT / "hubscan").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
    ]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"hubscan"}


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return {normalised(re.split(r"[^\w.-]", line)[0]) for line in [*project["dependencies"], *extras]}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_that_is_imported_is_declared() -> None:
    known = packages_distributions()
    of = {name: {normalised(one) for one in known.get(name, [name])} for name in imported()}
    assert {name for name, distributions in of.items() if not distributions & declared()} == set()
