"""The classic socket tutorial's client, with its faults: a greeting, then a message and a reply in turns, until `exit`.

python3 client.py PORT

It takes one read for one reply. After an empty line it waits for ever, since nothing is sent. When the server has ended the
connection, it prints an empty line and fails at a later message.
"""

import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("127.0.0.1", int(sys.argv[1])))
print(client.recv(1024).decode("utf-8"))

for line in sys.stdin:
    message = line.rstrip("\n")
    client.send(message.encode("utf-8"))
    if message == "exit":
        break
    print(client.recv(1024).decode("utf-8"))

client.close()
