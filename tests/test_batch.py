"""Batches: tables of jobs, what is skipped, what fails alone, what outlasts a kill."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from command import swag, the_only_line
from typer.testing import Result

from swag.batch import Batch, Job, JobResult, Manifest, product, read_jobs, run
from swag.batch import work as work_module
from swag.errors import ResourceError, SettingsError
from swag.files import open_temporary
from swag.image import read, read_metadata, write
from swag.run import Update, iterate

TINY = {"weights": "random", "size": 32, "steps": 3, "scales": 1, "device": "cpu"}
TWO = "content,style\nphotos/a.png,paintings/x.png\nphotos/b.png,paintings/x.png\n"
WORDS = ["--weights", "random", "--size", "32", "--steps", "3", "--set", "scales=1"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two photos and two paintings in folders of their own."""
    random = torch.Generator().manual_seed(0)
    for name in ("photos/a", "photos/b", "paintings/x", "paintings/y"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        write(path, torch.rand(3, 24, 32, generator=random))
    return tmp_path


def json_lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def table(folder: Path, text: str, name: str = "jobs.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_table_with_semicolons_is_read(tmp_path: Path):
    text = 'content;style;output;smoothing\na,1.jpg;x.jpg;;"softmax:temperature=auto@a,b"\n'
    (job,) = read_jobs(table(tmp_path, text))
    assert (job.content, job.output) == (tmp_path / "a,1.jpg", "a,1-x.png")
    assert job.settings == {"smoothing": "softmax:temperature=auto@a,b"}


# --- tables ------------------------------------------------------------------------------------


def test_a_table_names_pictures_outputs_and_settings(tmp_path: Path):
    text = "content,style,output,strength,size\na.jpg,x.jpg,,0.25,\nb.jpg,y.jpg,sub/b.webp,,64\n"
    first, second = read_jobs(table(tmp_path, text))
    assert first == Job(tmp_path / "a.jpg", (tmp_path / "x.jpg",), "a-x.png", {"strength": "0.25"})
    assert second.output == "sub/b.webp"
    assert second.settings == {"size": "64"}


def test_json_lines_may_have_several_styles_and_nested_settings(tmp_path: Path):
    text = '{"content": "a.jpg", "style": ["x.jpg", "y.jpg"], "style_layers": {"stem": 1}}\n\n'
    (job,) = read_jobs(table(tmp_path, text, "jobs.jsonl"))
    assert job.styles == (tmp_path / "x.jpg", tmp_path / "y.jpg")
    assert (job.output, job.settings) == ("a-x-y.png", {"style_layers": {"stem": 1}})


def test_two_folders_give_every_pair(pictures: Path):
    jobs = product(pictures / "photos", pictures / "paintings")
    assert [job.output for job in jobs] == ["a-x.png", "a-y.png", "b-x.png", "b-y.png"]


OUTSIDE = [
    "../a.png", "/etc/a.png", "x/../../a.png", "..\\a.png", "C:\\a.png", "C:a.png", "\\a.png",
    "a\0.png", "a\n.png", ".hidden.png", "\\\\host\\a.png", "x" * 1000, "x/.git/a.png",
]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_output_leads_out_of_the_folder(name: str, tmp_path: Path):
    line = json.dumps({"content": "a.jpg", "style": "x.jpg", "output": name})
    with pytest.raises(SettingsError, match=r"line 1: output .* is not a name within") as caught:
        read_jobs(table(tmp_path, line, "jobs.jsonl"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("", "jobs.csv", "holds no jobs"),
        ("content,style\n", "jobs.csv", "holds no jobs"),
        ("content,style\na.jpg\n", "jobs.csv", "line 2: expected 2 cells"),
        ("content,style\na.jpg,x.jpg,more\n", "jobs.csv", "line 2: expected 2 cells"),
        ("content\na.jpg\n", "jobs.csv", "line 2: content or style is missing"),
        ('content,style\n"a.jpg,x.jpg\n', "jobs.csv", "unexpected end of data"),
        ("content,style\n" + "x" * 200_000 + ",y\n", "jobs.csv", "line"),
        ("{}", "jobs.jsonl", "line 1: content or style is missing"),
        ("[]", "jobs.jsonl", "line 1: is no JSON object"),
        ("\n{", "jobs.jsonl", "line 2: is no JSON object"),
        ("[" * 100_000, "jobs.jsonl", "line 1: is no JSON object"),
        ('{"content": 3, "style": "x"}', "jobs.jsonl", "content is 3; expected the path"),
        ('{"content": "a", "style": ["x", null]}', "jobs.jsonl", "style is None; expected"),
        ('{"content": "a", "style": "x", "output": 3}', "jobs.jsonl", "output '3'"),
    ],
)
def test_a_table_that_is_wrong_says_where(text, name, said, tmp_path: Path):
    with pytest.raises(SettingsError, match=said) as caught:
        read_jobs(table(tmp_path, text, name))
    assert "\n" not in str(caught.value)


def test_what_is_no_table_is_refused_without_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\0")
    with open(tmp_path / "long.csv", "wb") as file:
        file.truncate(1 << 30)
    for name in ("pipe.csv", ".", "binary.csv", "long.csv", "gone.csv"):
        with pytest.raises(SettingsError):
            read_jobs(tmp_path / name)


def test_two_jobs_with_one_output_are_refused(tmp_path: Path):
    text = "content,style\nin/a.jpg,x.jpg\nA.png,x.jpg\n"
    with pytest.raises(SettingsError, match=r"two jobs have the output A-x\.png"):
        read_jobs(table(tmp_path, text))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x.png", "./x.png"), ("x.png", "X.PNG"), ("a/x.png", "a//x.png"), ("a/x.png", "a\\x.png"),
        ("caf\u00e9.png", "cafe\u0301.png"),
    ],
)  # fmt: skip
def test_two_outputs_that_are_one_file_are_refused(first, second, tmp_path: Path):
    names = [
        {"content": f"{n}.jpg", "style": "x", "output": o} for n, o in enumerate((first, second))
    ]
    text = "\n".join(map(json.dumps, names))
    with pytest.raises(SettingsError, match="two jobs have the output"):
        read_jobs(table(tmp_path, text, "jobs.jsonl"))


