//! Rendering requests.

/// Digits of a stream's number in its path; fixed, so that every request of a workload has the same length.
pub(crate) const DIGITS: usize = 7;

/// The path of a workload's stream.
pub(crate) fn stream_path(stream: usize) -> String {
    format!("/v1/stream/b{stream:0width$}", width = DIGITS)
}

/// One whole request. A body always comes with its length; none means none.
pub(crate) fn render(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: bench\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" || method == "PUT" {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn get(target: &str) -> Vec<u8> {
    render("GET", target, &[], &[])
}
