"""Notices and webhooks: the API's resources and the console's pages."""

from datetime import UTC, datetime
from uuid import uuid4

from tenants.models import WebhookDelivery, WebhookEndpoint
from tenants.permissions import Permission
from tests.access.table import Expect, Names, Row

MANAGERS = frozenset({"owner", "admin"})
MONEY = frozenset({"owner", "admin", "finance"})
READ = Expect(scope=Permission.WEBHOOK_READ)


def _endpoint(names: Names) -> dict[str, object]:
    return {"webhook_id": names.pk(WebhookEndpoint)}


def _delivery(names: Names) -> dict[str, object]:
    return {"delivery_id": names.pk(WebhookDelivery)}


def _new(names: Names) -> dict[str, object]:
    # An address literal, so that nobody asks a name server for it.
    return {"url": "https://1.1.1.1/another"}


def _since(names: Names) -> dict[str, object]:
    return {"since": datetime.now(UTC).isoformat()}


def _sent(names: Names) -> dict[str, object]:
    return {"idem": uuid4()}


def _manage(status: int = 200, body: object = None) -> Expect:
    if body is None:
        return Expect(status, scope=Permission.WEBHOOK_MANAGE, suspended=403)
    return Expect(status, scope=Permission.WEBHOOK_MANAGE, suspended=403, body=body)  # type: ignore[arg-type]


def _api(rest: str, methods: dict[str, Expect], names: object = None) -> Row:
    route = f"api/v1/{rest}"
    if names is None:
        return Row(route, "api", methods)
    return Row(route, "api", methods, names=names)  # type: ignore[arg-type]


def _console(rest: str, methods: dict[str, Expect], names: object = None) -> Row:
    def parameters(world: Names) -> dict[str, object]:
        more = names(world) if names is not None else {}  # type: ignore[operator]
        return {"tenant_code": world.code, **more}

    return Row(f"t/<str:tenant_code>/{rest}", "tenant", methods, names=parameters)


def _form(status: int) -> Expect:
    return Expect(status, who=MANAGERS, body=_sent)


WEBHOOK = "webhooks/<uuid:webhook_id>"
DELIVERY = "webhook-deliveries/<uuid:delivery_id>"
LOG = "webhooks/deliveries/<uuid:delivery_id>/"

ROWS = [
    _api("notices", {"GET": Expect(scope=Permission.NOTICE_READ)}),
    _api("webhooks", {"GET": READ, "POST": _manage(201, _new)}),
    _api(WEBHOOK, {"GET": READ, "POST": _manage(200, _new), "DELETE": _manage(204)}, _endpoint),
    _api(f"{WEBHOOK}/secret", {"POST": _manage()}, _endpoint),
    _api(f"{WEBHOOK}/enable", {"POST": _manage()}, _endpoint),
    _api(f"{WEBHOOK}/disable", {"POST": _manage()}, _endpoint),
    _api(f"{WEBHOOK}/test", {"POST": _manage(201)}, _endpoint),
    _api(f"{WEBHOOK}/resend", {"POST": _manage(200, _since)}, _endpoint),
    _api(f"{WEBHOOK}/deliveries", {"GET": READ}, _endpoint),
    _api(DELIVERY, {"GET": READ}, _delivery),
    _api(f"{DELIVERY}/resend", {"POST": _manage()}, _delivery),
    _console("notices/", {"GET": Expect(who=MONEY)}),
    _console("webhooks/", {"GET": Expect(who=MANAGERS), "POST": _form(422)}),
    _console(
        "webhooks/<uuid:webhook_id>/", {"GET": Expect(who=MANAGERS), "POST": _form(422)}, _endpoint
    ),
    _console("webhooks/<uuid:webhook_id>/secret/", {"POST": _form(302)}, _endpoint),
    _console("webhooks/<uuid:webhook_id>/switch/", {"POST": _form(302)}, _endpoint),
    _console("webhooks/<uuid:webhook_id>/test/", {"POST": _form(302)}, _endpoint),
    _console("webhooks/<uuid:webhook_id>/resend/", {"POST": _form(422)}, _endpoint),
    _console("webhooks/<uuid:webhook_id>/remove/", {"POST": _form(302)}, _endpoint),
    _console(LOG, {"GET": Expect(who=MANAGERS)}, _delivery),
    _console(f"{LOG}resend/", {"POST": _form(302)}, _delivery),
]
