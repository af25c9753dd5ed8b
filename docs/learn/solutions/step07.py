"""An edge-triggered epoll server that forgets no input and serves all clients in turn: step07.py PORT"""

import select
import socket
import sys

TURN = 4096  # the most bytes of a client that are answered before the others have their turn


class Client:
    def __init__(self, connection):
        connection.setblocking(False)
        self.connection, self.unsent = connection, b""

    def turn(self):
        """Answers what has arrived, for one turn. Returns whether more may have arrived: otherwise an event will tell."""
        try:
            if not self.unsent:
                self.unsent = self.connection.recv(TURN)
                if not self.unsent:
                    self.connection.close()
                    return False
            self.unsent = self.unsent[self.connection.send(self.unsent):]
            return True
        except BlockingIOError:  # nothing to read, or no room to write
            return False
        except ConnectionError:
            self.connection.close()
            return False


def main(port):
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    listener.setblocking(False)
    print("listening on %s:%d" % listener.getsockname(), flush=True)
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN)
    clients, queue = {}, {}
    while True:
        # Nobody is waited for while clients are in the queue.
        ready = dict.fromkeys(number for number, _ in poller.poll(0 if queue else None)) | queue
        queue = {}
        for number in ready:
            if number == listener.fileno():
                connection, _ = listener.accept()
                number = connection.fileno()
                clients[number] = Client(connection)
                poller.register(connection, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
            elif clients[number].turn():
                queue[number] = None
            elif clients[number].connection.fileno() < 0:
                del clients[number]


main(int(sys.argv[1]))
