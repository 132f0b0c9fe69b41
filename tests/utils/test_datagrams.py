import os
import socket

import pytest

from utils.datagrams import MAX_BYTES, Mailbox, Postman


@pytest.fixture
def post(tmp_path):
    postman = Postman(tmp_path)
    yield postman
    postman.close()


@pytest.fixture
def open_mailbox(tmp_path):
    opened = []

    def open_one(folder=tmp_path):
        opened.append(Mailbox(folder))
        return opened[-1]

    yield open_one
    for mailbox in opened:
        mailbox.close()


def test_a_message_reaches_every_mailbox(post, open_mailbox):
    first, second = open_mailbox(), open_mailbox()

    readers = post.send(b"hello")

    assert readers == 2
    assert (first.receive(1.0), second.receive(1.0)) == (b"hello", b"hello")


def test_a_mailbox_opened_later_gets_what_is_sent_later(post, open_mailbox):
    nobody = post.send(b"before")
    mailbox = open_mailbox()

    post.send(b"after")

    assert nobody == 0
    assert mailbox.receive(1.0) == b"after"


def test_a_closed_mailbox_is_forgotten(post, open_mailbox):
    mailbox = open_mailbox()
    post.send(b"one")
    mailbox.close()

    assert post.send(b"two") == 0


def test_the_name_of_a_reader_that_was_killed_is_removed(post, tmp_path):
    killed = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    killed.bind(str(tmp_path / "1-0.sock"))
    killed.close()

    assert post.send(b"anybody?") == 0
    assert list(tmp_path.glob("*.sock")) == []


def test_the_largest_message_fits(post, open_mailbox):
    mailbox = open_mailbox()

    post.send(b"x" * MAX_BYTES)

    assert mailbox.receive(1.0) == b"x" * MAX_BYTES


def test_a_larger_message_is_refused(post):
    with pytest.raises(ValueError, match="split it"):
        post.send(b"x" * (MAX_BYTES + 1))


def catch_up(post, mailbox, nudges):
    """Read all there is; each nudge lets the postman hand over more of what waits."""
    received = []
    for _ in range(nudges):
        while (message := mailbox.receive(0.0)) is not None:
            received.append(message)
        post.send(b"nudge")
    return received


def test_a_reader_that_is_behind_gets_everything_in_order_later(post, open_mailbox):
    mailbox = open_mailbox()
    for number in range(50):
        post.send(b"%d" % number)

    received = catch_up(post, mailbox, nudges=20)

    assert received[:50] == [b"%d" % number for number in range(50)]
    assert mailbox.missed == 0


def test_a_reader_that_is_too_far_behind_can_tell(post, open_mailbox):
    mailbox = open_mailbox()
    for number in range(500):
        post.send(b"%d" % number)

    received = catch_up(post, mailbox, nudges=20)

    assert mailbox.missed > 0
    assert len([message for message in received if message != b"nudge"]) + mailbox.missed == 500


def test_nothing_comes_out_of_an_empty_mailbox(open_mailbox):
    assert open_mailbox().receive(0.01) is None


def test_a_folder_with_a_very_long_name_works_too(tmp_path, open_mailbox):
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    mailbox, postman = open_mailbox(folder), Postman(folder)

    postman.send(b"far away")

    assert mailbox.receive(1.0) == b"far away"
    postman.close()


def test_nobody_else_may_read_the_mail(tmp_path, open_mailbox):
    home = tmp_path / "run"

    open_mailbox(home)

    assert home.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in home.iterdir())
    assert home.stat().st_uid == os.getuid()
