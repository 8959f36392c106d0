"""A form sent once: however often the browser sends it, its effect happens once."""

from collections.abc import Callable
from uuid import UUID

from django.db import OperationalError, connection, transaction

from tenants.commands.idempotency import RequestInFlight, begin, finish
from tenants.permissions import Actor

DONE = 303


@transaction.atomic
def submit_once(
    *, actor: Actor, key: UUID, path: str, content_hash: bytes, effect: Callable[[], str]
) -> str:
    """Run the effect under the form's key, or give where it led the first time.

    Shape: ``effect`` gives the address that shows its result. A refused effect leaves no trace, so
    the corrected form may be sent under the same key.
    Locks: the key; a second click waits for the first, because a browser shows the second answer.
    Raises: RequestInFlight after five seconds, KeyReused for other content, and the effect's own.
    """
    _wait_for_turn(actor, key)
    replay = begin(actor=actor, key=str(key), method="POST", path=path, body_hash=content_hash)
    if replay is not None:
        return replay.body.decode()
    address = effect()
    finish(actor=actor, key=str(key), status=DONE, body=address.encode())
    return address


def _wait_for_turn(actor: Actor, key: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        try:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                [f"tenants.submission:{actor.tenant_id}:{actor.id}:{key}"],
            )
        except OperationalError as error:
            raise RequestInFlight from error
