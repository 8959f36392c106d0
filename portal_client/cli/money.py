"""Budgets, costs, credits, fapiao, objections, corrections, and what was agreed."""

from datetime import date
from itertools import islice

from portal_client.api.models import CorrectedEventInput, CorrectionInput
from portal_client.cli.bill import INVOICE_ARGUMENT, invoice_id
from portal_client.cli.command import (
    LIMIT,
    Command,
    Given,
    amount,
    instant,
    needed,
    optional,
    place,
)
from portal_client.cli.output import Rows, Said, Sheet, Shown
from portal_client.cli.problems import OK, REFUSED
from portal_client.cli.words import say
from portal_client.client import Client

SCOPES = ["tenant", "project", "key", "deployment"]
GROUPINGS = [
    *("sku", "service", "pool", "chip", "model", "deployment", "key", "member", "project"),
]
BUDGET = ("id", "scope", "name", "amount", "spent", "percent", "reached", "stops", "currency")
BUDGET_SHEET = (
    *("id", "scope", "subject_id", "name", "amount", "currency", "stops", "stops_running"),
    *("month_start", "month_end", "spent", "held", "remaining", "percent", "reached"),
)
FORECAST = ("month_start", "month_end", "spent", "awaited", "currency")
DAY = ("day", "net")
COSTS = ("month", "group_by", "total", "invoiced", "open", "draft_elsewhere", "until", "currency")
GROUP = ("kind", "value", "name", "net", "share")
CREDIT = ("code", "kind", "state", "title", "face", "remaining", "unit", "last_day", "id")
SCHEME = ("code", "title", "issuer", "mode", "share_domestic", "share_other", "evidence")
APPLICATION = ("id", "scheme", "state", "amount", "granted_amount", "reason", "created_at")
FAPIAO = ("serial", "number", "kind", "direction", "state", "gross", "currency", "id")
FAPIAO_SHEET = (
    *("id", "serial", "number", "kind", "direction", "state", "buyer_name", "buyer_tax_number"),
    *("net", "tax", "gross", "gross_words", "currency", "requested_at", "issued_at", "failure"),
)
FAPIAO_LINE = ("item", "quantity", "unit", "price", "net", "tax_rate", "tax", "gross")
PROFILE = (
    *("buyer_name", "kind", "tax_number", "address_phone", "bank_account", "basis", "updated_at"),
)
NOTE = ("number", "is_full", "reason", "gross", "from_due", "to_wallet", "currency", "id")
NOTE_LINE = ("number", "line", "description", "project", "net", "tax", "gross")
DISPUTE = ("id", "line", "state", "reason", "opened_at", "answer")
CORRECTION = ("source", "id", "status", "code", "detail", "effect", "difference")
CONTRACT = ("number", "title", "state", "starts_at", "ends_at", "currency", "id")
TERM = ("kind", "meter", "sku", "discount_percent", "unit_price", "amount", "interval")
PRICE = ("sku", "title", "unit_price", "unit_quantity", "list_unit_price", "model", "currency")
STATEMENT = (
    *("starts_at", "ends_at", "opening", "invoiced", "credited", "topped_up", "paid", "other"),
    *("closing", "currency"),
)
ENTRY = ("booked_at", "kind", "reference", "amount", "paid", "balance")
MOVEMENT = ("booked_at", "kind", "reference", "wallet", "receivable")


def budgets(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.budgets.list(), given.most)), BUDGET)


def budget(client: Client, given: Given) -> Shown:
    return Sheet(client.budgets.get(given.id), BUDGET_SHEET)


def budget_set(client: Client, given: Given) -> Shown:
    made = client.budgets.create(
        scope=given.scope,
        subject_id=given.subject,
        amount=given.amount,
        stops=given.stops,
        stops_running=given.stops_running,
    )
    return Sheet(made, BUDGET_SHEET)


def budget_change(client: Client, given: Given) -> Shown:
    return Sheet(client.budgets.change(given.id, amount=given.amount), BUDGET_SHEET)


def budget_remove(client: Client, given: Given) -> Shown:
    client.budgets.delete(given.id)
    return Said(say("The budget is removed."), {"id": given.id, "removed": True})


def forecast(client: Client, given: Given) -> Shown:
    found = client.forecast.get()
    return Sheet(found, FORECAST, Rows(found.days, DAY))


def costs(client: Client, given: Given) -> Shown:
    found = client.costs.get(
        month=given.month, group_by=given.by, project=given.project, meter=given.meter
    )
    return Sheet(found, COSTS, Rows(found.groups, GROUP))


