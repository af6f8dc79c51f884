"""A ranking, its verdict, a listing or a plan in, strings out: no printing, no network, no computing.

No form of a ranking ends with a line break. The module of each, and with it the libraries that it
needs, is imported when the form is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hubscan.records import Listed, Ranking

Form = Callable[["Ranking"], str]
ListingForm = Callable[[Sequence["Listed"]], str]


def _form(module: str, function: str) -> Callable[[Any], str]:
    def render(shown: Any) -> str:
        form: Callable[[Any], str] = getattr(import_module(f"{__name__}.{module}"), function)
        return form(shown)

    return render


FORMATS: Final[Mapping[str, Form]] = {
    "human": _form("human", "as_text"),
    "json": _form("json_form", "as_json"),
    "csv": _form("csv_table", "as_csv"),
    "markdown": _form("markdown", "as_markdown"),
    "quiet": _form("quiet", "as_ids"),
}
"""The forms of a ranking, by the names of `--format`."""

LISTING_FORMATS: Final[Mapping[str, ListingForm]] = {
    "human": _form("listing", "as_text"),
    "json": _form("listing", "as_json"),
    "csv": _form("listing", "as_csv"),
    "markdown": _form("listing", "as_markdown"),
    "quiet": _form("listing", "as_ids"),
}
"""The forms of what `hubscan search` lists, likewise."""
