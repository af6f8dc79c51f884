"""Remove what killed processes left of their downloads.

The Hub's client begins each download in a new file, and continues none.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

WAIT_SECONDS: Final = 0.1  # for a lock; the client does not try it at all with 0


def remove_abandoned(model: str) -> None:
    """Remove the incomplete files of *model* in the client's cache that no process is downloading."""
    cache, name = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=model, repo_type="model")
    for file in (cache / name / "blobs").glob("*.incomplete"):
        etag = file.name.partition(".")[0]
        # The client holds this lock during a download. Its timeout is an OSError as well.
        with suppress(OSError), WeakFileLock(cache / ".locks" / name / f"{etag}.lock", timeout=WAIT_SECONDS):
            file.unlink(missing_ok=True)
