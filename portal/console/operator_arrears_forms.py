"""The forms of the operators' pages on arrears."""

from collections.abc import Sequence

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.arrears import Figures
from portal.console.forms import CentreInstantField


class TermsForm(forms.Form):
    """What was agreed with one tenant."""

    tier = forms.ChoiceField(label=_("Tier"), required=False)
    payment_days = forms.IntegerField(
        label=_("Days to pay an invoice"),
        required=False,
        min_value=0,
        max_value=366,
        help_text=_("Empty: as the tier says."),
    )

    def __init__(self, *args: object, tiers: Sequence[tuple[str, str]], **options: object) -> None:
        # Any form's own arguments pass through unchanged.
        super().__init__(*args, **options)  # type: ignore[arg-type]
        tier = self.fields["tier"]
        assert isinstance(tier, forms.ChoiceField)  # noqa: S101 - narrows the type
        tier.choices = [("", str(_("The default tier"))), *tiers]


class ExemptForm(forms.Form):
    """Waiting for a tenant, with an end and a reason."""

    until = CentreInstantField(label=_("Until"))
    exempt_reason = forms.CharField(label=_("Reason"), max_length=500)


class DelayForm(forms.Form):
    """More time for a tenant in arrears."""

    hours = forms.IntegerField(label=_("Hours"), min_value=1, max_value=720, initial=24)
    delay_reason = forms.CharField(label=_("Reason"), max_length=500)


class FiguresForm(forms.Form):
    """A tier's figures from an instant on."""

    tier = forms.ChoiceField(label=_("Tier"))
    effective_at = CentreInstantField(label=_("In force from"))
    on_demand_grace_hours = forms.IntegerField(label=_("On demand: hours of grace"))
    on_demand_retention_hours = forms.IntegerField(label=_("On demand: hours kept"))
    reserved_grace_hours = forms.IntegerField(label=_("Reserved: hours of grace"))
    reserved_retention_hours = forms.IntegerField(label=_("Reserved: hours kept"))
    warning_days = forms.IntegerField(label=_("Days left at which to warn"))
    urgent_days = forms.IntegerField(label=_("Days left at which it is urgent"))
    checkpoint_minutes = forms.IntegerField(label=_("Minutes of notice before work is stopped"))
    payment_days = forms.IntegerField(label=_("Days to pay an invoice"))
    source = forms.CharField(label=_("Decided by"), max_length=200, required=False)

    def __init__(self, *args: object, tiers: Sequence[tuple[str, str]], **options: object) -> None:
        # Any form's own arguments pass through unchanged.
        super().__init__(*args, **options)  # type: ignore[arg-type]
        tier = self.fields["tier"]
        assert isinstance(tier, forms.ChoiceField)  # noqa: S101 - narrows the type
        tier.choices = list(tiers)

    @property
    def figures(self) -> Figures:
        """What was typed, once the form is valid."""
        return Figures(**{name: self.cleaned_data[name] for name in vars(Figures())})
