//! The `vanc` program: everything is in [`vanc::cli`].

fn main() -> std::process::ExitCode {
    vanc::cli::main(std::env::args_os().collect())
}
