"""What the operators' forms share: who may send them, sent once, refusals on the page they left."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Concatenate, ParamSpec
from uuid import NAMESPACE_URL, UUID, uuid5

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.functional import Promise

from common.errors import DomainError, InvalidInput, NotFound
from portal.console.forms import FormIncomplete, Shown, add_refusal, content_hash
from portal.requests import ActorRequest
from tenants.commands.submissions import submit_once
from tenants.permissions import Permission, PermissionRefused, require

P = ParamSpec("P")
View = Callable[Concatenate[ActorRequest, P], HttpResponse]

LONGEST_KEY = 200


def allowed(permission: Permission) -> Callable[[View[P]], View[P]]:
    """Let only roles with this permission see a page or send a form; the command checks again."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def checked(request: ActorRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            require(request.actor, permission)
            return view(request, *args, **kwargs)

        return checked

    return decorate


def form_key(request: ActorRequest) -> UUID:
    """The form's hidden key; a program may name its own. Raises: FormIncomplete."""
    told = request.POST.get("idem", "")
    if not told or len(told) > LONGEST_KEY:
        raise FormIncomplete
    try:
        return UUID(told)
    except ValueError:
        return uuid5(NAMESPACE_URL, told)


def answer(
    request: ActorRequest,
    effect: Callable[[], str],
    *,
    shown: Shown,
    done: str | Promise = "",
    tenant_id: UUID | None = None,
) -> HttpResponse:
    """Have the effect and go where it leads, or show the refusal on the page it came from.

    Shape: with ``tenant_id`` the form's key is kept with that tenant, and a second sending leads
    where the first did; without it the command itself makes a second sending harmless.
    """
    try:
        target = effect() if tenant_id is None else _once(request, effect, tenant_id)
    except (NotFound, PermissionRefused):
        raise
    except DomainError as refusal:
        return shown(refusal)
    if done:
        messages.success(request, str(done))
    return HttpResponseRedirect(target)


def answer_form(
    request: ActorRequest,
    form: Form,
    effect: Callable[[], str],
    *,
    page: Shown,
    names: Mapping[str, str] | None = None,
    done: str | Promise = "",
    tenant_id: UUID | None = None,
) -> HttpResponse:
    """Answer a form with fields: its effect once they are right, or its page with what is wrong.

    Shape: ``page`` shows the form itself again; ``names`` translates a refusal's pointers.
    """

    def shown(refusal: DomainError) -> HttpResponse:
        add_refusal(form, refusal, names)
        return page(refusal)

    if not form.is_valid():
        return shown(InvalidInput())
    return answer(request, effect, shown=shown, done=done, tenant_id=tenant_id)


def _once(request: ActorRequest, effect: Callable[[], str], tenant_id: UUID) -> str:
    return submit_once(
        actor=replace(request.actor, tenant_id=tenant_id),
        key=form_key(request),
        path=request.path,
        content_hash=content_hash(request),
        effect=effect,
    )
