"""Row locks of this app: the organisation comes before everything it owns."""

from uuid import UUID

from django.db import OperationalError, connection
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError, NotFound
from tenants.models import Organisation


class OrganisationBusy(DomainError):
    """Somebody else holds the organisation; nothing was changed."""

    code = "organisation_busy"
    status = 503
    retryable = True
    message = _("Someone else is changing this organisation; try again.")


def lock_organisation(tenant_id: UUID) -> Organisation:
    """Lock one organisation until the transaction ends.

    Raises: NotFound; OrganisationBusy after three seconds.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '3s'")
    try:
        locked = Organisation.objects.select_for_update(of=("self",)).filter(pk=tenant_id).first()
    except OperationalError as error:
        raise OrganisationBusy from error
    if locked is None:
        raise NotFound
    return locked
