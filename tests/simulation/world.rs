//! The connection from the program to the AWS in memory: each request takes some time and meets the fate that the seed gives it. A
//! request that was sent takes effect even if its run is killed.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use jane_migrate::host::{Host, Wait};
use tokio::sync::oneshot;

use crate::aws::{Aws, Call, refuse};
use crate::clock::Clock;
use crate::dice::Dice;
use crate::judge::{Document, Judge};

/// The fate of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Pass,
    Throttled,
    /// HTTP 500 of the service.
    Failed,
    /// The connection closes before AWS has the request.
    Lost,
    /// The connection closes after AWS has acted.
    Unanswered,
    /// AWS acts, and no response arrives.
    Silent,
    /// From now on, the run has no permission for this call.
    Denied,
    /// The run ends before the request is sent.
    KilledBefore,
    /// The run ends after AWS has acted.
    KilledAfter,
}

/// One run of the program.
#[derive(Debug, Default)]
pub struct Run {
    pub name: String,
    /// The snapshot that it restores.
    pub restores: Option<serde_json::Value>,
    /// The fates of its requests, by their number.
    pub fates: BTreeMap<usize, Fate>,
    pub calls: usize,
    pub denied: Option<String>,
    pub killed: bool,
    pub ended: bool,
    /// For each document, the moments of the run's reads.
    pub told: BTreeMap<Document, Vec<u64>>,
    /// Changes of other parties that it overwrote: the document, and the moments of that change and of its own.
    pub overwrote: Vec<(Document, u64, u64)>,
}

pub struct State {
    pub aws: Aws,
    pub judge: Judge,
    pub runs: Vec<Run>,
    pub dice: Dice,
    pub trace: Vec<String>,
    pub failure: Option<String>,
}

pub struct World {
    pub clock: Arc<Clock>,
    /// Print each line of the trace at once.
    tells: bool,
    state: Mutex<State>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl World {
    pub fn new(aws: Aws, dice: Dice, tells: bool) -> Arc<Self> {
        Arc::new(Self {
            tells,
            clock: Clock::new(),
            state: Mutex::new(State {
                judge: Judge::new(&aws),
                aws,
                runs: Vec::new(),
                dice,
                trace: Vec::new(),
                failure: None,
            }),
        })
    }

    /// The state, with the current time.
    pub fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.aws.now_ms = self.clock.now_ms();
        state
    }

    pub fn note(&self, text: impl fmt::Display) {
        let at = self.clock.now().as_secs_f64();
        let line = format!("{at:9.3} {text}");
        if self.tells {
            println!("{line}");
        }
        self.state().trace.push(line);
    }

    /// A property did not hold.
    pub fn fail(&self, why: impl fmt::Display) {
        self.note(format_args!("FAILED: {why}"));
        self.state().failure.get_or_insert(why.to_string());
    }

    pub fn failed(&self) -> bool {
        self.state().failure.is_some()
    }

    /// Changes AWS as another party, and checks the properties.
    pub fn happens(&self, what: &str, act: impl FnOnce(&mut State)) {
        self.note(what);
        let mut state = self.state();
        act(&mut state);
        let State { aws, judge, .. } = &mut *state;
        let verdict = judge.changes(aws);
        drop(state);
        if let Err(why) = verdict {
            self.fail(why);
        }
    }

    /// Polls a run until it ends or is killed.
    pub async fn until_killed<T>(&self, run: usize, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let killed = || {
            let state = self.state();
            state.runs[run].killed || state.failure.is_some()
        };
        let done = poll_fn(|context| {
            if killed() {
                return Poll::Ready(None);
            }
            match work.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if killed() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        let done = done.await;
        self.state().runs[run].ended = true;
        done
    }

    /// A request is sent: its fate, the time of each way, and the moment of the run's last read of the document.
    fn departs(&self, run: usize, call: &Call) -> (Fate, [Duration; 2], (u64, u64)) {
        let mut state = self.state();
        let state = &mut *state;
        let ways = [(); 2].map(|()| Duration::from_micros(state.dice.within(2_000, 60_000)));
        let of = &mut state.runs[run];
        of.calls += 1;
        let mut fate = of.fates.get(&of.calls).copied().unwrap_or(Fate::Pass);
        if fate == Fate::Denied {
            of.denied = Some(call.action.clone());
        }
        if of.denied.as_ref() == Some(&call.action) {
            fate = Fate::Denied;
        }
        let told =
            Document::of(call).and_then(|document| of.told.get(&document)?.iter().max().copied());
        (fate, ways, (told.unwrap_or_default(), state.aws.now_ms))
    }

    /// A request arrives and takes effect.
    fn arrives(
        &self,
        run: usize,
        call: &Call,
        told: (u64, u64),
    ) -> (u16, Option<&'static str>, String, u64) {
        let mut state = self.state();
        let State {
            aws, judge, runs, ..
        } = &mut *state;
        let answer = aws.answer(call);
        let outcome = match &answer {
            Ok(_) => "",
            Err(refusal) => refusal.code,
        };
        let verdict = match answer.is_ok() && !call.reads() {
            true => judge.wrote(aws, &mut runs[run], call, told),
            false => judge.passes(aws),
        };
        let moment = judge.moment();
        let name = runs[run].name.clone();
        let unknown = aws.unknown.pop();
        drop(state);
        self.note(format_args!("{name} {call} {outcome}"));
        if let Err(why) = verdict {
            self.fail(format_args!("{why}, after {name} {call}"));
        }
        if let Some(unknown) = unknown {
            self.fail(format_args!("the simulation knows no {unknown}"));
        }
        let (status, code, text) = call.written(answer);
        (status, code, text, moment)
    }

    fn kills(&self, run: usize) {
        let mut state = self.state();
        state.runs[run].killed = true;
        let name = state.runs[run].name.clone();
        drop(state);
        self.note(format_args!("{name} is killed"));
    }
}

/// A run's connection to AWS.
#[derive(Debug, Clone)]
pub struct Way {
    pub world: Arc<World>,
    pub run: usize,
}

impl HttpClient for Way {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Line {
            way: self.clone(),
            patience: settings.read_timeout().unwrap_or(Duration::from_secs(60)),
        })
    }
}

