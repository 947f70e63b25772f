//! The program: parse, dispatch, exit code. Or, when it was started for that, one command from a small process.

fn main() -> std::process::ExitCode {
    git_verdict::measure::launcher::serve().unwrap_or_else(git_verdict::cli::main)
}
