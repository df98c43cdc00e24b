"""`python -m tidemark.targets.brokers`."""

import sys

from tidemark.targets.brokers.command import main

sys.exit(main())
