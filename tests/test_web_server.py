"""The server of the page: sessions, pictures, runs, the queue, and who is turned away."""

import hashlib
import json
import pickle
import sys
import threading
from pathlib import Path

import pytest
import torch
from web_client import FAST, Client, picture, serving

import swag
from swag.errors import SettingsError
from swag.web.app import GALLERY, studio_app
from swag.web.choices import page_settings
from swag.web.limits import WebLimits
from swag.web.page_run import InputFiles, PageRun
from swag.web.replies import STATIC

LIMITS = WebLimits(megabytes=0.2, megapixels=1, size=128, steps=20_000, queue=2)
LONG = {"steps": 20_000, "size": 96}


@pytest.fixture(scope="module")
def port():
    with serving(studio_app(LIMITS)) as port:
        yield port


@pytest.fixture
def client(port):
    client = Client(port)
    assert client.ask("GET", "/")[0] == 200
    yield client
    client.ask("DELETE", "/api/session")


def test_a_run_ends_with_a_picture_that_says_how_it_was_made(client: Client, tmp_path: Path):
    run = client.begin({"strength": 0.7})
    assert client.ended(run)["phase"] == "done"
    for ending in ("png", "jpg", "webp"):
        status, data = client.ask("GET", f"/api/runs/{run}/picture.{ending}")
        assert (status, client.headers["content-disposition"].split(";")[0]) == (200, "attachment")
        path = tmp_path / f"out.{ending}"
        path.write_bytes(data)
        assert json.loads(swag.image.read_metadata(path)["swag"])["strength"] == 0.7
    again = swag.stylize(picture(1), picture(2), like=tmp_path / "out.png")
    assert (again.pil().tobytes()) == swag.image.read(tmp_path / "out.png").pil().tobytes()


def test_a_run_with_fewer_steps_than_scales_is_begun_and_says_why_it_failed(client: Client):
    facts = client.ended(client.begin({"size": 128, "steps": 1, "scales": 3}))
    assert facts["phase"] == "failed" and "too few for 3 scales" in facts["message"]


def test_a_picture_of_ours_gives_its_settings_back(client: Client):
    run = client.begin({"strength": 0.8, "seed": 5})
    client.ended(run)
    _, data = client.ask("GET", f"/api/runs/{run}/picture.webp")
    given = client.json("POST", "/api/pictures", data)["settings"]
    assert (given["strength"], given["seed"], given["size"]) == (0.8, 5, 64)
    assert "device" not in given
    wish = {"content": client.send(picture(1)), "styles": [{"id": client.send(picture(2))}]}
    client.json("POST", "/api/runs", {**wish, "settings": given})


def test_stop_keeps_the_picture_and_go_on_begins_with_it(client: Client, tmp_path: Path):
    run = client.begin(LONG)
    client.wait(run, lambda facts: facts["frame"] >= 2 and facts["step"] >= 2)
    client.json("POST", f"/api/runs/{run}/stop")
    facts = client.ended(run)
    assert (facts["phase"], facts["picture"]) == ("stopped", True)
    wish = {"content": facts["content"], "styles": facts["styles"], "from": run}
    more = client.json("POST", "/api/runs", {**wish, "settings": {**FAST, "strength": 1}})["id"]
    assert client.ended(more)["from"] == run
    _, begun_with = client.ask("GET", f"/api/runs/{run}/picture.png")
    (tmp_path / "more.png").write_bytes(client.ask("GET", f"/api/runs/{more}/picture.png")[1])
    made = json.loads(swag.image.read_metadata(tmp_path / "more.png")["swag-run"])
    assert made["inputs"]["initial"] == hashlib.sha256(begun_with).hexdigest()


def test_a_stopped_run_goes_on_at_the_scale_it_had_reached(client: Client):
    run = client.begin({**LONG, "size": 128, "scales": 3})
    client.wait(run, lambda facts: facts["step"] >= 1)
    client.json("POST", f"/api/runs/{run}/stop")
    facts = client.ended(run)
    assert facts["size"] == [32, 32]
    wish = {"content": facts["content"], "styles": facts["styles"], "from": run}
    settings = {**FAST, "size": 128, "scales": 3}
    more = client.json("POST", "/api/runs", {**wish, "settings": settings})["id"]
    assert client.wait(more, lambda facts: True)["settings"]["scales"] == 3
    client.ended(more)
    wish["from"] = more
    last = client.json("POST", "/api/runs", {**wish, "settings": settings})["id"]
    assert client.wait(last, lambda facts: True)["settings"]["scales"] == 1


