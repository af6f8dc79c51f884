"""Serve a Hub on 127.0.0.1 from a thread, and record its requests."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Thread
from typing import TypeVar, overload

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubscan.demo.hub.api import ReadApi
from hubscan.demo.hub.refusal import Refusal, answer_failure, answer_refusal, answer_unknown_path
from hubscan.demo.hub.state import Hub, Served

HOST = "127.0.0.1"
START_SECONDS = 10
# Longer than any client keeps a connection open: closing it earlier would look like a network failure.
KEEP_ALIVE_SECONDS = 3600


AnyHub = TypeVar("AnyHub", bound=Hub)


@overload
def serve(hub: AnyHub, *, port: int = 0) -> AbstractContextManager[AnyHub]: ...
@overload
def serve(hub: Path, *, port: int = 0) -> AbstractContextManager[Hub]: ...
def serve(hub: Hub | Path, *, port: int = 0) -> AbstractContextManager[Hub]:
    """Serve a Hub, or a folder, until the block ends; its `.endpoint` is the value for HF_ENDPOINT.

    Args:
        hub: the Hub, or a folder to serve as one.
        port: the port of the endpoint; 0 for a free one. Large files are served from another free port,
            because clients recognise a redirect to another server by its origin.
    """
    return _served(hub if isinstance(hub, Hub) else Hub(hub), port)


def application(hub: Hub) -> ASGIApp:
    """Return the application, which records each request, redirects renamed repositories, and routes."""
    routed = Starlette(
        routes=[*ReadApi(hub).routes(), *hub.more_routes()],
        exception_handlers={
            Refusal: answer_refusal,
            HTTPException: answer_unknown_path,
            Exception: answer_failure,
        },
    )
    answer = hub.wrap(routed)

    async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
        served = _note(hub, scope)
        hub.requests.append(served)
        counted = Counted(send, served)
        # The raw path distinguishes a quoted slash from a real one; see api.py.
        scope["path"] = served.path
        target = hub.moved_to(served.path)
        if target is None:
            await answer(scope, receive, counted)
        else:
            query = f"?{served.query}" if served.query else ""
            await RedirectResponse(target + query, 307)(scope, receive, counted)

    return recorded


class Counted:
    """A `send` that records each message before the client receives it."""

    def __init__(self, send: Send, served: Served) -> None:
        self.send = send
        self.served = served

    async def __call__(self, message: Message) -> None:
        """Record *message*, then send it."""
        if message["type"] == "http.response.start":
            self.served.status = message["status"]
        elif self.served.method != "HEAD":
            self.served.body_bytes += len(message.get("body", b""))
        await self.send(message)


@contextmanager
def _served(hub: Hub, port: int) -> Iterator[Hub]:
    listeners = [socket.create_server((HOST, wanted)) for wanted in (port, 0)]
    hub.endpoint, hub.cdn = (f"http://{HOST}:{listener.getsockname()[1]}" for listener in listeners)
    server = uvicorn.Server(_config(application(hub)))
    thread = Thread(target=server.run, args=(listeners,), name="loopback hub", daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield hub
    finally:
        server.should_exit = True
        thread.join()
        for listener in listeners:
            listener.close()


def _note(hub: Hub, scope: Scope) -> Served:
    headers = Headers(scope=scope)
    return Served(
        method=scope["method"],
        path=scope["raw_path"].decode("ascii"),
        query=scope["query_string"].decode("ascii"),
        origin="cdn" if hub.cdn.endswith(f":{scope['server'][1]}") else "hub",
        range=headers.get("range"),
        user_agent=headers.get("user-agent", ""),
        authorization=headers.get("authorization"),
    )


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )


def _wait_until_started(server: uvicorn.Server, thread: Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the loopback Hub did not start")
        time.sleep(0.005)
