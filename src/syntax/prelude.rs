//! Parser of the program's own declarations: makes trees of the grammar's rules.

// Of the grammar's hundred rules, two are declarations here.
#![expect(clippy::wildcard_enum_match_arm)]

use super::ast::*;
use super::grammar::Rule;
use super::parse::{Builder, doc_before, next, next_if};
use pest::iterators::{Pair, Pairs};

impl<'t> Builder<'t> {
    /// Parses the declarations of a whole text.
    pub fn prelude(&mut self, pair: Pair<'t, Rule>, comments: &[Comment]) -> Prelude {
        let mut prelude = Prelude::default();
        for pair in pair.into_inner() {
            let doc = doc_before(self.span(&pair).start, comments, self.text());
            match pair.as_rule() {
                Rule::activation => {
                    let activation = self.activation(doc, pair.into_inner(), comments);
                    prelude.activations.push(activation);
                }
                Rule::policy => {
                    let policy = self.policy(doc, pair.into_inner(), comments);
                    prelude.policies.push(policy);
                }
                _ => {}
            }
        }
        prelude
    }

    fn activation(
        &mut self,
        doc: Option<String>,
        mut parts: Pairs<'t, Rule>,
        comments: &[Comment],
    ) -> Activation {
        Activation {
            doc,
            name: self.ident(next(&mut parts)),
            element: self.ident(next(&mut parts)),
            settings: self.setting_formals(parts.clone(), comments),
            equation: self.last_expr(parts),
        }
    }

    fn policy(
        &mut self,
        doc: Option<String>,
        mut parts: Pairs<'t, Rule>,
        comments: &[Comment],
    ) -> Policy {
        let name = self.ident(next(&mut parts));
        let settings = match next_if(&mut parts, Rule::setting_formals) {
            Some(formals) => self.setting_formals(formals.into_inner(), comments),
            None => Vec::new(),
        };
        next(&mut parts); // `{`
        let mut gates = Vec::new();
        while let Some(gate) = next_if(&mut parts, Rule::gate) {
            let mut parts = gate.into_inner();
            gates.push(Gate {
                name: self.ident(next(&mut parts)),
                bias: self.last_expr(parts),
            });
        }
        Policy {
            doc,
            name,
            settings,
            gates,
            out: self.last_expr(next(&mut parts).into_inner()),
        }
    }

    /// Parses the expression that ends a declaration.
    fn last_expr(&mut self, parts: Pairs<'t, Rule>) -> Expr {
        let mut exprs = parts.filter(|p| p.as_rule() == Rule::expr);
        self.whole_expr(exprs.next().expect("the grammar requires an expression"))
    }

    fn setting_formals(
        &mut self,
        parts: Pairs<'t, Rule>,
        comments: &[Comment],
    ) -> Vec<SettingFormal> {
        let formals = parts.filter(|p| p.as_rule() == Rule::setting_formal);
        formals
            .map(|pair| self.setting_formal(pair, comments))
            .collect()
    }

    fn setting_formal(&mut self, pair: Pair<'t, Rule>, comments: &[Comment]) -> SettingFormal {
        let doc = doc_before(self.span(&pair).start, comments, self.text());
        let mut parts = pair.into_inner();
        let name = self.ident(next(&mut parts));
        next(&mut parts); // `:`
        let kind = self.ident(next(&mut parts));
        next(&mut parts); // `=`
        SettingFormal {
            doc,
            name,
            kind,
            default: self.whole_expr(next(&mut parts)),
            range: self.within(&mut parts),
        }
    }
}
