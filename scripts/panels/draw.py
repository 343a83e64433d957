"""Draws the dashboard of deploy/grafana from what a running Prometheus answers. It is no Grafana: it asks the dashboard's own queries, and draws the answers
at the places and in the way that the dashboard says. Use `make panels`."""
import argparse
import json
import math
import time

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator  # noqa: E402

from questions import Prometheus, amount, fill, legend, panels  # noqa: E402

COLUMN, LINE, GAP = 65, 34, 8  # pixels: a column of the grid, a line of it, between panels
BACK, PANEL, TEXT, DIM, GRID = "#111217", "#1b1e24", "#d5d5e2", "#9a9aa8", "#30343c"
COLOURS = ["#73BF69", "#F2CC0C", "#5794F2", "#FF9830", "#F2495C", "#B877D9", "#6ED0E0", "#C0D8FF", "#96D98D", "#FFEE52", "#8AB8FF", "#FFB357"]


class Canvas:
    """A figure in pixels from its upper left corner."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.figure = pyplot.figure(figsize=(width / 100, height / 100), dpi=100, facecolor=BACK)

    def box(self, x, y, w, h):
        return [x / self.width, 1 - (y + h) / self.height, w / self.width, h / self.height]

    def text(self, x, y, words, size=9.5, colour=TEXT, **more):
        self.figure.text(x / self.width, 1 - y / self.height, words, fontsize=size, color=colour, va="top", **more)

    def panel(self, x, y, w, h):
        axes = self.figure.add_axes(self.box(x, y, w, h), facecolor=PANEL)
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_color(GRID)


def cut(words, width, size):
    """Words that fit into so many pixels, by the mean width of a letter."""
    most = int(width / (size * 0.80))
    return words if len(words) <= most else words[: max(most - 1, 1)] + "…"


def draw_lines(canvas, place, panel, prometheus, span):
    x, y, w, h = place
    unit = panel["fieldConfig"]["defaults"]["unit"]
    custom = panel["fieldConfig"]["defaults"]["custom"]
    found = []
    for target in panel["targets"]:
        for labels, moments, values in prometheus.over_time(fill(target["expr"], span["variables"]), span["start"], span["end"], span["step"]):
            found.append((legend(target["legendFormat"], labels), dict(zip(moments, values))))
    found.sort(key=lambda series: series[0])
    lines = legend_lines([name for name, _ in found], w - 24)
    axes = canvas.figure.add_axes(canvas.box(x + 68, y + 32, w - 82, h - 64 - 16 * len(lines)), facecolor=PANEL)
    grid = [span["start"] + i * span["step"] for i in range(int((span["end"] - span["start"]) / span["step"]) + 1)]
    below = [0.0] * len(grid)
    for i, (_, values) in enumerate(found):
        colour = COLOURS[i % len(COLOURS)]
        if custom["stacking"]["mode"] == "normal":
            own = [0.0 if math.isnan(v := values.get(t, math.nan)) else v for t in grid]
            top = [a + b for a, b in zip(below, own)]
            axes.fill_between(grid, below, top, color=colour, alpha=0.55, linewidth=0)
            axes.plot(grid, top, color=colour, linewidth=1)
            below = top
        else:
            axes.plot(grid, [values.get(t, math.nan) for t in grid], color=colour, linewidth=1.3)
    axes.set_xlim(span["start"], span["end"])
    axes.set_ylim(0, panel["fieldConfig"]["defaults"].get("max"))
    if not any(v > 0 for _, s in found for v in s.values() if not math.isnan(v)):
        axes.set_ylim(0, 1)  # nothing but zeros
    axes.yaxis.set_major_locator(MultipleLocator(2 ** math.ceil(math.log2(axes.get_ylim()[1] / 5))) if unit in ("bytes", "Bps") else MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: amount(v, unit)))
    ticks = [span["start"] + (span["end"] - span["start"]) * i / 8 for i in (1, 3, 5, 7)]  # none at the ends, where the numbers of the other axis stand
    axes.set_xticks(ticks, [time.strftime("%H:%M:%S", time.gmtime(t)) for t in ticks])
    axes.tick_params(colors=DIM, labelsize=8, length=0)
    axes.grid(color=GRID, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not found:
        axes.text(0.5, 0.5, "nothing happened", transform=axes.transAxes, color=DIM, ha="center", va="center", fontsize=9)
    for n, line in enumerate(lines):
        for left, index, words in line:
            at = y + h - 10 - 16 * (len(lines) - n)
            canvas.text(x + 12 + left, at, "━", 8, COLOURS[index % len(COLOURS)])
            canvas.text(x + 28 + left, at, words, 8, DIM)


def legend_lines(names, width, most=3):
    """Names side by side, as many as fit into a few lines: (pixels from the left, number of the series, words)."""
    lines, left = [[]], 0
    for i, name in enumerate(names):
        words = cut(name, width - 20, 8)
        need = 32 + len(words) * 6.1
        if left + need > width and lines[-1]:
            if len(lines) == most:
                lines[-1].append((left, i, f"+{len(names) - i}"))
                break
            lines.append([])
            left = 0
        lines[-1].append((left, i, words))
        left += need
    return lines if names else []


def draw_figure(canvas, place, panel, prometheus, span):
    x, y, w, h = place
    defaults = panel["fieldConfig"]["defaults"]
    values = [v for _, v in prometheus.at(fill(panel["targets"][0]["expr"], span["variables"]), span["end"])]
    colour = TEXT
    if values:
        for step in defaults["thresholds"]["steps"]:
            if step["value"] is None or values[0] >= step["value"]:
                colour = {"green": "#73BF69", "red": "#F2495C"}[step["color"]]
    words = amount(values[0], defaults["unit"]) if values else "-"
    canvas.text(x + w / 2, y + h / 2 - 6, words, 21 if len(words) < 8 else 17, colour, ha="center", weight="bold")


def draw_table(canvas, place, panel, prometheus, span):
    x, y, w, h = place
    rows = []
    for labels, _ in prometheus.at(fill(panel["targets"][0]["expr"], span["variables"]), span["end"]):
        rows.append("   ".join(v for k, v in sorted(labels.items()) if k not in ("__name__", "job")))
    for i, words in enumerate(sorted(rows)[:10]):
        canvas.text(x + 12, y + 38 + 20 * i, cut(words, w - 10, 7), 8.5)
    if not rows:
        canvas.text(x + 12, y + 38, "none", 9, DIM)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prometheus", required=True, help="URL")
    parser.add_argument("--dashboard", required=True, help="JSON file")
    parser.add_argument("--start", type=float, required=True, help="Unix time")
    parser.add_argument("--end", type=float, required=True, help="Unix time")
    parser.add_argument("--rate", default="1m", help="what $__rate_interval stands for")
    parser.add_argument("--row", action="append", default=[], help="draw this row; all without it")
    parser.add_argument("--out", required=True, help="PNG file")
    a = parser.parse_args()
    with open(a.dashboard, encoding="utf-8") as file:
        dashboard = json.load(file)
    chosen = panels(dashboard, a.row)
    span = {"start": a.start, "end": a.end, "step": max(round((a.end - a.start) / 250), 1), "variables": {
        "__rate_interval": a.rate, "job": "triton-gateway", "instance": ".*", "triton": "triton", "model": ".*"}}
    height = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in chosen) * LINE + 2 * GAP
    canvas = Canvas(24 * COLUMN + 2 * GAP, height)
    prometheus = Prometheus(a.prometheus)
    for panel in chosen:
        g = panel["gridPos"]
        x, y, w, h = GAP + g["x"] * COLUMN, GAP + g["y"] * LINE, g["w"] * COLUMN - GAP, g["h"] * LINE - GAP
        if panel["type"] == "row":
            canvas.text(x + 4, y + 4, panel["title"], 12, TEXT, weight="bold")
            continue
        canvas.panel(x, y, w, h)
        canvas.text(x + 12, y + 9, panel["title"], 9.5, TEXT, weight="bold")
        {"timeseries": draw_lines, "stat": draw_figure, "table": draw_table}[panel["type"]](canvas, (x, y, w, h), panel, prometheus, span)
    canvas.figure.savefig(a.out, dpi=100, facecolor=BACK)


if __name__ == "__main__":
    main()
