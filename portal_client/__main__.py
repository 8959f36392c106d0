"""``python -m portal_client`` is portalctl."""

import sys

from portal_client.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
