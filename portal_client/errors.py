"""Everything that a call can end with instead of an answer, as exceptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation


class PortalError(Exception):
    """A call did not give its answer; the message is one sentence."""


class Unreachable(PortalError):
    """Nobody answered, in all of the tries."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        super().__init__(f"{address} does not answer ({reason}).")


class UnexpectedAnswer(PortalError):
    """What answered does not speak as the document of the API says."""


class StreamStopped(PortalError):
    """The portal took the first lines of a stream and no more; send the rest again."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        super().__init__(detail or code)


@dataclass(frozen=True, slots=True)
class InputError:
    """What is wrong with one part of the input."""

    pointer: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal as the portal writes it, after RFC 9457.

    Shape: ``members`` is what this kind of refusal says beside what all say.
    """

    status: int
    code: str
    title: str
    detail: str
    errors: Sequence[InputError] = ()
    request_id: str = ""
    retryable: bool = False
    retry_after_seconds: float | None = None
    members: Mapping[str, object] = field(default_factory=dict)


class Refused(PortalError):
    """The portal understood and said no; ``code`` is stable and what a program decides by."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.detail or problem.title or problem.code)

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def code(self) -> str:
        return self.problem.code

    @property
    def detail(self) -> str:
        return self.problem.detail

    @property
    def errors(self) -> Sequence[InputError]:
        return self.problem.errors

    @property
    def request_id(self) -> str:
        """What to tell the centre's operators when asking about this refusal."""
        return self.problem.request_id

    @property
    def retryable(self) -> bool:
        return self.problem.retryable

    @property
    def retry_after_seconds(self) -> float | None:
        return self.problem.retry_after_seconds


class BadRequest(Refused):
    """400: the request could not be read."""


class NotSignedIn(Refused):
    """401: no key, or one that is not in force."""


class PaymentRequired(Refused):
    """402: there are not enough funds, or the account is in arrears."""

    @property
    def is_arrears(self) -> bool:
        return self.problem.members.get("reason") == "arrears"

    @property
    def standing(self) -> str:
        """In arrears: the account's state, such as ``grace``; else empty."""
        return str(self.problem.members.get("state", ""))

    @property
    def deadline(self) -> datetime | None:
        """In arrears: when the next harder step is taken."""
        said = self.problem.members.get("deadline")
        try:
            return datetime.fromisoformat(said) if isinstance(said, str) else None
        except ValueError:
            return None

    @property
    def amount_needed(self) -> Decimal | None:
        """In arrears: what has to be paid in."""
        said = self.problem.members.get("amount_needed")
        try:
            return Decimal(said) if isinstance(said, str) else None
        except InvalidOperation:
            return None

    @property
    def resolution(self) -> str:
        """In arrears: what to do."""
        return str(self.problem.members.get("resolution", ""))


class Forbidden(Refused):
    """403: the key does not hold the needed scope."""


class NotFound(Refused):
    """404: missing, or someone else's; the two are one answer."""


class Conflict(Refused):
    """409: the state of things does not allow this now."""


class TooLarge(Refused):
    """413: the body is too large."""


class InvalidInput(Refused):
    """422: some of the input is not valid; ``errors`` says what and why."""


class RateLimited(Refused):
    """429: too many requests with this key, also after waiting as long as was asked."""


class ServerFailed(Refused):
    """500 and above: something failed on the portal's side; nothing was half done."""


class Unavailable(ServerFailed):
    """502, 503, 504: the portal cannot answer right now, also not in the last try."""


KINDS: Mapping[int, type[Refused]] = {
    400: BadRequest,
    401: NotSignedIn,
    402: PaymentRequired,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: InvalidInput,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def refusal(problem: Problem) -> Refused:
    """The exception of a problem."""
    usual = ServerFailed if problem.status >= 500 else Refused
    return KINDS.get(problem.status, usual)(problem)
