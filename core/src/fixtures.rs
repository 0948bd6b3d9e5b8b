//! Reads `core/fixtures`: the input of checks and plans in end-to-end runs, and their results. Only for tests.
//!
//! `UPDATE_FIXTURES=1 cargo test -p jane-migrate-core fixtures` writes the current results into the files; review the diff.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jane_migrate_config::{Architecture, Config, Secret, Vpc};
use serde_json::{Map, Value};

use crate::aws_error::{AwsError, Kind};
use crate::document::{ClientDocument, PoolDocument};
use crate::exposure::{
    Alias, CodeSigning, EventCopy, EventSource, FunctionUrl, Metrics, SecretPlace, Subscription,
    Version,
};
use crate::finding::Finding;
use crate::firewall::WebAcl;
use crate::fix::Flags;
use crate::ids::{ALIAS, Names};
use crate::jane::{self, Answers};
use crate::observed::{KeptSecret, Observed, PoolState};
use crate::permission::Policy;
use crate::probe::{self, Attempt, Probes, Source};
use crate::read::{Read, Unread};
use crate::recovery::Recovery;
use crate::resources::{EnvValue, Function, FunctionState, LogGroup, ObservedFunction, Role, Tags};
use crate::watch::{Part, Watch};

/// One file.
pub(crate) struct Fixture {
    pub name: String,
    pub json: Value,
    path: PathBuf,
}

/// All files in a folder of `core/fixtures`.
pub(crate) fn all(folder: &str) -> Vec<Fixture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(folder);
    let mut fixtures: Vec<Fixture> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let json = std::fs::read(&path).unwrap();
            Fixture {
                name: path.file_stem().unwrap().to_string_lossy().into_owned(),
                json: serde_json::from_slice(&json).unwrap(),
                path,
            }
        })
        .collect();
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!fixtures.is_empty(), "no fixture in {}", folder.display());
    fixtures
}

