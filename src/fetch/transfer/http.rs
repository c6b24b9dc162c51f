//! HTTP requests for a file, or for the rest of one.

use crate::error::{Error, Result};
use std::io::Read;
use std::time::Duration;
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::{Agent, Proxy};

/// An HTTP and HTTPS client that uses the proxies named by the environment.
pub(super) struct Client {
    http: Agent,
    https: Agent,
    stall: Duration,
}

/// The answer of a mirror: bytes of a file from a position on.
pub(super) struct Reply {
    /// Position in the file that the body begins at.
    pub start: u64,
    /// Length of the whole file, if the mirror tells it.
    pub total: Option<u64>,
    pub body: Box<dyn Read>,
}

/// Reason why a mirror sends nothing, or no more.
pub(super) struct Failure {
    /// Predicate of a sentence about the mirror: `sends no length`.
    pub what: String,
    /// Whether asking the mirror again is in vain.
    pub lasting: bool,
}

impl Failure {
    /// Makes a failure that may be over at the next try.
    pub fn passing(what: impl Into<String>) -> Self {
        let what = what.into();
        let lasting = false;
        Failure { what, lasting }
    }

    /// Makes a failure that stays.
    pub fn lasting(what: impl Into<String>) -> Self {
        let what = what.into();
        let lasting = true;
        Failure { what, lasting }
    }
}

impl Client {
    /// Makes a client that gives up on a mirror that sends nothing for `stall`.
    pub fn new(stall: Duration) -> Result<Self> {
        let env = |name: &str| {
            let lower = std::env::var(name.to_ascii_lowercase());
            let value = lower.or_else(|_| std::env::var(name)).ok();
            value.filter(|value| !value.trim().is_empty())
        };
        let passed_by = env("NO_PROXY").unwrap_or_default();
        let agent = |name: &str| -> Result<Agent> {
            let named = [name, "ALL_PROXY"].into_iter();
            let set = named.filter_map(|name| Some((name, env(name)?))).next();
            let proxy = set.map(|(name, value)| proxy(name, &value, &passed_by));
            Ok(agent(stall, proxy.transpose()?))
        };
        Ok(Client {
            http: agent("HTTP_PROXY")?,
            https: agent("HTTPS_PROXY")?,
            stall,
        })
    }

    /// Requests the bytes of `url` from position `from` on. A mirror that cannot start there
    /// sends the whole file.
    pub fn get(&self, url: &str, from: u64) -> Result<Reply, Failure> {
        let agent = match url.split(':').next() {
            Some("https") => &self.https,
            Some(_) | None => &self.http,
        };
        // Compression on the way would spoil lengths and offsets.
        let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let reply = request.call().map_err(|e| {
            let mut failure = self.failure(e);
            if let Some(proxy) = proxy_of(agent, url) {
                failure
                    .what
                    .push_str(&format!(" (through the proxy {proxy})"));
            }
            failure
        })?;
        let (head, body) = reply.into_parts();
        let (start, total) = match head.status {
            StatusCode::OK => (0, body.content_length()),
            StatusCode::PARTIAL_CONTENT => range(&head.headers)
                .ok_or_else(|| Failure::lasting("sends a part without saying which"))?,
            status => return Err(refusal(status)),
        };
        Ok(Reply {
            start,
            total,
            body: Box::new(body.into_reader()),
        })
    }

    /// Translates a client's error into a failure of the mirror.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the client's errors, of which more may come, tell the rest themselves"
    )]
    pub fn failure(&self, error: ureq::Error) -> Failure {
        match error {
            ureq::Error::Timeout(_) => {
                Failure::passing(format!("sent nothing for {} s", self.stall.as_secs_f64()))
            }
            ureq::Error::HostNotFound => Failure::passing("is not known by that name"),
            ureq::Error::ConnectProxyFailed(why) => {
                Failure::passing(format!("is not to be had: {why}"))
            }
            ureq::Error::TooManyRedirects => Failure::lasting("redirects without end"),
            ureq::Error::Io(error) => Failure::passing(format!("cannot be read: {error}")),
            error => Failure::passing(format!("cannot be read: {error}")),
        }
    }
}

