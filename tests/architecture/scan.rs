//! Rust source as tokens, and the `use` declarations among them.

/// A name, `::`, or a sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Name(String),
    Path,
    Sign(char),
}

impl Token {
    pub fn is(&self, name: &str) -> bool {
        matches!(self, Token::Name(own) if own == name)
    }

    pub fn name(&self) -> Option<&str> {
        match self {
            Token::Name(name) => Some(name),
            Token::Path | Token::Sign(_) => None,
        }
    }
}

/// The tokens of `text` without comments, literals and lifetimes.
pub fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut i = 0;
    while let Some(&c) = chars.get(i) {
        let next = chars.get(i + 1).copied().unwrap_or(' ');
        match c {
            '/' if next == '/' => i += chars[i..].iter().take_while(|&&c| c != '\n').count(),
            '/' if next == '*' => i = end_of_comment(&chars, i),
            '"' => i = end_of_string(&chars, i),
            '\'' => i = end_of_quote(&chars, i),
            'r' | 'b' if raw_hashes(&chars, i).is_some() => i = end_of_raw(&chars, i),
            c if is_name(c) => {
                let name: String = chars[i..].iter().take_while(|&&c| is_name(c)).collect();
                i += name.chars().count();
                tokens.push(Token::Name(name));
            }
            ':' if next == ':' => {
                tokens.push(Token::Path);
                i += 2;
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token::Sign(c));
                }
                i += 1;
            }
        }
    }
    tokens
}

fn end_of_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

fn end_of_string(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The end of a character, or of the sign of a lifetime.
fn end_of_quote(chars: &[char], start: usize) -> usize {
    match (chars.get(start + 1), chars.get(start + 2)) {
        (Some('\\'), _) => {
            let rest = chars[start + 3..].iter().take_while(|&&c| c != '\'');
            start + 4 + rest.count()
        }
        (_, Some('\'')) => start + 3,
        _ => start + 1,
    }
}

/// The `#` signs of a raw string that begins here.
fn raw_hashes(chars: &[char], start: usize) -> Option<usize> {
    let before = start.checked_sub(1).and_then(|i| chars.get(i));
    if before.is_some_and(|&c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let marks = chars[start..].iter().take_while(|&&c| c == 'r' || c == 'b');
    let marks = marks.count();
    let hashes = chars[start + marks..].iter().take_while(|&&c| c == '#');
    let hashes = hashes.count();
    let quoted = chars.get(start + marks + hashes) == Some(&'"');
    let raw = chars[start..start + marks].contains(&'r') || hashes == 0;
    (quoted && raw && marks <= 2).then_some(hashes)
}

fn end_of_raw(chars: &[char], start: usize) -> usize {
    let hashes = raw_hashes(chars, start).unwrap_or(0);
    let quote = chars[start..].iter().position(|&c| c == '"').unwrap_or(0) + start;
    if !chars[start..quote].contains(&'r') {
        return end_of_string(chars, quote);
    }
    let ends = |i: &usize| {
        let rest = &chars[i + 1..];
        chars[*i] == '"' && rest.len() >= hashes && rest[..hashes].iter().all(|&c| c == '#')
    };
    let end = (quote + 1..chars.len()).find(ends);
    end.map_or(chars.len(), |end| end + 1 + hashes)
}

/// Leaves out every item that is only there in tests.
pub fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let names = ["cfg", "test"];
    let mark = |at: &[Token]| {
        let signs = [(0, '#'), (1, '['), (3, '('), (5, ')'), (6, ']')];
        let signs = signs.iter().all(|&(i, c)| at[i] == Token::Sign(c));
        signs && at[2].is(names[0]) && at[4].is(names[1])
    };
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if tokens.len() - i >= 7 && mark(&tokens[i..i + 7]) {
            i = end_of_item(&tokens, i + 7);
        } else {
            kept.push(tokens[i].clone());
            i += 1;
        }
    }
    kept
}

/// The end of the item at `start`: its `;`, or its closing brace.
fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(start) {
        match token {
            Token::Sign('{' | '(' | '[') => depth += 1,
            Token::Sign(')' | ']') => depth -= 1,
            Token::Sign('}') if depth == 1 => return i + 1,
            Token::Sign('}') => depth -= 1,
            Token::Sign(';') if depth == 0 => return i + 1,
            Token::Name(_) | Token::Path | Token::Sign(_) => {}
        }
    }
    tokens.len()
}

/// A name that a file imports, and the path that it stands for.
#[derive(Clone, Debug)]
pub struct Import {
    pub name: String,
    pub path: Vec<String>,
    /// Whether it is handed on: `pub use`.
    pub public: bool,
    /// Whether it is everything at the path: `use path::*`.
    pub glob: bool,
}

/// The imports of a file, and its other tokens.
pub fn imports(tokens: &[Token]) -> (Vec<Import>, Vec<Token>) {
    let (mut imports, mut rest) = (Vec::new(), Vec::new());
    let mut i = 0;
    while i < tokens.len() {
        if !tokens[i].is("use") {
            rest.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let public = match rest.last() {
            Some(token) if token.is("pub") => true,
            // `pub(super)`, `pub(crate)`
            Some(Token::Sign(')')) => true,
            _ => false,
        };
        let length = tokens[i..].iter().position(|t| *t == Token::Sign(';'));
        let end = i + length.unwrap_or(tokens.len() - i);
        tree(&tokens[i + 1..end], &[], public, &mut imports);
        i = end + 1;
    }
    (imports, rest)
}

fn tree(tokens: &[Token], before: &[String], public: bool, out: &mut Vec<Import>) {
    let mut path = before.to_vec();
    let mut i = 0;
    while i < tokens.len() {
        match &tokens[i] {
            Token::Name(alias) if i > 0 && tokens[i - 1].is("as") => {
                return out.push(import(alias, path, public, false));
            }
            Token::Name(name) if name == "as" => {}
            Token::Name(name) => path.push(name.clone()),
            Token::Path => {}
            Token::Sign('*') => return out.push(import("*", path, public, true)),
            Token::Sign('{') => {
                let inner = &tokens[i + 1..tokens.len() - 1];
                return branches(inner).for_each(|branch| tree(branch, &path, public, out));
            }
            Token::Sign(_) => {}
        }
        i += 1;
    }
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(last) = path.last().cloned() {
        out.push(import(&last, path, public, false));
    }
}

fn import(name: &str, path: Vec<String>, public: bool, glob: bool) -> Import {
    Import {
        name: name.into(),
        path,
        public,
        glob,
    }
}

/// The parts of a list in braces.
fn branches(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    let mut depth = 0;
    tokens
        .split(move |token| {
            match token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => depth -= 1,
                Token::Name(_) | Token::Path | Token::Sign(_) => {}
            }
            depth == 0 && *token == Token::Sign(',')
        })
        .filter(|branch| !branch.is_empty())
}
