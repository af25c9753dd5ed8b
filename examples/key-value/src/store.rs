//! What all clients share: the keys and their values.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The keys and their values, behind one lock: a command sees all of another or nothing of it.
pub(crate) struct Store {
    entries: RwLock<Entries>,
    /// The most that they may come to, in bytes.
    most: usize,
}

/// The keys and their values, while nobody changes them.
#[derive(Default)]
pub(crate) struct Entries {
    values: HashMap<Box<[u8]>, Box<[u8]>>,
    /// What they come to.
    bytes: usize,
}

/// There is no room for more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// When a value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// Only where there is none.
    Absent,
    /// Only where there is one.
    Present,
}

/// The most that a store takes.
const MOST: usize = 256 * 1024 * 1024;

/// What an entry takes beside its key and its value, roughly.
const AROUND: usize = 64;

impl Default for Store {
    fn default() -> Self {
        Self::with_room(MOST)
    }
}

impl Store {
    pub(crate) fn with_room(most: usize) -> Self {
        Self { entries: RwLock::default(), most }
    }

    /// To be looked at.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a value. Tells whether it did.
    pub(crate) fn set(&self, key: &[u8], value: &[u8], when: When) -> Result<bool, Full> {
        let mut entries = self.write();
        if when != When::Always && entries.get(key).is_some() != (when == When::Present) {
            return Ok(false);
        }
        entries.set(key, value, self.most).map(|()| true)
    }

    /// Sets values: as many as there is room for.
    pub(crate) fn set_all<'a>(
        &self,
        mut pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<(), Full> {
        let mut entries = self.write();
        pairs.try_for_each(|(key, value)| entries.set(key, value, self.most))
    }

    /// Removes values. Tells how many there were.
    pub(crate) fn remove<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> usize {
        let mut entries = self.write();
        keys.filter(|key| entries.remove(key)).count()
    }

    /// Changes a value, which may not be there yet.
    pub(crate) fn update<T>(
        &self,
        key: &[u8],
        change: impl FnOnce(Option<&[u8]>) -> Option<(T, Vec<u8>)>,
    ) -> Result<Option<T>, Full> {
        let mut entries = self.write();
        let Some((result, value)) = change(entries.get(key)) else { return Ok(None) };
        entries.set(key, &value, self.most).map(|()| Some(result))
    }

    /// An entry is changed in one step, so that a panic elsewhere leaves nothing half done.
    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.values.get(key).map(|value| &**value)
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    fn set(&mut self, key: &[u8], value: &[u8], most: usize) -> Result<(), Full> {
        let before = self.get(key).map_or(0, |value| size(key, value));
        let bytes = self.bytes - before + size(key, value);
        if bytes > most {
            return Err(Full);
        }
        match self.values.get_mut(key) {
            Some(old) if old.len() == value.len() => old.copy_from_slice(value),
            Some(old) => *old = value.into(),
            None => drop(self.values.insert(key.into(), value.into())),
        }
        self.bytes = bytes;
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        let removed = self.values.remove(key);
        self.bytes -= removed.as_ref().map_or(0, |value| size(key, value));
        removed.is_some()
    }
}

fn size(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + AROUND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_it_has_room_for() {
        let store = Store::with_room(2 * (AROUND + 2));
        assert_eq!(store.set(b"a", b"1", When::Always), Ok(true));
        assert_eq!(store.set(b"b", b"2", When::Always), Ok(true));
        assert_eq!(store.set(b"c", b"", When::Always), Err(Full));
        assert_eq!(store.set(b"a", b"12", When::Always), Err(Full));
        assert_eq!(store.set(b"a", b"3", When::Always), Ok(true), "in place of the first");
        assert_eq!(store.remove([&b"b"[..], b"b", b"c"].into_iter()), 1);
        assert_eq!(store.set(b"a", b"1234", When::Always), Ok(true));
        assert_eq!((store.read().len(), store.read().get(b"a")), (1, Some(&b"1234"[..])));
    }
}
