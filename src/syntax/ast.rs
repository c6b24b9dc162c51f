//! The syntax tree of a `.van` file.

use crate::span::{Span, Spanned};

/// A name with its place.
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
    /// The `///` text before it.
    pub doc: Option<String>,
    /// Its name.
    pub name: Ident,
    /// The name of the element that it is applied to.
    pub element: Ident,
    /// Its settings.
    pub settings: Vec<SettingFormal>,
    /// What it makes of the element.
    pub equation: Expr,
}

/// `policy NAME(…) { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The `///` text before it.
    pub doc: Option<String>,
    /// Its name.
    pub name: Ident,
    /// Its settings.
    pub settings: Vec<SettingFormal>,
    /// Its gates.
    pub gates: Vec<Gate>,
    /// What it makes of f, s and the gates.
    pub out: Expr,
}

/// `gate NAME(bias: EXPR)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Its name.
    pub name: Ident,
    /// Where its bias starts.
    pub bias: Expr,
}

/// A setting of an activation or a policy: `NAME: TYPE = DEFAULT in RANGE`.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingFormal {
    /// The `///` text before it.
    pub doc: Option<String>,
    /// Its name.
    pub name: Ident,
    /// Its type's name.
    pub kind: Ident,
    /// Its value where the call gives none.
    pub default: Expr,
    /// What values it may have.
    pub range: Option<Range>,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Declarations in the order of the file.
    pub items: Vec<Item>,
    /// All comments in the order of the file, those that document included.
    pub comments: Vec<Comment>,
}

/// A comment, from `//` to the end of its line.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// Its place.
    pub span: Span,
    /// Its text, without trailing blanks.
    pub text: String,
    /// Whether nothing but blanks stands before it on its line.
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
    /// The whole declaration.
    pub span: Span,
    /// The `///` text before it.
    pub doc: Option<String>,
    /// Its name.
    pub name: Ident,
    /// Its type's name.
    pub kind: Ident,
    /// Its value where no flag gives one.
    pub default: Expr,
    /// What values it may have.
    pub range: Option<Range>,
}

/// `lo..hi`, `lo..=hi`; either end may be left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// The whole range.
    pub span: Span,
    /// The least value.
    pub lo: Option<Expr>,
    /// Whether `hi` is in the range.
    pub inclusive: bool,
    /// The greatest value, or the first too great.
    pub hi: Option<Expr>,
}

/// A template of layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Ident,
    /// Its arguments; `None` where there are no parentheses.
    pub formals: Option<Vec<Formal>>,
    /// Its layers.
    pub body: Body,
}

/// An argument of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Formal {
    /// Its name.
    pub name: Ident,
    /// Its type's name.
    pub kind: Ident,
    /// Its value where the call gives none.
    pub default: Option<Expr>,
}

/// The network.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The whole declaration.
    pub span: Span,
    /// The `///` text before it.
    pub doc: Option<String>,
    /// Its name.
    pub name: Ident,
    /// Its input and layers.
    pub body: Body,
}

/// The training settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Train {
    /// The whole section.
    pub span: Span,
    /// Its settings in the order of the file.
    pub settings: Vec<Setting>,
}

/// `key: value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// What is set.
    pub key: Ident,
    /// What it is set to.
    pub value: Expr,
}

/// Statements between braces.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// From `{` to `}`.
    pub span: Span,
    /// What is between.
    pub statements: Vec<Statement>,
}

/// One step of a network, with its label if it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The statement with its label.
    pub span: Span,
    /// The name before `:`.
    pub label: Option<Ident>,
    /// What it is.
    pub kind: StatementKind,
}

/// What a statement is.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// `input image(…)`.
    Input(Call),
    /// A layer, or a block's name: which of them is the checker's to say.
    Layer(Call),
    /// `repeat COUNT as i { … }`.
    Repeat {
        /// How often.
        count: Expr,
        /// The name of the index.
        counter: Option<Ident>,
        /// What is repeated.
        body: Body,
    },
    /// `skip POLICY project: P { … }`.
    Skip {
        /// An expression of type `skip`.
        policy: Expr,
        /// How x is made to fit.
        project: Option<Ident>,
        /// F.
        body: Body,
    },
    /// `concat { … }`.
    Concat {
        /// What is joined to x.
        body: Body,
    },
}

/// `name` or `name(positional, key: value)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// From the name to the closing parenthesis.
    pub span: Span,
    /// What is called.
    pub name: Ident,
    /// The arguments; `None` where there are no parentheses.
    pub args: Option<Vec<Arg>>,
}

impl Call {
    /// The arguments, none where there are no parentheses.
    pub fn args(&self) -> &[Arg] {
        self.args.as_deref().unwrap_or_default()
    }
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The name before `:`.
    pub key: Option<Ident>,
    /// Its value.
    pub value: Expr,
}

/// An expression with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Its place.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A whole number as it is written; it may not fit an `int`.
    Int(String),
    /// A number with a point or an exponent, as it is written.
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
    /// How tightly it binds: see [`BinaryOp::precedence`].
    pub fn precedence(self) -> u8 {
        match self {
            UnaryOp::Not => 3,
            UnaryOp::Negate => 7,
        }
    }

    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Negate => "-",
            UnaryOp::Not => "not ",
        }
    }
}

impl BinaryOp {
    /// How tightly it binds; more is tighter. All are left-associative but `^`.
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

    /// As written.
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
