//! Tests of the synthetic dataset.

use crate::support::{bad, cifar_shape, mnist_shape, request, says, small, synthetic};
use std::sync::Mutex;
use vanc::data::{Sampler, load};
use vanc::ir::{DatasetKind, Shape, Synthetic};

/// Writes a sheet with one row of images a class, to look at after a change of the drawing:
/// `VANC_SHEET=sheet.png cargo test --test data -- --ignored contact_sheet`.
#[test]
#[ignore = "writes a picture for a person to look at"]
fn contact_sheet() {
    let path = std::env::var("VANC_SHEET").expect("VANC_SHEET names the PNG to write");
    const COLUMNS: usize = 24;
    const SCALE: usize = 2;
    // The first images are the wider ones.
    let sheet_width = COLUMNS * cifar_shape().extent().1 * SCALE;
    let mut sheet = Vec::new();
    for shape in [cifar_shape(), mnist_shape()] {
        let settings = Synthetic {
            train: 10 * COLUMNS,
            test: 1,
            ..Synthetic::default()
        };
        let data = synthetic(settings, shape);
        let (channels, (height, width)) = (shape.channels(), shape.extent());
        let sample = |x: usize, y: usize, channel: usize| {
            let image = x / width * 10 + y / height;
            let row = (image * channels + channel % channels) * height + y % height;
            data.train.pixels[row * width + x % width]
        };
        for y in (0..10 * height * SCALE).map(|y| y / SCALE) {
            for x in (0..sheet_width).map(|x| x / SCALE) {
                let is_drawn = x < COLUMNS * width;
                sheet.extend((0..3).map(|c| if is_drawn { sample(x, y, c) } else { 0 }));
            }
        }
    }
    let file = std::fs::File::create(path).unwrap();
    let height = sheet.len() / 3 / sheet_width;
    let mut encoder = png::Encoder::new(file, sheet_width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&sheet).unwrap();
}

#[test]
fn is_the_same_for_a_seed_and_any_number_of_threads() {
    let drawn = synthetic(small(), cifar_shape());
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let again = pool
            .build()
            .unwrap()
            .install(|| synthetic(small(), cifar_shape()));
        assert_eq!(again, drawn);
    }
    let other = synthetic(Synthetic { seed: 1, ..small() }, cifar_shape());
    assert_ne!(other.train.pixels, drawn.train.pixels);
}

#[test]
fn the_splits_have_their_sizes_and_share_no_image() {
    let data = synthetic(small(), mnist_shape());
    assert_eq!((data.train.len(), data.test.len()), (60, 30));
    assert_eq!(data.train.pixels.len(), 60 * 28 * 28);
    assert_ne!(data.train.pixels[..30 * 28 * 28], data.test.pixels[..]);
    let counts = |class| data.train.labels.iter().filter(|&&l| l == class).count();
    assert!((0..10).all(|class| counts(class) == 6));
    assert_eq!(data.classes[7], "horizontal bars");
}

#[test]
fn a_larger_split_begins_with_the_smaller_one() {
    let few = synthetic(small(), cifar_shape());
    let settings = Synthetic {
        train: 90,
        ..small()
    };
    let many = synthetic(settings, cifar_shape());
    assert_eq!(
        many.train.pixels[..few.train.pixels.len()],
        few.train.pixels
    );
}

#[test]
fn noise_is_of_the_deviation_asked_for() {
    let pixels = |noise| {
        synthetic(Synthetic { noise, ..small() }, cifar_shape())
            .train
            .pixels
    };
    let (clean, noisy) = (pixels(0.0), pixels(0.1));
    // Far from black and white, where clipping would bend it.
    let squares: Vec<f64> = (clean.iter().zip(&noisy))
        .filter(|(clean, _)| (100..=155).contains(*clean))
        .map(|(&clean, &noisy)| (f64::from(noisy) - f64::from(clean)).powi(2))
        .collect();
    assert!(squares.len() > 10_000);
    let deviation = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt() / 255.0;
    assert!((deviation - 0.1).abs() < 0.003, "{deviation}");
}

#[test]
fn a_nearest_class_mean_does_far_worse_than_a_network_but_beats_chance() {
    let settings = Synthetic {
        train: 1000,
        test: 500,
        ..Synthetic::default()
    };
    let data = synthetic(settings, mnist_shape());
    let whole = Sampler {
        seed: 0,
        batch: 1000,
        shuffle: false,
        augment: Vec::new(),
    };
    let train = whole.epoch(1000, 0).batch(&data, 0);
    let test = data.test_batch(0, 500);
    let mut means = vec![vec![0.0; 784]; 10];
    for (image, &label) in train.images.chunks(784).zip(&train.labels) {
        let mean = &mut means[label as usize];
        mean.iter_mut()
            .zip(image)
            .for_each(|(m, x)| *m += x / 100.0);
    }
    let distance = |image: &[f32], mean: &[f32]| -> f32 {
        image.iter().zip(mean).map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let right = (test.images.chunks(784).zip(&test.labels))
        .filter(|(image, label)| {
            let own = distance(image, &means[**label as usize]);
            means.iter().all(|mean| own <= distance(image, mean))
        })
        .count();
    assert!((75..350).contains(&right), "{right} of 500");
}

#[test]
fn says_how_far_it_is() {
    let seen = Mutex::new(Vec::new());
    let asked = request(DatasetKind::Synthetic(small()), None, cifar_shape(), 10);
    load(&asked, &|done, total| {
        seen.lock().unwrap().push((done, total))
    })
    .unwrap();
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    assert_eq!(seen, (0..=90).map(|done| (done, 90)).collect::<Vec<_>>());
}

#[test]
fn other_sizes_and_numbers_of_classes_are_refused() {
    let ask = |settings, input, classes| {
        bad(request(
            DatasetKind::Synthetic(settings),
            None,
            input,
            classes,
        ))
    };
    for shape in [
        Shape::image(3, 28, 28),
        Shape::image(1, 32, 32),
        Shape::Flat(784),
    ] {
        let error = ask(small(), shape, 10);
        says(
            &error,
            &[
                "3×32×32 or 1×28×28",
                &format!("takes {shape}"),
                "input image(3, 32, 32)",
            ],
        );
    }
    let error = ask(small(), cifar_shape(), 100);
    says(&error, &["10 classes", "100 logits", "linear(10)"]);
    let none = Synthetic { test: 0, ..small() };
    says(
        &ask(none, cifar_shape(), 10),
        &["the test split of synthetic holds no image"],
    );
    let huge = Synthetic {
        train: usize::MAX,
        ..small()
    };
    says(
        &ask(huge, cifar_shape(), 10),
        &["too many to draw", "1048576"],
    );
}
