"""Usage: taking events in, and reading what was counted."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.commands.ingest import Receipt, ingest
from billing.queries.pages import counted_events
from billing.queries.rejected import rejected_page
from billing.queries.sums import UsageSum, usage_sums
from billing.usage import EventStatus
from common.clock import utc_now
from common.period import Period
from portal.api.endpoint import Call, Endpoint, reads, says, takes_in, takes_stream
from portal.api.fields import Instant, Strict, Text, Whole, refuse_reversed
from portal.api.pagination import PageQuery
from portal.api.parsing import EventBatchParser, OneEventParser, PartsParser
from portal.api.streaming import Stopped, chunks
from portal.reasons import REASONS
from tenants.permissions import Permission
from tenants.scoping import tenant_scope

RECENT = timedelta(days=31)


class EventDataIn(Strict):
    quantity = Whole(max_value=10**15, help_text=_("In whole base units of the meter."))
    unit = Text(
        max_length=60, required=False, help_text=_("The meter's base unit; refused if another.")
    )
    project = Text(max_length=40, required=False, help_text=_("The project's code."))
    dimensions = serializers.DictField(
        child=serializers.CharField(max_length=100, allow_blank=True),
        required=False,
        help_text=_("All of the meter's, and no others."),
    )


class EventIn(Strict):
    """A CloudEvent; described here, made out by the domain, each with a result of its own."""

    specversion = serializers.ChoiceField(choices=["1.0"])
    id = Text(max_length=200, help_text=_("With the source, the event's identity for ever."))
    source = Text(max_length=100)  # type: ignore[assignment]  # CloudEvents' own name
    type = Text(max_length=60, help_text=_("The meter's code."))
    subject = Text(max_length=200, required=False, help_text=_("What was used."))
    time = Instant(help_text=_("When it was used; at most 35 days ago."))
    data = EventDataIn()  # type: ignore[assignment]  # CloudEvents' own name


class EventResultOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # CloudEvents' own name
    status = serializers.ChoiceField(choices=[status.value for status in EventStatus])
    code = serializers.CharField(help_text=_("Why it was not accepted; stable."))
    detail = serializers.CharField()


class ReceiptOut(serializers.Serializer):  # type: ignore[type-arg]
    results = EventResultOut(many=True)
    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    conflict = serializers.IntegerField()
    rejected = serializers.IntegerField()

    def to_representation(self, instance: Receipt) -> dict[str, Any]:
        """Written out by hand: a serializer for each of a thousand results is most of the time."""
        counts = instance.counts
        sentences = {code: str(text) for code, text in REASONS.items()}
        return {
            "results": [
                {
                    "id": writable(result.id),
                    "source": writable(result.source),
                    "status": result.status.value,
                    "code": result.code,
                    "detail": sentences.get(result.code, ""),
                }
                for result in instance.results
            ],
            **{status.value: counts[status] for status in EventStatus},
        }


def writable(text: str) -> str:
    """Text that can be sent as UTF-8: half of a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


class EventsQuery(PageQuery):
    meter = Text(max_length=60, default="", help_text=_("A meter; none named means all."))
    since = Instant(required=False, help_text=_("31 days ago by default."))
    until = Instant(required=False, help_text=_("Now by default."))


class CountedEventOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # CloudEvents' own name
    type = serializers.CharField(source="meter")
    subject = serializers.CharField()
    time = Instant(source="at")
    quantity = serializers.IntegerField()
    project = serializers.CharField()
    dimensions = serializers.DictField(child=serializers.CharField())
    kind = serializers.CharField(help_text=_("usage, correct or void."))
    received_at = Instant()


class UsageEvents(Endpoint):
    """Measured facts, each counted once."""

    parser_classes = (PartsParser, OneEventParser, EventBatchParser)

    @says(_("List what was counted, the latest use first."))
    @reads(Permission.USAGE_READ, CountedEventOut, query=EventsQuery, page=True)
    def get(self, call: Call) -> object:
        return counted_events(
            actor=call.actor,
            tenant_id=call.tenant_id,
            period=_period(call, "since", "until"),
            meter=call.query["meter"],
            **call.page,
        )

    @says(_("Report usage: one CloudEvent, or up to 1,000; each has a result of its own."))
    @takes_in(Permission.USAGE_INGEST, EventIn, ReceiptOut)
    def post(self, call: Call) -> object:
        return ingest(
            actor=call.actor, tenant_id=call.tenant_id, items=call.body["parts"], now=call.now
        )


class LineResultOut(EventResultOut):
    """One line of the answer; the last one may say instead why reading stopped."""

    line = serializers.IntegerField(help_text=_("The line of the body, from 1."))


