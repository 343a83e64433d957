"""Charts by Altair. Each takes plain rows and gives a chart; which rows is decided elsewhere."""

import altair as alt
import pandas as pd

STAGES = ("accept", "route", "fingerprint", "queue", "decode", "preprocess", "batch", "infer", "postprocess", "encode")
# The stages that a person looks for keep their colour from page to page.
STAGE_COLOURS = {
    "infer": "#0f766e", "decode": "#d97706", "preprocess": "#eab308", "postprocess": "#7c3aed", "queue": "#dc2626",
    "accept": "#0284c7", "fingerprint": "#64748b", "route": "#94a3b8", "batch": "#db2777", "encode": "#4d7c0f",
}  # fmt: skip
OURS, THEIRS = "#0f766e", "#a3a3a3"
HIT, MISS = "#0f766e", "#f59e0b"


def _stage_scale(stages) -> alt.Scale:
    known = sorted(set(stages), key=lambda s: (STAGES.index(s) if s in STAGES else len(STAGES), s))
    return alt.Scale(domain=known, range=[STAGE_COLOURS.get(s, "#525252") for s in known])


def scores(rows: list[dict]) -> alt.Chart:
    """Labels by score, best first."""
    data = pd.DataFrame(rows)[["label", "score"]].assign(place=range(len(rows)))
    data["label"] = [f"{label} {n}" if n > 1 else label for label, n in zip(data["label"], data.groupby("label").cumcount() + 1)]
    base = alt.Chart(data).encode(y=alt.Y("label:N", sort=alt.SortField("place"), title=None), x=alt.X("score:Q", title="score", scale=alt.Scale(domain=[0, 1])))
    bars = base.mark_bar(color=OURS, cornerRadiusEnd=3)
    text = base.mark_text(align="left", dx=4).encode(text=alt.Text("score:Q", format=".1%"))
    return (bars + text).properties(height=alt.Step(26))


def stages(timing: dict[str, float]) -> alt.Chart:
    """The stages of one answer, one after the other on a line of time."""
    rows, at = [], 0.0
    for name, ms in timing.items():
        if name != "total":
            rows.append({"stage": name, "from": at, "to": at + ms, "ms": ms})
            at += ms
    data = pd.DataFrame(rows or [{"stage": "none ran", "from": 0.0, "to": 0.0, "ms": 0.0}])
    return (
        alt.Chart(data)
        .mark_bar(cornerRadius=2)
        .encode(
            y=alt.Y("stage:N", sort=None, title=None), x=alt.X("from:Q", title="milliseconds"), x2="to:Q",
            color=alt.Color("stage:N", scale=_stage_scale(data["stage"]), legend=None), tooltip=["stage", alt.Tooltip("ms:Q", format=".3f")],
        )
        .properties(height=alt.Step(20))
    )  # fmt: skip


def compared(pairs: list[dict], names: tuple[str, str]) -> alt.Chart:
    """The scores of two answers side by side; pairs as agreement gives them."""
    rows = [{"label": f"{p['label']} ({i + 1})" if "overlap" in p else p["label"], "by": n, "score": p[k], "place": i}
            for i, p in enumerate(pairs) for k, n in zip("AB", names) if p[k] is not None]  # fmt: skip
    return (
        alt.Chart(pd.DataFrame(rows or [{"label": "", "by": names[0], "score": 0.0, "place": 0}]))
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            y=alt.Y("label:N", sort=alt.SortField("place"), title=None), yOffset="by:N", x=alt.X("score:Q", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("by:N", title=None, scale=alt.Scale(domain=list(names), range=[OURS, "#d97706"]), legend=alt.Legend(orient="top")),
            tooltip=["label", "by", alt.Tooltip("score:Q", format=".4f")],
        )
        .properties(height=alt.Step(15))
    )  # fmt: skip


def _time(rows: list[dict]) -> pd.DataFrame:
    data = pd.DataFrame(rows)
    data["at"] = pd.to_datetime(data["at"], unit="s", utc=True)
    return data


def _x() -> alt.X:
    return alt.X("at:T", title=None, axis=alt.Axis(format="%H:%M:%S", labelOverlap=True, tickCount=6))


def latency(rows: list[dict], how: str) -> alt.Chart:
    """Milliseconds by stage over time, stacked; rows have at, stage, ms."""
    data = _time(rows)
    scale = _stage_scale(data["stage"])
    data["order"] = [scale.domain.index(s) for s in data["stage"]]
    return (
        alt.Chart(data)
        .mark_area(interpolate="step-after", line=False)
        .encode(
            x=_x(), y=alt.Y("ms:Q", title=f"ms {how}", stack="zero"), order="order:Q",
            color=alt.Color("stage:N", scale=scale, title=None, legend=alt.Legend(orient="right")),
            tooltip=[alt.Tooltip("at:T", format="%H:%M:%S"), "stage", alt.Tooltip("ms:Q", format=".3f")],
        )
        .properties(height=280)
    )  # fmt: skip


