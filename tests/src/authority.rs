//! A certificate authority of our own, with good and bad server certificates.

use crate::{Done, process::Scratch};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use std::path::{Path, PathBuf};

/// Which certificate a server shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Certificate {
    /// Valid for `localhost`, `127.0.0.1` and `dc1.lab.test`.
    #[default]
    Good,
    /// Right names, but over since 2021.
    Expired,
    /// Valid, but for `elsewhere.lab.test`.
    WrongHost,
    /// Right names, and signed by nobody but itself.
    SelfSigned,
}

/// Where the files of one server's TLS are: PEM, readable by the server.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The authority's certificate, for clients.
    pub ca: PathBuf,
    /// Certificate of an authority that signed nothing here: a client with it must refuse.
    pub other_ca: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Makes a new authority and a server certificate in the sub-folder `tls`.
    pub fn make(scratch: &Scratch, kind: Certificate) -> Done<Self> {
        let folder = scratch.folder("tls")?;
        Self::make_in(scratch, &folder, kind)
    }

    fn make_in(scratch: &Scratch, folder: &Path, kind: Certificate) -> Done<Self> {
        let (ca, ca_pem) = authority("lapsed test authority")?;
        let (_, other_pem) = authority("another authority")?;
        let key = KeyPair::generate()?;
        let params = server_params(kind)?;
        let certificate = match kind {
            Certificate::SelfSigned => params.self_signed(&key)?,
            _ => params.signed_by(&key, &ca)?,
        };
        let files = Self {
            ca: folder.join("ca.pem"),
            other_ca: folder.join("other-ca.pem"),
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
        };
        scratch.write(&files.ca, &ca_pem, 0o644)?;
        scratch.write(&files.other_ca, &other_pem, 0o644)?;
        scratch.write(&files.certificate, certificate.pem(), 0o644)?;
        scratch.write(&files.key, key.serialize_pem(), 0o600)?;
        Ok(files)
    }
}

fn authority(name: &str) -> Done<(Issuer<'static, KeyPair>, String)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 1, 1);
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}

fn server_params(kind: Certificate) -> Done<CertificateParams> {
    let names: &[&str] = match kind {
        Certificate::Good | Certificate::Expired | Certificate::SelfSigned => {
            &["localhost", "127.0.0.1", "dc1.lab.test"]
        }
        Certificate::WrongHost => &["elsewhere.lab.test"],
    };
    let mut params =
        CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, names[0]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = match kind {
        Certificate::Expired => date_time_ymd(2021, 1, 1),
        Certificate::Good | Certificate::WrongHost | Certificate::SelfSigned => {
            date_time_ymd(2048, 1, 1)
        }
    };
    Ok(params)
}
