"""Perform the main job against the running product and print its progress."""

import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from common.clock import utc_now
from portal.demonstration import centre
from portal.demonstration.doors import DoorRefused, OperatorConsole, SignIn, TenantApi
from portal.demonstration.journey import Journey, Plan

OPERATOR = "admin@centre.example"


class Command(BaseCommand):
    help = "Reserve, approve, deploy, call, stop and bill, through the product's own doors."

    def handle(self, *args: Any, **options: Any) -> None:
        built = centre.build(
            engine=settings.DEMONSTRATION_ENGINE,
            connection={},
            state=settings.STATE_DIR,
            now=utc_now(),
        )
        plan = Plan(
            tenant_code=centre.ENTERPRISES[0].code,
            project_code=centre.PROJECT,
            pool_code=centre.POOLS[0].code,
            appliance_code="small-chat",
            cards=2,
            deployment_name=f"small-chat-{secrets.token_hex(3)}",
        )
        try:
            api = TenantApi(settings.PUBLIC_URL, built.key)
            operator = OperatorConsole(
                settings.PUBLIC_URL, SignIn(OPERATOR, built.sign_ins[OPERATOR])
            )
            journey = Journey(plan, api, operator, settings.GATEWAY_URL, built.key, self._say)
            number = journey.run()
        except DoorRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self._say(f"The main job is done; invoice {number} is in both consoles.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
