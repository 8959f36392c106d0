"""Parts that rows are put together from: one function for each group of columns."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import ROUND_HALF_UP, Context, Decimal

from billing.focus.facts import Bill, CreditedLine, LineFact, Row
from billing.focus.services import FocusMeter
from common.period import Period, month_of

# Wide enough that no product of a price and a quantity is rounded before it is written.
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
# What DECIMAL(38, 12) keeps; a quantity such as 1000 seconds in hours has no end.
TWELVE_PLACES = Decimal("0.000000000001")
NOTHING = Decimal(0)
FEN = Decimal("0.01")


def ratio(quantity: int, divisor: int) -> Decimal:
    """A quantity in larger units, to twelve places."""
    return EXACT.divide(Decimal(quantity), Decimal(divisor)).quantize(TWELVE_PLACES, context=EXACT)


def product(price: Decimal, quantity: Decimal) -> Decimal:
    """A cost as the specification wants it: the price times the quantity as both are written."""
    return EXACT.multiply(price, quantity).quantize(TWELVE_PLACES, context=EXACT)


def duration(period: Period, zone: str) -> str:
    """How long, in the largest unit that says it whole: "12 Months", "2 Days", "36 Hours"."""
    months, cursor = 0, period.start
    while cursor < period.end and month_of(cursor, zone).start == cursor:
        months, cursor = months + 1, month_of(cursor, zone).end
    if cursor == period.end:
        return _counted(months, "Month")
    length = period.end - period.start
    for name, unit in (("Day", timedelta(days=1)), ("Hour", timedelta(hours=1))):
        number, rest = divmod(length, unit)
        if not rest:
            return _counted(number, name)
    return _counted(period.seconds // 60, "Minute")


def _counted(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def spread(amount: Decimal, weights: Iterable[int]) -> list[Decimal]:
    """Divide whole fen by weight so that the parts add up: each is a difference of running
    roundings. Where all weights are nothing the first part takes everything."""
    parts = list(weights)
    total = sum(parts)
    if not total:
        return [amount if place == 0 else NOTHING for place in range(len(parts))]
    shares, before, weight = [], NOTHING, 0
    for part in parts:
        weight += part
        due = EXACT.divide(EXACT.multiply(amount, Decimal(weight)), Decimal(total))
        rounded = due.quantize(FEN, context=EXACT)
        shares.append(rounded - before)
        before = rounded
    return shares


def bill_part(bill: Bill) -> Row:
    """Whose bill it is, of which period, and under which number."""
    return {
        "BillingAccountId": bill.account_code,
        "BillingAccountName": bill.account_name,
        "BillingAccountType": "Tenant",
        "BillingCurrency": bill.currency,
        "BillingPeriodStart": bill.period.start,
        "BillingPeriodEnd": bill.period.end,
        "InvoiceId": bill.number,
        "InvoiceIssuerName": bill.issuer,
        "HostProviderName": bill.issuer,
        "ServiceProviderName": bill.issuer,
        "ProviderName": bill.issuer,
        "PublisherName": bill.issuer,
        "PricingCurrency": bill.currency,
    }


def kind_part(category: str, frequency: str, period: Period, *, is_correction: bool) -> Row:
    """What sort of charge, for which time."""
    return {
        "ChargeCategory": category,
        "ChargeClass": "Correction" if is_correction else None,
        "ChargeFrequency": frequency,
        "ChargePeriodStart": period.start,
        "ChargePeriodEnd": period.end,
    }


def costs_part(*, billed: Decimal, effective: Decimal, listed: Decimal, contracted: Decimal) -> Row:
    return {
        "BilledCost": billed,
        "EffectiveCost": effective,
        "ListCost": listed,
        "ContractedCost": contracted,
        "PricingCurrencyEffectiveCost": effective,
    }


def same_costs(amount: Decimal) -> Row:
    """Of a charge that is no quantity at a price: it costs what is billed, whichever way."""
    return costs_part(billed=amount, effective=amount, listed=amount, contracted=amount)


def credited_share(one: CreditedLine) -> Decimal:
    """How much of a line a credit note takes back; nothing where only tax was left to take."""
    return EXACT.divide(one.net, one.of.net) if one.net else NOTHING


def priced_costs(line: LineFact, quantity: int) -> tuple[Decimal, Decimal]:
    """What a quantity of a line costs by the list, and by contract."""
    amount = ratio(quantity, line.unit_quantity)
    return product(line.list_unit_price, amount), product(line.unit_price, amount)


def prices_part(line: LineFact, meter: FocusMeter, quantity: int) -> Row:
    """The prices of a line and the quantity they apply to, and the two products of them."""
    amount = ratio(quantity, line.unit_quantity)
    listed, contracted = priced_costs(line, quantity)
    return {
        "PricingQuantity": amount,
        "PricingUnit": meter.pricing_unit(line.unit_quantity),
        "ListUnitPrice": line.list_unit_price,
        "ContractedUnitPrice": line.unit_price,
        "PricingCurrencyListUnitPrice": line.list_unit_price,
        "PricingCurrencyContractedUnitPrice": line.unit_price,
        "ListCost": listed,
        "ContractedCost": contracted,
    }


def sku_part(line: LineFact, meter: FocusMeter) -> Row:
    details: dict[str, object] = dict(meter.sku_details)
    details.update({_custom(name): value for name, value in line.dimensions.items() if value})
    return {
        "SkuId": line.sku,
        "SkuMeter": meter.sku_meter,
        "SkuPriceId": line.price_id,
        "SkuPriceDetails": details or None,
        "ServiceCategory": meter.category,
        "ServiceName": meter.service,
        "ServiceSubcategory": meter.subcategory,
        "x_Meter": line.meter,
        "x_Portion": line.portion,
        "x_Dimensions": dict(line.dimensions) or None,
    }


def _custom(name: str) -> str:
    return "x_" + "".join(part.title() for part in name.split("_"))


def project_part(line: LineFact) -> Row:
    if not line.project_code:
        return {}
    return {
        "SubAccountId": line.project_code,
        "SubAccountName": line.project_name,
        "SubAccountType": "Project",
    }


def consumed_part(meter: FocusMeter, quantity: int) -> Row:
    return {"ConsumedQuantity": ratio(quantity, meter.divisor), "ConsumedUnit": meter.unit}


def other_service(name: str) -> Row:
    """Of a charge that is no metered service."""
    return {
        "ServiceCategory": "Other",
        "ServiceName": name,
        "ServiceSubcategory": "Other (Other)",
    }