impl Fixture {
    /// Compares a field with its current value; returns the difference.
    pub(crate) fn hold(&mut self, member: &str, now: Value) -> Option<String> {
        if self.json[member] == now {
            return None;
        }
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            self.json[member] = now;
            std::fs::write(&self.path, compact(&self.json)).unwrap();
            return None;
        }
        let differences = crate::document::differences(&self.json[member], &now);
        let shown: Vec<String> = differences.iter().map(ToString::to_string).collect();
        Some(format!("{}: {}", self.name, shown.join("\n    ")))
    }

    pub(crate) fn flags(&self) -> Flags {
        let flags = &self.json["flags"];
        Flags::recorded(text(&flags["ours"]), text(&flags["aws"]))
    }

    pub(crate) fn config(&self) -> Option<Config> {
        let toml = self.json["config"]["toml"].as_str()?;
        let config = jane_migrate_config::parse(toml, "migrate.toml").unwrap();
        let pool = text(&self.json["config"]["pool"]).parse().unwrap();
        Some(config.for_pool(&pool).clone())
    }

    fn names(&self) -> Names {
        let names = match &self.json["names"] {
            Value::Null => &self.json["observed"]["names"],
            names => names,
        };
        let pool = text(&names["pool"]).parse().unwrap();
        let config = self.config();
        Names::configured(pool, config.as_ref().map(|config| &config.function))
    }

    /// The input of the checks.
    pub(crate) fn observed(&self) -> Observed {
        let seen = &self.json["observed"];
        let mfa = read(&seen["mfa"], Value::clone);
        let pool = read(&seen["pool"], |pool| {
            Some(PoolState {
                document: PoolDocument::from_json(pool.clone()).unwrap(),
                mfa: mfa.clone(),
            })
        });
        let live = read(&seen["function"], |found| optional(found, function));
        let aliases = read(&seen["aliases"], |found| list(found, alias));
        let alias = ours(&aliases, &pool, &self.names());
        let versions = read(&seen["versions"], |found| {
            let mut versions = list(found, |version| Version {
                number: string(&version["number"]),
                runs: function(&version["runs"]),
            });
            // Our alias points to the function as it is.
            if let (Ok(Some(alias)), Ok(Some(runs))) = (&alias, &live) {
                versions.push(Version {
                    number: alias.version.clone(),
                    runs: runs.clone(),
                });
            }
            versions
        });
        Observed {
            pool,
            clients: read(&seen["clients"], |found| list(found, client)),
            function: live.clone(),
            behind: match (&alias, &seen["behind"]) {
                (Ok(None), _) => Ok(None),
                (_, Value::Null) => live.clone(),
                (_, behind) => Ok(Some(function(behind))),
            },
            alias,
            live,
            alias_gone: seen["alias_gone"] == true,
            policies: read(&seen["policies"], policies),
            urls: read(&seen["urls"], |found| {
                list(found, |url| FunctionUrl {
                    url: string(&url["url"]),
                    qualifier: url["qualifier"].as_str().map(str::to_owned),
                    auth: string(&url["auth"]),
                })
            }),
            aliases,
            versions,
            event_sources: read(&seen["event_sources"], |found| {
                list(found, |source| EventSource {
                    uuid: string(&source["uuid"]),
                    source: string(&source["source"]),
                })
            }),
            event_copies: read(&seen["event_copies"], |found| {
                list(found, |copy| EventCopy {
                    qualifier: copy["qualifier"].as_str().map(str::to_owned),
                    destination: string(&copy["destination"]),
                })
            }),
            code_signing: read(&seen["code_signing"], |found| {
                // At the time of the recording only the ARN was read.
                optional(found, |arn| CodeSigning {
                    arn: string(arn),
                    refuses: true,
                    trusted: Vec::new(),
                })
            }),
            runtime_updates: read(&seen["runtime_updates"], |found| optional(found, string)),
            role: read(&seen["role"], |found| optional(found, role)),
            role_policies: read(&seen["role_policies"], |found| documents(found).collect()),
            attached_policies: read(&seen["attached_policies"], |found| {
                documents(found)
                    .map(|(arn, policy)| (arn, Ok(policy)))
                    .collect()
            }),
            boundary: read(&seen["boundary"], |found| optional(found, Value::clone)),
            log_group: read(&seen["log_group"], |found| optional(found, log_group)),
            log_subscriptions: read(&seen["log_subscriptions"], subscriptions),
            web_acl: match &seen["web_acl"] {
                Value::Null => Err(Unread::NotAsked),
                seen => read(seen, |found| optional(found, WebAcl::read)),
            },
            recoveries: match &seen["recoveries"] {
                Value::Null => Err(Unread::NotAsked),
                seen => read(seen, recoveries),
            },
            account_log_subscriptions: read(&seen["account_log_subscriptions"], subscriptions),
            secrets: read(&seen["secrets"], |found| list(found, kept_secret)),
            metrics: read(&seen["metrics"], |found| Metrics {
                invocations: number(&found["invocations"]),
                errors: number(&found["errors"]),
                refused_sign_ups: number(&found["refused_sign_ups"]),
                throttles: number(&found["throttles"]),
                throttled_sign_ins: number(&found["throttled_sign_ins"]),
                p99_ms: found["p99_ms"].as_f64(),
            }),
            leak: read(&seen["leak"], Value::as_i64),
            watch: match &seen["watch"] {
                Value::Null => Ok(Watch::new()),
                seen => read(seen, watch),
            },
            concurrency_limit: Ok(seen["concurrency_limit"].as_u64().map(|limit| limit as u32)),
            jane: answers(&seen["jane"]),
            probes: optional(&seen["probes"], probes),
            ..Observed::nothing(self.names())
        }
    }

    /// The input of a plan.
    pub(crate) fn observed_for_plan(&self) -> Observed {
        let seen = &self.json["observed"];
        let role = optional(&seen["role"], role);
        let group = optional(&seen["log_group"], log_group);
        let gone = seen["mfa"].is_null();
        let found = optional(&seen["function"], function);
        let pool = PoolState {
            document: PoolDocument::from_json(seen["pool"].clone()).unwrap(),
            mfa: Ok(seen["mfa"].clone()),
        };
        let alias = optional(&seen["alias"], alias);
        let behind = found.clone().filter(|_| alias.is_some());
        let trigger = pool.document.user_migration().map(str::to_owned);
        let qualifier = trigger.and_then(|arn| self.names().qualifier(&arn).map(str::to_owned));
        let live = match qualifier.as_deref() {
            None => Ok(found.clone()),
            Some(ALIAS) => Ok(behind.clone().or(found.clone())),
            Some(_) => Err(Unread::NotAsked),
        };
        Observed {
            pool: Ok(Some(pool).filter(|_| !gone)),
            clients: Ok(list(&seen["clients"], client)),
            live,
            alias_gone: qualifier.as_deref() == Some(ALIAS) && alias.is_none(),
            alias: Ok(alias),
            behind: Ok(behind),
            function: Ok(found),
            policies: Ok(policies(&seen["policies"])),
            role_policies: Ok(role.iter().flat_map(|role| role.policies.clone()).collect()),
            attached_policies: Ok(role
                .iter()
                .flat_map(|role| &role.attached)
                .map(|arn| (arn.clone(), Err(Unread::NotAsked)))
                .collect()),
            boundary: match role.as_ref().is_some_and(|role| role.boundary.is_some()) {
                true => Err(Unread::NotAsked),
                false => Ok(None),
            },
            role: Ok(role),
            log_group_tags: Ok(group.iter().flat_map(|group| group.tags.clone()).collect()),
            log_group: Ok(group),
            ..Observed::nothing(self.names())
        }
    }
}

