//! The settings that a network is trained with, as a section of a file.

use crate::ir::Train;

/// Columns where there is no terminal.
const WIDTH: usize = 80;

/// Writes `train { … }` with every setting and every argument; a call that is too long for a line
/// has one argument a line. It fits a terminal of `room` columns.
pub fn train_section(train: &Train, room: Option<usize>) -> String {
    let width = room.unwrap_or(WIDTH);
    let mut out = "train {\n".to_string();
    for setting in train.written() {
        let line = format!("    {}: {}\n", setting.key, setting.value());
        if line.chars().count() <= width {
            out.push_str(&line);
            continue;
        }
        out.push_str(&format!("    {}: {}(\n", setting.key, setting.name));
        for argument in &setting.arguments {
            out.push_str(&format!("        {argument},\n"));
        }
        out.push_str("    )\n");
    }
    out + "}\n"
}
