//! How many calls are under way, and who may start another: the fairness between endpoints.
//!
//! At most 16 in flight per endpoint and 64 in all. An endpoint may start another only while it has
//! less than half of what is still free, so that a few that hang never take everything: the dynamic
//! threshold of Choudhury and Hahne (IEEE/ACM ToN 6(2), 1998) with α = ½. One that timed out last
//! may have two.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::clock::Time;

const IN_ALL: usize = 64;
const PER_ENDPOINT: usize = 16;
const WHEN_SLOW: usize = 2;

/// One endpoint's share.
#[derive(Debug)]
struct Lane {
    in_flight: usize,
    /// Its last try ran into the deadline.
    slow: bool,
    /// There may be due rows that nobody has claimed: newer ones must not overtake them.
    backlog: bool,
    /// When the next of its rows is due.
    next_due: Option<Time>,
}

#[derive(Debug, Default)]
struct Table {
    lanes: HashMap<Arc<str>, Lane>,
    in_flight: usize,
    closed: bool,
}

/// The table of all endpoints.
#[derive(Debug, Default, Clone)]
pub(crate) struct Lanes {
    table: Arc<Mutex<Table>>,
    /// Wakes the worker when there is something to claim.
    wake: Arc<Notify>,
    /// Wakes whoever waits for the last call to end.
    ended: Arc<Notify>,
}

/// Leave to make one call; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    lanes: Lanes,
    endpoint: Arc<str>,
}

impl Table {
    fn room(&self, endpoint: &str) -> usize {
        if self.closed {
            return 0;
        }
        let lane = self.lanes.get(endpoint);
        let own = lane.map_or(0, |l| l.in_flight);
        let most = if lane.is_some_and(|l| l.slow) {
            WHEN_SLOW
        } else {
            PER_ENDPOINT
        };
        let free = IN_ALL.saturating_sub(self.in_flight);
        // own + n may grow as long as own + n < (free - n) / 2.
        let fair = free.saturating_sub(2 * own).div_ceil(3);
        most.saturating_sub(own).min(fair)
    }

    fn lane(&mut self, endpoint: &str) -> (Arc<str>, &mut Lane) {
        let key = match self.lanes.get_key_value(endpoint) {
            Some((key, _)) => key.clone(),
            None => Arc::from(endpoint),
        };
        // A lane nobody has looked at yet may have rows of an earlier run.
        let lane = self.lanes.entry(key.clone()).or_insert(Lane {
            in_flight: 0,
            slow: false,
            backlog: true,
            next_due: None,
        });
        (key, lane)
    }
}

impl Lanes {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for a delivery that is just being queued; none when older ones wait, or all are taken.
    /// Then the endpoint has a backlog, and the worker comes for it.
    pub(crate) fn take_for_new(&self, endpoint: &str) -> Option<Slot> {
        let mut table = self.table();
        let room = table.room(endpoint);
        let (key, lane) = table.lane(endpoint);
        if lane.backlog || room == 0 {
            lane.backlog = true;
            return None;
        }
        lane.in_flight += 1;
        table.in_flight += 1;
        Some(Slot {
            lanes: self.clone(),
            endpoint: key,
        })
    }

    /// As many slots as there is room for.
    pub(crate) fn take(&self, endpoint: &str) -> Vec<Slot> {
        let mut table = self.table();
        let room = table.room(endpoint);
        let (key, lane) = table.lane(endpoint);
        lane.in_flight += room;
        table.in_flight += room;
        (0..room)
            .map(|_| Slot {
                lanes: self.clone(),
                endpoint: key.clone(),
            })
            .collect()
    }

    /// What a claim found: whether rows are left that are due, and when the next one is.
    pub(crate) fn claimed(&self, endpoint: &str, backlog: bool, next_due: Option<Time>) {
        let mut table = self.table();
        let (_, lane) = table.lane(endpoint);
        lane.backlog = backlog;
        lane.next_due = next_due;
    }

