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
        timeout=120,
    )


@pytest.fixture
def fresh(monkeypatch):
    """This process as if no strategy had been chosen yet, nor any asked for."""
    for name in ("TF_CONFIG", "COURSE_CPU_REPLICAS"):
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
    assert [line.split(":")[0] for line in lines] == [
        "处理器 · processor", "设备 · devices", "策略 · strategy", "原因 · why",
    ]  # fmt: skip
    assert "default    副本 · replicas: 1" in lines[2] and "没有 GPU 或 TPU · no GPU or TPU" in lines[3]


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
    assert "2 CPU" in result.stdout and "MirroredStrategy    副本 · replicas: 2" in result.stdout
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


def test_several_gpus_give_a_mirrored_strategy_with_growing_memory(fresh):
    """No GPU here: TensorFlow's answers are replaced, so this shows the choice and not that it runs."""
    import tensorflow as tf

    grown, made = [], []
    gpus = [types.SimpleNamespace(name=f"GPU:{index}") for index in range(2)]
    fresh.setattr(tf.config, "list_physical_devices", lambda kind=None: gpus if kind == "GPU" else [])
    fresh.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, growth: grown.append((gpu, growth))
    )
    fresh.setattr(tf.distribute, "MirroredStrategy", lambda *a, **k: made.append(k) or "mirrored")
    fresh.setattr(devices, "_tpu_is_plausible", lambda: False)
    assert devices.create_strategy() == "mirrored"
    assert grown == [(gpus[0], True), (gpus[1], True)]
    assert isinstance(made[0]["cross_device_ops"], tf.distribute.HierarchicalCopyAllReduce)


def test_a_tpu_is_asked_for_only_when_plausible(fresh):
    import tensorflow as tf

    asked = []
    fresh.setattr(devices, "_tpu", lambda: asked.append(1))
    fresh.setattr(devices.glob, "glob", lambda pattern: [])
    fresh.setattr(devices.importlib.util, "find_spec", lambda name: None)
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
