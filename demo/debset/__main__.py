"""``python3 -m debset``."""

import sys

from debset.cli import main

sys.exit(main())
