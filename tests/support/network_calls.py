"""Make the calls that read from a Hub or write to it, one for each line of stdin, and print what came of it.

python -m tests.support.network_calls RUN
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from huggingface_hub import _tree_cache, constants

from hubscan.errors import HubscanError
from hubscan.hub import listing, ranges, transfer
from hubscan.hub.fetch import fetch
from hubscan.hub.ranges import RemoteFile
from hubscan.publish.upload import publish
from hubscan.records import Candidate, Query, Skipped
from hubscan.run import load_run

MODEL: Final = "tester/plain-bert"
_sleep = time.sleep


def main(run: str, candidate: str, file: str) -> None:
    """Answer every line with "done", or the message of the error in one line."""
    model, revision = candidate.split("@")

    def searched() -> Any:
        return list(listing.search(Query(limit=2), "text"))

    def informed() -> Any:
        return list(listing.named([MODEL], Query(), "text"))

    def fetched() -> Any:
        shutil.rmtree(constants.HF_HUB_CACHE, ignore_errors=True)
        _tree_cache._IN_MEMORY_TREE_CACHE.clear()
        return fetch(Candidate(model, revision, "text"))

    def read() -> Any:
        content = RemoteFile(file).read(0, 2000)
        assert len(content) == 2000, f"{len(content)} bytes"
        return content

    def published() -> Any:
        return publish(load_run(run), "tester/ranking")

    calls: dict[str, Callable[[], Any]] = {
        "listing": searched, "info": informed, "fetch": fetched, "range": read, "publish": published,
    }  # fmt: skip
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_outcome(calls[line.strip()])), flush=True)


def _outcome(call: Callable[[], Any]) -> dict[str, Any]:
    begun = time.monotonic()
    listing._unreachable_at = -listing.FORGIVING_SECONDS  # each call asks anew
    try:
        result = call()
        skipped = (
            [one.reason for one in result if isinstance(one, Skipped)] if isinstance(result, list) else []
        )
        said, kind = (skipped[0], "Skipped") if skipped else ("done", "")
    except HubscanError as error:
        said, kind = str(error), type(error).__name__
    except Exception as error:  # what would be a traceback for the user
        said, kind = f"{type(error).__name__}: {error}", "traceback"
    return {"said": said, "kind": kind, "seconds": time.monotonic() - begun}


if __name__ == "__main__":
    # Waiting between tries is what takes time; that it is done is tested elsewhere.
    time.sleep = lambda seconds: _sleep(min(float(seconds), 0.02))
    transfer.READ_SECONDS.update(dict.fromkeys(transfer.READ_SECONDS, 1.0))
    transfer.WRITE_SECONDS = 1.0  # type: ignore[misc]
    ranges.TIMEOUT_SECONDS = 1.0  # type: ignore[misc]
    constants.HF_HUB_DOWNLOAD_TIMEOUT = constants.HF_HUB_ETAG_TIMEOUT = 1
    main(*sys.argv[1:])
