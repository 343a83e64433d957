"""The gateway's public REST API, as the dashboard uses it: one class, and one exception that says in words what went wrong."""

import hashlib
import json
import ssl
import time
from dataclasses import dataclass
from urllib.parse import quote

import httpx

LONGEST_ANSWER = 64 << 20  # bytes; no answer of the gateway comes near it
PATIENCE = httpx.Timeout(60, connect=3)  # seconds; the gateway itself gives up after 30


class Failure(Exception):
    """A call that was not answered as it should have been. str() is a sentence for people; code is the gateway's, or unreachable, slow, odd_answer."""

    def __init__(self, says: str, code: str, status: int = 0, retry_after: float | None = None):
        super().__init__(says)
        self.code, self.status, self.retry_after = code, status, retry_after

    @property
    def away(self) -> bool:
        """The gateway itself cannot be reached, or is going."""
        return self.code in ("unreachable", "draining")


@dataclass(frozen=True)
class Answer:
    """What infer says. took is what the client waited, in seconds; sent is how many bytes of input travelled."""

    document: dict
    cache: str
    route: str
    stages: dict[str, float]  # milliseconds by stage, from Server-Timing
    took: float
    sent: int

    @property
    def by_digest(self) -> bool:
        """The input was known by its SHA-256 and did not travel."""
        return self.sent == 0


def timings(header: str) -> dict[str, float]:
    """Milliseconds by name from a Server-Timing header; what has no readable duration is left out."""
    out = {}
    for part in header.split(","):
        name, *parameters = (p.strip() for p in part.split(";"))
        for p in parameters:
            key, _, value = p.partition("=")
            try:
                if key.strip().lower() == "dur" and name:
                    out[name] = float(value.strip('" '))
            except ValueError:
                pass
    return out


def failure(response: httpx.Response) -> Failure:
    """The words for an answer that is an error: the problem's detail, or what can be said without one."""
    status, code, detail = response.status_code, "odd_answer", ""
    try:
        problem = response.json()
        if isinstance(problem, dict):
            code, detail = str(problem.get("code") or code), str(problem.get("detail") or problem.get("title") or "")
    except (ValueError, UnicodeDecodeError):
        pass
    if status in (401, 403) and not response.request.headers.get("Authorization"):
        detail = f"{detail or 'The gateway wants a key'}. Set GATEWAY_TOKEN to one and start the dashboard again."
    if not detail:
        detail = f"{response.request.url} answered {status}, and not as a gateway does. Is GATEWAY_URL right?"
    wait = response.headers.get("Retry-After", "")
    return Failure(detail, code, status, float(wait) if wait.isdigit() else None)


def segment(name: str) -> str:
    """A name as one part of a path, whatever it holds."""
    return quote(name, safe="")


