"""Two people who decide one thing at the same instant: one decision stands, and all of it."""

from collections import Counter
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.db.models import QuerySet

from billing.commands import contracts as agree
from billing.commands import credit_lots
from billing.commands.contracts import ContractNotDraft
from billing.commands.credit_lots import (
    CreditDecided,
    LotTerms,
    approve_credit,
    grant_promo,
    reject_credit,
)
from billing.models import Contract, CreditLot
from tenants.models import AuditEntry, Organisation
from tenants.permissions import OPERATOR_ROLES, Actor, ActorKind
from tenants.scoping import operator_scope
from tests.billing.shorthand import broken
from tests.billing.test_contracts import discount, drafted
from tests.concurrency.crowd import account_without_queue, at_once
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = pytest.mark.django_db(transaction=True)
HANDS = 6


def people() -> list[Actor]:
    return [
        Actor(ActorKind.OPERATOR, uuid4(), f"person {number}", None, OPERATOR_ROLES["finance"])
        for number in range(HANDS)
    ]


def audited(action: str) -> list[str]:
    with operator_scope():
        return list(AuditEntry.objects.filter(action=action).values_list("actor_name", flat=True))


@pytest.mark.parametrize("is_locked", [True, False])
def test_of_many_who_activate_one_contract_one_does(
    monkeypatch: pytest.MonkeyPatch, *, is_locked: bool
) -> None:
    """Without the account's lock the row itself lets only one of them move it."""
    if not is_locked:
        monkeypatch.setattr(agree, "lock_account", account_without_queue)
    alice, approvers = make.make_tenant("alice"), people()
    contract_id = drafted(alice, discount("10"))

    def work(index: int) -> Contract:
        with operator_scope():
            return agree.activate_contract(
                actor=approvers[index], tenant_id=alice.pk, contract_id=contract_id, now=make.NOW
            )

    results = at_once(HANDS, work)
    (winner,) = [index for index, one in enumerate(results) if isinstance(one, Contract)]
    assert {type(one) for one in results if isinstance(one, Exception)} == {ContractNotDraft}
    with operator_scope():
        contract = Contract.objects.get(pk=contract_id)
    assert (contract.state, contract.activated_by_id) == ("active", approvers[winner].id)
    assert audited("billing.contract.activated") == [approvers[winner].name]
    assert broken() == ()


def test_past_the_command_the_database_refuses_a_second_activation() -> None:
    """The control: approvers who neither queue nor look write the row at the same moment."""
    alice, approvers = make.make_tenant("alice"), people()
    contract_id = drafted(alice, discount("10"))

    def work(index: int) -> int:
        with operator_scope():
            return (
                QuerySet(Contract)
                .filter(pk=contract_id)
                .update(
                    state="active",
                    activated_by=approvers[index].name,
                    activated_by_id=approvers[index].id,
                    activated_at=make.NOW,
                )
            )

    results = at_once(HANDS, work)
    (winner,) = [index for index, one in enumerate(results) if one == 1]
    refused = [one for one in results if isinstance(one, IntegrityError)]
    assert len(refused) == HANDS - 1
    assert all("an agreed contract only ends" in str(error) for error in refused)
    with operator_scope():
        assert Contract.objects.get(pk=contract_id).activated_by_id == approvers[winner].id
    assert broken() == ()


def proposed(tenant: Organisation) -> CreditLot:
    author = Actor(ActorKind.OPERATOR, uuid4(), "author", None, OPERATOR_ROLES["finance"])
    with operator_scope():
        return grant_promo(
            actor=author,
            tenant_id=tenant.pk,
            amount=Decimal("100.00"),
            terms=LotTerms(title="Welcome", effective_at=make.LONG_AGO, expires_on=None),
            key="promo",
            now=make.NOW,
        )


@pytest.mark.parametrize("is_locked", [True, False])
def test_of_many_who_approve_and_reject_one_credit_one_decides(
    monkeypatch: pytest.MonkeyPatch, *, is_locked: bool
) -> None:
    """Whoever rejects takes no lock at all: the row itself lets only one of them move it."""
    if not is_locked:
        monkeypatch.setattr(credit_lots, "lock_account", account_without_queue)
    outcomes: Counter[str] = Counter()
    for attempt in range(6):
        alice, deciders = make.make_tenant(f"alice-{attempt}"), people()
        lot = proposed(alice)

        def work(index: int, lot: CreditLot = lot, deciders: list[Actor] = deciders) -> CreditLot:
            ids = {"tenant_id": lot.tenant_id, "lot_id": lot.pk, "now": make.NOW}
            with operator_scope():
                if index % 2:
                    return approve_credit(actor=deciders[index], **ids)
                return reject_credit(actor=deciders[index], reason="not agreed", **ids)

        results = at_once(HANDS, work)
        (winner,) = [index for index, one in enumerate(results) if isinstance(one, CreditLot)]
        assert {type(one) for one in results if isinstance(one, Exception)} == {CreditDecided}
        state, approver = ("active", deciders[winner].id) if winner % 2 else ("rejected", None)
        stands = give.fresh(lot)
        assert (stands.state, stands.approved_by_id) == (state, approver)
        outcomes[state] += 1
    granted, rejected = (audited(f"billing.promo.{how}") for how in ("granted", "rejected"))
    assert (len(granted), len(rejected)) == (outcomes["active"], outcomes["rejected"])
    assert broken() == ()


def test_past_the_command_the_database_refuses_a_second_approver() -> None:
    """The control: approvers who neither queue nor look write the row at the same moment."""
    approvers = people()
    lot = proposed(make.make_tenant("alice"))

    def work(index: int) -> int:
        with operator_scope():
            return (
                QuerySet(CreditLot)
                .filter(pk=lot.pk)
                .update(
                    state="active",
                    approved_by=approvers[index].name,
                    approved_by_id=approvers[index].id,
                    approved_at=make.NOW,
                )
            )

    results = at_once(HANDS, work)
    (winner,) = [index for index, one in enumerate(results) if one == 1]
    refused = [one for one in results if isinstance(one, IntegrityError)]
    assert len(refused) == HANDS - 1
    assert all("who agreed to a credit is not forgotten" in str(error) for error in refused)
    assert give.fresh(lot).approved_by_id == approvers[winner].id
