"""What the middleware adds to a request once it knows who asks."""

from django.http import HttpRequest

from billing.queries.arrears import Arrears
from billing.queries.wallet import Standing
from tenants.models import Organisation, User
from tenants.permissions import Actor


class ActorRequest(HttpRequest):
    """A request of a signed-in person, as views under /t/ and /ops/ receive it.

    Shape: ``tenant``, ``arrears`` and ``account`` are set under /t/ only; ``is_visit`` marks an
    operator looking in. ``account`` is for those who may see money: the view asks.
    """

    actor: Actor
    tenant: Organisation
    is_visit: bool
    arrears: Arrears
    account: Standing
    user: User