class Gateway:
    """The calls. url has no slash at its end; token may be empty; ca is a file with the authorities of an https gateway, "" the usual ones. Every method raises
    Failure and nothing else."""

    def __init__(self, url: str, token: str = "", transport: httpx.BaseTransport | None = None, ca: str = ""):
        self.url = url.rstrip("/")
        headers = {"Accept": "application/json", "User-Agent": "triton-gateway-dashboard"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            # trust_env=False: a proxy of the environment is not asked, and no other credentials are looked up.
            verify = ssl.create_default_context(cafile=ca) if ca else True
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE, transport=transport, trust_env=False, verify=verify)
        except OSError as e:  # of the file, ssl.SSLError among them
            self._http, self._odd = None, f"GATEWAY_CA is {ca!r}, which holds no certificates: {e}"
        except (httpx.InvalidURL, ValueError) as e:
            self._http, self._odd = None, f"GATEWAY_URL is {url!r}, which is no address: {e}"

    def ask(self, method: str, path: str, timeout: float | None = None, **how) -> httpx.Response:
        """One call; how is httpx's. An answer that is no success is raised as a Failure."""
        if self._http is None:
            raise Failure(self._odd, "unreachable")
        if timeout is not None:
            how["timeout"] = httpx.Timeout(timeout, connect=min(timeout, 3))
        try:
            with self._http.stream(method, path, **how) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > LONGEST_ANSWER:
                        raise Failure(f"{path} answers with more than {LONGEST_ANSWER >> 20} MiB; that is too much for a page.", "odd_answer")
            whole = httpx.Response(response.status_code, headers=_plain(response.headers), content=bytes(body), request=response.request)
        except httpx.TimeoutException as e:
            code = "unreachable" if isinstance(e, httpx.ConnectTimeout) else "slow"
            raise Failure(f"The gateway at {self.url} did not answer in time ({path}).", code) from e
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as e:
            raise Failure(f"Nobody answers at {self.url}: {e or type(e).__name__}. Start the gateway with `make run`, or set GATEWAY_URL to where it is.", "unreachable") from e
        if not whole.is_success:
            raise failure(whole)
        return whole

    def get(self, path: str, timeout: float | None = None, **query) -> dict:
        """A document by GET; parameters that are None are left out."""
        return _document(self.ask("GET", path, timeout, params=_given(query)))

    def models(self) -> list[dict]:
        return self.get("/v1/models", 10).get("models") or []

    def model(self, name: str) -> dict:
        return self.get(f"/v1/models/{segment(name)}", 10)

    def sample(self, model: str, file: str) -> bytes:
        return self.ask("GET", f"/v1/models/{segment(model)}/samples/{segment(file)}").content

    def stats(self) -> dict:
        return self.get("/v1/stats", 5)

    def routes(self) -> list[dict]:
        return self.get("/v1/routes", 10).get("routes") or []

    def infer(self, model: str, picture: bytes, version: str | None = None, digest_first: bool = True, **options) -> Answer:
        """Asks for a picture: by its digest first, where the cache may be asked, and with the bytes where that does not know it."""
        query = _given(options | {"version": version})
        if digest_first and query.get("cache", "default") == "default":
            path = f"/v1/models/{segment(model)}/results/{hashlib.sha256(picture).hexdigest()}"
            known = {k: v for k, v in query.items() if k != "cache"}
            began = time.perf_counter()
            try:
                return self._answer(self.ask("GET", path, params=known), began, 0)
            except Failure as e:
                if e.code != "result_not_cached":
                    raise
        began = time.perf_counter()
        headers = {"Content-Type": "application/octet-stream"}
        return self._answer(self.ask("POST", f"/v1/models/{segment(model)}/infer", params=query, content=picture, headers=headers), began, len(picture))

    def infer_json(self, model: str, body: dict, version: str | None = None) -> Answer:
        """Asks for rows or tensors."""
        content = json.dumps(body).encode()
        began = time.perf_counter()
        headers = {"Content-Type": "application/json"}
        response = self.ask("POST", f"/v1/models/{segment(model)}/infer", params=_given({"version": version}), content=content, headers=headers)
        return self._answer(response, began, len(content))

    def submit(self, model: str, files: list[tuple[str, bytes]], zipped: bool = False, **settings) -> dict:
        """Hands in a job of these (name, bytes); zipped: the one file is an archive of pictures."""
        query = _given({"model": model} | settings)
        if zipped:
            return _document(self.ask("POST", "/v1/jobs", params=query, content=files[0][1], headers={"Content-Type": "application/zip"}))
        form = [("image", (name, data, "application/octet-stream")) for name, data in files]
        return _document(self.ask("POST", "/v1/jobs", params=query, files=form))

    def jobs(self, **query) -> dict:
        return self.get("/v1/jobs", 10, **query)

    def job(self, ident: str) -> dict:
        return self.get(f"/v1/jobs/{segment(ident)}")

    def cancel(self, ident: str) -> dict:
        return _document(self.ask("DELETE", f"/v1/jobs/{segment(ident)}"))

    def retry(self, ident: str) -> dict:
        return _document(self.ask("POST", f"/v1/jobs/{segment(ident)}/retry"))

    def _answer(self, response: httpx.Response, began: float, sent: int) -> Answer:
        took, header = time.perf_counter() - began, response.headers
        return Answer(_document(response), header.get("Cache-Status", ""), header.get("X-Route", ""), timings(header.get("Server-Timing", "")), took, sent)


def _given(query: dict) -> dict:
    """Without what is None or empty; lists are joined by commas."""
    return {k: ",".join(map(str, v)) if isinstance(v, (list, tuple)) else str(v) for k, v in query.items() if v not in (None, "", [], ())}


def _document(response: httpx.Response) -> dict:
    try:
        document = response.json()
    except (ValueError, UnicodeDecodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Failure(f"{response.request.url} answered with something that is no JSON object. Is GATEWAY_URL right?", "odd_answer", response.status_code)
    return document


def _plain(headers: httpx.Headers) -> list[tuple[str, str]]:
    """The headers of a body that has been unpacked already."""
    return [(k, v) for k, v in headers.multi_items() if k.lower() not in ("content-encoding", "content-length", "transfer-encoding")]
