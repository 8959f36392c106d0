"""Two people for what costs money: one writes it, another puts it in force.

The product itself, when it sets up an example or a test, is nobody and needs nobody; whatever a
person wrote, a person puts in force.
"""

from collections.abc import Collection
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from common.errors import DomainError
from tenants.permissions import SYSTEM, Actor, PermissionRefused


class FourEyesRequired(DomainError):
    """Whoever wrote something that costs money does not put it in force."""

    code = "four_eyes_required"
    status = 409
    message = _(
        "Somebody else must look at this and put it in force: you have changed it yourself."
    )


def author_of(actor: Actor) -> UUID | None:
    """Who is remembered as having written something; None for the product itself.

    Raises: PermissionRefused for a program: it could be both pairs of eyes.
    """
    if actor is SYSTEM:
        return None
    if actor.id is None:
        raise PermissionRefused
    return actor.id


def second_person(actor: Actor, authors: Collection[UUID]) -> UUID | None:
    """Who puts in force what the authors wrote; None where the product does so with its own.

    Raises: FourEyesRequired, PermissionRefused for a program.
    """
    second = author_of(actor)
    if (second is None) != (not authors) or second in authors:
        raise FourEyesRequired
    return second
