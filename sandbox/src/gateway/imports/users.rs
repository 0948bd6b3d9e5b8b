//! Runs an import job: one user per row, and a log line for each.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::csv::Sheet;
use super::hash::{Imported, Refused};
use super::{HASH_COLUMN, Imports, Job};
use crate::gateway::iam::Identities;
use crate::gateway::pool::Pool;
use crate::gateway::{new_users, users};
use crate::wire::Refusal;

/// This many rows that are not imported, before any that is, end a job: the guide's example of such a job has
/// five.
const TOO_MANY: u64 = 5;

/// How many lines of the log are written together.
const LINES: usize = 100;

/// The outcome of a row.
enum Row {
    Imported,
    Exists,
    Failed(&'static str),
}

impl Imports {
    /// Runs a job to its end.
    pub(super) async fn run(&self, pool: &Pool, id: &str, identities: &Identities) {
        tokio::time::sleep(self.rules(&pool.id).pending).await;
        let (status, message) = match self.import(pool, id, identities).await {
            Ok(ended) => ended,
            Err(_) => ("Failed", Some("An internal error occurred.")),
        };
        self.ended(id, status, message);
    }

    fn snapshot(&self, id: &str) -> Option<Job> {
        let jobs = crate::lock::lock(&self.jobs);
        jobs.iter().find(|job| job.id == id).cloned()
    }

    async fn import(
        &self,
        pool: &Pool,
        id: &str,
        identities: &Identities,
    ) -> Result<(&'static str, Option<&'static str>), Refusal> {
        const STOPPED: (&str, Option<&str>) = (
            "Stopped",
            Some("The Import Job was stopped by the developer."),
        );
        let Some(job) = self.snapshot(id) else {
            return Ok(("Failed", None));
        };
        if job.status == "Stopping" {
            return Ok(STOPPED);
        }
        self.edit(id, |job| job.status = "InProgress");
        let role = job.role.rsplit('/').next().unwrap_or_default();
        if !identities
            .assumes(&job.scope, role, "cognito-idp.amazonaws.com")
            .await?
        {
            return Ok((
                "Failed",
                Some("The CloudWatch Logs role cannot be assumed."),
            ));
        }
        let log = Log::begin(self, pool, &job).await?;
        let unreadable = ("Failed", Some("The CSV file could not be parsed."));
        let required = self.header(pool).await?;
        let file = job.file.as_deref().unwrap_or_default();
        let Some(sheet) = Sheet::read(file, &required) else {
            return Ok(unreadable);
        };
        if job.kind.is_some() && !sheet.columns.iter().any(|column| column == HASH_COLUMN) {
            return Ok(unreadable);
        }
        let known = |column: &String| column == HASH_COLUMN || required.contains(column);
        if !sheet.columns.iter().all(known) {
            return Ok(unreadable);
        }
        let rules = self.rules(&pool.id);
        let mut lines = Vec::new();
        for (line, row) in (rules.first_line..).zip(&sheet.rows) {
            if rules.per_user > Duration::ZERO {
                tokio::time::sleep(rules.per_user).await;
            }
            let came = self.row(pool, &job, &sheet, row).await?;
            self.edit(id, |job| match came {
                Row::Imported => job.imported += 1,
                Row::Exists => job.skipped += 1,
                Row::Failed(_) => job.failed += 1,
            });
            lines.push(match came {
                Row::Imported => format!("[SUCCEEDED] Line Number {line} - The import succeeded."),
                Row::Exists => format!("[SKIPPED] Line Number {line} - The user already exists."),
                Row::Failed(why) => format!("[FAILED] Line Number {line} - {why}"),
            });
            if lines.len() >= LINES {
                log.write(std::mem::take(&mut lines)).await?;
            }
            let Some(job) = self.snapshot(id) else {
                break;
            };
            if job.status == "Stopping" {
                log.write(lines).await?;
                return Ok(STOPPED);
            }
            if job.imported == 0 && job.skipped + job.failed >= TOO_MANY {
                log.write(lines).await?;
                let message = "Too many users have failed or been skipped during the import.";
                return Ok(("Failed", Some(message)));
            }
        }
        log.write(lines).await?;
        Ok(("Succeeded", None))
    }

