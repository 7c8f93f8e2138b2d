//! Reading the log: which rows fit a filter, in order, from the index and from what it does not
//! know yet. Never by counting rows off.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use super::search::{Look, Of, Payload, delivery_words, event_words};
use crate::clock::Time;
use crate::deliveries::histogram::StateCounts;
use crate::deliveries::{Channel, Order, Reason, Status};
use crate::error::Result;
use crate::ids::{DeliveryId, EventId, WorkspaceId};
use crate::words::{Question, fact};

/// How many rows are counted before a total becomes "more than".
pub(crate) const COUNTED_TO: u64 = 10_000;
/// How many rows are looked through word by word, where the index does not know them.
const LOOKED_THROUGH: usize = 5_000;

/// A filter of the log, read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) statuses: Vec<Status>,
    /// None is that there is no reason.
    pub(crate) reasons: Vec<Option<Reason>>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) endpoints: Vec<String>,
    pub(crate) automations: Vec<String>,
    pub(crate) event_types: Vec<String>,
    pub(crate) event: Option<EventId>,
    pub(crate) ids: Option<Vec<DeliveryId>>,
    pub(crate) subject: Option<String>,
    pub(crate) recipient: Option<String>,
    pub(crate) since: Option<Time>,
    pub(crate) until: Option<Time>,
    pub(crate) test: Option<bool>,
    /// Of events: what was handed in by itself too, an email or a text.
    pub(crate) by_itself: bool,
    pub(crate) question: Option<Question>,
    /// True: nothing can fit.
    pub(crate) nothing: bool,
}

impl Wanted {
    /// Whether a row that stands so fits, as far as this goes: what moved since it was found may
    /// fit no more.
    pub(crate) fn fits(&self, status: Status) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }
}

/// What is asked of one table, in both languages: SQL for fresh rows, words for the index.
pub(crate) struct Asked {
    of: Of,
    sql: String,
    values: Vec<Value>,
    question: Option<Question>,
    index: String,
    /// The rows of the time asked for: from the first to before the second.
    within: (i64, i64),
    /// Only these rows, however many: then the index is not asked.
    only: Option<Vec<i64>>,
    nothing: bool,
    /// All rows of this workspace, for these statuses, fit, but for their time.
    all_of: Option<WorkspaceId>,
    /// What the index calls each status that is asked for; where all are, those beside success.
    statuses: Vec<(Status, String)>,
    /// Only some statuses are asked for.
    by_status: bool,
    /// How many rows are looked through word by word before a page is given up.
    looked_through: usize,
}

/// Statuses that the index may hold, but for the one that nearly all have: what is being sent is
/// left out of it.
const BESIDE_SUCCESS: [Status; 6] = [
    Status::Pending,
    Status::Held,
    Status::Failed,
    Status::Unknown,
    Status::Skipped,
    Status::Cancelled,
];

/// Statuses that never have a reason, but for what is being sent: that is in no index.
const WITHOUT_REASON: [Status; 3] = [Status::Success, Status::Pending, Status::Unknown];

fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

