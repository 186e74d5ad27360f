"""The demo set's code is found outside the package."""

from demo_set import use_makers_code

use_makers_code()
