"""PDUs of SMPP 3.4 as octets, coded and read by smpplib; its client is not used (docs/decisions/0011-lines-held-open.md). Nothing of them is ever logged."""

import logging
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from smpplib import consts, smpp

HEADER = struct.Struct(">LLLL")
LARGEST = 64 << 10
THROTTLED = frozenset({consts.SMPP_ESME_RTHROTTLED, consts.SMPP_ESME_RMSGQFUL})
OK: int = consts.SMPP_ESME_ROK
TRY_AGAIN: int = consts.SMPP_ESME_RX_T_APPN
NEVER: int = consts.SMPP_ESME_RX_P_APPN
_SUBMIT = 0x00000004
UNKNOWN_COMMAND: int = consts.SMPP_ESME_RINVCMDID
_COMMANDS = {
    0x80000000: "generic_nack", 0x80000004: "submit_sm_resp", 0x80000009: "bind_transceiver_resp", 0x00000005: "deliver_sm", 0x00000006: "unbind",
    0x80000006: "unbind_resp", 0x00000015: "enquire_link", 0x80000015: "enquire_link_resp", 0x00000102: "alert_notification",
}  # fmt: skip
logging.getLogger("smpplib").setLevel(logging.CRITICAL)  # its debug lines hold whole PDUs


class Broken(ValueError):
    """The other side does not speak SMPP."""


class Numbers:
    """Sequence numbers of one connection, in the shape smpplib asks its client for them."""

    def __init__(self) -> None:
        self.sequence = 0

    def next_sequence(self) -> int:
        self.sequence = self.sequence % 0x7FFFFFFF + 1
        return self.sequence


@dataclass(frozen=True, slots=True)
class Head:
    """What is before a PDU's body. `command` is "" for one that nobody here knows."""

    command: str
    status: int
    sequence: int


def cut(buffer: bytearray) -> Iterator[tuple[Head, bytes]]:
    """Take the whole PDUs out of what was read. Raises Broken."""
    taken = 0
    try:
        while len(buffer) - taken >= HEADER.size:
            length, command, status, sequence = HEADER.unpack_from(buffer, taken)
            if not HEADER.size <= length <= LARGEST:
                raise Broken("the length of a PDU is none")
            if len(buffer) - taken < length:
                break
            octets = bytes(buffer[taken : taken + length])
            taken += length
            yield Head(_COMMANDS.get(command, ""), status, sequence), octets
    finally:
        del buffer[:taken]


def read(octets: bytes) -> Any:
    """The fields of a PDU. Raises Broken."""
    try:
        return smpp.parse_pdu(octets, client=Numbers(), allow_unknown_opt_params=True)
    except Exception as error:  # whatever a foreign server may send: struct.error, KeyError, UnicodeError, ...
        raise Broken("a PDU cannot be read") from error


def bind(numbers: Numbers, told: Mapping[str, Any]) -> tuple[int, bytes]:
    """The login, as transceiver, and its sequence number."""
    login = {name: told[name] for name in ("system_id", "password", "system_type")}
    return _made("bind_transceiver", numbers, addr_ton=0, addr_npi=0, address_range="", **login)


def submit(numbers: Numbers, message: Mapping[str, Any], index: int) -> tuple[int, bytes]:
    """One part of a text, and its sequence number. The last part asks for a report.

    Written by hand, since it is what there is most of: octet for octet what smpplib writes, at a tenth of its cost.
    """
    sequence, octets = numbers.next_sequence(), bytes.fromhex(message["parts"][index])
    source_npi = 0 if message["from_ton"] == consts.SMPP_TON_ALNUM else 1
    body = b"".join((
        b"\0", bytes((message["from_ton"], source_npi)), message["from"].encode("ascii"), b"\0",  # service_type, source
        bytes((message["to_ton"], 1)), message["to"].encode("ascii"), b"\0",  # destination
        bytes((message["esm_class"], 0, 0, 0)), message["validity"].encode("ascii"), b"\0",  # protocol_id, priority_flag, no schedule
        bytes((int(index == len(message["parts"]) - 1), 0, message["data_coding"], 0, len(octets))), octets,
    ))  # fmt: skip
    return sequence, HEADER.pack(HEADER.size + len(body), _SUBMIT, OK, sequence) + body


def plain(numbers: Numbers, command: str) -> tuple[int, bytes]:
    """A request without fields: enquire_link, unbind."""
    return _made(command, numbers)


def answer(command: str, sequence: int, status: int = OK) -> bytes:
    """The answer to what the other side asked: deliver_sm_resp, enquire_link_resp, unbind_resp, generic_nack."""
    numbers = Numbers()
    made = smpp.make_pdu(command, client=numbers, status=status)
    made.sequence = sequence
    if command == "deliver_sm_resp":
        made.message_id = ""
    return bytes(made.generate())


def _made(command: str, numbers: Numbers, **values: Any) -> tuple[int, bytes]:
    made = smpp.make_pdu(command, client=numbers, **values)
    return made.sequence, bytes(made.generate())
