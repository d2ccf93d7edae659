"""Compiled functions are kept where that is possible, and run where it is not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("numba")

import numba
from numba.core import caching

from offloadasp.search.anneal import numba_or_python as module
from offloadasp.search.anneal.numba_or_python import COMPILES, compiled

pytestmark = pytest.mark.skipif(not COMPILES, reason="numba is switched off")


def _made() -> Callable[[int], int]:
    def double(number: int) -> int:
        return 2 * number

    return compiled(double)


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "unkept", [])


def test_a_function_is_compiled_anew_where_no_place_can_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refused)
    assert _made()(4) == 8
    assert module.unkept == ["double"]


def test_without_a_home_no_folder_of_that_name_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert _made()(4) == 8
    assert module.unkept == ["double"]
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_read_or_written_are_done_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert _made()(4) == 8
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(b"another user's")
    assert _made()(5) == 10
    index = caching.IndexDataCacheFile

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(index, "load", full)
    monkeypatch.setattr(index, "save", full)
    assert _made()(6) == 12
    assert module.unkept == []
