"""A key server that behaves as it is told, well or badly: `python key_server.py PORT keys.json`.

GET /{language}/{place}                 the keys, as that place is told to serve them; at first the set "first"
GET /{language}/{place}/asked           how often they were asked for
GET /serve/{language}/{place}/{kind}    from now on that place serves a set of keys.json, or a fault by its name
"""

import http.server
import json
import pathlib
import sys
import threading
import time

LONG_SECONDS = 6  # well beyond the time-out of any snippet; then comes a good answer, for those without one


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port, path):
        super().__init__(("127.0.0.1", port), Handler)
        self.path, self.lock = pathlib.Path(path), threading.Lock()
        self.kinds, self.asked = {}, {}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        match self.path.strip("/").split("/"):
            case ["serve", language, place, kind]:
                self.server.kinds[language, place] = kind
                self.answer(200, b"")
            case [language, place, "asked"]:
                self.answer(200, str(self.server.asked.get((language, place), 0)).encode())
            case [language, place]:
                with self.server.lock:
                    self.server.asked[language, place] = self.server.asked.get((language, place), 0) + 1
                self.serve(self.server.kinds.get((language, place), "down" if place == "down" else "first"))
            case _:
                self.answer(404, b"")

    def serve(self, kind):
        match kind:
            case "down":
                self.answer(503, self.keys("first"))
            case "html":
                self.answer(200, b"<html>Please sign in to this network.</html>")
            case "empty":
                self.answer(200, b'{"keys":[]}')
            case "huge":
                self.answer(200, self.keys("first") + b" " * (1024 * 1024))
            case "broken":
                self.answer(200, self.keys("first")[:-1])
            case "redirect":
                self.answer(302, b"", Location=self.path.rsplit("/", 1)[0] + "/own")
            case "hang":
                time.sleep(LONG_SECONDS)
                self.answer(200, self.keys("first"))
            case "slow":
                self.answer(200, self.keys("first"), LONG_SECONDS / 12)
            case known:
                self.answer(200, self.keys(known))

    def keys(self, name):
        return json.dumps({"keys": json.loads(self.server.path.read_text())[name]}).encode()

    def answer(self, status, body, pause=0, **headers):
        """`pause` in seconds, before each twelfth of the body."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        size = len(body) // 12 + 1
        for start in range(0, len(body), size):
            time.sleep(pause)
            self.wfile.write(body[start : start + size])

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # the snippet would not wait, as it should not

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Server(int(sys.argv[1]), sys.argv[2]).serve_forever()
