"""The usual queue: Celery over Redis, results in Redis.

Prefork with one process for each processor. Pickle carries a picture's bytes as
they are; JSON would need base64. Each process takes one task ahead of its own.
"""

from celery import Celery
from celery.signals import worker_process_init

from classifier import REDIS, Classifier

app = Celery("peer", broker=REDIS, backend=REDIS)
app.conf.update(
    task_serializer="pickle",
    result_serializer="json",
    accept_content=["pickle", "json"],
    worker_prefetch_multiplier=2,
    result_expires=3600,
)

classifier = None


@worker_process_init.connect
def load(**_):
    global classifier
    classifier = Classifier()


@app.task(name="classify")
def classify(picture: bytes) -> list[dict]:
    return classifier.classify(picture)


@app.task(name="ready")
def ready() -> bool:
    return classifier is not None
