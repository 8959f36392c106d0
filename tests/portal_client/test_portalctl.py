"""portalctl against the real portal: what it does, what it prints, how it ends."""

import csv
import json
import stat
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from billing.commands.invoices import issue_invoice
from billing.models import Invoice, UsageEvent
from common.clock import utc_now
from compute.models import Reservation
from portal.embedded.ports import free_port
from portal_client.cli.problems import OK, REFUSED, UNREACHABLE, USAGE
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope
from tests.factories import desk
from tests.factories.desk import HOUR, Customer
from tests.portal_client.terminal import Terminal, told
from tests.tenants.receiver import HOST, listening


@pytest.fixture
def nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Terminal:
    """A terminal without a key."""
    return Terminal(monkeypatch, capsys, tmp_path)


@pytest.fixture
def terminal(nobody: Terminal, address: str, alice: Customer) -> Terminal:
    """A terminal with alice's key in its variables."""
    nobody.let(PORTAL_URL=address, PORTAL_KEY=alice.secret)
    return nobody


def issued(alice: Customer) -> Invoice:
    with operator_scope():
        return issue_invoice(
            actor=SYSTEM, tenant_id=alice.organisation.pk, until=utc_now(), now=utc_now()
        )


def period(hours: int = 2) -> list[str]:
    return ["--start", desk.written(desk.minute(HOUR)), "--hours", str(hours)]


def test_cards_from_the_offer_to_the_end(terminal: Terminal) -> None:
    offers = terminal.run("offers", "find", "--cards", "2", *period(), "--json")
    assert (offers.code, [one["pool"] for one in offers.json]) == (OK, ["h20"])
    quote = terminal.run(
        "reservations", "quote", "--pool", "h20", "--cards", "2", *period(), "--json"
    )
    held = terminal.run(
        *("reservations", "hold", "--project", "main", "--pool", "h20", "--cards", "2"),
        *(*period(), "--json"),
    )
    assert (quote.code, held.code) == (OK, OK)
    assert quote.json["gross"] == held.json["gross"]
    identifier = held.json["id"]
    assert terminal.run("reservations", "submit", identifier, "--json").json["state"] == (
        "awaiting_approval"
    )
    listed = terminal.run("reservations", "list")
    assert listed.output.splitlines()[0].split()[:4] == ["id", "state", "pool", "cards"]
    assert identifier in listed.output
    shown = terminal.run("reservations", "show", identifier)
    assert f"id               {identifier}\n" in shown.output
    assert terminal.run("reservations", "cancel", identifier, "--json").json["state"] == "cancelled"
    with operator_scope():
        assert Reservation.objects.count() == 1


def test_a_quote_from_now_on_is_given_though_the_minute_has_begun(terminal: Terminal) -> None:
    words = ("reservations", "quote", "--pool", "h20", "--cards", "2", "--hours", "3")
    quote = terminal.run(*words, "--start", desk.written(desk.minute()), "--json")
    assert (quote.code, quote.json["kind"], quote.json["pool"]) == (OK, "exact", "h20"), quote
    refused = terminal.run(
        *words, "--start", desk.written(desk.minute(-48 * HOUR)), "--until", "now"
    )
    assert refused.code == USAGE
    many = terminal.run(*words[:5], "99", *words[6:], *period()[:2])
    assert (many.code, many.errors.count("[")) == (REFUSED, 1)


def test_an_appliance_is_found_deployed_looked_at_and_stopped(terminal: Terminal) -> None:
    assert "small-chat" in terminal.run("appliances", "list").output
    assert "fits" in terminal.run("appliances", "show", "small-chat").output
    made = terminal.run(
        *("deployments", "deploy", "--project", "main", "--appliance", "small-chat"),
        *("--name", "bot", "--pool", "h20", "--json"),
    )
    assert (made.code, made.json["model"]) == (OK, "bot")
    assert "requested" in terminal.run("deployments", "status", made.json["id"]).output
    assert "bot" in terminal.run("deployments", "list").output
    assert "stopping" in terminal.run("deployments", "stop", made.json["id"]).output
    neither = terminal.run(
        *("deployments", "deploy", "--project", "main", "--appliance", "small-chat"),
        *("--name", "bot2"),
    )
    assert (neither.code, neither.errors) == (
        USAGE,
        "portalctl: Name a reservation or a pool, and not both. [usage]\n",
    )


