"""Publishers, approvers and contract makers at the same moment, each with a control."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError

from billing.commands import contracts as agree
from billing.commands import price_drafts as drafts
from billing.commands.contracts import PeriodClosed, TermsOverlap
from billing.commands.price_drafts import PriceListNotSubmitted
from billing.commands.prices import PriceListRefused
from billing.models import Contract, PriceVersion
from billing.queries import price_review
from tenants.permissions import OPERATOR_ROLES, Actor, ActorKind
from tenants.scoping import operator_scope
from tests.billing.shorthand import broken, ingest, issue
from tests.billing.test_contracts import discount, drafted
from tests.concurrency.crowd import at_once
from tests.factories import billing as make

pytestmark = pytest.mark.django_db(transaction=True)
SOON = make.NOW + 24 * make.HOUR


def somebody() -> Actor:
    return Actor(ActorKind.OPERATOR, uuid4(), "somebody", None, OPERATOR_ROLES["finance"])


def submitted(hour: int = 0) -> UUID:
    author = somebody()
    with operator_scope():
        version = drafts.begin_draft(
            actor=author, effective_at=SOON + hour * make.HOUR, now=make.NOW
        )
        drafts.submit_draft(actor=author, version_id=version.pk, now=make.NOW)
    return version.pk


def publishing(version_id: UUID) -> Callable[[int], object]:
    def work(_index: int) -> object:
        with operator_scope():
            return drafts.publish_draft(actor=somebody(), version_id=version_id, now=make.NOW)

    return work


def test_of_many_publishers_one_publishes() -> None:
    make.make_prices()
    version_id = submitted()
    results = at_once(6, publishing(version_id))
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(refused) == 5
    assert {type(error) for error in refused} == {PriceListNotSubmitted}
    assert PriceVersion.objects.filter(state="published").count() == 2
    assert broken() == ()


def test_without_the_queue_the_database_still_keeps_one_list_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make.make_prices()
    first, second = submitted(), submitted(1)
    with operator_scope():
        drafts.return_draft(actor=somebody(), version_id=second, note="")
        PriceVersion.objects.filter(pk=second).update(effective_at=SOON, state="submitted")
    monkeypatch.setattr(drafts, "serialise_publishing", lambda: None)
    monkeypatch.setattr(price_review, "time_faults", lambda *_said: [])
    versions = (first, second)
    results = at_once(2, lambda index: publishing(versions[index])(index))
    assert [type(error) for error in results if isinstance(error, Exception)] == [IntegrityError]
    assert PriceVersion.objects.filter(state="published").count() == 2
    assert broken() == ()


def test_with_the_queue_the_second_list_of_an_hour_is_refused_in_words() -> None:
    make.make_prices()
    first, second = submitted(), submitted(1)
    with operator_scope():
        drafts.return_draft(actor=somebody(), version_id=second, note="")
        PriceVersion.objects.filter(pk=second).update(effective_at=SOON, state="submitted")
    versions = (first, second)
    results = at_once(2, lambda index: publishing(versions[index])(index))
    assert [type(error) for error in results if isinstance(error, Exception)] == [PriceListRefused]


def test_an_edit_and_a_submission_never_pass_each_other() -> None:
    make.make_prices()
    author = somebody()
    with operator_scope():
        version_id = drafts.begin_draft(actor=author, effective_at=SOON, now=make.NOW).pk

    def work(index: int) -> str:
        with operator_scope():
            if index:
                line = make.price_line("test.tokens_in", f"{index}", 1_000_000)
                drafts.set_price(actor=author, version_id=version_id, line=line)
                return "edited"
            drafts.submit_draft(actor=author, version_id=version_id, now=make.NOW)
            return "submitted"

    results = at_once(5, work)
    refused = {type(error) for error in results if isinstance(error, Exception)}
    assert refused <= {drafts.PriceListNotEditable}
    assert PriceVersion.objects.get(pk=version_id).state == "submitted"
    assert PriceVersion.objects.get(pk=version_id).prices.count() == 4


def test_of_two_contracts_about_one_thing_one_is_activated() -> None:
    alice = make.make_tenant("alice")
    ids = [drafted(alice, discount(f"{n + 1}"), number=f"HT-{n}") for n in range(4)]

    def work(index: int) -> object:
        with operator_scope():
            return agree.activate_contract(
                actor=somebody(), tenant_id=alice.pk, contract_id=ids[index], now=make.NOW
            )

    results = at_once(4, work)
    assert {type(error) for error in results if isinstance(error, Exception)} == {TermsOverlap}
    with operator_scope():
        assert Contract.objects.filter(state="active").count() == 1
    assert broken() == ()


@pytest.mark.parametrize("is_locked", [True, False])
def test_an_invoice_and_a_contract_for_its_hours_exclude_each_other(
    monkeypatch: pytest.MonkeyPatch, *, is_locked: bool
) -> None:
    alice = make.make_tenant("alice")
    make.make_prices()
    ingest(alice, make.tokens("t1", 1_000_000, at=make.MONTH_START))
    contract_id = drafted(alice, discount("50"))
    if not is_locked:
        # The control: without the account's lock the database looks once more when it activates.
        monkeypatch.setattr(agree, "lock_account", lambda _tenant: None)
        monkeypatch.setattr(agree, "open_from", lambda _tenant: None)
        issue(alice, until=make.NOW)

    def work(index: int) -> object:
        if index and is_locked:
            return issue(alice, until=make.NOW)
        with operator_scope():
            return agree.activate_contract(
                actor=somebody(), tenant_id=alice.pk, contract_id=contract_id, now=make.NOW
            )

    results = at_once(2 if is_locked else 1, work)
    with operator_scope():
        state = Contract.objects.get(pk=contract_id).state
    if is_locked:
        assert {type(error) for error in results if isinstance(error, Exception)} <= {PeriodClosed}
        assert (state == "active") == (not any(isinstance(one, PeriodClosed) for one in results))
    else:
        assert [type(error) for error in results] == [IntegrityError]
        assert state == "draft"
    assert broken() == ()
