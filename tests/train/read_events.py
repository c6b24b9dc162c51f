"""Prints the scalars of a run folder's event files as JSON, read by TensorBoard itself."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# Every point, not a sample of them.
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
scalars = {
    tag: [[point.step, point.value] for point in events.Scalars(tag)]
    for tag in events.Tags()["scalars"]
}
print(json.dumps({"first": events.FirstEventTimestamp(), "scalars": scalars}))
