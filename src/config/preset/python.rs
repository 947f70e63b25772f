//! The preset of a Python project: what installing it costs, how large it is then, and how long it takes to start.

use super::{Preset, PresetError, list, names_in, quoted, read, read_toml, string_at, tail};
use std::path::{Path, PathBuf};

/// Where the project is installed for measuring. No package can have this name, so no build takes it up.
const SITE: &str = ".verdict-site";

/// How a project is installed.
#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    /// `pip install .`; with the name that the project gives itself.
    Package { name: Option<String> },
    /// `pip install -r FILE`.
    Requirements { file: String },
}

/// What the folder holds.
pub(super) fn kind(root: &Path) -> Result<Kind, PresetError> {
    let project = read_toml(root, Path::new("pyproject.toml"))?;
    let describes_package = project.as_ref().is_some_and(|table| {
        table.contains_key("project")
            || table.contains_key("build-system")
            || table.get("tool").and_then(|tool| tool.get("poetry")).is_some()
    });
    if describes_package || root.join("setup.py").is_file() {
        let name = project.as_ref().and_then(|table| {
            string_at(table, &["project", "name"]).or_else(|| string_at(table, &["tool", "poetry", "name"]))
        });
        return Ok(Kind::Package { name: name.map(str::to_string) });
    }
    for file in ["requirements.txt", "requirements/base.txt", "requirements/prod.txt"] {
        if root.join(file).is_file() {
            return Ok(Kind::Requirements { file: file.to_string() });
        }
    }
    let reason = match project {
        Some(_) => "pyproject.toml describes no package, and there is no setup.py or requirements.txt",
        None => "there is no pyproject.toml, setup.py or requirements.txt",
    };
    Err(PresetError::Missing { preset: Preset::Python, reason: reason.into() })
}

