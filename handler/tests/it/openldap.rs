//! Debian's OpenLDAP, started for the tests that need one.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    database::{NOBODY, command, is_root},
    python::{free_port, run},
    server,
};

/// The password of the DN that searches.
pub const READER_PASSWORD: &str = "canary-reader-password";

/// Where Debian has the modules and the schemas.
const MODULES: &str = "/usr/lib/ldap";
const SCHEMAS: &str = "/etc/ldap/schema";

/// An OpenLDAP server of its own, with TLS.
pub struct OpenLdap {
    process: Child,
    /// `ldaps`
    pub port: u16,
    /// `ldap`
    pub plain: u16,
    data: PathBuf,
    pub certificate: String,
}

fn program() -> PathBuf {
    let found = ["/usr/sbin", "/usr/lib/openldap"].map(|folder| Path::new(folder).join("slapd"));
    let found = found.into_iter().find(|program| program.exists());
    found.unwrap_or_else(|| panic!("no slapd: `tests/run` installs it"))
}

impl OpenLdap {
    /// A server below `dc=example,dc=com` with the DN that searches, `ou=people`, and these entries.
    pub fn start(entries: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("jane-migrate-openldap-{}-{number}", std::process::id());
        let data = std::env::temp_dir().join(name);
        fs::create_dir_all(data.join("db")).unwrap();
        let certified = server::certificate();
        let write = |name: &str, text: &str| {
            let file = data.join(name);
            fs::write(&file, text).unwrap();
            file
        };
        let certificate = write("cert.pem", &certified.cert.pem());
        let key = write("key.pem", &certified.signing_key.serialize_pem());
        let config = write(
            "slapd.conf",
            &format!(
                "include {SCHEMAS}/core.schema\ninclude {SCHEMAS}/cosine.schema\ninclude {SCHEMAS}/inetorgperson.schema\n\
                 modulepath {MODULES}\nmoduleload back_mdb\n\
                 TLSCertificateFile {}\nTLSCertificateKeyFile {}\n\
                 sizelimit 500\n\
                 database mdb\nsuffix \"dc=example,dc=com\"\ndirectory {}\n\
                 limits dn.exact=\"cn=export,dc=example,dc=com\" size.prtotal=unlimited\n\
                 access to attrs=userPassword by anonymous auth by * none\n\
                 access to * by dn.exact=\"cn=reader,dc=example,dc=com\" read by dn.exact=\"cn=export,dc=example,dc=com\" read by self read by * none\n",
                certificate.display(),
                key.display(),
                data.join("db").display(),
            ),
        );
        let ldif = write(
            "data.ldif",
            &format!(
                "dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\no: Example\n\n\
                 dn: cn=reader,dc=example,dc=com\nobjectClass: person\nsn: reader\nuserPassword: {READER_PASSWORD}\n\n\
                 dn: cn=export,dc=example,dc=com\nobjectClass: person\nsn: export\nuserPassword: {READER_PASSWORD}\n\n\
                 dn: ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\n\n{entries}"
            ),
        );
        // One executable serves as both programs, chosen by its name. AppArmor confines the installed one to the machine's own
        // directory, so a copy is run. Another process writes the copy: a child that another test starts could hold a file that
        // this process has open for writing, and such a file cannot be executed.
        for name in ["slapd", "slapadd"] {
            run(Command::new("cp").arg(program()).arg(data.join(name)));
        }
        run(Command::new(data.join("slapadd"))
            .arg("-q")
            .arg("-f")
            .arg(&config)
            .arg("-l")
            .arg(&ldif));
        if is_root() {
            let owner = format!("{NOBODY}:{NOBODY}");
            run(Command::new("chown").arg("-R").arg(owner).arg(&data));
        }
        let (port, plain) = (free_port(), free_port());
        // The shell ends the server and deletes its folder when its standard input ends, which happens whenever this
        // process ends.
        let mut process = command(Path::new("/bin/sh"))
            .arg("-c")
            .arg("\"$@\" </dev/null & cat; kill -KILL $!; wait; rm -rf \"$0\"")
            .arg(&data)
            .arg(data.join("slapd"))
            .args(["-d", "0", "-f"])
            .arg(&config)
            .arg("-h")
            .arg(format!(
                "ldaps://127.0.0.1:{port}/ ldap://127.0.0.1:{plain}/"
            ))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", plain)).is_err() {
            assert!(process.try_wait().unwrap().is_none(), "the server ended");
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "the server does not get ready"
            );
            thread::sleep(Duration::from_millis(20));
        }
        Self {
            process,
            port,
            plain,
            data,
            certificate: certified.cert.pem(),
        }
    }
}

impl Drop for OpenLdap {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.data);
    }
}
