"""A TCP proxy that notes what is asked and cuts connections in the middle, as a network does."""

import re
import socket
import threading


class Cutter:
    """Stands before an address; `url` is where the page finds it. Requests are noted by their first bytes."""

    def __init__(self, upstream: str):
        host, port = upstream.removeprefix("http://").split(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: dict[socket.socket, bytes] = {}  # the client's side -> its first request
        self.requests: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._upstream)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open[client] = b""
            threading.Thread(target=self._pump, args=(client, server, client), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, client), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, client: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if source is client and re.match(rb"[A-Z]+ /", data):
                    with self._lock:
                        self.requests.append(data)
                        self._open[client] = data
                target.sendall(data)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def asked(self, pattern: bytes) -> list[bytes]:
        """The requests whose first bytes match."""
        with self._lock:
            return [r for r in self.requests if re.search(pattern, r)]

    def cut(self, pattern: bytes) -> int:
        """Cuts the connections whose last request matches; gives how many."""
        with self._lock:
            cut = [c for c, request in self._open.items() if re.search(pattern, request) and c.fileno() >= 0]
            for c in cut:
                del self._open[c]
        for c in cut:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        return len(cut)

    def close(self) -> None:
        self._listener.close()
        self.cut(b"")
