"""SCOOP's broker: it knows which worker has a task, and forgets the tasks of lost workers."""

import logging
import tempfile
import threading

import pytest
import zmq
from helpers.parallel import ON_LINUX, wait_for

from fooldeap_plugins.executor._scoop import TASK, Broker, Sockets

pytestmark = ON_LINUX
ROOT, ONE, OTHER = b"root", b"one", b"other"
HERE, GIVEN, NOBODY = b"H", b"G", b"N"
IN_TIME = 10_000  # milliseconds


@pytest.fixture
def talk():
    """Yield a running broker with three peers."""
    log = logging.getLogger("broker")
    log.addHandler(logging.NullHandler())
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, zmq.Context() as context:
        sockets = Sockets(f"{folder}/")
        broker = Broker(sockets, log)
        broker.available_workers.root = ROOT
        thread = threading.Thread(target=broker.run, daemon=True)
        thread.start()
        peers = {name: peer(context, name, sockets.address(TASK)) for name in (ROOT, ONE, OTHER)}
        yield Talk(broker, peers)
        peers[ROOT].send(b"S")
        thread.join()
        for each in peers.values():
            each.close(linger=0)


def peer(context, name, address):
    made = context.socket(zmq.DEALER)
    made.setsockopt(zmq.IDENTITY, name)
    made.setsockopt(zmq.RCVTIMEO, IN_TIME)
    made.connect(address)
    return made


class Talk:
    def __init__(self, broker, peers):
        self.broker, self._peers = broker, peers

    def asks(self, name):
        """Request a task as ``name``."""
        self._peers[name].send(b"RQ")

    def gives(self, name, task):
        self._peers[name].send_multipart([b"T", task, b"what to do for " + task])

    def gets(self, name, task):
        assert self._peers[name].recv_multipart() == [b"T", b"what to do for " + task]

    def done(self, name, task):
        self._peers[name].send_multipart([b"SD", task])

    def where(self, task):
        """Return the broker's answer to the root's question about a task."""
        self._peers[ROOT].send_multipart([b"SR", task])
        kind, about, status = self._peers[ROOT].recv_multipart()
        assert (kind, about) == (b"SA", task)
        return status


def test_task_is_queued_assigned_and_completed(talk):
    talk.gives(ROOT, b"a")
    assert talk.where(b"a") == HERE
    talk.asks(ONE)
    talk.gets(ONE, b"a")
    assert talk.where(b"a") == GIVEN
    talk.done(ONE, b"a")
    wait_for(lambda: talk.where(b"a") == NOBODY)  # the message uses another connection


def test_tasks_of_a_lost_worker_are_forgotten(talk):
    talk.gives(ROOT, b"a")
    talk.asks(ONE)
    talk.gets(ONE, b"a")
    talk.broker.lost.add(ONE)
    assert talk.where(b"a") == NOBODY


@pytest.mark.parametrize("giver", [ROOT, OTHER])
def test_returned_task_is_forgotten_when_its_next_worker_is_lost(talk, giver):
    """The root does this: it requests a task while it receives another, keeps one, and returns the other."""
    for task in (b"a", b"b"):
        talk.gives(ROOT, task)
    assert talk.where(b"b") == HERE
    for task in (b"a", b"b"):
        talk.asks(giver)
        talk.gets(giver, task)
    talk.gives(giver, b"a")
    talk.asks(ONE)
    talk.gets(ONE, b"a")
    assert (talk.where(b"a"), talk.where(b"b")) == (GIVEN, GIVEN)
    talk.broker.lost.add(ONE)
    assert (talk.where(b"a"), talk.where(b"b")) == (NOBODY, GIVEN)


def test_root_receives_one_task_after_all_waiting_workers(talk):
    talk.asks(ROOT)
    talk.asks(ROOT)
    talk.asks(ONE)
    assert talk.where(b"a") == NOBODY, "the broker has heard the root, and no other way tells of the one"
    wait_for(lambda: talk.broker.available_workers)
    for task in (b"a", b"b", b"c"):
        talk.gives(ROOT, task)
    talk.gets(ONE, b"a")
    talk.gets(ROOT, b"b")
    assert talk.where(b"c") == HERE


def test_message_to_an_unknown_worker_is_ignored(talk):
    talk.broker.available_workers.append(b"stranger")
    talk.gives(ROOT, b"a")
    assert talk.where(b"a") == NOBODY
    assert b"stranger" in talk.broker.lost
