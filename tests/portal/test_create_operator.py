"""The first operator of a centre is made on the command line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tenants.models import User

pytestmark = pytest.mark.django_db


def test_an_operator_is_made_with_a_password_from_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("a long enough phrase\n"))
    said = StringIO()
    call_command("create_operator", email="ops@centre.example", stdout=said)
    person = User.objects.get(email="ops@centre.example")
    assert person.operator_role == "admin"
    assert person.check_password("a long enough phrase")
    assert said.getvalue() == "ops@centre.example may sign in as admin.\n"


def test_an_unknown_role_makes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("a long enough phrase\n"))
    with pytest.raises(CommandError):
        call_command("create_operator", email="ops@centre.example", role="emperor")
    assert User.objects.count() == 0