impl Asked {
    /// Asks for deliveries.
    pub(crate) fn deliveries(
        conn: &Connection,
        workspace: WorkspaceId,
        wanted: &Wanted,
    ) -> Result<Self> {
        let mut sql = " AND +t.workspace_id = ?".to_owned();
        let mut values = vec![text(workspace.to_string())];
        let mut facts = Question::default();
        let mut bare = true;
        let mut one_of = |column: &str, kind: &str, all: Vec<String>| {
            if !all.is_empty() {
                sql.push_str(&format!(
                    " AND +t.{column} IN ({})",
                    vec!["?"; all.len()].join(", ")
                ));
                facts.and_one_of(all.iter().map(|value| fact(workspace, kind, value)));
                values.extend(all.into_iter().map(text));
                bare = false;
            }
        };
        one_of(
            "status",
            "status",
            wanted
                .statuses
                .iter()
                .map(|s| s.as_str().to_owned())
                .collect(),
        );
        one_of(
            "channel",
            "channel",
            wanted
                .channels
                .iter()
                .map(|c| c.as_str().to_owned())
                .collect(),
        );
        one_of("endpoint", "endpoint", wanted.endpoints.clone());
        one_of("automation_id", "automation", wanted.automations.clone());
        one_of("event_type", "type", wanted.event_types.clone());
        one_of(
            "subject",
            "subject",
            wanted.subject.iter().cloned().collect(),
        );
        if !wanted.reasons.is_empty() {
            sql.push_str(&format!(
                " AND coalesce(+t.status_reason, 'none') IN ({})",
                vec!["?"; wanted.reasons.len()].join(", ")
            ));
            let word = |reason: &Option<Reason>| reason.map_or("none", Reason::as_str);
            values.extend(wanted.reasons.iter().map(|reason| text(word(reason))));
            let named = wanted
                .reasons
                .iter()
                .map(|one| fact(workspace, "reason", word(one)));
            // What never has a reason has no word for that.
            let never = wanted.reasons.contains(&None).then_some(WITHOUT_REASON);
            let never = never.into_iter().flatten();
            facts.and_one_of(named.chain(never.map(|s| fact(workspace, "status", s.as_str()))));
            bare = false;
        }
        if let Some(recipient) = &wanted.recipient {
            sql.push_str(" AND +t.recipient = ? COLLATE NOCASE");
            values.push(text(recipient.clone()));
            facts.and_one_of([fact(
                workspace,
                "recipient",
                &recipient.to_ascii_lowercase(),
            )]);
            bare = false;
        }
        if let Some(test) = wanted.test {
            sql.push_str(" AND +t.is_test = ?");
            values.push(Value::Integer(test.into()));
            facts.and_one_of([fact(workspace, "test", if test { "yes" } else { "no" })]);
            bare = false;
        }
        if bare {
            facts.and_one_of([fact(workspace, "workspace", "")]);
        }
        let mut only: Option<Vec<i64>> = match wanted.event {
            None => None,
            Some(event) => {
                let event = super::events::get(conn, workspace, event)?;
                let rows = event.map(|event| super::deliveries::of_event(conn, &event));
                Some(
                    rows.transpose()?
                        .unwrap_or_default()
                        .iter()
                        .map(|row| row.seq)
                        .collect(),
                )
            }
        };
        if let Some(ids) = &wanted.ids {
            sql.push_str(" AND +t.id IN (SELECT value FROM json_each(?))");
            values.push(text(
                serde_json::to_string(ids).map_err(crate::Error::internal)?,
            ));
            let named = ids.iter().map(|id| id.row());
            only = Some(match only {
                None => named.collect(),
                Some(rows) => named.filter(|row| rows.contains(row)).collect(),
            });
        }
        let all = bare && wanted.question.is_none() && only.is_none() && !wanted.nothing;
        let named = |status: &Status| (*status, fact(workspace, "status", status.as_str()));
        Ok(Self {
            all_of: all.then_some(workspace),
            statuses: if wanted.statuses.is_empty() {
                BESIDE_SUCCESS.iter().map(named).collect()
            } else {
                wanted.statuses.iter().map(named).collect()
            },
            by_status: !wanted.statuses.is_empty(),
            ..Self::of(conn, Of::Deliveries, sql, values, facts, wanted, only)?
        })
    }

    /// Asks for events; tests are none.
    pub(crate) fn events(
        conn: &Connection,
        workspace: WorkspaceId,
        wanted: &Wanted,
    ) -> Result<Self> {
        let mut sql = " AND +t.workspace_id = ? AND +t.type <> ?".to_owned();
        let mut values = vec![text(workspace.to_string()), text(crate::events::TEST_TYPE)];
        let mut facts = Question::default();
        if wanted.event_types.is_empty() && !wanted.by_itself {
            sql.push_str(&format!(
                " AND +t.type NOT IN ({})",
                vec!["?"; crate::events::RESERVED.len()].join(", ")
            ));
            values.extend(crate::events::RESERVED.iter().map(|name| text(*name)));
            facts.and_one_of([fact(workspace, "shown", "yes")]);
        } else {
            facts.and_one_of(["yes", "asked_for"].map(|shown| fact(workspace, "shown", shown)));
        }
        for (column, all) in [
            ("type", &wanted.event_types),
            ("subject", &wanted.subject.iter().cloned().collect()),
        ] {
            if !all.is_empty() {
                sql.push_str(&format!(
                    " AND +t.{column} IN ({})",
                    vec!["?"; all.len()].join(", ")
                ));
                facts.and_one_of(all.iter().map(|value| fact(workspace, column, value)));
                values.extend(all.iter().map(text));
            }
        }
        Self::of(conn, Of::Events, sql, values, facts, wanted, None)
    }

