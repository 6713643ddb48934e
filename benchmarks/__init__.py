"""Benchmarks: each prints ratios measured in one run, on one thread, as workers run units.

Threads are set here, where the package is imported: numpy's libraries read their number once, when they are loaded, and
a BLAS that waits in a second thread is counted as processor time of whatever is measured.
"""

import os

from movi_prep.runtime.one_thread import ONE_THREAD

for _name, _value in ONE_THREAD.items():
    os.environ.setdefault(_name, _value)
