"""What simulated clients write, by language: figures, words with and without tones, slips of the finger. Nobody real wrote these."""

from collections.abc import Mapping, Sequence
from random import Random

Said = Mapping[str, Sequence[str]]

YES: Said = {
    "vi": ["1"] * 14 + ["1 a", "ổn", "on", "co", "có", "ok", "1.", "so 1", "01", "da co"],
    "en": ["1"] * 10 + ["yes", "fine", "ONE", "1!!", "all good thanks", "ok"],
    "fr": ["1"] * 10 + ["oui", "ça va", "ca va", "1."],
}
NO: Said = {
    "vi": ["2"] * 8 + ["chưa ổn", "chua on", "khong on"],
    "en": ["2"] * 8 + ["no"],
    "fr": ["2"] * 8 + ["non"],
}
THREE: Said = {key: ["3"] for key in ("vi", "en", "fr")}
SLIPS: Said = {
    "vi": ["l", "1111", "van on", "vẫn ổn em", "motj", "k sao dau", "!", "12"],
    "en": ["i'm fine", "onw", "yess", "1 1 1", "not great", "im oj"],
    "fr": ["ouii", "ça va pas mal", "1é", "c bon"],
}
CHATTER: Said = {
    "vi": ["cam on em", "hom nay mua qua", "em an com chua", "Chúc em một ngày vui", "bao gio co thuoc", "me toi om roi"],
    "en": ["thanks", "its raining here", "have a good day", "my bus was late again"],
    "fr": ["merci", "il pleut", "bonne journée", "le bus était en retard"],
}
STOP: Said = {"vi": ["STOP", "ngung", "dung lai", "từ chối", "TC"], "en": ["STOP", "stop texting me", "Stop"], "fr": ["STOP", "ARRET", "arrêt"]}
START: Said = {"vi": ["START", "bat dau"], "en": ["START"], "fr": ["START"]}
CRISIS: Said = {
    "vi": ["tôi muốn chết", "toi muon chet", "muon chet cho xong"],
    "en": ["i want to die", "i want to kill myself"],
    "fr": ["je veux mourir", "je veux me tuer"],
}
STRANGER: Said = {
    "vi": ["nhầm số", "nham so roi", "sai so roi"],
    "en": ["wrong number"],
    "fr": ["mauvais numéro", "mauvais numero"],
}
CALL: Said = {"vi": ["goi lai cho toi", "gọi cho tôi"], "en": ["call me", "call me please"], "fr": ["rappelez-moi", "appelez moi"]}
INFO: Said = {"vi": ["TT viec lam", "TT"], "en": ["INFO work", "INFO"], "fr": ["INFO", "INFO travail"]}


def one_of(said: Said, language: str, chance: Random) -> str:
    return chance.choice(said[language])
