//! A real SCIM 2.0 server by others (scim2-server), which keeps its accounts in memory.

use crate::process::{Scratch, Server, accepts, find_program, free_port, plain_command};
use crate::{Done, Failure};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

/// The token that it wants. It protects nothing but a test.
pub const TOKEN: &str = "token-of-the-test";

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A running SCIM server; stopped and forgotten when dropped.
#[derive(Debug)]
pub struct Scim {
    server: Option<Server>,
    scratch: Scratch,
    port: u16,
}

impl Scim {
    /// Starts the server with everything that it can do.
    pub fn start() -> Done<Self> {
        Self::with(None).map_err(|e| e.during("scim2-server"))
    }

    /// The same, saying of itself that it knows no PATCH and no versions.
    pub fn start_without_patch() -> Done<Self> {
        let can = |it: bool| json!({ "supported": it });
        let config = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": can(false), "etag": can(false), "sort": can(false), "changePassword": can(false),
            "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
            "filter": { "supported": true, "maxResults": 1000 },
            "authenticationSchemes": [],
        });
        Self::with(Some(&config)).map_err(|e| e.during("scim2-server"))
    }

    fn with(config: Option<&Value>) -> Done<Self> {
        // As whoever we are: what pip installs for one user others can't read.
        let scratch = Scratch::owned_by("scim", None)?;
        scratch.write("token", TOKEN, 0o600)?;
        scratch.write("wrong-token", "another", 0o600)?;
        let mut scim = Self { server: None, port: free_port()?, scratch };
        if let Some(config) = config {
            scim.scratch.write("config.json", config.to_string(), 0o600)?;
        }
        scim.launch()?;
        Ok(scim)
    }

    /// Starts it again after [`Self::stop`]; it has forgotten everything.
    pub fn launch(&mut self) -> Done<()> {
        let mut command = plain_command(program()?);
        command.args(["--bearer-token", TOKEN, "--port", &self.port.to_string()]);
        let config = self.scratch.path().join("config.json");
        if config.exists() {
            command.arg("--service-provider-config").arg(config);
        }
        let log = self.scratch.path().join("out.log");
        let mut server = Server::start("scim2-server", &mut command, &log)?;
        server.wait_until(|| accepts(self.port))?;
        self.server = Some(server);
        Ok(())
    }

    /// Asks the server to end and waits for it.
    pub fn stop(&mut self) -> Done<()> {
        self.server.take().map_or(Ok(()), |server| server.stop(Signal::TERM))
    }

    /// Freezes it: it takes connections but answers nothing (SIGSTOP).
    pub fn pause(&self) -> Done<()> {
        self.server.as_ref().map_or(Ok(()), |server| server.signal(Signal::STOP))
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) -> Done<()> {
        self.server.as_ref().map_or(Ok(()), |server| server.signal(Signal::CONT))
    }

    /// Adds an active account and gives its id.
    pub fn add(&self, user_name: &str, number: &str, last_name: &str) -> Done<String> {
        let user = json!({
            "schemas": [USER, ENTERPRISE],
            "userName": user_name,
            "externalId": number,
            "active": true,
            "name": { "familyName": last_name, "givenName": "Test" },
            "emails": [{ "value": format!("{user_name}@dmh.test"), "primary": true }],
            ENTERPRISE: { "employeeNumber": number },
        });
        let (status, body) = self.ask("POST", "/Users", Some(&user))?;
        let id = body["id"].as_str().filter(|_| status == 201);
        id.map(str::to_owned).ok_or_else(|| Failure::new(format!("HTTP {status}: {body}")))
    }

    /// The witness: whether an account is active; none when it is gone.
    pub fn is_active(&self, id: &str) -> Done<Option<bool>> {
        match self.ask("GET", &format!("/Users/{id}"), None)? {
            (200, user) => Ok(user["active"].as_bool()),
            (404, _) => Ok(None),
            (status, body) => Err(Failure::new(format!("HTTP {status}: {body}"))),
        }
    }

    /// The witness: an account as it is.
    pub fn shown(&self, id: &str) -> Done<Value> {
        match self.ask("GET", &format!("/Users/{id}"), None)? {
            (200, user) => Ok(user),
            (status, body) => Err(Failure::new(format!("HTTP {status}: {body}"))),
        }
    }

    /// The witness: the ids of all accounts with a user name.
    pub fn called(&self, user_name: &str) -> Done<Vec<String>> {
        let (status, body) = self.ask("GET", "/Users?count=500", None)?;
        let users = body["Resources"].as_array().filter(|_| status == 200);
        let users = users.ok_or_else(|| Failure::new(format!("HTTP {status}: {body}")))?;
        let theirs = users.iter().filter(|user| user["userName"] == user_name);
        Ok(theirs.filter_map(|user| user["id"].as_str()).map(str::to_owned).collect())
    }

    /// Changes an account as an administrator of the system would.
    pub fn set(&self, id: &str, attribute: &str, value: &Value) -> Done<()> {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": attribute, "value": value }],
        });
        match self.ask("PATCH", &format!("/Users/{id}"), Some(&body))? {
            (200 | 204, _) => Ok(()),
            (status, body) => Err(Failure::new(format!("HTTP {status}: {body}"))),
        }
    }

    /// One request by plain means, which shares no code with the connector.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Done<(u16, Value)> {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let length = body.len();
        let head = format!(
            "{method} /v2{path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/scim+json\r\nContent-Length: {length}\r\n\r\n{body}",
            self.port
        );
        stream.write_all(head.as_bytes())?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        let status = reply.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| Failure::new(format!("no HTTP: {reply}")))?;
        let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    /// The address of the API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v2", self.port)
    }
    /// Port, for a relay.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
    /// File with the token.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.scratch.path().join("token")
    }
    /// File with a token that the server refuses.
    #[must_use]
    pub fn wrong_token_file(&self) -> PathBuf {
        self.scratch.path().join("wrong-token")
    }
}

/// Where `tests/install-servers` puts it: no Debian package has it.
fn program() -> Done<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home);
    let folder = cache.unwrap_or_default().join("lapsed-tests/scim2-server/bin");
    find_program("scim2-server", &[&folder.to_string_lossy()])
}
