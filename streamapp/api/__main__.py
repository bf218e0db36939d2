"""`python -m streamapp.api`: serve until SIGTERM."""

import sys

from streamapp.api.service import main

if __name__ == "__main__":
    sys.exit(main())
