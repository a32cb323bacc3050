"""Which strategy is chosen and why; what the machine is called; how memory is measured."""

import getpass
import json
import os
import platform
import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest

from course_utils import devices

ROOT = Path(__file__).resolve().parents[2]


def run(code, **environment):
    """Output of a fresh process: TensorFlow's devices are fixed once per process."""
    clean = {
        key: value for key, value in os.environ.items() if key not in ("TF_CONFIG", "COURSE_CPU_REPLICAS")
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**clean, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )


@pytest.fixture
def fresh(monkeypatch):
    """This process as if no strategy had been chosen yet, nor any asked for."""
    for name in ("TF_CONFIG", "COURSE_CPU_REPLICAS", "COURSE_ALL_REDUCE", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    devices._choice.cache_clear()
    yield monkeypatch
    devices._choice.cache_clear()


def test_default_strategy_and_description(fresh, capsys):
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("a machine with GPUs")
    strategy = devices.create_strategy()
    assert strategy is devices.create_strategy() is tf.distribute.get_strategy()
    assert devices.describe() is None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["processor", "devices", "strategy", "why"]
    assert "default    replicas: 1" in lines[2] and "no GPU or TPU" in lines[3]


def test_two_simulated_replicas():
    """Also: seeding Keras first, as a chapter does, leaves the devices free; asking for a missing TPU does not hang."""
    result = run(
        "import keras; keras.utils.set_random_seed(0)\n"
        "from course_utils import devices\n"
        "print(devices.create_strategy().num_replicas_in_sync, devices.create_strategy() is devices.create_strategy())\n"
        "devices.describe()\n"
        "print('TPU', devices._tpu())",
        COURSE_CPU_REPLICAS="2",
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.startswith("2 True\n")
    assert "2 CPU" in result.stdout and "MirroredStrategy    replicas: 2" in result.stdout
    assert "COURSE_CPU_REPLICAS=2" in result.stdout and "TPU None" in result.stdout


def test_too_late_for_replicas_says_what_to_do(fresh):
    """This process gets a tensor first; then the devices cannot be arranged any more."""
    import tensorflow as tf

    tf.constant(1.0)
    fresh.setenv("COURSE_CPU_REPLICAS", "3")
    with pytest.raises(RuntimeError, match="restart the kernel"):
        devices.create_strategy()


@pytest.mark.parametrize("text", ["two", "0", "-1", "1.5", "1000"])
def test_unreadable_number_of_replicas(fresh, text):
    fresh.setenv("COURSE_CPU_REPLICAS", text)
    with pytest.raises(ValueError, match=f"whole number from 1 to 64, found '{text}'"):
        devices.create_strategy()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1", "b:1"]}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": 3}}',
        '{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b:1"], "ps": ["c:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_unreadable_tf_config(fresh, text):
    fresh.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="TF_CONFIG cannot be read"):
        devices.create_strategy()


def test_one_worker_is_no_cluster(fresh):
    """Some cloud platforms set TF_CONFIG for a single machine too."""
    fresh.setenv("TF_CONFIG", '{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}')
    assert devices._workers() == 1
    assert devices.create_strategy().num_replicas_in_sync >= 1


@pytest.fixture
def two_gpus(fresh):
    """TensorFlow's answers replaced, as no GPU is here: this shows the choice, not that it runs."""
    import tensorflow as tf

    gpus = [types.SimpleNamespace(name=f"GPU:{index}") for index in range(2)]
    fresh.setattr(tf.config, "list_physical_devices", lambda kind=None: gpus if kind == "GPU" else [])
    fresh.setattr(devices, "_tpu_is_plausible", lambda: False)
    fresh.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, growth: None)
    return gpus


@pytest.mark.parametrize("wish, kind", [(None, None), ("nccl", None), ("one_device", "ReductionToOneDevice")])
def test_several_gpus_give_a_mirrored_strategy_that_adds_up_all_of_them(two_gpus, fresh, wish, kind):
    import tensorflow as tf

    made = []
    fresh.setattr(tf.distribute, "MirroredStrategy", lambda *a, **k: made.append(k) or "mirrored")
    if wish:
        fresh.setenv("COURSE_ALL_REDUCE", wish)
    assert devices.create_strategy() == "mirrored"
    chosen = made[0]["cross_device_ops"]  # None: TensorFlow's own choice, NCCL
    assert (type(chosen).__name__ if chosen else None) == kind


