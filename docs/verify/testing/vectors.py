"""The vectors that every snippet is judged by: tokens, good and bad, and the verdict each has to get.

    python vectors.py mint  --service service.json --keys http://127.0.0.1:PORT --out vectors.json
    python vectors.py check --vectors vectors.json --verdicts FILE --language NAME

`mint` signs with keys of its own, made anew, and writes their public halves beside the vectors: `key_server.py` serves
them as a second issuer. The snippets judge its tokens by a clock that the vectors set, so that every limit is tried at
its exact second. Tokens of the running service come from `service.json`.
"""

import argparse
import json
import pathlib
import sys
import urllib.request

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from minting import AUDIENCE, BASE, ISSUER, Key, by_secret, claims, decoded, encoded

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Vectors:
    def __init__(self):
        self.all = []

    def add(self, expect, name, token, verifier="own", **more):
        self.all.append({"name": name, "verifier": verifier, "token": token, "expect": expect, **more})


def claim_vectors(vectors, key):
    def ok(name, **changes):
        vectors.add("ok", name, key.sign(claims(**changes)))

    def bad(name, without=(), **changes):
        vectors.add("invalid", name, key.sign(claims(without=without, **changes)))

    ok("good")
    ok("several audiences", aud=["https://other.example", AUDIENCE])
    ok("exp 4 s ago", exp=BASE - 4)
    ok("exp with a fraction", exp=BASE + 540.5)
    ok("iat 30 s ahead", iat=BASE + 30)
    ok("nbf 30 s ahead", nbf=BASE + 30)
    ok("life of an hour", iat=BASE - 60, exp=BASE + 3540)
    vectors.add("ok", "without sid, scope", key.sign(claims(without=("sid", "scope"))))
    ok("a claim of its own", roles=["admin"])
    for name in ("iss", "sub", "aud", "client_id", "iat", "exp", "jti"):
        bad(f"without {name}", without=(name,))
    for name in ("exp", "iat", "nbf"):
        moment = claims().get(name, BASE)
        for kind, value in {"text": str(moment), "null": None, "true": True, "list": [moment], "negative": -1}.items():
            bad(f"{name} as {kind}", **{name: value})
    bad("exp 5 s ago", exp=BASE - 5)
    bad("exp in a million years", exp=BASE * 1_000_000)
    bad("exp of 400 digits", exp=10**400)
    bad("iat 31 s ahead", iat=BASE + 31)
    bad("nbf 31 s ahead", nbf=BASE + 31)
    bad("nbf after exp", nbf=BASE + 20, exp=BASE + 10)
    bad("life of an hour and a second", iat=BASE - 60, exp=BASE + 3541)
    bad("exp before iat", iat=BASE + 20, exp=BASE + 10)
    bad("iss with a slash", iss=ISSUER + "/")
    bad("iss in capitals", iss=ISSUER.upper())
    bad("iss as a list", iss=[ISSUER])
    for name, value in {
        "other": "https://other.example",
        "prefix": AUDIENCE[:-1],
        "longer": AUDIENCE + "/v2",
        "empty": "",
        "null": None,
        "no": [],
        "others": ["https://other.example", AUDIENCE[:-1]],
        "mixed": [1, AUDIENCE],
        "nested": [[AUDIENCE]],
        "joined": f"https://other.example,{AUDIENCE}",
        "object": {AUDIENCE: True},
    }.items():
        bad(f"aud: {name}", aud=value)
    for name in ("sub", "client_id", "jti", "sid"):
        for kind, value in {"empty": "", "a number": 7, "long": "a" * 256, "a list": ["usr_ada"]}.items():
            bad(f"{name}: {kind}", **{name: value})
    bad("scope as a list", scope=["read"])
    bad("bound to a key", cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})
    for name, raw in {
        "NaN": json.dumps(claims()).replace(str(BASE + 540), "NaN"),
        "1e999": json.dumps(claims()).replace(str(BASE + 540), "1e999"),
        "a list": "[]",
        "a text": '"text"',
        "null": "null",
        "cut off": json.dumps(claims())[:-1],
        "followed by another": json.dumps(claims()) + "{}",
        "nothing": "{}",
        "not text": "\udcff",
        "deep": "[" * 8000,
    }.items():
        vectors.add("invalid", f"payload: {name}", key.sign(raw.encode(errors="surrogateescape")))


