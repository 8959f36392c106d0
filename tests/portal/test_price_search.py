"""Finding a price in a list of hundreds."""

import pytest
from pytest_django import Settings

from tests.factories import billing as make
from tests.portal.operator_stage import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en"


@pytest.mark.parametrize(
    ("search", "found"),
    [("", 90), ("token", 40), ("TOKEN m7", 1), ("价格 m7 tokens_in", 1), ("no such thing", 0)],
)
def test_a_long_list_is_searched_by_what_a_reader_sees(search: str, found: int) -> None:
    make.make_tax()
    meters = ["test.tokens_in"] * 40 + ["test.card_seconds"] * 50
    make.publish(
        [
            make.price_line(meter, "1", 1, {"model" if number < 40 else "chip": f"m{number:02}"})
            for number, meter in enumerate(meters)
        ]
    )
    page = signed_in("support").get("/ops/prices/", {"search": search.replace("m7", "m07")})
    text = page.content.decode()
    shown = min(found, 60)
    assert f"{shown} of {found} prices are shown." in text
    assert text.count('<span class="sub mono">test.') == 2 * shown
    assert ("Search for the others." in text) == (found > 60)


def test_a_short_list_has_no_search() -> None:
    make.make_prices()
    text = signed_in("support").get("/ops/prices/").content.decode()
    assert "Find a price" not in text
