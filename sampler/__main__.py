"""`python -m tidemark.sampler`."""

import sys

from tidemark.sampler.cli import main

sys.exit(main())
