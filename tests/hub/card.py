"""Check the front matter of a card as the Hub does, mainly its `model-index`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

MISSING = "empty or missing yaml metadata in repo card"


def card_errors(text: str) -> tuple[list[str], list[str]]:
    """Return errors and warnings."""
    found = re.match(r"\s*---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    try:
        card = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError as error:
        return [f"front matter is not YAML: {error}"], []
    if not isinstance(card, dict):
        return [], [MISSING]
    index = card.get("model-index") or []
    if not isinstance(index, list):
        return ['"model-index" must be an array'], []
    return [
        error
        for number, entry in enumerate(index)
        for error in _entry_errors(entry, f"model-index[{number}]")
    ], []


def _entry_errors(entry: dict[str, Any], where: str) -> Iterator[str]:
    yield from _required(entry, where, "name")
    for number, result in enumerate(entry.get("results") or []):
        yield from _result_errors(result, f"{where}.results[{number}]")


def _result_errors(result: dict[str, Any], where: str) -> Iterator[str]:
    yield from _required(result.get("task") or {}, f"{where}.task", "type")
    yield from _required(result.get("dataset") or {}, f"{where}.dataset", "type", "name")
    if not result.get("metrics"):
        yield f'"{where}.metrics" is required'
    for number, metric in enumerate(result.get("metrics") or []):
        yield from _required(metric, f"{where}.metrics[{number}]", "type", "value")
    if "source" in result:
        yield from _required(result["source"] or {}, f"{where}.source", "url")


def _required(section: dict[str, Any], where: str, *keys: str) -> Iterator[str]:
    yield from (f'"{where}.{key}" is required' for key in keys if section.get(key) in (None, ""))
