"""The way from a text to its meaning: clean, cut, read and gather evidence in each language, weigh it."""

import re
from collections.abc import Mapping
from dataclasses import replace

from gateway.domain import folding
from gateway.domain.interpret import evidence, tokens, weigh
from gateway.domain.interpret.answer import Expecting, Meaning
from gateway.domain.interpret.lexicons import Lexicon

_HEAD, _TAIL = 3000, 1000
"""How much of a long text is looked at, in characters from its beginning and its end."""
MOST_WORDS = 600
_MOST_WORDS_ABROAD = 120


_SENTENCE = re.compile(r"[.!?;\n]+")
_MOST_SENTENCES = 12


def interpret(text: str, lexicons: Mapping[str, Lexicon], language: str, expecting: Expecting) -> Meaning:
    """What a reply means. `text` may hold anything; there is always an answer, and the same for the same input.

    `language` is the client's; it decides about yes, no and small words. Danger, stop and other clear requests
    are understood in every language there is a lexicon for. Without one for the client's, English is taken.
    What is a cry for help as a sentence of its own is at least in doubt, whatever the sentences around it say.
    """
    whole = _weigh(text, lexicons, language, expecting)
    if whole.meaning == "crisis" or whole.doubt == "crisis":
        return whole
    sentences = [part for part in _SENTENCE.split(text[:_HEAD], _MOST_SENTENCES) if part.strip()]
    if len(sentences) > 1:
        for sentence in sentences:
            alone = _weigh(sentence, lexicons, language, Expecting("none"))
            if alone.meaning == "crisis":
                return replace(whole, doubt="crisis", why=f"{whole.why}; one sentence alone: {alone.why}")
    return whole


def _weigh(text: str, lexicons: Mapping[str, Lexicon], language: str, expecting: Expecting) -> Meaning:
    cleaned = folding.clean(text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]} \n {text[-_TAIL:]}")
    lexicon = lexicons.get(language) or lexicons.get("en") or next(iter(lexicons.values()))
    pieces = tokens.cut(cleaned, MOST_WORDS)
    read = tokens.read(pieces, lexicon)
    few = pieces if len(pieces.words) <= _MOST_WORDS_ABROAD else tokens.cut(cleaned, _MOST_WORDS_ABROAD)
    others = [
        evidence.gather(tokens.read(few, other, correct=False), abroad=True)
        for other in lexicons.values()
        if other is not lexicon
    ]
    return weigh.weigh(evidence.gather(read), others, read, expecting, pieces.asks)