def credits_held(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.credits.list(), given.most)), CREDIT)


def vouchers(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.vouchers.list(), given.most)), CREDIT)


def schemes(client: Client, given: Given) -> Shown:
    return Rows(tuple(client.voucher_schemes.list()), SCHEME)


def applications(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.voucher_applications.list(), given.most)), APPLICATION)


def apply(client: Client, given: Given) -> Shown:
    made = client.voucher_applications.create(
        scheme=given.scheme,
        amount=given.amount,
        contract=given.contract,
        unrelated=given.unrelated,
        evidence=dict(given.evidence or ()),
    )
    return Sheet(made, APPLICATION)


def fapiao(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.fapiao.list(), given.most)), FAPIAO)


def fapiao_one(client: Client, given: Given) -> Shown:
    found = client.fapiao.get(given.id)
    return Sheet(found, FAPIAO_SHEET, Rows(found.lines, FAPIAO_LINE))


def fapiao_request(client: Client, given: Given) -> Shown:
    wanted = [invoice_id(client, one) for one in given.invoice]
    return Sheet(client.fapiao.create(invoices=wanted, remark=given.remark), FAPIAO)


def profile(client: Client, given: Given) -> Shown:
    return Sheet(client.tax_profile.get(), PROFILE)


def profile_set(client: Client, given: Given) -> Shown:
    said = client.tax_profile.replace(
        buyer_name=given.buyer,
        kind=given.kind,
        tax_number=given.tax_number,
        address_phone=given.address_phone,
        bank_account=given.bank_account,
    )
    return Sheet(said, PROFILE)


def notes(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.credit_notes.list(), given.most)), NOTE)


def note(client: Client, given: Given) -> Shown:
    found = client.credit_notes.get(given.id)
    return Sheet(found, NOTE, Rows(found.lines, NOTE_LINE))


def disputes(client: Client, given: Given) -> Shown:
    found = client.invoices.list_disputes(invoice_id(client, given.invoice))
    return Rows(tuple(islice(found, given.most)), DISPUTE)


def dispute_open(client: Client, given: Given) -> Shown:
    made = client.invoices.disputes(
        invoice_id(client, given.invoice), line=given.line, reason=given.reason
    )
    return Sheet(made, DISPUTE)


def dispute_withdraw(client: Client, given: Given) -> Shown:
    identifier = invoice_id(client, given.invoice)
    return Sheet(client.invoices.disputes_withdraw(identifier, given.id), DISPUTE)


def correct(client: Client, given: Given) -> Shown:
    """Say that one event was another quantity, or that it never was."""
    said = CorrectionInput(
        id=given.correction,
        source=given.source,
        event=CorrectedEventInput(id=given.event, source=given.event_source or given.source),
        kind="void" if given.quantity is None else "correct",
        quantity=given.quantity,
        reason=given.reason,
    )
    (result,) = client.usage.create_corrections([said]).results
    fine = result.status in {"accepted", "duplicate"}
    return Sheet(result, CORRECTION, code=OK if fine else REFUSED)


def contracts(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.contracts.list(), given.most)), CONTRACT)


def terms(client: Client, given: Given) -> Shown:
    found = (one for one in client.contracts.list() if one.number == given.number)
    return Rows(tuple(term for one in found for term in one.terms), TERM)


def prices(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.prices.list(at=given.at), given.most)), PRICE)


def statement(client: Client, given: Given) -> Shown:
    found = client.statement.get(first_day=given.first, last_day=given.last)
    return Sheet(found, STATEMENT, Rows(found.entries, ENTRY))


def movements(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.wallet.list_movements(), given.most)), MOVEMENT)


def pair(text: str) -> tuple[str, str]:
    """``kind=reference``, of a document."""
    kind, separator, reference = text.partition("=")
    if not separator:
        raise ValueError(text)
    return kind, reference


ID = place("id", "Its id.")
AMOUNT = needed("--amount", "Net, for each month.", type=amount)
REASON = needed("--reason", "Why.")

