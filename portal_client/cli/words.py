"""What portalctl says, in English and in Chinese.

The catalogue is Python, so that the command is whole without a step that compiles it.
"""

from collections.abc import Mapping
from contextvars import ContextVar

from portal_client.cli.chinese import SENTENCES, TITLES

ENGLISH, CHINESE = "en", "zh-hans"
_language: ContextVar[str] = ContextVar("language", default=ENGLISH)


def language_of(environment: Mapping[str, str]) -> str:
    """The language of a terminal, by the variables that POSIX names, in their order."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if said := environment.get(name):
            return CHINESE if said.lower().startswith("zh") else ENGLISH
    return ENGLISH


def speak(language: str) -> None:
    """Choose the language of all that is said from here on."""
    _language.set(language)


def say(text: str, **values: object) -> str:
    """A sentence in the chosen language, with its values filled in."""
    told = SENTENCES[text] if _language.get() == CHINESE else text
    return told.format(**values) if values else told


def title(column: str) -> str:
    """The heading of a column."""
    if _language.get() == CHINESE:
        return TITLES[column]
    return column.replace("_", " ")
