"""Files are written whole or not at all, and only files are replaced."""

import os
import stat

import pytest

from course_utils import files


def test_text_bytes_and_json_arrive_as_they_are(tmp_path):
    files.write(tmp_path / "new" / "text.txt", "一\n二\n")
    assert (tmp_path / "new" / "text.txt").read_bytes() == "一\n二\n".encode()
    files.write(tmp_path / "bytes", b"\x00\r\n")
    assert (tmp_path / "bytes").read_bytes() == b"\x00\r\n"
    files.write_json(tmp_path / "numbers.json", {"b": "一", "a": 1}, sort_keys=True)
    assert (tmp_path / "numbers.json").read_text(encoding="utf-8") == '{\n "a": 1,\n "b": "一"\n}\n'
    assert files.read_json(tmp_path / "numbers.json") == {"a": 1, "b": "一"}


def test_what_stood_there_survives_a_failed_write(tmp_path, monkeypatch):
    path = tmp_path / "kept.txt"
    files.write(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_device_is_written_to_and_not_replaced(tmp_path):
    """As root, replacing /dev/null would break every program on the machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write(pipe, "to nowhere")
    assert os.read(reader, 100) == b"to nowhere"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("content", ["", "{", "[1]", "\xff"])
def test_a_damaged_or_missing_json_file_is_empty(tmp_path, content):
    assert files.read_json(tmp_path / "missing.json") == {}
    (tmp_path / "damaged.json").write_bytes(content.encode("latin-1"))
    assert files.read_json(tmp_path / "damaged.json") == {}
