"""What of the lists is found in a text, after idioms and negations have taken their share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.interpret import phrases
from gateway.domain.interpret.phrases import Anchored, Hit, Text, Token

_NEGATOR_REACH = 5
_KEPT_WHEN_DENIED = {"crisis", "yes", "no", "help", "info", "idioms", "language"}
_SHORT, _AROUND = 60, 8
"""Beyond so many words, a word is skipped whose neighbours, so many each way, were seen before."""
_HEAD, _TAIL = 200, 60
"""Of a long text everything is looked for in so many words of its beginning and end, in between danger alone."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The tokens, where their core lies (without politeness at both ends), what was found, what of it is denied.

    `danger`: words of sure danger are there, though an idiom or the words around may have cancelled them.
    """

    tokens: Sequence[Token]
    core: tuple[int, int]
    found: Mapping[tuple[str, str], list[Hit]]
    denied: Sequence[Hit]
    danger: bool

    def of(self, meaning: str, *names: str) -> list[Hit]:
        """The hits of some lists of a meaning."""
        return [hit for name in names for hit in self.found.get((meaning, name), ())]

    def whole(self, meaning: str, *names: str) -> list[Hit]:
        """The hits of some lists that are all the text says."""
        return [hit for hit in self.of(meaning, *names) if self.is_whole(hit)]

    def denies(self, meaning: str) -> bool:
        """Whether words of a meaning are denied, or part of an idiom: "don't stop", "the bus stop"."""
        return bool(self.of("idioms", meaning)) or any(hit.phrase.meaning == meaning for hit in self.denied)

    def is_all(self, hits: Sequence[Hit]) -> bool:
        """Whether the hits together are all that the text says: "ok yeah"."""
        first, last = self.core
        said = {place for hit in hits for place in range(hit.start, hit.end)}
        return first < last and all(at in said or self.tokens[at].is_polite for at in range(first, last))

    def is_whole(self, hit: Hit) -> bool:
        """Whether the hit is all that the text says, politeness aside.

        A text of nothing but politeness is an answer when the rest is particles: "dạ em" is yes, "dạ cảm ơn" thanks.
        """
        first, last = self.core
        if first == last:
            return all(
                "particle" in token.kinds for token in (*self.tokens[: hit.start], *self.tokens[hit.end :])
            )
        return hit.start <= first and last <= hit.end


def gather(text: Text, abroad: bool = False) -> Evidence:
    """All that counts in a text; `abroad`: only what is understood in a language that isn't the client's."""
    hits = sought(text, abroad)
    danger = any(
        hit.phrase.meaning == "crisis" and hit.phrase.list_name in ("phrases", "whole") for hit in hits
    )
    idioms = [hit for hit in hits if hit.phrase.meaning == "idioms"]
    if idioms:
        hits = [hit for hit in hits if not any(_settles(idiom, hit) for idiom in idioms)]
    denied = [hit for hit in hits if _is_negated(hit, text) or _is_touched(hit, idioms)]
    found: dict[tuple[str, str], list[Hit]] = {}
    for hit in hits:
        if hit not in denied or hit.phrase.meaning in _KEPT_WHEN_DENIED:
            found.setdefault((hit.phrase.meaning, hit.phrase.list_name), []).append(hit)
    return Evidence(text.tokens, _core(text.tokens), found, denied, danger)


def sought(text: Text, abroad: bool = False) -> list[Hit]:
    """Every phrase that is in the text, before idioms and negations have taken their share."""
    found: list[Hit] = []
    ends: dict[int, int] = {}
    seen: set[tuple[Token, ...]] = set()
    marks = 0
    for token in text.tokens:
        marks |= token.marks
    for place, token in enumerate(text.tokens):
        if place >= _SHORT:
            around = tuple(text.tokens[place - _AROUND : place + _AROUND])
            if around in seen:
                continue
            seen.add(around)
        for anchored in _sought(token, place, len(text.tokens), abroad):
            for needed in anchored.others:
                if not needed & marks:
                    break
            else:
                if ends.get(id(anchored), 0) <= place and (hit := _find(anchored, text, place)):
                    ends[id(anchored)] = hit.end
                    found.append(hit)
    return found


def _find(anchored: Anchored, text: Text, place: int) -> Hit | None:
    if anchored.phrase.list_name == "together":
        return phrases.find_together(anchored.phrase, text, place)
    first = max(0, place - anchored.at_most_before)
    return phrases.find(anchored.phrase, text, first, place - anchored.before + 1)


def _sought(token: Token, place: int, length: int, abroad: bool) -> tuple[Anchored, ...]:
    near_an_end = place < _HEAD or place >= length - _TAIL
    if abroad:
        return token.abroad if near_an_end else ()
    return token.anchored if near_an_end else token.danger


def _settles(idiom: Hit, hit: Hit) -> bool:
    """An idiom settles what it is about and covers; doubts and the coming to a visit as soon as it touches them.

    Of words looked for together it settles what holds the first or the last of them.
    """
    name, meaning = idiom.phrase.list_name, hit.phrase.meaning
    if name != meaning and not (name == "answer" and meaning in ("yes", "no")):
        return False
    if hit.phrase.list_name == "together":
        return any(idiom.start <= at < idiom.end for at in (hit.start, hit.end - 1))
    if meaning == "appointment" or (meaning == "stop" and hit.phrase.list_name in ("doubt", "doubt_whole")):
        return idiom.overlaps(hit)
    return idiom.covers(hit) and (meaning != "crisis" or not _lies_in_gaps(hit, idiom))


def _lies_in_gaps(hit: Hit, idiom: Hit) -> bool:
    """Whether half of the words of danger are none of the idiom's: "nợ em" (owe you) in "nó đòi giết em" (he'll kill me)."""
    places = hit.places()
    return 2 * len(places - idiom.places()) >= len(places)


def _is_touched(hit: Hit, idioms: Sequence[Hit]) -> bool:
    """Whether words of danger run on into an idiom ("gonna jump | on the bus"): they are left in doubt."""
    return hit.phrase.meaning == "crisis" and any(
        idiom.phrase.list_name == "crisis" and idiom.start < hit.end < idiom.end for idiom in idioms
    )


def _core(tokens: Sequence[Token]) -> tuple[int, int]:
    """tokens[first:last] without politeness at both ends; (0, 0) when there is nothing else."""
    first, last = 0, len(tokens)
    while first < last and tokens[first].is_polite:
        first += 1
    while last > first and tokens[last - 1].is_polite:
        last -= 1
    return (first, last) if first < last else (0, 0)


def _is_negated(hit: Hit, text: Text) -> bool:
    """A "not" before it with only such words between as it reaches through, or (French) just behind its verb.

    What holds a "not" itself ("ne veux plus de messages") isn't turned round by another.
    """
    tokens, sentences = text.tokens, text.sentences
    if hit.phrase.meaning == "idioms" or any(
        t.negates or t.negates_after for t in tokens[hit.start : hit.end]
    ):
        return False
    for place in range(hit.start - 1, max(-1, hit.start - _NEGATOR_REACH), -1):
        if sentences[place] != sentences[hit.start]:
            break
        if tokens[place].negates:
            return True
        if "lets_through" not in tokens[place].kinds:
            break
    return hit.end < len(tokens) and tokens[hit.end].negates_after
