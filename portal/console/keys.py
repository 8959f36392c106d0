"""Programs' keys: made once, shown once, taken back."""

import base64
from collections.abc import Mapping
from uuid import UUID

from cryptography.fernet import InvalidToken
from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from billing.queries.arrears import refuse_in_arrears
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
from tenants.commands.keys import create_key, revoke_key
from tenants.permissions import KEY_SCOPES, Permission, require
from tenants.queries.keys import keys
from tenants.queries.projects import open_projects
from tenants.sealing import seal, unseal

TEMPLATE = "console/keys/page.html"
PAGE = 50
# Where a new secret waits, sealed, for the one page that shows it.
NEW_KEY = "console.new_key"

P = Permission
USES: Mapping[str, tuple[str | Promise, frozenset[Permission]]] = {
    "call": (gettext_lazy("Call models"), frozenset({P.MODEL_CALL})),
    "run": (
        gettext_lazy("Reserve, deploy and call"),
        frozenset(
            {
                P.MODEL_CALL,
                P.PROJECT_READ,
                P.POOL_READ,
                P.CATALOGUE_READ,
                P.PRICE_READ,
                P.RESERVATION_READ,
                P.RESERVATION_CREATE,
                P.RESERVATION_CANCEL,
                P.DEPLOYMENT_READ,
                P.DEPLOYMENT_CREATE,
                P.DEPLOYMENT_STOP,
                P.FUNDS_HOLD,
            }
        ),
    ),
    "report": (
        gettext_lazy("Send usage of your own services"),
        frozenset({P.USAGE_INGEST, P.USAGE_READ}),
    ),
    "read": (
        gettext_lazy("Read everything, change nothing"),
        frozenset(one for one in KEY_SCOPES if one.value.endswith(":read")),
    ),
    "all": (gettext_lazy("Everything a key may do"), KEY_SCOPES),
}


class KeyForm(forms.Form):
    """A new key."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=gettext_lazy("The program that will use it."),
    )
    use = forms.ChoiceField(
        label=gettext_lazy("What it may do"),
        choices=[(key, word) for key, (word, _scopes) in USES.items()],
        initial="call",
        widget=forms.RadioSelect,
    )
    project = forms.ChoiceField(label=gettext_lazy("Only in project"), required=False)
    expires_at = CentreInstantField(label=gettext_lazy("Expires"), required=False)


@require_http_methods(["GET", "HEAD", "POST"])
def key_list(request: ActorRequest, tenant_code: str) -> HttpResponse:
    """The keys, and the form that makes one; a new secret is on this page exactly once."""
    require(request.actor, Permission.KEY_READ, request.tenant.pk)
    if request.method != "POST":
        return _page(request)
    require(request.actor, Permission.KEY_MANAGE, request.tenant.pk)

    def made() -> str:
        refuse_in_arrears(request.tenant.pk, Permission.KEY_MANAGE, utc_now())
        said = checked(_form(request))
        scopes = USES[said["use"]][1] & request.actor.permissions
        _row, secret = create_key(
            actor=request.actor,
            tenant_id=request.tenant.pk,
            name=said["name"],
            scopes=sorted(scope.value for scope in scopes),
            project_id=UUID(said["project"]) if said["project"] else None,
            expires_at=said["expires_at"],
            now=utc_now(),
        )
        _keep(request, secret)
        return address(request, "key-list")

    return perform(request, made, shown=lambda refusal: _page(request, refusal))


@require_POST
def key_revoke(request: ActorRequest, tenant_code: str, key_id: UUID) -> HttpResponse:
    """Take a key back."""
    require(request.actor, Permission.KEY_MANAGE, request.tenant.pk)

    def revoked() -> str:
        revoke_key(actor=request.actor, tenant_id=request.tenant.pk, key_id=key_id, now=utc_now())
        return address(request, "key-list")

    return perform(
        request,
        revoked,
        shown=lambda refusal: _page(request, refusal),
        done=_("The key is revoked; programs that use it are refused within seconds."),
    )


def _page(request: ActorRequest, refusal: DomainError | None = None) -> HttpResponse:
    page = keys(
        actor=request.actor,
        tenant_id=request.tenant.pk,
        cursor=request.GET.get("cursor") or None,
        limit=PAGE,
    )
    may_manage = Permission.KEY_MANAGE in request.actor.permissions
    form = _form(request) if may_manage else None
    if form is not None and refusal is not None and form.is_bound:
        form.is_valid()
        add_refusal(form, _beyond(form, refusal))
    context = {
        "page": page,
        "form": form,
        "now": utc_now(),
        "new_key": _shown_once(request),
        "base_url": f"{settings.GATEWAY_URL}/v1",
        "may_manage": may_manage,
        "idem": kept_idem(request, refusal),
    }
    return render_page(request, TEMPLATE, context, refusal=refusal)


def _beyond(form: forms.Form, refusal: DomainError) -> DomainError | None:
    """What the form does not know by itself yet."""
    return None if form.errors else refusal


def _form(request: ActorRequest) -> KeyForm:
    is_new = request.method == "POST" and "use" in request.POST
    form = KeyForm(request.POST if is_new else None)
    projects = open_projects(actor=request.actor, tenant_id=request.tenant.pk)
    form.fields["project"].choices = [  # type: ignore[attr-defined]  # a choice field
        ("", _("Any project")),
        *((str(one.pk), one.name) for one in projects),
    ]
    return form


def _keep(request: ActorRequest, secret: str) -> None:
    request.session[NEW_KEY] = base64.b64encode(seal(secret.encode())).decode()


def _shown_once(request: ActorRequest) -> str:
    """The secret just made; reading it here is the last time anybody can."""
    if request.method != "GET" or NEW_KEY not in request.session:
        return ""
    try:
        return unseal(base64.b64decode(request.session.pop(NEW_KEY))).decode()
    except (InvalidToken, ValueError):
        return ""