def test_two_outputs_that_are_one_by_a_link_are_refused(pictures: Path):
    out = pictures / "out"
    (out / "real").mkdir(parents=True)
    (out / "link").symlink_to("real")
    text = TWO.replace("style\n", "style,output\n").replace("x.png\n", "x.png,{}/x.png\n")
    path = table(pictures, text.format("real", "link"))
    line = the_only_line(swag("batch", path, "--out", out, *WORDS))
    assert "two jobs have the output link/x.png, also as real/x.png" in line


def test_a_picture_that_appears_in_a_jobs_place_stays_and_the_jobs_own_is_kept(
    pictures: Path, monkeypatch
):
    out, made = pictures / "out", work_module.iterate

    def faster(*given: Any, **settings: Any) -> Any:
        write(out / "a-x.png", torch.zeros(3, 5, 5))
        return made(*given, **settings)

    monkeypatch.setattr(work_module, "iterate", faster)
    path = table(pictures, "content,style\nphotos/a.png,paintings/x.png\n")
    result = swag("batch", path, "--out", out, *WORDS)
    assert result.exit_code == 3 and f"this picture is {out / 'a-x-2.png'}" in result.stderr
    assert read(out / "a-x.png").size == (5, 5)
    assert read(out / "a-x-2.png").size == (32, 24)


# --- the manifest --------------------------------------------------------------------------------


def test_the_last_line_about_an_output_counts_and_a_torn_one_does_not(tmp_path: Path):
    with Manifest(tmp_path) as manifest:
        manifest.write(JobResult("a.png", "running", "k"))
        manifest.write(JobResult("a.png", "done", "k"))
        manifest.write(JobResult("b.png", "running", "k"))
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(path.read_bytes() + b'{"output": "b.png", "state": "do')
    with Manifest(tmp_path) as manifest:
        assert manifest.last["a.png"].state == "done"
        assert manifest.last["b.png"].state == "running"
        manifest.write(JobResult("b.png", "done", "k"))
    with Manifest(tmp_path) as manifest:
        assert manifest.last["b.png"].state == "done"


@pytest.mark.parametrize(
    "line", [b"\xff\n", b"3\n", b"{}\n", b'{"output": 3, "state": 4}\n', b"[" * 9999, b"\0" * 99]
)
def test_lines_that_are_not_ours_are_passed_over(line: bytes, tmp_path: Path):
    good = b'{"output": "a.png", "state": "done"}\n'
    (tmp_path / "manifest.jsonl").write_bytes(good + line)
    with Manifest(tmp_path) as manifest:
        assert list(manifest.last) == ["a.png"]


