"""The quick start works as it stands: its blocks run against a whole product."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from portal.demonstration.doors import wait_for
from tests.instance import own_instance
from tests.journeys.product import FIRST_TENANT, Product
from tests.portal_client.quickstart import PAGE, TWIN, blocks, perform

METERS = {
    "compute.card_seconds",
    "compute.reserved_card_seconds",
    "appliances.tokens_in",
    "appliances.tokens_out",
}


def test_the_two_languages_of_the_page_have_the_same_blocks() -> None:
    assert blocks(PAGE) == blocks(TWIN)
    assert {language for language, _text in blocks(PAGE)} == {
        "console",
        "bash",
        "python",
        "portalctl",
    }


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with own_instance(tmp_path) as instance:
        instance.start()
        made = Product(instance)
        made.build()
        yield made


class Centre:
    """What the centre's people do meanwhile: take money, approve, issue invoices."""

    def __init__(self, product: Product) -> None:
        self._api, self._operator = product.api(), product.operator()
        self._page = f"/ops/tenants/{FIRST_TENANT}/"

    def top_up(self) -> None:
        self._operator.submit(
            self._page, f"{self._page}top-up/", amount="5000.00", reference="transfer", idem="t-1"
        )

    def before(self, block: str) -> None:
        """Whatever a block waits for or reads, that a customer cannot do alone."""
        if "active" in block:
            for row in self._api.get("reservations")["items"]:
                if row["state"] == "awaiting_approval":
                    approvals = "/ops/approvals/"
                    self._operator.submit(approvals, f"{approvals}{row['id']}/approve/")
        if "summary" in block:
            wait_for("Metering of cards and tokens", self._is_metered, 60)
        if "/lines/1/events" in block or "list_lines_events" in block:
            moment = datetime.now(UTC).isoformat()
            self._operator.submit(self._page, f"{self._page}invoice/", idem=f"i-{moment}")

    def _is_metered(self) -> bool:
        rows = self._api.get("usage/summary", group_by="meter")["items"]
        return {row["meter"] for row in rows if row["quantity"] > 0} >= METERS


@pytest.mark.processes
@pytest.mark.curl
def test_the_page_works_in_curl_in_python_and_at_a_terminal(
    product: Product, tmp_path: Path
) -> None:
    assert shutil.which("curl"), "curl is not on PATH"
    centre = Centre(product)
    centre.top_up()

    def run(language: str) -> str:
        return perform(
            language,
            folder=tmp_path,
            address=product.web,
            key=product.key,
            before=centre.before,
        )

    curl = run("bash")
    assert '"role": "assistant"' in curl or '"role":"assistant"' in curl
    assert all(meter in curl for meter in METERS)
    assert (tmp_path / "invoice.pdf").read_bytes().startswith(b"%PDF-")
    number = product.api().get("invoices")["items"][0]["number"]
    assert number in curl

    python = run("python")
    assert "CNY with tax" in python
    assert all(meter in python for meter in METERS)
    newest = product.api().get("invoices")["items"][0]["number"]
    assert newest != number
    assert (tmp_path / f"{newest}.pdf").read_bytes().startswith(b"%PDF-")
    assert "call-2 accepted" in python

    terminal = run("portalctl")
    assert newest in terminal
    assert (tmp_path / "terminal.pdf").read_bytes().startswith(b"%PDF-")
    assert (tmp_path / "focus.csv").stat().st_size > 0
    assert product.key not in curl + python + terminal
