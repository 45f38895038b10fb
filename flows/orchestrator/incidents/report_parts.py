"""The parts of a post-incident report, each from records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from blocks.ledger.incidents.entries import EntryKind
from blocks.ledger.samples.samples import Series
from blocks.ledger.work.effects import EffectRecord
from blocks.text.spans import span
from blocks.vocabulary.effects import EffectVerdict
from flows.orchestrator.incidents.chronicle import Chronicle, name_of
from flows.orchestrator.incidents.costs import Cost, ShopHour, missed
from flows.reports.model import Cell, Chart, Section, Table, count, local, money

MOST_MOMENTS = 60
MOST_CHARTS = 6
_MOST_POINTS = 240  # of one series in a chart
_FEW = 5
_UNITS = frozenset({"ms", "s", "percent", "mb", "days"})  # that names of series end with


def what_happened(chronicle: Chronicle, zone: str) -> Section:
    """What it was, whom it touched, and the instants by which a team is measured."""
    told = chronicle.incident.told
    said = [f"{told.summary.rstrip('.')}." if told.summary else ""]
    if chronicle.affected:
        names = ", ".join(chronicle.affected[:_FEW])
        more = len(chronicle.affected) - _FEW
        said.append(f"It explains trouble with {names}{f' and {more} more' if more > 0 else ''}.")
    said.append(f"{count(chronicle.incident.events, 'event')} told of it.")
    clock = ZoneInfo(zone)
    rows: list[list[Cell]] = [
        [
            what,
            f"{at.astimezone(clock):%d %b %Y, %H:%M:%S}",
            span(at - chronicle.began, 2) if at > chronicle.began else "—",
        ]
        for what, at in sorted(_steps(chronicle), key=lambda step: step[1])
    ]
    table = Table(columns=["Step", "When", "After"], rows=rows)
    return Section(title="What happened", text=" ".join(filter(None, said)), tables=[table])


def _steps(chronicle: Chronicle) -> Iterator[tuple[str, datetime]]:
    """The instants by which a team is measured: noticed, answered, taken on, over."""
    yield "First sign", chronicle.began
    yield "Noticed", chronicle.incident.opened_at
    if responded := chronicle.incident.responded_at:
        yield "Agents had answered", responded
    if acknowledged := chronicle.first(EntryKind.ACKNOWLEDGED, "answer"):
        yield "A person took it on", acknowledged
    mended = [a.finished_at for a in chronicle.acts if a.helped and a.finished_at]
    if mended:
        yield "A remedy had helped", min(mended)
    if chronicle.incident.settled_at:
        yield "Over", chronicle.incident.settled_at


def what_it_cost(cost: Cost, hours: Sequence[ShopHour], zone: str, currency: str) -> Section:
    """What was at risk, and what did not come."""
    if cost.so_far is None or cost.share is None:
        why = "what the shop usually takes in its hours, or what depends on it, is not known"
        return Section(title="What it cost", text=f"It cannot be told in money: {why}.")
    said = [
        f"{cost.share:.0%} of the revenue was judged to depend on it. From when it was noticed "
        f"{money(cost.so_far, currency)} usually come in by that: so much was at risk.",
        f"Now it is {money(cost.per_hour, currency)} per hour." if cost.per_hour else "",
        ""
        if cost.by_hour
        else "The shop's hours are not known yet: this is an average over the day.",
    ]
    if (gone := missed(hours)) is not None:
        said.append(
            f"In the hours around it {money(gone, currency)} of what is usual did not come, "
            "whatever the reason."
        )
    clock = ZoneInfo(zone)
    known = [hour for hour in hours if hour.usual is not None]
    chart = Chart(
        title="Revenue by the hour",
        unit=currency,
        x=[f"{hour.begin.astimezone(clock):%d %b %H:%M}" for hour in known],
        series={
            "usual": [hour.usual for hour in known],
            "taken": [hour.taken for hour in known],
        },
    )
    charts = [chart] if any(hour.taken is not None for hour in known) else []
    return Section(title="What it cost", text=" ".join(filter(None, said)), charts=charts)


def what_was_done(chronicle: Chronicle, zone: str) -> Section:
    """Each act with what came of it."""
    rows: list[list[Cell]] = [
        [
            local(act.intended_at, zone),
            name_of(act),
            act.outcome.verdict.value if act.outcome.verdict else act.status.value,
            act.outcome.detail,
        ]
        for act in chronicle.acts
    ]
    table = Table(columns=["When", "What", "Came of it", "Detail"], rows=rows)
    return Section(
        title="What was done, and what worked",
        text=worked(chronicle),
        tables=[table] if rows else [],
    )


def worked(chronicle: Chronicle) -> str:
    """What was tried, each thing once, and whether it helped."""
    tries: dict[str, list[EffectRecord]] = {}
    for act in chronicle.acts:
        tries.setdefault(name_of(act), []).append(act)
    if not tries:
        return "Nothing was done by the agents."
    return " ".join(_went(name, acts) for name, acts in tries.items())


def _went(name: str, acts: Sequence[EffectRecord]) -> str:
    helped = next((n for n, act in enumerate(acts, 1) if act.helped), 0)
    if helped:
        at_try = f" at try {helped} of {len(acts)}" if len(acts) > 1 else ""
        return f"{name} helped{at_try}, and that was verified."
    if all(act.status.is_open for act in acts):
        return f"{name} is not over yet."
    times = f" was tried {len(acts)} times and" if len(acts) > 1 else ""
    return f"{name}{times} did not help, as far as anybody knows."


def timeline(chronicle: Chronicle, zone: str) -> Section:
    """All moments, or the first and the last of many."""
    shown = chronicle.moments
    note = ""
    if len(shown) > MOST_MOMENTS:
        half = MOST_MOMENTS // 2
        note = f"{len(shown) - MOST_MOMENTS:,} moments between the first and the last are left out."
        shown = (*shown[:half], *shown[-half:])
    clock = ZoneInfo(zone)
    days = {moment.at.astimezone(clock).date() for moment in shown}
    form = "%H:%M:%S" if len(days) == 1 else "%d %b %H:%M:%S"
    rows: list[list[Cell]] = [
        [f"{moment.at.astimezone(clock):{form}}", moment.text, moment.by] for moment in shown
    ]
    return Section(
        title="Timeline",
        tables=[Table(columns=["When", "What", "By"], rows=rows, note=note)],
    )


def measured(chronicle: Chronicle, zone: str) -> list[Section]:
    """Charts of what was measured of the things in trouble."""
    shown = list(chronicle.series.items())[:MOST_CHARTS]
    charts = [_chart(name, series, chronicle, zone) for name, series in shown]
    minutes = chronicle.events_per_minute
    if len(minutes) > 1:
        charts.append(_arrivals(chronicle, zone))
    left = len(chronicle.series) - MOST_CHARTS
    text = f"{left} more series were measured." if left > 0 else ""
    return [Section(title="What was measured", text=text, charts=charts)] if charts else []


def _chart(name: str, series: Series, chronicle: Chronicle, zone: str) -> Chart:
    step = -(-len(series) // _MOST_POINTS)
    thinned = series[::step]
    clock = ZoneInfo(zone)
    incident = chronicle.incident
    begun = _first(thinned, incident.opened_at)
    ended = _first(thinned, incident.settled_at) if incident.settled_at else None
    subject, _, what = name.rpartition("/")
    quantity, _, unit = what.rpartition("_")
    if unit not in _UNITS:
        quantity, unit = what, ""
    return Chart(
        title=f"{subject}: {quantity.replace('_', ' ')}",
        unit=unit,
        x=[f"{at.astimezone(clock):%H:%M}" for at, _ in thinned],
        series={quantity: [value for _, value in thinned]},
        marks=[place for place in (begun, ended) if place is not None],
    )


def _first(series: Series, since: datetime) -> int | None:
    """Place of the first value of an instant or later."""
    return next((place for place, (at, _) in enumerate(series) if at >= since), None)


def _arrivals(chronicle: Chronicle, zone: str) -> Chart:
    clock, minute = ZoneInfo(zone), timedelta(minutes=1)
    first, last = min(chronicle.events_per_minute), max(chronicle.events_per_minute)
    length = min(int((last - first) / minute) + 1, _MOST_POINTS)
    minutes = [first + i * minute for i in range(length)]
    return Chart(
        title="Events per minute",
        x=[f"{at.astimezone(clock):%H:%M}" for at in minutes],
        series={"events": [float(chronicle.events_per_minute.get(at, 0)) for at in minutes]},
    )


def left(chronicle: Chronicle) -> list[Section]:
    """What is open, or worth a thought, each from a record."""
    incident = chronicle.incident
    found = list(incident.response.advice) if incident.response else []
    if incident.settled_at is None:
        found.append("It is not over yet.")
    if incident.response and incident.response.failed:
        failed = "; ".join(f"{who}: {why}" for who, why in incident.response.failed.items())
        found.append(f"Agents that could not say anything: {failed}.")
    unknown = [a for a in chronicle.acts if a.outcome.verdict is EffectVerdict.UNKNOWN]
    found += [f"Nobody knows how far it came, look at it: {name_of(act)}." for act in unknown]
    if incident.settled_at and not any(act.helped for act in chronicle.acts):
        found.append("It ended without a remedy of ours: what would have ended it sooner?")
    if chronicle.lasted > timedelta(hours=1) and not chronicle.first(
        EntryKind.ACKNOWLEDGED, "answer"
    ):
        found.append(f"No person took it on in {span(chronicle.lasted, 2)}.")
    if not incident.told.runbook and incident.response:
        found.append("No runbook was named for it.")
    rows: list[list[Cell]] = [[text] for text in dict.fromkeys(found)]
    table = Table(columns=["To do, or to think about"], rows=rows)
    return [Section(title="What is left", tables=[table])] if rows else []
