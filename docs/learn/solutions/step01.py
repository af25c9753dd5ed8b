"""Step 1: the tutorial's first server, which survives a client that leaves, closes its direction, or cuts a character.

python3 step01.py PORT
"""

import codecs
import socket
import sys

server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)


def serve(client):
    client.sendall("連接成功!".encode("utf-8"))
    decoder = codecs.getincrementaldecoder("utf-8")("replace")  # keeps half a character until the rest comes
    number = 0
    while data := client.recv(1024):  # nothing: the client has closed its direction
        text = decoder.decode(data)
        if text == "exit":
            break
        if text:
            number += 1
            client.sendall(("第%d條信息:" % number + text).encode("utf-8"))


while True:
    client, address = server.accept()
    with client:
        try:
            serve(client)
        except ConnectionError as error:  # the client has left
            print("lost:", address, error, flush=True)