    /// Imports the user of one row.
    async fn row(
        &self,
        pool: &Pool,
        job: &Job,
        sheet: &Sheet,
        row: &[String],
    ) -> Result<Row, Refusal> {
        let Some(username) = sheet.value(row, "cognito:username") else {
            return Ok(Row::Failed(
                "The User Record does not set cognito:username.",
            ));
        };
        if username.contains([' ', '\t']) {
            return Ok(Row::Failed("The username contains white space."));
        }
        let hash = match (job.kind, sheet.value(row, HASH_COLUMN)) {
            (Some((_, kind)), Some(text)) => match Imported::read(kind, text) {
                Ok(hash) => Some(hash),
                Err(Refused::Malformed) => {
                    return Ok(Row::Failed("The password hash is malformed."));
                }
                Err(Refused::OutOfBounds) => {
                    return Ok(Row::Failed(
                        "The password hash has a parameter that is out of bounds.",
                    ));
                }
            },
            (None, Some(_)) => {
                return Ok(Row::Failed(
                    "The job does not specify a password hashing algorithm.",
                ));
            }
            (_, None) => None,
        };
        let attributes = match attributes(pool, sheet, row, username) {
            Ok(attributes) => attributes,
            Err(why) => return Ok(Row::Failed(why)),
        };
        let mut names = vec![username.to_owned()];
        for name in pool.identity("UsernameAttributes") {
            names.extend(attributes.get(name).cloned());
        }
        names.dedup();
        for name in &names {
            if users::find(&self.upstream, pool, name).await?.is_some() {
                return Ok(Row::Exists);
            }
        }
        self.make(pool, username, &attributes, hash).await
    }

    async fn make(
        &self,
        pool: &Pool,
        username: &str,
        attributes: &BTreeMap<String, String>,
        hash: Option<Imported>,
    ) -> Result<Row, Refusal> {
        let sub = new_users::id();
        let mut given = vec![json!({"Name": "sub", "Value": sub})];
        let pairs = attributes.iter();
        given.extend(pairs.map(|(name, value)| json!({"Name": name, "Value": value})));
        let call = async |action: &str, more: Value| {
            let mut asked = json!({"UserPoolId": pool.id, "Username": username});
            crate::gateway::json::fill(&mut asked, more);
            self.upstream.cognito(&pool.scope, action, &asked).await
        };
        let more = json!({"MessageAction": "SUPPRESS", "UserAttributes": given});
        match call("AdminCreateUser", more).await {
            Err(refusal) if refusal.code == "UsernameExistsException" => return Ok(Row::Exists),
            Err(refusal) if refusal.code == "InvalidParameterException" => {
                return Ok(Row::Failed("The user data doesn't match the schema."));
            }
            made => made?,
        };
        // An unknown password.
        let random = format!("{:032x}Aa1!", fastrand::u128(..));
        let permanent = json!({"Password": random, "Permanent": true});
        call("AdminSetUserPassword", permanent).await?;
        match hash {
            Some(hash) => {
                let key = (pool.id.clone(), sub);
                crate::lock::lock(&self.hashes).insert(key, hash);
            }
            None => drop(call("AdminResetUserPassword", json!({})).await?),
        }
        Ok(Row::Imported)
    }
}

/// The attributes of a row, or why it cannot be imported.
fn attributes(
    pool: &Pool,
    sheet: &Sheet,
    row: &[String],
    username: &str,
) -> Result<BTreeMap<String, String>, &'static str> {
    let mut attributes = BTreeMap::new();
    for column in &sheet.columns {
        let of_cognito = column.starts_with("cognito:") || column == HASH_COLUMN;
        let Some(value) = sheet.value(row, column).filter(|_| !of_cognito) else {
            continue;
        };
        let value = match column.as_str() {
            "email_verified" | "phone_number_verified" => {
                match value.to_ascii_lowercase().as_str() {
                    flag @ ("true" | "false") => flag.to_owned(),
                    _ => return Err("A verified attribute is neither true nor false."),
                }
            }
            "birthdate" => match day(value) {
                Some(day) => day,
                None => return Err("The birthdate is not in the format mm/dd/yyyy."),
            },
            "updated_at" if value.parse::<u64>().is_err() => {
                return Err("updated_at is not epoch time in seconds.");
            }
            _ => value.to_owned(),
        };
        attributes.insert(column.clone(), value);
    }
    let mfa = pool.settings["MfaConfiguration"].as_str();
    match (sheet.value(row, "cognito:mfa_enabled"), mfa) {
        (None, _) => {}
        (Some(asked), Some(setting)) => match (asked.to_ascii_lowercase().as_str(), setting) {
            ("true", "OFF") | ("false", "ON") => {
                return Err("cognito:mfa_enabled does not fit the user pool.");
            }
            _ => {}
        },
        _ => {}
    }
    for address in ["email", "phone_number"] {
        let flag = format!("{address}_verified");
        if attributes.get(&flag).is_some_and(|flag| flag == "true")
            && !attributes.contains_key(address)
        {
            return Err("A verified attribute has no value.");
        }
    }
    let verified = &pool.settings["AutoVerifiedAttributes"];
    let verified = crate::gateway::json::strings(verified);
    let is_verified = |name: &&str| {
        let flag = attributes.get(&format!("{name}_verified"));
        flag.is_some_and(|flag| flag == "true")
    };
    if !verified.iter().any(is_verified) {
        return Err(
            "The User Record does not set any of the auto verified attributes to true. (Example: email_verified to true).",
        );
    }
    // In such a pool a user is created with an address.
    let names = pool.identity("UsernameAttributes");
    let address = |name: &&&str| match **name {
        "email" => username.contains('@'),
        _ => username.starts_with('+'),
    };
    if !names.is_empty() && names.iter().find(address).is_none() {
        return Err("The username is not an email address or a phone number.");
    }
    if pool.identity("AliasAttributes").contains(&"email") && username.contains('@') {
        return Err(
            "Username cannot be of email format, since user pool is configured for email alias.",
        );
    }
    Ok(attributes)
}

