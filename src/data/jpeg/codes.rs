//! The codes of a scan, read without computing a coefficient.

/// The first and the last restart marker.
pub(super) const RST0: u8 = 0xd0;
pub(super) const RST7: u8 = 0xd7;

/// The coefficients that a scan holds.
pub(super) struct Band {
    pub first: usize,
    pub last: usize,
    /// Whether it adds a bit to coefficients that earlier scans began.
    pub refines: bool,
}

/// A Huffman table.
pub(super) struct Table {
    /// By length of code, from 1: the first number of 16 bits that begins with no code of that
    /// length or a shorter one; the code of its first symbol; the index of that symbol.
    lengths: [(u32, u32, usize); 16],
    symbols: Vec<u8>,
}

impl Table {
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Table {
        let (mut code, mut index) = (0u32, 0);
        let lengths = std::array::from_fn(|i| {
            let first = code;
            let count = u32::from(counts[i]);
            let entry = ((first + count) << (15 - i), first, index);
            code = (first + count) << 1;
            index += count as usize;
            entry
        });
        Table {
            lengths,
            symbols: symbols.to_vec(),
        }
    }
}

/// Codes of a scan, up to the next marker.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// Offset of the next byte.
    pub at: usize,
    /// Bits that were read and not used, the last ones lowest.
    bits: u64,
    count: u32,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Reader {
            bytes,
            at,
            bits: 0,
            count: 0,
        }
    }

    /// Returns the next byte of the scan; a marker ends it.
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        if byte != 0xff {
            self.at += 1;
            return Some(byte);
        }
        (self.bytes.get(self.at + 1) == Some(&0)).then(|| {
            self.at += 2;
            byte
        })
    }

    /// Reads on until there are 32 bits, if there are.
    fn fill(&mut self) {
        while self.count < 32 {
            let Some(byte) = self.byte() else {
                return;
            };
            self.bits = self.bits << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// Reads `count` bits, 16 at most.
    fn take(&mut self, count: u32) -> Result<u32, String> {
        self.fill();
        if count > self.count {
            return Err(self.ends());
        }
        self.count -= count;
        Ok((self.bits >> self.count) as u32 & ((1 << count) - 1))
    }

    /// Reads a symbol.
    fn symbol(&mut self, table: &Option<Table>) -> Result<u8, String> {
        let Some(table) = table else {
            return Err("a scan needs a Huffman table that is not there".into());
        };
        self.fill();
        let next = match self.count {
            16.. => (self.bits >> (self.count - 16)) as u32 & 0xffff,
            // What is missing counts as zeros; a code that needs them is refused below.
            count => (self.bits << (16 - count)) as u32 & 0xffff,
        };
        let mut lengths = (1u32..).zip(&table.lengths);
        let Some((length, (_, first, index))) = lengths.find(|(_, (end, _, _))| next < *end) else {
            return Err(match self.count < 16 {
                true => self.ends(),
                false => format!("a code before offset {} is none", self.at),
            });
        };
        self.take(length)?;
        let offset = (next >> (16 - length)).wrapping_sub(*first) as usize;
        let symbol = table.symbols.get(index + offset).copied();
        symbol.ok_or_else(|| format!("a code before offset {} is none", self.at))
    }

    fn ends(&self) -> String {
        match self.bytes.get(self.at) {
            Some(_) => format!(
                "part of it is missing: a scan ends early, at offset {}",
                self.at
            ),
            None => format!(
                "it is cut short: it ends at offset {} within a scan",
                self.at
            ),
        }
    }

    /// Goes on after a restart marker.
    pub fn restart(&mut self) -> Result<(), String> {
        (self.bits, self.count) = (0, 0);
        // Fill bytes may come before a marker.
        while self.bytes.get(self.at..self.at + 2) == Some(&[0xff, 0xff]) {
            self.at += 1;
        }
        match self.bytes.get(self.at + 1) {
            Some(RST0..=RST7) => {
                self.at += 2;
                Ok(())
            }
            Some(_) => Err(format!("a restart marker is missing at offset {}", self.at)),
            None => Err(self.ends()),
        }
    }

    /// Reads a block with all of its coefficients.
    pub fn sequential(&mut self, [dc, ac]: [&Option<Table>; 2]) -> Result<(), String> {
        let bits = self.symbol(dc)?;
        self.skip(bits)?;
        let mut at = 1;
        while at < 64 {
            let symbol = self.symbol(ac)?;
            let (zeros, bits) = (usize::from(symbol >> 4), symbol & 15);
            if bits == 0 && zeros < 15 {
                break;
            }
            self.skip(bits)?;
            at += zeros + 1;
        }
        Ok(())
    }

    fn skip(&mut self, bits: u8) -> Result<(), String> {
        match bits {
            0..=16 => self.take(bits.into()).map(|_| ()),
            17.. => Err(format!("a code before offset {} is none", self.at)),
        }
    }

    /// Reads what a progressive scan holds of a block. `run` is the number of blocks to come
    /// that hold nothing new.
    pub fn progressive(
        &mut self,
        [dc, ac]: [&Option<Table>; 2],
        band: &Band,
        run: &mut u32,
        nonzero: &mut u64,
    ) -> Result<(), String> {
        match (band.first, band.refines) {
            (0, true) => self.skip(1),
            (0, false) => {
                let bits = self.symbol(dc)?;
                self.skip(bits)
            }
            (_, false) => self.first_of_band(ac, band, run, nonzero),
            (_, true) => self.refinement(ac, band, run, nonzero),
        }
    }

    /// Reads the length of a run of blocks, this one included.
    fn run(&mut self, bits: u8) -> Result<u32, String> {
        Ok((1 << bits) + self.take(bits.into())?)
    }

    fn first_of_band(
        &mut self,
        ac: &Option<Table>,
        band: &Band,
        run: &mut u32,
        nonzero: &mut u64,
    ) -> Result<(), String> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let mut at = band.first;
        while at <= band.last {
            let symbol = self.symbol(ac)?;
            let (zeros, bits) = (symbol >> 4, symbol & 15);
            if bits == 0 && zeros < 15 {
                *run = self.run(zeros)? - 1;
                break;
            }
            at += usize::from(zeros);
            self.skip(bits)?;
            if bits > 0 && at < 64 {
                *nonzero |= 1 << at;
            }
            at += 1;
        }
        Ok(())
    }

    fn refinement(
        &mut self,
        ac: &Option<Table>,
        band: &Band,
        run: &mut u32,
        nonzero: &mut u64,
    ) -> Result<(), String> {
        let mut at = band.first;
        while at <= band.last && *run == 0 {
            let symbol = self.symbol(ac)?;
            let (mut zeros, bits) = (symbol >> 4, symbol & 15);
            if bits == 0 && zeros < 15 {
                *run = self.run(zeros)?;
                break;
            }
            self.skip(bits)?;
            // Each coefficient that is not 0 gets a bit; the zeros are counted.
            while at <= band.last {
                if *nonzero >> at & 1 == 1 {
                    self.skip(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            if bits > 0 && at < 64 {
                *nonzero |= 1 << at;
            }
            at += 1;
        }
        if *run > 0 {
            let known = (at..=band.last)
                .filter(|at| *nonzero >> at & 1 == 1)
                .count();
            for _ in 0..known {
                self.skip(1)?;
            }
            *run -= 1;
        }
        Ok(())
    }
}
