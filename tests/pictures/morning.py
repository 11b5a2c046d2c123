"""This morning: something of everything that staff find on the pages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from gateway.domain import campaigns as rules
from gateway.queues import silent
from gateway.store import (
    appointments,
    campaigns,
    clients,
    drafts,
    flags,
    health,
    services,
    staff,
    threads,
    units,
)
from gateway.store.base import Work, unit_of_work
from gateway.usecases import (
    book_appointment,
    change_client,
    current_texts,
    export_clients,
    handle_flag,
    rehearse_asked,
    reply_to_client,
    run_imports,
    set_on_call,
)
from tests.pictures.district import COMMUNES, LEFT, NOW_AND_THEN, TODAY, Client, District
from tests.year.town import VIETNAM

STRANGER = "+84910009999"
TEMPLATE = "service_information"
INFORMATION: dict[str, Any] = {
    "name": "Tư vấn thẻ bảo hiểm y tế", "kind": "one_off", "language": {"missing": "campaign_default", "default": "vi"},
    "steps": [{"template": TEMPLATE, "at": "09:00", "lasts": "24h"}], "prices": {"+84": 450, "currency": "VND"},
    "values": {"info": {
        "vi": "Tư vấn thẻ bảo hiểm y tế miễn phí, thứ Năm 8h-11h tại nhà văn hóa xã.",
        "en": "Free advice on health insurance cards, Thursday 8 to 11 am at the commune hall.",
        "fr": "Conseil gratuit sur la carte d'assurance santé, jeudi 8 h-11 h, maison communale.",
    }},
}  # fmt: skip
REGISTER = (
    "Mã,Họ và tên,Số điện thoại,Ngôn ngữ,Mã xã,Đồng ý nhận tin,Căn cứ đồng ý\n"
    "KH-05001,Lò Thị Mai,0912 000 101,vi,SV-01-03,nhắc hẹn; hỏi thăm,phiếu ký\n"
    "KH-05002,Hoàng Đức Long,0912 000 102,vi,SV-01-12,nhắc hẹn,phiếu ký\n"
    "KH-05003,Nguyễn Thu Nga,0912 000,vi,SV-01-14,nhắc hẹn; hỏi thăm,phiếu ký\n"
    "KH-05004,Bùi Văn Thành,0912 000 104,vi,SV-01-99,nhắc hẹn,phiếu ký\n"
    "KH-05005,Vàng Kim Ánh,0912 000 105,vi,SV-01-16,nhắc hẹn; hỏi thăm,phiếu ký\n"
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What the pages' addresses name, who looks by role, and the cry for help that is still to come."""

    places: dict[str, Any]
    staff: dict[str, UUID]
    cry: Callable[[], int]


def book(place: District) -> None:
    """On the Monday of last week: appointments of this week, for two workers."""
    monday, ha, thuy = datetime.combine(TODAY - timedelta(days=1), time(), VIETNAM), place.worker.staff_id, _staff_id(place, "thuy")
    slots = ((0, 8, 30), (0, 14, 0), (1, 8, 0), (1, 8, 30), (1, 10, 30), (1, 14, 0), (1, 15, 30), (2, 8, 30), (2, 9, 30), (2, 14, 0), (3, 9, 0), (3, 15, 0), (4, 8, 30), (4, 10, 0))
    with unit_of_work(place.engine, place.chief) as work:
        for number, (day, hour, minute) in enumerate(slots):
            found = clients.by_code(work, _texted(place)[number + 6].code)
            book_appointment.book(work, found, monday + timedelta(days=day, hours=hour, minutes=minute), ha if number % 3 else thuy)


def begin(place: District, folder: Path) -> Scene:
    """From seven until now; the cry for help alone is still to come."""
    _texts_come(place)
    place.live(datetime.combine(TODAY, time(10, 12), VIETNAM))
    place.list_services(folder)
    calls = _flag(place, "callback")
    with unit_of_work(place.engine, place.worker) as work:
        _work(place, work, calls)
    waiting = place.begin(INFORMATION, start=False)
    with unit_of_work(place.engine, place.chief) as work:
        draft = uuid4()
        made = rules.written(rules.read({**INFORMATION, "audience": {"units": [LEFT]}, "name": "Giới thiệu việc làm tháng 3"}))
        drafts.add(work, draft, place.unit_id, made)
        _propose(place, work)
        register = run_imports.keep(work, place.vault, "clients", REGISTER.encode())
        rehearse_asked.ask(work, campaigns.by_name(work, "Nhắc hẹn").id, 31)
        export_clients.ask(work, clients.Wanted(), "Báo cáo quý")
    with unit_of_work(place.engine) as work:
        set_on_call.set_places(work, place.vault, units.get(work, place.unit_id), [("ha", "Mon-Fri 07:30-17:00"), ("chau", "")], place.chief)
        for name in ("clock", "send"):
            health.beat(work, name, name)
    place.run(NOW_AND_THEN)
    return _scene(place, waiting, draft, register, calls)


