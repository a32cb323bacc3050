"""python3 -m course_utils launch: one script as several workers, on this machine or over ssh on several.

    python3 -m course_utils launch --workers 2 examples/train.py -- --epochs 2
    python3 -m course_utils launch --hosts host1,host2 examples/train.py -- --epochs 2

Every worker is told by `TF_CONFIG` who the others are. A worker is watched by a keeper, a small process on the worker's
own machine whose standard input is a pipe from here: when that pipe closes, because a worker failed, because of Ctrl-C,
or because this process, its machine or the network is gone, the keeper stops the script and all that it started.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from course_utils import surroundings
from course_utils.door import SetupError, say

# Seconds from the request to stop (SIGTERM) to the end without asking (SIGKILL).
GRACE = 10
# The first port of a host; a second worker on the same host gets the next one. On this machine free ports are looked for.
PORT = 12345
# What a worker on another machine is told of our own variables.
PASSED_ON = ("COURSE_LANGUAGE", "COURSE_WORKER_SECONDS", "TF_CPP_MIN_LOG_LEVEL")
# No questions (nobody could answer them), and a machine that does not answer for half a minute counts as gone.
SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3")
KEEPER = ("-m", "course_utils.door.launch")

Start = tuple  # (command: list[str], variables: dict[str, str]) of one worker

_printing = threading.Lock()


def main(arguments: list[str]) -> int:
    """Run all workers to their end, and again after a failure if that was asked for.

    Returns: 0, or the exit code of the worker that failed first in the last attempt.
    """
    options, words = _parse(arguments)
    for attempt in range(options.restart + 1):
        if attempt:
            say(
                f"全部重新启动，第 {attempt} 次，最多 {options.restart} 次 · all start again, "
                f"restart {attempt} of at most {options.restart}"
            )
        starts = over_ssh(options.hosts, words) if options.hosts else on_this_machine(options.workers, words)
        code = run_together(starts)
        if code == 0:
            break
    return code


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options, and the script with its own arguments: everything after the first "--" is the script's."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(
        prog="python3 -m course_utils launch",
        usage="%(prog)s (--workers N | --hosts HOST,HOST) [--restart N] SCRIPT [-- 脚本的参数 · ITS ARGUMENTS]",
        description="把一个脚本作为多个工作进程启动 · start a script as several workers",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--workers", type=_positive, metavar="N", help="在本机启动 N 个 · that many on this machine"
    )
    where.add_argument(
        "--hosts",
        type=_hosts,
        metavar="HOST,HOST",
        help="通过 ssh 在每台机器上启动一个；各台机器上课程所在的文件夹要相同 · over ssh, one on each; the course is in the "
        "same folder on all of them",
    )
    parser.add_argument(
        "--restart",
        type=_natural,
        default=0,
        metavar="N",
        help="有一个失败时全部重来，最多 N 次 · after a failure start all again, at most N times",
    )
    parser.add_argument("script", metavar="SCRIPT", help="Python 脚本 · a Python script")
    options, unknown = parser.parse_known_args(arguments[:cut])
    if unknown:
        parser.error(
            f"脚本自己的参数写在 -- 之后 · the script's own arguments go after --: {shlex.join(unknown)}"
        )
    if not Path(options.script).is_file():
        raise SetupError(f"没有这个脚本 · there is no such script: {options.script}")
    return options, [options.script, *arguments[cut + 1 :]]


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"应为正整数 · expected a number of at least 1; found {text}")
    return int(text)


def _natural(text: str) -> int:
    return 0 if text == "0" else _positive(text)


def _hosts(text: str) -> list[str]:
    hosts = text.split(",")
    # A name that begins with a dash would be an option of ssh.
    if [host for host in hosts if not host or host.startswith("-") or set(host) & set(" \t/'\"")]:
        raise argparse.ArgumentTypeError(
            f"应为以逗号隔开的机器名 · expected names of machines with commas between them; found {text!r}"
        )
    return hosts


# ------------------------------------------------------------------------------------------------- what to start


def on_this_machine(count: int, words: list[str]) -> list[Start]:
    """Return command and variables of each of `count` workers, at free ports of this machine."""
    from course_utils.topics import workers

    addresses = workers.free_addresses(count)
    devices = _gpus_for_each(count)
    command = [sys.executable, *KEEPER, sys.executable, *words]
    return [
        (command, {**workers.variables(addresses, index), **devices[index], "PYTHONUNBUFFERED": "1"})
        for index in range(count)
    ]


def over_ssh(hosts: list[str], words: list[str]) -> list[Start]:
    """Return the ssh command of each worker; it runs in this folder's namesake on its host, with the same Python."""
    from course_utils.topics import workers

    names = [host.rpartition("@")[2] for host in hosts]
    addresses = [f"{name}:{PORT + names[:place].count(name)}" for place, name in enumerate(names)]
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    starts: list[Start] = []
    for index, host in enumerate(hosts):
        variables = {
            **passed_on,
            "TF_CONFIG": workers.tf_config(addresses, index),
            # A company's proxy would swallow what the workers say to each other.
            "no_grpc_proxy": ",".join(names),
            "PYTHONPATH": str(surroundings.ROOT),
            "PYTHONUNBUFFERED": "1",
        }
        told = [f"{name}={value}" for name, value in variables.items()]
        command = ["env", *told, sys.executable, *KEEPER, sys.executable, *words]
        there = f"cd {shlex.quote(os.getcwd())} && exec {shlex.join(command)}"
        starts.append(([*SSH, host, there], dict(os.environ)))
    return starts


