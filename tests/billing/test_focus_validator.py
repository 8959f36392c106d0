"""The public FOCUS validator on our files; only the documented defects of its rules may fail.

Source: focus-validator 2.2.1 with its rule model 1.2.0.1, the newest one it brings along; defects
read in the model's JSON and in the issues of FOCUS_Spec that are named below.
"""

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_django import Settings

from billing.adapters.focus_csv import write_csv
from billing.focus.columns import Dataset, Version, columns
from billing.focus.facts import Row
from billing.queries.focus import cost_and_usage
from tenants.models import Organisation
from tenants.scoping import tenant_scope
from tests.billing.test_focus_notes import credit
from tests.factories import focus
from tests.factories.billing import HOUR, NOW
from tests.factories.focus_rows import rows_of

pytestmark = [pytest.mark.focus_validator, pytest.mark.django_db]

# It pins NumPy 1.26, which PyArrow 22 no longer takes.
PACKAGES = ("focus-validator==2.2.1", "pyarrow<22")
NO_PYTHON = (
    "There is no Python 3.12 here, which the public FOCUS validator needs: its checks were not "
    "made. Our own conformance checker was run on the same rows."
)
# What fails on a right file, and why: the rule, not the file, is wrong.
EMPTY_CONDITION = "the condition is left out, so an invoice's row fails (FOCUS_Spec#2394)"
IGNORED_CONDITION = "the condition is nested so that it is ignored (FOCUS_Spec#2393)"
INVERTED = "the condition asks for rows that have no CommitmentDiscountId, not for those with one"
ERRATUM = "lists Active, Expired and Pending instead of Used and Unused (erratum 11 of 1.2)"
OPEN_ROWS = "the condition is left out, so a row of the draft, which has no invoice, fails"
NOT_NULL = 'reads "may be null when ChargeClass is Correction" as "must be null"'
PARENT = "fails because a rule below it does"
DEFECTS = {
    "InvoiceId-C-004-C": EMPTY_CONDITION,
    "InvoiceId-C-005-C": OPEN_ROWS,
    "InvoiceId-C-003-C": PARENT,
    "InvoiceId-C-000-O": PARENT,
    "CommitmentDiscountQuantity-C-007-C": NOT_NULL,
    "CommitmentDiscountQuantity-C-003-C": PARENT,
    "CommitmentDiscountQuantity-C-000-C": PARENT,
    "CapacityReservationStatus-C-003-C": IGNORED_CONDITION,
    "CapacityReservationStatus-C-004-C": IGNORED_CONDITION,
    "CapacityReservationStatus-C-002-C": PARENT,
    "CapacityReservationStatus-C-000-C": PARENT,
    "CommitmentDiscountStatus-C-004-C": INVERTED,
    "CommitmentDiscountStatus-C-005-M": ERRATUM,
    "CommitmentDiscountStatus-C-002-C": PARENT,
    "CommitmentDiscountStatus-C-000-C": PARENT,
    "CostAndUsage-D-002-M": PARENT,
    "CostAndUsage-D-000-M": PARENT,
}
# "MUST contain only ASCII characters" is the validator's own: the specification asks for valid
# Unicode (StringHandling-A-001-M). The centre below has a name that the validator reads, too.
SELLER = "Example AI Computing Centre"
TOTAL = re.compile(r"Total: (\d+) \| Pass: (\d+) \| Fail: (\d+) \| Skipped: (\d+)")


def python_312() -> str | None:
    """A Python 3.12 that starts; a name that only says it is installed elsewhere does not."""
    named = ["python3.12", *map(str, Path.home().glob(".pyenv/versions/3.12.*/bin/python3.12"))]
    for name in [sys.executable, *named]:
        found = shutil.which(name)
        if found is None:
            continue
        asked = subprocess.run(
            [found, "-c", "import sys; print(sys.version_info[:2] == (3, 12))"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.stdout.strip() == "True":
            return found
    return None


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The validator in an environment of its own: its pins have no place in ours."""
    python = python_312()
    if python is None:
        print(NO_PYTHON)
        pytest.skip(NO_PYTHON)
    home = tmp_path_factory.mktemp("focus-validator")
    steps = (
        [python, "-m", "venv", str(home)],
        [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES],
    )
    for step in steps:
        ran = subprocess.run(step, capture_output=True, text=True, check=False)
        if ran.returncode:
            pytest.fail(f"The public FOCUS validator could not be installed: {ran.stderr[-500:]}")
    return home


def judged(home: Path, file: Path, *options: str) -> tuple[set[str], int]:
    """The rules that failed and how many passed; its exit code is 0 whatever it found."""
    # It reads its list of currencies by a path relative to where it is installed.
    (site,) = home.glob("lib/python3.12/site-packages")
    chosen = ["--validate-version", "1.2", "--block-download", "--focus-dataset", "CostAndUsage"]
    ran = subprocess.run(
        [str(home / "bin" / "focus-validator"), "--data-file", str(file), *chosen, *options],
        cwd=site,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    told = ran.stdout + ran.stderr
    total = TOTAL.search(told)
    assert total is not None, told[-2000:]
    failed = set(re.findall(r"❌ (\S+):", told))
    assert len(failed) == int(total[3])
    return failed, int(total[2])


def write(path: Path, rows: Sequence[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as out:
        write_csv(out, rows, columns(Dataset.COST_AND_USAGE, Version.V1_2))
    return path


# How many rules passed on each file: fewer would mean that the validator looked at less. A rule
# that fails on the draft's rows takes its parents with it, so the real month passes a few less.
@pytest.mark.parametrize(
    ("options", "passes"),
    [
        ((), {"real": 133, "every kind": 136}),
        (("--applicability-criteria", "ALL"), {"real": 352, "every kind": 358}),
    ],
    ids=["plain", "all"],
)
def test_only_documented_defects_of_the_public_validator_fail(
    alice: Organisation,
    validator: Path,
    tmp_path: Path,
    settings: Settings,
    options: tuple[str, ...],
    passes: dict[str, int],
) -> None:
    settings.INVOICE_SELLER_NAME = SELLER
    focus.default_prices()
    first, _second = focus.mixed_month(alice)
    credit(first, now=NOW)
    with tenant_scope(alice.pk):
        month = focus.NOVEMBER
        real = list(cost_and_usage(tenant_id=alice.pk, month=month, now=NOW + 3 * HOUR))
    counts = {}
    for name, rows in (("real", real), ("every kind", rows_of(Dataset.COST_AND_USAGE))):
        failed, counts[name] = judged(validator, write(tmp_path / f"{name}.csv", rows), *options)
        assert failed <= set(DEFECTS), name
    assert counts == passes


def test_the_public_validator_does_see_a_column_that_is_wrong_throughout(
    validator: Path, tmp_path: Path
) -> None:
    """A control: that it finds something means that what it passes was looked at."""
    file = write(tmp_path / "wrong.csv", rows_of(Dataset.COST_AND_USAGE))
    with file.open(newline="") as source:
        reader = csv.DictReader(source)
        header, rows = list(reader.fieldnames or ()), list(reader)
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, header)
        writer.writeheader()
        writer.writerows([row | {"BillingCurrency": "yuan"} for row in rows])
    failed, _passed = judged(validator, file)
    assert failed - set(DEFECTS)
