"""Webhooks are believed only as the portal signs them: checked against its own signer."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from portal_client import BadSignature, Message, UnexpectedAnswer, verify

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"another-0123456789abcdef01234567").decode()
TENANT = "01994d1e-6f0a-7c3b-b2d5-f0a1c2e3d4f5"
BODY = json.dumps(
    {
        "type": "invoice.issued",
        "timestamp": "2026-11-22T08:00:00Z",
        "tenant_id": TENANT,
        "data": {"gross": "12.50"},
    }
).encode()


def headers(body: bytes = BODY, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    """As a public library of the convention signs."""
    return {
        "Webhook-Id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body.decode()),
    }


def test_a_genuine_message_is_read() -> None:
    message = verify(secret=SECRET, headers=headers(), body=BODY, now=NOW)
    assert isinstance(message, Message)
    assert (message.id, message.type, str(message.tenant_id)) == ("msg_1", "invoice.issued", TENANT)
    assert message.data == {"gross": "12.50"}
    assert message.timestamp == NOW


def test_while_a_secret_is_being_changed_either_signature_is_enough() -> None:
    both = headers()
    both["webhook-signature"] = (
        f"{headers(secret=OTHER)['webhook-signature']} v1a,AAAA {both['webhook-signature']}"
    )
    assert verify(secret=SECRET, headers=both, body=BODY, now=NOW).id == "msg_1"
    assert verify(secret=OTHER, headers=both, body=BODY, now=NOW).id == "msg_1"


@pytest.mark.parametrize(
    ("changes", "body", "sentence"),
    [
        ({}, BODY + b" ", "No signature is of this secret."),
        ({"Webhook-Id": "msg_2"}, BODY, "No signature is of this secret."),
        ({"webhook-signature": "v1,AAAA"}, BODY, "No signature is of this secret."),
        ({"webhook-signature": "v1,%%%"}, BODY, "No signature is of this secret."),
        ({"webhook-signature": ""}, BODY, "A webhook has an id, a timestamp and a signature."),
        ({"webhook-timestamp": "soon"}, BODY, "The timestamp is not a number of seconds."),
    ],
)
def test_anything_changed_on_the_way_is_refused(
    changes: dict[str, str], body: bytes, sentence: str
) -> None:
    with pytest.raises(BadSignature) as refused:
        verify(secret=SECRET, headers={**headers(), **changes}, body=body, now=NOW)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_message_of_another_time_is_refused(minutes: int) -> None:
    sent = NOW + timedelta(minutes=minutes)
    with pytest.raises(BadSignature) as refused:
        verify(secret=SECRET, headers=headers(at=sent), body=BODY, now=NOW)
    assert str(refused.value) == "The timestamp is too far from this machine's clock."


def test_another_s_secret_and_no_secret_are_refused() -> None:
    for secret in (OTHER, "whsec_???"):
        with pytest.raises(BadSignature):
            verify(secret=secret, headers=headers(), body=BODY, now=NOW)


def test_what_is_signed_must_still_be_a_message() -> None:
    for body, kind in ((b"no", BadSignature), (b"{}", UnexpectedAnswer)):
        with pytest.raises(kind):
            verify(secret=SECRET, headers=headers(body), body=body, now=NOW)
