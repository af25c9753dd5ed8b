"""The classic socket tutorial's second server: a thread for each client, each message acknowledged.

It takes any free port, and prints which.
"""

import random
import socket
import threading


def serve(client):
    client.send("Hello World!".encode("utf-8"))
    while True:
        text = client.recv(1024).decode("utf-8")
        if not text or text == "exit":
            break
        client.send(("%d:ACK!" % random.randint(1, 1000)).encode("utf-8"))
    client.close()


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("127.0.0.1", 0))
server.listen(5)
print(server.getsockname()[1], flush=True)

while True:
    client, address = server.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
