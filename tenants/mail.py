"""Mail: an invitation in both languages, because the reader's is unknown, a notice in theirs."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from tenants.models import Invitation, NoticeMail
from tenants.notices import body_of, title_of

LANGUAGES = ("zh-hans", "en")


def invitation_mail(invitation: Invitation, token: str) -> EmailMessage:
    """The message that carries the token; plain text, so that every reader shows the address."""
    address = f"{settings.PUBLIC_URL}/join/{token}/"
    subjects, bodies = [], []
    for language in LANGUAGES:
        with translation.override(language):
            subjects.append(
                _("You are invited to %(organisation)s") % {"organisation": invitation.tenant.name}
            )
            bodies.append(
                _(
                    "%(organisation)s invites you to join as %(role)s.\n\n"
                    "Open this address to accept, before %(until)s (UTC):\n%(address)s\n\n"
                    "If you did not expect this, do nothing."
                )
                % {
                    "organisation": invitation.tenant.name,
                    "role": invitation.get_role_display(),
                    "until": date_format(invitation.expires_at, "Y-m-d H:i"),
                    "address": address,
                }
            )
    return EmailMessage(
        subject=" / ".join(" ".join(subject.split()) for subject in subjects),
        body="\n\n----\n\n".join(bodies),
        to=[invitation.email],
        # Twice the same id when a sender died between sending and recording; readers fold it.
        headers={"Message-ID": f"<invitation-{invitation.pk}@{_host()}>"},
    )


def notice_mail(mail: NoticeMail) -> EmailMessage:
    """What a member is told of, in the language they chose; plain text."""
    notice = mail.notice
    with translation.override(mail.user.language or settings.LANGUAGE_CODE):
        title = title_of(notice.kind, notice.detail)
        subject = f"{title} · {mail.tenant.name}"
        body = _(
            "%(body)s\n\nOrganisation: %(organisation)s\nTime: %(at)s (UTC)\n\n"
            "All notices:\n%(address)s"
        ) % {
            "body": body_of(notice.kind, notice.detail),
            "organisation": mail.tenant.name,
            "at": date_format(notice.at, "Y-m-d H:i"),
            "address": f"{settings.PUBLIC_URL}/t/{mail.tenant.code}/notices/",
        }
    return EmailMessage(
        subject=" ".join(subject.split()),
        body=body,
        to=[mail.user.email],
        headers={"Message-ID": f"<notice-{mail.pk}@{_host()}>"},
    )


def _host() -> str:
    return settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">") or "localhost"
