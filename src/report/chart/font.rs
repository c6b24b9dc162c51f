//! Outlines, widths and kerning of the font that the program carries: a server has none.
//!
//! This reads what is in that one file, as TrueType (`glyf`) outlines, a `cmap` of format
//! 4 and the pairs of `GPOS`, and nothing that other fonts may have.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::LazyLock;
use tiny_skia::{Path, PathBuilder, Transform};

/// Noto Sans, its Latin and Greek letters (`assets/fonts/OFL.txt`).
static FILE: &[u8] = include_bytes!("../../../assets/fonts/NotoSans-LatinGreek.ttf");

static FONT: LazyLock<Option<Font>> = LazyLock::new(|| Font::read(Data(FILE)));

/// Glyphs that a glyph may be made of, one within the other.
const DEEPEST: usize = 4;

/// A font, in its own units with y up.
pub(super) struct Font {
    /// Units in the size of the font.
    size: f32,
    glyphs: BTreeMap<char, u16>,
    widths: Vec<u16>,
    outlines: Vec<Data>,
    /// Kerning: units that are added to the width of the first of two glyphs.
    kerning: HashMap<(u16, u16), i16>,
}

/// Bytes of the file, numbers in them with the highest byte first.
#[derive(Clone, Copy)]
struct Data(&'static [u8]);

impl Font {
    /// Returns the font that the program carries; `None` if its file is damaged.
    pub fn carried() -> Option<&'static Font> {
        FONT.as_ref()
    }

    /// Returns the outlines of `text` at `size`, from the origin to the right with y down, and
    /// its length. A letter that the font lacks is a gap.
    pub fn text(&self, text: &str, size: f32) -> (Option<Path>, f32) {
        let scale = size / self.size;
        let mut outlines = PathBuilder::new();
        let mut x = 0.0;
        let missing = 0;
        let glyphs: Vec<u16> = text
            .chars()
            .map(|c| self.glyphs.get(&c).copied().unwrap_or(missing))
            .collect();
        for (i, &glyph) in glyphs.iter().enumerate() {
            let place = Transform::from_row(scale, 0.0, 0.0, -scale, x, 0.0);
            let outline = self
                .outline(glyph, 0)
                .and_then(|path| path.transform(place));
            if let Some(path) = outline {
                outlines.push_path(&path);
            }
            let width = self.widths.get(usize::from(glyph)).copied();
            let pair = glyphs.get(i + 1).map(|&next| (glyph, next));
            let kerning = pair.and_then(|pair| self.kerning.get(&pair).copied());
            x += scale * (f32::from(width.unwrap_or(0)) + f32::from(kerning.unwrap_or(0)));
        }
        (outlines.finish(), x)
    }

    fn read(file: Data) -> Option<Font> {
        let count = usize::from(file.u16(4)?);
        let table = |name: &[u8; 4]| {
            let entry = (0..count)
                .map(|i| 12 + 16 * i)
                .find(|&entry| file.0.get(entry..entry + 4) == Some(name))?;
            let start = file.u32(entry + 8)?;
            file.part(start..start + file.u32(entry + 12)?)
        };
        let glyphs = usize::from(table(b"maxp")?.u16(4)?);
        let wide = usize::from(table(b"hhea")?.u16(34)?).checked_sub(1)?;
        let widths = table(b"hmtx")?;
        let (places, outlines) = (table(b"loca")?, table(b"glyf")?);
        let outline = |glyph: usize| {
            let start = 2 * usize::from(places.u16(2 * glyph)?);
            outlines.part(start..2 * usize::from(places.u16(2 * glyph + 2)?))
        };
        Some(Font {
            size: f32::from(table(b"head")?.u16(18)?),
            glyphs: read_characters(table(b"cmap")?)?,
            // All past the last width have this one.
            widths: (0..glyphs)
                .map(|glyph| widths.u16(4 * glyph.min(wide)))
                .collect::<Option<_>>()?,
            outlines: (0..glyphs).map(outline).collect::<Option<_>>()?,
            kerning: read_kerning(table(b"GPOS")?, glyphs as u16)?,
        })
    }

    fn outline(&self, glyph: u16, depth: usize) -> Option<Path> {
        let data = *self.outlines.get(usize::from(glyph))?;
        match data.i16(0)? {
            0.. => outline(data),
            _ if depth < DEEPEST => self.composite(data, depth),
            _ => None,
        }
    }

    /// Outlines a glyph made of others.
    fn composite(&self, data: Data, depth: usize) -> Option<Path> {
        let mut path = PathBuilder::new();
        let mut offset = 10;
        loop {
            let flags = data.u16(offset)?;
            let part = self.outline(data.u16(offset + 2)?, depth + 1)?;
            let (dx, dy) = match flags & 1 {
                0 => (data.i8(offset + 4)?.into(), data.i8(offset + 5)?.into()),
                _ => (data.i16(offset + 4)?, data.i16(offset + 6)?),
            };
            offset += if flags & 1 == 0 { 6 } else { 8 };
            let factor = |i: usize| Some(f32::from(data.i16(offset + 2 * i)?) / 16384.0);
            let (factors, [xx, yx, xy, yy]) = match flags & 0xc8 {
                0x08 => (1, [factor(0)?, 0.0, 0.0, factor(0)?]),
                0x40 => (2, [factor(0)?, 0.0, 0.0, factor(1)?]),
                0x80 => (4, [factor(0)?, factor(1)?, factor(2)?, factor(3)?]),
                _ => (0, [1.0, 0.0, 0.0, 1.0]),
            };
            offset += 2 * factors;
            let place = Transform::from_row(xx, yx, xy, yy, dx.into(), dy.into());
            path.push_path(&part.transform(place)?);
            if flags & 0x20 == 0 {
                return path.finish();
            }
        }
    }
}

