"""Understanding replies: text + language + what was asked -> one meaning, never a guess.

answer.py     what was asked, what was understood          phrases.py   the language the word lists are written in
lexicons.py   a language's lists, compiled                 tokens.py    text to tokens: cut, read, remember
spelling.py   what a written word may stand for            slips.py     slips of the finger
telex.py      Vietnamese typed with the input method off   numbers.py   the number of a scale or menu
evidence.py   what is found; idioms and negations          weigh.py     evidence to meaning
features.py   what the second witness looks at         witness.py   the chances it gives each outcome
settle.py     rules and witness put together           understand.py the way through all of them
explain.py    the same way, told step by step
"""

from gateway.domain.interpret.answer import MEANINGS, Expecting, Meaning
from gateway.domain.interpret.explain import explain
from gateway.domain.interpret.lexicons import UNSIGNED, Lexicon, lexicon
from gateway.domain.interpret.understand import interpret

__all__ = ["MEANINGS", "UNSIGNED", "Expecting", "Lexicon", "Meaning", "explain", "interpret", "lexicon"]
