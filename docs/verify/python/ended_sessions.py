"""Follows the sessions that ended, so that their access tokens are refused before they expire. Copy this file; it
needs nothing beyond Python, and its client the scope `daypass:feed`.

    endings = EndedSessions("https://id.example", "my-api", secret)
    endings.poll()              # every few seconds, by one thread
    if endings.ended(claims):   # by any thread, with the claims of a verified token
        ...                     # answer 401, as for a bad token

What `poll` raises says that the list could not be had: those endings that are known stay known. `age` tells for how
many seconds, and you decide whether that is too long to go on.
"""

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT = 5  # seconds, for each read


class EndedSessions:
    def __init__(self, issuer, client_id, client_secret, limit=1000):
        self._issuer, self._limit = issuer, limit
        self._client = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._token = self._cursor = self._polled = None
        self._sessions, self._subjects = {}, {}  # sid: until; sub: (not_before_ms, until)

    @property
    def age(self):
        """Seconds since the list was last complete."""
        return float("inf") if self._polled is None else time.monotonic() - self._polled

    def poll(self):
        begun, cursor, complete = time.monotonic(), self._cursor, False
        sessions, subjects = dict(self._sessions), dict(self._subjects)
        while not complete:
            stretch = self._read(cursor)
            if stretch.get("reset"):  # the cursor was none or is none any more: this begins at the start
                sessions, subjects = {}, {}
            for entry in stretch["entries"]:
                if "sid" in entry:
                    sessions[entry["sid"]] = entry["until"]
                else:  # the same entry may come twice
                    before, until = subjects.get(entry["sub"], (0, 0))
                    subjects[entry["sub"]] = (max(before, entry["not_before_ms"]), max(until, entry["until"]))
            cursor, complete = stretch["cursor"], stretch["complete"]
        now = time.time()
        self._sessions = {sid: until for sid, until in sessions.items() if until > now}
        self._subjects = {sub: bound for sub, bound in subjects.items() if bound[1] > now}
        self._cursor, self._polled = cursor, begun  # last: a poll that fails half-way is made again

    def ended(self, claims):
        """Whether the session of a verified token has ended, as far as the last poll knows."""
        sid = claims.get("sid")
        if sid in self._sessions:
            return True
        before, _ = self._subjects.get(claims["sub"], (0, 0))
        return started_ms(sid, claims) < before

    def _read(self, cursor):
        query = {"limit": self._limit, **({"since": cursor} if cursor else {})}
        url = f"{self._issuer}/v1/revocations?{urllib.parse.urlencode(query)}"
        for fresh in (False, True):
            self._token = None if fresh else self._token
            try:
                return self._ask(url, {"Authorization": f"Bearer {self._token or self._sign_in()}"})
            except urllib.error.HTTPError as error:
                if error.code != 401 or fresh:  # a 401: the token has expired, once
                    raise

    def _sign_in(self):
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": "daypass:feed"}).encode()
        answer = self._ask(f"{self._issuer}/oauth2/token", {"Authorization": f"Basic {self._client}"}, form)
        self._token = answer["access_token"]
        return self._token

    @staticmethod
    def _ask(url, headers, body=None):
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=TIMEOUT) as response:
            return json.loads(response.read())


def started_ms(sid, claims):
    """When a session started, in milliseconds: its id is a UUIDv7, which begins with that (RFC 9562 section 5.7)."""
    return int(sid.replace("-", "")[:12], 16) if sid else claims["iat"] * 1000
