"""Routes as rows: which share of a name's requests goes to which model and version."""


def shares(routes: list[dict]) -> list[dict]:
    """A row for each candidate of each route."""
    return [
        {"route": r["name"], "candidate": f"{c.get('model', r['name'])}/{c.get('version') or 'latest'}", "weight": float(c.get("weight", 100))}
        for r in routes
        for c in r.get("candidates") or []
    ]


def plain(route: dict) -> bool:
    """A model that is only a route to itself: one candidate of its own name, and no rules."""
    candidates = route.get("candidates") or []
    return len(candidates) <= 1 and all(c.get("model", route["name"]) == route["name"] for c in candidates) and not route.get("rules") and not route.get("shadow")
