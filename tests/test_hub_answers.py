"""Answers of an endpoint that are slow, endless, or of another form than the Hub's: one line, and the rest goes on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from hubscan.errors import HubError
from hubscan.hub import transfer
from hubscan.hub.rows import row_of
from tests.hub import environment, run_python
from tests.support import programs
from tests.support.fault_table import record

GOOD = {
    "id": "a/good",
    "sha": "1" * 40,
    "tags": ["safetensors"],
    "downloads": 5,
    "config": {"model_type": "bert"},
}
BAD_ROWS: dict[str, dict[str, Any]] = {
    "a number among its tags": {"tags": ["safetensors", 3]},
    "tags that are a text": {"tags": "safetensors"},
    "a config that is a list": {"config": ["bert"]},
    "safetensors without a total": {"safetensors": {"parameters": {"F32": 3}}},
    "safetensors without parameters": {"safetensors": {"total": 3}},
    "a total of minus one": {"safetensors": {"parameters": {}, "total": -1}},
    "downloads as text": {"downloads": "many"},
    "downloads of true": {"downloads": True},
    "text in place of a date": {"lastModified": "yesterday"},
    "a commit that is a number": {"sha": 17},
    "a card that is a list": {"cardData": ["mit"]},
    "a library that is a mapping": {"library_name": {}},
    "a name with dots": {"id": "../../etc"},
    "a name that is a list": {"id": ["a/b"]},
}


@pytest.mark.parametrize("fault", BAD_ROWS)
def test_a_bad_row_of_a_listing_becomes_a_reason(fault: str) -> None:
    row = row_of(GOOD | BAD_ROWS[fault])
    assert row.problem is not None and "\n" not in row.problem
    record("listing", fault, f"skipped: {row.problem}")


@pytest.mark.parametrize("item", [None, 3, "a/b", [GOOD]])
def test_a_row_that_is_no_mapping_becomes_a_reason(item: Any) -> None:
    assert row_of(item).problem == "the Hub lists it without a name"


def test_a_good_row_is_read_as_the_client_reads_it() -> None:
    row = row_of(GOOD)
    assert row.problem is None
    assert (row.info.id, row.info.downloads, row.info.config) == ("a/good", 5, {"model_type": "bert"})


def test_a_search_goes_on_after_bad_rows(tmp_path: Path) -> None:
    rows = [{**GOOD, "id": f"a/bad-{number}"} | bad for number, bad in enumerate(BAD_ROWS.values())]
    with answering(json.dumps([3, *rows, GOOD]).encode()) as url:
        arguments = ("-m", "hubscan", "search", "--task", "text-classification", "--format", "json")
        done = programs.run(arguments, environment(url, tmp_path), tmp_path, timeout=60)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "a/good" in done.stdout
    record(
        "listing", f"{len(rows) + 1} bad rows before a good one", "all were left out; the good one was found"
    )


class _Answers(BaseHTTPRequestHandler):
    parts: tuple[bytes, ...] = ()
    pause = 0.0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(sum(map(len, self.parts))))
        self.end_headers()
        for part in self.parts:
            try:
                self.wfile.write(part)
            except OSError:
                return
            time.sleep(self.pause)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def answering(*parts: bytes, pause: float = 0.0) -> Iterator[str]:
    handler = type("Handler", (_Answers,), {"parts": parts, "pause": pause})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    hooks: dict[str, list[Any]] = {"request": [transfer.limit_waiting], "response": [transfer.watch]}
    with httpx.Client(event_hooks=hooks, timeout=None) as made:
        yield made


def test_a_byte_at_a_time_is_given_up(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "WINDOW_SECONDS", 0.3)
    with (
        answering(*[b"x"] * 100, pause=0.1) as url,
        pytest.raises(httpx.ReadTimeout, match="bytes arrived in"),
    ):
        client.get(f"{url}/x")
    record("network", "one byte every now and then", "given up: too few bytes arrived in the window")


def test_silence_is_given_up_though_the_caller_has_no_limit(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(transfer.READ_SECONDS, "GET", 0.2)
    with answering(b"x", b"y", pause=1.0) as url, pytest.raises(httpx.ReadTimeout):
        client.get(f"{url}/x")
    record("network", "a body that stalls", "given up after the limit on silence")


def test_a_slow_reader_is_not_a_slow_server(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "WINDOW_SECONDS", 0.1)
    with answering(*[b"x" * 2**20] * 3) as url, client.stream("GET", f"{url}/x") as answer:
        total = 0
        for part in answer.iter_raw(2**20):
            total += len(part)
            time.sleep(0.2)
    assert total == 3 * 2**20


def test_an_endless_answer_is_refused(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MOST_OF_AN_ANSWER", 2**16)
    with answering(b"[" * 2**20) as url:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        with pytest.raises(HubError, match="an answer of more than 65,536 bytes"):
            client.get(f"{url}/api/models")
        assert len(client.get(f"{url}/a/b/resolve/main/x.json").content) == 2**20
    record("network", "an endless answer of the API", "one line: an answer of more than 67,108,864 bytes")


ANSWERS = {
    "a list instead of a description": b"[1, 2]",
    "null": b"null",
    "a page of HTML": b"<html></html>",
    "lists in each other, 50,000 deep": b"[" * 50_000 + b"]" * 50_000,
    "a number of 10,000 digits": b'{"id": ' + b"1" * 10_000 + b"}",
    "no id": b"{}",
}


@pytest.mark.parametrize("fault", ANSWERS)
def test_an_answer_of_another_form_is_one_line(fault: str, tmp_path: Path) -> None:
    code = """
from hubscan.errors import HubError
from hubscan.hub import client
for ask in (client.api().model_info, client.api().dataset_info):
    try:
        with client.explained("a/b"):
            ask("a/b")
    except HubError as error:
        print(error)
"""
    with answering(ANSWERS[fault]) as url:
        said = run_python(code, environment(url, tmp_path)).stdout.splitlines()
    assert len(said) == 2 and all("no answer of a Hub" in line and "HF_ENDPOINT" in line for line in said)
    record("network", f"description of a model or dataset: {fault}", said[0])
