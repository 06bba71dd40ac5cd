"""A receiver that fails in every way at random, verifies with two libraries and keeps account: a process of its own.

python soak_receiver.py SECRET THROTTLED
"""

import json
import random
import socket
import struct
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import standardwebhooks
import svix.webhooks

TOO_LONG = 1.4  # seconds; the senders wait for one
PAGE = 300


class State:
    """What has arrived, and what was wrong with it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calm = False
        self.ids: dict[str, int] = {}
        self.newest: dict[str, int] = {}
        self.held: dict[str, dict[str, Any]] = {}
        self.wrong = {"signature": 0, "order": 0, "inner": 0}
        self.faults: dict[str, int] = {}

    def accept(self, id_: str, message: dict[str, Any]) -> None:
        """Take a message in, unless it is a duplicate; note when it comes before one that it should follow."""
        data = message["data"]
        with self.lock:
            self.ids[id_] = self.ids.get(id_, 0) + 1
            if self.ids[id_] > 1:
                return
            person = data["subject"].split(":")[1]
            if data["sequence"] <= self.newest.get(person, 0):
                self.wrong["order"] += 1
            self.newest[person] = data["sequence"]
            if data["sequence"] > self.held.get(data["subject"], {"sequence": 0})["sequence"]:
                row = {"subject": data["subject"], "sequence": data["sequence"], "type": message["type"], "data": data}
                self.held[data["subject"]] = row

    def page(self, cursor: str | None) -> dict[str, Any]:
        """A page of what is held."""
        with self.lock:
            behind = sorted(subject for subject in self.held if subject > (cursor or ""))[:PAGE]
            return {"held": [self.held[one] for one in behind], "next": behind[-1] if len(behind) == PAGE else None}

    def damage(self) -> dict[str, int]:
        """Delete, alter and set back records, and make one up."""
        done = {"deleted": 0, "altered": 0, "set_back": 0}
        with self.lock:
            for number, subject in enumerate(sorted(self.held)):
                row = self.held[subject]
                if number % 20 == 0:
                    del self.held[subject]
                    done["deleted"] += 1
                elif number % 20 == 1:
                    row["data"] = {**row["data"], "status": "revoked"}
                    done["altered"] += 1
                elif number % 20 == 2:
                    row["sequence"] -= 1
                    row["data"] = {**row["data"], "status": "old"}
                    done["set_back"] += 1
            self.held["certification:nobody:X"] = {"subject": "certification:nobody:X", "sequence": 1}
        return done

    def report(self) -> dict[str, Any]:
        """Everything that a test wants to know."""
        with self.lock:
            states = {subject: row.get("data", {}).get("status") for subject, row in self.held.items()}
            return {"ids": self.ids, "wrong": self.wrong, "faults": self.faults, "states": states}


# what happens, and how often; those that end in _after happen when the message has been taken in
FAULTS = {
    "500": 0.02, "reset": 0.02, "timeout": 0.002, "redirect": 0.01, "slow": 0.02, "half": 0.005,
    "500_after": 0.015, "reset_after": 0.015, "timeout_after": 0.002,
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """One connection; `main` gives it what it works with."""

    state: State
    chance: random.Random
    weights: dict[str, float]
    libraries: tuple[Any, ...]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        if self.path == "/report":
            self.answer(200, json.dumps(self.state.report()).encode())
        else:
            with self.state.lock:
                self.state.wrong["inner"] += 1
            self.answer(200, b"")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:  # its sender was killed before it had sent everything: there is no message to verify
            self.close_connection = True
            return None
        if self.path == "/calm":
            self.state.calm = True
            return self.answer(200, b"")
        if self.path == "/damage":
            return self.answer(200, json.dumps(self.state.damage()).encode())
        if self.path != "/hooks":
            with self.state.lock:
                self.state.wrong["inner"] += 1
            return self.answer(404, b"")
        headers = {name.lower(): value for name, value in self.headers.items()}
        for library in self.libraries:
            try:
                library.verify(body, headers)
            except Exception:  # whatever a library says is wrong
                with self.state.lock:
                    self.state.wrong["signature"] += 1
        message = json.loads(body)
        if message["type"] == "endpoint.read_back":
            return self.answer(200, json.dumps(self.state.page(message["data"]["cursor"])).encode())
        return self.receive(headers["webhook-id"], message)

    def receive(self, id_: str, message: dict[str, Any]) -> None:
        with self.state.lock:
            drawn = self.chance.random()
            fault = ""
            for name, share in self.weights.items():
                drawn -= share
                if drawn < 0 and not self.state.calm:
                    fault = name
                    self.state.faults[name] = self.state.faults.get(name, 0) + 1
                    break
        if fault in ("", "slow") or fault.endswith("_after"):
            self.state.accept(id_, message)
        fault = fault.removesuffix("_after")
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif fault == "half":
            self.wfile.write(b"HTTP/1.1 20")
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif fault in ("timeout", "slow"):
            time.sleep(TOO_LONG if fault == "timeout" else 0.05)
            self.answer(200, b"")
        elif fault == "redirect":
            own = f"http://127.0.0.1:{self.server.server_address[1]}/inner"
            self.answer(302, b"", {"Location": self.chance.choice([own, "http://169.254.169.254/latest/meta-data/"])})
        elif fault == "429_date":
            self.answer(429, b"", {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=2))})
        elif fault == "429_seconds":
            self.answer(429, b"", {"Retry-After": "1"})
        elif fault:
            self.answer(int(fault), b"as it happens")
        else:
            self.answer(201, b"")

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except OSError:
            self.close_connection = True  # the sender has gone

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            return  # the sender was killed
        except ValueError:
            return  # its socket was closed by a reset

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            return


def main() -> None:
    """Serve until killed; the first line says where."""
    secret, throttled = sys.argv[1], float(sys.argv[2])
    Handler.state, Handler.chance = State(), random.Random(1)
    Handler.weights = {**FAULTS, "429_seconds": throttled, "429_date": throttled, "503": throttled}
    Handler.libraries = (standardwebhooks.Webhook(secret), svix.webhooks.Webhook(secret))

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)  # noqa: T201 - it is read by who started this
    server.serve_forever()


if __name__ == "__main__":
    main()
