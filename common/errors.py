"""Anticipated refusals: what the product says when the answer is no."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class FieldError:
    """One part of the input that was wrong; ``pointer`` is a JSON pointer into the body."""

    pointer: str
    code: str
    detail: str | Promise


class DomainError(Exception):
    """A refusal the caller can understand and act on; nothing was changed.

    Shape: ``code`` is stable and machine-readable, ``status`` is its HTTP status, ``message`` is a
    translatable sentence whose placeholders are filled from ``params``.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    retryable: ClassVar[bool] = False
    message: ClassVar[str | Promise] = _("The request was refused.")

    def __init__(self, *, errors: Sequence[FieldError] = (), **params: object) -> None:
        super().__init__(self.code)
        self.errors = tuple(errors)
        self.params: Mapping[str, object] = params

    def __str__(self) -> str:
        return str(self.message) % self.params if self.params else str(self.message)

    @property
    def members(self) -> Mapping[str, object]:
        """What a program is told beside the code; JSON values only."""
        return {}


class NotFound(DomainError):
    """Missing, or someone else's: the two are one answer."""

    code = "not_found"
    status = 404
    message = _("Not found.")


class InvalidInput(DomainError):
    """The input breaks a rule that can be stated before anything is looked up."""

    code = "invalid_input"
    status = 422
    message = _("Some of the input is not valid.")
