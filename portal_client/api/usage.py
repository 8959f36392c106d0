"""Usage.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from portal_client.calls import Call, Pages, path
from portal_client.transport import Transport

Kind = Literal["correct", "void"]


Specversion = Literal["1.0"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedEventInput:
    """``CorrectedEventInRequest`` of the API."""

    source: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionInput:
    """``CorrectionInRequest`` of the API."""

    # With the source, the correction's own identity.
    id: str
    source: str
    event: CorrectedEventInput
    kind: Kind
    reason: str
    # Of a correction, what the event should have said; a void has none.
    quantity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionResult:
    """``CorrectionResultOut`` of the API."""

    id: str
    source: str
    status: str
    # Why it was not accepted; stable.
    code: str
    detail: str
    # draft_updated or next_invoice_correction; empty where nothing was booked.
    effect: str
    # What was booked, in base units.
    difference: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionReceipt:
    """``CorrectionReceiptOut`` of the API."""

    results: tuple[CorrectionResult, ...]
    accepted: int
    duplicate: int
    conflict: int
    rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedEvent:
    """``CountedEventOut`` of the API."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    quantity: int
    project: str
    dimensions: Mapping[str, str]
    # usage, correct or void.
    kind: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDataInput:
    """``EventDataInRequest`` of the API."""

    # In whole base units of the meter.
    quantity: int
    # The meter's base unit; refused if another.
    unit: str | None = None
    # The project's code.
    project: str | None = None
    # All of the meter's, and no others.
    dimensions: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventInput:
    """``EventInRequest`` of the API."""

    specversion: Specversion = "1.0"
    # With the source, the event's identity for ever.
    id: str
    source: str
    # The meter's code.
    type: str
    # When it was used; at most 35 days ago.
    time: datetime
    data: EventDataInput
    # What was used.
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventResult:
    """``EventResultOut`` of the API."""

    id: str
    source: str
    status: str
    # Why it was not accepted; stable.
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineResult:
    """One line of the answer; the last one may say instead why reading stopped."""

    id: str
    source: str
    status: str
    # Why it was not accepted; stable.
    code: str
    detail: str
    # The line of the body, from 1.
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """``ReceiptOut`` of the API."""

    results: tuple[EventResult, ...]
    accepted: int
    duplicate: int
    conflict: int
    rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedEvent:
    """``RejectedEventOut`` of the API."""

    id: str
    source: str
    # Why it was not accepted; stable.
    code: str
    # The reason as a sentence.
    detail: str
    # What could be made out of it.
    said: object
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSum:
    """``UsageSumOut`` of the API."""

    meter: str
    unit: str
    # The day, the project's code or the dimension's value.
    value: str
    quantity: int
    events: int


class UsageApi:
    """The operations of ``/api/v1/usage``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_corrections(
        self,
        corrections: Sequence[CorrectionInput | Mapping[str, object]],
        *,
        idempotency_key: str | None = None,
    ) -> CorrectionReceipt:
        """Correct or void events: one correction, or up to 1,000; each has a result of its own.

        ``idempotency_key``: The same key gives the same answer; none is needed.

        Scope: billing:usage:correct.
        """
        return self._transport.answer(
            CorrectionReceipt,
            Call(
                "POST",
                path("usage", "corrections"),
                body=corrections,
                has_body=True,
                key=idempotency_key or "",
            ),
        )

    def list_events(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        meter: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Pages[CountedEvent]:
        """List what was counted, the latest use first.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.
        ``meter``: A meter; none named means all.
        ``since``: 31 days ago by default.
        ``until``: Now by default.

        Scope: billing:usage:read.
        """
        return self._transport.pages(
            CountedEvent,
            Call(
                "GET",
                path("usage", "events"),
                query={"limit": limit, "meter": meter, "since": since, "until": until},
            ),
            cursor,
        )

    def create_events(
        self,
        events: Sequence[EventInput | Mapping[str, object]],
        *,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Report usage: one CloudEvent, or up to 1,000; each has a result of its own.

        ``idempotency_key``: The same key gives the same answer; none is needed.

        Scope: billing:usage:ingest.
        """
        return self._transport.answer(
            Receipt,
            Call(
                "POST",
                path("usage", "events"),
                body=events,
                has_body=True,
                key=idempotency_key or "",
            ),
        )

    def list_rejected(
        self,
        *,
        code: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        since: datetime | None = None,
        source: str | None = None,
    ) -> Pages[RejectedEvent]:
        """List the events and corrections that were refused, the latest first.

        ``code``: A reason; none named means all.
        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.
        ``since``: When it was sent; 31 days ago by default.
        ``source``: A source; none named means all.

        Scope: billing:usage:read.
        """
        return self._transport.pages(
            RejectedEvent,
            Call(
                "GET",
                path("usage", "rejected"),
                query={"code": code, "limit": limit, "since": since, "source": source},
            ),
            cursor,
        )

    def create_stream(
        self, events: Sequence[EventInput | Mapping[str, object]]
    ) -> tuple[LineResult, ...]:
        """Report usage as lines of CloudEvents; each has a line of its own in the answer.

        Lines are counted a thousand at a time, and what was counted stays so: after an
        answer that did not arrive, send the same lines again.

        Scope: billing:usage:ingest.
        """
        return self._transport.lines(
            LineResult,
            Call("POST", path("usage", "stream"), body=events, has_body=True, lines=True),
        )

    def list_summary(
        self,
        *,
        cursor: str | None = None,
        from_: datetime | None = None,
        group_by: str | None = None,
        limit: int | None = None,
        to: datetime | None = None,
    ) -> Pages[UsageSum]:
        """Sum the usage of the clock hours that begin in a period, under one heading.

        ``cursor``: What the page before gave as its next.
        ``from_``: 31 days ago by default.
        ``group_by``: "meter", "day", "project" or a dimension, such as "model".
        ``limit``: How many rows at most.
        ``to``: Now by default.

        Scope: billing:usage:read.
        """
        return self._transport.pages(
            UsageSum,
            Call(
                "GET",
                path("usage", "summary"),
                query={"from": from_, "group_by": group_by, "limit": limit, "to": to},
            ),
            cursor,
        )
