"""What accelerators this machine has, asked without TensorFlow, and what the course can do with each of them.

Set-up asks before it installs, and doctor compares the answer with what TensorFlow sees. None of this was run on a real
GPU or TPU: it follows the documentation of TensorFlow and NVIDIA, and its decisions are tested with stand-ins.

| machine | what TensorFlow 2.21 needs |
|---|---|
| Linux x86_64 with an NVIDIA GPU | the CUDA libraries of requirements-gpu.txt, and a driver that is new enough |
| Linux aarch64 | nothing helps: its wheel says `is_cuda_build: False` |
| Windows | nothing helps since 2.11; inside WSL2, Windows is a Linux x86_64 |
| Apple silicon | nothing helps: Apple's plugin ends with TensorFlow 2.19 |
| a TPU's virtual machine | another build, 2.20: requirements-tpu.txt |
"""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import platform
import re
import shutil
import subprocess
from typing import NamedTuple

from course_utils import surroundings
from course_utils.door import say

REQUIREMENTS = surroundings.ROOT / "requirements-gpu.txt"
# One of the libraries of requirements-gpu.txt: where it is installed, all of them are.
A_CUDA_LIBRARY = "nvidia-cudnn-cu12"
# The twelve wheels of requirements-gpu.txt on the package index, 30 November 2026: 2.81 GB, unpacked 4.43 GB.
GIGABYTES_TO_DOWNLOAD, GIGABYTES_ON_DISK = 2.8, 4.4
# CUDA 12 runs on drivers from this one on.
OLDEST_DRIVER = (525, 60)
# A healthy driver answers within a second or two, a GPU that sleeps within five; one that hangs never does.
PATIENCE = 15

# What the virtual machine of a TPU sets; devices.create_strategy looks at the same.
TPU_VARIABLES = (
    "TPU_NAME",
    "TPU_WORKER_ID",
    "TPU_ACCELERATOR_TYPE",
    "COLAB_TPU_ADDR",
    "TPU_CHIPS_PER_HOST_BOUNDS",
)
TPU_DEVICES = "/dev/accel[0-9]*"
# The driver of AMD's GPUs for computing.
AMD_DEVICE = "/dev/kfd"
# WSL2 puts NVIDIA's tools here, which is not on every PATH.
WSL_NVIDIA_SMI = "/usr/lib/wsl/lib/nvidia-smi"


class Nvidia(NamedTuple):
    """What nvidia-smi says."""

    names: tuple[str, ...] = ()
    # "550.54.14"; the same for all GPUs of a machine.
    driver: str = ""
    # Why it says nothing, in both languages; "" without nvidia-smi, or when it answered.
    failure: str = ""

    @property
    def text(self) -> str:
        """Return "NVIDIA A100 x 2", or the names in order when they differ."""
        if len(set(self.names)) == 1 and len(self.names) > 1:
            return f"{self.names[0]} x {len(self.names)}"
        return ", ".join(self.names)

    @property
    def driver_is_too_old(self) -> bool:
        """Return whether CUDA 12 does not run on this driver; an unreadable version is given the benefit of the doubt."""
        try:
            version = tuple(int(word) for word in self.driver.split(".")[:2])
        except ValueError:
            return False
        return version < OLDEST_DRIVER


def nvidia_smi() -> str | None:
    """Return the path of NVIDIA's tool, which comes with the driver; None without it."""
    return shutil.which("nvidia-smi") or (WSL_NVIDIA_SMI if os.path.exists(WSL_NVIDIA_SMI) else None)


@functools.lru_cache(maxsize=1)
def nvidia() -> Nvidia:
    """Ask the driver for its GPUs, once and within a time limit. A driver that is broken is an answer, and no crash."""
    program = nvidia_smi()
    if program is None:
        return Nvidia()
    command = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        return Nvidia(failure=f"nvidia-smi 无法启动 · does not start ({error.strerror})")
    try:
        output = process.communicate(timeout=PATIENCE)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        process.kill()
        # In the middle of a call to a hanging driver, a process cannot even be killed: do not wait for it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        return Nvidia(failure=f"nvidia-smi {PATIENCE} 秒内没有回答 · gave no answer within {PATIENCE} s")
    # "NVIDIA GeForce RTX 4070 Ti, 550.54.14", a line for each; between them, the driver may warn.
    rows = re.findall(r"^(\S.*), (\d+(?:\.\d+)+)\s*$", output, flags=re.MULTILINE)
    if process.returncode == 0 and rows:
        return Nvidia(tuple(name for name, _ in rows), rows[0][1])
    # The driver is there and the GPU is not, as in a container or on a machine that lost its card.
    if "No devices" in output:
        return Nvidia()
    said = (output.strip().splitlines() or [f"exit code {process.returncode}"])[0]
    return Nvidia(failure=f"nvidia-smi: {said}")


def choice() -> bool | None:
    """Return the user's word: COURSE_CPU_ONLY=1 declines the GPU (True), 0 wants it unseen (False); None without one.

    0 is for a cluster, where set-up runs on a machine that has a network and no GPU.
    """
    word = os.environ.get("COURSE_CPU_ONLY", "").strip().lower()
    if not word:
        return None
    return word not in ("0", "no", "off", "false")


def declined() -> bool:
    """Return whether the user wants the CPU alone."""
    return choice() is True


def takes_cuda() -> bool:
    """Return whether TensorFlow's wheel for this system can use an NVIDIA GPU."""
    return platform.system() == "Linux" and platform.machine().lower() == "x86_64"


def wants_cuda() -> bool:
    """Return whether set-up shall install the CUDA libraries here; says so when the driver hangs or is broken."""
    if not takes_cuda() or declined():
        return False
    if choice() is False:
        return True
    found = nvidia()
    if found.failure:
        _warn(found.failure)
    return bool(found.names)


@functools.lru_cache(maxsize=None)
def _warn(failure: str) -> None:
    say(f"先用 CPU · going on with the CPU: {failure}")


def hidden() -> bool:
    """Return whether CUDA_VISIBLE_DEVICES hides all GPUs: empty, or -1, as TensorFlow reads it."""
    value = os.environ.get("CUDA_VISIBLE_DEVICES")
    return value is not None and value.strip() in ("", "-1")


def tpu_is_plausible() -> bool:
    """Return whether this looks like the virtual machine of a TPU."""
    return any(os.environ.get(name) for name in TPU_VARIABLES) or bool(glob.glob(TPU_DEVICES))


def amd_is_plausible() -> bool:
    """Return whether AMD's driver for computing on GPUs is loaded."""
    return platform.system() == "Linux" and os.path.exists(AMD_DEVICE)
