//! Lists of sessions: filters, order, and pages that a cursor continues.
//!
//! A cursor names the last session shown by what the list is sorted by and by its id, so pages stay right while sessions
//! come and go: none that stays where it is appears twice or is missed.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{Registry, SessionRow, SessionStatus};
use crate::error::SessionError;
use crate::limits::{LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, SEARCH_BYTES_MAX};

/// Which sessions to list: those that match everything given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Of this project.
    pub project_id: Option<String>,
    /// About this task.
    pub task_id: Option<String>,
    /// Of this agent.
    pub agent_id: Option<String>,
    /// In this status.
    pub status: Option<SessionStatus>,
    /// With this in the title, in any case.
    pub search: Option<String>,
    /// Created at this moment or later, in Unix milliseconds.
    pub date_from: Option<u64>,
    /// Created at this moment or earlier, in Unix milliseconds.
    pub date_to: Option<u64>,
}

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SortField {
    /// Creation.
    CreatedAt,
    /// Last change of the row.
    #[default]
    UpdatedAt,
    /// Title; sessions without one come first.
    Title,
}

/// In which direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Smallest first.
    Asc,
    /// Largest first.
    #[default]
    Desc,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sort {
    /// What by.
    pub field: SortField,
    /// In which direction.
    pub order: Order,
}

/// Which page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// The list's order; must be the same on all its pages.
    pub sort: Sort,
    /// At most so many, [`LIST_LIMIT_DEFAULT`] when `None`.
    pub limit: Option<usize>,
    /// What the page before answered.
    pub cursor: Option<String>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The sessions, in order.
    pub sessions: Vec<SessionRow>,
    /// Asks for what follows; `None` when nothing does.
    pub next_cursor: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    sort: Sort,
    value: SortValue,
    id: String,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
enum SortValue {
    Time(u64),
    Text(String),
}

impl SortField {
    /// Reads it as it stands in a query.
    pub fn parse(text: &str) -> Result<Self, SessionError> {
        match text {
            "createdAt" => Ok(Self::CreatedAt),
            "updatedAt" => Ok(Self::UpdatedAt),
            "title" => Ok(Self::Title),
            _ => Err(SessionError::params("sort", "must be one of createdAt, updatedAt, title")),
        }
    }

    fn of(self, row: &SessionRow) -> SortValue {
        match self {
            Self::CreatedAt => SortValue::Time(row.created_at),
            Self::UpdatedAt => SortValue::Time(row.updated_at),
            Self::Title => SortValue::Text(row.title.as_deref().unwrap_or_default().to_lowercase()),
        }
    }
}

impl Order {
    /// Reads it as it stands in a query.
    pub fn parse(text: &str) -> Result<Self, SessionError> {
        match text {
            "asc" => Ok(Self::Asc),
            "desc" => Ok(Self::Desc),
            _ => Err(SessionError::params("order", "must be asc or desc")),
        }
    }

    fn apply(self, ordering: Ordering) -> Ordering {
        match self {
            Self::Asc => ordering,
            Self::Desc => ordering.reverse(),
        }
    }
}

impl SessionStatus {
    /// Reads it as it stands in a query.
    pub fn parse(text: &str) -> Result<Self, SessionError> {
        match text {
            "active" => Ok(Self::Active),
            "paused" => Ok(Self::Paused),
            "closed" => Ok(Self::Closed),
            _ => Err(SessionError::params("status", "must be one of active, paused, closed")),
        }
    }
}

impl SessionFilter {
    /// An error for what cannot be asked.
    pub fn check(&self) -> Result<(), SessionError> {
        if self.search.as_ref().is_some_and(|text| text.len() > SEARCH_BYTES_MAX) {
            return Err(SessionError::params("search", format!("must be at most {SEARCH_BYTES_MAX} bytes")));
        }
        if let (Some(from), Some(to)) = (self.date_from, self.date_to)
            && from > to
        {
            return Err(SessionError::params("dateFrom", "must not be after dateTo"));
        }
        Ok(())
    }

    fn accepts(&self, row: &SessionRow, search: Option<&str>) -> bool {
        let is = |wanted: &Option<String>, has: Option<&str>| wanted.as_deref().is_none_or(|id| has == Some(id));
        is(&self.project_id, Some(&row.project_id))
            && is(&self.task_id, row.task_id.as_deref())
            && is(&self.agent_id, row.agent_id.as_deref())
            && self.status.is_none_or(|status| row.status == status)
            && self.date_from.is_none_or(|from| row.created_at >= from)
            && self.date_to.is_none_or(|to| row.created_at <= to)
            && search.is_none_or(|text| row.title.as_deref().is_some_and(|title| title.to_lowercase().contains(text)))
    }
}

impl Registry {
    /// One page of the sessions that `filter` accepts.
    pub fn list(&self, filter: &SessionFilter, page: &PageRequest) -> Result<Listing, SessionError> {
        filter.check()?;
        let limit = page.limit.unwrap_or(LIST_LIMIT_DEFAULT);
        if !(1..=LIST_LIMIT_MAX).contains(&limit) {
            return Err(SessionError::params("limit", format!("must be 1 to {LIST_LIMIT_MAX}")));
        }
        let after = page.cursor.as_deref().map(|text| Cursor::parse(text, page.sort)).transpose()?;
        let search = filter.search.as_ref().map(|text| text.to_lowercase());
        let compare = |a: &(SortValue, &SessionRow), b: &(SortValue, &SessionRow)| {
            page.sort.order.apply((&a.0, &a.1.id).cmp(&(&b.0, &b.1.id)))
        };
        let accepted = self.iter().filter(|row| filter.accepts(row, search.as_deref()));
        let keyed = accepted.map(|row| (page.sort.field.of(row), row));
        let mut found: Vec<_> = keyed.filter(|row| after.as_ref().is_none_or(|cursor| cursor.is_before(row))).collect();
        let has_more = found.len() > limit;
        if has_more {
            found.select_nth_unstable_by(limit, compare);
            found.truncate(limit);
        }
        found.sort_unstable_by(compare);
        let next_cursor = found.last().filter(|_| has_more).map(|last| Cursor::after(page.sort, last).encode());
        Ok(Listing { sessions: found.into_iter().map(|(_, row)| row.clone()).collect(), next_cursor })
    }
}

impl Cursor {
    fn after(sort: Sort, (_, row): &(SortValue, &SessionRow)) -> Self {
        Self { sort, value: sort.field.of(row), id: row.id.clone() }
    }

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).expect("plain structs with text keys serialize"))
    }

    fn parse(text: &str, sort: Sort) -> Result<Self, SessionError> {
        let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|json| serde_json::from_slice::<Self>(&json).ok());
        let cursor = decoded.ok_or_else(|| SessionError::params("cursor", "must be what the page before answered"))?;
        if cursor.sort != sort {
            return Err(SessionError::params("cursor", "belongs to a list in another order"));
        }
        Ok(cursor)
    }

    /// Whether a session comes after the one it names.
    fn is_before(&self, (value, row): &(SortValue, &SessionRow)) -> bool {
        self.sort.order.apply((&self.value, &self.id).cmp(&(value, &row.id))) == Ordering::Less
    }
}
