"""A pair as a student may write it, whose logs have no ids: `python3 student_pair.py a|b`. Hostile when asked to be."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit
from urllib.request import urlopen

ROLE = sys.argv[1]
HOSTILE = [
    "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">",
    "\x1b[2J\x1b]0;owned\x07 \u202edewno",
    "```",
    "# owned",
    "````` <b>owned</b>",
    "![owned](http://evil.example/owned.png) </pre></code></style></svg>",
    "owned" * 20_000,
]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        msg = parse_qs(url.query).get("msg", [""])[0]
        if msg == "hostile":
            print("\n".join(HOSTILE))
        if url.path == "/health":
            self.answer(200, json.dumps({"status": "ok"}))
        elif url.path == "/echo":
            self.answer(200, json.dumps({"echo": msg}))
        elif url.path == "/call-echo":
            self.call_echo(msg)
        else:
            self.answer(404, json.dumps({"error": "not found"}))
        if msg == "late lines":
            time.sleep(0.1)
            print(f"late line of {ROLE}", flush=True)

    def call_echo(self, msg):
        try:
            with urlopen(f"{os.environ['SERVICE_A_URL']}/echo?msg={quote(msg)}", timeout=1) as response:
                echo = json.load(response)
        except (OSError, ValueError) as error:
            self.answer(503, json.dumps({"service_b": "ok", "service_a": "unavailable", "error": str(error)}))
            return
        if msg == "hostile":
            self.answer(200, "\n".join(HOSTILE), "text/html")
        elif msg == "hostile reason":
            self.answer(503, f'{{"reason":"timeout","error":"{HOSTILE[1]}"}}')
        else:
            self.answer(200, json.dumps({"service_b": "ok", "service_a": echo}))

    def answer(self, status, body, kind="application/json"):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