def header_vectors(vectors, key, thief):
    payload = claims()
    vectors.add("ok", "the long typ", key.sign(payload, {"typ": "application/at+jwt"}))
    vectors.add("ok", "an unknown header", key.sign(payload, {"https://example/x": 1}))
    for typ in (
        "JWT",
        "AT+JWT",
        "Application/at+jwt",
        "at+jwt;x=1",
        "xat+jwt",
        "at+jwt ",
        "application/application/at+jwt",
        "logout+jwt",
        "",
        None,
        1,
        ["at+jwt"],
    ):
        vectors.add("invalid", f"typ {typ!r}", key.sign(payload, {"typ": typ}))
    for name in ("typ", "alg", "kid"):
        vectors.add("invalid", f"header without {name}", key.sign(payload, without=(name,)))
    for kid in (None, 1, "", ["a"], "k" * 256):
        vectors.add("invalid", f"kid {str(kid)[:9]}", key.sign(payload, {"kid": kid}))
    for alg in ("none", "None", "es256", "ES384", "RS256", "PS256", "EdDSA", "ES256K", "ES256 ", None, ["ES256"]):
        vectors.add("invalid", f"alg {alg!r}", key.sign(payload, {"alg": alg}))
    vectors.add(
        "invalid",
        "alg none, no signature",
        f"{encoded({'alg': 'none', 'typ': 'at+jwt', 'kid': key.kid})}.{encoded(payload)}.",
    )
    header = {"alg": "HS256", "typ": "at+jwt", "kid": key.kid}
    secrets = {
        "PEM": key.pem(),
        "PEM without its end": key.pem().strip(),
        "JWK": json.dumps(key.jwk()).encode(),
        "nothing": b"",
    }
    for name, secret in secrets.items():
        vectors.add("invalid", f"HS256 by the public key: {name}", by_secret(secret, header, payload))
    vectors.add("invalid", "HS256 by the key set's secret", by_secret(b"s" * 32, {**header, "kid": "secret"}, payload))
    for name, value in {
        "crit": ["exp"],
        "b64": False,
        "jwk": thief.jwk(kid=key.kid),
        "jku": "https://thief.example/",
        "zip": "DEF",
        "cty": "JWT",
    }.items():
        vectors.add("invalid", f"header with {name}", key.sign(payload, {name: value}))
    vectors.add("invalid", "key of another use", thief_named(thief, "encryption", payload))
    vectors.add("invalid", "unknown key", thief_named(thief, "unknown", payload))
    vectors.add("invalid", "known key id, another's key", thief_named(thief, key.kid, payload))
    deep = b'{"alg":"ES256","typ":"at+jwt","kid":' + b"[" * 8000
    for name, raw in {
        "deep": deep,
        "null": b"null",
        "a list": b"[]",
        "a text": b'"ES256"',
        "not JSON": b"{alg:ES256}",
    }.items():
        vectors.add("invalid", f"header: {name}", key.sign(payload, raw))


def thief_named(thief, kid, payload):
    return thief.sign(payload, {"kid": kid})


def form_vectors(vectors, key):
    token = key.sign(claims())
    header, payload, signature = token.split(".")
    raw = decoded(signature)
    r, s = raw[:32], raw[32:]
    der = b"\x30\x44\x02\x20" + r + b"\x02\x20" + s
    high = (P256_ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")
    vectors.add("ok", "the other of two valid signatures", f"{header}.{payload}.{encoded(r + high)}")
    forms = {
        "empty": "",
        "dots": "..",
        "many dots": "." * 10_000,
        "two parts": f"{header}.{payload}",
        "four parts": token + ".",
        "five parts": f"{token}.e30.e30",
        "no payload": f"{header}..{signature}",
        "no signature": f"{header}.{payload}.",
        "a refresh token": "dpr_" + "A" * 71,
        "padded": token + "==",
        "space after": token + " ",
        "line end after": token + "\n",
        "line end inside": f"{header}.\n{payload}.{signature}",
        "space before": " " + token,
        "Bearer": "Bearer " + token,
        "other alphabet": f"{header}.{payload}.{signature[:-1]}+",
        "unused bits": token[:-1] + unused_bit(token[-1]),
        "not ASCII": token[:-1] + "é",
        "half a character": token[:-1] + "\ud800",
        "signature as DER": f"{header}.{payload}.{encoded(der)}",
        "signature of zeros": f"{header}.{payload}.{encoded(bytes(64))}",
        "short signature": f"{header}.{payload}.{encoded(raw[:63])}",
        "long signature": f"{header}.{payload}.{encoded(raw + b'0')}",
        "another signature": f"{header}.{payload}.{encoded(key.signature('other'))}",
        "changed claims": f"{header}.{encoded(claims(sub='usr_eve'))}.{signature}",
    }
    for name, text in forms.items():
        vectors.add("invalid", f"form: {name}", text)
    vectors.add("ok", "15 KiB", key.sign(claims(padding="p" * 11_000)))
    vectors.add("invalid", "17 KiB", key.sign(claims(padding="p" * 12_500)))


def unused_bit(character):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) | 1]


