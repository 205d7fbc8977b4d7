"""First process of the server's namespaces: raises the loopback interface, starts samba, and leads
Unix sockets, which are reachable from outside, to its ports.
inside.py FOLDER SAMBA ADDRESS PORT..."""
import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

SIOCSIFFLAGS, UP = 0x8914, 1

folder, program, address = sys.argv[1:4]
ports = [int(port) for port in sys.argv[4:]]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control, \
        contextlib.suppress(PermissionError):  # in the machine's own network it is up already
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", UP))


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        sink.close()


def serve(port):
    path = f"{folder}/{port}.socket"
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    while True:
        outside, _ = listener.accept()
        try:
            server = socket.create_connection((address, port))
        except OSError:
            outside.close()
            continue
        for pair in ((outside, server), (server, outside)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


for port in ports:
    threading.Thread(target=serve, args=(port,), daemon=True).start()
samba = subprocess.Popen(
    [program, "-s", f"{folder}/smb.conf", "-F", "--no-process-group", "--model=single",
     "--debug-stdout"],
    stdin=subprocess.PIPE)  # samba ends when this pipe falls shut: whenever we are gone
signal.signal(signal.SIGTERM, lambda *_: samba.kill())
sys.exit(samba.wait())
