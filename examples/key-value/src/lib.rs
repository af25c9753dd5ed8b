//! A key-value store that speaks a subset of the Redis protocol.
