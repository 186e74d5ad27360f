"""Makes the demo package set: ``python3 -m debset``, called by ``scripts/demo``.

Input is ``demo/packages.json`` and what apt offers; output is a directory that Nix can import:

    default.nix  builder/   copies of the code in demo/
    set.json                every package with its files, dependencies and outputs
    debs/                   the Debian packages
    busybox/                what unpacks the first of them
    scan.json               what was found in the packages, by their hash; only the maker reads it
    whole                   there if all packages are wanted
    stamp                   what all this was made of; written last

Steps: ``table`` reads the input, ``apt`` resolves and downloads, ``scan`` looks into the packages,
``graph`` decides who depends on whom, ``assemble`` makes the set of it, ``cli`` writes it.
"""
