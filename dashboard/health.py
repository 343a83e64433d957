"""How the gateway is, in one look at /v1/stats: it answers and can work, it answers and its models cannot, or it does not answer."""

from dataclasses import dataclass

from client import Failure, Gateway


@dataclass(frozen=True)
class Health:
    """state is up, backend (the gateway answers, but not every backend does) or down. Two that are equal need no new page."""

    state: str
    says: str = ""
    backend: str = ""

    @property
    def answers(self) -> bool:
        return self.state != "down"


def of(stats: dict) -> Health:
    """What a document of /v1/stats says."""
    backends = [b for b in stats.get("backends") or [] if isinstance(b, dict)]
    away = [f"{b.get('name', '?')}: {b.get('reason') or 'no reason is given'}" for b in backends if not b.get("ready")]
    kind = str(stats.get("backend", ""))
    if not away:
        return Health("up", backend=kind)
    if len(away) == len(backends):
        return Health("backend", "The gateway is up, but nobody runs the models. " + " · ".join(away) + ". Answers that it has stored are still given.", kind)
    return Health("backend", f"{len(away)} of {len(backends)} backends are out. " + " · ".join(away) + ". The others answer.", kind)


def look(gateway: Gateway) -> Health:
    """Asks now; never raises."""
    try:
        return of(gateway.stats())
    except Failure as e:
        return Health("down", str(e))
