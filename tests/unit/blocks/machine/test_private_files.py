"""Files for one user alone, which are seen whole or not at all."""

from __future__ import annotations

import stat

import numpy as np
import pytest

from blocks.machine.private_files import private_file, write_private


def test_it_is_for_this_user_alone_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "secret"
    path.write_text("old")
    assert write_private(path, "größer", durable=True) == path
    assert path.read_text(encoding="utf-8") == "größer"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_until_the_new_one_is_whole_and_when_it_fails(tmp_path):
    path = tmp_path / "arrays.npz"
    with private_file(path) as file:
        np.savez(file, units=np.arange(3))
        assert not path.exists()
    with pytest.raises(RuntimeError), private_file(path) as file:  # noqa: PT012
        file.write(b"half")
        raise RuntimeError
    with np.load(path) as kept:
        assert kept["units"].tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        write_private(tmp_path / "nowhere" / "file", "text")
    assert list(tmp_path.iterdir()) == []
