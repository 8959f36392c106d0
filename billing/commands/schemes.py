"""Keeping the voucher schemes: what a city's notice says, as an operator types it in."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.credit_days import day_of, end_of_day
from billing.models import AfterExpiry, VoucherMode, VoucherScheme
from billing.money import is_whole_fen
from billing.seed.schemes import EXCLUDED, SeedScheme, read_schemes
from billing.services import KNOWN
from common.errors import DomainError, FieldError, NotFound
from tenants.audit import record
from tenants.permissions import Actor, Permission, require


class SchemeRefused(DomainError):
    """These rules make no scheme."""

    code = "scheme_refused"
    status = 422
    message = _("These rules make no scheme.")


@dataclass(frozen=True)
class SchemeRules:
    """Everything a notice says. Units: money with tax; shares of one line; None is no limit."""

    code: str
    title_en: str
    title_zh: str
    issuer: str
    mode: str
    share_domestic: Decimal
    share_other: Decimal
    notice: str = ""
    is_example: bool = False
    is_open: bool = True
    cap_per_tenant_year: Decimal | None = None
    cap_per_contract: Decimal | None = None
    budget: Decimal | None = None
    is_one_per_contract: bool = False
    scope_services: tuple[str, ...] = ("compute",)
    excluded_services: tuple[str, ...] = EXCLUDED
    eligible_pools: tuple[str, ...] = ()
    min_spend: Decimal = Decimal(0)
    needs_verification: bool = True
    needs_review: bool = True
    needs_unrelated: bool = True
    evidence: tuple[str, ...] = ()
    valid_days: int | None = None
    valid_until: datetime | None = None
    applications_from: datetime | None = None
    applications_until: datetime | None = None
    is_stackable: bool = False
    after_expiry: str = AfterExpiry.LAPSE
    priority: int = 50
    package_quantity: int | None = None
    package_meter: str = ""


@transaction.atomic
def save_scheme(*, actor: Actor, rules: SchemeRules, now: datetime) -> VoucherScheme:
    """Write a scheme's rules under its code; lots that were granted keep theirs.

    Raises: PermissionRefused, SchemeRefused.
    Idempotent: the same rules again change nothing.
    """
    require(actor, Permission.SCHEME_MANAGE)
    errors = _faults(rules)
    if errors:
        raise SchemeRefused(errors=errors)

    values = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(rules).items()
        if name != "code"
    }
    changed = VoucherScheme.objects.filter(code=rules.code).update(**values)
    if not changed:
        VoucherScheme.objects.create(code=rules.code, **values)
    scheme = VoucherScheme.objects.get(code=rules.code)
    record(
        actor,
        "billing.scheme.saved",
        subject=f"billing.scheme:{scheme.pk}",
        detail={"code": rules.code, "at": now.isoformat()},
    )
    return scheme


def _faults(rules: SchemeRules) -> list[FieldError]:
    faults = [*_money_faults(rules)]
    if rules.mode not in VoucherMode.values:
        faults.append(FieldError("/mode", "mode", _("There is no such mode.")))
    for name in ("scope_services", "excluded_services"):
        if not set(getattr(rules, name)) <= set(KNOWN):
            faults.append(FieldError(f"/{name}", "service", _("There is no such service.")))
    if not rules.scope_services:
        faults.append(FieldError("/scope_services", "empty", _("Name at least one service.")))
    start, end = rules.applications_from, rules.applications_until
    if start is not None and end is not None and end <= start:
        faults.append(FieldError("/applications_until", "past", _("It ends after it begins.")))
    if bool(rules.package_meter) != bool(rules.package_quantity):
        wrong = _("A package has a meter and a quantity.")
        faults.append(FieldError("/package_quantity", "package", wrong))
    return faults


def _money_faults(rules: SchemeRules) -> list[FieldError]:
    faults = []
    for name in ("share_domestic", "share_other"):
        share = getattr(rules, name)
        if not share.is_finite() or not 0 < share <= 1:
            faults.append(FieldError(f"/{name}", "share", _("A share is above 0 and at most 1.")))
    for name in ("cap_per_tenant_year", "cap_per_contract", "budget", "min_spend"):
        amount = getattr(rules, name)
        if amount is not None and (not is_whole_fen(amount) or amount < 0):
            faults.append(FieldError(f"/{name}", "amount", _("Give an amount in whole fen.")))
    return faults


@transaction.atomic
def load_example_schemes(*, actor: Actor, now: datetime) -> int:
    """Write the shipped examples that are not there; gives how many were.

    Raises: PermissionRefused.
    Idempotent: a scheme that exists is never touched.
    """
    require(actor, Permission.SCHEME_MANAGE)
    known = set(VoucherScheme.objects.values_list("code", flat=True))
    missing = [seed for seed in read_schemes() if seed.code not in known]
    for seed in missing:
        save_scheme(actor=actor, rules=_rules(seed, now), now=now)
    return len(missing)


def _rules(seed: SeedScheme, now: datetime) -> SchemeRules:
    zone = settings.CENTRE_TIME_ZONE
    year_end = day_of(now, zone).replace(month=12, day=31)
    return SchemeRules(
        code=seed.code,
        title_en=seed.title_en,
        title_zh=seed.title_zh,
        issuer=seed.issuer,
        is_example=True,
        mode=seed.mode,
        share_domestic=seed.share_domestic,
        share_other=seed.share_other,
        cap_per_tenant_year=seed.cap_per_tenant_year,
        valid_days=seed.valid_days,
        valid_until=end_of_day(year_end, zone) if seed.until_year_end else None,
        is_one_per_contract=seed.one_per_contract,
        needs_review=seed.needs_review,
        evidence=seed.evidence,
        package_meter=seed.package_meter,
        package_quantity=seed.package_quantity,
    )


@transaction.atomic
def close_scheme(*, actor: Actor, code: str, now: datetime) -> VoucherScheme:
    """Take no more applications; what was granted stays. Raises: PermissionRefused, NotFound."""
    require(actor, Permission.SCHEME_MANAGE)
    if VoucherScheme.objects.filter(code=code, is_open=True).update(is_open=False):
        record(
            actor,
            "billing.scheme.closed",
            subject=f"billing.scheme:{code}",
            detail={"at": now.isoformat()},
        )
    scheme = VoucherScheme.objects.filter(code=code).first()
    if scheme is None:
        raise NotFound
    return scheme
