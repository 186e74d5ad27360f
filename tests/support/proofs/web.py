"""A registry's application in this process, asked as a client asks."""

import hashlib
from contextlib import asynccontextmanager

import httpx

from nixery.http.app import create_app
from nixery.http.pages import About
from nixery.oci import Format

OCI = Format.OCI.value.manifest


class Client:
    def __init__(self, client):
        self._client = client

    async def manifest(self, name="hello", reference="latest"):
        return await self._client.get(f"/v2/{name}/manifests/{reference}", headers={"Accept": OCI})

    async def manifest_of(self, digest):
        return await self.manifest(reference=digest)

    async def blob(self, digest):
        return await self._client.get(f"/v2/hello/blobs/{digest}")

    async def pull(self, name="hello"):
        """Digest of the manifest, and the faults of the pull, which are empty if all is well."""
        answer = await self.manifest(name)
        if answer.status_code != 200:
            return None, [f"manifest: {answer.status_code}"]
        digest, content = answer.headers["Docker-Content-Digest"], answer.json()
        faults = [] if sha256(answer.content) == digest else ["manifest is not what it says"]
        for blob in (content["config"], *content["layers"]):
            got = await self.blob(blob["digest"])
            if got.status_code != 200:
                faults.append(f"blob: {got.status_code}")
            elif sha256(got.content) != blob["digest"]:
                faults.append(f"blob {blob['digest']} is not what it says")
        return digest, faults


@asynccontextmanager
async def restarted(registry, replica="one"):
    """A new process that remembers nothing, in front of the registry's storage."""
    async with registry.opened(replica) as answers:
        app = create_app(
            images=answers, storage=registry.storage, about=About(source="https://packages.test")
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Client(client)


def sha256(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
