"""moto behind one lock: its parts are not made for calls at the same time, and would let two conditional writes of one item pass, or give one message to two.
A long poll lets go of the lock while it waits.

moto's table is made for few items: a transaction copies all of it, a query sorts all of it, and each attribute of an item that is set measures all others.
Here a transaction remembers the items that it writes, a query of an index looks at the items of its key alone, and only large attributes
measure the others."""

import base64
import copy
import functools
import io
import json
import re
import signal
import sys
import threading

from moto import backends
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
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


class Places(dict):
    """The items of one table by the hash keys of its indexes: attribute, value, (partition, sort)."""

    def __init__(self):
        self.at = {}

    def note(self, table, key):
        """key has been written: what was known of it is replaced."""
        for bucket in self.at.pop(key, ()):
            bucket.pop(key, None)
        item = table.items.get(key[0], {}).get(key[1])
        if item is None:
            return
        buckets = []
        for index in table.all_indexes():
            name = next(k["AttributeName"] for k in index.schema if k["KeyType"] == "HASH")
            if name in item.attrs:
                bucket = self.setdefault(name, {}).setdefault(item.attrs[name].value, {})
                bucket[key] = item
                buckets.append(bucket)
        self.at[key] = buckets


def written(write):
    def call(backend, table_name, what, *args, **kwargs):
        try:
            return write(backend, table_name, what, *args, **kwargs)
        finally:
            note(backend, table_name, what)

    return call


def note(backend, table_name, what):
    table = backend.tables.get(table_name)
    if table is not None and table.hash_key_attr in what and table.range_key_attr in what:
        table.__dict__.setdefault("places", Places()).note(table, backend.get_keys_value(table, what))


for name in ("put_item", "update_item", "delete_item"):
    setattr(DynamoDBBackend, name, written(getattr(DynamoDBBackend, name)))

transact = DynamoDBBackend.transact_write_items


def transact_write_items(backend, transact_items):
    before = []
    for entry in transact_items:
        op = next(iter(entry.values()))
        table = backend.tables.get(op.get("TableName"))
        if table is None:
            continue
        what = op.get("Key") or op.get("Item")
        h, r = backend.get_keys_value(table, what)
        before.append((op["TableName"], table, what, h, r, copy.deepcopy(table.get_item(h, r))))
    try:
        transact(backend, transact_items)
    except Exception:
        for name, table, what, h, r, item in before:
            table.items[h].pop(r, None)
            if item is not None:
                table.items[h][r] = item
            note(backend, name, what)
        raise


DynamoDBBackend.transact_write_items = transact_write_items
Table.__deepcopy__ = lambda table, memo: table  # moto's own backup of a transaction
measured = LimitedSizeDict.__setitem__


def set_one(attributes, name, value):
    small = getattr(value, "type", "") in ("S", "N", "B", "BOOL") and len(str(value.value)) < 2500
    (dict.__setitem__ if small else measured)(attributes, name, value)


LimitedSizeDict.__setitem__ = set_one
query = Table.query


def narrow(table, hash_key, *args, **kwargs):
    index = kwargs.get("index_name", args[6] if len(args) > 6 else None)
    found = None
    if index is None:
        found = list(table.items.get(hash_key, {}).values())
    elif len(conditions := kwargs.get("hash_key_conditions") or ()) == 1:
        name, value = conditions[0]
        found = list(getattr(table, "places", {}).get(name, {}).get(value.value, {}).values())
    if found is not None:
        table.all_items = lambda: found
    try:
        return query(table, hash_key, *args, **kwargs)
    finally:
        table.__dict__.pop("all_items", None)


def sorted_items(table, hashes, ranges, items):
    names = table._generate_attr_to_sort_by(hashes, ranges)
    items.sort(key=lambda i: tuple(i.attrs[n].cast_value for n in names))
    return items


Table.query, Table.sorted_items = narrow, sorted_items
structure = BaseJSONSerializer._serialize_type_structure


def serialize_structure(serializer, serialized, value, shape, key):
    """An attribute's value goes as it is; moto asks for each of ten types under several names whether it is that."""
    if key and shape.name == "AttributeValue" and type(value) is dict and len(value) == 1 and next(iter(value)) in ("S", "N", "BOOL"):
        serialized[key] = value
    else:
        structure(serializer, serialized, value, shape, key)


BaseJSONSerializer._serialize_type_structure = serialize_structure
modules = list(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: modules  # which is a look into every folder, at every call
UpdateExpressionParser.make = functools.lru_cache(500)(UpdateExpressionParser.make)  # who changes a tree copies it

inner = DomainDispatcherApplication(create_backend_app)


def get_item(environ):
    """Answers a plain GetItem, which most calls of a store of jobs are, without the twenty layers. None: this is no such call."""
    if environ.get("HTTP_X_AMZ_TARGET") != "DynamoDB_20120810.GetItem":
        return None
    text = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(text)
    call, region = json.loads(text), re.search(r"Credential=[^/]+/\d+/([a-z0-9-]+)/dynamodb/", environ.get("HTTP_AUTHORIZATION", ""))
    if not region or not {"TableName", "Key"} <= call.keys() <= {"TableName", "Key", "ConsistentRead"}:
        return None
    backend = dynamodb_backends["123456789012"][region[1]]
    table = backend.tables.get(call["TableName"])
    if table is None or call["Key"].keys() != {table.hash_key_attr, table.range_key_attr}:
        return None
    item = table.get_item(*backend.get_keys_value(table, call["Key"]))
    return json.dumps({} if item is None else {"Item": item.to_json()["Attributes"]}, default=plain).encode()


def plain(value):
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.to_json()


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length and environ.get("HTTP_TRANSFER_ENCODING") is None:  # a slow sender keeps nobody waiting
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
    with turn:
        answer = get_item(environ)
        if answer is not None:
            start_response("200 OK", [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(answer)))])
            return [answer]
        return list(inner(environ, start_response))


host, port = sys.argv[1].rsplit(":", 1)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


class Quiet(MotoRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True  # head and body are sent one after the other: without this each answer takes 40 ms

    def log_request(self, *args):
        pass


run_simple(host, int(port), application, threaded=True, request_handler=Quiet)
