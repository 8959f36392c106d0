"""How a call to a webhook ended, in words."""

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.console.statuses import look_of

register = template.Library()

OUTCOMES: dict[str, str | Promise] = {
    "delivered": _("taken"),
    "refused": _("refused"),
    "redirect": _("redirected, which is not followed"),
    "timeout": _("no answer in time"),
    "unreachable": _("not reachable"),
    "not_http": _("no answer in HTTP"),
    "unresolved": _("no such host"),
    "private_address": _("not on the public Internet"),
    "malformed": _("not an address"),
    "not_https": _("not https"),
    "port": _("a port that is not called"),
    "disabled": _("the webhook was disabled"),
    "no_secret": _("the secret can no longer be opened"),
    "": "—",
}


@register.simple_tag
def outcome(code: str) -> str | Promise:
    """The words for an outcome; an unknown one is shown as it is."""
    return OUTCOMES.get(code, code)


@register.simple_tag
def status_word(state: str) -> str | Promise:
    """A state's word alone, for where no picture fits."""
    return look_of(state).word
