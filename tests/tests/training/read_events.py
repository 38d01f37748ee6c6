"""Prints as JSON what TensorBoard reads from a folder of event files."""

import io
import json
import sys

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"images": 0, "scalars": 0})
events.Reload()
tags = events.Tags()
pictures = {}
for tag in tags["images"]:
    read = events.Images(tag)
    picture = Image.open(io.BytesIO(read[-1].encoded_image_string))
    picture.load()
    assert picture.size == (read[-1].width, read[-1].height)
    pictures[tag] = [len(read), *picture.size]
scalars = {
    tag: [[point.step, point.value] for point in events.Scalars(tag)] for tag in tags["scalars"]
}
print(json.dumps({"scalars": scalars, "pictures": pictures}))