def test_runs_wait_for_their_turn_and_the_queue_ends(client: Client):
    first = client.begin(LONG)
    client.wait(first, lambda facts: facts["phase"] == "running")
    second, third = client.begin(), client.begin()
    assert client.wait(third, lambda facts: facts["phase"] == "waiting")["place"] == 2
    wish = {"content": client.send(picture(1)), "styles": [{"id": client.send(picture(2))}]}
    status, said = client.ask("POST", "/api/runs", {**wish, "settings": FAST})
    assert status == 503 and b"2 runs are waiting" in said
    client.json("POST", f"/api/runs/{second}/stop")
    assert client.wait(third, lambda facts: facts["place"] == 1)
    client.json("POST", f"/api/runs/{first}/stop")
    assert client.ended(third)["phase"] == "done"
    assert client.ended(second)["message"] == "stopped before it began"


def test_who_comes_first_is_served_first(client: Client):
    first, second, third = client.begin(LONG), client.begin(LONG), client.begin()
    client.json("POST", f"/api/runs/{first}/stop")
    client.wait(second, lambda facts: facts["phase"] == "running")
    assert client.wait(third, lambda facts: True)["phase"] == "waiting"
    client.json("POST", f"/api/runs/{second}/stop")
    assert client.ended(third)["phase"] == "done"


def test_two_sessions_do_not_see_each_other(client: Client, port: int):
    other = Client(port)
    other.ask("GET", "/")
    assert other.cookie != client.cookie
    run = client.begin()
    client.ended(run)
    kept = client.send(picture(3))
    assert next(other.events())["all"] == []
    for path in (f"/api/runs/{run}/frame", f"/api/runs/{run}/picture.png", f"/api/pictures/{kept}"):
        assert client.ask("GET", path)[0] == 200
        assert other.ask("GET", path)[0] == 404
    assert other.ask("POST", f"/api/runs/{run}/stop")[0] == 404
    wish = {"content": kept, "styles": [{"id": other.send(picture(4))}], "settings": FAST}
    assert other.ask("POST", "/api/runs", wish)[0] == 400


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", 400, "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 400, "picture"),
        (picture(0)[:200], 400, "damaged|truncated|ends"),
        (picture(0, side=1200), 400, "pixels"),
        (b"\x89PNG" + bytes(250_000), 413, "0.2 megabytes"),
    ],
)
def test_hostile_uploads_are_refused_and_leave_no_file(client, port, data, status, words):
    got, said = client.ask("POST", "/api/pictures", data)
    message = json.loads(said)["error"]
    assert got == status
    assert any(word in message for word in words.split("|")), message
    assert "swag-web-" not in message and "/" not in message.replace("'/", "")


def test_an_upload_without_a_length_is_cut_off_at_the_limit(client: Client):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
    headers = {"Host": client.host, "Cookie": client.cookie, "Origin": str(client.origin)}
    body = (bytes(50_000) for _ in range(5))
    connection.request("POST", "/api/pictures", body, headers, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_requests_of_other_sites_are_refused(client: Client):
    own = client.origin
    for origin in ("http://evil.example", "null", None, "http://127.0.0.1:1"):
        client.origin = origin
        assert client.ask("POST", "/api/pictures", picture())[0] == 403
    client.origin = own
    client.host = "evil.example"
    assert client.ask("GET", "/")[0] == 403


def test_every_answer_forbids_what_the_page_does_not_need(client: Client):
    for path in ("/", "/static/studio.js", "/api/choices", "/nothing"):
        client.ask("GET", path)
        policy = client.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
    client.cookie = ""
    client.ask("GET", "/")
    cookie = client.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie


@pytest.mark.parametrize("path", ["/api/events", "/api/pictures/x", "/api/runs/x/frame"])
def test_nothing_is_shown_without_a_session(port: int, path: str):
    assert Client(port).ask("GET", path)[0] == 401


@pytest.mark.parametrize(
    "wish",
    [b"[1]", b"{", b"[" * 60_000, b'{"settings": 3}', b'{"styles": [1]}', b"x" * 70_000],
)
def test_wishes_that_are_none_are_refused_in_one_line(client: Client, wish: bytes):
    status, said = client.ask("POST", "/api/runs", wish)
    assert status == 400 and "\n" not in json.loads(said)["error"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"backbone": "torchvision/vgg19"}, "not available on this page"),
        ({"backbone": "os:system"}, "not available on this page"),
        ({"backbone": "network.pt2"}, "not available on this page"),
        ({"weights": "weights.safetensors"}, "not available on this page"),
        ({"weights": "random.pth"}, "not available on this page"),
        ({"preset": "paper"}, "not available on this page"),
        ({"device": "cuda"}, "this page has no setting"),
        ({"tile": 1}, "this page has no setting"),
        ({"nothing": 1}, "this page has no setting"),
        ({"size": 129}, "more than this server allows"),
        ({"size": 128, "style_scale": 4}, "more than this server allows"),
        ({"steps": 20_001}, "more than this server allows"),
        ({"style_loss": "mrf:patches=100000"}, "number too large"),
        ({"strength": 2}, "strength"),
    ],
)
def test_settings_that_are_not_for_a_page_are_refused(values, words):
    with pytest.raises(SettingsError, match=words):
        page_settings({"size": 64, **values}, LIMITS)


