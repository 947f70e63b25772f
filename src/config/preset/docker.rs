//! The preset of a container image: build time and image size.

use super::{BUILD_TIME, Preset, PresetError, list, names_in, quoted, tail};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A program that builds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Docker,
    Podman,
    Buildah,
}

impl Engine {
    const ALL: [Engine; 3] = [Engine::Docker, Engine::Podman, Engine::Buildah];

    fn program(self) -> &'static str {
        match self {
            Engine::Docker => "docker",
            Engine::Podman => "podman",
            Engine::Buildah => "buildah",
        }
    }
}

/// The first engine that the search path holds; docker counts only where its daemon can be there, unless it is all
/// that there is. Docker when the search path holds none.
pub(super) fn engine_on_path() -> Engine {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).unwrap_or_default();
    let daemon = std::env::var_os("DOCKER_HOST").is_some()
        || std::env::var_os("DOCKER_CONTEXT").is_some()
        || std::fs::read_to_string(home.join(".docker/config.json")).is_ok_and(|text| text.contains("currentContext"))
        || [PathBuf::from("/var/run/docker.sock"), runtime.join("docker.sock"), home.join(".docker/run/docker.sock")]
            .iter()
            .any(|socket| socket.exists());
    engine_in(&std::env::split_paths(&path).collect::<Vec<_>>(), daemon)
}

fn engine_in(folders: &[PathBuf], daemon: bool) -> Engine {
    let runs = |file: &Path| file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    Engine::ALL
        .into_iter()
        .filter(|engine| daemon || *engine != Engine::Docker)
        .find(|engine| folders.iter().any(|folder| runs(&folder.join(engine.program()))))
        .unwrap_or(Engine::Docker)
}

/// The build file of a folder: `Dockerfile`, `Containerfile`, either in another case, or a variant such as
/// `Dockerfile.prod` or `web.Dockerfile`.
pub(super) fn file(root: &Path) -> Option<String> {
    let names: Vec<String> = names_in(root).into_iter().filter(|name| root.join(name).is_file()).collect();
    let bases = ["dockerfile", "containerfile"];
    let usable = |name: &&String| !name.chars().any(char::is_control) && !name.ends_with("ignore");
    let rank = |name: &String| {
        let lower = name.to_lowercase();
        if name == "Dockerfile" {
            Some(0)
        } else if name == "Containerfile" {
            Some(1)
        } else if bases.contains(&lower.as_str()) {
            Some(2)
        } else if bases.iter().any(|b| lower.starts_with(&format!("{b}.")) || lower.ends_with(&format!(".{b}"))) {
            Some(3)
        } else {
            None
        }
    };
    names.iter().filter(usable).filter_map(|name| Some((rank(name)?, name))).min().map(|(_, name)| name.clone())
}

pub(super) fn render(root: &Path, engine: Engine) -> Result<String, PresetError> {
    let file = file(root).ok_or_else(|| PresetError::Missing {
        preset: Preset::Docker,
        reason: "there is no Dockerfile or Containerfile".into(),
    })?;
    let tag = format!("{}:verdict", slug(root));
    let run = list(&[engine.program(), "build", "--no-cache", "-f", &file, "-t", &tag, "."]);
    let (prepare, export, image) = match engine {
        Engine::Docker | Engine::Podman => (String::new(), String::new(), tag.clone()),
        // Its images are read from an archive, as there is no engine to ask.
        Engine::Buildah => (
            format!("prepare = {}\n", list(&["rm", "-f", ARCHIVE])),
            format!(
                "
# Writes the image to an archive, where its size is read. No metric times this step.
[steps.export]
run = {}
timeout = \"30m\"
",
                list(&["buildah", "push", &tag, &format!("oci-archive:{ARCHIVE}:{tag}")])
            ),
            ARCHIVE.to_string(),
        ),
    };
    let mut text = format!(
        "
# Builds the image from nothing: with the layer cache, all samples but the first would measure the cache.
# To measure a rebuild instead, remove --no-cache and let `prepare` change the file that the build should notice.
[steps.build]
run = {run}
{prepare}timeout = \"1h\"
{export}
{BUILD_TIME}
# How large the image is. With `limit`, a candidate that is larger is a reason to revert.
[metrics.image_size]
image = {}
matters = \"1%\"
#limit = \"4 GB\"

# How long one instruction takes, found by a part of its text and timed from the log of the build.
#[metrics.install_step]
#build_step = {}
#step = \"build\"
",
        quoted(&image),
        quoted(&instruction(root, &file)),
    );
    let check = match engine {
        Engine::Buildah => list(&["./smoke-test.sh"]),
        _ => list(&[engine.program(), "run", "--rm", &tag, "true"]),
    };
    text.push_str(&tail(&check, "\"1 min build_time = 500 MB image_size\""));
    Ok(text)
}

