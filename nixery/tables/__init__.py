"""The tables that layers are planned with: where they come from, and how replicas agree on them.

    NIX_POPULARITY_URL ── daily ──────────────────────────┐
    nixery tables publish ────────────────────────────────┤ publish
    images made ── asked/<key> ── learn, when it pays ────┤
                                                          ▼
                     tables/<kind>/<version>      immutable; kept while a plan refers to it
                     tables/<kind>/current        which one counts; one object for all replicas
                                                          │
                                       each new plan ◄────┘

    published.py    which table of a kind counts; moved on a condition, so that one mover wins
    current.py      those tables, parsed, for the next plan
    files.py        tables in files, which nixery popcount makes
    kept.py         what counts now, and what lies there from before and may count again
    popularity.py   reads what NIX_POPULARITY_URL names
    watch.py        does so daily
    asked.py        what was asked for: one small object per image that was made
    record.py       such an object, and the starting list, as bytes
    learning.py     when to learn from it, and whether to publish
    child.py        learns, in a process of its own
    planning.py     all of it as one part of a server

A plan looks at ``current`` when it is made, so equal requests against equal published tables give
equal plans on every replica, without any replica having to notice a change in time. What was
planned before keeps its plan (``nixery/cache/plans.py``), whatever is published.
"""
