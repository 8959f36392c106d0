"""Django's registration of this app."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        # Imported here because models may be read only from now on.
        from billing import (  # noqa: PLC0415
            bill_notices,
            budget_notices,
            contract_notices,
            credit_notices,
            money_notices,
            notices,
        )

        bill_notices.declare_kinds()
        contract_notices.declare_kinds()
        budget_notices.declare_kinds()
        credit_notices.declare_kinds()
        money_notices.declare_kinds()
        notices.declare_kinds()
