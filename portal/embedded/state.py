"""What an instance keeps between runs: its folder, its lock, its secret."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.embedded.refusal import Refusal

ROOT = Path(__file__).resolve().parent.parent.parent


def state_folder() -> Path:
    """The closed folder of this instance, made where it does not exist."""
    wanted = os.environ.get("PORTAL_STATE_DIR", "").strip()
    folder = Path(wanted).expanduser().resolve() if wanted else ROOT / ".state"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"The folder {folder} cannot be made: {error.strerror}.") from error
    return folder


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the instance's lock. Raises Refusal beside another run.

    The kernel gives the lock back when the process ends, however it ends.
    """
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise Refusal(
                f"The portal already runs from {folder} (process {holder}); "
                "stop it first, or set PORTAL_STATE_DIR to another folder."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def kept_secret(folder: Path, name: str) -> str:
    """A random secret, the same at every start."""
    file = folder / name
    if not file.exists():
        fresh = file.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(64))
        fresh.rename(file)
    return file.read_text().strip()