/// `02/01/1985` in the form that Cognito stores.
fn day(written: &str) -> Option<String> {
    let parts: Vec<_> = written.split('/').collect();
    let [month, day, year] = parts[..] else {
        return None;
    };
    let digits =
        |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    let formed = digits(month, 2) && digits(day, 2) && digits(year, 4);
    let date = format!("{year}-{month}-{day}");
    (formed && date.parse::<jiff::civil::Date>().is_ok()).then_some(date)
}

/// The log of a job.
struct Log<'a> {
    imports: &'a Imports,
    job: &'a Job,
    group: String,
    stream: String,
}

impl<'a> Log<'a> {
    async fn begin(imports: &'a Imports, pool: &Pool, job: &'a Job) -> Result<Self, Refusal> {
        let name = pool.settings["PoolName"].as_str().unwrap_or_default();
        let log = Self {
            imports,
            job,
            group: format!("/aws/cognito/userpools/{}/{name}", pool.id),
            stream: format!("{}/{}", job.id, job.name),
        };
        let exists = |refusal: Refusal| match refusal.code.as_str() {
            "ResourceAlreadyExistsException" => Ok(Value::Null),
            _ => Err(refusal),
        };
        let group = json!({"logGroupName": log.group});
        log.call("CreateLogGroup", group).await.or_else(exists)?;
        let stream = json!({"logGroupName": log.group, "logStreamName": log.stream});
        log.call("CreateLogStream", stream).await.or_else(exists)?;
        Ok(log)
    }

    async fn write(&self, lines: Vec<String>) -> Result<(), Refusal> {
        if lines.is_empty() {
            return Ok(());
        }
        let now = super::millis();
        let event = |line: &String| json!({"timestamp": now, "message": line});
        let events: Vec<_> = lines.iter().map(event).collect();
        let written = json!({
            "logGroupName": self.group, "logStreamName": self.stream, "logEvents": events,
        });
        self.call("PutLogEvents", written).await.map(drop)
    }

    async fn call(&self, action: &str, body: Value) -> Result<Value, Refusal> {
        let upstream = &self.imports.upstream;
        let target = format!("Logs_20140328.{action}");
        upstream.json(&self.job.scope, "logs", &target, &body).await
    }
}
