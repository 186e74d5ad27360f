"""Puts the code of the demo set on sys.path."""

from support.demo_set import use_makers_code

use_makers_code()
