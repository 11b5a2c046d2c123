"""The way from a text to its meaning: clean, cut, read and gather evidence in each language, weigh it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.domain import folding
from gateway.domain.interpret import evidence, settle, tokens, weigh, witness
from gateway.domain.interpret.answer import Expecting, Meaning
from gateway.domain.interpret.evidence import Evidence
from gateway.domain.interpret.lexicons import Lexicon, bare
from gateway.domain.interpret.phrases import Text

_HEAD, _TAIL = 3000, 1000
"""How much of a long text is looked at, in characters from its beginning and its end."""
MOST_WORDS = 600
_MOST_WORDS_ABROAD = 120
_SHORTEST_ABROAD = 4  # letters
_MOST_WORDS_OF_A_STOP = 3


_SENTENCE = re.compile(r"[.!?;\n]+")
_MOST_SENTENCES = 12


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as one language reads it, what was found in it, and what the rules make of that.

    `danger`: words of sure danger are in it, whatever became of them.
    """

    text: Text
    own: Evidence
    rules: Meaning
    asks: bool
    danger: bool


def interpret(text: str, lexicons: Mapping[str, Lexicon], language: str, expecting: Expecting) -> Meaning:
    """What a reply means. `text` may hold anything; there is always an answer, and the same for the same input.

    `language` is the client's; it decides about yes, no and small words. Danger, stop and other clear requests
    are understood in every language there is a lexicon for. Without one for the client's, English is taken.
    """
    lexicon = lexicons.get(language) or lexicons.get("en") or next(iter(lexicons.values()))
    meaning = decide(by_rules(text, lexicons, lexicon, expecting), lexicon, expecting)
    if meaning.meaning == "help" and any(bare(text) in each.asks_who for each in lexicons.values()):
        return replace(meaning, asks_who=True)
    if meaning.meaning == "other" and meaning.doubt is None and (abroad := _stop_abroad(text, lexicons, lexicon)):
        return replace(meaning, doubt="stop", why=f"{meaning.why}; a stop in {abroad}")
    return meaning


def _stop_abroad(text: str, lexicons: Mapping[str, Lexicon], own: Lexicon) -> str | None:
    """The other language in which a text that says nothing in the client's own is a stop as a whole: phones are shared.

    Not of the shortest words, which mean something everywhere: "tc" stops in Vietnamese, and says "take care" in English.
    """
    words = bare(text)
    if len(words) < _SHORTEST_ABROAD or words.count(" ") >= _MOST_WORDS_OF_A_STOP:
        return None
    others = (each for each in lexicons.values() if each is not own)
    return next((each.language for each in others if by_rules(text, {}, each, Expecting("none")).rules.meaning == "stop"), None)


def decide(reading: Reading, lexicon: Lexicon, expecting: Expecting) -> Meaning:
    """The rules' verdict where it is plain, else what both witnesses say together."""
    if lexicon.witness is None or weigh.is_plain(reading.own, reading.rules):
        return reading.rules
    rules, text = reading.rules, reading.text
    total = witness.add_up(lexicon.witness, text, reading.own, rules, expecting, reading.asks)
    chances = witness.chances(lexicon.witness, total, expecting)
    meaning = settle.settle(rules, chances, text, expecting, reading.own.denies("stop"))
    if meaning.meaning in ("other", rules.meaning):
        return meaning
    return replace(meaning, why=f"{meaning.why}: {witness.reasons(lexicon.witness, total, text, meaning)}")


def by_rules(text: str, lexicons: Mapping[str, Lexicon], lexicon: Lexicon, expecting: Expecting) -> Reading:
    """What the rules make of a text.

    What is a cry for help as a sentence of its own is at least in doubt, whatever the sentences around it say.
    """
    whole = _weigh(text, lexicons, lexicon, expecting)
    if whole.rules.meaning == "crisis" or whole.rules.doubt == "crisis" or not whole.danger:
        return whole
    sentences = [part for part in _SENTENCE.split(text[:_HEAD], _MOST_SENTENCES) if part.strip()]
    if len(sentences) > 1:
        for sentence in sentences:
            alone = _weigh(sentence, lexicons, lexicon, Expecting("none")).rules
            if alone.meaning == "crisis":
                why = f"{whole.rules.why}; one sentence alone: {alone.why}"
                stop = "stop" if whole.rules.doubt == "stop" else None
                return replace(whole, rules=replace(whole.rules, doubt="crisis", also_doubt=stop, why=why))
    return whole


def _weigh(text: str, lexicons: Mapping[str, Lexicon], lexicon: Lexicon, expecting: Expecting) -> Reading:
    cleaned = folding.clean(text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]} \n {text[-_TAIL:]}")
    pieces = tokens.cut(cleaned, MOST_WORDS)
    read = tokens.read(pieces, lexicon)
    few = pieces if len(pieces.words) <= _MOST_WORDS_ABROAD else tokens.cut(cleaned, _MOST_WORDS_ABROAD)
    others = [
        evidence.gather(tokens.read(few, other, correct=False), abroad=True)
        for other in lexicons.values()
        if other is not lexicon and tokens.may_speak(few, other)
    ]
    own = evidence.gather(read)
    danger = any(each.danger for each in (own, *others))
    return Reading(read, own, weigh.weigh(own, others, read, expecting, pieces.asks), pieces.asks, danger)
