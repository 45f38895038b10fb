"""When a forked process is not the same thing: the code changed, or a variable did."""

from __future__ import annotations

import errno
import json
import os
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from deployments.worker.fork_server import Server
from deployments.worker.forking import code_stamps
from deployments.worker.warm_worker import needs_new_interpreter


def test_every_change_of_a_python_file_is_seen(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    first, second = tmp_path / "first.py", inner / "second.py"
    first.write_text("1")
    seen = [code_stamps([tmp_path])]

    def changed() -> bool:
        seen.append(code_stamps([tmp_path]))
        return seen[-1] != seen[-2]

    assert not changed()
    second.write_text("2")
    assert changed()
    # An editor that writes a new file in place of the old one, even with its time.
    copy = tmp_path / "copy"
    copy.write_text("3")
    stat = first.stat()
    copy.replace(first)
    os.utime(first, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert changed()
    second.unlink()
    assert changed()
    (tmp_path / "notes.txt").write_text("4")
    assert not changed()


def test_an_editors_lock_is_no_file(tmp_path: Path) -> None:
    seen = code_stamps([tmp_path, tmp_path / "gone"])
    (tmp_path / ".#flow.py").symlink_to("somebody@host.1:2")
    assert code_stamps([tmp_path, tmp_path / "gone"]) == seen == {}


def test_a_server_that_cannot_fork_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_memory() -> int:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    ours, theirs = socket.socketpair()
    with ours, theirs, ExitStack() as stack:
        monkeypatch.setattr(os, "fork", no_memory)
        server = Server(theirs)
        stack.callback(server._selector.close)
        stack.enter_context(server._woken)
        stack.enter_context(server._wakes)
        for _ in range(2):
            ours.sendall(json.dumps({"run": "one"}).encode() + b"\n")
            server._receive()
        said = ours.recv(4096).splitlines()
        assert [json.loads(line)["run"] for line in said] == ["one", "one"]
        assert all("unavailable" in json.loads(line)["failed"] for line in said)


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        *[("PYTHONPATH", True), ("LD_PRELOAD", True), ("TZ", True), ("OMP_NUM_THREADS", True)],
        *[("LC_ALL", True), ("MPLBACKEND", True), ("MY_TOKEN", False), ("PREFECT_HOME", False)],
        *[("ORCHESTRATOR_TIMEZONE", False), ("LANGUAGE_OF_REPORTS", False)],
    ],
)
def test_variables_that_are_read_at_the_start_need_an_interpreter(
    name: str, needs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEPT", "as it is")
    monkeypatch.delenv(name, raising=False)
    same = dict(os.environ)
    assert not needs_new_interpreter(same)
    assert needs_new_interpreter({**same, name: "other"}) is needs
    monkeypatch.setenv(name, "ours")
    assert needs_new_interpreter(same) is needs  # the run is to be without it
