//! Range and target of coefficients under the constraint, on the card.

use super::layout::shared;
use crate::ir;

shared! {
    /// Where a coefficient stays and goes, as the kernels take it.
    pub struct Held as "Held" {
        least: f64,
        greatest: f64,
        target: f64,
        moves: u64,
    }
}

impl Held {
    /// Makes what the kernels take of `held`; a frozen coefficient and its multiplier stay.
    pub fn new(held: ir::Held, frozen: bool) -> Held {
        let [least, greatest] = held.range;
        Held {
            least,
            greatest,
            target: held.target,
            moves: match frozen {
                true => 2,
                false => u64::from(held.enforced),
            },
        }
    }

    /// Makes what belongs to an element between tensors: it stays at 0.
    pub fn padding() -> Held {
        Held {
            least: 0.0,
            greatest: 0.0,
            target: 0.0,
            moves: 0,
        }
    }
}
