"""Cost exports: the bill in the columns of FOCUS, for tools that read them."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer

from billing.focus.columns import Dataset, Version
from portal.api.endpoint import Call, Endpoint, FileDownload, downloads, says
from portal.api.fields import Strict, Text
from portal.api.v1.invoices import CsvRenderer
from portal.exports import FORMS, export_file, month_label, order
from tenants.permissions import Permission


class FocusQuery(Strict):
    dataset = serializers.ChoiceField(
        choices=[one.value for one in Dataset],
        default=Dataset.COST_AND_USAGE.value,
        help_text=_("Version 1.2 has CostAndUsage only."),
    )
    version = serializers.ChoiceField(
        choices=[one.value for one in Version], default=Version.V1_4.value
    )
    period = Text(
        max_length=7,
        required=False,
        help_text=_(
            'A month of the centre\'s calendar, such as "2026-11"; the present one without.'
        ),
    )
    # The address' own word for csv or parquet; a serializer has no attribute of that name.
    format = serializers.ChoiceField(choices=sorted(FORMS), default="csv")


class ParquetRenderer(BaseRenderer):
    """Named for the sake of content negotiation; the file is made by the domain."""

    media_type = FORMS["parquet"]
    format = "parquet"


class FocusExport(Endpoint):
    """A month's costs as a FOCUS dataset."""

    renderer_classes = (CsvRenderer, ParquetRenderer)

    @says(_("Download a month's bills, issued and open, as a FOCUS dataset."))
    @downloads(Permission.COST_EXPORT, *FORMS.values(), query=FocusQuery)
    def get(self, call: Call) -> FileDownload:
        asked = call.query
        wanted = order(
            dataset=asked["dataset"],
            version=asked["version"],
            month=asked.get("period") or month_label(call.now),
            form=asked["format"],
        )
        content = export_file(
            actor=call.actor, tenant_id=call.tenant_id, wanted=wanted, now=call.now
        )
        return FileDownload(wanted.file_name, FORMS[wanted.form], content)
