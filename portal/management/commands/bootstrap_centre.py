"""Make the demonstration centre, once, and say how to enter it."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from common.clock import utc_now
from portal.demonstration import centre


class Command(BaseCommand):
    help = "Create the demonstration centre with its catalogues, enterprises and sign-ins."

    def handle(self, *args: Any, **options: Any) -> None:
        connection = (
            json.loads(settings.DEMONSTRATION_CONNECTION)
            if settings.DEMONSTRATION_CONNECTION
            else centre.local_connection(settings.STATE_DIR)
        )
        built = centre.build(
            engine=settings.DEMONSTRATION_ENGINE,
            connection=connection,
            state=settings.STATE_DIR,
            now=utc_now(),
        )
        self.stdout.write("Sign-ins of the demonstration centre:")
        for email, password in built.sign_ins.items():
            self.stdout.write(f"  {email:<34} {password}")
