"""Channels on pages: added, tried, stopped."""

from pathlib import Path

from tests.web.office import Office


def test_a_channel_is_added_and_its_addresses_are_shown_and_its_secrets_never(office: Office) -> None:
    admin = office.browser("administrator", unit_id=office.top_id)
    form = {"set-account_sid": "AC" + "0" * 32, "set-auth_token": "c4nary-secret", "set-sender": "+84900000001"}
    html = admin.press("/channels/new", kind="twilio", name="north", unit="P", prefix="+84", rate="2.5", **form)
    assert "north was added" in html and "/inbound" in html and "c4nary-secret" not in html
    assert office.world.value("SELECT rate FROM channels WHERE name = 'north'") == 2.5
    assert "c4nary-secret" not in admin.read("/channels")


def test_a_carrier_that_is_not_there_is_said_and_one_is_disabled_and_used_again(office: Office) -> None:
    admin, path = office.browser("administrator", unit_id=office.top_id), f"/channels/{office.world.channel_id}"
    answer = admin.post(f"{path}/ask")
    assert answer.status_code in (200, 400) and ("could not be reached" in answer.get_data(as_text=True) or "without sending" in answer.get_data(as_text=True))
    assert "disabled" in admin.press(f"{path}/state", state="disabled")
    assert "is used again" in admin.press(f"{path}/state", state="active")
    assert "replies cost the client" in admin.press(f"{path}/replies", replies="cost")


def test_a_test_text_goes_to_the_own_phone_alone(office: Office) -> None:
    path = f"/channels/{office.world.channel_id}/text"
    nobody = office.browser("administrator", unit_id=office.top_id)
    assert "no phone on file" in nobody.post(path).get_data(as_text=True)
    me = office.world.staff("+84900000009", role="administrator")
    office.world.run("UPDATE staff SET unit_id = :top WHERE id = :id", top=office.top_id, id=me)
    office.world.run("INSERT INTO staff_units SELECT :id, :top ON CONFLICT DO NOTHING", top=office.top_id, id=me)
    assert "on its way" in office.sign_in(me).press(path)
    assert office.world.value("SELECT count(*) FROM outbound WHERE state = 'planned' AND client_id IS NULL") == 1


def test_a_channel_of_the_units_above_is_seen_and_not_touched(office: Office) -> None:
    admin = office.browser("administrator")
    assert "sim" in admin.read("/channels")
    assert admin.get(f"/channels/{office.world.channel_id}").status_code == 404


def test_terms_are_changed_and_a_wrong_price_is_named(office: Office) -> None:
    admin, path = office.browser("administrator", unit_id=office.top_id), f"/channels/{office.world.channel_id}/terms"
    form = {"prefix": "+84", "rate": "0.5", "daily": "200", "prices": "+84=450 +8491=500", "one_way": "+849"}
    assert "is changed" in admin.press(path, **form)
    row = office.world.rows("SELECT * FROM channels WHERE id = :id", id=office.world.channel_id)[0]
    assert (row.prefix, row.rate, row.daily, row.prices, row.one_way) == ("+84", 0.5, 200, {"+84": 450, "+8491": 500}, ["+849"])
    wrong = admin.post(path, **form | {"prices": "+84=many"})
    assert wrong.status_code == 400 and "+84=many" in wrong.get_data(as_text=True)


def test_a_rule_is_kept_and_dropped_by_an_administrator_of_its_channel_alone(office: Office) -> None:
    admin = office.browser("administrator", unit_id=office.top_id)
    assert "The rule is kept" in admin.press("/channels/rules", channel="sim", unit="P", prefix="", language="vi", purpose="check_in")
    number = office.world.value("SELECT number FROM routes")
    below = office.browser("administrator")
    assert below.post(f"/channels/rules/{number}/drop").status_code == 404
    assert below.post("/channels/rules", channel="sim", language="vi").status_code == 400
    assert office.browser("supervisor", unit_id=office.top_id).post(f"/channels/rules/{number}/drop").status_code == 403
    assert "The rule is gone" in admin.press(f"/channels/rules/{number}/drop")
    assert office.world.value("SELECT count(*) FROM routes") == 0


def test_figures_for_a_monitor_are_given_to_this_machine_alone(office: Office) -> None:
    office.world.run("UPDATE channels SET weight = 75")
    said = office.app.test_client().get("/metrics", headers={"Host": "localhost"})
    assert said.status_code == 200 and 'gateway_channel_weight{channel="sim",kind="simulator"} 75' in said.get_data(as_text=True)
    assert office.app.test_client().get("/metrics", headers={"Host": "localhost", "X-Forwarded-For": "203.0.113.9"}).status_code == 404
    assert office.app.test_client().get("/metrics", headers={"Host": "gateway.example.org"}).status_code == 404


def test_a_description_with_a_fault_is_given_back_to_be_mended_and_its_secrets_are_not(office: Office) -> None:
    admin = office.browser("administrator", unit_id=office.top_id)
    written = Path("examples/carriers/json-aggregator.toml").read_text("utf-8").replace("\n", "\r\n")  # as a browser sends it
    form = {"name": "own", "unit": "P", "prefix": "+84", "kind": "generic", "set-user": "clinic", "set-password": "c4nary-password",
            "set-secret": "c4nary-secret-of-22-letters"}  # fmt: skip
    answer = admin.post("/channels/new", **form, **{"set-description": written.replace("[answer]", "[answers]")})
    html = answer.get_data(as_text=True)
    assert answer.status_code == 400 and "[answers] is not known" in html and "messages.0.status" in html and "c4nary" not in html
    html = admin.press("/channels/new", **form, **{"set-description": written})
    assert "own was added" in html and "/report" in html and "c4nary" not in html
    assert "passed to the network" in admin.read("/channels")
