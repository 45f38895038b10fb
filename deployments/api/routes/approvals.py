"""Questions to a person: what waits for an answer, and answering it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field

from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.models import Strict
from blocks.vocabulary.messages import utc_now
from deployments.api.context import Ctx
from deployments.api.http.bodies import StrictRoute
from deployments.api.http.callers import Approver, Reader
from deployments.api.http.problems import documented
from flows.orchestrator.approvals.answering import Answered, answer_question

router = APIRouter(prefix="/approvals", tags=["approvals"], route_class=StrictRoute)

Id = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f-]{6,64}$",
        description="The question's id, or at least six characters of its beginning.",
        examples=["3f0c9d5e2b7a4c1d8e6f"],
    ),
]


class Answer(Strict):
    """A person's answer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"approve": True, "note": "Agreed with the supplier."}]}
    )

    approve: bool = Field(strict=True, description="Yes or no.")
    note: str = Field(default="", max_length=2000, description="What else there is to say.")


class Wanted(Strict):
    """Which questions to list."""

    status: list[ApprovalStatus] = Field(
        default=[], description="Only these; all when left out.", examples=[["open"]]
    )
    limit: int = Field(default=100, ge=1, le=1000, description="How many at most.", examples=[20])


@router.get("", responses=documented(422))
async def list_approvals(
    ctx: Ctx, caller: Reader, wanted: Annotated[Wanted, Query()]
) -> list[ApprovalRecord]:
    """Questions and their answers, newest first."""
    await ctx.ledger.approvals.expire_due(utc_now())
    return await ctx.ledger.approvals.list(*wanted.status, limit=wanted.limit)


@router.get("/{approval_id}", responses=documented(404, 422))
async def read_approval(approval_id: Id, ctx: Ctx, caller: Reader) -> ApprovalRecord:
    """One question."""
    return await ctx.ledger.approvals.get(approval_id)


@router.post("/{approval_id}/answer", responses=documented(400, 404, 413, 415, 422))
async def answer_approval(approval_id: Id, answer: Answer, ctx: Ctx, caller: Approver) -> Answered:
    """Answer a question; the first answer counts, and is put into effect at once.

    Sent again it changes nothing: ``counted`` says whether this answer did.
    """
    # Not applied here: the stack tries again, and other requests do not wait for it.
    return await answer_question(
        ctx.ledger, approval_id, answer.approve, by=caller.name, via="api", note=answer.note
    )
