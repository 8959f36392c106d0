"""manage.py create_operator --email ADDRESS --role admin"""

import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.errors import DomainError
from tenants.commands.users import create_operator
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope


class Command(BaseCommand):
    help = "Create one of the centre's own staff; the password is asked for, or read from a pipe."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--role", default="admin")

    # Django hands options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        asked = sys.stdin.isatty()
        password = getpass("Password: ") if asked else sys.stdin.readline().rstrip("\n")
        try:
            with operator_scope():
                person = create_operator(
                    actor=SYSTEM, email=options["email"], role=options["role"], password=password
                )
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{person.email} may sign in as {options['role']}.")
