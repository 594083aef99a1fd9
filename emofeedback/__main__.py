"""`python -m emofeedback`."""

import sys

from emofeedback.cli import main

if __name__ == "__main__":
    sys.exit(main())
