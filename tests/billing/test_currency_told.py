"""Whatever tells a tenant of money names the currency it is billed in."""

from decimal import Decimal

import pytest
from django.utils.translation import override

from billing.commands.accrual import accrue
from billing.commands.arrears import reassess
from billing.focus.columns import Dataset
from billing.models import BudgetScope, PriceVersion
from billing.queries.arrears import (
    InGrace,
    arrears_and_account,
    refuse_in_arrears,
    standing_of,
)
from billing.queries.budgets import BudgetReached, budget_state, refuse_when_reached
from billing.queries.focus import cost_and_usage, invoice_details
from billing.queries.wallet import NOTHING
from common.period import Period
from tenants.models import Notice, Organisation
from tenants.permissions import SYSTEM, Permission
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import bill_in, broken, ingest, issue, pay_in
from tests.billing.test_budgets import budget
from tests.billing.test_focus import judged
from tests.factories import billing as make

pytestmark = pytest.mark.django_db
D = Decimal
NOVEMBER = Period(make.MONTH_START, make.MONTH_END)
LATER = make.NOW + make.HOUR


@pytest.fixture
def abroad(prices: PriceVersion) -> Organisation:
    """Has used fourteen dollars net of tokens, 14.84 with tax."""
    make.publish(make.DOLLAR_LINES, currency="USD")
    tenant = make.make_tenant("abroad")
    bill_in(tenant, "USD")
    ingest(tenant, make.tokens("t1", 100_000_000))
    return tenant


def details(tenant: Organisation, prefix: str) -> list[tuple[str, str, str]]:
    """The kind of each notice, with an amount of it and the currency."""
    with operator_scope():
        told = Notice.objects.filter(tenant=tenant, kind__startswith=prefix).order_by("at", "pk")
        said = [(one.kind, one.detail) for one in told]
    amount = {"arrears.": "amount_needed", "budget.": "spent"}[prefix]
    return [(kind, of[amount], of["currency"]) for kind, of in said]


def test_arrears_are_told_and_refused_in_dollars(abroad: Organisation) -> None:
    pay_in(abroad, "10.00")
    with tenant_scope(abroad.pk):
        accrue(tenant_id=abroad.pk, now=make.NOW)
        found = reassess(tenant_id=abroad.pk, now=make.NOW)
        assert (found.amount_needed, found.currency) == (D("4.84"), "USD")
        assert standing_of(abroad.pk, make.NOW).currency == "USD"
        arrears, account = arrears_and_account(abroad.pk, make.NOW)
        with pytest.raises(InGrace) as refused:
            refuse_in_arrears(abroad.pk, Permission.RESERVATION_CREATE, make.NOW)
    assert (arrears.currency, account.currency, account.unbilled) == ("USD", "USD", D("14.84"))
    members = refused.value.members
    assert (members["amount_needed"], members["currency"]) == ("4.84", "USD")
    with override("en"):
        assert "4.84 USD are needed" in str(refused.value)
    assert details(abroad, "arrears.")[-1] == ("arrears.grace_started", "4.84", "USD")


def test_a_tenant_without_an_account_stands_in_yuan(alice: Organisation) -> None:
    with tenant_scope(alice.pk):
        arrears, account = arrears_and_account(alice.pk, make.NOW)
    assert (arrears.currency, account) == ("CNY", NOTHING)


def test_a_budget_is_kept_told_and_refused_in_dollars(abroad: Organisation) -> None:
    row = budget(abroad, "10.00", BudgetScope.TENANT, stops=True)
    with tenant_scope(abroad.pk):
        state = budget_state(actor=SYSTEM, tenant_id=abroad.pk, budget_id=row.pk, now=make.NOW)
        with pytest.raises(BudgetReached) as refused:
            refuse_when_reached(abroad.pk, None, make.NOW)
    assert (state.currency, state.amount, state.spent) == ("USD", D("10.00"), D("14.00"))
    said = refused.value.params
    assert (said["spent"], said["amount"], said["currency"]) == ("14.00", "10.00", "USD")
    assert ("budget.reached", "14.00", "USD") in details(abroad, "budget.")
    assert {currency for _kind, _amount, currency in details(abroad, "budget.")} == {"USD"}


def test_the_export_of_costs_is_in_dollars_and_breaks_no_rule(abroad: Organisation) -> None:
    invoice = issue(abroad)
    with tenant_scope(abroad.pk):
        month = {"tenant_id": abroad.pk, "month": NOVEMBER, "now": LATER}
        used = list(cost_and_usage(**month))  # type: ignore[arg-type]
        billed = list(invoice_details(**month))  # type: ignore[arg-type]
    totals = {invoice.number: D("14.84")}
    assert {row["BillingCurrency"] for row in used} == {"USD"}
    assert {row["PricingCurrency"] for row in used if row["PricingCurrency"]} == {"USD"}
    assert {row["PaymentCurrency"] for row in billed} == {"USD"}
    assert judged(used, totals).findings == []
    assert judged(billed, totals, dataset=Dataset.INVOICE_DETAIL).findings == []
    assert broken() == ()
