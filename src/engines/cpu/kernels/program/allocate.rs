//! Allocation of slots: from values to instructions, with as few slots as their lives allow.

use super::instructions::{Instruction, Layout, Operation, Place, Program};
use super::value::{Node, Output, Value};
use crate::engines::cpu::kernels::LANES;

/// Makes the instructions for `outputs`, each of which is made as soon as its value is there.
pub fn allocate(nodes: &[Node], outputs: &[Output], layout: &Layout) -> Program {
    let mut maker = Maker {
        layout,
        lasts: last_uses(nodes, outputs),
        places: vec![Place::Slot(0); nodes.len()],
        free: Vec::new(),
        program: Program {
            channels: layout.channels,
            instructions: Vec::new(),
            constants: Vec::new(),
            slots: 0,
            sums: 0,
        },
    };
    for (index, node) in nodes.iter().enumerate() {
        if maker.lasts[index].is_some() {
            maker.node(index, *node, outputs);
        }
    }
    let is_sum = |output: &&Output| matches!(output, Output::Sum(_));
    maker.program.sums = outputs.iter().filter(is_sum).count();
    maker.program
}

/// Finds the last node that uses each node: itself where only an output does, None where
/// none does.
fn last_uses(nodes: &[Node], outputs: &[Output]) -> Vec<Option<usize>> {
    let mut lasts = vec![None; nodes.len()];
    for output in outputs {
        let Value(value) = output.value();
        lasts[value] = Some(value);
    }
    for (index, node) in nodes.iter().enumerate().rev() {
        if lasts[index].is_some() {
            for Value(operand) in node.operands() {
                lasts[operand] = lasts[operand].max(Some(index));
            }
        }
    }
    lasts
}

struct Maker<'a> {
    layout: &'a Layout,
    lasts: Vec<Option<usize>>,
    /// Place of each value; operands come before what is computed of them.
    places: Vec<Place>,
    /// Slots that hold nothing any more.
    free: Vec<usize>,
    program: Program,
}

impl Maker<'_> {
    fn node(&mut self, index: usize, node: Node, outputs: &[Output]) {
        let place = match node {
            Node::Number(bits) => self.constant(f32::from_bits(bits)),
            Node::Array(array) => Place::Array(array),
            Node::Table(table) => Place::Table {
                offset: self.layout.offset(table),
                plane: self.layout.planes[table],
            },
            Node::Unary(function, x) => self.compute(index, Operation::Unary(function), [x; 4]),
            Node::Binary(operation, a, b) => {
                self.compute(index, Operation::Binary(operation), [a, b, a, b])
            }
            Node::Select(compare, parts) => self.compute(index, Operation::Select(compare), parts),
        };
        self.places[index] = place;
        self.outputs(Value(index), place, outputs);
        if self.lasts[index] == Some(index) {
            self.release(place);
        }
    }

    /// Makes the outputs of a value that is in `place` now.
    fn outputs(&mut self, value: Value, place: Place, outputs: &[Output]) {
        let mut sums = 0;
        for output in outputs {
            let operation = match *output {
                Output::Store { array, add, .. } => Operation::Store { array, add },
                Output::Sum(_) => {
                    sums += 1;
                    Operation::Sum(sums - 1)
                }
            };
            if output.value() == value {
                self.program.instructions.push(Instruction {
                    operation,
                    from: [place; 4],
                    to: 0,
                });
            }
        }
    }

    /// Computes the value `index` of up to four others, some of them repeated.
    fn compute(&mut self, index: usize, operation: Operation, operands: [Value; 4]) -> Place {
        let from = operands.map(|value| self.places[value.0]);
        // The result may take the slot of an operand that ends here: both go element by
        // element.
        for (Value(operand), place) in operands.into_iter().zip(from) {
            if self.lasts[operand] == Some(index) {
                self.release(place);
            }
        }
        let to = self.free.pop().unwrap_or_else(|| {
            self.program.slots += 1;
            self.program.slots - 1
        });
        self.program.instructions.push(Instruction {
            operation,
            from,
            to,
        });
        Place::Slot(to)
    }

    fn constant(&mut self, x: f32) -> Place {
        self.program.constants.push([x; LANES]);
        Place::Constant(self.program.constants.len() - 1)
    }

    fn release(&mut self, place: Place) {
        if let Place::Slot(slot) = place
            && !self.free.contains(&slot)
        {
            self.free.push(slot);
        }
    }
}
