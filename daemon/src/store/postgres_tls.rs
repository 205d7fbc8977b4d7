//! How a PostgreSQL server proves that it is the one meant.
//!
//! The state says whose mailbox is deleted and when. So nothing of it goes to another machine but under
//! TLS, to a server whose certificate carries the name of the URL and is signed by a known authority. The
//! driver's own default would try TLS, check no certificate, and go on in the clear.

use super::StoreError;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::net::IpAddr;

/// The options for a URL, with the certificate checked in full wherever the way leaves this machine.
pub(super) fn proven(options: PgConnectOptions) -> PgConnectOptions {
    if stays_here(&options) { options } else { options.ssl_mode(PgSslMode::VerifyFull) }
}

/// Refuses a URL that asks for less than is done in any case: it would only mislead its reader.
pub(super) fn check(url: &str) -> Result<(), StoreError> {
    // What the parser says may quote the URL.
    let options: PgConnectOptions = url.parse().map_err(|_| StoreError::UnknownUrl)?;
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or("");
    let weaker = form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| matches!(key.as_ref(), "sslmode" | "ssl-mode"))
        .find(|(_, mode)| !mode.eq_ignore_ascii_case("verify-full"));
    match weaker {
        Some((_, mode)) if !stays_here(&options) => Err(StoreError::WeakTls {
            host: options.get_host().to_owned(),
            mode: mode.into_owned(),
        }),
        _ => Ok(()),
    }
}

/// True for a Unix socket and for addresses that no packet leaves the machine for.
fn stays_here(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    options.get_socket().is_some()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn mode(url: &str) -> PgSslMode {
        proven(url.parse().unwrap()).get_ssl_mode()
    }

    #[rstest]
    #[case::name("postgres://lapsed@db.example.org/lapsed")]
    #[case::own_authority("postgres://lapsed@db.example.org/lapsed?sslrootcert=/etc/lapsed/ca.pem")]
    #[case::asked_for("postgresql://lapsed@db.example.org/lapsed?sslmode=verify-full")]
    #[case::address("postgres://lapsed@10.0.0.7:5433/lapsed")]
    #[case::address_of_version_6("postgres://lapsed@[fd00::7]/lapsed")]
    #[case::a_name_that_begins_like_here("postgres://lapsed@localhost.example.org/lapsed")]
    #[case::a_name_of_digits("postgres://lapsed@127.example.org/lapsed")]
    #[case::host_behind("postgres://lapsed@localhost/lapsed?host=db.example.org")]
    #[case::address_behind("postgres://lapsed@localhost/lapsed?hostaddr=10.0.0.7")]
    fn a_server_elsewhere_is_always_checked_in_full(#[case] url: &str) {
        check(url).unwrap();
        assert!(matches!(mode(url), PgSslMode::VerifyFull), "{:?}", mode(url));
    }

    #[rstest]
    #[case::name("postgres://lapsed@localhost/lapsed")]
    #[case::address("postgres://lapsed@127.0.0.1:5433/lapsed")]
    #[case::another_address("postgres://lapsed@127.8.9.1/lapsed")]
    #[case::address_of_version_6("postgres://lapsed@[::1]/lapsed")]
    #[case::socket("postgres://lapsed@%2Frun%2Fpostgresql/lapsed")]
    #[case::socket_behind("postgres://lapsed@db.example.org/lapsed?host=/run/postgresql")]
    fn a_server_on_this_machine_needs_no_certificate(#[case] url: &str) {
        check(url).unwrap();
        assert!(
            !matches!(mode(url), PgSslMode::VerifyFull | PgSslMode::VerifyCa),
            "{:?}",
            mode(url)
        );
        let asked =
            format!("{url}{}sslmode=verify-full", if url.contains('?') { '&' } else { '?' });
        check(&asked).unwrap();
        assert!(matches!(mode(&asked), PgSslMode::VerifyFull), "what is asked for is done");
    }

    #[rstest]
    #[case("sslmode=disable")]
    #[case("sslmode=prefer")]
    #[case("ssl-mode=require")]
    #[case("sslmode=verify-ca")]
    #[case("sslmode=verify-full&sslmode=allow")]
    #[case("ssl%6dode=disable")]
    fn a_weaker_mode_for_a_server_elsewhere_is_refused_with_advice(#[case] query: &str) {
        let url = format!("postgres://lapsed@db.example.org/lapsed?{query}");
        let error = check(&url).unwrap_err().to_string();
        assert!(error.contains("db.example.org") && error.contains("sslrootcert"), "{error}");
        assert!(matches!(mode(&url), PgSslMode::VerifyFull), "and it would not be followed");
    }
}
