"""Run candidates in worker processes on this machine, so that a crash or a hang ends only one candidate."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from pydantic import TypeAdapter

from hubscan.engines.protocols import Progress, Result
from hubscan.errors import HubscanError, RecipeError
from hubscan.records import Candidate, Job, Scored, Skipped, Tuned

log = logging.getLogger(__name__)

START_SECONDS = 300.0  # importing torch from a cold disk can take minutes
POLL_SECONDS = 0.5

# By default glibc requests memory for every large tensor and returns it at once, so a convolution spends half
# its time in page faults. With these settings it keeps the memory and is twice as fast. Other allocators
# ignore them.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**26),
}


@dataclass
class Worker:
    """One process, and what it is working on."""

    device: str
    environment: dict[str, str]
    process: subprocess.Popen[str]
    errors: IO[bytes]  # its stderr, whose last line explains a crash
    candidate: Candidate | None = None
    stage: str = "start"
    last_message: float = field(default_factory=time.monotonic)
    begun: float | None = field(default_factory=time.monotonic)  # None: it waits for this process
    overdue: str = ""  # why it was ended


Message = dict[str, Any] | None  # None: the worker has ended


class LocalEngine:
    """Workers on the devices of this machine; see `Engine`."""

    def __init__(
        self,
        device: str = "auto",
        workers: int = 1,
        *,
        stall_seconds: float = 900.0,
        limit_seconds: float | None = None,
    ) -> None:
        """Check the device, but start nothing yet.

        Args:
            device: "auto", "cpu", "mps", "cuda" or "cuda:N"; "auto" and "cuda" use every CUDA device.
            workers: number of processes, on a CPU.
            stall_seconds: a candidate that is silent for longer is ended.
            limit_seconds: a candidate that takes longer in total is ended; None for no limit.

        Raises:
            RecipeError: if this machine does not have the device.
        """
        require(device)
        self._device = device
        self._count = workers
        self._stall_seconds = stall_seconds
        self._limit_seconds = limit_seconds
        self._messages: queue.Queue[tuple[Worker, Message]] = queue.Queue()
        self._workers: list[Worker] = []
        self._folder = tempfile.TemporaryDirectory(prefix="hubscan-")
        self._setup = ""
        self._grown = False

    def start(self) -> None:
        """Start the first worker, whose imports then overlap with the work before `run`."""
        if not self._workers:
            self._start(*self._first_place())

    def run(
        self, candidates: Sequence[Candidate], sample: Path | bytes, job: Job
    ) -> Iterator[Progress | Result]:
        """Yield progress, and one result for each candidate, as they arrive."""
        if self._setup:
            raise RuntimeError("an engine runs once: create another")
        self._setup = json.dumps({"sample": str(self._shared(sample)), "job": asdict(job)})
        self.start()
        waiting = deque(candidates)
        left = len(waiting)
        while left:
            self._end_overdue()  # every time: a worker that sends messages all the time leaves no pause
            try:
                worker, message = self._messages.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            for event in self._heard(worker, message, waiting):
                left -= not isinstance(event, Progress)
                yield event

    def close(self) -> None:
        """End all workers and remove the sample's file."""
        for worker in self._workers:
            worker.process.kill()
            worker.process.wait()
            worker.errors.close()
        self._workers.clear()
        self._folder.cleanup()

    def _heard(
        self, worker: Worker, message: Message, waiting: deque[Candidate]
    ) -> Iterator[Progress | Result]:
        """Handle one message, and give the worker its next candidate when it is free."""
        if message is None:
            yield from self._on_exit(worker, waiting)
        elif message["kind"] == "broken":
            raise HubscanError(message["reason"])
        elif message["kind"] == "ready":
            self._join(worker, message["gpus"])
        elif message["kind"] == "progress":
            assert worker.candidate is not None
            worker.stage = message["stage"]
            yield Progress(worker.candidate.name, worker.stage, message["done"], message["rows"])
        elif message["kind"] == "waiting":
            if worker.candidate is not None:
                yield Progress(worker.candidate.name, worker.stage, wait=waiting_words(**message))
        else:
            if message["kind"] != "free":
                yield _result(message)
            self._employ(worker, waiting)

    def _employ(self, worker: Worker, waiting: deque[Candidate]) -> None:
        """Give *worker* its next candidate, unless it was ended over the one that it has just finished."""
        worker.stage = "fetch"
        worker.candidate = waiting.popleft() if waiting and not worker.overdue else None
        if worker.candidate is not None and not _send(worker, json.dumps(asdict(worker.candidate))):
            waiting.appendleft(worker.candidate)  # it never arrived, so it did not end the process
            worker.candidate = None

    def _join(self, worker: Worker, gpus: int) -> None:
        """Set up a worker that is ready; the first one reports the GPUs, and the others are started."""
        if not self._grown:
            self._grown = True
            self._start_others(gpus)
        _send(worker, self._setup)

    def _start_others(self, gpus: int) -> None:
        if gpus and self._device in ("auto", "cuda"):
            for place in range(1, gpus):
                self._start("cuda", _visible(place))
        elif not gpus:
            for _ in range(1, self._count):
                self._start(*self._first_place())

    def _first_place(self) -> tuple[str, dict[str, str]]:
        if self._device.startswith("cuda:"):
            return "cuda", _visible(int(self._device.removeprefix("cuda:")))
        if self._device in ("cuda", "mps"):
            return self._device, {}
        threads = max(1, (os.cpu_count() or 1) // self._count)
        environment = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(threads)}
        return self._device, environment

    def _start(self, device: str, environment: dict[str, str]) -> None:
        errors = tempfile.TemporaryFile(dir=self._folder.name)  # noqa: SIM115 - closed with its worker
        process = subprocess.Popen(
            [sys.executable, "-m", "hubscan.engines.worker", device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=KEEP_MEMORY | os.environ | environment,
            encoding="utf-8",
            start_new_session=True,  # an interrupt at the keyboard is the parent's to handle
        )
        worker = Worker(device, environment, process, errors)
        self._workers.append(worker)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()

    def _listen(self, worker: Worker) -> None:
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            message = json.loads(line)
            # Set here, since the consumer of the results may ask for the next one much later.
            worker.last_message = time.monotonic()
            if message["kind"] == "waiting":  # it is neither silent nor busy meanwhile
                worker.last_message += message["seconds"]
                worker.begun = None if worker.begun is None else worker.begun + message["seconds"]
            elif message["kind"] != "progress":
                worker.begun = None
            self._messages.put((worker, message))
        self._messages.put((worker, None))

    def _shared(self, sample: Path | bytes) -> Path:
        """Return a file that every worker can read."""
        if isinstance(sample, Path):
            return sample.absolute()
        file = Path(self._folder.name) / "sample.parquet"
        file.write_bytes(sample)
        return file

    def _end_overdue(self) -> None:
        """Kill the workers that take too long; their exit arrives as a message."""
        now = time.monotonic()
        for worker in self._workers:
            if worker.begun is None or worker.overdue:
                continue
            starting, limit = worker.stage == "start", self._limit_seconds
            patience = START_SECONDS if starting else self._stall_seconds
            if now - worker.last_message > patience:
                worker.overdue = f"no progress for {patience:.0f} s, so its process was ended"
            elif not starting and limit is not None and now - worker.begun > limit:
                worker.overdue = f"it took longer than {limit:.0f} s, so its process was ended"
            if worker.overdue:
                worker.process.kill()

    def _on_exit(self, worker: Worker, waiting: deque[Candidate]) -> Iterator[Skipped]:
        """Yield why *worker* ended, and start another in its place if candidates are waiting."""
        reason = worker.overdue or _exit_reason(worker.process.wait(), _last_stderr_line(worker.errors))
        self._workers.remove(worker)
        worker.errors.close()
        if worker.stage == "start" and not self._workers:
            raise HubscanError(f"no worker could start: {reason}")
        if worker.stage == "start":
            log.warning("a worker could not start; the others continue: %s", reason)
            return
        if worker.candidate is not None:
            yield Skipped.of(worker.candidate, worker.stage, reason)
        if waiting:
            self._start(worker.device, worker.environment)


def _send(worker: Worker, line: str) -> bool:
    """Return whether *line* could be sent to *worker*; its exit arrives as a separate message."""
    assert worker.process.stdin is not None
    worker.begun = worker.last_message = time.monotonic()
    try:
        worker.process.stdin.write(line + "\n")
        worker.process.stdin.flush()
    except OSError:
        return False
    return True


def waiting_words(reason: str, seconds: float, **_: Any) -> str:
    """Return in words why and how long a worker waits, "" if it no longer does."""
    return f"{reason}: waiting {seconds:.0f} s" if seconds else ""


def _result(message: dict[str, Any]) -> Result:
    kinds: dict[str, type[Result]] = {"scored": Scored, "tuned": Tuned, "skipped": Skipped}
    result: Result = TypeAdapter(kinds[message["kind"]]).validate_python(message["result"])
    return result


def require(device: str) -> None:
    """Check that this machine has *device*.

    Raises:
        RecipeError: if it does not.
    """
    if device in ("auto", "cpu"):
        return
    import torch  # takes seconds, and only an explicit GPU needs it

    if device == "mps":
        found = torch.backends.mps.is_available()
    else:
        found = torch.cuda.device_count() > int(device.removeprefix("cuda").removeprefix(":") or 0)
    if not found:
        kind = "MPS device" if device == "mps" else "CUDA device" if device == "cuda" else "such CUDA device"
        raise RecipeError(f"device {device}: this machine, or its torch, has no {kind}")


def _visible(place: int) -> dict[str, str]:
    """Return the environment variables that make CUDA device number *place* the only visible one."""
    listed = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    if listed and place >= len(listed):
        raise RecipeError(f"device cuda:{place}: CUDA_VISIBLE_DEVICES lists {len(listed)} devices")
    return {"CUDA_VISIBLE_DEVICES": listed[place] if listed else str(place)}


def _exit_reason(code: int, last_line: str) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}"
    return f"its process ended with exit code {code}" + (f": {last_line}" if last_line else "")


def _last_stderr_line(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4096))
    lines = errors.read().decode("utf-8", "replace").split("\n")
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")
