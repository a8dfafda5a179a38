"""A fresh install cuts pictures out with no network at all: nothing is fetched, nothing is sent.

Once with Python's sockets forbidden (an audit hook sees every one of them, also a library's), and,
where the system lets an ordinary process have one, in a network namespace without interfaces,
which binds native code as well.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PICTURES = Path(__file__).parent.parent / "data"

# Ends the process at once: a caller that swallows exceptions cannot hide an attempt.
FORBID_SOCKETS = """
import os, sys
def forbid(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        os.write(2, f"network use: {event} {arguments!r}".encode())
        os._exit(70)
sys.addaudithook(forbid)
from nssbg.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def clean(tmp_path):
    """An environment as on the first day: an empty home, no cache, no settings."""
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "PATH": "/usr/bin:/bin"}


def cut_out(command, image, tmp_path):
    """Runs a command on a copy of a picture; the cut-out's alpha and the process."""
    source = tmp_path / image
    shutil.copy(PICTURES / image, source)
    done = subprocess.run(
        [*command, str(source)], capture_output=True, check=False, text=True, env=clean(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    return np.asarray(Image.open(source.with_name(f"{source.stem}-cutout.png")))[..., 3], done


def agrees(alpha, image):
    truth = np.asarray(Image.open(PICTURES / image.replace(".jpg", "-mask.png")).convert("L"))
    found, wanted = alpha > 127, truth > 127
    return (found & wanted).sum() / (found | wanted).sum()


# Fur on a graded backdrop, and a mug with a handle to see through.
@pytest.mark.parametrize("image", ["bear.jpg", "mug.jpg"])
def test_the_first_picture_of_a_fresh_install_opens_no_socket(image, tmp_path):
    alpha, _ = cut_out([sys.executable, "-c", FORBID_SOCKETS], image, tmp_path)
    assert agrees(alpha, image) > 0.85


def test_the_hook_sees_an_attempt(tmp_path):
    # The check itself can fail: pulling a model reaches for the network and is stopped.
    done = subprocess.run(
        [sys.executable, "-c", FORBID_SOCKETS, "models", "pull", "u2netp"],
        capture_output=True,
        check=False,
        text=True,
        env=clean(tmp_path),
    )
    assert done.returncode == 70
    assert "network use" in done.stderr


def has_namespaces():
    unshare = shutil.which("unshare")
    return unshare is not None and (
        subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not has_namespaces(), reason="no network namespaces for ordinary processes")
def test_it_runs_where_there_are_no_interfaces(tmp_path):
    command = ["unshare", "-rn", sys.executable, "-m", "nssbg.cli.main"]
    alpha, _ = cut_out(command, "bear.jpg", tmp_path)
    assert agrees(alpha, "bear.jpg") > 0.85
