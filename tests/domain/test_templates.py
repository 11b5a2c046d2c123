import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import templates
from gateway.domain.templates import About, Template, TemplateError

ABOUT = About(
    "reminder",
    "once_more",
    "reminder",
    "appointment",
    ("time",),
    ("first_name", "service"),
    keywords=("stop",),
)
TEMPLATE = Template("visit", "en", "At {time}.", ABOUT, "v1", "Hello {first_name}, {service} at {time}.")
OPEN = {"time": "9:00", "first_name": "An", "service": "Riverside"}


def test_values_stand_in_their_places() -> None:
    assert templates.render(TEMPLATE, {"time": "9:00"}) == "At 9:00."


def test_only_a_client_who_allows_it_is_told_the_service_and_called_by_name() -> None:
    assert [templates.render(TEMPLATE, OPEN, level) for level in (0, 1, 2)] == [
        "Hello An, Riverside at 9:00.", "At 9:00.", "At 9:00.",
    ]  # fmt: skip


@pytest.mark.parametrize("absent", ["first_name", "service"])
def test_an_open_text_that_lacks_its_name_says_less_not_nothing(absent: str) -> None:
    assert templates.render(TEMPLATE, OPEN | {absent: ""}, 0) == "At 9:00."


@pytest.mark.parametrize("values", [{}, {"time": ""}, {"times": "9:00"}])
def test_a_missing_value_is_refused_by_name(values: dict[str, str]) -> None:
    with pytest.raises(TemplateError, match=r"visit, en: no value for {time}"):
        templates.render(TEMPLATE, values)


@pytest.mark.parametrize("value", ["9\n00", "9\r", "\x00", "9\u2028"])
def test_a_line_break_in_a_value_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(TemplateError) as refused:
        templates.render(TEMPLATE, {"time": value})
    assert value not in str(refused.value)


def test_a_place_that_the_template_does_not_list_is_refused() -> None:
    template = Template("visit", "en", "{name} at {time}", ABOUT, "v1")
    with pytest.raises(TemplateError, match=r"{name} is not among its placeholders"):
        templates.render(template, {"name": "An", "time": "9:00"})


@given(st.text(st.characters(exclude_categories=["Cc", "Zl", "Zp", "Cs"]), min_size=1))
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    assert templates.render(TEMPLATE, {"time": value}) == f"At {value}."
    assert templates.render(TEMPLATE, {"time": value + "{service}{0}%s"}) == f"At {value}{{service}}{{0}}%s."


def test_a_pinned_template_comes_back_from_json_as_it_was() -> None:
    assert Template.from_dict(json.loads(json.dumps(TEMPLATE.to_dict()))) == TEMPLATE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "spam"}, "kind must be one of"),
        ({"semantics": "twice"}, "semantics must be one of"),
        ({"consent": "everything"}, "consent must be one of"),
        ({"colour": "red"}, "colour is unknown"),
        ({"consent": None}, "consent must be one of"),
        ({"expects": 1}, "expects must be"),
        ({"segments": "1"}, "segments must be a whole number"),
        ({"placeholders": "time"}, "placeholders must be a list of words"),
        ({"advertising": "no"}, "advertising must be true or false"),
    ],
)
def test_about_toml_names_the_key_that_is_wrong(change: dict[str, Any], said: str) -> None:
    with pytest.raises(TemplateError, match=f"visit/about.toml: {said}"):
        templates.read_about("visit", {"kind": "answer", "semantics": "once_more", "consent": ""} | change)


def test_the_wanted_language_needs_no_note() -> None:
    assert templates.choose_language("vi", ["en", "vi"], "dont_send", "en", "en") == ("vi", "")


@pytest.mark.parametrize(
    ("policy", "language", "note"),
    [
        ("dont_send", None, "no text in km; not sent, as the campaign says"),
        ("campaign_default", "vi", "no text in km; sent in vi (the campaign's language)"),
        ("unit_default", "fr", "no text in km; sent in fr (the unit's language)"),
    ],
)
def test_another_language_is_sent_only_by_policy_and_never_silently(
    policy: templates.Policy, language: str | None, note: str
) -> None:
    assert templates.choose_language("km", ["en", "fr", "vi"], policy, "vi", "fr") == (language, note)


def test_a_default_that_is_not_written_either_is_not_sent() -> None:
    assert templates.choose_language("km", ["en"], "unit_default", "en", "vi") == (
        None,
        "no text in km, nor in the unit's language; not sent",
    )
