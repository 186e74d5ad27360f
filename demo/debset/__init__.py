"""Makes the demo package set: ``python3 -m debset``, called by ``scripts/demo``.

Input is ``demo/packages.json`` and apt's packages; output is a directory that Nix can import:

    default.nix  builder/   copies of the code in demo/
    set.json                every package with its files, dependencies and outputs
    debs/                   the Debian packages
    busybox/                unpacks the first of them
    scan.json               results of scanning the packages, by their hash; used by the maker only
    whole                   exists if all packages are wanted
    stamp                   the inputs of all this; written last

Steps: ``table`` reads the input, ``apt`` resolves and downloads, ``scan`` reads the packages,
``graph`` finds the dependencies, ``assemble`` combines them into the set, ``cli`` writes it.
"""
