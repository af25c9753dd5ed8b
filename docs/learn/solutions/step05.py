"""Step 5: step 4's server with a deadline for each message and a limit on its length: python3 step05.py PORT LIMIT

A timeout for each `recv` is no deadline: who sends one byte a second never lets it pass.
"""

import socket
import sys
import threading
import time

MESSAGE_TIMEOUT = 1.0  # seconds from the first byte of a message to its last
IDLE_TIMEOUT = 60.0  # seconds without any message
WRITE_TIMEOUT = 1.0  # seconds for a reply
MAX_MESSAGE = 1024  # bytes

places = threading.BoundedSemaphore(int(sys.argv[2]))
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)


def send(client, reply):
    client.settimeout(WRITE_TIMEOUT)  # for the whole of `sendall`
    client.sendall(reply)


def serve(client):
    send(client, b"Hello World!\n")
    buffer, number, deadline = b"", 0, time.monotonic() + IDLE_TIMEOUT
    while True:
        try:
            client.settimeout(max(deadline - time.monotonic(), 0.001))  # what is left; 0 would mean: don't wait
            data = client.recv(1024)
        except TimeoutError:
            return send(client, b"ERR timeout message\n" if buffer else b"ERR timeout idle\n")
        if not data:
            return
        had_part = bool(buffer)
        buffer += data
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            if line == b"exit":
                return
            number += 1
            send(client, b"%d:ACK!\n" % number)
        if len(buffer) > MAX_MESSAGE:
            return send(client, b"ERR too-long\n")
        if lines or not had_part:  # the next message begins with this part, or has not begun
            deadline = time.monotonic() + (MESSAGE_TIMEOUT if buffer else IDLE_TIMEOUT)


def serve_and_leave(client):
    try:
        serve(client)
    except (ConnectionError, TimeoutError):  # the client has left, or doesn't read
        pass
    finally:
        places.release()
        client.close()


while True:
    client, address = server.accept()
    if not places.acquire(blocking=False):
        client.sendall(b"ERR busy\n")
        client.close()
        continue
    threading.Thread(target=serve_and_leave, args=[client]).start()
