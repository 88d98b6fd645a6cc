//! Bodies that can be sent again, and such that cannot.

/// Makes a second body of a first, for a call that has to be made again.
pub trait ReplayBody<B> {
    /// The same body once more; it is asked for before the first is sent. `None` if there is only one.
    fn again(&self, body: &B) -> Option<B>;
}

/// Sends a clone.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloneBody;

impl<B: Clone> ReplayBody<B> for CloneBody {
    fn again(&self, body: &B) -> Option<B> {
        Some(body.clone())
    }
}

/// Sends no body twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneUse;

impl<B> ReplayBody<B> for OneUse {
    fn again(&self, _body: &B) -> Option<B> {
        None
    }
}

impl<B, F: Fn(&B) -> Option<B>> ReplayBody<B> for F {
    fn again(&self, body: &B) -> Option<B> {
        self(body)
    }
}
