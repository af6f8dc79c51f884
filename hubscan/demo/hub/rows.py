"""Describe repositories in the Hub's JSON: filtered and sorted listings, and the entries of a file tree."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from starlette.datastructures import QueryParams

from hubscan.demo.hub.content import Blob, Commit, Repo

Row = dict[str, Any]

FIELDS: Mapping[str, Callable[[Repo, Commit], Any]] = {
    "author": lambda repo, commit: repo.owner,
    "cardData": lambda repo, commit: commit.facts.card,
    "config": lambda repo, commit: commit.facts.config,
    "createdAt": lambda repo, commit: repo.history[0].date,
    "disabled": lambda repo, commit: False,
    "downloads": lambda repo, commit: repo.downloads,
    "gated": lambda repo, commit: repo.gated,
    "lastModified": lambda repo, commit: commit.date,
    "library_name": lambda repo, commit: commit.facts.library_name,
    "likes": lambda repo, commit: repo.likes,
    "model-index": lambda repo, commit: (commit.facts.card or {}).get("model-index"),
    "pipeline_tag": lambda repo, commit: commit.facts.pipeline_tag,
    "private": lambda repo, commit: repo.private,
    "safetensors": lambda repo, commit: commit.facts.safetensors,
    "sha": lambda repo, commit: commit.sha,
    "siblings": lambda repo, commit: [{"rfilename": path} for path in commit.files],
    "tags": lambda repo, commit: list(commit.facts.tags),
    "trendingScore": lambda repo, commit: 0,
    "usedStorage": lambda repo, commit: sum(blob.size for blob in commit.files.values()),
}
# The default fields of a listing; sha, size and gating are not among them.
PLAIN = (
    "likes",
    "trendingScore",
    "private",
    "downloads",
    "tags",
    "pipeline_tag",
    "library_name",
    "createdAt",
)
FULL = (*PLAIN, "author", "sha", "lastModified", "gated", "disabled", "siblings")
EVERYTHING = tuple(FIELDS)
SCALE = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def info(repo: Repo, commit: Commit, query: QueryParams) -> Row:
    """Describe one repository at one commit."""
    row = _row(repo, commit, query.getlist("expand") or EVERYTHING)
    if said_true(query, "blobs"):
        row["siblings"] = [_sibling(path, blob) for path, blob in commit.files.items()]
    if said_true(query, "securityStatus"):
        row["securityRepoStatus"] = {"scansDone": True, "filesWithIssues": []}
    return row


def listed(repo: Repo, query: QueryParams) -> Row:
    """Return one row of a listing, with the fields that the query asks for."""
    if query.getlist("expand"):
        return _row(repo, repo.head, query.getlist("expand"))
    fields = FULL if said_true(query, "full") else PLAIN
    extra = [field for field in ("config", "cardData") if said_true(query, field)]
    return _row(repo, repo.head, (*fields, *extra))


def matching(repos: Iterable[Repo], query: QueryParams) -> list[Repo]:
    """Return the repositories that match the query, in descending order of its sort key, then by name."""
    kept = [repo for repo in repos if _matches(repo, query)]
    key = FIELDS[query.get("sort") or "trendingScore"]
    by_name = sorted(kept, key=lambda repo: repo.id)
    return sorted(by_name, key=lambda repo: key(repo, repo.head), reverse=True)


def tree(files: Mapping[str, Blob], folder: str, recursive: bool) -> list[Row]:
    """List the files and folders in *folder*; an empty list if there is no such folder."""
    prefix = f"{folder}/" if folder else ""
    entries: dict[str, Row] = {}
    for path in sorted(path for path in files if path.startswith(prefix)):
        parts = path.removeprefix(prefix).split("/")
        for depth in range(1, len(parts)):
            parent = prefix + "/".join(parts[:depth])
            entries.setdefault(parent, folder_entry(parent))
        entries[path] = file_entry(path, files[path])
    inside = (path for path in entries if recursive or "/" not in path.removeprefix(prefix))
    return [entries[path] for path in inside]


def file_entry(path: str, blob: Blob) -> Row:
    """Describe one file of a tree."""
    entry: Row = {"type": "file", "oid": blob.oid, "size": blob.size, "path": path}
    if blob.lfs:
        entry["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": blob.pointer_size}
    return entry


def folder_entry(path: str) -> Row:
    """Describe one folder of a tree; its hash only has to be stable."""
    oid = hashlib.sha1(path.encode()).hexdigest()
    return {"type": "directory", "oid": oid, "size": 0, "path": path}


def commit_entry(commit: Commit) -> Row:
    """Describe one commit of a history."""
    entry = {"id": commit.sha, "title": commit.title, "date": commit.date}
    return entry | {"message": "", "authors": []}


def said_true(query: QueryParams, name: str) -> bool:
    """Return a boolean parameter of the query; clients send `true`, `True` or `1`."""
    return query.get(name, "").lower() in ("true", "1")


def _row(repo: Repo, commit: Commit, fields: Iterable[str]) -> Row:
    row: Row = {"_id": hashlib.md5(repo.id.encode()).hexdigest()[:24], "id": repo.id}
    if repo.kind == "models":
        row["modelId"] = repo.id
    values = {name: FIELDS[name](repo, commit) for name in fields if name in FIELDS}
    return row | {name: value for name, value in values.items() if value is not None}


def _sibling(path: str, blob: Blob) -> Row:
    sibling: Row = {"rfilename": path, "size": blob.size, "blobId": blob.oid}
    if blob.lfs:
        sibling["lfs"] = {
            "sha256": blob.sha256,
            "size": blob.size,
            "pointerSize": blob.pointer_size,
        }
    return sibling


def _matches(repo: Repo, query: QueryParams) -> bool:
    facts = repo.head.facts
    tags = {*facts.tags, facts.pipeline_tag, facts.library_name}
    wanted = {tag for value in query.getlist("filter") for tag in value.split(",")}
    return (
        wanted <= tags
        and query.get("pipeline_tag") in (None, facts.pipeline_tag)
        and query.get("author") in (None, repo.owner)
        and query.get("search", "").lower() in repo.id.lower()
        and ("gated" not in query or said_true(query, "gated") == bool(repo.gated))
        and _has_size(repo, query.get("num_parameters"))
    )


def _has_size(repo: Repo, bounds: str | None) -> bool:
    """Check a range such as `min:5M,max:9M`; a repository of unknown size never matches."""
    if bounds is None:
        return True
    total = (repo.head.facts.safetensors or {}).get("total")
    if total is None:
        return False
    limits = dict(bound.split(":") for bound in bounds.split(","))
    smallest = _number(limits.get("min", "0"))
    return bool(smallest <= total <= _number(limits.get("max", "inf")))


def _number(text: str) -> float:
    unit = text[-1].upper()
    return float(text[:-1]) * SCALE[unit] if unit in SCALE else float(text)
