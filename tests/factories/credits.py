"""Credits, schemes and the steps around them, as tests say them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from billing import origins
from billing.commands.credit_lots import (
    LotTerms,
    PackageTerms,
    grant_package,
    grant_promo,
)
from billing.commands.schemes import SchemeRules, save_scheme
from billing.commands.vouchers import Request, apply_for_voucher, grant_application
from billing.commands.vouchers import review_application as review
from billing.models import CreditLot, CreditUse, VoucherApplication, VoucherScheme
from tenants.models import Organisation
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.billing import LONG_AGO, NOW

CHIPS: dict[str, str] = {"c1": "domestic", "n1": "other"}


def declare_origins() -> None:
    """c1 is a domestic card and n1 is not; the tests' meters name a chip as compute's do."""
    known = origins._lookups["chip"]

    def lookup(codes: object) -> Mapping[str, str]:
        wanted = list(codes)  # type: ignore[call-overload]
        mine = {code: CHIPS[code] for code in wanted if code in CHIPS}
        return mine if len(mine) == len(wanted) else {**known(wanted), **mine}

    origins.declare("chip", lookup)


def verified(code: str = "alice") -> Organisation:
    """A tenant whose legal name and credit code are known."""
    with operator_scope():
        return Organisation.objects.create(
            code=code,
            name=code.title(),
            legal_name=f"{code} 科技有限公司",
            credit_code="91110108MA01ABCD2X",
        )


def scheme(code: str = "city", **rules: object) -> VoucherScheme:
    """A scheme over the tests' meters: 30 % of domestic cards, 20 % of others, at once."""
    values: dict[str, object] = {
        "title_en": code,
        "title_zh": code,
        "issuer": "Wuhan",
        "mode": "instant",
        "share_domestic": Decimal("0.30"),
        "share_other": Decimal("0.20"),
        "scope_services": ("compute", "models"),
        "needs_review": False,
        "needs_unrelated": False,
        "valid_until": datetime(2026, 12, 31, 16, tzinfo=UTC),
        **rules,
    }
    with operator_scope():
        return save_scheme(
            actor=SYSTEM,
            rules=SchemeRules(code=code, **values),  # type: ignore[arg-type]
            now=LONG_AGO,
        )


def ask(
    tenant: Organisation,
    amount: str,
    scheme: str = "city",
    *,
    key: str = "first",
    contract: str = "",
    evidence: Mapping[str, str] | None = None,
    is_unrelated: bool = False,
    now: datetime = NOW,
) -> VoucherApplication:
    with tenant_scope(tenant.pk):
        return apply_for_voucher(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            request=Request(
                scheme=scheme,
                amount=Decimal(amount),
                contract=contract,
                evidence=evidence or {},
                is_unrelated=is_unrelated,
            ),
            key=key,
            now=now,
        )


def voucher(tenant: Organisation, amount: str, scheme: str = "city", **more: object) -> CreditLot:
    """A voucher in force since the beginning of the tests' month."""
    application = ask(tenant, amount, scheme, now=LONG_AGO, **more)  # type: ignore[arg-type]
    return lot_of(application)


def lot_of(application: VoucherApplication) -> CreditLot:
    with operator_scope():
        return CreditLot.objects.get(application=application, kind="voucher")


def decide(application: VoucherApplication, amount: str, now: datetime = NOW) -> CreditLot:
    with operator_scope():
        ids = {"tenant_id": application.tenant_id, "application_id": application.pk}
        review(actor=SYSTEM, now=now, **ids)
        grant_application(actor=SYSTEM, amount=Decimal(amount), now=now, **ids)
    return lot_of(application)


def promo(
    tenant: Organisation,
    amount: str,
    *,
    key: str = "promo",
    expires_on: date | None = None,
    effective_at: datetime = LONG_AGO,
    now: datetime = NOW,
    **terms: object,
) -> CreditLot:
    with tenant_scope(tenant.pk):
        return grant_promo(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            amount=Decimal(amount),
            terms=LotTerms(
                title="Welcome",
                effective_at=effective_at,
                expires_on=expires_on,
                **terms,  # type: ignore[arg-type]
            ),
            key=key,
            now=now,
        )


def package(
    tenant: Organisation,
    quantity: int,
    *,
    meter: str = "test.card_seconds",
    match: Mapping[str, str] | None = None,
    price: str = "0",
    key: str = "package",
    expires_on: date | None = None,
    now: datetime = NOW,
) -> CreditLot:
    with tenant_scope(tenant.pk):
        return grant_package(
            actor=SYSTEM,
            tenant_id=tenant.pk,
            package=PackageTerms(
                meter=meter, quantity=quantity, match=match or {}, price_net=Decimal(price)
            ),
            terms=LotTerms(title="Package", effective_at=LONG_AGO, expires_on=expires_on),
            key=key,
            now=now,
        )


def fresh(lot: CreditLot) -> CreditLot:
    with operator_scope():
        return CreditLot.objects.get(pk=lot.pk)


def uses(tenant: Organisation) -> list[tuple[str, Decimal]]:
    """Every use in its order: which kind of credit, how much."""
    with operator_scope():
        rows = CreditUse.objects.filter(tenant=tenant).order_by("used_at", "sequence", "pk")
        return list(rows.values_list("lot__kind", "amount"))
