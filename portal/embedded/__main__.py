"""``python -m portal.embedded run|test``: what start.py hands over to."""

import sys

from portal.embedded.checking import check
from portal.embedded.refusal import Refusal, StopAsked
from portal.embedded.running import run

USAGE = "Usage: python3 start.py run [--once] [--bare] | test [--full] [pytest arguments]"


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["run"] and set(arguments[1:]) <= {"--once", "--bare"}:
        return run(once="--once" in arguments, bare="--bare" in arguments)
    if arguments[:1] == ["test"]:
        rest = [argument for argument in arguments[1:] if argument != "--full"]
        return check(full="--full" in arguments[1:], pytest_arguments=rest)
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        code = 1
    except (KeyboardInterrupt, StopAsked):
        code = 130
    sys.exit(code)