def test_a_file_of_lines_is_sent_and_what_was_refused_is_listed(
    terminal: Terminal, tmp_path: Path
) -> None:
    good = [desk.event(number) for number in range(3)]
    bad = desk.event(9, data={"quantity": -1})
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(json.dumps(one) for one in [*good, bad]) + "\n")
    sent = terminal.run("usage", "send", str(file), "--json")
    assert sent.code == REFUSED
    assert {
        name: sent.json[name] for name in ("accepted", "duplicate", "conflict", "rejected")
    } == {
        "accepted": 3,
        "duplicate": 0,
        "conflict": 0,
        "rejected": 1,
    }
    assert [(one["id"], one["code"]) for one in sent.json["refused"]] == [
        ("event-9", "bad_quantity")
    ]
    again = terminal.run("usage", "send", "-", "--form", "ndjson", typed=json.dumps(good[0]))
    assert (again.code, again.output.split()) == (
        OK,
        ["accepted", "0", "duplicate", "1", "conflict", "0", "rejected", "0"],
    )
    with operator_scope():
        assert UsageEvent.objects.count() == 3
    (kept,) = terminal.run("usage", "rejected", "--json").json
    assert (kept["id"], kept["code"]) == ("event-9", "bad_quantity")
    assert "3000" in terminal.run("usage", "summary", "--by", "meter").output
    assert terminal.run("usage", "list", "--json").json[0]["quantity"] == 1000


