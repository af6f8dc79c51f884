"""The token goes to the endpoint's own scheme, host and port, and nowhere else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.hub import environment, run_python
from tests.support.fault_table import record

TOKEN = "hf_" + "s" * 30
COMMIT = "a" * 40


class Host(ThreadingHTTPServer):
    """An HTTP server that answers by path, and keeps the headers of its requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, str, str | None]] = []


class _Answers(BaseHTTPRequestHandler):
    server: Host

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, path, self.headers.get("Authorization")))
        status, headers, body = self.server.answers.get(path, (404, {}, b"{}"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = _answer

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def host() -> Iterator[Host]:
    with Host() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def endpoint() -> Iterator[Host]:
    with host() as server:
        yield server


@pytest.fixture
def stranger() -> Iterator[Host]:
    with host() as server:
        yield server


def asked(endpoint: Host, home: Path, code: str) -> None:
    run_python("from hubscan.hub import client\n" + code, environment(endpoint.url, home, TOKEN))


def check(endpoint: Host, stranger: Host, fault: str) -> None:
    """Both hosts were asked, only one of them with the token."""
    assert f"Bearer {TOKEN}" in [header for *_, header in endpoint.asked]
    assert stranger.asked and {header for *_, header in stranger.asked} == {None}
    record("network", fault, "the other host was asked without the token")


def test_the_next_page_of_a_listing(endpoint: Host, stranger: Host, tmp_path: Path) -> None:
    link = {"Link": f'<{stranger.url}/api/models?cursor=2>; rel="next"'}
    endpoint.answers["/api/models"] = (200, link, json.dumps([{"id": "a/b"}]).encode())
    stranger.answers["/api/models"] = (200, {}, json.dumps([{"id": "a/c"}]).encode())
    asked(endpoint, tmp_path, "assert len(list(client.api().list_models())) == 2")
    check(endpoint, stranger, "the next page of a listing is on another host")


def test_the_next_page_of_a_file_tree(endpoint: Host, stranger: Host, tmp_path: Path) -> None:
    path = "/api/datasets/a/b/tree/main"
    link = {"Link": f'<{stranger.url}{path}?cursor=2>; rel="next"'}
    endpoint.answers[path] = (200, link, b"[]")
    stranger.answers[path] = (200, {}, b"[]")
    asked(endpoint, tmp_path, "list(client.api().list_repo_tree('a/b', repo_type='dataset'))")
    check(endpoint, stranger, "the next page of a file tree is on another host")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_an_answer(endpoint: Host, stranger: Host, tmp_path: Path, status: int) -> None:
    endpoint.answers["/api/models/a/b"] = (status, {"Location": f"{stranger.url}/there"}, b"")
    stranger.answers["/there"] = (200, {}, b'{"id": "a/b"}')
    asked(endpoint, tmp_path, "client.api().model_info('a/b')")
    check(endpoint, stranger, f"redirect {status} of a model's description to another host")


def test_a_redirect_of_a_download(endpoint: Host, stranger: Host, tmp_path: Path) -> None:
    headers = {"X-Repo-Commit": COMMIT, "ETag": '"1"', "X-Linked-Size": "2", "X-Linked-ETag": '"1"'}
    location = {"Location": f"{stranger.url}/blob"}
    endpoint.answers[f"/a/b/resolve/{COMMIT}/config.json"] = (302, headers | location, b"")
    stranger.answers["/blob"] = (200, {"ETag": '"1"'}, b"{}")
    code = f"from huggingface_hub import hf_hub_download\nhf_hub_download('a/b', 'config.json', revision='{COMMIT}')"
    asked(endpoint, tmp_path, code)
    check(endpoint, stranger, "a file is on another host")


def test_a_range_of_a_dataset(endpoint: Host, stranger: Host, tmp_path: Path) -> None:
    headers = {"X-Repo-Commit": COMMIT, "ETag": '"1"', "X-Linked-Size": "4", "X-Linked-ETag": '"1"'}
    location = {"Location": f"{stranger.url}/blob"}
    endpoint.answers[f"/datasets/a/b/resolve/{COMMIT}/x.csv"] = (302, headers | location, b"")
    stranger.answers["/blob"] = (206, {"Content-Range": "bytes 0-1/4"}, b"ab")
    asked(
        endpoint,
        tmp_path,
        "from hubscan.hub.ranges import RemoteFile\n"
        f"assert RemoteFile('hf://datasets/a/b@{COMMIT}/x.csv').read(0, 2) == b'ab'",
    )
    check(endpoint, stranger, "the bytes of a dataset are on another host")


def test_a_redirect_of_a_write(endpoint: Host, stranger: Host, tmp_path: Path) -> None:
    endpoint.answers["/api/repos/create"] = (307, {"Location": f"{stranger.url}/create"}, b"")
    stranger.answers["/create"] = (200, {}, b'{"url": "https://huggingface.co/a/b"}')
    asked(endpoint, tmp_path, "client.api().create_repo('a/b')")
    check(endpoint, stranger, "a write is redirected to another host")


def test_an_address_that_only_begins_like_the_endpoint(endpoint: Host, tmp_path: Path) -> None:
    code = f"""
from huggingface_hub.utils import build_hf_headers, httpx
from hubscan.hub.session import keep_token
for url in ("{endpoint.url}1/x", "{endpoint.url}@evil.test/x", "{endpoint.url.replace("http", "https")}/x"):
    request = httpx.Request("GET", url, headers=build_hf_headers())
    keep_token(request)
    assert "Authorization" not in request.headers, url
"""
    asked(endpoint, tmp_path, code)
