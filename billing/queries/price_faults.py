"""Why a price list cannot be published: its time, its lines, its overlaps and its gaps."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import combinations

from django.db import connection
from django.utils.translation import gettext_lazy as _

from billing import meters
from billing.models import PriceVersion, TaxRate, VersionState
from billing.money import CURRENCY
from billing.pricing import MODELS, Terms, Tier, terms_faults
from billing.pricing.match import best_match
from common.errors import FieldError
from common.period import floor_hour

# Use of the last weeks goes on tomorrow: a list without a price for it has a gap.
STILL_IN_USE = timedelta(days=35)
MOST_LINES = 5_000
LONGEST_CODE = 80
LONGEST_TITLE = 150
GAPS_NAMED = 20


@dataclass(frozen=True)
class PriceLine:
    """One price to publish. Units: net, per ``unit_quantity`` base units of the meter."""

    meter: str
    sku: str
    title_en: str
    title_zh: str
    unit_price: Decimal
    unit_quantity: int
    tax_code: str
    match: Mapping[str, str] = field(default_factory=dict)
    model: str = "flat"
    tiers: tuple[Tier, ...] = ()

    @property
    def terms(self) -> Terms:
        return Terms(self.unit_price, self.unit_quantity, self.tiers)


def time_faults(
    effective_at: datetime, now: datetime, currency: str, *, may_reach_back: bool = False
) -> list[FieldError]:
    """A list starts on a free whole hour to come.

    Shape: ``may_reach_back`` for one that ships with the product, if it is its currency's first.
    """
    if effective_at != floor_hour(effective_at):
        return [FieldError("/effective_at", "not_whole_hour", _("Start on a whole hour."))]
    published = PriceVersion.objects.filter(state=VersionState.PUBLISHED, currency=currency)
    if published.filter(effective_at=effective_at).exists():
        return [FieldError("/effective_at", "taken", _("Another list starts at this hour."))]
    if effective_at < now and not (may_reach_back and not published.exists()):
        return [FieldError("/effective_at", "past", _("A price list cannot start in the past."))]
    return []


def line_faults(lines: Sequence[PriceLine]) -> list[FieldError]:
    """What is wrong with each line by itself, and with lines that say the same twice."""
    errors = []
    seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()
    skus: set[str] = set()
    rated = set(TaxRate.objects.values_list("tax_code", flat=True))
    if not lines:
        errors.append(FieldError("/lines", "empty", _("A price list has at least one price.")))
    if len(lines) > MOST_LINES:
        errors.append(FieldError("/lines", "too_many", _("This price list is too long.")))
        return errors
    for index, line in enumerate(lines):
        where = f"/lines/{index}"
        for name, code, sentence in terms_faults(line.model, line.terms):
            pointer = f"{where}/{name}" if name.startswith("tiers") else where
            errors.append(FieldError(pointer, code, sentence))
        if line.model not in MODELS:
            errors.append(FieldError(where, "model", _("There is no such price model.")))
        if line.tax_code not in rated:
            errors.append(FieldError(where, "tax_code", _("There is no such tax code.")))
        key = (line.meter, frozenset(line.match.items()))
        if key in seen or line.sku in skus:
            errors.append(FieldError(where, "twice", _("This price stands in the list twice.")))
        seen.add(key)
        skus.add(line.sku)
    return errors


def tax_faults(lines: Sequence[PriceLine], effective_at: datetime) -> list[FieldError]:
    """Lines whose tax code has no rate yet when the list begins: their use could not be billed."""
    rated = set(
        TaxRate.objects.filter(during__contains=effective_at).values_list("tax_code", flat=True)
    )
    return [
        FieldError(
            f"/lines/{index}", "untaxed", _("The tax code has no rate when the list begins.")
        )
        for index, line in enumerate(lines)
        if line.tax_code not in rated
    ]


def naming_faults(lines: Sequence[PriceLine]) -> list[FieldError]:
    """Lines that no use could ever match, or that a reader could not name."""
    errors = []
    for index, line in enumerate(lines):
        where = f"/lines/{index}"
        known = meters.declared().get(line.meter)
        if known is None:
            errors.append(FieldError(f"{where}/meter", "meter", _("There is no such meter.")))
        elif not set(line.match) <= set(known.dimensions):
            errors.append(
                FieldError(f"{where}/match", "match", _("The meter has no such property."))
            )
        if not 0 < len(line.sku) <= LONGEST_CODE:
            errors.append(FieldError(f"{where}/sku", "sku", _("A price has a SKU.")))
        titles = (line.title_en, line.title_zh)
        if not all(0 < len(title) <= LONGEST_TITLE for title in titles):
            errors.append(
                FieldError(f"{where}/title", "title", _("A price has a name in each language."))
            )
    return errors


def overlap_faults(lines: Sequence[PriceLine]) -> list[FieldError]:
    """Pairs of prices that one use could match equally well; a price of both at once decides."""
    errors: list[FieldError] = []
    by_meter: dict[str, list[tuple[int, PriceLine]]] = {}
    for index, line in enumerate(lines):
        by_meter.setdefault(line.meter, []).append((index, line))
    for group in by_meter.values():
        decided = {frozenset(line.match.items()) for _index, line in group}
        by_properties: dict[frozenset[str], list[tuple[int, PriceLine]]] = {}
        for index, line in group:
            by_properties.setdefault(frozenset(line.match), []).append((index, line))
        for left, right in combinations(by_properties, 2):
            if len(left) != len(right):
                continue
            errors.extend(_clashes(by_properties[left], by_properties[right], decided))
    return errors


def _clashes(
    left: Sequence[tuple[int, PriceLine]],
    right: Sequence[tuple[int, PriceLine]],
    decided: set[frozenset[tuple[str, str]]],
) -> Iterator[FieldError]:
    for _index, one in left:
        for index, other in right:
            shared = set(one.match) & set(other.match)
            if any(one.match[name] != other.match[name] for name in shared):
                continue
            if frozenset({**one.match, **other.match}.items()) in decided:
                continue
            yield FieldError(
                f"/lines/{index}/match",
                "ambiguous",
                _("%(sku)s and %(other)s fit the same use equally well.")
                % {"sku": one.sku, "other": other.sku},
            )


IN_USE = """
SELECT DISTINCT series.meter, coalesce(
    (SELECT jsonb_object_agg(key, value) FROM jsonb_each(series.dimensions)
     WHERE key = ANY(%(properties)s)), '{}')::text
