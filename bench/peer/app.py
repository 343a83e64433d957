"""The service that most teams write first, as the thing to compare with: FastAPI, a thread pool with OpenCV, Redis, Triton.

It follows the usual recipe and leaves nothing out that makes it fast: uvloop and httptools, two worker processes, the
asynchronous Redis and Triton clients, decoding off the event loop.
"""

import asyncio
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import redis.asyncio as redis
import tritonclient.grpc.aio as triton
from fastapi import FastAPI, HTTPException, UploadFile

MODEL = os.environ["PEER_MODEL"]
INPUT = os.environ["PEER_INPUT"]
OUTPUT = os.environ["PEER_OUTPUT"]
SIZE = int(os.environ["PEER_SIZE"])
LABELS = os.environ["PEER_LABELS"].split(",")
MEAN = np.array(json.loads(os.environ["PEER_MEAN"]), np.float32)
STD = np.array(json.loads(os.environ["PEER_STD"]), np.float32)
TTL = 3600

cv2.setNumThreads(1)
app = FastAPI()
pool = ThreadPoolExecutor(max_workers=2)


@app.on_event("startup")
async def connect() -> None:
    app.state.redis = redis.from_url(os.environ["PEER_REDIS"])
    app.state.triton = triton.InferenceServerClient(os.environ["PEER_TRITON"])


def preprocess(data: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("not an image")
    picture = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.float32) / 255.0
    return np.ascontiguousarray(((picture - MEAN) / STD).transpose(2, 0, 1)[None])


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max())
    return e / e.sum()


@app.get("/healthz")
async def healthz() -> dict:
    return {"ok": await app.state.triton.is_server_ready()}


@app.post("/infer")
async def infer(image: UploadFile) -> dict:
    data = await image.read()
    key = f"peer:{MODEL}:{hashlib.sha256(data).hexdigest()}"
    known = await app.state.redis.get(key)
    if known is not None:
        return {**json.loads(known), "from_cache": True}
    try:
        tensor = await asyncio.get_running_loop().run_in_executor(pool, preprocess, data)
    except ValueError as e:
        raise HTTPException(422, str(e)) from e
    source = triton.InferInput(INPUT, list(tensor.shape), "FP32")
    source.set_data_from_numpy(tensor)
    answer = await app.state.triton.infer(MODEL, [source], outputs=[triton.InferRequestedOutput(OUTPUT)])
    scores = softmax(answer.as_numpy(OUTPUT)[0])
    top = np.argsort(-scores)[:5]
    result = {"predictions": [{"label": LABELS[i], "score": float(scores[i])} for i in top]}
    await app.state.redis.setex(key, TTL, json.dumps(result))
    return {**result, "from_cache": False}