def throughput(rows: list[dict]) -> alt.Chart:
    """Items per second over time, hits and misses stacked; rows have at, kind, rate."""
    return (
        alt.Chart(_time(rows))
        .mark_area(interpolate="step-after")
        .encode(
            x=_x(), y=alt.Y("rate:Q", title="items per second", stack="zero"),
            color=alt.Color("kind:N", title=None, scale=alt.Scale(domain=["from the cache", "computed"], range=[HIT, MISS]), legend=alt.Legend(orient="top")),
            tooltip=[alt.Tooltip("at:T", format="%H:%M:%S"), "kind", alt.Tooltip("rate:Q", format=".1f")],
        )
        .properties(height=220)
    )  # fmt: skip


def ratio(rows: list[dict]) -> alt.Chart:
    """Share of hits over time; rows have at, ratio."""
    return (
        alt.Chart(_time(rows))
        .mark_line(color=HIT, interpolate="step-after", point=alt.OverlayMarkDef(size=18, color=HIT))
        .encode(
            x=_x(), y=alt.Y("ratio:Q", title="share of hits", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
            tooltip=[alt.Tooltip("at:T", format="%H:%M:%S"), alt.Tooltip("ratio:Q", format=".1%")],
        )
        .properties(height=220)
    )  # fmt: skip


def by_model(rows: list[dict]) -> alt.Chart:
    """Items per second over time, a line for each model; rows have at, model, rate."""
    return (
        alt.Chart(_time(rows))
        .mark_line(interpolate="step-after")
        .encode(
            x=_x(), y=alt.Y("rate:Q", title="items per second"), color=alt.Color("model:N", title=None, scale=alt.Scale(scheme="tableau10"), legend=alt.Legend(orient="top")),
            tooltip=[alt.Tooltip("at:T", format="%H:%M:%S"), "model", alt.Tooltip("rate:Q", format=".1f")],
        )
        .properties(height=220)
    )  # fmt: skip


def quantiles(rows: list[dict]) -> alt.Chart:
    """p50 to p99 of each stage of a model since the start, on a logarithmic scale; rows as in /v1/stats."""
    data = pd.DataFrame(rows)
    scale = _stage_scale(data["stage"])
    base = alt.Chart(data).encode(y=alt.Y("stage:N", sort=scale.domain, title=None), color=alt.Color("stage:N", scale=scale, legend=None))
    x = alt.X("p50_ms:Q", title="milliseconds, p50 ● p90 ┃ p99 ◆", scale=alt.Scale(type="log"))
    tip = ["stage", "p50_ms", "p90_ms", "p99_ms"]
    line = base.mark_rule(strokeWidth=3, opacity=0.5).encode(x=x, x2="p99_ms:Q", tooltip=tip)
    dots = base.mark_point(filled=True, size=70).encode(x="p50_ms:Q", tooltip=tip)
    tick = base.mark_tick(thickness=2, size=14).encode(x="p90_ms:Q", tooltip=tip)
    end = base.mark_point(filled=True, shape="diamond", size=70).encode(x="p99_ms:Q", tooltip=tip)
    return (line + dots + tick + end).properties(height=alt.Step(24))


def weights(rows: list[dict]) -> alt.Chart:
    """Shares of the candidates of each route; rows have route, candidate, weight."""
    return (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar(cornerRadius=2)
        .encode(
            y=alt.Y("route:N", title=None), x=alt.X("weight:Q", title="share of the requests", stack="normalize", axis=alt.Axis(format="%")),
            color=alt.Color("candidate:N", title=None, scale=alt.Scale(scheme="tableau10"), legend=alt.Legend(orient="bottom", columns=4)), tooltip=["route", "candidate", "weight"],
        )
        .properties(height=alt.Step(30))
    )  # fmt: skip


def calls(rows: list[dict]) -> alt.Chart:
    """Each call of the experiment; rows as experiment.calls gives them."""
    runs = ["without the cache", "with the cache"]
    return (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("call:O", title="call", axis=alt.Axis(labelAngle=0)), xOffset=alt.XOffset("run:N", sort=runs), y=alt.Y("ms:Q", title="milliseconds"),
            color=alt.Color("run:N", title=None, scale=alt.Scale(domain=runs, range=[MISS, HIT]), legend=alt.Legend(orient="top")),
            tooltip=["run", "call", alt.Tooltip("ms:Q", format=".2f"), "cache"],
        )
        .properties(height=260)
    )  # fmt: skip


def totals(rows: list[dict]) -> alt.Chart:
    """Totals of ten calls, ours beside the peer's; rows have who, run, ms."""
    runs = ["without the cache", "with the cache"]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        y=alt.Y("who:N", title=None, sort=None, axis=alt.Axis(labelLimit=220)), yOffset=alt.YOffset("run:N", sort=runs),
        x=alt.X("ms:Q", title="milliseconds for ten calls"),
    )  # fmt: skip
    bars = base.mark_bar(cornerRadiusEnd=3).encode(
        color=alt.Color("run:N", title=None, scale=alt.Scale(domain=runs, range=[MISS, HIT]), legend=alt.Legend(orient="top")), tooltip=["who", "run", alt.Tooltip("ms:Q", format=".1f")]
    )
    text = base.mark_text(align="left", dx=5).encode(text=alt.Text("ms:Q", format=",.0f"))
    return (bars + text).properties(height=alt.Step(30))
