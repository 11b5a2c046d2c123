"""From evidence to one meaning. Never a guess: what is not certain is `other`.

Crisis goes before everything, stop before any open question; then the answer to what was asked; then the rest.
"""

from collections.abc import Sequence
from dataclasses import replace

from gateway.domain.interpret import numbers
from gateway.domain.interpret.answer import Expecting, Meaning
from gateway.domain.interpret.evidence import Evidence
from gateway.domain.interpret.phrases import Hit, Text

_REQUESTS = ("wrong_number", "language", "start", "callback", "help", "info")
_MAY_COME_WITH_ANSWER = {"callback", "info", "wrong_number"}
_MOST_TOKENS = 60
_PLAIN = 3
_ANY, _MOST_BESIDE_TOPIC = "any", 3
_MEANT_THE_VISIT = "meant the visit?"


def weigh(own: Evidence, others: Sequence[Evidence], text: Text, expecting: Expecting, asks: bool) -> Meaning:
    """The meaning of a text. `others` is the same text read in the other languages; `asks`: it ends in "?"."""
    danger, worries = _danger(own, others)
    stops, stop_doubt = _stop(own, others, expecting)
    requests = _requests(own, others, asks)
    if danger:
        apart = [hit for hit in (*stops, *own.of("callback", "phrases")) if not hit.overlaps(danger)]
        also = tuple(m for m in ("stop", "callback") if any(hit.phrase.meaning == m for hit in apart))
        return _with_answer("crisis", also, danger, own, text, expecting)
    plain = [*stops, *own.of("wrong_number", "phrases")]
    worries = [hit for hit in worries if not any(said.covers(hit) for said in plain)]
    if stops:
        also = ("wrong_number",) * ("wrong_number" in requests)
        found: Meaning | None = _with_answer("stop", also, stops[0], own, text, expecting)
    else:
        answer = None if stop_doubt else _answer(own, text, expecting, asks)
        if answer:
            worries = [hit for hit in worries if not _settles(answer, own, hit)]
        if worries:  # a person will look: no automatic answer about what this service is
            requests.pop("help", None)
        found = _combine(answer, requests)
    return _with_doubt(found, worries[0] if worries else None, stop_doubt)


def is_plain(own: Evidence, rules: Meaning) -> bool:
    """Whether the rules alone decide: a figure; a word or phrase of the lists that is the whole text, such as STOP or INFO 2;
    what was said in another language than the client's; a text too long for the second witness.
    """
    first, last = own.core
    if last > first and all(own.tokens[at].word.isdecimal() for at in range(first, last)):
        return True
    if len(own.tokens) > _MOST_TOKENS or (rules.meaning == "info" and rules.value is not None):
        return True
    if rules.meaning in ("crisis", "stop") and not any(meaning == rules.meaning for meaning, _ in own.found):
        return True
    hits = (hit for (meaning, _), many in own.found.items() if meaning != "services" for hit in many)
    return last - first <= _PLAIN and any(own.is_whole(hit) for hit in hits)


def _with_answer(
    meaning: str, also: tuple[str, ...], hit: Hit, own: Evidence, text: Text, expecting: Expecting
) -> Meaning:
    """A crisis or a stop, and the answer that was given with it: "1 i want to die", "no and stop texting me"."""
    why = _why("words of danger" if meaning == "crisis" else "asks for no more texts", hit)
    answer = _answer(own, text, expecting, asks=False)
    if answer and answer.meaning != "number" and (hit.start <= own.core[0] or _MEANT_THE_VISIT in answer.why):
        answer = None  # the "no" of "no more texts", the "cancel" of "cancel this service"
    if answer is None or (meaning == "crisis" and answer.meaning != "number"):
        return Meaning(meaning, also=also, why=why)
    return Meaning(meaning, answer.value, (answer.meaning, *also), why=f"{why}; {answer.why}")


def _settles(answer: Meaning, own: Evidence, doubt: Hit) -> bool:
    """Whether the open question explains words that would be a worry without it: "sorry, i cant"."""
    refusals = own.of("appointment", "no") if answer.meaning in ("no", "reschedule") else []
    return doubt.phrase.list_name == "doubt_whole" or any(hit.overlaps(doubt) for hit in refusals)


