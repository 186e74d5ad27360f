"""What a derivation of the demo set runs: Debian packages in, the outputs of a store path out."""

from fromdeb.build import main

main()
