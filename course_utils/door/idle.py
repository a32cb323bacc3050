"""Doctor's comparison of what the machine has with what TensorFlow sees: an accelerator that lies idle is never good.

Whoever pays for a GPU and trains on the CPU without knowing it finds the reason here, the likeliest first, and one
command. What nothing can be done about on this system is a note: the course runs on the CPU.
"""

from __future__ import annotations

import os
import platform

from course_utils.door import accelerators
from course_utils.door.findings import BAD, GOOD, GPU, NOTE, TPU, Findings


def check_accelerators(findings: Findings) -> None:
    """Add a line for each kind of accelerator that is there; one line when there is none."""
    before = len(findings.rows)
    _tpu(findings)
    _nvidia(findings)
    if not findings.accelerators:
        _others(findings)
    if len(findings.rows) == before:
        names = ", ".join(findings.accelerators or [])
        text = names or "没有，用 CPU · none, the CPU does the work"
        findings.add(GOOD if names else NOTE, "加速器 · accelerators", text)


def _tpu(findings: Findings) -> None:
    if not accelerators.tpu_is_plausible():
        return
    cores = [name for name in findings.accelerators or [] if ":TPU:" in name]
    state = NOTE if accelerators.declined() else BAD
    if cores:
        findings.add(GOOD, TPU, f"TensorFlow 使用 {len(cores)} 个核 · TensorFlow uses {len(cores)} cores")
    elif "tensorflow-tpu" in findings.versions():
        text = "TensorFlow 没有找到 TPU；同一时间只有一个进程能用它 · TensorFlow finds no TPU; only one process at a time can have it"
        findings.add(state, TPU, text, "关闭其他内核后再试 · close the other kernels and try again")
    else:
        text = (
            "这像是 TPU 虚拟机。TensorFlow 2.21 没有 TPU 版本，最新的 tensorflow-tpu 是 2.20，请为它另建环境 · this looks like the "
            "virtual machine of a TPU. TensorFlow 2.21 has no build for TPUs, the newest tensorflow-tpu is 2.20: make an "
            "environment for it"
        )
        remedy = (
            "python3 -m venv ~/tpu && ~/tpu/bin/python -m pip install -r requirements-tpu.txt\n"
            "COURSE_ENVIRONMENT=current ~/tpu/bin/python -m course_utils doctor"
        )
        findings.add(state, TPU, text, remedy)


def _nvidia(findings: Findings) -> None:
    found = accelerators.nvidia()
    used = [name for name in findings.accelerators or [] if ":GPU:" in name]
    if used and found.names:
        state = GOOD if len(used) >= len(found.names) else NOTE
        text = f"{found.text}：TensorFlow 使用 {len(used)} 个 · TensorFlow uses {len(used)} of {len(found.names)}"
        findings.add(state, GPU, f"{text} (driver {found.driver})")
    elif not used and (found.names or found.failure):
        state, chinese, english, remedy = _why_idle(findings, found)
        name = f"{found.text}：" if found.names else ""
        findings.add(state, GPU, f"{name}{chinese} · {english}", remedy)