def _with_doubt(found: Meaning | None, danger: Hit | None, stop: Hit | None) -> Meaning:
    doubts = [(doubt, hit) for doubt, hit in (("crisis", danger), ("stop", stop)) if hit]
    if not doubts:
        return found or Meaning("other", why="nothing here is certain")
    why = "; ".join(
        ([found.why] if found else []) + [_why(f"may mean {doubt}", hit) for doubt, hit in doubts]
    )
    both = "stop" if len(doubts) > 1 else None
    return replace(found or Meaning("other"), doubt=doubts[0][0], also_doubt=both, why=why)


def _why(reason: str, hit: Hit) -> str:
    return f"{reason}: “{hit.words()}”"


def _danger(own: Evidence, others: Sequence[Evidence]) -> tuple[Hit | None, list[Hit]]:
    """A sure sign of danger, or else those in doubt: ambiguous words, or sure ones that are denied.

    Where the client's language has an idiom, another language is not sure: "overdose training".
    """
    sure = own.of("crisis", "phrases") + own.whole("crisis", "whole")
    abroad = [hit for other in others for hit in other.of("crisis", "phrases")]
    denied = [*own.denied, *(hit for other in others for hit in other.denied)]
    certain = sure if own.of("idioms", "crisis") else sure + abroad
    for hit in certain:
        if hit not in denied:
            return hit, []
    doubtful = sure + abroad + own.of("crisis", "doubt", "together")
    doubtful += own.whole("crisis", "doubt_whole")
    return None, doubtful


def _stop(own: Evidence, others: Sequence[Evidence], expecting: Expecting) -> tuple[list[Hit], Hit | None]:
    if own.denies("stop"):
        others = ()
    whole, bare = own.whole("stop", "whole"), own.whole("stop", "unless_asked")
    if expecting.kind != "none":  # with a word of politeness it answers: "dung a" is đúng ạ
        bare = [hit for hit in bare if hit.end - hit.start == len(own.tokens)]
    if expecting.kind == "appointment" and own.whole("appointment", "cancel"):
        return [], None
    sure = own.of("stop", "phrases") + whole + (bare if expecting.kind == "none" else [])
    sure += [hit for hit in own.of("stop", "starts") if hit.start in (0, own.core[0])]
    sure += [hit for other in others for hit in other.of("stop", "phrases")]
    sure += [hit for other in others for hit in other.of("stop", "starts") if hit.start == 0]
    if sure:
        return sure, None
    return [], next(iter(bare + own.of("stop", "doubt") + own.whole("stop", "doubt_whole")), None)


def _requests(own: Evidence, others: Sequence[Evidence], asks: bool) -> dict[str, Meaning]:
    """Everything the text asks for that needs no open question, by meaning, in order of precedence."""
    found: dict[str, Meaning] = {}
    for meaning in _REQUESTS:
        hit = next((hit for evidence in (own, *others) if (hit := _request(evidence, meaning))), None)
        if hit:
            value = hit.phrase.list_name.removesuffix("_anywhere") if meaning == "language" else None
            found[meaning] = Meaning(meaning, value, why=_why(f"asks for {meaning}", hit))
    for hit in own.of("info", "keywords"):
        last = own.tokens[hit.end].readings[0][0] if hit.end == own.core[1] - 1 else ""
        if hit.start == own.core[0] and last.isdecimal() and len(last) < 4:
            return {"info": Meaning("info", int(last), why=_why("asks for a numbered service", hit))}
    if not found.keys() - {"info"} and (topic := _topic(own)):
        return {"info": topic}
    return found


def _topic(own: Evidence) -> Meaning | None:
    """What follows a keyword: the name of a kind of service with few words beside it, or nothing (any kind)."""
    first, last = own.core
    for keyword in own.of("info", "keywords"):
        if keyword.start != first:
            continue
        if keyword.end >= last:
            return Meaning("info", _ANY, why=_why("asks for services", keyword))
        named = [hit for (meaning, _), hits in own.found.items() for hit in hits if meaning == "services" and hit.start >= keyword.end]
        if named:
            best = max(named, key=lambda hit: (hit.end - hit.start, -hit.start))
            beside = sum(not own.tokens[at].is_polite for at in range(keyword.end, last) if not best.start <= at < best.end)
            if beside <= _MOST_BESIDE_TOPIC:
                return Meaning("info", best.phrase.list_name, why=_why("asks for services", best))
    return None


