"""Use and money: usage, invoices, the wallet, FOCUS."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO
from uuid import UUID

from portal_client.api.usage import EventResult
from portal_client.cli.command import FILE, LIMIT, Command, Given, instant, kept, optional, place
from portal_client.cli.events import CSV, NDJSON, events_of
from portal_client.cli.output import Rows, Sheet, Shown
from portal_client.cli.problems import OK, REFUSED, Denied, UsageError
from portal_client.cli.words import say
from portal_client.client import Client

SENT = ("accepted", "duplicate", "conflict", "rejected")
FINE = frozenset({"accepted", "duplicate"})
RESULT = ("source", "id", "status", "code", "detail")
REJECTED = ("received_at", "source", "id", "code", "detail")
EVENT = ("time", "type", "quantity", "project", "subject", "source", "id")
SUM = ("meter", "value", "quantity", "unit", "events")
INVOICE = (
    "number",
    "state",
    "period_starts_at",
    "period_ends_at",
    "gross",
    "due",
    "currency",
    "id",
)
INVOICE_SHEET = (
    *("number", "id", "state", "period_starts_at", "period_ends_at", "issued_at", "currency"),
    *("net", "tax", "gross", "credits", "payable", "paid", "credited", "due", "content_hash"),
)
LINE = ("number", "description", "project", "quantity", "unit", "unit_price", "net", "tax", "gross")
DRAFT = ("period_starts_at", "until", "currency", "net", "tax", "gross", "credits", "payable")
TRACE = ("time", "quantity", "subject", "source", "id", "received_at")
WALLET = ("balance", "credit_limit", "held", "unbilled", "available", "currency")
STANDING = ("state", "since", "may_create", "frozen", "deadline", "amount_needed", "days_left")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What became of a file of events."""

    accepted: int
    duplicate: int
    conflict: int
    rejected: int
    refused: tuple[EventResult, ...]


def send(client: Client, given: Given) -> Shown:
    """Send a file; the results of what was not counted are shown one by one."""
    form = given.form or (CSV if given.file.lower().endswith(".csv") else NDJSON)
    counts: Counter[str] = Counter()
    refused = []
    with _opened(given.file) as file:
        for result in client.send_events(events_of(file, form)):
            counts[result.status] += 1
            if result.status not in FINE:
                refused.append(result)
    became = Sent(
        accepted=counts["accepted"],
        duplicate=counts["duplicate"],
        conflict=counts["conflict"],
        rejected=counts["rejected"],
        refused=tuple(refused),
    )
    return Sheet(
        became, SENT, Rows(refused, RESULT) if refused else None, REFUSED if refused else OK
    )


@contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdin
        return
    with ExitStack() as opened:
        try:
            file = opened.enter_context(Path(name).open(encoding="utf-8-sig", newline=""))
        except OSError as error:
            raise UsageError(say("{file} cannot be read.", file=name)) from error
        try:
            yield file
        except UnicodeDecodeError as error:
            raise UsageError(say("{file} cannot be read.", file=name)) from error


def events(client: Client, given: Given) -> Shown:
    found = client.usage.list_events(meter=given.meter, since=given.since, until=given.until)
    return Rows(tuple(islice(found, given.most)), EVENT)


def rejected(client: Client, given: Given) -> Shown:
    found = client.usage.list_rejected(since=given.since)
    return Rows(tuple(islice(found, given.most)), REJECTED)


def summary(client: Client, given: Given) -> Shown:
    found = client.usage.list_summary(from_=given.since, to=given.until, group_by=given.by)
    return Rows(tuple(islice(found, given.most)), SUM)


def invoices(client: Client, given: Given) -> Shown:
    return Rows(tuple(islice(client.invoices.list(), given.most)), INVOICE)


def invoice(client: Client, given: Given) -> Shown:
    return Sheet(client.invoices.get(invoice_id(client, given.invoice)), INVOICE_SHEET)


def lines(client: Client, given: Given) -> Shown:
    return Rows(client.invoices.get(invoice_id(client, given.invoice)).lines, LINE)


def draft(client: Client, given: Given) -> Shown:
    found = client.invoices.get_draft()
    return Sheet(found, DRAFT, Rows(found.lines, LINE))