class UsageStream(Endpoint):
    """Measured facts, one a line."""

    @says(
        _("Report usage as lines of CloudEvents; each has a line of its own in the answer."),
        _(
            "Lines are counted a thousand at a time, and what was counted stays so: after an "
            "answer that did not arrive, send the same lines again."
        ),
    )
    @takes_stream(Permission.USAGE_INGEST, EventIn, LineResultOut)
    def post(self, call: Call) -> object:
        return _line_results(call)


def _line_results(call: Call) -> Iterator[bytes]:
    sentences = {code: str(text) for code, text in REASONS.items()}
    stopped = Stopped()
    for chunk in chunks(call.body["lines"], stopped):
        with tenant_scope(call.tenant_id):
            receipt = ingest(
                actor=call.actor,
                tenant_id=call.tenant_id,
                items=chunk.items,
                now=utc_now(),
                broken=chunk.broken,
            )
        for number, result in zip(chunk.numbers, receipt.results, strict=True):
            yield _line(
                {
                    "line": number,
                    "id": writable(result.id),
                    "source": writable(result.source),
                    "status": result.status.value,
                    "code": result.code,
                    "detail": sentences.get(result.code, ""),
                }
            )
    if stopped.code:
        detail = sentences[stopped.code]
        yield _line({"status": "stopped", "code": stopped.code, "detail": detail})


def _line(said: Mapping[str, object]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode() + b"\n"


class RejectedQuery(PageQuery):
    source = Text(  # type: ignore[assignment]  # CloudEvents' own name
        max_length=100, default="", help_text=_("A source; none named means all.")
    )
    code = Text(max_length=40, default="", help_text=_("A reason; none named means all."))
    since = Instant(required=False, help_text=_("When it was sent; 31 days ago by default."))


class RejectedEventOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # CloudEvents' own name
    code = serializers.CharField(help_text=_("Why it was not accepted; stable."))
    detail = serializers.SerializerMethodField(help_text=_("The reason as a sentence."))
    said = serializers.JSONField(help_text=_("What could be made out of it."))
    received_at = Instant()

    def get_detail(self, row: Any) -> str:
        return str(REASONS.get(row.code, ""))


class RejectedEvents(Endpoint):
    """What was not counted."""

    @says(_("List the events and corrections that were refused, the latest first."))
    @reads(Permission.USAGE_READ, RejectedEventOut, query=RejectedQuery, page=True)
    def get(self, call: Call) -> object:
        return rejected_page(
            actor=call.actor,
            tenant_id=call.tenant_id,
            source=call.query["source"],
            code=call.query["code"],
            since=call.query.get("since", call.now - RECENT),
            **call.page,
        )


class _SummaryQuery(PageQuery):
    group_by = Text(
        max_length=40,
        default="meter",
        help_text=_('"meter", "day", "project" or a dimension, such as "model".'),
    )

    def get_fields(self) -> dict[str, Any]:
        """With ``from`` and ``to``, the first of which Python keeps for itself."""
        bounds = {
            "from": Instant(required=False, help_text=_("31 days ago by default.")),
            "to": Instant(required=False, help_text=_("Now by default.")),
        }
        return {**bounds, **super().get_fields()}


class UsageSumOut(serializers.Serializer):  # type: ignore[type-arg]
    meter = serializers.CharField()
    unit = serializers.CharField()
    value = serializers.CharField(
        help_text=_("The day, the project's code or the dimension's value.")
    )
    quantity = serializers.IntegerField()
    events = serializers.IntegerField()

    def to_representation(self, instance: UsageSum) -> dict[str, Any]:
        """Written out by hand: a serializer for each of a hundred rows takes twice as long."""
        return {
            "meter": instance.meter,
            "unit": instance.unit,
            "value": instance.value,
            "quantity": instance.quantity,
            "events": instance.events,
        }


class UsageSummary(Endpoint):
    """Usage added up."""

    @says(_("Sum the usage of the clock hours that begin in a period, under one heading."))
    @reads(Permission.USAGE_READ, UsageSumOut, query=_SummaryQuery, page=True)
    def get(self, call: Call) -> object:
        return usage_sums(
            actor=call.actor,
            tenant_id=call.tenant_id,
            period=_period(call, "from", "to"),
            group_by=call.query["group_by"],
            **call.page,
        )


def _period(call: Call, start: str, end: str) -> Period:
    """From ``start`` to ``end``, or the last 31 days. Raises: ValidationError."""
    until = call.query.get(end, call.now)
    try:
        since = call.query.get(start, until - RECENT)
    except OverflowError:
        since = until
    refuse_reversed({start: since, end: until}, start, end)
    return Period(since, until)
