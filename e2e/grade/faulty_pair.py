"""The same small pair in Python's standard library: `python3 faulty_pair.py a|b [FAULT]`. Two of these are no faults, but
habits: "another shape" of A's JSON, and "plain text" as answers."""

import json
import os
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from urllib.parse import parse_qs, quote, urlsplit

ROLE, FAULT = sys.argv[1], " ".join(sys.argv[2:])
TIMEOUT_S = 0.3
MAX_BYTES = 64 * 1024


class Failed(Exception):
    pass


def call_a(msg):
    host = urlsplit(os.environ.get("SERVICE_A_URL", "http://127.0.0.1:8080"))
    connection = HTTPConnection(host.hostname, host.port, timeout=TIMEOUT_S)
    late = threading.Event()

    def give_up():
        late.set()
        sock.shutdown(SHUT_RDWR)

    deadline = threading.Timer(TIMEOUT_S, give_up)
    try:
        connection.connect()
        sock = connection.sock
        if FAULT != "a timeout for each read":
            deadline.start()
        query = quote(msg, safe="&#=+%/?;") if FAULT == "an unescaped msg" else quote(msg, safe="")
        connection.request("GET", "/echo?msg=" + query.split("#")[0])
        response = connection.getresponse()
        if response.status != 200:
            raise Failed(f"service A answered {response.status}")
        body = response.read(MAX_BYTES)
        if FAULT == "plain text":
            return body.decode()
        echo = json.loads(body)
        echo = echo["data"]["said"] if FAULT == "another shape" else echo["echo"]
        if not isinstance(echo, str):
            raise Failed("no echo")
        return echo
    except ConnectionRefusedError:
        raise Failed("connection refused")
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise Failed("timeout")
        raise Failed("service A broke off, or did not answer with an echo")
    finally:
        deadline.cancel()
        connection.close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        start = time.monotonic()
        url = urlsplit(self.path)
        msg = parse_qs(url.query, keep_blank_values=True).get("msg", [""])[0]
        status, body, error = 200, {"status": "ok"}, None
        if url.path == "/echo" and ROLE == "a":
            body = {"data": {"said": msg}} if FAULT == "another shape" else {"echo": msg}
        elif url.path == "/call-echo" and ROLE == "b":
            try:
                body = {"service_b": "ok", "service_a": {"echo": call_a(msg)}}
            except Failed as failed:
                status, error = 503, str(failed)
                body = {"service_b": "ok", "service_a": "unavailable"}
        elif url.path != "/health":
            status, body = 404, {}
        text, kind = json.dumps(body), "application/json"
        if FAULT == "plain text":
            text, kind = msg if ROLE == "a" else str(body).replace("{", "").replace("}", ""), "text/plain"
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        line = {"service": ROLE, "endpoint": url.path, "status": status, "latency_ms": (time.monotonic() - start) * 1000}
        print(json.dumps(line | ({"error": error} if error else {})), flush=True)

    def log_message(self, *_):
        pass


ThreadingHTTPServer.request_queue_size = 64
ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
