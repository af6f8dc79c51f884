"""The raw responses of the Hub, where a client would report only that something went wrong."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hubscan.demo.hub import Hub, serve
from tests.hub import ALWAYS, LabHub

Answer = tuple[int, dict[str, str], bytes]
WEIGHTS = "/tester/plain-bert/resolve/main/model.safetensors"
CONFIG = "/tester/plain-bert/resolve/main/config.json"


def ask(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """Send one request without redirects or retries, and return the response with lower-case header names."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        got = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, got, answer.read()
    finally:
        connection.close()


def ask_json(url: str) -> Any:
    status, _, body = ask(url)
    assert status == 200, body
    return json.loads(body)


def test_head_has_the_headers_of_get(hub: LabHub) -> None:
    status, headers, nothing = ask(hub.endpoint + CONFIG, "HEAD")
    _, given, content = ask(hub.endpoint + CONFIG)
    assert (status, nothing) == (200, b"")
    assert int(headers["content-length"]) == len(content)
    assert headers["etag"] == given["etag"]
    assert headers["x-repo-commit"] == hub.repos["models", "tester/plain-bert"].head.sha


def test_a_large_file_is_served_from_another_origin_by_its_hash(hub: LabHub) -> None:
    status, headers, _ = ask(hub.endpoint + WEIGHTS, "HEAD")
    assert status == 302
    assert headers["location"].startswith(hub.cdn)
    assert urlsplit(hub.cdn).port != urlsplit(hub.endpoint).port
    _, there, content = ask(headers["location"])
    assert headers["x-linked-size"] == str(len(content)) == there["content-length"]
    assert headers["x-linked-etag"] == there["etag"]


@pytest.mark.parametrize(
    ("asked", "given"),
    [("bytes=2-5", slice(2, 6)), ("bytes=-7", slice(-7, None)), ("bytes=10-", slice(10, None))],
)
def test_a_range_gives_just_these_bytes(hub: LabHub, asked: str, given: slice) -> None:
    _, _, whole = ask(hub.endpoint + CONFIG)
    status, headers, part = ask(hub.endpoint + CONFIG, Range=asked)
    first, last = range(len(whole))[given][0], range(len(whole))[given][-1]
    assert (status, part) == (206, whole[given])
    assert headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"


def test_a_range_beyond_the_end_is_416(hub: LabHub) -> None:
    status, headers, body = ask(hub.endpoint + CONFIG, Range="bytes=99999-")
    size = hub.repos["models", "tester/plain-bert"].head.files["config.json"].size
    assert (status, headers["content-range"], body) == (416, f"bytes */{size}", b"")


def test_a_missing_file_still_names_the_commit(hub: LabHub) -> None:
    status, headers, _ = ask(f"{hub.endpoint}/tester/plain-bert/resolve/main/nothing.txt", "HEAD")
    assert (status, headers["x-error-code"]) == (404, "EntryNotFound")
    assert headers["x-repo-commit"] == hub.repos["models", "tester/plain-bert"].head.sha


def test_no_path_leads_out_of_a_repository(hub: LabHub) -> None:
    for path in ("../blind-bert/config.json", "%2e%2e/blind-bert/config.json", "//etc/passwd"):
        status, headers, _ = ask(f"{hub.endpoint}/tester/plain-bert/resolve/main/{path}")
        assert (status, headers["x-error-code"]) == (404, "EntryNotFound")


def test_a_plain_row_lacks_what_only_expand_gives(hub: LabHub) -> None:
    extra = ("sha", "safetensors", "gated", "config", "cardData")
    query = f"{hub.endpoint}/api/models?search=plain-bert"
    [plain] = ask_json(query)
    [asked] = ask_json(query + "".join(f"&expand={field}" for field in extra))
    assert not set(extra) & set(plain)
    assert set(asked) == {"_id", "id", "modelId", *extra}


