"""The OpenAPI document is complete: what a client is written from says everything there is."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from blocks.settings import Settings
from deployments.api.app import create_app

OPEN = {"/livez", "/readyz"}
ROUTES = {
    "/alerts": {"post"},
    "/approvals": {"get"},
    "/approvals/{approval_id}": {"get"},
    "/approvals/{approval_id}/answer": {"post"},
    "/deliveries": {"get"},
    "/deliveries/{delivery_id}": {"get"},
    "/deliveries/{delivery_id}/resend": {"post"},
    "/endpoints": {"get"},
    "/endpoints/{name}/disable": {"post"},
    "/endpoints/{name}/enable": {"post"},
    "/endpoints/{name}/resend": {"post"},
    "/endpoints/{name}/test": {"post"},
    "/events": {"post"},
    "/incidents": {"get"},
    "/incidents/{incident_id}": {"get"},
    "/incidents/{incident_id}/report": {"get"},
    "/incidents/{incident_id}/acknowledge": {"post"},
    "/incidents/{incident_id}/assign": {"post"},
    "/incidents/{incident_id}/notes": {"post"},
    "/incidents/{incident_id}/resolve": {"post"},
    "/livez": {"get"},
    "/metrics": {"get"},
    "/metrics/agents": {"get"},
    "/metrics/system": {"get"},
    "/metrics/workflows": {"get"},
    "/orchestrate/agents": {"get"},
    "/orchestrate/broadcast": {"post"},
    "/orchestrate/overview": {"get"},
    "/orchestrate/reports/{run_id}": {"get"},
    "/orchestrate/runs/{run_id}": {"get"},
    "/orchestrate/status": {"get"},
    "/orchestrate/task": {"post"},
    "/orchestrate/workflow": {"post"},
    "/autonomy": {"get"},
    "/objectives": {"get"},
    "/orders": {"get"},
    "/orders/drafts": {"get"},
    "/orders/{reference}": {"get"},
    "/orders/{reference}/answers": {"post"},
    "/orders/{reference}/cancel": {"post"},
    "/orders/{reference}/notes": {"post"},
    "/orders/{reference}/received": {"post"},
    "/readyz": {"get"},
    "/rules": {"get"},
    "/rules/test": {"post"},
    "/topology": {"get"},
    "/silences": {"get", "post"},
    "/silences/{silence_id}": {"delete"},
    "/webhooks/{connection}": {"post"},
}
SIGNED = {"/webhooks/{connection}"}  # their signature is all the authentication they need


@cache
def document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


OPERATIONS = [
    pytest.param(path, operation, id=f"{method} {path}")
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def test_these_are_the_routes() -> None:
    assert document()["openapi"].startswith("3.1")
    assert {path: set(of) for path, of in document()["paths"].items()} == ROUTES


def test_no_reference_leads_nowhere() -> None:
    def references(part: Any) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
            return own.union(*(references(value) for value in part.values()))
        if isinstance(part, list):
            return set().union(*(references(value) for value in part))
        return set()

    known = {f"#/components/schemas/{name}" for name in document()["components"]["schemas"]}
    assert references(document()) - known == set()


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_every_operation_is_described(path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    for parameter in operation.get("parameters", ()):
        assert parameter.get("description") or parameter["schema"].get("description"), parameter
        told = resolved(parameter["schema"])
        assert "examples" in told or "example" in parameter or "examples" in parameter, parameter
    if body := operation.get("requestBody"):
        assert body["required"]
        for content in body["content"].values():
            told = resolved(content["schema"])
            assert told.get("examples") or content.get("example"), told


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_every_operation_needs_a_token_and_documents_its_errors(
    path: str, operation: dict[str, Any]
) -> None:
    answers = operation["responses"]
    if path in OPEN:
        assert "security" not in operation
    else:
        signed = path in SIGNED
        assert operation["security"] == ([] if signed else [{"HTTPBearer": []}])
        assert {"401", "429", "500", "503"} <= set(answers)
        assert ("403" in answers) != signed
        assert "Retry-After" in answers["429"]["headers"]
        assert "WWW-Authenticate" in answers["401"]["headers"]
        if "requestBody" in operation:
            assert {"400", "408", "413", "415", "422"} <= set(answers)
        if "parameters" in operation:
            assert "422" in answers
    for status, answer in answers.items():
        assert answer["description"], status
        if int(status) >= 400 and path not in OPEN:
            assert list(answer["content"]) == ["application/problem+json"]
            (content,) = answer["content"].values()
            assert resolved(content["schema"])["title"] == "Problem"
            assert content["example"]["status"] == int(status)


@pytest.mark.parametrize(("path", "operation"), OPERATIONS)
def test_every_answer_has_a_form_and_an_example_of_it(path: str, operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        if int(status) < 300:
            (content,) = answer["content"].values()
            form = content["schema"] | {"components": document()["components"]}
            Draft202012Validator(form).validate(content["example"])
            assert content["example"], status


def test_each_workflow_is_there_with_its_parameters() -> None:
    from blocks.prefect_api.workflows import entrypoints, load_workflow

    schemas = document()["components"]["schemas"]
    mapping = schemas["WorkflowRequest"]["discriminator"]["mapping"]
    assert set(mapping) == set(entrypoints())
    for name, reference in mapping.items():
        body = resolved({"$ref": reference})
        told = resolved(body["properties"]["parameters"])
        assert set(told.get("properties", {})) == set(load_workflow(name).parameters.properties)
        for parameter in told.get("properties", {}).values():
            assert parameter["description"]
