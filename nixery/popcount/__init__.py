"""Analysis of a whole package set, for the tables that a server starts with.

    local.py     store paths of this machine that the command line names
    channel.py   a channel: its store-paths.xz and its binary cache
    narinfo.py   a binary cache's answer about one store path
    journal.py   answers on disk, so that an interrupted run can continue
    count.py     pure: a graph becomes popularity, units and a starting list

On this machine's store, Nix provides the graph (``nixery.nix``).
"""
