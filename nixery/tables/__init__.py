"""Planning tables: where they come from, and how replicas agree on them.

    NIX_POPULARITY_URL ── daily ──────────────────────────┐
    nixery tables publish ────────────────────────────────┤ publish
    images built ── asked/<key> ── learned, if it pays ───┤
                                                          ▼
                     tables/<kind>/<version>      immutable; kept while a plan refers to it
                     tables/<kind>/current        the current version, for all replicas
                                                          │
                                       each new plan ◄────┘

    published.py       the current table of each kind; a conditional write changes it
    current.py         those tables, parsed, for the next plan
    files.py           tables in files, as nixery popcount writes them
    stored.py          all tables of a storage, and restoring one
    popularity.py      NIX_POPULARITY_URL
    request_record.py  records of requested images, and the starting list, as bytes

A plan reads ``current`` when it is made, so equal requests and equal tables give equal plans on
every replica. An image that was planned before keeps its plan (``nixery/cache/plans.py``), whatever
is published.
"""
