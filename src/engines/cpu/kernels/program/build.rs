//! Values that name each other, each computed once.

use super::allocate::allocate;
use super::instructions::{Layout, Program};
use super::value::{Node, Output, Value};
use crate::ir::expr::{self, Binary, Expr, Variable};
use std::collections::HashMap;

/// Collects values for a [`Program`].
#[derive(Default)]
pub struct Builder {
    nodes: Vec<Node>,
    known: HashMap<Node, Value>,
}

impl Builder {
    fn node(&mut self, node: Node) -> Value {
        *self.known.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            Value(self.nodes.len() - 1)
        })
    }

    /// Adds a constant.
    pub fn number(&mut self, x: f32) -> Value {
        self.node(Node::Number(x.to_bits()))
    }

    /// Adds the elements of an array.
    pub fn array(&mut self, index: usize) -> Value {
        self.node(Node::Array(index))
    }

    /// Adds the entries of a table.
    pub fn table(&mut self, index: usize) -> Value {
        self.node(Node::Table(index))
    }

    /// Adds an operation on two values. What adds 0 or multiplies by 1 is left out, and 0
    /// times anything is 0.
    pub fn binary(&mut self, operation: Binary, a: Value, b: Value) -> Value {
        let is = |value: Value, x: f32| self.nodes[value.0] == Node::Number(x.to_bits());
        match operation {
            Binary::Add if is(a, 0.0) => b,
            Binary::Add if is(b, 0.0) => a,
            Binary::Mul if is(a, 1.0) || is(b, 0.0) => b,
            Binary::Mul if is(b, 1.0) || is(a, 0.0) => a,
            Binary::Add
            | Binary::Sub
            | Binary::Mul
            | Binary::Div
            | Binary::Min
            | Binary::Max
            | Binary::Pow => self.node(Node::Binary(operation, a, b)),
        }
    }

    /// Adds the value of an equation whose variables have the values that `variable` says.
    pub fn equation(&mut self, equation: &Expr, variable: &dyn Fn(Variable) -> Value) -> Value {
        let program = expr::Program::new([equation]);
        let mut values: Vec<Value> = Vec::with_capacity(program.nodes.len());
        for node in &program.nodes {
            let value = match *node {
                expr::Node::Number(bits) => self.number(f64::from_bits(bits) as f32),
                expr::Node::Input(name) => variable(name),
                expr::Node::Unary(function, x) => self.node(Node::Unary(function, values[x])),
                expr::Node::Binary(operation, a, b) => self.binary(operation, values[a], values[b]),
                expr::Node::Select {
                    compare,
                    left,
                    right,
                    then,
                    otherwise,
                } => {
                    let parts = [left, right, then, otherwise].map(|part| values[part]);
                    self.node(Node::Select(compare, parts))
                }
            };
            values.push(value);
        }
        values[program.outputs[0]]
    }

    /// Compiles the program that makes `outputs`, with tables that are laid out like this.
    pub fn finish(&self, outputs: &[Output], layout: &Layout) -> Program {
        allocate(&self.nodes, outputs, layout)
    }
}
