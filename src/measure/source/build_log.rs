//! The time of build steps, from the log of a step.
//!
//! Logs are read by [`crate::inspect::buildlog`], in all the forms that it knows. podman, buildah and docker without
//! BuildKit print no times, so lines must carry the time at which they arrived: a step whose log a metric reads is run with
//! [`Sink::Timed`](crate::measure::runner::Sink). Parts that a builder times by themselves (`exporting layers 49.8s done`) are
//! steps of their own below the whole one.

use crate::inspect::buildlog::{BuildLog, BuildStep, LogFormat, Parser, StepKind};
use crate::inspect::dockerfile::one_line;

/// Names of steps that an error lists.
const MAX_LISTED: usize = 40;

/// The time in seconds of all steps whose text contains `pattern`. A step and a part of it count once.
pub fn duration(log: &str, end: f64, pattern: &str) -> Result<f64, String> {
    let log = read(log, Some(end));
    // A line of an unknown tool lasts until the next one, which is no time of a step.
    let mut found = log.find(pattern);
    found.retain(|step| step.kind != StepKind::Line);
    let shown = |step: &BuildStep| match log.format {
        LogFormat::DockerClassic | LogFormat::Buildah | LogFormat::Kaniko => one_line(&step.text),
        _ => one_line(&step.name),
    };
    if !found.is_empty() {
        let seconds = |step: &BuildStep| {
            let time = step.seconds.or_else(|| step.cached().then_some(0.0));
            time.ok_or_else(|| {
                let name = shown(step);
                format!("the log does not say how long '{name}' took")
            })
        };
        return found.into_iter().map(seconds).sum();
    }
    let steps: Vec<&BuildStep> = log.steps.iter().filter(|step| step.kind != StepKind::Line).collect();
    if steps.is_empty() {
        return Err("the log shows no build step (it is read as BuildKit with --progress=plain or rawjson, podman, \
                    buildah, docker and kaniko print it)"
            .into());
    }
    let mut seen: String = steps.iter().take(MAX_LISTED).map(|s| format!("\n  {}", shorten(&shown(s)))).collect();
    if steps.len() > MAX_LISTED {
        seen.push_str(&format!("\n  … ({})", steps.len()));
    }
    Err(format!("no build step contains '{pattern}'; the log shows:{seen}"))
}

fn shorten(text: &str) -> String {
    let short: String = text.chars().take(100).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

/// The steps of a log whose lines may carry their arrival in seconds and a tab before them; `end` is when it ended.
pub fn read(log: &str, end: Option<f64>) -> BuildLog {
    let mut parser = Parser::default();
    for line in log.lines() {
        let (at, text) = stamped(line);
        parser.line(at, text.as_bytes());
    }
    parser.finish_at(end)
}

/// A line without the arrival in seconds and the tab before it, and that arrival.
fn stamped(line: &str) -> (Option<f64>, &str) {
    match line.split_once('\t').map(|(at, rest)| (at.parse::<f64>(), rest)) {
        Some((Ok(at), rest)) if at.is_finite() => (Some(at), rest),
        _ => (None, line),
    }
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

    #[test]
    fn every_form_of_a_log_that_is_known_gives_its_steps() {
        let data = |name: &str| {
            let path = format!("{}/testdata/inspect/{name}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap()
        };
        let close = |name: &str, pattern: &str, expected: f64| {
            let found = duration(&data(name), 999.0, pattern).unwrap();
            assert!((found - expected).abs() < 1e-6, "{name}: {pattern}: {found}");
        };
        for name in ["seed-plain.log", "seed-rawjson.log", "seed-terminal.log"] {
            close(name, "pip install", 87.5);
            close(name, "exporting to image", 63.8);
            close(name, "exporting layers", 49.8);
        }
        close("kaniko.log", "RUN pip install", 87.0);
    }

    #[test]
    fn phases_of_a_tool_have_times_and_its_lines_have_none() {
        let log = "0.1\t$ make all\n0.5\tgcc -c a.c\n2.0\tgcc -c b.c\n3.5\tld -o app\n";
        assert_eq!(duration(log, 4.0, "make: compile"), Ok(3.0));
        assert_eq!(duration(log, 4.0, "make: link"), Ok(0.5));
        assert!(duration(log, 4.0, "$ make all").unwrap_err().contains("the log shows:\n  make: compile"));
    }
}
