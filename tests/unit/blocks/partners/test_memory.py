"""What is known of partners, shared by processes, and what is left of it by accidents."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from blocks.partners.memory import OwnMemory, SharedMemory
from blocks.partners.quota import PRICE, TOKENS, Quota
from blocks.partners.standing import Standing

IT = "supplier 'ü/../x' https://it.example:443"


def tokens(memory: SharedMemory | OwnMemory, partner: str = IT) -> int:
    return asyncio.run(memory.change(partner, lambda s: (s, s.quota.tokens)))


def spend(folder: Path, times: int) -> None:
    memory = SharedMemory(folder)
    for _ in range(times):
        asyncio.run(memory.change(IT, Standing.spend))


def take_one(standing: Standing) -> tuple[Standing, None]:
    """Slow enough for others to come between, if they can."""
    time.sleep(0.001)
    return standing.model_copy(update={"quota": Quota(tokens=standing.quota.tokens - 1)}), None


def take(folder: Path, times: int, together: Barrier) -> None:
    memory = SharedMemory(folder)
    together.wait()
    for _ in range(times):
        asyncio.run(memory.change(IT, take_one))


def test_of_processes_that_change_it_at_once_each_sees_what_the_others_did(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("forkserver")
    together = fork.Barrier(4)
    children = [
        fork.Process(target=take, args=(tmp_path / "partners", 30, together)) for _ in range(4)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 4
    assert tokens(SharedMemory(tmp_path / "partners")) == TOKENS - 4 * 30


def test_partners_are_told_apart_and_files_are_for_us_alone(tmp_path: Path) -> None:
    spend(tmp_path, 1)
    assert tokens(SharedMemory(tmp_path)) == TOKENS - PRICE
    assert tokens(SharedMemory(tmp_path), IT + "0") == TOKENS
    files = list(tmp_path.iterdir())
    assert len(files) == 2
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


@pytest.mark.parametrize("left", [b"", b'{"quota": {"tok', b"\0" * 100, b"[]", b'{"quota": 3}'])
def test_what_an_accident_left_is_found_out_anew(tmp_path: Path, left: bytes) -> None:
    spend(tmp_path, 1)
    (file,) = tmp_path.iterdir()
    file.write_bytes(left)
    assert tokens(SharedMemory(tmp_path)) == TOKENS
    spend(tmp_path, 2)
    assert tokens(SharedMemory(tmp_path)) == TOKENS - 2 * PRICE


def test_a_shorter_text_takes_the_place_of_a_longer_one(tmp_path: Path) -> None:
    spend(tmp_path, 3)
    memory = SharedMemory(tmp_path)
    asyncio.run(memory.change(IT, lambda _: (Standing(quota=Quota()), None)))
    assert tokens(memory) == TOKENS


def test_where_nothing_can_be_written_a_process_remembers_for_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "partners").write_text("a file")
    memory = SharedMemory(tmp_path / "partners")
    with caplog.at_level(logging.WARNING):
        asyncio.run(memory.change(IT, Standing.spend))
    assert tokens(memory) == TOKENS - PRICE
    assert "is not shared" in caplog.text
