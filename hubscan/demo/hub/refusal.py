"""The Hub's error responses: a status, and the headers that tell clients the type of error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from starlette.requests import Request
from starlette.responses import JSONResponse

Code = Literal["RepoNotFound", "RevisionNotFound", "EntryNotFound", "GatedRepo"]


@dataclass(eq=False)
class Refusal(Exception):
    """An error response instead of the requested answer."""

    status: int
    message: str
    code: Code | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def as_response(self) -> JSONResponse:
        """Return the response as the Hub sends it, with the reason also in the headers."""
        said = self.message.encode("ascii", "replace").decode().replace("\n", " ")
        headers = {**self.headers, "X-Error-Message": said}
        if self.code:
            headers["X-Error-Code"] = self.code
        return JSONResponse({"error": self.message}, self.status, headers)


def answer_refusal(request: Request, refusal: Exception) -> JSONResponse:
    """Return the response for a `Refusal` that a handler raised."""
    assert isinstance(refusal, Refusal)
    return refusal.as_response()


def answer_unknown_path(request: Request, error: Exception) -> JSONResponse:
    """Return the response for a path or method that the Hub does not have."""
    status = getattr(error, "status_code", 404)
    return Refusal(status, f"no answer to {request.method} {request.url.path}").as_response()


def answer_failure(request: Request, error: Exception) -> JSONResponse:
    """Return the response for a bug in this server; clients include the header in their error message."""
    return Refusal(500, f"{type(error).__name__}: {error}").as_response()
