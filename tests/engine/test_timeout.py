"""A classifier whose calls are guarded: its errors carry its name, and it cannot take for ever."""

import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.experiments import KIT

from fooldeap.engine import timeout
from fooldeap.engine.timeout import TimeLimit
from fooldeap.errors import InputError, OvertimeError, PluginError


class Model:
    """Does with images what it is told to."""

    classes = 4

    def __init__(self, act):
        self.logits = act


def ask(model, limit, images):
    """Return the logits of a model, within a time limit."""
    return limit.call(len(images), model.logits, images)


def again_and_again(images):
    while True:
        try:
            time.sleep(100)
        except Exception:
            continue


def fail(images):
    raise ZeroDivisionError("no luck")


def run_out(images):
    raise StopIteration("no more")


def leave(images):
    sys.exit(3)


def refuse(images):
    raise InputError("other images, please")


@pytest.mark.parametrize("act", [again_and_again, lambda images: time.sleep(100)])
def test_a_call_that_takes_too_long_is_interrupted_and_the_handler_restored(act):
    handler = signal.getsignal(signal.SIGALRM)
    with pytest.raises(PluginError, match=r"^classifier 'slow' took longer than 0.2 s for a batch of 2 images; see"):
        ask(Model(act), TimeLimit("classifier 'slow'", 0.2), [1, 2])
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_alarms_of_other_code_still_ring():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
    try:
        start = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        model, limit = Model(lambda images: time.sleep(0.1)), TimeLimit("classifier 'it'", 5)
        ask(model, limit, [1])
        assert rung == []
        time.sleep(0.5)
        assert len(rung) == 1
        assert 0.39 <= rung[0] - start < 0.6
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        ask(model, limit, [1])  # which is due meanwhile
        time.sleep(0.05)
        assert len(rung) == 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_late_signal_is_ignored(monkeypatch):
    limit = TimeLimit("classifier 'it'", 5)
    set_handler = signal.signal

    def ring_before(number, handler):  # as if the time were up while all is put back
        if handler is mine:
            signal.raise_signal(signal.SIGALRM)
        return set_handler(number, handler)

    def mine(*_):
        raise AssertionError

    before = set_handler(signal.SIGALRM, mine)
    try:
        monkeypatch.setattr(signal, "signal", ring_before)
        assert ask(Model(len), limit, [1, 2]) == 2
    finally:
        set_handler(signal.SIGALRM, before)


def test_a_call_in_time_is_not_interrupted():
    limit = TimeLimit("classifier 'quick'", 0.2)
    assert ask(Model(len), limit, [1, 2]) == 2
    time.sleep(0.3)
    seen = []
    other = threading.Thread(
        target=lambda: seen.append(ask(Model(len), limit, [1, 2, 3]))
    )  # where no signal can be had
    other.start()
    other.join()
    assert seen == [3]
    assert ask(Model(lambda images: time.sleep(0.3)), TimeLimit("classifier 'free'"), []) is None


def in_a_thread(work):
    """Return what ``work`` returns in another thread, or the error that it raises."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        return future.exception() or future.result()


def test_a_call_in_another_thread_is_interrupted(monkeypatch):
    monkeypatch.setattr(timeout, "_watch", timeout._Watch())
    monkeypatch.setattr(timeout, "TICK", 0.05)

    def loop(images):
        while True:
            try:
                sum(range(1000))
            except Exception:
                continue

    late = in_a_thread(lambda: ask(Model(loop), TimeLimit("classifier 'slow'", 0.1), [1, 2]))
    assert type(late) is OvertimeError
    assert str(late).startswith("classifier 'slow' took longer than 0.1 s for a batch of 2 images; see")


def test_an_interruption_reaches_no_other_code_of_the_thread(monkeypatch):
    monkeypatch.setattr(timeout, "_watch", timeout._Watch())
    monkeypatch.setattr(timeout, "TICK", 0.0005)
    chance = random.Random(1)

    def compute(seconds):
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass
        return seconds

    def many():
        outcomes = set()
        for _ in range(150):
            try:
                ask(Model(lambda images: compute(chance.uniform(0.0015, 0.0035))), TimeLimit("it", 0.002), [])
                outcomes.add("in time")
            except OvertimeError:
                outcomes.add("late")
            compute(0.001)
        return outcomes

    assert in_a_thread(many) == {"in time", "late"}


@pytest.mark.parametrize(
    ("act", "kind", "said"),
    [
        (fail, PluginError, "classifier 'it' raised ZeroDivisionError: no luck"),
        (leave, PluginError, "classifier 'it' raised SystemExit: 3"),
        (run_out, PluginError, "classifier 'it' raised StopIteration: no more"),
        (refuse, InputError, "other images, please"),
    ],
)
@pytest.mark.parametrize("seconds", [9, None])
def test_errors_carry_its_name(act, kind, said, seconds):
    with pytest.raises(kind) as raised:
        ask(Model(act), TimeLimit("classifier 'it'", seconds), [1])
    assert str(raised.value) == said


def test_a_call_that_ignores_signals_ends_with_the_process(tmp_path):
    (tmp_path / "waits.py").write_text(
        "import sys\n"
        f"sys.path.append({str(KIT)!r})\n"
        "from labour import wait_in_c\n"
        "from fooldeap import cli\nfrom fooldeap.engine import timeout\n"
        "timeout.GRACE, timeout.last_resort = 0.0, cli._exit_at_once\n"
        "class Model:\n"
        "    def logits(self, images):\n"
        "        wait_in_c()\n"
        "timeout.TimeLimit(\"classifier 'it'\", 0.1).call(1, Model().logits, [1])\n"
    )
    ended = subprocess.run([sys.executable, str(tmp_path / "waits.py")], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith("fooldeap: classifier 'it' took longer than 0.1 s for a batch of 1 images; see why")
    assert ended.stderr.count("\n") == 1
