"""What the console's forms share: sent once, times of the centre, refusals beside their field."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.clock import utc_now
from common.errors import DomainError, FieldError, InvalidInput, NotFound
from common.zone import centre_zone
from portal.requests import ActorRequest
from tenants.commands.submissions import submit_once
from tenants.permissions import Permission, PermissionRefused, require

INSTANT = "%Y-%m-%dT%H:%M"
FIRST_YEAR, LAST_YEAR = 2000, 2200
# What says how a form was sent rather than what it says.
_ENVELOPE = frozenset({"csrfmiddlewaretoken", "idem"})

Shown = Callable[[DomainError], HttpResponse]


class MoneyField(forms.DecimalField):
    """An amount in the currency of the page; the page's ``currency`` is said beside its label."""

    is_money = True


class FormIncomplete(DomainError):
    """A form came without the hidden key that each page gives it."""

    code = "form_incomplete"
    status = 422
    message = _("This form is incomplete. Load the page again and send it once more.")


def address(request: ActorRequest, name: str, *args: object) -> str:
    """The address of a page of this tenant's console."""
    return reverse(f"console:{name}", args=[request.tenant.code, *args])


def once(request: ActorRequest, effect: Callable[[], str]) -> str:
    """Have a form's effect once for its hidden key; gives the address that shows the result.

    Raises: FormIncomplete, RequestInFlight, KeyReused, and the effect's own refusals.
    """
    try:
        key = UUID(request.POST.get("idem", ""))
    except ValueError as error:
        raise FormIncomplete from error
    return submit_once(
        actor=request.actor,
        key=key,
        path=request.path,
        content_hash=content_hash(request),
        effect=effect,
    )


def perform(
    request: ActorRequest,
    effect: Callable[[], str],
    *,
    shown: Shown,
    done: str | Promise = "",
) -> HttpResponse:
    """Answer a form: go where its effect leads, or show the refusal on the page it came from.

    A missing thing and a missing permission are whole pages of their own.
    """
    try:
        target = once(request, effect)
    except (NotFound, PermissionRefused):
        raise
    except DomainError as refusal:
        return shown(refusal)
    if done:
        messages.success(request, str(done))
    return HttpResponseRedirect(target)


class Row(Protocol):
    """What is known here of a row that has a page; the console does not know the models."""

    pk: UUID


def act(
    request: ActorRequest,
    permission: Permission,
    command: Callable[..., Row],
    *,
    page: str,
    shown: Shown,
    done: str | Promise = "",
) -> HttpResponse:
    """Answer a button: do one thing and go to the page of the row it gives.

    Shape: ``command`` lacks nothing but ``actor`` and ``now``.
    Raises: PermissionRefused, NotFound.
    """
    require(request.actor, permission, request.tenant.pk)

    def effect() -> str:
        return address(request, page, command(actor=request.actor, now=utc_now()).pk)

    return perform(request, effect, shown=shown, done=done)


def kept_idem(request: ActorRequest, refusal: DomainError | None) -> str:
    """The key to show again: the same after a refusal, a new one where that key is used up."""
    used_up = refusal is not None and refusal.code == "idempotency_key_reused"
    return "" if used_up else request.POST.get("idem", "")


# What a checked form holds is as various as its fields.
def checked(form: forms.Form) -> dict[str, Any]:
    """What a form says. Raises: InvalidInput, each error with its field."""
    if not form.is_valid():
        raise InvalidInput(
            errors=[
                FieldError(f"/{name}", "invalid", " ".join(str(one) for one in told))
                for name, told in form.errors.items()
            ]
        )
    return form.cleaned_data


def add_refusal(
    form: forms.Form, refusal: DomainError | None, names: Mapping[str, str] | None = None
) -> None:
    """Put each part of a refusal beside the field it is about; ``names`` translates pointers."""
    known = names or {}
    for error in refusal.errors if refusal is not None else ():
        name = known.get(error.pointer, error.pointer.strip("/"))
        field, said = (name if name in form.fields else None), str(error.detail)
        # The form may have found the same by itself while its page was made again.
        if field is None or said not in form.errors.get(field, ()):
            form.add_error(field, said)


def content_hash(request: ActorRequest) -> bytes:
    pairs = sorted(
        (name, value)
        for name, values in request.POST.lists()
        if name not in _ENVELOPE
        for value in values
    )
    return hashlib.sha256(repr(pairs).encode()).digest()


class CentreInstantField(forms.Field):
    """A minute as the centre's clock shows it; the value is in UTC."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "60"}, format=INSTANT)
    default_error_messages = {"invalid": _("Give a date and a time.")}

    def prepare_value(self, value: object) -> object:
        return at_centre(value) if isinstance(value, datetime) else value

    def to_python(self, value: object) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            told = datetime.strptime(str(value)[:16], INSTANT)  # noqa: DTZ007 - the zone follows
            if not FIRST_YEAR <= told.year <= LAST_YEAR:
                raise ValueError("a year that no plan reaches")
            return told.replace(tzinfo=centre_zone()).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


def at_centre(value: datetime) -> str:
    """A moment as a datetime-local input holds it."""
    return value.astimezone(centre_zone()).strftime(INSTANT)