/// Reads the contours of a glyph that is not made of others.
fn outline(data: Data) -> Option<Path> {
    let contours = usize::from(data.u16(0)?);
    let ends: Vec<usize> = (0..contours)
        .map(|i| data.u16(10 + 2 * i).map(usize::from))
        .collect::<Option<_>>()?;
    let count = ends.last()? + 1;
    let mut offset = 12 + 2 * contours + usize::from(data.u16(10 + 2 * contours)?);
    let mut flags: Vec<u8> = Vec::with_capacity(count);
    while flags.len() < count {
        let flag = data.u8(offset)?;
        let repeats = if flag & 8 == 0 {
            0
        } else {
            data.u8(offset + 1)?
        };
        offset += if flag & 8 == 0 { 1 } else { 2 };
        flags.extend(std::iter::repeat_n(flag, usize::from(repeats) + 1));
    }
    let xs = read_coordinates(data, &mut offset, &flags[..count], 0x02, 0x10)?;
    let ys = read_coordinates(data, &mut offset, &flags[..count], 0x04, 0x20)?;
    let mut path = PathBuilder::new();
    let mut start = 0;
    for end in ends {
        let points = (start..=end).map(|i| (flags[i] & 1 != 0, [xs[i], ys[i]]));
        draw_contour(&mut path, &points.collect::<Vec<_>>());
        start = end + 1;
    }
    path.finish()
}

/// Reads the x or y of the points, stored as differences of one byte, two or none.
fn read_coordinates(
    data: Data,
    offset: &mut usize,
    flags: &[u8],
    short: u8,
    same: u8,
) -> Option<Vec<f32>> {
    let mut value = 0i16;
    let next = |flag: &u8| {
        let (length, step) = match (flag & short != 0, flag & same != 0) {
            (true, true) => (1, i16::from(data.u8(*offset)?)),
            (true, false) => (1, -i16::from(data.u8(*offset)?)),
            (false, true) => (0, 0),
            (false, false) => (2, data.i16(*offset)?),
        };
        *offset += length;
        value = value.wrapping_add(step);
        Some(f32::from(value))
    };
    flags.iter().map(next).collect()
}

