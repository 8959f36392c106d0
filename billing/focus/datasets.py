"""The three datasets beside CostAndUsage: InvoiceDetail, BillingPeriod and ContractCommitment."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from billing.focus.facts import (
    Bill,
    CommitmentFact,
    CreditedLine,
    CreditFact,
    LineFact,
    PeriodFact,
    Row,
)
from billing.focus.parts import NOTHING
from billing.focus.rows import category_of
from billing.focus.taxes import TaxKey, credited_tax_key, tax_key
from common.period import Period


def invoice_detail_rows(
    bill: Bill, lines: Iterable[LineFact], *, credits: Iterable[CreditFact] = ()
) -> Iterator[Row]:
    """A row for each line of an issued invoice and for each of its tax rates.

    Shape: ``InvoiceDetailId`` is what rows of CostAndUsage refer to; a draft has none of these.
    """
    taxes: dict[TaxKey, Decimal] = {}
    total = NOTHING
    for line in lines:
        key = tax_key(line)
        taxes[key] = taxes.get(key, NOTHING) + line.tax
        total += line.net
        yield _detail(bill, str(line.id), category_of(line), line.title, line.net)
    yield from _closing_details(bill, total, taxes, credits)


def note_detail_rows(
    bill: Bill, lines: Iterable[CreditedLine], *, credits: Iterable[CreditFact] = ()
) -> Iterator[Row]:
    """The same of a credit note, whose rows refer to the invoice it is of."""
    taxes: dict[TaxKey, Decimal] = {}
    total = NOTHING
    for one in lines:
        key = credited_tax_key(one.of)
        taxes[key] = taxes.get(key, NOTHING) - one.tax
        total -= one.net
        yield _detail(bill, one.id, category_of(one.of), f"{one.of.title}: credited", -one.net)
    yield from _closing_details(bill, total, taxes, credits)


def _closing_details(
    bill: Bill, total: Decimal, taxes: Mapping[TaxKey, Decimal], credits: Iterable[CreditFact]
) -> Iterator[Row]:
    for key, amount in sorted(taxes.items(), key=lambda item: item[0].id):
        total += amount
        if amount:
            yield _detail(bill, key.id, "Tax", "Value-added tax", amount)
    for credit in credits:
        total += credit.amount
        yield _detail(bill, credit.id, "Credit", credit.description, credit.amount)
    if bill.total != total:
        yield _detail(bill, "rounding", "Adjustment", "Rounding", bill.total - total)


def _terms(bill: Bill) -> str:
    """How a bill is to be paid; an invoice takes what the wallet holds when it is issued."""
    if bill.corrects:
        return "Credit note; nothing to pay"
    when = f"Net {bill.payment_days}" if bill.payment_days else "Due on issue"
    return f"{when}; paid from the prepaid wallet as far as it holds"


def _detail(bill: Bill, detail_id: str, category: str, title: str, amount: Decimal) -> Row:
    return {
        "BilledCost": amount,
        "BillingAccountId": bill.account_code,
        "BillingCurrency": bill.currency,
        "BillingPeriodEnd": bill.period.end,
        "BillingPeriodStart": bill.period.start,
        "ChargeCategory": category,
        "InvoiceDetailCreated": bill.issued_at,
        "InvoiceDetailDescription": title,
        "InvoiceDetailId": detail_id,
        "InvoiceDetailLastUpdated": bill.voided_at or bill.issued_at,
        "InvoiceId": bill.number,
        "InvoiceIssueDate": bill.issued_at,
        "InvoiceIssueStatus": "Voided" if bill.voided_at else "Issued",
        "InvoiceIssuerName": bill.issuer,
        "PaymentCurrency": bill.currency,
        "PaymentCurrencyBilledCost": amount,
        "PaymentCurrencyInvoiceDetailId": detail_id,
        "PaymentDueDate": bill.due_at,
        "PaymentTerms": _terms(bill),
        # An invoice that corrects no other refers to itself.
        "ReferenceInvoiceId": bill.corrects or bill.number,
    }


def billing_period_rows(periods: Iterable[PeriodFact]) -> Iterator[Row]:
    """A row for each period; one that several accounts share is open while any of them is."""
    shared: dict[tuple[str, Period], PeriodFact] = {}
    for one in periods:
        key = (one.issuer, one.period)
        known = shared.get(key, one)
        shared[key] = PeriodFact(
            issuer=one.issuer,
            period=one.period,
            is_closed=known.is_closed and one.is_closed,
            updated_at=max(known.updated_at, one.updated_at),
        )
    for (issuer, period), one in sorted(shared.items(), key=lambda item: item[0]):
        yield {
            # Periods follow one another by themselves; one exists from its own beginning.
            "BillingPeriodCreated": period.start,
            "BillingPeriodEnd": period.end,
            "BillingPeriodLastUpdated": one.updated_at,
            "BillingPeriodStart": period.start,
            "BillingPeriodStatus": "Closed" if one.is_closed else "Open",
            "InvoiceIssuerName": issuer,
        }


def contract_commitment_rows(facts: Iterable[CommitmentFact]) -> Iterator[Row]:
    """A row for each commitment: reservations, and the amounts that contracts agree."""
    for fact in facts:
        yield {
            "BillingCurrency": fact.currency,
            "ContractCommitmentApplicability": dict(fact.applies_to),
            "ContractCommitmentBenefitCategory": fact.benefit,
            "ContractCommitmentCategory": fact.category,
            "ContractCommitmentCost": fact.cost,
            "ContractCommitmentCreated": fact.created_at,
            "ContractCommitmentDescription": fact.description,
            "ContractCommitmentDiscountPercentage": fact.discount_percentage,
            "ContractCommitmentDurationType": fact.duration,
            "ContractCommitmentFulfillmentInterval": fact.fulfillment,
            "ContractCommitmentId": fact.id,
            "ContractCommitmentLastUpdated": fact.updated_at,
            "ContractCommitmentLifecycleStatus": fact.status,
            "ContractCommitmentModel": fact.model,
            "ContractCommitmentOfferCategory": fact.offer,
            "ContractCommitmentPaymentInterval": fact.payment_interval,
            "ContractCommitmentPaymentModel": fact.payment_model,
            "ContractCommitmentPaymentUpfrontPercentage": fact.upfront_percentage,
            "ContractCommitmentPeriodEnd": fact.period.end,
            "ContractCommitmentPeriodStart": fact.period.start,
            "ContractCommitmentQuantity": fact.quantity,
            "ContractCommitmentType": fact.type,
            "ContractCommitmentUnit": fact.unit,
            "ContractId": fact.contract_id,
            "ContractPeriodEnd": fact.contract_period.end,
            "ContractPeriodStart": fact.contract_period.start,
            "InvoiceIssuerName": fact.issuer,
            "PricingCurrency": fact.currency,
            "PricingCurrencyContractCommitmentCost": fact.cost,
            "ServiceProviderName": fact.issuer,
        }
