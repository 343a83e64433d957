"""Ask a model about pictures: python client.py model_repository/shapes/golden/circle-1.png ...  (pip install requests)"""
import hashlib
import os
import sys

import requests

GATEWAY = os.environ.get("GATEWAY", "http://localhost:8080")
MODEL = os.environ.get("MODEL", "shapes")


def infer(session: requests.Session, path: str, **options) -> dict:
    """Asks by digest first: a picture whose answer is known need not be sent at all."""
    with open(path, "rb") as f:
        data = f.read()
    url = f"{GATEWAY}/v1/models/{MODEL}"
    r = session.get(f"{url}/results/{hashlib.sha256(data).hexdigest()}", params=options, timeout=35)
    if r.status_code == 404 and r.json()["code"] == "result_not_cached":
        r = session.post(f"{url}/infer", params=options, data=data, headers={"Content-Type": "application/octet-stream"}, timeout=35)
    if r.headers["Content-Type"].startswith("application/problem+json"):
        problem = r.json()
        raise RuntimeError(f"{problem['code']}: {problem['detail']} (request {problem['request_id']})")
    print(f"{path}: {r.headers['Cache-Status']}")
    return r.json()


if __name__ == "__main__":
    with requests.Session() as session:
        for path in sys.argv[1:]:
            answer = infer(session, path)
            for found in answer.get("predictions") or answer["detections"]:
                print(f"  {found['score']:.3f} {found['label']} {found.get('box', '')}")
