"""Channels and the switch for sending, by command, on a real database and against the fake carrier."""

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from gateway.cli import doctor, main
from gateway.config import Settings
from gateway.store import channels, switches
from gateway.store.base import unit_of_work
from gateway.vault import Vault
from tests.carrier import FakeCarrier

SID = "AC" + "0" * 32


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    with FakeCarrier(reports=()) as fake:
        yield fake


@pytest.fixture
def run(environ: Mapping[str, str]) -> "Run":
    office = Run(environ)
    office("unit", "add", "P1", "Unit", "--kind", "service", "--zone", "Europe/London", "--language", "en", "--region", "GB")
    office("staff", "add", "boss", "Canary Boss", "--unit", "P1", "--role", "administrator", "--phone", "07700 900123")
    return office


class Run:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def __call__(self, *arguments: str, exit_code: int = 0) -> str:
        result: Result = CliRunner().invoke(main, arguments, env=dict(self.environ))
        assert result.exit_code == exit_code, (arguments, result.output, result.exception)
        return result.output

    def add(self, carrier: FakeCarrier, *more: str, token: str = "token", exit_code: int = 0) -> str:
        return self("channel", "add", "tw", "--kind", "twilio", "--unit", "P1", "--set", f"account_sid={SID}", "--set",
                    f"auth_token={token}", "--set", "sender=+15005550006", "--set", f"base_url={carrier.url}", *more,
                    "--as", "boss", exit_code=exit_code)  # fmt: skip


def test_a_channel_is_added_with_its_secrets_encrypted(run: Run, carrier: FakeCarrier, engine: Engine, vault: Vault) -> None:
    said = run.add(carrier, "--rate", "2")
    assert "/inbound" in said
    with unit_of_work(engine) as work:
        (channel,) = channels.list_all(work, vault)
    assert (channel.name, channel.rate, channel.settings["auth_token"]) == ("tw", 2.0, "token")
    assert "token" not in run("channel", "list", "--as", "boss")


def test_wrong_settings_are_named_and_nothing_is_kept(run: Run, carrier: FakeCarrier, engine: Engine, vault: Vault) -> None:
    assert "bas_url" in run.add(carrier, "--set", "bas_url=x", exit_code=2)
    with unit_of_work(engine) as work:
        assert channels.list_all(work, vault) == []


def test_the_test_says_whether_the_carrier_knows_us(run: Run, carrier: FakeCarrier) -> None:
    run.add(carrier)
    assert "knows us" in run("channel", "test", "tw", "--as", "boss")
    assert carrier.accepted_count() == 0


def test_the_test_says_when_the_token_is_wrong(run: Run, carrier: FakeCarrier) -> None:
    run.add(carrier, token="another")
    assert "token" in run("channel", "test", "tw", "--as", "boss", exit_code=2)


def test_a_text_to_oneself_says_where_its_fate_stands_and_not_to_do_what_was_done(run: Run, tmp_path: Path) -> None:
    run("channel", "add", "sim", "--kind", "gammu", "--unit", "P1", "--set", "number=+447700900001", "--set", f"folder={tmp_path}", "--as", "boss")
    assert "use --send-to" in run("channel", "test", "sim", "--as", "boss")
    said = run("channel", "test", "sim", "--send-to", "boss", "--as", "boss")
    assert "message list --as boss" in said and "use --send-to" not in said


def test_a_secret_is_asked_for_by_its_name(run: Run) -> None:
    add = ("channel", "add", "network", "--kind", "kannel", "--unit", "P1", "--set", "base_url=http://127.0.0.1:13013", "--set", "username=gateway",
           "--set", "sender=+447700900001", "--as", "boss")  # fmt: skip
    result = CliRunner().invoke(main, add, env=dict(run.environ), input="a-password\nq7TqYw2nB5mZx0LkVd9sRfAa\n")
    assert result.exit_code == 0, result.output
    assert "password (of the same group): " in result.output and "secret (our own, 22" in result.output


