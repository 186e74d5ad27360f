"""Integrity of a directory: each check returns the faults it found, as sentences."""

import hashlib
import json

from nixery.oci import Format, hexdigits
from nixery.storage import layer_key

ENTRIES = ("manifests", "builds", "plans", "leases")


def visible_lies(directory):
    """All visible content is complete: blobs match their digests, entries can be read."""
    lies = [
        f"torn blob {blob.name}"
        for blob in sorted(directory.glob("layers/*"))
        if hashlib.sha256(blob.read_bytes()).hexdigest() != blob.name
    ]
    for entry in (found for kind in ENTRIES for found in directory.glob(f"{kind}/*")):
        try:
            json.loads(entry.read_bytes())
        except ValueError:
            lies.append(f"torn entry {entry.parent.name}/{entry.name}")
    return lies


def broken_promises(directory, image):
    """Everything that the image's manifests name is there, and is it."""
    lies = []
    for manifest in image.manifests.values():
        content = json.loads(manifest.data)
        blobs = [content["config"], *content["layers"]]
        for digest in (manifest.digest, *(blob["digest"] for blob in blobs)):
            try:
                data = (directory / layer_key(digest)).read_bytes()
            except FileNotFoundError:
                lies.append(f"missing {digest}")
                continue
            if hashlib.sha256(data).hexdigest() != hexdigits(digest):
                lies.append(f"not what it says: {digest}")
    return lies


def digests(image):
    return {form.name: image.manifests[form].digest for form in Format}