    /// Something is due at an endpoint at this time; wakes the worker.
    pub(crate) fn due(&self, endpoint: &str, at: Time) {
        let mut table = self.table();
        let (_, lane) = table.lane(endpoint);
        lane.next_due = Some(lane.next_due.map_or(at, |known| known.min(at)));
        drop(table);
        self.wake.notify_one();
    }

    /// Wakes the worker to look at an endpoint again.
    pub(crate) fn look(&self, endpoint: &str) {
        let mut table = self.table();
        table.lane(endpoint).1.backlog = true;
        drop(table);
        self.wake.notify_one();
    }

    /// Wakes the worker.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until somebody wakes the worker.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Endpoints where a claim is worth while now, and when to look again if nothing happens.
    pub(crate) fn to_claim(&self, now: Time) -> (Vec<Arc<str>>, Option<Time>) {
        let table = self.table();
        let mut ready = Vec::new();
        let mut next = None::<Time>;
        for (endpoint, lane) in &table.lanes {
            if lane.backlog || lane.next_due.is_some_and(|at| at <= now) {
                if table.room(endpoint) > 0 {
                    ready.push((lane.in_flight, endpoint.clone()));
                }
            } else if let Some(at) = lane.next_due {
                next = Some(next.map_or(at, |known| known.min(at)));
            }
        }
        // Who has least under way comes first.
        ready.sort_unstable_by_key(|(in_flight, _)| *in_flight);
        (
            ready.into_iter().map(|(_, endpoint)| endpoint).collect(),
            next,
        )
    }

    /// Notes whether the last try at an endpoint ran into the deadline.
    pub(crate) fn set_slow(&self, endpoint: &str, slow: bool) {
        self.table().lane(endpoint).1.slow = slow;
    }

    /// From now on nobody may start a call.
    pub(crate) fn close(&self) {
        self.table().closed = true;
    }

    /// Waits until no call is under way.
    pub(crate) async fn empty(&self) {
        loop {
            let ended = self.ended.notified();
            if self.table().in_flight == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.lanes.table();
        table.in_flight = table.in_flight.saturating_sub(1);
        let none_left = table.in_flight == 0;
        let mut backlog = false;
        if let Some(lane) = table.lanes.get_mut(&self.endpoint) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
            backlog = lane.backlog;
        }
        // Another endpoint may have been kept waiting by the total.
        backlog = backlog || table.in_flight + 1 >= IN_ALL / 2;
        drop(table);
        if backlog {
            self.lanes.wake.notify_one();
        }
        if none_left {
            self.lanes.ended.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(lanes: &Lanes, endpoint: &str) -> Vec<Slot> {
        lanes.claimed(endpoint, false, None);
        std::iter::from_fn(|| {
            let slot = lanes.take_for_new(endpoint);
            lanes.claimed(endpoint, false, None);
            slot
        })
        .collect()
    }

    #[test]
    fn one_endpoint_gets_sixteen_and_a_slow_one_two() {
        let lanes = Lanes::default();
        let slots = take_all(&lanes, "a");
        assert_eq!(slots.len(), 16);
        drop(slots);
        lanes.set_slow("a", true);
        assert_eq!(take_all(&lanes, "a").len(), 2);
        assert_eq!(lanes.take("b").len(), 16);
    }

    #[test]
    fn hanging_endpoints_leave_room_for_the_next() {
        let lanes = Lanes::default();
        let mut hanging = Vec::new();
        for n in 0..8 {
            let slots = take_all(&lanes, &format!("hangs-{n}"));
            assert!(!slots.is_empty(), "endpoint {n} found no room");
            hanging.extend(slots);
        }
        assert!(hanging.len() < IN_ALL);
    }

    #[test]
    fn a_newer_delivery_never_overtakes_a_backlog() {
        let lanes = Lanes::default();
        assert!(
            lanes.take_for_new("a").is_none(),
            "rows of an earlier run may wait"
        );
        lanes.claimed("a", false, None);
        assert!(lanes.take_for_new("a").is_some());
        lanes.look("a");
        assert!(lanes.take_for_new("a").is_none());
    }
}
