"""Files are whole or absent, whatever happens while they are written."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from swag import files
from swag.errors import ResourceError
from swag.files import create_folder, open_temporary, remove, write_atomically


def test_a_file_appears_with_what_was_written(tmp_path: Path):
    write_atomically(tmp_path / "a", lambda file: file.write(b"new"))
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_failure_leaves_what_was_there(tmp_path: Path):
    def fail(file):
        file.write(b"half")
        raise KeyboardInterrupt

    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", fail)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_the_last_look_comes_after_the_bytes_and_may_refuse(tmp_path: Path):
    written = []

    def refuse():
        assert written == [3]
        raise FileExistsError

    with pytest.raises(FileExistsError):
        write_atomically(
            tmp_path / "a", lambda file: written.append(file.write(b"new")), check=refuse
        )
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", lambda file: file.write(b"new"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def left_by_killed(folder: Path) -> Path:
    """A temporary file for `a` of a process that was killed."""
    code = "import os, sys; from swag.files import open_temporary as o; print(o(sys.argv[1])[1])"
    kill = "; sys.stdout.flush(); os.kill(os.getpid(), 9)"
    ended = subprocess.run(
        [sys.executable, "-c", code + kill, folder / "a"], stdout=subprocess.PIPE, text=True
    )
    path = Path(ended.stdout.strip())
    assert ended.returncode == -9 and path.exists()
    return path


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not(tmp_path: Path):
    dead = left_by_killed(tmp_path)
    descriptor, living = open_temporary(tmp_path / "a")
    assert not dead.exists()
    others = tmp_path / ".swag-000000000000-1-00000000.part"
    others.touch()
    write_atomically(tmp_path / "a", lambda file: file.write(b"new"))
    os.close(descriptor)
    assert {p.name for p in tmp_path.iterdir()} == {"a", Path(living).name, others.name}


def test_a_removed_file_takes_with_it_what_killed_processes_left_of_it(tmp_path: Path):
    for there in (True, False):
        left_by_killed(tmp_path)
        if there:
            (tmp_path / "a").touch()
        descriptor, living = open_temporary(tmp_path / "a")
        remove(tmp_path / "a")
        assert list(tmp_path.iterdir()) == [Path(living)]
        os.close(descriptor)
        os.unlink(living)


def test_a_file_that_is_being_written_is_kept_by_who_cannot_see_its_process(tmp_path, monkeypatch):
    """As from another container, where the writer's number is nobody's."""

    def nobody(number: int, kind: int) -> None:
        raise ProcessLookupError

    def write(file):
        file.write(b"old")
        write_atomically(tmp_path / "a", lambda other: other.write(b"new"))
        remove(tmp_path / "a")

    monkeypatch.setattr(os, "kill", nobody)
    write_atomically(tmp_path / "a", write)
    assert (tmp_path / "a").read_bytes() == b"old"
    # Also between the last byte and the moment when it takes its name.
    write_atomically(tmp_path / "a", lambda f: f.write(b"2"), check=lambda: remove(tmp_path / "a"))
    assert (tmp_path / "a").read_bytes() == b"2"


@pytest.mark.parametrize("age", [0, 2 * 24 * 3600])
def test_a_file_of_another_machine_is_removed_only_when_it_is_old(age, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_machine", lambda: "elsewhere")
    descriptor, name = open_temporary(tmp_path / "a")
    os.close(descriptor)
    monkeypatch.undo()
    os.utime(name, (os.path.getmtime(name) - age,) * 2)
    remove(tmp_path / "a")
    assert os.path.exists(name) == (age == 0)


@pytest.mark.parametrize("links", [True, False])
def test_of_several_who_write_one_name_at_once_one_succeeds(links, tmp_path, monkeypatch):
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError()))
    together = threading.Barrier(4)
    taken = []

    def put(number):
        with contextlib.suppress(FileExistsError):
            write_atomically(
                path, lambda f: f.write(bytes([number])), check=together.wait, replace=False
            )
            taken.append(number)

    for name in range(50):
        path = tmp_path / str(name)
        taken.clear()
        threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [bytes([number]) for number in taken] == [path.read_bytes()]
    assert len(list(tmp_path.iterdir())) == 50


def test_a_folder_below_a_file_cannot_be_created_and_that_is_one_line(tmp_path: Path):
    create_folder(tmp_path / "a" / "b")
    create_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match=r"^cannot create the folder .*c: Not a directory$"):
        create_folder(tmp_path / "file" / "c")
