"""Notices as mail: to whom they concern, in their language, once."""

import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.utils.translation import gettext_lazy as _

from tenants import notices, tasks
from tenants.commands.spreading import MAIL_ATTEMPTS, claim_notice_mail, spread_notice
from tenants.models import Membership, Notice, NoticeMail, User
from tenants.notices import Kind
from tenants.queries.notices import notices as told
from tenants.queries.notices import unsent_notice_mails, unspread_notices
from tenants.scoping import operator_scope, tenant_scope
from tests.factories.tenants import member
from tests.tenants.conftest import Cast

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
KIND = Kind(code="tests.mailed", title=_("Owner"), body="About %(what)s.")


@pytest.fixture(autouse=True)
def kind() -> Iterator[None]:
    notices.declare(KIND)
    yield
    notices._declared.pop(KIND.code)


@pytest.fixture
def notice(cast: Cast) -> Notice:
    """Told to owners and finance; Alice's owner reads Chinese, her finance English."""
    for role in ("finance", "viewer"):
        member(cast.alice, role)
    User.objects.filter(email="alice@alice.example").update(language="zh-hans")
    User.objects.filter(email="finance@alice.example").update(language="en")
    with operator_scope():
        notices.post(
            tenant_id=cast.alice.pk,
            kind=KIND.code,
            key="one",
            detail={"what": "money"},
            now=NOW,
            roles=("owner", "finance"),
        )
        return Notice.objects.get()


def _mails() -> list[NoticeMail]:
    with operator_scope():
        return list(NoticeMail.objects.select_related("user").order_by("user__email"))


def test_each_reader_gets_one_mail_in_their_language(notice: Notice) -> None:
    tasks.spread_notice(notice_id=str(notice.pk))
    tasks.spread_notice(notice_id=str(notice.pk))
    rows = _mails()
    assert [one.user.email for one in rows] == ["alice@alice.example", "finance@alice.example"]
    for one in rows:
        tasks.send_notice_mail(mail_id=str(one.pk))
        tasks.send_notice_mail(mail_id=str(one.pk))
    assert len(mail.outbox) == 2
    by_reader = {message.to[0]: message for message in mail.outbox}
    assert by_reader["alice@alice.example"].subject == "所有者 · Alice 智算"
    assert by_reader["finance@alice.example"].subject == "Owner · Alice 智算"
    assert "About money." in by_reader["finance@alice.example"].body
    assert "/t/alice/notices/" in by_reader["finance@alice.example"].body
    assert {one.mailed_at is not None for one in _mails()} == {True}


def test_a_mail_server_that_is_away_is_asked_again_with_a_bound(
    notice: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(message: EmailMessage) -> int:
        raise smtplib.SMTPServerDisconnected("away")

    with operator_scope():
        spread_notice(notice_id=notice.pk, now=NOW)
    key = _mails()[0].pk
    monkeypatch.setattr(EmailMessage, "send", away)
    tasks.send_notice_mail(mail_id=str(key))
    assert _mails()[0].mailed_at is None
    assert mail.outbox == []
    at = datetime.now(UTC)
    for attempt in range(1, MAIL_ATTEMPTS):
        with operator_scope():
            assert claim_notice_mail(mail_id=key, now=at) is None
            at += timedelta(minutes=2) * 2**attempt
            assert claim_notice_mail(mail_id=key, now=at) is not None
    with operator_scope():
        late = at + timedelta(days=30)
        assert claim_notice_mail(mail_id=key, now=late) is None
        assert key not in unsent_notice_mails(now=late, most_attempts=MAIL_ATTEMPTS)


def test_who_left_gets_no_mail(cast: Cast, notice: Notice) -> None:
    User.objects.filter(email="finance@alice.example").update(is_active=False)
    with operator_scope():
        Membership.objects.filter(user__email="viewer@alice.example").update(role="admin")
        spread_notice(notice_id=notice.pk, now=NOW)
    assert [one.user.email for one in _mails()] == ["alice@alice.example"]


def test_the_sweeper_finds_a_notice_whose_nudge_was_lost(notice: Notice) -> None:
    with operator_scope():
        assert unspread_notices(now=NOW) == (notice.pk,)
        spread_notice(notice_id=notice.pk, now=NOW)
        assert unspread_notices(now=NOW) == ()
        assert set(unsent_notice_mails(now=NOW, most_attempts=MAIL_ATTEMPTS)) == {
            one.pk for one in _mails()
        }


def test_notices_are_read_by_those_who_may(cast: Cast, notice: Notice) -> None:
    with tenant_scope(cast.alice.pk):
        (one,) = told(actor=cast.owner, tenant_id=cast.alice.pk).items
        assert (one.kind, one.body) == ("tests.mailed", "About money.")
        assert told(actor=cast.owner, tenant_id=cast.alice.pk, kind="x").items == ()
