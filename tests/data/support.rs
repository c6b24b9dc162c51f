//! Helpers of the dataset tests.

use std::path::Path;
use vanc::data::{Dataset, Request, load};
use vanc::error::Error;
use vanc::ir::{DatasetKind, Shape, Synthetic};

pub fn cifar_shape() -> Shape {
    Shape::image(3, 32, 32)
}

pub fn mnist_shape() -> Shape {
    Shape::image(1, 28, 28)
}

pub fn request(kind: DatasetKind, dir: Option<&Path>, input: Shape, classes: usize) -> Request<'_> {
    Request {
        kind,
        dir,
        input,
        classes,
        trained: None,
    }
}

/// Loads a dataset that must load.
pub fn good(request: Request) -> Dataset {
    load(&request, &|_, _| ()).unwrap_or_else(|error| panic!("{error}"))
}

/// Error of a dataset that must not load.
pub fn bad(request: Request) -> Error {
    match load(&request, &|_, _| ()) {
        Ok(dataset) => panic!("{} was read", dataset.name),
        Err(error) => error,
    }
}

/// Asserts that message and help together contain every part.
pub fn says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    assert!(error.help.is_some(), "no help: {text}");
}

pub fn synthetic(settings: Synthetic, input: Shape) -> Dataset {
    good(request(DatasetKind::Synthetic(settings), None, input, 10))
}

/// Settings of a synthetic dataset with a few images of each class.
pub fn small() -> Synthetic {
    Synthetic {
        train: 60,
        test: 30,
        ..Synthetic::default()
    }
}
