"""Asks two servers the same and prints what differs: a Triton (--left) and a gateway (--right), by all four clients of tritonclient.

    python parity.py --left HTTP,GRPC --right HTTP,GRPC --engine triton|embedded [--only TEXT] [--texts]

Each printed line is one difference; the status is 1 where there is one. With --engine triton the right side has a Triton behind it and
has to give the same bytes. With --engine embedded it runs the models itself: tensors and codes have to be the same, words need not.
"""

import argparse
import re
import sys
import time

import cases
import clients
import wire

CLIENTS = [(clients.Http, 0), (clients.HttpAio, 0), (clients.Grpc, 1), (clients.GrpcAio, 1)]


class Comparison:
    def __init__(self, arguments):
        self.left, self.right = arguments.left.split(","), arguments.right.split(",")
        self.texts = arguments.texts
        self.exact, self.only = arguments.engine == "triton", arguments.only
        self.compared = self.differences = 0

    def check(self, where, left, right):
        self.compared += 1
        if left != right:
            self.differences += 1
            print(f"DIFFERS {where}\n   want {short(left)}\n   got  {short(right)}", flush=True)

    def wanted(self, name):
        return self.only in name

    def pair(self, kind, n):
        return kind(self.left[n]), kind(self.right[n])

    def clients(self):
        for kind, n in CLIENTS:
            left, right = self.pair(kind, n)
            try:
                for case in cases.same() + (cases.triton_only() if self.exact else []):
                    where = f"{kind.name}: {case.name}"
                    if not self.wanted(where):
                        continue
                    a, b = left.ask(case), right.ask(case)
                    if case.model == "slow" or case.model == "repeat":
                        self.refused(where, a, b)
                    elif "error" in a:
                        self.check(where + ": Triton itself refuses", {}, a)
                    else:
                        self.check(where, self.plain(a), self.plain(b))
                for case in cases.wrong():
                    where = f"{kind.name}: {case.name}"
                    if self.wanted(where):
                        self.refused(where, left.ask(case), right.ask(case))
                if self.exact and self.wanted(kind.name + ": sequence"):
                    # The two servers may be one; each sequence has an id of its own.
                    for a, b in zip(cases.sequence(31 + 2 * len(kind.name)), cases.sequence(32 + 2 * len(kind.name))):
                        self.check(f"{kind.name}: {a.name}", self.plain(left.ask(a)), self.plain(right.ask(b)))
                self.about(kind.name, left, right)
                if n == 1:
                    self.streams(kind.name, left, right)
            finally:
                left.close()
                right.close()

    def plain(self, answer):
        """What has to be the same: all of it, or the tensors alone where an engine of its own answers."""
        if "error" in answer:
            return {"error": answer["error"], "text": unnumbered(answer["text"]) if self.exact else ""}
        if self.exact:
            return answer
        if "json" in answer:
            return {"outputs": answer["json"]["outputs"], "bytes": answer["bytes"]}
        message = answer["message"]
        return {"outputs": message["outputs"], "raw": message.get("raw_output_contents")}

    def refused(self, where, left, right):
        """Both refuse, with the same code; the text names what Triton's names in quotes."""
        key = next(k for k in ("error", "status", "code") if k in left or k in right)
        if left.get(key) in (None, 200, "OK"):
            return self.check(where + " (Triton takes it)", "nothing is asked", "nothing is asked")
        if right.get(key) not in allowed(where, left[key]):
            self.check(where, left, right)
        self.compared += 1
        told, heard = text_of(left), text_of(right)
        if self.texts and unnumbered(told) != unnumbered(heard):
            print(f"WORDS {where}\n   Triton {short(told)}\n   right  {short(heard)}")
        for name in () if "10,000" in where else set(re.findall(r"'([a-z][\w]*)'", told)) & {"x", "y", "nosuch", "in_BYTES", "in_FP16"}:
            if name not in heard:
                self.check(where + ": the text names " + name, told, heard)

    def about(self, name, left, right):
        models = ["kinds", "flat", "classes"] + (["repeat", "sum", "brain"] if self.exact else [])
        asks = [("is_server_live",), ("is_server_ready",), ("is_model_ready", "nosuch"), ("is_model_ready", "classes", "9")]
        asks += [(what, model) for model in models for what in ("is_model_ready", "get_model_metadata", "get_model_config")]
        asks += [("is_model_ready", "classes", "1"), ("get_model_metadata", "classes", "1"), ("get_model_config", "classes", "1"),
                 ("get_model_metadata", "nosuch"), ("get_model_config", "nosuch"), ("get_inference_statistics", "nosuch")]
        for ask in asks:
            where = f"{name}: {' '.join(ask)}"
            if not self.wanted(where):
                continue
            a, b = left.about(*ask), right.about(*ask)
            if isinstance(a, dict) and "error" in a:
                self.refused(where, a, b if isinstance(b, dict) else {"error": None, "text": repr(b)})
            elif ask[0] == "get_model_config" and not self.exact:
                self.check(where, {k: (a.get("config") or a).get(k) for k in ("name", "max_batch_size", "input", "output")},
                           {k: (b.get("config") or b).get(k) for k in ("name", "max_batch_size", "input", "output")})
            else:
                self.check(where, a, b)
        self.listed(name, left, right)

    def listed(self, name, left, right):
        if self.wanted(name + ": get_server_metadata"):
            self.check(name + ": get_server_metadata", sorted(left.about("get_server_metadata")), sorted(right.about("get_server_metadata")))
        if self.wanted(name + ": get_inference_statistics"):
            # The numbers are the server's own; what is told is the same.
            a, b = (shape(c.about("get_inference_statistics", "classes")) for c in (left, right))
            if self.exact:
                self.check(name + ": get_inference_statistics", a, b)
            else:
                self.check(name + ": get_inference_statistics", "model_stats", next(iter(b), None))
        if self.wanted(name + ": get_model_repository_index"):
            a, b = (c.about("get_model_repository_index") for c in (left, right))
            a, b = (x.get("models", []) if isinstance(x, dict) else x for x in (a, b))
            b = [m for m in b if not m["name"].endswith(".image")]
            if not self.exact:
                names = {m["name"] for m in b}
                a = [m for m in a if m["name"] in names]
                b = [m for m in b if m["name"] in {m["name"] for m in a}]
            key = lambda m: (m["name"], m.get("version", ""))
            self.check(name + ": get_model_repository_index", sorted(a, key=key), sorted(b, key=key))

    def streams(self, name, left, right):
        for (requests, more), (others, _) in zip(cases.streams(41), cases.streams(42)):
            where = f"{name} stream: {', '.join(c.name for c in requests)}"
            if self.wanted(where) and (self.exact or all(c.model == "one" for c in requests)):
                a, b = left.stream(requests, **more), right.stream(others, **more)
                a, b = ([self.streamed(x) for x in answers] for answers in (a, b))
                self.check(where, a, b)

    def streamed(self, answer):
        """An error in a stream has words alone, and those are the server's own. An empty last response need not tell its version."""
        if "error" in answer:
            return {"error": answer["error"]}
        if "outputs" not in answer["message"]:
            return {k: v for k, v in answer["message"].items() if k != "model_version"}
        return self.plain(answer)

    def wires(self):
        for name, *ask in wire.http_good():
            if self.wanted("HTTP by hand: " + name):
                a, b = (wire.http_ask(address[0], *ask) for address in (self.left, self.right))
                self.check(f"HTTP by hand: {name}: Triton takes it", 200, a["status"])
                a, b = ({k: x.get(k) for k in ("status", "type")} | answer(x, self.exact) for x in (a, b))
                self.check("HTTP by hand: " + name, a, b)
        for name, *ask in wire.http_bad():
            if self.wanted("HTTP by hand: " + name) and (self.exact or "repeat" not in ask[1]):
                a, b = (wire.http_ask(address[0], *ask) for address in (self.left, self.right))
                self.refused("HTTP by hand: " + name, a, b)
        (channel, a), (other, b) = wire.stub(self.left[1]), wire.stub(self.right[1])
        for name, message in wire.grpc_messages():
            if self.wanted("gRPC by hand: " + name):
                x, y = wire.grpc_ask(a, message), wire.grpc_ask(b, message)
                if x["code"] != "OK":
                    self.refused("gRPC by hand: " + name, x, y)
                elif "two contents" not in name:  # Triton does not look at the second one
                    self.check("gRPC by hand: " + name, x, y)
        channel.close()
        other.close()