def test_a_disabled_channel_comes_back_by_resume(run: Run, carrier: FakeCarrier, engine: Engine, vault: Vault) -> None:
    run.add(carrier)
    states = []
    for verb in ("disable", "resume"):
        run("channel", verb, "tw", "--as", "boss")
        with unit_of_work(engine) as work:
            states.append(channels.list_all(work, vault)[0].state)
    assert states == ["disabled", "active"]


def test_sending_is_switched_off_and_on(run: Run, engine: Engine) -> None:
    for on_off in ("off", "on"):
        run("sending", on_off, "--as", "boss")
        with unit_of_work(engine) as work:
            assert switches.is_on(work, "sending") is (on_off == "on")


def test_terms_are_set_and_shown_and_wrong_ones_are_named(run: Run, carrier: FakeCarrier) -> None:
    run.add(carrier, "--price", "+44=0.04", "--daily", "100")
    assert "+84" in run("channel", "list", "--as", "boss")  # as Twilio's file says
    run("channel", "set", "tw", "--two-way", "--price", "+84=450", "--rate", "2", "--as", "boss")
    listed = run("channel", "list", "--as", "boss")
    assert "0/100" in listed and "+84=450" in listed and "not +84" not in listed and "100 %" in listed
    assert "beginning of phones" in run("channel", "set", "tw", "--one-way", "84", "--as", "boss", exit_code=2)


def test_a_name_as_sender_takes_no_answers(run: Run, carrier: FakeCarrier) -> None:
    said = run("channel", "add", "named", "--kind", "twilio", "--unit", "P1", "--set", f"account_sid={SID}", "--set", "auth_token=token",
               "--set", "sender=BanTuVan", "--as", "boss")  # fmt: skip
    assert "any phone" in said


def test_rules_are_kept_listed_tried_and_dropped(run: Run, carrier: FakeCarrier) -> None:
    run.add(carrier)
    run("channel", "add", "sim", "--kind", "simulator", "--unit", "P1", "--set", "secret=s3cret", "--set", "sender=+447700900999", "--as", "boss")
    assert "1" in run("route", "add", "sim", "--unit", "P1", "--prefix", "+44", "--language", "en", "--as", "boss")
    assert "already" in run("route", "add", "sim", "--unit", "P1", "--prefix", "+44", "--language", "en", "--as", "boss", exit_code=2)
    assert "+44" in run("route", "list", "--as", "boss")
    first = run("route", "show", "07700 900123", "--as", "boss").splitlines()[1]
    assert "sim" in first and "this one" in first
    assert "tw" in run("route", "show", "07700 900123", "--language", "vi", "--as", "boss").splitlines()[1]
    run("route", "remove", "1", "--as", "boss")
    assert "sim" in run("route", "show", "07700 900123", "--as", "boss").splitlines()[1]


@pytest.mark.parametrize("wrong", [("--language", "xx"), ("--purpose", "no_such_text"), ("--prefix", "84"), ()])
def test_a_rule_that_speaks_of_what_there_is_not_is_refused(run: Run, carrier: FakeCarrier, wrong: tuple[str, ...]) -> None:
    run.add(carrier)
    run("route", "add", "tw", *wrong, "--as", "boss", exit_code=2)


def test_settings_are_changed_under_the_same_key_and_wrong_ones_are_refused(run: Run, carrier: FakeCarrier, engine: Engine, vault: Vault) -> None:
    run.add(carrier)
    assert "within seconds" in run("channel", "set", "tw", "--set", "auth_token=another", "--as", "boss")
    assert "bas_url" in run("channel", "set", "tw", "--set", "bas_url=x", "--as", "boss", exit_code=2)
    assert "no channel" in run("channel", "set", "wt", "--set", "auth_token=x", "--as", "boss", exit_code=2)
    with unit_of_work(engine) as work:
        (channel,) = channels.list_all(work, vault)
    assert (channel.settings["auth_token"], channel.settings["sender"]) == ("another", "+15005550006")
    assert "another" not in run("audit", "list", "--as", "boss")


