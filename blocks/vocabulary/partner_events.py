"""What partners are told of, as events: their types, and what the data of each hold.

A field that is added breaks no receiver; none is renamed or taken away. What nobody knows is null.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import AwareDatetime, Field

from blocks.models import Frozen
from blocks.vocabulary.severity import Severity


class EventType(StrEnum):
    """What happened."""

    INCIDENT_OPENED = "incident.opened"
    INCIDENT_WORSENED = "incident.worsened"
    INCIDENT_ACKNOWLEDGED = "incident.acknowledged"
    INCIDENT_RESOLVED = "incident.resolved"
    INCIDENT_REOPENED = "incident.reopened"
    ORDER_SENT = "order.sent"
    ORDER_CONFIRMED = "order.confirmed"
    ORDER_PARTLY = "order.partly"
    ORDER_LATE = "order.late"
    ORDER_RECEIVED = "order.received"
    ORDER_REJECTED = "order.rejected"
    ORDER_DECLINED = "order.declined"
    ORDER_FAILED = "order.failed"
    ORDER_UNKNOWN = "order.unknown"
    REPORT_READY = "report.ready"
    ENDPOINT_TEST = "endpoint.test"


class OrderedBy(StrEnum):
    """What must be told a partner one after another.

    Attributes:
        NONE: Nothing.
        SUBJECT: What concerns the same incident, order or report.
        RESOURCE: What concerns the same service, supplier, or whatever it is about.
        ALL: Everything.
    """

    NONE = "none"
    SUBJECT = "subject"
    RESOURCE = "resource"
    ALL = "all"


class IncidentNews(Frozen):
    """The data of ``incident.…``. What it costs and who works at it stays with us."""

    id: str = Field(description="The incident.")
    resource: str | None = Field(description="What it is about, type:name.")
    title: str | None = Field(description="In a line.")
    severity: Severity | None = Field(description="info, warning, error or critical.")
    opened_at: AwareDatetime | None = Field(description="When it was opened.")


class OrderedNews(Frozen):
    """One item of an order."""

    sku: str
    units: int = Field(description="Pieces ordered.")
    to_come: int = Field(description="Pieces that are still expected.")


class OrderNews(Frozen):
    """The data of ``order.…``: a purchase order as it stands."""

    reference: str = Field(description="Our number of it, which the supplier was told.")
    supplier: str = Field(description="Its name.")
    supplier_number: str | None = Field(description="The supplier's own number of it.")
    stage: str = Field(description="Where it stands; the second half of the event's type.")
    site: str | None = Field(description="Where it is delivered to; null where there is one place.")
    currency: str = Field(description="ISO code.")
    total: Decimal = Field(description="Goods and freight, in currency.")
    due_on: str = Field(description="Day on which all of it should be there.")
    lines: list[OrderedNews] = Field(description="Item by item.")


class ReportNews(Frozen):
    """The data of ``report.ready``."""

    run_id: str = Field(description="Its run; GET /orchestrate/reports/RUN_ID has the report.")
    workflow: str = Field(description="Which workflow made it.")


class TestNews(Frozen):
    """The data of ``endpoint.test``."""

    __test__ = False

    endpoint: str = Field(description="Whom it was sent to.")
    asked_by: str = Field(description="Who had it sent.")
