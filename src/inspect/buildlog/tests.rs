use super::*;

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/testdata/inspect/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn near(a: Option<f64>, b: f64) {
    assert!(a.is_some_and(|a| (a - b).abs() < 1e-6), "{a:?} is not {b}");
}

fn step<'a>(log: &'a BuildLog, text: &str) -> &'a BuildStep {
    log.find(text).first().copied().unwrap_or_else(|| panic!("no step '{text}' in {:#?}", log.steps))
}

#[test]
fn the_figures_of_the_original_case_come_out_of_each_buildkit_form() {
    for (name, format) in [
        ("seed-plain.log", LogFormat::BuildKitPlain),
        ("seed-rawjson.log", LogFormat::BuildKitJson),
        ("seed-terminal.log", LogFormat::BuildKitTerminal),
    ] {
        let log = parse_bytes(&data(name));
        assert_eq!(log.format, format);
        assert_eq!(log.partial, None, "{name}");
        near(log.seconds_of("pip install"), 87.5);
        near(log.seconds_of("exporting to image"), 63.8);
        near(log.seconds_of("exporting layers"), 49.8);
        assert_eq!(step(&log, "exporting to image").kind, StepKind::Export);
        let layers = step(&log, "exporting layers");
        assert_eq!(log.steps[layers.parent.unwrap()].name, "exporting to image");
        assert!(step(&log, "WORKDIR").cached(), "{name}");
        assert_eq!(log.seconds_of("WORKDIR"), Some(0.0));
        let pip = step(&log, "pip install");
        assert_eq!((pip.label.as_deref(), pip.text.as_str()), (Some("4/5"), "RUN pip install -r requirements.txt"));
        assert_eq!(pip.title(), "step [4/5] (RUN pip install -r)");
        assert_eq!(log.seconds_of("nothing of the kind"), None);
    }
    let log = parse_bytes(&data("seed-plain.log"));
    near(log.seconds_of("pip: install"), 86.98 - 40.12);
    near(log.seconds_of("pip: build wheels"), 40.12 - 31.52);
    near(log.seconds_of("pip: download"), 31.52 - 1.204);
    near(parse_bytes(&data("seed-terminal.log")).total, 153.1);
    near(parse_bytes(&data("seed-rawjson.log")).total, 153.0);
}

#[test]
fn a_log_wrapped_by_a_ci_service_is_read_all_the_same() {
    let plain = String::from_utf8(data("seed-plain.log")).unwrap();
    let mut wrapped = String::from("2025-03-01T09:59:58.0000000Z ##[group]Run docker build .\r\n");
    for (i, line) in plain.lines().enumerate() {
        wrapped += &format!("2025-03-01T10:{:02}:{:02}.1234567Z \u{1b}[36m{line}\u{1b}[0m\r\n", i / 60, i % 60);
    }
    let (wrapped, plain) = (parse_bytes(wrapped.as_bytes()), parse_bytes(plain.as_bytes()));
    let names = |log: &BuildLog| log.steps.iter().map(|s| (s.name.clone(), s.seconds)).collect::<Vec<_>>();
    assert_eq!(names(&wrapped), names(&plain));
    assert!(wrapped.total.unwrap() > 40.0);
}

#[test]
fn logs_of_real_builders_give_their_steps() {
    let log = parse_bytes(&data("buildkit-multistage.log"));
    assert_eq!((log.format, &log.partial), (LogFormat::BuildKitPlain, &None));
    assert_eq!(log.top().count(), 9);
    let run = step(&log, "rm -rf /root/.cache");
    assert_eq!((run.stage.as_deref(), run.seconds), (Some("stage-1"), Some(0.2)));
    assert_eq!(step(&log, "rm /app/b").stage.as_deref(), Some("build"));

    let log = parse_bytes(&data("buildkit-cached.log"));
    assert_eq!(log.steps.iter().filter(|s| s.cached()).count(), 5);
    assert_eq!(log.partial, None);

    let log = parse_bytes(&data("docker-classic.log"));
    assert_eq!((log.format, log.steps.len(), &log.partial), (LogFormat::DockerClassic, 11, &None));
    assert!(log.steps.iter().all(|s| s.seconds.is_none() && s.outcome == Outcome::Done));

    let log = parse_bytes(&data("podman.log"));
    assert_eq!((log.format, log.steps.len(), &log.partial), (LogFormat::Buildah, 11, &None));
    assert_eq!(step(&log, "rm /app/b").label.as_deref(), Some("1/2 4/4"));
    assert_eq!(step(&log, "COMMIT").kind, StepKind::Export);
}

#[test]
fn a_builder_without_times_gets_them_from_whoever_captured_it() {
    let mut parser = Parser::default();
    for (at, line) in [
        (100.0, "STEP 1/3: FROM scratch"),
        (101.0, "STEP 2/3: COPY a /a"),
        (101.0, "--> Using cache 51a435e9a53"),
        (102.0, "STEP 3/3: RUN pip install x"),
        (103.0, "Collecting x"),
        (110.0, "Installing collected packages: x"),
        (112.5, "Successfully installed x"),
        (113.0, "COMMIT app:1"),
        (119.0, "Successfully tagged localhost/app:1"),
    ] {
        parser.line(Some(at), line.as_bytes());
    }
    let log = parser.finish();
    near(log.seconds_of("RUN pip"), 11.0);
    near(log.seconds_of("COMMIT"), 6.0);
    near(log.seconds_of("pip: download"), 7.0);
    near(log.total, 19.0);
    assert!(step(&log, "COPY").cached());
    assert_eq!(log.partial, None);
}

