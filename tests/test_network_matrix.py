"""Every kind of request meets every kind of fault: the work is done, or one line says what failed."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.hub import LabHub, environment
from tests.hub.faults import ALWAYS
from tests.hub.fixtures import REPOSITORY
from tests.support.fault_table import record
from tests.support.network_calls import MODEL
from tests.support.rankings import make_run

pytestmark = pytest.mark.slow

REQUESTS = {
    "listing": ("listing", r"GET /api/models\?"),
    "info": ("info", rf"GET /api/models/{MODEL}(/revision|\?|$)"),
    "tree": ("fetch", rf"GET /api/models/{MODEL}/tree"),
    "resolve": ("fetch", rf"HEAD /{MODEL}/resolve/"),
    "download": ("fetch", rf"GET /({MODEL}/resolve|lfs)/"),
    "range": ("range", r"GET /(datasets/.*/resolve|lfs)/"),
    "upload": ("publish", r"POST .*/preupload/"),
    "commit": ("publish", r"POST .*/commit/main"),
}
SOON = {"Retry-After": "1"}
FAULTS: dict[str, dict[str, Any]] = {
    "429 with seconds": {"status": 429, "headers": SOON},
    "429 with a date": {"status": 429, "headers": {}},
    "429 with RateLimit": {
        "status": 429,
        "headers": {"RateLimit": '"api";r=0;t=1', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'},
    },
    **{f"{status} once": {"status": status} for status in (500, 502, 503, 504)},
    **{f"{status} for ever": {"status": status, "times": ALWAYS} for status in (500, 502, 503, 504)},
    "reset in the headers once": {"drop": True},
    "reset in the headers for ever": {"drop": True, "times": ALWAYS},
    "reset in the body once": {"truncate": 10},
    "reset in the body for ever": {"truncate": 10, "times": ALWAYS},
    "slow": {"delay": 0.5},
    "stalled for ever": {"delay": 8.0, "times": ALWAYS},
    "401": {"status": 401, "times": ALWAYS},
    "403": {"status": 403, "times": ALWAYS},
    "404": {"status": 404, "times": ALWAYS},
}
ELSEWHERE = {
    "a host that refuses": "http://127.0.0.1:9",
    "a host that does not exist": "http://hub.invalid",
    "a host without TLS": "https://{host}",
}
SECONDS = 40


class Caller:
    """A process that makes the calls, so that imports happen once."""

    def __init__(self, hub: LabHub, endpoint: str, folder: Path) -> None:
        run = make_run(folder / "run")
        commit = hub.repos["models", MODEL].head.sha
        data = hub.repos["datasets", "tester/reviews"].head
        parquet = next(name for name in data.files if name.endswith(".parquet"))
        file = f"hf://datasets/tester/reviews@{data.sha}/{parquet}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.network_calls", str(run.folder), f"{MODEL}@{commit}", file],
            cwd=REPOSITORY, env=environment(endpoint, folder / "home", "hf_good"), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        assert self._lines.get(timeout=120) == "ready\n"

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def call(self, name: str) -> dict[str, Any]:
        """Return what came of the call *name*; a call that hangs fails the test."""
        assert self._process.stdin is not None
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._lines.get(timeout=SECONDS))
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def faulty(hub_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LabHub, Caller]]:
    from hubscan.demo.hub import serve
    from tests.hub.fixtures import lab_hub

    hub = lab_hub(hub_root)
    with serve(hub):
        caller = Caller(hub, hub.endpoint, tmp_path_factory.mktemp("caller"))
        yield hub, caller
        caller.close()
    hub.close()


def checked(part: str, fault: str, found: dict[str, Any]) -> str:
    assert found["kind"] != "traceback", found["said"]
    assert "\n" not in found["said"] and len(found["said"]) < 600
    record("network", f"{part}: {fault}", found["said"])
    return str(found["said"])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("request_", REQUESTS)
def test_the_work_is_done_or_one_line_says_what_failed(
    faulty: tuple[LabHub, Caller], request_: str, fault: str
) -> None:
    hub, caller = faulty
    call, match = REQUESTS[request_]
    what = dict(FAULTS[fault])
    if fault == "429 with a date":
        what["headers"] = {"Retry-After": formatdate(time.time() + 1, usegmt=True)}
    hub.repos.pop(("models", "tester/ranking"), None)
    hub.faults.clear()
    used = hub.faults.add(match, **what)
    said = checked(request_, fault, caller.call(call))
    assert used.times == ALWAYS or used.times == 0, "the fault did not occur"
    hub.faults.clear()
    if fault == "slow" or (fault.startswith("429") and call != "publish"):
        assert said == "done"
    if fault.endswith("for ever") or fault in ("401", "403", "404"):
        assert said != "done" or request_ in FORGIVEN.get(fault, ()), said


FORGIVEN: dict[str, tuple[str, ...]] = {
    "stalled for ever": ("info", "resolve"),  # eight seconds; the file tree has what `resolve` says
    "reset in the body for ever": ("resolve",),  # a HEAD request, which has no body
}
"""Requests that may go well nevertheless."""


WRONG = {
    "a length that is too long": {"Content-Length": "100000", "X-Linked-Size": "100000"},
    "a length that is too short": {"Content-Length": "20", "X-Linked-Size": "20"},
    "an ETag of another file": {"ETag": f'"{"0" * 40}"', "X-Linked-ETag": f'"{"0" * 64}"'},
}


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("request_", ["resolve", "download", "range"])
def test_headers_that_are_wrong_are_one_line_or_change_nothing(
    faulty: tuple[LabHub, Caller], request_: str, fault: str
) -> None:
    hub, caller = faulty
    call, match = REQUESTS[request_]
    hub.faults.clear()
    hub.faults.add(match, replace=WRONG[fault], times=ALWAYS)
    said = checked(request_, fault, caller.call(call))
    hub.faults.clear()
    assert (said == "done") == ("ETag" in fault), said


@pytest.mark.parametrize("header", ["ETag", "X-Repo-Commit"])
def test_a_hash_that_is_a_path_writes_no_file_there(
    faulty: tuple[LabHub, Caller], tmp_path: Path, header: str
) -> None:
    hub, caller = faulty
    call, match = REQUESTS["resolve"]
    hub.faults.clear()
    hub.faults.add(match, replace={header: str(tmp_path / "elsewhere")}, times=ALWAYS)
    said = checked("resolve", f"a path as {header}", caller.call(call))
    hub.faults.clear()
    assert f"answered with a `{header}` that is not a hash" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ELSEWHERE)
def test_a_hub_that_cannot_be_reached_is_one_line(
    faulty: tuple[LabHub, Caller], tmp_path: Path, where: str
) -> None:
    hub, _ = faulty
    endpoint = ELSEWHERE[where].format(host=hub.endpoint.removeprefix("http://"))
    caller = Caller(hub, endpoint, tmp_path)
    try:
        for call in ("listing", "info", "fetch", "range", "publish"):
            assert checked(call, where, caller.call(call)) != "done"
    finally:
        caller.close()


@pytest.mark.parametrize("request_", ["listing", "info", "tree", "resolve", "download", "range"])
def test_a_redirect_loop_is_one_line(faulty: tuple[LabHub, Caller], request_: str) -> None:
    hub, caller = faulty
    call, match = REQUESTS[request_]
    hub.faults.clear()
    hub.faults.add("loop", status=302, headers={"Location": "/loop"}, times=ALWAYS)
    hub.faults.add(match, status=302, headers={"Location": "/loop"}, times=ALWAYS)
    assert checked(request_, "a redirect loop", caller.call(call)) != "done"
    hub.faults.clear()
