"""Run `python ARGUMENTS` in a separate process, without the seconds that its imports take.

On Linux it is forked from a process that has imported the heavy modules and run nothing else (see
`fork_server`), unless the tests were started with `--cold`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO, Final

from tests.support.fork_server import request

WARM = True

REPOSITORY: Final = Path(__file__).parents[2]
MOST_SERVERS: Final = 4
# Variables that are read when a process starts or a library of the fork server is imported.
AT_START: Final = ("PYTHON", "LC_", "LANG", "OMP_", "MKL_", "OPENBLAS_", "LD_", "CUDA_", "MALLOC_")
# Variables that are read on use.
WHEN_USED: Final = ("HUBSCAN_CACHE", "PYTEST_CURRENT_TEST")
MODULES: Final = (
    *("hubscan.encoders.weights", "hubscan.encoders.text", "hubscan.encoders.image", "hubscan.assess"),
    *("hubscan.api", "hubscan.rescore", "hubscan.sample", "hubscan.engines.local"),
    *("transformers.models.bert.modeling_bert", "transformers.models.vit.modeling_vit", "datasets"),
)

Environment = Mapping[str, str]
Done = subprocess.CompletedProcess[str]


def run(arguments: Sequence[str], environment: Environment, folder: Path, timeout: float) -> Done:
    """Run `python ARGUMENTS` in *folder* for at most *timeout* seconds; return its output and exit code."""
    if not _is_warm(environment):
        return run_cold(arguments, environment, folder, timeout)
    return _run_forked(_server_for(environment), arguments, environment, folder, timeout)


def run_cold(arguments: Sequence[str], environment: Environment, folder: Path, timeout: float) -> Done:
    """Do the same in a newly started process, as for a user."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=dict(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def _run_forked(
    server: socket.socket, arguments: Sequence[str], environment: Environment, folder: Path, timeout: float
) -> Done:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull) as nothing:  # noqa: PTH123
        asked = {"program": arguments, "environment": dict(environment), "folder": str(folder)}
        streams = (nothing.fileno(), out.fileno(), err.fileno())
        process = request(server, asked, streams)["id"]
        code = _wait(server, process, [sys.executable, *arguments], timeout)
        return subprocess.CompletedProcess(
            [sys.executable, *arguments], code, *(_written(file) for file in (out, err))
        )


def _wait(server: socket.socket, process: int, arguments: Sequence[str], timeout: float) -> int:
    with ThreadPoolExecutor(1) as waiting:
        ended = waiting.submit(request, server, {"wait": process})
        try:
            return int(ended.result(timeout)["code"])
        except BaseException as error:
            os.kill(process, signal.SIGKILL)
            if isinstance(error, TimeoutError):
                raise subprocess.TimeoutExpired(arguments, timeout) from None
            raise


def _written(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n").replace("\r", "\n")


def end_servers() -> None:
    """End the servers from which programs were forked."""
    for server in _servers.values():
        server.close()
    _servers.clear()
    if _started.cache_info().currsize:
        server, process = _started()
        server.close()
        process.wait()
        _started.cache_clear()


# -- the servers ------------------------------------------------------------------------------------


def _is_warm(environment: Environment) -> bool:
    """Return whether *environment* allows forking: whether a program would start as the fork server did."""
    ours = _at_start(os.environ | {"PYTHONPATH": str(REPOSITORY)})
    return WARM and sys.platform == "linux" and _at_start(environment) == ours


def _at_start(environment: Environment) -> Environment:
    return {name: value for name, value in environment.items() if name.startswith(AT_START)}


def _server_for(environment: Environment) -> socket.socket:
    """Return a server for programs in *environment*; from the third on, one with the Hub's clients imported."""
    fixed = {name: value for name, value in environment.items() if name not in WHEN_USED}
    key = frozenset(fixed.items())
    _asked[key] += 1
    if key in _servers:
        return _servers.setdefault(key, _servers.pop(key))  # the most recently used one comes last
    if _asked[key] < 3:
        return _first_server()
    while len(_servers) >= MOST_SERVERS:
        _servers.pop(next(iter(_servers))).close()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        request(_first_server(), {"modules": MODULES, "environment": fixed}, [theirs.fileno()])
    _servers[key] = ours
    return ours


_asked: Counter[frozenset[tuple[str, str]]] = Counter()
_servers: dict[frozenset[tuple[str, str]], socket.socket] = {}


def _first_server() -> socket.socket:
    return _started()[0]


@cache
def _started() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start the server that all others are forked from; all of them end with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
            # pyarrow's allocator would start a thread, which a forked process would lack.
            env=os.environ
            | {"PYTHONPATH": str(REPOSITORY), "JE_ARROW_MALLOC_CONF": "background_thread:false"},
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C should reach only the tests
        )
    return ours, process
