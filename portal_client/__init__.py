"""The client of an AI computing centre's portal: reserve, deploy, report usage, read the bill.

from portal_client import Client

with Client("https://portal.centre.example", key) as client:
    for invoice in client.invoices.list():
        print(invoice.number, invoice.gross)
"""

from portal_client.calls import Download, Page, Pages
from portal_client.client import Client
from portal_client.encoding import UNSET, Unset
from portal_client.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    InputError,
    InvalidInput,
    NotFound,
    NotSignedIn,
    PaymentRequired,
    PortalError,
    Problem,
    RateLimited,
    Refused,
    ServerFailed,
    StreamStopped,
    TooLarge,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from portal_client.signatures import BadSignature, Message, verify
from portal_client.transport import Patience
from portal_client.version import VERSION

__all__ = [
    "UNSET",
    "VERSION",
    "BadRequest",
    "BadSignature",
    "Client",
    "Conflict",
    "Download",
    "Forbidden",
    "InputError",
    "InvalidInput",
    "Message",
    "NotFound",
    "NotSignedIn",
    "Page",
    "Pages",
    "Patience",
    "PaymentRequired",
    "PortalError",
    "Problem",
    "RateLimited",
    "Refused",
    "ServerFailed",
    "StreamStopped",
    "TooLarge",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "Unset",
    "verify",
]
