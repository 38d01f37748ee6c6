"""Triton Inference Server by way of pytriton, one instance for each processor.

Instances are threads of one process: Pillow and ONNX Runtime let go of the
interpreter's lock while they work.
"""

import os
import sysconfig
from socket import socket

import numpy as np
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from classifier import PORT, PROCESSES, Classifier

# Triton's Python processes load libpython: it must be that of this Python.
os.environ["LD_LIBRARY_PATH"] = sysconfig.get_config_var("LIBDIR")


def instance():
    classifier = Classifier()

    def infer(requests):
        batch = np.stack([classifier.prepare(picture_of(request)) for request in requests])
        logits = classifier.run(batch)
        answers = [[classifier.best(row)[0]["label"].encode()] for row in logits]
        return [{"answer": np.array([answer])} for answer in answers]

    return infer


def picture_of(request) -> bytes:
    return bytes(request["image"].reshape(-1)[0])


def free_port() -> int:
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


config = TritonConfig(
    http_address="127.0.0.1",
    http_port=PORT,
    grpc_port=free_port(),
    metrics_port=free_port(),
    log_verbose=0,
)
with Triton(config=config) as triton:
    triton.bind(
        model_name="classifier",
        infer_func=[instance() for _ in range(PROCESSES)],
        inputs=[Tensor(name="image", dtype=bytes, shape=(1,))],
        outputs=[Tensor(name="answer", dtype=bytes, shape=(1,))],
        config=ModelConfig(max_batch_size=8, batcher=DynamicBatcher(max_queue_delay_microseconds=1000)),
    )
    triton.serve()
