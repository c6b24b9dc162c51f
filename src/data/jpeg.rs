//! Whether a JPEG file is whole.
//!
//! Decoders make up what is missing of a picture, so that a file cut short looks like one with a
//! grey edge. [`check`] reads the file as a decoder does, without computing a pixel: every
//! segment, every scan, every code in it, up to the end marker. Names are those of ITU-T T.81.

mod codes;

use codes::{Band, RST0, RST7, Reader, Table};

/// Checks that the file, of a picture of `extent` (height, width), holds every block that its
/// header promises, and its end.
///
/// # Errors
/// What is missing, and at which offset.
pub(super) fn check(bytes: &[u8], extent: (usize, usize)) -> Result<(), String> {
    let mut file = File {
        bytes,
        extent,
        at: 2,
        frame: None,
        tables: Default::default(),
        restart: 0,
    };
    loop {
        match file.marker()? {
            EOI => return file.end(),
            // Markers without a segment.
            0x01 | RST0..=RST7 => {}
            marker => file.segment(marker)?,
        }
    }
}

const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;

/// A file that is read.
struct File<'a> {
    bytes: &'a [u8],
    /// Height and width.
    extent: (usize, usize),
    /// Offset of the next byte.
    at: usize,
    frame: Option<Frame>,
    /// Huffman tables: of DC and AC coefficients, four each.
    tables: [[Option<Table>; 4]; 2],
    /// MCUs between restart markers; 0 without any.
    restart: usize,
}

/// A frame: the picture's size and components.
struct Frame {
    progressive: bool,
    height: usize,
    width: usize,
    components: Vec<Component>,
}

/// A component, such as luminance.
struct Component {
    id: u8,
    /// Blocks of an MCU, across and down.
    across: usize,
    down: usize,
    /// Coefficients of each block that are not 0, a bit each, where a later scan needs them.
    nonzero: Vec<u64>,
    /// Blocks in a row of `nonzero`.
    stride: usize,
    /// Whether it was in a scan.
    scanned: bool,
}

/// A component in a scan.
struct Part {
    component: usize,
    dc: usize,
    ac: usize,
}

impl<'a> File<'a> {
    /// Reads up to the next marker, and that; bytes that belong to nothing are passed over.
    fn marker(&mut self) -> Result<u8, String> {
        while let Some(pair) = self.bytes.get(self.at..self.at + 2) {
            if pair[0] == 0xff && !matches!(pair[1], 0 | 0xff) {
                self.at += 2;
                return Ok(pair[1]);
            }
            self.at += 1;
        }
        Err(format!(
            "it is cut short: it ends at offset {} without an end marker",
            self.bytes.len()
        ))
    }

    /// Checks that each component was in a scan.
    fn end(&self) -> Result<(), String> {
        let components = self.frame.iter().flat_map(|frame| &frame.components);
        match components.into_iter().all(|component| component.scanned) {
            true => Ok(()),
            false => Err(format!(
                "part of it is missing: it ends at offset {} before its last scan",
                self.at
            )),
        }
    }

