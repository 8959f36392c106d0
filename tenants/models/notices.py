"""What happened that a tenant's people and programs should hear of."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.models.base import TenantOwned


class Notice(TenantOwned):
    """One thing said to a tenant: what it is, the facts in it, and which roles get a mail.

    Shape: ``kind`` is a declared kind and the event type of webhooks; ``key`` makes it one notice
    however often it is posted. What was said never changes: the database lets nobody but
    ``spread_at`` be written, which is set once its mails and deliveries stand in their queues.
    """

    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)
    roles = ArrayField(models.CharField(max_length=20))
    at = models.DateTimeField()
    spread_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="tenants_notice_key"),
        ]
        indexes = [
            models.Index(
                fields=["at"],
                condition=models.Q(spread_at=None),
                name="tenants_notice_unspread",
            ),
            models.Index(fields=["tenant", "-at", "-id"], name="tenants_notice_recent"),
        ]


class NoticeMail(TenantOwned):
    """One member's mail about a notice; the row is the mail queue, as an invitation's is."""

    notice = models.ForeignKey("tenants.Notice", on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey("tenants.User", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["notice", "user"], name="tenants_noticemail_once"),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=models.Q(mailed_at=None),
                name="tenants_noticemail_unsent",
            ),
        ]
