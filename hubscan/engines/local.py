"""Run candidates in worker processes on this machine, so that a crash or a hang ends only one candidate."""

from __future__ import annotations

import json
import logging
import os
import queue
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from hubscan import allowance
from hubscan.engines.protocols import Progress, Result
from hubscan.errors import DiskError, HubscanError, RecipeError
from hubscan.plain_text import plain
from hubscan.processes import DAMAGED, Child, Message, start, temporary_folder
from hubscan.records import Candidate, Job, Scored, Skipped, Tuned

log = logging.getLogger(__name__)

START_SECONDS = 300.0  # importing torch from a cold disk can take minutes
POLL_SECONDS = 0.5


@dataclass
class Worker:
    """One process, and what it is working on."""

    device: str
    environment: dict[str, str]
    child: Child | None = None  # None until it is started
    candidate: Candidate | None = None
    stage: str = "start"
    last_message: float = field(default_factory=time.monotonic)
    begun: float | None = field(default_factory=time.monotonic)  # None: it waits for this process
    overdue: str = ""  # why it was ended
    most_bytes: int | None = None  # of memory, for its candidate

    @property
    def running(self) -> Child:
        """Return its process."""
        assert self.child is not None
        return self.child


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
            SettingError: if `HUBSCAN_MEMORY` is not a size.
        """
        require(device)
        allowance.asked()  # a mistake in it is found before anything starts
        self._device = device
        self._count = workers
        self._stall_seconds = stall_seconds
        self._limit_seconds = limit_seconds
        self._messages: queue.Queue[tuple[Worker, Message]] = queue.Queue()
        self._workers: list[Worker] = []
        self._folder = temporary_folder()
        self._setup = ""
        self._grown = False
        self._warnings: set[str] = set()

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
            worker.running.close()
        self._workers.clear()
        self._folder.cleanup()

    def _heard(
        self, worker: Worker, message: Message, waiting: deque[Candidate]
    ) -> Iterator[Progress | Result]:
        """Handle one message; a process that sends anything else is ended, and its exit arrives later."""
        if message is None:
            yield from self._on_exit(worker, waiting)
            return
        if message["kind"] == "broken":
            raise HubscanError(str(message.get("reason")))
        if message["kind"] == "disk":
            raise DiskError(str(message.get("reason")))
        if message["kind"] == "warning":
            self._warn(plain(str(message.get("text"))))
            return
        try:
            yield from self._handled(worker, message, waiting)
        except (KeyError, TypeError, ValueError):
            worker.overdue = worker.overdue or f"{DAMAGED}, so it was ended"
            worker.running.kill()

    def _warn(self, text: str) -> None:
        """Show a warning of a worker, unless another has sent the same."""
        if text not in self._warnings:
            self._warnings.add(text)
            log.warning("%s", text)

    def _handled(
        self, worker: Worker, message: dict[str, Any], waiting: deque[Candidate]
    ) -> Iterator[Progress | Result]:
        """Handle one message of a process, and give the worker its next candidate when it is free."""
        kind = message["kind"]
        if kind == "ready":
            self._join(worker, message["gpus"])
        elif kind == "limit":
            worker.most_bytes = int(message["bytes"])
        elif kind in ("progress", "waiting"):
            if worker.candidate is not None:
                yield _progress(worker, message)
        else:
            if kind != "free":
                yield _result(message, worker.candidate)
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
        worker = Worker(device, environment)
        self._workers.append(worker)
        worker.child = start(
            "hubscan.engines.worker",
            device,
            folder=Path(self._folder.name),
            hear=lambda message: self._listen(worker, message),
            environment=environment,
        )

    def _listen(self, worker: Worker, message: Message) -> None:
        """Note when a message came: the consumer of the results may ask for the next one much later."""
        if message is not None:
            worker.last_message = time.monotonic()
            if message["kind"] == "waiting":  # it is neither silent nor busy meanwhile
                seconds = float(message.get("seconds") or 0.0)
                worker.last_message += seconds
                worker.begun = None if worker.begun is None else worker.begun + seconds
            elif message["kind"] not in ("progress", "limit"):
                worker.begun = None
        self._messages.put((worker, message))

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
                worker.running.kill()

    def _on_exit(self, worker: Worker, waiting: deque[Candidate]) -> Iterator[Skipped]:
        """Yield why *worker* ended, and start another in its place if candidates are waiting."""
        reason = worker.overdue or allowance.why_ended(worker.running.reason(), worker.most_bytes)
        self._workers.remove(worker)
        worker.running.close()
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
    worker.begun = worker.last_message = time.monotonic()
    return worker.running.send(line)


def waiting_words(reason: str, seconds: float, **_: Any) -> str:
    """Return in words why and how long a worker waits, "" if it no longer does."""
    return f"{reason}: waiting {seconds:.0f} s" if seconds else ""


def _progress(worker: Worker, message: dict[str, Any]) -> Progress:
    assert worker.candidate is not None
    if message["kind"] == "waiting":
        return Progress(worker.candidate.name, worker.stage, wait=waiting_words(**message))
    worker.stage = str(message["stage"])
    return Progress(worker.candidate.name, worker.stage, int(message["done"]), int(message["rows"]))


def _result(message: dict[str, Any], candidate: Candidate | None) -> Result:
    """Return the result in *message*, which must be about *candidate*."""
    kinds: dict[str, type[Result]] = {"scored": Scored, "tuned": Tuned, "skipped": Skipped}
    result: Result = TypeAdapter(kinds[message["kind"]]).validate_python(message["result"])
    if candidate is None or result.identity != candidate.identity:
        raise ValueError("a result of another candidate")
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
