"""The first server of the classic socket tutorial, with its faults: each message is numbered, until `exit`.

python3 server.py PORT

It is for learning alone. A client that leaves ends it, and one that closes only its own direction makes it print without
end, so don't let it print to a file. Port 0 is any free port; the first line says which.
"""

import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen(5)
print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)

while True:
    client, address = server.accept()
    print("connected:", address, flush=True)
    client.send("連接成功!".encode("utf-8"))
    number = 0
    while True:
        text = client.recv(1024).decode("utf-8")
        if text == "exit":
            break
        number += 1
        print("received:", text, flush=True)
        client.send(("第%d條信息:" % number + text).encode("utf-8"))
    client.close()
