"""The pure rules of a fapiao: capital words, tax numbers, lines that add up."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.fapiao.capital_words import LARGEST, in_capital_words
from billing.fapiao.credit_code import check_character, is_credit_code
from billing.fapiao.lines import Goods, line_of, spread, totals

GOODS = Goods("3040201990000000000", "*信息技术服务*算力服务费", "项")


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0.00", "零元整"),
        ("0.05", "伍分"),
        ("0.30", "叁角"),
        ("0.37", "叁角柒分"),
        ("1.00", "壹元整"),
        ("10.00", "壹拾元整"),
        ("10.05", "壹拾元零伍分"),
        ("1002.30", "壹仟零贰元叁角"),
        ("1409.50", "壹仟肆佰零玖元伍角"),
        ("6007.14", "陆仟零柒元壹角肆分"),
        ("1680.32", "壹仟陆佰捌拾元叁角贰分"),
        ("16409.02", "壹万陆仟肆佰零玖元零贰分"),
        ("100000.00", "壹拾万元整"),
        ("107000.53", "壹拾万柒仟元伍角叁分"),
        ("100100.00", "壹拾万零壹佰元整"),
        ("10000001.00", "壹仟万零壹元整"),
        ("100000000.00", "壹亿元整"),
        ("100010000.00", "壹亿零壹万元整"),
        ("1000000000001.00", "壹万亿零壹元整"),
        ("1234500000000.00", "壹万贰仟叁佰肆拾伍亿元整"),
        ("-12.10", "（负数）壹拾贰元壹角"),
    ],
)
def test_an_amount_in_capital_words(amount: str, words: str) -> None:
    assert in_capital_words(Decimal(amount)) == words


def read_words(words: str) -> Decimal:
    """The amount that words say, read by other rules than those that wrote them."""
    digits = {character: value for value, character in enumerate("零壹贰叁肆伍陆柒捌玖")}
    units = {"拾": 10, "佰": 100, "仟": 1000}
    sign = -1 if words.startswith("（负数）") else 1
    words = words.removeprefix("（负数）").removesuffix("整")
    whole, _yuan, parts = words.rpartition("元")
    total = section = digit = 0
    for character in whole:
        if character in digits:
            digit = digits[character]
        elif character in units:
            section, digit = section + digit * units[character], 0
        elif character == "万":
            section, digit = (section + digit) * 10_000, 0
            if section == 0:
                total *= 10_000
        elif character == "亿":
            total, section, digit = (total + section + digit) * 10**8, 0, 0
    fen = digit_of(parts, "角", digits) * 10 + digit_of(parts, "分", digits)
    return sign * (Decimal(total + section + digit) + Decimal(fen) / 100)


def digit_of(parts: str, unit: str, digits: dict[str, int]) -> int:
    place = parts.find(unit)
    return digits[parts[place - 1]] if place > 0 else 0


@given(st.integers(min_value=-(10**13), max_value=10**13))
def test_the_words_of_every_amount_say_that_amount(fen: int) -> None:
    amount = Decimal(fen) / 100
    words = in_capital_words(amount)
    assert read_words(words) == amount
    assert "零零" not in words


@pytest.mark.parametrize("amount", ["0.001", str(LARGEST + 1), "-0.005"])
def test_what_has_no_words_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="capital words"):
        in_capital_words(Decimal(amount))


# Published examples of companies' codes, all different in their check character.
@pytest.mark.parametrize(
    "code",
    [
        "91110000100000147X"[:17] + check_character("91110000100000147"),
        "91350100M000100Y43",
        "91330106673959654P",
    ],
)
def test_a_credit_code_has_its_check_character(code: str) -> None:
    assert is_credit_code(code)


@given(st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=17, max_size=17), st.data())
def test_one_wrong_character_of_a_credit_code_is_found(start: str, data: st.DataObject) -> None:
    code = start + check_character(start)
    place = data.draw(st.integers(min_value=0, max_value=17))
    other = data.draw(
        st.sampled_from([c for c in "0123456789ABCDEFGHJKLMNPQRTUWXY" if c != code[place]])
    )
    assert is_credit_code(code)
    assert not is_credit_code(code[:place] + other + code[place + 1 :])


@pytest.mark.parametrize(
    "code", ["", "91110000", "9111000010000014IX", "x" * 18, "911100001000001470 "]
)
def test_other_text_is_no_credit_code(code: str) -> None:
    assert not is_credit_code(code)


@given(
    st.decimals(min_value="0.01", max_value="9999999", places=2),
    st.sampled_from([Decimal(0), Decimal("0.06"), Decimal("0.13")]),
)
def test_a_line_keeps_its_amount_with_tax(gross: Decimal, rate: Decimal) -> None:
    line = line_of(GOODS, rate, gross)
    assert line.gross == gross
    assert abs(line.net * rate - line.tax) <= Decimal("0.01")
    red = line_of(GOODS, rate, -gross)
    assert (red.net, red.tax, red.quantity) == (-line.net, -line.tax, Decimal(-1))
    assert totals([line, red]) == (0, 0, 0)


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=4),
        st.integers(min_value=1, max_value=10**9).map(lambda fen: Decimal(fen) / 100),
        min_size=1,
        max_size=6,
    ),
    st.integers(min_value=1, max_value=100),
)
def test_a_spread_amount_leaves_nothing_over_and_takes_no_more_than_is_there(
    parts: dict[str, Decimal], percent: int
) -> None:
    whole = sum(parts.values(), Decimal(0))
    amount = (whole * percent / 100).quantize(Decimal("0.01"))
    shares = spread(amount, parts)
    assert sum(shares.values(), Decimal(0)) == amount
    assert all(0 < share <= parts[key] for key, share in shares.items())
    assert spread(whole, parts) == parts