const ARCHIVE: &str = "verdict-image.tar";

/// The first words of the first RUN instruction: an example that matches.
fn instruction(root: &Path, file: &str) -> String {
    let text = super::read(root, Path::new(file)).ok().flatten().unwrap_or_default();
    text.lines()
        .filter_map(|line| line.trim().split_once(char::is_whitespace))
        .filter(|(word, _)| word.eq_ignore_ascii_case("RUN"))
        .map(|(_, rest)| rest.split_whitespace().filter(|w| !w.starts_with("--")).take(2).collect::<Vec<_>>().join(" "))
        .find(|words| words.len() > 1 && words.chars().all(|c| c.is_ascii_alphanumeric() || " -_./".contains(c)))
        .unwrap_or_else(|| "pip install".to_string())
}

/// The folder's name as the name of an image: lower case, digits and single hyphens.
fn slug(root: &Path) -> String {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let name = root.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let slug: String = words.join("-").chars().take(63).collect();
    if slug.is_empty() { "app".to_string() } else { slug.trim_end_matches('-').to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{accepted, tree};
    use super::*;
    use crate::config::{Command, Source};
    use std::fs;

    #[test]
    fn the_build_file_goes_by_its_real_name() {
        for (files, expected) in [
            (&["Containerfile", "Dockerfile"][..], Some("Dockerfile")),
            (&["Containerfile", "Dockerfile.dev"], Some("Containerfile")),
            (&["dockerfile"], Some("dockerfile")),
            (&["web.Dockerfile", "Dockerfile.dockerignore"], Some("web.Dockerfile")),
            (&["Dockerfile.dockerignore", ".dockerignore", "README.md"], None),
        ] {
            let files: Vec<_> = files.iter().map(|f| (*f, "FROM scratch")).collect();
            assert_eq!(file(tree(&files).path()).as_deref(), expected, "{files:?}");
        }
    }

    #[test]
    fn the_image_is_built_by_the_engine_that_is_there() {
        let dir = tree(&[("My App!/Containerfile", "FROM x\nRUN --mount=type=cache pip install -r r.txt\n")]);
        let root = dir.path().join("My App!");
        for engine in [Engine::Docker, Engine::Podman] {
            let config = accepted(&render(&root, engine).unwrap());
            let words = [engine.program(), "build", "--no-cache", "-f", "Containerfile", "-t", "my-app:verdict", "."];
            assert_eq!(config.steps[0].run, Command::Direct(words.map(str::to_string).to_vec()));
            assert_eq!(config.metrics[1].source, Source::Image { reference: "my-app:verdict".into() });
        }
        assert!(render(&root, Engine::Docker).unwrap().contains("#build_step = \"pip install\"\n"));
        let config = accepted(&render(&root, Engine::Buildah).unwrap());
        assert_eq!(config.steps.len(), 2);
        assert_eq!(config.metrics[1].source, Source::Image { reference: ARCHIVE.into() });
    }

    #[test]
    fn the_first_engine_that_can_work_is_taken_and_docker_when_there_is_none() {
        let dir = tree(&[("a/podman", ""), ("b/buildah", ""), ("b/podman", ""), ("b/docker", "")]);
        let folders = [dir.path().join("a"), dir.path().join("b")];
        let install = |name: &str| {
            fs::set_permissions(dir.path().join("b").join(name), fs::Permissions::from_mode(0o755)).unwrap();
        };
        assert_eq!(engine_in(&folders, true), Engine::Docker, "what cannot be executed is no program");
        install("buildah");
        assert_eq!(engine_in(&folders, true), Engine::Buildah);
        install("podman");
        assert_eq!(engine_in(&folders, true), Engine::Podman);
        install("docker");
        assert_eq!(engine_in(&folders, true), Engine::Docker);
        assert_eq!(engine_in(&folders, false), Engine::Podman, "docker without its daemon builds nothing");
        assert_eq!(engine_in(&folders[..0], false), Engine::Docker);
    }

    #[test]
    fn a_folder_without_a_usable_name_gives_an_image_called_app() {
        let dir = tree(&[("日本/Dockerfile", "FROM scratch"), ("---/Dockerfile", "FROM scratch")]);
        assert_eq!(slug(&dir.path().join("日本")), "app");
        assert_eq!(slug(&dir.path().join("---")), "app");
    }

    #[test]
    fn a_hostile_file_name_stays_a_string() {
        let name = "Dockerfile.\"]\\ $(touch x)";
        let config = accepted(&render(tree(&[(name, "FROM scratch")]).path(), Engine::Docker).unwrap());
        match &config.steps[0].run {
            Command::Direct(words) => assert_eq!(words[4], name),
            other => panic!("{other:?}"),
        }
    }
}
