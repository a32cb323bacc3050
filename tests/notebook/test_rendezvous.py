"""Workers that meet, that do not come, that contradict each other: each with the error that helps."""

import json
import socket
import threading

import pytest

from course_utils import rendezvous
from course_utils.topics import workers


def meet_all(addresses, facts, seconds=20.0, indices=None):
    """What each worker's meeting ended with, run side by side: a list of facts or the exception."""
    ends = {}

    def one(index):
        try:
            ends[index] = rendezvous.meet(addresses, index, facts[index], seconds)
        except Exception as error:
            ends[index] = error

    indices = range(len(addresses)) if indices is None else indices
    threads = [threading.Thread(target=one, args=(index,)) for index in indices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def test_all_workers_meet_and_free_their_ports():
    addresses = workers.free_addresses(3)
    ends = meet_all(addresses, [{"GPUs": 0}] * 3)
    assert ends == dict.fromkeys(range(3), [{"GPUs": 0}] * 3)
    for address in addresses:  # TensorFlow comes next, on the same ports
        socket.create_server(("", int(address.split(":")[1]))).close()


def test_a_worker_that_does_not_come_is_named():
    addresses = workers.free_addresses(3)
    ends = meet_all(addresses, [{}] * 3, seconds=1.0, indices=[0, 2])
    for error in ends.values():
        assert isinstance(error, TimeoutError)
        assert addresses[1] in str(error) and addresses[0] not in str(error)
        assert "COURSE_WORKER_SECONDS" in str(error)


def test_unequal_devices_are_refused_by_all():
    ends = meet_all(workers.free_addresses(2), [{"GPUs": 4}, {"GPUs": 2}])
    for error in ends.values():
        assert isinstance(error, ValueError) and "contradict" in str(error)
        assert "{'GPUs': 4}" in str(error) and "{'GPUs': 2}" in str(error)


def test_unequal_lists_of_addresses_are_refused():
    first, second = workers.free_addresses(2)
    ends = {}

    def one(index, addresses):
        with pytest.raises(ValueError, match="contradict") as error:
            rendezvous.meet(addresses, index, {}, 20.0)
        ends[index] = error

    threads = [
        threading.Thread(target=one, args=(0, [first, second])),
        threading.Thread(target=one, args=(1, [first.replace("127.0.0.1", "localhost"), second])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(ends) == {0, 1}


def test_a_port_in_use_is_named():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port} of this worker .* is in use"):
            rendezvous.meet([f"127.0.0.1:{port}", "127.0.0.1:1"], 0, {}, 5.0)


def test_a_stranger_who_knocks_changes_nothing():
    addresses = workers.free_addresses(2)
    host, port = addresses[0].split(":")
    ends = {}
    first = threading.Thread(target=lambda: ends.update(meet_all(addresses, [{}] * 2, indices=[0])))
    first.start()
    for content in (b"GET / HTTP/1.0\r\n\r\n", b"", json.dumps([]).encode() + b"\n"):
        for _ in range(50):
            try:
                with socket.create_connection((host, int(port)), timeout=1) as connection:
                    connection.sendall(content)
                break
            except OSError:
                threading.Event().wait(0.05)
    ends.update(meet_all(addresses, [{}] * 2, indices=[1]))
    first.join()
    assert ends == {0: [{}, {}], 1: [{}, {}]}


@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf", "nan"])
def test_an_unreadable_patience(monkeypatch, text):
    monkeypatch.setenv("COURSE_WORKER_SECONDS", text)
    with pytest.raises(ValueError, match="number of seconds above 0"):
        rendezvous.seconds_to_wait()
