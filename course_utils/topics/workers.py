"""Several worker processes on this machine, as a cluster would start them on several.

    finished = workers.run(script, count=2, folder=work)
    print(finished[0].printed)

Each process runs the same script and is told by `TF_CONFIG` who the others are and which of them it is; that is all that
`devices.create_strategy` needs to return a MultiWorkerMirroredStrategy. A cluster's scheduler sets the same variable on each machine.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from course_utils import surroundings
from course_utils.checking import at_least, between


class Finished(NamedTuple):
    """How a worker ended."""

    code: int  # 0: as it should; negative: the signal that killed it (Windows knows none)
    printed: str  # its standard output
    errors: str  # its standard error


def tf_config(addresses, index):
    """Return the text of `TF_CONFIG` for worker `index`; the list of addresses is the same for all.

    Args:
        addresses: "host:port" of every worker, in the same order everywhere.
        index: which of them this process is, from 0. Worker 0 is also the chief: it saves what is saved once.
    """
    addresses = list(addresses)
    between(0, len(addresses) - 1, index=index)
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})


def variables(addresses, index):
    """Return the environment variables of worker `index` on this machine: ours, cleaned, and its `TF_CONFIG`."""
    # One replica per process.
    kept = {name: value for name, value in os.environ.items() if name != "COURSE_CPU_REPLICAS"}
    return {**surroundings.clean(kept), "TF_CONFIG": tf_config(addresses, index), "PYTHONIOENCODING": "utf-8"}


def free_addresses(count):
    """Return "127.0.0.1:port" for `count` ports that nobody uses at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{opened.getsockname()[1]}" for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()


def run(script, count, folder, arguments=(), timeout=180.0):
    """Run `count` copies of a Python script as the workers of one training, and wait for all of them.

    Args:
        script: the text of the script; it is written to `folder`/worker.py, and may import course_utils.
        count: number of worker processes, at least 1. Each needs about 0.7 GB: TensorFlow is loaded once per process.
        folder: an existing folder, the processes' working directory.
        arguments: texts, the script's `sys.argv[1:]`, the same for all.
        timeout: seconds until those still running are killed (their `code` says so).

    Returns: a list of `Finished`, worker 0 first. Nothing is raised when a worker fails: that may be the experiment.
    """
    at_least(1, count=count)
    path = Path(folder) / "worker.py"
    path.write_text(script, encoding="utf-8")
    addresses, processes = free_addresses(count), []
    deadline = time.monotonic() + timeout
    try:
        for index in range(count):
            processes.append(
                subprocess.Popen(
                    [sys.executable, path.name, *map(str, arguments)],
                    cwd=folder,
                    env=variables(addresses, index),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    encoding="utf-8",
                    errors="replace",
                )
            )
        return [_wait(process, deadline) for process in processes]
    finally:
        for process in processes:  # after Ctrl-C: nobody is left behind
            if process.poll() is None:
                process.kill()
                process.communicate()


def _wait(process, deadline):
    try:
        printed, errors = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        printed, errors = process.communicate()
    return Finished(process.returncode, printed, errors)
