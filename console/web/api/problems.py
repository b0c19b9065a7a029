"""How every error of the HTTP interface reads: problem+json with a sentence that says what to do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 # the RFC's own word
    """An answer that is an error: its status, a sentence, and further members."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


def answer(path: str, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    """Return a problem document. Source: https://www.rfc-editor.org/rfc/rfc9457"""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": path,
    }
    return JSONResponse({**body, **more}, status, headers=headers, media_type=MEDIA_TYPE)


async def on_problem(request: Request, error: Exception) -> JSONResponse:
    """Answer a Problem."""
    assert isinstance(error, Problem)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
    return answer(request.url.path, error.status, error.detail, headers, **error.more)


async def on_http(request: Request, error: Exception) -> JSONResponse:
    """Answer what routing itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = "There is nothing at this path; /api/v1/openapi.json lists what there is."
    return answer(request.url.path, error.status_code, detail, dict(error.headers or {}))


async def on_invalid(request: Request, error: Exception) -> JSONResponse:
    """Answer a parameter that does not fit, naming it. The value itself is not repeated."""
    listed = [{"name": str(e["loc"][-1]), "in": str(e["loc"][0]), "detail": e["msg"]} for e in error.errors()]  # type: ignore[attr-defined] # RequestValidationError
    detail = "; ".join(f"{e['name']}: {e['detail']}" for e in listed)
    return answer(request.url.path, HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=listed)


async def on_fault(request: Request, _error: Exception) -> JSONResponse:
    """Answer our own fault without telling anything of it; the log has the traceback."""
    return answer(request.url.path, HTTPStatus.INTERNAL_SERVER_ERROR, "Tieout failed to answer; its log says why.")
