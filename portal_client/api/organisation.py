"""Organisation.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portal_client.calls import Call, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """``OrganisationOut`` of the API."""

    id: UUID
    code: str
    name: str
    legal_name: str
    credit_code: str
    state: str
    created_at: datetime


class OrganisationApi:
    """The operations of ``/api/v1/organisation``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> Organisation:
        """Show the organisation.

        Scope: tenants:organisation:read.
        """
        return self._transport.answer(Organisation, Call("GET", path("organisation")))
