//! Requests of runs that outlive one server, and so name none.

use headwater_load::http;

const HOST: &str = "Host: bench\r\n";

/// One whole request.
pub(crate) fn render(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    http::render(HOST, method, target, headers, body)
}

/// One whole GET.
pub(crate) fn get(target: &str) -> Vec<u8> {
    render("GET", target, &[], &[])
}
