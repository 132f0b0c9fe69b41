"""A letter is read once, in order, and not when it is old."""

import os
import time

from utils.mailbox import FRESH_SECONDS, MAX_LETTERS, Mailbox


def test_letters_are_taken_once_and_in_order(tmp_path):
    box = Mailbox(tmp_path / "letters")
    for order in ("retrain", "cancel"):
        assert box.put({"order": order})

    assert [letter["order"] for letter in box.waiting()] == ["retrain", "cancel"]
    assert [letter["order"] for letter in Mailbox(tmp_path / "letters").take()] == ["retrain", "cancel"]
    assert box.take() == box.waiting() == []


def test_no_folder_is_no_letter(tmp_path):
    assert Mailbox(tmp_path / "letters").take() == []


def test_an_old_letter_is_not_obeyed(tmp_path):
    box = Mailbox(tmp_path)
    box.put({"order": "promote"})
    (path,) = tmp_path.iterdir()
    then = time.time() - FRESH_SECONDS - 1
    os.utime(path, (then, then))

    assert box.take() == []
    assert not list(tmp_path.iterdir())


def test_what_is_no_letter_is_removed_unread(tmp_path):
    (tmp_path / "1.json").write_text('{"order": ["list"]}')
    (tmp_path / "2.json").write_text("[" * 5_000)
    os.mkfifo(tmp_path / "3.json")

    assert Mailbox(tmp_path).take() == []
    assert not list(tmp_path.iterdir())


def test_a_letter_that_cannot_be_removed_is_not_taken(tmp_path):
    (tmp_path / "1.json").mkdir()
    box = Mailbox(tmp_path)
    box.put({"order": "cancel"})

    assert box.take() == [{"order": "cancel"}]


def test_a_box_that_nobody_empties_takes_no_more(tmp_path):
    box = Mailbox(tmp_path)

    put = [box.put({"order": "cancel"}) for _ in range(MAX_LETTERS + 1)]

    assert put == [True] * MAX_LETTERS + [False]
