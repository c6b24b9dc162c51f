//! Bare words.

use crate::syntax::ast::{Call, Expr, ExprKind};

/// Returns the bare word that `value` is.
pub(super) fn word(value: &Expr) -> Option<&str> {
    match &value.kind {
        ExprKind::Call(Call {
            name, args: None, ..
        }) => Some(&name.node),
        _ => None,
    }
}