/// A finding in the form of the report.
pub(crate) fn written(finding: &Finding, flags: &Flags) -> Value {
    let mut json = serde_json::to_value(finding).unwrap();
    if let Some(fix) = &finding.fix {
        json["fix"] = fix.render(flags).into();
    }
    json
}

/// Sorted keys; a value that fits is on one line.
fn compact(json: &Value) -> String {
    fn write(json: &Value, indent: usize, out: &mut String) {
        let line = json.to_string();
        if line.len() + indent <= 160 || !(json.is_object() || json.is_array()) {
            out.push_str(&line);
            return;
        }
        let pad = " ".repeat(indent + 1);
        let (open, close) = if json.is_object() {
            ('{', '}')
        } else {
            ('[', ']')
        };
        out.push(open);
        let mut member = |first: bool, key: Option<&String>, value: &Value| {
            out.push_str(if first { "\n" } else { ",\n" });
            out.push_str(&pad);
            if let Some(key) = key {
                out.push_str(&format!("{}: ", Value::from(key.clone())));
            }
            write(value, indent + 1, out);
        };
        match json {
            Value::Object(members) => members
                .iter()
                .enumerate()
                .for_each(|(n, (key, value))| member(n == 0, Some(key), value)),
            Value::Array(values) => values
                .iter()
                .enumerate()
                .for_each(|(n, value)| member(n == 0, None, value)),
            _ => {}
        }
        out.push_str(&format!("\n{}{close}", " ".repeat(indent)));
    }
    let mut out = String::new();
    write(json, 0, &mut out);
    out.push('\n');
    out
}

fn recoveries(found: &Value) -> Vec<Recovery> {
    let found = found.as_array().into_iter().flatten();
    found
        .map(|one| Recovery {
            id: string(&one["id"]),
            status: string(&one["status"]),
            point: one["point"].as_i64().unwrap(),
        })
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn string(value: &Value) -> String {
    text(value).to_owned()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

fn list<T>(value: &Value, one: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(one).collect()
}

fn optional<T>(value: &Value, some: impl FnOnce(&Value) -> T) -> Option<T> {
    (!value.is_null()).then(|| some(value))
}

fn documents(value: &Value) -> impl Iterator<Item = (String, Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.clone()))
}

fn read<T>(value: &Value, ok: impl FnOnce(&Value) -> T) -> Read<T> {
    if value == "not-asked" {
        return Err(Unread::NotAsked);
    }
    match value.get("failed") {
        Some(failed) => Err(Unread::Failed(aws_error(failed))),
        None => Ok(ok(&value["ok"])),
    }
}

