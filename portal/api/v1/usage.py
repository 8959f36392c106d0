"""Usage: taking events in, and reading what was counted."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.commands.ingest import Receipt, ingest
from billing.queries.pages import counted_events
from billing.queries.sums import usage_sums
from billing.usage import EventStatus
from common.clock import utc_now
from common.period import Period
from portal.api.endpoint import Call, Endpoint, reads, takes_in, takes_stream
from portal.api.fields import Instant, Strict, Text, Whole, refuse_reversed
from portal.api.pagination import PageQuery
from portal.api.parsing import EventBatchParser, OneEventParser, PartsParser
from portal.api.streaming import Stopped, chunks
from tenants.permissions import Permission
from tenants.scoping import tenant_scope

RECENT = timedelta(days=31)


class EventDataIn(Strict):
    quantity = Whole(max_value=10**15, help_text=_("In whole base units of the meter."))
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


REASONS: Mapping[str, Any] = {
    "not_an_event": _("This is not a JSON object."),
    "bad_specversion": _('The specversion must be "1.0".'),
    "unknown_field": _("It has a member that does not exist."),
    "bad_data": _("The data must be a JSON object with a quantity."),
    "bad_source": _("The source must be 1 to 100 printable characters."),
    "reserved_source": _("This source is the product's own."),
    "bad_id": _("The id must be 1 to 200 printable characters."),
    "bad_subject": _("The subject must be at most 200 printable characters."),
    "bad_quantity": _("The quantity must be a whole number from 0 to 1000000000000000."),
    "bad_time": _("The time must be RFC 3339 with its offset."),
    "too_old": _("It is older than the meter takes."),
    "in_future": _("The time lies in the future."),
    "unknown_meter": _("There is no such meter."),
    "bad_dimensions": _("The dimensions must be the meter's, all of them and no others."),
    "unknown_project": _("There is no such project."),
    "unknown_price": _("There is no such price."),
    "other_content": _("An event with this id was counted with other content."),
    "not_json": _("This line is not JSON."),
    "line_too_long": _("A line may have at most 65536 bytes."),
    "body_too_large": _("The stream is too long; send the lines that have no result again."),
    "time_limit": _("The stream took too long; send the lines that have no result again."),
    "not_a_correction": _("This is not a JSON object."),
    "bad_kind": _('The kind must be "correct" or "void".'),
    "bad_reason": _("The reason must be 1 to 500 printable characters."),
    "unknown_event": _("There is no such event."),
    "already_void": _("The event was voided before."),
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

    @reads(Permission.USAGE_READ, CountedEventOut, query=EventsQuery, page=True)
    def get(self, call: Call) -> object:
        """List what was counted, the latest use first."""
        return counted_events(
            actor=call.actor,
            tenant_id=call.tenant_id,
            period=_period(call, "since", "until"),
            meter=call.query["meter"],
            **call.page,
        )

    @takes_in(Permission.USAGE_INGEST, EventIn, ReceiptOut)
    def post(self, call: Call) -> object:
        """Report usage: one CloudEvent, or up to 1,000; each has a result of its own."""
        return ingest(
            actor=call.actor, tenant_id=call.tenant_id, items=call.body["parts"], now=call.now
        )


class LineResultOut(EventResultOut):
    """One line of the answer; the last one may say instead why reading stopped."""

    line = serializers.IntegerField(help_text=_("The line of the body, from 1."))


class UsageStream(Endpoint):
    """Measured facts, one a line."""

    @takes_stream(Permission.USAGE_INGEST, EventIn, LineResultOut)
    def post(self, call: Call) -> object:
        """Report usage as lines of CloudEvents; each has a line of its own in the answer.

        Lines are counted a thousand at a time, and what was counted stays so: after an answer that
        did not arrive, send the same lines again.
        """
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


class UsageSummary(Endpoint):
    """Usage added up."""

    @reads(Permission.USAGE_READ, UsageSumOut, query=_SummaryQuery, page=True)
    def get(self, call: Call) -> object:
        """Sum the usage of the clock hours that begin in a period, under one heading."""
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