def test_an_unknown_all_reduce_is_refused(two_gpus, fresh):
    fresh.setenv("COURSE_ALL_REDUCE", "hierarchical")
    with pytest.raises(ValueError, match="must be nccl or one_device, found 'hierarchical'"):
        devices.create_strategy()


def test_why_not_the_hierarchical_all_reduce():
    """TensorFlow's function on three devices leaves the last gradient out; the day it does not, the remark may go."""
    result = run(
        "import tensorflow as tf\n"
        "from tensorflow.python.distribute import cross_device_utils\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)\n"
        "for count in (2, 3):\n"
        "    names = [f'/cpu:{index}' for index in range(count)]\n"
        "    gradients = [[(tf.constant(10.0**index), None)] for index in range(count)]\n"
        "    sums = cross_device_utils.aggregate_gradients_using_hierarchical_copy(names, gradients)\n"
        "    print([float(gradient) for ((gradient, _),) in sums])"
    )
    assert result.stdout.split("\n")[:2] == ["[11.0, 11.0]", "[11.0, 11.0, 11.0]"], result.stderr[-2000:]


def test_gpus_grow_and_multiply_in_full_precision(two_gpus, fresh):
    import tensorflow as tf

    grown, precision = [], []
    fresh.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu, on)))
    fresh.setattr(tf.config.experimental, "enable_tensor_float_32_execution", precision.append)
    fresh.delenv("COURSE_TF32", raising=False)
    assert devices.arrange_gpus() == two_gpus
    fresh.setenv("COURSE_TF32", "1")
    devices.arrange_gpus()
    assert grown == [(gpu, True) for gpu in two_gpus] * 2
    assert precision == [False, True]


def test_every_chapter_arranges_its_gpus():
    """`quiet` is the first import of every chapter, and the one place where this happens."""
    result = run(
        "from course_utils import devices\n"
        "devices.arrange_gpus = lambda: print('arranged')\n"
        "from course_utils import quiet"
    )
    assert result.stdout == "arranged\n", result.stderr[-2000:]


# ---------------------------------------------------------------- Slurm


@pytest.fixture
def slurm(fresh):
    """The second of four tasks on two nodes, as `srun` tells it."""
    for name, value in {
        "SLURM_STEP_NUM_TASKS": "4",
        "SLURM_PROCID": "1",
        "SLURM_LOCALID": "1",
        "SLURM_STEP_NODELIST": "node[07-08]",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
        "SLURM_JOB_ID": "40007",
    }.items():
        fresh.setenv(name, value)
    fresh.delenv("SLURM_GPUS_PER_TASK", raising=False)
    return fresh


def test_slurm_tasks_become_workers(slurm):
    resolver = devices._slurm_resolver([])
    assert devices._slurm_tasks() == 4
    assert resolver.cluster_spec().as_dict() == {
        "worker": ["node07:12007", "node07:12008", "node08:12007", "node08:12008"]
    }
    assert (resolver.task_type, resolver.task_id) == ("worker", 1)


def test_slurms_tasks_are_numbered_in_slurms_order_of_the_hosts(slurm):
    """Sorted by name, n10 would come before n9, and the first task, on n9, would be told that it is n10."""
    slurm.setenv("SLURM_STEP_NODELIST", "n[9-10]")
    addresses = ["n9:12007", "n9:12008", "n10:12007", "n10:12008"]
    assert devices._slurm_resolver([]).cluster_spec().as_dict() == {"worker": addresses}


@pytest.mark.parametrize("count", [0, 1, 4])
def test_the_strategy_is_told_as_many_gpus_as_a_slurm_task_sees(slurm, count):
    import tensorflow as tf

    slurm.setattr(tf.config, "get_visible_devices", lambda kind: ["a GPU"] * count)
    assert devices._slurm_resolver([]).num_accelerators() == {"GPU": count}


def test_slurm_is_handed_to_the_strategy_once_all_have_met(slurm):
    import tensorflow as tf

    met = []
    slurm.setattr(devices.rendezvous, "meet", lambda *arguments: met.append(arguments))
    slurm.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda cluster_resolver: cluster_resolver)
    resolver = devices.create_strategy()
    assert (resolver.task_type, resolver.task_id) == ("worker", 1)
    ((addresses, index, facts),) = met
    assert addresses[index] == "node07:12008" and facts["GPUs"] == 0