    /// Reads the segment of `marker`, and the scan after it.
    fn segment(&mut self, marker: u8) -> Result<(), String> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let length = match rest {
            [high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
            [] | [_] => 0,
        };
        let body = rest.get(2..length.max(2)).filter(|_| length >= 2);
        let Some(body) = body else {
            return Err(match rest.len() < length.max(2) {
                true => format!(
                    "it is cut short: it ends at offset {} within a segment",
                    self.bytes.len()
                ),
                false => format!("the segment at offset {start} has a length of {length}"),
            });
        };
        self.at = start + length;
        let wrong = || format!("the segment at offset {start} is damaged");
        match marker {
            0xc0..=0xc2 => {
                let frame = Frame::read(body, self.extent, marker == 0xc2);
                self.frame = Some(frame.ok_or_else(wrong)?);
            }
            DHT => self.read_tables(body).ok_or_else(wrong)?,
            DRI => match body {
                [high, low, ..] => self.restart = u16::from_be_bytes([*high, *low]).into(),
                [] | [_] => return Err(wrong()),
            },
            SOS => {
                let (parts, band) = self.scan_header(body).ok_or_else(wrong)?;
                self.scan(&parts, &band)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn read_tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let [place, rest @ ..] = body {
            let counts: &[u8; 16] = rest.first_chunk()?;
            let length: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = rest.get(16..16 + length)?;
            let class = self.tables.get_mut(usize::from(place >> 4))?;
            *class.get_mut(usize::from(place & 15))? = Some(Table::new(counts, symbols));
            body = &rest[16 + length..];
        }
        Some(())
    }

    fn scan_header(&self, body: &[u8]) -> Option<(Vec<Part>, Band)> {
        let (&count, rest) = body.split_first()?;
        let (parts, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let frame = self.frame.as_ref();
        let part = |pair: &[u8]| {
            let components = &frame?.components;
            Some(Part {
                component: components.iter().position(|c| c.id == pair[0])?,
                dc: usize::from(pair[1] >> 4),
                ac: usize::from(pair[1] & 15),
            })
        };
        let parts = match frame {
            Some(_) => parts.chunks(2).map(part).collect::<Option<_>>()?,
            // A frame of a kind that is not decoded either.
            None => Vec::new(),
        };
        let [first, last, bits, ..] = *rest else {
            return None;
        };
        let band = Band {
            first: first.into(),
            last: usize::from(last).min(63),
            refines: bits >> 4 != 0,
        };
        Some((parts, band))
    }

    /// Reads the codes of a scan.
    fn scan(&mut self, parts: &[Part], band: &Band) -> Result<(), String> {
        let Some(frame) = &mut self.frame else {
            return Ok(());
        };
        let mut reader = Reader::new(self.bytes, self.at);
        let mut run = 0;
        let [rows, columns] = frame.units(parts);
        for unit in 0..rows * columns {
            if self.restart > 0 && unit > 0 && unit % self.restart == 0 {
                reader.restart()?;
                run = 0;
            }
            for part in parts {
                let tables = [part.dc, part.ac].map(|table| table.min(3));
                let tables = [&self.tables[0][tables[0]], &self.tables[1][tables[1]]];
                let component = &frame.components[part.component];
                let (across, down) = match parts.len() {
                    1 => (1, 1),
                    _ => (component.across, component.down),
                };
                for block in 0..across * down {
                    let row = unit / columns * down + block / across;
                    let column = unit % columns * across + block % across;
                    let index = row * frame.components[part.component].stride + column;
                    let mut unused = 0;
                    let nonzero = frame.components[part.component].nonzero.get_mut(index);
                    let nonzero = nonzero.unwrap_or(&mut unused);
                    match frame.progressive {
                        false => reader.sequential(tables),
                        true => reader.progressive(tables, band, &mut run, nonzero),
                    }?;
                }
            }
        }
        for part in parts {
            frame.components[part.component].scanned = true;
        }
        self.at = reader.at;
        Ok(())
    }
}

impl Frame {
    /// Reads a header. One of another size than `extent` is damaged, and must not cost memory.
    fn read(body: &[u8], extent: (usize, usize), progressive: bool) -> Option<Frame> {
        let [_, h1, h0, w1, w0, count, rest @ ..] = body else {
            return None;
        };
        let (height, width) = extent;
        let told = [[*h1, *h0], [*w1, *w0]].map(|pair| usize::from(u16::from_be_bytes(pair)));
        if told != [height, width] {
            return None;
        }
        let mut frame = Frame {
            progressive,
            height,
            width,
            components: Vec::new(),
        };
        for part in rest.get(..3 * usize::from(*count))?.chunks(3) {
            let (across, down) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
                return None;
            }
            frame.components.push(Component {
                id: part[0],
                across,
                down,
                nonzero: Vec::new(),
                stride: 0,
                scanned: false,
            });
        }
        if progressive {
            let [rows, columns] = frame.units(&[]);
            for component in &mut frame.components {
                component.stride = columns * component.across;
                component.nonzero = vec![0; rows * component.down * component.stride];
            }
        }
        Some(frame)
    }

    /// Rows and columns of the units of a scan: the blocks of a component that is alone, or MCUs.
    fn units(&self, parts: &[Part]) -> [usize; 2] {
        let most = |count: fn(&Component) -> usize| self.components.iter().map(count).max();
        let down = most(|component| component.down).unwrap_or(1);
        let across = most(|component| component.across).unwrap_or(1);
        match parts {
            [part] => {
                let component = &self.components[part.component];
                [
                    (self.height * component.down).div_ceil(down).div_ceil(8),
                    (self.width * component.across).div_ceil(across).div_ceil(8),
                ]
            }
            _ => [
                self.height.div_ceil(8 * down),
                self.width.div_ceil(8 * across),
            ],
        }
    }
}
