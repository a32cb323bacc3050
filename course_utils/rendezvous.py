"""Workers find each other before TensorFlow starts: who is missing is named, and nobody waits for ever.

    rendezvous.meet(["host1:12345", "host2:12345"], index=0, facts={"devices": 1})

TensorFlow's own start-up waits in silence for a worker that does not come. So each worker first opens its own port for
a moment, asks all others and answers them; a worker goes on when it has heard all and all have heard it. Standard
library only.
"""

import json
import os
import selectors
import socket
import time


def seconds_to_wait():
    """Return how long to wait for the other workers: `COURSE_WORKER_SECONDS`, 300 unless set.

    Raises:
        ValueError: not a number above 0.
    """
    text = os.environ.get("COURSE_WORKER_SECONDS", "").strip() or "300"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(
            "COURSE_WORKER_SECONDS 应为正的秒数 · COURSE_WORKER_SECONDS must be a number of seconds above 0, "
            f"found {text!r}"
        )
    return seconds


def meet(addresses, index, facts, seconds=None):
    """Return the facts of all workers, in the order of their addresses, once all of them have met.

    Args:
        addresses: "host:port" of every worker, the same list in each.
        index: which of them this process is.
        facts: what the others shall know, JSON; all workers have to say the same.
        seconds: until a worker that does not come is given up; `seconds_to_wait()` unless given.

    Raises:
        ValueError: this worker's port is taken, or the workers were told different things (lists of addresses, facts).
        TimeoutError: workers did not come; their addresses are named.
    """
    seconds = seconds_to_wait() if seconds is None else seconds
    mine = {"index": index, "addresses": list(addresses), "facts": facts}
    others = set(range(len(addresses))) - {index}
    heard, told = {}, set()
    deadline = time.monotonic() + seconds
    with _listening(addresses[index]) as server, selectors.DefaultSelector() as ready:
        ready.register(server, selectors.EVENT_READ)
        while len(heard) < len(others) or len(told) < len(others):
            for number in sorted(others - set(heard)):
                said = _asked(addresses[number], mine)
                if said is not None:
                    heard[number] = said
            if ready.select(timeout=0.1):
                told |= _answered(server, mine) & others
            if time.monotonic() > deadline:
                missing = [addresses[number] for number in sorted(others - (set(heard) & told))]
                raise TimeoutError(
                    f"等了 {seconds:g} 秒，这些工作进程没有来 · after {seconds:g} seconds these workers have not come: "
                    f"{', '.join(missing)}. 请看看它们是否启动、地址与端口是否可达 · Were they started, and can their "
                    "addresses be reached? (COURSE_WORKER_SECONDS=… 改变等待时间 · changes how long to wait)"
                )
    _expect_alike(mine, heard)
    return [mine["facts"] if number == index else heard[number]["facts"] for number in range(len(addresses))]


def _expect_alike(mine, heard):
    for number, said in sorted(heard.items()):
        for what in ("addresses", "facts"):
            if said.get("index") != number or said.get(what) != mine[what]:
                raise ValueError(
                    "各工作进程的设置互相矛盾 · the workers contradict each other: "
                    f"worker {mine['index']} says {what} {mine[what]}, worker {number} ({said.get('index')}) "
                    f"says {said.get(what)}"
                )


def _listening(address):
    port = int(address.rpartition(":")[2])
    try:
        # No SO_REUSEPORT: a second process on this port has to fail here.
        return socket.create_server(("", port), backlog=64)
    except OSError as error:
        raise ValueError(
            f"端口 {port} 被占用或不可用，请换一个 · port {port} of this worker ({address}) is in use or not allowed, "
            f"choose another ({error})"
        ) from error


def _asked(address, mine):
    """Return what the worker at an address says, after it has been told what this one says; None: not there yet."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=1.0) as connection:
            connection.sendall(json.dumps(mine).encode() + b"\n")
            return json.loads(_line(connection))
    except (OSError, ValueError):
        return None


def _answered(server, mine):
    """Answer one worker that asks; return a set with its index."""
    connection, _ = server.accept()
    with connection:
        try:
            connection.settimeout(1.0)
            said = json.loads(_line(connection))
            connection.sendall(json.dumps(mine).encode() + b"\n")
            return {said["index"]}
        except (OSError, ValueError, KeyError, TypeError):  # a scanner, or one that gave up
            return set()


def _line(connection):
    received = b""
    while not received.endswith(b"\n") and len(received) < 1_000_000:
        part = connection.recv(65536)
        if not part:
            break
        received += part
    return received.decode("utf-8")
