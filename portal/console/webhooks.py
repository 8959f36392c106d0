"""Webhooks: addresses of the organisation's programs, their secrets, and the delivery log."""

import base64
from collections.abc import Callable
from uuid import UUID

from cryptography.fernet import InvalidToken
from django import forms
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from common.clock import utc_now
from common.errors import DomainError
from portal.console.forms import (
    CentreInstantField,
    add_refusal,
    address,
    checked,
    kept_idem,
    perform,
)
from portal.console.htmx import render_page
from portal.requests import ActorRequest
from tenants.commands.resends import resend_delivery, resend_since, send_test
from tenants.commands.webhooks import (
    change_endpoint,
    create_endpoint,
    remove_endpoint,
    rotate_secret,
    switch_endpoint,
)
from tenants.permissions import Permission, require
from tenants.queries.webhooks import deliveries, delivery, endpoint, endpoints, event_types
from tenants.sealing import seal, unseal

PAGE = 50
# Where a new secret waits, sealed, for the one page that shows it.
NEW_SECRET = "console.new_webhook_secret"  # noqa: S105 - a session's key, not a secret
STATES = ("pending", "delivered", "failed")


class WebhookForm(forms.Form):
    """A webhook address."""

    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=500,
        help_text=gettext_lazy("https, on the public Internet."),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off"}),
    )
    description = forms.CharField(label=gettext_lazy("Description"), max_length=200, required=False)
    event_types = forms.MultipleChoiceField(
        label=gettext_lazy("Event types"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Choose none to hear of everything."),
    )

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]  # as the parent takes them
        self.fields["event_types"].choices = [  # type: ignore[attr-defined]  # a choice field
            (one, one) for one in event_types()
        ]


