"""A gateway that wants a key, as far as the page can tell: a proxy that answers 401 to whoever has none, and notes what is asked."""

import http.client
import json
from http.server import BaseHTTPRequestHandler

from local import Local

OPEN = ("/livez", "/readyz", "/docs", "/ui/")  # and the page itself


class KeyProxy(Local):
    """Stands before a gateway; `url` is where the page finds it. `seen` has (method, path, key) of all that came: key is None where there was none."""

    def __init__(self, upstream: str, key: str):
        self.key = key
        self.seen: list[tuple[str, str, str | None]] = []
        proxy, address = self, upstream.removeprefix("http://")

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_) -> None:
                pass

            def answer(self) -> None:
                sent = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
                proxy.seen.append((self.command, self.path, sent))
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path != "/" and not self.path.startswith(OPEN) and sent != proxy.key:
                    self.refuse("this key is unknown" if sent else "send a key")
                    return
                connection = http.client.HTTPConnection(address, timeout=120)
                try:
                    headers = {k: v for k, v in self.headers.items() if k.lower() not in ("authorization", "connection", "accept-encoding")}
                    connection.request(self.command, self.path, body or None, headers)
                    answer = connection.getresponse()
                    self.send_response_only(answer.status)
                    for name, value in answer.getheaders():
                        if name.lower() not in ("transfer-encoding", "connection"):
                            self.send_header(name, value)
                    self.send_header("Connection", "close")
                    self.end_headers()
                    while piece := answer.read1(65536):
                        self.wfile.write(piece)
                except OSError:
                    pass  # one of them has gone
                finally:
                    self.close_connection = True
                    connection.close()

            def refuse(self, why: str) -> None:
                document = json.dumps({"title": "Unauthorized", "status": 401, "detail": why, "code": "unauthenticated"}).encode()
                self.send_response_only(401)
                self.send_header("Content-Type", "application/problem+json")
                self.send_header("WWW-Authenticate", 'Bearer realm="triton-gateway"')
                self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                self.wfile.write(document)

            do_GET = do_POST = do_DELETE = do_PUT = do_HEAD = answer

        super().__init__(Handler)
