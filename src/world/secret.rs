//! Shared secret of the processes of a world, and how each proves to the other that it knows
//! it without telling it.

use crate::error::{Error, Result};
use crate::files;
use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use std::fmt;
use std::io;
use std::path::Path;

/// Environment variable that holds the secret.
const TEXT: &str = "VANC_SECRET";

/// Environment variable that names a file with the secret.
const FILE: &str = "VANC_SECRET_FILE";

/// Advice that makes a secret.
pub const MAKE: &str = "make one with `export VANC_SECRET=$(openssl rand -hex 32)` and give it to \
                        all processes, or name a file with it in VANC_SECRET_FILE";

/// Fewest bytes of a secret: who has seen a proof may try shorter ones until one fits.
const SHORTEST: usize = 16;

/// Most bytes of a secret.
const LONGEST: usize = 4096;

/// Random bytes that a proof is made for, so that it is of no use a second time.
pub type Nonce = [u8; 32];

/// HMAC-SHA-256 of both nonces under the secret.
pub type Proof = [u8; 32];

/// The proof that rank 0 sends in place of its own to a process whose proof is wrong.
pub const REFUSED: Proof = [0; 32];

/// The two ends of a connection; a proof of one is none of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Rank 0, which listens.
    Leader,
    /// A process that connects.
    Worker,
}

/// The secret, if there is one. It is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Option<Vec<u8>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_given() { "given" } else { "none" })
    }
}

impl Secret {
    /// Reads the secret from the variables that `variable` looks up.
    ///
    /// # Errors
    ///
    /// When both variables are set, when the file cannot be read, and when the secret is too
    /// short or too long.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Secret> {
        match (variable(TEXT), variable(FILE)) {
            (None, None) => Ok(Secret(None)),
            (Some(_), Some(_)) => Err(Error::new(format!("{TEXT} and {FILE} are both set"))
                .help("keep one of them, the same for all processes")),
            (Some(text), None) => Secret::new(text.as_bytes(), TEXT),
            (None, Some(file)) => {
                let path = Path::new(&file);
                let bytes = files::read_head(path, LONGEST + 1).map_err(|e| {
                    Error::io("read", path, e).help(format!("{FILE} names the file; {MAKE}"))
                })?;
                Secret::new(bytes.trim_ascii(), FILE)
            }
        }
    }

    fn new(bytes: &[u8], source: &str) -> Result<Secret> {
        match bytes.len() {
            SHORTEST..=LONGEST => Ok(Secret(Some(bytes.to_vec()))),
            length => Err(Error::new(format!(
                "the secret of {source} has {length} bytes, where {SHORTEST} to {LONGEST} are needed"
            ))
            .help(MAKE)),
        }
    }

    /// Whether there is a secret. Without one every process of this machine is trusted, and no
    /// other.
    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// Proves for `end` that it knows the secret.
    ///
    /// # Errors
    ///
    /// Never for the secrets that [`Secret::read`] gives.
    pub fn prove(&self, end: End, nonces: [&Nonce; 2]) -> io::Result<Proof> {
        Ok(self.mac(end, nonces)?.finalize().into_bytes().into())
    }

    /// Whether `proof` is that of `end`, in a time that tells nothing of the right one.
    pub fn accepts(&self, proof: &Proof, end: End, nonces: [&Nonce; 2]) -> bool {
        let mac = self.mac(end, nonces);
        mac.is_ok_and(|mac| mac.verify_slice(proof).is_ok())
    }

    fn mac(&self, end: End, [leader, worker]: [&Nonce; 2]) -> io::Result<Hmac<Sha256>> {
        let key = self.0.as_deref().unwrap_or_default();
        let mac = Hmac::<Sha256>::new_from_slice(key).map_err(io::Error::other)?;
        let end: &[u8] = match end {
            End::Leader => b"vanc leader",
            End::Worker => b"vanc worker",
        };
        Ok(mac
            .chain_update(end)
            .chain_update(leader)
            .chain_update(worker))
    }
}

/// Draws a nonce from the system's source.
///
/// # Errors
///
/// When the system has none.
pub fn nonce() -> io::Result<Nonce> {
    let mut nonce = Nonce::default();
    SysRng
        .try_fill_bytes(&mut nonce)
        .map_err(io::Error::other)?;
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Secret> {
        Secret::read(&|name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_string())
        })
    }

    const GOOD: &str = "0123456789abcdef";

    #[test]
    fn a_secret_is_read_from_a_variable_or_a_file_and_never_shown() {
        let secret = read(&[(TEXT, GOOD)]).unwrap();
        assert_eq!(format!("{secret:?}"), "given");
        assert!(!read(&[]).unwrap().is_given());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, format!("{GOOD}\n")).unwrap();
        let name = path.to_str().unwrap();
        assert_eq!(read(&[(FILE, name)]).unwrap(), secret);
        assert!(read(&[(FILE, name), (TEXT, GOOD)]).is_err());
        assert!(read(&[(FILE, "/no/such/file")]).is_err());
        assert!(read(&[(FILE, dir.path().to_str().unwrap())]).is_err());
        let short = read(&[(TEXT, &GOOD[1..])]).unwrap_err();
        assert!(short.message.contains("15 bytes"), "{short}");
        assert!(!short.to_string().contains(&GOOD[1..]));
        assert!(read(&[(TEXT, &"x".repeat(LONGEST + 1))]).is_err());
    }

    #[test]
    fn a_proof_is_of_one_secret_one_end_and_two_nonces() {
        let secret = read(&[(TEXT, GOOD)]).unwrap();
        let [a, b] = [nonce().unwrap(), nonce().unwrap()];
        assert_ne!(a, b);
        let proof = secret.prove(End::Worker, [&a, &b]).unwrap();
        assert!(secret.accepts(&proof, End::Worker, [&a, &b]));
        assert!(!secret.accepts(&proof, End::Leader, [&a, &b]));
        assert!(!secret.accepts(&proof, End::Worker, [&b, &a]));
        assert!(!secret.accepts(&REFUSED, End::Worker, [&a, &b]));
        assert!(!Secret::default().accepts(&proof, End::Worker, [&a, &b]));
    }

    #[test]
    fn the_code_is_that_of_rfc_4231() {
        // Its second test, whose data are put together from the parts.
        let mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        let code = mac
            .chain_update(b"what do ya want ")
            .chain_update(b"for nothing?");
        let code = code.finalize().into_bytes();
        assert_eq!(code[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert_eq!(code[28..], [0x64, 0xec, 0x38, 0x43]);
    }
}
