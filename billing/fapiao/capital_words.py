"""Amounts in the capital words of Chinese accounting, which nobody alters with one stroke.

Source: the Accounting Basic Work Standard (会计基础工作规范), article 52, as banks apply it.
"""

from decimal import Decimal

from billing.money import FEN

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "万亿")
LARGEST = Decimal("9999999999999999.99")


def in_capital_words(amount: Decimal) -> str:
    """An amount of whole fen as printed on a fapiao: 1002.30 is 壹仟零贰元叁角.

    Shape: 整 follows where there are no fen; a negative amount, as on a red letter, begins with
    （负数）.
    Raises: ValueError for parts of a fen and for more than the words reach.
    """
    if amount != amount.quantize(FEN) or abs(amount) > LARGEST:
        raise ValueError("This amount has no capital words.")
    total = int(abs(amount) * 100)
    yuan, jiao, fen = total // 100, total // 10 % 10, total % 10
    words = f"{_whole(yuan)}元" if yuan else ""
    if jiao:
        words += f"{_DIGITS[jiao]}角"
    elif fen and yuan:
        words += "零"
    if fen:
        words += f"{_DIGITS[fen]}分"
    elif jiao == 0:
        words = f"{words or '零元'}整"
    return f"（负数）{words}" if amount < 0 else words


def _whole(number: int) -> str:
    """A whole number above zero: one zero between digits, however many stand there."""
    said = ""
    owes_zero = False
    for group in range(len(_GROUPS) - 1, -1, -1):
        part = number // 10_000**group % 10_000
        if not part:
            owes_zero = bool(said)
            continue
        if said and (owes_zero or part < 1000):
            said += "零"
        # 万亿 shares its 亿 with the group below where that one has digits of its own.
        name = _GROUPS[group]
        if name == "万亿" and number // 10_000**2 % 10_000:
            name = "万"
        said += _four(part) + name
        owes_zero = False
    return said


def _four(part: int) -> str:
    said = ""
    owes_zero = False
    for place in range(3, -1, -1):
        digit = part // 10**place % 10
        if not digit:
            owes_zero = bool(said)
            continue
        said += ("零" if owes_zero else "") + _DIGITS[digit] + _PLACES[place]
        owes_zero = False
    return said
