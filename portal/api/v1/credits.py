"""Packages, computing vouchers and promotional credit: what there is, and asking for a voucher."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from billing.commands.vouchers import Request, apply_for_voucher
from billing.queries.credits import credit_page, invoice_uses
from billing.queries.vouchers import applications, open_schemes
from common.ids import uuid7
from common.paging import Page
from portal.api.endpoint import Call, Endpoint, posts, reads, says
from portal.api.fields import Amount, InLanguage, Instant, Money, Spoken, Strict, Text
from tenants.permissions import Permission


# Output serializers are generic over models this layer must not import.
class CreditOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    code = serializers.CharField()
    kind = serializers.CharField(help_text=_("package, voucher or promo."))
    state = serializers.CharField()
    title = serializers.CharField()
    funder = serializers.CharField()
    mode = serializers.CharField()
    face = Money(help_text=_("Money with tax; a package's in its unit."))
    remaining = Money()
    unit = Spoken()
    meter = serializers.CharField(help_text=_("What a package covers; empty for money."))
    dimensions = serializers.DictField(child=serializers.CharField(), source="match")
    scope = serializers.CharField()
    scope_values = serializers.ListField(child=serializers.CharField())
    share_domestic = Amount(help_text=_("The most of one line, where its cards are domestic."))
    share_other = Amount()
    effective_at = Instant()
    last_day = serializers.DateField(
        allow_null=True, help_text=_("The last day it is valid on, by the centre's calendar.")
    )


class VoucherOut(CreditOut):
    """The same of a voucher."""


class Credits(Endpoint):
    """Everything that pays before the wallet."""

    @says(_("List the credits, newest first."))
    @reads(Permission.WALLET_READ, CreditOut, page=True)
    def get(self, call: Call) -> object:
        return credit_page(actor=call.actor, tenant_id=call.tenant_id, now=call.now, **call.page)


class Vouchers(Endpoint):
    """The computing vouchers."""

    @says(_("List the computing vouchers, newest first."))
    @reads(Permission.WALLET_READ, VoucherOut, page=True)
    def get(self, call: Call) -> object:
        return credit_page(
            actor=call.actor,
            tenant_id=call.tenant_id,
            now=call.now,
            kind="voucher",
            **call.page,
        )


class SchemeOut(serializers.Serializer):  # type: ignore[type-arg]
    code = serializers.CharField()
    title = InLanguage("title")
    issuer = serializers.CharField()
    mode = serializers.CharField()
    share_domestic = Amount()
    share_other = Amount()
    cap_per_tenant_year = Money(allow_null=True)
    evidence = serializers.ListField(child=serializers.CharField())
    is_example = serializers.BooleanField()


class Schemes(Endpoint):
    """The voucher schemes that take applications."""

    @says(_("List the schemes a voucher may be asked for under now; there are few."))
    @reads(Permission.WALLET_READ, SchemeOut, page=True)
    def get(self, call: Call) -> object:
        found = open_schemes(actor=call.actor, tenant_id=call.tenant_id, now=call.now)
        return Page(found, None)


class ApplicationOut(serializers.Serializer):  # type: ignore[type-arg]
    id = serializers.UUIDField()
    scheme = serializers.CharField(source="scheme.code")
    state = serializers.CharField()
    contract = serializers.CharField()
    amount = Money()
    granted_amount = Money(allow_null=True)
    evidence = serializers.DictField(child=serializers.CharField())
    reason = serializers.CharField()
    created_at = Instant()


class ApplicationIn(Strict):
    scheme = Text(max_length=40)
    amount = Amount(help_text=_("Money with tax, in whole fen."))
    contract = Text(default="", allow_blank=True)
    unrelated = serializers.BooleanField(
        default=False, help_text=_("That the organisation is not related to the centre.")
    )
    evidence = serializers.DictField(
        child=Text(max_length=300),
        default=dict,
        help_text=_("For each kind the scheme asks for, the document's reference."),
    )


class Applications(Endpoint):
    """Applications for computing vouchers."""

    @says(_("List the applications, newest first."))
    @reads(Permission.WALLET_READ, ApplicationOut, page=True)
    def get(self, call: Call) -> object:
        return applications(actor=call.actor, tenant_id=call.tenant_id, **call.page)

    @says(_("Apply for a voucher; a scheme without a review grants it at once."))
    @posts(Permission.VOUCHER_APPLY, ApplicationIn, ApplicationOut)
    def post(self, call: Call) -> object:
        said: Any = call.body
        return apply_for_voucher(
            actor=call.actor,
            tenant_id=call.tenant_id,
            request=Request(
                scheme=said["scheme"],
                amount=said["amount"],
                contract=said["contract"],
                is_unrelated=said["unrelated"],
                evidence=said["evidence"],
            ),
            # A repetition is answered from what was kept before it comes here.
            key=f"api:{uuid7()}",
            now=call.now,
        )


class UseOut(serializers.Serializer):  # type: ignore[type-arg]
    line = serializers.IntegerField(help_text=_("The number of the invoice's line."))
    sequence = serializers.IntegerField(help_text=_("Its place in the order of payment."))
    credit = serializers.CharField(help_text=_("The credit's code."))
    credit_kind = serializers.CharField()
    kind = serializers.CharField(help_text=_("use, claim or restore."))
    amount = Money(help_text=_("Money with tax; a package's in base units of its meter."))
    share = Amount()
    origin = serializers.CharField()
    used_at = Instant()


class InvoiceCredits(Endpoint):
    """What credits paid of one invoice."""

    @says(_("List the uses of credits on an invoice, in the order they paid."))
    @reads(Permission.INVOICE_READ, UseOut, page=True)
    def get(self, call: Call, invoice_id: UUID) -> object:
        found = invoice_uses(actor=call.actor, tenant_id=call.tenant_id, invoice_id=invoice_id)
        return Page(found, None)
