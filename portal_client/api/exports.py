"""Exports.

Made from docs/openapi.yaml by portal_client.generating; not edited by hand.
"""

from typing import Literal

from portal_client.calls import Call, Download, path
from portal_client.transport import Transport


class ExportsApi:
    """The operations of ``/api/v1/exports``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_focus(
        self,
        *,
        dataset: Literal["CostAndUsage", "InvoiceDetail", "BillingPeriod", "ContractCommitment"]
        | None = None,
        format: Literal["csv", "parquet"] | None = None,
        period: str | None = None,
        version: Literal["1.2", "1.4"] | None = None,
    ) -> Download:
        """Download a month's bills, issued and open, as a FOCUS dataset.

        ``dataset``: Version 1.2 has CostAndUsage only.
        ``period``: A month of the centre's calendar, such as "2026-11"; the present one
        without.

        Scope: billing:cost_export:read.
        """
        return self._transport.download(
            Call(
                "GET",
                path("exports", "focus"),
                query={"dataset": dataset, "format": format, "period": period, "version": version},
            )
        )
