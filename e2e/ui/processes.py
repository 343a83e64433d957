"""Child processes for the tests of the page: each is ready when its function returns, and ends with the tests whatever happens.

What is missing means the same as in the Go tests (package internal/parts): a skip with a clear message, or a failure under
TRITON_GATEWAY_REQUIRE_PARTS=1. TRITON_GATEWAY_PARTS=off skips all that needs a real part.
"""

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 180  # seconds that a program may take to be ready, on a busy machine
STOP_WITHIN = 60  # seconds that a program may take to end by itself
PR_SET_PDEATHSIG = 1


class Missing(Exception):
    """A real part is not installed, or switched off."""


def required() -> bool:
    """Says whether a missing part is a failure and no skip."""
    return os.environ.get("TRITON_GATEWAY_REQUIRE_PARTS") == "1" and os.environ.get("TRITON_GATEWAY_PARTS") != "off"


def installed(name: str, path: Path | str | None) -> Path:
    """Gives the path of a part that is there; Missing otherwise."""
    if os.environ.get("TRITON_GATEWAY_PARTS") == "off":
        raise Missing("real part missing: TRITON_GATEWAY_PARTS=off")
    if path is None or not Path(path).exists():
        raise Missing(f"real part missing: {name} is not at {path or 'any place of PATH'}: run `make build parts`")
    return Path(path)


def chromium() -> Path:
    """The path of the browser."""
    return installed("Chromium", shutil.which("chromium"))


def free_ports(count: int) -> list[int]:
    """Ports on which nothing listens, below those that Linux gives to outgoing connections. Nothing reserves them."""
    held, ports = [], []
    try:
        while len(ports) < count:
            s = socket.socket()
            try:
                s.bind(("127.0.0.1", random.randrange(18000, 32000)))
            except OSError:
                s.close()
                continue
            held.append(s)
            ports.append(s.getsockname()[1])
    finally:
        for s in held:
            s.close()
    return ports


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without settings of Python, of the loader and of a gateway, which would change what is tested."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LD_", "GATEWAY_"))}
    return kept | more


class Process:
    """A running program with its own process group. `ready` looks at each line that it writes, and says whether it is ready."""

    def __init__(self, command: list[str], ready: Callable[[str], bool], env: dict[str, str], cwd: Path = ROOT):
        libc = ctypes.CDLL(None)

        def child() -> None:
            os.setpgid(0, 0)
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # the kernel ends it when the tests are killed

        self._lines: list[str] = []
        self._ready = threading.Event()
        self._is_ready = ready
        self._popen = subprocess.Popen(
            command, cwd=cwd, env=env, preexec_fn=child, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(READY_WITHIN) or self._popen.poll() is not None:
            self.kill()
            raise RuntimeError(f"{command[0]} did not become ready; the end of its log:\n{self.log()[-4000:]}")

    def _read(self) -> None:
        assert self._popen.stdout
        for line in self._popen.stdout:
            self._lines.append(line)
            if not self._ready.is_set() and self._is_ready(line.rstrip("\n")):
                self._ready.set()
        self._ready.set()  # it has ended: whoever waits sees that

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def log(self) -> str:
        """All that it wrote."""
        return "".join(self._lines)

    def signal(self, number: int) -> None:
        """Sends a signal to the program and its children."""
        try:
            os.killpg(self._popen.pid, number)
        except ProcessLookupError:
            pass

    def kill(self) -> None:
        """Ends it as a crash would, and waits until it is gone."""
        self.signal(signal.SIGKILL)
        self._popen.wait()
        self._reader.join(10)

    def stop(self) -> None:
        """Asks it to end; what is left of it after a while is killed."""
        self.signal(signal.SIGCONT)
        if self.alive:
            self._popen.terminate()
        try:
            self._popen.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            pass
        self.kill()


def scratch(name: str) -> Path:
    """A fresh folder outside of the tree; its user removes it."""
    return Path(tempfile.mkdtemp(prefix=f"triton-gateway-{name}-"))
