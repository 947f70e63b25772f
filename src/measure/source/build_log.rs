//! Build logs to step times.
//!
//! | log | a step begins | and ends |
//! |---|---|---|
//! | BuildKit, plain progress | `#7 [2/4] RUN …` | `#7 DONE 87.5s`: the time that BuildKit itself says; `#7 CACHED` is 0 |
//! | podman, buildah | `STEP 3/5: RUN …`, `[1/2] STEP …`, `COMMIT …` | at the next of these |
//! | docker without BuildKit | `Step 3/5 : RUN …` | at the next, or at `Successfully built` |
//!
//! The latter two print no times, so lines must carry the time at which they arrived: a step whose log a metric reads is
//! run with [`Sink::Timed`](crate::measure::runner::Sink). Parts of BuildKit's export that it times by themselves
//! (`exporting layers 49.8s done`) are steps of their own below `exporting to image`.

use crate::measure::runner;

/// One step of a build.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildStep {
    /// Its text as the log shows it, white space made single.
    pub text: String,
    /// How long it took; `None` when the log does not say.
    pub seconds: Option<f64>,
    /// The step that it is a part of, by index.
    pub part_of: Option<usize>,
}

/// The time in seconds of all steps whose text contains `pattern`. A step and a part of it count once.
pub fn duration(log: &str, end: f64, pattern: &str) -> Result<f64, String> {
    let steps = parse(log, end);
    let wanted = single_spaces(pattern);
    let matches = |step: &BuildStep| step.text.contains(&wanted);
    let mut total = 0.0;
    let mut any = false;
    for step in steps.iter().filter(|s| matches(s)) {
        if step.part_of.is_some_and(|whole| matches(&steps[whole])) {
            continue;
        }
        any = true;
        total += step.seconds.ok_or_else(|| format!("the log does not say how long '{}' took", step.text))?;
    }
    if any {
        return Ok(total);
    }
    if steps.is_empty() {
        return Err(
            "the log shows no build step (it is read as BuildKit with --progress=plain, podman, buildah or docker \
                    print it)"
                .into(),
        );
    }
    let seen: Vec<String> = steps.iter().map(|s| format!("\n  {}", shorten(&s.text))).collect();
    Err(format!("no build step contains '{pattern}'; the log shows:{}", seen.concat()))
}

