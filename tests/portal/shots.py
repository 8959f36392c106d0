"""Pictures of pages in all eight ways: ``python -m tests.portal.shots ADDRESS...``.

``--cookie name=value`` (repeatable) is sent along, which is how a signed-in page is seen;
``--into FOLDER`` says where the pictures go; ``--fold`` keeps to the first screen.
"""

import argparse
import re
from pathlib import Path
from urllib.parse import urlsplit

from tests.portal.browser import WAYS, chromium, seen


def main() -> None:
    """Photograph every address given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("addresses", nargs="+")
    parser.add_argument("--cookie", action="append", default=[])
    parser.add_argument("--into", type=Path, default=Path(".screenshots"))
    parser.add_argument("--fold", action="store_true")
    chosen = parser.parse_args()
    chosen.into.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for address in chosen.addresses:
            for way in WAYS:
                with seen(browser, way, address) as context:
                    for pair in chosen.cookie:
                        name, _, value = pair.partition("=")
                        context.add_cookies([{"name": name, "value": value, "url": address}])
                    page = context.new_page()
                    page.goto(address, wait_until="load")
                    picture = chosen.into / f"{_name(address)}-{way}.png"
                    page.screenshot(path=picture, full_page=not chosen.fold)
                    print(picture)


def _name(address: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", urlsplit(address).path.lower()).strip("-") or "start"


if __name__ == "__main__":
    main()
