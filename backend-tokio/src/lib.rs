//! anyloop's backend `tokio`: tasks on tokio.
