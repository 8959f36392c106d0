"""A process killed after any statement leaves nothing half done, and a retry does it once."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection

from billing.models import Invoice, InvoiceCounter, UsageBucket
from tenants.models import Organisation
from tenants.scoping import operator_scope, tenant_scope
from tests.billing.shorthand import broken, ingest, pay_in, stands
from tests.factories import billing as make

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).parents[2]


def act_in_child(act: str, tenant: Organisation, fatal_statement: int) -> tuple[int, str]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.billing.crashing",
            str(connection.settings_dict["NAME"]),
            act,
            str(tenant.pk),
            str(fatal_statement),
        ],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in {0, 9}, done.stderr
    return done.returncode, done.stdout.strip()


def events_counted() -> int:
    with operator_scope():
        return sum(UsageBucket.objects.values_list("events", flat=True))


@pytest.mark.parametrize(("act", "size"), [("ingest", 5), ("ingest-large", 1_200)])
@pytest.mark.parametrize("from_end", [0, 1, 2, 3])
def test_ingest_killed_midway_counts_nothing_and_the_retry_counts_once(
    act: str, size: int, from_end: int
) -> None:
    rehearsal = make.make_tenant("rehearsal")
    code, statements = act_in_child(act, rehearsal, 0)
    assert code == 0
    alice = make.make_tenant("alice")
    assert act_in_child(act, alice, int(statements) - from_end)[0] == 9
    with tenant_scope(alice.pk):
        assert UsageBucket.objects.count() == 0
    assert broken() == ()
    assert act_in_child(act, alice, 0)[0] == 0
    assert act_in_child(act, alice, 0)[0] == 0
    assert events_counted() == 2 * size
    assert broken() == ()


@pytest.mark.parametrize("share", ["0.4", "0.6", "0.8", "1"])
def test_an_issue_killed_midway_leaves_no_invoice_and_the_retry_issues_one(share: str) -> None:
    make.make_prices()
    rehearsal, alice = make.make_tenant("rehearsal"), make.make_tenant("alice")
    for tenant in (rehearsal, alice):
        ingest(tenant, make.tokens("t1", 1_000_000))
        pay_in(tenant, "10.00")
    with operator_scope():
        # The year's first number would take the rehearsal two statements more.
        InvoiceCounter.objects.create(issuer="ACC", year=2026)
    code, statements = act_in_child("issue", rehearsal, 0)
    assert code == 0
    fatal = int(int(statements) * Decimal(share))
    assert act_in_child("issue", alice, fatal)[0] == 9
    with operator_scope():
        assert Invoice.objects.count() == 1
    assert stands(alice).balance == 10
    assert broken() == ()
    assert act_in_child("issue", alice, 0)[0] == 0
    with operator_scope():
        assert list(Invoice.objects.order_by("sequence").values_list("sequence", flat=True)) == [
            1,
            2,
        ]
    assert stands(alice).balance == Decimal("8.94")
    assert broken() == ()
