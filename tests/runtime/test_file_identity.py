"""What a file is: its content, whatever its name and place; large ones by samples, unless asked."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from movi_prep.runtime import file_identity
from movi_prep.runtime.file_identity import FileIdentities, read_identities, write_identities


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


def test_a_large_file_is_known_by_size_stamp_and_samples(large: Path) -> None:
    before = FileIdentities().identity(large)
    assert before.startswith("sampled:")
    change(large, 0)
    assert FileIdentities().identity(large) != before
    assert not FileIdentities().holds(large, before)


def test_a_full_hash_sees_what_samples_do_not(large: Path) -> None:
    sampled, whole = FileIdentities().identity(large), FileIdentities(full_hash=True).identity(large)
    assert whole.startswith("sha256:")
    change(large, 100_000)
    assert FileIdentities().identity(large) == sampled
    assert FileIdentities(full_hash=True).identity(large) != whole


def test_a_record_is_judged_by_the_kind_of_identity_that_it_holds(large: Path) -> None:
    sampled, whole = FileIdentities().identity(large), FileIdentities(full_hash=True).identity(large)
    for full_hash in (False, True):
        assert FileIdentities(full_hash=full_hash).holds(large, sampled)
        assert FileIdentities(full_hash=full_hash).holds(large, whole)


def test_a_file_that_nobody_touched_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_bytes(b"content")
    monkeypatch.setattr(file_identity.Stamp, "is_settled", lambda _stamp: True)
    identities = FileIdentities()
    first = identities.identity(path)
    write_identities(memory, identities)
    monkeypatch.setattr(file_identity, "_whole", lambda _path: pytest.fail("it was read again"))
    assert read_identities(memory, full_hash=False).identity(path) == first


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
