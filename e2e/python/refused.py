"""What a gateway refuses to ordinary callers, however they ask: shared memory, traces, log settings, loading and unloading.

    python refused.py HTTP GRPC
"""

import sys

import clients

ASKS = [
    ("get_system_shared_memory_status",), ("get_cuda_shared_memory_status",), ("register_system_shared_memory", "r", "/r", 16),
    ("register_cuda_shared_memory", "r", b"AAAA", 0, 16), ("unregister_system_shared_memory",), ("unregister_cuda_shared_memory",),
    ("get_trace_settings",), ("update_trace_settings", "classes", {"trace_level": ["TIMESTAMPS"]}), ("get_log_settings",),
    ("update_log_settings", {"log_verbose_level": 1}), ("load_model", "classes"), ("unload_model", "classes"),
]
CLEAR = {"403", "501", "PERMISSION_DENIED", "UNIMPLEMENTED"}


def main():
    wrong = 0
    for kind, address in ((clients.Http, 1), (clients.HttpAio, 1), (clients.Grpc, 2), (clients.GrpcAio, 2)):
        client = kind(sys.argv[address])
        for ask in ASKS:
            answer = client.about(*ask)
            if not isinstance(answer, dict) or answer.get("error") not in CLEAR or len(answer["text"]) < 10:
                wrong += 1
                print(f"{kind.name}: {ask[0]} gives {answer!r}")
        if client.about("is_model_ready", "classes") is not True:
            wrong += 1
            print(f"{kind.name}: the model is no longer there")
        client.close()
    print(f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
