# The formula for a tap. docs/releasing.md says how url and sha256 are set.
class GitVerdict < Formula
  desc "Recorder of optimization decisions: measure, decide, leave the numbers in history"
  homepage "https://git-verdict.example"
  url "https://git-verdict.example/git-verdict-0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build
  depends_on "git"

  def install
    system "cargo", "install", *std_cargo_args
    generate_completions_from_executable(bin/"git-verdict", "completions")
    system bin/"git-verdict", "man", "--dir", man1
    # Git's own completion of fish looks for it here.
    (share/"fish/vendor_conf.d").install "packaging/fish/git-verdict.fish"
  end

  test do
    system "git", "init", "--quiet", "--initial-branch=main"
    system "git", "config", "user.name", "test"
    system "git", "config", "user.email", "test@git-verdict.example"
    (testpath/"app").write "a" * 4000
    system "git", "add", "."
    system "git", "commit", "--quiet", "--message=feat: app"
    (testpath/"app").write "a" * 1000
    system "git", "commit", "--quiet", "--all", "--message=perf: a quarter"
    assert_match "-75.0 %", shell_output("git verdict weigh HEAD~ HEAD --size app")
    assert_match "git-verdict #{version}", shell_output("git verdict --version")
  end
end
