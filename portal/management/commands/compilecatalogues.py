"""Compile every translation catalogue of the product; no gettext is needed on the machine."""

import os
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Write a .mo beside each of our .po files that is newer than it."""

    help = "Compile the translation catalogues that changed."
    requires_system_checks: list[str] = []

    # The base class leaves the options untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        for source in catalogues():
            target = source.with_suffix(".mo")
            if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
                compile_catalogue(source, target)


def catalogues() -> list[Path]:
    """The .po files of our own apps, in a stable order."""
    root = Path(settings.BASE_DIR)
    places = {Path(config.path) / "locale" for config in apps.get_app_configs()}
    places |= {Path(place) for place in settings.LOCALE_PATHS}
    ours = (place for place in places if place.is_relative_to(root) and ".venv" not in place.parts)
    return sorted(file for place in ours for file in place.glob("*/LC_MESSAGES/*.po"))


def compile_catalogue(source: Path, target: Path) -> None:
    """Raises CommandError where the catalogue is malformed; the old .mo stays then."""
    try:
        with source.open("rb") as text:
            catalogue = read_po(text, abort_invalid=True)
    except (PoFileError, ValueError) as error:
        raise CommandError(f"{source} is malformed: {error}") from error
    # Of this process alone: two that compile at once each put a whole file in place.
    fresh = target.with_suffix(f".{os.getpid()}")
    with fresh.open("wb") as compiled:
        write_mo(compiled, catalogue)
    fresh.rename(target)
