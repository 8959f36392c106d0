"""The whole product running beside a test, with its demonstration centre and its doors."""

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.demonstration import centre
from portal.demonstration.doors import OperatorConsole, SignIn, TenantApi
from portal.embedded.postgres import embedded_postgres
from tests.instance import OURS, ROOT, Instance

OPERATOR = "admin@centre.example"


@dataclass
class Product:
    """A started instance; ``build`` makes its centre, then its doors open."""

    instance: Instance

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.instance.web}"

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.instance.gateway}"

    def manage(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """One management command in the instance's own surroundings."""
        kept = {key: text for key, text in os.environ.items() if not key.startswith(OURS)}
        folder = self.instance.folder
        own = {
            "DATABASE_URL": embedded_postgres(folder).url,
            "PORTAL_STATE_DIR": str(folder),
            "SECRET_KEY": (folder / "secret-key").read_text().strip(),
            "PUBLIC_URL": self.web,
            "GATEWAY_URL": self.gateway,
            "PORTAL_INSTANCE": str(folder),
        }
        return subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            cwd=ROOT,
            env={**kept, **own, **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def build(self, **variables: str) -> None:
        made = self.manage("bootstrap_centre", **variables)
        assert made.returncode == 0, made.stderr

    # The sign-ins are JSON.
    def _kept(self) -> Any:
        return json.loads((self.instance.folder / "sign-ins.json").read_text())

    @property
    def key(self) -> str:
        return str(self._kept()["key"])

    def api(self) -> TenantApi:
        return TenantApi(self.web, self.key)

    def operator(self) -> OperatorConsole:
        return OperatorConsole(self.web, SignIn(OPERATOR, self._kept()["sign_ins"][OPERATOR]))

    def model_servers(self, model: str) -> list[int]:
        """Processes that serve this model, of this instance only."""
        found = []
        for process in self.instance.processes():
            try:
                words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"appliances.runtimes.smallmodel.server" in words and model.encode() in words:
                found.append(process)
        return found


def a_name(word: str) -> str:
    return f"{word}-{secrets.token_hex(3)}"


FIRST_TENANT = centre.ENTERPRISES[0].code
