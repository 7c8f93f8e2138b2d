"""Receives webhooks of Signalbox and takes only what Signalbox has signed.

Put the signing secret (whsec_…) into the environment variable SIGNALBOX_SECRET, then: python3 receiver.py
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ.get("SIGNALBOX_SECRET") or sys.exit(
    "Set SIGNALBOX_SECRET to the signing secret of the webhook."
)
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))
PORT = int(os.environ.get("PORT", "8000"))
TOLERANCE_SECONDS = 5 * 60
MAX_BODY_BYTES = 1024 * 1024

# Ids that were handled. Keep them in your database: this set is gone after a restart.
handled = set()
one_at_a_time = threading.Lock()


def handle(event, data):
    """Your own work comes here. If it raises, the answer is 500 and Signalbox calls again later."""
    print("handled", event, *data, flush=True)


def refusal(headers, body):
    """Why a call is refused; None when it is genuine. `body` holds the bytes as they came."""
    call_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "")
    if not (call_id and timestamp and signatures):
        return "a header is missing"
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return "the timestamp is too old or too new"
    signed = f"{call_id}.{timestamp}.".encode() + body
    mac = hmac.new(KEY, signed, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(mac)
    # While the secret is being changed there are two signatures; one that fits is enough.
    if any(hmac.compare_digest(given.encode(), expected) for given in signatures.split()):
        return None
    return "the signature does not fit"


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            return self.answer(411, "no content-length")
        if int(length) > MAX_BODY_BYTES:
            return self.answer(413, "too large")
        body = self.rfile.read(int(length))
        refused = refusal(self.headers, body)
        if refused:
            return self.answer(401, refused)
        call_id = self.headers["webhook-id"]
        try:
            with one_at_a_time:
                if call_id in handled:
                    return self.answer(200, "handled before")
                handle(self.headers["x-webhook-event"], json.loads(body))
                handled.add(call_id)
        except Exception as error:
            self.log_error("%r", error)
            return self.answer(500, "failed")
        self.answer(200, "handled")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


with ThreadingHTTPServer(("127.0.0.1", PORT), Receiver) as server:
    print(f"Listening at http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
