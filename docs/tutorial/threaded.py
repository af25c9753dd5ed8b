"""The second server of the classic socket tutorial, with its faults: a thread for each client.

(ulimit -v 2000000; python3 threaded.py PORT)

Warning: it starts threads without end, before any client comes. Run it only with a limit on memory, as in the line above:
then it stops at some hundred threads, of which each serves one client. It is for learning alone. Port 0 is any free port;
the first line says which.
"""

import random
import socket
import sys
import threading

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen(5)
print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)


def serve():
    client, address = server.accept()
    client.send("Hello World!".encode("utf-8"))
    while True:
        text = client.recv(1024).decode("utf-8")
        if not text or text == "exit":
            break
        client.send(("%d:ACK!" % random.randint(1, 1000)).encode("utf-8"))
    client.close()


while True:
    threading.Thread(target=serve).start()
