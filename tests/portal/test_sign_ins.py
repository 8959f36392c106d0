"""The suite itself works through the sign-ins that production has."""

import pytest
from django.db import connection, connections

from portal.checks import check_sign_in_role
from tests.database import OWNER, SIGN_IN

pytestmark = pytest.mark.django_db

_OF_ROLE = """
SELECT rolsuper, rolbypassrls, rolcreaterole, rolinherit FROM pg_roles WHERE rolname = %s
"""


def test_the_application_signs_in_as_a_role_that_may_be_used_in_operation() -> None:
    assert connection.settings_dict["USER"] == SIGN_IN
    assert check_sign_in_role(None) == []


def test_the_application_works_as_the_role_that_owns_nothing() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user, current_user")
        assert cursor.fetchone() == (SIGN_IN, "acp_app")
        cursor.execute(_OF_ROLE, [SIGN_IN])
        assert cursor.fetchone() == (False, False, False, False)


def test_every_table_and_function_belongs_to_an_owner_whom_row_security_binds() -> None:
    assert connections["owner"].settings_dict["USER"] == OWNER
    with connection.cursor() as cursor:
        cursor.execute(_OF_ROLE, [OWNER])
        assert cursor.fetchone() == (False, False, False, True)
        cursor.execute(
            "SELECT array_agg(DISTINCT pg_get_userbyid(relowner)) FROM pg_class "
            "WHERE relnamespace = 'public'::regnamespace"
        )
        assert cursor.fetchone() == ([OWNER],)
        cursor.execute(
            "SELECT array_agg(DISTINCT pg_get_userbyid(proowner)) FROM pg_proc "
            "WHERE pronamespace = 'public'::regnamespace"
        )
        assert cursor.fetchone() == ([OWNER],)
