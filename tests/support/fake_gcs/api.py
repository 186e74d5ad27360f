"""The JSON API (https://cloud.google.com/storage/docs/json_api/v1), and downloads by address."""

import json
import re
import uuid
from urllib.parse import unquote

from support.fake_gcs.access import Access
from support.fake_gcs.objects import ApiError, Bucket, StoredObject, check
from support.fake_gcs.uploads import Uploads
from support.faulty_http import Answer, Request

OBJECTS = re.compile(
    r"(/upload|/download)?/storage/v1/b/([^/]+)/o(?:/([^/]+)(?:/rewriteTo/b/([^/]+)/o/([^/]+))?)?"
)


class Api:
    def __init__(self, clock):
        self.clock = clock
        self.buckets: dict[str, Bucket] = {}
        self.uploads = Uploads()
        self.access = Access(clock)
        self.page = 1000
        """Maximum number of objects in one page of a list."""
        self.rewrite_step: int | None = None
        """Bytes that one call of a rewrite copies; None: all."""
        self._rewrites: dict[str, int] = {}

    def answer(self, request: Request) -> Answer:
        try:
            return self._route(request)
        except ApiError as error:
            return self.refuse(error, request)

    def refuse(self, error: ApiError, request: Request | None = None) -> Answer:
        # https://cloud.google.com/storage/docs/json_api/v1/status-codes
        if error.status == 304:
            return Answer(304)
        if request and request.path == "/token":  # RFC 6749, 5.2
            return _json({"error": error.reason, "error_description": str(error)}, error.status)
        detail = {"reason": error.reason, "message": str(error)}
        body = {"code": error.status, "message": str(error), "errors": [detail]}
        return _json({"error": body}, error.status)

    def _route(self, request: Request) -> Answer:
        """Operations by the shape of their path."""
        if request.path == "/token":
            return _json(self.access.token(request.body))
        match = OBJECTS.fullmatch(request.path)
        if match is None and not request.path.endswith(":signBlob"):
            return self._download_by_address(request)
        self.access.authenticate(request.headers)
        if match is None:
            return _json(self.access.sign_blob(request.body))
        kind, bucket_name, name, target_bucket, target = (
            part and unquote(part) for part in match.groups()
        )
        bucket = self._bucket(bucket_name)
        if kind == "/upload":
            return self._upload(request, bucket)
        if target:
            return self._rewrite(request, bucket, name, self._bucket(target_bucket), target)
        return self._object(request, bucket, name) if name else self._list(request, bucket)

    def _bucket(self, name: str) -> Bucket:
        if name not in self.buckets:
            raise ApiError(404, "notFound", "The specified bucket does not exist.")
        return self.buckets[name]

    def _object(self, request: Request, bucket: Bucket, name: str) -> Answer:
        verb = {"GET": "get", "DELETE": "delete", "PATCH": "update"}[request.method]
        self.access.demand(f"storage.objects.{verb}")
        found = bucket.find(name, request.query)
        match request.method:
            case "DELETE":
                del bucket[name]
                return Answer(204)
            case "PATCH":
                found.patch(request.json(), self.clock())
            case "GET" if request.query.get("alt") == "media":
                return content(found, request)
        return _json(found.resource())

    def _list(self, request: Request, bucket: Bucket) -> Answer:
        # https://cloud.google.com/storage/docs/json_api/v1/objects/list
        self.access.demand("storage.objects.list")
        query = request.query
        names = sorted(name for name in bucket if name.startswith(query.get("prefix", "")))
        names = [name for name in names if name > query.get("pageToken", "")]
        count = min(self.page, int(query.get("maxResults", self.page)))
        shown = names[:count]
        answer = {"kind": "storage#objects", "items": [bucket[name].resource() for name in shown]}
        if len(names) > count:
            answer["nextPageToken"] = shown[-1]
        return _json(answer)

    def _upload(self, request: Request, bucket: Bucket) -> Answer:
        self.access.demand("storage.objects.create")
        query, headers = request.query, request.headers
        upload = query.get("upload_id")
        if upload is None and request.method != "POST":
            raise ApiError(405, "methodNotAllowed")
        if upload is None and query["uploadType"] == "resumable":
            started = self.uploads.start(bucket, query, headers, request.body)
            place = (
                f"http://{headers['host']}{request.path}?uploadType=resumable&upload_id={started}"
            )
            return Answer(200, {"Location": place})
        if upload is None:
            stored = self.uploads.multipart(bucket, query, headers["content-type"], request.body)
            return _json(stored.resource())
        if request.method == "DELETE":
            self.uploads.cancel(upload)
        stored = self.uploads.receive(
            upload, headers["content-range"], request.body, broken=request.broken
        )
        if stored is None:
            return Answer(308, self.uploads.progress(upload))
        return _json(stored.resource())

    def _rewrite(
        self, request: Request, bucket: Bucket, name: str, target_bucket: Bucket, target: str
    ) -> Answer:
        """Fields that the request gives replace the source's.

        Preconditions with ``ifSource`` are about the source, the others about the target.
        """
        # https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite
        query = request.query
        self.access.demand("storage.objects.get")
        self.access.demand("storage.objects.create")
        wanted = query.get("sourceGeneration")
        source = bucket.find(name, {"generation": wanted} if wanted else {})
        check(query, source, "ifSource")
        check(query, target_bucket.get(target))
        if target in target_bucket:
            self.access.demand("storage.objects.delete")
        size = len(source.data)
        token = query.get("rewriteToken", uuid.uuid4().hex)
        done = self._rewrites.get(token, 0) + (self.rewrite_step or size)
        answer = {"kind": "storage#rewriteResponse", "objectSize": str(size)}
        if done < size:
            self._rewrites[token] = done
            progress = {"totalBytesRewritten": str(done), "done": False, "rewriteToken": token}
            return _json(answer | progress)
        stored = target_bucket.put(target, source.data, source.fields | request.json(), query)
        resource = stored.resource()
        return _json(
            answer | {"totalBytesRewritten": str(size), "done": True, "resource": resource}
        )

    def _download_by_address(self, request: Request) -> Answer:
        """Requests of clients with a signed or a public address (the XML API)."""
        bucket, _, name = request.path[1:].partition("/")
        if "X-Goog-Signature" in request.query:
            self.access.verify(request.method, request.path, request.query, request.headers)
        elif self.access.needs_token:
            raise ApiError(403, "AccessDenied", "Anonymous caller does not have access.")
        return content(self._bucket(bucket).find(unquote(name), {}), request)


def content(found: StoredObject, request: Request) -> Answer:
    # https://cloud.google.com/storage/docs/json_api/v1/objects/get, with ``alt=media``
    data = found.data
    headers = {
        "Content-Type": found.fields["contentType"],
        "X-Goog-Hash": f"crc32c={found.crc32c}",
        "X-Goog-Generation": str(found.generation),
        "X-Goog-Metageneration": str(found.metageneration),
        "X-Goog-Stored-Content-Length": str(len(data)),
    }
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if wanted is None:
        return Answer(200, headers, data)
    first, last = int(wanted[1]), int(wanted[2] or len(data) - 1)
    if first >= len(data):
        return Answer(416, {"Content-Range": f"bytes */{len(data)}"})
    part = data[first : last + 1]
    place = f"bytes {first}-{first + len(part) - 1}/{len(data)}"
    return Answer(206, headers | {"Content-Range": place}, part)


def _json(value: dict, status: int = 200) -> Answer:
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    return Answer(status, headers, json.dumps(value).encode())
