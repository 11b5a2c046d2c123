"""The way from a text to its meaning, told step by step for a person."""

from collections.abc import Iterator, Mapping

from gateway.domain import folding
from gateway.domain.interpret import evidence, tokens, understand, weigh, witness
from gateway.domain.interpret.answer import Expecting
from gateway.domain.interpret.lexicons import Lexicon
from gateway.domain.interpret.phrases import Hit, Text
from gateway.domain.interpret.understand import Reading


def explain(text: str, lexicons: Mapping[str, Lexicon], language: str, expecting: Expecting) -> Iterator[str]:
    """Lines that say how the text was cleaned and read, which phrases were found, and what came of each."""
    pieces = tokens.cut(folding.clean(text), understand.MOST_WORDS)
    lexicon = lexicons[language]
    read = tokens.read(pieces, lexicon)
    yield f"cleaned    {' '.join(pieces.words)}"
    yield "read as    " + ", ".join(_reading(read))
    yield from _findings(language, read, abroad=False)
    for other in lexicons.values():
        if other is not lexicon:
            yield from _findings(other.language, tokens.read(pieces, other, correct=False), abroad=True)
    yield from _witnesses(understand.by_rules(text, lexicons, lexicon, expecting), lexicon, expecting)
    meaning = understand.interpret(text, lexicons, language, expecting)
    yield f"meaning    {meaning.meaning}" + (f" {meaning.value}" if meaning.value is not None else "")
    yield f"also       {', '.join(meaning.also) or '-'}"
    yield f"in doubt   {', '.join(filter(None, (meaning.doubt, meaning.also_doubt))) or '-'}"
    yield f"because    {meaning.why}"


def _witnesses(reading: Reading, lexicon: Lexicon, expecting: Expecting) -> Iterator[str]:
    yield f"by rules   {reading.rules.meaning}"
    if lexicon.witness is None or weigh.is_plain(reading.own, reading.rules):
        return
    total = witness.add_up(lexicon.witness, reading.text, reading.own, reading.rules, expecting, reading.asks)
    chances = witness.chances(lexicon.witness, total, expecting)
    likeliest = sorted(chances.items(), key=lambda each: -each[1])[:3]
    yield "by witness " + ", ".join(f"{outcome} {chance:.0%}" for outcome, chance in likeliest)


def _reading(read: Text) -> Iterator[str]:
    for token in read.tokens:
        meant = dict.fromkeys(
            folded for folded, _ in token.readings if folded != "~" and folded != token.word
        )
        yield f"{token.word} ({' or '.join(meant)})" if meant else token.word


def _findings(language: str, read: Text, abroad: bool) -> Iterator[str]:
    gathered = evidence.gather(read, abroad)
    counted = {_place(hit) for hits in gathered.found.values() for hit in hits}
    denied = {_place(hit) for hit in gathered.denied}
    for hit in evidence.sought(read, abroad):
        place = _place(hit)
        fate = "counts" if place in counted else "cancelled by an idiom or a negation"
        if place in counted and place in denied:
            fate = "counts as doubt: a negation or an idiom touches it"
        words = " ".join(token.word for token in read.tokens[hit.start : hit.end])
        yield f"found      {language} [{hit.phrase.meaning}] {hit.phrase.list_name}: “{hit.phrase.text}” in “{words}”: {fate}"


def _place(hit: Hit) -> tuple[int, int, int]:
    return id(hit.phrase), hit.start, hit.end
