"""Ctrl-C and SIGTERM: the first one stops a run; later ones are ignored while it stops."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM)
"""SIGTERM is a batch system's polite end."""


class _Stop:
    """A signal handler that raises KeyboardInterrupt once, and has every later signal ignored."""

    has_stopped = False

    def __call__(self, _number: int, _frame: FrameType | None) -> NoReturn:
        self.has_stopped = True
        # A second one, while workers are being closed, would leave them behind and print their complaints.
        for number in _STOPPING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt


@contextmanager
def keep_signals() -> Iterator[None]:
    """Restore the handlers of Ctrl-C and SIGTERM after the block, whatever the block sets."""
    before = {number: signal.getsignal(number) for number in _STOPPING}
    try:
        yield
    finally:
        # Python allows handlers to be set in the main thread only.
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def stop_once(*, process_ends: bool = False) -> Iterator[None]:
    """Turn the first Ctrl-C or SIGTERM into KeyboardInterrupt and ignore those that follow; the outermost call counts.

    Without effect outside the main thread: only that one receives signals.

    Args:
        process_ends: whether the process ends after the block: once stopped, it then ignores both signals until its
            end, as Python's own end can take longer than a user's patience. Else they do again what they did before.
    """
    if threading.current_thread() is not threading.main_thread() or isinstance(signal.getsignal(signal.SIGTERM), _Stop):
        yield
        return
    stop = _Stop()
    before = {number: signal.getsignal(number) for number in _STOPPING}
    for number, handler in before.items():
        # A shell that starts a run in the background has Ctrl-C ignored, and means it.
        if number == signal.SIGTERM or handler is signal.default_int_handler:
            signal.signal(number, stop)
    try:
        yield
    finally:
        if not (process_ends and stop.has_stopped):
            for number, handler in before.items():
                signal.signal(number, handler)
