"""Detect torchvision, which transformers prefers to Pillow for images if it is installed.

hubscan does not depend on it. If it was built for another version of torch it cannot be imported, and then
transformers cannot either, whatever the modality.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from hubscan.errors import HubscanError


def installed() -> str | None:
    """Return the version of torchvision, "unknown" if it does not state one; None if it is not installed."""
    if not find_spec("torchvision"):
        return None
    try:
        return version("torchvision")
    except PackageNotFoundError:
        return "unknown"


def require_whole() -> None:
    """Check that torchvision can be imported, if it is installed.

    Raises:
        HubscanError: saying why it cannot, and what to do.
    """
    if not installed():
        return
    try:
        importlib.import_module("torchvision")
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise HubscanError(
            f"torchvision {installed()} cannot be imported with torch {version('torch')} ({said}), so "
            "transformers cannot either: install the torchvision for this torch, or uninstall it"
        ) from error
