"""A dialogue as a Mermaid diagram, to be read by those who decide what is asked."""

from collections.abc import Iterator

from gateway.domain.dialogues.definition import Dialogue, Step


def draw(dialogue: Dialogue) -> str:
    """The diagram. Questions are rounded, ends are boxes; dotted arrows are silence and what nobody understood."""
    lines = ["flowchart TD", f"  %% {dialogue.name}: {' '.join(dialogue.source.split())}", f"  begin((start)) --> s_{dialogue.first}"]
    for step in dialogue.steps.values():
        lines += [f"  {line}" for line in _lines(dialogue, step)]
    if any(step.silence for step in dialogue.steps.values()):
        lines.append("  person[[a person]]")
    return "\n".join(lines) + "\n"


def _lines(dialogue: Dialogue, step: Step) -> Iterator[str]:
    """A step and its arrows. Names get a prefix: `end` and `style` are words of Mermaid's own."""
    flag = f"flag: {step.flag}" if step.flag else ""
    does = filter(None, (flag, "send information" if step.inform else "", "request a referral" if step.refer else ""))
    asks = [] if step.kind == "end" else [f"{step.kind} {step.values[0]}-{step.values[-1]}" if step.high else step.kind]
    label = "<br/>".join([step.name, *asks, *does])
    yield f's_{step.name}(["{label}"])' if asks else f's_{step.name}["{label}"]'
    by_target: dict[str, list[str]] = {}
    for answer, to in step.follows.items():
        by_target.setdefault(to, []).append(answer)
    for to, answers in by_target.items():
        yield f's_{step.name} -- "{_spread(answers)}" --> s_{to}'
    if step.silence:
        reminded = "".join(f", asked again after {hour} h" for hour in step.silence.remind)
        yield f's_{step.name} -. "silent {step.silence.hours} h{reminded}" .-> person'
        yield f's_{step.name} -. "not understood {len(dialogue.rewordings(step.name)) + 1} times" .-> person'


def _spread(answers: list[str]) -> str:
    """The answers of one arrow; figures that follow on each other as "1-3"."""
    if len(answers) > 2 and all(a.isdigit() for a in answers) and int(answers[-1]) - int(answers[0]) == len(answers) - 1:
        return f"{answers[0]}-{answers[-1]}"
    return ", ".join(answers)
