"""What `aisle train` with one frozen network takes, beside the same by hand.

    scikit_learn.py AISLE NETWORK PHOTOGRAPHS [ROUNDS]

NETWORK is a model folder with an output `features`, PHOTOGRAPHS a folder of
`train` and `validation` with a folder for each category. By hand is the least
that a Python program does: Pillow on as many threads as there are processors,
ONNX Runtime on batches of 64, and one logistic regression of scikit-learn. No
report, no thresholds, no model is written. Its time begins after its imports;
that of `aisle train` is that of the whole program with an empty cache. Both take
turns in each round. Time of processors is given too, because it bears a busy
machine better.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

BATCH = 64
THREADS = len(os.sched_getaffinity(0))


def prepared(path: Path, steps: dict) -> np.ndarray:
    """A photograph's values, channels first."""
    image = Image.open(path).convert("RGB")
    short = steps["size"]["shortest_edge"]
    factor = short / min(image.size)
    size = [max(short, int(side * factor)) for side in image.size]
    image = image.resize(size, Image.Resampling(steps.get("resample", 2)))
    crop = steps["crop_size"]
    left, top = (size[0] - crop["width"]) // 2, (size[1] - crop["height"]) // 2
    image = image.crop((left, top, left + crop["width"], top + crop["height"]))
    mean, std = (np.array(steps[name], np.float32) for name in ("image_mean", "image_std"))
    values = (np.asarray(image, np.float32) / 255 - mean) / std
    return values.transpose(2, 0, 1)


def by_hand(network: Path, photographs: Path) -> float:
    """Learns from the photographs; the share of validation that is right."""
    steps = json.loads((network / "preprocessor_config.json").read_text())
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = ort.InferenceSession(
        network / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    parts = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for part in ("train", "validation"):
            paths = sorted(photographs.glob(f"{part}/*/*"))
            rows = []
            for first in range(0, len(paths), BATCH):
                chunk = paths[first : first + BATCH]
                batch = np.stack(list(pool.map(lambda path: prepared(path, steps), chunk)))
                rows.append(session.run(["features"], {name: batch})[0].reshape(len(chunk), -1))
            parts[part] = np.concatenate(rows), [path.parent.name for path in paths]
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    head.fit(*parts["train"])
    return head.score(*parts["validation"])


def by_aisle(aisle: str, network: Path, photographs: Path) -> float:
    """The same by `aisle train`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [aisle, "train", "--data", photographs, "--backbone", network, "--no-cache"]
        command += ["--threads", str(THREADS), "--out", f"{folder}/model", "--json"]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return json.loads(answer.stdout)["validation"]["top_1"]["share"]


def of_processors() -> float:
    """Seconds of processors that this process has had, and those it waited for."""
    return sum(os.times()[:4])


def timed(work) -> tuple[float, float, float]:
    """Seconds by the clock and of processors, and what came out."""
    begun, had = time.perf_counter(), of_processors()
    right = work()
    return time.perf_counter() - begun, of_processors() - had, right


def told(seconds: float, processors: float, right: float) -> str:
    return f"{seconds:.1f} s, of processors {processors:.1f} s, {right:.1%} right"


def middle(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    aisle, network, photographs = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    by_clock, by_processors = [], []
    for number in range(1, rounds + 1):
        ours = timed(lambda: by_aisle(aisle, network, photographs))
        theirs = timed(lambda: by_hand(network, photographs))
        by_clock.append(ours[0] / theirs[0])
        by_processors.append(ours[1] / theirs[1])
        print(
            f"round {number}: aisle train {told(*ours)}; by hand {told(*theirs)}; "
            f"ratio {by_clock[-1]:.2f}, of processors {by_processors[-1]:.2f}",
            flush=True,
        )
    print(f"ratio {middle(by_clock)}, of processors {middle(by_processors)}")


if __name__ == "__main__":
    main()
