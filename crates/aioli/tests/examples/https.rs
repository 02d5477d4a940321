//! The web server with TLS, as curl sees it; without the feature, what it says then.

use crate::{Directory, output};

#[cfg(not(feature = "tls"))]
#[test]
fn without_tls_a_certificate_is_answered_with_what_to_do() {
    let dir = Directory::new();
    let refused = output("http_server", &["--dir", dir.path(), "--cert", "c", "--key", "k"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--features tls"));
}

#[cfg(feature = "tls")]
mod with_tls {
    use super::*;
    use crate::{LIMIT, Running, pattern};
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    use rustix::process::Signal;
    use std::process::{Command, Output};

    /// Makes a certificate authority, `ca.pem`, and what it has issued for localhost: `cert.pem` and `key.pem`.
    fn issue(dir: &Directory) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "aioli's tests");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &authority).unwrap();
        dir.write("ca.pem", authority.pem().as_bytes());
        dir.write("cert.pem", cert.pem().as_bytes());
        dir.write("key.pem", key.serialize_pem().as_bytes());
    }

    fn start(files: &Directory, site: &Directory) -> Running {
        let (cert, key) = (file(files, "cert.pem"), file(files, "key.pem"));
        Running::start("http_server", &["--dir", site.path(), "--cert", &cert, "--key", &key])
    }

    fn file(dir: &Directory, name: &str) -> String {
        format!("{}/{name}", dir.path())
    }

    fn curl(args: &[&str]) -> Output {
        let limit = LIMIT.as_secs().to_string();
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", &limit]);
        command.args(args).output().expect("these tests need curl")
    }

    #[test]
    fn curl_accepts_the_certificate_and_keeps_the_connection() {
        let (files, site) = (Directory::new(), Directory::new());
        issue(&files);
        let large = pattern(3_000_001);
        site.write("large", &large);
        let server = start(&files, &site);
        let port = server.address.rsplit(':').next().unwrap();
        let (ca, got) = (file(&files, "ca.pem"), file(&files, "got"));

        let url = format!("https://localhost:{port}/large");
        let twice = curl(&[
            "--cacert",
            &ca,
            "--output",
            &got,
            "--write-out",
            "%{http_code} %{num_connects}\n",
            &url,
            "--output",
            &got,
            &url,
        ]);
        let text = String::from_utf8_lossy(&twice.stdout).into_owned();
        assert!(twice.status.success(), "{}", String::from_utf8_lossy(&twice.stderr));
        assert_eq!(text, "200 1\n200 0\n");
        assert!(std::fs::read(&got).unwrap() == large);

        // By its address, which is in the certificate, too.
        let url = format!("https://127.0.0.1:{port}/missing");
        let missing = curl(&["--cacert", &ca, "--write-out", "%{http_code}", "--output", &got, &url]);
        assert_eq!(String::from_utf8_lossy(&missing.stdout), "404");

        server.signal(Signal::INT);
        assert_eq!(server.ended().status.code(), Some(0));
    }

    #[test]
    fn who_does_not_trust_the_authority_and_who_speaks_no_tls_gets_nothing() {
        let (files, site) = (Directory::new(), Directory::new());
        issue(&files);
        site.write("page", b"page");
        let server = start(&files, &site);
        let port = server.address.rsplit(':').next().unwrap();
        let untrusted = curl(&[&format!("https://localhost:{port}/page")]);
        // curl's code for a certificate that it cannot verify.
        assert_eq!((untrusted.status.code(), &*untrusted.stdout), (Some(60), &b""[..]));
        let plain = curl(&[&format!("http://localhost:{port}/page")]);
        assert!(!plain.status.success());
        assert!(!plain.stdout.ends_with(b"page"));
        // Those have done it no harm.
        let ca = file(&files, "ca.pem");
        let good = curl(&["--cacert", &ca, &format!("https://localhost:{port}/page")]);
        assert_eq!(good.stdout, b"page");
    }

    #[test]
    fn files_that_are_no_certificate_or_do_not_belong_together_are_refused() {
        let (files, others) = (Directory::new(), Directory::new());
        issue(&files);
        issue(&others);
        let (cert, key) = (file(&files, "cert.pem"), file(&files, "key.pem"));
        for (cert, key, said) in [
            (&file(&files, "missing"), &key, "missing"),
            (&key, &key, "no certificate"),
            (&cert, &cert, "no private key"),
            (&cert, &file(&others, "key.pem"), "cannot be used together"),
        ] {
            let refused = output("http_server", &["--dir", files.path(), "--cert", cert, "--key", key]);
            let text = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(2), "{said}: {text}");
            assert!(text.contains(said), "{said}: {text}");
        }
    }
}
