"""Concurrency: single-flight, queues and worker threads.

single_flight.py   one task per key, shared by all callers
queue.py           a limited number of tasks at once; a limited number wait
threads.py         blocking work in threads
"""