/// Draws a closed contour of points on the curve, `true`, and controls of quadratic curves.
/// Between two controls the middle is on the curve.
fn draw_contour(path: &mut PathBuilder, points: &[(bool, [f32; 2])]) {
    let middle = |[ax, ay]: [f32; 2], [bx, by]: [f32; 2]| [(ax + bx) / 2.0, (ay + by) / 2.0];
    let Some(first) = points.iter().position(|(on, _)| *on) else {
        return;
    };
    let [x, y] = points[first].1;
    path.move_to(x, y);
    let mut control: Option<[f32; 2]> = None;
    let rest = points[first + 1..].iter().chain(&points[..=first]);
    for &(on, point) in rest {
        let target = match (on, control) {
            (true, _) => Some(point),
            (false, Some(control)) => Some(middle(control, point)),
            (false, None) => None,
        };
        match (target, control) {
            (Some([x, y]), Some([cx, cy])) => path.quad_to(cx, cy, x, y),
            (Some([x, y]), None) => path.line_to(x, y),
            (None, _) => {}
        }
        control = (!on).then_some(point);
    }
    path.close();
}

/// Reads the glyph of each character (`cmap`, format 4).
fn read_characters(table: Data) -> Option<BTreeMap<char, u16>> {
    let subtables =
        (0..usize::from(table.u16(2)?)).filter_map(|i| table.after(table.u32(8 + 8 * i)?));
    let map = subtables.into_iter().find(|t| t.u16(0) == Some(4))?;
    let double = usize::from(map.u16(6)?);
    let mut glyphs = BTreeMap::new();
    for i in (0..double).step_by(2) {
        let (last, first) = (map.u16(14 + i)?, map.u16(16 + double + i)?);
        let (delta, place) = (16 + 2 * double + i, 16 + 3 * double + i);
        for code in first..=last.min(0xfffe) {
            let index = match usize::from(map.u16(place)?) {
                0 => code,
                offset => map.u16(place + offset + 2 * usize::from(code - first))?,
            };
            let glyph = index.wrapping_add(map.u16(delta)?);
            if let Some(character) = char::from_u32(code.into()) {
                glyphs.insert(character, glyph);
            }
        }
    }
    Some(glyphs)
}

/// Reads what the pairs of glyphs (`GPOS`, lookups of type 2) add to the width of the first.
fn read_kerning(table: Data, glyphs: u16) -> Option<HashMap<(u16, u16), i16>> {
    let mut kerning = HashMap::new();
    for lookup in table.list(table.u16(8)?.into(), 0)? {
        if lookup.u16(0)? != 2 {
            continue;
        }
        for pairs in lookup.list(0, 4)? {
            let firsts = covered(pairs.after(pairs.u16(2)?.into())?)?;
            let width = |format: u16| 2 * format.count_ones() as usize;
            let (format, rest) = (pairs.u16(4)?, width(pairs.u16(6)?));
            // The advance stands behind the two placements.
            let advance = width(format & 3);
            if format & 4 == 0 {
                continue;
            }
            let size = width(format) + rest;
            if pairs.u16(0)? == 1 {
                for (first, seconds) in firsts.into_iter().zip(pairs.list(0, 8)?) {
                    for i in 0..usize::from(seconds.u16(0)?) {
                        let record = 2 + i * (2 + size);
                        let value = seconds.i16(record + 2 + advance)?;
                        let pair = (first, seconds.u16(record)?);
                        kerning.entry(pair).or_insert(value);
                    }
                }
                continue;
            }
            let columns = usize::from(pairs.u16(14)?);
            let left = classes(pairs.after(pairs.u16(8)?.into())?)?;
            let right = classes(pairs.after(pairs.u16(10)?.into())?)?;
            let class = |of: &HashMap<u16, u16>, glyph| usize::from(*of.get(&glyph).unwrap_or(&0));
            for first in firsts {
                let row = class(&left, first) * columns;
                for second in 0..glyphs {
                    let record = 16 + (row + class(&right, second)) * size;
                    match pairs.i16(record + advance)? {
                        0 => {}
                        value => {
                            kerning.entry((first, second)).or_insert(value);
                        }
                    }
                }
            }
        }
    }
    Some(kerning)
}

