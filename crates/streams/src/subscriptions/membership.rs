//! The rules of which streams a subscription follows (protocol sections 6.1, 6.2 and 6.4).

use headwater_protocol::{Offset, StreamPath};

use super::config::selects;
use super::draft::{Draft, LinkChange};
use super::subscription::Link;

impl Draft<'_> {
    /// A stream came to be that the pattern matches: followed from `from`, so that nothing of it is missed.
    pub fn link_new(&mut self, path: &StreamPath, from: Offset, tail: Offset) {
        let explicit = self.link(path).is_some_and(|link| link.explicit);
        if explicit || selects(&self.subscription.config, path) {
            self.set(path, Link { explicit, acked: from, tail: Some(tail) });
        }
    }

    /// Somebody asks for a stream by name: followed from its tail, unless it is followed already.
    pub fn link_explicit(&mut self, path: &StreamPath, tail: Option<Offset>) {
        let link = match self.link(path) {
            Some(link) if link.explicit => return,
            Some(link) => Link { explicit: true, ..link },
            None => Link { explicit: true, acked: tail.unwrap_or(Offset::START), tail },
        };
        self.set(path, link);
    }

    /// Somebody no longer asks for it by name; a pattern that matches goes on following it.
    pub fn unlink_explicit(&mut self, path: &StreamPath) {
        match self.link(path) {
            Some(link) if !link.explicit => {}
            Some(link) if link.tail.is_some() && selects(&self.subscription.config, path) => {
                self.set(path, Link { explicit: false, ..link });
            }
            Some(_) => self.unlink(path),
            None => {}
        }
    }

    /// The stream is gone.
    pub fn unlink(&mut self, path: &StreamPath) {
        if self.link(path).is_some() {
            self.links.insert(path.clone(), LinkChange::Remove);
            self.link_count -= 1;
        }
    }

    fn set(&mut self, path: &StreamPath, link: Link) {
        if self.link(path).is_none() {
            self.link_count += 1;
        }
        self.links.insert(path.clone(), LinkChange::Set(link));
    }
}
