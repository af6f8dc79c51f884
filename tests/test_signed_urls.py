"""A URL that is signed is read, and its signature is written nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from hubscan.cli.runs import default_folder
from hubscan.errors import HubscanError
from hubscan.recipe import Recipe
from hubscan.records import SampleRequest
from hubscan.sample import open_dataset
from hubscan.sample.sources.source import public_name
from tests.support.fault_table import record
from tests.support.serving import serving

SECRET = "c2lnbmF0dXJl"
ROWS = b"text,label\n" + b"".join(b"row %d,%s\n" % (n, (b"a", b"b")[n % 2]) for n in range(80))


class Signed(BaseHTTPRequestHandler):
    """Answers requests with any signature that contains the secret."""

    def do_GET(self) -> None:
        allowed = SECRET in self.path
        self.send_response(200 if allowed else 403)
        body = ROWS if allowed else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with serving(Signed) as url:
        yield url


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("hubscan.sample.kept.asked_cache_folder", lambda: tmp_path)
    return tmp_path


def asked(url: str) -> SampleRequest:
    return SampleRequest(url, samples=40)


def test_a_signature_is_in_no_description_and_no_cache(site: str, cache: Path) -> None:
    found = open_dataset(asked(f"{site}/x.csv?X-Amz-Signature={SECRET}")).draw()
    assert found.draw.dataset == f"{site}/x.csv"
    assert SECRET not in json.dumps(asdict(found.draw))
    kept = [file for file in cache.rglob("*") if file.is_file()]
    assert kept
    assert not any(SECRET.encode() in file.read_bytes() or SECRET in file.name for file in kept)
    record("secrets", "--dataset URL?X-Amz-Signature=…", "ranked; the results name the URL without the query")


def test_a_new_signature_gives_the_same_sample(site: str, cache: Path) -> None:
    first, again = (
        open_dataset(asked(f"{site}/x.csv?X-Amz-Signature={SECRET}{n}")).draw().draw for n in range(2)
    )
    assert (first.fingerprint, first.revision) == (again.fingerprint, again.revision)
    record("secrets", "a dataset whose URL is signed again", "the same rows and revision")


def test_a_resume_uses_the_rows_that_were_kept(site: str, cache: Path) -> None:
    found = open_dataset(asked(f"{site}/x.csv?sig={SECRET}")).draw().draw
    repeated = replace(asked(found.dataset), revision=found.revision)
    assert open_dataset(repeated).draw().draw.fingerprint == found.fingerprint
    record("secrets", "a resume of a scan whose URL was signed", "continues with the rows in the cache")


def test_a_resume_without_kept_rows_asks_for_the_url(site: str, cache: Path) -> None:
    with pytest.raises(HubscanError, match="pass it with a new signature") as refused:
        open_dataset(replace(asked(f"{site}/x.csv"), revision="url:0"))
    assert "\n" not in str(refused.value)
    record("secrets", "a resume of such a scan without the cache", str(refused.value))


def test_another_scan_of_a_url_that_is_refused_does_not_use_kept_rows(site: str, cache: Path) -> None:
    open_dataset(asked(f"{site}/x.csv?sig={SECRET}")).draw()
    with pytest.raises(HubscanError, match="403"):
        open_dataset(asked(f"{site}/x.csv"))


@pytest.mark.parametrize(
    "url", ["https://host/x.csv?sig={}", "https://host/x.csv#{}", "https://{}@host/x.csv"]
)
def test_a_run_folder_is_not_named_after_a_secret(url: str) -> None:
    secret_url = url.format(SECRET)
    name = default_folder(Recipe(dataset=secret_url)).name
    assert name.startswith("x-") and SECRET not in name
    assert public_name(secret_url) == "https://host/x.csv"
    record(
        "secrets", f"--dataset {url.format('SECRET')}", "in no result, and not in the name of the run folder"
    )


@pytest.mark.parametrize("url", ["http://[::1/x.csv", f"http://me:{SECRET}/x@host/x.csv", "http://me@h℀st/x"])
def test_the_host_of_a_url_is_checked(url: str) -> None:
    with pytest.raises(HubscanError, match="not a valid URL") as raised:
        public_name(url)
    assert SECRET not in str(raised.value) and "me@" not in str(raised.value)


@pytest.mark.parametrize("address", ["s3://bucket/a?b#c.csv", "file:///data/a?b.csv", "data/a?b.csv"])
def test_other_addresses_stay_as_they_are(address: str) -> None:
    assert public_name(address) == address
