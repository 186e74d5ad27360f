"""Images without a server: what layers one has and why, and its bytes in a directory or a file.

    prepare.py   from the name to the closure, rooted: the builder's steps without what it remembers
    planning.py  the layers as a server with these settings and this storage would have them
    place.py     where the image goes, and whether it can
    build.py     blobs and manifest, made again (scratch.py: where)
    layout.py    … as an OCI image layout, byte for byte what a server serves
    docker.py    … as an archive for ``docker load``, with the same tars, uncompressed
    report.py    a plan for people and for programs

A server and this room make images by the same steps (``assembler``), out of the same settings,
plans and tables. Nothing is written to the server's storage.
"""
