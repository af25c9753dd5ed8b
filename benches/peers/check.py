"""Checks the servers that a script would measure: `check.py SERVICE PROGRAM --server NAME=COMMAND …`.

Each is started as `compare` starts it and loaded by the program, which verifies every reply. Servers of `lines` also
get lines that are split at every byte. A server with `{cert}` in its command speaks TLS. Afterwards no process of the
server may be left. Other arguments, which are for `compare`, are ignored.
"""

import argparse
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time

LOADS = ("--connections 64 --depth 16", "--connections 500 --depth 1")
LINES = b"first\n\nthe third\n" + b"x" * 3000 + b"\nlast\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("service")
    parser.add_argument("program")
    parser.add_argument("--server", action="append", default=[])
    arguments, _ = parser.parse_known_args()
    wrong = 0
    for server in arguments.server:
        name, _, command = server.partition("=")
        try:
            with tempfile.TemporaryDirectory() as folder:
                check(arguments.service, arguments.program, command, folder)
            print(f"{arguments.service}: {name} answers correctly")
        except (AssertionError, OSError) as error:
            print(f"{arguments.service}: {name}: {error}", file=sys.stderr)
            wrong += 1
    sys.exit(1 if wrong else 0)


def check(service, program, command, folder):
    flags = ""
    if "{cert}" in command:
        certificate, key = certify(folder)
        command = command.replace("{cert}", certificate).replace("{key}", key)
        flags = f"--tls --tls-ca {certificate} --tls-server-name localhost"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [part.replace("{port}", str(port)) for part in shlex.split(command)]
    server = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until(lambda: server.poll() is not None or accepts(port), "it accepts no connection")
        for load in LOADS:
            verify(program, port, f"{load} {flags}")
        if service == "lines":
            cut(port)
        assert server.poll() is None, f"it ended with {server.returncode}"
    finally:
        end(server)


def certify(folder):
    """Makes a certificate that signs itself: its file and that of its key."""
    certificate, key = os.path.join(folder, "server.crt"), os.path.join(folder, "server.key")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 9 -subj /CN=localhost"
    extensions = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]
    files = ["-out", certificate, "-keyout", key]
    subprocess.run([*make.split(), *extensions, *files], check=True, capture_output=True)
    os.chmod(key, 0o600)
    return certificate, key


def verify(program, port, load):
    """Loads the server; the exit code says whether every reply was correct."""
    command = f"load 127.0.0.1:{port} --duration 1s --warmup 100ms {load}".split()
    loaded = subprocess.run([program, *command], capture_output=True, text=True)
    said = loaded.stdout + loaded.stderr
    assert loaded.returncode == 0, f"{load}: exit code {loaded.returncode}\n{said}"
    assert "verified, all as they should be" in said, f"{load}: replies are not verified\n{said}"


def cut(port):
    """Sends lines in two pieces. The second one is sent after the complete lines of the first have been answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(1, len(LINES)):
            first, second = LINES[:at], LINES[at:]
            said = b""
            try:
                client.sendall(first)
                said += receive(client, first.rfind(b"\n") + 1)
                client.sendall(second)
                said += receive(client, len(LINES) - len(said))
            except TimeoutError:
                raise AssertionError(f"lines cut at byte {at}: no more replies after {len(said)} bytes") from None
            assert said == LINES, f"lines cut at byte {at}: it replied {said!r}"


def receive(client, count):
    said = b""
    while len(said) < count:
        piece = client.recv(count - len(said))
        assert piece, f"it ended after {said!r}"
        said += piece
    return said


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except ConnectionRefusedError:
        return False


def end(server):
    """Ends the server's process group, and fails if a process is left."""

    def is_over():
        server.poll()
        try:
            os.killpg(server.pid, 0)
            return False
        except ProcessLookupError:
            return True

    try:
        os.kill(server.pid, signal.SIGTERM)
        wait_until(is_over, "a process of it is left after SIGTERM")
    finally:
        if not is_over():
            os.killpg(server.pid, signal.SIGKILL)


def wait_until(condition, otherwise):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)


main()