def trace(client: Client, given: Given) -> Shown:
    identifier = invoice_id(client, given.invoice)
    found = client.invoices.list_lines_events(identifier, given.line)
    return Rows(tuple(islice(found, given.most)), TRACE)


def pdf(client: Client, given: Given) -> Shown:
    identifier = invoice_id(client, given.invoice)
    return kept(client.invoices.get_document_pdf(identifier, language=given.language), given)


def table(client: Client, given: Given) -> Shown:
    identifier = invoice_id(client, given.invoice)
    return kept(client.invoices.get_lines_csv(identifier, language=given.language), given)


def invoice_id(client: Client, given: str) -> UUID:
    """An invoice by its id or by its number. Raises: Denied."""
    try:
        return UUID(given)
    except ValueError:
        pass
    for row in client.invoices.list(limit=100):
        if row.number == given:
            return row.id
    raise Denied(say("There is no invoice {number}.", number=given), "not_found")


def wallet(client: Client, given: Given) -> Shown:
    return Sheet(client.wallet.get(), WALLET)


def standing(client: Client, given: Given) -> Shown:
    return Sheet(client.standing.get(), STANDING)


def focus(client: Client, given: Given) -> Shown:
    document = client.exports.get_focus(
        dataset=given.dataset, format=given.form, period=given.period, version=given.version
    )
    return kept(document, given)


INVOICE_ARGUMENT = place("invoice", "Its number or its id.")
SINCE = optional("--since", "From when on.", type=instant)
UNTIL = optional("--until", "Until when.", type=instant)
LANGUAGE = optional("--language", "Of the document.", choices=["en", "zh-hans"], default="en")

COMMANDS = (
    Command(
        "usage",
        "send",
        "Report the events of a file; each is counted once, however often it is sent.",
        send,
        (
            place("file", "CloudEvents, one a line, or a CSV table; - reads the input."),
            optional("--form", "What the file is.", choices=[NDJSON, CSV]),
        ),
    ),
    Command(
        "usage",
        "list",
        "List what was counted, the latest first.",
        events,
        (optional("--meter", "One meter only."), SINCE, UNTIL, LIMIT),
    ),
    Command(
        "usage", "rejected", "List what was refused, the latest first.", rejected, (SINCE, LIMIT)
    ),
    Command(
        "usage",
        "summary",
        "Add usage up under one heading.",
        summary,
        (optional("--by", "meter, day, project or a dimension."), SINCE, UNTIL, LIMIT),
    ),
    Command("invoices", "list", "List invoices, the newest first.", invoices, (LIMIT,)),
    Command("invoices", "show", "Show one invoice's sums.", invoice, (INVOICE_ARGUMENT,)),
    Command("invoices", "draft", "Show what would be invoiced now.", draft),
    Command("invoices", "lines", "Show one invoice's lines.", lines, (INVOICE_ARGUMENT,)),
    Command(
        "invoices",
        "trace",
        "Open a line down to the events it is made of and the engine's jobs.",
        trace,
        (INVOICE_ARGUMENT, place("line", "The line's number.", type=int), LIMIT),
    ),
    Command("invoices", "pdf", "Download as PDF.", pdf, (INVOICE_ARGUMENT, LANGUAGE, *FILE)),
    Command("invoices", "csv", "Download as CSV.", table, (INVOICE_ARGUMENT, LANGUAGE, *FILE)),
    Command("wallet", "show", "Show what can be spent.", wallet),
    Command("standing", "show", "Show the account's standing and its deadline.", standing),
    Command(
        "focus",
        "export",
        "Download the costs of a month in the columns of FOCUS.",
        focus,
        (
            optional("--period", "A month, such as 2026-11; the present one otherwise."),
            optional(
                "--dataset",
                "Which of the datasets.",
                choices=["BillingPeriod", "ContractCommitment", "CostAndUsage", "InvoiceDetail"],
            ),
            optional("--version", "Which version of FOCUS.", choices=["1.2", "1.4"]),
            optional("--form", "csv or parquet.", choices=["csv", "parquet"]),
            *FILE,
        ),
    ),
)
