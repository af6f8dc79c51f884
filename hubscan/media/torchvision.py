"""Whether torchvision reads pictures here: where it is installed, transformers prefers it to Pillow.

It does not belong to hubscan. One that was built for another torch does not import, and then nothing of
transformers does, whatever the modality.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from hubscan.errors import HubscanError


def installed() -> str | None:
    """Return the version of torchvision, "unknown" if it does not say; None if there is none."""
    if not find_spec("torchvision"):
        return None
    try:
        return version("torchvision")
    except PackageNotFoundError:
        return "unknown"


def require_whole() -> None:
    """Make sure that torchvision imports, if it is there.

    Raises:
        HubscanError: saying why it does not, and what to do.
    """
    if not installed():
        return
    try:
        importlib.import_module("torchvision")
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise HubscanError(
            f"torchvision {installed()} does not import beside torch {version('torch')} ({said}), and "
            "transformers needs it to: install the one that belongs to this torch, or uninstall it"
        ) from error
