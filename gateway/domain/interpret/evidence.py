"""What of the lists is found in a text, after idioms and negations have taken their share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.domain.interpret import phrases
from gateway.domain.interpret.lexicons import Lexicon
from gateway.domain.interpret.phrases import Hit, Token

_NEGATOR_REACH = 5
_KEEP_WHEN_NEGATED = {"crisis", "yes", "no", "help", "info", "idioms", "language"}
_WINDOW, _OVERLAP = 60, 12


@dataclass(frozen=True, slots=True)
class Evidence:
    """The tokens, where their core lies (without please, thanks, kin terms at both ends), and what was found."""

    tokens: Sequence[Token]
    core: tuple[int, int]
    particles: tuple[bool, ...]
    hits: tuple[Hit, ...]
    negated: tuple[Hit, ...]

    def of(self, meaning: str, *names: str) -> list[Hit]:
        """The hits of some lists of a meaning; a `whole` one counts when nothing else is said."""
        return [hit for hit in self.hits if hit.phrase.meaning == meaning and hit.phrase.list_name in names]

    def is_whole(self, hit: Hit) -> bool:
        """Whether the hit is all that the text says, politeness aside.

        A text of nothing but politeness is an answer when the rest is particles: "dạ em" is yes, "dạ cảm ơn" thanks.
        """
        first, last = self.core
        if first == last:
            return all(self.particles[: hit.start]) and all(self.particles[hit.end :])
        return hit.start <= first and last <= hit.end


def gather(tokens: Sequence[Token], lexicon: Lexicon) -> Evidence:
    """All hits of a text. A long one is read window by window, each different window once."""
    hits: list[Hit] = []
    seen: set[tuple[str, ...]] = set()
    for first in range(0, max(len(tokens), 1), _WINDOW - _OVERLAP):
        window = tokens[first : first + _WINDOW]
        words = tuple(token.word for token in window)
        if words not in seen:
            seen.add(words)
            hits += (Hit(h.phrase, h.start + first, h.end + first) for h in _hits(window, lexicon))
        if first + _WINDOW >= len(tokens):
            break
    idioms = [hit for hit in hits if hit.phrase.meaning == "idioms"]
    hits = [hit for hit in hits if not any(_settles(idiom, hit) for idiom in idioms)]
    negated = [hit for hit in hits if _is_negated(hit, tokens, lexicon)]
    kept = [hit for hit in hits if hit not in negated or hit.phrase.meaning in _KEEP_WHEN_NEGATED]
    particles = tuple(phrases.fits(token, lexicon.particles) for token in tokens)
    return Evidence(tokens, core(tokens, lexicon), particles, tuple(kept), tuple(negated))


def _hits(tokens: Sequence[Token], lexicon: Lexicon) -> Iterable[Hit]:
    found: dict[int, list[Hit]] = {}
    for place, token in enumerate(tokens):
        for folded, _ in token.readings:
            for anchored in lexicon.by_anchor.get(folded, ()):
                already = found.get(id(anchored.phrase))
                if already and place < already[-1].end:
                    continue
                first = max(0, place - anchored.at_most_before)
                hit = phrases.find(anchored.phrase, tokens, first, place - anchored.before + 1)
                if hit:
                    found.setdefault(id(anchored.phrase), []).append(hit)
    return [hit for hits in found.values() for hit in hits]


def _settles(idiom: Hit, hit: Hit) -> bool:
    name = idiom.phrase.list_name
    about = hit.phrase.meaning == name or (name == "answer" and hit.phrase.meaning in ("yes", "no"))
    return about and idiom.covers(hit)


def core(tokens: Sequence[Token], lexicon: Lexicon) -> tuple[int, int]:
    """tokens[first:last] without politeness at both ends; (0, 0) when there is nothing else."""
    first, last = 0, len(tokens)
    while first < last and _is_polite(tokens[first], lexicon):
        first += 1
    while last > first and _is_polite(tokens[last - 1], lexicon):
        last -= 1
    return (first, last) if first < last else (0, 0)


def _is_polite(token: Token, lexicon: Lexicon) -> bool:
    return phrases.fits(token, lexicon.particles) or phrases.fits(token, lexicon.courtesies)


def _is_negated(hit: Hit, tokens: Sequence[Token], lexicon: Lexicon) -> bool:
    """A "not" before it with only such words between as it reaches through, or (French) just behind its verb."""
    if hit.phrase.meaning == "idioms":
        return False
    for place in range(hit.start - 1, max(-1, hit.start - _NEGATOR_REACH), -1):
        if tokens[place].sentence != tokens[hit.start].sentence:
            break
        if phrases.fits(tokens[place], lexicon.negators):
            return True
        if not phrases.fits(tokens[place], lexicon.through):
            break
    return hit.end < len(tokens) and phrases.fits(tokens[hit.end], lexicon.negators_after)