def key_vectors(vectors, first, second, keys_url):
    """What a key cache has to do, at the seconds in `at`. `before` tells the server which keys to have from then on."""

    def step(expect, name, at, key, serve=None, iat=None, **more):
        token = key.sign(claims(at, iat=BASE + at - 60 if iat is None else BASE + iat))
        before = {"before": f"{keys_url}/serve/{{language}}/cache/{serve}"} if serve else {}
        vectors.add(expect, f"keys: {name}", token, "cache", at=at, **before, **more)

    gone, new = Key("gone"), Key("new")
    step("ok", "100 at once, cold", 0, first, serve="first", times=100)
    step("unavailable", "a new key in the cool-down", 1, second, serve="both", iat=1)
    step("invalid", "an unknown key older than the set", 2, gone)
    step("ok", "a new key after the cool-down, 100 at once", 11, second, iat=11, times=100)
    step("ok", "a server that is down is not asked for a known key", 12, first, serve="down")
    step("unavailable", "an unknown key while the server is down", 22, new)
    step("ok", "a known key in an outage", 330, first)
    step("ok", "a known key after an hour's outage, less a second", 3610, first)
    step("unavailable", "the same, an hour after", 3621, first)
    for number, kind in enumerate(("html", "empty", "huge", "redirect", "broken", "useless", "slow", "hang")):
        step("unavailable", f"server: {kind}", 3700 + 20 * number, first, serve=kind)
    step("ok", "it heals", 3900, first, serve="both")
    step("ok", "a withdrawn key, while the set is fresh", 3901, first, serve="second")
    step("invalid", "a withdrawn key, after that", 4200, first)
    step("ok", "the other key stays", 4201, second)

    def flood(number):
        return thief_named(gone, f"junk-{number}", claims(4300))

    uses = {"fresh": (4300, 4539), "in passing": (4300, 4541, 4601, 4842)}
    for place, moments in uses.items():
        for at in moments:
            vectors.add("ok", f"keys: {place}, {at}", first.sign(claims(at)), place, at=at)
    vectors.add("ok", "keys: 100 at once", first.sign(claims(4300)), "crowd", at=4300, times=100)
    for number in range(50):
        vectors.add("invalid", f"flood {number}", flood(number), "flood")


def order_vectors(vectors, key):
    """No key can be had: what is bad anyway is told so, without a look at the keys."""
    vectors.add("unavailable", "no keys: good", key.sign(claims()), "no keys", at=0)
    junk = {
        "type": key.sign(claims(), {"typ": "JWT"}),
        "expired": key.sign(claims(exp=BASE - 5)),
        "form": "junk",
        "issuer": key.sign(claims(iss="https://other.example")),
        "audience": key.sign(claims(aud="https://other.example")),
        "algorithm": key.sign(claims(), {"alg": "none"}),
        "no key id": key.sign(claims(), without=("kid",)),
        "long key id": key.sign(claims(), {"kid": "k" * 256}),
        "critical header": key.sign(claims(), {"crit": ["exp"]}),
        "future": key.sign(claims(iat=BASE + 31)),
        "no subject": key.sign(claims(without=("sub",))),
        "size": key.sign(claims(padding="p" * 12_500)),
    }
    for name, token in junk.items():
        vectors.add("invalid", f"no keys: {name}", token, "no keys")


