"""What several files of tests share."""

import gc
import logging
import os
import signal

import pytest
from trial import Trial

# The files that take longest, which start first, so that no worker is left alone with one of them at the end.
SLOW = ("analyses", "browser", "explorer", "docs", "headlines", "mishaps", "app", "kill", "faults_network")
SLOW = [f"test_{name}.py" for name in SLOW]


def pytest_xdist_auto_num_workers():
    """Half as many again as there are processors: many tests wait for a server or a browser."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_configure():
    """Let Ctrl-C raise KeyboardInterrupt: a shell that starts the tests in the background ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))


def pytest_collection_finish():
    """Let garbage collection skip what is loaded by now, modules and thousands of tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def new_trial(tmp_path, caplog, capfd):
    """Makes a trial with limits of one's own; what must hold is asserted when the test has ended."""
    caplog.set_level(logging.DEBUG)
    trials = []

    def new(**given):
        trials.append(Trial(tmp_path / str(len(trials)), **given))
        return trials[-1]

    yield new
    told = caplog.text + "".join(capfd.readouterr())
    for trial in trials:
        trial.close()
        trial.check(told)


@pytest.fixture
def trial(new_trial):
    """A client on a small simulated location."""
    return new_trial()
