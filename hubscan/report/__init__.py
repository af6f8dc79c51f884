"""A ranking, its verdict, a listing or a plan in, strings out: no printing, no network.

No form of a ranking ends with a line break. The module of each, and with it the libraries that it
needs, is imported when the form is first asked for.
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
