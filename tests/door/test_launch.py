"""The launcher: who the workers are told to be, whose failure counts, and that nobody is ever left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from course_utils.door import SetupError, launch

ROOT = Path(__file__).resolve().parents[2]
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and sh")
# What every worker of these tests can do: say what it was told; end as it is told; wait, with a child of its own.
SCRIPT = """
import json, os, subprocess, sys, time
from pathlib import Path
import course_utils
task = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
told = {"config": json.loads(os.environ["TF_CONFIG"]), "arguments": sys.argv[1:], "folder": os.getcwd(),
        "replicas": os.environ.get("COURSE_CPU_REPLICAS"), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "proxy": os.environ.get("no_grpc_proxy"), "seconds": os.environ.get("COURSE_WORKER_SECONDS")}
Path(f"told-{task}").write_text(json.dumps(told), encoding="utf-8")
print("中文", "from", task)
tries = Path(f"tries-{task}")
tries.write_text("x" * (1 + (len(tries.read_text()) if tries.exists() else 0)))
if "wait" in sys.argv:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(f"processes-{task}.part").write_text(json.dumps([os.getpid(), child.pid]))
    os.replace(f"processes-{task}.part", f"processes-{task}")
if "fail" in sys.argv and task == 1 and len(tries.read_text()) <= int(sys.argv[-1]):
    while not Path("processes-0").exists() and "wait" in sys.argv:
        time.sleep(0.02)
    print("the last word", file=sys.stderr)
    os._exit(7)
if "wait" in sys.argv and "fail" not in sys.argv or "fail" in sys.argv and task == 0 and len(tries.read_text()) <= int(sys.argv[-1]):
    time.sleep(600)
"""
# Runs the command here, as sshd would there: in the home, by a shell, nothing of our variables but what is in the command.
SSH = """#!/bin/sh
while [ "$1" = -o ]; do shift 2; done
echo "$1" >> "$SSH_LOG"
[ "$1" = absent ] && { echo "ssh: Could not resolve hostname absent" >&2; exit 255; }
cd / && exec env -i PATH="$PATH" /bin/sh -c "$2"
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Return a folder with a blank and Chinese characters, which is the current one, with the script in it."""
    folder = tmp_path / "我的 work"
    folder.mkdir()
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return folder


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """Put the stand-in for ssh first on PATH; return the file that names the hosts that were asked."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ssh").write_text(SSH, encoding="utf-8")
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SSH_LOG", str(tmp_path / "asked"))
    return tmp_path / "asked"


def told(folder, worker):
    return json.loads((folder / f"told-{worker}").read_text(encoding="utf-8"))


def running(folder):
    """Return those of the workers and their children that are alive."""
    alive = []
    for path in folder.glob("processes-?"):
        for number in json.loads(path.read_text()):
            try:
                if psutil.Process(number).status() != psutil.STATUS_ZOMBIE:
                    alive.append(number)
            except psutil.NoSuchProcess:
                continue
    return alive


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_workers_are_told_the_same_addresses_and_their_own_numbers(work, capsys, monkeypatch):
    monkeypatch.setenv("COURSE_CPU_REPLICAS", "2")
    assert launch.main(["--workers", "2", "script.py", "--", "a b", "--x", "--", "'"]) == 0
    first, second = told(work, 0), told(work, 1)
    assert first["config"]["cluster"] == second["config"]["cluster"]
    assert len(set(first["config"]["cluster"]["worker"])) == 2
    assert [one["config"]["task"] for one in (first, second)] == [
        {"type": "worker", "index": 0},
        {"type": "worker", "index": 1},
    ]
    assert first["arguments"] == second["arguments"] == ["a b", "--x", "--", "'"]
    assert first["folder"] == str(work) and first["replicas"] is None
    assert sorted(capsys.readouterr().out.splitlines()) == ["[0] 中文 from 0", "[1] 中文 from 1"]


@POSIX
def test_the_first_failure_stops_all_and_gives_the_exit_code(work, capsys):
    assert launch.main(["--workers", "2", "script.py", "--", "wait", "fail", "99"]) == 7
    assert len(list(work.glob("processes-?"))) == 2 and running(work) == []
    printed = capsys.readouterr().out
    assert "[1] the last word" in printed and "worker 1 failed with exit code 7" in printed


