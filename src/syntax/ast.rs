//! The syntax tree of a `.van` file.

use crate::span::{Span, Spanned};

/// A name and the span it was written at.
pub type Ident = Spanned<String>;

/// The program's own declarations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prelude {
    /// Activations in the order of the text.
    pub activations: Vec<Activation>,
    /// Skip policies in the order of the text.
    pub policies: Vec<Policy>,
}

/// `activation NAME(ELEMENT, …) = EQUATION`.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    /// Text of the `///` comment before the declaration.
    pub doc: Option<String>,
    /// Name of the activation.
    pub name: Ident,
    /// The name of the element that it is applied to.
    pub element: Ident,
    /// Settings in the order of the text.
    pub settings: Vec<SettingFormal>,
    /// Value of the function, in terms of the element.
    pub equation: Expr,
}

/// `policy NAME(…) { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Text of the `///` comment before the declaration.
    pub doc: Option<String>,
    /// Name of the policy.
    pub name: Ident,
    /// Settings in the order of the text.
    pub settings: Vec<SettingFormal>,
    /// Gates in the order of the text.
    pub gates: Vec<Gate>,
    /// Output of the skip, in terms of f, s and the gates.
    pub out: Expr,
}

/// `gate NAME(bias: EXPR)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Name of the gate.
    pub name: Ident,
    /// Bias before training.
    pub bias: Expr,
}

/// A setting of an activation or a policy: `NAME: TYPE = DEFAULT in RANGE`.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingFormal {
    /// Text of the `///` comment before the declaration.
    pub doc: Option<String>,
    /// Name of the setting.
    pub name: Ident,
    /// Name of the type.
    pub kind: Ident,
    /// Value where the call gives none.
    pub default: Expr,
    /// Range of allowed values.
    pub range: Option<Range>,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Declarations in the order of the file.
    pub items: Vec<Item>,
    /// All comments in the order of the file, `///` comments included.
    pub comments: Vec<Comment>,
}

/// A comment, from `//` to the end of its line.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// Span of the comment.
    pub span: Span,
    /// Text of the comment, without trailing blanks.
    pub text: String,
    /// Whether only blanks come before it on its line.
    pub own_line: bool,
}

/// A declaration.
#[expect(
    clippy::large_enum_variant,
    reason = "a file holds few, and they are not moved about"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `param NAME: TYPE = DEFAULT in RANGE`.
    Param(Param),
    /// `block NAME(…) { … }`.
    Block(Block),
    /// `model NAME { … }`.
    Model(Model),
    /// `train { … }`.
    Train(Train),
}

/// A param of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Span of the whole declaration.
    pub span: Span,
    /// Text of the `///` comment before the declaration.
    pub doc: Option<String>,
    /// Name of the param.
    pub name: Ident,
    /// Name of the type.
    pub kind: Ident,
    /// Value unless a flag gives another.
    pub default: Expr,
    /// Range of allowed values.
    pub range: Option<Range>,
}

/// A range `lo..hi` or `lo..=hi`; either end may be missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// Span of the whole range.
    pub span: Span,
    /// Least value of the range.
    pub lo: Option<Expr>,
    /// Whether `hi` is in the range.
    pub inclusive: bool,
    /// Greatest value if `inclusive`, else the first value beyond the range.
    pub hi: Option<Expr>,
}

/// A template of layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Span of the whole declaration.
    pub span: Span,
    /// Name of the block.
    pub name: Ident,
    /// Formal arguments; `None` without parentheses.
    pub formals: Option<Vec<Formal>>,
    /// Layers of the block.
    pub body: Body,
}

/// A formal argument of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Formal {
    /// Name of the argument.
    pub name: Ident,
    /// Name of the type.
    pub kind: Ident,
    /// Value for calls that give none.
    pub default: Option<Expr>,
}

/// The network.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Span of the whole declaration.
    pub span: Span,
    /// Text of the `///` comment before the declaration.
    pub doc: Option<String>,
    /// Name of the setting.
    pub name: Ident,
    /// Input and layers.
    pub body: Body,
}

/// The training settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Train {
    /// Span of the whole section.
    pub span: Span,
    /// Settings in the order of the file.
    pub settings: Vec<Setting>,
}

/// A setting `key: value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Name of the setting.
    pub key: Ident,
    /// Value of the setting.
    pub value: Expr,
}

/// Statements between braces.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// Span from `{` to `}`.
    pub span: Span,
    /// Statements between the braces.
    pub statements: Vec<Statement>,
}

/// Step of a network, with its label if it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Span of the statement, label included.
    pub span: Span,
    /// Label: the name before `:`.
    pub label: Option<Ident>,
    /// Kind of statement, with its parts.
    pub kind: StatementKind,
}

/// Kind of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// `input image(…)`.
    Input(Call),
    /// A layer or a call of a block; the checker tells which.
    Layer(Call),
    /// `repeat COUNT as i { … }`.
    Repeat {
        /// Number of repetitions.
        count: Expr,
        /// Name of the counter.
        counter: Option<Ident>,
        /// Statements that are repeated.
        body: Body,
    },
    /// `skip POLICY project: P { … }`.
    Skip {
        /// Skip policy: an expression of type `skip`.
        policy: Expr,
        /// Name of the projection that fits x to the output of the body.
        project: Option<Ident>,
        /// Residual branch F.
        body: Body,
    },
    /// `concat { … }`.
    Concat {
        /// Branch whose output is concatenated to x.
        body: Body,
    },
}

/// A call: `name` or `name(positional, key: value)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Span from the name to the closing parenthesis.
    pub span: Span,
    /// Name of the callee.
    pub name: Ident,
    /// Arguments; `None` without parentheses.
    pub args: Option<Vec<Arg>>,
}

impl Call {
    /// Returns the arguments of the call; empty without parentheses.
    pub fn args(&self) -> &[Arg] {
        self.args.as_deref().unwrap_or_default()
    }
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// Name of the argument: the name before `:`.
    pub key: Option<Ident>,
    /// Value of the argument.
    pub value: Expr,
}

/// An expression and its span.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Span of the expression.
    pub span: Span,
    /// Kind of expression, with its operands.
    pub kind: ExprKind,
}

/// Kind of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A whole number, as written; it may be too large for an `int`.
    Int(String),
    /// A number with a point or an exponent, as written.
    Float(String),
    /// `true` or `false`.
    Bool(bool),
    /// A name, or a call of a function, a policy or a setting.
    Call(Call),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `-a`, `not a`.
    Unary(UnaryOp, Box<Expr>),
    /// `a + b` and the like.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `if c { a } else { b }`.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
}

/// An operator before its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `not`
    Not,
}

/// An operator between its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `^`
    Power,
}

impl UnaryOp {
    /// Returns the binding strength, on the scale of [`BinaryOp::precedence`].
    pub fn precedence(self) -> u8 {
        match self {
            UnaryOp::Not => 3,
            UnaryOp::Negate => 7,
        }
    }

    /// Returns the source text of the operator.
    pub fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Negate => "-",
            UnaryOp::Not => "not ",
        }
    }
}

impl BinaryOp {
    /// Returns the binding strength: a higher number binds tighter. All but `^` are
    /// left-associative.
    pub fn precedence(self) -> u8 {
        match self {
            BinaryOp::Or => 1,
            BinaryOp::And => 2,
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual => 4,
            BinaryOp::Add | BinaryOp::Subtract => 5,
            BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => 6,
            BinaryOp::Power => 8,
        }
    }

    /// Returns the source text of the operator.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
            BinaryOp::Power => "^",
        }
    }
}
