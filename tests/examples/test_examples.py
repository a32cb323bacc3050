"""The examples, run as a reader runs them: one process, two workers, a death; Slurm's and Kubernetes' files with stand-ins."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import jsonschema
import numpy as np
import pytest
import yaml

from course_utils import devices

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
OPTIONS = ["--limit", "400", "--model", "perceptron", "--batch", "60", "--epochs", "3", "--rate", "0.003"]
POSIX = pytest.mark.skipif(os.name == "nt", reason="bash and signals")
# What srun does: so many tasks, each told who it is, all stopped when one fails or when srun is told to stop.
SRUN = """#!/usr/bin/env bash
while [[ "$1" == -* ]]; do shift; done
trap 'kill $(jobs -p) 2>/dev/null; exit 143' TERM
for task in 0 1; do
    SLURM_PROCID=$task SLURM_LOCALID=$task SLURM_STEP_NUM_TASKS=2 SLURM_STEP_NODELIST=localhost \\
        SLURM_STEP_TASKS_PER_NODE=2 "$@" &
done
worst=0
for process in $(jobs -p); do wait "$process" || worst=$?; done
exit "$worst"
"""
SCONTROL = '#!/bin/sh\necho "$@" >> "$ASKED"\n'


def run(*command, cwd=ROOT, **variables):
    """Run a command with the course's Python; return (exit code, output)."""
    variables = {**os.environ, "COURSE_ENVIRONMENT": "current", **variables}
    command = [str(word) for word in command]
    finished = subprocess.run(
        command,
        cwd=cwd,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    return finished.returncode, finished.stdout


def weights(path):
    """Return all numbers of a saved model in one vector, without TensorFlow: a .keras file is a zip with an HDF5 file."""
    found = []
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as file, h5py.File(file) as h5:
        h5["layers"].visititems(
            lambda _, item: found.append(item[()].ravel()) if isinstance(item, h5py.Dataset) else None
        )
    return np.concatenate(found)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def alone(work):
    """Train in one process, each share in two pieces, with logs and a profile."""
    told = ["--accumulate", "2", "--logs", work / "logs", "--profile", "--save", work / "alone.keras"]
    return run(sys.executable, EXAMPLES / "train.py", *OPTIONS, *told)


@pytest.fixture
def slurm(tmp_path):
    """Put the stand-ins for srun and scontrol first on PATH; return the variables that Slurm sets for a job."""
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    return {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "ASKED": str(tmp_path / "asked"),
        "SLURM_JOB_ID": "4711",
        "SLURM_SUBMIT_DIR": str(ROOT),
        "PYTHON": sys.executable,
        "CHECKPOINTS": str(tmp_path / "checkpoints"),
    }


def asked(slurm):
    path = Path(slurm["ASKED"])
    return path.read_text().splitlines() if path.exists() else []


# ---------------------------------------------------------------- train.py


def test_one_process_prints_a_line_per_epoch_and_the_test_accuracy(alone):
    code, printed = alone
    assert code == 0, printed
    assert re.findall(r"^epoch (\d)/3 .*loss [\d.]+.*val_accuracy [\d.]+", printed, re.MULTILINE) == [
        "1",
        "2",
        "3",
    ]
    assert float(re.search(r"test accuracy: ([\d.]+)", printed)[1]) > 0.5


def test_the_logs_hold_the_numbers_and_a_profile(alone, work):
    (events,) = (work / "logs").glob("events.out.tfevents.*")
    content = events.read_bytes()
    # One record per epoch and number, of the kind that TensorBoard draws.
    assert content.count(b"val_accuracy") == 3 and content.count(b"scalars") == 3 * 5
    (profile,) = (work / "logs").glob("plugins/profile/*/*.xplane.pb")
    # The names of the operations that ran in the recorded steps.
    assert b"MatMul" in profile.read_bytes()


def test_half_precision_trains(work):
    told = ["--precision", "mixed_bfloat16", "--epochs", "2", "--save", work / "half.keras"]
    code, printed = run(sys.executable, EXAMPLES / "train.py", *OPTIONS, *told)
    assert code == 0, printed
    losses = [float(loss) for loss in re.findall(r" loss ([\d.]+)", printed)]
    assert len(losses) == 2 and losses[1] < losses[0]
    with zipfile.ZipFile(work / "half.keras") as archive:
        assert b"mixed_bfloat16" in archive.read("config.json")


@POSIX
def test_two_tasks_of_slurm_and_two_workers_of_which_one_dies_end_where_one_process_does(alone, work, slurm):
    save = ["--save", work / "slurm.keras"]
    code, printed = run("bash", EXAMPLES / "slurm.sh", *OPTIONS, *save, **slurm)
    assert code == 0 and asked(slurm) == [], printed
    # One of the two speaks.
    assert printed.count("epoch 1/3") == 1 and "2 tasks" in printed
    told = [*OPTIONS, "--checkpoints", work / "checkpoints", "--save", work / "killed.keras"]
    launch = [sys.executable, "-m", "course_utils", "launch", "--workers", "2", "--restart", "1"]
    variables = {"PYTHONPATH": str(ROOT)}
    code, printed = run(*launch, ROOT / "tests" / "examples" / "dying.py", "--", *told, cwd=work, **variables)
    assert code == 0 and (work / "died").exists(), printed
    assert "worker 1 failed with exit code 9" in printed and "all start again" in printed
    # After the restart it goes on with the second epoch.
    assert printed.count("epoch 1/3") == 1 and printed.count("epoch 2/3") == 1
    never_stopped, killed, one = (weights(work / f"{name}.keras") for name in ("slurm", "killed", "alone"))
    assert len(one) == 101_770
    np.testing.assert_array_equal(killed, never_stopped)
    np.testing.assert_allclose(killed, one, atol=1e-5)
    assert sorted(path.name for path in (work / "checkpoints").glob("*.npz")) == [
        "epoch-00002.npz",
        "epoch-00003.npz",
    ]


# ---------------------------------------------------------------- slurm.sh


def stand_in(tmp_path, text):
    """Return a program to run in place of Python."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@POSIX
@pytest.mark.parametrize(
    "code, restarts, requeued", [(0, 0, False), (3, 0, True), (3, 2, True), (3, 3, False), (2, 0, False)]
)
def test_a_failed_job_is_requeued_at_most_so_often(slurm, tmp_path, code, restarts, requeued):
    variables = {
        **slurm,
        "PYTHON": stand_in(tmp_path, f"exit {code}"),
        "SLURM_RESTART_COUNT": str(restarts),
    }
    found, printed = run("bash", EXAMPLES / "slurm.sh", **variables)
    assert asked(slurm) == (["requeue 4711"] if requeued else []), printed
    assert found == (0 if requeued else code)


@POSIX
def test_when_the_time_is_up_the_job_is_requeued(slurm, tmp_path):
    text = f'echo here >> "{tmp_path}/started"; trap \'echo ended >> "{tmp_path}/ended"; exit 143\' TERM\n'
    program = stand_in(tmp_path, text + "while :; do sleep 0.05; done")
    variables = {**os.environ, **slurm, "PYTHON": program}
    job = subprocess.Popen(["bash", EXAMPLES / "slurm.sh"], env=variables, start_new_session=True)
    try:
        wait_for_lines(tmp_path / "started", 2)
        job.send_signal(signal.SIGUSR1)
        assert job.wait(60) == 0
        assert asked(slurm) == ["requeue 4711"]
        wait_for_lines(tmp_path / "ended", 2)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)


def wait_for_lines(path, count):
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_text().count("\n") < count:
        assert time.monotonic() < deadline, f"{path.name}: no {count} lines"
        time.sleep(0.05)


@POSIX
def test_the_script_is_bash_without_complaint():
    assert run("bash", "-n", EXAMPLES / "slurm.sh") == (0, "")
    if shutil.which("shellcheck"):
        assert run("shellcheck", EXAMPLES / "slurm.sh") == (0, "")


def test_slurm_is_asked_to_requeue_and_to_give_notice():
    options = re.findall(r"^#SBATCH (\S+)", (EXAMPLES / "slurm.sh").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"--requeue", "--signal=B:USR1@120", "--open-mode=append"} <= set(options)


# ---------------------------------------------------------------- kubernetes.yaml


@pytest.fixture(scope="module")
def objects():
    documents = yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text(encoding="utf-8"))
    return {document["kind"]: document for document in documents}


def validate(document):
    """Hold an object against Kubernetes' own schema, in which a misspelt name is an error."""
    schema = json.loads((ROOT / "tests" / "examples" / "kubernetes-1.37.json").read_text(encoding="utf-8"))
    reference = {"$ref": f"#/$defs/{schema['kinds'][document['kind']]}", "$defs": schema["$defs"]}
    jsonschema.Draft202012Validator(reference).validate(document)


def test_the_objects_are_what_kubernetes_publishes(objects):
    assert set(objects) == {"Service", "PersistentVolumeClaim", "Job"}
    for document in objects.values():
        validate(document)


def test_a_misspelt_field_is_found(objects):
    wrong = json.loads(json.dumps(objects["Job"]))
    wrong["spec"]["template"]["spec"]["restartpolicy"] = "OnFailure"
    with pytest.raises(jsonschema.ValidationError, match="restartpolicy"):
        validate(wrong)


def test_every_pod_is_told_who_it_is_in_words_that_create_strategy_reads(objects, monkeypatch):
    job, service = objects["Job"], objects["Service"]
    pod = job["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    variables = {one["name"]: one for one in container["env"]}
    # What is put in for $(NUMBER) has to stand before it.
    assert list(variables).index("NUMBER") < list(variables).index("TF_CONFIG")
    assert "job-completion-index" in variables["NUMBER"]["valueFrom"]["fieldRef"]["fieldPath"]
    count = job["spec"]["completions"]
    assert job["spec"]["parallelism"] == count and job["spec"]["completionMode"] == "Indexed"
    for number in range(count):
        text = variables["TF_CONFIG"]["value"].replace("$(NUMBER)", str(number))
        monkeypatch.setenv("TF_CONFIG", text)
        assert devices._workers() == count
        told = json.loads(text)
        assert told["task"]["index"] == number
        # A pod of an indexed job is called job-number; with a headless service, name.service finds it.
        port = container["ports"][0]["containerPort"]
        expected = f"{job['metadata']['name']}-{number}.{service['metadata']['name']}:{port}"
        assert told["cluster"]["worker"][number] == expected
    assert pod["spec"]["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None" and service["spec"]["publishNotReadyAddresses"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()


def test_checkpoints_are_in_the_folder_that_all_pods_share(objects):
    pod = objects["Job"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (volume,), (mount,) = pod["volumes"], container["volumeMounts"]
    assert volume["name"] == mount["name"]
    claim = objects["PersistentVolumeClaim"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    folder = container["args"][container["args"].index("--checkpoints") + 1]
    assert folder.startswith(mount["mountPath"] + "/")


# ---------------------------------------------------------------- what the pages say


def test_only_options_that_exist_are_named(objects):
    source = (EXAMPLES / "train.py").read_text(encoding="utf-8")
    known = set(re.findall(r'add\(\s*"(--\w+)"', source))
    assert len(known) == 13
    (container,) = objects["Job"]["spec"]["template"]["spec"]["containers"]
    assert {word for word in container["args"] if word.startswith("--")} <= known
    for page in ("README.md", "README.zh.md"):
        text = (EXAMPLES / page).read_text(encoding="utf-8")
        for words in re.findall(r"examples/(?:train\.py|slurm\.sh)(.*)", text):
            assert set(re.findall(r"(?<!\S)--\w+", words)) <= known, words


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_the_messages_that_are_explained_are_those_that_are_said(page):
    names = ["devices", "rendezvous", "checkpoints", "distributed", "checking", "door/launch"]
    said = "".join((ROOT / "course_utils" / f"{name}.py").read_text(encoding="utf-8") for name in names)
    explained = re.findall(r"^\| `(.*?)`", (EXAMPLES / page).read_text(encoding="utf-8"), re.MULTILINE)
    fragments = [part.strip(" :") for text in explained for part in re.split(r"…|\b\d+|host\d", text)]
    fragments = [part for part in fragments if " " in part and "course_utils" not in part]
    assert len(fragments) >= 8 and [part for part in fragments if part not in said] == []


def test_both_pages_show_the_same_commands():
    english, chinese = (
        re.findall(r"```\w*\n(.*?)```", (EXAMPLES / page).read_text(encoding="utf-8"), re.DOTALL)
        for page in ("README.md", "README.zh.md")
    )
    assert english == chinese and len(english) >= 5
