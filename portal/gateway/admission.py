"""Who may make this call: key, scope, model, budget, rate, in this order."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.gateway import errors
from portal.gateway.http import Scope, bearer
from portal.gateway.runtime import Runtime
from portal.gateway.snapshot import Grant, Snapshot, Target
from tenants.permissions import Permission

SCOPE = Permission.MODEL_CALL.value


@dataclass(frozen=True)
class Caller:
    """A known key, and the snapshot its call is decided by from beginning to end."""

    grant: Grant
    snapshot: Snapshot


def authenticate(runtime: Runtime, scope: Scope, now: datetime) -> Caller:
    """Raises: Refusal 401 for a missing, unknown or expired key, 403 without the scope, 503."""
    snapshot = runtime.current.snapshot
    if snapshot is None:
        raise errors.not_ready("The gateway has not yet heard of any key.")
    if now - snapshot.taken_at > runtime.bounds.snapshot_age:
        raise errors.not_ready("What the gateway knows of keys is too old to be trusted.")
    secret = bearer(scope)
    grant = snapshot.grant_for(secret) if secret else None
    if grant is None or (grant.expires_at is not None and grant.expires_at <= now):
        raise errors.unknown_key()
    if SCOPE not in grant.scopes:
        raise errors.key_may_not_call()
    return Caller(grant=grant, snapshot=snapshot)


def target_of(caller: Caller, body: dict[str, Any]) -> Target:
    """The model server for the model that the body names.

    Raises: Refusal 400 without a model, 402 while frozen for arrears, 404 for an unknown one or
    another tenant's, 403.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise errors.malformed("The body must name a model.", "model")
    grant = caller.grant
    target = caller.snapshot.targets.get((grant.tenant_id, model))
    refuse_frozen(caller, target)
    if target is None or grant.project_id not in (None, target.project_id):
        raise errors.unknown_model(model)
    if grant.allowed_models and model not in grant.allowed_models:
        raise errors.model_not_allowed(model)
    return target


def refuse_frozen(caller: Caller, target: Target | None) -> None:
    """A tenant in retention is told so, also of models that are stopped already.

    Raises: Refusal 402, the same for every model the tenant does not have running.
    """
    frozen = caller.snapshot.frozen.get(caller.grant.tenant_id)
    if frozen is not None and (target is None or target.resource_class in frozen.classes):
        needed = f"{frozen.amount_needed} {frozen.currency}"
        raise errors.in_arrears(frozen.code, needed, frozen.until)


def check_means(runtime: Runtime, caller: Caller) -> None:
    """Raises: Refusal 429 without funds or above the rate, 503 where metering cannot be written."""
    grant = caller.grant
    if grant.tenant_id not in caller.snapshot.spenders:
        raise errors.no_budget()
    rate = grant.requests_per_minute
    wait_seconds = runtime.limiter.take(
        grant.key_id,
        runtime.bounds.requests_per_minute if rate is None else rate,
        time.monotonic(),
    )
    if wait_seconds:
        raise errors.too_many(wait_seconds)
    if not runtime.spool.is_writable:
        raise errors.not_ready("Usage cannot be recorded at the moment.")
