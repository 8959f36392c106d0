"""Both languages say everything: nothing missing, empty, unsure or left over."""

import re

import pytest

from tests.architecture.catalogues import SPEAKERS, catalogue, entries, sentences

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]")


@pytest.mark.parametrize("app", SPEAKERS)
def test_every_sentence_is_said_in_chinese(app: str) -> None:
    known = entries(catalogue(app))
    missing = {key: place for key, place in sentences(app).items() if key not in known}
    assert missing == {}


@pytest.mark.parametrize("app", SPEAKERS)
def test_no_translation_is_empty_or_unsure(app: str) -> None:
    unsure = [
        key
        for key, entry in entries(catalogue(app)).items()
        if entry.fuzzy
        or not (all(entry.string) if isinstance(entry.string, tuple) else entry.string)
    ]
    assert unsure == []


@pytest.mark.parametrize("app", SPEAKERS)
def test_no_translation_is_left_over(app: str) -> None:
    said = sentences(app)
    assert [key for key in entries(catalogue(app)) if key not in said] == []


@pytest.mark.parametrize("app", SPEAKERS)
def test_translations_keep_their_placeholders(app: str) -> None:
    wrong = []
    for key, entry in entries(catalogue(app)).items():
        wanted = set(PLACEHOLDER.findall(key[1]))
        told = entry.string if isinstance(entry.string, tuple) else (entry.string,)
        if any(set(PLACEHOLDER.findall(text)) != wanted for text in told):
            wrong.append(key)
    assert wrong == []
