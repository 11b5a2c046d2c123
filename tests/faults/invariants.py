"""What holds after every fault, whatever happened: I1 to I6. One failing check names what broke it, by ids only."""

import json
import re
from collections import Counter
from urllib.parse import unquote, urlsplit
from uuid import UUID

from gateway.domain.judge import EVEN_WHEN_STOPPED
from tests.faults.stage import Stage

# Nobody real: every name and body of the tests holds the word, every phone lies in these ranges.
CANARY = re.compile(r"(?i)canary|muon chet|muốn chết|(?<![0-9a-f])\+?(?:84|0)?9[12]\d{7}(?![0-9a-f])")
# A claim that began before the stop's transaction did may commit before it, too: begun so much later it did not.
RACE_S = 2.0


def check_invariants(stage: Stage) -> None:
    """Check all six on this case's channel, and I5 and the processes on everything the house ever said."""
    assert not stage.processes.fallen(), f"processes ended by themselves: {stage.processes.fallen()}"
    nothing_accepted_twice(stage)
    every_text_in_is_kept_once(stage)
    nothing_leaves_after_a_stop(stage)
    every_crisis_is_flagged_and_alerted(stage)
    no_canary_is_seen(stage)
    nothing_vanishes(stage)


def nothing_accepted_twice(stage: Stage) -> None:
    """I1. Counted at the carrier: by our token, by the message behind it, and by what the client reads."""
    accepted = stage.accepted()
    by_token = Counter(m.token for m in accepted)
    assert all(n == 1 for n in by_token.values()), f"I1: accepted twice: {[t for t, n in by_token.items() if n > 1]}"
    attempts = stage.world.rows("SELECT id, outbound_id FROM attempts WHERE channel_id = :c", c=stage.world.channel_id)
    message_of = {str(row.id): row.outbound_id for row in attempts}
    unheard_of = set(by_token) - set(message_of)
    assert not unheard_of, f"I1: left without an attempt row: {unheard_of}"
    by_message = Counter(message_of[token] for token in by_token)
    twice = [str(i) for i, n in by_message.items() if n > 1]
    assert not twice, f"I1: several attempts of one message were accepted: {twice}"
    planned = Counter(
        (bytes(row.to_hash), bytes(row.body_hash))
        for row in stage.world.rows("SELECT to_hash, body_hash FROM outbound WHERE channel_id = :c", c=stage.world.channel_id)
    )
    read = Counter((stage.vault.hash_phone(m.to), stage.vault.hash_body(m.body)) for m in accepted if m.body)
    assert not read - planned, f"I1: {sum((read - planned).values())} texts reached a phone more often than they were planned"


def every_text_in_is_kept_once(stage: Stage) -> None:
    """I2. Every inbound text that got a 2xx is one row."""
    answered = {form["MessageSid"] for url, form, status in stage.carrier.posted if url == stage.inbound_url and 200 <= status < 300}
    rows = Counter(row.carrier_id for row in stage.world.rows(
        "SELECT carrier_id FROM inbound WHERE channel_id = :c", c=stage.world.channel_id))  # fmt: skip
    assert not answered - set(rows), f"I2: {len(answered - set(rows))} texts in got a 2xx and are lost"
    assert all(n == 1 for n in rows.values()), "I2: a text in is kept twice"


def nothing_leaves_after_a_stop(stage: Stage) -> None:
    """I3. No claim after the stop, except of the answers that a stopped phone may still get."""
    late = stage.world.rows(
        """SELECT o.id, o.purpose FROM outbound o JOIN stops s ON s.phone_hash = o.to_hash JOIN attempts a ON a.outbound_id = o.id
           WHERE o.channel_id = :c AND a.started_at > s.stopped_at + make_interval(secs => :race)
             AND o.purpose <> ALL(:allowed) AND o.purpose <> 'staff_alert'""",
        c=stage.world.channel_id, race=RACE_S, allowed=list(EVEN_WHEN_STOPPED),
    )  # fmt: skip
    assert not late, f"I3: claimed after a stop: {[(str(row.id), row.purpose) for row in late]}"


