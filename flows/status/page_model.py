"""What the status page says, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, get_args

from pydantic import AwareDatetime, Field

from agents.sre_reliability.objectives.standing import ObjectiveStanding
from blocks.ledger.calls.history import HourOfCalls
from blocks.ledger.calls.records import RunRecord
from blocks.ledger.events.records import Depth, IncidentRecord, IncidentState
from blocks.ledger.purchasing.records import OrderRecord
from blocks.ledger.status import AgentMetrics, Health, SystemStatus, Target
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.ledger.work.effects import EffectRecord
from blocks.models import Strict
from blocks.policy.event_rules import EventRules
from blocks.settings import PagePart
from blocks.vocabulary.messages import Outcome, Severity
from flows.reports.last_orders import LastOrders
from flows.reports.model import Report, Table

PARTS: tuple[PagePart, ...] = get_args(PagePart)
"""In the order in which they are told."""


class Reason(Strict):
    """Why the whole is not well, in a sentence; ``part`` is where the page tells more of it."""

    text: str
    part: PagePart


class Condition(Strict):
    """How the whole is, with the gravest reason first."""

    state: Health
    headline: str
    reasons: list[Reason]


class Trouble(Strict):
    """Something that is wrong.

    Attributes:
        id: Of its incident, else the finding's fingerprint.
        standing: What is being done about it, or was, or a person should do.
        since: When it began; of a finding, when it was reported.
        events: How many events tell of it; 0 when a check found it.
        open: Whether it is still being dealt with; else it was left to a person.
        impact_per_hour: Money at risk in the hour that an incident was judged in, in the business's
            currency.
        impact_per_day: Money at risk on a usual day, of what a check found.
        runbook: Address of the page that its sender names for what to do.
        part: The part of the page that it tells of.
        incident_id: Of what has a life of its own; None of a finding, or a workflow.
        state: Where an incident stands for people: triggered, acknowledged or resolved.
        seen_to_by: Who acknowledged it, while that counts.
        assigned_to: The person or audience whose it is.
        silenced: Whether nobody is told of it now.
        flapping: Whether it begins and ends again and again.
    """

    id: str
    severity: Severity
    title: str
    resource: str
    since: AwareDatetime
    standing: str
    open: bool
    events: int = 0
    impact_per_hour: float | None = None
    impact_per_day: float | None = None
    runbook: str = ""
    run_id: str | None = None
    part: PagePart = "incidents"
    incident_id: str | None = None
    state: IncidentState | None = None
    seen_to_by: str | None = None
    assigned_to: str | None = None
    silenced: bool = False
    flapping: bool = False


class Troubles(Strict):
    """What is wrong, worst first, and how much waits to be looked at."""

    open: list[Trouble]
    left_out: int = Field(description="How many more there are, of less weight.")
    waiting_events: int
    checked_at: AwareDatetime | None = Field(description="When the last daily check ended.")


class Question(Strict):
    """A question to a person that waits for an answer."""

    id: str
    title: str
    detail: str = Field(description="Why it is asked, and what yes and no do; Markdown.")
    resource: str
    safe_choice: Literal["approve", "reject"]
    asked_at: AwareDatetime
    expires_at: AwareDatetime


class Agent(AgentMetrics):
    """An agent with its work of the last 24 hours."""

    title: str


class Agents(Strict):
    """The team, and the operating targets."""

    agents: list[Agent]
    targets: list[Target]


class ObjectiveLine(Strict):
    """An objective, and what is left of its error budget.

    Attributes:
        objective: Share that must be good, over ``days``.
        good_share: Share that was; None when nothing was measured.
        budget_left: Share of the budget that is left, below 0 when more was spent; None when
            nothing was measured.
        burns: Whom it calls: ``page`` or ``ticket``; None while it does not burn too fast.
        empty_at: When the budget is spent at this pace, at the earliest.
    """

    name: str
    target: str
    objective: float
    days: int
    known_days: float
    good_share: float | None
    budget_left: float | None
    burns: str | None
    empty_at: AwareDatetime | None


class WorkflowLine(Strict):
    """A workflow by its newest run.

    Attributes:
        outcome: None while the run goes on.
        going_on: How many of its runs are.
        recent: How its last runs ended, oldest first.
    """

    id: str
    workflow: str
    trigger: str
    started_at: AwareDatetime
    finished_at: AwareDatetime | None
    outcome: Outcome | None
    headline: str
    has_report: bool
    flow_run_id: str | None
    going_on: int
    recent: list[Outcome]


class Stock(Strict):
    """What the latest report says of the stock at risk."""

    workflow: str
    run_id: str
    as_of: AwareDatetime
    text: str
    tables: list[Table]


class DraftInShort(Strict):
    """One draft order; ``total`` in ``currency``, as text with its two decimals."""

    supplier: str
    lines: int
    total: str
    currency: str
    arrives_on: date
    first: str = Field(description="Its most urgent line, in words.")


class Orders(Strict):
    """The last draft orders, the most urgent first.

    Attributes:
        held: Items that need an order and are in none.
        waiting_cost_per_day: Margin lost per day that none of them is placed; None where unknown.
    """

    run_id: str
    as_of: AwareDatetime
    text: str
    orders: list[DraftInShort]
    held: int
    waiting_cost_per_day: float | None


class OpenOrder(Strict):
    """One purchase order of which goods may come.

    Attributes:
        reference: Our number of it.
        stage: Where it stands, in a word.
        total: Money in ``currency``, as text with its two decimals.
        items: How many.
        units: Pieces that are still to come.
        first: The item of which most is to come, in words.
        due_on: When all of it should be there.
    """

    reference: str
    supplier: str
    stage: str
    total: str
    currency: str
    items: int
    units: int
    first: str
    due_on: date


class OpenOrders(Strict):
    """Orders under way, the first that is due first.

    Attributes:
        left_out: How many more there are.
        worth: What all of them cost, one text per currency.
    """

    orders: list[OpenOrder]
    left_out: int
    worth: list[str]


class Activity(Strict):
    """The last week hour by hour, oldest first; ``start`` is that of the first hour."""

    start: AwareDatetime
    completed: list[int]
    failed: list[int]
    response_ms: list[float | None]
    events: list[int]


class Moment(Strict):
    """Something that happened.

    Attributes:
        part: The part of the page that it belongs to.
        count: How often it happened one after the other.
        at: The last time.
    """

    at: AwareDatetime
    part: PagePart
    what: Literal["run", "incident", "remedy", "approval"]
    mark: Literal["good", "warning", "bad", "neutral"]
    title: str
    detail: str = ""
    count: int = 1
    run_id: str | None = None


class Overview(Strict):
    """The status page. A part that is None is not shown to whoever asked."""

    health: Condition | None = None
    incidents: Troubles | None = None
    approvals: list[Question] | None = None
    agents: Agents | None = None
    objectives: list[ObjectiveLine] | None = None
    workflows: list[WorkflowLine] | None = None
    stock: Stock | None = None
    orders: Orders | None = None
    open_orders: OpenOrders | None = None
    activity: Activity | None = None
    timeline: list[Moment] | None = None
    parts: list[PagePart] = Field(description="Those that are shown, even if there is nothing.")
    currency: str = ""
    prefect: str | None = Field(default=None, description="Where Prefect's pages are.")
    can_start: list[str] = Field(
        default_factory=list, description="Workflows that run without parameters."
    )


@dataclass(frozen=True)
class Facts:
    """What the page is computed from.

    Attributes:
        status: Of the last 24 hours.
        depth: What waits in the inbox.
        runs, incidents, approvals: The newest, newest first; with all that are open.
        heard: When the source of each incident that fires was last heard of, by its id.
        silence: For how long a source may say nothing before that is told.
        acts: On the outside world, of the last 24 hours, newest first.
        headlines: What each run reports in short, by its id.
        reports: The newest report of each workflow that looks at the business, newest first.
        orders: The last draft orders.
        open_orders: Purchase orders under way.
        calls, events: Of the last week, by the hour.
        titles: What each agent is called.
        objectives: How each stands, the worst first.
        prefect: Where Prefect's pages are.
        prefect_answers: Whether its server does.
        can_start: Workflows that run without parameters.
    """

    status: SystemStatus
    depth: Depth
    runs: Sequence[RunRecord] = ()
    incidents: Sequence[IncidentRecord] = ()
    approvals: Sequence[ApprovalRecord] = ()
    heard: Mapping[str, datetime] = field(default_factory=dict)
    silence: timedelta = timedelta(seconds=EventRules().silence_seconds)
    acts: Sequence[EffectRecord] = ()
    headlines: Mapping[str, str] = field(default_factory=dict)
    reports: Sequence[Report] = ()
    orders: LastOrders | None = None
    open_orders: Sequence[OrderRecord] = ()
    calls: Sequence[HourOfCalls] = ()
    events: Mapping[datetime, int] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    objectives: Sequence[ObjectiveStanding] = ()
    prefect: str = ""
    prefect_answers: bool = True
    can_start: Sequence[str] = ()
