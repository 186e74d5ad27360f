"""Logging: structured events, and limits for events that attacks repeat.

setup.py      formats, levels and the stream
throttle.py   one line a minute for an event that occurs often
"""
