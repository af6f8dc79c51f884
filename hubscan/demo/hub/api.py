"""Answer the clients' requests: the part of the Hub's API that reads.

Paths are matched while they are still %-quoted, so that a revision like `refs%2Fpr%2F1` stays one
segment; every handler unquotes its own parameters.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args
from urllib.parse import parse_qs, quote, unquote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from hubscan.demo.hub import rows
from hubscan.demo.hub.content import Blob, Commit, Kind, Repo
from hubscan.demo.hub.refusal import Refusal
from hubscan.demo.hub.state import Hub

Item = TypeVar("Item")

SORTS = ("downloads", "likes", "lastModified", "trendingScore", "createdAt")
REPO = "{org}/{name}"


class File(FileResponse):
    """A file response in fewer, larger chunks, because each chunk costs a switch to another thread."""

    chunk_size = 1 << 20


class ReadApi:
    """Request handlers of one Hub; those that only read from disk run in the thread pool."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def routes(self) -> list[Route]:
        """Return the routes of the reading part."""
        routes = [
            Route("/api/whoami-v2", self.whoami),
            Route("/lfs/{sha256}", self.large_file),
        ]
        for kind in get_args(Kind):
            api = f"/api/{kind}/{REPO}"
            site = f"/{REPO}" if kind == "models" else f"/{kind}/{REPO}"
            routes += [
                Route(f"/api/{kind}", self.listing),
                Route(api, self.info),
                Route(f"{api}/revision/{{revision}}", self.info),
                Route(f"{api}/tree/{{revision}}", self.tree),
                Route(f"{api}/tree/{{revision}}/{{path:path}}", self.tree),
                Route(f"{api}/paths-info/{{revision}}", self.paths_info, methods=["POST"]),
                Route(f"{api}/refs", self.refs),
                Route(f"{api}/commits/{{revision}}", self.commits),
                Route(f"{api}/auth-check", self.auth_check),
                Route(f"{site}/resolve/{{revision}}/{{path:path}}", self.resolve),
            ]
        return routes

    def whoami(self, request: Request) -> Response:
        """Say who the sender is."""
        user = self.hub.user(request)
        if user is None:
            raise Refusal(401, "Invalid username or password.")
        token = {"displayName": "loopback", "role": "write"}
        auth = {"type": "access_token", "accessToken": token}
        return JSONResponse({"type": "user", "id": user, "name": user, "orgs": [], "auth": auth})

    def listing(self, request: Request) -> Response:
        """List one page of repositories."""
        query = request.query_params
        if query.get("sort", SORTS[0]) not in SORTS:
            raise Refusal(400, f"sort is one of {', '.join(SORTS)}")
        user = self.hub.user(request)
        seen = [
            repo
            for (kind, _), repo in list(self.hub.repos.items())
            if kind == kind_of(request) and self.hub.visible(repo, user)
        ]
        return self.page(request, rows.matching(seen, query), lambda r: rows.listed(r, query))

    def info(self, request: Request) -> Response:
        """Describe one repository; the description of a gated one is public."""
        repo, commit = self.asked(request)
        return JSONResponse(rows.info(repo, commit, request.query_params))

    def tree(self, request: Request) -> Response:
        """List one page of the files in a folder."""
        _, commit = self.asked(request)
        folder = unquote(request.path_params.get("path", "")).strip("/")
        entries = rows.tree(commit.files, folder, rows.said_true(request.query_params, "recursive"))
        if folder and not entries:
            raise Refusal(404, f"{folder} does not exist", "EntryNotFound")
        return self.page(request, entries, lambda entry: entry)

    async def paths_info(self, request: Request) -> Response:
        """Describe the named files and folders; missing ones are left out."""
        body = await request.body()
        if "json" in request.headers.get("content-type", ""):
            paths = json.loads(body)["paths"]
        else:
            paths = parse_qs(body.decode()).get("paths", [])
        return await run_in_threadpool(self._entries, request, paths)

    def refs(self, request: Request) -> Response:
        """List the branches, and the pull requests on request."""
        repo = self.find(request)
        refs = [{"name": name, "ref": name, "targetCommit": commit.sha} for name, commit in repo.refs.items()]
        branches = [ref for ref in refs if not ref["name"].startswith("refs/")]
        for branch in branches:
            branch["ref"] = f"refs/heads/{branch['name']}"
        answer: dict[str, Any] = {"branches": branches, "tags": [], "converts": []}
        if rows.said_true(request.query_params, "include_prs"):
            answer["pullRequests"] = [ref for ref in refs if ref["name"].startswith("refs/pr/")]
        return JSONResponse(answer)

    def commits(self, request: Request) -> Response:
        """List the commits up to a revision, newest first."""
        repo, commit = self.asked(request)
        line = [commit]
        while parent := repo.at(line[-1].origin):
            line.append(parent)
        return self.page(request, line, rows.commit_entry)

    def auth_check(self, request: Request) -> Response:
        """Say whether the sender may read the files."""
        self.find(request, content=True)
        return JSONResponse({})

    def resolve(self, request: Request) -> Response:
        """Return a file, or redirect to the other origin if it is large."""
        _, commit = self.asked(request, content=True)
        path = unquote(request.path_params["path"])
        headers = {"X-Repo-Commit": commit.sha}
        blob = commit.files.get(path)
        if blob is None:
            raise Refusal(404, f"{path} does not exist", "EntryNotFound", headers)
        if blob.lfs:
            return self._elsewhere(path, blob, headers)
        return File(blob.file, headers={**headers, "ETag": f'"{blob.etag}"'})

    def large_file(self, request: Request) -> Response:
        """Return a large file that `resolve` redirected to."""
        blob = self.hub.large_files.get(request.path_params["sha256"])
        if blob is None:
            raise Refusal(404, "no such object")
        return File(blob.file, headers={"ETag": f'"{blob.sha256}"'})

    def find(self, request: Request, *, content: bool = False) -> Repo:
        """Return the repository named in the path."""
        repo_id = unquote("{org}/{name}".format(**request.path_params))
        return self.hub.find(kind_of(request), repo_id, request, content=content)

    def asked(self, request: Request, *, content: bool = False) -> tuple[Repo, Commit]:
        """Return the repository and the commit named in the path."""
        repo = self.find(request, content=content)
        revision = unquote(request.path_params.get("revision", "main"))
        commit = repo.at(revision)
        if commit is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repo, commit

    def page(self, request: Request, items: Sequence[Item], write: Callable[[Item], rows.Row]) -> Response:
        """Return one page of *items*, with the address of the next page in the `Link` header."""
        query = request.query_params
        start = int(urlsafe_b64decode(query["cursor"])) if "cursor" in query else 0
        end = start + min(int(query.get("limit", self.hub.page_rows)), self.hub.page_rows)
        headers = {}
        if end < len(items):
            kept = [(name, value) for name, value in query.multi_items() if name != "cursor"]
            cursor = urlsafe_b64encode(str(end).encode()).decode()
            address = request.url.replace(query=urlencode([*kept, ("cursor", cursor)]))
            headers["Link"] = f'<{address}>; rel="next"'
        return JSONResponse([write(item) for item in items[start:end]], headers=headers)

    def _entries(self, request: Request, paths: Sequence[str]) -> Response:
        _, commit = self.asked(request)
        entries = []
        for path in (path.strip("/") for path in paths):
            if path in commit.files:
                entries.append(rows.file_entry(path, commit.files[path]))
            elif any(file.startswith(f"{path}/") for file in commit.files):
                entries.append(rows.folder_entry(path))
        return JSONResponse(entries)

    def _elsewhere(self, path: str, blob: Blob, headers: dict[str, str]) -> Response:
        self.hub.large_files[blob.sha256] = blob
        name = quote(path.rsplit("/", 1)[-1], safe="")
        headers |= {
            "Location": f"{self.hub.cdn}/lfs/{blob.sha256}?filename={name}",
            "X-Linked-Etag": f'"{blob.sha256}"',
            "X-Linked-Size": str(blob.size),
            "Accept-Ranges": "bytes",
        }
        return PlainTextResponse("Found. Redirecting", 302, headers)


def kind_of(request: Request) -> Kind:
    """Return whether the path is about models or datasets."""
    path = request.url.path.removeprefix("/api")
    return "datasets" if f"{path}/".startswith("/datasets/") else "models"
