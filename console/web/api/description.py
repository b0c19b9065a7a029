"""How the interface describes itself: what each answer holds, that lists are also had as CSV, and how every error reads.

FastAPI knows the types of the answers; this adds what it cannot know. It answers nothing itself.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .models import ProblemDetails
from .problems import MEDIA_TYPE

ERRORS = {
    "401": "A token is configured; send it as `Authorization: Bearer …`.",
    "404": "There is no such thing; `detail` says where to look.",
    "422": "A parameter does not fit; `errors` names it and says what to write.",
    "500": "Tieout failed; its log says why.",
}


def described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, made once. Source: https://spec.openapis.org/oas/v3.1.0"""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        parts = found["components"]["schemas"]
        parts["ProblemDetails"] = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        for unused in ("HTTPValidationError", "ValidationError"):
            parts.pop(unused, None)
        for path in found["paths"].values():
            for operation in path.values():
                _describe(operation)
        app.openapi_schema = found
    return app.openapi_schema


def _describe(operation: dict[str, Any]) -> None:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    for status, text in ERRORS.items():
        operation["responses"][status] = {"description": text, "content": content}
    if any(p["name"] == "format" for p in operation.get("parameters", ())):
        operation["responses"]["200"]["content"]["text/csv"] = {"schema": {"type": "string"}}
