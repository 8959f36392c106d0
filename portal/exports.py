"""Cost exports as files: facts of billing and of compute, made rows, written to disk, then sent.

A file is written whole before its first byte is sent, so that it is of one moment and a failure is
an answer and not half a file; memory holds a portion of the lines at a time, never a month.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from billing.adapters.focus_csv import write_csv
from billing.adapters.parquet import csv_to_parquet
from billing.focus.columns import GIVEN, Dataset, Version, columns
from billing.focus.datasets import billing_period_rows, contract_commitment_rows
from billing.focus.facts import Row
from billing.queries.focus import cost_and_usage, invoice_details, period_facts, tenants_billed
from billing.queries.focus_agreed import spend_commitments
from common.errors import DomainError
from common.period import Period, month_of
from common.zone import centre_zone
from compute.queries.commitments import reservation_commitments
from tenants.permissions import Actor, Permission, require

FORMS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)


class MonthRefused(DomainError):
    """A month is a year and a number."""

    code = "month_refused"
    status = 422
    message = _('A month is written like "2026-11".')


class DatasetRefused(DomainError):
    """The version of FOCUS does not have this dataset."""

    code = "dataset_refused"
    status = 422
    message = _("FOCUS %(version)s has no dataset %(dataset)s here; ask for version 1.4.")


@dataclass(frozen=True)
class Order:
    """What is asked for: which dataset of which month, in which version and form."""

    dataset: Dataset
    version: Version
    label: str
    month: Period
    form: str

    @property
    def file_name(self) -> str:
        return f"focus-{self.version}-{self.dataset}-{self.label}.{self.form}"


def month_label(now: datetime) -> str:
    """The month it is by the centre's calendar."""
    return f"{now.astimezone(centre_zone()):%Y-%m}"


def month_named(label: str) -> Period:
    """The month of the centre's calendar that is written like this. Raises: MonthRefused."""
    found = _MONTH.fullmatch(label)
    if found is None:
        raise MonthRefused
    year, number = (int(part) for part in found.groups())
    middle = datetime(year, number, 15, tzinfo=centre_zone())
    return month_of(middle, settings.CENTRE_TIME_ZONE)


def order(*, dataset: str, version: str, month: str, form: str) -> Order:
    """Read an order from its words. Raises: MonthRefused, DatasetRefused; ValueError for others."""
    period = month_named(month)
    if form not in FORMS:
        raise ValueError(form)
    if Dataset(dataset) not in GIVEN[Version(version)]:
        raise DatasetRefused(version=version, dataset=dataset)
    return Order(
        dataset=Dataset(dataset),
        version=Version(version),
        label=month,
        month=period,
        form=form,
    )


def export_file(*, actor: Actor, tenant_id: UUID | None, wanted: Order, now: datetime) -> BinaryIO:
    """The file, open for reading and gone from the disk once it is closed.

    Shape: every tenant's for an operator who gives None. Call it inside a scope.
    Raises: PermissionRefused, ExportBusy.
    """
    require(actor, Permission.COST_EXPORT, tenant_id)
    if tenant_id is None:
        require(actor, Permission.TENANT_READ_ALL)
    shown = columns(wanted.dataset, wanted.version)
    with tempfile.TemporaryDirectory(prefix="focus-") as folder:
        plain = Path(folder) / "rows.csv"
        with plain.open("w", encoding="utf-8", newline="") as out:
            rows = export_rows(tenant_id=tenant_id, wanted=wanted, now=now)
            write_csv(out, rows, shown, for_people=wanted.form == "csv")
        if wanted.form == "csv":
            return plain.open("rb")
        typed = Path(folder) / "rows.parquet"
        csv_to_parquet(plain, typed, shown)
        return typed.open("rb")


def export_rows(*, tenant_id: UUID | None, wanted: Order, now: datetime) -> Iterator[Row]:
    """The rows of an order, tenant by tenant."""
    month = wanted.month
    if wanted.dataset is Dataset.CONTRACT_COMMITMENT:
        reserved = reservation_commitments(tenant_id=tenant_id, month=month)
        agreed = spend_commitments(tenant_id=tenant_id, month=month, now=now)
        # Whatever else is agreed joins them here.
        return contract_commitment_rows(chain(reserved, agreed))
    tenants: Sequence[UUID] = (tenant_id,) if tenant_id is not None else tenants_billed()
    if wanted.dataset is Dataset.BILLING_PERIOD:
        facts = (period_facts(tenant_id=one, month=month, now=now) for one in tenants)
        return billing_period_rows(chain.from_iterable(facts))
    read = cost_and_usage if wanted.dataset is Dataset.COST_AND_USAGE else invoice_details
    return chain.from_iterable(read(tenant_id=one, month=month, now=now) for one in tenants)
