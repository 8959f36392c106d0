"""The quick start's own blocks, as programs that stop between two blocks."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "quickstart.md"
TWIN = ROOT / "docs" / "quickstart.zh.md"
NEXT = "@@ next"
# What each language says between two blocks, and how it waits to be told to go on.
PAUSES = {
    "bash": f'echo "{NEXT}"; read -r _',
    "portalctl": f'echo "{NEXT}"; read -r _',
    "python": f'print("{NEXT}", flush=True)\ninput()',
}
PATIENCE_SECONDS = 300


def blocks(page: Path) -> list[tuple[str, str]]:
    """Every fenced block of a page: its language and its text."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    return [(language, text) for language, text in found]


def perform(
    language: str,
    *,
    folder: Path,
    address: str,
    key: str,
    before: Callable[[str], None],
) -> str:
    """Run the page's blocks of a language in order, ``before`` each; gives what they wrote.

    Raises: AssertionError where one of them fails, with everything that was written.
    """
    mine = [text for spoken, text in blocks(PAGE) if spoken == language]
    assert mine, language
    script = folder / f"{language}-blocks"
    script.write_text("\n".join(f"{PAUSES[language]}\n{text}" for text in mine), encoding="utf-8")
    shell = ["bash", "-euo", "pipefail"]
    command = [sys.executable] if language == "python" else shell
    process = subprocess.Popen(
        [*command, str(script)],
        cwd=folder,
        env=_environment(folder, address, key),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    watch = threading.Timer(PATIENCE_SECONDS, process.kill)
    watch.start()
    written: list[str] = []
    try:
        waiting = iter(mine)
        assert process.stdin
        assert process.stdout
        for line in process.stdout:
            said, mark, _end = line.rpartition(NEXT)
            written.append(said if mark else line)
            if mark:
                before(next(waiting))
                process.stdin.write("\n")
                process.stdin.flush()
        code = process.wait()
    finally:
        watch.cancel()
        process.kill()
        process.communicate()
    assert code == 0, f"{language} ended with {code}:\n{''.join(written)}"
    return "".join(written)


def _environment(folder: Path, address: str, key: str) -> dict[str, str]:
    """An installed client's: the package, its command, and the two variables."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    command = tools / "portalctl"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m portal_client "$@"\n')
    command.chmod(0o755)
    return {
        "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PORTAL_URL": address,
        "PORTAL_KEY": key,
    }
