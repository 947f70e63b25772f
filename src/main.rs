//! The program: parse, dispatch, exit code.

fn main() -> std::process::ExitCode {
    git_verdict::cli::main()
}
