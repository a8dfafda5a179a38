"""The runtimes' telemetry is off before any of them is loaded, from every way in."""

import os
import subprocess
import sys

import pytest

# A stand-in for onnxruntime that tells how its environment was when it was imported: by the C
# library's getenv, as the real one asks.
FAKE = """
import ctypes
_libc = ctypes.CDLL(None)
_libc.getenv.restype = ctypes.c_char_p
seen = _libc.getenv(b"ORT_DISABLE_TELEMETRY")
called = []
__version__ = "0"
def disable_telemetry_events(): called.append("disable")
def get_available_providers(): return []
"""


def run(code, tmp_path, **environment):
    package = tmp_path / "fake"
    package.mkdir(exist_ok=True)
    (package / "onnxruntime.py").write_text(FAKE)
    env = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    env.update(environment)
    done = subprocess.run(
        [sys.executable, "-c", code, str(package)],
        capture_output=True,
        text=True,
        env=env,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


FAKE_FIRST = "import sys; sys.path.insert(0, sys.argv[1]);"

DOORS = {
    "import nssbg": "import nssbg; import onnxruntime as r",
    "the door": "from nssbg._runtime_imports import import_onnxruntime; r = import_onnxruntime()",
    "the command": "import nssbg.cli.main; import onnxruntime as r",
    "hardware": "from nssbg._runtime.devices import runtimes; runtimes(); import onnxruntime as r",
    "the core alone": "import nssbg._core; import onnxruntime as r",
}


@pytest.mark.skipif(sys.platform == "win32", reason="asks the C library's getenv")
@pytest.mark.parametrize("given", [None, "0", "", "no"])
@pytest.mark.parametrize("door", DOORS)
def test_it_is_off_before_the_import(door, given, tmp_path):
    environment = {} if given is None else {"ORT_DISABLE_TELEMETRY": given}
    told = run(f"{FAKE_FIRST} {DOORS[door]}; print(r.seen)", tmp_path, **environment)
    assert told.stdout.strip() == "b'1'"


def test_a_value_that_switches_it_off_is_left_alone(tmp_path):
    code = "import os, nssbg; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert run(code, tmp_path, ORT_DISABLE_TELEMETRY="True").stdout.strip() == "True"


def test_a_worker_that_unpickles_a_remover_is_silent(tmp_path):
    pickled = tmp_path / "remover.pickle"
    code = (
        "import pickle, sys, nssbg; "
        f"open({str(pickled)!r}, 'wb').write(pickle.dumps(nssbg.Remover(model='studio')))"
    )
    run(code, tmp_path)
    code = (
        "import os, pickle, sys; assert 'ORT_DISABLE_TELEMETRY' not in os.environ;"
        f"r = pickle.load(open({str(pickled)!r}, 'rb')); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    assert run(code, tmp_path).stdout.strip() == "1"


def test_a_host_that_came_first_is_told(tmp_path):
    code = f"""{FAKE_FIRST}
import onnxruntime, logging
logging.basicConfig()
import nssbg
from nssbg._runtime_imports import import_onnxruntime, telemetry_doubts
for _ in range(3):
    import_onnxruntime()
print(onnxruntime.seen, onnxruntime.called[:1], *telemetry_doubts())
"""
    told = run(code, tmp_path)
    assert told.stdout.startswith("None ['disable'] onnxruntime was imported before nssbg")
    assert told.stderr.count("imported before nssbg") == 1


def test_a_host_that_came_first_and_was_silent_is_no_doubt(tmp_path):
    code = (
        f"{FAKE_FIRST} import onnxruntime; import nssbg;"
        "from nssbg._runtime_imports import telemetry_doubts; print(telemetry_doubts())"
    )
    assert run(code, tmp_path, ORT_DISABLE_TELEMETRY="1").stdout.strip() == "()"


def test_doctor_tells_a_doubt_in_both_forms(tmp_path):
    code = f"""{FAKE_FIRST}
import sys, onnxruntime
sys.path.remove(sys.argv[1])
from nssbg.cli.doctor import _json, _text
from nssbg._doctor import examine
import json
report = examine(("nssbg-lite",))
text = _text(report)
assert "sends nothing  NOT SURE" in text, text
assert "DOUBT: onnxruntime was imported before nssbg" in text, text
privacy = json.loads(_json(report))["privacy"]
assert privacy["sends_nothing"] is False and len(privacy["doubts"]) == 1
"""
    run(code, tmp_path)


def test_doctor_says_that_nothing_is_sent():
    told = subprocess.run(
        [sys.executable, "-m", "nssbg.cli.main", "doctor", "nssbg-lite"],
        capture_output=True,
        text=True,
        check=True,
        env={key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"},
    ).stdout
    assert "sends nothing  yes" in told
    assert "ORT_DISABLE_TELEMETRY=1" in told


def test_senders_are_out_while_a_runtime_loads_and_back_afterwards(tmp_path):
    (tmp_path / "openvino_telemetry.py").write_text("")
    code = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
import openvino_telemetry
from nssbg._runtime_imports import telemetry_kept_out
with telemetry_kept_out():
    for name in ("openvino_telemetry", "openvino.tools.ovc"):
        try:
            __import__(name)
        except ImportError:
            pass
        else:
            raise AssertionError(name)
assert sys.modules["openvino_telemetry"] is openvino_telemetry
assert "openvino.tools.ovc" not in sys.modules
"""
    run(code, tmp_path)
