"""Worker processes: who they are told to be, what comes back from them, and that none is left behind."""

import json
import time

import pytest

from course_utils import devices
from course_utils.topics import workers

ECHO = """
import os, sys
print(os.environ["TF_CONFIG"], sys.argv[1:], os.environ.get("COURSE_CPU_REPLICAS"))
print("中文", file=sys.stderr)
"""


def test_each_worker_is_told_the_same_addresses_and_its_own_number(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CPU_REPLICAS", "2")
    finished = workers.run(ECHO, count=3, folder=tmp_path, arguments=["a b", 7])
    told = [json.loads(worker.printed.partition("} [")[0] + "}") for worker in finished]
    assert [worker["task"] for worker in told] == [{"type": "worker", "index": n} for n in range(3)]
    addresses = [worker["cluster"]["worker"] for worker in told]
    assert addresses[0] == addresses[1] == addresses[2] and len(set(addresses[0])) == 3
    assert all(worker.code == 0 and "['a b', '7'] None" in worker.printed for worker in finished)
    assert all("中文" in worker.errors for worker in finished)


def test_a_worker_that_fails_is_reported_and_does_not_raise(tmp_path):
    script = "import json, os, sys\nsys.exit(3 * json.loads(os.environ['TF_CONFIG'])['task']['index'])"
    assert [worker.code for worker in workers.run(script, count=2, folder=tmp_path)] == [0, 3]


def test_workers_that_hang_are_killed(tmp_path):
    begin = time.monotonic()
    finished = workers.run(
        "import time\nprint('here', flush=True)\ntime.sleep(600)", count=2, folder=tmp_path, timeout=3
    )
    assert time.monotonic() - begin < 60
    assert all(worker.code != 0 for worker in finished)


ADD_UP = """
import tensorflow as tf
from course_utils import devices
strategy = devices.create_strategy()
print(float(strategy.reduce("SUM", strategy.run(lambda: tf.constant(1.0)), axis=None)))
"""


def test_workers_find_each_other_behind_a_proxy(tmp_path, monkeypatch):
    """A proxy for everything, as a company sets it: sent to it, the workers' messages would be lost."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    finished = workers.run(ADD_UP, count=2, folder=tmp_path)
    assert [(worker.code, worker.printed.strip()) for worker in finished] == [(0, "2.0")] * 2, finished


def test_an_interrupted_run_leaves_no_process_behind(tmp_path, monkeypatch):
    started = []

    def interrupted(process, deadline):
        started.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(workers, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        workers.run("import time\ntime.sleep(600)", count=1, folder=tmp_path)
    assert started[0].poll() is not None


def test_the_configuration_is_what_create_strategy_reads(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", workers.tf_config(["a:1", "b:2", "c:3"], 2))
    assert devices._workers() == 3


@pytest.mark.parametrize("index", [-1, 2])
def test_a_number_outside_the_cluster_is_refused(index):
    with pytest.raises(ValueError, match="from 0 to 1"):
        workers.tf_config(["a:1", "b:2"], index)


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="count: .*at least 1; found 0"):
        workers.run(ECHO, count=0, folder=tmp_path)
