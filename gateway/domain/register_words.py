"""The headings and words of client registers and appointment lists, in English and Vietnamese.

To teach the import a word, add it here, with commas between. Tones, case, spaces and punctuation do not
matter: words are compared by `cells.key`.
"""

from gateway.domain import cells


def _lists(words: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {value: tuple(listed.split(", ")) for value, listed in words.items()}


def _by_key(words: dict[str, str]) -> dict[str, str]:
    """The key of each word -> the value it stands for."""
    return {cells.key(word): value for value, listed in words.items() for word in listed.split(", ")}


HEADINGS = _lists(
    {
        "code": (
            "code, client code, mã khách hàng, mã, client id, id, reference, client ref, mã số, mã KH, mã "
            "thân chủ, mã hồ sơ, mã bệnh nhân, mã người bệnh, số hồ sơ"
        ),
        "name": "name, full name, họ và tên, họ tên, client name, tên, tên khách hàng, họ & tên",
        "phone": (
            "phone, mobile, số điện thoại, điện thoại, phone number, mobile number, telephone, tel, phones, "
            "other phone, SĐT, ĐT, số ĐT, di động, số di động, điện thoại di động, số điện thoại khác, SĐT "
            "khác, ĐTDĐ"
        ),
        "language": "language, ngôn ngữ, preferred language, tiếng, tiếng nói",
        "zone": "time zone, múi giờ, zone, tz",
        "hours": (
            "allowed hours, giờ được nhắn, hours, contact hours, text hours, giờ nhắn tin, giờ liên hệ, "
            "khung giờ, khung giờ nhắn tin"
        ),
        "opens": "hours from, giờ nhắn từ, opens, texts from, từ giờ",
        "closes": "hours to, giờ nhắn đến, closes, texts until, đến giờ",
        "discreet": "discreet level, mức kín đáo, discreet, discretion, kín đáo, mức độ kín đáo",
        "tones": "tones, dấu, accents, tin có dấu, kiểu chữ",
        "unit": (
            "unit, mã xã, unit code, clinic, clinic code, mã đơn vị, đơn vị, mã phường, mã xã phường, mã cơ "
            "sở"
        ),
        "unit_name": "unit name, xã, commune, phường, xã phường, xã/phường/thị trấn, clinic name, cơ sở",
        "worker": "worker, cán bộ, case worker, key worker, mã cán bộ, cán bộ phụ trách, nhân viên",
        "groups": "group, nhóm, groups, tags",
        "status": "status, trạng thái, tình trạng",
        "status_reason": "status reason, lý do đóng, closed reason",
        "opt_out": (
            "opted out, từ chối nhận tin, opt out, optout, do not text, no texts, stop, không nhận tin, "
            "ngừng nhận tin, từ chối"
        ),
        "consent": (
            "consent, đồng ý nhận tin, consents, consent to, consent purposes, đồng ý, mục đích đồng ý"
        ),
        "consent_basis": "consent basis, căn cứ đồng ý, basis, căn cứ, cơ sở đồng ý, hình thức đồng ý",
        "consent_on": "consent date, ngày đồng ý, consented on, date of consent, ngày ký",
        "consent_reminder": "consent reminder, consent reminders, đồng ý nhắc hẹn, reminders, nhắc hẹn",
        "consent_check_in": "consent check in, consent check-ins, đồng ý hỏi thăm, check-ins, hỏi thăm",
        "consent_service_information": (
            "consent service information, consent information, đồng ý nhận thông tin, đồng ý thông tin dịch "
            "vụ, service information, thông tin dịch vụ"
        ),
        "consent_study": "consent study, consent research, đồng ý nghiên cứu, research, nghiên cứu",
    }
)

# Days of a client that programmes count from, by the name they are kept under. The import takes others by --date.
DATE_HEADINGS = _lists(
    {
        "discharge": (
            "discharge, discharge date, date of discharge, discharged on, ngày ra viện, ngày xuất viện, date de sortie, "
            "sortie, sorti le, date de fin d'hospitalisation"
        ),
        "release": (
            "release, release date, date of release, released on, ngày về địa phương, ngày ra trại, ngày hết cai, "
            "date de libération, libéré le"
        ),
        "treatment_start": (
            "treatment start, start of treatment, treatment started, treatment start date, ngày bắt đầu điều trị, "
            "ngày vào điều trị, ngày điều trị, début du traitement, date de début du traitement"
        ),
    }
)

APPOINTMENT_HEADINGS = _lists(
    {
        "appointment_id": "appointment id, mã lịch hẹn, appointment, id, outside id, mã hẹn, số phiếu hẹn",
        "client": "client code, mã khách hàng, client, client id, mã KH, mã thân chủ, mã hồ sơ, số hồ sơ",
        "day": (
            "date, ngày hẹn, day, ngày, appointment date, starts at, start, date and time, ngày giờ hẹn, "
            "thời gian hẹn"
        ),
        "days_from_today": "days from today, số ngày kể từ hôm nay",
        "time": "time, giờ hẹn, giờ, at, appointment time, local time",
        "unit": "unit, mã xã, unit code, clinic, mã đơn vị, đơn vị, nơi hẹn, place",
        "state": "state, trạng thái, status",
    }
)

PURPOSES = ("reminder", "check_in", "service_information", "study")

PURPOSE_WORDS = _by_key(
    {
        "reminder": (
            "reminder, reminders, appointment reminders, appointments, nhắc hẹn, nhắc lịch, nhắc lịch hẹn"
        ),
        "check_in": "check_in, check in, check-ins, checkins, hỏi thăm, thăm hỏi",
        "service_information": (
            "service_information, service information, information, news, thông tin dịch vụ, thông tin"
        ),
        "study": "study, research, nghiên cứu",
    }
)

# What consent rests on. Other words are kept as they are written.
BASES = _by_key(
    {
        "signed": (
            "signed, signed form, form, written, phiếu ký, đã ký, ký giấy, ký phiếu, phiếu đồng ý, văn bản, "
            "bằng văn bản"
        ),
        "spoken": (
            "spoken, verbal, verbally, in person, by phone, lời nói, bằng lời, bằng miệng, đồng ý bằng lời, "
            "qua điện thoại"
        ),
        "own_text": "own text, by text, sms, nhắn tin, qua tin nhắn",
        "care": "care, individual care, direct care, chăm sóc",
    }
)

STATUSES = _by_key(
    {
        "active": (
            "active, open, current, đang theo dõi, đang hoạt động, đang quản lý, hoạt động, đang điều trị"
        ),
        "paused": "paused, on hold, suspended, tạm dừng, tạm ngưng, tạm ngừng",
        "closed": (
            "closed, discharged, left, ended, moved away, died, deceased, đóng, đã đóng, kết thúc, đã kết "
            "thúc, chuyển đi, đã chuyển, mất, đã mất, ngừng theo dõi"
        ),
    }
)

# Words that say, in a status or an opt-out column, that the client wants no texts.
STOPPED = _by_key(
    {
        "stop": (
            "stop, stopped, opted out, opt out, optout, no texts, do not text, từ chối, từ chối nhận tin, "
            "ngừng nhận tin, không nhận tin, hủy, TC"
        ),
    }
)

DISCREET = _by_key(
    {
        "0": "0, level 0, mức 0, open, named, công khai",
        "1": "1, level 1, mức 1, neutral, normal, trung tính, bình thường",
        "2": "2, level 2, mức 2, hidden, high, most, kín, rất kín, cao",
    }
)

TONES = _by_key(
    {
        "never": "never, with, with tones, có, có dấu",
        "saves": "saves, when it saves, tiết kiệm",
        "always": "always, folded, without, without tones, không, không dấu",
    }
)

APPOINTMENT_STATES = _by_key(
    {
        "booked": "booked, planned, scheduled, đã đặt, đã hẹn, chờ",
        "cancelled": "cancelled, canceled, hủy, đã hủy, huỷ, đã huỷ",
        "attended": "attended, came, đã đến, có đến",
        "missed": "missed, did not attend, DNA, vắng, không đến",
    }
)

# Language -> its code. One without texts is kept all the same: the campaign's policy says what then happens.
LANGUAGES = _by_key(
    {
        "vi": "vi, vn, vie, vi-VN, việt, tiếng việt, kinh, tiếng kinh, việt nam, vietnamese",
        "en": "en, eng, en-GB, en-US, anh, tiếng anh, english",
        "fr": "fr, fra, fr-FR, pháp, tiếng pháp, french, français",
        "hmn": "hmn, mông, h'mông, hmông, tiếng mông, hmong",
        "tyz": "tyz, tày, tiếng tày",
        "nut": "nut, nùng, tiếng nùng",
        "mtq": "mtq, mường, tiếng mường",
        "blt": "blt, thái đen, tai dam",
        "km": "km, khmer, khơ me, tiếng khmer",
        "zh": "zh, hoa, tiếng hoa, trung, tiếng trung, chinese",
        "pl": "pl, polish, polski",
        "ro": "ro, romanian, română",
        "pt": "pt, portuguese, português",
        "es": "es, spanish, español",
        "ar": "ar, arabic",
        "ur": "ur, urdu",
        "pa": "pa, punjabi, panjabi",
        "bn": "bn, bengali",
        "so": "so, somali",
        "cy": "cy, welsh, cymraeg",
    }
)
