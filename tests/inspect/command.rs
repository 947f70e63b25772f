//! `git verdict inspect` through the built binary.

use super::*;
use crate::common::{Dockerd, Repo, Storage, finish, isolated, schemas, skip, works};
use serde_json::Value;

/// Every line of a text for people, which must fit 80 columns.
#[track_caller]
fn fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}\n{text}", line.chars().count());
    }
}

/// The object that the command prints, which must be as its schema says.
#[track_caller]
fn inspected(repo: &Repo, words: &[&str]) -> Value {
    let ran = repo.ok(&[words, &["--json"]].concat());
    assert_eq!(schemas::hold(&ran.line, &ran.stdout), ["inspect"]);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn put(repo: &Repo, name: &str, files: &[(String, Vec<u8>)]) {
    repo.write(name, archive(files));
}

#[track_caller]
fn adds_up(change: &Value) {
    let of = |value: &Value| value.as_i64().unwrap();
    let rows: i64 = change["rows"].as_array().unwrap().iter().map(|row| of(&row["change"])).sum();
    assert_eq!(rows + of(&change["unexplained"]), of(&change["after"]) - of(&change["before"]), "{change:#}");
    assert!(change["unexplained"] == 0 || !change["unexplained_as"].as_str().unwrap().is_empty());
}

#[test]
fn an_image_is_laid_open_with_its_layers_their_waste_and_their_sizes() {
    let repo = Repo::empty();
    put(&repo, "app.tar", &docker_files(&three_layers()));
    let text = repo.ok(&["inspect", "app.tar"]).stdout;
    fits(&text);
    for part in [
        "app.tar: image, docker-archive, linux/amd64, 3 layers",
        "wasted",
        "79.7 % of the files",
        "RUN step 1",
        "Wasted: 10.0 kB",
        "4.0 kB      1   3  deleted      /cache/x",
        "2.0 kB      1   2  rewritten    /app/b",
        "1.0 kB      1   2  overwritten  /app/a",
    ] {
        assert!(text.contains(part), "no '{part}' in\n{text}");
    }
    let json = inspected(&repo, &["inspect", "app.tar"]);
    assert_eq!((&json["schema"], &json["version"]), (&"git-verdict/inspect".into(), &1.into()));
    let sizes = &json["image"]["sizes"];
    assert_eq!((&sizes["files"], &sizes["visible"], &sizes["wasted"]), (&12550.into(), &2550.into(), &10000.into()));
    assert_eq!(json["image"]["layers"][1]["unique"], 2500);
    assert_eq!(json["image"]["wasted_files"], 4);
    let short = repo.ok(&["inspect", "app.tar", "--top", "1"]).stdout;
    assert!(short.contains("6.0 kB                      3 more files"), "{short}");
}

#[test]
fn a_change_between_two_artefacts_of_each_kind_adds_up_to_the_byte() {
    let repo = Repo::empty();
    let mut layers = three_layers();
    put(&repo, "old.tar", &docker_files(&layers));
    layers.push(tarball(&[Item::File(b"more", &[7; 7000], 0o644)]));
    put(&repo, "new.tar", &docker_files(&layers));
    let zipped = |layers: &[Vec<u8>]| layout(layers, Compression::Gzip, &["amd64"]);
    folder(&zipped(&layers[..3]), &repo.path().join("old.oci"));
    folder(&zipped(&layers), &repo.path().join("new.oci"));
    repo.write("old.tgz", pack(&tarball(&[Item::File(b"a", &[1; 900], 0o644)]), Compression::Gzip));
    repo.write("new.tgz", pack(&tarball(&[Item::File(b"b", &[2; 90], 0o644)]), Compression::Gzip));
    repo.write("old/a", "12345");
    repo.write("new/sub/b", "123456789");
    repo.write("old.log", "#1 [1/2] RUN make\n#1 DONE 10.0s\n#2 exporting to image\n#2 DONE 1.0s\n");
    repo.write("new.log", "#1 [1/2] RUN make\n#1 DONE 3.5s\n#2 exporting to image\n#2 DONE 1.0s\n");
    let file_size = |name: &str| std::fs::metadata(repo.path().join(name)).unwrap().len() as i64;
    let engine =
        |name: &str| inspected(&repo, &["inspect", "--platform", "amd64", name])["image"]["sizes"]["stored"].clone();
    for (old, new, kind, whole) in [
        ("old.tar", "new.tar", "image", None),
        ("old.oci", "new.oci", "image", None),
        ("old.tgz", "new.tgz", "archive", Some((file_size("old.tgz"), file_size("new.tgz")))),
        ("old", "new", "folder", Some((5, 9))),
        ("/bin/true", "/bin/sh", "binary", Some((file_size("/bin/true"), file_size("/bin/sh")))),
        ("old.log", "new.log", "log", Some((11_000_000, 4_500_000))),
    ] {
        let json = inspected(&repo, &["inspect", "--platform", "amd64", new, "--against", old]);
        assert_eq!(json["kind"], kind);
        let change = &json["against"];
        adds_up(change);
        if let Some((before, after)) = whole {
            assert_eq!((&change["before"], &change["after"]), (&before.into(), &after.into()), "{kind}");
        }
        let text = repo.ok(&["inspect", "--platform", "amd64", new, "--against", old]).stdout;
        fits(&text);
        assert!(text.contains(&format!("Against {old}: what changed, where")) && text.contains("in all"), "{text}");
    }
    for size in ["stored", "uncompressed", "files"] {
        let words = ["inspect", "--platform", "amd64", "new.oci", "--against", "old.oci", "--size", size];
        adds_up(&inspected(&repo, &words)["against"]);
    }
    assert!(engine("new.tar").as_i64() > engine("old.tar").as_i64());
    let mixed = inspected(&repo, &["inspect", "--platform", "amd64", "new.oci", "--against", "old.tar"]);
    adds_up(&mixed["against"]);
    assert_eq!(mixed["against"]["rows"].as_array().unwrap().len(), 1, "of differing compression, tar streams count");
    let log = repo.ok(&["inspect", "--log", "new.log", "--against", "old.log"]);
    log.prints(&["-6.50 s  step [1/2] (RUN make)", "in short: -6.5 s from step [1/2] (RUN make)"]);
    let both = repo.ok(&["inspect", "new", "--log", "new.log", "--against", "old.log"]);
    both.prints(&["new: folder", "-6.50 s  step [1/2] (RUN make)"]);
}

#[test]
fn a_git_directory_and_its_growth_are_taken_apart() {
    let repo = Repo::with(&[("a", "one\n")]);
    let bare = repo.path().join("before.git").display().to_string();
    repo.git(&["clone", "--quiet", "--bare", "--no-local", ".", &bare]);
    repo.write("b", "x".repeat(5000));
    repo.commit("feat: more");
    let json = inspected(&repo, &["inspect", ".git", "--against", "before.git"]);
    assert_eq!(json["kind"], "git");
    adds_up(&json["against"]);
    let parts = json["git"]["parts"].as_array().unwrap();
    let sum: i64 = parts.iter().map(|part| part["bytes"].as_i64().unwrap()).sum();
    assert_eq!(json["git"]["bytes"], sum);
    fits(&repo.ok(&["inspect", ".git"]).prints(&[".git: git directory", "loose objects"]).stdout);
}

#[test]
fn the_figures_of_the_original_case_come_out_of_each_form_of_its_log() {
    let repo = Repo::with(&[(
        "Dockerfile",
        "FROM tiangolo/uwsgi-nginx-flask:python3.10\nWORKDIR /app\nCOPY requirements.txt .\n\nRUN pip install -r requirements.txt\nCOPY . .\n",
    )]);
    for name in ["seed-plain.log", "seed-rawjson.log", "seed-terminal.log"] {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/inspect").join(name);
        repo.write("build.log", std::fs::read(data).unwrap());
        let json = inspected(&repo, &["inspect", "build.log"]);
        let steps = json["log"]["steps"].as_array().unwrap();
        let step = |text: &str| steps.iter().find(|s| s["name"].as_str().unwrap().contains(text)).unwrap();
        let close = |text: &str, time: f64| {
            let found = step(text)["seconds"].as_f64().unwrap();
            assert!((found - time).abs() < 1e-6, "{name}: {text}: {found}");
        };
        close("pip install", 87.5);
        close("exporting to image", 63.8);
        close("exporting layers", 49.8);
        assert_eq!(step("WORKDIR")["outcome"], "cached", "{name}");
        assert_eq!(step("pip install")["source"]["first"], 5, "{name}");
        let text = repo.ok(&["inspect", "--log", "build.log"]).stdout;
        fits(&text);
        for part in ["87.50 s     5  [4/5] RUN pip install -r requirements.txt", "63.80 s", "49.80 s", "cached     2"] {
            assert!(text.contains(part), "{name}: no '{part}' in\n{text}");
        }
    }
}

#[test]
fn every_known_cache_comes_with_its_fix_and_a_line_that_starts_an_experiment() {
    let repo = Repo::with(&[("a", "one\n")]);
    let caches: [(&[u8], &str, &str); 14] = [
        (b"root/.cache/pip/http-v2/a", "pip", "--no-cache-dir"),
        (b"root/.cache/uv/wheels-v5/a", "uv", "--no-cache"),
        (b"root/.cache/pypoetry/artifacts/a", "poetry", "pypoetry/artifacts"),
        (b"var/lib/apt/lists/a_Packages", "apt", "apt-get clean"),
        (b"var/cache/apk/APKINDEX.a.tar.gz", "apk", "apk add --no-cache"),
        (b"var/cache/dnf/a.solv", "dnf", "dnf clean all"),
        (b"root/.npm/_cacache/content-v2/a", "npm", "npm cache clean --force"),
        (b"usr/local/share/.cache/yarn/v6/a", "yarn", "yarn cache clean"),
        (b"root/.local/share/pnpm/store/v3/a", "pnpm", "--mount=type=cache"),
        (b"usr/local/cargo/registry/cache/a", "cargo", "--mount=type=cache"),
        (b"root/.cache/go-build/00/a", "go", "go clean -cache -modcache"),
        (b"opt/conda/pkgs/a.conda", "conda", "conda clean -afy"),
        (b"usr/lib/python3/__pycache__/a.pyc", "__pycache__", "PYTHONDONTWRITEBYTECODE"),
        (b"srv/target/debug/a", "cargo target", "copy the binary out"),
    ];
    let mut items: Vec<Item<'_>> = caches.iter().map(|c| Item::File(c.0, &[1; 2000], 0o644)).collect();
    items.push(Item::File(b"opt/conda/conda-meta/history", b"", 0o644));
    items.push(Item::File(b"srv/target/.rustc_info.json", b"", 0o644));
    put(&repo, "app.tar", &docker_files(&[tarball(&items)]));
    let json = inspected(&repo, &["inspect", "app.tar", "--top", "0"]);
    let found = json["caches"].as_array().unwrap();
    assert_eq!(found.len(), caches.len(), "{found:#?}");
    for (_, tool, fix) in caches {
        let cache = found.iter().find(|c| c["tool"] == tool).unwrap_or_else(|| panic!("no {tool} in {found:#?}"));
        assert!(cache["fix"].as_str().unwrap().contains(fix), "{cache}");
        assert_eq!((&cache["bytes"], &cache["layer"]), (&2000.into(), &1.into()));
    }
    let text = repo.ok(&["inspect", "app.tar", "--top", "0"]).stdout;
    fits(&text);
    // The lines of the text, pasted into a shell, open the experiments.
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let mut script = String::from("set -e\n");
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("git verdict start")) {
        let more = if line.ends_with('\\') { lines[i + 1] } else { "" };
        script += &format!("{line}\n{more}\ngit checkout -q main\n");
    }
    let bin = Path::new(env!("CARGO_BIN_EXE_git-verdict")).parent().unwrap();
    let mut shell = isolated("sh");
    shell.args(["-c", &script]).current_dir(repo.path());
    shell.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    let ran = finish(shell, None);
    assert_eq!(ran.code, Some(0), "{}", ran.report());
    let opened = repo.json(&["log", "--all"]);
    let names: Vec<&str> = found.iter().map(|c| c["start"].as_str().unwrap().split(' ').nth(3).unwrap()).collect();
    let list = opened.to_string();
    for name in &names {
        assert!(list.contains(&format!("\"{name}\"")), "{name} is not in {list}");
    }
    let pip = repo.json(&["show", "no-pip-cache"]).to_string();
    assert!(pip.contains("pip install --no-cache-dir: 2.0 kB less in layer 1"), "{pip}");
}

