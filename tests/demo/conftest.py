"""The demo set's code is found outside the package."""

from support.demo_set import use_makers_code

use_makers_code()
