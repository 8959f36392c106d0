"""Which addresses may be called, how messages are signed, when they are tried again."""

import hashlib
import hmac
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from tenants.webhooks.addresses import TargetRefused, judged, may_call
from tenants.webhooks.retries import TRIES, WAITS, asked_wait, next_try
from tenants.webhooks.sending import send
from tenants.webhooks.signing import headers, new_secret, signature
from tests.tenants.receiver import ADDRESSES

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)

CLOSED = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.5",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:a00:1::1",
    "2001::1",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
    "",
]
OPEN = ["1.1.1.1", "93.184.216.34", "172.32.0.1", "192.167.255.255", "2606:4700::1111"]


@pytest.mark.parametrize("address", CLOSED)
def test_closed_addresses_are_refused(address: str) -> None:
    assert may_call(address) is False


@pytest.mark.parametrize("address", OPEN)
def test_open_addresses_may_be_called(address: str) -> None:
    assert may_call(address) is True


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.1.1", "127.0.0.1", "fd12::1"])
def test_a_listed_host_may_be_private(address: str) -> None:
    assert may_call(address, is_listed=True) is True


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "fe80::1", "224.0.0.1", "0.0.0.0"],
)
def test_even_a_listed_host_never_leads_to_metadata_or_the_link(address: str) -> None:
    assert may_call(address, is_listed=True) is False


@pytest.fixture
def resolver(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings.WEBHOOK_RESOLVER = "tests.tenants.receiver.resolve"
    for name, answers in {
        "open.test": ["93.184.216.34", "2606:4700::1111"],
        "mixed.test": ["93.184.216.34", "10.0.0.1"],
        "inside.test": ["10.0.0.1"],
        "empty.test": [],
    }.items():
        monkeypatch.setitem(ADDRESSES, name, answers)
    return settings


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://open.test/", "not_https"),
        ("https://open.test:22/", "port"),
        ("https://open.test:65536/", "malformed"),
        ("https://user:word@open.test/", "malformed"),
        ("https://user@open.test/", "malformed"),
        ("https://open.test/#there", "malformed"),
        ("https://open.test/a b", "malformed"),
        ("https://open.test/\r\nhost: x", "malformed"),
        ("https://открыто.test/", "malformed"),
        ("https:///nothing", "malformed"),
        ("ftp://open.test/", "malformed"),
        ("file:///etc/passwd", "malformed"),
        ("gopher://open.test/", "malformed"),
        ("open.test", "malformed"),
        ("https://[::1", "malformed"),
        ("https://open.test/" + "x" * 500, "malformed"),
        ("https://nowhere.test/", "unresolved"),
        ("https://empty.test/", "unresolved"),
        ("https://inside.test/", "private_address"),
        ("https://mixed.test/", "private_address"),
    ],
)
def test_an_address_that_may_not_be_called_is_refused(
    resolver: Settings, url: str, reason: str
) -> None:
    with pytest.raises(TargetRefused) as refusal:
        judged(url)
    assert refusal.value.reason == reason


def test_the_judged_addresses_are_all_there_is(resolver: Settings) -> None:
    target = judged("https://OPEN.test:8443/hooks?x=1")
    assert (target.host, target.port) == ("open.test", 8443)
    assert target.addresses == ("93.184.216.34", "2606:4700::1111")


def test_a_listed_host_may_use_any_port_but_needs_tls(resolver: Settings) -> None:
    resolver.WEBHOOK_PRIVATE_HOSTS = ["inside.test"]
    assert judged("https://inside.test:9443/").addresses == ("10.0.0.1",)
    with pytest.raises(TargetRefused) as refusal:
        judged("http://inside.test:9443/")
    assert refusal.value.reason == "not_https"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "017700000001", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    """By the machine's own resolver, which knows all these forms."""
    answer = send(url=f"https://{host}/", headers={}, body=b"")
    assert answer.status is None
    assert answer.outcome in {"private_address", "unresolved"}


def test_a_signature_is_the_standards_own() -> None:
    """Worked out by hand from the text of Standard Webhooks 1.0, with nothing of ours."""
    secret = new_secret()
    body = '{"a":"中文"}'.encode()
    key = b64decode(secret.removeprefix("whsec_"))
    assert 24 <= len(key) <= 64
    signed = b"msg_1." + str(int(NOW.timestamp())).encode() + b"." + body
    wanted = "v1," + b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert signature(secret=secret, message_id="msg_1", at=NOW, body=body) == wanted
    both = headers(secrets=[secret, new_secret()], message_id="msg_1", at=NOW, body=body)
    assert both["webhook-signature"].split(" ")[0] == wanted
    assert both["webhook-timestamp"] == str(int(NOW.timestamp()))
    with pytest.raises(ValueError, match="not a webhook secret"):
        signature(secret="whsec_!", message_id="msg_1", at=NOW, body=body)


@pytest.mark.parametrize("tries", range(1, TRIES))
def test_each_wait_is_stretched_by_a_tenth_at_most_and_always_alike(tries: int) -> None:
    found = {
        next_try(message_id=f"msg_{number}", tries=tries, asked=None, now=NOW)
        for number in range(50)
    }
    assert None not in found
    waits = [at - NOW for at in found if at is not None]
    assert min(waits) >= WAITS[tries - 1]
    assert max(waits) <= WAITS[tries - 1] * 1.1
    assert len(set(waits)) > 25
    again = next_try(message_id="msg_0", tries=tries, asked=None, now=NOW)
    assert again == next_try(message_id="msg_0", tries=tries, asked=None, now=NOW)


def test_the_tenth_failure_is_the_last() -> None:
    assert TRIES == 10
    asked = timedelta(hours=1)
    assert next_try(message_id="m", tries=10, asked=asked, now=NOW) is None


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("60", timedelta(seconds=60)),
        (" 60 ", timedelta(seconds=60)),
        ("9" * 400, timedelta(hours=24)),
        ("Sun, 22 Nov 2026 09:00:00 GMT", timedelta(hours=1)),
        ("Sun, 22 Nov 2026 07:00:00 GMT", timedelta(0)),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
    ],
)
def test_what_retry_after_asks_for(header: str, wait: timedelta | None) -> None:
    assert asked_wait(header, now=NOW) == wait
