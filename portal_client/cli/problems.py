"""What ends a command, and with which exit code."""

OK = 0
REFUSED = 1
USAGE = 2
UNREACHABLE = 3


class UsageError(Exception):
    """The command cannot be carried out as it was given; one sentence in the asked language."""


class Denied(Exception):
    """The portal answered, and the answer is no; a sentence and its stable code."""

    def __init__(self, sentence: str, code: str) -> None:
        self.code = code
        super().__init__(sentence)
