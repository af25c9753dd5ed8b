//! The keys and values, shared by all clients.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The keys and values, protected by one lock: commands are atomic.
pub(crate) struct Store {
    entries: RwLock<Entries>,
    /// The limit on their size, in bytes.
    most: usize,
}

/// The keys and values, under a read lock.
#[derive(Default)]
pub(crate) struct Entries {
    values: HashMap<Box<[u8]>, Box<[u8]>>,
    /// Their size.
    bytes: usize,
}

/// The store is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// When a value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// Only if the key has no value.
    Absent,
    /// Only if the key has a value.
    Present,
}

/// The approximate overhead of an entry besides its key and its value.
const AROUND: usize = 64;

impl Store {
    pub(crate) fn with_room(most: usize) -> Self {
        Self { entries: RwLock::default(), most }
    }

    /// To be looked at.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a value. Returns whether it did.
    pub(crate) fn set(&self, key: &[u8], value: &[u8], when: When) -> Result<bool, Full> {
        let mut entries = self.write();
        if when != When::Always && entries.get(key).is_some() != (when == When::Present) {
            return Ok(false);
        }
        entries.set(key, value, self.most).map(|()| true)
    }

    /// Sets values: all of them, or none if there is no room for all. For a repeated key, the last value counts.
    pub(crate) fn set_all<'a>(
        &self,
        pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) -> Result<(), Full> {
        let mut entries = self.write();
        let more: usize = pairs.clone().map(|(key, value)| size(key, value)).sum();
        if entries.bytes + more > self.most && entries.bytes_with(pairs.clone()) > self.most {
            return Err(Full);
        }
        // The size may temporarily exceed the final size, so the limit was checked before.
        pairs.for_each(|(key, value)| entries.put(key, value));
        Ok(())
    }

    /// Removes values. Returns their number.
    pub(crate) fn remove<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> usize {
        let mut entries = self.write();
        keys.filter(|key| entries.remove(key)).count()
    }

    /// Changes a value, which may be missing, unless `change` fails.
    pub(crate) fn update<T, E>(
        &self,
        key: &[u8],
        change: impl FnOnce(Option<&[u8]>) -> Result<(T, Vec<u8>), E>,
    ) -> Result<Result<T, E>, Full> {
        let mut entries = self.write();
        match change(entries.get(key)) {
            Ok((result, value)) => entries.set(key, &value, self.most).map(|()| Ok(result)),
            Err(objection) => Ok(Err(objection)),
        }
    }

    /// The limit on the size of all entries, in bytes.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Entries are changed in one step, so a poisoned lock leaves no entry inconsistent.
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

    /// Their size, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn set(&mut self, key: &[u8], value: &[u8], most: usize) -> Result<(), Full> {
        if self.bytes - self.size_of(key) + size(key, value) > most {
            return Err(Full);
        }
        self.put(key, value);
        Ok(())
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.bytes = self.bytes - self.size_of(key) + size(key, value);
        match self.values.get_mut(key) {
            Some(old) if old.len() == value.len() => old.copy_from_slice(value),
            Some(old) => *old = value.into(),
            None => drop(self.values.insert(key.into(), value.into())),
        }
    }

    /// Their size with these added.
    fn bytes_with<'a>(&self, pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> usize {
        let last: HashMap<&[u8], &[u8]> = pairs.collect();
        last.iter().fold(self.bytes, |bytes, (key, value)| bytes - self.size_of(key) + size(key, value))
    }

    /// The size of the entry of this key, if there is one.
    fn size_of(&self, key: &[u8]) -> usize {
        self.get(key).map_or(0, |value| size(key, value))
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
    fn the_store_enforces_its_limit() {
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

    #[test]
    fn several_are_set_together_or_not_at_all() {
        let entry = AROUND + 2;
        for (pairs, most, passes) in [
            (&["a1", "b2"][..], 3 * entry - 1, false), // beside what is there
            (&["a1", "b2"], 3 * entry, true),
            (&["a1", "b2"], 3 * entry + 1, true),
            (&["a1", "a2", "a3"], 2 * entry, true), // one key
            (&["o1", "a2"], 2 * entry, true),       // in place of what is there
            (&["o1", "a2"], 2 * entry - 1, false),
        ] {
            let store = Store::with_room(most);
            assert_eq!(store.set(b"o", b"0", When::Always), Ok(true));
            let set = store.set_all(pairs.iter().map(|pair| pair.as_bytes().split_at(1)));
            assert_eq!(set.is_ok(), passes, "{pairs:?} in {most}");
            let value = |key: &str| store.read().get(key.as_bytes()).map(<[u8]>::to_vec);
            for key in ["o", "a", "b"] {
                let last = pairs.iter().rev().find(|pair| pair.starts_with(key)).filter(|_| passes);
                let before = (key == "o").then_some("o0");
                let expected = last.copied().or(before).map(|pair| pair.as_bytes()[1..].to_vec());
                assert_eq!(value(key), expected, "{key} of {pairs:?} in {most}");
            }
            let bytes = store.read().bytes();
            assert_eq!(bytes, store.read().len() * entry);
        }
    }
}
