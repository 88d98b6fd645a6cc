"""Prints the verdict of verify.py on each vector of a file: `python run_vectors.py vectors.json`."""

import concurrent.futures
import json
import sys
import urllib.request

from verify import InvalidToken, KeysUnavailable, Verifier


class Clock:
    """Stands still between vectors. In seconds."""

    def __init__(self, base):
        self.base, self.at = base, 0

    def time(self):
        return self.base + self.at

    def monotonic(self):
        return self.at


def verdict(verifier, token):
    try:
        return "ok" if isinstance(verifier.verify(token)["sub"], str) else "no claims"
    except InvalidToken:
        return "invalid"
    except KeysUnavailable:
        return "unavailable"
    except Exception as error:
        return f"failed: {type(error).__name__}"


def main(path):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    clock, made = Clock(document["base"]), {}
    for vector in document["vectors"]:
        name = vector["verifier"]
        if name not in made:
            settings = document["verifiers"][name]
            own = {} if settings.get("system_clock") else {"clock": clock}
            url = settings["jwks_url"].replace("{language}", "python")
            made[name] = Verifier(settings["issuer"], settings["audience"], url, **own)
        if "before" in vector:
            urllib.request.urlopen(vector["before"].replace("{language}", "python")).close()
        clock.at = vector.get("at", clock.at)
        times = vector.get("times", 1)
        with concurrent.futures.ThreadPoolExecutor(times) as pool:
            verdicts = set(pool.map(lambda token: verdict(made[name], token), [vector["token"]] * times))
        print(vector["name"], "+".join(sorted(verdicts)), sep="\t")


if __name__ == "__main__":
    main(sys.argv[1])
