"""What a file is: its content, whatever its name and place; large ones by samples, unless asked."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from movi_prep.runtime import file_identity
from movi_prep.runtime.file_identity import FileIdentities, is_sampled, read_identities, write_identities


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file beyond the limit, which is lowered to 1 MiB; samples leave gaps in it."""
    monkeypatch.setattr(file_identity, "LARGE_BYTES", 2**20)
    path = tmp_path / "video.avi"
    path.write_bytes(bytes(5 * 2**20))
    os.utime(path, (1000, 1000))
    return path


def change(path: Path, offset: int) -> None:
    """Change one byte and leave size and time stamp as they were."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"X")
    os.utime(path, (1000, 1000))


def test_equal_content_is_one_identity_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"same")
    (tmp_path / "b").write_bytes(b"same")
    identities = FileIdentities()
    assert identities.identity(tmp_path / "a") == identities.identity(tmp_path / "b")
    assert identities.identity(tmp_path / "a").startswith("sha256:")


def test_a_large_file_is_compared_by_its_samples(large: Path) -> None:
    before = FileIdentities().identity(large)
    assert is_sampled(before)
    change(large, 0)
    assert FileIdentities().identity(large) != before
    assert not FileIdentities().holds(large, before)


def test_a_copy_of_a_large_file_is_the_same_file(large: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere.avi"
    copy.write_bytes(large.read_bytes())
    assert FileIdentities().identity(copy) == FileIdentities().identity(large)
    assert FileIdentities().holds(copy, FileIdentities().identity(large)), "its time stamp is another"


def test_a_full_hash_checks_again_what_was_compared_by_samples(large: Path) -> None:
    before = FileIdentities().identity(large)
    assert FileIdentities(full_hash=True).holds(large, before)
    change(large, 100_000)
    assert FileIdentities().holds(large, before), "between the samples"
    assert not FileIdentities(full_hash=True).holds(large, before)


def test_a_file_that_changes_while_it_is_hashed_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    monkeypatch.setattr(file_identity.Stamp, "is_settled", lambda _stamp: True)
    read_whole = file_identity._whole

    def read_while_it_grows(growing: Path) -> str:
        found = read_whole(growing)
        growing.write_bytes(b"content and more")
        return found

    identities = FileIdentities()
    with monkeypatch.context() as patch:
        patch.setattr(file_identity, "_whole", read_while_it_grows)
        torn = identities.identity(path)
    assert identities.known == {}
    assert identities.identity(path) != torn


def test_a_file_that_nobody_touched_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_bytes(b"content")
    monkeypatch.setattr(file_identity.Stamp, "is_settled", lambda _stamp: True)
    identities = FileIdentities()
    first = identities.identity(path)
    write_identities(memory, identities)
    monkeypatch.setattr(file_identity, "_whole", lambda _path: pytest.fail("it was read again"))
    assert read_identities(memory, full_hash=False).identity(path) == first


def test_a_full_hash_reads_what_is_remembered_by_stamps_that_agree(tmp_path: Path) -> None:
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_bytes(b"content")
    before = FileIdentities().identity(path)
    path.write_bytes(b"CONTENT")
    # As if the stamps were those of before: a disk that rots, a program that sets them back.
    write_identities(memory, FileIdentities(known={(str(path), "sha256"): (file_identity.Stamp.of(path), before)}))
    assert read_identities(memory, full_hash=False).holds(path, before), "believed, as the stamps agree"
    assert not read_identities(memory, full_hash=True).holds(path, before)


def test_what_two_runs_remember_is_kept_side_by_side(tmp_path: Path) -> None:
    memory, stamp = tmp_path / "memory.json", file_identity.Stamp(1, 2, 3)
    for name in ("first", "second"):
        write_identities(memory, FileIdentities(known={(name, "sha256"): (stamp, f"sha256:{name}")}))
    assert {name for name, _ in read_identities(memory, full_hash=False).known} == {"first", "second"}


@pytest.mark.parametrize(("age_s", "is_trusted"), [(1, False), (3, True)])
def test_a_file_just_written_is_not_trusted_by_its_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_s: int, is_trusted: bool
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    now_ns = path.stat().st_ctime_ns + age_s * 10**9
    monkeypatch.setattr(file_identity, "time", SimpleNamespace(time_ns=lambda: now_ns))
    identities = FileIdentities()
    identities.identity(path)
    assert bool(identities.known) is is_trusted


def test_a_damaged_memory_only_costs_time(tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    memory.write_text('[["a", "sha256"')
    assert read_identities(memory, full_hash=False).known == {}


def test_a_file_that_may_not_be_read_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"locked")

    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(file_identity, "_whole", refuse)
        locked = FileIdentities().identity(tmp_path / "a")
    assert locked.startswith("unreadable:")
    # What was recorded of it does not hold once it can be read.
    assert not FileIdentities().holds(tmp_path / "a", locked)


def test_a_folder_of_pictures_is_what_its_files_hold(tmp_path: Path) -> None:
    def fill(folder: Path) -> Path:
        folder.mkdir()
        for number in range(5):
            (folder / f"image_{number}.png").write_bytes(bytes([number]) * 100)
        return folder

    first, copy, identities = fill(tmp_path / "a"), fill(tmp_path / "b"), FileIdentities()
    before = identities.identity(first)
    assert identities.identity(copy) == before
    assert identities.holds(copy, before)
    (copy / "image_3.png").write_bytes(b"x" * 100)
    assert not identities.holds(copy, before)
    (first / "image_5.png").write_bytes(b"more")
    assert not identities.holds(first, before)
    assert not FileIdentities(full_hash=True).holds(first, before)