COMMANDS = (
    Command("budgets", "list", "List the budgets and how they stand.", budgets, (LIMIT,)),
    Command("budgets", "show", "Show one budget.", budget, (ID,)),
    Command(
        "budgets",
        "set",
        "Set a budget; what the month has cost already counts.",
        budget_set,
        (
            optional("--scope", "What it is of.", choices=SCOPES, default="tenant"),
            optional("--subject", "The id of the project, key or deployment."),
            AMOUNT,
            optional("--stops", "Refuse new work once it is spent.", action="store_true"),
            optional("--stops-running", "Stop what runs as well.", action="store_true"),
        ),
    ),
    Command("budgets", "change", "Change a budget's amount.", budget_change, (ID, AMOUNT)),
    Command("budgets", "remove", "Remove a budget.", budget_remove, (ID,)),
    Command("contracts", "list", "List what was agreed.", contracts, (LIMIT,)),
    Command(
        "contracts",
        "terms",
        "List the terms of one contract.",
        terms,
        (place("number", "The contract's number."),),
    ),
    Command(
        "costs",
        "show",
        "Share a month's costs out.",
        costs,
        (
            optional("--month", "A month, such as 2026-11; the present one otherwise."),
            optional("--by", "What to share them out by.", choices=GROUPINGS),
            optional("--project", "The project's code."),
            optional("--meter", "One meter only."),
        ),
    ),
    Command("costs", "forecast", "Show the month day by day and its forecast.", forecast),
    Command("credit-notes", "list", "List the credit notes.", notes, (LIMIT,)),
    Command("credit-notes", "show", "Show one credit note with its lines.", note, (ID,)),
    Command("credits", "list", "List what pays before the wallet.", credits_held, (LIMIT,)),
    Command(
        "disputes", "list", "List an invoice's objections.", disputes, (INVOICE_ARGUMENT, LIMIT)
    ),
    Command(
        "disputes",
        "open",
        "Object to a line of an invoice.",
        dispute_open,
        (INVOICE_ARGUMENT, place("line", "The line's number.", type=int), REASON),
    ),
    Command(
        "disputes",
        "withdraw",
        "Take an objection back before it is answered.",
        dispute_withdraw,
        (INVOICE_ARGUMENT, ID),
    ),
    Command("fapiao", "list", "List the fapiao.", fapiao, (LIMIT,)),
    Command("fapiao", "show", "Show one fapiao with its lines.", fapiao_one, (ID,)),
    Command(
        "fapiao",
        "request",
        "Ask for one fapiao over invoices.",
        fapiao_request,
        (
            place("invoice", "Their numbers or ids.", nargs="+"),
            optional("--remark", "What stands on it beside."),
        ),
    ),
    Command("fapiao", "profile", "Show whom fapiao are made out to.", profile),
    Command(
        "fapiao",
        "set-profile",
        "Say anew whom fapiao are made out to; what is left out is empty.",
        profile_set,
        (
            needed("--buyer", "The buyer's name."),
            needed("--kind", "Which kind.", choices=["digital_ordinary", "digital_special"]),
            optional("--tax-number", "The unified social credit code."),
            optional("--address-phone", "Address and telephone."),
            optional("--bank-account", "Bank and account."),
        ),
    ),
    Command(
        "prices",
        "list",
        "List what a unit costs.",
        prices,
        (optional("--at", "In force then; now otherwise.", type=instant), LIMIT),
    ),
    Command("vouchers", "list", "List the computing vouchers.", vouchers, (LIMIT,)),
    Command("vouchers", "schemes", "List what can be applied for.", schemes),
    Command("vouchers", "applications", "List the applications.", applications, (LIMIT,)),
    Command(
        "vouchers",
        "apply",
        "Apply for a voucher.",
        apply,
        (
            place("scheme", "The scheme's code."),
            needed("--amount", "With tax.", type=amount),
            optional("--contract", "The contract's number."),
            optional("--unrelated", "Not related to the centre.", action="store_true"),
            optional("--evidence", "kind=reference; may be repeated.", type=pair, action="append"),
        ),
    ),
    Command("wallet", "movements", "List what moved the money.", movements, (LIMIT,)),
    Command(
        "wallet",
        "statement",
        "Show a period's account.",
        statement,
        (
            optional("--first", "Its first day, such as 2026-11-01.", type=date.fromisoformat),
            optional("--last", "Its last day.", type=date.fromisoformat),
        ),
    ),
    Command(
        "usage",
        "correct",
        "Correct one counted event, or take it back.",
        correct,
        (
            place("event", "The event's id."),
            needed("--source", "Who corrects."),
            needed("--correction", "The correction's own id."),
            optional("--event-source", "The event's source, where it is another."),
            optional("--quantity", "What it should have said; without it, it is void.", type=int),
            REASON,
        ),
    ),
)
