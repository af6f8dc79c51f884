"""A ranking or a run in, strings out: no printing, no network.

No string ends with a line break, save the card, which is a file. Each form's libraries are imported
when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hubscan.records import Ranking

Form = Callable[["Ranking"], str]


def _form(module: str, function: str) -> Form:
    def render(ranking: Ranking) -> str:
        form: Form = getattr(import_module(f"{__name__}.{module}"), function)
        return form(ranking)

    return render


FORMATS: Final[Mapping[str, Form]] = {
    "human": _form("human", "as_text"),
    "json": _form("json_form", "as_json"),
    "csv": _form("csv_table", "as_csv"),
    "markdown": _form("markdown", "as_markdown"),
    "quiet": _form("quiet", "as_ids"),
}
"""The forms of `--format`, by name."""
