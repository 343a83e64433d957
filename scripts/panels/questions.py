"""What the panels of a Grafana dashboard ask, and what Prometheus answers: the part of draw.py that needs nothing but Python."""
import json
import math
import re
import urllib.parse
import urllib.request


def panels(dashboard, rows):
    """The panels of these rows, all if none is named, in their order, moved up so that the first begins at 0."""
    chosen, keep = [], not rows
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            keep = not rows or panel["title"] in rows
        if keep:
            chosen.append(panel)
    missing = set(rows) - {p["title"] for p in chosen if p["type"] == "row"}
    if missing:
        raise SystemExit(f"the dashboard has no row {', '.join(sorted(missing))}")
    # What was left out leaves no gap.
    y, offset, out = 0, 0, []
    for panel in chosen:
        place = dict(panel["gridPos"])
        if panel["type"] == "row":
            y, offset = (max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in out) if out else 0), place["y"]
        place["y"] += y - offset
        out.append({**panel, "gridPos": place})
    return out


def fill(expr, variables):
    """A query with the dashboard's variables filled in, the longest name first: $job must not eat the beginning of $jobs."""
    for name in sorted(variables, key=len, reverse=True):
        expr = expr.replace("$" + name, variables[name])
    return expr


def legend(template, labels):
    """What a series is called: {{label}} stands for its value."""
    return re.sub(r"{{\s*(\w+)\s*}}", lambda m: labels.get(m[1], ""), template).strip()


def amount(value, unit):
    """A number as Grafana writes it."""
    if value is None or math.isnan(value):
        return "-"
    if unit == "percentunit":
        return f"{trim(value * 100)} %"
    if unit in ("s", "µs"):
        seconds = value if unit == "s" else value / 1e6
        if seconds == 0:
            return "0"
        for size, name in ((1, "s"), (1e-3, "ms")):
            if abs(seconds) >= size:
                return f"{trim(seconds / size)} {name}"
        return f"{trim(seconds * 1e6)} µs"
    if unit in ("bytes", "Bps"):
        tail = "/s" if unit == "Bps" else ""
        for size, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
            if abs(value) >= size:
                return f"{trim(value / size)} {name}{tail}"
        return f"{trim(value)} B{tail}"
    tail = " req/s" if unit == "reqps" else ""
    for size, name in ((1e6, " M"), (1e3, " K")):
        if abs(value) >= size:
            return f"{trim(value / size)}{name}{tail}"
    return trim(value) + tail


def trim(value):
    """Three digits at most, without zeros behind the point."""
    text = f"{value:.3g}"
    return f"{float(text):.0f}" if "e" in text else text


class Prometheus:
    def __init__(self, url):
        self.url = url

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
            return json.load(answer)["data"]["result"]

    def over_time(self, expr, start, end, step):
        """Series as (labels, moments, values)."""
        for series in self.ask("query_range", query=expr, start=start, end=end, step=step):
            yield series["metric"], [float(t) for t, _ in series["values"]], [float(v) for _, v in series["values"]]

    def at(self, expr, moment):
        """Series as (labels, value)."""
        for series in self.ask("query", query=expr, time=moment):
            yield series["metric"], float(series["value"][1])
