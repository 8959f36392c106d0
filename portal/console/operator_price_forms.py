"""The forms of the price book."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing import meters
from billing.adapters.price_csv import read_match
from billing.money import CURRENCIES
from billing.pricing import MODELS, Tier
from billing.queries.price_faults import PriceLine
from billing.queries.prices import tax_rates
from portal.console.forms import CentreInstantField, MoneyField
from portal.console.wording import PRICE_MODELS

MOST_TIERS = 50


class MatchField(forms.CharField):
    """Properties as "name=value; name=value"."""

    def clean(self, value: Any) -> Any:  # what a form's field takes and gives is as various
        try:
            return read_match(super().clean(value) or "")
        except ValueError as error:
            raise forms.ValidationError(
                _("Write properties as name=value; name=value."), code="invalid"
            ) from error

    def prepare_value(self, value: object) -> object:
        if isinstance(value, Mapping):
            return "; ".join(f"{name}={told}" for name, told in sorted(value.items()))
        return value


class PriceForm(forms.Form):
    """One price of a draft."""

    meter = forms.ChoiceField(label=_("Meter"))
    match = MatchField(
        label=_("Applies to"),
        required=False,
        max_length=500,
        help_text=_("Properties as name=value; name=value. Empty is all of the meter."),
    )
    sku = forms.CharField(label=_("SKU"), max_length=80)
    title_en = forms.CharField(label=_("Name in English"), max_length=150)
    title_zh = forms.CharField(label=_("Name in Chinese"), max_length=150)
    model = forms.ChoiceField(label=_("Price model"))
    unit_price = MoneyField(
        label=_("Net"),
        min_value=0,
        max_digits=30,
        decimal_places=15,
        help_text=_("For models with tiers each tier says its own."),
    )
    unit_quantity = forms.IntegerField(
        label=_("For so many base units"), min_value=1, max_value=10**15
    )
    tax_code = forms.ChoiceField(label=_("Tax code"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # passed on to Django's own
        super().__init__(*args, **kwargs)
        self.fields["meter"].choices = [  # type: ignore[attr-defined]  # a choice field
            (meter.code, f"{meter.title} ({meter.code}, {meter.base_unit})")
            for meter in sorted(meters.declared().values(), key=lambda meter: meter.code)
        ]
        self.fields["model"].choices = [  # type: ignore[attr-defined]  # a choice field
            (name, PRICE_MODELS.get(name, name)) for name in MODELS
        ]
        codes = dict.fromkeys(rate.tax_code for rate in tax_rates())
        self.fields["tax_code"].choices = [(code, code) for code in codes]  # type: ignore[attr-defined]  # a choice field


class TierForm(forms.Form):
    """One tier; an empty row is none."""

    up_to = forms.IntegerField(label=_("Up to"), min_value=1, max_value=10**15, required=False)
    unit_price = MoneyField(
        label=_("Net"), min_value=0, max_digits=30, decimal_places=15, required=False
    )
    fee = MoneyField(label=_("Fee"), min_value=0, max_digits=30, decimal_places=15, required=False)


TierFormSet = forms.formset_factory(TierForm, extra=3, max_num=MOST_TIERS, validate_max=True)


class VersionForm(forms.Form):
    """When the list begins and what it is called."""

    title = forms.CharField(label=_("Title"), max_length=100, required=False)
    effective_at = CentreInstantField(
        label=_("In force from"), help_text=_("A whole hour, not past.")
    )


class FirstListForm(forms.Form):
    """The first list of a further currency."""

    currency = forms.ChoiceField(label=_("Currency"))
    rate = forms.DecimalField(
        label=_("What one yuan is worth in it"),
        max_digits=12,
        decimal_places=6,
        help_text=_("Each price of the latest list times this; the draft is edited afterwards."),
    )
    first_effective_at = CentreInstantField(
        label=_("In force from"), help_text=_("A whole hour, not past.")
    )

    def offer(self, published: Collection[str]) -> bool:
        """Offer the currencies without a published list; False where every one has its own."""
        left = [code for code in CURRENCIES if code not in published]
        self.fields["currency"].choices = [(code, code) for code in left]  # type: ignore[attr-defined]  # a choice field
        return bool(left) and bool(published)


class ImportForm(forms.Form):
    """A price list as a file."""

    file = forms.FileField(label=_("CSV file"), help_text=_("As exported; it replaces all."))


class NoteForm(forms.Form):
    """What to change in a list that is given back."""

    note = forms.CharField(label=_("What to change"), max_length=500)


class TaxChangeForm(forms.Form):
    """A tax rate to come."""

    tax_code = forms.CharField(label=_("Tax code"), max_length=40)
    percent = forms.DecimalField(
        label=_("Rate in per cent"), min_value=0, max_value=99, max_digits=6, decimal_places=3
    )
    starts_at = CentreInstantField(label=_("In force from"), help_text=_("A whole hour, not past."))
    title_en = forms.CharField(label=_("Name in English"), max_length=100)
    title_zh = forms.CharField(label=_("Name in Chinese"), max_length=100)
    reason = forms.CharField(label=_("Reason"), max_length=500)


class SpotForm(forms.Form):
    """A spot price from an hour on."""

    sku = forms.ChoiceField(label=_("SKU"))
    starts_at = CentreInstantField(label=_("In force from"), help_text=_("A whole hour, not past."))
    unit_price = MoneyField(label=_("Net"), min_value=0, max_digits=30, decimal_places=15)

    def __init__(self, *args: Any, skus: Mapping[str, str], **kwargs: Any) -> None:  # as above
        super().__init__(*args, **kwargs)
        self.fields["sku"].choices = list(skus.items())  # type: ignore[attr-defined]  # a choice field


def tiers_in(formset: Any) -> tuple[Tier, ...]:  # Django's formsets have no type of their own
    """The tiers of the rows that say something."""
    found = []
    for form in formset:
        told = form.cleaned_data
        if told and told.get("unit_price") is not None:
            found.append(Tier(told.get("up_to"), told["unit_price"], told.get("fee") or Decimal(0)))
    return tuple(found)


def price_line(form: PriceForm, tiers: tuple[Tier, ...]) -> PriceLine:
    """What a checked form says."""
    return PriceLine(tiers=tiers, **form.cleaned_data)
