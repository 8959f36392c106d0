"""Everything the database says of one tenant, as text that two tenants with one fate share."""

import json
import re
from datetime import date
from typing import Any

from django.db import models

from billing.models import CreditNote, Invoice, RejectedEvent
from tenants.models import AuditEntry, Organisation
from tenants.scoping import operator_scope
from tests.factories import tenant_models

# Told by the moment or by the series of all tenants' numbers, and no part of what happened.
PASSING = {"xact", "accrued_xmin", "accrual_read_at", "received_at", "created_at", "updated_at"}
OF_ALL_TENANTS = {
    (AuditEntry, "at"),
    *((model, name) for model in (Invoice, CreditNote) for name in ("sequence", "previous_hash")),
}
NAMES = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "#"),
    (r"\b[0-9a-f]{32}\b|\b[0-9a-f]{64}\b", "#"),
    (r"\b[A-Z]+(-CN)?-\d{4}-\d{6}\b", "number"),
    (r"\b(VC|PR|PK)-[0-9A-Z-]+\b", "credit"),
)
APPS = {"billing", "tenants"}

Picture = dict[str, list[str]]


def picture(tenant: Organisation) -> Picture:
    """All rows of a tenant, table by table, without ids and without what differs by chance."""
    found = {}
    with operator_scope():
        for model in tenant_models():
            if model._meta.app_label not in APPS:
                continue
            rows = model._default_manager.filter(tenant_id=tenant.pk)
            said = sorted(_said(row, model, tenant) for row in rows)
            if model is RejectedEvent:
                # What is refused is listed each time it is sent.
                said = sorted(set(said))
            if said:
                found[model._meta.label] = said
    return found


def _said(row: models.Model, model: type[models.Model], tenant: Organisation) -> str:
    values = {
        field.name: getattr(row, field.attname)
        for field in model._meta.concrete_fields
        if not _is_passing(field, model)
    }
    text = json.dumps(values, default=_plain, sort_keys=True, ensure_ascii=False)
    for pattern, name in NAMES:
        text = re.sub(pattern, name, text)
    for name in (tenant.code, tenant.code.title()):
        text = text.replace(name, "tenant")
    return text


def _is_passing(field: "models.Field[Any, Any]", model: type[models.Model]) -> bool:
    if field.primary_key or field.is_relation or isinstance(field, models.UUIDField):
        return True
    return field.name in PASSING or (model, field.name) in OF_ALL_TENANTS


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
