"""The classic socket tutorial's first server: one client at a time, each message numbered, until `exit`.

It takes any free port, and prints which.
"""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("127.0.0.1", 0))
server.listen(5)
print(server.getsockname()[1], flush=True)

while True:
    client, address = server.accept()
    client.send("連接成功!".encode("utf-8"))
    number = 0
    while True:
        text = client.recv(1024).decode("utf-8")
        if not text or text == "exit":
            break
        number += 1
        client.send(("第%d條信息:" % number + text).encode("utf-8"))
    client.close()
