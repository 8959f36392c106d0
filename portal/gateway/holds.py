"""Money of calls that budgets and wallets do not know yet, kept in this process.

A call is held for at what it can cost at most from its admission on, and at what it was metered
for once it has ended. It is let go when a snapshot counts it: billing says since which instant of
the database's clock it has counted everything, and the flusher at which instant it had committed
the call. docs/algorithms/budgets.md has the proof and the bounds.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from portal.gateway import errors
from portal.gateway.money import CallPrice, Limit
from portal.gateway.snapshot import Grant, Snapshot, Target

ZERO = Decimal(0)
# What a budget may be of, by its scope; a tenant's funds are counted with tax, apart.
Subject = tuple[str, UUID]
FUNDS = "funds"


@dataclass(frozen=True)
class Bound:
    """The most tokens that a call may take."""

    tokens_in: int
    tokens_out: int


@dataclass
class _Held:
    subjects: tuple[Subject, ...]
    price: CallPrice
    tenant_id: UUID
    net: Decimal = ZERO
    gross: Decimal = ZERO
    is_metered: bool = False


@dataclass(frozen=True)
class _Batch:
    """Calls of one tenant that billing got at once."""

    committed_at: datetime
    sums: Mapping[Subject, Decimal]


def subjects_of(grant: Grant, target: Target) -> tuple[Subject, ...]:
    """Everything whose budget a call counts against."""
    return (
        ("tenant", grant.tenant_id),
        ("project", target.project_id),
        ("key", grant.key_id),
        ("deployment", target.deployment_id),
    )


def limits_of(snapshot: Snapshot, grant: Grant, target: Target) -> list[Limit]:
    """The budgets that may stop a call."""
    rows = snapshot.limits.get(grant.tenant_id, ())
    named = set(subjects_of(grant, target))
    return [row for row in rows if (row.scope, row.subject_id or grant.tenant_id) in named]


class Holds:
    """What this process has admitted and no snapshot has counted.

    Shape: ``processes`` is how many gateways share each budget; each admits a like part of what
    is left. Called from the loop of the calls and from the threads beside it, so under a mutex
    that is never held over anything slow.
    """

    def __init__(self, current: Callable[[], Snapshot | None], processes: int = 1) -> None:
        self._current = current
        self._processes = processes
        self._mutex = threading.Lock()
        self._held: dict[UUID, _Held] = {}
        self._batches: dict[UUID, deque[_Batch]] = defaultdict(deque)
        self._sums: dict[Subject, Decimal] = defaultdict(Decimal)

    def take(self, call_id: UUID, grant: Grant, target: Target, bound: Bound) -> None:
        """Hold for a call what it can cost at most, until it is metered or has ended.

        Raises: Refusal 429 where a budget that stops, or what the tenant has, does not allow it.
        """
        with self._mutex:
            # Read under the mutex: with an older snapshot, what was let go would count nowhere.
            snapshot = self._current()
            if snapshot is None:
                raise errors.not_ready("The gateway has not yet heard of any key.")
            price = snapshot.prices.get(target.deployment_id, CallPrice())
            net, gross = price.of(bound.tokens_in, bound.tokens_out)
            for limit in limits_of(snapshot, grant, target):
                subject = (limit.scope, limit.subject_id or grant.tenant_id)
                left = limit.left / self._processes - self._sums.get(subject, ZERO)
                # A reached budget stops also what costs nothing.
                if limit.left <= 0 or net > left:
                    raise errors.budget_reached(limit, max(left, ZERO), net)
            funds = snapshot.funds.get(grant.tenant_id)
            if funds is not None and not funds.is_carried:
                # The last call may go beyond by its own cost: a small balance is to be usable.
                taken = self._sums.get((FUNDS, grant.tenant_id), ZERO)
                if taken and taken >= funds.available:
                    raise errors.no_budget()
            held = _Held(subjects_of(grant, target), price, grant.tenant_id, net, gross)
            self._held[call_id] = held
            self._put_on(held)

    def ended(self, call_id: UUID) -> None:
        """A call has ended: nothing is held for it any more, unless it was metered."""
        with self._mutex:
            held = self._held.get(call_id)
            if held is not None and not held.is_metered:
                self._drop(call_id)

    def prices_cached(self, deployment_id: UUID) -> bool:
        """Whether tokens from the cache have a price of their own there."""
        snapshot = self._current()
        price = None if snapshot is None else snapshot.prices.get(deployment_id)
        return price is not None and price.prices_cached

    def metered(
        self, call_id: UUID, tokens_in: int, tokens_out: int, tokens_cached: int = 0
    ) -> None:
        """Hold from now on for what the call was metered at."""
        with self._mutex:
            held = self._held.get(call_id)
            if held is None:
                return
            self._take_off(held)
            held.net, held.gross = held.price.of(tokens_in, tokens_out, tokens_cached)
            self._put_on(held)
            held.is_metered = True

    def committed(self, calls: Iterable[UUID], at: datetime) -> None:
        """Billing has these calls since before ``at``, an instant of the database's clock."""
        with self._mutex:
            by_tenant: dict[UUID, dict[Subject, Decimal]] = {}
            for call_id in calls:
                held = self._held.pop(call_id, None)
                if held is not None:
                    sums = by_tenant.setdefault(held.tenant_id, defaultdict(Decimal))
                    for subject, amount in _amounts(held):
                        sums[subject] += amount
            for tenant_id, sums in by_tenant.items():
                self._batches[tenant_id].append(_Batch(at, sums))

    def refused(self, calls: Iterable[UUID]) -> None:
        """Billing will never count these calls."""
        with self._mutex:
            for call_id in calls:
                self._drop(call_id)

    def forget_counted(self) -> None:
        """Let go of what the snapshot in force has counted; called once it is in force."""
        with self._mutex:
            snapshot = self._current()
            if snapshot is None:
                return
            for tenant_id, batches in list(self._batches.items()):
                funds = snapshot.funds.get(tenant_id)
                read_at = None if funds is None else funds.read_at
                while batches and read_at and batches[0].committed_at < read_at:
                    for subject, amount in batches.popleft().sums.items():
                        self._change(subject, -amount)
                if not batches:
                    del self._batches[tenant_id]

    def outstanding(self, subject: Subject) -> Decimal:
        """What is held for a subject; net, and with tax for funds."""
        with self._mutex:
            return self._sums.get(subject, ZERO)

    def _put_on(self, held: _Held) -> None:
        for subject, amount in _amounts(held):
            self._change(subject, amount)

    def _take_off(self, held: _Held) -> None:
        for subject, amount in _amounts(held):
            self._change(subject, -amount)

    def _change(self, subject: Subject, amount: Decimal) -> None:
        total = self._sums[subject] + amount
        if total:
            self._sums[subject] = total
        else:
            del self._sums[subject]

    def _drop(self, call_id: UUID) -> None:
        held = self._held.pop(call_id, None)
        if held is not None:
            self._take_off(held)


def _amounts(held: _Held) -> Iterator[tuple[Subject, Decimal]]:
    for subject in held.subjects:
        yield subject, held.net
    yield (FUNDS, held.tenant_id), held.gross