def test_a_described_carrier_is_added_from_a_file_and_told_what_is_wrong_with_it(run: Run, tmp_path: Path, engine: Engine, vault: Vault) -> None:
    file, written = tmp_path / "mine.toml", Path("examples/carriers/json-aggregator.toml").read_text("utf-8")
    add = ("channel", "add", "own", "--kind", "generic", "--unit", "P1", "--set", f"description=@{file}", "--set", "user=clinic", "--set", "password=p",
           "--set", "secret=q7TqYw2nB5mZx0LkVd9sRfAa", "--as", "boss")  # fmt: skip
    assert "cannot be read" in run(*add, exit_code=2)
    file.write_text(written.replace("[answer]", "[answers]"), "utf-8")
    said = run(*add, exit_code=2)
    assert "[answers] is not known" in said and "[answer] is missing" in said
    file.write_text(written, "utf-8")
    assert "/inbound" in run(*add)
    assert "passed to the network" in run("channel", "list", "--as", "boss")
    file.write_text(written[: written.index("[inbound]")], "utf-8")
    run("channel", "set", "own", "--set", f"description=@{file}", "--as", "boss")
    assert "never known" in run("channel", "list", "--as", "boss")
    with unit_of_work(engine) as work:
        (channel,) = channels.list_all(work, vault)
        assert list(channels.terms(work, channel.id).one_way) == ["+"], "without [inbound] no answers come back"
    assert channel.settings["description"] == file.read_text("utf-8")


def test_the_doctor_names_a_box_in_the_house_that_nothing_may_be_sent_to(run: Run, environ: Mapping[str, str]) -> None:
    run("channel", "add", "box", "--kind", "generic", "--unit", "P1", "--set", "description=@examples/carriers/form-box.toml", "--set", "user=clinic",
        "--set", "password=p", "--set", "secret=q7TqYw2nB5mZx0LkVd9sRfAa", "--as", "boss")  # fmt: skip

    def said(**more: str) -> list[str]:
        return [each.what for each in doctor._channels(Settings.from_env({**environ, **more})) if each.level == "WRONG"]

    assert "192.168.1.30" in "".join(said())
    assert said(GATEWAY_PRIVATE_HOSTS="sms.lan, 192.168.1.30") == []


def test_the_doctor_says_that_nothing_answers_where_a_bind_leads(run: Run, environ: Mapping[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as smsc:
        port = smsc.getsockname()[1]
        run("channel", "add", "bind", "--kind", "smpp", "--unit", "P1", "--set", "host=127.0.0.1", "--set", f"port={port}", "--set", "system_id=x",
            "--set", "password=p", "--set", "sender=+84900000001", "--as", "boss")  # fmt: skip
        assert [(each.level, each.what) for each in doctor._channels(Settings.from_env(environ))] == [("ok", "bind (smpp)")]
    (found,) = doctor._channels(Settings.from_env(environ))
    assert found.level == "WRONG" and f"127.0.0.1:{port}" in found.what


def test_the_doctor_misses_the_folder_of_a_modem_and_asks_for_no_address_where_nobody_posts(run: Run, environ: Mapping[str, str], tmp_path: Path) -> None:
    spool = tmp_path / "sms"
    run("channel", "add", "sim", "--kind", "gammu", "--unit", "P1", "--set", "number=+447700900001", "--set", f"folder={spool}", "--as", "boss")

    def said() -> list[tuple[str, str]]:
        return [(each.level, each.what) for each in doctor._channels(Settings.from_env({**environ, "GATEWAY_PUBLIC_URL": ""}))]

    assert [(level, str(spool) in what) for level, what in said()] == [("WRONG", True)]
    spool.mkdir()
    assert said() == [("ok", "sim (gammu)")]