#[test]
fn names_in_an_artefact_never_reach_the_terminal_or_the_line_to_paste_as_they_are() {
    let repo = Repo::empty();
    let name = b"$(touch pwned)/`touch pwned`\x1b[31m/.cache/pip/x";
    let layers =
        [tarball(&[Item::File(name, &[1; 4000], 0o644)]), tarball(&[Item::File(b".wh.$(touch pwned)", b"", 0)])];
    put(&repo, "app.tar", &docker_files(&layers));
    let ran = repo.ok(&["inspect", "app.tar"]);
    assert!(!ran.stdout.contains('\x1b'), "{}", ran.stdout);
    fits(&ran.stdout);
    let line = inspected(&repo, &["inspect", "app.tar"])["caches"][0]["start"].as_str().unwrap().to_string();
    assert_eq!(
        line,
        "git verdict start no-pip-cache --hypothesis \"pip install --no-cache-dir: 4.0 kB less in layer 1\""
    );
}

#[test]
fn what_cannot_be_inspected_says_what_why_and_what_next() {
    let mut repo = Repo::with(&[("text", "hello\n"), ("verdict/Dockerfile", "# nothing\n")]);
    let mut pe = b"MZ".to_vec();
    pe.resize(60, 0);
    pe.extend_from_slice(&[0x80, 0, 0, 0]);
    pe.resize(0x80, 0);
    pe.extend_from_slice(b"PE\0\0");
    repo.write("app.exe", pe);
    repo.write("app.macho", [0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1, 3, 0, 0, 0]);
    repo.expect(2, &["inspect"]).says(&["<TARGET>"]);
    repo.expect(2, &["inspect", ""]).says(&["this is no name of anything"]);
    repo.expect(2, &["inspect", "./missing"]).says(&["./missing", "No such file"]);
    repo.expect(2, &["inspect", "text"]).says(&["text: this is no image, archive, ELF binary or build log"]);
    repo.expect(2, &["inspect", "app.exe"]).says(&["this is a PE binary", "read from ELF files only"]);
    repo.expect(2, &["inspect", "app.macho"]).says(&["this is a Mach-O binary"]);
    repo.expect(2, &["inspect", "verdict", "--against", "/bin/sh"]).says(&["a second folder", "cannot be compared"]);
    repo.expect(2, &["inspect", "--log", "missing.log"]).says(&["missing.log"]);
    put(&repo, "app.tar", &docker_files(&three_layers()));
    repo.expect(2, &["inspect", "app.tar", "--dockerfile", "verdict/Dockerfile"]).says(&["holds no instruction"]);
    repo.write("Dockerfile", "FROM x AS build\n");
    let words = ["inspect", "app.tar", "--dockerfile", "Dockerfile", "--stage", "other"];
    repo.expect(2, &words).says(&["has no stage 'other'", "build"]);
    repo.expect(2, &["inspect", "docker-archive:app.tar:other:2"]).says(&["no image 'other:2', but app:1"]);
    repo.set("VERDICT_ENGINE", "no-engine");
    repo.expect(2, &["inspect", "no-image:1"]).says(&["VERDICT_ENGINE", "docker, podman or buildah"]);
    repo.set("VERDICT_ENGINE", "");
    repo.set("PATH", "/nonexistent");
    repo.expect(2, &["inspect", "no-image:1"]).says(&["there is no image 'no-image:1'", "podman: not installed"]);
    let json = repo.run(&["inspect", "text", "--json"]);
    let error: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&error["schema"], json.code), (&"git-verdict/error".into(), Some(2)));
}

