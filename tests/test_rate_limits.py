"""Every request to the Hub waits as long as the Hub says, tells why, and gives up in one sentence."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from hubscan.engines import Progress
from hubscan.engines.local import LocalEngine, Worker
from hubscan.errors import HubError
from hubscan.hub import rate_limits
from hubscan.hub.session import patient
from hubscan.hub.traffic import count, counted
from hubscan.records import Candidate
from tests.hub import LabHub, environment, run_python
from tests.support import programs

URL = "http://hub.test/api/models"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HUBSCAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(rate_limits, "_known", {})
    monkeypatch.setattr(rate_limits, "_told", {})
    yield


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"RateLimit": '"api";r=0;t=200'}, 200.5),
        (429, {"RateLimit": '"api";r=0;t=200', "Retry-After": "3"}, 200.5),
        (429, {"RateLimit": '"api";r=7;t=200', "Retry-After": "3"}, 3.5),
        (429, {"Retry-After": "3"}, 3.5),
        (429, {"Retry-After": " 1.5 "}, 2.0),
        (429, {"Retry-After": "soon"}, 4.0),
        (429, {}, 4.0),
        (503, {"Retry-After": "3"}, 3.5),
        (503, {}, None),
        (500, {"Retry-After": "3"}, None),
        (200, {"RateLimit": '"api";r=0;t=200'}, None),
    ],
)
def test_how_long_a_response_asks_to_wait(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    assert rate_limits.seconds_asked(status, headers, attempt=2) == seconds


@pytest.mark.parametrize("zone", ["GMT", "-0000"])
def test_a_date_to_retry_after_is_read(zone: str) -> None:
    date = formatdate(time.time() + 100, usegmt=True).replace("GMT", zone)
    seconds = rate_limits.seconds_asked(429, {"Retry-After": date}, attempt=0)
    assert seconds is not None and 98 < seconds < 102
    past = formatdate(time.time() - 100, usegmt=True)
    assert rate_limits.seconds_asked(429, {"Retry-After": past}, attempt=0) == rate_limits.MARGIN_SECONDS


def answering(*answers: tuple[int, dict[str, str]]) -> tuple[httpx.Client, list[httpx.Request]]:
    """Return a session that gives *answers* in turn, and then 200; and the requests that it got."""
    left, seen = list(answers), list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        status, headers = left.pop(0) if left else (200, {})
        return httpx.Response(status, headers=headers)

    client = httpx.Client(transport=httpx.MockTransport(answer), event_hooks={"response": [count]})
    return patient(client), seen


def test_a_limited_request_waits_tells_why_and_is_sent_again() -> None:
    client, seen = answering((429, {"Retry-After": "0"}), (503, {"Retry-After": "0"}))
    told = list[tuple[str, float]]()
    with rate_limits.heard(lambda reason, seconds: told.append((reason, seconds))), counted() as traffic:
        assert client.get(URL).status_code == 200
    assert len(seen) == traffic.requests == 3
    assert told[0][0] == "hub.test limits requests" and 0 < told[0][1] <= 0.5
    assert told[-1][1] == 0


def test_streams_wait_too() -> None:
    client, seen = answering((429, {"Retry-After": "0"}))
    with client.stream("GET", URL) as answer:
        assert answer.status_code == 200
    assert len(seen) == 2


def test_a_write_is_repeated_only_if_it_was_refused_and_its_body_is_at_hand() -> None:
    client, seen = answering((429, {"Retry-After": "0"}))
    assert client.post(URL, content=b"x").status_code == 200
    assert [request.content for request in seen] == [b"x", b"x"]
    client, seen = answering((429, {"Retry-After": "0"}))
    assert client.post(URL, content=iter([b"x"])).status_code == 429
    client, seen = answering((503, {"Retry-After": "0"}))
    assert client.post(URL, content=b"x").status_code == 503


def test_a_wait_beyond_patience_is_refused_at_once_with_advice() -> None:
    client, seen = answering((429, {"Retry-After": "3600"}))
    with pytest.raises(HubError, match=r"^hub\.test limits requests, and asks to wait 36\d\d s; try again"):
        client.get(URL)
    assert len(seen) == 1


def test_it_gives_up_after_some_waits() -> None:
    client, seen = answering(*[(429, {"Retry-After": "0"})] * 20)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rate_limits, "MOST_WAITS", 2)
        with pytest.raises(HubError, match=r"still limits requests after \d+ s; try again later"):
            client.get(URL)
    assert len(seen) == 3


def test_threads_and_processes_wait_together_and_other_limits_are_apart() -> None:
    api = rate_limits.key_of(httpx.URL(URL))
    files = rate_limits.key_of(httpx.URL("http://hub.test/a/b/resolve/main/c"))
    rate_limits.limit(api, 0.4)
    rate_limits._known.clear()  # as in another process, which only shares the folder
    assert rate_limits.wait(files, "the Hub") < 0.1
    assert 0.2 < rate_limits.wait(api, "the Hub") < 2


@pytest.mark.parametrize("content", ["", "nonsense", "nan", "inf", "-1", "1e300"])
def test_a_damaged_record_of_a_limit_ends_no_scan(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "PATIENCE_SECONDS", 0.1)
    key = ("hub.test", "api")
    rate_limits._file(key).parent.mkdir(parents=True)
    rate_limits._file(key).write_text(content)
    assert rate_limits._until(key) <= time.time() + 0.1


def test_an_interrupt_ends_the_waits_of_threads() -> None:
    key = ("hub.test", "api")
    rate_limits.limit(key, 60)
    failed = list[Exception]()

    def waiting() -> None:
        try:
            rate_limits.wait(key, "the Hub")
        except HubError as error:
            failed.append(error)

    thread = threading.Thread(target=waiting)
    thread.start()
    while thread.is_alive() and not failed:
        rate_limits.abandon()
        time.sleep(0.01)
    thread.join()
    assert "interrupted" in str(failed[0])


# -- against a Hub --------------------------------------------------------------------------------

CALLS = """
import json, os, time
from hubscan.hub import listing, rate_limits
from hubscan.hub.client import api
from hubscan.hub.fetch import fetch
from hubscan.records import Query
from hubscan.sample import draw
from hubscan.records import SampleRequest
told = []
def timed(call):
    before, begun = len(told), time.monotonic()
    call()
    return [time.monotonic() - begun, [words for words, seconds in told[before:] if seconds]]
