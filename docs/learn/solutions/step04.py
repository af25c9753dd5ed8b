"""Step 4: a thread for each client, and at most LIMIT of them: python3 step04.py PORT LIMIT

Its messages are lines. A client beyond the limit gets `ERR busy`.
"""

import socket
import sys
import threading

places = threading.BoundedSemaphore(int(sys.argv[2]))
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)


def serve(client):
    client.sendall(b"Hello World!\n")
    with client.makefile("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line == b"exit\n":
                break
            client.sendall(b"%d:ACK!\n" % number)


def serve_and_leave(client):
    try:
        serve(client)
    except ConnectionError:  # the client has left
        pass
    finally:
        places.release()  # first, so that a client that sees the end can come again
        client.close()


while True:
    client, address = server.accept()  # a client comes first, and then its thread
    if not places.acquire(blocking=False):
        # The buffer of a new connection has room, so this doesn't wait. If the client has sent something already, the
        # kernel resets the connection at `close`, and may drop this reply.
        client.sendall(b"ERR busy\n")
        client.close()
        continue
    threading.Thread(target=serve_and_leave, args=[client]).start()
