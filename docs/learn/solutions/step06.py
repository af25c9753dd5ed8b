"""Step 6: many clients on one thread, which waits for all of them with `poll`: python3 step06.py PORT

Its messages are lines. A client's state is an object; no call for a client waits.
"""

import select
import socket
import sys

MAX_MESSAGE = 65536  # bytes
READ = 4096  # bytes at most for each turn of a client


class Client:
    """The state that a thread of step 4 had on its stack."""

    def __init__(self, socket):
        self.socket, self.input, self.unsent, self.number, self.is_ending = socket, b"", b"Hello World!\n", 0, False

    def events(self):
        """What it waits for. While replies are unsent nothing is read, so they can't pile up."""
        return select.POLLOUT if self.unsent else select.POLLIN

    def advance(self):
        """Goes on without waiting. Returns whether the conversation goes on."""
        try:
            if not self.unsent:
                self.read()
            if self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent):]  # it may take a part of them
        except BlockingIOError:  # not now
            pass
        except ConnectionError:
            return False
        return bool(self.unsent) or not self.is_ending

    def read(self):
        data = self.socket.recv(READ)
        self.is_ending = not data
        *lines, self.input = (self.input + data).split(b"\n")
        for line in lines:
            if line == b"exit":
                self.is_ending = True
                return
            self.number += 1
            self.unsent += b"%d:ACK!\n" % self.number
        if len(self.input) > MAX_MESSAGE:
            self.unsent += b"ERR too-long\n"
            self.is_ending = True


server = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
server.setblocking(False)
print("listening on 127.0.0.1:%d" % server.getsockname()[1], flush=True)
poll, clients = select.poll(), {}
poll.register(server, select.POLLIN)

while True:
    for descriptor, _ in poll.poll():
        if descriptor == server.fileno():
            try:
                accepted, _ = server.accept()
            except (BlockingIOError, ConnectionError):  # it has left already
                continue
            accepted.setblocking(False)
            clients[accepted.fileno()] = client = Client(accepted)
            poll.register(accepted, client.events())
            continue
        client = clients[descriptor]
        if client.advance():
            poll.modify(descriptor, client.events())
        else:
            poll.unregister(descriptor)
            clients.pop(descriptor).socket.close()
