"""Turn the address of a page on the Hub, as copied from a browser, into the id of its repository."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

HOSTS: Final = ("https://huggingface.co", "https://www.huggingface.co", "https://hf.co", "hf:/")
PAGE: Final = re.compile(
    r"/(?P<datasets>datasets/)?(?P<id>[\w.-]+(/[\w.-]+)?)(@(?P<at>[^/?#]+))?(/tree/(?P<tree>[^/?#]+))?/?([?#].*)?"
)
NOT_REPOSITORIES: Final = ("datasets", "models", "spaces", "docs", "papers", "blog", "collections")


def with_ids(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the *keys* of a recipe with ids in place of the addresses of pages on the Hub.

    `https://huggingface.co/datasets/org/name/tree/v1` becomes the dataset `org/name` with revision `v1`, and
    `https://huggingface.co/org/name` the model `org/name`. The addresses of files stay as they are.
    """
    found = dict(keys)
    if isinstance(dataset := found.get("dataset"), str):
        name, revision = _repository(dataset, datasets=True)
        found["dataset"] = name
        if revision and not found.get("revision"):
            found["revision"] = revision
    models = found.get("models")
    if isinstance(models, str):
        found["models"] = _model(models)
    elif isinstance(models, list | tuple):
        found["models"] = type(models)(_model(m) if isinstance(m, str) else m for m in models)
    return found


def _model(name: str) -> str:
    found, revision = _repository(name, datasets=False)
    return f"{found}@{revision}" if revision else found


def _repository(address: str, *, datasets: bool) -> tuple[str, str | None]:
    """Return the id and the revision in *address*; or *address* itself, without outer spaces, and None."""
    stripped = address.strip()
    if not stripped or _exists(address):
        return address, None
    hosts = (*HOSTS, os.environ.get("HF_ENDPOINT", "").strip().rstrip("/"))
    path = next((stripped.removeprefix(host) for host in hosts if host and stripped.startswith(host)), "")
    page = PAGE.fullmatch(path)
    if page is None or bool(page["datasets"]) != datasets or page["id"].split("/")[0] in NOT_REPOSITORIES:
        return stripped, None
    revision = page["at"] or page["tree"]
    return page["id"], unquote(revision) if revision else None


def _exists(name: str) -> bool:
    try:
        return Path(name).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False
