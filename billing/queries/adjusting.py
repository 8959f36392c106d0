"""Approved adjustments that wait for the tenant's next invoice."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection

from billing.money import tax_on


@dataclass(frozen=True)
class AdjustmentFact:
    """One adjustment as a line: its tax is that of its code when the invoice ends."""

    id: UUID
    title_en: str
    title_zh: str
    tax_code: str
    tax_rate: Decimal
    net: Decimal

    @property
    def tax(self) -> Decimal:
        return tax_on(self.net, self.tax_rate)

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


DUE = """
SELECT adjustment.id, adjustment.title_en, adjustment.title_zh, adjustment.tax_code, tax.rate,
    adjustment.net
FROM billing_adjustment adjustment
JOIN billing_taxrate tax ON tax.tax_code = adjustment.tax_code
    AND tax.during @> (%(until)s::timestamptz - interval '1 microsecond')
WHERE adjustment.tenant_id = %(tenant)s AND adjustment.state = 'approved'
ORDER BY adjustment.proposed_at, adjustment.id
"""


def adjustments_due(*, tenant_id: UUID, until: datetime) -> tuple[AdjustmentFact, ...]:
    """What operators agreed to put on the tenant's next invoice; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"tenant": tenant_id, "until": until})
        return tuple(AdjustmentFact(*row) for row in cursor.fetchall())