/// Reads the glyphs of a coverage table, in its order.
fn covered(table: Data) -> Option<Vec<u16>> {
    let count = usize::from(table.u16(2)?);
    if table.u16(0)? == 1 {
        return (0..count).map(|i| table.u16(4 + 2 * i)).collect();
    }
    let mut glyphs = Vec::new();
    for i in 0..count {
        glyphs.extend(table.u16(4 + 6 * i)?..=table.u16(6 + 6 * i)?);
    }
    Some(glyphs)
}

/// Reads the class of each glyph that is not in class 0.
fn classes(table: Data) -> Option<HashMap<u16, u16>> {
    let mut classes = HashMap::new();
    if table.u16(0)? == 1 {
        let first = table.u16(2)?;
        for i in 0..table.u16(4)? {
            classes.insert(first + i, table.u16(6 + 2 * usize::from(i))?);
        }
        return Some(classes);
    }
    for i in 0..usize::from(table.u16(2)?) {
        let class = table.u16(8 + 6 * i)?;
        let glyphs = table.u16(4 + 6 * i)?..=table.u16(6 + 6 * i)?;
        classes.extend(glyphs.map(|glyph| (glyph, class)));
    }
    Some(classes)
}

impl Data {
    fn part(self, range: Range<usize>) -> Option<Data> {
        self.0.get(range).map(Data)
    }

    fn after(self, start: usize) -> Option<Data> {
        self.0.get(start..).map(Data)
    }

    /// Lists the tables whose offsets from the one at `start` stand, after their count, `skip`
    /// bytes into it.
    fn list(self, start: usize, skip: usize) -> Option<Vec<Data>> {
        let table = self.after(start)?;
        let count = usize::from(table.u16(skip)?);
        (0..count)
            .map(|i| table.after(table.u16(skip + 2 + 2 * i)?.into()))
            .collect()
    }

    fn u8(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    fn i8(self, at: usize) -> Option<i8> {
        self.u8(at).map(|byte| byte as i8)
    }

    fn u16(self, at: usize) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8(at)?, self.u8(at + 1)?]))
    }

    fn i16(self, at: usize) -> Option<i16> {
        self.u16(at).map(|bits| bits as i16)
    }

    fn u32(self, at: usize) -> Option<usize> {
        let (high, low) = (usize::from(self.u16(at)?), usize::from(self.u16(at + 2)?));
        Some(high << 16 | low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with the numbers that fontTools reads in the same file.
    #[test]
    fn letters_have_their_widths_and_outlines() {
        let font = Font::carried().expect("a font");
        assert_eq!(font.glyphs.len(), 264);
        // A letter, one made of two, one made of another turned around.
        for (letter, width, [left, bottom, right, top]) in [
            ("A", 639.0, [0.0, 0.0, 638.0, 717.0]),
            ("é", 564.0, [55.0, -10.0, 513.0, 766.0]),
            ("¿", 434.0, [24.0, -192.0, 420.0, 546.0]),
        ] {
            let (path, length) = font.text(letter, 1000.0);
            let bounds = path.expect("an outline").compute_tight_bounds().unwrap();
            assert_eq!(length, width, "{letter}");
            let found = [
                bounds.left(),
                -bounds.bottom(),
                bounds.right(),
                -bounds.top(),
            ];
            let expected = [left, bottom, right, top];
            for (a, b) in found.into_iter().zip(expected) {
                assert!((a - b).abs() < 1.0, "{letter}: {found:?} {expected:?}");
            }
        }
        assert_eq!(font.text(" ", 1000.0).0, None);
    }

    #[test]
    fn pairs_are_kerned() {
        let font = Font::carried().expect("a font");
        let length = |text: &str| font.text(text, 1000.0).1;
        for (pair, kerning) in [("AV", -40.0), ("To", -70.0), ("λα", -10.0), ("11", 0.0)] {
            let apart: f32 = pair.chars().map(|c| length(&c.to_string())).sum();
            assert_eq!(length(pair) - apart, kerning, "{pair}");
        }
    }

    #[test]
    fn a_letter_that_is_missing_is_a_gap() {
        let font = Font::carried().expect("a font");
        assert_eq!(font.text("語", 1000.0), (None, 600.0));
    }
}
