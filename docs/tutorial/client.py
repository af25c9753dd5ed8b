"""The classic socket tutorial's client, with its faults: a greeting, then a message and a reply in turns, until `exit`.

python3 client.py PORT

It takes one read for one reply, and waits for ever after an empty line, since nothing is sent.
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
