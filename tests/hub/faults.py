"""Inject faults into responses: a status, a delay, a dropped connection, a truncated body."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubscan.demo.hub.server import Counted

ALWAYS = -1


@dataclass
class Fault:
    """A fault for requests whose `METHOD /path?query` contains `match`."""

    match: str
    times: int = 1  # for how many requests; ALWAYS for all of them
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before anything else
    drop: bool = False  # close the connection instead of answering
    truncate: int | None = None  # close it after this many bytes of the body
    replace: Mapping[str, str] = field(default_factory=dict)  # headers with another value


class FaultList(list[Fault]):
    """The faults of a Hub, in the order in which they are tried."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def add(self, match: str, **what: Any) -> Fault:
        """Append a fault."""
        fault = Fault(match, **what)
        self.append(fault)
        return fault

    def take(self, line: str) -> Fault | None:
        """Return the first fault that matches *line*, and count it as used once."""
        with self._lock:
            for fault in self:
                if fault.times != 0 and re.search(fault.match, line):
                    fault.times -= fault.times > 0
                    return fault
        return None


def with_faults(app: ASGIApp, faults: FaultList) -> ASGIApp:
    """Return *app* with *faults* applied to requests first."""

    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        query = f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
        fault = faults.take(f"{scope['method']} {scope['path']}{query}") or Fault("")
        await asyncio.sleep(fault.delay)
        if fault.drop:
            await _hang_up(receive, send)
        elif fault.status is not None:
            answer = JSONResponse({"error": "a fault"}, fault.status, dict(fault.headers))
            await answer(scope, receive, send)
        elif fault.replace:
            await app(scope, receive, _replacing(fault.replace, send))
        elif fault.truncate is not None:
            await _truncated(app, fault.truncate, scope, receive, send)
        else:
            await app(scope, receive, send)

    return faulty


async def _hang_up(receive: Receive, send: Send) -> None:
    """Close the connection through uvicorn's transport, because ASGI has no message for it."""
    counted = cast(Counted, send)
    cycle: Any = counted.send.__self__  # type: ignore[attr-defined]
    cycle.transport.close()  # data that was already written is still sent
    while (await receive())["type"] != "http.disconnect":
        pass


def _replacing(headers: Mapping[str, str], send: Send) -> Send:
    """Return a *send* that gives the *headers* that an answer has other values."""

    async def replaced(message: Message) -> None:
        if message["type"] == "http.response.start":
            others = {name.lower().encode(): value.encode() for name, value in headers.items()}
            pairs = [(name, others.get(name.lower(), value)) for name, value in message["headers"]]
            message = {**message, "headers": pairs}
        await send(message)

    return replaced


async def _truncated(app: ASGIApp, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
    left = limit

    async def cut(message: Message) -> None:
        nonlocal left
        if message["type"] != "http.response.body":
            await send(message)
        elif left >= 0:
            body = message.get("body", b"")[:left]
            left -= len(message.get("body", b""))
            await send({"type": "http.response.body", "body": body, "more_body": True})
            if left < 0:
                await _hang_up(receive, send)

    await app(scope, receive, cut)
