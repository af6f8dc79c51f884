"""Download a candidate: its safetensors and what is needed to preprocess inputs, nothing else.

No other module downloads checkpoints.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from huggingface_hub import constants, snapshot_download
from huggingface_hub._tree_cache import read_tree_cache
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]

from hubscan import __version__, disk
from hubscan.errors import CheckpointError, HubError
from hubscan.hub import cached, eligibility, settings
from hubscan.hub.abandoned import remove_abandoned
from hubscan.hub.client import ask_once, explained, is_unreachable
from hubscan.hub.contents import refuse_foreign_names
from hubscan.hub.damage import refuse_damaged
from hubscan.hub.deciding import has_weights, wanted
from hubscan.hub.rate_limits import interruptible
from hubscan.records import Candidate

FIRST: Final = (
    *("config.json", "modules.json", "preprocessor_config.json", "processor_config.json"),
    eligibility.ADAPTER_CONFIG,
)
"""Enough to decide whether the checkpoint can be used, and which other files it needs."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A checkpoint's folder, and the bytes that were downloaded for it."""

    folder: Path
    download_bytes: int


def fetch(candidate: Candidate) -> Fetched:
    """Return the folder of *candidate* at its commit, from the client's cache or the Hub.

    Raises:
        HubError: if the Hub cannot be reached or refuses.
        CheckpointError: if there is no config or no safetensors weights, or if the config shows that the
            checkpoint cannot be used; the config is checked before weights are fetched.
    """
    if candidate.local:
        folder, arrived = Path(candidate.model).expanduser(), 0
        _refuse_bad_files(folder)
        eligibility.check(folder, candidate.modality)
    else:
        begun = time.time()
        folder = _downloaded(candidate, FIRST)
        _refuse_bad_files(folder)
        eligibility.check(folder, candidate.modality)
        folder = _downloaded(candidate, *wanted(folder))
        _refuse_bad_files(folder)
        arrived = _written_since(begun, folder)
    if not has_weights(folder):
        raise CheckpointError(eligibility.NO_SAFETENSORS)
    return Fetched(folder, arrived)


def _refuse_bad_files(folder: Path) -> None:
    """Refuse the checkpoint in *folder* if a file is damaged, or names others where they must not be."""
    refuse_damaged(folder)
    refuse_foreign_names(folder)


def _downloaded(candidate: Candidate, wanted: Sequence[str], unwanted: Sequence[str] = ()) -> Path:
    """Return the folder with the *wanted* files, which are downloaded unless the cache has them all."""
    download = partial(
        snapshot_download,
        candidate.model,
        revision=candidate.revision,
        allow_patterns=list(wanted),
        ignore_patterns=list(unwanted),
        library_name="hubscan",
        library_version=__version__,
    )
    found = cached.snapshot(candidate.model, "model", candidate.revision)
    offline = settings.offline_because()
    with explained(candidate.model), interruptible():
        if found is not None and (offline or cached.is_listed(found, "model")):
            with suppress(LocalEntryNotFoundError):  # some are missing
                return Path(download(local_files_only=True))
        if offline:
            raise HubError(
                f"{candidate.model}: not all of its files are in the cache, and {offline} is set; run this "
                f"once with a network, or `hf download {candidate.model} --revision {candidate.revision}`"
            )
        if found is not None and not _is_reachable():
            return found.folder
        settings.check_token()
        settings.check_cache()
        remove_abandoned(candidate.model)
        with disk.explained(disk.client_cache(), needs=partial(_missing, candidate, wanted), in_rust=True):
            return Path(download())


def _missing(candidate: Candidate, wanted: Sequence[str]) -> int | None:
    """Return the bytes of the *wanted* files that are not in the cache, as far as it has their list."""
    place = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=candidate.model, repo_type="model")
    listed = read_tree_cache(str(place), candidate.revision) or {}
    folder = place / "snapshots" / candidate.revision
    names = filter_repo_objects(listed, allow_patterns=list(wanted))
    return sum(listed[name].size for name in names if not (folder / name).exists()) or None


def _is_reachable() -> bool:
    """Return whether the Hub answers at all; the client itself would try for half a minute."""
    try:
        ask_once()
    except HubError as error:
        return not is_unreachable(error)
    return True


def _written_since(begun: float, folder: Path) -> int:
    """Return the bytes of the files in *folder* written since *begun*; files cached before are older.

    Weights may arrive through another client (Xet), whose traffic cannot be counted, hence the files.
    """
    written = (file.stat() for file in folder.rglob("*") if file.is_file())
    return sum(file.st_size for file in written if file.st_mtime >= begun)
