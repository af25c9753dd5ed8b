"""The server of step 1, whose messages are lines: python3 lines.py PORT

It serves one client at a time. It keeps what has arrived of a line until the line end comes, however long that takes and
however long the line becomes; step 5 sets limits to both.
"""

import socket
import sys

server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)


def serve(client):
    client.sendall("連接成功!\n".encode("utf-8"))
    buffer, number = b"", 0
    while data := client.recv(1024):
        buffer += data
        *lines, buffer = buffer.split(b"\n")  # the last piece has no line end yet
        for line in lines:
            if line == b"exit":
                return
            number += 1
            client.sendall(("第%d條信息:" % number).encode("utf-8") + line + b"\n")


while True:
    client, address = server.accept()
    with client:
        try:
            serve(client)
        except ConnectionError as error:  # the client has left
            print("lost:", address, error, flush=True)
