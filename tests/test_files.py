"""What is written whole; test_faults.py breaks it at every step."""

from helpers import files


def test_the_file_is_what_was_written_and_as_open_to_others_as_any(tmp_path):
    with files.written_whole(tmp_path / "a.txt") as file:
        file.write(b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    (tmp_path / "b.txt").touch()
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "b.txt").stat().st_mode
    assert len(list(tmp_path.iterdir())) == 2