class ResendForm(forms.Form):
    """Since when to deliver again."""

    since = CentreInstantField(
        label=gettext_lazy("Since"), help_text=gettext_lazy("At most 30 days back.")
    )


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_list(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The addresses, and the form that adds one."""
    require(request.actor, Permission.WEBHOOK_READ, request.tenant.pk)
    if request.method != "POST":
        return _list(request)
    require(request.actor, Permission.WEBHOOK_MANAGE, request.tenant.pk)

    def made() -> str:
        row, secret = create_endpoint(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            now=utc_now(),
            **checked(WebhookForm(request.POST)),
        )
        _keep(request, secret)
        return address(request, "webhook", row.pk)

    return perform(request, made, shown=lambda refusal: _list(request, refusal))


@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: ActorRequest, tenant_code: str, webhook_id: UUID) -> HttpResponse:
    """One address with its log, and the form that changes it."""
    require(request.actor, Permission.WEBHOOK_READ, request.tenant.pk)
    if request.method != "POST":
        return _detail(request, webhook_id)

    def changed() -> None:
        change_endpoint(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            endpoint_id=webhook_id,
            **checked(WebhookForm(request.POST)),
        )

    return _act(request, webhook_id, changed, _("The webhook is changed."))


@require_POST
def webhook_secret(request: ActorRequest, tenant_code: str, webhook_id: UUID) -> HttpResponse:
    """A new secret, on the next page exactly once."""

    def rotated() -> None:
        _row, secret = rotate_secret(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            endpoint_id=webhook_id,
            now=utc_now(),
        )
        _keep(request, secret)

    return _act(request, webhook_id, rotated)


@require_POST
def webhook_switch(request: ActorRequest, tenant_code: str, webhook_id: UUID) -> HttpResponse:
    """Begin or stop delivering."""
    enabled = request.POST.get("to") == "enabled"

    def switched() -> None:
        switch_endpoint(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            endpoint_id=webhook_id,
            enabled=enabled,
            now=utc_now(),
        )

    done = _("Messages are delivered from now on.") if enabled else _("Nothing is delivered now.")
    return _act(request, webhook_id, switched, done)


@require_POST
def webhook_test(request: ActorRequest, tenant_code: str, webhook_id: UUID) -> HttpResponse:
    """A message that says nothing but that it arrived."""

    def sent() -> None:
        send_test(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            endpoint_id=webhook_id,
            now=utc_now(),
        )

    return _act(request, webhook_id, sent, _("A test message is on its way."))


@require_POST
def webhook_resend(request: ActorRequest, tenant_code: str, webhook_id: UUID) -> HttpResponse:
    """What failed or was missed since a time, once more."""

    def resent() -> None:
        resend_since(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            endpoint_id=webhook_id,
            since=checked(ResendForm(request.POST))["since"],
            now=utc_now(),
        )

    return _act(request, webhook_id, resent, _("What failed or was missed is sent again."))


@require_POST
def webhook_remove(request: ActorRequest, tenant_code: str, webhook_id: UUID) -> HttpResponse:
    """Forget an address."""
    require(request.actor, Permission.WEBHOOK_MANAGE, request.tenant.pk)

    def removed() -> str:
        remove_endpoint(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            endpoint_id=webhook_id,
            now=utc_now(),
        )
        return address(request, "webhook-list")

    return perform(
        request,
        removed,
        shown=lambda refusal: _list(request, refusal),
        done=_("The webhook is removed."),
    )


@require_safe
def webhook_delivery(request: ActorRequest, tenant_code: str, delivery_id: UUID) -> HttpResponse:
    """One delivery: what was sent and what came back, attempt by attempt."""
    require(request.actor, Permission.WEBHOOK_READ, request.tenant.pk)
    return _delivery(request, delivery_id)


@require_POST
def webhook_delivery_resend(
    request: ActorRequest, tenant_code: str, delivery_id: UUID
) -> HttpResponse:
    """One delivery, once more."""
    require(request.actor, Permission.WEBHOOK_MANAGE, request.tenant.pk)

    def resent() -> str:
        resend_delivery(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            delivery_id=delivery_id,
            now=utc_now(),
        )
        return address(request, "webhook-delivery", delivery_id)

    return perform(
        request,
        resent,
        shown=lambda refusal: _delivery(request, delivery_id, refusal),
        done=_("The message is sent again."),
    )


def _act(
    request: ActorRequest,
    webhook_id: UUID,
    effect: Callable[[], None],
    done: str | Promise = "",
) -> HttpResponse:
    """Do something to one address and show it."""
    require(request.actor, Permission.WEBHOOK_MANAGE, request.tenant.pk)

    def acted() -> str:
        effect()
        return address(request, "webhook", webhook_id)

    return perform(
        request, acted, shown=lambda refusal: _detail(request, webhook_id, refusal), done=done
    )


def _list(request: ActorRequest, refusal: DomainError | None = None) -> HttpResponse:
    page = endpoints(
        actor=request.actor,
        tenant_id=request.tenant.pk,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    may_manage = _may_manage(request)
    form = WebhookForm(request.POST if refusal is not None else None) if may_manage else None
    if form is not None and refusal is not None and form.is_valid():
        add_refusal(form, refusal)
    context = {
        "page": page,
        "form": form,
        "may_manage": may_manage,
        "idem": kept_idem(request, refusal),
    }
    return render_page(request, "console/webhooks/list.html", context, refusal=refusal)


def _detail(
    request: ActorRequest, webhook_id: UUID, refusal: DomainError | None = None
) -> HttpResponse:
    one = endpoint(actor=request.actor, tenant_id=request.tenant.pk, endpoint_id=webhook_id)
    state = next((key for key in STATES if key == request.GET.get("state")), "")
    page = deliveries(
        actor=request.actor,
        tenant_id=request.tenant.pk,
        endpoint_id=webhook_id,
        state=state,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    is_resend = request.path.endswith("/resend/")
    form, resend = _forms(request, one, is_bound=refusal is not None, is_resend=is_resend)
    if refusal is not None:
        bound = resend if is_resend else form
        if bound.is_bound and bound.is_valid():
            add_refusal(bound, refusal)
    context = {
        "one": one,
        "page": page,
        "state": state,
        "states": STATES,
        "form": form,
        "resend": resend,
        "new_secret": _shown_once(request),
        "may_manage": _may_manage(request),
        "now": utc_now(),
        "idem": kept_idem(request, refusal),
    }
    return render_page(request, "console/webhooks/detail.html", context, refusal=refusal)


def _forms(
    request: ActorRequest, one: object, *, is_bound: bool, is_resend: bool
) -> tuple[WebhookForm, ResendForm]:
    """The two forms of the page, the one that was sent filled with what was said."""
    standing = {name: getattr(one, name) for name in ("url", "description", "event_types")}
    is_change = is_bound and "url" in request.POST
    form = WebhookForm(request.POST) if is_change else WebhookForm(initial=standing)
    return form, ResendForm(request.POST if is_bound and is_resend else None)


def _delivery(
    request: ActorRequest, delivery_id: UUID, refusal: DomainError | None = None
) -> HttpResponse:
    found = delivery(actor=request.actor, tenant_id=request.tenant.pk, delivery_id=delivery_id)
    context = {"found": found, "may_manage": _may_manage(request)}
    return render_page(request, "console/webhooks/delivery.html", context, refusal=refusal)


def _may_manage(request: ActorRequest) -> bool:
    return Permission.WEBHOOK_MANAGE in request.actor.permissions


def _keep(request: ActorRequest, secret: str) -> None:
    request.session[NEW_SECRET] = base64.b64encode(seal(secret.encode())).decode()


def _shown_once(request: ActorRequest) -> str:
    """The secret just made; reading it here is the last time anybody can."""
    if request.method != "GET" or NEW_SECRET not in request.session:
        return ""
    try:
        return unseal(base64.b64decode(request.session.pop(NEW_SECRET))).decode()
    except (InvalidToken, ValueError):
        return ""