def test_a_second_batch_in_the_same_folder_is_refused(tmp_path: Path):
    with (
        Manifest(tmp_path),
        pytest.raises(ResourceError, match="another batch is running"),
        Manifest(tmp_path),
    ):
        pass


# --- the work ----------------------------------------------------------------------------------


def states(result: Result) -> dict[str, str]:
    return {job["output"]: job["state"] for job in json_lines(result)[:-1]}


def test_a_batch_makes_the_pictures_that_single_runs_make(pictures: Path):
    out = pictures / "out"
    folders = ("--contents", pictures / "photos", "--styles", pictures / "paintings")
    result = swag("batch", *folders, "--out", out, *WORDS)
    assert result.exit_code == 0, result.output
    names = ("a-x.png", "a-y.png", "b-x.png", "b-y.png")
    assert result.stdout.splitlines() == [str(out / name) for name in names]
    single = pictures / "single.png"
    pair = (pictures / "photos/b.png", pictures / "paintings/y.png")
    assert swag("stylize", *pair, "-o", single, *WORDS).exit_code == 0
    assert (out / "b-y.png").read_bytes() == single.read_bytes()
    assert {p.name for p in out.iterdir()} == {*names, "manifest.jsonl"}


def test_a_network_is_made_once_for_all_jobs_and_again_for_another(pictures: Path, monkeypatch):
    made = []
    create = work_module.backbones.create

    def counted(*words: Any, **options: Any) -> Any:
        made.append((words, options.get("seed")))
        return create(*words, **options)

    monkeypatch.setattr(work_module.backbones, "create", counted)
    jobs = product(pictures / "photos", pictures / "paintings")
    (pictures / "out").mkdir()
    with Manifest(pictures / "out") as manifest:
        list(run(Batch(pictures / "out", TINY), jobs, manifest))
    assert len(made) == 1
    other = [Job(jobs[0].content, jobs[0].styles, "seed.png", {"seed": 5})]
    with Manifest(pictures / "out") as manifest:
        list(run(Batch(pictures / "out", TINY), [*jobs, *other], manifest))
    assert [seed for _, seed in made] == [0, 5]


@pytest.fixture
def jobs_with_faults(pictures: Path) -> Path:
    """Ten jobs; the fourth has a picture that is none, the seventh one that is not there."""
    (pictures / "letter.png").write_text("Dear reader")
    lines = ["content,style,output"]
    for number in range(10):
        content = {3: "letter.png", 6: "gone.png"}.get(number, "photos/a.png")
        lines.append(f"{content},paintings/x.png,{number}.png")
    return table(pictures, "\n".join(lines))


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_pictures_do_not_stop_the_others(workers, jobs_with_faults: Path, tmp_path: Path):
    out = tmp_path / "out"
    words = (jobs_with_faults, "--out", out, *WORDS, "--steps", 1, "--workers", workers)
    result = swag("batch", *words)
    assert result.exit_code == 3
    first, second = sorted(result.stderr.splitlines())
    assert first.startswith("swag: 3.png: ") and "letter.png" in first
    assert second.startswith("swag: 6.png: ") and "gone.png" in second
    assert len(result.stdout.splitlines()) == 8
    changed = {p.name: p.stat().st_mtime_ns for p in out.glob("*.png")}
    assert len(changed) == 8
    write(tmp_path / "gone.png", torch.zeros(3, 24, 32))
    again = swag("batch", *words, "--json")
    assert (again.exit_code, again.stderr.count("\n")) == (3, 1)
    assert json_lines(again)[-1]["counts"] == {"there": 8, "done": 1, "failed": 1}
    assert {name: (out / name).stat().st_mtime_ns for name in changed} == changed


def test_a_picture_by_somebody_else_is_not_replaced(pictures: Path):
    out = pictures / "out"
    out.mkdir()
    write(out / "a-x.png", torch.zeros(3, 5, 5))
    path = table(pictures, "content,style\nphotos/a.png,paintings/x.png\n")
    result = swag("batch", path, "--out", out, *WORDS)
    assert result.exit_code == 3
    assert "exists, made with other settings" in result.stderr
    assert read(out / "a-x.png").size == (5, 5)
    assert swag("batch", path, "--out", out, *WORDS, "--overwrite").exit_code == 0
    assert read(out / "a-x.png").size == (32, 24)