#[test]
fn bad_input_is_a_clear_error_or_a_marked_part_and_nothing_is_written() {
    let repo = Repo::empty();
    let layers = three_layers();
    let whole = archive(&docker_files(&layers));
    repo.write("cut.tar", &whole[..whole.len() / 2]);
    let oci = layout(&layers, Compression::Gzip, &["amd64"]);
    let zipped = pack(&archive(&oci), Compression::Gzip);
    repo.write("cut.tar.gz", &zipped[..zipped.len() * 2 / 3]);
    let mut wrong = docker_files(&layers);
    let position = wrong[1].1.iter().position(|&b| b == 9).unwrap();
    wrong[1].1[position] = 8;
    put(&repo, "wrong.tar", &wrong);
    let odd = tarball(&[
        Item::File(b"../../escaped-by-test", b"x", 0o644),
        Item::File(b"/etc/absolute-by-test", b"yy", 0o644),
        Item::Device(b"dev/null0"),
        Item::Link(b"a", b"b", tar::EntryType::Symlink),
        Item::Link(b"b", b"a", tar::EntryType::Symlink),
        Item::File(b"caf\xe9/\xff\xfe", b"zzz", 0o644),
    ]);
    put(&repo, "odd.tar", &docker_files(&[odd]));
    put(&repo, "bomb.tar", &docker_files(&[bomb(10 << 30)]));
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/inspect/seed-plain.log");
    let log = std::fs::read(log).unwrap();
    repo.write("cut.log", &log[..log.len() / 2]);
    std::os::unix::fs::symlink("loop", repo.path().join("loop")).unwrap();
    repo.write("tree/.keep", "");
    std::os::unix::fs::symlink("..", repo.path().join("tree/up")).unwrap();
    let before = repo.snapshot();
    for (name, partial, said) in [
        ("wrong.tar", false, "wrong diff id"),
        ("odd.tar", false, "'..' in the path"),
        ("odd.tar", false, "absolute path"),
        ("odd.tar", false, "for devices"),
        ("bomb.tar", true, "more than 200 times"),
        ("cut.log", true, "it ends before"),
        ("tree", false, "tree: folder, 0 B in 1 file and 1 folder"),
    ] {
        let ran = repo.ok(&["inspect", name]);
        fits(&ran.stdout);
        // Long lines are wrapped.
        let text = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(said), "no '{said}' in\n{}", ran.report());
        assert_eq!(inspected(&repo, &["inspect", name])["partial"], partial, "{name}");
    }
    for name in ["cut.tar", "cut.tar.gz"] {
        let ran = repo.run(&["inspect", name]);
        match ran.code {
            Some(0) => assert_eq!(inspected(&repo, &["inspect", name])["partial"], true, "{}", ran.report()),
            code => assert!(code == Some(2) && ran.stderr.contains("error: "), "{}", ran.report()),
        }
    }
    repo.expect(2, &["inspect", "./loop"]).says(&["loop", "symbolic links"]);
    assert_eq!(repo.snapshot(), before);
    assert!(!Path::new("/etc/absolute-by-test").exists());
}

