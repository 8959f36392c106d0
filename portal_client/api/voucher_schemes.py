"""Voucher schemes.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from dataclasses import dataclass
from decimal import Decimal

from portal_client.calls import Call, Pages, path
from portal_client.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """``SchemeOut`` of the API."""

    code: str
    title: str
    issuer: str
    mode: str
    share_domestic: Decimal
    share_other: Decimal
    cap_per_tenant_year: Decimal | None
    evidence: tuple[str, ...]
    is_example: bool


class VoucherSchemesApi:
    """The operations of ``/api/v1/voucher-schemes``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, cursor: str | None = None, limit: int | None = None) -> Pages[Scheme]:
        """List the schemes a voucher may be asked for under now; there are few.

        ``cursor``: What the page before gave as its next.
        ``limit``: How many rows at most.

        Scope: billing:wallet:read.
        """
        return self._transport.pages(
            Scheme, Call("GET", path("voucher-schemes"), query={"limit": limit}), cursor
        )