def _request(evidence: Evidence, meaning: str) -> Hit | None:
    """The first hit that counts: of `phrases` and `…_anywhere` wherever it stands, else when it is the whole text."""
    hits = [
        hit
        for (about, name), many in evidence.found.items()
        if about == meaning and name != "keywords"
        for hit in many
    ]
    for hit in hits:
        if hit.phrase.list_name.endswith(("phrases", "anywhere")) or evidence.is_whole(hit):
            return hit
    return None


def _combine(answer: Meaning | None, requests: dict[str, Meaning]) -> Meaning | None:
    """An answer goes first and what else is asked for with it; but a question of theirs is no answer of ours."""
    if answer is None:
        return next(iter(requests.values()), None)
    if "help" in requests or "wrong_number" in requests:
        return next(iter(requests.values()))
    also = tuple(
        m for m in requests if m in _MAY_COME_WITH_ANSWER and (m, answer.meaning) != ("info", "reschedule")
    )
    return Meaning(answer.meaning, answer.value, also, why=answer.why)


def _answer(own: Evidence, text: Text, expecting: Expecting, asks: bool) -> Meaning | None:
    """The answer to what was asked, or None. A text that is long, or asks back, is no plain answer."""
    if expecting.kind == "none" or len(own.tokens) > _MOST_TOKENS:
        return None
    if expecting.kind in ("scale", "menu"):
        number = numbers.read(text, expecting.low, expecting.high)
        why = f"the only number, within {expecting.low} to {expecting.high}"
        return None if number is None or asks else Meaning("number", number, why=why)
    if expecting.kind == "appointment":
        return _visit(own, text, asks)
    return _yes_or_no(own, text, asks, digits=("yes", "no") if expecting.kind == "yes_no" else ("yes",))


def _visit(own: Evidence, text: Text, asks: bool) -> Meaning | None:
    said = {name: own.of("appointment", name) for name in ("yes", "no", "reschedule", "cancel")}
    plain = _yes_or_no(own, text, asks, digits=("yes", "reschedule", "no"))
    if plain and plain.meaning == "reschedule":
        return plain
    if said["reschedule"]:
        return Meaning("reschedule", why=_why("asks for another time", said["reschedule"][0]))
    if said["cancel"]:
        return Meaning("no", why=_why(_MEANT_THE_VISIT, said["cancel"][0]))
    yes = [hit for hit in said["yes"] if not any(refusal.covers(hit) for refusal in said["no"])]
    no = [hit for hit in said["no"] if not any(promise.covers(hit) for promise in said["yes"])]
    if yes and (no or asks):
        return None
    for meaning, hits in (("no", no), ("yes", yes)):
        if hits and not (plain and plain.meaning != meaning and not _is_opener(plain)):
            return Meaning(meaning, why=_why("speaks of coming", hits[0]))
    return plain if not (yes or no) else None


def _is_opener(plain: Meaning) -> bool:
    return "first word" in plain.why


def _yes_or_no(own: Evidence, text: Text, asks: bool, digits: tuple[str, ...]) -> Meaning | None:
    whole = {meaning: _plain(own, meaning) for meaning in ("yes", "no")}
    number = numbers.read(text, 1, 3)
    if number is not None and number <= len(digits):
        meaning = digits[number - 1]
        clash = whole["no"] if meaning == "yes" else whole["yes"]
        return None if clash else Meaning(meaning, why=f"answered {number}")
    if asks:
        return None
    for meaning, hits in whole.items():
        if hits and not whole["no" if meaning == "yes" else "yes"]:
            return Meaning(meaning, why=_why(f"says {meaning}", hits[0]))
    for meaning in ("yes", "no"):
        for hit in own.of(meaning, "starts"):
            if hit.start == own.core[0] or hit.start == 0:
                return Meaning(meaning, why=_why(f"{meaning} as first word", hit))
    return _slipped(own)


def _plain(own: Evidence, meaning: str) -> list[Hit]:
    """What says yes, or no, and is all the text: one phrase, or several together."""
    return own.whole(meaning, "whole", "starts") or (
        hits if own.is_all(hits := own.of(meaning, "whole", "starts")) else []
    )


def _slipped(own: Evidence) -> Meaning | None:
    """One unknown word after a yes/no question: a slip of just one of the answers ("tes", "yws")."""
    first, last = own.core
    meant = own.tokens[first].slip_of if last - first == 1 else None
    return Meaning(meant, why=f"a slip of the finger for {meant}") if meant else None
