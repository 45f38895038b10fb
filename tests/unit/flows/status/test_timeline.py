"""What happened, in order."""

from __future__ import annotations

import pytest

from blocks.ledger.events.records import Ending
from blocks.ledger.work.approvals import ApprovalStatus
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import Outcome
from flows.status.page_model import Overview
from flows.status.public import for_everybody
from flows.status.timeline import timeline
from tests.unit.flows.status.pages import HOUR, MINUTE, NOW, incident, question, remedy, run


def told(runs=(), headlines=None, incidents=(), acts=(), approvals=(), limit=40):
    found = timeline(runs, headlines or {}, incidents, acts, approvals, limit)
    return [(moment.title, moment.mark, moment.count) for moment in found]


def test_everything_in_one_list_newest_first():
    answered = question(
        status=ApprovalStatus.APPROVED,
        answered_at=NOW - 3 * MINUTE,
        answered_by="Ada",
        outcome="It was ordered.",
    )
    assert told(
        runs=[run(ago=10 * MINUTE), run(Outcome.FAILED, ago=20 * MINUTE), run(None, ago=MINUTE)],
        incidents=[incident(ago=2 * HOUR, settled={"mended": True, "done": "Restarted."})],
        acts=[remedy("ineffective", ago=30 * MINUTE)],
        approvals=[answered],
    ) == [
        ("w began", "neutral", 1),
        ("Approved: Order it?", "neutral", 1),
        ("w ended well", "good", 1),
        ("w failed", "bad", 1),
        ("Remedy for service:shop did not help: restart service", "bad", 1),
        ("Asked: Order it?", "neutral", 1),
        ("Mended: service shop: down", "good", 1),
        ("service shop: down", "bad", 1),
    ]


def test_the_same_in_a_row_is_one_and_the_newest_tells():
    runs = [run(ago=n * HOUR, workflow="a") for n in (1, 2, 4)]
    runs.insert(2, run(ago=3 * HOUR, workflow="b"))
    assert told(runs) == [
        ("a ended well", "good", 2),
        ("b ended well", "good", 1),
        ("a ended well", "good", 1),
    ]
    [first, *_] = timeline(runs, {runs[0].id: "new", runs[1].id: "old"}, (), (), (), 40)
    assert (first.detail, first.at) == ("new", runs[0].finished_at)
    assert len(told(runs, limit=2)) == 2


def test_a_question_that_nobody_answered_says_what_counts():
    silent = question(status=ApprovalStatus.EXPIRED, expires_at=NOW - MINUTE)
    [end, asked] = timeline((), {}, (), (), [silent], 40)
    assert (end.title, end.at) == ("Nobody answered: Order it?", silent.expires_at)
    assert end.detail == "The safe choice counts: reject."
    assert asked.mark == "neutral"
    assert told(approvals=[question()])[0][1] == "warning"


def test_runs_that_only_serve_a_question_are_not_told():
    assert told([run(workflow="apply-approval"), run(workflow="approval-form")]) == []


@pytest.mark.parametrize(
    ("ending", "title", "detail"),
    [
        (Ending.RESOLVED, "Resolved by its source", "Looked."),
        (Ending.ANSWERED, "Closed by a person", "By Ada. Looked."),
        (Ending.WELL, "Found well", "Looked."),
        (Ending.MENDED, "Mended", "Looked."),
        (None, "Dealt with", "Looked."),
    ],
)
def test_an_incident_ends_by_what_ended_it(ending, title, detail):
    response = {"mended": ending is Ending.MENDED, "done": "Looked."}
    by = "Ada" if ending is Ending.ANSWERED else None
    ended = incident(settled=response, ending=ending, ended_by=by)
    moments = timeline([], {}, [ended], [], [], 9)
    assert (moments[0].title, moments[0].detail) == (f"{title}: service shop: down", detail)
    # Who answered is told to nobody without a token.
    [bare, _] = for_everybody(
        Overview(timeline=moments, parts=["timeline", "incidents"]), ["timeline", "incidents"]
    ).timeline
    assert "Ada" not in bare.model_dump_json()


def test_what_was_wanted_for_a_while_and_put_back_is_told_as_such():
    back = {"status": EffectStatus.UNDONE}
    acts = [
        remedy(verdict, ago=MINUTE).model_copy(update=back)
        for verdict in ("verified", "ineffective")
    ]
    assert [(title, mark) for each in acts for title, mark, _ in told(acts=[each])] == [
        (
            "Remedy for service:shop helped, and was put back as it was before: restart service",
            "good",
        ),
        ("Remedy for service:shop did not help and was undone: restart service", "bad"),
    ]
