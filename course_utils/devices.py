"""From the machine to a `tf.distribute` strategy, and the machine in words.

    from course_utils import devices
    strategy = devices.create_strategy()
    devices.describe()
    with strategy.scope():
        model = keras.Sequential([...])

The same three lines serve a laptop, several GPUs, a TPU and several machines. Asked for beats found:

1. `TF_CONFIG` that lists two or more workers -> MultiWorkerMirroredStrategy
2. `COURSE_CPU_REPLICAS=2` (any number) -> MirroredStrategy over so many logical devices of one CPU: simulated replicas,
   to learn with; they prove that the arithmetic is right and are slower than one device, not faster
3. a TPU -> TPUStrategy
4. several GPUs -> MirroredStrategy
5. otherwise TensorFlow's default strategy, on the GPU if there is one

1, 2 and 5 are tested; 3 and 4 follow TensorFlow's documentation and were not run on real TPUs or several real GPUs.
`create_strategy` has to come before the first tensor: TensorFlow fixes its devices then.
"""

import functools
import glob
import importlib.util
import json
import os
import platform
import sys

from course_utils import machine


def create_strategy():
    """Return this process's one `tf.distribute` strategy; every call returns the same object.

    One object a process, because with TensorFlow's default collectives a second MirroredStrategy whose model has another
    size breaks the collectives of both ("Shape mismatch in the collective instance").

    Raises:
        ValueError: `TF_CONFIG` or `COURSE_CPU_REPLICAS` is not readable.
        RuntimeError: tensors exist already and the devices can no longer be arranged (restart the kernel).
    """
    return _choice()[0]


@functools.lru_cache(maxsize=1)
def _choice():
    """(strategy, why in Chinese, why in English). Cached: `create_strategy` and `describe` speak of the same object."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        try:
            # Otherwise the first notebook takes all of the GPU's memory and the second one fails.
            tf.config.experimental.set_memory_growth(gpu, True)
        except (RuntimeError, ValueError):  # in use already, or arranged by the user: leave it
            pass

    workers = _workers()
    if workers > 1:
        strategy = _before_first_tensor("TF_CONFIG", tf.distribute.MultiWorkerMirroredStrategy)
        return strategy, f"TF_CONFIG 列出 {workers} 个工作进程", f"TF_CONFIG lists {workers} workers"

    replicas = _simulated_replicas()
    if replicas > 1:
        _before_first_tensor("COURSE_CPU_REPLICAS", _split_cpu, replicas)
        # NCCL, the default elsewhere, has no CPU kernel; summing on one device works on every system.
        strategy = tf.distribute.MirroredStrategy(
            [f"CPU:{index}" for index in range(replicas)],
            cross_device_ops=tf.distribute.ReductionToOneDevice(),
        )
        reason_zh = f"COURSE_CPU_REPLICAS={replicas}：在一个 CPU 上模拟多个副本，用于学习，不会更快"
        return (
            strategy,
            reason_zh,
            f"COURSE_CPU_REPLICAS={replicas}: simulated on one CPU, to learn, not faster",
        )

    resolver = _tpu() if _tpu_is_plausible() else None
    if resolver is not None:
        return tf.distribute.TPUStrategy(resolver), "找到 TPU", "a TPU was found"

    if len(gpus) > 1:
        # Works without NCCL (Windows has none) and for every model size.
        strategy = tf.distribute.MirroredStrategy(cross_device_ops=tf.distribute.HierarchicalCopyAllReduce())
        return strategy, f"找到 {len(gpus)} 个 GPU", f"{len(gpus)} GPUs were found"

    found = "一个 GPU · one GPU" if gpus else "没有 GPU 或 TPU · no GPU or TPU"
    return tf.distribute.get_strategy(), *found.split(" · ")


def _workers():
    """How many processes TF_CONFIG's cluster trains with; 0 without TF_CONFIG."""
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return 0
    try:
        configuration = json.loads(text)
        cluster = configuration.get("cluster", {})
        count = sum(len(cluster.get(job, ())) for job in ("chief", "worker"))
        if count > 1:
            task = configuration["task"]
            if not 0 <= int(task["index"]) < len(cluster[task["type"]]):
                raise ValueError(f"task {task} is not in the cluster")
        return count
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            "TF_CONFIG 无法解析 · TF_CONFIG cannot be read "
            f"({type(error).__name__}: {error}); expected, for the first of two workers, "
            '{"cluster": {"worker": ["host1:port", "host2:port"]}, "task": {"type": "worker", "index": 0}}'
        ) from error


