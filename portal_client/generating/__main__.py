"""Write portal_client/api anew: ``python -m portal_client.generating``."""

import argparse
import sys
from pathlib import Path

import yaml

from portal_client.generating.document import read
from portal_client.generating.writing import formatted, render

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENT = PROJECT / "docs" / "openapi.yaml"
TARGET = PROJECT / "portal_client" / "api"


def generated(document: Path) -> dict[str, str]:
    """Every file of the folder, by its name."""
    # The document is nested JSON.
    return formatted(render(read(yaml.safe_load(document.read_text(encoding="utf-8")))))


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--document", type=Path, default=DOCUMENT)
    arguments.add_argument("--into", type=Path, default=TARGET)
    chosen = arguments.parse_args()
    files = generated(chosen.document)
    chosen.into.mkdir(parents=True, exist_ok=True)
    for old in chosen.into.glob("*.py"):
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (chosen.into / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(files)} files in {chosen.into}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
