"""The OpenAPI document: what FastAPI cannot know of the answers is added to what it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from deployments.api.http.problems import Problem
from deployments.api.intake import event_bodies

_PROBLEM = "application/problem+json"

# By the model's name: what the sample business was answered, its lists cut short.
_EXAMPLES = Path(__file__).parents[1] / "examples.json"


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


_RATE = {
    "RateLimit-Policy": _header("How much may be asked in which time.", '"calls";q=100;w=1'),
    "RateLimit": _header("What is left of it.", '"calls";r=99;t=1'),
}
_RETRY_AFTER = {"Retry-After": _header("Seconds after which to come back.", "1")}
_CHALLENGE = {"WWW-Authenticate": _header("What to authenticate with.", "Bearer")}
_ALLOW = {"Allow": _header("The methods that there are.", "GET")}
_WORK = {
    "Location": _header("The run.", "/orchestrate/runs/0192f3a1-7c5e-7d41-9b1a-5f0e3c2d1b00"),
    "Idempotency-Replayed": _header("true when it was answered before.", "true"),
    "Preference-Applied": _header("Which preference counted.", "wait=30"),
}
_HEADERS = {"401": _CHALLENGE, "405": _ALLOW, "429": {**_RATE, **_RETRY_AFTER}, "503": _RETRY_AFTER}


def describe(app: FastAPI) -> None:
    """Have the application give its document; made once, when somebody asks."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=app.description,
                    routes=app.routes,
                    tags=app.openapi_tags,
                )
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    template = "#/components/schemas/{model}"
    problem = Problem.model_json_schema(ref_template=template)
    schemas = document["components"]["schemas"]
    schemas |= {**problem.pop("$defs"), "Problem": problem, **event_bodies.SCHEMAS}
    examples = json.loads(_EXAMPLES.read_text())
    for path in document["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                _complete(operation, status, answer)
                for content in answer.get("content", {}).values():
                    _exemplify(content, examples)
    return document


def _exemplify(content: dict[str, Any], examples: dict[str, Any]) -> None:
    schema = content["schema"]
    listed = schema.get("type") == "array"
    model = (schema["items"] if listed else schema).get("$ref", "").rpartition("/")[2]
    if model in examples:
        content["example"] = [examples[model]] if listed else examples[model]


def _complete(operation: dict[str, Any], status: str, answer: dict[str, Any]) -> None:
    headers = dict(_HEADERS.get(status, {}))
    if status in ("200", "202") and "security" in operation:
        headers |= _RATE
        headers |= _WORK if "202" in operation["responses"] else {}
    if headers:
        answer["headers"] = headers
    if _PROBLEM in answer.get("content", {}):
        example = {"type": "about:blank", "title": answer["description"], "status": int(status)}
        answer["content"][_PROBLEM]["example"] = example | {
            "detail": "What is wrong, with which value.",
            "code": answer["description"].lower().replace(" ", "-"),
            "hint": "What to do about it.",
        }