#[test]
fn kaniko_times_its_steps_and_snapshots() {
    let log = parse_bytes(&data("kaniko.log"));
    assert_eq!((log.format, &log.partial), (LogFormat::Kaniko, &None));
    near(log.seconds_of("Unpacking rootfs"), 13.0);
    near(log.seconds_of("RUN pip install"), 87.0);
    near(log.seconds_of("Pushing image"), 37.0);
    let snapshots: Vec<f64> = log.steps.iter().filter(|s| s.kind == StepKind::Part).filter_map(|s| s.seconds).collect();
    assert_eq!(snapshots, [1.0, 65.0, 22.0, 1.0]);
    near(log.total, 140.0);
}

#[test]
fn cargo_timings_give_a_step_for_each_unit() {
    let log = parse_bytes(&data("cargo-timings.html"));
    assert_eq!((log.format, &log.partial), (LogFormat::CargoTimings, &None));
    near(log.seconds_of("serde 1.0.200"), 7.5);
    near(log.seconds_of("app 0.1.0 app \"bin\""), 22.25);
    near(log.total, 30.25);
    let bytes = data("cargo-timings.html");
    let cut = bytes.windows(3).position(|w| w == b"app").unwrap() + bytes.len() / 3;
    let log = parse_bytes(&bytes[..cut.min(bytes.len() - 200)]);
    near(log.seconds_of("serde 1.0.200"), 7.5);
    assert!(log.partial.is_some());
}

#[test]
fn lines_with_a_time_in_front_last_until_the_next_one() {
    let log = parse_bytes(
        b"00:00:00 make all\n00:00:01 cc -c a.c\n00:00:03 cc -c b.c\n00:00:09 ld -o app\n00:00:10 npm ci\n00:00:40 added 200 packages in 30s\n00:00:41 done\n",
    );
    assert_eq!(log.format, LogFormat::TimedLines);
    near(log.seconds_of("make: compile"), 8.0);
    near(log.seconds_of("make: link"), 1.0);
    near(log.seconds_of("npm: install"), 30.0);
    near(log.total, 41.0);
}

#[test]
fn interleaved_steps_are_told_apart() {
    let log = parse_bytes(
        b"#5 [a 1/1] RUN one\n#5 0.1 x\n#5 ...\n\n#6 [b 1/1] RUN two\n#6 0.2 y\n#6 ...\n\n#5 [a 1/1] RUN one\n#5 9.9 DONE 1.0s\n#5 DONE 10.0s\n\n#6 [b 1/1] RUN two\n#6 DONE 20.5s\n",
    );
    near(log.seconds_of("RUN one"), 10.0);
    near(log.seconds_of("RUN two"), 20.5);
    assert_eq!((log.top().count(), &log.partial), (2, &None));
}

#[test]
fn a_log_cut_anywhere_is_partial_and_never_wrong() {
    for name in
        ["seed-plain.log", "seed-rawjson.log", "seed-terminal.log", "kaniko.log", "docker-classic.log", "podman.log"]
    {
        let whole = data(name);
        let all = parse_bytes(&whole);
        for cut in (0..whole.len()).step_by(7) {
            let log = parse_bytes(&whole[..cut]);
            if let Some(s) = log.seconds_of("pip install").filter(|_| !name.contains("terminal")) {
                assert_eq!(Some(s), all.seconds_of("pip install"), "{name} cut at {cut}");
            }
            if cut > 100 && log.partial.is_none() && !name.contains("terminal") {
                assert!(log.steps.iter().all(|s| s.outcome != Outcome::Unfinished), "{name} cut at {cut}");
            }
        }
        // The front is missing.
        for cut in (1..whole.len()).step_by(13) {
            parse_bytes(&whole[cut..]);
        }
    }
    let log = parse_bytes(b"#5 [1/1] RUN x\n#5 0.1 hello\n");
    assert_eq!(*log.partial.as_ref().unwrap(), "it ends before '[1/1] RUN x' does");
    assert_eq!(log.seconds_of("RUN x"), None);
    let log = parse_bytes(b"#5 12.1 hello\n#5 DONE 14.0s\n");
    assert_eq!(log.steps[0].seconds, Some(14.0));
    assert!(log.steps[0].name.contains("missing"));
}

#[test]
fn a_failed_step_says_why_and_cancels_the_others() {
    let log = parse_bytes(
        b"#5 [1/2] RUN x\n#6 [2/2] RUN y\n#5 ERROR: process \"/bin/sh -c x\" did not complete successfully: exit code: 1\n",
    );
    assert!(matches!(&step(&log, "RUN x").outcome, Outcome::Failed(why) if why.contains("exit code: 1")));
    assert_eq!(step(&log, "RUN y").outcome, Outcome::Canceled);
}

#[test]
fn text_that_is_no_log_is_said_to_be_none() {
    let log = parse_bytes(b"hello\nworld\n\xff\xfe\n");
    assert_eq!((log.format, log.steps.len()), (LogFormat::Unknown, 0));
    assert!(log.partial.is_some());
    assert_eq!(parse_bytes(b"").steps.len(), 0);
}

#[test]
fn one_endless_line_takes_bounded_memory() {
    let reader = std::io::BufReader::new(std::io::Read::take(std::io::repeat(b'x'), 40 << 20));
    let log = parse(reader).unwrap();
    assert!(log.partial.is_some());
}