def test_every_row_is_on_exactly_one_page(own_hub: LabHub) -> None:
    own_hub.page_rows = 4
    ids, address = [], f"{own_hub.endpoint}/api/models?sort=downloads&filter=bert"
    pages = 0
    while address:
        _, headers, body = ask(address)
        ids += [row["id"] for row in json.loads(body)]
        address = headers.get("link", "").partition(">")[0].removeprefix("<")
        pages += 1
    everything = ask_json(f"{own_hub.endpoint}/api/models?sort=downloads&filter=bert&limit=4")
    assert pages == -(-len(ids) // 4) > 2
    assert len(ids) == len(set(ids))
    assert [row["id"] for row in everything] == ids[:4]


def test_an_unknown_order_is_refused(hub: LabHub) -> None:
    status, headers, _ = ask(f"{hub.endpoint}/api/models?sort=beauty")
    assert status == 400
    assert "sort" in headers["x-error-message"]


def test_a_quoted_slash_belongs_to_the_revision(own_hub: LabHub) -> None:
    repo = own_hub.repos["models", "tester/plain-bert"]
    repo.refs["refs/pr/1"] = repo.head
    sha = own_hub.commit("models", "tester/plain-bert", {"new.txt": b"new"}, branch="refs/pr/1")
    base = f"{own_hub.endpoint}/tester/plain-bert/resolve"
    assert ask(f"{base}/refs%2Fpr%2F1/new.txt")[1]["x-repo-commit"] == sha
    assert ask(f"{base}/main/new.txt")[0] == 404


def test_paths_info_leaves_out_what_is_not_there(hub: LabHub) -> None:
    url = f"{hub.endpoint}/api/models/tester/sentence-bert/paths-info/main"
    form = b"paths=config.json&paths=1_Pooling&paths=nothing"
    _, _, body = ask(url, "POST", form)
    assert [(row["type"], row["path"]) for row in json.loads(body)] == [
        ("file", "config.json"),
        ("directory", "1_Pooling"),
    ]


def test_a_tree_shows_folders_and_a_missing_one_is_404(hub: LabHub) -> None:
    tree = f"{hub.endpoint}/api/models/tester/sentence-bert/tree/main"
    flat = {row["path"]: row["type"] for row in ask_json(tree)}
    deep = {row["path"]: row["type"] for row in ask_json(f"{tree}?recursive=true")}
    assert flat["1_Pooling"] == "directory"
    assert "1_Pooling/config.json" not in flat
    assert deep == flat | {"1_Pooling/config.json": "file"}
    assert ask(f"{tree}/nothing")[1]["x-error-code"] == "EntryNotFound"


def test_a_moved_name_is_sent_on_with_its_query(hub: LabHub) -> None:
    for path in ("/api/datasets/reviews/revision/main?blobs=true", "/datasets/reviews/resolve/main/a"):
        status, headers, _ = ask(hub.endpoint + path)
        assert (status, headers["location"]) == (307, path.replace("/reviews", "/tester/reviews"))


def test_the_same_files_have_the_same_commit_and_others_another(tmp_path: Path) -> None:
    hub = Hub()
    shas = []
    for name, content in (("one", "same"), ("two", "same"), ("three", "other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(content)
        shas.append(hub.add_folder("models", "org/name", tmp_path / name).head.sha)
    assert shas[0] == shas[1] != shas[2]
    assert len(shas[0]) == 40


def test_what_was_served_is_on_record(own_hub: LabHub) -> None:
    ask(own_hub.endpoint + CONFIG, Range="bytes=0-9", Authorization="Bearer hf_good")
    [one] = own_hub.requests
    assert (one.method, one.path, one.status, one.body_bytes) == ("GET", CONFIG, 206, 10)
    assert (one.range, one.authorization) == ("bytes=0-9", "Bearer hf_good")
    assert "hf_good" not in repr(one)


def test_a_fault_affects_the_given_number_of_requests(own_hub: LabHub) -> None:
    own_hub.faults.add("GET .*config.json", times=2, status=429, headers={"Retry-After": "1"})
    statuses = [ask(own_hub.endpoint + CONFIG)[0] for _ in range(3)]
    assert statuses == [429, 429, 200]
    assert ask(own_hub.endpoint + CONFIG, "HEAD")[0] == 200


def test_a_dropped_connection_and_a_body_cut_short(own_hub: LabHub) -> None:
    own_hub.faults.add("HEAD", drop=True)
    own_hub.faults.add("GET", truncate=10)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(own_hub.endpoint + CONFIG, "HEAD")
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(own_hub.endpoint + CONFIG)
    assert len(cut.value.partial) == 10
    assert [(one.status, one.body_bytes) for one in own_hub.requests] == [(0, 0), (200, 10)]


def test_a_delay_delays_nobody_else(own_hub: LabHub) -> None:
    own_hub.faults.add("slow", times=ALWAYS, delay=0.3)
    started = time.monotonic()
    ask(f"{own_hub.endpoint}/api/models/tester/plain-bert")
    assert time.monotonic() - started < 0.3
    ask(f"{own_hub.endpoint}/api/models/tester/slow-bert")
    assert time.monotonic() - started >= 0.3


def test_the_demo_hub_takes_any_token_and_writes_nothing(hub_root: Path) -> None:
    with serve(hub_root) as hub:
        assert ask(hub.endpoint + CONFIG, Authorization="Bearer whatever")[0] == 200
        assert ask(f"{hub.endpoint}/api/whoami-v2", Authorization="Bearer whatever")[0] == 401
        assert ask(f"{hub.endpoint}/api/repos/create", "POST", b"{}")[0] in (404, 405)
    with pytest.raises(ConnectionError):
        ask(hub.endpoint + CONFIG)


def test_a_hub_starts_at_once(hub_root: Path) -> None:
    started = time.monotonic()
    with serve(hub_root) as hub:
        ask(f"{hub.endpoint}/api/models/tester/plain-bert")
        assert time.monotonic() - started < 0.5