#[derive(Debug)]
struct Line {
    way: Way,
    patience: Duration,
}

impl HttpConnector for Line {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let (way, patience) = (self.way.clone(), self.patience);
        HttpConnectorFuture::new(async move {
            let body = std::mem::replace(request.body_mut(), SdkBody::taken());
            let body = ByteStream::new(body).collect().await;
            let body = body
                .map_err(|error| ConnectorError::user(error.into()))?
                .into_bytes();
            let target = request.headers().get("x-amz-target");
            let call = Call::read(request.method(), request.uri(), target, &body);
            way.carry(call, patience).await
        })
    }
}

impl Way {
    async fn carry(self, call: Call, patience: Duration) -> Result<HttpResponse, ConnectorError> {
        let Self { world, run } = self;
        let (fate, [there, back], told) = world.departs(run, &call);
        if fate != Fate::Pass {
            world.note(format_args!("{:?} awaits {call}", fate));
        }
        if fate == Fate::KilledBefore {
            world.kills(run);
            return std::future::pending().await;
        }
        let refusal = match fate {
            Fate::Throttled => Some(refuse(400, "ThrottlingException", "Rate exceeded")),
            Fate::Failed => Some(refuse(500, "InternalFailure", "An error occurred")),
            Fate::Denied => Some(refuse(
                403,
                "AccessDenied",
                "not authorized to perform this",
            )),
            _ => None,
        };
        if let Some(refusal) = refusal {
            world.clock.sleep(there + back).await;
            let (status, code, text) = call.written(Err(refusal));
            return Ok(answer(&call, status, code, text));
        }
        let closed = || ConnectorError::io("connection closed before message completed".into());
        if fate == Fate::Lost {
            world.clock.sleep(there).await;
            return Err(closed());
        }
        let (tell, heard) = oneshot::channel();
        let (beyond, sent) = (world.clone(), call.clone());
        world.clock.spawn(async move {
            beyond.clock.sleep(there).await;
            let answer = beyond.arrives(run, &sent, told);
            beyond.clock.sleep(back).await;
            let _ = tell.send(answer);
        });
        if fate == Fate::Silent {
            world.clock.sleep(patience).await;
            let timeout = "HTTP read timeout occurred";
            return Err(ConnectorError::timeout(timeout.into()));
        }
        let Ok((status, code, text, moment)) = heard.await else {
            return std::future::pending().await;
        };
        match fate {
            Fate::Unanswered => return Err(closed()),
            Fate::KilledAfter => {
                world.kills(run);
                return std::future::pending().await;
            }
            _ => {}
        }
        if let Some(document) = Document::of(&call).filter(|_| call.action.starts_with("Describe"))
        {
            let told = &mut world.state().runs[run].told;
            told.entry(document).or_default().push(moment);
        }
        Ok(answer(&call, status, code, text))
    }
}

pub fn answer(call: &Call, status: u16, code: Option<&'static str>, text: String) -> HttpResponse {
    let threw = call.action == "Invoke" && text.contains("\"errorType\"");
    let status = status.try_into().expect("a status");
    let mut answer = HttpResponse::new(status, SdkBody::from(text));
    if let Some(code) = code {
        answer.headers_mut().insert("x-amzn-errortype", code);
    }
    if threw {
        let headers = answer.headers_mut();
        headers.insert("x-amz-function-error", "Unhandled");
    }
    answer
}

/// The machine of a run.
pub struct Machine {
    pub world: Arc<World>,
    pub run: usize,
}

impl Host for Machine {
    fn now_ms(&self) -> i64 {
        self.world.clock.now_ms() as i64
    }

    fn instant(&self) -> Instant {
        self.world.clock.instant()
    }

    fn sleep(&self, pause: Duration) -> Wait {
        Box::pin(self.world.clock.sleep(pause))
    }

    fn run(&self) -> String {
        self.world.state().runs[self.run].name.clone()
    }

    /// Only runs on the same machine are known; names are `MACHINE-NUMBER`.
    fn has_ended(&self, run: &str) -> bool {
        let state = self.world.state();
        let machine = |name: &str| name.split('-').next().map(str::to_owned);
        let mut runs = state.runs.iter();
        machine(run) == machine(&state.runs[self.run].name)
            && runs.any(|other| other.name == run && other.ended)
    }
}
