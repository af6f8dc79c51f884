"""The tree of hubscan's modules in docs/architecture.md, with the first line of each docstring.

python -m tests.support.tree        # updates the page
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "architecture.md"
BEGIN, END = "```text\n", "```\n"
COLUMN = 34


def tree() -> str:
    """Return one line for each module and package; in each folder, packages follow modules."""
    return "hubscan/\n" + "".join(_lines(REPOSITORY / "hubscan", 1))


def page() -> str:
    """Return docs/architecture.md with the current tree."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN, 1)
    return before + BEGIN + tree() + END + rest.split(END, 1)[1]


def _lines(folder: Path, depth: int) -> Iterator[str]:
    entries = [path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    for path in sorted(entries, key=lambda path: (path.is_dir(), path.name)):
        if path.name.startswith("__"):
            continue
        name = "  " * depth + path.name + ("/" if path.is_dir() else "")
        yield f"{name:{COLUMN}}{_first_line(path)}\n"
        if path.is_dir():
            yield from _lines(path, depth + 1)


def _first_line(path: Path) -> str:
    file = path / "__init__.py" if path.is_dir() else path
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n")[0]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
