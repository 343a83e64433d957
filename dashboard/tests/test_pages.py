"""Every page by AppTest: against a real gateway, without one, and with one whose Triton has been killed."""

from pathlib import Path

import pytest
from conftest import ROOT, real, samples
from processes import free_ports
from programs import Gateway
from streamlit.testing.v1 import AppTest

import answers
import health
import state
from client import Gateway as Client

APP = str(ROOT / "dashboard" / "app.py")
PAGES = {"playground": "Playground", "compare": "Compare", "jobs": "Batch and jobs", "models": "Models", "traffic": "Traffic", "performance": "Performance", "caching": "Caching experiment"}
SLOW = 120  # seconds, on a busy machine


def opened(page: str, **kept) -> AppTest:
    """A page of the app; kept goes into the session before it runs."""
    app = AppTest.from_file(APP, default_timeout=SLOW)
    for key, value in kept.items():
        app.session_state[key] = value
    if page != "playground":
        app.switch_page(f"views/{page}.py")
    app.run()
    assert [t.value for t in app.title] == [PAGES[page]]
    return app


def sound(app: AppTest) -> AppTest:
    """Fails on an exception or an error box."""
    assert not app.exception, [e.message + "\n" + "\n".join(e.stack_trace) for e in app.exception]
    assert not app.error, [e.value for e in app.error]
    return app


def words(app: AppTest) -> str:
    return "\n".join(str(e.value) for kind in (app.title, app.markdown, app.caption, app.info, app.warning, app.error, app.success, app.subheader) for e in kind)


def picture(name: str) -> tuple[str, bytes, str]:
    path: Path = samples("shapes") / name
    return (name, path.read_bytes(), "image/" + path.suffix.removeprefix(".").replace("jpg", "jpeg"))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_shown(page, gateway, at):
    at(gateway.url)
    app = sound(opened(page))
    assert "up" in app.sidebar.markdown[0].value


def test_playground_answers_an_upload(gateway, at):
    at(gateway.url)
    app = opened("playground", **{"play-model": "shapes", "play-source-True": "Upload"})
    assert "Choose a picture." in words(app)
    app.file_uploader(key="play-upload").upload(*picture("star-1.jpg")).run()
    assert "**star, 98" in words(sound(app)) and "computed, and stored" in words(app)
    # The same again, and with another option: no model runs, and what is known by its digest is not sent.
    before = {m["name"]: m["cache"]["misses"] for m in gateway.stats()["models"]}
    app.run()
    assert "known by its digest: the picture was not sent" in words(sound(app))
    app.slider(key="play-shapes-top").set_value(1).run()
    assert '"label": "star"' in sound(app).code[0].value and '"label": "cross"' not in app.code[0].value
    assert {m["name"]: m["cache"]["misses"] for m in gateway.stats()["models"]} == before


def test_playground_takes_several_and_one_that_is_no_picture(gateway, at):
    at(gateway.url)
    app = opened("playground", **{"play-model": "shapes", "play-source-True": "Upload"})
    app.file_uploader(key="play-upload").upload(*picture("circle-2.jpg")).upload("cut.png", b"\x89PNG\r\n\x1a\n", "image/png").run()
    assert not app.exception and "1 of 2 answered" in words(app) and "circle, 97" in words(app)
    assert len(app.error) == 1 and "PNG" in app.error[0].value


def test_playground_asks_rows(gateway, at):
    at(gateway.url)
    app = sound(opened("playground", **{"play-model": "iris"}))
    for n, value in zip(app.number_input, (5.1, 3.5, 1.4, 0.2)):
        n.set_value(value)
    app.button[0].click().run()
    assert "computed, and stored" in words(sound(app)) and '"label": "setosa"' in app.code[0].value
    assert sound(opened("playground", **{"play-model": "diabetes"})).metric[0].label == "diabetes"


def test_playground_draws_what_a_camera_sees(gateway, at):
    at(gateway.url)
    app = opened("playground", **{"play-model": "shapes", "play-source-True": "Camera"})
    name, data, kind = picture("star-1.jpg")
    app.camera_input(key="play-camera").set_value((name, data, kind)).run()
    assert "**star, 98" in words(sound(app))


def test_compare_judges_two_versions(gateway, at):
    at(gateway.url)
    app = sound(opened("compare"))
    assert [s.value for s in app.subheader] == ["A: shapes 2", "B: shapes 1"] and "Both say circle" in app.success[0].value
    app.selectbox(key="cmp-b").set_value("shapes-detector").run()
    assert "different questions" in words(sound(app))


def test_jobs_are_handed_in_watched_and_collected(gateway, at):
    at(gateway.url)
    client = Client(gateway.url)
    app = sound(opened("jobs"))
    app.file_uploader(key="job-files").upload(*picture("star-1.jpg")).upload("no.png", b"no picture", "image/png").run()
    app.checkbox(key="job-samples").set_value(False).run()
    app.button(key="job-send").click().run()
    ident = app.session_state["job-chosen"]
    done = client.get(f"/v1/jobs/{ident}", wait="30s")
    assert (done["state"], done["progress"]) == ("succeeded", {"done": 2, "failed": 1, "total": 2})
    app = sound(opened("jobs", **{"job-chosen": ident}))
    table = app.dataframe[-1].value
    assert list(table["name"]) == ["star-1.jpg", "no.png"] and table["label"][0] == "star" and "unsupported_media_type" in table["error"][1]
    cancel, again = (b for b in app.button if b.label in ("Cancel", "Try again"))
    assert cancel.disabled and again.disabled
    assert answers.to_csv([r for n, a in answers.items(done) for r in answers.rows(n, a)]).startswith("name,model,version,label,score,error\r\nstar-1.jpg,shapes,2,star,0.98")


