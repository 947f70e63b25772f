//! `git verdict inspect`: what an artefact is made of, and where a change between two came from.

use super::{Ctx, Done};
use crate::error::{Exit, Failure};
use crate::inspect::artefact::{self, Artefact};
use crate::inspect::diff::Size;
use crate::inspect::dockerfile::Dockerfile;
use crate::inspect::image::{Options, Platform};
use crate::phrase;
use crate::render::inspect::{Against, Beside, View, text};
use crate::render::text::clean;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An image (reference, docker-archive, oci-archive, layout), folder, archive, ELF file, git directory or build log
    #[arg(required_unless_present = "log")]
    target: Option<String>,
    /// What TARGET is compared with: the side before
    #[arg(long, value_name = "OTHER")]
    against: Option<String>,
    /// The Dockerfile that the image was built from (default: Dockerfile or Containerfile here)
    #[arg(long, value_name = "FILE")]
    dockerfile: Option<PathBuf>,
    /// The stage of the Dockerfile that was built (default: the last one)
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,
    /// The log of the build, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// The longest lists; 0 is all
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Which size of images --against compares
    #[arg(long, value_name = "KIND", requires = "against")]
    size: Option<SizeName>,
    /// The platform to pick from several, such as linux/arm64 (default: this machine's)
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SizeName {
    /// The layers as they are stored
    Stored,
    /// Their tar streams
    Uncompressed,
    /// The content of their files
    Files,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let options = Options { platform: args.platform.as_deref().map(Platform::parse), ..Options::default() };
    // Messages name paths as they were given.
    let root = if ctx.dir == Path::new(".") { Path::new("") } else { &ctx.dir };
    let open = |what: &str| artefact::open(root, what, &options);
    let mut log = None;
    if let Some(path) = &args.log {
        let found = match path.as_os_str() == "-" {
            true => crate::inspect::buildlog::parse(std::io::stdin().lock())?,
            false => artefact::read_log(&root.join(path))?,
        };
        log = Some((found, path.display().to_string()));
    }
    let (mut target, name) = match (&args.target, log.take()) {
        (Some(what), kept) => {
            log = kept;
            (open(what)?, what.clone())
        }
        (None, Some((found, name))) => (Artefact::Log(Box::new(found)), name),
        (None, None) => {
            return Err(Failure::usage("there is nothing to inspect").try_next("git verdict inspect TARGET"));
        }
    };
    let file = dockerfile(ctx, &args, &target)?;
    let mut other = args.against.as_deref().map(open).transpose()?;
    for side in [Some(&mut target), other.as_mut()].into_iter().flatten() {
        if let (Artefact::Image(image), Some((file, _))) = (side, &file) {
            image.match_dockerfile(file, args.stage.as_deref());
        }
    }
    let most = (args.top > 0).then_some(args.top);
    let mut view = View::new(
        &name,
        &target,
        Beside {
            dockerfile: file.as_ref().map(|(file, name)| (file, name.as_str())),
            log: log.as_ref().map(|(log, name)| (log, name.as_str())),
            most,
        },
    );
    if let (Some(before), Some(what)) = (&other, &args.against) {
        let size = args.size.map(|size| match size {
            SizeName::Stored => Size::Stored,
            SizeName::Uncompressed => Size::Uncompressed,
            SizeName::Files => Size::Files,
        });
        // Beside an image, `--log` may be what another log is compared with.
        let beside = log.take().map(|(log, _)| Artefact::Log(Box::new(log)));
        let found = artefact::between(before, &target, None, size)
            .or_else(|| artefact::between(before, beside.as_ref()?, None, None));
        let attribution = found.ok_or_else(|| {
            let word = |kind| crate::phrase::Phrase::from(if kind == "git" { "git directory" } else { kind });
            let (kind, other) = (word(target.kind()), word(before.kind()));
            let (name, what) = (clean(&name), clean(what));
            Failure::usage(phrase!(
                "{kind} '{name}' and {other} '{what}' cannot be compared",
                kind = &kind,
                name = &name,
                other,
                what
            ))
            .because("both must be artefacts of one kind")
            .try_next(phrase!("git verdict inspect '{name}', with --against a second {kind}", name, kind))
        })?;
        view.against = Some(Against { target: what.clone(), reason: attribution.reason(), attribution });
    }
    ctx.say(text(&view, most, ctx.look()))?;
    ctx.emit("inspect", view)?;
    Ok(Exit::Done)
}

/// The Dockerfile, and its name as it is shown. Only what images and build logs have lines of looks for one.
fn dockerfile(ctx: &Ctx, args: &Args, target: &Artefact) -> Result<Option<(Dockerfile, String)>, Failure> {
    if let Some(path) = &args.dockerfile {
        let file = artefact::read_dockerfile(&ctx.dir.join(path))?;
        if file.instructions.is_empty() {
            let why = file.complaints.first().map(|(line, what)| phrase!("line {line}: {what}", line, what));
            let failure =
                Failure::usage(phrase!("{file} holds no instruction", file = clean(&path.display().to_string())));
            return Err(match why {
                Some(why) => failure.because(why),
                None => failure,
            });
        }
        if let Some(stage) = args.stage.as_deref().filter(|stage| file.stage(stage).is_none()) {
            let names: Vec<&str> = file.stages.iter().filter_map(|s| s.name.as_deref()).collect();
            let file = path.display().to_string();
            return Err(Failure::usage(phrase!(
                "{file} has no stage '{stage}'",
                file = clean(&file),
                stage = clean(stage)
            ))
            .because(phrase!("its stages are {names}", names = clean(&names.join(", ")))));
        }
        return Ok(Some((file, path.display().to_string())));
    }
    if !matches!(target, Artefact::Image(_) | Artefact::Log(_)) && args.log.is_none() {
        return Ok(None);
    }
    Ok(artefact::dockerfile_in(&ctx.dir).map(|(file, name)| (file, name.to_string())))
}
