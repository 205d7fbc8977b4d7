//! Where a server is: `ldaps://`, `ldap://` (with StartTLS) and `ldapi://` addresses.

use std::fmt;
use std::path::PathBuf;

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ServerAddress {
    /// TLS from the first byte.
    Tls { host: String, port: u16 },
    /// TLS after a StartTLS request.
    Plain { host: String, port: u16 },
    /// A Unix socket.
    Local { path: PathBuf },
}

impl ServerAddress {
    /// Reads an LDAP URL that has an address and nothing else; the error completes `"…" ….`.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) =
            url.split_once("://").ok_or("is not an address such as ldaps://host")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err("has more in it than host and port; bases and filters have their own keys");
        }
        match scheme.to_ascii_lowercase().as_str() {
            "ldaps" => host_and_port(rest, 636).map(|(host, port)| Self::Tls { host, port }),
            "ldap" => host_and_port(rest, 389).map(|(host, port)| Self::Plain { host, port }),
            "ldapi" => local_path(rest).map(|path| Self::Local { path }),
            _ => Err("has an unknown scheme; use ldaps://, ldap:// or ldapi://"),
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_port = |f: &mut fmt::Formatter<'_>, scheme: &str, host: &str, port: u16| {
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            write!(f, "{scheme}://{host}:{port}")
        };
        match self {
            Self::Tls { host, port } => with_port(f, "ldaps", host, *port),
            Self::Plain { host, port } => with_port(f, "ldap", host, *port),
            Self::Local { path } => write!(f, "ldapi://{}", path.display()),
        }
    }
}

fn host_and_port(text: &str, usual: u16) -> Result<(String, u16), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(six) => {
            let (host, after) = six.split_once(']').ok_or("has a [ without a ]")?;
            (host, after.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("names no host");
    }
    let port = match port {
        None => usual,
        Some(port) => port.parse().map_err(|_| "has a port that is no number below 65536")?,
    };
    Ok((host.to_owned(), port))
}

fn local_path(text: &str) -> Result<PathBuf, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let value = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(value.ok_or("has a % that is not followed by two hexadecimal digits")?);
        rest = &after[2..];
    }
    let path = String::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
    if !path.starts_with('/') {
        return Err("needs an absolute path with %2F for each /: ldapi://%2Frun%2Fslapd%2Fldapi");
    }
    Ok(path.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("ldaps://dc1.example.org", "ldaps://dc1.example.org:636")]
    #[case("ldap://dc1:1389/", "ldap://dc1:1389")]
    #[case("ldaps://[::1]:10636", "ldaps://[::1]:10636")]
    #[case("ldapi://%2Frun%2Fldapi", "ldapi:///run/ldapi")]
    fn an_address_is_read(#[case] url: &str, #[case] shown: &str) {
        assert_eq!(ServerAddress::parse(url).map(|a| a.to_string()).as_deref(), Ok(shown));
    }

    #[rstest]
    #[case("dc1")]
    #[case("http://dc1")]
    #[case("ldaps://")]
    #[case("ldaps://dc1:99999")]
    #[case("ldaps://user@dc1")]
    #[case("ldaps://dc1/dc=example?uid")]
    #[case("ldapi://relative")]
    #[case("ldapi://%2")]
    fn what_is_no_address_is_refused(#[case] url: &str) {
        assert!(ServerAddress::parse(url).is_err());
    }
}
