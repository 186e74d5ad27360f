"""Images without a server: their plan, and their bytes in a directory or a file.

    prepare.py      from the name to the closure: the builder's steps without its caches
    planning.py     the layers, as a server with these settings and this storage plans them
    destination.py  checks of the output path
    build.py        builds blobs and manifest (scratch.py: where they are written)
    layout.py       … as an OCI image layout, byte for byte what a server serves
    docker.py       … as an archive for ``docker load``, with the same layers uncompressed
    report.py       a plan as text or JSON

Uses the same steps as a server (``assembler``), with the same settings, plans and tables. Writes
nothing to the server's storage.
"""
