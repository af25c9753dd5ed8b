//! A handle to a client, for any thread.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::Cell;

/// A handle to one client, for any thread and on every backend. It is cheap to clone. It may outlive the connection: it holds
/// about a hundred bytes, and no descriptor.
///
/// Two handles are equal if they belong to the same client.
///
/// ```
/// use std::collections::HashSet;
///
/// use anyloop::{Address, Client, Handle};
///
/// /// Registers a client, and forgets those that have left.
/// fn register(client: &Client, clients: &mut HashSet<Handle>) {
///     clients.retain(|client| !client.is_gone());
///     clients.insert(client.handle());
/// }
///
/// let mut clients = HashSet::new();
/// register(&Client::new(Address::Unknown), &mut clients);
/// assert_eq!(clients.len(), 1);
/// ```
#[derive(Clone)]
pub struct Handle {
    cell: Arc<dyn AsRef<Cell> + Send + Sync>,
    id: u64,
}

impl Handle {
    pub(crate) fn new(cell: Arc<dyn AsRef<Cell> + Send + Sync>, id: u64) -> Self {
        Self { cell, id }
    }

    /// The client's [number](crate::Client::number).
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether the client's conversation has ended.
    pub fn is_gone(&self) -> bool {
        (*self.cell).as_ref().is_gone()
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cell, &other.cell)
    }
}

impl Eq for Handle {}

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.cell).cast::<()>().hash(state);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id).field("is_gone", &self.is_gone()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn handles_of_one_client_are_equal() {
        let cell = Arc::new(Cell::default());
        let one = Handle::new(Arc::clone(&cell) as _, 1);
        let other = Handle::new(Arc::new(Cell::default()), 1);
        assert_eq!(one, one.clone());
        assert_ne!(one, other);
        assert_eq!(HashSet::from([one.clone(), one.clone(), other.clone()]).len(), 2);
        cell.leave();
        assert_eq!((one.is_gone(), other.is_gone()), (true, false));
        assert_eq!(format!("{one:?}"), "Handle { id: 1, is_gone: true }");
    }
}
