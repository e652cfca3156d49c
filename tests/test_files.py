"""Files are whole or absent, whatever happens while they are written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from swag.files import open_temporary, remove, write_whole


def test_a_file_appears_with_what_was_written(tmp_path: Path):
    write_whole(tmp_path / "a", lambda file: file.write(b"new"))
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_failure_leaves_what_was_there(tmp_path: Path):
    def fail(file):
        file.write(b"half")
        raise KeyboardInterrupt

    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a", fail)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_the_last_look_comes_after_the_bytes_and_may_refuse(tmp_path: Path):
    written = []

    def refuse():
        assert written == [3]
        raise FileExistsError

    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "a", lambda file: written.append(file.write(b"new")), check=refuse)
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", lambda file: file.write(b"new"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def left_by(number: int, folder: Path) -> Path:
    """A temporary file for `a` with another process's number in its name."""
    descriptor, name = open_temporary(folder / "a")
    os.close(descriptor)
    parts = Path(name).name.split("-")
    parts[2] = str(number)
    return Path(name).rename(folder / "-".join(parts))


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not(tmp_path: Path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, living = left_by(ended.pid, tmp_path), left_by(os.getppid(), tmp_path)
    others = tmp_path / ".swag-000000000000-1-00000000.part"
    others.touch()
    write_whole(tmp_path / "a", lambda file: file.write(b"new"))
    assert not dead.exists()
    assert {p.name for p in tmp_path.iterdir()} == {"a", living.name, others.name}


def test_a_removed_file_takes_with_it_what_killed_processes_left_of_it(tmp_path: Path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    living = left_by(os.getppid(), tmp_path)
    for there in (True, False):
        if there:
            (tmp_path / "a").touch()
        left_by(ended.pid, tmp_path)
        remove(tmp_path / "a")
        assert list(tmp_path.iterdir()) == [living]