def every_crisis_is_flagged_and_alerted(stage: Stage) -> None:
    """I4. Each cry for help has a flag that only a person closes, an alert on its way within 60 s, and another to come until it is taken."""
    rows = stage.world.rows(
        """SELECT i.id, f.id AS flag, f.state, f.outcome,
             EXISTS (SELECT FROM staff s JOIN unit_tree t ON t.ancestor_id = s.unit_id
               WHERE t.unit_id = i.unit_id AND s.phone_enc IS NOT NULL AND s.active) AS somebody,
             least((SELECT min(a.started_at) FROM outbound o JOIN attempts a ON a.outbound_id = o.id AND a.state = 'accepted'
                 WHERE o.about_id = f.id AND o.purpose = 'staff_alert'),
               (SELECT min(done_at) FROM alert_steps WHERE flag_id = f.id AND result IN ('mailed', 'posted', 'mailed, posted'))
             ) - i.received_at AS alerted_after,
             EXISTS (SELECT FROM alert_steps WHERE flag_id = f.id AND way = 'again' AND done_at IS NULL) AS goes_on,
             now() - i.received_at AS age
           FROM inbound i LEFT JOIN flags f ON f.inbound_id = i.id AND f.reason = 'crisis'
           WHERE i.channel_id = :c AND (i.meaning = 'crisis' OR 'crisis' = ANY(i.also))""", c=stage.world.channel_id)  # fmt: skip
    for row in rows:
        assert row.flag is not None, f"I4: no flag for inbound {row.id}"
        assert row.state != "closed" or row.outcome, f"I4: flag {row.flag} was closed by nobody"
        assert row.goes_on or row.state != "open", f"I4: nobody took flag {row.flag}, and nobody will hear of it any more"
        if row.somebody:
            waited = row.alerted_after if row.alerted_after is not None else row.age
            assert waited.total_seconds() <= 60, f"I4: flag {row.flag} alerted nobody within 60 s ({waited})"


def no_canary_is_seen(stage: Stage) -> None:
    """I5. No name, phone or text in what processes and servers say, in Redis, in our own addresses, on the health page."""
    places = {
        "the processes' log": stage.processes.logs(),
        "the servers' log": "\n".join(path.read_text(errors="replace") for path in stage.servers.var.glob("*.log")),
        "Redis": stage.redis_text(),
        "addresses of ours at the carrier": "\n".join({m.callback for m in stage.carrier.messages}),
        "addresses posted to": "\n".join({url for url, _, _ in stage.carrier.posted}),
        "the health page": stage.processes.health(),
    }
    for place, said in places.items():
        found = CANARY.search(unquote(said))
        assert found is None, f"I5: personal data in {place}: {_line_of(unquote(said), found.start())}"
    assert {urlsplit(m.callback).netloc for m in stage.accepted()} <= {urlsplit(stage.processes.url).netloc}


def nothing_vanishes(stage: Stage) -> None:
    """I6. What was planned is there, in one state each, and that state agrees with what the carrier has."""
    states = stage.states()
    assert sum(states.values()) == len(set(stage.planned)), f"I6: {len(set(stage.planned))} planned, but {states}"
    unplanned = stage.world.value(
        """SELECT count(*) FROM occurrences c WHERE c.unit_id = :u AND c.state = 'planned'
           AND (SELECT count(*) FROM outbound o WHERE o.occurrence_id = c.id) <> 1""", u=stage.world.unit_id)  # fmt: skip
    assert not unplanned, f"I6: {unplanned} occurrences called planned do not have one text"
    tokens = [UUID(m.token) for m in stage.accepted()]
    denied = stage.world.rows(
        """SELECT o.id, o.state FROM outbound o JOIN attempts a ON a.outbound_id = o.id
           WHERE a.id = ANY(:tokens) AND o.state IN ('planned', 'cancelled', 'suppressed')""", tokens=tokens)  # fmt: skip
    assert not denied, f"I6: the carrier has them, we say otherwise: {[(str(row.id), row.state) for row in denied]}"
    claimed = stage.world.rows(
        """SELECT o.id FROM outbound o WHERE o.channel_id = :c AND o.state IN ('accepted', 'sent', 'delivered')
           AND NOT EXISTS (SELECT FROM attempts a WHERE a.outbound_id = o.id AND a.id = ANY(:tokens))""",
        c=stage.world.channel_id, tokens=tokens,
    )  # fmt: skip
    assert not claimed, f"I6: we say accepted, the carrier never had them: {[str(row.id) for row in claimed]}"


def _line_of(text: str, at: int) -> str:
    """The line around a place, for whoever must find where it came from (synthetic data only)."""
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    return json.dumps(text[max(start, at - 200) : end if end >= 0 else None][:600])
