"""Learning of planning tables, outside of pulls.

Used by the hourly child process of a server and by ``nixery popcount``. Replaying images and
joining units is pure; records and the schedule do I/O.

    requested_images.py   records of the images that were built, in the storage
    schedule.py           when to learn, and publishing the result
    child.py              the child process: records in, table out
    learn.py              the steps from records to a table of units
    demand.py  replay.py  requested packages, and random images that could be requested
    pairs.py              which units are candidates for one layer
    sharing_cost.py       the expected cost of units that share a layer
    unite.py              joins units until images fit their budget
    moves.py              improves the result by moving single units
"""