def service_vectors(vectors, service, thief):
    """Tokens of the running service, judged by the system's clock."""
    token = service["person"]
    header, payload, signature = token.split(".")
    content, kid = json.loads(decoded(payload)), json.loads(decoded(header))["kid"]
    vectors.add("ok", "service: a person's", token, "service")
    vectors.add("ok", "service: a program's", service["program"], "service")
    vectors.add("ok", "service: for another audience, there", service["other_audience"], "service, other audience")
    bad = {
        "for another audience": service["other_audience"],
        "expired": service["expired"],
        "a refresh token": service["refresh"],
        "changed claims": f"{header}.{encoded({**content, 'sub': 'usr_eve'})}.{signature}",
        "tampered": f"{header}.{payload}.{encoded(bytes([decoded(signature)[0] ^ 1]) + decoded(signature)[1:])}",
        "alg none": f"{encoded({'alg': 'none', 'typ': 'at+jwt', 'kid': kid})}.{payload}.",
        "its key id, another's key": thief_named(thief, kid, content),
        "another's key": thief_named(thief, "unknown", {**content, "iat": content["iat"] - 60}),
        "HS256 by its public key": by_secret(
            json.dumps(service["jwks"]["keys"][0]).encode(), {"alg": "HS256", "typ": "at+jwt", "kid": kid}, content
        ),
    }
    for name, text in bad.items():
        vectors.add("invalid", f"service: {name}", text, "service")
    vectors.add("invalid", "service: other issuer", token, "service, other issuer")


def mint(options):
    service = json.loads(pathlib.Path(options.service).read_text())
    first, second, thief = Key("first"), Key("second"), Key("thief")
    vectors = Vectors()
    claim_vectors(vectors, first)
    header_vectors(vectors, first, thief)
    form_vectors(vectors, first)
    key_vectors(vectors, first, second, options.keys)
    order_vectors(vectors, first)
    service_vectors(vectors, service, thief)
    own = {"issuer": ISSUER, "audience": AUDIENCE}
    at = f"{options.keys}/{{language}}/"  # each language has places of its own
    places = ("own", "cache", "fresh", "in passing", "crowd", "flood")
    live = {
        "issuer": service["issuer"],
        "audience": service["issuer"],
        "system_clock": True,
        "jwks_url": service["issuer"] + "/.well-known/jwks.json",
    }
    document = {
        "base": BASE,
        "verifiers": {
            **{name: {**own, "jwks_url": at + name.replace(" ", "-")} for name in places},
            "no keys": {**own, "jwks_url": at + "down"},
            "service": live,
            "service, other audience": {**live, "audience": service["audience"]},
            "service, other issuer": {**live, "issuer": ISSUER},
        },
        # How often a snippet has to have asked for keys: once, however much junk came, or how many at a time. In
        # passing after four minutes, at 4541; that counts as the age of the keys, so that 4842 asks again.
        "asked": {"own": 1, "fresh": 1, "in passing": 3, "crowd": 1, "flood": 1},
        "vectors": vectors.all,
    }
    rsa_key = rsa.generate_private_key(65537, 2048).public_key()
    other = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key)), "kid": "first", "alg": "RS256", "use": "sig"}
    odd = [
        other,
        {"kty": "oct", "kid": "secret", "alg": "HS256", "k": encoded(b"s" * 32)},
        thief.jwk(kid="encryption", use="enc"),
        {**first.jwk(kid="off-curve"), "y": encoded(b"y" * 32)},
        {"kty": "new"},
    ]
    sets = {"first": [*odd, first.jwk()], "second": [second.jwk()], "both": [first.jwk(), second.jwk()], "useless": odd}
    pathlib.Path(options.out).write_text(json.dumps(document))
    pathlib.Path(options.out).with_name("keys.json").write_text(json.dumps(sets))


def check(options):
    document = json.loads(pathlib.Path(options.vectors).read_text())
    lines = pathlib.Path(options.verdicts).read_text(encoding="utf-8").splitlines()
    verdicts = dict(line.rsplit("\t", 1) for line in lines)
    faults = [
        f"{vector['name']}: {verdicts.get(vector['name'], 'no verdict')} instead of {vector['expect']}"
        for vector in document["vectors"]
        if verdicts.get(vector["name"]) != vector["expect"]
    ]
    for name, times in document["asked"].items():
        url = document["verifiers"][name]["jwks_url"].replace("{language}", options.language) + "/asked"
        with urllib.request.urlopen(url) as response:
            asked = int(response.read())
        if asked != times:
            faults.append(f"keys of {name}: asked for {asked} times instead of {times}")
    print(*faults, sep="\n", end="\n" if faults else "")
    passed = len(document["vectors"]) + len(document["asked"]) - len(faults)
    print(f"{options.language}: {passed} passed, {len(faults)} failed")
    return 1 if faults else 0


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    minting = commands.add_parser("mint")
    minting.set_defaults(run=mint)
    for name in ("--service", "--keys", "--out"):
        minting.add_argument(name, required=True)
    checking = commands.add_parser("check")
    checking.set_defaults(run=check)
    for name in ("--vectors", "--verdicts", "--language"):
        checking.add_argument(name, required=True)
    options = parser.parse_args()
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
