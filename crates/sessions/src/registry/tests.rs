//! The registry: life of a session, lists and pages.

use super::*;
use crate::limits::LIST_LIMIT_MAX;

fn row(id: &str, now_ms: u64) -> SessionRow {
    let new = NewSession { project_id: "p".into(), ..NewSession::default() };
    SessionRow::new(&SessionId::new(id).unwrap(), new, None, now_ms)
}

fn registry(rows: &[SessionRow]) -> Registry {
    let mut registry = Registry::default();
    for row in rows {
        assert!(registry.apply(&row.change(None, "t", 1), Offset::START));
    }
    registry
}

fn ids(listing: &Listing) -> Vec<&str> {
    listing.sessions.iter().map(|row| row.id.as_str()).collect()
}

#[test]
fn a_new_session_is_active_at_its_url() {
    let new = NewSession::parse(br#"{"projectId":"p","title":"Fix it","retentionMs":60000}"#).unwrap();
    let row = SessionRow::new(&SessionId::new("s1").unwrap(), new, None, 7);
    assert_eq!(
        row.change(None, "t", 7).encode(),
        r#"{"type":"session","key":"s1","value":{"id":"s1","projectId":"p","title":"Fix it","status":"active","url":"/sessions/s1","createdAt":7,"updatedAt":7,"retentionMs":60000},"headers":{"operation":"insert","txid":"t","timestamp":"1970-01-01T00:00:00.007Z"}}"#
    );
}

#[test]
fn bodies_that_break_a_rule_name_the_field() {
    for (body, field) in [
        ("{}", "projectId"),
        ("[]", "body"),
        ("{", "body"),
        (r#"{"projectId":"p","titel":"x"}"#, "titel"),
        (r#"{"projectId":"p","title":""}"#, "title"),
        (r#"{"projectId":"p","agentId":"a/b"}"#, "agentId"),
        (r#"{"projectId":"p","retentionMs":59999}"#, "retentionMs"),
    ] {
        assert_eq!(NewSession::parse(body.as_bytes()).unwrap_err().field_name(), Some(field), "{body}");
    }
    assert_eq!(SessionPatch::parse(br#"{"projectId":"p"}"#).unwrap_err().field_name(), Some("projectId"));
}

#[test]
fn a_session_pauses_resumes_and_closes_once() {
    let row = row("s", 1);
    let paused = row.after(Transition::Pause, 2).unwrap().unwrap();
    assert_eq!((paused.status, paused.updated_at), (SessionStatus::Paused, 2));
    assert_eq!(paused.after(Transition::Pause, 3), Ok(None));
    assert!(paused.check_open().is_ok());
    let resumed = paused.after(Transition::Resume, 3).unwrap().unwrap();
    assert_eq!(resumed.status, SessionStatus::Active);
    let closed = resumed.after(Transition::Close, 4).unwrap().unwrap();
    assert_eq!((closed.status, closed.closed_at), (SessionStatus::Closed, Some(4)));
    for transition in [Transition::Close, Transition::Pause, Transition::Resume] {
        assert_eq!(closed.after(transition, 5).unwrap_err().code().as_str(), "SESSION_CLOSED");
    }
    assert!(closed.check_open().is_err());
}

#[test]
fn a_patch_sets_clears_and_leaves_fields() {
    let mut before = row("s", 1);
    before.task_id = Some("task".into());
    before.title = Some("old".into());
    let patch = SessionPatch::parse(br#"{"title":"new","taskId":null}"#).unwrap();
    let after = before.patched(patch.clone(), 9).unwrap();
    assert_eq!((after.title.as_deref(), after.task_id.as_deref(), after.updated_at), (Some("new"), None, 9));
    let value = after.change(Some(&before), "t", 9).value.unwrap();
    assert!(value.get().ends_with(r#","taskId":null}"#), "{value:?}");
    assert_eq!(after.patched(patch, 10), None);
    let mut registry = registry(&[before.clone()]);
    assert!(registry.apply(&after.change(Some(&before), "t", 9), Offset::new(5)));
    assert_eq!(registry.get("s").unwrap(), &after);
}

#[test]
fn a_deleted_session_is_not_found() {
    let row = row("s", 1);
    let mut registry = registry(std::slice::from_ref(&row));
    registry.apply(&row.deletion("t", 2), Offset::new(9));
    assert_eq!(registry.get("s").unwrap_err().code().as_str(), "SESSION_NOT_FOUND");
    assert_eq!(registry.position(), Position { offset: Offset::new(9), seq: 2 });
}

#[test]
fn filters_narrow_a_list() {
    let mut rows: Vec<SessionRow> = (0..4).map(|n| row(&format!("s{n}"), n * 10)).collect();
    rows[1].title = Some("Größe der Schrift".into());
    rows[1].task_id = Some("t".into());
    rows[2].agent_id = Some("a".into());
    rows[3].project_id = "other".into();
    rows[3] = rows[3].after(Transition::Close, 99).unwrap().unwrap();
    let registry = registry(&rows);
    let listed = |filter: SessionFilter| {
        let listing = registry.list(&filter, &PageRequest::default()).unwrap();
        listing.sessions.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let all = SessionFilter::default;
    assert_eq!(listed(all()), ["s3", "s2", "s1", "s0"]);
    assert_eq!(listed(SessionFilter { project_id: Some("p".into()), ..all() }), ["s2", "s1", "s0"]);
    assert_eq!(listed(SessionFilter { task_id: Some("t".into()), ..all() }), ["s1"]);
    assert_eq!(listed(SessionFilter { agent_id: Some("a".into()), ..all() }), ["s2"]);
    assert_eq!(listed(SessionFilter { status: Some(SessionStatus::Closed), ..all() }), ["s3"]);
    assert_eq!(listed(SessionFilter { search: Some("GRÖSSE".into()), ..all() }), [""; 0]);
    assert_eq!(listed(SessionFilter { search: Some("GRÖßE".into()), ..all() }), ["s1"]);
    assert_eq!(listed(SessionFilter { date_from: Some(10), date_to: Some(20), ..all() }), ["s2", "s1"]);
}

#[test]
fn pages_hold_every_session_once_in_every_order() {
    let mut rows: Vec<SessionRow> = (0..25).map(|n| row(&format!("s{n:02}"), n / 5)).collect();
    rows.iter_mut().step_by(3).for_each(|row| row.title = Some(format!("T{}", row.created_at)));
    let registry = registry(&rows);
    for field in [SortField::CreatedAt, SortField::UpdatedAt, SortField::Title] {
        let mut whole = Vec::new();
        for order in [Order::Asc, Order::Desc] {
            let mut page = PageRequest { sort: Sort { field, order }, limit: Some(4), cursor: None };
            let mut seen: Vec<String> = Vec::new();
            loop {
                let listing = registry.list(&SessionFilter::default(), &page).unwrap();
                seen.extend(ids(&listing).into_iter().map(str::to_owned));
                page.cursor = listing.next_cursor;
                if page.cursor.is_none() {
                    break;
                }
            }
            let distinct: std::collections::HashSet<&String> = seen.iter().collect();
            assert_eq!((seen.len(), distinct.len()), (25, 25));
            whole.push(seen);
        }
        whole[1].reverse();
        assert_eq!(whole[0], whole[1]);
    }
}

#[test]
fn pages_go_on_rightly_when_the_session_that_a_cursor_names_is_gone() {
    let rows: Vec<SessionRow> = (0..5).map(|n| row(&format!("s{n}"), n)).collect();
    let mut registry = registry(&rows);
    let mut page = PageRequest { limit: Some(2), ..PageRequest::default() };
    let first = registry.list(&SessionFilter::default(), &page).unwrap();
    assert_eq!(ids(&first), ["s4", "s3"]);
    registry.apply(&rows[3].deletion("t", 9), Offset::START);
    page.cursor = first.next_cursor;
    assert_eq!(ids(&registry.list(&SessionFilter::default(), &page).unwrap()), ["s2", "s1"]);
}

#[test]
fn what_cannot_be_listed_names_the_parameter() {
    let registry = registry(&[row("a", 1), row("b", 2)]);
    let refused = |filter: SessionFilter, page: PageRequest| {
        let error = registry.list(&filter, &page).unwrap_err();
        assert_eq!(error.code().as_str(), "INVALID_PARAMS");
        error.field_name().unwrap().to_owned()
    };
    let all = SessionFilter::default;
    for limit in [0, LIST_LIMIT_MAX + 1] {
        assert_eq!(refused(all(), PageRequest { limit: Some(limit), ..PageRequest::default() }), "limit");
    }
    assert_eq!(refused(all(), PageRequest { cursor: Some("x".into()), ..PageRequest::default() }), "cursor");
    let page = PageRequest { limit: Some(1), ..PageRequest::default() };
    let cursor = registry.list(&all(), &page).unwrap().next_cursor;
    let sort = Sort { field: SortField::Title, order: Order::Asc };
    assert_eq!(refused(all(), PageRequest { sort, cursor, limit: None }), "cursor");
    let filter = SessionFilter { date_from: Some(2), date_to: Some(1), ..all() };
    assert_eq!(refused(filter, PageRequest::default()), "dateFrom");
    let filter = SessionFilter { search: Some("x".repeat(513)), ..all() };
    assert_eq!(refused(filter, PageRequest::default()), "search");
}