// Real engines.

/// Build arguments and a shell of its own, which builders write into the history in ways of their own.
const ARGUMENTS: &str = "\
# syntax is that of any builder
ARG FIRST=app
FROM scratch AS build
ARG NAME=app
COPY busybox /bin/busybox
SHELL [\"/bin/busybox\", \"sh\", \"-c\"]
RUN /bin/busybox mkdir -p /tmp /$NAME && \\
    # a comment within
    /bin/busybox echo $NAME > /$NAME/name
FROM build
ARG NAME=other
RUN /bin/busybox echo $NAME > /last
";

#[track_caller]
fn finds_arguments(repo: &Repo, target: &str) {
    let json = inspected(repo, &["inspect", target, "--dockerfile", "context/Arguments"]);
    let layers = json["image"]["layers"].as_array().unwrap();
    let line = |l: &Value, key: &str| l["source"][key].as_u64().unwrap_or(0);
    let lines: Vec<(u64, u64)> = layers.iter().map(|l| (line(l, "first"), line(l, "last"))).collect();
    assert_eq!(lines, [(5, 5), (7, 9), (12, 12)], "{json:#}");
}

fn context(repo: &Repo) -> Option<&'static str> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|p| Path::new(p).exists())?;
    std::fs::create_dir_all(repo.path().join("context")).unwrap();
    std::fs::copy(busybox, repo.path().join("context/busybox")).unwrap();
    repo.write("context/Dockerfile", CONTAINERFILE);
    // The second one leaves no cache behind.
    let second = CONTAINERFILE.replace("head -c 300000 /dev/zero > /root/.cache/pip/wheel && ", "");
    repo.write("context/Second", second);
    repo.write("context/Arguments", ARGUMENTS);
    Some(busybox)
}