    fn of(
        conn: &Connection,
        of: Of,
        mut sql: String,
        mut values: Vec<Value>,
        facts: Question,
        wanted: &Wanted,
        only: Option<Vec<i64>>,
    ) -> Result<Self> {
        let mut within = (i64::MIN, i64::MAX);
        if let Some(since) = wanted.since {
            sql.push_str(&format!(" AND +t.{} >= ?", of.time()));
            values.push(Value::Integer(since.as_ms()));
            within.0 = first_from(conn, of, since)?;
        }
        if let Some(until) = wanted.until {
            sql.push_str(&format!(" AND +t.{} < ?", of.time()));
            values.push(Value::Integer(until.as_ms()));
            within.1 = first_from(conn, of, until)?;
        }
        let mut index = facts.expression();
        if let Some(question) = &wanted.question {
            index = format!("{index} AND {}", question.expression());
        }
        Ok(Self {
            of,
            sql,
            values,
            question: wanted.question.clone(),
            index,
            within,
            only,
            nothing: wanted.nothing,
            all_of: None,
            statuses: Vec::new(),
            by_status: false,
            looked_through: LOOKED_THROUGH,
        })
    }

    /// Leaves out the rows above this one.
    pub(crate) fn up_to(&mut self, last: i64) {
        self.within.1 = self.within.1.min(last.saturating_add(1));
    }

    /// How many deliveries of each kind fit, between each of these rows and the next.
    pub(crate) fn tally(
        &self,
        conn: &Connection,
        look: &mut Look,
        starts: &[i64],
    ) -> Result<Vec<StateCounts>> {
        match self.try_tally(conn, look, starts) {
            Err(error) if look.conn().is_some() && self.all_of.is_none() => {
                look.give_up(&error);
                self.try_tally(conn, look, starts)
            }
            tallied => tallied,
        }
    }

