//! Scopes: the names that an expression may use, and their values.

use super::value::{Type, Value};
use crate::ir::call::words;
use std::collections::HashMap;

/// A function of expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Min,
    Max,
    Floor,
    Ceil,
}

impl Function {
    /// The functions by name.
    const ALL: [(&'static str, Function); 4] = [
        ("min", Function::Min),
        ("max", Function::Max),
        ("floor", Function::Floor),
        ("ceil", Function::Ceil),
    ];
    /// The names alone.
    pub const NAMES: [&'static str; 4] = words(&Self::ALL);

    pub fn named(name: &str) -> Option<Function> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, function)| *function)
    }
}

/// Type and value of a name, as far as they are known.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub kind: Option<Type>,
    pub value: Option<Value>,
}

impl Binding {
    /// Binds a name whose value is known.
    pub fn known(value: Value) -> Self {
        let kind = match &value {
            Value::Int(_) => Type::Int,
            Value::Float(_) => Type::Float,
            Value::Bool(_) => Type::Bool,
            Value::Skip(_) => Type::Skip,
        };
        Binding {
            kind: Some(kind),
            value: Some(value),
        }
    }
}

/// The params by name.
pub(super) type Params<'a> = HashMap<&'a str, Binding>;

/// The names an expression may use: a block's arguments and counters, then params.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    params: &'a Params<'a>,
    locals: Vec<(&'a str, Binding)>,
}

impl<'a> Scope<'a> {
    pub fn new(params: &'a Params<'a>) -> Self {
        Scope {
            params,
            locals: Vec::new(),
        }
    }

    pub fn push(&mut self, name: &'a str, binding: Binding) {
        self.locals.push((name, binding));
    }

    pub fn pop(&mut self) {
        self.locals.pop();
    }

    pub fn get(&self, name: &str) -> Option<&Binding> {
        let local = self.locals.iter().rev().find(|(local, _)| *local == name);
        match local {
            Some((_, binding)) => Some(binding),
            None => self.params.get(name),
        }
    }

    pub fn kind(&self, name: &str) -> Option<Type> {
        self.get(name)?.kind
    }

    /// Lists all names in order, for suggestions.
    pub fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.params.keys().copied().collect();
        names.extend(self.locals.iter().map(|(name, _)| name));
        names.sort_unstable();
        names.dedup();
        names
    }
}