fn shorten(text: &str) -> String {
    let short: String = text.chars().take(100).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

fn single_spaces(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All steps of a log, in the order in which they begin. Lines may carry their arrival in seconds and a tab before
/// them; `end` is when the log ended.
pub fn parse(log: &str, end: f64) -> Vec<BuildStep> {
    let mut reader = Reader::default();
    for line in log.lines() {
        let (at, text) = stamped(line);
        reader.line(at, &runner::plain(text));
    }
    reader.finish(end)
}

/// A line without the arrival in seconds and the tab before it, and that arrival.
pub fn stamped(line: &str) -> (Option<f64>, &str) {
    match line.split_once('\t').map(|(at, rest)| (at.parse::<f64>(), rest)) {
        Some((Ok(at), rest)) if at.is_finite() => (Some(at), rest),
        _ => (None, line),
    }
}

#[derive(Default)]
struct Reader {
    steps: Vec<BuildStep>,
    /// BuildKit's vertices by number.
    vertices: std::collections::HashMap<u64, usize>,
    /// Steps that are timed by arrival: index, begin, stage.
    marks: Vec<Mark>,
}

struct Mark {
    /// None where something ended and nothing began.
    step: Option<usize>,
    at: Option<f64>,
    stage: String,
}

impl Reader {
    fn line(&mut self, at: Option<f64>, line: &str) {
        if let Some((number, rest)) = buildkit(line) {
            self.buildkit(number, rest);
        } else if let Some((stage, text)) = classic(line) {
            let step = text.map(|text| self.add(text));
            self.marks.push(Mark { step, at, stage });
        }
    }

    fn add(&mut self, text: &str) -> usize {
        self.steps.push(BuildStep { text: single_spaces(text), seconds: None, part_of: None });
        self.steps.len() - 1
    }

    fn buildkit(&mut self, number: u64, rest: &str) {
        // Another build in the same log begins to count again.
        if number == 0 && rest.starts_with("building with") {
            self.vertices.clear();
            return;
        }
        let Some(&vertex) = self.vertices.get(&number) else {
            let step = self.add(rest);
            self.vertices.insert(number, step);
            return;
        };
        if rest == "CACHED" {
            self.steps[vertex].seconds = Some(0.0);
        } else if let Some(seconds) = rest.strip_prefix("DONE ").and_then(seconds) {
            self.steps[vertex].seconds = Some(seconds);
        } else if let Some((what, time)) = rest.strip_suffix(" done").and_then(|r| r.rsplit_once(' ')) {
            // Output of a command begins with its own time; only the builder's words are parts.
            let is_output = what.split(' ').next().is_some_and(|w| w.parse::<f64>().is_ok());
            if let (Some(seconds), false) = (seconds(time), is_output) {
                let part = self.add(what);
                self.steps[part].seconds = Some(seconds);
                self.steps[part].part_of = Some(vertex);
            }
        }
    }

    fn finish(mut self, end: f64) -> Vec<BuildStep> {
        for (i, mark) in self.marks.iter().enumerate() {
            let (Some(step), Some(begin)) = (mark.step, mark.at) else { continue };
            let later = &self.marks[i + 1..];
            // Stages may be built side by side: the next line of the same stage ends a step, the next of any when this
            // was its stage's last.
            let next = later.iter().find(|m| m.stage == mark.stage).or(later.first());
            let until = next.map_or(Some(end), |m| m.at);
            self.steps[step].seconds = until.map(|until| (until - begin).max(0.0));
        }
        self.steps
    }
}

/// `#7 text` -> 7 and the text.
fn buildkit(line: &str) -> Option<(u64, &str)> {
    let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
    Some((number.parse().ok()?, rest.trim()))
}

/// `87.5s` -> 87.5
fn seconds(text: &str) -> Option<f64> {
    text.strip_suffix('s')?.parse::<f64>().ok().filter(|s| s.is_finite() && *s >= 0.0)
}

/// A line at which podman, buildah or docker begin a step, or end the last one: its stage and the step's text.
fn classic(line: &str) -> Option<(String, Option<&str>)> {
    let (stage, rest) = match line.strip_prefix('[').and_then(|l| l.split_once("] ")) {
        Some((stage, rest)) if is_count(stage) => (stage.to_string(), rest),
        _ => (String::new(), line),
    };
    if let Some((count, text)) = rest.strip_prefix("STEP ").and_then(|r| r.split_once(": ")) {
        return is_count(count).then_some((stage, Some(text)));
    }
    if rest.starts_with("COMMIT ") || rest == "COMMIT" {
        return Some((stage, Some(rest)));
    }
    if let Some((count, text)) = rest.strip_prefix("Step ").and_then(|r| r.split_once(" : ")) {
        return is_count(count).then_some((stage, Some(text)));
    }
    let ended = rest.starts_with("Successfully built ") || rest.starts_with("Successfully tagged ");
    ended.then_some((stage, None))
}

/// `3/5`
fn is_count(text: &str) -> bool {
    let number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    text.split_once('/').is_some_and(|(a, b)| number(a) && number(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILDKIT: &str = r#"#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 254B done
#1 DONE 0.0s

#5 [1/4] FROM docker.io/library/python:3.10@sha256:abc
#5 CACHED

#6 [2/4] COPY requirements.txt .
#6 DONE 0.1s

#7 [3/4] RUN pip install   -r requirements.txt
#7 1.203 Collecting flask
#7 ...

#8 [other 1/1] RUN make
#8 0.5 compiling 3.0s done
#8 DONE 12.0s

#7 [3/4] RUN pip install   -r requirements.txt
#7 80.11 Successfully installed flask
#7 DONE 87.5s

#9 exporting to image
#9 exporting layers
#9 exporting layers 49.8s done
#9 writing image sha256:123 done
#9 naming to docker.io/library/app:verdict done
#9 DONE 63.8s
"#;

    #[test]
    fn buildkit_says_its_times_itself() {
        assert_eq!(duration(BUILDKIT, 999.0, "pip install"), Ok(87.5));
        assert_eq!(duration(BUILDKIT, 999.0, "RUN pip  install -r"), Ok(87.5));
        assert_eq!(duration(BUILDKIT, 999.0, "exporting to image"), Ok(63.8));
        assert_eq!(duration(BUILDKIT, 999.0, "exporting layers"), Ok(49.8));
        assert_eq!(duration(BUILDKIT, 999.0, "exporting"), Ok(63.8), "a part is not added to its whole");
        assert_eq!(duration(BUILDKIT, 999.0, "RUN"), Ok(99.5));
        assert_eq!(duration(BUILDKIT, 999.0, "FROM"), Ok(0.0));
    }

    #[test]
    fn a_second_build_in_the_log_counts_from_the_start_again() {
        let log = format!("{BUILDKIT}{}", BUILDKIT.replace("87.5s", "2.5s"));
        assert_eq!(duration(&log, 999.0, "pip install"), Ok(90.0));
    }

    #[test]
    fn a_step_that_never_ended_is_an_error() {
        let log = "#7 [3/4] RUN make\n#7 0.1 working\n";
        assert_eq!(duration(log, 9.0, "make"), Err("the log does not say how long '[3/4] RUN make' took".into()));
    }

    #[test]
    fn podman_and_buildah_steps_are_timed_by_arrival() {
        let log = "0.100000\t[1/2] STEP 1/2: FROM scratch AS build\n\
                   0.200000\t[1/2] STEP 2/2: RUN pip install flask  && echo x\n\
                   1.000000\tCollecting flask\n\
                   2.700000\t--> eb0e0143810\n\
                   2.800000\t[2/2] STEP 1/2: FROM scratch\n\
                   2.900000\t[2/2] STEP 2/2: COPY --from=build /blob /blob\n\
                   3.000000\t[2/2] COMMIT t3\n\
                   4.500000\t--> 846a06383d3\n\
                   4.600000\tSuccessfully tagged localhost/t3:latest\n\
                   4.700000\t846a06383d3a1a4cbcfa0913\n";
        let close = |pattern: &str, expected: f64| {
            let found = duration(log, 5.0, pattern).unwrap();
            assert!((found - expected).abs() < 1e-9, "{pattern}: {found}");
        };
        close("pip install flask && echo", 2.6);
        close("COMMIT", 1.6);
        close("FROM scratch", 0.2);
    }

    #[test]
    fn stages_built_side_by_side_end_at_their_own_next_line() {
        let log = "1.0\t[1/3] STEP 1/2: RUN a\n2.0\t[2/3] STEP 1/2: RUN b\n5.0\t[2/3] STEP 2/2: RUN c\n9.0\t[1/3] STEP 2/2: RUN d\n";
        assert_eq!(duration(log, 10.0, "RUN a"), Ok(8.0));
        assert_eq!(duration(log, 10.0, "RUN b"), Ok(3.0));
        assert_eq!(duration(log, 10.0, "RUN d"), Ok(1.0));
    }

    #[test]
    fn docker_without_buildkit_is_timed_by_arrival() {
        let log = "0.5\tStep 1/2 : FROM python:3.10\n1.5\t ---> 8a2\n2.0\tStep 2/2 : RUN pip install flask\n\
                   2.1\t ---> Running in 1f\n9.0\tSuccessfully built abc\n9.5\tSuccessfully tagged app:verdict\n";
        assert_eq!(duration(log, 10.0, "pip install"), Ok(7.0));
    }

    #[test]
    fn a_log_without_arrival_times_says_so() {
        let log = "STEP 1/2: FROM scratch\nSTEP 2/2: RUN pip install\n";
        assert_eq!(duration(log, 9.0, "FROM"), Err("the log does not say how long 'FROM scratch' took".into()));
    }

    #[test]
    fn when_nothing_matches_the_steps_seen_are_listed() {
        let error = duration(BUILDKIT, 9.0, "npm ci").unwrap_err();
        assert!(error.starts_with("no build step contains 'npm ci'; the log shows:\n  [internal] load"), "{error}");
        assert!(error.contains("\n  [3/4] RUN pip install -r requirements.txt\n"), "{error}");
        assert!(duration("hello\nworld\n", 9.0, "x").unwrap_err().starts_with("the log shows no build step"));
    }

    #[test]
    fn colours_do_not_hide_a_step() {
        assert_eq!(duration("\u{1b}[34m#7 [1/1] RUN make\u{1b}[0m\n#7 DONE 3.0s\n", 9.0, "make"), Ok(3.0));
    }
}
