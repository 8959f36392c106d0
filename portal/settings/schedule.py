"""What beat pokes, and how often; the work itself is found by the sweepers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Poke:
    """One task called by name on a fixed rhythm."""

    task: str
    every_seconds: int


POKES = (
    Poke("compute.sweep", 15),
    Poke("appliances.sweep", 15),
    Poke("billing.accrue", 60),
    Poke("billing.issue_due", 600),
    Poke("billing.reassess_arrears", 60),
    Poke("billing.prepare_days", 3600),
    Poke("billing.keep_credits", 600),
    Poke("billing.end_contracts", 600),
    Poke("tenants.sweep", 30),
    Poke("tenants.sweep_webhooks", 15),
    Poke("tenants.retire_webhook_log", 3600),
)


def beat_schedule() -> dict[str, dict[str, object]]:
    """Celery's form of the list.

    A poke that waited a whole rhythm is worthless, since the next one is there: it expires, so
    that a worker coming back finds one of each and not a backlog.
    """
    return {
        poke.task: {
            "task": poke.task,
            "schedule": float(poke.every_seconds),
            "options": {"expires": poke.every_seconds},
        }
        for poke in POKES
    }