def _gpus_for_each(count: int) -> list[dict[str, str]]:
    """Return which GPU each worker of this machine may see: one each, or none for anybody when there are too few.

    Two processes on one GPU take each other's memory, and NCCL refuses them.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        try:
            listed = subprocess.run(
                ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False
            )
            visible = ",".join(str(n) for n in range(listed.stdout.count("GPU ")))
        except OSError:
            visible = ""
    gpus = [gpu for gpu in visible.split(",") if gpu and gpu != "-1"]
    if count == 1 or not gpus:
        return [{}] * count
    if len(gpus) < count:
        say(
            f"{count} 个进程，{len(gpus)} 个 GPU：全部在 CPU 上计算 · fewer GPUs than workers: all compute on the CPU"
        )
        return [{"CUDA_VISIBLE_DEVICES": "-1"}] * count
    return [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus[:count]]


# ------------------------------------------------------------------------------------------------------- running


class Worker:
    """A worker's process here (its keeper, or the ssh that leads to it), whose lines are printed with its number."""

    def __init__(self, index: int, command: list[str], variables: dict[str, str]) -> None:
        self.index = index
        self.process = subprocess.Popen(
            command,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            # Ctrl-C is for us alone: we stop the workers in order.
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._print, daemon=True)
        self.reader.start()

    def _print(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with _printing:
                say(f"[{self.index}] {line.rstrip()}")

    def code(self) -> int | None:
        """Return None while it runs, then its exit code; a signal's number plus 128, as in a shell."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def ask_to_stop(self) -> None:
        """Close the pipe that the keeper watches."""
        assert self.process.stdin
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def wait(self) -> None:
        """Wait until it has ended and its last line is printed; the keeper's own patience is GRACE."""
        try:
            self.process.wait(GRACE + 10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(5)


def run_together(starts: list[Start]) -> int:
    """Run workers until all have ended or one has failed, and leave none behind.

    Returns: 0, or the exit code of the first that failed.
    """
    started: list[Worker] = []
    try:
        for index, (command, variables) in enumerate(starts):
            try:
                started.append(Worker(index, command, variables))
            except OSError as error:
                raise SetupError(f"无法启动 · cannot start {command[0]}: {error.strerror}")
        return _first_failure(started)
    finally:
        for worker in started:
            worker.ask_to_stop()
        for worker in started:
            worker.wait()


def _first_failure(started: list[Worker]) -> int:
    while True:
        codes = [worker.code() for worker in started]
        failed = [(index, code) for index, code in enumerate(codes) if code]
        if failed:
            index, code = failed[0]
            with _printing:
                say(
                    f"工作进程 {index} 失败，退出码 {code}，停止其余进程 · worker {index} failed with exit code {code}; "
                    "stopping the others"
                )
            return code
        if None not in codes:
            return 0
        time.sleep(0.05)


# ---------------------------------------------------------------------------------------------------- the keeper


def keep(command: list[str]) -> int:
    """Run a command for as long as somebody holds our standard input open, and return its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: _signal(child, received))
    threading.Thread(target=_stop_when_nobody_is_there, args=(child,), daemon=True).start()
    code = child.wait()
    # What the script itself has started and left behind.
    _signal(child, getattr(signal, "SIGKILL", signal.SIGTERM))
    return code if code >= 0 else 128 - code


def _stop_when_nobody_is_there(child: subprocess.Popen) -> None:
    # os.read and not sys.stdin: a thread that waits in there could not be left at the end of Python.
    while os.read(0, 1024):
        pass
    _signal(child, signal.SIGTERM)
    time.sleep(GRACE)
    _signal(child, getattr(signal, "SIGKILL", signal.SIGTERM))


def _signal(child: subprocess.Popen, number: int) -> None:
    """Send a signal to a process and all that it has started; Windows knows no such groups (not run there)."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            child.terminate()
        else:
            os.killpg(child.pid, number)


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:]))
