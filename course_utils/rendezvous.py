"""Workers find each other before TensorFlow starts: who is missing is named, and nobody waits for ever.

    rendezvous.meet(["host1:12345", "host2:12345"], index=0, facts={"devices": 1})

TensorFlow's own start-up waits in silence for a worker that does not come. So each worker first opens its own port for
a moment, asks all others and answers them; a worker goes on when it has heard all and all have heard it. Standard
library only.
"""

import contextlib
import json
import os
import socket
import socketserver
import threading
import time

MOST_BYTES = 1_000_000


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
    with _answering(addresses[index], mine, told):
        while set(heard) != others or not told >= others:
            for number in sorted(others - set(heard)):
                said = _asked(addresses[number], mine)
                if said is not None:
                    heard[number] = said
            if time.monotonic() > deadline:
                missing = [addresses[number] for number in sorted(others - (set(heard) & told))]
                raise TimeoutError(
                    f"等了 {seconds:g} 秒，这些工作进程没有来 · after {seconds:g} seconds these workers have not come: "
                    f"{', '.join(missing)}. 请看看它们是否启动、地址与端口是否可达 · Were they started, and can their "
                    "addresses be reached? (COURSE_WORKER_SECONDS=… 改变等待时间 · changes how long to wait)"
                )
            time.sleep(0.05)
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


@contextlib.contextmanager
def _answering(address, mine, told):
    """Answer whoever asks, in threads, and add to `told` the index of each that has confirmed the answer."""

    class Answer(socketserver.StreamRequestHandler):
        timeout = 5

        def handle(self):
            with contextlib.suppress(
                OSError, ValueError, KeyError, TypeError
            ):  # a scanner, or one that gave up
                said = json.loads(self.rfile.readline(MOST_BYTES))
                self.wfile.write(_line(mine))
                if self.rfile.readline(MOST_BYTES) == _line("heard"):
                    told.add(said["index"])

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True  # a port that was closed a moment ago; one in use still fails
        daemon_threads = True

    port = int(address.rpartition(":")[2])
    try:
        server = Server(("", port), Answer)
    except OSError as error:
        raise ValueError(
            f"端口 {port} 被占用或不可用，请换一个 · port {port} of this worker ({address}) is in use or not allowed, "
            f"choose another ({error})"
        ) from error
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def _asked(address, mine):
    """Return what the worker at an address says, after it has been told what this one says; None: not there yet."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=5.0) as connection:
            connection.sendall(_line(mine))
            with connection.makefile("rb") as answers:
                said = json.loads(answers.readline(MOST_BYTES))
            connection.sendall(_line("heard"))
            return said
    except (OSError, ValueError):
        return None


def _line(content):
    return json.dumps(content).encode() + b"\n"