fn aws_error(failed: &Value) -> AwsError {
    let (code, message) = text(&failed["message"]).split_once(": ").unwrap();
    AwsError {
        action: String::leak(string(&failed["action"])),
        kind: match text(&failed["kind"]) {
            "NotFound" => Kind::NotFound,
            "Denied" => Kind::Denied,
            "Throttled" => Kind::Throttled,
            "NoAnswer" => Kind::NoAnswer,
            "Refused" => Kind::Refused,
            other => panic!("the kind {other} is not known here"),
        },
        code: code.to_owned(),
        message: message.to_owned(),
        request_id: None,
    }
}

fn client(value: &Value) -> ClientDocument {
    ClientDocument::from_json(value.clone()).unwrap()
}

/// If the aliases were not read, the one that the pool calls is added.
fn ours(
    aliases: &Read<Vec<Alias>>,
    pool: &Read<Option<PoolState>>,
    names: &Names,
) -> Read<Option<Alias>> {
    let trigger = match pool {
        Ok(Some(pool)) => pool.document.user_migration().map(str::to_owned),
        _ => None,
    };
    match aliases {
        Err(Unread::NotAsked) if trigger == Some(names.live_arn.clone()) => Ok(Some(Alias {
            name: ALIAS.into(),
            version: "7".into(),
            shares: Vec::new(),
            revision: None,
            lease: None,
        })),
        Ok(aliases) => Ok(aliases.iter().find(|alias| alias.name == ALIAS).cloned()),
        Err(unread) => Err(unread.clone()),
    }
}

fn alias(value: &Value) -> Alias {
    Alias {
        name: string(&value["name"]),
        version: string(&value["version"]),
        shares: list(&value["shares"], string),
        revision: None,
        lease: None,
    }
}

fn policies(value: &Value) -> BTreeMap<Option<String>, Policy> {
    let one = |one: &Value| {
        let qualifier = one["qualifier"].as_str().map(str::to_owned);
        (qualifier, policy(&one["policy"]))
    };
    list(value, one).into_iter().collect()
}

fn policy(value: &Value) -> Policy {
    Policy {
        statements: list(&value["statements"], Value::clone),
    }
}

fn tags(value: &Value) -> Tags {
    let tags: Option<&Map<String, Value>> = value.as_object();
    tags.into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), string(value)))
        .collect()
}

fn role(value: &Value) -> Role {
    Role {
        name: string(&value["name"]),
        path: value["path"].as_str().unwrap_or("/").to_owned(),
        trust: value["trust"].clone(),
        policies: documents(&value["policies"]).collect(),
        attached: list(&value["attached"], string),
        boundary: value["boundary"].as_str().map(str::to_owned),
        id: None,
        tags: tags(&value["tags"]),
    }
}

fn watch(value: &Value) -> Watch {
    let part = |name: &str| match name {
        "alarm" => Part::Alarm,
        "dashboard" => Part::Dashboard,
        _ => Part::MetricFilter,
    };
    let items = value.as_array().into_iter().flatten();
    items
        .map(|item| {
            let key = (part(text(&item["part"])), string(&item["name"]));
            (key, item["body"].clone())
        })
        .collect()
}

fn log_group(value: &Value) -> LogGroup {
    LogGroup {
        name: string(&value["name"]),
        retention_days: value["retention_days"].as_u64().map(|days| days as u32),
        kms_key_arn: value["kms_key_arn"].as_str().map(str::to_owned),
        created_ms: value["created_ms"].as_i64(),
        tags: tags(&value["tags"]),
    }
}

