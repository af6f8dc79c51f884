"""The faults. Python imports this module at start if its folder is on PYTHONPATH; see the package."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import hubscan.guard
from hubscan.guard import Enter, Report
from hubscan.records import Candidate, Skipped

T = TypeVar("T")
Fault = Callable[[Path, Report], None]
_guarded = hubscan.guard.guarded


def crash(folder: Path, report: Report) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def killed(folder: Path, report: Report) -> None:
    os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory runs out


def late_crash(folder: Path, report: Report) -> None:
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGSEGV)).start()


def out_of_memory(folder: Path, report: Report) -> None:
    raise MemoryError


def hungry(folder: Path, report: Report) -> None:
    import torch

    torch.ones(2_000_000_000)


def aborts(folder: Path, report: Report) -> None:
    import ctypes

    sys.stderr.write("terminate called after throwing an instance of 'std::bad_alloc'\n")
    sys.stderr.flush()
    assert ctypes.CDLL(None).malloc(ctypes.c_size_t(8_000_000_000)) == 0
    os.abort()


def busy(folder: Path, report: Report) -> None:
    while True:
        pass


def hang(folder: Path, report: Report) -> None:
    threading.Event().wait()


def endless(folder: Path, report: Report) -> None:
    while True:
        report("embed", 1, 2)
        time.sleep(0.01)


def meet(folder: Path, report: Report) -> None:
    """Wait until all other candidates have also reached this point, so that all run at the same time."""
    (folder / "met").write_text(f"{os.getpid()} {os.environ.get('CUDA_VISIBLE_DEVICES')}")
    while not all((other / "met").exists() for other in folder.parent.iterdir()):
        time.sleep(0.05)


FAULTS: Final[dict[str, Fault]] = {
    fault.__name__: fault
    for fault in (crash, killed, late_crash, out_of_memory, hungry, aborts, busy, hang, endless, meet)
}


def guarded(candidate: Candidate, report: Report, work: Callable[[Enter], T]) -> T | Skipped:
    """Replace `hubscan.guard.guarded`."""
    folder = Path(candidate.model)
    if not (folder / "fault").exists():
        return _guarded(candidate, report, work)
    fault = FAULTS[(folder / "fault").read_text()]

    def struck(enter: Enter) -> T:
        def enter_and_strike(stage: str) -> None:
            enter(stage)
            if stage == "embed":
                fault(folder, report)

        return work(enter_and_strike)

    return _guarded(candidate, report, struck)


hubscan.guard.guarded = guarded

if only := os.environ.get("HUBSCAN_TEST_ONE_PROCESS"):
    try:
        Path(only).touch(exist_ok=False)
    except FileExistsError:
        os._exit(3)
