"""Sign-in: people come by invitation only, and those near money prove themselves twice."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from common.clock import utc_now
from tenants.models import Invitation, User
from tenants.permissions import Actor, ActorKind, Permission
from tenants.queries.members import invitation_of
from tenants.sealing import seal, unseal

INVITATION = "invitation_token"


def invitation_in(request: HttpRequest) -> Invitation | None:
    """The open invitation this browser came with."""
    token = request.session.get(INVITATION)
    return invitation_of(token=token, now=utc_now()) if token else None


def second_factor_missing(user: User, actor: Actor) -> bool:
    """Whether this person must set up a second factor before going on.

    Operators and everybody who sees the wallet (owner, administrator, finance) must.
    """
    if not settings.MFA_REQUIRED:
        return False
    near_money = Permission.WALLET_READ in actor.permissions
    if actor.kind != ActorKind.OPERATOR and not near_money:
        return False
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    return not Authenticator.objects.filter(user_id=user.pk, type__in=kinds).exists()


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth publishes no types
    """Sign-up follows an invitation; its address is proved because the mail arrived there."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return invitation_in(request) is not None

    def clean_email(self, email: str) -> str:
        address = email.strip().lower()
        invitation = invitation_in(self.request) if self._is_signing_up() else None
        if self._is_signing_up() and (invitation is None or invitation.email != address):
            raise ValidationError(_("Use the address the invitation was sent to."))
        return address

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        token = request.session.get(INVITATION)
        return f"/join/{token}/" if token else str(settings.LOGIN_REDIRECT_URL)

    def pre_login(self, request: HttpRequest, user: User, **how: Any) -> HttpResponse | None:
        # People made by the centre itself have no address row yet; theirs was given by an operator.
        if not how.get("signup") and not EmailAddress.objects.filter(user_id=user.pk).exists():
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        # allauth publishes no types: it answers None or a response.
        return super().pre_login(request, user, **how)  # type: ignore[no-any-return]

    def _is_signing_up(self) -> bool:
        match = getattr(self.request, "resolver_match", None)
        return match is not None and match.url_name == "account_signup"


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth publishes no types
    """One-time-code secrets and recovery seeds lie sealed in the database."""

    def encrypt(self, text: str) -> str:
        return seal(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text.encode()).decode()
