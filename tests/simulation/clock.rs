//! A clock without real waiting. If every task waits, the clock jumps to the next deadline: a lease of two minutes expires at once.
//! Tasks with different deadlines always wake in the same order, so a seed always gives the same run.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// 2026-11-27, in milliseconds since 1970.
const BEGIN_MS: u64 = 1_795_737_600_000;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

pub struct Clock {
    began: Instant,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The time since the start.
    now: Duration,
    /// The waiting tasks, by deadline and by the order in which they began to wait.
    sleepers: BTreeMap<(Duration, u64), Waker>,
    slept: u64,
    /// Tasks that continue even if the task that spawned them ends.
    tasks: Vec<Task>,
}

impl Clock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            inner: Mutex::default(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since the start.
    pub fn now(&self) -> Duration {
        self.inner().now
    }

    pub fn now_ms(&self) -> u64 {
        BEGIN_MS + self.now().as_millis() as u64
    }

    pub fn instant(&self) -> Instant {
        self.began + self.now()
    }

    /// Waits for this long on this clock.
    pub fn sleep(self: &Arc<Self>, pause: Duration) -> Sleep {
        Sleep {
            deadline: self.now() + pause,
            clock: self.clone(),
            place: None,
        }
    }

    /// Spawns a task. It continues even if the task that spawned it ends.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.inner().tasks.push(Box::pin(task));
    }

    /// Runs until `work` is done.
    pub fn play<T>(&self, work: impl Future<Output = T>) -> T {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut work = pin!(work);
        let mut tasks: Vec<Task> = Vec::new();
        loop {
            woken.0.store(false, Ordering::Relaxed);
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                // The tasks own the world, which owns this clock: dropping them breaks the cycle.
                let left = std::mem::take(&mut self.inner().tasks);
                drop(left);
                return done;
            }
            let more = std::mem::take(&mut self.inner().tasks);
            let is_new = !more.is_empty();
            tasks.extend(more);
            tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
            if !woken.0.load(Ordering::Relaxed) && !is_new {
                self.go_on();
            }
        }
    }

    /// Moves the clock to the next deadline.
    fn go_on(&self) {
        let mut inner = self.inner();
        let next = inner.sleepers.pop_first();
        let ((deadline, _), waker) =
            next.expect("no task can continue, and none waits for the clock");
        inner.now = inner.now.max(deadline);
        drop(inner);
        waker.wake();
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub struct Sleep {
    clock: Arc<Clock>,
    deadline: Duration,
    place: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut inner = clock.inner();
        if inner.now >= self.deadline {
            return Poll::Ready(());
        }
        let place = match self.place {
            Some(place) => place,
            None => {
                inner.slept += 1;
                self.place = Some(inner.slept);
                inner.slept
            }
        };
        let key = (self.deadline, place);
        inner.sleepers.insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.inner().sleepers.remove(&(self.deadline, place));
        }
    }
}
