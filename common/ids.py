"""Random public identifiers."""

import os
import threading
import time
import uuid

_RANDOM_BITS = 62
_RANDOM = (1 << _RANDOM_BITS) - 1
_NANOSECONDS = 1_000_000


class _Last(threading.local):
    """The moment of the thread's last identifier, in 4,096ths of a millisecond."""

    moment = 0


_last = _Last()


def uuid7() -> uuid.UUID:
    """A version-7 UUID: ordered by creation for index locality, 62 bits random.

    Shape: those of one thread ascend strictly, also within a millisecond and where the clock is
    set back, so that rows written one after another are read in that order. Of two threads or
    processes the clock decides.
    Source: RFC 9562, sections 5.7 and 6.2 (method 3: a clock finer than the millisecond).
    """
    milliseconds, rest = divmod(time.time_ns(), _NANOSECONDS)
    moment = max((milliseconds << 12) | (rest << 12) // _NANOSECONDS, _last.moment + 1)
    _last.moment = moment
    random = int.from_bytes(os.urandom(8), "big") & _RANDOM
    value = ((moment >> 12) << 80) | (0x7 << 76) | ((moment & 0xFFF) << 64)
    return uuid.UUID(int=value | (0x2 << _RANDOM_BITS) | random)
