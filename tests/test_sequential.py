"""csv, tsv and jsonl at a URL: one pass over real HTTP, and over whatever else fsspec knows."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pytest

from hubscan import recipe
from hubscan.errors import DatasetError, HubError
from hubscan.records import Sample
from hubscan.sample import draw
from tests.support.files import CSV, LONG, ROWS
from tests.support.serving import serving


def drawn(dataset: object, **keys: Any) -> Sample:
    return draw(recipe.resolve({"dataset": str(dataset), "samples": 20, **keys}).sample_request)


@dataclass
class Site:
    """A server of files that does as it is told."""

    files: dict[str, bytes]
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    etag: str | None = '"v1"'
    length: bool = True
    requests: list[Mapping[str, str]] = field(default_factory=list)
    on_break: Callable[[Site], None] = lambda site: None
    url: str = ""


class Files(BaseHTTPRequestHandler):
    """Answers for a `Site`."""

    def __init__(self, site: Site, *connection: Any) -> None:
        self.site = site
        super().__init__(*connection)

    def do_GET(self) -> None:
        self.site.requests.append(dict(self.headers))
        if self.path.startswith("/moved/"):
            self._say(302, {"Location": self.path.removeprefix("/moved")})
        elif self.path not in self.site.files:
            self._say(404, {})
        else:
            self._send(self.site.files[self.path])

    def _send(self, content: bytes) -> None:
        start = self._start()
        body = content[start or 0 :]
        headers = {"ETag": self.site.etag} if self.site.etag else {}
        if self.site.length:
            headers["Content-Length"] = str(len(body))
        if start is not None:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._say(200 if start is None else 206, headers)
        if self.site.breaks:
            self.wfile.write(body[: self.site.breaks.pop(0)])
            self.site.on_break(self.site)
        else:
            self.wfile.write(body)

    def _start(self) -> int | None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", self.site.etag) == self.site.etag
        return int(asked[1]) if asked and self.site.ranges and same else None

    def _say(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    found = Site({"/rows.csv": CSV, "/long.csv": LONG})
    monkeypatch.setattr("hubscan.hub.stream.time.sleep", lambda seconds: None)
    with serving(partial(Files, found)) as found.url:
        yield found


def forms() -> dict[str, bytes]:
    rows = [{"text": f"row {i}", "label": "ab"[i % 2], "meta": {"n": [i]}} for i in range(ROWS)]
    tsv = "\n".join(["text\tlabel", *(f"row {i}\t{'ab'[i % 2]}" for i in range(ROWS))]).encode()
    jsonl = "\n".join(map(json.dumps, rows)).encode()
    return {
        "rows.csv": CSV,
        "bom.csv": b"\xef\xbb\xbf" + CSV,
        "windows.csv": CSV.replace(b"\n", b"\r\n"),
        "rows.csv.gz": gzip.compress(CSV),
        "packed-by-the-server.csv": gzip.compress(CSV),
        "rows.tsv": tsv,
        "rows.tsv.gz": gzip.compress(tsv),
        "rows.jsonl": jsonl,
        "bom.jsonl": b"\xef\xbb\xbf" + jsonl,
        "rows.jsonl.gz": gzip.compress(jsonl),
        "list.json": json.dumps(rows).encode(),
        "rows.arrow": arrow(rows),
    }


def arrow(rows: list[dict[str, Any]]) -> bytes:
    stored = pa.BufferOutputStream()
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(stored, table.schema) as writer:
        writer.write_table(table, max_chunksize=64)
    content: bytes = stored.getvalue().to_pybytes()
    return content


@pytest.mark.parametrize("name", forms())
def test_a_file_gives_the_same_rows_over_http_in_memory_and_on_this_disk(
    site: Site, tmp_path: Path, name: str
) -> None:
    content = forms()[name]
    site.files[f"/{name}"] = content
    fsspec.filesystem("memory").pipe(f"/passages/{name}", content)
    web, memory = drawn(f"{site.url}/{name}"), drawn(f"memory://passages/{name}")
    assert web.draw.classes == {"a": 10, "b": 10} and web.draw.rows_seen == ROWS
    assert web.draw.columns == {"text": "text", "label": "label"} and web.draw.notes == ()
    assert web.inputs == memory.inputs and np.array_equal(web.row_ids, memory.row_ids)
    assert all(f"row {i}" in str(text) for i, text in zip(web.row_ids, web.inputs["text"], strict=True))
    assert (web.draw.bytes_read, web.draw.requests) == (len(content), 1)
    assert not web.draw.local and memory.draw.bytes_read >= len(content)
    if name not in ("packed-by-the-server.csv", "bom.jsonl"):  # what the name does not tell, the disk has not
        (tmp_path / name).write_bytes(content)
        assert drawn(tmp_path / name).inputs == web.inputs


def test_a_server_without_ranges_serves_its_file_once(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(CSV)

    class Plain(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with serving(lambda *given: Plain(*given, directory=str(tmp_path))) as url:
        assert drawn(f"{url}/rows.csv").draw.rows_seen == ROWS


def test_a_redirect_is_followed_and_counted(site: Site) -> None:
    sample = drawn(f"{site.url}/moved/rows.csv")
    assert sample.draw.rows_seen == ROWS and sample.draw.requests == 2
    assert sample.draw.bytes_read == len(CSV)


@pytest.mark.parametrize("length", [True, False])
def test_a_broken_connection_is_taken_up_where_it_broke(site: Site, length: bool) -> None:
    whole = drawn(f"{site.url}/long.csv")
    site.breaks, site.length = [100_000, 1_500_000, 0], length
    if not length:
        # Without a length an answer that ends looks whole: nobody could tell.
        site.breaks = []
    broken = drawn(f"{site.url}/long.csv")
    assert broken.inputs == whole.inputs and broken.draw.fingerprint == whole.draw.fingerprint
    assert broken.draw.bytes_read == len(LONG)
    if length:
        assert [one.get("Range") for one in site.requests[1:]] == [
            None,
            "bytes=100000-",
            "bytes=1600000-",
            "bytes=1600000-",
        ]
        assert all(one["If-Range"] == '"v1"' for one in site.requests[2:])


def test_what_cannot_be_taken_up_is_said(site: Site) -> None:
    site.ranges, site.breaks = False, [100_000]
    with pytest.raises(HubError, match=r"long.csv: the connection broke after 100000 bytes.*download it"):
        drawn(f"{site.url}/long.csv")


def test_a_file_that_changes_between_two_answers_is_never_put_together(site: Site) -> None:
    site.breaks = [100_000]
    site.on_break = lambda site: setattr(site, "etag", '"v2"')
    with pytest.raises(HubError, match="did not resume the same file"):
        drawn(f"{site.url}/long.csv")


def test_a_server_that_always_breaks_off_is_given_up(site: Site) -> None:
    site.breaks = [1000] * 100
    with pytest.raises(HubError, match="after 5 tries"):
        drawn(f"{site.url}/long.csv")
    assert len(site.requests) <= 6


def test_the_budget_ends_the_pass_and_what_was_not_seen_is_said(site: Site) -> None:
    part = drawn(f"{site.url}/long.csv", max_bytes="1MB").draw
    assert 0 < part.rows_seen < 30_000 and part.bytes_read < len(LONG)
    assert "--max-bytes" in part.notes[0] and f"{part.rows_seen:,} rows" in part.notes[0]
    site.breaks = [300_000]
    assert drawn(f"{site.url}/long.csv", max_bytes="1MB").draw.fingerprint == part.fingerprint


def test_a_group_column_comes_with_the_rows_of_one_pass(site: Site) -> None:
    lines = [f"row {i},{'ab'[i % 2]},{i % 7 or ''}" for i in range(ROWS)]
    site.files["/patients.csv"] = "\n".join(["text,label,patient", *lines, ""]).encode()
    sample = drawn(f"{site.url}/patients.csv", group_column="patient")
    names = [row % 7 or f"no patient, row {row}" for row in sample.row_ids.tolist()]
    assert sample.groups is not None and sample.draw.group_count == len(set(names))
    assert sample.groups.tolist() == [list(dict.fromkeys(names)).index(name) for name in names]


def test_the_revision_tells_whether_the_data_is_the_same(site: Site) -> None:
    def revision(**keys: Any) -> str:
        return drawn(f"{site.url}/long.csv", **keys).draw.revision

    whole, part = revision(), revision(max_bytes="1MB")
    site.etag = '"another server says so"'
    assert revision() == whole, "all was read, and it is the same to the byte"
    assert revision(max_bytes="1MB") != part, "the rest was not seen, and may be another"
    site.etag = '"v1"'
    assert revision(max_bytes="1MB") == part
    site.files["/long.csv"] = LONG[:-10] + b"y" * 8 + LONG[-2:]
    assert revision() != whole
    assert revision(max_bytes="1MB") == part, "same length, same tag: nobody could tell"
    site.files["/long.csv"] = b"text,label\nno row,a\n" + LONG[11:]
    assert revision(max_bytes="1MB") != part


def test_several_files_are_one_split(site: Site) -> None:
    site.files |= {f"/{i:02}.csv": CSV for i in range(3)}
    sample = drawn(f"{site.url}/{{00..02}}.csv")
    assert sample.draw.rows_seen == 3 * ROWS and sample.draw.requests == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html>\n<html><body>log in</body></html>", "this is a web page"),
        (b"", "rows.csv"),
        (b"text,label\n", "the split has no rows"),
        (b'text,label\n"never closed,a\nb,c\n', "rows.csv"),
        (b"text,label\na,b\nc,d,e,f\n", "rows.csv, line 3: 4 fields, but the header has 2"),
        (b"text,label\n\xff\xfe,a\n", "rows.csv, line 2, column 'text': the byte 0xFF is not UTF-8"),
        (gzip.compress(CSV)[:-200], "rows.csv: cannot be read"),
        (gzip.compress(CSV)[:200] + b"x" * 300, "rows.csv: cannot be read"),
        (b"\x00" * 1000, "rows.csv"),
    ],
    ids=[
        "web page",
        "empty",
        "no rows",
        "open quote",
        "too many cells",
        "not UTF-8",
        "cut gzip",
        "bad gzip",
        "zeros",
    ],
)
def test_what_is_no_csv_is_named_in_one_line(site: Site, content: bytes, said: str) -> None:
    site.files["/rows.csv"] = content
    with pytest.raises((DatasetError, HubError), match=said) as refused:
        drawn(f"{site.url}/rows.csv")
    assert "\n" not in str(refused.value) and site.url in str(refused.value)


def test_what_is_not_there_is_named_in_one_line(site: Site) -> None:
    with pytest.raises(HubError, match=r"gone.csv: cannot be read: status 404"):
        drawn(f"{site.url}/gone.csv")
    with pytest.raises(DatasetError, match=r"none.csv: no such file"):
        drawn("memory://passages/none.csv")
    with pytest.raises(HubError, match=r"127.0.0.1:9/x.csv: cannot be read after 5 tries"):
        drawn("http://127.0.0.1:9/x.csv")


def test_types_that_change_on_the_way_are_said(site: Site) -> None:
    lines = ["text,label", *(f"t{i},{i % 2}" for i in range(20_000)), *(f"t{i},word" for i in range(10))]
    site.files["/rows.csv"] = "\n".join(lines).encode()
    with pytest.raises(DatasetError, match="line 20002, column 'label': 'word' is not an integer"):
        drawn(f"{site.url}/rows.csv")