def allowed(where, status):
    """What may stand for a status of Triton's: it blames itself (500) for JSON that it cannot read."""
    if "shared memory" in where:
        return {"PERMISSION_DENIED", "UNIMPLEMENTED", "INVALID_ARGUMENT"}
    if "bomb" in where:
        return {400, 413}
    if "unknown encoding" in where:
        return {400, 415, 501}
    if "fails" in where:
        return {"INTERNAL", "502"}  # 500 is the gateway's own failure
    if "statistics nosuch" in where:
        return {"404", "NOT_FOUND"}  # Triton calls that an invalid argument, of this call alone
    return {{500: 400, "500": "400", "RESOURCE_EXHAUSTED": "INVALID_ARGUMENT"}.get(status, status)}


def answer(got, all_of_it):
    """The document of an answer without the order of its outputs, and the bytes of each binary one."""
    document = got.get("header", got.get("body"))
    if not isinstance(document, dict):
        return {"text": document}
    out = clients.sorted_json(document, got.get("bytes", b""))
    return out if all_of_it else {"outputs": out["json"].get("outputs"), "bytes": out["bytes"]}


def text_of(answer):
    body = answer.get("body", answer.get("text", ""))
    return str(body.get("error", body) if isinstance(body, dict) else body)


def unnumbered(text):
    """Triton puts the id of the request before its words."""
    return re.sub(r"^\[request id: [^\]]*\] ", "", text)


def shape(value):
    """A document with its leaves left out: what is told, not how much."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(v) for v in value[:1]]
    return type(value).__name__


def short(value):
    text = repr(value)
    return text if len(text) < 700 else text[:500] + f" ... ({len(text)}) ... " + text[-200:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--left", required=True)
    parser.add_argument("--right", required=True)
    parser.add_argument("--engine", choices=["triton", "embedded"], default="triton")
    parser.add_argument("--only", default="", help="only comparisons with this in their name")
    parser.add_argument("--texts", action="store_true", help="also print, and do not count, where the words of a refusal differ")
    comparison, start = Comparison(parser.parse_args()), time.monotonic()
    comparison.clients()
    comparison.wires()
    print(f"{comparison.compared} comparisons, {comparison.differences} differences, {time.monotonic() - start:.1f} s")
    return 1 if comparison.differences or not comparison.compared else 0


if __name__ == "__main__":
    sys.exit(main())
