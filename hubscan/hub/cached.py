"""Find repositories in the cache of the Hub's client, by commit or by name, and keep what `main` was there.

Nothing here asks the Hub.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from huggingface_hub import constants
from huggingface_hub.file_download import _cache_commit_hash_for_specific_revision, repo_folder_name

from hubscan.errors import HubError
from hubscan.untrusted import bytes_of, json_of

Kind = Literal["model", "dataset"]
MAIN: Final = constants.DEFAULT_REVISION
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
SHORT_COMMIT: Final = re.compile(r"[0-9a-f]{5,39}")

_heads: dict[str, str] = {}  # model to the commit that its branch `main` had when this process asked


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository's files at one commit, or those of them that were downloaded."""

    repo: str
    commit: str
    folder: Path

    @property
    def names(self) -> list[str]:
        """Return the paths of the files in the repository."""
        found = (file for file in self.folder.rglob("*") if file.is_file())
        return sorted(file.relative_to(self.folder).as_posix() for file in found)


def snapshot(
    repo: str, kind: Kind, revision: str | None = None, complete: Callable[[Path], bool] = Path.is_dir
) -> Snapshot | None:
    """Return what the cache has of *repo* at *revision*, None if it has nothing that is *complete*.

    Without a revision it is `main`, or if the cache does not have that, the commit that was downloaded last.
    """
    place = _place(repo, kind)
    if place is None:
        return None
    commits = {folder.name: folder for folder in (place / "snapshots").glob("*") if complete(folder)}
    commit = _commit(place, revision, list(commits))
    if commit not in commits and revision is None and commits:
        commit = max(commits, key=lambda name: commits[name].stat().st_mtime)
    return Snapshot(repo, commit, commits[commit]) if commit in commits else None


def checkpoint(name: str, because: str) -> Snapshot:
    """Return what the cache has of the checkpoint *name*, which is an id or `id@revision`.

    Raises:
        HubError: if it does not have it, or not all of it; *because* says why the Hub is not asked.
    """
    repo, _, revision = name.partition("@")
    ids = (
        [repo] if "/" in repo else [repo, *_named(repo)]
    )  # perhaps an old name, which the Hub would redirect
    found = [s for id_ in ids if (s := snapshot(id_, "model", revision or None, _has_weights))]
    if len(found) != 1:
        at = f" --revision {revision}" if revision else ""
        raise HubError(
            f"{name}: not in the cache, and {because}; "
            f"run this once with a network, or `hf download {repo}{at}`"
        )
    return found[0]


def _named(name: str) -> list[str]:
    """Return the ids of the models in the cache that end in */name*."""
    found = Path(constants.HF_HUB_CACHE).glob(f"models--*--{name}") if re.fullmatch(r"[\w.-]+", name) else ()
    return sorted(folder.name.removeprefix("models--").replace("--", "/", 1) for folder in found)


def _has_weights(folder: Path) -> bool:
    """Return whether *folder* has a config and weights; with an index, all the files that it names."""
    if not ((folder / "config.json").is_file() or (folder / "modules.json").is_file()):
        return False
    try:
        index = json_of(bytes_of(folder / "model.safetensors.index.json"))["weight_map"].values()
        return all((folder / str(name)).is_file() for name in set(index))
    except FileNotFoundError:
        return any(folder.rglob("*.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def is_listed(found: Snapshot, kind: Kind) -> bool:
    """Return whether the cache has the list of all files, from which the client knows what is missing."""
    place = _place(found.repo, kind)
    return place is not None and (place / "trees" / f"{found.commit}.json").is_file()


def missing(found: Snapshot, kind: Kind, names: Iterable[str]) -> bool:
    """Return whether files that belong with *names* were not downloaded: other parts of the same split.

    The names of parts tell how many there are (`train-00000-of-00004`), and the list of files, if the cache
    has it, tells which differ only in their numbers.
    """
    here = set(names)
    alike = Counter(_without_numbers(name) for name in here)
    for name in here:
        total = re.search(r"-of-(\d+)", name)
        if total and alike[_without_numbers(name)] < int(total[1]):
            return True
    listed = _listed_names(found, kind)
    return any(name not in here and _without_numbers(name) in alike for name in listed)


def _without_numbers(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _listed_names(found: Snapshot, kind: Kind) -> list[str]:
    place = _place(found.repo, kind)
    try:
        return list(json_of(bytes_of(place / "trees" / f"{found.commit}.json"))["files"]) if place else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def note_main(model: str, commit: str) -> None:
    """Remember that *commit* was the head of `main` when the Hub was asked."""
    _heads[model] = commit


def keep_main(model: str, commit: str) -> None:
    """Let the cache know *commit* as `main` of *model*, so that it loads by its name without a network.

    This is done only if the Hub said so to this process, and the commit was downloaded.
    """
    place = _place(model, "model") if _heads.get(model) == commit else None
    if place is None or not (place / "snapshots" / commit).is_dir():
        return
    try:
        _cache_commit_hash_for_specific_revision(str(place), MAIN, commit)
    except OSError:  # a shared cache that others wrote; the scan itself does not need it
        return


def _place(repo: str, kind: Kind) -> Path | None:
    folder = Path(constants.HF_HUB_CACHE).absolute() / repo_folder_name(repo_id=repo, repo_type=kind)
    try:
        return folder if folder.is_dir() else None
    except OSError:  # somebody else's
        return None


def _commit(place: Path, revision: str | None, commits: list[str]) -> str | None:
    """Return the commit that *revision* names: a branch, a tag, a commit or its beginning."""
    name = revision or MAIN
    if COMMIT.fullmatch(name):
        return name
    ref = place / "refs" / name
    if ".." not in Path(name).parts and ref.is_file():
        return ref.read_text(encoding="utf-8").strip()
    begun = [commit for commit in commits if SHORT_COMMIT.fullmatch(name) and commit.startswith(name)]
    return begun[0] if len(begun) == 1 else None
