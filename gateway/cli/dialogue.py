"""`dialogue`: check what we ask, draw it, walk it without a phone; begin it with a client, and look how it goes."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import click

from gateway import content
from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.content import Content
from gateway.domain import dialogues, interpret
from gateway.domain.dialogues import Dialogue, Heard, Limits, Navigation, Tongue, Turn
from gateway.domain.effects import RaiseFlag, Reply
from gateway.domain.errors import NotFound, Refused
from gateway.domain.told import N_
from gateway.store import audit, clients, sessions
from gateway.store.base import Work
from gateway.usecases import read_sessions, start_dialogue

FOLDER = content.ROOT / "templates_sms" / "dialogues"
_CLIENT = UUID(int=0)
STATUSES = {
    "waiting": N_("waits for an answer"), "with_person": N_("nothing more is asked; a person looks"),
    "suspended": N_("waits for another dialogue to end"), "stopped": N_("stopped"), "ended": N_("ended"),
    "not_asked": N_("was not asked: its first text never left"),
}  # fmt: skip


@click.group()
def dialogue() -> None:
    """What is asked step by step: check-ins, needs, mood."""


@dialogue.command()
@click.argument("folder", default=FOLDER, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--gsm7", default=dialogues.SCREEN.gsm7, show_default=True, help="Characters of a screen.")
@click.option("--ucs2", default=dialogues.SCREEN.ucs2, show_default=True, help="Characters of a screen with letters beyond GSM-7.")
def lint(folder: Path, gsm7: int, ucs2: int) -> None:
    """Check every dialogue in every language; exit 1 when one is not fit to be used."""
    known, tongues, limits = content.read_dialogues(folder), _tongues(content.load()), Limits(gsm7, ucs2)
    if not known:
        raise NotFound("There is no dialogue in {folder}: each is a folder there with a dialogue.toml.", folder=folder)
    findings = [finding for each in known.values() for finding in dialogues.lint(each, tongues, limits)]
    for finding in findings:
        click.echo(f"{finding.where}: {shown(finding.what)}")
    if findings:
        screen.warn("{count} findings.", count=len(findings))
        raise SystemExit(1)
    screen.say("{count} dialogues in {languages}: all fit to be used.", count=len(known), languages=", ".join(tongues))


@dialogue.command()
@click.argument("name")
def draw(name: str) -> None:
    """Print a dialogue as a Mermaid diagram."""
    click.echo(dialogues.draw(start_dialogue.named(content.load(), name)), nl=False)


@dialogue.command("try")
@click.argument("name")
@click.option("--language", default="en", show_default=True, help="The client's language.")
@click.option("--ussd", is_flag=True, help="As screens, with 0 back and 98 more.")
def try_(name: str, language: str, ussd: bool) -> None:
    """Walk a dialogue: type answers, or nothing for silence; end of input ends it."""
    tried = start_dialogue.named(content.load(), name)
    if language not in tried.texts:
        written = sorted(tried.texts)
        raise Refused("{name} is not written in {language!r}, only in {written}.", name=name, language=language, written=written)
    _Handset(tried, language, ussd).walk()


@dialogue.command()
@click.argument("name")
@click.option("--client", "code", required=True, help="Code of the client.")
@session.as_staff
def start(name: str, code: str, as_code: str) -> None:
    """Ask a client the first question; what they answer, and silence, lead on by themselves."""
    with session.open(as_code, *session.CARE) as s:
        start_dialogue.start(s.engine, s.vault, s.content, s.actor, name, code)
    screen.say("{name} begins with client {code}: `python -m gateway dialogue show {code}` tells how it goes", name=name, code=code)


@dialogue.command()
@click.argument("code", metavar="CLIENT")
@session.as_staff
def show(code: str, as_code: str) -> None:
    """A client's dialogues, the newest first: what is asked, what was answered, what silence leads to."""
    with session.open(as_code) as s, s.work() as work:
        found = clients.by_code(work, code)
        audit.add(work, "dialogue.show", "client", found.id, found.unit_id)
        runs = sessions.of_client(work, s.vault, found.id)
        if not runs:
            screen.say("client {code} has had no dialogue", code=code)
        for run in runs:
            screen.say("{dialogue}: {status}, begun {started}, asked {asked}", dialogue=run.dialogue, status=shown(STATUSES[run.status]),
                       started=screen.local(run.started_at, found.zone), asked=screen.local(run.asked_at, found.zone))  # fmt: skip
            print_run(work, s.content, run, found.zone)


