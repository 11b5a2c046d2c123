"""The way from a text to its meaning: clean, read, gather evidence in each language, weigh it."""

from collections.abc import Mapping

from gateway.domain import folding
from gateway.domain.interpret import evidence, reading, weigh
from gateway.domain.interpret.answer import Expecting, Meaning
from gateway.domain.interpret.lexicons import Lexicon

HEAD, TAIL = 4000, 1500
"""How much of a long text is looked at, in characters from its beginning and its end."""


def interpret(text: str, lexicons: Mapping[str, Lexicon], language: str, expecting: Expecting) -> Meaning:
    """What a reply means. `text` may hold anything; there is always an answer, and the same for the same input.

    `language` is the client's; it decides about yes, no and small words. Danger, stop and other clear requests
    are understood in every language there is a lexicon for. Without one for the client's, English is taken.
    """
    cleaned = folding.clean(text if len(text) <= HEAD + TAIL else f"{text[:HEAD]} \n {text[-TAIL:]}")
    lexicon = lexicons.get(language) or lexicons.get("en") or next(iter(lexicons.values()))
    own = evidence.gather(reading.read(cleaned, lexicon), lexicon)
    others = [
        evidence.gather(reading.read(cleaned, other), other) for other in lexicons.values() if other is not lexicon
    ]
    return weigh.weigh(own, others, lexicon, expecting, asks=cleaned.rstrip().endswith("?"))
