//! SVG to PNG, with a font of our own: a server has none.

use crate::error::{Error, Result};
use resvg::{tiny_skia, usvg};
use std::sync::{Arc, LazyLock};

/// Noto Sans, its Latin and Greek letters (`assets/fonts/OFL.txt`).
static FONT: &[u8] = include_bytes!("../../../assets/fonts/NotoSans-LatinGreek.ttf");

static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_source(usvg::fontdb::Source::Binary(Arc::new(FONT)));
    let family = "Noto Sans";
    fonts.set_sans_serif_family(family);
    Arc::new(fonts)
});

/// The picture of `svg`, `zoom` pixels a unit of its view box wide.
pub fn png(svg: &str, zoom: f32) -> Result<Vec<u8>> {
    let failed = |what: String| Error::new(format!("cannot draw a figure: {what}"));
    let options = usvg::Options {
        fontdb: FONTS.clone(),
        ..usvg::Options::default()
    };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|e| failed(e.to_string()))?;
    let side = |length: f32| (length * zoom).ceil() as u32;
    let (width, height) = (side(tree.size().width()), side(tree.size().height()));
    let mut pixels = tiny_skia::Pixmap::new(width, height)
        .ok_or_else(|| failed(format!("{width}×{height} pixels are too many")))?;
    let zoom = tiny_skia::Transform::from_scale(zoom, zoom);
    resvg::render(&tree, zoom, &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| failed(e.to_string()))
}
