"""Trains the demo models and writes them, their golden answers and RESULTS.md. See README.md."""

import argparse
import os

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import golden
import graph
import report


def jobs():
    """What can be trained: name -> function that returns rows for the results table."""
    import classifier
    import detector
    import digits
    import quantised
    import slow
    import stories
    import tabular
    return {"shapes:1": lambda: classifier.train(1), "shapes:2": lambda: classifier.train(2),
            "shapes-detector:1": detector.train, "iris:1": tabular.iris, "diabetes:1": tabular.diabetes,
            "digits:1": digits.train, "shapes-slow:1": slow.make, "shapes-int8:1": quantised.make,  # made of shapes, so after it
            "stories:1": stories.train}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="*", help="model or model:version; default: all")
    parser.add_argument("--golden", action="store_true", help="only write the golden pictures and answers again")
    args = parser.parse_args()
    work = jobs()
    wanted = [k for k in work if not args.model or k in args.model or k.split(":")[0] in args.model]
    unknown = [m for m in args.model if m not in work and m not in {k.split(":")[0] for k in work}]
    if unknown:
        parser.error(f"unknown model {', '.join(unknown)}; known: {', '.join(work)}")
    for key in wanted:
        if not args.golden:
            report.record(key, work[key]())
    for name in sorted({k.split(":")[0] for k in wanted}):
        golden.write(name)
    if args.golden and "stories:1" in wanted:
        import stories
        stories.write_golden()
    if any(k.startswith("shapes") for k in wanted):
        graph.write()


if __name__ == "__main__":
    main()
