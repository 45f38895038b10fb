"""What a report says of events: incidents, summaries, arrivals, and what still waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from blocks.ledger.events.records import Depth, IncidentRecord
from blocks.vocabulary.messages import Severity
from flows.orchestrator.events.draining import MOST_TOLD, Drained, Handled
from flows.orchestrator.events.open_incidents import OpenIncident, how_many
from flows.orchestrator.incidents.costs import Cost
from flows.reports.model import Chart, Section, Table, count, local, money


def events_headline(drained: Drained, depth: Depth, found: Sequence[OpenIncident]) -> str:
    """The whole in two or three sentences."""
    summarised = sum(summary.events for summary in drained.summaries)
    left = " ".join([_left(depth), *([f"{how_many(found)}."] if found else [])])
    if not drained.events and not summarised:
        return f"No event came. {left}"
    mended = sum(handled.response.mended for handled in drained.handled)
    parts = [
        f"{count(drained.events, 'event')}, {count(drained.incidents, 'incident')}",
        *([f"{mended} mended and verified"] if mended else []),
        *([f"{len(drained.given_up)} given up"] if drained.given_up else []),
        *([f"{summarised:,} milder events summarised"] if summarised else []),
    ]
    return f"{', '.join(parts)}. {left}"


def standing(
    found: Sequence[OpenIncident], costs: Mapping[str, Cost], zone: str, currency: str, top: int
) -> list[Section]:
    """What is open, the worst first, and what each costs; no section when nothing is."""
    if not found:
        return []
    rows: list[list[str | float | int | None]] = [
        [
            each.incident.severity.value,
            each.incident.title,
            local(each.incident.opened_at, zone),
            *_costs(costs.get(each.incident.id, Cost()), currency),
            each.told,
        ]
        for each in found[:top]
    ]
    table = Table(
        columns=[
            *("Severity", "Incident", "Since", "At risk per hour", "So far", "Next 24 hours"),
            "How it stands",
        ],
        rows=rows,
        note=_note(found, costs, top),
    )
    text = f"{how_many(found)}."
    return [Section(title="Open incidents", text=text, tables=[table])]


def _costs(cost: Cost, currency: str) -> list[str]:
    return [money(each, currency) for each in (cost.per_hour, cost.so_far, cost.next_day)]


def _note(found: Sequence[OpenIncident], costs: Mapping[str, Cost], top: int) -> str:
    more = [f"{len(found) - top:,} more, of less weight."] if len(found) > top else []
    shown = [costs[each.incident.id] for each in found[:top] if each.incident.id in costs]
    if any(cost.per_hour is not None and not cost.by_hour for cost in shown):
        more.append("Money is averaged over the day: what each hour brings is not known yet.")
    return " ".join(more)


def incidents(drained: Drained, top: int) -> Section:
    """What happened and what was done about it, the worst first."""
    worst = sorted(drained.handled, key=lambda h: (-h.incident.severity.rank, -h.incident.events))
    shown = worst[:top]
    note = (
        f"{drained.incidents - len(shown)} more are in the ledger."
        if (drained.incidents > len(shown))
        else ""
    )
    table = Table(
        columns=["Severity", "Incident", "Events", "Done / to do", "Why together"],
        rows=[_row(handled) for handled in shown],
        note=note,
    )
    left = [f"{s.title}: {s.done}" for s in drained.given_up[:MOST_TOLD]]
    return Section(title="Incidents", text=" ".join(left), tables=[table] if shown else [])


def _row(handled: Handled) -> list[str | float | int | None]:
    incident, why = handled.incident, " ".join(handled.why)
    done = handled.response.done
    return [incident.severity.value, incident.title, incident.events, done, why]


def summaries(made: Sequence[IncidentRecord], top: int) -> list[Section]:
    """What was settled in bulk; no section when nothing was."""
    if not made:
        return []
    most = sorted(made, key=lambda s: (-s.events, s.resource))
    rows: list[list[str | float | int | None]] = []
    for each in most[:top]:
        if told := each.summary:
            first, last = told.first.isoformat(), told.last.isoformat()
            rows.append([told.type, each.resource, told.events, first, last])
    text = "More came than could be dealt with one by one: milder events were only counted."
    table = Table(columns=["Type", "About", "Events", "First", "Last"], rows=rows)
    return [Section(title="Summarised", text=text, tables=[table])]


def inbox(depth: Depth, arrivals: Mapping[datetime, Mapping[Severity, int]], zone: str) -> Section:
    """What waits, and how much came in each minute."""
    rows: list[list[str | float | int | None]] = [
        [severity.value, waiting.events, f"{(depth.at - waiting.oldest).total_seconds():,.0f} s"]
        for severity in reversed(Severity)
        if (waiting := depth.waiting.get(severity))
    ]
    tables = [Table(columns=["Severity", "Waiting", "Oldest for"], rows=rows)] if rows else []
    return Section(
        title="Inbox",
        text=_left(depth),
        tables=tables,
        charts=[_chart(arrivals, zone)] if arrivals else [],
    )


def _chart(arrivals: Mapping[datetime, Mapping[Severity, int]], zone: str) -> Chart:
    minutes = sorted(arrivals)
    return Chart(
        title="Events per minute",
        kind="line" if len(minutes) > 4 else "bar",
        x=[f"{minute.astimezone(ZoneInfo(zone)):%H:%M}" for minute in minutes],
        series={
            severity.value: [float(arrivals[minute].get(severity, 0)) for minute in minutes]
            for severity in reversed(Severity)
            if any(severity in counted for counted in arrivals.values())
        },
    )


def _left(depth: Depth) -> str:
    if not depth.events:
        return "Nothing waits."
    seconds = depth.oldest_wait.total_seconds()
    return f"{count(depth.events, 'event')} still waiting, the oldest for {seconds:,.0f} s."
