"""What a request with an idempotency key came to, so that sent twice it is done once.

A request begins, and then either finishes with an answer or is forgotten because it was refused
before anything happened. One whose process died meanwhile may be begun again: the work behind it
is idempotent by the same key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, update

from blocks.errors import RequestError
from blocks.ledger.callers.tables import API_REQUESTS
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.upsert import insert
from blocks.ledger.engine.values import to_json
from blocks.vocabulary.messages import new_id

LONGEST_KEY = 255
"""Characters of an idempotency key."""


@dataclass(frozen=True)
class Begun:
    """The request is the caller's to carry out, and then to finish or to have forgotten.

    Attributes:
        since: When it was begun first; the same when it is begun again after a death.
    """

    since: datetime


@dataclass(frozen=True)
class InFlight:
    """The same request is being carried out."""


@dataclass(frozen=True)
class Done:
    """The same request was answered.

    Attributes:
        status: Of HTTP.
        body: JSON text, as it was sent.
        headers: Those that belong to the answer.
    """

    status: int
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Mismatch:
    """The key is that of another request."""


class Requests:
    """The requests in the ledger that have an idempotency key; each caller has keys of its own."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def begin(
        self, key: str, caller: str, fingerprint: str, now: datetime, alive_until: datetime
    ) -> Begun | InFlight | Done | Mismatch:
        """Begin a request, unless it is begun or done; of those at once, exactly one begins.

        Args:
            key: The idempotency key.
            caller: Whose key it is.
            fingerprint: Equal only for the same request.
            now: When.
            alive_until: From then on whoever carries it out is taken to be dead, if it has not
                finished, and the same request may be begun again.

        Raises:
            RequestError: The key is empty or too long.
        """
        if not 0 < len(key) <= LONGEST_KEY:
            raise RequestError(
                f"An idempotency key of {len(key)} characters cannot be kept.",
                hint=f"Send 1 to {LONGEST_KEY} characters, for instance a UUID.",
            )
        ours = {"begun_at": now, "begun_by": new_id(), "alive_until": alive_until}
        first = insert(self._access.dialect, API_REQUESTS).values(
            caller=caller, key=key, fingerprint=fingerprint, **ours
        )
        # An update that changes nothing: it locks a row that is there, and returns it.
        statement = first.on_conflict_do_update(
            index_elements=list(API_REQUESTS.primary_key),
            set_={"fingerprint": API_REQUESTS.c.fingerprint},
        ).returning(*API_REQUESTS.c)
        taken_over = {name: ours[name] for name in ("begun_by", "alive_until")}
        again = update(API_REQUESTS).where(_this(key, caller)).values(taken_over)

        def write(connection: Connection) -> Begun | InFlight | Done | Mismatch:
            row = connection.execute(statement).mappings().one()
            if row["fingerprint"] != fingerprint:
                return Mismatch()
            if row["status"] is not None:
                return _done(row)
            if row["begun_by"] == ours["begun_by"]:
                return Begun(row["begun_at"])
            if row["alive_until"] > now:
                return InFlight()
            connection.execute(again)
            return Begun(row["begun_at"])

        return await self._access.write(write)

    async def finish(
        self,
        key: str,
        caller: str,
        status: int,
        body: str,
        now: datetime,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the answer for those who send the request again; the first answer stands."""
        answer = {
            "finished_at": now,
            "status": status,
            "body": body,
            "headers": to_json(headers or {}),
        }
        statement = update(API_REQUESTS).where(_this(key, caller), _UNFINISHED).values(answer)
        await self._access.change(statement)

    async def forget(self, key: str, caller: str) -> None:
        """Free a key: its request was refused before anything happened. What is done stays."""
        statement = delete(API_REQUESTS).where(_this(key, caller), _UNFINISHED)
        await self._access.change(statement)

    async def release(self, key: str, caller: str, now: datetime) -> None:
        """Let the same request be begun again at once: nobody carries it out any more."""
        statement = (
            update(API_REQUESTS).where(_this(key, caller), _UNFINISHED).values(alive_until=now)
        )
        await self._access.change(statement)


_UNFINISHED = API_REQUESTS.c.status.is_(None)


def _this(key: str, caller: str) -> ColumnElement[bool]:
    return and_(API_REQUESTS.c.caller == caller, API_REQUESTS.c.key == key)


def _done(row: RowMapping) -> Done:
    return Done(row["status"], row["body"], row["headers"])
