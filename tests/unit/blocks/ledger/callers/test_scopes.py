"""What a token may be used for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blocks.ledger.callers.tokens import Scope, TokenRecord

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def token(*scopes: Scope, **fields: datetime) -> TokenRecord:
    return TokenRecord(
        id="a", name="n", hash="secret", scopes=scopes, created_at=NOON, created_by="me", **fields
    )


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (Scope.READ, {Scope.READ}),
        (Scope.RUN, {Scope.READ, Scope.RUN}),
        (Scope.APPROVE, {Scope.READ, Scope.APPROVE}),
        (Scope.ADMIN, set(Scope)),
    ],
)
def test_run_and_approve_imply_read_and_admin_implies_all(
    scope: Scope, allowed: set[Scope]
) -> None:
    assert {other for other in Scope if scope.implies(other)} == allowed
    assert {other for other in Scope if token(scope).allows(other)} == allowed


def test_scopes_add_up_and_none_allows_nothing() -> None:
    both = token(Scope.RUN, Scope.APPROVE)
    assert [both.allows(scope) for scope in Scope] == [True, True, True, False]
    assert not any(token().allows(scope) for scope in Scope)


def test_a_token_is_valid_until_it_expires_or_is_revoked() -> None:
    assert token(Scope.READ).is_valid(NOON)
    expiring = token(Scope.READ, expires_at=NOON)
    assert expiring.is_valid(NOON - timedelta(microseconds=1))
    assert not expiring.is_valid(NOON)
    assert not token(Scope.READ, revoked_at=NOON).is_valid(NOON)


def test_what_is_printed_or_sent_of_a_token_has_no_hash() -> None:
    record = token(Scope.READ)
    assert "secret" not in f"{record} {record!r} {record.model_dump_json()}"