def test_the_checkpoint_of_another_run_stays_unless_it_may_be_replaced(pictures: Path):
    out, words = pictures / "out", ["--contents", pictures / "photos", *WORDS]
    words += ["--styles", pictures / "paintings/x.png", "--out", out]
    out.mkdir()
    checkpoint = out / "a-x.png.ckpt"
    pair = (pictures / "photos/a.png", pictures / "paintings/x.png")
    next(iterate(*pair, **{**TINY, "steps": 3000})).save_checkpoint(checkpoint)
    before = checkpoint.read_bytes()
    result = swag("batch", *words)
    assert result.exit_code == 3
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"swag: a-x.png: {checkpoint} was made with steps = 3000")
    assert line.endswith("--overwrite replaces the checkpoint, another --out keeps it")
    assert checkpoint.read_bytes() == before and not (out / "a-x.png").exists()
    assert (out / "b-x.png").exists()
    assert swag("batch", *words, "--overwrite").exit_code == 0
    assert (out / "a-x.png").exists() and not checkpoint.exists()


def test_a_job_with_a_damaged_checkpoint_is_done_anew(pictures: Path):
    (pictures / "out").mkdir()
    checkpoint = pictures / "out/a-x.png.ckpt"
    checkpoint.write_bytes(b"damaged")
    path = table(pictures, "content,style\nphotos/a.png,paintings/x.png\n")
    assert swag("batch", path, "--out", pictures / "out", *WORDS).exit_code == 0
    assert not checkpoint.exists()


def test_other_settings_or_other_pictures_are_not_taken_for_done(pictures: Path):
    out, photo = pictures / "out", pictures / "photos/a.png"
    path = table(pictures, "content,style\nphotos/a.png,paintings/x.png\n")
    assert swag("batch", path, "--out", out, *WORDS).exit_code == 0
    assert swag("batch", path, "--out", out, *WORDS, "--seed", 9).exit_code == 3
    same = swag("batch", path, "--out", out, *WORDS, "--json")  # what failed changed nothing
    assert states(same) == {"a-x.png": "there"}
    write(photo, torch.ones(3, 24, 32))
    assert swag("batch", path, "--out", out, *WORDS).exit_code == 3
    again = swag("batch", path, "--out", out, *WORDS, "--overwrite", "--json")
    assert states(again) == {"a-x.png": "done"}


def test_a_defect_of_ours_in_one_job_is_told_as_such(pictures: Path, monkeypatch):
    made = work_module.iterate

    def broken(content: Path, *words: Any, **options: Any) -> Any:
        if content.name == "a.png":
            raise RuntimeError("shapes\ndiffer")
        return made(content, *words, **options)

    monkeypatch.setattr(work_module, "iterate", broken)
    path = table(
        pictures, "content,style\nphotos/a.png,paintings/x.png\nphotos/b.png,paintings/x.png\n"
    )
    result = swag("batch", path, "--out", pictures / "out", *WORDS)
    assert result.exit_code == 3
    assert result.stderr == "swag: a-x.png: RuntimeError: shapes differ\n"
    assert (pictures / "out/b-x.png").exists()


def test_settings_that_are_wrong_are_told_before_any_work(pictures: Path):
    text = "content,style,size\nphotos/a.png,paintings/x.png,\nphotos/b.png,paintings/x.png,3\n"
    line = the_only_line(swag("batch", table(pictures, text), "--out", pictures / "out", *WORDS))
    assert f"{pictures / 'jobs.csv'}, line 3: size = '3'" in line
    assert not (pictures / "out/a-x.png").exists()


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        ([], '{"content": "a", "style": "b", "foo": 1}', "jobs.jsonl, line 2: there is no setting"),
        (["--strength", 7], "", "swag: strength = 7.0: Input should be less"),
    ],
)
def test_a_wrong_setting_is_of_its_line_or_of_the_options(words, text, message, pictures: Path):
    good = '{"content": "photos/a.png", "style": "paintings/x.png"}\n'
    path = table(pictures, good + text, "jobs.jsonl")
    line = the_only_line(swag("batch", path, "--out", pictures / "out", *WORDS, *words))
    assert message in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing"),
        (["a.csv", "--contents", "x", "--styles", "y"], "the table a.csv, --contents, --styles"),
        (["--contents", "x"], "--contents"),
    ],
)
def test_jobs_come_from_a_table_or_from_two_folders(words, message, tmp_path: Path):
    line = the_only_line(swag("batch", *words, "--out", tmp_path / "out"))
    assert line.startswith(f"swag: {message} given; expected a table of jobs")


