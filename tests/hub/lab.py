"""The Hub of the tests: that of the demo plus users, gated repositories, writes, new commits and faults."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from hubscan.demo.hub import Blob, Commit, Hub, Kind, Refusal, Repo
from hubscan.demo.hub.content import goes_to_lfs, timestamp
from tests.hub.faults import FaultList, with_faults
from tests.hub.writing import WriteApi

TOKENS = {"hf_good": "tester", "hf_other": "someone"}


class LabHub(Hub):
    """A Hub that knows two users, stores what they write, and fails on demand.

    Written content is in `store`, apart from the folder that was read, so several Hubs can share one folder.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.tokens = dict(TOKENS)
        self.granted: set[tuple[str, str]] = set()  # (user, repo id) with access to a gated repository
        self.faults = FaultList()
        self.writing = threading.RLock()
        self._scratch = tempfile.TemporaryDirectory(prefix="loopback-hub-")
        self.store = Path(self._scratch.name)
        super().__init__(root)

    # -- what a test does ---------------------------------------------------------------------

    def commit(
        self,
        kind: Kind,
        repo_id: str,
        files: Mapping[str, bytes | None],
        title: str = "another commit",
        branch: str = "main",
    ) -> str:
        """Commit *files* to a repository, remove those that are None, and return the new hash.

        The repository is created if it does not exist.
        """
        tree = dict(self.repos[kind, repo_id].refs[branch].files) if self.has(kind, repo_id) else {}
        for path, content in files.items():
            tree.pop(path, None)
            if content is not None:
                tree[path] = self.keep(content, lfs=goes_to_lfs(path, len(content)))
        return self.advance(kind, repo_id, tree, title, branch).sha

    def served_paths(self, prefix: str = "") -> list[str]:
        """Return `METHOD /path` of every request so far whose path starts with *prefix*."""
        return [f"{one.method} {one.path}" for one in self.requests if one.path.startswith(prefix)]

    # -- how it keeps things ------------------------------------------------------------------

    def has(self, kind: Kind, repo_id: str) -> bool:
        """Return whether the repository exists."""
        return (kind, repo_id) in self.repos

    def keep(self, content: bytes, *, lfs: bool) -> Blob:
        """Store *content* under its hash."""
        file = self.store / hashlib.sha256(content).hexdigest()
        file.write_bytes(content)
        return Blob(file, lfs=lfs)

    def advance(
        self, kind: Kind, repo_id: str, tree: Mapping[str, Blob], title: str, branch: str = "main"
    ) -> Commit:
        """Add a commit with the files of *tree* to *branch*."""
        with self.writing:
            repo = self.repos.get((kind, repo_id))
            origin = repo.refs[branch].sha if repo else f"{kind}/{repo_id}"
            commit = Commit(kind, origin, tree, title, timestamp(datetime.now(UTC)))
            if repo:
                repo.history.append(commit)
                repo.refs[branch] = commit
            else:
                self.repos[kind, repo_id] = Repo(kind, repo_id, [commit])
            return commit

    # -- what it answers ----------------------------------------------------------------------

    def user(self, request: Request) -> str | None:
        """Return the owner of the token, or refuse an unknown token."""
        authorization = request.headers.get("authorization")
        if authorization is None:
            return None
        user = self.tokens.get(authorization.removeprefix("Bearer ").strip())
        if user is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return user

    def visible(self, repo: Repo, user: str | None) -> bool:
        """Return whether *user* may see *repo*: private repositories are visible to their owner only."""
        return not repo.private or user == repo.owner

    def admit(self, repo: Repo, user: str | None) -> None:
        """Refuse access to a gated repository, except for its owner and users with granted access."""
        if not repo.gated or user == repo.owner or (user, repo.id) in self.granted:
            return
        if user is None:
            message = f"Access to {repo.id} is restricted. Please log in."
            raise Refusal(401, message, "GatedRepo")
        message = f"Access to {repo.id} is restricted and you are not in the authorized list."
        raise Refusal(403, message, "GatedRepo")

    def more_routes(self) -> list[Route]:
        """Return the routes of the writing part."""
        return WriteApi(self).routes()

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Apply faults to requests first."""
        return with_faults(app, self.faults)

    def close(self) -> None:
        """Delete written content."""
        self._scratch.cleanup()
