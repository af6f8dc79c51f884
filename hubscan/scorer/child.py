"""Score stored features in this process.

    python -m hubscan.scorer.child

The parent first sends which sample, feature store and metrics to use, and then one task after the other. Each
answer is "scored" or "skipped", or, for a linear head, "stored".
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hubscan import allowance, fusion, heads, run_files
from hubscan.feature_store import FeatureStore, open_store
from hubscan.helper.child import limit_memory, requests, serve
from hubscan.processes import Messages
from hubscan.records import Sample, Scored, ScoringRequest, Skipped
from hubscan.run_labels import labels_in
from hubscan.scorer.stored import again
from hubscan.scores.blas import reserve_buffers


@dataclass(frozen=True)
class _Scoring:
    folder: Path  # of the run
    sample: Sample
    store: FeatureStore
    request: ScoringRequest

    @classmethod
    def of(cls, setup: dict[str, Any]) -> _Scoring:
        folder = Path(setup["folder"])
        sample = labels_in(folder, setup["rows"], setup["fingerprint"])
        request = TypeAdapter(ScoringRequest).validate_python(setup["scoring"])
        return cls(folder, sample, open_store(setup["store"]), request)

    def done(self, task: str, results: list[Scored], head: str) -> Scored | Skipped | None:
        """Do one task, about one result or the two to be joined; *head* is the name of a file."""
        match task:
            case "score":
                return again(results[0], self.request, self.sample, self.store, self.folder)
            case "join":
                return fusion.joined(results, self.sample, self.request, self.store)
            case "head":
                content = heads.head_of(results[0], self.sample, self.store)
                if content is not None:
                    run_files.write_whole(self.folder, head, content)
                return None
            case unknown:
                raise ValueError(unknown)


def _work(say: Messages) -> None:
    asked = requests()
    setup = next(asked, None)
    if setup is None:
        return
    reserve_buffers()
    limit_memory(say, allowance.BESIDES)
    scoring = _Scoring.of(setup)
    for one in asked:
        result = scoring.done(
            one["task"], TypeAdapter(list[Scored]).validate_python(one["results"]), one["head"]
        )
        if result is None:
            say("stored")
        else:
            say(type(result).__name__.lower(), result=asdict(result))


if __name__ == "__main__":
    serve(_work)
