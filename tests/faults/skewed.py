"""Run a module of the gateway on a machine whose clock is wrong: `python -m tests.faults.skewed SECONDS MODULE [ARGUMENT]`.

Python's wall clock is moved before anything of ours is imported; SIGUSR1 turns the fault round, as a step of NTP does.
"""

import datetime
import runpy
import signal
import sys
import time
from datetime import datetime as true_datetime
from typing import Any

# Drivers register the true class of moments, and the moved one is found through it.
import psycopg  # noqa: F401
import sqlalchemy  # noqa: F401

_true_time = time.time
_skew_s = 0.0


class _AnyMoment(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, true_datetime)


class _Moved(true_datetime, metaclass=_AnyMoment):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return true_datetime.fromtimestamp(_moved_time(), tz)


def _moved_time() -> float:
    return _true_time() + _skew_s


def _step(*_: object) -> None:
    global _skew_s
    _skew_s = -_skew_s


if __name__ == "__main__":
    _skew_s = float(sys.argv[1])
    time.time, time.time_ns = _moved_time, lambda: int(_moved_time() * 1e9)
    datetime.datetime = _Moved  # type: ignore[misc]
    signal.signal(signal.SIGUSR1, _step)
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
