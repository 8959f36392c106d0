"""A program proves itself with its key in the Authorization header, never in the address."""

from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from common.clock import utc_now
from tenants.queries.actors import KeyCaller, key_caller


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer acp_…`` becomes a KeyCaller; anything else is the same 401."""

    def authenticate(self, request: Request) -> tuple[None, KeyCaller] | None:
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        caller = key_caller(secret.strip(), utc_now())
        if caller is None:
            raise AuthenticationFailed(_("This key is not in force."), code="key_refused")
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'
