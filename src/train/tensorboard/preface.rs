//! Settings, source and first images of a run, as TensorBoard's plugins read them.

use super::message::Message;
use super::picture;
use crate::data::Dataset;
use crate::error::Result;
use crate::train::config::Config;
use png::ColorType;
use serde_json::Value;

/// Images on each side of the picture of the first ones.
const SIDE: usize = 8;

/// Scalars that the table of hyperparameters shows beside them.
const RESULTS: [&str; 2] = ["accuracy/test", "loss/test"];

/// What an event file says of a run before its points.
#[derive(Clone, Debug, Default)]
pub struct Preface<'a> {
    /// Hyperparameters: params of the file and settings of `train { … }`, by dotted name.
    pub settings: Vec<(String, Value)>,
    /// Text of the `.van` file.
    pub source: &'a str,
    /// Dataset whose first images are shown.
    pub images: Option<&'a Dataset>,
}

impl Preface<'_> {
    /// Writes each value of the summaries of a run that began at `begun`, in seconds since
    /// 1970.
    ///
    /// # Errors
    /// Where the picture of the images cannot be encoded.
    pub(super) fn summaries(&self, begun: f64) -> Result<Vec<Message>> {
        let mut summaries = vec![
            hparams("_hparams_/experiment", 2, &self.experiment(begun)),
            hparams("_hparams_/session_start_info", 3, &self.session(begun)),
            text("source/text_summary", &as_code(self.source)),
        ];
        let picture = self
            .images
            .map(|dataset| first_images("images/first", dataset));
        summaries.extend(picture.transpose()?.flatten());
        Ok(summaries)
    }

    /// Writes `Experiment`: the names and types of the hyperparameters and results.
    fn experiment(&self, begun: f64) -> Message {
        let mut experiment = Message::default();
        experiment.double(3, begun);
        for (name, value) in &self.settings {
            let mut info = Message::default();
            info.bytes(1, name.as_bytes());
            // DATA_TYPE_STRING, DATA_TYPE_BOOL, DATA_TYPE_FLOAT64
            info.integer(
                4,
                if value.is_number() {
                    3
                } else {
                    1 + u64::from(value.is_boolean())
                },
            );
            experiment.bytes(4, &info.0);
        }
        for tag in RESULTS {
            let mut name = Message::default();
            name.bytes(2, tag.as_bytes());
            let mut info = Message::default();
            info.bytes(1, &name.0);
            experiment.bytes(5, &info.0);
        }
        experiment
    }

    /// Writes `SessionStartInfo`: the values of the hyperparameters.
    fn session(&self, begun: f64) -> Message {
        let mut session = Message::default();
        for (name, value) in &self.settings {
            let mut written = Message::default();
            match (value.as_f64(), value.as_bool()) {
                (Some(number), _) => written.double(2, number),
                (None, Some(truth)) => written.integer(4, truth.into()),
                (None, None) => {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    written.bytes(3, text.as_bytes());
                }
            }
            let mut entry = Message::default();
            entry.bytes(1, name.as_bytes());
            entry.bytes(2, &written.0);
            session.bytes(1, &entry.0);
        }
        session.double(5, begun);
        session
    }
}

/// Lists the hyperparameters of a run: the params of its file, and the settings of its training.
pub(in crate::train) fn hyperparameters(config: &Config) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for key in ["params", "train"] {
        let settings = config.get(key).and_then(Value::as_object);
        for (name, value) in settings.into_iter().flatten() {
            flatten(name, value, &mut out);
        }
    }
    out
}

/// Lists the numbers, truth values and texts in `value`, each named by its keys.
fn flatten(name: &str, value: &Value, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                flatten(&format!("{name}.{key}"), value, out);
            }
        }
        Value::Array(values) => out.push((name.to_owned(), values_text(values).into())),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push((name.to_owned(), value.clone()));
        }
    }
}

fn values_text(values: &[Value]) -> String {
    let values: Vec<String> = values.iter().map(Value::to_string).collect();
    values.join(", ")
}

// What TensorBoard's `summary.proto` and `tensor.proto` say:
//
//     Value            1: string tag  4: Image  8: TensorProto  9: SummaryMetadata
//     Image            1: height  2: width  3: colorspace  4: bytes encoded_image_string
//     TensorProto      1: dtype  2: tensor_shape  8: repeated bytes string_val
//     SummaryMetadata  1: PluginData { 1: string plugin_name  2: bytes content }

/// Writes a value's tag and the plugin that reads it.
fn tagged(tag: &str, plugin: &str, content: &[u8]) -> Message {
    let mut data = Message::default();
    data.bytes(1, plugin.as_bytes());
    data.bytes(2, content);
    let mut metadata = Message::default();
    metadata.bytes(1, &data.0);
    let mut value = Message::default();
    value.bytes(1, tag.as_bytes());
    value.bytes(9, &metadata.0);
    value
}

/// Writes the value of a message of the HParams plugin: `HParamsPluginData`, with the message
/// in its `field`.
fn hparams(tag: &str, field: u64, message: &Message) -> Message {
    let mut data = Message::default();
    data.bytes(field, &message.0);
    tagged(tag, "hparams", &data.0)
}

/// Writes the value of a text, which is read as Markdown.
fn text(tag: &str, markdown: &str) -> Message {
    let mut tensor = Message::default();
    tensor.integer(1, 7); // DT_STRING
    let mut size = Message::default();
    size.integer(1, 1);
    let mut shape = Message::default();
    shape.bytes(2, &size.0);
    tensor.bytes(2, &shape.0);
    tensor.bytes(8, markdown.as_bytes());
    let mut value = tagged(tag, "text", &[]);
    value.bytes(8, &tensor.0);
    value
}

/// Indents `source`, so that Markdown shows it as it is.
fn as_code(source: &str) -> String {
    source.lines().map(|line| format!("    {line}\n")).collect()
}

/// Writes the value of the first training images, in a square; none where they have no colours
/// that a PNG has.
fn first_images(tag: &str, dataset: &Dataset) -> Result<Option<Message>> {
    let (channels, (height, width)) = (dataset.shape.channels(), dataset.shape.extent());
    let color = match channels {
        1 => ColorType::Grayscale,
        3 => ColorType::Rgb,
        _ => return Ok(None),
    };
    let side = SIDE.min(dataset.train.len().isqrt().max(1));
    let image = height * width * channels;
    let mut pixels = vec![0; side * side * image];
    let row = width * channels;
    for (index, from) in dataset
        .train
        .pixels
        .chunks_exact(image)
        .take(side * side)
        .enumerate()
    {
        let first = (index / side * height * side + index % side) * row;
        for (y, line) in from.chunks_exact(row).enumerate() {
            let at = first + y * side * row;
            pixels[at..at + row].copy_from_slice(line);
        }
    }
    let size = (side * height, side * width);
    picture::picture(tag, &pixels, size, color).map(Some)
}
