//! Hashes in the form `name$parameters$salt$hash`: the PHC string format, and passlib's older variant of it.

use argon2::{Algorithm, Argon2, Params, Version};
use ring::pbkdf2::Algorithm as Pbkdf2;

use super::work::{self, Unreadable, argon2_is_affordable, base64, derive, exactly, number, same};

/// `argon2id$v=19$m=65536,t=3,p=4$salt$hash`
pub(super) fn argon2(password: &[u8], rest: &str) -> Result<bool, Unreadable> {
    let fields: Vec<_> = rest.split('$').collect();
    let (algorithm, version, parameters, salt, hash) = match fields[..] {
        [algorithm, version, parameters, salt, hash] => {
            (algorithm, version, parameters, salt, hash)
        }
        // Hashes of the first version do not name it.
        [algorithm, parameters, salt, hash] => (algorithm, "v=16", parameters, salt, hash),
        _ => return Err(Unreadable),
    };
    let algorithm = Algorithm::new(algorithm).map_err(|_| Unreadable)?;
    let version: u32 = number(version.strip_prefix("v=").ok_or(Unreadable)?)?;
    let version = Version::try_from(version).map_err(|_| Unreadable)?;
    let hash = base64(hash)?;
    let (m, t, p): (u32, u32, _) = (
        value(parameters, "m")?,
        value(parameters, "t")?,
        value(parameters, "p")?,
    );
    argon2_is_affordable(m, t)?;
    let params = Params::new(m, t, p, Some(hash.len())).map_err(|_| Unreadable)?;
    let mut output = vec![0; hash.len()];
    let argon2 = Argon2::new(algorithm, version, params);
    argon2
        .hash_password_into(password, &base64(salt)?, &mut output)
        .map_err(|_| Unreadable)?;
    same(&output, &hash)
}

/// `scrypt$ln=15,r=8,p=1$salt$hash`
pub(super) fn scrypt(password: &[u8], rest: &str) -> Result<bool, Unreadable> {
    let fields: Vec<_> = rest.split('$').collect();
    let [_, parameters, salt, hash] = fields[..] else {
        return Err(Unreadable);
    };
    let cost = (
        value(parameters, "ln")?,
        value(parameters, "r")?,
        value(parameters, "p")?,
    );
    let hash = exactly(32, base64(hash)?)?;
    let mut output = [0; 32];
    work::scrypt(password, &base64(salt)?, cost, &mut output)?;
    same(&output, &hash)
}

/// `pbkdf2-sha256$i=600000,l=32$salt$hash`, or passlib's form with the rounds alone and `.` for `+`.
pub(super) fn pbkdf2(
    password: &[u8],
    rest: &str,
    algorithm: Pbkdf2,
    length: usize,
) -> Result<bool, Unreadable> {
    let fields: Vec<_> = rest.split('$').collect();
    let [_, parameters, salt, hash] = fields[..] else {
        return Err(Unreadable);
    };
    let decode = |text: &str| base64(&text.replace('.', "+"));
    let rounds = value::<u32>(parameters, "i")
        .map_or_else(|_| parameters.to_owned(), |rounds| rounds.to_string());
    let length = value(parameters, "l").unwrap_or(length).max(16);
    derive(
        password,
        algorithm,
        &rounds,
        &decode(salt)?,
        &exactly(length, decode(hash)?)?,
    )
}

/// A parameter of `a=1,b=2`.
fn value<T: std::str::FromStr>(parameters: &str, name: &str) -> Result<T, Unreadable> {
    let mut pairs = parameters
        .split(',')
        .filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(found, _)| *found == name).ok_or(Unreadable)?;
    number(value)
}
