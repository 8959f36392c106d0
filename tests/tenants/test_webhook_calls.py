"""The call itself: over TLS to the judged address, and by the tasks that workers run."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django.fixtures import Settings

from common.clock import utc_now
from tenants import tasks
from tenants.models import WebhookDelivery, WebhookEndpoint
from tenants.scoping import operator_scope
from tenants.webhooks.sending import send
from tests.tenants.conftest import Cast
from tests.tenants.hooks import endpoint, row, told
from tests.tenants.receiver import ADDRESSES, HOST, Receiver, Reply, listening


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, private


@pytest.fixture
def secure(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a receiver that speaks TLS under HOST's name and answers 204."""
    settings.WEBHOOK_PRIVATE_HOSTS = [HOST, "other.test"]
    settings.WEBHOOK_RESOLVER = "tests.tenants.receiver.resolve"
    monkeypatch.setitem(ADDRESSES, "other.test", ["127.0.0.1"])
    chain, private = _certificate(tmp_path, HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    with listening(context) as receiver:
        receiver.otherwise = Reply(status=204, body=b"")
        yield receiver.port


def test_tls_is_checked_against_the_name_and_not_the_address(secure: int) -> None:
    taken = send(url=f"https://{HOST}:{secure}/", headers={}, body=b"{}")
    assert (taken.outcome, taken.status) == ("delivered", 204)
    another = send(url=f"https://other.test:{secure}/", headers={}, body=b"{}")
    assert (another.outcome, another.status) == ("unreachable", None)


def test_a_certificate_nobody_vouches_for_is_refused(
    secure: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    refused = send(url=f"https://{HOST}:{secure}/", headers={}, body=b"{}")
    assert (refused.outcome, refused.status) == ("unreachable", None)


def test_a_talker_that_drips_is_cut_off_at_the_deadline(settings: Settings) -> None:
    """Each byte comes in time, the whole never does: the deadline is for the call."""
    settings.WEBHOOK_PRIVATE_HOSTS = [HOST]
    settings.WEBHOOK_PLAIN_HTTP = True
    settings.WEBHOOK_RESOLVER = "tests.tenants.receiver.resolve"
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            channel, _peer = listener.accept()
            with channel:
                channel.recv(65536)
                while not stop.wait(0.05):
                    try:
                        channel.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://{HOST}:{listener.getsockname()[1]}/"
        answer = send(url=url, headers={}, body=b"{}", timeout_seconds=0.4)
        stop.set()
        thread.join(10)
    assert (answer.outcome, answer.status) == ("timeout", None)
    assert answer.duration_ms < 5000


def test_no_answer_in_http_is_said_so(settings: Settings) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = [HOST]
    settings.WEBHOOK_PLAIN_HTTP = True
    settings.WEBHOOK_RESOLVER = "tests.tenants.receiver.resolve"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            channel, _peer = listener.accept()
            with channel:
                channel.recv(65536)
                channel.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"http://{HOST}:{listener.getsockname()[1]}/"
        said = send(url=url, headers={}, body=b"{}")
        thread.join(10)
    assert (said.outcome, said.status, said.text) == ("not_http", None, "")


def test_the_nudged_task_delivers_and_a_round_takes_the_failing(
    cast: Cast, receiver: Receiver
) -> None:
    now = utc_now() - timedelta(seconds=1)
    endpoint(cast.alice, receiver.url("/well"), now)
    endpoint(cast.bob, receiver.url("/failing"), now)
    (well,), (failing,) = told(cast.alice, "one", now), told(cast.bob, "one", now)
    with operator_scope():
        WebhookEndpoint.objects.filter(tenant_id=cast.bob.pk).update(failing_since=now)
    for key in (well, failing):
        tasks.deliver_webhook(delivery_id=str(key))
    assert [one.path for one in receiver.received] == ["/well"]
    receiver.script = [Reply(500)]
    tasks.sweep_webhooks()
    assert [one.path for one in receiver.received] == ["/well", "/failing"]
    assert (row(well).state, row(failing).state) == ("delivered", "pending")
    tasks.sweep_webhooks()
    assert len(receiver.received) == 2, "the next try is not due yet"
    with operator_scope():
        WebhookDelivery.objects.filter(pk=failing).update(due_at=now)
    tasks.sweep_webhooks()
    assert row(failing).state == "delivered"
