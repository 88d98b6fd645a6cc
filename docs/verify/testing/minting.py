"""Keys and tokens of an issuer that signs whatever it is asked to."""

import base64
import hashlib
import hmac
import json

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

BASE = 1_800_000_000  # the second at which the vectors' clock starts
ISSUER, AUDIENCE = "https://id.example/auth", "https://api.example"
HEADER = {"alg": "ES256", "typ": "at+jwt"}


def encoded(value):
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Key:
    """An ES256 key pair with its key id."""

    def __init__(self, kid):
        self.kid, self.private = kid, ec.generate_private_key(ec.SECP256R1())

    def jwk(self, **members):
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.private.public_key()))
        return {**public, "kid": self.kid, "alg": "ES256", "use": "sig", **members}

    def pem(self):
        form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return self.private.public_key().public_bytes(*form)

    def signature(self, signed):
        return jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(signed.encode(), self.private)

    def sign(self, claims, header=None, without=()):
        """`claims` and `header` may be raw bytes."""
        if not isinstance(header, bytes):
            header = {**HEADER, "kid": self.kid, **(header or {})}
            header = {name: value for name, value in header.items() if name not in without}
        signed = f"{encoded(header)}.{encoded(claims)}"
        return f"{signed}.{encoded(self.signature(signed))}"


def claims(at=0, without=(), **changes):
    now = BASE + at
    all_claims = {
        "iss": ISSUER,
        "sub": "usr_ada",
        "aud": AUDIENCE,
        "client_id": "daypass",
        "iat": now - 60,
        "exp": now + 540,
        "jti": "SRF7HkYwSZ0kN5buEtPlTA",
        "scope": "read",
        "sid": "01a203d6-f18a-7f16-a43b-b577ba9162ea",
        "auth_time": now - 60,
        "amr": ["pwd"],
        **changes,
    }
    return {name: value for name, value in all_claims.items() if name not in without}


def by_secret(secret, header, payload):
    signed = f"{encoded(header)}.{encoded(payload)}"
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"
