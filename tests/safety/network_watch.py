"""Runs programs in a network of their own and tells what they tried to reach and what they wrote.

Started by test_sends_nothing.py in fresh network and mount namespaces (`unshare --net --mount`, as
root of a user namespace where need be). There it is the whole internet: a resolver that answers
every name with 127.0.0.1, listeners on the ports of HTTP and HTTPS, a default route into the
loopback interface, and a packet socket on it that sees every packet that any program sends,
whatever the address. Each program gets a folder of its own as HOME, TMPDIR and XDG folders.

    python network_watch.py JOBS.json      -> one line of JSON for all jobs
    JOBS.json: {"name": {"command": [...], "folder": "..."}, ...}
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

IFF_UP = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCADDRT = 0x8913, 0x8914, 0x890B
RTF_UP = 1
MS_BIND = 4096
ETH_P_ALL = 3
ANSWER = socket.inet_aton("127.0.0.1")
# What a program of today's CI or test run would be spared is not spared here.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH")

looked_up: list[str] = []
connected: list[str] = []
packets: list[str] = []


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh", b"lo", 0).ljust(40, b"\0")
        flags = struct.unpack_from("16sh", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | IFF_UP).ljust(40))
        # struct rtentry: everything goes to the loopback interface, where it is seen.
        device = ctypes.create_string_buffer(b"lo")
        address = struct.pack("HH4s8x", socket.AF_INET, 0, b"\0" * 4)
        name = ctypes.addressof(device)
        route = struct.pack(
            "L16s16s16sHhLPhPLLH", 0, *[address] * 3, RTF_UP, 0, 0, 0, 0, name, 0, 0, 0
        )
        fcntl.ioctl(control, SIOCADDRT, route)


def mount_over(place, text):
    """Put a text in a file's place for this mount namespace only."""
    target = Path(os.path.realpath(place))
    if not target.is_file():
        return
    source = Path(sys.argv[1]).with_name(f"over-{target.name}")
    source.write_text(text)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(os.fsencode(source), os.fsencode(target), None, MS_BIND, None):
        raise OSError(ctypes.get_errno(), f"{target}: cannot be mounted over")


def resolve(server):
    """Answer every question for an IPv4 address with 127.0.0.1, and remember the name."""
    while True:
        query, peer = server.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace"))
            at += 1 + query[at]
        looked_up.append(".".join(labels))
        question = query[12 : at + 5]
        wants_v4 = question[-4:-2] == b"\0\1"
        head = query[:2] + struct.pack("!5H", 0x8180, 1, int(wants_v4), 0, 0)
        record = struct.pack("!HHHLH", 0xC00C, 1, 1, 60, 4) + ANSWER if wants_v4 else b""
        server.sendto(head + question + record, peer)


def accept(listener, port):
    while True:
        stream, _ = listener.accept()
        stream.settimeout(2)
        try:
            begun = stream.recv(64)
        except OSError:
            begun = b""
        connected.append(f"port {port}, {len(begun)} bytes at once")
        stream.close()


def sniff(wire):
    while True:
        packet = wire.recv(65535)
        version = packet[14] >> 4 if len(packet) > 14 else 0
        if version == 4 and len(packet) >= 34:
            to = socket.inet_ntoa(packet[30:34])
            packets.append(f"ipv4 protocol {packet[23]} to {to}")
        else:
            packets.append(f"ipv{version}, {len(packet)} bytes")


def stand_in_for_the_internet():
    raise_loopback()
    mount_over("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    mount_over("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    threading.Thread(target=resolve, args=(server,), daemon=True).start()
    for port in (80, 443):
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=accept, args=(listener, port), daemon=True).start()
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.bind(("lo", 0))
    threading.Thread(target=sniff, args=(wire,), daemon=True).start()


def environment(folder):
    for name in ("home", "tmp", "data", "config", "state", "run"):
        (folder / name).mkdir(parents=True)
    return {
        **{key: os.environ[key] for key in PASSED_ON if key in os.environ},
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def files_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def main():
    jobs = json.loads(Path(sys.argv[1]).read_text())
    stand_in_for_the_internet()
    running = {}
    for name, job in jobs.items():
        folder = Path(job["folder"])
        env = environment(folder)
        before = files_in(folder)
        log = (folder.parent / f"{folder.name}.log").open("wb")
        process = subprocess.Popen(
            job["command"], cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT
        )
        running[name] = (process, folder, before)
    told = {}
    for name, (process, folder, before) in running.items():
        code = process.wait(timeout=180)
        text = (folder.parent / f"{folder.name}.log").read_text(errors="replace")
        written = sorted(files_in(folder) - before)
        told[name] = {"code": code, "said": text[-2000:], "written": written}
    time.sleep(0.5)
    # The resolver's own answers and refusals are packets too: with none asked, there are none.
    print(
        json.dumps(
            {
                "jobs": told,
                "looked_up": looked_up,
                "connected": connected,
                "packets": sorted(set(packets)),
            }
        )
    )


if __name__ == "__main__":
    main()
