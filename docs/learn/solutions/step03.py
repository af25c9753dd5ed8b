"""Step 3: how many clients can connect to a server that accepts none: python3 step03.py PORT

It connects until a connection takes longer than a second, and prints how many were made before.
"""

import socket
import sys

waiting = []
while True:
    try:
        waiting.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=1))
    except TimeoutError:  # the kernel has dropped the request, since the queue is full
        break
print(len(waiting))
