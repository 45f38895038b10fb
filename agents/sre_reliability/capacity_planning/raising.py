"""Raising the limit of a work pool for a while, and putting it back.

Several surges may want more of one pool at once. The limit in force is then the highest that any of
them asks for, and the one that is put back last is the usual one: each intent carries it, since a
raise that finds another in force takes its usual limit over instead of the raised one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from agents.capability import action
from agents.sre_reliability.automation.result import RemediationResult
from blocks.errors import InvalidMessage
from blocks.ledger import EffectRecord, Ledger
from blocks.prefect_api.client import PoolInfo, PrefectApi
from blocks.vocabulary.effects import Effect, EffectStatus, EffectVerdict

FOLLOWED_WITHIN = 65.0
"""Seconds that a worker has to look at its pool twice; it looks every 10 to 30 s."""

LOOK = 0.5  # seconds between two looks at whether it did

RAISE = Effect(
    precondition="the pool's limit is the one that was seen when the raise was proposed",
    prediction="Prefect tells the raised limit, and the pool's worker has read it",
    verified_by="the pool as Prefect tells it, and the heartbeats of its worker",
    blast_radius="whatever else runs on the machine of the pool's worker",
    cooldown=timedelta(0),  # two surges in a row are two
    undo="restore_pool_limit",
    lasts=timedelta(hours=2),
)


@action(timeout=FOLLOWED_WITHIN + 25, effect=RAISE, resource="pool:{pool}")
async def raise_pool_limit(
    pool: str,
    limit: int,
    usual: int | None,
    ledger: Ledger,
    prefect: PrefectApi,
    now: datetime,
) -> RemediationResult:
    """Raise the limit of a work pool, and see that its worker follows.

    Args:
        pool: Name of the pool.
        limit: Runs at once that it may have from now on, at least.
        usual: The pool's own limit when no surge raises it; None when it has none.
        ledger: Where the raises are that are in force.
        prefect: Where the pool is.
        now: When.

    Returns:
        ``failed``, and nothing done, when the pool's limit is not the one that was seen;
        ``verified`` when the worker has read the raised limit; ``inconclusive`` when no worker did.

    Raises:
        InvalidMessage: There is no such pool.
        SourceError: Prefect does not answer.
    """
    began = monotonic()
    before = await _find(prefect, pool, now)
    standing = await standing_raises(ledger, pool)
    if before.concurrency_limit not in {usual, limit, *_limits(standing)}:
        status, after = EffectVerdict.FAILED, None
        detail = f"{_told(before)} That is not what was seen, so it is left alone."
    else:
        await prefect.limit_pool(pool, max([limit, *_limits(standing)]))
        after, follows = await _followed(prefect, pool, now)
        status = EffectVerdict.VERIFIED if follows else EffectVerdict.INCONCLUSIVE
        worker = "and its worker has read it" if follows else "but no worker has read it yet"
        detail = f"{_told(after)[:-1]} instead of {_own(before)}, {worker}."
    return _result("raise_pool_limit", pool, before, after, status, detail, began)


@action(timeout=45)
async def restore_pool_limit(
    pool: str,
    limit: int,
    usual: int | None,
    ledger: Ledger,
    prefect: PrefectApi,
    now: datetime,
) -> RemediationResult:
    """Put the limit of a work pool back that was raised; done again, it changes nothing.

    Args:
        pool: Name of the pool.
        limit: What it was raised to.
        usual: What it is put back to, unless another surge still needs more.
        ledger: Where the raises are that are in force.
        prefect: Where the pool is.
        now: When.

    Returns:
        ``verified`` when the pool has the limit that it is to have, or one that a person has given
        it meanwhile, which stays, or is gone; ``failed`` when Prefect tells another one afterwards.

    Raises:
        SourceError: Prefect does not answer.
    """
    began = monotonic()
    before = await _look(prefect, pool, now)
    others = _limits(await standing_raises(ledger, pool))
    wanted = max(others) if others else usual
    after = None
    status = EffectVerdict.VERIFIED
    if before is None:
        detail = f"There is no work pool {pool} any more."
    elif before.concurrency_limit == wanted:
        detail = _told(before, "as it is to have")
    elif before.concurrency_limit not in {limit, *others}:
        detail = f"{_told(before)} A person has set that meanwhile, so it stays."
    else:
        await prefect.limit_pool(pool, wanted)
        after = await _find(prefect, pool, now)
        if after.concurrency_limit != wanted:
            status = EffectVerdict.FAILED
        detail = _told(after, "as another surge needs" if others else "again")
    return _result("restore_pool_limit", pool, before, after, status, detail, began)


async def standing_raises(ledger: Ledger, pool: str) -> list[EffectRecord]:
    """The raises of a pool's limit that are in force, or may be.

    One that is being put back is none of them any more.

    Raises:
        LedgerUnavailable: The ledger cannot be read.
    """
    acts = await ledger.effects.acts(target=f"pool:{pool}")
    may_be = {EffectStatus.DONE, EffectStatus.UNKNOWN}
    raised = f"sre-reliability.{raise_pool_limit.__name__}"
    return [act for act in acts if act.kind == raised and act.status in may_be]


async def _look(prefect: PrefectApi, name: str, now: datetime) -> PoolInfo | None:
    pools = await prefect.pools(now)
    return next((pool for pool in pools if pool.name == name), None)


async def _find(prefect: PrefectApi, name: str, now: datetime) -> PoolInfo:
    found = await _look(prefect, name, now)
    if found is None:
        raise InvalidMessage(f"There is no work pool {name!r}.", hint="prefect work-pool ls")
    return found


async def _followed(prefect: PrefectApi, name: str, now: datetime) -> tuple[PoolInfo, bool]:
    """The pool, and whether each worker of it has looked at it since.

    A worker reads its pool and then reports. Of two new reports, the second one follows a look
    that was not before.
    """
    began = monotonic()
    seen = await _find(prefect, name, now)
    beats = {worker.name: {worker.last_heartbeat_at} for worker in seen.workers if worker.online}
    while beats and monotonic() - began < FOLLOWED_WITHIN:
        if all(len(heard) > 2 for heard in beats.values()):
            return seen, True
        await asyncio.sleep(LOOK)
        seen = await _find(prefect, name, now)
        for worker in seen.workers:
            if worker.name in beats:
                beats[worker.name].add(worker.last_heartbeat_at)
    return seen, False


def _limits(raises: Sequence[EffectRecord]) -> list[int]:
    return [int(effect.params["limit"]) for effect in raises]


def _own(pool: PoolInfo) -> str:
    if pool.concurrency_limit is not None:
        return f"a limit of {pool.concurrency_limit}"
    return "no limit of its own" + (f" (its worker's is {pool.limit})" if pool.limit else "")


def _told(pool: PoolInfo, when: str = "") -> str:
    limit = _own(pool)
    return f"{pool.name} has {limit} {when}".rstrip() + "."


def _result(
    action: str,
    pool: str,
    before: PoolInfo | None,
    after: PoolInfo | None,
    status: EffectVerdict,
    detail: str,
    began: float,
) -> RemediationResult:
    return RemediationResult(
        action=action,
        resource=f"pool:{pool}",
        status=status,
        acted=after is not None,
        detail=detail,
        before=_measured(before) if before is not None else {},
        after=_measured(after) if after is not None else {},
        seconds=round(monotonic() - began, 1),
    )


def _measured(pool: PoolInfo) -> dict[str, Any]:
    return {
        "limit": pool.limit,
        "pool_limit": pool.concurrency_limit,
        "worker_limit": pool.worker_limit,
        "workers_online": pool.online,
    }