def print_run(work: Work, library: Content, run: sessions.Run, zone: str) -> None:
    """What is asked now, in the words the client got, and what was answered before."""
    try:
        said = read_sessions.dialogue_at(work, library, run.dialogue, run.version).text(run.language, run.step)
        screen.say("  {step}: {text}", step=run.step, text=screen.one_line(said))
    except (Refused, LookupError):
        screen.say("  {step}: {text}", step=run.step, text=_("(cannot be read from here)"))
    for step, value in run.answers or ():
        screen.say("  {step} answered: {value}", step=step, value=shown(value) if value in ("yes", "no") else screen.one_line(value))
    if run.due_at is not None:
        screen.say("  silence is looked at {at}", at=screen.local(run.due_at, zone))


class _Handset:
    """One client who walks a dialogue on a clock that only silence moves on."""

    def __init__(self, tried: Dialogue, language: str, ussd: bool) -> None:
        self.tried, self.language, self.ussd = tried, language, ussd
        self.library = content.load()
        self.now = datetime(2025, 1, 6, 9, tzinfo=UTC)
        self.turn = dialogues.begin(tried, _CLIENT, _CLIENT, language, self.now)
        self.pages: list[str] = []
        self.at = 0

    def walk(self) -> None:
        self.show(self.turn)
        while self.turn.state.status in ("waiting", "with_person"):
            try:
                typed = click.prompt("", prompt_suffix="> ", default="", show_default=False)
            except click.Abort:
                return
            self.answer(screen.one_line(typed))

    def answer(self, typed: str) -> None:
        asked = self.tried.steps[self.turn.state.step]
        match dialogues.pressed(typed, asked, self.at, len(self.pages)) if self.ussd else None:
            case "more" | "screen_before" as way:
                self.at += 1 if way == "more" else -1
                click.echo(self.pages[self.at])
            case "back":
                self.show(dialogues.back(self.tried, self.turn.state, self.now))
            case _ if typed:
                meaning = interpret.interpret(typed, self.library.lexicons, self.language, asked.expecting)
                self.show(dialogues.step(self.tried, self.turn.state, Heard(meaning, typed), self.now))
            case _:
                self.wait()

    def wait(self) -> None:
        due = dialogues.due_at(self.tried, self.turn.state)
        if due is None:
            screen.say("Nothing more is asked; a person has it.")
            return
        screen.say("… no answer for {hours} h", hours=int((due - self.now) / timedelta(hours=1)))
        self.now = due
        self.show(dialogues.step(self.tried, self.turn.state, None, self.now))

    def show(self, turn: Turn) -> None:
        self.turn, self.at = turn, 0
        for effect in turn.effects:
            click.echo(f"  [{_said(effect)}]")
        longest = self.library.languages[self.language].longest
        if not (text := dialogues.sms(self.tried, self.language, turn.says, longest)):
            return
        back = turn.state.status != "ended" and bool(turn.state.answers)
        self.pages = dialogues.screens(text, _navigation(self.library, self.language), back=back) if self.ussd else [text]
        click.echo(self.pages[0])


def _said(effect: dialogues.Effect) -> str:
    match effect:
        case RaiseFlag(reason):
            return _("a person looks: {reason}").format(reason=reason)
        case Reply(purpose):
            return _("reply: {purpose}").format(purpose=purpose)
    values = (getattr(effect, name, None) for name in ("step", "value", "topic", "reason"))
    return " ".join([type(effect).__name__, *filter(None, values)])


def _navigation(library: Content, language: str) -> Navigation:
    _ = library.gettext(language)
    return Navigation(_("0 back"), _("98 more"))


def _tongues(library: Content) -> dict[str, Tongue]:
    """Every language that the program speaks."""

    def read(code: str, text: str, expecting: interpret.Expecting) -> interpret.Meaning:
        return interpret.interpret(text, library.lexicons, code, expecting)

    return {code: Tongue(language, partial(read, code), _navigation(library, code)) for code, language in library.languages.items()}
