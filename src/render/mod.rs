//! What people read: templates, tables, numbers.
//!
//! | file | what it does |
//! |---|---|
//! | [`text`] | makes text from the repository safe to show; widths, wrapping, markdown escapes |
//! | [`number`] | both sides of a comparison in one unit |
//! | [`lang`] | the catalogue of short texts, by key, in every language |
//! | [`po`] | the catalogues that translators edit, and the tables made of them |
//! | [`template`] | the longer texts, built in and overridable: [`Renderer`] |
//! | [`trailer`] | the trailers of a commit message, written and read |
//! | [`message`] | the messages of the commits that a decision makes |
//! | [`table`] | tables for the terminal |
//! | [`view`] | what templates and lists see of a comparison |
//! | [`inspect`] | what an artefact is made of, as text and as JSON |
//! | [`report`] | the HTML page |
//! | [`strip`] | the samples of a metric as a small plot |

pub mod inspect;
pub mod lang;
pub mod message;
pub mod number;
pub mod po;
pub mod report;
pub mod strip;
pub mod table;
pub mod template;
pub mod text;
pub mod trailer;
pub mod view;

pub use crate::phrase::Lang;
pub use template::Renderer;

use crate::error::{Exit, Explain};
use crate::phrase;
use crate::phrase::Phrase;

/// Why a text could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderError {
    /// The template's name or file.
    pub template: String,
    /// The line in it; 0 when it is not about a line.
    pub line: usize,
    /// What is wrong.
    pub message: Phrase,
}

crate::error::display_what!(RenderError);

impl std::error::Error for RenderError {}

impl Explain for RenderError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
    fn what(&self) -> Phrase {
        let template = text::clean(&self.template);
        let place = match self.line {
            0 => template.into_owned(),
            line => format!("{template}:{line}"),
        };
        phrase!("{place}: {what}", place, what = &self.message)
    }
    fn why(&self) -> Option<Phrase> {
        Some("a text is never replaced silently; nothing was changed and nothing is lost".into())
    }
    fn next(&self) -> Option<Phrase> {
        Some(phrase!("correct {file} and run the same command again", file = text::clean(&self.template)))
    }
}
