"""What driving any row at an engine has in common: leases, backing off, the project's name."""

from datetime import datetime, timedelta

from django.db.models import Q

from compute.engines import ProjectSpec
from tenants.models import Project

# Longer than any call to an engine may take, so that a lease that has run out means a dead worker.
LEASE = timedelta(seconds=60)
LONGEST_BACKOFF_SECONDS = 60


def unleased(now: datetime) -> Q:
    """Rows that nobody is driving and whose next attempt has come."""
    return (Q(lease_until__isnull=True) | Q(lease_until__lte=now)) & (
        Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now)
    )


def backoff(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 2, 4, 8 ... 60 seconds."""
    return timedelta(seconds=min(2 ** min(attempts, 10), LONGEST_BACKOFF_SECONDS))


def project_spec(project: Project) -> ProjectSpec:
    """A project as engines know it, named from its row alone."""
    return ProjectSpec(key=f"acp-p-{project.pk.hex}", name=project.name)
