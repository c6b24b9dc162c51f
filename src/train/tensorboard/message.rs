//! Messages of protobuf, field by field.

/// A protobuf message under construction.
#[derive(Default)]
pub(super) struct Message(pub Vec<u8>);

impl Message {
    /// Writes seven bits a byte, the lowest first; all but the last byte have their top bit set.
    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    /// Writes the key of a field: its number, and how its value is written.
    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    /// Adds a field with a whole number, a truth value or a member of an enumeration.
    pub fn integer(&mut self, field: u64, value: u64) {
        self.key(field, 0);
        self.varint(value);
    }

    /// Adds a field with a double.
    pub fn double(&mut self, field: u64, value: f64) {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    /// Adds a field with a text, bytes or a message.
    pub fn bytes(&mut self, field: u64, value: &[u8]) {
        self.key(field, 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    /// Adds a field with a float.
    pub fn float(&mut self, field: u64, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }
}
