"""Have a helper score stored features, and start another one if that ends."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from pydantic import TypeAdapter

from hubscan import fusion
from hubscan.feature_store import FeatureStore
from hubscan.helper import Ended, Helper
from hubscan.processes import DAMAGED
from hubscan.records import Candidate, Ranked, Scored, ScoringRequest, Skipped
from hubscan.records.joined import STAGE
from hubscan.run import Run
from hubscan.started import SCORES

log = logging.getLogger(__name__)

KINDS: Final[dict[str, type[Scored | Skipped]]] = {"scored": Scored, "skipped": Skipped}


class Scorer:
    """A process that scores what a run has stored. What ends it costs one checkpoint its score."""

    def __init__(self, run: Run, store: FeatureStore, request: ScoringRequest) -> None:
        """Start nothing yet.

        Args:
            run: has the sample.
            store: has the features.
            request: which metrics to compute.
        """
        self._run, self._store, self._request = run, store, request
        self._helper: Helper | None = None

    def start(self) -> None:
        """Start the process, whose imports then overlap with the work before it is needed."""
        if self._helper is not None:
            return
        self._helper = Helper(SCORES, self._run.recipe.stall_seconds)
        draw = self._run.lock.draw
        self._helper.send(
            folder=str(self._run.folder),
            rows=draw.rows,
            fingerprint=draw.fingerprint,
            store=self._store.place,
            scoring=asdict(self._request),
        )

    def scored(self, scored: Scored) -> Scored | Skipped:
        """Return *scored* with other scores, of the features that it is based on.

        Raises:
            HubscanError: if the run folder does not have its sample.
        """
        assert isinstance(scored.candidate, Candidate), "a joined pair"
        try:
            found = self._asked("score", [scored])
            if found.identity != scored.identity:
                raise self._damaged()
        except Ended as error:
            return Skipped.of(scored.candidate, "score", str(error))
        return found

    def joined(self, results: Sequence[Scored | Skipped]) -> Scored | Skipped:
        """Return the score of the joined best checkpoints of each modality among *results*.

        Raises:
            HubscanError: if the run folder does not have its sample.
        """
        parts = fusion.best_parts(results)
        try:
            return self._asked("join", parts)
        except Ended as error:
            return Skipped(fusion.name_of(parts), None, STAGE, str(error))

    def write_head(self, entry: Ranked) -> None:
        """Write the linear head of *entry* to the run folder, if it can be computed.

        Raises:
            HubscanError: if the file cannot be written.
        """
        try:
            self._answer("head", [entry.scored], ("stored",), self._run.head_name(entry))
        except Ended as error:
            log.warning("%s: its linear head is not stored: %s", entry.name, error)

    def close(self) -> None:
        """End the process; may be called twice."""
        if self._helper is not None:
            self._helper.close()
            self._helper = None

    def _asked(self, task: str, results: Sequence[Scored]) -> Scored | Skipped:
        message = self._answer(task, results, tuple(KINDS))
        try:
            kind = KINDS[message["kind"]]
            found: Scored | Skipped = TypeAdapter(kind).validate_python(message["result"])
        except (LookupError, ValueError) as error:
            raise self._damaged() from error
        return found

    def _answer(
        self, task: str, results: Sequence[Scored], kinds: Sequence[str], head: str = ""
    ) -> dict[str, Any]:
        self.start()
        assert self._helper is not None
        plain = [asdict(replace(result, left_out={})) for result in results]
        self._helper.send(task=task, results=plain, head=head)
        try:
            return self._helper.answer(*kinds)
        except Ended:
            self.close()  # the next task starts another
            raise

    def _damaged(self) -> Ended:
        self.close()
        return Ended(DAMAGED)