def test_the_page_offers_every_preset_that_it_may_use(client: Client):
    choices = client.json("GET", "/api/choices")
    named = [one["name"] for one in choices["presets"]]
    assert named == ["default", "quick", "quality"][: len(named)] or "paper" not in named
    assert {"device", "tile"}.isdisjoint(one["name"] for one in choices["settings"])


def test_the_gallery_can_be_painted_with(client: Client):
    content = client.json("POST", "/api/gallery/brush")
    assert content["width"] == content["height"]
    assert client.ask("POST", "/api/gallery/nothing")[0] == 404
    assert client.ask("POST", "/api/gallery/..%2Fstudio")[0] == 404
    for name in GALLERY:
        assert client.ask("GET", f"/static/gallery/{name}.jpg")[0] == 200


def test_pictures_of_the_gallery_are_what_our_code_paints():
    sys.path.append(str(Path(__file__).parents[1] / "examples"))
    import paint

    from swag_lab.experiments import painted

    ink = torch.from_numpy(paint.ink(512, 0)).permute(2, 0, 1).float()
    drawn = {"ink": ink, **{name: painted.paint(name, 512)[0] for name in ("strokes", "tiles")}}
    for name, pixels in drawn.items():
        kept = swag.image.read(STATIC / "gallery" / f"{name}.jpg").pixels
        assert (kept - pixels).abs().mean() < 0.03, name


def test_a_run_is_stopped_when_its_time_is_over():
    with serving(studio_app(WebLimits(seconds=0.5, steps=20_000))) as port:
        client = Client(port)
        client.ask("GET", "/")
        facts = client.ended(client.begin(LONG))
    assert (facts["phase"], facts["picture"]) == ("stopped", True)
    assert "0.5 seconds" in facts["message"]


def test_a_mistake_within_a_run_is_its_message(client: Client):
    mask = client.send(picture(4, side=36))
    facts = client.ended(client.begin({"jitter": 3}))
    assert facts["phase"] == "failed" and "jitter" in facts["message"]
    assert client.ended(client.begin(mask=mask))["phase"] in {"done", "failed"}


def test_only_so_many_pictures_and_runs_are_kept():
    app = studio_app(WebLimits(pictures=4, history=2))
    with serving(app) as port:
        client = Client(port)
        client.ask("GET", "/")
        first = client.send(picture(0))
        runs = []
        for _ in range(3):
            runs.append(client.begin())
            client.ended(runs[-1])
        assert next(client.events())["all"] == runs[1:]
        assert client.ask("GET", f"/api/runs/{runs[0]}/picture.png")[0] == 404
        assert client.ask("GET", f"/api/pictures/{first}")[0] == 404


def test_a_session_keeps_only_so_many_bytes():
    with serving(studio_app(WebLimits(session_megabytes=0.05))) as port:
        client = Client(port)
        client.ask("GET", "/")
        sent = [client.send(picture(number, side=300)) for number in range(4)]
        kept = [client.ask("GET", f"/api/pictures/{one}")[0] == 200 for one in sent]
        assert kept[-1] and not kept[0]


def test_a_run_that_has_ended_holds_no_tensors(tmp_path: Path):
    for name, seed in (("content", 1), ("style", 2)):
        (tmp_path / name).write_bytes(picture(seed))
    inputs = InputFiles(tmp_path / "content", (tmp_path / "style",))
    run = PageRun(page_settings(FAST, LIMITS), inputs, tmp_path)
    run.work(seconds=60)
    assert run.phase == "done"
    assert (
        len(pickle.dumps({k: v for k, v in vars(run).items() if k[:5] not in ("_stop", "_turn")}))
        < 50_000
    )


def test_all_files_go_with_the_session_and_with_the_server(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(threading.enumerate())
    with serving(studio_app(LIMITS)) as port:
        client = Client(port)
        client.ask("GET", "/")
        client.ended(client.begin())
        (folder,) = tmp_path.glob("swag-web-*/*")
        assert len(list(folder.iterdir())) == 2 * 2 + 3
        client.json("DELETE", "/api/session")
        assert not folder.exists()
        assert client.ask("GET", "/api/events")[0] == 401
        client.ask("GET", "/")
        running = client.begin(LONG)
        client.wait(running, lambda facts: facts["step"] >= 1)
    assert list(tmp_path.glob("swag-web-*")) == []
    left = set(threading.enumerate()) - before
    assert not any(thread.name.startswith("run ") for thread in left)


def test_sessions_end_when_nobody_uses_them():
    with serving(studio_app(WebLimits(idle_minutes=1e-6, sessions=1))) as port:
        first, second = Client(port), Client(port)
        first.ask("GET", "/")
        second.ask("GET", "/")
        assert first.ask("GET", "/api/events")[0] == 401
    with serving(studio_app(WebLimits(sessions=1))) as port:
        Client(port).ask("GET", "/")
        assert Client(port).ask("GET", "/")[0] == 503
