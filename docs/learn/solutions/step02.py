"""Step 2: a client whose messages have a length prefix of 4 bytes, big-endian: python3 step02.py PORT

It sends each line of its input as a message, and prints each reply. It speaks with `anyloop serve --framing length`.
"""

import socket
import struct
import sys


def send_message(client, message):
    client.sendall(struct.pack(">I", len(message)) + message)


def receive_exactly(client, length):
    """The next `length` bytes, however they arrive."""
    data = b""
    while len(data) < length:
        more = client.recv(length - len(data))
        if not more:
            raise ConnectionError("the server ended the connection after %d of %d bytes" % (len(data), length))
        data += more
    return data


def receive_message(client):
    (length,) = struct.unpack(">I", receive_exactly(client, 4))
    return receive_exactly(client, length)


with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as client:
    print(receive_message(client).decode("utf-8"))
    messages = [line.rstrip(b"\n") for line in sys.stdin.buffer]
    for message in messages:
        send_message(client, message)  # all of them, without waiting
    for message in messages:
        if message != b"exit":
            print(receive_message(client).decode("utf-8"))