/// Host and port of the proxy that `agent` uses for `url`.
fn proxy_of(agent: &Agent, url: &str) -> Option<String> {
    let (proxy, url) = (agent.config().proxy()?, url.parse().ok()?);
    (!proxy.is_no_proxy(&url)).then(|| format!("{}:{}", proxy.host(), proxy.port()))
}

fn refusal(status: StatusCode) -> Failure {
    let what = format!("answers {status}");
    let passing = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    if status.is_server_error() || passing.contains(&status) {
        Failure::passing(what)
    } else {
        Failure::lasting(what)
    }
}

/// Parses `Content-Range: bytes START-END/LENGTH`: the start, and the length of the whole
/// file if given.
fn range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let value = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    Some((start.trim().parse().ok()?, total))
}

fn agent(stall: Duration, proxy: Option<Proxy>) -> Agent {
    let stall = Some(stall);
    Agent::config_builder()
        .user_agent(concat!("vanc/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .proxy(proxy)
        .timeout_resolve(stall)
        .timeout_connect(stall)
        .timeout_per_read(stall)
        .timeout_per_write(stall)
        .timeout_recv_response(stall)
        .build()
        .into()
}

/// Makes the proxy at the URL `value` of the environment variable `name`. It is not used for
/// the hosts in `passed_by`, a list separated by commas, nor for their subdomains.
fn proxy(name: &str, value: &str, passed_by: &str) -> Result<Proxy> {
    let refused = |e: ureq::Error| {
        Error::new(format!("{name} is {value:?}, which is no proxy: {e}"))
            .help("set it like http://proxy.example:3128, or unset it")
    };
    let parsed = Proxy::new(value.trim()).map_err(refused)?;
    let mut proxy = Proxy::builder(parsed.protocol())
        .host(parsed.host())
        .port(parsed.port());
    if let Some(user) = parsed.username() {
        proxy = proxy.username(user);
    }
    if let Some(password) = parsed.password() {
        proxy = proxy.password(password);
    }
    for host in passed_by.split(',').map(str::trim) {
        match host.trim_start_matches('*').trim_start_matches('.') {
            "" if host == "*" => proxy = proxy.no_proxy("*"),
            "" => {}
            host => proxy = proxy.no_proxy(host).no_proxy(&format!(".{host}")),
        }
    }
    proxy.build().map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let range = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_RANGE, value.parse().unwrap());
            super::range(&headers)
        };
        assert_eq!(range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(range("bytes 0-9/*"), Some((0, None)));
        for wrong in ["", "bytes", "bytes */10", "items 5-9/10", "bytes 5-9/ten"] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hosts_are_reached_past_the_proxy_with_their_subdomains() {
        let passed_by = " localhost,.internal.example , *.lab.example,,127.0.0.1";
        let proxy = proxy("HTTP_PROXY", "proxy.example:3128", passed_by).unwrap();
        assert_eq!((proxy.host(), proxy.port()), ("proxy.example", 3128));
        let direct = |host: &str| proxy.is_no_proxy(&format!("http://{host}/x").parse().unwrap());
        for host in [
            "localhost",
            "internal.example",
            "a.internal.example",
            "b.lab.example",
        ] {
            assert!(direct(host), "{host}");
        }
        for host in ["notlocalhost", "internal.example.org", "lab", "127.0.0.2"] {
            assert!(!direct(host), "{host}");
        }
        let all = super::proxy("HTTP_PROXY", "http://u:p@proxy:1", "*").unwrap();
        assert!(all.is_no_proxy(&"http://any.example".parse().unwrap()));
        assert_eq!((all.username(), all.password()), (Some("u"), Some("p")));
    }

    #[test]
    fn a_wrong_proxy_is_named() {
        for wrong in ["gopher://x", "http://", "a b"] {
            let error = proxy("HTTPS_PROXY", wrong, "").unwrap_err();
            assert!(error.message.contains("HTTPS_PROXY"), "{error}");
        }
    }
}
