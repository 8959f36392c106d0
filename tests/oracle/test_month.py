"""The product's bills are those of a script that shares nothing with it, to the fen."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from billing.models import Invoice
from billing.money import CURRENCY
from tenants.scoping import operator_scope
from tests.billing.shorthand import broken
from tests.factories import billing as make
from tests.oracle import story
from tests.oracle.product import Product

SCRIPT = Path(__file__).with_name("month.py")
Facts = dict[str, Any]


def oracle(*arguments: str, facts: Facts | None = None) -> Facts:
    """Ask the script, which is run without this project and without any installed package."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), *arguments],
        input=json.dumps(facts) if facts is not None else None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: Facts = json.loads(done.stdout)
    return answer


def agree(facts: Facts, currency: str = CURRENCY) -> Facts:
    """Both say the same of the facts; gives what they say."""
    expected = oracle(facts=facts)
    found = Product(facts, currency=currency).live()
    assert found == expected
    assert broken() == ()
    return found


def test_the_oracle_imports_pythons_own_library_and_nothing_else() -> None:
    named = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text())):
        if isinstance(node, ast.Import):
            named |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            named.add(str(node.module).partition(".")[0])
    assert named <= sys.stdlib_module_names


@pytest.mark.django_db
def test_a_month_of_mixed_use_comes_to_the_oracles_money() -> None:
    found = agree(story.month(story.stand_in()))
    skus = {line[0] for line in found["invoices"][0]["lines"]}
    # Nothing of the month is left out: what is compared is there.
    assert skus == {price["sku"] for price in story.lists(changed=False)[0]["prices"]}
    first, second, third, fourth = found["invoices"]
    assert any(line[1] for line in second["lines"])
    assert any(line[1] and line[2] < 0 for line in third["lines"])
    assert fourth["gross"].startswith("-")


@pytest.mark.django_db
def test_a_month_under_contract_comes_to_the_oracles_money() -> None:
    found = agree(story.agreed())
    first, second, third, last = (one["lines"] for one in found["invoices"])
    # Nothing that was agreed is left out: what is compared is there. Hours of the package cost
    # nothing, and a tier that is entered in the second half prices the first half anew.
    assert found["package"] == 0
    assert ["adjustment", False, 1, "-12.34", "-0.74"] in first
    assert ["card.910b3", False, 48_748, "0.00", "0.00"] in first
    assert ["card.910b3", False, 11_066, "0.00", "0.00"] in second
    assert [line[2] for line in second if line[:2] == ["tokens.in", False]] == [
        -1_288_507,
        0,
        5_609_248,
    ]
    assert ["contract.minimum", False, 0, "378.79", "22.73"] in second
    # Use of November that is told late lowers what November lacked.
    assert ["contract.minimum", False, 0, "-5.83", "-0.35"] in third
    assert ["contract.commitment", False, 0, "650.00", "39.00"] in third
    assert [line[0] for line in last] == ["card.h20", "contract.minimum"]
    assert found["invoices"][-1]["net"] == "0.00"


@pytest.mark.django_db
def test_a_month_in_dollars_comes_to_the_oracles_money_beside_a_dearer_yuan_list() -> None:
    facts = story.agreed()
    make.make_tax()
    make.publish(
        [
            make.price_line(one["meter"], "99", 1, one["match"], one["sku"])
            for one in facts["lists"][0]["prices"]
        ],
        now=make.MONTH_START,
    )
    found = agree(facts, currency="USD")
    assert ["card.h20", False, 12_004, "25.01", "1.50"] in found["invoices"][0]["lines"]
    with operator_scope():
        assert {one.currency for one in Invoice.objects.all()} == {"USD"}


@pytest.mark.django_db
@pytest.mark.parametrize("state", story.STATES)
def test_a_tenant_in_each_state_of_arrears_owes_what_the_oracle_says(state: str) -> None:
    found = agree(story.in_arrears(state))
    assert found["assessed"][-1]["state"] == state


@pytest.mark.django_db
def test_a_debt_that_was_taken_back_is_not_overdue() -> None:
    found = agree(story.credited_debt())
    assert found["assessed"][-1]["state"] == "normal"


@pytest.mark.trace
@pytest.mark.django_db
def test_a_month_with_the_public_traces_calls_comes_to_the_oracles_money() -> None:
    folder = os.environ.get("PORTAL_TRACES")
    if not folder:
        pytest.fail("Set PORTAL_TRACES to the folder that holds the public traces.")
    path = Path(folder) / "AzureLLMInferenceTrace_code.csv"
    told = oracle("--trace", str(path), "1.00", "4.00")
    assert told["calls"] == 8_819
    assert told["ContextTokens"] == [18_059_974, "18.06"]
    assert told["GeneratedTokens"] == [245_896, "0.98"]
    agree(story.month(story.of_trace(path)))