def test_tasks_on_one_node_share_its_gpus(slurm, two_gpus):
    import tensorflow as tf

    taken = []
    slurm.setattr(tf.config, "set_visible_devices", lambda gpus, kind: taken.append(gpus))
    devices._slurm_resolver(two_gpus)
    slurm.setenv("SLURM_GPUS_PER_TASK", "2")  # Slurm has shared them out already
    devices._slurm_resolver(two_gpus)
    assert taken == [[two_gpus[1]]]


def test_an_incomplete_slurm_step_is_refused(slurm):
    slurm.delenv("SLURM_PROCID")
    with pytest.raises(ValueError, match="SLURM_PROCID missing: start with srun, or set TF_CONFIG"):
        devices.create_strategy()


def test_a_batch_script_without_srun_is_one_process(fresh):
    fresh.setenv("SLURM_NTASKS", "4")
    fresh.delenv("SLURM_STEP_NUM_TASKS", raising=False)
    assert devices._slurm_tasks() == 0
    assert devices.create_strategy().num_replicas_in_sync >= 1


def test_who_is_the_chief():
    def worker(kind, index, jobs):
        spec = types.SimpleNamespace(as_dict=lambda: dict.fromkeys(jobs, ["a:1", "b:1"]))
        resolver = types.SimpleNamespace(cluster_spec=lambda: spec, task_type=kind, task_id=index)
        return types.SimpleNamespace(cluster_resolver=resolver)

    assert devices.is_chief(types.SimpleNamespace(cluster_resolver=None))
    assert devices.is_chief(worker("worker", 0, ["worker"]))
    assert not devices.is_chief(worker("worker", 1, ["worker"]))
    assert devices.is_chief(worker("chief", 0, ["chief", "worker"]))
    assert not devices.is_chief(worker("worker", 0, ["chief", "worker"]))


def test_a_tpu_is_asked_for_only_when_plausible(fresh):
    import tensorflow as tf

    asked = []
    fresh.setattr(devices, "_tpu", lambda: asked.append(1))
    fresh.setattr(devices.glob, "glob", lambda pattern: [])
    for sign in ("TPU_NAME", "TPU_WORKER_ID", "TPU_ACCELERATOR_TYPE", "COLAB_TPU_ADDR"):
        fresh.delenv(sign, raising=False)
    fresh.delenv("TPU_CHIPS_PER_HOST_BOUNDS", raising=False)
    devices.create_strategy()
    assert asked == []
    devices._choice.cache_clear()
    fresh.setenv("TPU_WORKER_ID", "0")
    # Plausible, but _tpu finds none: the default strategy, no error.
    assert devices.create_strategy() is tf.distribute.get_strategy()
    assert asked == [1]


def test_hardware_names_the_machine_but_nobody(monkeypatch):
    for module, function in ((platform, "node"), (socket, "gethostname"), (getpass, "getuser")):
        monkeypatch.setattr(module, function, lambda: "somebody")
    found = devices.hardware()
    assert set(found) == {"system", "cpu", "cores", "memory_gb", "accelerators"}
    assert found["cpu"] and found["cores"] >= 1 and found["memory_gb"] > 0.5
    text = json.dumps(found)
    assert "somebody" not in text and str(Path.home()) not in text


def test_hardware_does_not_import_tensorflow():
    result = run("import sys\nfrom course_utils import devices\ndevices.hardware()\n"
                 "print('tensorflow' in sys.modules)")  # fmt: skip
    assert result.stdout.strip() == "False", result.stderr[-2000:]


def test_peak_memory_is_this_process_own_and_counts_bytes_of_1e9():
    """A child that touches 300 MB shows them after it has freed them; an idle child of this large process does not."""
    code = "from course_utils import machine\n{}\nprint(machine.peak_memory_gb())"
    idle = float(run(code.format("")).stdout)
    used = float(run(code.format("block = b'x' * 300_000_000; del block")).stdout)
    assert 0.003 < idle < 0.15
    assert 0.28 < used - idle < 0.35
