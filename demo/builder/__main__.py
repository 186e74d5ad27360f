"""Builder of the demo set's derivations: turns Debian packages into the outputs of a package."""

from fromdeb.build import main

main()
