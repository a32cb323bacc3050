"""pip: whose settings it gets, what it shows, and why it failed; a mirror is a server on this machine."""

import http.server
import os
import threading

import pytest

from course_utils.door import pip


class Mirror(http.server.ThreadingHTTPServer):
    """A package index with tinything 2.0, which answers with `refused[kind]` when it refuses a "page" or a "file"."""

    def __init__(self, wheels):
        super().__init__(("127.0.0.1", 0), Answer)
        self.wheels = wheels
        self.refused = {}

    def variables(self, **more):
        address = f"http://127.0.0.1:{self.server_port}/simple"
        return {
            "PIP_NO_INDEX": "",
            "PIP_FIND_LINKS": "",
            "PIP_INDEX_URL": address,
            "PIP_RETRIES": "0",
            **more,
        }


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = self.path.split("/")[-1]
        code = self.server.refused.get("file" if file else "page", 200)
        body = b""
        if code == 200 and file:
            body = (self.server.wheels / file).read_bytes()
        elif code == 200:
            name = "tinything-2.0-py3-none-any.whl"
            body = f'<a href="/files/{name}">{name}</a>'.encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/octet-stream" if file else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(updated):
    server = Mirror(updated.wheels)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("code, why", [(403, "too large for it"), (503, "is overloaded")])
def test_a_mirror_that_refuses_a_file(updated, mirror, code, why):
    mirror.refused["file"] = code
    found, output = updated.run("run", "0", **mirror.variables())
    assert found == 1
    assert f"127.0.0.1 refuses to hand out tinything-2.0-py3-none-any.whl (HTTP {code})" in output, output
    assert why in output and "拒绝提供" in output and "use another mirror" in output
    assert "PIP_FIND_LINKS=FOLDER" in output and "Traceback" not in output
    # The environment that was there is whole, and the next call installs.
    assert updated.marker()
    mirror.refused.clear()
    code, output = updated.run("run", "0", **mirror.variables())
    assert code == 0 and "RAN run ['0'] 2.0" in output


@pytest.mark.parametrize(
    "code, why",
    [
        (401, "asks for a login"),
        (404, "does not have it"),
        (413, "too large"),
        (429, "some minutes"),
        (451, ""),
    ],
)
def test_other_refusals_of_a_file(tmp_path, code, why):
    address = "https://user:****@mirror.example/files/keras-3.15.1-py3-none-any.whl"
    said = f"  ERROR: HTTP error {code} while getting {address} (from https://mirror.example/simple/keras/)"
    found = str(pip.explain(said, tmp_path))
    assert f"mirror.example refuses to hand out keras-3.15.1-py3-none-any.whl (HTTP {code})" in found
    assert why in found and "****" not in found


@pytest.mark.parametrize("code", [403, 503])
def test_a_mirror_that_refuses_a_page(updated, mirror, code):
    mirror.refused["page"] = code
    found, output = updated.run("run", "0", **mirror.variables())
    assert found == 1 and f"127.0.0.1 refuses to hand out tinything (HTTP {code})" in output, output


def test_a_mirror_that_lacks_a_package_refuses_nothing(updated, mirror):
    mirror.refused["page"] = 404
    found, output = updated.run("run", "0", **mirror.variables())
    assert found == 1 and "package tinything==2.0 was not found" in output and "refuses" not in output, output


def test_a_mirror_on_this_machine_is_reached_past_a_proxy(updated, mirror):
    proxy = {
        name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    }
    code, output = updated.run("run", "0", **mirror.variables(**proxy))
    assert code == 0 and "RAN run ['0'] 2.0" in output, output


def test_a_version_that_a_wheel_folder_lacks(updated):
    updated.require("tinything==3.0")
    code, output = updated.run("run", "0")
    assert code == 1 and "package tinything==3.0 was not found" in output


