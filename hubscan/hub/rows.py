"""Check the rows of the Hub's listing of models, which repeat what strangers wrote in their repositories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from huggingface_hub import ModelInfo
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

UNNAMED: Final = "(a row without a name)"
LARGEST: Final = 2**63  # of a count, above which it is no count

_TEXT: Final = ("sha", "library_name", "pipeline_tag", "lastModified", "createdAt")
_COUNTS: Final = ("downloads", "likes")
_MAPPINGS: Final = ("config", "cardData", "safetensors")


@dataclass(frozen=True, slots=True)
class Row:
    """What a row says of a checkpoint, and why it cannot be used, if so."""

    info: ModelInfo
    problem: str | None = None


def row_of(item: Any) -> Row:
    """Return *item*, a value from the listing, as a row; whatever does not fit becomes its problem."""
    name = item.get("id") if isinstance(item, dict) else None
    try:
        if not isinstance(name, str):
            return Row(_info(id=UNNAMED), "the Hub lists it without a name")
        validate_repo_id(name)
        problem = _problem(item)
        # The client wants `siblings` there, and leaves files out if it is None.
        return Row(_info(id=name), problem) if problem else Row(_info(**{"siblings": None, **item}))
    except HFValidationError:
        return Row(_info(id=UNNAMED), "the Hub lists it by a name that is not valid")
    except Exception as error:  # the client builds cards and dates from the row, with any exception
        return Row(_info(id=name), f"what the Hub lists of it cannot be read: {type(error).__name__}")


def _info(**fields: Any) -> ModelInfo:
    return ModelInfo(**fields)  # type: ignore[no-untyped-call]


def _problem(item: dict[str, Any]) -> str | None:
    """Return which field of *item* has a value of another type than the Hub documents, None if all fit."""
    fits = {
        **{name: _is_text(item.get(name)) for name in _TEXT},
        **{name: _is_count(item.get(name)) for name in _COUNTS},
        **{name: isinstance(item.get(name), dict | None) for name in _MAPPINGS},
        "tags": _are_texts(item.get("tags")),
        "gated": isinstance(item.get("gated"), bool | str | None),
        "trendingScore": isinstance(item.get("trendingScore"), int | float | None),
    }
    weights = item.get("safetensors")
    if isinstance(weights, dict):
        fits["safetensors.total"] = "total" in weights and _is_count(weights["total"])
    wrong = next((name for name, fit in fits.items() if not fit), None)
    return f"the Hub lists it with a `{wrong}` that cannot be read" if wrong else None


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(part, str) for part in value))


def _is_count(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value < LARGEST)