def _simulated_replicas():
    text = os.environ.get("COURSE_CPU_REPLICAS", "").strip()
    if not text:
        return 0
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise ValueError(
            "COURSE_CPU_REPLICAS 应为 1 到 64 的整数 · COURSE_CPU_REPLICAS must be a whole number from 1 to 64, "
            f"found {text!r}"
        )
    return int(text)


def _split_cpu(replicas):
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)


def _before_first_tensor(what, function, *arguments):
    """Calls `function`; TensorFlow's refusal to rearrange devices in use becomes advice."""
    try:
        return function(*arguments)
    except RuntimeError as error:
        raise RuntimeError(
            f"{what}：TensorFlow 已经启动，无法再安排设备；请重启内核，并在创建任何张量或模型之前调用 create_strategy() · "
            "TensorFlow has started and its devices can no longer be arranged: restart the kernel and call "
            f"create_strategy() before the first tensor or model ({error})"
        ) from error


def _tpu_is_plausible():
    """Whether asking for a TPU makes sense. Without these signs the question would cost 0.4 s for nothing.

    It is never asked for by name: a name that no machine answers to waits for minutes.
    """
    signs = (
        "TPU_NAME",
        "TPU_WORKER_ID",
        "TPU_ACCELERATOR_TYPE",
        "COLAB_TPU_ADDR",
        "TPU_CHIPS_PER_HOST_BOUNDS",
    )
    return (
        any(os.environ.get(sign) for sign in signs)
        or bool(glob.glob("/dev/accel[0-9]*"))
        or importlib.util.find_spec("libtpu") is not None
    )


def _tpu():
    """The TPU of this very machine, initialised; None without one."""
    import tensorflow as tf

    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return resolver
    except (ValueError, tf.errors.NotFoundError):
        return None


def describe():
    """Print, a line each in two languages: devices, strategy, replicas, and why this strategy was chosen.

    Depends on the machine: tag the cell `nbval-ignore-output`.
    """
    import tensorflow as tf

    strategy, reason_zh, reason = _choice()
    devices = {}
    for device in tf.config.list_logical_devices():
        devices.setdefault(device.device_type, []).append(device)
    counted = ", ".join(
        f"{len(found)} {kind}" for kind, found in sorted(devices.items()) if "SYSTEM" not in kind
    )
    replicas = strategy.num_replicas_in_sync
    strategy_name = type(strategy).__name__.lstrip("_").replace("DefaultDistributionStrategy", "default")
    print(
        f"处理器 · processor: {_cpu_model()}, {machine.cores()} 核 · cores, {machine.memory_gb()[0]:.1f} GB"
    )
    print(f"设备 · devices: {counted}" + "".join(f"; {name}" for name in _accelerators()))
    print(f"策略 · strategy: {strategy_name}    副本 · replicas: {replicas}")
    print(f"原因 · why: {reason_zh} · {reason}")


def hardware():
    """The machine in a small dict for result files: what explains a time or a last digit, nothing that names anybody.

    Keys: `system` ("Linux x86_64"), `cpu` (model), `cores` (that this process may use), `memory_gb` (1e9 bytes),
    `accelerators` (list of GPU or TPU names; [] when TensorFlow has not been imported in this process).
    """
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": machine.cores(),
        "memory_gb": round(machine.memory_gb()[0], 1),
        "accelerators": _accelerators(),
    }


def _accelerators():
    tf = sys.modules.get("tensorflow")  # importing it takes seconds; whoever trains has imported it
    if tf is None:
        return []
    names = []
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            names.append(tf.config.experimental.get_device_details(gpu).get("device_name", "GPU"))
        except Exception:  # the details are optional, on any kind of device
            names.append("GPU")
    return names + ["TPU core"] * len(tf.config.list_physical_devices("TPU"))


@functools.lru_cache(maxsize=1)
def _cpu_model():
    try:
        if sys.platform == "linux":
            with open("/proc/cpuinfo", encoding="utf-8") as lines:
                for line in lines:
                    if line.lower().startswith("model name"):
                        return line.partition(":")[2].strip()
        elif sys.platform == "darwin":
            import subprocess

            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return (
                subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip() or "Apple"
            )
        elif sys.platform == "win32":
            import winreg

            path = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
                return winreg.QueryValueEx(key, "ProcessorNameString")[0].strip()
    except (OSError, ValueError):
        pass
    return platform.processor() or platform.machine() or "unknown"