fn function(value: &Value) -> ObservedFunction {
    let of = &value["function"];
    let whole = |member: &str| of[member].as_u64().unwrap() as u32;
    let named = |value: &Value| value.as_str().map(str::to_owned);
    ObservedFunction {
        function: Function {
            name: string(&of["name"]),
            runtime: string(&of["runtime"]),
            handler: string(&of["handler"]),
            architecture: match text(&of["architecture"]) {
                "x86_64" => Architecture::X86_64,
                _ => Architecture::Arm64,
            },
            memory_mb: whole("memory_mb"),
            timeout_s: whole("timeout_s"),
            role_arn: string(&of["role_arn"]),
            role_id: None,
            environment: tags(&of["environment"])
                .into_iter()
                .map(|(name, value)| (name, EnvValue::new(value)))
                .collect(),
            kms_key_arn: named(&of["kms_key_arn"]),
            vpc: optional(&of["vpc"], |vpc| Vpc {
                subnets: list(&vpc["subnets"], string),
                security_groups: list(&vpc["security_groups"], string),
            }),
            layers: list(&of["layers"], string),
            reserved_concurrency: of["reserved_concurrency"].as_u64().map(|n| n as u32),
            tags: tags(&of["tags"]),
        },
        code_sha256: string(&value["code_sha256"]),
        revision: None,
        state: match &value["state"] {
            Value::String(state) if state == "Ready" => FunctionState::Ready,
            Value::String(_) => FunctionState::Inactive,
            state => match state.get("Settling") {
                Some(what) => FunctionState::Settling(string(what)),
                None => FunctionState::Failed(string(&state["Failed"])),
            },
        },
        log_level: named(&value["log_level"]),
        log_group: named(&value["log_group"]),
        dead_letters: named(&value["dead_letters"]),
        traced: value["traced"] == true,
        durable: value["durable"] == true,
        tags_unread: optional(&value["tags_unread"], aws_error),
    }
}

fn subscriptions(value: &Value) -> Vec<Subscription> {
    list(value, |one| Subscription {
        name: string(&one["name"]),
        destination: string(&one["destination"]),
        except: list(&one["except"], string),
    })
}

fn kept_secret(value: &Value) -> KeptSecret {
    let secret = &value["secret"];
    let named = |value: &Value| value.as_str().map(str::to_owned);
    KeptSecret {
        secret: match secret.get("SecretsManager") {
            Some(kept) => Secret::SecretsManager {
                arn: text(&kept["arn"]).parse().unwrap(),
                key: named(&kept["key"]),
                kms_key: named(&kept["kms_key"]),
            },
            None => Secret::Ssm {
                name: string(&secret["Ssm"]["name"]),
                kms_key: named(&secret["Ssm"]["kms_key"]),
            },
        },
        place: read(&value["place"], |place| {
            optional(place, |place| SecretPlace {
                deleted: place["deleted"] == true,
                encrypted: place["encrypted"] == true,
                key: named(&place["key"]),
                copies: list(&place["copies"], string),
                changed_ms: place["changed_ms"].as_i64(),
            })
        }),
        policy: read(&value["policy"], Value::clone),
    }
}

fn answers(value: &Value) -> Answers {
    let answer = |answer: &Value| match answer {
        Value::String(_) => jane::Answer::Unknown,
        answer => match answer.get("Known") {
            Some(known) => jane::Answer::Known {
                pool_id: known["pool_id"].as_str().map(str::to_owned),
                region: known["region"].as_str().map(str::to_owned),
            },
            None => jane::Answer::NoAnswer(string(&answer["NoAnswer"])),
        },
    };
    if let Some(asked) = value.get("Asked") {
        return Answers::Asked(
            documents(asked)
                .map(|(id, one)| (id, answer(&one)))
                .collect(),
        );
    }
    if let Some(why) = value.get("CouldNotAsk") {
        return Answers::CouldNotAsk(string(why));
    }
    match value.get("Unread") {
        Some(failed) => Answers::Unread(Box::new(Unread::Failed(aws_error(failed)))),
        None => Answers::NotAsked,
    }
}

fn probes(value: &Value) -> Probes {
    let called = |value: &Value| match value.get("failed") {
        Some(failed) => Err(aws_error(failed)),
        None => Ok(value["ok"].clone()),
    };
    let attempt = |value: &Value| Attempt {
        source: match text(&value["source"]) {
            "SignIn" => Source::SignIn,
            "SignUp" => Source::SignUp,
            "NewPassword" => Source::NewPassword,
            _ => Source::ForgotPassword,
        },
        answer: called(&value["answer"]).map(|answer| probe::Answer {
            wrong: answer["wrong"].as_str().map(str::to_owned),
            cold: answer["cold"] == true,
            took: Duration::from_secs_f64(number(&answer["took"]) / 1000.0),
            leaked: answer["leaked"] == true,
        }),
    };
    Probes {
        unknown: list(&value["unknown"], attempt),
        known: optional(&value["known"], attempt),
        migrated: called(&value["migrated"]).map(|names| list(&names, string)),
    }
}
