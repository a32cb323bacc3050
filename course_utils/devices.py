"""From the machine to a `tf.distribute` strategy, and the machine in words.

    from course_utils import devices
    strategy = devices.create_strategy()
    devices.describe()
    with strategy.scope():
        model = keras.Sequential([...])

The same three lines serve a laptop, several GPUs, a TPU and several machines. Asked for beats found:

1. `TF_CONFIG` that lists two or more workers -> MultiWorkerMirroredStrategy
2. `srun` with two or more tasks (Slurm's variables of a step) -> MultiWorkerMirroredStrategy
3. `COURSE_CPU_REPLICAS=2` (any number) -> MirroredStrategy over so many logical devices of one CPU: simulated replicas,
   to learn with; they prove that the arithmetic is right and are slower than one device, not faster
4. a TPU -> TPUStrategy
5. several GPUs -> MirroredStrategy; `COURSE_ALL_REDUCE=one_device` adds up on the first one instead of by NCCL, for
   machines where NCCL hangs or fails
6. otherwise TensorFlow's default strategy, on the GPU if there is one

1, 3 and 6 are tested, 2 with local processes; 4 and 5 follow TensorFlow's documentation and were not run on real TPUs
or several real GPUs. `create_strategy` has to come before the first tensor: TensorFlow fixes its devices then.
"""

import contextlib
import functools
import glob
import json
import os
import platform
import re
import sys

from course_utils import language, machine, rendezvous


def create_strategy():
    """Return this process's one `tf.distribute` strategy; every call returns the same object.

    One object a process, because with TensorFlow's default collectives a second MirroredStrategy whose model has another
    size breaks the collectives of both ("Shape mismatch in the collective instance").

    Raises:
        ValueError: `TF_CONFIG`, Slurm's variables, `COURSE_CPU_REPLICAS` or `COURSE_ALL_REDUCE` is not readable, workers
            contradict each other, or this worker's port is in use.
        TimeoutError: a worker did not come within `COURSE_WORKER_SECONDS` (300 unless set).
        RuntimeError: tensors exist already and the devices can no longer be arranged (restart the kernel).
    """
    return _choice()[0]


@functools.lru_cache(maxsize=1)
def _choice():
    """(strategy, why in Chinese, why in English). Cached: `create_strategy` and `describe` speak of the same object."""
    import tensorflow as tf

    gpus = arrange_gpus()
    workers = _workers()
    if workers > 1:
        strategy = _multi_worker("TF_CONFIG", tf.distribute.cluster_resolver.TFConfigClusterResolver())
        return strategy, f"TF_CONFIG 列出 {workers} 个工作进程", f"TF_CONFIG lists {workers} workers"
    tasks = _slurm_tasks()
    if tasks > 1:
        strategy = _multi_worker("Slurm", _slurm_resolver(gpus))
        return strategy, f"Slurm 启动了 {tasks} 个任务", f"Slurm started {tasks} tasks"

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
        strategy = tf.distribute.MirroredStrategy(cross_device_ops=_all_reduce())
        return strategy, f"找到 {len(gpus)} 个 GPU", f"{len(gpus)} GPUs were found"

    found = "一个 GPU · one GPU" if gpus else "没有 GPU 或 TPU · no GPU or TPU"
    return tf.distribute.get_strategy(), *found.split(" · ")


