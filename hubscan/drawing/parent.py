"""Have a helper draw the sample."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from hubscan import sample_file
from hubscan.drawing.names import LABELS, WITH_INPUTS
from hubscan.errors import DatasetError
from hubscan.helper import Ended, Helper
from hubscan.processes import DAMAGED
from hubscan.records import Modality, Sample, SampleRequest
from hubscan.secret_text import without_secrets
from hubscan.started import DRAWS

ADVICE: Final = "convert the data, or pass a smaller part of it"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sample on disk, of which only the labels are in memory."""

    sample: Sample  # with the modalities, but no inputs
    file: Path  # with the inputs
    examples: tuple[str, ...]  # two rows in words


class Drawing:
    """The process that draws one sample."""

    def __init__(self, request: SampleRequest, place: Path, stall_seconds: float) -> None:
        """Give the request to a process.

        Args:
            request: which rows to draw.
            place: a folder for the sample's files.
            stall_seconds: the process is ended when it stands still for longer.
        """
        self._name = without_secrets(str(request.dataset))
        self._place = place
        self._helper = Helper(DRAWS, stall_seconds)
        self._helper.send(place=str(place.absolute()), request=asdict(request))

    def opened(self) -> None:
        """Return once the dataset is open and its columns are known.

        Raises:
            HubscanError: what was raised in the process, or why it ended.
        """
        self._answer("opened")

    def drawn(self) -> Drawn:
        """Return what was drawn, once it is on disk.

        Raises:
            HubscanError: what was raised in the process, or why it ended.
        """
        message = self._answer("drawn")
        try:
            sample = sample_file.read(self._place / LABELS)
            modalities: list[Modality] = message["modalities"]
            examples = tuple(map(str, message["examples"]))
        except (LookupError, TypeError, ValueError, OSError) as error:
            raise self._failed(DAMAGED) from error
        sample = replace(sample, inputs=dict.fromkeys(modalities, ()))
        return Drawn(sample, self._place / WITH_INPUTS, examples)

    def close(self) -> None:
        """End the process; may be called twice."""
        self._helper.close()

    def _answer(self, kind: str) -> dict[str, Any]:
        try:
            return self._helper.answer(kind)
        except Ended as error:
            raise self._failed(str(error)) from error

    def _failed(self, reason: str) -> DatasetError:
        return DatasetError(f"{self._name}: cannot be read: {reason}; {ADVICE}")
