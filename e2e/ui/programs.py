"""The programs that the page is tested with: the built gateway, and a real Triton."""

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

from processes import ROOT, Process, clean_environment, free_ports, installed, scratch

REPOSITORY = ROOT / "model_repository"


def read_json(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=180) as answer:
        return json.load(answer)


class Gateway:
    """The built program as `serve`, on free ports, with a copy of the demo models and jobs in a file of its own.

    Settings that begin with GATEWAY_ are variables, all others are flags.
    """

    def __init__(self, *settings: str):
        named = os.environ.get("TRITON_GATEWAY_BIN")
        self._binary = installed("the gateway's program", named or ROOT / "bin" / "triton-gateway")
        self.folder = scratch("ui")
        self.repository = self.folder / "model_repository"
        self._settings = settings
        self._http = self._grpc = self._admin = "127.0.0.1:0"
        try:
            shutil.copytree(REPOSITORY, self.repository)
            self._start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _start(self) -> None:
        found: dict[str, str] = {}

        def ready(line: str) -> bool:
            words = line.split()
            if line.startswith("  ") and len(words) == 2 and words[0] in ("page", "grpc", "admin"):
                found[words[0]] = words[1].removeprefix("http://").replace("localhost:", "127.0.0.1:").split("/")[0]
            return len(found) == 3

        env = clean_environment(GATEWAY_LISTEN__DRAIN="0s", GATEWAY_JOBS__QUEUE=f"sqlite:{self.folder}/jobs.db")
        env |= dict(s.split("=", 1) for s in self._settings if s.startswith("GATEWAY_"))
        flags = [s for s in self._settings if not s.startswith("GATEWAY_")]
        addresses = ["--http", self._http, "--grpc", self._grpc, "--admin", self._admin]
        self.process = Process([str(self._binary), "serve", "--model-repository", str(self.repository), *addresses, *flags], ready, env, self.folder)
        self._http, self._grpc, self._admin = found["page"], found["grpc"], found["admin"]

    @property
    def url(self) -> str:
        """Where the page is, without a slash at the end."""
        return f"http://{self._http}"

    @property
    def grpc(self) -> str:
        """host:port of KServe v2 over gRPC."""
        return self._grpc

    @property
    def admin(self) -> str:
        """host:port of the admin listener."""
        return self._admin

    def stats(self) -> dict:
        """The document of GET /v1/stats."""
        return read_json(f"{self.url}/v1/stats")

    def get(self, path: str) -> dict:
        """The JSON document at a path."""
        return read_json(self.url + path)

    def infer(self, model: str, picture: Path, query: str = "") -> dict:
        """What infer answers for a picture, asked without the page."""
        request = urllib.request.Request(f"{self.url}/v1/models/{model}/infer?{query}", picture.read_bytes(), {"Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request, timeout=180) as answer:
            return json.load(answer)

    def samples(self, model: str) -> list[Path]:
        """The model's sample pictures, by name."""
        folder = REPOSITORY / model / "golden"
        return sorted(p for p in folder.iterdir() if p.suffix != ".json")

    def restart(self) -> None:
        """Starts it again at the same addresses."""
        self.process.stop()
        self._start()

    def close(self) -> None:
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Triton:
    """A real tritonserver with the demo models, and a gateway with these settings before it (`gateway`)."""

    attempts = 6  # its Python backend gives up now and then on a crowded machine, at a lock

    def __init__(self, repository: Path = REPOSITORY, *settings: str):
        venv = installed("Triton", ROOT / ".cache" / "triton")
        script = 'import sysconfig as s; print(s.get_path("purelib"), s.get_config_var("LIBDIR"), s.get_python_version(), sep="\\n")'
        packages, libpython, version = subprocess.check_output([venv / "bin" / "python", "-c", script], text=True, env=clean_environment()).split("\n")[:3]
        server = installed("Triton", Path(packages) / "pytriton" / "tritonserver")
        self.folder = scratch("backends")
        self.gateway: Gateway | None = None
        try:
            self._backends(server, version)
            http, grpc, metrics = free_ports(3)
            self.http, self.grpc, self.metrics = (f"127.0.0.1:{port}" for port in (http, grpc, metrics))
            self._env = clean_environment(
                PATH=f"{venv}/bin:{os.environ['PATH']}", PYTHONPATH=packages, LD_LIBRARY_PATH=f"{packages}/nvidia_pytriton.libs:{libpython}", OMP_NUM_THREADS="1"
            )
            self._command = [
                f"{server}/bin/tritonserver", f"--model-repository={repository}", f"--backend-directory={self.folder}", f"--cache-directory={server}/caches",
                "--grpc-address=127.0.0.1", "--http-address=127.0.0.1", "--metrics-address=127.0.0.1",
                f"--grpc-port={grpc}", f"--http-port={http}", f"--metrics-port={metrics}", "--allow-gpu-metrics=false", "--disable-auto-complete-config",
                "--model-load-thread-count=2", "--backend-config=python,stub-timeout-seconds=180", "--backend-config=onnxruntime,stub-timeout-seconds=180",
                f"--backend-config=python,shm-region-prefix-name={self.folder.name}", f"--backend-config=onnxruntime,shm-region-prefix-name={self.folder.name}",
                "--model-control-mode=explicit", "--load-model=*",
            ]
            self.start()
            self.gateway = Gateway("--triton", self.grpc, *settings)
        except BaseException:
            self.close()
            raise

    def _backends(self, server: Path, version: str) -> None:
        """Triton's Python backend, and the same a second time as `onnxruntime`; see internal/parts/triton_install.go."""
        for name in ("python", "onnxruntime"):
            target = self.folder / name
            shutil.copytree(server / "backends" / "python", target)
            (target / "libtriton_python.so").rename(target / f"libtriton_{name}.so")
            stub = target / "triton_python_backend_stub"
            shutil.copyfile(server / "python_backend_stubs" / version / stub.name, stub)
            stub.chmod(0o755)
        shutil.copyfile(ROOT / "internal" / "parts" / "onnxruntime_backend" / "model.py", self.folder / "onnxruntime" / "model.py")

    def start(self) -> None:
        """Starts it, again at the same addresses."""
        for attempt in range(self.attempts):
            self._sweep()
            try:
                self.process = Process(self._command, lambda line: "Started Metrics Service at" in line, self._env)
                return
            except RuntimeError as e:
                if "lock_exception" not in str(e) or attempt == self.attempts - 1:
                    raise

    def kill(self) -> None:
        """Ends it as a crash would."""
        self.process.kill()

    def inferences(self, model: str) -> int:
        """How often it has run a model, by its own statistics."""
        return sum(m["inference_count"] for m in read_json(f"http://{self.http}/v2/models/{model}/stats")["model_stats"])

    def _sweep(self) -> None:
        for left in Path("/dev/shm").glob(self.folder.name + "*"):
            left.unlink(missing_ok=True)

    def close(self) -> None:
        if self.gateway:
            self.gateway.close()
        if hasattr(self, "process"):
            self.process.kill()
        self._sweep()
        shutil.rmtree(self.folder, ignore_errors=True)
