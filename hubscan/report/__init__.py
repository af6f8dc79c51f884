"""Rankings, verdicts, listings and plans as text. Nothing here prints, computes or uses the network.

No form of a ranking ends with a line break. The module of a form is imported when it is first used.
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

DISPLAYS: Final[Mapping[str, Form]] = {
    "repr": _form("brief", "as_repr"),
    "notebook": _form("brief", "as_markdown"),
}
"""How a ranking shows itself in Python."""

LISTING_FORMATS: Final[Mapping[str, ListingForm]] = {
    "human": _form("listing", "as_text"),
    "json": _form("listing", "as_json"),
    "csv": _form("listing", "as_csv"),
    "markdown": _form("listing", "as_markdown"),
    "quiet": _form("listing", "as_ids"),
}
"""The forms of a listing by `hubscan search`, by the names of `--format`."""
