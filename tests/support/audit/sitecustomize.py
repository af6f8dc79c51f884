"""The audit hook; see the package."""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import Any

_LOG = os.environ.get("HUBSCAN_AUDIT_LOG", "")
_DATA = tuple(path for path in os.environ.get("HUBSCAN_AUDIT_DATA", "").split(os.pathsep) if path)
_CODE = tuple(path for path in os.environ.get("HUBSCAN_AUDIT_CODE", "").split(os.pathsep) if path)
_HOSTS = tuple(os.environ.get("HUBSCAN_AUDIT_HOSTS", "").split(","))
_SYSTEM = ("/usr/", "/lib", "/etc/", "/proc/", "/sys/", "/opt/", "/dev/null", "/dev/urandom", "/dev/shm/")
_PYTHON = (sys.prefix, sys.base_prefix, sys.exec_prefix, *_CODE)
_PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".npy", ".npz", ".joblib", ".h5", ".msgpack")
_STARTS = {
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "pty.spawn",
}  # fmt: skip
_CHANGES = {
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.truncate",
    "os.chmod",
    "os.link",
    "os.symlink",
    "os.mkdir",
}


def _say(kind: str, what: str) -> None:
    frames: list[str] = []
    frame: Any = sys._getframe(2)
    while frame is not None and len(frames) < 6:
        frames.append(f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}")
        frame = frame.f_back
    line = json.dumps({"kind": kind, "what": what, "by": " ".join(frames)}) + "\n"
    descriptor = os.open(_LOG, os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def _path(given: object) -> str:
    if isinstance(given, bytes):
        given = os.fsdecode(given)
    if not isinstance(given, str) or not given:  # an open file
        return ""
    real = os.path.realpath(given)
    return real if real != _LOG else ""


def _within(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(place.rstrip("/") + "/") for place in places)


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - pathlib is not imported yet
    except OSError:
        return False


def _opened(args: tuple[Any, ...]) -> None:
    path, flags = _path(args[0]), args[2]
    if not path:
        return
    writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if _within(path, _DATA):
        if path.endswith(_PICKLED) and not path.startswith(_PYTHON):
            _say("a file of a format that may hold pickles", path)
    elif writes and not path.startswith(("/dev/", f"/proc/{os.getpid()}/")):
        _say("a write outside the data", path)
    elif not (_within(path, _PYTHON) or path.startswith(_SYSTEM)) and not _is_folder(path):
        _say("a read outside the data", path)


def _started(args: tuple[Any, ...]) -> None:
    command = [str(part) for part in args[1]]
    ours = str(args[0]) == sys.executable and command[1] == "-m" and command[2].startswith("hubscan.")
    if not ours:
        _say("a program", " ".join(command))


def _connected(args: tuple[Any, ...]) -> None:
    address = args[1]
    if isinstance(address, tuple) and f"{address[0]}:{address[1]}" not in _HOSTS:
        _say("a connection", str(address))


def _looked_up(args: tuple[Any, ...]) -> None:
    if f"{args[0]}:{args[1]}" not in _HOSTS and args[0] not in (None, "", b""):
        _say("a name that was looked up", f"{args[0]}:{args[1]}")


def _executed(args: tuple[Any, ...]) -> None:
    source = getattr(args[0], "co_filename", "")
    if source.startswith("/") and _within(_path(source), _DATA) and not _within(source, _PYTHON):
        _say("code from the data", source)


def _loaded(args: tuple[Any, ...]) -> None:
    path = _path(args[0])
    if path and "/" in str(args[0]) and not (_within(path, _PYTHON) or path.startswith(_SYSTEM)):
        _say("a library", path)


def _changed(event: str, args: tuple[Any, ...]) -> None:
    for path in filter(None, map(_path, args[1:2] if event == "os.symlink" else args[:2])):
        if not _within(path, _DATA):
            _say("a change outside the data", f"{event} {path}")


def _unpickled(args: tuple[Any, ...]) -> None:
    _say("an unpickled object", ".".join(map(str, args)))


_WATCHED = {
    "open": _opened,
    "subprocess.Popen": _started,
    "socket.connect": _connected,
    "socket.getaddrinfo": _looked_up,
    "exec": _executed,
    "ctypes.dlopen": _loaded,
    "pickle.find_class": _unpickled,
}


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event in _WATCHED:
        _WATCHED[event](args)
    elif event in _STARTS:
        _say("a program", f"{event} {args}")
    elif event in _CHANGES:
        _changed(event, args)


if _LOG:
    sys.addaudithook(_hook)
