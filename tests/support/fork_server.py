"""A process that forks programs, which then need not import again what it has already imported.

    python -m tests.support.fork_server 5  # serves the socket with file descriptor 5

It has run nothing else and has one thread. A program forked from it therefore behaves like a newly started
one, without the seconds that importing torch, transformers and others takes. Requests and answers are JSON
objects, each in one packet of a socket:

- `{"program": ARGUMENTS, "environment": ..., "folder": ...}`, with stdin, stdout and stderr: forks a process
  that runs `python ARGUMENTS` (only `-m MODULE ...` and `-c CODE`), and answers with its id;
- `{"modules": NAMES, "environment": ...}`, with a socket: forks another server, which imports further modules
  in that environment and serves the socket;
- `{"wait": ID}`: answers with the exit code of a forked process.
"""

from __future__ import annotations

import atexit
import gc
import os
import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from json import dumps, loads
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import IO, Any

MOST_BYTES = 2**18
LIBRARIES = (
    *("torch", "torch._dynamo", "torch.distributed.tensor", "torch.distributed.checkpoint"),
    *("numpy", "scipy.optimize", "scipy.stats"),
    *("sklearn.metrics", "sklearn.linear_model", "sklearn.mixture", "sklearn.neighbors", "pandas"),
    *("pyarrow.parquet", "pyarrow.dataset", "pydantic", "click", "yaml", "rich.table", "rich.console"),
    *("jinja2", "PIL.Image", "fsspec", "multiprocess.pool", "safetensors.torch", "threadpoolctl", "httpx2"),
    *("filelock", "tqdm.auto", "tokenizers", "regex", "xxhash"),
)
"""Libraries that commands import and that do not read the environment variables that tests change."""


def main(descriptor: int) -> None:
    """Serve requests; in a forked process, run its program."""
    _import(LIBRARIES)
    connection = socket.socket(fileno=descriptor)
    while (job := serve(connection)) is not None:
        asked, descriptors = job
        _enter(asked["environment"])
        if "program" in asked:
            os.chdir(asked["folder"])
            _run(asked["program"], descriptors)
        _import(asked["modules"])
        connection = socket.socket(fileno=descriptors[0])
    with suppress(ChildProcessError):  # wait for the servers that were forked from this one
        while True:
            os.wait()


def request(
    connection: socket.socket, asked: Mapping[str, Any], descriptors: Sequence[int] = ()
) -> dict[str, Any]:
    """Return the answer of the server at the other end.

    Raises:
        ConnectionError: if it has ended; the reason is on its stderr, which is that of the tests.
    """
    socket.send_fds(connection, [dumps(asked).encode()], descriptors)
    content = connection.recv(MOST_BYTES)
    if not content:
        raise ConnectionError("the fork server has ended; see its stderr")
    answer: dict[str, Any] = loads(content)
    return answer


def serve(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Answer until the other end is closed; in a forked process, return the request and its descriptors."""
    while True:
        content, descriptors, _, _ = socket.recv_fds(connection, MOST_BYTES, 3)
        if not content:
            return None
        asked = loads(content)
        if "wait" in asked:
            _, status = os.waitpid(asked["wait"], 0)
            answer = {"code": os.waitstatus_to_exitcode(status)}
        elif (forked := os.fork()) == 0:
            connection.close()
            return asked, descriptors
        else:
            answer = {"id": forked}
        for descriptor in descriptors:
            os.close(descriptor)
        connection.send(dumps(answer).encode())


def _import(names: Sequence[str]) -> None:
    for name in names:
        try:
            import_module(name)
        except ModuleNotFoundError as missing:  # a module that is not installed is not used either
            if str(missing.name).startswith("hubscan"):
                raise
    tasks = len(list(Path("/proc/self/task").iterdir()))
    assert tasks == 1, f"{tasks} threads: a fork would keep one thread but the locks of all"
    gc.freeze()  # otherwise the first collection would copy all shared memory


def _enter(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _run(arguments: Sequence[str], streams: Sequence[int]) -> None:
    """Do what `python ARGUMENTS` does, and exit in the same way."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if arguments[:2] == ["-m", "hubscan"] and {"rank", "verify"} & set(arguments[2:3]):
        _fork_workers()
    code = _exit_code(arguments)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)  # skips the slow clean-up of modules


def _exit_code(arguments: Sequence[str]) -> int:
    kind, what, *others = arguments
    sys.argv = [kind, *others]
    sys.path[0] = os.getcwd() if kind == "-m" else ""  # noqa: PTH109 - as `python -m` does
    try:
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.modules["__main__"] = module = ModuleType("__main__")
            exec(compile(what, "<string>", "exec"), module.__dict__)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


# -- the workers of a scan --------------------------------------------------------------------------


def _fork_workers() -> None:
    """Let the engine of this process fork its workers from a copy of this process in its present state."""
    from hubscan.engines import local

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if (server := os.fork()) == 0:
        ours.close()
        job = serve(theirs)
        if job is None:
            os._exit(0)
        asked, streams = job
        os.setsid()
        _enter(asked["environment"])
        _run(asked["program"], streams)
    theirs.close()

    def end() -> None:
        ours.close()
        os.waitpid(server, 0)

    atexit.register(end)

    def start(command: Sequence[str], *, env: Mapping[str, str], stderr: IO[bytes], **how: Any) -> _Worker:
        assert how == {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "encoding": "utf-8",
            "start_new_session": True,
        }
        return _Worker(ours, command[1:], env, stderr)

    local.__dict__["subprocess"] = SimpleNamespace(Popen=start, PIPE=subprocess.PIPE)


class _Worker:
    """The part of `subprocess.Popen` that the engine uses."""

    def __init__(
        self,
        server: socket.socket,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        errors: IO[bytes],
    ) -> None:
        self._server = server
        self._code: int | None = None
        (stdin, to_stdin), (from_stdout, stdout) = os.pipe(), os.pipe()
        asked = {"program": arguments, "environment": dict(environment)}
        self.pid = request(server, asked, (stdin, stdout, errors.fileno()))["id"]
        os.close(stdin)
        os.close(stdout)
        self.stdin = os.fdopen(to_stdin, "w", encoding="utf-8")
        self.stdout = os.fdopen(from_stdout, encoding="utf-8")

    def kill(self) -> None:
        if self._code is None:
            os.kill(self.pid, 9)

    def wait(self) -> int:
        if self._code is None:
            self._code = request(self._server, {"wait": self.pid})["code"]
        return self._code


if __name__ == "__main__":
    main(int(sys.argv[1]))
