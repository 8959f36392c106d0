"""A child process that does one billing act and dies at a chosen statement of it.

Run as ``python -m tests.billing.crashing <database> <act> <tenant> <statement number>``. Prints
the number of statements where it comes to the end alive.
"""

import os
import sys
from uuid import UUID

import django


def main() -> None:
    database, act, tenant, fatal = sys.argv[1:]
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings.test"
    django.setup()
    from django.conf import settings  # noqa: PLC0415 - settings are loaded above
    from django.db import connections  # noqa: PLC0415

    settings.DATABASES["default"]["NAME"] = database
    connection = connections["default"]
    connection.settings_dict["NAME"] = database
    connection.ensure_connection()
    seen = 0

    def deadly(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        nonlocal seen
        seen += 1
        result = execute(sql, params, many, context)
        if seen == int(fatal):
            # As a kill does: no rollback is sent and nothing is closed.
            os._exit(9)
        return result

    with connection.execute_wrapper(deadly):
        perform(act, UUID(tenant))
    print(seen)


def perform(act: str, tenant_id: UUID) -> None:
    from billing.commands.invoices import issue_invoice  # noqa: PLC0415 - settings are loaded
    from billing.commands.usage import record_usage  # noqa: PLC0415
    from tenants.permissions import SYSTEM  # noqa: PLC0415
    from tenants.scoping import tenant_scope  # noqa: PLC0415
    from tests.factories import billing as make  # noqa: PLC0415

    with tenant_scope(tenant_id):
        if act == "issue":
            issue_invoice(actor=SYSTEM, tenant_id=tenant_id, until=make.NOW, now=make.NOW)
        else:
            size = 5 if act == "ingest" else 1_200
            events = [make.tokens(f"e{number}", 1_000) for number in range(size)]
            record_usage(actor=SYSTEM, tenant_id=tenant_id, events=events, now=make.NOW)


if __name__ == "__main__":
    main()
