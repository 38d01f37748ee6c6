"""LitServe with one worker process for each processor."""

import litserve as ls
from fastapi import Request

from classifier import PORT, PROCESSES


class Api(ls.LitAPI):
    def setup(self, device):
        from classifier import Classifier

        self.classifier = Classifier()

    def decode_request(self, request: Request):
        return request["image"].file.read()

    def predict(self, picture):
        return self.classifier.classify(picture)

    def encode_response(self, output):
        return {"predictions": output}


if __name__ == "__main__":
    server = ls.LitServer(Api(), accelerator="cpu", workers_per_device=PROCESSES, timeout=60)
    server.run(
        host="127.0.0.1",
        port=PORT,
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )
