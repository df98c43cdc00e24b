"""`python -m tidemark.live`: see `tidemark.live.companion`."""

import sys

from tidemark.live.companion import main

if __name__ == "__main__":
    sys.exit(main())
