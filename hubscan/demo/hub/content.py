"""Represent a folder on disk as a repository of the Hub, with commits and blobs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

from hubscan.demo.hub.facts import Facts, describe

Kind = Literal["models", "datasets"]

LFS_BYTES = 10 * 2**20
LFS_SUFFIXES = frozenset(
    f".{suffix}"
    for suffixes in ("bin gguf onnx pt safetensors", "arrow npy npz parquet", "jpeg jpg png gz zip")
    for suffix in suffixes.split()
)


def goes_to_lfs(path: str, size: int) -> bool:
    """Return whether the Hub stores a file outside git: weights, tables, images and any large file."""
    return size > LFS_BYTES or PurePosixPath(path).suffix.lower() in LFS_SUFFIXES


class Blob:
    """The content of one file, hashed on first use; only small files are ever read into memory."""

    def __init__(self, file: Path, *, lfs: bool) -> None:
        self.file = file
        self.lfs = lfs

    @cached_property
    def size(self) -> int:
        """Length in bytes."""
        return self.file.stat().st_size

    @cached_property
    def sha256(self) -> str:
        """Hash of the content, its key in the large-file store."""
        with self.file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    @cached_property
    def oid(self) -> str:
        """Git hash of the file, or of its LFS pointer."""
        content = self._pointer if self.lfs else self.file.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    @property
    def pointer_size(self) -> int:
        """Length of the LFS pointer, the text that git stores instead of a large file."""
        return len(self._pointer)

    @property
    def etag(self) -> str:
        """Key under which the clients cache the content."""
        return self.sha256 if self.lfs else self.oid

    @property
    def _pointer(self) -> bytes:
        spec = "version https://git-lfs.github.com/spec/v1"
        return f"{spec}\noid sha256:{self.sha256}\nsize {self.size}\n".encode()


@dataclass(eq=False)
class Commit:
    """One state of a repository; its hash covers all paths, all contents and the parent commit."""

    kind: Kind
    origin: str  # the parent's hash, or the repository's name for the first commit
    files: Mapping[str, Blob]  # path inside the repository to content
    title: str
    date: str  # ISO 8601, UTC

    @cached_property
    def sha(self) -> str:
        """Forty hex digits, the same for the same files in a repository of the same name."""
        lines = [self.origin, *(f"{path} {self.files[path].sha256}" for path in sorted(self.files))]
        return hashlib.sha1("\n".join(lines).encode()).hexdigest()

    @cached_property
    def facts(self) -> Facts:
        """Facts that the Hub's listing derives from these files."""
        return describe(self.kind, {path: blob.file for path, blob in self.files.items()})


@dataclass(eq=False)
class Repo:
    """A model or a dataset: its commits, and further facts for the listing."""

    kind: Kind
    id: str  # "org/name"
    history: list[Commit]  # oldest first, every branch
    downloads: int = 0
    likes: int = 0
    gated: Literal[False, "auto", "manual"] = False
    private: bool = False
    refs: dict[str, Commit] = field(default_factory=dict)  # "main", "refs/pr/1"

    def __post_init__(self) -> None:
        self.refs.setdefault("main", self.history[-1])

    @property
    def owner(self) -> str:
        """The user or organisation that owns it."""
        return self.id.split("/")[0]

    @property
    def head(self) -> Commit:
        """The commit that `main` names."""
        return self.refs["main"]

    def at(self, revision: str) -> Commit | None:
        """Return the commit that *revision* names, a branch or a full hash; None if it is unknown."""
        if revision in self.refs:
            return self.refs[revision]
        return next((commit for commit in self.history if commit.sha == revision), None)


def repo_from_folder(kind: Kind, repo_id: str, folder: Path) -> Repo:
    """Return a repository whose only commit has the files in *folder*."""
    files = {}
    newest = 0.0
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        path = file.relative_to(folder).as_posix()
        stat = file.stat()
        files[path] = Blob(file, lfs=goes_to_lfs(path, stat.st_size))
        newest = max(newest, stat.st_mtime)
    date = timestamp(datetime.fromtimestamp(newest, UTC))
    return Repo(kind, repo_id, [Commit(kind, f"{kind}/{repo_id}", files, "initial commit", date)])


def timestamp(moment: datetime) -> str:
    """Format a time as the Hub does: `2026-11-02T08:15:00.000Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