with rate_limits.heard(lambda *said: told.append(said)):
    found = {}
    candidate = next(listing.named(["tester/plain-bert"], Query(), "text"))
    found["info"] = timed(lambda: list(listing.named(["tester/plain-bert"], Query(), "text")))
    found["listing"] = timed(lambda: list(listing.search(Query(limit=2), "text")))
    found["fetch"] = timed(lambda: fetch(candidate))
    found["sample"] = timed(lambda: draw(SampleRequest("tester/reviews", samples=20)))
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    "headers",
    [
        {"RateLimit": '"api";r=0;t=1', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'},
        {"Retry-After": "1"},
        {},
    ],
    ids=["RateLimit", "Retry-After", "nothing"],
)
def test_every_kind_of_call_waits(own_hub: LabHub, tmp_path: Path, headers: dict[str, str]) -> None:
    for match in (
        r"GET /api/models/tester/plain-bert\?",
        r"GET /api/models\?.*pipeline_tag=",
        "GET /api/models/tester/plain-bert/tree",
        "(HEAD|GET) /tester/plain-bert/resolve",
        "GET /api/datasets/tester/reviews",
        "(HEAD|GET) /datasets/tester/reviews/resolve/.*parquet",
    ):
        own_hub.faults.add(match, status=429, headers=headers)
    variables = environment(own_hub.endpoint, tmp_path / "home") | {"HUBSCAN_CACHE": str(tmp_path / "cache")}
    done = run_python(CALLS, variables)
    found = json.loads(done.stdout.splitlines()[-1])
    for call in ("listing", "fetch", "sample"):
        seconds, told = found[call]
        assert told and set(told) == {"the Hub limits requests"}, call
        assert seconds > 0.9
    assert not [fault for fault in own_hub.faults if fault.times]


def test_workers_wait_together_and_waiting_is_not_stalling(own_hub: LabHub, tmp_path: Path) -> None:
    """One worker meets the limit; the other waits with it, and neither counts as silent."""
    own_hub.faults.add(
        "(HEAD|GET) /tester/.*resolve/.*config.json",
        status=429,
        headers={"RateLimit": '"resolvers";r=0;t=15'},
    )
    variables = environment(own_hub.endpoint, tmp_path / "home") | {"HUBSCAN_CACHE": str(tmp_path / "cache")}
    words = (
        *("-m", "hubscan", "rank", "--dataset", "tester/reviews", "--samples", "20", "--workers", "2"),
        *(
            "--model",
            "tester/seeing-bert",
            "--model",
            "tester/blind-bert",
            "--format",
            "json",
            "--run",
            "run",
        ),
    )
    done = programs.run(words, variables, tmp_path, timeout=240)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["ranking"]) == 2
    for name in ("seeing", "blind"):
        assert f"tester/{name}-bert: the Hub limits requests: waiting" in done.stderr
    answered = [one for one in own_hub.requests if "/resolve/" in one.path and "tester/" in one.path]
    assert [one.status for one in answered].count(429) == 1


def test_a_worker_that_waits_is_neither_silent_nor_busy() -> None:
    engine = LocalEngine("cpu", stall_seconds=1.0, limit_seconds=1.0)
    child: Any = SimpleNamespace(kill=lambda: pytest.fail("it was ended"), close=lambda: None)
    worker = Worker("cpu", {}, child, stage="fetch")
    worker.begun = worker.last_message = time.monotonic() - 100
    worker.candidate = Candidate("a/b", "c" * 40, "text")
    engine._listen(worker, {"kind": "waiting", "reason": "the Hub limits requests", "seconds": 200.0})
    engine._workers.append(worker)
    engine._end_overdue()
    assert not worker.overdue
    heard, message = engine._messages.get()
    event = next(engine._heard(heard, message, deque()))
    assert event == Progress("a/b", "fetch", wait="the Hub limits requests: waiting 200 s")
