"""The forms of a tenant's page in the operators' console."""

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.money import CURRENCIES
from portal.console.forms import MoneyField


class TenantForm(forms.Form):
    """A new tenant; its owner is invited by mail."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        help_text=_(
            "Part of every address and never changed: lower-case letters, digits, hyphens."
        ),
    )
    name = forms.CharField(label=_("Name"), max_length=100)
    owner_email = forms.EmailField(
        label=_("Owner's e-mail"), help_text=_("An invitation goes to this address.")
    )
    legal_name = forms.CharField(label=_("Legal name"), max_length=200, required=False)
    credit_code = forms.CharField(
        label=_("Unified social credit code"), max_length=18, required=False
    )


class TopUpForm(forms.Form):
    """Money that has arrived at the centre's bank."""

    amount = MoneyField(label=_("Amount"), max_digits=14, decimal_places=2)
    reference = forms.CharField(
        label=_("Reference"),
        max_length=200,
        help_text=_("The bank's number of the transfer, or the receipt's."),
    )


class CreditLimitForm(forms.Form):
    """How far the wallet may go below zero."""

    limit = MoneyField(
        label=_("Credit limit"),
        max_digits=14,
        decimal_places=2,
        help_text=_("0 means prepaid only."),
    )


class CurrencyForm(forms.Form):
    """What the tenant is billed in."""

    currency = forms.ChoiceField(
        label=_("Currency"),
        choices=[(code, code) for code in CURRENCIES],
        help_text=_("It stays once there is money, use, a contract or a budget."),
    )


class ReasonForm(forms.Form):
    """Why; it stands in the audit trail."""

    reason = forms.CharField(label=_("Reason"), max_length=500)


class VisitForm(forms.Form):
    """Looking into a tenant's console, which its owner can see in the audit trail."""

    visit_reason = forms.CharField(label=_("Reason"), max_length=500)
    ticket = forms.CharField(label=_("Ticket"), max_length=100, required=False)
    minutes = forms.IntegerField(label=_("Minutes"), min_value=1, max_value=60, initial=30)
