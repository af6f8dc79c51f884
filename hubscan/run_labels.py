"""Read the labels of a run's sample."""

from __future__ import annotations

from pathlib import Path

from hubscan import run_files, sample_file
from hubscan.errors import RunError
from hubscan.records import Sample
from hubscan.run import SAMPLE, Run


def labels_of(run: Run) -> Sample:
    """Return the sample of *run* without its inputs.

    Raises:
        RunError: if the run folder does not contain it, or contains another one.
    """
    return labels_in(run.folder, run.lock.draw.rows, run.lock.draw.fingerprint)


def labels_in(folder: Path, rows: int, fingerprint: str) -> Sample:
    """Return the sample in the run *folder*, which must have these *rows* and this *fingerprint*.

    Raises:
        RunError: if it is missing, damaged, or another one.
    """
    again = "scan again with --fresh"
    try:
        with run_files.opened(folder, SAMPLE) as file:
            sample = sample_file.read(file, rows=rows)
    except FileNotFoundError as error:
        raise RunError(f"{folder}: {SAMPLE} is missing, and with it the labels; {again}") from error
    except sample_file.Damaged as error:
        raise RunError(f"{folder / SAMPLE}: damaged ({error}); {again}") from error
    if sample.draw.fingerprint != fingerprint:
        raise RunError(f"{folder / SAMPLE}: not the sample of this run; {again}")
    return sample
