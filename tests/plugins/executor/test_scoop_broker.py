"""SCOOP's broker: it gives each task to an idle process, and the tasks of lost workers to others."""

import subprocess
import sys

import pytest
from helpers.parallel import ON_LINUX, wait_for

from fooldeap.errors import RunError
from fooldeap_plugins.executor import _workers
from fooldeap_plugins.executor._broker import REQUEST, TASK, Broker

pytestmark = ON_LINUX
# A worker that requests a task and, when told to, answers it. A task is a command: keep, answer, or nested.
WORKER = """
import sys
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
connection.recv_bytes()
while True:
    connection.send(("request", b""))
    task = connection.recv_bytes()
    while task.startswith(b"keep"):
        connection.poll(60)
    if task == b"nested":
        connection.send(("task", b""))
    connection.send(("result", b"answered"))
"""


@pytest.fixture
def broker(monkeypatch):
    """Yield a function that returns a running broker with a number of workers."""
    popen, brokers = subprocess.Popen, []
    monkeypatch.setattr(
        _workers.subprocess,
        "Popen",
        lambda command, **more: popen([sys.executable, "-c", WORKER, command[-1]], **more),
    )

    def start(count):
        brokers.append(Broker(count, 1, b""))
        brokers[-1].start()
        wait_for(lambda: brokers[-1].all_ready)
        return brokers[-1]

    yield start
    for each in brokers:
        each.close()


def receive(broker, seconds=10.0):
    """Return the next message for the root, or None if none arrives in time."""
    return broker.recv_bytes() if broker.poll(seconds) else None


def test_worker_answers_a_task(broker):
    one = broker(1)
    one.send((TASK, b"answer"))
    assert receive(one) == b"answered"
    assert receive(one, 0.0) is None
    assert one.sent_again == 0


def test_root_receives_one_task_after_all_waiting_workers(broker):
    two = broker(2)
    two.send((REQUEST, b""))
    for task in (b"keep a", b"keep b", b"keep c", b"keep d"):
        two.send((TASK, task))
    first = receive(two)
    assert receive(two, 0.2) is None
    assert len(two._tasks) == 1, "the workers have two"
    two.send((REQUEST, b""))
    assert {first, receive(two)} < {b"keep a", b"keep b", b"keep c", b"keep d"}
    assert not two._tasks


def test_tasks_of_a_lost_worker_are_given_to_others_first(broker):
    one = broker(1)
    one.send((TASK, b"keep"))
    one.send((TASK, b"answer"))
    (worker,) = one._running
    wait_for(lambda: len(one._tasks) == 1)
    worker.process.kill()
    wait_for(lambda: one.sent_again == 1)
    one.send((REQUEST, b""))
    assert receive(one) in (b"keep", b"answer")
    wait_for(lambda: one.all_ready and one._running != [worker])


def test_idle_worker_that_ends_is_restarted(broker):
    one = broker(1)
    (worker,) = one._running
    worker.process.kill()
    wait_for(lambda: one.all_ready and one._running != [worker])
    assert one.sent_again == 0


def test_worker_is_restarted_three_times(broker):
    one = broker(1)
    with pytest.warns(UserWarning, match="one of them ended repeatedly"):
        kill_until_none_is_left(one)
    assert one.sent_again == 1 + _workers.RESTARTS
    one.send((REQUEST, b""))
    assert receive(one) == b"keep"


def kill_until_none_is_left(broker):
    broker.send((TASK, b"keep"))
    for lost in range(1 + _workers.RESTARTS):
        wait_for(lambda: broker._running and broker._running[0].ready and not broker._tasks)
        broker._running[0].process.kill()
        wait_for(lambda lost=lost: broker.sent_again == lost + 1)
    for each in broker._keepers:
        each.join()


def test_worker_that_ends_after_its_answer_loses_no_task(broker):
    one = broker(1)
    one.send((TASK, b"answer"))
    assert receive(one) == b"answered"
    (worker,) = one._running
    worker.process.kill()
    wait_for(lambda: worker not in one._running)
    assert one.sent_again == 0


def test_nested_task_is_an_error(broker):
    one = broker(1)
    one.send((TASK, b"nested"))
    with pytest.raises(RunError, match="a plugin in a worker used SCOOP"):
        wait_for(lambda: receive(one, 0.1))