    fn try_tally(
        &self,
        conn: &Connection,
        look: &Look,
        starts: &[i64],
    ) -> Result<Vec<StateCounts>> {
        let mut tally = vec![StateCounts::default(); starts.len()];
        let (low, high) = self.within;
        let low = low.max(starts.first().copied().unwrap_or(i64::MAX));
        if self.nothing || low >= high {
            return Ok(tally);
        }
        let mut put = |seq: i64, status: Status, total: &mut Vec<u64>| {
            let at = starts.partition_point(|start| *start <= seq);
            if let Some(counts) = tally.get_mut(at.wrapping_sub(1)) {
                counts.add(status, 1);
                // A total counts it as well.
                if let Some(all) = total.get_mut(at.wrapping_sub(1)) {
                    *all = all.saturating_sub(1);
                }
            }
        };
        let mut total = Vec::new();
        if let Some(workspace) = self.all_of {
            // One pass over an index of numbers, in pieces that do not overlap; and one over what
            // is not through.
            let mut count = conn.prepare_cached("SELECT count(*) FROM deliveries INDEXED BY deliveries_of_workspace WHERE workspace_id = ? AND seq >= ? AND seq < ?")?;
            for (at, start) in starts.iter().enumerate() {
                let end = starts.get(at + 1).copied().unwrap_or(i64::MAX).min(high);
                let counted: i64 =
                    count.query_row((workspace, low.max(*start), end), |r| r.get(0))?;
                total.push(counted.cast_unsigned());
            }
            let mut beside = conn.prepare_cached("SELECT seq, status FROM deliveries INDEXED BY deliveries_not_through WHERE workspace_id = ? AND status <> 'success' AND seq >= ? AND seq < ?")?;
            let mut rows = beside.query((workspace, low, high))?;
            while let Some(row) = rows.next()? {
                put(row.get(0)?, row.get(1)?, &mut total);
            }
        } else {
            let mark = look.mark(self.of);
            let mut fresh = Vec::new();
            if self.only.is_none() {
                fresh = self
                    .fresh(
                        conn,
                        "t.seq > ? AND t.seq >= ? AND t.seq < ?",
                        &[mark, low, high].map(Value::Integer),
                        Order::Desc,
                        usize::MAX,
                    )?
                    .0;
            }
            fresh.extend(self.listed(conn, look, low, high, Order::Desc, usize::MAX)?);
            let mut status = conn.prepare_cached("SELECT status FROM deliveries WHERE seq = ?")?;
            for seq in fresh {
                if let Some(status) = status.query_row([seq], |r| r.get(0)).optional()? {
                    put(seq, status, &mut Vec::new());
                }
            }
            if let Some(search) = look.conn().filter(|_| self.only.is_none() && low <= mark) {
                let moved = look.fresh(self.of);
                let mut statement = search.prepare_cached(
                    "SELECT rowid FROM deliveries WHERE deliveries MATCH ? AND rowid >= ? AND rowid < ?",
                )?;
                if !self.by_status {
                    total.resize(starts.len(), 0);
                    let mut rows = statement.query((&self.index, low, high))?;
                    let mut at = 0;
                    while let Some(row) = rows.next()? {
                        let seq: i64 = row.get(0)?;
                        if moved.binary_search(&seq).is_ok() {
                            continue;
                        }
                        // Rows come in order.
                        while starts.get(at + 1).is_some_and(|next| *next <= seq) {
                            at += 1;
                        }
                        if let Some(all) = total.get_mut(at) {
                            *all += 1;
                        }
                    }
                }
                for (status, word) in &self.statuses {
                    let expression = format!("{} AND \"{word}\"", self.index);
                    let mut rows = statement.query((expression, low, high))?;
                    while let Some(row) = rows.next()? {
                        let seq: i64 = row.get(0)?;
                        if moved.binary_search(&seq).is_err() {
                            put(seq, *status, &mut total);
                        }
                    }
                }
            }
        }
        for (counts, all) in tally.iter_mut().zip(total) {
            counts.add(Status::Success, all);
        }
        Ok(tally)
    }

    /// Asks for every row up to this one, however long that takes: for work, not for pages.
    pub(crate) fn all_up_to(mut self, bound: i64) -> Self {
        self.up_to(bound);
        self.looked_through = usize::MAX;
        self
    }

    /// Those of these rows that fit.
    pub(crate) fn among(&self, conn: &Connection, rows: &[i64]) -> Result<Vec<i64>> {
        let (low, high) = self.within;
        let rows: Vec<i64> = rows
            .iter()
            .copied()
            .filter(|row| (low..high).contains(row))
            .filter(|row| self.only.as_ref().is_none_or(|only| only.contains(row)))
            .collect();
        if self.nothing || rows.is_empty() {
            return Ok(Vec::new());
        }
        self.judged(conn, &rows, Order::Asc, usize::MAX)
    }

