"""What must hold, checked by what each day added."""
from typing import Any


class Ledger:
    def __init__(self, *a: Any) -> None:
        self.texts = 0

    def heard(self, *a: Any) -> None: ...
    def accepted(self, m: Any) -> None: ...
    def close_day(self, *a: Any) -> None: ...
