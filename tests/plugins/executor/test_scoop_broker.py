"""SCOOP's broker: it gives each task to an idle process, and the tasks of lost workers to others."""

import subprocess
import sys
import time

import pytest
from helpers.parallel import ON_LINUX, wait_for

from fooldeap_plugins.executor import _broker
from fooldeap_plugins.executor._broker import REQUEST, TASK, Broker

pytestmark = ON_LINUX
# A worker that requests a task and, when told to, answers it. A task is a command: keep, answer, or end.
WORKER = """
import sys
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
connection.recv()
connection.send(("request", b"", b""))
while True:
    task = connection.recv_bytes()
    if task == b"end":
        break
    if task == b"return":
        connection.send(("task", b"other", b"answer"))
    if task == b"answer":
        connection.send(("result", b"a", b"answered"))
        connection.send(("request", b"", b""))
"""


@pytest.fixture
def broker(monkeypatch):
    """Yield a function that returns a running broker with a number of workers."""
    popen, brokers = subprocess.Popen, []
    monkeypatch.setattr(
        _broker.subprocess,
        "Popen",
        lambda command, **more: popen([sys.executable, "-c", WORKER, command[-1]], **more),
    )

    def start(count):
        brokers.append(Broker(count, {}))
        brokers[-1].start()
        wait_for(lambda: brokers[-1].all_ready)
        return brokers[-1]

    yield start
    for each in brokers:
        each.close()


def test_worker_answers_a_task(broker):
    one = broker(1)
    one.send(TASK, b"a", b"answer")
    assert one.receive(10.0) == b"answered"
    assert one.receive(0.0) is None
    assert one.sent_again == 0


def test_root_receives_one_task_after_all_waiting_workers(broker):
    two = broker(2)
    two.send(REQUEST)
    two.send(REQUEST)
    for number in (b"a", b"b", b"c", b"d"):
        two.send(TASK, number, b"keep " + number)
    assert two.receive(10.0) == b"keep c"
    assert two.receive(0.2) is None
    two.send(REQUEST)
    assert two.receive(10.0) == b"keep d"


def test_tasks_of_a_lost_worker_are_given_to_others_first(broker):
    one = broker(1)
    one.send(TASK, b"a", b"keep")
    one.send(TASK, b"b", b"later")
    (worker,) = one._workers
    wait_for(lambda: worker.tasks)
    worker.process.kill()
    wait_for(lambda: one.sent_again == 1)
    one.send(REQUEST)
    assert one.receive(10.0) in (b"keep", b"later")
    wait_for(lambda: one.all_ready and one._workers != [worker])


def test_task_that_a_worker_returns_is_given_to_another(broker):
    two = broker(2)
    two.send(TASK, b"a", b"return")
    assert two.receive(10.0) == b"answered"


def test_worker_is_restarted_three_times(broker):
    one = broker(1)
    one.send(TASK, b"a", b"keep")
    with pytest.warns(UserWarning, match="one of them ended repeatedly"):
        kill_until_none_is_left(one)
    assert one.sent_again == 1 + _broker.RESTARTS
    one.send(REQUEST)
    assert one.receive(10.0) == b"keep"


def kill_until_none_is_left(broker):
    while broker._workers:
        if broker._workers[0].tasks:
            broker._workers[0].process.kill()
        time.sleep(0.01)


def test_worker_that_ends_after_its_answer_loses_no_task(broker):
    one = broker(1)
    one.send(TASK, b"a", b"answer")
    assert one.receive(10.0) == b"answered"
    (worker,) = one._workers
    assert not worker.tasks
    worker.process.kill()
    wait_for(lambda: worker not in one._workers)
    assert one.sent_again == 0
