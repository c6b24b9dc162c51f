//! The dataset drawn in the program.

use crate::support::{cifar_shape, mnist_shape, synthetic};
use vanc::ir::{Shape, Synthetic};

/// Writes one row of images a class, to be looked at after the drawing was changed:
/// `VANC_SHEET=sheet.png cargo test --test data -- --ignored contact_sheet`.
#[test]
#[ignore = "writes a picture for a person to look at"]
fn contact_sheet() {
    let path = std::env::var("VANC_SHEET").expect("VANC_SHEET names the PNG to write");
    const COLUMNS: usize = 24;
    const SCALE: u32 = 2;
    let draw = |shape: Shape| {
        let settings = Synthetic {
            train: 10 * COLUMNS,
            test: 1,
            ..Synthetic::default()
        };
        let data = synthetic(settings, shape);
        let [channels, height, width] = shape.dims()[..] else {
            unreachable!("an image")
        };
        image::RgbImage::from_fn(
            (COLUMNS * width) as u32 * SCALE,
            (10 * height) as u32 * SCALE,
            |x, y| {
                let (x, y) = ((x / SCALE) as usize, (y / SCALE) as usize);
                let image = x / width * 10 + y / height;
                let at = |channel: usize| {
                    let row = (image * channels + channel % channels) * height + y % height;
                    data.train.pixels[row * width + x % width]
                };
                image::Rgb([at(0), at(1), at(2)])
            },
        )
    };
    let (colour, grey) = (draw(cifar_shape()), draw(mnist_shape()));
    let mut sheet = image::RgbImage::new(colour.width(), colour.height() + grey.height());
    image::imageops::replace(&mut sheet, &colour, 0, 0);
    image::imageops::replace(&mut sheet, &grey, 0, i64::from(colour.height()));
    sheet.save(path).unwrap();
}
#[test]
#[ignore]
fn tmp_dump() {
    let dir = std::path::PathBuf::from(std::env::var("TMP_DUMP").unwrap());
    for (n, shape) in [("c", cifar_shape()), ("m", mnist_shape())] {
        let t = std::time::Instant::now();
        let data = synthetic(Synthetic::default(), shape);
        eprintln!("{:?}", t.elapsed());
        std::fs::write(dir.join(format!("{n}.train")), &data.train.pixels).unwrap();
        std::fs::write(dir.join(format!("{n}.test")), &data.test.pixels).unwrap();
    }
}
