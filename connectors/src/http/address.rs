//! Addresses of servers: encrypted, or on this machine.

use reqwest::Url;
use std::net::IpAddr;

/// Where a server's API is. Requests go below it and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Without a slash at its end.
    url: String,
    encrypted: bool,
}

impl Base {
    /// Reads an address: `https://host[:port][/path]`, or `http://` on this machine's loopback.
    ///
    /// # Errors
    /// What is wrong with it; the sentence goes on after the address.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        const NONE: &str = "is no address; write https://host:port/path";
        let parsed = Url::parse(url).map_err(|_| NONE)?;
        let encrypted = match parsed.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(NONE),
        };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("has a user in it; who logs on is said under `login`");
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err("has more in it than host and path; leave out what begins with ? or #");
        }
        let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !encrypted && !local {
            return Err(
                "would send everything unencrypted; write https://, or http:// on loopback",
            );
        }
        Ok(Self { url: parsed.as_str().trim_end_matches('/').to_owned(), encrypted })
    }

    /// Whether the way there is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// The address, for people and receipts.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.url
    }

    /// The address of `path` (with a query, if it has one) below this one.
    ///
    /// `..` is refused: it would turn one user's object into everybody's.
    pub(super) fn join(&self, path: &str) -> Result<Url, &'static str> {
        if !(path.is_empty() || path.starts_with('/') || path.starts_with('?')) {
            return Err("its path must begin with /");
        }
        let before_query = path.split('?').next().unwrap_or_default();
        if before_query.contains(['\\', '#']) || before_query.split('/').any(is_dots) {
            return Err("its path could lead elsewhere");
        }
        let joined = Url::parse(&format!("{}{path}", self.url)).map_err(|_| "it has no address")?;
        // Whatever the parser made of it: the same server, and below the same path.
        let base = Url::parse(&self.url).map_err(|_| "it has no address")?;
        let below = base.path().trim_end_matches('/');
        let stays = joined.origin() == base.origin()
            && joined
                .path()
                .strip_prefix(below)
                .is_some_and(|r| r.is_empty() || r.starts_with('/'));
        if stays { Ok(joined) } else { Err("its path could lead elsewhere") }
    }
}

/// `.` and `..`, also percent-encoded, which parsers of addresses take for the same.
fn is_dots(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://cimor.example.org", "https://cimor.example.org")]
    #[case("https://cimor.example.org:8443/scim/v2/", "https://cimor.example.org:8443/scim/v2")]
    #[case("http://127.0.0.1:8080", "http://127.0.0.1:8080")]
    #[case("http://[::1]:8080/v2", "http://[::1]:8080/v2")]
    #[case("http://localhost:1", "http://localhost:1")]
    fn an_address_is_read(#[case] url: &str, #[case] shown: &str) {
        assert_eq!(Base::parse(url).unwrap().shown(), shown);
    }

    #[rstest]
    #[case("http://cimor.example.org")]
    #[case("http://10.0.0.1")]
    #[case("https://user@cimor.example.org")]
    #[case("https://:word@cimor.example.org")]
    #[case("https://cimor.example.org/?key=1")]
    #[case("https://cimor.example.org/#a")]
    #[case("ftp://cimor.example.org")]
    #[case("cimor.example.org")]
    #[case("")]
    fn what_is_no_address_or_unencrypted_is_refused(#[case] url: &str) {
        assert!(Base::parse(url).is_err());
    }

    #[rstest]
    #[case("/Users/1", "https://h/v2/Users/1")]
    #[case(
        "/Users?filter=userName%20eq%20%22..%22",
        "https://h/v2/Users?filter=userName%20eq%20%22..%22"
    )]
    #[case("", "https://h/v2")]
    fn a_path_goes_below_the_address(#[case] path: &str, #[case] whole: &str) {
        assert_eq!(Base::parse("https://h/v2").unwrap().join(path).unwrap().as_str(), whole);
    }

    #[rstest]
    #[case("/Users/..")]
    #[case("/Users/../Groups")]
    #[case("/Users/%2e%2E/x")]
    #[case("/Users/.")]
    #[case("/Users\\..\\x")]
    #[case("/Users/x#y")]
    #[case("@evil.example.org/")]
    #[case(".evil.example.org/")]
    fn a_path_that_leads_elsewhere_is_refused(#[case] path: &str) {
        assert!(Base::parse("https://h/v2").unwrap().join(path).is_err());
    }
}