pub(super) fn render(root: &Path) -> Result<String, PresetError> {
    let kind = kind(root)?;
    let (what, size, module) = match &kind {
        Kind::Package { name } => (
            vec!["."],
            "How large the package and its dependencies are once installed.",
            package_module(root, name.as_deref()),
        ),
        Kind::Requirements { file } => {
            (vec!["-r", file.as_str()], "How large the dependencies are once installed.", application_module(root))
        }
    };
    let install =
        [&["python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", SITE][..], &what]
            .concat();
    // A requirements file does not say what the application is called: without a module that can be imported safely
    // the step stays switched off.
    let mark = if module.is_some() { "" } else { "#" };
    let module = module.unwrap_or_else(|| "app".to_string());
    let path = match &kind {
        Kind::Package { .. } => SITE.to_string(),
        Kind::Requirements { .. } => format!("{SITE}:."),
    };
    let start = list(&["env", &format!("PYTHONPATH={path}"), "python3", "-c", &format!("import {module}")]);
    let wheel = match &kind {
        Kind::Requirements { .. } => String::new(),
        Kind::Package { .. } => format!(
            "
# How large the wheel is that would be uploaded.
#[steps.wheel]
#prepare = {}
#run = {}
#[metrics.wheel_size]
#path = \".verdict-wheel/*.whl\"
",
            list(&["rm", "-rf", ".verdict-wheel"]),
            list(&["python3", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", ".verdict-wheel", "."]),
        ),
    };
    let mut text = format!(
        "
# Installs into a folder of its own, which is empty at first: your environment is neither used nor changed.
# pip's cache of downloads is used as it would be in daily work; add \"--no-cache-dir\" to measure without it.
[steps.install]
prepare = {}
run = {}
timeout = \"30m\"

# How long that takes. `matters` is the smallest change worth acting on.
[metrics.install_time]
step = \"install\"
measure = \"wall\"
matters = \"5%\"

# {size}
[metrics.installed_size]
path = {}
matters = \"1%\"
#limit = \"500 MB\"

# How long the program takes until it is imported.
{mark}[steps.start]
{mark}run = {start}
{mark}timeout = \"1m\"
{mark}[metrics.start_time]
{mark}step = \"start\"
{mark}measure = \"wall\"
{mark}matters = \"5%\"
{wheel}",
        list(&["rm", "-rf", SITE]),
        list(&install),
        quoted(SITE),
    );
    text.push_str(&tail(
        &list(&["env", &format!("PYTHONPATH={SITE}:."), "python3", "-m", "pytest", "-q"]),
        "\"1 s install_time = 10 MB installed_size\"",
    ));
    Ok(text)
}

/// The module of a package: by its own name if that is there, else the only candidate.
fn package_module(root: &Path, name: Option<&str>) -> Option<String> {
    let folders = [root.join("src"), root.to_path_buf()];
    let is_module = |folder: &PathBuf, module: &str| {
        folder.join(module).join("__init__.py").is_file() || folder.join(format!("{module}.py")).is_file()
    };
    let own = name.map(|name| name.replace(['-', '.'], "_"));
    for spelling in own.iter().flat_map(|name| [name.clone(), name.to_lowercase()]) {
        if identifier(&spelling) && folders.iter().any(|folder| is_module(folder, &spelling)) {
            return Some(spelling);
        }
    }
    let candidates = |folder: &PathBuf| -> Vec<String> {
        names_in(folder)
            .into_iter()
            .filter(|n| identifier(n) && folder.join(n).join("__init__.py").is_file())
            .filter(|n| {
                !matches!(n.as_str(), "test" | "tests" | "docs" | "doc" | "examples" | "scripts" | "benchmarks")
            })
            .collect()
    };
    folders.iter().map(candidates).find(|found| !found.is_empty()).filter(|found| found.len() == 1)?.pop()
}

/// A module of an application that does not begin its work when it is imported: it has a guard for that.
fn application_module(root: &Path) -> Option<String> {
    ["app", "main", "server", "wsgi", "manage"].into_iter().find_map(|module| {
        let text = read(root, Path::new(&format!("{module}.py"))).ok().flatten()?;
        let guarded = text.lines().any(|line| line.starts_with("if __name__ =="));
        guarded.then(|| module.to_string())
    })
}

fn identifier(name: &str) -> bool {
    const KEYWORDS: &[&str] = &["import", "class", "def", "from", "pass", "global", "lambda", "async", "None", "True"];
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !KEYWORDS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{accepted, tree};
    use super::*;
    use crate::config::Config;

    fn rendered(files: &[(&str, &str)]) -> Config {
        accepted(&render(tree(files).path()).unwrap())
    }

    fn steps(config: &Config) -> Vec<String> {
        config.steps.iter().map(|step| step.run.to_string()).collect()
    }

    const PIP: &str = "python3 -m pip install --quiet --disable-pip-version-check --target .verdict-site";

    #[test]
    fn a_package_is_installed_and_imported_by_its_own_name() {
        let project = "[project]\nname = \"My-App\"\n";
        let start = "env PYTHONPATH=.verdict-site python3 -c import my_app";
        for module in ["src/my_app/__init__.py", "my_app/__init__.py", "my_app.py"] {
            let config = rendered(&[("pyproject.toml", project), (module, "")]);
            assert_eq!(steps(&config), [format!("{PIP} ."), start.to_string()], "{module}");
        }
        let other = rendered(&[("setup.py", ""), ("thing/__init__.py", ""), ("tests/__init__.py", "")]);
        assert_eq!(steps(&other)[1], "env PYTHONPATH=.verdict-site python3 -c import thing");
        let unclear = rendered(&[("setup.py", ""), ("a/__init__.py", ""), ("b/__init__.py", "")]);
        assert_eq!(steps(&unclear).len(), 1, "two candidates are no answer");
        assert!(unclear.metric("start_time").is_none() && unclear.metric("installed_size").is_some());
    }

    #[test]
    fn requirements_are_installed_and_only_a_guarded_module_is_imported() {
        let guarded = "import x\nif __name__ == '__main__':\n    run()\n";
        let config = rendered(&[("requirements.txt", "x"), ("app.py", "run()"), ("main.py", guarded)]);
        let start = "env PYTHONPATH=.verdict-site:. python3 -c import main";
        assert_eq!(steps(&config), [format!("{PIP} -r requirements.txt"), start.to_string()]);
        let config = rendered(&[("requirements/base.txt", "x"), ("app.py", "run()")]);
        assert_eq!(steps(&config), [format!("{PIP} -r requirements/base.txt")]);
    }

    #[test]
    fn a_file_of_tool_settings_alone_is_no_package() {
        let tools = ("pyproject.toml", "[tool.black]\nline-length = 100\n");
        assert_eq!(
            kind(tree(&[tools, ("requirements.txt", "")]).path()).unwrap(),
            Kind::Requirements { file: "requirements.txt".into() }
        );
        assert!(matches!(kind(tree(&[tools]).path()), Err(PresetError::Missing { .. })));
    }

    #[test]
    fn a_hostile_name_never_reaches_the_command() {
        for name in ["x; import os", "a\\nb", "import", "\\\"", "../x", "é"] {
            let project = format!("[project]\nname = \"{name}\"\n");
            assert_eq!(steps(&rendered(&[("pyproject.toml", &project)])).len(), 1, "{name}");
        }
    }
}
