//! The audit, read from its beginning to its end.

use daypass_core::Event;
use daypass_storage::{Store, StoreError};

/// So many events are read at once.
const PAGE: usize = 1000;

/// Tells of every event.
pub async fn read(store: &dyn Store, mut tell: impl FnMut(Event)) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let events = store.events(after, PAGE).await?;
        let Some((last, _)) = events.last() else { return Ok(()) };
        after = *last;
        for (_, event) in events {
            tell(event);
        }
    }
}