def test_a_table_is_sent(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    heads = ["id", "source", "type", "time", "quantity", "project"]
    with file.open("w", newline="", encoding="utf-8-sig") as opened:
        table = csv.writer(opened)
        table.writerow([*heads, *(f"dimension.{name}" for name in ("model", "deployment", "key"))])
        at = desk.written(desk.minute(-HOUR))
        table.writerow(["c1", "计费", "appliances.tokens_in", at, "70", "main", "tiny", "d1", "k1"])
    sent = terminal.run("usage", "send", str(file), "--json")
    assert (sent.code, sent.json["accepted"]) == (OK, 1), sent
    (row,) = terminal.run("usage", "list", "--json").json
    assert (row["source"], row["quantity"], row["project"]) == ("计费", 70, "main")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.ndjson", "{}\n{", "Line 2 is not an event ("),
        ("a.ndjson", "[]", "Line 1 is not an event (not an object)"),
        ("a.csv", "id,source\n", "The table needs the columns id, source, type, time, quantity"),
        ("a.csv", "id,source,type,time,quantity\na,b,c,2026-01-01T00:00:00Z,x\n", "Line 2 is not"),
        ("a.csv", "id,source,type,time,quantity\na,b,c,2026-01-01,1\n", "(no offset)"),
        ("a.csv", b"\xff\xfe\x00", "a.csv cannot be read."),
    ],
)
def test_a_file_that_is_none_is_refused_with_its_line(
    nobody: Terminal, tmp_path: Path, name: str, content: str | bytes, sentence: str
) -> None:
    # Nobody is there to take anything: the file is refused before anything is sent.
    nobody.let(PORTAL_URL=f"http://127.0.0.1:{free_port()}", PORTAL_KEY="acp_x")
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    sent = nobody.run("usage", "send", str(file))
    assert (sent.code, sent.output) == (USAGE, "")
    assert sentence in sent.errors
    assert sent.errors.count("\n") == 1


def test_an_invoice_is_read_traced_and_downloaded(
    terminal: Terminal, alice: Customer, tmp_path: Path
) -> None:
    alice.post("usage/events", [desk.event(number) for number in range(3)], key=None)
    invoice = issued(alice)
    assert invoice.number in terminal.run("invoices", "list").output
    by_number = terminal.run("invoices", "show", invoice.number, "--json").json
    assert by_number == terminal.run("invoices", "show", str(invoice.pk), "--json").json
    assert Decimal(by_number["gross"]) == invoice.gross
    (line,) = terminal.run("invoices", "lines", invoice.number, "--json").json
    assert line["base_quantity"] == 3000
    traced = terminal.run("invoices", "trace", invoice.number, "1", "--json").json
    assert sorted(one["id"] for one in traced) == ["event-0", "event-1", "event-2"]
    assert (
        "appliances.deployment:d1" in terminal.run("invoices", "trace", invoice.number, "1").output
    )
    pdf = terminal.run("invoices", "pdf", invoice.number)
    assert (pdf.code, pdf.output) == (
        OK,
        f"{invoice.number}.pdf: {(tmp_path / f'{invoice.number}.pdf').stat().st_size} bytes.\n",
    )
    again = terminal.run("invoices", "pdf", invoice.number)
    assert (again.code, "--replace" in again.errors) == (USAGE, True)
    assert terminal.run("invoices", "pdf", invoice.number, "--replace").code == OK
    assert terminal.run("invoices", "csv", invoice.number, "--output", "lines.csv").code == OK
    assert (tmp_path / "lines.csv").read_bytes().count(b"\n") == 2
    missing = terminal.run("invoices", "show", "INV-0")
    assert (missing.code, missing.errors) == (
        REFUSED,
        "portalctl: There is no invoice INV-0. [not_found]\n",
    )


def test_the_money_and_the_cost_export(terminal: Terminal, tmp_path: Path) -> None:
    assert terminal.run("wallet", "show", "--json").json["credit_limit"] == "1000000.00"
    assert "normal" in terminal.run("standing", "show").output
    assert terminal.run("focus", "export", "--output", "focus.csv", "--version", "1.2").code == OK
    assert (tmp_path / "focus.csv").read_bytes().startswith(b"AvailabilityZone,")


def test_webhooks_from_the_adding_to_the_removing(terminal: Terminal, settings: Settings) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = [HOST]
    settings.WEBHOOK_PLAIN_HTTP = True
    settings.WEBHOOK_RESOLVER = "tests.tenants.receiver.resolve"
    assert terminal.run("webhooks", "list").output == "Nothing to show.\n"
    with listening() as receiver:
        added = terminal.run("webhooks", "add", receiver.url(), "--event", "invoice.issued")
        assert (added.code, added.output.count("whsec_")) == (OK, 1), added
        assert "invoice.issued" in added.output
        (row,) = terminal.run("webhooks", "list", "--json").json
        identifier = row["id"]
        assert "whsec_" not in terminal.run("webhooks", "show", identifier).output
        tested = terminal.run("webhooks", "test", identifier, "--json").json
        assert (tested["event_type"], tested["state"]) == ("webhook.tested", "pending")
        assert tested["id"] in terminal.run("webhooks", "deliveries", identifier).output
        since = ("--since", desk.written(desk.minute(-HOUR)))
        assert terminal.run("webhooks", "resend", identifier, *since).output == "messages  0\n"
        for verb, state in (("disable", "disabled"), ("enable", "enabled")):
            assert terminal.run("webhooks", verb, identifier, "--json").json["state"] == state
        assert "whsec_" in terminal.run("webhooks", "secret", identifier).output
        assert terminal.run("webhooks", "remove", identifier).output == "The address is removed.\n"
    assert terminal.run("webhooks", "list").output == "Nothing to show.\n"


def test_a_webhook_on_a_private_address_is_refused_and_none_is_kept(terminal: Terminal) -> None:
    refused = terminal.run("webhooks", "add", "https://127.0.0.1/hook")
    assert (refused.code, refused.errors[:11]) == (REFUSED, "portalctl: ")
    assert terminal.run("webhooks", "list").output == "Nothing to show.\n"
    missing = terminal.run("webhooks", "test", str(uuid4()))
    assert (missing.code, "[not_found, request " in missing.errors) == (REFUSED, True)


def test_a_refusal_is_one_sentence_with_its_code_and_says_what_is_wrong(
    terminal: Terminal,
) -> None:
    words = ("reservations", "hold", "--project", "nope", "--pool", "h20", "--cards", "2")
    refused = terminal.run(*words, *period())
    assert (refused.code, refused.output) == (REFUSED, "")
    assert refused.errors.startswith("portalctl: ")
    as_json = terminal.run(*words, *period(), "--json")
    assert (as_json.code, as_json.output) == (REFUSED, "")
    assert set(told(as_json.errors)) == {"code", "detail", "status", "request_id", "errors"}
    with operator_scope():
        assert not Reservation.objects.exists()


def test_chinese_by_the_terminal_s_language(terminal: Terminal) -> None:
    terminal.let(LANG="zh_CN.UTF-8")
    assert terminal.run("wallet", "show").output.splitlines()[0].split()[0] == "余额"
    assert "h20 资源池" in terminal.run("pools", "list").output
    missing = terminal.run("invoices", "show", "INV-0")
    assert missing.errors == "portalctl: 没有账单 INV-0。 [not_found]\n"
    usage = terminal.run("invoices", "show")
    assert (
        usage.errors == "portalctl: 缺少：invoice。 请看 portalctl invoices show --help。 [usage]\n"
    )
    refused = terminal.run("reservations", "show", str(uuid4()))
    assert any("一" <= mark <= "鿿" for mark in refused.errors)


def test_nobody_there_is_exit_code_3(nobody: Terminal) -> None:
    nobody.let(PORTAL_URL=f"http://127.0.0.1:{free_port()}", PORTAL_KEY="acp_x")
    nobody.patched.setattr("portal_client.transport.Patience.pause", lambda *_: 0.0)
    away = nobody.run("wallet", "show")
    assert (away.code, away.output) == (UNREACHABLE, "")
    assert away.errors.endswith(" does not answer. [unreachable]\n")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("wallet",),
        ("wallet", "fly"),
        ("wallet", "show", "--colour"),
        ("reservations", "hold"),
        ("offers", "find", "--start", "tomorrow"),
        ("pools", "list", "--most", "-1"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2_and_one_sentence(
    nobody: Terminal, words: tuple[str, ...]
) -> None:
    ended = nobody.run(*words)
    assert (ended.code, ended.output) == (USAGE, "")
    assert ended.errors.startswith("portalctl: ")
    assert ended.errors.endswith("--help. [usage]\n")
    assert ended.errors.count("\n") == 1


def test_without_a_key_it_says_how_to_give_one(nobody: Terminal) -> None:
    ended = nobody.run("wallet", "show")
    assert (ended.code, ended.errors) == (
        USAGE,
        "portalctl: No key: set PORTAL_URL and PORTAL_KEY, or use portalctl sign-in. [usage]\n",
    )


@pytest.mark.parametrize(
    ("address", "key"),
    [("portal.example", "k"), ("http://h:x", "k"), ("https://portal.example", "密")],
)
def test_an_address_or_a_key_that_is_none_is_refused_before_anything_is_sent(
    nobody: Terminal, address: str, key: str
) -> None:
    nobody.let(PORTAL_URL=address, PORTAL_KEY=key)
    ended = nobody.run("wallet", "show")
    assert (ended.code, ended.errors) == (
        USAGE,
        "portalctl: The address or the key is not one of a portal. [usage]\n",
    )


def test_a_key_is_kept_for_its_owner_alone_and_never_shown(
    nobody: Terminal, address: str, alice: Customer
) -> None:
    wrong = nobody.run("sign-in", "--url", address, "--key-from-input", typed="acp_wrong\n")
    assert wrong.code == REFUSED
    assert not nobody.file.exists()
    kept = nobody.run("sign-in", "--url", address, "--key-from-input", typed=f"{alice.secret}\n")
    assert (kept.code, kept.output) == (OK, f"Signed in to {address}. Alice\n")
    assert stat.S_IMODE(nobody.file.stat().st_mode) == 0o600
    assert nobody.run("wallet", "show").code == OK
    nobody.run("wallet", "show", "--json")
    nobody.run("invoices", "show", "INV-0")
    assert alice.secret not in nobody.seen
    nobody.file.chmod(0o640)
    open_to_others = nobody.run("wallet", "show")
    assert open_to_others.code == USAGE
    assert "chmod 600" in open_to_others.errors
    nobody.file.chmod(0o600)
    assert nobody.run("sign-out").code == OK
    assert not nobody.file.exists()


def test_a_kept_key_is_sent_to_its_own_portal_only(
    nobody: Terminal, address: str, alice: Customer
) -> None:
    nobody.run("sign-in", "--url", address, "--key-from-input", typed=alice.secret)
    nobody.let(PORTAL_URL="https://elsewhere.example")
    ended = nobody.run("wallet", "show")
    assert (ended.code, "No key" in ended.errors) == (USAGE, True)
    nobody.let(PORTAL_URL=f"{address}/")
    assert nobody.run("wallet", "show").code == OK


def test_help_and_version_are_answers(nobody: Terminal) -> None:
    told_help = nobody.run("usage", "send", "--help")
    assert (told_help.code, told_help.errors) == (OK, "")
    assert told_help.output.startswith("Usage: portalctl usage send ")
    assert nobody.run("--version").output.startswith("portalctl ")
