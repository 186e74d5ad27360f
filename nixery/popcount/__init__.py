"""``nixery popcount``: the tables a server can start with, counted over a whole package set.

    command.py   the command line
    local.py     what a path means in this machine's store
    channel.py   what a channel holds, from its store-paths.xz and its binary cache
    narinfo.py   what a binary cache says of one store path
    journal.py   answers kept on disk, so that an interrupted count goes on where it was
    count.py     pure: a graph becomes popularity, units and a starting list

On this machine's store the graph comes from Nix instead (``nixery.nix``).
"""
