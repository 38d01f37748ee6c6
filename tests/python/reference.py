#!/usr/bin/env python3
"""What a plain script answers: the reference that aisle's answers are held against.

    reference.py MODEL_FOLDER [IMAGE …]        (or the images' paths on standard input)

Reads a Hugging Face image-classification folder and prints one JSON line for
each image: {"file", "predictions": [{"label", "score"}, … 5]}, or {"file", "error"}.
The preprocessing is that of the transformers image processors that resize,
crop the centre, rescale and normalise: Pillow and numpy, nothing else.
Needs onnxruntime, numpy and Pillow.
"""

import json
import pathlib
import sys

import numpy
import onnxruntime
from PIL import Image, ImageOps

TOP = 5


def load_image(path):
    """An upright RGB image, transparency laid on white."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def resized_to(image, size):
    """The size that `size` asks for: (width, height)."""
    if "height" in size:
        return size["width"], size["height"]
    edge, (width, height) = size["shortest_edge"], image.size
    short, long = min(width, height), max(width, height)
    other = int(edge * long / short)
    return (edge, other) if width <= height else (other, edge)


def center_crop(pixels, size):
    """The centre of an array of rows, columns, channels; zero where it is smaller."""
    height, width = pixels.shape[:2]
    top, left = (height - size["height"]) // 2, (width - size["width"]) // 2
    cropped = numpy.zeros((size["height"], size["width"], 3), pixels.dtype)
    rows = slice(max(top, 0), min(top + size["height"], height))
    columns = slice(max(left, 0), min(left + size["width"], width))
    cropped[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ] = pixels[rows, columns]
    return cropped


def preprocess(image, config):
    """The network's input for one image: 3 × height × width in single precision."""
    if config.get("do_resize", True):
        image = image.resize(resized_to(image, config["size"]), config["resample"])
    pixels = numpy.asarray(image)
    if config.get("do_center_crop", False):
        pixels = center_crop(pixels, config["crop_size"])
    if config.get("do_rescale", True):
        factor = config.get("rescale_factor", 1 / 255)
        pixels = (pixels.astype(numpy.float64) * factor).astype(numpy.float32)
    else:
        pixels = pixels.astype(numpy.float32)
    if config.get("do_normalize", True):
        mean = numpy.array(config["image_mean"], numpy.float32)
        std = numpy.array(config["image_std"], numpy.float32)
        pixels = (pixels - mean) / std
    return numpy.ascontiguousarray(pixels.transpose(2, 0, 1))


def scores_of(logits, config):
    """Probabilities in double precision."""
    logits = logits.astype(numpy.float64)
    if config.get("problem_type") == "multi_label_classification":
        return 1 / (1 + numpy.exp(-logits))
    powers = numpy.exp(logits - logits.max())
    return powers / powers.sum()


class Model:
    """A model folder, ready to answer."""

    def __init__(self, folder):
        self.config = json.loads((folder / "config.json").read_text())
        self.preprocessor = json.loads((folder / "preprocessor_config.json").read_text())
        files = [folder / "model.onnx", folder / "onnx" / "model.onnx"]
        network = next(file for file in files if file.is_file())
        self.session = onnxruntime.InferenceSession(
            str(network), providers=["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name
        outputs = [output.name for output in self.session.get_outputs()]
        self.output = "logits" if "logits" in outputs else outputs[0]

    def top(self, path):
        """The best labels of an image with their scores."""
        tensor = preprocess(load_image(path), self.preprocessor)
        logits = self.session.run([self.output], {self.input: tensor[None]})[0][0]
        scores = scores_of(logits, self.config)
        best = numpy.argsort(-scores, kind="stable")[:TOP]
        labels = self.config["id2label"]
        return [{"label": labels[str(place)], "score": float(scores[place])} for place in best]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    model = Model(pathlib.Path(sys.argv[1]))
    paths = sys.argv[2:] or (line.rstrip("\n") for line in sys.stdin)
    for path in paths:
        try:
            answer = {"file": path, "predictions": model.top(path)}
        except Exception as error:  # one bad image must not end the run
            answer = {"file": path, "error": str(error)}
        print(json.dumps(answer, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
