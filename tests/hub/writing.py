"""The writing part of the Hub's API: requests of `create_repo`, uploads and cards."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast, get_args
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hubscan.demo.hub import Blob, Kind, Refusal, Repo
from hubscan.demo.hub.api import REPO, kind_of
from hubscan.demo.hub.content import goes_to_lfs
from hubscan.demo.hub.rows import said_true
from tests.hub.card import card_errors

if TYPE_CHECKING:
    from tests.hub.lab import LabHub

Tree = dict[str, Blob]
Handler = Callable[[Request, bytes], Response]


class WriteApi:
    """Request handlers that change one Hub, or check a change before it is made."""

    def __init__(self, hub: LabHub) -> None:
        self.hub = hub

    def routes(self) -> list[Route]:
        """Return the routes of the writing part."""
        routes = [
            _route("/api/repos/create", self.create, "POST"),
            _route("/api/repos/delete", self.delete, "DELETE"),
            _route("/api/validate-yaml", self.validate_card, "POST"),
            _route("/lfs/upload/{sha256}", self.receive_large, "PUT"),
            _route("/lfs/verify", self.verify_large, "POST"),
        ]
        for kind in get_args(Kind):
            api = f"/api/{kind}/{REPO}"
            site = f"/{REPO}" if kind == "models" else f"/{kind}/{REPO}"
            routes += [
                _route(f"{api}/auth-check/write", self.may_write, "GET"),
                _route(f"{api}/preupload/{{revision}}", self.preupload, "POST"),
                _route(f"{api}/commit/{{revision}}", self.commit, "POST"),
                _route(f"{site}.git/info/lfs/objects/batch", self.large_batch, "POST"),
            ]
        return routes

    def create(self, request: Request, body: bytes) -> Response:
        """Create an empty repository; 409 if it exists."""
        asked = json.loads(body)
        user = self.signed_in(request)
        kind, repo_id = _named(asked, user)
        if not repo_id.startswith(f"{user}/"):
            raise Refusal(403, f"You don't have the rights to create {repo_id}")
        url = self.address(kind, repo_id)
        if self.hub.has(kind, repo_id):
            return JSONResponse({"error": "You already created this repo", "url": url}, 409)
        self.hub.advance(kind, repo_id, {}, "initial commit")
        self.hub.repos[kind, repo_id].private = asked.get("visibility") == "private"
        return JSONResponse({"url": url, "name": repo_id})

    def delete(self, request: Request, body: bytes) -> Response:
        """Delete a repository."""
        kind, repo_id = _named(json.loads(body), self.signed_in(request))
        self.writable(kind, repo_id, request)
        del self.hub.repos[kind, repo_id]
        return JSONResponse({})

    def validate_card(self, request: Request, body: bytes) -> Response:
        """Check the front matter of a card; the client sends no token for this."""
        errors, warnings = card_errors(json.loads(body)["content"])
        answer = {
            "errors": [{"message": message} for message in errors],
            "warnings": [{"message": message} for message in warnings],
        }
        return JSONResponse(answer, 400 if errors else 200)

    def may_write(self, request: Request, body: bytes) -> Response:
        """Check that the sender may change the repository."""
        self.target(request)
        return JSONResponse({})

    def preupload(self, request: Request, body: bytes) -> Response:
        """Return how to upload each file, and the hash of the present one of that name."""
        files = self.target(request).head.files
        answers = []
        for file in json.loads(body)["files"]:
            path = file["path"]
            mode = "lfs" if goes_to_lfs(path, file["size"]) else "regular"
            answer = {"path": path, "uploadMode": mode, "shouldIgnore": False}
            if path in files:
                answer["oid"] = files[path].etag
            answers.append(answer)
        return JSONResponse({"files": answers})

    def large_batch(self, request: Request, body: bytes) -> Response:
        """Return where to upload each large file; nowhere if it is already stored."""
        objects = []
        for asked in json.loads(body)["objects"]:
            sha256 = asked["oid"]
            answer: dict[str, Any] = {"oid": sha256, "size": asked["size"]}
            if not (self.hub.store / sha256).exists():
                upload = {"href": f"{self.hub.cdn}/lfs/upload/{sha256}", "header": {}}
                verify = {"href": f"{self.hub.endpoint}/lfs/verify", "header": {}}
                answer["actions"] = {"upload": upload, "verify": verify}
            objects.append(answer)
        return JSONResponse({"transfer": "basic", "objects": objects})

    def receive_large(self, request: Request, body: bytes) -> Response:
        """Store a large file if it has the announced hash."""
        blob = self.hub.keep(body, lfs=True)
        if blob.sha256 != request.path_params["sha256"]:
            raise Refusal(400, "the content has another hash")
        return Response(headers={"ETag": f'"{blob.sha256}"'})

    def verify_large(self, request: Request, body: bytes) -> Response:
        """Confirm that a large file arrived completely."""
        asked = json.loads(body)
        file = self.hub.store / asked["oid"]
        if not file.exists() or file.stat().st_size != asked["size"]:
            raise Refusal(422, "the object is missing or has another size")
        return JSONResponse({})

    def commit(self, request: Request, body: bytes) -> Response:
        """Apply one commit to a branch, or, with `create_pr`, to a new pull request."""
        proposed = said_true(request.query_params, "create_pr")
        header, *changes = [json.loads(line) for line in body.splitlines() if line.strip()]
        with self.hub.writing:
            repo = self.target(request)
            branch = unquote(request.path_params["revision"])
            base = repo.refs[branch]
            if header["value"].get("parentCommit") not in (None, base.sha):
                raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            if proposed:
                number = 1 + sum(name.startswith("refs/pr/") for name in repo.refs)
                branch = f"refs/pr/{number}"
                repo.refs[branch] = base
            tree = self.changed(base.files, changes)
            done = self.hub.advance(repo.kind, repo.id, tree, header["value"]["summary"], branch)
        url = self.address(repo.kind, repo.id)
        answer = {"success": True, "commitOid": done.sha, "commitUrl": f"{url}/commit/{done.sha}"}
        if proposed:
            answer["pullRequestUrl"] = f"{url}/discussions/{number}"
        return JSONResponse(answer)

    def changed(self, files: Any, changes: Iterable[Any]) -> Tree:
        """Return *files* after *changes*, the lines of the client's commit."""
        tree: Tree = dict(files)
        for change in changes:
            value = change["value"]
            path = value["path"]
            if change["key"] == "file":
                tree[path] = self.hub.keep(b64decode(value["content"]), lfs=False)
            elif change["key"] == "lfsFile":
                tree[path] = Blob(self.hub.store / value["oid"], lfs=True)
            else:  # deletedFile, deletedFolder
                gone = [name for name in tree if f"{name}/".startswith(f"{path.rstrip('/')}/")]
                for name in gone:
                    del tree[name]
        return tree

    # -- who may ------------------------------------------------------------------------------

    def signed_in(self, request: Request) -> str:
        """Return who sent *request*, or refuse a sender without a token."""
        user = self.hub.user(request)
        if user is None:
            raise Refusal(401, "Invalid username or password.")
        return user

    def target(self, request: Request) -> Repo:
        """Return the repository named in the path, if the sender may change it or propose a change."""
        repo_id = unquote("{org}/{name}".format(**request.path_params))
        return self.writable(kind_of(request), repo_id, request)

    def writable(self, kind: Kind, repo_id: str, request: Request) -> Repo:
        """Return a repository that the sender owns; for a pull request, any repository."""
        repo = self.hub.find(kind, repo_id, request)
        user = self.signed_in(request)
        if user != repo.owner and not said_true(request.query_params, "create_pr"):
            raise Refusal(403, "You don't have the rights to create a commit on this repo")
        return repo

    def address(self, kind: Kind, repo_id: str) -> str:
        """Return the URL of a repository's page."""
        prefix = "" if kind == "models" else f"{kind}/"
        return f"{self.hub.endpoint}/{prefix}{repo_id}"


def _named(asked: dict[str, Any], user: str) -> tuple[Kind, str]:
    kind = cast(Kind, f"{asked.get('type') or 'model'}s")
    return kind, f"{asked.get('organization') or user}/{asked['name']}"


def _route(path: str, handler: Handler, method: str) -> Route:
    """Return a route that reads the body on the event loop and then runs *handler* in a thread."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(handler, request, await request.body())

    return Route(path, endpoint, methods=[method])
