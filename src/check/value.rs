//! Types and values of expressions.

use crate::ir::Policy;
use std::fmt;

/// The type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    Float,
    Bool,
    Skip,
}

impl Type {
    /// All types by name.
    pub const NAMES: [&'static str; 4] = ["int", "float", "bool", "skip"];

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    pub fn from_name(name: &str) -> Option<Type> {
        [Type::Int, Type::Float, Type::Bool, Type::Skip]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// Returns the type in a sentence.
    pub fn described(self) -> &'static str {
        match self {
            Type::Int => "an int",
            Type::Float => "a float",
            Type::Bool => "a bool",
            Type::Skip => "a skip policy",
        }
    }

    /// Returns a value of the type, as it is written.
    pub fn example(self) -> &'static str {
        match self {
            Type::Int => "4",
            Type::Float => "0.5",
            Type::Bool => "true",
            Type::Skip => "resnet",
        }
    }

    /// Whether a value of this type can stand where `want` is wanted: only `int`
    /// widens, to `float`.
    pub fn fits(self, want: Type) -> bool {
        self == want || (self == Type::Int && want == Type::Float)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Int(i64),
    Float(f64),
    Bool(bool),
    Skip(Policy),
}

impl Value {
    pub fn int(&self) -> Option<i64> {
        match *self {
            Value::Int(n) => Some(n),
            Value::Float(_) | Value::Bool(_) | Value::Skip(_) => None,
        }
    }

    /// Returns the number, an int widened.
    pub fn float(&self) -> Option<f64> {
        match *self {
            Value::Int(n) => Some(n as f64),
            Value::Float(x) => Some(x),
            Value::Bool(_) | Value::Skip(_) => None,
        }
    }

    pub fn bool(&self) -> Option<bool> {
        match *self {
            Value::Bool(b) => Some(b),
            Value::Int(_) | Value::Float(_) | Value::Skip(_) => None,
        }
    }

    pub fn skip(self) -> Option<Policy> {
        match self {
            Value::Skip(policy) => Some(policy),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => None,
        }
    }

    /// Converts the value to one of type `want`.
    pub fn widened(self, want: Type) -> Value {
        match (&self, want) {
            (Value::Int(n), Type::Float) => Value::Float(*n as f64),
            _ => self,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(n) => write!(f, "{n}"),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Skip(policy) => write!(f, "{policy}"),
        }
    }
}
