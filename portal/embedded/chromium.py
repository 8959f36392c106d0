"""Find a Chromium for the browser tests, or get one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from portal.embedded.refusal import Refusal

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
ASK_PLAYWRIGHT = (
    "from playwright.sync_api import sync_playwright as s\n"
    "with s() as p: print(p.chromium.executable_path)"
)


def chromium() -> str:
    """Path of a Chromium. Raises Refusal with what to install."""
    return _given() or _present() or _from_debian() or _from_playwright() or _refuse()


def _given() -> str:
    given = os.environ.get("PORTAL_CHROMIUM", "")
    if given and not os.access(given, os.X_OK):
        raise Refusal(f"PORTAL_CHROMIUM names {given}, which is not a program.")
    return given


def _present() -> str:
    on_path = (shutil.which(name) for name in NAMES)
    in_places = (place for place in MAC_PLACES if os.access(place, os.X_OK))
    return next((found for found in (*on_path, *in_places) if found), "")


def _from_debian() -> str:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return ""
    print("Installing chromium for the browser tests ...", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    wanted = ["chromium", "fonts-noto-cjk"]
    for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *wanted]):
        if subprocess.run(
            ["apt-get", *step], check=False, env=quiet, stdout=subprocess.DEVNULL
        ).returncode:
            return ""
    return _present()


def _from_playwright() -> str:
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    asked = subprocess.run(
        [sys.executable, "-c", ASK_PLAYWRIGHT], check=False, capture_output=True, text=True
    )
    place = asked.stdout.strip()
    return place if place and Path(place).exists() else ""


def _refuse() -> str:
    raise Refusal(
        "The browser tests need Chromium; install it (Debian: apt-get install chromium), or set "
        "PORTAL_CHROMIUM to its program."
    )
