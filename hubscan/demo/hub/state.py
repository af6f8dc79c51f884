"""The state of a Hub: its repositories, who may read them, and the requests so far."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from hubscan.demo.hub.content import Blob, Kind, Repo, repo_from_folder
from hubscan.demo.hub.refusal import Refusal

Name = tuple[Kind, str]  # ("datasets", "stanfordnlp/imdb")


@dataclass(slots=True)
class Served:
    """One request and its response; the numbers grow while the response is being sent."""

    method: str
    path: str  # as sent, %-quoted
    query: str
    origin: str  # "hub", or "cdn" for the second port
    range: str | None = None
    user_agent: str = ""
    authorization: str | None = field(default=None, repr=False)
    status: int = 0  # 0: no response was sent
    body_bytes: int = 0


class Hub:
    """A read-only Hub for a folder; anybody may read everything.

    Subclasses override `user`, `admit` and `visible` to support users, `more_routes` to support more
    requests, and `wrap` to inject faults.
    """

    page_rows = 1000

    def __init__(self, root: Path | None = None) -> None:
        self.endpoint = ""  # this and cdn are set when it is served
        self.cdn = ""
        self.repos: dict[Name, Repo] = {}
        self.moved: dict[Name, str] = {}  # old name to new id
        self.large_files: dict[str, Blob] = {}  # by sha256; those that a client was redirected to
        self.requests: list[Served] = []
        if root is not None:
            self._read(root)

    def add_folder(self, kind: Kind, repo_id: str, folder: Path) -> Repo:
        """Serve *folder* as the repository *repo_id*."""
        repo = self.repos[kind, repo_id] = repo_from_folder(kind, repo_id, folder)
        return repo

    def find(self, kind: Kind, repo_id: str, request: Request, *, content: bool = False) -> Repo:
        """Return a repository that the sender of *request* may see, or with *content*, read."""
        user = self.user(request)
        repo = self.repos.get((kind, repo_id))
        if repo is None or not self.visible(repo, user):
            # Like the Hub, do not reveal to an anonymous sender whether it exists.
            anonymous = "authorization" not in request.headers
            message = "Invalid username or password." if anonymous else "Repository not found"
            raise Refusal(401 if anonymous else 404, message, "RepoNotFound")
        if content:
            self.admit(repo, user)
        return repo

    def user(self, request: Request) -> str | None:
        """Return who sent *request*; this Hub ignores tokens, so every sender is anonymous."""
        return None

    def visible(self, repo: Repo, user: str | None) -> bool:
        """Return whether *user* may know that *repo* exists."""
        return True

    def admit(self, repo: Repo, user: str | None) -> None:
        """Raise a `Refusal` if *user* may not read the files of *repo*."""

    def more_routes(self) -> list[Route]:
        """Return routes in addition to the reading part of the API."""
        return []

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return *app*, possibly wrapped; the wrapper runs after the request is recorded."""
        return app

    def moved_to(self, path: str) -> str | None:
        """Return the new path if *path* names a renamed repository, else None."""
        for (kind, old), new in self.moved.items():
            site = "" if kind == "models" else f"/{kind}"
            for prefix in (f"/api/{kind}", site):
                if f"{path}/".startswith(f"{prefix}/{old}/"):
                    return f"{prefix}/{new}{path.removeprefix(f'{prefix}/{old}')}"
        return None

    def _read(self, root: Path) -> None:
        notes_file = root / "hub.json"
        notes = json.loads(notes_file.read_bytes()) if notes_file.exists() else {}
        for kind in get_args(Kind):
            for folder in sorted(path for path in (root / kind).glob("*/*") if path.is_dir()):
                repo = self.add_folder(kind, f"{folder.parent.name}/{folder.name}", folder)
                repo.downloads = notes.get("downloads", {}).get(repo.id, 0)
        for old, new in notes.get("moved", {}).items():
            kind, _, old_id = old.partition("/")
            self.moved[cast(Kind, kind), old_id] = new