def test_what_was_set_for_another_project_is_kept_out_and_named(updated, tmp_path):
    """Each of these alone would keep the course from being installed."""
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("tinything==0.5\n", encoding="utf-8")
    settings = {
        "PIP_CONSTRAINT": str(constraints),
        "PIP_BUILD_CONSTRAINT": str(constraints),
        "PIP_REQUIREMENT": str(tmp_path / "nothing.txt"),
        "PIP_NO_BINARY": ":all:",
        "PIP_PYTHON_VERSION": "3.6",
        "PIP_PLATFORM": "win32",
        "PIP_REQUIRE_HASHES": "1",
        "PIP_TARGET": str(tmp_path / "elsewhere"),
        "PIP_QUIET": "3",
    }
    code, output = updated.run("run", "0", **settings)
    assert code == 0 and "RAN run ['0'] 2.0" in output, output
    for name in settings:
        assert f"{name[4:].lower().replace('_', '-')}=" in output
    assert not (tmp_path / "elsewhere").exists()


def test_the_same_from_a_configuration_file_whose_wheel_folder_stays(updated, tmp_path):
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("tinything==0.5\n", encoding="utf-8")
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        f"[global]\nconstraint = {constraints}\nno-index = true\nfind-links = /nowhere\n"
        f"[install]\nfind-links =\n    {updated.wheels}\n    /nowhere\nno-deps = true\n",
        encoding="utf-8",
    )
    from_file = {"PIP_CONFIG_FILE": str(configuration), "PIP_NO_INDEX": "", "PIP_FIND_LINKS": ""}
    code, output = updated.run("run", "0", **from_file)
    assert code == 0 and "RAN run ['0'] 2.0" in output, output
    assert f"constraint={constraints}" in output and "no-deps=true" in output and "find-links=" not in output


def test_a_configuration_file_that_cannot_be_read(updated, tmp_path):
    configuration = tmp_path / "pip.conf"
    configuration.write_text("no section = here\n", encoding="utf-8")
    code, output = updated.run("run", "0", PIP_CONFIG_FILE=str(configuration))
    assert code == 1 and "pip's settings cannot be read" in output and "Traceback" not in output
    assert updated.marker(), "what was installed is still whole"


@pytest.mark.parametrize(
    "said, words",
    [
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "disk became full"),
        (
            "ERROR: [Errno 2] No such file. HINT: ... does not have Windows Long Path support enabled",
            "COURSE_VENV",
        ),
        (
            "WARNING: The repository located at x is not a trusted or secure host and is being ignored.",
            "https://",
        ),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))", "HTTPS_PROXY"),
        (
            "WARNING: Retrying (Retry(total=4)) after 'ReadTimeoutError'\nERROR: metadata of a is broken",
            "of a is broken",
        ),
    ],
)
def test_failures_are_explained(tmp_path, said, words):
    assert words in str(pip.explain(said, tmp_path))


def test_a_connection_that_was_made_again_is_no_reason(tmp_path):
    said = "WARNING: Retrying (Retry(total=4)) after 'ReadTimeoutError'\nERROR: metadata of a is broken"
    assert "cannot be downloaded" not in str(pip.explain(said, tmp_path))


def test_progress_in_a_log_file_is_a_few_lines(capsys):
    progress = pip.Progress("[2/2] installing")
    for line in (
        "Collecting tensorflow==2.21.0 (from -r requirements.txt (line 3))\n",
        "  Downloading tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl (572.0 MB)\n",
        "Progress 1000000 of 572000000\n",
        "Progress 286000000 of 572000000\n",
    ):
        progress.read(line)
    assert progress.text == "1: 下载 · downloading tensorflow 572.0 MB  286 of 572 MB"
    progress.read("Collecting jupyterlab-language-pack-zh-CN==4.5.post3\n")
    assert progress.text == "2: jupyterlab-language-pack-zh-CN"
    progress.read("  Downloading https://host/keras-3.15.1-py3-none-any.whl (1.2 MB)\n")
    assert progress.text == "2: 下载 · downloading keras 1.2 MB"
    progress.read("Installing collected packages: keras, tensorflow\n")
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(" s  ")[1] for line in shown] == [
        "1: 下载 · downloading tensorflow 572.0 MB",
        "解压 2 个包 · unpacking 2 packages",
    ]


def test_downloads_go_beside_the_environment_and_nothing_of_pips_gets_in(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    variables = pip.environment(tmp_path)
    assert variables["TMPDIR"] == str(tmp_path / pip.TEMPORARY)
    assert variables["PIP_CONFIG_FILE"] == os.devnull and "PIP_TARGET" not in variables
    assert "PYTHONHOME" not in variables
