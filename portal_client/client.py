"""The way in: a portal's address and a key."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from types import TracebackType
from typing import Self

from portal_client.api import Api
from portal_client.api.usage import EventInput, EventResult
from portal_client.transport import Patience, Transport

# What the portal takes in one call.
MOST_EVENTS = 1000


class Client(Api):
    """One portal as one tenant's key sees it; closed at the end of a ``with`` block.

    Several threads may share one. The key is sent in a header and shown nowhere.
    """

    def __init__(
        self,
        address: str,
        key: str,
        *,
        language: str = "en",
        timeout_seconds: float = 30.0,
        patience: Patience | None = None,
    ) -> None:
        self._transport = Transport(
            address, key, language=language, timeout_seconds=timeout_seconds, patience=patience
        )
        super().__init__(self._transport)

    def __repr__(self) -> str:
        return f"<Client of {self._transport.address}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    def send_events(
        self, events: Iterable[EventInput | Mapping[str, object]], *, batch: int = MOST_EVENTS
    ) -> Iterator[EventResult]:
        """Report usage of any length, and give the result of each event in the events' order.

        Shape: a mapping is a CloudEvent as JSON has it, and is sent as it is.
        Idempotent: an event is known by its source and id, so after an error send all of them
        again; what was counted before answers ``duplicate``.
        Raises: PortalError, after the results of the batches before it were given.
        """
        waiting = iter(events)
        while some := tuple(islice(waiting, batch)):
            yield from self.usage.create_events(some).results
