//! Transactions: on a copy that is kept only when no step is refused.

use super::{Answer, Model, Operation, Request, TransactionStep, Verdict};

impl Model {
    pub(super) fn transact(&mut self, steps: &[TransactionStep]) -> Answer {
        let requests: Vec<Request<'_>> = steps.iter().filter_map(producers_request).collect();
        if !requests.is_empty() && requests.iter().all(|request| self.was_accepted(request)) {
            return Answer::Transacted(steps.iter().map(|step| self.repeat(step)).collect());
        }
        let mut after = self.clone();
        let mut answers = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            match after.step(step) {
                Ok(answer) => answers.push(answer),
                Err(refusal) => {
                    self.make_way(&steps[..=index]);
                    return Answer::RefusedAt(index, refusal);
                }
            }
        }
        *self = after;
        Answer::Transacted(answers)
    }

    pub(super) fn documents(&self) -> Answer {
        let documents = self.documents.iter();
        Answer::Documents(documents.map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    fn was_accepted(&mut self, request: &Request<'_>) -> bool {
        let stamp = request.stamp.expect("a producer's request has a stamp");
        let known = self.living(request.name).ok().and_then(|stream| stream.producers.get(stamp.id).copied());
        known.is_some_and(|(epoch, seq)| stamp.epoch == epoch && stamp.seq <= seq)
    }

    fn repeat(&mut self, step: &TransactionStep) -> Answer {
        let now = self.now;
        match step {
            TransactionStep::Document { .. } => Answer::Known,
            TransactionStep::Stream { operation: Operation::Create { name, .. }, .. } => {
                self.living(name).map_or(Answer::Known, |stream| stream.created(false))
            }
            TransactionStep::Stream { operation, .. } => {
                let request = Request::of(operation);
                let Ok(stream) = self.living(request.name) else { return Answer::Known };
                stream.accessed_at = now;
                stream.known(request.stamp.and_then(|stamp| stream.producers.get(stamp.id).copied()))
            }
        }
    }

    fn step(&mut self, step: &TransactionStep) -> Result<Answer, &'static str> {
        let (operation, expected_tail) = match step {
            TransactionStep::Stream { operation, expected_tail } => (operation, *expected_tail),
            TransactionStep::Document { key, value } => {
                match value {
                    Some(value) => self.documents.insert(key, value),
                    None => self.documents.remove(key),
                };
                return Ok(Answer::DocumentWritten);
            }
        };
        if let Operation::Create { name, kind, life, payload, closed } = operation {
            return self.create(name, *kind, *life, payload, *closed);
        }
        let request = Request::of(operation);
        let stream = self.living(request.name)?;
        if let Verdict::Duplicate(Some(_)) = stream.judge(&request)? {
            return Err("accepted before");
        }
        if expected_tail.is_some_and(|tail| tail != stream.tail()) {
            return Err("tail differs");
        }
        self.append(&request)
    }

    /// Even when they are refused in the end, creations find out which streams' time is over.
    fn make_way(&mut self, steps: &[TransactionStep]) {
        for step in steps {
            if let TransactionStep::Stream { operation: Operation::Create { name, .. }, .. } = step
                && matches!(self.holder(name), Ok(None))
                && !self.has_forks(name)
            {
                self.remove(name);
            }
        }
    }
}

fn producers_request(step: &TransactionStep) -> Option<Request<'_>> {
    match step {
        TransactionStep::Stream { operation: operation @ Operation::Append { stamp: Some(_), .. }, .. } => {
            Some(Request::of(operation))
        }
        _ => None,
    }
}
