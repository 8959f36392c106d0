"""portalctl says everything in both languages, and lines its tables up in both."""

import re
from dataclasses import dataclass
from decimal import Decimal

import pytest

from portal_client.cli.chinese import SENTENCES, TITLES
from portal_client.cli.output import Rows, as_text
from portal_client.cli.words import CHINESE, ENGLISH, language_of, speak
from tests.portal_client.sentences import columns, sentences

PLACEHOLDER = re.compile(r"\{\w+\}")


@dataclass
class Row:
    name: str
    net: Decimal
    project: str | None


def test_every_sentence_and_every_column_is_said_in_chinese_and_none_is_left_over() -> None:
    assert sentences() == set(SENTENCES)
    assert columns() == set(TITLES)
    for english, chinese in SENTENCES.items():
        assert set(PLACEHOLDER.findall(english)) == set(PLACEHOLDER.findall(chinese))
        assert chinese


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, ENGLISH),
        ({"LANG": "zh_CN.UTF-8"}, CHINESE),
        ({"LANG": "C"}, ENGLISH),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, ENGLISH),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_TW"}, CHINESE),
    ],
)
def test_the_language_is_the_terminal_s(variables: dict[str, str], language: str) -> None:
    assert language_of(variables) == language


def test_a_table_lines_up_where_characters_are_wide_and_numbers_end_together() -> None:
    rows = Rows(
        (Row("small-chat", Decimal("1.50"), "main"), Row("问答\x1b[31m", Decimal("120.00"), None)),
        ("name", "net", "project"),
    )
    speak(CHINESE)
    try:
        told = as_text(rows).splitlines()
    finally:
        speak(ENGLISH)
    assert told == [
        "名称        不含税金额  项目",
        "small-chat        1.50  main",
        "问答[31m        120.00  -",
    ]
