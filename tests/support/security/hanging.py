"""``nixery serve`` on a storage of which one call never returns, and which has little time to end.

python hanging.py METHOD FIFO PREFIX     calls whose argument begins with PREFIX read the fifo
"""

import os
import sys
from pathlib import Path

from nixery import service, settings
from nixery.storage.filesystem import FilesystemStorage
from nixery.wire.drain import Times

method, fifo, prefix = sys.argv[1:]
real = getattr(FilesystemStorage, method)


def hang(self, key, *arguments):
    if key.startswith(prefix):
        Path(fifo).read_bytes()
    return real(self, key, *arguments)


setattr(FilesystemStorage, method, hang)
service.serve(settings.load(os.environ), os.environ, Times(grace=0, spare=0, last=1))
