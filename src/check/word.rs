//! Bare words.

use crate::syntax::ast::{Call, Expr, ExprKind};

/// Returns the bare word that `value` is.
pub(super) fn word(value: &Expr) -> Option<&str> {
    let ExprKind::Call(Call {
        name, args: None, ..
    }) = &value.kind
    else {
        return None;
    };
    Some(&name.node)
}
