"""Relative links in the Markdown files of the repository lead to files and headings that exist."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).parents[1]
FENCED: Final = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"\]\(([^()\s]+)\)")
ELSEWHERE: Final = re.compile(r"[a-z]+:")


def pages() -> list[Path]:
    """Return the Markdown files, with new ones that are not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    names = listed.stdout.split() or [
        str(path) for path in (*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"))
    ]
    return sorted(path for name in names if (path := REPOSITORY / name).is_file())


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of *page*."""
    found: set[str] = set()
    for heading in re.findall(
        r"^#+ +(.+?) *$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE
    ):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        again = (f"{name}-{number}" for number in range(1, 100))
        found.add(name if name not in found else next(other for other in again if other not in found))
    return found


def broken(page: Path) -> Iterator[str]:
    """Yield the links of *page* that lead nowhere."""
    for link in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        if ELSEWHERE.match(link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_relative_links_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_a_link_to_a_missing_file_or_heading_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Some `heading`, twice\n\n## Some heading twice\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#some-heading-twice-1) [c](https://example.org/x.md) [d](#here)\n\n# Here\n"
        "```\n[e](in-code.md)\n```\n[f](missing.md) [g](other.md#missing) [h](#missing)\n"
    )
    assert list(broken(page)) == ["missing.md", "other.md#missing", "#missing"]