#[track_caller]
fn lies_open(repo: &Repo, target: &str, engine: Option<(&str, u64)>) -> Value {
    let words = ["inspect", target, "--dockerfile", "context/Dockerfile"];
    let json = inspected(repo, &words);
    let layers = json["image"]["layers"].as_array().unwrap();
    let lines: Vec<u64> = layers.iter().map(|l| l["source"]["first"].as_u64().unwrap_or(0)).collect();
    assert_eq!(lines, [2, 3, 4, 9], "{json:#}");
    assert_eq!(json["image"]["wasted"][0]["path"], "/root/.cache/pip/wheel", "{json:#}");
    assert_eq!(json["image"]["wasted"][0]["how"], "deleted", "{json:#}");
    assert_eq!(json["caches"][0]["tool"], "pip", "{json:#}");
    if let Some((name, printed)) = engine {
        assert_eq!((&json["image"]["engine"], &json["image"]["sizes"]["engine"]), (&name.into(), &printed.into()));
        let text = repo.ok(&words).stdout;
        fits(&text);
        let start = "git verdict start no-pip-cache \\\n    --hypothesis \"pip install --no-cache-dir: 300.0 kB";
        assert!(text.contains(start) && text.contains(&format!("{name} says")), "{text}");
    }
    json
}

#[test]
fn images_of_podman_and_buildah_are_laid_open_by_reference_and_as_saved() {
    let mut repo = Repo::empty();
    if !works("podman", &["--version"]) {
        return skip("no engine: podman is not there");
    }
    let Some(_) = context(&repo) else { return skip("no engine: no static busybox to build with") };
    let store = tempfile::tempdir().unwrap();
    let storage = Storage::new(store.path());
    repo.set("CONTAINERS_STORAGE_CONF", storage.config.display().to_string());
    let build = |name: &str, file: &str| {
        let folder = repo.path().join("context").display().to_string();
        let file = format!("{folder}/{file}");
        // The OCI format knows no SHELL.
        let format = if file.ends_with("Arguments") { "docker" } else { "oci" };
        let words = ["build", "--isolation=chroot", "--layers", "--format", format, "-t", name, "-f", &file, &folder];
        storage.podman(&words)
    };
    let log = build("localhost/app:1", "Dockerfile");
    build("localhost/app:2", "Second");
    build("localhost/app:3", "Arguments");
    let size = |name: &str| -> u64 {
        storage.podman(&["image", "inspect", "--format", "{{.Size}}", name]).trim().parse().unwrap()
    };
    let json = lies_open(&repo, "podman:localhost/app:1", Some(("podman", size("localhost/app:1"))));
    // podman counts the tar streams and a little metadata.
    let beyond = size("localhost/app:1") - json["image"]["sizes"]["uncompressed"].as_u64().unwrap();
    assert!(beyond < 20_000, "{beyond}");
    for format in ["docker-archive", "oci-archive", "oci-dir", "docker-dir"] {
        let out = repo.path().join(format).display().to_string();
        storage.podman(&["save", "-q", "--format", format, "-o", &out, "localhost/app:1"]);
        let saved = lies_open(&repo, format, None);
        for key in ["file_bytes", "unique", "uncompressed"] {
            assert_eq!(saved["image"]["layers"][1][key], json["image"]["layers"][1][key], "{format}: {key}");
        }
    }
    finds_arguments(&repo, "podman:localhost/app:3");
    if works("buildah", &["--version"]) {
        lies_open(&repo, "buildah:localhost/app:1", None);
        let mut images = isolated("buildah");
        images.args(["images", "--format", "{{.Size}}", "localhost/app:1"]);
        images.env("CONTAINERS_STORAGE_CONF", &storage.config);
        let printed = finish(images, None);
        let megabytes: f64 = printed.stdout.trim().trim_end_matches(" MB").parse().unwrap();
        let ours = json["image"]["sizes"]["uncompressed"].as_f64().unwrap() / 1e6;
        assert!((megabytes - ours).abs() < 0.02, "buildah prints {}", printed.stdout);
    } else {
        skip("no engine: buildah is not there");
    }
    let change = inspected(&repo, &["inspect", "podman:localhost/app:2", "--against", "podman:localhost/app:1"]);
    adds_up(&change["against"]);
    let totals = (&change["against"]["before"], &change["against"]["after"]);
    assert_eq!(totals, (&size("localhost/app:1").into(), &size("localhost/app:2").into()));
    assert!(change["against"]["reason"].as_str().unwrap().contains("from layer 2"), "{change}");
    repo.write("build.log", log);
    let words = ["inspect", "--log", "build.log", "--dockerfile", "context/Dockerfile"];
    repo.ok(&words).prints(&["build log, buildah", "rm -rf /root/.cache"]);
}

