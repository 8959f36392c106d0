"""What must hold before a centre is put into operation: asked by ``manage.py check --deploy``."""

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.db import Error as DatabaseError
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

_SIGN_IN = """
SELECT r.rolname, r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'public' AND c.relkind = 'r'
                 AND pg_has_role(session_user, c.relowner, 'MEMBER'))
FROM pg_roles r WHERE r.rolname = session_user
"""


def check_sign_in_role(
    app_configs: Sequence[AppConfig] | None,
    **kwargs: Any,  # Django's own signature
) -> list[CheckMessage]:
    """The web's database sign-in must not be able to step over row security."""
    return sign_in_faults(connection)


def sign_in_faults(database: BaseDatabaseWrapper) -> list[CheckMessage]:
    """What makes one connection's sign-in unfit for the web process."""
    try:
        with database.cursor() as cursor:
            cursor.execute(_SIGN_IN)
            name, is_super, bypasses, owns = cursor.fetchone()
    except DatabaseError as error:
        hint = "Set DATABASE_URL to a database that can be reached."
        return [Error(f"The database does not answer: {error}", hint=hint, id="portal.E001")]
    hint = "Sign in as a role of its own that is a member of acp_app and acp_operator only."
    found: list[CheckMessage] = []
    if is_super:
        found.append(Error(f"{name} is a superuser.", hint=hint, id="portal.E002"))
    if bypasses:
        found.append(Error(f"{name} bypasses row security.", hint=hint, id="portal.E003"))
    if owns:
        found.append(Error(f"{name} owns tables of the product.", hint=hint, id="portal.E004"))
    return found


def check_second_factor(
    app_configs: Sequence[AppConfig] | None,
    **kwargs: Any,  # Django's own signature
) -> list[CheckMessage]:
    """Operators and people near money need a second factor in operation."""
    if settings.MFA_REQUIRED:
        return []
    hint = "Set MFA_REQUIRED=1."
    return [CheckWarning("A second factor is not required.", hint=hint, id="portal.W001")]