@pytest.mark.parametrize("restarts, code, tries", [(0, 7, 1), (1, 7, 2), (2, 0, 3), (5, 0, 3)])
def test_all_are_started_again_at_most_so_often(work, capsys, restarts, code, tries):
    arguments = ["--workers", "2", "--restart", str(restarts), "script.py", "--", "fail", "2"]
    assert launch.main(arguments) == code
    assert [len((work / f"tries-{n}").read_text()) for n in (0, 1)] == [tries, tries]
    assert capsys.readouterr().out.count("all start again") == tries - 1


@POSIX
@pytest.mark.parametrize("where", [["--workers", "2"], ["--hosts", "localhost,localhost"]])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_nobody_is_left_behind(work, ssh, where, name):
    number = getattr(signal, name)
    command = [sys.executable, "-m", "course_utils", "launch", *where, "--restart", "3", "script.py"]
    variables = {**os.environ, "COURSE_ENVIRONMENT": "current", "PYTHONPATH": str(ROOT)}
    launcher = subprocess.Popen([*command, "--", "wait"], env=variables, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(list(work.glob("processes-?"))) == 2)
    assert len(running(work)) == 4
    launcher.send_signal(number)
    assert launcher.wait(60) == {signal.SIGINT: 130}.get(number, -number)
    wait_until(lambda: running(work) == [])
    assert [len((work / f"tries-{n}").read_text()) for n in (0, 1)] == [1, 1]


@POSIX
def test_over_ssh_everything_arrives_as_it_was_said(work, ssh, monkeypatch):
    monkeypatch.setenv("COURSE_WORKER_SECONDS", "77")
    monkeypatch.setenv("COURSE_CPU_REPLICAS", "2")
    words = ["a b", "it's", "$HOME", "中文", '"; exit 3; "']
    assert launch.main(["--hosts", "me@one,two,two", "script.py", "--", *words]) == 0
    assert sorted(ssh.read_text().split()) == ["me@one", "two", "two"]
    for worker in range(3):
        found = told(work, worker)
        assert found["config"] == {
            "cluster": {"worker": ["one:12345", "two:12345", "two:12346"]},
            "task": {"type": "worker", "index": worker},
        }
        assert found["arguments"] == words and found["folder"] == str(work)
        assert (found["proxy"], found["seconds"], found["replicas"]) == ("one,two,two", "77", None)


@POSIX
def test_a_host_that_is_not_reached_stops_the_others(work, ssh, capsys):
    assert launch.main(["--hosts", "localhost,absent", "script.py", "--", "wait"]) == 255
    assert "[1] ssh: Could not resolve hostname absent" in capsys.readouterr().out
    assert running(work) == []


def test_without_ssh_it_is_said(work, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="cannot start ssh"):
        launch.main(["--hosts", "one,two", "script.py"])


@pytest.mark.parametrize(
    "visible, count, expected",
    [
        ("0,1,2", 2, ["0", "1"]),
        ("3,5", 2, ["3", "5"]),
        ("0", 2, ["-1", "-1"]),
        ("", 2, [None, None]),
        ("-1", 2, [None, None]),
        ("0,1", 1, [None]),
    ],
)
def test_each_worker_of_this_machine_gets_a_gpu_of_its_own(monkeypatch, visible, count, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [one.get("CUDA_VISIBLE_DEVICES") for one in launch._gpus_for_each(count)] == expected


@POSIX
def test_gpus_are_counted_by_nvidias_tool(monkeypatch, tmp_path):
    listed = "GPU 0: NVIDIA A100 (UUID: GPU-8e1c)\\nGPU 1: NVIDIA A100 (UUID: GPU-77aa)\\n"
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\nprintf '{listed}'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    assert [one["CUDA_VISIBLE_DEVICES"] for one in launch._gpus_for_each(2)] == ["0", "1"]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["script.py"], "required"),
        (["--workers", "0", "script.py"], "at least 1; found 0"),
        (["--workers", "two", "script.py"], "found two"),
        (["--workers", "2", "--hosts", "a,b", "script.py"], "not allowed with"),
        (["--hosts", "a,,b", "script.py"], "commas between them"),
        (["--hosts", "a,-oProxyCommand=x", "script.py"], "commas between them"),
        (["--workers", "2", "script.py", "--epochs", "2"], "go after --: --epochs 2"),
    ],
)
def test_wrong_calls_say_what_is_right(work, capsys, arguments, said):
    with pytest.raises(SystemExit) as ended:
        launch.main(arguments)
    assert ended.value.code == 2 and said in capsys.readouterr().err
    assert not list(work.glob("told-*"))


def test_a_script_that_is_not_there_is_named(work):
    with pytest.raises(SetupError, match="no such script: scripd.py"):
        launch.main(["--workers", "2", "scripd.py"])