def test_a_job_is_cancelled_and_run_again(gateway, at):
    at(gateway.url)
    client = Client(gateway.url)
    ident = client.submit("shapes", [picture("star-1.jpg")[:2]], delay="1h")["id"]
    app = sound(opened("jobs", **{"job-chosen": ident}))
    next(b for b in app.button if b.label == "Cancel").click().run()
    assert client.job(ident)["state"] == "cancelled"
    sound(app)
    next(b for b in app.button if b.label == "Try again").click().run()
    assert client.get(f"/v1/jobs/{ident}", wait="30s")["state"] == "succeeded"
    client.submit("shapes", [picture("star-1.jpg")[:2]])


def test_models_tells_what_is_served(gateway, at):
    at(gateway.url)
    app = sound(opened("models"))
    served = str(len(Client(gateway.url).models()))
    assert int(served) >= 8 and [m.value for m in app.metric][:2] == [served, served]
    assert "shapes-slow" in list(app.dataframe[0].value["model"])
    app.selectbox(key="models-one").set_value("shapes").run()
    assert "longest" not in words(app) and any("shortest-edge" in str(d.value) for d in app.dataframe)


def test_traffic_says_that_nothing_is_split(gateway, at):
    at(gateway.url)
    assert "only a route to itself" in words(sound(opened("traffic")))


def test_traffic_shows_a_split(gateway, at, monkeypatch):
    at(gateway.url)
    split = {"name": "ab", "kind": "route", "candidates": [{"model": "shapes", "version": "1", "weight": 90}, {"model": "shapes", "version": "2", "weight": 10}], "sticky": "header:X-User"}
    monkeypatch.setattr(Client, "routes", lambda self: [split, {"name": "iris", "kind": "model", "candidates": [{"model": "iris", "version": "1", "weight": 100}]}])
    app = sound(opened("traffic"))
    assert "only a route to itself" not in words(app) and [e.label for e in app.expander] == ["ab: route"]
    assert list(app.dataframe[0].value["weight"]) == [90, 10] and app.code[0].value == '"header:X-User"'


def test_performance_shows_what_happened_between_two_looks(gateway, at):
    at(gateway.url)
    client, past = Client(gateway.url), state._history(gateway.url)
    now = [1000.0]
    past._clock = lambda: now[0]
    past.take(client.stats())
    client.infer("shapes", picture("triangle-1.png")[1], cache="no-store")
    now[0] += 2
    app = sound(opened("performance", **{"perf-model": "shapes"}))
    shown = {m.label: m.value for m in app.metric}
    assert shown["items per second"] == "0.5" and shown["share of hits, now"] == "0%"
    assert past.intervals(10, "shapes")[-1].mean["infer"] > 0
    assert "Nothing was asked" not in words(app)


def test_the_experiment_runs(gateway, at):
    at(gateway.url)
    app = sound(opened("caching"))
    next(b for b in app.button if b.label == "Run the experiment").click().run()
    runs = app.session_state["cache-runs"][2]
    assert runs[0].cache == ["fwd=bypass"] * 10 and runs[1].cache == ["fwd=request; stored", *["hit; detail=memory"] * 9]
    assert [m.label for m in sound(app).metric] == ["without the cache", "with the cache", "times faster", "one hit"]


# Nobody there


@pytest.mark.parametrize("page", PAGES)
def test_every_page_stays_up_without_a_gateway(page, at):
    at(f"http://127.0.0.1:{free_ports(1)[0]}")
    app = opened(page)
    assert not app.exception and app.error[0].value.startswith("Nobody answers at http") and "looks again every 3 seconds" in app.error[0].value
    assert "away" in app.sidebar.markdown[0].value


def test_an_address_that_is_none_is_said(at):
    at("http://[::1")
    app = opened("playground")
    assert not app.exception and "is no address" in words(app)


def test_a_page_keeps_its_form_while_the_gateway_is_away(at):
    g = real(Gateway)
    try:
        at(g.url)
        app = opened("playground", **{"play-model": "shapes", "play-source-True": "Upload"})
        app.file_uploader(key="play-upload").upload(*picture("star-1.jpg")).run()
        assert "star" in words(sound(app))
        g.process.kill()
        state._models.clear()
        state._model.clear()
        app.run()
        assert not app.exception and app.error[0].value.startswith("Nobody answers") and app.file_uploader(key="play-upload").value
        g._start()
        app.run()
        assert "**star, 98" in words(sound(app))
    finally:
        g.close()


# A Triton that is away


def test_every_page_stays_up_while_triton_is_away(triton, at):
    at(triton.gateway.url)
    client, data = Client(triton.gateway.url), picture("star-1.jpg")[1]
    assert client.infer("shapes", data).document["predictions"][0]["label"] == "star"
    assert "up" in sound(opened("playground")).sidebar.markdown[0].value
    triton.kill()
    until(lambda: health.look(client).state == "backend")
    for page in PAGES:
        app = opened(page)
        assert not app.exception and "nobody runs the models" in app.warning[0].value, page
        assert "no backend" in app.sidebar.markdown[0].value
    # What is stored is still answered; what is not says why.
    app = opened("playground", **{"play-model": "shapes", "play-sample-shapes": ["star-1.jpg"]})
    assert "**star, 98" in words(app)
    app.pills(key="play-sample-shapes").set_value(["circle-2.jpg"]).run()
    assert any("cannot be reached" in e.value for e in app.error), words(app)
    triton.start()
    until(lambda: health.look(client).state == "up")
    app.run()
    assert "circle, 97" in words(sound(app))


def until(true, tries: int = 600) -> None:
    """Waits for what a gateway notices by itself."""
    import threading

    for _ in range(tries):
        if true():
            return
        threading.Event().wait(0.1)
    pytest.fail("it did not come about within a minute")
