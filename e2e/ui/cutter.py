"""A TCP proxy that notes what is asked, holds answers back and cuts connections in the middle, as a network does."""

import re
import socket
import threading


class Cutter:
    """Stands before an address; `url` is where the page finds it. Requests are noted by their first bytes."""

    def __init__(self, upstream: str):
        host, port = upstream.removeprefix("http://").split(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Condition()
        self._hold: tuple[bytes, bytes] | None = None
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
        request, passed = b"", b""  # of an answer that may have to be held
        try:
            while data := source.recv(65536):
                if source is client and re.match(rb"[A-Z]+ /", data):
                    with self._lock:
                        self.requests.append(data)
                        self._open[client] = data
                elif source is not client:
                    with self._lock:
                        hold, now = self._hold, self._open.get(client, b"")
                    if now is not request:
                        request, passed = now, b""
                    if hold and re.search(hold[0], request):
                        passed += data
                        if end := re.search(hold[1], passed, re.DOTALL):
                            target.sendall(data[: max(0, len(data) - (len(passed) - end.end()))])
                            with self._lock:
                                self._lock.wait_for(lambda: client not in self._open)
                            break
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

    def hold(self, pattern: bytes, answer: bytes) -> None:
        """Of an answer to a request that matches, nothing more is passed on after what matches in it, until its connection is cut: however slow the browser and
        the machine are, it is known what the page has seen. For the answers that begin from now on."""
        with self._lock:
            self._hold = (pattern, answer)

    def cut(self, pattern: bytes) -> int:
        """Cuts the connections whose last request matches; gives how many."""
        with self._lock:
            cut = [c for c, request in self._open.items() if re.search(pattern, request) and c.fileno() >= 0]
            for c in cut:
                del self._open[c]
            self._lock.notify_all()
        for c in cut:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        return len(cut)

    def close(self) -> None:
        self._hold = None
        self._listener.close()
        self.cut(b"")
