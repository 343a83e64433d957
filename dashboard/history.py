"""What happened between two looks at /v1/stats: its counts only ever grow, so their differences are rates, shares and means over time."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field

KEPT = 900  # samples; at one in 2 s, half an hour
CLOSEST = 1.0  # seconds between two samples: several people who look at once make no more of them


@dataclass(frozen=True)
class Counts:
    """Of one model since the gateway's start. stages: name -> (items, milliseconds of all of them)."""

    hits: int = 0
    misses: int = 0
    stages: dict[str, tuple[int, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """at: seconds since 1970; uptime: seconds that the gateway has been up."""

    at: float
    uptime: float
    models: dict[str, Counts]


@dataclass(frozen=True)
class Interval:
    """One model, or all of them, between two samples. mean: milliseconds per item that went through the stage; ms: the same per item answered."""

    at: float
    seconds: float
    hits: int
    misses: int
    mean: dict[str, float]
    ms: dict[str, float]

    @property
    def items(self) -> int:
        return self.hits + self.misses

    @property
    def rate(self) -> float:
        """Items per second."""
        return self.items / self.seconds

    @property
    def ratio(self) -> float | None:
        """Share of hits, 0 to 1; none where nothing was asked."""
        return self.hits / self.items if self.items else None


def sample(stats: dict, at: float) -> Sample:
    """Reads a document of /v1/stats. A gateway that does not count its stages has none here."""
    models = {}
    for m in stats.get("models") or []:
        cache = m.get("cache") or {}
        stages = {s["stage"]: (int(s["count"]), float(s["total_ms"])) for s in m.get("stages") or [] if "count" in s and "total_ms" in s}
        models[str(m.get("name"))] = Counts(int(cache.get("hits", 0)), int(cache.get("misses", 0)), stages)
    return Sample(at, float(stats.get("uptime_seconds", 0)), models)


def between(a: Sample, b: Sample, model: str | None = None) -> Interval | None:
    """What happened from a to b, to one model or to all. None where the gateway was started anew meanwhile: its counts began at zero."""
    seconds = b.at - a.at
    if seconds <= 0 or b.uptime < a.uptime:
        return None
    hits = misses = 0
    stages: dict[str, tuple[int, float]] = {}
    for name in [model] if model else b.models:
        now, before = b.models.get(name, Counts()), a.models.get(name, Counts())
        hits, misses = hits + max(0, now.hits - before.hits), misses + max(0, now.misses - before.misses)
        for stage, (count, ms) in now.stages.items():
            had = before.stages.get(stage, (0, 0.0))
            sums = stages.get(stage, (0, 0.0))
            stages[stage] = (sums[0] + max(0, count - had[0]), sums[1] + max(0.0, ms - had[1]))
    items = hits + misses
    mean = {s: ms / n for s, (n, ms) in stages.items() if n}
    per = {s: ms / items for s, (n, ms) in stages.items() if n and items}
    return Interval(b.at, seconds, hits, misses, mean, per)


class History:
    """The last samples. Safe for several threads: every session of the dashboard looks at the same one."""

    def __init__(self, clock=time.time, kept: int = KEPT):
        self._lock, self._clock, self._samples = threading.Lock(), clock, deque(maxlen=kept)

    def take(self, stats: dict) -> None:
        """Adds what the gateway says now, unless somebody has just done so."""
        now = self._clock()
        with self._lock:
            if self._samples and 0 <= now - self._samples[-1].at < CLOSEST:
                return
            self._samples.append(sample(stats, now))

    def intervals(self, seconds: float, model: str | None = None) -> list[Interval]:
        """The last so many seconds, oldest first."""
        with self._lock:
            samples = list(self._samples)
        since = self._clock() - seconds
        pairs = [(a, b) for a, b in zip(samples, samples[1:]) if b.at >= since]
        return [i for a, b in pairs if (i := between(a, b, model))]

    def models(self) -> list[str]:
        """Those of the last sample."""
        with self._lock:
            return sorted(self._samples[-1].models) if self._samples else []


def rates(past: History, seconds: float) -> list[dict]:
    """Rows for a chart: items per second of each model that was asked at all."""
    out = []
    for model in past.models():
        intervals = past.intervals(seconds, model)
        if any(i.items for i in intervals):
            out += [{"at": i.at, "model": model, "rate": i.rate} for i in intervals]
    return out


def stage_rows(intervals: list[Interval], per_item: bool) -> list[dict]:
    """Rows for a chart: milliseconds of each stage in each interval; per_item spreads them over all items, hits too, so that their sum is what one costs."""
    names = dict.fromkeys(s for i in intervals for s in i.mean)
    return [{"at": i.at, "stage": s, "ms": (i.ms if per_item else i.mean).get(s, 0.0)} for i in intervals for s in names]


def cache_rows(intervals: list[Interval]) -> list[dict]:
    """Rows for a chart: items per second, from the cache and computed."""
    return [{"at": i.at, "kind": k, "rate": n / i.seconds} for i in intervals for k, n in (("from the cache", i.hits), ("computed", i.misses))]