    /// The rows that fit, from `from` on (which is not among them), at most `limit`.
    pub(crate) fn find(
        &self,
        conn: &Connection,
        look: &mut Look,
        from: Option<i64>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<i64>> {
        match self.try_find(conn, look, from, order, limit) {
            Err(error) if look.conn().is_some() => {
                look.give_up(&error);
                self.try_find(conn, look, from, order, limit)
            }
            found => found,
        }
    }

    fn try_find(
        &self,
        conn: &Connection,
        look: &Look,
        from: Option<i64>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<i64>> {
        let (mut low, mut high) = self.within;
        match (order, from) {
            (Order::Desc, Some(from)) => high = high.min(from),
            (Order::Asc, Some(from)) => low = low.max(from.saturating_add(1)),
            (_, None) => {}
        }
        if self.nothing || low >= high || limit == 0 {
            return Ok(Vec::new());
        }
        let mark = look.mark(self.of);
        let mut found = Vec::new();
        let tail = |found: &mut Vec<i64>| -> Result<()> {
            if high > mark.saturating_add(1) && self.only.is_none() {
                found.extend(
                    self.fresh(
                        conn,
                        "t.seq > ? AND t.seq >= ? AND t.seq < ?",
                        &[mark, low, high].map(Value::Integer),
                        order,
                        limit,
                    )?
                    .0,
                );
            }
            Ok(())
        };
        if order == Order::Desc {
            tail(&mut found)?;
        }
        if found.len() < limit {
            let mut below = self.listed(conn, look, low, high, order, limit)?;
            if let Some(search) = look.conn().filter(|_| self.only.is_none() && low <= mark) {
                let moved = look.fresh(self.of);
                let direction = if order == Order::Desc { "DESC" } else { "ASC" };
                let mut statement = search.prepare_cached(&format!(
                    "SELECT rowid FROM {0} WHERE {0} MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid {direction}",
                    self.of.table()
                ))?;
                let mut rows = statement.query((&self.index, low, high))?;
                let mut taken = 0;
                while taken < limit
                    && let Some(row) = rows.next()?
                {
                    let seq: i64 = row.get(0)?;
                    if moved.binary_search(&seq).is_err() {
                        below.push(seq);
                        taken += 1;
                    }
                }
            }
            below.sort_unstable();
            if order == Order::Desc {
                below.reverse();
            }
            found.append(&mut below);
        }
        if order == Order::Asc && found.len() < limit {
            tail(&mut found)?;
        }
        found.truncate(limit);
        Ok(found)
    }

    /// How many rows fit, and whether that is all.
    pub(crate) fn count(&self, conn: &Connection, look: &mut Look) -> Result<(u64, bool)> {
        match self.try_count(conn, look) {
            Err(error) if look.conn().is_some() => {
                look.give_up(&error);
                self.try_count(conn, look)
            }
            counted => counted,
        }
    }

    fn try_count(&self, conn: &Connection, look: &Look) -> Result<(u64, bool)> {
        let (low, high) = self.within;
        if self.nothing || low >= high {
            return Ok((0, true));
        }
        let most = COUNTED_TO as usize + 1;
        let mark = look.mark(self.of);
        let (mut count, mut whole) = (
            self.listed(conn, look, low, high, Order::Desc, most)?.len(),
            true,
        );
        if self.only.is_none() {
            if self.question.is_some() {
                let (tail, all) = self.fresh(
                    conn,
                    "t.seq > ? AND t.seq >= ? AND t.seq < ?",
                    &[mark, low, high].map(Value::Integer),
                    Order::Desc,
                    most,
                )?;
                count += tail.len();
                whole = all;
            } else {
                let mut values = [mark, low, high].map(Value::Integer).to_vec();
                values.extend(self.values.iter().cloned());
                let tail: i64 = conn
                    .prepare_cached(&format!(
                        "SELECT count(*) FROM (SELECT 1 FROM {} t WHERE t.seq > ? AND t.seq >= ? AND t.seq < ?{} LIMIT {most})",
                        self.of.table(),
                        self.sql
                    ))?
                    .query_row(params_from_iter(values), |r| r.get(0))?;
                count += usize::try_from(tail).unwrap_or(0);
            }
            if let Some(search) = look.conn().filter(|_| count < most) {
                count += self.count_in_index(search, look.fresh(self.of), low, high, most)?;
            }
        }
        let count = count as u64;
        Ok((count.min(COUNTED_TO), whole && count <= COUNTED_TO))
    }

    /// How many rows of a range the index knows, `most` at most; rows that moved are not among them.
    fn count_in_index(
        &self,
        search: &Connection,
        moved: &[i64],
        low: i64,
        high: i64,
        most: usize,
    ) -> Result<usize> {
        let table = self.of.table();
        // One more for each row that may have to be left out.
        let limit = most + moved.len();
        let counted: i64 = search
            .prepare_cached(&format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {table} MATCH ? AND rowid >= ? AND rowid < ? LIMIT {limit})"))?
            .query_row((&self.index, low, high), |r| r.get(0))?;
        let mut counted = usize::try_from(counted).unwrap_or(0);
        if counted < limit && !moved.is_empty() && counted > 0 {
            let mut statement = search.prepare_cached(&format!(
                "SELECT rowid FROM {table} WHERE {table} MATCH ? AND rowid >= ? AND rowid < ?"
            ))?;
            let mut rows = statement.query((&self.index, low, high))?;
            counted = 0;
            while let Some(row) = rows.next()? {
                if moved.binary_search(&row.get(0)?).is_err() {
                    counted += 1;
                }
            }
        }
        Ok(counted)
    }

    /// What fits of the rows that are judged one by one: those that moved, or the only ones.
    fn listed(
        &self,
        conn: &Connection,
        look: &Look,
        low: i64,
        high: i64,
        order: Order,
        limit: usize,
    ) -> Result<Vec<i64>> {
        let rows = self.only.as_deref().unwrap_or_else(|| look.fresh(self.of));
        let rows: Vec<i64> = rows
            .iter()
            .copied()
            .filter(|seq| (low..high).contains(seq))
            .collect();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        self.judged(conn, &rows, order, limit)
    }

    /// What fits of these rows.
    fn judged(
        &self,
        conn: &Connection,
        rows: &[i64],
        order: Order,
        limit: usize,
    ) -> Result<Vec<i64>> {
        let list = serde_json::to_string(rows).map_err(crate::Error::internal)?;
        Ok(self
            .fresh(
                conn,
                "t.seq IN (SELECT value FROM json_each(?))",
                &[text(list)],
                order,
                limit,
            )?
            .0)
    }

    /// Rows of the table itself, with their words looked through where words are asked for. The
    /// second is false when there were too many to look through.
    fn fresh(
        &self,
        conn: &Connection,
        range: &str,
        bounds: &[Value],
        order: Order,
        limit: usize,
    ) -> Result<(Vec<i64>, bool)> {
        let direction = if order == Order::Desc { "DESC" } else { "ASC" };
        let mut values = bounds.to_vec();
        values.extend(self.values.iter().cloned());
        let mut statement = conn.prepare_cached(&format!(
            "SELECT t.seq FROM {} t WHERE {range}{} ORDER BY t.seq {direction}",
            self.of.table(),
            self.sql
        ))?;
        let mut rows = statement.query(params_from_iter(values))?;
        let (mut found, mut seen, mut payload) = (Vec::new(), 0, Payload::default());
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            let seq: i64 = row.get(0)?;
            if let Some(question) = &self.question {
                seen += 1;
                if seen > self.looked_through {
                    return Ok((found, false));
                }
                let words = match self.of {
                    Of::Deliveries => {
                        delivery_words(conn, seq, &mut payload, false)?.map(|(words, _)| words)
                    }
                    Of::Events => event_words(conn, seq, &mut payload, false)?,
                };
                if words.is_none_or(|words| !words.answer(question)) {
                    continue;
                }
            }
            found.push(seq);
        }
        Ok((found, true))
    }
}

/// The number of the first row that was recorded at `time` or later. Rows come in the order of time.
pub(crate) fn first_from(conn: &Connection, of: Of, time: Time) -> Result<i64> {
    let (low, high): (Option<i64>, Option<i64>) = conn
        .prepare_cached(&format!(
            "SELECT (SELECT min(seq) FROM {0}), (SELECT max(seq) FROM {0})",
            of.table()
        ))?
        .query_row([], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let (Some(mut low), Some(high)) = (low, high) else {
        return Ok(1);
    };
    let mut high = high + 1;
    let mut statement = conn.prepare_cached(&format!(
        "SELECT seq, {} FROM {} WHERE seq >= ? ORDER BY seq LIMIT 1",
        of.time(),
        of.table()
    ))?;
    while low < high {
        let middle = low + (high - low) / 2;
        let row: Option<(i64, Time)> = statement
            .query_row([middle], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()?;
        match row {
            Some((seq, at)) if at < time => low = seq + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
