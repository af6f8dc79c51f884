"""How the Hub says no: a status, and the headers by which the clients tell one no from another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from starlette.requests import Request
from starlette.responses import JSONResponse

Code = Literal["RepoNotFound", "RevisionNotFound", "EntryNotFound", "GatedRepo"]


@dataclass(eq=False)
class Refusal(Exception):
    """An answer other than the one asked for."""

    status: int
    message: str
    code: Code | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def as_response(self) -> JSONResponse:
        """Write the refusal the way the Hub does, with its reason in the headers too."""
        said = self.message.encode("ascii", "replace").decode().replace("\n", " ")
        headers = {**self.headers, "X-Error-Message": said}
        if self.code:
            headers["X-Error-Code"] = self.code
        return JSONResponse({"error": self.message}, self.status, headers)


def answer_refusal(request: Request, refusal: Exception) -> JSONResponse:
    """Turn a `Refusal` that a handler raised into its response."""
    assert isinstance(refusal, Refusal)
    return refusal.as_response()


def answer_unknown_path(request: Request, error: Exception) -> JSONResponse:
    """Answer for a path or a method that the Hub does not have."""
    status = getattr(error, "status_code", 404)
    return Refusal(status, f"no answer to {request.method} {request.url.path}").as_response()


def answer_failure(request: Request, error: Exception) -> JSONResponse:
    """Answer for a mistake of ours; the client shows the header to whoever looks for it."""
    return Refusal(500, f"{type(error).__name__}: {error}").as_response()
