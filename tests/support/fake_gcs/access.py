"""Access control: tokens, permissions, signed addresses, and IAM's signatures."""

import base64
import hashlib
import json
import uuid
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from support.fake_gcs.objects import ApiError


class Access:
    """One service account, with its key; ``denied`` names the permissions that it lacks."""

    email = "nixery@project.iam.gserviceaccount.com"

    def __init__(self, clock):
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.tokens: set[str] = set()
        self.denied: set[str] = set()
        self.needs_token = False
        self.signatures = 0
        """How many IAM made."""

    def key_file(self, token_uri: str) -> str:
        """What GOOGLE_APPLICATION_CREDENTIALS points to."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        content = {
            "type": "service_account",
            "project_id": "project",
            "private_key_id": "key",
            "private_key": pem.decode(),
            "client_email": self.email,
            "token_uri": token_uri,
        }
        return json.dumps(content)

    def token(self, form: bytes) -> dict:
        # https://developers.google.com/identity/protocols/oauth2/service-account#httprest
        assertion = dict(parse_qsl(form.decode()))["assertion"]
        message, _, signature = assertion.rpartition(".")
        if not self._signed(message.encode(), base64.urlsafe_b64decode(signature + "==")):
            raise ApiError(400, "invalid_grant", "Invalid JWT Signature.")
        token = uuid.uuid4().hex
        self.tokens.add(token)
        return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def sign_blob(self, body: bytes) -> dict:
        # https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
        self.demand("iam.serviceAccounts.signBlob")
        self.signatures += 1
        payload = base64.b64decode(json.loads(body)["payload"])
        signature = self._key.sign(payload, padding.PKCS1v15(), hashes.SHA256())
        return {"keyId": "key", "signedBlob": base64.b64encode(signature).decode()}

    def authenticate(self, headers) -> None:
        if self.needs_token:
            kind, _, token = headers.get("authorization", "").partition(" ")
            if kind != "Bearer" or token not in self.tokens:
                raise ApiError(401, "required", "Anonymous caller does not have access.")

    def demand(self, permission: str) -> None:
        # https://cloud.google.com/storage/docs/access-control/iam-permissions
        if permission in self.denied:
            raise ApiError(
                403, "forbidden", f"{self.email} does not have {permission} access to the bucket."
            )

    def verify(self, method: str, path: str, query: dict, headers) -> None:
        """A V4 signature, as in https://cloud.google.com/storage/docs/authentication/signatures.

        The path is compared as it was sent, so an address that a client encodes again fails.
        """
        made = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        age = self._clock() - made.timestamp()
        if not -900 <= age <= int(query["X-Goog-Expires"]) <= 604800:
            raise ApiError(400, "ExpiredToken", "The provided token has expired.")
        unsigned = sorted((k, v) for k, v in query.items() if k != "X-Goog-Signature")
        names = query["X-Goog-SignedHeaders"].split(";")
        canonical = "\n".join(
            [
                method,
                path,
                "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in unsigned),
                *(f"{name}:{headers[name].strip()}" for name in names),
                "",
                ";".join(names),
                headers.get("x-goog-content-sha256", "UNSIGNED-PAYLOAD"),
            ]
        )
        account, _, scope = query["X-Goog-Credential"].partition("/")
        text = "\n".join(
            [
                "GOOG4-RSA-SHA256",
                query["X-Goog-Date"],
                scope,
                hashlib.sha256(canonical.encode()).hexdigest(),
            ]
        )
        signature = bytes.fromhex(query["X-Goog-Signature"])
        if account != self.email or not self._signed(text.encode(), signature):
            raise ApiError(403, "SignatureDoesNotMatch", "The signature does not match.")

    def _signed(self, message: bytes, signature: bytes) -> bool:
        try:
            self._key.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True
