//! Equations as a list of operations, each computed once.

use super::eval::products;
use super::{Binary, Compare, Expr, Unary, Variable};
use std::collections::HashMap;

/// Operations in the order they run, for several equations that share parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program {
    /// The operations; each names operands that come before it.
    pub nodes: Vec<Node>,
    /// Index of the node with the value of each equation, in the order of the equations.
    pub outputs: Vec<usize>,
}

/// Operation of a [`Program`]; operands are indices of earlier nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A constant, by the bits of its f64.
    Number(u64),
    /// An element of an operand.
    Input(Variable),
    /// A function of one value.
    Unary(Unary, usize),
    /// An operation on two values.
    Binary(Binary, usize, usize),
    /// `if left compare right { then } else { otherwise }`.
    Select {
        /// Relation of `left` to `right` that is tested.
        compare: Compare,
        /// The left side of the comparison.
        left: usize,
        /// The right side of the comparison.
        right: usize,
        /// The value where the comparison holds.
        then: usize,
        /// The value where it does not.
        otherwise: usize,
    },
}

impl Program {
    /// Lists the operations of `equations`.
    pub fn new<'e>(equations: impl IntoIterator<Item = &'e Expr>) -> Program {
        let mut builder = Builder::default();
        let outputs = equations.into_iter().map(|e| builder.expr(e)).collect();
        Program {
            nodes: builder.nodes,
            outputs,
        }
    }

    /// Lists the operands, in the order of their first use.
    pub fn inputs(&self) -> impl Iterator<Item = Variable> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Input(variable) => Some(*variable),
            Node::Number(_) | Node::Unary(..) | Node::Binary(..) | Node::Select { .. } => None,
        })
    }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    known: HashMap<Node, usize>,
}

impl Builder {
    fn node(&mut self, node: Node) -> usize {
        *self.known.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        })
    }

    fn expr(&mut self, expr: &Expr) -> usize {
        match expr {
            Expr::Number(number) => self.node(Node::Number(number.to_bits())),
            Expr::Variable(variable) => self.node(Node::Input(*variable)),
            Expr::Unary(function, x) => {
                let x = self.expr(x);
                self.node(Node::Unary(*function, x))
            }
            Expr::Binary(Binary::Pow, base, exponent) => self.power(base, exponent),
            Expr::Binary(operation, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                self.node(Node::Binary(*operation, a, b))
            }
            Expr::Select(select) => {
                let [left, right, then, otherwise] = select.parts().map(|part| self.expr(part));
                self.node(Node::Select {
                    compare: select.compare,
                    left,
                    right,
                    then,
                    otherwise,
                })
            }
        }
    }

    /// Adds a power: a small whole one as a product, and the power ½ as a root.
    fn power(&mut self, base: &Expr, exponent: &Expr) -> usize {
        let base = self.expr(base);
        let number = exponent.number();
        if let Some(factors) = number.and_then(products) {
            return (1..factors).fold(base, |power, _| {
                self.node(Node::Binary(Binary::Mul, power, base))
            });
        }
        if number == Some(0.5) {
            return self.node(Node::Unary(Unary::Sqrt, base));
        }
        let exponent = self.expr(exponent);
        self.node(Node::Binary(Binary::Pow, base, exponent))
    }
}
