"""Tries `ended_sessions.py` against a running service: `python follow_endings.py DAYPASS DATA`."""

import json
import os
import subprocess
import sys
import time
import urllib.request

from ended_sessions import EndedSessions
from verify import Verifier

WATCHDOG_SECONDS = 60
issuer, password = os.environ["ISSUER"], os.environ["USER_PASSWORD"]
verifier = Verifier(issuer, issuer)


def post(path, body):
    request = urllib.request.Request(issuer + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read() or "null")


def sign_in():
    pair = post("/v1/login", {"username": "ada", "password": password})
    return pair, verifier.verify(pair["access_token"])


def check(holds, what):
    if not holds:
        raise SystemExit(f"ended sessions: {what}")
    passed.append(what)


passed = []
endings = EndedSessions(issuer, "follower", os.environ["CLIENT_SECRET"], limit=1)  # an entry a page
(first, one), (_, two), (third, other) = sign_in(), sign_in(), sign_in()
check(endings.age == float("inf"), "before the first poll the list has no age")
endings.poll()
check(not any(map(endings.ended, (one, two, other))), "live sessions are live")
post("/v1/logout", {"refresh_token": first["refresh_token"]})
post("/v1/logout", {"refresh_token": third["refresh_token"]})
check(not endings.ended(one), "without a poll nothing is known")
read, left = endings._read, [1]


def read_one(cursor):
    if not left:
        raise OSError("the line is cut")
    left.pop()
    return read(cursor)


endings._read = read_one
try:
    endings.poll()
    check(False, "a poll that is cut off half-way fails")
except OSError:
    endings._read = read
endings.poll()
all_noticed = endings.ended(one) and endings.ended(other) and not endings.ended(two)
check(all_noticed, "those that signed out have ended, also after a poll that was cut off")
check(endings.age < WATCHDOG_SECONDS, "a poll renews the list")

revoke = [sys.argv[1], "session", "revoke", "--user", "ada", "--data", sys.argv[2]]
subprocess.run(revoke, check=True, stdout=subprocess.DEVNULL, cwd=os.path.dirname(sys.argv[2]))
deadline = time.monotonic() + WATCHDOG_SECONDS
while not endings.ended(two):  # the service notices the command line within a second
    check(time.monotonic() < deadline, "all of a person's sessions end")
    time.sleep(0.1)
    endings.poll()
_, after = sign_in()
endings.poll()
check(not endings.ended(after), "a session begun after that is live")

left = [1]
endings._read = read_one
endings.poll()
endings._read = read
check(endings.ended(one), "a poll with nothing new is one request")

strange = {"sid": "01a203d6-f18a-7f16-a43b-b577ba9162ea", "sub": "nobody", "iat": 0}
endings._sessions[strange["sid"]] = time.time() + 3600
check(endings.ended(strange), "what is on the list has ended")
endings._token, endings._cursor = "expired", "of another store"
endings.poll()
check(endings.ended(one) and endings.ended(two), "an expired token and an unknown cursor begin anew")
check(not endings.ended(strange), "what was known before is void then")

stranger = EndedSessions(issuer, "follower", "wrong")
try:
    stranger.poll()
    check(False, "a poll without a good secret fails")
except OSError:
    check(stranger.age == float("inf"), "a failed poll does not renew the list")
print(f"ended sessions: {len(set(passed))} passed, 0 failed")
