"""Threads that start together, each on a connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar
from uuid import UUID

from django.db import connections

from billing.locks import AccountBusy, open_account
from billing.models import Account

T = TypeVar("T")


def at_once(number: int, work: Callable[[int], T]) -> list[T | Exception]:
    """Run ``work(0..number-1)`` at the same moment; what one raised stands in its place."""
    barrier = Barrier(number)

    def one(index: int) -> T | Exception:
        try:
            connections["default"].ensure_connection()
            barrier.wait(timeout=60)
            return work(index)
        except Exception as error:  # noqa: BLE001 - the caller looks at each
            return error
        finally:
            connections["default"].close()

    with ThreadPoolExecutor(max_workers=number) as pool:
        return list(pool.map(one, range(number)))


def patiently(work: Callable[[], T]) -> T:
    """Again where the queue at an account was too long, as on a slow machine; nothing was done."""
    while True:
        try:
            return work()
        except AccountBusy:
            continue


def account_without_queue(tenant_id: UUID) -> Account:
    """Stands for ``lock_account`` in a control: the same row, which nobody waits for."""
    open_account(tenant_id)
    return Account.objects.get(tenant_id=tenant_id)
