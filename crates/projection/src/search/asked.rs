//! A query, checked, and the SQL that it becomes.

use std::fmt;
use std::str::FromStr;

use headwater_sessions::{SearchError, SearchQuery};
use rusqlite::types::Value;

use crate::followed::signed;
use crate::limits::{QUERY_BYTES_MAX, SEARCH_LIMIT_DEFAULT, SEARCH_LIMIT_MAX};
use crate::phrase;

/// A query that can be answered.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// What FTS5 takes.
    pub(super) expression: String,
    pub(super) limit: usize,
    after: Option<After>,
    /// Conditions on rows of `texts`, each with its value.
    conditions: Vec<(&'static str, Value)>,
}

/// The place of a hit among all: by rank, then by row. As a text, a cursor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct After {
    pub(super) rank: f64,
    pub(super) id: i64,
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.rank.to_bits(), self.id)
    }
}

impl FromStr for After {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (rank, id) = text.split_at_checked(16).ok_or(())?;
        let hex = |text| u64::from_str_radix(text, 16).map_err(drop);
        Some(Self { rank: f64::from_bits(hex(rank)?), id: hex(id)?.cast_signed() })
            .filter(|after| text.len() == 32 && after.rank.is_finite())
            .ok_or(())
    }
}

impl Asked {
    /// `None` when there is no word to look for.
    pub(super) fn check(query: &SearchQuery) -> Result<Option<Self>, SearchError> {
        let invalid = |name, rule: String| Err(SearchError::Invalid { name, rule });
        if query.text.len() > QUERY_BYTES_MAX {
            return invalid("q", format!("must be at most {QUERY_BYTES_MAX} bytes"));
        }
        let limit = query.limit.unwrap_or(SEARCH_LIMIT_DEFAULT);
        if !(1..=SEARCH_LIMIT_MAX).contains(&limit) {
            return invalid("limit", format!("must be a whole number from 1 to {SEARCH_LIMIT_MAX}"));
        }
        let Ok(after) = query.cursor.as_deref().map(str::parse).transpose() else {
            return invalid("cursor", "must be one that a page before answered".to_owned());
        };
        let Some(expression) = phrase::expression(&query.text) else { return Ok(None) };
        Ok(Some(Self { expression, limit, after, conditions: conditions(query) }))
    }

    /// Ranks and rows, best first: one more than asked for, which tells whether there are more.
    pub(super) fn select(&self, now_ms: u64) -> (String, Vec<Value>) {
        let mut parameters = vec![Value::Text(self.expression.clone()), Value::Integer(signed(now_ms))];
        // The index comes first whatever the planner thinks of the other conditions.
        let mut sql = "SELECT search.rank, texts.id FROM search CROSS JOIN texts ON texts.id = search.rowid \
                       WHERE search MATCH ?1 AND texts.expires_at > ?2"
            .to_owned();
        for (condition, value) in &self.conditions {
            parameters.push(value.clone());
            sql.push_str(&format!(" AND {}", condition.replace('?', &format!("?{}", parameters.len()))));
        }
        if let Some(After { rank, id }) = self.after {
            parameters.extend([Value::Real(rank), Value::Integer(id)]);
            let (rank, id) = (parameters.len() - 1, parameters.len());
            sql.push_str(&format!(" AND (search.rank > ?{rank} OR (search.rank = ?{rank} AND texts.id > ?{id}))"));
        }
        sql.push_str(&format!(" ORDER BY search.rank, texts.id LIMIT {}", self.limit + 1));
        (sql, parameters)
    }
}

fn conditions(query: &SearchQuery) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut conditions = Vec::new();
    if let Some(session) = &query.session {
        conditions.push(("texts.stream_id = ?", text(session.as_str())));
    }
    if let Some(agent) = &query.agent {
        conditions.push(("texts.agent_id = ?", text(agent.as_str())));
    }
    if let Some(project) = &query.project {
        let of_project = "texts.stream_id IN (SELECT id FROM sessions WHERE project_id = ?)";
        conditions.push((of_project, text(project)));
    }
    if !query.kinds.is_empty() {
        let kinds: Vec<&str> = query.kinds.iter().map(|kind| kind.as_str()).collect();
        conditions.push(("instr(?, ',' || texts.channel || ',')", text(&format!(",{},", kinds.join(",")))));
    }
    if let Some(start_ms) = query.start_ms {
        conditions.push(("texts.timestamp >= ?", Value::Integer(signed(start_ms))));
    }
    if let Some(end_ms) = query.end_ms {
        conditions.push(("texts.timestamp <= ?", Value::Integer(signed(end_ms))));
    }
    conditions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_exactly_and_others_are_refused() {
        for after in [After { rank: -1.25e-7, id: 3 }, After { rank: -12.0, id: i64::MAX }] {
            assert_eq!(after.to_string().parse(), Ok(after));
        }
        for text in ["", "x", "é234567890123456", &"f".repeat(32), &"0".repeat(33), &"+".repeat(32)] {
            assert_eq!(text.parse::<After>(), Err(()), "{text}");
        }
    }
}
