"""Phone numbers as people write them -> E.164, or a refusal with its reason. Never a guess.

A number written without its country code is read in every way it could be meant (at home, with a lost leading
zero, with the country code after 0 or nothing); only if exactly one of these exists is it taken.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumberType as Type
from phonenumbers import ValidationResult as Length

from gateway.domain.errors import Refused
from gateway.domain.told import N_, Word


@dataclass(frozen=True, slots=True)
class Phone:
    """A mobile number. `changed` says in words how the number itself (not its punctuation) was altered.

    A changed number may belong to someone else by now: verify it before texting anything personal.
    """

    e164: str
    changed: str | None = None


class PhoneRefused(Refused):
    """Not a number to text. The message gives the reason and never repeats the number."""


class NotTextable(PhoneRefused):
    """A number in use, but not a mobile: a fixed line, a premium service …"""


# Vietnam, 15 September to 14 November 2018: 11 digits became 10 and the last seven stayed. No arithmetic: the
# order is irregular (https://en.wikipedia.org/wiki/Telephone_numbers_in_Vietnam).
OLD_VIETNAM = {
    "120": "70", "121": "79", "122": "77", "126": "76", "128": "78",  # MobiFone
    "123": "83", "124": "84", "125": "85", "127": "81", "129": "82",  # VinaPhone
    "162": "32", "163": "33", "164": "34", "165": "35",  # Viettel
    "166": "36", "167": "37", "168": "38", "169": "39",  # Viettel
    "186": "56", "188": "58",  # Vietnamobile
    "199": "59",  # Gmobile
}  # fmt: skip

LOST_ZERO = N_("the leading 0 was missing and has been put back")

_EMERGENCY = {"101", "111", "112", "113", "114", "115", "911", "999"}
_LONGEST = 17  # digits: E.164 has 15, and 00 may stand before them
_TYPES: dict[int, str] = {
    Type.FIXED_LINE: N_("a fixed line, which cannot get texts; ask for a mobile number"),
    Type.TOLL_FREE: N_("a free-phone service; ask for the person's own mobile number"),
    Type.PREMIUM_RATE: N_("a premium-rate service, which is never texted; ask for a mobile number"),
    Type.SHARED_COST: N_("a shared-cost service, which is never texted; ask for a mobile number"),
    Type.PERSONAL_NUMBER: N_("a follow-me number at a higher price; ask for a mobile number"),
    Type.PAGER: N_("a pager; ask for a mobile number"),
    Type.VOIP: N_("an internet phone, which cannot be relied on for texts; ask for a mobile number"),
    Type.UAN: N_("a company's number; ask for the person's own mobile number"),
    Type.VOICEMAIL: N_("a voicemail box; ask for a mobile number"),
}
_HIGHER_PRICE = {Type.PREMIUM_RATE, Type.SHARED_COST}
# Ofcom keeps these for films and examples: nobody can ever have one, so trials may use them.
_BRITISH_EXAMPLES = re.compile(r"7700900\d{3}")

_NUMBER = re.compile(r"\+?[0-9]{7,17}")  # fewer digits are a short code or an emergency line
_LETTER = r"[^\W\d_]"
_LABEL = re.compile(rf"(?<!{_LETTER})(?:s?[đd]t|tel|phone|mobile|mob|zalo)(?=[+(\d])", re.IGNORECASE)
_TOUCHING = re.compile(rf"\d{_LETTER}|{_LETTER}\d")
_ROUNDED = re.compile(r"\s*\d(?:[.,]\d+)?[eE]\+?\d+\s*")
_FLOAT = re.compile(r"^(\s*\+?\d{9,15})[.,]0\s*$")
_APART = re.compile("[,;/|&\\\\\n\r\t\v\f\u2028\u2029、，；／]")


def country(e164: str) -> str:
    """How all phones of its country begin: +84. Of a number of no country the number itself, which stands for no other."""
    try:
        return f"+{phonenumbers.parse(e164).country_code}"
    except phonenumbers.NumberParseException:
        return e164


def country_of(region: str) -> str:
    """The same of a country: VN is +84."""
    return f"+{phonenumbers.country_code_for_region(region)}"


def parse(text: str, region: str) -> Phone:
    """The one mobile number in the text; `region` (VN, GB) is the country of numbers without a country code.

    Raises PhoneRefused when there is none, more than one, or one that must not be texted.
    """
    found = _read(text, known_region(region))
    if len(found) > 1:
        raise PhoneRefused("There is more than one number here, and nothing says which to use. Give one.")
    if isinstance(found[0], PhoneRefused):
        raise found[0]
    return found[0]


def parse_cell(text: str, region: str) -> tuple[list[Phone], list[str]]:
    """Every number of one spreadsheet cell: the good ones, each once, and why others were refused."""
    found = _read(text, known_region(region))
    good = dict.fromkeys(each for each in found if isinstance(each, Phone))
    return list(good), [str(each) for each in found if isinstance(each, PhoneRefused)]


def may_be_answered(sender: str, region: str) -> bool:
    """Whether an answer may go to whoever texted us: to any phone, known to exist or not, but never to a name, a short
    code, an emergency line or a service at a higher price.
    """
    if not _NUMBER.fullmatch(sender):
        return False
    kinds = {_look_up(international)[1] for international, _ in _readings(sender, known_region(region))}
    return not kinds & _HIGHER_PRICE


def known_region(region: str) -> str:
    """The region in its two capital letters; UK means GB. Raises Refused for one that does not exist."""
    code = {"UK": "GB"}.get(region.upper(), region.upper())
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise Refused("There is no such region. Give a country's two letters, such as VN or GB.")
    return code


def _read(text: str, region: str) -> list[Phone | PhoneRefused]:
    """What the text holds, at least one entry."""
    text = _plain(text)
    refusal = _unreadable(text)
    if refusal:
        return [PhoneRefused(refusal)]
    text = _FLOAT.sub(r"\1", _LABEL.sub(" ", text))
    if not re.search(_LETTER, text) and (whole := _number(_groups(text), region)):
        return [whole]
    found = [
        each for piece in _APART.split(text) if re.search(r"\d", piece) for each in _piece(piece, region)
    ]
    if re.search(_LETTER, text) or any(isinstance(each, Phone | NotTextable) for each in found):
        return found
    return [_judge(_groups(text), region)]


def _plain(text: str) -> str:
    """Digits of any script as 0-9, full-width plus as +, and marks nobody sees taken out."""
    plain = []
    for character in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(character)
        if kind == "Nd":
            plain.append(str(unicodedata.decimal(character)))
        elif kind not in ("Cf", "Mn", "Me"):
            plain.append("+" if character in "＋﹢" else character)
    return "".join(plain)


def _unreadable(text: str) -> str | None:
    if not text.strip():
        return N_("There is no number: the text is empty.")
    if not re.search(r"\d", text):
        return N_("There is no number: the text has no digits.")
    if _ROUNDED.fullmatch(text):
        return N_("A spreadsheet has rounded the number and its last digits are lost. Format the column as text.")
    if re.search(r"[*#]", text):
        return N_("It holds * or #: a code to dial, not a number to text.")
    return None


def _piece(piece: str, region: str) -> list[Phone | PhoneRefused]:
    if _TOUCHING.search(piece):
        return [
            PhoneRefused("There are letters among the digits, and nothing says which digits they stand for.")
        ]
    chunks = re.split(rf"{_LETTER}+", piece)
    return [each for chunk in chunks if re.search(r"\d", chunk) for each in _chunk(_groups(chunk), region)]


def _groups(text: str) -> list[str]:
    """Runs of digits; one that starts a number with a plus keeps it: "+84 (0)912-345" -> +84, 0, 912, 345."""
    return ["+" * bool(plus) + digits for plus, digits in re.findall(r"(?:(\+)[\s(]*)?(\d+)", text)]


def _chunk(groups: list[str], region: str) -> list[Phone | PhoneRefused]:
    """One number, or several side by side if each of them exists; else one refusal for the lot."""
    if whole := _number(groups, region):
        return [whole]
    found: list[Phone | PhoneRefused] = []
    rest = groups
    while rest:
        number, rest = _first(rest, region)
        if not number:
            return [_judge(groups, region)]
        found.append(number)
    return found


def _first(groups: list[str], region: str) -> tuple[Phone | NotTextable | None, list[str]]:
    """The shortest number the groups begin with, and the groups after it."""
    for end in range(1, min(len(groups), _LONGEST) + 1):
        if number := _number(groups[:end], region):
            return number, groups[end:]
    return None, []


def _number(groups: list[str], region: str) -> Phone | NotTextable | None:
    """The number the groups make together, if it exists."""
    judged = _judge(groups, region)
    return judged if isinstance(judged, Phone | NotTextable) else None


def _judge(groups: list[str], region: str) -> Phone | PhoneRefused:
    """The number the groups make together, or why there is none to text."""
    written = "".join(groups)
    digits = written.lstrip("+")
    if "+" in digits or len(digits) > _LONGEST:
        return PhoneRefused(
            "There are too many digits for one number. If it is several, put a comma between them."
        )
    if digits.lstrip("0") in _EMERGENCY:
        return PhoneRefused("It is an emergency or help line, which is never texted.")
    if written == digits and len(digits) <= 6:
        return PhoneRefused("It is a short code or a part of a number: too few digits for a mobile number.")
    found: dict[str, tuple[int, str | None]] = {}
    for international, altered in _readings(written, region):
        e164, kind, moved = _look_up(international)
        if kind != Type.UNKNOWN:
            found.setdefault(e164, (kind, "; ".join(filter(None, (altered, moved))) or None))
    if not found:
        return PhoneRefused(_why_none(next(_readings(written, region))[0]))
    if len(found) > 1:
        return PhoneRefused("It can be read as two different numbers. Write it with + and the country code.")
    [(e164, (kind, changed))] = found.items()
    if kind in (Type.MOBILE, Type.FIXED_LINE_OR_MOBILE):
        return Phone(e164, changed)
    said = _TYPES.get(kind) or N_("not a mobile number")
    return NotTextable("It is {kind}.", kind=Word(said))


def _readings(written: str, region: str) -> Iterator[tuple[str, str | None]]:
    """Each way to read the digits, as country code and national number, with what that reading alters."""
    if written.startswith("+"):
        yield written[1:], None
        return
    if written.startswith("00"):
        yield written[2:], None
        return
    code = str(phonenumbers.country_code_for_region(region))
    zero_leads = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) == "0"
    yield code + written, LOST_ZERO if zero_leads and not written.startswith("0") else None
    if written.startswith(code):
        yield written, None
    if written.startswith("0" + code):
        yield written[1:], None


def _look_up(international: str) -> tuple[str, int, str | None]:
    """The number in E.164, its type (UNKNOWN when it does not exist), and the prefix it moved from."""
    try:
        number = phonenumbers.parse("+" + international)
    except phonenumbers.NumberParseException:
        return "", Type.UNKNOWN, None
    national, moved = str(number.national_number), None
    if number.country_code == 84 and len(national) == 10 and national[:3] in OLD_VIETNAM:
        old, new = national[:3], OLD_VIETNAM[national[:3]]
        number.national_number = int(new + national[3:])
        moved = N_("the old prefix 0{old} became 0{new} in 2018").format(old=old, new=new)
    kind = phonenumbers.number_type(number)
    if number.country_code == 44 and _BRITISH_EXAMPLES.fullmatch(national):
        kind = Type.MOBILE
    if number.country_code == 84 and national.startswith("1") and kind == Type.MOBILE and not moved:
        kind = Type.UNKNOWN  # data cards; typed by a person it is an old number that lost a digit
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), kind, moved


def _why_none(international: str) -> str:
    try:
        number = phonenumbers.parse("+" + international)
    except phonenumbers.NumberParseException:
        return N_("No country has this country code, or hardly any digits follow it. Check the number.")
    if str(number.national_number) in _EMERGENCY:
        return N_("It is an emergency or help line, which is never texted.")
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason == Length.TOO_SHORT:
        return N_("It has too few digits for its country. Check the number.")
    if reason == Length.TOO_LONG:
        return N_("It has too many digits for its country. Check the number.")
    return N_("No such number exists: its first digits or its length belong to no network. Check the number.")
