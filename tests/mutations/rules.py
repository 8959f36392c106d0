"""Rules of money, each with one way of getting it wrong and a small test that must notice.

A mutation names exact text of one file and what stands there instead. Text that is no longer there,
or stands there twice, fails loudly: then the mutation is written anew, never left out.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """What is changed where, and the test that turns red. ``rule`` says what the money does."""

    rule: str
    path: str
    before: str
    after: str
    test: str


MUTATIONS = (
    Mutation(
        "half a fen rounds up",
        "billing/money.py",
        "whole = (2 * fen.numerator + fen.denominator) // (2 * fen.denominator)",
        "whole = round(fen)",
        "tests/billing/test_rating.py::test_half_a_fen_rounds_up_and_less_does_not",
    ),
    Mutation(
        "tax is a share of the net and not of the gross",
        "billing/money.py",
        "return round_to_fen(Fraction(net) * Fraction(rate))",
        "return round_to_fen(Fraction(net) * Fraction(rate) / (1 + Fraction(rate)))",
        "tests/billing/test_rating.py::test_tax_is_rounded_on_the_lines_own_net",
    ),
    Mutation(
        "a graduated tier holds its last unit",
        "billing/pricing/graduated.py",
        "min(quantity, tier.up_to)",
        "min(quantity, tier.up_to - 1)",
        "tests/billing/test_pricing.py::test_each_unit_costs_its_own_tier_when_graduated",
    ),
    Mutation(
        "a volume tier holds its last unit",
        "billing/pricing/volume.py",
        "quantity <= tier.up_to",
        "quantity < tier.up_to",
        "tests/billing/test_pricing.py::test_the_total_prices_every_unit_by_volume",
    ),
    Mutation(
        "a started package is paid in full",
        "billing/pricing/package.py",
        "started = -(-quantity // terms.unit_quantity)",
        "started = quantity // terms.unit_quantity",
        "tests/billing/test_pricing.py::test_a_started_package_is_paid_in_full",
    ),
    Mutation(
        "use is cut where a price list begins",
        "billing/rating.py",
        "marks = {version.effective_at for version in self.versions}",
        "marks: set[datetime] = set()",
        "tests/billing/test_rating.py"
        "::test_a_series_is_cut_where_price_tax_month_or_invoice_period_changes",
    ),
    Mutation(
        "tiers count through a list that says the same",
        "billing/rating.py",
        "            first = before\n",
        "            first = price\n",
        "tests/billing/test_tiers_and_lists.py"
        "::test_a_list_that_says_the_same_goes_on_counting_the_tiers_of_the_month",
    ),
    Mutation(
        "use of an earlier invoice's period is late",
        "billing/rating.py",
        "ChargeKey(running, start < on_time_from)",
        "ChargeKey(running, start > on_time_from)",
        "tests/billing/test_rating.py"
        "::test_a_series_is_cut_where_price_tax_month_or_invoice_period_changes",
    ),
    Mutation(
        "the fen are those of the running total",
        "billing/charging.py",
        "total = sum(part.quantity for part in before.values()) + added",
        "total = added",
        "tests/billing/test_charging.py::test_any_cut_into_invoices_gives_the_fen_of_the_whole",
    ),
    Mutation(
        "vouchers pay before promotional credit",
        "billing/payment_order.py",
        "_KINDS = {VOUCHER: 0, PROMO: 1}",
        "_KINDS = {VOUCHER: 1, PROMO: 0}",
        "tests/billing/test_payment_order.py::test_vouchers_pay_before_promotional_credit",
    ),
    Mutation(
        "a voucher's share is never exceeded by rounding",
        "billing/payment_order.py",
        "Decimal(amount.numerator * 100 // amount.denominator)",
        "Decimal(-(-amount.numerator * 100 // amount.denominator))",
        "tests/billing/test_payment_order.py::test_a_share_is_of_the_line_and_floored_to_the_fen",
    ),
    Mutation(
        "a minimum is trued up by what is lacking",
        "billing/trueup.py",
        "lacking = max(one.due - reached, NOTHING)",
        "lacking = one.due",
        "tests/billing/test_contract_rating.py"
        "::test_what_a_month_was_trued_up_counts_towards_the_whole_term",
    ),
    Mutation(
        "of a series that is cut, each part counts its own hours",
        "billing/queries/drafts.py",
        "(segment.start, segment.end) == (use.first_hour, use.last_hour + HOUR)",
        "segment.start == use.first_hour",
        "tests/billing/test_invoices.py"
        "::test_a_price_change_splits_the_line_by_the_time_of_the_event",
    ),
    Mutation(
        "an event is known by its source and its id",
        "billing/commands/usage.py",
        'identity.update(f"{event.source}\\0{event.id}".encode())',
        'identity.update(f"{event.source}\\0{event.id}\\0{event.at}".encode())',
        "tests/billing/test_ingest.py::test_the_same_id_with_other_content_is_a_conflict",
    ),
    Mutation(
        "late use is counted in the oldest open period",
        "billing/commands/staging.py",
        '"oldest": periods[0].id',
        '"oldest": periods[-1].id',
        "tests/billing/test_periods.py::test_of_several_open_months_the_oldest_takes_late_usage",
    ),
    Mutation(
        "use inside a reservation costs nothing more",
        "compute/commands/usage.py",
        '"service_class": workload.service_class',
        '"service_class": "on_demand"',
        "tests/compute/test_workloads.py::test_usage_inside_a_reservation_is_shown_as_covered",
    ),
    Mutation(
        "a credit note books the invoice's legs the other way round",
        "billing/commands/credit_notes.py",
        "LedgerKind.REVENUE: note.net,\n            LedgerKind.VAT_OUTPUT: note.tax,",
        "LedgerKind.REVENUE: -note.net,\n            LedgerKind.VAT_OUTPUT: -note.tax,",
        "tests/billing/test_credit_notes.py::test_what_was_paid_goes_back_to_the_wallet",
    ),
    Mutation(
        "the wallet pays the oldest invoice first",
        "billing/commands/wallet.py",
        'open_ones.order_by("period_end")',
        'open_ones.order_by("-period_end")',
        "tests/billing/test_money.py::test_a_top_up_pays_open_invoices_oldest_first",
    ),
    Mutation(
        "a credit limit is nobody's money and is not paid out",
        "billing/commands/money_limits.py",
        "free = stands.available - stands.credit_limit",
        "free = stands.available",
        "tests/billing/test_money_decisions.py::test_what_is_held_used_or_lent_is_not_paid_back",
    ),
    Mutation(
        "what was written off is owed no more",
        "billing/queries/dues.py",
        'MoneyDecision, "amount", state=DecisionState.DONE',
        'MoneyDecision, "amount", state=DecisionState.REJECTED',
        "tests/billing/test_money_decisions.py::test_an_overdue_debt_is_written_off_and_owed_no_more",
    ),
)
