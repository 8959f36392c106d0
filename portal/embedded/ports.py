"""Ports of the loopback interface."""

import os
import socket

from portal.embedded.refusal import Refusal

LOOPBACK = "127.0.0.1"
HIGHEST_PORT = 65_535


def chosen_port(variable: str, default: int) -> int:
    """The port a variable asks for. Raises Refusal when it is malformed or taken."""
    text = os.environ.get(variable, "").strip() or str(default)
    if not text.isdigit() or not 0 < int(text) <= HIGHEST_PORT:
        raise Refusal(f"{variable} must be a port between 1 and {HIGHEST_PORT}, not {text!r}.")
    port = int(text)
    if not is_free(port):
        raise Refusal(
            f"Port {port} is taken by another program; stop that program or set {variable} "
            "to a free port."
        )
    return port


def is_free(port: int) -> bool:
    with socket.socket() as listener:
        # Without this, connections of a run that ended a moment ago would look like a taker.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
    # macOS lets a second program bind beside one that listens on every interface.
    with socket.socket() as caller:
        caller.settimeout(1)
        return caller.connect_ex((LOOPBACK, port)) != 0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])