#[test]
fn images_and_logs_of_docker_are_laid_open_by_reference_and_as_saved() {
    let mut repo = Repo::empty();
    let Some(_) = context(&repo) else { return skip("no engine: no static busybox to build with") };
    let docker = match Dockerd::start() {
        Ok(docker) => docker,
        Err(why) => return skip(&format!("no engine: {why}")),
    };
    repo.set("DOCKER_HOST", docker.host());
    let folder = repo.path().join("context").display().to_string();
    let build = |name: &str, file: &str, buildkit: bool| {
        let file = format!("{folder}/{file}");
        let mut command = docker.command(&["build", "--network=none", "-t", name, "-f", &file]);
        if buildkit {
            command.arg("--progress=plain");
        }
        command.arg(&folder).env("DOCKER_BUILDKIT", if buildkit { "1" } else { "0" });
        finish(command, None)
    };
    let classic = build("app:classic", "Dockerfile", false);
    assert_eq!(classic.code, Some(0), "{}", classic.report());
    let size = |name: &str| -> u64 {
        docker.docker(&["image", "inspect", "--format", "{{.Size}}", name]).trim().parse().unwrap()
    };
    let driver = docker.docker(&["info", "--format", "{{.DriverStatus}}"]);
    let agrees = |name: &str| {
        let json = lies_open(&repo, &format!("docker:{name}"), Some(("docker", size(name))));
        let saved = format!("{name}.tar").replace(':', "-");
        docker.docker(&["save", "-o", &repo.path().join(&saved).display().to_string(), name]);
        let same = lies_open(&repo, &saved, None);
        assert_eq!(same["image"]["sizes"]["files"], json["image"]["sizes"]["files"]);
        if !driver.contains("containerd") {
            // The classic builder counts the targets of symbolic links, too.
            let image = image::read(&repo.path().join(&saved), &Options::default()).unwrap();
            let counted = [image.file_bytes(), image.file_bytes() + image.link_bytes()];
            assert!(counted.contains(&size(name)), "docker says {}, the files have {counted:?}", size(name));
        }
    };
    agrees("app:classic");
    let arguments = build("app:arguments", "Arguments", false);
    assert_eq!(arguments.code, Some(0), "{}", arguments.report());
    finds_arguments(&repo, "docker:app:arguments");
    repo.write("classic.log", classic.stdout);
    let words = ["inspect", "--log", "classic.log", "--dockerfile", "context/Dockerfile"];
    repo.ok(&words).prints(&["build log, docker-classic", "RUN rm -rf /root/.cache"]);

    let first = build("app:buildkit", "Dockerfile", true);
    if first.code != Some(0) {
        // Debian's client has BuildKit built in up to version 20, and needs a plugin since.
        println!("not tried: BuildKit is not there");
        return;
    }
    agrees("app:buildkit");
    let arguments = build("app:arguments", "Arguments", true);
    assert_eq!(arguments.code, Some(0), "{}", arguments.report());
    finds_arguments(&repo, "docker:app:arguments");
    let again = build("app:buildkit", "Dockerfile", true);
    for (name, ran, cached) in [("first.log", &first, false), ("again.log", &again, true)] {
        repo.write(name, format!("{}{}", ran.stdout, ran.stderr));
        let json = inspected(&repo, &["inspect", "--log", name, "--dockerfile", "context/Dockerfile"]);
        assert_eq!((&json["log"]["format"], &json["partial"]), (&"buildkit-plain".into(), &false.into()), "{json:#}");
        let steps = json["log"]["steps"].as_array().unwrap();
        let step = |text: &str| steps.iter().find(|s| s["name"].as_str().unwrap().contains(text)).unwrap();
        let run = step("rm -rf /root/.cache");
        assert_eq!((run["outcome"] == "cached", &run["source"]["first"]), (cached, &9.into()), "{run}");
        assert!(cached || run["seconds"].is_number(), "{run}");
        assert_eq!(step("exporting to image")["kind"], "export");
    }
    let change = inspected(&repo, &["inspect", "--log", "again.log", "--against", "first.log"]);
    adds_up(&change["against"]);
}
