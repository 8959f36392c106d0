"""The page a mailed invitation leads to."""

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from common.clock import utc_now
from common.errors import DomainError
from portal.accounts import INVITATION
from portal.refusals import not_found
from tenants.commands.members import accept_invitation
from tenants.queries.actors import person
from tenants.queries.members import invitation_of
from tenants.queries.organisations import organisations_of


@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Show the invitation; a signed-in person of that address accepts it, others sign up first."""
    invitation = invitation_of(token=token, now=utc_now())
    if invitation is None:
        return not_found(request)
    if not request.user.is_authenticated:
        request.session[INVITATION] = token
        get_adapter().stash_verified_email(request, invitation.email)
        return render(request, "joining/invitation.html", {"invitation": invitation})
    if request.method == "POST":
        try:
            accept_invitation(user=request.user, token=token, now=utc_now())
        except DomainError as error:
            messages.error(request, str(error))
        else:
            request.session.pop(INVITATION, None)
            return redirect(f"/t/{invitation.tenant.code}/")
    context = {"invitation": invitation, "is_mine": request.user.email == invitation.email}
    return render(request, "joining/invitation.html", context)


def entrance(request: HttpRequest) -> HttpResponse:
    """Lead a person to where they belong."""
    if not request.user.is_authenticated:
        return redirect("account_login")
    known = person(request.user.pk)
    if known is not None and known.is_operator:
        return redirect("/ops/")
    places = organisations_of(request.user)
    if not places:
        context = {"explanation": _("You do not belong to any organisation yet.")}
        return render(request, "joining/nowhere.html", context)
    return redirect(f"/t/{places[0].organisation.code}/")
