"""The unified social credit code, which is a company's tax number.

Source: GB 32100-2015: 18 characters of 31, the last a check over the others.
"""

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
LENGTH = 18


def check_character(first_seventeen: str) -> str:
    """The last character that belongs to these. Raises: KeyError for one outside the alphabet."""
    total = sum(
        _VALUES[character] * weight
        for character, weight in zip(first_seventeen, _WEIGHTS, strict=True)
    )
    return _ALPHABET[-total % 31]


def is_credit_code(text: str) -> bool:
    """Whether this is a code somebody may have been given: its form and its check character."""
    if len(text) != LENGTH or any(character not in _VALUES for character in text):
        return False
    return check_character(text[:-1]) == text[-1]
