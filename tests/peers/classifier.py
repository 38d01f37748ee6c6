"""A model folder's network as the peers run it: Pillow, NumPy, ONNX Runtime.

The same network, the same pixels and the same arithmetic as the service's; one
thread for each network, because each peer runs as many as there are processors.
"""

import io
import json
import os
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

FOLDER = Path(os.environ["PEER_MODEL"])
PORT = int(os.environ["PEER_PORT"])
PROCESSES = int(os.environ["PEER_PROCESSES"])
REDIS = os.environ["PEER_REDIS"]


class Classifier:
    def __init__(self):
        config = json.loads((FOLDER / "config.json").read_text())
        self.labels = {int(k): v for k, v in config["id2label"].items()}
        self.steps = json.loads((FOLDER / "preprocessor_config.json").read_text())
        mean = np.array(self.steps["image_mean"], np.float32)
        std = np.array(self.steps["image_std"], np.float32)
        # One multiplication and one addition for each value.
        self.scale = np.float32(self.steps.get("rescale_factor", 1 / 255)) / std
        self.offset = -mean / std
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(
            FOLDER / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name
        names = [output.name for output in self.session.get_outputs()]
        self.output = "logits" if "logits" in names else names[0]
        self.run(np.stack([self.prepare(blank())]))

    def prepare(self, picture: bytes) -> np.ndarray:
        """The picture's values, channels first."""
        image = Image.open(io.BytesIO(picture)).convert("RGB")
        size, resample = self.steps["size"], Image.Resampling(self.steps.get("resample", 2))
        if "shortest_edge" in size:
            width, height = image.size
            short = size["shortest_edge"]
            if width < height:
                target = (short, int(short * height / width))
            else:
                target = (int(short * width / height), short)
        else:
            target = (size["width"], size["height"])
        image = image.resize(target, resample)
        if self.steps.get("do_center_crop"):
            crop = self.steps["crop_size"]
            left = (image.width - crop["width"]) // 2
            top = (image.height - crop["height"]) // 2
            image = image.crop((left, top, left + crop["width"], top + crop["height"]))
        values = np.asarray(image, np.float32) * self.scale + self.offset
        return values.transpose(2, 0, 1)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """The logits of each picture of a batch."""
        return self.session.run([self.output], {self.input: np.ascontiguousarray(batch)})[0]

    def best(self, logits: np.ndarray) -> list[dict]:
        """The five likeliest categories."""
        scores = np.exp(logits - logits.max())
        scores /= scores.sum()
        order = np.argsort(scores)[::-1][:5]
        return [{"label": self.labels[int(i)], "score": float(scores[i])} for i in order]

    def classify(self, picture: bytes) -> list[dict]:
        return self.best(self.run(self.prepare(picture)[None])[0])


def blank() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (300, 300)).save(file, "JPEG")
    return file.getvalue()