def _why_idle(findings: Findings, found: accelerators.Nvidia) -> tuple[str, str, str, str]:
    """Return (state, in Chinese, in English, remedy) for a GPU of NVIDIA's that TensorFlow does not use."""
    if accelerators.declined():
        return NOTE, "COURSE_CPU_ONLY=1，不使用", "not used, as COURSE_CPU_ONLY=1 says", ""
    if platform.system() == "Windows":
        chinese = "在 Windows 上 TensorFlow 从 2.11 起不支持 GPU，这里用 CPU；要用 GPU，请在 WSL2 里运行课程"
        english = (
            "on native Windows TensorFlow has had no GPU support since 2.11, so the CPU does the work; "
            "to use the GPU, run the course in WSL2"
        )
        return NOTE, chinese, english, _IN_WSL
    if not accelerators.takes_cuda():
        chinese = f"{platform.machine()} 上的 TensorFlow 2.21 不含 CUDA，用 CPU"
        english = f"TensorFlow 2.21 for {platform.machine()} has no CUDA in it, so the CPU does the work"
        return NOTE, chinese, english, ""
    if found.failure:
        chinese, english = f"驱动不工作（{found.failure}）", "the driver does not work"
        return (
            BAD,
            chinese,
            english,
            f"重启，或重装显卡驱动 · restart, or install NVIDIA's driver again\n{_DECLINE}",
        )
    if accelerators.hidden():
        return NOTE, "CUDA_VISIBLE_DEVICES 把它隐藏了", "hidden by CUDA_VISIBLE_DEVICES", ""
    if findings.accelerators is None:
        return NOTE, "TensorFlow 没有回答，未能核对", "TensorFlow gave no answer to compare with", ""
    chinese, english, remedy = _reason(findings, found)
    return BAD, f"闲置，{chinese}", f"idle: {english}", f"{remedy}\n{_DECLINE}"


def _reason(findings: Findings, found: accelerators.Nvidia) -> tuple[str, str, str]:
    """Return (in Chinese, in English, one command) for a GPU that TensorFlow could use and does not see."""
    versions = findings.versions()
    install = f"{findings.python} -m pip install -r requirements-gpu.txt -c constraints.txt"
    if "tensorflow-cpu" in versions:
        remedy = f"{findings.python} -m pip uninstall -y tensorflow-cpu && {install}"
        return (
            "装的是不含 CUDA 的 tensorflow-cpu",
            "tensorflow-cpu is installed, which has no CUDA in it",
            remedy,
        )
    if accelerators.A_CUDA_LIBRARY not in versions:
        return "缺少 CUDA 库", "the CUDA libraries are missing", install
    if found.driver_is_too_old:
        oldest = ".".join(map(str, accelerators.OLDEST_DRIVER))
        remedy = f"安装 {oldest} 或更新的驱动 · install NVIDIA's driver {oldest} or newer"
        return f"驱动 {found.driver} 太旧", f"the driver {found.driver} is too old", remedy
    if os.environ.get("LD_LIBRARY_PATH"):
        remedy = "env -u LD_LIBRARY_PATH python3 -m course_utils doctor"
        return (
            "LD_LIBRARY_PATH 可能带来了别的 CUDA",
            "LD_LIBRARY_PATH may bring another CUDA; try without",
            remedy,
        )
    show = f"{findings.python} -c \"import tensorflow as tf; tf.config.list_physical_devices('GPU')\""
    return "原因见 TensorFlow 自己的日志", "TensorFlow's own log says why", show


def _others(findings: Findings) -> None:
    """Name GPUs that this TensorFlow cannot use."""
    if accelerators.amd_is_plausible():
        text = (
            "需要 AMD 自己编译的 TensorFlow（ROCm），课程不安装它，用 CPU · needs AMD's own build of TensorFlow (ROCm), "
            "which the course does not install: the CPU does the work"
        )
        findings.add(NOTE, "AMD GPU", text)
    if (platform.system(), platform.machine()) == ("Darwin", "arm64"):
        text = (
            "在 Mac 上 TensorFlow 用 CPU。苹果的插件 tensorflow-metal 最后一版是 1.2.0（2025 年 1 月），最高配 TensorFlow 2.19；"
            "与更新的版本装在一起，import tensorflow 就会失败，所以课程不安装它 · on a Mac TensorFlow runs on the CPU. Apple's plugin "
            "tensorflow-metal, last released in January 2025 (1.2.0), works up to TensorFlow 2.19; beside a newer one "
            "`import tensorflow` fails, so the course does not install it"
        )
        findings.add(NOTE, "Apple GPU", text)


_DECLINE = "或只用 CPU · or use the CPU alone: COURSE_CPU_ONLY=1"
_IN_WSL = (
    "wsl --install\n"
    "重启后，在 Ubuntu 的课程文件夹中 · after a restart, in Ubuntu, in the course's folder: python3 -m course_utils lab"
)
