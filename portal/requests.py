"""What the middleware adds to a request once it knows who asks."""

from django.http import HttpRequest

from billing.queries.arrears import Arrears
from tenants.models import Organisation, User
from tenants.permissions import Actor


class ActorRequest(HttpRequest):
    """A request of a signed-in person, as views under /t/ and /ops/ receive it.

    Shape: ``tenant`` and ``arrears`` are set under /t/ only; ``is_visit`` marks an operator
    looking in.
    """

    actor: Actor
    tenant: Organisation
    is_visit: bool
    arrears: Arrears
    user: User
