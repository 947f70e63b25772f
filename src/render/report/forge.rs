//! Where a commit is shown on the web, derived from the URL of a remote.
//!
//! | forge | path of a commit |
//! |---|---|
//! | GitHub, Gitea, Forgejo, Codeberg | `/OWNER/NAME/commit/ID` |
//! | GitLab, with groups in groups | `/GROUP/…/NAME/-/commit/ID` |
//! | Bitbucket (bitbucket.org) | `/OWNER/NAME/commits/ID` |
//!
//! A host that names none of these has no links: a wrong link is worse than none.

use crate::git::Oid;

/// A repository on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forge {
    /// `https://github.com/owner/name`, without credentials.
    base: String,
    /// `/commit/`.
    commit: &'static str,
}

impl Forge {
    /// The forge of a remote's URL: `https://…`, `ssh://…`, `git://…` or `git@host:path`. None for a folder, an unknown host
    /// and whatever is no such URL. User names and passwords are left out; the port is kept of http URLs only.
    pub fn of(url: &str) -> Option<Forge> {
        let (scheme, place, path) = parts(url.trim())?;
        let place = place.rsplit('@').next()?;
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
            Some((host, "")) => (host, None),
            Some(_) => return None,
            None => (place, None),
        };
        let host = host.to_ascii_lowercase();
        // Hosts that only answer ssh, on a port that firewalls let through.
        let host = match host.as_str() {
            "ssh.github.com" => "github.com",
            "altssh.gitlab.com" => "gitlab.com",
            "altssh.bitbucket.org" => "bitbucket.org",
            other => other,
        };
        let sound = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !host.split('.').all(sound) {
            return None;
        }
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let segments: Vec<&str> = path.split('/').collect();
        let plain = |segment: &str| {
            let letters = segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'));
            letters && !matches!(segment, "" | "." | "..")
        };
        if segments.len() < 2 || !segments.iter().all(|segment| plain(segment)) {
            return None;
        }
        let commit = kind(host)?;
        let (scheme, port) = match scheme {
            "http" | "https" => (scheme, port.map(|port| format!(":{port}")).unwrap_or_default()),
            _ => ("https", String::new()),
        };
        Some(Forge { base: format!("{scheme}://{host}{port}/{path}"), commit })
    }

    /// Where this commit is shown.
    pub fn commit(&self, id: &Oid) -> String {
        format!("{}{}{id}", self.base, self.commit)
    }

    /// `owner/name`.
    pub fn project(&self) -> &str {
        self.base.splitn(4, '/').nth(3).unwrap_or_default()
    }

    /// The repository's own page.
    pub fn page(&self) -> &str {
        &self.base
    }
}

/// Scheme, `user@host:port` and path.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    if let Some((scheme, rest)) = url.split_once("://") {
        let known = ["http", "https", "ssh", "git", "git+ssh", "ssh+git"].contains(&scheme);
        let (place, path) = rest.split_once('/')?;
        return known.then_some((scheme, place, path));
    }
    // The short form of ssh; a slash before the colon makes it a folder (git-clone(1)).
    let (place, path) = url.split_once(':')?;
    (!place.contains('/') && place.len() > 1).then_some(("ssh", place, path))
}

/// The path to a commit on that host, by the product that a part of its name stands for.
fn kind(host: &str) -> Option<&'static str> {
    let named = |product: &str| host.split('.').any(|label| label == product);
    match host {
        _ if named("github") => Some("/commit/"),
        _ if named("gitlab") => Some("/-/commit/"),
        "bitbucket.org" => Some("/commits/"),
        _ if ["gitea", "forgejo", "codeberg"].into_iter().any(named) => Some("/commit/"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(url: &str) -> Option<String> {
        Forge::of(url).map(|forge| forge.commit(&Oid::parse(&"a".repeat(40)).unwrap()).replace(&"a".repeat(40), "ID"))
    }

    #[test]
    fn every_form_of_a_url_leads_to_the_page_of_the_commit() {
        for (url, wanted) in [
            ("https://github.com/owner/name.git", "https://github.com/owner/name/commit/ID"),
            ("git@github.com:owner/name.git", "https://github.com/owner/name/commit/ID"),
            ("ssh://git@ssh.github.com:443/owner/name", "https://github.com/owner/name/commit/ID"),
            ("git://github.com/owner/name/", "https://github.com/owner/name/commit/ID"),
            ("https://github.example.com:8443/o/n", "https://github.example.com:8443/o/n/commit/ID"),
            ("git@gitlab.com:group/sub/name.git", "https://gitlab.com/group/sub/name/-/commit/ID"),
            ("ssh://git@gitlab.example.org:2222/g/n.git", "https://gitlab.example.org/g/n/-/commit/ID"),
            ("https://codeberg.org/owner/name", "https://codeberg.org/owner/name/commit/ID"),
            ("https://gitea.com/owner/name", "https://gitea.com/owner/name/commit/ID"),
            ("git@forgejo.example.net:owner/name.git", "https://forgejo.example.net/owner/name/commit/ID"),
            ("git@bitbucket.org:owner/name.git", "https://bitbucket.org/owner/name/commits/ID"),
            ("http://gitlab.local/g/n.git", "http://gitlab.local/g/n/-/commit/ID"),
        ] {
            assert_eq!(link(url).as_deref(), Some(wanted), "{url}");
        }
    }

    #[test]
    fn credentials_never_reach_a_link() {
        for url in [
            "https://user:s3cret@github.com/o/n",
            "https://s3cret@github.com/o/n",
            "https://user:s3c@ret@github.com/o/n.git",
            "ssh://s3cret@github.com:22/o/n",
        ] {
            assert_eq!(link(url).as_deref(), Some("https://github.com/o/n/commit/ID"), "{url}");
        }
    }

    #[test]
    fn what_is_no_known_forge_has_no_link() {
        for url in [
            "",
            "/srv/git/name.git",
            "../name",
            "C:/work/name",
            "file:///srv/git/github.com/name.git",
            "https://example.org/owner/name",
            "https://notgithub.com/owner/name",
            "https://git.example.org/github/name",
            "javascript://github.com/%0aalert(1)/x",
            "https://github.com/owner",
            "https://github.com/owner/../name",
            "https://github.com/owner/na\"me",
            "https://github.com/owner/<b>",
            "https://github.com:8x/owner/name",
            "https://git hub.com/o/n",
            "git@[::1]:o/n",
        ] {
            assert_eq!(link(url), None, "{url}");
        }
    }

    #[test]
    fn the_project_is_the_path() {
        assert_eq!(Forge::of("git@gitlab.com:group/sub/name.git").unwrap().project(), "group/sub/name");
    }
}
