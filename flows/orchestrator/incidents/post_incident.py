"""The post-incident report: what happened, what it cost, what was done, what worked, what is left.

Every sentence of it rests on a record. What nobody measured is said to be unknown; who is to blame
is no question here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from blocks.ledger.events.records import Ending
from blocks.ledger.incidents.entries import EntryKind
from blocks.ledger.samples.samples import Series
from blocks.ledger.work.effects import EffectRecord
from blocks.text.spans import span
from blocks.vocabulary.effects import EffectVerdict
from flows.orchestrator.incidents.story import Story
from flows.reports.model import Cell, Chart, Section, Table, count, local

TITLE = "Post-incident report"

MOST_MOMENTS = 60
MOST_CHARTS = 6
_MOST_POINTS = 240  # of one series in a chart
_FEW = 5

_ENDINGS = {
    Ending.RESOLVED: "its source said that it is over",
    Ending.ANSWERED: "a person closed it",
    Ending.WELL: "our own look found it well",
    Ending.MENDED: "a remedy was verified to have helped",
}


def headline(story: Story, zone: str) -> str:
    """The whole in three sentences."""
    incident = story.incident
    began = local(story.began, zone)
    if incident.settled_at is None:
        ended = f"It goes on, since {began}: for {span(story.lasted, 2)} by now."
    else:
        ended = f"It lasted {span(story.lasted, 2)}, from {began}"
        ended += f" on; {_how_it_ended(story)}."
    return f"{incident.title}. {incident.severity.value.capitalize()}. {ended} {_worked(story)}"


def sections(story: Story, zone: str) -> list[Section]:
    """What happened, what was done, the timeline, what was measured, what is left to do."""
    return [
        _what_happened(story, zone),
        _what_was_done(story, zone),
        _timeline(story, zone),
        *_measured(story, zone),
        *_left(story),
    ]


def _how_it_ended(story: Story) -> str:
    incident = story.incident
    how = _ENDINGS.get(incident.ending, "it was dealt with") if incident.ending else "dealt with"
    return f"{how} ({incident.ended_by})" if incident.ended_by else how


def _what_happened(story: Story, zone: str) -> Section:
    told = story.incident.told
    said = [f"{told.summary.rstrip('.')}." if told.summary else ""]
    if story.affected:
        names = ", ".join(story.affected[:_FEW])
        more = len(story.affected) - _FEW
        said.append(f"It explains trouble with {names}{f' and {more} more' if more > 0 else ''}.")
    said.append(f"{count(story.incident.events, 'event')} told of it.")
    rows: list[list[Cell]] = [
        [what, local(at, zone), span(at - story.began, 2) if at > story.began else "—"]
        for what, at in _steps(story)
    ]
    table = Table(columns=["Step", "When", "After"], rows=rows)
    return Section(title="What happened", text=" ".join(filter(None, said)), tables=[table])


def _steps(story: Story) -> Iterator[tuple[str, datetime]]:
    """The instants by which a team is measured: noticed, answered, taken on, over."""
    yield "First sign", story.began
    yield "Noticed", story.incident.opened_at
    if responded := story.incident.responded_at:
        yield "Agents had answered", responded
    if acknowledged := story.first(EntryKind.ACKNOWLEDGED, "answer"):
        yield "A person took it on", acknowledged
    mended = [a.finished_at for a in story.acts if a.helped and a.finished_at]
    if mended:
        yield "A remedy had helped", min(mended)
    if story.incident.settled_at:
        yield "Over", story.incident.settled_at


def _what_was_done(story: Story, zone: str) -> Section:
    rows: list[list[Cell]] = [
        [
            local(act.intended_at, zone),
            act.kind.rpartition(".")[2].replace("_", " "),
            act.target,
            act.outcome.verdict.value if act.outcome.verdict else act.status.value,
            act.outcome.detail,
        ]
        for act in story.acts
    ]
    table = Table(columns=["When", "What", "To", "Came of it", "Detail"], rows=rows)
    return Section(
        title="What was done, and what worked",
        text=_worked(story),
        tables=[table] if rows else [],
    )


def _worked(story: Story) -> str:
    helped = [act for act in story.acts if act.helped]
    in_vain = [act for act in story.acts if act.finished_at and not act.helped]
    parts = [f"{_names(helped)} helped, and was verified." if helped else ""]
    parts.append(f"{_names(in_vain)} did not help, or nobody knows." if in_vain else "")
    if not story.acts:
        parts.append("Nothing was done by the agents.")
    return " ".join(part for part in parts if part)


def _names(acts: Sequence[EffectRecord]) -> str:
    told = dict.fromkeys(
        f"{act.kind.rpartition('.')[2].replace('_', ' ')} of {act.target}" for act in acts
    )
    return ", ".join(told).capitalize()


def _timeline(story: Story, zone: str) -> Section:
    shown = story.moments
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


def _measured(story: Story, zone: str) -> list[Section]:
    charts = [_chart(name, series, story, zone) for name, series in list(story.series.items())][
        :MOST_CHARTS
    ]
    minutes = story.events_per_minute
    if len(minutes) > 1:
        charts.append(_arrivals(story, zone))
    left = len(story.series) - MOST_CHARTS
    text = f"{left} more series were measured." if left > 0 else ""
    return [Section(title="What was measured", text=text, charts=charts)] if charts else []


def _chart(name: str, series: Series, story: Story, zone: str) -> Chart:
    step = -(-len(series) // _MOST_POINTS)
    thinned = series[::step]
    clock = ZoneInfo(zone)
    begun = next((i for i, (at, _) in enumerate(thinned) if at >= story.incident.opened_at), None)
    over = story.incident.settled_at
    ended = next((i for i, (at, _) in enumerate(thinned) if over and at >= over), None)
    subject, _, what = name.rpartition("/")
    quantity, _, unit = what.rpartition("_")
    return Chart(
        title=f"{subject}: {(quantity or what).replace('_', ' ')}",
        unit=unit if quantity else "",
        x=[f"{at.astimezone(clock):%H:%M}" for at, _ in thinned],
        series={quantity or what: [value for _, value in thinned]},
        marks=[place for place in (begun, ended) if place is not None],
    )


def _arrivals(story: Story, zone: str) -> Chart:
    clock, minute = ZoneInfo(zone), timedelta(minutes=1)
    first, last = min(story.events_per_minute), max(story.events_per_minute)
    length = min(int((last - first) / minute) + 1, _MOST_POINTS)
    minutes = [first + i * minute for i in range(length)]
    return Chart(
        title="Events per minute",
        x=[f"{at.astimezone(clock):%H:%M}" for at in minutes],
        series={"events": [float(story.events_per_minute.get(at, 0)) for at in minutes]},
    )


def _left(story: Story) -> list[Section]:
    """What is open, or worth a thought, each from a record."""
    incident = story.incident
    found = list(incident.response.advice) if incident.response else []
    if incident.settled_at is None:
        found.append("It is not over yet.")
    if incident.response and incident.response.failed:
        failed = "; ".join(f"{who}: {why}" for who, why in incident.response.failed.items())
        found.append(f"Agents that could not say anything: {failed}.")
    unknown = [a for a in story.acts if a.outcome.verdict is EffectVerdict.UNKNOWN]
    found += [f"Nobody knows how far {_names([act])} came: look at it." for act in unknown]
    if incident.settled_at and not any(act.helped for act in story.acts):
        found.append("It ended without a remedy of ours: what would have ended it sooner?")
    if story.lasted > timedelta(hours=1) and not story.first(EntryKind.ACKNOWLEDGED, "answer"):
        found.append(f"No person took it on in {span(story.lasted, 2)}.")
    if not incident.told.runbook and incident.response:
        found.append("No runbook was named for it.")
    rows: list[list[Cell]] = [[text] for text in dict.fromkeys(found)]
    table = Table(columns=["To do, or to think about"], rows=rows)
    return [Section(title="What is left", tables=[table])] if rows else []
