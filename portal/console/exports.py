"""Cost exports to keep: a month's bills in the columns of FOCUS."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import FileResponse
from django.views.decorators.http import require_safe

from billing.focus.columns import Dataset, Version
from common.clock import utc_now
from common.errors import NotFound
from common.zone import centre_zone
from portal.exports import FORMS, export_file, month_label, order
from portal.requests import ActorRequest

MONTHS_OFFERED = 13


@dataclass(frozen=True)
class Offer:
    """What the form for a download lets one choose from."""

    months: tuple[str, ...]
    datasets: tuple[str, ...]
    versions: tuple[str, ...]
    forms: tuple[str, ...]


def offered(now: datetime) -> Offer:
    """The present month and a year before it, newest first; the newest version first."""
    months, day = [], now.astimezone(centre_zone())
    for _month in range(MONTHS_OFFERED):
        months.append(month_label(day))
        day = day.replace(day=1) - timedelta(days=1)
    return Offer(
        months=tuple(months),
        datasets=tuple(Dataset),
        versions=tuple(sorted(Version, reverse=True)),
        forms=tuple(FORMS),
    )


@require_safe
def focus_export(request: ActorRequest, tenant_code: str) -> FileResponse:
    """The file that was chosen; what is left out is the newest version of the present month."""
    now = utc_now()
    asked = request.GET
    try:
        wanted = order(
            dataset=asked.get("dataset", Dataset.COST_AND_USAGE),
            version=asked.get("version", Version.V1_4),
            month=asked.get("period") or month_label(now),
            form=asked.get("format", "csv"),
        )
    except ValueError as error:
        raise NotFound from error
    content = export_file(actor=request.actor, tenant_id=request.tenant.pk, wanted=wanted, now=now)
    return FileResponse(
        content, as_attachment=True, filename=wanted.file_name, content_type=FORMS[wanted.form]
    )
