"""What the second witness looks at: each word as read and its letters, words beside each other, what the rules found.

A feature is a short string. Its first sign says what it is: w a word as read, t as typed with its accents, # letters of it,
c a class of [words], k a word beside what was asked, ~ two words with one between, 1 the first word, $ the last, N the numbers
where one is asked for, x what was asked, r what the rules say, h a list they found something of, p the phrase, d what is
denied; two words side by side have no sign.
"""

from collections.abc import Iterable, Iterator, Mapping

from gateway.domain import folding
from gateway.domain.interpret import numbers
from gateway.domain.interpret.answer import Expecting, Meaning
from gateway.domain.interpret.evidence import Evidence
from gateway.domain.interpret.phrases import Text, Token

Classes = Mapping[str, tuple[str, ...]]
"""Word without accents -> the classes of [words] it belongs to."""

_MOST_WORDS = 60
_LONGEST_WORD = 20
_MANY_WORDS = 8


def words_of(text: Text) -> Iterable[Token]:
    """The words that are looked at, each once: of a long text its first ones."""
    return dict.fromkeys(text.tokens[:_MOST_WORDS])


def kind_of(expecting: Expecting) -> str:
    """What was asked, as features have it."""
    return "yes_no" if expecting.kind == "ready" else expecting.kind


def of_word(classes: Classes, token: Token, kind: str) -> Iterator[str]:
    """The features of a word by itself, and beside the kind of question it answers."""
    if kind != "none":
        yield f"k{kind} {token.readings[0][0]}"
    read = {folded for folded, _ in token.readings if folded != "~"}
    for folded in sorted(read):
        yield f"w {folded}"
        for name in classes.get(folded, ()):
            yield f"c {name}"
    if not token.word.isascii():
        yield f"t {token.word}"
    letters = f"^{folding.fold(token.word)[:_LONGEST_WORD]}$"
    for size in (3, 4, 5):
        for at in range(len(letters) - size + 1):
            yield f"#{letters[at : at + size]}"


def of_text(text: Text, own: Evidence, rules: Meaning, expecting: Expecting, asks: bool) -> Iterator[str]:
    """The features of the words together, of the rules' evidence and their verdict."""
    words = ["^", *(token.readings[0][0] for token in text.tokens[:_MOST_WORDS]), "$"]
    yield from {f"{one} {two}" for one, two in zip(words, words[1:], strict=False)}
    yield from {f"~{one} {two}" for one, two in zip(words, words[2:], strict=False)}
    kind = kind_of(expecting)
    yield f"1 {words[1]} {kind}"
    if kind != "none":
        yield f"$ {words[-2]} {kind}"
    yield f"n {min(len(words), 14)}"
    yield f"x {kind}"
    if asks:
        yield "x asks"
    if kind in ("scale", "menu"):
        yield from _of_numbers(text, expecting)
    yield f"r {rules.meaning}"
    yield f"r {rules.meaning} {kind}"
    for second in (*rules.also, f"?{rules.doubt}"):
        yield f"r+ {second}"
        yield f"r+ {second} {rules.meaning}"
    for (meaning, name), hits in own.found.items():
        yield f"h {meaning}.{name}"
        yield from {f"p {meaning} {hit.phrase.text}" for hit in hits}
    yield from {f"d {hit.phrase.meaning}" for hit in own.denied}


def _of_numbers(text: Text, expecting: Expecting) -> Iterator[str]:
    """Whether there is one clear number, where it stands, and the words beside it."""
    tokens = text.tokens
    found = numbers.there(tokens, expecting.high)
    if not found:
        yield "N bad" if found is None else "N none"
        return
    (first, value), (last, _) = found[0], found[-1]
    fits = "in" if expecting.low <= value <= expecting.high else "out"
    how = fits if len({each for _, each in found}) == 1 else "many"
    yield f"N {how}"
    yield f"N {how} {'figure' if numbers.is_figure(tokens[first]) else 'word'}"
    yield f"N {how} of {min(len(tokens), _MANY_WORDS)}"
    if first > 0:
        yield f"N < {tokens[first - 1].readings[0][0]}"
    else:
        yield f"N {how} first"
    if last + 1 < len(tokens):
        yield f"N > {tokens[last + 1].readings[0][0]}"
    else:
        yield f"N {how} last"


def readable(text: Text) -> Iterator[tuple[str, str]]:
    """The features a person can read, each with how to show it: words, and two words side by side."""
    words = [token.readings[0][0] for token in text.tokens[:_MOST_WORDS]]
    yield from ((f"w {word}", word) for word in words if word.isalpha())
    for pair in zip(words, words[1:], strict=False):
        if all(word.isalpha() and len(word) > 1 for word in pair):
            yield " ".join(pair), " ".join(pair)
