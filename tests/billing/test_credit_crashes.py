"""A process killed while a credit pays leaves the credit whole, and the retry uses it once."""

from decimal import Decimal

import pytest

from billing.models import CreditUse, Invoice, InvoiceCounter
from tenants.scoping import operator_scope
from tests.billing.shorthand import broken, ingest
from tests.billing.test_crashes import act_in_child
from tests.factories import billing as make
from tests.factories import credits as give

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("from_end", [0, 8, 12, 16])
def test_an_issue_killed_while_a_credit_pays_uses_nothing_and_the_retry_uses_it_once(
    from_end: int,
) -> None:
    make.make_prices()
    rehearsal, alice = make.make_tenant("rehearsal"), make.make_tenant("alice")
    lots = []
    for tenant in (rehearsal, alice):
        ingest(tenant, make.tokens("t1", 1_000_000))
        lots.append(give.promo(tenant, "5.00"))
    with operator_scope():
        # The year's first number would take the rehearsal two statements more.
        InvoiceCounter.objects.create(issuer="ACC", year=2026)
    code, statements = act_in_child("issue", rehearsal, 0)
    assert code == 0
    assert act_in_child("issue", alice, int(statements) - from_end)[0] == 9
    assert give.fresh(lots[1]).remaining == 5
    with operator_scope():
        assert not CreditUse.objects.filter(tenant=alice).exists()
        assert not Invoice.objects.filter(tenant=alice).exists()
    assert broken() == ()
    assert act_in_child("issue", alice, 0)[0] == 0
    assert give.uses(alice) == [("promo", Decimal("1.06"))]
    assert give.fresh(lots[1]).remaining == Decimal("3.94")
    assert broken() == ()
