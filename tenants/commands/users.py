"""People who sign in."""

from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, FieldError, InvalidInput, NotFound
from tenants.audit import record
from tenants.models import OperatorRole, User
from tenants.naming import clean_email, clean_text
from tenants.permissions import Actor, Permission, require


class AddressTaken(DomainError):
    """A person with this address exists."""

    code = "address_taken"
    status = 409
    message = _("A person with this address already exists.")


class LastOperatorAdmin(DomainError):
    """The step would leave the centre without an administrator."""

    code = "last_operator_admin"
    status = 409
    message = _("The centre keeps at least one administrator.")


@transaction.atomic
def create_operator(
    *, actor: Actor, email: str, role: str, password: str, display_name: str = ""
) -> User:
    """Make a person of the centre's own staff.

    Raises: PermissionRefused, InvalidInput, AddressTaken.
    """
    require(actor, Permission.TENANT_OPERATE)
    person = _create(email, password, display_name, _known_role(role))
    record(
        actor,
        "tenants.operator.created",
        subject=f"tenants.user:{person.pk}",
        detail={"email": person.email, "role": role},
    )
    return person


@transaction.atomic
def create_person(*, actor: Actor, email: str, password: str, display_name: str = "") -> User:
    """Make a person who can sign in and belongs nowhere yet; others come by invitation.

    Raises: PermissionRefused, InvalidInput, AddressTaken.
    """
    require(actor, Permission.TENANT_OPERATE)
    person = _create(email, password, display_name, "")
    record(
        actor,
        "tenants.user.created",
        subject=f"tenants.user:{person.pk}",
        detail={"email": person.email},
    )
    return person


@transaction.atomic
def change_operator(*, actor: Actor, user_id: UUID, role: str) -> None:
    """Give a person another operator role, or none with an empty one.

    Locks: the administrators' rows, so that the last two cannot remove each other.
    Raises: PermissionRefused, InvalidInput, NotFound, LastOperatorAdmin.
    """
    require(actor, Permission.TENANT_OPERATE)
    wanted = _known_role(role) if role else ""
    admins = User.objects.filter(operator_role=OperatorRole.ADMIN, is_active=True)
    standing = {person.pk for person in admins.order_by("pk").select_for_update()}
    if standing == {user_id} and wanted != OperatorRole.ADMIN:
        raise LastOperatorAdmin
    if not User.objects.filter(pk=user_id).update(operator_role=wanted):
        raise NotFound
    record(
        actor,
        "tenants.operator.role_changed",
        subject=f"tenants.user:{user_id}",
        detail={"to": wanted},
    )


@transaction.atomic
def deactivate_user(*, actor: Actor, user_id: UUID) -> None:
    """End all of a person's sign-ins at once.

    Raises: PermissionRefused, NotFound, LastOperatorAdmin.
    """
    require(actor, Permission.TENANT_OPERATE)
    admins = User.objects.filter(operator_role=OperatorRole.ADMIN, is_active=True)
    standing = {person.pk for person in admins.order_by("pk").select_for_update()}
    if standing == {user_id}:
        raise LastOperatorAdmin
    if not User.objects.filter(pk=user_id).update(is_active=False):
        raise NotFound
    record(actor, "tenants.user.deactivated", subject=f"tenants.user:{user_id}")


def _known_role(role: str) -> str:
    if role not in OperatorRole.values:
        detail = _("This role does not exist.")
        raise InvalidInput(errors=[FieldError("/role", "unknown_role", detail)])
    return role


def _create(email: str, password: str, display_name: str, operator_role: str) -> User:
    address = clean_email(email)
    name = clean_text(display_name, pointer="/display_name", required=False)
    try:
        validate_password(password, User(email=address, display_name=name))
    except ValidationError as error:
        found = [FieldError("/password", "weak_password", " ".join(error.messages))]
        raise InvalidInput(errors=found) from error
    if User.objects.filter(email=address).exists():
        raise AddressTaken
    return User.objects.create_user(
        address, password, display_name=name, operator_role=operator_role
    )
