"""Prints what a run folder's event files hold as JSON, read by TensorBoard itself."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

# Every point, not a sample of them.
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
scalars = {
    tag: [[point.step, point.value] for point in events.Scalars(tag)]
    for tag in events.Tags()["scalars"]
}
plugin = events.PluginTagToContent(metadata.PLUGIN_NAME)
experiment = metadata.parse_experiment_plugin_data(plugin[metadata.EXPERIMENT_TAG])
session = metadata.parse_session_start_info_plugin_data(
    plugin[metadata.SESSION_START_INFO_TAG]
)
hparams = {
    name: getattr(value, value.WhichOneof("kind"))
    for name, value in session.hparams.items()
}
source = events.Tensors("source/text_summary")[0].tensor_proto.string_val[0].decode()
images = [
    [tag, image.width, image.height, image.encoded_image_string[:4].hex()]
    for tag in events.Tags()["images"]
    for image in events.Images(tag)
]
print(
    json.dumps(
        {
            "first": events.FirstEventTimestamp(),
            "scalars": scalars,
            "names": sorted(info.name for info in experiment.hparam_infos),
            "results": [info.name.tag for info in experiment.metric_infos],
            "hparams": hparams,
            "source": source,
            "images": images,
        }
    )
)
