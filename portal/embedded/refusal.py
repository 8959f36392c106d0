"""What stops a start: always one clear sentence for the person at the keyboard."""


class Refusal(Exception):
    """The product cannot start here; the message says why and what to do."""


class StopAsked(Exception):
    """Ctrl-C, SIGTERM or a closed terminal: the wish to end, never a failure."""
