"""The draw from S3, over the HTTP of a server that speaks it: `pip install --group s3`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hubscan import recipe
from hubscan.errors import DatasetError
from hubscan.records import Sample
from hubscan.sample import draw
from tests.support.files import CSV, LONG, ROWS, parquet, tar

s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
moto = pytest.importorskip("moto.server", reason="moto[server] is not installed")

FILES = {"rows.csv": CSV, "long.csv": LONG, "a.parquet": parquet(), "b.parquet": parquet(), "rows.tar": tar()}


def drawn(dataset: str, **keys: Any) -> Sample:
    return draw(recipe.resolve({"dataset": dataset, "samples": 20, **keys}).sample_request)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "any")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        system = s3fs.S3FileSystem(use_listings_cache=False)
        system.mkdir("rows")
        for name, content in FILES.items():
            system.pipe(f"rows/{name}", content)
        yield "s3://rows"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.mark.parametrize(
    ("name", "seen"), [("rows.csv", ROWS), ("long.csv", 30_000), ("*.parquet", 600), ("rows.tar", 60)]
)
def test_rows_are_drawn_from_s3(bucket: str, name: str, seen: int) -> None:
    found = drawn(f"{bucket}/{name}").draw
    assert found.rows_seen == seen and found.rows == 20 and found.revision.startswith("url:")
    assert found.bytes_read > 0 and found.requests > 0


def test_the_budget_holds_on_s3(bucket: str) -> None:
    found = drawn(f"{bucket}/long.csv", max_bytes="1MB").draw
    assert found.rows_seen < 30_000 and "--max-bytes" in found.notes[0]


def test_what_s3_says_is_one_line(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in (f"{bucket}/gone.csv", f"{bucket}/gone.parquet", "s3://no-such-bucket/*.parquet"):
        with pytest.raises(DatasetError) as refused:
            drawn(address)
        assert address in str(refused.value) and "\n" not in str(refused.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(DatasetError, match="Could not connect to the endpoint"):
        drawn(f"{bucket}/long.csv")
