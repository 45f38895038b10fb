"""What OpenAPI says of the bodies that events and alerts come in: what their readers take.

``format: printable`` stands for text without control, format, private and unassigned characters,
and without spaces other than U+0020: Unicode says which those are, and no pattern does.
"""

from __future__ import annotations

from typing import Any

from blocks.dialects import alertmanager, cloudevents
from blocks.dialects.fields import LONGEST_ID
from blocks.vocabulary.messages import Severity

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
JSON = "application/json"


def _text(longest: int, about: str) -> dict[str, Any]:
    form = {"minLength": 1, "maxLength": longest, "format": "printable"}
    return {"type": "string", **form, "description": about}


def _instant(about: str) -> dict[str, Any]:
    about = f"{about} In UTC it lies within the years 1 to 9999."
    return {"type": "string", "format": "date-time", "description": about}


def _optional(schema: dict[str, Any]) -> dict[str, Any]:
    """Null counts as absent."""
    return {"anyOf": [schema, {"type": "null"}]}


_SUBJECT = _text(500, "What it is about, type:name.")
_SEVERITY = {
    "description": f"{', '.join(Severity)}, or another usual word for one of them. Whatever else "
    "it is counts as warning.",
    "examples": ["error"],
}

_CLOUDEVENT: dict[str, Any] = {
    "type": "object",
    "title": "CloudEvent",
    "description": "An event after CloudEvents 1.0; extension attributes are kept beside its data. "
    "One with recipient and action would be a message, which is refused.",
    "propertyNames": {"pattern": "^([a-z0-9]+|data_base64)$"},
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": cloudevents.SPECVERSION},
        "id": _text(LONGEST_ID, "With the source it says which event it is."),
        "source": _text(500, "Who tells of it."),
        "type": _text(200, "What happened."),
        "subject": _optional(_SUBJECT),
        "time": _optional(_instant("When it happened; else when it came.")),
        "severity": {**_SEVERITY, "default": "the severity in the data, else info"},
        "datacontenttype": _optional(_text(500, "Of data_base64; application/json when absent.")),
        "data": {"description": "Any JSON; what is no object is kept under value."},
        "data_base64": {
            "type": ["string", "null"],
            "contentEncoding": "base64",
            "format": "encoded-data",
            "description": "The data in base64. What datacontenttype says is JSON or text is read "
            "as such, JSON strictly.",
        },
    },
    "anyOf": [
        {"properties": {"data": {"type": "null"}}},
        {"properties": {"data_base64": {"type": "null"}}},
    ],
    "not": {"required": ["recipient", "action"]},
}

_PLAIN: dict[str, Any] = {
    "type": "object",
    "title": "PlainEvent",
    "description": "An event as any program may write one. Fields that are not named here are its "
    "data. With specversion it would be a CloudEvent, with to a message, which is refused.",
    "required": ["type"],
    "properties": {
        "type": _text(200, "What happened."),
        "id": _optional(_text(LONGEST_ID, "With the source it says which event it is; else new.")),
        "source": _optional(_text(500, "Who tells of it; else outside.")),
        "time": _optional(_instant("When it happened; else when it came.")),
        "timestamp": _optional(_instant("The same, for those who call it so.")),
        "severity": {**_SEVERITY, "default": Severity.INFO.value},
        "subject": _optional(_SUBJECT),
        "resource": _optional(_text(500, "The subject, for those who call it so.")),
        "data": {"description": "More data; what is no object is kept under value."},
        "specversion": False,
        "to": False,
    },
}

_STATUS = {"enum": ["firing", "resolved", None]}

_ALERT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status": {**_STATUS, "description": "Else that of the notification."},
        "labels": {
            "type": ["object", "null"],
            "description": "They say what it is about: the thing in trouble, not the exporter that "
            "reported it. The policy's part alerts has the rules of the house.",
            "properties": {
                "alertname": _optional(
                    _text(alertmanager.LONGEST_NAME, "Names the event: alert.NAME.")
                ),
                "severity": {**_SEVERITY, "default": Severity.ERROR.value},
            },
        },
        "annotations": {"type": ["object", "null"]},
        "startsAt": {"description": "When it began, an instant; else when it came."},
        "endsAt": {"description": "When it ended, an instant; counts when it is resolved."},
        "fingerprint": {"description": "What it is known by; else its labels."},
        "values": {"description": "Kept as they are, as are the links."},
    },
}

_NOTIFICATION: dict[str, Any] = {
    "type": "object",
    "title": "Notification",
    "description": "A webhook of Alertmanager (version 4), of Grafana (version 1), or of another "
    "sender in the same shape. Unknown fields are ignored.",
    "required": ["alerts"],
    "properties": {
        "version": {"description": "Any: the shape counts."},
        "groupKey": {"description": "Kept as it is."},
        "truncatedAlerts": {"description": "How many alerts were left out; told in notes."},
        "status": {**_STATUS, "description": "Of alerts that have none of their own; else firing."},
        "receiver": {"description": "Kept as it is."},
        "externalURL": {"description": "Kept as it is."},
        "alerts": {"type": "array", "items": _ALERT},
    },
}

SCHEMAS = {"CloudEvent": _CLOUDEVENT, "PlainEvent": _PLAIN, "Notification": _NOTIFICATION}
"""They belong into the document's components."""


def _of(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_ONE_EXAMPLE = {
    "specversion": "1.0",
    "id": "4711-refused",
    "source": "/shop/payments",
    "type": "payment.refused",
    "subject": "service:checkout",
    "severity": "error",
    "data": {"order": 4711},
}

EVENTS: dict[str, Any] = {
    "required": True,
    "description": "In binary mode, told by the header ce-specversion whatever the type of the "
    "body, the attributes come in percent-encoded ce- headers, and the body is the data: nothing "
    "that is said here of the types of bodies holds then.",
    "content": {
        ONE: {"schema": _of("CloudEvent"), "example": _ONE_EXAMPLE},
        BATCH: {
            "schema": {"type": "array", "items": _of("CloudEvent")},
            "example": [_ONE_EXAMPLE],
        },
        JSON: {
            "schema": {"anyOf": [_of("PlainEvent"), _of("CloudEvent")]},
            "example": {"type": "delivery.late", "subject": "supplier:acme", "days": 3},
        },
    },
}

ALERTS: dict[str, Any] = {
    "required": True,
    "content": {
        JSON: {
            "schema": _of("Notification"),
            "example": {
                "version": "4",
                "groupKey": '{}:{alertname="CheckoutDown"}',
                "status": "firing",
                "receiver": "orchestrator",
                "alerts": [
                    {
                        "status": "firing",
                        "labels": {
                            "alertname": "CheckoutDown",
                            "service": "checkout",
                            "severity": "critical",
                        },
                        "annotations": {"summary": "The checkout does not answer."},
                        "startsAt": "2026-03-01T12:00:00Z",
                        "fingerprint": "c1f0a5b2e3d4",
                    }
                ],
            },
        }
    },
}
