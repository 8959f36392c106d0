"""The forms that make a tenant's credits: what may be given, and what it may pay for."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.commands.credit_lots import LotTerms, PackageTerms
from billing.credit_days import start_of_day
from billing.meters import declared
from billing.queries.corrections import tax_codes
from common.errors import FieldError, InvalidInput, NotFound
from portal.console.forms import MoneyField
from portal.console.operator_price_forms import MatchField
from portal.console.wording import CREDIT_SCOPES, SERVICES
from portal.templatetags.ui_names import named
from tenants.permissions import Actor
from tenants.queries.projects import project_named

BETWEEN_NAMES = re.compile(r"[\s,;，；、]+")
MOST_NAMES = 50
DEFAULT_TAX_CODE = PackageTerms.tax_code


class _DayField(forms.DateField):
    """A day of the centre's calendar."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class _NamesField(forms.CharField):
    """Codes, apart by spaces or commas; given as a tuple without repetitions."""

    def clean(self, value: object) -> object:
        told = BETWEEN_NAMES.split(super().clean(value) or "")
        return tuple(dict.fromkeys(name for name in told if name))


class PromoForm(forms.Form):
    """Promotional credit: for what, from and until when, and from which amount on."""

    title = forms.CharField(label=gettext_lazy("Title"), max_length=150)
    amount = MoneyField(label=gettext_lazy("Amount"), max_digits=14, decimal_places=2)
    share = forms.DecimalField(
        label=gettext_lazy("Most of one line, in percent"),
        max_digits=5,
        decimal_places=2,
        initial=100,
        min_value=1,
        max_value=100,
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("Pays for"),
        choices=list(CREDIT_SCOPES.items()),
        initial="any",
        required=False,
    )
    scope_values = _NamesField(
        label=gettext_lazy("Which of them"),
        required=False,
        max_length=2000,
        help_text=gettext_lazy(
            "Codes of the services, meters or SKUs, apart by commas. Empty for everything."
        ),
    )
    project = forms.CharField(
        label=gettext_lazy("Project"),
        required=False,
        max_length=40,
        help_text=gettext_lazy("The code of one project of the tenant. Empty is all of them."),
    )
    min_spend = MoneyField(
        label=gettext_lazy("Least spend on an invoice"),
        required=False,
        min_value=0,
        max_digits=14,
        decimal_places=2,
        help_text=gettext_lazy("With tax, of the lines that it may pay for."),
    )
    starts_on = _DayField(
        label=gettext_lazy("First day"),
        required=False,
        help_text=gettext_lazy("Use from that day on may be paid. Empty is from now on."),
    )
    expires_on = _DayField(label=gettext_lazy("Last day"), required=False)

    def clean_scope(self) -> str:
        return self.cleaned_data["scope"] or "any"

    def clean_scope_values(self) -> tuple[str, ...]:
        """Only names that there are: a credit for anything else would never pay."""
        names: tuple[str, ...] = self.cleaned_data["scope_values"]
        known: Mapping[str, Mapping[str, object]] = {"service": SERVICES, "meter": declared()}
        there = known.get(self.cleaned_data.get("scope", ""))
        unknown = [name for name in names if there is not None and name not in there]
        if unknown or len(names) > MOST_NAMES:
            told = _("Not known: %(names)s.") % {"names": ", ".join(unknown[:5]) or "…"}
            raise forms.ValidationError(told, code="unknown")
        return names

    def terms(self, actor: Actor, tenant_id: UUID, now: datetime) -> LotTerms:
        """What the form says of the credit. Raises: InvalidInput for an unknown project."""
        said, first = self.cleaned_data, self.cleaned_data["starts_on"]
        return LotTerms(
            title=said["title"],
            effective_at=start_of_day(first, settings.CENTRE_TIME_ZONE) if first else now,
            expires_on=said["expires_on"],
            scope=said["scope"],
            scope_values=said["scope_values"],
            project_id=_project(actor, tenant_id, said["project"], "/project"),
            share=said["share"] / 100,
            min_spend=said["min_spend"] or Decimal(0),
        )


class PackageForm(forms.Form):
    """A quantity of one meter, sold from the wallet or given free."""

    package_title = forms.CharField(label=gettext_lazy("Title"), max_length=150)
    meter = forms.ChoiceField(label=gettext_lazy("Meter"))
    match = MatchField(
        label=gettext_lazy("Applies to"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("Properties as name=value; name=value. Empty is all of the meter."),
    )
    package_project = forms.CharField(
        label=gettext_lazy("Project"),
        required=False,
        max_length=40,
        help_text=gettext_lazy("The code of one project of the tenant. Empty is all of them."),
    )
    quantity = forms.DecimalField(
        label=gettext_lazy("Quantity"),
        max_digits=14,
        decimal_places=2,
        help_text=gettext_lazy("In the unit that the meter is shown in, such as card-hours."),
    )
    price_net = MoneyField(
        label=gettext_lazy("Price without tax"),
        max_digits=14,
        decimal_places=2,
        initial=0,
        help_text=gettext_lazy("Taken from the wallet; 0 gives it free."),
    )
    tax_code = forms.ChoiceField(
        label=gettext_lazy("Tax code"), initial=DEFAULT_TAX_CODE, required=False
    )
    package_expires_on = _DayField(label=gettext_lazy("Last day"), required=False)

    # A form's own arguments are as various as Django's.
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        meters = [(code, meter.title) for code, meter in sorted(declared().items())]
        codes = [(one.code, f"{one.code} · {named(one, 'title')}") for one in tax_codes()]
        self.fields["meter"].choices = meters  # type: ignore[attr-defined]  # a choice field
        self.fields["tax_code"].choices = codes  # type: ignore[attr-defined]  # a choice field

    def package(self) -> PackageTerms:
        """What the form says is sold."""
        said = self.cleaned_data
        return PackageTerms(
            meter=said["meter"],
            quantity=int(said["quantity"] * declared()[said["meter"]].display_divisor),
            match=said["match"],
            price_net=said["price_net"],
            tax_code=said["tax_code"] or DEFAULT_TAX_CODE,
        )

    def terms(self, actor: Actor, tenant_id: UUID, now: datetime) -> LotTerms:
        """For whom and until when. Raises: InvalidInput for an unknown project."""
        said = self.cleaned_data
        return LotTerms(
            title=said["package_title"],
            effective_at=now,
            expires_on=said["package_expires_on"],
            project_id=_project(actor, tenant_id, said["package_project"], "/package_project"),
        )


def _project(actor: Actor, tenant_id: UUID, code: str, pointer: str) -> UUID | None:
    if not code:
        return None
    try:
        return project_named(actor=actor, tenant_id=tenant_id, code=code).pk
    except NotFound as error:
        told = str(_("There is no such project."))
        raise InvalidInput(errors=[FieldError(pointer, "unknown", told)]) from error
