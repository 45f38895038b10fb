"""Alerts that come in and are dealt with as a run does it, where no agent knows anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from blocks.dialects import alertmanager
from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord, IncidentResponse, IncidentStatus
from blocks.ledger.incidents.entries import EntryKind
from blocks.policy.policy import Policy
from blocks.vocabulary.messages import Severity, SystemEvent, new_id
from blocks.vocabulary.told import told_by
from flows.orchestrator.events.joining import Joining

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class NoMoney:
    """Nobody knows what is at risk."""

    async def of(self, events: Iterable[SystemEvent]) -> Mapping[str, float]:
        return {}


@dataclass
class Desk:
    """A ledger, alerts about services, and a clock that moves when it is told to."""

    ledger: Ledger
    policy: Policy = field(default_factory=Policy)
    now: datetime = NOON

    def wait(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now

    async def tell(
        self,
        *names: str,
        status: str = "firing",
        severity: str = "critical",
        group: str = "g",
        resource: str = "",
    ) -> None:
        """What Alertmanager says of some alerts, each about a service of its name."""
        each = [
            {
                "status": status,
                "labels": {
                    "alertname": "Down",
                    "service": resource or name,
                    "severity": severity,
                    "team": "shop",
                },
                "annotations": {"summary": f"{name} is down."},
                "fingerprint": name,
                "startsAt": NOON.isoformat(),
            }
            for name in names
        ]
        document = {"version": "4", "groupKey": group, "receiver": "us", "alerts": each}
        await self.ledger.inbox.accept(alertmanager.read(document), self.now)

    async def drain(self) -> list[IncidentRecord]:
        """A run deals with what waits; the incidents that it responded to."""
        inbox, run, settled = self.ledger.inbox, new_id(), []
        taken = await inbox.take(self.now, run, self.now + timedelta(minutes=1), 5000)
        joining = Joining(self.ledger, run, self.policy, NoMoney())
        for correlated, incident in await joining.join(taken, self.now):
            if not await inbox.respond(incident.id, run, self.now):
                continue
            response = IncidentResponse(
                done="No agent knows anything about it.",
                assessments={},
                told=told_by(correlated.lead),
            )
            stands = correlated.severity >= Severity.ERROR
            responded = incident.model_copy(
                update={
                    "run_id": run,
                    "severity": correlated.severity,
                    "response": response,
                    "status": IncidentStatus.STANDING if stands else IncidentStatus.SETTLED,
                }
            )
            kept = await inbox.settle(responded, self.now)
            assert kept is not None
            settled.append(await self.incident(kept.id))
        return settled

    async def fires(self, name: str = "checkout", **options: str) -> IncidentRecord:
        """An alert fires and is dealt with; its incident."""
        await self.tell(name, **options)
        await self.drain()
        (found,) = await self.ledger.incidents.list(resource=f"service:{name}")
        return found

    async def is_resolved(self, name: str = "checkout") -> None:
        """Its source says that it is over."""
        await self.tell(name, status="resolved")
        await self.drain()

    async def incident(self, incident_id: str) -> IncidentRecord:
        found = await self.ledger.inbox.incident(incident_id)
        assert found is not None
        return found

    async def kinds(self, incident_id: str) -> list[EntryKind]:
        """The timeline in words."""
        return [entry.kind for entry in await self.ledger.incident_entries.of([incident_id])]
