"""Somebody dialled: show the next screen of the menu, and do what follows, in one transaction, before the carrier hears it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, lru_cache, partial
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from gateway.channels.base import Dialled
from gateway.content import Content
from gateway.domain import dialogues, segments, ussd, wording
from gateway.domain import services as topics
from gateway.domain.routing import Asked
from gateway.domain.ussd import Kept, State
from gateway.store import appointments, channels, inbound, phones, routes, units
from gateway.store import ussd as store
from gateway.store.base import SYSTEM, Work, unit_of_work, untangled
from gateway.usecases import compose, doubt_phone, find_services, hear_ussd, receive_message, tell_client
from gateway.vault import Vault

LONGEST_SECONDS = 3.0
"""Whoever waits longer sees a last screen: people hang up, and carriers do after 15 s."""
_MOST_REPLAYED = 60  # inputs; three minutes hold fewer


@dataclass(frozen=True, slots=True)
class Screen:
    """What the phone shows next; without `goes_on` the dialogue is over."""

    text: str
    goes_on: bool


@dataclass(slots=True)
class Post:
    """One step of a dialogue, and the screen it gets."""

    channel: channels.Channel
    dialled: Dialled
    screen: Screen | None = None


def answer(
    engine: Engine, vault: Vault, content: Content, post: Post, ring: Callable[[UUID], None], now: datetime | None = None
) -> None:  # fmt: skip
    """Give the post its screen: the one that follows on what was typed. The same post again gets the same and moves nothing.

    Where the dialogue is not known, or `text` does not go on from what is known, all of it is walked again: nothing that was
    done is done twice, since every effect bears the session and what was typed until then. If deciding raises, words that were
    typed are kept all the same and flagged as urgent, and the error is raised.
    """
    try:
        untangled(lambda: _answer(engine, vault, content, [post], ring, now, wait_s=LONGEST_SECONDS))
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        hear_ussd.keep_words(engine, vault, content, post.channel, post.dialled, ring, now)
        raise


def answer_all(
    engine: Engine, vault: Vault, content: Content, posts: Sequence[Post], ring: Callable[[UUID], None], now: datetime | None = None
) -> None:  # fmt: skip
    """The same for several, in one transaction for the first of each phone, the next for the second.

    Raises what one of them raised, or when another transaction is in the way: then each is to be answered alone.
    """
    waiting = list(posts)
    while waiting:
        firsts = {post.dialled.phone: post for post in reversed(waiting)}
        _answer(engine, vault, content, list(firsts.values()), ring, now, wait_s=receive_message.WAIT_SECONDS)
        waiting = [post for post in waiting if firsts[post.dialled.phone] is not post]


def _answer(
    engine: Engine, vault: Vault, content: Content, posts: Sequence[Post], ring: Callable[[UUID], None], now: datetime | None, wait_s: float
) -> None:  # fmt: skip
    sought = [
        store.Sought(post.channel.id, vault.hash_phone(post.dialled.phone), hear_ussd.session_hash(vault, post.dialled.session_id))
        for post in posts
    ]
    with unit_of_work(engine, SYSTEM, now, lock=[each.phone_hash for each in sought], wait_s=wait_s) as work:
        around = Around(work, vault, content)
        for post, each, caller in zip(posts, sought, store.look(work, vault, sought), strict=True):
            post.screen = _turn(Call(around, post, each, caller), post.dialled.text)
        store.put(work, around.moved)
        for channel_id in around.told:
            work.after_commit(partial(ring, channel_id))


def _turn(call: "Call", text: str) -> Screen:
    """Everything that one post brings about: nothing, where its dialogue was forgotten."""
    asked, known = call.vault.hash_body(text).hex(), call.caller.dialled
    if known is None and call.caller.forgotten:
        return Screen(call.words("over"), False)
    earlier = known.kept if known else ()
    for kept in earlier:
        if kept.hash == asked:
            return Screen(kept.screen, kept.goes_on)
    added = ussd.added(text, earlier[-1]) if earlier and _follows(call.vault, text, earlier[-1]) else None
    if known is not None and added is not None:
        call.state, typed = known.state, [added]
    else:
        earlier, typed = (), text.split("*")[:_MOST_REPLAYED] if text else []
        call.state = call.show(State() if text else call.began())
    for number, each in enumerate(typed, 1):
        call.press(each, text if number == len(typed) else "*".join(typed[:number]))
    screen = call.screen()
    call.keep([*earlier, Kept(asked, len(text), screen.text, screen.goes_on)])
    return screen


def _follows(vault: Vault, text: str, kept: Kept) -> bool:
    return vault.hash_body(text[: kept.length]).hex() == kept.hash


def not_now(content: Content, phone: str) -> Screen:
    """What is shown when deciding fails or takes too long: one screen in every language, with whom to call now."""
    said = " ".join(segments.fold(content.menu[code]["later"]) for code in content.languages)
    return Screen(f"{said} {content.helplines(phone)}", False)


@dataclass(slots=True)
class Around:
    """What the posts of one transaction share. `moved`: the dialogues to be written; `told`: channels with something to send."""

    work: Work
    vault: Vault
    content: Content
    moved: list[store.Moved] = field(default_factory=list)
    told: set[UUID] = field(default_factory=set)
    _units: dict[UUID, units.Unit] = field(default_factory=dict)
    _near: dict[tuple[UUID, str, str], list[topics.Found]] = field(default_factory=dict)

    def unit(self, unit_id: UUID) -> units.Unit:
        """The unit, read once."""
        if unit_id not in self._units:
            self._units[unit_id] = units.get(self.work, unit_id)
        return self._units[unit_id]

    def near(self, unit: units.Unit, language: str, topic: str) -> list[topics.Found]:
        """The services near, read once."""
        sought = (unit.id, language, topic)
        if sought not in self._near:
            self._near[sought] = find_services.find(self.work, unit, language, topic)
        return self._near[sought]


class Call:
    """One post of a phone that dialled: the turn it takes, and what its places show."""

    def __init__(self, around: Around, post: Post, sought: store.Sought, caller: store.Caller) -> None:
        self.work, self.vault, self.content, self.channel, self.caller = around.work, around.vault, around.content, post.channel, caller
        self.around, self.told = around, around.told
        self.phone, self.phone_hash, self.session = post.dialled.phone, sought.phone_hash, sought.session_hash
        self.pin, self.stopped, self.state = caller.pin, caller.stopped, State()
        one = caller.people[0] if len(caller.people) == 1 else None
        self.owner = one
        self.client = None if caller.doubtful else one  # whom personal things may be shown to
        homes = {person.unit_id for person in caller.people}
        self.unit_id = homes.pop() if len(homes) == 1 else post.channel.unit_id
        self.key_id, self.key = (one.key_id, one.key) if one else inbound.stranger_key(
            self.work, self.vault, self.phone_hash, self.unit_id
        )

    @property
    def unit(self) -> units.Unit:
        """Where the phone belongs."""
        return self.around.unit(self.unit_id)

    @property
    def language(self) -> str:
        """What the screens are in."""
        known = self.caller.people[0].language if self.caller.people else self.unit.language
        return self.state.language or (known if known in self.content.menu else "en")

    @property
    def recipient(self) -> compose.Recipient:
        """Whoever dialled, as texts are composed for; as discreetly as we can where that is no single client."""
        if self.owner is not None:
            return replace(tell_client.as_recipient(replace(self.owner, phone=self.phone)), language=self.language)
        return compose.Recipient(
            unit_id=self.unit_id, key_id=self.key_id, key=self.key, phone=self.phone, language=self.language, zone=self.unit.time_zone,
            unit_language=self.unit.language, tones=self.unit.tones, discreet=2, details=self.unit.known,
        )  # fmt: skip

    @cached_property
    def texts_by(self) -> UUID | None:
        """The channel that texts this phone."""
        asked = Asked(self.phone, self.phone_hash, self.unit_id, self.language, "", bulk=False)
        return routes.answering(self.work, self.channel.id, asked)

    def token(self, path: str) -> UUID:
        """One for each session and what was typed in it until then: what bears it is done once."""
        return hear_ussd.token(self.vault, self.channel.id, self.phone_hash, self.session, path)

    def began(self) -> State:
        """Where a phone that just dialled is."""
        before = self.caller.before
        return ussd.begin(before.state if before else None, before.changed_at if before else None, self.work.now)

    def keep(self, kept: Sequence[Kept]) -> None:
        """Have it written where the dialogue is now."""
        self.around.moved.append(
            store.Moved(self.channel.id, self.phone_hash, self.session, self.unit_id, self.key_id, self.key, self.state, kept)
        )

    # --- the turn -----------------------------------------------------------------------------------------------------

    def press(self, typed: str, path: str) -> None:
        """Go where `typed` leads. `path`: all that was typed until then."""
        typed, state = typed.strip(), self.state
        if ussd.is_words(typed) and (state.ended or state.at != "check_in"):
            self._is_told(hear_ussd.as_text(self, typed, self.token(path)))
        elif state.ended:
            turned = ussd.turn_page(state, typed) if state.page + 1 < len(state.pages) else None
            self.state = turned.state if turned else self.pages(replace(state, page=0), self.words("over"))
        elif state.at == "check_in":
            self._check_in(typed, path)
        elif state.at == "appointment" and typed in ("1", "2") and self._was_moved(state.about):
            self.state = self.show(replace(state, pages=(), page=0, about=""))
        else:
            secret = self.vault.hash_body(f"pin:{typed}") if state.at.startswith("pin") else b""
            seen = ussd.Seen(self.pin, self.stopped, tuple(self.content.languages))
            turn = ussd.step(state, typed, secret, seen)
            for effect in turn.effects:
                self._follow(effect, state, self.token(path))
            self.state = self.show(turn.state) if turn.shows else turn.state

    def _was_moved(self, about: str) -> bool:
        """Whether the appointment on the screen is no longer the next one, or at another time."""
        booked = appointments.next_booked(self.work, self.client.id, hold=True) if self.client is not None else None
        return about != (_about(booked) if booked is not None else "")

    def _follow(self, effect: ussd.Effect, shown: State, token: UUID) -> None:
        match effect:
            case ussd.SetPin(secret):
                store.set_pin(self.work, self.phone_hash, store.owner(self.caller.people), self.unit_id, secret)
                self.pin = ussd.Pin(b"", b"")  # there is one now; it is asked for in the next dialogue
            case ussd.WrongPin() if self.pin is not None:
                store.count_wrong(self.work, self.phone_hash)
                tries = self.pin.tries + 1
                self.pin = replace(self.pin, tries=tries, locked=tries >= ussd.MOST_TRIES)
                if self.pin.locked:
                    doubt_phone.doubt(self.work, self.phone_hash, doubt_phone.PIN_LOCKED)
            case ussd.RightPin() if self.pin is not None:
                store.count_right(self.work, self.phone_hash)
                if self.owner is not None:
                    phones.prove(self.work, self.owner.id, self.phone_hash)
                self.pin = replace(self.pin, tries=0)
            case ussd.Wish(meaning):
                if meaning.meaning in ("stop", "start"):
                    self.stopped = meaning.meaning == "stop"
                hear_ussd.wish(self, meaning, self.words(meaning.meaning), token)  # staff read what stands in the menu
            case ussd.AnswerVisit(answer) if self.client is not None:
                hear_ussd.visit(self, self.client, UUID(shown.about.split()[0]), answer, token)
            case ussd.TextServices(topic) if self.texts_by is not None:
                if find_services.tell(self.work, self.vault, self.content, self.recipient, topics.TOPICS[topic],
                                      dedupe_key=f"ussd:{token}", channel_id=self.texts_by):  # fmt: skip
                    self.told.add(self.texts_by)
            case _:
                pass

    def _check_in(self, typed: str, path: str) -> None:
        turned = ussd.turn_page(self.state, typed) if hear_ussd.is_navigation(self, typed) else None
        if turned is not None:
            self.state = self.show(turned.state) if turned.shows else turned.state
            return
        heard = hear_ussd.in_dialogue(self, typed, self.token(path))
        self.state = self.pages(replace(self.state, page=0, ended=heard.ends), heard.text)

    def _is_told(self, text: str) -> None:
        self.state = self.pages(replace(self.state, at="noted", page=0, ended=True), text)

    # --- the screens --------------------------------------------------------------------------------------------------

    def screen(self) -> Screen:
        """What is on the screen now."""
        state = self.state
        return Screen(state.pages[state.page], not state.ended or state.page + 1 < len(state.pages))

    def words(self, key: str, values: Mapping[str, str] | None = None) -> str:
        """A text of the menu."""
        if "{" not in (said := self.content.menu[self.language][key]):
            return said
        details = self.owner.details if self.owner else self.unit.known
        known = {name: str(value) for name, value in details.items() if isinstance(value, str)}
        return wording.fill(said, {"phone": "", "helplines": self.content.helplines(self.phone), **known, **(values or {})})

    def pages(self, state: State, text: str) -> State:
        """The text on as many screens as it takes."""
        _ = self.content.gettext(self.language)
        goes_back = not state.ended and state.at not in ("menu", "resume")
        tones = self.owner.tones if self.owner else self.unit.tones
        found = _cut(text, _("0 back"), _("98 more"), tones, goes_back)
        return replace(state, pages=found, page=min(state.page, len(found) - 1))

    def show(self, state: State) -> State:
        """The place with its screens."""
        self.state = state
        match state.at:
            case "menu":
                return self.pages(state, self._list("menu", [self.words(item) for item in ussd.items(self.stopped)]))
            case "language":
                return self.pages(state, self._list("", [each.name for each in self.content.languages.values()]))
            case "topics":
                return self.pages(state, self._list("topics", [self.words(f"topic_{topic}") for topic in topics.TOPICS]))
            case "found":
                return self._found(state)
            case "appointment":
                return self._appointment(state)
            case "check_in":
                return self.pages(state, hear_ussd.question(self))
            case "pin_wrong":
                left = ussd.MOST_TRIES - (self.pin.tries if self.pin else 0)
                return self.pages(state, self.words("pin_wrong", {"left": str(left)}))
        return self.pages(state, self.words(state.at))

    def _list(self, head: str, lines: list[str]) -> str:
        numbered = [f"{number} {line}" for number, line in enumerate(lines, 1)]
        return "\n".join([self.words(head), *numbered] if head else numbered)

    def _found(self, state: State) -> State:
        found = self.around.near(self.unit, self.language, topics.TOPICS[state.topic])
        told = find_services.worded(self.content, self.recipient, self.unit, found, self.work.now)
        if not told:
            return self.pages(state, self.words("nothing_near"))
        offer = [self.words("text_me")] if self.texts_by else []
        return self.pages(replace(state, about="services"), "\n".join([*(text.body for text in told), *offer]))

    def _appointment(self, state: State) -> State:
        booked = appointments.next_booked(self.work, self.client.id) if self.client is not None else None
        if booked is None or self.client is None:
            return self.pages(state, self.words("no_appointment"))
        said = self.content.when(booked.starts_at, self.client.zone, self.language)
        return self.pages(replace(state, about=_about(booked)), self.words("next_appointment", said))




def _about(visit: appointments.Appointment) -> str:
    """The appointment at its time: a yes to another time says nothing about this one."""
    return f"{visit.id} {visit.starts_at.isoformat()}"


@lru_cache(maxsize=1024)
def _cut(text: str, back: str, more: str, tones: str, goes_back: bool) -> tuple[str, ...]:
    """The text as screens; folded where that makes them fewer and the tones may go. Most are the same for everybody."""
    whole = segments.tidy(f"{text}\n{back}" if goes_back else text)
    if segments.cheapest(whole, tones) != whole:  # type: ignore[arg-type]
        text, back, more = segments.fold(text), segments.fold(back), segments.fold(more)
    return tuple(dialogues.screens(segments.tidy(text), dialogues.Navigation(back, more), back=goes_back))
