"""Files that become jobs."""

from collections.abc import Iterator

MOST_ITEMS, MOST_BYTES = 200, 16 << 20  # of one job, as the command line cuts a folder
STATES = ("queued", "running", "succeeded", "failed", "cancelled", "expired")
UNDER_WAY = ("queued", "running")
MAY_RETRY = ("failed", "cancelled", "expired")


def is_zip(data: bytes) -> bool:
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def chunks(files: list[tuple[str, bytes]], items: int = MOST_ITEMS, size: int = MOST_BYTES) -> Iterator[tuple[bool, list[tuple[str, bytes]]]]:
    """(zipped, files) of each job to be: an archive is a job of its own, pictures go together up to so many or so many bytes."""
    held: list[tuple[str, bytes]] = []
    for name, data in files:
        if is_zip(data):
            yield True, [(name, data)]
            continue
        if held and (len(held) == items or sum(len(d) for _, d in held) + len(data) > size):
            yield False, held
            held = []
        held.append((name, data))
    if held:
        yield False, held


def row(job: dict) -> dict:
    """A job as a row of the list."""
    progress = job.get("progress") or {}
    total = progress.get("total") or 0
    return {
        "state": job.get("state", "?"), "model": job.get("model", ""), "priority": job.get("priority", ""), "items": total,
        "progress": (progress.get("done") or 0) / total if total else 0.0, "failed": progress.get("failed") or 0,
        "created": job.get("created_at"), "finished": job.get("finished_at"), "id": job.get("id", ""),
    }  # fmt: skip


def summary(job: dict) -> str:
    """A job in one sentence."""
    p = job.get("progress") or {}
    done, total, failed = p.get("done") or 0, p.get("total") or 0, p.get("failed") or 0
    text = f"{job.get('state', '?')}: {done} of {total} done" + (f", {failed} of them failed" if failed else "")
    if job.get("state") == "queued" and job.get("position"):
        text += f"; {job['position']} jobs are before it"
    if job.get("error"):
        text += f". {job['error'].get('detail', '')}"
    return text
