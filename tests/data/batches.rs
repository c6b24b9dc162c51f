//! Tests of orders, batches, standardising and augmentation.

use crate::support::{cifar_shape, mnist_shape, small, synthetic};
use vanc::data::{Dataset, Sampler, Split};
use vanc::ir::{Augment, Shape};

fn sampler(batch: usize, shuffle: bool, augment: &[Augment]) -> Sampler {
    Sampler {
        seed: 7,
        batch,
        shuffle,
        augment: augment.to_vec(),
    }
}

/// Makes a dataset of 1×1×1 images whose pixel and label are both the image's index.
fn numbered(images: u8) -> Dataset {
    let split = Split {
        pixels: (0..images).collect(),
        labels: (0..images).map(u32::from).collect(),
    };
    Dataset {
        name: "numbered".into(),
        shape: Shape::image(1, 1, 1),
        classes: (0..images).map(|class| class.to_string()).collect(),
        train: split.clone(),
        test: split,
        mean: vec![0.0],
        std: vec![1.0 / 255.0],
        left_out: None,
    }
}

/// Labels of each batch of an epoch, after a check that images come with their own.
fn labels(sampler: &Sampler, data: &Dataset, epoch: u64) -> Vec<Vec<u32>> {
    let epoch = sampler.epoch(data.train.len(), epoch);
    (0..epoch.steps())
        .map(|index| {
            let batch = epoch.batch(data, index);
            assert_eq!(batch.images.len(), batch.len() * data.shape.elements());
            for (image, &label) in batch.images.iter().zip(&batch.labels) {
                assert_eq!(image.round() as u32, label);
            }
            batch.labels
        })
        .collect()
}

#[test]
fn sequential_batches_follow_the_split_and_keep_the_rest() {
    let data = numbered(7);
    let expected = [vec![0, 1, 2], vec![3, 4, 5], vec![6]];
    let sequential = sampler(3, false, &[]);
    assert_eq!(sequential.steps(7), 3);
    assert_eq!(labels(&sequential, &data, 0), expected);
    assert_eq!(labels(&sequential, &data, 9), expected);
    assert_eq!(sampler(3, true, &[]).steps(6), 2);
    assert_eq!(sampler(3, true, &[]).steps(0), 0);
    assert!(sequential.epoch(7, 0).batch(&data, 3).is_empty());
}

#[test]
fn a_shuffled_epoch_has_every_image_once_and_an_order_of_its_own() {
    let data = numbered(50);
    let shuffled = sampler(8, true, &[]);
    let orders: Vec<Vec<u32>> = (0..4)
        .map(|e| labels(&shuffled, &data, e).concat())
        .collect();
    for (index, order) in orders.iter().enumerate() {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, data.train.labels);
        assert!(orders[..index].iter().all(|earlier| earlier != order));
    }
    let other = Sampler {
        seed: 8,
        ..shuffled
    };
    assert_ne!(labels(&other, &data, 0).concat(), orders[0]);
}

/// Checkpoints store a seed, not an order: a changed order would break every resume.
#[test]
fn the_order_of_a_seed_never_changes() {
    let order = labels(&sampler(10, true, &[]), &numbered(10), 3).concat();
    assert_eq!(order, [1, 0, 9, 6, 8, 2, 3, 7, 5, 4]);
}

#[test]
fn any_batch_can_be_made_first() {
    let data = synthetic(small(), cifar_shape());
    let varied = sampler(7, true, &[Augment::PadCrop(4), Augment::FlipHorizontal]);
    let forward: Vec<_> = {
        let epoch = varied.epoch(60, 2);
        (0..epoch.steps()).map(|i| epoch.batch(&data, i)).collect()
    };
    let again = varied.epoch(60, 2);
    for index in (0..again.steps()).rev() {
        assert_eq!(again.batch(&data, index), forward[index]);
    }
}

#[test]
fn augmentation_differs_between_epochs_and_images_and_not_between_batch_sizes() {
    let shape = mnist_shape();
    let mut data = synthetic(small(), shape);
    // All images alike, so that only augmentation can tell them apart.
    let first: Vec<u8> = data.train.pixels[..shape.elements()].to_vec();
    data.train.pixels = first.repeat(60);
    let crop = [Augment::PadCrop(6)];
    let epoch = |batch, epoch| -> Vec<f32> {
        let epoch = sampler(batch, false, &crop).epoch(60, epoch);
        (0..epoch.steps())
            .flat_map(|i| epoch.batch(&data, i).images)
            .collect()
    };
    let images = epoch(60, 0);
    let mut kinds: Vec<&[f32]> = images.chunks(shape.elements()).collect();
    kinds.sort_by(|a, b| a.partial_cmp(b).unwrap());
    kinds.dedup();
    assert!(kinds.len() > 30, "{} kinds", kinds.len());
    assert_eq!(epoch(7, 0), images);
    assert_ne!(epoch(60, 1), images);
    // The test split stays as it is.
    assert_eq!(
        data.test_batch(0, 1).images,
        synthetic(small(), shape).test_batch(0, 1).images
    );
}

#[test]
fn the_training_split_is_standardised_per_channel() {
    let data = synthetic(small(), cifar_shape());
    let batch = sampler(60, true, &[]).epoch(60, 0).batch(&data, 0);
    for channel in 0..3 {
        let values: Vec<f64> = (batch.images.iter().skip(channel).step_by(3))
            .map(|&value| f64::from(value))
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 1e-5, "channel {channel}: mean {mean}");
        assert!(
            (variance - 1.0).abs() < 1e-5,
            "channel {channel}: variance {variance}"
        );
    }
}

#[test]
fn test_batches_end_with_the_split() {
    let data = numbered(7);
    assert_eq!(data.test_batch(2, 3).labels, [2, 3, 4]);
    assert_eq!(data.test_batch(5, 3).labels, [5, 6]);
    assert!(data.test_batch(7, 3).is_empty());
    assert!(data.test_batch(usize::MAX, usize::MAX).is_empty());
    assert_eq!(data.test_batch(6, usize::MAX).labels, [6]);
}
