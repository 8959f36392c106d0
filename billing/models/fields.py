"""Column types of PostgreSQL that Django has no name for."""

from typing import TYPE_CHECKING

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _WholeNumberField = models.Field[int | None, int | None]
else:
    # Django's own classes take no type arguments at run time.
    _WholeNumberField = models.Field


class TransactionIdField(_WholeNumberField):
    """The 64-bit number of a database transaction (``xid8``): orders what a snapshot could see."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "xid8"

    def from_db_value(self, value: str | None, *_: object) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: int | None) -> str | None:
        return None if value is None else str(value)
