"""The classic caching experiment: one request ten times without the cache, then ten times with it.

From the command line: `.cache/dashboard/bin/python dashboard/experiment.py [ROUNDS]`, with GATEWAY_URL and GATEWAY_TOKEN as for the dashboard.
"""

import os
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from client import Answer, Failure, Gateway

CALLS = 10
# What a FastAPI service with Redis behind it reaches with a model of 100 ms: ten times 100 ms; and 100 ms once, then nine hits.
PEER_WITHOUT, PEER_WITH = 1000.0, 120.0  # milliseconds
MODEL = "shapes-slow"  # about 100 ms a call, on purpose


@dataclass
class Run:
    """One row of calls; milliseconds as the client waited, and the model's own share of them."""

    name: str
    took: list[float] = field(default_factory=list)
    model: list[float] = field(default_factory=list)
    cache: list[str] = field(default_factory=list)

    def add(self, answer: Answer) -> None:
        self.took.append(answer.took * 1e3)
        self.model.append(answer.stages.get("infer", 0.0))
        self.cache.append(answer.cache.removeprefix("triton-gateway; "))

    @property
    def total(self) -> float:
        return sum(self.took)


def steps(cached: bool, calls: int = CALLS) -> list[str]:
    """The option `cache` of each call. With the cache the first call computes anew, or an earlier run would leave only hits."""
    return ["no-cache"] + ["default"] * (calls - 1) if cached else ["no-store"] * calls


def run(gateway: Gateway, model: str, picture: bytes, cached: bool, calls: int = CALLS, seen: Callable[[Run], None] = lambda _: None) -> Run:
    """Makes the calls one after the other, each with the whole picture; seen is told after each."""
    out = Run("with the cache" if cached else "without the cache")
    for mode in steps(cached, calls):
        out.add(gateway.infer(model, picture, digest_first=False, cache=mode))
        seen(out)
    return out


@dataclass(frozen=True)
class Result:
    """Milliseconds in total, and how many times faster the cache makes it; hit is the mean of the calls that were hits."""

    without: float
    with_cache: float
    hit: float
    peer_hit: float = (PEER_WITH - PEER_WITHOUT / CALLS) / (CALLS - 1)

    @property
    def ratio(self) -> float:
        return self.without / self.with_cache

    @property
    def peer_ratio(self) -> float:
        return PEER_WITHOUT / PEER_WITH


def result(without: Run, with_cache: Run) -> Result:
    hits = [t for t, c in zip(with_cache.took, with_cache.cache) if c.startswith("hit")]
    return Result(without.total, with_cache.total, sum(hits) / len(hits) if hits else float("nan"))


def calls(runs: list[Run]) -> Iterator[dict]:
    """Rows for a chart: one for each call."""
    for r in runs:
        for i, (took, model, cache) in enumerate(zip(r.took, r.model, r.cache), 1):
            yield {"run": r.name, "call": i, "ms": took, "model": model, "cache": cache}


def main() -> None:
    """Some rounds of the experiment, and their medians."""
    gateway = Gateway(os.environ.get("GATEWAY_URL") or "http://localhost:8080", os.environ.get("GATEWAY_TOKEN", ""), ca=os.environ.get("GATEWAY_CA", ""))
    picture = gateway.sample(MODEL, gateway.model(MODEL)["samples"][1])
    rounds = []
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        runs = [run(gateway, MODEL, picture, cached) for cached in (False, True)]
        rounds.append(result(*runs))
        last = rounds[-1]
        print(f"without {last.without:.1f} ms, with {last.with_cache:.1f} ms: {last.ratio:.2f} times; a hit {last.hit:.2f} ms; the model {statistics.median(runs[0].model):.1f} ms a call")
    middle = lambda what: statistics.median(getattr(r, what) for r in rounds)
    print(f"medians: without {middle('without'):.1f} ms, with {middle('with_cache'):.1f} ms: {middle('ratio'):.2f} times; a hit {middle('hit'):.2f} ms")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
