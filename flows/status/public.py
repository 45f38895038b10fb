"""What of the status page everybody may see. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

from blocks.settings import PagePart
from flows.status.page_model import (
    PARTS,
    Condition,
    Moment,
    OpenOrders,
    Orders,
    Overview,
    Question,
    Troubles,
    WorkflowLine,
)

# Ids of runs, which titles of events about them name.
_ID = re.compile(r"\b[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}(-\d+)?\b")


def for_everybody(page: Overview, parts: Collection[PagePart]) -> Overview:
    """What of the page may be seen without a token.

    Of the parts that are named, how things stand and what happened; never who answered or what
    they said, what a run reported, money, an id, or a link. What is not named here is not shown.
    """
    shown = {part: getattr(page, part) for part in PARTS if part in parts}
    return Overview(
        health=_condition(shown.get("health"), parts),
        incidents=_incidents(shown.get("incidents"), parts),
        approvals=_questions(shown.get("approvals")),
        objectives=shown.get("objectives"),
        agents=shown.get("agents"),
        workflows=_workflows(shown.get("workflows")),
        stock=(stock := shown.get("stock")) and stock.model_copy(update={"run_id": ""}),
        orders=_orders(shown.get("orders")),
        open_orders=_open_orders(page.open_orders) if "orders" in shown else None,
        activity=shown.get("activity"),
        timeline=_moments(shown.get("timeline"), parts),
        parts=list(shown),
    )


def _condition(condition: Condition | None, parts: Collection[PagePart]) -> Condition | None:
    if condition is None:
        return None
    told = [
        reason.model_copy(update={"text": _without_ids(reason.text)})
        for reason in condition.reasons
        if reason.part in parts
    ]
    return condition.model_copy(update={"reasons": told})


def _incidents(incidents: Troubles | None, parts: Collection[PagePart]) -> Troubles | None:
    if incidents is None:
        return None
    bare = {
        "id": "",
        "standing": "",
        "impact_per_hour": None,
        "impact_per_day": None,
        "run_id": None,
        "runbook": "",
    }
    bare |= {"incident_id": None, "seen_to_by": None, "assigned_to": None}
    told = [
        one.model_copy(
            update=bare | {"title": _without_ids(one.title), "resource": _without_ids(one.resource)}
        )
        for one in incidents.open
        if one.part in parts
    ]
    return incidents.model_copy(update={"open": told})


def _questions(questions: list[Question] | None) -> list[Question] | None:
    if questions is None:
        return None
    bare = {"id": "", "detail": "", "resource": ""}
    return [q.model_copy(update=bare | {"title": _without_ids(q.title)}) for q in questions]


def _orders(orders: Orders | None) -> Orders | None:
    if orders is None:
        return None
    bare = {"total": "", "currency": ""}
    told = [order.model_copy(update=bare) for order in orders.orders]
    return orders.model_copy(
        update={"run_id": "", "text": "", "waiting_cost_per_day": None, "orders": told}
    )


def _open_orders(orders: OpenOrders | None) -> OpenOrders | None:
    if orders is None:
        return None
    bare = {"reference": "", "total": "", "currency": ""}
    told = [order.model_copy(update=bare) for order in orders.orders]
    return orders.model_copy(update={"worth": [], "orders": told})


def _workflows(lines: list[WorkflowLine] | None) -> list[WorkflowLine] | None:
    if lines is None:
        return None
    bare = {"id": "", "trigger": "", "headline": "", "has_report": False, "flow_run_id": None}
    return [line.model_copy(update=bare) for line in lines]


def _moments(moments: list[Moment] | None, parts: Collection[PagePart]) -> list[Moment] | None:
    if moments is None:
        return None
    bare = {"detail": "", "run_id": None}
    return [
        moment.model_copy(update=bare | {"title": _without_ids(moment.title)})
        for moment in moments
        if moment.part in parts
    ]


def _without_ids(text: str) -> str:
    return _ID.sub("…", text)
