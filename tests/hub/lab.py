"""The Hub that tests run against: the demo's, with users, gates, writes, new commits and faults."""

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
    """A Hub that knows two users, keeps what they write, and fails when told to.

    Written content lies in `store`, apart from the folder it was read from: one folder can stand
    behind many Hubs.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.tokens = dict(TOKENS)
        self.granted: set[tuple[str, str]] = set()  # (user, repo id): asked for a gate and let in
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
        """Add *files* to a repository, or take those away that are None; return the new hash.

        A repository that does not exist is made.
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
        """Say whether there is such a repository."""
        return (kind, repo_id) in self.repos

    def keep(self, content: bytes, *, lfs: bool) -> Blob:
        """Store *content* under its hash."""
        file = self.store / hashlib.sha256(content).hexdigest()
        file.write_bytes(content)
        return Blob(file, lfs=lfs)

    def advance(
        self, kind: Kind, repo_id: str, tree: Mapping[str, Blob], title: str, branch: str = "main"
    ) -> Commit:
        """Let *branch* name a new commit with the files of *tree*."""
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
        """Return the owner of the token, or refuse a token nobody owns."""
        authorization = request.headers.get("authorization")
        if authorization is None:
            return None
        user = self.tokens.get(authorization.removeprefix("Bearer ").strip())
        if user is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return user

    def visible(self, repo: Repo, user: str | None) -> bool:
        """Hide private repositories from all but their owner."""
        return not repo.private or user == repo.owner

    def admit(self, repo: Repo, user: str | None) -> None:
        """Keep the gate: the owner passes, and who was let in."""
        if not repo.gated or user == repo.owner or (user, repo.id) in self.granted:
            return
        if user is None:
            message = f"Access to {repo.id} is restricted. Please log in."
            raise Refusal(401, message, "GatedRepo")
        message = f"Access to {repo.id} is restricted and you are not in the authorized list."
        raise Refusal(403, message, "GatedRepo")

    def more_routes(self) -> list[Route]:
        """Return what is answered besides the reading part: the writing part."""
        return WriteApi(self).routes()

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Let faults meet the requests first."""
        return with_faults(app, self.faults)

    def close(self) -> None:
        """Forget what was written."""
        self._scratch.cleanup()