def test_pictures_killed_after_they_were_written_are_taken_as_they_are(pictures: Path):
    out = pictures / "out"
    folders = ("--contents", pictures / "photos", "--styles", pictures / "paintings")
    assert swag("batch", *folders, "--out", out, *WORDS).exit_code == 0
    manifest = out / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    assert json.loads(lines[-1])["state"] == "done"
    manifest.write_bytes(b"".join(lines[:-1]))  # killed before the last line
    picture = out / json.loads(lines[-1])["output"]
    checkpoint = picture.with_name(f"{picture.name}.ckpt")
    checkpoint.touch()  # and before this was removed
    descriptor, _ = open_temporary(picture)
    os.close(descriptor)  # and before its claim was given up
    result = swag("batch", *folders, "--out", out, *WORDS, "--json")
    assert set(states(result).values()) == {"there"}
    assert not checkpoint.exists() and list(out.glob(".swag-*")) == []


@pytest.mark.parametrize("metadata", [True, False])
def test_ctrl_c_keeps_a_checkpoint_and_the_same_command_goes_on(
    metadata, pictures: Path, monkeypatch
):
    out, whole = pictures / "out", pictures / "whole"
    path = table(
        pictures, "content,style\nphotos/a.png,paintings/x.png\nphotos/b.png,paintings/x.png\n"
    )
    words = [*WORDS, *([] if metadata else ["--no-metadata"])]
    assert swag("batch", path, "--out", whole, *words).exit_code == 0
    steps = []
    result = Update.result

    def pressed(self: Update) -> dict[str, float]:
        steps.append(self.index)
        if len(steps) == 2:
            signal.raise_signal(signal.SIGINT)
        return self.losses

    with monkeypatch.context() as patch:
        from swag.cli.bars import BatchBar

        patch.setattr(BatchBar, "show_step", lambda bar, update: pressed(update))
        stopped = swag("batch", path, "--out", out, *words)
    assert stopped.exit_code == 130
    assert "interrupted with 0 of 2 pictures made; the same command continues" in stopped.stderr
    assert {p.name for p in out.iterdir()} == {"a-x.png.ckpt", "manifest.jsonl"}
    again = swag("batch", path, "--out", out, *words)
    assert again.exit_code == 0
    for name in ("a-x.png", "b-x.png"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert bool(read_metadata(out / "a-x.png")) is metadata
    assert result is Update.result


def dies(self: Batch, job: Job, *_: Any) -> JobResult:
    os.kill(os.getpid(), signal.SIGKILL)
    return JobResult(job.output, "done")


class Deadly(Batch):
    """A batch whose process is killed by one of its jobs."""

    def make(self, job: Job, *more: Any) -> JobResult:
        return dies(self, job) if job.output == "1.png" else JobResult(job.output, "done")


def test_a_process_that_dies_takes_its_job_along_and_no_other(tmp_path: Path):
    jobs = [Job(tmp_path / "a", (tmp_path / "b",), f"{number}.png") for number in range(5)]
    with Manifest(tmp_path) as manifest:
        outcomes = list(run(Deadly(tmp_path), jobs, manifest, workers=2))
    found = {outcome.output: outcome.state for outcome in outcomes}
    assert found == {f"{n}.png": "failed" if n == 1 else "done" for n in range(5)}
    assert "its process died (signal 9)" in [o.error for o in outcomes]


def test_a_run_without_a_step_is_a_failure_of_one_line(pictures: Path, monkeypatch) -> None:
    monkeypatch.setattr(work_module, "iterate", lambda *_, **__: iter(()))
    batch = Batch(pictures / "out", TINY)
    job = Job(pictures / "photos/a.png", (pictures / "paintings/x.png",), "a.png", {})
    outcome = batch.make(job, lambda _: None, lambda: False)
    assert outcome.state == "failed"
    assert outcome.error == "the run made no step; give more steps or another start"
