"""moto behind one lock: its parts are not made for calls at the same time, and would let two conditional writes of one item pass, or give one message to two.
A long poll lets go of the lock while it waits."""

import io
import signal
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sqs import models
from werkzeug.serving import run_simple

turn = threading.Lock()
waits = models.Queue.wait_for_messages


def wait_for_messages(queue, timeout):
    turn.release()
    try:
        waits(queue, min(timeout, 0.05))  # nothing tells it that a message has become visible again
    finally:
        turn.acquire()


models.Queue.wait_for_messages = wait_for_messages
inner = DomainDispatcherApplication(create_backend_app)


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length and environ.get("HTTP_TRANSFER_ENCODING") is None:  # a slow sender keeps nobody waiting
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
    with turn:
        return list(inner(environ, start_response))


host, port = sys.argv[1].rsplit(":", 1)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


class Quiet(MotoRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True  # head and body are sent one after the other: without this each answer takes 40 ms

    def log_request(self, *args):
        pass


run_simple(host, int(port), application, threaded=True, request_handler=Quiet)