FROM billing_series series
LEFT JOIN billing_account account ON account.tenant_id = series.tenant_id
WHERE series.price_id IS NULL AND coalesce(account.currency, %(own)s) = %(currency)s AND EXISTS (
    SELECT FROM billing_usagebucket bucket
    WHERE bucket.series_id = series.id AND bucket.hour >= %(since)s)
ORDER BY 1, 2
"""


def coverage_faults(lines: Sequence[PriceLine], now: datetime, currency: str) -> list[FieldError]:
    """Use in the last weeks, of any tenant with this currency, that the list has no price for; one
    statement.

    Needs operator scope: the list is every such tenant's.
    """
    properties = sorted({name for line in lines for name in line.match})
    gaps = []
    for meter, dimensions in in_use(properties, now - STILL_IN_USE, currency):
        if best_match(lines, meter, dimensions) is None:
            said = ", ".join(f"{name}={value}" for name, value in sorted(dimensions.items()))
            gaps.append(
                FieldError(
                    "/lines",
                    "gap",
                    _("%(meter)s is in use (%(dimensions)s) and has no price.")
                    % {"meter": meter, "dimensions": said or "–"},
                )
            )
    return gaps[:GAPS_NAMED]


def in_use(
    properties: Sequence[str], since: datetime, currency: str
) -> tuple[tuple[str, dict[str, str]], ...]:
    """Each combination of these properties that was metered without a price of its own."""
    values: dict[str, str | datetime | list[str]] = {
        "properties": list(properties),
        "since": since,
        "own": CURRENCY,
        "currency": currency,
    }
    with connection.cursor() as cursor:
        cursor.execute(IN_USE, values)
        return tuple((meter, json.loads(told)) for meter, told in cursor.fetchall())
