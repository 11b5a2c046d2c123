"""A worker asks, a handset answers, staff see who needs a call. Everything is real."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.test_a_reminder import CLIENT, PHONE, Story, until
from tests.test_run import _wait_for, free_port, running


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    port = free_port()
    own = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    environ = {**own, "GATEWAY_VAR": str(tmp_path / "var"), "GATEWAY_PORT": str(port)}
    with running(environ, "run") as process:
        assert _wait_for(f"http://127.0.0.1:{port}/health", process) == 200
        told = Story(environ, port)
        told.do("unit", "edit", "SV", "--hours", "always", "--as", "admin")
        told.do("unit", "edit", "SV-05-10", "--hours", "always", "--as", "admin")  # so that the story can be told at night
        told.do("client", "consent", CLIENT, "check_in", "--grant", "signed form", "--as", "supervisor")
        yield told


def delivered(story: Story, purpose: str) -> bool:
    """Whether a text of this purpose has reached the client."""
    listed = story.look("message", "list", "--client", CLIENT, "--as", "supervisor")
    return any(purpose in line and "delivered" in line for line in listed.splitlines())


@pytest.mark.timeout(400)
def test_a_needs_check_is_answered_on_the_simulated_phone_and_a_check_in_by_campaign_calls_a_person(story: Story) -> None:
    story.do("dialogue", "start", "needs_check", "--client", CLIENT, "--as", "supervisor")
    until(lambda: delivered(story, "needs_check"))
    shown = story.hold("4", "1")
    assert "bao hiem y te" in shown or "bảo hiểm y tế" in shown
    assert "ended" in story.do("dialogue", "show", CLIENT, "--as", "supervisor")
    until(lambda: delivered(story, "service_"))
    story.do("campaign", "create", "--name", "Hỏi thăm", "--dialogue", "weekly_check_in", "--client", CLIENT, "--as", "admin")
    story.do("campaign", "approve", "Hỏi thăm", "--as", "supervisor")
    until(lambda: "waits for an answer" in story.look("dialogue", "show", CLIENT, "--as", "supervisor"))
    until(lambda: delivered(story, "weekly_check_in"))
    shown = story.hold("2")
    assert "115" in shown
    flags = story.do("flag", "list", "--as", "supervisor")
    assert all(reason in flags for reason in ("put in touch", "not well")) and "asks for information" not in flags, flags
    asked = story.do("flag", "show", "2", "--as", "supervisor")
    assert "weekly_check_in" in asked and PHONE not in asked and f"…{PHONE[-2:]}" in asked