def _texts_come(place: District) -> None:
    people, silent_ones = _texted(place), [each for each in _texted(place) if each.habit.name == "never"]
    for at, person, words in (
        (time(7, 41), people[6], "Chị ơi hôm nay em bị ốm không đến được"),
        (time(8, 3), people[10], "gọi lại cho em với chị"),
        (time(8, 20), people[3], "TT viec lam"),
        (time(8, 52), silent_ones[0], "2"),
        (time(9, 14), people[13], "3"),
        (time(9, 26), people[2], "toi doi so roi, day la so cua em toi"),
        (time(9, 40), people[14], "1"),
    ):
        place.write(datetime.combine(TODAY, at, VIETNAM), person.phone, words)
    place.write(datetime.combine(TODAY, time(9, 55), VIETNAM), STRANGER, "ai nhan tin vay?")


def _work(place: District, work: Work, calls: flags.Flag) -> None:
    """What a worker has done about it so far."""
    assert calls.client_id is not None
    found = clients.get(work, calls.client_id)
    handle_flag.take(work, calls.number)
    handle_flag.write(work, place.vault, handle_flag.hold(work, calls.number), uuid4(), "Gọi lúc 8:30, không nghe máy. Chiều gọi lại.")
    handle_flag.label(work, handle_flag.hold(work, calls.number), "gọi chiều nay")
    reply_to_client.send(work, place.vault, place.content, found, "Chiều nay 14 giờ chị gọi lại cho em nhé.", message_key=uuid4(),
                         about_id=calls.id, ring=silent)  # fmt: skip
    change_client.write_note(work, place.vault, found, uuid4(), "Thích được gọi buổi chiều, sau giờ làm.")


def _propose(place: District, work: Work) -> None:
    content = current_texts.now(work, place.content)
    (purpose, words), = {"check_in": "Bạn dạo này thế nào? Trả lời 1: ổn, 2: chưa ổn."}.items()
    current_texts.propose(work, place.content, purpose, content.version(purpose), {"vi": (words, content.templates[purpose, "vi"].open_body)})


def _scene(place: District, waiting: UUID, draft: UUID, register: UUID, calls: flags.Flag) -> Scene:
    with unit_of_work(place.engine, place.chief) as work:
        tomorrow = next(each for each in _week(work) if each.starts_at > work.now + timedelta(hours=12))
        places = {
            "flag": calls.number, "client": calls.client_id, "appointment": tomorrow.id, "campaign": campaigns.by_name(work, "Nhắc hẹn").id, "draft": draft,
            "register": register, "service": services.by_code(work, "SV-01-YT").service.id, "member": place.worker.staff_id,
            "unit": units.by_code(work, COMMUNES[2]).id, "channel": place.channel.id,
        }  # fmt: skip
    looking = {"supervisor": place.chief, "administrator": place.admin, "case_worker": place.worker}
    return Scene(places, {role: actor.staff_id for role, actor in looking.items() if actor.staff_id}, lambda: _cry(place))


def _cry(place: District) -> int:
    """The number of the flag."""
    person = next(each for each in _texted(place) if each.habit.name == "troubled")
    place.receive(person.phone, "em khong muon song nua chi oi")
    return _flag(place, "crisis").number


def _week(work: Work) -> Sequence[Any]:
    return appointments.list_between(work, work.now, work.now + timedelta(days=5))


def _texted(place: District) -> list[Client]:
    """Those who were texted before, in the order of the register."""
    with unit_of_work(place.engine) as work:
        there = {row.code for row in clients.list_seen(work) if row.status == "active" and len(threads.list_sent(work, row.id)) > 1}
    return [person for person in place.town if person.code in there]


def _flag(place: District, reason: str) -> flags.Flag:
    with unit_of_work(place.engine, place.chief) as work:
        return next(each for each in flags.list_open(work) if each.reason == reason)


def _staff_id(place: District, code: str) -> UUID:
    with unit_of_work(place.engine) as work:
        return staff.by_code(work, code).id
