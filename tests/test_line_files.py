"""gammu-smsd's folders without gammu-smsd: what is written, what is read, what is left alone. The test moves the files."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.channels import base, gammu
from gateway.channels.base import Outgoing, WireRequest
from gateway.wire import Wire, WireResult
from gateway.wire.files import Folders
from tests.faults.processes import until
from tests.test_line_smpp import OurSide

PHONE = "+84912345678"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "pid").write_text(f"{os.getpid()}\n")
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    return folder


def settings(spool: Path) -> dict[str, str]:
    return {"number": "+84900000001", "folder": str(spool), "pid_file": str(spool.parent / "pid"), "secret": "signed",
            "callback_url": "http://127.0.0.1:9/c/gammu"}  # fmt: skip


@contextmanager
def watched(spool: Path, ours: OurSide, leave_s: float = 5, sent_s: float = 5) -> Iterator[Wire]:
    """A line over the folders."""
    hold = gammu.hold_request(settings(spool))
    wire = Wire(2, leave_s, sent_s, over=lambda loop, limits: Folders(loop, limits, hold, ours)).start()
    try:
        yield wire
    finally:
        wire.close()


def text(body: str = "Mai 9h: trả lời 1", token: str | None = None) -> WireRequest:
    return gammu.send_request({}, Outgoing(uuid4(), token or str(uuid4()), PHONE, body))


def outbox(spool: Path) -> list[Path]:
    return sorted((spool / "outbox").iterdir()) if (spool / "outbox").exists() else []


def posted(ours: OurSide, what: str) -> list[base.CallbackRequest]:
    """The posts to one of our callbacks, all signed."""
    found = [
        base.CallbackRequest(each.url, "", "", {name.lower(): value for name, value in each.headers.items()}, each.body)
        for each in ours.posted if each.url.endswith(f"/{what}")
    ]  # fmt: skip
    assert all(gammu.verify({"secret": "signed"}, each) for each in found)
    return found


def test_a_text_is_a_file_for_gammu_alone_until_it_is_sent_and_then_none(spool: Path) -> None:
    ours, results, token = OurSide(), list[WireResult](), str(uuid4())
    with watched(spool, ours) as wire:
        until(lambda: wire.is_open)
        wire.submit(text(token=token), results.append)
        until(lambda: outbox(spool))
        (file,) = outbox(spool)
        assert file.name.endswith(f"_00_{PHONE}_{token}.txt")
        assert file.read_bytes().decode("utf-16") == "Mai 9h: trả lời 1"
        assert [path.stat().st_mode & 0o777 for path in (file, spool / "outbox", spool / "inbox")] == [0o600, 0o700, 0o700]
        file.rename(spool / "sent" / file.name)
        until(lambda: results and posted(ours, "report") and not list(spool.glob("*/*")))
    assert base.read(gammu, "answered", results[0].reply).outcome == "accepted"  # type: ignore[arg-type]
    report = gammu.read_report(posted(ours, "report")[0])
    assert (report.token, report.state) == (token, "delivered")


def test_what_gammu_could_not_send_is_unknown_and_deleted(spool: Path) -> None:
    results: list[WireResult] = []
    with watched(spool, OurSide()) as wire:
        wire.submit(text(), results.append)
        until(lambda: outbox(spool))
        outbox(spool)[0].rename(spool / "error" / outbox(spool)[0].name)
        until(lambda: results and not list(spool.glob("*/*")))
    assert base.read(gammu, "answered", results[0].reply).outcome == "unknown"  # type: ignore[arg-type]


def test_what_gammu_does_not_take_is_taken_back_and_the_line_rests(spool: Path) -> None:
    results: list[WireResult] = []
    with watched(spool, OurSide(), sent_s=1) as wire:
        until(lambda: wire.is_open)
        wire.submit(text(), results.append)
        until(lambda: results)
        assert results == [WireResult(None, "sent", "timeout")]
        assert outbox(spool) == []
        assert not wire.is_open


def test_no_more_than_two_are_in_gammus_hands(spool: Path) -> None:
    results: list[WireResult] = []
    with watched(spool, OurSide(), leave_s=1) as wire:
        wire.submit_many([(text(), results.append) for _ in range(5)])
        until(lambda: len(outbox(spool)) == 2)
        until(lambda: len(results) == 3)
        assert results == [WireResult(None, "not_sent", "too_late")] * 3
        assert len(outbox(spool)) == 2


def test_without_gammu_the_line_is_closed(spool: Path) -> None:
    (spool.parent / "pid").write_text("999999999")
    with watched(spool, OurSide()) as wire:
        time.sleep(0.5)
        assert (wire.is_open, wire.free()) == (False, 0)
        (spool.parent / "pid").write_text(str(os.getpid()))
        until(lambda: wire.is_open)


def test_what_a_killed_process_left_is_taken_out_and_what_had_been_sent_is_reported(spool: Path) -> None:
    ours, token = OurSide(), str(uuid4())
    for name in ("outbox", "sent", "inbox"):
        (spool / name).mkdir(mode=0o700)
    (spool / "outbox" / f"OUTC20260210_100000_00_{PHONE}_{uuid4()}.txt").write_text("late")
    (spool / "outbox" / "OUT+84912345678.txt").write_text("somebody else's")
    (spool / f".{uuid4()}").write_text("half")
    (spool / "sent" / f"OUTC20260210_100000_00_{PHONE}_{token}.txt").write_text("done")
    with watched(spool, ours):
        until(lambda: posted(ours, "report") and len(list(spool.rglob("*.txt"))) == 1)
    assert [path.name for path in outbox(spool)] == ["OUT+84912345678.txt"]
    assert list(spool.glob(".*")) == []
    assert gammu.read_report(posted(ours, "report")[0]).token == token


def test_folders_that_everybody_can_open_are_not_used(spool: Path) -> None:
    (spool / "inbox").mkdir()
    (spool / "inbox").chmod(0o755)
    with pytest.raises(PermissionError), watched(spool, OurSide()):
        pass


def came_in(spool: Path, name: str, octets: bytes) -> None:
    (spool / "inbox").mkdir(mode=0o700, exist_ok=True)
    (spool / "inbox" / name).write_bytes(octets)


def test_parts_are_put_together_in_order_and_deleted_when_they_are_kept(spool: Path) -> None:
    ours = OurSide()
    ours.statuses = [503, 204]
    words = "Tôi cần giúp 😀"
    for part in (1, 0):
        came_in(spool, f"IN20260210_100000_00_{PHONE}_{part:02}.txt", b"\xfe\xff" + words[part * 6 : part * 6 + 6 if part == 0 else None].encode("utf-16-be") + b"\0" * 6)
    with watched(spool, ours):
        until(lambda: not list((spool / "inbox").iterdir()))
    found = [gammu.read_inbound(each) for each in posted(ours, "inbound")]
    assert [(each.sender_phone, each.text) for each in found] == [(PHONE, words)] * 2
    assert found[0].carrier_id == found[1].carrier_id
    assert PHONE[1:] not in found[0].carrier_id


def test_what_gammu_failed_at_for_a_killed_process_is_deleted(spool: Path) -> None:
    (spool / "error").mkdir(mode=0o700)
    (spool / "error" / f"OUTC20260210_100000_00_{PHONE}_{uuid4()}.txt").write_text("failed")
    (spool / "error" / "OUT+84912345678.txt").write_text("somebody else's")
    with watched(spool, OurSide()):
        until(lambda: len(list((spool / "error").iterdir())) == 1)


def test_a_sender_in_no_known_letters_keeps_nobody_else_waiting(spool: Path) -> None:
    ours = OurSide()
    came_in(spool, os.fsdecode(b"IN20260210_100000_00_CAF\xc9_00.txt"), "\ufeff1".encode("utf-16-be"))
    came_in(spool, f"IN20260210_100001_00_{PHONE}_00.txt", "\ufeffhelp".encode("utf-16-be"))
    with watched(spool, ours):
        until(lambda: not list((spool / "inbox").iterdir()), within_s=10)
    assert [gammu.read_inbound(each).sender_phone for each in posted(ours, "inbound")] == ["CAF\\udcc9", PHONE]


def test_a_text_that_our_side_cannot_keep_holds_up_later_ones_of_the_same_person_alone(spool: Path) -> None:
    ours = OurSide()
    ours.statuses = [503] * 6
    for second, sender in enumerate((PHONE, PHONE, "+84922222222")):
        came_in(spool, f"IN20260210_10000{second}_00_{sender}_00.txt", f"\ufeff{second}".encode("utf-16-be"))
    with watched(spool, ours):
        until(lambda: len(list((spool / "inbox").iterdir())) == 2)
        until(lambda: not list((spool / "inbox").iterdir()))
    said = [gammu.read_inbound(each).text for each in posted(ours, "inbound")]
    assert said == [*"000000", "2", "0", "1"]


def test_a_clock_that_was_set_back_delays_no_text(spool: Path) -> None:
    ours = OurSide()
    came_in(spool, f"IN20260210_100000_00_{PHONE}_00.txt", "\ufeffhelp".encode("utf-16-be"))
    os.utime(spool / "inbox" / f"IN20260210_100000_00_{PHONE}_00.txt", (time.time() + 3600,) * 2)
    with watched(spool, ours):
        until(lambda: posted(ours, "inbound"), within_s=10)


def test_a_folder_that_vanishes_makes_a_text_unknown_and_its_number_stands_in_no_log(spool: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results: list[WireResult] = []
    with watched(spool, OurSide(), sent_s=1) as wire:
        until(lambda: wire.is_open)
        wire.submit(text(), results.append)
        until(lambda: outbox(spool))
        (spool / "outbox").rename(spool / "gone")
        (spool / "outbox").write_text("a file")
        until(lambda: results, within_s=10)
    assert results == [WireResult(None, "sent", "timeout")]
    assert PHONE[1:] not in capfd.readouterr().err


def test_the_same_words_at_another_time_are_another_text(spool: Path) -> None:
    ours = OurSide()
    for second in (0, 1):
        came_in(spool, f"IN20260210_10000{second}_00_{PHONE}_00.txt", "\ufeff1".encode("utf-16-be"))
    with watched(spool, ours):
        until(lambda: not list((spool / "inbox").iterdir()))
    assert len({gammu.read_inbound(each).carrier_id for each in posted(ours, "inbound")}) == 2


def test_what_is_no_text_is_media_and_what_cannot_be_read_here_stays(spool: Path) -> None:
    ours = OurSide()
    ours.statuses = [400]
    came_in(spool, "IN20260210_100000_00_+84911111111_00.txt", b"\xff\xfe1\0")
    came_in(spool, "IN20260210_100001_00_VIETTEL_00.bin", b"\x01\x02")
    with watched(spool, ours):
        until(lambda: len(posted(ours, "inbound")) == 2)
        time.sleep(1.2)
        assert len(posted(ours, "inbound")) == 2
    assert [path.name for path in (spool / "inbox").iterdir()] == ["IN20260210_100000_00_+84911111111_00.txt"]
    told = json.loads(posted(ours, "inbound")[1].body)
    assert (told["media"], told["text"], told["from"]) == (True, "", "VIETTEL")


def test_nothing_of_a_text_stands_in_a_log(spool: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ours = OurSide()
    ours.statuses = [400]
    came_in(spool, f"IN20260210_100000_00_{PHONE}_00.txt", b"Canary")
    with watched(spool, ours, sent_s=1) as wire:
        results: list[WireResult] = []
        wire.submit(text("Canary"), results.append)
        until(lambda: results and ours.posted)
    told = "".join(capfd.readouterr())
    assert "gammu_takes_nothing" in told
    assert not any(word in told for word in ("Canary", PHONE[1:]))
