"""Accepts Daypass access tokens (RFC 9068) with PyJWT. Copy this file; it needs PyJWT[crypto].

    verifier = Verifier(issuer="https://id.example", audience="https://api.example")  # one for all threads
    claims = verifier.verify(token)

InvalidToken: answer 401 with `WWW-Authenticate: Bearer error="invalid_token"`.
KeysUnavailable: answer 503 with `Retry-After: 10`; the token may well be good.

PyJWT parses, and checks the signature. What it leaves open is done here: the type, exact and bounded times, bindings,
and a key cache that asks at most once in 10 s and outlives an outage.
"""

import json
import logging
import math
import threading
import time
import urllib.request

import jwt

ALGORITHMS = ("ES256",)  # the service's `tokens.algorithm`; "RS256" and "PS256" work as well
LEEWAY = 5  # seconds after `exp`
FUTURE = 30  # seconds by which `iat` and `nbf` may lie ahead
MAX_LIFETIME = 3600  # seconds from `iat` to `exp`
MAX_TOKEN, MAX_JWKS = 16 * 1024, 512 * 1024  # bytes
AHEAD, FRESH, STALE = 240, 300, 3600  # age of the keys: renewed in passing, waited for, given up
COOL_DOWN, TIMEOUT = 10, 2  # seconds between two requests for keys, and for one
# They would change what is signed or where the key is from. Daypass sends none of them.
FORBIDDEN = {"crit", "b64", "zip", "jwk", "jku", "x5u", "x5c", "cty", "enc"}


class InvalidToken(Exception):
    """The token is not good: 401. The text is for the log, and holds nothing of the token."""


class KeysUnavailable(Exception):
    """The token can be judged neither way now: 503."""


class Verifier:
    def __init__(self, issuer, audience, jwks_url=None, clock=time):
        self._issuer, self._audience, self._clock = issuer, audience, clock
        self._keys = Keys(jwks_url or issuer + "/.well-known/jwks.json", clock)

    def verify(self, token):
        """The claims of a good token."""
        if len(token) > MAX_TOKEN or "=" in token:  # PyJWT would let padding pass
            raise InvalidToken("malformed")
        try:
            # Nothing is trusted yet: this only refuses, so that junk costs no look-up of keys.
            unverified = jwt.PyJWS().decode_complete(token, options={"verify_signature": False})
            header, claims = unverified["header"], json.loads(unverified["payload"].decode())
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise InvalidToken("malformed") from error
        check_header(header)
        check_claims(claims, self._issuer, self._audience, self._clock.time())
        key = self._keys.find(header["kid"], claims["iat"])
        try:
            jwt.PyJWS().decode(token, key, algorithms=[key.algorithm_name])  # a key has one algorithm
        except jwt.PyJWTError as error:
            raise InvalidToken("signature") from error
        return claims


def check_header(header):
    if header.get("alg") not in ALGORITHMS:
        raise InvalidToken("alg")
    if FORBIDDEN & header.keys():
        raise InvalidToken("header")
    if header.get("typ") not in ("at+jwt", "application/at+jwt"):  # RFC 9068 section 4
        raise InvalidToken("typ")
    if not is_name(header.get("kid")):
        raise InvalidToken("kid")


def check_claims(claims, issuer, audience, now):
    """Each test says what has to hold, so that a missing, odd or NaN value fails it."""
    if not isinstance(claims, dict) or claims.get("iss") != issuer:
        raise InvalidToken("iss")
    exp, iat, nbf = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    if not (is_date(exp) and now < exp + LEEWAY):
        raise InvalidToken("exp")
    if not (is_date(iat) and iat <= now + FUTURE and 0 < exp - iat <= MAX_LIFETIME):
        raise InvalidToken("iat")
    if not (is_date(nbf) and nbf <= now + FUTURE and nbf <= exp):
        raise InvalidToken("nbf")
    aud = claims.get("aud")
    aud = [aud] if isinstance(aud, str) else aud
    if not (isinstance(aud, list) and all(isinstance(one, str) for one in aud) and audience in aud):
        raise InvalidToken("aud")
    if not all(is_name(claims.get(name)) for name in ("sub", "client_id", "jti")):
        raise InvalidToken("sub, client_id or jti")
    if not is_name(claims.get("sid", "none")) or not isinstance(claims.get("scope", ""), str):
        raise InvalidToken("sid or scope")
    if "cnf" in claims:  # bound to a key of the bearer, whose proof nobody checks here
        raise InvalidToken("cnf")


def is_date(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 253_402_300_799


def is_name(value):
    return isinstance(value, str) and 0 < len(value) <= 255


class Keys:
    """The issuer's public keys, by key id."""

    def __init__(self, url, clock):
        self._url, self._clock = url, clock
        self._opener = urllib.request.build_opener(NoRedirect)
        self._lock = threading.Lock()
        self._keys, self._fetched, self._fetched_wall = {}, -math.inf, -math.inf
        self._tried, self._failing = -math.inf, True
        self._idle = threading.Event()
        self._idle.set()

    def find(self, kid, issued_at):
        with self._lock:
            now = self._clock.monotonic()
            age, unknown = now - self._fetched, kid not in self._keys
            if (unknown or age >= AHEAD) and self._idle.is_set() and now - self._tried >= COOL_DOWN:
                self._tried = now
                self._idle.clear()
                threading.Thread(target=self._fetch, args=(now, self._clock.time()), daemon=True).start()
            # A key at hand is waited for only to notice its withdrawal, and not in an outage.
            wait = not self._idle.is_set() and (unknown or age >= STALE or (age >= FRESH and not self._failing))
        asked = wait and self._idle.wait(TIMEOUT + 1)  # urllib's time-out is for each read
        with self._lock:
            self._failing |= wait and not asked
            if self._clock.monotonic() - self._fetched >= STALE:
                raise KeysUnavailable
            if kid in self._keys:
                return self._keys[kid]
            # In the cool-down, a token that is younger than the keys may have a key younger than them.
            if self._failing or not (asked or issued_at + FUTURE < self._fetched_wall):
                raise KeysUnavailable
        raise InvalidToken("unknown key")

    def _fetch(self, begun, wall):
        try:
            keys = self._read()
            with self._lock:
                self._keys, self._fetched, self._fetched_wall, self._failing = keys, begun, wall, False
        except Exception as error:  # whatever it is, the keys at hand stay
            logging.getLogger(__name__).warning("no keys from %s: %s", self._url, error)
            self._failing = True
        finally:
            self._idle.set()

    def _read(self):
        deadline, body = time.monotonic() + TIMEOUT, b""
        with self._opener.open(self._url, timeout=TIMEOUT) as response:
            while piece := response.read1(65536):
                body += piece
                if len(body) > MAX_JWKS or time.monotonic() > deadline:
                    raise ValueError("too large or too slow")
        keys = {}
        for jwk in json.loads(body)["keys"]:
            try:
                if jwk["alg"] in ALGORITHMS and jwk.get("use", "sig") == "sig":
                    keys[jwk["kid"]] = jwt.PyJWK(jwk)
            except (jwt.PyJWTError, KeyError, TypeError):
                continue  # RFC 7517 section 5: what is not understood is passed over
        if not keys:
            raise ValueError("no key of use")
        return keys


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None  # makes an error of it
