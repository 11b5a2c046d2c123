"""Understanding replies: text + language + what was asked -> one meaning, never a guess.

    answer.py     what was asked, what was understood          phrases.py   the language the word lists are written in
    lexicons.py   a language's lists, compiled                 reading.py   text to tokens: fold, decode, correct
    telex.py      Vietnamese typed raw                         slips.py     slips of the finger
    evidence.py   what is found; idioms and negations          numbers.py   the number of a scale or menu
    weigh.py      evidence to meaning                          understand.py the way through all of them
"""

from gateway.domain.interpret.answer import MEANINGS, Expecting, Meaning
from gateway.domain.interpret.understand import interpret
from gateway.domain.interpret.lexicons import UNSIGNED, Lexicon, lexicon

__all__ = ["MEANINGS", "UNSIGNED", "Expecting", "Lexicon", "Meaning", "interpret", "lexicon"]
