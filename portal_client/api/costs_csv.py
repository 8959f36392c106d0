"""Costs.csv.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from typing import Literal

from portal_client.calls import Call, Download, path
from portal_client.transport import Transport


class CostsCsvApi:
    """The operations of ``/api/v1/costs.csv``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(
        self,
        *,
        group_by: Literal[
            "sku", "service", "pool", "chip", "model", "deployment", "key", "member", "project"
        ]
        | None = None,
        meter: str | None = None,
        month: str | None = None,
        project: str | None = None,
    ) -> Download:
        """Download a month's costs by day and group as CSV.

        ``meter``: A meter; none named means all.
        ``month``: A month of the centre's calendar, such as "2026-11"; the present one
        without.
        ``project``: A project's code; "-" for use without a project.

        Scope: billing:usage:read.
        """
        return self._transport.download(
            Call(
                "GET",
                path("costs.csv"),
                query={"group_by": group_by, "meter": meter, "month": month, "project": project},
            )
        )
