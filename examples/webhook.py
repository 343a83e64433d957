"""Take the gateway's calls about finished jobs: WEBHOOK_SECRET=... python webhook.py 8443  (behind a proxy that ends TLS)"""
import hashlib
import hmac
import http.server
import json
import os
import sys
import time

SECRET = os.environ["WEBHOOK_SECRET"].encode()


def genuine(header: str, body: bytes, now: float) -> bool:
    """Says whether the gateway sent this, within the last five minutes."""
    parts = dict(p.split("=", 1) for p in header.split(",") if "=" in p)
    stamp = parts.get("t", "")
    if not stamp.isascii() or not stamp.isdigit() or abs(now - int(stamp)) > 300:
        return False
    want = hmac.new(SECRET, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(want, parts.get("v1", ""))


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 1 << 20))
        if not genuine(self.headers.get("Webhook-Signature", ""), body, time.time()):
            self.send_error(403)
            return
        job = json.loads(body)  # the same job may be told twice: take the second time for the first
        print(job["id"], job["state"], job["links"]["self"], flush=True)
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Hook).serve_forever()
