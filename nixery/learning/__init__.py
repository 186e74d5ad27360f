"""Learning: makes the tables that layers are planned with, outside of every pull.

Used by the hourly child process of a server and by ``nixery popcount``. Replaying images and
merging units is pure; records and the schedule are the edge.

    requested_images.py   the images that were built, recorded in the storage
    schedule.py           when to learn, and publishing the result
    child.py              the child process: records in, table out
    learn.py              the steps from records to a table of units
    demand.py  replay.py  which packages were requested, and images that could be requested
    pairs.py              which units are candidates for one layer
    sharing_cost.py       the expected cost of units that share a layer
    unite.py  offers.py   puts units together until images fit their budget
    moves.py              improves the result by moving single units
"""
