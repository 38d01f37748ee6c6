"""The API before the queue: takes a picture, answers an id, shows the result."""

import os

from celery import Celery
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

REDIS = os.environ["PEER_REDIS"]

app = FastAPI()
tasks = Celery("peer", broker=REDIS, backend=REDIS)
tasks.conf.update(task_serializer="pickle", accept_content=["pickle", "json"])


@app.get("/health")
def health():
    try:
        tasks.send_task("ready").get(timeout=2)
    except Exception as error:
        raise HTTPException(503) from error
    return "ok"


@app.post("/jobs", status_code=202)
async def submit(request: Request):
    picture = await request.body()
    task = await run_in_threadpool(tasks.send_task, "classify", (picture,))
    return {"id": task.id}


@app.get("/jobs/{id}")
def job(id: str):
    result = tasks.AsyncResult(id)
    if not result.ready():
        return {"status": "queued"}
    if result.failed():
        return {"status": "failed"}
    return {"status": "succeeded", "predictions": result.result}
