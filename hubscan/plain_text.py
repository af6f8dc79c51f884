"""Text as it may leave hubscan: no secrets, no control characters, of bounded length, never a formula.

Names, classes, notes and reasons come from strangers. Everything that shows them takes them from here:
errors, tables, cards, csv and the progress display.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, TypeVar

from hubscan.secret_text import without_secrets

T = TypeVar("T")

ELLIPSIS: Final = "…"
LONGEST: Final = 2_000  # characters of one text; a reason, the longest of them, has a few hundred

# Joiners shape letters and emoji in many scripts; the other format characters reverse or hide text.
_JOINERS: Final = "\u200c\u200d"
_HIDDEN: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_FORMULA: Final = ("=", "+", "-", "@")  # how a spreadsheet recognises one


def plain(text: object, most: int = LONGEST) -> str:
    r"""Return *text* on one line of at most *most* characters, without secrets and control characters.

    >>> plain("evil/\x1b[31mred\nx")
    'evil/ [31mred x'
    """
    given = without_secrets(str(text))
    shown = cut(" ".join(_visible(given[: 2 * most]).split()), most)
    return given if shown == given else shown


def plain_lines(text: object, most: int = LONGEST) -> str:
    """Return *text* of at most *most* characters, without secrets or controls, but with its line breaks."""
    return cut(visible(without_secrets(str(text))[: 2 * most]), most)


def visible(text: str) -> str:
    """Return *text* without control characters, but with its line breaks."""
    return text if text.isprintable() else "\n".join(map(_visible, text.split("\n")))


def cut(text: str, characters: int) -> str:
    """Return *text*, cut and ended by an ellipsis if it has more than *characters*."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + ELLIPSIS


def cell(text: str) -> str:
    """Return *text* for a cell of a csv file; a spreadsheet would compute one that begins like a formula.

    >>> cell("=1+1"), cell("neg")
    ("'=1+1", 'neg')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def cleaned(value: T) -> T:
    """Return *value*, a record or a collection of records, with every text in it made `plain`.

    Names of a mapping that become equal are numbered, so that no entry is lost.
    """
    result: Any = value
    if isinstance(value, str):
        result = plain(value)
    elif isinstance(value, Mapping):
        result = _named(value)
    elif isinstance(value, tuple | list):
        result = _alike(value, [cleaned(part) for part in value])
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        changed = {name: new for name, old in parts.items() if (new := cleaned(old)) is not old}
        result = replace(value, **changed) if changed else value
    return result  # type: ignore[no-any-return]


def _alike(value: tuple[Any, ...] | list[Any], parts: list[Any]) -> Any:
    """Return *parts* as a collection of the type of *value*, which may be a named tuple; itself if equal."""
    if all(new is old for new, old in zip(parts, value, strict=True)):
        return value
    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)


def _named(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    named: dict[Any, Any] = {}
    for key, part in value.items():
        name = free = cleaned(key)
        number = 1
        while free in named:
            number += 1
            free = f"{name} ({number})"
        named[free] = cleaned(part)
    same = all(
        free is key and named[free] is part for free, (key, part) in zip(named, value.items(), strict=True)
    )
    return value if same else named


def _visible(line: str) -> str:
    """Return *line* with a space for each hidden character."""
    if line.isprintable():
        return line
    return "".join(" " if unicodedata.category(c) in _HIDDEN and c not in _JOINERS else c for c in line)
