//! What requests ask for, as metrics and logs name it.

/// A kind of request. Few, so that they can be labels; never a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Append,
    Read,
    LongPoll,
    Sse,
    Head,
    /// Which streams there are.
    List,
    Delete,
    Preflight,
    /// Health, metrics and subscriptions.
    Control,
    /// Sessions, what follows excepted.
    Session,
    /// Events of a session.
    SessionPublish,
    /// Following a session or an agent.
    SessionFollow,
    /// The proxy, reads and what follows excepted.
    Proxy,
    /// Sending a request on through the proxy.
    ProxyCreate,
    /// Nothing this server knows.
    Unknown,
}

impl Operation {
    pub(crate) const ALL: [Self; 16] = [
        Self::Create,
        Self::Append,
        Self::Read,
        Self::LongPoll,
        Self::Sse,
        Self::Head,
        Self::List,
        Self::Delete,
        Self::Preflight,
        Self::Control,
        Self::Session,
        Self::SessionPublish,
        Self::SessionFollow,
        Self::Proxy,
        Self::ProxyCreate,
        Self::Unknown,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Append => "append",
            Self::Read => "read",
            Self::LongPoll => "long_poll",
            Self::Sse => "sse",
            Self::Head => "head",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Preflight => "preflight",
            Self::Control => "control",
            Self::Session => "session",
            Self::SessionPublish => "session_publish",
            Self::SessionFollow => "session_follow",
            Self::Proxy => "proxy",
            Self::ProxyCreate => "proxy_create",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it is answered in the form of sessions.
    pub(crate) const fn is_of_sessions(self) -> bool {
        matches!(self, Self::Session | Self::SessionPublish | Self::SessionFollow)
    }

    /// Whether it is answered in the form of the proxy.
    pub(crate) const fn is_of_proxy(self) -> bool {
        matches!(self, Self::Proxy | Self::ProxyCreate)
    }
}