def arrange_gpus():
    """Let each GPU's memory grow with what is needed, and multiply in full float32; return the GPUs.

    Otherwise the first notebook takes all of a GPU's memory and the second one fails; and from Ampere on GPUs round
    float32 products to TF32, ten bits, with which no two ways to compute a thing would be equal (`COURSE_TF32=1`: faster).
    `quiet` calls this for every chapter, before its first tensor.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with contextlib.suppress(
            RuntimeError, ValueError
        ):  # in use already, or arranged by the user: leave it
            tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.experimental.enable_tensor_float_32_execution(os.environ.get("COURSE_TF32") == "1")
    return gpus


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
            if set(cluster) - {"chief", "worker"}:
                raise ValueError(f"only chief and worker train alike here, found {sorted(cluster)}")
            addresses = [address for job in cluster.values() for address in job]
            if len(set(addresses)) < len(addresses):
                raise ValueError(f"an address stands there twice: {addresses}")
            for address in addresses:
                host, _, port = address.rpartition(":")
                if not host or not 0 < int(port) < 65536:
                    raise ValueError(f"{address!r} is not host:port")
        return count
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            "TF_CONFIG 无法解析 · TF_CONFIG cannot be read "
            f"({type(error).__name__}: {error}); expected, for the first of two workers, "
            '{"cluster": {"worker": ["host1:port", "host2:port"]}, "task": {"type": "worker", "index": 0}}'
        ) from error


def _slurm_tasks():
    """How many tasks the Slurm step has that this process belongs to; 0 outside of one.

    `sbatch` alone starts one process, on the first node: the variables of a step are set by `srun`.
    """
    text = os.environ.get("SLURM_STEP_NUM_TASKS", "").strip()
    needed = ("SLURM_PROCID", "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE")
    if text and text.isdigit() and int(text) > 1:
        missing = [name for name in needed if not os.environ.get(name)]
        if missing:
            raise ValueError(
                f"Slurm 变量不全，缺少 {', '.join(missing)}；请用 srun 启动，或设置 TF_CONFIG · Slurm's variables are "
                f"incomplete, {', '.join(missing)} missing: start with srun, or set TF_CONFIG"
            )
    return int(text) if text.isdigit() else 0


def _slurm_resolver(gpus):
    """What Slurm's variables say, to be handed to the strategy: all tasks' addresses, which one this is, and its GPUs.

    TensorFlow's SlurmClusterResolver reads the variables (and sets no TF_CONFIG), but two of its answers are wrong here:
    it sorts the hosts by name, n10 before n9, and so gives tasks each other's addresses; and the number of GPUs that it
    tells the strategy is what it was told itself, which it cannot be told to be 0.
    """
    import tensorflow as tf

    local = int(os.environ.get("SLURM_LOCALID") or 0)
    per_node = re.findall(r"(\d+)(?:\(x\d+\))?", os.environ["SLURM_STEP_TASKS_PER_NODE"])
    most = max(map(int, per_node))
    if most > 1 and len(gpus) > 1 and not os.environ.get("SLURM_GPUS_PER_TASK"):
        # Slurm has not shared the node's GPUs among its tasks: this one takes every `most`-th of them.
        tf.config.set_visible_devices(gpus[local::most], "GPU")
    # The ports of two jobs on one node differ, whatever Slurm gives them.
    port = 12_000 + int(os.environ.get("SLURM_JOB_ID") or 0) % 20_000
    resolvers = tf.distribute.cluster_resolver
    slurm = resolvers.SlurmClusterResolver(gpus_per_node=most, gpus_per_task=1, auto_set_gpu=False)
    # {host: number of tasks} in Slurm's order, in which the tasks are numbered.
    tasks = slurm._task_configuration
    addresses = [f"{host}:{port + number}" for host, count in tasks.items() for number in range(count)]
    return resolvers.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": addresses}),
        task_type="worker",
        task_id=int(os.environ["SLURM_PROCID"]),
        num_accelerators={"GPU": len(tf.config.get_visible_devices("GPU"))},
        rpc_layer="grpc",
    )


def _multi_worker(what, resolver):
    """The strategy of several processes, once all of them are there and agree on who they are."""
    import tensorflow as tf

    cluster = resolver.cluster_spec().as_dict()
    addresses = [address for job in ("chief", "worker") for address in cluster.get(job, ())]
    index = int(resolver.task_id) + (len(cluster.get("chief", ())) if resolver.task_type == "worker" else 0)
    visible = len(tf.config.get_visible_devices("GPU"))
    rendezvous.meet(addresses, index, {"GPUs": visible, "TensorFlow": tf.__version__})
    strategy = tf.distribute.MultiWorkerMirroredStrategy
    return _before_first_tensor(what, functools.partial(strategy, cluster_resolver=resolver))


def is_chief(strategy=None):
    """Return whether this process is the one that saves what is saved once: worker 0, or the only process."""
    resolver = (strategy or create_strategy()).cluster_resolver
    if resolver is None or not resolver.cluster_spec():
        return True
    jobs = resolver.cluster_spec().as_dict()
    first = "chief" if "chief" in jobs else "worker"
    return resolver.task_type == first and int(resolver.task_id or 0) == 0


def _all_reduce():
    """How several GPUs add up: None is TensorFlow's own choice, NCCL.

    Not HierarchicalCopyAllReduce: made for one kind of machine with eight GPUs, it leaves out the last GPU's gradient
    when their number is odd.
    """
    import tensorflow as tf

    name = os.environ.get("COURSE_ALL_REDUCE", "").strip()
    if name not in ("", "nccl", "one_device"):
        raise ValueError(
            "COURSE_ALL_REDUCE 应为 nccl 或 one_device · COURSE_ALL_REDUCE must be nccl or one_device, "
            f"found {name!r}"
        )
    return tf.distribute.ReductionToOneDevice() if name == "one_device" else None


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

    It is never asked for by name: a name that no machine answers to waits for minutes. That libtpu is installed is no
    sign: where no TPU is, TensorFlow then asks the cloud for one, for minutes too.
    """
    signs = (
        "TPU_NAME",
        "TPU_WORKER_ID",
        "TPU_ACCELERATOR_TYPE",
        "COLAB_TPU_ADDR",
        "TPU_CHIPS_PER_HOST_BOUNDS",
    )
    return any(os.environ.get(sign) for sign in signs) or bool(glob.glob("/dev/accel[0-9]*"))


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
    cores, memory = machine.cores(), machine.memory_gb()[0]
    found = "; ".join([counted, *_accelerators()])
    print(
        language.words(
            f"processor: {_cpu_model()}, {cores} cores, {memory:.1f} GB\ndevices: {found}\n"
            f"strategy: {strategy_name}    replicas: {replicas}\nwhy: {reason}",
            f"处理器：{_cpu_model()}，{cores} 核，{memory:.1f} GB\n设备：{found}\n"
            f"策略：{strategy_name}    副本数：{replicas}\n原因：{reason_zh}",
        )
    )


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
